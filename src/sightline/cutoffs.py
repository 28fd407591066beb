"""measure_cutoff(): what a cutoff keeps and what it cuts, on questions with an answer and on questions without one.

A cutoff is right when a question that nothing answers brings nothing, when the first right hit of the others stays, and
when of all that is said to be relevant with 70 % seven tenths are. docs/cutoff.md has the numbers.

    sightline eval streets:test --qrels streets --cutoff
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline import metrics
from sightline.background import Backgrounds
from sightline.encoders import Encoder
from sightline.errors import UsageError
from sightline.evaluate import WAYS, check_channels, drawn, items_of
from sightline.judgements import Judgements, Question, read
from sightline.judgements import placed as placed_among
from sightline.retrieve import fits, retrieve
from sightline.schema import Hit, Query, Term
from sightline.store import Store

FIRST = 10
"""Hits that are looked at: what `sightline search` shows."""
BINS = 10
MEASURES = ("nothing", "first_stays", "precision", "recall")
"""The higher the better; `--fail-under` takes them."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval; `n` is what it is a share of. Without any, there is no share."""

    share: float | None
    low: float | None
    high: float | None
    n: int

    def to_json(self) -> dict[str, Any]:
        ends = None if self.low is None or self.high is None else [round(self.low, 6), round(self.high, 6)]
        return {"share": None if self.share is None else round(self.share, 6), "interval": ends, "n": self.n}


@dataclass(frozen=True, slots=True)
class Bin:
    """Hits that were said to be relevant with about the same probability: what was said, what was true."""

    said: float
    true: float
    n: int


@dataclass(frozen=True, slots=True)
class CutRun:
    """One way through all questions.

    `nothing`: of the questions without an answer, those that bring no hit. `first_stays`: of the others that have a
    relevant hit among the first ten, those that keep the first such hit. `precision`: of the hits that are kept, those
    that are relevant. `recall`: of the relevant ones among the first ten, those that are kept. `kinds`: `nothing` or
    `first_stays` by kind of question. `error` is over the hits whose relevance could be said.
    """

    channel: str
    nothing: Share
    first_stays: Share
    precision: Share
    recall: Share
    error: float
    bins: tuple[Bin, ...]
    kinds: Mapping[str, Share]

    def to_json(self) -> dict[str, Any]:
        return {
            "channel": self.channel,
            **{name: getattr(self, name).to_json() for name in MEASURES},
            "calibration_error": round(self.error, 6),
            "bins": [{"said": round(one.said, 6), "true": round(one.true, 6), "n": one.n} for one in self.bins],
            "kinds": {name: share.to_json() for name, share in self.kinds.items()},
        }


@dataclass(frozen=True, slots=True)
class CutoffReport:
    """What the cutoff `cutoff` does to a collection; the first run is the one that counts."""

    model: str
    rows: int
    cutoff: float
    seed: int
    runs: tuple[CutRun, ...]
    notices: tuple[str, ...] = ()

    def __getitem__(self, measure: str) -> float:
        """A measure of the first run, e.g. `report["nothing"]`; 1 where there was nothing to measure."""
        share: float | None = getattr(self.runs[0], measure).share
        return 1.0 if share is None else share

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "rows": self.rows,
            "cutoff": self.cutoff,
            "first": FIRST,
            "seed": self.seed,
            "runs": [run.to_json() for run in self.runs],
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    """A question with its first hits, doubtful ones left out: what was said of each (None: nothing) and whether it is
    relevant.

    `nothing`: with the cutoff it brings no hit at all.
    """

    question: Question
    said: tuple[float | None, ...]
    right: tuple[bool, ...]
    nothing: bool


