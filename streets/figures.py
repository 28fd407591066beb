"""People and a dog."""

from __future__ import annotations

import math

from streets.mesh import Build

PI = math.pi


def figure(b, hip=0.9, stride=0.0, ride=False, helmet=False):
    """Simple mannequin; shirt = Object.color."""
    lean = 0.22 if ride else 0.02
    for s in (-1, 1):
        hx = s * 0.1
        if ride:
            knee, foot = (s * 0.2, 0.35, hip - 0.18), (s * 0.2, 0.15, 0.38)
        else:
            knee, foot = (hx, s * stride * 0.45 + 0.05, hip * 0.52), (hx, s * stride - 0.02, 0.08)
        b.cyl((hx, -0.02, hip), knee, 0.095, 0.07, "jeans", 8)
        b.cyl(knee, foot, 0.07, 0.05, "jeans", 8)
        b.box((foot[0], foot[1] + 0.06, foot[2] - 0.08), (0.1, 0.26, 0.09), "black")
        sh = (s * 0.2, lean, hip + 0.5)
        hand = (s * 0.28, 0.42, hip + 0.2) if ride else (s * 0.27, -s * stride * 0.7, hip - 0.02)
        mid = [(p + q) / 2 for p, q in zip(sh, hand, strict=False)]
        mid[1] -= 0.04
        b.cyl(sh, mid, 0.06, 0.05, "cloth", 7)
        b.cyl(mid, hand, 0.045, 0.035, "skin", 7)
    tor = [
        (0.15, 0.1, hip - 0.08, 0),
        (0.16, 0.105, hip + 0.1, lean * 0.3),
        (0.2, 0.12, hip + 0.4, lean * 0.9),
        (0.17, 0.09, hip + 0.53, lean),
        (0.06, 0.06, hip + 0.57, lean),
    ]
    b.loft(
        [
            [(hx * math.cos(2 * PI * i / 10), dy + hy * math.sin(2 * PI * i / 10), z) for i in range(10)]
            for hx, hy, z, dy in tor
        ],
        "cloth",
    )
    b.cyl((0, lean, hip + 0.55), (0, lean + 0.01, hip + 0.65), 0.05, mat="skin")
    b.ball((0, lean + 0.03, hip + 0.74), 0.115, "skin", 10, (0.85, 1, 1.15))
    b.ball((0, lean, hip + 0.77), 0.145 if helmet else 0.122, "black" if helmet else "hair", 10, (0.9, 1, 1))


def dog():
    b = Build()
    b.loft(
        [
            [(r * math.cos(2 * PI * i / 8), y, z + r * math.sin(2 * PI * i / 8)) for i in range(8)]
            for y, z, r in (
                (-0.36, 0.5, 0.07),
                (-0.3, 0.5, 0.13),
                (0, 0.5, 0.14),
                (0.28, 0.52, 0.16),
                (0.4, 0.62, 0.1),
                (0.48, 0.72, 0.09),
                (0.62, 0.72, 0.08),
                (0.74, 0.68, 0.045),
            )
        ],
        "fur",
    )
    for x in (-0.09, 0.09):
        for y in (-0.28, 0.26):
            b.cyl((x, y, 0.45), (x, y + 0.04, 0), 0.05, 0.035, "fur", 6)
        b.cyl((x * 0.7, 0.47, 0.78), (x, 0.45, 0.9), 0.035, 0.01, "fur", 5)
    b.cyl((0, -0.36, 0.55), (0, -0.62, 0.78), 0.03, 0.012, "fur", 6)
    return b


def person(stride):
    b = Build()
    figure(b, 0.9, stride)
    return b
