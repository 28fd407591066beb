"""A drive of sixteen seconds: who is where at which moment. Knows no Blender (film.py shows it).

Cars follow one another by the Intelligent Driver Model (Treiber, Hennecke, Helbing, "Congested traffic states in
empirical observations and microscopic simulations", Phys. Rev. E 62, 2000): nobody drives into anybody, the camera
included. People and the cars of the crossing road move at a steady speed.

    python -m streets drive --out build/streets/drive
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from streets import farm
from streets.sample import VEHICLES, sample

SEED = 23
FPS = 12
SECONDS = 16
FRAMES = FPS * SECONDS
STEPS = 8  # of the simulation, a frame

LANE = 3.5  # m
SIGNAL = ((0.0, "green"), (2.5, "amber"), (4.2, "red"), (11.2, "green"))  # from when (s) it shows what
STOP_LINE = 5.4  # m before the crossing road: the zebra and the line lie between
CAMERA_BEHIND_BUMPER = 2.0  # m

# The Intelligent Driver Model
ACCELERATION, BRAKING = 2.2, 2.4  # m/s2, what is comfortable
HEADWAY, DISTANCE = 1.1, 2.2  # s and m to the car before
HARDEST_BRAKING = 4.5  # m/s2: whoever would have to brake harder drives on at amber


@dataclass(frozen=True, slots=True)
class Car:
    """A car on the road. `u` is metres right of the road's middle (oncoming traffic has u < 0), `s` metres along it."""

    kind: str
    colour: str
    u: float
    s: float
    speed: float = 0.0  # m/s; the one it starts with and likes best; 0 is parked
    acceleration: float = 0.0  # m/s2

    @property
    def way(self) -> int:
        """1 along the road, -1 against it."""
        return 1 if self.u > 0 else -1

    @property
    def half(self) -> float:
        """Half its length (m)."""
        return VEHICLES[self.kind].half_length


@dataclass(frozen=True, slots=True)
class Crosser:
    """What crosses our road at a steady speed: a car on the crossing road, or somebody on the zebra."""

    kind: str
    colour: str
    way: int  # 1 from left to right, -1 from right to left
    since: float  # s
    speed: float  # m/s

    def u(self, t: float, start: float) -> float:
        """Metres right of the road's middle at t, having waited at `start` metres to one side until `since`."""
        return self.way * (self.speed * max(0.0, t - self.since) - start)


@dataclass(frozen=True, slots=True)
class Walker:
    colour: str
    side: int  # 1 the pavement on the right, -1 on the left
    s: float  # m
    speed: float  # m/s, negative towards the camera


@dataclass(frozen=True, slots=True)
class Moment:
    """Where everything is: `cars[0]` carries the camera."""

    t: float  # s
    signal: str
    cars: tuple[Car, ...]


def scene(seed: int = SEED) -> dict[str, Any]:
    """The description of the street (sample.py), without its traffic. The seed says how the street is built."""
    return sample(seed) | {
        "setting": "downtown",
        "weather": "clear",
        "light": "afternoon",
        "control": "light",
        "signal": SIGNAL[0][1],
        "lanes": 1,
        "lane": 0,
        "curve": 0.0,
        "hill": 2.0,
        "azimuth": 1.14,  # low behind the camera, a little to the right
        "elevation": 33.0,
        "cross": 62.0,
        "crosswalk": True,
        "arrows": False,
        "cam": [-0.3, 1.6, 0.0, -1.0],
        "lens": 24.0,
        "vehicles": [],
        "people": [],
        "extras": [],
    }


