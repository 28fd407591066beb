"""Collection: a store with its encoder, the product. Builds the parts from Settings; API and edges all use it.

    import sightline

    photos = sightline.open("data/tables#photos")
    photos.ingest("~/Pictures")
    for hit in photos.search("a road with a stop sign", k=3):
        print(hit.score, hit.text, hit.image.size)

Nothing heavy happens before it is needed: opening loads no model, searching by an item's id encodes nothing.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from sightline import history, index, media, texts
from sightline import query as query_language
from sightline.answers import Answer
from sightline.ask import gather, spoken, understood
from sightline.atlas import Atlases
from sightline.background import Backgrounds
from sightline.choice import Choice, Model, manifest_of
from sightline.config import Settings
from sightline.config import settings as settings_in_force
from sightline.conversation import Conversation
from sightline.cutoffs import CutoffReport, measure_cutoff
from sightline.dups import Duplicates, near_duplicates
from sightline.encoders import Encoder
from sightline.errors import (
    BadMedia,
    CollectionError,
    QueryError,
    SourceError,
    UsageError,
)
from sightline.evaluate import Evaluation, evaluate, items_of
from sightline.examples import Example, picture_term, png, terms_of
from sightline.executors import Executor, LocalExecutor, Worker
from sightline.generate import Generator, load_generator
from sightline.ingest import Among, Options, ingest
from sightline.judgements import Judgements
from sightline.ocr import RapidReader, Reader
from sightline.ocr import check as check_ocr
from sightline.probes import questions
from sightline.quiz import AnswersReport, Questions, measure_answers
from sightline.reading import read_texts
from sightline.rebuild import rebuild
from sightline.reports import Info, IngestReport, OcrReport, OptimizeReport, Progress, VerifyReport, VersionEntry
from sightline.retrieve import CHANNELS, hit_of, retrieve
from sightline.schema import Hit, Hits, Item, Query, Skipped, SkipReason, StoredItem, Thumbnail, version_of
from sightline.sources import FileBytes, HeldBytes, Source, open_source, path_of
from sightline.store import Address, Store
from sightline.store import list_collections as _list_collections
from sightline.texts import Unread
from sightline.verify import verify

if TYPE_CHECKING:
    from PIL.Image import Image

    from sightline.tune import Options as TrainOptions
    from sightline.tune import Tuned

Spec: TypeAlias = str | os.PathLike[str] | Iterable[Item]


def open(
    address: str | None = None,
    *,
    model: Model | None = None,
    settings: Settings | None = None,
    executor: Executor | None = None,
    reader: Callable[[int], Reader] | None = None,
    notify: Callable[[str], None] | None = None,
) -> Collection:
    """The collection at `address` (`FOLDER[#table]`; default: the settings' collection), made by its first ingest.

    `model` is a name, a model folder or any object that fits `Encoder`; None: the collection's own, for a new one the
    settings'. `reader` makes what reads the text in pictures (given: how many threads it may use); None: rapidocr.
    `notify` is told, once for each host, where pictures go when answers are written on another machine.
    Raises EncoderMismatch when the collection was built with another one, before any model is loaded; UnknownModel or
    CorruptModel; ForeignTable or CollectionDamaged for what is found at the address.
    """
    return Collection(address, model=model, settings=settings, executor=executor, reader=reader, notify=notify)


def list_collections(folder: str | os.PathLike[str] = "data/tables") -> list[str]:
    """The addresses of the collections in a LanceDB folder."""
    return [str(address) for address in _list_collections(Path(folder))]


def drop_collection(address: str) -> None:
    """Delete a collection: rows, stored pictures, history. The source files stay. Raises CollectionMissing."""
    store = Store(Address.parse(address))
    store.manifest  # noqa: B018 — raises for what is missing or not ours
    store.drop()


class Collection:
    def __init__(
        self,
        address: str | None = None,
        *,
        model: Model | None = None,
        settings: Settings | None = None,
        executor: Executor | None = None,
        reader: Callable[[int], Reader] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings or settings_in_force()
        self._store = Store(
            Address.parse(address or self.settings.collection),
            lock_seconds=self.settings.lock_seconds,
            history_days=self.settings.history_days,
            snapshot_rows=self.settings.snapshot_rows,
            index_rows=self.settings.index_rows,
            recall=self.settings.recall,
        )
        self._store.vector_index.questions = lambda: questions(self._store, lambda: self.encoder)
        self._backgrounds = Backgrounds(self._store)
        self.atlases = Atlases(self._store)  # the collection as a map (docs/map.md)
        self._executor = executor or LocalExecutor(threads=self.settings.threads)
        self._reader = reader
        self._choice = Choice(self._store, self.settings, model)
        self._generators: dict[str, Generator] = {}
        self._notify = notify
        if self._store.exists:
            self._choice.check()

    @property
    def address(self) -> str:
        return str(self._store.address)

    @property
    def exists(self) -> bool:
        return self._store.exists

    @property
    def notices(self) -> list[str]:
        """What opening had to mend, one line each."""
        return self._store.notices

    @property
    def encoder(self) -> Encoder:
        """The encoder, built when first asked for; its weights load with the first vector."""
        return self._choice.encoder

    @property
    def model_notice(self) -> str | None:
        """What there is to say about the model that was chosen for a new collection."""
        return self._choice.notice

    @property
    def version(self) -> int:
        """Number of the newest version of the rows; 0 before the first ingest."""
        return self._store.version if self.exists else 0

    def __len__(self) -> int:
        """Number of rows; 0 before the first ingest."""
        return len(self._store) if self.exists else 0

    def __repr__(self) -> str:
        return f"<Collection {self.address}>"

    # -- filling ------------------------------------------------------------------------------------------------

    def ingest(
        self,
        *specs: Spec,
        keep: str | None = None,
        prune: bool = False,
        yes: bool = False,
        rehash: bool = False,
        retry: bool = False,
        exclude: Sequence[str] = (),
        limit: int | None = None,
        dry_run: bool = False,
        ocr: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> IngestReport:
        """Bring the collection up to date with its sources: folders, files, `parquet:GLOB`, `streets`, or any items.

        `keep`: which picture is stored, `original`, `preview` (JPEG of at most 1,024 px) or `none`; None: what suits
        the source. `prune` removes rows whose item is gone from the source (`yes`: also more than a fifth of them);
        `rehash` reads files whose size and time are unchanged; `retry` tries again what was unusable; `exclude` are
        gitignore patterns. `ocr` also reads the text in those of their pictures that were never read. Raises
        SourceError, CollectionError, ModelError, MissingExtra; what was committed stays.
        """
        keep = keep or self.settings.keep
        if keep not in (None, "original", "preview", "none"):
            raise UsageError(f"keep is '{keep}'; original, preview or none was expected")
        if not specs:
            raise UsageError("no source was given", hint="give a folder, a file, parquet:GLOB or streets")
        if ocr:
            self._check_reader()
        encoder = self.encoder
        return ingest(
            self._store,
            manifest_of(encoder),
            [self._source(spec, exclude) for spec in specs],
            functools.partial(Worker, encoder, keep=keep),
            executor=self._executor,
            batch_size=self._choice.batch_size(encoder),
            options=Options(prune, yes, rehash, retry, limit, dry_run),
            progress=progress,
            read=functools.partial(self._read, retry=retry, progress=progress) if ocr and not dry_run else None,
        )

    def ocr(self, *, retry: bool = False, progress: Callable[[Progress], None] | None = None) -> IngestReport:
        """Read the text in all pictures that were never read (`retry`: also where that failed), and encode nothing.

        From the file where its bytes are still the row's, else from the stored picture. What was read is searched with
        the captions, and in `get(...).ocr` and `.reading`. Raises CollectionMissing, MissingExtra, CorruptModel.
        """
        manifest = self._store.manifest
        self._check_reader()
        done = self._read(None, retry=retry, progress=progress)
        none = dict.fromkeys(("added", "updated", "unchanged", "renamed", "removed", "missing", "encoded"), 0)
        told = {"address": self.address, "model": manifest.encoder, "seconds": done.seconds, "rows": len(self)}
        return IngestReport(**none, **told, skipped=(), notices=tuple(self.notices), ocr=done)  # type: ignore[arg-type]

    def add(self, picture: str | os.PathLike[str] | bytes | Image, text: str = "", *, name: str | None = None) -> str:
        """Add one picture (a file, its bytes or a PIL image) with its caption; returns its id.

        Bytes and images get the uri `added:` and their content hash, and are stored as they are. Raises BadMedia with
        the reason when the picture cannot be used.
        """
        if isinstance(picture, (str, os.PathLike)):
            item = self._only_item(picture, text)
        else:
            data = picture if isinstance(picture, bytes) else png(picture)
            version = version_of(data)
            item = Item(f"added:{version[:32]}", name or version[:12], HeldBytes(data), text, keep="original")
        report = self.ingest([item], retry=True)
        for skip in report.skipped:
            raise BadMedia(skip.reason, f"{item.name}: {skip.detail or skip.reason}")
        return item.id

    def remove(self, ids_or_uris: str | Sequence[str]) -> int:
        """Delete rows by id or uri with their stored pictures; source files stay. Returns how many there were."""
        asked = [ids_or_uris] if isinstance(ids_or_uris, str) else ids_or_uris
        found = [self._store.get(one) for one in dict.fromkeys(asked)]
        removed = self._store.remove([item.id for item in found if item is not None])
        if removed:
            self._store.mirror.update()
        return removed

    def rebuild(
        self,
        *,
        model: Model | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IngestReport:
        """Encode everything anew with `model` (None: the collection's own), from the stored pictures, else the files.

        The rows change in one step at the end. Raises CollectionMissing, ModelError, CollectionError.
        """
        self._store.manifest  # noqa: B018 — raises when there is nothing to rebuild
        encoder = self.encoder if model is None else self._choice.another(model)
        report = rebuild(
            self._store,
            manifest_of(encoder),
            functools.partial(Worker, encoder, keep="none"),
            picture=self._content,
            executor=self._executor,
            batch_size=self._choice.batch_size(encoder),
            progress=progress,
        )
        self._choice.settle(encoder)
        return report

    # -- care ---------------------------------------------------------------------------------------------------

    def verify(self, *, sources: bool = False, progress: Callable[[int], None] | None = None) -> VerifyReport:
        """Compare every vector and stored picture with its digest; name what is damaged, missing or doubled by id.

        `sources`: also read every source file again. `rebuild` mends the problems. Raises CollectionMissing.
        """
        self._store.manifest  # noqa: B018 — raises when there is nothing to verify
        return verify(self._store, sources=sources, progress=progress)

    def optimize(self, *, older_than: timedelta | None = None) -> OptimizeReport:
        """Compact, bring the index up to date and forget versions older than `older_than`; readers go on.

        None keeps the history that the settings ask for. Anything under an hour also takes away the version that
        another process may be reading: Sightline's readers then go on with the newest, others have to open it again.
        """
        self._store.manifest  # noqa: B018
        before, state = self._store.disk_bytes(), index.state(self._store)
        index.keep_up(self._store, always=True, older_than=older_than)
        return OptimizeReport(
            address=self.address,
            rows=len(self),
            bytes_before=before,
            bytes=self._store.disk_bytes(),
            fragments_before=state.fragments,
            fragments=index.state(self._store).fragments,
            versions=len(self._store.rows.table.list_versions()),
        )

    def warm(self) -> None:
        """Load now what a first visitor would wait for: the snapshot, its cells, and LanceDB for thumbnails."""
        self._store.warm()

    def dups(self) -> Duplicates:
        """The groups of near-duplicates, and which of each to keep; nothing is deleted (docs/groups.md).

        Raises CollectionMissing.
        """
        return near_duplicates(self._store)

    def history(self) -> list[VersionEntry]:
        """The versions that can be restored, newest first, with what each changed. Raises CollectionMissing."""
        self._store.manifest  # noqa: B018
        return history.entries(self._store)

    def restore(self, version: int) -> int:
        """Bring rows and index of a former version back, as a new version whose number is returned.

        What came after stays in the history. Raises CollectionError when the version is not there or not readable.
        """
        self._store.manifest  # noqa: B018
        restored = history.restore(self._store, version)
        index.keep_up(self._store)  # a version from before the full-text index
        self._choice.reconsider()
        return restored

    # -- finding ------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str | bytes | Image | Query | None = None,
        k: int = 10,
        *,
        like: Example | Sequence[Example] = (),
        unlike: Example | Sequence[Example] = (),
        where: str | None = None,
        exact: bool = False,
        literal: bool = False,
        sort: str = "score",
        group: bool = False,
        diverse: bool = False,
        min_relevance: float | None = None,
        now: datetime | None = None,
        files: bool = True,
        channels: Sequence[str] = CHANNELS,
    ) -> Hits:
        """The `k` best hits for what the query language says (docs/query.md) or for a picture, best first.

        `like` and `unlike` are examples: hits, ids or uris of items, files (`Path`, or `./a.jpg`), bytes or PIL images;
        they refine the query, or do without one, and are no hits themselves. `literal` takes a query as plain words,
        `now` is what "yesterday" counts from. `sort` by `date` puts the `k` best in order of when they were taken.
        `group` folds near-duplicates into the best of them (`Hit.alike`); `diverse` prefers hits that are unlike those
        before them (docs/groups.md). With `min_relevance` (0 to 1) each hit says how likely it is to be relevant, and
        those below are left out; None asks nothing of the kind (docs/cutoff.md).
        `where` is SQL over the columns: never pass on what a stranger typed, and let no stranger's query name `files`.
        `channels` limits what is asked: `vector`, `text`, `ocr`, `name`. Raises QueryError, CollectionMissing.
        """
        asked = self._query(query, where=where, literal=literal, now=now, files=files)
        find = lambda ident: self.get(ident).id  # noqa: E731
        examples = (*terms_of(like, find), *terms_of(unlike, find, unlike=True))
        asked = replace(asked, terms=(*asked.terms, *examples))
        if asked.terms and all(term.excluded for term in asked.terms):
            raise QueryError("this only says what to leave out", hint="give a query or an example of what to look for")
        load, build = self.picture, lambda: self.encoder
        return retrieve(
            self._store,
            build,
            asked,
            k,
            load=load,
            exact=exact,
            channels=channels,
            sort=sort,
            group=group,
            diverse=diverse,
            min_relevance=min_relevance,
            backgrounds=self._backgrounds,
        )

    @overload
    def ask(
        self,
        question: str,
        k: int = 6,
        *,
        generator: Generator | str | None = None,
        stream: Literal[False] = False,
        min_relevance: float = 0.5,
        now: datetime | None = None,
        before: Sequence[tuple[str, str] | Answer] = (),
    ) -> Answer: ...
    @overload
    def ask(
        self,
        question: str,
        k: int = 6,
        *,
        generator: Generator | str | None = None,
        stream: Literal[True],
        min_relevance: float = 0.5,
        now: datetime | None = None,
        before: Sequence[tuple[str, str] | Answer] = (),
    ) -> Iterator[str | Answer]: ...
    def ask(
        self,
        question: str,
        k: int = 6,
        *,
        generator: Generator | str | None = None,
        stream: bool = False,
        min_relevance: float = 0.5,
        now: datetime | None = None,
        before: Sequence[tuple[str, str] | Answer] = (),
    ) -> Answer | Iterator[str | Answer]:
        """An answer to a question with the pictures that it rests on, or none where nothing shows it (docs/answers.md).

        At most `k` pictures (1 to 100) are shown to the generator and can be cited; counts are over all that match with
        at least `min_relevance`. `generator` is an object with `generate`, a spec (`extractive`, `openai:MODEL`,
        `hf:REPO`), or None for the settings'. `before` is what was asked and answered so far, oldest first: pairs of
        texts, or Answers, whose pictures can then be pointed at. `now` is what "yesterday" counts from.

        With `stream` the pieces of the text come as they are known to be right, and the Answer last; what is found is
        found before the first of them is asked for. A generator that fails leaves an incomplete answer. Raises
        QueryError, UsageError, CollectionMissing.
        """
        self._store.manifest  # noqa: B018 — raises when there is nothing to ask
        writer = self.generator(generator)
        started = time.perf_counter()
        asked, only = understood(question, before, writer, now)
        read = time.perf_counter()
        evidence = gather(
            self._store,
            lambda: self.encoder,
            asked,
            k,
            load=self.picture,
            min_relevance=min_relevance,
            backgrounds=self._backgrounds,
            only=only,
        )
        timings = {"understand": (read - started) * 1000, "retrieve": (time.perf_counter() - read) * 1000}
        pieces = spoken(evidence, writer, timings)
        return pieces if stream else next(piece for piece in pieces if isinstance(piece, Answer))

    def conversation(
        self, *, k: int = 6, generator: Generator | str | None = None, min_relevance: float = 0.5
    ) -> Conversation:
        """Questions that may lean on those before: "and at night?", "which of them are red?", "the second one"."""
        return Conversation(self, k=k, generator=self.generator(generator), min_relevance=min_relevance)

    def generator(self, wanted: Generator | str | None = None) -> Generator:
        """What writes answers: the given object, what a spec names, or the settings'. Made once for each spec.

        Raises UsageError, Offline, MissingExtra, ModelError.
        """
        if wanted is not None and not isinstance(wanted, str):
            return wanted
        spec = wanted or self.settings.generator
        if spec not in self._generators:
            self._generators[spec] = load_generator(spec, self.settings, notify=self._notify)
        return self._generators[spec]

    def evaluate(
        self,
        *,
        qrels: Judgements | None = None,
        queries: str | os.PathLike[str] | None = None,
        channels: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Evaluation:
        """How well it finds: recall, MRR and nDCG with intervals, and the time of a search.

        Relevance comes from the captions, or from `qrels` (docs/evaluation.md): a file, with TREC lines also one of
        `queries`, or any `Question`s. `channels`: `vector`, `text`, `hybrid`; the first gives the numbers that count.
        `limit` draws that many questions. Raises UsageError, SourceError, CollectionError, CollectionMissing.
        """
        self._store.manifest  # noqa: B018
        return evaluate(
            self._store, self.encoder, qrels=qrels, queries=queries, channels=channels, limit=limit, seed=seed
        )

    def evaluate_cutoff(
        self,
        *,
        qrels: Judgements,
        queries: str | os.PathLike[str] | None = None,
        channels: Sequence[str] | None = None,
        cutoff: float = 0.5,
        limit: int | None = None,
        seed: int = 0,
    ) -> CutoffReport:
        """What `search(min_relevance=cutoff)` keeps and cuts, on questions of which some have no answer.

        Those are the ones whose `relevant` is empty. Raises UsageError, SourceError, CollectionError.
        """
        self._store.manifest  # noqa: B018
        return measure_cutoff(
            self._store,
            self.encoder,
            qrels=qrels,
            queries=queries,
            channels=channels,
            cutoff=cutoff,
            limit=limit,
            seed=seed,
        )

    def evaluate_answers(
        self,
        questions: Questions,
        *,
        k: int = 6,
        generator: Generator | str | None = None,
        limit: int | None = None,
        seed: int = 0,
        tell: Callable[[int, int], None] | None = None,
    ) -> AnswersReport:
        """What `ask(question, k, generator=generator)` is worth, on questions whose right answers are known.

        `questions`: a file (docs/evaluation.md), `streets` for the bundled ones, or any `marking.Known`s. `tell` is
        told how many of how many are done. Raises UsageError, SourceError, CollectionError and what `ask` raises.
        """
        self._store.manifest  # noqa: B018
        ask = functools.partial(self.ask, k=k, generator=generator)
        items, model = items_of(self._store), self._store.manifest.encoder
        return measure_answers(ask, items, questions, model=model, k=k, limit=limit, seed=seed, tell=tell)

    def train_head(
        self,
        out: str | os.PathLike[str],
        options: TrainOptions | None = None,
        *,
        tell: Callable[[str], None] | None = None,
    ) -> Tuned:
        """Learn a projection of these vectors from the captions; writes this encoder with it as a model folder.

        No picture is encoded (docs/training.md). Raises UsageError, SourceError, ModelError, MissingExtra.
        """
        from sightline import tune

        self._store.manifest  # noqa: B018
        return tune.tune_head(self._store, self.encoder, Path(out), options or tune.Options(), tell=tell)

    def get(self, id_or_uri: str) -> StoredItem:
        """One item with all that is known of it. Raises CollectionError when there is none."""
        found = self._store.get(id_or_uri)
        if found is None:
            raise CollectionError(
                f"there is no item '{id_or_uri}' in '{self.address}'", hint="search --json shows ids and uris"
            )
        return found

    def picture(self, ident: str) -> bytes:
        """The stored picture of an item (its id or uri); without one, the source file's bytes, else the thumbnail."""
        found = self.get(ident)
        stored = self._store.picture(found.version)
        if stored is not None:
            return stored
        try:
            return FileBytes(path_of(found.item.uri))()
        except (ValueError, OSError, BadMedia):
            return found.thumbnail

    def view(self, ident: str, *, longest: int = 2048) -> bytes:
        """The item's picture as a JPEG without metadata, at most `longest` pixels: what may be shown to others.

        Never the bytes that came in: a picture stored as it was is decoded and encoded anew.
        """
        found = self.get(ident)
        data = self._content(ident)
        if version_of(data) != found.version:  # a preview or thumbnail: made here
            return data
        try:
            return media.jpeg(media.upright(data), longest=longest, quality=90)
        except BadMedia:
            return found.thumbnail

    def thumbnail(self, ident: str) -> bytes:
        """A JPEG of at most 256 px without metadata."""
        return self.get(ident).thumbnail

    def thumbnails(self, idents: Sequence[str]) -> dict[str, Thumbnail]:
        """Those of several ids at once, by id: as quick as one. An id that is not here is left out."""
        return self._store.versioned_thumbnails(idents)

    def sample(self, n: int = 2, *, seed: int | None = None) -> list[Hit]:
        """At most `n` items at random, as hits without a score."""
        import numpy as np

        found = self._store.sample(n, np.random.default_rng(seed))
        return [hit_of(one, rank, self.picture) for rank, one in enumerate(found, start=1)]

    def info(self) -> Info:
        """Rows, encoder, index state and size on disk. Raises CollectionMissing."""
        manifest = self._store.manifest
        state = index.state(self._store)
        return Info(
            address=self.address,
            rows=len(self),
            encoder=manifest.encoder,
            dim=manifest.dim,
            modalities=("image",),
            fragments=state.fragments,
            unindexed=state.unindexed,
            index=state.vector_index,
            measured_recall=state.recall,
            bytes=self._store.disk_bytes(),
            version=int(self._store.rows.table.version),
            read=texts.count_read(self._store),
        )

    # -- inside -------------------------------------------------------------------------------------------------

    def _query(
        self,
        query: str | bytes | Image | Query | None,
        *,
        where: str | None,
        literal: bool,
        now: datetime | None,
        files: bool = True,
    ) -> Query:
        if isinstance(query, Query):
            return query
        if isinstance(query, str):
            return query_language.parse(query, where=where, literal=literal, now=now, files=files)
        if query is None:
            return Query(raw="(examples)", terms=(), where=where)
        return Query(raw="(picture)", terms=(picture_term(query),), where=where)

    def _content(self, ident: str) -> bytes:
        """The item's own picture: the stored one, else its file if its bytes are still the same, else the thumbnail."""
        found = self.get(ident)
        stored = self._store.picture(found.version)
        if stored is not None:
            return stored
        try:
            data = FileBytes(path_of(found.item.uri))()
        except (ValueError, OSError, BadMedia):
            return found.thumbnail
        return data if version_of(data) == found.version else found.thumbnail

    def _read(self, among: Among | None, *, retry: bool, progress: Callable[[Progress], None] | None) -> OcrReport:
        return read_texts(
            self._store,
            self._reader or RapidReader,
            picture=self._largest,
            among=among,
            threads=self.settings.threads,
            retry=retry,
            progress=progress,
        )

    def _check_reader(self) -> None:
        if self._reader is None:
            check_ocr()

    def _largest(self, row: Unread) -> bytes:
        """The largest picture there is of these bytes: the original, else the preview. Raises BadMedia."""
        stored = self._store.picture(row.version)
        if stored is not None and version_of(stored) == row.version:
            return stored
        try:
            data = FileBytes(path_of(row.uri))()
            if version_of(data) == row.version:
                return data
        except (ValueError, OSError, BadMedia):
            pass
        if stored is None:
            raise BadMedia(SkipReason.MISSING, "no picture is stored, and its file is gone or has changed")
        return stored

    def _source(self, spec: Spec, exclude: Sequence[str]) -> Source:
        at = self.settings
        return open_source(spec, exclude=exclude, offline=at.offline, allow_private_urls=at.allow_private_urls)

    def _only_item(self, path: str | os.PathLike[str], text: str) -> Item:
        items = [one for one in open_source(path) if not isinstance(one, Skipped)]
        if len(items) != 1:
            raise SourceError(f"{os.fspath(path)} holds {len(items)} items; one picture was expected")
        return replace(items[0], text=text or items[0].text)
