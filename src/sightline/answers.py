"""The records of an answer: what was asked, what it may rest on, what was said and whether it holds.

    question -> Question -> Evidence -> a generator's text -> Statements -> Answer

Words of docs/architecture.md. Knows schema.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, overload

from sightline.schema import Hit, Query, StoredItem


class Intent(StrEnum):
    """What kind of answer a question wants."""

    EXISTS = "exists"  # is there …, do I have …
    COUNT = "count"  # how many …
    WHEN = "when"
    WHERE = "where"
    WHICH = "which"  # which pictures …, show me …
    WHAT = "what"  # what is …, what does the sign say, describe …


@dataclass(frozen=True, slots=True)
class Question:
    """A question, understood: `query` is what to look for, `intent` what to answer; `raw` is what was typed.

    `asked` is what the question wants to know of what is found ("girls", "colour"; empty: the pictures themselves).
    `by` says who understood it so: `rules`, or the name of the generator that rewrote it.
    """

    raw: str
    query: Query
    intent: Intent
    asked: str = ""
    by: str = "rules"

    def to_json(self) -> dict[str, Any]:
        return {**self.query.to_json(), "intent": self.intent.value, "asked": self.asked, "by": self.by}


@dataclass(frozen=True)
class Evidence(Sequence[Hit]):
    """What an answer may rest on. A sequence of the hits that are shown to the generator, best first.

    A hit is cited as [n], n its place here, from 1. `matches` are all pictures of the collection whose relevance is at
    least `cutoff`, the shown ones first; `complete` is False where there may be more of them. `rows` are the pictures
    that were searched (those that pass the question's filters), `items` all that is known of each shown hit, by id.
    `seen`, of a count: ids of pictures that show it by their vectors, whatever their captions say.
    """

    question: Question
    hits: tuple[Hit, ...]
    matches: tuple[Hit, ...] = ()
    rows: int = 0
    cutoff: float | None = None
    complete: bool = True
    items: Mapping[str, StoredItem] = field(default_factory=dict, repr=False)
    seen: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...
    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        return self.hits[index]


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an answer, with its marks. `citations` are the ids of the hits that it cites, in order.

    `supported` is False where it cites nothing that the generator was given, or also something else.
    """

    text: str
    citations: tuple[str, ...] = ()
    supported: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "citations": list(self.citations), "supported": self.supported}


@dataclass(frozen=True)
class Answer:
    """What `Collection.ask` answers with, checked. `text` cites as [n]: `hits[n - 1]`.

    `citations` are the ids that are cited, in order of their first mark; each is the id of one of `hits`. `abstained`:
    there is no answer, and `reason` says why. `incomplete`: the generator broke off; what came is kept. `removed`
    counts citations of pictures that the generator was not given. `timings` are milliseconds by step.
    """

    question: Question
    text: str
    hits: tuple[Hit, ...]
    statements: tuple[Statement, ...] = ()
    abstained: bool = False
    reason: str = ""
    generator: str = ""
    incomplete: bool = False
    removed: int = 0
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def citations(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(ident for one in self.statements for ident in one.citations))

    @property
    def cited(self) -> tuple[Hit, ...]:
        """The hits that are cited, in the order of their numbers."""
        return tuple(hit for hit in self.hits if hit.id in self.citations)

    def to_json(self) -> dict[str, Any]:
        return {
            "question": self.question.raw,
            "understood": self.question.to_json(),
            "answer": self.text,
            "abstained": self.abstained,
            "reason": self.reason,
            "incomplete": self.incomplete,
            "citations": list(self.citations),
            "removed": self.removed,
            "statements": [one.to_json() for one in self.statements],
            "hits": [hit.to_json() for hit in self.hits],
            "generator": self.generator,
            "timings": {name: round(value, 1) for name, value in self.timings.items()},
        }
