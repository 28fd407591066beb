"""The query language: what a person types -> Query, and back. Pure; reads a file only when the query names one.

    query    = part { (" + " | " - ") part }      " - " leaves out what looks like the part, or what a filter says
    part     = { filter } [ term ] { filter }     filters hold for the whole query, wherever they stand
    term     = words | weight ":" word | weight ":(" words ")" | picture | "id:" ITEM
    words    = plain words, and "literal words" in double quotes (a quote in them is written \\")
    picture  = ./a.jpg  ../a.jpg  /a/b.jpg  ~/a.jpg  file:a.jpg  file:"a - b.jpg"
    filter   = ("after:" | "before:" | "on:" | "added:" | "added-after:" | "added-before:") DATE
             | "type:" MODALITY | "in:" FOLDER | "camera:" NAME | "text:" PHRASE
             | "has:" ("caption" | "camera" | "place" | "date" | "text") | near:"LATITUDE,LONGITUDE,KMkm"
    DATE     = 2024 | 2024-06 | 2024-06-03 | 2024-06-03T18:30 | yesterday | last-summer | "3 June 2024" | …  (`dates`)

Values with spaces stand in double quotes. Plain phrases of time in unquoted words ("a few days ago") become filters
(`phrases`). Everything that is none of this is words: `16:9`, `rock-n-roll`, `12" record`. For users: docs/query.md.

    python -c "from sightline import query; print(query.parse('2:dog - cat after:2024-06'))"
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

from sightline import dates, phrases
from sightline.dates import Span
from sightline.errors import QueryError
from sightline.schema import Filter, Modality, Near, Place, Query, Term

MOST_CHARACTERS = 10_000
MOST_TERMS = 100
MOST_BYTES = 512 * 2**20
MOST_WEIGHT = 100
HAS = ("caption", "camera", "place", "date", "text")
_PATHS = ("./", "../", "/", "~/", "file:")
_DATED = {"after": "after", "before": "before", "on": "", "added": "added-", "added-after": "", "added-before": ""}
KEYS = (*_DATED, "type", "in", "camera", "has", "text", "near")
_KEY = re.compile(rf"({'|'.join(sorted(KEYS, key=len, reverse=True))}):", re.IGNORECASE)
_WEIGHT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?):(?=[^\d\s])")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NEAR = re.compile(
    r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*(?:,\s*(\d+(?:\.\d+)?)\s*(km|m|mi)?\s*)?", re.IGNORECASE
)
_KM = {"km": 1.0, "m": 0.001, "mi": 1.609344}
_LITERAL = 'to search for it as it stands, write it in "double quotes" or use --literal'


def parse(
    text: str,
    *,
    where: str | None = None,
    literal: bool = False,
    now: datetime | None = None,
    files: bool = True,
) -> Query:
    """Understand `text`. `literal`: take all of it as words. `now`: what "yesterday" counts from (naive: local time).

    `files` False: what would name a picture's file is refused, and nothing is read: for what a stranger typed. Raises
    QueryError, and only that: it is empty, too long, names a picture that cannot be read, or cannot be meant.
    """
    typed = text.strip()
    if not typed:
        raise QueryError("the query is empty", hint='say what to look for, e.g. "a road with a stop sign"')
    if len(typed) > MOST_CHARACTERS:
        raise QueryError(f"the query has {len(typed):,} characters; at most {MOST_CHARACTERS:,} are read")
    if literal:
        return Query(raw=text, terms=(Term(text=typed),), where=where)
    if files and typed.startswith(_PATHS) and _is_file(_path_of(typed)):  # a name may hold anything, also " - "
        return Query(raw=text, terms=(_picture(typed, _path_of(typed), text, 0),), where=where)
    here = dates.local(now or datetime.now())
    return replace(_Reader(text, here, files=files).query(), where=where)


def write(query: Query) -> str:
    """The query in its own language: parsing that gives an equal one. For queries whose pictures came from files."""
    parts: list[str] = []
    for term in query.terms:
        joint = " - " if term.excluded else " + " if parts else ""
        parts += [joint, _written(term)]
    kept = [f" {one.kind}:{_value(one)}" for one in query.filters if not one.excluded]
    dropped = [f" - {one.kind}:{_value(one)}" for one in query.filters if one.excluded]
    return "".join([*parts, *kept, *dropped]).strip()


# ---- reading: characters -> tokens -> parts -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is word, quoted, weight, filter, + or -; `start` and `end` are places in the query."""

    kind: str
    text: str
    start: int
    end: int
    key: str = ""
    quoted: bool = False


