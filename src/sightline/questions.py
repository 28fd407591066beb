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
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sightline import query as query_language
from sightline.answers import Intent, Question
from sightline.errors import QueryError
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
    read = _read(words) or _Read(Intent.WHAT if words.endswith("?") else Intent.WHICH, words.strip(_MARKS))
    query = _query(raw, _wanted(read.wanted), words, filters, now)
    return Question(raw=raw, query=replace(query, raw=raw), intent=read.intent, asked=read.asked)


@dataclass(frozen=True, slots=True)
class _Read:
    intent: Intent
    wanted: str
    asked: str = ""


def _query(raw: str, wanted: str, words: str, filters: str, now: datetime | None) -> Query:
    if not wanted and not filters and _ALL.search(words):
        return Query(raw=raw, terms=())
    text = f"{wanted} {filters}".strip() or words.strip(_MARKS) or raw
    try:
        return query_language.parse(text, now=now, files=False)
    except QueryError:
        if text == raw:
            raise
    return query_language.parse(raw, now=now, files=False)  # what cannot be meant is shown where it was typed


# ---- words ----------------------------------------------------------------------------------------------------

_MARKS = " ?!.,;:¿¡"
_PICTURE = r"(?:pictures?|photos?|photographs?|images?|pics?|snapshots?|shots?|frames?|scenes?|footage)"
_ALL = re.compile(rf"\b{_PICTURE}\b|\b(?:items?|things|files|everything|collection)\b", re.I)
_PLACE = rf"(?:{_PICTURE}|collection|library|gallery|albums?|archive|camera roll|data ?set|catalogue|catalog)"
_MY = r"(?:(?:all|any|some|one|each|every|none|most|of|the|my|our|your|their|these|those|this|that|other)\s+)*"
_WHO = r"(?:i|we|you|they|he|she|one|anyone|anybody|someone|somebody|people|it)"
_BE = r"(?:is|are|was|were|isn't|aren't|wasn't|weren't)"
_AUX = rf"(?:{_BE}|do|does|did|don't|doesn't|didn't|have|has|had|haven't|hasn't|can|could|will|would|might|may)"
_SHOW = (
    r"(?:shows?|showed|showing|contains?|containing|contained|have|has|having|had|features?|featuring|includes?|including"
    r"|depicts?|depicting|displays?|displaying|with|of|about|from)"
)
_SEE = (
    r"(?:have|had|has|own|got|gotten|get|see|seen|saw|find|found|take|taken|took|photograph(?:ed)?|snap(?:ped)?|shoot|shot"
    r"|capture(?:d)?|record(?:ed)?|film(?:ed)?|possess|keep|kept|spot(?:ted)?|notice(?:d)?|encounter(?:ed)?|meet|met|make"
    r"|made|visit(?:ed)?|been to|been in|go to|gone to|went to|come across|know of|happen to have|happen to see)"
)
_EVER = r"(?:(?:ever|already|also|even|actually|really|just|by any chance|happen to|still)\s+)*"
_FROM_PICTURES = (
    rf"(?:an?\s+)?{_PICTURE}\s+(?:(?:that|which|where|in which|on which)\s+)?(?:(?:there\s+)?(?:is|are|was|were)\s+)?"
    rf"(?:(?:i|we|you)\s+(?:can\s+)?(?:have|see|took|find)\s+)?(?:{_SHOW}\s+|there\s+{_BE}\s+)?"
)

_POLITE = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|so|well|and|but|now|then|please|pls|just|um|say|sightline)\b[,!.]?\s+"
    r"|(?:can|could|would|will)\s+you\s+(?:please\s+)?(?=(?:tell|show|find|give|get|list|count|search|look|describe|say|help)\b)"
    r"|(?:please\s+)?(?:tell|remind)\s+(?:me|us)\s+(?!about\b)(?:please\s+)?|(?:do|does)\s+(?:you|anyone)\s+know\s+"
    r"|i(?:'d| would)? (?:wonder|want to know|like to know|need to know|am wondering|'m wondering)\s+|(?:if|whether)\s+(?=there\b))",
    re.I,
)
_CONTRACTED = re.compile(
    r"\b(what|where|who|when|how|there|which)(?:['’]s|s\b(?=\s+(?:the|a|an|in|on|my|that|this)\b))", re.I
)

