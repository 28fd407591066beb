"""What a person would say is visible in a picture, judged from the evidence in its record. Knows no Blender.

Everything is one of three: clear (a person who looks for two seconds names it), doubtful (some would, or would after a
hint), or not visible. Captions and right answers come from what is clear; a picture in which something is doubtful is
left out where that is asked for. The rules lean to precision: to name what cannot be found is the worst fault.

    entities(record)    what is clear, largest first: dicts of tag, kind, box, pixels and, where they can be told,
                        colour, action, facing, vehicle
    doubtful(record)    the same for what is doubtful
    attributes(record)  (true, doubtful): sets of strings, disjoint; what is in neither is false of the picture

The vocabulary of attributes:

- objects: `car`, `sports car`, `suv`, `taxi`, `police car`, `van`, `ambulance`, `bus`, `truck`, `dump truck`,
  `pickup truck`, `motorcycle`, `bicycle`, `person`, `dog`, `boat`, `helicopter`, `plane`, `stop sign`, `traffic light`,
  `fire hydrant`, `bus stop`, `highway sign`, `street lamp`, `utility pole`, `crosswalk`, `billboard`, `bench`,
  `umbrella`, `lifeguard hut`;
- groups: `vehicle` (all but bicycles), `any car`, `any truck`, `any bike` (see GROUPS);
- colour and object or group: `red car`, `red any car`, `red vehicle`, `yellow traffic light` (amber is called yellow),
  `blue person` (the shirt);
- action: `person walking` | `standing` | `crossing`, `car parked` | `driving` | `stopped`, also with groups;
- direction of what drives or has stopped: `bus oncoming`, `bus away`, also with groups;
- `light:noon` | `afternoon` | `sunset` | `overcast` | `night`, `light:day` for all but night; `weather:clear` |
  `overcast` | `rain` | `fog`; `setting:downtown` | `residential` | `highway` | `desert` | `beach` | `hillside`;
- areas: `trees`, `palm trees`, `hedges`, `bushes`, `flowers`, `cacti`, `rocks`, `ocean`, `mountains`, `houses`,
  `buildings`, `tall buildings`, `walls`, `guardrail`, `concrete barrier`;
- counts: `no vehicles`, `no people`, and `1` to `4` (MOST_COUNTED) of `vehicle(s)`, `people` (`1 person`), and of every
  kind of object and group in COUNTED (`2 any cars`, `3 buses`): exactly so many.

Thresholds were set by eye on pictures of 480x270 in all lights and weathers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streets.sample import HEIGHT, WIDTH  # masks count pixels at this size

CLEAR, DOUBTFUL = "clear", "doubtful"

Entity = dict[str, Any]

ANY_CAR = {"car", "sports car", "suv", "taxi", "police car"}
GROUPS = {
    "any car": ANY_CAR,
    "any truck": {"truck", "dump truck", "pickup truck"},
    "any bike": {"motorcycle", "bicycle"},
    "vehicle": ANY_CAR | {"truck", "dump truck", "pickup truck", "van", "ambulance", "bus", "motorcycle"},
}
COUNTED = ("vehicle", "any car", "any truck", "any bike", "car", "bus", "taxi", "truck", "van", "motorcycle", "person")
MOST_COUNTED = 4  # at a glance; more are several
PLURALS = {"person": "people", "bus": "buses"}
RIDDEN = {"motorcycle", "bicycle"}

MISTAKEN = {  # kind -> what some would call it, also when they see it well
    "sports car": {"car"},
    "suv": {"car"},
    "taxi": {"car"},
    "police car": {"car"},
    "pickup truck": {"truck"},
    "dump truck": {"truck"},
    "van": {"any truck"},
    "ambulance": {"van", "any truck"},
}
FAR_CAR, FAR_VEHICLE = {"car", "sports car", "suv"}, {"any car", "car", "suv", "any truck", "truck", "van"}
"""What a car, and any vehicle, may be taken for when its kind cannot be told."""
KIND_PIXELS = {  # from here on a vehicle's kind can be told by day; smaller ones are just vehicles
    "car": 250, "taxi": 250, "police car": 450, "sports car": 800, "suv": 900, "van": 500, "ambulance": 900,
    "bus": 400, "truck": 500, "dump truck": 900, "pickup truck": 1000, "motorcycle": 180, "bicycle": 250,
}  # fmt: skip
PICKUP_FROM_BEHIND = 1250  # px: its bed is behind the tailgate
LARGE_ENOUGH_FOR_ACTION = {"person": 110}  # px, to tell a stride; vehicles:
LARGE_ENOUGH_FOR_FACING = 220  # px
STRIDE = 0.44  # width by height, in pixels: nobody who stands is as wide, and who walks at us looks as one who stands
KIND_SHARE = 0.4  # of a vehicle must be seen to tell its kind

COLOUR_WORDS = {"amber": "yellow"}
SHIRT_WORDS = {"silver": "gray"}
COLOURLESS = {"police car", "ambulance"}  # their livery is several colours; an ambulance's is in its name
NIGHT_WHITE = 42  # least lightness of white at night, when all that is lit is lighter than what is around it
SURELY_BLACK, EVEN_BLACK = (
    16,
    18,
)  # CIELab L; above it the most `paint_spread`: reflections hide what is dark
WARM_LIGHT = 6  # chroma of the surroundings from which on the light is tinted, by a low sun or by lamps
OWN_TINT = 9  # Delta E from the tint of the light, from which on a paint is not gray
CLEAR_AIR = 0.88  # transmittance below which haze makes black gray, and silver white
COLOUR_PIXELS, COLOUR_SHARE = 40, 0.22  # px of paint, and its share of what is seen
HUES = {  # degrees in CIELab, least chroma, least lightness
    "red": (-20, 43, 12, 12),
    "orange": (43, 70, 12, 20),
    "yellow": (66, 112, 16, 25),
    "green": (105, 200, 8, 12),
    "blue": (245, 305, 18, 22),
}
NEAR_COLOURS = {  # colour -> what some would call it; where hues border on one another, see MARGIN
    "silver": {"gray", "white"},
    "gray": {"silver", "black"},
    "white": {"silver"},
    "black": {"gray"},
}
MARGIN = 8  # degrees beyond the hues of a colour in which some still name it


@dataclass(frozen=True, slots=True)
class Need:
    """What makes a kind of thing clear: pixels seen, share of it seen, strength (see `strength`)."""

    pixels: float
    share: float
    strength: float = 220


VEHICLE_NEED = Need(120, 0.25)
NEEDS = {
    "motorcycle": Need(140, 0.4),
    "bicycle": Need(140, 0.4),
    "person": Need(85, 0.45, 185),
    "dog": Need(100, 0.5, 250),
    "stop sign": Need(60, 0.3),
    "fire hydrant": Need(80, 0.5),
    "bus stop": Need(700, 0.35, 420),
    "highway sign": Need(600, 0.3),
    "helicopter": Need(60, 0.5, 150),
    "plane": Need(90, 0.5, 150),
    "boat": Need(60, 0.5, 180),
    "street lamp": Need(150, 0.4, 300),
    "utility pole": Need(150, 0.4, 300),
    "crosswalk": Need(450, 0.3, 320),
    "billboard": Need(400, 0.4, 300),
    "bench": Need(500, 0.5, 300),
    "umbrella": Need(250, 0.5, 250),
    "lifeguard hut": Need(400, 0.5, 250),
}
LEAST_PIXELS, LEAST_STRENGTH = 10, 35
"""Below either, nobody sees it."""
BULB_PIXELS, BULB_DIFFERENCE = 7, 15  # of a traffic light's lit bulbs, and from mast and housing or from the ring
RED_FACES = {"stop sign", "fire hydrant"}
RED_FACE = 5.0  # CIELab a, more than around them: the red of these must show
YELLOWER = 5  # CIELab b of a yellow bulb, more than its housing's: in a low sun all is yellow
KNOWN_BY_THEIR_TOPS = {"street lamp", "utility pole"}
TOP_EDGE, WHOLE = 0.01, 0.8  # of the picture: tops above it are cut off; share of them that must be seen


@dataclass(frozen=True, slots=True)
class AreaNeed:
    classes: tuple[str, ...]
    clear: float
    """Share of the picture."""
    doubtful: float
    contrast: float = 6
    """Mean Delta E over its borders, of an area that is just large enough."""
    through_haze: float = 0.25
    """Least mean transmittance of the air before it."""
    several: float = 0.0
    """Share from which one patch is enough for a plural."""


AREAS = {
    "trees": AreaNeed(("tree",), 0.02, 0.002, several=0.06),
    "palm trees": AreaNeed(("palm",), 0.008, 0.001, several=0.06),
    "hedges": AreaNeed(("hedge",), 0.02, 0.003),
    "bushes": AreaNeed(("bush", "scrub"), 0.015, 0.001),
    "flowers": AreaNeed(("flower",), 0.006, 0.001, 10),
    "cacti": AreaNeed(("cactus",), 0.0025, 0.0001, several=0.02),
    "rocks": AreaNeed(("rock",), 0.012, 0.0005, 8),
    "ocean": AreaNeed(("sea",), 0.012, 0.0005),
    "mountains": AreaNeed(("hills",), 0.02, 0.003, 11),
    "houses": AreaNeed(("house",), 0.02, 0.001),
    "buildings": AreaNeed(("building", "tall building"), 0.03, 0.001, through_haze=0.4),
    "tall buildings": AreaNeed(("tall building",), 0.05, 0.001, through_haze=0.45),
    "walls": AreaNeed(("wall",), 0.03, 0.001),
    "guardrail": AreaNeed(("guardrail",), 0.006, 0.0005),
    "concrete barrier": AreaNeed(("barrier",), 0.025, 0.001),
}
AREA_CONFUSIONS = {  # area -> what some would call it
    "palm trees": {"trees"},
    "houses": {"buildings"},
    "hedges": {"bushes"},
    "flowers": {"bushes"},
    "buildings": {"tall buildings"},
}


BLUE_SKY = -10  # CIELab b; an overcast sky has 0 to -5
SUNLIT_ROAD = 56  # CIELab L of its lightest tenth; roads all in shade are darker


def entities(record: Mapping[str, Any]) -> list[Entity]:
    """What is clear in the picture, largest first."""
    return [_public(entity) for entity in _judged(record)[0]]


def doubtful(record: Mapping[str, Any]) -> list[Entity]:
    """What a person might or might not see in the picture, largest first."""
    return [_public(entity) for entity in _judged(record)[1]]


def attributes(record: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The attributes (see above) that are true of the picture, and those that are doubtful; disjoint."""
    true: set[str] = set()
    maybe: set[str] = set()
    clear, unsure = _judged(record)
    for entity in clear:
        certain, uncertain = _said_of(entity)
        true |= certain
        maybe |= uncertain
    for entity in unsure:
        for said in _said_of(entity):
            maybe |= said
    for certain, uncertain in (_counts(clear, unsure), areas(record), _circumstances(record)):
        true |= certain
        maybe |= uncertain
    if record["scene"].get("control") == "light":
        maybe |= {"traffic light"}  # the backs of the near ones are no objects of the evidence
    return true, maybe - true


