"""The road as a curve: lateral offset, arc length and height to metres."""

from __future__ import annotations

import math

import numpy as np

Point = tuple[float, float, float]

BEHIND, LENGTH = 40, 700  # m of road behind the camera and before it
BEND = (25, 160)  # m of arc length between which the road turns
CLIMB = (22, 152)  # and between which it rises or falls


class Road:
    """The frame of a road: P(u, s, z) maps lateral offset, arc length and height above the road to world metres.

    `curve` is in radians a metre, positive to the right; `hill` is how much higher the far end lies, in metres.
    """

    def __init__(self, curve: float, hill: float) -> None:
        s = np.arange(-BEHIND, LENGTH + 1.0)
        heading = np.cumsum(np.where((s > BEND[0]) & (s < BEND[1]), curve, 0))
        x, y = np.cumsum(np.sin(heading)), np.cumsum(np.cos(heading))
        t = np.clip((s - CLIMB[0]) / (CLIMB[1] - CLIMB[0]), 0, 1)
        stations = (x - x[BEHIND], y - y[BEHIND], hill * t * t * (3 - 2 * t), heading)
        self._stations: list[list[float]] = np.stack(stations, 1).tolist()  # lists: faster than arrays, one at a time

    def at(self, s: float) -> list[float]:
        """x, y, height (m) and heading (rad, clockwise from +y) of the middle of the road at arc length s."""
        f = min(max(s + BEHIND, 0), BEHIND + LENGTH - 1.1)
        i = int(f)
        k = f - i
        return [a + (b - a) * k for a, b in zip(self._stations[i], self._stations[i + 1], strict=True)]

    def P(self, u: float, s: float, z: float = 0.0) -> Point:
        x, y, height, heading = self.at(s)
        return (x + u * math.cos(heading), y - u * math.sin(heading), height + z)


def rows(s0: float, s1: float, fine: float = 3.0) -> list[float]:
    """Stations from s0 to s1, every `fine` metres as far as 160 m and six times as far apart beyond."""
    s, out = s0, []
    while s < s1 - 0.01:
        out.append(s)
        s += fine if s < 160 else fine * 6
    return [*out, s1]
