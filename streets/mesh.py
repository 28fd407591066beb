"""Polygons of one object, gathered and turned into a Blender mesh."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import bpy
import numpy as np
from mathutils import Vector

from streets.materials import MAT

PI = math.pi
Point = Sequence[float]  # x, y, z


class Build:
    """Accumulates polygons of one object; local frame: x right, y forward, z up, metres.

    v: corners. f: faces, as indices into v; for each of them m: index into mats, uv: its corners' coordinates or None,
    sm: whether it is shaded smooth. Materials go by their names in `materials.MAT`.
    """

    def __init__(self) -> None:
        self.v: list[Point] = []
        self.f: list[tuple[int, ...]] = []
        self.m: list[int] = []
        self.uv: list[Sequence[tuple[float, float]] | None] = []
        self.sm: list[bool] = []
        self.mats: list[str] = []

    def face(self, pts: Iterable[Point], mat: str, uv=None, smooth: bool = False) -> None:
        """A polygon with corners of its own: no shading runs over its edges."""
        pts = list(pts)
        base = len(self.v)
        self.v += [tuple(p) for p in pts]
        self.index(range(base, base + len(pts)), mat, uv, smooth)

    def index(self, ids: Iterable[int], mat: str, uv=None, smooth: bool = False) -> None:
        """A polygon over corners that are already in v."""
        if mat not in self.mats:
            self.mats.append(mat)
        self.f.append(tuple(ids))
        self.m.append(self.mats.index(mat))
        self.uv.append(uv)
        self.sm.append(smooth)

    def box(self, c: Point, s: Point, mat: str, top: float = 1.0, topmat: str | None = None, uv: bool = False) -> None:
        """Box on the point c (middle of its underside) with sides s; `top` narrows its upper end, uv runs round it."""
        x, y, z = c
        a, b, h = s[0] / 2, s[1] / 2, s[2]
        lo = [(x - a, y - b, z), (x + a, y - b, z), (x + a, y + b, z), (x - a, y + b, z)]
        hi = [(x + (p[0] - x) * top, y + (p[1] - y) * top, z + h) for p in lo]
        run = 0.0
        for i in range(4):
            j = (i + 1) % 4
            w = s[0] if i % 2 == 0 else s[1]
            t = [(run, 0), (run + w, 0), (run + w, h), (run, h)] if uv else None
            self.face([lo[i], lo[j], hi[j], hi[i]], mat, t)
            run += w
        self.face(hi, topmat or mat)
        self.face(lo[::-1], mat)

    def loft(
        self,
        rings: Sequence[Sequence[Point]],
        mat: str,
        caps: bool = True,
        smooth: bool = True,
        capmats: tuple[str, str] | None = None,
    ) -> None:
        """Skin over closed rings with the same number of points, capped at both ends."""
        base, k = len(self.v), len(rings[0])
        for r in rings:
            self.v += [tuple(p) for p in r]
        for i in range(len(rings) - 1):
            for j in range(k):
                a, b = base + i * k + j, base + i * k + (j + 1) % k
                self.index((a, b, b + k, a + k), mat, smooth=smooth)
        if caps:
            self.face(rings[0][::-1], (capmats or (mat, mat))[0])
            self.face(rings[-1], (capmats or (mat, mat))[1])

    def cyl(
        self,
        p: Point,
        q: Point,
        r0: float,
        r1: float | None = None,
        mat: str = "pole",
        n: int = 8,
        caps: bool = True,
        smooth: bool = True,
    ) -> None:
        """Cylinder or cone from p (radius r0) to q (r1)."""
        p, q = Vector(p), Vector(q)
        d = (q - p).normalized()
        a = d.orthogonal().normalized()
        b = d.cross(a)
        ang = [2 * PI * i / n for i in range(n)]

        def ring(c, r):
            return [c + (a * math.cos(t) + b * math.sin(t)) * r for t in ang]

        self.loft([ring(p, r0), ring(q, r0 if r1 is None else r1)], mat, caps, smooth)

    def ball(self, c: Point, r: float, mat: str, n: int = 8, squash: Point = (1, 1, 1)) -> None:
        """Ellipsoid round c: radius r, times `squash` along each axis; n points round, n // 2 rings."""
        rings = []
        for i in range(1, n // 2 + 1):
            t = PI * (i - 0.5) / (n // 2)
            rings.append(
                [
                    (
                        c[0] + squash[0] * r * math.sin(t) * math.cos(2 * PI * j / n),
                        c[1] + squash[1] * r * math.sin(t) * math.sin(2 * PI * j / n),
                        c[2] - squash[2] * r * math.cos(t),
                    )
                    for j in range(n)
                ]
            )
        self.loft(rings, mat)

    def panel(
        self, quad: Sequence[Point], u0: float, u1: float, v0: float, v1: float, mat: str, off: float = 0.008
    ) -> None:
        """Rectangle `off` metres before a quad, whose corners go lower-left, lower-right, upper-right, upper-left."""
        a, b, c, d = map(Vector, quad)
        n = (b - a).cross(d - a).normalized() * off

        def at(u, v):
            return a.lerp(b, u).lerp(d.lerp(c, u), v) + n

        self.face([at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)], mat)

    def cards(self, pts, size, mat, rng, aspect=1.0, normals=None):
        """Leaf cards: randomly turned quads at the given points."""
        pts = np.asarray(pts)
        k = len(pts)
        a = rng.normal(size=(k, 3))
        if normals is not None:
            a = a * 0.55 + normals
        a /= np.linalg.norm(a, axis=1, keepdims=True)
        b = np.cross(a, rng.normal(size=(k, 3)))
        b /= np.linalg.norm(b, axis=1, keepdims=True)
        c = np.cross(a, b)
        s = size * rng.uniform(0.6, 1.3, size=(k, 1))
        b, c = b * s * aspect, c * s
        for q in np.stack([pts - b - c, pts + b - c * 0.6, pts + b + c, pts - b * 0.6 + c], 1).tolist():
            self.face(q, mat)

    def text(
        self,
        s: str,
        mat: str,
        size: float,
        origin: Point,
        xdir: Point = (1, 0, 0),
        ydir: Point = (0, 0, 1),
        fn: Callable[[Vector], Point] | None = None,
        spacing: float = 1.0,  # distance between letters over what the font says
    ) -> None:
        """Lettering in Blender's own font, centred on origin along xdir; fn bends each point, onto a road, say."""
        cu = bpy.data.curves.new("t", "FONT")
        cu.body, cu.size, cu.align_x, cu.align_y = s, 1.0, "CENTER", "CENTER"
        cu.offset = 0.018
        cu.space_character = spacing
        ob = bpy.data.objects.new("t", cu)
        me = ob.to_mesh()
        o, x, y = Vector(origin), Vector(xdir) * size, Vector(ydir) * size
        pts = [o + x * v.co.x + y * v.co.y for v in me.vertices]
        base = len(self.v)
        self.v += [tuple(fn(p) if fn else p) for p in pts]
        for p in me.polygons:
            self.index(
                [base + i for i in p.vertices],
                mat,
                [(me.vertices[i].co.x * size, me.vertices[i].co.y * size) for i in p.vertices],
            )
        ob.to_mesh_clear()
        bpy.data.objects.remove(ob)
        bpy.data.curves.remove(cu)

    def mesh(self, name: str) -> bpy.types.Mesh:
        """The Blender mesh; edges sharper than 38 degrees stay sharp where faces are smooth."""
        me = bpy.data.meshes.new(name)
        me.from_pydata(self.v, [], self.f)
        for m in self.mats:
            me.materials.append(MAT[m])
        me.polygons.foreach_set("material_index", self.m)
        me.polygons.foreach_set("use_smooth", self.sm)
        if any(self.sm):
            me.set_sharp_from_angle(angle=math.radians(38))
        if any(u is not None for u in self.uv):
            flatuv = [c for f, u in zip(self.f, self.uv, strict=False) for p in (u or [(0, 0)] * len(f)) for c in p]
            me.uv_layers.new(name="UVMap").data.foreach_set("uv", flatuv)
        me.update()
        return me


def ring(y: float, hw: float, zb: float, zt: float, ch: float = 0.10, waist: float = 0.55) -> list[Point]:
    """Cross-section of a body at y, hw wide to each side, from zb up to zt: cut shoulders (ch), widest at the waist."""
    zm = zb + (zt - zb) * waist
    half = [(hw * 0.86, zb), (hw * 0.985, zb + 0.1), (hw, zm), (hw * 0.975, zt - ch), (hw - ch * 1.1, zt)]
    return [(x, y, z) for x, z in half] + [(-x, y, z) for x, z in half[::-1]]
