"""Sky, sun, haze, lamps and exposure."""

from __future__ import annotations

import math

import bpy
from mathutils import Vector

from streets.air import haze_density
from streets.nodes import Nodes, rgb

LIGHTING = {  # sun W/m2, sun colour, sky gain, exposure (stops)
    "noon": (4.4, (1, 0.91, 0.76), 0.078, 0.25),
    "afternoon": (4.2, (1, 0.84, 0.62), 0.095, 0.55),
    "sunset": (4.2, (1, 0.55, 0.25), 0.20, 0.75),
    "overcast": (0.7, (1, 1, 1), 1, 0.55),
    "night": (0.05, (0.5, 0.65, 1), 1, 1.3),
}


def light_up(scene):
    sc, r = scene.sc, scene.r
    power, sun_col, gain, exposure = LIGHTING[sc["light"]]
    night, w = sc["light"] == "night", sc["weather"]
    glob = bpy.data.node_groups["Globals"].nodes
    glob["Night"].outputs[0].default_value = float(night)
    glob["Wet"].outputs[0].default_value = float(w == "rain")
    az = sc["azimuth"] * (2.6 if sc["light"] != "sunset" else 0.9)
    world = scene.s.world
    t = world.node_tree
    t.nodes.clear()
    n = Nodes(t)
    d = n.coord(0)
    xyz = n("ShaderNodeSeparateXYZ", {0: d})
    z = xyz.node.outputs[2]
    if night:
        haze = (0.060, 0.046, 0.046)
        sky = n.mix(n.step(z, -0.02, 0.45), rgb(*haze), rgb(0.010, 0.017, 0.042))
    elif sc["light"] == "overcast":
        haze = (0.62, 0.65, 0.68) if w != "rain" else (0.40, 0.43, 0.46)
        sky = n.mix(n.step(z, 0, 0.8), rgb(*haze), rgb(*[c * 0.72 for c in haze]))
        cl = n.noise(n("ShaderNodeVectorMath", {0: d, 1: (1, 1, 3)}, operation="MULTIPLY"), 2.2, 6)
        sky = n.mix(n.math("MULTIPLY", n.step(cl, 0.4, 0.7), 0.35), sky, rgb(*[c * 0.55 for c in haze]))
    else:
        tex = n(
            "ShaderNodeTexSky",
            sky_type="MULTIPLE_SCATTERING",
            sun_disc=False,
            sun_elevation=math.radians(sc["elevation"]),
            sun_rotation=az,
            altitude=50,
        )
        sky = n("ShaderNodeVectorMath", {0: tex, "Scale": gain}, operation="SCALE")
        p = n("ShaderNodeVectorMath", {0: d, "Scale": n.math("DIVIDE", 1.0, n.math("ADD", z, 0.12))}, operation="SCALE")
        off = n("ShaderNodeVectorMath", {0: p, 1: (r.uniform(0, 99), r.uniform(0, 99), 0)}, operation="ADD")
        lo = r.uniform(0.50, 0.62)
        cl = n.math("MULTIPLY", n.step(n.noise(off, 0.9, 7, 0.58), lo, lo + 0.16), n.step(z, 0.015, 0.16))
        c = (1.05, 1.0, 0.95) if sc["light"] != "sunset" else (1.0, 0.52, 0.30)
        sky = n.mix(n.math("MULTIPLY", cl, 0.8), sky, rgb(*c))
        haze = (0.55, 0.66, 0.80) if sc["light"] != "sunset" else (0.85, 0.50, 0.30)
    dens = haze_density(sc)
    if w == "fog":
        haze = (0.60, 0.62, 0.64) if not night else (0.05, 0.048, 0.05)
        sky = n.mix(n.step(z, 0.02, 0.5), rgb(*haze), sky)
    hz = bpy.data.node_groups["Haze"].nodes
    hz["Density"].outputs[0].default_value = dens
    hz["Colour"].outputs[0].default_value = rgb(*haze)
    sky = n.mix(n.step(z, -0.02, 0.0), rgb(*[c * 0.5 for c in haze]), sky)  # below the horizon
    bg = n("ShaderNodeBackground", {0: sky, 1: 1.0})
    t.links.new(bg, t.nodes.new("ShaderNodeOutputWorld").inputs[0])
    scene.s.view_settings.exposure = exposure

    def light(kind, loc, energy, colour, **kw):
        li = bpy.data.lights.new("l", kind)
        li.energy, li.color = energy, colour
        for k, v in kw.items():
            setattr(li, k, v)
        ob = bpy.data.objects.new("l", li)
        ob.location = loc
        scene.s.collection.objects.link(ob)
        scene.new.append(ob)
        return ob

    sun = light(
        "SUN",
        (0, 0, 50),
        power * (0.55 if w == "fog" else 1),
        sun_col,
        angle=math.radians(0.6 if sc["light"] != "overcast" else 40),
    )
    el = math.radians(sc["elevation"])
    to = Vector((math.sin(az) * math.cos(el), math.cos(az) * math.cos(el), math.sin(el)))
    sun.rotation_euler = to.to_track_quat("Z", "Y").to_euler()
    if night:
        for p in scene.lamps[:8]:
            light("SPOT", p, 2600, (1, 0.72, 0.40), spot_size=2.4, spot_blend=0.6, shadow_soft_size=0.25)
        for s in (-0.7, 0.7):
            ego = light(
                "SPOT",
                scene.road.P(1.75 + 3.5 * sc["lane"] + s, 1.5, 0.75),
                900,
                (1, 0.93, 0.8),
                spot_size=1.0,
                spot_blend=0.7,
                shadow_soft_size=0.1,
            )
            ego.rotation_euler = (math.radians(84), 0, 0)
        for e in scene.tags:
            if e.get("vehicle") and e["facing"] == "towards" and e["action"] != "parked":
                q = e["ob"].location
                hl = light(
                    "SPOT",
                    (q[0], q[1] - 2.9, 0.9),
                    160,
                    (1, 0.95, 0.85),
                    spot_size=1.3,
                    spot_blend=0.8,
                    shadow_soft_size=0.4,
                )
                hl.rotation_euler = (math.radians(-80), 0, 0)
