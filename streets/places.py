"""The six settings and what fills them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from streets import plants, props
from streets.buildings import PASTEL, SIGNS, WALLS, HousePlan, block
from streets.mesh import Build
from streets.surface import SHORE, VALLEY, ground

if TYPE_CHECKING:
    from streets.scene import Scene

PI = math.pi
SIDES = (-1, 1)  # left and right of the road
GARDEN_WALLS = ((0.60, 0.56, 0.48), (0.55, 0.45, 0.35), (0.62, 0.34, 0.19), (0.68, 0.64, 0.58))
PLACES = ("Palm Bay", "Airport", "Downtown", "Harbor", "North Hills", "Route 9")
CLOTHS = ((0.6, 0.06, 0.04), (0.04, 0.15, 0.5), (0.8, 0.5, 0.04), (0.05, 0.4, 0.3))
VARIANTS = {"tree": 4, "palm": 4, "cactus": 3}


def fill(scene: Scene) -> None:
    """What the setting of the scene brings with it, and the furniture of its pavements."""
    FILLS[scene.sc["setting"]](scene)
    if scene.walk:
        furniture(scene)


def downtown(scene: Scene) -> None:
    tallest = scene.r.choice((34, 60, 85))
    frontage(scene, SIDES, 14, tallest, WALLS)
    plant(scene, ("tree",) if scene.r.random() < 0.6 else ("palm",), 1.3, 12, 0.65, 0.85)
    for side in SIDES:
        for _ in range(4):
            name = scene.r.choice(("bench", "trash can", "trash can", "planter", "planter"))
            s = scene.r.uniform(6, 60)
            if scene.clear(s, 2):
                prop(scene, name, side * (scene.hw + scene.walk - 0.45), s, 0.14, -side * PI / 2)


def frontage(
    scene: Scene, sides: Sequence[int], low: float, high: float, walls: Sequence[Any], setback: float = 0.0
) -> None:
    """Rows of buildings along the road and down the crossing road; `low` to `high` metres, some half as high."""
    r = scene.r
    for side in sides:
        for s0, s1 in scene.spans(-14, 330, 2.5):
            s = s0
            while s < s1 - 5:
                width, depth = min(r.uniform(12, 28), s1 - s), r.uniform(14, 24)
                height = max(r.uniform(low, high) * r.choice((0.5, 1, 1)), 6)
                u = side * (scene.hw + scene.walk + setback + depth / 2)
                block(scene, u, s + width / 2, width, depth, height, side, r.choice(walls))
                s += width + (0.05 if r.random() < 0.7 else r.uniform(2, 6))
        if scene.gap:
            for k in range(4):
                depth = r.uniform(14, 20)
                for s in (scene.gap[0] - 12, scene.gap[1] + 12):
                    u = side * (scene.hw + 38 + k * 20)
                    block(scene, u, s, 20, depth, r.uniform(low, high), side, r.choice(walls))


def residential(scene: Scene) -> None:
    """Plots with a house, a drive and a garden each."""
    r = scene.r
    drives = Build()
    for side in SIDES:
        for s0, s1 in scene.spans(-12, 230, 2):
            s = s0
            while s < s1 - 4:
                length = min(r.choice((12, 16, 20)), s1 - s)
                plot(scene, side, s, length, drives)
                s += length
    scene.add(drives.mesh("drives"), world=(0, 0, 0), tag="road")
    plant(scene, ("palm", "palm", "tree") if r.random() < 0.6 else ("tree",), 0.9, 13, 0.65)
    if r.random() < 0.6:
        power_line(scene, r.choice(SIDES) * (scene.hw + scene.walk - 0.25), 24)


def plot(scene: Scene, side: int, s: float, length: float, drives: Build) -> None:
    r, edge, middle = scene.r, scene.hw + scene.walk, s + length / 2
    kind, inward = r.randrange(5), r.uniform(10, 13)
    plan = HousePlan.of(kind)
    colour = r.choice(PASTEL + WALLS)
    scene.add(f"house{kind}", side * (edge + inward), middle, 0.1, -side * PI / 2, colour=colour, tag="house")
    drive = middle - side * plan.garage
    lo, hi = sorted((side * (edge - 0.02), side * (edge + inward - plan.depth / 2)))
    scene.ribbon(drives, lo, hi, drive - 1.6, drive + 1.6, "conc", 0.155)
    border(scene, side, s, length, drive)
    if r.random() < 0.75:
        at = s + r.uniform(1, length)
        if abs(at - drive) > 2.5:
            stand(scene, "tree", side * (edge + r.uniform(2.5, 6)), at, 0.8, 1.35)
    for _ in range(r.randrange(3)):
        stand(scene, "bush", side * (edge + r.uniform(1.5, 5)), s + r.uniform(1, length), 0.5, 0.8)
    if r.random() < 0.35:
        scene.add("flower", side * (edge + 1.4), middle, 0.15, tag="flower")
    if r.random() < 0.3:
        prop(scene, "mailbox", side * (scene.hw + 0.45), drive + 2.2, 0.14, side * PI / 2)
    if r.random() < 0.3:
        paint = r.choice(((0.03, 0.10, 0.05), (0.04, 0.06, 0.16), (0.10, 0.10, 0.10)))
        prop(scene, "wheeled bin", side * (edge - 0.5), drive - 2.3, 0.14, -side * PI / 2, colour=paint)


def border(scene: Scene, side: int, s: float, length: float, drive: float) -> None:
    """What closes a garden towards the pavement, in pieces of 4 m that leave the drive open."""
    r, x = scene.r, side * (scene.hw + scene.walk + 0.3)
    kind = r.choice(("wall", "wall and hedge", "hedge", "ivy", "picket fence", "plank fence", "open"))
    height, colour = r.uniform(0.9, 2.1), r.choice(GARDEN_WALLS)
    if kind == "open":
        return
    for k in range(int(length // props.FENCE)):
        at = s + 2 + k * props.FENCE
        if abs(at - drive) < 3.2:
            continue
        if "fence" in kind:
            scene.add(model(scene, kind, props.PROPS[kind]), x, at, 0.1, 0 if side > 0 else PI, tag="fence")
        if kind in ("wall", "wall and hedge", "ivy"):
            wall = Build()
            wall.box((0, 0, -1), (0.3, 4.05, height + 1), "stucco")
            wall.box((0, 0, height), (0.42, 4.1, 0.1), "stucco")
            for end in (-2, 2):
                wall.box((0, end, -1), (0.5, 0.5, height + 1.25), "stucco")
            scene.add(wall.mesh("wall"), x, at, 0.12, colour=colour, tag="wall")
        if kind in ("wall and hedge", "hedge", "ivy"):
            z = height if kind == "wall and hedge" else 0.1
            high = r.uniform(0.8, 1) if kind == "wall and hedge" else height / 1.1 + 0.25
            variant = 2 if kind == "ivy" else r.randrange(2)
            scene.add(f"hedge{variant}", x + side * 0.55, at, z, scale=(1, 1.02, high), tag="hedge")


def highway(scene: Scene) -> None:
    r, hw = scene.r, scene.hw
    barriers(scene)
    if r.random() < 0.6:
        gantry(scene, r.uniform(28, 60))
    if r.random() < 0.4:
        exit_sign(scene, r.uniform(20, 45))
    walled = noise_walls(scene)
    if r.random() < 0.3:
        overpass(scene, r.uniform(75, 140))
    for _ in range(80):
        side, d = r.choice(SIDES), r.uniform(1.5, 34)
        kind = r.choices(("tree", "palm", "scrub", "bush"), (3, 2, 6, 3))[0]
        if kind in ("tree", "palm"):
            d = max(d, 7)
        if not (side in walled and d < 3.5):
            stand(scene, kind, side * (hw + d), r.uniform(8, 200), 0.7, 1.3)
    for side in SIDES:
        for _ in range(30):
            if side not in walled:
                tuft(scene, side * (hw + r.uniform(1, 10)), r.uniform(5, 70))
    if r.random() < 0.4:
        for _ in range(14):  # a city far ahead
            width, depth, height = r.uniform(20, 40), r.uniform(20, 40), r.uniform(30, 120)
            block(scene, r.uniform(-160, 160), r.uniform(330, 460), width, depth, height, 1, r.choice(WALLS))
    rowlamps(scene, 34)


def barriers(scene: Scene) -> None:
    """Concrete between the directions; concrete or a guardrail at the edges."""
    b = Build()
    for u in (-0.28, 0.28):
        scene.ribbon(b, u, u * 0.35, -20, 400, "conc", 0, 0.95)
    scene.ribbon(b, -0.1, 0.1, -20, 400, "conc", 0.95)
    for side in SIDES:
        near, far = side * (scene.hw + 0.2), side * (scene.hw + 0.5)
        if scene.r.random() < 0.5:
            scene.ribbon(b, near, near, -20, 400, "conc", 0, 1.0)
            scene.ribbon(b, near, far, -20, 400, "conc", 1.0)
        else:
            rail(scene, side * (scene.hw + 0.3), -20, 300)
    scene.add(b.mesh("barrier"), world=(0, 0, 0), tag="barrier")


def rail(scene: Scene, u: float, s0: float, s1: float) -> None:
    """A guardrail of three bent strips on wooden posts."""
    b = Build()
    for z0, z1 in ((0.45, 0.55), (0.55, 0.65), (0.65, 0.75)):
        bent = z0 == 0.55
        scene.ribbon(b, u + (0.03 if bent else 0), u + (0 if bent else 0.03), s0, s1, "galv", z0, z1)
    for k in range(int((s1 - s0) / 4)):
        x, y, z = scene.road.P(u + math.copysign(0.12, u), s0 + k * 4)
        b.box((x, y, z - 0.3), (0.1, 0.1, 1.0), "wood")
    scene.add(b.mesh("rail"), world=(0, 0, 0), tag="guardrail")


def gantry(scene: Scene, s: float) -> None:
    """Green signs over our side of the road."""
    b, reach, hw = Build(), scene.hw + 1, scene.hw
    for x in (-reach, reach):
        b.cyl((x, 0, -1), (x, 0, 7.9), 0.18, mat="galv")
    for z in (6.6, 7.6):
        b.cyl((-reach, 0, z), (reach, 0, z), 0.1, mat="galv")
    for x, name in zip((hw * 0.28, hw * 0.74), scene.r.sample(PLACES, 2), strict=True):
        b.box((x, -0.25, 5.7), (hw * 0.42, 0.06, 2.3), "signwhite")
        b.box((x, -0.28, 5.78), (hw * 0.42 - 0.16, 0.06, 2.14), "signgreen")
        b.text(name, "signwhite", hw * 0.078, (x, -0.33, 6.85))
    scene.add(b.mesh("gantry"), 0, s, tag="highway sign")


def exit_sign(scene: Scene, s: float) -> None:
    b = Build()
    for x in (-1.0, 1.0):
        b.cyl((x, 0.1, -1), (x, 0.1, 2.4), 0.07, mat="galv")
    b.box((0, 0, 2.3), (3.2, 0.06, 2.0), "signwhite")
    b.box((0, -0.03, 2.37), (3.06, 0.06, 1.86), "signgreen")
    b.text(f"EXIT {scene.r.randrange(10, 70)}", "signwhite", 0.62, (0, -0.07, 3.75))
    b.text(scene.r.choice(PLACES), "signwhite", 0.5, (0, -0.07, 2.95))
    scene.add(b.mesh("exit sign"), scene.hw + 2.4, s, tag="highway sign")


def noise_walls(scene: Scene) -> set[int]:
    """Walls of 4 m beside the road, on none, one or both sides; returns which."""
    walled = {side for side in SIDES if scene.r.random() < 0.3}
    for side in sorted(walled):
        b, u = Build(), side * (scene.hw + 3.5)
        scene.ribbon(b, u, u, -20, 260, "conc", -0.2, 4.0)
        scene.ribbon(b, u - 0.15, u + 0.15, -20, 260, "conc", 4.0)
        for k in range(45):
            x, y, z = scene.road.P(u - side * 0.1, -15 + k * 6)
            b.box((x, y, z - 0.5), (0.4, 0.4, 4.7), "conc")
        scene.add(b.mesh("noise wall"), world=(0, 0, 0), tag="wall")
    return walled


def overpass(scene: Scene, s: float) -> None:
    """A bridge over the road on two rows of pillars."""
    b, reach = Build(), scene.hw + 45
    b.box((0, 0, 6.4), (2 * reach, 9, 1.3), "conc")
    for y in (-4.4, 4.4):
        b.box((0, y, 7.7), (2 * reach, 0.25, 0.9), "conc")
    for x in (-scene.hw - 2, 0, scene.hw + 2):
        for y in (-2.8, 2.8):
            b.cyl((x, y, -1), (x, y, 6.4), 0.55, mat="conc", n=10)
    scene.add(b.mesh("overpass"), 0, s, tag="bridge")


def desert(scene: Scene) -> None:
    r, hw = scene.r, scene.hw
    for _ in range(200):
        u = r.choice(SIDES) * (hw + 1.5 + r.expovariate(0.06))
        kind = r.choices(("scrub", "tuft", "cactus", "bush"), (5, 7, 1.5, 1))[0]
        if kind == "tuft":
            tuft(scene, u, r.uniform(3, 90))
        else:
            stand(scene, kind, u, r.uniform(3, 190), 0.6, 1.3)
    rocks(scene, 70, 1.0)
    power_line(scene, hw + 6, 30)
    if r.random() < 0.35:
        u, s = r.choice(SIDES) * (hw + r.uniform(7, 12)), r.uniform(30, 80)
        name, turn = f"billboard{r.randrange(len(props.SLOGANS))}", -math.copysign(0.25, u)
        prop(scene, name, u, s, ground(scene, u, s), turn, colour=r.choice(SIGNS))
    if r.random() < 0.3:
        rail(scene, -(hw + 0.6), 10, 90)


def power_line(scene: Scene, u: float, step: float) -> None:
    feet = []
    for k in range(9):
        s = 10 + k * step
        scene.add("pole", u, s, 0, tag="utility pole")
        feet.append(scene.road.P(u, s))
    b = Build()
    props.wires(b, feet)
    scene.add(b.mesh("wires"), world=(0, 0, 0), tag="wires")


def beach(scene: Scene) -> None:
    """The sea on the left behind sand and a promenade, low houses on the right."""
    r, edge = scene.r, scene.hw + scene.walk
    sea(scene)
    plant(scene, ("palm",), 2.0, 11, 0.85, 1.0)
    plant(scene, ("palm",), scene.walk + 3.5, 16, 0.5, 0.9, (-1,))
    frontage(scene, (1,), 7, 16, PASTEL, 1.0)
    railing = Build()
    for s0, s1 in scene.spans(-10, 160, 1):
        for z in (0.55, 1.05):
            scene.ribbon(railing, -edge, -edge, s0, s1, "whitep", z, z + 0.07)
        for k in range(int((s1 - s0) / 2.5)):
            x, y, z = scene.road.P(-edge, s0 + k * 2.5)
            railing.box((x, y, z), (0.08, 0.08, 1.1), "whitep")
    scene.add(railing.mesh("railing"), world=(0, 0, 0), tag="fence")
    for _ in range(r.randrange(4, 14)):
        u, s = -r.uniform(edge + 2.5, -SHORE - 2), r.uniform(8, 90)
        prop(scene, "umbrella", u, s, sand(scene, u), r.uniform(0, 6.28), colour=r.choice(CLOTHS))
    if r.random() < 0.6:
        u, s = SHORE + 5, r.uniform(28, 60)
        prop(scene, "lifeguard hut", u, s, sand(scene, u) + 0.3, PI / 2, colour=r.choice(PASTEL))
    for _ in range(5):
        name, s = r.choice(("bench", "trash can")), r.uniform(6, 70)
        prop(scene, name, -(edge - 0.45), s, 0.14, PI / 2 if name == "bench" else 0)


def sand(scene: Scene, u: float) -> float:
    """Height of the beach at u, as surface.smooth_verges lays it."""
    edge = -(scene.hw + scene.walk)
    return 0.12 + (edge - u) / (edge - SHORE) * (-1.4 - 0.12)


def sea(scene: Scene) -> None:
    b, r = Build(), scene.r
    b.face([(-3000, -60, -1.2), (SHORE + 2, -60, -1.2), (SHORE + 2, 3500, -1.2), (-3000, 3500, -1.2)], "water")
    for k in range(5):  # breakers: white crests that run along the shore
        x0, width, phase = SHORE + 1 - k * r.uniform(4, 6), r.uniform(0.5, 1.3), r.uniform(0, 6.28)
        for y in range(-40, 400, 4):
            a, c = (x0 + 0.9 * math.sin(t * 0.05 + phase) + 0.4 * math.sin(t * 0.21 + phase) for t in (y, y + 4))
            if k and math.sin(y * 0.031 + phase * 3) < -0.2:  # not all along
                continue
            z = -1.16 + 0.16 * min(k, 2)
            b.face([(a - width, y, -1.19), (a, y, z), (c, y + 4, z), (c - width, y + 4, -1.19)], "foam")
            if k:
                b.face([(a, y, z), (a + 0.4, y, -1.2), (c + 0.4, y + 4, -1.2), (c, y + 4, z)], "foam")
    scene.add(b.mesh("sea"), world=(0, 0, 0), tag="sea")


def hillside(scene: Scene) -> None:
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


def plant(
    scene: Scene,
    kinds: Sequence[str],
    off: float,
    step: float,
    share: float,
    scale: float = 1.0,
    sides: Sequence[int] = SIDES,
) -> None:
    """A row of street trees `off` metres from the kerb, about `step` metres apart; `share` of the places are taken."""
    r = scene.r
    for side in sides:
        s = 4 + r.uniform(0, step)
        while s < 170:
            if r.random() < share and scene.clear(s, 3):
                kind, u = r.choice(kinds), side * (scene.hw + off + r.uniform(-0.2, 0.2))
                name, turn = f"{kind}{r.randrange(VARIANTS[kind])}", r.uniform(0, 6.28)
                scene.add(name, u, s, 0.1, turn, scale * r.uniform(0.8, 1.2), tag=kind)
            s += step * r.uniform(0.7, 1.3)


def stand(scene: Scene, kind: str, u: float, s: float, least: float, most: float) -> None:
    """Puts a plant (or what else has numbered variants) on the ground, turned and scaled by chance."""
    r = scene.r
    name = f"{kind}{r.randrange(VARIANTS[kind])}" if kind in VARIANTS else kind
    z = ground(scene, u, s) - 0.08
    scene.add(name, u, s, z, r.uniform(0, 6.28), r.uniform(least, most), tag=kind)


def rocks(scene: Scene, count: int, size: float) -> None:
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


def tuft(scene: Scene, u: float, s: float) -> None:
    kind = scene.r.randrange(3)
    me = model(scene, f"tuft{kind}", lambda: plants.tuft(kind))
    turn, size = scene.r.uniform(0, 6.28), scene.r.uniform(0.6, 1.4)
    scene.add(me, u, s, ground(scene, u, s) - 0.03, turn, size, tag="scrub")


def prop(
    scene: Scene, name: str, u: float, s: float, z: float, turn: float, colour: Sequence[float] = (1, 1, 1)
) -> None:
    """One of props.PROPS, tagged by its name without a number."""
    me = model(scene, name, props.PROPS[name])
    scene.add(me, u, s, z, turn, colour=colour, tag=name.rstrip("0123456789"))


def model(scene: Scene, name: str, build: Callable[[], Build]) -> Any:
    """The mesh of that name, built once a process."""
    if name not in scene.cache:
        scene.cache[name] = build().mesh(name)
    return scene.cache[name]


def rowlamps(scene: Scene, step: float = 28) -> None:
    for sg in (-1, 1):
        for k in range(5):
            s = 9 + k * step + (step / 2 if sg < 0 else 0)
            if scene.clear(s, 1):
                u = sg * (scene.hw + 0.6)
                scene.add("street lamp", u, s, 0.1, 0 if sg > 0 else PI, tag="street lamp")
                scene.lamps.append(scene.road.P(u - sg * 2.3, s, 7.7))


def furniture(scene: Scene) -> None:
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


def mountains(scene: Scene) -> None:
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
