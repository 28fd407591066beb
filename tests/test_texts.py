"""What was read in the pictures, in the rows: found by full text, kept with the bytes, never put to other bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline import index, texts
from sightline.schema import Encoded, Item, Manifest, Reading, TextLine, version_of
from sightline.sources import HeldBytes
from sightline.store import Address, Store
from sightline.verify import verify

UNIT = np.array([1, 0, 0, 0], np.float32)
LINE = TextLine("STOP", 0.98, (0.1, 0.2, 0.3, 0.2, 0.3, 0.4, 0.1, 0.4))
STOP = Reading("fake 1", (LINE, TextLine("ALL WAY", 0.9, (0.0,) * 8)), (480, 270))
IMAGES = frozenset({"image"})


def row(name: str, content: bytes, text: str = "") -> Encoded:
    item = Item(f"file:///{name}", name, HeldBytes(content), text)
    return Encoded(item, version_of(content), len(content), UNIT, b"thumb", None, 10, 20)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(Address(tmp_path))
    store.create(Manifest("fake", 4, "f" * 64))
    index.tend(store)
    store.upsert([row("a", b"A", "a red bus"), row("b", b"B", "a stop"), row("twin of a", b"A"), row("c", b"C")])
    return store


def put(store: Store, reading: Reading, *names: str) -> int:
    rows = [one for one in texts.unread(store, modalities=IMAGES, retry=True) if one.uri[8:] in names]
    return texts.put(store, rows, {one.version: (reading.text, reading.dumps()) for one in rows})


def names(found: object) -> list[str]:
    return [one.name for one in found]  # type: ignore[attr-defined]


def unread(store: Store, *, retry: bool = False) -> list[str]:
    return sorted(one.uri[8:] for one in texts.unread(store, modalities=IMAGES, retry=retry))


def test_a_reading_comes_back_from_its_column_as_it_went_in() -> None:
    assert Reading.loads(STOP.dumps()) == STOP
    assert STOP.text == "STOP\nALL WAY"
    failed = Reading("fake 1", failed='it said "no"')
    assert Reading.loads(failed.dumps()) == failed


@pytest.mark.parametrize("column", [None, "", "null", "[]", "{}", '{"engine": "x", "size": [1, 2], "lines": [{}]}'])
def test_what_is_no_reading_is_none(column: str | None) -> None:
    assert Reading.loads(column) is None


def test_words_in_a_picture_are_found_apart_from_its_captions(store: Store) -> None:
    assert store.search_text("stop", 5, column="ocr") == []
    put(store, STOP, "a")
    index.tend(store)
    assert names(store.search_text("stop", 5, column="ocr")) == ["a"]
    assert names(store.search_text("all way", 5, column="ocr", vector=UNIT)) == ["a"]
    assert names(store.search_text("stop", 5)) == ["b"]
    put(store, STOP, "c")
    assert names(store.search_text("stop", 5, column="ocr")) == ["a", "c"]  # not in the index yet: it is scanned


def test_full_text_over_readings_is_made_when_the_first_picture_shows_text(store: Store) -> None:
    def indexed() -> set[str]:
        return {one.columns[0] for one in store.rows.table.list_indices()}

    put(store, Reading("fake 1"), "c")
    assert not index.tend(store)
    assert "ocr" not in indexed()
    put(store, STOP, "a")
    assert index.tend(store)
    assert "ocr" in indexed()
    assert not index.tend(store)


def test_damaged_full_text_over_readings_is_named_and_made_again(store: Store) -> None:
    put(store, STOP, "a")
    index.tend(store)
    assert "index of text" not in {one.id for one in verify(store).problems}
    for path in [path for path in (store.rows.folder / "_indices").rglob("*") if path.is_file()]:
        path.write_bytes(path.read_bytes()[:-9])
    again = Store(store.address)
    assert "index of text" in {one.id for one in verify(again).problems}
    index.tend(again)
    assert "index of text" not in {one.id for one in verify(again).problems}
    assert names(again.search_text("stop", 5, column="ocr")) == ["a"]


def test_null_is_never_read_and_empty_is_read(store: Store) -> None:
    assert unread(store) == ["a", "b", "c", "twin of a"]
    put(store, Reading("fake 1"), "c")
    put(store, STOP, "a")
    assert unread(store) == ["b", "twin of a"]
    assert texts.count_read(store) == 2
    item = store.get("file:///c")
    assert item is not None
    assert (item.ocr, item.reading) == ("", Reading("fake 1"))
    other = store.get("file:///b")
    assert other is not None
    assert (other.ocr, other.reading) == (None, None)


def test_a_failed_reading_is_tried_again_only_when_that_is_asked_for(store: Store) -> None:
    put(store, Reading("fake 1", failed="too odd"), "c")
    put(store, Reading("fake 1", (TextLine('"failed": ', 1.0, (0.0,) * 8),)), "b")
    assert unread(store) == ["a", "twin of a"]
    assert unread(store, retry=True) == ["a", "c", "twin of a"]


def test_copies_find_the_reading_of_their_bytes(store: Store) -> None:
    put(store, STOP, "a")
    put(store, Reading("fake 1", failed="too odd"), "c")
    versions = [version_of(content) for content in (b"A", b"B", b"C")]
    assert texts.readings(store, versions) == {version_of(b"A"): (STOP.text, STOP.dumps())}
    assert texts.readings(store, []) == {}


def test_a_reading_is_never_written_to_other_bytes_than_it_was_made_from(store: Store) -> None:
    rows = list(texts.unread(store, modalities=IMAGES))
    store.upsert([row("a", b"changed meanwhile")])
    assert texts.put(store, rows, {version_of(b"A"): (STOP.text, STOP.dumps())}) == 1
    assert unread(store) == ["a", "b", "c"]


def test_a_row_written_again_keeps_its_reading_and_a_changed_one_loses_it(store: Store) -> None:
    put(store, STOP, "a")
    (encoded,) = store.encodings([row("a", b"A").item.id]).values()
    moved = replace(encoded, item=replace(encoded.item, uri="file:///moved", name="moved"))
    store.upsert([moved, row("a", b"changed")])
    found = {name: store.get(f"file:///{name}") for name in ("moved", "a")}
    assert found["moved"] is not None and found["moved"].reading == STOP
    assert found["a"] is not None and found["a"].ocr is None


def test_the_json_of_an_item_shows_text_and_boxes(store: Store) -> None:
    put(store, STOP, "a")
    item = store.get("file:///a")
    assert item is not None
    shown = item.to_json()
    assert shown["ocr"] == "STOP\nALL WAY"
    assert shown["ocr_boxes"]["engine"] == "fake 1"
    assert shown["ocr_boxes"]["lines"][0] == {"text": "STOP", "confidence": 0.98, "box": list(LINE.box)}
