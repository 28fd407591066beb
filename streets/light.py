"""Sky, sun, haze, lamps and exposure: what `light` and `weather` of a scene look like."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import bpy
from mathutils import Vector

from streets.air import day_sky, haze_density
from streets.nodes import Nodes, air, fading, rgb, values_of
from streets.sample import VEHICLES
from streets.scene import LANE, Scene

Description = Mapping[str, Any]
Colour = tuple[float, float, float]  # linear


@dataclass(frozen=True, slots=True)
class Look:
    """One kind of light. Colours and gains are radiances that `exposure` (stops) brings into range."""

    sun: float  # W/m2 across its rays; at night the moon
    sun_colour: Colour
    sun_angle: float  # degrees: the larger, the softer the shadows
    haze: Colour  # air at the horizon, and over what is far
    glow: Colour  # the same, towards the sun
    high: Colour  # sky overhead
    exposure: float
    sky_gain: float = 0.0  # of the sky model; 0: the sky is a gradient from haze to high


LOOKS = {
    "noon": Look(4.6, (1, 0.95, 0.86), 0.6, (0.44, 0.57, 0.76), (0.52, 0.62, 0.76), (0.1, 0.2, 0.5), 0.25, 0.078),
    "afternoon": Look(4.3, (1, 0.72, 0.42), 0.6, (0.48, 0.54, 0.63), (0.80, 0.72, 0.60), (0, 0, 0), 0.65, 0.090),
    "sunset": Look(9.0, (1, 0.45, 0.16), 1.0, (0.32, 0.19, 0.16), (0.70, 0.33, 0.13), (0.15, 0.21, 0.40), 0.95),
    "overcast": Look(2.2, (1, 0.98, 0.95), 20, (0.40, 0.42, 0.44), (0.46, 0.47, 0.47), (0.62, 0.65, 0.69), 0.55),
    "rain": Look(0.8, (0.92, 0.97, 1), 30, (0.27, 0.30, 0.33), (0.30, 0.33, 0.35), (0.50, 0.55, 0.61), 0.95),
    "fog": Look(0.8, (1, 0.98, 0.95), 40, (0.52, 0.54, 0.56), (0.60, 0.60, 0.59), (0.66, 0.68, 0.71), 0.50),
    "night": Look(0.20, (0.55, 0.70, 1), 0.6, (0.022, 0.025, 0.036), (0.03, 0.033, 0.045), (0.010, 0.017, 0.045), 1.3),
}
CANYON = 0.50  # stops that a camera opens between high buildings, which hide half the sky
AGAINST_LOW_SUN = 1.3  # the same, where every front that it sees is in the shade
FOGGY_NIGHT: Colour = (0.036, 0.036, 0.041)  # lamps light the fog from within
GROUND: dict[str, Colour] = {  # albedo of the land beyond the modelled ground
    "downtown": (0.20, 0.19, 0.17),
    "residential": (0.20, 0.20, 0.12),
    "highway": (0.36, 0.26, 0.15),
    "desert": (0.42, 0.30, 0.18),
    "beach": (0.30, 0.26, 0.19),
    "hillside": (0.32, 0.24, 0.13),
}
DEEP_BLUE: Colour = (0.52, 0.74, 1.0)  # the camera sees only the lowest 20 degrees, which the sky model paints pale
VALLEY = 26.0  # m from the hillside road down to where its slope ends (surface.py)


def light_up(scene: Scene) -> None:
    """Lights a scene that is built, and sets the world, the haze and the exposure."""
    sc = scene.sc
    look, sun = look_of(sc), _sun_direction(sc)
    set_globals(night=sc["light"] == "night", wet=sc["weather"] == "rain")
    _fill_air(sc, look, sun)
    _paint_world(scene, look, sun)
    _hang(scene, "SUN", (0, 0, 50), -sun, look.sun, look.sun_colour, angle=math.radians(look.sun_angle))
    scene.s.view_settings.exposure = look.exposure + _opening(sc, sun)
    for tag in scene.tags:
        if tag["tag"] == "hills":
            tag["ob"].visible_shadow = False  # they are as high as a low sun, and would put every sunset in the shade
    if sc["light"] == "night":
        _light_lamps(scene)
        _light_own_beam(scene)
        _light_traffic(scene)


def look_of(sc: Description) -> Look:
    """The look of a scene's light, changed by its weather and its kind of sky."""
    light, weather = sc["light"], sc["weather"]
    if light == "night":
        look = LOOKS["night"]
        return replace(look, haze=FOGGY_NIGHT, glow=FOGGY_NIGHT) if weather == "fog" else look
    if light == "overcast":
        return LOOKS[weather if weather in LOOKS else "overcast"]
    look = LOOKS[light]
    if light != "sunset" and day_sky(sc) == "hazy":
        pale = tuple(0.7 * c + 0.3 * max(look.haze) for c in look.haze)
        return replace(look, sun=look.sun * 0.9, sun_angle=1.5, haze=pale)
    return look


