"""How people say it: every phrase that street scenes are asked with in training, and words of everyday searches.

Knows the vocabulary of streets/truth.py and no tensors. `Question` joins words with what a scene needs to answer them;
`singles` makes those of one attribute, `compounds` draws those of two or three.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CLASS_TEMPLATES = ("a photo of a {}", "{}", "a picture of a {}", "a photo of the {}", "a close-up of a {}")
THING_TEMPLATES = ("{}", "{}", "a road with {}", "a street with {}", "a photo of {}", "{} on the road", "there is {}")

PLACES = ("a road", "a street", "a scene", "a photo")
"""Of nothing but light and weather: 'a road at dusk' is any scene at dusk."""

# attribute -> what people call it, in the singular; the first is the plainest
NOUNS: dict[str, tuple[str, ...]] = {
    "any car": ("car", "automobile", "auto", "motor car"),
    "car": ("sedan", "saloon car", "ordinary car"),
    "sports car": ("sports car", "race car", "fast car", "coupe"),
    "suv": ("SUV", "jeep", "off-road car", "four by four"),
    "taxi": ("taxi", "cab", "taxicab"),
    "police car": ("police car", "cop car", "police cruiser", "patrol car"),
    "van": ("van", "minivan", "delivery van"),
    "ambulance": ("ambulance", "emergency vehicle"),
    "bus": ("bus", "coach", "city bus", "public bus"),
    "any truck": ("truck", "lorry"),
    "truck": ("box truck", "delivery truck", "cargo truck", "box lorry"),
    "dump truck": ("dump truck", "tipper truck", "dumper", "construction truck"),
    "pickup truck": ("pickup truck", "pickup", "pick-up"),
    "any bike": ("two-wheeler", "bike"),
    "motorcycle": ("motorcycle", "motorbike", "motor bike", "person on a motorcycle", "biker"),
    "bicycle": ("bicycle", "cyclist", "person on a bicycle", "somebody riding a bicycle", "push bike", "bike rider"),
    "vehicle": ("vehicle", "motor vehicle"),
    "person": ("person", "pedestrian", "man", "woman", "human", "somebody on foot"),
    "dog": ("dog", "hound", "puppy"),
    "boat": ("sailboat", "boat", "sailing boat", "sailboat on the sea", "ship", "yacht"),
    "helicopter": ("helicopter", "chopper", "helicopter in the sky"),
    "plane": ("airplane", "plane", "aeroplane", "aircraft", "jet", "airplane in the sky"),
    "stop sign": ("stop sign", "red octagonal sign", "octagonal stop sign"),
    "traffic light": ("traffic light", "traffic signal", "stoplight", "set of traffic lights"),
    "fire hydrant": ("fire hydrant", "hydrant"),
    "bus stop": ("bus stop", "bus shelter"),
    "highway sign": ("highway sign", "overhead road sign", "green highway sign", "road sign over the highway"),
    "street lamp": ("street lamp", "street light", "lamp post", "lamppost"),
    "utility pole": ("utility pole", "power pole", "telephone pole", "row of utility poles along the road"),
    "crosswalk": ("crosswalk", "zebra crossing", "pedestrian crossing"),
    "billboard": ("billboard", "advertising board"),
    "bench": ("bench", "park bench"),
    "umbrella": ("beach umbrella", "parasol", "sunshade"),
    "lifeguard hut": ("lifeguard hut", "lifeguard tower", "lifeguard station"),
}
PLURALS = {"person": "people", "man": "men", "woman": "women", "bus": "buses", "somebody": "people"}
AREAS: dict[str, tuple[str, ...]] = {  # without an article
    "trees": ("trees", "a tree", "trees along the road"),
    "palm trees": ("palm trees", "palms", "a palm tree", "tropical trees"),
    "hedges": ("hedges", "a hedge"),
    "bushes": ("bushes", "shrubs", "a bush"),
    "flowers": ("flowers", "blossoms"),
    "cacti": ("cacti", "a cactus", "cactuses", "saguaros"),
    "rocks": ("rocks", "boulders", "rocks beside the road"),
    "ocean": ("the ocean", "the sea", "the sea on the left", "water", "waves"),
    "mountains": ("mountains", "mountains in the distance", "hills on the horizon", "a mountain range"),
    "houses": ("houses", "a house", "homes", "family houses"),
    "buildings": ("buildings", "a building"),
    "tall buildings": ("tall buildings", "skyscrapers", "high-rises", "a skyscraper", "office towers"),
    "walls": ("walls", "a noise wall", "a wall along the road"),
    "guardrail": ("a guardrail", "a guardrail along the road", "a crash barrier", "guard rails"),
    "concrete barrier": ("a concrete barrier", "concrete barriers between the lanes"),
    "no vehicles": ("an empty road without any vehicles", "no cars", "a road with no cars on it", "an empty street"),
    "no people": ("a street without people", "nobody", "a deserted street", "a street with nobody on it"),
}
# circumstances: (phrases that stand alone, tails behind another phrase)
NIGHT, SUNNY = "light:night", "weather:clear + light:noon or light:afternoon"
CIRCUMSTANCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    NIGHT: (
        (
            "a street at night",
            "a road at night",
            "night",
            "at night",
            "darkness",
            "after dark",
            "a dark street",
            "nighttime",
        ),
        ("at night", "in the dark", "after dark", "by night"),
    ),
    "light:sunset": (
        (
            "a road at sunset",
            "sunset",
            "at sunset",
            "dusk",
            "a street in the evening",
            "sundown",
            "twilight",
            "a low sun",
        ),
        ("at sunset", "at dusk", "in the evening", "at sundown", "at twilight", "as the sun sets"),
    ),
    "light:noon": (("a street at noon", "noon", "midday"), ("at noon", "at midday")),
    "light:afternoon": (("a road in the afternoon", "afternoon"), ("in the afternoon",)),
    "light:day": (("daylight", "a street in daylight", "daytime"), ("in daylight", "during the day", "by day")),
    "weather:fog": (
        ("a foggy road", "fog", "in the fog", "mist", "a misty street", "foggy weather", "haze", "poor visibility"),
        ("in the fog", "on a foggy day", "in the mist"),
    ),
    "weather:rain": (
        ("rain on the road", "rain", "a rainy street", "a wet road", "wet asphalt", "rainy weather", "a rainy day"),
        ("in the rain", "on a rainy day", "on a wet day"),
    ),
    "weather:overcast": (
        ("an overcast sky", "a cloudy day", "clouds", "a gray sky", "overcast", "dull weather"),
        ("on a cloudy day", "under a gray sky", "on an overcast day"),
    ),
    SUNNY: (
        ("a bright sunny day", "a clear blue sky", "sunshine", "a sunny street", "blue sky", "sunny weather"),
        ("on a sunny day", "in the sun", "on a clear day", "under a blue sky"),
    ),
    "setting:downtown": (
        (
            "a downtown street",
            "a city street",
            "the city",
            "downtown",
            "a street between tall buildings",
            "the inner city",
        ),
        ("downtown", "in the city", "on a city street", "on a downtown street"),
    ),
    "setting:residential": (
        ("a quiet residential street", "a residential street", "a suburban street", "a neighborhood", "suburbs"),
        ("on a residential street", "in the suburbs", "in a neighborhood", "along a residential street"),
    ),
    "setting:highway": (
        ("a multi-lane highway", "a highway", "a freeway", "a motorway", "an expressway"),
        ("on a highway", "on the freeway", "on a motorway"),
    ),
    "setting:desert": (
        ("a road through the desert", "a desert road", "the desert", "sand and dust", "an arid landscape"),
        ("in the desert", "on a desert road", "on a road through the desert"),
    ),
    "setting:beach": (
        ("a street along the beach", "a beach road", "a coastal road", "the seaside", "a beachfront street"),
        ("by the beach", "by the sea", "on a beachfront street", "along the ocean"),
    ),
    "setting:hillside": (
        (
            "a winding road in the hills",
            "a mountain road",
            "a hillside road",
            "a road through the hills",
            "a winding road",
        ),
        ("on a mountain road", "on a winding road", "in the hills"),
    ),
}
COLOURS = {
    "red": ("red",), "blue": ("blue",), "white": ("white",), "black": ("black",), "yellow": ("yellow",),
    "green": ("green",), "orange": ("orange",), "gray": ("gray", "grey"), "silver": ("silver", "silver-gray"),
    "brown": ("brown",),
}  # fmt: skip
NUMBERS = {1: ("one", "a single", "exactly one"), 2: ("two", "a pair of", "2"), 3: ("three", "3"), 4: ("four", "4")}
DONE: dict[str, tuple[str, ...]] = {  # what a vehicle or person does; {} is the noun without its article
    "parked": ("a parked {}", "a {} parked along the street", "a {} parked at the curb", "a {} that stands still"),
    "stopped": ("a {} waiting at a red light", "a {} stopped at a light", "a waiting {}", "a {} that has stopped"),
    "driving": ("a moving {}", "a {} driving down the road", "a {} in traffic", "a {} on the move"),
    "oncoming": ("an oncoming {}", "a {} coming towards the camera", "a {} coming towards us", "the front of a {}"),
    "away": (
        "a {} seen from behind",
        "the back of a {}",
        "a {} driving away",
        "a {} driving ahead of us",
        "a {} ahead",
    ),
    "walking": ("a {} walking on the sidewalk", "a walking {}", "a {} taking a walk"),
    "standing": ("a {} standing on the sidewalk", "a standing {}", "a {} waiting by the road"),
    "crossing": ("a {} crossing the street", "a {} crossing the road", "a {} on the crosswalk", "a {} walking across"),
}

# Words of everyday searches that no caption of ours holds; the teacher places them beside those that do.
MORE_WORDS = """
cat kitten puppy hound animal pet bird fish horse cow sheep pig bear lion tiger elephant zebra giraffe monkey
insect bug snake spider flower plant tree forest woods park garden grass field meadow lake river sea ocean beach
sand mountain hill valley desert snow ice winter summer spring autumn rain storm cloud sky sun sunset sunrise
night evening morning city town village street road highway bridge building house skyscraper tower church castle
room kitchen bedroom bathroom office shop restaurant food fruit apple banana orange pizza cake bread meat
vegetable drink coffee tea wine beer car automobile vehicle truck lorry bus coach train tram bicycle bike
motorcycle motorbike scooter boat ship yacht sailboat plane airplane aeroplane aircraft jet helicopter man woman
boy girl child kid baby person people crowd family friends couple face smile portrait group team player football
soccer basketball tennis baseball hockey swimming surfing skiing snowboarding skateboarding running jumping
climbing riding dancing singing playing eating sleeping sitting standing walking concert party wedding birthday
phone telephone computer laptop screen television camera clock watch chair table sofa couch bed lamp door window
book newspaper bottle cup plate knife fork spoon guitar piano violin drum toy ball hat shirt dress shoes jacket
coat glasses bag backpack umbrella flag sign hydrant traffic lights zebra crossing police fire ambulance taxi
cab red green blue yellow black white brown pink purple grey colourful dark bright old young big small happy sad
wet dry empty full fast slow indoor outdoor water fire light shadow reflection wagon van limousine convertible
tractor trailer caravan camper tank rickshaw carriage wheel tyre tire pavement sidewalk kerb curb lane asphalt
""".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Question:
    """Words, and the attributes that a scene must have to answer them (joined as in streets/queries.py)."""

    words: str
    needs: str


def singles(attributes: Iterable[str]) -> list[Question]:
    """Every way to ask for one attribute, or for what is always asked of several (a sunny day)."""
    found = []
    for attribute in attributes:
        if attribute in AREAS:
            found += [Question(words, attribute) for words in AREAS[attribute]]
            continue
        for words in things(attribute):
            found += [Question(template.format(words), attribute) for template in dict.fromkeys(THING_TEMPLATES)]
    found += [Question(words, needs) for needs, (alone, _) in CIRCUMSTANCES.items() for words in alone]
    found += [
        Question(f"{place} {tail}", needs)
        for needs, (_, tails) in CIRCUMSTANCES.items()
        for tail in tails
        for place in PLACES
        if not needs.startswith("setting:")
    ]
    return [Question(articled(question.words), question.needs) for question in found]


def circumstances(attributes: Iterable[str]) -> list[Question]:
    """Every thing in every light, weather and place, in plain words: 'a lorry at dusk'."""
    return [
        Question(articled(f"a {noun} {tail}"), f"{attribute} + {needs}")
        for attribute in attributes
        if attribute in NOUNS
        for noun in NOUNS[attribute][:2]
        for needs, (_, tails) in CIRCUMSTANCES.items()
        for tail in tails[:2]
    ]


def things(attribute: str) -> list[str]:
    """How a thing, also with a colour, an action or a number, is called: 'red any car' -> 'a red car', 'red cars', …"""
    first, _, rest = attribute.partition(" ")
    if attribute in NOUNS:
        nouns = NOUNS[attribute]
        return [*(f"a {noun}" for noun in nouns), *nouns, *(plural(noun) for noun in nouns[:2])]
    if first.isdigit():
        return _numbered(int(first), rest)
    if first in COLOURS and rest in NOUNS:
        return [words for colour in COLOURS[first] for noun in NOUNS[rest] for words in _coloured(colour, noun, rest)]
    noun, _, action = attribute.rpartition(" ")
    if noun in NOUNS and action in DONE:
        return [phrase.format(name) for phrase in DONE[action] for name in NOUNS[noun][:2]]
    return []


def compounds(rng: random.Random, scenes: Sequence[Iterable[str]], count: int) -> list[Question]:
    """`count` different questions of two or three attributes, each true of one of `scenes` (their attributes)."""
    found: dict[str, Question] = {}
    for _ in range(20 * count):
        true = set(rng.choice(scenes))
        question = _compound(rng, true)
        if question is not None:
            found.setdefault(question.words, question)
        if len(found) == count:
            break
    return list(found.values())


def _compound(rng: random.Random, true: set[str]) -> Question | None:
    asked = sorted(name for name in true if things(name) and not name.partition(" ")[0].isdigit())
    scenery = sorted(name for name in true if name in AREAS and not name.startswith("no "))
    around = [needs for needs in CIRCUMSTANCES if holds(needs, true)]
    parts = rng.choice(("thing tail", "thing tail", "thing thing", "thing area", "place tail", "thing thing tail"))
    words, needs = "", list[str]()
    for part in parts.split():
        if part == "thing" and asked:
            name = rng.choice(asked)
            said = rng.choice(things(name))
        elif part == "area" and scenery:
            name = rng.choice(scenery)
            said = rng.choice(AREAS[name])
        elif part == "place" and around:
            name = rng.choice(around)
            said = rng.choice(CIRCUMSTANCES[name][0])
        elif part == "tail" and around:
            name = rng.choice(around)
            said = rng.choice(CIRCUMSTANCES[name][1])
        else:
            return None
        if name in needs:
            return None
        joint = " " if part == "tail" else rng.choice((" and ", " and ", " with ", ", ")) if words else ""
        words, needs = f"{words}{joint}{said}", [*needs, name]
    return Question(articled(words), " + ".join(needs)) if len(needs) > 1 else None


def holds(needs: str, true: set[str]) -> bool:
    """Whether a scene with these attributes answers."""
    return all(any(name in true for name in need.split(" or ")) for need in needs.split(" + "))


def plural(noun: str) -> str:
    """'person on a motorcycle' -> 'people on a motorcycle'."""
    head, glue, rest = noun.partition(" on a ")
    first, _, last = head.rpartition(" ")
    many = PLURALS.get(last)
    if many is None and re.search(r"[^aeiou]y$", last):
        many = f"{last[:-1]}ies"
    many = many or (f"{last}es" if last.endswith(("s", "x", "ch", "sh")) else f"{last}s")
    return f"{first} {many}".strip() + glue + rest


def articled(text: str) -> str:
    """'a airplane' -> 'an airplane'; 'a SUV' -> 'an SUV'."""
    return re.sub(r"\ba (?=[aeioAEIO]|SUV)", "an ", text)


def _coloured(colour: str, noun: str, tag: str) -> list[str]:
    if tag == "person":
        return [f"a {noun} in {colour}", f"a {noun} wearing {colour}", f"{colour} clothes"]
    return [f"a {colour} {noun}", f"{colour} {noun}", f"{colour} {plural(noun)}", f"the {colour} {noun}"]


def _numbered(number: int, noun: str) -> list[str]:
    """'2 any cars' -> 'two cars'."""
    singular = next((tag for tag in NOUNS if noun in (tag, f"{tag}s", plural(tag))), None)
    if singular is None:
        return []
    names = NOUNS[singular][:2]
    said = names if number == 1 else [plural(name) for name in names]
    return [f"{word} {name}" for word in NUMBERS[number] for name in said]


def fragments(captions: list[str], count: int, seed: int) -> list[str]:
    """`count` runs of one to five words out of captions: people search with pieces, not with sentences."""
    rng = random.Random(seed)
    found = set()
    for _ in range(count * 2):
        words = rng.choice(captions).lower().replace(".", "").split()
        start, length = rng.randrange(len(words)), rng.randint(1, 5)
        found.add(" ".join(words[start : start + length]))
        if len(found) >= count:
            break
    return sorted(found)


def misspell(text: str, rng: random.Random) -> str:
    """One letter dropped, doubled, swapped or replaced."""
    if len(text) < 4:
        return text
    at = rng.randrange(1, len(text) - 1)
    change = rng.randrange(4)
    if change == 0:
        return text[:at] + text[at + 1 :]
    if change == 1:
        return text[:at] + text[at] + text[at:]
    if change == 2:
        return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]
    return text[:at] + rng.choice("abcdefghijklmnoprstuvwy") + text[at + 1 :]
