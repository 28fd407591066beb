"""Where decoding and encoding run. An executor turns batches of items into encoded rows, a bounded window ahead.

`LocalExecutor` decodes ahead, in limited processes where it can, while the batch before is in the encoder. Others (a
cluster) fit the same protocol; that is why a worker is made by a picklable call in the process that uses it.
"""

from __future__ import annotations

import functools
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

from sightline.decoding import Decoders, Parts, Preparation, take_apart
from sightline.encoders import Encoder, PortableEncoder, PreparingEncoder
from sightline.errors import BadMedia, BadVectors, NoDecoder
from sightline.schema import Encoded, Item, Place, Skipped, SkipReason, version_of

Outcome: TypeAlias = Encoded | Skipped


class Executor(Protocol):
    def map(self, make_worker: Callable[[], Worker], batches: Iterable[list[Item]]) -> Iterator[Outcome]:
        """One outcome per item, batch by batch in order; takes at most a few batches before it yields."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """A decoded item on its way to the encoder. `prepared` is what the encoder takes: pixels or an RGB image."""

    item: Item
    version: str
    size: int
    prepared: Any
    thumbnail: bytes
    picture: bytes | None
    width: int
    height: int
    captured_at: datetime | None
    camera: str
    place: Place | None


class TakeApart(Protocol):
    def __call__(self, data: bytes, *, preview: bool) -> Parts: ...


class Worker:
    """Loads in any number of threads, encodes in one. `keep` (original, preview, none) overrules the items' own.

    `take_apart` decodes; an executor may put one in its place that does so elsewhere.
    """

    def __init__(self, encoder: Encoder, *, keep: str | None = None) -> None:
        self.encoder = encoder
        self.keep = keep
        own = (
            Preparation(encoder.prepare_image, encoder.image_target) if isinstance(encoder, PreparingEncoder) else None
        )
        self.take_apart: TakeApart = functools.partial(take_apart, preparation=own)

    def load(self, item: Item) -> Loaded | Skipped:
        """Read, hash and decode one item. Never raises for what a file can do to it."""
        if item.modality not in self.encoder.modalities:
            detail = f"{self.encoder.name} encodes no {item.modality.value}"
            return skipped(item, SkipReason.UNSUPPORTED_MODALITY, detail)
        try:
            data = item.read()
            return self._loaded(item, data)
        except NoDecoder:
            raise
        except Exception as error:  # a source's own read may raise anything; one item never stops a run
            return skip_for(item, error)

    def encode(self, batch: Sequence[Loaded]) -> list[Outcome]:
        """Rows in the order of `batch`; a picture that gets no usable vector becomes Skipped, its neighbours do not."""
        if not batch:
            return []
        try:
            vectors = self._vectors([loaded.prepared for loaded in batch])
        except BadVectors as error:
            if len(batch) == 1:
                return [skipped(batch[0].item, SkipReason.BAD_VECTOR, str(error))]
            return [outcome for loaded in batch for outcome in self.encode([loaded])]
        return [
            Encoded(
                item=loaded.item,
                version=loaded.version,
                size=loaded.size,
                vector=vectors[i],
                thumbnail=loaded.thumbnail,
                picture=loaded.picture,
                width=loaded.width,
                height=loaded.height,
                captured_at=loaded.captured_at,
                camera=loaded.camera,
                place=loaded.place,
            )
            for i, loaded in enumerate(batch)
        ]

    def _loaded(self, item: Item, data: bytes) -> Loaded:
        keep = self.keep or item.keep
        parts = self.take_apart(data, preview=keep == "preview")
        return Loaded(
            item=item,
            version=version_of(data),
            size=len(data),
            prepared=parts.prepared,
            thumbnail=parts.thumbnail,
            picture=parts.preview if keep == "preview" else data if keep == "original" else b"",
            width=parts.width,
            height=parts.height,
            captured_at=parts.captured_at or _file_time(item),
            camera=parts.camera,
            place=parts.place,
        )

    def _vectors(self, prepared: list[Any]) -> Any:
        if isinstance(self.encoder, PreparingEncoder):
            return self.encoder.encode_prepared(prepared)
        return self.encoder.encode_image(prepared)


class LocalExecutor:
    """This machine: `threads` decode (default: one per core), one feeds the encoder, `ahead` batches are under way.

    With `isolate` pictures are decoded in limited child processes, one per thread, which stay for the next call. That
    needs an encoder whose preparation can be sent there (`PortableEncoder`); any other decodes in the threads.
    """

    def __init__(self, *, threads: int | None = None, ahead: int = 2, isolate: bool = os.name == "posix") -> None:
        self.threads = threads or os.cpu_count() or 1
        self.ahead = ahead
        self.isolate = isolate
        self._decoders: dict[str, Decoders] = {}  # by fingerprint: an encoder's preparation is part of it

    def map(self, make_worker: Callable[[], Worker], batches: Iterable[list[Item]]) -> Iterator[Outcome]:
        worker = make_worker()
        if self.isolate and isinstance(worker.encoder, PortableEncoder):
            worker.take_apart = self._children(worker.encoder).take_apart
        under_way: deque[Future[list[Outcome]]] = deque()
        decoders = ThreadPoolExecutor(self.threads, "sightline-decode")
        encoders = ThreadPoolExecutor(1, "sightline-encode")
        try:
            for batch in batches:
                loads = [decoders.submit(worker.load, item) for item in batch]
                under_way.append(encoders.submit(_encode_loaded, worker, loads))
                while len(under_way) > self.ahead or (under_way and under_way[0].done()):
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            decoders.shutdown(wait=False, cancel_futures=True)
            encoders.shutdown(wait=True, cancel_futures=True)

    def _children(self, encoder: PortableEncoder) -> Decoders:
        if encoder.fingerprint not in self._decoders:
            children = Decoders(Preparation(encoder.preparation, encoder.image_target), self.threads)
            weakref.finalize(self, children.close)
            self._decoders[encoder.fingerprint] = children
        return self._decoders[encoder.fingerprint]


def skipped(item: Item, reason: SkipReason, detail: str) -> Skipped:
    return Skipped(item.uri, reason, detail, item.size, item.mtime_ns)


def skip_for(item: Item, error: Exception) -> Skipped:
    """Why reading or decoding an item failed, as a value."""
    if isinstance(error, BadMedia):
        return skipped(item, SkipReason(error.reason), str(error))
    if isinstance(error, FileNotFoundError):
        return skipped(item, SkipReason.MISSING, "gone since it was listed")
    if isinstance(error, OSError):
        return skipped(item, SkipReason.UNREADABLE, error.strerror or str(error))
    return skipped(item, SkipReason.UNREADABLE, f"{type(error).__name__}: {error}")


def _encode_loaded(worker: Worker, loads: list[Future[Loaded | Skipped]]) -> list[Outcome]:
    done = [load.result() for load in loads]
    return [
        *(one for one in done if isinstance(one, Skipped)),
        *worker.encode([one for one in done if isinstance(one, Loaded)]),
    ]


def _file_time(item: Item) -> datetime | None:
    """A file's modification time, for pictures whose EXIF tells none. A data set's file time says nothing."""
    if item.mtime_ns is None or not item.uri.startswith("file://"):
        return None
    try:
        return datetime.fromtimestamp(item.mtime_ns / 1e9, UTC)
    except (OverflowError, OSError, ValueError):
        return None
