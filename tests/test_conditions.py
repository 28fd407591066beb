"""Filters on a real collection: which rows pass, that nothing typed gets out of its quotes, that gaps are told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes import FakeEncoder
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pictures import paint, write_captions
from PIL import Image

import sightline
from sightline.conditions import condition
from sightline.errors import CollectionError, QueryError
from sightline.schema import Filter, Query, Term

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


def photo(
    path: Path,
    colour: tuple[int, int, int],
    *,
    taken: str = "",
    camera: tuple[str, str] = ("", ""),
    at: tuple[tuple[float, ...], str, tuple[float, ...], str] | None = None,
) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = camera
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
        exif.get_ifd(0x8769)[0x9011] = "+00:00"
    if at:
        exif.get_ifd(0x8825).update({2: at[0], 1: at[1], 4: at[2], 3: at[3]})
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), colour).save(path, "JPEG", exif=exif)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> sightline.Collection:
    folder = tmp_path_factory.mktemp("pictures")
    paris, sydney = ((48.0, 51.0, 24.12), "N", (2.0, 21.0, 3.0), "E"), ((33.0, 51.0, 0.0), "S", (151.0, 12.0, 0.0), "E")
    fuji = ((17.0, 45.0, 0.0), "S", (179.0, 59.0, 0.0), "W")
    photo(
        folder / "My Holiday" / "red.jpg",
        (250, 0, 0),
        taken="2024:06:03 10:00:00",
        camera=("Canon", "Canon EOS 5D"),
        at=paris,
    )
    photo(
        folder / "2024" / "Été" / "green.jpg",
        (0, 250, 0),
        taken="2023:12:31 23:59:59",
        camera=("Apple", "iPhone 12"),
        at=sydney,
    )
    photo(folder / "blue.jpg", (0, 0, 250), taken="2026:11:20 18:30:00", at=fuji)
    paint(folder / "dark.png", (0, 0, 0))
    write_captions(
        folder,
        {
            "My Holiday/red.jpg": "a Stop   sign\nbuses and puppies",
            "2024/Été/green.jpg": 'it\'s a category of cats; \\ "quoted" 100%_',
            "blue.jpg": "黒い猫が座る",
        },
    )
    made = sightline.open(f"{tmp_path_factory.mktemp('t')}/t", model=FakeEncoder())
    made.ingest(folder)
    return made


def found(collection: sightline.Collection, text: str) -> set[str]:
    return {hit.name.rsplit("/", 1)[-1].split(".")[0] for hit in collection.search(text, 50, now=NOW)}


EVERY = {"red", "green", "blue", "dark"}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("on:2024-06-03", {"red"}),
        ("on:2023", {"green"}),
        ("after:2024 before:2026", {"red"}),
        ("on:yesterday has:camera", set()),
        ("has:camera", {"red", "green"}),
        ("has:place", {"red", "green", "blue"}),
        ("has:caption", {"red", "green", "blue"}),
        ("- has:caption", {"dark"}),
        ("camera:canon", {"red"}),
        ('camera:"apple IPHONE"', {"green"}),
        ("- camera:canon", {"green", "blue", "dark"}),
        ("in:holiday", set()),
        ('in:"my holiday"', {"red"}),
        ('in:"My Holiday/"', {"red"}),
        ("in:été", {"green"}),
        ("in:2024/Été", {"green"}),
        ("- in:2024", {"red", "blue", "dark"}),
        ("type:image", EVERY),
        ("type:video", set()),
        ('text:"stop sign"', {"red"}),
        ("text:sign", {"red"}),
        ("text:cat", set()),
        ("text:cats", {"green"}),
        ("text:it's", {"green"}),
        ('text:"100%_"', {"green"}),
        ("text:100%.", set()),
        ("text:猫", {"blue"}),
        ("- text:cats", {"red", "blue", "dark"}),
        ('near:"48.8584,2.2945,10km"', {"red"}),
        ('near:"48.8584,2.2945,1km"', set()),
        ('near:"-33.85,151.2,100m"', {"green"}),
        ('near:"-17.75,179.99,10km"', {"blue"}),
        ('- near:"48.85,2.35,10km"', {"green", "blue", "dark"}),
        ("near:0,0,20100km", {"red", "green", "blue"}),
        ("added:today", EVERY),
    ],
)
def test_rows_pass_a_filter_alone_and_in_every_channel(
    collection: sightline.Collection, filters: str, names: set[str]
) -> None:
    if filters == "added:today":
        filters = f"added-after:{datetime.now(UTC).year - 1}"
    assert found(collection, filters) == names
    joined = filters if filters.startswith("- ") else f"+ {filters}".removeprefix("+ ")
    assert found(collection, f"stop red {joined}") == names


def test_filters_and_the_owners_sql_both_hold_whatever_ends_it(collection: sightline.Collection) -> None:
    for where in ("width > 1", "width > 1 OR height < 1", "width > 1 -- a comment"):
        hits = collection.search("red in:2024", 50, where=where)
        assert [hit.name for hit in hits] == ["2024/Été/green.jpg"]
    assert not collection.search("red in:2024", 50, where="width > 1000")
    with pytest.raises(QueryError, match="where-clause 'nonsense"):
        collection.search("red in:2024", where="nonsense =")


def test_filters_alone_list_the_newest_first(collection: sightline.Collection) -> None:
    hits = collection.search("type:image", 50)
    dates = [hit.captured_at for hit in hits]
    assert dates == sorted(dates, key=lambda date: date.timestamp() if date else 0, reverse=True)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert len(collection.search("type:image", 2)) == 2


@pytest.mark.parametrize(
    ("term", "gone"),
    [
        ("sign", {"red"}),
        ("signs", {"red"}),
        ("bus", {"red"}),
        ("puppy", {"red"}),
        ("cat", {"green"}),
        ("categories", {"green"}),
        ("a stop bus", {"red"}),
        ("stop cat", set()),
        ("the of a", set()),
        ("cate", set()),
        ('"\'; DROP --"', set()),
    ],
)
def test_what_is_left_out_in_words_is_left_out_of_the_captions(
    collection: sightline.Collection, term: str, gone: set[str]
) -> None:
    for channels in (("vector",), ("vector", "text")):
        hits = collection.search(f"red - {term}", 50, channels=channels)
        assert {hit.name.rsplit("/", 1)[-1].split(".")[0] for hit in hits} == EVERY - gone


naughty = st.one_of(
    st.text(max_size=30), st.lists(st.sampled_from("'\"\\;%_-*()[]{}$^|. a\n\0\ud800"), max_size=12).map("".join)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(value=naughty, kind=st.sampled_from(("in", "camera", "text", "words")))
@example(value="\\' OR true --", kind="text")
@example(value="' OR true OR '", kind="camera")
@example(value="'' OR true --", kind="in")
@example(value="\\", kind="words")
@example(value="\udcff/\ud800", kind="in")
def test_nothing_typed_gets_out_of_its_quotes(collection: sightline.Collection, value: str, kind: str) -> None:
    named = value.strip("/ \n") or "x"
    nowhere = named + "\u2603"  # a snowman is in no caption, folder or camera
    assert len(collection.search(Query("", (), filters=(Filter(kind, nowhere),)))) == 0
    everything = Query("", (Term("red"),), filters=(Filter(kind, nowhere, excluded=True),))
    assert len(collection.search(everything, 50)) == 4
    collection.search(Query("", (), filters=(Filter(kind, named),)))


def test_a_quote_is_doubled_and_a_backslash_is_none() -> None:
    assert condition([Filter("camera", "a'b\\'c")]) == "(contains(lower(camera), 'a''b\\''c'))"
    assert condition([]) == ""


def test_camera_and_place_survive_a_rename_and_a_rebuild(tmp_path: Path) -> None:
    photo(tmp_path / "p" / "a.jpg", (250, 0, 0), camera=("X", "Y"), at=((1.0, 0, 0), "N", (2.0, 0, 0), "W"))
    made = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    made.ingest(tmp_path / "p")
    (tmp_path / "p" / "a.jpg").rename(tmp_path / "p" / "b.jpg")
    assert made.ingest(tmp_path / "p").renamed == 1
    made.rebuild()
    [hit] = made.search("near:1,-2 camera:x")
    stored = made.get(hit.id)
    assert (hit.name, stored.camera, stored.place) == ("b.jpg", "X Y", sightline.schema.Place(1.0, -2.0))
    assert "place" not in stored.to_json()
    assert b"Exif" not in stored.thumbnail


def test_a_collection_of_a_former_version_works_and_says_what_it_lacks(tmp_path: Path) -> None:
    made = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    photo(tmp_path / "p" / "a.jpg", (250, 0, 0), camera=("X", "Y"))
    made.ingest(tmp_path / "p")
    made._store.rows.write(lambda table: table.drop_columns(["camera", "latitude", "longitude"]))
    old = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    paint(tmp_path / "p" / "b.png", "blue")
    assert old.ingest(tmp_path / "p").added == 1
    assert len(old.search("red has:date")) == 2
    assert old.get(old.search("red")[0].id).camera == ""
    for text in ("camera:x", "red - camera:x", "has:camera", "near:1,2", "has:place"):
        with pytest.raises(QueryError, match="before cameras and places were kept"):
            old.search(text)
    old.rebuild()
    assert not old.search("camera:z")


def test_an_example_that_is_not_there_says_so(collection: sightline.Collection) -> None:
    with pytest.raises(CollectionError, match="no item 'nothing'"):
        collection.search(like="nothing")
