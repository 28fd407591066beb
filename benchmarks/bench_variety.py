"""What `search --diverse` gains and costs. `python benchmarks/bench_variety.py [--json FILE]`

The bundled questions are put to the test split of the street scenes with the bundled model, as a search puts them
(without captions: pictures alone). Of the ten hits, those that the judgements call right are counted, doubtful ones
being left out beforehand; how alike the hits are is the mean cosine of all pairs of them; and how various, the number
of different combinations of place, light and weather that the scenes were made with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import sightline
from sightline.evaluate import items_of
from sightline.groups import various
from sightline.judgements import placed, read
from sightline.schema import item_id

BALANCES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
K, POOL = 10, 50
SCENES = Path(sightline.__file__).parent / "data" / "streets" / "test.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--collection", help="an index of streets:test that is there already")
    given = parser.parse_args()
    if given.collection:
        results = measure(sightline.open(given.collection))
    else:
        with tempfile.TemporaryDirectory() as folder:
            scenes = sightline.open(f"{folder}#streets", model="pocket")
            scenes.ingest("streets:test")
            results = measure(scenes)
    print(json.dumps(results, indent=2))
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


def measure(scenes: sightline.Collection) -> dict[str, Any]:
    store = scenes._store
    questions, _ = placed(read("streets"), items_of(store))
    questions = [one for one in questions if not one.apart and one.relevant]
    kinds = kinds_of_scenes()
    found: dict[float, list[tuple[float, float, int]]] = {balance: [] for balance in BALANCES}
    for question in questions:
        hits = list(scenes.search(question.text, POOL, literal=True, channels=("vector",)))
        hits = [hit for hit in hits if hit.id not in question.doubtful]
        vectors = store.vectors([hit.id for hit in hits])
        worth = np.array([hit.score for hit in hits], np.float32)
        for balance in BALANCES:
            order = various(vectors, worth, K, balance)
            right = float(np.mean([hits[at].id in question.relevant for at in order]))
            alike = float(np.mean([vectors[a] @ vectors[b] for a, b in combinations(order, 2)]))
            found[balance].append((right, alike, len({kinds[hits[at].id] for at in order})))
    means = {balance: np.mean(rows, axis=0) for balance, rows in found.items()}
    return {
        "questions": len(questions),
        "scenes": len(scenes),
        "balances": {
            str(balance): {"precision@10": round(p, 4), "cosine": round(c, 4), "kinds": round(n, 3)}
            for balance, (p, c, n) in means.items()
        },
    }


def kinds_of_scenes() -> dict[str, tuple[str, str, str]]:
    """Place, light and weather of each scene by id; the number in a uri is the scene's seed."""
    kinds = {}
    for row in pq.read_table(SCENES, columns=["seed", "scene"]).to_pylist():
        scene = json.loads(row["scene"])
        kinds[item_id(f"streets:{row['seed']}")] = (scene["setting"], scene["light"], scene["weather"])
    return kinds


if __name__ == "__main__":
    main()
