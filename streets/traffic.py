"""Vehicles, people and the rarer things, put where they are seen and do not run into one another.

Knows what stands in the way of what from the plan of the scene alone: the look of the camera comes later (seeing.py).
Needs no Blender: it only calls `scene.add`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streets.sample import COLOURS, HEIGHT, TWO_WHEELERS, VEHICLES, WIDTH

PI = math.pi
LANE = 3.5  # m
NEAREST = 4.5  # m from the camera: nearer things are cut off by the picture's edge
STOP_LINE = 4.6  # m before a crossing road that has a zebra
TRIES = 60
SENSOR = 36  # mm
PAVEMENT = 0.14  # m above the road
TREE = 5.0  # m, up to which a trunk hides what is behind it


@dataclass(frozen=True)
class Thing:
    """A box on the ground, its long side along the road, for asking what hides what. Metres."""

    x: float
    y: float
    half_width: float
    half_length: float
    top: float  # hides what is behind up to this height
    middle: float  # is seen when this height is
    may_hide: float = 1.0  # share of it that what comes later may hide
    room: float = 0.5  # kept free around it


@dataclass(frozen=True)
class Camera:
    """Where the camera looks, seen from above. Angles are tangents to the right of its axis."""

    x: float
    z: float
    yaw: float  # rad to the left
    edge: float  # tangent of the picture's right edge

    @classmethod
    def of(cls, sc: Mapping[str, Any]) -> Camera:
        """The camera as render.py sets it up."""
        right, up, left, _ = sc["cam"]
        return cls(1.75 + LANE * sc["lane"] + right, up, math.radians(left), SENSOR / 2 / sc["lens"])

    def span(self, thing: Thing) -> tuple[float, float]:
        """The left and right end of a thing; infinite for what is beside or behind the camera."""
        ends = []
        for x in (thing.x - thing.half_width, thing.x + thing.half_width):
            for y in (thing.y - thing.half_length, thing.y + thing.half_length):
                ahead = y * math.cos(self.yaw) - (x - self.x) * math.sin(self.yaw)
                right = (x - self.x) * math.cos(self.yaw) + y * math.sin(self.yaw)
                ends.append(right / ahead if ahead > 0.5 else math.copysign(math.inf, right))
        return min(ends), max(ends)

    def share(self, thing: Thing) -> float:
        """How much of a thing's width is within the picture."""
        left, right = self.span(thing)
        if math.isinf(left) or math.isinf(right):
            return 0.0
        return max(0.0, min(right, self.edge) - max(left, -self.edge)) / (right - left)

    def rise(self, thing: Thing, height: float) -> float:
        """The tangent above the horizon up to which a thing of that height reaches."""
        end = -thing.half_length if height > self.z else thing.half_length
        return (height - self.z) / max(1.0, math.hypot(thing.x - self.x, thing.y + end))

    def hides(self, near: Thing, far: Thing) -> float:
        """The share of `far`'s width behind `near`; 0 when far's middle shows above it."""
        if near.y - near.half_length > far.y or self.rise(near, near.top) < self.rise(far, far.middle):
            return 0.0
        (a, b), (c, d) = self.span(near), self.span(far)
        return max(0.0, min(b, d) - max(a, c)) / (d - c) if d - c < math.inf else 0.0


class Plan:
    """What stands in the scene so far, and whether one thing more would hide it or be hidden."""

    def __init__(self, scene: Any) -> None:
        self.scene, self.sc = scene, scene.sc
        # its own numbers: what the places draw from the scene's does not move the traffic
        self.rng = random.Random(f"traffic-{scene.sc['seed']}")
        self.camera = Camera.of(scene.sc)
        self.things = list(_standing(scene))

    @property
    def red(self) -> bool:
        return bool(self.sc["control"] == "light" and self.sc["signal"] == "red" and self.scene.gap)

    def worth(self, new: Thing) -> float:
        """How well a thing would be seen there, 0 to 1; below 0 when it would be in the way."""
        if any(_collide(new, old) for old in self.things):
            return -1.0
        if any(self.camera.hides(new, old) > old.may_hide for old in self.things):
            return -1.0
        hidden = sum(self.camera.hides(old, new) for old in self.things)
        return self.camera.share(new) * max(0.0, 1 - hidden)

    def best(self, spots: Iterator[tuple[Thing, Any]], good: float, enough: float) -> tuple[Thing, Any] | None:
        """The first good spot of TRIES, or else the best that is good enough; it is taken."""
        found, most = None, enough
        for _ in range(TRIES):
            thing, how = next(spots)
            worth = self.worth(thing)
            if worth >= most:
                found, most = (thing, how), worth
            if worth >= good:
                break
        if found:
            self.things.append(found[0])
        return found


