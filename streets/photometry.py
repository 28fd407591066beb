"""What a rendered picture shows where an object is: its colour, its surroundings', and how far they differ.

Pure: Pillow and NumPy, no Blender. An object is a box and a mask of digits on a grid over that box (seeing.py casts
them), so that everything here can be measured again from a record and its picture, without rendering.

All colours are CIELab (D65; L 0..100); all differences are Delta E 1976, of which about 2 can just be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

HIDDEN, SEEN, PAINTED = 0, 1, 2
"""A mask's digits: something else is in front; the object; the object where it has the colour it is named after."""

SECTORS = 8  # around an object's middle: surroundings differ from side to side
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELab of sRGB values 0..255, shape (..., 3)."""
    c = np.asarray(rgb, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    t = linear @ _XYZ.T / _WHITE
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Delta E 1976 of two arrays of CIELab colours."""
    return np.sqrt(((np.asarray(a) - np.asarray(b)) ** 2).sum(-1))


def measure(evidence: Mapping[str, Any], image: Image.Image) -> dict[str, Any]:
    """The evidence with what the picture shows of it: new keys in each object and each area, and `picture`.

    An object gets `inside`, `ring` (median colours), `contrast` (their difference), `edge` (the same, sector by sector,
    averaged), `spread` (mean difference from its own mean colour), `lightness` (10, 50, 90 % quantiles of L) and, where
    a part is painted, `paint` and `paint_spread`. An area gets `inside`, `lightness` and `contrast` (mean difference
    between cells of the area and neighbours that are not).
    """
    pixels = lab(np.asarray(image))
    coarse_grid = evidence["area_grid"]
    coarse = lab(np.asarray(image.resize((coarse_grid["columns"], coarse_grid["rows"]), Image.Resampling.BOX)))
    lightness = pixels[..., 0]
    return {
        **evidence,
        "objects": [{**thing, **measure_object(thing, pixels)} for thing in evidence["objects"]],
        "areas": {
            name: {**area, **_measure_area(name, coarse_grid, coarse)} for name, area in evidence["areas"].items()
        },
        "picture": {
            "size": list(image.size),
            "inside": _rounded(pixels.reshape(-1, 3).mean(0)),
            "lightness": _rounded(np.percentile(lightness, (10, 50, 90))),
        },
    }


def measure_object(thing: Mapping[str, Any], pixels: np.ndarray) -> dict[str, Any]:
    """What the picture (CIELab, (height, width, 3)) shows of one object; empty when nothing of it is in the picture."""
    mask = _mask_on_pixels(thing, pixels.shape[1], pixels.shape[0])
    here = mask >= SEEN
    if not here.any():
        return {}
    inside = pixels[here]
    # one pixel is left out: there denoising and antialiasing have mixed object and surroundings
    reach = int(np.clip(0.2 * np.sqrt(here.sum()), 2, 12))
    ring = _grown(here, reach + 1) & ~_grown(here, 1)
    middle = inside.mean(0)
    found = {
        "inside": _rounded(np.median(inside, 0)),
        "spread": round(float(difference(inside, middle).mean()), 1),
        "lightness": _rounded(np.percentile(inside[:, 0], (10, 50, 90))),
    }
    if ring.any():
        found["ring"] = _rounded(np.median(pixels[ring], 0))
        found["contrast"] = round(float(difference(found["inside"], found["ring"])), 1)
        found["edge"] = round(_edge(pixels, here, ring), 1)
    painted = mask == PAINTED
    if painted.any():
        # the border of the paint is mixed with glass and road: leave it out where enough remains
        core = painted & ~_grown(~painted, 1)
        chosen = pixels[core if core.sum() >= 12 else painted]
        found["paint"] = _rounded(np.median(chosen, 0))
        found["paint_spread"] = round(float(difference(chosen, chosen.mean(0)).mean()), 1)
    return found


def _mask_on_pixels(thing: Mapping[str, Any], width: int, height: int) -> np.ndarray:
    """The object's mask at the picture's size."""
    grid, (x0, y0, x1, y1) = thing["grid"], thing["box"]
    cells = np.frombuffer(thing["mask"].encode(), np.uint8).reshape(grid[1], grid[0]) - ord("0")
    xs, ys = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    columns = np.floor((xs - x0) / (x1 - x0) * grid[0]).astype(int)
    rows = np.floor((ys - y0) / (y1 - y0) * grid[1]).astype(int)
    in_columns, in_rows = (columns >= 0) & (columns < grid[0]), (rows >= 0) & (rows < grid[1])
    mask = np.zeros((height, width), np.uint8)
    mask[np.ix_(in_rows, in_columns)] = cells[np.ix_(rows[in_rows], columns[in_columns])]
    return mask


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    """The mask and all pixels at most `by` away from it, diagonals included."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(picture.filter(ImageFilter.MaxFilter(2 * by + 1))) > 0


def _edge(pixels: np.ndarray, here: np.ndarray, ring: np.ndarray) -> float:
    """Mean difference between object and ring over the sectors in which both are, by the object's share."""
    ys, xs = np.nonzero(here)
    sector = np.arange(SECTORS)
    y, x = np.indices(here.shape)
    # stretched to the object's own width and height, so that long things have sectors of equal weight
    angle = np.arctan2((y - ys.mean()) / (np.ptp(ys) + 1), (x - xs.mean()) / (np.ptp(xs) + 1))
    which = ((angle / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    total = weight = 0.0
    for k in sector:
        inner, outer = here & (which == k), ring & (which == k)
        if inner.any() and outer.any():
            total += inner.sum() * float(difference(pixels[inner].mean(0), pixels[outer].mean(0)))
            weight += inner.sum()
    return total / weight if weight else 0.0


def _measure_area(name: str, grid: Mapping[str, Any], coarse: np.ndarray) -> dict[str, Any]:
    letters = np.frombuffer(grid["cells"].encode(), np.uint8).reshape(grid["rows"], grid["columns"])
    here = letters == ord(grid["legend"].get(name, "\0"))
    if not here.any():
        return {}
    steps = []
    for axis in (0, 1):
        a, b = (np.take(here, range(s, here.shape[axis] - 1 + s), axis) for s in (0, 1))
        p, q = (np.take(coarse, range(s, here.shape[axis] - 1 + s), axis) for s in (0, 1))
        steps.append(difference(p, q)[a != b])
    border = np.concatenate(steps)
    return {
        "inside": _rounded(coarse[here].mean(0)),
        "lightness": _rounded(np.percentile(coarse[here][:, 0], (10, 50, 90))),
        "contrast": round(float(border.mean()), 1) if border.size else 0.0,
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 1) for value in values]