def areas(record: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The areas that are clear, and those that are doubtful."""
    true, maybe = set[str](), set[str]()
    for name, need in AREAS.items():
        found = [record["evidence"]["areas"][c] for c in need.classes if c in record["evidence"]["areas"]]
        share = sum(area["share"] for area in found)
        if share < need.doubtful:
            continue
        through_haze = sum(area["clear_share"] for area in found) / share
        contrast = sum(area.get("contrast", 0.0) * area["share"] for area in found) / share
        # the larger, the fainter it may be
        stands_out = contrast * math.sqrt(share / need.clear) >= need.contrast and contrast >= 3
        plural = share >= need.several or patches(record, need.classes) != 1
        if share >= need.clear and through_haze >= need.through_haze and stands_out and plural:
            true.add(name)
        elif through_haze >= 0.05 or contrast >= 1.5:
            maybe.add(name)
    for name in true | maybe:
        maybe |= AREA_CONFUSIONS.get(name, set())
    return true, maybe - true


def patches(record: Mapping[str, Any], classes: Iterable[str]) -> int:
    """Number of patches of these classes in the grid of areas, 0 where it is not known.

    Patches are told apart by columns without any: crown and trunk of one palm may be two patches otherwise.
    """
    grid = record["evidence"].get("area_grid")
    if not grid:
        return 0
    letters = {grid["legend"][name] for name in classes if name in grid["legend"]}
    columns = grid["columns"]
    has_any = [any(cell in letters for cell in grid["cells"][x::columns]) for x in range(columns)]
    return sum(here and not before for before, here in itertools.pairwise([False, *has_any]))


def strength(thing: Mapping[str, Any]) -> float:
    """How much a thing stands out: its difference from its surroundings and within itself, times its size's root.

    A car of even light in fog is seen by its outline, one at night by its lamps.
    """
    return math.hypot(thing.get("edge", 0.0), 0.7 * thing.get("spread", 0.0)) * math.sqrt(thing["pixels"])


def verdict(thing: Mapping[str, Any]) -> str | None:
    """CLEAR, DOUBTFUL, or None for what nobody sees."""
    if thing["pixels"] < LEAST_PIXELS or strength(thing) < LEAST_STRENGTH:
        return None
    if thing["tag"] == "traffic light":
        return CLEAR if _bulbs_are_clear(thing) else DOUBTFUL
    need = NEEDS.get(thing["tag"], VEHICLE_NEED)
    shown = thing["pixels"] / max(thing["whole"], 1.0)
    # of what is large, a small part is enough
    share_enough = shown >= need.share or (thing.get("vehicle") and thing["pixels"] >= 2500 and shown >= 0.1)
    if thing["tag"] in RED_FACES and not _is_redder_than_its_surroundings(thing):
        return DOUBTFUL
    if thing["tag"] in KNOWN_BY_THEIR_TOPS and (thing["box"][1] <= TOP_EDGE or shown < WHOLE):
        return DOUBTFUL
    if thing["pixels"] >= need.pixels and share_enough and strength(thing) >= need.strength:
        return CLEAR
    return DOUBTFUL


def _is_redder_than_its_surroundings(thing: Mapping[str, Any]) -> bool:
    return "ring" in thing and thing["inside"][1] - max(thing["ring"][1], 0) >= RED_FACE


def paint_pixels(thing: Mapping[str, Any]) -> float:
    """Pixels of the part that carries the named colour: paint, shirt or lit bulb."""
    x0, y0, x1, y1 = thing["box"]
    return float(thing["mask"].count("2") / len(thing["mask"]) * (x1 - x0) * (y1 - y0) * WIDTH * HEIGHT)


def seen_colours(
    paint: Sequence[float],
    ring: Sequence[float],
    transmittance: float = 1.0,
    margin: float = 0,
    *,
    night: bool = False,
) -> set[str]:
    """Names a person would give a paint that looks like `paint` (CIELab) before surroundings like `ring`.

    The tint of a low sun, the blue of shade and the haze are allowed for; the set is empty where no name is safe.
    `margin` widens the hues by so many degrees.
    """
    lightness, a, b = paint
    chroma, hue = math.hypot(a, b), math.degrees(math.atan2(b, a))
    warm = math.hypot(*ring[1:]) > WARM_LIGHT
    off_tint = math.hypot(a - 0.8 * ring[1], b - 0.8 * ring[2])
    pale = chroma < 0.7 * (lightness - 50)  # in a warm light white looks so
    names = {
        name
        for name, (low, high, least_chroma, least_lightness) in HUES.items()
        if any(low - margin <= turned <= high + margin for turned in (hue, hue + 360))
        and chroma >= least_chroma
        and lightness >= least_lightness
    }
    if pale:
        names.clear()
    if warm:  # of yellow, only what is more than the light's
        names -= {name for name in names & {"yellow", "orange"} if off_tint < HUES[name][2]}
    # what has the tint of the road around it has none of its own
    tinted = warm and off_tint < OWN_TINT
    blue_shade = 225 <= hue % 360 <= 300
    gray = not names and chroma <= (17 if blue_shade else 11)
    if transmittance >= CLEAR_AIR and (gray or tinted):
        names |= _grays(lightness, ring[0], night=night)
    if warm and not tinted:
        names -= {"gray", "silver"}
    return names


def _grays(lightness: float, around: float, *, night: bool) -> set[str]:
    """Names of a paint without a hue, by its lightness and that of its surroundings."""
    names = set()
    if lightness >= 70 or (lightness >= 58 and lightness >= around) or (lightness >= 34 and lightness >= around + 10):
        names.add("white")
    if night and lightness < NIGHT_WHITE:
        names.discard("white")
    if lightness <= SURELY_BLACK or (lightness <= 32 and lightness <= around - 10):
        names.add("black")
    if 22 <= lightness <= 62:
        names.add("gray")
    if 33 <= lightness <= 62 and lightness < around + 8:  # lighter than its surroundings, it looks white
        names.add("silver")
    return names


def _things(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects of the evidence, largest first. In a small picture everything counts as smaller.

    Evidence counts pixels of a picture of 480x270. At half that size an object has a quarter of them, but a person
    needs no quarter more: the root is a compromise.
    """
    size = record["evidence"].get("picture", {}).get("size", (WIDTH, HEIGHT))
    scale = min(1.0, size[0] / WIDTH)
    things = ({**t, "pixels": t["pixels"] * scale, "whole": t["whole"] * scale} for t in record["evidence"]["objects"])
    return sorted(things, key=lambda thing: (-thing["pixels"], thing["tag"], thing["box"]))


def _judged(record: Mapping[str, Any]) -> tuple[list[Entity], list[Entity]]:
    """What is clear, and what is doubtful."""
    clear, unsure = list[Entity](), list[Entity]()
    for thing in _things(record):
        judged = verdict(thing)
        if judged is None:
            continue
        entity = _entity(thing, record)
        nameless = entity["kind"] == "bicycle" and entity["tag"] != "bicycle"  # not a vehicle, so it has no other name
        (clear if judged == CLEAR and not nameless else unsure).append(entity)
    return clear, unsure


def _entity(thing: Mapping[str, Any], record: Mapping[str, Any]) -> Entity:
    """One object as a person would describe it. `kind` is what it is, `tag` what can be told of it.

    Private: `_colours` are those that some would name and others not, `_waits` whether it may seem to have stopped.
    """
    kind, pixels = thing["tag"], thing["pixels"]
    hard = _hardness(thing, record)
    entity: Entity = {"tag": kind, "kind": kind, "box": thing["box"], "pixels": round(pixels)}
    if thing.get("vehicle"):
        entity["vehicle"] = True
        if not _kind_can_be_told(thing, hard):
            entity["tag"] = "car" if kind in ANY_CAR and pixels >= 150 * hard else "vehicle"
    entity["_waits"] = record["scene"].get("control", "none") != "none" or thing.get("action") != "driving"
    night = record["scene"]["light"] == "night"
    colour, unsure = _colour(thing, night=night)
    if kind == "person":
        colour = SHIRT_WORDS.get(colour, colour) if colour else None
        unsure = [SHIRT_WORDS.get(other, other) for other in unsure]
    if colour:
        entity["colour"] = colour
    entity["_colours"] = sorted({*unsure} - {colour})
    if "action" in thing and _action_shows(thing, hard, night=night):
        entity["action"] = thing["action"]
    if "facing" in thing and pixels >= LARGE_ENOUGH_FOR_FACING * hard:
        entity["facing"] = thing["facing"]
    return entity


def _action_shows(thing: Mapping[str, Any], hard: float, *, night: bool) -> bool:
    """Whether a person can be told to walk, stand or cross, and a vehicle to be parked or not."""
    if thing.get("vehicle"):
        # all lamps are lit at night: a parked vehicle that faces us looks as one that comes
        return not (night and thing["action"] == "parked" and thing.get("facing") == "towards")
    if thing["pixels"] < LARGE_ENOUGH_FOR_ACTION["person"] * hard:
        return False
    x0, y0, x1, y1 = thing["box"]
    return bool(thing["action"] != "walking" or (x1 - x0) * WIDTH >= STRIDE * (y1 - y0) * HEIGHT)


def _public(entity: Entity) -> Entity:
    return {key: value for key, value in entity.items() if not key.startswith("_")}


def _hardness(thing: Mapping[str, Any], record: Mapping[str, Any]) -> float:
    """By how much larger a thing has to be than by clear day, to tell what it is and does."""
    return (1.8 if record["scene"]["light"] == "night" else 1.0) * (1.5 if thing["transmittance"] < 0.75 else 1.0)


def _kind_can_be_told(thing: Mapping[str, Any], hard: float) -> bool:
    least = KIND_PIXELS.get(thing["tag"], 1000)
    if thing["tag"] == "pickup truck" and thing.get("facing") == "away":
        least = PICKUP_FROM_BEHIND
    large = thing["pixels"] >= least * hard
    return bool(large and (thing["pixels"] / max(thing["whole"], 1.0) >= KIND_SHARE or thing["pixels"] >= 8000))


def _colour(thing: Mapping[str, Any], *, night: bool) -> tuple[str | None, list[str]]:
    """The colour that can be told, if any, and those that are doubtful."""
    named = thing.get("colour_name")
    if thing["tag"] == "highway sign":
        green = "green" in seen_colours(thing["inside"], thing["ring"]) if "ring" in thing else False
        return ("green", []) if green else (None, ["green"])
    if not named or thing["tag"] in COLOURLESS:
        return None, []
    if thing["tag"] == "traffic light":
        named = COLOUR_WORDS.get(named, named)
        shown = _signal_colours(thing["paint"], thing["inside"]) if thing.get("paint") else set()
        if _bulbs_are_clear(thing) and named in shown:
            return named, []
        return None, sorted({named, *shown})
    paint, ring = thing.get("paint"), thing.get("ring", thing.get("paint"))
    seen = seen_colours(paint, ring, thing["transmittance"], night=night) if paint else set()
    some_would_say = {named, *seen, *(near for name in (named, *seen) for near in NEAR_COLOURS.get(name, ()))}
    if paint:
        some_would_say |= seen_colours(paint, ring, thing["transmittance"], MARGIN, night=night)
        if math.hypot(*ring[1:]) > WARM_LIGHT and paint[2] <= 0.8 * ring[2] - OWN_TINT:
            some_would_say.add("blue")  # by contrast with all that is warm
    enough = paint_pixels(thing) >= max(COLOUR_PIXELS, COLOUR_SHARE * thing["pixels"])
    if named in seen and enough and not _dark_paint_is_unsure(thing, named, seen):
        return named, sorted(some_would_say - {named})
    return None, sorted(some_would_say)


def _dark_paint_is_unsure(thing: Mapping[str, Any], named: str, seen: set[str]) -> bool:
    """Whether gray fits black as well; or black, in a warm light, fits gray or is full of reflections."""
    both = {"black", "gray"} <= seen
    if named != "black":
        return named == "gray" and both
    uneven = thing["paint"][0] > SURELY_BLACK and thing.get("paint_spread", 0.0) > EVEN_BLACK
    return math.hypot(*thing.get("ring", (0, 0, 0))[1:]) > WARM_LIGHT and (both or uneven)


def _signal_colours(paint: Sequence[float], housing: Sequence[float]) -> set[str]:
    """Names for a lit bulb: the tone mapping takes nearly all the colour out of what shines."""
    _, a, b = paint
    chroma, hue = math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360
    if (hue <= 55 or hue >= 320) and chroma >= 10:
        return {"red"}
    if 120 <= hue <= 215 and chroma >= 5:
        return {"green"}
    return {"yellow"} if 55 <= hue <= 115 and chroma >= 12 and b >= housing[2] + YELLOWER else set()


def _bulbs_are_clear(thing: Mapping[str, Any]) -> bool:
    if not thing.get("paint"):
        return False
    around = (thing["inside"], thing.get("ring", thing["inside"]))
    differs = max(math.dist(thing["paint"], other) for other in around)
    return paint_pixels(thing) >= BULB_PIXELS and differs >= BULB_DIFFERENCE


def _said_of(entity: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What can be said of one entity, taken as seen: what is certain, and what some would say."""
    kind, tag = entity["kind"], entity["tag"]
    groups = {group for group, kinds in GROUPS.items() if kind in kinds}
    certain_names, uncertain_names = {kind} | groups, set(MISTAKEN.get(kind, ()))
    if tag != kind:  # its kind cannot be told
        certain_names = {"vehicle"} & groups | ({"any car"} & groups if tag == "car" else set())
        uncertain_names |= {kind} | groups | (FAR_CAR if tag == "car" else FAR_VEHICLE)
    sure, unsure = _phrases(entity, certain_names)
    for phrases in _phrases(entity, uncertain_names - certain_names):
        unsure |= phrases
    return sure, unsure


def _phrases(entity: Mapping[str, Any], names: set[str]) -> tuple[set[str], set[str]]:
    """Attributes of an entity under each of `names`: certain ones and doubtful ones."""
    sure, unsure = set(names), set()
    for name in names:
        if "colour" in entity:
            sure.add(f"{entity['colour']} {name}")
        unsure |= {f"{colour} {name}" for colour in entity["_colours"]}
        if "action" in entity:
            sure.add(f"{name} {entity['action']}")
        elif entity["kind"] == "person":
            unsure |= {f"{name} {action}" for action in ("walking", "standing", "crossing")}
        elif entity.get("vehicle"):
            unsure |= {f"{name} {action}" for action in ("driving", "parked", "stopped")}
        if entity.get("vehicle"):
            moving = entity.get("action", "parked") != "parked"
            both = {f"{name} oncoming", f"{name} away"}
            said = f"{name} {'away' if entity.get('facing') == 'away' else 'oncoming'}"
            if moving and "facing" in entity:
                sure.add(said)
            else:
                unsure |= {said} if "facing" in entity else both
            if entity["_waits"]:
                unsure |= {f"{name} stopped", f"{name} driving"}  # in a still picture these differ little
    return sure, unsure


def _counts(seen: Iterable[Entity], unsure: Iterable[Entity]) -> tuple[set[str], set[str]]:
    """Exact numbers, where nothing that would count is doubtful."""
    true, maybe = set[str](), set[str]()
    said_of_seen, said_of_unsure = [_said_of(entity) for entity in seen], [_said_of(entity) for entity in unsure]
    kinds = [entity["kind"] for entity in (*seen, *unsure)]
    for name in COUNTED:
        certain = sum(name in sure for sure, _ in said_of_seen)
        possible = certain + sum(name in perhaps for _, perhaps in said_of_seen)
        possible += sum(name in sure | perhaps for sure, perhaps in said_of_unsure)
        if name == "vehicle":
            possible += kinds.count("bicycle")  # some would count it
        if name == "person":
            possible += sum(kind in RIDDEN for kind in kinds)  # riders are people, too
        said = {how_many(count, name) for count in range(certain, possible + 1)}
        (true if certain == possible else maybe).update(said - {""})
    return true, maybe


def how_many(count: int, name: str) -> str:
    """`2 buses`, `1 person`, `no vehicles`; empty where nothing is said, as of more than MOST_COUNTED."""
    plural = PLURALS.get(name, f"{name}s")
    if count > MOST_COUNTED:
        return ""
    if count == 0:
        return f"no {plural}" if name in ("vehicle", "person") else ""
    return f"{count} {name if count == 1 else plural}"


def _circumstances(record: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Light, weather and setting."""
    sc = record["scene"]
    light, weather, setting = sc["light"], sc["weather"], sc["setting"]
    true, maybe = {f"light:{light}", f"weather:{weather}", f"setting:{setting}"}, set()
    if light != "night":
        true.add("light:day")
    if light in ("noon", "afternoon"):
        maybe |= {"light:noon", "light:afternoon"}
    if weather in ("rain", "fog") and light != "night":
        maybe |= {"weather:overcast", "light:overcast"}
    if weather == "rain":
        maybe.add("weather:fog")
    hidden = (
        (weather == "rain" and light == "sunset" and sunset_shows(record))  # a wet road under a clear sky
        or (weather == "clear" and light in ("noon", "afternoon") and not sun_shows(record))
        or (weather in ("overcast", "fog") and light == "night")  # the sky is as dark without, the haze as thin
    )
    if hidden:
        true.discard(f"weather:{weather}")
        maybe |= {f"weather:{weather}", "weather:clear"} | ({"weather:overcast"} if weather != "rain" else set())
    if light == "sunset" and not sunset_shows(record):
        true.discard("light:sunset")
        maybe |= {"light:sunset", "light:afternoon", "light:noon"}
    if setting == "beach" and "ocean" not in areas(record)[0]:
        true.discard("setting:beach")
        maybe |= {"setting:beach", "setting:residential", "setting:downtown"}
    if setting in ("hillside", "desert"):
        maybe |= {"setting:desert", "setting:hillside"} - true
    return true, maybe


def sunset_shows(record: Mapping[str, Any]) -> bool:
    """Whether the picture itself says that the sun is low: by day, sky and picture are never this red."""
    sky, picture = record["evidence"]["areas"].get("sky", {}), record["evidence"]["picture"]
    return bool(sky.get("inside", (0, 0, 0))[1] >= 4 or picture["inside"][1] >= 6)


def sun_shows(record: Mapping[str, Any]) -> bool:
    """Whether the picture itself says that the sun shines: the sky is blue or the sun is on the road."""
    areas = record["evidence"]["areas"]
    sky, road = areas.get("sky", {}), areas.get("road", {})
    return bool(sky.get("inside", (0, 0, 0))[2] <= BLUE_SKY or road.get("lightness", (0, 0, 0))[2] >= SUNLIT_ROAD)
