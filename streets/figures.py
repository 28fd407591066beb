"""People and a dog. They face +y and stand on z = 0; metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mathutils import Vector

from streets.mesh import Build

THIGH, SHIN, UPPER_ARM, FOREARM = 0.44, 0.43, 0.29, 0.26
ANKLE = 0.08  # height of the ankle over the sole
TORSO = (  # share of the way from hip to shoulder, half-width, half-depth
    (-0.16, 0.150, 0.105),
    (-0.03, 0.172, 0.118),
    (0.32, 0.150, 0.102),
    (0.70, 0.184, 0.122),
    (0.90, 0.196, 0.104),
    (1.00, 0.150, 0.085),
    (1.07, 0.066, 0.060),
)
SIDES = (-1, 1)
UP, FORWARD, BACK = Vector((0, 0, 1)), Vector((0, 1, 0)), Vector((0, -1, 0))


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the joints are: hip and shoulder as (y, z); hands and feet as (x, y, z), left then right."""

    hip: tuple[float, float]
    shoulder: tuple[float, float]
    hands: tuple[tuple[float, float, float], ...]
    feet: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wears; the top has the colour of the object, skin, hair and trousers vary by place."""

    legs: str = "trousers"  # or shorts, skirt
    hair: str = "short"  # or long, cap, helmet
    sleeves: str = "short"  # or long
    backpack: bool = False
    top: str = "cloth"
    headgear: str = "black"


STANDING = Pose(
    (0.0, 0.93), (0.0, 1.45), ((-0.27, 0.03, 0.86), (0.27, 0.03, 0.86)), ((-0.12, 0, ANKLE), (0.12, 0.03, ANKLE))
)
WAITING = replace(STANDING, hands=((-0.24, 0.16, 0.98), (0.14, 0.27, 1.22)))  # one hand up, as with a telephone
LOOKS = (  # one model each: every third stands, the other two walk
    Look(),
    Look(sleeves="long"),
    Look(legs="skirt", hair="long"),
    Look(legs="skirt", hair="long"),
    Look(hair="cap", backpack=True),
    Look(hair="long", sleeves="long"),
    Look(legs="shorts", hair="cap"),
    Look(legs="shorts"),
    Look(legs="trousers", hair="long"),
)


def person(index: int) -> Build:
    """Model `index`: a standing figure if it is divisible by three, else a walking one."""
    b = Build()
    kind = index % 3
    pose = (STANDING, WAITING)[index // 3 % 2] if kind == 0 else walking(0.34 if kind == 1 else 0.28, lead=kind == 1)
    figure(b, pose, LOOKS[index % len(LOOKS)])
    return b


def walking(reach: float, lead: bool) -> Pose:
    """Mid-step: feet `reach` before and behind the hip, arms swinging against them; `lead`: right foot first."""
    way = 1 if lead else -1
    feet = [(s * 0.085, s * way * reach - 0.03, ANKLE + (0.09 if s * way < 0 else 0.01)) for s in SIDES]
    hands = [(s * 0.27, -s * way * reach * 0.85 + 0.02, 0.92 + 0.10 * (s * way < 0)) for s in SIDES]
    return Pose((0.0, 0.90), (0.05, 1.42), tuple(hands), tuple(feet))


def figure(b: Build, pose: Pose, look: Look) -> None:
    """A clothed body in the given pose."""
    hip, shoulder = Vector((0, *pose.hip)), Vector((0, *pose.shoulder))
    for side, hand, foot in zip(SIDES, pose.hands, pose.feet, strict=True):
        _leg(b, hip + Vector((side * 0.09, 0, 0)), Vector(foot), look)
        _arm(b, shoulder + Vector((side * 0.182, 0, -0.06)), Vector(hand), look)
    _torso(b, hip, shoulder, look)
    _head(b, shoulder, look)
    if look.legs == "skirt":
        _skirt(b, hip, pose)
    if look.backpack:
        spine = hip.lerp(shoulder, 0.35) + BACK * 0.21
        b.box(spine, (0.30, 0.17, 0.40), "navy", 0.86)


def limb(b: Build, joints: Sequence[Vector], radii: Sequence[float], mat: str, n: int = 8) -> None:
    """A tube through joints with the given radius at each."""
    rings = []
    for i, (centre, radius) in enumerate(zip(joints, radii, strict=True)):
        way = (joints[min(i + 1, len(joints) - 1)] - joints[max(i - 1, 0)]).normalized()
        across = way.cross(FORWARD if abs(way.y) < 0.9 else UP).normalized()
        other = way.cross(across)
        turns = [2 * math.pi * k / n for k in range(n)]
        rings.append([centre + (across * math.cos(t) + other * math.sin(t)) * radius for t in turns])
    b.loft(rings, mat)


def bend(root: Vector, tip: Vector, first: float, second: float, towards: Vector) -> tuple[Vector, Vector]:
    """Middle joint of a limb of two bones from root to tip, bent `towards`; and the tip, drawn in if out of reach."""
    line = tip - root
    length = min(line.length, (first + second) * 0.995)
    line = line.normalized()
    along = (first**2 - second**2 + length**2) / (2 * length)
    off = math.sqrt(max(first**2 - along**2, 0.0))
    side = (towards - line * towards.dot(line)).normalized()
    return root + line * along + side * off, root + line * length


def _leg(b: Build, hip: Vector, foot: Vector, look: Look) -> None:
    knee, ankle = bend(hip, foot, THIGH, SHIN, FORWARD)
    calf = knee.lerp(ankle, 0.35) + BACK * 0.015
    thigh, thigh_radii = [hip + UP * 0.03, hip.lerp(knee, 0.5)], [0.098, 0.084]
    if look.legs == "trousers":
        limb(b, [*thigh, knee, calf, ankle], [*thigh_radii, 0.067, 0.070, 0.054], "jeans")
    else:
        limb(b, [hip.lerp(knee, 0.6), knee, calf, ankle], [0.072, 0.060, 0.058, 0.040], "skin")
    if look.legs == "shorts":
        limb(b, [*thigh, hip.lerp(knee, 0.85)], [*thigh_radii, 0.088], "jeans")
    b.box((ankle.x, ankle.y + 0.05, ankle.z - ANKLE), (0.095, 0.27, 0.085), "shoe", 0.86)


def _arm(b: Build, shoulder: Vector, hand: Vector, look: Look) -> None:
    side = 1 if shoulder.x > 0 else -1
    elbow, wrist = bend(shoulder, hand, UPPER_ARM, FOREARM, BACK + Vector((side * 0.5, 0, -0.6)))
    b.ball(shoulder, 0.070, look.top, 8)
    limb(b, [shoulder, shoulder.lerp(elbow, 0.55), elbow], [0.066, 0.055, 0.048], look.top, 7)
    limb(b, [elbow, wrist], [0.042, 0.030], look.top if look.sleeves == "long" else "skin", 7)
    b.ball(wrist + (wrist - elbow).normalized() * 0.05, 0.048, "skin", 8)


def _torso(b: Build, hip: Vector, shoulder: Vector, look: Look) -> None:
    lean = (shoulder - hip).normalized()
    front = Vector((1, 0, 0)).cross(lean) * -1
    rings = []
    for share, wide, deep in TORSO:
        centre = hip.lerp(shoulder, share)
        turns = [2 * math.pi * i / 12 for i in range(12)]
        rings.append([centre + Vector((wide * math.cos(t), 0, 0)) + front * (deep * math.sin(t)) for t in turns])
    b.loft(rings[:2], "jeans")
    b.loft(rings[1:], look.top)


def _skirt(b: Build, hip: Vector, pose: Pose) -> None:
    middle = sum(f[1] for f in pose.feet) / 2
    spread = abs(pose.feet[0][1] - pose.feet[1][1]) / 2
    rings = []
    for drop, wide, deep, follow in (
        (-0.10, 0.156, 0.108, 0),
        (0.06, 0.195, 0.145, 0),
        (0.46, 0.225, 0.17 + spread * 0.45, 0.4),
    ):
        y, z = hip.y + (middle - hip.y) * follow, hip.z - drop
        rings.append(
            [(wide * math.cos(t), y + deep * math.sin(t), z) for t in (2 * math.pi * i / 12 for i in range(12))]
        )
    b.loft(rings, "jeans")


def _head(b: Build, shoulder: Vector, look: Look) -> None:
    neck = shoulder + Vector((0, 0.01, 0.04))
    skull = shoulder + Vector((0, 0.03, 0.20))
    b.cyl(neck, skull, 0.052, mat="skin", caps=False)
    if look.hair == "helmet":
        b.ball(skull + Vector((0, 0, 0.02)), 0.155, look.headgear, 12, (0.9, 1.02, 1.0))
        b.ball(skull + Vector((0, 0.055, 0.0)), 0.12, "glass", 10, (0.95, 1.0, 0.55))
        return
    b.ball(skull, 0.115, "skin", 12, (0.80, 0.95, 1.14))
    b.ball(skull + Vector((0, 0.105, -0.015)), 0.017, "skin", 8)
    if look.hair == "cap":
        b.ball(skull + Vector((0, -0.008, 0.045)), 0.122, "navy", 12, (0.86, 0.98, 0.86))
        b.box(skull + Vector((0, 0.13, 0.045)), (0.16, 0.13, 0.02), "navy")
        return
    b.ball(skull + Vector((0, -0.028, 0.035)), 0.124, "hair", 12, (0.85, 0.93, 1.0))
    if look.hair == "long":
        b.ball(skull + Vector((0, -0.065, -0.10)), 0.13, "hair", 10, (0.92, 0.5, 1.35))


def dog() -> Build:
    """A golden-brown dog that stands, head up, tail raised."""
    b = Build()
    trunk = (
        (-0.42, 0.50, 0.05, 0.06),
        (-0.36, 0.50, 0.105, 0.12),
        (-0.18, 0.49, 0.105, 0.115),
        (0.02, 0.48, 0.12, 0.14),
        (0.22, 0.48, 0.135, 0.17),
        (0.32, 0.52, 0.11, 0.14),
        (0.36, 0.58, 0.07, 0.09),
    )
    b.loft([[(w * math.cos(t), y, z + h * math.sin(t)) for t in _turns(10)] for y, z, w, h in trunk], "fur")
    limb(b, [Vector(p) for p in ((0, 0.26, 0.54), (0, 0.38, 0.68), (0, 0.45, 0.79))], [0.125, 0.092, 0.085], "fur")
    b.ball((0, 0.48, 0.80), 0.11, "fur", 12, (0.9, 1.05, 0.95))
    limb(
        b, [Vector(p) for p in ((0, 0.52, 0.785), (0, 0.64, 0.765), (0, 0.70, 0.76))], [0.072, 0.052, 0.040], "furlight"
    )
    b.ball((0, 0.715, 0.775), 0.026, "black", 8)
    b.ball((0, 0.30, 0.46), 0.12, "furlight", 10, (0.8, 0.7, 1.1))  # chest
    for side in SIDES:
        b.ball((side * 0.055, 0.565, 0.83), 0.017, "black", 6)
        ear = [
            (side * 0.06, 0.46, 0.89),
            (side * 0.125, 0.50, 0.84),
            (side * 0.135, 0.49, 0.71),
            (side * 0.10, 0.44, 0.75),
        ]
        b.face(ear, "furdark")
        b.face([(x + side * 0.012, y - 0.02, z) for x, y, z in ear], "furdark")
        x = side * 0.085
        limb(
            b, [Vector(p) for p in ((x, 0.24, 0.46), (x, 0.22, 0.26), (x, 0.24, 0.05))], [0.075, 0.045, 0.033], "fur", 7
        )
        hind = [(x, -0.32, 0.48), (x, -0.27, 0.30), (x, -0.39, 0.20), (x, -0.36, 0.05)]
        limb(b, [Vector(p) for p in hind], [0.105, 0.065, 0.036, 0.032], "fur", 7)
        for y in (0.27, -0.33):
            b.ball((x, y, 0.03), 0.045, "furlight", 8, (0.9, 1.3, 0.7))
    tail = ((0, -0.40, 0.54), (0, -0.54, 0.62), (0, -0.62, 0.76), (0, -0.60, 0.88))
    limb(b, [Vector(p) for p in tail], [0.036, 0.045, 0.040, 0.012], "fur", 7)
    return b


def _turns(n: int) -> list[float]:
    return [2 * math.pi * i / n for i in range(n)]
