"""extractive: the generator that needs no model. It says what captions, text in the pictures, dates and counts say.

Nothing is concluded and nothing made up: words are quoted, numbers are counted, and each sentence says what it rests on.
Where the evidence does not hold what was asked for, it says exactly that and cites nothing: then there is no answer.
Knows hits and what was asked, no collection and no model.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sightline.answers import Evidence, Intent, Question
from sightline.schema import Hit, Place, Query, Term

QUOTED = 120
"""Characters of a caption in a sentence; the whole of it stands with the picture."""
NAMED = 6
"""Captions in a sentence; further pictures are cited by their number alone."""

Said = Mapping[str, Sequence[int]]
"""What was found -> the numbers of the hits that say so, in order."""


class Extractive:
    """The default Generator."""

    name = "extractive"

    def generate(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        """`hits` that are no Evidence are taken for all that matches."""
        evidence = hits if isinstance(hits, Evidence) else _bare(question, hits)
        for at, sentence in enumerate(_ANSWERS[evidence.question.intent](evidence)):
            yield f" {sentence}" if at else sentence


def _bare(question: str, hits: Sequence[Hit]) -> Evidence:
    asked = Question(question, Query(question, (Term(text=question),)), Intent.WHAT)
    return Evidence(asked, tuple(hits), tuple(hits), len(hits))


# ---- by what was asked ----------------------------------------------------------------------------------------


def _exists(evidence: Evidence) -> Iterator[str]:
    quotes = _quotes(evidence, 2)
    yield f"Yes: {_share(evidence)}{', such as ' if quotes else ' '}{quotes or _marks(_all(evidence))}."


def _count(evidence: Evidence) -> Iterator[str]:
    yield f"{_share(evidence)} {_marks(_all(evidence))}."
    if evidence.question.asked:
        stated = _numbers(evidence)
        noun = evidence.question.asked
        if stated:
            yield f"The captions say {_listed(stated, quoted=True)}."
        elif len(evidence.matches) > 1 or not _is_one(noun):
            yield f"That counts pictures: how many {noun} are in them, their captions do not say."
    if folded := {number: len(hit.alike) for number, hit in enumerate(evidence, 1) if hit.alike}:
        counted = _and(f"[{number}] stands for {alike + 1}" for number, alike in folded.items())
        yield f"Near-duplicates are counted one by one: {counted}."


def _when(evidence: Evidence) -> Iterator[str]:
    dated = [(hit.captured_at.astimezone(), at) for at, hit in enumerate(evidence, 1) if hit.captured_at]
    asked = evidence.question.asked
    if dated and asked in ("last", "first"):
        moment, number = (max if asked == "last" else min)(dated)
        yield f"{asked.capitalize()} on {_day(moment)} [{number}]."
    elif dated:
        yield _span(dated)
        if undated := len(evidence) - len(dated):
            yield f"{undated} of the {len(evidence)} shown {'has' if undated == 1 else 'have'} no date."
    elif told := _vocabulary(evidence, _TIMES):
        yield f"None of the {_pictures(len(evidence))} shown has a date. Their captions say {_listed(told)}."
    else:
        yield _unsaid(evidence, "when that was", "and none has a date")


def _span(dated: Sequence[tuple[datetime, int]]) -> str:
    days: dict[str, list[int]] = {}
    for moment, number in sorted(dated):
        days.setdefault(_day(moment), []).append(number)
    if len(days) <= 3:
        return f"On {_and(f'{day} {_marks(numbers)}' for day, numbers in days.items())}."
    (first, one), *between, (last, other) = days.items()
    inside = _marks(sorted(number for _, numbers in between for number in numbers))
    return f"Between {first} {_marks(one)} and {last} {_marks(other)}, also {inside}."


def _where(evidence: Evidence) -> Iterator[str]:
    told: dict[str, list[int]] = {}
    for number, hit in enumerate(evidence, 1):
        if place := _place_in(evidence.question.query.caption_of(hit.text), evidence.question.query.text):
            told.setdefault(place, []).append(number)
    there = _by(evidence, lambda item: _coordinates(item.place) if item.place else "")
    folders = _by(evidence, lambda item: _folder(item.item.name))
    if evidence.question.asked in ("folder", "directory", "album") and folders:
        yield f"In {'the folder ' if len(folders) == 1 else 'these folders: '}{_listed(folders, quoted=True)}."
        return
    if told:
        yield f"By their captions {_listed(told, quoted=True)}."
    if there:
        yield f"By the place stored with the picture {_listed(there)}."
    if not told and not there and folders:
        yield f"No caption says where; the file lies in {_listed(folders, quoted=True)}."
    elif not told and not there:
        yield _unsaid(evidence, "where that is")


def _which(evidence: Evidence) -> Iterator[str]:
    quotes = _quotes(evidence, NAMED)
    rest = _all(evidence)[NAMED:] if quotes else _all(evidence)
    more = f", {_marks(rest)}" if quotes and rest else _marks(rest)
    yield f"{_share(evidence)}{': ' if quotes else ' '}{quotes}{more}."


def _what(evidence: Evidence) -> Iterator[str]:
    asked = evidence.question.asked
    if asked == "text":
        yield from _read(evidence)
    elif asked in _ASKED_IN_CAPTIONS:
        find, unsaid = _ASKED_IN_CAPTIONS[asked]
        told = find(evidence)
        yield f"By the captions {_listed(told)}." if told else _unsaid(evidence, unsaid)
    elif len(evidence) == 1 and evidence[0].text.strip():
        lines = [_quoted(line) for line in evidence[0].text.split("\n") if line.strip()]
        yield f"Its captions say {_and(lines[:NAMED])} [1]." if len(lines) > 1 else f"Its caption says {lines[0]} [1]."
    elif quotes := _quotes(evidence, 3):
        yield f"{_share(evidence)}. The captions of the best say {quotes}."
    else:
        yield f"{_share(evidence)}, but they have no captions that would tell more."


def _read(evidence: Evidence) -> Iterator[str]:
    """What was read in the pictures."""
    lines = _by(evidence, lambda item: _quoted(item.ocr.replace("\n", " / ")) if item.ocr else "")
    if lines:
        yield f"It was read as {_listed(lines)}."
    elif any(item.ocr is not None for item in evidence.items.values()):
        yield _unsaid(evidence, "what it says", "and no text was found in the pictures shown")
    else:
        yield _unsaid(evidence, "what it says", "and nobody has read them yet: sightline index --ocr does")


_ANSWERS: Mapping[Intent, Callable[[Evidence], Iterator[str]]] = {
    Intent.EXISTS: _exists,
    Intent.COUNT: _count,
    Intent.WHEN: _when,
    Intent.WHERE: _where,
    Intent.WHICH: _which,
    Intent.WHAT: _what,
}


# ---- what it rests on -----------------------------------------------------------------------------------------


def _share(evidence: Evidence) -> str:
    """ "12 of 340 pictures match “a stop sign” (relevance at least 0.5)" """
    query, n, rows = evidence.question.query, len(evidence.matches), max(evidence.rows, len(evidence.matches))
    if not query.terms:
        passing = " that pass the filters" if query.filters else " in this collection"
        return f"There {'is' if rows == 1 else 'are'} {_pictures(rows)}{passing.replace('pass', 'passes') if rows == 1 else passing}"
    what = f"“{_clean(query.text)}”" if query.text else "this"
    if not evidence.complete and evidence.cutoff is None:
        return f"The nearest {_pictures(n)} of {rows:,} to {what}"
    counted = f"{n:,} of {_pictures(rows)}" if evidence.complete else f"At least {n:,} of {_pictures(rows)}"
    filtered = f" that {'pass' if rows != 1 else 'passes'} the filters" if query.filters else ""
    sure = "" if evidence.cutoff is None else f" (relevance at least {evidence.cutoff:g})"
    return f"{counted}{filtered} {'matches' if n == 1 else 'match'} {what}{sure}"


def _unsaid(evidence: Evidence, what: str, more: str = "") -> str:
    """That the evidence does not hold it. No marks: this is no answer."""
    captioned = any(hit.text.strip() for hit in evidence)
    they = "no caption of those shown" if captioned else "they have no caption that"
    return f"{_share(evidence)}, but {they} says {what}{f', {more}' if more else ''}."


def _by(evidence: Evidence, say: Callable[..., str]) -> dict[str, list[int]]:
    """What `say` says of each shown item, and of which."""
    told: dict[str, list[int]] = {}
    for number, hit in enumerate(evidence, 1):
        if hit.id in evidence.items and (said := say(evidence.items[hit.id])):
            told.setdefault(said, []).append(number)
    return told


# ---- out of captions ------------------------------------------------------------------------------------------

_COLOURS = {
    **{
        name: name for name in ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white")
    },
    **{name: name for name in ("silver", "gold", "golden", "beige", "turquoise", "violet", "maroon", "navy", "teal")},
    **{"gray": "gray", "grey": "gray", "blond": "blond", "blonde": "blond", "tan": "tan", "cream": "cream"},
}
_WEATHER = {
    **{"sunny": "sunny", "sunshine": "sunny", "clear": "clear", "cloudy": "cloudy", "clouds": "cloudy"},
    **{
        "overcast": "overcast",
        "foggy": "fog",
        "fog": "fog",
        "mist": "fog",
        "misty": "fog",
        "hazy": "haze",
        "haze": "haze",
    },
    **{
        "rain": "rain",
        "rainy": "rain",
        "raining": "rain",
        "wet": "wet",
        "snow": "snow",
        "snowy": "snow",
        "snowing": "snow",
    },
    **{
        "storm": "storm",
        "stormy": "storm",
        "windy": "wind",
        "wind": "wind",
        "gray": "gray",
        "grey": "gray",
        "hail": "hail",
    },
}
_TIMES = {
    **{
        "night": "night",
        "dark": "dark",
        "midnight": "midnight",
        "sunset": "sunset",
        "dusk": "dusk",
        "sunrise": "sunrise",
    },
    **{"dawn": "dawn", "morning": "morning", "noon": "noon", "midday": "noon", "afternoon": "afternoon"},
    **{"evening": "evening", "daylight": "daylight", "day": "day", "daytime": "day", "twilight": "dusk"},
    **{name: name for name in ("spring", "summer", "autumn", "winter", "christmas", "easter", "birthday")},
}
_NUMBER_WORDS = {
    **{name: name for name in ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")},
    **{name: name for name in ("eleven", "twelve", "several", "many", "dozens", "both", "single")},
}
_IRREGULAR = {
    "people": "person",
    "persons": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "kids": "kid",
}
_IRREGULAR |= {"mice": "mouse", "feet": "foot", "geese": "goose", "wolves": "wolf", "leaves": "leaf", "knives": "knife"}
_BREAKS = frozenset(
    (
        "in",
        "on",
        "at",
        "with",
        "by",
        "near",
        "of",
        "from",
        "under",
        "over",
        "and",
        "or",
        "next",
        "behind",
        "beside",
        "to",
    )
    + (
        "driving",
        "walking",
        "crossing",
        "standing",
        "parked",
        "stopped",
        "coming",
        "going",
        "through",
        "along",
        "without",
    )
)
_SMALL = frozenset(("a", "an", "the", "some", "any", "my", "our", "your", "their", "his", "her", "is", "are"))


def _one(word: str) -> str:
    """A word in the singular, roughly: both sides of a comparison are made alike."""
    word = word.casefold()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes", "buses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def _is_one(noun: str) -> bool:
    return _one(noun.split()[-1]) == noun.split()[-1].casefold()


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)


def _head(text: str) -> str:
    """The noun of a phrase, in the singular: of "the red sports car in the rain" car."""
    head = ""
    for word in _words(text):
        if head and word.casefold() in _BREAKS:
            break
        head = word if word.casefold() not in _SMALL | _BREAKS else head
    return _one(head)


def _lines(evidence: Evidence) -> Iterator[tuple[int, list[str]]]:
    """The words of each caption of each shown hit, with the hit's number."""
    for number, hit in enumerate(evidence, 1):
        for line in hit.text.split("\n"):
            yield number, _words(line)


