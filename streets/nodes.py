"""Shader trees written as expressions. Knows bpy, no scene."""

from __future__ import annotations

import bpy


class Nodes:
    """Tiny DSL over a node tree: n('ShaderNodeX', {socket: value or output socket}, prop=...)."""

    def __init__(self, tree):
        self.t = tree

    def __call__(self, kind, inputs=None, out=0, **props):
        node = self.t.nodes.new(kind)
        for key, val in props.items():
            setattr(node, key, val)
        for key, val in (inputs or {}).items():
            sock = node.inputs[key]
            if isinstance(val, bpy.types.NodeSocket):
                self.t.links.new(val, sock)
            else:
                sock.default_value = val
        return node.outputs[out]

    def math(self, op, a, b=0.0, clamp=False):
        return self("ShaderNodeMath", {0: a, 1: b}, operation=op, use_clamp=clamp)

    def mix(self, fac, a, b):
        return self("ShaderNodeMix", {0: fac, 6: a, 7: b}, out=2, data_type="RGBA")

    def noise(self, vec, scale, detail=3.0, rough=0.55):
        return self("ShaderNodeTexNoise", {"Vector": vec, "Scale": scale, "Detail": detail, "Roughness": rough})

    def step(self, val, lo, hi):
        return self("ShaderNodeMapRange", {0: val, 1: lo, 2: hi, 3: 0.0, 4: 1.0}, interpolation_type="SMOOTHSTEP")

    def coord(self, which):
        return self("ShaderNodeTexCoord", out=which)

    def principled(self, **kw):
        return self("ShaderNodeBsdfPrincipled", {k.replace("_", " "): v for k, v in kw.items()})


def rgb(*c):
    return (*c, 1.0)


def make_groups() -> None:
    """Shared node groups. Their named value nodes are set once a scene (see values_of):

    Globals  Night, Wet: 0 or 1.
    Air      Colour and Glow (towards the sun) of distant air seen in a direction; the sky's horizon uses it as well, so
             that land fades into the sky it meets.
    Haze     Density in 1/m: lays air over a shader, by distance from the camera.
    """
    globals_ = bpy.data.node_groups.new("Globals", "ShaderNodeTree")
    out = globals_.nodes.new("NodeGroupOutput")
    for name in ("Night", "Wet"):
        globals_.interface.new_socket(name, in_out="OUTPUT", socket_type="NodeSocketFloat")
        globals_.links.new(_value(globals_, "ShaderNodeValue", name), out.inputs[name])
    _make_air()
    _make_haze()


def values_of(group: str) -> dict[str, bpy.types.NodeSocket]:
    """The settable values of a group made by make_groups, by name."""
    return {node.name: node.outputs[0] for node in bpy.data.node_groups[group].nodes if node.outputs}


def air(n: Nodes, direction):
    """Colour of distant air in a direction (unit vector, away from the camera)."""
    return n("ShaderNodeGroup", {"Direction": direction}, node_tree=bpy.data.node_groups["Air"])


def fading(n: Nodes, distance, density):
    """Share of what lies `distance` m away that the haze hides: 1 - exp(-density * distance)."""
    depth = n.math("MULTIPLY", n.math("MULTIPLY", distance, density), -1.0)
    return n.math("SUBTRACT", 1.0, n.math("EXPONENT", depth), True)


def _make_air() -> None:
    tree = bpy.data.node_groups.new("Air", "ShaderNodeTree")
    tree.interface.new_socket("Direction", in_out="INPUT", socket_type="NodeSocketVector")
    tree.interface.new_socket("Colour", in_out="OUTPUT", socket_type="NodeSocketColor")
    n = Nodes(tree)
    direction = tree.nodes.new("NodeGroupInput").outputs[0]
    colour, glow = _value(tree, "ShaderNodeRGB", "Colour"), _value(tree, "ShaderNodeRGB", "Glow")
    sun = _value(tree, "ShaderNodeCombineXYZ", "Sun")
    cosine = n("ShaderNodeVectorMath", {0: direction, 1: sun}, out=1, operation="DOT_PRODUCT")
    near_sun = n.math("POWER", n.math("MAXIMUM", cosine, 0.0), 5.0)
    tree.links.new(n.mix(near_sun, colour, glow), tree.nodes.new("NodeGroupOutput").inputs[0])


def _make_haze() -> None:
    tree = bpy.data.node_groups.new("Haze", "ShaderNodeTree")
    tree.interface.new_socket("Shader", in_out="INPUT", socket_type="NodeSocketShader")
    tree.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    n = Nodes(tree)
    distance = n("ShaderNodeCameraData", out=2)
    hidden = fading(n, distance, _value(tree, "ShaderNodeValue", "Density"))
    seen_directly = n("ShaderNodeLightPath")  # Is Camera Ray: reflections do without haze
    incoming = n("ShaderNodeNewGeometry", out=4)
    direction = n("ShaderNodeVectorMath", {0: incoming, "Scale": -1.0}, operation="SCALE")
    veil = n("ShaderNodeEmission", {0: air(n, direction)})
    inputs = {0: n.math("MULTIPLY", hidden, seen_directly), 1: tree.nodes.new("NodeGroupInput").outputs[0], 2: veil}
    tree.links.new(n("ShaderNodeMixShader", inputs), tree.nodes.new("NodeGroupOutput").inputs[0])


def _value(tree, kind: str, name: str) -> bpy.types.NodeSocket:
    node = tree.nodes.new(kind)
    node.name = name
    return node.outputs[0]
