"""Site: one collection as strangers may see it. What the HTTP API and the pages share.

Everything that goes out is made here: ids, names and links, never a path, a uri or an address; and what comes in is
asked of the collection here: queries that can name no file, ids that are ids. Knows nothing of HTTP.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sightline.answers import Answer
from sightline.cleaning import Cleaner
from sightline.config import Settings
from sightline.errors import CollectionError, QueryError, SightlineError
from sightline.flags import MIN_RELEVANCE
from sightline.schema import Hit, Hits, StoredItem
from sightline.workers import Workers

if TYPE_CHECKING:
    from sightline.collection import Collection
    from sightline.generate import Generator

P = ParamSpec("P")
T = TypeVar("T")

ID = "[0-9a-f]{32}"
MOST_HITS = 1_000
"""As far as pages of hits go: offset + k."""
MOST_UNDONE = 100
_INNER_META = frozenset({"renamed_from"})
"""Meta that the collection wrote for itself; it holds uris."""


class NotHere(SightlineError):
    """There is no such item."""


class ReadOnly(SightlineError):
    """This server changes nothing."""


class Changed(SightlineError):
    """What was asked for would undo what others did since."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of hits: those after the first `offset`. `next` is the offset of the page after it, None at the end."""

    found: Hits
    offset: int
    next: int | None


@dataclass(frozen=True, slots=True)
class Removal:
    """An item that was removed: the versions of the collection before and after."""

    id: str
    before: int
    after: int


