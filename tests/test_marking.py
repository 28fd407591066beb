"""What one answer is worth: its citations, its facts, its number, whether it should have been refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.answers import Answer, Intent, Question, Statement
from sightline.judgements import Question as Asked
from sightline.marking import Known, Mark, is_near, mark, number_in, says, says_no
from sightline.schema import Hit, Modality, Query


def hit(ident: str) -> Hit:
    return Hit(1, ident, f"file:///{ident}.png", ident, 0.5, "", Modality.IMAGE, load=lambda: b"")


def answer(text: str, *cited: str, hits: str = "abcdef", abstained: bool = False) -> Answer:
    question = Question("?", Query("?", ()), Intent.WHAT)
    statements = (Statement(text, cited),)
    return Answer(question, text, tuple(map(hit, hits)), () if abstained else statements, abstained=abstained)


def known(kind: str, relevant: str = "", doubtful: str = "", **more: object) -> Known:
    asked = Asked("?", dict.fromkeys(relevant, 1.0), doubtful=frozenset(doubtful), kind=kind)
    return Known(asked, unanswerable=not relevant, **more)  # type: ignore[arg-type]


def marked(one: Answer, right: Known, k: int = 6) -> Mark:
    return mark(one, right, k=k)


# ---- citations -------------------------------------------------------------------------------------------------


def test_of_the_cited_pictures_the_doubtful_ones_are_left_out() -> None:
    found = marked(answer("[1][2][3]", "a", "b", "c"), known("which", relevant="ax", doubtful="c"))
    assert (found.precision, found.recall) == (0.5, 0.5)


def test_no_more_pictures_than_can_be_shown_need_to_be_cited() -> None:
    found = marked(answer("[1][2]", "a", "b"), known("which", relevant="abxyz"), k=2)
    assert found.recall == 1.0


def test_one_right_picture_is_enough_where_pictures_are_not_what_is_asked_for() -> None:
    assert marked(answer("Yes [1].", "a"), known("exists", relevant="axyz")).recall == 1.0
    assert marked(answer("Yes [2].", "b"), known("exists", relevant="axyz")).recall == 0.0


def test_an_answer_that_cites_nothing_has_no_precision_and_no_recall() -> None:
    found = marked(answer("Yes."), known("exists", relevant="a"))
    assert (found.precision, found.recall) == (None, 0.0)


def test_one_that_cites_only_what_is_doubtful_is_not_marked_by_it() -> None:
    found = marked(answer("Yes [3].", "c"), known("exists", relevant="a", doubtful="c"))
    assert (found.precision, found.recall) == (None, None)


def test_whatever_is_cited_for_an_unanswerable_question_is_wrong() -> None:
    assert marked(answer("Yes [1].", "a"), known("exists")).precision == 0.0


def test_what_was_not_given_is_invented_wherever_it_stands() -> None:
    assert marked(answer("[1]", "a"), known("which", relevant="a")).invented == 0
    assert marked(answer("[1]", "z"), known("which", relevant="a")).invented == 1
    assert marked(answer("[1] [7-9] [0]", "a"), known("which", relevant="a")).invented == 3
    assert not marked(answer("[99]", "a"), known("which", relevant="a")).grounded


# ---- right or wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "abstained", "unanswerable", "right"),
    [
        ("Yes, 12 of 340 pictures show it [1].", False, False, True),
        ("No.", False, False, False),
        ("", True, False, False),
        ("Yes [1].", False, True, False),
        ("No, there is none.", False, True, True),
        ("", True, True, True),
    ],
)
def test_whether_there_is_any(text: str, abstained: bool, unanswerable: bool, right: bool) -> None:
    found = marked(answer(text, abstained=abstained), known("exists", relevant="" if unanswerable else "a"))
    assert found.existence is right
    assert found.right is right


def test_a_count_is_right_near_the_truth_or_within_what_doubt_leaves() -> None:
    right = known("count", relevant="a", number=(8, 8, 12))
    said = {n: marked(answer(f"{n} pictures"), right).counts for n in (5, 6, 8, 10, 12, 13)}
    assert said == {5: False, 6: True, 8: True, 10: True, 12: True, 13: False}
    assert is_near(0, (0, 0, 0))


def test_a_count_without_a_number_is_wrong_and_none_is_zero() -> None:
    right = known("count", relevant="a", number=(8, 8, 8))
    assert marked(answer("Many."), right).counts is False
    found = marked(answer("No pictures show that."), right)
    assert (found.said, found.counts, found.answered) == (0, False, False)
    found = marked(answer("9 pictures match, but no caption says it."), right)
    assert (found.said, found.counts) == (9, True)


def test_facts_are_asked_of_answers_only() -> None:
    right = known("what", relevant="a", facts=(("red", "crimson"), ("bus",)))
    assert marked(answer("The bus is crimson [1].", "a"), right).facts is True
    assert marked(answer("The bus is blue [1].", "a"), right).facts is False
    assert marked(answer("red bus", abstained=True), right).facts is False
    assert marked(answer("red bus"), known("what", facts=(("red",),))).facts is None


def test_without_facts_a_right_picture_makes_an_answer_right() -> None:
    assert marked(answer("[1]", "a"), known("which", relevant="a")).right
    assert not marked(answer("[2]", "b"), known("which", relevant="a")).right


def test_an_unanswerable_question_is_right_when_it_is_refused() -> None:
    found = marked(answer("I cannot tell from these pictures."), known("beyond"))
    assert (found.refused, found.answered, found.right) == (True, None, True)


# ---- what a text says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "No.",
        "no pictures show that",
        "None of the pictures shows a bus.",
        "Nothing in this collection shows that.",
        "There is no bus in these pictures. There are taxis [1].",
        "I don't know.",
        "I do not see a bus in any of them.",
        "Unfortunately, I cannot find one.",
        "The pictures do not show a bus [1].",
        "The provided images don't contain any elephants.",
        "The captions do not say who owns it.",
        "6 pictures match 'a dog', but none of their captions says its name.",
        "It cannot be said from these pictures.",
        "**No**, there is none.",
        "0 of 340 pictures match.",
        "",
        " [1] ",
    ],
)
def test_a_first_sentence_that_says_no(text: str) -> None:
    assert says_no(text)


@pytest.mark.parametrize(
    "text",
    [
        "Yes, there is a bus [1].",
        "12 of 340 pictures show a bus [1][2].",
        "A bus stands on the street. No person is near it.",
        "Note the bus on the left [1].",
        "Nobel's house is in [1].",
        "There is a nook in the wall [2].",
        "It is an empty road with no cars on it [1].",
        "Ten pictures show it.",
    ],
)
def test_a_first_sentence_that_does_not(text: str) -> None:
    assert not says_no(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12 of 340 pictures match 'a stop sign' (relevance >= 0.5) [1][2].", 12),
        ("There are 12 pictures of it.", 12),
        ("[7] Twelve photos show it.", 12),
        ("In 1,204 different pictures.", 1204),
        ("I count three.", 3),
        ("We see it 5 times [1-3].", 5),
        ("At 2 corners stand dogs, in 7 out of the 40 photographs", 7),
        ("Nobody knows [3].", None),
    ],
)
def test_the_number_that_a_text_names(text: str, number: int | None) -> None:
    assert number_in(text) == number


def test_facts_are_whole_words_in_any_case() -> None:
    assert says("A RED bus [1]", (("red",),))
    assert not says("a scattered reddish bus", (("red",),))
    assert says("under a\ngray  sky", (("gray sky",),))
    assert says("anything", ())


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_no_text_is_too_odd_to_mark(text: str) -> None:
    found = marked(answer(text, "a"), known("count", relevant="a", number=(1, 1, 1)))
    assert found.to_json()["question"] == "?"
