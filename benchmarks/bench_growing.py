"""Filling a large collection: rows a second, memory and the length of commits as it grows, and what care then costs.

`rows` streams generated vectors through the whole of an ingest but decoding and encoding: look-ups, hashes, commits of
seconds, upkeep at the end. `pictures` does so with small JPEG files that are decoded, and encoded as their mean colour.
Memory is that of this process which is not mapped files. Afterwards `info`, a run over the same items that changes
nothing, ten new rows with their upkeep, and `optimize` are timed.

    python benchmarks/bench_growing.py [--rows 100000] [--pictures 5000] [--dim 512] [--folder F] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_search import memory
from generated import CLUSTERS, FIRST_DAY, caption, jpeg, unit
from PIL import Image

import sightline
from sightline.executors import Outcome, Worker
from sightline.reports import Progress
from sightline.schema import Encoded, Item, Modality, Vectors, version_of
from sightline.sources import HeldBytes

LOOKS = 20
"""How often on the way it is noted how things stand."""


class Unasked:
    """An encoder by name: the vectors come from the executor."""

    name, fingerprint = "generated", "a" * 64
    modalities = frozenset({Modality.IMAGE})

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        raise NotImplementedError

    def encode_image(self, images: Sequence[Image.Image]) -> Vectors:
        """Mean colours, which is all that small pictures need here."""
        rows = np.zeros((len(images), self.dim), np.float32)
        for row, image in zip(rows, images, strict=True):
            row[:3] = np.asarray(image.convert("RGB"), np.float32).mean((0, 1)) + 1
        return unit(rows)


class Generated:
    """An executor whose vectors fall from the sky: clusters around a mean."""

    def __init__(self, dim: int) -> None:
        self._rng = np.random.default_rng(0)
        self._mean, self._centres = self._rng.normal(size=dim), self._rng.normal(size=(CLUSTERS, dim))

    def map(self, make_worker: Callable[[], Worker], batches: Iterable[list[Item]]) -> Iterator[Outcome]:
        for items in batches:
            shape = len(items), len(self._mean)
            noise = self._rng.normal(size=shape)
            centres = self._centres[self._rng.integers(0, CLUSTERS, len(items))]
            for item, vector in zip(items, unit(1.5 * self._mean + centres + 0.7 * noise), strict=True):
                data = item.read()
                yield Encoded(item, version_of(data), len(data), vector, b"", None, 64, 64, captured_at=FIRST_DAY)


def items(count: int, *, pictures: bool = False, first: int = 0) -> Iterator[Item]:
    for number in range(first, first + count):
        data = jpeg(number) if pictures else b"%d" % number
        name = f"f{number % 100}/{number}.jpg"
        yield Item(f"file:///g/{name}", name, HeldBytes(data), caption(number), size=len(data), mtime_ns=number + 1)


class Watch:
    """What is noted on the way."""

    def __init__(self, count: int) -> None:
        self.every, self.next = max(count // LOOKS, 1), max(count // LOOKS, 1)
        self.started = self.last = time.perf_counter()
        self.longest = 0.0
        self.notes: list[dict[str, float]] = []

    def __call__(self, now: Progress) -> None:
        moment = time.perf_counter()
        self.longest, self.last = max(self.longest, moment - self.last), moment
        if now.committed >= self.next:
            self.next += self.every
            note = {"rows": now.committed, "s": moment - self.started, "own_mb": memory()["RssAnon"]}
            self.notes.append({**note, "longest_between_commits_s": self.longest})
            self.longest = 0.0
            print(json.dumps(self.notes[-1]), flush=True)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def grown(folder: Path, count: int, dim: int, *, pictures: bool) -> dict[str, Any]:
    address = f"{folder}#{'pictures' if pictures else 'rows'}"
    executor = None if pictures else Generated(dim)
    collection = sightline.open(address, model=Unasked(dim), executor=executor)
    watch = Watch(count)
    seconds = timed(lambda: collection.ingest(items(count, pictures=pictures), progress=watch))
    told = {
        "rows": len(collection),
        "seconds": seconds,
        "until_the_last_commit_s": watch.last - watch.started,
        "own_mb_at_the_end": memory()["RssAnon"],
        "on_the_way": watch.notes,
    }
    told["info_s"] = timed(collection.info)
    told["info"] = collection.info().to_json() | {"address": ""}
    told["same_again_s"] = timed(lambda: collection.ingest(items(count, pictures=pictures)))
    more = lambda: items(10, pictures=pictures, first=count)  # noqa: E731
    told["ten_more_s"] = timed(lambda: collection.ingest(more()))
    told["optimize_s"] = timed(collection.optimize)
    return told


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rows", type=int, default=100_000)
    args.add_argument("--pictures", type=int, default=5_000)
    args.add_argument("--dim", type=int, default=512)
    args.add_argument("--folder", type=Path)
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    results: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "dim": given.dim}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for name, count in (("rows", given.rows), ("pictures", given.pictures)):
            if count:
                results[name] = grown(Path(folder), count, given.dim, pictures=name == "pictures")
                print(json.dumps(results[name], indent=1), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
