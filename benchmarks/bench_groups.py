"""Near-duplicates: how many copies are recognised, and how many different pictures are taken for copies.

    python benchmarks/bench_groups.py streets:test --every 4 --out benchmarks/results/groups.json

Copies of each `--every`th picture are made here: saved again, resized, cropped, in other light, and pairs as of a burst
(the view moves by a share of its side and turns by a degree). Every pair of different pictures of a source ought to be
told apart; those that are not are listed, to be looked at: a source may hold true near-duplicates. `--frames FOLDER`
holds the frames of a film in the order of their names, `--rate` a second.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from sightline import looks, media
from sightline.groups import FAR, Portrait, alike
from sightline.schema import Item
from sightline.sources import open_source

MOVES = {"moved 1.5 %": (0.015, 0.3), "moved 3 %": (0.03, 0.7), "moved 6 %": (0.06, 1.2)}
"""Share of the side, degrees."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", help="a folder, parquet:GLOB, streets:test")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--rate", type=float, default=12.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    document: dict[str, Any] = {"sources": [measure(spec, given.every) for spec in given.sources]}
    if given.frames:
        document["film"] = film(sorted(given.frames.iterdir()), given.rate)
    print(json.dumps(document, indent=2))
    if given.out:
        given.out.write_text(json.dumps(document, indent=2) + "\n")


def measure(spec: str, every: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    pictures: list[Portrait] = []
    names: list[str] = []
    pairs: dict[str, list[tuple[Portrait, Portrait]]] = {}
    for at, item in enumerate(one for one in open_source(spec) if isinstance(one, Item)):
        image = media.upright(item.read())
        pictures.append(portrait(image))
        names.append(item.name)
        if at % every == 0:
            for name, first, second in copies(image, rng):
                pairs.setdefault(name, []).append((first, second))
    recall = {name: share(some) for name, some in pairs.items()}
    taken_for_copies = [f"{names[i]} = {names[j]}" for i, j in false_pairs(pictures)]
    return {
        "source": spec,
        "pictures": len(pictures),
        "different_pairs": len(pictures) * (len(pictures) - 1) // 2,
        "taken_for_copies": taken_for_copies,
        "copied": len(next(iter(pairs.values()))),
        "recall": recall,
    }


def share(pairs: Sequence[tuple[Portrait, Portrait]]) -> float:
    return round(float(alike([one for one, _ in pairs], [other for _, other in pairs]).mean()), 4)


def false_pairs(pictures: Sequence[Portrait]) -> list[tuple[int, int]]:
    hashes = looks.hashes(looks.stack([one.look for one in pictures]))
    found: list[tuple[int, int]] = []
    for i in range(len(pictures)):
        near = i + 1 + np.flatnonzero(looks.apart(hashes[i + 1 :], hashes[i]) <= FAR)
        same = alike([pictures[i]] * len(near), [pictures[j] for j in near])
        found += [(i, int(j)) for j in near[same]]
    return found


def film(frames: Sequence[Path], rate: float) -> dict[str, Any]:
    """Frames some time apart: without what a camera says of itself, and as a camera's burst."""
    looked = [looks.look(media.jpeg(media.upright(path.read_bytes()), longest=media.THUMBNAIL)) for path in frames]
    found: dict[str, Any] = {"frames": len(looked)}
    for seconds in (0.25, 0.5, 1.0, 2.0):
        lag = round(seconds * rate)
        pairs = list(zip(looked, looked[lag:], strict=False))
        plain = alike([Portrait("", a) for a, _ in pairs], [Portrait("", b) for _, b in pairs])
        found[f"{seconds} s"] = {"pairs": len(pairs), "recall": round(float(plain.mean()), 4)}
        if seconds <= 2:
            from datetime import UTC, datetime, timedelta

            start = datetime(2026, 1, 1, tzinfo=UTC)
            later = start + timedelta(seconds=seconds)
            burst = alike(
                [Portrait("", a, "cam", start) for a, _ in pairs], [Portrait("", b, "cam", later) for _, b in pairs]
            )
            found[f"{seconds} s"]["recall_of_a_burst"] = round(float(burst.mean()), 4)
    return found


def copies(image: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Portrait, Portrait]]:
    original = portrait(image)
    w, h = image.size
    for quality in (75, 40, 15):
        yield f"saved at quality {quality}", original, portrait(image, quality)
    yield "half size", original, portrait(image.resize((w // 2, h // 2), Image.Resampling.BICUBIC))
    yield "0.7 of the size", original, portrait(image.resize((int(w * 0.7), int(h * 0.7)), Image.Resampling.LANCZOS))
    for percent in (2, 5, 10):
        side = percent / 200
        yield f"cropped {percent} %", original, portrait(cut(image, side, side, side, side))
    yield "cropped 0-5 % a side", original, portrait(cut(image, *rng.uniform(0, 0.05, 4)))
    yield "brighter by a quarter", original, portrait(ImageEnhance.Brightness(image).enhance(1.25))
    yield "darker by a quarter", original, portrait(ImageEnhance.Brightness(image).enhance(0.75))
    yield "contrast 1.3", original, portrait(ImageEnhance.Contrast(image).enhance(1.3))
    yield "black and white", original, portrait(image.convert("L").convert("RGB"))
    yield "mirrored", original, portrait(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    still = portrait(cut(image, 0.06, 0.06, 0.06, 0.06))
    for name, (move, degrees) in MOVES.items():
        angle = rng.uniform(0, 2 * np.pi)
        dx, dy = move * np.cos(angle), move * np.sin(angle)
        turned = image.rotate(degrees * rng.choice([-1, 1]), Image.Resampling.BICUBIC)
        yield name, still, portrait(cut(turned, 0.06 + dx, 0.06 + dy, 0.06 - dx, 0.06 - dy))


def cut(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    w, h = image.size
    return image.crop((round(w * left), round(h * top), round(w * (1 - right)), round(h * (1 - bottom))))


def portrait(image: Image.Image, quality: int = 90) -> Portrait:
    """As an ingest of the saved picture sees it."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    decoded = media.decode(out.getvalue(), longest=media.THUMBNAIL)
    return Portrait("", looks.look(media.jpeg(decoded.image, longest=media.THUMBNAIL)))


if __name__ == "__main__":
    main()
