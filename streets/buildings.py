"""Houses and blocks."""

from __future__ import annotations

import random

from streets.mesh import Build


def house(seed):
    r = random.Random(seed)
    b = Build()
    w, d, h = r.uniform(9, 14), r.uniform(8, 12), r.choice((3.2, 5.8, 6.2))
    b.box((0, 0, -1.5), (w, d, h + 1.5), "stucco")
    e, z, t = 0.5, h, r.uniform(1.4, 2.2)
    lo = [
        (-w / 2 - e, -d / 2 - e, z),
        (w / 2 + e, -d / 2 - e, z),
        (w / 2 + e, d / 2 + e, z),
        (-w / 2 - e, d / 2 + e, z),
    ]
    a, c = (-w / 2 + d * 0.4, 0, z + t), (w / 2 - d * 0.4, 0, z + t)
    for f in ((lo[0], lo[1], c, a), (lo[2], lo[3], a, c), (lo[1], lo[2], c), (lo[3], lo[0], a)):
        b.face(f, "roof")
    b.face(lo[::-1], "whitep")
    for fz in range(1 if h < 4 else 2):
        for q, L in (
            (((-w / 2, -d / 2), (w / 2, -d / 2)), w),
            (((-w / 2, d / 2), (-w / 2, -d / 2)), d),
            (((w / 2, -d / 2), (w / 2, d / 2)), d),
        ):
            z0 = fz * 2.9
            quad = [(*q[0], z0), (*q[1], z0), (*q[1], z0 + 2.9), (*q[0], z0 + 2.9)]
            k = int(L // 3)
            for i in range(k):
                u = (i + 0.5) / k
                b.panel(quad, u - 0.75 / L, u + 0.75 / L, 0.32, 0.8, "whitep", 0.02)
                b.panel(quad, u - 0.62 / L, u + 0.62 / L, 0.36, 0.76, "winlit" if r.random() < 0.5 else "glass", 0.04)
    return b


def block(scene, u, s, w, d, h, side, colour, z=0.0):
    b = Build()
    b.box((0, 0, -2), (d, w, h + 2), "facade", 1, "flatroof", True)
    b.box((0, 0, h), (d + 0.5, w + 0.3, 0.6), "stucco")
    b.box((0, 0, 3.7), (d + 0.3, w + 0.1, 0.35), "stucco")
    if scene.r.random() < 0.6:
        b.box((scene.r.uniform(-2, 2), 0, h), (d * 0.3, w * 0.3, 3), "flatroof")
    if scene.r.random() < 0.7:
        k = max(1, int(w // 6))
        for i in range(k):
            y = -w / 2 + (i + 0.5) * w / k
            x = -side * d / 2
            b.face(
                [(x, y - 2, 3.4), (x, y + 2, 3.4), (x - side * 1.5, y + 2, 2.8), (x - side * 1.5, y - 2, 2.8)],
                scene.r.choice(("stripe", "navy", "signgreen")),
            )
    return scene.add(b.mesh("block"), u, s, z, colour=colour, tag="building", tall=h > 22)


WALLS = (
    (0.52, 0.47, 0.40),
    (0.36, 0.20, 0.14),
    (0.60, 0.55, 0.47),
    (0.28, 0.28, 0.30),
    (0.45, 0.33, 0.24),
    (0.62, 0.60, 0.56),
    (0.33, 0.36, 0.40),
    (0.50, 0.40, 0.28),
)
PASTEL = ((0.75, 0.55, 0.45), (0.70, 0.68, 0.58), (0.45, 0.62, 0.65), (0.78, 0.70, 0.45), (0.72, 0.48, 0.50))
