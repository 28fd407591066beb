"""What the commands of the command line share: flags that mean the same everywhere, and opening a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sightline.collection import Collection

NOTHING_FOUND = 3  # exit code

CollectionFlag = Annotated[
    str | None,
    typer.Option("--collection", "-c", metavar="URI[#TABLE]", help="Which collection. [default: data/tables#items]"),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
SaveFlag = Annotated[str | None, typer.Option("--save", metavar="FILE", help="Draw a figure: .png, .svg or .pdf.")]


def examples(*lines: str) -> str:
    """An epilog for a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def open_collection(address: str | None, *, model: str | None = None, **flags: Any) -> Collection:
    """The collection that `-c` means, with the settings that the flags make. Nothing is read yet."""
    import sightline
    from sightline.config import settings

    return sightline.open(address, model=model, settings=settings(**flags))
