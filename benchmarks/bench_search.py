"""How long a search takes in a large collection, and what it finds: Sightline beside others, in one process, in turn.

Vectors are clustered; queries lie off their distribution, as those of texts do (docs/LOG.md).

    search    `collection.search(words, 10)` by vector alone, as `sightline serve` answers it
    all       the same with full text over captions and names
    bare      the vector channel alone, below the API: what `search` adds to it is the API's overhead
    product   numpy's product with all vectors in memory, and the ten best
    faiss     IVF with 8 bits a dimension, in memory, probes raised until its recall is 0.98
    scan      LanceDB's exhaustive search of the same table, ids only
    recipe    `table.search(list).limit(3).to_pandas()`, as the tutorial does it, past the index

Recall@10 is against exact cosines. `alone` is a process that only searches: from its start to the first result, and
what memory it holds after a hundred searches more. `cold` is `sightline search` from the shell with the bundled encoder
beside `python -c "import lancedb"`, in turn.

    python benchmarks/bench_search.py [--rows 10000 100000] [--dim 512] [--rounds 3] [--folder F] [--json FILE]
    python benchmarks/bench_search.py --plot FILE.json --save FIG.png
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from generated import Given, clustered, fill, nearest, recall, said, textlike
from numpy.typing import NDArray

import sightline
from sightline import charts, index, plots
from sightline.encoders import load_encoder
from sightline.schema import Manifest, Vectors
from sightline.store import Address, Store

QUERIES = 200
TIMED = 20
SELDOM = {"scan": 4, "recipe": 4}
"""Ways that take longer than all the others together are timed for every fourth query."""
SEARCHES_ALONE = 100
LINE = 12
"""Points from one name in the plot to the next."""


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measured(folder: Path, rows: int, dim: int, rounds: int) -> dict[str, Any]:
    built, vectors, queries = build(folder, rows, dim)
    wanted = nearest(vectors, queries, 10)
    held = np.array(vectors)  # numpy and faiss have theirs in memory
    collection = sightline.open(str(folder), model=Given(vectors, queries))
    collection.warm()
    store = collection._store
    table = store.rows.another()
    asked_faiss, faiss_told = faiss_index(held, queries, wanted)

    def lance(at: int) -> Any:
        return table.search(queries[at].tolist(), vector_column_name="vector").bypass_vector_index()

    ways: dict[str, Callable[[int], object]] = {
        "search": lambda at: collection.search(said(at), 10, channels=("vector",)),
        "all": lambda at: collection.search(said(at), 10),
        "bare": lambda at: store.search(queries[at], 50),
        "product": lambda at: np.argpartition(held @ queries[at], -10)[-10:],
        **({"faiss": asked_faiss} if asked_faiss else {}),
        "scan": lambda at: lance(at).distance_type("cosine").select(["id", "_distance"]).limit(10).to_arrow(),
        "recipe": lambda at: lance(at).limit(3).to_pandas(),
    }
    found = [[hit.id for hit in collection.search(said(at), 10, channels=("vector",))] for at in range(QUERIES)]
    plan = store.vector_index.plan
    return {
        "rows": rows,
        "dim": dim,
        "recall@10": recall(found, wanted),
        "queries": QUERIES,
        "ms": in_turn(ways, rounds),
        "faiss": faiss_told,
        "plan": None if plan is None else json.loads(plan.dumps()),
        "build_s": built,
        "disk_mb": {
            "tables": store.rows.disk_bytes() / 1e6,
            "cells": sum(one.stat().st_size for one in store.mirror.folder.glob("cells-*")) / 1e6,
            "snapshot": store.mirror.disk_bytes() / 1e6,
        },
        "alone": alone(folder),
    }


def build(folder: Path, rows: int, dim: int) -> tuple[dict[str, dict[str, float]], Vectors, Vectors]:
    """The collection, with what is not there yet made; the seconds of each part by the clock, and of all its cores."""
    path, note = folder / "vectors.npy", folder / "built.json"
    vectors = np.asarray(np.load(path, mmap_mode="r")) if path.exists() else clustered(rows, dim, path)
    queries = textlike(vectors, QUERIES)
    encoder = Given(vectors, queries)
    store = sightline.open(str(folder), model=encoder)._store
    parts: dict[str, Callable[[], object]] = {
        "rows": lambda: fill(store, Manifest(encoder.name, dim, encoder.fingerprint), vectors),
        "indexes": lambda: index.tend(store, always=True),
        "snapshot": store.mirror.update,
        "cells and plan": lambda: index.keep_up(store),
    }
    built: dict[str, dict[str, float]] = json.loads(note.read_text()) if note.exists() else {}
    for name, work in parts.items():
        if name not in built:
            busy = time.process_time()
            built[name] = {"s": timed(work), "cpu_s": time.process_time() - busy}
            note.write_text(json.dumps(built))
    return built, vectors, queries


def faiss_index(
    held: Vectors, queries: Vectors, wanted: NDArray[np.int64]
) -> tuple[Callable[[int], object] | None, dict[str, Any] | None]:
    """faiss with as many probes as its recall needs on these very queries; None where it is not installed."""
    if find_spec("faiss") is None:
        return None, None
    import faiss

    lists = int(np.sqrt(len(held)))
    made = faiss.index_factory(held.shape[1], f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    started = time.perf_counter()
    made.train(held[np.random.default_rng(3).choice(len(held), min(len(held), 40 * lists), replace=False)])
    made.add(held)
    seconds, probes, share = time.perf_counter() - started, 4, 0.0
    while share < 0.98 and probes < lists:
        probes = min(2 * probes, lists)
        made.nprobe = probes
        found = made.search(queries, 10)[1]
        share = float(np.mean([len({*a} & {*b}) / 10 for a, b in zip(found, wanted, strict=True)]))
    told = {"lists": lists, "probes": probes, "recall@10": share, "build_s": seconds, "version": faiss.__version__}
    return lambda at: made.search(queries[at : at + 1], 10), told


def in_turn(ways: dict[str, Callable[[int], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each way, all asked in turn for each query, so that what else the machine does hits all alike."""
    for work in ways.values():
        work(0)  # opened, mapped, compiled
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for at in range(TIMED):
            for name, work in ways.items():
                if (at + turn) % SELDOM.get(name, 1) == 0:
                    times[name].append(1e3 * timed(lambda work=work, at=at: work(at)))  # type: ignore[misc]
    return {
        name: {"n": len(ms), "p50": statistics.median(ms), "p95": float(np.quantile(ms, 0.95)), "least": min(ms)}
        for name, ms in times.items()
    }


