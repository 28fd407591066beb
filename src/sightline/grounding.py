"""grounding: what a generator said -> sentences that cite what they were given, with nothing that a page would load.

Text comes in pieces that may be cut anywhere. It goes on sentence by sentence, each whole, checked and clean: marks are
[n] with n a hit that was given, or gone; links, pictures and HTML are plain words; what steers a terminal is dropped.
What was passed on is, joined, the text of the answer, and the same however the pieces were cut. Trusts nothing; pure.

    python -c "from sightline.grounding import check; print(check('A dog [1, 7]. See http://a.b/c', ['id1']))"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sightline.answers import Statement

MOST = 64_000
"""Characters of an answer; what comes after them is not read."""
LONG = 2_000
"""Characters of a sentence; a longer one is cut at a space, so that nothing waits for ever for its end."""
NO_LINK = "(link removed)"


@dataclass(frozen=True, slots=True)
class Checked:
    """A whole text, checked. `removed` counts the marks of pictures that were not given."""

    text: str
    statements: tuple[Statement, ...]
    removed: int


class Grounding:
    """Checks a text that comes in pieces against the ids that it may cite: mark [n] is `ids[n - 1]`.

    `feed` and `end` give what can be passed on; `checked` what was found so far. `is_full`: nothing more is read.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = tuple(ids)
        self._buffer, self._gap, self._read = "", "", 0
        self._text: list[str] = []
        self._statements: list[Statement] = []
        self._removed = 0

    @property
    def is_full(self) -> bool:
        return self._read >= MOST

    def feed(self, piece: str) -> Iterator[str]:
        """The sentences that are whole now."""
        piece = piece[: MOST - self._read]
        self._read += len(piece)
        self._buffer += piece.translate(_SPACES)
        while (end := _first_end(self._buffer)) is not None:
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            yield from self._sentence(raw)
            if not raw[-1].isspace() and raw[-1] not in _NO_SPACE:
                self._gap = " "  # cut in a word: the halves must not make a mark or an address again

    def end(self) -> Iterator[str]:
        """What is left."""
        rest, self._buffer = self._buffer, ""
        yield from self._sentence(rest)

    def checked(self) -> Checked:
        return Checked("".join(self._text), tuple(self._statements), self._removed)

    def _sentence(self, raw: str) -> Iterator[str]:
        text, removed = _marked(_plain(raw), len(self._ids))
        body = _harmless(text).strip()
        self._removed += removed
        if body:
            shown = (self._gap if self._text else "") + body
            self._gap = ""
            cited = dict.fromkeys(self._ids[int(number) - 1] for number in _CANONICAL.findall(body))
            self._text.append(shown)
            self._statements.append(Statement(body, tuple(cited), supported=bool(cited) and not removed))
            yield shown
        self._gap = _wider(self._gap, raw[len(raw.rstrip()) :])


def check(text: str, ids: Sequence[str]) -> Checked:
    """A whole text, checked against the ids that it may cite."""
    grounding = Grounding(ids)
    for _ in (*grounding.feed(text), *grounding.end()):
        pass
    return grounding.checked()


# ---- where a sentence ends ------------------------------------------------------------------------------------

_SPACES = {ord("\r"): None, ord("\t"): " ", **dict.fromkeys(map(ord, "\x0b\x0c\x85\u2028\u2029"), "\n")}
_SPACES |= dict.fromkeys(range(0x1C, 0x20), None)
_NO_SPACE = "。！？"  # scripts without spaces between sentences
_OPEN, _CLOSE = r"[\[【]", r"[\]】]"
_WITHIN = r"[\s\d,;–—-]"  # what stands between the brackets of marks
_MARKS = rf"(?:\s*{_OPEN}{_WITHIN}*\d{_WITHIN}*(?:†[^\]】\s]*)?{_CLOSE})*"
# What comes next has to be there before a sentence is said to end: a mark behind the full stop is still its own.
_NEXT = rf"(?=[^\s\[【]|{_OPEN}{_WITHIN}*[^\s\d,;–—\]】-])"
_END = re.compile(
    rf"(?<![.!?…])(?P<stop>[.!?…]+)[\"'”’)*_]*{_MARKS}(?P<gap>\s+){_NEXT}|[{_NO_SPACE}]{_MARKS}\s*{_NEXT}|\n\s*{_NEXT}"
)
_SHORT = re.compile(
    r"(?:^|[\s(\[“\"'])(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|cf|ca|approx|e\.g|i\.e|u\.s|u\.k|[a-z])$", re.IGNORECASE
)
"""What a full stop behind it does not end: abbreviations and initials."""
_SHORT_OF_NUMBER = re.compile(
    r"\b(?:no|nr|fig|figs|vol|pp?|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)$", re.IGNORECASE
)
_LISTED = re.compile(r"\s*\d{1,3}")


def _first_end(text: str) -> int | None:
    """Where the first sentence of `text` ends for certain, whatever will follow; with the space behind it.

    Looks at its first LONG characters alone, so that it makes no difference how many there are.
    """
    window = text[:LONG]
    for match in _END.finditer(window):
        if _is_end(match, window):
            return match.end()
    if len(text) < LONG:
        return None
    space = max(window.rfind(" "), window.rfind("\n")) + 1
    return space if window[:space].strip() else LONG


