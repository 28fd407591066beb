"""The ground: carriageway, pavements, verges, the far plain, and what is painted on the road."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from streets.mesh import Build
from streets.road import rows

if TYPE_CHECKING:
    from streets.scene import Scene

LANE = 3.5  # m
NEAR, FAR = -30, 600  # m of arc length that the road runs
KERB, PAINT, LETTERS = 0.14, 0.018, 0.02  # m above the carriageway
EDGE = 160  # m from the middle of the road to where the verge ends and the plain begins
SHORE = -26  # m: where the sand of a beach reaches the water
VALLEY = -30.0  # m: how deep the valley beside a hillside road lies
GROUND = {
    "desert": "dirt",
    "hillside": "dirt",
    "beach": "sand",
    "highway": "verge",
    "downtown": "walk",
}  # elsewhere grass
PLAIN = {"desert": "dirt", "hillside": "hill", "beach": "dirt", "highway": "verge"}
VERGE_STEPS = (
    0,
    1,
    2,
    2.8,
    3.6,
    5,
    7,
    10,
    14,
    20,
    28,
    40,
    56,
    80,
    115,
    150,
)  # m beside the road: fine where it is near


def surface(scene: Scene) -> None:
    """Everything that is walked or driven on; call it before anything stands on it."""
    road = Build()
    scene.ribbon(road, -scene.hw, scene.hw, NEAR, FAR, "asphalt")
    if scene.walk:
        pavements(scene, road)
    if scene.sc["setting"] in ("desert", "hillside"):
        for side in (-1, 1):
            rough_verge(scene, road, side)
    else:
        smooth_verges(scene, road)
    plain(scene, road)
    if scene.gap:
        cross_street(scene, road)
    lines(scene, road)
    if scene.gap:
        stop_line(scene, road)
        if scene.sc["crosswalk"]:
            crosswalk(scene)
    scene.add(road.mesh("road"), world=(0, 0, 0), tag="road")


def ground(scene: Scene, u: float, s: float) -> float:
    """Height of the ground in metres above the road at lateral offset u and arc length s."""
    setting, d = scene.sc["setting"], abs(u) - scene.hw - scene.walk
    if d <= 0:
        return KERB if abs(u) > scene.hw else 0.0
    bumps = roughness(scene, u, s)
    if setting == "desert":
        return bumps * 0.9 * min(d / 25, 1) - 0.03
    if setting != "hillside":
        return 0.12 if scene.walk else -0.03
    if u < 0:
        return max(-0.2 * min(d, 3) - max(d - 3, 0) * 0.34 + bumps * min(d / 12, 2), VALLEY)
    return 0.33 * d + bumps * min(d / 9, 2.5) + rock_face(scene, s) * min(max((d - 3.4) / 1.6, 0), 1)


def rock_face(scene: Scene, s: float) -> float:
    """Height in metres of the rock that was cut to make room for the road; 0 where the slope was left as it is."""
    phase = scene.sc["seed"] % 97
    wave = math.sin(s * 0.045 + phase) + 0.5 * math.sin(s * 0.013 + phase * 2.7)
    jagged = 0.35 * math.sin(s * 0.9 + phase) + 0.25 * math.sin(s * 1.7)
    return max(0.0, wave) * (3.2 + jagged)


def roughness(scene: Scene, u: float, s: float) -> float:
    """Bumps of the ground, about -1 to 1, smooth in both directions and different for each seed."""
    k = scene.sc["seed"] % 89
    return (
        0.5 * math.sin(u * 0.11 + k) * math.sin(s * 0.073 + 2 * k)
        + 0.28 * math.sin(u * 0.23 + s * 0.17 + 3 * k)
        + 0.16 * math.sin(u * 0.61 - s * 0.43 + 5 * k)
        + 0.08 * math.sin(u * 1.3 + s * 1.1 + 7 * k)
    )


def pavements(scene: Scene, b: Build) -> None:
    for (s0, s1), side in itertools.product(scene.spans(NEAR, FAR), (-1, 1)):
        inner, outer = side * scene.hw, side * (scene.hw + scene.walk)
        scene.ribbon(b, inner, inner + side * 0.18, s0, s1, "kerb", KERB)
        scene.ribbon(b, inner + side * 0.18, outer, s0, s1, "walk", KERB)
        scene.ribbon(b, inner, inner, s0, s1, "kerb", 0, KERB)
        if scene.gap:  # no parking at a crossing: 9 m of red kerb
            for e0, e1 in ((s1 - 9, s1), (s0, s0 + 9)):
                scene.ribbon(b, inner - side * 0.004, inner - side * 0.004, e0, e1, "kerbred", 0.02, 0.143)
                scene.ribbon(b, inner - side * 0.004, inner + side * 0.17, e0, e1, "kerbred", 0.145)


def smooth_verges(scene: Scene, b: Build) -> None:
    setting, edge = scene.sc["setting"], scene.hw + scene.walk
    kind, z = GROUND.get(setting, "grass"), 0.12 if scene.walk else -0.03
    for s0, s1 in scene.spans(NEAR, FAR):
        scene.ribbon(b, edge, EDGE, s0, s1, kind, z, -0.03)
        if setting == "beach":
            scene.ribbon(b, SHORE, -edge, s0, s1, kind, -1.4, z)
        else:
            scene.ribbon(b, -EDGE, -edge, s0, s1, kind, -0.03, z)


def rough_verge(scene: Scene, b: Build, side: int) -> None:
    """Ground with bumps on one side; what is steeper than 45 degrees is rock."""
    kind = GROUND[scene.sc["setting"]]
    along = rows(NEAR, FAR, 2.0 if scene.sc["setting"] == "hillside" else 4.0)
    across = [side * (scene.hw + d) for d in VERGE_STEPS]
    first = len(b.v)
    heights = [[ground(scene, u, s) if i else -0.01 for i, u in enumerate(across)] for s in along]
    b.v += [
        scene.road.P(u, s, z) for s, zs in zip(along, heights, strict=True) for u, z in zip(across, zs, strict=True)
    ]
    width = len(across)
    for j, i in itertools.product(range(len(along) - 1), range(width - 1)):
        a = first + j * width + i
        rise = abs(heights[j][i + 1] - heights[j][i])
        steep = rise > abs(across[i + 1] - across[i]) * 0.9
        corners = (a, a + 1, a + 1 + width, a + width)
        b.index(corners if side > 0 else corners[::-1], "cliff" if steep else kind, None, not steep)


def plain(scene: Scene, b: Build) -> None:
    """Land from the verge to the hills, so that no strip of sky shows below the horizon."""
    setting = scene.sc["setting"]
    drop = VALLEY - 1 if setting == "hillside" else -1.2
    left = 30 if setting == "beach" else -1800
    steps = [*range(-60, 200, 20), 300, 1800]
    for y0, y1 in itertools.pairwise(steps):
        z0, z1 = (scene.road.at(y)[2] + drop for y in (y0, y1))
        b.face([(left, y0, z0), (1800, y0, z0), (1800, y1, z1), (left, y1, z1)], PLAIN.get(setting, "grass"))


def cross_street(scene: Scene, b: Build) -> None:
    g0, g1 = scene.gap
    middle = (g0 + g1) / 2
    for side in (-1, 1):
        inner, outer = side * scene.hw, side * 120
        lo, hi = sorted((inner, outer))
        scene.ribbon(b, lo, hi, g0, g1, "asphalt", 0.002)
        for s0, s1 in ((g0 - 2, g0), (g1, g1 + 2)) if scene.walk else ():
            lo, hi = sorted((side * (scene.hw + scene.walk), outer))
            scene.ribbon(b, lo, hi, s0, s1, "walk", KERB)
        lo, hi = sorted((side * (scene.hw + 6), side * (scene.hw + 70)))
        for off in (-0.15, 0.15):
            scene.ribbon(b, lo, hi, middle + off - 0.06, middle + off + 0.06, "yellow", 0.015, fine=50)


def lines(scene: Scene, b: Build) -> None:
    """Yellow between the directions, dashes between lanes, white at the edges."""
    setting, lanes = scene.sc["setting"], scene.sc["lanes"]

    def stripe(u: float, s0: float, s1: float, mat: str, width: float = 0.12) -> None:
        scene.ribbon(b, u - width / 2, u + width / 2, s0, s1, mat, PAINT)

    def dashes(u: float, s0: float, s1: float, mat: str, step: float, length: float) -> None:
        for s in _steps(s0, s1 - length, step):
            stripe(u, s, s + length, mat, 0.14)

    for s0, s1 in scene.spans(-10, 300, 3):
        if setting == "highway":
            for u in (-0.75, 0.75):  # beside the barrier
                stripe(u, s0, s1, "yellow", 0.14)
        elif setting in ("desert", "hillside"):  # one direction may overtake
            dashes(0, s0, s1, "yellow", 9, 4)
            stripe(0.26, s0, s1, "yellow")
        else:
            for u in (-0.16, 0.16):
                stripe(u, s0, s1, "yellow")
        for side in (-1, 1):
            for k in range(1, lanes):
                dashes(side * k * LANE, s0, s1, "white", 8, 3.4)
            stripe(side * lanes * LANE, s0, s1, "white", 0.14)


def _steps(s0: float, s1: float, step: float) -> Iterator[float]:
    for k in range(max(0, math.ceil((s1 - s0) / step))):
        yield s0 + k * step


def stop_line(scene: Scene, b: Build) -> None:
    sc = scene.sc
    stop = scene.gap[0] - (4.6 if sc["crosswalk"] else 1.6)
    scene.ribbon(b, 0.3, sc["lanes"] * LANE, stop - 0.45, stop, "white", PAINT)
    scene.ribbon(
        b, -sc["lanes"] * LANE, -0.3, 2 * scene.gap[1] - stop - 12, 2 * scene.gap[1] - stop - 11.55, "white", PAINT
    )
    middles = [LANE / 2 + LANE * k for k in range(sc["lanes"])]
    for k, u in enumerate(middles):
        if sc["control"] == "stop":
            b.text("STOP", "white", 1.15, (u, stop - 3.2, 0), (1, 0, 0), (0, 2.3, 0), lambda p: _letter(scene, p))
        elif sc["arrows"]:
            arrow(scene, b, u, stop - 7, k == 0)


def _letter(scene: Scene, p) -> tuple[float, float, float]:
    return scene.road.P(p[0], p[1], LETTERS)


def crosswalk(scene: Scene) -> None:
    """Crossings over both roads, as an object of their own, so that their visible area can be counted."""
    b, hw = Build(), scene.hw
    g0, g1 = scene.gap
    for s in (g0 - 3.6, g1 + 0.6):
        if scene.sc["seed"] % 2:
            for k in range(int(2 * hw / 1.1)):
                u = -hw + 0.4 + k * 1.1
                scene.ribbon(b, u, u + 0.55, s, s + 3, "white", PAINT)
        else:
            for off in (0, 2.7):
                scene.ribbon(b, -hw, hw, s + off, s + off + 0.3, "white", PAINT)
    for side in (-1, 1):
        lo, hi = sorted((side * (hw + 0.5), side * (hw + 3.2)))
        if scene.sc["seed"] % 2:
            for k in range(int((g1 - g0) / 1.1)):
                scene.ribbon(b, lo, hi, g0 + 0.4 + k * 1.1, g0 + 0.95 + k * 1.1, "white", PAINT)
        else:
            for u in (lo, hi - 0.3):
                scene.ribbon(b, u, u + 0.3, g0, g1, "white", PAINT)
    scene.add(b.mesh("crosswalk"), world=(0, 0, 0), tag="crosswalk")


def arrow(scene: Scene, b: Build, u: float, s: float, left: bool) -> None:
    """An arrow on the road, its foot at (u, s): to the left, or straight on."""
    head = (
        [((-0.13, 1.5), (-0.13, 2.2), (-0.75, 2.2), (-0.75, 1.8)), ((-0.7, 1.2), (-0.7, 2.8), (-1.35, 2.0))]
        if left
        else [((-0.5, 2.1), (0.5, 2.1), (0, 3.6))]
    )
    for shape in [((-0.13, 0), (0.13, 0), (0.13, 2.2), (-0.13, 2.2)), *head]:
        at = [(u + x, s + y) for x, y in shape]
        b.face([scene.road.P(*p, LETTERS) for p in at], "white", at)
