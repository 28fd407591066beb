"""Where do the picture bytes live? Three layouts of the same rows, measured side by side.

inline: a `binary` column of the table · blob: a Lance blob v2 column · side: a second table `<name>.pictures`.

    python benchmarks/bench_pictures.py --rows 10000 --bytes 40000 --rounds 3

Prints one table (median over rounds, milliseconds unless said) and, with --json FILE, the raw numbers. The decision
that rests on it is docs/decisions/0001-picture-bytes.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa

DIM = 256
COMMIT = 1_000


class Layout:
    """One way to lay out rows; `table` is what is searched, `pictures` where the bytes are."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        db = lancedb.connect(folder)
        fields = [
            pa.field("id", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), DIM)),
            pa.field("text", pa.string()),
            pa.field("thumbnail", pa.binary()),
        ]
        if kind == "inline":
            fields.append(pa.field("picture", pa.binary()))
        if kind == "blob":
            fields.append(lancedb.blob("picture"))
        self.table = db.create_table("items", schema=pa.schema(fields))
        self.side = None
        if kind == "side":
            schema = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("picture", pa.binary())])
            self.side = db.create_table("items.pictures", schema=schema)

    def upsert(self, rows: dict[str, Any]) -> None:
        pictures = rows.pop("picture")
        if self.side is not None:
            merge(self.side, {"id": rows["id"], "picture": pictures}, self.side.schema)
            merge(self.table, rows, self.table.schema)
        elif self.kind == "inline":
            merge(self.table, {**rows, "picture": pictures}, self.table.schema)
        else:
            blobs = [{"data": picture, "uri": None} for picture in pictures]
            merge(self.table, {**rows, "picture": blobs}, self.table.schema)

    def picture(self, ident: str) -> bytes:
        where = f"id = '{ident}'"
        if self.kind == "blob":
            found = self.table.search().where(where).with_row_id(True).select(["id"]).to_arrow()
            return self.table.fetch_blobs("picture", found["_rowid"].to_pylist())[0].as_py()
        table = self.side if self.side is not None else self.table
        return table.search().where(where).select(["picture"]).to_arrow()["picture"][0].as_py()


def merge(table: Any, rows: dict[str, Any], schema: pa.Schema) -> None:
    data = pa.table({name: pa.array(rows[name], schema.field(name).type) for name in rows}, schema=schema)
    table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(data)


def rows_of(start: int, n: int, size: int, rng: np.random.Generator) -> dict[str, Any]:
    vectors = rng.standard_normal((n, DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return {
        "id": [f"{i:032x}" for i in range(start, start + n)],
        "vector": list(vectors),
        "text": [f"a picture of thing {i % 97}" for i in range(start, start + n)],
        "thumbnail": [rng.bytes(6_000) for _ in range(n)],
        "picture": [rng.bytes(size) for _ in range(n)],
    }


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def measure(kind: str, rows: int, size: int) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix=f"pictures-{kind}-"))
    try:
        rng = np.random.default_rng(7)
        layout = Layout(kind, folder)
        commits = []
        for start in range(0, rows, COMMIT):
            batch = rows_of(start, COMMIT, size, rng)
            commits.append(timed(lambda batch=batch: layout.upsert(batch)))
        query = rng.standard_normal(DIM, dtype=np.float32)
        idents = [f"{i:032x}" for i in rng.choice(rows, 30, replace=False)]
        chunk = ", ".join(f"'{i:032x}'" for i in range(0, rows, max(1, rows // 500)))

        def search() -> object:
            found = layout.table.search(query, vector_column_name="vector").distance_type("cosine")
            return found.select(["id", "text"]).limit(10).to_arrow()

        search()
        recaption = pa.table({"id": pa.array(idents), "text": pa.array(["changed"] * len(idents))})
        out = {
            "upsert 1,000 rows": statistics.median(commits),
            "last upsert": commits[-1],
            "search k=10": statistics.median(timed(search) for _ in range(20)),
            "500 ids looked up": timed(
                lambda: layout.table.search().where(f"id IN ({chunk})").select(["id"]).to_arrow()
            ),
            "picture(id)": statistics.median(timed(lambda i=i: layout.picture(i)) for i in idents),
            "30 captions changed": timed(
                lambda: layout.table.merge_insert("id").when_matched_update_all().execute(recaption)
            ),
        }
        tables = [t for t in (layout.table, layout.side) if t is not None]
        out["optimize"] = timed(
            lambda: [t.optimize(cleanup_older_than=timedelta(0), delete_unverified=True) for t in tables]
        )
        out["search after optimize"] = statistics.median(timed(search) for _ in range(20))
        out["picture(id) after optimize"] = statistics.median(timed(lambda i=i: layout.picture(i)) for i in idents)
        out["disk MB"] = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
        return out
    finally:
        shutil.rmtree(folder)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rows", type=int, default=10_000)
    args.add_argument("--bytes", type=int, default=40_000)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--json", type=Path)
    args.add_argument("--layouts", nargs="+", default=["inline", "blob", "side"])
    given = args.parse_args()
    runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in given.layouts}
    for _ in range(given.rounds):  # interleaved: the machine drifts
        for kind in given.layouts:
            runs[kind].append(measure(kind, given.rows, given.bytes))
    medians = {k: {m: statistics.median(r[m] for r in rs) for m in rs[0]} for k, rs in runs.items()}
    print(f"{given.rows:,} rows, {given.bytes:,} bytes a picture, median of {given.rounds} rounds, ms\n")
    print(f"{'':28}" + "".join(f"{kind:>10}" for kind in given.layouts))
    for metric in medians[given.layouts[0]]:
        print(f"{metric:28}" + "".join(f"{medians[kind][metric]:10.1f}" for kind in given.layouts))
    if given.json:
        given.json.write_text(json.dumps({"rows": given.rows, "bytes": given.bytes, "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
