"""Which indexes a collection has and when they are tended. The store's third noun.

Full text over the captions, the names and what was read in the pictures; the cells of a large collection's snapshot, or
LanceDB's index where it has none, and how they are to be asked; compaction of small fragments, removal of versions that
nobody reads any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sightline import cells, recall
from sightline.ann import name_of, named, partitions_of
from sightline.fragments import damaged_indexes
from sightline.rows import FILE_WORDS, STOP_WORDS, is_in
from sightline.snapshot import Snapshot
from sightline.store import Store

KEEP_VERSIONS = timedelta(hours=1)
"""A reader in another process may still hold an older version: cleaning younger ones breaks it."""

CELLS = "IvfPca"
"""What `info` calls the index over vectors where the snapshot's cells are it, in the manner of LanceDB's names."""
TEXTS = frozenset({"text", "ocr", "name"})
"""Columns with full text: the captions, what was read in the pictures, the names of files and folders."""

FOREVER = timedelta(days=36_500)
ORPHANS_AT_ONCE = 1_000

MANY_FRAGMENTS = 24
MANY_UNINDEXED = 2_000
TOO_MANY_UNINDEXED = 20_000
"""LanceDB compares rows that are not in the index yet one by one: so many take as long as the index itself."""
MANY_PICTURE_FRAGMENTS = 256
"""Compaction rewrites every picture (3.4 s for 10,000 of 40 kB), so it waits far longer than for the rows."""
PARTITION = 4_096
"""Rows in a partition of the index over vectors (docs/LOG.md)."""
FEWEST_PARTITIONS = 16
OUTGROWN = 4
"""With so many times more, or fewer, partitions than it should have an index is made anew."""
LATER_SHARE = 20
"""Cells are made anew when one of so many rows came in after them; those are compared one by one."""
FEW_FRAGMENTS = 8
"""With no more, `optimize` leaves a side table alone: for an hour its files would only lie there twice."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """`unindexed` counts rows that an index lacks and that are scanned one by one; they are found all the same.

    `recall` is what the index over the vectors was measured to give; None: there is none, or it is not asked.
    """

    fragments: int
    unindexed: int
    vector_index: str | None
    recall: float | None


def state(store: Store) -> IndexState:
    told, now = _in_tables(store), store.mirror.current()
    own = None if now is None else store.vector_index.cells(now)
    if now is None or own is None:
        return told
    later = int(now.alive[own.slots :].sum())
    return replace(told, unindexed=max(told.unindexed, later), vector_index=CELLS, recall=_recall(store, own.name))


def _in_tables(store: Store) -> IndexState:
    """What LanceDB has, the cells apart: `tend` can mend no others."""

    def look(table: Any) -> IndexState:
        indices = {index.columns[0]: index for index in table.list_indices()}
        vector, text = indices.get("vector"), indices.get("text")
        unindexed = table.count_rows() if text is None else text.num_unindexed_rows
        for other in (indices.get("ocr"), vector):
            unindexed = max(unindexed or 0, (other.num_unindexed_rows or 0) if other is not None else 0)
        return IndexState(
            fragments=_fragments(table),
            unindexed=int(unindexed or 0),
            vector_index=None if vector is None else str(vector.index_type),
            recall=_recall(store, None if vector is None else vector.name),
        )

    return store.rows.read(look)


def _recall(store: Store, name: str | None) -> float | None:
    """What the index of this name was measured to give."""
    plan = store.vector_index.plan
    return plan.recall if plan is not None and plan.name == name else None


def keep_up(store: Store, *, always: bool = False, older_than: timedelta | None = None) -> None:
    """Tend the tables, bring the snapshot and its cells up to them, and measure how the index is to be asked.

    Each only where that is due, or `always`.
    """
    tend(store, always=always, older_than=older_than)
    store.mirror.update(tidy=always)
    index, plan = store.vector_index, store.vector_index.plan
    if not index.wanted(len(store)):
        return
    now = store.mirror.current()
    if now is not None:
        _make_cells(store, now)
    name = index.name_in(now)
    if always or plan is None or not recall.holds(plan, store, name):
        made = recall.measure(store, index.questions() if index.questions else None)
        if made is not None:
            index.keep(made)


def _make_cells(store: Store, now: Snapshot) -> None:
    """Where there are none, or many rows came in since. A folder that cannot be written to costs time, no more."""
    had = store.vector_index.cells(now)
    later = len(now) if had is None else int(now.comparable[had.slots :].sum())
    if had is None or later > max(MANY_UNINDEXED, len(now) // LATER_SHARE):
        with suppress(OSError):
            cells.make(now, store.mirror.folder, publishing=store.mirror.writing)


def tend(store: Store, *, always: bool = False, older_than: timedelta | None = None) -> bool:
    """Make what is missing and fold in what has gathered, if thresholds (or `always`) say so. True if it did.

    Versions older than `older_than` are forgotten, and with them the stored pictures that only they needed; None: the
    history that the store keeps, and never less than an hour.
    """
    now = _in_tables(store)
    rows = len(store)
    lacking = store.rows.read(_lacking)
    damaged = bool(damaged_indexes(store.rows.folder, store.rows.head()))
    if damaged:
        lacking = sorted({*store.rows.read(_worth_indexing), *(TEXTS & store.rows.read(_indexed))})
    if lacking:
        store.rows.write(partial(_index_text, columns=lacking), operation="full text")
        now = _in_tables(store)
    partitions = _partitions_due(store, rows, damaged=damaged)
    if partitions is not None:
        store.rows.write(partial(_index_vectors, partitions=partitions), operation="vector index")
    many = max(MANY_UNINDEXED, min(rows // 10, TOO_MANY_UNINDEXED))
    due = now.fragments > MANY_FRAGMENTS or now.unindexed > many
    keep = max(store.keep_history, KEEP_VERSIONS) if older_than is None else older_than
    if due or always:
        store.rows.write(partial(_optimize, keep=keep), operation="optimize")
        _forget(store)
    for side, many in ((store.pictures, MANY_PICTURE_FRAGMENTS), (store.skips, MANY_FRAGMENTS)):
        if side.exists and (older_than is not None or side.read(_fragments) > (FEW_FRAGMENTS if always else many)):
            side.write(partial(_optimize, keep=min(keep, KEEP_VERSIONS)))
    return due or always or bool(lacking) or partitions is not None


def _optimize(table: Any, *, keep: timedelta) -> None:
    """Compact, fold new rows into the indexes, forget the versions that were replaced longer than `keep` ago.

    LanceDB goes by the age of a version itself: of a collection that nobody touched for a month, the next write would
    at once lose the one before it. Hence two calls: the first only works, and the second, quick one, cleans by an age
    that is still true then. Files of a write that failed are left for a week, unless everything is to go: the writer
    lock says that nobody of ours is writing them now.
    """
    table.optimize(cleanup_older_than=FOREVER)
    if keep >= KEEP_VERSIONS:
        table.optimize(cleanup_older_than=_since_replaced(table, keep))
    else:  # not 0, which warns of what our caller has decided
        table.optimize(cleanup_older_than=max(keep, timedelta(milliseconds=1)), delete_unverified=not keep)


def _since_replaced(table: Any, keep: timedelta) -> timedelta:
    """The age beyond which versions go, so that the one that was the newest `keep` ago stays."""
    now = datetime.now(UTC)
    ages = [now - told["timestamp"].astimezone(UTC) for told in table.list_versions()]
    older = [age for age in ages if age > keep]
    return min(older) + timedelta(seconds=1) if older else keep


def _forget(store: Store) -> None:
    """Delete stored pictures that no version of the rows needs any more, and the notes on versions that are gone."""
    with store.lock.held():
        table = store.rows.another()
        versions = sorted(int(told["version"]) for told in table.list_versions())
        store.rows.notes.forget_before(versions[0])
        if not store.pictures.exists:
            return
        orphans = set(store.pictures.read(lambda t: t.search().select(["version"]).to_arrow())["version"].to_pylist())
        for version in reversed(versions):  # mostly the newest needs them all
            if not orphans:
                return
            table.checkout(version)
            orphans -= set(table.search().select(["version"]).to_arrow()["version"].to_pylist())
        gone = sorted(orphans)
        for start in range(0, len(gone), ORPHANS_AT_ONCE):
            some = is_in("version", gone[start : start + ORPHANS_AT_ONCE])
            store.pictures.write(lambda t, some=some: t.delete(some))  # type: ignore[misc]


def _fragments(table: Any) -> int:
    return int(table.stats()["fragment_stats"]["num_fragments"])


def _worth_indexing(table: Any) -> list[str]:
    """The captions and names always; what was read in the pictures from the first text on."""
    return ["text", "name", *(["ocr"] if table.count_rows("ocr <> ''") else [])]


def _lacking(table: Any) -> list[str]:
    there = _indexed(table)
    return [column for column in _worth_indexing(table) if column not in there]


def _indexed(table: Any) -> set[str]:
    return {index.columns[0] for index in table.list_indices()}


def _index_text(table: Any, columns: Sequence[str] = ("text",)) -> None:
    for column in columns:
        table.create_index(column, config=full_text(column))


def _partitions_due(store: Store, rows: int, *, damaged: bool) -> int | None:
    """How many partitions an index over the vectors should have that is missing or to be made anew; 0: it should go.

    None: all is well.
    """
    name = store.rows.read(name_of)
    if store.mirror.takes(rows) or not store.vector_index.wanted(rows) or store.manifest.dim % 8:
        return 0 if name is not None else None
    partitions = max(FEWEST_PARTITIONS, round(rows / PARTITION))
    if name is None or damaged:
        return partitions
    try:
        now = partitions_of(name)
    except ValueError:  # not of our making: its parameters are unknown
        return partitions
    return None if now / OUTGROWN <= partitions <= OUTGROWN * now else partitions


def _index_vectors(table: Any, partitions: int) -> None:
    """One bit for each dimension, in partitions; what was there before goes when the new one is there."""
    from lancedb.index import IvfRq

    former = name_of(table)
    if partitions:
        config = IvfRq(distance_type="cosine", num_partitions=partitions)
        table.create_index("vector", config=config, name=named(partitions))
    if former is not None and (not partitions or former != named(partitions)):
        table.drop_index(former)


def full_text(column: str) -> Any:
    """LanceDB's configuration of full text over a column."""
    from lancedb.index import FTS

    if column == "name":  # icu alone takes IMG_1234 and dog.jpg for one word each
        return FTS(base_tokenizer="icu/split", custom_stop_words=[*STOP_WORDS, *FILE_WORDS])
    # icu finds words in languages without spaces, where LanceDB's default tokenizer finds none; positions make
    # phrases work
    return FTS(base_tokenizer="icu", with_position=True, custom_stop_words=STOP_WORDS)
