"""What does it cost to decode in limited child processes rather than in threads? The bundled model, interleaved.

Three loads: 720p JPEG files with previews, the same without, and one single picture (the children start for it alone).

    python benchmarks/bench_decoding.py [--pictures 200] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from bench_ingest import jpegs

import sightline
from sightline.executors import LocalExecutor


def seconds(pictures: Path, out: str, *, keep: str, isolate: bool) -> float:
    executor = LocalExecutor(isolate=isolate)
    collection = sightline.open(out, model="pocket", executor=executor)
    started = time.perf_counter()
    report = collection.ingest(pictures, keep=keep)
    taken = time.perf_counter() - started
    assert report.encoded == report.rows
    return taken


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pictures", type=int, default=200)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    runs: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as work:
        many, one = jpegs(Path(work) / "many", given.pictures), jpegs(Path(work) / "one", 1)
        loads = {
            "720p, previews": (many, "preview"),
            "720p, none kept": (many, "none"),
            "one picture": (one, "preview"),
        }
        seconds(one, f"{work}/warm", keep="none", isolate=False)
        for turn in range(given.rounds):
            for name, (pictures, keep) in loads.items():
                for isolate in (False, True):
                    way = "processes" if isolate else "threads"
                    out = f"{work}/{turn}{keep}{way}{pictures.name}"
                    runs.setdefault(name, {}).setdefault(way, []).append(
                        seconds(pictures, out, keep=keep, isolate=isolate)
                    )
    print(f"{'seconds, median':18} {'threads':>9} {'processes':>10}   x")
    for name, ways in runs.items():
        threads, processes = (statistics.median(ways[way]) for way in ("threads", "processes"))
        print(f"{name:18} {threads:9.2f} {processes:10.2f}   {processes / threads:.2f}")
    if given.json:
        given.json.write_text(json.dumps({"pictures": given.pictures, "seconds": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
