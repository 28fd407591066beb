"""Cells: an inverted file over the principal components of a snapshot's vectors, which gives candidates.

The vectors of an encoder fill few of their dimensions: by a quarter of their principal components the ten nearest rows
are among the first two hundred (docs/LOG.md). Those components lie in one mapped file in the order of the cells that
k-means puts them into, so that a search multiplies a few stretches of it; how many, and how many of the best rows are
then compared exactly, is the plan's to say (`ann.py`). In the terms of faiss: PCA, IVF, Flat, refined.

Two files beside the snapshot of generation N, `cells-N.npz` and the components that it names. They can be lost, and
know nothing of rows that came in later. Knows numpy and the snapshot.
"""

from __future__ import annotations

import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sightline.schema import Vectors
from sightline.snapshot import AT_ONCE, Mask, Slots, Snapshot, first, newest_generation

PART = 4
"""One of so many dimensions is kept, of the principal ones."""
FEWEST_COMPONENTS = 32
CELLS = 2
"""So many times the root of the rows."""
DRAWN = 40
"""Rows for each cell that k-means learns from."""
ROUNDS = 10
MAKING = "making-"
LEFT = 3_600.0
"""Seconds after which a file that is being made is nobody's any more."""
ZEROS = bytes(1 << 20)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """`name` tells one from every other. `slots`: how many the snapshot had given when this was made; `checks`: a
    checksum of the checksums of their vectors.

    basis (dim, d); centroids (cells, d); order (n,): the slot of each row of `components` (n, d), which is mapped;
    starts (cells + 1,): where each cell begins there.
    """

    name: str
    slots: int
    checks: int
    basis: Vectors
    centroids: Vectors
    order: NDArray[np.int32]
    starts: NDArray[np.int64]
    components: Vectors = field(repr=False)

    def __len__(self) -> int:
        return len(self.centroids)

    @property
    def share(self) -> float:
        """Of a vector, what its components take."""
        return float(self.basis.shape[1] / self.basis.shape[0])

    def candidates(
        self, vector: NDArray[np.float32], probes: int, pool: int, *, there: Mask | None = None, rank: int = 0
    ) -> tuple[Slots, int]:
        """The slots of the `pool` rows nearest to `vector` (dim,) by what `probes` cells know of them, best first.

        `there`: only slots in this mask; then the second number says how many such are among the `rank` best of all.
        """
        small = vector @ self.basis
        runs = self._runs(small, probes)
        scores = np.concatenate([self.components[a:b] @ small for a, b in runs])
        slots = np.concatenate([self.order[a:b] for a, b in runs])
        if there is None:
            return slots[first(scores, pool)].astype(np.intp), 0
        passes = there[slots]
        kept = np.flatnonzero(passes)
        among = int(passes[first(scores, rank)].sum())
        return slots[kept[first(scores[kept], pool)]].astype(np.intp), among

    def _runs(self, small: NDArray[np.float32], probes: int) -> list[tuple[int, int]]:
        """Stretches of `components`: the cells to look into, those beside each other joined."""
        if probes >= len(self):
            return [(0, len(self.order))]
        chosen = np.sort(np.argpartition(self.centroids @ small, len(self) - probes)[-probes:])
        begins, ends = self.starts[chosen], self.starts[chosen + 1]
        apart = np.flatnonzero(begins[1:] != ends[:-1])
        firsts, lasts = begins[np.r_[0, apart + 1]], ends[np.r_[apart, len(chosen) - 1]]
        return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)]

    def fits(self, now: Snapshot) -> bool:
        """Whether the slots are those of this snapshot: generations are numbered anew after damage."""
        return self.slots <= now.state.slots and self.checks == _checks(now, self.slots)


