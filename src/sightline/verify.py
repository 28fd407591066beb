"""verify(): is every row, vector and stored picture what was stored? Reads everything, writes nothing.

Vectors and pictures are compared with the digests of the day they were written (LanceDB has no checksums). Damaged
files are passed over and named. `index --rebuild` mends what is named here: see rebuild.py.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.errors import BadMedia, SightlineError
from sightline.fragments import damaged_indexes
from sightline.index import TEXTS
from sightline.reports import Problem, VerifyReport
from sightline.rows import matrix
from sightline.salvage import Pictures, Reading, Unreadable, look_at_pictures
from sightline.schema import vector_digest, version_of
from sightline.sources import FileBytes, path_of, still_there
from sightline.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "uri", "version", "size", "mtime_ns", "vector", "vector_digest", "thumbnail")


def verify(store: Store, *, sources: bool = False, progress: Callable[[int], None] | None = None) -> VerifyReport:
    """Check a collection. Raises CollectionMissing, ForeignTable, CollectionDamaged when it cannot be opened at all.

    A source file is looked at when its size or time differ from the row's; with `sources` each is read and compared.
    `progress` is told how many rows have been checked.
    """
    rows = len(store)
    pictures = look_at_pictures(store)
    run = _Run(store, pictures, sources)
    reading = Reading(store.rows, COLUMNS)
    for batch in reading.batches():
        run.check(batch)
        if progress:
            progress(run.checked)
    return VerifyReport(
        address=str(store.address),
        rows=rows,
        checked=run.checked,
        problems=(
            *run.problems,
            *run.doubled(),
            *_unreadable(reading.unreadable, "its row cannot be read", store.rows.name),
            *_unreadable(pictures.unreadable, "", store.pictures.name),
            *_of_skips(store),
            *(() if reading.unreadable else _of_index(store)),
        ),
        notices=tuple(run.notices),
    )


@dataclass(slots=True)
class _Run:
    store: Store
    pictures: Pictures
    sources: bool
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    checked: int = 0
    _ids: Counter[str] = field(default_factory=Counter)

    def check(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        rows = batch.drop_columns(["vector"]).to_pylist()
        vectors = matrix(pa.chunked_array([batch["vector"]]), self.store.manifest.dim)
        self.checked += len(rows)
        self._ids.update(row["id"] for row in rows)
        with ThreadPoolExecutor(thread_name_prefix="sightline-verify") as pool:
            thumbnails = pool.map(_fault_of_thumbnail, [row["thumbnail"] for row in rows])
            files = pool.map(self._fault_of_source, rows)
            for row, vector, thumbnail, file in zip(rows, vectors, thumbnails, files, strict=True):
                faults = (_fault_of_vector(vector, row["vector_digest"]), self._fault_of_picture(row), thumbnail)
                self.problems += [Problem(row["id"], fault) for fault in faults if fault]
                if file:
                    self.notices.append(Problem(row["id"], file))

    def doubled(self) -> Iterator[Problem]:
        return (Problem(ident, f"it is stored {times} times") for ident, times in self._ids.items() if times > 1)

    def _fault_of_picture(self, row: dict[str, Any]) -> str:
        version = row["version"]
        if version in self.pictures.sound:
            return ""
        return "its stored picture is damaged" if version in self.pictures.spoiled else "its stored picture is missing"

    def _fault_of_source(self, row: dict[str, Any]) -> str:
        if not row["uri"].startswith("file://"):
            return ""
        if not still_there(row["uri"]):
            return "its file is gone"
        try:
            path = path_of(row["uri"])
            now = os.lstat(path)
            if not self.sources and (now.st_size, now.st_mtime_ns) == (row["size"], row["mtime_ns"]):
                return ""
            same = version_of(FileBytes(path)()) == row["version"]
        except (OSError, ValueError, BadMedia) as error:
            return f"its file cannot be read: {getattr(error, 'strerror', None) or error}"
        return "" if same else "its file has changed since it was indexed"


def _fault_of_vector(vector: NDArray[np.float32], digest: str | None) -> str:
    if not np.isfinite(vector).all():
        return "its vector is not finite"
    length = float(np.linalg.norm(vector))
    if abs(length - 1.0) > 1e-3:
        return f"its vector has length {length:.4g}, not 1"
    return "" if vector_digest(vector) == digest else "its vector is not the one that was stored"


def _fault_of_thumbnail(thumbnail: bytes | None) -> str:
    try:
        media.decode(thumbnail or b"")
    except BadMedia:
        return "its thumbnail cannot be decoded"
    return ""


def _unreadable(damage: Iterable[Unreadable], named: str, what: str) -> Iterator[Problem]:
    """Rows by id where the ids can be read, else the file."""
    for one in damage:
        if named and one.ids:
            yield from (Problem(ident, f"{named}: {one.why}") for ident in one.ids)
        else:
            yield Problem(what, f"{one.why} ({one.fragment.rows} rows)")


def _of_skips(store: Store) -> Sequence[Problem]:
    if not store.skips.exists:
        return ()
    reading = Reading(store.skips, ("uri",), key="uri")
    for _ in reading.batches():
        pass
    return list(_unreadable(reading.unreadable, "", store.skips.name))


def _of_index(store: Store) -> Sequence[Problem]:
    """Whether full text works; it is asked for a word, which reads the index where there is one."""
    damaged = damaged_indexes(store.rows.folder, store.rows.head())
    if damaged:
        return [Problem("index of text", f"{name} is damaged") for name in damaged]
    try:
        for column in {index.columns[0] for index in store.rows.table.list_indices()} & TEXTS:
            store.search_text("picture", 1, column=column)
    except (SightlineError, RuntimeError) as error:
        return [Problem("index of text", str(error).split("\n", 1)[0][:300])]
    return ()
