"""What LanceDB leaves to the caller on a local disk: fsync after a commit, recovery of a damaged head, one writer.

LanceDB 0.40 makes no fsync call, so a power cut can leave the newest manifest empty, half written or zero-filled. The
first two make every open fail for ever; the third opens as an empty table without columns. Removing that one manifest
brings the version before back. Two processes that merge the same ids at once both insert them. A full disk is a
RuntimeError with Rust source positions. Hence this file, which knows Lance's folder layout (`_versions`, `data`,
`_indices`, …) and nothing of our schema.
"""

from __future__ import annotations

import errno
import functools
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.errors import CollectionDamaged, CollectionError, CollectionLocked, SightlineError
from sightline.fragments import damaged_fragments, damaged_indexes, fragments, is_whole, newest_first
from sightline.history import Notes

if TYPE_CHECKING:
    import pyarrow as pa
    from filelock import FileLock

T = TypeVar("T")

QUARANTINE = "_quarantine"
INDEX_CACHE, METADATA_CACHE = 512 << 20, 64 << 20
"""Bytes that LanceDB may keep. Its own 6 GB and 1 GB fill with the manifests of a large ingest (docs/LOG.md)."""
READ_AGAIN = 3
"""A read that lost its files to a cleanup is tried again so often; each try starts from the newest version."""

DISK_FAILURES = {
    errno.ENOSPC: ("the disk is full", "free some space, then run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run the same command again"),
    errno.EFBIG: ("a file grew larger than this system allows", "raise the limit (ulimit -f), then run it again"),
    errno.EROFS: ("the disk is read-only", "make it writable, then run the same command again"),
    errno.EIO: ("the disk reports an error", "check the disk, then run the same command again"),
}


@functools.cache
def _session() -> Any:
    """What LanceDB keeps in memory, for all tables of a process."""
    import lancedb

    return lancedb.Session(index_cache_size_bytes=INDEX_CACHE, metadata_cache_size_bytes=METADATA_CACHE)


