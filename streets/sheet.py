"""A contact sheet: many scenes at one look, chosen so that as much as possible of what there is is on it.

python -m streets sheet --scenes build/streets/scenes --out streets/contact-sheet.jpg
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from streets import farm
from streets.captions import captions
from streets.sample import SETTINGS, SUN_ELEVATION
from streets.truth import entities

THUMB = (240, 135)  # pixels
GAP = 2  # pixels between the pictures
CAPTION = 30  # pixels beneath a picture: two lines
LETTERS = 42  # of a caption, in one line
QUALITY = 86

LIGHTS, PLACES = list(SUN_ELEVATION), list(SETTINGS)


def sheet(
    folder: Path, out: Path, *, columns: int = len(PLACES), rows: int = len(LIGHTS), captioned: bool = False
) -> None:
    """Writes a JPEG of scenes of a folder. With as many columns as settings and as many rows as lights, and scenes
    for all pairs, a column is a setting and a row is a light. The same folder gives the same bytes."""
    chosen = choose(farm.records(folder), columns * rows)
    (width, height), below = THUMB, CAPTION if captioned else 0
    step = (width + GAP, height + below + GAP)
    page = Image.new("RGB", (columns * step[0] - GAP, -(-len(chosen) // columns) * step[1] - GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for place, record in enumerate(chosen):
        x, y = place % columns * step[0], place // columns * step[1]
        with Image.open(farm.picture_of(folder, record["seed"])) as image:
            page.paste(image.convert("RGB").resize(THUMB, Image.Resampling.LANCZOS), (x, y))
        if captioned:
            draw.multiline_text((x + 2, y + height + 2), _caption(record), "black", font, spacing=2)
    page.save(out, quality=QUALITY, optimize=True)


def choose(records: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Scenes that show as many different things as possible, by light and then by setting.

    One after another, the scene that adds most: what none of the chosen has counts whole, what one has half, what two
    have a third. Among equals the lowest seed.
    """
    left = {
        record["seed"]: (record, _features(record)) for record in sorted(records, key=lambda record: record["seed"])
    }
    chosen: list[Mapping[str, Any]] = []
    had: Counter[str] = Counter()
    while left and len(chosen) < count:
        seed = max(left, key=lambda seed: sum(weight / (1 + had[name]) for name, weight in left[seed][1].items()))
        record, features = left.pop(seed)
        chosen.append(record)
        had.update(features.keys())
    return sorted(chosen, key=lambda record: (_cell(record["scene"]), record["seed"]))


def _cell(scene: Mapping[str, Any]) -> tuple[int, int]:
    """Row and column of a complete sheet."""
    return LIGHTS.index(scene["light"]), PLACES.index(scene["setting"])


def _features(record: Mapping[str, Any]) -> dict[str, float]:
    """What is on a picture -> its weight. Light and setting together outweigh all the rest."""
    scene = record["scene"]
    seen = {f"{entity['tag']} {entity.get('colour')}" for entity in entities(record)}
    return {
        f"{scene['light']} {scene['setting']}": 100.0,
        f"weather {scene['weather']}": 10.0,
        f"control {scene['control']} {scene['signal']}": 2.0,
    } | dict.fromkeys(seen, 1.0)


def _caption(record: Mapping[str, Any]) -> str:
    return textwrap.fill(captions(record)[0], LETTERS, max_lines=2, placeholder=" …")