class _Reader:
    """One query, or with `inner` what a weight's parentheses hold: no weights and no phrases of time in there."""

    def __init__(self, text: str, now: datetime, *, inner: bool = False, files: bool = True) -> None:
        self.text, self.now, self.inner, self.files = text, now, inner, files
        self.terms: list[Term] = []
        self.filters: list[Filter] = []

    def query(self) -> Query:
        sign: _Token | None = None
        part: list[_Token] = []
        for token in self._tokens():
            if token.kind not in "+-":
                part.append(token)
                continue
            if not part and (sign is not None or token.kind == "+"):
                raise self._error(f"nothing stands before this '{token.kind}'", token.start, _LITERAL)
            if part:
                self._part(part, sign)
            sign, part = token, []
        if not part and sign is not None:
            raise self._error(f"nothing stands behind this '{sign.kind}'", sign.start, _LITERAL)
        self._part(part, sign)
        if self.terms and all(term.excluded for term in self.terms):
            raise self._error("this only says what to leave out", 0, "say what to look for as well: horse - zebra")
        if len(self.terms) > MOST_TERMS:
            raise self._error(f"the query has {len(self.terms)} terms; at most {MOST_TERMS} are read", 0)
        filters = sorted(self.filters, key=lambda one: one.excluded)
        return Query(raw=self.text, terms=tuple(self.terms), filters=tuple(filters))

    def _tokens(self) -> list[_Token]:
        found: list[_Token] = []
        at = 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
                continue
            token = self._token(at, after_space=at == 0 or self.text[at - 1].isspace())
            found.append(token)
            at = token.end
        return found

    def _token(self, at: int, *, after_space: bool) -> _Token:
        text, end = self.text, self._word_end(at)
        if not after_space:  # right behind a closing quote
            return _Token("word", text[at:end], at, end)
        if text[at:end] in ("+", "-"):
            return _Token(text[at], text[at], at, end)
        if text[at] == '"':
            value, end = self._quoted(at)
            return _Token("quoted", value, at, end)
        if key := _KEY.match(text, at):
            name = key[1].lower()
            if text[key.end() : key.end() + 1] == '"':
                value, end = self._quoted(key.end())
                if end < len(text) and not text[end].isspace():
                    raise self._error("a space is missing behind the closing quote", end)
                return _Token("filter", value, at, end, name, quoted=True)
            return _Token("filter", text[key.end() : end], at, end, name)
        if weight := _WEIGHT.match(text, at):
            return self._weighted(at, weight)
        for key_word in ("id:", "file:"):
            if text.startswith(f'{key_word}"', at):
                value, end = self._quoted(at + len(key_word))
                return _Token("word", value, at, end, key_word, quoted=True)
        return _Token("word", text[at:end], at, end)

    def _weighted(self, at: int, weight: re.Match[str]) -> _Token:
        text, start = self.text, weight.end()
        if text[start] == "(":
            end = self._closing(start)
            if end < len(text) and not text[end].isspace():
                raise self._error("a space is missing behind the closing parenthesis", end)
        elif text[start] == '"' or text.startswith(('id:"', 'file:"'), start):
            end = self._quoted(text.index('"', start))[1]
        else:
            end = self._word_end(start)
        return _Token("weight", text[start:end], at, end, weight[1])

    def _word_end(self, at: int) -> int:
        while at < len(self.text) and not self.text[at].isspace():
            at += 1
        return at

    def _quoted(self, at: int) -> tuple[str, int]:
        match = _QUOTED.match(self.text, at)
        if match is None:
            raise self._error("this quote is not closed", at, 'close it with ", or write \\" for a quote that is meant')
        return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), match.end()

    def _closing(self, at: int) -> int:
        depth, place = 0, at
        while place < len(self.text):
            if self.text[place] == '"' and (self.text[place - 1] == "(" or self.text[place - 1].isspace()):
                place = self._quoted(place)[1]
                continue
            depth += {"(": 1, ")": -1}.get(self.text[place], 0)
            place += 1
            if depth == 0:
                return place
        raise self._error("this parenthesis is not closed", at, "close it with )")

    # -- parts ------------------------------------------------------------------------------------------------

    def _part(self, tokens: Sequence[_Token], sign: _Token | None) -> None:
        excluded = sign is not None and sign.kind == "-"
        if excluded and tokens and tokens[0].kind == "filter":
            self.filters += [replace(one, excluded=True) for one in self._single(tokens[0])]
            tokens, excluded = tokens[1:], False
            for token in tokens:
                if token.kind != "filter":
                    raise self._error(
                        "these words stand behind a filter that is left out", token.start, "join them with + or -"
                    )
        for token in tokens:
            if token.kind == "filter":
                self.filters += self._filters(token)
        if rest := [token for token in tokens if token.kind != "filter"]:
            self._term(rest, tokens, excluded)

    def _term(self, rest: Sequence[_Token], tokens: Sequence[_Token], excluded: bool) -> None:
        first, sign = rest[0], -1.0 if excluded else 1.0
        for token in rest:
            if token.kind == "weight" and len(rest) > 1:
                said = f"{token.key}:({' '.join(one.text for one in rest)})"
                raise self._error(
                    f"'{token.key}:' weighs one word or what is in ( )", token.start, f"for example {said}"
                )
        if first.kind == "weight":
            self.terms.append(replace(self._weighed(first), weight=sign * self._weight(first)))
        elif first.key:
            self._alone(rest, first)
            self.terms.append(replace(self._named(first.key, first.text, first.start), weight=sign))
        elif first.kind == "word" and first.text.startswith("id:"):
            self._alone(rest, first)
            self.terms.append(replace(self._named("id:", first.text[3:], first.start), weight=sign))
        else:
            text = self._joined(rest, tokens)
            if first.kind == "word" and text.startswith(_PATHS):
                self.terms.append(replace(self._picture(text, _path_of(text), first.start), weight=sign))
            else:
                self._words(text, rest, excluded)

    def _words(self, text: str, rest: Sequence[_Token], excluded: bool) -> None:
        if not self.inner and not excluded and all(token.kind == "word" for token in rest):
            understood = phrases.understand(text, self.now)
            for phrase in understood.phrases:
                self.filters += _from_span(phrase.span, "added-" if phrase.added else "", said=phrase.said)
            text = understood.text
            if not text and understood.phrases:
                return
        if not text.strip():
            raise self._error("there is nothing between these quotes", rest[0].start)
        self.terms.append(Term(text=text.strip(), weight=-1.0 if excluded else 1.0))

    def _joined(self, rest: Sequence[_Token], tokens: Sequence[_Token]) -> str:
        """The words as they were typed, spaces included, without what stood between them."""
        text, before = "", None
        for token in tokens:
            if token.kind == "filter":
                before = None
                continue
            gap = " " if before is None else self.text[before.end : token.start]
            text += (gap if text else "") + token.text
            before = token
        return text

    def _weighed(self, token: _Token) -> Term:
        if self.inner:
            raise self._error("a weight in a weight", token.start, _LITERAL)
        inner = token.text
        if inner.startswith("(") and inner.endswith(")"):
            inner = inner[1:-1]
        start = token.end - len(inner) - (1 if token.text.startswith("(") else 0)
        reader = _Reader(inner, self.now, inner=True, files=self.files)
        try:
            query = reader.query()
        except QueryError as error:
            at = None if error.at is None else start + error.at
            raise QueryError(str(error), hint=error.hint, text=self.text, at=at) from None
        if len(query.terms) != 1 or query.filters or query.terms[0].weight != 1:
            raise self._error(
                f"'{token.key}:' weighs words, a picture or an item",
                token.start,
                f"for example {token.key}:(two words)",
            )
        return query.terms[0]

    def _weight(self, token: _Token) -> float:
        weight = float(token.key)
        if not 0 < weight <= MOST_WEIGHT:
            raise self._error(
                f"the weight is {token.key}; more than 0 and at most {MOST_WEIGHT} was expected", token.start
            )
        return weight

    def _alone(self, rest: Sequence[_Token], first: _Token) -> None:
        if len(rest) > 1:
            raise self._error(
                f"these words stand behind '{first.key or 'id:'}…'", rest[1].start, "join them with + or -"
            )

    def _named(self, key: str, value: str, at: int) -> Term:
        if key == "file:":
            return self._picture(f'file:"{value}"', value, at)
        if not value.strip():
            raise self._error("'id:' names no item", at, "write id: and the id that search --json shows")
        return Term(item=value.strip())

    def _picture(self, typed: str, path: str, at: int) -> Term:
        if not self.files:
            raise self._error("no file is read here: ask in words", at, _LITERAL)
        return _picture(typed, path, self.text, at)

    # -- filters ----------------------------------------------------------------------------------------------

    def _single(self, token: _Token) -> list[Filter]:
        """The filter of a token that is left out; a span of time has two ends and cannot be."""
        found = self._filters(token)
        if len(found) > 1:
            raise self._error(f"'{token.key}:' cannot be left out", token.start, "use before: and after:")
        return found

    def _filters(self, token: _Token) -> list[Filter]:
        key, value = token.key, token.text.strip()
        at = token.start + len(key) + 1
        if not value:
            raise self._error(f"'{key}:' needs a value", at - 1, f"for example {_EXAMPLES[key]}; {_LITERAL}")
        if key in _DATED:
            return self._dated(key, value, at)
        if key == "near":
            return [Filter("near", self._near(value, at))]
        if key in _CHOICES:
            value = value.lower()
            if value not in _CHOICES[key]:
                raise self._error(f"'{key}:' knows {', '.join(_CHOICES[key])}", at, f"for example {_EXAMPLES[key]}")
        if key == "in" and not value.strip("/"):
            raise self._error("'in:' needs the name of a folder", at, f"for example {_EXAMPLES[key]}")
        return [Filter(key, value)]

    def _dated(self, key: str, value: str, at: int) -> list[Filter]:
        span = dates.read(value, self.now)
        if span is None:
            raise self._error(
                f"'{value[:60]}' is no date that is understood",
                at,
                'write 2024, 2024-06, 2024-06-03, yesterday, "3 June 2024"',
            )
        if key in ("on", "added"):
            return _from_span(span, _DATED[key])
        edge = span.start or span.end
        return [] if edge is None else [Filter(key, dates.utc(edge))]

    def _near(self, value: str, at: int) -> Near:
        match = _NEAR.fullmatch(value)
        if match is None:
            raise self._error("a place is written LATITUDE,LONGITUDE,DISTANCE", at, f"for example {_EXAMPLES['near']}")
        place = Place(round(float(match[1]), 6), round(float(match[2]), 6))
        if abs(place.latitude) > 90 or abs(place.longitude) > 180:
            raise self._error("latitudes go from -90 to 90, longitudes from -180 to 180", at)
        km = round(float(match[3] or 1) * _KM[(match[4] or "km").lower()], 6)
        if not 0 < km <= 20_100:
            raise self._error("the distance is more than 0 and at most half way round the earth", at)
        return Near(place, km)

    def _error(self, message: str, at: int, hint: str = "") -> QueryError:
        return QueryError(message, hint=hint, text=self.text, at=at)