def _colours(evidence: Evidence) -> Said:
    """Colours that a caption gives to the thing that is looked for, by standing right before or behind it."""
    head = _head(evidence.question.query.text)
    told: dict[str, list[int]] = {}
    for number, words in _lines(evidence):
        bare = [_one(word) for word in words]
        for at, word in enumerate(words):
            colour = _COLOURS.get(word.casefold())
            if colour and (_before(bare, words, at, head) or _behind(bare, words, at, head)):
                _add(told, colour, number)
    return told


def _before(bare: Sequence[str], words: Sequence[str], at: int, head: str) -> bool:
    """red (sports) car"""
    for place in range(at + 1, min(at + 4, len(words))):
        if words[place].casefold() in _BREAKS | _SMALL:
            return False
        if bare[place] == head:
            return True
    return False


def _behind(bare: Sequence[str], words: Sequence[str], at: int, head: str) -> bool:
    """car is red; person in red"""
    return (
        at >= 2
        and bare[at - 2] == head
        and words[at - 1].casefold() in ("is", "in", "wearing", "are", "painted", "dressed")
    )


def _vocabulary(evidence: Evidence, known: Mapping[str, str]) -> Said:
    told: dict[str, list[int]] = {}
    for number, words in _lines(evidence):
        for word in words:
            if label := known.get(word.casefold()):
                _add(told, label, number)
    return told


