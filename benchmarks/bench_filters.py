"""What filters do to a search in a large collection: recall@10 and time, at 50 %, 1 % and 0.01 % of the rows.

The collections are those of bench_search.py (`--folder`). `exact` is LanceDB's exhaustive search over the rows that
pass the same filter; `first` is a filter that was not asked before, `again` one that was. Both are asked in turn, in
one process.

    python benchmarks/bench_filters.py --folder F [--rows 100000] [--dim 512] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from bench_search import build
from generated import ADJECTIVES, FIRST_DAY, FOLDERS, NOUNS, Given, caption, nearest, recall
from numpy.typing import NDArray

import sightline
from sightline.conditions import condition
from sightline.schema import Filter

QUERIES = 20
STEP = timedelta(minutes=5)


@dataclass(frozen=True)
class Case:
    """`asked(turn)` gives the filters, other ones for each turn that let as many rows pass; `passes` says which."""

    name: str
    asked: Callable[[int], list[Filter]]
    passes: Callable[[int], NDArray[np.bool_]]


def cases(rows: int) -> list[Case]:
    numbers = np.arange(rows)

    def dates(share: float) -> Case:
        width = max(round(rows * share), 1)

        def first(turn: int) -> int:
            return (turn * 997) % (rows - width + 1)

        def asked(turn: int) -> list[Filter]:
            start = FIRST_DAY + STEP * first(turn)
            return [Filter("after", start), Filter("before", start + STEP * width)]

        return Case(f"date {share:.2%}", asked, lambda turn: (numbers >= first(turn)) & (numbers < first(turn) + width))

    def folder(name: str, *, excluded: bool) -> Case:
        return Case(
            f"folder {name}",
            lambda turn: [Filter("in", f"f{turn % FOLDERS}", excluded=excluded)],
            lambda turn: (numbers % FOLDERS == turn % FOLDERS) != excluded,
        )

    def words(name: str, said: Callable[[int], str]) -> Case:
        captions = [caption(number) + " " for number in range(rows)]

        def passes(turn: int) -> NDArray[np.bool_]:
            wanted = said(turn) + " "  # as whole words
            return np.array([f" {wanted}" in f" {one.replace(',', '')}" for one in captions])

        return Case(f"text {name}", lambda turn: [Filter("text", said(turn))], passes)

    return [
        dates(0.5),
        dates(0.01),
        dates(0.0001),
        folder("99%", excluded=True),
        folder("1%", excluded=False),
        Case("type 100%", lambda turn: [Filter("type", "image")], lambda turn: numbers >= 0),
        words("a word", lambda turn: NOUNS[turn % len(NOUNS)]),
        words("two words", lambda turn: f"{ADJECTIVES[turn % len(ADJECTIVES)]} {NOUNS[turn % len(NOUNS)]}"),
        words("one row", lambda turn: f"number{turn * 997 % rows}"),
    ]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return 1e3 * (time.perf_counter() - started), found


def measured(folder: Path, rows: int, dim: int) -> list[dict[str, Any]]:
    _, vectors, queries = build(folder, rows, dim)
    queries = queries[:QUERIES]
    collection = sightline.open(str(folder), model=Given(vectors, queries))
    collection.warm()
    store = collection._store
    table = store.rows.another()

    def exactly(at: int, filters: list[Filter]) -> list[str]:
        query = table.search(queries[at], vector_column_name="vector").distance_type("cosine").bypass_vector_index()
        found = query.where(condition(filters)).select(["id", "_distance"]).limit(50).to_arrow()
        return list(found["id"].to_pylist())

    def ours(at: int, filters: list[Filter]) -> list[str]:
        return [one.id for one in store.search(queries[at], 50, filters=filters)]

    ours(0, [])
    told = []
    for case in cases(rows):
        exactly(0, case.asked(QUERIES))
        ours(0, case.asked(QUERIES))
        ms: dict[str, list[float]] = {"exact": [], "first": [], "again": []}
        shares, passing = [], 0.0
        for at in range(QUERIES):
            filters = case.asked(at)
            took, found = timed(lambda at=at, filters=filters: ours(at, filters))
            ms["first"].append(took)
            ms["exact"].append(timed(lambda at=at, filters=filters: exactly(at, filters))[0])
            ms["again"].append(timed(lambda at=at, filters=filters: ours(at, filters))[0])
            among = case.passes(at)
            passing += float(among.mean()) / QUERIES
            shares.append(recall([found], nearest(vectors, queries[at : at + 1], 10, among)))
        told.append(
            {
                "filter": case.name,
                "passes": passing,
                "recall@10": float(np.mean(shares)),
                "ms": {name: {"n": len(all_), "p50": statistics.median(all_)} for name, all_ in ms.items()},
            }
        )
        print(json.dumps(told[-1]), flush=True)
    return told


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--folder", type=Path, required=True)
    args.add_argument("--rows", type=int, nargs="+", default=[100_000])
    args.add_argument("--dim", type=int, default=512)
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    results: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "collections": []}
    for rows in given.rows:
        folder = given.folder / f"{rows}x{given.dim}"
        folder.mkdir(parents=True, exist_ok=True)
        results["collections"].append({"rows": rows, "dim": given.dim, "filters": measured(folder, rows, given.dim)})
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
