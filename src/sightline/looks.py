"""looks: how a picture looks, in 704 bytes, and how alike two looks are. Encoders and their vectors play no part.

A look is the thumbnail in 24 x 24 grey levels and 8 x 8 levels of each colour difference. Two questions are put to it:
a 64-bit hash tells quickly who may be alike (signs of the lowest frequencies of the cosine transform, as pHash does:
Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010), and `likeness` tells who is: the
correlation of the grey levels after the one was laid over the other as well as a small shift, stretch and turn allow
(Lucas-Kanade in its inverse compositional form: Baker and Matthews, IJCV 2004). Laying over is what lets a crop or the
next frame of a burst pass, while another street of the same town does not: numbers in docs/groups.md.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, TINT = 24, 8
BYTES = SIDE * SIDE + 2 * TINT * TINT
FLAT = 4.0
"""Grey levels whose standard deviation is less have nothing to compare: a black frame, a blank page."""
FEW, STEPS, CLOSE = 3, 8, 0.05
"""Nothing is gained by going on where a correlation that is far from enough after a few steps, or from one side."""
REACH = 0.2
"""No corner is moved further than this share of the side, and as much of the picture has to be left in view."""

Looks = NDArray[np.uint8]
"""Rows (n, 704)."""


def look(thumbnail: bytes) -> bytes:
    """704 bytes of an upright picture, as thumbnails are; its sides are stretched to a square. Empty for no picture."""
    try:
        with Image.open(io.BytesIO(thumbnail)) as stored:
            stored.draft("YCbCr", (4 * SIDE, 4 * SIDE))
            grey, *tints = stored.convert("YCbCr").split()
    except (OSError, ValueError):
        return b""
    small = [grey.resize((SIDE, SIDE), Image.Resampling.BOX)]
    small += [tint.resize((TINT, TINT), Image.Resampling.BOX) for tint in tints]
    return b"".join(part.tobytes() for part in small)


def stack(found: Sequence[bytes]) -> Looks:
    """Looks as rows (n, 704); one that is missing is flat, and so like no other."""
    rows = np.full((len(found), BYTES), 128, np.uint8)
    for row, one in zip(rows, found, strict=True):
        if len(one) == BYTES:
            row[:] = np.frombuffer(one, np.uint8)
    return rows


def hashes(looks: Looks) -> NDArray[np.uint64]:
    """64 bits (n,) each: the signs of the 64 lowest frequencies but the mean, of 9 x 9."""
    at = (np.arange(SIDE) + 0.5) / SIDE
    waves = np.cos(np.pi * np.arange(9)[:, None] * at).astype(np.float32)  # (9, 24): rows of the DCT-II
    found = np.empty(len(looks), np.uint64)
    for start in range(0, len(looks), 8192):
        grey = _grey(looks[start : start + 8192])
        lowest = (waves @ grey @ waves.T).reshape(len(grey), -1)[:, 1:65]
        found[start : start + 8192] = np.packbits(lowest > 0, axis=1).view(">u8").ravel()
    return found


def apart(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Hamming distance of hashes, 0 to 64, by the rules of broadcasting."""
    distance: NDArray[np.uint8] = np.bitwise_count(one ^ other)
    return distance


def flat(looks: Looks) -> NDArray[np.bool_]:
    """Which (n,) have too little in them to be compared."""
    spread: NDArray[np.bool_] = _grey(looks).std(axis=(1, 2)) < FLAT
    return spread


def tint(one: Looks, other: Looks) -> NDArray[np.float32]:
    """Mean distance of the colours (n,) in levels of 255; 0 where one of the two is black and white."""
    first, second = (rows[:, SIDE * SIDE :].astype(np.float32) - 128 for rows in (one, other))
    colourless = (np.abs(first).mean(1) < 2) | (np.abs(second).mean(1) < 2)
    return np.where(colourless, np.float32(0), np.abs(first - second).mean(1))


def likeness(
    one: Looks, other: Looks, *, enough: float | NDArray[np.float32] = 1.0, hopeless: float | NDArray[np.float32] = -1.0
) -> NDArray[np.float32]:
    """Correlation (n,) in [-1, 1] of each pair of looks (n, 704) laid over each other; -1 where one of them is flat.

    Laying over ends where `enough` is reached, and is not begun where they correlate less than `hopeless` as they lie.
    """
    least, most = (np.broadcast_to(np.asarray(bar, np.float32), (len(one),)) for bar in (hopeless, enough))
    best = np.full(len(one), -1.0, np.float32)
    for start in range(0, len(one), 512):
        some = np.arange(start, min(start + 512, len(one)))
        some = some[~(flat(one[some]) | flat(other[some]))]
        first, second = _grey(one[some]), _grey(other[some])
        best[some] = _as_they_lie(first, second)
        for fixed, moving, far in ((first, second, least[some]), (second, first, most[some] - CLOSE)):
            open_ = np.flatnonzero((best[some] >= far) & (best[some] < most[some]))
            if len(open_):
                found = _laid_over(fixed[open_], moving[open_], most[some[open_]])
                best[some[open_]] = np.maximum(best[some[open_]], found)
    return best


