"""Which indexes a collection has and when they are tended. The store's third noun; knows LanceDB's indexes only.

Today: full text over the captions, compaction of small fragments, removal of versions that nobody reads any more.
Vector search is exhaustive and exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sightline.store import Store

KEEP_VERSIONS = timedelta(hours=1)
"""A reader in another process may still hold an older version: cleaning younger ones breaks it."""

MANY_FRAGMENTS = 24
MANY_UNINDEXED = 2_000
MANY_PICTURE_FRAGMENTS = 256
"""Compaction rewrites every picture (3.4 s for 10,000 of 40 kB), so it waits far longer than for the rows."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """`unindexed` counts rows that full text still scans one by one; they are found all the same."""

    fragments: int
    unindexed: int
    vector_index: str | None


def state(store: Store) -> IndexState:
    def look(table: Any) -> IndexState:
        indices = {index.columns[0]: index for index in table.list_indices()}
        vector, text = indices.get("vector"), indices.get("text")
        unindexed = table.count_rows() if text is None else text.num_unindexed_rows
        return IndexState(
            fragments=_fragments(table),
            unindexed=int(unindexed or 0),
            vector_index=None if vector is None else str(vector.index_type),
        )

    return store.rows.read(look)


def tend(store: Store, *, always: bool = False) -> bool:
    """Make what is missing and fold in what has gathered, if thresholds (or `always`) say so. True if it did."""
    now = state(store)
    rows = len(store)
    has_text = any(index.columns == ["text"] for index in store.rows.table.list_indices())
    if not has_text:
        store.rows.write(_index_text)
        now = state(store)
    due = now.fragments > MANY_FRAGMENTS or now.unindexed > max(MANY_UNINDEXED, rows // 10)
    if due or always:
        store.rows.write(_optimize)
    for side, many in ((store.pictures, MANY_PICTURE_FRAGMENTS), (store.skips, MANY_FRAGMENTS)):
        if side.exists and (always or side.read(_fragments) > many):
            side.write(_optimize)
    return due or always or not has_text


def _optimize(table: Any) -> None:
    table.optimize(cleanup_older_than=KEEP_VERSIONS)


def _fragments(table: Any) -> int:
    return int(table.stats()["fragment_stats"]["num_fragments"])


STOP_WORDS = [
    *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "of", "on", "or"),
    *("such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with"),
]
"""Lucene's English list without its negations. LanceDB's own list holds words of many languages, "dog" among them."""


def _index_text(table: Any) -> None:
    from lancedb.index import FTS

    # icu finds words in languages without spaces, where LanceDB's default tokenizer finds none; positions make
    # phrases work
    table.create_index("text", config=FTS(base_tokenizer="icu", with_position=True, custom_stop_words=STOP_WORDS))
