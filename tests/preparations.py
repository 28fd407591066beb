"""Preparations that children of the tests can import: one that works, one that does what a fault in a decoder does."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from PIL import Image


def small(image: Image.Image, *, side: int = 8) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def misbehaving(image: Image.Image) -> np.ndarray:
    """Stands for a fault in a C decoder: the colour of the picture says which."""
    red, green, blue = image.getpixel((0, 0))[:3]
    if red > 200:
        os.kill(os.getpid(), signal.SIGSEGV)
    if green > 200:
        time.sleep(30)
    if blue > 200:
        return np.zeros(600 * 2**20, np.uint8)
    return small(image)
