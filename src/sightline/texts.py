"""texts: what was read in the pictures, in the rows of a store. The store's noun for the columns `ocr` and `ocr_boxes`.

NULL says that nobody has read the picture, "" that it shows no text (or that reading it failed: `ocr_boxes` says so).
A text belongs to the bytes that it was read in: it is written to rows of that version only, and copies share it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightline.rows import is_in
from sightline.store import Store

UNREAD = "ocr IS NULL"
FAILED = "contains(ocr_boxes, '\"failed\": ')"


@dataclass(frozen=True, slots=True)
class Unread:
    """A row whose picture was not read yet."""

    id: str
    uri: str
    version: str


def unread(store: Store, *, modalities: Collection[str], retry: bool = False, batch: int = 4096) -> Iterator[Unread]:
    """Rows of these modalities that nobody has read; with `retry` also those that could not be read."""
    kinds = ", ".join(f"'{kind}'" for kind in sorted(modalities))
    where = f"modality IN ({kinds}) AND ({UNREAD}{f' OR {FAILED}' if retry else ''})"
    store.manifest  # noqa: B018 — missing and foreign tables are told apart before they are read
    query = lambda t: t.search().where(where).select(["id", "uri", "version"]).to_batches(batch_size=batch)  # noqa: E731
    for chunk in store.rows.stream(query):
        yield from (Unread(**row) for row in chunk.to_pylist())


def count_read(store: Store) -> int:
    """How many rows have been read, whatever they show."""
    return int(store.rows.read(lambda t: t.count_rows("ocr IS NOT NULL")))


def readings(store: Store, versions: Sequence[str]) -> dict[str, tuple[str, str]]:
    """`ocr` and `ocr_boxes` of those of these versions that some row has been read of, and that did not fail."""
    if not versions:
        return {}
    where = f"({is_in('version', versions).to_sql()}) AND ocr IS NOT NULL AND NOT coalesce({FAILED}, FALSE)"
    columns = ["version", "ocr", "ocr_boxes"]
    rows = store.rows.read(lambda t: t.search().where(where).select(columns).to_arrow()).to_pylist()
    return {row["version"]: (row["ocr"], row["ocr_boxes"] or "") for row in rows}


def put(store: Store, rows: Sequence[Unread], texts: Mapping[str, tuple[str, str]]) -> int:
    """Write `texts` (version -> `ocr`, `ocr_boxes`) to those of `rows` that still have that version, in one commit.

    Returns how many rows were written.
    """
    rows = [row for row in rows if row.version in texts]
    if not rows:
        return 0
    import pyarrow as pa

    columns = {
        "id": [row.id for row in rows],
        "version": [row.version for row in rows],
        "ocr": [texts[row.version][0] for row in rows],
        "ocr_boxes": [texts[row.version][1] for row in rows],
    }
    schema = pa.schema([store.rows.table.schema.field(name) for name in columns])
    data = pa.table(columns, schema=schema)

    def merge(table: Any) -> Any:
        still = "target.version = source.version"  # another process may have indexed the picture anew since
        return table.merge_insert("id").when_matched_update_all(where=still).execute(data)

    return int(store.rows.write(merge, operation="ocr").num_updated_rows)