def traffic(scene: Any) -> None:
    """Puts the vehicles, people and extras of a scene in their places; leaves out what finds none."""
    plan, sc = Plan(scene), scene.sc
    dog = None
    for extra in sc["extras"]:
        if extra == "dog":
            dog = _dog(plan)
        elif extra == "boat":
            _boat(plan)
        elif extra in ("helicopter", "plane"):
            _aircraft(plan, extra)
        else:
            _furniture(plan, extra)
    for person in sc["people"]:
        if person["featured"]:
            _person(plan, person, dog)
    for vehicle in sc["vehicles"]:
        _vehicle(plan, vehicle)
    for person in sc["people"]:
        if not person["featured"]:
            _person(plan, person, None)


# ---- vehicles ---------------------------------------------------------------------------------------------------


def _vehicle(plan: Plan, vehicle: Mapping[str, Any]) -> None:
    featured, kind = vehicle["featured"], vehicle["kind"]
    good, enough = (0.85, 0.35) if featured else (0.6, 0.25)
    spot = None
    for role in dict.fromkeys((vehicle["role"], "away", "oncoming")):  # no room at the kerb: there is some in the lanes
        spot = spot or plan.best(_vehicle_spots(plan, {**vehicle, "role": role}), good, enough)
    if spot is None:
        return
    u, s, heading, action = spot[1]
    plan.scene.add(
        kind,
        u,
        s,
        0,
        heading + plan.rng.gauss(0, 0.015),
        colour=COLOURS[vehicle["colour"]],
        tag=kind,
        vehicle=True,
        colour_name=vehicle["colour"],
        action=action,
        facing="away" if heading == 0 else "towards",
    )


def _vehicle_spots(plan: Plan, vehicle: Mapping[str, Any]) -> Iterator[tuple[Thing, tuple[float, float, float, str]]]:
    """Endless spots for a vehicle, each with (u, s, heading, action)."""
    rng, size, featured = plan.rng, VEHICLES[vehicle["kind"]], vehicle["featured"]
    find = {"away": _away, "oncoming": _oncoming, "parked": _parked}[vehicle["role"]]
    while True:
        u, s, heading, action = find(plan, vehicle["kind"], featured)
        u += rng.gauss(0, 0.12)
        x, y, _ = plan.scene.road.P(u, s)
        may_hide, room = (0.3 if featured else 0.6), (1.5 if action != "parked" else 0.8)
        thing = Thing(x, y, size.half_width, size.half_length, size.height, 0.5 * size.height, may_hide, room)
        yield thing, (u, s, heading, action)


def _near_end(plan: Plan, u: float, kind: str, featured: bool) -> float:
    """Metres ahead at which a vehicle begins: near enough to be seen well, far enough to be in the picture."""
    rng = plan.rng
    if not featured:
        return rng.choice((rng.uniform(8, 20), rng.uniform(15, 50)))
    size = VEHICLES[kind]
    first = max(5.5 + 1.2 * size.height, abs(u - plan.camera.x) * 1.5 - size.half_length)
    return first + rng.uniform(0, 4 if kind in TWO_WHEELERS else 7)


