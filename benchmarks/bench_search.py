"""How long a search takes in a large collection: Sightline beside a matrix product and the tutorial's LanceDB scan.

Vectors are clustered; queries lie off their distribution, as those of texts do (docs/LOG.md). `vector` and `all` are
`collection.search` by vector alone and with full text over captions and names; `product` is numpy's on the same vectors
in memory; `recipe` is `table.search(list).limit(3).to_pandas()` on the same table. All are asked in turn, in one
process. `cold` is `sightline search` from the shell with the bundled encoder beside `python -c "import lancedb"`, in
turn. Recall@10 is against exact cosines in float64. Build and update are seconds of the snapshot alone.

    python benchmarks/bench_search.py [--rows 10000 100000] [--dim 512] [--rounds 5] [--cold 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sightline
from sightline.encoders import load_encoder
from sightline.schema import Encoded, Item, Manifest, Modality, Vectors, version_of
from sightline.sources import HeldBytes
from sightline.store import Address, Store

QUERIES = 20
CLUSTERS = 200
BATCH = 2_000
NOUNS = ("car", "dog", "bridge", "tram", "beach", "house", "mountain", "bicycle", "market", "station", "river", "child")
ADJECTIVES = ("red", "old", "small", "wet", "wooden", "crowded", "quiet", "tall", "broken", "snowy")


def unit(vectors: NDArray[np.floating[Any]]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def clustered(rows: int, dim: int) -> Vectors:
    """Pictures: clusters around a common mean, as those of CLIP are."""
    rng = np.random.default_rng(0)
    mean, centres = rng.normal(size=dim), rng.normal(size=(CLUSTERS, dim))
    found = np.empty((rows, dim), np.float32)
    for start in range(0, rows, BATCH):
        size = min(BATCH, rows - start)
        noise = rng.normal(size=(size, dim))
        found[start : start + size] = unit(1.5 * mean + centres[rng.integers(0, CLUSTERS, size)] + 0.7 * noise)
    return found


def textlike(pictures: Vectors, n: int) -> Vectors:
    """Texts: each near a picture in direction, and shifted away from all of them (the modality gap)."""
    rng = np.random.default_rng(1)
    gap = -2.0 * pictures[: 10 * CLUSTERS].mean(axis=0)
    near = pictures[rng.choice(len(pictures), n, replace=False)]
    return unit(near + gap + 0.5 * rng.normal(size=near.shape) / np.sqrt(near.shape[1]))


class Given:
    """An encoder whose texts are the numbers of the queries, so that the search alone is timed."""

    name, fingerprint = "given", "a" * 64
    modalities = frozenset({Modality.IMAGE, Modality.TEXT})

    def __init__(self, queries: Vectors) -> None:
        self.queries, self.dim = queries, queries.shape[1]

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.queries[int(re.findall(r"\d+", text)[-1]) % len(self.queries)] for text in texts])

    def encode_image(self, images: Sequence[Any]) -> Vectors:
        raise NotImplementedError


def caption(number: int, rng: np.random.Generator) -> str:
    one, two = rng.choice(ADJECTIVES), rng.choice(ADJECTIVES)
    return f"a {one} {rng.choice(NOUNS)} beside a {two} {rng.choice(NOUNS)}, number{number}"


def fill(store: Store, manifest: Manifest, vectors: Vectors) -> None:
    """The table, written as an ingest writes it; its snapshot is made later."""
    from sightline import index

    rng = np.random.default_rng(2)
    store.create(manifest)
    look = bytes(64)
    for start in range(0, len(vectors), BATCH):
        store.upsert(
            [
                Encoded(
                    Item(f"file:///p/{at}.jpg", f"p/{at}.jpg", HeldBytes(b""), caption(at, rng)),
                    version_of(b"%d" % at),
                    1,
                    vectors[at],
                    look,
                    None,
                    640,
                    480,
                )
                for at in range(start, min(start + BATCH, len(vectors)))
            ]
        )
    index.tend(store, always=True)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def recall(found: Sequence[Sequence[str]], vectors: Vectors, queries: Vectors, k: int = 10) -> float:
    shares = []
    for ids, query in zip(found, queries, strict=True):
        exact = np.argsort(-(vectors.astype(np.float64) @ query.astype(np.float64)), kind="stable")[:k]
        wanted = {Item(f"file:///p/{at}.jpg", "", HeldBytes(b"")).id for at in exact}
        shares.append(len(wanted & set(ids[:k])) / k)
    return float(np.mean(shares))


def warm(folder: Path, rows: int, dim: int, rounds: int) -> dict[str, Any]:
    vectors = clustered(rows, dim)
    queries = textlike(vectors, QUERIES)
    encoder = Given(queries)
    store = Store(Address(folder))
    fill(store, Manifest(encoder.name, dim, encoder.fingerprint), vectors)
    build = timed(lambda: store.mirror.update())
    collection = sightline.open(f"{folder}", model=encoder)
    table = store.rows.another()
    said = [f"a red {NOUNS[at % len(NOUNS)]} {at}" for at in range(QUERIES)]
    ways: dict[str, Callable[[int], object]] = {
        "vector": lambda at: collection.search(said[at], 10, channels=("vector",)),
        "all": lambda at: collection.search(said[at], 10),
        "product": lambda at: np.argpartition(vectors @ queries[at], -10)[-10:],
        "recipe": lambda at: table.search(queries[at].tolist(), vector_column_name="vector").limit(3).to_pandas(),
    }
    for work in ways.values():
        work(0)  # opened, mapped, compiled
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for at in range(QUERIES):
            for name, work in ways.items():
                if name == "recipe" and (at + turn) % 4:
                    continue  # it takes longer than all the others together
                times[name].append(1e3 * timed(lambda work=work, at=at: work(at)))  # type: ignore[misc]
    found = [[hit.id for hit in collection.search(one, 10, channels=("vector",))] for one in said]
    changed = [
        Encoded(
            Item(f"file:///p/{at}.jpg", f"p/{at}.jpg", HeldBytes(b""), "changed"),
            "v",
            1,
            vectors[-1 - at],
            b"",
            None,
            1,
            1,
        )
        for at in range(rows // 100)
    ]
    store.upsert(changed)
    update = timed(lambda: store.mirror.update())
    return {
        "rows": rows,
        "dim": dim,
        "ms": {
            name: {"n": len(ms), "p50": statistics.median(ms), "p95": float(np.quantile(ms, 0.95))}
            for name, ms in times.items()
        },
        "recall@10": recall(found, vectors, queries),
        "build_s": build,
        "update_s": {"rows": len(changed), "seconds": update},
        "disk_mb": {"snapshot": store.mirror.disk_bytes() / 1e6, "tables": store.rows.disk_bytes() / 1e6},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def cold(folder: Path, rows: int, turns: int) -> dict[str, Any]:
    """Seconds from the shell, each in a process of its own; files are in the page cache."""
    encoder = load_encoder("pocket", models_dir=folder)
    store = Store(Address(folder))
    fill(store, Manifest(encoder.name, encoder.dim, encoder.fingerprint), clustered(rows, encoder.dim))
    store.mirror.update()
    command = Path(sys.executable).with_name("sightline")
    commands = {
        "search": [command, "search", "a red car", "-c", str(folder), "--min-relevance", "0"],
        "import lancedb": [sys.executable, "-c", "import lancedb"],
        "python": [sys.executable, "-c", "pass"],
    }
    environment = {**os.environ, "SIGHTLINE_OFFLINE": "1"}

    def once(name: str) -> float:
        return timed(lambda: subprocess.run(commands[name], check=True, capture_output=True, env=environment))

    for name in commands:
        once(name)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(turns):
        for name, seconds in times.items():
            seconds.append(once(name))
    return {
        "rows": rows,
        "seconds": {
            name: {"n": len(all_), "p50": statistics.median(all_), "least": min(all_)} for name, all_ in times.items()
        },
    }


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    args.add_argument("--dim", type=int, default=512)
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--cold", type=int, default=5, help="turns of the cold search; 0: none")
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    results: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "warm": [], "cold": []}
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            results["warm"].append(warm(Path(folder), rows, given.dim, given.rounds))
            print(json.dumps(results["warm"][-1], indent=1), flush=True)
        if given.cold:
            with tempfile.TemporaryDirectory() as folder:
                results["cold"].append(cold(Path(folder), rows, given.cold))
                print(json.dumps(results["cold"][-1], indent=1), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
