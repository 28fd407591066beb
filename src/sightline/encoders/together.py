"""Together: what several threads want encoded at the same moment goes through the model in one pass.

The first caller encodes at once and waits for nobody. What comes while it is at it is collected, and whoever of those
came first encodes it all when the pass is done: batches grow with the load, and a lone query is not kept waiting for
company, as a collector with a timer would make it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from sightline.schema import Vectors


class Together:
    """`encode` for several threads. `most` texts go in one pass; a call that has more goes alone."""

    def __init__(self, encode: Callable[[Sequence[str]], Vectors], *, most: int = 16) -> None:
        self._encode, self._most = encode, most
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._is_busy = False

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """What `encode` gives for these texts, or raises for them."""
        if not texts or len(texts) > self._most:
            return self._encode(texts)
        call = _Call(texts)
        with self._lock:
            self._waiting.append(call)
            call.leads = not self._is_busy
            self._is_busy = True
        if not call.leads:
            call.told.wait()
        if call.leads:
            self._lead()
        return call.result()

    def _lead(self) -> None:
        """One pass, for all that wait and fit in it; then the turn of the next one."""
        with self._lock:
            calls = self._next()
        try:
            self._pass(calls)
        finally:
            with self._lock:
                self._is_busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].told.set()

    def _next(self) -> list[_Call]:
        count, texts = 0, 0
        while count < len(self._waiting) and texts + len(self._waiting[count].texts) <= self._most:
            texts += len(self._waiting[count].texts)
            count += 1
        calls, self._waiting = self._waiting[:count], self._waiting[count:]
        return calls

    def _pass(self, calls: Sequence[_Call]) -> None:
        try:
            vectors = self._encode([text for call in calls for text in call.texts])  # (texts, dim)
            ends = np.cumsum([len(call.texts) for call in calls])[:-1]
            for call, part in zip(calls, np.split(vectors, ends), strict=True):
                call.outcome = part
        except BaseException as error:
            if len(calls) == 1:
                calls[0].outcome = error
            else:  # whose text it was is found out one by one
                for call in calls:
                    self._pass([call])
        finally:
            for call in calls:
                call.told.set()


class _Call:
    """One caller's texts, and what became of them. `leads`: it is its turn to encode for all that wait."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.leads = False
        self.told = threading.Event()
        self.outcome: Vectors | BaseException = np.zeros((0, 0), np.float32)

    def result(self) -> Vectors:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome
