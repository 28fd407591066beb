"""The texts of the training pictures, gathered once: what the teacher reads and what the text tower learns.

Knows data.py and words.py; no tensors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from data import Pictures, class_words
from words import COLOURS, MORE_WORDS, SCENES, TAGS, TEMPLATES, attribute_phrases, fragments, street_attributes


@dataclass(frozen=True, slots=True)
class Texts:
    """`classes`: per set, class -> prompts; `attributes`: attribute -> phrases; `plain`: everything else."""

    attributes: dict[str, list[str]]
    classes: dict[str, dict[str, list[str]]]
    plain: list[str]

    def all(self) -> list[str]:
        phrases = [phrase for group in self.attributes.values() for phrase in group]
        prompts = [prompt for group in self.classes.values() for texts in group.values() for prompt in texts]
        return sorted({*phrases, *prompts, *self.plain})


def gather(flickr: Pictures, streets: Pictures, tiny: Pictures, caltech: Pictures, *, seed: int) -> Texts:
    """Attributes need three street scenes to be learnt; a class is named by its first word."""
    counts: dict[str, int] = {}
    for record in streets.scenes:
        for attribute in street_attributes(record):
            counts[attribute] = counts.get(attribute, 0) + 1
    attributes = {name: attribute_phrases(name) for name, count in sorted(counts.items()) if count >= 3}
    classes = {name: _prompts(pictures) for name, pictures in (("tiny", tiny), ("caltech", caltech))}
    captions = [caption for pictures in (flickr, streets) for texts in pictures.captions for caption in texts]
    words = [word for word, count in _counts(captions).items() if count >= 3 and len(word) > 2]
    plain = [*captions, *words, *MORE_WORDS, *fragments(captions, 12_000, seed)]
    plain += [a(f"a photo of a {word}") for word in [*words, *MORE_WORDS]]
    plain += [a(f"a road with a {word}") for word in MORE_WORDS]
    plain += [f"{colour} {word}" for colour in COLOURS for tag in TAGS.values() for word in tag]
    times = ("at night", "at sunset", "in the rain", "in the fog", "on a sunny day", "in the snow")
    plain += [
        f"{colour} {word} {time}" for colour in COLOURS for word in ("car", "truck", "bus", "van") for time in times
    ]
    plain += [a(f"a {word} {time}") for tag in TAGS.values() for word in tag for time in times]
    plain += [phrase for name in (*TAGS, *SCENES) for phrase in attribute_phrases(name)]
    return Texts(attributes, classes, plain)


def a(text: str) -> str:
    return re.sub(r"\ba (?=[aeio])", "an ", text)


def _prompts(pictures: Pictures) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for captions in pictures.captions:
        names = class_words(captions)
        if names[0] not in found:
            found[names[0]] = [a(template.format(name)) for name in names for template in TEMPLATES]
    return dict(sorted(found.items()))


def _counts(captions: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for caption in captions:
        for word in re.findall(r"[a-z]+", caption.lower()):
            counts[word] = counts.get(word, 0) + 1
    return counts
