"""dates: what a person writes for a time -> a span of local time. English only; "now" is given, never looked up.

    2024   2024-06   2024-06-03   2024-06-03T18:30      read here
    today, yesterday evening, last weekend, last summer, summer 2024, the past three weeks, two weeks ago
    June 2024, 3 June 2024, June 3rd, monday            read by dateparser (decisions/0007), imported when it is needed

Spans are as wide as people mean them: "two weeks ago" is four days to either side, "a few days ago" the last seven.
Seasons are those of the northern hemisphere: spring is March to May.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EARLIEST, LATEST = datetime(1800, 1, 1), datetime(3000, 1, 1)
"""Nothing lies outside: each moment between can be converted between time zones."""

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""First month of each; a winter belongs to the year in which it begins."""
DAY_PARTS = {"morning": (5, 12), "afternoon": (12, 18), "evening": (17, 24), "night": (18, 30)}
"""Hours of the day, from and to; a night ends on the next morning."""
NUMBERS = {
    **dict(zip(("a", "an", "a couple of", "couple of"), (1, 1, 2, 2), strict=True)),
    **{name: n for n, name in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven"))},
    **{name: n for n, name in enumerate(("eight", "nine", "ten", "eleven", "twelve"), start=8)},
}
FEW = 7
"""How many "a few", "some" and "several" are at most."""
_FEW = ("a few", "few", "several", "some")
UNIT = r"(minute|hour|day|week|month|year)s?"
NUMBER = rf"(\d{{1,3}}|a few|few|a couple of|couple of|several|some|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
MONTH = rf"({'|'.join(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
SEASON = rf"({'|'.join(SEASONS)})"
WEEKDAY = rf"({'|'.join(WEEKDAYS)})"
PART = rf"({'|'.join(DAY_PARTS)})"

_ISO = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[t ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(z|[+-]\d\d:\d\d)?)?)?)?")
_PERIOD = {"day": timedelta(days=1), "week": timedelta(weeks=1), "hour": timedelta(hours=1)}
_SLACK = {
    "minute": timedelta(minutes=5),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=4),
    "month": timedelta(days=15),
    "year": timedelta(days=183),
}
"""How far "N ago" reaches to either side of the day or moment that it names."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end`, both naive local time; None: open on that side."""

    start: datetime | None
    end: datetime | None


def read(text: str, now: datetime) -> Span | None:
    """The span that `text` means when it is `now` (naive local time); None when it means none, or more than one."""
    said = " ".join(text.lower().replace(",", " ").split())
    try:
        span = _iso(said) or _iso(_bare(said)) or _named(_bare(said), now)
    except (ValueError, OverflowError):  # 30 February, or the year 0
        return None
    return None if span is None else Span(_within(span.start), _within(span.end))


def local(moment: datetime) -> datetime:
    """Any datetime as naive local time; `fold` tells the two passes of an hour that is said twice."""
    return datetime.fromtimestamp(moment.timestamp()) if moment.tzinfo else moment


def utc(moment: datetime) -> datetime:
    """A naive local time as UTC."""
    return moment.astimezone(UTC)


def written(moment: datetime) -> str:
    """A moment (aware) so that `read` gives it back: a date where it is a local midnight, else with its offset."""
    here = moment.astimezone()
    midnight = here.replace(tzinfo=None, fold=0)
    if midnight.time() == datetime.min.time() and midnight.astimezone(UTC) == moment:
        return midnight.date().isoformat()
    return here.replace(microsecond=0).isoformat() if _whole_minutes(here) else moment.astimezone(UTC).isoformat()


def _within(moment: datetime | None) -> datetime | None:
    return None if moment is None else min(max(moment, EARLIEST), LATEST)


def _whole_minutes(moment: datetime) -> bool:
    """Whether the offset from UTC can be written as hours and minutes; those of the 19th century cannot."""
    return (moment.utcoffset() or timedelta()).total_seconds() % 60 == 0


def _iso(said: str) -> Span | None:
    match = _ISO.fullmatch(said)
    if match is None:
        return None
    year, month, day, hour, _, second = match.groups()[:6]
    if not EARLIEST.year <= int(year) <= LATEST.year:
        return None
    if hour is None:
        start = datetime(int(year), int(month or 1), int(day or 1))
        return Span(start, _after(start, "day" if day else "month" if month else "year"))
    start = datetime.fromisoformat(said.replace(" ", "T").upper()).replace(microsecond=0)
    if start.tzinfo is not None:
        start = local(start)
    return Span(start, start + timedelta(seconds=1 if second is not None else 60))


def _bare(said: str) -> str:
    """Without the prepositions and articles before it, and with spaces where a shell user put hyphens."""
    if re.search(r"[a-z]-|-[a-z]", said) and not re.search(r"\d-\d", said):
        said = said.replace("-", " ")
    return re.sub(r"^(?:(?:in|on|at|during|over|within|from)\b ?)?(?:the\b ?)?", "", said)


def _named(said: str, now: datetime) -> Span | None:
    for reader in (_day, _this_or_last, _season, _ago, _lately, _weekday, _last_month):
        if span := reader(said, now):
            return span
    return _by_library(said, now)


def _day(said: str, now: datetime) -> Span | None:
    match = re.fullmatch(rf"(today|yesterday|day before yesterday|this|last|tonight)(?: {PART})?", said)
    if match is None or (match[1] in ("this", "last") and not match[2]):
        return None
    back = {"today": 0, "this": 0, "tonight": 0, "yesterday": 1, "last": 1}.get(match[1], 2)
    part = "evening" if match[1] == "tonight" else match[2]
    return _part_of(_midnight(now) - timedelta(days=back), part)


def _part_of(day: datetime, part: str | None) -> Span:
    first, last = DAY_PARTS[part] if part else (0, 24)
    return Span(day + timedelta(hours=first), day + timedelta(hours=last))


