"""A folder of rendered scenes -> the bundled data set: train and test parquet, and scenes.jsonl for whoever trains.

The form is that of Hugging Face image-caption data sets (`image` {bytes, path}, `text`), with more columns behind it.
What is said of a picture is decided here from its record, so that better words need no new render. The same scenes
give the same bytes. Scenes and captions are CC0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streets import farm
from streets.captions import captions
from streets.sample import is_test
from streets.truth import attributes, entities

MAX_BYTES = 20 * 10**6

SCHEMA = pa.schema(
    [
        pa.field("image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])),
        pa.field("text", pa.string()),
        pa.field("captions", pa.list_(pa.string())),
        pa.field("entities", pa.string()),
        pa.field("attributes", pa.list_(pa.string())),
        pa.field("doubtful", pa.list_(pa.string())),
        pa.field("scene", pa.string()),
        pa.field("seed", pa.int64()),
    ]
)
_STRING = {"dtype": "string", "_type": "Value"}
_STRINGS = {"feature": _STRING, "_type": "List"}
FEATURES = {
    "image": {"_type": "Image"},
    "text": _STRING,
    "captions": _STRINGS,
    "entities": _STRING,
    "attributes": _STRINGS,
    "doubtful": _STRINGS,
    "scene": _STRING,
    "seed": {"dtype": "int64", "_type": "Value"},
}


def pack(folder: Path, out: Path) -> dict[str, int]:
    """Writes train.parquet and test.parquet of the scenes in `folder` to `out`; returns the number of scenes of each.

    Raises ValueError for a file over MAX_BYTES, which is left as it is.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = list(described(folder))
    counts = {}
    for split in ("train", "test"):
        mine = [row for row in rows if is_test(row["seed"]) == (split == "test")]
        path = out / f"{split}.parquet"
        _write(mine, folder, path)
        counts[split] = len(mine)
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} is {path.stat().st_size / 1e6:.1f} MB, over {MAX_BYTES / 1e6:.0f}")
    return counts


def describe(folder: Path) -> int:
    """Writes `scenes.jsonl` beside the pictures: a line each, file and what `described` says; returns their number."""
    lines = [json.dumps({"file": farm.picture_of(folder, row["seed"]).name, **row}) for row in described(folder)]
    (folder / "scenes.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def described(folder: Path) -> Iterator[dict[str, Any]]:
    """Seed, captions, entities, attributes, doubtful and scene of every record, by seed."""
    for record in farm.records(folder):
        true, doubtful = attributes(record)
        yield {
            "seed": record["seed"],
            "captions": captions(record),
            "entities": entities(record),
            "attributes": sorted(true),
            "doubtful": sorted(doubtful),
            "scene": record["scene"],
        }


def judged_rows(path: Path) -> list[dict[str, Any]]:
    """What a packed file says of its scenes: seed, attributes, doubtful."""
    return pq.read_table(path, columns=["seed", "attributes", "doubtful"]).to_pylist()  # type: ignore[no-any-return]


def _write(rows: Sequence[Mapping[str, Any]], folder: Path, path: Path) -> None:
    """Writes one split. Row groups of 64 keep a streaming reader's memory at a few MB."""
    features = json.dumps({"info": {"features": FEATURES}})
    table = pa.Table.from_pylist([_row(row, folder) for row in rows], SCHEMA.with_metadata({"huggingface": features}))
    # pictures are packed already: compression would only cost time
    lists = [f"{name}.list.element" for name in ("captions", "attributes", "doubtful")]
    others = ["text", *lists, "entities", "scene", "seed"]
    pq.write_table(
        table,
        path,
        row_group_size=64,
        compression=dict.fromkeys(others, "zstd") | {"image.bytes": "none", "image.path": "none"},
        use_dictionary=False,
        write_statistics=False,
    )


def _row(row: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    picture = farm.picture_of(folder, row["seed"])
    return {
        **row,
        "image": {"bytes": picture.read_bytes(), "path": picture.name},
        "text": row["captions"][0],
        "entities": json.dumps(row["entities"], sort_keys=True),
        "scene": json.dumps(row["scene"], sort_keys=True),
    }
