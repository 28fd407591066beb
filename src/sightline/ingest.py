"""ingest(): source -> what is missing -> worker (decode, encode) -> store. Bad items are values, not exceptions.

The driver is the only writer. Each commit is whole and on the disk; kill the process at any point and the next run goes
on from the last one, nothing twice, nothing lost. Knows sources, executors and the store, not the encoder.

What happens to an item (DESIGN: "Decisions", Re-run and Rename): same size and mtime -> unchanged, its bytes are not
read; else hashed; same hash -> only the time is stored; a hash that another row has -> its encoding is used again, and
if that row's file is gone the row moves; else it is decoded and encoded.
"""

from __future__ import annotations

import itertools
import json
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline import index
from sightline.errors import CollectionError
from sightline.executors import Executor, Worker, skip_for
from sightline.presence import Presence
from sightline.reports import IngestReport, OcrReport, Progress
from sightline.rows import Known, amended, dump_meta
from sightline.schema import Encoded, Item, Manifest, Modality, Skipped, SkipReason, item_id, version_of
from sightline.sources import Fixed, Source, still_there
from sightline.store import Store

CHUNK = 256
"""Items looked up in the store at once."""
COMMIT_ROWS, COMMIT_BYTES, COMMIT_SECONDS = 512, 32 * 2**20, 5.0
"""A commit costs about 10 ms of fsync and one version; what is not committed is done again after a kill."""
MOST_PRUNED = 0.2

TRANSIENT = frozenset({SkipReason.UNREADABLE, SkipReason.MISSING, SkipReason.FETCH_FAILED})
"""Reasons that may pass without the file changing: such items are tried again by every run."""

RENAMED_FROM = "renamed_from"
"""Key in `meta` of a row that moved: its captions were found under the old name, so their absence now means nothing."""


Among: TypeAlias = Callable[[Sequence[str]], NDArray[np.bool_]]
"""Which of some ids are meant."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to ingest. `limit`: stop after so many items. `dry_run`: look and count, write nothing."""

    prune: bool = False
    yes: bool = False
    rehash: bool = False
    retry: bool = False
    limit: int | None = None
    dry_run: bool = False


def ingest(
    store: Store,
    manifest: Manifest,
    sources: Sequence[Source],
    make_worker: Callable[[], Worker],
    *,
    executor: Executor,
    batch_size: int = 16,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
    read: Callable[[Among], OcrReport] | None = None,
) -> IngestReport:
    """Bring a collection up to date with `sources`; the report says what that took.

    `read` is called at the end, to read the text in those pictures that the listing saw.
    Raises SourceError when a source is missing or empty, CollectionError when pruning is refused, CollectionLocked when
    another writer does not let go. What was committed before an error stays.
    """
    run = _Run(store, manifest, sources, options or Options(), progress)
    try:
        for outcome in executor.map(make_worker, run.batches(batch_size)):
            run.take(outcome)
    except KeyboardInterrupt:
        run.commit()
        raise
    run.commit()
    run.settle()
    return run.report(read(run.saw) if read and store.exists else None)


@dataclass(frozen=True, slots=True)
class Content:
    """What decides a vector: the bytes, and as what they are read. Items alike in both share one encoding."""

    version: str
    modality: Modality


@dataclass(frozen=True, slots=True)
class _Hashed:
    item: Item
    content: Content
    size: int


