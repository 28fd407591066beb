"""What people would type, with the pictures of the test split that answer it: streets-queries.jsonl. Knows no Blender.

    from streets.queries import write
    write(farm.records(folder), Path("streets-queries.jsonl"))

Each query names attributes of truth.py. A picture answers it when all of them are true of it, and is doubtful when some
of them are doubtful and none is false. A query is kept when it has answers enough for its number to mean something,
and not so many that chance finds them. Queries of kind `none` have no answer: what they ask for is in no scene.

The form is that of `sightline eval --qrels` (docs/evaluation.md), where `apart` queries count for their kind alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streets.sample import is_test
from streets.truth import attributes

LEAST_ANSWERS = 10
MOST_SHARE = 0.6
"""Of the test split that answers a query: above it a guess is as good as a search."""
NONE, COUNT = "none", "count"
EITHER = " or "
"""Between attributes of which one is enough."""


@dataclass(frozen=True, slots=True)
class Query:
    words: str
    kind: str
    needs: tuple[str, ...]
    """Attributes, all of which a picture must have. Of kind `none`: those that no picture has together."""


Picture = tuple[int, set[str], set[str]]
"""Seed, true and doubtful attributes."""


def write(records: Iterable[Mapping[str, Any]], path: Path) -> dict[str, int]:
    """Writes the queries that the test scenes among `records` can answer, a JSON object a line.

    Returns the number of queries of each kind and, as `left out`, of those that had too few answers or too many.
    """
    lines, pictures = [], [(record["seed"], *attributes(record)) for record in records if is_test(record["seed"])]
    counts: Counter[str] = Counter({"left out": 0})
    for query in every():
        line = judged(query, pictures)
        counts[query.kind if line else "left out"] += 1
        if line:
            lines.append(json.dumps(line, ensure_ascii=False))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return dict(counts)


def judged(query: Query, pictures: Iterable[Picture]) -> dict[str, Any] | None:
    """The query with the names of the pictures that answer it; None when it is of no use with these pictures."""
    given = list(pictures)
    relevant, doubtful = answers(query.needs, given)
    if query.kind == NONE:
        useful = not relevant and not doubtful
    else:
        useful = LEAST_ANSWERS <= len(relevant) <= MOST_SHARE * len(given)
    if not useful:
        return None
    line = {
        "query": query.words,
        "kind": query.kind,
        "relevant": [f"streets:{seed}" for seed in relevant],
        "doubtful": [f"streets:{seed}" for seed in doubtful],
    }
    return line | ({"apart": True} if query.kind == COUNT else {})


def answers(needs: Sequence[str], pictures: Iterable[Picture]) -> tuple[list[int], list[int]]:
    """The seeds of which all `needs` are true, and those of which some are doubtful and none is false; both rising.

    Nothing answers a query that needs nothing.
    """
    relevant: list[int] = []
    doubtful: list[int] = []
    for seed, true, maybe in sorted(pictures, key=lambda picture: picture[0]):
        if needs and all(has(need, true | maybe) for need in needs):
            (relevant if all(has(need, true) for need in needs) else doubtful).append(seed)
    return relevant, doubtful


def has(need: str, said: Set[str]) -> bool:
    """Whether the attribute, or one of those that EITHER joins, is among what is said."""
    return any(attribute in said for attribute in need.split(EITHER))


def every() -> Iterator[Query]:
    """All queries there are, also those that a set of scenes cannot answer."""
    for kind, asked in ANSWERABLE.items():
        for words, needs in asked.items():
            yield Query(words, kind, tuple(needs.split(" + ")))
    for words, needs in NEVER_TOGETHER.items():
        yield Query(words, NONE, tuple(needs.split(" + ")))
    for absent in NOWHERE.values():
        for words in absent:
            yield Query(words, NONE, ())


PAVED = "setting:downtown or setting:residential or setting:beach"
SUNNY = "weather:clear + light:noon or light:afternoon"

ANSWERABLE: dict[str, dict[str, str]] = {  # kind -> words -> attributes
    "object": {
        "a bus": "bus",
        "a taxi": "taxi",
        "a police car": "police car",
        "an ambulance": "ambulance",
        "a van": "van",
        "an SUV": "suv",
        "a sports car": "sports car",
        "a pickup truck": "pickup truck",
        "a box truck": "truck",
        "a dump truck": "dump truck",
        "a motorcycle": "motorcycle",
        "somebody riding a bicycle": "bicycle",
        "a pedestrian": "person",
        "a dog": "dog",
        "a sailboat on the sea": "boat",
        "a helicopter in the sky": "helicopter",
        "an airplane in the sky": "plane",
        "a stop sign": "stop sign",
        "a traffic light": "traffic light",
        "a fire hydrant": "fire hydrant",
        "a bus stop": "bus stop",
        "a highway sign": "highway sign",
        "a street lamp": "street lamp",
        "a crosswalk": "crosswalk",
        "utility poles along the road": "utility pole",
        "a billboard": "billboard",
        "a bench": "bench",
        "beach umbrellas": "umbrella",
        "a lifeguard hut": "lifeguard hut",
        "palm trees": "palm trees",
        "cacti": "cacti",
        "the ocean": "ocean",
        "mountains in the distance": "mountains",
        "tall buildings": "tall buildings",
        "houses": "houses",
        "hedges": "hedges",
        "a guardrail along the road": "guardrail",
        "a concrete barrier": "concrete barrier",
        "rocks beside the road": "rocks",
    },
    "colour": {
        "a red car": "red any car",
        "a blue car": "blue any car",
        "a white car": "white any car",
        "a black car": "black any car",
        "a silver car": "silver any car",
        "a green car": "green any car",
        "a yellow car": "yellow any car",
        "an orange car": "orange any car",
        "a yellow taxi": "yellow taxi",
        "a red sports car": "red sports car",
        "a yellow sports car": "yellow sports car",
        "an orange sports car": "orange sports car",
        "a black SUV": "black suv",
        "a white SUV": "white suv",
        "a red SUV": "red suv",
        "a red pickup truck": "red pickup truck",
        "a white pickup truck": "white pickup truck",
        "a blue pickup truck": "blue pickup truck",
        "a red truck": "red any truck",
        "a white truck": "white any truck",
        "a blue truck": "blue any truck",
        "a yellow truck": "yellow any truck",
        "an orange truck": "orange any truck",
        "an orange dump truck": "orange dump truck",
        "a yellow dump truck": "yellow dump truck",
        "a blue bus": "blue bus",
        "a red bus": "red bus",
        "a green bus": "green bus",
        "a white bus": "white bus",
        "a white van": "white van",
        "a black van": "black van",
        "a blue van": "blue van",
        "a red motorcycle": "red motorcycle",
        "a black motorcycle": "black motorcycle",
        "a red bicycle": "red bicycle",
        "a blue bicycle": "blue bicycle",
        "a red vehicle": "red vehicle",
        "a blue vehicle": "blue vehicle",
        "a green vehicle": "green vehicle",
        "a yellow vehicle": "yellow vehicle",
        "a person in red": "red person",
        "a person in blue": "blue person",
        "a person in white": "white person",
        "a person in yellow": "yellow person",
        "a person in green": "green person",
        "a red traffic light": "red traffic light",
        "a green traffic light": "green traffic light",
        "a yellow traffic light": "yellow traffic light",
    },
    "time": {
        "a street at night": "light:night",
        "a road at sunset": "light:sunset",
        "a bright sunny day": SUNNY,
        "night in the city": "light:night + setting:downtown",
        "sunset over a highway": "light:sunset + setting:highway",
        "sunset by the sea": "light:sunset + setting:beach",
        "sunset in the desert": "light:sunset + setting:desert",
        "a residential street at night": "light:night + setting:residential",
        "a highway at night": "light:night + setting:highway",
    },
    "weather": {
        "a foggy road": "weather:fog",
        "rain on the road": "weather:rain",
        "an overcast sky": "weather:overcast",
        "a clear blue sky": SUNNY,
        "rain in the city": "weather:rain + setting:downtown",
        "fog in a residential street": "weather:fog + setting:residential",
        "a rainy night": "weather:rain + light:night",
        "a car in the rain": "weather:rain + any car",
        "a car in the fog": "weather:fog + any car",
        "a highway in the fog": "weather:fog + setting:highway",
        "a wet street by the sea": "weather:rain + setting:beach",
    },
    "setting": {
        "a downtown street": "setting:downtown",
        "a quiet residential street": "setting:residential",
        "a multi-lane highway": "setting:highway",
        "a road through the desert": "setting:desert",
        "a street along the beach": "setting:beach",
        "a winding road in the hills": "setting:hillside",
        "palm trees along a residential street": "setting:residential + palm trees",
        "downtown in daylight": "setting:downtown + light:day",
        "a sunny beach road": f"setting:beach + {SUNNY}",
        "a sunny suburban street": f"setting:residential + {SUNNY}",
        "a highway on a clear day": f"setting:highway + {SUNNY}",
    },
    "action": {
        "a parked car": "any car parked",
        "a parked truck": "any truck parked",
        "a parked van": "van parked",
        "a parked taxi": "taxi parked",
        "cars waiting at a red light": "any car stopped + red traffic light",
        "a vehicle stopped at a red light": "vehicle stopped + red traffic light",
        "a car coming towards the camera": "any car oncoming",
        "a car seen from behind": "any car away",
        "a truck coming towards us": "any truck oncoming",
        "a truck driving ahead of us": "any truck away",
        "an oncoming bus": "bus oncoming",
        "the back of a bus": "bus away",
        "an oncoming motorcycle": "motorcycle oncoming",
        "a motorcycle seen from behind": "motorcycle away",
        "an oncoming taxi": "taxi oncoming",
        "a van driving away": "van away",
        "a person crossing the street": "person crossing",
        "a person walking on the sidewalk": f"person walking + {PAVED}",
        "a person standing on the sidewalk": f"person standing + {PAVED}",
        "a person crossing before a waiting car": "person crossing + vehicle stopped",
    },
    "pair": {
        "a bus and a car": "bus + any car",
        "a bus and a truck": "bus + any truck",
        "a bus and a motorcycle": "bus + motorcycle",
        "a bus and a traffic light": "bus + traffic light",
        "a bus at night": "bus + light:night",
        "a bus on a highway": "bus + setting:highway",
        "a bus on a mountain road": "bus + setting:hillside",
        "a bus downtown": "bus + setting:downtown",
        "a taxi at night": "taxi + light:night",
        "a taxi downtown": "taxi + setting:downtown",
        "a taxi and a traffic light": "taxi + traffic light",
        "a truck on a desert road": "any truck + setting:desert",
        "a truck on a highway": "any truck + setting:highway",
        "a truck at sunset": "any truck + light:sunset",
        "a truck at night": "any truck + light:night",
        "a truck and a motorcycle": "any truck + motorcycle",
        "a truck and a highway sign": "any truck + highway sign",
        "a car and a highway sign": "any car + highway sign",
        "a red car by the beach": "red any car + setting:beach",
        "a red car at night": "red any car + light:night",
        "a red car in the desert": "red any car + setting:desert",
        "a red car and a person": "red any car + person",
        "a red car and a blue car": "red any car + blue any car",
        "a blue car on a sunny day": f"blue any car + {SUNNY}",
        "a black car in the city": "black any car + setting:downtown",
        "a white car on a residential street": "white any car + setting:residential",
        "a sports car on a winding road": "sports car + setting:hillside",
        "a sports car on a highway": "sports car + setting:highway",
        "a sports car at sunset": "sports car + light:sunset",
        "a car at sunset": "any car + light:sunset",
        "a car at night": "any car + light:night",
        "a car in the desert": "any car + setting:desert",
        "a car on a mountain road": "any car + setting:hillside",
        "a car and a truck": "any car + any truck",
        "a car and a motorcycle": "any car + motorcycle",
        "a car and a stop sign": "any car + stop sign",
        "a car and a fire hydrant": "any car + fire hydrant",
        "a police car on a highway": "police car + setting:highway",
        "a police car at night": "police car + light:night",
        "an ambulance and a car": "ambulance + any car",
        "a motorcycle on an open road": "motorcycle + setting:desert or setting:hillside or setting:highway",
        "a motorcycle at night": "motorcycle + light:night",
        "a van and a car": "van + any car",
        "a van on a street by the sea": "van + setting:beach",
        "a person and a bus stop": "person + bus stop",
        "a person and a dog": "person + dog",
        "a person at night": "person + light:night",
        "a person in the rain": "person + weather:rain",
        "a person in the fog": "person + weather:fog",
        "a person and a fire hydrant": "person + fire hydrant",
        "a person and a stop sign": "person + stop sign",
        "a person on a beachfront street": "person + setting:beach",
        "a person crossing at a red light": "person crossing + red traffic light",
        "a person crossing at a stop sign": "person crossing + stop sign",
        "a dog on a residential street": "dog + setting:residential",
        "a dog on a city street": "dog + setting:downtown",
        "a dog and a car": "dog + any car",
        "a dog on a sunny day": f"dog + {SUNNY}",
        "a helicopter above a road on a sunny day": f"helicopter + {SUNNY}",
        "a helicopter over a city street": "helicopter + setting:downtown",
        "a helicopter and a car": "helicopter + any car",
        "an airplane over a car": "plane + any car",
        "an airplane at sunset": "plane + light:sunset",
        "a sailboat and palm trees": "boat + palm trees",
        "a sailboat and a car": "boat + any car",
        "a stop sign at night": "stop sign + light:night",
        "a stop sign and palm trees": "stop sign + palm trees",
        "a traffic light at night": "traffic light + light:night",
        "a traffic light in the rain": "traffic light + weather:rain",
        "a traffic light by the beach": "traffic light + setting:beach",
        "a red traffic light at a crosswalk": "red traffic light + crosswalk",
        "cacti and mountains": "cacti + mountains",
        "cacti at sunset": "cacti + light:sunset",
        "palm trees at sunset": "palm trees + light:sunset",
        "palm trees at night": "palm trees + light:night",
    },
    COUNT: {
        "an empty road without any vehicles": "no vehicles",
        "a street without people": "no people",
        "exactly one vehicle": "1 vehicle",
        "two vehicles": "2 vehicles",
        "three vehicles": "3 vehicles",
        "four vehicles": "4 vehicles",
        "two cars": "2 any cars",
        "three cars": "3 any cars",
        "four cars": "4 any cars",
        "two trucks": "2 any trucks",
        "two taxis": "2 taxis",
        "two buses": "2 buses",
        "two vans": "2 vans",
        "two motorcycles": "2 motorcycles",
        "a single person": "1 person",
        "two people": "2 people",
        "three people": "3 people",
    },
}

NEVER_TOGETHER = {  # near misses: of each, both are in the scenes, but never in one
    "a stop sign on a highway": "stop sign + setting:highway",
    "a stop sign in the desert": "stop sign + setting:desert",
    "a traffic light in the desert": "traffic light + setting:desert",
    "a traffic light on a highway": "traffic light + setting:highway",
    "a traffic light on a winding mountain road": "traffic light + setting:hillside",
    "a fire hydrant in the desert": "fire hydrant + setting:desert",
    "a fire hydrant on a highway": "fire hydrant + setting:highway",
    "a bus stop in the desert": "bus stop + setting:desert",
    "a bus stop on a highway": "bus stop + setting:highway",
    "a person walking on a highway": "person + setting:highway",
    "a dog on a highway": "dog + setting:highway",
    "a sailboat at night": "boat + light:night",
    "a sailboat in the desert": "boat + setting:desert",
    "a sailboat and cacti": "boat + cacti",
    "cacti between skyscrapers": "cacti + tall buildings",
    "cacti along a highway with several lanes": "cacti + setting:highway",
    "the ocean behind cacti": "ocean + cacti",
    "an airplane at night": "plane + light:night",
    "a helicopter at night": "helicopter + light:night",
    "a highway sign above a residential street": "highway sign + setting:residential",
    "a highway sign above a beach": "highway sign + setting:beach",
    "a red ambulance": "red ambulance",
    "a green police car": "green police car",
    "a stop sign and a traffic light": "stop sign + traffic light",
}

NOWHERE: dict[str, tuple[str, ...]] = {  # what no scene has -> queries for it
    "elephant": ("an elephant on the road", "an elephant crossing a street"),
    "cat": ("a cat on a wall", "a black cat crossing the street"),
    "horse": ("a horse beside the road", "a police officer on a horse"),
    "cow": ("a cow standing on the road",),
    "sheep": ("sheep blocking a country road",),
    "deer": ("a deer at the roadside",),
    "kangaroo": ("a kangaroo hopping across a desert road",),
    "camel": ("a camel in the desert",),
    "pigeons": ("pigeons on the sidewalk",),
    "seagull": ("a seagull over the beach",),
    "snake": ("a snake on the asphalt",),
    "bear": ("a bear near the guardrail",),
    "giraffe": ("a giraffe behind a fence",),
    "penguin": ("a penguin",),
    "duck": ("a duck with ducklings crossing the road",),
    "kitchen": ("a kitchen with a stove",),
    "bedroom": ("a tidy bedroom",),
    "sofa": ("a living room with a sofa",),
    "classroom": ("children in a classroom",),
    "office": ("people working in an office",),
    "bathtub": ("a bathtub",),
    "bookshelf": ("a bookshelf full of books",),
    "laptop": ("a laptop on a desk",),
    "supermarket": ("the aisles of a supermarket",),
    "elevator": ("inside an elevator",),
    "theater": ("the stage of a theater",),
    "cake": ("a birthday cake with candles",),
    "sushi": ("a plate of sushi",),
    "hamburger": ("a hamburger with fries",),
    "coffee": ("a cup of coffee",),
    "salad": ("a bowl of salad",),
    "apple": ("a basket of apples",),
    "ice cream": ("a child eating ice cream",),
    "soccer": ("a soccer match", "kids playing soccer in the street"),
    "tennis": ("a tennis player serving",),
    "basketball": ("a basketball hoop on a garage",),
    "baseball": ("a baseball player swinging a bat",),
    "skier": ("a skier on a slope",),
    "surfer": ("a surfer riding a wave",),
    "skateboard": ("a boy on a skateboard",),
    "golf": ("a man playing golf",),
    "marathon": ("runners in a marathon",),
    "kite": ("a kite above the beach",),
    "tram": ("a tram in the city", "a yellow tram and a taxi"),
    "fire engine": ("a fire engine with its ladder out", "a red fire engine at night"),
    "tractor": ("a tractor on a country road", "a green tractor"),
    "train": ("a train at a level crossing", "a freight train in the desert"),
    "subway": ("a subway station",),
    "cement mixer": ("a cement mixer truck",),
    "excavator": ("an excavator digging up the road",),
    "limousine": ("a white limousine",),
    "convertible": ("a convertible with its roof down",),
    "camper": ("a camper with an awning",),
    "garbage truck": ("a garbage truck emptying bins",),
    "tanker": ("a tanker truck on the highway",),
    "car carrier": ("a car carrier loaded with new cars",),
    "golf cart": ("a golf cart",),
    "scooter": ("a girl on an electric scooter",),
    "rickshaw": ("an auto rickshaw in traffic",),
    "carriage": ("a carriage drawn by horses",),
    "tank": ("a military tank on the street",),
    "submarine": ("a submarine near the shore",),
    "cruise ship": ("a cruise ship in the harbor",),
    "canoe": ("two people in a canoe",),
    "hot air balloon": ("a hot air balloon over the hills",),
    "rocket": ("a rocket launch",),
    "parachute": ("a parachute in the sky",),
    "fighter jets": ("fighter jets in formation",),
    "snow": ("a street covered in snow", "cars driving in the snow", "palm trees in the snow"),
    "hail": ("hail on a windshield",),
    "lightning": ("lightning above the city",),
    "tornado": ("a tornado on the plain",),
    "rainbow": ("a rainbow over the road",),
    "flood": ("a flooded street with floating cars",),
    "wildfire": ("a wildfire on the hills",),
    "Eiffel Tower": ("the Eiffel Tower",),
    "Golden Gate": ("the Golden Gate Bridge",),
    "Statue of Liberty": ("the Statue of Liberty",),
    "pyramids": ("the pyramids of Giza",),
    "Big Ben": ("Big Ben in London",),
    "castle": ("a castle on a hill",),
    "church": ("a church with a steeple",),
    "lighthouse": ("a lighthouse on the coast",),
    "windmill": ("a windmill in a field",),
    "ferris wheel": ("a ferris wheel by the sea",),
    "waterfall": ("a waterfall",),
    "volcano": ("a volcano erupting",),
    "glacier": ("a glacier",),
    # not of white or blue: at sunset and in fog a white bus looks pink, a blue van purple
    "pink": ("a pink taxi", "a pink police car"),
    "purple": ("a purple taxi", "a purple ambulance"),
    "polka": ("a polka-dotted van",),
    "turquoise": ("a turquoise dump truck",),
    "violin": ("a woman playing the violin",),
    "guitar": ("a street musician with a guitar",),
    "wedding": ("a bride and groom at a wedding",),
    "wheelchair": ("a person in a wheelchair",),
    "stroller": ("a mother pushing a stroller",),
    "suitcase": ("a traveler pulling a suitcase",),
    "ladder": ("a man on a ladder painting a wall",),
    "selfie": ("friends taking a selfie",),
    "newspaper": ("a man reading a newspaper",),
    "broom": ("a street sweeper with a broom",),
    "handcuffs": ("a man in handcuffs",),
    "parade": ("a parade with a marching band",),
    "protesters": ("protesters with banners",),
    "crash": ("a crash with an overturned car",),
    "explosion": ("an explosion in the street",),
    "flat tire": ("a man changing a flat tire",),
    "tow": ("a tow truck hauling a broken car",),
    "roadworks": ("workers at roadworks", "roadworks with traffic cones"),
    "roundabout": ("a roundabout seen from above",),
    "tunnel": ("the inside of a road tunnel",),
    "toll": ("a toll booth",),
    "parking garage": ("a multi-storey parking garage",),
    "speed camera": ("a speed camera",),
    "phone booth": ("a red phone booth",),
    "fountain": ("a fountain in a square",),
    "Christmas": ("a Christmas tree with lights",),
    "clown": ("a clown with balloons",),
    "x-ray": ("an x-ray of a hand",),
    "spreadsheet": ("a screenshot of a spreadsheet",),
    "map": ("a map of the city",),
    "painting": ("an oil painting of flowers",),
    "galaxy": ("a spiral galaxy",),
}
