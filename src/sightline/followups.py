"""followups: a question that leans on the one before -> one that stands by itself. Rules, offline, English; pure.

    is there a bus?  ·  and at night?            ->  is there a "bus at night"
    show me a dog    ·  which of them are brown? ->  which pictures show a "brown dog"

What leans on nothing stays what it is. Which pictures "the second one" means is for who has them (`pointed`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sightline.answers import Intent, Question
from sightline.forms import MARKS
from sightline.questions import understand
from sightline.schema import Filter, Query, Term

_LEAD = re.compile(r"^\s*(?:(?:and|or|but|so|ok|okay|then|now|what\s+about|how\s+about|only|just|also)\b[\s,]*)+", re.I)
_BARE = re.compile(
    r"(?P<count>how\s+many(?:\s+(?:are|were)\s+there)?)|(?P<when>when)|(?P<where>where)|(?P<which>which(?:\s+ones?)?|show\s+me)"
    r"|(?P<colour>(?:what|which)\s+colou?r)",
    re.I,
)
_BEHIND = (
    r"(?=\s*(?:[?!.,]|$)"
    r"|\s+(?:is|are|was|were|do|does|did|have|has|show|in|on|at|with|taken|from|look|doing|say|says)\b)"
)
_PRONOUN = re.compile(
    rf"\b(?:(?:some|all|any|one|most|none|both)\s+)?(?:of\s+)?(?:them|they|those|these|it|that|this){_BEHIND}"
    r"|\bof\s+(?:them|those|these|it)\b|\bis\s+it\b|\bones\b",
    re.I,
)
_PREPOSITION = re.compile(
    r"(?:in|on|at|with|without|near|from|by|during|under|behind|beside|next\s+to|over|wearing|while|outside|inside)\b",
    re.I,
)
_ELLIPTIC = re.compile(
    r"\s*(?:any|(?:is|are)\s+there\s+(?:any|one|some)|in|on|at|with|without|from|by|during|near)\b", re.I
)
_ALL_PICTURES = re.compile(r"\b(?:any|all|other)\s+(?:of\s+)?(?:the\s+|my\s+)?(?:pictures?|photos?|images?)\b", re.I)
_POINTED = re.compile(
    r"\b(?:the\s+)?(?P<nth>first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|\d{1,2}(?:st|nd|rd|th))\s+"
    r"(?:one|picture|photo|image|hit|result)\b(?!\s+(?:of|with|showing|that|i|we)\b)"
    r"|(?:\b(?:number|no\.?|picture|photo|image)\s*#?|#)(?P<number>\d{1,3})\b|\[(?P<mark>\d{1,3})\]",
    re.I,
)
_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def resolve(raw: str, before: Question | None, now: datetime | None = None) -> Question:
    """The question, with what it leaves to the one `before`. Raises QueryError."""
    if before is None or not before.query.text:
        return understand(raw, now)
    lead = _LEAD.match(raw)
    rest = raw[lead.end() :] if lead else raw
    if bare := _BARE.fullmatch(rest.strip(MARKS)):
        return _bare(raw, bare, before)
    if _PRONOUN.search(rest) and not _ALL_PICTURES.search(rest):
        asked = understand(_PRONOUN.sub(_stand_in, rest), now)
        joined = _joined(before.query, asked.query.text)
        same = asked.intent is before.intent and not asked.asked
        return _question(raw, asked, joined, before, asked.intent, before.asked if same else asked.asked)
    asked = understand(rest.strip(MARKS) if lead else rest, now) if rest.strip(MARKS) else before
    told = asked.query.text
    if lead and not told and asked.query.filters:
        return _question(raw, asked, before.query.terms, before, before.intent, before.asked)
    if (lead or _ELLIPTIC.match(rest)) and _PREPOSITION.match(told):
        return _question(raw, asked, _joined(before.query, told), before, before.intent, before.asked)
    if lead and asked.intent is Intent.WHICH and asked.query.terms:  # "and cats?"
        noun = told if before.intent is Intent.COUNT and before.asked else before.asked
        return _question(raw, asked, asked.query.terms, before, before.intent, noun)
    return replace(asked, raw=raw)


def pointed(raw: str, n: int) -> list[int]:
    """The numbers of those of `n` pictures that a question points at: "the second one", "picture 3", "[2]"."""
    numbers = []
    for match in _POINTED.finditer(raw):
        said = (match["nth"] or match["number"] or match["mark"]).lower()
        number = n if said == "last" else _NTH.index(said) + 1 if said in _NTH else int(re.sub(r"\D", "", said))
        if 1 <= number <= n and number not in numbers:
            numbers.append(number)
    return numbers


def about(raw: str, ids: Sequence[str], now: datetime | None = None) -> Question:
    """A question about these items and no others."""
    asked = understand(_POINTED.sub("pictures", raw), now)
    return replace(asked, raw=raw, query=Query(raw, tuple(Term(item=ident) for ident in ids)))


def _stand_in(match: re.Match[str]) -> str:
    return "is pictures" if match[0].lower().startswith("is") else "pictures"


def _bare(raw: str, bare: re.Match[str], before: Question) -> Question:
    kind = next(name for name, value in bare.groupdict().items() if value)
    intent = Intent.WHAT if kind == "colour" else Intent(kind)
    asked = "colour" if kind == "colour" else ""
    return replace(before, raw=raw, query=replace(before.query, raw=raw), intent=intent, asked=asked)


def _joined(before: Query, told: str) -> tuple[Term, ...]:
    """The terms of `before` with what was `told` of them: "brown dog", "dog at night"."""
    if not told:
        return before.terms
    (first, *others) = before.terms
    if len(told.split()) <= 2 and not _PREPOSITION.match(told) and not re.search(r"(?:ing|ed)\b", told):
        text = f"{told} {re.sub(r'^(?:an?|the) ', '', first.text)}"
    else:
        text = f"{first.text} {told}"
    return (replace(first, text=text), *others)


def _question(
    raw: str, asked: Question, terms: tuple[Term, ...], before: Question, intent: Intent, noun: str
) -> Question:
    kept = [one for one in before.query.filters if one.kind not in _kinds(asked.query.filters)]
    query = replace(asked.query, raw=raw, terms=terms, filters=(*kept, *asked.query.filters))
    return replace(asked, raw=raw, query=query, intent=intent, asked=noun)


def _kinds(filters: Sequence[Filter]) -> set[str]:
    """Kinds of filters that new ones replace; a span's both ends go together."""
    kinds = {one.kind for one in filters}
    spans = ({"after", "before"}, {"added-after", "added-before"})
    return kinds.union(*(span for span in spans if span & kinds))
