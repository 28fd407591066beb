"""A reader or a writer of a collection, in a process of its own.

    python crowd_process.py read ADDRESS SECONDS
    python crowd_process.py write ADDRESS ROUNDS WHO

A reader searches in a loop and checks that what it sees is whole; it prints how often it searched and the first fault.
A writer upserts the same five ids as all others and one of its own, round after round.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from fakes import FakeEncoder

import sightline
from sightline.schema import Encoded, Item, Manifest, version_of
from sightline.sources import HeldBytes
from sightline.store import Address, Store

SHARED = 5


def row(uri: str, text: str) -> Encoded:
    vector = np.zeros(8, np.float32)
    vector[sum(uri.encode()) % 3] = 1
    return Encoded(Item(uri, uri, HeldBytes(b""), text), version_of(uri.encode()), 1, vector, b"", b"P", 4, 4)


def read(address: str, seconds: float) -> None:
    """`stable-…` rows are in every version: each search must find them, in either channel, once."""
    collection = sightline.open(address, model=FakeEncoder())
    searches, fault = 0, ""
    end = time.monotonic() + seconds
    print("started", flush=True)
    while time.monotonic() < end and not fault:
        try:
            for channels in (["vector"], ["text"], ["vector", "text"]):
                hits = collection.search("stable red", k=200, channels=channels)
                found = [hit.uri for hit in hits]
                stable = [uri for uri in found if "stable-" in uri]
                if len(found) != len(set(found)) or len(stable) != 20:
                    fault = f"{channels}: {len(found)} hits, {len(set(found))} different, {len(stable)} stable"
                searches += 1
            if len(collection) < 20 or not collection.picture(hits[0].id):
                fault = "rows or a picture went away"
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
    print(json.dumps({"searches": searches, "fault": fault}), flush=True)


def write(address: str, rounds: int, who: str) -> None:
    folder, _, table = address.partition("#")
    store = Store(Address.parse(f"{folder}#{table or 'items'}"))
    store.create(Manifest("fake", 8, "f" * 64))
    print("started", flush=True)
    for turn in range(rounds):
        shared = [row(f"shared-{turn}-{i}", f"by {who}") for i in range(SHARED)]
        store.upsert([*shared, row(f"own-{who}-{turn}", f"by {who}")])
    print(json.dumps({"rounds": rounds}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(sys.argv[2], float(sys.argv[3]))
    else:
        write(sys.argv[2], int(sys.argv[3]), sys.argv[4])
