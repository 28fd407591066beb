"""The map as a figure: a point for each picture, some of them as thumbnails, names where captions agree.

draw(atlas, "map.png")             draw(atlas, "stop.png", mark=atlases.mark(atlas, found), found=found)
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline import plots
from sightline.atlas import Atlas, Marked
from sightline.mapdocument import told
from sightline.placenames import Name
from sightline.projection import Positions
from sightline.schema import Hits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, MARGIN, HEAD = 12.0, 0.45, 0.95  # inches, as all lengths here
THUMB = 0.5
APART = (THUMB, 0.72 * THUMB)
"""Between the middles of two thumbnails, across and down: most pictures are wider than tall."""
MOST_THUMBS = 220
FITS = 0.5
DOT, HIT, STAR = "#8fa3b8", plots.ACCENT, "#c2410c"
SIZES = (13, 9.5)  # of the names of the first levels; a figure has no room for more


def draw(
    atlas: Atlas,
    path: str | os.PathLike[str],
    *,
    mark: Marked | None = None,
    found: Hits | None = None,
    captions: Captions | None = None,
) -> Path:
    """Draws the map, and on it a search (`mark` with `found`) or captions beside their pictures; returns the path."""
    target = plots.check_path(path)
    return plots.save(figure(atlas, mark=mark, found=found, captions=captions), target)


class Captions:
    """Where captions lie: `positions` (m, 2), and the point that each belongs to."""

    def __init__(self, positions: Positions, own: NDArray[np.intp]) -> None:
        self.positions, self.own = positions, own

    def beside(self, positions: Positions, nearest: int = 10) -> float:
        """The share of captions whose own picture is among the `nearest` of all pictures on the map."""
        if not len(self.own):
            return 0.0
        far = ((self.positions[:, None] - positions[None]) ** 2).sum(axis=2)  # (m, n)
        nearer = (far < far[np.arange(len(self.own)), self.own][:, None]).sum(axis=1)
        return float((nearer < nearest).mean())


def figure(
    atlas: Atlas, *, mark: Marked | None = None, found: Hits | None = None, captions: Captions | None = None
) -> Figure:
    from matplotlib.figure import Figure

    tall = float(np.ptp(atlas.positions[:, 1])) if len(atlas) else 1.0
    wide = WIDTH - 2 * MARGIN
    height = wide * min(max(tall / 2, 0.45), 1.0) + THUMB
    page = Figure(figsize=(WIDTH, HEAD + height + MARGIN), dpi=plots.DPI)
    axes = page.add_axes((MARGIN / WIDTH, MARGIN / (HEAD + height + MARGIN), wide / WIDTH, 0))
    axes.set_position((MARGIN / WIDTH, MARGIN / page.get_figheight(), wide / WIDTH, height / page.get_figheight()))
    per_inch = 2 * 1.06 / wide  # of the map, which is 2 wide; a little air around it
    axes.set_xlim(-1.06, 1.06)
    axes.set_ylim(per_inch * height / 2, -per_inch * height / 2)  # y goes down, as on a screen
    axes.axis("off")
    _dots(axes, atlas, mark, found)
    if captions is not None:
        _captions(axes, atlas, captions)
    _pictures(axes, atlas, mark, found, per_inch)
    _names(axes, page, atlas, faint=mark is not None)
    if mark is not None and mark.spot is not None and found is not None:
        _query(axes, mark.spot, found.query.text or "your picture")
    _head(page, atlas, found, captions)
    return page


def spread(positions: Positions, apart: tuple[float, float], most: int) -> list[int]:
    """Which of (n, 2) to show so that no two are nearer than `apart` both across and down; earlier ones first."""
    chosen: list[int] = []
    scaled = positions / np.array(apart, np.float32)
    for at, position in enumerate(scaled):
        if len(chosen) == most:
            break
        if not chosen or np.abs(scaled[chosen] - position).max(axis=1).min() >= 1:
            chosen.append(at)
    return chosen


# ---- in call order --------------------------------------------------------------------------------------------


def _dots(axes: Axes, atlas: Atlas, mark: Marked | None, found: Hits | None) -> None:
    size = min(max(9_000 / max(len(atlas), 1), 3), 16)
    axes.scatter(
        atlas.positions[:, 0],
        atlas.positions[:, 1],
        s=size,
        color=DOT,
        alpha=0.35 if mark else 0.7,
        linewidths=0,
        zorder=1,
    )
    if mark is not None and found is not None and len(found):
        fits = np.array([hit.relevance is None or hit.relevance >= FITS for hit in found])
        axes.scatter(
            mark.positions[fits, 0], mark.positions[fits, 1], s=4 * size, color=HIT, alpha=0.9, linewidths=0, zorder=2
        )


def _captions(axes: Axes, atlas: Atlas, captions: Captions) -> None:
    from matplotlib.collections import LineCollection

    own = atlas.positions[captions.own]
    lines = LineCollection(np.stack([own, captions.positions], axis=1), colors=STAR, linewidths=0.4, alpha=0.3)  # type: ignore[arg-type]
    axes.add_collection(lines)
    axes.scatter(
        captions.positions[:, 0],
        captions.positions[:, 1],
        s=14,
        marker="D",
        color=STAR,
        alpha=0.7,
        linewidths=0,
        zorder=2,
    )


def _pictures(axes: Axes, atlas: Atlas, mark: Marked | None, found: Hits | None, per_inch: float) -> None:
    """Thumbnails of points that lie apart: of the hits where there is a search, in the order of their ranks."""
    ids, positions = [point.id for point in atlas.points], atlas.positions
    if mark is not None and found is not None:
        ids, positions = [hit.id for hit in found], mark.positions
    apart = (APART[0] * per_inch, APART[1] * per_inch)
    chosen = spread(positions, apart, 24 if mark else MOST_THUMBS)
    small = atlas.thumbnails([ids[at] for at in chosen])
    for at in chosen:
        if data := small.get(ids[at]):
            _picture(axes, data, positions[at], per_inch, rank=at + 1 if mark else 0)


def _picture(axes: Axes, data: bytes, position: NDArray[np.float32], per_inch: float, *, rank: int) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as stored:
        stored.draft("RGB", (192, 192))
        image = stored.convert("RGB")
    scale = 0.92 * THUMB * per_inch / max(image.size)
    half_w, half_h = image.width * scale / 2, image.height * scale / 2
    x, y = position.tolist()
    extent = (x - half_w, x + half_w, y + half_h, y - half_h)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(image, extent=extent, aspect="auto", interpolation="antialiased", zorder=3)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
    colour = HIT if rank else plots.PAPER
    left, top = x - half_w, y - half_h
    frame: Any = {"fill": False, "edgecolor": colour, "linewidth": 1.6 if rank else 1.0, "zorder": 4}
    axes.add_patch(_rectangle((left, top), 2 * half_w, 2 * half_h, frame))
    if rank:
        box = {"boxstyle": "round,pad=0.2", "facecolor": HIT, "edgecolor": "none"}
        axes.text(left, top, str(rank), fontsize=7, color=plots.PAPER, weight="bold", bbox=box, zorder=5)


def _rectangle(corner: tuple[float, float], width: float, height: float, frame: dict[str, Any]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **frame)


def _names(axes: Axes, page: Figure, atlas: Atlas, *, faint: bool) -> None:
    """The names of the first levels, the larger regions first; one that would lie on another is left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(page)
    taken: list[Any] = []
    for name in atlas.names:
        if name.level >= len(SIZES):
            continue
        shown = _name(axes, name, faint=faint)
        _inside(axes, shown)
        box = shown.get_window_extent().expanded(1.08, 1.3)
        if any(box.overlaps(other) for other in taken):
            shown.remove()
        else:
            taken.append(box)


