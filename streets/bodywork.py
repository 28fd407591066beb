"""Sheet metal: a lofted shell with wheel arches, the glass house on top of it, wheels, and what is fixed to them.

Forward is +y, right is +x, the road is z = 0; metres throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streets.mesh import Build

Outline = Sequence[tuple[float, float]]  # (y, z) corners on a flank, counter-clockwise as seen from the right
ARCH_GAP = 1.17  # radius of a wheel arch over radius of its wheel
ARCH_STEPS = 7
SIDES = (-1, 1)


@dataclass(frozen=True, slots=True)
class Station:
    """Cross-section of a shell at y: half-width at the waist, underside, top."""

    y: float
    half: float
    bottom: float
    top: float


@dataclass(frozen=True, slots=True)
class Shell:
    """A body lofted through stations from tail to nose; wheel arches are cut where the axles are.

    shoulder: radius where flank meets top. tumble: width at the top over width at the waist.
    waist: height of the widest line, as a share of the height.
    """

    stations: tuple[Station, ...]
    axles: tuple[float, ...]
    radius: float
    shoulder: float = 0.10
    tumble: float = 0.96
    waist: float = 0.55

    @property
    def half(self) -> float:
        """Largest half-width."""
        return max(s.half for s in self.stations)

    @property
    def tail(self) -> Station:
        return self.stations[0]

    @property
    def nose(self) -> Station:
        return self.stations[-1]

    def at(self, y: float) -> Station:
        """The cross-section at y, between the two stations round it."""
        for a, b in pairwise(self.stations):
            if a.y <= y <= b.y:
                t = (y - a.y) / (b.y - a.y)
                half, bottom, top = (p + (q - p) * t for p, q in zip(_sizes(a), _sizes(b), strict=True))
                return Station(y, half, bottom, top)
        return self.tail if y < self.tail.y else self.nose

    def profile(self, y: float) -> list[tuple[float, float]]:
        """Right half of the cross-section as (x, z), from the underside up to the roof; arches not yet cut."""
        s, ch = self.at(y), self.shoulder
        upper = s.half * self.tumble
        return [
            (s.half * 0.88, s.bottom),
            (s.half * 0.985, s.bottom + 0.09),
            (s.half, s.bottom + (s.top - s.bottom) * self.waist),
            (upper, s.top - ch),
            (upper - ch * 0.29, s.top - ch * 0.29),
            (upper - ch, s.top),
            (upper * 0.45, s.top + 0.02),
        ]

    def x_at(self, y: float, z: float) -> float:
        """Half-width of the flank at (y, z)."""
        points = self.profile(y)
        for (x0, z0), (x1, z1) in pairwise(points):
            if z0 <= z <= z1:
                return x0 + (x1 - x0) * (z - z0) / (z1 - z0)
        return points[0][0] if z < points[0][1] else points[-1][0]

    def build(self, b: Build, paint: str, well: str = "black") -> None:
        """Adds the shell and the dark wells of its wheels, if it has any."""
        ys = {s.y for s in self.stations}
        reach = self.radius * ARCH_GAP
        for axle in self.axles:
            cuts = [-math.cos(math.pi * i / ARCH_STEPS) * reach for i in range(1, ARCH_STEPS)]
            ys |= {axle + c for c in (-reach - 2e-3, -reach + 2e-3, *cuts, reach - 2e-3, reach + 2e-3)}
        b.loft([self._ring(y) for y in sorted(y for y in ys if self.tail.y <= y <= self.nose.y)], paint)
        if not self.axles:
            return
        inner = self.half - 0.30
        low = min(s.bottom for s in self.stations) + 0.02
        y0, y1 = self.axles[0] - reach, self.axles[-1] + reach
        y0, y1 = max(y0, self.tail.y + 0.25), min(y1, self.nose.y - 0.25)
        b.box((0, (y0 + y1) / 2, low), (2 * inner, y1 - y0, self.radius * 2.1 - low), well)

    def flank(self, b: Build, outline: Outline, mat: str, off: float = 0.008, sides: Iterable[int] = SIDES) -> None:
        """One face on the flank (both, unless told), through the given (y, z) corners."""
        for side in sides:
            points = [(side * (self.x_at(y, z) + off), y, z) for y, z in outline]
            b.face(points if side > 0 else points[::-1], mat)

    def strip(
        self,
        b: Build,
        y0: float,
        y1: float,
        z0: float,
        z1: float,
        mat: str,
        off: float = 0.008,
        sides: Iterable[int] = SIDES,
    ) -> None:
        """A band along the flank that bends with it, along and across."""
        ys = [y0, *(s.y for s in self.stations if y0 < s.y < y1), y1]
        crease = self.profile((y0 + y1) / 2)[2][1]
        zs = [z0, crease, z1] if z0 < crease < z1 else [z0, z1]
        for a, c in pairwise(ys):
            for low, high in pairwise(zs):
                self.flank(b, [(a, low), (c, low), (c, high), (a, high)], mat, off, sides)

    def tail_panel(self, b: Build, u0: float, u1: float, z0: float, z1: float, mat: str, off: float = 0.015) -> None:
        """Rectangle on the flat of the tail; u from -1 (left) to 1 (right), as shares of the half-width there."""
        x, y = self.tail.half, self.tail.y - off
        b.face([(u0 * x, y, z0), (u1 * x, y, z0), (u1 * x, y, z1), (u0 * x, y, z1)], mat)

    def nose_panel(self, b: Build, u0: float, u1: float, z0: float, z1: float, mat: str, off: float = 0.015) -> None:
        """Rectangle on the flat of the nose; u as on the tail."""
        x, y = self.nose.half, self.nose.y + off
        b.face([(u1 * x, y, z0), (u0 * x, y, z0), (u0 * x, y, z1), (u1 * x, y, z1)], mat)

    def slope_panel(self, b: Build, y0: float, y1: float, mat: str, margin: float = 0.03, off: float = 0.03) -> None:
        """Pane on a sloping part of the top between y0 and y1: the windscreen of a van, say."""
        a, c = self.at(y0), self.at(y1)
        xa, xc = (s.half * self.tumble - self.shoulder * 0.75 for s in (a, c))
        t0, t1 = margin, 1 - margin

        def point(x: float, t: float) -> tuple[float, float, float]:
            return (x, y0 + (y1 - y0) * t, a.top + (c.top - a.top) * t + off)

        b.face([point(-xa, t0), point(xa, t0), point(xc, t1), point(-xc, t1)], mat)

    def text(
        self, b: Build, words: str, mat: str, size: float, y: float, z: float, sides: Iterable[int] = SIDES
    ) -> None:
        """Lettering on the flanks, readable from each side."""
        for side in sides:
            b.text(words, mat, size, (side * (self.x_at(y, z) + 0.02), y, z), (0, side, 0), spacing=1.1)

    def _ring(self, y: float) -> list[tuple[float, float, float]]:
        floor = self._floor(y)
        half = [(x, y, max(z, floor + 0.004 * i)) for i, (x, z) in enumerate(self.profile(y))]
        return half + [(-x, y, z) for x, y, z in half[::-1]]

    def _floor(self, y: float) -> float:
        """Height below which a wheel arch leaves no metal at y; -inf where there is none."""
        reach = self.radius * ARCH_GAP
        near = min((abs(y - axle) for axle in self.axles), default=math.inf)
        return self.radius + math.sqrt(reach**2 - near**2) if near < reach else -math.inf


@dataclass(frozen=True, slots=True)
class GlassHouse:
    """What stands on a car's waist line: pillars, panes and roof. rear and front are its y at the belt."""

    rear: float
    front: float
    roof_rear: float
    roof_front: float
    belt: float
    roof: float
    half_belt: float
    half_roof: float
    corner: float = 0.13  # how far the pillars are cut back in plan
    pillars: tuple[float, ...] = (0.04, 0.50, 0.96)  # where the side glass is divided, from tail to nose

    def build(self, b: Build, paint: str, roof: str | None = None, pane: str = "glass") -> None:
        edge, drop = self.roof - 0.05, 0.05
        low = self._ring(self.rear, self.front, self.half_belt, self.belt)
        high = self._ring(self.roof_rear, self.roof_front, self.half_roof, edge)
        b.loft([low, high], paint, caps=False)
        crown = [
            self._ring(self.roof_rear + inset, self.roof_front - inset, self.half_roof - inset * 0.8, edge + rise)
            for inset, rise in ((0.0, 0.0), (0.06, drop), (0.28, drop + 0.025))
        ]
        b.loft(crown, roof or paint)
        b.panel((low[0], low[1], high[1], high[0]), 0.01, 0.99, 0.08, 0.93, pane, 0.01)
        b.panel((low[4], low[5], high[5], high[4]), 0.0, 1.0, 0.04, 0.95, pane, 0.01)
        for u0, u1 in pairwise(self.pillars):
            b.panel((low[2], low[3], high[3], high[2]), u0 + 0.015, u1 - 0.015, 0.07, 0.93, pane)
            b.panel((low[6], low[7], high[7], high[6]), 1 - u1 + 0.015, 1 - u0 - 0.015, 0.07, 0.93, pane)

    def _ring(self, y0: float, y1: float, half: float, z: float) -> list[tuple[float, float, float]]:
        """Rectangle with cut corners, counter-clockwise from above, from the left end of its rear side."""
        c = self.corner
        plan = [(c - half, y0), (half - c, y0), (half, y0 + c), (half, y1 - c)]
        plan += [(half - c, y1), (c - half, y1), (-half, y1 - c), (-half, y0 + c)]
        return [(x, y, z) for x, y in plan]


