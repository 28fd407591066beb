"""Cars, vans, lorries and buses. Forward is +y; the origin is on the road; paint comes from Object.color."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin

from streets.bodywork import SIDES, GlassHouse, Shell, mirrors, stations, wheels
from streets.mesh import Build


@dataclass(frozen=True, slots=True)
class CarSpec:
    """What makes one car differ from another; heights in metres."""

    shell: Shell
    house: GlassHouse
    tail_lamps: tuple[float, float]  # from, to
    head_lamps: tuple[float, float]
    doors: tuple[float, ...]  # y of the door gaps, from tail to nose
    lamp_inner: float = 0.52  # inner end of the lamps, as a share of the half-width
    cladding: str | None = None  # colour of unpainted sills and bumpers, if any


SEDAN = CarSpec(
    Shell(
        stations(
            (-2.38, 0.76, 0.36, 0.88),
            (-2.32, 0.85, 0.29, 0.97),
            (-2.16, 0.905, 0.25, 1.03),
            (-1.00, 0.93, 0.21, 1.01),
            (0.90, 0.93, 0.21, 0.97),
            (1.70, 0.91, 0.22, 0.88),
            (2.10, 0.87, 0.24, 0.80),
            (2.30, 0.80, 0.28, 0.73),
            (2.38, 0.70, 0.34, 0.66),
        ),
        axles=(-1.40, 1.42),
        radius=0.335,
    ),
    GlassHouse(-1.92, 1.12, -1.12, 0.12, 0.96, 1.45, 0.86, 0.66, pillars=(0.03, 0.49, 0.97)),
    tail_lamps=(0.66, 0.84),
    head_lamps=(0.52, 0.66),
    doors=(-1.18, -0.14, 0.98),
)
SPORT = CarSpec(  # a low wedge: nose at knee height, waist rising to a ducktail with a wing
    Shell(
        stations(
            (-2.22, 0.88, 0.34, 0.86),
            (-2.14, 0.94, 0.24, 0.93),
            (-1.90, 0.985, 0.19, 0.93),
            (-1.30, 1.00, 0.16, 0.91),
            (-0.40, 0.95, 0.15, 0.80),
            (0.60, 0.94, 0.15, 0.77),
            (1.40, 0.97, 0.16, 0.76),
            (1.85, 0.93, 0.16, 0.62),
            (2.18, 0.84, 0.17, 0.48),
            (2.30, 0.68, 0.19, 0.38),
        ),
        axles=(-1.30, 1.36),
        radius=0.335,
        shoulder=0.14,
        tumble=0.95,
        waist=0.5,
    ),
    GlassHouse(-1.75, 1.08, -0.62, 0.02, 0.76, 1.15, 0.84, 0.54, corner=0.16, pillars=(0.22, 0.90)),
    tail_lamps=(0.66, 0.79),
    head_lamps=(0.30, 0.37),
    doors=(-0.62, 0.78),
    lamp_inner=0.34,
)
SUV = CarSpec(
    Shell(
        stations(
            (-2.40, 0.86, 0.42, 1.06),
            (-2.34, 0.93, 0.36, 1.13),
            (-2.15, 0.965, 0.33, 1.16),
            (-1.20, 0.98, 0.30, 1.15),
            (1.00, 0.98, 0.30, 1.12),
            (1.80, 0.96, 0.31, 1.07),
            (2.20, 0.92, 0.34, 1.02),
            (2.38, 0.85, 0.38, 0.96),
            (2.45, 0.76, 0.44, 0.88),
        ),
        axles=(-1.45, 1.50),
        radius=0.41,
        waist=0.62,
    ),
    GlassHouse(-2.30, 1.28, -2.02, 0.40, 1.10, 1.78, 0.91, 0.74, corner=0.12, pillars=(0.03, 0.27, 0.61, 0.97)),
    tail_lamps=(0.74, 1.04),
    head_lamps=(0.70, 0.86),
    doors=(-1.30, -0.22, 1.02),
    lamp_inner=0.64,
    cladding="cladding",
)
PICKUP = CarSpec(
    Shell(
        stations(
            (-0.62, 0.96, 0.46, 1.15),
            (-0.58, 0.98, 0.42, 1.18),
            (1.00, 0.98, 0.40, 1.16),
            (1.60, 0.98, 0.40, 1.16),
            (2.30, 0.97, 0.42, 1.12),
            (2.62, 0.92, 0.46, 1.06),
            (2.72, 0.85, 0.52, 0.98),
        ),
        axles=(1.75,),
        radius=0.43,
        waist=0.6,
    ),
    GlassHouse(-0.60, 1.46, -0.50, 0.72, 1.13, 1.86, 0.92, 0.76, corner=0.11, pillars=(0.03, 0.42, 0.97)),
    tail_lamps=(0.0, 0.0),
    head_lamps=(0.72, 0.94),
    doors=(-0.50, 0.28, 1.28),
    lamp_inner=0.60,
    cladding="black",
)


def car(spec: CarSpec, extra: Callable[[Build], None] | None = None, roof: str | None = None) -> Build:
    """A passenger car; `extra` adds what is fixed to it, `roof` is a second colour for its roof."""
    b = Build()
    spec.shell.build(b, "car")
    spec.house.build(b, "car", roof)
    wheels(b, spec.shell.half, spec.shell.axles, spec.shell.radius)
    mirrors(b, spec.shell.half, spec.house.front - 0.42, spec.house.belt - 0.02, "car")
    _front(b, spec)
    _flanks(b, spec)
    if spec.tail_lamps[1]:
        _rear(b, spec)
    if extra:
        extra(b)
    return b


def sports_car() -> Build:
    return car(SPORT, _wing)


def suv() -> Build:
    return car(SUV, _roof_rails)


def taxi() -> Build:
    return car(SEDAN, _taxi_signs)


def police_car() -> Build:
    return car(SEDAN, _police_marks, roof="whitep")


def pickup() -> Build:
    return car(PICKUP, _open_bed)


def _front(b: Build, spec: CarSpec) -> None:
    shell, nose, (z0, z1) = spec.shell, spec.shell.nose, spec.head_lamps
    for side in SIDES:
        u0, u1 = sorted((side * spec.lamp_inner, side * 0.99))
        shell.nose_panel(b, u0, u1, z0 - 0.02, z1 + 0.02, "black", 0.010)
        shell.nose_panel(b, u0, u1, z0, z1, "head")
    shell.strip(b, nose.y - 0.22, nose.y - 0.01, z0, z1, "head")
    inner = spec.lamp_inner - 0.06
    shell.nose_panel(b, -inner, inner, z0 - 0.02, z1 - 0.01, "black")
    shell.nose_panel(b, -0.9, 0.9, nose.bottom + 0.01, nose.bottom + 0.14, spec.cladding or "black")
    shell.nose_panel(b, -0.32, 0.32, nose.bottom + 0.09, nose.bottom + 0.21, "plate", 0.025)


def _rear(b: Build, spec: CarSpec) -> None:
    shell, tail, (z0, z1) = spec.shell, spec.shell.tail, spec.tail_lamps
    for side in SIDES:
        u0, u1 = sorted((side * spec.lamp_inner, side * 1.0))
        shell.tail_panel(b, u0, u1, z0, z1, "tail")
        b.cyl((side * 0.55, tail.y + 0.1, 0.30), (side * 0.55, tail.y - 0.03, 0.30), 0.045, mat="steel", n=10)
    shell.strip(b, tail.y + 0.01, tail.y + 0.20, z0, z1, "tail")
    shell.tail_panel(b, -1.0, 1.0, tail.bottom, tail.bottom + 0.13, spec.cladding or "black")
    b.box((0, tail.y - 0.005, tail.bottom + 0.15), (tail.half * 1.9, 0.06, 0.035), "black")  # bumper's shadow gap
    shell.tail_panel(b, -0.34, 0.34, tail.bottom + 0.19, tail.bottom + 0.31, "plate", 0.02)


def _flanks(b: Build, spec: CarSpec) -> None:
    shell, belt = spec.shell, spec.house.belt
    reach = shell.radius * 1.2
    sill0 = (shell.axles[0] + reach) if len(shell.axles) > 1 else shell.tail.y + 0.05
    sill1 = shell.axles[-1] - reach
    bottom = shell.at(0).bottom
    shell.strip(b, sill0, sill1, bottom + 0.02, bottom + (0.2 if spec.cladding else 0.09), spec.cladding or "black")
    for y in spec.doors:
        top = min(belt, shell.at(y).top - shell.shoulder) - 0.01
        shell.strip(b, y - 0.008, y + 0.008, bottom + 0.16, top, "black", 0.006)
    for y in spec.doors[:-1]:
        z = belt - 0.13
        for side in SIDES:
            b.box((side * (shell.x_at(y + 0.14, z) + 0.015), y + 0.14, z), (0.03, 0.17, 0.03), "steel")


def _wing(b: Build) -> None:
    for side in SIDES:
        b.box((side * 0.62, -1.98, 0.88), (0.05, 0.2, 0.26), "black", 0.9)
        b.box((side * 0.94, -2.02, 1.06), (0.03, 0.40, 0.14), "car")
        SPORT.shell.flank(b, [(-0.95, 0.42), (-0.62, 0.36), (-0.70, 0.62), (-0.95, 0.66)], "black", sides=(side,))
    b.box((0, -2.02, 1.13), (1.9, 0.34, 0.045), "car")
    SPORT.shell.tail_panel(b, -0.95, 0.95, 0.34, 0.52, "black", 0.02)


def _roof_rails(b: Build) -> None:
    for side in SIDES:
        x = side * 0.68
        b.cyl((x, -1.75, 1.86), (x, 0.10, 1.86), 0.028, mat="steel", n=6)
        for y in (-1.7, -0.8, 0.05):
            b.box((x, y, 1.74), (0.05, 0.1, 0.11), "black")
        for axle in SUV.shell.axles:  # black lips round the wheel arches
            _arch_lip(b, SUV.shell, axle, side)
    SUV.shell.strip(b, -2.30, -1.95, 0.40, 0.62, "cladding")
    SUV.shell.strip(b, 2.0, 2.36, 0.42, 0.62, "cladding")
    SUV.shell.tail_panel(b, -1, 1, 0.42, 0.62, "cladding", 0.02)
    b.box((0, -2.40, 0.5), (0.9, 0.05, 0.08), "galv")  # skid plate
    b.box((0, -2.04, 1.76), (1.2, 0.28, 0.035), "car")  # lip above the rear window


def _arch_lip(b: Build, shell: Shell, axle: float, side: int, steps: int = 8) -> None:
    inner, outer = shell.radius * 1.15, shell.radius * 1.34
    turns = [pi * i / steps for i in range(steps + 1)]
    for t0, t1 in pairwise(turns):
        corners = [(outer, t0), (outer, t1), (inner, t1), (inner, t0)]
        shell.flank(b, [(axle + r * cos(t), shell.radius + r * sin(t)) for r, t in corners], "cladding", 0.012, (side,))


def _open_bed(b: Build) -> None:
    """The load bed behind the cab: hollow, with walls, wheel arches, a tailgate and a bumper."""
    half, front, back, rim = 0.97, -0.66, -2.74, 1.16
    bed = Shell(
        stations((back, 0.96, 0.50, rim - 0.02), (back + 0.05, 0.975, 0.46, rim), (front, 0.975, 0.44, rim)),
        axles=(-1.78,),
        radius=0.43,
        shoulder=0.03,
        tumble=0.985,
    )
    bed.build(b, "car")
    well = [(-0.82, back + 0.12), (0.82, back + 0.12), (0.82, front - 0.08), (-0.82, front - 0.08)]
    b.face([(x, y, rim + 0.035) for x, y in well], "bedliner")  # seen from above and behind: a dark, open box
    for side in SIDES:
        b.box((side * 0.9, (front + back) / 2, rim), (0.12, front - back, 0.075), "car")  # side rails
        z0, z1 = 0.72, 1.10
        u0, u1 = sorted((side * 0.84, side * 1.0))
        bed.tail_panel(b, u0, u1, z0, z1, "tail")
        bed.strip(b, back + 0.01, back + 0.10, z0, z1, "tail", sides=(side,))
    b.box((0, front - 0.04, rim), (1.9, 0.1, 0.075), "car")
    b.box((0, back + 0.05, rim), (1.72, 0.09, 0.075), "car")
    bed.tail_panel(b, -0.80, 0.80, 0.66, 1.15, "black", 0.004)  # gap round the tailgate
    bed.tail_panel(b, -0.78, 0.78, 0.68, 1.14, "car", 0.016)
    bed.tail_panel(b, -0.14, 0.14, 0.98, 1.05, "black", 0.022)
    b.box((0, back - 0.06, 0.46), (1.84, 0.16, 0.17), "steel")
    b.box((0, back - 0.145, 0.49), (0.34, 0.01, 0.12), "plate")
    wheels(b, half + 0.01, (-1.78,), 0.43, 0.26)


def _light_bar(b: Build, y: float, z: float, half: float = 0.62) -> None:
    """Red and blue, on a black foot; the middle is clear."""
    b.box((0, y, z), (half * 2 + 0.04, 0.30, 0.05), "black")
    for side, lamp in zip(SIDES, ("lb_red", "lb_blue"), strict=True):
        b.box((side * half * 0.58, y, z + 0.05), (half * 0.84, 0.27, 0.12), lamp, 0.92)
    b.box((0, y, z + 0.05), (half * 0.3, 0.26, 0.11), "whitep")


def _police_marks(b: Build) -> None:
    shell, belt = SEDAN.shell, 0.87
    _light_bar(b, -0.35, 1.50)
    shell.strip(b, -0.93, 0.97, 0.33, belt, "whitep", 0.005)
    for y in (-0.14, -0.93, 0.97):
        shell.strip(b, y - 0.008, y + 0.008, 0.33, belt, "black", 0.009)
    shell.text(b, "POLICE", "black", 0.34, 0.02, 0.66)
    b.text("POLICE", "whitep", 0.19, (0, SEDAN.shell.tail.y - 0.03, 0.77))
    for x in (-0.3, 0.3):  # push bar
        b.box((x, 2.44, 0.32), (0.06, 0.09, 0.42), "black")
    b.box((0, 2.45, 0.62), (0.85, 0.06, 0.06), "black")
    b.box((0, 2.45, 0.42), (0.85, 0.06, 0.06), "black")


def _taxi_signs(b: Build) -> None:
    """A lit box on the roof that says TAXI to all four sides, and a chequered band along the doors."""
    y, z, wide, deep, high = -0.42, 1.50, 0.86, 0.34, 0.27
    b.box((0, y, z - 0.02), (wide + 0.06, deep + 0.06, 0.03), "black")
    b.box((0, y, z), (wide, deep, high), "taxi", 0.88)
    middle = z + high / 2
    b.text("TAXI", "black", 0.27, (0, y - deep / 2 - 0.012, middle))
    b.text("TAXI", "black", 0.27, (0, y + deep / 2 + 0.012, middle), (-1, 0, 0))
    for side in SIDES:
        b.text("TAXI", "black", 0.13, (side * (wide / 2 + 0.012), y, middle), (0, side, 0))
    cell, rows = 0.085, (0.70, 0.785)
    for row, z0 in enumerate(rows):
        for k in range(12):
            y0 = -1.05 + (2 * k + row) * cell
            SEDAN.shell.flank(b, [(y0, z0), (y0 + cell, z0), (y0 + cell, z0 + cell), (y0, z0 + cell)], "black", 0.01)
    SEDAN.shell.text(b, "TAXI", "black", 0.26, -0.05, 0.53)


VAN = Shell(
    stations(
        (-2.70, 0.93, 0.42, 2.16),
        (-2.64, 0.98, 0.37, 2.28),
        (-2.40, 1.00, 0.34, 2.34),
        (0.70, 1.00, 0.34, 2.34),
        (0.98, 0.995, 0.34, 2.28),
        (1.10, 0.99, 0.34, 2.18),
        (1.88, 0.97, 0.34, 1.36),
        (2.05, 0.96, 0.34, 1.26),
        (2.48, 0.92, 0.36, 1.10),
        (2.64, 0.86, 0.40, 0.98),
        (2.71, 0.78, 0.46, 0.86),
    ),
    axles=(-1.65, 1.78),
    radius=0.36,
    shoulder=0.13,
    tumble=0.93,
    waist=0.42,
)


def _van_body() -> Build:
    """What a van and an ambulance share: shell, wheels, cab glass, lamps, bumpers, sliding door."""
    b = Build()
    VAN.build(b, "car")
    wheels(b, VAN.half, VAN.axles, VAN.radius)
    mirrors(b, VAN.half, 1.40, 1.38, "black", (0.22, 0.12, 0.30))
    VAN.slope_panel(b, 1.10, 1.88, "glass")
    VAN.strip(b, 0.24, 0.98, 1.36, 2.02, "glass", 0.012)
    VAN.flank(b, [(0.98, 1.36), (1.24, 1.36), (1.24, 1.78), (0.98, 2.02)], "glass", 0.025)
    VAN.flank(b, [(1.24, 1.36), (1.56, 1.36), (1.50, 1.48), (1.24, 1.78)], "glass", 0.025)
    for side in SIDES:
        u0, u1 = sorted((side * 0.56, side * 1.0))
        VAN.nose_panel(b, u0, u1, 0.65, 0.86, "black", 0.010)
        VAN.nose_panel(b, u0, u1, 0.69, 0.84, "head")
        u0, u1 = sorted((side * 0.86, side * 1.0))
        VAN.tail_panel(b, u0, u1, 0.90, 1.40, "tail")
    VAN.strip(b, 2.50, 2.70, 0.68, 0.85, "head")
    VAN.strip(b, -2.69, -2.62, 0.90, 1.40, "tail")
    VAN.nose_panel(b, -0.56, 0.56, 0.65, 0.86, "black", 0.012)
    VAN.nose_panel(b, -0.48, 0.48, 0.75, 0.77, "steel", 0.02)
    VAN.nose_panel(b, -1, 1, 0.46, 0.62, "cladding")
    VAN.strip(b, 2.22, 2.70, 0.42, 0.60, "cladding")
    VAN.nose_panel(b, -0.33, 0.33, 0.50, 0.61, "plate", 0.03)
    b.box((0, -2.71, 0.42), (1.86, 0.14, 0.18), "cladding")
    VAN.strip(b, -1.15, 1.28, 0.40, 0.56, "cladding")
    VAN.tail_panel(b, -0.008, 0.008, 0.62, 2.1, "black", 0.012)  # gap between the rear doors
    VAN.tail_panel(b, 0.06, 0.14, 1.16, 1.20, "black", 0.03)
    VAN.tail_panel(b, -0.33, 0.33, 0.66, 0.78, "plate", 0.02)
    for y in (0.14, 1.30):
        VAN.strip(b, y - 0.01, y + 0.01, 0.60, 2.10 if y < 1 else 1.34, "black", 0.006)
    for y in (0.26, 0.02):
        for side in SIDES:
            b.box((side * (VAN.x_at(y, 1.18) + 0.015), y, 1.16), (0.03, 0.18, 0.045), "black")
    return b


def van() -> Build:
    b = _van_body()
    VAN.strip(b, -1.11, -1.09, 0.80, 2.10, "black", 0.006)
    VAN.strip(b, -2.35, -1.10, 1.24, 1.275, "black", 0.012)  # rail of the sliding door
    VAN.flank(b, [(-1.0, 1.36), (0.04, 1.36), (0.04, 2.02), (-1.0, 2.02)], "glass")
    for u0, u1 in ((-0.84, -0.08), (0.08, 0.84)):
        VAN.tail_panel(b, u0, u1, 1.42, 2.02, "glass")
    VAN.strip(b, -2.35, -1.25, 0.86, 0.90, "cladding", 0.012)  # rubbing strip
    return b


def ambulance() -> Build:
    """White with a red stripe, red crosses on every side, and light bars; a raised roof over the patient's room."""
    b = _van_body()
    raised = Shell(
        stations((-2.60, 0.82, 2.20, 2.58), (-2.50, 0.88, 2.2, 2.64), (0.30, 0.88, 2.2, 2.64), (0.75, 0.78, 2.2, 2.42)),
        axles=(),
        radius=0,
        shoulder=0.1,
    )
    raised.build(b, "car")
    VAN.strip(b, -2.62, 1.95, 1.00, 1.20, "stripe", 0.012)
    VAN.tail_panel(b, -0.84, 0.84, 1.00, 1.20, "stripe", 0.02)
    VAN.strip(b, -1.20, 1.30, 0.66, 0.74, "navy", 0.012)
    VAN.text(b, "AMBULANCE", "stripe", 0.30, -1.15, 1.42)
    _cross_on_flanks(b, -1.75, 1.85, 0.24)
    for u0, u1 in ((-0.62, -0.10), (0.10, 0.62)):
        VAN.tail_panel(b, u0, u1, 1.62, 1.98, "glass")
    b.text("AMBULANCE", "stripe", 0.22, (0, -2.74, 1.40), spacing=1.1)
    _cross(b, (0, -2.67, 2.40), (1, 0, 0), 0.14)
    b.text("AMBULANCE", "stripe", 0.20, (0, 2.30, 1.21), (-1, 0, 0), (0, -0.36, 0.93), spacing=1.1)
    _light_bar(b, 0.62, 2.46, 0.72)
    for side in SIDES:
        b.box((side * 0.62, -2.45, 2.66), (0.34, 0.2, 0.12), "lb_red" if side < 0 else "lb_blue", 0.9)
    return b


