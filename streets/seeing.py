"""What the camera sees of each object."""

from __future__ import annotations

import bpy
from mathutils import Vector

from streets.sample import HEIGHT, WIDTH


def look(scene):
    """Ray-cast visibility: exact occlusion without an extra render pass."""
    bpy.context.view_layer.update()
    dg = bpy.context.evaluated_depsgraph_get()
    cam = scene.s.camera
    mw = cam.matrix_world
    fr = [mw @ v for v in cam.data.view_frame(scene=scene.s)]  # tr br bl tl
    o, tl = mw.translation, fr[3]
    ex, ey = fr[0] - fr[3], fr[2] - fr[3]
    by_name = {e["ob"].name: e for e in scene.tags}

    def hit(x, y):
        ok, *_, ob, _ = scene.s.ray_cast(dg, o, (tl + ex * x + ey * y - o).normalized(), distance=2500)
        return ob.name if ok else None

    inv = mw.inverted()
    halfw, halfh = ex.length / 2, ey.length / 2
    depth = -(inv @ tl).z
    area, out = {}, []
    for j in range(22):
        for i in range(40):
            e = by_name.get(hit((i + 0.5) / 40, (j + 0.5) / 22))
            if e:
                area[e["tag"]] = area.get(e["tag"], 0) + 1 / 880
    for e in scene.tags:
        small = e.get("vehicle") or e["tag"] in (
            "person",
            "dog",
            "stop sign",
            "traffic light",
            "boat",
            "fire hydrant",
            "bus stop",
            "helicopter",
            "plane",
            "street lamp",
            "highway sign",
        )
        if not small:
            continue
        pts = [inv @ (e["ob"].matrix_world @ Vector(c)) for c in e["ob"].bound_box]
        if any(p.z > -0.5 for p in pts):
            continue
        xs = [0.5 + p.x / -p.z * depth / halfw / 2 for p in pts]
        ys = [0.5 - p.y / -p.z * depth / halfh / 2 for p in pts]
        x0, x1, y0, y1 = max(min(xs), 0), min(max(xs), 1), max(min(ys), 0), min(max(ys), 1)
        if x1 <= x0 or y1 <= y0:
            continue
        k = 12
        n = sum(
            hit(x0 + (i + 0.5) / k * (x1 - x0), y0 + (j + 0.5) / k * (y1 - y0)) == e["ob"].name
            for i in range(k)
            for j in range(k)
        )
        px = n / k / k * (x1 - x0) * (y1 - y0) * WIDTH * HEIGHT
        if e.get("vehicle") and px > 8:
            area["any vehicle"] = area.get("any vehicle", 0) + px / WIDTH / HEIGHT
        full = (max(xs) - min(xs)) * (max(ys) - min(ys)) * WIDTH * HEIGHT
        need = {"person": 45, "dog": 50}.get(e["tag"], 60 if not e.get("vehicle") else 90)
        if e["tag"] == "traffic light":
            need = 30
        need = 150 if e["tag"] == "bus stop" else need
        if px >= need and px / full > (0.04 if not e.get("vehicle") else 0.10):
            d = {a: e[a] for a in ("tag", "colour_name", "action", "facing", "vehicle") if a in e}
            d.update(box=[round(v, 4) for v in (x0, y0, x1, y1)], pixels=int(px))
            if (e["tag"] == "bus stop" and px / full < 0.2) or (e["tag"] == "street lamp" and px < 90):
                continue
            out.append(d)
    return {"entities": sorted(out, key=lambda d: -d["pixels"]), "areas": {k: round(v, 3) for k, v in area.items()}}


def measure(seen, image):
    return seen
