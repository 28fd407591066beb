"""Words on a terminal or in a pipe: the one place that knows how results look, and that nothing in them can do harm.

Captions, names and uris are other people's data. On a terminal every control character in them becomes visible
(an escape sequence can rename the window or forge a line), rich markup in them stays text, and bytes that are no
characters never crash the output. Knows records; nothing of collections.
"""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import unquote

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from sightline.dups import Duplicates
    from sightline.reports import IngestReport, OcrReport
    from sightline.schema import Filter, Hit, Hits, Query, Term

POINTER_BEFORE, POINTER_AFTER = 60, 30  # characters of a query shown around a fault
CAPTION = 240  # characters of a caption in a list; more are in --json and in a pipe
BROKEN_PIPE = 141  # 128 + SIGPIPE: what a shell sees of any tool that `| head` has cut off

# C0 but tab and newline, DEL, C1, marks that reorder text, line separators, lone surrogates.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


# ---- text that cannot do harm ---------------------------------------------------------------------------------


def plain(text: str) -> str:
    """`text` on one line: what would steer the terminal is shown instead (ESC as ␛), spaces are single."""
    return " ".join(_UNSAFE.sub(_visible, text.replace("\r", "\n")).split())


def field(text: str) -> str:
    r"""`text` as one field of a tab-separated line: `\\ \t \n \r`, and `\xNN` or `\uNNNN` for other controls."""
    escaped = "".join(_ESCAPES.get(char, char) for char in text)
    return _UNSAFE.sub(lambda match: _code(match[0]), escaped)


def dump(document: object) -> str:
    """One JSON document; characters that steer a terminal or are no characters are written as escapes."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _visible(match: re.Match[str]) -> str:
    return _visible_char(match[0])


def _visible_char(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def _code(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


# ---- where it goes --------------------------------------------------------------------------------------------


def out(text: str) -> None:
    """Writes result lines to stdout. A reader that has gone away (`| head`) ends the program silently."""
    with _silent_when_cut_off():
        sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")
        sys.stdout.flush()


def write(text: str) -> None:
    """Writes a piece of text as it comes, on as many lines as it has; what would steer the terminal is shown."""
    with _silent_when_cut_off():
        sys.stdout.write(_UNSAFE.sub(_visible, text))
        sys.stdout.flush()


@contextmanager
def _silent_when_cut_off() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the last flush has a place to go
        raise typer.Exit(BROKEN_PIPE) from None


def heading(text: str) -> None:
    """A line with space above it, bold on a terminal."""
    if not on_terminal():
        out(f"\n{text}")
        return
    from rich.text import Text

    show(Text(f"\n{text}", style="bold"))


def note(text: str) -> None:
    """One line for the person on stderr."""
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def error(
    message: str,
    hint: str = "",
    *,
    kind: str = "error",
    name: str = "",
    as_json: bool = False,
    place: tuple[str, int] | None = None,
) -> None:
    """What went wrong and what to do about it, on stderr: two lines at most, or the error document.

    `place` is a text and the character of it that is meant: two lines more, the text and a caret below it.
    """
    if as_json:
        document = {"error": name or kind, "message": plain(message), "hint": plain(hint)}
        sys.stderr.write(f"{dump(document if place is None else {**document, 'at': place[1]})}\n")
        return
    sys.stderr.write(f"{kind}: {plain(message)}\n")
    if place is not None:
        sys.stderr.write(pointer(*place))
    if hint:
        sys.stderr.write(f"hint: {plain(hint)}\n")


def pointer(text: str, at: int) -> str:
    """Two lines: what of `text` stands around character `at`, and a caret below that character."""
    first = max(0, at - POINTER_BEFORE)
    shown = [_one_wide(char) for char in text[first : at + POINTER_AFTER]]
    dots = ("…" if first else "", "…" if at + POINTER_AFTER < len(text) else "")
    columns = len(dots[0]) + sum(_columns(char) for char in shown[: at - first])
    return f"  {dots[0]}{''.join(shown)}{dots[1]}\n  {' ' * columns}^\n"


def _one_wide(char: str) -> str:
    """A character as it can be shown in one place, marks that would steer the terminal included."""
    if char.isspace():
        return " "
    return _visible_char(char) if _UNSAFE.match(char) else char


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def make_safe() -> None:
    """Lets stdout and stderr take any text, whatever the locale; to be called once by the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def on_terminal(stream: TextIO | None = None) -> bool:
    return (stream or sys.stdout).isatty()


