"""retrieve(): Query -> Hits. Encode, ask each channel, fuse, keep the best, tell why.

A channel is a way of finding rows: `vector` (cosine to every picture), and BM25 over words: `text` (the captions),
`ocr` (what was read in the picture), `name` (its file and folders). What they find becomes one list of candidates
(`fusion.py`); what is kept of it, and in which order, is decided by steps that each take and return candidates.

Several terms become one vector: the weighted sum of the positive ones, less half the mean of those to be left out
(measured: docs/LOG.md). What is left out in words is also left out of the captions. A query of filters alone lists the
newest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline import calibrate, media
from sightline.background import Backgrounds
from sightline.encoders import Encoder, PreparingEncoder
from sightline.errors import BadMedia, QueryError
from sightline.fusion import ALONE, Candidate, fuse, voices
from sightline.groups import Portrait, fold, various
from sightline.looks import look
from sightline.rows import Found
from sightline.schema import Filter, Hit, Hits, Modality, Query, Term
from sightline.store import Store
from sightline.strength import measured

SORTS = ("score", "date")
MOST = 1_000
"""Largest k."""
EXCLUSION = 0.5
"""How much of what is to be left out (the mean of its vectors) is subtracted from the unit vector of what is wanted."""
DEPTH = 4
"""Each channel is asked for DEPTH * k rows (at least 50), so that a row low in one can rise by the other."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every channel is asked: `vector` (dim,) and `words` for the same rows, those that pass; `k` are shown."""

    vector: NDArray[np.float32]
    words: str
    where: str | None
    filters: tuple[Filter, ...]
    exact: bool
    k: int


Ask: TypeAlias = Callable[[Store, Asked, int], list[Found]]
"""At most so many rows of a store, best first."""


def _by_vector(store: Store, asked: Asked, depth: int) -> list[Found]:
    return store.search(asked.vector, depth, where=asked.where, filters=asked.filters, exact=asked.exact, sure=asked.k)


def _by_words(column: str) -> Ask:
    """Full text over a column."""

    def ask(store: Store, asked: Asked, depth: int) -> list[Found]:
        if not asked.words:
            return []
        return store.search_text(
            asked.words, depth, column=column, vector=asked.vector, where=asked.where, filters=asked.filters
        )

    return ask


ASK: Mapping[str, Ask] = {
    "vector": _by_vector,
    "text": _by_words("text"),
    "ocr": _by_words("ocr"),
    "name": _by_words("name"),
}
"""How each channel is asked; how much it has to say is in `fusion.voices`."""
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
    group: bool = False,
    diverse: bool = False,
    min_relevance: float | None = None,
    backgrounds: Backgrounds | None = None,
) -> Hits:
    """The `k` best hits, best first. `encoder` is called only when the query has to be encoded; `load(id)` gives a
    hit's picture. `sort` by `date` puts those `k` in order of when they were taken, the last first; ranks stay.
    `group` folds near-duplicates into the best of them, and looks further down so that `k` come back; `diverse` ranks
    what is unlike the hits before it higher. With `min_relevance` each hit is given its relevance, where that can be
    said (`calibrate.can_be_said`), and what has less is cut; `backgrounds` keeps what that needs between searches.

    Raises QueryError: k outside 1..1000, `min_relevance` outside 0..1, an unknown channel or sort, an unknown item, a
    picture that cannot be decoded, terms that cancel each other out.
    """
    _check(k, channels, sort, min_relevance)
    cutoff = min_relevance if calibrate.can_be_said(query) else None
    own = {term.item for term in query.terms if term.item}
    depth = min(max(50, DEPTH * k), DEPTH * MOST) + len(own)
    asked = _asked(store, encoder, query, exact, k) if query.terms else None
    while True:
        seen = _fused(store, encoder, asked, channels, depth) if asked else _newest(store, query, depth)
        is_all = len(seen) < depth
        seen = [one for one in seen if one.id not in own]
        if asked and cutoff is not None:
            seen = _judged(store, encoder, asked, channels, seen, backgrounds or Backgrounds(store))
        candidates = [one for one in seen if fits(one.relevance, cutoff)]
        is_cut = len(candidates) < len(seen)  # what is further down would hardly stay
        if group:
            candidates = _folded(store, candidates, None if diverse else k)
        if not group or len(candidates) >= k or is_all or is_cut or depth >= DEPTH * MOST:
            break
        depth = min(4 * depth, DEPTH * MOST)
    if diverse:
        candidates = _varied(store, candidates, k)
    hits = [_hit(rank, one, load) for rank, one in enumerate(candidates[:k], start=1)]
    if sort == "date":
        hits.sort(key=lambda hit: hit.captured_at.timestamp() if hit.captured_at else -np.inf, reverse=True)
    return Hits(query, tuple(hits), cutoff, near_misses=sum(not fits(one.relevance, cutoff) for one in seen[:k]))


def seen(
    store: Store,
    encoder: Callable[[], Encoder],
    query: Query,
    *,
    load: Callable[[str], bytes],
    backgrounds: Backgrounds | None = None,
) -> list[Hit]:
    """The pictures to be counted as showing what `query` says, by their vectors alone, the nearest first, 1,000 at
    most; their relevance says how likely each does. None where that cannot be said of the encoder (`Calibration.seen`).
    """
    judge = calibrate.calibration(store.manifest.fingerprint)
    if judge.seen is None or not calibrate.can_be_said(query):
        return []
    asked = _asked(store, encoder, query, False, MOST)
    found = _fused(store, encoder, asked, ("vector",), MOST)
    if not found:
        return []
    vectors = store.vectors([one.id for one in found])  # (n, dim)
    background = (backgrounds or Backgrounds(store)).get(encoder)
    chances = judge.seen(calibrate.gather(asked.words, asked.vector, vectors, [""] * len(found), background))
    kept = [replace(one, relevance=float(p)) for one, p in zip(found, chances, strict=True) if p >= judge.counted_from]
    return [_hit(rank, one, load) for rank, one in enumerate(kept, start=1)]