def _as_they_lie(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    first, second = (_centred(levels.reshape(len(levels), -1), np.float32(1))[0] for levels in (one, other))
    product: NDArray[np.float32] = (first * second).sum(1)
    return product


def _grey(looks: Looks) -> NDArray[np.float32]:
    return looks[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE).astype(np.float32)


def _laid_over(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], enough: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The best correlation (n,) on the way of moving (n, 24, 24) onto fixed: FEW affine steps, then STEPS in all for
    those that are close to `enough` (n,) by then and not there."""
    best, warp = _moved(fixed, moving, np.tile(np.eye(3, dtype=np.float32), (len(fixed), 1, 1)), FEW)
    rest = np.flatnonzero((best >= enough - 2 * CLOSE) & (best < enough))
    if len(rest):
        best[rest] = np.maximum(best[rest], _moved(fixed[rest], moving[rest], warp[rest], STEPS - FEW)[0])
    return best


def _moved(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], warp: NDArray[np.float32], steps: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The best correlation (n,) in so many steps from `warp` (n, 3, 3), and the warp that they end with."""
    n, half = len(fixed), (SIDE - 1) / 2
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32).reshape(2, -1)  # (576,), corners at ±1
    place = np.stack([x, y, np.ones_like(x)])  # (3, 576)
    _, scale = _centred(fixed.reshape(n, -1), np.float32(1))
    down, across = np.gradient(fixed * half, axis=(1, 2))  # per half side, as the places are
    slopes = np.concatenate([g.reshape(n, 1, -1) * place for g in (across, down)], axis=1) / scale[:, None]  # (n, 6, p)
    slopes -= slopes.mean(2, keepdims=True)
    normal = slopes @ slopes.transpose(0, 2, 1)
    ridge = 1e-3 * np.trace(normal, axis1=1, axis2=2) / 6 + 1e-9
    solve = np.linalg.inv(normal + ridge[:, None, None] * np.eye(6, dtype=np.float32))
    best = np.full(n, -1.0, np.float32)
    for _ in range(steps + 1):
        where = warp[:, :2] @ place  # (n, 2, 576)
        seen, inside = _sampled(moving, where[:, 0] * half + half, where[:, 1] * half + half)
        levels, _ = _centred(seen, inside)
        goal, _ = _centred(fixed.reshape(n, -1), inside)
        moved = np.abs(where - place[:2]).max(axis=(1, 2)) / 2  # of the side
        usable = (moved <= REACH) & (inside.mean(1) >= (1 - REACH) ** 2)
        best = np.where(usable, np.maximum(best, (levels * goal).sum(1)), best)
        step = (solve @ (slopes @ (levels - goal)[..., None]))[..., 0].clip(-0.2, 0.2)
        change = np.tile(np.eye(3, dtype=np.float32), (n, 1, 1))
        change[:, :2] += step.reshape(n, 2, 3)
        warp = (warp @ np.linalg.inv(change)).clip(-2, 2)
    return best, warp


def _centred(
    levels: NDArray[np.float32], inside: NDArray[np.float32] | np.float32
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Levels (n, p) with mean 0 and length 1 over what is inside, and the lengths (n, 1) that they had."""
    weights = np.broadcast_to(inside, levels.shape)
    mean = (levels * weights).sum(1, keepdims=True) / np.maximum(weights.sum(1, keepdims=True), 1)
    centred = (levels - mean) * weights
    length = np.sqrt((centred**2).sum(1, keepdims=True)) + 1e-6
    return centred / length, length


def _sampled(
    levels: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Levels (n, 24, 24) between pixels at x, y (n, p), and 1 where that is inside of the picture, else 0."""
    most = SIDE - 1
    inside = ((x >= -0.01) & (x <= most + 0.01) & (y >= -0.01) & (y <= most + 0.01)).astype(np.float32)
    x, y = x.clip(0, most - 1e-3), y.clip(0, most - 1e-3)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, low = x - left, y - top
    flat_levels = levels.ravel()
    at = (np.arange(len(levels)) * SIDE * SIDE)[:, None] + top * SIDE + left
    upper = flat_levels[at] * (1 - right) + flat_levels[at + 1] * right
    lower = flat_levels[at + SIDE] * (1 - right) + flat_levels[at + SIDE + 1] * right
    return (upper * (1 - low) + lower * low).astype(np.float32), inside