def _away(plan: Plan, kind: str, featured: bool) -> tuple[float, float, float, str]:
    """In a lane before us; before a red light in its queue, or already beyond the crossing."""
    rng, half = plan.rng, VEHICLES[kind].half_length
    lanes, ours = plan.sc["lanes"], plan.sc["lane"]
    lane = rng.choice([lane for lane in range(lanes) if abs(lane - ours) < 2 or not featured])
    u = lanes * LANE - 0.6 if kind == "bicycle" else 1.75 + LANE * lane
    s = _near_end(plan, u, kind, featured) + half
    if not plan.red:
        return u, s, 0.0, "driving"
    line, beyond = plan.scene.gap[0] - STOP_LINE, plan.scene.gap[1]
    if featured or rng.random() < 0.7:
        waiting = line - rng.uniform(0.4, 1.6) - half
        while waiting - half > NEAREST + 6 and rng.random() < 0.3:
            waiting -= 6  # somebody stands before it, or could
        if waiting - half > NEAREST - 1:
            return u, waiting, 0.0, "stopped"
    return u, beyond + rng.uniform(3, 30) + half, 0.0, "driving"


def _oncoming(plan: Plan, kind: str, featured: bool) -> tuple[float, float, float, str]:
    """On the left, mostly in the lane next to the middle; nobody crosses at red."""
    rng, half = plan.rng, VEHICLES[kind].half_length
    lanes = plan.sc["lanes"]
    lane = 0 if featured and rng.random() < 0.6 else min(rng.randrange(lanes), rng.randrange(lanes))
    u = -(lanes * LANE - 0.6) if kind == "bicycle" else -(1.75 + LANE * lane)
    s = _near_end(plan, u, kind, featured) + half
    if plan.red and not plan.scene.clear(s, half + 1):
        waits = plan.scene.gap[1] + STOP_LINE + 0.6 + half + rng.uniform(0, 1)
        return u, waits, PI, "stopped"
    return u, s, PI, "driving"


def _parked(plan: Plan, kind: str, featured: bool) -> tuple[float, float, float, str]:
    """At the kerb, facing with the traffic of its side; on the verge of a desert road."""
    rng, half, scene = plan.rng, VEHICLES[kind].half_length, plan.scene
    if not scene.walk:
        u = scene.hw + 1.4
        return u, _near_end(plan, u, kind, featured) + half, 0.0, "parked"
    too_far = featured and plan.camera.x + scene.hw > 12  # to the left kerb
    side = 1 if rng.random() < 0.65 or too_far else -1
    u = side * (scene.hw - 1.25)
    s = _near_end(plan, u, kind, featured) + half
    if not scene.clear(s, half + 2):
        s = scene.gap[0] - half - rng.uniform(2, 4)
    return u, s, 0.0 if side > 0 else PI, "parked"


# ---- people and the dog -----------------------------------------------------------------------------------------


def _person(plan: Plan, person: Mapping[str, Any], dog: Thing | None) -> None:
    rng, act = plan.rng, person["act"]
    good, enough = (0.9, 0.4) if person["featured"] else (0.6, 0.3)
    spots = _beside(plan, act, dog) if dog and act != "crossing" else _person_spots(plan, person)
    spot = plan.best(spots, good, enough)
    if spot is None:
        return
    u, s, heading = spot[1]
    plan.scene.add(
        "person0" if act == "standing" else rng.choice(("person1", "person2")),
        u,
        s,
        0 if act == "crossing" else _verge(plan, u),
        heading,
        rng.uniform(0.94, 1.06),
        COLOURS[person["colour"]],
        tag="person",
        action=act,
        colour_name=person["colour"],
    )


def _somebody(plan: Plan, u: float, s: float, room: float = 0.4) -> Thing:
    x, y, _ = plan.scene.road.P(u, s)
    return Thing(x, y, 0.3, 0.3, 1.7, 1.0, 0.3, room)


