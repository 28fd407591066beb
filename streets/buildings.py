"""Houses, and blocks with shops at street level."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streets.mesh import Build

if TYPE_CHECKING:
    from streets.scene import Scene

PI = math.pi
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
SIGNS = ((0.02, 0.06, 0.22), (0.02, 0.16, 0.09), (0.45, 0.25, 0.02), (0.03, 0.03, 0.03), (0.22, 0.03, 0.16))
SHOPS = (
    "CAFE", "BOOKS", "PIZZA", "MARKET", "BAKERY", "FLOWERS", "LAUNDRY", "TAILOR", "PHARMACY", "DINER",
    "MUSIC", "GALLERY", "HARDWARE", "BARBER",
)  # fmt: skip
HOTELS = ("HOTEL", "BANK", "MOTEL", "CLUB", "GYM", "BAR")
SHOP_HEIGHT = 4.2  # m
DETAIL = 75  # m of arc length beyond which a facade is only a texture


@dataclass(frozen=True, slots=True)
class HousePlan:
    """Measures of a house in metres; its front is -y."""

    width: float
    depth: float
    height: float
    garage: float
    """Where the middle of the garage door lies, along x."""

    @classmethod
    def of(cls, kind: int) -> HousePlan:
        r = random.Random(f"house-{kind}")
        width = r.uniform(10, 14)
        return cls(width, r.uniform(8, 11), r.choice((3.2, 5.9, 6.2)), r.choice((-1, 1)) * (width / 2 - 1.9))


def house(kind: int) -> Build:
    """A house with a hipped or gabled roof, garage, porch, chimney and windows all round."""
    r, plan, b = random.Random(kind), HousePlan.of(kind), Build()
    w, d, h = plan.width, plan.depth, plan.height
    b.box((0, 0, -1.5), (w, d, h + 1.5), "stucco")
    _roof(b, w, d, h, r.uniform(1.4, 2.2), hipped=kind % 2 == 0)
    b.box((-plan.garage * 0.5, d * 0.15, h), (0.7, 0.7, 2.4), "stucco")  # chimney
    walls = (
        ((-w / 2, -d / 2), (w / 2, -d / 2), w),
        ((-w / 2, d / 2), (-w / 2, -d / 2), d),
        ((w / 2, -d / 2), (w / 2, d / 2), d),
    )
    door = -math.copysign(0.12 * w, plan.garage)
    for floor in range(1 if h < 4 else 2):
        for side, (p, q, length) in enumerate(walls):
            quad = [(*p, floor * 2.9), (*q, floor * 2.9), (*q, floor * 2.9 + 2.9), (*p, floor * 2.9 + 2.9)]
            count = int(length // 2.6)
            for i in range(count):
                at = (i + 0.5) / count
                x = (at - 0.5) * length
                if side == 0 and floor == 0 and (abs(x - plan.garage) < 2.3 or abs(x - door) < 1.6):
                    continue
                b.panel(quad, at - 0.75 / length, at + 0.75 / length, 0.32, 0.82, "whitep", 0.03)
                b.panel(quad, at - 0.62 / length, at - 0.03 / length, 0.36, 0.78, _pane(r), 0.05)
                b.panel(quad, at + 0.03 / length, at + 0.62 / length, 0.36, 0.78, _pane(r), 0.05)
    front = -d / 2
    b.box((door, front - 0.02, 0), (1.15, 0.1, 2.2), "whitep")
    b.box((door, front - 0.06, 0), (0.95, 0.1, 2.08), "wood")
    b.box((plan.garage, front - 0.02, 0), (2.9, 0.1, 2.4), "whitep")
    for k in range(4):
        b.box((plan.garage, front - 0.08, 0.05 + k * 0.56), (2.6, 0.04, 0.52), "plate")
    b.box((door, front - 0.9, -0.5), (2.6, 1.8, 0.62), "conc")  # porch
    b.box((door, front - 0.9, 2.5), (2.9, 2.0, 0.18), "roof")
    for x in (door - 1.15, door + 1.15):
        b.cyl((x, front - 1.6, 0), (x, front - 1.6, 2.5), 0.09, mat="whitep")
    return b


def _pane(r: random.Random) -> str:
    return "winlit" if r.random() < 0.45 else "glass"


def _roof(b: Build, w: float, d: float, h: float, rise: float, *, hipped: bool) -> None:
    eave = 0.5
    x, y = w / 2 + eave, d / 2 + eave
    low = [(-x, -y, h), (x, -y, h), (x, y, h), (-x, y, h)]
    inset = d * 0.4 if hipped else 0
    left, right = (-x + inset, 0, h + rise), (x - inset, 0, h + rise)
    for face in ((low[0], low[1], right, left), (low[2], low[3], left, right)):
        b.face(face, "roof")
    for face in ((low[1], low[2], right), (low[3], low[0], left)):
        b.face(face, "roof" if hipped else "stucco")
    b.face(low[::-1], "whitep")


def storey_height(style: float) -> float:
    """Metres; materials.m_facade draws windows by the same formula. `style` is the alpha of the object's colour."""
    return 3.1 + 0.9 * (style * 13 % 1)


