"""questions, followups: what people type -> what to look for and what to answer."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.answers import Intent, Question
from sightline.errors import QueryError
from sightline.followups import about, pointed, resolve
from sightline.questions import LONGEST, understand

NOW = datetime(2026, 11, 21, 15, 0)
EXISTS, COUNT, WHEN, WHERE, WHICH, WHAT = Intent


def filters(question: Question) -> list[str]:
    return [f"{one.kind}:{str(one.value)[:10]}" for one in question.query.filters]


@pytest.mark.parametrize(
    ("typed", "intent", "asked", "text"),
    [
        ("How many girls were there at my birthday party?", COUNT, "girls", "girls at my birthday party"),
        ("how many pictures show a stop sign?", COUNT, "", "a stop sign"),
        ("how many photos of dogs do I have", COUNT, "", "dogs"),
        ("HOW MANY STOP SIGNS ARE THERE?", COUNT, "stop signs", "stop signs"),
        ("how many people are crossing the street at night", COUNT, "people", "people crossing the street at night"),
        ("how many of my photos are of cats?", COUNT, "", "cats"),
        ("in how many shots is there a car and a stop sign?", COUNT, "", "a car and a stop sign"),
        ("on how many photos is it raining", COUNT, "", "raining"),
        ("how many billboard pictures are there?", COUNT, "", "billboard"),
        ("how often do we see a bus in the desert", COUNT, "", "a bus in the desert"),
        ("count the red cars", COUNT, "red cars", "red cars"),
        ("number of dogs?", COUNT, "dogs", "dogs"),
        ("is there a bus in the desert?", EXISTS, "", "a bus in the desert"),
        ("Is there a picture of a girl with a balloon", EXISTS, "", "a girl with a balloon"),
        ("do I have any pictures of my dog in the snow?", EXISTS, "", "dog in the snow"),
        ("did we ever see an airplane over a car", EXISTS, "", "an airplane over a car"),
        ("have I ever photographed an elephant", EXISTS, "", "an elephant"),
        ("do we have footage of a train", EXISTS, "", "a train"),
        ("does any picture show a fire hydrant", EXISTS, "", "a fire hydrant"),
        ("can you see a dog anywhere?", EXISTS, "", "a dog"),
        ("any elephants?", EXISTS, "", "elephants"),
        ("is the car red?", EXISTS, "", "car red"),
        ("do you know if there is a zebra", EXISTS, "", "a zebra"),
        ("when did I last see a dog?", WHEN, "last", "a dog"),
        ("when was the first time we went to the beach", WHEN, "first", "beach"),
        ("when was the picture of the bus taken", WHEN, "", "bus"),
        ("what year was the wedding", WHEN, "", "wedding"),
        ("what time of day is it when the bus passes a taxi", WHEN, "time of day", "bus and a taxi"),
        ("where was the red bus", WHERE, "", "red bus"),
        ("where did I take the picture of the sailboat?", WHERE, "", "sailboat"),
        ("in which folder is the stop sign picture", WHERE, "folder", "stop sign"),
        ("which pictures show a red car at night?", WHICH, "", "a red car at night"),
        ("which photos have a dog in them", WHICH, "", "a dog"),
        ("what pictures do I have of Paris", WHICH, "", "Paris"),
        ("show me a red car", WHICH, "", "a red car"),
        ("please find pictures of cats", WHICH, "", "cats"),
        ("I'm looking for a sunset", WHICH, "", "a sunset"),
        ("which cars are parked", WHICH, "", "cars parked"),
        ("stop sign", WHICH, "", "stop sign"),
        ("what colour is the car", WHAT, "colour", "car"),
        ("what's the color of the van", WHAT, "colour", "van"),
        ("what does the sign say", WHAT, "text", "sign"),
        ("what is written on the truck?", WHAT, "text", "truck"),
        ("what is in the picture of the helicopter", WHAT, "", "helicopter"),
        ("what kind of vehicle is on the highway", WHAT, "kind", "vehicle on the highway"),
        ("what is the man with the hat doing on the beach", WHAT, "doing", "man with the hat on the beach"),
        ("what is the weather like in the pictures with a bus", WHAT, "weather", "a bus"),
        ("how old is the dog", WHAT, "how old", "dog"),
        ("describe the picture with the helicopter", WHAT, "", "helicopter"),
        ("could you please tell me how many dogs there are?", COUNT, "dogs", "dogs"),
    ],
)
def test_a_question_is_what_to_look_for_and_what_to_answer(typed: str, intent: Intent, asked: str, text: str) -> None:
    found = understand(typed, NOW)
    assert (found.intent, found.asked, found.query.text) == (intent, asked, text)
    assert (found.raw, found.by, found.query.filters) == (typed, "rules", ())


@pytest.mark.parametrize(
    ("typed", "intent", "text"),
    [
        ("hwo many buses are there", COUNT, "buses"),
        ("how mnay cars", COUNT, "cars"),
        ("how many pitcures show a bus", COUNT, "a bus"),
        ("is ther a parked taxi", EXISTS, "a parked taxi"),
        ("waht colour is the bus", WHAT, "bus"),
        ("wher was the sailboat", WHERE, "sailboat"),
        ("whcih pictures show a dog", WHICH, "a dog"),
        ("shwo me a dog", WHICH, "a dog"),
        ("snow on the road", WHICH, "snow on the road"),
        ("that hat", WHICH, "hat"),
    ],
)
def test_words_of_the_form_may_be_misspelt_and_words_that_look_like_them_stay(
    typed: str, intent: Intent, text: str
) -> None:
    found = understand(typed, NOW)
    assert (found.intent, found.query.text) == (intent, text)


@pytest.mark.parametrize(
    ("typed", "text", "expected"),
    [
        (
            "how many girls were there in my party last June?",
            "girls in my party",
            ["after:2026-06-01", "before:2026-07-01"],
        ),
        ("how many pictures did I take in June 2024?", "", ["after:2024-06-01", "before:2024-07-01"]),
        ("what did I photograph yesterday?", "", ["after:2026-11-20", "before:2026-11-21"]),
        ("how many dogs in:holiday are there?", "dogs", ["in:holiday"]),
        ("is there a bus after:2024-06 type:image?", "a bus", ["after:2024-06-01", "type:image"]),
        ('what does the sign say camera:"canon eos"', "sign", ["camera:canon eos"]),
    ],
)
def test_times_and_typed_filters_filter(typed: str, text: str, expected: list[str]) -> None:
    found = understand(typed, NOW)
    assert (found.query.text, filters(found)) == (text, expected)


@pytest.mark.parametrize(
    "typed", ["wie viele Hunde gibt es?", "¿cuántos perros hay?", "犬は何匹いますか?", "qux zzyx?"]
)
def test_what_is_not_understood_is_looked_for_with_all_its_words(typed: str) -> None:
    found = understand(typed)
    assert (found.intent, found.query.text) == (WHAT, typed.strip("¿?"))


@pytest.mark.parametrize("typed", ["how many pictures do I have?", "how many photos are there", "show me all pictures"])
def test_a_question_about_all_pictures_has_no_terms(typed: str) -> None:
    assert understand(typed).query.terms == ()


@pytest.mark.parametrize(
    "typed", ["what is in ./a.jpg", "is there /etc/passwd", "dog + ~/a.png", 'show me file:"x.jpg"']
)
def test_a_question_reads_no_file(typed: str) -> None:
    with pytest.raises(QueryError, match="no file is read here"):
        understand(typed)


@pytest.mark.parametrize("typed", ["", "  ", "x" * 10_001, "is there a dog near:here"])
def test_what_cannot_be_meant_is_said_as_such(typed: str) -> None:
    with pytest.raises(QueryError):
        understand(typed)


STARTS = (
    "how many",
    "is there",
    "which pictures show",
    "when did I see",
    "where is",
    "what colour is",
    "show me",
    "",
    "wo ist",
)
ENDS = ("", "?", " in my photos?", " last summer", " are there", " in:holiday")


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(STARTS), st.sampled_from(("zebra", "red bus", "a dog on grass", "Ångström")), st.sampled_from(ENDS)
)
def test_a_noun_is_always_looked_for(start: str, noun: str, end: str) -> None:
    assert noun.split()[-1] in understand(f"{start} {noun}{end}", NOW).query.text


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from([*STARTS, "them", "+", "-", '"', "of", "2:", "the", "?"]), max_size=9).map(" ".join),
    )
)
def test_whatever_is_typed_it_is_understood_or_a_query_error(typed: str) -> None:
    before = understand("is there a bus?")
    for ask in (understand, lambda text: resolve(text, before)):
        try:
            found = ask(typed)
        except QueryError:
            continue
        assert found.raw == typed


def test_a_long_text_is_looked_for_as_it_is_and_takes_no_endless_time() -> None:
    text = "how many " + "the " * 2_000 + "dogs"
    assert len(text) > LONGEST
    assert understand(text).query.text.endswith("dogs")


# ---- what leans on the question before ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "typed", "intent", "text", "asked"),
    [
        ("is there a bus?", "and at night?", EXISTS, "a bus at night", ""),
        ("is there a bus?", "and a taxi?", EXISTS, "a taxi", ""),
        ("how many dogs are there", "and cats?", COUNT, "cats", "cats"),
        ("show me a dog", "which of them are brown?", WHICH, "brown dog", ""),
        ("show me a dog", "how many of those are there?", COUNT, "a dog", ""),
        ("show me a dog", "how many?", COUNT, "a dog", ""),
        ("is there a red bus", "where is it?", WHERE, "a red bus", ""),
        ("is there a bus", "what colour is it?", WHAT, "a bus", "colour"),
        ("show me the cars", "only with a driver", WHICH, "cars with a driver", ""),
        ("show me the cars", "is there a dog?", EXISTS, "a dog", ""),
    ],
)
def test_a_follow_up_takes_over_what_it_leaves_out(
    before: str, typed: str, intent: Intent, text: str, asked: str
) -> None:
    found = resolve(typed, understand(before, NOW), NOW)
    assert (found.intent, found.query.text, found.asked, found.raw) == (intent, text, asked, typed)


def test_a_follow_up_about_another_time_replaces_the_time_and_keeps_other_filters() -> None:
    before = understand("is there a dog in:holiday last summer", NOW)
    found = resolve("and in 2024?", before, NOW)
    assert (found.query.text, found.intent) == ("dog", EXISTS)
    assert sorted(filters(found)) == ["after:2024-01-01", "before:2025-01-01", "in:holiday"]


@pytest.mark.parametrize(
    ("typed", "places"),
    [
        ("show me the second one", [2]),
        ("what is in picture 3?", [3]),
        ("describe [2] and [4]", [2, 4]),
        ("when was the last picture taken", [4]),
        ("the 9th one", []),
        ("the first picture of a dog", []),
        ("is there a second dog", []),
    ],
)
def test_pictures_are_pointed_at_by_their_number(typed: str, places: list[int]) -> None:
    assert pointed(typed, 4) == places


def test_a_question_about_given_pictures_looks_for_those() -> None:
    found = about("when was the second one taken?", ["abc"], NOW)
    assert (found.intent, [term.item for term in found.query.terms]) == (WHEN, ["abc"])
