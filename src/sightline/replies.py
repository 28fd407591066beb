"""What a model says -> text that cites as [1], sentence by sentence while it streams.

A model that was asked for JSON (prompting.answer_schema) may give it bare, in a code fence, or answer in prose all the
same; one that was asked for prose may write [1, 3] or [Picture 2]. Some think aloud first. All comes out in one form.

    "".join(spoken(['{"statements": [{"text": "A red bus.", ', '"pictures": [1, 3]}]}']))  # 'A red bus [1][3].'
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from pydantic_core import from_json

from sightline.errors import GeneratorError

_THINKING = ("<think>", "</think>")
_FENCE = re.compile(r"```\w*\s*")
_JSON = re.compile(r"\s*(?:```\w*\s*)?(?:\[\s*)?\{")
_UNDECIDED = re.compile(r"\s*(?:`{1,2}|```\w*\s*(?:\[\s*)?|\[\s*)?")
_NUMBERS = r"(?:pictures?\s*|images?\s*|#)?\d{1,4}"
_MARKS = re.compile(rf"[\[【]\s*({_NUMBERS}(?:\s*(?:,|;|&|and)\s*{_NUMBERS})*)\s*[\]】]", re.IGNORECASE)
_LONGEST_MARKS = 80


def spoken(pieces: Iterable[str]) -> Iterator[str]:
    """The text that `pieces` of a reply hold, with [n] marks, as early as it can be told.

    A statement of JSON comes when it is whole, prose as it arrives. A statement that an error of `pieces` cut short
    is not said. Raises GeneratorError for JSON that is broken or of another form.
    """
    rest = iter(_without_thoughts(iter(pieces)))
    head = _head(rest)
    if not _JSON.match(head):
        yield from _prose(head, rest)
        return
    for at, statement in enumerate(_statements(head, rest)):
        yield f" {statement}" if at else statement


def one_line(reply: str, field: str) -> str:
    """The text of `field` where the reply is a JSON object, else the reply; empty unless it is a single line."""
    text = _FENCE.sub("", "".join(_without_thoughts(iter([reply])))).strip()
    document = _document(text)
    said = document.get(field) if isinstance(document, dict) else text
    line = said.strip() if isinstance(said, str) else ""
    return "" if "\n" in line else line


def marked(text: str, numbers: Iterable[int]) -> str:
    """A sentence with its marks before its full stop; those that it has already are not set again."""
    text = _MARKS.sub(_as_marks, " ".join(text.split()))
    new = [mark for mark in (f"[{number}]" for number in dict.fromkeys(numbers)) if mark not in text]
    if not new:
        return text
    words, end = (text[:-1], text[-1]) if text.endswith((".", "!", "?", "。")) else (text, "")
    space = "" if words.endswith("]") else " "
    return f"{words}{space}{''.join(new)}{end}"


def _as_marks(found: re.Match[str]) -> str:
    return "".join(f"[{number}]" for number in re.findall(r"\d+", found[1]))


# ---- which form it has ---------------------------------------------------------------------------------------------


def _without_thoughts(pieces: Iterator[str]) -> Iterator[str]:
    """Without what stands between think tags at the very beginning."""
    begin, end = _THINKING
    head = ""
    for piece in pieces:
        head += piece
        if not begin.startswith(head.lstrip()[: len(begin)]):
            break
        if end in head:
            head = head.partition(end)[2].lstrip()
            break
    if head and not head.lstrip().startswith(begin):
        yield head
    yield from pieces


def _head(pieces: Iterator[str]) -> str:
    """The beginning of a reply, as much as is needed to see whether it is JSON."""
    head = ""
    for piece in pieces:
        head += piece
        if not _UNDECIDED.fullmatch(head):
            break
    return head.lstrip()


# ---- prose ---------------------------------------------------------------------------------------------------------


def _prose(head: str, rest: Iterator[str]) -> Iterator[str]:
    """As it comes, except that what may become a mark is held back until it is one."""
    held = ""
    for piece in chain([head], rest):
        whole, held = _split(held + piece)
        if whole:
            yield whole
    if held:
        yield held


def _split(text: str) -> tuple[str, str]:
    """What can be said now, in marks; and what ends in an open bracket."""
    opened = max(text.rfind("["), text.rfind("【"))
    is_open = opened >= 0 and not re.search("[]】]", text[opened:]) and len(text) - opened <= _LONGEST_MARKS
    at = opened if is_open else len(text)
    return _MARKS.sub(_as_marks, text[:at]), text[at:]


# ---- JSON ----------------------------------------------------------------------------------------------------------


def _statements(head: str, rest: Iterator[str]) -> Iterator[str]:
    """All but the last statement as soon as the next one begins; the last one when the document is whole."""
    text = _FENCE.sub("", head, count=1)
    said = 0
    for piece in rest:
        text += piece
        if "{" in piece:
            for one in _list(_partial(text))[said:-1]:
                yield from _one(one)
                said += 1
    document = _document(text)
    found = _list(document)
    if not found and document != {"statements": []}:
        raise GeneratorError(
            "the model answered in JSON that " + ("is broken" if document is None else "holds no statements"),
            hint="ask again, or choose another model",
        )
    for one in found[said:]:
        yield from _one(one)


def _one(statement: Any) -> Iterator[str]:
    if isinstance(statement, str):
        statement = {"text": statement}
    text = statement.get("text") if isinstance(statement, dict) else None
    if not isinstance(text, str) or not text.strip():
        return
    pictures = statement.get("pictures")
    numbers = [_number(value) for value in pictures] if isinstance(pictures, list) else []
    yield marked(text, [number for number in numbers if number is not None])


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 5:
        return int(value)
    return value if type(value) is int and 0 <= value < 10_000 else None


def _list(document: Any) -> list[Any]:
    """The statements of a document; one that is a single statement is taken too."""
    if isinstance(document, dict):
        document = [document] if "text" in document else document.get("statements")
    return document if isinstance(document, list) else []


def _partial(text: str) -> Any:
    try:
        return from_json(text, allow_partial=True)
    except ValueError:
        return None


def _document(text: str) -> Any:
    """The first JSON value of `text`, whatever follows it; None where there is none. Line breaks in strings pass."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        return None
