"""Filters over a snapshot: the rows that pass are those that pass in LanceDB, whatever is in them and is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sightline.schema import Encoded, Filter, Item, Manifest, Modality, Near, Place, version_of
from sightline.sources import HeldBytes
from sightline.store import Address, Store

MANIFEST = Manifest("fake", 4, "f" * 64)
DAY = datetime(2024, 6, 3, 10, tzinfo=UTC)

# letters with marks, digits that are none, joining signs, scripts without spaces; not the Turkish i, which differs
CHARACTERS = "aAbsSkK\u212a\u017f eé\u0301ßñ_-'\".,/\\%*()[]{}^$|?+ \t\n\x00\x1c 0129²½①Ⓐ\u200dΣσςж黒猫ไท한🙂"
WORDS = ("dog", "dogs", "dogsled", "puppies", "bus", "buses", "ie", "a", "the", "stop", "sign", "Stop ", "", "été")
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=12),
    st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join),
)


def row(
    number: int, text: str, name: str, camera: str, ocr: str | None, place: Place | None, day: int | None
) -> Encoded:
    vector = np.zeros(4, np.float32)
    vector[number % 4] = 1
    item = Item(
        f"file:///{number}/{name.encode().hex()}", name, HeldBytes(b""), text, modality=list(Modality)[number % 3]
    )
    taken = None if day is None else DAY + timedelta(days=day)
    return Encoded(item, version_of(b"%d" % number), 1, vector, b"", None, 1, 1, taken, camera, place, ocr, None)


PLACES = st.builds(
    Place, st.floats(-90, 90).map(lambda x: round(x, 3)), st.floats(-180, 180).map(lambda x: round(x, 3))
)
ROWS = st.tuples(TEXTS, TEXTS, TEXTS, st.none() | TEXTS, st.none() | PLACES, st.none() | st.integers(-3, 3))
MOMENTS = st.integers(-4, 4).map(lambda days: DAY + timedelta(days=days))
FILTERS = st.builds(
    lambda said, excluded: Filter(*said, excluded=excluded),
    st.one_of(
        st.tuples(
            st.sampled_from(("text", "words", "in", "camera")), TEXTS.filter(lambda one: one.strip("/ \n\t") != "")
        ),
        st.tuples(st.sampled_from(("after", "before", "added-after", "added-before")), MOMENTS),
        st.tuples(st.just("has"), st.sampled_from(("caption", "camera", "place", "date", "text"))),
        st.tuples(st.just("type"), st.sampled_from(("image", "video", "audio"))),
        st.tuples(st.just("near"), st.builds(Near, PLACES, st.sampled_from((0.5, 100.0, 5_000.0, 20_100.0)))),
    ),
    st.booleans(),
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Store]:
    """One collection, read in both ways."""
    address = Address(tmp_path_factory.mktemp("passing"))
    store = Store(address)
    store.create(MANIFEST)
    return store, Store(address, snapshot_rows=0, refresh_seconds=0)


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=12, derandomize=True)
@given(rows=st.lists(ROWS, min_size=4, max_size=12), asked=st.lists(FILTERS, min_size=12, max_size=24))
@example(
    rows=[("a\0dog", "", "", "\u212aitten", None, 0), ("xa a a", "A/b/C", "Canon", None, Place(48.85, 2.35), None)] * 2,
    asked=[
        Filter("words", "dog"),
        Filter("text", "kitten"),
        Filter("text", "a a"),
        Filter("in", "b"),
        Filter("camera", "canon", excluded=True),
        Filter("near", Near(Place(48.86, 2.35), 5.0), excluded=True),
        Filter("words", "the of"),
    ],
)
def test_the_same_rows_pass(
    stores: tuple[Store, Store],
    rows: list[tuple[str, str, str, str | None, Place | None, int | None]],
    asked: list[Filter],
) -> None:
    quick, slow = stores
    quick.remove([ident for chunk in slow.ids() for ident, _ in chunk])
    quick.upsert([row(number, *one) for number, one in enumerate(rows)])
    assert quick.mirror.update()
    snapshot = quick.mirror.current()
    assert snapshot is not None
    for one in asked:
        ours = {found.id for found in snapshot.newest(99, [one])}
        theirs = {found.id for found in slow.newest(99, filters=[one])}
        assert ours == theirs, one
    both = asked[:3]
    assert [one.id for one in snapshot.newest(99, both)] == [one.id for one in slow.newest(99, filters=both)]
