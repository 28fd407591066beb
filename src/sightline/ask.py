"""ask: a question, understood -> the evidence for it -> what a generator says of it, checked -> Answer.

Two steps, so that what cannot be asked is refused before anything is said: `gather` finds the evidence, `spoken` lets
the generator speak and checks each sentence (`grounding.py`). Between them stands a gate: where no picture is relevant
enough, or where nobody can say whether one is, the generator is not called, and the answer says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from sightline import calibrate
from sightline import query as query_language
from sightline.answers import Answer, Evidence, Intent, Question
from sightline.background import Backgrounds
from sightline.counting import counted
from sightline.encoders import Encoder
from sightline.errors import GeneratorError, QueryError
from sightline.facts import is_whole
from sightline.followups import about, pointed, resolve
from sightline.generate import Generator, Rewriter, name_of
from sightline.grounding import MOST, Grounding, check
from sightline.retrieve import MOST as MOST_HITS
from sightline.retrieve import grouped, retrieve
from sightline.schema import Hit, Query, StoredItem
from sightline.store import Store

MOST_SHOWN = 100
"""Largest k: what one answer can rest on and a person look at."""
FIRST_LOOK = 200
"""So many matches are looked for at first; only where there are more are all of them."""
NO_MARK = "the answer cites none of the pictures"


def gather(
    store: Store,
    encoder: Callable[[], Encoder],
    question: Question,
    k: int,
    *,
    load: Callable[[str], bytes],
    min_relevance: float,
    backgrounds: Backgrounds | None = None,
    only: Sequence[Hit] = (),
) -> Evidence:
    """The evidence for a question: the `k` best hits, near-duplicates folded, and all that match.

    `only`: the question is about these, nothing is looked for. Without a match `hits` are empty, or the nearest ones
    where their relevance cannot be said. Raises QueryError, CollectionMissing.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST_SHOWN:
        raise QueryError(f"k is {k!r}; a whole number from 1 to {MOST_SHOWN} was expected")
    query = question.query
    rows = store.count(where=query.where, filters=query.filters)
    if only:
        return _known(store, Evidence(question, tuple(only), tuple(only), rows))

    def find(most: int) -> list[Hit]:
        hits = retrieve(store, encoder, query, most, load=load, min_relevance=min_relevance, backgrounds=backgrounds)
        return list(hits)

    if query.terms and not calibrate.can_be_said(query):  # pictures and items: how alike is alike enough?
        nearest = tuple(grouped(store, find(FIRST_LOOK), k))
        return _known(store, Evidence(question, nearest, nearest, rows, complete=False))
    found, limit = find(FIRST_LOOK), FIRST_LOOK
    if len(found) == limit < rows:
        found, limit = find(MOST_HITS), MOST_HITS
    judged = [hit for hit in found if hit.relevance is not None] if query.terms else found
    judged.sort(key=lambda hit: not is_whole(hit, query.text))  # first what shows all of it; the order stays within
    shown = _in_time(question, grouped(store, (judged or found)[:FIRST_LOOK], k), judged, k)
    ids = {hit.id for hit in shown}
    matches = (*shown, *(hit for hit in judged if hit.id not in ids)) if judged else ()
    cutoff = min_relevance if query.terms else None
    complete = len(found) < limit or rows <= limit
    by_vector: frozenset[str] = frozenset()
    if question.intent is Intent.COUNT and matches:
        by_vector = counted(store, encoder, query, load=load, backgrounds=backgrounds)
    return _known(store, Evidence(question, tuple(shown), matches, rows, cutoff, complete, seen=by_vector))


def _in_time(question: Question, shown: Sequence[Hit], found: Sequence[Hit], k: int) -> list[Hit]:
    """What is shown for a "when": the last or the first ones, or the best with the first and the last of all."""
    dated = sorted((hit for hit in found if hit.captured_at), key=_moment)
    if question.intent is not Intent.WHEN or not dated:
        return list(shown)
    if question.asked in ("last", "first"):
        return dated[:k] if question.asked == "first" else dated[: -k - 1 : -1]
    edges = [hit for hit in (dated[0], dated[-1])[: max(0, k - 1)] if hit.id not in {one.id for one in shown}]
    return [*shown[: k - len(edges)], *edges]


def _moment(hit: Hit) -> float:
    return hit.captured_at.timestamp() if hit.captured_at else 0.0


def _known(store: Store, evidence: Evidence) -> Evidence:
    """With all that is known of each shown hit."""
    return replace(evidence, items=_Items(store, [hit.id for hit in evidence]))


class _Items(Mapping[str, StoredItem]):
    """All that a store knows of some ids, read when it is first looked at: a number needs none of it."""

    def __init__(self, store: Store, ids: Sequence[str]) -> None:
        self._store, self._ids = store, ids

    @cached_property
    def _known(self) -> Mapping[str, StoredItem]:
        return self._store.items(self._ids)

    def __getitem__(self, ident: str) -> StoredItem:
        return self._known[ident]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


