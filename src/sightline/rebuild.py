"""rebuild(): encode every item of a collection anew, with its own or another model, and mend what `verify` names.

Vectors are made from the stored pictures. Where one is damaged or missing, the source gives it again if its bytes are
still those of the row; else the thumbnail takes its place, until the next index sees the source and replaces it. The
collection changes in one atomic version at the end; its old rows stay readable until then and in the history after.
What has been encoded waits in a spool table beside it, so that a killed rebuild goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from sightline import index, media
from sightline.errors import CollectionError
from sightline.executors import Executor, Worker
from sightline.reports import IngestReport, Progress
from sightline.rows import Known
from sightline.salvage import salvage
from sightline.schema import Encoded, Item, Manifest, Skipped, vector_digest, version_of
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

    `picture` gives an id's best picture: stored, else of the source, else the thumbnail. An item that has none any more
    is left out and reported as skipped; rows in files that cannot be read are lost and told in `notices`. The writer
    lock is held throughout: readers see the old rows, other writers wait. Raises CollectionError when nothing could be
    encoded.
    """
    started = time.monotonic()
    with store.lock.held():
        saved = salvage(store)
        spool = _spool(store, manifest)
        same_encoder = manifest.fingerprint == store.manifest.fingerprint
        run = _Rebuild(store, spool, picture, saved.pictures, same_encoder)
        for outcome in executor.map(make_worker, run.batches(batch_size)):
            run.take(outcome)
            if len(run.waiting) >= BATCH:
                run.commit(progress)
        run.commit(progress)
        if not len(spool):
            raise CollectionError("nothing was rebuilt: no picture could be read", hint="index the sources again")
        run.drop_strangers()
        store.replace_rows(manifest, _all_rows(spool), run.added)
        spool.drop()
        index.tend(store)
    index.keep_up(store)
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
        notices=(*store.notices, *saved.lost, *run.notices()),
    )


@dataclass(slots=True)
class _Rebuild:
    store: Store
    spool: Store
    picture: Callable[[str], bytes]
    sound: frozenset[str]  # content hashes whose picture is stored, or was never wanted
    same_encoder: bool
    old: dict[str, Encoded] = field(default_factory=dict)  # rows that are in the encoder
    waiting: list[Encoded] = field(default_factory=list)
    skips: list[Skipped] = field(default_factory=list)
    added: dict[str, datetime] = field(default_factory=dict)
    encoded: int = 0
    thumbnails: int = 0  # rows that have nothing else left
    _seen: set[str] = field(default_factory=set)

    def batches(self, size: int) -> Iterator[list[Item]]:
        for chunk in self.store.ids():
            ids = [ident for ident in dict(chunk) if ident not in self._seen]
            for start in range(0, len(ids), size):
                if batch := self._batch(ids[start : start + size]):
                    yield batch

    def _batch(self, ids: list[str]) -> list[Item]:
        self._seen.update(ids)
        known = self.store.known(ids)
        self.added.update({ident: row.added_at for ident, row in known.items()})
        spooled = self.spool.known(ids)
        done = {ident for ident, row in spooled.items() if _alike(row, known[ident])}
        rows = self.store.encodings([ident for ident in ids if ident not in done])
        self.old |= rows
        return [replace(row.item, read=PictureOf(self.picture, ident)) for ident, row in rows.items()]

    def take(self, outcome: Encoded | Skipped) -> None:
        if isinstance(outcome, Skipped):
            self.skips.append(outcome)
            return
        old = self.old.pop(outcome.item.id)
        self.waiting.append(self._renewed(old, outcome))
        self.encoded += 1

    def commit(self, progress: Callable[[Progress], None] | None) -> None:
        self.store.put_pictures(self.waiting)
        self.spool.upsert([replace(row, picture=None) for row in self.waiting])
        self.waiting.clear()
        if progress:
            progress(Progress(len(self._seen), self.encoded, self.encoded, len(self.skips)))

    def drop_strangers(self) -> None:
        """Rows of a former, killed rebuild that the collection has no longer."""
        strangers = [ident for chunk in self.spool.ids() for ident, _ in chunk if ident not in self._seen]
        for start in range(0, len(strangers), BATCH):
            self.spool.remove(strangers[start : start + BATCH])

    def notices(self) -> list[str]:
        if not self.thumbnails:
            return []
        return [f"{self.thumbnails} items have only their thumbnail left; index their sources again to mend them"]

    def _renewed(self, old: Encoded, now: Encoded) -> Encoded:
        """`old` with its new vector; with a stored picture and a thumbnail again where it had lost one."""
        missing = old.version not in self.sound
        if now.version == version_of(old.thumbnail):  # nothing better was found: see PictureOf
            vector = old.vector if self.same_encoder and self._is_sound(old) else now.vector
            if not missing:
                return replace(old, vector=vector)
            self.thumbnails += 1
            item = replace(old.item, size=len(old.thumbnail), mtime_ns=None)
            return replace(
                old, item=item, version=now.version, size=len(old.thumbnail), vector=vector, picture=old.thumbnail
            )
        picture = _preview(self.picture(old.item.id)) if missing else None
        camera, place = old.camera or now.camera, old.place or now.place  # of rows from before they were kept
        return replace(old, vector=now.vector, thumbnail=now.thumbnail, picture=picture, camera=camera, place=place)

    def _is_sound(self, row: Encoded) -> bool:
        return vector_digest(row.vector) == self.store.digest(row.item.id)


def _preview(data: bytes) -> bytes:
    return media.jpeg(media.decode(data, longest=media.PREVIEW).image, longest=media.PREVIEW)


def _alike(spooled: Known, row: Known) -> bool:
    """Whether what a killed rebuild has made of a row still holds."""
    return replace(spooled, added_at=row.added_at) == row


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
