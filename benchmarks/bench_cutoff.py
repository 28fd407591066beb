"""The cutoff on photographs that had no part in fitting it. `python benchmarks/bench_cutoff.py --data DIR`

Two collections: the photographs of tests/data/photos, and the first pictures of flickr8k_dev.parquet in DIR (research
use, not in this repository). The last caption of each picture is kept out of the collection and asked; as many
captions of pictures that are not in it (the last of flickr8k_train.parquet) are asked too and count as unanswerable,
although a picture may fit them by chance. Street scenes: `sightline eval streets:test --qrels streets --cutoff`.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import sightline
from sightline.judgements import Question
from sightline.schema import Item
from sightline.sources import HeldBytes

PHOTOS = Path(__file__).parents[1] / "tests" / "data" / "photos"
Picture = tuple[str, bytes, list[str]]
"""Name, bytes and captions."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k_dev and flickr8k_train.parquet")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--pictures", type=int, default=1_000, help="of flickr8k_dev in the collection")
    parser.add_argument("--questions", type=int, default=200, help="with an answer, and as many without one, at most")
    parser.add_argument("--channels", default="hybrid,vector,text")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    given = parser.parse_args()
    results: dict[str, Any] = {"questions": given.questions}
    for name, pictures in (("photos", photos()), ("flickr8k_dev", flickr(given.data, given.pictures))):
        foreign = strangers(given.data, min(given.questions, len(pictures)))
        results[name] = measured(pictures, foreign, given.model, given.questions, given.channels.split(","))
        print(json.dumps({name: results[name]}, indent=2), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


def measured(pictures: list[Picture], foreign: list[str], model: str, most: int, channels: list[str]) -> dict[str, Any]:
    items = [Item(name, name, HeldBytes(data), "\n".join(said[:-1]), keep="none") for name, data, said in pictures]
    asked = [Question(said[-1], {name: 1.0}) for name, _, said in pictures[:most]]
    asked += [Question(words, {}) for words in foreign]
    with tempfile.TemporaryDirectory() as folder:
        collection = sightline.open(f"{folder}#t", model=model)
        collection.ingest(items)
        return collection.evaluate_cutoff(qrels=asked, channels=channels).to_json()


def photos() -> list[Picture]:
    captions: dict[str, list[str]] = {}
    with (PHOTOS / "captions.csv").open(encoding="utf-8", newline="") as file:
        for name, said, *_ in list(csv.reader(file))[1:]:
            captions.setdefault(name, []).extend(line.strip() for line in said.split("\n") if line.strip())
    return [(name, (PHOTOS / name).read_bytes(), said) for name, said in captions.items() if len(said) > 1]


def flickr(data: Path, most: int) -> list[Picture]:
    rows = pq.read_table(data / "flickr8k_dev.parquet").slice(0, most).to_pylist()
    return [(f"flickr8k_dev:{at}", row["image"]["bytes"], row["captions"]) for at, row in enumerate(rows)]


def strangers(data: Path, most: int) -> list[str]:
    captions = pq.read_table(data / "flickr8k_train.parquet", columns=["captions"])["captions"].to_pylist()
    return [said[0] for said in captions[-most:]]


if __name__ == "__main__":
    main()
