"""decoding: a picture's bytes -> what the encoder and the row need of it, in this process or in a limited one.

Decoders are C code that meets files from anywhere. `Decoders` keeps a few child processes that can do nothing but
decode: started afresh (not forked), no file may grow, memory and time are capped. A picture that crashes one, or takes
too long or too much, costs its own row and one restart. Why processes, and what they cost: docs/decisions/0005.

    python -m sightline.decoding FD        what a child runs; it speaks to its parent over that socket
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.errors import BadMedia, NoDecoder
from sightline.schema import Place, SkipReason

if TYPE_CHECKING:
    from PIL.Image import Image

SECONDS = 20.0
"""A picture that takes longer is `too_slow`."""
DATA_BYTES = 440 * 2**20
"""Private memory of a child (RLIMIT_DATA); with shared libraries it stays below 512 MiB resident."""
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """What to make of each picture. `prepare` is the encoder's own, picklable; `target` as `media.decode` takes it."""

    prepare: Callable[[Image], NDArray[np.uint8]]
    target: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What is left of a decoded picture. `prepared` is pixels for the encoder, or the RGB image where it prepares none.

    `width` and `height` are the original's; `thumbnail` and `preview` are JPEGs.
    """

    prepared: Any
    thumbnail: bytes
    preview: bytes | None
    width: int
    height: int
    captured_at: datetime | None
    camera: str = ""
    place: Place | None = None


def take_apart(data: bytes, *, preview: bool, preparation: Preparation | None) -> Parts:
    """Decode once, for all that is needed. Raises BadMedia."""
    longest = media.PREVIEW if preview else media.THUMBNAIL
    decoded = media.decode(data, target=preparation.target if preparation else None, longest=longest)
    return Parts(
        prepared=preparation.prepare(decoded.image) if preparation else decoded.image,
        thumbnail=media.jpeg(decoded.image, longest=media.THUMBNAIL),
        preview=media.jpeg(decoded.image, longest=media.PREVIEW) if preview else None,
        width=decoded.width,
        height=decoded.height,
        captured_at=decoded.captured_at,
        camera=decoded.camera,
        place=decoded.place,
    )


class Decoders:
    """`count` child processes behind one call that any number of threads may make."""

    def __init__(self, preparation: Preparation, count: int, *, seconds: float = SECONDS) -> None:
        self._recipe = pickle.dumps(preparation)
        self._seconds = seconds
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._children: list[_Child] = []
        self._closed = threading.Event()
        for _ in range(count):
            self._idle.put(self._start())

    def take_apart(self, data: bytes, *, preview: bool) -> Parts:
        """As the function of that name, in a child. Raises BadMedia, also when the child died of it, and NoDecoder."""
        child = self._idle.get()
        try:
            parts = child.ask(data, preview=preview, seconds=self._seconds)
        except _Lost as lost:
            self._children.remove(child)
            child = self._start()
            raise BadMedia(lost.reason, str(lost)) from None
        finally:
            self._idle.put(child)
        return parts

    def close(self) -> None:
        """End the children. Safe to call twice."""
        if not self._closed.is_set():
            self._closed.set()
            for child in self._children:
                child.end()

    def _start(self) -> _Child:
        child = _Child(self._recipe)
        self._children.append(child)
        return child


class _Lost(Exception):
    """The child is gone or was ended: its picture gets `reason`."""

    def __init__(self, reason: SkipReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Child:
    def __init__(self, recipe: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sightline.decoding", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # decoders in C print what they think of a file
            )
        self._line = Connection(ours.detach())
        with suppress(OSError):  # gone already: the first question will say so
            self._line.send_bytes(recipe)
        self._started = False

    def ask(self, data: bytes, *, preview: bool, seconds: float) -> Parts:
        if not self._started:
            self._wait_for_start()
        try:
            self._line.send_bytes(b"p" if preview else b"-")
            self._line.send_bytes(data)
            if not self._line.poll(seconds):
                raise _Lost(SkipReason.TOO_SLOW, f"not decoded within {seconds:.0f} s")
            return self._answer()
        except (EOFError, OSError):
            raise _Lost(SkipReason.UNDECODABLE, self._obituary()) from None
        except _Lost:
            self.end()
            raise

    def end(self) -> None:
        self._line.close()
        self._process.kill()
        self._process.wait()

    def _wait_for_start(self) -> None:
        with suppress(EOFError, OSError):
            if self._line.poll(START_SECONDS) and self._line.recv_bytes() == b"ready":
                self._started = True
                return
        self.end()
        raise NoDecoder("a decoding process did not start", hint="is the machine out of memory or processes?")

    def _answer(self) -> Parts:
        head = json.loads(self._line.recv_bytes())
        if "reason" in head:
            raise BadMedia(head["reason"], head["message"], hint=head["hint"])
        pixels = np.frombuffer(self._line.recv_bytes(), np.uint8).reshape(head["shape"])
        thumbnail = self._line.recv_bytes()
        preview = self._line.recv_bytes() if head["preview"] else None
        captured_at = datetime.fromisoformat(head["captured_at"]) if head["captured_at"] else None
        place = Place(*head["place"]) if head["place"] else None
        return Parts(pixels, thumbnail, preview, head["width"], head["height"], captured_at, head["camera"], place)

    def _obituary(self) -> str:
        self._line.close()
        code = self._process.wait()
        with suppress(ValueError):
            return f"the decoder crashed on it ({signal.Signals(-code).name})"
        return f"the decoder ended on it (exit code {code})"


def _serve(line: Connection) -> None:
    """A child's life: one recipe, then pictures until the line is closed."""
    preparation: Preparation = pickle.loads(line.recv_bytes())  # noqa: S301 — from our own parent
    line.send_bytes(b"ready")
    with suppress(EOFError, OSError):
        while True:
            preview = line.recv_bytes() == b"p"
            _reply(line, line.recv_bytes(), preview, preparation)


def _reply(line: Connection, data: bytes, preview: bool, preparation: Preparation) -> None:
    try:
        parts = take_apart(data, preview=preview, preparation=preparation)
    except BadMedia as error:
        line.send_bytes(json.dumps({"reason": error.reason, "message": str(error), "hint": error.hint}).encode())
        return
    except MemoryError:
        reply = {"reason": SkipReason.TOO_LARGE, "message": "needs more memory than a decoder has", "hint": ""}
        line.send_bytes(json.dumps(reply).encode())
        return
    head = {
        "shape": parts.prepared.shape,
        "preview": parts.preview is not None,
        "width": parts.width,
        "height": parts.height,
        "captured_at": parts.captured_at.isoformat() if parts.captured_at else None,
        "camera": parts.camera,
        "place": [parts.place.latitude, parts.place.longitude] if parts.place else None,
    }
    line.send_bytes(json.dumps(head).encode())
    line.send_bytes(np.ascontiguousarray(parts.prepared).tobytes())
    line.send_bytes(parts.thumbnail)
    if parts.preview is not None:
        line.send_bytes(parts.preview)


def _limit() -> None:
    """Take away what decoding does not need: memory beyond the cap, files that grow, core dumps."""
    import resource

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for what, most in ((resource.RLIMIT_DATA, DATA_BYTES), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"):
        os.environ.setdefault(name, "1")
    _limit()
    _serve(Connection(int(sys.argv[1])))
