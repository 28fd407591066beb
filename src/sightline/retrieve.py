"""retrieve(): Query -> Hits. Encode, ask each channel, fuse, keep the best, tell why.

A channel is a way of finding rows: `vector` (cosine to every picture), `text` (BM25 over the captions). What they find
becomes one list of candidates (`fusion.py`); what is kept of it, and in which order, is decided by steps that each take
and return candidates.

Several terms become one vector: the weighted sum of the positive ones, less half the mean of those to be left out
(measured: docs/LOG.md). What is left out in words is also left out of the captions. A query of filters alone lists the
newest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.encoders import Encoder, PreparingEncoder
from sightline.errors import BadMedia, QueryError
from sightline.fusion import Candidate, fuse
from sightline.rows import Found
from sightline.schema import Filter, Hit, Hits, Query, Term
from sightline.store import Store

SORTS = ("score", "date")
MOST = 1_000
"""Largest k."""
EXCLUSION = 0.5
"""How much of what is to be left out (the mean of its vectors) is subtracted from the unit vector of what is wanted."""
DEPTH = 4
"""Each channel is asked for DEPTH * k rows (at least 50), so that a row low in one can rise by the other."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every channel is asked: `vector` (dim,) and `words` for the same rows, those that pass, `depth` of them."""

    vector: NDArray[np.float32]
    words: str
    depth: int
    where: str | None
    filters: tuple[Filter, ...]
    exact: bool


def _by_vector(store: Store, asked: Asked) -> list[Found]:
    return store.search(asked.vector, asked.depth, where=asked.where, filters=asked.filters, exact=asked.exact)


def _by_text(store: Store, asked: Asked) -> list[Found]:
    if not asked.words:
        return []
    return store.search_text(asked.words, asked.depth, vector=asked.vector, where=asked.where, filters=asked.filters)


ASK: Mapping[str, Callable[[Store, Asked], list[Found]]] = {"vector": _by_vector, "text": _by_text}
"""How each channel is asked; how much it has to say is in `fusion.VOICES`."""
CHANNELS = tuple(ASK)


def retrieve(
    store: Store,
    encoder: Callable[[], Encoder],
    query: Query,
    k: int = 10,
    *,
    load: Callable[[str], bytes],
    exact: bool = False,
    channels: Sequence[str] = CHANNELS,
    sort: str = "score",
) -> Hits:
    """The `k` best hits, best first. `encoder` is called only when the query has to be encoded; `load(id)` gives a
    hit's picture. `sort` by `date` puts those `k` in order of when they were taken, the last first; ranks stay.

    Raises QueryError: k outside 1..1000, an unknown channel or sort, an unknown item, a picture that cannot be decoded,
    terms that cancel each other out.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST:
        raise QueryError(f"k is {k!r}; a whole number from 1 to {MOST:,} was expected")
    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown or not channels:
        raise QueryError(f"channels are {', '.join(CHANNELS)}; '{', '.join(unknown)}' was given")
    if sort not in SORTS:
        raise QueryError(f"sort is '{sort}'; {' or '.join(SORTS)} was expected")
    if not query.terms:
        newest = store.newest(k, where=query.where, filters=query.filters)
        return Hits(query, tuple(hit_of(found, rank, load) for rank, found in enumerate(newest, start=1)))
    own = {term.item for term in query.terms if term.item}
    asked = Asked(
        vector=_query_vector(store, encoder, query.terms),
        words=query.text,
        depth=min(max(50, DEPTH * k), DEPTH * MOST) + len(own),
        where=query.where,
        filters=(*query.filters, *_left_out(query.terms)),
        exact=exact,
    )
    candidates = fuse({name: ask(store, asked) for name, ask in ASK.items() if name in channels})
    candidates = [one for one in candidates if one.id not in own]
    # Relevance, a cut by it, folding of near-duplicates and diversity stand here, in this order.
    hits = [_hit(rank, one, load) for rank, one in enumerate(candidates[:k], start=1)]
    if sort == "date":
        hits.sort(key=lambda hit: hit.captured_at.timestamp() if hit.captured_at else -np.inf, reverse=True)
    return Hits(query, tuple(hits))


def _left_out(terms: Sequence[Term]) -> list[Filter]:
    """A row whose captions hold the words of a term that is left out is no hit, in no channel."""
    return [Filter("words", term.text, excluded=True) for term in terms if term.text and term.excluded]


def _query_vector(store: Store, encoder: Callable[[], Encoder], terms: Sequence[Term]) -> NDArray[np.float32]:
    """One unit vector (dim,) for all terms; for a single one it is the encoder's own."""
    if len(terms) == 1:
        return _vector_of(store, encoder, terms[0])
    vectors = np.stack([_vector_of(store, encoder, term) for term in terms])  # (terms, dim)
    weights = np.array([term.weight for term in terms], np.float32)
    wanted = weights[weights > 0] @ vectors[weights > 0]
    if (weights > 0).all():
        return _unit(wanted)
    unwanted = -weights[weights < 0] @ vectors[weights < 0] / (weights < 0).sum()
    return _unit(_unit(wanted) - EXCLUSION * unwanted)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    if not length > 1e-4:
        raise QueryError(
            "the terms of this query cancel each other out", hint="leave something out that is not looked for as well"
        )
    return (vector / length).astype(np.float32)


def _vector_of(store: Store, encoder: Callable[[], Encoder], term: Term) -> NDArray[np.float32]:
    """One unit vector (dim,) for one term, whatever its weight."""
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


def _hit(rank: int, one: Candidate, load: Callable[[str], bytes]) -> Hit:
    score = float(np.clip(one.score, -1.0, 1.0))
    shown = hit_of(one.found, rank, load)
    return replace(shown, score=score, why=one.why, relevance=one.relevance, group=one.group)


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
