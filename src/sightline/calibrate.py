"""relevance: how likely it is that a hit is what was asked for, from evidence that means the same for every encoder.

A cosine says little by itself: 0.25 may be the best there is for one query and noise for another, and some pictures
are near to everything. So each hit is compared twice, in standard deviations: with the cosines of the same query to
other pictures (`rise`), and with those of the same picture to unrelated sentences (`pull`). Captions and what was read
in the picture say how much of the query's information they hold (`told`) and how many of its neighbouring words stand
side by side in them (`pairs`). A logistic model that can only rise with each of the four makes a probability of them;
its coefficients are data (`data/cutoff/cutoff.json`), fitted by `benchmarks/fit_cutoff.py`. docs/cutoff.md tells how
well that works. Arithmetic on arrays; opens no table and no model.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.background import Background
from sightline.schema import Query, Vectors
from sightline.stems import stems

Values = NDArray[np.float64]
"""One number per hit, (n,)."""

NAMES = ("rise", "pull", "told", "pairs")
FAR = (-3.0, 8.0)
"""Deviations beyond these say no more: real distributions have tails that a Gaussian has not."""
LEAST_SPREAD = 0.005
PRIOR = 16
"""A query's spread over fewer pictures than this rests mostly on that of the unrelated sentences."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for each of n hits. `rise` and `pull` in standard deviations, `told` and `pairs` in [0, 1].

    `texts`: which hits have any text at all; where they have none, nothing can be told, which is no evidence.
    """

    rise: Values
    pull: Values
    told: Values
    pairs: Values
    texts: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Head:
    """A logistic model over some of the evidence: `bias`, and by name a weight that is never below 0."""

    bias: float
    weights: Mapping[str, float]

    def __call__(self, evidence: Evidence) -> Values:
        odds = sum((weight * getattr(evidence, name) for name, weight in self.weights.items()), np.array(self.bias))
        return np.broadcast_to(1 / (1 + np.exp(-odds)), evidence.texts.shape).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence becomes a probability: by what the `vector` says, or by what the `text` says.

    `beside`: whether the vector is good enough to speak at all, also beside a text. A weak encoder has a little to say
    of every picture: it would drown what captions know for certain, and where there are none it would call nothing
    relevant, right or wrong.

    `seen`: how likely a picture whose captions do not say it shows it all the same, by its vector; for counting, where
    every picture is asked and few show it. None for an encoder of which that was not measured. `counted_from`: where as
    many pictures that do not show it are counted as others that do are not; the number is right, if not each picture.
    """

    vector: Head
    text: Head
    beside: bool
    seen: Head | None = None
    counted_from: float = 0.5

    def __call__(self, evidence: Evidence, channels: Iterable[str] = ("vector", "text")) -> Values:
        """A probability for each hit: by its text where it has any and that is asked, else by its vector.

        Where both may speak the higher one counts: captions leave out most of what a picture shows. NaN where only a
        vector could speak that is not good enough.
        """
        asked = set(channels)
        said = self.text(evidence)
        if "vector" not in asked:
            return said
        seen = self.vector(evidence) if self.beside else np.full(said.shape, np.nan)
        if asked == {"vector"}:
            return seen
        return np.where(evidence.texts, np.fmax(seen, said), seen)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Calibration:
        heads = {name: dict(told[name]) for name in ("vector", "text", "seen") if name in told}
        made = {name: Head(head.pop("bias"), head) for name, head in heads.items()}
        return cls(**made, beside=told["beside"], counted_from=told.get("counted_from", 0.5))


def calibration(fingerprint: str = "") -> Calibration:
    """The coefficients of this encoder where it was fitted itself, else those for any encoder."""
    told = _fitted()
    return Calibration.from_json(told["encoders"].get(fingerprint, told["any"]))


@functools.cache
def _fitted() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_data("cutoff.json"))
    return found


@functools.cache
def _light() -> frozenset[str]:
    """Stems that say nothing of what a picture shows, or only where in it: "somebody", "my", "towards", "photo".

    A caption need not hold them.
    """
    return frozenset(stems(_data("light.txt")))


def _data(name: str) -> str:
    return (importlib.resources.files("sightline") / "data" / "cutoff" / name).read_text("utf-8")


def can_be_said(query: Query) -> bool:
    """Whether relevance means something: what is looked for is words alone. What is left out may be anything.

    How alike two pictures have to be is nobody's to say but the person's, and a query of filters is met or not.
    """
    wanted = [term for term in query.terms if not term.excluded]
    return bool(wanted) and all(term.text for term in wanted)


def gather(
    words: str, vector: NDArray[np.float32], vectors: Vectors, texts: Sequence[str], background: Background
) -> Evidence:
    """The evidence for hits with these `vectors` (n, dim) and `texts` (captions and what was read, a line each).

    `vector` (dim,) is the query's, `words` what it says. Names of files that were found by them belong to `texts`.
    """
    cosines = (vectors @ vector).astype(np.float64)  # (n,)
    told, pairs = _said(words, texts, background)
    return Evidence(
        rise=_rise(cosines, vector, background),
        pull=_pull(cosines, vectors, background),
        told=told,
        pairs=pairs,
        texts=np.array([bool(text.strip()) for text in texts], bool),
    )


def _rise(cosines: Values, vector: NDArray[np.float32], background: Background) -> Values:
    """Against the same query's cosines to other pictures."""
    here = (background.pictures @ vector).astype(np.float64)  # (sample,)
    n = len(here)
    if not n:
        return np.zeros_like(cosines)
    mean = (n * here.mean() + PRIOR * background.mean) / (n + PRIOR)
    spread = math.sqrt((n * here.var() + PRIOR * background.spread**2) / (n + PRIOR))
    rise: Values = ((cosines - mean) / max(spread, LEAST_SPREAD)).clip(*FAR)
    return rise


def _pull(cosines: Values, vectors: Vectors, background: Background) -> Values:
    """Against the same picture's cosines to unrelated sentences."""
    if not len(background.texts):
        return np.zeros_like(cosines)
    usual = (vectors @ background.texts.T).astype(np.float64)  # (n, sentences)
    pull: Values = ((cosines - usual.mean(axis=1)) / usual.std(axis=1).clip(LEAST_SPREAD)).clip(*FAR)
    return pull


def _said(words: str, texts: Sequence[str], background: Background) -> tuple[Values, Values]:
    """`told` and `pairs` of each text. Information is that of a word's rarity in the collection (idf)."""
    light = _light() if set(stems(words)) - _light() else frozenset()
    asked = [stem for stem in stems(words) if stem not in light]
    rows = background.rows
    worth = {stem: math.log(1 + (rows + 0.5) / (background.frequencies.get(stem, 0) + 0.5)) for stem in asked}
    whole = sum(worth.values())
    side_by_side = set(itertools.pairwise(asked))
    told, pairs = np.zeros(len(texts)), np.zeros(len(texts))
    for at, text in enumerate(texts):
        lines = [[stem for stem in stems(line) if stem not in light] for line in text.split("\n") if line]
        there = {stem for line in lines for stem in line}
        told[at] = sum(value for stem, value in worth.items() if stem in there) / whole if whole else 0.0
        found = {pair for line in lines for pair in itertools.pairwise(line)}
        # where one word was asked for, the pair is the word
        pairs[at] = len(side_by_side & found) / len(side_by_side) if side_by_side else told[at]
    return told, pairs