# ---- speaking -------------------------------------------------------------------------------------------------


def spoken(
    evidence: Evidence, generator: Generator, timings: Mapping[str, float] | None = None
) -> Iterator[str | Answer]:
    """Pieces of text, checked, and last the Answer; joined they are its text.

    A generator that fails or breaks off leaves an incomplete answer with its pictures; nothing is raised for it.
    """
    started = time.perf_counter()
    answer = Answer(evidence.question, "", evidence.hits, generator=name_of(generator))
    said = _silence(evidence)
    if said is not None:
        text, reason = (check(one, ()).text for one in said)
        yield text
        yield replace(answer, text=text, reason=reason, abstained=True, timings=_times(timings, started))
        return
    grounding = Grounding([hit.id for hit in evidence])
    broken = ""
    try:
        for piece in _pieces(generator, evidence):
            yield from grounding.feed(piece)
            if grounding.is_full:
                broken = f"it was cut after {MOST:,} characters"
                break
    except GeneratorError as error:
        broken = f"{error}; {error.hint}" if error.hint else str(error)
    yield from grounding.end()
    checked = grounding.checked()
    silent = not broken and not any(one.citations for one in checked.statements)
    yield replace(
        answer,
        text=checked.text,
        statements=checked.statements,
        abstained=silent,
        reason=broken or (NO_MARK if silent else ""),
        incomplete=bool(broken),
        removed=checked.removed,
        timings=_times(timings, started),
    )


def _silence(evidence: Evidence) -> tuple[str, str] | None:
    """Why nothing is to be said: a sentence and a reason; None where there is something."""
    if evidence.matches:
        return None
    what, rows = wanted(evidence.question.query), evidence.rows
    if evidence.hits:
        return (
            f"Whether a picture here shows {what} cannot be said. The nearest are shown.",
            "how well pictures without captions fit, this model cannot tell",
        )
    if not rows:
        return "No picture passes the filters of this question.", "none passes the filters"
    filtered = " that pass its filters" if evidence.question.query.filters else ""
    counted = f"none of {rows:,} pictures" if rows > 1 else "the only picture"
    return (
        f"Nothing in this collection{filtered and ' that passes the filters'} shows {what}.",
        f"{counted}{filtered} matches {what} (relevance at least {evidence.cutoff:g})",
    )


def wanted(query: Query) -> str:
    """What is looked for, in quotation marks."""
    return f"“{query.text}”" if query.text else "that"


def _pieces(generator: Generator, evidence: Evidence) -> Iterator[str]:
    pieces = iter(generator.generate(evidence.question.raw, evidence))
    try:
        for piece in pieces:
            if not isinstance(piece, str):
                raise GeneratorError(
                    f"{name_of(generator)} yielded {type(piece).__name__}; pieces of text were expected"
                )
            yield piece
    finally:
        with suppress(AttributeError):
            pieces.close()  # type: ignore[attr-defined]  # a connection is let go


def _times(before: Mapping[str, float] | None, started: float) -> dict[str, float]:
    return {**(before or {}), "write": (time.perf_counter() - started) * 1000}


# ---- understanding --------------------------------------------------------------------------------------------


def understood(
    raw: str, before: Sequence[tuple[str, str] | Answer], generator: Generator, now: datetime | None = None
) -> tuple[Question, tuple[Hit, ...]]:
    """The question, and the hits that it points at: "the second one" of those answered before.

    A generator that can rewrites it; what it says is a query without files, or the rules' reading stays. Raises
    QueryError.
    """
    if before and isinstance(before[-1], Answer) and (places := pointed(raw, len(before[-1].hits))):
        only = tuple(before[-1].hits[place - 1] for place in places)
        return about(raw, [hit.id for hit in only], now), only
    question = resolve(raw, _last(before, now), now)
    return _rewritten(question, before, generator, now), ()


def _last(before: Sequence[tuple[str, str] | Answer], now: datetime | None) -> Question | None:
    last: Question | None = None
    for one in before:
        try:
            last = one.question if isinstance(one, Answer) else resolve(one[0], last, now)
        except QueryError:
            last = None
    return last


def _rewritten(
    question: Question, before: Sequence[tuple[str, str] | Answer], generator: Generator, now: datetime | None
) -> Question:
    if not isinstance(generator, Rewriter):
        return question
    pairs = [(one.question.raw, one.text) if isinstance(one, Answer) else one for one in before]
    try:
        said = generator.rewrite(question.raw, pairs)
        query = query_language.parse(said, now=now, files=False)
    except (GeneratorError, QueryError):
        return question
    return replace(question, query=replace(query, raw=question.raw), by=name_of(generator))
