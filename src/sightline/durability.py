"""What LanceDB leaves to the caller on a local disk: fsync after a commit, recovery of a damaged head, one writer.

LanceDB 0.40 makes no fsync call, so a power cut can leave the newest manifest empty, half written or zero-filled. The
first two make every open fail for ever; the third opens as an empty table without columns. Removing that one manifest
brings the version before back. Two processes that merge the same ids at once both insert them. Hence this file, which
knows Lance's folder layout (`_versions`, `data`, `_indices`, …) and nothing of our schema.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.errors import CollectionDamaged, CollectionLocked

if TYPE_CHECKING:
    import pyarrow as pa
    from filelock import FileLock

T = TypeVar("T")

MANIFEST_MAGIC = b"LANC"  # the last four bytes of every Lance file and manifest (Lance format, "File layout")
QUARANTINE = "_quarantine"


class DurableTable:
    """One LanceDB table on a local disk: opened at its newest readable version, written under a lock, synced.

    `notices` tells what opening had to mend, one line each.
    """

    def __init__(self, folder: Path, name: str, lock: WriterLock, *, refresh_seconds: float) -> None:
        self.folder = folder / f"{name}.lance"
        self.name = name
        self.lock = lock
        self.notices: list[str] = []
        self._refresh = timedelta(seconds=refresh_seconds)
        self._db: Any = None
        self._table: Any = None
        self._syncer: Syncer | None = None

    @property
    def exists(self) -> bool:
        return self.folder.is_dir()

    @property
    def table(self) -> Any:
        """The LanceDB table, opened when first asked for. Raises CollectionDamaged when no version can be read."""
        if self._table is None:
            self._table = self._open()
            self._syncer = Syncer(self.folder)
        return self._table

    def create(self, schema: pa.Schema) -> None:
        """Make the table unless it is there. Fields keep their metadata, the schema too."""
        with self.lock.held():
            if not self.exists:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self._syncer = Syncer(self.folder)
                self._table = self._connection().create_table(self.name, schema=schema)
                self._syncer.sync()

    def overwrite(self, reader: pa.RecordBatchReader) -> None:
        """Replace schema and rows in one atomic version; the versions before stay in the history."""
        with self.lock.held():
            self._syncer = self._syncer or Syncer(self.folder)
            self._table = self._connection().create_table(self.name, data=reader, mode="overwrite")
            self._syncer.sync()

    def read(self, work: Callable[[Any], T]) -> T:
        """Run a read; once more from the newest version when another process cleaned the one in hand away."""
        try:
            return work(self.table)
        except RuntimeError as error:
            if "not found" not in str(error).lower():
                raise
            self.table.checkout_latest()
            return work(self.table)

    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` on the newest version under the writer lock, and bring what it wrote to the disk."""
        with self.lock.held():
            self.table.checkout_latest()
            result = work(self.table)
            if self._syncer is not None:
                self._syncer.sync()
            return result

    def merge(self, key: str, data: pa.Table) -> None:
        """Upsert `data` on `key`; rows with the same key are replaced whole."""
        self.write(lambda t: t.merge_insert(key).when_matched_update_all().when_not_matched_insert_all().execute(data))

    def disk_bytes(self) -> int:
        return sum(os.stat(name).st_size for name in _files(self.folder))

    def drop(self) -> None:
        with self.lock.held():
            shutil.rmtree(self.folder, ignore_errors=True)
            self._table = self._syncer = None

    def _connection(self) -> Any:
        if self._db is None:
            import lancedb

            self._db = lancedb.connect(self.folder.parent, read_consistency_interval=self._refresh)
        return self._db

    def _open(self) -> Any:
        moved = recover_head(self.folder)
        if not newest_first(self.folder):
            raise self._damaged("no readable version is left")
        try:
            table = self._connection().open_table(self.name)
        except Exception as error:  # a whole footer over a damaged body: Lance raises what it likes, panics included
            head = newest_first(self.folder)[0]
            moved.append(quarantine(self.folder, head))
            try:
                table = self._connection().open_table(self.name)
            except Exception:
                os.replace(moved[-1], head)
                raise self._damaged(first_line(error)) from None
        if moved:
            self.notices.append(
                f"the newest version of '{self.name}' was damaged (power cut?); opened version {table.version} before "
                f"it and kept the damaged file in {moved[0].parent}; run index again to add what was lost"
            )
        return table

    def _damaged(self, what: str) -> CollectionDamaged:
        return CollectionDamaged(
            f"the table '{self.name}' in {self.folder.parent} cannot be opened: {what}",
            hint=f"put a backup back if there is one, else remove {self.folder} and index again",
        )


