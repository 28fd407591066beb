"""Projection: vectors become positions in two dimensions, near where the vectors are alike (docs/map.md).

    project(vectors).positions          t-SNE by openTSNE, the extra [map]; without it the two principal axes
    place(texts @ vectors.T, positions) further points, by what they are like, without projecting anew

Texts are placed among pictures, never projected with them: CLIP keeps all texts apart from all pictures, and a joint
projection shows this gap and little else. Knows vectors; nothing of collections.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.schema import Vectors

Positions: TypeAlias = NDArray[np.float32]
"""Rows (n, 2), within [-1, 1], x to the right and y down; NaN where there is none."""

TSNE, PCA = "t-SNE", "PCA"
PERPLEXITY = 30
LEAST = 16
"""Points below which neighbourhoods mean nothing and the principal axes are shown."""
CROWDED, SETTLING = 250, 500  # steps, as openTSNE has them: first pulled together, then spread out
STEPS_TOLD = 50
NEAREST, WIDTH = 12, 0.12
"""What is placed lies among the nearest of so many, within this distance of each other."""
EVEN = 0.4
"""How much of the way each point is moved to where it would lie if all were spread evenly across and down: the gaps
between groups, whose width means nothing, become narrower, and there is room for pictures."""
BLOCK = 1_024
SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Positions (n, 2) and the method that made them."""

    positions: Positions
    method: str


def is_installed() -> bool:
    """Whether the extra [map] is here. Loads nothing."""
    return importlib.util.find_spec("openTSNE") is not None


def project(
    vectors: Vectors, *, start: Positions | None = None, tell: Callable[[float], None] | None = None
) -> Projection:
    """Positions for `vectors` (n, dim); the same vectors give the same positions.

    `start` (n, 2): where points lay before, NaN for new ones, so that a map looks as it did. `tell` is told how much of
    the work is done, 0 to 1. One thread: others have work to do, and threads would add up in another order each time.
    """
    if len(vectors) < LEAST or not is_installed():
        return Projection(fitted(principal(vectors)), PCA)
    found = fitted(_tsne(centred(vectors), start, tell or (lambda _: None)), turn=start is None)
    return Projection(fitted(evened(found), turn=False), TSNE)


def place(likeness: NDArray[np.float32], positions: Positions) -> Positions:
    """Where points lie that are like the n placed ones by `likeness` (m, n): (m, 2), each where its nearest are.

    Its nearest may lie in several places of the map: the one with the most weight is taken, never the middle between.
    """
    placed = np.full((len(likeness), 2), np.nan, np.float32)
    for row, known in zip(placed, likeness, strict=True) if len(positions) else ():
        row[:] = _among(known, positions)
    return placed


def centred(vectors: Vectors) -> Vectors:
    """Unit vectors about their mean: what all have in common, the modality first of all, says nothing of any."""
    moved = vectors - vectors.mean(axis=0, keepdims=True)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    unit: Vectors = moved / np.where(lengths > 1e-6, lengths, 1)
    return unit


def principal(vectors: Vectors) -> Positions:
    """The two directions in which they differ most, (n, 2), each pointing to where its longest part is."""
    found = np.zeros((len(vectors), 2), np.float32)
    if len(vectors) < 2:
        return found
    moved = vectors - vectors.mean(axis=0, keepdims=True)
    strengths, axes = np.linalg.eigh((moved.T @ moved).astype(np.float64))  # (dim,) ascending, (dim, dim)
    for at in range(min(2, vectors.shape[1])):
        axis = axes[:, -1 - at]
        if strengths[-1 - at] > 1e-9:
            found[:, at] = moved @ (axis * np.sign(axis[np.abs(axis).argmax()]))
    return found


def fitted(positions: Positions, *, turn: bool = True) -> Positions:
    """Moved and scaled into [-1, 1], both directions alike; with `turn` the longer way lies across."""
    if not len(positions):
        return positions
    lain = principal(positions) if turn else positions
    low, high = lain.min(axis=0), lain.max(axis=0)
    half = float((high - low).max()) / 2
    fit: Positions = ((lain - (low + high) / 2) / (half or 1)).astype(np.float32)
    return fit


