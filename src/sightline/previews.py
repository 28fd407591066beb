"""Pictures in the terminal: what this terminal can draw, and a grid of thumbnails with a few lines below each.

Four forms: `kitty` and `iterm2` (the picture as a file, base64), `sixel` (256 colours, bands of six pixels) and
`blocks` (two pixels to a character cell, for any terminal with 256 colours). Which one a terminal takes is asked of the
terminal itself by blessed (`pip install 'sightline[terminal]'`) and not guessed from its name, so that tmux and screen
answer for what they let through (decisions/0008). Pictures and texts are other people's data: pictures are decoded,
made small and encoded anew, texts go through `render.plain`.

    SIGHTLINE_PREVIEWS=blocks sightline search "a red car" --show
"""

from __future__ import annotations

import base64
import io
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image
from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from rich.table import Table
from rich.text import Text

from sightline import media, render
from sightline.errors import BadMedia, MissingExtra
from sightline.schema import Hit, Hits, Query

Form: TypeAlias = Literal["kitty", "iterm2", "sixel", "blocks"]

ANSWER_SECONDS = 0.7
"""How long a terminal may take for an answer. A mute one is waited for three times: blessed asks twice on its own."""

NARROWEST, WIDEST, GAP = 24, 48, 2  # columns of a tile, and between two
NARROWEST_BLOCKS = 36  # with fewer pixels than these nobody sees what it is
LONGEST = 512  # pixels of the longer side of what is sent, whatever the terminal's cells measure
CELL = (10, 20)  # pixels of a character cell where the terminal does not tell: the VT340's
CAPTION_LINES = 2
CHUNK = 4096  # bytes of payload in one command of the kitty protocol
COLOURS = 256
NO_PICTURE = "(no picture)"


@dataclass(frozen=True, slots=True)
class Screen:
    """What can be drawn here. `form` None: nothing; `why` is one line for the person, empty when all is well.

    `columns` and `rows` are those of the terminal, `cell` the pixels of one character, width and height.
    """

    form: Form | None
    why: str = ""
    columns: int = 80
    rows: int = 24
    cell: tuple[int, int] = CELL


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the grid: its bytes, fetched when it is drawn, and the lines below it (no controls in them)."""

    load: Callable[[], bytes]
    lines: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture made to fit: `image` RGB, the cells that it takes; `wide`: it is the width that holds it in its box."""

    image: Image.Image
    columns: int
    rows: int
    wide: bool = True


# ---- for the commands -----------------------------------------------------------------------------------------


def hits(found: Hits, screen: Screen, thumbnail: Callable[[str], bytes], *, why: bool = False) -> None:
    """Draws the hits on stdout, best first. `thumbnail` gives the picture of an id; `screen.form` is not None."""

    def tile(hit: Hit) -> Tile:
        judged = hit.relevance is not None
        head = Text.assemble((f"{hit.rank}", "dim"), "  ", (f"{render.fits(hit)}  " if judged else "", "bold"))
        lines = [head.append(f"{hit.score:.3f}", "dim" if judged else "bold").append(render.alike(hit), "bold")]
        if why:
            seen = (f"{name} {render.seen(hit, name)}" for name in hit.why)
            lines.append(Text(" · ".join(seen), style="cyan"))
        lines.append(Text(render.plain(found.query.caption_of(hit.text))))
        return Tile(lambda: thumbnail(hit.id), (*lines, _name(hit, "dim")))

    _write(grid([tile(hit) for hit in found], screen))


def cited(shown: Sequence[tuple[int, Hit]], query: Query, screen: Screen, thumbnail: Callable[[str], bytes]) -> None:
    """Draws pictures with the numbers by which an answer cites them; `screen.form` is not None."""

    def tile(number: int, hit: Hit) -> Tile:
        head = Text.assemble((f"[{number}]", "bold"), (f"  {render.date(hit.captured_at)}", "dim"))
        caption = Text(render.plain(query.caption_of(hit.text)))
        return Tile(lambda: thumbnail(hit.id), (head, caption, _name(hit, "dim")))

    _write(grid([tile(number, hit) for number, hit in shown], screen))


