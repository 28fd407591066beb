"""Cars, lorries, buses and two-wheelers. Forward is +y; the origin is on the road."""

from __future__ import annotations

from streets.figures import figure
from streets.mesh import Build, ring


def wheels(b, hw, ys, r, width=0.24):
    for y in ys:
        for s in (-1, 1):
            x = s * (hw - 0.02)
            b.cyl((s * (hw - 0.25), y, r), (x + s * 0.004, y, r), r * 1.16, mat="black", n=18)
            b.cyl((x - s * width, y, r), (x + s * 0.03, y, r), r, mat="tyre", n=18)
            b.cyl((x, y, r), (x + s * 0.045, y, r), r * 0.62, r * 0.55, "steel", 10)


def cabin(b, yr, yf, tr, tf, zb, zt, wb, wt, paint, split=True, glass="glass"):
    lo = [(-wb, yr, zb), (wb, yr, zb), (wb, yf, zb), (-wb, yf, zb)]
    hi = [(-wt, tr, zt), (wt, tr, zt), (wt, tf, zt), (-wt, tf, zt)]
    crown = [(x * 0.8, y + (0.12 if y < (tr + tf) / 2 else -0.12), z + 0.045) for x, y, z in hi]
    b.loft([lo, hi, crown], paint, smooth=False)
    for i in range(4):
        j = (i + 1) % 4
        q = (lo[i], lo[j], hi[j], hi[i])
        if i % 2 == 0:
            b.panel(q, 0.06, 0.94, 0.12, 0.93, glass)
        else:
            b.panel(q, 0.05, 0.47, 0.12, 0.9, glass)
            b.panel(q, 0.51, 0.95, 0.12, 0.9, glass)


def car(spec, paint="car", extra=None):
    b = Build()
    body, hw = spec["body"], max(p[1] for p in spec["body"])
    b.loft([ring(*p) for p in body], paint)
    cabin(b, *spec["cab"], paint)
    wheels(b, hw, spec["wy"], spec["r"])
    (yr, wr, zbr, ztr), (yf, wf, zbf, ztf) = body[0], body[-1]
    rear = [(-wr, yr, zbr), (wr, yr, zbr), (wr, yr, ztr), (-wr, yr, ztr)]
    front = [(wf, yf, zbf), (-wf, yf, zbf), (-wf, yf, ztf), (wf, yf, ztf)]
    t0, t1 = spec.get("tail", (0.55, 0.86))
    for u0, u1 in ((0.04, 0.26), (0.74, 0.96)):
        b.panel(rear, u0, u1, t0, t1, "tail", 0.02)
        b.panel(front, u0, u1, 0.52, 0.86, "head", 0.02)
    b.panel(rear, 0.36, 0.64, 0.42, 0.62, "plate", 0.02)
    b.panel(rear, 0.02, 0.98, 0.0, 0.24, "black", 0.015)
    b.panel(front, 0.3, 0.7, 0.42, 0.8, "black", 0.015)
    b.panel(front, 0.05, 0.95, 0.02, 0.26, "black", 0.015)
    for s in (-1, 1):
        b.box((s * (hw + 0.06), spec["cab"][1] - 0.28, spec["cab"][4] - 0.02), (0.16, 0.1, 0.13), paint)
    if extra:
        extra(b)
    return b


def seg(*rows):
    return [tuple(r) for r in rows]


