"""The objects of one scene while it is built."""

from __future__ import annotations

import itertools
import random

import bpy

from streets.models import MODELS
from streets.road import Road, rows
from streets.sample import SETTINGS

LANE = 3.5  # m


class Scene:
    def __init__(self, sc, cache):
        self.sc, self.cache, self.tags = sc, cache, []
        self.r = random.Random(f"build-{sc['seed']}")
        self.hw = sc["lanes"] * LANE + (2.4 if sc["setting"] in ("downtown", "residential") else 0.6)
        self.walk = SETTINGS[sc["setting"]]["walk"]
        self.gap = (sc["cross"] + 1, sc["cross"] + 13) if sc["control"] != "none" else None
        self.road = Road(sc["curve"], sc["hill"])
        self.s = bpy.context.scene
        self.new = []
        self.lamps = []

    def add(self, mesh, u=0, s=0, z=0, rot=0.0, scale=1.0, colour=(1, 1, 1), tag=None, world=None, **info):
        me = mesh if not isinstance(mesh, str) else self.template(mesh)
        ob = bpy.data.objects.new(me.name, me)
        ob.location = world or self.road.P(u, s, z)
        ob.rotation_euler[2] = rot - (0 if world else self.road.at(s)[3])
        ob.scale = (scale,) * 3 if isinstance(scale, (int, float)) else scale
        ob.color = (*colour, 1)
        self.s.collection.objects.link(ob)
        self.new.append(ob)
        if tag:
            self.tags.append(dict(tag=tag, ob=ob, **info))
        return ob

    def template(self, name):
        if name not in self.cache:
            self.cache[name] = MODELS[name]().mesh(name)
        return self.cache[name]

    def ribbon(self, b, u0, u1, s0, s1, mat, z0=0.0, z1=None, fine=3.0):
        P, ss = self.road.P, rows(s0, s1, fine)
        z1 = z0 if z1 is None else z1
        for a, c in itertools.pairwise(ss):
            b.face(
                [P(u0, a, z0), P(u1, a, z1), P(u1, c, z1), P(u0, c, z0)],
                mat,
                [(u0, a), (u1 + abs(z1 - z0), a), (u1 + abs(z1 - z0), c), (u0, c)],
            )

    def clear(self, s, pad=0.0):
        return not (self.gap and self.gap[0] - pad < s < self.gap[1] + pad)

    def spans(self, s0=-20, s1=320, pad=0.0):
        if not self.gap:
            return [(s0, s1)]
        return [(s0, self.gap[0] - pad), (self.gap[1] + pad, s1)]

    def remove(self):
        keep = {m.name for m in self.cache.values()}
        data = {o.data for o in self.new if o.data.name not in keep}
        bpy.data.batch_remove(self.new)
        bpy.data.batch_remove(data)
