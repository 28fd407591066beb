"""Trees, palms, bushes, hedges, cacti."""

from __future__ import annotations

import math
import random

import numpy as np
from mathutils import Vector

from streets.mesh import Build

PI = math.pi


def tree(seed, leaf="leaf"):
    """A broad crown of many small clumps of leaves on forked boughs; 7 to 9 m high."""
    r = np.random.default_rng(seed)
    b = Build()
    fork, height = r.uniform(2.2, 3.0), r.uniform(6.8, 9)
    b.cyl((0, 0, -0.3), (0, 0, fork), 0.27, 0.2, "bark", 9)
    middle = np.array([0, 0, (fork + 0.6 + height) / 2])
    reach = np.array([r.uniform(2.4, 3.1), r.uniform(2.4, 3.1), (height - fork - 0.6) / 2])
    points, normals = [], []
    for k in range(CLUMPS):
        way = _sphere(r, 1)[0]
        way[2] = max(way[2], -0.55)  # flat below
        clump = middle + way * reach * r.uniform(0.45, 0.82)
        if k % 3 == 0:
            b.cyl((0, 0, fork * 0.9), tuple(clump), 0.1, 0.03, "bark", 5, False)
        out = _sphere(r, LEAVES)
        size = r.uniform(0.75, 1.25) * np.array([1.1, 1.1, 0.75])
        points.append(clump + out * size * r.uniform(0.55, 1.1, (LEAVES, 1)))
        normals.append(out)
    b.cards(np.concatenate(points), 0.068, leaf, r, 1.5, np.concatenate(normals))
    return b


CLUMPS, LEAVES = 26, 330  # of a tree; leaves of one clump


def _sphere(rng, n):
    """n directions, evenly spread."""
    v = rng.normal(size=(n, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def palm(seed, fan=True):
    r = np.random.default_rng(seed)
    b = Build()
    h, lean = r.uniform(8, 14), r.uniform(-0.8, 0.8)
    prev = None
    for i in range(9):
        t = i / 8
        p = (lean * t * t, 0, h * t - 0.2)
        if prev:
            b.cyl(prev, p, 0.24 - 0.09 * (t - 0.12), 0.24 - 0.09 * t, "palmbark", 9, False)
        prev = p
    top = Vector((lean, 0, h - 0.2))
    for k in range(46):
        dry = k < 10
        a = k * 2.399963 + r.uniform(-0.2, 0.2)
        el = -1.25 if dry else -0.75 + 2.0 * (k - 10) / 36
        L = r.uniform(1.7, 2.3) * (0.75 if dry else 1)
        d = Vector((math.cos(a), math.sin(a), 0))
        side = Vector((-d.y, d.x, 0))
        pts, z, out = [top.copy()], el, Vector(top)
        for _ in range(5):
            out = out + (d * math.cos(z) + Vector((0, 0, math.sin(z)))) * L / 5
            pts.append(out.copy())
            z -= 0.26
        for i in range(1, 6):
            w = (0.42, 0.5, 0.46, 0.34, 0.12)[i - 1]
            for s in (-1, 1):
                for j in range(3):
                    p = pts[i - 1].lerp(pts[i], j / 3)
                    q = pts[i - 1].lerp(pts[i], (j + 0.75) / 3)
                    o = side * s * w + (pts[i] - pts[i - 1]) * 0.55 - Vector((0, 0, 0.16))
                    b.face([p, q, q + o, p + o * 0.96], "palmdry" if dry else "palm")
    return b


def bush(seed, mat, size=(1.2, 1.2, 0.9), n=800, leaf=0.075):
    r = np.random.default_rng(seed)
    v = r.normal(size=(n, 3))
    v[:, 2] = np.abs(v[:, 2])
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    b = Build()
    b.cards(v * np.array(size) * r.uniform(0.7, 1, (n, 1)), leaf, mat, r, 1, v)
    return b


def hedge(seed, L=4.0, D=1.0, Hh=1.3, mat="hedge"):
    r = np.random.default_rng(seed)
    b = Build()
    b.box((0, 0, 0), (D * 0.9, L, Hh * 0.95), mat)
    pts, nrm = [], []
    for _ax, (n, nor) in enumerate(
        ((750, (0, 0, 1)), (900, (1, 0, 0)), (900, (-1, 0, 0)), (120, (0, 1, 0)), (120, (0, -1, 0)))
    ):
        p = r.uniform(-0.5, 0.5, (n, 3)) * np.array([D, L, Hh]) + np.array([0, 0, Hh / 2])
        for i in range(3):
            if nor[i]:
                p[:, i] = (Hh if i == 2 else nor[i] * (D, L)[i] / 2) + r.normal(0, 0.035, n)
        pts.append(p)
        nrm.append(np.tile(nor, (n, 1)))
    b.cards(np.concatenate(pts), 0.062, mat, r, 1.4, np.concatenate(nrm))
    return b


def cactus(seed):
    r = random.Random(seed)
    b = Build()
    h = r.uniform(2.5, 4.5)
    b.cyl((0, 0, -0.2), (0, 0, h), 0.28, 0.24, "cactus", 10)
    b.ball((0, 0, h), 0.24, "cactus", 10)
    for s in (-1, 1):
        z, up = r.uniform(0.9, h * 0.5), r.uniform(0.8, 1.6)
        b.cyl((0, 0, z), (s * 0.75, 0, z + 0.2), 0.15, 0.17, "cactus", 8)
        b.cyl((s * 0.75, 0, z + 0.1), (s * 0.78, 0, z + up), 0.17, 0.15, "cactus", 8)
        b.ball((s * 0.78, 0, z + up), 0.15, "cactus", 8)
    return b


def tuft(seed):
    """Dry grass: blades that lean outwards, 0.3 to 0.6 m."""
    r = random.Random(seed)
    b = Build()
    for _ in range(60):
        a, lean, high = r.uniform(0, 2 * PI), r.uniform(0.05, 0.4), r.uniform(0.3, 0.6)
        x, y = r.gauss(0, 0.09), r.gauss(0, 0.09)
        dx, dy = math.cos(a), math.sin(a)
        foot = [(x - dy * 0.02, y + dx * 0.02, 0), (x + dy * 0.02, y - dx * 0.02, 0)]
        b.face([*foot, (x + dx * lean, y + dy * lean, high)], "straw")
    return b


def rock(seed):
    """A boulder about a metre across: a ball with dents, flat-shaded."""
    r = np.random.default_rng(seed + 70)
    b = Build()
    around, up = 9, 5
    waves = [(_sphere(r, 1)[0] * k, r.uniform(0, 6.28), 0.22 / k**0.6) for k in (2.0, 3.5, 6.0, 9.0)]
    rings = []
    for i in range(up):
        t = PI * (i + 0.5) / up
        ring = []
        for j in range(around):
            a = 2 * PI * j / around
            way = np.array([math.sin(t) * math.cos(a), math.sin(t) * math.sin(a), -math.cos(t)])
            size = 1 + sum(high * math.sin(float(way @ turn) + phase) for turn, phase, high in waves)
            ring.append(tuple(way * size * np.array([1, 0.85, 0.7])))
        rings.append(ring)
    b.loft(rings, "cliff", smooth=False)
    return b