def _inside(axes: Axes, shown: Any) -> None:
    """Moves a name that would stick out of the map."""
    frame, box = axes.get_window_extent(), shown.get_window_extent()
    out = max(frame.x0 - box.x0, 0) - max(box.x1 - frame.x1, 0)
    if out:
        x, y = axes.transData.transform(shown.get_position())
        shown.set_position(axes.transData.inverted().transform((x + out, y)))


def _name(axes: Axes, name: Name, *, faint: bool) -> Any:
    box = {"boxstyle": "round,pad=0.28", "facecolor": plots.PAPER, "edgecolor": "none", "alpha": 0.6 if faint else 0.84}
    return axes.text(
        name.x,
        name.y,
        plots.drawable(name.text),
        fontproperties=plots.font(SIZES[name.level], "normal" if name.level else "bold"),
        color=plots.FAINT if faint else plots.INK,
        horizontalalignment="center",
        verticalalignment="center",
        parse_math=False,
        bbox=box,
        zorder=2.5 if faint else 6,  # the pictures of a search lie over the names
    )


def _query(axes: Axes, spot: NDArray[np.float32], text: str) -> None:
    x, y = spot.tolist()
    axes.scatter([x], [y], s=420, marker="*", color=STAR, edgecolors=plots.PAPER, linewidths=1.4, zorder=8)
    shown = plots.wrap(text, 3.0, size=12, weight="bold", lines=1)
    axes.annotate(
        shown[0] if shown else "",
        (x, y),
        xytext=(0, -17),
        textcoords="offset points",
        horizontalalignment="center",
        verticalalignment="top",
        fontproperties=plots.font(12, "bold"),
        color=plots.PAPER,
        parse_math=False,
        bbox={"boxstyle": "round,pad=0.3", "facecolor": STAR, "edgecolor": "none"},
        zorder=8,
    )


def _head(page: Figure, atlas: Atlas, found: Hits | None, captions: Captions | None) -> None:
    title = f"“{found.query.raw}” on the map" if found is not None else "The map of this collection"
    notes = [told(atlas)]
    if captions is not None:
        notes.append(
            f"◆ captions, joined to their pictures: {captions.beside(atlas.positions):.0%} lie among the 10 nearest"
        )
    left, tall = MARGIN / WIDTH, page.get_figheight()
    lines: Sequence[tuple[str, float, float, str, str]] = (
        (title, 0.42, 17, "bold", plots.INK),
        (" · ".join(notes), 0.72, 10, "normal", plots.FAINT),
    )
    for text, below, size, weight, colour in lines:
        shown = plots.wrap(text, WIDTH - 2 * MARGIN, size=size, weight=weight, lines=1)
        font = plots.font(size, weight)
        page.text(
            left, 1 - below / tall, shown[0] if shown else "", fontproperties=font, color=colour, parse_math=False
        )
