"""phrases: plain words of time in a query -> spans, and the words that are left. English only, precision first.

    the brown short dog I added a few days ago    ->  "brown short dog", added, since seven days before now
    the beach last summer at sunset               ->  "beach at sunset", taken, June to August

A phrase counts only where nothing else can be meant: it is one of the forms below, and a noun neither follows it ("last
summer dresses") nor claims it ("the yesterday show"). A month, weekday or day alone ("in June", "on Monday") may well
be what a picture shows, so it needs "taken", "I added" or the like before it. What a phrase means, `dates` reads.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import datetime

from sightline import dates
from sightline.dates import MONTH, NUMBER, PART, SEASON, UNIT, WEEKDAY, Span

LONGEST = 500
"""Characters of a text that is looked through; what is longer is no request but a text."""
MOST = 4
"""Phrases that are understood in one text."""
_YEAR = r"\d{4}"
_NTH = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = rf"(?:{_NTH}(?: of)? {MONTH},? {_YEAR}|{MONTH} {_NTH},? {_YEAR}|{_YEAR}-\d\d(?:-\d\d)?)"
_IN = r"(?:in |during |on |from )?(?:the )?"
_SURE = "|".join(
    (
        rf"(?:about |around )?{NUMBER} {UNIT} ago",
        rf"(?:yesterday|this|last) {PART}",
        r"the day before yesterday|yesterday|today",
        rf"(?:(?:in|over|during|within|from) )?the (?:last|past) (?:{NUMBER} )?{UNIT}",
        r"(?:from )?(?:this|last) (?:week|weekend|month|year)",
        rf"(?:from |on )?last {WEEKDAY}(?: {PART})?",
        rf"(?:from |in )?last {MONTH}",
        rf"{_IN}(?:this|last) {SEASON}",
        rf"{_IN}{SEASON} (?:of )?{_YEAR}",
        rf"(?:from |in )?{MONTH},? (?:of )?{_YEAR}",
        rf"(?:from |on )?(?:the )?{_DATE}",
        rf"in (?:the year )?{_YEAR}",
    )
)
_TOLD = "|".join(  # what means a time only after a verb
    (
        _SURE,
        rf"(?:in|during) (?:the )?(?:{MONTH}|{SEASON} (?:of )?{_YEAR})",
        rf"on (?:the )?(?:{_NTH}(?: of)? {MONTH}|{MONTH} {_NTH})",
        rf"on {WEEKDAY}(?: {PART})?",
        rf"{MONTH} {_YEAR}",
    )
)
_ANCHOR = rf"(?:{_SURE}|{_YEAR})"
_SINCE = rf"(?P<since>since|before|after|until) (?P<edge>{_ANCHOR})"
_BETWEEN = rf"(?:between|from) (?P<first>{_ANCHOR}) (?:and|to|until) (?P<second>{_ANCHOR})"
_WHO = r"(?:(?:that |which )?(?:i|we)(?:'ve|’ve| have| had)?,? (?:just )?)"
_ADDING = (
    rf"(?:{_WHO}?(?:added|imported|uploaded|indexed)|{_WHO}(?:saved|sent(?: to)?(?: you)?|gave(?: to)? you|put in))"
)
_TAKING = rf"(?:{_WHO}?(?:taken|photographed|snapped)|{_WHO}(?:took|shot|captured|made))"
_VERB = rf"(?:(?P<added>{_ADDING})|(?P<taken>{_TAKING}))"
_BEFORE = r"(?<![\w'’-])"
_AFTER = r"(?![\w'’-])"


def _compiled(pattern: str) -> re.Pattern[str]:
    # a name may stand in a pattern once: the spans' own groups are not wanted here
    bare = re.sub(r"\((?!\?)", "(?:", pattern)
    return re.compile(rf"{_BEFORE}(?:{bare}){_AFTER}", re.IGNORECASE)


_BARE_YEAR = re.compile(rf"(?:in (?:the year )?)?({_YEAR})", re.IGNORECASE)


@functools.cache
def _forms() -> tuple[re.Pattern[str], ...]:
    """Compiled when a query has a hint of time: that takes longer than to import all the rest of this."""
    return tuple(
        _compiled(form)
        for form in (
            rf"{_VERB} (?:{_SINCE})",
            rf"{_VERB} (?:{_BETWEEN})",
            rf"{_VERB} (?P<time>{_TOLD})",
            rf"(?P<time>{_SURE}),? (?:(?P<added>{_WHO}(?:added|imported|uploaded|saved|sent(?: you)?|gave you)))",
            rf"(?P<time>{_SURE}),? (?:(?P<taken>{_WHO}(?:took|shot|photographed)))",
            _SINCE,
            _BETWEEN,
            rf"(?P<time>{_SURE})",
        )
    )


_HINT = re.compile(r"\d|ago|yesterday|today|last|past|this|in |on |since|before|after|during", re.IGNORECASE)
_FOLLOWS = re.compile(
    r"\s*(?:$|[,.;:!?)]|(?:with|at|in|on|by|near|when|where|and|or|from|under|next|beside|behind|over|during|after|before"
    r"|while|showing|that|which|without|between|a (?:picture|photo)|i|we|can|could)\b)",
    re.IGNORECASE,
)
"""What may stand behind a phrase. Anything else may be a noun that it belongs to."""
_CLAIMS = re.compile(r"\b(?:a|an|the|of|my|your|our|every|each|next|like|called|named|than)\s+$", re.IGNORECASE)
"""What may not stand before a phrase that has no verb."""
_ASKING_AFTER = re.compile(
    r"[,.;!?]?\s*(?:can|could|would|will) you (?:please )?(?:find|show|get|search)\b.*$|[,.]?\s*please$", re.I
)
_ASKING_BEFORE = re.compile(
    r"^(?:(?:can|could|would) you )?(?:please )?(?:find|show|get|give|search for|look for)(?: me)?\s+", re.I
)
_PICTURES = re.compile(
    r"^(?:all )?(?:(?:the|a|an|my|our|some|any|those|that)\s+)?"
    r"(?:pictures?|photos?|photographs?|images?|pics?|snapshots?)"
    r"(?:\s+(?:of|with|showing)\b|\s*$)\s*",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|a|an|my|our|some|any|that|those)\s+", re.IGNORECASE)
_LOOSE = re.compile(r"(?:^|\s)(?:from|and|,)\s*$|^\s*(?:and|,)\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A time that a text speaks of, in the words `said`: of being taken, or of being `added` to the collection."""

    said: str
    span: Span
    added: bool


