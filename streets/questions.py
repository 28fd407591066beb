"""What people would ask of the test split, with what a right answer says: streets-questions.jsonl. Knows no Blender.

    from streets.questions import write
    write(rows, Path("streets-questions.jsonl"))        # rows: seed, attributes and doubtful of every scene

queries.py looks for pictures, this asks about them: whether there are any, how many, which, and what is to be seen in
them. As there, a picture is relevant when all that a question needs is true of it, and doubtful when some of it is
doubtful and none is false. A line is JSON:

    question        the words; kind: exists, count, which, what, when, where, beyond
    relevant        pictures that an answer may rest on; doubtful: neither right nor wrong
    facts           what the answer has to say: of each list at least one, as whole words
    number          [low, true, high] pictures of a `count`; low is what is clear, high counts the doubtful ones too
    unanswerable    nothing in the pictures answers it; of `beyond` because no picture could

A question is kept when its truth is plain enough to mark an answer by: see MOST_DOUBT and MOST_TELLING.
The form is that of `sightline eval --answers` (docs/evaluation.md).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streets.queries import EITHER, SUNNY, Picture, answers, has
from streets.sample import is_test

EXISTS, COUNT, WHICH, WHAT, WHEN, WHERE, BEYOND = "exists", "count", "which", "what", "when", "where", "beyond"
MOST_DOUBT = 0.25
"""Of a counted number that may be doubtful: more, and nearly every answer would be within 25 % of some truth."""
LEAST_COUNTED = 8
"""Pictures: of fewer, one more or less is over 10 %."""
MOST_TELLING = 4
"""At most one in four of the answers that could be given may be right (one always may): else a guess often is."""

Values = Mapping[str, Sequence[str]]
"""Attribute -> words for it; `{}` in the attribute stands for the thing that is asked about."""

COLOURS: Values = {
    **{f"{name} {{}}": (name,) for name in ("red", "orange", "yellow", "green", "blue", "black", "white", "silver")},
    "gray {}": ("gray", "grey"),
}
LIGHT: Values = {
    f"light:noon{EITHER}light:afternoon{EITHER}light:overcast": (
        "day", "daylight", "daytime", "noon", "midday", "afternoon", "sunny", "cloudy", "overcast",
        "gray sky", "grey sky",
    ),
    "light:sunset": ("sunset", "dusk", "evening"),
    "light:night": ("night", "dark", "nighttime"),
}  # fmt: skip
WEATHER: Values = {
    "weather:clear": ("clear", "sunny"),
    "weather:overcast": ("cloudy", "overcast", "gray sky", "grey sky"),
    "weather:rain": ("rain", "rainy", "raining", "wet"),
    "weather:fog": ("fog", "foggy"),
}
SETTINGS: Values = {
    "setting:downtown": ("city", "downtown"),
    "setting:residential": ("residential", "neighborhood", "suburban", "suburb", "quiet street"),
    "setting:highway": ("highway", "highways", "freeway", "freeways"),
    "setting:desert": ("desert",),
    "setting:beach": ("beach", "ocean", "sea", "beachfront", "coastal", "coast"),
    "setting:hillside": ("hills", "hillside", "mountain", "mountains"),
}
ACTIONS: Values = {
    "{} walking": ("walking", "walks", "walk"),
    "{} standing": ("standing", "stands", "stand"),
    "{} crossing": ("crossing", "crosses", "cross"),
    "{} parked": ("parked", "parking"),
    "{} driving": ("driving", "drives", "traveling", "riding", "rides"),
    "{} stopped": ("stopped", "stops", "waiting", "waits"),
}
FLYING: Values = {f"helicopter{EITHER}plane": ("helicopter", "airplane", "plane", "aircraft")}
SAILING: Values = {"boat": ("boat", "boats", "sailboat", "sailboats")}
ANIMALS: Values = {"dog": ("dog", "dogs")}
PLANTS: Values = {"cacti": ("cactus", "cacti"), "palm trees": ("palm", "palms")}


@dataclass(frozen=True, slots=True)
class Question:
    """`needs` are attributes that a picture must have all of; of an unanswerable one, those that no picture has
    together, or none when what is asked for is nowhere. `values` are the right answers that can be given of `thing`.
    """

    words: str
    kind: str
    needs: tuple[str, ...]
    values: Values | None = None
    thing: str = ""
    unanswerable: bool = False


def write(rows: Iterable[Mapping[str, Any]], path: Path) -> dict[str, int]:
    """Writes the questions whose truth is plain for the test scenes among `rows`, a JSON object a line.

    Returns the number of questions of each kind, of the unanswerable ones among them, and, as `left out`, of those
    whose truth is not plain.
    """
    pictures = [(row["seed"], set(row["attributes"]), set(row["doubtful"])) for row in rows if is_test(row["seed"])]
    lines, counts = [], Counter({"unanswerable": 0, "left out": 0})
    for question in every():
        line = judged(question, pictures)
        counts[question.kind if line else "left out"] += 1
        if line:
            counts["unanswerable"] += line["unanswerable"]
            lines.append(json.dumps(line, ensure_ascii=False))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return dict(counts)


def judged(question: Question, pictures: Iterable[Picture]) -> dict[str, Any] | None:
    """The question with its right answer; None when these pictures do not make it plain."""
    given = list(pictures)
    relevant, doubtful = answers(question.needs, given)
    facts: list[list[str]] = []
    number: list[int] | None = None
    if question.kind == BEYOND:  # the pictures are there, and do not say it
        if not relevant:
            return None
        relevant, doubtful = [], sorted(relevant + doubtful)
    elif question.unanswerable:
        if relevant or doubtful:
            return None
    elif question.values is not None:
        relevant, doubtful, said = _telling(question, given, relevant, doubtful)
        if not 1 <= len(said) <= max(1, len(question.values) // MOST_TELLING):
            return None
        facts = [list(dict.fromkeys(word for attribute in said for word in question.values[attribute]))]
    elif question.kind == COUNT:
        number = [len(relevant), len(relevant), len(relevant) + len(doubtful)]
        if len(relevant) < LEAST_COUNTED or len(doubtful) > MOST_DOUBT * len(relevant):
            return None
    elif not relevant:
        return None
    return {
        "question": question.words,
        "kind": question.kind,
        "relevant": [f"streets:{seed}" for seed in relevant],
        "doubtful": [f"streets:{seed}" for seed in doubtful],
        "facts": facts,
        "number": number,
        "unanswerable": question.unanswerable,
    }


def _telling(
    question: Question, pictures: Sequence[Picture], relevant: Sequence[int], doubtful: Sequence[int]
) -> tuple[list[int], list[int], list[str]]:
    """The relevant pictures that tell what is asked, the doubtful ones with those that do not, and what all of them
    tell; nothing when the relevant ones tell less than the doubtful ones.
    """
    true = {seed: attributes for seed, attributes, _ in pictures}

    def told(seeds: Iterable[int]) -> list[str]:
        values = [
            value for value in question.values or () for seed in seeds if has(value.format(question.thing), true[seed])
        ]
        return list(dict.fromkeys(values))

    telling = [seed for seed in relevant if told([seed])]
    said = told(telling)
    more = set(told(doubtful)) - set(said)
    return telling, sorted({*doubtful, *relevant} - set(telling)), [] if more else said


def every() -> Iterator[Question]:
    """All questions there are, also those whose truth a set of scenes does not make plain."""
    for kind, asked in ANSWERABLE.items():
        for words, needs in asked.items():
            yield Question(words, kind, _needs(needs))
    for words, (needs, thing, values) in TELLING.items():
        kind = WHEN if values is LIGHT else WHERE if values is SETTINGS else WHAT
        yield Question(words, kind, _needs(needs), values, thing)
    for kind, asked in UNANSWERABLE.items():
        for words, needs in asked.items():
            yield Question(words, kind, _needs(needs), unanswerable=True)


def _needs(written: str) -> tuple[str, ...]:
    return tuple(written.split(" + ")) if written else ()


ANSWERABLE: dict[str, dict[str, str]] = {  # kind -> words -> attributes
    EXISTS: {
        "Is there a bus in any of these pictures?": "bus",
        "Are there any taxis?": "taxi",
        "do we have footage of an ambulance": "ambulance",
        "any police cars at night?": "police car + light:night",
        "Did the camera ever catch a helicopter?": "helicopter",
        "Is there an airplane in the sky somewhere?": "plane",
        "have we got a picture with a dog in it?": "dog",
        "Can you see a sailboat anywhere?": "boat",
        "Is there a stop sign in the collection?": "stop sign",
        "Are there pictures of fire hydrants?": "fire hydrant",
        "is there a billboard": "billboard",
        "is a red car at night in there": "red any car + light:night",
        "Was it ever foggy on the highway?": "weather:fog + setting:highway",
        "Does it rain downtown in any picture?": "weather:rain + setting:downtown",
        "ARE THERE CACTI AT SUNSET": "cacti + light:sunset",
        "Is there a yellow sports car?": "yellow sports car",
        "any dump trucks?": "dump truck",
        "is there any photo where somebody crosses at a red light?": "person crossing + red traffic light",
        "Do I have a picture of a truck in the desert?": "any truck + setting:desert",
        "did we film a motorcycle after dark?": "motorcycle + light:night",
        "Is there a green traffic light somewhere?": "green traffic light",
        "Are there any pictures of a green bus?": "green bus",
        "Is anybody walking a street in the rain?": "person + weather:rain",
        "do you see a lifeguard hut": "lifeguard hut",
        "Has anyone photographed palm trees at night?": "palm trees + light:night",
        "There is a blue van, isn't there?": "blue van",
        "Is there a picture with a bus and a truck?": "bus + any truck",
        "is ther a parked taxi": "taxi parked",
        "Do we ever see an empty road?": "no vehicles",
        "Any bicycle?": "bicycle",
        "Is there a highway sign?": "highway sign",
    },
    COUNT: {
        "How many pictures show a stop sign?": "stop sign",
        "how many photos have a bus in them": "bus",
        "In how many pictures is there a taxi?": "taxi",
        "How often do we see a police car?": "police car",
        "How many images with an ambulance are there?": "ambulance",
        "number of pictures with a motorcycle?": "motorcycle",
        "How many pictures show a dog?": "dog",
        "How many shots contain a sailboat?": "boat",
        "how many pictures of a helicopter do I have?": "helicopter",
        "In how many photos can you see an airplane?": "plane",
        "How many pictures show a traffic light?": "traffic light",
        "Count the pictures with a fire hydrant.": "fire hydrant",
        "How many pictures show a bus stop?": "bus stop",
        "How many pictures have a highway sign in them?": "highway sign",
        "how many billboard pictures are there?": "billboard",
        "How many pictures were taken at night?": "light:night",
        "How many of these are sunset pictures?": "light:sunset",
        "On how many pictures is it raining?": "weather:rain",
        "How many pictures show a highway?": "setting:highway",
        "How many pictures show cacti?": "cacti",
        "how many pictures of a concrete barrier": "concrete barrier",
        "How many pictures have a red traffic light?": "red traffic light",
        "How many pictures have a green traffic light?": "green traffic light",
        "How many pictures with a yellow taxi do we have?": "yellow taxi",
        "on how many photos is there a pickup truck": "pickup truck",
        "How many pictures contain a dump truck?": "dump truck",
        "How many photos are there of a car?": "any car",
        "how many pictures show a parked car": "any car parked",
        "How many pictures show a highway at night?": "setting:highway + light:night",
        "number of highway pictures at sunset?": "setting:highway + light:sunset",
        "Can you count the photos with a dog and a person?": "dog + person",
        "tell me how many pictures show a bus and a car": "bus + any car",
        "In how many shots is there a car and a stop sign?": "any car + stop sign",
        "How many pictures have a car and a fire hydrant?": "any car + fire hydrant",
        "How often is a car seen at night?": "any car + light:night",
        "How many pictures show a car at sunset?": "any car + light:sunset",
        "what number of photos show a person at night": "person + light:night",
        "How many pictures show a person and a fire hydrant?": "person + fire hydrant",
        "how many times do we see a person with a traffic light": "person + traffic light",
        "Count the photos of a police car on a highway.": "police car + setting:highway",
        "How many pictures show a road without any cars?": "no vehicles",
        "How many pictures show a bus at night?": "bus + light:night",
    },
    WHICH: {
        "Which pictures show a bus at night?": "bus + light:night",
        "show me a taxi downtown": "taxi + setting:downtown",
        "Show me all the dogs.": "dog",
        "which photos have a helicopter in them": "helicopter",
        "find the sailboats": "boat",
        "Which ones show an airplane at sunset?": "plane + light:sunset",
        "let me see the ambulances": "ambulance",
        "Which pictures have a red sports car?": "red sports car",
        "I am looking for the picture with the red bus": "red bus",
        "Where can I see a police car on a highway?": "police car + setting:highway",
        "Pictures of cacti and mountains, please": "cacti + mountains",
        "Which pictures show fog in a residential street?": "weather:fog + setting:residential",
        "show me rain in the city": "weather:rain + setting:downtown",
        "Can you find a motorcycle on the highway?": "motorcycle + setting:highway",
        "which images show a person crossing at a stop sign?": "person crossing + stop sign",
        "Show the photos with a fire hydrant and a car": "fire hydrant + any car",
        "pull up the shots of a traffic light by the beach": "traffic light + setting:beach",
        "Which pictures have a truck coming towards us?": "any truck oncoming",
        "find me a white pickup truck": "white pickup truck",
        "Show me a blue car on a sunny day": f"blue any car + {SUNNY}",
        "Which photographs show somebody in yellow?": "yellow person",
        "get me the orange dump trucks": "orange dump truck",
        "show me the bus stops with people": "bus stop + person",
        "Which pictures were taken in the desert at sunset?": "setting:desert + light:sunset",
        "I want to see a wet street by the sea": "weather:rain + setting:beach",
        "Which picture has a dog on a city street?": "dog + setting:downtown",
        "find a stop sign at night": "stop sign + light:night",
        "Which pictures show two buses?": "2 buses",
        "show three people": "3 people",
        "which of the pictures show a parked truck": "any truck parked",
        "Show me cars waiting at a red light": "any car stopped + red traffic light",
        "Which pictures have a green highway sign?": "green highway sign",
    },
}

TELLING: dict[str, tuple[str, str, Values]] = {  # words -> attributes, thing, answers that could be given
    "What colour are the taxis?": ("taxi", "taxi", COLOURS),
    "What color is the taxi on the highway?": ("taxi + setting:highway", "taxi", COLOURS),
    "what colour was the taxi in the rain": ("taxi + weather:rain", "taxi", COLOURS),
    "What colour is the bus by the sailboat?": ("bus + boat", "bus", COLOURS),
    "What colour is the bus at sunset?": ("bus + light:sunset", "bus", COLOURS),
    "what color is the bus next to the cacti": ("bus + cacti", "bus", COLOURS),
    "What colour is the bus at the traffic light at night?": ("bus + traffic light + light:night", "bus", COLOURS),
    "Which colour does the dump truck in the rain have?": ("dump truck + weather:rain", "dump truck", COLOURS),
    "What colour is the dump truck at night?": ("dump truck + light:night", "dump truck", COLOURS),
    "What colour is the sports car that is parked?": ("sports car parked", "sports car", COLOURS),
    "What color is the pickup truck on the highway?": ("pickup truck + setting:highway", "pickup truck", COLOURS),
    "what colour is the pickup truck at night": ("pickup truck + light:night", "pickup truck", COLOURS),
    "What colour is the pickup truck below the airplane?": ("pickup truck + plane", "pickup truck", COLOURS),
    "What colour is the pickup truck at sunset?": ("pickup truck + light:sunset", "pickup truck", COLOURS),
    "What colour is the motorcycle in the rain?": ("motorcycle + weather:rain", "motorcycle", COLOURS),
    "What colour are highway signs?": ("highway sign", "highway sign", COLOURS),
    "What is flying above the desert?": ("helicopter or plane + setting:desert", "", FLYING),
    "what flies over the beach": ("helicopter or plane + setting:beach", "", FLYING),
    "What can be seen in the sky over the highway?": ("helicopter or plane + setting:highway", "", FLYING),
    "What is on the water next to the coastal road?": ("boat", "", SAILING),
    "What animal is by the side of the road?": ("dog", "", ANIMALS),
    "which animal is on the city street with the bus?": ("dog + bus + setting:downtown", "", ANIMALS),
    "What kind of plants grow along the desert road?": ("cacti + setting:desert", "", PLANTS),
    "What is the taxi next to the cacti doing?": ("taxi + cacti", "taxi", ACTIONS),
    "What does the police car on the highway do?": ("police car + setting:highway", "police car", ACTIONS),
    "what is the bus in the rain doing": ("bus + weather:rain", "bus", ACTIONS),
    "What is the dump truck at night doing?": ("dump truck + light:night", "dump truck", ACTIONS),
    "What is the weather like when the sailboat and a bus are seen?": ("bus + boat", "", WEATHER),
    "What was the weather when we saw the taxi and a dog?": ("taxi + dog", "", WEATHER),
    "how is the weather in the pictures with an ambulance and a helicopter": ("ambulance + helicopter", "", WEATHER),
    "What is the weather like where a helicopter flies over the bus?": ("bus + helicopter", "", WEATHER),
    "What's the weather like in the picture of a police car and an airplane?": ("police car + plane", "", WEATHER),
    "What's the weather with the white pickup truck and the red truck?": (
        "white pickup truck + red any truck",
        "",
        WEATHER,
    ),
    "how was the weather when the ambulance passed the stop sign and the fire hydrant": (
        "ambulance + stop sign + fire hydrant",
        "",
        WEATHER,
    ),
    "What is the weather like where the police car passes the bus stop on a residential street?": (
        "police car + bus stop + setting:residential",
        "",
        WEATHER,
    ),
    "What was the weather like for the person in green and the red SUV?": ("green person + red suv", "", WEATHER),
    "At what hour was the taxi below the helicopter?": ("taxi + helicopter", "", LIGHT),
    "When did we see an ambulance at a stop sign?": ("ambulance + stop sign", "", LIGHT),
    "when was the picture of the ambulance and the billboard taken": ("ambulance + billboard", "", LIGHT),
    "What time is it in the pictures of a pickup truck and a dog?": ("pickup truck + dog", "", LIGHT),
    "What time was it where the pickup truck passes the bus stop?": ("pickup truck + bus stop", "", LIGHT),
    "When was the pickup truck next to the sailboat?": ("pickup truck + boat", "", LIGHT),
    "What time is it when a dump truck passes the sailboat?": ("dump truck + boat", "", LIGHT),
    "When was the police car at the billboard?": ("police car + billboard", "", LIGHT),
    "at what time do we see a sports car and a sailboat?": ("sports car + boat", "", LIGHT),
    "When was the person in blue at the green traffic light?": (
        "blue person + green traffic light",
        "",
        LIGHT,
    ),
    "at what time does the taxi pass the fire hydrant in the rain": (
        "taxi + fire hydrant + weather:rain",
        "",
        LIGHT,
    ),
    "When was the police car at the crosswalk in the rain?": ("police car + crosswalk + weather:rain", "", LIGHT),
    "When was the pickup truck at the traffic light, with an airplane in the sky?": (
        "pickup truck + traffic light + plane",
        "",
        LIGHT,
    ),
    "when does the bicycle pass the bus stop at the yellow light": (
        "bicycle + bus stop + yellow traffic light",
        "",
        LIGHT,
    ),
    "Where are the cacti?": ("cacti", "", SETTINGS),
    "where was the sailboat": ("boat", "", SETTINGS),
    "Where can one see a lifeguard hut?": ("lifeguard hut", "", SETTINGS),
    "Where is the concrete barrier?": ("concrete barrier", "", SETTINGS),
    "where is the taxi with the billboard": ("taxi + billboard", "", SETTINGS),
    "Where did the ambulance stand at a stop sign?": ("ambulance + stop sign", "", SETTINGS),
    "Where are the billboards?": ("billboard", "", SETTINGS),
    "where does the sports car pass a sailboat": ("sports car + boat", "", SETTINGS),
    "On what kind of road is the police car with the cacti?": ("police car + cacti", "", SETTINGS),
}

UNANSWERABLE: dict[str, dict[str, str]] = {  # kind -> words -> attributes, of which no picture has all; "" is nowhere
    EXISTS: {
        "Is there an elephant in any picture?": "",
        "Are there any horses?": "",
        "do we have footage of a tram": "",
        "Did it ever snow?": "",
        "any penguins?": "",
        "Is there a fire engine in the collection?": "",
        "Have we got a photo of a rainbow?": "",
        "is there a cat somewhere": "",
        "Can you see a castle anywhere?": "",
        "Are there pictures of a wedding?": "",
        "Is there a stop sign on a highway?": "stop sign + setting:highway",
        "Is there a traffic light in the desert?": "traffic light + setting:desert",
        "is there a fire hydrant in the desert": "fire hydrant + setting:desert",
        "Did we ever see a dog on the highway?": "dog + setting:highway",
        "Any sailboats at night?": "boat + light:night",
        "Is there a helicopter at night?": "helicopter + light:night",
        "Do we have a red ambulance?": "red ambulance",
        "Are there cacti between skyscrapers?": "cacti + tall buildings",
    },
    COUNT: {
        "How many pictures show an elephant?": "",
        "how many tractors are there?": "",
        "In how many photos can you see a train?": "",
        "How many pictures were taken in the snow?": "",
        "How many surfers do we see?": "",
        "How many pictures show a tunnel?": "",
        "How many pictures show a bus stop in the desert?": "bus stop + setting:desert",
        "how many pictures have an airplane at night in them": "plane + light:night",
        "How many pictures show a green police car?": "green police car",
        "How many pictures show a person on a highway?": "person + setting:highway",
    },
    WHICH: {
        "Which pictures show a giraffe?": "",
        "show me the birthday cake": "",
        "Find the lighthouse on the coast.": "",
        "Which photos were taken at the Eiffel Tower?": "",
        "let me see the hot air balloon": "",
        "Show me people playing soccer": "",
        "Which pictures have a stop sign and a traffic light?": "stop sign + traffic light",
        "show me a bus stop on a highway": "bus stop + setting:highway",
        "Find the sailboat in the desert": "boat + setting:desert",
        "Which pictures show a traffic light on a mountain road?": "traffic light + setting:hillside",
    },
    WHAT: {
        "What colour is the tractor?": "",
        "What is the horse beside the road doing?": "",
        "What is the weather like at the waterfall?": "",
        "what does the menu of the restaurant say?": "",
        "What colour is the guitar?": "",
        "What colour is the fire hydrant in the desert?": "fire hydrant + setting:desert",
        "what color is the stop sign on the highway": "stop sign + setting:highway",
        "What is the weather like where the sailboat passes the cacti?": "boat + cacti",
    },
    WHEN: {
        "When did we see the camel?": "",
        "when was the tornado": "",
        "At what time of day was the train at the level crossing?": "",
        "When was the soccer match?": "",
    },
    WHERE: {
        "Where is the windmill?": "",
        "where did we meet the bear?": "",
        "Where was the picture with the violin taken?": "",
    },
    BEYOND: {  # of what is there, what no picture tells
        "What is the name of the person with the dog?": "person + dog",
        "Who owns the red sports car?": "red sports car",
        "How much does a ride with the taxi cost?": "taxi",
        "Which airline does the airplane belong to?": "plane",
        "How old is the person crossing the street?": "person crossing",
        "What is the phone number on the ambulance?": "ambulance",
        "why is the police car on the highway?": "police car + setting:highway",
    },
}
