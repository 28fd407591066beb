"""Copying: rows of a Lance table into the files of a snapshot, all of them or those that changed. The mirror's hand.

Knows both sides' form and nothing of when; `mirror.py` holds the lock and decides. `begin` writes a generation that is
there once it is whole; `go_on` adds to one in a single transaction.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline import passing
from sightline.fragments import Fragment, addresses
from sightline.postings import FIELDS, Posting, Words
from sightline.rows import matrix
from sightline.schema import Vectors
from sightline.snapshot import ARRAYS, SHOWN, TIMES, Snapshot, State, digest, paths, posting_of

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 2_048
WORDS_AT_ONCE = 50_000
"""Rows whose words are held in memory before they are written."""
SEGMENTS = 16
"""A word's rows lie in at most so many pieces before they are put together."""

_TEXTS = ("text", "ocr")
_PLAIN = [name for name in SHOWN if name not in ("look", *_TEXTS)]
_TABLES = f"""
CREATE TABLE arrays (name TEXT PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE rows (slot INTEGER PRIMARY KEY, {", ".join(_PLAIN)}, folded_camera);
CREATE INDEX rows_id ON rows (id);
CREATE TABLE texts (slot INTEGER PRIMARY KEY, {", ".join(_TEXTS)});
CREATE TABLE traits (number INTEGER PRIMARY KEY, modality, folded_name, folded_uri);
CREATE TABLE looks (slot INTEGER PRIMARY KEY, look BLOB);
CREATE TABLE segments (first INTEGER PRIMARY KEY);
CREATE TABLE postings (field INTEGER, word TEXT, segment INTEGER, slots BLOB, counts BLOB, crc INTEGER,
                       PRIMARY KEY (field, word, segment)) WITHOUT ROWID;
"""
_INSERT = f"INSERT INTO rows VALUES ({', '.join('?' * (2 + len(_PLAIN)))})"  # noqa: S608


def begin(folder: Path, number: int, table: Any, state: State) -> None:
    """Write generation `number` with all rows of `table` (at the version that `state` names)."""
    rows, vectors = paths(folder, number)
    part = rows.with_suffix(".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part, isolation_level=None)) as connection, vectors.open("wb") as file:
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES}")
        connection.execute("BEGIN")
        copy = _Copy(connection, file, {name: np.empty(0, kind) for name, kind in ARRAYS.items()})
        for batch in _batches(table, state, state.fragments):
            copy.take(batch, state.manifest.dim)
        copy.finish(state)
        connection.execute("COMMIT")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, rows)
    _sync_folder(folder)


def go_on(folder: Path, former: Snapshot, table: Any, state: State) -> None:
    """Bring the generation of `former` up to what `state` names: rows that are the same keep their slots."""
    rows, vectors = paths(folder, former.number)
    known = set(former.state.fragments)
    changed = [one for one in state.fragments if one not in known]
    gone = {one.number for one in known - set(state.fragments)}
    with closing(sqlite3.connect(rows, timeout=10.0, isolation_level=None)) as connection, vectors.open("r+b") as file:
        file.truncate(4 * former.state.slots * former.state.manifest.dim)
        file.seek(0, os.SEEK_END)
        connection.execute("BEGIN IMMEDIATE")  # closing it without COMMIT takes everything back
        copy = _Copy(connection, file, {name: array.copy() for name, array in former.arrays.items()})
        copy.loosen(gone)
        for batch in _batches(table, state, changed):
            copy.take(batch, state.manifest.dim, former)
        copy.join_words()
        copy.finish(state)
        connection.execute("COMMIT")


def settle(folder: Path, number: int) -> None:
    """Take back what a killed writer had begun, as a reader may not. Raises sqlite3.Error for what is no database."""
    with closing(sqlite3.connect(paths(folder, number)[0], timeout=10.0)) as connection:
        connection.execute("SELECT count(*) FROM arrays").fetchone()