@dataclass(slots=True)
class _Run:
    """The state of one ingest: what was seen, what waits for the next commit, what is in the encoder."""

    store: Store
    manifest: Manifest
    sources: Sequence[Source]
    options: Options
    progress: Callable[[Progress], None] | None
    started: float = field(default_factory=time.monotonic)
    counts: dict[str, int] = field(default_factory=dict)
    skips: list[Skipped] = field(default_factory=list)
    missing: int = 0
    removed: int = 0
    committed: int = 0
    _seen: array[int] = field(default_factory=lambda: array("Q"))
    _busy: dict[str, Content] = field(default_factory=dict)  # id -> content, from the encoder's door to the commit
    _twins: dict[Content, list[Item]] = field(default_factory=dict)  # content in the encoder -> items waiting for it
    _claimed: set[str] = field(default_factory=set)  # ids whose row moves with the next commit
    _known: dict[str, Known] = field(default_factory=dict)  # rows that are being replaced
    _rows: list[Encoded] = field(default_factory=list)
    _added: list[datetime | None] = field(default_factory=list)
    _amends: list[Known] = field(default_factory=list)
    _new_skips: list[Skipped] = field(default_factory=list)
    _fresh: dict[Content, Encoded] = field(default_factory=dict)  # content -> row that waits for the commit
    _once_skipped: set[str] = field(default_factory=set)  # uris that an earlier run could not use
    _bytes: int = 0
    _last_commit: float = field(default_factory=time.monotonic)
    _presence: Presence = field(init=False)

    def __post_init__(self) -> None:
        self._presence = Presence(self.store)

    # -- planning -----------------------------------------------------------------------------------------------

    def batches(self, size: int) -> Iterator[list[Item]]:
        """The items that have to be encoded, in batches of `size`; everything else is settled on the way."""
        listing: Iterable[Item | Skipped] = itertools.chain.from_iterable(map(self._listed, self.sources))
        if self.options.limit is not None:
            listing = itertools.islice(listing, self.options.limit)
        entries = iter(listing)
        todo: list[Item] = []
        with ThreadPoolExecutor(thread_name_prefix="sightline-hash") as pool:
            while chunk := list(itertools.islice(entries, CHUNK)):
                todo += self._plan(chunk, pool)
                while len(todo) >= size:
                    batch, todo = todo[:size], todo[size:]
                    yield batch
                self._commit_if_due()
        if todo:
            yield todo

    def _listed(self, source: Source) -> Iterator[Item | Skipped]:
        if not isinstance(source, Fixed):
            yield from source
            return
        source.settled = self._settled
        try:
            yield from source
        finally:
            source.settled = None  # somebody else may list it, and wants the bytes

    def _plan(self, chunk: list[Item | Skipped], pool: ThreadPoolExecutor) -> list[Item]:
        for entry in chunk:
            if isinstance(entry, Skipped):
                self._skip(entry)
        items = {entry.id: entry for entry in chunk if isinstance(entry, Item) and entry.id not in self._busy}
        self._seen.extend(_short(ident) for ident in items)
        known = self.store.known(self._presence.ids(list(items))) if self.store.exists else {}
        remembered = self.store.skipped([item.uri for item in items.values()])
        again = self.options.retry or self.options.rehash

        unclear: list[Item] = []
        for ident, item in items.items():
            before, refused = known.get(ident), remembered.get(item.uri)
            if refused:
                self._once_skipped.add(item.uri)
            if refused and not again and _same_file(item, refused):
                self.skips.append(refused)
            elif before and not self.options.rehash and _same_file(item, before):
                self._unchanged(item, before)
            else:
                unclear.append(item)
        hashed: list[_Hashed] = []
        for result in pool.map(_hash, unclear):
            if isinstance(result, Skipped):
                self._skip(result)
            else:
                hashed.append(result)
        return self._sort_out(hashed, known)

    def _settled(self, uris: Sequence[str]) -> bool:
        """Whether each is a row already, or was refused for good, and nobody asked to look again."""
        if self.options.rehash or not self.store.exists:
            return False
        rows = self.store.known(self._presence.ids([item_id(uri) for uri in uris]))
        refused = {} if self.options.retry else self.store.skipped(list(uris))
        return all(item_id(uri) in rows or uri in refused for uri in uris)

    def _sort_out(self, hashed: list[_Hashed], known: dict[str, Known]) -> list[Item]:
        """Settle what needs no encoder: same bytes as before, moved, or the same bytes as another row."""
        changed = {h.content.version for h in hashed if _content(known.get(h.item.id)) != h.content}
        twins = self.store.by_version(self._presence.contents(sorted(changed))) if self.store.exists else {}
        todo: list[Item] = []
        reuse: list[tuple[_Hashed, Known, bool]] = []
        for one in hashed:
            item, before = one.item, known.get(one.item.id)
            if before and _content(before) == one.content:
                self._unchanged(item, before)
                continue
            self._count("updated" if before else "added")
            if before:
                self._known[item.id] = before
            rows = [row for row in twins.get(one.content.version, ()) if _content(row) == one.content]
            if one.content in self._twins:
                self._twins[one.content].append(item)
            elif one.content in self._fresh:
                self._put(replace(self._fresh[one.content], item=item, picture=None))
            elif rows:
                gone = None if before else next((row for row in rows if self._is_gone(row, item)), None)
                if gone:
                    self._claimed.add(gone.id)
                    self._count("added", -1)
                    self._count("renamed")
                reuse.append((one, gone or rows[0], gone is not None))
            else:
                self._twins[one.content] = []
                self._busy[item.id] = one.content
                todo.append(item)
        self._reuse(reuse)
        if self.options.dry_run:
            self._twins.clear()
            self._busy.clear()
            return []
        return todo

    def _reuse(self, pairs: list[tuple[_Hashed, Known, bool]]) -> None:
        if self.options.dry_run:
            return
        encodings = self.store.encodings([row.id for _, row, _ in pairs])
        for one, row, moved in pairs:
            item, old = one.item, encodings[row.id]
            if moved:
                meta = {**old.item.meta, **item.meta, RENAMED_FROM: row.uri}
                item = replace(item, text=item.text or row.text, meta=meta)
            kept = replace(old, item=item, version=one.content.version, size=one.size, picture=None)
            self._put(kept, row.added_at if moved else None)

    def _is_gone(self, row: Known, item: Item) -> bool:
        """Whether `row` is the place that `item` has moved from: under one root with it, and no longer there."""
        together = any(
            row.uri.startswith(root) and item.uri.startswith(root) for source in self.sources for root in source.roots
        )
        return together and row.id not in self._claimed and not still_there(row.uri)

    def _unchanged(self, item: Item, before: Known) -> None:
        stored = json.loads(before.meta)
        if RENAMED_FROM in stored:
            item = replace(item, text=item.text or before.text, meta={**stored, **item.meta})
        if item.text != before.text or dump_meta(item) != before.meta:
            self._count("updated")
            self._amends.append(amended(before, item))
        else:
            self._count("unchanged")
            if not _same_file(item, before):
                self._amends.append(amended(before, item))

    # -- results ------------------------------------------------------------------------------------------------

    def take(self, outcome: Encoded | Skipped) -> None:
        """Accept what the executor gives back, and commit when it is time."""
        if isinstance(outcome, Skipped):
            self._refused(outcome)
        else:
            self._count("encoded")
            self._put(outcome)
            content = Content(outcome.version, outcome.item.modality)
            self._fresh[content] = outcome
            for twin in self._twins.pop(self._busy.get(outcome.item.id, content), []):
                self._put(replace(outcome, item=twin, picture=None))
        self._commit_if_due()

    def _refused(self, skip: Skipped) -> None:
        """A planned item turned out unusable: so are the items with the same bytes."""
        ident = item_id(skip.uri)
        content = self._busy.pop(ident, None)
        twins = self._twins.pop(content, []) if content else []
        for uri, size, mtime in [
            (skip.uri, skip.size, skip.mtime_ns),
            *((twin.uri, twin.size, twin.mtime_ns) for twin in twins),
        ]:
            self._count("updated" if item_id(uri) in self._known else "added", -1)
            self._known.pop(item_id(uri), None)
            self._skip(replace(skip, uri=uri, size=size, mtime_ns=mtime))

    def _put(self, row: Encoded, added_at: datetime | None = None) -> None:
        before = self._known.get(row.item.id)
        self._rows.append(row)
        self._added.append(added_at or (before.added_at if before else None))
        self._bytes += len(row.picture or b"") + len(row.thumbnail) + row.vector.nbytes

    def _skip(self, skip: Skipped) -> None:
        self.skips.append(skip)
        if skip.reason not in TRANSIENT:
            self._new_skips.append(skip)

    def _commit_if_due(self) -> None:
        late = time.monotonic() - self._last_commit > COMMIT_SECONDS
        waiting = len(self._rows) + len(self._amends)
        if waiting >= COMMIT_ROWS or self._bytes >= COMMIT_BYTES or (late and waiting):
            self.commit()

    def commit(self) -> None:
        """Write what waits. Everything counted by `progress` afterwards survives a kill."""
        if not self.options.dry_run:
            if self._rows and not self.store.exists:
                self.store.create(self.manifest)
                index.tend(self.store)  # full text speaks every language from the first row on
            self.store.upsert(self._rows, added=self._added, gone=sorted(self._claimed))
            self.store.amend(self._amends)
            if self.store.exists:
                self.store.remember_skipped(self._new_skips)
                self.store.forget_skipped([r.item.uri for r in self._rows if r.item.uri in self._once_skipped])
        self.committed += len(self._rows) + len(self._amends)
        for row in self._rows:
            self._busy.pop(row.item.id, None)
            self._known.pop(row.item.id, None)
        for waiting in (self._rows, self._added, self._amends):
            waiting.clear()
        self._fresh.clear()
        if self.store.exists:
            self._new_skips.clear()
        self._claimed.clear()
        self._bytes = 0
        self._last_commit = time.monotonic()
        if self.progress:
            self.progress(Progress(len(self._seen), self.committed, self._total("encoded"), len(self.skips)))

    def saw(self, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Which of these ids this listing has seen."""
        shorts = np.fromiter(map(_short, ids), np.uint64, len(ids))
        return np.isin(shorts, np.frombuffer(self._seen, np.uint64))

    # -- the end ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Count, and with `prune` remove, the rows under the roots that this listing did not see; tend the index."""
        if not self.store.exists:
            return
        roots = sorted({root for source in self.sources for root in source.roots})
        roots = [root for i, root in enumerate(roots) if not any(root.startswith(outer) for outer in roots[:i])]
        unlisted = [place for source in self.sources for place in source.unlisted]
        if roots and not unlisted and self.options.limit is None:
            self._settle_missing(roots)
        elif self.options.prune:
            why = f"could not list {unlisted[0]}" if unlisted else "these sources have no folder of their own"
            raise CollectionError(
                f"nothing was pruned: {why}", hint="mend that and run again with --prune; what was added is kept"
            )
        if not self.options.dry_run:
            index.keep_up(self.store)

    def _settle_missing(self, roots: list[str]) -> None:
        seen = np.unique(np.frombuffer(self._seen, np.uint64))
        missing: list[str] = []
        total = 0
        for root in roots:
            for chunk in self.store.ids(under=root):
                total += len(chunk)
                shorts = np.fromiter((_short(ident) for ident, _ in chunk), np.uint64, len(chunk))
                missing += [chunk[i][0] for i in np.flatnonzero(~np.isin(shorts, seen))]
        self.missing = len(missing)
        if not self.options.prune or not missing:
            return
        if len(missing) > MOST_PRUNED * total and not self.options.yes:
            raise CollectionError(
                f"nothing was pruned: {len(missing)} of {total} rows are no longer in their source, which is more than "
                f"{MOST_PRUNED:.0%}",
                hint="if that is meant, run again with --prune --yes; what was added is kept",
            )
        if not self.options.dry_run:
            self.removed = sum(self.store.remove(missing[i : i + CHUNK]) for i in range(0, len(missing), CHUNK))
            self.missing -= self.removed

    def report(self, ocr: OcrReport | None) -> IngestReport:
        return IngestReport(
            address=str(self.store.address),
            model=self.manifest.encoder,
            added=self._total("added"),
            updated=self._total("updated"),
            unchanged=self._total("unchanged"),
            renamed=self._total("renamed"),
            removed=self.removed,
            missing=self.missing,
            encoded=self._total("encoded"),
            skipped=tuple(self.skips),
            seconds=time.monotonic() - self.started,
            rows=len(self.store) if self.store.exists else 0,
            notices=tuple(self.store.notices),
            ocr=ocr,
        )

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    def _total(self, what: str) -> int:
        return self.counts.get(what, 0)


def _hash(item: Item) -> _Hashed | Skipped:
    """The item's content hash. Its bytes are let go: what has to be decoded is read again, from the page cache."""
    try:
        data = item.read()
    except Exception as error:  # a source's own read may raise anything; one item never stops a run
        return skip_for(item, error)
    return _Hashed(item, Content(version_of(data), item.modality), len(data))


def _same_file(item: Item, before: Known | Skipped) -> bool:
    """Same size and modification time, both known: taken for the same bytes without reading them."""
    return item.fixed or (
        item.size is not None
        and item.mtime_ns is not None
        and item.size == before.size
        and item.mtime_ns == before.mtime_ns
    )


def _content(before: Known | None) -> Content | None:
    return None if before is None else Content(before.version, before.modality)


def _short(ident: str) -> int:
    """The first 64 bits of an id: eight bytes a row are enough to know what a listing saw."""
    return int(ident[:16], 16)
