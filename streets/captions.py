"""Sentences about what can be seen. Knows no Blender."""

from __future__ import annotations

import random

NUM = {2: "two", 3: "three", 4: "four"}
PLACE = {
    "downtown": ("a city street", "a street in the city", "a downtown street"),
    "residential": ("a residential street", "the street", "a neighborhood street"),
    "highway": ("a highway", "a freeway", "a multi-lane highway"),
    "desert": ("a desert road", "a road in the desert", "a long desert highway"),
    "beach": ("a street by the beach", "a road along the ocean", "a beachfront street"),
    "hillside": ("a winding hillside road", "a road in the hills", "a mountain road"),
}


def plural(s):
    return {"person": "people", "bus": "buses"}.get(s, s + "s")


def an(s):
    return ("an " if s[0] in "aeio" or s.startswith("SUV") else "a ") + s


def captions(sc, seen, area, k=5):
    """BLIP-like sentences from what is visible; returns k different ones."""
    r = random.Random(f"caption-{sc['seed']}")

    def name(d):
        return "SUV" if d["tag"] == "suv" else d["tag"]

    cars = [d for d in seen if d.get("vehicle") and d["tag"] != "bicycle"][:4]
    kinds = {d["tag"] for d in seen}
    people = [d for d in seen if d["tag"] == "person"]

    def place():
        return r.choice(PLACE[sc["setting"]])

    when = {
        "noon": "on a sunny day",
        "afternoon": "on a sunny day",
        "sunset": "at sunset",
        "night": "at night",
        "overcast": "on a cloudy day",
    }[sc["light"]]
    when = (
        {"fog": "in the fog", "rain": "on a wet rainy day"}.get(sc["weather"], when)
        if sc["light"] != "night"
        else {"fog": "on a foggy night", "rain": "on a rainy night"}.get(sc["weather"], when)
    )
    feats = []
    first = ("stop sign", "traffic light")
    for d in sorted(seen, key=lambda d: d["tag"] not in first):
        if d["tag"] == "traffic light":
            feats.append(f"a {({'amber': 'yellow'}).get(d['colour_name'], d['colour_name'])} traffic light")
        elif d["tag"] in ("stop sign", "fire hydrant", "bus stop"):
            feats.append("a " + d["tag"])
        elif d["tag"] == "highway sign":
            feats.append("green highway signs")
    for tag, lim, text in (
        ("palm", 0.012, "palm trees"),
        ("tree", 0.03, "trees"),
        ("hedge", 0.03, "hedges"),
        ("cactus", 0.003, "cacti"),
        ("sea", 0.01, "the ocean"),
        ("hills", 0.02, "hills"),
        ("guardrail", 0.01, "a guardrail"),
        ("barrier", 0.02, "concrete barriers"),
    ):
        if area.get(tag, 0) >= lim and not (tag == "hills" and sc["weather"] == "fog"):
            feats.append({"hills": "mountains in the background", "sea": "the ocean on the left"}.get(tag, text))
    if area.get("building", 0) > 0.12:
        feats.append("tall buildings" if sc["setting"] == "downtown" else "buildings")
    lead = feats[:1] if feats and any(w in feats[0] for w in ("light", "sign", "hydrant", "stop")) else []
    rest = [f for f in feats if f not in lead]
    r.shuffle(rest)
    two = (lead + rest)[:2]
    wth = " with " + " and ".join(two) if two else ""
    one = " with " + (lead + rest)[0] if two else ""

    def verb(d):
        return {"parked": "parked on the side of", "stopped": "stopped on"}.get(
            d["action"],
            r.choice(("driving down", "driving on", "driving down"))
            if d["tag"] not in ("motorcycle", "bicycle")
            else "riding down",
        )

    def full(d):
        nm = name(d)
        if d["tag"] in ("police car", "ambulance", "taxi"):
            return an(nm if d["tag"] != "taxi" else "yellow taxi")
        if d["tag"] in ("motorcycle", "bicycle"):
            return f"a person on {an(d['colour_name'] + ' ' + nm)}"
        return an(d["colour_name"] + " " + nm)

    bikes = [d for d in seen if d["tag"] == "bicycle"]
    main = (cars or bikes)[:1]
    out = []
    if main:
        d = main[0]
        short = full(d) if d["tag"] in ("motorcycle", "bicycle") else an(name(d))
        out.append(f"there is {short} {verb(d)} {place()}{one}")
        out.append(f"{full(d)} {verb(d)} {place()} {when}")
        group = [c for c in cars if c["action"] == d["action"]]
        if len(group) >= 2:
            tags = {c["tag"] for c in group}
            noun = (
                plural(name(group[0]))
                if len(tags) == 1
                else ("cars" if tags <= {"car", "sports car", "suv", "taxi", "police car"} else "vehicles")
            )
            out.append(
                f"there are {NUM[len(group)]} {noun} {verb(d) if d['action'] == 'parked' else 'driving down' if d['action'] == 'driving' else 'stopped on'} {place()}{r.choice((one, wth))}"
            )
        if len(cars) >= 2:
            a, b = cars[0], cars[1]
            out.append(f"{full(a)} and {full(b)} on {place()}{one}")
        if d["tag"] != "bicycle":
            side = "seen from behind" if d["facing"] == "away" else "coming towards the camera"
            out.append(f"{full(d)} {side} on {place()}{wth}")
    else:
        if not area.get("any vehicle"):
            out.append(f"there is {place().replace('the street', 'a street')} with no cars on it")
            out.append(f"an empty {place().removeprefix('a ').removeprefix('the ')} {when}")
        out.append(f"there is {place().replace('the street', 'a street')}{wth}")
    out.append(f"a view of {place()}{wth} {when}")
    if lead:
        out.append(f"{lead[0]} on {place()} {when}")
    if people:
        d = people[0]
        len(people)
        act = {
            "walking": "walking on the sidewalk",
            "standing": "standing on the sidewalk",
            "crossing": "crossing the street",
        }[d["action"]]
        same = sum(p["action"] == d["action"] for p in people)
        subj = f"a person in {an(d['colour_name'] + ' shirt')} is" if same == 1 else f"{NUM[min(same, 4)]} people are"
        out.insert(1, f"{subj} {act} {when}")
    if bikes and cars:
        out.insert(1, f"{full(bikes[0])} riding down {place()}")
    for rare, text in (
        ("helicopter", "a helicopter flying in the sky over"),
        ("boat", "a sailboat on the sea next to"),
        ("plane", "an airplane flying in the sky above"),
        ("dog", "a dog on"),
    ):
        if rare in kinds:
            out.insert(0, f"there is {text} {place()}")
            out.insert(2, f"{text} {place()} {when}")
    uniq = list(dict.fromkeys(" ".join(c.split()) for c in out))
    return uniq[:k]
