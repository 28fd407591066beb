"""Rows: the records of a collection to Arrow and back, the columns that are read for what, typed conditions.

Knows the schema and LanceDB's expressions; opens no table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadVectors, CollectionError
from sightline.looks import look
from sightline.schema import Encoded, Item, Modality, Place, Reading, StoredItem, vector_digest, whole

if TYPE_CHECKING:
    import pyarrow as pa

KNOWN = ("id", "uri", "version", "modality", "size", "mtime_ns", "text", "meta", "added_at", "ocr")
HIT = ("id", "uri", "name", "text", "modality", "captured_at", "version", "camera", "look", "ocr", "width", "height")
ITEM = (*KNOWN, "name", "width", "height", "captured_at", "thumbnail", "camera", "latitude", "longitude", "ocr_boxes")
LATER = ("camera", "latitude", "longitude", "look")
"""Columns that collections of former versions lack."""

STOP_WORDS = [
    *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "of", "on", "or"),
    *("such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with"),
]
"""Lucene's English list without its negations. LanceDB's own list holds words of many languages, "dog" among them."""
FILE_WORDS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "img", "dsc")
"""Parts of names that say nothing of a picture."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the store already has of an item: enough to tell whether it changed. `ocr` None: it was never read."""

    id: str
    uri: str
    version: str
    modality: Modality
    size: int | None
    mtime_ns: int | None
    text: str
    meta: str
    added_at: datetime
    ocr: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """One row of one channel. `score` is the cosine (search) or BM25 (search_text); `cosine` only where it is known.

    `version`, `camera` and `look` tell near-duplicates; `look` is empty where the collection is older than looks.
    `ocr` is the text that was read in the picture.
    """

    id: str
    uri: str
    name: str
    text: str
    modality: Modality
    captured_at: datetime | None
    score: float
    cosine: float | None = None
    version: str = ""
    camera: str = ""
    look: bytes = field(default=b"", repr=False)
    ocr: str = ""
    width: int = 0
    height: int = 0