def _opening(sc: Description, sun: Vector) -> float:
    """Stops that a camera opens between high buildings."""
    if sc["setting"] != "downtown" or sc["light"] in ("noon", "night"):
        return 0.0
    return AGAINST_LOW_SUN if sc["light"] == "sunset" and sun.y > 0 else CANYON


def set_globals(*, night: bool, wet: bool) -> None:
    values = values_of("Globals")
    values["Night"].default_value, values["Wet"].default_value = float(night), float(wet)


def _sun_direction(sc: Description) -> Vector:
    """Unit vector to the sun (or moon). Azimuth 0 is straight ahead, positive to the right."""
    turn, elevation = sc["azimuth"], math.radians(sc["elevation"])  # turn: -1 to 1
    if sc["setting"] == "downtown":  # among high buildings the sun comes only along the street
        azimuth = math.pi + turn * 0.5 if abs(turn) > 0.3 else turn * (0.3 if sc["light"] == "sunset" else 0.9)
    elif sc["light"] == "sunset":  # ahead, for a sky that glows, or behind, for fronts that do
        azimuth = math.pi + turn * 0.6 if abs(turn) > 0.67 else turn * 0.9
    else:
        azimuth = turn * 2.6
    flat = math.cos(elevation)
    return Vector((math.sin(azimuth) * flat, math.cos(azimuth) * flat, math.sin(elevation)))


# --- air and sky


def _fill_air(sc: Description, look: Look, sun: Vector) -> None:
    values_of("Haze")["Density"].default_value = haze_density(sc)
    values = values_of("Air")
    values["Colour"].default_value, values["Glow"].default_value = rgb(*look.haze), rgb(*look.glow)
    for socket, x in zip(bpy.data.node_groups["Air"].nodes["Sun"].inputs, sun, strict=True):
        socket.default_value = x


def _paint_world(scene: Scene, look: Look, sun: Vector) -> None:
    sc, tree = scene.sc, scene.s.world.node_tree
    rng = random.Random(f"sky-{sc['seed']}")
    tree.nodes.clear()
    n = Nodes(tree)
    direction = n.coord(0)
    z = n("ShaderNodeSeparateXYZ", {0: direction}).node.outputs[2]
    horizon = air(n, direction)
    if sc["light"] == "night":
        sky = _night_sky(n, sc, look, direction, z, horizon)
    elif sc["light"] == "overcast":
        sky = _overcast_sky(n, sc, rng, look, direction, z)
    else:
        sky = _clear_sky(n, sc, rng, look, sun, direction, z, horizon)
    thickness = 0.22 if sc["weather"] == "fog" else 0.06 if sc["weather"] == "rain" else 0.035
    low = n.math("EXPONENT", n.math("DIVIDE", n.math("MAXIMUM", z, 0.0), -thickness))
    if sc["light"] not in ("night", "sunset") or sc["weather"] == "fog":  # those two have hills darker than the sky
        sky = n.mix(low, sky, horizon)
    sky = n.mix(n.math("GREATER_THAN", z, 0.0), _far_ground(n, sc, look, sun, z, horizon), sky)
    background = n("ShaderNodeBackground", {0: sky, 1: 1.0})
    tree.links.new(background, tree.nodes.new("ShaderNodeOutputWorld").inputs[0])


