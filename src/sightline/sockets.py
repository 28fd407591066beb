"""Sockets: uvicorn's HTTP/1.1 protocol with an end to its patience.

uvicorn waits for ever for a request that is sent a letter at a time, and for a client that does not read its answer.
Here a request line with its headers has ten seconds, an answer that is not taken thirty, and only so many sockets are
open.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
UNREAD_SECONDS = 30.0
MOST_CONNECTIONS = 512


class PatientProtocol(H11Protocol):
    """One connection. To be given to uvicorn as `http=`."""

    header_seconds = HEADER_SECONDS
    unread_seconds = UNREAD_SECONDS
    most_connections = MOST_CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_end: asyncio.TimerHandle | None = None
        self._unread_end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
            self._watch_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_header_end()
        self._cancel_unread_end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._watch_header()
        else:
            self._cancel_header_end()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread_end is None:
            self._unread_end = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_unread_end()
        super().resume_writing()

    def _watch_header(self) -> None:
        """A first byte starts the clock, further ones do not turn it back."""
        if self._header_end is None:
            self._header_end = self.loop.call_later(self.header_seconds, self._header_late)

    def _header_late(self) -> None:
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.transport.abort()

    def _cancel_header_end(self) -> None:
        if self._header_end is not None:
            self._header_end.cancel()
            self._header_end = None

    def _cancel_unread_end(self) -> None:
        if self._unread_end is not None:
            self._unread_end.cancel()
            self._unread_end = None
