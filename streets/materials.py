"""Every material of a scene, by name. One mesh serves every colour: paint comes from Object.color."""

from __future__ import annotations

import math

import bpy

from streets.nodes import Nodes, make_groups, rgb

PI = math.pi

MAT = {}


def material(name, fn):
    m = bpy.data.materials.new(name)
    m.use_nodes = True
    t = m.node_tree
    t.nodes.clear()
    n = Nodes(t)
    glob = t.nodes.new("ShaderNodeGroup")
    glob.node_tree = bpy.data.node_groups["Globals"]
    n.night, n.wet = glob.outputs
    haze = t.nodes.new("ShaderNodeGroup")
    haze.node_tree = bpy.data.node_groups["Haze"]
    t.links.new(fn(n), haze.inputs[0])
    t.links.new(haze.outputs[0], t.nodes.new("ShaderNodeOutputMaterial").inputs[0])
    m.cycles.emission_sampling = "NONE"  # haze is emission: keep every mesh out of the light tree
    MAT[name] = m


def flat(col, rough=0.6, metal=0.0, var=0.0, scale=3.0):
    """Plain surface with optional large/small scale dirt variation."""

    def fn(n):
        c = rgb(*col)
        if var:
            k = n.noise(n.coord(3), scale, 5)
            lo, hi = [x * (1 - var) for x in col], [min(1, x * (1 + var)) for x in col]
            c = n.mix(n.step(k, 0.3, 0.7), rgb(*lo), rgb(*hi))
        return n.principled(Base_Color=c, Roughness=rough, Metallic=metal)

    return fn


def glow(col, day, night):
    def fn(n):
        s = n.math("ADD", day, n.math("MULTIPLY", n.night, night - day))
        return n.principled(Base_Color=rgb(*col), Roughness=0.3, Emission_Color=rgb(*col), Emission_Strength=s)

    return fn


def m_object(rough, metal=0.0, coat=0.0, var=0.12, scale=2.0):
    """Base colour from Object.color, so that one mesh serves every colour."""

    def fn(n):
        c = n("ShaderNodeObjectInfo", out=1)
        k = n.step(n.noise(n.coord(3), scale, 5), 0.25, 0.75)
        c = n.mix(n.math("MULTIPLY", k, var * 2), c, rgb(0.08, 0.07, 0.06)) if var else c
        return n.principled(Base_Color=c, Roughness=rough, Metallic=metal, Coat_Weight=coat)

    return fn


# one entry per kind of person, dark to fair: skin and hair go together, trousers do not
SKINS = (
    (0.085, 0.042, 0.024),
    (0.19, 0.095, 0.05),
    (0.36, 0.20, 0.12),
    (0.50, 0.29, 0.19),
    (0.56, 0.35, 0.25),
    (0.56, 0.36, 0.27),
)
HAIRS = (
    (0.012, 0.010, 0.009),
    (0.014, 0.010, 0.008),
    (0.03, 0.018, 0.011),
    (0.08, 0.04, 0.02),
    (0.36, 0.22, 0.08),
    (0.30, 0.29, 0.28),
)
TROUSERS = (
    (0.03, 0.045, 0.10),
    (0.020, 0.020, 0.022),
    (0.28, 0.22, 0.14),
    (0.06, 0.10, 0.20),
    (0.12, 0.12, 0.125),
    (0.07, 0.08, 0.045),
)


def by_place(palette, rough, salt=0.0):
    """One of the colours, by where the object stands: one mesh is many people, and the seed decides who."""

    def fn(n):
        where = n("ShaderNodeVectorMath", {0: n("ShaderNodeObjectInfo"), 1: (salt, salt, salt)}, operation="ADD")
        share = n("ShaderNodeTexWhiteNoise", {0: where})
        colour = rgb(*palette[0])
        for i, other in enumerate(palette[1:], 1):
            colour = n.mix(n.math("GREATER_THAN", share, i / len(palette)), colour, rgb(*other))
        return n.principled(Base_Color=colour, Roughness=rough)

    return fn