@dataclass(frozen=True)
class Site:
    """A collection with how it is shown. `generator` writes its answers (None: the settings').

    The verbs block: call them through `searching`, `showing` (single pictures and items) or `asking`.
    """

    collection: Collection
    title: str = "Sightline"
    read_only: bool = False
    generator: Generator | str | None = None
    min_relevance: float = MIN_RELEVANCE
    searching: Workers = field(default_factory=lambda: Workers("search", threads=8, most=16), repr=False)
    showing: Workers = field(default_factory=lambda: Workers("show", threads=4, most=64), repr=False)
    asking: Workers = field(default_factory=lambda: Workers("ask", threads=4, most=4), repr=False)
    clean: Cleaner = field(default_factory=Cleaner, repr=False)
    _removals: list[Removal] = field(default_factory=list, repr=False)
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def settings(self) -> Settings:
        return self.collection.settings

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`searching.run`."""
        return await self.searching.run(work, *args, **kwargs)

    def close(self) -> None:
        for workers in (self.searching, self.showing, self.asking):
            workers.close()
        self.clean.close()

    # -- asking -------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str | None = None,
        k: int = 20,
        *,
        offset: int = 0,
        min_relevance: float | None = None,
        picture: bytes | None = None,
        like: Sequence[str] = (),
        unlike: Sequence[str] = (),
        sort: str = "score",
        group: bool = True,
    ) -> Page:
        """Hits `offset` to `offset + k` for words, a picture, or both. `like` and `unlike` are ids.

        `min_relevance` None: what the command line shows. Raises QueryError, also for a query that names a file.
        """
        if not 0 <= offset <= MOST_HITS - k or k < 1:
            raise QueryError(f"k is {k} and offset {offset}: together at most {MOST_HITS:,}, k from 1")
        for ident in (*like, *unlike):
            check_id(ident)
        examples: list[str | bytes] = [*like, *([self.clean(picture)] if picture is not None else [])]
        typed = query if query and query.strip() else None
        if typed is None and not examples:
            raise QueryError("the query is empty", hint='say what to look for, e.g. "a road with a stop sign"')
        wanted = min(offset + k + 1, MOST_HITS)  # one more tells whether there is a next page
        found = self.collection.search(
            typed,
            wanted,
            like=examples,
            unlike=list(unlike),
            sort=sort,
            group=group,
            min_relevance=self.min_relevance if min_relevance is None else min_relevance,
            files=False,
        )
        hits = tuple(hit for hit in found if offset < hit.rank <= offset + k)  # in order of score or of date
        shown = replace(found, hits=hits)
        return Page(shown, offset, offset + k if len(found) > offset + k else None)

    def get(self, ident: str) -> StoredItem:
        """Raises NotHere, also for what is no id."""
        if not is_id(ident):
            raise not_here(ident)
        try:
            return self.collection.get(ident)
        except CollectionError as error:
            if type(error) is not CollectionError:  # the collection itself is at fault
                raise
            raise not_here(ident) from error

    def ask(self, question: str, k: int = 6, *, before: Sequence[tuple[str, str]] = ()) -> Iterator[str | Answer]:
        """Pieces of an answer and, last, the whole of it, checked. Raises QueryError, GeneratorError."""
        return self.collection.ask(question, k, generator=self.generator, before=before, stream=True)

    # -- changing -----------------------------------------------------------------------------------------------

    def add(self, picture: bytes, text: str = "", *, name: str = "") -> StoredItem:
        """Add a picture that came over the wire. Raises ReadOnly, and BadMedia with the reason."""
        self._check_writable()
        with self._writing:
            return self.collection.get(self.collection.add(picture, text, name=_harmless(name)))

    def remove(self, ident: str) -> Removal:
        """Remove an item; its source file stays, and `undo` brings it back. Raises NotHere, ReadOnly."""
        self._check_writable()
        with self._writing:
            self.get(ident)
            before = self.collection.version
            self.collection.remove(ident)
            removal = Removal(ident, before, self.collection.version)
            self._removals.append(removal)
            del self._removals[:-MOST_UNDONE]
            return removal

    def undo(self, ident: str) -> StoredItem:
        """Bring back the item that was removed last, if nothing has changed since. Raises Changed, ReadOnly."""
        self._check_writable()
        with self._writing:
            last = self._removals[-1] if self._removals else None
            if last is None or last.id != ident:
                raise Changed(
                    f"item '{ident[:60]}' is not the one that was removed last",
                    hint="removals are undone in turn, the last one first",
                )
            if self._has_changed(last.after):
                raise Changed(
                    "the collection has changed since the removal",
                    hint="add the picture again, or see `sightline history` and `sightline restore`",
                )
            one_before = self._removals[-2] if len(self._removals) > 1 else None
            is_next = one_before is not None and not self._has_changed(one_before.after, until=last.before)
            self.collection.restore(last.before)
            self._removals.pop()
            if one_before is not None and is_next:  # what there is now is what there was after that removal
                self._removals[-1] = replace(one_before, after=self.collection.version)
            return self.get(ident)

    def _has_changed(self, after: int, *, until: int | None = None) -> bool:
        """Whether a version in (after, until] did more than upkeep."""
        return any(
            one.added or one.updated or one.removed or one.operation.startswith("restore")
            for one in self.collection.history()
            if one.version > after and (until is None or one.version <= until)
        )

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnly("this server is read-only", hint="start `sightline serve` without --read-only")

    # -- what goes out ------------------------------------------------------------------------------------------

    def hit(self, hit: Hit) -> dict[str, Any]:
        """A hit as a document: `uri` is its address in the API."""
        return {**hit.to_json(), **links(hit.id, hit.version)}

    def page(self, page: Page) -> dict[str, Any]:
        return {
            **page.found.to_json(),
            "hits": [self.hit(hit) for hit in page.found],
            "offset": page.offset,
            "next_offset": page.next,
        }

    def item(self, item: StoredItem) -> dict[str, Any]:
        """All that is known of an item, but where its file is."""
        told = item.to_json()
        told["meta"] = _finite({name: value for name, value in told["meta"].items() if name not in _INNER_META})
        return {**told, **links(item.id, item.version)}

    def answer(self, answer: Answer) -> dict[str, Any]:
        """Why a generator failed may tell of servers and folders: that stays in the log."""
        told = answer.to_json()
        if answer.incomplete and told["reason"]:
            told["reason"] = "what writes answers failed or broke off"
        told["generator"] = re.sub(r":(?=[/\\~.]).*[/\\]", ":", told["generator"])  # hf:FOLDER
        return {**told, "hits": [self.hit(hit) for hit in answer.hits]}

    def stats(self) -> dict[str, Any]:
        """What there is to say about the collection, but where it is."""
        if not self.collection.exists:
            none = {"rows": 0, "encoder": "", "dim": 0, "modalities": [], "index": None, "read": 0, "version": 0}
            return {**none, "read_only": self.read_only}
        told = self.collection.info().to_json()
        names = ("rows", "encoder", "dim", "modalities", "index", "read", "version")
        return {**{name: told[name] for name in names}, "read_only": self.read_only}

    def said(self, text: str) -> str:
        """A message without the place where the collection is."""
        address = self.collection.address
        return text.replace(f"'{address}'", "this collection").replace(address, "this collection")


def links(ident: str, version: str) -> dict[str, str]:
    """Where an item and its pictures are. With `v` a picture's address changes with its bytes: it may be kept."""
    short = f"?v={version[:16]}" if version else ""
    return {"uri": f"/api/items/{ident}", "thumb": f"/thumb/{ident}{short}", "media": f"/media/{ident}{short}"}


def is_id(text: str) -> bool:
    return re.fullmatch(ID, text) is not None


def check_id(text: str) -> None:
    if not is_id(text):
        raise QueryError(f"'{text[:60]}' is no id of an item", hint="ids are 32 hexadecimal digits, as in hits")


def not_here(ident: str) -> NotHere:
    return NotHere(f"there is no item '{ident[:60]}'", hint="hits of /api/search hold ids")


def _finite(value: Any) -> Any:
    """NaN and infinity, which data sets hold and JSON does not know, as null."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _harmless(name: str) -> str:
    """The name of an uploaded file: no folders, nothing that a terminal or a page would act on, not too long."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(char for char in last if char.isprintable()).strip()[:100]