def _doings(evidence: Evidence) -> Said:
    """What captions say behind the thing that is looked for, from the verb on: "crossing the street"."""
    head = _head(evidence.question.query.text)
    told: dict[str, list[int]] = {}
    for number, hit in enumerate(evidence, 1):
        for line in hit.text.split("\n"):
            words = line.split()
            places = [at for at, word in enumerate(words) if _one(word.strip(",.;:!?")) == head]
            for place in places[:1]:
                verb = next(
                    (at for at in range(place + 1, min(place + 5, len(words))) if words[at].endswith("ing")), None
                )
                if verb is not None:
                    _add(told, _quoted(" ".join(words[verb:])), number)
    return told


def _numbers(evidence: Evidence) -> Said:
    """Numbers that captions give of what is asked for: "two girls"; "a girl" says nothing of how many there are."""
    head = _head(evidence.question.asked)
    told: dict[str, list[int]] = {}
    for number, words in _lines(evidence):
        for at, word in enumerate(words):
            if word.casefold() not in _NUMBER_WORDS and not re.fullmatch(r"\d{1,4}", word):
                continue
            for place in range(at + 1, min(at + 4, len(words))):
                if words[place].casefold() in _BREAKS:
                    break
                if _one(words[place]) == head:
                    _add(told, " ".join(words[at : place + 1]).casefold(), number)
                    break
    return told


