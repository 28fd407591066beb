"""The index over vectors of a large collection: what it is asked for, and what is done with its answer.

Above `above` rows LanceDB keeps an index (`index.py` makes it): vectors in partitions, each as one bit for a dimension.
It gives candidates, and their exact cosines decide. Into how many partitions to look and how many candidates to take is
the `Plan`, chosen by measuring (`recall.py`) and kept in `.sightline/TABLE.index`, which may be lost: without a plan
every vector is compared, as it is where few rows pass a filter and while LanceDB is not loaded yet. Knows nothing of
how plans are made. Why: docs/decisions/0012-index.md.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.durability import DurableTable
from sightline.schema import Filter, Vectors
from sightline.snapshot import Slots, Snapshot

ABOVE = 300_000
"""Up to so many rows comparing every vector takes no longer than a person notices."""
TARGET = 0.98
"""Recall that is looked for: share of the nearest rows that a search has to find."""
FEW = 15
"""Where no more than `above` / FEW rows pass a filter all are compared: gathering them is quicker than asking."""
WIDER = 1.5
"""Where a share p of the rows passes, the best k lie among the k / p best of all, give or take: so much further."""
PATIENCE = 8
"""Searches of one process that are answered without LanceDB: a command ends before its import would be earned back."""
MOST_REFINED = 1_000
_FORM = 1


@dataclass(frozen=True, slots=True)
class Step:
    """How the `rank` nearest rows are found: partitions to look into, candidates to compare exactly.

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
    """The index of `table`, for collections of more than `above` rows (0: never), with its plan in `path`.

    `questions` gives what the index is measured with; None, or where it gives None: pictures.
    """

    questions: Callable[[], Questions | None] | None = None

    def __init__(self, path: Path, table: DurableTable, *, above: int = ABOVE, target: float = TARGET) -> None:
        self.path, self.above, self.target = path, above, target
        self.few = above // FEW
        self._rows = table
        self._read: tuple[int, Plan | None] = (0, None)
        self._opened: tuple[int, Any, str | None] | None = None
        self._opening = threading.Lock()
        self._waited = 0

    def wanted(self, rows: int, dim: int) -> bool:
        """Whether so many rows are worth an index. LanceDB packs dimensions by eight."""
        return bool(self.above) and rows > self.above and dim % 8 == 0

    # -- asking -------------------------------------------------------------------------------------------------

    def nearest(
        self, now: Snapshot, vector: NDArray[np.float32], k: int, filters: Sequence[Filter] = (), *, sure: int = 10
    ) -> tuple[Slots, NDArray[np.float32]] | None:
        """The slots of the `k` rows nearest to `vector` (dim,) that pass, best first, with their cosines.

        Recall is kept for the first `sure` of them. None: compare every vector. Raises snapshot.Damaged.
        """
        plan = self.plan
        if plan is None or not plan.steps or plan.encoder != now.state.manifest.fingerprint or not self._is_worth_it():
            return None
        there = now.passing(filters) if filters else None
        rows = len(now) if there is None else int(there.sum())
        share = rows / max(len(now), 1)
        step = plan.step(sure if there is None else math.ceil(WIDER * sure / max(share, 1e-9)))
        if step is None or rows <= self.few:
            return None
        addresses = self._ask(now, plan, vector, step.probes, max(step.pool, math.ceil(WIDER * k / share)))
        if addresses is None:
            return None
        slots, cosines = now.ranked(now.slots_at(addresses), vector)
        if there is not None:
            passes = there[slots]
            if passes[: step.rank].sum() < min(sure, rows):
                return None  # those that pass lie further down than the candidates are known to be complete
            slots, cosines = slots[passes], cosines[passes]
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
        """Whether so many rows that pass a filter are better all compared by LanceDB."""
        return passing <= max(self.few, rows // 100)

    def _is_worth_it(self) -> bool:
        """Loading LanceDB takes longer than a few exact searches."""
        self._waited += 1
        return "lancedb" in sys.modules or self._waited > PATIENCE

    def warm(self) -> None:
        """Many searches will come: wait for none of them to load LanceDB."""
        self._waited = PATIENCE

    def _is_asked(self, plan: Plan) -> bool:
        """Whether the plan is of the index that the table in hand has."""
        with suppress(RuntimeError, ValueError, OSError):
            return self._at(int(self._rows.table.version))[1] == plan.name
        return False

    def _ask(
        self, now: Snapshot, plan: Plan, vector: NDArray[np.float32], probes: int, pool: int
    ) -> NDArray[np.int64] | None:
        """Addresses of the candidates; None where the index is another one, or cannot be read."""
        with suppress(RuntimeError, ValueError, OSError):
            table, name = self._at(now.state.version)
            if name == plan.name:
                return candidates(table, vector, probes, pool)
        return None

    def _at(self, version: int) -> tuple[Any, str | None]:
        """The table at a version, and the name of its index over the vectors; opened once for each."""
        with self._opening:
            if self._opened is None or self._opened[0] != version:
                table = self._rows.another()
                table.checkout(version)
                self._opened = version, table, name_of(table)
            return self._opened[1], self._opened[2]

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


def candidates(table: Any, vector: NDArray[np.float32], probes: int, pool: int) -> NDArray[np.int64]:
    """The Lance addresses of the `pool` nearest rows, by what the index knows of them, best first.

    Rows that are not in the index yet are among them: LanceDB compares those one by one.
    """
    query = table.search(vector, vector_column_name="vector").distance_type("cosine")
    found = query.nprobes(probes).limit(pool).with_row_id(True).select(["_rowid", "_distance"]).to_arrow()
    return np.asarray(found["_rowid"]).astype(np.int64)


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
