"""extractive: the generator that needs no model. It says what captions, text in the pictures, dates and counts say.

Nothing is concluded and nothing made up: words are quoted, numbers counted, and each sentence says what it rests on.
Where the evidence does not hold what was asked for, it says exactly that and cites nothing: then there is no answer.
Knows hits and what was asked, no collection and no model.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sightline import facts
from sightline.answers import Evidence, Intent, Question
from sightline.facts import Said, add, singular
from sightline.schema import Hit, Place, Query, Term

QUOTED = 120
"""Characters of a caption in a sentence; the whole of it stands with the picture."""
BORNE_OUT = 1 / 3
"""Share of what an encoder sees that captions have to say too, for the rest of it to be counted. Captions leave out a
half and more of what is there; of what an encoder takes for horses and is none they say nothing at all.
"""
NAMED = 6
"""Captions in a sentence; further pictures are cited by their number alone."""


class Extractive:
    """The default Generator."""

    name = "extractive"

    def generate(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        """`hits` that are no Evidence are taken for all that matches."""
        evidence = hits if isinstance(hits, Evidence) else _bare(question, hits)
        answer = _partly if _is_partly(evidence) else _ANSWERS[evidence.question.intent]
        for at, sentence in enumerate(answer(evidence)):
            yield f" {sentence}" if at else sentence


def _bare(question: str, hits: Sequence[Hit]) -> Evidence:
    asked = Question(question, Query(question, (Term(text=question),)), Intent.WHAT)
    return Evidence(asked, tuple(hits), tuple(hits), len(hits))


# ---- the gate of captions -------------------------------------------------------------------------------------


def _is_partly(evidence: Evidence) -> bool:
    """Whether all that matches are pictures whose captions say a part of what is looked for, and none says all of it.

    Of "a stop sign on a highway" they know stop signs and highways.
    """
    wanted = evidence.question.query.text
    if evidence.cutoff is None or not wanted:
        return False
    return not any(facts.is_whole(hit, wanted) for hit in evidence.matches)


def _partly(evidence: Evidence) -> Iterator[str]:
    n = len(evidence.matches)
    what = _clean(evidence.question.query.text)
    yield f"No caption says all of “{what}”: {_pictures(n)} {'matches' if n == 1 else 'match'} a part of it."


# ---- by what was asked ----------------------------------------------------------------------------------------


def _exists(evidence: Evidence) -> Iterator[str]:
    quotes = _quotes(evidence, 2)
    yield f"Yes: {_share(evidence)}{', such as ' if quotes else ' '}{quotes or _marks(_all(evidence))}."


def _count(evidence: Evidence) -> Iterator[str]:
    yield _counted(evidence)
    if evidence.question.asked:
        stated = facts.numbers(evidence)
        noun = evidence.question.asked
        if stated:
            yield f"The captions speak of {_listed(stated, quoted=True)}."
        elif len(evidence.matches) > 1 or singular(noun.split()[-1]) != noun.split()[-1].casefold():
            yield f"That counts pictures: how many {noun} are in them, their captions do not say."
    if folded := {number: len(hit.alike) for number, hit in enumerate(evidence, 1) if hit.alike}:
        counted = _and(f"[{number}] stands for {alike + 1}" for number, alike in folded.items())
        yield f"Near-duplicates are counted one by one: {counted}."


def _counted(evidence: Evidence) -> str:
    """How many pictures: those whose captions say all of it, and those that look like it to an encoder that is known to
    tell; where no captions say it, those that match.
    """
    wanted = evidence.question.query.text
    saying = {hit.id for hit in evidence.matches if wanted and facts.is_said(hit.text, wanted)}
    alike = evidence.seen - saying if len(evidence.seen & saying) >= BORNE_OUT * len(evidence.seen) else set()
    if not saying or not evidence.complete or (len(saying) == len(evidence.matches) and not alike):
        return f"{_share(evidence)} {_marks(_all(evidence))}."
    marks = _marks(number for number, hit in enumerate(evidence, 1) if hit.id in saying)
    if alike:
        shown = f"{len(saying) + len(alike):,} of {_pictures(evidence.rows)} show “{_clean(wanted)}”"
        more = f"{len(alike):,} more {'looks' if len(alike) == 1 else 'look'} like it"
        return f"{shown}: the captions of {len(saying):,} say so {marks or _marks(_all(evidence))}, {more}."
    said = f"The captions of {len(saying):,} of {_pictures(evidence.rows)} say “{_clean(wanted)}”"
    more = f"{len(evidence.matches):,} match it more or less (relevance at least {evidence.cutoff:g})"
    if not marks:
        return f"{said}; {more} {_marks(_all(evidence))}."
    return f"{said} {marks}; {more}."


def _when(evidence: Evidence) -> Iterator[str]:
    dated = [(hit.captured_at.astimezone(), at) for at, hit in enumerate(evidence, 1) if hit.captured_at]
    asked = evidence.question.asked
    told = facts.times(evidence)
    if asked == "time of day":
        yield f"{_sentence(_listed(told))}, by their captions." if told else _unsaid(evidence, "what time of day it is")
    elif dated and asked in ("last", "first"):
        moment, number = (max if asked == "last" else min)(dated)
        yield f"{asked.capitalize()} on {_day(moment)} [{number}]."
    elif dated:
        yield _span(dated)
        if undated := len(evidence) - len(dated):
            yield f"{undated} of the {len(evidence)} shown {'has' if undated == 1 else 'have'} no date."
    elif told:
        yield f"{_sentence(_listed(told))}, by their captions: none of the {_pictures(len(evidence))} shown has a date."
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
    told = facts.places(evidence)
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
    elif asked in _OUT_OF_CAPTIONS:
        find, unsaid, is_quoted = _OUT_OF_CAPTIONS[asked]
        told = find(evidence)
        said = _listed(told, quoted=is_quoted)
        yield f"{_sentence(said)}, by their captions." if told else _unsaid(evidence, unsaid)
    elif asked in _BEYOND or asked.startswith("how "):
        yield _unsaid(evidence, f"{asked} that is")
    elif len(evidence) == 1 and evidence[0].text.strip():
        lines = [_quoted(line) for line in evidence[0].text.split("\n") if line.strip()]
        yield f"Its captions say {_and(lines[:NAMED])} [1]." if len(lines) > 1 else f"Its caption says {lines[0]} [1]."
    elif quotes := _quotes(evidence, 3):
        yield f"{_share(evidence)}. The captions of the best say {quotes}."
    else:
        yield f"{_share(evidence)}, but they have no captions that would tell more."


_BEYOND = ("why", "whose")
"""No caption is understood well enough to tell."""


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
        passing = f" that {'passes' if rows == 1 else 'pass'} the filters" if query.filters else " in this collection"
        return f"There {'is' if rows == 1 else 'are'} {_pictures(rows)}{passing}"
    what = f"“{_clean(query.text)}”" if query.text else "this"
    if evidence.complete and evidence.cutoff is None:  # pictures that were pointed at
        return "This is it" if n == 1 else f"These are the {_pictures(n)}"
    if evidence.cutoff is None:
        return f"The nearest {_pictures(n)} of {rows:,} to {what}"
    counted = f"{n:,} of {_pictures(rows)}" if evidence.complete else f"At least {n:,} of {_pictures(rows)}"
    filtered = f" that {'pass' if rows != 1 else 'passes'} the filters" if query.filters else ""
    sure = f"(relevance at least {evidence.cutoff:g})"
    return f"{counted}{filtered} {'matches' if n == 1 else 'match'} {what} {sure}"


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


_OUT_OF_CAPTIONS: Mapping[str, tuple[Callable[[Evidence], Said], str, bool]] = {
    "colour": (facts.colours, "which colour it has", False),
    "weather": (facts.weather, "what the weather is like", False),
    "doing": (facts.doings, "what happens", True),
}
"""What was asked -> where it is found, how it is called where it is not, and whether it is quoted."""


# ---- into words -----------------------------------------------------------------------------------------------


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
    if not told:
        return ""
    by_number = sorted(told.items(), key=lambda pair: -len(pair[1]))[:NAMED]
    return _and(f"{_quoted(said) if quoted else said} {_marks(numbers)}" for said, numbers in by_number)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _quotes(evidence: Evidence, most: int) -> str:
    """The captions of the first hits, each with its mark; the same words stand once. Empty where there are none."""
    told: dict[str, list[int]] = {}
    for number, hit in enumerate(evidence.hits[:most], 1):
        add(told, _quoted(evidence.question.query.caption_of(hit.text)), number)
    if set(told) <= {"“”"}:
        return ""
    return _and(f"{said if said != '“”' else 'no caption'} {_marks(numbers)}" for said, numbers in told.items())


def _quoted(text: str) -> str:
    return f"“{textwrap.shorten(_clean(text), QUOTED, placeholder=' …')}”"


def _clean(text: str) -> str:
    """Words of others within a sentence of ours: they end no sentence and make no mark or quotation of their own."""
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
