"""Which function builds which model."""

from __future__ import annotations

from collections.abc import Callable

from streets import craft, figures, furniture, plants, two_wheelers, vehicles
from streets.buildings import house
from streets.mesh import Build

MODELS: dict[str, Callable[[], Build]] = {
    "car": lambda: vehicles.car(vehicles.SEDAN),
    "sports car": vehicles.sports_car,
    "suv": vehicles.suv,
    "pickup truck": vehicles.pickup,
    "truck": vehicles.box_truck,
    "dump truck": vehicles.dump_truck,
    "bus": vehicles.bus,
    "van": vehicles.van,
    "motorcycle": two_wheelers.motorcycle,
    "taxi": vehicles.taxi,
    "police car": vehicles.police_car,
    "ambulance": vehicles.ambulance,
    "bicycle": two_wheelers.bicycle,
    "stop sign": furniture.stop_sign,
    "street lamp": furniture.street_lamp,
    **{f"light {c}": (lambda c=c: furniture.traffic_light(c)) for c in ("red", "amber", "green")},
    "pole": furniture.utility_pole,
    "fire hydrant": furniture.hydrant,
    "bus stop": furniture.bus_stop,
    "dog": figures.dog,
    "helicopter": craft.helicopter,
    "plane": craft.plane,
    "boat": craft.boat,
    **{f"tree{i}": (lambda i=i: plants.tree(i, "leaf" if i % 2 else "leaf2")) for i in range(4)},
    **{f"palm{i}": (lambda i=i: plants.palm(i)) for i in range(4)},
    **{f"hedge{i}": (lambda i=i: plants.hedge(i, mat="hedge" if i < 2 else "ivy")) for i in range(3)},
    **{f"cactus{i}": (lambda i=i: plants.cactus(i)) for i in range(3)},
    **{f"house{i}": (lambda i=i: house(i)) for i in range(5)},
    "bush": lambda: plants.bush(1, "hedge"),
    "flower": lambda: plants.bush(2, "flower", (0.9, 0.9, 0.8)),
    "scrub": lambda: plants.bush(3, "leaf2", (0.8, 0.8, 0.5), 200, 0.1),
    **{f"person{i}": (lambda i=i: figures.person(i)) for i in range(len(figures.LOOKS))},  # 0, 3, 6 stand
}