def _check(k: int, channels: Sequence[str], sort: str, min_relevance: float | None) -> None:
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST:
        raise QueryError(f"k is {k!r}; a whole number from 1 to {MOST:,} was expected")
    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown or not channels:
        raise QueryError(f"channels are {', '.join(CHANNELS)}; '{', '.join(unknown)}' was given")
    if sort not in SORTS:
        raise QueryError(f"sort is '{sort}'; {' or '.join(SORTS)} was expected")
    if min_relevance is not None and not 0 <= min_relevance <= 1:
        raise QueryError(f"the least relevance is {min_relevance!r}; a number from 0 to 1 was expected")


def _asked(store: Store, encoder: Callable[[], Encoder], query: Query, exact: bool, k: int) -> Asked:
    return Asked(
        vector=_query_vector(store, encoder, query.terms),
        words=query.text,
        where=query.where,
        filters=(*query.filters, *_left_out(query.terms)),
        exact=exact,
        k=k,
    )


def fits(relevance: float | None, cutoff: float | None) -> bool:
    """Whether a hit stays: also one of which relevance cannot be said."""
    return relevance is None or cutoff is None or relevance >= cutoff


def _judged(
    store: Store,
    encoder: Callable[[], Encoder],
    asked: Asked,
    channels: Sequence[str],
    candidates: Sequence[Candidate],
    backgrounds: Backgrounds,
) -> list[Candidate]:
    """The candidates with their relevance, None where it cannot be said."""
    if not candidates:
        return []
    vectors = store.vectors([one.id for one in candidates])  # (n, dim)
    texts = [f"{one.found.text}\n{one.found.ocr}\n{_named(one)}" for one in candidates]
    evidence = calibrate.gather(asked.words, asked.vector, vectors, texts, backgrounds.get(encoder))
    said = calibrate.calibration(store.manifest.fingerprint)(evidence, channels)
    return [
        Candidate(one.found, one.score, one.fused, one.why, None if math.isnan(chance) else chance)
        for one, chance in zip(candidates, said.tolist(), strict=True)
    ]


def _named(one: Candidate) -> str:
    """The words of the file's name where they were what was found; any picture has a name, and most say nothing."""
    return one.found.name.replace(".", " ") if "name" in one.why else ""


def _fused(
    store: Store, encoder: Callable[[], Encoder], asked: Asked, channels: Sequence[str], depth: int
) -> list[Candidate]:
    found = {name: ask(store, asked, depth) for name, ask in ASK.items() if name in channels}
    in_words = any(rows for name, rows in found.items() if name != "vector")
    if not (in_words and found.get("vector")):
        return fuse(found, ALONE)
    here = measured(store, encoder)
    return fuse(found, voices(asked.words, here.strength, here.rows, here.captioned))


def _newest(store: Store, query: Query, depth: int) -> list[Candidate]:
    """What a query of filters alone finds, by falling date."""
    found = store.newest(depth, where=query.where, filters=query.filters)
    return [Candidate(one, 0.0, -float(rank), {}) for rank, one in enumerate(found)]


def grouped(store: Store, hits: Sequence[Hit], most: int) -> list[Hit]:
    """At most `most` of the hits, near-duplicates folded into the best of them, as a search with `group` does."""
    rows = store.found([hit.id for hit in hits])
    there = {hit.id: hit for hit in hits if hit.id in rows}
    candidates = [Candidate(rows[hit.id], hit.score, 0.0, hit.why) for hit in there.values()]
    return [replace(there[one.id], group=one.group, alike=one.alike) for one in _folded(store, candidates, most)]


def _folded(store: Store, candidates: Sequence[Candidate], most: int | None) -> list[Candidate]:
    """The best of each group of near-duplicates, in order, with the ids of the others; the least id names the group.

    At most `most` of them: what would come after them is not looked at.
    """
    older = [one.id for one in candidates if not one.found.look]
    thumbnails = store.thumbnails(older) if older else {}
    found = [one.found for one in candidates]
    portraits = [
        Portrait(
            version=one.version if one.modality == Modality.IMAGE else "",
            look=one.look or look(thumbnails.get(one.id, b"")),
            camera=one.camera,
            taken=one.captured_at,
        )
        for one in found
    ]
    folded = []
    for first, *others in fold(portraits, most):
        alike = tuple(found[at].id for at in others)
        name = min(found[first].id, *alike) if alike else None
        folded.append(replace(candidates[first], group=name, alike=alike))
    return folded


def _varied(store: Store, candidates: Sequence[Candidate], k: int) -> list[Candidate]:
    if not candidates:
        return []
    pool = candidates[: max(50, DEPTH * k)]
    vectors = store.vectors([one.id for one in pool])
    there = np.flatnonzero(np.isfinite(vectors).all(axis=1)).tolist()
    worth = np.array([pool[at].fused for at in there], np.float32)
    return [pool[there[at]] for at in various(vectors[there], worth, k)]


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
    return replace(shown, score=score, why=one.why, relevance=one.relevance, group=one.group, alike=one.alike)


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
        width=found.width,
        height=found.height,
        version=found.version,
    )