def evened(positions: Positions) -> Positions:
    """Part of the way to even gaps, across and down apart; who is left of whom, and above whom, stays."""
    ranks = np.argsort(np.argsort(positions, axis=0, kind="stable"), axis=0, kind="stable")  # (n, 2)
    low, high = positions.min(axis=0), positions.max(axis=0)
    even = low + (high - low) * ranks / max(len(positions) - 1, 1)
    found: Positions = ((1 - EVEN) * positions + EVEN * even).astype(np.float32)
    return found


# ---- in call order --------------------------------------------------------------------------------------------


def _tsne(unit: Vectors, start: Positions | None, tell: Callable[[float], None]) -> Positions:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its own libraries have to say to each other
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

        places, distances = neighbours(unit, min(3 * PERPLEXITY, len(unit) - 1))
        index = PrecomputedNeighbors(places, distances)
        affinities = PerplexityBasedNN(knn_index=index, perplexity=min(PERPLEXITY, (len(unit) - 1) / 3))
        begun = _begun(unit, start)
        points: Any = TSNEEmbedding(begun, affinities, random_state=SEED, n_jobs=1)
        told = {"callbacks_every_iters": STEPS_TOLD}
        whole = CROWDED + SETTLING
        points.optimize(
            CROWDED, inplace=True, exaggeration=12, momentum=0.5, callbacks=_counted(tell, 0, whole), **told
        )
        points.optimize(SETTLING, inplace=True, momentum=0.8, callbacks=_counted(tell, CROWDED, whole), **told)
    found: Positions = np.asarray(points, np.float32)
    return found


def _begun(unit: Vectors, start: Positions | None) -> NDArray[np.float64]:
    """Where it begins: at the principal axes, or where the points lay. Small, as t-SNE wants it."""
    if start is None:
        begun = principal(unit)
    else:
        begun, new = start.copy(), np.isnan(start[:, 0])
        begun[new] = place(unit[new] @ unit[~new].T, start[~new])
    jitter = np.random.default_rng(SEED).normal(0, 0.01, begun.shape)  # equal vectors must not lie on one point
    spread = begun / (begun.std(axis=0).max() or 1) + jitter
    return np.asarray(1e-4 * spread, np.float64)


def _counted(tell: Callable[[float], None], before: int, whole: int) -> Callable[[int, float, Any], None]:
    return lambda step, _error, _points: tell((before + step) / whole)


def neighbours(unit: Vectors, k: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each of `unit` (n, dim) the `k` others nearest by cosine, nearest first, and their distances; exact."""
    places = np.empty((len(unit), k), np.intp)
    distances = np.empty((len(unit), k), np.float64)
    for at in range(0, len(unit), BLOCK):
        rows = slice(at, at + BLOCK)
        far = 1.0 - unit[rows] @ unit.T  # (block, n)
        far[np.arange(len(far)), np.arange(at, at + len(far))] = np.inf
        best = np.argpartition(far, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(far, best, axis=1), axis=1, kind="stable")
        places[rows] = np.take_along_axis(best, order, axis=1)
        distances[rows] = np.maximum(np.take_along_axis(far, places[rows], axis=1), 0)
    return places, distances


def _among(likeness: NDArray[np.float32], positions: Positions) -> Positions:
    """A step of mean shift from the neighbour with the most weight around it."""
    k = min(NEAREST, len(positions))
    best = np.argsort(-likeness, kind="stable")[: k + 1]
    least = likeness[best[-1]] if len(best) > 1 else -1.0
    weights = (likeness[best] - least) ** 2  # (k + 1,); the last, which sets the scale, has none
    if not weights.any():
        weights = np.ones(len(best), np.float32)
    apart = ((positions[best][:, None] - positions[best][None]) ** 2).sum(axis=2)  # (k + 1, k + 1)
    together = np.exp(-apart / (2 * WIDTH**2)) * weights
    middle = together[together.sum(axis=1).argmax()]
    found: Positions = ((middle[:, None] * positions[best]).sum(axis=0) / middle.sum()).astype(np.float32)
    return found