def _cross(b: Build, centre: tuple[float, float, float], across: tuple[float, float, float], arm: float) -> None:
    """A red cross in the upright plane through `across`; arm: half its size."""
    (x, y, z), (dx, dy, _) = centre, across
    thick = arm * 0.36
    for w, h in ((arm, thick), (thick, arm)):
        corners = ((-w, -h), (w, -h), (w, h), (-w, h))
        b.face([(x + dx * u, y + dy * u, z + v) for u, v in corners], "stripe")


def _cross_on_flanks(b: Build, y: float, z: float, arm: float) -> None:
    thick = arm * 0.36
    for w, h in ((arm, thick), (thick, arm)):
        VAN.flank(b, [(y - w, z - h), (y + w, z - h), (y + w, z + h), (y - w, z + h)], "stripe", 0.014)


BOX_CAB = Shell(  # cab over the engine
    stations(
        (1.55, 1.02, 0.66, 2.30),
        (1.62, 1.06, 0.62, 2.40),
        (2.75, 1.06, 0.56, 2.42),
        (2.95, 1.05, 0.56, 2.34),
        (3.46, 1.04, 0.56, 1.46),
        (3.58, 1.00, 0.56, 1.30),
        (3.64, 0.92, 0.60, 1.16),
    ),
    axles=(2.45,),
    radius=0.47,
    shoulder=0.12,
    tumble=0.95,
    waist=0.4,
)
DUMP_CAB = Shell(  # long bonnet before an upright cab
    stations(
        (1.00, 1.00, 0.80, 2.40),
        (1.06, 1.03, 0.76, 2.50),
        (1.80, 1.03, 0.74, 2.52),
        (1.95, 1.02, 0.74, 2.44),
        (2.28, 1.00, 0.74, 1.72),
        (2.40, 0.97, 0.74, 1.62),
        (3.40, 0.93, 0.70, 1.48),
        (3.62, 0.88, 0.70, 1.38),
        (3.70, 0.78, 0.74, 1.28),
    ),
    axles=(2.85,),
    radius=0.52,
    shoulder=0.12,
    tumble=0.95,
    waist=0.45,
)


