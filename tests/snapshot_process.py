"""What a process of its own does to a snapshot: `python snapshot_process.py FOLDER update|add N|killed AT`."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np

from sightline import copying
from sightline.schema import Encoded, Item, Manifest, version_of
from sightline.sources import HeldBytes
from sightline.store import Address, Store

MANIFEST = Manifest("fake", 8, "f" * 64)


def row(number: int, text: str = "", *, turn: int = 0) -> Encoded:
    """A row whose vector depends on its number and `turn` alone."""
    vector = np.random.default_rng((number, turn)).normal(size=8).astype(np.float32)
    item = Item(f"file:///p/{number}.jpg", f"p/{number}.jpg", HeldBytes(b""), text or f"picture number {number}")
    unit = vector / np.linalg.norm(vector)
    return Encoded(item, version_of(b"%d" % number), 1, unit, b"thumb", None, 10, 20, camera="Canon")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(store: Store, at: str) -> None:
    """Update the snapshot and die on the way: when the vectors are written, or when all is but the commit."""
    connect, finish = sqlite3.connect, copying._Copy.finish

    def spilling(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA cache_size = 1")  # what is not committed reaches the file
        return connection

    def last(self: Any, *args: Any) -> None:
        if at == "commit":
            finish(self, *args)
        kill()

    copying.sqlite3.connect = spilling  # type: ignore[assignment]
    copying._Copy.finish = last  # type: ignore[method-assign]
    store.mirror.update()


def main(folder: str, what: str, more: str = "") -> None:
    store = Store(Address(Path(folder)))
    if what == "killed":
        killed(store, more)
    elif what == "add":
        store.upsert([row(int(more) + number) for number in range(3)])
        store.mirror.update()
    else:
        sys.exit(not store.mirror.update())


if __name__ == "__main__":
    main(*sys.argv[1:])
