"""The objects of one scene while it is built."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import bpy

from streets.mesh import Build
from streets.models import MODELS
from streets.road import Road, rows
from streets.sample import SETTINGS

LANE = 3.5  # m
PARKING = 2.4  # m, beside the lanes where there is a pavement
SHOULDER = 0.6  # m, where there is none
CROSSING = 12.0  # m from one edge of the crossing road to the other


class Scene:
    """A scene that is being built; places on it are u (m right of the road's middle), s (m along it) and z (m up).

    `sc` is the description (sample.py), `r` its random numbers, `hw` half the width of the carriageway (m), `walk` the
    width of a pavement (m), `gap` where the crossing road begins and ends (m along the road, None without one), `tags`
    what has been put there under a name, `lamps` where street lamps shine from, `s` Blender's scene.
    """

    def __init__(self, sc: Mapping[str, Any], cache: dict[str, Any]) -> None:
        self.sc, self.cache = sc, cache
        self.r = random.Random(f"build-{sc['seed']}")
        self.walk: float = SETTINGS[sc["setting"]]["walk"]
        self.hw: float = sc["lanes"] * LANE + (PARKING if self.walk else SHOULDER)
        start = sc["cross"] + 1
        self.gap: tuple[float, float] | None = (start, start + CROSSING) if sc["control"] != "none" else None
        self.road = Road(sc["curve"], sc["hill"])
        self.s = bpy.context.scene
        self.tags: list[dict[str, Any]] = []
        self.lamps: list[tuple[float, float, float]] = []
        self.new: list[Any] = []

    def add(
        self,
        mesh: Any,
        u: float = 0,
        s: float = 0,
        z: float = 0,
        rot: float = 0.0,
        scale: float | Sequence[float] = 1.0,
        colour: Sequence[float] = (1, 1, 1),
        tag: str | None = None,
        world: Sequence[float] | None = None,
        **info: Any,
    ) -> Any:
        """Puts a mesh, or the model of that name, on the road, or at `world` coordinates; returns the object.

        `rot` turns it left of the road's direction (rad). What has a tag is looked for by the camera, with `info`.
        """
        data = self.template(mesh) if isinstance(mesh, str) else mesh
        ob = bpy.data.objects.new(data.name, data)
        ob.location = world or self.road.P(u, s, z)
        ob.rotation_euler[2] = rot - (0 if world else self.road.at(s)[3])
        ob.scale = (scale,) * 3 if isinstance(scale, (int, float)) else scale
        ob.color = (*colour, 1)
        self.s.collection.objects.link(ob)
        self.new.append(ob)
        if tag:
            self.tags.append(dict(tag=tag, ob=ob, **info))
        return ob

    def template(self, name: str) -> Any:
        """The mesh of a model, built once for all scenes."""
        if name not in self.cache:
            self.cache[name] = MODELS[name]().mesh(name)
        return self.cache[name]

    def ribbon(
        self,
        b: Build,
        u0: float,
        u1: float,
        s0: float,
        s1: float,
        mat: str,
        z0: float = 0.0,
        z1: float | None = None,
        fine: float = 3.0,
    ) -> None:
        """A strip along the road from u0 at height z0 to u1 at height z1, in steps of `fine` metres."""
        P, stations = self.road.P, rows(s0, s1, fine)
        z1 = z0 if z1 is None else z1
        across = u1 + abs(z1 - z0)  # texture goes on up a step
        for a, c in itertools.pairwise(stations):
            corners = [P(u0, a, z0), P(u1, a, z1), P(u1, c, z1), P(u0, c, z0)]
            b.face(corners, mat, [(u0, a), (across, a), (across, c), (u0, c)])

    def clear(self, s: float, pad: float = 0.0) -> bool:
        """Whether s lies outside the crossing road."""
        return not (self.gap and self.gap[0] - pad < s < self.gap[1] + pad)

    def spans(self, s0: float = -20, s1: float = 320, pad: float = 0.0) -> list[tuple[float, float]]:
        """The stretches of s0 to s1 that the crossing road leaves."""
        if not self.gap:
            return [(s0, s1)]
        return [(s0, self.gap[0] - pad), (self.gap[1] + pad, s1)]

    def remove(self) -> None:
        """Takes everything out of Blender again but the models."""
        keep = {m.name for m in self.cache.values()}
        data = {o.data for o in self.new if o.data.name not in keep}
        bpy.data.batch_remove(self.new)
        bpy.data.batch_remove(data)
