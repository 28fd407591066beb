"""What flies and floats: helicopter, aeroplane, sailing boat. Forward is +y; metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from streets.mesh import Build, ring

SIDES = (-1, 1)


def helicopter() -> Build:
    """A light helicopter: glass nose, tail boom with fin and rotor, skids; the origin is in its cabin floor."""
    b = Build()
    hull = (
        (-1.9, 0.28, 1.25, 1.95),
        (-1.2, 0.70, 0.70, 2.15),
        (-0.4, 0.92, 0.30, 2.25),
        (0.9, 0.95, 0.20, 2.20),
        (1.7, 0.82, 0.22, 1.85),
        (2.3, 0.56, 0.32, 1.35),
        (2.6, 0.26, 0.48, 0.95),
    )
    b.loft([ring(y, half, low, top, 0.22) for y, half, low, top in hull], "car")
    # the nose is glass but for its chin: the same sections, a little larger, from the waist up
    nose = ((0.95, 0.97, 1.00, 2.16), (1.7, 0.84, 0.92, 1.87), (2.3, 0.58, 0.78, 1.37), (2.58, 0.30, 0.74, 1.02))
    b.loft([ring(y, half, low, top, 0.22) for y, half, low, top in nose], "glass")
    for side in SIDES:
        pane = [
            (side * 0.97, -0.35, 1.15),
            (side * 0.97, 0.75, 1.15),
            (side * 0.93, 0.75, 1.95),
            (side * 0.93, -0.25, 1.95),
        ]
        b.face(pane, "glass")
    b.cyl((0, -1.6, 1.68), (0, -6.2, 1.95), 0.27, 0.12, "car", 10)
    fin = [(0, -5.6, 1.9), (0, -6.2, 1.9), (0, -6.75, 3.2), (0, -6.35, 3.2)]
    b.loft([[(x, y, z) for _, y, z in fin] for x in (-0.05, 0.05)], "car", smooth=False)
    b.box((0, -5.2, 1.85), (1.9, 0.42, 0.06), "car")
    _blades(b, (0.14, -6.35, 2.6), 0.95, 0.16, 2, turn=0.7, upright=True)
    b.box((0, -0.25, 2.15), (0.75, 1.9, 0.42), "car", 0.7)  # engine
    b.cyl((0, 0, 2.4), (0, 0, 2.98), 0.11, mat="black")
    b.cyl((0, 0, 2.84), (0, 0, 2.98), 0.26, mat="black")
    _blades(b, (0, 0, 2.93), 5.4, 0.34, 4, turn=0.4)
    for side in SIDES:
        b.cyl((side * 1.05, -1.4, -0.42), (side * 1.05, 1.9, -0.42), 0.065, mat="black")
        b.cyl((side * 1.05, 1.9, -0.42), (side * 1.05, 2.3, -0.2), 0.065, mat="black")
        for y in (-0.7, 1.1):
            b.cyl((side * 0.55, y, 0.35), (side * 1.05, y, -0.42), 0.05, mat="black", n=6)
    return b


def _blades(
    b: Build, hub: Sequence[float], reach: float, chord: float, count: int, turn: float, upright: bool = False
) -> None:
    """Rotor blades round the hub; `upright` turns the disc into the y-z plane."""
    x, y, z = hub
    for k in range(count):
        t = turn + 2 * math.pi * k / count
        c, s = math.cos(t), math.sin(t)
        corners = [
            (r * c - w * s, r * s + w * c)
            for r, w in ((0, -chord / 2), (reach, -chord / 2), (reach, chord / 2), (0, chord / 2))
        ]
        if upright:
            b.face([(x, y + p, z + q) for p, q in corners], "black")
        else:
            b.loft([[(x + p, y + q, z + h) for p, q in corners] for h in (-0.025, 0.025)], "black", smooth=False)


def plane() -> Build:
    """An airliner with two engines under swept wings; a band of windows, a coloured fin."""
    b = Build()
    hull = (
        (-18.0, 1.3, 0.25),
        (-15.0, 0.9, 0.85),
        (-11.5, 0.35, 1.55),
        (-8.0, 0.0, 1.9),
        (12.0, 0.0, 1.9),
        (14.2, -0.08, 1.72),
        (15.8, -0.25, 1.25),
        (16.8, -0.42, 0.65),
        (17.1, -0.5, 0.2),
    )
    b.loft([_hoop(y, z, r) for y, z, r in hull], "car")
    for side in SIDES:
        b.loft(
            [
                _aerofoil(side * x, y, c, z, t)
                for x, y, c, z, t in (
                    (1.2, 4.5, 6.4, -0.9, 0.35),
                    (6.0, 1.6, 3.9, -0.5, 0.22),
                    (17, -5.4, 1.5, 0.8, 0.08),
                )
            ],
            "galv",
        )
        b.loft([_aerofoil(side * 17, -5.5, 1.4, 0.8, 0.06), _aerofoil(side * 17.5, -6.6, 0.7, 2.4, 0.04)], "stripe")
        b.loft(
            [_aerofoil(side * x, y, c, z, 0.1) for x, y, c, z in ((0.3, -13.6, 3.0, 1.0), (6.2, -16.8, 1.4, 1.5))],
            "galv",
        )
        engine = ((0.0, 0.75), (0.9, 1.0), (3.0, 1.08), (3.9, 0.98))
        b.loft(
            [[(side * 5.8 + x, y, z) for x, y, z in _hoop(y, -1.9, r)] for y, r in engine],
            "whitep",
            capmats=("black", "black"),
        )
        b.box((side * 5.8, 1.6, -1.1), (0.2, 3.0, 0.7), "galv")
        for k in range(22):  # windows
            y = -9.6 + k * 0.98
            b.box((side * 1.86, y, 0.32), (0.09, 0.42, 0.42), "glass")
        b.face(
            [
                (side * 0.15, 16.25, 0.42),
                (side * 1.05, 15.55, 0.35),
                (side * 1.1, 15.3, 0.85),
                (side * 0.15, 15.75, 1.0),
            ],
            "glass",
        )
    fin = ((1.0, -12.2, 5.0, 0.22), (7.4, -16.6, 2.2, 0.08))
    b.loft([[(-t, y, z), (t, y, z), (t, y - c, z), (-t, y - c, z)] for z, y, c, t in fin], "stripe", smooth=False)
    return b


def _hoop(y: float, z: float, radius: float, n: int = 16) -> list[tuple[float, float, float]]:
    turns = (2 * math.pi * i / n for i in range(n))
    return [(radius * math.cos(t), y, z + radius * math.sin(t)) for t in turns]


def _aerofoil(x: float, front: float, chord: float, z: float, half: float) -> list[tuple[float, float, float]]:
    """Section of a wing at x: blunt in front, sharp behind."""
    plan = ((0.0, 0.0), (-0.08, 0.8), (-0.35, 1.0), (-1.0, 0.08), (-1.0, -0.08), (-0.35, -0.8), (-0.08, -0.7))
    return [(x, front + share * chord, z + high * half) for share, high in plan]


def boat() -> Build:
    """A sloop under sail: white hull with a blue waterline, cabin, mast, mainsail and jib that belly to one side."""
    b = Build()
    stations = (
        (-4.2, 1.05, 1.05),
        (-3.0, 1.35, 1.0),
        (-0.5, 1.55, 0.98),
        (2.0, 1.25, 1.08),
        (3.8, 0.55, 1.25),
        (4.9, 0.04, 1.4),
    )
    b.loft([_hull_section(y, w, top) for y, w, top in stations], "whitep")
    b.loft([[(x * 1.012, y, z) for x, y, z in _hull_section(y, w, 0.42)] for y, w, _ in stations], "hull")
    b.box((0, 0.3, 1.0), (1.5, 3.0, 0.55), "whitep", 0.82)
    for side in SIDES:
        b.box((side * 0.71, 0.3, 1.2), (0.06, 2.0, 0.18), "glass")
    b.box((0, -2.7, 0.98), (1.5, 2.0, 0.06), "wood")
    mast, boom = (0, 1.0, 11.6), (0, -3.6, 2.1)
    b.cyl((0, 1.0, 1.0), mast, 0.08, 0.05, mat="galv")
    b.cyl((0, 1.0, 2.05), boom, 0.06, mat="galv")
    for foot in ((0, 4.8, 1.4), (0, -4.1, 1.1)):
        b.cyl(mast, foot, 0.015, mat="galv", n=4, caps=False)
    _sail(b, (0, 0.9, 2.2), (0, -3.5, 2.2), (0, 0.95, 11.4), 0.55)
    _sail(b, (0, 4.6, 1.7), (0.1, 1.3, 1.8), (0, 1.15, 10.2), 0.45)
    return b


def _hull_section(y: float, half: float, top: float) -> list[tuple[float, float, float]]:
    right = [(half, y, top), (half * 0.96, y, top * 0.55), (half * 0.75, y, 0.0), (half * 0.3, y, -0.4)]
    return right + [(-x, y, z) for x, y, z in right[::-1]]


def _sail(
    b: Build, tack: Sequence[float], clew: Sequence[float], head: Sequence[float], belly: float, n: int = 6
) -> None:
    """A triangle of cloth, n strips high, that the wind pushes out to +x by up to `belly` metres."""
    rows = []
    for i in range(n + 1):
        t = i / n
        luff = [a + (h - a) * t for a, h in zip(tack, head, strict=True)]
        leech = [a + (h - a) * t for a, h in zip(clew, head, strict=True)]
        bulge = belly * math.sin(math.pi * (0.15 + 0.85 * t)) if t < 1 else 0.0
        middle = [(a + c) / 2 for a, c in zip(luff, leech, strict=True)]
        rows.append([luff, [middle[0] + bulge, *middle[1:]], leech])
    for low, high in pairwise(rows):
        for k in range(2):
            b.face([low[k], low[k + 1], high[k + 1], high[k]], "sail")