def show(*renderables: RenderableType) -> None:
    """Renders on stdout with rich, through `out`, so that it is written at once and a broken pipe stays silent."""
    out(rendered(*renderables))


def rendered(*renderables: RenderableType) -> str:
    """What stdout's terminal is sent for these."""
    screen = console()
    with screen.capture() as captured:
        for renderable in renderables:
            screen.print(renderable)
    return captured.get()


def console(stream: TextIO | None = None) -> Console:
    from rich.console import Console

    # Nothing in our texts is markup, emoji code or worth a guess at its colour.
    return Console(file=stream or sys.stdout, markup=False, emoji=False, highlight=False)


# ---- search and show ------------------------------------------------------------------------------------------


def hits(found: Hits, *, why: bool = False) -> None:
    """A table on a terminal, tab-separated `rank score uri text` in a pipe; `why` adds channel=rank:score:share."""
    if on_terminal():
        show(_hits_table(found, why))
        return
    lines = []
    for hit in found:
        fields = [str(hit.rank), f"{hit.score:.4f}", field(hit.uri), field(hit.text)]
        if why:
            fields.append(field(" ".join(f"{name}={seen}" for name, seen in _why(hit).items())))
        lines.append("\t".join(fields) + "\n")
    out("".join(lines))


def nothing(found: Hits, address: str) -> str:
    """Why there is nothing to show, in one line: nothing is there, or nothing of it fits."""
    if not found.near_misses:
        return f"nothing found in {address}"
    misses = f"{found.near_misses} near miss{'es' if found.near_misses > 1 else ''}"
    return f"nothing found that fits in {address}; --min-relevance 0 shows {misses}"


def unsure(found: Hits) -> str:
    """One line where hits are shown although nobody can say how well they fit; else empty."""
    if found.cutoff is None or not any(hit.relevance is None for hit in found):
        return ""
    return "how well pictures without captions fit, this model cannot tell: the nearest are shown"


def uris(found: Hits) -> None:
    """The uri of each hit, of a file its path in the very bytes that the system has for it; each is ended by NUL."""
    with _silent_when_cut_off():
        sys.stdout.flush()
        sys.stdout.buffer.write(b"".join(_named(hit.uri) + b"\0" for hit in found))
        sys.stdout.buffer.flush()


def _named(uri: str) -> bytes:
    from sightline.sources import path_of

    if uri.startswith("file:///") and b"\0" not in (path := os.fsencode(path_of(uri))):
        return path
    return uri.replace("\0", "%00").encode("utf-8", "surrogateescape")


def understood(query: Query) -> str:
    """One line that says how a query was understood; empty where it is nothing but plain words, one picture or item."""
    term = query.terms[0] if len(query.terms) == 1 else None
    if term and not query.filters and term.weight == 1 and (not term.text or term.text == query.raw.strip()):
        return ""
    said = "".join(
        f"{' - ' if term.excluded else ' + ' if place else ''}{_term(term)}" for place, term in enumerate(query.terms)
    )
    return "understood: " + " · ".join([*([said.strip()] if said else []), *_conditions(query.filters)])


def _term(term: Term) -> str:
    weight = "" if abs(term.weight) == 1 else f"{abs(term.weight):g}:"
    if term.picture is not None:
        return f"{weight}picture {term.name}"
    return f"{weight}id:{term.item}" if term.item else f'{weight}"{term.text}"'


def _conditions(filters: Sequence[Filter]) -> list[str]:
    """Each filter in words; the two ends of a span of time are one."""
    lines: list[str] = []
    rest = list(filters)
    while rest:
        one = rest.pop(0)
        verb = "added" if one.kind.startswith("added") else "taken"
        other = rest[0] if rest else None
        is_span = one.kind.endswith("after") and other and other.kind == one.kind.replace("after", "before")
        if is_span and other and not (one.excluded or other.excluded):
            rest.pop(0)
            lines.append(f"{verb} {_between(one.value, other.value)}")
        else:
            lines.append(f"{'not ' if one.excluded else ''}{_condition(one, verb)}")
    return lines


def _condition(one: Filter, verb: str) -> str:
    if isinstance(one.value, datetime):
        return f"{verb} {one.kind.removeprefix('added-')} {_moment(one.value)}"
    if one.kind == "near":
        latitude, longitude, distance = str(one.value).split(",")
        return f"within {distance.removesuffix('km')} km of {latitude}, {longitude}"
    words = {"in": "in {}", "type": "type {}", "has": "with a {}", "camera": 'camera "{}"', "text": 'text "{}"'}
    return words[one.kind].format(one.value)


