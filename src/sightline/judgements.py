"""What is relevant to what: questions with the items that answer them, from captions or from a file of judgements.

Three forms of file are read (docs/evaluation.md): TREC qrels beside a file of queries, and JSON lines that hold both.
Items are named by id, uri or name. Knows nothing of rankings or encoders.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from sightline.errors import CollectionError, SourceError, UsageError


@dataclass(frozen=True, slots=True)
class Question:
    """A query with the gain of each relevant item. `group` names what is not independent of it: its picture.

    `doubtful` items are neither right nor wrong: they are taken out of what is found before it is measured. `kind` says
    what sort of query it is; one that is `apart` counts for its kind alone.
    """

    text: str
    relevant: Mapping[str, float]
    group: str = ""
    doubtful: frozenset[str] = frozenset()
    kind: str = ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """What of an item can name it in a file, and its captions."""

    id: str
    uri: str
    name: str
    text: str

    @property
    def captions(self) -> list[str]:
        return [line.strip() for line in self.text.split("\n") if line.strip()]


_BUNDLED = Path(__file__).parent / "data" / "streets" / "streets-queries.jsonl"
Judgements: TypeAlias = "str | os.PathLike[str] | Iterable[Question]"


def from_captions(items: Sequence[Named]) -> list[Question]:
    """Each caption line is a query for its picture; lines that are the same are one query with several pictures.

    Raises CollectionError when nothing has a caption.
    """
    of_line: dict[str, list[str]] = {}
    for item in items:
        for line in dict.fromkeys(item.captions):
            of_line.setdefault(line, []).append(item.id)
    if not of_line:
        raise CollectionError(
            "no picture here has a caption, so nothing says what is relevant",
            hint="put a captions.csv beside the pictures and index again, or give judgements: sightline eval --qrels F",
        )
    return [Question(line, dict.fromkeys(ids, 1.0), ids[0]) for line, ids in of_line.items()]


def read(qrels: str | os.PathLike[str], queries: str | os.PathLike[str] | None = None) -> list[Question]:
    """The questions of a qrels file, items named as the file names them; TREC lines need the file of `queries` too.

    `streets` means the bundled questions about the bundled scenes. Raises SourceError for a file that cannot be read,
    UsageError for a line that cannot be meant.
    """
    path = _BUNDLED if qrels == "streets" else Path(qrels).expanduser()
    if next(lines(path))[1].lstrip().startswith("{"):
        return list(_judged(path))
    return list(_trec(path, queries))


def placed(
    questions: Iterable[Question], items: Sequence[Named], *, unanswerable: bool = False
) -> tuple[list[Question], list[str]]:
    """The questions that something answers, their relevant items by id, and notices of what was left out.

    `unanswerable` keeps those that nothing answers too; something has to be answered all the same.

    Relevant items that are not in the collection stay and are never found: leaving a picture out of a collection does
    not make its search better. Raises SourceError when no item of the collection is meant, UsageError for a name that
    several items have.
    """
    places = _Places(items)
    given = list(questions)
    usable = [replace(one, relevant=places.ids(one.relevant)) for one in given]
    usable = [replace(one, doubtful=places.among(one.doubtful)) for one in usable if one.relevant or unanswerable]
    if not any(one.relevant for one in usable):
        raise SourceError("no query has a relevant item", hint="a judgement above 0 says relevant")
    if not places.known:
        raise SourceError(
            f"none of the judged items is in this collection, e.g. '{places.unknown[0]}'",
            hint="items are named by id, uri or name, as sightline search --json shows them",
        )
    notices = []
    if len(usable) < len(given):
        notices.append(f"{len(given) - len(usable)} of {len(given)} queries have no relevant item and are left out")
    if places.unknown:
        notices.append(f"{len(places.unknown)} relevant items are not in the collection and count as not found")
    return usable, notices


class _Places:
    """Items by id, uri or name; keeps count of what is not there."""

    def __init__(self, items: Sequence[Named]) -> None:
        self._ids = {name: item.id for item in items for name in (item.id, item.uri)}
        self._names: dict[str, list[str]] = {}
        for item in items:
            self._names.setdefault(item.name, []).append(item.id)
        self.known = 0
        self._unknown: dict[str, None] = {}

    @property
    def unknown(self) -> list[str]:
        return list(self._unknown)

    def ids(self, relevant: Mapping[str, float]) -> dict[str, float]:
        return {self._id(name): gain for name, gain in relevant.items() if gain > 0}

    def among(self, names: Iterable[str]) -> frozenset[str]:
        """Those that are here, by id: what is not here cannot be found, so its absence changes nothing."""
        found = (self._names.get(name, ()) if name not in self._ids else (self._ids[name],) for name in names)
        return frozenset(ident for idents in found for ident in idents)

    def _id(self, name: str) -> str:
        found = [self._ids[name]] if name in self._ids else self._names.get(name, [])
        if len(found) > 1:
            raise UsageError(f"'{name}' names {len(found)} items", hint="name them by id or uri")
        if not found:
            self._unknown[name] = None
            return name
        self.known += 1
        return found[0]


# ---- files ----------------------------------------------------------------------------------------------------


def _judged(path: Path) -> Iterator[Question]:
    """`{"query": words, "relevant": [item, …] or {item: gain}}`, one a line; `doubtful`, `kind`, `apart` if need be."""
    for where, line in lines(path):
        row = json_object(where, line)
        words, relevant = row.get("query"), row.get("relevant")
        if isinstance(relevant, list):
            relevant = dict.fromkeys((str(one) for one in relevant), 1.0)
        if not isinstance(words, str) or not words.strip() or not isinstance(relevant, dict):
            raise UsageError(f'{where}: {{"query": words, "relevant": [item, …]}} was expected')
        doubtful, kind, apart = row.get("doubtful", []), row.get("kind", ""), row.get("apart", False)
        if not isinstance(doubtful, list) or not isinstance(kind, str) or not isinstance(apart, bool):
            raise UsageError(f'{where}: "doubtful" is a list of items, "kind" a word, "apart" true or false')
        gains = {name: _gain(where, gain) for name, gain in relevant.items()}
        yield Question(words, gains, doubtful=frozenset(map(str, doubtful)), kind=kind, apart=apart)


def _trec(path: Path, queries: str | os.PathLike[str] | None) -> Iterable[Question]:
    """`qid 0 docid rel` lines with the words of each qid from another file; a docid may hold spaces."""
    if queries is None:
        raise UsageError(
            f"{path} has judgements but no words",
            hint="add --queries FILE with lines `qid TAB words`, or give JSON lines with query and relevant",
        )
    relevant: dict[str, dict[str, float]] = {}
    for where, line in lines(path):
        try:
            qid, _, rest = line.split(None, 2)
            docid, gain = rest.rsplit(None, 1)
        except ValueError:
            raise UsageError(f"{where}: `qid 0 docid rel` was expected, not '{line[:60]}'") from None
        relevant.setdefault(qid, {})[docid] = _gain(where, gain)
    words = _queries(Path(queries).expanduser())
    if missing := [qid for qid in relevant if qid not in words]:
        raise UsageError(f"{queries} has no words for query '{missing[0]}' of {path}")
    return (Question(words[qid], gains) for qid, gains in relevant.items())


def _queries(path: Path) -> dict[str, str]:
    """The words of each query id: `qid TAB words` lines, or JSON lines `{"id": …, "text": …}`."""
    words: dict[str, str] = {}
    for where, line in lines(path):
        if line.lstrip().startswith("{"):
            row = json_object(where, line)
            qid, text = str(row.get("id", "")), row.get("text")
        else:
            qid, _, text = line.partition("\t")
        if not qid.strip() or not isinstance(text, str) or not text.strip():
            raise UsageError(f'{where}: `qid TAB words` or {{"id": …, "text": …}} was expected')
        words[qid.strip()] = text.strip()
    return words


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """(place for messages, line) of each line that is not empty. Raises SourceError for a file that has none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not UTF-8 text") from None
    found = [(f"{path}, line {at}", line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not found:
        raise SourceError(f"{path} is empty")
    return iter(found)


def json_object(where: str, line: str) -> dict[str, Any]:
    """A line of JSON lines. Raises UsageError naming `where` it stands."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise UsageError(f"{where}: a JSON object was expected")
    return row


def _gain(where: str, gain: object) -> float:
    try:
        number = float(gain)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if not abs(number) < 1e6:  # also NaN
        raise UsageError(f"{where}: {gain!r} is no judgement; a number was expected, 0 for not relevant")
    return number