def cars() -> tuple[Car, ...]:
    """The camera's car first, then the cars that drive, then those parked at the kerb."""
    lane, kerb = 0.5 * LANE, LANE + 1.15
    driving = (
        Car("car", "silver", lane, -CAMERA_BEHIND_BUMPER, 10.5),
        Car("taxi", "yellow", lane, 31, 9.5),
        Car("bus", "blue", -lane, 58, 8.5),
        Car("sports car", "red", -lane, 34, 10),
        Car("police car", "black", -lane, 118, 10),
        Car("motorcycle", "green", -lane, 129, 10),
        Car("pickup truck", "blue", -lane, 141, 10),
        Car("car", "white", -lane, 156, 10),
    )
    right = (("car", "blue", 15), ("van", "white", 24), ("suv", "red", 41), ("car", "gray", 86), ("car", "green", 99))
    left = (("pickup truck", "red", 12), ("car", "black", 29), ("taxi", "yellow", 45), ("suv", "white", 90))
    parked = [Car(kind, colour, kerb, s) for kind, colour, s in right]
    return driving + tuple(parked) + tuple(Car(kind, colour, -kerb, s) for kind, colour, s in left)


CROSSING_CARS = (
    Crosser("car", "orange", 1, 4.0, 10),
    Crosser("truck", "white", -1, 4.4, 9),
    Crosser("taxi", "yellow", 1, 5.6, 10),
)
PEDESTRIANS = (  # on the zebra before the camera: off the road again before it is green
    Crosser("person", "red", -1, 4.4, 1.9),
    Crosser("person", "blue", 1, 4.6, 1.9),
)
WALKERS = (
    Walker("white", 1, 20, 1.3),
    Walker("yellow", 1, 47, -1.2),
    Walker("green", -1, 36, 1.4),
    Walker("red", -1, 52, -1.3),
    Walker("black", 1, 92, -1.3),
)


def film(seed: int, percent: int, samples: int) -> farm.Shooting:
    """What renders the frames."""
    from streets.film import Film  # Blender: only in the children of the farm

    return Film(seed, percent, samples)


def moments(crossing: tuple[float, float], count: int = FRAMES) -> list[Moment]:
    """The drive, frame by frame. `crossing`: where the crossing road begins and ends, metres along ours."""
    now = cars()
    wishes = [car.speed for car in now]
    out = []
    for frame in range(count):
        out.append(Moment(frame / FPS, signal(frame / FPS), now))
        for step in range(STEPS):
            red = signal(frame / FPS + step / FPS / STEPS) != "green"
            now = _after(1 / FPS / STEPS, now, wishes, crossing if red else None)
    return out


def signal(t: float) -> str:
    return [state for since, state in SIGNAL if since <= t][-1]


def _after(
    dt: float, now: Sequence[Car], wishes: Sequence[float], closed: tuple[float, float] | None
) -> tuple[Car, ...]:
    """The cars `dt` seconds later; `closed` is the crossing, while nobody may enter it."""
    out = []
    for car, wish in zip(now, wishes, strict=True):
        if not wish:
            out.append(car)
            continue
        gap, approach = _ahead(car, now, closed)
        a = _acceleration(car.speed, wish, gap, approach)
        speed = max(0.0, car.speed + a * dt)
        out.append(replace(car, s=car.s + car.way * (car.speed + speed) / 2 * dt, speed=speed, acceleration=a))
    return tuple(out)


def _ahead(car: Car, now: Sequence[Car], closed: tuple[float, float] | None) -> tuple[float, float]:
    """Metres free before a car, and how fast (m/s) it approaches what is there: a car in its lane, or the stop line."""
    front = car.way * car.s + car.half
    before = [other for other in now if abs(other.u - car.u) < LANE / 2 and other.way * (other.s - car.s) > 0]
    found = [(other.way * other.s - other.half - front, car.speed - other.speed) for other in before]
    if closed:
        line = closed[0] - STOP_LINE if car.way > 0 else -closed[1] - STOP_LINE
        if line > front and car.speed**2 / 2 / (line - front) < HARDEST_BRAKING:
            found.append((line - front + DISTANCE / 2, car.speed))
    return min(found, default=(math.inf, 0.0))


def _acceleration(speed: float, wish: float, gap: float, approach: float) -> float:
    wanted = DISTANCE + max(0.0, speed * HEADWAY + speed * approach / 2 / math.sqrt(ACCELERATION * BRAKING))
    return ACCELERATION * (1 - (speed / wish) ** 4 - (wanted / max(gap, 0.1)) ** 2)
