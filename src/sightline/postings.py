"""postings: words as the full-text index stores them, which rows hold them, and BM25 over that. Arrays alone.

The rules are those that `index.py` gives to LanceDB, so that a snapshot finds what LanceDB finds and scores it alike:
words by Unicode's word borders (UAX 29; names of files are split at every sign), lower case, English stems, stop words
left out, accents taken off. BM25 is Lucene's: k1 1.2, b 0.75, idf = ln(1 + (N - n + 0.5) / (n + 0.5)), never negative.
`speaks` says which words can be told apart so; languages without spaces need a dictionary, and LanceDB has one.

    python -c "from sightline.postings import words; print(words('Two dogs, running'))"
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.rows import FILE_WORDS, STOP_WORDS
from sightline.stems import stemmer

FIELDS = ("text", "ocr", "name")
"""What has full text: the captions, what was read in the pictures, the names of files and folders."""
K1, B = 1.2, 0.75
LONGEST = 40
"""Characters of a word; the index leaves out what is longer."""
MANY = 255
"""A word is counted so often in one row, and no further: BM25 hardly tells more of them apart."""

Slots = NDArray[np.uint32]

# Letters keep what stands between letters, digits what stands between digits; the underscore joins (UAX 29, WB6-13b).
_WORD = re.compile(r"_*[^\W_]\w*(?:(?:(?<=[^\W\d_])['’‘.·](?=[^\W\d_])|(?<=\d)[.,;'’‘](?=\d))\w+)*")
_PART = re.compile(r"[^\W_]+")
_STOPS = frozenset(STOP_WORDS)
_NAME_STOPS = _STOPS | frozenset(FILE_WORDS)
# Latin, Greek, Cyrillic, Armenian and Hangul: scripts that set words apart and have no marks inside of them
_SPOKEN = re.compile(r"(?:[\x00-\u058f\u1100-\u11ff\u1e00-\u218f\ua720-\ua7ff\uac00-\ud7ff]|[^\w])*")
_LETTERS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
"""Latin letters that Unicode does not take apart."""


def words(text: str, *, name: bool = False) -> list[str]:
    """The words of `text` in their order as they are stored; `name`: of a file and its folders."""
    found = (_PART if name else _WORD).findall(_plainly_written(text))
    stored = (_stored(word, name) for word in found if len(word) <= LONGEST)
    return [word for word in stored if word]


def speaks(text: str) -> bool:
    """Whether `words` takes this text apart as LanceDB does: no marks without a letter of their own, no fractions."""
    if text.isascii():
        return True
    composed = unicodedata.normalize("NFC", text.lower())
    return bool(_SPOKEN.fullmatch(composed)) and not any(
        unicodedata.combining(one) or _is_odd_number(one) for one in composed
    )


def _plainly_written(text: str) -> str:
    """In lower case, accents on their letters; numbers that are no digits (² ¼ ①) are no part of a word."""
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", text.lower())
    return "".join(" " if _is_odd_number(one) else one for one in composed)


def _is_odd_number(one: str) -> bool:
    return one.isnumeric() and unicodedata.category(one) == "No"


@functools.lru_cache(maxsize=100_000)
def _stored(word: str, name: bool) -> str:
    """The stem of a word without accents; empty for a stop word."""
    stem = word if word.isdigit() else stemmer()(word)
    if stem in (_NAME_STOPS if name else _STOPS):
        return ""
    return stem if stem.isascii() else "".join(map(_plain, stem))


def _plain(letter: str) -> str:
    """A Latin letter without its accent; letters of other scripts stay what they are."""
    first = unicodedata.normalize("NFKD", letter)[0]
    return first if first.isascii() else _LETTERS.get(letter, letter)


@dataclass(frozen=True, slots=True)
class Posting:
    """The rows that hold one word of one field, by rising slot (n,), and how often each does (n,)."""

    slots: Slots
    counts: NDArray[np.uint8]

    @classmethod
    def joined(cls, parts: Sequence[Posting]) -> Posting:
        """Of several segments, whose slots rise from one to the next."""
        if not parts:
            return cls(np.empty(0, np.uint32), np.empty(0, np.uint8))
        return cls(np.concatenate([one.slots for one in parts]), np.concatenate([one.counts for one in parts]))


@dataclass(slots=True)
class Words:
    """The words of rows as they come, by field: what one update adds. `lengths` has the words of each row's fields."""

    lengths: list[tuple[int, ...]] = field(default_factory=list)
    _slots: dict[tuple[int, str], array[int]] = field(default_factory=lambda: defaultdict(lambda: array("I")))
    _counts: dict[tuple[int, str], bytearray] = field(default_factory=lambda: defaultdict(bytearray))

    def add(self, slot: int, texts: Sequence[str]) -> None:
        """A row; `texts` in the order of FIELDS. Slots have to rise."""
        lengths = []
        for number, text in enumerate(texts):
            found = words(text, name=FIELDS[number] == "name") if text else []
            lengths.append(min(len(found), 65_535))
            for word, times in Counter(found).items():
                self._slots[number, word].append(slot)
                self._counts[number, word].append(min(times, MANY))
        self.lengths.append(tuple(lengths))

    def postings(self) -> Iterator[tuple[int, str, Posting]]:
        """(number of the field, word, posting), sorted as a file keeps them."""
        for key in sorted(self._slots):
            yield (*key, Posting(np.array(self._slots[key], np.uint32), np.frombuffer(self._counts[key], np.uint8)))


@dataclass(frozen=True, slots=True)
class Field:
    """What BM25 needs of all rows: how many have words, and how many words those have on average."""

    rows: int
    mean: float

    @classmethod
    def of(cls, lengths: NDArray[np.uint16], alive: NDArray[np.bool_]) -> Field:
        telling = lengths[alive & (lengths > 0)]
        return cls(len(telling), float(telling.mean(dtype=np.float64)) if len(telling) else 0.0)


def bm25(
    postings: Iterable[Posting], lengths: NDArray[np.uint16], alive: NDArray[np.bool_], told: Field | None = None
) -> NDArray[np.float32]:
    """The score of every slot (n,), 0 where no word stands; words of a query count as often as they are in it.

    lengths (n,): words of the rows in that field; alive (n,): rows that are there. Others count for nothing. `told`
    is made of those two where it is not given.
    """
    scores = np.zeros(len(lengths), np.float32)
    told = told or Field.of(lengths, alive)
    if not told.rows:
        return scores
    for one in postings:
        there = one.slots < len(alive)
        slots, counts = (one.slots, one.counts) if there.all() else (one.slots[there], one.counts[there])
        living = alive[slots]
        if not living.all():
            slots, counts = slots[living], counts[living]
        idf = math.log(1 + (told.rows - len(slots) + 0.5) / (len(slots) + 0.5))
        often = counts.astype(np.float32)
        damped = often + np.float32(K1) * (np.float32(1 - B) + np.float32(B / told.mean) * lengths[slots])
        scores[slots] += np.float32(idf * (K1 + 1)) * often / damped
    return scores
