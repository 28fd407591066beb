"""measure_answers(): questions whose right answers are known, put to a collection, and what the answers are worth.

    sightline eval streets:test --answers streets

What one answer is worth is decided in marking.py. Intervals are Wilson's for what is right or wrong, and the
bootstrap's for precision and recall of citations. docs/evaluation.md says what the numbers mean.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from sightline import judgements, metrics
from sightline.answers import Answer
from sightline.cutoffs import Share
from sightline.errors import UsageError
from sightline.evaluate import drawn
from sightline.judgements import Named, Question
from sightline.marking import Known, Mark, Number, mark

MEASURES = (
    "citation_precision", "citation_recall", "facts", "existence", "counts", "refused", "answered", "grounded",
)  # fmt: skip
"""The higher the better; `--fail-under` takes them."""
_MEANS = ("citation_precision", "citation_recall")

_BUNDLED = Path(__file__).parent / "data" / "streets" / "streets-questions.jsonl"
Questions: TypeAlias = "str | os.PathLike[str] | Iterable[Known]"


@dataclass(frozen=True, slots=True)
class AnswersReport:
    """What the answers of a collection are worth: each of MEASURES as a share, with its interval and its n.

    `kinds` holds the share of right answers by kind of question, unanswerable ones apart. `invented` counts citations
    of what was not given that reached a reader, `removed` those that were taken away before. `marks` are in the order
    in which the questions were asked.
    """

    generator: str
    model: str
    rows: int
    k: int
    seed: int
    shares: Mapping[str, Share]
    kinds: Mapping[str, Share]
    latency_ms: Mapping[str, float]
    marks: tuple[Mark, ...]
    notices: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return len(self.marks)

    @property
    def invented(self) -> int:
        return sum(one.invented for one in self.marks)

    @property
    def removed(self) -> int:
        return sum(one.answer.removed for one in self.marks)

    def __getitem__(self, measure: str) -> float:
        """A measure, e.g. `report["refused"]`; 1 where there was nothing to measure."""
        share = self.shares[measure].share
        return 1.0 if share is None else share

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            **{name: share.to_json() for name, share in self.shares.items()},
            "invented": self.invented,
            "removed": self.removed,
            "kinds": {name: share.to_json() for name, share in self.kinds.items()},
            "latency_ms": dict(self.latency_ms),
            "generator": self.generator,
            "model": self.model,
            "rows": self.rows,
            "k": self.k,
            "seed": self.seed,
            "notices": list(self.notices),
            "questions": [one.to_json() for one in self.marks],
        }


def measure_answers(
    ask: Callable[[str], Answer],
    items: Sequence[Named],
    questions: Questions,
    *,
    model: str,
    k: int,
    limit: int | None = None,
    seed: int = 0,
    tell: Callable[[int, int], None] | None = None,
) -> AnswersReport:
    """Put every question to `ask`, which may cite `k` pictures of `items`, and mark the answers.

    `limit` draws that many questions; `tell` is told how many of how many are done. The first question is asked once
    more before the time is taken. Raises UsageError, SourceError for a file that cannot be read or meant, and what
    `ask` raises.
    """
    known, notices = placed(read(questions) if isinstance(questions, (str, os.PathLike)) else questions, items)
    asked = drawn(known, limit, seed)
    ask(asked[0].asked.text)  # loads the model and opens the tables
    marks = []
    for at, one in enumerate(asked, start=1):
        started = time.perf_counter()
        answer = ask(one.asked.text)
        marks.append(mark(answer, one, k=k, milliseconds=(time.perf_counter() - started) * 1000))
        if tell:
            tell(at, len(asked))
    p50, p95 = np.quantile([one.milliseconds for one in marks], (0.5, 0.95))
    return AnswersReport(
        generator=next((one.answer.generator for one in marks if one.answer.generator), ""),
        model=model,
        rows=len(items),
        k=k,
        seed=seed,
        shares={name: _share(name, marks, seed) for name in MEASURES},
        kinds=_kinds(marks),
        latency_ms={"p50": round(float(p50), 3), "p95": round(float(p95), 3)},
        marks=tuple(marks),
        notices=tuple(notices),
    )


def _share(name: str, marks: Sequence[Mark], seed: int) -> Share:
    values = [getattr(one, name.removeprefix("citation_")) for one in marks]
    numbers = np.array([float(one) for one in values if one is not None], np.float64)
    if name in _MEANS and len(numbers):
        low, high = metrics.interval(numbers, seed=seed)
        return Share(float(numbers.mean()), low, high, len(numbers))
    return _of_all([bool(one) for one in numbers])


def _kinds(marks: Sequence[Mark]) -> dict[str, Share]:
    right: dict[str, list[bool]] = {}
    for one in marks:
        kind = one.known.asked.kind or "any"
        right.setdefault(f"{kind}, unanswerable" if one.known.unanswerable else kind, []).append(one.right)
    return {kind: _of_all(values) for kind, values in right.items()}


def _of_all(values: Sequence[bool]) -> Share:
    if not values:
        return Share(None, None, None, 0)
    return Share(sum(values) / len(values), *metrics.wilson(sum(values), len(values)), len(values))


# ---- files -----------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> list[Known]:
    """The questions of a file of JSON lines, pictures named as the file names them; `streets` means the bundled ones.

    `{"question": words, "relevant": [item, …]}`, and if need be `kind`, `doubtful`, `facts`, `number`, `unanswerable`.
    Raises SourceError for a file that cannot be read, UsageError for a line that cannot be meant.
    """
    found = _BUNDLED if path == "streets" else Path(path).expanduser()
    return [_known(where, judgements.json_object(where, line)) for where, line in judgements.lines(found)]


def placed(known: Iterable[Known], items: Sequence[Named]) -> tuple[list[Known], list[str]]:
    """The questions with their pictures by id, and notices of what is not there, as `judgements.placed` has them."""
    given = list(known)
    questions, notices = judgements.placed([one.asked for one in given], items, unanswerable=True)
    return [replace(one, asked=question) for one, question in zip(given, questions, strict=True)], notices


def _known(where: str, row: Mapping[str, Any]) -> Known:
    words, kind = row.get("question"), row.get("kind", "")
    if not isinstance(words, str) or not words.strip() or not isinstance(kind, str):
        raise UsageError(f'{where}: {{"question": words, "relevant": [item, …]}} was expected')
    relevant, doubtful = (_names(where, name, row.get(name, [])) for name in ("relevant", "doubtful"))
    unanswerable = row.get("unanswerable", not relevant)
    if not isinstance(unanswerable, bool) or unanswerable is bool(relevant):
        raise UsageError(f'{where}: a question is either "unanswerable" or has "relevant" items')
    return Known(
        asked=Question(words, dict.fromkeys(relevant, 1.0), doubtful=frozenset(doubtful), kind=kind),
        facts=tuple(_facts(where, row.get("facts") or [])),
        number=_number(where, row.get("number")),
        unanswerable=unanswerable,
    )


def _names(where: str, name: str, given: object) -> list[str]:
    if not isinstance(given, list):
        raise UsageError(f'{where}: "{name}" is a list of items')
    return [str(one) for one in given]


def _facts(where: str, given: object) -> Iterator[tuple[str, ...]]:
    """Each fact is a list of alternatives; a word alone is a fact with one."""
    for fact in given if isinstance(given, list) else [None]:
        alternatives = [fact] if isinstance(fact, str) else fact
        if not isinstance(alternatives, list) or not alternatives:
            raise UsageError(f'{where}: "facts" is a list of lists of words, of each of which one has to be said')
        if not all(isinstance(one, str) and one.strip() for one in alternatives):
            raise UsageError(f'{where}: "facts" holds words')
        yield tuple(alternatives)


def _number(where: str, given: object) -> Number | None:
    """`n`, or [low, true, high]."""
    if given is None:
        return None
    ends = [given] * 3 if isinstance(given, int) else given
    whole = isinstance(ends, list) and len(ends) == 3 and all(type(one) is int for one in ends)
    if not whole or not 0 <= ends[0] <= ends[1] <= ends[2]:  # type: ignore[index]
        raise UsageError(f'{where}: "number" is a whole number, or [low, true, high] of such')
    return tuple(ends)  # type: ignore[arg-type, return-value]
