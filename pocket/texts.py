"""The texts of the training, gathered once: what the teacher reads and what the text tower learns. Knows no tensors."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pocket.data import Pictures, class_words
from pocket.scenes import common
from pocket.words import (
    CLASS_TEMPLATES,
    COLOURS,
    MORE_WORDS,
    NOUNS,
    Question,
    articled,
    circumstances,
    compounds,
    fragments,
    singles,
)

COMPOUNDS, FRAGMENTS = 16_000, 12_000


@dataclass(frozen=True, slots=True)
class Texts:
    """`classes`: per set, class -> prompts; questions about street scenes; `plain`: everything else about the pictures;
    `words`: of words at large, of which nothing is known but where the teacher puts them.
    """

    classes: dict[str, dict[str, list[str]]]
    singles: list[Question]
    compounds: list[Question]
    plain: list[str]
    words: list[str]

    def all(self) -> list[str]:
        return sorted({*self.about(), *self.words})

    def about(self) -> list[str]:
        """All but those of words at large."""
        return sorted({*(question.words for question in self.questions()), *self.prompts(), *self.plain})

    def questions(self) -> list[Question]:
        """All about street scenes."""
        return [*self.singles, *self.compounds]

    def prompts(self) -> list[str]:
        """Of all classes."""
        return [prompt for group in self.classes.values() for texts in group.values() for prompt in texts]


def gather(sets: dict[str, Pictures], *, seed: int, vocabulary: Sequence[str] = ()) -> Texts:
    """All texts about these sets (data.SETS), and of a `vocabulary`; a class is named by its first word."""
    streets = sets["streets"]
    attributes = common(streets.records)
    known = set(attributes)
    of_scenes = [known & set(record["attributes"]) for record in streets.records]
    classes = {name: _prompts(sets[name]) for name in ("tiny_imagenet_32k", "caltech101_80")}
    captions = [c for name in ("flickr8k_train", "streets") for texts in sets[name].captions for c in texts]
    words = [word for word, count in _counts(captions).items() if count >= 3 and len(word) > 2]
    plain = [*captions, *words, *MORE_WORDS, *fragments(captions, FRAGMENTS, seed)]
    plain += [articled(f"a photo of a {word}") for word in [*words, *MORE_WORDS]]
    plain += [articled(f"a road with a {word}") for word in MORE_WORDS]
    nouns = [noun for own in NOUNS.values() for noun in own]
    plain += [articled(f"a {colour} {noun}") for own in COLOURS.values() for colour in own for noun in nouns]
    plain += [articled(f"a {noun} in the snow") for noun in nouns]
    rng = random.Random(seed)
    at_large = [
        text
        for word in vocabulary
        for text in (word, articled(f"a photo of a {word}"), articled(f"a {word} {rng.choice(nouns)}"))
    ]
    asked = [*compounds(random.Random(seed), of_scenes, COMPOUNDS), *circumstances(attributes)]
    return Texts(classes, singles(attributes), asked, plain, at_large)


def _prompts(pictures: Pictures) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for captions in pictures.captions:
        names = class_words(captions)
        if names[0] not in found:
            found[names[0]] = [articled(template.format(name)) for name in names for template in CLASS_TEMPLATES]
    return dict(sorted(found.items()))


def _counts(captions: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for caption in captions:
        for word in re.findall(r"[a-z]+", caption.lower()):
            counts[word] = counts.get(word, 0) + 1
    return counts