_LEADING = re.compile(
    rf"^(?:(?:any|some|all|the|my|our|your|these|those|this|that|every|each|ever|also|of|there|both|been|to|me|us)\s+"
    rf"|{_BE}\s+|(?:do|does|did|have|has)\s+(?={_WHO}\b)|(?:i|we|you)\s+(?:{_EVER}{_SEE}\s+)|(?:shows?|contains?|having)\s+"
    rf"|{_FROM_PICTURES}(?=\S)|(?:somewhere|anywhere)\s+)",
    re.I,
)
_TRAILING = re.compile(
    rf"(?:^|\s+)(?:(?:in|on|among|within|from|across|throughout|of|over)\s+{_MY}{_PLACE}(?:\s+here)?"
    rf"|{_AUX}\s+{_WHO}\s+{_EVER}{_SEE}(?:\s+(?:of|with))?|(?:can|could|to)\s+be\s+(?:seen|found)|(?:that\s+)?(?:can|could)\s+(?:you|we|i)\s+{_SEE}"
    rf"|{_BE}\s+(?:there|visible|shown|seen|present|pictured|depicted|in view|in (?:it|them)|on (?:it|them))"
    r"|(?:that\s+)?you\s+(?:know of|can find|can see|have|found)|there(?:\s+(?:is|are|was|were))?|here|please|pls|thanks|thank you"
    r"|at all|in total|in all|altogether|overall|anywhere|somewhere|on camera|in (?:it|them)|on (?:it|them)"
    rf"|exists?|appears?|occurs?|visible|{_AUX}|(?<=\w\s)(?:pictures?|photos?|photographs?|images?))$",
    re.I,
)


def _wanted(text: str) -> str:
    """What is looked for, without the words around it that only ask."""
    before = None
    while before != text:
        before = text
        text = " ".join(text.strip(_MARKS).split())
        for loose in (_TRAILING, _LEADING):
            text = loose.sub("", text)
    if re.fullmatch(
        rf"{_MY.removesuffix('*')}*(?:an?\s+)?{_PICTURE}|{_WHO}|them|those|these|that|this|of|with", text, re.I
    ):
        return ""
    return text


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


# ---- forms ----------------------------------------------------------------------------------------------------


def _read(words: str) -> _Read | None:
    """The first form that fits, None where none does."""
    text = " ".join(_picture_put_right(word) for word in words.strip(_MARKS).split())
    if text.isupper():
        text = text.lower()
    text = _CONTRACTED.sub(r"\1 is", text)
    before = None
    while before != text:
        before, text = text, _POLITE.sub("", text)
    for candidate in dict.fromkeys((text, _spelled(text))):
        for pattern, made in _FORMS:
            if match := pattern.match(candidate):
                return made(match)
    return None


def _counted(match: re.Match[str]) -> _Read:
    """How many X (are there) …: pictures, or X in them."""
    rest = re.sub(rf"^{_MY}", "", match["rest"], flags=re.I)
    pictures = re.match(rf"(?:{_PICTURE}|times)\b\s*(?P<rest>.*)$", rest, re.I)
    if pictures and not re.match(r"(?:frames?|shots?|scenes?)\s+(?!of\b|with\b|show|have|are\b|do\b)\w", rest, re.I):
        return _Read(Intent.COUNT, _unaided(pictures["rest"]))
    head = _HEAD.match(rest)
    noun, tail = (head["noun"], head["tail"]) if head else (rest, "")
    noun = re.sub(r"^(?:different|distinct|separate)\s+", "", noun, flags=re.I)
    return _Read(Intent.COUNT, f"{noun} {_unaided(tail)}", noun if len(noun.split()) <= 4 else noun.split()[0])


_HEAD = re.compile(
    rf"(?P<noun>\S+?(?:\s+\S+?){{0,4}}?)\s+(?P<tail>(?:{_AUX}|in|on|at|with|of|from|near|by|under|behind|next|to|during"
    r"|without|inside|for|that|who|which|while|wear|play|stand|walk|cross|sit|run|there|last|this|yesterday|today|\w+ing|\w+ed)\b.*)$",
    re.I,
)


def _unaided(text: str) -> str:
    """Without the verbs that only carry the question: "are there", "do I have", "can you see", "show"."""
    text = text.strip()
    before = None
    while before != text:
        before = text
        text = re.sub(
            rf"^(?:{_AUX}\s+(?:{_WHO}|there)\s+{_EVER}(?:{_SEE}\b\s*)?|{_AUX}\s+(?:there\b\s*)?|there\s+{_BE}\s+|{_SHOW}\s+"
            rf"|(?:that|which|who)\s+(?={_AUX}|{_SHOW}))",
            "",
            f"{text} ",
            flags=re.I,
        ).strip()
    return text


