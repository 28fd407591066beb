"""Conversation: questions that lean on each other, over one collection.

    talk = sightline.open("data/tables#photos").conversation()
    talk.ask("is there a bus?").text
    talk.ask("and at night?").question.query.text      # "bus at night"

It remembers what was asked and answered; nothing of it is written anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal, overload

from sightline.answers import Answer

if TYPE_CHECKING:
    from sightline.collection import Collection
    from sightline.generate import Generator

REMEMBERED = 20
"""Answers that a question can lean on."""


class Conversation:
    """`answers` are those so far, oldest first. Not for several threads at once."""

    def __init__(
        self,
        collection: Collection,
        *,
        k: int = 6,
        generator: Generator | str | None = None,
        min_relevance: float = 0.5,
    ) -> None:
        self._collection, self._generator = collection, generator
        self._k, self._min_relevance = k, min_relevance
        self.answers: list[Answer] = []

    @overload
    def ask(self, question: str, *, stream: Literal[False] = False, now: datetime | None = None) -> Answer: ...
    @overload
    def ask(self, question: str, *, stream: Literal[True], now: datetime | None = None) -> Iterator[str | Answer]: ...
    def ask(
        self, question: str, *, stream: bool = False, now: datetime | None = None
    ) -> Answer | Iterator[str | Answer]:
        """As `Collection.ask`, after what was said: "and at night?", "which of them are red?", "the second one"."""
        pieces = self._collection.ask(
            question,
            self._k,
            generator=self._generator,
            stream=True,
            min_relevance=self._min_relevance,
            now=now,
            before=self.answers[-REMEMBERED:],
        )
        told = self._remembering(pieces)
        if stream:
            return told
        return [piece for piece in told if isinstance(piece, Answer)][-1]

    def _remembering(self, pieces: Iterator[str | Answer]) -> Iterator[str | Answer]:
        for piece in pieces:
            if isinstance(piece, Answer):
                self.answers.append(piece)
            yield piece
