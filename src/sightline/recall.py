"""What recall the index over vectors gives, and how hard it has to be asked for the recall that is wanted.

Questions are put to the index and their answers compared with all vectors. Text queries lie off the pictures' own
distribution and need far more partitions than pictures do (docs/scale.md), so the questions are texts wherever the
encoder takes them; else they are pictures moved away from all others, as texts are. Half of the questions choose, the
other half say what recall that gives.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.ann import Plan, Questions, Step, name_of, partitions_of
from sightline.cells import Cells
from sightline.rows import matrix
from sightline.schema import Vectors
from sightline.snapshot import Snapshot
from sightline.store import Store

RANKS = (10, 30, 100, 300)
"""How many of the nearest rows are to be found: with a filter that lets a tenth pass, the best ten are of the first
hundred."""
POOLS = (50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800)
CODE = 1 / 32
"""What comparing by LanceDB's index reads of a row, against comparing exactly: one bit of a dimension's 32."""
FIRST_PROBES = 8
PROBES_GROW = 1.5
QUESTIONS = 128
TIMED = 5
MARGIN = 0.25
"""So much of what the target leaves to be missed is kept in hand when a step is chosen."""
GREW = 0.2
"""A plan holds until the rows are so much more or fewer."""
GAP, SPREAD = 2.0, 0.5
"""Texts made from pictures: this many means away from a picture, with noise of this length (docs/LOG.md)."""
AT_ONCE = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What came back with so many `probes`: `places` (n, nearest) of the true neighbours among the candidates.

    A neighbour that did not come back has a place beyond all pools.
    """

    probes: int
    places: NDArray[np.int64]

    def recall(self, rank: int, pool: int, *, held_back: bool) -> float:
        """Share of the `rank` nearest in a pool; `held_back`: of the questions that do not choose."""
        half = len(self.places) // 2
        places = self.places[half:] if held_back else self.places[:half]
        return float((places[:, :rank] < pool).mean())


@dataclass(frozen=True, slots=True)
class Choice:
    """What finds the `rank` nearest, with the recall on questions that were held back.

    `cost`: what it reads, in whole vectors.
    """

    rank: int
    probes: int
    pool: int
    recall: float
    cost: float


class Index(Protocol):
    """What is measured: an index of so many `partitions`, whose codes take the share `code` of a vector."""

    name: str
    partitions: int
    code: float

    def blocks(self) -> Iterable[tuple[NDArray[np.int64], Vectors]]:
        """All rows: numbers (n,) and unit vectors (n, dim)."""

    def candidates(self, query: NDArray[np.float32], probes: int, pool: int) -> NDArray[np.int64]:
        """Numbers of the `pool` nearest rows by what the index knows of them, best first."""

    def refined(self, query: NDArray[np.float32], numbers: NDArray[np.int64]) -> None:
        """Compares these rows exactly, as a search does."""

    def compared(self, query: NDArray[np.float32]) -> None:
        """Compares all rows exactly, as a search without the index does."""


def holds(plan: Plan, store: Store, name: str | None) -> bool:
    """Whether what was measured still says what a search with the index `name` gets."""
    here = name, store.manifest.fingerprint, store.vector_index.target
    return (plan.name, plan.encoder, plan.target) == here and abs(len(store) - plan.rows) <= GREW * plan.rows


def measure(store: Store, asked: Questions | None, clock: Callable[[], float] = time.perf_counter) -> Plan | None:
    """The plan for the index as it is now; None where there is none. `asked` None: pictures moved off their kind.

    Takes one pass over all vectors, and some hundred searches.
    """
    index = _index_of(store)
    if index is None:
        return None
    asked = asked or moved(store.drawn(QUESTIONS).vectors)
    vectors = asked.vectors[:QUESTIONS]
    truth = exact(index.blocks(), vectors, RANKS[-1])
    target = store.vector_index.target
    trials = _trials(index, vectors, truth)
    choices = chosen(trials, target, per_probe=index.code * len(store) / index.partitions)
    exact_ms, ms = _times(index, vectors[:TIMED], choices, clock)
    return Plan(
        name=index.name,
        encoder=store.manifest.fingerprint,
        rows=len(store),
        target=target,
        asked=asked.kind,
        questions=len(vectors) - len(vectors) // 2,
        exact_ms=exact_ms,
        steps=tuple(
            Step(one.rank, one.probes, one.pool, one.recall, took)
            for one, took in zip(choices, ms, strict=True)
            if took <= exact_ms
        ),
    )


def chosen(trials: Iterable[Trial], target: float, *, per_probe: float) -> list[Choice]:
    """For each rank what reaches the target at the least cost; none where nothing does.

    Into more partitions less has to be taken from each, and the other way round. `trials` come by rising probes, each
    of which costs `per_probe`; no more of them are made than can be of use.
    """
    goal = target + MARGIN * (1 - target)
    found: dict[int, Choice] = {}
    for trial in trials:
        opening = trial.probes * per_probe
        if len(found) == len(RANKS) and all(one.cost <= opening for one in found.values()):
            break
        for rank in RANKS:
            for pool in POOLS:
                told = trial.recall(rank, pool, held_back=True)
                if trial.recall(rank, pool, held_back=False) >= goal and told >= target:
                    if rank not in found or opening + pool < found[rank].cost:
                        found[rank] = Choice(rank, trial.probes, pool, told, opening + pool)
                    break
    return [found[rank] for rank in RANKS if rank in found]


