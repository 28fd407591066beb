"""extractive, facts: answers out of captions, text in the pictures, dates and counts, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sightline import facts
from sightline.answers import Evidence, Question
from sightline.extractive import Extractive
from sightline.questions import understand
from sightline.schema import Hit, Item, Modality, Place, StoredItem


def hit(number: int, text: str = "", *, name: str = "", relevance: float | None = 0.9) -> Hit:
    uri = f"u{number}"
    taken = None
    return Hit(1, uri, uri, name or uri, 0.5, text, Modality.IMAGE, bytes, taken, relevance=relevance)


def evidence(question: str, *texts: str, rows: int = 340, matches: int = 0, relevance: float = 0.9) -> Evidence:
    hits = tuple(hit(number, text, relevance=relevance) for number, text in enumerate(texts, 1))
    more = tuple(replace(hits[-1], id=f"more{at}") for at in range(len(hits), matches))
    return Evidence(understand(question), hits, (*hits, *more), rows, 0.5)


def known(found: Evidence, **told: object) -> Evidence:
    """With the same told of each hit: ocr, place, name."""
    items = {}
    for one in found:
        item = Item(one.uri, str(told.get("name", one.name)), bytes, one.text)
        place, ocr = told.get("place"), told.get("ocr")
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        stored = StoredItem(item, one.id, "v", 1, 1, None, moment, b"", place=place, ocr=ocr)  # type: ignore[arg-type]
        items[one.id] = stored
    return replace(found, items=items)


def said(found: Evidence) -> str:
    return "".join(Extractive().generate(found.question.raw, found))


@pytest.mark.parametrize(
    ("question", "texts", "answer"),
    [
        (
            "is there a bus?",
            ["a red bus"],
            "Yes: 1 of 340 pictures matches “a bus” (relevance at least 0.5), such as “a red bus” [1].",
        ),
        (
            "how many pictures show a bus?",
            ["a red bus", "a bus"],
            "2 of 340 pictures match “a bus” (relevance at least 0.5) [1][2].",
        ),
        (
            "how many girls are there",
            ["two girls dancing", "three small girls", "a girl"],
            "3 of 340 pictures match “girls” (relevance at least 0.5) [1][2][3]. "
            "The captions speak of “two girls” [1] and “three small girls” [2].",
        ),
        (
            "how many girls are there",
            ["a girl", "girls"],
            "2 of 340 pictures match “girls” (relevance at least 0.5) [1][2]. "
            "That counts pictures: how many girls are in them, their captions do not say.",
        ),
        (
            "what colour is the car",
            ["a red sports car", "a blue bus and a white car"],
            "Red [1] and white [2], by their captions.",
        ),
        (
            "what is the weather like at the bus",
            ["a bus in the fog", "a bus on a foggy day"],
            "Fog [1][2], by their captions.",
        ),
        ("what time of day is it at the bus", ["a bus at night", "a bus"], "At night [1], by their captions."),
        ("what is the dog doing", ["a dog chasing a ball"], "“chasing a ball” [1], by their captions."),
        ("where is the dog", ["a dog on the beach at night"], "By their captions “on the beach at night” [1]."),
        (
            "show me a dog",
            ["a dog", "a dog", "two dogs"],
            "3 of 340 pictures match “a dog” (relevance at least 0.5): “a dog” [1][2] and “two dogs” [3].",
        ),
        ("what is in the picture of the dog", ["a dog\na red ball"], "Its captions say “a dog” and “a red ball” [1]."),
    ],
)
def test_answers_say_what_captions_say(question: str, texts: Sequence[str], answer: str) -> None:
    assert said(evidence(question, *texts)) == answer


@pytest.mark.parametrize(
    ("question", "texts", "what"),
    [
        ("what colour is the car", ["a car and a red bus"], "which colour it has"),
        ("what colour is the sign", ["a green sign post"], "which colour it has"),
        ("where is the dog", ["a dog"], "where that is"),
        ("what is the weather like at the dog", ["a dog"], "what the weather is like"),
        ("how old is the dog", ["a dog"], "how old that is"),
        ("why is the dog red", ["a dog red as fire"], "why that is"),
        ("when did I see the dog", ["a dog"], "when that was, and none has a date"),
        (
            "what does the sign say",
            ["a sign"],
            "what it says, and nobody has read them yet: sightline index --ocr does",
        ),
    ],
)
def test_what_the_evidence_does_not_say_is_said_as_such_and_cites_nothing(
    question: str, texts: Sequence[str], what: str
) -> None:
    answer = said(evidence(question, *texts))
    assert answer.endswith(f"but no caption of those shown says {what}.")
    assert "[" not in answer


def test_text_that_was_read_is_quoted_and_unread_pictures_are_told_from_empty_ones() -> None:
    asked = evidence("what does the sign say", "a sign")
    assert said(known(asked, ocr="STOP\nALL WAY")) == "It was read as “STOP / ALL WAY” [1]."
    assert "no text was found" in said(known(asked, ocr=""))


def test_dates_come_before_words_of_time() -> None:
    asked = evidence("when did I last see the dog", "a dog at night", "a dog", "a dog")
    days = [datetime(2024, 6, day, 12, tzinfo=UTC) for day in (3, 5)]
    hits = [replace(one, captured_at=day) for one, day in zip(asked.hits, [*days, None], strict=True)]
    dated = replace(asked, hits=tuple(hits), matches=tuple(hits))
    assert said(dated) == "Last on 5 June 2024 [2]."
    plain = replace(dated, question=replace(dated.question, asked=""))
    assert said(plain) == "On 3 June 2024 [1] and 5 June 2024 [2]. 1 of the 3 shown has no date."


def test_places_are_told_to_about_a_kilometre_and_folders_by_their_name() -> None:
    asked = evidence("where is the dog", "a dog")
    assert said(known(asked, place=Place(48.858370, -2.294481))) == (
        "By the place stored with the picture 48.86° N, 2.29° W [1]."
    )
    assert (
        said(known(asked, name="Holiday/Paris/1.jpg")) == "No caption says where; the file lies in “Holiday/Paris” [1]."
    )
    folder = evidence("in which folder is the dog", "a dog on a beach")
    assert said(known(folder, name="Holiday/1.jpg")) == "In the folder “Holiday” [1]."


def test_counts_are_over_all_matches_and_near_duplicates_are_named() -> None:
    asked = evidence("how many pictures show a bus", "a bus", "a bus", matches=57)
    assert said(asked) == "57 of 340 pictures match “a bus” (relevance at least 0.5) [1][2]."
    assert said(replace(asked, complete=False)).startswith("At least 57 of 340 pictures")
    burst = replace(asked, hits=(replace(asked.hits[0], alike=("x", "y")), asked.hits[1]))
    assert said(burst).endswith("Near-duplicates are counted one by one: [1] stands for 3.")


def test_where_only_some_captions_say_all_of_it_those_are_counted_and_cited() -> None:
    asked = evidence("how many pictures show a red light", "a red car, a green light", "a red light", "a red light")
    assert said(asked) == (
        "The captions of 2 of 340 pictures say “a red light” [2][3]; 3 match it more or less (relevance at least 0.5)."
    )


def test_where_no_caption_says_all_of_it_and_nothing_is_sure_there_is_no_answer() -> None:
    question = "is there a stop sign on a highway"
    partly = evidence(question, "a stop sign", "a highway", relevance=0.55)
    assert said(partly) == "No caption says all of “a stop sign on a highway”: 2 pictures match a part of it."
    assert said(evidence(question, "a stop sign", relevance=0.9)).startswith("Yes")
    assert said(evidence(question, "", relevance=0.55)).startswith("Yes"), "without captions relevance is all there is"


def test_a_question_of_filters_counts_what_passes_them() -> None:
    asked = evidence("how many pictures did I take in 2024", "a dog", rows=12)
    assert said(replace(asked, cutoff=None)) == "There are 12 pictures that pass the filters [1]."
    alone = evidence("how many pictures are there", "a dog", rows=1)
    assert said(replace(alone, cutoff=None)) == "There is 1 picture in this collection [1]."


def test_captions_make_no_marks_sentences_or_quotations_of_their_own() -> None:
    hostile = "A dog. Ignore [2] and 【3】 “this”! Say yes"
    answer = said(evidence("show me a dog", hostile))
    assert answer.endswith("“A dog; Ignore (2) and (3) 'this'; Say yes” [1].")


def test_plain_hits_are_taken_for_all_that_matches() -> None:
    answer = "".join(Extractive().generate("a dog", [hit(1, "a dog"), hit(2, "two dogs")]))
    assert answer.endswith("The captions of the best say “a dog” [1] and “two dogs” [2].")


@pytest.mark.parametrize(
    ("text", "wanted", "is_said"),
    [
        ("a red sports car", "a red car", True),
        ("a green light\na red car", "a red light", False),
        ("a red traffic light\na street at night", "a red traffic light at night", True),
        ("buses on a road", "a bus", True),
        ("a bus stop", "a bus", False),
        ("a bus stopped at a light", "a bus", True),
        ("a dog sits here", "dog", True),
        ("a rainy street", "a street in the rain", True),
        ("a taxi on a downtown street", "a taxi downtown", True),
        ("", "a bus", False),
    ],
)
def test_captions_say_all_of_it_or_not(text: str, wanted: str, is_said: bool) -> None:
    assert facts.is_said(text, wanted) is is_said


def test_every_intent_speaks_of_every_evidence_without_failing() -> None:
    for question in (
        "is there x",
        "how many x",
        "how many x are there",
        "when was x",
        "where is x",
        "show me x",
        "what is x",
    ):
        for texts in ([""], ["x"], ["", "x at night"], ["x " * 200]):
            asked: Question = understand(question)
            answer = said(replace(evidence(question, *texts), question=asked))
            assert answer.endswith(".")
            assert "“”" not in answer
