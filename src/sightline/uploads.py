"""Uploads: pictures that were sent to search by. They belong to no collection and are forgotten in their turn.

So that a search by such a picture has an address like any other: it can be gone back to, refined, and shared for as
long as this server holds the picture. Knows nothing of what is in them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from sightline.errors import UsageError
from sightline.schema import version_of

MOST = 128


class Uploads:
    """The last `most` pictures, each under a hash of its bytes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, picture: bytes) -> str:
        """Holds a picture and returns its key."""
        key = version_of(picture)[:32]
        with self._lock:
            self._held[key] = picture
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return key

    def get(self, key: str) -> bytes:
        """Raises UsageError for what is not held, or not any more."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                raise UsageError(
                    "the picture of this search is not held any more",
                    hint="drop it on the page again, or add it to the collection",
                )
            self._held.move_to_end(key)
            return held
