"""Presence: what it says is not in a collection is not, however the collection changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from sightline import presence
from sightline.fragments import Fragment
from sightline.presence import Presence
from sightline.schema import Encoded, Item, Manifest, item_id, version_of
from sightline.sources import HeldBytes
from sightline.store import Address, Store

MANIFEST = Manifest("fake", 8, "f" * 64)


def rows(*numbers: int) -> list[Encoded]:
    vector = np.eye(8, dtype=np.float32)[0]
    return [
        Encoded(Item(uri(one), f"{one}", HeldBytes(b"")), version_of(b"%d" % one), 1, vector, b"", None, 1, 1)
        for one in numbers
    ]


def uri(number: int) -> str:
    return f"file:///{number}"


def ids(*numbers: int) -> list[str]:
    return [item_id(uri(one)) for one in numbers]


def contents(*numbers: int) -> list[str]:
    return [version_of(b"%d" % one) for one in numbers]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(Address(tmp_path), refresh_seconds=0)
    made.create(MANIFEST)
    made.upsert(rows(*range(10)))
    return made


def test_only_what_may_be_there_is_asked_for(store: Store) -> None:
    known = Presence(store)
    assert known.ids(ids(3, 99, 7)) == ids(3, 7)
    assert known.contents(contents(99, 0)) == contents(0)
    assert known.ids([]) == []


CHANGES: dict[str, Callable[[Store], object]] = {
    "added": lambda store: store.upsert(rows(50)),
    "added by many commits": lambda store: [store.upsert(rows(number)) for number in (48, 49, 50)],
    "added by another process": lambda store: Store(store.address).upsert(rows(50)),
    "added and compacted": lambda store: (store.upsert(rows(50)), store.rows.table.optimize()),
    "written anew": lambda store: store.replace_rows(MANIFEST, iter([rows(50)]), {}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_came_since_is_seen(store: Store, name: str) -> None:
    known = Presence(store)
    assert known.ids(ids(50)) == []
    CHANGES[name](store)
    assert known.ids(ids(50, 51)) == ids(50)
    assert known.contents(contents(50, 51)) == contents(50)


def test_a_row_that_is_gone_and_comes_back_is_seen(store: Store) -> None:
    known = Presence(store)
    store.remove(ids(3))
    assert known.ids(ids(4)) == ids(4)
    store.upsert(rows(3))
    assert known.ids(ids(3)) == ids(3)


def test_only_new_fragments_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    rows_of = presence._rows

    def counted(table: object, new: Sequence[Fragment], *, most: bool) -> Iterator[object]:
        read.append(len(new))
        return rows_of(table, new, most=most)

    monkeypatch.setattr(presence, "_rows", counted)
    known = Presence(store)
    known.ids(ids(1))
    known.ids(ids(2))
    store.upsert(rows(50))
    known.ids(ids(1))
    store.remove(ids(1, 2, 3))  # a deletion changes no file with rows
    known.ids(ids(1))
    assert read == [1, 1, 0]


def test_where_the_manifest_cannot_be_read_everything_may_be_there(store: Store) -> None:
    known = Presence(store)
    store.rows.table.count_rows()
    for path in (store.rows.folder / "_versions").glob("*.manifest"):
        path.unlink()
    assert known.ids(ids(3, 99)) == ids(3, 99)


def test_more_than_are_kept_unsorted_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "MOST_UNSORTED", 10)
    hashes = presence._Hashes()
    numbers = np.arange(0, 1000, 2, dtype=np.uint64)
    for start in range(0, len(numbers), 7):
        hashes.add(numbers[start : start + 7])
    assert hashes.have(np.arange(1000, dtype=np.uint64)).tolist() == [number % 2 == 0 for number in range(1000)]
