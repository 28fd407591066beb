"""How good a ranking is, and how sure one may be of it: plain functions on ids and arrays, one value per query.

`ranked` holds each query's ids, best first; `relevant` each query's relevant ids with their gains (1 where relevance is
yes or no), at least one of them above zero. Knows nothing of stores or encoders. The definitions are those of
trec_eval; tests/test_evaluate.py holds them to ir-measures.

    python -c "from sightline.metrics import recall; print(recall([['a', 'b']], [{'b': 1}], 5))"
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
"""One number per query, (q,), or per resample."""
Ranked: TypeAlias = Sequence[Sequence[Hashable]]
Relevant: TypeAlias = Sequence[Mapping[Any, float]]

RESAMPLES = 2_000
CONFIDENCE = 0.95


def recall(ranked: Ranked, relevant: Relevant, k: int) -> Values:
    """Recall@k: 1 for a query with a relevant item among the first k, else 0; the mean is the share of such queries.

    One relevant item is enough, however many there are: retrieval papers call this recall@k, trec_eval success@k.
    """
    return np.array([_first(ids[:k], gains) > 0 for ids, gains in zip(ranked, relevant, strict=True)], np.float64)


def precision(ranked: Ranked, relevant: Relevant, k: int) -> Values:
    """Precision@k: the share of the first k that is relevant; a shorter ranking has nothing in its last places."""
    return np.array(
        [sum(gains.get(ident, 0) > 0 for ident in ids[:k]) / k for ids, gains in zip(ranked, relevant, strict=True)],
        np.float64,
    )


def reciprocal_rank(ranked: Ranked, relevant: Relevant) -> Values:
    """1 / rank of the first relevant item, 0 where none is in the ranking; the mean is the MRR."""
    ranks = [_first(ids, gains) for ids, gains in zip(ranked, relevant, strict=True)]
    return np.array([1 / rank if rank else 0.0 for rank in ranks], np.float64)


def ndcg(ranked: Ranked, relevant: Relevant, k: int) -> Values:
    """nDCG@k: gains discounted by log2(rank + 1), over those of the best order of all relevant items.

    The gain is the judgement itself, not 2^judgement - 1 (trec_eval's form; Järvelin and Kekäläinen 2002).
    """
    return np.array([_ndcg(ids, gains, k) for ids, gains in zip(ranked, relevant, strict=True)], np.float64)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better `b` is than `a`: mean of the differences, its interval, the share of resamples above zero."""

    difference: float
    low: float
    high: float
    share_above: float


def interval(values: Values, *, groups: Sequence[Hashable] | None = None, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean of `values` (q,), over queries (Efron 1979).

    `groups` names what is drawn together: captions of one picture are not independent queries. Where all values are
    equal the interval has no width, which says nothing about queries that were not asked.
    """
    low, high = np.quantile(_resampled(values, groups, seed), _tails())
    return float(low), float(high)


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share, `right` of `n` (Wilson 1927): it has a width also where all are right."""
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"0 to n of at least 1 was expected, not {right} of {n}")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, middle = right / n, (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * (n * share * (1 - share) + z * z / 4) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def compare(a: Values, b: Values, *, groups: Sequence[Hashable] | None = None, seed: int = 0) -> Difference:
    """`b` - `a` over the same queries in the same order, each resample drawing the same queries of both."""
    if a.shape != b.shape:
        raise ValueError(f"two runs over the same queries were expected, not {a.shape} and {b.shape}")
    resampled = _resampled(b - a, groups, seed)
    low, high = np.quantile(resampled, _tails())
    return Difference(float((b - a).mean()), float(low), float(high), float((resampled > 0).mean()))


def _first(ids: Sequence[Hashable], gains: Mapping[Any, float]) -> int:
    """The 1-based rank of the first relevant id, or 0."""
    return next((rank for rank, ident in enumerate(ids, start=1) if gains.get(ident, 0) > 0), 0)


def _ndcg(ids: Sequence[Hashable], gains: Mapping[Any, float], k: int) -> float:
    best = sorted((max(gain, 0.0) for gain in gains.values()), reverse=True)[:k]
    return _dcg([max(gains.get(ident, 0.0), 0.0) for ident in ids[:k]]) / _dcg(best)


def _dcg(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains, start=1)))


def _tails() -> tuple[float, float]:
    return (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2


def _resampled(values: Values, groups: Sequence[Hashable] | None, seed: int) -> Values:
    """The mean of each of RESAMPLES draws of as many groups as there are, with replacement."""
    places = {group: at for at, group in enumerate(dict.fromkeys(groups))} if groups is not None else {}
    member = np.array([places[group] for group in groups]) if groups is not None else np.arange(len(values))
    sums, sizes = np.bincount(member, values), np.bincount(member)  # (g,), (g,)
    rng = np.random.default_rng(seed)
    means: list[Values] = []
    for _ in range(RESAMPLES // 100):  # a hundred at a time: memory stays small with many queries
        drawn = rng.integers(0, len(sums), (100, len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)
