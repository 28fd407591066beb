"""Generators: a question and the hits it may rest on -> text that cites them as [1], [2], streamed in pieces.

A generator is any object with `generate`; what it says is checked afterwards (grounding.py), so it is trusted with
nothing. It is called only when there are hits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from sightline.config import Settings
from sightline.errors import UsageError
from sightline.schema import Hit

SPECS = ("extractive", "openai:MODEL", "hf:REPO")


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


def load_generator(spec: str, settings: Settings, *, notify: Callable[[str], None] | None = None) -> Generator:
    """The generator that a spec names: one of SPECS, with the settings' server, key and limits.

    `notify` is told once where pictures will go, should they leave this machine. Raises UsageError for an unknown spec
    or settings that cannot be used, Offline, MissingExtra, ModelError.
    """
    kind, _, name = spec.strip().partition(":")
    if kind == "openai" and name:
        from sightline.chat import OpenAIChat

        return OpenAIChat.from_settings(name, settings, notify=notify)
    if kind == "hf" and name:
        from sightline.vlm import LocalVLM

        return LocalVLM(name, settings)
    if spec.strip() != "extractive":
        raise UsageError(
            f"there is no generator '{spec}'; {', '.join(SPECS[:-1])} or {SPECS[-1]} was expected",
            hint="extractive needs no model; for Ollama: --generator openai:llava",
        )
    from sightline.extractive import Extractive

    return Extractive()


def name_of(generator: object) -> str:
    """What answers are signed with."""
    name = getattr(generator, "name", "")
    return name if isinstance(name, str) and name else type(generator).__name__
