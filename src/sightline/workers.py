"""Workers: a bounded number of threads behind the event loop. What would have to wait too long is refused at once.

pool = Workers("search", threads=8, most=16)
hits = await pool.run(collection.search, "a red car")
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from sightline.errors import SightlineError

P = ParamSpec("P")
T = TypeVar("T")


class Busy(SightlineError):
    """More is being done than can be answered soon; it may work in a second."""


class Workers:
    """`threads` work; `most` pieces of work are under way or wait for a thread, and any further one is `Busy`."""

    def __init__(self, name: str, *, threads: int, most: int) -> None:
        self.name, self.most = name, most
        self._pool = ThreadPoolExecutor(threads, f"sightline-{name}")
        self._lock = threading.Lock()
        self._under_way = 0

    @property
    def under_way(self) -> int:
        return self._under_way

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises. Raises Busy, and then it has not begun."""
        self._enter()
        done: T = await self._submit(functools.partial(work, *args, **kwargs), self._left)
        return done

    async def stream(self, begin: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """What an iterator yields, each piece made in a thread; all of it counts as one piece of work.

        The iterator is closed when nobody wants more of it. Raises Busy before it begins.
        """
        self._enter()
        made: Iterator[T] | None = None
        try:
            made = await self._submit(begin)
            while (piece := await self._submit(functools.partial(next, made, _END))) is not _END:
                yield piece
        finally:
            self._leave()
            if made is not None:
                with contextlib.suppress(RuntimeError):  # the pool is closed: the process ends
                    self._pool.submit(_close, made)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _submit(self, call: Callable[[], Any], done: Callable[[Future[Any]], None] | None = None) -> Any:
        future = self._pool.submit(call)
        if done is not None:
            future.add_done_callback(done)  # when the thread is free again, also if nobody waits for it any more
        return await asyncio.wrap_future(future)

    def _enter(self) -> None:
        with self._lock:
            if self._under_way >= self.most:
                raise Busy("too much is being asked at once", hint="try again in a second")
            self._under_way += 1

    def _left(self, _: Future[Any]) -> None:
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._under_way -= 1


_END: Any = object()


def _close(iterator: Iterator[Any]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
