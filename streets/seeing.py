"""What the camera sees of each object: raw evidence, stored with the picture; truth.py judges it later.

`look` casts rays before the picture is rendered (exact occlusion without another render pass), `measure` adds what the
rendered picture shows where those rays hit. The evidence is plain JSON types:

- `objects`: every vehicle, person and thing of OBJECTS of which a part lies in the frame, also when it is small or
  hidden: `tag` and what the scene says of it; `box` (x0, y0, x1, y1 in 0..1, of what lies in the frame), `pixels`
  (seen, at 480x270), `whole` (pixels it would have unhidden and in an endless frame), `distance` in m,
  `transmittance` of the air; `grid` [columns, rows] over the box and `mask`, its digits row by row (see photometry.py).
- `areas`: share of the picture of each class of objects and of the sky; `clear_share` counts each part by the
  transmittance before it; `nearest` in m.
- `area_grid`: which class is where, a letter a cell.
- what photometry.measure adds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from string import ascii_letters
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from streets.air import haze_density, transmittance
from streets.photometry import HIDDEN, PAINTED, SEEN, measure
from streets.sample import HEIGHT, WIDTH

__all__ = ["look", "measure"]

OBJECTS = {
    "person", "dog", "stop sign", "traffic light", "boat", "fire hydrant", "bus stop", "helicopter", "plane",
    "street lamp", "highway sign", "utility pole", "crosswalk", "billboard", "bench", "umbrella", "lifeguard hut",
}  # fmt: skip

FAR = 4000.0  # m, how far a ray goes: beyond the mountains, and far out on the sea
NEAR = 0.4  # m before the camera: what lies closer is not projected
AREA_COLUMNS, AREA_ROWS = 48, 27
RAYS_A_SIDE = 16
RAYS = dict.fromkeys(("highway sign", "plane", "helicopter", "boat", "person", "dog"), 30)
RAYS |= {"crosswalk": 64, "traffic light": 96, "street lamp": 10, "utility pole": 10}
"""More rays for that of which a coarse grid would miss arms, legs, stripes and bulbs; fewer for what is in rows."""
SKY = "sky"


@dataclass(frozen=True, slots=True)
class Hit:
    name: str
    """Of the object."""
    polygon: int
    place: Vector
    distance: float


class Eye:
    """The camera as a caster of rays: positions in the picture are 0..1 from the left and from the top."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self._scene, self._depsgraph = scene, bpy.context.evaluated_depsgraph_get()
        self._world = scene.camera.matrix_world
        frame = scene.camera.data.view_frame(scene=scene)  # corners in camera space: top right, bottom right, ...
        self._right, self._top, self._depth = frame[0].x, frame[0].y, -frame[0].z
        self._turn = self._world.to_3x3()
        self.place = self._world.translation.copy()

    def direction(self, x: float, y: float) -> Vector:
        along = Vector(((2 * x - 1) * self._right, (1 - 2 * y) * self._top, -self._depth))
        return (self._turn @ along).normalized()

    def cast(self, x: float, y: float) -> Hit | None:
        found, place, _, polygon, ob, _ = self._scene.ray_cast(
            self._depsgraph, self.place, self.direction(x, y), distance=FAR
        )
        return Hit(ob.name, polygon, place, (place - self.place).length) if found else None

    def outline(self, ob: bpy.types.Object) -> Callable[[float, float], bool]:
        """Whether the ray at (x, y) would hit the object if nothing else were there."""
        inverse = ob.matrix_world.inverted()
        origin, turn = inverse @ self.place, inverse.to_3x3()
        return lambda x, y: ob.ray_cast(origin, turn @ self.direction(x, y), depsgraph=self._depsgraph)[0]

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 3) to picture positions (m, 2); those beside or behind the camera are left out."""
        inverse = np.array(self._world.inverted())
        local = points @ inverse[:3, :3].T + inverse[:3, 3]
        local = local[local[:, 2] < -NEAR]
        scale = self._depth / -local[:, 2]
        return np.stack([0.5 + local[:, 0] * scale / self._right / 2, 0.5 - local[:, 1] * scale / self._top / 2], 1)


def look(scene: Any) -> dict[str, Any]:
    """The evidence that can be had before the picture is rendered; `scene` is a built streets.scene.Scene."""
    bpy.context.view_layer.update()
    eye = Eye(scene.s)
    objects = [thing for entry in scene.tags if _is_object(entry) and (thing := _look_at(entry, eye, scene.sc))]
    return {"objects": sorted(objects, key=lambda thing: -thing["pixels"]), **_look_around(scene, eye)}


def _is_object(entry: dict[str, Any]) -> bool:
    return bool(entry.get("vehicle")) or entry["tag"] in OBJECTS


def _look_at(entry: dict[str, Any], eye: Eye, sc: dict[str, Any]) -> dict[str, Any] | None:
    """One object's evidence; None when no part of it can lie in the frame."""
    ob = entry["ob"]
    spots = eye.project(_vertices(ob))
    if not len(spots):
        return None
    # an object beside the camera reaches endlessly far out of the frame: two frames' widths are enough to know
    low, high = np.clip(spots.min(0), -2, 3), np.clip(spots.max(0), -2, 3)
    x0, y0, x1, y1 = box = (*np.clip(low, 0, 1), *np.clip(high, 0, 1))
    if x1 <= x0 or y1 <= y0:
        return None
    grid = _grid(box, RAYS.get(entry["tag"], RAYS_A_SIDE))
    mask, distances = _mask(entry, eye, box, grid)
    pixels = len(distances) / len(mask) * (x1 - x0) * (y1 - y0) * WIDTH * HEIGHT
    distance = float(np.median(distances)) if distances else (ob.matrix_world.translation - eye.place).length
    return {
        **{key: entry[key] for key in ("tag", "colour_name", "action", "facing", "vehicle") if key in entry},
        "box": [round(float(v), 4) for v in box],
        "pixels": round(pixels, 1),
        "whole": round(max(_whole(ob, eye, (*low, *high)), pixels), 1),
        "distance": round(distance, 1),
        "transmittance": round(transmittance(sc, distance), 4),
        "grid": list(grid),
        "mask": mask,
    }