@dataclass(slots=True)
class _Copy:
    """A generation that is being written. `loose` are rows whose place in Lance changed: id -> slot."""

    connection: sqlite3.Connection
    file: IO[bytes]
    arrays: dict[str, NDArray[Any]]
    loose: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, list[NDArray[Any]]] = field(default_factory=lambda: {name: [] for name in ARRAYS})
    words: Words = field(default_factory=Words)
    traits: dict[tuple[str, str, str], int] = field(default_factory=dict)
    slots: int = 0
    segment: int = 0

    def __post_init__(self) -> None:
        self.slots = self.segment = len(self.arrays["addresses"])
        query = "SELECT modality, folded_name, folded_uri, number FROM traits"
        self.traits = {(kind, name, uri): number for kind, name, uri, number in self.connection.execute(query)}

    def loosen(self, fragments: set[int]) -> None:
        """The rows of these fragments are gone, unless they come again."""
        where = self.arrays["addresses"]
        slots = np.flatnonzero((where >= 0) & np.isin(where >> 32, list(fragments)))
        where[slots] = -1
        wanted = set(slots.tolist())
        if wanted:
            self.loose = {
                ident: slot for slot, ident in self.connection.execute("SELECT slot, id FROM rows") if slot in wanted
            }

    def take(self, batch: pa.RecordBatch, dim: int, former: Snapshot | None = None) -> None:
        """Rows of the table: those that are known keep their slots, the others are appended."""
        import pyarrow as pa

        vectors = matrix(pa.chunked_array([batch["vector"]]), dim)
        where = np.asarray(batch["_rowid"]).astype(np.int64)
        records = _records(batch)
        digests = np.array([digest(one) for one in records], np.uint64)
        new = []
        for at, record in enumerate(records):
            slot = self.loose.get(record[0])
            if slot is None or former is None or not self._is_same(former, slot, vectors[at], digests[at]):
                new.append(at)
            else:
                self.arrays["addresses"][slot] = where[at]
                del self.loose[record[0]]
        self._append([records[at] for at in new], vectors[new], where[new], digests[new])

    def join_words(self) -> None:
        """Put the pieces of each word together when there are many of them."""
        self._write_words()
        if self.connection.execute("SELECT count(*) FROM segments").fetchone()[0] <= SEGMENTS:
            return
        several = "SELECT field, word FROM postings GROUP BY field, word HAVING count(*) > 1"
        for key in self.connection.execute(several).fetchall():
            query = "SELECT slots, counts, crc FROM postings WHERE field = ? AND word = ? ORDER BY segment"
            joined = Posting.joined([posting_of(*one) for one in self.connection.execute(query, key)])
            self.connection.execute("DELETE FROM postings WHERE field = ? AND word = ?", key)
            self._put_posting(key[0], key[1], 0, joined)
        self.connection.execute("DELETE FROM segments")
        self.connection.execute("INSERT INTO segments VALUES (0)")

    def finish(self, state: State) -> None:
        """Vectors to the disk first; then what makes them count."""
        self._write_words()
        self.file.flush()
        os.fsync(self.file.fileno())
        for name, kind in ARRAYS.items():
            self._put_array(name, np.concatenate([self.arrays[name], *self.fresh[name]]).astype(kind).tobytes())
        self._put_array("state", replace(state, slots=self.slots).dumps())

    def _is_same(self, former: Snapshot, slot: int, vector: NDArray[np.float32], told: np.uint64) -> bool:
        return bool(former.arrays["digests"][slot] == told) and np.array_equal(former.matrix[slot], vector)

    def _append(
        self,
        records: Sequence[tuple[Any, ...]],
        vectors: Vectors,
        where: NDArray[np.int64],
        digests: NDArray[np.uint64],
    ) -> None:
        if not records:
            return
        slots = range(self.slots, self.slots + len(records))
        self.slots += len(records)
        vectors = np.ascontiguousarray(vectors, "<f4")
        self.file.write(vectors.tobytes())
        told = [dict(zip(SHOWN, one, strict=True)) for one in records]
        self.connection.executemany(_INSERT, [_stored(slot, one) for slot, one in zip(slots, told, strict=True)])
        texts = [(slot, *(one[name] for name in _TEXTS)) for slot, one in zip(slots, told, strict=True)]
        self.connection.executemany("INSERT INTO texts VALUES (?, ?, ?)", texts)
        looks = [(slot, one["look"]) for slot, one in zip(slots, told, strict=True) if one["look"]]
        self.connection.executemany("INSERT INTO looks VALUES (?, ?)", looks)
        for slot, one in zip(slots, told, strict=True):
            self.words.add(slot, [one[name] or "" for name in FIELDS])
        for name in TIMES:
            times = [passing.NEVER if one[name] is None else one[name] for one in told]
            self.fresh[name].append(np.array(times, np.int64))
        self.fresh["traits"].append(np.array([self._trait(one) for one in told], np.uint32))
        self.fresh["addresses"].append(where)
        self.fresh["norms"].append(np.linalg.norm(vectors, axis=1))
        self.fresh["checks"].append(np.array([zlib.crc32(one) for one in vectors], np.uint32))
        self.fresh["digests"].append(digests)
        if len(self.words.lengths) >= WORDS_AT_ONCE:
            self._write_words()

    def _trait(self, told: Mapping[str, Any]) -> int:
        """The number of what this row shares with others; one that is new is written."""
        trait = (told["modality"], _folder("/" + (told["name"] or "")), _folder(told["uri"] or ""))
        number = self.traits.get(trait)
        if number is None:
            number = self.traits[trait] = len(self.traits)
            self.connection.execute("INSERT INTO traits VALUES (?, ?, ?, ?)", [number, *trait])
        return number

    def _write_words(self) -> None:
        lengths = np.array(self.words.lengths, np.uint16).reshape(-1, len(FIELDS))
        if not len(lengths):
            return
        for number, name in enumerate(FIELDS):
            self.fresh[f"words_{name}"].append(lengths[:, number])
        for number, word, posting in self.words.postings():
            self._put_posting(number, word, self.segment, posting)
        self.connection.execute("INSERT INTO segments VALUES (?)", [self.segment])
        self.segment, self.words = self.slots, Words()

    def _put_posting(self, number: int, word: str, segment: int, posting: Posting) -> None:
        slots, counts = posting.slots.astype("<u4").tobytes(), posting.counts.tobytes()
        crc = zlib.crc32(counts, zlib.crc32(slots))
        self.connection.execute(
            "INSERT INTO postings VALUES (?, ?, ?, ?, ?, ?)", (number, word, segment, slots, counts, crc)
        )

    def _put_array(self, name: str, data: bytes) -> None:
        self.connection.execute("INSERT OR REPLACE INTO arrays VALUES (?, ?, ?)", (name, data, zlib.crc32(data)))


