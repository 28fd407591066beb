"""Auditing by eye: pages with pictures and everything that is claimed about them, and what the verdicts sum up to.

    python -m streets audit --scenes build/streets/scenes --out build/streets/audit     (pages and verdicts.jsonl)
    python -m streets audit --verdicts build/streets/audit/verdicts.jsonl               (the share that is wrong)

A claim is a caption (c1, c2, …) or an entity (e1, e2, …). Whoever looks replaces `"wrong": null` by the list of those
that are not true of the picture, `[]` if all are; what is left null is not counted.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from streets import farm

COLUMNS, ROWS = 2, 3
PICTURE = (720, 405)  # pixels
TEXT = 230  # pixels beneath a picture
LETTERS = 98  # in a line
MARGIN = 6  # pixels
BOX = (255, 40, 255)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `count` with the ends of its 95 % interval."""

    wrong: int
    count: int
    low: float
    high: float

    def __str__(self) -> str:
        share = f"{self.wrong / self.count:.1%}" if self.count else "no share"
        return f"{self.wrong} of {self.count} wrong: {share} ({self.low:.1%} to {self.high:.1%})"


def pages(folder: Path, out: Path, *, count: int = 100, seed: int = 1) -> list[Path]:
    """Writes page-1.png … and verdicts.jsonl about `count` scenes of a folder; returns the pages.

    Raises FileExistsError where verdicts are already: they are somebody's work.
    """
    out.mkdir(parents=True, exist_ok=True)
    chosen = choose(farm.records(folder), count, seed)
    blank = [{"seed": record["seed"], "claims": claims(record), "wrong": None, "note": ""} for record in chosen]
    with open(out / "verdicts.jsonl", "x", encoding="utf-8") as verdicts:
        verdicts.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in blank)
    written = []
    for number, first in enumerate(range(0, len(chosen), COLUMNS * ROWS), start=1):
        written.append(out / f"page-{number}.png")
        _page(chosen[first : first + COLUMNS * ROWS], folder).save(written[-1])
    return written


def choose(records: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[Mapping[str, Any]]:
    """Of the records sorted by setting, light and weather, one drawn from each of `count` equal stretches: every kind
    of scene comes up as often as it is there. `seed` says which are drawn. Returned by the seeds of the scenes."""

    def kind(record: Mapping[str, Any]) -> tuple[Any, ...]:
        scene = record["scene"]
        return scene["setting"], scene["light"], scene["weather"], record["seed"]

    if count >= len(records):
        return sorted(records, key=lambda record: record["seed"])
    ordered, rng = sorted(records, key=kind), random.Random(f"audit-{seed}")
    ends = [k * len(ordered) // count for k in range(count + 1)]
    drawn = [ordered[rng.randrange(first, end)] for first, end in itertools.pairwise(ends)]
    return sorted(drawn, key=lambda record: record["seed"])


def claims(record: Mapping[str, Any]) -> dict[str, str]:
    """What is claimed about a picture, by the names that verdicts use."""
    from streets.captions import captions
    from streets.truth import entities

    said = {f"c{k}": caption for k, caption in enumerate(captions(record), start=1)}
    return said | {f"e{k}": _words(entity) for k, entity in enumerate(entities(record), start=1)}


def rates(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Share]:
    """The shares that are wrong: captions, entities, both, and pictures with anything wrong.

    Each a Wilson interval at 95 %. What is said about one picture is wrong together, so the intervals over claims are
    narrower than they should be; the one over pictures is right. Raises ValueError where a verdict names no claim.
    """
    done = [verdict for verdict in verdicts if verdict["wrong"] is not None]
    for verdict in done:
        if unknown := set(verdict["wrong"]) - set(verdict["claims"]):
            raise ValueError(
                f"seed {verdict['seed']}: {sorted(unknown)} are none of its claims {list(verdict['claims'])}"
            )
    named = {"captions": "c", "entities": "e", "claims": ("c", "e")}
    shares = {
        name: share(
            sum(claim.startswith(start) for verdict in done for claim in set(verdict["wrong"])),
            sum(claim.startswith(start) for verdict in done for claim in verdict["claims"]),
        )
        for name, start in named.items()
    }
    return shares | {"pictures": share(sum(bool(verdict["wrong"]) for verdict in done), len(done))}


def share(wrong: int, count: int, z: float = 1.959964) -> Share:
    """Wilson's interval (Wilson, "Probable inference …", J. Am. Stat. Assoc. 22, 1927): right also near 0 and 1, where
    the usual one ends at nothing. 0 to 1 for a count of 0."""
    if not count:
        return Share(0, 0, 0.0, 1.0)
    p = wrong / count
    middle = p + z * z / (2 * count)
    reach = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return Share(wrong, count, max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole))


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of verdicts.jsonl."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _words(entity: Mapping[str, Any]) -> str:
    """An entity as one would say it: black car, parked, away."""
    said = [f"{entity.get('colour') or ''} {entity['tag']}".strip()]
    return ", ".join(said + [str(entity[name]) for name in ("action", "facing") if entity.get(name)])


def _page(records: Sequence[Mapping[str, Any]], folder: Path) -> Image.Image:
    width, height = PICTURE[0] + MARGIN, PICTURE[1] + TEXT
    rows = -(-len(records) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * width - MARGIN, rows * height), "white")
    for place, record in enumerate(records):
        page.paste(_panel(record, folder), (place % COLUMNS * width, place // COLUMNS * height))
    return page


def _panel(record: Mapping[str, Any], folder: Path) -> Image.Image:
    """One picture with the boxes of its entities, and its claims beneath."""
    from streets.truth import entities

    panel = Image.new("RGB", (PICTURE[0], PICTURE[1] + TEXT), "white")
    with Image.open(farm.picture_of(folder, record["seed"])) as image:
        panel.paste(image.convert("RGB").resize(PICTURE, Image.Resampling.LANCZOS))
    draw, small, font = ImageDraw.Draw(panel), ImageFont.load_default(12), ImageFont.load_default(14)
    for number, entity in enumerate(entities(record), start=1):
        x0, y0, x1, y1 = (round(end * side) for end, side in zip(entity["box"], PICTURE * 2, strict=True))
        draw.rectangle((x0, y0, x1, y1), outline=BOX)
        label = (x0, max(0, y0 - 14))
        draw.rectangle(draw.textbbox(label, f"e{number}", small), fill=BOX)
        draw.text(label, f"e{number}", "white", small)
    draw.multiline_text((MARGIN, PICTURE[1] + 2), _claims_text(record), "black", font, spacing=3)
    return panel


def _claims_text(record: Mapping[str, Any]) -> str:
    named = claims(record)
    lines = [f"seed {record['seed']}"]
    for name, text in named.items():
        if name.startswith("c"):
            lines += textwrap.wrap(f"{name}  {text}", LETTERS, subsequent_indent="      ")
    pixels = _pixels(record)
    listed = "   ".join(f"{name} {text} ({pixels[name]} px)" for name, text in named.items() if name.startswith("e"))
    return "\n".join(lines + textwrap.wrap(listed, LETTERS))


def _pixels(record: Mapping[str, Any]) -> dict[str, int]:
    from streets.truth import entities

    return {f"e{k}": round(entity["pixels"]) for k, entity in enumerate(entities(record), start=1)}
