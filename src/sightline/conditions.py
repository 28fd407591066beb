"""conditions: the filters of a query -> one where-clause over the columns. The only place where filters become SQL.

What a person typed gets in as a quoted literal, a number or a time, and nowhere else. LanceDB's own `Expr.to_sql` does
not do for that: it leaves a quote behind a backslash as it is, and the literal ends there (LanceDB 0.40; docs/LOG.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from sightline.rows import STOP_WORDS
from sightline.schema import Filter, Near, whole

EARTH_KM = 6371.0088
"""Mean radius (IUGG)."""
OF_KIND = {
    "after": ("captured_at", ">="),
    "before": ("captured_at", "<"),
    "added-after": ("added_at", ">="),
    "added-before": ("added_at", "<"),
}
HAS = {
    "caption": "coalesce(text, '') <> ''",
    "camera": "coalesce(camera, '') <> ''",
    "place": "latitude IS NOT NULL",
    "date": "captured_at IS NOT NULL",
    "text": "coalesce(ocr, '') <> ''",
}


def condition(filters: Sequence[Filter]) -> str:
    """SQL for which rows fulfil all of `filters`; empty for none. Never NULL for a filter that is turned round."""
    return " AND ".join(f"(({_one(one)}) IS NOT TRUE)" if one.excluded else f"({_one(one)})" for one in filters)


def columns_of(filters: Iterable[Filter]) -> set[str]:
    """The columns of LATER that these filters look at."""
    found: set[str] = set()
    for one in filters:
        if one.kind == "camera" or (one.kind, one.value) == ("has", "camera"):
            found.add("camera")
        if one.kind == "near" or (one.kind, one.value) == ("has", "place"):
            found.add("latitude")
    return found


def _one(one: Filter) -> str:
    if isinstance(one.value, datetime):
        column, sign = OF_KIND[one.kind]
        return f"{column} {sign} TIMESTAMP '{one.value.astimezone(UTC).isoformat()}'"
    if isinstance(one.value, Near):
        return _near(one.value)
    if one.kind == "has":
        return HAS[one.value]
    return {"type": _type, "in": _in, "camera": _camera, "text": _phrase, "words": _words}[one.kind](one.value)


def _type(value: str) -> str:
    return f"modality = {_literal(value)}"


def _in(folder: str) -> str:
    """A folder, or several one in the other, somewhere in the item's name or uri; large and small letters are alike."""
    name, uri = folded_folder(folder)
    return f"contains(lower(concat('/', name)), {_literal(name)}) OR contains(lower(uri), {_literal(uri)})"


def folded_folder(folder: str) -> tuple[str, str]:
    """How a folder stands in a name and in a uri, both in lower case."""
    name = "/" + folder.strip("/").lower() + "/"
    return name, quote(os.fsencode(re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", name))).lower()


def _camera(name: str) -> str:
    return f"contains(lower(camera), {_literal(name.lower())})"


def _phrase(words: str) -> str:
    """The words side by side, as whole words, in a caption or in the text that the picture shows."""
    parts = [_regex(word) for word in words.split()]
    pattern = "(?i)" + _edge(words[:1]) + r"\s+".join(parts) + _edge(words[-1:])
    return f"regexp_like(text, {_literal(pattern)}) OR regexp_like(ocr, {_literal(pattern)})"


def _words(words: str) -> str:
    """Every word that says something, as a whole word in one or many, somewhere in the captions. FALSE for none."""
    tests = []
    for word in wanted(words):
        stem, endings = in_any_number(word)
        pattern = f"(?i){_edge(word[:1])}{_regex(stem)}{endings}{_edge(word[-1:])}"
        tests.append(f"regexp_like(text, {_literal(pattern)})")
    return " AND ".join(tests) or "FALSE"


def wanted(words: str) -> list[str]:
    """The different words that say something, in lower case."""
    found = [word for word in re.findall(r"[^\W_]+", words.lower()) if word not in STOP_WORDS]
    return list(dict.fromkeys(found))


def in_any_number(word: str) -> tuple[str, str]:
    """What an English noun begins with in singular and plural, and a pattern of its ends: dog dogs, puppy puppies."""
    if not word.isascii() or len(word) < 3:
        return word, ""
    if word.endswith("ies") or (word.endswith("y") and word[-2] not in "aeiou"):
        return word.removesuffix("ies").removesuffix("y"), "(?:y|ies|ie)"
    for plural in ("sses", "shes", "ches", "xes", "s"):
        if word.endswith(plural) and not word.endswith(("ss", "us", "is")):
            word = word.removesuffix("es" if len(plural) > 1 else "s")
            break
    return word, "(?:s|es)?"


def _near(near: Near) -> str:
    """Great-circle distance by the haversine formula, which stays exact for small distances."""
    latitude, longitude = _number(near.place.latitude), _number(near.place.longitude)
    up = f"power(sin(radians(latitude - {latitude}) / 2.0), 2.0)"
    along = f"power(sin(radians(longitude - {longitude}) / 2.0), 2.0)"
    chord = f"{up} + cos(radians(latitude)) * cos(radians({latitude})) * {along}"
    known = "latitude IS NOT NULL AND longitude IS NOT NULL"  # least(1.0, NULL) is 1.0
    return f"{known} AND {_number(2 * EARTH_KM)} * asin(least(1.0, sqrt({chord}))) <= {_number(near.km)}"


def _number(value: float) -> str:
    return f"({value:.9f})"


def _regex(word: str) -> str:
    """A word that a regular expression of Rust takes literally."""
    return "".join(c if c.isalnum() or ord(c) > 0x7F else f"\\x{{{ord(c):x}}}" for c in word)


def _edge(char: str) -> str:
    return r"\b" if has_edge(char) else ""


def has_edge(char: str) -> bool:
    """Whether a word ends where this character does: in Latin, Greek, Cyrillic, Armenian, which put spaces between."""
    return char.isalnum() and ord(char) < 0x0590


def _literal(value: str) -> str:
    """A string literal of SQL."""
    return "'" + whole(value).replace("'", "''") + "'"
