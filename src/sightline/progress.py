"""What is shown on stderr while something takes its time: a bar on a terminal, JSON lines for a program, or nothing."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sightline import render

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from sightline.reports import Progress


class Ticker:
    """Told after each commit; keeps what is committed, for the last word when a run is stopped."""

    def __init__(self, bar: Bar | None = None, *, lines: bool = False) -> None:
        self.committed = 0
        self.total: int | None = None
        self._indexed: int | None = None  # committed when reading began
        self._bar, self._lines = bar, lines
        self._task = bar.add_task("indexing", total=None, shown="") if bar else None

    def __call__(self, now: Progress) -> None:
        if now.reading and self._indexed is None:
            self._indexed = self.committed
            if self._bar is not None and self._task is not None:
                self._bar.reset(self._task, description="reading the text in")
        self.committed = (self._indexed or 0) + now.committed
        if self._lines:
            counts = {name: getattr(now, name) for name in ("seen", "committed", "encoded", "skipped")}
            counts |= {"reading": now.listed} if now.reading else {}
            sys.stderr.write(f"{json.dumps(counts)}\n")
            sys.stderr.flush()
        if self._bar is not None and self._task is not None:
            total = now.listed or self.total
            shown = f"{now.seen:,} of {total:,}" if total else f"{now.seen:,}"
            self._bar.update(self._task, completed=now.seen, total=total, shown=shown)

    def count(self, items: Callable[[], int | None]) -> None:
        """Sets `total`; runs beside the work, and what goes wrong here is for the work itself to report."""
        with suppress(Exception):
            self.total = items()
            if self._bar is not None and self._task is not None and self.total and not self.committed:
                self._bar.update(self._task, total=self.total, shown=f"0 of {self.total:,}")


@contextmanager
def ticker(mode: str, *, count: Callable[[], int | None] | None = None) -> Iterator[Ticker]:
    """`auto` draws a bar when stderr is a terminal, `json` writes a line per commit, `none` is silent.

    `count` says how many items there are; it is asked in a thread, and only for a bar.
    """
    if mode != "auto" or not render.on_terminal(sys.stderr):
        yield Ticker(lines=mode == "json")
        return
    with _bar() as bar:
        told = Ticker(bar)
        if count is not None:
            threading.Thread(target=told.count, args=(count,), daemon=True).start()
        yield told


def _bar() -> Bar:
    from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} pictures/s" if task.speed else "")

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description} {task.fields[shown]}"),
        BarColumn(),
        Rate(""),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=render.console(sys.stderr), transient=True)


@contextmanager
def transfer() -> Iterator[Callable[[str, int, int], None]]:
    """A callable to be told (file, bytes here, bytes in all): a bar on a terminal, else one line when a file begins."""
    if not render.on_terminal(sys.stderr):
        begun: set[str] = set()

        def tell(file: str, done: int, total: int) -> None:
            if file not in begun:
                begun.add(file)
                render.note(f"{done / max(total, 1):4.0%}  {file}")

        yield tell
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=render.console(sys.stderr), transient=True) as bar:
        task = bar.add_task("asking the hub", total=None)
        yield lambda file, done, total: bar.update(task, description=render.plain(file), completed=done, total=total)
