"""The pictures and texts pocket is trained on: decoded once, split the same way every time. Knows no torch.

Photographs lie as `DIR/train/NAME*.parquet` (columns image {bytes, path}, captions list<string>). Street scenes are the
train split that Sightline bundles and, with `scenes`, a folder of small renders (streets/README.md) or a parquet file
of them. Nothing of the bundled test split is ever read here.

    pictures = load(Sources(Path("data"), Path(".cache/streets/small")), Path(".cache/pocket"), "streets", "train")
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

SETS = ("flickr8k_train", "streets", "tiny_imagenet_32k", "caltech101_80")
DEV = "flickr8k_dev"
SIDES = {"streets": (240, 135), "tiny_imagenet_32k": (64, 64)}
SIDE = (160, 160)
"""Width and height at which the pictures of a set are kept: flickr8k comes in it, the rest is squashed to it."""
BUNDLED = Path(__file__).parents[1] / "src" / "sightline" / "data" / "streets"
FIRST_SMALL = 10_000
"""Seeds of small renders; below it are the bundled scenes, of which the test split is never read."""

# Caltech's folder names are not what a person would type.
CALTECH_WORDS = {
    "faces": "face", "faces easy": "face", "airplanes": "airplane", "car side": "car", "motorbikes": "motorcycle",
    "leopards": "leopard", "water lilly": "water lily", "cougar face": "cougar", "cougar body": "cougar",
    "crocodile head": "crocodile", "flamingo head": "flamingo", "binocular": "binoculars", "bass": "bass fish",
    "snoopy": "snoopy the cartoon dog", "garfield": "garfield the cartoon cat", "headphone": "headphones",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sources:
    data: Path
    """Holds `train/*.parquet`."""
    scenes: Path | None = None
    """A folder of small renders, described, or a parquet file of them."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded pictures of one split: `pixels` uint8 (n, h, w, 3) and what is written about each.

    `records` hold captions and file or, for street scenes, seed, captions, entities, attributes and doubtful.
    """

    pixels: NDArray[np.uint8]
    records: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def captions(self) -> list[list[str]]:
        return [record["captions"] for record in self.records]


def load(sources: Sources, cache: Path, name: str, split: str) -> Pictures:
    """Pictures of one of SETS, or of DEV, in `split` train | valid.

    Valid are: all of DEV, a tenth of tiny-imagenet and of caltech by the checksum of the file name, and the small
    street scenes whose seed ends in 7.
    """
    pixels, records = _decoded(sources, cache, name)
    keep = [row for row, record in enumerate(records) if _is_valid(name, record) == (split == "valid")]
    return Pictures(pixels[keep], [records[row] for row in keep])


def class_words(captions: list[str]) -> list[str]:
    """The words for a class, commonest first: 'goldfish, Carassius auratus' -> ['goldfish', 'carassius auratus']."""
    words = [word.strip().lower() for word in captions[0].split(",")]
    return [CALTECH_WORDS.get(word, word) for word in words]


def shrink(sources: Sources, out: Path, *, quality: int = 80, part_bytes: int = 10_000_000) -> int:
    """Writes all sets anew to `out`, as small as training needs them: WebP at SIDES, in files of about `part_bytes`.

    For a machine with an accelerator to which little can be sent. The folder is a `data` for Sources with
    `out/train/streets*.parquet` as its scenes, the bundled ones among them. Returns the bytes written.
    """
    folder = out / "train"
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for name in (*SETS, DEV):
        rows: list[dict[str, Any]] = []
        held, part = 0, 0
        for record, encoded in _read(sources, name):
            buffer = io.BytesIO()
            _sized(encoded, name).save(buffer, "WEBP", quality=quality, method=6)
            packed = {"image": {"bytes": buffer.getvalue(), "path": record["file"]}, "captions": record["captions"]}
            rows.append(packed | ({"record": json.dumps(record)} if name == "streets" else {}))
            held += len(rows[-1]["image"]["bytes"])
            if held >= part_bytes:
                total += _write(rows, folder / f"{name}-{part}.parquet")
                rows, held, part = [], 0, part + 1
        total += _write(rows, folder / f"{name}-{part}.parquet")
    return total


def _write(rows: list[dict[str, Any]], path: Path) -> int:
    if rows:
        pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")
    return path.stat().st_size if rows else 0


def _is_valid(name: str, record: dict[str, Any]) -> bool:
    if name == "streets":
        return bool(record["seed"] >= FIRST_SMALL and record["seed"] % 10 == 7)
    if name.startswith("flickr8k"):
        return name == DEV
    return zlib.crc32(record["file"].encode()) % 10 == 0


def _decoded(sources: Sources, cache: Path, name: str) -> tuple[NDArray[np.uint8], list[dict[str, Any]]]:
    cache.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{_state(sources, name)}"
    array_file, record_file = cache / f"{stem}.npy", cache / f"{stem}.json"
    if not record_file.exists():
        rows, records = [], []
        for record, encoded in _read(sources, name):
            rows.append(np.asarray(_sized(encoded, name)))
            records.append(record)
        if not rows:
            raise SystemExit(f"no pictures of {name} in {sources}")
        np.save(array_file, np.stack(rows))
        record_file.write_text(json.dumps(records))
    return np.load(array_file, mmap_mode="r"), json.loads(record_file.read_text())


def _sized(encoded: bytes, name: str) -> Image.Image:
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    size = SIDES.get(name, SIDE)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _files(sources: Sources, name: str) -> list[Path]:
    """What the set is read from."""
    photographs = sorted((sources.data / "train").glob(f"{name}*.parquet"))
    if name != "streets" or photographs:
        return photographs
    bundled = [BUNDLED / "train.parquet"]
    if sources.scenes is None:
        return bundled
    return [*bundled, sources.scenes / "scenes.jsonl" if sources.scenes.is_dir() else sources.scenes]


def _state(sources: Sources, name: str) -> str:
    """Changes with the files that a set is read from."""
    files = [f"{path.name} {path.stat().st_size}" for path in _files(sources, name)]
    return hashlib.sha256("\n".join(files).encode()).hexdigest()[:8]


def _read(sources: Sources, name: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """(record, encoded picture) of everything in the set."""
    for path in _files(sources, name):
        if path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                yield _scene(record, record["file"]), (path.parent / record["file"]).read_bytes()
            continue
        for batch in pq.ParquetFile(path).iter_batches(256):
            for row in batch.to_pylist():
                image = row.pop("image")
                if "record" in row:
                    record = json.loads(row["record"])
                elif name == "streets":
                    record = _scene({**row, "entities": json.loads(row["entities"])}, image["path"])
                else:
                    record = {"file": image["path"], "captions": row["captions"]}
                yield record, image["bytes"]


def _scene(row: dict[str, Any], file: str) -> dict[str, Any]:
    return {"file": file, **{key: row[key] for key in ("seed", "captions", "entities", "attributes", "doubtful")}}
