"""Meters: what a server did, in Prometheus's text format. Counters by route, never by address: those are not endless.

Written by hand: three families of numbers do not need the official client and its process-wide registry.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends, in seconds."""


class Meters:
    """Counts of one application."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._slower: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        with self._lock:
            self._requests[method, route, status] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]
            buckets = self._slower.setdefault(route, [0] * (len(BUCKETS) + 1))
            buckets[next((at for at, end in enumerate(BUCKETS) if seconds <= end), len(BUCKETS))] += 1

    def text(self, busy: Mapping[str, int]) -> str:
        """`busy`: pieces of work under way, by kind."""
        with self._lock:
            lines = ["# TYPE sightline_requests_total counter"]
            for (method, route, status), count in sorted(self._requests.items()):
                lines.append(f'sightline_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}')
            lines.append("# TYPE sightline_request_seconds histogram")
            for route, buckets in sorted(self._slower.items()):
                lines += _histogram(route, buckets, self._seconds[route])
        lines.append("# TYPE sightline_under_way gauge")
        lines += [f'sightline_under_way{{kind="{kind}"}} {count}' for kind, count in sorted(busy.items())]
        return "\n".join(lines) + "\n"

    def middleware(self, app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """An ASGI middleware that counts; to be the outermost."""

        async def counted(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            began, status = time.perf_counter(), 500

            async def seen(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, seen)
            finally:
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self.count(method, route, status, time.perf_counter() - began)

        return counted


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _histogram(route: str, buckets: list[int], seconds: float) -> list[str]:
    lines, total = [], 0
    for end, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
        total += count
        lines.append(f'sightline_request_seconds_bucket{{route="{route}",le="{end}"}} {total}')
    lines.append(f'sightline_request_seconds_sum{{route="{route}"}} {seconds:.6f}')
    lines.append(f'sightline_request_seconds_count{{route="{route}"}} {total}')
    return lines