def _far_ground(n: Nodes, sc: Description, look: Look, sun: Vector, z, horizon):
    """Land beyond the modelled ground: an endless plain that fades into the horizon by the same law as all else."""
    drop = VALLEY if sc["setting"] == "hillside" else 2.5
    lit = [
        albedo * (look.sun * colour * sun.z / math.pi + 0.6 * haze)
        for albedo, colour, haze in zip(GROUND[sc["setting"]], look.sun_colour, look.haze, strict=True)
    ]
    distance = n.math("DIVIDE", drop, n.math("MAXIMUM", n.math("MULTIPLY", z, -1.0), 1e-4))
    return n.mix(fading(n, distance, haze_density(sc)), rgb(*lit), horizon)


def _night_sky(n: Nodes, sc: Description, look: Look, direction, z, horizon):
    """Dark blue, lighter at the horizon than the hills are, so that they stand out; stars when it is clear."""
    town = sc["setting"] in ("downtown", "residential", "highway", "beach")
    low = (0.070, 0.058, 0.066) if town else (0.046, 0.054, 0.084)
    sky = n.mix(n.step(z, -0.05, 0.45), rgb(*low), rgb(*look.high))
    if sc["weather"] != "clear":
        return sky
    stars = n("ShaderNodeTexVoronoi", {"Vector": direction, "Scale": 55.0}, feature="F1")
    bright = n("ShaderNodeTexWhiteNoise", {0: n("ShaderNodeTexVoronoi", {"Vector": direction, "Scale": 55.0}, out=1)})
    star = n.math("MULTIPLY", n.math("LESS_THAN", stars, 0.075), n.step(bright, 0.6, 1.0))
    star = n.math("MULTIPLY", n.math("MULTIPLY", star, n.step(z, 0.03, 0.2)), n("ShaderNodeLightPath"))
    return n.mix(star, sky, rgb(0.6, 0.65, 0.75))


def _overcast_sky(n: Nodes, sc: Description, rng: random.Random, look: Look, direction, z):
    """A layer of cloud, brighter overhead, in soft patches that get smaller and flatter towards the horizon."""
    plane = _cloud_plane(n, rng, direction, z, 0.16)
    big, small = n.noise(plane, 0.35, 1, 0.5), n.noise(plane, 1.1, 4, 0.6)
    patch = n.step(n.math("ADD", n.math("MULTIPLY", big, 0.6), n.math("MULTIPLY", small, 0.4)), 0.38, 0.62)
    layer = n.mix(n.step(z, 0.0, 0.7), rgb(*look.haze), rgb(*look.high))
    contrast = {"overcast": 0.60, "rain": 0.60}.get(sc["weather"], 0.2)
    shade = n.math("ADD", 1.15 - contrast, n.math("MULTIPLY", patch, contrast))
    return n("ShaderNodeVectorMath", {0: layer, "Scale": shade}, operation="SCALE")


