"""The road as a curve: lateral offset, arc length and height to metres."""

from __future__ import annotations

import math

import numpy as np


class Road:
    """Road frame: P(u, s, z) maps lateral offset / arc length / height to world metres."""

    def __init__(self, curve, hill):
        s = np.arange(-40, 701.0)
        th = np.cumsum(np.where((s > 25) & (s < 160), curve, 0))
        self.x, self.y, self.th = np.cumsum(np.sin(th)), np.cumsum(np.cos(th)), th
        self.x -= self.x[40]
        self.y -= self.y[40]
        t = np.clip((s - 22) / 130, 0, 1)
        self.z = hill * t * t * (3 - 2 * t)

    def at(self, s):
        f = min(max(s + 40, 0), 738.9)
        i = int(f)
        k = f - i
        return [a[i] * (1 - k) + a[i + 1] * k for a in (self.x, self.y, self.z, self.th)]

    def P(self, u, s, z=0.0):
        x, y, h, th = self.at(s)
        return (x + u * math.cos(th), y - u * math.sin(th), h + z)


def rows(s0, s1, fine=3.0):
    s, out = s0, []
    while s < s1 - 0.01:
        out.append(s)
        s += fine if s < 160 else fine * 6
    return [*out, s1]
