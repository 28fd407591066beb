"""read_texts(): the rows whose pictures nobody has read -> the text that they show, in the rows. Encodes nothing.

Pictures are decoded in limited child processes as in an ingest (decisions/0005) and read beside that in a few threads;
the driver is the only writer. Commits come every few seconds: kill it at any point and the next run goes on. The same
bytes are read once. A picture that cannot be read is marked so and never stops a run.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline import index, texts
from sightline.decoding import Decoders, Preparation, take_apart
from sightline.errors import BadMedia, NoDecoder
from sightline.executors import TakeApart
from sightline.ocr import TARGET, Reader, shrunk
from sightline.reports import OcrReport, Progress
from sightline.schema import Modality, Reading, Skipped, SkipReason
from sightline.store import Store
from sightline.texts import Unread

READABLE = frozenset({Modality.IMAGE, Modality.VIDEO})
CHUNK = 256
"""Rows looked up in the store at once."""
COMMIT_ROWS, COMMIT_SECONDS = 512, 5.0
AHEAD = 2
"""Pictures under way for each reader."""
MOST_READERS = 2
"""Each needs up to 1 GB for a large picture (measured: docs/ocr.md); with more cores they get more threads each."""

PASSING = frozenset({SkipReason.UNREADABLE, SkipReason.MISSING, SkipReason.FETCH_FAILED})
"""Reasons that may pass without the picture changing: such rows stay unread, and every run tries them again."""


def read_texts(
    store: Store,
    make_reader: Callable[[int], Reader],
    *,
    picture: Callable[[Unread], bytes],
    among: Callable[[Sequence[str]], NDArray[np.bool_]] | None = None,
    threads: int | None = None,
    isolate: bool = os.name == "posix",
    retry: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> OcrReport:
    """Read what nobody has read, of the rows that `among` (ids -> which of them) picks; None: of all.

    `make_reader` gets the number of threads that one reader may use, and is called once for each of at most
    MOST_READERS. `picture` gives a row's bytes, as large as there are, or raises BadMedia or OSError. `retry` also
    tries what could not be read before. `progress` is told after each commit: `seen` of `listed` are done. Raises
    MissingExtra and CorruptModel of the reader, NoDecoder, CollectionLocked; what was committed before stays.
    """
    store.rows.read(lambda table: table.checkout_latest())  # what others have read by now is not read again
    rows = list(texts.unread(store, modalities=READABLE, retry=retry))
    if among is not None and rows:
        rows = [rows[i] for i in np.flatnonzero(among([row.id for row in rows]))]
    run = _Run(store, len(rows), progress)
    if not rows:
        return run.report()
    cores = threads or os.cpu_count() or 1
    count = min(cores, MOST_READERS)
    preparation = Preparation(shrunk, TARGET)
    children = Decoders(preparation, count) if isolate else None
    decode: TakeApart = children.take_apart if children else partial(take_apart, preparation=preparation)
    work = _Work(partial(make_reader, max(1, cores // count)), picture, decode)
    pool = ThreadPoolExecutor(count, "sightline-read")
    under_way: deque[Future[_Outcome]] = deque()
    with closing(children) if children else nullcontext():
        try:
            for row in run.plan(rows):
                under_way.append(pool.submit(work, row))
                while len(under_way) > AHEAD * count or (under_way and under_way[0].done()):
                    run.take(under_way.popleft().result())
            while under_way:
                run.take(under_way.popleft().result())
        except KeyboardInterrupt:
            run.commit()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    run.commit()
    index.keep_up(store)
    return run.report()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one picture: `reading`, or `skip` with why there is none; with both it is marked as failed."""

    row: Unread
    reading: Reading | None
    skip: Skipped | None = None


