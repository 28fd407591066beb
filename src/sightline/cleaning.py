"""Cleaning: a picture that a stranger sent -> a small JPEG made here, decoded in a limited process (decoding.py).

What is only searched with is in no collection, so that no ingest has decoded it before. The process starts with the
first picture and stays.
"""

from __future__ import annotations

import os
import threading

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from sightline import media
from sightline.decoding import Decoders, Preparation, take_apart


class Cleaner:
    """`clean(data)` is a JPEG without metadata of at most 1,024 px. Raises BadMedia."""

    def __init__(self, *, count: int = 2, isolate: bool = os.name == "posix") -> None:
        self._count, self._isolate = count, isolate
        self._decoders: Decoders | None = None
        self._lock = threading.Lock()

    def __call__(self, data: bytes) -> bytes:
        preparation = Preparation(nothing, media.PREVIEW)
        if self._isolate:
            parts = self._started(preparation).take_apart(data, preview=True)
        else:
            parts = take_apart(data, preview=True, preparation=preparation)
        return parts.preview or b""

    def close(self) -> None:
        with self._lock:
            if self._decoders is not None:
                self._decoders.close()
            self._decoders = None

    def _started(self, preparation: Preparation) -> Decoders:
        with self._lock:
            if self._decoders is None:
                self._decoders = Decoders(preparation, self._count)
            return self._decoders


def nothing(_: Image) -> NDArray[np.uint8]:
    """No encoder is fed: the preview is all that is wanted."""
    return np.zeros(0, np.uint8)
