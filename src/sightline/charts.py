"""Figures of numbers: bars with their intervals, curves of a training run. Drawn as `plots.py` draws, from records.

charts.bars([Bars("pocket-1", {"mrr": 0.18}, {"mrr": (0.14, 0.22)})], "eval.png", title="402 queries")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#1a66c9", "#e0893a", "#3c9a6b", "#8a5fc0", "#c2487a", "#6a717b")
MOST_NAME = 40  # characters of a name in the legend


@dataclass(frozen=True, slots=True)
class Bars:
    """One colour of the chart: a value in [0, 1] per metric, and its interval (low, high)."""

    name: str
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def bars(series: Sequence[Bars], path: str | os.PathLike[str], *, title: str = "", note: str = "") -> Path:
    """Draws the series side by side for each metric of the first, whiskers for intervals; returns the path written."""
    target = plots.check_path(path)
    return plots.save(draw(series, title=title, note=note), target)


def reliability(
    series: Mapping[str, Sequence[tuple[float, float, int]]],
    path: str | os.PathLike[str],
    *,
    title: str = "",
    note: str = "",
) -> Path:
    """Draws what was said against what was true: (probability said, share that was true, how many) for each point.

    The larger the point the more hits it stands for; on the diagonal what is said is so.
    """
    from matplotlib.figure import Figure

    target = plots.check_path(path)
    figure = Figure(figsize=(5.6, 5.8), dpi=plots.DPI)
    axes = figure.add_axes((0.12, 0.2, 0.83, 0.66))
    axes.plot([0, 1], [0, 1], color=plots.FAINT, lw=1, ls=":")
    for at, (name, points) in enumerate(series.items()):
        said, true, counts = zip(*points, strict=True) if points else ((), (), ())
        most = max(counts, default=1)
        colour = COLOURS[at % len(COLOURS)]
        label = plots.drawable(name)[:MOST_NAME].lstrip("_")
        axes.plot(said, true, color=colour, lw=1.5, label=label)
        axes.scatter(said, true, s=[12 + 90 * count / most for count in counts], color=colour, zorder=3)
    axes.set_xlabel("said to be relevant", fontsize=9, color=plots.FAINT)
    axes.set_ylabel("was relevant", fontsize=9, color=plots.FAINT)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.tick_params(length=0, labelcolor=plots.INK)
    axes.grid(color=plots.MAT, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.1), ncols=3, frameon=False, fontsize=8)
    figure.text(0.12, 0.94, plots.drawable(title), fontsize=13, weight="bold", color=plots.INK, parse_math=False)
    figure.text(0.12, 0.9, plots.drawable(note), fontsize=8, color=plots.FAINT, parse_math=False)
    return plots.save(figure, target)


def curves(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], *, title: str = "", note: str = "") -> Path:
    """Draws a training run: the loss of steps and epochs on the left, what validation found on the right.

    Rows have `step` and `loss`; those of an epoch have `epoch` and metrics in [0, 1] too, the best ones `best`.
    """
    from matplotlib.figure import Figure

    target = plots.check_path(path)
    epochs = [row for row in rows if "epoch" in row]
    metrics = [name for name in (epochs[0] if epochs else ()) if name not in {"epoch", "step", "loss", "best"}]
    figure = Figure(figsize=(9.5, 4.2), dpi=plots.DPI)
    left, right = figure.add_axes((0.07, 0.22, 0.41, 0.58)), figure.add_axes((0.55, 0.22, 0.41, 0.58))
    steps = [row for row in rows if "epoch" not in row]
    left.plot([row["step"] for row in steps], [row["loss"] for row in steps], color=COLOURS[-1], lw=0.8, alpha=0.6)
    left.plot(
        [row["step"] for row in epochs], [row["loss"] for row in epochs], color=COLOURS[0], lw=2, marker="o", ms=3
    )
    left.set_title("loss: steps, and the mean of each epoch", fontsize=9, color=plots.FAINT, loc="left")
    left.set_xlabel("step", fontsize=9, color=plots.FAINT)
    for at, name in enumerate(metrics):
        values = [row[name] for row in epochs]
        right.plot([row["epoch"] for row in epochs], values, color=COLOURS[at % len(COLOURS)], lw=2, label=name)
    if best := [row["epoch"] for row in epochs if row.get("best")]:
        right.axvline(best[-1], color=plots.FAINT, lw=1, ls=":")
    right.set_title("held-out pictures, text to image; dotted: kept", fontsize=9, color=plots.FAINT, loc="left")
    right.set_xlabel("epoch", fontsize=9, color=plots.FAINT)
    right.set_ylim(bottom=0)
    if metrics:
        right.legend(loc="upper left", bbox_to_anchor=(0, -0.17), ncols=len(metrics), frameon=False, fontsize=8)
    for axes in (left, right):
        axes.tick_params(length=0, labelcolor=plots.INK)
        axes.grid(color=plots.MAT, zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.text(0.07, 0.93, plots.drawable(title), fontsize=13, weight="bold", color=plots.INK, parse_math=False)
    figure.text(0.07, 0.88, plots.drawable(note), fontsize=9, color=plots.FAINT, parse_math=False)
    return plots.save(figure, target)


def draw(series: Sequence[Bars], *, title: str = "", note: str = "") -> Figure:
    from matplotlib.figure import Figure

    metrics = list(series[0].values)
    width = 0.8 / len(series)
    figure = Figure(figsize=(max(6.5, 0.55 * len(metrics) * len(series) + 2.2), 4.4), dpi=plots.DPI)
    axes = figure.add_axes((0.09, 0.2, 0.88, 0.62))
    for at, one in enumerate(series):
        places = [i + (at - (len(series) - 1) / 2) * width for i in range(len(metrics))]
        values = [one.values[metric] for metric in metrics]
        ends = [one.intervals[metric] for metric in metrics]
        below = [max(value - low, 0.0) for value, (low, _) in zip(values, ends, strict=True)]
        above = [max(high - value, 0.0) for value, (_, high) in zip(values, ends, strict=True)]
        label = plots.drawable(one.name)[:MOST_NAME].lstrip("_")  # matplotlib hides a label that begins with _
        axes.bar(places, values, width * 0.9, color=COLOURS[at % len(COLOURS)], label=label)
        cap = min(4, 14 * width)
        axes.errorbar(places, values, yerr=[below, above], fmt="none", ecolor=plots.INK, elinewidth=1, capsize=cap)
        for place, value, (_, high) in zip(places, values, ends, strict=True):
            axes.text(place, high + 0.02, f"{value:.2f}", ha="center", va="bottom", fontsize=8, color=plots.INK)
    axes.set_xticks(range(len(metrics)), metrics, fontsize=10, color=plots.INK)
    axes.set_ylim(0, 1.1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.tick_params(length=0, labelcolor=plots.INK)
    axes.grid(axis="y", color=plots.MAT, zorder=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(0, -0.09), ncols=min(3, len(series)), frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.text(0.09, 0.93, plots.drawable(title), fontsize=13, weight="bold", color=plots.INK, parse_math=False)
    figure.text(0.09, 0.87, plots.drawable(note), fontsize=9, color=plots.FAINT, parse_math=False)
    return figure
