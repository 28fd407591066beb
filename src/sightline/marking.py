"""One answer against what is known to be right: does it rest on the right pictures, and does it say the right thing?

Marking reads the text as a person in a hurry would, by plain rules (docs/evaluation.md): a number before "pictures",
whole words for facts, a first sentence that says no. Knows answers.py; nothing of how answers are made.

    mark(answer, Known(Question("any bus?", {"a1": 1.0}, kind="exists")), k=6).existence
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sightline.answers import Answer
from sightline.judgements import Question

EXISTS, COUNT, WHICH = "exists", "count", "which"
"""Kinds of question that are marked in their own way; all others by their facts."""
TOLERANCE = 0.25
"""How far from the true number a count may be and still be right."""

Number = tuple[int, int, int]
"""Least, true and most pictures that a count may name: doubt widens it."""


@dataclass(frozen=True, slots=True)
class Known:
    """A question with its right answer. `asked` holds words, kind, and the pictures, by id, that an answer may rest on.

    Of each list of `facts` the answer has to say at least one. `unanswerable`: the right answer is that there is none.
    """

    asked: Question
    facts: tuple[tuple[str, ...], ...] = ()
    number: Number | None = None
    unanswerable: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """What one answer is worth; None where the question does not ask for it.

    `precision` and `recall` are of the citations, in [0, 1]. `said` is the number that was understood of a count.
    `invented` counts ids and marks that name no picture of the answer; it is 0 whatever a generator writes, as all it
    writes is checked. `removed` counts those that the check took away.
    """

    known: Known
    answer: Answer
    precision: float | None
    recall: float | None
    facts: bool | None
    existence: bool | None
    counts: bool | None
    refused: bool | None
    answered: bool | None
    said: int | None
    invented: int
    milliseconds: float = 0.0

    @property
    def grounded(self) -> bool:
        return self.invented == 0

    @property
    def right(self) -> bool:
        """Whether a person would be content: refused, or the right fact, number or yes, or a right picture."""
        if self.refused is not None:
            return self.refused
        decided = next((one for one in (self.counts, self.facts, self.existence) if one is not None), None)
        return bool(self.recall) if decided is None else decided

    def to_json(self) -> dict[str, Any]:
        return {
            "question": self.known.asked.text,
            "kind": self.known.asked.kind,
            "unanswerable": self.known.unanswerable,
            "right": self.right,
            "answer": self.answer.text,
            "abstained": self.answer.abstained,
            "reason": self.answer.reason,
            "citations": list(self.answer.citations),
            "citation_precision": self.precision,
            "citation_recall": self.recall,
            "facts": self.facts,
            "existence": self.existence,
            "counts": self.counts,
            "said": self.said,
            "number": None if self.known.number is None else list(self.known.number),
            "refused": self.refused,
            "answered": self.answered,
            "invented": self.invented,
            "removed": self.answer.removed,
            "milliseconds": round(self.milliseconds, 1),
        }


def mark(answer: Answer, known: Known, *, k: int, milliseconds: float = 0.0) -> Mark:
    """The marks of an answer that could cite `k` pictures."""
    refuses = answer.abstained or says_no(answer.text)
    precision, recall = _citations(answer, known, k)
    said = None if known.number is None else _said(answer, refuses)
    answerable = not known.unanswerable
    return Mark(
        known=known,
        answer=answer,
        precision=precision,
        recall=recall,
        facts=not answer.abstained and says(answer.text, known.facts) if known.facts and answerable else None,
        existence=refuses is known.unanswerable if known.asked.kind == EXISTS else None,
        counts=said is not None and is_near(said, known.number) if known.number is not None and answerable else None,
        refused=refuses if known.unanswerable else None,
        answered=not refuses if answerable else None,
        said=said,
        invented=_invented(answer),
        milliseconds=milliseconds,
    )


def _said(answer: Answer, refuses: bool) -> int | None:
    """The number that an answer names; 0 where it only says that there is nothing."""
    found = None if answer.abstained else number_in(answer.text)
    return 0 if found is None and refuses else found


def _citations(answer: Answer, known: Known, k: int) -> tuple[float | None, float | None]:
    """Of the cited pictures that are not doubtful, the share that is relevant; of those that could be cited, the share
    that is.

    Who asks which pictures there are wants as many as can be shown; of any other question one is enough.
    """
    cited = () if answer.abstained else answer.citations
    relevant, doubtful = known.asked.relevant, known.asked.doubtful
    judged = [ident for ident in cited if ident not in doubtful]
    right = sum(relevant.get(ident, 0) > 0 for ident in judged)
    precision = right / len(judged) if judged else None
    if known.unanswerable or (cited and not judged):
        return precision, None
    return precision, right / min(k, len(relevant)) if known.asked.kind == WHICH else float(right > 0)


def _invented(answer: Answer) -> int:
    """Citations that are no hit's id, and marks in the text beyond the last hit."""
    given = {hit.id for hit in answer.hits}
    marks = {int(number) for group in _MARKS.findall(answer.text) for number in re.findall(r"\d+", group)}
    return sum(ident not in given for ident in answer.citations) + sum(not 1 <= one <= len(given) for one in marks)


