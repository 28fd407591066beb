"""presence: which ids and contents a collection may have, so that LanceDB is asked for those alone.

LanceDB looks for an id in every fragment, and a large ingest makes thousands of them: by the end it would spend longer
on asking for rows that nobody has than on everything else. Here are sixteen bytes for each row, brought up to the
table's version from its manifest: a fragment's files never change, so only new ones are read. What is not here is not
in the table; what is here may be gone, or be another text with the same hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.fragments import Fragment, addresses, fragments, manifest_of
from sightline.store import Store

AT_ONCE = 8_192
MOST_UNSORTED = 65_536


class Presence:
    """Follows the rows of `store` as they are committed, by this process or another."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids, self._contents = _Hashes(), _Hashes()
        self._version = -1
        self._read: set[tuple[str, ...]] = set()

    def ids(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that may have a row."""
        return self._kept(ids, self._ids)

    def contents(self, versions: Sequence[str]) -> list[str]:
        """Those content hashes that a row may have."""
        return self._kept(versions, self._contents)

    def _kept(self, texts: Sequence[str], known: _Hashes) -> list[str]:
        if not self._is_current():
            return list(texts)
        there = known.have(_hashes(texts))
        return [text for text, is_there in zip(texts, there, strict=True) if is_there]

    def _is_current(self) -> bool:
        """Read what is new. False where that cannot be told: then everything may be there."""
        with suppress(OSError, ValueError, RuntimeError):
            table = self._store.rows.table
            version = int(table.version)
            if version != self._version:
                now = fragments(manifest_of(self._store.rows.folder, version))
                new = [one for one in now if _files(one) not in self._read]
                for batch in _rows(table, new, most=2 * sum(one.rows for one in new) >= sum(one.rows for one in now)):
                    self._ids.add(_hashes(batch["id"].to_pylist()))
                    self._contents.add(_hashes(batch["version"].to_pylist()))
                self._read = {_files(one) for one in now}
                self._version = version
            return True
        return False


class _Hashes:
    """A set of 64-bit numbers in little more than their size."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.uint64)
        self._new: list[NDArray[np.uint64]] = []

    def add(self, hashes: NDArray[np.uint64]) -> None:
        self._new.append(hashes)
        if sum(map(len, self._new)) > max(MOST_UNSORTED, len(self._sorted) // 8):
            self._sorted = np.union1d(self._sorted, np.concatenate(self._new))
            self._new.clear()

    def have(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        at = np.searchsorted(self._sorted, hashes)
        found = at < len(self._sorted)
        found[found] = self._sorted[at[found]] == hashes[found]
        return found | np.isin(hashes, np.concatenate(self._new)) if self._new else found


def _hashes(texts: Iterable[str | None]) -> NDArray[np.uint64]:
    return np.array([hash(text) & (2**64 - 1) for text in texts], np.uint64)


def _files(fragment: Fragment) -> tuple[str, ...]:
    """What tells a fragment from others, whatever is deleted of it."""
    return fragment.files[:1]


def _rows(table: Any, wanted: Sequence[Fragment], *, most: bool) -> Iterator[Any]:
    """Batches of ids and content hashes of these fragments; where they are `most` of the table, of all."""
    columns = ["id", "version"]
    if most and wanted:
        yield from table.search().select(columns).to_batches(batch_size=AT_ONCE)
        return
    for fragment in wanted:
        places = addresses(fragment)
        for start in range(0, len(places), AT_ONCE):
            yield from table.take_row_ids(list(places[start : start + AT_ONCE])).select(columns).to_arrow().to_batches()
