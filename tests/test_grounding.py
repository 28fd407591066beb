"""grounding: no mark of a picture that was not given, nothing that is rendered or obeyed, whole sentences, any cuts."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sightline import grounding
from sightline.answers import Statement
from sightline.grounding import Grounding, check

IDS = ("a", "b", "c", "d")


def texts(text: str) -> list[str]:
    return [one.text for one in check(text, IDS).statements]


def spoken(pieces: list[str]) -> tuple[str, grounding.Checked]:
    checker = Grounding(IDS)
    said = [shown for piece in pieces for shown in checker.feed(piece)]
    said += checker.end()
    return "".join(said), checker.checked()


@pytest.mark.parametrize(
    ("said", "text", "cited", "removed"),
    [
        ("A dog [1].", "A dog [1].", "a", 0),
        ("A dog [1, 2].", "A dog [1][2].", "ab", 0),
        ("A dog [1-3].", "A dog [1][2][3].", "abc", 0),
        ("A dog [2–4]!", "A dog [2][3][4]!", "bcd", 0),
        ("A dog [1; 3 - 4]", "A dog [1][3][4]", "acd", 0),
        ("A dog [1][2]", "A dog [1][2]", "ab", 0),
        ("A dog【1】", "A dog[1]", "a", 0),
        ("A dog【2†source】.", "A dog[2].", "b", 0),
        ("A dog [^1] [#2]", "A dog [1] [2]", "ab", 0),
        ("A dog [１]", "A dog [1]", "a", 0),
        ("A dog [1](https://evil.example/x)", "A dog [1]", "a", 0),
        ("Twice [2] and [1] and [2].", "Twice [2] and [1] and [2].", "ba", 0),
        ("A dog [12].", "A dog.", "", 1),
        ("A dog [0]", "A dog", "", 1),
        ("A dog [-1]", "A dog", "", 1),
        ("A dog [1, 9, 10]", "A dog [1]", "a", 2),
        ("A dog [3-99]", "A dog [3][4]", "cd", 1),
        ("A dog [4-2]", "A dog", "", 1),
        ("A dog [99999999999999999999]", "A dog", "", 1),
        ("A dog [[9]1]", "A dog [1]", "a", 1),
        ("A dog [5 of 7]", "A dog [5 of 7]", "", 0),
    ],
)
def test_a_mark_is_that_of_a_given_hit_or_gone(said: str, text: str, cited: str, removed: int) -> None:
    found = check(said, IDS)
    assert (found.text, found.removed) == (text, removed)
    assert found.statements == (Statement(text, tuple(cited), supported=bool(cited) and not removed),)


def test_a_sentence_without_a_mark_or_with_an_invented_one_is_unsupported() -> None:
    found = check("There is a dog [1]. It barks. Its name is Rex [7]. It is red [2][8].", IDS)
    assert [one.supported for one in found.statements] == [True, False, False, False]
    assert found.removed == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Dr. No is here [1]. He left.", ["Dr. No is here [1].", "He left."]),
        ("It is 3.5 m long [1]. Yes!", ["It is 3.5 m long [1].", "Yes!"]),
        ("Taken in 2024. The next [2].", ["Taken in 2024.", "The next [2]."]),
        ("See fig. 3 and no. 7 here. No. That is all.", ["See fig. 3 and no. 7 here.", "No.", "That is all."]),
        ("A bus, e.g. The Flyer, i.e. it. J. R. Smith", ["A bus, e.g. The Flyer, i.e. it.", "J. R. Smith"]),
        ("Red. [1] Blue. [2][3] Green.", ["Red. [1]", "Blue. [2][3]", "Green."]),
        ("One line [1]\nAnother [2]", ["One line [1]", "Another [2]"]),
        ("It goes on\nover a line [1].", ["It goes on\nover a line [1]."]),
        ("1. A bus [1]\n2. A car [2]\n- A dog", ["1. A bus [1]", "2. A car [2]", "- A dog"]),
        ("“Stop!” [1] she said. “Go.” Then", ["“Stop!” [1] she said.", "“Go.”", "Then"]),
        ("这是狗[1]。那是猫[2]。", ["这是狗[1]。", "那是猫[2]。"]),
        ("Wait… what? Really?! Yes", ["Wait… what?", "Really?!", "Yes"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_person_would_end_them(said: str, expected: list[str]) -> None:
    assert texts(said) == expected


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("A ![pixel](https://evil.example/?q=1) B", "A pixel B"),
        ("A [link](https://evil.example) B", "A link B"),
        ("A [link](/api/items 'title') B", "A link B"),
        ("A [x](javascript:alert(1)) B", "A x B"),
        ("A [[x](y)](https://evil.example) B", "A [x] ((link removed)) B"),
        ("See https://evil.example/a?b=c, then", "See (link removed), then"),
        ("See www.evil.example.", "See (link removed)."),
        ("See <https://evil.example>", "See <(link removed)>"),
        ("See ftp://x mailto:a@b.c data:text/html,x", "See (link removed) (link removed) (link removed)"),
        ("[r]: https://evil.example", "[r] : (link removed)"),
        ("> [r]: /etc", "> [r] : /etc"),
        ("<script>alert(1)</script>x", "alert(1)x"),
        ("<img src=x onerror=alert(1)>x", "x"),
        ("<<b>script>x", "‹script>x"),
        ("a < b and 3 <4", "a < b and 3 <4"),
        ("ht[9]tps://evil.example", "(link removed)"),
        ("ht\u200btps://evil.example", "(link removed)"),
        ("[a]【9】(/x) ![b]", "[a] (/x) [b]"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07here \x9b2Jx", "red here x"),
        ("a\x00b\x07c\u202ed\rf", "abcdf"),
        ("data: none. The ratio is 16:9", "data: none.\nThe ratio is 16:9".replace("\n", " ")),
    ],
)
def test_nothing_is_rendered_followed_or_obeyed(said: str, text: str) -> None:
    assert check(said, IDS).text == text


PARTS = st.sampled_from(
    [
        *(
            "[1]",
            "[7]",
            "[",
            "]",
            "(",
            ")",
            "!",
            "http://",
            "evil.example",
            ". ",
            "? ",
            " ",
            "\n",
            "\n\n",
            "Red",
            "bus",
        ),
        *(
            "<",
            "b>",
            "【",
            "】",
            "\x1b[",
            "m",
            "。",
            ",",
            "-",
            "www.",
            "](",
            "\r",
            "\t",
            "9]",
            "e.g",
            "…",
            '"',
            ":",
            "^",
        ),
        *("Dr", "1", "7", "x" * 700),
    ]
)
TEXTS = st.one_of(st.text(max_size=80), st.lists(PARTS, max_size=25).map("".join))
HARM = re.compile(
    r"\]\(|!\[|<[A-Za-z/!?]|[a-z]://|(?<![^\W_])www\.\w|[\x00-\x09\x0b-\x1f\x7f-\x9f]|[\u202a-\u202e]", re.IGNORECASE
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
@example("[" * 40 + "9]" * 40)
@example("![" * 3 + "9]" * 3 + "(www.x)")
@example("_www.a.b awww.so cute 0WWW.0")  # an address begins behind what is no letter and no digit
def test_whatever_is_said_no_mark_points_outside_and_nothing_harmful_is_left(said: str) -> None:
    found = check(said, IDS)
    assert {int(number) for number in re.findall(r"\[(\d+)\]", found.text)} <= {1, 2, 3, 4}
    assert {ident for one in found.statements for ident in one.citations} <= set(IDS)
    assert not HARM.search(found.text)
    assert all(one.text in found.text for one in found.statements)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.data())
@example("It is. [1] Next [" + "1" * 30 + "]. Then", None)
def test_what_is_passed_on_is_the_answer_however_it_was_cut(said: str, data: st.DataObject | None) -> None:
    places = st.lists(st.integers(0, len(said)), max_size=9)
    cuts = range(len(said)) if data is None else sorted(data.draw(places))
    shown, found = spoken([said[a:b] for a, b in itertools.pairwise([0, *cuts, len(said)])])
    assert shown == found.text
    assert found == check(said, IDS)


def test_an_address_behind_an_underscore_is_one_and_a_word_that_ends_in_www_is_none() -> None:
    assert check("_www.a.b awww.so cute", IDS).text == "_(link removed) awww.so cute"


def test_a_mark_a_link_and_an_escape_cut_in_two_do_not_slip_through() -> None:
    shown, _ = spoken(["A dog [", "9", "] and ![x](ht", "tp://evil.exam", "ple) \x1b", "[31m r", "ed [1", "]."])
    assert shown == "A dog and x  red [1]."


def test_sentences_are_passed_on_as_soon_as_the_next_one_begins() -> None:
    checker = Grounding(IDS)
    assert list(checker.feed("A dog [1]. ")) == []
    assert list(checker.feed("[2")) == []
    assert list(checker.feed("] A")) == ["A dog [1]. [2]"]
    assert list(checker.end()) == [" A"]


@pytest.mark.parametrize("part", [".", "[", "[1", "\n ", "[9]", "<a", "a:", "](", "[["])
def test_an_endless_answer_is_cut_and_takes_no_endless_time(part: str) -> None:
    said = part * (70_000 // len(part))
    started = time.process_time()
    checker = Grounding(IDS)
    for at in range(0, len(said), 1_000):
        list(checker.feed(said[at : at + 1_000]))
    list(checker.end())
    assert checker.is_full
    assert len(checker.checked().text) <= 2 * grounding.MOST
    assert time.process_time() - started < 10
