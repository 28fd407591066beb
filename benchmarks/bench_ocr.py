"""How much of the text in the street scenes is read. `python benchmarks/bench_ocr.py [--json FILE] [--collection AT]`

The bundled scenes say what stands in them: a scene of control "stop" has STOP painted on each lane before the crossing
and a sign beside it, and the attribute "stop sign" says that the sign is in sight. "Read" is the word STOP, whole, in
the text that `index --ocr` stored. Pictures are 480 x 270; a sign in sight is 16 to 27 pixels wide, its letters are 4
to 7 high. Shares come with Wilson's 95 % interval. With --collection the index stays, and a stopped run goes on.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lancedb
import pyarrow.parquet as pq

import sightline

WIDTH = 480
STOP = re.compile(r"\bSTOP\b", re.IGNORECASE)
COLUMNS = ["uri", "ocr", "ocr_boxes"]
TRUTH = ["seed", "attributes", "doubtful", "entities", "scene"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="test", choices=["train", "test"])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--collection", help="where the index is, or is to be")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scenes = sightline.open(given.collection or f"{folder}#streets", model="pocket")
        scenes.ingest(f"streets:{given.split}", ocr=True)
        results = {"split": given.split, **measure(scenes, truth(given.split))}
    print(json.dumps(results, indent=2))
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


def truth(split: str) -> dict[str, dict[str, Any]]:
    """What stands in each scene, by its uri."""
    path = importlib.resources.files("sightline") / "data" / "streets" / f"{split}.parquet"
    with importlib.resources.as_file(path) as file:
        return {f"streets:{row['seed']}": row for row in pq.read_table(file, columns=TRUTH).to_pylist()}


def measure(scenes: sightline.Collection, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Over the rows that have been read; `unread` says how many have not."""
    folder, _, name = scenes.address.partition("#")
    table = lancedb.connect(folder).open_table(name)
    found = table.search().where("ocr IS NOT NULL").select(COLUMNS).to_arrow().to_pylist()
    rows = {row["uri"]: Scene(known[row["uri"]], row["ocr_boxes"]) for row in found if row["uri"] in known}
    best = table.search("STOP", query_type="fts", fts_columns="ocr").select(["uri"]).limit(10).to_arrow().to_pylist()
    return summary(rows, [row["uri"] for row in best], len(known))


def summary(scenes: dict[str, Scene], best: list[str], of: int) -> dict[str, Any]:
    rows = list(scenes.values())
    signs = [row for row in rows if row.sign]
    painted = [row for row in rows if row.control == "stop"]
    others = [row for row in rows if row.control != "stop" and not row.bus_stop]
    return {
        "engine": sorted({row.engine for row in rows}),
        "pictures": len(rows),
        "unread": of - len(rows),
        "with text": share([bool(row.lines) for row in rows]),
        "STOP read": {
            "where a stop sign is in sight": share([row.says_stop for row in signs]),
            "on the sign itself": share([row.on_sign for row in signs]),
            "where STOP is painted on the road, in sight or not": share([row.says_stop for row in painted]),
            "where nothing says STOP": share([row.says_stop for row in others]),
            "at a bus stop, which says BUS STOP": share([row.says_stop for row in rows if row.bus_stop]),
        },
        "on the sign, by its width in pixels": {
            "16 to 19": share([row.on_sign for row in signs if row.sign_width < 19.5]),
            "20 to 22": share([row.on_sign for row in signs if 19.5 <= row.sign_width < 22.5]),
            "23 and more": share([row.on_sign for row in signs if row.sign_width >= 22.5]),
        },
        "by light, where a stop sign is in sight": {
            light: share([row.says_stop for row in signs if row.light == light])
            for light in sorted({row.light for row in signs})
        },
        "search": {
            "of the first ten for STOP in what was read, with STOP painted or on a sign": share(
                [scenes[uri].control == "stop" for uri in best]
            )
        },
    }


class Scene:
    """What stands in one picture, and what was read in it."""

    def __init__(self, known: dict[str, Any], ocr_boxes: str) -> None:
        scene, reading = json.loads(known["scene"]), json.loads(ocr_boxes)
        boxes = [one["box"] for one in json.loads(known["entities"]) if one["tag"] == "stop sign"]
        self.control: str = scene["control"]
        self.light: str = scene["light"]
        self.bus_stop = "bus stop" in {*known["attributes"], *known["doubtful"]} and self.control != "stop"
        self.sign = "stop sign" in known["attributes"]
        self.engine: str = reading["engine"]
        self.lines = reading["lines"]
        self.sign_width = max((round((box[2] - box[0]) * WIDTH) for box in boxes), default=0)
        said = [line for line in self.lines if STOP.search(line["text"])]
        self.says_stop = bool(said)
        self.on_sign = any(inside(line["box"], box) for line in said for box in boxes)


def inside(corners: Sequence[float], box: Sequence[float]) -> bool:
    x, y = sum(corners[0::2]) / 4, sum(corners[1::2]) / 4
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def share(yes: Sequence[bool]) -> dict[str, Any]:
    """How many of how many, with Wilson's interval (JASA 1927)."""
    n, k, z = len(yes), sum(yes), 1.96
    if not n:
        return {"n": 0}
    middle, spread = (k + z * z / 2) / (n + z * z), z * math.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return {
        "n": n,
        "yes": k,
        "share": round(k / n, 3),
        "interval": [round(middle - spread, 3), round(middle + spread, 3)],
    }


if __name__ == "__main__":
    main()