SEDAN = {
    "body": seg(
        (-2.36, 0.78, 0.34, 0.90),
        (-2.2, 0.88, 0.26, 1.0),
        (-1.3, 0.92, 0.22, 1.02),
        (0.9, 0.92, 0.22, 0.98),
        (2.0, 0.87, 0.25, 0.84),
        (2.36, 0.74, 0.32, 0.66),
    ),
    "cab": (-1.8, 1.1, -1.0, 0.2, 0.95, 1.42, 0.85, 0.62),
    "wy": (-1.4, 1.42),
    "r": 0.33,
}
SPORT = {
    "body": seg(
        (-2.2, 0.86, 0.36, 0.86),
        (-2.0, 0.95, 0.24, 0.92),
        (-1.1, 0.97, 0.18, 0.9),
        (0.7, 0.94, 0.18, 0.84),
        (1.7, 0.90, 0.2, 0.74),
        (2.25, 0.74, 0.26, 0.52),
    ),
    "cab": (-1.75, 0.85, -0.75, 0.05, 0.84, 1.2, 0.82, 0.56),
    "wy": (-1.3, 1.38),
    "r": 0.35,
    "tail": (0.68, 0.88),
}
SUV = {
    "body": seg(
        (-2.4, 0.88, 0.42, 1.08),
        (-2.3, 0.95, 0.34, 1.12),
        (-1.2, 0.97, 0.3, 1.12),
        (1.0, 0.97, 0.3, 1.1),
        (2.1, 0.93, 0.34, 1.02),
        (2.45, 0.82, 0.4, 0.86),
    ),
    "cab": (-2.3, 1.15, -2.05, 0.4, 1.06, 1.78, 0.9, 0.74),
    "wy": (-1.45, 1.5),
    "r": 0.40,
}
PICKUP = {
    "body": seg(
        (-2.75, 0.93, 0.5, 1.08),
        (-2.7, 0.97, 0.42, 1.1),
        (-0.6, 0.98, 0.4, 1.1),
        (1.3, 0.98, 0.4, 1.12),
        (2.4, 0.95, 0.42, 1.06),
        (2.75, 0.86, 0.48, 0.9),
    ),
    "cab": (-0.75, 1.5, -0.6, 0.85, 1.06, 1.84, 0.92, 0.76),
    "wy": (-1.75, 1.75),
    "r": 0.43,
    "tail": (0.35, 0.92),
}


def box_body(b, y0, y1, hw, zb, zt, mat, ch=0.08):
    b.loft([ring(y, hw, zb, zt, ch) for y in (y0, y1)], mat)
    return (
        [(-hw, y0, zb), (hw, y0, zb), (hw, y0, zt), (-hw, y0, zt)],
        [(hw, y1, zb), (-hw, y1, zb), (-hw, y1, zt), (hw, y1, zt)],
        [(hw, y0, zb), (hw, y1, zb), (hw, y1, zt), (hw, y0, zt)],
        [(-hw, y1, zb), (-hw, y0, zb), (-hw, y0, zt), (-hw, y1, zt)],
    )


def lights(b, rear, front, tail=(0.03, 0.13, 0.06, 0.16), head=(0.06, 0.24, 0.10, 0.2)):
    for flip in (False, True):
        u = (1 - tail[1], 1 - tail[0]) if flip else tail[:2]
        b.panel(rear, *u, *tail[2:], "tail", 0.02)
        u = (1 - head[1], 1 - head[0]) if flip else head[:2]
        b.panel(front, *u, *head[2:], "head", 0.02)


def van(mat="car", livery=None):
    b = Build()
    body = [
        (-2.7, 0.92, 0.4, 2.2),
        (-2.6, 0.98, 0.34, 2.3),
        (1.0, 0.98, 0.34, 2.3),
        (1.9, 0.96, 0.34, 1.3),
        (2.6, 0.88, 0.4, 1.0),
    ]
    b.loft([ring(*p) for p in body], mat)
    wheels(b, 0.98, (-1.7, 1.75), 0.36)
    r, f = [(-0.92, -2.7, 0.4), (0.92, -2.7, 0.4), (0.92, -2.7, 2.2), (-0.92, -2.7, 2.2)], None
    b.panel(r, 0.08, 0.47, 0.58, 0.9, "glass", 0.02)
    b.panel(r, 0.53, 0.92, 0.58, 0.9, "glass", 0.02)
    b.panel(r, 0.0, 1, 0.0, 0.10, "black", 0.02)
    b.panel(r, 0.38, 0.62, 0.2, 0.28, "plate", 0.02)
    ws = [(0.9, 1.88, 1.32), (-0.9, 1.88, 1.32), (-0.84, 1.05, 2.2), (0.84, 1.05, 2.2)]
    b.panel(ws, 0.04, 0.96, 0.04, 0.92, "glass", 0.03)
    f = [(0.88, 2.6, 0.4), (-0.88, 2.6, 0.4), (-0.88, 2.6, 1.0), (0.88, 2.6, 1.0)]
    lights(b, r, f, (0.01, 0.09, 0.2, 0.5), (0.02, 0.24, 0.5, 0.9))
    b.panel(f, 0.3, 0.7, 0.3, 0.8, "black", 0.02)
    for s in (-1, 1):
        q = [(s * 0.98, 0.2, 1.25), (s * 0.98, 1.5, 1.25), (s * 0.96, 1.0, 2.1), (s * 0.96, 0.2, 2.1)]
        b.panel(q if s > 0 else q[::-1], 0.06, 0.94, 0.08, 0.9, "glass", 0.02 if s > 0 else 0.02)
    if livery == "ambulance":
        for s in (-1, 1):
            b.box((s * 0.985, -0.6, 1.05), (0.02, 3.8, 0.22), "stripe")
        b.panel(r, 0, 1, 0.34, 0.44, "stripe", 0.025)
        b.text("AMBULANCE", "stripe", 0.30, (0, -2.74, 1.32))
        b.box((0, 0.8, 2.3), (1.3, 0.3, 0.16), "lb_red")
        b.box((0, -2.5, 2.3), (1.3, 0.2, 0.16), "lb_red")
    return b


