"""An ingest in a process of its own, to be killed: `python ingest_process.py ADDRESS FOLDER COMMIT_ROWS`.

Prints the committed count after each commit, one per line.
"""

from __future__ import annotations

import sys

import lancedb  # noqa: F401  # its import takes seconds, and the kills should fall on the work
from fakes import FakePreparingEncoder

import sightline
from sightline import ingest


def main(address: str, folder: str, rows: int) -> None:
    ingest.COMMIT_ROWS = rows
    collection = sightline.open(address, model=FakePreparingEncoder())
    print("started", flush=True)
    report = collection.ingest(folder, progress=lambda now: print(now.committed, flush=True))
    print("done", report.rows, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
