"""Snapshot: what a search needs of a collection, in files beside its tables, answered from without LanceDB.

`.sightline/TABLE.snapshot/` holds one generation: `vectors-N.f32`, the vectors by slot, mapped into memory, and
`rows-N.sqlite`, the rows that hits show and filters look at, the postings of full text, and arrays by slot. It shows
one version of the rows' table, which its `head` names. A slot that was written never changes and is never given again:
a reader goes on with what it has opened while another process adds to the files. Everything here can be lost;
`mirror.py` writes it. Exhaustive and exact. Why: docs/decisions/0011-snapshot.md.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from sightline import passing
from sightline.conditions import OF_KIND
from sightline.fragments import Fragment
from sightline.postings import FIELDS, Field, Posting, bm25, words
from sightline.rows import HIT, Found, found_of
from sightline.schema import Filter, Manifest, Vectors

FORM = 2
"""Of the files; a former one is made anew."""
SHOWN = (*HIT, "added_at", "latitude", "longitude")
"""Columns of the table that a row of the snapshot has, in this order."""
TIMES = ("captured_at", "added_at")
ARRAYS: Mapping[str, Any] = {
    "addresses": np.int64,  # of the row in Lance (fragment << 32 | offset); -1: it is gone
    "norms": np.float32,  # length of the vector; NaN: there is none
    "checks": np.uint32,  # CRC-32 of the vector
    "digests": np.uint64,  # of the row
    **{f"words_{name}": np.uint16 for name in FIELDS},
    **dict.fromkeys(TIMES, np.int64),  # microseconds since 1970; passing.NEVER: not known
    "traits": np.uint32,  # number of what it shares with many rows: modality and folder
}
SPREAD = 64
"""Vectors that are compared with their checksums when a snapshot is opened; those of hits always are."""
AT_ONCE = 8_192
"""Rows that are copied at once where all are gone through."""
BLOCK = 32_768
"""Rows that are multiplied at once where only some are asked for."""
HELD_ROWS, HELD_MASKS = 4_096, 16
COUNTED = 10_000
"""So many ids are asked for one by one, more are all read."""
_ROWS = re.compile(r"rows-(\d+)\.sqlite")
_APART = {"look": "looks", "text": "texts", "ocr": "texts"}
_ROWS_WHOLE = "rows JOIN texts USING (slot) LEFT JOIN looks USING (slot)"

Slots: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]


class Damaged(Exception):
    """A file of the snapshot is not what was written. Nobody outside has to know: the snapshot is made anew."""


@dataclass(frozen=True, slots=True)
class Head:
    """The manifest that names a version of a Lance table; its time tells a table from one made in its place."""

    name: str
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, manifest: Path) -> Head:
        """Raises FileNotFoundError when a cleanup took it."""
        told = os.stat(manifest)
        return cls(manifest.name, told.st_mtime_ns, told.st_size)


@dataclass(frozen=True, slots=True)
class State:
    """What a snapshot shows: the version with this `head`, made of `fragments`. `slots`: how many were ever given.

    `columns`: those of its table; `indexed`: those that have full text there.
    """

    head: Head
    version: int
    manifest: Manifest
    columns: tuple[str, ...]
    indexed: tuple[str, ...]
    fragments: tuple[Fragment, ...]
    slots: int
    form: int = FORM

    def dumps(self) -> bytes:
        return json.dumps(asdict(self) | {"manifest": self.manifest.dumps()}).encode()

    @classmethod
    def loads(cls, data: bytes) -> State:
        """Raises Damaged for what is no state of this form."""
        try:
            told = json.loads(data)
            if told["form"] != FORM:
                raise Damaged(f"a snapshot of form {told['form']}")
            return cls(
                head=Head(**told["head"]),
                version=told["version"],
                manifest=Manifest.loads(told["manifest"]),
                columns=tuple(told["columns"]),
                indexed=tuple(told["indexed"]),
                fragments=tuple(Fragment(**{**one, "files": tuple(one["files"])}) for one in told["fragments"]),
                slots=told["slots"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"its state is unreadable: {error}") from None


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows that stand for a collection: their vectors (n, dim), captions, what was read in the pictures, and ids."""

    vectors: Vectors
    texts: tuple[str, ...]
    seen: tuple[str, ...]
    ids: tuple[str, ...]