def window_width(style: float) -> float:
    """Metres from the middle of a window to that of the next."""
    return 2.2 + 1.6 * style


def block(scene: Scene, u: float, s: float, w: float, d: float, h: float, side: int, colour, z: float = 0.0):
    """A building `w` m along the road, `d` m deep and `h` m high, facing the road from the left (-1) or right (1).

    What lies nearer than DETAIL has reliefs, shop signs, awnings, and balconies or fire escapes.
    """
    r, b = scene.r, Build()
    style = r.random()
    storey = storey_height(style)
    h = SHOP_HEIGHT + 0.2 + max(1, round((h - SHOP_HEIGHT) / storey)) * storey
    _walls(b, d, w, -2, h, style)
    b.box((0, 0, h), (d + 0.5, w + 0.3, 0.5), "stucco")
    b.box((0, 0, h + 0.5), (d, w, 0.05), "flatroof")
    b.box((0, 0, SHOP_HEIGHT - 0.3), (d + 0.3, w + 0.06, 0.3), "stucco")
    _rooftop(r, b, d, w, h, style)
    if s < DETAIL:
        _relief(r, b, d, w, h, side, style)
        awnings(r, b, d, w, side)
    ob = scene.add(b.mesh("block"), u, s, z, colour=colour, tag="building", tall=h > 22)
    ob.color[3] = style
    if s < DETAIL:
        signs(scene, u - side * d / 2, s, w, side)
    return ob


def _walls(b: Build, d: float, w: float, z0: float, z1: float, style: float) -> None:
    """Four walls whose texture counts windows across (an even number a wall) and metres up, and a roof."""
    corners = [(-d / 2, -w / 2), (d / 2, -w / 2), (d / 2, w / 2), (-d / 2, w / 2)]
    first = 0
    for i, p in enumerate(corners):
        q, length = corners[(i + 1) % 4], (d, w)[i % 2]
        last = first + 2 * max(1, round(length / window_width(style) / 2))
        b.face([(*p, z0), (*q, z0), (*q, z1), (*p, z1)], "facade", [(first, z0), (last, z0), (last, z1), (first, z1)])
        first = last
    b.face([(*p, z1) for p in corners], "flatroof")


def _rooftop(r: random.Random, b: Build, d: float, w: float, h: float, style: float) -> None:
    if h > 40 and r.random() < 0.6:  # a tower steps back
        more = h * r.uniform(0.12, 0.3)
        _walls(b, d * 0.68, w * 0.68, h, h + more, style)
        if r.random() < 0.5:
            b.cyl((0, 0, h + more), (0, 0, h + more + r.uniform(8, 18)), 0.35, 0.08, "pole", 6)
        return
    if r.random() < 0.6:
        b.box((r.uniform(-2, 2), r.uniform(-0.2, 0.2) * w, h), (d * 0.3, w * 0.3, 3), "stucco", 1, "flatroof")
    for _ in range(r.randrange(4)):  # air conditioners
        b.box((r.uniform(-0.35, 0.35) * d, r.uniform(-0.35, 0.35) * w, h + 0.5), (1.6, 2.2, 1.2), "galv")
    if h < 45 and r.random() < 0.25:  # water tank
        x, y = r.uniform(-0.3, 0.3) * d, r.uniform(-0.3, 0.3) * w
        for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            b.cyl((x + dx, y + dy, h), (x + dx, y + dy, h + 2.6), 0.1, mat="black", n=4)
        b.cyl((x, y, h + 2.5), (x, y, h + 5.4), 1.6, mat="wood", n=12)
        b.cyl((x, y, h + 5.4), (x, y, h + 6.6), 1.75, 0.1, "roof", 12)