def _person_spots(plan: Plan, person: Mapping[str, Any]) -> Iterator[tuple[Thing, tuple[float, float, float]]]:
    """Endless spots for a person, each with (u, s, heading)."""
    rng, scene, act, featured = plan.rng, plan.scene, person["act"], person["featured"]
    while True:
        if act == "crossing":
            s = scene.gap[0] - 2.1 + rng.uniform(-0.8, 0.8) if scene.gap else rng.uniform(8, 12 if featured else 22)
            u = rng.uniform(-0.7, 1) * (scene.hw - 0.8)
            yield _somebody(plan, u, s, 3.0), (u, s, rng.choice((-1, 1)) * PI / 2 + rng.gauss(0, 0.1))
            continue
        side = 1 if featured or rng.random() < 0.6 or not scene.walk else -1
        u = side * (scene.hw + rng.uniform(0.5, max(1.0, scene.walk - 0.8)))
        s = rng.uniform(6, 11) if featured else rng.uniform(8, 26)
        if not scene.clear(s, 1):
            s = scene.gap[0] - 1.5 - rng.uniform(0, 5)
        yield _somebody(plan, u, s), (u, s, _turned(rng, act))


def _turned(rng: random.Random, act: str) -> float:
    return rng.choice((0, PI)) + rng.gauss(0, 0.2) if act == "walking" else rng.uniform(0, 2 * PI)


def _beside(plan: Plan, act: str, dog: Thing) -> Iterator[tuple[Thing, tuple[float, float, float]]]:
    """Next to the dog, on the side away from the road, or behind it."""
    while True:
        u, s = dog.x + plan.rng.uniform(0.5, 1.2), dog.y + plan.rng.uniform(0.2, 1.6)
        yield _somebody(plan, u, s, 0.05), (u, s, _turned(plan.rng, act))


def _dog(plan: Plan) -> Thing | None:
    """On the pavement or verge, near and seen from the side."""
    rng, scene = plan.rng, plan.scene

    def spots() -> Iterator[tuple[Thing, tuple[float, float, float]]]:
        farthest = 7.0
        while True:
            farthest = min(farthest + 0.2, 12.0)  # as near as the picture's edge lets it
            u, s = scene.hw + rng.uniform(0.4, 1.2), rng.uniform(5, farthest)
            heading = rng.choice((-1, 1)) * PI / 2 + rng.gauss(0, 0.35)
            yield Thing(u, s, 0.65, 0.3, 0.9, 0.5, 0.2, 0.3), (u, s, heading)

    spot = plan.best(spots(), 0.97, 0.5)
    if spot is None:
        return None
    u, s, heading = spot[1]
    scene.add("dog", u, s, _verge(plan, u), heading, 1.2, tag="dog")
    return spot[0]


def _verge(plan: Plan, u: float) -> float:
    """Height of the ground beside the road."""
    if plan.scene.walk:
        return PAVEMENT
    return 0.32 * (u - plan.scene.hw) if plan.sc["setting"] == "hillside" else -0.02


# ---- extras -----------------------------------------------------------------------------------------------------


def _furniture(plan: Plan, tag: str) -> None:
    """A hydrant or a bus stop, unless the place has brought one already."""
    rng, scene = plan.rng, plan.scene
    if any(entry["tag"] == tag for entry in scene.tags):
        return
    off = {"fire hydrant": 0.6, "bus stop": 1.6}[tag]

    def spots() -> Iterator[tuple[Thing, tuple[float, float]]]:
        while True:
            s = rng.uniform(6, 12) if tag == "fire hydrant" else rng.uniform(9, 16)
            if scene.gap:
                s = min(s, scene.gap[0] - 5)
            yield _stood(tag, scene.hw + off, s, scene.hw), (scene.hw + off, s)

    spot = plan.best(spots(), 0.95, 0.4)
    if spot:
        scene.add(tag, *spot[1], PAVEMENT, scale=1.15 if tag == "fire hydrant" else 1.0, tag=tag)


