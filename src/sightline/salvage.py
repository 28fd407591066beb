"""What can still be read of a damaged collection, and a new version with just that. The store's sixth noun.

LanceDB gives up a whole scan for one bad file. Here tables are read fragment by fragment, so that the others are found;
stored pictures are compared with their digests. Knows tables and pictures' bytes, decodes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.durability import DurableTable, first_line
from sightline.fragments import Fragment, addresses, damaged_fragments, fragments, manifest_of
from sightline.rows import is_in
from sightline.schema import version_of
from sightline.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1024
PICTURES_AT_ONCE = 64
DELETED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A fragment of a table that cannot be read: why, and the ids of its rows where at least those can."""

    fragment: Fragment
    why: str
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Reading:
    """One version of a table, read in spite of damage. `unreadable` fills while `batches` runs."""

    table: DurableTable
    columns: Sequence[str]
    key: str = "id"
    batch: int = BATCH
    unreadable: list[Unreadable] = field(default_factory=list)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The readable rows; fragments that an earlier pass of this reading found damaged are left out."""
        handle = self.table.another()
        version = int(handle.version)
        handle.checkout(version)
        manifest = manifest_of(self.table.folder, version)
        cut = damaged_fragments(self.table.folder, manifest)
        known = {one.fragment.number for one in self.unreadable}
        for fragment in fragments(manifest):
            if fragment.number in known:
                continue
            if fragment in cut:
                self.unreadable.append(Unreadable(fragment, f"{cut[fragment]} is damaged"))
                continue
            try:
                yield from self._rows(handle, fragment, self.columns)
            except (RuntimeError, ValueError, OSError) as error:
                self.unreadable.append(self._named(handle, fragment, error))

    def _rows(self, handle: Any, fragment: Fragment, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        # by address: a scan with a condition on `_rowid` reads some columns of every fragment all the same
        places = addresses(fragment)
        for start in range(0, len(places), self.batch):
            some = list(places[start : start + self.batch])
            yield from handle.take_row_ids(some).select(list(columns)).to_arrow().to_batches()

    def _named(self, handle: Any, fragment: Fragment, error: Exception) -> Unreadable:
        ids: list[str] = []
        try:
            for batch in self._rows(handle, fragment, [self.key]):
                ids += batch[self.key].to_pylist()
        except (RuntimeError, ValueError, OSError):
            ids = []
        name = fragment.files[0] if fragment.files else f"fragment {fragment.number}"
        return Unreadable(fragment, f"{name} cannot be read: {first_line(error)}", tuple(ids))


@dataclass(frozen=True, slots=True)
class Pictures:
    """The stored pictures by content hash. `sound` ones have their bytes or are meant to be empty."""

    sound: frozenset[str]
    spoiled: frozenset[str]
    unreadable: tuple[Unreadable, ...]


def look_at_pictures(store: Store) -> Pictures:
    """Read every stored picture and compare it with its digest."""
    if not store.pictures.exists:
        return Pictures(frozenset(), frozenset(), ())
    names = store.pictures.table.schema.names
    columns = [name for name in ("version", "picture", "digest") if name in names]
    reading = Reading(store.pictures, columns, key="version", batch=PICTURES_AT_ONCE)
    sound: set[str] = set()
    spoiled: set[str] = set()
    for batch in reading.batches():
        for row in batch.to_pylist():
            (sound if _is_sound(row) else spoiled).add(row["version"])
    return Pictures(frozenset(sound - spoiled), frozenset(spoiled), tuple(reading.unreadable))


@dataclass(frozen=True, slots=True)
class Salvaged:
    """`lost`: what had to be given up, one line each; `pictures`: content hashes whose picture is stored and sound."""

    lost: tuple[str, ...]
    pictures: frozenset[str]


def salvage(store: Store) -> Salvaged:
    """Bring what cannot be read out of the way, in new versions.

    Afterwards every row can be read and every stored picture is sound. Nothing is written where nothing is wrong.
    """
    lost: list[str] = []
    with store.lock.held():
        reading = Reading(store.rows, store.rows.table.schema.names)
        readable = sum(batch.num_rows for batch in reading.batches())
        if reading.unreadable and readable:
            gone = sum(one.fragment.rows for one in reading.unreadable)
            lost.append(f"{gone} rows lay in damaged files: index their sources again")
            _keep_readable(store.rows, reading)
            store.reopened()
        pictures = _salvage_pictures(store)
        if store.skips.exists:
            skips = Reading(store.skips, store.skips.table.schema.names, key="uri")
            for _ in skips.batches():
                pass
            if skips.unreadable:
                store.skips.drop()  # what it says is found out again
    return Salvaged(tuple(lost), pictures)


def _salvage_pictures(store: Store) -> frozenset[str]:
    pictures = look_at_pictures(store)
    if pictures.unreadable:
        names = store.pictures.table.schema.names
        reading = Reading(store.pictures, names, "version", PICTURES_AT_ONCE, list(pictures.unreadable))
        _keep_readable(store.pictures, reading)
    gone = sorted(pictures.spoiled)
    for start in range(0, len(gone), DELETED_AT_ONCE):
        some = is_in("version", gone[start : start + DELETED_AT_ONCE])
        store.pictures.write(lambda t, some=some: t.delete(some))  # type: ignore[misc]
    return pictures.sound


def _keep_readable(table: DurableTable, reading: Reading) -> None:
    import pyarrow as pa

    schema = table.table.schema
    table.overwrite(
        pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in reading.batches())),
        operation="salvage",
    )


def _is_sound(row: dict[str, Any]) -> bool:
    """Stored bytes are what was stored. Collections from before the digests can only prove it for originals."""
    picture, digest = row["picture"], row.get("digest")
    if picture is None:
        return False
    found = version_of(picture)
    if digest is not None:
        return bool(found == digest)
    return bool(found == row["version"] or picture[:2] == b"\xff\xd8")