def m_asphalt(n):
    uv = n.coord(2)
    xy = n("ShaderNodeSeparateXYZ", {0: uv})
    xy.node.outputs[1]
    big, fine = n.noise(uv, 0.25, 4), n.noise(uv, 14, 3, 0.7)
    stretched = n("ShaderNodeVectorMath", {0: uv, 1: (1.0, 0.05, 1)}, operation="MULTIPLY")
    streak = n.noise(stretched, 2.2, 3)
    lane = n.math("ABSOLUTE", n.math("SINE", n.math("MULTIPLY", xy, 2 * PI / 3.5)))
    k = n.math("ADD", n.math("MULTIPLY", big, 0.5), n.math("MULTIPLY", streak, 0.5))
    c = n.mix(n.step(k, 0.33, 0.68), rgb(0.060, 0.054, 0.047), rgb(0.175, 0.160, 0.138))
    c = n.mix(n.math("MULTIPLY", n.step(lane, 0.55, 1.0), 0.22), c, rgb(0.035, 0.034, 0.033))
    c = n.mix(n.math("MULTIPLY", n.step(fine, 0.52, 0.72), 0.38), c, rgb(0.24, 0.23, 0.21))
    warp = n(
        "ShaderNodeVectorMath",
        {0: uv, 1: n("ShaderNodeTexNoise", {"Vector": uv, "Scale": 0.8}, out=1)},
        operation="ADD",
    )
    crack = n("ShaderNodeTexVoronoi", {"Vector": warp, "Scale": 0.16}, feature="DISTANCE_TO_EDGE")
    c = n.mix(n.math("MULTIPLY", n.math("LESS_THAN", crack, 0.006), 0.75), c, rgb(0.02, 0.02, 0.02))
    patch = n("ShaderNodeTexVoronoi", {"Vector": uv, "Scale": 0.09, "Randomness": 0.9}, out=1, distance="CHEBYCHEV")
    c = n.mix(
        n.math("MULTIPLY", n.math("GREATER_THAN", n("ShaderNodeSeparateXYZ", {0: patch}), 0.8), 0.35),
        c,
        rgb(0.03, 0.03, 0.03),
    )
    puddle = n.math("MULTIPLY", n.step(big, 0.42, 0.55), n.wet)
    c = n.mix(n.math("MULTIPLY", n.wet, 0.55), c, rgb(0.012, 0.012, 0.013))
    r = n.math("SUBTRACT", n.math("SUBTRACT", 0.86, n.math("MULTIPLY", n.wet, 0.5)), n.math("MULTIPLY", puddle, 0.3))
    return n.principled(Base_Color=c, Roughness=r)


def m_paint(col):
    def fn(n):
        uv = n.coord(2)
        wear = n.step(n.noise(uv, 3.5, 8, 0.72), 0.50, 0.64)
        c = n.mix(n.math("MULTIPLY", wear, 0.62), rgb(*col), rgb(0.11, 0.105, 0.10))
        return n.principled(Base_Color=c, Roughness=n.math("SUBTRACT", 0.7, n.math("MULTIPLY", n.wet, 0.4)))

    return fn


def m_slabs(col, size=1.6):
    def fn(n):
        uv = n.coord(2)
        b = n(
            "ShaderNodeTexBrick",
            {
                "Vector": uv,
                "Color1": rgb(*col),
                "Color2": rgb(*[c * 0.86 for c in col]),
                "Mortar": rgb(*[c * 0.5 for c in col]),
                "Scale": 1.0,
                "Mortar Size": 0.018,
                "Brick Width": size,
                "Row Height": size,
            },
            offset=0.0,
        )
        k = n.step(n.noise(uv, 0.7, 6, 0.65), 0.35, 0.7)
        c = n.mix(n.math("MULTIPLY", k, 0.3), b, rgb(0.16, 0.145, 0.12))
        return n.principled(Base_Color=c, Roughness=n.math("SUBTRACT", 0.8, n.math("MULTIPLY", n.wet, 0.45)))

    return fn