def _batches(table: Any, state: State, wanted: Sequence[Fragment]) -> Iterator[pa.RecordBatch]:
    """The rows of these fragments, with `_rowid`: by a scan where they are most of the table, else by address."""
    columns = [name for name in (*SHOWN, "vector") if name in state.columns]
    if 2 * sum(one.rows for one in wanted) >= sum(one.rows for one in state.fragments):
        numbers = {one.number for one in wanted}
        for batch in table.search().select(columns).with_row_id(True).to_batches(batch_size=AT_ONCE):
            there = np.isin(np.asarray(batch["_rowid"]).astype(np.int64) >> 32, list(numbers))
            if there.any():
                yield batch if there.all() else batch.take(np.flatnonzero(there))
        return
    for fragment in wanted:
        places = addresses(fragment)
        for start in range(0, len(places), AT_ONCE):
            some = table.take_row_ids(list(places[start : start + AT_ONCE])).select(columns).with_row_id().to_arrow()
            yield from some.combine_chunks().to_batches()


def _records(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """The rows as SHOWN says, times as microseconds; None for a column that the table lacks."""
    import pyarrow as pa

    there = set(batch.schema.names)
    columns: list[list[Any]] = []
    for name in SHOWN:
        if name not in there:
            columns.append([None] * batch.num_rows)
        else:
            column = batch[name].cast(pa.int64()) if name in TIMES else batch[name]
            columns.append(column.to_pylist())
    return list(zip(*columns, strict=True))


def _stored(slot: int, told: Mapping[str, Any]) -> tuple[Any, ...]:
    """A line of `rows`, with the camera as filters look for it."""
    return (slot, *(told[name] for name in _PLAIN), told["camera"] and told["camera"].lower())


def _folder(path: str) -> str:
    """All up to the last slash, in lower case: what `in:` looks at."""
    return path[: path.rfind("/") + 1].lower()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems refuse
        pass
    finally:
        os.close(descriptor)