def alone(folder: Path) -> dict[str, float]:
    """What a process that only searches takes: seconds to its first result, and memory."""
    command = [sys.executable, __file__, "--alone", str(folder)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first = time.perf_counter() - started
        told: dict[str, float] = json.loads(process.stdout.readline())
    return {"first_s": first, **told}


def search_alone(folder: Path) -> None:
    vectors = np.asarray(np.load(folder / "vectors.npy", mmap_mode="r"))
    queries = textlike(vectors, QUERIES)
    del vectors
    collection = sightline.open(str(folder), model=Given(queries, queries))
    collection.search(said(0), 10)
    print("found", flush=True)
    at_first = memory()
    for at in range(SEARCHES_ALONE):
        collection.search(said(at), 10)
    after = memory()
    print(json.dumps({"first_mb": at_first["VmRSS"], "rss_mb": after["VmRSS"], "own_mb": after["RssAnon"]}), flush=True)


def memory() -> dict[str, float]:
    """Of this process, MB: resident, and what of it is not mapped files."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {name: int(lines[name].split()[0]) / 1e3 for name in ("VmRSS", "RssAnon")}


def cold(folder: Path, rows: int, turns: int) -> dict[str, Any]:
    """Seconds from the shell, each in a process of its own; files are in the page cache."""
    encoder = load_encoder("pocket", models_dir=folder)
    store = Store(Address(folder))
    if not store.exists:
        vectors = clustered(rows, encoder.dim, folder / "vectors.npy")
        fill(store, Manifest(encoder.name, encoder.dim, encoder.fingerprint), vectors, thumbnails=True)
    index.keep_up(sightline.open(str(folder))._store)
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


def plot(results: Path, save: Path) -> None:
    """Milliseconds by rows, both by powers of ten; the names stand at the ends, none over another."""
    from matplotlib.figure import Figure

    told = sorted(json.loads(results.read_text())["warm"], key=lambda one: int(one["rows"]))
    names = {
        "search": "Sightline",
        "recipe": "the recipe",
        "scan": "LanceDB scan",
        "product": "numpy",
        "faiss": "faiss",
    }
    figure = Figure(figsize=(6.4, 4.4), dpi=plots.DPI)
    axes = figure.add_axes((0.12, 0.13, 0.6, 0.75))
    axes.set(xscale="log", yscale="log")
    ends = []
    for (name, label), colour in zip(names.items(), charts.COLOURS, strict=False):
        there = [one for one in told if name in one["ms"]]
        rows, ms = [one["rows"] for one in there], [one["ms"][name]["p50"] for one in there]
        ours = name == "search"
        axes.plot(rows, ms, marker="o", ms=5, lw=2.4 if ours else 1.3, color=colour, zorder=3 if ours else 2)
        ends.append((ms[-1], rows[-1], f"{label}, {ms[-1]:,.0f} ms", colour))
    axes.autoscale_view()
    below = -math.inf
    for ms_end, rows_end, text, colour in sorted(ends):
        below = max(below + LINE, axes.transData.transform((rows_end, ms_end))[1] * 72 / plots.DPI)
        shift = below - axes.transData.transform((rows_end, ms_end))[1] * 72 / plots.DPI
        axes.annotate(text, (rows_end, ms_end), (9, shift - 3), textcoords="offset points", color=colour, fontsize=9)
    axes.set_xlabel(f"pictures, {told[0]['dim']} dimensions", color=plots.FAINT)
    axes.set_ylabel("ms of one search, median", color=plots.FAINT)
    axes.set_title("How a search grows with the collection", loc="left", color=plots.INK, fontsize=12)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    axes.tick_params(colors=plots.FAINT, which="both", labelsize=9)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    save.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(save)


@contextmanager
def folder_of(given: Path | None, name: str) -> Iterator[Path]:
    """A folder that is kept where one was given, else gone afterwards."""
    if given is None:
        with tempfile.TemporaryDirectory() as made:
            yield Path(made)
    else:
        (given / name).mkdir(parents=True, exist_ok=True)
        yield given / name


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    args.add_argument("--dim", type=int, default=512)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--cold", type=int, default=5, help="turns of the cold search; 0: none")
    args.add_argument("--cold-rows", type=int, default=100_000)
    args.add_argument("--folder", type=Path, help="keep the collections there, and use those that are")
    args.add_argument("--only-build", action="store_true", help="make the collections, measure nothing")
    args.add_argument("--json", type=Path)
    args.add_argument("--plot", type=Path, help="draw these results")
    args.add_argument("--save", type=Path, default=Path("docs/images/search-growth.png"))
    args.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    given = args.parse_args()
    if given.alone:
        search_alone(given.alone)
    elif given.plot:
        plot(given.plot, given.save)
    else:
        run(given)


def run(given: argparse.Namespace) -> None:
    results: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "warm": [], "cold": []}
    for rows in given.rows:
        with folder_of(given.folder, f"{rows}x{given.dim}") as folder:
            if given.only_build:
                print(rows, build(folder, rows, given.dim)[0], flush=True)
                continue
            results["warm"].append(measured(folder, rows, given.dim, given.rounds))
            print(json.dumps(results["warm"][-1], indent=1), flush=True)
    if given.cold:
        with folder_of(given.folder, f"cold-{given.cold_rows}") as folder:
            results["cold"].append(cold(folder, given.cold_rows, given.cold))
            print(json.dumps(results["cold"][-1], indent=1), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