def m_ground(a, b, scale=0.08, c3=None, grain=1.0):
    """Soil: two colours in patches, a third in small spots, and fine relief of about `grain` centimetres x 4."""

    def fn(n):
        p = n.coord(3)
        c = n.mix(n.step(n.noise(p, scale, 6, 0.6), 0.36, 0.64), rgb(*a), rgb(*b))
        if c3:
            c = n.mix(n.step(n.noise(p, scale * 9, 4, 0.7), 0.53, 0.62), c, rgb(*c3))
        fine = n.noise(p, 4.0, 2, 0.65)
        c = n.mix(n.math("MULTIPLY", n.step(fine, 0.35, 0.75), 0.45), c, rgb(*[x * 0.45 for x in a]))
        relief = n("ShaderNodeBump", {"Strength": 0.6, "Distance": 0.04 * grain, "Height": fine})
        return n.principled(Base_Color=c, Roughness=0.95, Specular_IOR_Level=0.15, Normal=relief)

    return fn


def m_leaf(dark, light, trans=0.25):
    def fn(n):
        # by place, not by Blender's random number of an object: that comes from its name, which earlier scenes change
        inst = n("ShaderNodeTexWhiteNoise", {0: n("ShaderNodeObjectInfo")}, out=0)
        k = n.math("ADD", n("ShaderNodeNewGeometry", out=8), n.math("MULTIPLY", inst, 0.35))
        c = n.mix(n.step(k, 0.05, 1.2), rgb(*dark), rgb(*light))
        d = n.principled(Base_Color=c, Roughness=0.55, Specular_IOR_Level=0.35)
        t = n("ShaderNodeBsdfTranslucent", {0: c})
        return n("ShaderNodeMixShader", {0: trans, 1: d, 2: t})

    return fn


