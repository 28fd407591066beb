"""What the verbs of a collection answer with: progress and reports of ingest, OCR, verify and optimize, its state.

Plain records with their JSON documents (DESIGN: "CLI"). Knows schema.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sightline.schema import Skipped


@dataclass(frozen=True, slots=True)
class Info:
    """The state of a collection. `unindexed` rows are found too, only slower; `measured_recall` None: not measured.

    `read`: rows of which the text in the picture was read.
    """

    address: str
    rows: int
    encoder: str
    dim: int
    modalities: tuple[str, ...]
    fragments: int
    unindexed: int
    index: str | None
    measured_recall: float | None
    bytes: int
    version: int
    read: int = 0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "modalities": list(self.modalities)}


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version of a collection's rows. `operation` says what made it, the counts what it changed; `at` is UTC."""

    version: int
    at: datetime
    rows: int
    operation: str
    added: int
    updated: int
    removed: int
    current: bool

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `id` is the item's, or the name of a file or index where no item can be named."""

    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found. `rows` the collection says it has, `checked` of them could be read.

    `problems` are faults of the collection; `notices` are sources that changed or went since they were indexed.
    """

    address: str
    rows: int
    checked: int
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "rows": self.rows,
            "checked": self.checked,
            "problems": [asdict(one) for one in self.problems],
            "notices": [{"id": one.id, "notice": one.problem} for one in self.notices],
        }


@dataclass(frozen=True, slots=True)
class OptimizeReport:
    """What `optimize` did. Bytes are the size of the whole collection on disk; `versions` can still be restored."""

    address: str
    rows: int
    bytes_before: int
    bytes: int
    fragments_before: int
    fragments: int
    versions: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OcrReport:
    """What reading the text in pictures did. `read` rows were read, `with_text` of them show text."""

    read: int
    with_text: int
    failed: tuple[Skipped, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        failed = [{"uri": s.uri, "reason": s.reason.value, "detail": s.detail} for s in self.failed]
        return {"read": self.read, "with_text": self.with_text, "failed": failed, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Progress:
    """What `ingest(progress=)` is told after each commit: everything counted here survives a kill.

    `reading`: the pictures are in, and the text that they show is being read; then `seen` counts those.
    """

    seen: int
    committed: int
    encoded: int
    skipped: int
    listed: int | None = None
    reading: bool = False


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. `seen` = added + updated + unchanged + renamed + len(skipped).

    `ocr` is None when the text in the pictures was not asked for.
    """

    address: str
    model: str
    added: int
    updated: int
    unchanged: int
    renamed: int
    removed: int
    missing: int
    encoded: int
    skipped: tuple[Skipped, ...]
    seconds: float
    rows: int
    notices: tuple[str, ...] = ()
    ocr: OcrReport | None = None

    def to_json(self) -> dict[str, Any]:
        counts = ("address", "model", "added", "updated", "unchanged", "renamed", "removed", "missing", "encoded")
        return {
            **{name: getattr(self, name) for name in counts},
            "skipped": [{"uri": s.uri, "reason": s.reason.value, "detail": s.detail} for s in self.skipped],
            "seconds": round(self.seconds, 3),
            "rows": self.rows,
            "ocr": self.ocr.to_json() if self.ocr else None,
        }
