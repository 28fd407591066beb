"""python -m streets: renders the scenes. Run without arguments to see the commands."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from streets import farm


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m streets", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("render", help="render scenes that a folder lacks")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--seeds", type=_seeds, required=True, help="A:B (B not among them), or a list A,B,C")
    one.add_argument("--percent", type=int, default=100, help="size in percent of 480x270")
    one.add_argument("--samples", type=int, default=8)
    one.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    one.add_argument("--set", type=json.loads, default={}, help="JSON that overrides attributes of the scene")
    one.set_defaults(run=_render)
    given = parser.parse_args()
    given.run(given)


def _render(given: argparse.Namespace) -> None:
    start, done = time.monotonic(), 0
    options = {"jobs": given.jobs, "percent": given.percent, "samples": given.samples, "changes": given.set}
    for seed in farm.render(given.seeds, given.out, **options):
        done += 1
        print(f"{seed}  {done} of {len(given.seeds)}  {(time.monotonic() - start) / done:.1f} s a scene", flush=True)


def _seeds(text: str) -> list[int]:
    if ":" in text:
        first, end = text.split(":")
        return list(range(int(first), int(end)))
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