def box_truck() -> Build:
    """White cab, tall plain box in the truck's colour with bright edges and a roll-up door."""
    b = Build()
    BOX_CAB.build(b, "whitep")
    wheels(b, 1.06, BOX_CAB.axles, BOX_CAB.radius, 0.3)
    BOX_CAB.slope_panel(b, 2.95, 3.46, "glass")
    BOX_CAB.flank(b, [(1.85, 1.50), (3.22, 1.50), (2.86, 2.14), (1.85, 2.14)], "glass")
    BOX_CAB.strip(b, 1.72, 1.74, 0.8, 2.2, "black")
    BOX_CAB.nose_panel(b, -0.62, 0.62, 0.86, 1.12, "black")
    BOX_CAB.nose_panel(b, -1.0, 1.0, 0.60, 0.76, "cladding")
    for side in SIDES:
        u0, u1 = sorted((side * 0.68, side * 0.98))
        BOX_CAB.nose_panel(b, u0, u1, 0.82, 1.06, "black", 0.010)
        BOX_CAB.nose_panel(b, u0, u1, 0.86, 1.02, "head")
    mirrors(b, 1.08, 3.2, 1.55, "black", (0.2, 0.1, 0.42))

    half, y0, y1, z0, z1, trim = 1.2, -3.72, 1.45, 0.98, 3.50, 0.07
    b.box((0, (y0 + y1) / 2, z0), (2 * half, y1 - y0, z1 - z0), "car", topmat="whitep")
    for x in (-half, half):
        for y in (y0, y1):
            b.box((x, y, z0 - 0.02), (trim, trim, z1 - z0 + 0.05), "galv")
        for z in (z0 - 0.03, z1 - 0.03):
            b.box((x, (y0 + y1) / 2, z), (trim, y1 - y0, trim), "galv")
        for y in (-3.4, -1.1, 1.2):
            b.box((x * 1.012, y, z0 + 0.05), (0.02, 0.12, 0.05), "amber")
    for y in (y0, y1):
        for z in (z0 - 0.05, z1 - 0.06):
            b.box((0, y, z), (2 * half, trim, 0.12), "galv")
    back = y0 - 0.02
    door = [(-half, back, z0), (half, back, z0), (half, back, z1), (-half, back, z1)]
    b.panel(door, 0.06, 0.94, 0.05, 0.93, "whitep", 0.015)
    for k in range(1, 8):
        v = 0.05 + k * 0.11
        b.panel(door, 0.06, 0.94, v, v + 0.008, "black", 0.02)
    b.panel(door, 0.46, 0.54, 0.08, 0.11, "black", 0.025)
    for x in (-1.0, -0.12, 0.0, 0.12, 1.0):
        b.box((x, back - 0.03, z1 - 0.07), (0.1, 0.03, 0.05), "tail")
    _chassis(b, back=-3.62, front=1.6, axles=(-2.2,), half=1.14, radius=0.47)
    for side in SIDES:  # fuel tank and side guard
        b.box((side * 0.86, 0.2, 0.5), (0.4, 1.0, 0.4), "steel")
    return b


