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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.ann import Plan, Questions, Step, candidates, name_of, partitions_of
from sightline.rows import matrix
from sightline.schema import Vectors
from sightline.store import Store

RANKS = (10, 30, 100)
"""How many of the nearest rows are to be found: with a filter that lets a tenth pass, the best ten are of the first
hundred."""
POOLS = (50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800)
CODE = 1 / 32
"""What comparing by the index reads of a row, against comparing exactly: one bit of a dimension's 32."""
FIRST_PROBES = 8
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


def holds(plan: Plan, store: Store) -> bool:
    """Whether what was measured still says what a search gets."""
    here = store.manifest.fingerprint, store.vector_index.target
    if (plan.encoder, plan.target) != here or plan.name != store.rows.read(name_of):
        return False
    return abs(len(store) - plan.rows) <= GREW * plan.rows


def measure(store: Store, asked: Questions | None, clock: Callable[[], float] = time.perf_counter) -> Plan | None:
    """The plan for the index as it is now; None where there is no index. `asked` None: pictures moved off their kind.

    Takes one pass over all vectors, and some hundred searches.
    """
    name = store.rows.read(name_of)
    if name is None:
        return None
    asked = asked or moved(store.drawn(QUESTIONS).vectors)
    vectors = asked.vectors[:QUESTIONS]
    table = store.rows.another()
    truth = exact(_blocks(table, store.manifest.dim), vectors, RANKS[-1])
    target = store.vector_index.target
    partitions = partitions_of(name)
    trials = _trials(table, vectors, truth, partitions)
    choices = chosen(trials, target, per_probe=CODE * len(store) / partitions)
    exact_ms, ms = _times(store, table, vectors[:TIMED], choices, clock)
    return Plan(
        name=name,
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


def _blocks(table: Any, dim: int) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    import pyarrow as pa

    for batch in table.search().select(["vector"]).with_row_id(True).to_batches(batch_size=AT_ONCE):
        vectors = matrix(pa.chunked_array([batch["vector"]]), dim)
        there = np.isfinite(vectors).all(axis=1)
        yield np.asarray(batch["_rowid"]).astype(np.int64)[there], vectors[there]


def _trials(table: Any, queries: Vectors, truth: NDArray[np.int64], partitions: int) -> Iterator[Trial]:
    probes = min(FIRST_PROBES, partitions)
    while True:
        found = [candidates(table, query, probes, POOLS[-1]) for query in queries]
        yield Trial(probes, np.stack([_places(one, wanted) for one, wanted in zip(found, truth, strict=True)]))
        if probes == partitions:
            return
        probes = min(2 * probes, partitions)


def _places(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of `wanted` stands in `found`."""
    places = {address: place for place, address in enumerate(found.tolist())}
    return np.array([places.get(address, POOLS[-1]) for address in wanted.tolist()], np.int64)


def _times(
    store: Store, table: Any, queries: Vectors, choices: Sequence[Choice], clock: Callable[[], float]
) -> tuple[float, list[float]]:
    """Milliseconds (medians) of comparing all vectors, and of each choice: asked in turn, as others use the machine."""
    snapshot = store.mirror.current()

    def compared(query: NDArray[np.float32]) -> None:
        if snapshot is not None:
            snapshot.nearest(query[None, :], RANKS[0])
        else:
            built = table.search(query, vector_column_name="vector").distance_type("cosine").bypass_vector_index()
            built.limit(RANKS[0]).select(["_rowid", "_distance"]).with_row_id(True).to_arrow()

    def asked(query: NDArray[np.float32], one: Choice) -> None:
        addresses = candidates(table, query, one.probes, one.pool)
        if snapshot is not None:
            snapshot.ranked(snapshot.slots_at(addresses), query)

    spent: list[list[float]] = [[] for _ in (None, *choices)]
    for query in queries:
        for taken, work in zip(spent, [compared, *(lambda q, one=one: asked(q, one) for one in choices)], strict=True):
            started = clock()
            work(query)
            taken.append(1e3 * (clock() - started))
    exact_ms, *ms = (statistics.median(taken) for taken in spent)
    return exact_ms, ms
