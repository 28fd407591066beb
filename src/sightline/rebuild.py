"""rebuild(): encode every item of a collection anew with another model, from its stored pictures.

The collection changes in one atomic version at the end; its old rows stay readable until then and in the history after.
What has been encoded waits in a spool table beside it, so that a killed rebuild goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from sightline import index
from sightline.errors import CollectionError
from sightline.executors import Executor, Worker
from sightline.schema import Encoded, IngestReport, Item, Manifest, Progress, Skipped
from sightline.store import Address, Store

BATCH = 512


@dataclass(frozen=True, slots=True)
class PictureOf:
    """Reads an item's picture from wherever the collection has it (`picture` takes an id)."""

    picture: Callable[[str], bytes]
    id: str

    def __call__(self) -> bytes:
        return self.picture(self.id)


def rebuild(
    store: Store,
    manifest: Manifest,
    make_worker: Callable[[], Worker],
    *,
    picture: Callable[[str], bytes],
    executor: Executor,
    batch_size: int = 16,
    progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Replace all vectors by those of `manifest`'s encoder. The report counts rows as `updated` and `encoded`.

    An item whose picture cannot be read any more is left out and reported as skipped. The writer lock is held
    throughout: readers see the old rows, other writers wait. Raises CollectionError when nothing could be encoded.
    """
    started = time.monotonic()
    with store.lock.held():
        spool = _spool(store, manifest)
        run = _Rebuild(store, spool, picture)
        for outcome in executor.map(make_worker, run.batches(batch_size)):
            run.take(outcome)
            if len(run.waiting) >= BATCH:
                run.commit(progress)
        run.commit(progress)
        if not len(spool):
            raise CollectionError("nothing was rebuilt: no picture could be read", hint="index the sources again")
        store.replace_rows(manifest, _all_rows(spool), run.added)
        spool.drop()
        index.tend(store)
    return IngestReport(
        address=str(store.address),
        model=manifest.encoder,
        added=0,
        updated=len(store),
        unchanged=0,
        renamed=0,
        removed=0,
        missing=0,
        encoded=run.encoded,
        skipped=tuple(run.skips),
        seconds=time.monotonic() - started,
        rows=len(store),
    )


@dataclass(slots=True)
class _Rebuild:
    store: Store
    spool: Store
    picture: Callable[[str], bytes]
    old: dict[str, Encoded] = field(default_factory=dict)  # rows that are in the encoder
    waiting: list[Encoded] = field(default_factory=list)
    skips: list[Skipped] = field(default_factory=list)
    added: dict[str, datetime] = field(default_factory=dict)
    encoded: int = 0
    _seen: int = 0

    def batches(self, size: int) -> Iterator[list[Item]]:
        for chunk in self.store.ids():
            ids = [ident for ident, _ in chunk]
            for start in range(0, len(ids), size):
                if batch := self._batch(ids[start : start + size]):
                    yield batch

    def _batch(self, ids: list[str]) -> list[Item]:
        self._seen += len(ids)
        self.added.update({ident: row.added_at for ident, row in self.store.known(ids).items()})
        spooled = self.spool.known(ids)
        rows = self.store.encodings([ident for ident in ids if ident not in spooled])
        self.old |= rows
        return [replace(row.item, read=PictureOf(self.picture, ident)) for ident, row in rows.items()]

    def take(self, outcome: Encoded | Skipped) -> None:
        if isinstance(outcome, Skipped):
            self.skips.append(outcome)
            return
        old = self.old.pop(outcome.item.id)
        self.waiting.append(replace(old, vector=outcome.vector))
        self.encoded += 1

    def commit(self, progress: Callable[[Progress], None] | None) -> None:
        self.spool.upsert(self.waiting)
        self.waiting.clear()
        if progress:
            progress(Progress(self._seen, self.encoded, self.encoded, len(self.skips)))


def _spool(store: Store, manifest: Manifest) -> Store:
    """The spool table, kept from a killed rebuild when that was for the same encoder."""
    spool = Store(Address(store.address.folder, f"{store.address.table}.rebuild"))
    if spool.exists and spool.manifest.fingerprint != manifest.fingerprint:
        spool.drop()
    spool.create(manifest)
    return spool


def _all_rows(store: Store) -> Iterator[list[Encoded]]:
    for chunk in store.ids(batch=BATCH):
        yield list(store.encodings([ident for ident, _ in chunk]).values())