def dump_truck() -> Build:
    """Bonneted cab and a ribbed tub with a load of earth, both in the truck's colour."""
    b = Build()
    DUMP_CAB.build(b, "car")
    wheels(b, 1.06, DUMP_CAB.axles, DUMP_CAB.radius, 0.3)
    DUMP_CAB.slope_panel(b, 1.95, 2.28, "glass", 0.06)
    DUMP_CAB.flank(b, [(1.22, 1.66), (2.14, 1.66), (1.92, 2.28), (1.22, 2.28)], "glass")
    DUMP_CAB.strip(b, 1.10, 1.13, 0.9, 2.25, "black")
    DUMP_CAB.nose_panel(b, -0.66, 0.66, 0.86, 1.26, "steel")
    for k in range(5):
        DUMP_CAB.nose_panel(b, -0.6, 0.6, 0.90 + k * 0.07, 0.93 + k * 0.07, "black", 0.025)
    b.box((0, 3.74, 0.56), (2.0, 0.14, 0.26), "steel")
    for side in SIDES:
        u0, u1 = sorted((side * 0.72, side * 1.06))
        DUMP_CAB.nose_panel(b, u0, u1, 0.92, 1.12, "head")
        b.cyl((side * 0.93, 0.98, 0.9), (side * 0.93, 0.98, 3.05), 0.075, mat="steel", n=10)
    mirrors(b, 1.08, 2.15, 1.72, "black", (0.2, 0.1, 0.45))

    y0, y1, floor, rim = -3.70, 0.80, 1.12, 2.62
    low = [(-0.98, y0 + 0.15, floor), (0.98, y0 + 0.15, floor), (0.98, y1, floor), (-0.98, y1, floor)]
    high = [(-1.2, y0, rim), (1.2, y0, rim), (1.2, y1, rim), (-1.2, y1, rim)]
    b.loft([low, high], "matte", caps=False, smooth=False)
    b.face(low[::-1], "black")
    for side in SIDES:
        b.box((side * 1.2, (y0 + y1) / 2, rim - 0.08), (0.14, y1 - y0 + 0.1, 0.16), "matte")
        for k in range(6):
            y = y0 + 0.2 + k * 0.84
            b.cyl((side * 1.03, y, floor), (side * 1.23, y, rim), 0.075, mat="matte", n=4, smooth=False)
    b.box((0, y0, rim - 0.08), (2.5, 0.12, 0.16), "matte")
    for x in (-0.75, -0.25, 0.25, 0.75):  # ribs of the tailgate
        b.cyl((x, y0 + 0.10, floor), (x, y0 - 0.05, rim), 0.06, mat="matte", n=4, smooth=False)
    b.box((0, y0 + 0.08, floor - 0.02), (2.05, 0.12, 0.14), "matte")
    b.box((0, y1 - 0.02, rim - 0.1), (2.4, 0.12, 0.45), "matte")
    b.box((0, y1 + 0.55, rim + 0.24), (2.2, 1.2, 0.09), "matte")  # shield over the cab
    heap = [(y0 + 0.1, 2.35), (-2.6, 2.85), (-1.5, 3.02), (-0.4, 2.90), (y1 - 0.1, 2.5)]
    b.loft([[(1.14, y, 2.45), (0.5, y, z), (-0.5, y, z), (-1.14, y, 2.45)] for y, z in heap], "earth")
    _chassis(b, back=-3.55, front=2.2, axles=(-2.75, -1.58), half=1.12, radius=0.52)
    return b


