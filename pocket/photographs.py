"""Which things of our street scenes the captions of a photograph name, so that "a dog" is the same in both.

Three states, as in scenes.py: what no caption names is taken to be absent, unless another word may mean it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from streets.truth import GROUPS

from pocket.scenes import FALSE, TRUE, UNKNOWN
from pocket.words import NOUNS, plural

SURE = 2
"""Captions that must name a thing for it to be there; a single one may be about something else."""
SOMEBODY = re.compile(
    r"\b(?:boys?|girls?|child|children|kids?|bab(?:y|ies)|toddlers?|guys?|lad(?:y|ies)|teams?|groups?|crowds?|couples?"
    r"|famil(?:y|ies)|friends?|someone|he|she|his|her|(?:\w*board|play|surf|ski|rid|climb|runn|swimm|hik|danc|work)ers?"
    r"|\w+ists?)\b"
)
"""Words behind which there may be a person."""


def nameable(attributes: Sequence[str]) -> list[int]:
    """The attributes that are things by themselves, without a colour, an action or a number."""
    return [at for at, name in enumerate(attributes) if name in NOUNS]


def named(captions: Sequence[Sequence[str]], attributes: Sequence[str]) -> NDArray[np.float32]:
    """(photographs, attributes) states, of NOUNS, by what their captions say."""
    patterns = [_pattern(name) for name in attributes]
    place = {name: at for at, name in enumerate(attributes)}
    states = np.full((len(captions), len(attributes)), FALSE, np.float32)
    for row, own in zip(states, captions, strict=True):
        lowered = [caption.lower() for caption in own]
        for at, pattern in enumerate(patterns):
            times = sum(pattern.search(caption) is not None for caption in lowered)
            row[at] = TRUE if times >= min(SURE, len(own)) else UNKNOWN if times else FALSE
        if "person" in place and row[place["person"]] == FALSE and any(map(SOMEBODY.search, lowered)):
            row[place["person"]] = UNKNOWN
        _grouped(row, place)
    return states


def _grouped(row: NDArray[np.float32], place: dict[str, int]) -> None:
    """What is true of a kind is true of its group; a group that is named may be any of its kinds."""
    said = row.copy()
    for group, members in GROUPS.items():
        within = {name for name, others in GROUPS.items() if others < members}
        kinds = [place[name] for name in members | within if name in place]
        if group in place and kinds:
            row[place[group]] = max(said[place[group]], said[kinds].max())
            if said[place[group]] != FALSE:
                row[kinds] = np.maximum(row[kinds], UNKNOWN)


def _pattern(attribute: str) -> re.Pattern[str]:
    names = [name.lower() for noun in NOUNS[attribute] for name in (noun, plural(noun))]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
