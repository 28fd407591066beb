"""What stands beside a road: signs, lights, lamps, poles, hydrants, shelters. They face -y, the driver; metres."""

from __future__ import annotations

import math
from itertools import pairwise

from streets.mesh import Build

SIDES = (-1, 1)
STOP_HEIGHT, STOP_RADIUS = 2.35, 0.46  # centre and corner radius of the plate, a 0.85 m octagon
LIGHT_COLOURS = ("green", "amber", "red")  # from bottom to top


def stop_sign() -> Build:
    """Octagonal plate with a white rim and the word, on a post."""
    b = Build()
    b.cyl((0, 0.045, -0.1), (0, 0.045, 2.9), 0.035, mat="galv")
    b.loft([_octagon(STOP_RADIUS, y) for y in (0.02, 0.0)], "galv", smooth=False)
    b.face(_octagon(STOP_RADIUS, -0.004), "signwhite")
    b.face(_octagon(STOP_RADIUS - 0.04, -0.010), "signred")
    for nudge in (-0.006, 0.006):  # twice, a little apart: letters as bold as on the real sign
        b.text("STOP", "signwhite", 0.305, (nudge, -0.018 - abs(nudge - 0.006) / 10, STOP_HEIGHT - 0.01))
    return b


def _octagon(radius: float, y: float) -> list[tuple[float, float, float]]:
    turns = (math.pi / 8 + k * math.pi / 4 for k in range(8))
    return [(radius * math.cos(t), y, STOP_HEIGHT + radius * math.sin(t)) for t in turns]


def traffic_light(state: str, arm: float = 7.5) -> Build:
    """Post with an arm over the road: two heads on the arm, one on the post; the lamp `state` is lit."""
    b = Build()
    b.cyl((0, 0, 0), (0, 0, 0.35), 0.22, 0.16, "pole", 10)
    b.cyl((0, 0, 0), (0, 0, 5.6), 0.13, 0.10, "pole", 10)
    b.cyl((0, 0, 5.4), (-arm, 0, 6.0), 0.08, 0.05, "pole", 8)
    for x in (0.2 - arm, -0.52 * arm):
        _light_head(b, x, 5.36, state)
    _light_head(b, 0, 2.9, state)
    b.box((0.0, -0.14, 1.05), (0.14, 0.10, 0.24), "pole")  # push button
    return b


def _light_head(b: Build, x: float, z: float, state: str) -> None:
    """Black housing before a black plate whose face has a yellow rim; three lamps under visors."""
    half, low, high = 0.40, z - 0.12, z + 1.44
    b.box((x, 0, z), (0.46, 0.28, 1.32), "black")
    b.box((x, -0.115, low), (2 * half, 0.03, high - low), "black")
    for mat, inset, y in (("signyellow", 0.0, -0.134), ("black", 0.045, -0.138)):
        x0, x1, z0, z1 = x - half + inset, x + half - inset, low + inset, high - inset
        b.face([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)], mat)
    for i, colour in enumerate(LIGHT_COLOURS):
        middle, lit = z + 0.23 + i * 0.43, colour == state
        radius = 0.19 if lit else 0.165
        b.cyl((x, -0.14, middle), (x, -0.20, middle), radius, mat=f"bulb_{colour if lit else 'off'}", n=16)
        visor = [(x + 0.20 * math.cos(t), middle + 0.20 * math.sin(t)) for t in (math.pi * k / 8 for k in range(9))]
        for (x0, z0), (x1, z1) in pairwise(visor):
            b.face([(x0, -0.15, z0), (x1, -0.15, z1), (x1, -0.36, z1), (x0, -0.36, z0)], "black")


def street_lamp() -> Build:
    b = Build()
    b.cyl((0, 0, 0), (0, 0, 0.5), 0.17, 0.13, "pole", 10)
    b.cyl((0, 0, 0), (0, 0, 7.6), 0.11, 0.07, "pole", 8)
    b.cyl((0, 0, 7.5), (-1.1, 0, 7.95), 0.05, 0.045, "pole", 6)
    b.cyl((-1.1, 0, 7.95), (-2.0, 0, 8.0), 0.045, 0.04, "pole", 6)
    b.box((-2.2, 0, 7.92), (0.75, 0.3, 0.14), "pole", 0.8)
    b.box((-2.25, 0, 7.89), (0.55, 0.22, 0.03), "lamp")
    return b