def _this_or_last(said: str, now: datetime) -> Span | None:
    match = re.fullmatch(r"(this|last) (week|weekend|month|year)", said)
    if match is None:
        return None
    today, unit, last = _midnight(now), match[2], match[1] == "last"
    if unit in ("week", "weekend"):
        monday = today - timedelta(days=today.weekday() + 7 * (last and (unit == "week" or today.weekday() < 5)))
        if unit == "week":
            return Span(monday, monday + timedelta(days=7))
        saturday = monday + timedelta(days=5 - 7 * (last and today.weekday() >= 5))
        return Span(saturday, saturday + timedelta(days=2))
    start = today.replace(day=1) if unit == "month" else today.replace(month=1, day=1)
    start = _month_back(start, (1 if unit == "month" else 12) if last else 0)
    return Span(start, _after(start, unit))


def _season(said: str, now: datetime) -> Span | None:
    match = re.fullmatch(rf"(?:(this|last) )?{SEASON}(?: (?:of )?(\d{{4}}))?", said)
    if match is None or bool(match[1]) == bool(match[3]):
        return None
    month = SEASONS[match[2]]
    if match[3]:
        start = datetime(int(match[3]), month, 1)
        return Span(start, _month_back(start, -3))
    start = datetime(now.year, month, 1)
    while start > now or (match[1] == "last" and _month_back(start, -3) > now):
        start = start.replace(year=start.year - 1)
    return Span(start, _month_back(start, -3))


def _ago(said: str, now: datetime) -> Span | None:
    match = re.fullmatch(rf"(?:about |around )?{NUMBER} {UNIT} ago", said)
    if match is None:
        return None
    unit = match[2]
    if match[1] in _FEW:
        start, end = _back(now, FEW, unit), None if unit in ("minute", "hour", "day") else _back(now, 1, unit)
        return Span(_rounded(start, unit), None if end is None else _rounded(end, unit) + timedelta(days=1))
    moment, slack = _back(now, _number(match[1]), unit), _SLACK[unit]
    end = moment + slack
    if unit not in ("minute", "hour"):
        end = _midnight(end) + timedelta(days=1)
    return Span(_rounded(moment - slack, unit), end)


def _lately(said: str, now: datetime) -> Span | None:
    match = re.fullmatch(rf"(?:last|past) (?:{NUMBER} )?{UNIT}", said)
    if match is None:
        return None
    count = FEW if match[1] in _FEW else _number(match[1] or "a")
    return Span(_rounded(_back(now, count, match[2]), match[2]), None)


def _weekday(said: str, now: datetime) -> Span | None:
    match = re.fullmatch(rf"(?:last )?{WEEKDAY}(?: {PART})?", said)
    if match is None:
        return None
    back = (now.weekday() - WEEKDAYS.index(match[1])) % 7
    if said.startswith("last") and back == 0:
        back = 7
    return _part_of(_midnight(now) - timedelta(days=back), match[2])


def _last_month(said: str, now: datetime) -> Span | None:
    match = re.fullmatch(rf"last ({'|'.join(MONTHS)})", said)
    if match is None:
        return None
    start = datetime(now.year, MONTHS.index(match[1]) + 1, 1)
    if _after(start, "month") > now:
        start = start.replace(year=start.year - 1)
    return Span(start, _after(start, "month"))


def _by_library(said: str, now: datetime) -> Span | None:
    """Months and days as dateparser reads them: the last one where no year is said."""
    if not re.search(r"[a-z]{3}", said) or re.search(r"\d[/.]\d", said):
        return None  # 6/3/2024 is one day in Boston and another in Dublin
    seen = _parser(now).get_date_data(re.sub(r"\bof\b", " ", said))
    if seen.date_obj is None or seen.period not in ("day", "month", "year", "time"):
        return None
    found = local(seen.date_obj).replace(microsecond=0)
    if seen.period == "time":
        return Span(found, found + timedelta(minutes=1))
    start = _midnight(found)
    if seen.period != "day":
        start = start.replace(day=1, month=1 if seen.period == "year" else start.month)
    return Span(start, _after(start, seen.period))


def _parser(now: datetime) -> Any:
    from dateparser.date import DateDataParser

    settings = {
        "RELATIVE_BASE": now,
        "PREFER_DATES_FROM": "past",
        "PREFER_DAY_OF_MONTH": "first",
        "RETURN_TIME_AS_PERIOD": True,
        "TIMEZONE": "UTC",  # "now" is local time already: nothing is to be converted
        "RETURN_AS_TIMEZONE_AWARE": False,
    }
    return DateDataParser(languages=["en"], settings=settings)


def _number(said: str) -> int:
    return NUMBERS[said] if said in NUMBERS else int(said)


def _back(now: datetime, count: int, unit: str) -> datetime:
    if unit in ("month", "year"):
        return _month_back(now, count * (12 if unit == "year" else 1))
    return now - count * {**_PERIOD, "minute": timedelta(minutes=1)}[unit]


def _rounded(moment: datetime, unit: str) -> datetime:
    return moment.replace(microsecond=0) if unit in ("minute", "hour") else _midnight(moment)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _month_back(moment: datetime, months: int) -> datetime:
    """The same day so many months before; the last of the month where it has no such day."""
    years, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    first = moment.replace(year=years, month=month + 1, day=1)
    length = (_after(first.replace(hour=0), "month") - first.replace(hour=0)).days
    return first.replace(day=min(moment.day, max(length, 28)))


def _after(start: datetime, unit: str) -> datetime:
    """Where the day, month or year that begins at `start` ends."""
    if unit == "day":
        return start + timedelta(days=1)
    if unit == "year":
        return start.replace(year=start.year + 1)
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