@dataclass(eq=False)
class Snapshot:
    """One state of a snapshot, opened. Raises Damaged from any method; safe to use from several threads."""

    number: int
    state: State
    arrays: Mapping[str, NDArray[Any]]
    matrix: Vectors = field(repr=False)  # (slots, dim), mapped
    _connection: sqlite3.Connection = field(repr=False)

    def __post_init__(self) -> None:
        self._asking = threading.Lock()
        self._rows: dict[int, dict[str, Any]] = {}
        self._masks: dict[Filter, Mask] = {}
        self._fields: dict[str, Field] = {}
        self.alive: Mask = self.arrays["addresses"] >= 0
        self._alive = int(self.alive.sum())
        self.comparable = self.alive & np.isfinite(self.arrays["norms"]) & (self.arrays["norms"] > 0)
        self._scale = np.where(self.comparable, 1 / np.where(self.comparable, self.arrays["norms"], 1), 0)[:, None]
        self._scale = self._scale.astype(np.float32)  # (slots, 1)

    @classmethod
    def open(cls, folder: Path) -> Snapshot | None:
        """The newest generation in `folder`; None where there is none, or where it cannot be read just now.

        Raises Damaged.
        """
        number = newest_generation(folder)
        if number is None:
            return None
        try:
            return _opened(folder, number)
        except (FileNotFoundError, sqlite3.OperationalError):  # replaced or locked by another process, or torn
            return None
        except (OSError, ValueError, sqlite3.Error) as error:
            raise Damaged(str(error)) from None

    def __len__(self) -> int:
        return self._alive

    # -- finding ------------------------------------------------------------------------------------------------

    def search(self, vector: NDArray[np.float32], k: int, filters: Sequence[Filter] = ()) -> list[Found]:
        """The `k` rows nearest to `vector` (dim,) by cosine, best first."""
        [(slots, cosines)] = self.nearest(vector[None, :], k, filters)
        return self.hits(slots, cosines)

    def hits(self, slots: Slots, cosines: NDArray[np.float32]) -> list[Found]:
        """The rows in these slots, in their order."""
        return self._hits(slots, cosines, cosines)

    def nearest(
        self, queries: Vectors, k: int, filters: Sequence[Filter] = ()
    ) -> list[tuple[Slots, NDArray[np.float32]]]:
        """For each of `queries` (q, dim) the slots of the `k` nearest rows that pass, best first, with their cosines.

        Of equals the one that came in first.
        """
        unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        there = self.comparable & self.passing(filters) if filters else self.comparable
        slots = np.flatnonzero(there)
        if 4 * len(slots) < len(there):  # the whole is quicker multiplied where it lies than a quarter copied
            parts = [slots[at : at + BLOCK] for at in range(0, len(slots), BLOCK)]
            scores = np.concatenate(
                [
                    np.empty((0, len(unit)), np.float32),
                    *((self.matrix[part] @ unit.T) * self._scale[part] for part in parts),
                ]
            )
            chosen = [first(scores[:, at], k) for at in range(len(unit))]
            found = [(slots[best], scores[best, at]) for at, best in enumerate(chosen)]
        else:
            scores = self.matrix @ unit.T  # (slots, q)
            scores *= self._scale
            if len(slots) < len(there):
                scores[~there] = -np.inf
            chosen = [first(scores[:, at], min(k, len(slots))) for at in range(len(unit))]
            found = [(best, scores[best, at]) for at, best in enumerate(chosen)]
        for best, _ in found:
            self.check(best)
        return found

    def units(self, slots: Slots) -> Iterator[tuple[Slots, Vectors]]:
        """These rows, a block at a time: slots (n,) and unit vectors (n, dim), not compared with their checksums."""
        for at in range(0, len(slots), AT_ONCE):
            part = slots[at : at + AT_ONCE]
            yield part, self.matrix[part] * self._scale[part]

    def later(self, slots: int, vector: NDArray[np.float32], k: int, among: Mask | None = None) -> Slots:
        """Of the slots from number `slots` on the `k` nearest to `vector` (dim,), best first; only those in a mask."""
        there = (self.comparable if among is None else among)[slots:]
        scores = (self.matrix[slots:] @ vector) * self._scale[slots:, 0]
        scores[~there] = -np.inf
        return slots + first(scores, min(k, int(there.sum())))

    def ranked(self, slots: Slots, vector: NDArray[np.float32]) -> tuple[Slots, NDArray[np.float32]]:
        """Those of `slots` that can be compared with `vector` (dim,), nearest first, with their cosines."""
        slots = slots[self.comparable[slots]]
        cosines = (self.matrix[slots] @ (vector / np.linalg.norm(vector))) * self._scale[slots, 0]
        order = np.argsort(-cosines, kind="stable")
        return slots[order], cosines[order]

    def search_text(
        self,
        said: str,
        k: int,
        *,
        column: str,
        vector: NDArray[np.float32] | None = None,
        filters: Sequence[Filter] = (),
    ) -> list[Found]:
        """The `k` rows whose `column` matches best (BM25), best first; `cosine` to `vector` where it is given.

        A column that has no full text in the table has nothing to say here either; the captions always do.
        """
        if column != "text" and column not in self.state.indexed:
            return []
        asked = words(said, name=column == "name")
        known = {word: self._posting(column, word) for word in set(asked)}
        lengths = self.arrays[f"words_{column}"]
        if column not in self._fields:
            self._fields[column] = Field.of(lengths, self.alive)
        scores = bm25((known[word] for word in asked), lengths, self.alive, self._fields[column])
        if filters:
            scores[~self.passing(filters)] = 0
        slots = np.flatnonzero(scores > 0)  # of booleans: ten times as quick as of numbers
        best = slots[first(scores[slots], k)]
        if vector is None:
            return self._hits(best, scores[best], None)
        self.check(best)
        return self._hits(best, scores[best], self.matrix[best] @ vector)

    def newest(self, k: int, filters: Sequence[Filter] = ()) -> list[Found]:
        """At most `k` rows that pass, those taken last first, those without a date at the end."""
        slots = np.flatnonzero(self.passing(filters))
        taken = self.arrays["captured_at"][slots]
        if k < len(slots):  # of those as old as the last one the ids decide
            slots = slots[taken >= np.partition(taken, len(slots) - k)[len(slots) - k]]
        ids, taken = self._ids(slots), self.arrays["captured_at"][slots]
        order = sorted(range(len(slots)), key=lambda at: (-int(taken[at]), ids[at]))
        best = slots[order[:k]]
        return self._hits(best, np.zeros(len(best), np.float32), None)

    # -- by id --------------------------------------------------------------------------------------------------

    def found(self, ids: Sequence[str]) -> dict[str, Found]:
        """The rows of these ids, by id, with a score of 0."""
        slots = np.array(list(self._slots_of(ids).values()), np.intp)
        return {one.id: one for one in self._hits(slots, np.zeros(len(slots), np.float32), None)}

    def addresses_of(self, ids: Sequence[str]) -> list[int]:
        """The Lance addresses of the rows of these ids that are there, in any order."""
        return [int(self.arrays["addresses"][slot]) for slot in self._slots_of(ids).values()]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors (n, dim) of these ids, in their order; NaN for one that is not there."""
        at = self._slots_of(ids)
        found = np.full((len(ids), self.state.manifest.dim), np.nan, np.float32)
        there = [place for place, ident in enumerate(ids) if ident in at]
        slots = np.array([at[ids[place]] for place in there], np.intp)
        self.check(slots)
        found[there] = self.matrix[slots]
        return found

    def drawn(self, most: int) -> Sample:
        """The rows with the `most` least ids, which are hashes: a random sample, and mostly the same after a change."""
        asked, slots = most, np.empty(0, np.intp)
        while len(slots) < min(most, len(self)):  # a row that was changed has dead slots of the same id
            asked *= 2
            slots = self._slots("SELECT slot FROM rows WHERE slot < ? ORDER BY id, slot LIMIT ?", [asked])
            slots = slots[self.alive[slots]][:most]
        self.check(slots)
        rows = self._shown(slots)
        return Sample(
            self.matrix[slots],
            tuple(row["text"] or "" for row in rows),
            tuple(row["ocr"] or "" for row in rows),
            tuple(row["id"] for row in rows),
        )

    def check_all(self) -> None:
        """Compare every vector and row with its checksum. Raises Damaged."""
        slots = np.flatnonzero(self.alive)
        for at in range(0, len(slots), HELD_ROWS):
            self.check(slots[at : at + HELD_ROWS])
            self._shown(slots[at : at + HELD_ROWS])
        for one in self._ask("SELECT slots, counts, crc FROM postings", []):
            posting_of(*one)
        if self._ask("PRAGMA quick_check", []) != [("ok",)]:
            raise Damaged("SQLite finds its file damaged")

    # -- inside -------------------------------------------------------------------------------------------------

    def _hits(self, slots: Slots, scores: NDArray[np.float32], cosines: NDArray[np.float32] | None) -> list[Found]:
        rows = self._shown(slots)
        return [
            found_of(row, score=float(scores[at]), cosine=None if cosines is None else float(cosines[at]))
            for at, row in enumerate(rows)
        ]

    def _shown(self, slots: Slots) -> list[dict[str, Any]]:
        """The columns of these rows, in their order."""
        asked = [int(slot) for slot in slots]
        held = self._rows
        rows = {slot: row for slot in asked if (row := held.get(slot)) is not None}
        if missing := [slot for slot in asked if slot not in rows]:
            marks = ",".join("?" * len(missing))
            columns = ", ".join(f"{_APART.get(name, 'rows')}.{name}" for name in SHOWN)
            found = self._ask(
                f"SELECT rows.slot, {columns} FROM {_ROWS_WHOLE} WHERE rows.slot IN ({marks})",  # noqa: S608
                missing,
            )
            for slot, *record in found:
                if digest(record) != self.arrays["digests"][slot]:
                    raise Damaged(f"row {slot} has changed")
                rows[slot] = _row(record)
            # not emptied but replaced: another thread may be reading it
            self._rows = rows if len(held) > HELD_ROWS else held | rows
        try:
            return [rows[slot] for slot in asked]
        except KeyError as error:
            raise Damaged(f"row {error} is missing") from None

    def check(self, slots: Slots) -> None:
        """Compare these vectors with their checksums. Raises Damaged."""
        checks = self.arrays["checks"]
        for slot in slots:
            if zlib.crc32(self.matrix[slot]) != checks[slot]:
                raise Damaged(f"vector {slot} has changed")

    def passing(self, filters: Sequence[Filter]) -> Mask:
        """Which slots fulfil all filters."""
        mask = self.alive
        for one in filters:
            mask = mask & self._mask(one)
        return mask

    def _mask(self, one: Filter) -> Mask:
        held = self._masks.get(one)
        if held is None:
            held = self._looked_up(one)
            if len(self._masks) >= HELD_MASKS:
                self._masks.clear()
            self._masks[one] = held
        return held

    def _looked_up(self, one: Filter) -> Mask:
        if isinstance(one.value, datetime):
            return passing.in_time(one, one.value, self.arrays[OF_KIND[one.kind][0]])
        (test, values), table = passing.clause(one), passing.table_of(one)
        if table == "traits":
            numbers = self._column(f"SELECT number FROM traits WHERE {test}", values)  # noqa: S608
            return np.isin(self.arrays["traits"], numbers)
        mask = np.zeros(self.state.slots, bool)
        mask[self._slots(f"SELECT slot FROM {table} WHERE slot < ? AND ({test})", values)] = True  # noqa: S608
        return mask

    def _slots_of(self, ids: Sequence[str]) -> dict[str, int]:
        marks = ",".join("?" * len(ids))
        found = self._ask(f"SELECT id, slot FROM rows WHERE id IN ({marks})", list(ids))  # noqa: S608
        return {ident: slot for ident, slot in found if slot < self.state.slots and self.alive[slot]}

    def _slots(self, query: str, values: Sequence[Any]) -> Slots:
        """The slots that a query gives; its first `?` is how many there are."""
        return self._column(query, [self.state.slots, *values])

    def _column(self, query: str, values: Sequence[Any]) -> NDArray[np.intp]:
        """The whole numbers that a query gives."""
        found = self._ask(query, values)
        return np.fromiter((number for (number,) in found), np.intp, len(found))

    def _ids(self, slots: Slots) -> list[str]:
        """The ids of these rows, in their order."""
        if len(slots) > COUNTED:
            found = self._ask("SELECT slot, id FROM rows WHERE slot < ?", [self.state.slots])
        else:
            marks = ",".join("?" * len(slots))
            found = self._ask(f"SELECT slot, id FROM rows WHERE slot IN ({marks})", [int(one) for one in slots])  # noqa: S608
        ids = dict(found)
        return [ids[int(slot)] for slot in slots]

    def _posting(self, column: str, word: str) -> Posting:
        query = "SELECT slots, counts, crc FROM postings WHERE field = ? AND word = ? ORDER BY segment"
        found = self._ask(query, [FIELDS.index(column), word])
        return Posting.joined([posting_of(*one) for one in found])

    def _ask(self, query: str, values: Sequence[Any]) -> list[Any]:
        try:
            with self._asking:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise Damaged(str(error)) from None


def first(scores: NDArray[np.float32], k: int) -> Slots:
    """The places of the `k` highest of `scores` (n,), highest first; of equals those that come first."""
    if k <= 0 or not len(scores):
        return np.empty(0, np.intp)
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")[:k]]


def newest_generation(folder: Path) -> int | None:
    """The highest N of `rows-N.sqlite`: such a file is there only once it is whole."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    return max((int(found[1]) for name in names if (found := _ROWS.fullmatch(name))), default=None)


