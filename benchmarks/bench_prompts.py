"""Do short queries find more when they are put into sentences first? Ways to encode one to three words, compared.

Queries are the class names of held-out pictures (a tenth of tiny-imagenet and of caltech, by the checksum of the file
name, as pocket/data.py holds them out) and the questions of streets/queries.py with at most three words, judged on the
train split of the street scenes. Ways: the words as they are typed; in one template; the mean of the unit vectors of
the words in all templates, with and without the bare words. Average precision of each query over all pictures of its
set; differences to `typed` with paired intervals (metrics.compare).

    python benchmarks/bench_prompts.py --data DIR [--model pocket] [--json FILE]

DIR holds tiny_imagenet_32k.parquet and caltech101_80.parquet: columns image {bytes, path}, captions.
"""

from __future__ import annotations

import argparse
import importlib.resources
import io
import json
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import sightline
from sightline.encoders import Encoder
from sightline.metrics import compare

ROOT = Path(__file__).parents[1]
TEMPLATES = ("a photo of a {}", "a picture of a {}", "a photo of the {}", "a close-up of a {}", "there is a {}")
WAYS: dict[str, tuple[str, ...]] = {
    "typed": ("{}",),
    "a photo of a {}": TEMPLATES[:1],
    "mean of templates": TEMPLATES,
    "mean of templates and typed": ("{}", *TEMPLATES),
}
MOST_WORDS = 3
ARTICLES = ("a ", "an ", "the ")

Relevant = dict[str, set[int]]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--model", default="pocket")
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        encoder = sightline.open(f"{folder}#none", model=given.model).encoder
        for name in ("streets train", "caltech101_80", "tiny_imagenet_32k"):
            pictures, relevant = streets() if name == "streets train" else classes(given.data / f"{name}.parquet")
            results[name] = measure(encoder, pictures, relevant)
            print(name, json.dumps(results[name]), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"model": encoder.name, "results": results}, indent=1) + "\n")


def classes(file: Path) -> tuple[list[bytes], Relevant]:
    """The held-out pictures, and which of them each class name of at most three words means."""
    import pyarrow.parquet as pq

    pictures, relevant = [], {}
    for row in pq.read_table(file).to_pylist():
        if zlib.crc32(row["image"]["path"].encode()) % 10 == 0:
            words = row["captions"][0].split(",")[0].strip().lower()
            if len(words.split()) <= MOST_WORDS:
                relevant.setdefault(words, set()).add(len(pictures))
            pictures.append(row["image"]["bytes"])
    return pictures, relevant


def streets() -> tuple[list[bytes], Relevant]:
    """The train split, and which of it answers each short question; doubtful pictures count as wrong."""
    import pyarrow.parquet as pq

    sys.path.insert(0, str(ROOT))
    from streets.queries import EITHER, every

    file = importlib.resources.files("sightline") / "data" / "streets" / "train.parquet"
    with importlib.resources.as_file(file) as path:
        rows = pq.read_table(path, columns=["image", "attributes"]).to_pylist()
    true = [set(row["attributes"]) for row in rows]
    relevant = {}
    for query in every():
        words = next((query.words.removeprefix(one) for one in ARTICLES if query.words.startswith(one)), query.words)
        own = {at for at, has in enumerate(true) if all(has & set(need.split(EITHER)) for need in query.needs)}
        if query.needs and len(words.split()) <= MOST_WORDS and 5 <= len(own) <= 0.6 * len(rows):
            relevant[words] = own
    return [row["image"]["bytes"] for row in rows], relevant


def measure(encoder: Encoder, pictures: Sequence[bytes], relevant: Relevant) -> dict[str, Any]:
    images = []
    for at in range(0, len(pictures), 32):
        decoded = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures[at : at + 32]]
        images.append(encoder.encode_image(decoded))
    vectors = np.concatenate(images)
    values = {way: _precisions(vectors, _encoded(encoder, list(relevant), own), relevant) for way, own in WAYS.items()}
    found = {}
    for way, each in values.items():
        one = compare(values["typed"], each)
        difference = [round(value, 4) for value in (one.difference, one.low, one.high)]
        found[way] = {"average precision": round(float(each.mean()), 4), "less typed": difference}
    return {"queries": len(relevant), "pictures": len(pictures), "ways": found}


def _encoded(encoder: Encoder, words: list[str], templates: Sequence[str]) -> NDArray[np.float32]:
    """A unit vector for each of the words (n, dim): the mean over the templates."""
    mean = sum(encoder.encode_text([template.format(one) for one in words]) for template in templates)
    return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)


def _precisions(pictures: NDArray[np.float32], asked: NDArray[np.float32], relevant: Relevant) -> NDArray[np.float64]:
    """The average precision of each query (n,): the mean over its pictures of the precision at their ranks."""
    found = []
    for scores, own in zip(asked @ pictures.T, relevant.values(), strict=True):
        hit = np.isin(np.argsort(-scores, kind="stable"), list(own))
        found.append(float((np.cumsum(hit)[hit] / (np.flatnonzero(hit) + 1)).mean()))
    return np.array(found)


if __name__ == "__main__":
    main()