def exact(blocks: Iterable[tuple[NDArray[np.int64], Vectors]], queries: Vectors, k: int) -> NDArray[np.int64]:
    """Addresses (q, at most k) of the rows nearest to each of `queries` (q, dim), best first.

    `blocks` are addresses (n,) with unit vectors (n, dim), as they come.
    """
    found: NDArray[Any] = np.empty((len(queries), 0), np.int64)
    scores: NDArray[Any] = np.empty((len(queries), 0), np.float32)
    for addresses, vectors in blocks:
        here = queries @ vectors.T  # (q, n)
        best = np.argpartition(-here, k, axis=1)[:, :k] if here.shape[1] > k else np.arange(here.shape[1])[None, :]
        best = np.broadcast_to(best, (len(queries), best.shape[1]))
        found = np.hstack([found, addresses[best]])
        scores = np.hstack([scores, np.take_along_axis(here, best, axis=1)])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found, scores = (np.take_along_axis(one, order, axis=1) for one in (found, scores))
    return found


def moved(pictures: Vectors) -> Questions:
    """Questions made from `pictures` (n, dim), as far away from all of them as texts mostly are."""
    there = pictures[np.isfinite(pictures).all(axis=1)]
    noise = np.random.default_rng(0).normal(size=there.shape) * SPREAD / np.sqrt(max(there.shape[1], 1))
    away = there - GAP * there.mean(axis=0, keepdims=True) + noise
    return Questions((away / np.linalg.norm(away, axis=1, keepdims=True)).astype(np.float32), "pictures")


# ---- inside ---------------------------------------------------------------------------------------------------


def _index_of(store: Store) -> Index | None:
    """The cells of the store's snapshot; without a snapshot LanceDB's index."""
    now = store.mirror.current()
    if now is not None:
        cells = store.vector_index.cells(now)
        return None if cells is None else _Celled(now, cells)
    table = store.rows.another()
    name = name_of(table)
    return None if name is None else _Indexed(table, name, store.manifest.dim)


class _Celled:
    """Numbers are slots."""

    def __init__(self, now: Snapshot, cells: Cells) -> None:
        self._now, self._cells = now, cells
        self.name, self.partitions, self.code = cells.name, len(cells), cells.share

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        return self._now.units(np.flatnonzero(self._now.comparable[: self._cells.slots]))

    def candidates(self, query: NDArray[np.float32], probes: int, pool: int) -> NDArray[np.int64]:
        return self._cells.candidates(query, probes, pool)[0]

    def refined(self, query: NDArray[np.float32], numbers: NDArray[np.int64]) -> None:
        self._now.ranked(numbers, query)

    def compared(self, query: NDArray[np.float32]) -> None:
        self._now.nearest(query[None, :], RANKS[0])


class _Indexed:
    """Numbers are the addresses of rows in Lance."""

    def __init__(self, table: Any, name: str, dim: int) -> None:
        self._table, self._dim = table, dim
        self.name, self.partitions, self.code = name, partitions_of(name), CODE

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        import pyarrow as pa

        for batch in self._table.search().select(["vector"]).with_row_id(True).to_batches(batch_size=AT_ONCE):
            vectors = matrix(pa.chunked_array([batch["vector"]]), self._dim)
            there = np.isfinite(vectors).all(axis=1)
            yield np.asarray(batch["_rowid"]).astype(np.int64)[there], vectors[there]

    def candidates(self, query: NDArray[np.float32], probes: int, pool: int) -> NDArray[np.int64]:
        found = self._asked(query).nprobes(probes).limit(pool).to_arrow()
        return np.asarray(found["_rowid"]).astype(np.int64)

    def refined(self, query: NDArray[np.float32], numbers: NDArray[np.int64]) -> None:
        self._table.take_row_ids(numbers.tolist()).select(["vector"]).to_arrow()

    def compared(self, query: NDArray[np.float32]) -> None:
        self._asked(query).bypass_vector_index().limit(RANKS[0]).to_arrow()

    def _asked(self, query: NDArray[np.float32]) -> Any:
        built = self._table.search(query, vector_column_name="vector").distance_type("cosine")
        return built.with_row_id(True).select(["_rowid", "_distance"])


def _trials(index: Index, queries: Vectors, truth: NDArray[np.int64]) -> Iterator[Trial]:
    probes = min(FIRST_PROBES, index.partitions)
    while True:
        found = [index.candidates(query, probes, POOLS[-1]) for query in queries]
        yield Trial(probes, np.stack([_places(one, wanted) for one, wanted in zip(found, truth, strict=True)]))
        if probes == index.partitions:
            return
        probes = min(round(PROBES_GROW * probes), index.partitions)


def _places(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of `wanted` stands in `found`."""
    places = {address: place for place, address in enumerate(found.tolist())}
    return np.array([places.get(address, POOLS[-1]) for address in wanted.tolist()], np.int64)


def _times(
    index: Index, queries: Vectors, choices: Sequence[Choice], clock: Callable[[], float]
) -> tuple[float, list[float]]:
    """Milliseconds (medians) of comparing all vectors, and of each choice: asked in turn, as others use the machine."""

    def asked(query: NDArray[np.float32], one: Choice) -> None:
        index.refined(query, index.candidates(query, one.probes, one.pool))

    spent: list[list[float]] = [[] for _ in (None, *choices)]
    for query in queries:
        works = [index.compared, *(lambda q, one=one: asked(q, one) for one in choices)]
        for taken, work in zip(spent, works, strict=True):
            started = clock()
            work(query)
            taken.append(1e3 * (clock() - started))
    exact_ms, *ms = (statistics.median(taken) for taken in spent)
    return exact_ms, ms
