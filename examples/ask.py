"""Ask about the pictures of a collection, and go on asking.

python examples/ask.py data/tables#example "how many pictures show a dog?" "and at night?"
"""

from __future__ import annotations

import sys

import sightline

address, *questions = sys.argv[1:]

conversation = sightline.open(address).conversation()
for question in questions:
    answer = conversation.ask(question)
    print(f"{question}\n  {answer.text}")
    for number, hit in enumerate(answer.hits, start=1):
        if hit.id in answer.citations:
            print(f"  [{number}] {hit.uri}")