def m_facade(n):
    """Windows over shops; wall = Object.color; lit at night.

    UV counts windows across and metres up (see buildings.py); the alpha of the object's colour is the style:
    it decides how high storeys are (buildings.storey_height) and whether windows are single, ribbons or all glass.
    """
    u = n("ShaderNodeSeparateXYZ", {0: n.coord(2)})
    v = u.node.outputs[1]
    wall = n("ShaderNodeObjectInfo", out=1)
    style = wall.node.outputs["Alpha"]

    def share(k):  # another number from 0 to 1 for each style
        return n.math("FRACT", n.math("MULTIPLY", style, k))

    def within(value, middle, half):
        return n.math("LESS_THAN", n.math("ABSOLUTE", n.math("SUBTRACT", value, middle)), half)

    def both(*masks):
        out = masks[0]
        for mask in masks[1:]:
            out = n.math("MULTIPLY", out, mask)
        return out

    storey = n.math("ADD", 3.1, n.math("MULTIPLY", share(13), 0.9))
    across, up = n.math("FRACT", u), n.math("DIVIDE", n.math("SUBTRACT", v, 4.4), storey)
    cell = n("ShaderNodeCombineXYZ", {0: n.math("FLOOR", u), 1: n.math("FLOOR", up), 2: style})
    chance = n("ShaderNodeTexWhiteNoise", {0: cell}, out=0)
    high = n.math("FRACT", up)
    upper = n.math("GREATER_THAN", v, 4.4)
    ribbon, tower = n.math("LESS_THAN", share(5.3), 0.18), n.math("GREATER_THAN", share(5.3), 0.76)
    half_u = n.math("ADD", 0.24, n.math("MULTIPLY", share(7), 0.14))
    half_u = n.math("ADD", n.math("ADD", half_u, n.math("MULTIPLY", ribbon, 0.4)), n.math("MULTIPLY", tower, 0.16))
    half_v = n.math("ADD", 0.24, n.math("MULTIPLY", share(11), 0.08))
    half_v = n.math("ADD", half_v, n.math("MULTIPLY", tower, 0.15))
    opening = both(within(across, 0.5, half_u), within(high, 0.5, half_v), upper)
    frame = n.math("MAXIMUM", within(across, 0.5, 0.018), within(high, 0.6, 0.012))
    inner = both(
        within(across, 0.5, n.math("SUBTRACT", half_u, 0.03)), within(high, 0.5, n.math("SUBTRACT", half_v, 0.025))
    )
    window = both(opening, inner, n.math("SUBTRACT", 1.0, frame))
    sill = both(within(across, 0.5, n.math("ADD", half_u, 0.04)), within(high, n.math("SUBTRACT", 0.47, half_v), 0.03))
    bay = n.math("FRACT", n.math("MULTIPLY", u, 0.5))
    pane = n.math("GREATER_THAN", n.math("FRACT", n.math("MULTIPLY", bay, 4)), 0.05)
    shop = both(within(bay, 0.5, 0.41), within(v, 1.75, 1.3))
    shop_glass = n.math("MULTIPLY", shop, pane)
    grime = n.noise(n.coord(3), 0.35, 2)
    wall = n.mix(n.math("MULTIPLY", n.step(grime, 0.4, 0.8), 0.35), wall, rgb(0.10, 0.09, 0.08))
    c = n.mix(n.math("MULTIPLY", both(sill, upper), 0.5), wall, rgb(0.55, 0.53, 0.50))
    frames = n.mix(n.math("GREATER_THAN", share(17), 0.5), rgb(0.05, 0.05, 0.05), rgb(0.55, 0.54, 0.52))
    c = n.mix(n.math("MAXIMUM", opening, shop), c, frames)
    glass = n.mix(chance, rgb(0.012, 0.022, 0.032), rgb(0.05, 0.08, 0.10))
    blind = both(n.math("GREATER_THAN", chance, 0.55), n.math("GREATER_THAN", high, chance))
    glass = n.mix(n.math("MULTIPLY", blind, 0.7), glass, rgb(0.42, 0.40, 0.36))
    goods = n.noise(n("ShaderNodeVectorMath", {0: n.coord(2), 1: (3.0, 1.6, 1)}, operation="MULTIPLY"), 1.5, 1)
    goods = n.math("MULTIPLY", n.step(goods, 0.45, 0.62), n.math("LESS_THAN", v, 1.9))
    display = n.mix(goods, rgb(0.02, 0.025, 0.03), rgb(0.20, 0.13, 0.08))
    c = n.mix(window, c, glass)
    c = n.mix(shop_glass, c, display)
    lit = n.math("MAXIMUM", n.math("MULTIPLY", window, n.math("GREATER_THAN", chance, 0.62)), shop_glass)
    shiny = n.math("MAXIMUM", window, shop_glass)
    return n.principled(
        Base_Color=c,
        Roughness=n.math("SUBTRACT", 0.8, n.math("MULTIPLY", shiny, 0.7)),
        Emission_Color=n.mix(chance, rgb(1, 0.62, 0.25), rgb(1, 0.85, 0.6)),
        Emission_Strength=n.math("MULTIPLY", lit, n.math("MULTIPLY", n.night, 0.6)),
    )


def m_shopsign(n):
    """A board in Object.color, lit from within at night."""
    c = n("ShaderNodeObjectInfo", out=1)
    return n.principled(
        Base_Color=c, Roughness=0.4, Emission_Color=c, Emission_Strength=n.math("MULTIPLY", n.night, 1.5)
    )


def winlit(n):
    return n.principled(
        Base_Color=rgb(0.02, 0.03, 0.04),
        Roughness=0.1,
        Emission_Color=rgb(1, 0.66, 0.3),
        Emission_Strength=n.math("MULTIPLY", n.night, 0.8),
    )