def table_of(rows: Sequence[Encoded], added: Sequence[datetime], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    dim = schema.field("vector").type.list_size
    vectors = np.stack([row.vector for row in rows]).astype(np.float32, copy=False)
    flat = pa.array(vectors.reshape(-1), pa.float32())
    columns: dict[str, Any] = {
        "id": [r.item.id for r in rows],
        "vector": pa.FixedSizeListArray.from_arrays(flat, dim),
        "text": [r.item.text for r in rows],
        "uri": [r.item.uri for r in rows],
        "version": [r.version for r in rows],
        "modality": [r.item.modality.value for r in rows],
        "thumbnail": [r.thumbnail for r in rows],
        "name": [r.item.name for r in rows],
        "size": [r.size for r in rows],
        "mtime_ns": [r.item.mtime_ns for r in rows],
        "vector_digest": [vector_digest(r.vector) for r in rows],
        "width": [r.width for r in rows],
        "height": [r.height for r in rows],
        "captured_at": [r.captured_at for r in rows],
        "added_at": list(added),
        "meta": [dump_meta(r.item) for r in rows],
        "camera": [r.camera for r in rows],
        "latitude": [r.place.latitude if r.place else None for r in rows],
        "longitude": [r.place.longitude if r.place else None for r in rows],
        "look": [look(r.thumbnail) or None for r in rows],
        "ocr": [r.ocr for r in rows],
        "ocr_boxes": [r.ocr_boxes for r in rows],
    }
    arrays = [
        columns[f.name].cast(f.type)
        if isinstance(columns.get(f.name), pa.Array)
        else pa.array(columns.get(f.name, [None] * len(rows)), f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def unique(name: str) -> pa.Field:
    """A key column: Lance keeps it unique across concurrent merges when it is declared so."""
    import pyarrow as pa

    return pa.field(name, pa.string(), nullable=False, metadata={b"lance-schema:unenforced-primary-key": b"true"})


def pictures_schema() -> pa.Schema:
    """The side table of stored pictures: `digest` is the sha256 of the stored bytes, empty bytes mean none wanted."""
    import pyarrow as pa

    return pa.schema([unique("version"), pa.field("picture", pa.large_binary()), pa.field("digest", pa.string())])


def check_vectors(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The vectors (n, dim) unchanged, or BadVectors: wrong shape, not finite, or not of unit length within 1e-3.

    LanceDB accepts infinite and missing vectors, answers a zero query with nothing and speaks of a missing column when
    the dimension is wrong, so this is checked before it is asked.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise BadVectors(f"vectors of shape {vectors.shape} were given where (n, {dim}) was expected")
    norms = np.linalg.norm(vectors, axis=1)
    bad = ~(np.abs(norms - 1.0) <= 1e-3)  # also true for NaN
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise BadVectors(f"vector {first} of {len(vectors)} has length {norms[first]:.4g}; unit length was expected")
    return vectors


def dump_meta(item: Item) -> str:
    return whole(json.dumps(dict(item.meta), ensure_ascii=False, sort_keys=True, default=str))


def amended(known: Known, item: Item) -> Known:
    """`known` with what `item` says now of caption, size, time and meta."""
    return replace(
        known,
        size=item.size if item.size is not None else known.size,
        mtime_ns=item.mtime_ns,
        text=item.text,
        meta=dump_meta(item),
    )


def item_of(row: dict[str, Any]) -> Item:
    return Item(
        uri=row["uri"],
        name=row["name"] or row["uri"],
        read=_Unread(row["uri"]),
        text=row["text"] or "",
        modality=Modality(row["modality"]),
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        meta=json.loads(row["meta"] or "{}"),
    )


def stored_item_of(row: dict[str, Any]) -> StoredItem:
    """Of a row with the columns ITEM."""
    return StoredItem(
        item=item_of(row),
        id=row["id"],
        version=row["version"],
        width=row["width"],
        height=row["height"],
        captured_at=row["captured_at"],
        added_at=row["added_at"],
        thumbnail=row["thumbnail"] or b"",
        camera=row.get("camera") or "",
        place=place_of(row),
        ocr=row["ocr"],
        reading=Reading.loads(row["ocr_boxes"]),
    )


def place_of(row: dict[str, Any]) -> Place | None:
    latitude, longitude = row.get("latitude"), row.get("longitude")
    return None if latitude is None or longitude is None else Place(latitude, longitude)


@dataclass(frozen=True, slots=True)
class _Unread:
    """The bytes of a stored item are not here: `Collection.picture` has them."""

    uri: str

    def __call__(self) -> bytes:
        raise CollectionError(f"{self.uri} was read from the store; its picture comes from Collection.picture")


def known_of(row: dict[str, Any]) -> Known:
    row = {**row, "text": row["text"] or "", "meta": row["meta"] or "{}", "modality": Modality(row["modality"])}
    return Known(**row)


def found_of(row: dict[str, Any], *, score: float, cosine: float | None = None) -> Found:
    return Found(
        id=row["id"],
        uri=row["uri"],
        name=row["name"] or row["uri"],
        text=row["text"] or "",
        modality=Modality(row["modality"]),
        captured_at=row["captured_at"],
        score=float(score),
        cosine=cosine,
        version=row["version"] or "",
        camera=row.get("camera") or "",
        look=row.get("look") or b"",
        ocr=row.get("ocr") or "",
        width=row["width"] or 0,
        height=row["height"] or 0,
    )


def matrix(column: Any, dim: int) -> NDArray[np.float32]:
    """A fixed-size list column as (n, dim) float32; a missing vector is NaN."""
    chunks = [_filled(chunk, dim) for chunk in column.chunks]
    flat = np.concatenate(chunks) if chunks else np.empty(0, np.float32)
    return flat.reshape(-1, dim)


def _filled(chunk: Any, dim: int) -> NDArray[np.float32]:
    if not chunk.null_count:
        return np.asarray(chunk.flatten(), np.float32)
    return np.asarray([[np.nan] * dim if one is None else one for one in chunk.to_pylist()], np.float32).reshape(-1)


def is_in(column: str, values: Sequence[str]) -> Any:
    from lancedb.expr import col

    return col(column).isin(list(values))


def starts_with(column: str, prefix: str) -> Any:
    """prefix <= column < the next string that does not start with it (prefixes are percent-encoded ASCII)."""
    from lancedb.expr import col, lit

    beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return (col(column) >= lit(prefix)).and_(col(column) < lit(beyond))


def has_semicolon(where: str) -> bool:
    """Whether a semicolon stands outside of quotes."""
    quote = ""
    for character in where:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character == ";":
            return True
    return False