def _mask(entry: dict[str, Any], eye: Eye, box: tuple[float, ...], grid: tuple[int, int]) -> tuple[str, list[float]]:
    """The digits of the object's mask, and the distances in m at which it was seen."""
    ob = entry["ob"]
    outline, painted = eye.outline(ob), _painted_slots(ob, entry)
    digits, distances = [], []
    for x, y in _cells(box, grid):
        # a ray at the object alone is far cheaper than one into the scene, and most miss a thin object
        hit = eye.cast(x, y) if outline(x, y) else None
        if hit is None or hit.name != ob.name:
            digits.append(HIDDEN)
            continue
        distances.append(hit.distance)
        digits.append(PAINTED if ob.data.polygons[hit.polygon].material_index in painted else SEEN)
    return "".join(map(str, digits)), distances


def _whole(ob: bpy.types.Object, eye: Eye, box: tuple[float, ...]) -> float:
    """Pixels of the object's outline, hidden or not, in the frame or not."""
    area = (box[2] - box[0]) * (box[3] - box[1]) * WIDTH * HEIGHT
    grid = _grid(box, RAYS_A_SIDE)
    outline = eye.outline(ob)
    met = sum(outline(x, y) for x, y in _cells(box, grid))
    return met / (grid[0] * grid[1]) * area


def _grid(box: tuple[float, ...], most: int) -> tuple[int, int]:
    """Columns and rows of rays over a box: about one a pixel, no fewer than four, at most `most`."""
    sides = ((box[2] - box[0]) * WIDTH, (box[3] - box[1]) * HEIGHT)
    columns, rows = (min(max(math.ceil(side), 4), most) for side in sides)
    return columns, rows


def _cells(box: tuple[float, ...], grid: tuple[int, int]) -> Iterator[tuple[float, float]]:
    """Middles of a grid's cells, row by row."""
    x0, y0, x1, y1 = box
    columns, rows = grid
    for row in range(rows):
        for column in range(columns):
            yield x0 + (column + 0.5) / columns * (x1 - x0), y0 + (row + 0.5) / rows * (y1 - y0)


def _vertices(ob: bpy.types.Object) -> np.ndarray:
    """World positions of the object's vertices, (n, 3)."""
    local = np.empty(3 * len(ob.data.vertices), np.float32)
    ob.data.vertices.foreach_get("co", local)
    matrix = np.array(ob.matrix_world)
    return local.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def _painted_slots(ob: bpy.types.Object, entry: dict[str, Any]) -> set[int]:
    """Material slots that carry the colour the object is named after: paint, or the lit bulb of a traffic light."""
    if entry["tag"] == "traffic light":
        return {i for i, m in enumerate(ob.data.materials) if m and m.name == f"bulb_{entry.get('colour_name')}"}
    return {i for i, m in enumerate(ob.data.materials) if m and _takes_object_colour(m)}


def _takes_object_colour(material: bpy.types.Material) -> bool:
    nodes = (node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeObjectInfo")
    return any(node.outputs["Color"].is_linked for node in nodes)


def _look_around(scene: Any, eye: Eye) -> dict[str, Any]:
    """Which class is where in the picture, and how much of it each takes."""
    classes = {entry["ob"].name: _area_class(entry) for entry in scene.tags}
    cell, density = 1 / (AREA_COLUMNS * AREA_ROWS), haze_density(scene.sc)
    areas: dict[str, dict[str, float]] = {}
    names = []
    for x, y in _cells((0, 0, 1, 1), (AREA_COLUMNS, AREA_ROWS)):
        hit = eye.cast(x, y)
        name = SKY if hit is None else classes.get(hit.name, "other")
        clear = math.exp(-density * hit.distance) if hit else 1.0
        area = areas.setdefault(name, {"share": 0.0, "clear_share": 0.0, "nearest": FAR})
        area["share"] += cell
        area["clear_share"] += cell * clear
        area["nearest"] = min(area["nearest"], round(hit.distance, 1) if hit else FAR)
        names.append(name)
    legend = dict(zip(sorted(areas), ascii_letters, strict=False))
    return {
        "areas": {name: {key: round(value, 4) for key, value in area.items()} for name, area in areas.items()},
        "area_grid": {
            "columns": AREA_COLUMNS,
            "rows": AREA_ROWS,
            "legend": legend,
            "cells": "".join(legend[name] for name in names),
        },
    }


def _area_class(entry: dict[str, Any]) -> str:
    return "tall building" if entry["tag"] == "building" and entry.get("tall") else str(entry["tag"])