def paths(folder: Path, number: int) -> tuple[Path, Path]:
    """The files of a generation: rows and vectors."""
    return folder / f"rows-{number}.sqlite", folder / f"vectors-{number}.f32"


def digest(record: Sequence[Any]) -> int:
    """64 bits that tell one row from another."""
    text = repr(tuple(record)).encode("utf-8", "surrogatepass")
    return zlib.crc32(text) << 32 | zlib.adler32(text)


def posting_of(slots: bytes, counts: bytes, crc: int) -> Posting:
    """A posting as it was written. Raises Damaged."""
    if zlib.crc32(counts, zlib.crc32(slots)) != crc or len(slots) != 4 * len(counts):
        raise Damaged("a posting has changed")
    return Posting(np.frombuffer(slots, "<u4"), np.frombuffer(counts, np.uint8))


def arrays_of(connection: sqlite3.Connection) -> dict[str, bytes]:
    """The state and the arrays as they were written. Raises Damaged."""
    found = {}
    for name, data, crc in connection.execute("SELECT name, data, crc FROM arrays"):
        if zlib.crc32(data) != crc:
            raise Damaged(f"{name} has changed")
        found[name] = data
    return found


def _opened(folder: Path, number: int) -> Snapshot:
    rows, vectors = paths(folder, number)
    connection = sqlite3.connect(
        f"file:{quote(str(rows.absolute()))}?mode=ro",
        uri=True,
        timeout=2.0,
        check_same_thread=False,
        isolation_level=None,
    )
    try:
        found = arrays_of(connection)
        state = State.loads(found.pop("state", b""))
        arrays = {name: np.frombuffer(found.get(name, b""), kind)[: state.slots] for name, kind in ARRAYS.items()}
        if any(len(array) != state.slots for array in arrays.values()):
            raise Damaged("its arrays are too short")
        snapshot = Snapshot(number, state, arrays, _mapped(vectors, state), connection)
        passing.teach(connection)
        snapshot.check(np.unique(np.linspace(0, state.slots - 1, min(SPREAD, state.slots)).astype(np.intp)))
    except BaseException:
        connection.close()
        raise
    weakref.finalize(snapshot, connection.close)
    return snapshot


def _mapped(path: Path, state: State) -> Vectors:
    shape = state.slots, state.manifest.dim
    if not state.slots:
        return np.empty(shape, np.float32)
    if os.path.getsize(path) < 4 * shape[0] * shape[1]:
        raise Damaged(f"{path.name} is too short")
    return np.asarray(np.memmap(path, "<f4", "r", shape=shape))


def _row(record: Sequence[Any]) -> dict[str, Any]:
    row = dict(zip(SHOWN, record, strict=True))
    for name in TIMES:
        if row[name] is not None:
            row[name] = passing.EPOCH + timedelta(microseconds=row[name])
    return row
