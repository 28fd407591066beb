"""Generators: a question and the hits it may rest on -> text that cites them as [1], [2], streamed in pieces.

A generator is any object with `generate`; what it says is checked afterwards (grounding.py), so it is trusted with
nothing. It is called only when there are hits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from sightline.schema import Hit


@runtime_checkable
class Generator(Protocol):
    """`name` is optional: what answers are signed with (else the class's name)."""

    def generate(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        """Pieces of text, in order. `[n]` cites `hits[n - 1]`; no other number may stand in square brackets.

        `hits` is an `answers.Evidence`: a sequence of hits that also tells what was understood and how many match.
        Raises GeneratorError when nothing came, or when it broke off after what was yielded.
        """
        ...


@runtime_checkable
class Rewriter(Protocol):
    """A generator that can also say what to look for."""

    def rewrite(self, question: str, before: Sequence[tuple[str, str]]) -> str:
        """A query in Sightline's language (docs/query.md) for `question`, which may refer to what was said `before`:
        (question, answer) pairs, oldest first. Empty: it has nothing better than the rules.
        """
        ...
