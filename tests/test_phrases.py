"""Phrases of time: which are understood, as what, and which words look like one and are not."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

import pytest

from sightline import dates, phrases

NOW = datetime(2026, 11, 21, 15, 0)  # a Saturday


def spans(text: str, now: datetime = NOW) -> list[str]:
    """`taken` or `added`, and the span: 2026-11-14..2026-11-21, hours where it has some."""
    return [
        f"{'added' if one.added else 'taken'} {_moment(one.span.start)}..{_moment(one.span.end)}"
        for one in phrases.understand(text, now).phrases
    ]


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}" + (f"T{moment:%H}" if moment.hour else "")


@pytest.mark.parametrize(
    ("text", "left", "said"),
    [
        ("the brown short dog I added a few days ago", "brown short dog", "added 2026-11-14.."),
        (
            "a few days ago I sent you a picture of a brown, short dog. Can you find it?",
            "brown, short dog",
            "added 2026-11-14..",
        ),
        ("show me the dog I uploaded last week, please", "dog", "added 2026-11-09..2026-11-16"),
        ("a picture of a boat on the lake from last summer", "boat on the lake", "taken 2026-06-01..2026-09-01"),
        ("the beach last summer at sunset", "beach at sunset", "taken 2026-06-01..2026-09-01"),
        ("sunset yesterday evening", "sunset", "taken 2026-11-20T17..2026-11-21"),
        ("last night", "", "taken 2026-11-20T18..2026-11-21T06"),
        ("dogs in June 2024", "dogs", "taken 2024-06-01..2024-07-01"),
        ("dogs taken in June", "dogs", "taken 2026-06-01..2026-07-01"),
        ("dogs I took in December", "dogs", "taken 2025-12-01..2026-01-01"),
        ("girl on June 3rd, 2024", "girl", "taken 2024-06-03..2024-06-04"),
        ("a house, taken on 3 june", "house", "taken 2026-06-03..2026-06-04"),
        ("a cat two weeks ago", "cat", "taken 2026-11-03..2026-11-12"),
        ("a cat a couple of days ago", "cat", "taken 2026-11-18..2026-11-21"),
        ("a cat about three months ago", "cat", "taken 2026-08-06..2026-09-06"),
        ("cars two years ago", "cars", "taken 2024-05-22..2025-05-24"),
        ("cars an hour ago", "cars", "taken 2026-11-21T13..2026-11-21T15"),
        ("snow in the last three weeks", "snow", "taken 2026-10-31.."),
        ("snow last weekend", "snow", "taken 2026-11-14..2026-11-16"),
        ("snow this month", "snow", "taken 2026-11-01..2026-12-01"),
        ("snow last year", "snow", "taken 2025-01-01..2026-01-01"),
        ("snow last winter", "snow", "taken 2025-12-01..2026-03-01"),
        ("leaves in the autumn of 2023", "leaves", "taken 2023-09-01..2023-12-01"),
        ("us last friday night", "us", "taken 2026-11-20T18..2026-11-21T06"),
        ("cats since 2020", "cats", "taken 2020-01-01.."),
        ("cats before last summer", "cats", "taken ..2026-06-01"),
        ("cats after June 2024", "cats", "taken 2024-07-01.."),
        ("cats between 2019 and June 2021", "cats", "taken 2019-01-01..2021-07-01"),
        ("cats from june 2023 to august 2024", "cats", "taken 2023-06-01..2024-09-01"),
        ("everything I added today", "everything", "added 2026-11-21..2026-11-22"),
        ("photos I imported yesterday", "", "added 2026-11-20..2026-11-21"),
        ("mountains in 2019", "mountains", "taken 2019-01-01..2020-01-01"),
    ],
)
def test_a_phrase_of_time_becomes_a_span_and_leaves_what_is_looked_for(text: str, left: str, said: str) -> None:
    understood = phrases.understand(text, NOW)
    assert (understood.text, spans(text)) == (left, [said])


def test_two_phrases_of_two_kinds_are_both_understood() -> None:
    text = "photos of dogs I took in June 2024 and added yesterday"
    assert phrases.understand(text, NOW).text == "dogs"
    assert spans(text) == ["taken 2024-06-01..2024-07-01", "added 2026-11-20..2026-11-21"]


@pytest.mark.parametrize(
    "text",
    [
        *("on my birthday", "a may pole", "march of penguins", "soldiers in march", "second street", "sunday best"),
        *("summer dress", "night street", "spring flowers", "fall leaves", "winter coat", "a beach in summer"),
        *(
            "last summer dresses",
            "the yesterday show",
            "yesterday's newspaper",
            "portrait of yesterday",
            "the last supper",
        ),
        *("the last train to london", "friday night lights", "closed on Monday", "a beach in June", "a tuesday in may"),
        *("a car in 1965", "a house before 1900", "2001 a space odyssey", "blade runner 2049", "world cup 2018"),
        *("summer 2024 olympics", "a two week old puppy", "12 years a slave", "days of thunder", "in 3000 metres"),
        *("fireworks on the 4th of july", "the day after tomorrow", "before sunrise", "after the rain", "back to 1985"),
        *(
            "a clock at noon",
            "good morning",
            "evening dress",
            "morning coffee in bed",
            "last minute",
            "this week's shopping",
        ),
        *(
            "june bug",
            "april showers",
            "august rush",
            "5th avenue",
            "21 jump street",
            "24 hours of le mans",
            "the 1990s",
        ),
        *(
            "a dog I added",
            "years ago",
            "long ago",
            "once upon a time",
            "new year 2024 fireworks",
            "one day",
            "in 2019 style",
        ),
        *("a man running last", "from dawn to dusk", "between two trees", "since forever", "monday", "now", "tomorrow"),
        "a road with a stop sign",
    ],
)
def test_false_friends_stay_words(text: str) -> None:
    assert phrases.understand(text, NOW) == phrases.Understood(text, ())


@pytest.mark.parametrize(
    "text", ["", "banana", "6/3/2024", "3.6.2024", "2024-13", "2024-02-30", "1799", "3001", "5", "the", "christmas"]
)
def test_what_is_no_date_or_more_than_one_is_none(text: str) -> None:
    assert dates.read(text, NOW) is None


@pytest.mark.parametrize("day", range(1, 29))
@pytest.mark.parametrize("month", [1, 2, 3, 11, 12])
def test_last_and_this_lie_where_they_should_on_any_day(month: int, day: int) -> None:
    now = datetime(2027, month, day, 9, 30)
    for said in ("week", "weekend", "month", "year", "summer", "winter"):
        this, last = dates.read(f"this {said}", now), dates.read(f"last {said}", now)
        assert this and last and this.start and last.start and last.end
        assert last.end <= now < max(now, this.start) or last.end <= now
        assert last.start < last.end <= max(this.start, now)
    assert dates.read("yesterday", now).start < dates.read("today", now).start  # type: ignore[union-attr, operator]


def test_what_a_year_without_that_day_would_need_is_clamped() -> None:
    leap = datetime(2024, 2, 29, 12)
    assert spans("a cat a year ago", leap) == ["taken 2022-08-29..2023-08-31"]
    assert spans("a cat 3 months ago", datetime(2026, 5, 31)) == ["taken 2026-02-13..2026-03-16"]


def test_a_plain_query_does_not_load_the_library_of_dates() -> None:
    code = (
        "import sys; from sightline import query\n"
        "for text in ('a stop sign', 'dog - cat after:2024-06 added:today', 'a cat I added two weeks ago'):\n"
        "    query.parse(text)\n"
        "print('dateparser' in sys.modules)\n"
        "query.parse('a cat in June 2024'); print('dateparser' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
