"""passing: the filters of a query over a snapshot, in SQLite; what passes is what `conditions` lets pass in LanceDB.

What was typed is a parameter and never SQL. SQLite lacks regular expressions with Unicode's word borders and distances
on the globe, so `teach` gives them to a connection, by the rules of LanceDB's engine (Rust's `regex`: letters, marks,
digits and joining signs make words). `tests/test_passing.py` holds both to the same answers. Known to differ: Turkish
dotless and dotted i, which Python takes for the same letter in small and large.
"""

from __future__ import annotations

import functools
import math
import re
import sqlite3
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.conditions import EARTH_KM, HAS, OF_KIND, folded_folder, has_edge, in_any_number, wanted
from sightline.schema import Filter, Near, whole

Clause: TypeAlias = tuple[str, list[str | int | float]]
"""SQL with `?`, and what stands for those."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = np.iinfo(np.int64).min
"""Stands for a time that is not known."""
TABLE_OF = {"type": "traits", "in": "traits", "text": "texts", "words": "texts"}
"""Where a filter is looked up: traits are what many rows share, texts what is long. Others are of the row."""
TEXTS = ("caption", "text")
"""What `has` asks of texts."""


def clause(one: Filter) -> Clause:
    """What fulfils a filter, in the table that `table_of` names. Never NULL for a filter that is turned round."""
    test, values = _one(one)
    return (f"({test}) IS NOT TRUE" if one.excluded else test), values


def table_of(one: Filter) -> str:
    return "texts" if one.kind == "has" and one.value in TEXTS else TABLE_OF.get(one.kind, "rows")


def in_time(one: Filter, moment: datetime, times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `times` (n,), in microseconds or NEVER, fulfil a filter over a time."""
    since = OF_KIND[one.kind][1] == ">="
    asked = microseconds(moment)
    fulfils = (times >= asked) if since else (times < asked) & (times != NEVER)
    return ~fulfils if one.excluded else fulfils


def teach(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that `clause` uses."""
    connection.create_function("stands", 2, _stands, deterministic=True)
    connection.create_function("apart", 4, _apart, deterministic=True)


def microseconds(moment: datetime) -> int:
    """Since 1970, as a snapshot keeps times."""
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def _one(one: Filter) -> Clause:
    if isinstance(one.value, Near):
        return _near(one.value)
    value = str(one.value)  # times are not looked up but compared: in_time
    if one.kind == "has":
        return HAS[value], []
    return {"type": _type, "in": _in, "camera": _camera, "text": _phrase, "words": _words}[one.kind](whole(value))


def _type(value: str) -> Clause:
    return "modality = ?", [value]


def _in(folder: str) -> Clause:
    return "instr(folded_name, ?) OR instr(folded_uri, ?)", [*folded_folder(folder)]


def _camera(name: str) -> Clause:
    return "instr(folded_camera, ?)", [name.lower()]


def _near(near: Near) -> Clause:
    place = near.place
    known = "latitude IS NOT NULL AND longitude IS NOT NULL"
    given = [float(f"{one:.9f}") for one in (place.latitude, place.longitude, near.km)]
    return f"{known} AND apart(latitude, longitude, ?, ?) <= ?", [*given]


def _phrase(words: str) -> Clause:
    spec = _spec(words, r"[^\S\x1c-\x1f]+".join(map(re.escape, words.split())))
    hint = _hint(words)
    tests = [f"(instr(lower({column}), ?) AND stands(?, {column}))" for column in ("text", "ocr")]
    return " OR ".join(tests), [hint, spec, hint, spec]


def _words(words: str) -> Clause:
    tests: list[str] = []
    values: list[str | int | float] = []
    for word in wanted(words):
        stem, endings = in_any_number(word)
        tests.append("(instr(lower(text), ?) AND stands(?, text))")
        values += [_hint(stem), _spec(word, re.escape(stem) + endings)]
    return " AND ".join(tests) or "FALSE", values


def _hint(words: str) -> str:
    """A part that must be there in any case, which SQLite finds far quicker: ASCII, and none of the two letters that
    have a relative beyond it (the Kelvin sign, the long s)."""
    return max(re.split("[^a-jl-rt-z0-9]+", words.lower()), key=len)


def _spec(words: str, pattern: str) -> str:
    """A pattern, and whether a word has to begin and to end with it."""
    return f"{has_edge(words[:1]):d}{has_edge(words[-1:]):d}{pattern}"


def _stands(spec: str, text: str | None) -> bool | None:
    """Whether the pattern stands in the text as whole words."""
    if text is None:
        return None
    begins, ends, pattern = _compiled(spec)
    for found in pattern.finditer(text):
        first, last = found.span(1)
        if not ((begins and not _is_border(text, first)) or (ends and not _is_border(text, last))):
            return True
    return False


@functools.lru_cache(maxsize=256)
def _compiled(spec: str) -> tuple[bool, bool, re.Pattern[str]]:
    # looking ahead finds the matches that lie over others as well
    return spec[0] == "1", spec[1] == "1", re.compile(f"(?=({spec[2:]}))", re.IGNORECASE)


def _is_border(text: str, at: int) -> bool:
    return (at > 0 and _is_of_word(text[at - 1])) != (at < len(text) and _is_of_word(text[at]))


def _is_of_word(char: str) -> bool:
    kind = unicodedata.category(char)
    if kind[0] in "LM" or kind in ("Nd", "Nl", "Pc"):
        return True
    circled = "\u24b6" <= char <= "\u24e9" or "\U0001f130" <= char <= "\U0001f189"
    return (kind == "So" and circled) or char in "\u200c\u200d"


def _apart(latitude: float | None, longitude: float | None, other: float, along: float) -> float | None:
    """Kilometres between two places, by the haversine formula."""
    if latitude is None or longitude is None:
        return None
    up = math.sin(math.radians(latitude - other) / 2) ** 2
    across = math.sin(math.radians(longitude - along) / 2) ** 2
    chord = up + math.cos(math.radians(latitude)) * math.cos(math.radians(other)) * across
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(chord)))
