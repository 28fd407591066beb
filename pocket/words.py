"""Every text pocket learns from: captions, class prompts, street attributes, and what people may type instead.

Knows no tensors. `street_attributes` says which attributes a scene has; `PHRASES` says how people name each.
"""

from __future__ import annotations

import random
import re
from typing import Any

TEMPLATES = ("a photo of a {}", "{}", "a picture of a {}", "a photo of the {}")
STREET_TEMPLATES = (
    "a road with a {}",
    "a street with a {}",
    "a {} on the road",
    "{}",
    "a photo of a {}",
    "a road with {}",
)

# attribute -> what people call it; the first is the canonical one, used in the measured queries.
TAGS: dict[str, tuple[str, ...]] = {
    "ambulance": ("ambulance", "emergency vehicle"),
    "bicycle": ("bicycle", "bike", "cyclist"),
    "boat": ("boat", "ship"),
    "bus": ("bus", "coach", "public bus"),
    "bus stop": ("bus stop", "bus shelter"),
    "car": ("car", "sedan", "automobile"),
    "dog": ("dog", "puppy"),
    "dump truck": ("dump truck", "tipper truck", "construction truck"),
    "fire hydrant": ("fire hydrant", "hydrant", "red hydrant"),
    "helicopter": ("helicopter", "chopper"),
    "highway sign": ("highway sign", "green highway sign", "overhead road sign"),
    "motorcycle": ("motorcycle", "motorbike", "biker"),
    "person": ("person", "pedestrian", "people", "man", "someone walking"),
    "pickup truck": ("pickup truck", "pickup"),
    "plane": ("plane", "airplane", "aeroplane", "jet"),
    "police car": ("police car", "cop car", "police cruiser"),
    "sports car": ("sports car", "race car", "fast car"),
    "stop sign": ("stop sign", "stop", "red octagonal sign"),
    "street lamp": ("street lamp", "street light", "lamp post"),
    "suv": ("suv", "jeep"),
    "taxi": ("taxi", "cab", "yellow cab"),
    "traffic light": ("traffic light", "traffic signal", "stoplight"),
    "truck": ("truck", "lorry", "delivery truck"),
    "van": ("van", "minivan"),
    "crosswalk": ("crosswalk", "zebra crossing", "pedestrian crossing"),
    "palm": ("palm tree", "palm"),
    "cactus": ("cactus",),
    "tree": ("tree",),
}
SCENES: dict[str, tuple[str, ...]] = {
    "setting downtown": ("a city street", "a downtown street", "downtown", "city", "tall buildings", "skyscrapers"),
    "setting residential": ("a residential street", "a neighborhood street", "houses", "suburb"),
    "setting highway": ("a highway", "a freeway", "motorway", "a multi-lane highway"),
    "setting desert": ("a desert road", "a road in the desert", "desert"),
    "setting beach": ("a street by the beach", "a road along the ocean", "beach", "sea", "coast road", "ocean"),
    "setting hillside": ("a road through the hills", "a hillside road", "hills", "mountain road"),
    "light noon": ("a road at noon", "at noon", "a street at midday"),
    "light afternoon": ("a road in the afternoon", "in the afternoon", "late afternoon light"),
    "light sunset": ("a road at sunset", "at sunset", "a street at sunset", "sunset", "dusk", "evening"),
    "light night": ("a road at night", "at night", "a street at night", "night", "dark", "a car at night"),
    "sunny": ("a road on a sunny day", "on a sunny day", "a sunny street", "sunny", "sunshine", "blue sky"),
    "weather overcast": ("a road on a cloudy day", "on a cloudy day", "overcast", "cloudy", "grey sky"),
    "weather fog": ("a road in the fog", "in the fog", "a foggy street", "fog", "mist", "foggy"),
    "weather rain": ("a road in the rain", "in the rain", "a rainy street", "rain", "wet road", "rainy"),
    "empty": ("an empty road", "an empty street", "no cars", "a road with no cars on it"),
    "red light": ("a red traffic light", "a road with a red traffic light", "red light"),
    "amber light": ("a yellow traffic light", "a road with a yellow traffic light", "amber light"),
    "green light": ("a green traffic light", "a road with a green traffic light", "green light"),
}
COLOURS = ("red", "blue", "white", "black", "yellow", "green", "orange", "gray", "silver", "brown")

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
wet dry empty full fast slow indoor outdoor water fire light shadow reflection
""".split()  # noqa: SIM905


def street_attributes(record: dict[str, Any]) -> set[str]:
    """What is true of a street scene, as keys of TAGS and SCENES and 'colour vehicle' pairs such as 'red car'."""
    scene, found = record["scene"], set()
    for entity in record["entities"]:
        found.add(entity["tag"])
        if entity.get("vehicle") and entity.get("colour_name"):
            found.add(f"{entity['colour_name']} {entity['tag']}")
        if entity["tag"] == "traffic light" and entity.get("colour_name"):
            found.add(
                {"red": "red light", "yellow": "amber light", "amber": "amber light"}.get(
                    entity["colour_name"], "green light"
                )
            )
    found |= {f"setting {scene['setting']}", f"light {scene['light']}", f"weather {scene['weather']}"} & SCENES.keys()
    if scene["weather"] == "clear" and scene["light"] in ("noon", "afternoon"):
        found.add("sunny")
    if not any(entity.get("vehicle") for entity in record["entities"]):
        found.add("empty")
    if scene["crosswalk"] and record["area"].get("crosswalk", 1.0) > 0.001:
        found.add("crosswalk")
    found |= {name for name in ("palm", "cactus", "tree") if record["area"].get(name, 0.0) > 0.01}
    return found


def attribute_phrases(attribute: str) -> list[str]:
    """Ways to ask for an attribute; the first is the measured query ('a road with a stop sign')."""
    if attribute in SCENES:
        return list(SCENES[attribute])
    words = TAGS.get(attribute, (attribute,))
    phrases = [template.format(word) for word in words for template in STREET_TEMPLATES]
    return [re.sub(r"\ba (?=[aeio])", "an ", phrase) for phrase in phrases]


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
