"""facts: what captions say of what was asked for -> the words, and which of the shown hits say them. Pure; English.

Only what stands in a caption is found, and only where it stands with the thing that is meant: of "a red car and a blue
bus" red is said of the car.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from sightline.answers import Evidence
from sightline.schema import Hit

Said: TypeAlias = Mapping[str, Sequence[int]]
"""What was found -> the numbers of the hits that say so, in order."""


# ---- words ----------------------------------------------------------------------------------------------------


def _labels(table: str) -> dict[str, str]:
    """Words -> their label: what stands before a colon, else the first of the words between two semicolons."""
    found: dict[str, str] = {}
    for row in table.split(";"):
        label, _, words = row.strip().rpartition(":")
        found |= dict.fromkeys(words.split(), label or words.split()[0])
    return found


def _set(table: str) -> frozenset[str]:
    return frozenset(table.split())


_COLOURS = _labels(
    "red; green; blue; yellow; orange; purple; pink; brown; black; white; silver; gold golden; beige; turquoise;"
    "violet; maroon; navy; teal; gray grey; blond blonde; tan; cream"
)
_WEATHER = _labels(
    "sunny sunshine; clear; cloudy clouds; overcast; fog foggy mist misty; haze hazy; rain rainy raining; wet;"
    "snow snowy snowing; storm stormy; wind windy; gray grey; hail"
)
_TIMES = _labels(
    "at night: night nighttime; in the dark: dark; at midnight: midnight; at sunset: sunset; at dusk: dusk twilight;"
    "at sunrise: sunrise; at dawn: dawn; in the morning: morning; at noon: noon midday; in the afternoon: afternoon;"
    "in the evening: evening; in daylight: daylight; by day: day daytime; in spring: spring; in summer: summer;"
    "in autumn: autumn fall; in winter: winter; at Christmas: christmas; at Easter: easter; on a birthday: birthday"
)
_NUMBERS = _set("no one two three four five six seven eight nine ten eleven twelve several many dozens both single")
_IRREGULAR = _labels(
    "person people persons; man men; woman women; child children; kid kids; mouse mice; foot feet; goose geese;"
    "wolf wolves; leaf leaves; knife knives; cactus cacti cactuses"
)
_BREAKS = _set("in on at with by near of from under over and or next behind beside to through along without") | _set(
    "driving walking crossing standing parked stopped coming going"
)
_ASKING = _set("picture photo photograph image shot taken seen shown visible somewhere somebody anybody us me there")
_SMALL = _set("a an the some any my our your their his her is are")
_AFTER_NOUNS = _BREAKS | _SMALL | _ASKING | _set("ahead away that which who while during after before between around")
_NO_NOUN = re.compile("(?:ing|ed|ly|[^s]s)$")  # a verb, mostly: running, parked, sits
_ADVERBS = _set("downtown outdoors indoors upstairs downstairs abroad nearby together")
_LINKS = _set("is are in wearing painted dressed")
_NO_PLACE = frozenset((*_TIMES, *_COLOURS, *_WEATHER)) | _set(
    "front dress shirt hat clothes coat light top bike bicycle"
)
_PLACES = re.compile(
    r"\b(?:in|on|at|near|beside|by|along|under|behind|inside|outside|through|over|across|against|next to|in front of)"
    r"\s+(?:the|a|an|my|our|his|her|their|some|its)?\s*[^\W\d_][^,;.]*",
    re.IGNORECASE,
)


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)


def singular(word: str) -> str:
    """A word in the singular, roughly: both sides of a comparison are made alike."""
    word = word.casefold()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes", "buses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def head_of(phrase: str) -> str:
    """The noun of a phrase, in the singular: of "the red sports car in the rain" car."""
    head = ""
    for word in words_of(phrase):
        if head and word.casefold() in _BREAKS:
            break
        head = word if word.casefold() not in _SMALL | _BREAKS else head
    return singular(head)


SURE = 0.85
"""A match of this relevance needs no caption that says all of it; below, captions hold a part of what was asked for."""


def is_whole(hit: Hit, wanted: str) -> bool:
    """Whether a match shows all that is wanted, as far as can be known: captions that say a part of it leave a doubt.

    A picture without a caption has no such gap.
    """
    return not hit.text.strip() or (hit.relevance or 0) >= SURE or is_said(hit.text, wanted)


def is_said(text: str, wanted: str) -> bool:
    """Whether captions say all of it: the words between two prepositions stand together in one line, in their order.

    "A red traffic light at night" is said by "a red traffic light" and "a street at night", each in a line of its own;
    a word may stand between two ("a red sports car"); a green light and a red car say nothing of a red light.
    """
    lines = [words_of(line) for line in text.split("\n")]
    return all(any(_holds(line, part) for line in lines) for part in _parts(wanted))


def parts(wanted: str) -> list[str]:
    """What is asked for in one, each by itself: of "a red car at night" red car and night."""
    return [" ".join(part) for part in _parts(wanted)]


def is_of_another_colour(text: str, wanted: str) -> bool:
    """Whether captions give a thing that is asked for in a colour another one, and never that: a green traffic light is
    no red one.
    """
    for part in parts(wanted):
        words = part.split()
        asked = {_COLOURS[word] for word in words if word in _COLOURS}
        thing = " ".join(word for word in words if word not in _COLOURS)
        if asked and thing and is_said(text, thing) and not is_said(text, part):
            others = set(_COLOURS.values()) - asked
            if any(is_said(text, f"{colour} {thing}") for colour in others):
                return True
    return False


def _parts(wanted: str) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words_of(wanted):
        bare = _alike(word)
        if word.casefold() in _BREAKS:
            yield from [part] if part else []
            part = []
        elif bare in _ADVERBS:
            yield from [part, [bare]] if part else [[bare]]
            part = []
        elif bare not in _SMALL | _ASKING:
            part.append(bare)
    yield from [part] if part else []


def _alike(word: str) -> str:
    """foggy is fog, buses are bus"""
    return _WEATHER.get(word.casefold()) or singular(word)


def _holds(words: Sequence[str], part: Sequence[str]) -> bool:
    line = [_alike(word) for word in words]
    for start in (at for at, word in enumerate(line) if word == part[0]):
        at = start
        for word in part[1:]:
            at = next((place for place in range(at + 1, min(at + 3, len(line))) if line[place] == word), -1)
            if at < 0:
                break
        else:
            if not _is_compound(words, at):
                return True
    return False


def _is_compound(words: Sequence[str], at: int) -> bool:
    """Whether the word only tells of the next one: of "bus stop" bus, but a "rainy street" is of rain all the same."""
    word, following = words[at].casefold(), "".join(words[at + 1 : at + 2]).casefold()
    if not following or word in _WEATHER or word in _TIMES or word in _ADVERBS:
        return False
    return following not in _AFTER_NOUNS and not _NO_NOUN.search(following)


# ---- facts ----------------------------------------------------------------------------------------------------


def colours(evidence: Evidence) -> Said:
    """Colours that a caption gives to the thing that is looked for: right before it, or behind it."""
    thing = next(_parts(evidence.question.query.text), [""])
    told: dict[str, list[int]] = {}
    for number, words in _lines(evidence):
        bare = [singular(word) for word in words]
        for at, word in enumerate(words):
            colour = _COLOURS.get(word.casefold())
            if colour and (_is_before(words, bare, at, thing) or _is_behind(bare, at, thing)):
                add(told, colour, number)
    return told


def _is_before(words: Sequence[str], bare: Sequence[str], at: int, thing: Sequence[str]) -> bool:
    """red (sports) car; of a red car carrier nothing is said of a car"""
    for start in (at + 1, at + 2):
        end = start + len(thing)
        if list(bare[start:end]) == list(thing):
            return not _is_compound(words, end - 1)
        if start < len(bare) and bare[start] in _BREAKS | _SMALL:
            return False
    return False


def _is_behind(bare: Sequence[str], at: int, thing: Sequence[str]) -> bool:
    """car is red; person in red"""
    start = at - 1 - len(thing)
    return start >= 0 and bare[at - 1] in _LINKS and list(bare[start : at - 1]) == list(thing)


def weather(evidence: Evidence) -> Said:
    return _vocabulary(evidence, _WEATHER)


def times(evidence: Evidence) -> Said:
    """Times of day and of the year."""
    return _vocabulary(evidence, _TIMES)


def _vocabulary(evidence: Evidence, known: Mapping[str, str]) -> Said:
    told: dict[str, list[int]] = {}
    for number, words in _lines(evidence):
        for word in words:
            if label := known.get(word.casefold()):
                add(told, label, number)
    return told


def doings(evidence: Evidence) -> Said:
    """What stands behind the thing that is looked for, from the verb on: "crossing the street"."""
    head = head_of(evidence.question.query.text)
    told: dict[str, list[int]] = {}
    for number, hit in _sound(evidence):
        for line in hit.text.split("\n"):
            words = line.split()
            places = (at for at, word in enumerate(words) if singular(word.strip(",.;:!?")) == head)
            place = next(places, len(words))
            verb = next((at for at in range(place + 1, min(place + 5, len(words))) if words[at].endswith("ing")), None)
            if verb is not None:
                add(told, " ".join(words[verb:]), number)
    return told


def numbers(evidence: Evidence) -> Said:
    """Numbers of what is asked for: "two girls". "A girl" says nothing of how many there are."""
    head = head_of(evidence.question.asked)
    told: dict[str, list[int]] = {}
    for number, words in _lines(evidence):
        for at, word in enumerate(words):
            if word.casefold() not in _NUMBERS and not re.fullmatch(r"\d{1,4}", word):
                continue
            for place in range(at + 1, min(at + 4, len(words))):
                if words[place].casefold() in _BREAKS:
                    break
                if singular(words[place]) == head:
                    add(told, " ".join(words[at : place + 1]).casefold(), number)
                    break
    return told


def places(evidence: Evidence) -> Said:
    """The words of a caption which say where, without what was looked for; of the one that fits best, if it has any."""
    query = evidence.question.query
    asked = {singular(word) for word in words_of(query.text)}
    told: dict[str, list[int]] = {}
    for number, hit in _sound(evidence):
        lines = [query.caption_of(hit.text), *hit.text.split("\n")]
        for match in (match for line in lines for match in _PLACES.finditer(line)):
            nouns = [word.casefold() for word in words_of(match[0])[1:] if word.casefold() not in _SMALL]
            if nouns and nouns[0] not in _NO_PLACE and any(singular(word) not in asked for word in nouns):
                add(told, match[0].strip(), number)
                break
    return told


def _lines(evidence: Evidence) -> Iterator[tuple[int, list[str]]]:
    """The words of each caption of each shown hit, with the hit's number."""
    for number, hit in _sound(evidence):
        for line in hit.text.split("\n"):
            yield number, words_of(line)


def _sound(evidence: Evidence) -> list[tuple[int, Hit]]:
    """The shown hits with their numbers; where some show all that is wanted, those alone: facts are about them."""
    numbered = list(enumerate(evidence, 1))
    return [(at, hit) for at, hit in numbered if is_whole(hit, evidence.question.query.text)] or numbered


def add(told: dict[str, list[int]], said: str, number: int) -> None:
    marks = told.setdefault(said, [])
    if number not in marks:
        marks.append(number)
