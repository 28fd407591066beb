"""What a seed means: a scene as plain JSON types. Knows no Blender.

Most of a scene is drawn freely, but what a test must hold enough of is dealt like cards: a deck holds each light,
setting, vehicle in its colour … as often as it is wanted, and one is dealt to each seed of a split in turn. So every
thing comes up at a known rate, and, as each deck is shuffled by itself, no kind of thing tells the light or the place.

    python -c "from streets.sample import sample; print(sample(7))"
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

WIDTH, HEIGHT = 480, 270  # pixels

FIRST_SMALL_SEED = 10_000
"""Seeds from here on are small pictures to train on: none is test."""

COLOURS = {  # linear RGB
    "white": (0.80, 0.80, 0.78),
    "black": (0.012, 0.012, 0.014),
    "silver": (0.42, 0.43, 0.45),
    "gray": (0.14, 0.145, 0.15),
    "red": (0.50, 0.012, 0.012),
    "blue": (0.02, 0.07, 0.32),
    "green": (0.02, 0.16, 0.06),
    "yellow": (0.80, 0.48, 0.01),
    "orange": (0.75, 0.18, 0.01),
}


class Size(NamedTuple):
    """Of a vehicle, in metres."""

    half_width: float
    half_length: float
    height: float


VEHICLES = {
    "car": Size(0.95, 2.4, 1.45),
    "sports car": Size(0.98, 2.3, 1.25),
    "suv": Size(0.98, 2.5, 1.8),
    "pickup truck": Size(0.98, 2.8, 1.85),
    "truck": Size(1.2, 3.8, 3.5),
    "dump truck": Size(1.2, 3.8, 2.9),
    "bus": Size(1.28, 5.7, 3.1),
    "van": Size(0.98, 2.8, 2.3),
    "motorcycle": Size(0.4, 1.1, 1.6),
    "taxi": Size(0.95, 2.4, 1.6),
    "police car": Size(0.95, 2.4, 1.6),
    "ambulance": Size(0.98, 2.8, 2.4),
    "bicycle": Size(0.35, 0.9, 1.7),
}
TWO_WHEELERS = ("motorcycle", "bicycle")
NEVER_PARKED = ("motorcycle", "bicycle", "bus", "dump truck")  # a rider sits on the first two

SETTINGS: dict[str, dict[str, Any]] = {  # lanes a direction, pavement width (m), largest curve (rad/m) and rise (m)
    "downtown": {"lanes": (2, 3), "walk": 4.5, "curve": 0.0, "hill": 2},
    "residential": {"lanes": (1, 2), "walk": 3.0, "curve": 0.004, "hill": 7},
    "highway": {"lanes": (3, 4), "walk": 0, "curve": 0.002, "hill": 4},
    "desert": {"lanes": (1, 1), "walk": 0, "curve": 0.003, "hill": 5},
    "beach": {"lanes": (2, 2), "walk": 4.0, "curve": 0.0, "hill": 0},
    "hillside": {"lanes": (1, 1), "walk": 0, "curve": 0.007, "hill": 9},
}
SUN_ELEVATION = {  # degrees above the horizon; at night it is the moon's
    "noon": (50, 66),
    "afternoon": (20, 34),
    "sunset": (4, 10),
    "overcast": (40, 60),
    "night": (35, 60),
}

# ---- the decks: card -> how often it is in the deck -------------------------------------------------------------

CONDITIONS = {  # weather and light, of 100 scenes
    ("clear", "noon"): 17,
    ("clear", "afternoon"): 19,
    ("clear", "sunset"): 13,
    ("clear", "night"): 11,
    ("overcast", "overcast"): 12,
    ("overcast", "night"): 2,
    ("fog", "overcast"): 8,
    ("fog", "night"): 3,
    ("fog", "sunset"): 1,
    ("rain", "overcast"): 9,
    ("rain", "night"): 4,
    ("rain", "sunset"): 1,
}
STAGES = {  # setting and what the crossing is governed by, of 80 scenes
    ("downtown", "none"): 4,
    ("downtown", "stop"): 2,
    ("downtown", "red"): 4,
    ("downtown", "amber"): 3,
    ("downtown", "green"): 3,
    ("residential", "none"): 4,
    ("residential", "stop"): 6,
    ("residential", "red"): 2,
    ("residential", "amber"): 2,
    ("residential", "green"): 2,
    ("beach", "none"): 5,
    ("beach", "stop"): 2,
    ("beach", "red"): 3,
    ("beach", "amber"): 2,
    ("beach", "green"): 2,
    ("highway", "none"): 12,
    ("desert", "none"): 10,
    ("hillside", "none"): 12,
}
PAINTS = {  # vehicle and colour
    ("car", "red"): 3,
    ("car", "blue"): 3,
    ("car", "white"): 3,
    ("car", "black"): 3,
    ("car", "silver"): 2,
    ("car", "green"): 2,
    ("sports car", "red"): 3,
    ("sports car", "yellow"): 2,
    ("sports car", "orange"): 2,
    ("suv", "black"): 3,
    ("suv", "white"): 2,
    ("suv", "red"): 2,
    ("pickup truck", "red"): 3,
    ("pickup truck", "white"): 2,
    ("pickup truck", "blue"): 2,
    ("truck", "white"): 2,
    ("truck", "blue"): 2,
    ("truck", "yellow"): 2,
    ("dump truck", "orange"): 2,
    ("dump truck", "yellow"): 2,
    ("bus", "blue"): 2,
    ("bus", "red"): 2,
    ("bus", "white"): 2,
    ("bus", "green"): 2,
    ("van", "white"): 2,
    ("van", "black"): 2,
    ("van", "blue"): 2,
    ("motorcycle", "red"): 2,
    ("motorcycle", "black"): 2,
    ("taxi", "yellow"): 4,
    ("police car", "black"): 4,
    ("ambulance", "white"): 4,
    ("bicycle", "red"): 3,
    ("bicycle", "blue"): 2,
}
RARE_PAINTS = {  # come up only among what is not featured
    ("car", "gray"): 3,
    ("car", "silver"): 3,
    ("sports car", "blue"): 3,
    ("suv", "blue"): 3,
    ("suv", "silver"): 3,
    ("pickup truck", "black"): 3,
    ("truck", "orange"): 3,
    ("dump truck", "green"): 3,
    ("motorcycle", "blue"): 3,
    ("motorcycle", "green"): 3,
    ("bicycle", "black"): 3,
    ("van", "gray"): 3,
}
VEHICLE_COUNTS = {0: 5, 1: 7, 2: 12, 3: 8, 4: 4, 5: 2, 6: 2}
FEATURED = 3
"""So many vehicles of a scene are dealt, and placed where they are seen well."""
PEOPLE_COUNTS = {0: 7, 1: 7, 2: 3, 3: 2, 4: 1}  # where there is a pavement
ACTS = {"walking": 4, "standing": 3, "crossing": 5}
SHIRTS = {"red": 3, "blue": 2, "white": 2, "yellow": 2, "green": 2, "black": 1, "orange": 1}
EXTRAS = {"": 20, "dog": 6, "fire hydrant": 4, "bus stop": 4, "helicopter": 4, "plane": 4}
BOATS = {True: 1, False: 1}  # where there is a sea


def is_test(seed: int) -> bool:
    """Two of five consecutive seeds are test: a scene never changes sides when others are added."""
    return seed < FIRST_SMALL_SEED and seed % 5 < 2


def sample(seed: int) -> dict[str, Any]:
    """The description of a scene: everything that building it needs, as plain JSON types. Lengths in metres."""
    rng = random.Random(f"streets-{seed}")
    weather, light = deal(CONDITIONS, seed, "conditions")
    setting, governed = deal(STAGES, seed, "stages")
    place = SETTINGS[setting]
    extras = _extras(seed, setting, weather, light)
    people = _people(rng, seed, setting, governed)
    if "dog" in extras and not people and rng.random() < 0.7:
        people = [{"act": "walking", "colour": rng.choice(list(COLOURS)), "featured": True}]  # its master
    vehicles = _vehicles(rng, seed, setting, governed == "red")
    lanes = rng.randint(*place["lanes"])
    to_see_at_the_kerb = bool(people) or any(extra in ("dog", "fire hydrant", "bus stop") for extra in extras)
    to_see_on_the_left = any(vehicle["featured"] and vehicle["role"] == "oncoming" for vehicle in vehicles)
    signal = governed in ("red", "amber", "green")
    return {
        "seed": seed,
        "setting": setting,
        "weather": weather,
        "light": light,
        "control": "light" if signal else governed,
        "signal": governed if signal else "green",
        "lanes": lanes,
        "curve": rng.uniform(-1, 1) * place["curve"],
        "hill": rng.uniform(-0.3, 1) * place["hill"],
        "azimuth": rng.uniform(-1, 1),
        "elevation": rng.uniform(*SUN_ELEVATION[light]),
        "cross": rng.uniform(17, 21) if governed == "red" else rng.uniform(14, 20),  # room for who waits
        "crosswalk": signal or rng.random() < 0.3,
        "arrows": lanes > 1 and rng.random() < 0.5,
        "lane": lanes - 1 if to_see_at_the_kerb else 0 if to_see_on_the_left else rng.randrange(lanes),
        "cam": _camera(rng, extras, to_see_at_the_kerb),
        "lens": rng.uniform(24, 30),  # mm, for a picture of 36 mm
        "vehicles": vehicles,
        "people": people,
        "extras": extras,
    }


def deal(deck: Mapping[T, int], seed: int, name: str) -> T:
    """The card that falls to a seed: the deck is shuffled anew for each round through the seeds of the split."""
    split, turn = _turn(seed)
    cards = [card for card, times in deck.items() for _ in range(times)]
    round_, place = divmod(turn, len(cards))
    random.Random(f"streets-{split}-{name}-{round_}").shuffle(cards)
    return cards[place]


def _turn(seed: int) -> tuple[str, int]:
    """The split of a seed and its place among the seeds of that split."""
    if seed >= FIRST_SMALL_SEED:
        return "small", seed - FIRST_SMALL_SEED
    five, rest = divmod(seed, 5)
    return ("test", five * 2 + rest) if is_test(seed) else ("train", five * 3 + rest - 2)


def _draw(rng: random.Random, weights: Mapping[T, float]) -> T:
    cards: Sequence[T] = list(weights)
    return rng.choices(cards, list(weights.values()))[0]


def _extras(seed: int, setting: str, weather: str, light: str) -> list[str]:
    """What else is shown, where it can be: no hydrant without a pavement, nothing in a sky that hides it."""
    extra, walk = deal(EXTRAS, seed, "extras"), SETTINGS[setting]["walk"]
    possible = {
        "": False,
        "dog": setting != "highway",
        "fire hydrant": walk,
        "bus stop": walk,
        "helicopter": weather != "fog" and light != "night",
        "plane": weather != "fog" and light != "night",
    }
    boat = setting == "beach" and weather != "fog" and light != "night" and deal(BOATS, seed, "boats")
    return [extra] * bool(possible[extra]) + ["boat"] * boat


def _camera(rng: random.Random, extras: Sequence[str], to_see_at_the_kerb: bool) -> list[float]:
    """Metres right of the lane's middle, metres up, degrees to the left, degrees up."""
    left, up = max(-4.0, min(4.0, rng.gauss(0, 2))), rng.uniform(-4.5, -1)
    if "boat" in extras:
        left = rng.uniform(4, 9)
    elif to_see_at_the_kerb:
        left = rng.uniform(-5, 0)
    if "helicopter" in extras or "plane" in extras:
        up = rng.uniform(-2, 1)
    return [max(-0.5, min(0.5, rng.gauss(0, 0.3))), rng.uniform(1.45, 2.5), left, up]