class DurableTable:
    """One LanceDB table on a local disk: opened at its newest readable version, written under a lock, synced.

    `notices` tells what opening had to mend, one line each.
    """

    def __init__(self, folder: Path, name: str, lock: WriterLock, *, refresh_seconds: float) -> None:
        os.environ.setdefault("LANCEDB_LOG", "error")  # its warnings are no lines for a person; it raises as well
        self.folder = folder / f"{name}.lance"
        self.name = name
        self.lock = lock
        self.notices: list[str] = []
        self.notes = Notes(lock.path.with_name(f"{name}.history"))
        self._refresh = timedelta(seconds=refresh_seconds)
        self._db: Any = None
        self._table: Any = None
        self._syncer: Syncer | None = None
        self._former: tuple[tuple[int, int], Any] | None = None
        self._opening = threading.Lock()

    @property
    def exists(self) -> bool:
        """False also for what a full disk or a power cut left of a table that was never finished: it has no rows."""
        if self._table is not None:
            return self.folder.is_dir()
        return any(is_whole(manifest) for manifest in newest_first(self.folder)) or any(_files(self.folder / "data"))

    @property
    def table(self) -> Any:
        """The LanceDB table, opened when first asked for. Raises CollectionDamaged when no version can be read."""
        if self._table is None:
            self._table = self._open()
            self._syncer = Syncer(self.folder)
        return self._table

    def at(self, version: int, time_ns: int) -> Any:
        """The table at a version, for reading; the one that was asked for last stays open.

        The time of its manifest tells it from a table that was made anew in its place.
        """
        with self._opening:
            if self._former is None or self._former[0] != (version, time_ns):
                table = self.another()
                table.checkout(version)
                self._former = (version, time_ns), table
            return self._former[1]

    def create(self, schema: pa.Schema) -> None:
        """Make the table unless it is there. Fields keep their metadata, the schema too."""
        with self.lock.held(), self._failures_told():
            if not self.exists:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self._syncer = Syncer(self.folder)
                self._table = self._connection().create_table(self.name, schema=schema)
                self._settle("create", 0, None)

    def overwrite(self, reader: pa.RecordBatchReader, *, operation: str = "change") -> None:
        """Replace schema and rows in one atomic version; the versions before stay in the history."""
        with self.lock.held(), self._failures_told():
            before = int(self.table.version)
            self._syncer = self._syncer or Syncer(self.folder)
            self._table = self._connection().create_table(self.name, data=reader, mode="overwrite")
            self._settle(operation, before, None)

    def read(self, work: Callable[[Any], T]) -> T:
        """Run a read; again from the newest version when another process cleaned the one in hand away.

        Raises CollectionDamaged when a file of the newest version cannot be read.
        """
        with self._failures_told():
            for _ in range(READ_AGAIN):
                try:
                    return work(self.table)
                except RuntimeError as error:
                    if "not found" not in str(error).lower():
                        raise
                    self.table.checkout_latest()
            return work(self.table)

    def stream(self, work: Callable[[Any], Iterable[T]]) -> Iterator[T]:
        """Run a read that gives its results bit by bit. Raises CollectionDamaged as `read` does."""
        with self._failures_told():
            yield from self.read(work)

    def write(self, work: Callable[[Any], T], *, operation: str = "change") -> T:
        """Run `work` on the newest version under the writer lock, bring what it wrote to the disk, and note it.

        Raises CollectionError for a disk that is full or failing, CollectionDamaged for files that cannot be read.
        """
        with self.lock.held(), self._failures_told():
            self.table.checkout_latest()
            before = int(self.table.version)
            result = work(self.table)
            self._settle(operation, before, result)
            return result

    def another(self) -> Any:
        """A second handle on the newest version, to look at older ones with while others use the first."""
        self.table  # noqa: B018 — recovers a damaged head first
        return self._connection().open_table(self.name)

    def head(self) -> Path:
        """The newest manifest."""
        return newest_first(self.folder)[0]

    def merge(self, key: str, data: pa.Table) -> None:
        """Upsert `data` on `key`; rows with the same key are replaced whole."""
        self.write(lambda t: t.merge_insert(key).when_matched_update_all().when_not_matched_insert_all().execute(data))

    def disk_bytes(self) -> int:
        return sum(os.stat(name).st_size for name in _files(self.folder))

    def drop(self) -> None:
        with self.lock.held():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.notes.drop()
            self._table = self._syncer = None

    def _settle(self, operation: str, before: int, result: Any) -> None:
        """Bring a write to the disk, then note it."""
        if self._syncer is not None:
            self._syncer.sync()
        if int(self._table.version) > before:
            self.notes.add(operation, before, int(self._table.version), result)

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        """A failure of the disk or of a file under LanceDB, in one line that says what to do."""
        try:
            yield
        except SightlineError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            told = failure_of_disk(error) or self._failure_of_files(error)
            if told is None:
                raise
            raise told from None

    def _failure_of_files(self, error: Exception) -> CollectionDamaged | None:
        try:
            head = self.head()
            damaged = [*damaged_fragments(self.folder, head).values(), *damaged_indexes(self.folder, head)]
        except (OSError, ValueError, IndexError):
            return None
        if not damaged and "LanceError(IO)" not in str(error):
            return None
        what = f"{damaged[0]} is damaged" if damaged else first_line(error)
        return CollectionDamaged(
            f"the table '{self.name}' in {self.folder.parent} cannot be read in full: {what}",
            hint="sightline verify says what is affected, sightline index --rebuild mends it",
        )

    def _connection(self) -> Any:
        if self._db is None:
            import lancedb

            self._db = lancedb.connect(self.folder.parent, read_consistency_interval=self._refresh, session=_session())
        return self._db

    def _open(self) -> Any:
        moved = recover_head(self.folder)
        if not any(map(is_whole, newest_first(self.folder))):  # LanceDB opens one of zeros as an empty table
            raise self._damaged("no readable version is left")
        self._notice_lost_rows()
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

    def _notice_lost_rows(self) -> None:
        """Say what of the newest version cannot be read, where no version before it holds more."""
        try:
            lost = damaged_fragments(self.folder, self.head())
        except (OSError, ValueError):
            return
        if lost:
            self.notices.append(
                f"{sum(fragment.rows for fragment in lost)} rows of '{self.name}' lie in damaged files and cannot be "
                "read; sightline index --rebuild keeps the others"
            )

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
            if self._depth == 0:
                try:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = self._file or FileLock(self.path, thread_local=False)
                    self._file.acquire(timeout=self.seconds)
                except Timeout:
                    raise self._locked() from None
                except OSError as error:
                    raise failure_of_disk(error) or error from None
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._file is not None:
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

    A manifest is unreadable when it is shorter than its footer or does not end in Lance's magic; then the next one is
    the head. When files that the head needs are damaged, the newest version before it that is whole and has at least
    as many rows as can still be read takes its place. Touches nothing when no manifest is whole: then nothing can be
    won by moving files.
    """
    manifests = newest_first(folder)
    whole = [at for at, manifest in enumerate(manifests) if is_whole(manifest)]
    if not whole:
        return []
    try:
        best = _before_damage(folder, [manifests[at] for at in whole])
    except (OSError, ValueError):  # a cleanup in another process, or a body that only LanceDB can judge
        best = 0
    if newest_first(folder)[:1] != manifests[:1]:
        return []  # another process has just written: what is missing was cleaned away, and the new head is whole
    return [quarantine(folder, manifest) for manifest in manifests[: whole[best]]]


def _before_damage(folder: Path, manifests: list[Path]) -> int:
    """Which of these whole manifests to open: the first, unless its files are damaged and an older one has more."""
    lost = damaged_fragments(folder, manifests[0])
    if not lost:
        return 0
    readable = sum(one.rows for one in fragments(manifests[0]) if one not in lost)
    for at, manifest in enumerate(manifests[1:], start=1):
        if sum(one.rows for one in fragments(manifest)) >= readable and not damaged_fragments(folder, manifest):
            return at
    return 0


def quarantine(folder: Path, manifest: Path) -> Path:
    """Move one manifest out of Lance's sight, keeping it for a person to look at."""
    target = folder / QUARANTINE / manifest.name
    target.parent.mkdir(exist_ok=True)
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{manifest.name}.{number}")
    with suppress(FileNotFoundError):  # another process was quicker
        os.replace(manifest, target)
    _fsync(str(manifest.parent))
    _fsync(str(target.parent))
    return target


def failure_of_disk(error: Exception) -> CollectionError | None:
    """What a failed write or read means for a person, when the disk is the reason; None for other errors.

    Lance tells the operating system's number in its text only ("… (os error 28)").
    """
    number = getattr(error, "errno", None)
    text = str(error)
    for code, (what, hint) in DISK_FAILURES.items():
        if number == code or f"(os error {code})" in text:
            return CollectionError(f"{what}; what was committed before is safe", hint=hint)
    return None


def first_line(error: Exception) -> str:
    """What a LanceDB error says, without its Rust source positions."""
    return str(error).strip().split("\n", 1)[0].split(", /", 1)[0][:300]


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
