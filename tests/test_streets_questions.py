"""The questions of the bundled scenes: what their right answers are, and that answers can be marked by them."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import sightline

sys.path.insert(0, str(Path(__file__).parent.parent))  # streets/ is run from the checkout and not installed
from streets import pack, queries
from streets.questions import COLOURS, LIGHT, Question, every, judged, write

FOLDER = Path(sightline.__file__).parent / "data" / "streets"


def pictures(*attributes: tuple[str, str], times: int = 1) -> list[queries.Picture]:
    """(true, doubtful) of each picture, comma-separated; seeds count up from 0."""
    cut = [(set(filter(None, true.split(","))), set(filter(None, maybe.split(",")))) for true, maybe in attributes]
    return [(seed, *one) for seed, one in enumerate(cut * times)]


@pytest.fixture(scope="module")
def bundled() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "streets-questions.jsonl").read_text("utf-8").splitlines()]


# ---- what is right ---------------------------------------------------------------------------------------------


def test_what_is_clear_is_relevant_and_what_may_be_is_doubtful() -> None:
    given = pictures(("bus,light:night", ""), ("bus", "light:night"), ("light:night", ""), ("light:night", "bus"))
    assert judged(Question("any bus at night?", "exists", ("bus", "light:night")), given) == {
        "question": "any bus at night?",
        "kind": "exists",
        "relevant": ["streets:0"],
        "doubtful": ["streets:1", "streets:3"],
        "facts": [],
        "number": None,
        "unanswerable": False,
    }


@pytest.mark.parametrize(("clear", "doubtful", "kept"), [(8, 0, True), (7, 0, False), (12, 3, True), (12, 4, False)])
def test_a_number_is_asked_for_where_it_is_large_and_hardly_doubtful(clear: int, doubtful: int, kept: bool) -> None:
    given = pictures(*[("dog", "")] * clear, *[("", "dog")] * doubtful, ("", ""))
    line = judged(Question("how many dogs?", "count", ("dog",)), given)
    assert (line["number"] if line else None) == ([clear, clear, clear + doubtful] if kept else None)


def test_a_fact_is_what_the_relevant_pictures_tell_and_those_that_do_not_are_doubtful() -> None:
    given = pictures(("taxi,yellow taxi", ""), ("taxi", "yellow taxi"), ("yellow taxi", "taxi"), ("yellow bus", ""))
    line = judged(Question("what colour are taxis?", "what", ("taxi",), COLOURS, "taxi"), given)
    assert line is not None
    assert (line["relevant"], line["doubtful"]) == (["streets:0"], ["streets:1", "streets:2"])
    assert line["facts"] == [["yellow"]]


def test_what_a_doubtful_picture_tells_otherwise_is_not_asked() -> None:
    question = Question("what colour is the taxi in the rain?", "what", ("taxi", "weather:rain"), COLOURS, "taxi")
    clear = ("taxi,yellow taxi,weather:rain", "")
    assert judged(question, pictures(clear, ("taxi,yellow taxi", "weather:rain"))) is not None
    assert judged(question, pictures(clear, ("taxi,green taxi", "weather:rain"))) is None


def test_at_most_a_quarter_of_the_answers_is_right() -> None:
    question = Question("what colour are buses?", "what", ("bus",), COLOURS, "bus")
    given = pictures(("bus,red bus", ""), ("bus,blue bus", ""), ("bus,green bus", ""))
    assert judged(question, given[:2]) is not None
    assert judged(question, given) is None
    day_or_night = Question("when?", "when", ("bus",), LIGHT)
    assert judged(day_or_night, pictures(("bus,light:noon", ""), ("bus,light:afternoon", ""))) is not None
    assert judged(day_or_night, pictures(("bus,light:noon", ""), ("bus,light:night", ""))) is None


def test_an_unanswerable_question_is_false_of_every_picture() -> None:
    question = Question("a dog on a highway?", "exists", ("dog", "setting:highway"), unanswerable=True)
    line = judged(question, pictures(("dog", ""), ("setting:highway", "")))
    assert line is not None
    assert line["unanswerable"]
    assert judged(question, pictures(("setting:highway", "dog"))) is None


def test_what_no_picture_tells_leaves_the_pictures_that_it_is_about_open() -> None:
    question = Question("who owns the dog?", "beyond", ("dog",), unanswerable=True)
    line = judged(question, pictures(("dog", ""), ("", "dog"), ("", "")))
    assert line is not None
    assert (line["relevant"], line["doubtful"]) == ([], ["streets:0", "streets:1"])
    assert judged(question, pictures(("", ""))) is None


# ---- the list --------------------------------------------------------------------------------------------------


def test_every_attribute_is_one_that_a_picture_has() -> None:
    rows = pack.judged_rows(FOLDER / "test.parquet")
    said = {one for row in rows for one in (*row["attributes"], *row["doubtful"])}
    needs = {one for question in every() for need in question.needs for one in need.split(queries.EITHER)}
    impossible = {"red ambulance", "green police car"}
    assert needs - said == impossible


def test_what_is_nowhere_is_nothing_that_builds_a_scene() -> None:
    nowhere = " ".join(one.words.casefold() for one in every() if one.unanswerable and not one.needs)
    shown = {name for one in every() if not one.unanswerable for need in one.needs for name in need.split(" or ")}
    assert [name for name in shown if re.search(rf"\b{re.escape(name)}s?\b", nowhere)] == []


# ---- what is bundled -------------------------------------------------------------------------------------------


def test_what_is_bundled_is_what_the_command_writes(tmp_path: Path) -> None:
    rows = pack.judged_rows(FOLDER / "test.parquet")
    counts = write(rows, tmp_path / "questions.jsonl")
    assert (tmp_path / "questions.jsonl").read_bytes() == (FOLDER / "streets-questions.jsonl").read_bytes()
    assert counts["left out"] == 0


def test_there_are_questions_enough_of_every_kind_and_none_twice(bundled: list[dict[str, Any]]) -> None:
    kinds = Counter((one["kind"], one["unanswerable"]) for one in bundled)
    assert len(bundled) >= 200
    assert sum(n for (_, unanswerable), n in kinds.items() if unanswerable) >= 50
    assert {kind for kind, unanswerable in kinds if not unanswerable} == {
        "exists", "count", "which", "what", "when", "where",
    }  # fmt: skip
    assert min(kinds["exists", False], kinds["count", False], kinds["which", False], kinds["what", False]) >= 30
    assert len({one["question"].casefold() for one in bundled}) == len(bundled)


def test_questions_open_in_many_ways(bundled: list[dict[str, Any]]) -> None:
    openings = Counter(" ".join(one["question"].casefold().split()[:2]) for one in bundled)
    assert len(openings) >= 60
    assert max(openings.values()) <= 0.2 * len(bundled)


def test_no_question_says_its_answer(bundled: list[dict[str, Any]]) -> None:
    for one in bundled:
        words = one["question"].casefold()
        said = [word for group in one["facts"] for word in group if re.search(rf"\b{re.escape(word)}\b", words)]
        assert said == [], one["question"]


def test_right_answers_are_pictures_of_the_test_split_and_plain(bundled: list[dict[str, Any]]) -> None:
    known = {f"streets:{row['seed']}" for row in pack.judged_rows(FOLDER / "test.parquet")}
    for one in bundled:
        assert set(one["relevant"]) | set(one["doubtful"]) <= known
        assert not set(one["relevant"]) & set(one["doubtful"])
        assert bool(one["relevant"]) is not one["unanswerable"]
        assert bool(one["facts"]) is (one["kind"] in ("what", "when", "where") and not one["unanswerable"])
        assert bool(one["number"]) is (one["kind"] == "count" and not one["unanswerable"])
