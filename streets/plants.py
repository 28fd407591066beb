"""Trees, palms, bushes, hedges, cacti."""

from __future__ import annotations

import math
import random

import numpy as np
from mathutils import Vector

from streets.mesh import Build

PI = math.pi


def tree(seed, leaf="leaf"):
    r = np.random.default_rng(seed)
    b = Build()
    th, h = r.uniform(2.2, 3.0), r.uniform(6.5, 9)
    b.cyl((0, 0, -0.3), (0, 0, th), 0.27, 0.2, "bark", 9)
    pts, nrm = [], []
    for k in range(9):
        a, d = r.uniform(0, 2 * PI), r.uniform(0.9, 2.5) * (k > 0)
        c = np.array([math.cos(a) * d, math.sin(a) * d, r.uniform(th + 1.3, h - 1.0)])
        b.cyl((0, 0, th * 0.9), tuple(c), 0.11, 0.04, "bark", 6, False)
        rad = r.uniform(1.2, 1.9)
        n = r.normal(size=(640, 3))
        n /= np.linalg.norm(n, axis=1, keepdims=True)
        pts.append(c + n * rad * r.uniform(0.68, 1.07, (640, 1)) * np.array([1.15, 1.15, 0.8]))
        nrm.append(n)
    b.cards(np.concatenate(pts), 0.125, leaf, r, 1.0, np.concatenate(nrm))
    return b


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
        for i in range(5):
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


def bush(seed, mat, size=(1.2, 1.2, 0.9), n=420, leaf=0.11):
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
    b.cards(np.concatenate(pts), 0.075, mat, r, 1, np.concatenate(nrm))
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