def _plainly(intent: Intent, asked: str = "") -> Callable[[re.Match[str]], _Read]:
    def made(match: re.Match[str]) -> _Read:
        found = match.groupdict()
        return _Read(intent, _unaided(found["rest"] or ""), asked or (found.get("asked") or "").lower())

    return made


def _timed(match: re.Match[str]) -> _Read:
    rest = re.sub(r"\b(?:the\s+)?(last|first)\s+time\s*(?:that\s+)?", "", match["rest"], flags=re.I)
    edge = re.search(r"\b(?:the\s+)?(last|first)\s+time\b", match["rest"], re.I)
    edge = edge or re.search(r"\b(?:i|we|you|they)\s+(last|first)\b|^\s*\S+\s+(?:i|we)\s+(last|first)\b", rest, re.I)
    asked = next((one.lower() for one in edge.groups() if one), "") if edge else ""
    rest = re.sub(r"\b(i|we|you|they)\s+(?:last|first)\b", r"\1", rest, flags=re.I)
    return _Read(Intent.WHEN, _told_of(rest), asked)


def _placed(match: re.Match[str]) -> _Read:
    return _Read(Intent.WHERE, _told_of(match["rest"]), (match.groupdict().get("asked") or "").lower())


def _told_of(rest: str) -> str:
    """What a picture was taken of: without the verb of taking at the end."""
    return re.sub(
        r"\s+(?:taken|shot|photographed|captured|made|recorded|located|from|at)$", "", _unaided(rest), flags=re.I
    )


def _form(
    pattern: str, made: Callable[[re.Match[str]], _Read]
) -> tuple[re.Pattern[str], Callable[[re.Match[str]], _Read]]:
    return re.compile(rf"^(?:{pattern})$", re.I), made


