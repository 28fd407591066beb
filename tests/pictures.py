"""Folders of small pictures for the tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250), "yellow": (250, 250, 0)}


def paint(path: Path, colour: str | tuple[int, int, int], size: tuple[int, int] = (32, 24)) -> Path:
    """One plain picture. Its bytes differ for every colour and size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = COLOURS[colour] if isinstance(colour, str) else colour
    Image.new("RGB", size, rgb).save(path, "PNG")
    return path


def colours(folder: Path, captions: Mapping[str, str] | None = None) -> Path:
    """red.png green.png blue.png yellow.png and a captions.csv."""
    for name in COLOURS:
        paint(folder / f"{name}.png", name)
    write_captions(folder, captions or {f"{name}.png": f"a {name} square" for name in COLOURS})
    return folder


def write_captions(folder: Path, captions: Mapping[str, str]) -> None:
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "caption"])
        writer.writerows(captions.items())


def many(folder: Path, n: int, *, size: tuple[int, int] = (24, 24), seed: int = 0) -> Path:
    """`n` noisy pictures, all different: 0000.png, 0001.png, …"""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        pixels = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04}.png", "PNG", compress_level=1)
    return folder


def png(colour: tuple[int, int, int] = (9, 9, 9), size: tuple[int, int] = (40, 30)) -> bytes:
    """The bytes of one plain picture."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()
