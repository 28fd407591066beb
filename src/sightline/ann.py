"""The index over vectors of a large collection: what it is asked for, and what is done with its answer.

Above `above` rows a collection with a snapshot has cells (`cells.py`), a larger one LanceDB's index (`index.py` makes
them). Either gives candidates, and their exact cosines decide. Into how many cells or partitions to look and how many
candidates to take is the `Plan`, chosen by measuring (`recall.py`) and kept in `.sightline/TABLE.index`, which may be
lost: without a plan every vector is compared, as it is where few rows pass a filter. Knows nothing of how plans are
made. Why: docs/decisions/0012-index.md.
"""

from __future__ import annotations

import json
import math
import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.cells import Cells, opened, path_of
from sightline.durability import DurableTable
from sightline.schema import Filter, Vectors
from sightline.snapshot import Slots, Snapshot

ABOVE = 20_000
"""Up to so many rows comparing every vector takes a few milliseconds."""
TARGET = 0.98
"""Recall that is looked for: share of the nearest rows that a search has to find."""
FEW, FEW_SHARE = 1_000, 0.01
"""Where no more rows pass a filter, or no larger share, all are compared: gathering them is as quick as asking."""
WIDER = 1.5
"""Where a share p of the rows passes, the best k lie among the k / p best of all, give or take: so much further."""
MOST_REFINED = 1_000
_FORM = 2


@dataclass(frozen=True, slots=True)
class Step:
    """How the `rank` nearest rows are found: cells or partitions to look into, candidates to compare exactly.

    `recall` is the share of them that came back, measured; `ms` is the time that one search took.
    """

    rank: int
    probes: int
    pool: int
    recall: float
    ms: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How the index `name` is asked, and on what that was measured.

    `encoder` is a fingerprint; `asked` says what the `questions` were: captions, sentences or pictures. `exact_ms` is
    the time in which all `rows` were compared. `steps` go up by rank; none where comparing all is quicker.
    """

    name: str
    encoder: str
    rows: int
    target: float
    asked: str
    questions: int
    exact_ms: float
    steps: tuple[Step, ...]

    @property
    def recall(self) -> float | None:
        """Share of the ten nearest rows that are found; None where the index is not asked."""
        return self.steps[0].recall if self.steps else None

    def step(self, rank: int) -> Step | None:
        """The least step that finds so many; None: compare all."""
        return next((step for step in self.steps if step.rank >= rank), None)

    def dumps(self) -> str:
        return json.dumps({"form": _FORM, **asdict(self)}, indent=1)

    @classmethod
    def loads(cls, text: str) -> Plan:
        """Raises ValueError, KeyError or TypeError for what is no plan of this form."""
        told = json.loads(text)
        if told.pop("form") != _FORM:
            raise ValueError("a plan of another form")
        return cls(**{**told, "steps": tuple(Step(**step) for step in told["steps"])})


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Vectors (n, dim) that stand for what people will ask; `kind` says what they are."""

    vectors: Vectors
    kind: str


