"""questions: what a person asks -> what to look for, and what to answer. Rules, offline, English; pure.

    how many girls were there at my party last June?   ->  "girls at my party", taken in June; how many "girls"
    what colour is the bus in:holiday                  ->  "bus" in holiday; its "colour"

A question is a form ("how many … are there") around what is looked for, which is read by the query language
(docs/query.md) without files. The words before it may be misspelt. What fits no form, also in another language, is
looked for with all its words.

    python -c "from sightline.questions import understand; print(understand('is there a dog in any photo?').to_json())"
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from sightline import forms
from sightline import query as query_language
from sightline.answers import Intent, Question
from sightline.errors import QueryError
from sightline.forms import AUX, BE, EVER, MARKS, MY, PICTURE, SEE, SHOW, WHO
from sightline.schema import Query

LONGEST = 500
"""Characters of a question that rules look at; a longer text is looked for as it is."""


def understand(raw: str, now: datetime | None = None) -> Question:
    """The question as rules read it. `now` is what "yesterday" counts from.

    Raises QueryError, and only that: it is empty, too long, or what is looked for cannot be meant. Without terms and
    filters its query means all pictures ("how many pictures do I have?").
    """
    if len(raw) > LONGEST:
        return Question(raw=raw, query=query_language.parse(raw, now=now, files=False), intent=Intent.WHAT)
    words, filters = _without_filters(raw)
    read = forms.read(words) or forms.Read(Intent.WHAT if words.endswith("?") else Intent.WHICH, words.strip(MARKS))
    query = _query(raw, _wanted(read.wanted), words, filters, now)
    return Question(raw=raw, query=replace(query, raw=raw), intent=read.intent, asked=read.asked)


def _query(raw: str, wanted: str, words: str, filters: str, now: datetime | None) -> Query:
    if not wanted and not filters and _ALL.search(words):
        return Query(raw=raw, terms=())
    text = f"{wanted} {filters}".strip() or words.strip(MARKS) or raw
    try:
        return query_language.parse(text, now=now, files=False)
    except QueryError:
        query_language.parse(raw, now=now, files=False)  # what cannot be meant is shown where it was typed
        raise


# ---- words ----------------------------------------------------------------------------------------------------

_ALL = re.compile(rf"\b{PICTURE}\b|\b(?:items?|things|files|everything|collection)\b", re.I)
_PLACE = rf"(?:{PICTURE}|collection|library|gallery|albums?|archive|camera roll|data ?set|catalogue|catalog)"
_FROM_PICTURES = (
    rf"(?:an? )?{PICTURE} (?:(?:that|which|where|in which|on which) )?(?:(?:there )?(?:is|are|was|were) )?"
    rf"(?:(?:i|we|you) (?:can )?(?:have|see|took|find) )?(?:{SHOW} |there {BE} )?"
)
_LEADING = re.compile(
    rf"^(?:(?:any|some|all|the|my|our|your|these|those|this|that|every|each|ever|also|of|there|both|been|to|me|us) "
    rf"|{BE} |(?:where|when|while|that|which|who) |be (?:seen|found) "
    rf"|(?:do|does|did|have|has) (?={WHO}\b)|(?:i|we|you) (?:{EVER}{SEE} )|(?:shows?|contains?|having) "
    rf"|{_FROM_PICTURES}(?=\S)|(?:somewhere|anywhere) )",
    re.I,
)
_TRAILING = re.compile(
    rf"(?:^| )(?:(?:in|on|among|within|from|across|throughout|of|over) {MY}{_PLACE}(?: here)?"
    rf"|{AUX} {WHO} {EVER}{SEE}(?: (?:of|with))?|(?:can|could|to) be (?:seen|found)"
    rf"|(?:that )?(?:can|could) (?:you|we|i) {SEE}"
    rf"|{BE} (?:there|visible|shown|seen|present|pictured|depicted|in view|in (?:it|them)|on (?:it|them))"
    r"|(?:that )?you (?:know of|can find|can see|have|found)|there(?: (?:is|are|was|were))?|here|please|pls"
    r"|thanks|thank you"
    r"|at all|in total|in all|altogether|overall|anywhere|somewhere|on camera|in (?:it|them)|on (?:it|them)"
    rf"|exists?|appears?|occurs?|visible|{AUX}|(?<=\w\s)(?:pictures?|photos?|photographs?|images?))$",
    re.I,
)


_PASSING = re.compile(r"\b(?:pass(?:es|ed)?|meets?|met) (?=(?:the|a|an|my|some) )", re.I)
_RELATIVE = re.compile(rf" (?:that|which|who) {BE} ", re.I)


_NOTHING = re.compile(rf"{MY}(?:(?:an? )?{PICTURE}|{WHO}|them|of|with)? ?", re.I)


def _wanted(text: str) -> str:
    """What is looked for, without the words around it that only ask."""
    before, text = None, _RELATIVE.sub(" ", _PASSING.sub("and ", text))
    while before != text:
        before = text
        text = " ".join(text.strip(MARKS).split())
        for loose in (_TRAILING, _LEADING):
            text = loose.sub("", text)
    return "" if _NOTHING.fullmatch(f"{text} ") else text


def _without_filters(raw: str) -> tuple[str, str]:
    """The words of a question, and the filters of the query language that stand among them."""
    text = " ".join(raw.split())
    found = [match[0].strip() for match in _FILTER.finditer(text)]
    return " ".join(_FILTER.sub(" ", text).split()), " ".join(found)


_FILTER = re.compile(
    rf"(?<!\S)(?:- )?(?:{'|'.join(sorted(query_language.KEYS, key=len, reverse=True))}):"
    r"(?:\"(?:[^\"\\]|\\.)*\"(?!\S)|[^\s\"]\S*?(?=[?!]*(?:\s|$)))",
    re.I,
)
