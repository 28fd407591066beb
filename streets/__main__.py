"""python -m streets: renders the scenes and shows them. Run with --help to see the commands.

Every command is one function here: `_name` runs what `_add_name` describes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

from streets import audit, drive, farm, sheet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m streets", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_render, _add_sheet, _add_audit, _add_drive):
        add(commands)
    given = parser.parse_args()
    given.run(given)


def _add_render(commands: Any) -> None:
    one = commands.add_parser("render", help="render scenes that a folder lacks")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--seeds", type=_seeds, required=True, help="A:B (B not among them), or a list A,B,C")
    _add_quality(one)
    one.add_argument("--set", type=json.loads, default={}, help="JSON that overrides attributes of the scene")
    one.set_defaults(run=_render)
    one = commands.add_parser("describe", help="write scenes.jsonl beside the pictures: captions and what can be seen")
    one.add_argument("--scenes", type=Path, required=True)
    one.set_defaults(run=_describe)
    one = commands.add_parser("pack", help="write the bundled data set: train.parquet, test.parquet, questions")
    one.add_argument("--scenes", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.set_defaults(run=_pack)
    one = commands.add_parser("questions", help="write streets-questions.jsonl anew, from the packed test.parquet")
    one.add_argument("--out", type=Path, required=True, help="the folder that `pack` filled")
    one.set_defaults(run=_questions)


def _render(given: argparse.Namespace) -> None:
    start = time.monotonic()
    options = {"jobs": given.jobs, "percent": given.percent, "samples": given.samples, "changes": given.set}
    for done, seed in enumerate(farm.render(given.seeds, given.out, **options), start=1):
        print(f"{seed}  {done} of {len(given.seeds)}  {(time.monotonic() - start) / done:.1f} s a scene", flush=True)


def _add_sheet(commands: Any) -> None:
    one = commands.add_parser("sheet", help="a contact sheet of a folder of scenes")
    one.add_argument("--scenes", type=Path, required=True, help="the folder that `render` filled")
    one.add_argument("--out", type=Path, required=True, help="a JPEG")
    one.add_argument("--columns", type=int, default=len(sheet.PLACES))
    one.add_argument("--rows", type=int, default=len(sheet.LIGHTS))
    one.add_argument("--captions", action="store_true", help="write a caption beneath every picture")
    one.set_defaults(run=_sheet)


def _sheet(given: argparse.Namespace) -> None:
    sheet.sheet(given.scenes, given.out, columns=given.columns, rows=given.rows, captioned=given.captions)
    print(f"{given.out}: {given.out.stat().st_size / 1e3:.0f} kB")


def _add_audit(commands: Any) -> None:
    one = commands.add_parser("audit", help="pages to check the captions by eye, or what the verdicts sum up to")
    one.add_argument("--scenes", type=Path, help="the folder that `render` filled")
    one.add_argument("--out", type=Path, help="where the pages and the empty verdicts.jsonl go")
    one.add_argument("--count", type=int, default=100, help="of pictures")
    one.add_argument("--seed", type=int, default=1, help="which pictures are drawn")
    one.add_argument("--verdicts", type=Path, help="verdicts that somebody filled in: prints the share that is wrong")
    one.set_defaults(run=_audit, parser=one)


def _audit(given: argparse.Namespace) -> None:
    if given.verdicts:
        for name, share in audit.rates(audit.read(given.verdicts)).items():
            print(f"{name:10} {share}")
    elif given.scenes and given.out:
        pages = audit.pages(given.scenes, given.out, count=given.count, seed=given.seed)
        print(f"{len(pages)} pages and verdicts.jsonl in {given.out}")
    else:
        given.parser.error("give --scenes and --out, or --verdicts")


def _add_drive(commands: Any) -> None:
    one = commands.add_parser("drive", help="a short drive: frames that a folder lacks, then drive.mp4")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--seed", type=int, default=drive.SEED)
    one.add_argument("--frames", type=_seeds, default=list(range(drive.FRAMES)), help="A:B, or a list: only these")
    _add_quality(one, samples=3)
    one.set_defaults(run=_drive)


def _drive(given: argparse.Namespace) -> None:
    folder = given.out / f"frames-{given.seed}-{given.percent}-{given.samples}"
    studio = partial(drive.film, given.seed, given.percent, given.samples)
    for frame in farm.render(given.frames, folder, jobs=given.jobs, studio=studio):
        print(f"frame {frame}", flush=True)
    from streets import film  # Blender: only now, its search path would break that of the processes above

    video = given.out / "drive.mp4"
    film.encode([farm.picture_of(folder, frame) for frame in given.frames], video)
    print(f"{video}: {video.stat().st_size / 1e6:.1f} MB")


def _add_quality(command: Any, samples: int = 8) -> None:
    command.add_argument("--percent", type=int, default=100, help="size in percent of 480x270")
    command.add_argument("--samples", type=int, default=samples, help="rays a pixel")
    command.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes of one thread")


def _describe(given: argparse.Namespace) -> None:
    from streets import pack

    print(f"{given.scenes / 'scenes.jsonl'}: {pack.describe(given.scenes)} scenes")


def _pack(given: argparse.Namespace) -> None:
    from streets import pack, queries

    for split, count in pack.pack(given.scenes, given.out).items():
        print(f"{given.out / f'{split}.parquet'}: {count} scenes")
    written = queries.write(farm.records(given.scenes), given.out / "streets-queries.jsonl")
    print(f"{given.out / 'streets-queries.jsonl'}: {written}")
    _questions(given)


def _questions(given: argparse.Namespace) -> None:
    from streets import pack, questions

    path = given.out / "streets-questions.jsonl"
    print(f"{path}: {questions.write(pack.judged_rows(given.out / 'test.parquet'), path)}")


def _seeds(text: str) -> list[int]:
    if ":" in text:
        first, end = text.split(":")
        return list(range(int(first), int(end)))
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
