"""From seed to picture: Blender's set-up, the order in which a scene is built, the camera.

Knows nothing of folders full of scenes (farm.py) or of what is said about a picture (truth.py, captions.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
from PIL import Image

from streets import places, seeing
from streets.light import light_up
from streets.materials import make_materials
from streets.sample import HEIGHT, WIDTH, sample
from streets.scene import Scene
from streets.surface import surface
from streets.traffic import traffic

JPEG_QUALITY = 90


class Studio:
    """Blender, set up once; models are built once and used by every scene that a process renders."""

    def __init__(self, *, percent: int = 100, samples: int = 8, threads: int = 1) -> None:
        _set_up(percent, samples, threads)
        self._models: dict[str, Any] = {}

    def shoot(self, seed: int, picture: Path, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Renders the scene of `seed` to `picture` (JPEG); returns its record: seed, scene, evidence.

        `changes` overrides attributes of the sampled scene, to look at one thing in many lights.
        """
        description = sample(seed) | dict(changes or {})
        scene = Scene(description, self._models)
        try:
            build(scene)
            seen = seeing.look(scene)
            # Blender would write the time that it took into a JPEG, and no two pictures of a seed would be the same
            frame = picture.with_suffix(".png").absolute()
            bpy.context.scene.render.filepath = str(frame)
            bpy.ops.render.render(write_still=True)
        finally:
            scene.remove()
        with Image.open(frame) as image:
            image.convert("RGB").save(picture, quality=JPEG_QUALITY)
        frame.unlink()
        with Image.open(picture) as image:
            evidence = seeing.measure(seen, image.convert("RGB"))
        return {"seed": seed, "scene": description, "evidence": evidence}


def build(scene: Scene) -> None:
    """Fills an empty scene: the ground first, then what stands on it, then what moves, then light and camera."""
    surface(scene)
    places.fill(scene)
    traffic(scene)
    places.mountains(scene)
    light_up(scene)
    _aim(scene)


def _aim(scene: Scene) -> None:
    dx, z, yaw, pitch = scene.sc["cam"]
    camera = scene.s.camera
    camera.location = (1.75 + 3.5 * scene.sc["lane"] + dx, 0, z)
    camera.rotation_euler = (math.radians(90 + pitch), 0, math.radians(yaw))
    camera.data.lens = scene.sc["lens"]


def _set_up(percent: int, samples: int, threads: int) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    s = bpy.context.scene
    s.world = bpy.data.worlds.new("world")
    s.world.use_nodes = True
    # with the default map of the sky no frame came in 113 s; with this one it takes 8
    s.world.cycles.sampling_method, s.world.cycles.sample_map_resolution = "MANUAL", 256
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    s.collection.objects.link(camera)
    s.camera, camera.data.clip_end = camera, 5000
    s.render.engine = "CYCLES"
    s.render.resolution_x, s.render.resolution_y, s.render.resolution_percentage = WIDTH, HEIGHT, percent
    s.render.threads_mode, s.render.threads = "FIXED", threads
    s.render.use_persistent_data = False  # what was rendered before would change the noise of a picture
    s.render.image_settings.file_format = "PNG"
    c = s.cycles
    c.device, c.samples, c.use_adaptive_sampling = "CPU", samples, False
    c.use_denoising, c.denoiser = True, "OPENIMAGEDENOISE"
    c.denoising_input_passes, c.denoising_prefilter, c.denoising_quality = "RGB_ALBEDO_NORMAL", "FAST", "BALANCED"
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces, c.transmission_bounces = 3, 2, 2, 1
    c.transparent_max_bounces, c.volume_bounces = 2, 0
    c.caustics_reflective = c.caustics_refractive = False
    c.sample_clamp_indirect, c.sample_clamp_direct, c.blur_glossy = 4.0, 0, 0.5
    s.view_settings.view_transform, s.view_settings.look = "AgX", "AgX - Medium High Contrast"
    make_materials()
