"""forms: the forms in which people ask -> what a question wants, and the words that say what to look for. English.

A form is a pattern around REST, tried in order; between its words stand single spaces. The words of a form may be
misspelt. `questions.py` makes a query of what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sightline.answers import Intent

MARKS = " ?!.,;:¿¡"
PICTURE = r"(?:pictures?|photos?|photographs?|images?|pics?|snapshots?|shots?|frames?|scenes?|footage)"
MY = r"(?:(?:all|any|some|one|each|every|none|most|of|the|my|our|your|their|these|those|this|that|other) )*"
WHO = r"(?:i|we|you|they|he|she|one|anyone|anybody|someone|somebody|people|it|the camera)"
BE = r"(?:is|are|was|were|isn't|aren't|wasn't|weren't)"
AUX = rf"(?:{BE}|do|does|did|don't|doesn't|didn't|have|has|had|haven't|hasn't|can|could|will|would|might|may)"
SHOW = (
    r"(?:shows?|showed|showing|contains?|containing|contained|have|has|having|had|features?|featuring|includes?|including"
    r"|depicts?|depicting|displays?|displaying|with|of|about|from)"
)
SEE = (
    r"(?:have|had|has|own|got|gotten|get|see|seen|saw|find|found|take|taken|took|photograph(?:ed)?|snap(?:ped)?|shoot|shot"
    r"|capture(?:d)?|record(?:ed)?|film(?:ed)?|possess|keep|kept|spot(?:ted)?|notice(?:d)?|encounter(?:ed)?|meet|met|make"
    r"|made|visit(?:ed)?|been to|been in|go to|gone to|went to|come across|know of|happen to have|happen to see|catch"
    r"|caught)"
)
EVER = r"(?:(?:ever|already|also|even|actually|really|just|by any chance|happen to|still) )*"
_NAMES = {
    "PICTURE": PICTURE,
    "MY": MY,
    "WHO": WHO,
    "BE": BE,
    "AUX": AUX,
    "SHOW": SHOW,
    "SEE": SEE,
    "EVER": EVER,
    "REST": "(?P<rest>.+)",
    "KIND": "(?P<asked>kind|type|sort|breed|make|model|brand|species|style)",
    "CITY": "(?P<asked>places?|city|cities|town|countr(?:y|ies)|location|spot|region|state|area|street|kind of road)",
}


@dataclass(frozen=True, slots=True)
class Read:
    """`wanted` still has words around it that only ask."""

    intent: Intent
    wanted: str
    asked: str = ""


def read(words: str) -> Read | None:
    """The first form that fits, None where none does."""
    text = " ".join(_picture_put_right(word) for word in words.strip(MARKS).split())
    if text.isupper():
        text = text.lower()
    text = _CONTRACTED.sub(r"\1 is", text)
    before = None
    while before != text:
        before, text = text, _POLITE.sub("", text)
    for candidate in dict.fromkeys((_there(text), _put_right(text))):
        for pattern, made in _FORMS:
            if match := pattern.match(candidate):
                return made(match)
    return None


_POLITE = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|so|well|and|but|now|then|please|pls|just|um|say|sightline)\b[,!.]? "
    r"|(?:can|could|would|will) you (?:please )?"
    r"(?=(?:tell|show|find|give|get|list|count|search|look|describe|say|help)\b)"
    r"|(?:please )?(?:tell|remind) (?:me|us) (?!about\b)(?:please )?|(?:do|does) (?:you|anyone) know "
    r"|i(?:'d| would)? (?:wonder|want to know|like to know|need to know|am wondering|'m wondering) "
    r"|(?:if|whether) (?=there\b))",
    re.I,
)
_CONTRACTED = re.compile(
    r"\b(what|where|who|when|how|there|which)(?:['’]s|s\b(?= (?:the|a|an|in|on|my|that|this)\b))", re.I
)


# ---- what is made of a form -----------------------------------------------------------------------------------


def unaided(text: str) -> str:
    """Without the verbs that only carry the question: "are there", "do I have", "can you see", "show"."""
    before, text = None, text.strip()
    while before != text:
        before = text
        text = _CARRYING.sub("", f"{text} ").strip()
    return text


_CARRYING = re.compile(
    rf"^(?:{AUX} (?:{WHO}|there) {EVER}(?:{SEE}\b ?)?|{AUX} (?:there\b ?)?|there {BE} |{SHOW} "
    rf"|(?:that|which|who) (?={AUX}|{SHOW}))",
    re.I,
)


def _counted(match: re.Match[str]) -> Read:
    """How many X (are there) …: pictures, or X in them."""
    rest = re.sub(rf"^{MY}", "", match["rest"], flags=re.I)
    if pictures := _OF_PICTURES.match(rest):
        more = unaided(pictures["rest"] or pictures["more"] or "")
        return Read(Intent.COUNT, f"{pictures['kind'] or ''}{more}")
    if rest is not match["rest"] and re.match(rf"{AUX}\b", rest, re.I):  # how many of these are …
        return Read(Intent.COUNT, unaided(rest))
    head = _HEAD.match(rest)
    noun, tail = (head["noun"], head["tail"]) if head else (rest, "")
    noun = re.sub(r"^(?:different|distinct|separate) ", "", noun, flags=re.I)
    return Read(Intent.COUNT, f"{noun} {unaided(tail)}", noun if len(noun.split()) <= 4 else noun.split()[0])


_OF_PICTURES = re.compile(
    rf"(?:{PICTURE}|times)\b ?(?P<rest>.*)"
    rf"|(?P<kind>(?!{AUX}\b)(?:[\w'-]+ ){{1,2}})(?:pictures|photos|images)\b(?P<more>.*)",
    re.I,
)
_HEAD = re.compile(
    rf"(?P<noun>\S+?(?: \S+?){{0,4}}?) (?P<tail>(?:{AUX}|in|on|at|with|of|from|near|by|under|behind|next|to|during"
    r"|without|inside|for|that|who|which|while|wear|play|stand|walk|cross|sit|run|there|last|this|yesterday|today|\w+ing|\w+ed)\b.*)$",
    re.I,
)


def _timed(match: re.Match[str]) -> Read:
    edge = _EDGE.search(match["rest"])
    asked = next((one.lower() for one in edge.groups() if one), "") if edge else ""
    rest = re.sub(r"\b(?:the )?(?:last|first) time ?(?:that )?", "", match["rest"], flags=re.I)
    rest = re.sub(r"\b(i|we|you|they) (?:last|first)\b", r"\1", rest, flags=re.I)
    return Read(Intent.WHEN, _told_of(rest), asked)


_EDGE = re.compile(r"\b(?:the )?(last|first) time\b|\b(?:i|we|you|they) (last|first)\b", re.I)


def _placed(match: re.Match[str]) -> Read:
    return Read(Intent.WHERE, _told_of(match["rest"]), (match.groupdict().get("asked") or "").lower())


def _told_of(rest: str) -> str:
    """What a picture was taken of: without the verb of taking at the end."""
    return re.sub(
        r" (?:taken|shot|photographed|captured|made|recorded|located|from|at)$", "", unaided(rest), flags=re.I
    )


def _doing(match: re.Match[str]) -> Read:
    rest = unaided(match["rest"])
    if re.fullmatch(WHO, rest, re.I):  # what did we do …
        return Read(Intent.WHAT, match["more"] or rest)
    return Read(Intent.WHAT, f"{rest} {match['more'] or ''}", "doing")


def _joined(intent: Intent) -> Callable[[re.Match[str]], Read]:
    """X are Y -> X Y."""

    def made(match: re.Match[str]) -> Read:
        text = _LINK.sub(r"\1 ", unaided(f"{match['rest']} "))
        return Read(intent, text, (match.groupdict().get("asked") or "").lower())

    return made


_LINK = re.compile(rf"^(.+?) (?:{BE}|do|does|did) (?:there\b ?|{WHO} (?:{SEE}\b ?)?)?", re.I)


def _plainly(intent: Intent, asked: str = "") -> Callable[[re.Match[str]], Read]:
    def made(match: re.Match[str]) -> Read:
        return Read(intent, unaided(match["rest"] or ""), asked or (match.groupdict().get("asked") or "").lower())

    return made


# ---- the forms ------------------------------------------------------------------------------------------------


def _form(
    pattern: str, made: Callable[[re.Match[str]], Read]
) -> tuple[re.Pattern[str], Callable[[re.Match[str]], Read]]:
    named = re.sub("|".join(_NAMES), lambda match: _NAMES[match[0]], pattern)
    return re.compile(rf"^(?:{named})$", re.I), made


_EXISTS, _WHICH, _WHAT = _plainly(Intent.EXISTS), _plainly(Intent.WHICH), _plainly(Intent.WHAT)
_COLOUR, _TEXT = _plainly(Intent.WHAT, "colour"), _plainly(Intent.WHAT, "text")
_ON = r"(?:(?:in|on|at|of|for|with|when|where) )?"
_FORMS = (
    _form(r"(?:(?:in|on) )?how many REST", _counted),
    _form(r"how often (?P<rest>AUX .+)", _plainly(Intent.COUNT)),
    _form(r"(?:what is |give (?:me )?|what )?(?:the )?(?:total )?(?:number|count) of REST", _counted),
    _form(r"count (?:up )?REST", _counted),
    # existence
    _form(r"(?:BE there|there BE) REST", _EXISTS),
    _form(r"(?:do|does|did) MYPICTURE (?:SHOW )?REST", _EXISTS),
    _form(r"(?:do|did|does|have|has|had|can|could) WHO EVER(?:SEE )?REST", _EXISTS),
    _form(r"(?:(?:have you )?got |have )?any REST", _EXISTS),
    # when
    _form(r"when (?P<rest>(?:is|are|was|were|do|does|did|have|has|had)\b.+)", _timed),
    _form(
        rf"(?:at )?what (?:time of (?:the )?(?:day|year)|season) (?:BE )?(?:it ?)?{_ON}(?P<rest>.*)",
        lambda match: _of_day(match),
    ),
    _form(r"(?:(?:at|on|in|since) )?(?:what|which) (?:year|date|day|month|time|hour) (?P<rest>(?!of\b).+)", _timed),
    _form(r"how long ago REST", _timed),
    _form(r"(?:what is )?the date of REST", _timed),
    # where
    _form(r"(?:from )?where (?P<rest>(?:is|are|was|were|do|does|did|have|has|had|can)\b.+)", _placed),
    _form(r"(?:(?:in|at|on|from) )?(?:what|which) (?P<asked>folder|directory|album) REST", _placed),
    _form(r"(?:(?:in|at|on|from) )?(?:what|which) CITY REST", _placed),
    # what, of something that is found
    _form(r"(?:of )?(?:what|which) colou?rs? (?P<rest>AUX\b.+?)(?: (?:have|has|painted|in))?", _COLOUR),
    _form(r"(?:(?:what|which) BE )?the colou?rs? of REST", _COLOUR),
    _form(r"(?:what|which) colou?red? REST", _COLOUR),
    _form(r"(?:what|which) KINDs? of REST", _joined(Intent.WHAT)),
    _form(r"(?:what|which) (?P<asked>kind|type|sort|breed|make|model|brand|age|size|shape) (?P<rest>BE\b.+)", _WHAT),
    _form(r"what (?:does|do|did) it (?:say|read) on REST", _TEXT),
    _form(r"what (?:does|do|did) (?P<rest>.+?) (?:say|read|spell)s?", _TEXT),
    _form(r"what BE (?:written|printed|painted|spelled|lettered) (?:on|in|at|over|above) REST", _TEXT),
    _form(
        r"(?:what )?(?:BE )?(?:the )?(?:[a-z]+ )?(?:text|words?|writing|letter(?:s|ing)|number) "
        r"(?:BE )?(?:written )?(?:on|in) REST",
        _TEXT,
    ),
    _form(r"read (?P<rest>(?:the|this|that|my) .+)", _TEXT),
    _form(
        rf"(?:what|how) (?:BE )?(?:the )?weather ?(?:BE )?(?:it )?(?:like ?)?{_ON}(?P<rest>.*)",
        _plainly(Intent.WHAT, "weather"),
    ),
    _form(r"what (?:BE|do|does|did) (?P<rest>.+?) (?:doing|do)(?P<more> .*)?", _doing),
    _form(
        r"what (?:else )?BE (?:there )?(?:(?:shown|visible|depicted|pictured|happening|going on|to see|seen) )?"
        r"(?:in|on|at|inside) MY(?:PICTURE (?:SHOW )?)?REST",
        _WHAT,
    ),
    # which
    _form(r"(?:which|what) (?:of )?MY(?:PICTURE|ones?) (?:(?:that|which) )?REST", _WHICH),
    _form(
        r"(?:show|find|list|display|fetch|give|get|bring|pull up|search|look|looking) "
        r"(?:(?:me|us|up|for|out|again) )*REST",
        _WHICH,
    ),
    _form(
        r"(?:i|we)(?:'m|'d| am| are| would)? (?:want|need|like|love|looking|searching) "
        r"(?:to (?:see|find|have|look at) |for )?REST",
        _WHICH,
    ),
    _form(r"let (?:me|us) see REST", _WHICH),
    _form(r"which REST", _joined(Intent.WHICH)),
    _form(r"(?P<rest>MYPICTURE (?:SHOW|that|which|where|in which) .+)", _WHICH),
    # what, of anything
    _form(r"(?:describe|explain|summari[sz]e|caption|(?:tell (?:me|us) )?about|what about) REST", _WHAT),
    _form(r"how AUX (?P<rest>.+?)(?: look(?:s|ed)?(?: like)?)?", _WHAT),
    _form(r"(?P<asked>how \w+) (?P<rest>AUX .+)", _WHAT),
    _form(r"whose REST", _plainly(Intent.WHAT, "whose")),
    _form(r"whom? REST", _plainly(Intent.WHAT, "who")),
    _form(r"what (?P<rest>AUX .+)", _WHAT),
    _form(r"what REST", _joined(Intent.WHAT)),
    _form(r"why REST", _plainly(Intent.WHAT, "why")),
    _form(r"(?:BE|does|do|did|has|have) (?:it )?REST", _joined(Intent.EXISTS)),  # is the car red?
)


def _of_day(match: re.Match[str]) -> Read:
    return Read(Intent.WHEN, unaided(match["rest"]), "time of day")


# ---- misspelt -------------------------------------------------------------------------------------------------

_FIRST = ("how", "what", "which", "where", "when", "show", "find", "count", "describe", "does", "there")
_NEVER = frozenset(
    [
        *("bow", "chat", "count", "county", "court", "cow", "doe", "dogs", "fin", "fine", "fund", "hat", "hen", "here"),
        *(
            "hot",
            "house",
            "kind",
            "low",
            "mind",
            "mount",
            "now",
            "row",
            "shoe",
            "shop",
            "shore",
            "shot",
            "shows",
            "slow",
        ),
        *("snow", "sow", "that", "theme", "then", "there", "these", "three", "toes", "were", "whale", "wharf", "wheat"),
        *("who", "wind", "witch"),
    ]
)
"""Words that are one letter away from one that begins a question."""


def _there(text: str) -> str:
    """ "is ther a dog": the second word of a form, put right."""
    first, _, rest = text.partition(" ")
    second, _, more = rest.partition(" ")
    right = {"how": "many", "is": "there", "are": "there", "was": "there", "were": "there"}.get(first.lower(), "")
    if not right or second.lower() in _NEVER or not _is_one_slip(second.lower(), right):
        return text
    return f"{first} {right} {more}"


def _put_right(text: str) -> str:
    """`text` with its first word put right where it is one slip away from one that begins a question."""
    first, _, rest = text.partition(" ")
    if len(first) < 3 or first.lower() in _NEVER or first.lower() in _FIRST:
        return text
    right = next((one for one in _FIRST if _is_one_slip(first.lower(), one)), first)
    return _there(f"{right} {rest}")


def _picture_put_right(word: str) -> str:
    typed = word.lower()
    is_word = len(typed) < 6 or typed in ("picture", "pictured")
    return word if is_word or not _is_one_slip(typed, "pictures") else "pictures"


def _is_one_slip(typed: str, right: str) -> bool:
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