def utility_pole() -> Build:
    """Wooden post with two cross-arms, insulators and a transformer."""
    b = Build()
    b.cyl((0, 0, -0.3), (0, 0, 9.5), 0.15, 0.11, "wood", 8)
    for z in (8.3, 9.0):
        b.box((0, 0, z), (2.2, 0.12, 0.12), "wood")
        for x in (-1.0, -0.5, 0.5, 1.0):
            b.cyl((x, 0, z + 0.12), (x, 0, z + 0.27), 0.04, 0.025, "galv", 6)
    b.cyl((0.3, 0, 6.7), (0.3, 0, 7.6), 0.22, mat="galv", n=10)
    return b


def hydrant() -> Build:
    """Red fire hydrant: flanged barrel, domed bonnet with a nut, two hose caps and a pumper cap of steel."""
    b = Build()
    b.cyl((0, 0, 0), (0, 0, 0.06), 0.20, mat="fire", n=14)
    b.cyl((0, 0, 0), (0, 0, 0.60), 0.135, 0.125, "fire", 14)
    for z, radius in ((0.10, 0.155), (0.54, 0.165)):
        b.cyl((0, 0, z), (0, 0, z + 0.05), radius, mat="fire", n=14)
    b.ball((0, 0, 0.60), 0.145, "fire", 12, (1, 1, 1.05))
    b.cyl((0, 0, 0.72), (0, 0, 0.80), 0.035, mat="galv", n=5)
    b.cyl((-0.22, 0, 0.42), (0.22, 0, 0.42), 0.065, mat="fire", n=12)
    b.cyl((0, 0, 0.38), (0, -0.19, 0.38), 0.085, mat="fire", n=12)
    for side in SIDES:
        b.cyl((side * 0.20, 0, 0.42), (side * 0.26, 0, 0.42), 0.078, mat="galv", n=8)
    b.cyl((0, -0.17, 0.38), (0, -0.22, 0.38), 0.10, mat="galv", n=8)
    return b


def bus_stop() -> Build:
    """Glass shelter with roof, bench and a poster, open to the road (-x); before it, a sign on a post."""
    b = Build()
    b.box((0.05, 0, 2.47), (1.7, 4.3, 0.12), "pole")
    b.box((0.05, 0, 2.43), (1.5, 4.0, 0.04), "canopy")
    b.box((-0.80, 0, 2.40), (0.05, 4.3, 0.26), "signblue")  # fascia towards the road
    b.text("BUS STOP", "signwhite", 0.22, (-0.84, 0, 2.53), (0, -1, 0))
    b.box((0.05, -2.15, 2.40), (1.7, 0.05, 0.26), "signblue")
    b.text("BUS STOP", "signwhite", 0.22, (0.05, -2.19, 2.53))
    for y in (-2.0, 0.0, 2.0):
        b.cyl((0.75, y, 0), (0.75, y, 2.45), 0.04, mat="pole")
    for y in (-2.0, 2.0):
        b.cyl((-0.55, y, 0), (-0.55, y, 2.45), 0.04, mat="pole")
    for y in (-1.0, 1.0):
        b.box((0.76, y, 0.25), (0.025, 1.85, 2.0), "shelterglass")
    b.box((0.15, 2.0, 0.2), (1.1, 0.04, 1.95), "pole")
    b.box((0.15, 1.965, 0.35), (0.92, 0.02, 1.6), "poster")
    b.box((0.42, 0, 0.45), (0.42, 2.8, 0.06), "wood")
    b.box((0.62, 0, 0.70), (0.05, 2.8, 0.30), "wood")
    for y in (-1.2, 1.2):
        b.box((0.42, y, 0.0), (0.35, 0.06, 0.45), "pole")
    b.cyl((-0.6, -2.54, 0), (-0.6, -2.54, 3.0), 0.04, mat="galv")
    b.box((-0.6, -2.6, 2.25), (0.62, 0.04, 0.75), "signblue")
    b.text("BUS", "signwhite", 0.27, (-0.6, -2.63, 2.80))
    b.box((-0.6, -2.625, 2.36), (0.36, 0.02, 0.22), "signwhite")  # a small bus: body, windows, wheels
    b.box((-0.6, -2.64, 2.46), (0.30, 0.02, 0.07), "signblue")
    for x in (-0.71, -0.49):
        b.cyl((x, -2.63, 2.36), (x, -2.65, 2.36), 0.04, mat="signwhite", n=10)
    return b
