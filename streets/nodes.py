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


def make_groups():
    """Shared node groups: 'Globals' carries per-scene values, 'Haze' adds aerial perspective."""
    g = bpy.data.node_groups.new("Globals", "ShaderNodeTree")
    out = g.nodes.new("NodeGroupOutput")
    for name in ("Night", "Wet"):
        g.interface.new_socket(name, in_out="OUTPUT", socket_type="NodeSocketFloat")
        v = g.nodes.new("ShaderNodeValue")
        v.name = name
        g.links.new(v.outputs[0], out.inputs[name])
    h = bpy.data.node_groups.new("Haze", "ShaderNodeTree")
    h.interface.new_socket("Shader", in_out="INPUT", socket_type="NodeSocketShader")
    h.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    gi, go = h.nodes.new("NodeGroupInput"), h.nodes.new("NodeGroupOutput")
    n = Nodes(h)
    dens = h.nodes.new("ShaderNodeValue")
    dens.name = "Density"
    col = h.nodes.new("ShaderNodeRGB")
    col.name = "Colour"
    dist = n("ShaderNodeCameraData", out=2)
    fac = n.math(
        "SUBTRACT", 1.0, n.math("EXPONENT", n.math("MULTIPLY", n.math("MULTIPLY", dist, dens.outputs[0]), -1.0)), True
    )
    fac = n.math("MULTIPLY", fac, n("ShaderNodeLightPath"))
    em = n("ShaderNodeEmission", {0: col.outputs[0]})
    h.links.new(n("ShaderNodeMixShader", {0: fac, 1: gi.outputs[0], 2: em}), go.inputs[0])