@dataclass(frozen=True, slots=True)
class Understood:
    """What is left of a text without its phrases of time."""

    text: str
    phrases: tuple[Phrase, ...]


def understand(text: str, now: datetime) -> Understood:
    """The phrases of time in `text`, read as of `now` (naive local time); without one the text is as it was."""
    if len(text) > LONGEST or not _HINT.search(text):
        return Understood(text, ())
    found: list[Phrase] = []
    left = text
    while len(found) < MOST and (one := _first(left, now)) is not None:
        match, phrase = one
        found.append(phrase)
        left = f"{left[: match.start()].rstrip()} {left[match.end() :].lstrip()}"
    return Understood(_tidy(left) if found else text, tuple(found))


def _first(text: str, now: datetime) -> tuple[re.Match[str], Phrase] | None:
    for form in _forms():
        for match in form.finditer(text):
            phrase = _phrase(match, text, now)
            if phrase is not None:
                return match, phrase
    return None


def _phrase(match: re.Match[str], text: str, now: datetime) -> Phrase | None:
    groups = match.groupdict()
    added, taken = groups.get("added"), groups.get("taken")
    if not _FOLLOWS.match(text, match.end()) and not (added or taken):
        return None
    if not (added or taken) and _CLAIMS.search(text, 0, match.start()):
        return None
    if not (added or taken) and any(
        _implausible(groups.get(name), now) for name in ("time", "edge", "first", "second")
    ):
        return None
    span = _span(groups, now)
    return None if span is None else Phrase(match[0], span, bool(added))


def _span(groups: dict[str, str | None], now: datetime) -> Span | None:
    if groups.get("first") and groups.get("second"):
        first, second = dates.read(groups["first"] or "", now), dates.read(groups["second"] or "", now)
        return None if first is None or second is None else Span(first.start, second.end)
    if groups.get("edge"):
        edge = dates.read(groups["edge"] or "", now)
        if edge is None:
            return None
        return {
            "since": Span(edge.start, None),
            "after": Span(edge.end or edge.start, None),
            "before": Span(None, edge.start),
        }.get((groups["since"] or "").lower(), Span(None, edge.end))
    said = groups.get("time") or ""
    if year := _BARE_YEAR.fullmatch(said):
        said = year[1]
    return dates.read(re.sub(r"^(?:in|over|during|within|from) the (?:last|past)\b", "past", said, flags=re.I), now)


def _implausible(said: str | None, now: datetime) -> bool:
    """Whether this is a bare year that no digital picture was taken in: "in 1965" may be what one shows."""
    year = _BARE_YEAR.fullmatch(said or "")
    return year is not None and not 1990 <= int(year[1]) <= now.year


def _tidy(text: str) -> str:
    """Without the words that asked for pictures and what hangs loose: what is looked for remains."""
    before = None
    while before != text:
        before = text
        text = " ".join(text.split())
        for loose in (_ASKING_AFTER, _ASKING_BEFORE, _PICTURES, _ARTICLE, _LOOSE):
            text = loose.sub("", text)
        text = text.strip(" ,.;:!?")
    return text