_PLACES = re.compile(
    r"\b(?:in|on|at|near|beside|by|along|under|behind|inside|outside|through|over|across|against|next to|in front of|down)\s+"
    r"(?:the|a|an|my|our|his|her|their|some|its)?\s*[^\W\d_].*$",
    re.IGNORECASE,
)
_NO_PLACE = frozenset(
    (
        *_TIMES,
        *_COLOURS,
        *_WEATHER,
        "front",
        "dress",
        "shirt",
        "hat",
        "clothes",
        "coat",
        "day",
        "light",
        "top",
        "bike",
        "bicycle",
    )
)


def _place_in(caption: str, wanted: str) -> str:
    """The words of a caption that say where, without what was looked for."""
    asked = {_one(word) for word in _words(wanted)}
    for match in re.finditer(_PLACES.pattern.replace(".*$", r"[^,;.]*"), caption, re.IGNORECASE):
        phrase = match[0].strip()
        nouns = [word for word in _words(phrase)[1:] if word.casefold() not in _SMALL]
        while nouns and nouns[0].casefold() in _NO_PLACE:
            nouns = nouns[1:]
            phrase = ""
        if phrase and any(_one(word) not in asked for word in nouns):
            return _clean(phrase)
    return ""


_ASKED_IN_CAPTIONS: Mapping[str, tuple[Callable[[Evidence], Said], str]] = {
    "colour": (_colours, "which colour it has"),
    "weather": (lambda evidence: _vocabulary(evidence, _WEATHER), "what the weather is like"),
    "time of day": (lambda evidence: _vocabulary(evidence, _TIMES), "what time of day it is"),
    "doing": (_doings, "what happens"),
}


# ---- into words -----------------------------------------------------------------------------------------------


def _add(told: dict[str, list[int]], said: str, number: int) -> None:
    numbers = told.setdefault(said, [])
    if number not in numbers:
        numbers.append(number)


def _all(evidence: Evidence) -> list[int]:
    return list(range(1, len(evidence) + 1))


def _marks(numbers: Iterable[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)


def _pictures(n: int) -> str:
    return f"{n:,} picture{'' if n == 1 else 's'}"


def _and(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _listed(told: Said, *, quoted: bool = False) -> str:
    """ "red [1][3] and white [2]", what is said most often first."""
    by_number = sorted(told.items(), key=lambda pair: -len(pair[1]))[:NAMED]
    return _and(f"{_quoted(said) if quoted else said} {_marks(numbers)}" for said, numbers in by_number)


def _quotes(evidence: Evidence, most: int) -> str:
    """The captions of the first hits, each with its mark; the same words stand once. Empty where there are none."""
    told: dict[str, list[int]] = {}
    for number, hit in enumerate(evidence.hits[:most], 1):
        _add(told, _quoted(evidence.question.query.caption_of(hit.text)), number)
    if set(told) <= {"“”"}:
        return ""
    return _and(f"{said if said != '“”' else 'no caption'} {_marks(numbers)}" for said, numbers in told.items())


def _quoted(text: str) -> str:
    return f"“{textwrap.shorten(_clean(text), QUOTED, placeholder=' …')}”"


def _clean(text: str) -> str:
    """Words of others within a sentence of ours: they end no sentence, and make no mark and no quotation of their own."""
    text = " ".join(text.replace("\n", " ").split()).translate(_BRACKETS)
    return re.sub(r"[.!?…]+(?=\s)", ";", text).strip(" .;")


_BRACKETS = str.maketrans("[]【】“”", "()()''")


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _coordinates(place: Place) -> str:
    """To about a kilometre: an answer is passed on more easily than people think."""
    north, east = place.latitude, place.longitude
    return f"{abs(north):.2f}° {'N' if north >= 0 else 'S'}, {abs(east):.2f}° {'E' if east >= 0 else 'W'}"


def _folder(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[0]
