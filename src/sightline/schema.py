"""The records that flow through Sightline, and the Arrow schema of a collection.

Words of docs/architecture.md, one word per thing. Imports nothing of ours, and pyarrow only where a table's
schema is asked for.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from PIL.Image import Image

SCHEMA_VERSION = 1
METADATA_KEY = "sightline"

Vectors: TypeAlias = NDArray[np.float32]
"""Rows (n, dim), float32, unit L2 norm."""


class Modality(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"
    THERMAL = "thermal"
    DEPTH = "depth"
    IMU = "imu"


class SkipReason(StrEnum):
    """Why an item is not in the collection. What users filter reports by: values are stable."""

    NOT_AN_IMAGE = "not_an_image"
    FORMAT_NOT_ALLOWED = "format_not_allowed"
    UNDECODABLE = "undecodable"
    TOO_LARGE = "too_large"
    BAD_ASPECT = "bad_aspect"
    TOO_SLOW = "too_slow"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    BAD_VECTOR = "bad_vector"
    FETCH_FAILED = "fetch_failed"
    MISSING = "missing"
    UNSUPPORTED_MODALITY = "unsupported_modality"


_HALVES = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """`text` with halves of characters (lone surrogates), which no table holds, as U+FFFD."""
    return _HALVES.sub("\ufffd", text)


_JOINERS = "\u200c\u200d"  # zero width, and needed to write Persian, Hindi and emoji


def visible(char: str) -> bool:
    """Controls, bidirectional marks, tags (U+E0000, which smuggle ASCII to models) and lone surrogates are not."""
    return char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def item_id(uri: str) -> str:
    """First 128 bits of sha256(uri), as 32 hex digits."""
    return hashlib.sha256(uri.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def version_of(data: bytes) -> str:
    """Content hash: sha256 of the item's bytes, hex. It changes when, and only when, the bytes change."""
    return hashlib.sha256(data).hexdigest()


