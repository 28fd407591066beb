"""What the commands of the command line share: flags that mean the same everywhere, and opening a collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sightline.collection import Collection

NOTHING_FOUND = 3  # exit code
MIN_RELEVANCE = 0.5
"""What a search of the command line shows: hits that are more likely right than wrong."""

CollectionFlag = Annotated[
    str | None,
    typer.Option("--collection", "-c", metavar="URI[#TABLE]", help="Which collection. [default: data/tables#items]"),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
SaveFlag = Annotated[str | None, typer.Option("--save", metavar="FILE", help="Draw a figure: .png, .svg or .pdf.")]


def examples(*lines: str) -> str:
    """An epilog for a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def open_collection(
    address: str | None,
    *,
    model: str | None = None,
    notify: Callable[[str], None] | None = None,
    **flags: Any,
) -> Collection:
    """The collection that `-c` means, with the settings that the flags make. Says what opening had to mend."""
    import sightline
    from sightline import render
    from sightline.config import settings

    target = sightline.open(address, model=model, settings=settings(**flags), notify=notify)
    for line in target.notices:
        render.note(line)
    return target


def listed(specs: Sequence[str], exclude: Sequence[str] = ()) -> int | None:
    """How many items the sources list, counted without reading one; None when that would take as long as indexing."""
    from sightline import sources

    total = 0
    for spec in specs:
        source = sources.open_source(spec, exclude=exclude)
        if isinstance(source, (sources.Folder, sources.File)):
            total += sum(1 for _ in source)
        elif isinstance(source, sources.Parquet):
            total += sum(_rows(path) for path in source.paths)
        elif isinstance(source, sources.Streets):
            total += _streets(source.split)
        else:
            return None
    return total


def _streets(split: str) -> int:
    import importlib.resources

    folder = importlib.resources.files("sightline") / "data" / "streets"
    names = [f"{split}.parquet"] if split else ["train.parquet", "test.parquet"]
    total = 0
    for name in names:
        with importlib.resources.as_file(folder / name) as path:
            total += _rows(str(path))
    return total


def _rows(path: str) -> int:
    import pyarrow.parquet

    return int(pyarrow.parquet.read_metadata(path).num_rows)


def check_figure(path: str | None) -> None:
    """Refuses a figure that could not be written, before the work is done."""
    if path is not None:
        from sightline import plots

        plots.check_path(path)
