"""The six settings and what fills them."""

from __future__ import annotations

import math

import numpy as np

from streets import plants
from streets.buildings import PASTEL, WALLS, block
from streets.mesh import Build
from streets.surface import VALLEY, ground

PI = math.pi


def frontage(scene, sides, lo, hi, walls, setback=0.0):
    r = scene.r
    for sg in sides:
        for s0, s1 in scene.spans(-14, 330, 2.5):
            s = s0
            while s < s1 - 5:
                w = min(r.uniform(12, 28), s1 - s)
                d, h = r.uniform(14, 24), r.uniform(lo, hi) * r.choice((0.5, 1, 1))
                block(
                    scene,
                    sg * (scene.hw + scene.walk + setback + d / 2),
                    s + w / 2,
                    w,
                    d,
                    max(h, 6),
                    sg,
                    r.choice(walls),
                )
                s += w + (0.05 if r.random() < 0.7 else r.uniform(2, 6))
    for sg in sides:
        if scene.gap:
            for k in range(4):
                w = r.uniform(14, 20)
                for s, e in ((scene.gap[0] - 10, -1), (scene.gap[1] + 10, 1)):
                    block(
                        scene, sg * (scene.hw + 38 + k * 20), s + e * 2, 20, w, r.uniform(lo, hi), sg, r.choice(walls)
                    )


def downtown(scene):
    hi = scene.r.choice((34, 60, 85))
    frontage(scene, (-1, 1), 14, hi, WALLS)
    plant(scene, ("tree",) if scene.r.random() < 0.6 else ("palm",), 1.3, 12, 0.65, 0.85)


def plant(scene, kinds, off, step, prob, scale=1.0, sides=(-1, 1), s0=4, s1=170):
    for sg in sides:
        s = s0 + scene.r.uniform(0, step)
        while s < s1:
            if scene.r.random() < prob and scene.clear(s, 3):
                k = scene.r.choice(kinds)
                scene.add(
                    f"{k}{scene.r.randrange(3 if k == 'cactus' else 4)}",
                    sg * (scene.hw + off + scene.r.uniform(-0.2, 0.2)),
                    s,
                    0.1,
                    scene.r.uniform(0, 6.28),
                    scale * scene.r.uniform(0.8, 1.2),
                    tag=k,
                )
            s += step * scene.r.uniform(0.7, 1.3)