class WriterLock:
    """At most one writer per collection, across threads and processes. Re-enterable by the thread that holds it."""

    def __init__(self, path: Path, *, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        self._threads = threading.RLock()
        self._depth = 0
        self._file: FileLock | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock. Raises CollectionLocked when another writer keeps it longer than `seconds`."""
        from filelock import FileLock, Timeout

        if not self._threads.acquire(timeout=self.seconds):
            raise self._locked()
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = FileLock(self.path, thread_local=False)
            if self._depth == 0:
                try:
                    self._file.acquire(timeout=self.seconds)
                except Timeout:
                    raise self._locked() from None
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._file.release()
        finally:
            self._threads.release()

    def _locked(self) -> CollectionLocked:
        return CollectionLocked(
            f"another process has been writing to this collection for {self.seconds:.0f} s",
            hint="wait for it to finish and run the command again; what was committed is safe",
        )


class Syncer:
    """Remembers which files of a folder have reached the disk, so that each is synced once.

    Lance never changes a file that it has written (`latest_version_hint.json` is only a hint), so new names are enough.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._synced = set(_files(folder))

    def sync(self) -> None:
        """fsync every new file, then every directory that gained one, leaves first."""
        now = set(_files(self.folder))
        fresh = now - self._synced
        folders: set[str] = set()
        for name in sorted(fresh):
            with suppress(FileNotFoundError):  # compaction in another process may have removed it already
                _fsync(name)
            parent = os.path.dirname(name)
            while parent not in folders and parent.startswith(str(self.folder)):
                folders.add(parent)
                parent = os.path.dirname(parent)
        if fresh:
            folders.add(str(self.folder.parent))
        for name in sorted(folders, key=len, reverse=True):
            with suppress(FileNotFoundError):
                _fsync(name)
        self._synced = now


def recover_head(folder: Path) -> list[Path]:
    """Move unreadable newest manifests of the Lance table `folder` to `_quarantine`; returns where they went.

    A manifest is unreadable when it is shorter than its footer or does not end in Lance's magic. Stops at the first
    whole one, and touches nothing when there is none: then nothing can be won by moving files.
    """
    manifests = list(newest_first(folder))
    damaged = []
    for manifest in manifests:
        if _is_whole(manifest):
            break
        damaged.append(manifest)
    else:
        return []
    return [quarantine(folder, manifest) for manifest in damaged]


def newest_first(folder: Path) -> list[Path]:
    """The manifests of a Lance table, newest first (V2 names count down from 2**64 - 1, V1 names count up)."""

    def version(path: Path) -> int:
        number = int(path.stem)
        return 2**64 - 1 - number if len(path.stem) == 20 else number

    manifests = [path for path in (folder / "_versions").glob("*.manifest") if path.stem.isdigit()]
    return sorted(manifests, key=version, reverse=True)


def quarantine(folder: Path, manifest: Path) -> Path:
    """Move one manifest out of Lance's sight, keeping it for a person to look at."""
    target = folder / QUARANTINE / manifest.name
    target.parent.mkdir(exist_ok=True)
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{manifest.name}.{number}")
    os.replace(manifest, target)
    _fsync(str(manifest.parent))
    _fsync(str(target.parent))
    return target


def first_line(error: Exception) -> str:
    """What a LanceDB error says, without its Rust source positions."""
    return str(error).strip().split("\n", 1)[0].split(", /", 1)[0][:300]


def _is_whole(manifest: Path) -> bool:
    """Whether the footer is there and points at a message inside the file (Lance format, "Manifest").

    Lance 13 panics on a length that reaches past the end, so this is looked at before it is asked to open anything.
    """
    try:
        data = manifest.read_bytes()
    except FileNotFoundError:
        return True  # a cleanup in another process took it: not ours to judge
    if len(data) < 16 or data[-4:] != MANIFEST_MAGIC:
        return False
    position = int.from_bytes(data[-16:-8], "little")
    if position + 4 > len(data) - 16:
        return False
    length = int.from_bytes(data[position : position + 4], "little")
    return length > 0 and position + 4 + length <= len(data) - 16


def _files(folder: Path) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(parent, name)


def _fsync(name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not os.path.isdir(name):  # some file systems refuse to sync a directory; a file must be synced
            raise
    finally:
        os.close(descriptor)