def truck(kind):
    """Box truck or dump truck; the box carries Object.color."""
    b = Build()
    cabm = "whitep" if kind == "box" else "matte"
    box_body(b, 1.5, 3.4, 1.08, 0.6, 1.5, cabm)
    cabin(b, 1.5, 3.38, 1.6, 2.95, 1.48, 2.5, 1.06, 0.96, cabm)
    b.box((0, -0.3, 0.6), (0.9, 7, 0.25), "black")
    wheels(b, 1.12, (-2.6, -1.5, 2.4) if kind == "dump" else (-2.1, 2.4), 0.5, 0.34)
    if kind == "box":
        r, _f, *_ = box_body(b, -3.7, 1.35, 1.2, 0.95, 3.5, "car", 0.04)
        b.panel(r, 0.05, 0.95, 0.04, 0.95, "galv", 0.02)
        for k in range(1, 8):
            b.panel(r, 0.05, 0.95, k * 0.115, k * 0.115 + 0.008, "black", 0.025)
    else:
        lo = [(-1.1, -3.5, 1.0), (1.1, -3.5, 1.0), (1.1, 1.3, 1.0), (-1.1, 1.3, 1.0)]
        hi = [(x * 1.1, y, 2.75) for x, y, _ in lo]
        b.loft([lo, hi], "matte", smooth=False)
        for k in range(5):
            y = -3.4 + k * 1.15
            for s in (-1, 1):
                b.box((s * 1.19, y, 1.0), (0.1, 0.12, 1.78), "matte")
        for x in (-0.95, -0.3, 0.3, 0.95):
            b.box((x, -3.55, 1.0), (0.1, 0.1, 1.75), "matte")
        b.box((0, -3.56, 2.62), (2.5, 0.12, 0.16), "matte")
        b.box((0, -3.56, 1.0), (2.3, 0.12, 0.14), "matte")
        b.face([(-1.1, -3.3, 2.7), (1.1, -3.3, 2.7), (1.1, 1.2, 2.9), (-1.1, 1.2, 2.9)], "black")
    r = [(-1.1, -3.6, 0.55), (1.1, -3.6, 0.55), (1.1, -3.6, 0.95), (-1.1, -3.6, 0.95)]
    b.box((0, -3.55, 0.6), (2.2, 0.1, 0.3), "black")
    for u in (0.03, 0.83):
        b.panel(r, u, u + 0.14, 0.3, 0.8, "tail", 0.03)
    b.panel(r, 0.42, 0.58, 0.25, 0.75, "plate", 0.03)
    for s in (-0.9, 0.9):
        b.box((s, -3.45, 0.12), (0.5, 0.03, 0.5), "black")
        b.box((s * 0.9, 3.38, 0.8), (0.32, 0.08, 0.22), "head")
    b.box((0, 3.38, 0.95), (1.0, 0.06, 0.5), "black")
    return b


