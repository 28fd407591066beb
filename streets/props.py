"""Small things of streets: benches, bins, mailboxes, fences, umbrellas, billboards, wires."""

from __future__ import annotations

import itertools
import math
import random

from streets.mesh import Build

PI = math.pi
FENCE = 4.0  # m, one piece
WIRES = ((-1.0, 8.45), (1.0, 8.45), (-0.9, 9.15), (0.9, 9.15))  # m beside and above the foot of furniture.utility_pole
SLOGANS = (
    ("SUNSET", "MOTEL"),
    ("BIG SKY", "DINER"),
    ("DESERT", "RADIO"),
    ("GAS FOOD", "NEXT EXIT"),
    ("VISIT", "PALM BAY"),
)


def bench() -> Build:
    """1.8 m of bench; its front is -y."""
    b = Build()
    for x in (-0.7, 0.7):
        b.box((x, 0, 0), (0.08, 0.45, 0.45), "black")
    for y in (-0.16, 0, 0.16):
        b.box((0, y, 0.45), (1.8, 0.13, 0.05), "wood")
    for z in (0.62, 0.78):
        b.box((0, 0.24, z), (1.8, 0.05, 0.12), "wood")
    return b


def trash_can() -> Build:
    b = Build()
    b.cyl((0, 0, 0), (0, 0, 0.85), 0.27, 0.3, "pole", 12)
    b.cyl((0, 0, 0.85), (0, 0, 0.93), 0.32, mat="black", n=12)
    return b


def wheeled_bin() -> Build:
    """A household bin in the object's colour."""
    b = Build()
    b.box((0, 0, 0.08), (0.5, 0.55, 0.9), "obj", 1.12)
    b.box((0, -0.02, 0.98), (0.6, 0.68, 0.08), "obj")
    return b


def mailbox() -> Build:
    b = Build()
    b.box((0, 0, 0), (0.1, 0.1, 1.0), "wood")
    b.box((0, 0, 1.0), (0.22, 0.5, 0.16), "plate")
    b.cyl((0, -0.25, 1.16), (0, 0.25, 1.16), 0.11, mat="plate", n=10)
    return b


def planter() -> Build:
    b = Build()
    b.box((0, 0, 0), (1.1, 1.1, 0.6), "conc", 1.1)
    b.ball((0, 0, 0.85), 0.52, "hedge", 10)
    return b


def picket_fence() -> Build:
    """FENCE metres of white pales along y."""
    b = Build()
    for z in (0.25, 0.7):
        b.box((0, 0, z), (0.04, FENCE, 0.07), "whitep")
    for k in range(20):
        b.box((0.03, -FENCE / 2 + (k + 0.5) * FENCE / 20, 0), (0.02, 0.11, 0.95), "whitep")
    return b


def plank_fence() -> Build:
    """FENCE metres of planks along y, 1.7 m high."""
    b, r = Build(), random.Random(1)
    for k in range(20):
        y = -FENCE / 2 + (k + 0.5) * FENCE / 20
        b.box((0, y, 0), (0.03, FENCE / 20 - 0.015, 1.7 + r.uniform(-0.03, 0.03)), "plank")
    return b


def umbrella() -> Build:
    """A sunshade in the object's colour and white, on a towel."""
    b = Build()
    b.cyl((0, 0, -0.2), (0, 0, 2.3), 0.03, mat="whitep", n=6)
    for k in range(10):
        a, c = 2 * PI * k / 10, 2 * PI * (k + 1) / 10
        rim = [(1.4 * math.cos(t), 1.4 * math.sin(t), 1.95) for t in (a, c)]
        b.face([(0, 0, 2.45), *rim], "obj" if k % 2 else "whitep")
    b.box((0.6, 0.3, 0.03), (0.9, 1.9, 0.02), "obj")
    return b


def lifeguard_hut() -> Build:
    b = Build()
    for x in (-1.1, 1.1):
        for y in (-1.1, 1.1):
            b.cyl((x, y, -0.6), (x, y, 1.5), 0.09, mat="wood", n=6)
    b.box((0, 0, 1.5), (3.4, 3.4, 0.15), "wood")
    b.box((0, 0.2, 1.65), (2.2, 2.2, 2.0), "obj")
    b.box((0, 0.2, 3.65), (2.9, 2.9, 0.15), "whitep")
    for s in (-1, 1):
        b.box((s * 1.11, 0.2, 2.3), (0.04, 1.3, 0.8), "glass")
    b.box((0, -0.92, 2.3), (1.3, 0.04, 0.8), "glass")
    for z in (2.1, 2.5):
        b.box((0, -1.65, z), (3.4, 0.06, 0.06), "whitep")
    b.face([(-0.7, -1.7, 1.55), (0.7, -1.7, 1.55), (0.7, -5.2, -0.6), (-0.7, -5.2, -0.6)], "wood")
    return b


def billboard(kind: int) -> Build:
    """A hoarding on two posts, 9 m wide; its front is -y, its ground the object's colour."""
    b = Build()
    for x in (-2.8, 2.8):
        b.cyl((x, 0.2, -1), (x, 0.2, 6), 0.18, mat="pole")
    b.box((0, 0, 3.6), (9, 0.3, 4.2), "shopsign")
    b.box((0, -0.02, 3.5), (9.2, 0.24, 0.12), "wood")
    for k, line in enumerate(SLOGANS[kind]):
        b.text(line, "signwhite", 1.35, (0, -0.17, 6.55 - k * 1.75))
    return b


def wires(b: Build, feet: list[tuple[float, float, float]]) -> None:
    """Sagging wires from pole to pole; `feet` are the world positions of the poles in order."""
    parts = 6
    for p, q in itertools.pairwise(feet):
        heading = math.atan2(q[0] - p[0], q[1] - p[1])
        for beside, above in WIRES:
            before = None
            for k in range(parts + 1):
                t = k / parts
                sag = 0.9 * 4 * t * (1 - t)
                here = tuple(a + (c - a) * t for a, c in zip(p, q, strict=True))
                here = (
                    here[0] + beside * math.cos(heading), here[1] - beside * math.sin(heading), here[2] + above - sag
                )  # fmt: skip
                if before:
                    b.cyl(before, here, 0.018, mat="black", n=3, caps=False)
                before = here


PROPS = {
    "bench": bench,
    "trash can": trash_can,
    "wheeled bin": wheeled_bin,
    "mailbox": mailbox,
    "planter": planter,
    "picket fence": picket_fence,
    "plank fence": plank_fence,
    "umbrella": umbrella,
    "lifeguard hut": lifeguard_hut,
    **{f"billboard{k}": (lambda k=k: billboard(k)) for k in range(len(SLOGANS))},
}
