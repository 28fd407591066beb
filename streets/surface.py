"""The ground: carriageway, pavements, verges and what is painted on them."""

from __future__ import annotations

import math

from streets.mesh import Build


def surface(scene):
    sc, b, hw, _r = scene.sc, Build(), scene.hw, scene.r
    st = sc["setting"]

    def rib(*a, **k):
        return scene.ribbon(b, *a, **k)

    rib(-hw, hw, -30, 600, "asphalt")
    ground = {"desert": "dirt", "hillside": "dirt", "beach": "sand", "highway": "dirt"}.get(st, "grass")
    left = -26 if st == "beach" else -160
    slope = 10 if st == "hillside" else 0
    for s0, s1 in scene.spans(-30, 600):
        if scene.walk:
            for sg in (-1, 1):
                w0, w1 = sg * hw, sg * (hw + scene.walk)
                rib(w0, w0 + sg * 0.18, s0, s1, "kerb", 0.14)
                rib(w0 + sg * 0.18, w1, s0, s1, "walk", 0.14)
                rib(w0, w0, s0, s1, "kerb", 0, 0.14)
                for e0, e1 in ((s1 - 9, s1), (s0, s0 + 9)):
                    if scene.gap:
                        rib(w0 - sg * 0.004, w0 - sg * 0.004, e0, e1, "kerbred", 0.02, 0.143)
                        rib(w0 - sg * 0.004, w0 + sg * 0.17, e0, e1, "kerbred", 0.145)
    e = hw + scene.walk
    for s0, s1 in scene.spans(-30, 600):
        rib(e, 160, s0, s1, ground, 0.12 if scene.walk else -0.03, -0.03 + slope * 5)
        if slope:
            rib(-e, -e - 3, s0, s1, ground, -0.03, -0.6)
            rib(-e - 3, -150, s0, s1, "hill", -0.6, -26)
        else:
            rib(left, -e, s0, s1, ground, -1.4 if st == "beach" else -0.03, 0.12 if scene.walk else -0.03)
    if scene.gap:
        g0, g1 = scene.gap
        for u0, u1 in ((-120, -hw), (hw, 120)):
            rib(u0, u1, g0, g1, "asphalt", 0.002)
            a = min(u0, u1, key=abs)
            far = a + math.copysign(70, a)
            for dz in (-0.15, 0.15):
                m = (g0 + g1) / 2 + dz
                rib(
                    min(a + math.copysign(6, a), far),
                    max(a + math.copysign(6, a), far),
                    m - 0.06,
                    m + 0.06,
                    "yellow",
                    0.015,
                    fine=50,
                )
    mk = 0.018
    for s0, s1 in scene.spans(-10, 300, 3):
        if st == "highway":
            pass
        elif sc["lanes"] == 1 and st in ("desert", "hillside"):
            for k in range(int((s1 - s0) / 9)):
                rib(-0.07, 0.07, s0 + k * 9, s0 + k * 9 + 4, "yellow", mk)
            rib(0.2, 0.32, s0, s1, "yellow", mk)
        else:
            for d in (-0.16, 0.16):
                rib(d - 0.06, d + 0.06, s0, s1, "yellow", mk)
        for sg in (-1, 1):
            for k in range(1, sc["lanes"]):
                for j in range(int((s1 - s0) / 8)):
                    rib(sg * k * 3.5 - 0.07, sg * k * 3.5 + 0.07, s1 - j * 8 - 3.4, s1 - j * 8, "white", mk)
            u = sg * sc["lanes"] * 3.5
            rib(u - 0.07, u + 0.07, s0, s1, "white" if st != "highway" or sg > 0 else "white", mk)
    if scene.gap:
        g0, L = scene.gap[0], sc["lanes"] * 3.5
        stop = g0 - (4.6 if sc["crosswalk"] else 1.6)
        rib(0.3, L, stop - 0.45, stop, "white", mk)
        if sc["crosswalk"]:
            zebra = sc["seed"] % 2
            for c in (g0 - 3.6, scene.gap[1] + 0.6):
                if zebra:
                    for k in range(int(2 * hw / 1.1)):
                        rib(-hw + 0.4 + k * 1.1, -hw + 0.95 + k * 1.1, c, c + 3, "white", mk)
                else:
                    for d in (0, 2.7):
                        rib(-hw, hw, c + d, c + d + 0.3, "white", mk)

        def on(p):
            return scene.road.P(p[0], p[1], 0.02)

        if sc["control"] == "stop":
            for k in range(sc["lanes"]):
                b.text("STOP", "white", 1.15, (1.75 + 3.5 * k, stop - 3.2, 0), (1, 0, 0), (0, 2.3, 0), on)
        elif sc["arrows"]:
            for k in range(sc["lanes"]):
                arrow(scene, b, 1.75 + 3.5 * k, stop - 7, k == 0)
    scene.add(b.mesh("road"), world=(0, 0, 0), tag="road")


def arrow(scene, b, u, s, left):
    def P(x, y):
        return scene.road.P(u + x, s + y, 0.02)

    def q(*pts):
        return b.face([P(*p) for p in pts], "white", [(p[0] + u, p[1] + s) for p in pts])

    q((-0.13, 0), (0.13, 0), (0.13, 2.2), (-0.13, 2.2))
    if left:
        q((-0.13, 1.5), (-0.13, 2.2), (-0.75, 2.2), (-0.75, 1.8))
        q((-0.7, 1.2), (-0.7, 2.8), (-1.35, 2.0))
    else:
        q((-0.5, 2.1), (0.5, 2.1), (0, 3.6))
