"""What a seed means: a scene as plain JSON types. Knows no Blender."""

from __future__ import annotations

import random

WIDTH, HEIGHT = 480, 270

COLOURS = {
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
VEHICLES = {  # kind -> weight, half length (m), colours
    "car": (9, 2.4, "white black silver gray red blue green"),
    "sports car": (3, 2.3, "red yellow orange blue white black green"),
    "suv": (4, 2.5, "black white gray silver blue red"),
    "pickup truck": (3, 2.8, "red white gray black blue"),
    "truck": (3, 3.8, "white yellow blue orange white"),
    "dump truck": (2, 3.8, "green orange yellow gray"),
    "bus": (3, 5.7, "white blue red green"),
    "van": (3, 2.8, "white black blue gray"),
    "motorcycle": (2.5, 1.1, "red black blue green orange"),
    "taxi": (2.5, 2.4, "yellow"),
    "police car": (2.5, 2.4, "black"),
    "ambulance": (1.5, 2.8, "white"),
    "bicycle": (1.5, 0.9, "red blue black green"),
}
SETTINGS = {  # lanes per direction, pavement width, vehicle/person rate
    "downtown": {"lanes": (2, 3), "walk": 4.5, "w": 3, "curve": 0.0, "hill": 2},
    "residential": {"lanes": (1, 2), "walk": 3.0, "w": 3, "curve": 0.004, "hill": 7},
    "highway": {"lanes": (3, 4), "walk": 0, "w": 2, "curve": 0.002, "hill": 4},
    "desert": {"lanes": (1, 1), "walk": 0, "w": 1.6, "curve": 0.003, "hill": 5},
    "beach": {"lanes": (2, 2), "walk": 4.0, "w": 1.8, "curve": 0.0, "hill": 0},
    "hillside": {"lanes": (1, 1), "walk": 0, "w": 1.6, "curve": 0.007, "hill": 9},
}
SUN_ELEVATION = {  # degrees above the horizon; at night it is the moon's
    "noon": (50, 66),
    "afternoon": (20, 34),
    "sunset": (4, 10),
    "overcast": (40, 60),
    "night": (35, 60),
}


def pick(r, table):
    keys = list(table)
    return r.choices(keys, [table[k][0] if isinstance(table[k], tuple) else table[k] for k in keys])[0]


def sample(seed):
    """Scene description: everything the builder needs, as plain JSON types."""
    r = random.Random(f"streets-{seed}")
    setting = r.choices(list(SETTINGS), [c["w"] for c in SETTINGS.values()])[0]
    c = SETTINGS[setting]
    weather = pick(r, {"clear": 7, "overcast": 1.4, "fog": 0.9, "rain": 1.1})
    light = pick(r, {"noon": 3, "afternoon": 3.5, "sunset": 2, "night": 1.8})
    if weather != "clear" and light != "night":
        light = "overcast"
    control = "none"
    if setting in ("downtown", "residential", "beach"):
        control = pick(r, {"none": 4, "stop": 3.5 if setting == "residential" else 0.8, "light": 3.5})
    lanes = r.randint(*c["lanes"])
    sc = {
        "seed": seed,
        "setting": setting,
        "weather": weather,
        "light": light,
        "control": control,
        "lanes": lanes,
        "signal": r.choice(("red", "amber", "green", "red", "green")),
        "curve": r.uniform(-1, 1) * c["curve"],
        "hill": r.uniform(-0.3, 1) * c["hill"],
        "azimuth": r.uniform(-1, 1),
        "elevation": r.uniform(*SUN_ELEVATION[light]),
        "cross": r.uniform(17, 26),
        "crosswalk": control == "light" or r.random() < 0.2,
        "arrows": lanes > 1 and r.random() < 0.5,
        "lane": r.randrange(lanes),
        "cam": [r.gauss(0, 0.3), r.uniform(1.45, 2.5), r.gauss(0, 2.0), r.uniform(-4.5, -1)],
        "lens": r.uniform(24, 30),
        "vehicles": [],
        "people": [],
        "rare": None,
    }
    for _ in range(pick(r, {0: 1.1, 1: 4, 2: 3, 3: 1.6, 4: 0.8})):
        kind = pick(r, VEHICLES)
        role = pick(r, {"away": 5, "oncoming": 3, "parked": 2.4 if c["walk"] else 0.3})
        if setting == "highway" and kind == "bicycle":
            kind = "car"
        if kind in ("bicycle", "motorcycle"):
            role = "away" if role == "parked" else role
        sc["vehicles"].append(
            {
                "kind": kind,
                "role": role,
                "colour": r.choice(VEHICLES[kind][2].split()),
                "s": r.choice((r.uniform(6, 11), r.uniform(8, 18), r.uniform(14, 45))),
            }
        )
    if c["walk"]:
        for _ in range(pick(r, {0: 3, 1: 2.5, 2: 2, 4: 0.8})):
            act = pick(r, {"walking": 4, "standing": 2, "crossing": 2.2 if control != "none" else 0.3})
            sc["people"].append(
                {
                    "act": act,
                    "s": r.uniform(8, 26),
                    "side": r.choice((-1, 1)),
                    "colour": r.choice(list(COLOURS)),
                    "jit": r.random(),
                }
            )
    if r.random() < 0.16:
        sc["rare"] = pick(
            r, {"helicopter": 3, "plane": 3, "dog": 3 if c["walk"] else 0, "boat": 30 if setting == "beach" else 0}
        )
    return sc