def bus():
    b = Build()
    r, f, rt, lt = box_body(b, -5.6, 5.6, 1.27, 0.35, 3.1, "car", 0.14)
    for q in (rt, lt):
        for k in range(9):
            b.panel(q, 0.03 + k * 0.105, 0.125 + k * 0.105, 0.48, 0.84, "glass", 0.01)
        b.panel(q, 0, 1, 0.30, 0.36, "whitep", 0.008)
    b.panel(r, 0.12, 0.88, 0.56, 0.84, "glass", 0.01)
    b.panel(r, 0.2, 0.8, 0.16, 0.42, "black", 0.01)
    b.panel(r, 0.3, 0.7, 0.87, 0.95, "black", 0.01)
    b.panel(f, 0.05, 0.95, 0.36, 0.84, "glass", 0.01)
    b.panel(f, 0.2, 0.8, 0.86, 0.96, "black", 0.01)
    b.text("72 CITY", "taxi", 0.2, (0, 5.66, 2.84), (-1, 0, 0))
    lights(b, r, f, (0.03, 0.13, 0.16, 0.45), (0.05, 0.2, 0.08, 0.16))
    wheels(b, 1.27, (-3.2, 3.6), 0.5, 0.3)
    return b


def lightbar(b):
    for s, m in ((-1, "lb_red"), (1, "lb_blue")):
        b.box((s * 0.33, -0.35, 1.5), (0.62, 0.28, 0.13), m)
    b.box((0, -0.35, 1.46), (1.3, 0.3, 0.05), "black")


def police_extra(b):
    lightbar(b)
    for s in (-1, 1):
        b.face(
            [(s * 0.93, -0.75, 0.3), (s * 0.93, 0.85, 0.3), (s * 0.925, 0.85, 0.93), (s * 0.925, -0.75, 0.93)], "whitep"
        )
    b.text("POLICE", "whitep", 0.2, (0, -2.27, 1.0), (1, 0, 0), (0, 0.45, 0.9))


def two_wheeler(motor):
    b = Build()
    r = 0.31 if motor else 0.34
    for y in (-0.68, 0.72):
        b.cyl((-0.06 if motor else -0.02, y, r), (0.06 if motor else 0.02, y, r), r, mat="tyre", n=16)
        b.cyl((-0.07, y, r), (0.07, y, r), r * (0.55 if motor else 0.06), mat="steel", n=12)
    if motor:
        b.loft(
            [
                ring(y, hw, zb, zt, 0.04)
                for y, hw, zb, zt in (
                    (-0.85, 0.1, 0.72, 0.85),
                    (-0.4, 0.15, 0.45, 0.82),
                    (0.15, 0.2, 0.35, 0.95),
                    (0.55, 0.16, 0.55, 1.0),
                    (0.8, 0.1, 0.75, 0.95),
                )
            ],
            "car",
        )
        b.box((0, -0.9, 0.72), (0.2, 0.06, 0.1), "tail")
        b.box((0, 0.82, 0.82), (0.2, 0.06, 0.14), "head")
    else:
        for p, q in (
            ((0, -0.68, r), (0, -0.1, 0.32)),
            ((0, -0.68, r), (0, -0.25, 0.8)),
            ((0, -0.1, 0.32), (0, -0.25, 0.9)),
            ((0, -0.1, 0.32), (0, 0.55, 0.85)),
            ((0, -0.25, 0.8), (0, 0.55, 0.85)),
            ((0, 0.72, r), (0, 0.52, 1.0)),
        ):
            b.cyl(p, q, 0.022, mat="car", n=6)
        b.box((0, -0.27, 0.9), (0.14, 0.26, 0.05), "black")
    b.cyl((-0.32, 0.45, 1.02), (0.32, 0.45, 1.02), 0.02, mat="black", n=6)
    z = 0.85 if motor else 0.95
    figure(b, z, ride=True, helmet=motor)
    return b


def pickup():
    bed = [(-0.8, -2.6, 1.115), (0.8, -2.6, 1.115), (0.8, -0.85, 1.115), (-0.8, -0.85, 1.115)]
    return car(PICKUP, extra=lambda b: b.face(bed, "black"))


def taxi():
    return car(SEDAN, extra=taxi_extra)


def taxi_extra(b):
    b.box((0, -0.4, 1.46), (0.6, 0.22, 0.2), "taxi")
    b.text("TAXI", "black", 0.15, (0, -0.52, 1.56))
