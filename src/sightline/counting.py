"""counting: which pictures show a thing though their captions do not say so, for a question that asks how many.

Captions name what a person would name, not all that is there. Where an encoder is known to tell (`Calibration.seen`),
a picture counts too that shows each part of what is asked for: "a car at night" is a car, and night; each part is said
by its captions or seen by its vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sightline.background import Backgrounds
from sightline.encoders import Encoder
from sightline.facts import is_of_another_colour, is_said, parts
from sightline.retrieve import seen
from sightline.schema import Query, Term
from sightline.store import Store


def counted(
    store: Store,
    encoder: Callable[[], Encoder],
    query: Query,
    *,
    load: Callable[[str], bytes],
    backgrounds: Backgrounds | None = None,
) -> frozenset[str]:
    """Ids of the pictures that pass the filters of `query` and are to be counted as showing all of it."""
    several = parts(query.text)
    asked = several if len(several) > 1 else [query.text]
    left_out = tuple(term for term in query.terms if term.excluded)
    found: list[set[str]] = []
    texts: dict[str, str] = {}
    for part in asked:
        only = replace(query, terms=(Term(text=part), *left_out))
        hits = seen(store, encoder, only, load=load, backgrounds=backgrounds)
        found.append({hit.id for hit in hits})
        texts |= {hit.id: hit.text for hit in hits}
    return frozenset(
        ident
        for ident, text in texts.items()
        if not is_of_another_colour(text, query.text)
        and all(ident in own or is_said(text, part) for part, own in zip(asked, found, strict=True))
    )