def samples(picked: Sequence[Hit], screen: Screen) -> None:
    """Draws samples on stdout with their names and all their captions; `screen.form` is not None."""

    def tile(hit: Hit) -> Tile:
        captions = [render.plain(line) for line in hit.text.split("\n") if line.strip()] or ["(no caption)"]
        mark = "· " if len(captions) > 1 else ""
        return Tile(hit.load, (_name(hit, "bold"), *(Text(f"{mark}{line}") for line in captions)))

    _write(grid([tile(hit) for hit in picked], screen, lines=None))


def _name(hit: Hit, style: str) -> Text:
    return Text(render.plain(hit.name), style=f"{style} {render.link(hit.uri)}".strip(), no_wrap=True)


def _write(rows: Iterable[str]) -> None:
    for row in rows:
        render.out(row)


# ---- what the terminal can draw -------------------------------------------------------------------------------


def screen(wanted: str = "auto") -> Screen:
    """What stdout can draw. `wanted`: a form that the person asks for, `none`, or `auto`: the best one answered for.

    Asks the terminal only for `auto`, takes about two seconds at most, and does not ask where the answer would not come
    to us: with stdin redirected or in the background.
    """
    if not render.on_terminal():
        return Screen(None, "pictures are drawn on a terminal; this output goes to a file or a pipe")
    console = render.console()
    size = (console.width, console.height)
    if wanted == "none":
        return Screen(None, "no pictures: the setting 'previews' is none", *size)
    if wanted != "auto":
        return Screen(_form(wanted), "", *size, cell=_cell_of_window() or CELL)
    if console.no_color:
        return Screen(None, "no pictures: NO_COLOR is set; SIGHTLINE_PREVIEWS=blocks draws all the same", *size)
    if console.is_dumb_terminal:
        return Screen(None, "no pictures: this terminal (TERM) can only write text", *size)
    blocks = Screen(_blocks_of(console.color_system), "", *size, cell=_cell_of_window() or CELL)
    if blocks.form is None:
        lacking = "no pictures: this terminal has fewer than 256 colours or no UTF-8; see the setting 'previews'"
        blocks = Screen(None, lacking, *size)
    return _asked(blocks) if _may_ask() else blocks


def _form(name: str) -> Form:
    forms: dict[str, Form] = {"kitty": "kitty", "iterm2": "iterm2", "sixel": "sixel", "blocks": "blocks"}
    return forms[name]


def _blocks_of(colours: str | None) -> Form | None:
    try:
        "▀".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return None
    return "blocks" if colours in ("256", "truecolor") else None


def _may_ask() -> bool:
    """Whether the answer would come to us: stdin is the terminal, and this is not a job in the background."""
    if not sys.stdin.isatty():
        return False
    if not hasattr(os, "tcgetpgrp"):
        return True
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False


def _asked(otherwise: Screen) -> Screen:
    """The best form that the terminal answers for, else `otherwise`. A mute one is not asked a second question."""
    os.environ.setdefault("BLESSED_QUERY_TIMEOUT_SECONDS", str(ANSWER_SECONDS))  # of what it asks on its own
    try:
        import blessed
    except ImportError:
        hint = MissingExtra("terminal", "a sharper picture").hint
        return otherwise if otherwise.why else replace(otherwise, why=f"drawn with blocks; sharper pictures: {hint}")
    terminal = blessed.Terminal(stream=sys.stdout)
    if terminal.get_device_attributes(timeout=ANSWER_SECONDS) is None:
        return otherwise
    form: Form
    if terminal.does_kitty_graphics(timeout=ANSWER_SECONDS):
        form = "kitty"
    elif terminal.does_iterm2_graphics(timeout=ANSWER_SECONDS):
        form = "iterm2"
    elif terminal.does_sixel(timeout=ANSWER_SECONDS):
        form = "sixel"
    else:
        return otherwise
    height, width = terminal.get_cell_height_and_width(timeout=ANSWER_SECONDS)
    told = (width, height) if 0 < width <= 200 and 0 < height <= 400 else None
    return replace(otherwise, form=form, why="", cell=told or otherwise.cell)