_KIND = r"(?:kind|type|sort|breed|make|model|brand|species|style)"
_CITY = r"(?:places?|city|cities|town|country|countries|location|spot|region|state|area|street)"
_FORMS = (
    _form(r"how\s+(?:many|mnay|amny|manny)\s+(?P<rest>.+)", _counted),
    _form(rf"how\s+often\s+(?P<rest>{_AUX}.+)", _plainly(Intent.COUNT)),
    _form(r"(?:what\s+is\s+|give\s+(?:me\s+)?)?(?:the\s+)?(?:total\s+)?(?:number|count)\s+of\s+(?P<rest>.+)", _counted),
    _form(r"count\s+(?:up\s+)?(?P<rest>.+)", _counted),
    # existence
    _form(rf"(?:{_BE}\s+there|there\s+{_BE})\s+(?P<rest>.+)", _plainly(Intent.EXISTS)),
    _form(rf"(?:do|does|did)\s+{_MY}{_PICTURE}\s+(?:{_SHOW}\s+)?(?P<rest>.+)", _plainly(Intent.EXISTS)),
    _form(
        rf"(?:do|did|does|have|has|had|can|could)\s+{_WHO}\s+{_EVER}(?:{_SEE}\s+)?(?P<rest>.+)", _plainly(Intent.EXISTS)
    ),
    _form(r"(?:(?:have\s+you\s+)?got\s+|have\s+)?any\s+(?P<rest>.+)", _plainly(Intent.EXISTS)),
    # when
    _form(r"when\s+(?P<rest>(?:is|are|was|were|do|does|did|have|has|had)\b.+)", _timed),
    _form(
        r"(?:(?:at|on|in|since)\s+)?(?:what|which)\s+(?:year|date|day|month|time|hour)\s+(?P<rest>(?!of\b).+)", _timed
    ),
    _form(r"how\s+long\s+ago\s+(?P<rest>.+)", _timed),
    _form(r"(?:what\s+is\s+)?the\s+date\s+of\s+(?P<rest>.+)", _timed),
    # where
    _form(r"(?:from\s+)?where\s+(?P<rest>(?:is|are|was|were|do|does|did|have|has|had|can)\b.+)", _placed),
    _form(
        rf"(?:(?:in|at|on|from)\s+)?(?:what|which)\s+(?P<asked>{_CITY}|folder|directory|album)\s+(?P<rest>.+)", _placed
    ),
    # what, of something that is found
    _form(
        rf"(?:of\s+)?(?:what|which)\s+colou?rs?\s+(?P<rest>{_AUX}\b.+?)(?:\s+(?:have|has|painted|in))?",
        _plainly(Intent.WHAT, "colour"),
    ),
    _form(
        r"(?:(?:what|which)\s+(?:is|are|was|were)\s+)?the\s+colou?rs?\s+of\s+(?P<rest>.+)",
        _plainly(Intent.WHAT, "colour"),
    ),
    _form(r"(?:what|which)\s+colou?red?\s+(?P<rest>.+)", _plainly(Intent.WHAT, "colour")),
    _form(rf"(?:what|which)\s+(?P<asked>{_KIND})s?\s+of\s+(?P<rest>.+)", lambda match: _kind(match)),
    _form(rf"(?:what|which)\s+(?P<asked>{_KIND}|age|size|shape)\s+(?P<rest>{_BE}\b.+)", _plainly(Intent.WHAT)),
    _form(
        r"what\s+(?:does|do|did)\s+(?:it\s+(?:say|read)\s+on\s+)?(?P<rest>.+?)(?:\s+(?:say|read|spell)s?)",
        _plainly(Intent.WHAT, "text"),
    ),
    _form(r"what\s+(?:does|do|did)\s+it\s+(?:say|read)\s+on\s+(?P<rest>.+)", _plainly(Intent.WHAT, "text")),
    _form(
        rf"what\s+{_BE}\s+(?:written|printed|painted|spelled|lettered)\s+(?:on|in|at|over|above)\s+(?P<rest>.+)",
        _plainly(Intent.WHAT, "text"),
    ),
    _form(
        rf"(?:what\s+)?(?:{_BE}\s+)?(?:the\s+)?(?:text|words?|writing|letters|lettering|number)\s+(?:{_BE}\s+)?(?:written\s+)?(?:on|in)\s+(?P<rest>.+)",
        _plainly(Intent.WHAT, "text"),
    ),
    _form(r"read\s+(?P<rest>(?:the|this|that|my)\s.+)", _plainly(Intent.WHAT, "text")),
    _form(
        rf"(?:what|how)\s+(?:{_BE}\s+)?(?:the\s+)?weather\s*(?:{_BE}\s+)?(?:it\s+)?(?:like\s*)?(?:(?:in|on|at|of|for|with|when|where)\s+)?(?P<rest>.*)",
        _plainly(Intent.WHAT, "weather"),
    ),
    _form(
        rf"(?:at\s+)?what\s+(?:time\s+of\s+(?:the\s+)?(?:day|year)|season)\s+(?:{_BE}\s+)?(?:it\s*)?(?:(?:in|on|at|for|with|when|where)\s+)?(?P<rest>.*)",
        _plainly(Intent.WHAT, "time of day"),
    ),
    _form(rf"what\s+(?:{_BE}|do|does|did)\s+(?P<rest>.+?)\s+(?:doing|do)(?P<more>\s.*)?", lambda match: _doing(match)),
    _form(
        rf"what\s+(?:else\s+)?{_BE}\s+(?:there\s+)?(?:(?:shown|visible|depicted|pictured|happening|going on|to see|seen)\s+)?(?:in|on|at|inside)\s+{_MY}(?:{_PICTURE}\s+(?:{_SHOW}\s+)?)?(?P<rest>.+)",
        _plainly(Intent.WHAT),
    ),
    # which
    _form(
        rf"(?:which|what)\s+(?:of\s+)?{_MY}(?:{_PICTURE}|ones?)\s+(?:(?:that|which)\s+)?(?P<rest>.+)",
        _plainly(Intent.WHICH),
    ),
    _form(
        r"(?:show|find|list|display|fetch|give|get|bring|pull up|search|look|looking)\s+(?:(?:me|us|up|for|out|again)\s+)*(?P<rest>.+)",
        _plainly(Intent.WHICH),
    ),
    _form(
        r"(?:i|we)(?:'m|'d| am| are| would)?\s+(?:want|need|like|love|looking|searching)\s+(?:to\s+(?:see|find|have|look at)\s+|for\s+)?(?P<rest>.+)",
        _plainly(Intent.WHICH),
    ),
    _form(r"let\s+(?:me|us)\s+see\s+(?P<rest>.+)", _plainly(Intent.WHICH)),
    _form(rf"which\s+(?P<rest>.+)", lambda match: _Read(Intent.WHICH, _middle_out(match["rest"]))),
    _form(rf"(?P<rest>{_MY}{_PICTURE}\s+(?:{_SHOW}|that|which|where|in which)\s.+)", _plainly(Intent.WHICH)),
    # what, of anything
    _form(
        r"(?:describe|explain|summari[sz]e|caption|(?:tell\s+(?:me|us)\s+)?about|what\s+about)\s+(?P<rest>.+)",
        _plainly(Intent.WHAT),
    ),
    _form(rf"how\s+(?:{_AUX})\s+(?P<rest>.+?)(?:\s+look(?:s|ed)?(?:\s+like)?)?", _plainly(Intent.WHAT)),
    _form(rf"how\s+(?P<asked>\w+)\s+(?P<rest>{_BE}\s.+)", _plainly(Intent.WHAT)),
    _form(r"who(?:m|se)?\s+(?P<rest>.+)", _plainly(Intent.WHAT, "who")),
    _form(rf"what\s+(?P<rest>{_AUX}\s.+)", _plainly(Intent.WHAT)),
    _form(r"what\s+(?P<rest>.+)", lambda match: _Read(Intent.WHAT, _middle_out(match["rest"]))),
    _form(r"why\s+(?P<rest>.+)", _plainly(Intent.WHAT, "why")),
    # "is the car red?" after all that begins alike
    _form(
        rf"(?:{_BE}|does|do|did|has|have)\s+(?:it\s+)?(?P<rest>.+)",
        lambda match: _Read(Intent.EXISTS, _middle_out(match["rest"])),
    ),
)