def _chassis(b: Build, back: float, front: float, axles: tuple[float, ...], half: float, radius: float) -> None:
    """Frame, rear axles with twin tyres, bumper bar, tail lamps and mud flaps of a lorry."""
    b.box((0, (back + front) / 2, 0.62), (0.9, front - back, 0.34), "black")
    wheels(b, half, axles, radius, 0.5)
    b.box((0, back, 0.50), (2.2, 0.1, 0.14), "black")
    for side in SIDES:
        b.box((side * 0.85, back - 0.02, 0.70), (0.42, 0.1, 0.17), "tail")
        b.box((side * 0.86, back + 0.22, 0.14), (0.52, 0.03, 0.5), "black")
        b.box((side * 0.5, back + 0.05, 0.5), (0.08, 0.08, 0.5), "black")
    b.box((0, back - 0.03, 0.70), (0.36, 0.06, 0.15), "plate")


BUS = Shell(
    stations(
        (-5.66, 1.16, 0.42, 2.92),
        (-5.60, 1.23, 0.36, 3.02),
        (-5.40, 1.27, 0.32, 3.08),
        (5.20, 1.27, 0.32, 3.08),
        (5.55, 1.24, 0.34, 3.04),
        (5.64, 1.20, 0.38, 2.98),
        (5.68, 1.12, 0.44, 2.90),
    ),
    axles=(-3.1, 3.05),
    radius=0.49,
    shoulder=0.16,
    tumble=0.965,
    waist=0.4,
)