def measure_cutoff(
    store: Store,
    encoder: Encoder,
    *,
    qrels: Judgements,
    queries: str | os.PathLike[str] | None = None,
    channels: Sequence[str] | None = None,
    cutoff: float = 0.5,
    limit: int | None = None,
    seed: int = 0,
) -> CutoffReport:
    """Put every question of `qrels` with and without the cutoff. Those whose `relevant` is empty have no answer.

    `channels` of `evaluate.WAYS`. Raises UsageError, SourceError, CollectionError as `evaluate` does.
    """
    if not 0 < cutoff <= 1:
        raise UsageError(f"the cutoff is {cutoff}; more than 0 and at most 1 was expected")
    ways = check_channels(channels, captions=False)
    items = items_of(store)
    given = read(qrels, queries) if isinstance(qrels, (str, os.PathLike)) else qrels
    questions, notices = placed_among(given, items, unanswerable=True)
    asked = [one for one in drawn(questions, limit, seed) if not one.apart]
    backgrounds = Backgrounds(store)
    runs = tuple(_run(store, encoder, asked, way, cutoff, backgrounds, seed) for way in ways)
    return CutoffReport(encoder.name, len(items), cutoff, seed, runs, tuple(notices))


def _run(
    store: Store,
    encoder: Encoder,
    questions: Sequence[Question],
    way: str,
    cutoff: float,
    backgrounds: Backgrounds,
    seed: int,
) -> CutRun:
    def ask(words: str, least: float) -> list[Hit]:
        query = Query(raw=words, terms=(Term(text=words),))
        return list(
            retrieve(
                store,
                lambda: encoder,
                query,
                FIRST,
                load=_never,
                channels=WAYS[way],
                min_relevance=least,
                backgrounds=backgrounds,
            )
        )

    seen = []
    for question in questions:
        hits = [hit for hit in ask(question.text, 0.0) if hit.id not in question.doubtful]
        said = tuple(hit.relevance for hit in hits)
        right = tuple(question.relevant.get(hit.id, 0) > 0 for hit in hits)
        # a hit further down may be kept although none of the first is
        nothing = not any(fits(one, cutoff) for one in said) and not ask(question.text, cutoff)
        seen.append(_Seen(question, said, right, nothing))
    return _measured(way, seen, cutoff, seed)


def _measured(way: str, seen: Sequence[_Seen], cutoff: float, seed: int) -> CutRun:
    without = [one for one in seen if not one.question.relevant]
    found = [one for one in seen if one.question.relevant and any(one.right)]
    stays = {id(one): fits(one.said[one.right.index(True)], cutoff) for one in found}
    hits = [(said, right, at) for at, one in enumerate(seen) for said, right in zip(one.said, one.right, strict=True)]
    kept = [(right, at) for said, right, at in hits if fits(said, cutoff)]
    true = [(fits(said, cutoff), at) for said, right, at in hits if right]
    bins, error = _reliability([(said, right) for said, right, _ in hits if said is not None])
    kinds: dict[str, list[bool]] = {}
    for one in seen:
        if one.question.kind and (any(one.right) or not one.question.relevant):
            kinds.setdefault(one.question.kind, []).append(stays[id(one)] if one.question.relevant else one.nothing)
    return CutRun(
        channel=way,
        nothing=_share([one.nothing for one in without], seed),
        first_stays=_share([stays[id(one)] for one in found], seed),
        precision=_share([right for right, _ in kept], seed, [at for _, at in kept]),
        recall=_share([stayed for stayed, _ in true], seed, [at for _, at in true]),
        error=error,
        bins=bins,
        kinds={name: _share(values, seed) for name, values in kinds.items()},
    )


def _share(values: Sequence[bool], seed: int, groups: Sequence[int] | None = None) -> Share:
    if not values:
        return Share(None, None, None, 0)
    numbers = np.array(values, np.float64)
    low, high = metrics.interval(numbers, groups=groups, seed=seed)
    return Share(float(numbers.mean()), low, high, len(values))


def _reliability(pairs: Sequence[tuple[float, bool]]) -> tuple[tuple[Bin, ...], float]:
    """Bins of equal width, and the mean distance of what was said from what was true, weighted by their size.

    The latter is the expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015).
    """
    said, true = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], np.float64)
    places = np.minimum((said * BINS).astype(int), BINS - 1)
    bins = tuple(
        Bin(float(said[places == at].mean()), float(true[places == at].mean()), int((places == at).sum()))
        for at in range(BINS)
        if (places == at).any()
    )
    return bins, sum(abs(one.said - one.true) * one.n for one in bins) / max(len(pairs), 1)


def _never(ident: str) -> bytes:
    raise AssertionError(f"the picture of {ident} is not needed")