class VectorIndex:
    """The index of `table` and of its snapshot in `folder`, for collections of more than `above` rows (0: never).

    Its plan is in `path`. `questions` gives what the index is measured with; None, or where it gives None: pictures.
    """

    questions: Callable[[], Questions | None] | None = None

    def __init__(
        self, path: Path, folder: Path, table: DurableTable, *, above: int = ABOVE, target: float = TARGET
    ) -> None:
        self.path, self.folder, self.above, self.target = path, folder, above, target
        self._rows = table
        self._read: tuple[int, Plan | None] = (0, None)
        self._known: tuple[weakref.ref[Snapshot], int, tuple[Cells, bool] | None] | None = None
        self._name: tuple[int, str | None] | None = None

    def wanted(self, rows: int) -> bool:
        """Whether so many rows are worth an index."""
        return bool(self.above) and rows > self.above

    def cells(self, now: Snapshot) -> Cells | None:
        """Those of this snapshot; a look at the file's time tells of new ones."""
        held = self._cells_of(now)
        return held[0] if held else None

    def _cells_of(self, now: Snapshot) -> tuple[Cells, bool] | None:
        """The cells, and whether all rows in them are still there."""
        if not self.wanted(len(now)):
            return None
        try:
            changed = os.stat(path_of(self.folder, now.number)).st_mtime_ns
        except OSError:
            return None
        known = self._known  # one read: other threads replace it
        if known is None or known[0]() is not now or known[1] != changed:
            found = opened(self.folder, now.number)
            held = None
            if found is not None and found.fits(now):
                held = found, int(now.comparable[: found.slots].sum()) == len(found.order)
            known = self._known = weakref.ref(now), changed, held
        return known[2]

    def name_in(self, now: Snapshot | None) -> str | None:
        """The name of the index that a search asks: of a snapshot's cells, or of LanceDB's index."""
        if now is None:
            return self._rows.read(name_of)
        cells = self.cells(now)
        return None if cells is None else cells.name

    # -- asking -------------------------------------------------------------------------------------------------

    def nearest(
        self, now: Snapshot, vector: NDArray[np.float32], k: int, filters: Sequence[Filter] = (), *, sure: int = 10
    ) -> tuple[Slots, NDArray[np.float32]] | None:
        """The slots of the `k` rows nearest to `vector` (dim,) that pass, best first, with their cosines.

        Recall is kept for the first `sure` of them. None: compare every vector. Raises snapshot.Damaged.
        """
        plan, held = self.plan, self._cells_of(now)
        if plan is None or held is None or plan.encoder != now.state.manifest.fingerprint:
            return None
        cells, is_whole = held
        if plan.name != cells.name:
            return None
        # what is gone would take places among the candidates
        there = now.comparable & now.passing(filters) if filters else None if is_whole else now.comparable
        rows = len(now) if there is None else int(there.sum())
        share = rows / max(len(now), 1)
        step = plan.step(sure if there is None else math.ceil(WIDER * sure / max(share, 1e-9)))
        if step is None or (filters and self.are_few(rows, len(now))):
            return None
        unit = vector / np.linalg.norm(vector)
        pool = max(step.pool, math.ceil(WIDER * k))
        known, among = cells.candidates(unit, step.probes, pool, there=there, rank=step.rank)
        later = now.later(cells.slots, unit, pool, there)
        if there is not None and among < min(sure, int(there[: cells.slots].sum())):
            return None  # what passes lies further down than the candidates are known to be complete
        slots, cosines = now.ranked(np.concatenate([known, later]), vector)
        if len(slots) < min(k, rows):
            return None
        now.check(slots[:k])
        return slots[:k], cosines[:k]

    def asked(self, query: Any, k: int, *, filtered: bool = False, sure: int = 10) -> Any:
        """A search of LanceDB as the plan says; without one all vectors are compared.

        Where a filter decides every partition is looked into: what passes may lie anywhere.
        """
        plan = self.plan
        step = plan.step(sure) if plan is not None and self._is_asked(plan) else None
        if plan is None or step is None:
            return query.bypass_vector_index()
        refined = min(math.ceil(max(step.pool, k) / k), MOST_REFINED)
        return query.nprobes(partitions_of(plan.name) if filtered else step.probes).refine_factor(refined)

    def are_few(self, passing: int, rows: int) -> bool:
        """Whether so many rows that pass a filter are better all compared."""
        return passing <= max(FEW, FEW_SHARE * rows)

    def _is_asked(self, plan: Plan) -> bool:
        """Whether the plan is of the index that the table in hand has."""
        with suppress(RuntimeError, ValueError, OSError):
            version = int(self._rows.table.version)
            if self._name is None or self._name[0] != version:
                self._name = version, name_of(self._rows.table)
            return self._name[1] == plan.name
        return False

    # -- the plan -----------------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan | None:
        try:
            changed = os.stat(self.path).st_mtime_ns
        except OSError:
            return None
        if changed != self._read[0]:
            self._read = changed, _read(self.path)
        return self._read[1]

    def keep(self, plan: Plan) -> None:
        """A folder that cannot be written to costs the time of comparing all, no more."""
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(plan.dumps(), "utf-8")
            aside.replace(self.path)

    def forget(self) -> None:
        with suppress(OSError):
            self.path.unlink()


def name_of(table: Any) -> str | None:
    """The name of the index over the vectors."""
    return next((index.name for index in table.list_indices() if index.columns == ["vector"]), None)


def named(partitions: int) -> str:
    """What an index of so many partitions is called: a rebuilt one is told from the one before."""
    return f"vectors_{partitions}"


def partitions_of(name: str) -> int:
    """Raises ValueError for the name of somebody else's index."""
    return int(name.removeprefix("vectors_"))


def _read(path: Path) -> Plan | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return Plan.loads(path.read_text("utf-8"))
    return None
