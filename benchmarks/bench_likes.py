"""Terms that are left out, and examples: how much they help. `python benchmarks/bench_likes.py [--json FILE]`

Pictures alone decide (the captions would give it away): the bundled street scenes, encoded by the bundled model.

1. *Exclusions.* "A, without B" for every pair of attributes with at least 20 scenes of A alone and 15 of both.
   Precision@10 counts scenes of A without B; rules are compared with the query "A" alone, pair by pair.
2. *Examples.* A vague query, and an attribute that the person has in mind. Of the ranking the first two scenes with it
   are liked and the first without it is not (`search(..., like=…, unlike=…)`). Precision@10 over all other scenes,
   before and after, for the same query. Intervals are over attributes: the queries for one are not independent.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
from numpy.typing import NDArray

import sightline
from sightline import metrics
from sightline.errors import QueryError
from sightline.retrieve import EXCLUSION

Vector = NDArray[np.float32]
VAGUE = ("a street", "something on the road", "a picture of a place", "a road with vehicles", "outdoors")
SAID = {
    "noon": "a road at noon",
    "afternoon": "a road in the afternoon",
    "sunset": "a road at sunset",
    "night": "a road at night",
    "overcast": "a road on a cloudy day",
    "fog": "a road in the fog",
    "rain": "a road in the rain",
    "downtown": "a city street",
    "residential": "a residential street",
    "highway": "a highway",
    "desert": "a desert road",
    "beach": "a street by the beach",
    "hillside": "a road through the hills",
}
K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--collection", help="an index of the streets that is there already")
    given = parser.parse_args()
    if given.collection:
        results = measure(sightline.open(given.collection))
    else:
        with tempfile.TemporaryDirectory() as folder:
            scenes = sightline.open(f"{folder}#streets", model="pocket")
            scenes.ingest("streets")
            results = measure(scenes)
    print(json.dumps(results, indent=2))
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


def measure(scenes: sightline.Collection) -> dict[str, Any]:
    folder, _, name = scenes.address.partition("#")
    table = lancedb.connect(folder).open_table(name).search().select(["id", "vector", "meta"]).to_arrow()
    rows = table.to_pylist()
    has = attributes(rows)
    vectors = np.array([row["vector"] for row in rows], np.float32)
    return {
        "scenes": len(rows),
        "exclusions": exclusions(scenes, vectors, has),
        "examples": examples(scenes, [row["id"] for row in rows], has),
    }


def attributes(rows: list[dict[str, Any]]) -> dict[str, NDArray[np.bool_]]:
    """For each attribute that at least 40 scenes and at most half of them have: which do."""
    found: list[set[str]] = []
    for row in rows:
        meta = json.loads(row["meta"])
        found.append({*meta["entities"], meta["setting"], meta["light"], meta["weather"]} - {"clear"})
    names = sorted(set().union(*found))
    has = {name: np.array([name in one for one in found]) for name in names}
    return {name: mask for name, mask in has.items() if 40 <= mask.sum() <= len(rows) / 2}


def exclusions(scenes: sightline.Collection, vectors: Vector, has: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    texts = [SAID.get(name, f"a {name}") for name in has]
    said = dict(zip(has, scenes.encoder.encode_text(texts), strict=True))
    pairs = [
        (a, b)
        for a, b in itertools.permutations(has, 2)
        if (has[a] & ~has[b]).sum() >= 20 and (has[a] & has[b]).sum() >= 15
    ]

    def measured(rule: Callable[[Vector, Vector], Vector]) -> NDArray[np.float64]:
        rows = []
        for a, b in pairs:
            best = np.argsort(-rule(said[a], said[b]), kind="stable")[:K]
            rows.append(((has[a] & ~has[b])[best].mean(), has[b][best].mean()))
        return np.array(rows)

    def subtract(weight: float) -> Callable[[Vector, Vector], Vector]:
        return lambda wanted, unwanted: vectors @ (wanted - weight * unwanted)

    def margin(weight: float) -> Callable[[Vector, Vector], Vector]:
        def rule(wanted: Vector, unwanted: Vector) -> Vector:
            seen = vectors @ unwanted
            return vectors @ wanted - weight * np.maximum(0, seen - np.median(seen))

        return rule

    alone = measured(subtract(0))
    rules = {f"subtract {weight:g}": subtract(weight) for weight in (0.25, EXCLUSION, 0.75, 1)}
    rules |= {f"margin {weight:g}": margin(weight) for weight in (0.5, 1, 2)}
    table = {"A alone": told(alone[:, 0], alone[:, 0]) | {"with B": round(float(alone[:, 1].mean()), 4)}}
    for name, rule in rules.items():
        values = measured(rule)
        table[name] = told(alone[:, 0], values[:, 0]) | {"with B": round(float(values[:, 1].mean()), 4)}
    return {"pairs": len(pairs), "rules": table}


def examples(scenes: sightline.Collection, ids: list[str], has: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    before: list[float] = []
    ways: dict[str, list[float]] = {"two likes": [], "two likes, one unlike": []}
    groups: list[str] = []
    place = {ident: at for at, ident in enumerate(ids)}
    for query in VAGUE:
        ranked = [hit.id for hit in scenes.search(query, 100, channels=("vector",))]
        for name, mask in has.items():
            fits = [ident for ident in ranked if mask[place[ident]]]
            others = [ident for ident in ranked if not mask[place[ident]]]
            if len(fits) < 2 or not others:
                continue
            judged = {*fits[:2], others[0]}

            def precision(found: list[str], mask: NDArray[np.bool_] = mask, judged: set[str] = judged) -> float:
                return float(np.mean([mask[place[one]] for one in found if one not in judged][:K]))

            before.append(precision(ranked))
            groups.append(name)
            for way, unlike in (("two likes", ()), ("two likes, one unlike", others[:1])):
                try:
                    hits = scenes.search(query, K + 3, like=fits[:2], unlike=unlike, channels=("vector",))
                    ways[way].append(precision([hit.id for hit in hits]))
                except QueryError:
                    ways[way].append(before[-1])
    told_of = {way: told(np.array(before), np.array(values), groups) for way, values in ways.items()}
    return {
        "n": len(before),
        "attributes": len(set(groups)),
        "query alone": round(float(np.mean(before)), 4),
        **told_of,
    }


def told(
    before: NDArray[np.float64], after: NDArray[np.float64], groups: list[str] | None = None
) -> dict[str, float | list[float]]:
    seen = metrics.compare(before, after, groups=groups)
    return {
        "precision@10": round(float(after.mean()), 4),
        "difference": round(seen.difference, 4),
        "interval": [round(seen.low, 4), round(seen.high, 4)],
    }


if __name__ == "__main__":
    main()