class _Work:
    """Called in the reading threads, each of which makes its own reader. Never raises for what a picture does to it."""

    def __init__(
        self, make_reader: Callable[[], Reader], picture: Callable[[Unread], bytes], decode: TakeApart
    ) -> None:
        self._make_reader, self._picture, self._decode = make_reader, picture, decode
        self._making = threading.Lock()
        self._mine = threading.local()

    def __call__(self, row: Unread) -> _Outcome:
        reader = self._reader()
        try:
            parts = self._decode(self._picture(row), preview=False)
            return _Outcome(row, reader.read(Image.fromarray(parts.prepared)))
        except NoDecoder:
            raise
        except Exception as error:  # libraries raise what they like; one picture never stops a run
            skip = _skip_for(row, error)
            failed = None if skip.reason in PASSING else Reading(reader.engine, failed=f"{skip.reason}: {skip.detail}")
            return _Outcome(row, failed, skip)

    def _reader(self) -> Reader:
        if not hasattr(self._mine, "reader"):
            with self._making:  # imports and loggers of the library are set up by the first
                self._mine.reader = self._make_reader()
        reader: Reader = self._mine.reader
        return reader


@dataclass(slots=True)
class _Run:
    """What waits for the next commit, and which bytes are being read for whom."""

    store: Store
    total: int
    progress: Callable[[Progress], None] | None
    started: float = field(default_factory=time.monotonic)
    read: int = 0
    with_text: int = 0
    failed: list[Skipped] = field(default_factory=list)
    done: int = 0
    _busy: dict[str, list[Unread]] = field(default_factory=dict)  # version -> all rows that wait for it
    _rows: list[Unread] = field(default_factory=list)
    _texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    _last_commit: float = field(default_factory=time.monotonic)
    _indexed: bool = False

    def plan(self, rows: list[Unread]) -> Iterator[Unread]:
        """One row for each content that has to be read; what another row has the reading of is settled on the way."""
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            shared = texts.readings(self.store, sorted({row.version for row in chunk}))
            for row in chunk:
                if row.version in self._busy:
                    self._busy[row.version].append(row)
                elif known := shared.get(row.version) or self._texts.get(row.version):
                    self._put([row], known)
                else:
                    self._busy[row.version] = [row]
                    yield row
            self._commit_if_due()

    def take(self, outcome: _Outcome) -> None:
        rows = self._busy.pop(outcome.row.version)
        if outcome.skip:
            self.failed += [Skipped(row.uri, outcome.skip.reason, outcome.skip.detail) for row in rows]
        if outcome.reading:
            self._put(rows, (outcome.reading.text, outcome.reading.dumps()), failed=outcome.skip is not None)
        else:
            self.done += len(rows)
        self._commit_if_due()

    def commit(self) -> None:
        """Write what waits. Everything counted by `progress` afterwards survives a kill."""
        texts.put(self.store, self._rows, self._texts)
        if not self._indexed and any(text for text, _ in self._texts.values()):
            index.tend(self.store)  # the first text is found at once, not when all is read
            self._indexed = True
        self._rows.clear()
        self._texts.clear()
        self._last_commit = time.monotonic()
        if self.progress:
            self.progress(Progress(self.done, self.read, 0, len(self.failed), listed=self.total, reading=True))

    def report(self) -> OcrReport:
        return OcrReport(self.read, self.with_text, tuple(self.failed), time.monotonic() - self.started)

    def _put(self, rows: list[Unread], found: tuple[str, str], *, failed: bool = False) -> None:
        self._rows += rows
        self._texts[rows[0].version] = found
        self.done += len(rows)
        if not failed:
            self.read += len(rows)
            self.with_text += len(rows) if found[0] else 0

    def _commit_if_due(self) -> None:
        late = time.monotonic() - self._last_commit > COMMIT_SECONDS
        if len(self._rows) >= COMMIT_ROWS or (late and self._rows):
            self.commit()


def _skip_for(row: Unread, error: Exception) -> Skipped:
    if isinstance(error, BadMedia):
        return Skipped(row.uri, SkipReason(error.reason), str(error))
    if isinstance(error, OSError):
        return Skipped(row.uri, SkipReason.UNREADABLE, error.strerror or str(error))
    if isinstance(error, MemoryError):
        return Skipped(row.uri, SkipReason.TOO_LARGE, "needs more memory than there is")
    return Skipped(row.uri, SkipReason.UNDECODABLE, f"not read: {type(error).__name__}: {str(error)[:200]}")