def _clear_sky(n: Nodes, sc: Description, rng: random.Random, look: Look, sun: Vector, direction, z, horizon):
    kind = day_sky(sc)
    if look.sky_gain:
        azimuth = math.atan2(sun.x, sun.y)
        model = n(
            "ShaderNodeTexSky",
            sky_type="MULTIPLE_SCATTERING",
            sun_disc=False,
            sun_elevation=math.radians(sc["elevation"]),
            sun_rotation=azimuth,
            altitude=50,
        )
        sky = n("ShaderNodeVectorMath", {0: model, "Scale": look.sky_gain}, operation="SCALE")
        if kind == "hazy":
            sky = n.mix(0.4, sky, horizon)
        else:
            seen = n("ShaderNodeLightPath")  # to the camera only: shade lit by it would be as blue
            deep = n.mix(n.math("MULTIPLY", n.step(z, 0.0, 0.22), seen), rgb(1, 1, 1), rgb(*DEEP_BLUE))
            sky = n("ShaderNodeVectorMath", {0: sky, 1: deep}, operation="MULTIPLY")
        lit, shaded = (1.10, 1.05, 1.0), (0.55, 0.60, 0.68)
    else:
        low = n.mix(_towards(n, direction, sun, 4.0), rgb(0.58, 0.27, 0.17), rgb(1.20, 0.50, 0.12))
        sky = n.mix(n.step(z, 0.0, 0.20), low, rgb(0.42, 0.25, 0.26))
        sky = n.mix(n.step(z, 0.08, 0.42), sky, rgb(*look.high))
        lit, shaded = (1.05, 0.40, 0.20), (0.26, 0.17, 0.24)
        sky = _sun_disc(n, sky, sun, direction)
    cover = {"blue": rng.uniform(0.66, 0.74), "scattered": rng.uniform(0.47, 0.56), "hazy": rng.uniform(0.56, 0.66)}[
        kind
    ]
    plane = _cloud_plane(n, rng, direction, z, 0.12)
    density = n.noise(plane, 0.9, 6, 0.58)
    towards_sun = n("ShaderNodeVectorMath", {0: plane, 1: (sun.x * 0.12, sun.y * 0.12, 0)}, operation="ADD")
    relief = n.math("SUBTRACT", density, n.noise(towards_sun, 0.9, 2, 0.58))  # > 0 where it thins towards the sun
    colour = n.mix(n.step(relief, -0.10, 0.10), rgb(*shaded), rgb(*lit))
    cloud = n.math("MULTIPLY", n.step(density, cover, cover + 0.15), n.step(z, 0.015, 0.14))
    return n.mix(n.math("MULTIPLY", cloud, 0.55 if kind == "hazy" else 0.85), sky, colour)


def _cloud_plane(n: Nodes, rng: random.Random, direction, z, flatness: float):
    """Coordinates on a layer overhead, at a place of its own in each scene; `flatness` keeps the horizon finite."""
    reach = n.math("DIVIDE", 1.0, n.math("ADD", n.math("MAXIMUM", z, 0.0), flatness))
    plane = n("ShaderNodeVectorMath", {0: direction, "Scale": reach}, operation="SCALE")
    place = (rng.uniform(0, 99), rng.uniform(0, 99), 0)
    return n("ShaderNodeVectorMath", {0: plane, 1: place}, operation="ADD")


def _sun_disc(n: Nodes, sky, sun: Vector, direction):
    """The low sun itself and the brightness round it, for the camera only: the sun lamp does the lighting."""
    seen = n("ShaderNodeLightPath")
    halo = n.math("MULTIPLY", n.math("MULTIPLY", _towards(n, direction, sun, 90.0), 0.75), seen)
    edge = n.step(_towards(n, direction, sun, 1.0), math.cos(math.radians(1.3)), math.cos(math.radians(0.7)))
    disc = n.math("MULTIPLY", edge, seen)
    return n.mix(disc, n.mix(halo, sky, rgb(1.7, 0.85, 0.28)), rgb(9.0, 5.5, 2.2))


def _towards(n: Nodes, direction, sun: Vector, power: float):
    """1 towards the sun, falling to 0 at a right angle; the higher the power, the faster."""
    cosine = n("ShaderNodeVectorMath", {0: direction, 1: tuple(sun)}, out=1, operation="DOT_PRODUCT")
    return n.math("POWER", n.math("MAXIMUM", cosine, 0.0), power)


# --- lamps


def _hang(scene: Scene, kind: str, at, aim, energy: float, colour: Colour, **properties: Any) -> bpy.types.Object:
    """Adds a light that shines along `aim`; `energy` in W, of a sun in W/m2."""
    light = bpy.data.lights.new("light", kind)
    light.energy, light.color = energy, colour
    for name, value in properties.items():
        setattr(light, name, value)
    ob = bpy.data.objects.new("light", light)
    ob.location = at
    ob.rotation_euler = Vector(aim).to_track_quat("-Z", "Y").to_euler()
    ob.visible_camera = False
    scene.s.collection.objects.link(ob)
    scene.new.append(ob)
    return ob


def _light_lamps(scene: Scene) -> None:
    """Warm pools under the nearest street lamps; each light costs noise, and far ones are only dots."""
    for at in sorted(scene.lamps, key=lambda lamp: lamp[1])[:7]:
        _hang(
            scene, "SPOT", at, (0, 0, -1), 1600, (1, 0.72, 0.40), spot_size=2.4, spot_blend=0.6, shadow_soft_size=0.25
        )


