"""What stands beside a road: signs, lights, lamps, poles, hydrants, shelters."""

from __future__ import annotations

import math

from streets.mesh import Build

PI = math.pi


def stop_sign():
    b = Build()
    b.cyl((0, 0.04, -0.1), (0, 0.04, 2.75), 0.035, mat="galv")

    def oct_(r, y):
        return [(r * math.cos(PI / 8 + k * PI / 4), y, 2.35 + r * math.sin(PI / 8 + k * PI / 4)) for k in range(8)]

    b.face(oct_(0.46, 0.012), "galv")
    b.face(oct_(0.46, 0), "signwhite")
    b.face(oct_(0.42, -0.006), "signred")
    b.text("STOP", "signwhite", 0.33, (0, -0.014, 2.34))
    return b


def traffic_light(state, arm=7.5):
    b = Build()
    b.cyl((0, 0, 0), (0, 0, 5.6), 0.13, 0.10, "pole", 10)
    b.cyl((0, 0, 5.4), (-arm, 0, 6.0), 0.08, 0.05, "pole", 8)

    def head(x, z):
        b.box((x, 0, z), (0.42, 0.28, 1.15), "black")
        b.box((x, -0.13, z - 0.08), (0.6, 0.03, 1.31), "pole")
        for i, c in enumerate(("green", "amber", "red")):
            zz = z + 0.22 + i * 0.36
            on = c == state
            b.cyl((x, -0.15, zz), (x, -0.19, zz), 0.145, mat="bulb_" + (c if on else "off"), n=14)
            b.cyl((x, -0.15, zz + 0.03), (x, -0.33, zz + 0.03), 0.165, mat="black", n=10, caps=False)

    for x in (-arm + 0.2, -arm * 0.52):
        head(x, 5.4)
    head(0, 2.9)
    return b


def street_lamp():
    b = Build()
    b.cyl((0, 0, 0), (0, 0, 7.6), 0.11, 0.07, "pole", 8)
    b.cyl((0, 0, 7.5), (-2.0, 0, 8.0), 0.05, 0.04, "pole", 6)
    b.box((-2.2, 0, 7.92), (0.75, 0.3, 0.14), "pole")
    b.box((-2.25, 0, 7.89), (0.55, 0.22, 0.03), "lamp")
    return b


def utility_pole():
    b = Build()
    b.cyl((0, 0, -0.3), (0, 0, 9.5), 0.15, 0.11, "wood", 8)
    for z in (8.3, 9.0):
        b.box((0, 0, z), (2.2, 0.12, 0.12), "wood")
    return b


def hydrant():
    b = Build()
    b.cyl((0, 0, 0), (0, 0, 0.62), 0.13, 0.12, "fire", 12)
    b.cyl((0, 0, 0), (0, 0, 0.07), 0.19, mat="fire", n=12)
    b.ball((0, 0, 0.64), 0.13, "fire", 10)
    b.cyl((-0.24, 0, 0.42), (0.24, 0, 0.42), 0.065, mat="fire")
    b.cyl((0, 0, 0.42), (0, -0.2, 0.42), 0.085, mat="fire")
    return b


def bus_stop():
    b = Build()
    b.box((0, 0, 2.45), (1.7, 4.2, 0.1), "pole")
    b.box((0, 0, 2.40), (1.4, 3.8, 0.04), "canopy")
    for y in (-1.9, 1.9):
        b.cyl((0.7, y, 0), (0.7, y, 2.45), 0.04, mat="pole")
    b.box((0.72, 0, 0.3), (0.03, 3.6, 1.9), "glass")
    b.box((0.35, 0, 0.45), (0.4, 2.6, 0.06), "wood")
    b.cyl((-0.6, -2.6, 0), (-0.6, -2.6, 2.9), 0.035, mat="galv")
    b.box((-0.6, -2.6, 2.3), (0.5, 0.03, 0.6), "signblue")
    b.text("BUS", "signwhite", 0.2, (-0.6, -2.63, 2.6))
    return b