def _between(start: Any, end: Any) -> str:
    """A span with its last day, or with hours where it begins or ends within a day."""
    first, last = _moment(start), _moment(end - timedelta(days=1))
    if ":" in first or ":" in last:
        return f"{first} to {_moment(end)}"
    return f"on {first}" if first == last else f"{first} to {last}"


def _moment(moment: datetime) -> str:
    """Local time; the date alone at midnight."""
    here = moment.astimezone()
    return f"{here:%Y-%m-%d}" if (here.hour, here.minute, here.second) == (0, 0, 0) else f"{here:%Y-%m-%d %H:%M}"


def date(moment: datetime | None) -> str:
    """The day in local time; empty for none."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d}"


def _hits_table(found: Hits, why: bool) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    judged = any(hit.relevance is not None for hit in found)
    if judged:
        table.add_column("fits", justify="right", style="bold", no_wrap=True)
    table.add_column("score", justify="right", style="dim" if judged else "bold", no_wrap=True)
    channels = sorted({name for hit in found for name in hit.why}, reverse=True) if why else []
    for name in channels:
        table.add_column(plain(name), justify="right", style="cyan", no_wrap=True)
    captions = [shorten(found.query.caption_of(hit.text)) for hit in found]
    if any(captions):
        table.add_column("caption", ratio=3, overflow="fold")
    table.add_column("picture", ratio=2, overflow="fold", style="dim")
    for hit, caption in zip(found, captions, strict=True):
        table.add_row(
            str(hit.rank),
            *([fits(hit)] if judged else []),
            f"{hit.score:.3f}",
            *(seen(hit, name) for name in channels),
            *([Text(caption)] if any(captions) else []),
            Text.assemble((plain(hit.name), link(hit.uri)), (alike(hit), "not dim bold")),
        )
    return table


def fits(hit: Hit) -> str:
    """How likely a hit is to be relevant, in percent; – where that cannot be said."""
    return "–" if hit.relevance is None else f"{100 * hit.relevance:.0f} %"


def alike(hit: Hit) -> str:
    """How many near-duplicates were folded into a hit, to stand behind its name; empty for none."""
    return f"  +{len(hit.alike)} alike" if hit.alike else ""


def shorten(caption: str) -> str:
    """A caption in one line, safe, at most `CAPTION` characters: some are the text of a whole page."""
    return textwrap.shorten(plain(caption), CAPTION, placeholder=" …")


def _why(hit: Hit) -> dict[str, str]:
    return {name: f"{one.rank}:{one.score:.4f}:{one.share:.2f}" for name, one in hit.why.items()}


def seen(hit: Hit, channel: str) -> str:
    """Rank, score and share of one channel; – when it did not see the hit."""
    one = hit.why.get(channel)
    return f"#{one.rank} {one.score:.3f} {100 * one.share:.0f}%" if one else "–"


def link(uri: str) -> str:
    """A style that makes terminals open the file; only for uris that are nothing but a plain file address."""
    return f"link {uri}" if re.fullmatch(r"file:///[A-Za-z0-9%/._~+-]*", uri) else ""


def pictures(items: Iterable[tuple[str, str, str]]) -> None:
    """(uri, name, text) of each sample: name and wrapped captions on a terminal, `uri text` in a pipe."""
    if not on_terminal():
        out("".join(f"{field(uri)}\t{field(text)}\n" for uri, _, text in items))
        return
    from rich.padding import Padding
    from rich.text import Text

    blocks: list[RenderableType] = []
    for uri, name, text in items:
        blocks.append(Text(plain(name), style=f"bold {link(uri)}".strip()))
        captions = [plain(line) for line in text.split("\n") if line.strip()] or ["(no caption)"]
        blocks += [Padding(Text(line), (0, 0, 0, 2)) for line in captions]
        blocks.append(Text())
    show(*blocks[:-1])


def duplicates(found: Duplicates) -> None:
    """Each group with the picture to keep first; in a pipe `group uri verdict width height bytes id`."""
    lines = [
        (number, one, group.verdict(one)) for number, group in enumerate(found.groups, start=1) for one in group.members
    ]
    if not on_terminal():
        rows((), [(n, one.uri, said, one.width, one.height, one.size, one.id) for n, one, said in lines])
        return
    header = ("group", "", "picture", "pixels", "KiB", "taken")
    body = []
    for number, one, said in lines:
        size = "" if one.size is None else f"{one.size / 1024:,.0f}"
        taken = _moment(one.captured_at) if one.captured_at else ""
        body.append((number, said, one.name, f"{one.width} x {one.height}", size, taken))
    rows(header, body, strong=2)


# ---- index ----------------------------------------------------------------------------------------------------

_COUNTS = ("added", "updated", "unchanged", "renamed", "removed", "missing", "encoded")


def report(done: IngestReport, *, dry_run: bool = False) -> None:
    """What an ingest did: sentences on a terminal, `name value` lines in a pipe."""
    if not on_terminal():
        counts = {name: getattr(done, name) for name in _COUNTS}
        pairs = {"address": done.address, "model": done.model, **counts, "skipped": len(done.skipped)}
        pairs |= {"seconds": f"{done.seconds:.3f}", "rows": done.rows}
        if done.ocr:
            pairs |= {"read": done.ocr.read, "with_text": done.ocr.with_text, "not_read": len(done.ocr.failed)}
        table(pairs)
        return
    from rich.text import Text

    show(*(Text(line) for line in sentences(done, dry_run=dry_run)))


def sentences(done: IngestReport, *, dry_run: bool = False) -> list[str]:
    """The report for a person, line by line."""
    happened = [f"{getattr(done, name):,} {name}" for name in _COUNTS[:5] if getattr(done, name)]
    if done.skipped:
        happened.append(f"{len(done.skipped):,} skipped")
    pace = f", {done.encoded / done.seconds:,.0f} pictures/s" if done.encoded and done.seconds > 0 else ""
    lines = [
        f"{'would do: ' if dry_run else ''}{', '.join(happened) or 'nothing to do'} · {duration(done.seconds)}{pace}",
        f"{plain(done.address)} holds {count(done.rows, 'picture')} (model {plain(done.model)})",
    ]
    for reason, uris in _skipped(done).items():
        names = ", ".join(tail(uri) for uri in uris[:3])
        more = f", and {len(uris) - 3:,} more" if len(uris) > 3 else ""
        lines.append(f"skipped {len(uris):,} {reason}: {names}{more}")
    if done.missing:
        lines.append(f"{count(done.missing, 'picture')} no longer in the source; --prune removes them")
    if done.ocr:
        lines += _read(done.ocr)
    return lines


def _read(ocr: OcrReport) -> list[str]:
    pace = f", {ocr.read / ocr.seconds:,.1f} pictures/s" if ocr.read and ocr.seconds > 0 else ""
    lines = [f"read {count(ocr.read, 'picture')}, {ocr.with_text:,} with text · {duration(ocr.seconds)}{pace}"]
    lines += [f"not read: {tail(one.uri)}: {plain(one.detail or one.reason)}" for one in ocr.failed[:3]]
    if len(ocr.failed) > 3:
        lines.append(f"not read: {len(ocr.failed) - 3:,} more; --json lists them")
    return lines


def _skipped(done: IngestReport) -> Mapping[str, list[str]]:
    by_reason: dict[str, list[str]] = {}
    for skip in done.skipped:
        by_reason.setdefault(skip.reason.value, []).append(skip.uri)
    return dict(sorted(by_reason.items(), key=lambda pair: -len(pair[1])))


def tail(uri: str) -> str:
    """The file name in a uri, for people."""
    return plain(unquote(uri.rstrip("/").rsplit("/", 1)[-1], errors="replace"))


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


# ---- tables of facts ------------------------------------------------------------------------------------------


def table(facts: Mapping[str, Any]) -> None:
    """Names and values: aligned on a terminal, tab-separated in a pipe."""
    if not on_terminal():
        out("".join(f"{field(name)}\t{field(_value(value))}\n" for name, value in facts.items()))
        return
    width = max((len(plain(name)) for name in facts), default=0)
    out("".join(f"{plain(name):<{width}}  {plain(_value(value)) or '–'}\n" for name, value in facts.items()))


def rows(header: Sequence[str], body: Iterable[Sequence[Any]], *, strong: int = 0) -> None:
    """A table with a header on a terminal, tab-separated without one in a pipe. Column `strong` is bold."""
    cells = [[_value(value) for value in row] for row in body]
    if not on_terminal():
        out("".join("\t".join(field(cell) for cell in row) + "\n" for row in cells))
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for i, name in enumerate(header):
        grid.add_column(name, style="bold" if i == strong else "", overflow="fold")
    for row in cells:
        grid.add_row(*(Text(plain(cell) or "–") for cell in row))
    show(grid)


def megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple, set, frozenset)):
        return " ".join(str(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
