"""Mirror: keeps the snapshot of a rows' table, and says whether it shows the newest version.

Whether it does is told from the name, time and size of the newest manifest, without LanceDB. What changed since is told
from the manifests too: a version is a list of fragments whose files never change, so only rows of new ones are read.
They are compared with what the snapshot has; a row that is the same keeps its slot, the others get new ones.

One process at a time writes, under a lock of its own. Vectors are on the disk before the SQLite transaction that makes
them count, so that a kill at any point leaves the state before. A snapshot that cannot be written or read costs time
and nothing else: the store then asks LanceDB.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sightline import copying
from sightline.durability import DurableTable
from sightline.errors import SightlineError
from sightline.fragments import damaged_fragments, fragments, is_whole, manifest_of, newest_first
from sightline.schema import METADATA_KEY, Manifest
from sightline.snapshot import Damaged, Head, Snapshot, State, newest_generation, paths

MOST_ROWS = 2_000_000
"""Above, bringing a snapshot up takes minutes; LanceDB is asked then."""
IN_A_SEARCH = 20_000
"""A search waits for at most so many rows to be brought up to date; more are left to the next ingest or `optimize`."""
WORN = 4
"""With a slot that nobody needs for every so many rows, everything is written anew."""
AGAIN = 5.0
"""Seconds before it is tried again to bring up what could not be brought up."""
SETTLED = 3.0
"""Seconds after which the time of a folder tells that nothing was added to it: file systems count in up to two."""


class Mirror:
    """The snapshot of `table` in `folder`, for at most `most_rows` rows; 0: there is none."""

    def __init__(self, folder: Path, table: DurableTable, *, most_rows: int = MOST_ROWS) -> None:
        self.folder = folder
        self._table, self._most_rows = table, most_rows
        self._held: Snapshot | None = None
        self._seen: tuple[int, Head | None] | None = None
        self._sound: Head | None = None
        self._given_up: Head | None = None
        self._again_at = 0.0
        self._working = threading.RLock()

    def takes(self, rows: int) -> bool:
        """Whether a collection of so many rows has a snapshot."""
        return bool(self._most_rows) and rows <= self._most_rows

    def current(self) -> Snapshot | None:
        """The snapshot, if it shows the newest version or a little work makes it do so; None: ask LanceDB."""
        if not self._most_rows:
            return None
        with self._working:
            head = self._head()
            if head is None or (head == self._given_up and time.monotonic() < self._again_at):
                return None
            if not self._shows(head):
                self._held = self._read()
            if not self._shows(head) and not (self._is_little(head) and self.update(seconds=0)):
                self._given_up, self._again_at = head, time.monotonic() + AGAIN
                return None
            return self._held

    def at_hand(self) -> Snapshot | None:
        """The snapshot that is open, if it shows the newest version: who writes would have it brought up each time."""
        with self._working:
            head = self._head() if self._most_rows else None
            return self._held if head is not None and self._shows(head) else None

    def update(self, *, tidy: bool = False, seconds: float = 60.0) -> bool:
        """Bring the snapshot up to the newest version; `tidy` also checks all of it and forgets rows that are gone.

        False where that cannot be done: a folder that is read-only, a full disk, a table that cannot be read, another
        process that is at it for longer than `seconds`.
        """
        if not self._most_rows:
            return False
        with self._working, suppress(Damaged, OSError, sqlite3.Error, RuntimeError, ValueError, SightlineError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.writing(seconds):
                self._held = self._brought_up(tidy=tidy)
            self._seen = self._given_up = None
            return self._held is not None
        return False

    @contextmanager
    def writing(self, seconds: float = 60.0) -> Iterator[None]:
        """Alone among the processes that write here. Raises TimeoutError."""
        from filelock import FileLock

        with self._working, FileLock(self.folder.with_name(f"{self.folder.name}.lock")).acquire(timeout=seconds):
            yield

    def spoiled(self) -> None:
        """What was held is damaged: the next update makes it anew."""
        with self._working:
            if self._held is not None:
                number = self._held.number
                for path in (*paths(self.folder, number), *self.folder.glob(f"cells-{number}[-.]*")):
                    with suppress(OSError):
                        path.unlink()
            self._held = None

    def drop(self) -> None:
        with self._working:
            self._held = None
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):
                self.folder.with_name(f"{self.folder.name}.lock").unlink()

    def disk_bytes(self) -> int:
        with suppress(OSError):
            return sum(entry.stat().st_size for entry in os.scandir(self.folder))
        return 0

    # -- what there is ------------------------------------------------------------------------------------------

    def _head(self) -> Head | None:
        """The newest manifest, if it and the files it needs are whole: damage is LanceDB's to meet and to tell of."""
        folder = self._table.folder
        try:
            changed = os.stat(folder / "_versions").st_mtime_ns
            if self._seen is not None and self._seen[0] == changed:
                return self._seen[1]
            newest = newest_first(folder)[0]
            head = Head.of(newest)
            if head != self._sound:
                if not is_whole(newest) or damaged_fragments(folder, newest):
                    return None
                self._sound = head
        except (OSError, ValueError, IndexError):
            return None
        self._seen = (changed, head) if time.time() - changed / 1e9 > SETTLED else None
        return head

    def _shows(self, head: Head) -> bool:
        return self._held is not None and self._held.state.head == head

    def _read(self) -> Snapshot | None:
        try:
            return Snapshot.open(self.folder)
        except Damaged:
            return None

    def _is_little(self, head: Head) -> bool:
        try:
            now = fragments(self._table.folder / "_versions" / head.name)
        except (OSError, ValueError):
            return False
        known = set(self._held.state.fragments) if self._held else set()
        return sum(one.rows for one in now if one not in known) <= IN_A_SEARCH

    # -- bringing it up -----------------------------------------------------------------------------------------

    def _brought_up(self, *, tidy: bool) -> Snapshot | None:
        table, state = self._newest()
        rows = sum(one.rows for one in state.fragments)
        if not self.takes(rows):
            shutil.rmtree(self.folder, ignore_errors=True)
            return None
        former = self._former(state, whole=tidy)
        if former is None:
            return self._anew(table, state)
        if former.state.head != state.head:
            if former.state.slots > rows + max(rows // WORN, WORN):
                return self._anew(table, state)
            copying.go_on(self.folder, former, table, state)
            former = Snapshot.open(self.folder)
        if tidy and former is not None and former.state.slots > len(former):
            return self._anew(table, state)
        return former

    def _newest(self) -> tuple[Any, State]:
        """The table at its newest version, where it stays whatever others write, and what a snapshot of it shows."""
        table = self._table.another()
        version = int(table.version)
        table.checkout(version)
        newest = manifest_of(self._table.folder, version)
        state = State(
            head=Head.of(newest),
            version=version,
            manifest=Manifest.loads((table.schema.metadata or {}).get(METADATA_KEY.encode()) or b""),
            columns=tuple(table.schema.names),
            indexed=tuple(sorted(index.columns[0] for index in table.list_indices())),
            fragments=tuple(fragments(newest)),
            slots=0,
        )
        return table, state

    def _former(self, state: State, *, whole: bool) -> Snapshot | None:
        """What there is to go on from; None where it is damaged or of another encoder."""
        number = newest_generation(self.folder)
        if number is None:
            return None
        try:
            copying.settle(self.folder, number)
            former = Snapshot.open(self.folder)
            if former is not None and whole:
                former.check_all()
        except (Damaged, sqlite3.Error):
            return None
        fits = former is not None and (former.state.manifest, former.state.columns) == (state.manifest, state.columns)
        return former if fits else None

    def _anew(self, table: Any, state: State) -> Snapshot | None:
        number = (newest_generation(self.folder) or 0) + 1
        copying.begin(self.folder, number, table, state)
        keep = {path.name for path in paths(self.folder, number)}
        for path in list(self.folder.iterdir()):
            if path.name not in keep:
                with suppress(OSError):  # a reader of another process has it open, on Windows
                    path.unlink()
        return Snapshot.open(self.folder)
