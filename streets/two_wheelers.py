"""Motorcycle and bicycle, each with its rider. Forward is +y; the origin is on the road; metres."""

from __future__ import annotations

import math

from mathutils import Vector

from streets.figures import Look, Pose, figure, limb
from streets.mesh import Build, ring

SIDES = (-1, 1)
MOTORCYCLE_AXLES, MOTORCYCLE_RADIUS = (-0.70, 0.74), 0.32
BICYCLE_AXLES, BICYCLE_RADIUS = (-0.52, 0.56), 0.35


def motorcycle() -> Build:
    """A sports motorcycle; its rider leans forward, in a helmet of the same colour."""
    b = Build()
    for y, half in zip(MOTORCYCLE_AXLES, (0.085, 0.06), strict=True):
        _tyre(b, y, MOTORCYCLE_RADIUS, half)
        b.cyl((-half - 0.005, y, MOTORCYCLE_RADIUS), (half + 0.005, y, MOTORCYCLE_RADIUS), 0.20, mat="hubcap", n=14)
        b.cyl((-half - 0.012, y, MOTORCYCLE_RADIUS), (half + 0.012, y, MOTORCYCLE_RADIUS), 0.13, mat="black", n=12)
    tank = ((-0.30, 0.13, 0.62, 0.84), (-0.10, 0.17, 0.60, 0.92), (0.15, 0.19, 0.58, 1.00), (0.34, 0.15, 0.62, 0.96))
    b.loft([ring(y, half, low, top, 0.06) for y, half, low, top in tank], "car")
    fairing = ((0.10, 0.20, 0.36, 0.78), (0.40, 0.22, 0.40, 0.98), (0.62, 0.18, 0.62, 1.06), (0.80, 0.09, 0.76, 0.96))
    b.loft([ring(y, half, low, top, 0.06) for y, half, low, top in fairing], "car")
    tail = ((-0.98, 0.06, 0.92, 0.99), (-0.80, 0.11, 0.84, 0.99), (-0.35, 0.14, 0.72, 0.88))
    b.loft([ring(y, half, low, top, 0.03) for y, half, low, top in tail], "car")
    b.box((0, -0.42, 0.86), (0.26, 0.42, 0.05), "black", 0.9)
    b.box((0, 0.0, 0.30), (0.30, 0.62, 0.34), "black", 0.9)  # engine
    b.face([(-0.14, 0.70, 1.00), (0.14, 0.70, 1.00), (0.10, 0.52, 1.22), (-0.10, 0.52, 1.22)], "glass")
    b.box((0, -1.0, 0.92), (0.18, 0.04, 0.07), "tail")
    b.box((0, -1.02, 0.62), (0.18, 0.02, 0.12), "plate")
    b.cyl((0, -0.86, 0.86), (0, -1.02, 0.60), 0.03, mat="black", n=6)
    b.box((0, 0.80, 0.80), (0.16, 0.05, 0.10), "head")
    for side in SIDES:
        b.cyl((side * 0.09, 0.74, MOTORCYCLE_RADIUS), (side * 0.11, 0.52, 1.0), 0.028, mat="steel", n=7)
        b.cyl((side * 0.08, -0.70, MOTORCYCLE_RADIUS), (side * 0.10, -0.1, 0.42), 0.03, mat="black", n=6)
        b.cyl((side * 0.34, 0.40, 1.0), (side * 0.05, 0.50, 1.0), 0.018, mat="black", n=6)
        b.box((side * 0.26, 0.56, 1.12), (0.12, 0.03, 0.07), "black")
        b.box((side * 0.15, -0.88, 0.84), (0.08, 0.03, 0.04), "amber")
    b.cyl((0.17, 0.0, 0.30), (0.19, -0.86, 0.52), 0.055, 0.07, "steel", 10)
    arch = [(0.74 + 0.36 * math.cos(t), MOTORCYCLE_RADIUS + 0.36 * math.sin(t)) for t in (0.5, 1.1, 1.7, 2.3)]
    b.loft([[(-0.07, y, z), (0.07, y, z), (0.07, y, z + 0.02), (-0.07, y, z + 0.02)] for y, z in arch], "car")
    pose = Pose(
        (-0.42, 0.93),
        (0.04, 1.30),
        ((-0.31, 0.40, 1.02), (0.31, 0.40, 1.02)),
        ((-0.2, -0.30, 0.40), (0.2, -0.30, 0.40)),
    )
    figure(b, pose, Look(hair="helmet", sleeves="long", top="leather", headgear="car"))
    return b