def _middle_out(rest: str) -> str:
    """X are Y -> X Y."""
    return re.sub(
        rf"^(.+?)\s+(?:{_BE}|do|does|did)\s+(?:there\b\s*|{_WHO}\s+(?:{_SEE}\b\s*)?)?",
        r"\1 ",
        _unaided(f"{rest} "),
        flags=re.I,
    )


def _kind(match: re.Match[str]) -> _Read:
    return _Read(Intent.WHAT, _middle_out(match["rest"]), match["asked"].lower())


def _doing(match: re.Match[str]) -> _Read:
    rest = _unaided(match["rest"])
    if re.fullmatch(_WHO, rest, re.I):  # what did we do …
        return _Read(Intent.WHAT, match["more"] or rest)
    return _Read(Intent.WHAT, f"{rest} {match['more'] or ''}", "doing")


# ---- misspelt -------------------------------------------------------------------------------------------------

_FIRST = ("how", "what", "which", "where", "when", "show", "find", "count", "describe", "does", "there")
_NEVER = frozenset(
    (
        "now",
        "cow",
        "bow",
        "row",
        "low",
        "who",
        "hat",
        "chat",
        "that",
        "wheat",
        "witch",
        "were",
        "here",
        "there",
        "hen",
        "then",
    )
    + (
        "snow",
        "slow",
        "shop",
        "shoe",
        "shot",
        "shore",
        "sow",
        "fine",
        "fin",
        "mind",
        "wind",
        "bind",
        "kind",
        "fund",
        "court",
    )
    + (
        "mount",
        "county",
        "dogs",
        "doe",
        "doers",
        "toes",
        "shows",
        "whale",
        "wharf",
        "these",
        "three",
        "theme",
        "house",
        "hot",
    )
)
"""Words that are one letter away from one that begins a question."""


def _spelled(text: str) -> str:
    """`text` with its first words put right where they are one slip away from those that begin a question."""
    words = text.split(" ")
    first = words[0].lower()
    if first not in _FIRST and first not in _NEVER and len(first) > 2:
        words[0] = next((right for right in _FIRST if _one_slip(first, right)), words[0])
    if len(words) > 1:
        second = words[1].lower()
        for right in {"how": ("many", "often"), "is": ("there",), "are": ("there",), "was": ("there",)}.get(
            words[0].lower(), ()
        ):
            if second != right and (second in ("their", "they're") or _one_slip(second, right)):
                words[1] = right
    return " ".join(words)


def _picture_put_right(word: str) -> str:
    typed = word.lower()
    return (
        "pictures"
        if len(typed) > 5 and typed != "pictured" and _one_slip(typed, "pictures") and typed != "picture"
        else word
    )


def _one_slip(typed: str, right: str) -> bool:
    """Whether one letter is missing, too many, another one, or two neighbours changed places."""
    if typed == right or abs(len(typed) - len(right)) > 1:
        return False
    start = next(
        (at for at, (a, b) in enumerate(zip(typed, right, strict=False)) if a != b), min(len(typed), len(right))
    )
    one, other = typed[start:], right[start:]
    if len(one) == len(other):
        return one[1:] == other[1:] or (one[:2] == other[:2][::-1] and one[2:] == other[2:])
    return one[1:] == other or one == other[1:]