def _relief(r: random.Random, b: Build, d: float, w: float, h: float, side: int, style: float) -> None:
    """What stands out from the front: pilasters, ledges, balconies or a fire escape."""
    front, out, storey = -side * d / 2, -side, storey_height(style)
    bays = max(1, round(w / window_width(style) / 2))
    for i in range(bays + 1):
        y = -w / 2 + i * w / bays
        b.box((front + out * 0.1, min(max(y, 0.3 - w / 2), w / 2 - 0.3), -0.5), (0.3, 0.6, SHOP_HEIGHT + 0.3), "stucco")
    kind = r.choice(("pilasters", "ledges", "balconies", "escape", "plain"))
    floors = [SHOP_HEIGHT + 0.2 + k * storey for k in range(min(int((h - SHOP_HEIGHT) / storey), 8))]
    if kind == "pilasters":
        for i in range(bays + 1):
            b.box((front + out * 0.12, -w / 2 + i * w / bays, SHOP_HEIGHT), (0.35, 0.4, h - SHOP_HEIGHT), "stucco")
    elif kind == "ledges":
        for z in floors[1:]:
            b.box((front + out * 0.1, 0, z - 0.12), (0.3, w, 0.24), "stucco")
    elif kind == "balconies":
        for z in floors:
            for i in range(bays):
                _balcony(b, front + out * 0.6, -w / 2 + (i + 0.5) * w / bays, z, w / bays * 0.62, "whitep", out)
    elif kind == "escape" and h < 40:
        y = r.uniform(-0.25, 0.25) * w
        for k, z in enumerate(floors):
            _balcony(b, front + out * 0.6, y, z, 3.4, "black", out)
            if k:  # a ladder down to the landing below
                lean = 1.2 if k % 2 else -1.2
                b.cyl(
                    (front + out * 0.7, y - lean, z - storey), (front + out * 0.7, y + lean, z), 0.07, mat="black", n=4
                )


def _balcony(b: Build, x: float, y: float, z: float, width: float, mat: str, out: int) -> None:
    """A slab with an open railing on three sides; `out` is the direction away from the wall."""
    b.box((x, y, z), (1.2, width, 0.1), mat)
    for high in (0.5, 1.0):
        b.box((x + out * 0.58, y, z + high), (0.05, width, 0.06), mat)
        for end in (-width / 2, width / 2):
            b.box((x, y + end, z + high), (1.2, 0.05, 0.06), mat)
    for k in range(4):
        b.box((x + out * 0.58, y + (k / 3 - 0.5) * width, z), (0.05, 0.05, 1.0), mat)


def awnings(r: random.Random, b: Build, d: float, w: float, side: int) -> None:
    """Cloth over some of the shop windows, a colour a building."""
    if r.random() < 0.4:
        return
    count, x, mat = max(1, int(w // 6)), -side * d / 2, r.choice(("stripe", "navy", "signgreen", "whitep", "wood"))
    for i in range(count):
        if r.random() < 0.3:
            continue
        y = -w / 2 + (i + 0.5) * w / count
        lip = x - side * 1.5
        b.face([(x, y - 2, 3.2), (x, y + 2, 3.2), (lip, y + 2, 2.7), (lip, y - 2, 2.7)], mat)
        b.face([(lip, y - 2, 2.45), (lip, y + 2, 2.45), (lip, y + 2, 2.7), (lip, y - 2, 2.7)], mat)
        for end in (y - 2, y + 2):
            b.face([(x, end, 3.2), (lip, end, 2.7), (x, end, 2.7)], mat)


def signs(scene: Scene, front: float, s: float, w: float, side: int) -> None:
    """Names over the shops, and now and then one that stands out from the wall."""
    r, count = scene.r, max(1, int(w // 7))
    for i in range(count):
        name, colour = r.choice(SHOPS), r.choice(SIGNS)
        if r.random() < 0.75:
            at = s - w / 2 + (i + 0.5) * w / count
            scene.add(_template(scene, name, shop_sign), front - side * 0.3, at, 3.35, -side * PI / 2, colour=colour)
    if r.random() < 0.35:
        at, name = s + r.uniform(-0.4, 0.4) * w, r.choice(HOTELS)
        scene.add(_template(scene, name, blade_sign), front - side * 0.9, at, 5.2, colour=r.choice(SIGNS))


def _template(scene: Scene, name: str, build):
    if name not in scene.cache:
        scene.cache[name] = build(name).mesh(name)
    return scene.cache[name]


def shop_sign(name: str) -> Build:
    """A board with a name, 3.8 m wide; front is -y, paint is the object's colour."""
    b = Build()
    b.box((0, 0.1, 0), (3.8, 0.2, 0.75), "shopsign")
    b.text(name, "signwhite", 0.5, (0, -0.02, 0.36))
    return b


def blade_sign(name: str) -> Build:
    """A sign at right angles to the wall, its letters one above the other; 1.1 m wide."""
    b = Build()
    high = 0.75 * len(name) + 0.3
    b.box((0, 0, 0), (1.1, 0.22, high), "shopsign")
    for k, letter in enumerate(name):
        b.text(letter, "signwhite", 0.75, (0, -0.13, high - 0.55 - k * 0.75))
    return b