def _light_own_beam(scene: Scene) -> None:
    """The beam of the car one sits in, far stronger on the ground than on traffic, which it would burn out."""
    traffic = [tag["ob"] for tag in scene.tags if tag.get("vehicle") or tag["tag"] == "person"]
    # 1.6 m, between lamp and eye: from the height of real lamps the far road is lit too much at a grazing angle
    power = 40 if scene.lamps else 80
    at = scene.road.P(LANE / 2 + LANE * scene.sc["lane"], 1.0, 1.6)
    beams = [(1.0, "EXCLUDE"), (0.15, "INCLUDE")]
    for strength, link in beams[:1] if scene.lamps else beams:  # under street lamps traffic is seen without
        beam = _hang(
            scene,
            "SPOT",
            at,
            (0, 1, -0.03),
            power * strength,
            (1, 0.94, 0.84),
            spot_size=2.1,
            spot_blend=1.0,
            shadow_soft_size=0.2,
        )
        _shape_beam(beam.data)
        beam.light_linking.receiver_collection = _receivers(f"beam {link}", traffic, link)


def _shape_beam(light: bpy.types.Light) -> None:
    """Little light at one's feet, most of it low ahead, some above the horizon; fades over tens of metres."""
    light.use_nodes = True
    tree = light.node_tree
    tree.nodes.clear()
    n = Nodes(tree)
    parts = n("ShaderNodeSeparateXYZ", {0: n.coord(1)}).node.outputs  # the ray in the light's own axes
    up = n.math("DIVIDE", parts[1], n.math("MULTIPLY", parts[2], -1.0))
    ahead = n.math("ADD", 0.15, n.math("MULTIPLY", n.step(up, -0.50, -0.06), 0.85))
    below = n.math("SUBTRACT", 1.0, n.math("MULTIPLY", n.step(up, -0.02, 0.10), 0.85))
    path = n("ShaderNodeLightPath").node.outputs["Ray Length"]
    fade = n.math("EXPONENT", n.math("DIVIDE", path, -38.0))
    even = n("ShaderNodeLightFalloff", {"Strength": 1.0}, out=2)  # constant: fade alone is the law of distance
    strength = n.math("MULTIPLY", n.math("MULTIPLY", ahead, below), n.math("MULTIPLY", fade, even))
    emission = n("ShaderNodeEmission", {1: strength})
    tree.links.new(emission, tree.nodes.new("ShaderNodeOutputLight").inputs[0])


def _receivers(name: str, objects: list[bpy.types.Object], link: str) -> bpy.types.Collection:
    """The collection of that name with these objects, each of link state INCLUDE or EXCLUDE."""
    collection = bpy.data.collections.get(name) or bpy.data.collections.new(name)
    for ob in objects:
        collection.objects.link(ob)
    for entry in collection.collection_objects:
        entry.light_linking.link_state = link
    return collection


def _light_traffic(scene: Scene) -> None:
    """The beams of oncoming vehicles and the red light behind preceding ones, on the road next to them."""
    for tag in scene.tags:
        if not tag.get("vehicle") or tag["action"] == "parked" or tag["tag"] == "bicycle":
            continue
        heading = tag["ob"].rotation_euler[2]
        forward = Vector((-math.sin(heading), math.cos(heading), 0))
        half = VEHICLES[tag["tag"]][1]
        foot = Vector(tag["ob"].location)
        if tag["facing"] == "towards":
            at, aim = foot + forward * (half + 0.3) + Vector((0, 0, 0.9)), forward + Vector((0, 0, -0.17))
            _hang(scene, "SPOT", at, aim, 160, (1, 0.95, 0.85), spot_size=1.3, spot_blend=0.8, shadow_soft_size=0.4)
        else:
            at = foot - forward * (half + 0.5) + Vector((0, 0, 0.7))
            _hang(scene, "POINT", at, -forward, 6, (1, 0.05, 0.03), shadow_soft_size=0.3)