_CHOICES = {"type": tuple(str(one.value) for one in Modality), "has": HAS}
_EXAMPLES = {
    "after": "after:2024-06",
    "before": "before:yesterday",
    "on": "on:2024-06-03",
    "added": "added:today",
    "added-after": "added-after:2024-06",
    "added-before": "added-before:yesterday",
    "type": "type:video",
    "in": "in:holiday",
    "camera": "camera:canon",
    "has": "has:caption",
    "text": 'text:"stop sign"',
    "near": 'near:"48.85,2.35,10km"',
}


def _from_span(span: Span, prefix: str, *, said: str = "") -> list[Filter]:
    """The filters `after` and `before` that a span means; `prefix` is `added-` or nothing."""
    ends = (("after", span.start), ("before", span.end))
    return [Filter(prefix + kind, dates.utc(end), said=said) for kind, end in ends if end is not None]


# ---- pictures -------------------------------------------------------------------------------------------------


def _path_of(typed: str) -> str:
    if typed.startswith("file://"):
        return os.fsdecode(unquote_to_bytes(typed.removeprefix("file://").encode("utf-8", "surrogateescape")))
    return typed.removeprefix("file:")


def _is_file(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def _picture(typed: str, path: str, text: str, at: int) -> Term:
    try:
        data = _bytes_of(Path(path).expanduser())
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise QueryError(
            f"the picture '{typed}' cannot be read: {reason}",
            hint="words that begin with ./ ../ / ~/ or file: name a picture; quote nothing else that way",
            text=text,
            at=None if text.strip() == typed else at,
        ) from None
    return Term(picture=data, name=Path(path).name, path=path)


def _bytes_of(path: Path) -> bytes:
    seen = path.stat()
    if not stat.S_ISREG(seen.st_mode) and not stat.S_ISDIR(seen.st_mode):
        raise ValueError("it is no file")  # a pipe or a device might never end
    if seen.st_size > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 2**20} MiB")
    return path.read_bytes()


