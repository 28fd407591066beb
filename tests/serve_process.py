"""A server of a collection of coloured squares, in a process of its own: serve_process.py FOLDER. Says its port."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from fakes import FakeEncoder
from PIL import Image

from sightline import web
from sightline.collection import Collection
from sightline.schema import Item
from sightline.sources import HeldBytes


def square(number: int) -> Item:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), (number % 251, number * 7 % 256, number * 13 % 256)).save(out, "PNG")
    return Item(f"square:{number}", f"{number}.png", HeldBytes(out.getvalue()), f"square number {number}")


def main(folder: Path) -> None:
    collection = Collection(f"{folder}/tables#squares", model=FakeEncoder())
    collection.ingest([square(number) for number in range(200)])
    app = web.create_app(collection)
    web.serve(app, "127.0.0.1", 0, started=lambda _, port: print(port, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