def bicycle() -> Build:
    """A touring bicycle with mudguards and a bag in its colour; its rider sits upright."""
    b = Build()
    rear, front = BICYCLE_AXLES
    for y in BICYCLE_AXLES:
        _tyre(b, y, BICYCLE_RADIUS, 0.022, thick=0.045)
        b.cyl((-0.04, y, BICYCLE_RADIUS), (0.04, y, BICYCLE_RADIUS), 0.03, mat="steel", n=8)
        for k in range(8):
            turn = 2 * math.pi * k / 8
            rim = (0, y + 0.31 * math.cos(turn), BICYCLE_RADIUS + 0.31 * math.sin(turn))
            b.cyl((0, y, BICYCLE_RADIUS), rim, 0.004, mat="steel", n=3, caps=False)
        arch = [(y + 0.375 * math.cos(t), BICYCLE_RADIUS + 0.375 * math.sin(t)) for t in (0.7, 1.2, 1.7, 2.2, 2.7, 3.2)]
        b.loft([[(-0.035, p, z), (0.035, p, z), (0.035, p, z + 0.012), (-0.035, p, z + 0.012)] for p, z in arch], "car")
    axle, crank, seat, head = (0, rear, BICYCLE_RADIUS), (0, -0.06, 0.30), (0, -0.22, 0.84), (0, 0.40, 0.86)
    for p, q in (
        (axle, crank),
        (axle, seat),
        (crank, (0, -0.24, 0.92)),
        (crank, head),
        ((0, -0.2, 0.78), (0, 0.39, 0.82)),
    ):
        b.cyl(p, q, 0.026, mat="car", n=7)
    b.cyl((0, front, BICYCLE_RADIUS), (0, 0.37, 1.02), 0.026, mat="car", n=7)
    b.box((0, -0.26, 0.92), (0.17, 0.27, 0.06), "black", 0.8)
    b.cyl((-0.29, 0.36, 1.06), (0.29, 0.36, 1.06), 0.016, mat="black", n=6)
    for side in SIDES:
        b.cyl((side * 0.29, 0.36, 1.06), (side * 0.29, 0.24, 1.05), 0.02, mat="black", n=6)
    b.box((0, -0.56, 0.76), (0.14, 0.36, 0.015), "steel")
    for side in SIDES:
        b.box((side * 0.13, -0.56, 0.46), (0.11, 0.30, 0.28), "car", 0.94)  # pannier
    b.box((0, -0.76, 0.70), (0.08, 0.03, 0.06), "tail")
    b.box((0, 0.46, 0.96), (0.07, 0.05, 0.07), "head")
    b.cyl((-0.05, crank[1], crank[2]), (0.05, crank[1], crank[2]), 0.085, mat="black", n=12)
    pedals = ((-0.12, crank[1] + 0.05, crank[2] + 0.16), (0.12, crank[1] - 0.05, crank[2] - 0.16))
    for x, y, z in pedals:
        limb(b, [Vector((x * 0.5, *crank[1:])), Vector((x * 0.5, y, z))], [0.014, 0.014], "steel", 5)
        b.box((x, y, z - 0.01), (0.09, 0.08, 0.02), "black")
    feet = tuple((x, y - 0.05, z + 0.09) for x, y, z in pedals)
    pose = Pose((-0.26, 1.02), (-0.04, 1.52), ((-0.27, 0.28, 1.10), (0.27, 0.28, 1.10)), feet)
    figure(b, pose, Look(hair="cap", top="jersey"))
    return b


def _tyre(b: Build, y: float, radius: float, half: float, thick: float | None = None) -> None:
    """An upright wheel in the y-z plane: solid, or a ring `thick` metres deep that one sees through."""
    if thick is None:
        sections = [(-half, 0.86), (-half * 0.6, 0.98), (0.0, 1.0), (half * 0.6, 0.98), (half, 0.86)]
        b.loft([_wheel_ring(x, y, radius, radius * share) for x, share in sections], "tyre")
        return
    inner = 1 - thick / radius
    loop = [(-half, inner), (-half, 0.97), (0.0, 1.0), (half, 0.97), (half, inner), (-half, inner)]
    b.loft([_wheel_ring(x, y, radius, radius * share) for x, share in loop], "tyre", caps=False)


def _wheel_ring(x: float, y: float, z: float, radius: float, n: int = 20) -> list[tuple[float, float, float]]:
    turns = (2 * math.pi * i / n for i in range(n))
    return [(x, y + radius * math.cos(t), z + radius * math.sin(t)) for t in turns]
