"""A large collection out of nothing: clustered vectors, questions that lie off them as texts do, rows with captions.

Vectors are written to a file and read from it mapped, so that a million of them need no memory here. What is made
depends on the numbers of rows and dimensions alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.recall import exact
from sightline.rows import table_of
from sightline.schema import Encoded, Item, Manifest, Modality, Vectors, arrow_schema, version_of
from sightline.sources import HeldBytes
from sightline.store import Store

CLUSTERS = 200
BATCH = 2_000
NOUNS = ("car", "dog", "bridge", "tram", "beach", "house", "mountain", "bicycle", "market", "station", "river", "child")
ADJECTIVES = ("red", "old", "small", "wet", "wooden", "crowded", "quiet", "tall", "broken", "snowy")
FIRST_DAY = datetime(2015, 1, 1, tzinfo=UTC)
FOLDERS = 100


def unit(vectors: NDArray[np.floating[Any]]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def clustered(rows: int, dim: int, path: Path) -> Vectors:
    """Pictures: clusters around a common mean, as those of CLIP are. Written to `path`, returned mapped."""
    rng = np.random.default_rng(0)
    mean, centres = rng.normal(size=dim), rng.normal(size=(CLUSTERS, dim))
    found = np.lib.format.open_memmap(path, "w+", np.float32, (rows, dim))
    for start in range(0, rows, BATCH):
        size = min(BATCH, rows - start)
        noise = rng.normal(size=(size, dim))
        found[start : start + size] = unit(1.5 * mean + centres[rng.integers(0, CLUSTERS, size)] + 0.7 * noise)
    found.flush()
    return np.asarray(np.load(path, mmap_mode="r"))


def textlike(pictures: Vectors, n: int) -> Vectors:
    """Texts: each near a picture in direction, and shifted away from all of them (the modality gap)."""
    rng = np.random.default_rng(1)
    return spoken(pictures, np.sort(rng.choice(len(pictures), n, replace=False)), rng)


def spoken(pictures: Vectors, numbers: Sequence[int] | NDArray[np.int64], rng: np.random.Generator) -> Vectors:
    """What texts of these pictures would be."""
    near, gap = pictures[numbers], -2.0 * pictures[: 10 * CLUSTERS].mean(axis=0)
    return unit(near + gap + 0.5 * rng.normal(size=near.shape) / np.sqrt(near.shape[1]))


def nearest(vectors: Vectors, queries: Vectors, k: int, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Numbers (q, k) of the rows nearest to each query, of those in the mask `among`."""

    def blocks() -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        for start in range(0, len(vectors), BATCH):
            numbers = np.arange(start, min(start + BATCH, len(vectors)))
            kept = numbers if among is None else numbers[among[numbers]]
            if len(kept):
                yield kept, vectors[kept]

    return exact(blocks(), queries, k)


def recall(found: Sequence[Sequence[str]], wanted: NDArray[np.int64], k: int = 10) -> float:
    """Share of the `k` nearest (numbers of rows) that are among the first `k` ids found."""
    shares = [
        len({item(int(one)).id for one in row[:k]} & set(ids[:k])) / min(k, len(row))
        for ids, row in zip(found, wanted, strict=True)
    ]
    return float(np.mean(shares))


def item(number: int) -> Item:
    """Of a hundred folders; named by its number."""
    name = f"f{number % FOLDERS}/{number}.jpg"
    return Item(f"file:///p/{name}", name, HeldBytes(b""), caption(number))


def caption(number: int) -> str:
    one, two, three, four = (number // by for by in (1, 7, 31, 101))
    first = f"a {ADJECTIVES[one % len(ADJECTIVES)]} {NOUNS[two % len(NOUNS)]}"
    return f"{first} beside a {ADJECTIVES[three % len(ADJECTIVES)]} {NOUNS[four % len(NOUNS)]}, number{number}"


def row(number: int, vector: NDArray[np.float32], thumbnail: bytes = b"") -> Encoded:
    """Taken five minutes after the one before."""
    return Encoded(
        item(number),
        version_of(b"%d" % number),
        1,
        vector,
        thumbnail,
        None,
        640,
        480,
        captured_at=FIRST_DAY + timedelta(minutes=5 * number),
    )


def jpeg(number: int) -> bytes:
    """A small picture like no other."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((64, 64)).save(out, "JPEG", quality=80)
    return out.getvalue()


def fill(store: Store, manifest: Manifest, vectors: Vectors, *, thumbnails: bool = False) -> None:
    """All rows in one commit; neither index nor snapshot. Without `thumbnails` near-duplicates cannot be told."""
    import pyarrow as pa

    store.create(manifest)
    schema = arrow_schema(manifest)

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(vectors), BATCH):
            numbers = range(start, min(start + BATCH, len(vectors)))
            rows = [row(at, vectors[at], jpeg(at) if thumbnails else b"") for at in numbers]
            yield from table_of(rows, [FIRST_DAY] * len(rows), schema).to_batches()

    store.rows.write(lambda table: table.add(pa.RecordBatchReader.from_batches(schema, batches())), operation="index")


class Given:
    """An encoder of texts that are known before: the numbers of queries, and the captions of `pictures`.

    So the search alone is timed, and the index is measured with captions that are not the queries.
    """

    name, fingerprint = "given", "a" * 64
    modalities = frozenset({Modality.IMAGE, Modality.TEXT})

    def __init__(self, pictures: Vectors, queries: Vectors) -> None:
        self.pictures, self.queries, self.dim = pictures, queries, queries.shape[1]

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vector(text) for text in texts])

    def encode_image(self, images: Sequence[Any]) -> Vectors:
        raise NotImplementedError

    def _vector(self, text: str) -> NDArray[np.float32]:
        if caption := re.search(r"number(\d+)", text):
            number = int(caption[1])
            return np.asarray(spoken(self.pictures, [number], np.random.default_rng(number))[0])
        query = re.search(r"\d+$", text)
        return np.asarray(self.queries[(int(query[0]) if query else sum(text.encode())) % len(self.queries)])


def said(number: int) -> str:
    """The query of this number, in words that captions have too."""
    return f"a {ADJECTIVES[number % len(ADJECTIVES)]} {NOUNS[number % len(NOUNS)]} {number}"