# ---- what a text says ------------------------------------------------------------------------------------------

_MARKS = re.compile(r"\[(\d{1,6}(?:\s*[,–-]\s*\d{1,6})*)\]")
_FIRST_SENTENCE = re.compile(r".*?(?:[.!?](?=\s|$)|$)", re.DOTALL)
_PICTURES = r"(?:pictures?|photos?|photographs?|images?|shots?|times)"
_NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_NUMBER = rf"(\d[\d,]*|\b(?:{'|'.join(_NUMBERS)})\b)"
_OF_ALL = r"(?:\s+(?:out\s+)?of\s+(?:the\s+|all\s+|these\s+)*[\d,]+)?"
_COUNTED = re.compile(rf"{_NUMBER}{_OF_ALL}\s+(?:[\w-]+\s+){{0,2}}?{_PICTURES}\b", re.IGNORECASE)
_ANY = re.compile(_NUMBER, re.IGNORECASE)
_NO = re.compile(
    r"""
    \s*(?:sorry[,.!]?|unfortunately,?)?\s*(?:
        (?:no|none|nothing|nobody|nowhere|neither|never|not|zero|0)\b
      | there\s+(?:is|are|was|were)\s+(?:no|none|nothing|not)\b
      | (?:i|we)\s+(?:do\s+not|don['’]t|did\s+not|didn['’]t|can\s*not|can['’]t|could\s+not|couldn['’]t)\b
      | (?:[\w'’-]+\s+){1,6}?(?:do|does|did)(?:\s+not|n['’]t)\s+(?:\w+\s+)?
            (?:show|contain|include|say|tell|mention|give|match|have|provide|indicate)\b
      | .*?\b(?:but|however,?|although)\s+(?:no|none|nothing|neither)\b
      | .*?\b(?:cannot|can['’]t|can\s+not)\s+(?:say|tell|be\s+(?:said|told|known|determined))\b
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def says_no(text: str) -> bool:
    """Whether the first sentence says that there is nothing, or that it is not known. An empty text says so too."""
    first = _FIRST_SENTENCE.match(_bare(text))
    return not first or not first[0] or _NO.match(first[0]) is not None


def number_in(text: str) -> int | None:
    """The number of pictures that the text names: one before "pictures", else the first; None without any."""
    bare = _bare(text)
    found = _COUNTED.search(bare) or _ANY.search(bare)
    if found is None:
        return None
    word = found[1].casefold()
    return _NUMBERS[word] if word in _NUMBERS else int(word.replace(",", "")[:12])


def is_near(said: int, number: Number) -> bool:
    """Within TOLERANCE of the true number, or between the bounds that doubt leaves."""
    low, true, high = number
    return abs(said - true) <= TOLERANCE * true or low <= said <= high


def says(text: str, facts: tuple[tuple[str, ...], ...]) -> bool:
    """Whether the text says one alternative of each fact, as whole words."""
    words = _bare(text)
    return all(
        any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", words, re.IGNORECASE) for one in alternatives)
        for alternatives in facts
    )


def _bare(text: str) -> str:
    """Without marks, and with the signs of emphasis gone."""
    return re.sub(r"\s+", " ", _MARKS.sub("", text).replace("*", "").replace("_", " ")).strip()
