"""The pictures and texts pocket is trained on: decoded once, split the same way every time.

Knows four data sets by name and our street scenes; does not know torch. `DIR` holds `train/*.parquet`
(columns image {bytes, path}, captions list<string>) and `data/streets/{*.jpg, scenes.jsonl}`.
"""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

SIDE = 160  # flickr8k comes at 160x160; the other sets are squashed to it, tiny-imagenet stays at 64x64

# Caltech's folder names are not what a person would type.
CALTECH_WORDS = {
    "faces": "face", "faces easy": "face", "airplanes": "airplane", "car side": "car", "motorbikes": "motorcycle",
    "leopards": "leopard", "water lilly": "water lily", "cougar face": "cougar", "cougar body": "cougar",
    "crocodile head": "crocodile", "flamingo head": "flamingo", "binocular": "binoculars", "bass": "bass fish",
    "snoopy": "snoopy the cartoon dog", "garfield": "garfield the cartoon cat", "headphone": "headphones",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded pictures of one split: `pixels` uint8 (n, side, side, 3) and what is written about each."""

    pixels: NDArray[np.uint8]
    captions: list[list[str]]
    scenes: list[dict[str, Any]]  # the record of scenes.jsonl, only for streets

    def __len__(self) -> int:
        return len(self.pixels)


def load(data: Path, cache: Path, name: str, split: str) -> Pictures:
    """Pictures of set `name` (a parquet file's stem, or streets) in `split` train | test.

    Held out: street scenes whose seed % 5 < 2; a tenth of tiny-imagenet and caltech, by the checksum of the file name.
    """
    pixels, records = _decoded(data, cache, name)
    if name == "streets":
        held_out = [record["scene"]["seed"] % 5 < 2 for record in records]
    elif name.startswith("flickr8k"):
        held_out = [name == "flickr8k_dev"] * len(records)
    else:
        held_out = [zlib.crc32(record["file"].encode()) % 10 == 0 for record in records]
    keep = [row for row, out in enumerate(held_out) if out == (split == "test")]
    return Pictures(pixels[keep], [records[row]["captions"] for row in keep], [records[row] for row in keep])


def class_words(captions: list[str]) -> list[str]:
    """The words for a class, commonest first: 'goldfish, Carassius auratus' -> ['goldfish', 'carassius auratus']."""
    words = [word.strip().lower() for word in captions[0].split(",")]
    return [CALTECH_WORDS.get(word, word) for word in words]


def _decoded(data: Path, cache: Path, name: str) -> tuple[NDArray[np.uint8], list[dict[str, Any]]]:
    cache.mkdir(parents=True, exist_ok=True)
    array_file, record_file = cache / f"{name}.npy", cache / f"{name}.json"
    if not record_file.exists():
        side = 64 if name.startswith("tiny") else SIDE
        rows, records = [], []
        for record, encoded in _read(data, name):
            image = Image.open(io.BytesIO(encoded)).convert("RGB")
            if image.size != (side, side):
                image = image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
            rows.append(np.asarray(image))
            records.append(record)
        np.save(array_file, np.stack(rows))
        record_file.write_text(json.dumps(records))
    return np.load(array_file, mmap_mode="r"), json.loads(record_file.read_text())


def _read(data: Path, name: str) -> Any:
    if name == "streets":
        folder = data / "data" / "streets"
        for line in (folder / "scenes.jsonl").read_text().splitlines():
            record = json.loads(line)
            yield record, (folder / record["file"]).read_bytes()
        return
    for batch in pq.ParquetFile(data / "train" / f"{name}.parquet").iter_batches(256):
        for row in batch.to_pylist():
            yield {"file": row["image"]["path"], "captions": row["captions"]}, row["image"]["bytes"]
