"""Shows a drive (drive.py): builds its street once, then moves what moves and renders; encodes the frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy
from PIL import Image

from streets import drive
from streets.render import Studio, build
from streets.sample import COLOURS
from streets.scene import Scene

LEGS = 0.27  # s that somebody who walks stays in one pose
NOD = 0.35  # degrees that the nose of the car dips, for each m/s2 of braking
AHEAD = 6.0  # m over which the slope of the road tilts the car


class Film:
    """A studio (farm.py) whose seeds are the frames of one drive."""

    def __init__(self, seed: int, percent: int, samples: int) -> None:
        Studio(percent=percent, samples=samples)
        self._scene = Scene(drive.scene(seed), {})
        build(self._scene)
        bpy.context.scene.render.image_settings.quality = 97
        crossing = self._scene.gap
        if crossing is None:
            raise ValueError("a drive needs a crossing: control has to be a light")
        self._crossing = crossing
        self._moments = drive.moments(crossing)
        self._cars = [self._add(car.kind, car.colour) for car in self._moments[0].cars]
        self._cars[0].hide_render = True  # the camera sits in it
        self._crossing_cars = [self._add(car.kind, car.colour) for car in drive.CROSSING_CARS]
        self._pedestrians = [self._add("person1", who.colour) for who in drive.PEDESTRIANS]
        self._walkers = [self._add("person1", who.colour) for who in drive.WALKERS]
        lights = [self._scene.template(f"light {state}") for state in ("red", "amber", "green")]
        self._lights = [ob for ob in self._scene.new if ob.data in lights]

    def shoot(self, seed: int, picture: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Renders frame `seed`."""
        moment = self._moments[seed]
        self._arrange(moment)
        self._aim(moment.cars[0])
        bpy.context.scene.render.filepath = str(picture.absolute())
        bpy.ops.render.render(write_still=True)
        return {"seed": seed, "s": round(moment.cars[0].s, 3), "signal": moment.signal}

    def _add(self, kind: str, colour: str) -> Any:
        return self._scene.add(kind, colour=COLOURS[colour])

    def _arrange(self, moment: drive.Moment) -> None:
        begin, end = self._crossing
        half = self._scene.hw
        for ob, car in zip(self._cars, moment.cars, strict=True):
            self._put(ob, car.u, car.s, math.pi if car.way < 0 else 0.0)
        for ob, crosser in zip(self._crossing_cars, drive.CROSSING_CARS, strict=True):
            s = (begin + end) / 2 - crosser.way * drive.LANE * 0.6  # on the right of the crossing road
            self._put(ob, crosser.u(moment.t, start=half + 40), s, -crosser.way * math.pi / 2)
        for k, (ob, crosser) in enumerate(zip(self._pedestrians, drive.PEDESTRIANS, strict=True)):
            kerb = half + 0.7
            u = crosser.u(moment.t, start=kerb)
            walks = moment.t > crosser.since and abs(u) < kerb + 4
            u = max(-kerb - 4, min(kerb + 4, u))
            self._put(ob, u, begin - 1.6 - 0.9 * k, -crosser.way * math.pi / 2, 0.0 if abs(u) < half else 0.14)
            self._step(ob, moment.t if walks else None)
        for ob, walker in zip(self._walkers, drive.WALKERS, strict=True):
            u = walker.side * (half + 0.62 * self._scene.walk)
            self._put(ob, u, walker.s + walker.speed * moment.t, math.pi if walker.speed < 0 else 0.0, 0.14)
            self._step(ob, moment.t + walker.s)
        for ob in self._lights:
            ob.data = self._scene.template(f"light {moment.signal}")

    def _put(self, ob: Any, u: float, s: float, turn: float, z: float = 0.0) -> None:
        ob.location = self._scene.road.P(u, s, z)
        ob.rotation_euler[2] = turn - self._scene.road.at(s)[3]

    def _step(self, ob: Any, t: float | None) -> None:
        """Left foot before, feet together, right foot before, feet together; t is None for somebody who stands."""
        pose = 1 if t is None else int(t / LEGS) % 4
        ob.data = self._scene.template("person0" if pose % 2 else "person1")
        ob.scale = (-1 if pose == 2 else 1, 1, 1)  # the other foot: mirrored

    def _aim(self, car: drive.Car) -> None:
        right, up, yaw, pitch = self._scene.sc["cam"]
        road, camera = self._scene.road, bpy.context.scene.camera
        _, _, height, heading = road.at(car.s)
        slope = math.atan2(road.at(car.s + AHEAD)[2] - height, AHEAD)
        nod = math.radians(NOD * car.acceleration)
        camera.location = road.P(car.u + right, car.s, up)
        camera.rotation_euler = (math.radians(90 + pitch) + slope + nod, 0, math.radians(yaw) - heading)


def encode(frames: Sequence[Path], video: Path) -> None:
    """Writes H.264 in MP4, with the FFmpeg that Blender carries. The same frames give the same bytes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    strips = scene.sequence_editor_create().strips
    strip = strips.new_image("drive", str(frames[0].absolute()), channel=1, frame_start=1, fit_method="ORIGINAL")
    for frame in frames[1:]:
        strip.elements.append(frame.name)
    scene.frame_start, scene.frame_end = 1, len(frames)
    with Image.open(frames[0]) as image:
        width, height = (length // 2 * 2 for length in image.size)  # H.264 halves the colour's resolution
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.fps, render.use_sequencer = drive.FPS, True
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"  # the frames are developed
    render.image_settings.media_type, render.image_settings.file_format = "VIDEO", "FFMPEG"
    ffmpeg = render.ffmpeg
    ffmpeg.format, ffmpeg.codec, ffmpeg.audio_codec = "MPEG4", "H264", "NONE"
    ffmpeg.constant_rate_factor, ffmpeg.ffmpeg_preset, ffmpeg.gopsize = "MEDIUM", "BEST", 2 * drive.FPS
    for name in ("date", "time", "render_time", "frame", "camera", "scene", "filename"):
        setattr(render, f"use_stamp_{name}", False)  # else the file says when it was made
    render.filepath, render.use_file_extension, render.use_overwrite = str(video.absolute()), False, True
    bpy.ops.render.render(animation=True)
