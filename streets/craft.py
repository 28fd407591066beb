"""What flies and floats: helicopter, aeroplane, sailing boat."""

from __future__ import annotations

import math

from streets.mesh import Build, ring

PI = math.pi


def helicopter():
    b = Build()
    b.loft(
        [
            ring(y, hw, zb, zt, 0.2)
            for y, hw, zb, zt in (
                (-5.5, 0.1, 1.5, 1.8),
                (-1.6, 0.35, 1.1, 2.0),
                (-0.6, 0.85, 0.3, 2.1),
                (1.0, 0.9, 0.2, 2.0),
                (2.3, 0.5, 0.3, 1.2),
            )
        ],
        "car",
    )
    b.panel([(0.7, 2.1, 0.8), (-0.7, 2.1, 0.8), (-0.6, 1.1, 1.95), (0.6, 1.1, 1.95)], 0, 1, 0, 1, "glass", 0.1)
    b.cyl((0, 0, 2.0), (0, 0, 2.6), 0.12, mat="black")
    for a in range(4):
        t = a * PI / 2 + 0.4
        c, s = math.cos(t), math.sin(t)
        b.face(
            [
                (-s * 0.2, c * 0.2, 2.6),
                (c * 5.4 - s * 0.2, s * 5.4 + c * 0.2, 2.5),
                (c * 5.4 + s * 0.2, s * 5.4 - c * 0.2, 2.5),
                (s * 0.2, -c * 0.2, 2.6),
            ],
            "black",
        )
    b.box((0, -5.4, 1.6), (0.08, 0.7, 1.3), "car")
    for s in (-1, 1):
        b.cyl((s * 0.9, -1.2, -0.4), (s * 0.9, 1.8, -0.4), 0.06, mat="black")
        for y in (-0.6, 1.0):
            b.cyl((s * 0.6, y, 0.3), (s * 0.9, y, -0.4), 0.04, mat="black", n=5)
    return b


def plane():
    b = Build()
    b.loft(
        [
            [(r * math.cos(2 * PI * i / 12), y, z + r * math.sin(2 * PI * i / 12)) for i in range(12)]
            for y, z, r in (
                (-18, 1.2, 0.3),
                (-12, 0.4, 1.5),
                (-8, 0, 1.9),
                (12, 0, 1.9),
                (15, -0.2, 1.4),
                (17, -0.5, 0.3),
            )
        ],
        "car",
    )
    for s in (-1, 1):
        b.loft(
            [
                [(s * x, y, z + t), (s * x, y - c, z + t), (s * x, y - c, z - t), (s * x, y, z - t)]
                for x, y, c, z, t in ((1.2, 4, 6, -0.8, 0.35), (17, -5, 1.6, 0.7, 0.08))
            ],
            "galv",
        )
        b.loft(
            [
                [(s * x, y, z + 0.1), (s * x, y - c, z + 0.1), (s * x, y - c, z - 0.1), (s * x, y, z - 0.1)]
                for x, y, c, z in ((0.3, -13.5, 3, 1), (6, -16.5, 1.4, 1.4))
            ],
            "galv",
        )
        b.cyl((s * 5.6, 3.6, -1.7), (s * 5.6, -0.2, -1.6), 1.0, 0.7, "whitep", 12)
    b.loft(
        [
            [(-0.15, -13, 1), (0.15, -13, 1), (0.15, -17, 1), (-0.15, -17, 1)],
            [(-0.1, -16, 7), (0.1, -16, 7), (0.1, -18.2, 7), (-0.1, -18.2, 7)],
        ],
        "stripe",
        smooth=False,
    )
    return b


def boat():
    b = Build()
    b.loft(
        [
            [(w, y, 1.0), (w * 0.5, y, -0.2), (-w * 0.5, y, -0.2), (-w, y, 1.0)]
            for y, w in ((-4, 1.2), (-1, 1.5), (2, 1.2), (4.6, 0.1))
        ],
        "whitep",
        smooth=False,
    )
    b.box((0, -1, 1.0), (1.6, 2.6, 0.9), "whitep", 0.85)
    b.cyl((0, 0.6, 1), (0, 0.6, 10.5), 0.07, mat="galv")
    b.face([(0, 0.5, 1.9), (0, -3.8, 2.0), (0, 0.5, 10.3)], "signwhite")
    b.face([(0, 0.75, 1.6), (0, 4.3, 1.2), (0, 0.7, 9.4)], "signwhite")
    return b
