"""What happened to a collection, version by version, and the way back. The store's fourth noun.

LanceDB keeps the rows of each version and does not say what a version changed. Each write therefore leaves one line in
a file of its own beside the tables. The lines are notes, no more: a torn or lost one costs an entry its words, and what
LanceDB knows (number, time, rows) is shown all the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import CollectionError
from sightline.reports import VersionEntry

if TYPE_CHECKING:
    from sightline.store import Store

CLOCK_STEP = timedelta(seconds=1)
"""LanceDB's time of a version and ours are read from one clock, but not at the same moment."""


def entries(store: Store) -> list[VersionEntry]:
    """Every version that can be restored, newest first."""
    notes = store.rows.notes.read()
    table = store.rows.another()
    newest = int(table.version)
    found: list[VersionEntry] = []
    rows_before = 0
    for told in sorted(table.list_versions(), key=lambda version: int(version["version"])):
        version = int(told["version"])
        at = told["timestamp"].astimezone(UTC)
        rows = int(told.get("metadata", {}).get("total_rows", 0))
        note = _note_of(notes, version, at)
        change = rows - rows_before if found else 0
        found.append(
            VersionEntry(
                version=version,
                at=at,
                rows=rows,
                operation=note.operation if note else ("change" if change else "upkeep"),
                added=note.added if note else max(change, 0),
                updated=note.updated if note else 0,
                removed=note.removed if note else max(-change, 0),
                current=version == newest,
            )
        )
        rows_before = rows
    return found[::-1]


def restore(store: Store, version: int) -> int:
    """Make `version` the newest again, rows and index; returns the number of the new version that holds it.

    What came after stays in the history, so that a restore can be undone by another. Raises CollectionError when the
    version is not there or cannot be read.
    """
    with store.lock.held():
        kept = {int(told["version"]) for told in store.rows.another().list_versions()}
        if version not in kept:
            raise CollectionError(
                f"there is no version {version} of '{store.address}'; versions {min(kept)} to {max(kept)} were looked "
                "through",
                hint=f"sightline history -c {store.address} lists those that can be restored",
            )
        _check_readable(store, version)

        def back(table: Any) -> None:
            former = store.rows.another()  # a handle that is looked through by other threads must not change
            former.checkout(version)
            former.restore()
            table.checkout_latest()

        store.rows.write(back, operation=f"restore {version}")
        store.reopened()
        return int(store.rows.table.version)


def _check_readable(store: Store, version: int) -> None:
    table = store.rows.another()
    try:
        table.checkout(version)
        for _ in table.search().select(["id", "version"]).to_batches():
            pass
    except (RuntimeError, ValueError, OSError):
        raise CollectionError(
            f"version {version} of '{store.address}' cannot be read: its files are damaged",
            hint="restore another version, or run: sightline verify",
        ) from None


# ---- notes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """One write: it began at version `before`, ended at `version`, and was on the disk at `at`."""

    operation: str
    before: int
    version: int
    at: datetime
    added: int = 0
    updated: int = 0
    removed: int = 0


class Notes:
    """The notes on one table: a line of JSON each, oldest first. Never raises: a collection is whole without them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, operation: str, before: int, version: int, result: Any) -> None:
        """Note a write. `result` is what LanceDB gave back; its counts are kept where it has some."""
        counts = {
            "added": getattr(result, "num_inserted_rows", 0),
            "updated": getattr(result, "num_updated_rows", 0),
            "removed": getattr(result, "num_deleted_rows", 0),
        }
        head = {"operation": operation, "before": before, "version": version, "at": datetime.now(UTC).isoformat()}
        line = json.dumps({**head, **{name: count for name, count in counts.items() if count}})
        with suppress(OSError), open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def read(self) -> list[Note]:
        return list(self._read())

    def forget_before(self, version: int) -> None:
        """Drop the notes on versions that are no longer kept."""
        kept = [line for line in self._lines() if (note := _parsed(line)) and note.version >= version]
        temporary = self.path.with_name(f"{self.path.name}.new")
        with suppress(OSError):
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            os.replace(temporary, self.path)

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)

    def _read(self) -> Iterator[Note]:
        for line in self._lines():
            if note := _parsed(line):
                yield note

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


def _parsed(line: str) -> Note | None:
    try:
        seen = json.loads(line)
        return Note(**{**seen, "at": datetime.fromisoformat(seen["at"])})
    except (ValueError, TypeError, KeyError):
        return None


def _note_of(notes: Iterable[Note], version: int, at: datetime) -> Note | None:
    """The last note whose write made `version`. One older than the version speaks of another that had its number."""
    found = None
    for note in notes:
        if note.before < version <= note.version and note.at >= at - CLOCK_STEP:
            found = note
    if found is None or found.version == version:
        return found
    return Note(found.operation, found.before, version, found.at)  # a step on the way: the counts belong to the last
