"""Figures for people: random samples with their captions, and the hits of a search with caption and score.

Draws on matplotlib's `Figure` alone: no pyplot, no global state, no window, so a server may call it from a thread.
Knows pictures and words; nothing of collections.

    plots.results(collection.search("a road with a stop sign", k=6), "stop.png")
"""

from __future__ import annotations

import io
import os
import statistics
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sightline.errors import SightlineError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from PIL.Image import Image

    from sightline.answers import Answer
    from sightline.schema import Hit, Hits

SUFFIXES = (".png", ".svg", ".pdf")
MOST_TILES = 100  # a figure of a thousand pictures is seen by nobody

DPI = 150
MARGIN, GAP = 0.45, 0.30  # inches, as all lengths here
COLUMNS = {1: (1, 5.4), 2: (2, 4.2), 3: (3, 3.3), 4: (4, 2.8), 6: (3, 3.3)}  # tiles -> columns, tile width
MANY = (5, 2.5)
LEADING = 1.38  # line height / font size

INK, FAINT, ACCENT, PAPER, MAT = "#1f2328", "#6a717b", "#1a66c9", "#ffffff", "#eef0f2"

# Drawn only where they are installed; DejaVu Sans comes with matplotlib and has neither CJK nor emoji.
FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Emoji",
    "Segoe UI Emoji",
)


class Sample(Protocol):
    """What `samples` draws; a `Hit` is one."""

    @property
    def name(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def image(self) -> Image: ...


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a figure. `label` is short and strong, `captions` are wrapped, `note` is faint."""

    image: Image | None  # None: it cannot be read, an empty mat stands for it
    label: str = ""
    captions: tuple[str, ...] = ()
    note: str = ""
    accent: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its tiles; a figure is a column of sections."""

    title: str
    tiles: tuple[Tile, ...]
    note: str = ""
    text: str = ""  # below the title, on as many lines as it needs


def samples(items: Iterable[Sample], path: str | os.PathLike[str]) -> Path:
    """Draws the items with all their captions, wrapped, and returns the path written."""
    tiles = [Tile(_image(item), captions=_lines(item.text), note=_tail(item.name)) for item in items]
    return board([Section("", tuple(tiles[:MOST_TILES]))], path)


def results(hits: Hits, path: str | os.PathLike[str], *, picture: bytes | None = None) -> Path:
    """Draws the hits with the caption that matched and how well they fit, and returns the path written.

    `picture` is the query's picture, as a file's bytes, where the query names an item; its own bytes are found anyway.
    """
    return board([section(hits, picture=picture)], path)


def answered(answer: Answer, path: str | os.PathLike[str]) -> Path:
    """Draws a question, its answer and the pictures that it cites with their numbers; returns the path written.

    Where it cites none, the pictures that were found, if any.
    """
    cited = set(answer.citations) or {hit.id for hit in answer.hits}
    query = answer.question.query
    tiles = [
        Tile(_image(hit), f"[{number}]", (query.caption_of(hit.text),), _tail(hit.name))
        for number, hit in enumerate(answer.hits, 1)
        if hit.id in cited
    ]
    note = f"no answer: {answer.reason}" if answer.abstained else ""
    return board([Section(answer.question.raw, tuple(tiles[:MOST_TILES]), note, answer.text)], path)


def section(hits: Hits, *, picture: bytes | None = None, k: int = MOST_TILES) -> Section:
    """The first `k` hits under their query, the query's own picture first."""
    asked = [data for data in (picture, *(term.picture for term in hits.query.terms)) if data is not None]
    lead = [Tile(_decoded(data), label="you asked with", accent=True) for data in asked[:1]]
    tiles = [*lead, *(_tile(hit, hits.query.caption_of(hit.text)) for hit in hits[:k])]
    title = f"“{hits.query.raw}”" if hits.query.text else "pictures like this one"
    return Section(title, tuple(tiles[:MOST_TILES]), note="" if len(hits) else "nothing found")


def board(sections: Sequence[Section], path: str | os.PathLike[str]) -> Path:
    """Draws sections below each other, all on one grid, and returns the path written."""
    target = check_path(path)
    return save(_draw([section for section in sections if section.tiles or section.title]), target)


def save(figure: Figure, target: Path) -> Path:
    """Writes a figure to a path that `check_path` gave, the same bytes for the same figure, and returns the path."""
    kind = target.suffix.lower()[1:]
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=undated[kind], facecolor=PAPER)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(buffer.getvalue())
    except OSError as error:
        raise SightlineError(f"cannot write the figure '{target}': {error.strerror}") from None
    return target


def check_path(path: str | os.PathLike[str]) -> Path:
    """The path of a figure; raises UsageError when its suffix names no format, before any work is done."""
    target = Path(path).expanduser()
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"a figure cannot be saved as '{target.name}': its suffix must be one of {' '.join(SUFFIXES)}",
            hint=f"for example {target.stem or 'figure'}.png",
        )
    return target


