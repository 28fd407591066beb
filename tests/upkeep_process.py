"""Upkeep in a process of its own, to be killed: `python upkeep_process.py ADDRESS FOLDER WHAT`.

WHAT is optimize, index, rebuild or restore. Does it over and over, with a small write between, so that there is
something to do; prints a line each time.
"""

from __future__ import annotations

import sys
from datetime import timedelta

import lancedb  # noqa: F401  # its import takes seconds, and the kills should fall on the work
from fakes import FakePreparingEncoder

import sightline
from sightline import index


def main(address: str, folder: str, what: str) -> None:
    collection = sightline.open(address, model=FakePreparingEncoder())
    store = collection._store
    known = [row for chunk in store.ids() for row in store.known([ident for ident, _ in chunk]).values()]
    print("started", flush=True)
    for turn in range(10_000):
        store.amend(known[turn % 50 : turn % 50 + 5])
        if what == "optimize":
            collection.optimize(older_than=timedelta(0) if turn % 2 else None)
        elif what == "index":
            store.rows.write(index._index_text)
        elif what == "rebuild":
            collection.rebuild()
        else:
            collection.restore(collection.history()[1].version)
        print(turn, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
