"""retrieve(): Query -> Hits. Encode, ask each channel, fuse the ranks, tell why.

Channels: `vector` (cosine to every picture) and `text` (BM25 over the captions). They are fused by reciprocal rank
(Cormack, Clarke and Büttcher, SIGIR 2009) with one change: a caption's share is scaled by its BM25 relative to the best
caption's. Plain RRF let a weak encoder push down the one picture whose caption says it all: decisions/0004.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.encoders import Encoder, PreparingEncoder
from sightline.errors import BadMedia, QueryError
from sightline.rows import Found
from sightline.schema import Channel, Hit, Hits, Query
from sightline.store import Store

CHANNELS = ("vector", "text")
MOST = 1_000
"""Largest k."""
RRF_K = 60
TEXT_WEIGHT = 4.0
DEPTH = 4
"""Each channel is asked for DEPTH * k rows (at least 50), so that a row low in one can rise by the other."""


def retrieve(
    store: Store,
    encoder: Callable[[], Encoder],
    query: Query,
    k: int = 10,
    *,
    load: Callable[[str], bytes],
    exact: bool = False,
    channels: Sequence[str] = CHANNELS,
) -> Hits:
    """The `k` best hits, best first. `encoder` is called only when the query has to be encoded; `load(id)` gives a
    hit's picture.

    Raises QueryError: k outside 1..1000, an unknown channel, an unknown item, a picture that cannot be decoded.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST:
        raise QueryError(f"k is {k!r}; a whole number from 1 to {MOST:,} was expected")
    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown or not channels:
        raise QueryError(f"channels are {', '.join(CHANNELS)}; '{', '.join(unknown)}' was given")
    depth = min(max(50, DEPTH * k), DEPTH * MOST)
    vector = _query_vector(store, encoder, query)
    by_vector = store.search(vector, depth, where=query.where, exact=exact) if "vector" in channels else []
    by_text: list[Found] = []
    if "text" in channels and query.text:
        by_text = store.search_text(query.text, depth, vector=vector, where=query.where)
    ranked = _fuse(by_vector, by_text)
    own = {term.item for term in query.terms if term.item}
    best = [one for one in ranked if one.found.id not in own][:k]
    return Hits(query, tuple(_hit(rank, one, load) for rank, one in enumerate(best, start=1)))


@dataclass(slots=True)
class _Fused:
    found: Found
    score: float
    share: float
    why: dict[str, Channel]


def _query_vector(store: Store, encoder: Callable[[], Encoder], query: Query) -> NDArray[np.float32]:
    """One unit vector (dim,) for the query's term."""
    term = query.terms[0]
    if term.item:
        vector = store.vector(term.item)
        if vector is None:
            raise QueryError(f"there is no item '{term.item}' in '{store.address}'", hint="search --json shows ids")
        return vector
    if term.picture is not None:
        model = encoder()
        target = model.image_target if isinstance(model, PreparingEncoder) else None
        try:
            decoded = media.decode(term.picture, target=target, longest=media.PREVIEW)  # as ingest does
        except BadMedia as error:
            raise QueryError(f"the picture '{term.name}' cannot be used: {error}", hint=error.hint) from None
        return np.asarray(model.encode_image([decoded.image])[0])
    return np.asarray(encoder().encode_text([term.text])[0])


def _fuse(by_vector: Sequence[Found], by_text: Sequence[Found]) -> list[_Fused]:
    fused: dict[str, _Fused] = {}
    for rank, found in enumerate(by_vector, start=1):
        one = fused.setdefault(found.id, _Fused(found, found.score, 0.0, {}))
        one.why["vector"] = Channel(rank, found.score)
        one.share += 1 / (RRF_K + rank)
    for rank, found in enumerate(by_text, start=1):
        cosine = found.cosine if found.cosine is not None else 0.0
        one = fused.setdefault(found.id, _Fused(found, cosine, 0.0, {}))
        one.why["text"] = Channel(rank, found.score)
        one.share += TEXT_WEIGHT * (found.score / by_text[0].score) / (RRF_K + rank)
    return sorted(fused.values(), key=lambda one: (-one.share, -one.score, one.found.id))


def _hit(rank: int, one: _Fused, load: Callable[[str], bytes]) -> Hit:
    score = float(np.clip(one.score, -1.0, 1.0))
    return replace(hit_of(one.found, rank, load), score=score, why=one.why)


def hit_of(found: Found, rank: int, load: Callable[[str], bytes]) -> Hit:
    """A row as a hit; its picture is loaded and decoded when it is asked for."""
    return Hit(
        rank=rank,
        id=found.id,
        uri=found.uri,
        name=found.name,
        score=found.score,
        text=found.text,
        modality=found.modality,
        load=functools.partial(load, found.id),
        decode=media.upright,
        captured_at=found.captured_at,
    )
