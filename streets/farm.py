"""Many scenes, in parallel and resumable: a folder that holds `SEED.jpg` and `SEED.json` for each seed that is done.

A picture counts as done when its record stands beside it; the record is written last and under another name first, so
a kill leaves at most one picture to be rendered again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

SCENES_A_PROCESS = 150  # a process grows by 5 MB a scene

_studio: Any = None


def render(
    seeds: Iterable[int],
    out: Path,
    *,
    jobs: int,
    percent: int = 100,
    samples: int = 8,
    changes: Mapping[str, Any] | None = None,
) -> Iterator[int]:
    """Renders what is missing of `seeds` into `out` on `jobs` processes of one thread; yields each seed as it is done.

    Raises what rendering raised, after the scenes that were under way.
    """
    out.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not record_of(out, seed).exists()]
    with ProcessPoolExecutor(
        jobs,
        mp_context=get_context("spawn"),
        initializer=_open_studio,
        initargs=(percent, samples),
        max_tasks_per_child=SCENES_A_PROCESS,
    ) as pool:
        futures = {pool.submit(_shoot, seed, out, dict(changes or {})): seed for seed in missing}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def record_of(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.json"


def picture_of(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.jpg"


def records(folder: Path) -> list[dict[str, Any]]:
    """The records of a folder, by seed."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json") if path.stem.isdigit()]
    return sorted(found, key=lambda record: int(record["seed"]))


def _open_studio(percent: int, samples: int) -> None:
    global _studio
    from streets.render import Studio  # Blender: only in the children

    _studio = Studio(percent=percent, samples=samples)


def _shoot(seed: int, out: Path, changes: dict[str, Any]) -> None:
    record = _studio.shoot(seed, picture_of(out, seed), changes)
    unfinished = out / f"{seed}.json.part"
    unfinished.write_text(json.dumps(record, sort_keys=True), encoding="utf-8")
    os.replace(unfinished, record_of(out, seed))