# ---- writing --------------------------------------------------------------------------------------------------


def _written(term: Term) -> str:
    if term.picture is not None:
        what = f"file:{_in_quotes(term.path)}"
    elif term.item:
        what = f"id:{_in_quotes(term.item)}" if _needs_quotes(term.item) else f"id:{term.item}"
    else:
        what = term.text if abs(term.weight) == 1 and _reads_back(term.text) else _in_quotes(term.text)
    return what if abs(term.weight) == 1 else f"{_digits(abs(term.weight))}:{what}"


def _value(one: Filter) -> str:
    if isinstance(one.value, datetime):
        return dates.written(one.value)
    value = str(one.value)
    return _in_quotes(value) if one.kind == "near" or _needs_quotes(value) else value


def _needs_quotes(value: str) -> bool:
    return not value or any(char.isspace() or char in '"\\' for char in value)


def _in_quotes(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


@functools.lru_cache(maxsize=256)  # a page writes each of its queries for every picture
def _reads_back(text: str) -> bool:
    """Whether the words alone, on whatever day, mean nothing but themselves."""
    if text.startswith(_PATHS):
        return False
    try:
        found = _Reader(text, datetime(2000, 1, 1)).query()
    except QueryError:
        return False
    return not found.filters and found.terms == (Term(text=text),)


def _digits(weight: float) -> str:
    return f"{weight:.4f}".rstrip("0").rstrip(".")
