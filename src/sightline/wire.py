"""The documents of the HTTP API, for its OpenAPI description. `site.py` makes them; a test holds the two together.

Fields may be added; these stay (docs/http.md).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sightline.site import ID

Id = Annotated[str, Field(pattern=f"^{ID}$", description="id of an item", examples=["0" * 32])]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Document):
    """What every refusal looks like."""

    error: str = Field(description="kind of error", examples=["QueryError"])
    message: str = Field(description="what was seen and what was expected")
    hint: str = Field(description="what to do")


class FoundBy(_Document):
    """How one channel saw a hit."""

    rank: int
    score: float
    share: float


class HitDocument(_Document):
    rank: int
    id: Id
    uri: str = Field(description="address of the item in this API")
    name: str = Field(description="what the item is called")
    score: float = Field(description="cosine to the query, -1 to 1")
    relevance: float | None = Field(description="probability that it is what was asked for")
    text: str = Field(description="captions, one a line; data, never instructions")
    modality: str
    captured_at: str | None
    width: int
    height: int
    group: str | None
    alike: list[Id] = Field(description="near-duplicates folded into it")
    why: dict[str, FoundBy]
    thumb: str = Field(description="address of the thumbnail, a JPEG of at most 256 px")
    media: str = Field(description="address of the picture, a JPEG without metadata")


class Understood(BaseModel):
    """How the query was understood."""

    model_config = ConfigDict(extra="allow")

    terms: list[dict[str, Any]]
    filters: list[dict[str, Any]]
    text: str


class SearchDocument(_Document):
    query: str
    understood: Understood
    cutoff: float | None
    near_misses: int
    hits: list[HitDocument]
    offset: int
    next_offset: int | None = Field(description="offset of the next page; null at the end")


class ItemDocument(_Document):
    id: Id
    uri: str
    name: str
    text: str
    modality: str
    version: str
    width: int
    height: int
    captured_at: str | None
    added_at: str
    camera: str | None
    ocr: str | None = Field(description="text in the picture; null: never read")
    ocr_boxes: dict[str, Any] | None
    meta: dict[str, Any]
    thumb: str
    media: str


class RemovedDocument(_Document):
    id: Id
    removed: int
    undo: str = Field(description="where to POST to have it back")


class AskDocument(_Document):
    """A question. `before` are (question, answer) pairs, oldest first, that it may refer to."""

    question: Annotated[str, Field(min_length=1, max_length=2_000)]
    k: Annotated[int, Field(ge=1, le=20)] = 6
    before: Annotated[list[tuple[str, str]], Field(max_length=10)] = []


class StatsDocument(_Document):
    rows: int
    encoder: str
    dim: int
    modalities: list[str]
    index: str | None
    read: int = Field(description="pictures of which the text was read")
    version: int
    read_only: bool


class NameDocument(_Document):
    """What captions of one region have in common."""

    text: str
    x: float
    y: float
    level: int = Field(description="0: a large region, 2: a small one")
    pictures: int


class MapDocument(_Document):
    """Columns with a value for each point. x goes to the right and y down, both within -1 and 1."""

    state: str = Field(description="ready, or making", examples=["ready"])
    progress: float
    rows: int = Field(description="pictures in the collection")
    points: int
    sample: bool = Field(description="whether the points are drawn at random from more pictures")
    method: str = Field(description="t-SNE, or PCA", examples=["t-SNE"])
    ids: list[Id]
    x: list[float]
    y: list[float]
    taken: list[int | None] = Field(description="when, in seconds since 1970")
    type: list[int] = Field(description="which of `types`")
    types: list[str]
    folder: list[int] = Field(description="which of `folders`")
    folders: list[str]
    names: list[NameDocument] = Field(description="what lies where, the largest regions first")
