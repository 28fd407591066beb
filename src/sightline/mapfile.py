"""The map as one HTML file that needs nothing else: points, captions and small pictures are in it, and no network.

write(atlas, "map.html")           write(atlas, "stop.html", mark=atlases.mark(atlas, found), found=found)
"""

from __future__ import annotations

import base64
import importlib.resources
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.atlas import Atlas, Marked
from sightline.errors import SightlineError
from sightline.mapdocument import document, marks, told
from sightline.schema import Hits

MOST_BYTES = 12_000_000
"""Of thumbnails in one file; the points beyond them are there without one."""
MOST_CAPTION = 200
TILE = (96, 72)  # px across and down, in which a thumbnail fits
COLUMNS, ROWS = 16, 16
QUALITY = 74


@dataclass(frozen=True, slots=True)
class Shown:
    """A thumbnail in the sheets, by its place there; its own width and height in px."""

    id: str
    width: int
    height: int


def write(atlas: Atlas, path: str | os.PathLike[str], *, mark: Marked | None = None, found: Hits | None = None) -> Path:
    """Writes the file and returns its path. Raises SightlineError when it cannot be written."""
    target = Path(path).expanduser()
    text = page(atlas, mark=mark, found=found)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    except OSError as error:
        raise SightlineError(f"cannot write the map '{target}': {error.strerror}") from None
    return target


def page(atlas: Atlas, *, mark: Marked | None = None, found: Hits | None = None) -> str:
    """The file's text: at most about 17 MB, 12 of them thumbnails."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    html = Environment(loader=PackageLoader("sightline"), autoescape=True, undefined=StrictUndefined)
    hits = [hit.id for hit in found] if found is not None else []
    sheets, shown = _sheets(atlas, [*hits, *(point.id for point in atlas.points if point.id not in set(hits))])
    data = {
        **document(atlas),
        "captions": [_caption(point.text, point.name) for point in atlas.points],
        "sheets": sheets,
        "shown": [[one.id, one.width, one.height] for one in shown],
        "tile": {"width": TILE[0], "height": TILE[1], "columns": COLUMNS, "rows": ROWS},
        "marks": _marks(atlas, mark, found),
    }
    about = told(atlas)
    if len(shown) < len(atlas):
        about += f" · {len(shown):,} of them with a thumbnail"
    title = f"“{found.query.raw}” on the map" if found is not None else "The map of this collection"
    return html.get_template("mapfile.html").render(
        title=title,
        about=f"{about}.",
        style=_own(("page.css", "map.css")),
        script=_own(("map.js",)),
        data=_inert(data),
    )


# ---- in call order --------------------------------------------------------------------------------------------


def _sheets(atlas: Atlas, ids: Sequence[str]) -> tuple[list[str], list[Shown]]:
    """Thumbnails side by side on sheets, as data URLs, in the order of `ids` until the limit is reached."""
    sheets: list[str] = []
    shown: list[Shown] = []
    size = 0
    each = COLUMNS * ROWS
    for at in range(0, len(ids), each):
        data, here = _sheet(ids[at : at + each], atlas.thumbnails(ids[at : at + each]))
        size += len(data)
        if size > MOST_BYTES:
            break
        sheets.append(data)
        shown += here
    return sheets, shown


def _sheet(ids: Sequence[str], small: Any) -> tuple[str, list[Shown]]:
    from PIL import Image

    rows = -(-len(ids) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE[0], rows * TILE[1]))
    shown = []
    for at, (ident, image) in enumerate(_tiles(ids, small)):
        sheet.paste(image, ((at % COLUMNS) * TILE[0], (at // COLUMNS) * TILE[1]))
        shown.append(Shown(ident, image.width, image.height))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}", shown


def _tiles(ids: Sequence[str], small: Any) -> Iterator[tuple[str, Any]]:
    """Each as it fits into a tile; a grey one for a row that has no thumbnail."""
    from PIL import Image

    for ident in ids:
        data = small.get(ident)
        if not data:
            yield ident, Image.new("RGB", TILE, "#9aa19e")
            continue
        with Image.open(io.BytesIO(data)) as stored:
            stored.draft("RGB", (2 * TILE[0], 2 * TILE[1]))
            image = stored.convert("RGB")
        image.thumbnail(TILE, Image.Resampling.LANCZOS)
        yield ident, image


def _marks(atlas: Atlas, mark: Marked | None, found: Hits | None) -> dict[str, Any]:
    if mark is None or found is None:
        return {"hits": [], "spot": None, "label": "", "texts": []}
    others = [[hit.id, _caption(hit.text, hit.name)] for hit in found if hit.id not in atlas.places]
    return {**marks(mark, found), "texts": others}


def _caption(text: str, name: str) -> str:
    line = next((line.strip() for line in text.split("\n") if line.strip()), name)
    return line if len(line) <= MOST_CAPTION else f"{line[: MOST_CAPTION - 1]}…"


def _own(names: Sequence[str]) -> Any:
    """Files of ours, as they are."""
    from markupsafe import Markup

    folder = importlib.resources.files("sightline") / "static"
    return Markup("\n".join((folder / name).read_text("utf-8") for name in names))  # noqa: S704


def _inert(data: dict[str, Any]) -> Any:
    """JSON that ends no script and begins no comment, whatever captions say."""
    from markupsafe import Markup

    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704
