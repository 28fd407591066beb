"""Many scenes, in parallel and resumable: a folder that holds `SEED.jpg` and `SEED.json` for each seed that is done.

A picture counts as done when its record stands beside it; the record is written last and under another name first, so
a kill leaves at most one picture a process to be rendered again. Knows no Blender: a studio renders (render.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

SCENES_A_PROCESS = 150
"""After about so many scenes a process makes room for a new one: it grows by 5 MB a scene."""


class Shooting(Protocol):
    """What renders one scene; made once in every process."""

    def shoot(self, seed: int, picture: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the picture (JPEG) and returns its record, plain JSON types with `seed` among them."""
        ...


def blender(percent: int, samples: int) -> Shooting:
    from streets.render import Studio  # Blender: only in the children

    return Studio(percent=percent, samples=samples)


def render(
    seeds: Iterable[int],
    out: Path,
    *,
    jobs: int,
    percent: int = 100,
    samples: int = 8,
    changes: Mapping[str, Any] | None = None,
    studio: Callable[[], Shooting] | None = None,
) -> Iterator[int]:
    """Renders what is missing of `seeds` into `out` on `jobs` processes of one thread; yields each seed as it is done.

    `studio` takes Blender's place; it has to be picklable, and `percent` and `samples` are then its own affair.
    A scene that fails stops none of the others: RuntimeError names the seeds afterwards. BrokenProcessPool is raised
    at once when a process dies, by the hand of Blender or of the system.
    """
    out.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in dict.fromkeys(seeds) if not record_of(out, seed).exists()]
    studio = studio or partial(blender, percent, samples)
    failed: dict[int, BaseException] = {}
    # a new pool for every few scenes, not max_tasks_per_child: with that, a pool hangs for good once its first
    # processes are used up (python/cpython#115634, in 3.11 to 3.14)
    size = jobs * SCENES_A_PROCESS
    for first in range(0, len(missing), size):
        with ProcessPoolExecutor(jobs, get_context("spawn"), _open, (studio,)) as pool:
            seed_of = {pool.submit(_shoot, seed, out, dict(changes or {})): seed for seed in missing[first:][:size]}
            try:
                for future in as_completed(seed_of):
                    if error := _error(future):
                        failed[seed_of[future]] = error
                    else:
                        yield seed_of[future]
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    if failed:
        error = failed[min(failed)]
        raise RuntimeError(f"{len(failed)} failed: {sorted(failed)}; seed {min(failed)}: {error!r}") from error


def record_of(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.json"


def picture_of(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.jpg"


def records(folder: Path) -> list[dict[str, Any]]:
    """The records of a folder, by seed."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json") if path.stem.isdigit()]
    return sorted(found, key=lambda record: int(record["seed"]))


_studio: Any = None  # one in each process


def _open(studio: Callable[[], Shooting]) -> None:
    global _studio
    _studio = studio()


def _shoot(seed: int, out: Path, changes: dict[str, Any]) -> None:
    record = _studio.shoot(seed, picture_of(out, seed), changes)
    unfinished = out / f"{seed}.json.part"
    unfinished.write_text(json.dumps(record, sort_keys=True), encoding="utf-8")
    os.replace(unfinished, record_of(out, seed))


def _error(future: Future[None]) -> BaseException | None:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise error
    return error