def _aircraft(plan: Plan, kind: str) -> None:
    """In the upper part of the picture, over the road where houses hide the rest of the sky."""
    rng, scene, camera = plan.rng, plan.scene, plan.camera
    away = rng.uniform(42, 70) if kind == "helicopter" else rng.uniform(105, 165)
    top = math.tan(math.radians(plan.sc["cam"][3]) + math.atan(camera.edge * HEIGHT / WIDTH))
    crowns = [Thing(tree.x, tree.y, 2.2, 2.2, 9.0, 0) for tree in plan.things if tree.top == TREE]
    for _ in range(TRIES):
        x = camera.x + away * (rng.uniform(-0.45, 0.45) * camera.edge - math.tan(camera.yaw))
        if scene.walk:
            x = max(-scene.hw, min(scene.hw, x))
        z = camera.z + away * top * rng.uniform(0.5, 0.78)
        itself = Thing(x, away, 5 if kind == "helicopter" else 14, 1, 0, z)
        if not any(camera.hides(crown, itself) > 0.2 for crown in crowns):
            break
    paint = "white" if kind == "plane" else rng.choice(("white", "red", "black", "blue"))
    flying = scene.add(
        kind,
        world=(x, away, z),
        rot=rng.choice((-1, 1)) * PI / 2 + rng.gauss(0, 0.5),  # mostly from the side
        colour=COLOURS[paint],
        tag=kind,
    )
    # nose down forwards, or climbing; a little bank
    flying.rotation_euler[0] = -0.1 if kind == "helicopter" else 0.1
    flying.rotation_euler[1] = rng.gauss(0, 0.08)


def _boat(plan: Plan) -> None:
    """On the sea to the left, between the palms."""
    rng, camera = plan.rng, plan.camera
    shore, scale = -30.0, 1.5  # m; a boat of 13 m

    def spots() -> Iterator[tuple[Thing, tuple[float, float, float]]]:
        while True:
            y = rng.uniform(38, 70)
            x = camera.x + y * math.tan(-camera.yaw - math.atan(camera.edge) * rng.uniform(0.55, 0.92))
            if x < shore:
                yield Thing(x, y, 4, 4, 0, 5, 0.3), (x, y, rng.choice((-1, 1)) * PI / 2 + rng.gauss(0, 0.7))
            else:
                yield Thing(shore, y + 20, 4, 4, 0, 5, 0.3), (shore, y + 20, rng.choice((-1, 1)) * PI / 2)

    spot = plan.best(spots(), 0.95, 0.0)
    if spot:
        x, y, heading = spot[1]
        plan.scene.add("boat", world=(x, y, -1.1), rot=heading, scale=scale, tag="boat")


# ---- what hides what --------------------------------------------------------------------------------------------


def _collide(a: Thing, b: Thing) -> bool:
    apart = max(a.room, b.room)
    # across the road vehicles pass one another closely
    across = a.half_width + b.half_width + min(apart, 0.4)
    return abs(a.x - b.x) < across and abs(a.y - b.y) < a.half_length + b.half_length + apart


def _standing(scene: Any) -> Iterator[Thing]:
    """What the place has put there, as far as it hides things or must not be hidden."""
    for entry in scene.tags:
        x, y, _ = entry["ob"].location
        if 0 < y < 70:
            thing = _stood(entry["tag"], x, y, scene.hw)
            if thing:
                yield thing


def _stood(tag: str, x: float, y: float, half_road: float) -> Thing | None:
    """A tree, a lamp, a sign … as a thing; None for what is no matter here."""
    if tag in ("tree", "palm", "street lamp", "utility pole"):
        return Thing(x, y, 0.2, 0.2, TREE, 2.0, 1.0, 0.3)
    if tag == "stop sign":
        return Thing(x, y, 0.45, 0.1, 2.75, 2.3, 0.15, 0.3)
    if tag == "traffic light":  # its arm reaches over the lanes
        return Thing(x - 3.7, y, 4.0, 0.1, 0.0, 5.4, 0.4, 0.0)
    if tag == "highway sign":
        return Thing(x + half_road / 2, y, half_road * 0.45, 0.1, 0.0, 6.8, 0.4, 0.0)
    if tag == "fire hydrant":
        return Thing(x, y, 0.25, 0.25, 0.7, 0.45, 0.25, 0.3)
    if tag == "bus stop":
        return Thing(x, y, 0.9, 2.3, 2.5, 1.6, 0.4, 0.4)
    return None
