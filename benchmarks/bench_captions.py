"""Does a human caption find its photograph? Recall and MRR of vector, full text and hybrid on tests/data/photos.

Each of the 395 captions is a query over a collection of the 86 photographs that has all captions, its own among them:
this checks the road (captions stay with their pictures, full text finds words, fusion loses nothing), not the encoder.

    python benchmarks/bench_captions.py [--model pocket] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import sightline

PHOTOS = Path(__file__).parents[1] / "tests" / "data" / "photos"
WAYS = {"vector": ("vector",), "text": ("text",), "hybrid": ("vector", "text")}


def measure(model: str) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        collection = sightline.open(f"{folder}#photos", model=model)
        collection.ingest(PHOTOS)
        queries = [
            (caption, item.id)
            for ids in collection._store.ids()
            for item in [collection.get(ident) for ident, _ in ids]
            for caption in item.item.text.split("\n")
        ]
        results = {}
        for way, channels in WAYS.items():
            ranks = []
            for caption, ident in queries:
                hits = collection.search(caption, 86, channels=channels, literal=True)
                ranks.append(next((hit.rank for hit in hits if hit.id == ident), 0))
            results[way] = {
                "n": len(ranks),
                "recall@1": sum(0 < r <= 1 for r in ranks) / len(ranks),
                "recall@5": sum(0 < r <= 5 for r in ranks) / len(ranks),
                "mrr": sum(1 / r for r in ranks if r) / len(ranks),
            }
        return results


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", default="pocket")
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    results = measure(given.model)
    for way, row in results.items():
        print(f"{way:8}" + "".join(f"  {name} {value:.4g}" for name, value in row.items()))
    if given.json:
        given.json.write_text(json.dumps({"model": given.model, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
