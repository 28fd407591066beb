"""The map: how long it takes, how near what is alike lies, and whether captions lie with their pictures.

    python benchmarks/bench_map.py data/tables#streets --json benchmarks/results/map.json

Pictures beyond those of the collection are made of pairs of its vectors with a little noise. `trust` is trustworthiness
(Venna and Kaski 2001) and `kept` the share of the 10 nearest that are so on the map too; both compare with the centred
vectors, of at most 2,000 points. `beside` is the share of first captions whose own picture is among the 10 nearest
pictures on the map: placed among the pictures as Sightline does it, projected together with them, and together after
each modality was centred; `found` is the same in the space of the vectors, which no map can beat but by luck.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import sightline
from sightline.mapfigures import Captions
from sightline.projection import Positions, centred, fitted, neighbours, place, principal, project
from sightline.schema import Vectors

NEAR = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="a collection with captions")
    parser.add_argument("--sizes", type=int, nargs="*", default=[340, 4_000, 10_000])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    photos = sightline.open(given.address)
    atlas = photos.atlases.get()
    own = np.array([at for at, point in enumerate(atlas.points) if point.text.strip()], np.intp)
    texts = [atlas.points[at].text.strip().split("\n")[0] for at in own]
    said = np.concatenate([photos.encoder.encode_text(texts[at : at + 64]) for at in range(0, len(texts), 64)])
    project(atlas.vectors[:64])  # what is imported and compiled is not part of the times
    told: dict[str, Any] = {"model": photos.encoder.name, "sizes": [sized(atlas.vectors, n) for n in given.sizes]}
    told["captions"] = captions(atlas.vectors, said, own)
    print(json.dumps(told["captions"], indent=1))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(told, indent=1) + "\n")


def sized(vectors: Vectors, n: int) -> dict[str, Any]:
    """Time and fidelity of a map of `n` points."""
    some = more(vectors, n)
    begun, worked = time.perf_counter(), time.process_time()
    made = project(some)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    row: dict[str, Any] = {"n": n, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2)}
    for name, positions in ((made.method, made.positions), ("PCA", fitted(principal(centred(some))))):
        row[name] = fidelity(centred(some)[:2_000], positions[:2_000])
    print(row)
    return row


def more(vectors: Vectors, n: int) -> Vectors:
    """`n` vectors: those there are, then some between two of them, as further pictures of such a collection."""
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, len(vectors), (2, max(n - len(vectors), 0)))
    share = rng.uniform(0, 0.5, (len(one), 1)).astype(np.float32)
    noise = rng.normal(0, 0.03, (len(one), vectors.shape[1])).astype(np.float32)
    made = np.concatenate([vectors[:n], (1 - share) * vectors[one] + share * vectors[two] + noise])
    unit: Vectors = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def fidelity(unit: Vectors, positions: Positions) -> dict[str, float]:
    from sklearn.manifold import trustworthiness

    truly, _ = neighbours(unit, NEAR)
    far = ((positions[:, None] - positions[None]) ** 2).sum(axis=2)
    np.fill_diagonal(far, np.inf)
    shown = np.argpartition(far, NEAR, axis=1)[:, :NEAR]
    kept = np.mean([len(set(a) & set(b)) for a, b in zip(truly.tolist(), shown.tolist(), strict=True)]) / NEAR
    trust = trustworthiness(unit, positions, n_neighbors=NEAR, metric="cosine")
    return {"trust": round(float(trust), 4), "kept": round(float(kept), 3)}


def captions(pictures: Vectors, texts: Vectors, own: Any) -> dict[str, float | int]:
    """The share of captions beside their pictures, by how they came onto the map."""
    n = len(pictures)
    laid = project(pictures).positions
    together = project(np.concatenate([pictures, texts])).positions
    moved = project(np.concatenate([centred(pictures), centred(texts)])).positions
    likeness = texts @ pictures.T
    better = (likeness > likeness[np.arange(len(own)), own][:, None]).sum(axis=1)
    shares = {
        "placed": Captions(place(likeness, laid), own).beside(laid, NEAR),
        "together": Captions(together[n:], own).beside(together[:n], NEAR),
        "together, each centred": Captions(moved[n:], own).beside(moved[:n], NEAR),
        "chance": NEAR / n,
        "found": float((better < NEAR).mean()),
    }
    return {"n": len(own), **{name: round(share, 4) for name, share in shares.items()}}


if __name__ == "__main__":
    main()
