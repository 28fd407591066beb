"""Index a folder and search it.

python examples/search.py ~/Pictures "a dog on the beach"
"""

from __future__ import annotations

import sys

import sightline

folder, words = sys.argv[1:]

pictures = sightline.open("data/tables#example")
report = pictures.ingest(folder)  # what is there already is not read again
print(f"{report.rows} pictures, {report.added} of them new, {len(report.skipped)} that cannot be used")

for hit in pictures.search(words, k=5):
    print(f"{hit.score:.3f}  {hit.name}  {hit.caption}")
