"""View: what a search page shows, as its address says it; and what of it can be taken away by a link.

    /?q=horse+-+zebra+after:2024-06&sort=date        View.read(request.query_params).query()

The address is the whole state of a page: links can be shared, and the back button is right. Knows the query language
and nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from urllib.parse import quote, urlencode

from sightline import query as language
from sightline.errors import QueryError, UsageError
from sightline.schema import Filter, Near, Query, Term
from sightline.site import is_id, links

FIRST = 36
"""Pictures on a page at first."""
MOST = 960
SORTS = ("score", "date")
PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class View:
    """`q` in the query language, `picture` the key of one that was sent to search by. `all`: also what hardly fits.

    `k` pictures at most; `each`: near-duplicates one by one. `path` is the page that shows it.
    """

    q: str = ""
    picture: str = ""
    sort: str = "score"
    k: int = FIRST
    all: bool = False
    each: bool = False
    path: str = "/"

    @classmethod
    def read(cls, given: Mapping[str, str], path: str = "/") -> View:
        """Raises UsageError for what no link of ours says."""
        sort, k = given.get("sort", "score"), given.get("k", str(FIRST))
        if sort not in SORTS:
            raise UsageError(f"sort is '{sort[:60]}'; {' or '.join(SORTS)} was expected")
        if not (k.isascii() and k.isdigit() and len(k) < 5 and 1 <= int(k) <= MOST):
            raise UsageError(f"k is '{k[:60]}'; a whole number from 1 to {MOST} was expected")
        told = {name: name in given for name in ("all", "each")}
        return cls(given.get("q", "").strip(), given.get("picture", ""), sort, int(k), **told, path=path)

    @property
    def is_home(self) -> bool:
        """Nothing is asked: the newest are shown."""
        return not self.q and not self.picture

    def address(self, path: str = "", **changes: object) -> str:
        """The address of this view, or of one like it, on `path` ("": its own). What is as usual is not said."""
        view = replace(self, **changes)  # type: ignore[arg-type]
        said = {
            "q": view.q,
            "picture": view.picture,
            "sort": "" if view.sort == "score" else view.sort,
            "k": "" if view.k == FIRST else str(view.k),
            "all": "1" if view.all else "",
            "each": "1" if view.each else "",
        }
        told = urlencode({name: value for name, value in said.items() if value})
        path = path or self.path
        return f"{path}?{told}" if told else path

    def asks(self, query: Query) -> str:
        """The address that asks `query` instead; how it is shown stays, how much of it does not."""
        return self.address(q=language.write(query), k=FIRST, all=False)

    def typed(self, now: datetime | None = None) -> Query:
        """What the words of the address mean, the picture apart; no file is read. Raises QueryError."""
        if not self.q:
            return Query(raw="", terms=())
        if self.picture and self.q.startswith("- "):  # what is left out stands beside the picture
            before = f'"{PICTURE}" '
            try:
                query = language.parse(before + self.q, now=now, files=False)
            except QueryError as error:
                at = None if error.at is None else max(0, error.at - len(before))
                raise QueryError(str(error), hint=error.hint, text=self.q, at=at) from None
            return replace(query, raw=self.q, terms=query.terms[1:])
        return language.parse(self.q, now=now, files=False)


# ---- chips ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chip:
    """One part of what was understood; `without` is the address that asks the rest.

    `kind` is words, item, picture or filter, `src` where the picture is that it shows.
    """

    kind: str
    label: str
    without: str
    excluded: bool = False
    weight: float = 1.0
    src: str = ""


def chips(view: View, query: Query) -> list[Chip]:
    """What of `query` can be taken away, in the order in which it was said. `query` is what `view` typed."""
    found = []
    if view.picture:
        bare = replace(view, picture="")
        without = bare.asks(_standing(bare, query))
        found.append(Chip("picture", "this picture", without, src=f"/picture/{quote(view.picture, safe='')}"))
    for at, term in enumerate(query.terms):
        rest = [other for place, other in enumerate(query.terms) if place != at]
        without = view.asks(_standing(view, replace(query, terms=tuple(rest))))
        kind = "item" if term.item else "words"
        label = "like this picture" if term.item else term.text
        src = links(term.item, "")["thumb"] if is_id(term.item) else ""
        found.append(Chip(kind, label, without, term.excluded, abs(term.weight), src))
    for together in _spans(query.filters):
        rest_filters = tuple(one for one in query.filters if one not in together)
        without = view.asks(replace(query, filters=rest_filters))
        found.append(Chip("filter", said(together), without, together[0].excluded))
    return found


def _standing(view: View, query: Query) -> Query:
    """Without what is left out where nothing is asked for any more."""
    if view.picture or any(not term.excluded for term in query.terms):
        return query
    return replace(query, terms=())


def _spans(filters: Sequence[Filter]) -> list[list[Filter]]:
    """The filters, the two ends of one span of time together."""
    groups: dict[tuple[object, ...], list[Filter]] = {}
    for at, one in enumerate(filters):
        is_time = isinstance(one.value, datetime) and not one.excluded
        key = (one.kind.startswith("added"), one.said) if is_time else (at,)
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def said(together: Sequence[Filter]) -> str:
    """A filter, or the ends of a span of time, in words."""
    one = together[0]
    if isinstance(one.value, datetime):
        verb = "added" if one.kind.startswith("added") else "taken"
        ends = {filter_.kind.removeprefix("added-"): filter_.value for filter_ in together}
        return f"{verb} {_span(ends.get('after'), ends.get('before'))}"
    if isinstance(one.value, Near):
        place = one.value.place
        return f"within {one.value.km:g} km of {place.latitude:g}, {place.longitude:g}"
    value = str(one.value)
    if one.kind == "has" and value == "text":
        return "shows text"
    words = {"type": "only {}", "in": "in {}", "camera": "camera {}", "has": "has a {}", "text": "says “{}”"}
    return words.get(one.kind, one.kind + " {}").format(value)


def _span(after: object, before: object) -> str:
    start = after.astimezone() if isinstance(after, datetime) else None
    end = before.astimezone() if isinstance(before, datetime) else None
    if start and end:
        first, last = moment(start), moment(_last(end))
        return first if first == last else f"{first} – {last}"
    if start:
        return f"since {moment(start)}"
    return f"before {moment(end)}" if end else "at any time"


def _last(end: datetime) -> datetime:
    """The last day of a span that ends before a day begins."""
    return end - timedelta(days=1) if _is_midnight(end) else end


def _is_midnight(when: datetime) -> bool:
    return (when.hour, when.minute, when.second) == (0, 0, 0)


def moment(when: datetime) -> str:
    """3 Jun 2024; with the time unless a day begins."""
    day = f"{when.day} {when:%b %Y}"
    return day if _is_midnight(when) else f"{day} {when:%H:%M}"


# ---- more and less like it ------------------------------------------------------------------------------------


def refined(view: View, query: Query, ident: str, *, unlike: bool = False) -> str:
    """The address that also asks for what looks like an item, or unlike it."""
    kept = tuple(term for term in query.terms if term.item != ident)
    return view.asks(_standing(view, replace(query, terms=(*kept, Term(item=ident, weight=-1.0 if unlike else 1.0)))))


# ---- the form of filters --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Form:
    """What the form of filters shows: days as 2024-06-03 or empty, both included."""

    since: str = ""
    until: str = ""
    type: str = ""
    folder: str = ""
    has_text: bool = False

    @classmethod
    def of(cls, query: Query) -> Form:
        """What a query says that the form can say."""
        told = {one.kind: one.value for one in query.filters if not one.excluded and one.kind != "has"}
        after, before = told.get("after"), told.get("before")
        return cls(
            since=after.astimezone().date().isoformat() if isinstance(after, datetime) else "",
            until=_last(before.astimezone()).date().isoformat() if isinstance(before, datetime) else "",
            type=str(told.get("type", "")),
            folder=str(told.get("in", "")),
            has_text=_HAS_TEXT in query.filters,
        )

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Form:
        since, until, kind, folder = (given.get(name, "").strip() for name in ("since", "until", "type", "folder"))
        return cls(since, until, kind, folder, has_text="has_text" in given)


_HAS_TEXT = Filter("has", "text")


def filtered(query: Query, form: Form) -> Query:
    """The query with the filters that the form says, and those that it cannot say. Raises QueryError.

    What was not changed in the form stays as it was typed.
    """
    shown = Form.of(query)
    changes = {
        "after": _changed(form.since, shown.since, "after", form.since),
        "before": _changed(form.until, shown.until, "before", _day_after(form.until)),
        "type": _changed(form.type, shown.type, "type", form.type),
        "in": _changed(form.folder, shown.folder, "in", form.folder),
    }
    filters = [one for one in query.filters if one.excluded or changes.get(one.kind) is None]
    filters = [one for one in filters if one != _HAS_TEXT or form.has_text]
    for new in changes.values():
        filters += new or ()
    if form.has_text and _HAS_TEXT not in filters:
        filters.append(_HAS_TEXT)
    return replace(query, filters=tuple(filters))


def _changed(asked: str, shown: str, kind: str, value: str) -> Iterable[Filter] | None:
    """The filter that takes the place of the former ones, none of them; None where nothing was changed."""
    if asked == shown:
        return None
    if not asked:
        return ()
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return language.parse(f'{kind}:"{quoted}"', files=False).filters


def _day_after(day: str) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=1)).isoformat() if day else ""
    except (ValueError, OverflowError):
        return day  # the query language says what is wrong with it
