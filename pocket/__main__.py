"""pocket, the bundled model, from the data to its numbers. `python -m pocket COMMAND --help`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

from pocket.data import Sources


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pocket", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train it; the same command goes on where it was stopped")
    _sources(train)
    train.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the model folder to write")
    train.add_argument("--steps", type=int, default=6000, help="of the image tower")
    train.add_argument("--last-steps", type=int, default=2000, help="of the last layer alone")
    train.add_argument("--text-steps", type=int, default=5000, help="of the text tower")
    train.add_argument("--batch", type=int, default=128, help="pictures in a step")
    train.add_argument("--rate", type=float, default=2e-3, help="peak learning rate of the image tower")
    train.add_argument("--sizes", type=_sizes, metavar="SHARE:SIDE,…", help="side of the pictures from a share on")
    train.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    train.add_argument("--threads", type=int, default=2)
    train.add_argument("--device", default="cpu", help="cpu or cuda")
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run=_train)

    measured = commands.add_parser("measure", help="the numbers of a model folder")
    measured.add_argument("folder", type=Path, metavar="FOLDER")
    _sources(measured)
    measured.add_argument("--threads", type=int, default=2)
    measured.add_argument("--write", action="store_true", help="put them into the folder's model.json")
    measured.set_defaults(run=_measure)

    shrunk = commands.add_parser("shrink", help="the data as small files, for a machine to which little can be sent")
    _sources(shrunk)
    shrunk.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    shrunk.add_argument("--quality", type=int, default=80, help="of WebP")
    shrunk.set_defaults(run=_shrink)

    options = parser.parse_args()
    return int(options.run(options))


def _sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="holds train/*.parquet")
    parser.add_argument("--scenes", type=Path, metavar="FOLDER", help="small renders, described (streets/README.md)")
    parser.add_argument("--cache", type=Path, default=Path(".cache/pocket"), help="decoded pictures, teacher's vectors")


def _train(options: argparse.Namespace) -> int:
    from pocket import recipe

    given = {
        name: getattr(options, name)
        for name in (
            "out",
            "cache",
            "steps",
            "last_steps",
            "text_steps",
            "batch",
            "rate",
            "minutes",
            "threads",
            "device",
            "seed",
        )
    }
    if options.sizes:
        given["sizes"] = options.sizes
    command = f"python -m pocket {shlex.join(_public(sys.argv[1:]))}"
    recipe.run(recipe.Options(sources=Sources(options.data, options.scenes), **given), command)
    return 0


def _measure(options: argparse.Namespace) -> int:
    from pocket import measure

    found = measure.measure(
        options.folder, Sources(options.data, options.scenes), options.cache, threads=options.threads
    )
    if options.write:
        file = options.folder / "model.json"
        card = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**card, "quality": found}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 0


def _shrink(options: argparse.Namespace) -> int:
    from pocket import data

    written = data.shrink(Sources(options.data, options.scenes), options.out, quality=options.quality)
    print(f"{written / 1e6:.1f} MB in {options.out}")
    return 0


def _public(arguments: list[str]) -> list[str]:
    """The command line without this machine's folders: the value of a folder flag becomes its name in capitals."""
    hidden = {"--data": "DIR", "--scenes": "SCENES", "--out": "FOLDER", "--cache": "CACHE"}
    return [hidden.get(before, value) for before, value in zip(["", *arguments], arguments, strict=False)]


def _sizes(text: str) -> tuple[tuple[float, int], ...]:
    return tuple((float(share), int(side)) for share, side in (part.split(":") for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
