"""Packs rendered scenes into the bundled data set: a folder of pictures and scenes.jsonl -> train and test parquet.

    python streets/pack.py --scenes DIR --out src/sightline/data/streets

The form is that of Hugging Face image-caption data sets (`image` {bytes, path}, `text`), with more columns behind it.
The same scenes give the same bytes. Scenes and captions are CC0.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAX_BYTES = 20 * 10**6
TEST_SHARE = 2
"""Of five consecutive seeds, so many are test: a scene never changes sides when others are added."""

SCHEMA = pa.schema(
    [
        pa.field("image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])),
        pa.field("text", pa.string()),
        pa.field("captions", pa.list_(pa.string())),
        pa.field("entities", pa.string()),
        pa.field("scene", pa.string()),
        pa.field("seed", pa.int64()),
    ]
)
FEATURES = {
    "image": {"_type": "Image"},
    "text": {"dtype": "string", "_type": "Value"},
    "captions": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
    "entities": {"dtype": "string", "_type": "Value"},
    "scene": {"dtype": "string", "_type": "Value"},
    "seed": {"dtype": "int64", "_type": "Value"},
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scenes", type=Path, required=True, help="folder with scenes.jsonl and its pictures")
    arguments.add_argument("--out", type=Path, required=True, help="folder for train.parquet and test.parquet")
    given = arguments.parse_args()
    lines = (given.scenes / "scenes.jsonl").read_text(encoding="utf-8").splitlines()
    scenes = sorted((json.loads(line) for line in lines if line.strip()), key=lambda scene: scene["scene"]["seed"])
    given.out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        mine = [scene for scene in scenes if is_test(scene["scene"]["seed"]) == (split == "test")]
        path = given.out / f"{split}.parquet"
        pack(mine, given.scenes, path)
        size = path.stat().st_size
        print(f"{path}: {len(mine)} scenes, {size / 1e6:.1f} MB")
        if size > MAX_BYTES:
            raise SystemExit(
                f"{path} is larger than {MAX_BYTES / 1e6:.0f} MB: render fewer scenes or lower the quality"
            )


def is_test(seed: int) -> bool:
    return seed % 5 < TEST_SHARE


def pack(scenes: list[dict[str, Any]], folder: Path, path: Path) -> None:
    """Writes one split. Row groups of 64 keep a streaming reader's memory at a few MB."""
    rows = [row(scene, (folder / scene["file"]).read_bytes()) for scene in scenes]
    features = json.dumps({"info": {"features": FEATURES}})
    table = pa.Table.from_pylist(rows, SCHEMA.with_metadata({"huggingface": features}))
    # pictures are packed already: compression would only cost time
    others = ["text", "captions.list.element", "entities", "scene", "seed"]
    pq.write_table(
        table,
        path,
        row_group_size=64,
        compression=dict.fromkeys(others, "zstd") | {"image.bytes": "none", "image.path": "none"},
        use_dictionary=False,
        write_statistics=False,
    )


def row(scene: dict[str, Any], picture: bytes) -> dict[str, Any]:
    return {
        "image": {"bytes": picture, "path": f"{scene['scene']['seed']}.jpg"},
        "text": scene["captions"][0] if scene["captions"] else "",
        "captions": scene["captions"],
        "entities": json.dumps(scene["entities"], sort_keys=True),
        "scene": json.dumps(scene["scene"], sort_keys=True),
        "seed": scene["scene"]["seed"],
    }


if __name__ == "__main__":
    main()
