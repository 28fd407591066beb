"""Sentences about a picture, in the manner of machine captions, made only of what truth.py calls clear.

    captions(record)  three to five different sentences; the rare things first, then what is largest, then the whole

The same record gives the same sentences. Knows no Blender.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streets import truth

Entity = Mapping[str, Any]

PLACES = {
    "downtown": ("a city street", "a street in the city", "a downtown street"),
    "residential": ("a residential street", "a neighborhood street", "a suburban street"),
    "highway": ("a highway", "a freeway", "a multi-lane highway"),
    "desert": ("a desert road", "a road in the desert", "a two-lane road through the desert"),
    "beach": ("a street by the beach", "a road along the ocean", "a beachfront street", "a coastal road"),
    "hillside": ("a hillside road", "a road in the hills", "a mountain road"),
}
QUIET = "a quiet street"  # of residential ones, where hardly anything moves
INLAND = ("a street", "a wide street")  # for a beach whose sea cannot be seen
PAVED = {"downtown", "residential", "beach"}  # where there is a sidewalk

SUNNY = "on a sunny day"  # where the sun shows
WHEN = {  # weather and light -> phrases; "" stands for any other weather
    ("", "noon"): (SUNNY, "in the middle of the day", "in daylight"),
    ("", "afternoon"): (SUNNY, "in the afternoon", "in daylight"),
    ("", "sunset"): ("at sunset", "in the evening", "at dusk"),
    ("", "night"): ("at night", "after dark", "in the dark"),
    ("", "overcast"): ("on a cloudy day", "under a gray sky", "on an overcast day"),
    ("fog", ""): ("in the fog", "on a foggy day"),
    ("rain", ""): ("in the rain", "on a rainy day", "on a wet day"),
    ("rain", "night"): ("on a rainy night", "at night in the rain"),
}
DAY = ("during the day", "in daylight")  # for a low sun that does not show

NOUNS = {"suv": "SUV", "plane": "airplane", "boat": "sailboat", "umbrella": "beach umbrella"}
PLURAL_NOUNS = {"person": "people", "bus": "buses"}
NUMBERS = {2: "two", 3: "three", 4: "four"}
RIDDEN = {"motorcycle", "bicycle"}
AT_RED = "stopped at a red light on"
RARE = ("dog", "boat", "helicopter", "plane")
LANDMARKS = (
    "stop sign", "traffic light", "fire hydrant", "bus stop", "highway sign", "crosswalk", "billboard", "bench",
    "umbrella", "lifeguard hut",
)  # fmt: skip
SCENERY = {  # area -> as a part of a sentence
    "ocean": "the ocean on the left",
    "mountains": "mountains in the background",
    "tall buildings": "tall buildings",
    "palm trees": "palm trees",
    "cacti": "cacti",
    "trees": "trees",
    "houses": "houses",
    "hedges": "hedges",
    "guardrail": "a guardrail",
    "concrete barrier": "a concrete barrier",
    "rocks": "rocks",
    "buildings": "buildings",
}
PLURAL_SCENERY = ("palm trees", "trees", "houses", "hedges", "tall buildings", "buildings", "cacti")


@dataclass(frozen=True, slots=True)
class Seen:
    """What may be said of one picture."""

    rng: random.Random
    scene: Mapping[str, Any]
    entities: Sequence[Entity]
    true: frozenset[str]
    sunset: bool
    sun: bool
    quiet: bool
    """At most one vehicle and one person, also of those that one may miss."""
    lifeless: bool
    """Nothing alive and nothing that drives is even doubtful."""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Seen:
        true, _ = truth.attributes(record)
        entities, unsure = truth.entities(record), truth.doubtful(record)
        kinds = [entity["kind"] for entity in (*entities, *unsure)]
        riders = sum(kind in RIDDEN for kind in kinds)
        vehicles = sum(bool(entity.get("vehicle")) for entity in (*entities, *unsure))
        return cls(
            rng=random.Random(f"caption-{record['seed']}"),
            scene=record["scene"],
            entities=entities,
            true=frozenset(true),
            sunset=truth.sunset_shows(record),
            sun=truth.sun_shows(record),
            quiet=vehicles <= 1 and kinds.count("person") + riders <= 1,
            lifeless=vehicles == 0 and not {"person", "dog"} & set(kinds),
        )

    def tagged(self, *tags: str) -> list[Entity]:
        return [entity for entity in self.entities if entity["tag"] in tags]

    @property
    def vehicles(self) -> list[Entity]:
        return [entity for entity in self.entities if entity.get("vehicle")]

    def place(self) -> str:
        setting = self.scene["setting"]
        names = PLACES[setting]
        if setting == "beach" and "ocean" not in self.true:
            names = INLAND
        elif setting == "residential" and self.quiet:
            names = (*names, QUIET)
        name = self.rng.choice(names)
        if self.scene["weather"] == "rain" and self.glows:  # no rain is seen, but its puddles are
            return f"a wet {name.removeprefix('a ')}" if self.rng.random() < 0.5 else name
        return name

    @property
    def glows(self) -> bool:
        """Whether the sky of a sunset shows."""
        return self.scene["light"] == "sunset" and self.sunset

    def when(self) -> str:
        weather, light = self.scene["weather"], self.scene["light"]
        foggy = weather == "fog" and light != "night"  # in the dark fog looks like distance
        if foggy or (weather == "rain" and not self.glows):
            return self.rng.choice(WHEN[weather, "night" if light == "night" else ""])
        phrases = DAY if light == "sunset" and not self.sunset else WHEN["", light]
        phrase = self.rng.choice(phrases)
        return self.rng.choice(DAY) if phrase == SUNNY and not self.sun else phrase

    def features(self, most: int, besides: Sequence[Entity] = (), said_before: str = "") -> str:
        """` with a stop sign and palm trees`: at most so many things, none of which is `besides`; may be empty.

        `said_before` is the sentence so far: at a red light there is a traffic light.
        """
        said = {entity["tag"] for entity in besides} | ({"traffic light"} if "red light" in said_before else set())
        things = [self.landmark(entity) for entity in _firsts(self.tagged(*LANDMARKS)) if entity["tag"] not in said]
        scenery = [phrase for area, phrase in SCENERY.items() if area in self.true]
        if "tall buildings" in self.true and "buildings" in scenery:
            scenery.remove("buildings")
        self.rng.shuffle(scenery)
        if both := [phrase for phrase in scenery if phrase in ("trees", "palm trees")][1:]:
            scenery.remove(both[0])  # one of them
        chosen = (things[: self.rng.choice((1, most))] + scenery)[:most]
        return " with " + " and ".join(chosen) if chosen else ""

    def landmark(self, entity: Entity) -> str:
        """A gantry over the lanes carries several signs, a post beside them one; their green is said where it shows."""
        if entity["tag"] != "highway sign":
            return described(entity)
        noun = "green highway sign" if entity.get("colour") == "green" else "highway sign"
        return f"{noun}s" if _is_gantry(entity) else article(noun)


def captions(record: Mapping[str, Any], k: int = 5) -> list[str]:
    """Up to k different sentences, at least one; different in form, most telling first."""
    seen = Seen.of(record)
    forms: list[Callable[[Seen], Iterator[str]]] = [
        _rare, _main_vehicle, _people, _landmarks, _numbers, _other_vehicles, _empty, _view, _direction, _scenery,
    ]  # fmt: skip
    pools = [list(dict.fromkeys(form(seen))) for form in forms]
    chosen: list[str] = []
    while len(chosen) < k and any(pools):  # one of each form, then the second of each
        for pool in pools:
            if pool and len(chosen) < k:
                sentence = pool.pop(0)
                if sentence not in chosen:
                    chosen.append(sentence)
    return _varied([_without_echo(sentence) for sentence in chosen])


def described(entity: Entity, *, colour: bool = True) -> str:
    """`a red car`, `an SUV`, `a person on a blue bicycle`, `a person in white` (shirt or dress)."""
    noun = noun_of(entity)
    paint = entity.get("colour") if colour else None
    if entity["tag"] == "person":
        return f"a person in {paint}" if paint else "a person"
    thing = article(f"{paint} {noun}" if paint else noun)
    return f"a person on {thing}" if entity["tag"] in RIDDEN else thing


def noun_of(entity: Entity) -> str:
    return NOUNS.get(entity["tag"], entity["tag"])


def plural(noun: str) -> str:
    return PLURAL_NOUNS.get(noun, f"{noun}s")


def article(words: str) -> str:
    """`a` or `an` before the words, by sound: an SUV, an orange bus, a utility pole."""
    vowel = words[0] in "aeio" or words.startswith(("SUV", "umbrella"))
    return f"{'an' if vowel else 'a'} {words}"


def _varied(sentences: list[str]) -> list[str]:
    """The sentences, of which not all start with an article."""
    if all(sentence.startswith(("a ", "an ")) for sentence in sentences):
        return [f"there is {sentences[0]}", *sentences[1:]]
    return sentences


def _without_echo(sentence: str) -> str:
    return sentence.replace("a road along the ocean", "a coastal road") if sentence.count("ocean") > 1 else sentence


def _is_gantry(sign: Entity) -> bool:
    return sign["box"][2] - sign["box"][0] > 0.2


def _firsts(entities: Sequence[Entity]) -> list[Entity]:
    """The first of each tag, by the order of LANDMARKS."""
    first = {entity["tag"]: entity for entity in reversed(entities)}
    return [first[tag] for tag in LANDMARKS if tag in first]


def _doing(entity: Entity, seen: Seen) -> str:
    """What a vehicle does to a place: `driving down`."""
    action = entity.get("action")
    if action == "parked":
        return seen.rng.choice(("parked on the side of", "parked along"))
    if action == "stopped":
        return AT_RED if "red traffic light" in seen.true else "on"
    if action is None:
        return "on"
    if entity["tag"] in RIDDEN:
        return seen.rng.choice(("riding down", "riding on"))
    return seen.rng.choice(("driving down", "driving on", "driving down", "traveling on"))


def _where(entity: Entity) -> str:
    """` on the left`, when that is plain."""
    middle = (entity["box"][0] + entity["box"][2]) / 2
    return " on the left" if middle < 0.3 else " on the right" if middle > 0.7 else ""


def _rare(seen: Seen) -> Iterator[str]:
    places = {
        "helicopter": ("flying over", "in the sky above"),
        "plane": ("flying over", "in the sky above"),
        "boat": ("on the water next to",),
        "dog": ("by the side of", "next to"),
    }
    for entity in seen.tagged(*RARE):
        where = seen.rng.choice(places[entity["tag"]])
        name = article(noun_of(entity))
        yield f"there is {name} {where} {seen.place()}"
        yield f"{name} {where} {seen.place()} {seen.when()}"


def _main_vehicle(seen: Seen) -> Iterator[str]:
    for entity in seen.vehicles[:1]:
        full, doing = described(entity), _doing(entity, seen)
        if seen.rng.random() < 0.5:
            yield f"there is {full} {doing} {seen.place()}{seen.features(1, said_before=doing)}"
            yield f"{full} {_doing(entity, seen)} {seen.place()} {seen.when()}"
        else:
            yield f"{full} {doing} {seen.place()} {seen.when()}"
            bare, doing = described(entity, colour=False), _doing(entity, seen)
            yield f"there is {bare} {doing} {seen.place()}{seen.features(2, said_before=doing)}"


def _other_vehicles(seen: Seen) -> Iterator[str]:
    if len(seen.vehicles) < 2:
        return
    two = pair(*seen.vehicles[:2])
    if two is None:
        return
    yield f"{two} on {seen.place()}{seen.rng.choice(('', seen.features(1), ' ' + seen.when()))}"
    for entity in seen.vehicles[1:3]:
        yield f"{described(entity)} {_doing(entity, seen)} {seen.place()} {seen.when()}"


def pair(first: Entity, second: Entity) -> str | None:
    """`a red car and a bus`, `a red car and another car`; None when they are described alike.

    What is said with fewer words, comes second and is another of what the first is.
    """
    if described(first) == described(second):
        return None
    if _is_one_of(first, second):
        first, second = second, first
    rest = described(second)
    if _is_one_of(second, first):
        rest = f"another {noun_of(second)}"
    return f"{described(first)} and {rest}"


def _is_one_of(general: Entity, special: Entity) -> bool:
    """Whether the words for `general` would do for `special`, too: a car for a red car, a vehicle for a bus."""
    if "colour" in general or general["tag"] in RIDDEN or special["tag"] in RIDDEN:
        return False
    kinds = {"car": truth.ANY_CAR, "truck": truth.GROUPS["any truck"], "vehicle": truth.GROUPS["vehicle"]}
    return special["tag"] in kinds.get(general["tag"], ()) or general["tag"] in (special["tag"], "vehicle")


def _direction(seen: Seen) -> Iterator[str]:
    for entity in seen.vehicles:
        if entity.get("facing") and entity.get("action") == "driving" and entity["tag"] not in RIDDEN:
            side = "seen from behind" if entity["facing"] == "away" else "coming towards the camera"
            yield f"{described(entity)} {side} on {seen.place()}{seen.rng.choice(('', ' ' + seen.when()))}"
        if _where(entity):
            yield f"{described(entity)}{_where(entity)} of the picture {seen.when()}"


def _numbers(seen: Seen) -> Iterator[str]:
    """Numbers that are sure, of what does the same or of all."""
    for group, noun in (("any car", "car"), ("any truck", "truck"), ("vehicle", "vehicle"), ("bus", "bus")):
        for count, word in NUMBERS.items():
            if truth.how_many(count, group) in seen.true:
                kinds = truth.GROUPS.get(group, {group})
                actions = {entity.get("action") for entity in seen.vehicles if entity["kind"] in kinds}
                doing = {("driving",): "driving down", ("parked",): "parked along"}.get(tuple(actions), "on")
                yield f"there are {word} {plural(noun)} {doing} {seen.place()}{seen.features(1)}"
                yield f"{word} {plural(noun)} {doing} {seen.place()} {seen.when()}"
                return
    if sum(entity["kind"] != "bicycle" for entity in seen.vehicles) >= 3:
        yield f"several vehicles on {seen.place()} {seen.when()}"


def _people(seen: Seen) -> Iterator[str]:
    people = seen.tagged("person")
    if not people:
        return
    first = people[0]
    doing = _walking(first, seen)
    same = [person for person in people if person.get("action") == first.get("action")]
    number = NUMBERS.get(len(people))
    if number and len(same) == len(people) and truth.how_many(len(people), "person") in seen.true:
        yield f"{number} people {doing} {seen.when()}"
    yield f"{described(first)} {doing} {seen.when()}"
    yield f"there is a person {doing}{seen.features(1)}"


def _walking(person: Entity, seen: Seen) -> str:
    paved = seen.scene["setting"] in PAVED
    if person.get("action") == "crossing":
        crossing = seen.rng.choice(("crossing the street", "crossing the road"))
        return f"{crossing} at a crosswalk" if seen.tagged("crosswalk") and seen.rng.random() < 0.5 else crossing
    side = "on the sidewalk" if paved else "by the side of the road"
    if person.get("action"):
        return f"{person['action']} {side}"
    return f"on {seen.place()}" if paved else f"by the side of {seen.place()}"


def _landmarks(seen: Seen) -> Iterator[str]:
    for entity in _firsts(seen.tagged(*LANDMARKS)):
        name = seen.landmark(entity)
        on = {"crosswalk": "on", "umbrella": "near", "lifeguard hut": "near", "billboard": "next to"}
        where = (
            ("over" if _is_gantry(entity) else "beside") if entity["tag"] == "highway sign" else on.get(entity["tag"])
        )
        yield f"{name} {where or 'on'} {seen.place()} {seen.when()}"
        yield f"{name} {where or 'on'} {seen.place()}{seen.features(2, [entity])}"


def _empty(seen: Seen) -> Iterator[str]:
    if "no vehicles" not in seen.true:
        return
    place = seen.place()
    if "no people" in seen.true and seen.lifeless:
        yield f"{article('empty ' + place.removeprefix('a '))} {seen.when()}"
    yield f"there is {place} with no cars on it"


def _view(seen: Seen) -> Iterator[str]:
    start = seen.rng.choice(("a view of", "a view down", "looking down"))
    yield f"{start} {seen.place()}{seen.features(2)} {seen.when()}"
    if features := seen.features(1):
        yield f"there is {seen.place()}{features}"
    yield f"{seen.place()} {seen.when()}"
    yield f"a picture of {seen.place()} {seen.when()}"


def _scenery(seen: Seen) -> Iterator[str]:
    lining = [area for area in PLURAL_SCENERY if area in seen.true]
    for area in lining[:2]:
        yield f"{area} along {seen.place()} {seen.when()}"