def _is_end(match: re.Match[str], text: str) -> bool:
    following = text[match.end()]
    if match["stop"] is None:
        return match[0][0] != "\n" or not following.islower() or match[0].count("\n") > 1
    if "\n" in match["gap"]:
        return True
    before = text[: match.start()]
    if match["stop"] == "." and (_SHORT.search(before) or _LISTED.fullmatch(before)):
        return False
    if match["stop"] == "." and following.isdigit() and _SHORT_OF_NUMBER.search(before):
        return False
    return not following.islower()


def _wider(one: str, other: str) -> str:
    """The gap between two sentences: a paragraph, a line, or a space."""
    lines = max(one.count("\n"), other.count("\n"))
    if lines:
        return "\n\n" if lines > 1 else "\n"
    return " " if one or other else ""


# ---- marks ----------------------------------------------------------------------------------------------------

_MARK = re.compile(rf"([ \t]*){_OPEN}\s*\^?#?({_WITHIN}*\d{_WITHIN}*)(?:†[^\]】]*)?\s*{_CLOSE}")
_CANONICAL = re.compile(r"\[(\d{1,6})\]", re.ASCII)
_PASSES = 8
_NO_BRACKETS = str.maketrans("[]【】", "()()")


def _marked(text: str, n: int) -> tuple[str, int]:
    """`text` with its marks as [1] … [n], each alone, and how many numbers in marks were none of these."""
    wrong = 0

    def mark(match: re.Match[str]) -> str:
        nonlocal wrong
        numbers, others = _numbers(match[2], n)
        wrong += others
        return match[1] + "".join(f"[{number}]" for number in numbers) if numbers else ""

    for _ in range(_PASSES):  # what is left of a bracket in a bracket may be a mark again
        before, text = text, _MARK.sub(mark, text)
        if text == before:
            return text, wrong
    # nobody writes so: no bracket stays that is not the mark of a hit
    parts = re.split(r"(\[[1-9]\d{0,5}\])", text, flags=re.ASCII)
    kept = [part if at % 2 and int(part[1:-1]) <= n else part.translate(_NO_BRACKETS) for at, part in enumerate(parts)]
    return "".join(kept), wrong


def _numbers(said: str, n: int) -> tuple[list[int], int]:
    """The numbers up to `n` that `1, 3-5` means, and how many of its parts mean another one."""
    numbers: dict[int, None] = {}
    wrong = 0
    for part in re.split(r"[,;]|(?<=\d)\s+(?=\d)", said):
        ends = re.fullmatch(r"\s*(\d{1,6})(?:\s*[–—-]+\s*(\d{1,6}))?\s*", part)
        if ends is None:
            wrong += bool(part.strip())
            continue
        first, last = int(ends[1]), int(ends[2] or ends[1])
        numbers |= dict.fromkeys(range(max(first, 1), min(last, n) + 1))
        wrong += not 1 <= first <= last <= n
    return list(numbers), wrong


# ---- plain words ----------------------------------------------------------------------------------------------

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x9c|\x1b\\)?"  # OSC, DCS and the like
    r"|\x1b."
)
# C0 but newline, DEL, C1, soft hyphen, zero-width and reordering marks, tags, surrogates
_CONTROLS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\n]{0,1000}(?:\([^()\n]{0,1000}\)[^()\n]{0,1000})?\)")
_TAG = re.compile(r"<(?![a-z]+:)/?[A-Za-z!][^<>\n]{0,1000}>")
_ADDRESS = re.compile(
    r"(?:[a-z0-9+.-]{0,30}:(?://|\\\\)|\b(?:mailto|javascript|vbscript|data|blob|file|tel|xmpp):(?=[^\s,;])"
    r"|(?<![^\W_])www\.(?=\w))[^\s\[\]<>]*",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"[)}\"'.,;:!?*]+$")  # what stands behind an address, not in it
_DEFINITION = re.compile(r"^([\s>*+\d.)-]*\[[^\]\n]*\]):", re.MULTILINE)


def _plain(text: str) -> str:
    """Without controls; links and tags become the words in them."""
    text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    return _TAG.sub("", _LINK.sub(_words_of, text))


def _words_of(match: re.Match[str]) -> str:
    """The words of a link; a number in it was a mark."""
    return f"[{match[1]}]" if re.fullmatch(rf"{_WITHIN}*\d{_WITHIN}*", match[1]) else match[1]


def _harmless(text: str) -> str:
    """What is left of links, pictures, addresses and tags, broken: nothing is rendered or followed."""
    text = _ADDRESS.sub(_no_address, text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "‹", text)
    text = re.sub(r"!+(?=\[)", "", text).replace("](", "] (")
    return _DEFINITION.sub(r"\1 :", text)


def _no_address(match: re.Match[str]) -> str:
    behind = _BEHIND.search(match[0])
    return NO_LINK + (behind[0] if behind else "")