def _tile(hit: Hit, caption: str) -> Tile:
    """`label` says how well it fits, or where nobody can tell how near it is."""
    number = f"{hit.score:.3f}" if hit.relevance is None else f"{100 * hit.relevance:.0f} %"
    return Tile(_image(hit), label=f"{hit.rank}  ·  {number}", captions=(caption,), note=_tail(hit.name))


def _image(sample: Sample) -> Image | None:
    try:
        return sample.image
    except (SightlineError, OSError, ValueError):
        return None


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.split("\n") if line.strip())


def _tail(name: str) -> str:
    """The last part of a path-like name."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def upright(data: bytes) -> bytes:
    """Any picture file as an upright JPEG, large enough for a figure. Raises BadMedia."""
    from sightline import media

    return media.jpeg(_decoded(data), longest=1024, quality=90)


def _decoded(data: bytes) -> Image:
    from sightline import media

    return media.decode(data, longest=1024).image


# ---- layout: all lengths in inches, from the top left corner -------------------------------------------------


def _draw(sections: Sequence[Section]) -> Figure:
    from matplotlib.figure import Figure

    columns, width = _grid(max((len(section.tiles) for section in sections), default=1))
    height = width / _aspect([tile.image for section in sections for tile in section.tiles if tile.image is not None])
    page = _Page(Figure(dpi=DPI), 2 * MARGIN + columns * width + (columns - 1) * GAP)
    y = MARGIN
    for section in sections:
        y = page.heading(section, y)
        for row in _chunks(section.tiles, columns):
            y = max(page.tile(tile, MARGIN + i * (width + GAP), y, width, height) for i, tile in enumerate(row)) + GAP
        y += GAP / 2
    return page.finish(max(y - GAP * 1.5, 0.5) + MARGIN)


def _grid(tiles: int) -> tuple[int, float]:
    return COLUMNS.get(tiles, MANY)


def _aspect(images: Sequence[Image]) -> float:
    """One shape for all tiles: the median width / height of the pictures, kept within reason."""
    if not images:
        return 1.5
    return min(max(statistics.median(image.width / image.height for image in images), 0.75), 1.8)


def _chunks(tiles: Sequence[Tile], n: int) -> Iterator[Sequence[Tile]]:
    return (tiles[i : i + n] for i in range(0, len(tiles), n))


class _Page:
    """Collects drawing from top to bottom; the height of the page is known only at the end."""

    def __init__(self, figure: Figure, width: float) -> None:
        self.figure, self.width = figure, width
        self._todo: list[Callable[[float], None]] = []

    def heading(self, section: Section, y: float) -> float:
        inner = self.width - 2 * MARGIN
        if section.title:
            y = self._text(section.title, MARGIN, y, inner, size=14, weight="bold", lines=3) + 0.10
        if section.text:
            y = self._text(section.text, MARGIN, y, inner, size=11, lines=12) + 0.14
        if section.note:
            y = self._text(section.note, MARGIN, y, inner, size=10, colour=FAINT, lines=1) + 0.10
        return y

    def tile(self, tile: Tile, x: float, y: float, width: float, height: float) -> float:
        self._todo.append(partial(self._picture, tile, x, y, width, height))
        y += height + 0.09
        if tile.label:
            colour = ACCENT if tile.accent else INK
            y = self._text(tile.label, x, y, width, size=10, weight="bold", colour=colour, lines=1) + 0.02
        for i, caption in enumerate(tile.captions[:5]):
            y = self._text(caption, x, y, width, size=9.5, colour=FAINT if i else INK, lines=5) + 0.03
        if tile.note:
            y = self._text(tile.note, x, y, width, size=7.5, colour=FAINT, lines=1)
        return y

    def finish(self, height: float) -> Figure:
        self.figure.set_size_inches(self.width, height)
        for draw in self._todo:
            draw(height)
        return self.figure

    def _text(
        self,
        text: str,
        x: float,
        y: float,
        width: float,
        *,
        size: float,
        lines: int,
        weight: str = "normal",
        colour: str = INK,
    ) -> float:
        step = size * LEADING / 72
        wrapped = wrap(text, width, size=size, weight=weight, lines=lines)
        for i, line in enumerate(wrapped):
            self._todo.append(partial(self._line, line, x, y + i * step, size, weight, colour))
        return y + len(wrapped) * step

    def _line(self, line: str, x: float, y: float, size: float, weight: str, colour: str, page: float) -> None:
        baseline = 1 - (y + size * 1.05 / 72) / page
        self.figure.text(
            x / self.width,
            baseline,
            line,
            color=colour,
            verticalalignment="baseline",
            parse_math=False,  # a $ in a caption is a dollar
            usetex=False,
            fontproperties=font(size, weight),
        )

    def _picture(self, tile: Tile, x: float, y: float, width: float, height: float, page: float) -> None:
        from matplotlib.patches import FancyBboxPatch
        from PIL import Image as pil

        axes = self.figure.add_axes((x / self.width, 1 - (y + height) / page, width / self.width, height / page))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.axis("off")
        mat = FancyBboxPatch(
            (0, 0),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.07",
            facecolor=MAT,
            edgecolor=ACCENT if tile.accent else "none",
            linewidth=3 if tile.accent else 0,
            clip_on=False,
        )
        axes.add_patch(mat)
        if tile.image is None:
            return
        w, h = _fit(tile.image, width, height)
        left, top = (width - w) / 2, (height - h) / 2
        # Twice the pixels of the page, so that the figure can be zoomed without growing with its pictures.
        pixels = (max(1, round(w * DPI * 2)), max(1, round(h * DPI * 2)))
        small = tile.image.convert("RGB")
        small.thumbnail(pixels, pil.Resampling.LANCZOS)
        shown = axes.imshow(
            small, extent=(left, left + w, top + h, top), aspect="auto", interpolation="antialiased", zorder=2
        )
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        shown.set_clip_path(mat)


def _fit(image: Image, width: float, height: float) -> tuple[float, float]:
    """The whole picture inside the tile; a sliver of difference is cropped by the tile instead of framed."""
    scale = min(width / image.width, height / image.height)
    w, h = image.width * scale, image.height * scale
    if min(w / width, h / height) > 0.94:
        cover = max(width / w, height / h)
        w, h = w * cover, h * cover
    return w, h


# ---- words ----------------------------------------------------------------------------------------------------


def wrap(text: str, width: float, *, size: float, lines: int, weight: str = "normal") -> list[str]:
    """`text` in at most `lines` lines that are no wider than `width` inches; the last ends in … when cut."""
    rows = [""]
    for word in _words(drawable(text)):
        for piece in _pieces(word, width, size, weight):
            joined = f"{rows[-1]}{piece}" if rows[-1] else piece.lstrip()
            if rows[-1] and _measure(joined.rstrip(), size, weight) > width:
                rows.append(piece.lstrip())
            else:
                rows[-1] = joined
    rows = [row.rstrip() for row in rows if row.strip()]
    if len(rows) <= lines:
        return rows
    last = rows[lines - 1]
    while last and _measure(f"{last}…", size, weight) > width:
        last = last[:-1]
    return [*rows[: lines - 1], f"{last.rstrip(' ,.;')}…"]


def drawable(text: str) -> str:
    """`text` on one line with only what the installed fonts can draw; runs of anything else become one □."""
    glyphs = _glyphs()
    out: list[str] = []
    for char in unicodedata.normalize("NFC", text)[:4000]:
        if char.isspace():
            out.append(" ")
        elif ord(char) in glyphs and unicodedata.category(char)[0] != "C":
            out.append(char)
        elif unicodedata.category(char)[0] not in "CM" and (not out or out[-1] != "□"):
            out.append("□")
    return " ".join("".join(out).split())


def _words(text: str) -> Iterator[str]:
    """Words with the space before them; where a script has no spaces, each character is a word."""
    word = ""
    for char in text:
        wide = unicodedata.east_asian_width(char) in "WF"
        if (char == " " or wide) and word:
            yield word
            word = ""
        word += char
    yield word


def _pieces(word: str, width: float, size: float, weight: str) -> Iterator[str]:
    """A word wider than a line, cut into lines."""
    while len(word) > 1 and _measure(word.strip(), size, weight) > width:
        n = len(word) - 1
        while n > 1 and _measure(word[:n].strip(), size, weight) > width:
            n = min(n - 1, int(n * max(width / _measure(word[:n], size, weight), 0.1)) + 1)
        yield word[:n]
        word = word[n:]
    yield word


def _measure(text: str, size: float, weight: str) -> float:
    """Width of `text` in inches."""
    wide, _, _ = _renderer().get_text_width_height_descent(text, font(size, weight), ismath=False)
    return float(wide) / DPI


def _renderer() -> Any:
    from matplotlib.backends import backend_agg

    agg: Any = backend_agg  # matplotlib's own annotations stop short of it
    return agg.RendererAgg(1, 1, DPI)


@cache
def _families() -> tuple[str, ...]:
    from matplotlib import font_manager

    installed = set(font_manager.fontManager.get_font_names())
    return ("DejaVu Sans", *(name for name in FALLBACK_FONTS if name in installed))


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    found: set[int] = set()
    for family in _families():
        found.update(font_manager.get_font(font_manager.findfont(family)).get_charmap())
    return frozenset(found)


@cache
def font(size: float, weight: str) -> FontProperties:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=list(_families()), size=size, weight=weight)