def residential(scene):
    r, e = scene.r, scene.hw + scene.walk
    for sg in (-1, 1):
        for s0, s1 in scene.spans(-12, 230, 2):
            s = s0
            while s < s1 - 4:
                L = min(r.choice((12, 16, 20)), s1 - s)
                kind = r.choice(("wall", "wallhedge", "hedge", "ivy", "open"))
                c = r.choice(((0.60, 0.56, 0.48), (0.55, 0.45, 0.35), (0.62, 0.34, 0.19), (0.68, 0.64, 0.58)))
                h = r.uniform(0.9, 2.3)
                x = sg * (e + 0.3)
                if kind != "open":
                    for k in range(int(L // 4)):
                        y = s + 2 + k * 4
                        if kind != "hedge":
                            b = Build()
                            b.box((0, 0, -1), (0.3, 4.05, h + 1), "stucco")
                            b.box((0, 0, h), (0.42, 4.1, 0.1), "stucco")
                            if k == 0:
                                b.box((0, -2, -1), (0.6, 0.6, h + 1.3), "stucco")
                            scene.add(b.mesh("wall"), x, y, 0.12, colour=c, tag="wall")
                        if kind != "wall":
                            z = h if kind == "wallhedge" else 0.1
                            scene.add(
                                f"hedge{2 if kind == 'ivy' else r.randrange(2)}",
                                x + sg * 0.55,
                                y,
                                z if kind != "ivy" else 0.1,
                                scale=(1, 1.02, r.uniform(0.8, 1) if kind == "wallhedge" else h / 1.1 + 0.25),
                                tag="hedge",
                            )
                hx = sg * (e + r.uniform(10, 13))
                scene.add(
                    f"house{r.randrange(5)}",
                    hx,
                    s + L / 2,
                    0.1,
                    -sg * PI / 2,
                    colour=r.choice(PASTEL + WALLS),
                    tag="house",
                )
                if r.random() < 0.75:
                    scene.add(
                        f"tree{r.randrange(4)}",
                        sg * (e + r.uniform(2.5, 6)),
                        s + r.uniform(1, L),
                        0.1,
                        r.uniform(0, 6),
                        r.uniform(0.8, 1.35),
                        tag="tree",
                    )
                if r.random() < 0.35:
                    scene.add("flower", sg * (e + 1.4), s + L / 2, h * 0.7, tag="flower")
                s += L
    plant(scene, ("palm", "palm", "tree") if r.random() < 0.6 else ("tree",), 0.9, 13, 0.65)


def rail(scene, u, s0, s1):
    b = Build()
    for z0, z1 in ((0.45, 0.55), (0.55, 0.65), (0.65, 0.75)):
        scene.ribbon(b, u + (0.03 if z0 == 0.55 else 0), u + (0 if z0 == 0.55 else 0.03), s0, s1, "galv", z0, z1)
    for k in range(int((s1 - s0) / 4)):
        P = scene.road.P(u + math.copysign(0.12, u), s0 + k * 4)
        b.box((P[0], P[1], P[2] - 0.3), (0.1, 0.1, 1.0), "wood")
    scene.add(b.mesh("rail"), world=(0, 0, 0), tag="guardrail")


def highway(scene):
    r, hw, b = scene.r, scene.hw, Build()
    for u in (-0.28, 0.28):
        scene.ribbon(b, u, u * 0.35, -20, 400, "conc", 0, 0.95)
    scene.ribbon(b, -0.1, 0.1, -20, 400, "conc", 0.95)
    for sg in (-1, 1):
        if r.random() < 0.5:
            scene.ribbon(b, sg * (hw + 0.2), sg * (hw + 0.2), -20, 400, "conc", 0, 1.0)
            scene.ribbon(b, sg * (hw + 0.2), sg * (hw + 0.5), -20, 400, "conc", 1.0)
        else:
            rail(scene, sg * (hw + 0.3), -20, 300)
    scene.add(b.mesh("barrier"), world=(0, 0, 0), tag="barrier")
    if r.random() < 0.6:
        g, W2 = Build(), hw + 1
        names = r.sample(["Palm Bay", "Airport", "Downtown", "Harbor", "North Hills", "Route 9"], 2)
        for x in (-W2, W2):
            g.cyl((x, 0, -1), (x, 0, 7.9), 0.18, mat="galv")
        for z in (6.6, 7.6):
            g.cyl((-W2, 0, z), (W2, 0, z), 0.1, mat="galv")
        for x, t in ((hw * 0.28, names[0]), (hw * 0.74, names[1])):
            g.box((x, -0.25, 5.7), (hw * 0.42, 0.06, 2.3), "signwhite")
            g.box((x, -0.28, 5.78), (hw * 0.42 - 0.16, 0.06, 2.14), "signgreen")
            g.text(t, "signwhite", hw * 0.078, (x, -0.33, 6.85))
        scene.add(g.mesh("gantry"), 0, r.uniform(28, 60), tag="highway sign")
    for _ in range(26):
        k = r.choice(("tree", "tree", "palm", "scrub"))
        scene.add(
            k if k == "scrub" else f"{k}{r.randrange(4)}",
            r.choice((-1, 1)) * (hw + r.uniform(4, 30)),
            r.uniform(10, 200),
            0,
            r.uniform(0, 6),
            r.uniform(0.8, 1.4),
            tag="tree" if k == "tree" else k,
        )
    if r.random() < 0.4:
        for _ in range(14):
            h = r.uniform(30, 120)
            block(
                scene,
                r.uniform(-160, 160),
                r.uniform(330, 460),
                r.uniform(20, 40),
                r.uniform(20, 40),
                h,
                1,
                r.choice(WALLS),
            )
    rowlamps(scene, 34)


def desert(scene):
    r, hw = scene.r, scene.hw
    for _ in range(200):
        u = r.choice((-1, 1)) * (hw + 1.5 + r.expovariate(0.06))
        kind = r.choices(("scrub", "tuft", "cactus", "bush"), (5, 7, 1.5, 1))[0]
        if kind == "tuft":
            tuft(scene, u, r.uniform(3, 90))
        else:
            stand(scene, kind, u, r.uniform(3, 190), 0.6, 1.3)
    rocks(scene, 70, 1.0)
    for k in range(9):
        scene.add("pole", hw + 6, 10 + k * 30, 0, tag="utility pole")
    if r.random() < 0.3:
        rail(scene, -(hw + 0.6), 10, 90)


def tuft(scene, u, s):
    k = scene.r.randrange(3)
    me = model(scene, f"tuft{k}", lambda: plants.tuft(k))
    scene.add(me, u, s, ground(scene, u, s) - 0.03, scene.r.uniform(0, 6.28), scene.r.uniform(0.6, 1.4), tag="scrub")


def beach(scene):
    _r, _hw = scene.r, scene.hw
    b = Build()
    b.face([(-3000, -60, -1.2), (-24, -60, -1.2), (-24, 3500, -1.2), (-3000, 3500, -1.2)], "water")
    scene.add(b.mesh("sea"), world=(0, 0, 0), tag="sea")
    plant(scene, ("palm",), 2.0, 11, 0.85, 1.0)
    plant(scene, ("palm",), 8.0, 16, 0.6, 0.9, (-1,))
    frontage(scene, (1,), 7, 16, PASTEL, 1.0)


def hillside(scene):
    """A slope on the right, a valley on the left; trees and scrub on both, houses above and far below."""
    r, hw = scene.r, scene.hw
    rail(scene, -(hw + 0.5), -10, 200)
    for _ in range(110):
        d = 1.6 + r.expovariate(0.07)
        u = hw + d if r.random() < 0.6 else -(hw + 2.4 + d)
        kind = r.choice(("tree", "scrub", "scrub", "scrub", "bush", "palm"))
        if kind in ("tree", "palm") and d < 4:
            kind = "scrub"
        stand(scene, kind, u, r.uniform(5, 170), 0.7, 1.3)
    rocks(scene, 40, 1.0)
    if r.random() < 0.6:
        for _ in range(6):
            u, s = hw + r.uniform(16, 50), r.uniform(30, 160)
            z = ground(scene, u, s)
            scene.add(f"house{r.randrange(5)}", u, s, z, -PI / 2, colour=r.choice(PASTEL), tag="house")
    for _ in range(40):  # a village in the valley
        x, y = r.uniform(-260, -90), r.uniform(150, 380)
        z = scene.road.at(y)[2] + VALLEY - 1
        scene.add(f"house{r.randrange(5)}", world=(x, y, z), rot=r.uniform(0, 6), colour=r.choice(PASTEL), tag="house")


def stand(scene, kind, u, s, least, most):
    """Puts a plant (or what else has numbered variants) on the ground, turned and scaled by chance."""
    r = scene.r
    name = f"{kind}{r.randrange(VARIANTS[kind])}" if kind in VARIANTS else kind
    z = ground(scene, u, s) - 0.08
    scene.add(name, u, s, z, r.uniform(0, 6.28), r.uniform(least, most), tag=kind)


VARIANTS = {"tree": 4, "palm": 4, "cactus": 3}


def rocks(scene, count, size):
    """Boulders beside the road, more of them near it."""
    r = scene.r
    for _ in range(count):
        d = r.expovariate(0.05)
        u, s = r.choice((-1, 1)) * (scene.hw + 1.5 + d), r.uniform(3, 150)
        kind = r.randrange(4)
        me = model(scene, f"rock{kind}", lambda kind=kind: plants.rock(kind))
        k = size * r.uniform(0.2, 0.7) * (2 if r.random() < 0.12 and d > 5 else 1)
        turn = r.uniform(0, 6.28)
        scene.add(me, u, s, ground(scene, u, s) - 0.1 * k, turn, (k, k * r.uniform(0.7, 1.3), k), tag="rock")


def model(scene, name, build):
    """The mesh of that name, built once a process."""
    if name not in scene.cache:
        scene.cache[name] = build().mesh(name)
    return scene.cache[name]


def rowlamps(scene, step=28):
    for sg in (-1, 1):
        for k in range(5):
            s = 9 + k * step + (step / 2 if sg < 0 else 0)
            if scene.clear(s, 1):
                u = sg * (scene.hw + 0.6)
                scene.add("street lamp", u, s, 0.1, 0 if sg > 0 else PI, tag="street lamp")
                scene.lamps.append(scene.road.P(u - sg * 2.3, s, 7.7))


def furniture(scene):
    sc, r, e = scene.sc, scene.r, scene.hw
    rowlamps(scene)
    if sc["control"] == "stop":
        scene.add("stop sign", e + 0.55, scene.gap[0] - 2.2, 0.14, r.uniform(-0.12, 0.12), 1.05, tag="stop sign")
    elif sc["control"] == "light":
        s = scene.gap[1] + 1.5
        scene.add("light " + sc["signal"], e + 0.7, s, 0.12, tag="traffic light", colour_name=sc["signal"])
        scene.add("light " + sc["signal"], -e - 0.7, scene.gap[0] - 1, 0.12, PI, tag=None)
    if r.random() < 0.35:
        scene.add("fire hydrant", e + 0.6, r.uniform(8, 15), 0.14, r.uniform(0, 6), 1.15, tag="fire hydrant")
    if r.random() < (0.45 if sc["setting"] == "downtown" else 0.2):
        s = r.uniform(13, 17) if not scene.gap else scene.gap[0] - 6.5
        scene.add("bus stop", e + 1.6, s, 0.14, tag="bus stop")


RELIEF = {"downtown": 45, "residential": 70, "highway": 75, "desert": 70, "beach": 60, "hillside": 110}  # m


def mountains(scene):
    """Ring of fractal hills round the scene, 330 to 850 m away."""
    setting, b = scene.sc["setting"], Build()
    rng = np.random.default_rng(scene.sc["seed"])
    columns, rings = 110, 14
    angles = np.linspace(-1.35, 1.35, columns)
    profile = sum(
        rng.uniform(0.4, 1) / k**0.9 * np.sin(angles * k * 2.3 + rng.uniform(0, 6.28)) for k in (1, 2, 3, 5, 8, 13, 21)
    )
    if setting == "beach":  # none where the sea is
        profile = profile + np.interp(angles, [-0.12, 0.15], [-9, 0.5])
    x, y, far_height, _ = scene.road.at(400)
    foot = np.full(columns, far_height - 3 - (6 if setting == "beach" else 0))
    if setting == "hillside":  # on the left the hills stand in the valley
        ahead = math.atan2(x, y)
        foot += np.interp(angles, [ahead - 0.22, ahead - 0.05], [VALLEY, 0])
    for t in np.linspace(0, 1, rings):
        radius = 330 + 520 * t
        height = RELIEF[setting] * np.clip(t * 1.5, 0, 1) ** 1.2 * np.clip(0.75 + 0.45 * profile, 0, 3)
        height = height + rng.normal(0, 1, columns) * 4.5 * min(t * 3, 1) * (height > 1) + foot
        b.v += [(radius * math.sin(a), radius * math.cos(a), z) for a, z in zip(angles, height, strict=True)]
    for i in range(rings - 1):
        for j in range(columns - 1):
            k = i * columns + j
            b.index((k, k + 1, k + 1 + columns, k + columns), "rock" if setting == "desert" else "hill", None, True)
    scene.add(b.mesh("hills"), world=(0, 0, 0), tag="hills")


FILLS = {
    "downtown": downtown,
    "residential": residential,
    "highway": highway,
    "desert": desert,
    "beach": beach,
    "hillside": hillside,
}


def fill(scene):
    """What the setting of the scene brings with it, and the furniture of its pavements."""
    FILLS[scene.sc["setting"]](scene)
    if scene.walk:
        furniture(scene)
