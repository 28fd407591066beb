"""Auditing by eye: pages with pictures and everything that is claimed about them, and what the verdicts sum up to.

    python -m streets audit --scenes build/streets/scenes --out build/streets/audit     (pages and verdicts.jsonl)
    python -m streets audit --verdicts build/streets/audit/verdicts.jsonl               (the share that is wrong)

A claim is a caption (c1, c2, …), an entity in a box of its own (e1, e2, …) or another attribute (a1, a2, …: numbers,
areas, light, weather, setting). Whoever looks replaces `"wrong": null` by the list of those that are not true of the
picture, `[]` if all are; what is left null is not counted. In `missed` goes what anybody would name that has no box:
a grey box holds what counts as doubtful, and is neither claimed nor denied.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from streets import farm, truth
from streets.captions import captions

COLUMNS, ROWS = 3, 2
PICTURE = (720, 405)  # pixels
TEXT = 215  # pixels beneath a picture
LETTERS = 98  # in a line
MARGIN = 6  # pixels
LINE = 14  # pixels, the height of letters
CLAIMED, DOUBTED = (255, 40, 255), (190, 190, 190)  # colours of boxes
KINDS = {"captions": ("c",), "entities": ("e",), "attributes": ("a",), "claims": ("c", "e", "a")}


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
    blank = [{"seed": one["seed"], "claims": claims(one), "wrong": None, "missed": [], "note": ""} for one in chosen]
    with open(out / "verdicts.jsonl", "x", encoding="utf-8") as verdicts:
        verdicts.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in blank)
    written = []
    for number, first in enumerate(range(0, len(chosen), COLUMNS * ROWS), start=1):
        written.append(out / f"page-{number}.png")
        _page([_panel(record, folder) for record in chosen[first:][: COLUMNS * ROWS]]).save(written[-1])
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
    true, _ = truth.attributes(record)
    of_the_whole = truth.areas(record)[0] | {name for name in true if re.match(r"\d|no |\w+:", name)}
    said = {
        "c": captions(record),
        "e": [_words(entity) for entity in truth.entities(record)],
        "a": sorted(true & of_the_whole),
    }
    return {f"{kind}{k}": claim for kind, made in said.items() for k, claim in enumerate(made, start=1)}


def rates(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Share]:
    """The shares that are wrong, of captions, entities, attributes and all three; of pictures, those with anything
    wrong (`pictures`) and those with anything missed (`missed`).

    Each with Wilson's interval at 95 %. What is said about one picture is wrong together, so the intervals over claims
    are narrower than they should be; those over pictures are right. ValueError where a verdict names no claim.
    """
    done = [verdict for verdict in verdicts if verdict["wrong"] is not None]
    for verdict in done:
        if unknown := set(verdict["wrong"]) - set(verdict["claims"]):
            raise ValueError(
                f"seed {verdict['seed']}: {sorted(unknown)} are not among its claims {list(verdict['claims'])}"
            )

    def of_kind(field: str, letters: tuple[str, ...]) -> int:
        return sum(claim[0] in letters for verdict in done for claim in set(verdict[field]))

    shares = {name: share(of_kind("wrong", letters), of_kind("claims", letters)) for name, letters in KINDS.items()}
    shares["pictures"] = share(sum(bool(verdict["wrong"]) for verdict in done), len(done))
    shares["missed"] = share(sum(bool(verdict["missed"]) for verdict in done), len(done))
    return shares


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
    named = f"{entity.get('colour', '')} {entity['tag']}".strip()
    return ", ".join([named, *(entity[name] for name in ("action", "facing") if name in entity)])


def _page(panels: Sequence[Image.Image]) -> Image.Image:
    width, height = PICTURE[0] + MARGIN, PICTURE[1] + TEXT
    page = Image.new("RGB", (COLUMNS * width - MARGIN, -(-len(panels) // COLUMNS) * height), "white")
    for place, panel in enumerate(panels):
        page.paste(panel, (place % COLUMNS * width, place // COLUMNS * height))
    return page


def _panel(record: Mapping[str, Any], folder: Path) -> Image.Image:
    """One picture with the boxes of its entities, and its claims beneath."""
    panel = Image.new("RGB", (PICTURE[0], PICTURE[1] + TEXT), "white")
    with Image.open(farm.picture_of(folder, record["seed"])) as image:
        panel.paste(image.convert("RGB").resize(PICTURE, Image.Resampling.LANCZOS))
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(LINE)
    for entity in truth.doubtful(record):
        _box(draw, entity, entity["kind"], DOUBTED)
    for number, entity in enumerate(truth.entities(record), start=1):
        _box(draw, entity, f"e{number}", CLAIMED)
    draw.multiline_text((MARGIN, PICTURE[1] + 2), _listed(record), "black", font, spacing=3)
    return panel


def _box(draw: ImageDraw.ImageDraw, entity: Mapping[str, Any], label: str, colour: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = (round(end * side) for end, side in zip(entity["box"], PICTURE * 2, strict=True))
    draw.rectangle((x0, y0, x1, y1), outline=colour)
    corner, font = (x0, max(0, y0 - LINE)), ImageFont.load_default(LINE - 2)
    draw.rectangle(draw.textbbox(corner, label, font), fill=colour)
    draw.text(corner, label, "white", font)


def _listed(record: Mapping[str, Any]) -> str:
    """Captions a line each, entities and attributes in lines of their own."""
    named, lines = claims(record), [f"seed {record['seed']}"]
    for name, caption in named.items():
        if name[0] == "c":
            lines += textwrap.wrap(f"{name} {caption}", LETTERS, subsequent_indent="     ")
    for kind in "ea":
        # no-break spaces: a claim stays on one line
        words = [f"{name} {claim}".replace(" ", "\xa0") for name, claim in named.items() if name[0] == kind]
        lines += textwrap.wrap("    ".join(words), LETTERS)
    return "\n".join(lines).replace("\xa0", " ")