def opened(folder: Path, number: int) -> Cells | None:
    """Those of the snapshot of generation `number`; None where there are none, or what is there is damaged."""
    from zipfile import BadZipFile

    with suppress(OSError, ValueError, KeyError, EOFError, zlib.error, BadZipFile):
        with open(path_of(folder, number), "rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        order, basis = found["order"], found["basis"]
        path, shape = folder / str(found["stored"]), (len(order), basis.shape[1])
        if os.path.getsize(path) != 4 * shape[0] * shape[1]:
            return None
        return Cells(
            name=str(found["name"]),
            slots=int(found["slots"]),
            checks=int(found["checks"]),
            basis=basis,
            centroids=found["centroids"],
            order=order,
            starts=found["starts"],
            components=np.asarray(np.memmap(path, "<f4", "r", shape=shape)),
        )
    return None


def path_of(folder: Path, number: int) -> Path:
    return folder / f"cells-{number}.npz"


def make(
    now: Snapshot,
    folder: Path,
    *,
    count: int | None = None,
    publishing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Cells | None:
    """Makes and writes the cells of a snapshot; `count` of them, None: twice the root of its rows.

    The same rows give the same cells. Reads all vectors twice. `publishing` is held while files take their names. None
    where nothing can be compared, or where there is a newer generation by then. Raises OSError.
    """
    slots = np.flatnonzero(now.comparable)
    if not len(slots):
        return None
    count = min(count or round(CELLS * len(slots) ** 0.5), len(slots))
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.choice(slots, min(len(slots), DRAWN * count), replace=False))
    basis = _principal(now, drawn)
    centroids = _means(np.concatenate([part @ basis for _, part in now.units(drawn)]), count, rng)
    cell = np.concatenate([_nearest(part @ basis, centroids) for _, part in now.units(slots)])
    used, cell = np.unique(cell, return_inverse=True)  # an empty one would only cost probes
    centroids = centroids[used]
    by_cell = np.argsort(cell, kind="stable")
    order = slots[by_cell].astype(np.int32)
    starts = np.searchsorted(cell[by_cell], np.arange(len(centroids) + 1)).astype(np.int64)
    told = zlib.crc32(order.tobytes(), zlib.crc32(centroids.tobytes(), now.state.slots))
    stored = f"cells-{now.number}-{told:08x}.f32"
    place = np.empty(len(slots), np.int64)
    place[by_cell] = np.arange(len(slots))
    aside = folder / f"{MAKING}{uuid.uuid4().hex}"
    try:
        _write_components(aside.with_suffix(".f32"), now, slots, basis, place)
        with open(aside.with_suffix(".npz"), "wb") as file:
            np.savez(
                file, name=f"cells_{len(centroids)}_{told:08x}", slots=now.state.slots, basis=basis, stored=stored,
                checks=_checks(now, now.state.slots), centroids=centroids, order=order, starts=starts,
            )  # fmt: skip
            file.flush()
            os.fsync(file.fileno())
        with publishing():
            if newest_generation(folder) == now.number:
                os.replace(aside.with_suffix(".f32"), folder / stored)
                os.replace(aside.with_suffix(".npz"), path_of(folder, now.number))
                _clear(folder, now.number, stored)
    finally:
        for suffix in (".f32", ".npz"):
            aside.with_suffix(suffix).unlink(missing_ok=True)
    return opened(folder, now.number)


# ---- inside ---------------------------------------------------------------------------------------------------


def _write_components(path: Path, now: Snapshot, slots: Slots, basis: Vectors, place: NDArray[np.int64]) -> None:
    """The components of these rows, each at its place."""
    shape = len(slots), basis.shape[1]
    with open(path, "wb") as file:
        _claim(file, 4 * shape[0] * shape[1])
    components = np.memmap(path, "<f4", "r+", shape=shape)
    at = 0
    for part, vectors in now.units(slots):
        components[place[at : at + len(part)]] = vectors @ basis
        at += len(part)
    components.flush()


def _claim(file: BinaryIO, size: int) -> None:
    """Room on the disk: a mapped file that runs out of it ends the process with a signal. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for at in range(0, size, len(ZEROS)):
        file.write(ZEROS[: size - at])


def _clear(folder: Path, number: int, kept: str) -> None:
    """Removes the components of former cells of this generation, and what killed processes left."""
    former = [path for path in folder.glob(f"cells-{number}-*.f32") if path.name != kept]
    for path in (*former, *folder.glob(f"{MAKING}*")):
        with suppress(OSError):  # a reader has it open, on Windows; or it is gone
            if path in former or time.time() - path.stat().st_mtime > LEFT:
                path.unlink()


def _checks(now: Snapshot, slots: int) -> int:
    return zlib.crc32(now.arrays["checks"][:slots].tobytes())


def _principal(now: Snapshot, slots: Slots) -> Vectors:
    """(dim, d): the main axes of these rows about their mean."""
    dim = now.state.manifest.dim
    products, total = np.zeros((dim, dim)), np.zeros(dim)
    for _, part in now.units(slots):
        products += part.T @ part
        total += part.sum(axis=0)
    mean = total / len(slots)
    _, axes = np.linalg.eigh(products / len(slots) - np.outer(mean, mean))
    kept = min(dim, max(FEWEST_COMPONENTS, dim // PART))
    return np.ascontiguousarray(axes[:, ::-1][:, :kept], np.float32)


def _means(rows: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Centroids (count, d) of k-means over `rows` (n, d)."""
    means = rows[rng.choice(len(rows), count, replace=False)]
    for _ in range(ROUNDS):
        cell = np.concatenate([_nearest(part, means) for part in _parts(rows)])
        order = np.argsort(cell, kind="stable")
        starts = np.searchsorted(cell[order], np.arange(count))
        sizes = np.bincount(cell, minlength=count)
        there = sizes > 0  # an empty cell keeps its centroid
        means = means.copy()
        means[there] = np.add.reduceat(rows[order], starts[there], axis=0) / sizes[there, None]
    return np.asarray(means, np.float32)


def _nearest(rows: Vectors, centroids: Vectors) -> NDArray[np.int64]:
    """The nearest centroid (n,) of each of `rows` (n, d)."""
    return np.asarray(np.argmax(rows @ centroids.T - 0.5 * (centroids**2).sum(axis=1), axis=1))


def _parts(rows: Vectors) -> Iterator[Vectors]:
    for at in range(0, len(rows), AT_ONCE):
        yield rows[at : at + AT_ONCE]