def bus() -> Build:
    """City bus: a band of windows, doors on the kerb side, destination signs at front, side and rear."""
    b = Build()
    BUS.build(b, "car")
    wheels(b, BUS.half, BUS.axles, BUS.radius, 0.3)
    mirrors(b, 1.22, 5.62, 2.0, "black", (0.24, 0.12, 0.5))
    sill, head = 1.32, 2.42
    right, left = (1,), (-1,)
    doors = ((4.05, 5.25), (-0.65, 0.65))
    BUS.strip(b, -5.30, 5.45, sill - 0.04, head + 0.04, "black", 0.006)
    panes = [-5.2 + 1.32 * k for k in range(9)]
    for y0, y1 in pairwise(panes):
        kerb_side_door = any(y0 < d1 and y1 > d0 for d0, d1 in doors)
        BUS.strip(b, y0 + 0.035, y1 - 0.035, sill, head, "glass", 0.014, left if kerb_side_door else SIDES)
    for y0, y1 in doors:
        BUS.strip(b, y0, y1, 0.42, head + 0.06, "black", 0.018, right)
        middle = (y0 + y1) / 2
        for a, c in ((y0 + 0.07, middle - 0.04), (middle + 0.04, y1 - 0.07)):
            BUS.strip(b, a, c, 0.52, head, "paneclear", 0.026, right)
    for a, c in ((-5.62, -3.72), (-2.48, 2.42), (3.68, 3.98)):
        BUS.strip(b, a, c, 0.86, 1.02, "whitep", 0.010)
    BUS.strip(b, 3.98, 5.60, 0.86, 1.02, "whitep", 0.010, left)
    BUS.tail_panel(b, -0.84, 0.84, 1.70, 2.44, "glass")
    BUS.tail_panel(b, -0.62, 0.62, 0.72, 1.28, "black")
    for k in range(5):
        BUS.tail_panel(b, -0.56, 0.56, 0.78 + 0.1 * k, 0.81 + 0.1 * k, "pole", 0.02)
    BUS.tail_panel(b, -0.22, 0.22, 0.50, 0.64, "plate")
    BUS.tail_panel(b, -0.45, 0.45, 2.54, 2.84, "black")
    b.text("72", "led", 0.3, (0, -5.70, 2.69))
    BUS.nose_panel(b, -0.97, 0.97, 1.08, 2.44, "glass")
    BUS.nose_panel(b, -0.010, 0.010, 1.08, 2.44, "black", 0.02)
    BUS.nose_panel(b, -0.84, 0.84, 2.48, 2.84, "black")
    b.text("72 DOWNTOWN", "led", 0.25, (0, 5.71, 2.65), (-1, 0, 0))
    BUS.strip(b, 1.6, 3.2, head + 0.07, 2.76, "black", 0.012, right)
    b.text("72 DOWNTOWN", "led", 0.18, (BUS.x_at(2.4, 2.6) + 0.03, 2.4, 2.62), (0, 1, 0))
    BUS.nose_panel(b, -1.0, 1.0, 0.46, 0.56, "black")
    BUS.nose_panel(b, -0.24, 0.24, 0.48, 0.60, "plate", 0.025)
    for side in SIDES:
        u0, u1 = sorted((side * 0.66, side * 0.97))
        BUS.nose_panel(b, u0, u1, 0.66, 0.88, "head")
        u0, u1 = sorted((side * 0.74, side * 0.99))
        BUS.tail_panel(b, u0, u1, 0.70, 1.20, "tail")
        BUS.tail_panel(b, u0, u1, 2.66, 2.80, "tail")
    b.box((0, -3.2, 3.06), (1.8, 2.6, 0.24), "whitep", 0.94)  # air conditioning
    b.box((0, 1.6, 3.06), (1.2, 1.6, 0.14), "whitep", 0.94)
    return b