def _vehicles(rng: random.Random, seed: int, setting: str, red: bool) -> list[dict[str, Any]]:
    """The first ones are featured; before a red light a queue forms."""
    count = deal(VEHICLE_COUNTS, seed, "vehicles")
    if red and 0 < count < 4:
        count += rng.randrange(3)
    out = []
    for i in range(count):
        featured = i < FEATURED
        kind, colour = deal(PAINTS, seed, f"paint {i}") if featured else _draw(rng, PAINTS | RARE_PAINTS)
        if setting == "highway" and kind == "bicycle":
            kind = "motorcycle"
        parked = 3.0 if SETTINGS[setting]["walk"] else 0.6 if setting == "desert" else 0.0
        roles = {
            "away": 9 if red else 5,
            "oncoming": 1.8 if setting == "highway" else 3.2,  # there the barrier hides some
            "parked": 0 if kind in NEVER_PARKED else parked,
        }
        out.append({"kind": kind, "colour": colour, "role": _draw(rng, roles), "featured": featured})
    return out


def _people(rng: random.Random, seed: int, setting: str, governed: str) -> list[dict[str, Any]]:
    """The first is featured. Nobody walks along a highway, or crosses before cars that have a green light."""
    count = deal(PEOPLE_COUNTS, seed, "people")
    if not SETTINGS[setting]["walk"]:
        count = int(setting != "highway" and count > 1)
    out = []
    for i in range(count):
        act = deal(ACTS, seed, "acts") if i == 0 else _draw(rng, ACTS)
        if act == "crossing" and governed in ("amber", "green"):
            act = "walking"
        colour = deal(SHIRTS, seed, "shirts") if i == 0 else rng.choice(list(COLOURS))
        out.append({"act": act, "colour": colour, "featured": i == 0})
    return out
