"""What a step of the training shows and asks: pictures of each set, a crop of each, captions, questions.

What step number n draws depends on the seed and n alone, so that a run that was stopped goes on as if it had not been.
Knows numpy; no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocket.data import SETS, Pictures, class_words
from pocket.photographs import nameable, named
from pocket.scenes import TRUE, Floats, Scenes
from pocket.teacher import Teacher
from pocket.texts import Texts

Rows = NDArray[np.int64]

CAPTIONED = ("flickr8k_train", "streets")
CLASSES = {"tiny_imagenet_32k": "tiny", "caltech101_80": "caltech"}
LEAST_CROP = {"flickr8k_train": 0.4, "streets": 0.25, "tiny_imagenet_32k": 0.5, "caltech101_80": 0.4}  # share of area
QUESTIONS = 320
"""Asked of all street scenes of a batch; the more of them, the less chance there is in what a scene is asked."""
AIMED = 0.6
"""Share of the questions that a scene of the batch answers; the others are drawn from all."""
BANK = 2048
"""Captions of other pictures that serve as further negatives."""


@dataclass(slots=True)
class Batch:
    """Rows of each set, and of each of them: the teacher's row of one caption, the crop (n, 4) of left, top, right and
    bottom in [0, 1], and whether it is mirrored.
    """

    rows: dict[str, Rows]
    captions: dict[str, list[int]]
    sided: NDArray[np.bool_]
    """Street scenes whose caption says left or right: they are not to be mirrored."""
    crops: dict[str, Floats] = field(default_factory=dict)
    flips: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


class Batches:
    """Draws from the training parts of all sets; `scenes` and `classes` say what is true of the pictures."""

    def __init__(self, sets: Mapping[str, Pictures], texts: Texts, teacher: Teacher, *, seed: int) -> None:
        self._seed = seed
        self.sizes = {name: len(sets[name]) for name in SETS}
        self._captions = {name: [teacher.rows(own) for own in sets[name].captions] for name in CAPTIONED}
        self._sided = [["left" in c or "right" in c for c in captions] for captions in sets["streets"].captions]
        bank = [(row, owner) for owner, rows in enumerate(self._captions["flickr8k_train"]) for row in rows]
        self._bank = np.array(bank)
        self.classes: dict[str, tuple[Rows, list[list[int]]]] = {}
        """Of each set of CLASSES: the class of each picture, and the teacher's rows of each class's prompts."""
        for name in CLASSES:
            index = {word: number for number, word in enumerate(texts.classes[name])}
            labels = np.array([index[class_words(captions)[0]] for captions in sets[name].captions])
            self.classes[name] = (labels, [teacher.rows(prompts) for prompts in texts.classes[name].values()])
        self.scenes = Scenes(sets["streets"].records)
        questions = [one for one in texts.questions() if self.scenes.knows(one.needs)]
        self._words = np.array(teacher.rows(question.words for question in questions))
        self._needs = self.scenes.needs([question.needs for question in questions])
        whole = self.scenes.seen(range(len(self.scenes)))
        answers = [self.scenes.answers(self._needs, whole[at : at + 64]) == TRUE for at in range(0, len(whole), 64)]
        self._answered = [np.flatnonzero(row).astype(np.int32) for part in answers for row in part]
        self.nameable = nameable(self.scenes.attributes)
        self.named = named(sets["flickr8k_train"].captions, [self.scenes.attributes[at] for at in self.nameable])
        """(photographs, nameable) states of the attributes `nameable`, by their captions."""
        self._orders: dict[tuple[str, int], Rows] = {}

    def rng(self, step: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, step])

    def draw(self, rng: np.random.Generator, step: int, counts: Mapping[str, int]) -> Batch:
        """Batch number `step`, with as many pictures of each set as `counts` says: whole, not mirrored."""
        rows = {name: self._draw(name, step * counts[name], counts[name]) for name in SETS}
        chosen = {
            name: [int(rng.integers(len(own[row]))) for row in rows[name]] for name, own in self._captions.items()
        }
        captions = {
            name: [own[row][at] for row, at in zip(rows[name], chosen[name], strict=True)]
            for name, own in self._captions.items()
        }
        sided = [self._sided[row][at] for row, at in zip(rows["streets"], chosen["streets"], strict=True)]
        crops = {name: np.tile([0.0, 0.0, 1.0, 1.0], (count, 1)) for name, count in counts.items()}
        flips = {name: np.zeros(count, bool) for name, count in counts.items()}
        return Batch(rows, captions, np.array(sided), crops, flips)

    def crop(self, rng: np.random.Generator, batch: Batch) -> None:
        """Gives every picture of the batch a crop, and mirrors one in two."""
        for name, rows in batch.rows.items():
            batch.crops[name] = crops(rng, len(rows), LEAST_CROP[name])
            batch.flips[name] = rng.random(len(rows)) < 0.5
        batch.flips["streets"] &= ~batch.sided

    def bank(self, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """BANK captions of photographs: the teacher's rows, and the pictures that they belong to."""
        drawn = self._bank[rng.integers(len(self._bank), size=BANK)]
        return drawn[:, 0], drawn[:, 1]

    def questions(self, rng: np.random.Generator, rows: Rows, count: int = QUESTIONS) -> tuple[Rows, Rows]:
        """`count` questions about street scenes, many of them answered by `rows`: the teacher's rows, and the needs."""
        aimed = [
            own[rng.integers(len(own))]
            for own in (self._answered[row] for row in rng.choice(rows, round(AIMED * count)))
            if len(own)
        ]
        others = rng.integers(len(self._words), size=count - len(aimed))
        picked = np.concatenate([np.array(aimed, np.int64), others])
        return self._words[picked], self._needs[picked]

    def _draw(self, name: str, first: int, count: int) -> Rows:
        """The pictures number `first` and following: every picture once before any comes twice."""
        n = self.sizes[name]
        places = np.arange(first, first + count)
        return np.array([self._order(name, int(at // n))[at % n] for at in places])

    def _order(self, name: str, epoch: int) -> Rows:
        if (name, epoch) not in self._orders:
            self._orders = {key: order for key, order in self._orders.items() if key[0] != name or key[1] == epoch - 1}
            rng = np.random.default_rng([self._seed, SETS.index(name), epoch])
            self._orders[name, epoch] = rng.permutation(self.sizes[name])
        return self._orders[name, epoch]


def crops(rng: np.random.Generator, count: int, least: float) -> Floats:
    """(count, 4) left, top, right, bottom in [0, 1]: area from `least` to 1, one in four whole, aspect up to 4:3."""
    area, aspect = rng.uniform(least, 1.0, count), np.exp(rng.uniform(-0.15, 0.15, count))
    area, aspect = np.where(rng.random(count) < 0.25, 1.0, area), np.where(area > 0.95, 1.0, aspect)
    width, height = np.minimum(np.sqrt(area) * aspect, 1), np.minimum(np.sqrt(area) / aspect, 1)
    left, top = rng.random(count) * (1 - width), rng.random(count) * (1 - height)
    return np.stack([left, top, left + width, top + height], 1)
