"""What models say, in every form that they say it in -> text with marks."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import GeneratorError
from sightline.replies import marked, one_line, spoken

BUS = {"statements": [{"text": "A red bus.", "pictures": [1]}, {"text": "Two people wait!", "pictures": [1, 2]}]}
IN_MARKS = "A red bus [1]. Two people wait [1][2]!"


def said(text: str, piece: int = 1000) -> str:
    return "".join(spoken(text[at : at + piece] for at in range(0, len(text), piece)))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(BUS),
        json.dumps(BUS, indent=2),
        f"\n\n```json\n{json.dumps(BUS)}\n```\n",
        f"```\n{json.dumps(BUS)}```",
        f"<think>{{a bus}} [9]</think>\n{json.dumps(BUS)}",
        json.dumps(BUS["statements"]),
        json.dumps(BUS) + "\nI hope that this helps [7].",
        "A red bus [1]. Two people wait [1, 2]!",
        "<think>\nA bus?\n</think>\n\nA red bus [Picture 1]. Two people wait [1 and 2]!",
        "A red bus 【1】. Two people wait [pictures 1; #2]!",
    ],
)
@pytest.mark.parametrize("piece", [1, 2, 5, 1000])
def test_every_form_comes_out_as_the_same_text_however_it_is_cut_into_pieces(text: str, piece: int) -> None:
    assert said(text, piece) == IN_MARKS


def test_a_statement_is_said_when_the_next_one_begins() -> None:
    text = json.dumps(BUS)
    begun = text.index("{", text.index("bus"))
    pieces = iter(spoken([text[: begun + 1], text[begun + 1 :]]))
    heard = []

    def listening() -> list[str]:
        heard.append(next(pieces))
        return heard

    assert listening() == ["A red bus [1]."]
    assert listening() == ["A red bus [1].", " Two people wait [1][2]!"]


def test_a_number_of_which_half_has_come_is_not_taken_for_another() -> None:
    text = '{"statements": [{"text": "A bus.", "pictures": [1'
    with pytest.raises(GeneratorError, match="broken"):
        said(text, 4)
    assert said(text + "2]}]}", 4) == "A bus [12]."


def test_what_came_whole_before_a_cut_is_said_and_the_half_of_the_rest_is_not() -> None:
    def cut() -> object:
        yield json.dumps(BUS)[:75]
        raise GeneratorError("cut")

    heard = []
    with pytest.raises(GeneratorError, match="cut"):
        heard.extend(spoken(cut()))
    assert heard == []

    def cut_later() -> object:
        yield from json.dumps(BUS)[:75]
        raise GeneratorError("cut")

    with pytest.raises(GeneratorError, match="cut"):
        heard.extend(spoken(cut_later()))
    assert heard == ["A red bus [1]."]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"statements": []}, ""),
        ({"statements": [{"text": "I do not know.", "pictures": []}]}, "I do not know."),
        ({"statements": [{"text": "I do not know."}]}, "I do not know."),
        ({"statements": ["A red bus [1].", 7, {"pictures": [1]}, {"text": "  "}, {"text": 3}]}, "A red bus [1]."),
        ({"text": "A red bus.", "pictures": [1]}, "A red bus [1]."),
        (
            {"statements": [{"text": "A bus.", "pictures": ["2", "x", True, 1.5, None, [3], -4, 99]}]},
            "A bus [2][99].",
        ),
        ({"statements": [{"text": "A bus [2].", "pictures": [2, 1, 1]}]}, "A bus [2][1]."),
        ({"statements": [{"text": "A\nbus ", "pictures": [1]}]}, "A bus [1]"),
    ],
)
def test_what_fits_the_form_is_said_and_what_does_not_is_left_out(document: object, text: str) -> None:
    assert said(json.dumps(document)) == text


def test_line_breaks_inside_of_strings_pass() -> None:
    assert said('{"statements": [{"text": "A red\nbus.", "pictures": [1]}]}') == "A red bus [1]."


@pytest.mark.parametrize(
    "text", ['{"answer": "A bus."}', "{'statements': []}", '{"statements": [{"text": "A b', "[{}", "{" * 9999]
)
def test_json_that_is_broken_or_of_another_form_is_an_error(text: str) -> None:
    with pytest.raises(GeneratorError, match=r"the model answered in JSON that (is broken|holds no statements)"):
        said(text, 100)


@pytest.mark.parametrize(
    "text", ["[1] shows a bus.", "A [closed] shop.", "An [open", "`bus`", "[", "", "<thin ice>", "<thi"]
)
def test_prose_that_only_begins_like_something_else_stays_as_it_is(text: str) -> None:
    assert said(text, 1) == text


def test_thoughts_without_an_end_are_no_answer() -> None:
    assert said("<think>a bus [1]", 3) == ""


def test_an_open_bracket_does_not_hold_the_rest_of_an_answer_back() -> None:
    pieces = list(spoken(["A [bus ", "x" * 100, " goes"]))
    assert pieces == ["A ", "[bus " + "x" * 100, " goes"]


@pytest.mark.parametrize(
    ("text", "numbers", "result"),
    [
        ("A bus.", [], "A bus."),
        ("A bus.", [1, 2], "A bus [1][2]."),
        ("A bus", [1], "A bus [1]"),
        ("Bus [1, 2].", [3], "Bus [1][2][3]."),
        ("公交车。", [1], "公交车 [1]。"),
    ],
)
def test_marks_stand_before_the_full_stop(text: str, numbers: list[int], result: str) -> None:
    assert marked(text, numbers) == result


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (' "bus" ', '"bus"'),
        ('{"query": " a bus "}', "a bus"),
        ("a\nb", ""),
        ("{", "{"),
        ("[1]", "[1]"),
        ("```\na bus\n```", "a bus"),
    ],
)
def test_one_line_is_the_field_or_the_reply_itself(reply: str, line: str) -> None:
    assert one_line(reply, "query") == line


@settings(deadline=None)
@given(st.lists(st.text(), max_size=30))
def test_no_reply_is_more_than_text_or_an_error_of_ours(pieces: list[str]) -> None:
    with contextlib.suppress(GeneratorError):
        assert isinstance("".join(spoken(pieces)), str)


statements = st.lists(
    st.tuples(st.text(min_size=1).filter(lambda text: text.split()), st.lists(st.integers(1, 99), max_size=3))
)


@settings(deadline=None)
@given(statements, st.integers(1, 40))
def test_the_size_of_the_pieces_makes_no_difference(given_statements: list[tuple[str, list[int]]], piece: int) -> None:
    text = json.dumps({"statements": [{"text": one, "pictures": numbers} for one, numbers in given_statements]})
    assert said(text, piece) == said(text) == " ".join(marked(one, numbers) for one, numbers in given_statements)
