"""`hf:` sources: data sets of the hub, streamed through `datasets` row by row; nothing is unpickled, run or decoded.

    hf:OWNER/NAME[@REVISION][:SPLIT][?image=COLUMN&text=COLUMN&config=NAME]

Without a split all of them are read, without columns they are found by name and type. The revision is resolved to a
commit, which is part of every uri: a row cannot change under its uri, so a second run reads captions only.
Try it: `python -c "from sightline.sources import open_source; print(next(iter(open_source('hf:OWNER/NAME'))))"`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from sightline import hub
from sightline.errors import HubError, MissingExtra, SightlineError, SourceError
from sightline.schema import Item, Skipped, SkipReason
from sightline.sources import Columns, NotRead, rows_of

READABLE = ("parquet", "arrow")
"""The builders of `datasets` that give rows with bytes. Others decode, unpack or unpickle on their own."""

_SPEC = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?::(?P<split>[\w.-]+))?(?:\?(?P<options>.+))?", re.ASCII
)
_GRAMMAR = "hf:OWNER/NAME[@REVISION][:SPLIT][?image=COLUMN&text=COLUMN&config=NAME]"
_BATCH = 16
_LOOKED_UP = 256
_SMALL_READS = 2**16  # bytes read ahead where only captions are wanted; the default of 5 MiB reads the pictures too


@dataclass(slots=True)
class HubSet:
    """A data set of the hub. `settled` is bound by an ingest: whether all of these uris are dealt with already.

    Raises, while iterating, what `hub.snapshot` raises, and SourceError when the data set has no such split or column
    or is of a kind that is not read.
    """

    repo: str
    split: str | None = None
    revision: str | None = None
    image: str | None = None
    text: str | None = None
    config: str | None = None
    offline: bool = False
    settled: Callable[[Sequence[str]], bool] | None = None
    unlisted: list[str] = field(default_factory=list)
    _commit: str = ""

    @classmethod
    def of(cls, spec: str, *, offline: bool = False) -> HubSet:
        """From what stands behind `hf:`. Raises SourceError for another grammar, MissingExtra without `datasets`."""
        match = _SPEC.fullmatch(spec)
        options = dict(parse_qsl(match["options"] or "", keep_blank_values=True)) if match else {}
        if match is None or not all(options.values()) or set(options) - {"image", "text", "config"}:
            raise SourceError(f"hf:{spec} cannot be read as a data set", hint=f"expected {_GRAMMAR}")
        _check_installed()
        return cls(match["repo"], match["split"], match["revision"], **options, offline=offline)

    @property
    def roots(self) -> tuple[str, ...]:
        """Without a split, the rows of former commits belong to this source too: --prune removes them."""
        if self.split is None and self.config is None:
            return (f"hf:{self.repo}@",)
        return (f"hf:{self.repo}@{self._commit}/{self._place(self.split)}",) if self._commit and self.split else ()

    def __iter__(self) -> Iterator[Item | Skipped]:
        self.unlisted.clear()
        self._commit = hub.snapshot(self.repo, kind="dataset", revision=self.revision, offline=self.offline).commit
        rows = 0
        with _told(self.repo):
            builder = self._builder()
            whole = self._streams(builder)
            columns = Columns.of(_schema(next(iter(whole.values()))), image=self.image, text=self.text)
            captions = self._captions(builder, columns)
            for split, stream in whole.items():
                listed = yield from self._settled_rows(split, captions.get(split), columns)
                rows += listed.count
                if not listed.whole:
                    for entry in self._unread_rows(split, stream, captions.get(split), columns, listed.count):
                        rows += 1
                        yield entry
        if not rows:
            raise SourceError(f"hf:{self.repo} has no rows", hint=f"expected {_GRAMMAR}")

    def _settled_rows(self, split: str, captions: Any, columns: Columns) -> Generator[Item, None, _Listed]:
        """The first rows, without their pictures, for as long as the ingest has dealt with all of a chunk."""
        number = 0
        if captions is None or self.settled is None or not self.settled([self._uri(split, 0)]):
            return _Listed(0, False)
        light = replace(columns, image="")
        for batch in captions.with_format("arrow").iter(_LOOKED_UP):
            if not self.settled([self._uri(split, number + i) for i in range(batch.num_rows)]):
                return _Listed(number, False)
            for row in rows_of(batch, light.names[1:]):
                if "" in row:  # a value that cannot be had: the whole row has to be looked at
                    return _Listed(number, False)
                uri, name = self._uri(split, number), self._name(split, number)
                yield Item(uri, name, NotRead(uri), light.text(row), meta=light.meta(row), fixed=True, keep="original")
                number += 1
        return _Listed(number, True)

    def _unread_rows(
        self, split: str, stream: Any, captions: Any, columns: Columns, begin: int
    ) -> Iterator[Item | Skipped]:
        pieces, first = _from_row(begin, stream, captions) if begin else ([stream], 0)
        rows = (
            row
            for piece in pieces
            for batch in piece.select_columns(columns.names).with_format("arrow").iter(_BATCH)
            for row in rows_of(batch, columns.names)
        )
        for number, row in enumerate(rows, first):
            if number < begin:
                continue
            entry = columns.entry(row, self._uri(split, number), self._name(split, number), mtime_ns=None)
            if isinstance(entry, Item):
                yield replace(entry, fixed=True)
            else:  # what this commit does not hold it will never hold
                yield replace(entry, reason=SkipReason.EMPTY) if entry.reason == SkipReason.MISSING else entry

    def _captions(self, builder: Any, columns: Columns) -> dict[str, Any]:
        """Split -> rows without pictures; {} where files cannot be read by column, or hold nothing but pictures."""
        names = [name for name in columns.names if name != columns.image]
        if _kind(builder) != "parquet" or not names:
            return {}
        return self._streams(self._builder(columns=names, storage_options={"hf": {"block_size": _SMALL_READS}}))

    def _builder(self, **options: Any) -> Any:
        builder = _library().load_dataset_builder(
            f"hf://datasets/{self.repo}", self.config, revision=self._commit, **options
        )
        if _kind(builder) not in READABLE:
            raise SourceError(
                f"hf:{self.repo} is kept as {_kind(builder)}; {' and '.join(READABLE)} files are read",
                hint=f"the hub's own conversion may do: hf:{self.repo}@refs/convert/parquet",
            )
        return builder

    def _streams(self, builder: Any) -> dict[str, Any]:
        """Split -> all of its rows, in the data set's order."""
        streams = dict(builder.as_streaming_dataset())
        if self.split is None:
            return streams
        if self.split not in streams:
            raise SourceError(f"hf:{self.repo} has no split '{self.split}'", hint=f"it has {', '.join(streams)}")
        return {self.split: streams[self.split]}

    def _place(self, split: str | None) -> str:
        return f"{self.config}/{split}/" if self.config else f"{split}/"

    def _uri(self, split: str, row: int) -> str:
        return f"hf:{self.repo}@{self._commit}/{self._place(split)}{row}"

    def _name(self, split: str, row: int) -> str:
        return f"{self.repo}/{self._place(split)}{row}"


