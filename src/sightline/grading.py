"""How the marks of answers look: `sightline eval --answers` on a terminal and in a pipe. Knows records only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sightline import render

if TYPE_CHECKING:
    from sightline.cutoffs import Share
    from sightline.quiz import AnswersReport

SAID = {
    "citation_precision": "cited pictures that are right (mean)",
    "citation_recall": "right pictures that are cited (mean)",
    "facts": "answers that say the fact",
    "existence": "whether there is any: right",
    "counts": "numbers within 25 %",
    "refused": "unanswerable that are refused",
    "answered": "answerable that are answered",
    "grounded": "answers that invent no picture",
}


@contextmanager
def counted() -> Iterator[Callable[[int, int], None]]:
    """Tells on a terminal how many questions are answered."""
    if not render.on_terminal(sys.stderr):
        yield lambda done, of: None
        return
    with render.console(sys.stderr).status("asking") as status:
        yield lambda done, of: status.update(f"{done:,} of {of:,} questions asked")


def show(done: Sequence[AnswersReport]) -> None:
    """A table on a terminal; `model generator measure share low high n` lines in a pipe, kinds as `right KIND`."""
    if not render.on_terminal():
        lines = [(one.model, one.generator, name, *ends(share), share.n) for one in done for name, share in _all(one)]
        lines += [
            (one.model, one.generator, name, f"{value}", "", "", one.n)
            for one in done
            for name, value in (("invented", one.invented), ("removed", one.removed), *_latency(one))
        ]
        render.rows((), lines)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(f"{done[0].n:,} questions", style="dim", no_wrap=True)
    for one in done:
        table.add_column(Text(f"{render.plain(one.model)}\n{render.plain(one.generator)}"))
    for name, said in SAID.items():
        table.add_row(said, *(percent(one.shares[name]) for one in done))
    table.add_row("invented · taken away", *(f"{one.invented:,} · {one.removed:,}" for one in done))
    for name in ("p50", "p95"):
        table.add_row(f"answer {name}", *(f"{one.latency_ms[name]:.0f} ms" for one in done))
    table.add_section()
    for kind in done[0].kinds:
        cells = (percent(one.kinds[kind]) if kind in one.kinds else "–" for one in done)
        table.add_row(Text(f"right: {render.plain(kind)}"), *cells)
    render.show(table)


def _all(one: AnswersReport) -> list[tuple[str, Share]]:
    return [*one.shares.items(), *((f"right {kind}", share) for kind, share in one.kinds.items())]


def _latency(one: AnswersReport) -> list[tuple[str, float]]:
    return [(f"latency_{name}_ms", value) for name, value in one.latency_ms.items()]


def ends(share: Share) -> tuple[str, ...]:
    """Share, low and high as fields of a line."""
    return tuple("" if one is None else f"{one:.4f}" for one in (share.share, share.low, share.high))


def percent(share: Share) -> str:
    """`91.7 % (88–95) of 228`."""
    if share.share is None or share.low is None or share.high is None:
        return "–"
    return f"{100 * share.share:.1f} % ({100 * share.low:.0f}–{100 * share.high:.0f}) of {share.n:,}"