def m_water(n):
    """The sea: swell and ripples, deep blue; what little it mirrors keeps it from the colour of the sky."""
    p = n("ShaderNodeVectorMath", {0: n.coord(3), 1: (1.0, 0.4, 1)}, operation="MULTIPLY")
    swell = n.math("ADD", n.noise(p, 0.35, 3, 0.6), n.math("MULTIPLY", n.noise(p, 0.07, 1), 1.5))
    b = n("ShaderNodeBump", {"Strength": 0.6, "Distance": 0.6, "Height": swell})
    foam = n.math("MULTIPLY", n.step(n.noise(p, 0.16, 5), 0.62, 0.68), 0.5)
    c = n.mix(n.noise(p, 0.02, 3), rgb(0.006, 0.06, 0.12), rgb(0.012, 0.12, 0.16))
    c = n.mix(foam, c, rgb(0.45, 0.55, 0.58))
    return n.principled(Base_Color=c, Roughness=0.22, Specular_IOR_Level=0.25, Normal=b)


def make_materials():
    make_groups()
    for name, fn in {
        "asphalt": m_asphalt,
        "white": m_paint((0.72, 0.71, 0.68)),
        "yellow": m_paint((0.72, 0.45, 0.05)),
        "walk": m_slabs((0.50, 0.47, 0.42)),
        "kerb": flat((0.42, 0.40, 0.36), 0.8, 0, 0.25),
        "kerbred": flat((0.42, 0.05, 0.04), 0.7, 0, 0.4),
        "grass": m_ground((0.075, 0.12, 0.022), (0.16, 0.19, 0.05), 0.3),
        "sand": m_ground((0.62, 0.50, 0.34), (0.72, 0.61, 0.44), 0.05),
        "dirt": m_ground((0.33, 0.22, 0.12), (0.46, 0.33, 0.19), 0.06, (0.20, 0.17, 0.08)),
        "hill": m_ground((0.30, 0.22, 0.12), (0.40, 0.31, 0.18), 0.012, (0.10, 0.12, 0.045)),
        "rock": m_ground((0.30, 0.16, 0.09), (0.42, 0.25, 0.15), 0.02),
        "verge": m_ground((0.26, 0.20, 0.10), (0.17, 0.18, 0.06), 0.09, (0.33, 0.26, 0.14)),
        "cliff": m_ground((0.27, 0.20, 0.14), (0.38, 0.30, 0.22), 0.5, (0.17, 0.13, 0.10), 4.0),
        "straw": m_leaf((0.22, 0.17, 0.07), (0.42, 0.34, 0.16)),
        "facade": m_facade,
        "shopsign": m_shopsign,
        "stucco": m_object(0.85, var=0.10, scale=1.2),
        "obj": m_object(0.5, var=0),
        "cloth": m_object(0.8, var=0.05),
        "car": m_object(0.28, 0.15, 0.9, var=0.03, scale=1.5),
        "matte": m_object(0.55, 0, 0, var=0.22, scale=2.5),
        "roof": flat((0.33, 0.13, 0.07), 0.8, 0, 0.3, 5),
        "flatroof": flat((0.25, 0.24, 0.22), 0.9),
        "glass": flat((0.012, 0.016, 0.02), 0.06),
        "winlit": winlit,
        "black": flat((0.018, 0.018, 0.019), 0.5),
        "tyre": flat((0.014, 0.014, 0.014), 0.85),
        "steel": flat((0.45, 0.45, 0.46), 0.38, 0.8),
        "pole": flat((0.23, 0.24, 0.24), 0.55, 0.4, 0.2),
        "galv": flat((0.50, 0.51, 0.50), 0.5, 0.5, 0.1),
        "plate": flat((0.75, 0.75, 0.7), 0.5),
        "tail": glow((0.55, 0.010, 0.008), 0.25, 2.6),
        "head": glow((0.95, 0.93, 0.85), 0.35, 16.0),
        "amber": glow((0.9, 0.35, 0.03), 0.2, 1.0),
        "signred": glow((0.62, 0.018, 0.02), 0, 0.25),
        "signwhite": glow((0.82, 0.82, 0.8), 0, 0.25),
        "signgreen": glow((0.01, 0.20, 0.09), 0, 0.3),
        "signblue": glow((0.03, 0.12, 0.45), 0, 0.3),
        "wood": flat((0.16, 0.10, 0.06), 0.9, 0, 0.4),
        "bark": flat((0.17, 0.125, 0.09), 0.95, 0, 0.45, 6),
        "palmbark": flat((0.24, 0.18, 0.12), 0.95, 0, 0.35, 9),
        "leaf": m_leaf((0.022, 0.05, 0.010), (0.13, 0.20, 0.035)),
        "leaf2": m_leaf((0.035, 0.055, 0.012), (0.22, 0.23, 0.05)),
        "hedge": m_leaf((0.020, 0.045, 0.008), (0.17, 0.21, 0.03)),
        "ivy": m_leaf((0.015, 0.04, 0.010), (0.10, 0.17, 0.035)),
        "palm": m_leaf((0.045, 0.065, 0.014), (0.20, 0.23, 0.06)),
        "palmdry": m_leaf((0.19, 0.12, 0.05), (0.32, 0.22, 0.10)),
        "flower": m_leaf((0.35, 0.03, 0.16), (0.60, 0.12, 0.32)),
        "cactus": flat((0.10, 0.17, 0.06), 0.8, 0, 0.3, 8),
        "water": m_water,
        "foam": flat((0.78, 0.82, 0.82), 0.7, 0, 0.2, 1.5),
        "plank": flat((0.30, 0.20, 0.12), 0.85, 0, 0.35, 4),
        "lamp": glow((1, 0.78, 0.45), 0.05, 30.0),
        "skin": by_place(SKINS, 0.6),
        "hair": by_place(HAIRS, 0.75),
        "jeans": by_place(TROUSERS, 0.85, salt=7.3),
        "bulb_red": glow((1, 0.012, 0.008), 1.7, 4),
        "bulb_amber": glow((1, 0.36, 0.01), 1.8, 4),
        "bulb_green": glow((0.02, 0.9, 0.30), 1.6, 3.5),
        "bulb_off": flat((0.05, 0.045, 0.04), 0.4),
        "lb_red": glow((1, 0.012, 0.012), 1.4, 6),
        "lb_blue": glow((0.02, 0.08, 1), 1.4, 7),
        "taxi": glow((0.95, 0.72, 0.16), 0.35, 1.0),
        "conc": flat((0.47, 0.45, 0.41), 0.9, 0, 0.22, 2),
        "stripe": flat((0.65, 0.03, 0.03), 0.5),
        "canopy": glow((0.75, 0.78, 0.8), 0, 0.8),
        "fur": flat((0.36, 0.19, 0.065), 0.9, 0, 0.25, 6),
        "fire": flat((0.60, 0.04, 0.02), 0.4),
        "whitep": flat((0.75, 0.75, 0.73), 0.4),
        "navy": flat((0.02, 0.05, 0.16), 0.4),
        "cladding": flat((0.035, 0.035, 0.037), 0.7),
        "hubcap": flat((0.52, 0.53, 0.55), 0.32, 0.75),
        "bedliner": flat((0.030, 0.030, 0.032), 0.85, 0, 0.3, 4),
        "paneclear": flat((0.05, 0.065, 0.075), 0.06),
        "led": glow((1.0, 0.55, 0.08), 1.6, 4.0),
        "earth": flat((0.20, 0.125, 0.07), 0.95, 0, 0.45, 5),
        "shoe": flat((0.05, 0.045, 0.04), 0.6),
        "leather": flat((0.030, 0.028, 0.028), 0.45),
        "jersey": flat((0.55, 0.56, 0.58), 0.8, 0, 0.05),
        "furlight": flat((0.55, 0.36, 0.17), 0.9, 0, 0.2, 6),
        "furdark": flat((0.16, 0.075, 0.025), 0.9, 0, 0.2, 6),
        "sail": flat((0.80, 0.79, 0.74), 0.8, 0, 0.06),
        "hull": flat((0.035, 0.075, 0.20), 0.3),
        "signyellow": glow((0.75, 0.50, 0.03), 0, 0.2),
        "shelterglass": flat((0.16, 0.20, 0.21), 0.08),
        "poster": glow((0.55, 0.30, 0.10), 0, 0.8),
    }.items():
        material(name, fn)