@dataclass(frozen=True, slots=True)
class _Listed:
    """How many rows were listed without their bytes, and whether they are all of the split."""

    count: int
    whole: bool


def _from_row(begin: int, stream: Any, captions: Any) -> tuple[list[Any], int]:
    """The row groups of `stream` from the one with row `begin` on, and that one's first row.

    Counted in the same row groups of `captions`, so that no picture is read on the way.
    """
    stream, captions = stream.reshard(), captions.reshard()
    first = 0
    for i in range(captions.num_shards):
        count = sum(batch.num_rows for batch in captions.shard(captions.num_shards, i).with_format("arrow").iter(1024))
        if first + count > begin:
            return [stream.shard(stream.num_shards, j) for j in range(i, stream.num_shards)], first
        first += count
    return [], first


def _kind(builder: Any) -> str:
    return type(builder).__module__.rsplit(".", 1)[-1]


def _schema(stream: Any) -> Any:
    if stream.features is not None:
        return stream.features.arrow_schema
    return next(stream.with_format("arrow").iter(1)).schema


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("datasets") is None:
        raise MissingExtra("hf", "reading data sets of the hub")


def _library() -> Any:
    """`datasets`, with the patience of `hub.py` instead of its own (up to twenty minutes) and without its bars."""
    import datasets

    settings = datasets.config
    settings.STREAMING_READ_MAX_RETRIES = settings.STREAMING_OPEN_MAX_RETRIES = hub.TRIES
    settings.STREAMING_READ_RETRY_INTERVAL = settings.STREAMING_OPEN_RETRY_INTERVAL = 2 * hub.WAIT
    settings.STREAMING_READ_SERVER_UNAVAILABLE_RETRY_INTERVAL = 4 * hub.WAIT
    settings.STREAMING_READ_RATE_LIMIT_RETRY_INTERVAL = 8 * hub.WAIT
    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)
    return datasets


@contextmanager
def _told(repo: str) -> Iterator[None]:
    """Whatever `datasets`, pyarrow and the network raise becomes one line. What was yielded before stays good."""
    try:
        with hub.translated(repo):
            yield
    except HubError as error:
        raise type(error)(f"hf:{repo}: {error}", hint=f"{error.hint}; what was added is kept") from None
    except SightlineError:
        raise
    except Exception as error:  # data sets of strangers raise anything
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(f"hf:{repo} cannot be read: {said}", hint=f"expected {_GRAMMAR}") from None
