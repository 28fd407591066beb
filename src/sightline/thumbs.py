"""Thumbs: the small pictures of a grid, read together.

A page asks for some forty thumbnails at the same moment, and to read one costs the table as much as to read them all.
The first one is read at once; what is asked for meanwhile is the next read. Nothing is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sightline.schema import Thumbnail
from sightline.workers import Workers


class Thumbs:
    """`read` gives the thumbnails of some ids, by id, and is called in the threads of `workers`. For one event loop."""

    def __init__(self, workers: Workers, read: Callable[[Sequence[str]], Mapping[str, Thumbnail]]) -> None:
        self._workers, self._read = workers, read
        self._waiting: dict[str, asyncio.Future[Thumbnail | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, ident: str) -> Thumbnail | None:
        """None: there is no such item. Raises what `read` raises, and Busy."""
        if ident not in self._waiting:
            self._waiting[ident] = asyncio.get_running_loop().create_future()
        answer = self._waiting[ident]
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(answer)  # others may wait for the same, or come while it is read

    async def _read_all(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, {}
            try:
                found = await self._workers.run(self._read, list(asked))
            except Exception as error:
                for answer in asked.values():
                    answer.set_exception(error)
                    answer.exception()  # it counts as seen, also where nobody waits for it any more
            else:
                for ident, answer in asked.items():
                    answer.set_result(found.get(ident))