def vector_digest(vector: NDArray[np.float32]) -> str:
    """First 64 bits of sha256 over the little-endian float32 bytes of one vector (dim,); finds silent damage."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype="<f4").tobytes()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Item:
    """One picture with its metadata, listed but not decoded.

    `uri` is the identity and lossless; `name` is its display form. `read` returns the bytes and may raise
    OSError or BadMedia; it must be picklable. `size` (bytes) and `mtime_ns` let an unchanged item be recognised
    without reading it; None when the source cannot tell; `fixed` says that they cannot change under this uri. `text`
    holds all captions, newline-joined. `keep` is what `--keep` means for this kind of source when the user did not say.
    """

    uri: str
    name: str
    read: Callable[[], bytes]
    text: str = ""
    modality: Modality = Modality.IMAGE
    size: int | None = None
    mtime_ns: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    keep: str = "preview"
    fixed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", whole(self.text))
        object.__setattr__(self, "name", whole(self.name))

    @property
    def id(self) -> str:
        return item_id(self.uri)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture was taken: degrees, north and east are positive."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text in a picture. `confidence` is in [0, 1].

    `box`: its four corners x0 y0 … x3 y3, clockwise from where the text begins, as parts of width and height (0 to 1).
    """

    text: str
    confidence: float
    box: tuple[float, float, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """What `engine` (name and version) read in one picture, in reading order; `failed` says why it could not.

    `size`: width and height of the picture that it was given, in pixels.
    """

    engine: str
    lines: tuple[TextLine, ...] = ()
    size: tuple[int, int] = (0, 0)
    failed: str = ""

    @property
    def text(self) -> str:
        """The lines, newline-joined: what full text searches."""
        return "\n".join(line.text for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"engine": self.engine, "size": list(self.size)}
        found |= {"failed": self.failed} if self.failed else {}
        return found | {"lines": [{**asdict(line), "box": list(line.box)} for line in self.lines]}

    def dumps(self) -> str:
        """The column `ocr_boxes`."""
        return json.dumps(self.to_json(), ensure_ascii=False)

    @classmethod
    def loads(cls, text: str | None) -> Reading | None:
        """None for a picture that was never read, and for what is not of this form."""
        try:
            seen = json.loads(text or "null")
            lines = tuple(TextLine(one["text"], one["confidence"], tuple(one["box"])) for one in seen["lines"])
            return cls(seen["engine"], lines, tuple(seen["size"]), seen.get("failed", ""))
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as the collection has it. `width` and `height` are those of the original picture, upright, in pixels.

    `place` is in no JSON: documents are passed on more easily than people think of where they live. `ocr` is the text
    that the picture shows ("": none), `reading` that with its boxes; None: it was never read.
    """

    item: Item
    id: str
    version: str
    width: int
    height: int
    captured_at: datetime | None
    added_at: datetime
    thumbnail: bytes = field(repr=False)
    camera: str = ""
    place: Place | None = None
    ocr: str | None = None
    reading: Reading | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "uri": self.item.uri,
            "name": self.item.name,
            "text": self.item.text,
            "modality": self.item.modality.value,
            "version": self.version,
            "width": self.width,
            "height": self.height,
            "captured_at": self.captured_at.isoformat() if self.captured_at else None,
            "added_at": self.added_at.isoformat(),
            "camera": self.camera or None,
            "ocr": self.ocr,
            "ocr_boxes": self.reading.to_json() if self.reading else None,
            "meta": dict(self.item.meta),
        }


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small JPEG (`b""`: none could be made) and the `version` of the picture that it shows."""

    data: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """An item turned into a row: `vector` (dim,) float32 of unit norm, small pictures as encoded bytes.

    `picture` is what is to be stored: empty for nothing on purpose (`--keep none`), None to leave what there is.
    `ocr` and `ocr_boxes` are what was read in the picture, as the row has it; None: it was never read.
    """

    item: Item
    version: str
    size: int
    vector: NDArray[np.float32]
    thumbnail: bytes
    picture: bytes | None
    width: int
    height: int
    captured_at: datetime | None = None
    camera: str = ""
    place: Place | None = None
    ocr: str | None = None
    ocr_boxes: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that could not be used. A value, not an exception: one bad file never stops a run."""

    uri: str
    reason: SkipReason
    detail: str = ""
    size: int | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query: words, a picture given as bytes, or an item of the collection given by id.

    `weight` says how much it counts beside the others; below zero: what is looked for is unlike it. `path` is the
    picture's file as it was typed.
    """

    text: str = ""
    picture: bytes | None = field(default=None, repr=False)
    item: str = ""
    name: str = ""
    weight: float = 1.0
    path: str = ""

    @property
    def excluded(self) -> bool:
        return self.weight < 0

    def to_json(self) -> dict[str, str | float]:
        kind, value = "text", self.text
        if self.picture is not None:
            kind, value = "picture", self.name
        elif self.item:
            kind, value = "item", self.item
        return {kind: value} if self.weight == 1 else {kind: value, "weight": self.weight}


@dataclass(frozen=True, slots=True)
class Near:
    """Within `km` of a place."""

    place: Place
    km: float

    def __str__(self) -> str:
        numbers = (self.place.latitude, self.place.longitude, self.km)
        return ",".join(f"{one:.6f}".rstrip("0").rstrip(".") for one in numbers) + "km"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on an item; `excluded` turns it round. What was not said of an item fulfils no condition.

    `kind` is one of `after` `before` (when it was taken), `added-after` `added-before`: value a datetime, the former
    inclusive, the latter exclusive; `near`: a Near; `type` `in` `camera` `has` `text` `words`: a str. `said` is the
    phrase that it was understood from.
    """

    kind: str
    value: str | datetime | Near
    excluded: bool = False
    said: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        value = self.value.isoformat() if isinstance(self.value, datetime) else str(self.value)
        found: dict[str, Any] = {self.kind: value}
        if self.excluded:
            found["excluded"] = True
        return {**found, "said": self.said} if self.said else found


@dataclass(frozen=True, slots=True)
class Query:
    """What a person asks for, understood. `raw` is what was typed. Without terms it asks for all that pass the filters.

    `where` is SQL of the owner's; `filters` may come from anybody.
    """

    raw: str = field(compare=False)
    terms: tuple[Term, ...]
    where: str | None = None
    filters: tuple[Filter, ...] = ()

    @property
    def text(self) -> str:
        """The words that are looked for."""
        return " ".join(term.text for term in self.terms if term.text and not term.excluded)

    def caption_of(self, text: str) -> str:
        """The line of `text` that has the most different words of the query; the first one of equals.

        Case and an s at the end of a word make no difference; small words do not count.
        """
        asked = [self.text, *(str(one.value) for one in self.filters if one.kind == "text" and not one.excluded)]
        wanted = _words(" ".join(asked))
        captions = [line for line in text.split("\n") if line.strip()]
        return max(captions, key=lambda line: len(wanted & _words(line)), default="")

    def to_json(self) -> dict[str, Any]:
        filters = [one.to_json() for one in self.filters]
        filters += [{"where": self.where}] if self.where else []
        return {"terms": [term.to_json() for term in self.terms], "filters": filters, "text": self.text}


_SMALL_WORD = re.compile("[a-z0-9]{1,2}|and|are|but|for|from|into|that|the|their|there|these|they|this|was|with")


def _words(text: str) -> set[str]:
    found = re.findall(r"\w+", text.casefold())
    return {word.removesuffix("s") for word in found if not _SMALL_WORD.fullmatch(word)}


@dataclass(frozen=True, slots=True)
class Channel:
    """How one channel saw a hit: its 1-based rank there and its raw score (higher is better).

    `share` is how much of what the hit's place rests on comes from this channel; the shares of a hit add up to 1.
    """

    rank: int
    score: float
    share: float

    def to_json(self) -> dict[str, Any]:
        return {"rank": self.rank, "score": round(self.score, 6), "share": round(self.share, 4)}


def _as_rgb(data: bytes) -> Image:
    """Decode a picture that is upright and 8-bit already, as previews and thumbnails are."""
    import io

    from PIL import Image as pil

    with pil.open(io.BytesIO(data)) as stored:
        return stored.convert("RGB")


@dataclass(frozen=True)
class Hit:
    """One found item. `score` is the cosine to the query in [-1, 1], also when full text found it.

    `alike` are the ids of near-duplicates that were folded into it, the better ones first, and `group` names them with
    it; None and empty where it stands alone or nothing was folded. `width` and `height` are the picture's, in pixels;
    0 where they are not known. `version` is the content hash of its bytes.
    `load` and `decode` are bound by the collection: the picture's bytes, and bytes to an upright RGB image.
    """

    rank: int
    id: str
    uri: str
    name: str
    score: float
    text: str
    modality: Modality
    load: Callable[[], bytes] = field(repr=False, compare=False)
    captured_at: datetime | None = None
    why: Mapping[str, Channel] = field(default_factory=dict)
    relevance: float | None = None
    group: str | None = None
    alike: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    version: str = ""
    decode: Callable[[bytes], Image] = field(default=_as_rgb, repr=False, compare=False)

    @cached_property
    def image(self) -> Image:
        """The picture as an upright RGB image: what `Collection.picture` returns, decoded."""
        return self.decode(self.load())

    @property
    def caption(self) -> str:
        """The first caption."""
        return self.text.split("\n", 1)[0]

    def to_json(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "id": self.id,
            "uri": self.uri,
            "name": self.name,
            "score": round(self.score, 6),
            "relevance": None if self.relevance is None else round(self.relevance, 4),
            "text": self.text,
            "modality": self.modality.value,
            "captured_at": self.captured_at.isoformat() if self.captured_at else None,
            "width": self.width,
            "height": self.height,
            "group": self.group,
            "alike": list(self.alike),
            "why": {name: channel.to_json() for name, channel in self.why.items()},
        }


@dataclass(frozen=True)
class Hits(Sequence[Hit]):
    """The answer to a query, best first. A sequence of `Hit`.

    `cutoff` is the least relevance that was asked for; None: nothing was cut. `near_misses` are those of the first k
    that had less.
    """

    query: Query
    hits: tuple[Hit, ...]
    cutoff: float | None = None
    near_misses: int = 0

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...
    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        return self.hits[index]

    def to_json(self) -> dict[str, Any]:
        return {
            "query": self.query.raw,
            "understood": self.query.to_json(),
            "cutoff": self.cutoff,
            "near_misses": self.near_misses,
            "hits": [hit.to_json() for hit in self.hits],
        }

    def to_pandas(self) -> pd.DataFrame:
        """The hits as a DataFrame: `id text score distance uri` first, then rank, name, modality, captured_at.

        `distance` = 1 - score, the cosine distance that the tutorial's table shows. Needs pandas (not a dependency).
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas: pip install pandas") from error
        columns = ("id", "text", "score", "distance", "uri", "rank", "name", "modality", "captured_at")
        rows = [
            (h.id, h.text, h.score, 1.0 - h.score, h.uri, h.rank, h.name, h.modality.value, h.captured_at)
            for h in self.hits
        ]
        return pd.DataFrame(rows, columns=list(columns))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a collection remembers of its encoder (JSON in the table's metadata under `sightline`)."""

    encoder: str
    dim: int
    fingerprint: str
    preprocessing: str = ""
    schema_version: int = SCHEMA_VERSION

    def dumps(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, sort_keys=True)

    @classmethod
    def loads(cls, text: str | bytes) -> Manifest:
        """Raises ValueError, KeyError or TypeError when `text` is not a manifest."""
        seen = json.loads(text)
        return cls(**{name: seen[name] for name in cls.__slots__})


def arrow_schema(manifest: Manifest) -> pa.Schema:
    """The columns of a collection (DESIGN: "Store"); the id is declared unique so that merges keep it so."""
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    unique = {b"lance-schema:unenforced-primary-key": b"true"}
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata=unique),
            pa.field("vector", pa.list_(pa.float32(), manifest.dim)),
            pa.field("text", pa.string()),
            pa.field("uri", pa.string()),
            pa.field("version", pa.string()),
            pa.field("modality", pa.string()),
            pa.field("thumbnail", pa.binary()),
            pa.field("name", pa.string()),
            pa.field("size", pa.int64()),
            pa.field("mtime_ns", pa.int64()),
            pa.field("vector_digest", pa.string()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("captured_at", moment),
            pa.field("added_at", moment),
            pa.field("duration", pa.float64()),
            pa.field("offset", pa.float64()),
            pa.field("ocr", pa.string()),
            pa.field("ocr_boxes", pa.string()),
            pa.field("meta", pa.string()),
            pa.field("camera", pa.string()),
            pa.field("latitude", pa.float64()),
            pa.field("longitude", pa.float64()),
            pa.field("look", pa.binary()),
        ],
        metadata={METADATA_KEY: manifest.dumps()},
    )
