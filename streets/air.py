"""The air of a scene: what kind of sky, how thick the haze. Pure: knows scene descriptions, no Blender.

Haze follows Beer and Lambert: of what lies `d` metres away, `exp(-haze_density(sc) * d)` is still seen; the rest is the
haze's own colour.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

HAZE_DENSITY = {  # 1/m, (clearest, thickest); 1 / density is the distance at which 63 % is lost
    "clear": (0.0006, 0.0009),
    "overcast": (0.0011, 0.0016),
    "rain": (0.0030, 0.0042),
    "fog": (0.014, 0.023),
}
HAZY_SKY_DENSITY = (0.0011, 0.0015)  # 1/m, a clear day under high haze
DAY_SKIES = {"blue": 3, "scattered": 5, "hazy": 2}  # kind -> weight


def day_sky(sc: Mapping[str, Any]) -> str:
    """Kind of a clear day's sky: one of DAY_SKIES, by the scene's seed."""
    return _random(sc, "sky").choices(list(DAY_SKIES), list(DAY_SKIES.values()))[0]


def haze_density(sc: Mapping[str, Any]) -> float:
    """Extinction of the air in 1/m, from the scene's weather, light and seed."""
    hazy = sc["weather"] == "clear" and sc["light"] in ("noon", "afternoon") and day_sky(sc) == "hazy"
    return _random(sc, "haze").uniform(*(HAZY_SKY_DENSITY if hazy else HAZE_DENSITY[sc["weather"]]))


def transmittance(sc: Mapping[str, Any], distance: float) -> float:
    """Share of the light of a thing `distance` metres away that reaches the camera, in (0, 1]."""
    return math.exp(-haze_density(sc) * distance)


def _random(sc: Mapping[str, Any], what: str) -> random.Random:
    return random.Random(f"air-{what}-{sc['seed']}")
