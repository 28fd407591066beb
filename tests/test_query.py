"""The query language: what is understood, what stays words, and that writing and reading it again is stable."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pictures import paint

from sightline import query
from sightline.errors import QueryError
from sightline.schema import Filter, Near, Place, Query, Term

NOW = datetime(2026, 11, 21, 15, 0)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def parse(text: str) -> Query:
    return query.parse(text, now=NOW)


def terms(text: str) -> list[tuple[str, float]]:
    return [(term.text or term.item or term.name, term.weight) for term in parse(text).terms]


def filters(text: str) -> list[tuple[str, object]]:
    return [("-" * one.excluded + one.kind, one.value) for one in parse(text).filters]


def day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


# ---- words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a road with a stop sign",
        "  two  spaces\tand a tab ",
        "16:9 picture at 2:30",
        "rock-n-roll",
        '12" record and a 7" single',
        "a+b a-b -c +d",
        "C++ (the language)",
        "note: nothing, in: no",
        "ratio 3:4",
        "http://example.org/a?b=c",
        "it's a dog’s life",
        "日本の猫",
    ],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    if "in: no" in text:
        with pytest.raises(QueryError, match="'in:' needs a value"):
            parse(text)
        return
    assert parse(text) == Query(text, (Term(text=text.strip()),))
    assert query.parse(text, literal=True) == parse(text)


def test_terms_are_joined_weighted_and_left_out() -> None:
    assert terms("horse + stripes - zebra") == [("horse", 1), ("stripes", 1), ("zebra", -1)]
    assert terms("2:(golden retriever) + 0.5:dog - 2:cat") == [("golden retriever", 2), ("dog", 0.5), ("cat", -2)]
    assert terms("2:id:abc - id:def + x") == [("abc", 2), ("def", -1), ("x", 1)]
    assert terms("- zebra + horse") == [("zebra", -1), ("horse", 1)]
    assert parse("horse + stripes - zebra").text == "horse stripes"


def test_quoted_words_mean_nothing_but_themselves() -> None:
    assert terms('"a few days ago - after:2024" + b') == [("a few days ago - after:2024", 1), ("b", 1)]
    assert terms('2:"a - (b"') == [("a - (b", 2)]
    assert terms(r'"say \"hi\" \\"') == [(r'say "hi" \ '.strip(), 1)]
    assert terms('a "stop" sign') == [("a stop sign", 1)]
    assert filters('"yesterday"') == []


def test_literal_takes_everything_as_words() -> None:
    for text in ("dog - cat", "id:abc", "./a.jpg", "after:2024", '"open', "yesterday"):
        assert query.parse(text, literal=True) == Query(text, (Term(text=text),))


# ---- pictures and items ---------------------------------------------------------------------------------------


def test_a_picture_is_named_with_any_name_it_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain, odd = paint(tmp_path / "a.png", "red"), paint(tmp_path / "b - c + yesterday.png", "blue")
    assert parse("./a.png").terms[0].picture == plain.read_bytes()
    assert parse(f"file://{plain}").terms[0].path == str(plain)
    assert parse("./b - c + yesterday.png").terms == (
        Term(picture=odd.read_bytes(), name=odd.name, path=f"./{odd.name}"),
    )
    mixed = parse('2:./a.png + dog - file:"b - c + yesterday.png" in:x')
    assert [(term.name, term.weight) for term in mixed.terms] == [("a.png", 2), ("", 1), (odd.name, -1)]
    assert query.parse(query.write(mixed)) == mixed


@pytest.mark.parametrize("path", ["./nowhere.png", "/", "file:", "~/\0", "/dev/zero", f"./{'x' * 5000}"])
def test_a_picture_that_cannot_be_read_says_why_and_never_hangs(path: str) -> None:
    with pytest.raises(QueryError, match="cannot be read"):
        parse(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(QueryError, match="no file"):
        parse(f"{tmp_path}/pipe")


# ---- filters --------------------------------------------------------------------------------------------------


def test_filters_hold_wherever_they_stand() -> None:
    june, july = day(2024, 6, 1), day(2024, 7, 1)
    for text in (
        "after:2024-06 dog before:2024-07 - cat",
        "dog - cat after:2024-06 before:2024-07",
        "dog on:2024-06 - cat",
    ):
        assert filters(text) == [("after", june), ("before", july)]
        assert terms(text) == [("dog", 1), ("cat", -1)]


def test_every_filter() -> None:
    assert filters("added:today") == [("added-after", day(2026, 11, 21)), ("added-before", day(2026, 11, 22))]
    assert filters("added-after:2024 added-before:yesterday") == [
        ("added-after", day(2024, 1, 1)),
        ("added-before", day(2026, 11, 20)),
    ]
    assert filters('on:"3 June 2024"') == [("after", day(2024, 6, 3)), ("before", day(2024, 6, 4))]
    assert filters("on:last-summer") == [("after", day(2026, 6, 1)), ("before", day(2026, 9, 1))]
    assert filters("after:2024-06-03T18:30") == [("after", datetime(2024, 6, 3, 18, 30, tzinfo=UTC))]
    assert filters('TYPE:Video in:holiday camera:"iPhone 12" has:caption text:"stop sign"') == [
        ("type", "video"),
        ("in", "holiday"),
        ("camera", "iPhone 12"),
        ("has", "caption"),
        ("text", "stop sign"),
    ]
    assert filters('near:"48.85, -2.35, 500m"') == [("near", Near(Place(48.85, -2.35), 0.5))]
    assert filters("near:48.85,2.35") == [("near", Near(Place(48.85, 2.35), 1.0))]
    assert filters("dog - in:holiday after:2024") == [("after", day(2024, 1, 1)), ("-in", "holiday")]


def test_filters_of_one_field_are_told_in_json_with_the_words_they_come_from() -> None:
    assert parse("2:dog - cat").to_json()["terms"] == [
        {"text": "dog", "weight": 2.0},
        {"text": "cat", "weight": -1.0},
    ]
    asked = parse("the brown short dog I added a few days ago - in:x")
    assert asked.to_json() == {
        "terms": [{"text": "brown short dog"}],
        "filters": [
            {"added-after": "2026-11-14T00:00:00+00:00", "said": "I added a few days ago"},
            {"in": "x", "excluded": True},
        ],
        "text": "brown short dog",
    }


# ---- faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("dog - ", 4, "nothing stands behind this '-'"),
        ("dog + + cat", 6, "nothing stands before this '+'"),
        ("+ dog", 0, "nothing stands before"),
        ("  - zebra", 0, "only says what to leave out"),
        ('a "b', 2, "not closed"),
        ('text:"stop sign', 5, "not closed"),
        ('in:"a"b', 6, "a space is missing"),
        ("2:(dog", 2, "not closed"),
        ("2:(a)b", 5, "a space is missing"),
        ("a + 2:red car", 4, "weighs one word"),
        ("0:dog", 0, "more than 0"),
        ("101:dog", 0, "at most 100"),
        ("2:(a + b)", 0, "weighs words"),
        ("2:(x 3:y)", 5, "weighs one word"),
        ("2:(3:y)", 3, "a weight in a weight"),
        ("dog on:", 6, "needs a value"),
        ("x after:banana", 8, "no date"),
        ("after:6/3/2024", 6, "no date"),
        ("after:2024-02-30", 6, "no date"),
        ("type:cat", 5, "knows image, video"),
        ("has:tail", 4, "knows caption, camera"),
        ("near:Paris", 5, "LATITUDE,LONGITUDE"),
        ("near:91,0", 5, "latitudes"),
        ("near:1,1,0km", 5, "distance"),
        ("in:/", 3, "a folder"),
        ("id:a b", 5, "stand behind"),
        ("- in:x y", 7, "stand behind"),
        ("a - on:2024", 4, "cannot be left out"),
        ('""', 0, "nothing between"),
        ("a - id:", 4, "names no item"),
        (" + ".join("a" * 101), 0, "at most 100"),
    ],
)
def test_faults_point_at_the_character(text: str, at: int, message: str) -> None:
    with pytest.raises(QueryError, match=message.replace("+", r"\+")) as caught:
        parse(text)
    assert (caught.value.text, caught.value.at) == (text, at)


# ---- properties -----------------------------------------------------------------------------------------------

_PIECES = [
    *(
        "+",
        "-",
        "dog",
        "a",
        '"',
        "(",
        ")",
        ":",
        "2:",
        "2:(",
        "0.5:",
        '2:"',
        "\\",
        "id:",
        "id:x",
        'id:"',
        "in:x",
        'in:"',
    ),
    *(
        "after:",
        "after:2024",
        "before:yesterday",
        "on:last-summer",
        "added:today",
        "added-before:",
        "type:image",
        "has:",
    ),
    *("has:place", "near:1,2", 'near:"1,-2.5,3mi"', "text:", 'text:"stop', "camera:'", "yesterday", "I added", "ago"),
    *(
        "two weeks",
        "last",
        "summer",
        "in June 2024",
        "since 2020",
        "between",
        "and",
        "file:",
        "./",
        "~/",
        "9",
        "\u3000",
        "日",
    ),
]
anything = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=4)), max_size=14).map(" ".join),
    st.lists(st.sampled_from(_PIECES), max_size=14).map("".join),
)


@settings(deadline=None)  # the first date imports dateparser
@given(anything)
@example("2:" * 3000 + "x")
@example("2:(" * 3000)
@example("(" * 10_000)
@example('"' * 9_999)
@example("last " * 2000)
@example("a few days ago " * 600)
@example("between 2020 and " * 500)
@example("\ud800 in:\ud800 - text:\udcff")
def test_parsing_raises_nothing_but_queryerror_and_writing_reads_back(text: str) -> None:
    try:
        asked = parse(text)
    except QueryError:
        return
    if len(query.write(asked)) > query.MOST_CHARACTERS:  # every quote in it gets a backslash
        return
    again = query.parse(query.write(asked), now=datetime(1999, 5, 6))
    assert again == asked
    assert query.write(again) == query.write(asked)


words = st.text(min_size=1, max_size=20).map(str.strip).filter(bool)
moments = st.datetimes(datetime(1800, 1, 3), datetime(2999, 12, 30), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
some_terms = st.builds(
    lambda text, item, weight: Term(
        text="" if item else text, item=item.replace('"', "") if item else "", weight=weight
    ),
    words,
    st.one_of(st.just(""), words.filter(lambda word: bool(word.replace('"', "").strip()))),
    st.sampled_from((1.0, -1.0, 2.0, -0.5, 0.0001, 99.5)),
)
some_filters = st.one_of(
    st.builds(Filter, st.sampled_from(("after", "before", "added-after", "added-before")), moments, st.booleans()),
    st.builds(Filter, st.sampled_from(("camera", "text")), words, st.booleans()),
)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Tokyo", "America/Santiago"])
@given(asked=st.lists(some_terms, max_size=4), conditions=st.lists(some_filters, max_size=4))
@example(asked=[], conditions=[Filter("after", datetime(2026, 10, 25, 1, 30, tzinfo=UTC))])  # said twice in Berlin
def test_any_query_that_can_be_written_reads_back_in_every_zone(
    zone: str, asked: list[Term], conditions: list[Filter]
) -> None:
    if (not asked and not conditions) or (asked and all(term.excluded for term in asked)):
        return
    stripped = [Term(term.text, item=term.item.strip(), weight=term.weight) for term in asked]
    ordered = sorted(conditions, key=lambda one: one.excluded)
    wanted = Query("", tuple(stripped), filters=tuple(ordered))
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        assert parse(query.write(wanted)) == wanted
    finally:
        os.environ["TZ"] = before or "UTC"
        time.tzset()


@pytest.mark.parametrize("typed", ["{}", "file:{}", 'file:"{}"', "dog + {}", "2:({})", "2:{} - cat", "file://{}"])
def test_where_no_file_may_be_read_its_name_is_refused_though_it_is_there(typed: str, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"anything")
    typed_query = typed.format(picture)
    assert any(term.picture == b"anything" for term in parse(typed_query).terms)
    with pytest.raises(QueryError, match="no file is read here"):
        query.parse(typed_query, files=False)