def _cell_of_window() -> tuple[int, int] | None:
    """Width and height of a character in pixels, from the window's size; None where the terminal does not say."""
    try:
        import fcntl
        import struct
        import termios

        told = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
        rows, columns, width, height = struct.unpack("HHHH", told)
    except (ImportError, OSError, ValueError):
        return None
    cell = (width // columns, height // rows) if columns and rows else (0, 0)
    return cell if min(cell) > 0 else None


# ---- the grid -------------------------------------------------------------------------------------------------


def grid(tiles: Sequence[Tile], screen: Screen, *, lines: int | None = CAPTION_LINES) -> Iterator[str]:
    """The grid, a row of tiles at a time. `lines`: how many each text may take; None: as many as it needs."""
    narrowest = NARROWEST_BLOCKS if screen.form == "blocks" else NARROWEST
    across = min(max(1, (screen.columns + GAP) // (narrowest + GAP)), max(1, len(tiles)))
    width = min((screen.columns - GAP * (across - 1)) // across, WIDEST)
    height = max(1, min(width * 2 // 5, screen.rows - 3))
    for start in range(0, len(tiles), across):
        row = tiles[start : start + across]
        if start:
            yield "\n"
        yield _pictures([_placed(tile, width, height, screen) for tile in row], width, screen)
        yield _texts(row, width, lines)


def _placed(tile: Tile, columns: int, rows: int, screen: Screen) -> Placed | None:
    """The tile's picture, as large as fits into the box; None for one that cannot be decoded."""
    try:
        image = media.decode(tile.load(), longest=LONGEST).image
    except (BadMedia, OSError):
        return None
    across, down = (1, 2) if screen.form == "blocks" else screen.cell  # a block's two pixels are square
    scale = min(columns * across / image.width, rows * down / image.height)
    wide = scale == columns * across / image.width
    if screen.form == "sixel":  # one pixel is one pixel: on cells of a fine screen the picture stays small
        scale = min(scale, LONGEST / max(image.size))
    width, height = max(1.0, image.width * scale), max(1.0, image.height * scale)
    cells = (min(columns, math.ceil(width / across)), min(rows, math.ceil(height / down)))
    if screen.form not in ("blocks", "sixel"):  # the others are stretched by the terminal
        shrink = min(1.0, scale, LONGEST / max(image.size))
        width, height = image.width * shrink, image.height * shrink
    size = (max(1, round(width)), max(1, round(height)))
    return Placed(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), *cells, wide)


def _pictures(row: Sequence[Placed | None], width: int, screen: Screen) -> str:
    """A row of pictures as one text, the cursor below them at the end."""
    height = max((one.rows for one in row if one), default=1)
    if screen.form == "blocks":
        return _blocks_row(row, width, height)
    # The lines are made first and the cursor goes back up into them, so that nothing scrolls while pictures are drawn.
    parts = ["\n" * height, f"\x1b[{height}A"]
    draw = {"kitty": kitty, "iterm2": iterm2, "sixel": sixel}[screen.form or ""]
    for place, one in enumerate(row):
        parts.append(f"\x1b[{place * (width + GAP) + 1}G")
        parts.append(NO_PICTURE if one is None else f"\x1b7{draw(one)}\x1b8")
    return "".join([*parts, "\r", f"\x1b[{height - 1}B" if height > 1 else "", "\n"])


def _blocks_row(row: Sequence[Placed | None], width: int, height: int) -> str:
    table = _table(len(row), width)
    table.add_row(*(blocks(one) if one else Text(NO_PICTURE, style="dim") for one in row))
    return render.rendered(table)


def _texts(row: Sequence[Tile], width: int, lines: int | None) -> str:
    table = _table(len(row), width)
    table.add_row(
        *(Text("\n").join(part for text in tile.lines for part in _wrapped(text, width, lines)) for tile in row)
    )
    return render.rendered(table)


def _wrapped(text: Text, width: int, most: int | None) -> list[Text]:
    """`text` in lines of `width`, at most `most` of them; what must not wrap loses its beginning instead of its end."""
    if text.no_wrap:
        rest = text.plain
        while cell_len(rest) > width - (rest != text.plain):
            rest = rest[1:]
        return [Text(rest if rest == text.plain else f"…{rest}", style=text.style)]
    parts = list(text.wrap(render.console(), width))
    if most is None or len(parts) <= most:
        return parts
    rest = Text(" ").join(parts[most - 1 :]).plain
    while cell_len(rest) > width - 1:
        rest = rest[:-1]
    return [*parts[: most - 1], Text(f"{rest.rstrip()}…", style=text.style)]


def _table(columns: int, width: int) -> Table:
    table = Table.grid(padding=(0, GAP, 0, 0))
    for _ in range(columns):
        table.add_column(width=width, no_wrap=True, overflow="crop")
    return table


# ---- the four forms -------------------------------------------------------------------------------------------


def kitty(one: Placed) -> str:
    """A PNG in chunks; the cursor stays, nothing is answered. https://sw.kovidgoyal.net/kitty/graphics-protocol"""
    data = base64.standard_b64encode(_file(one.image, "PNG")).decode()
    chunks = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    size = f"c={one.columns}" if one.wide else f"r={one.rows}"  # with both, the terminal would stretch it
    head = f"a=T,f=100,q=2,C=1,{size},"
    return "".join(
        f"\x1b_G{'' if place else head}m={int(place < len(chunks) - 1)};{chunk}\x1b\\"
        for place, chunk in enumerate(chunks)
    )


def iterm2(one: Placed) -> str:
    """A JPEG as it is in a file, without a name. https://iterm2.com/documentation-images.html"""
    data = _file(one.image, "JPEG")
    size = f"size={len(data)};width={one.columns};height={one.rows};preserveAspectRatio=1"
    return f"\x1b]1337;File=inline=1;{size}:{base64.standard_b64encode(data).decode()}\x07"


def sixel(one: Placed) -> str:
    """256 colours in per cent, bands of six rows, each colour of a band on its own, runs counted. DEC STD 070"""
    paletted = one.image.quantize(COLOURS)
    indices = np.asarray(paletted)  # (h, w) uint8
    palette = np.array(paletted.getpalette()).reshape(-1, 3)
    height, width = indices.shape
    parts = [f'\x1bP0;1q"1;1;{width};{height}']
    for colour in np.unique(indices):
        red, green, blue = np.rint(palette[colour] / 2.55).astype(int)
        parts.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        band = indices[top : top + 6]
        bits = 1 << np.arange(len(band))
        for colour in np.unique(band):
            sixels = (bits @ (band == colour) + 63).astype(np.uint8).tobytes().decode()  # a character per column
            parts.append(f"#{colour}{_counted(sixels)}$")
        parts.append("-")
    return "".join([*parts, "\x1b\\"])


def blocks(one: Placed) -> Text:
    """Two pixels to a cell: ▀ in the colour of the upper one on the colour of the lower one."""
    pixels = np.asarray(one.image).tolist()  # [row][column][red, green, blue]
    text = Text(no_wrap=True)
    for upper, lower in zip_longest(pixels[::2], pixels[1::2]):
        for above, below in zip_longest(upper, lower or ()):
            text.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below) if below else None))
        text.append("\n")
    text.right_crop(1)
    return text


def _file(image: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def _counted(sixels: str) -> str:
    """`????????` as `!8?`; what is empty to the right is left out."""
    return re.sub(r"(.)\1{3,}", lambda run: f"!{len(run[0])}{run[1]}", sixels.rstrip("?"))