def _sizes(s: Station) -> tuple[float, float, float]:
    return s.half, s.bottom, s.top


def stations(*rows: tuple[float, float, float, float]) -> tuple[Station, ...]:
    """Rows of (y, half-width, underside, top), from tail to nose."""
    return tuple(Station(*row) for row in rows)


def wheel(b: Build, x: float, y: float, radius: float, width: float, rim: str = "hubcap", share: float = 0.66) -> None:
    """One wheel whose outer face lies at x; `share` is the radius of the rim over that of the tyre."""
    side = 1 if x > 0 else -1
    tread = [(x - side * width, 0.90), (x - side * (width - 0.03), 1.0), (x - side * 0.035, 1.0), (x, 0.92)]
    b.loft([_circle(px, y, radius, radius * r, side) for px, r in tread], "tyre")
    dish = [(x - side * 0.01, share), (x + side * 0.015, share * 0.94), (x - side * 0.02, share * 0.3)]
    b.loft([_circle(px, y, radius, radius * r, side) for px, r in dish], rim)
    for k in range(5):  # the dark gaps between five spokes
        wedge = [(0.42, -0.30), (0.86, -0.36), (0.86, 0.36), (0.42, 0.30)]
        points = []
        for r, a in wedge:
            turn = 2 * math.pi * k / 5 + a
            points.append(
                (
                    x + side * 0.018,
                    y + r * share * radius * math.cos(turn),
                    radius + r * share * radius * math.sin(turn),
                )
            )
        b.face(points, "black")


def wheels(b: Build, half: float, axles: Iterable[float], radius: float, width: float = 0.24, **style) -> None:
    """A pair of wheels on each axle, just inside the body's half-width."""
    for y in axles:
        for side in SIDES:
            wheel(b, side * (half - 0.01), y, radius, width, **style)


def _circle(x: float, y: float, z: float, radius: float, side: int, n: int = 18) -> list[tuple[float, float, float]]:
    turns = (2 * math.pi * i / n * side for i in range(n))
    return [(x, y + radius * math.cos(t), z + radius * math.sin(t)) for t in turns]


def mirrors(
    b: Build, half: float, y: float, z: float, paint: str, size: tuple[float, float, float] = (0.20, 0.1, 0.14)
):
    """Door mirrors: housings in `paint` with a dark glass towards the rear."""
    for side in SIDES:
        x = side * (half + size[0] * 0.35)
        b.box((x, y, z), size, paint, 0.86)
        b.box((x, y - size[1] / 2 - 0.004, z + 0.02), (size[0] * 0.8, 0.01, size[2] * 0.75), "glass")
