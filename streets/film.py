"""Shows a drive (drive.py): builds its street once, then moves what moves and renders; encodes the frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from PIL import Image

from streets import drive, figures
from streets.mesh import Build
from streets.render import Studio, build
from streets.sample import COLOURS
from streets.scene import Scene

POSES = 12  # of two steps
STRIDE = 1.05  # s for two steps
REACH, LIFT = 0.32, 0.12  # m of a foot before the hip, and over the ground
NOD = 0.35  # degrees that the nose of the car dips, for each m/s2 of braking
AHEAD = 6.0  # m over which the slope of the road tilts the car


@dataclass(frozen=True, slots=True)
class Person:
    ob: Any
    stands: Any  # mesh
    steps: Sequence[Any]  # meshes

    def walk(self, t: float | None) -> None:
        """Takes the pose of time t (s); None stands."""
        self.ob.data = self.stands if t is None else self.steps[int(t / STRIDE * POSES) % POSES]


class Film:
    """A studio (farm.py) whose seeds are the frames of one drive."""

    def __init__(self, seed: int, percent: int, samples: int) -> None:
        Studio(percent=percent, samples=samples)
        self._scene = Scene(drive.scene(seed), {})
        build(self._scene)
        images = bpy.context.scene.render.image_settings
        images.file_format, images.quality = "JPEG", 97  # encoded once more, as a video
        crossing = self._scene.gap
        if crossing is None:
            raise ValueError("a drive needs a crossing: control has to be a light")
        self._crossing = crossing
        self._moments = drive.moments(crossing)
        self._numbers = itertools.count()  # of what moves
        self._cars = [self._car(car.kind, car.colour) for car in self._moments[0].cars]
        self._cars[0].hide_render = True  # the camera sits in it
        self._crossing_cars = [self._car(car.kind, car.colour) for car in drive.CROSSING_CARS]
        self._pedestrians = [self._person(who.colour) for who in drive.PEDESTRIANS]
        self._walkers = [self._person(who.colour) for who in drive.WALKERS]
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

    def _car(self, kind: str, colour: str) -> Any:
        mesh = self._scene.template(kind).copy()
        _hold_colours(mesh, next(self._numbers))
        return self._scene.add(mesh, colour=COLOURS[colour])

    def _person(self, colour: str) -> Person:
        number = next(self._numbers)
        look = figures.LOOKS[4 * number % len(figures.LOOKS)]
        poses = [figures.STANDING, *(_walking(2 * math.pi * k / POSES) for k in range(POSES))]
        meshes = [_figure(look, pose) for pose in poses]
        for mesh in meshes:
            _hold_colours(mesh, number)
        return Person(self._scene.add(meshes[0], colour=COLOURS[colour]), meshes[0], meshes[1:])

    def _arrange(self, moment: drive.Moment) -> None:
        begin, end = self._crossing
        half = self._scene.hw
        for ob, car in zip(self._cars, moment.cars, strict=True):
            self._put(ob, car.u, car.s, math.pi if car.way < 0 else 0.0)
        for ob, crosser in zip(self._crossing_cars, drive.CROSSING_CARS, strict=True):
            s = (begin + end) / 2 - crosser.way * drive.LANE * 0.6  # on the right of the crossing road
            self._put(ob, crosser.u(moment.t, start=half + 40), s, -crosser.way * math.pi / 2)
        for k, (person, crosser) in enumerate(zip(self._pedestrians, drive.PEDESTRIANS, strict=True)):
            kerb = half + 0.7
            u = crosser.u(moment.t, start=kerb)
            walks = moment.t > crosser.since and abs(u) < kerb + 4
            u = max(-kerb - 4, min(kerb + 4, u))
            self._put(person.ob, u, begin - 1.6 - 0.9 * k, -crosser.way * math.pi / 2, 0.0 if abs(u) < half else 0.14)
            person.walk(moment.t if walks else None)
        for person, walker in zip(self._walkers, drive.WALKERS, strict=True):
            u = walker.side * (half + 0.62 * self._scene.walk)
            turn = math.pi if walker.speed < 0 else 0.0
            self._put(person.ob, u, walker.s + walker.speed * moment.t, turn, 0.14)
            person.walk(moment.t + walker.s)
        for ob in self._lights:
            ob.data = self._scene.template(f"light {moment.signal}")

    def _put(self, ob: Any, u: float, s: float, turn: float, z: float = 0.0) -> None:
        ob.location = self._scene.road.P(u, s, z)
        ob.rotation_euler[2] = turn - self._scene.road.at(s)[3]

    def _aim(self, car: drive.Car) -> None:
        right, up, yaw, pitch = self._scene.sc["cam"]
        road, camera = self._scene.road, bpy.context.scene.camera
        _, _, height, heading = road.at(car.s)
        slope = math.atan2(road.at(car.s + AHEAD)[2] - height, AHEAD)
        nod = math.radians(NOD * car.acceleration)
        camera.location = road.P(car.u + right, car.s, up)
        camera.rotation_euler = (math.radians(90 + pitch) + slope + nod, 0, math.radians(yaw) - heading)


def _figure(look: figures.Look, pose: figures.Pose) -> Any:
    b = Build()
    figures.figure(b, pose, look)
    return b.mesh("walker")


def _walking(phase: float) -> figures.Pose:
    """Somebody who walks; at phase 0 (rad) the left foot is farthest before."""
    swing, rise = math.cos(phase), math.sin(phase)
    feet = (
        (-0.085, REACH * swing - 0.03, figures.ANKLE + LIFT * max(0.0, -rise)),
        (0.085, -REACH * swing - 0.03, figures.ANKLE + LIFT * max(0.0, rise)),
    )
    hands = ((-0.27, -REACH * 0.85 * swing + 0.02, 0.92), (0.27, REACH * 0.85 * swing + 0.02, 0.92))
    bob = 0.02 * abs(rise)  # the hip is highest with the feet together
    return figures.Pose((0.0, 0.90 + bob), (0.05, 1.42 + bob), hands, feet)


def _hold_colours(mesh: Any, number: int) -> None:
    """Some materials take their colours from the object's place: what moves gets its own, from a place by number."""
    for slot, material in enumerate(mesh.materials):
        if not _from_place(material):
            continue
        name = f"{material.name} of {number}"
        if name not in bpy.data.materials:
            own = material.copy()
            own.name = name
            for link in _from_place(own):
                socket = link.to_socket
                own.node_tree.links.remove(link)
                socket.default_value = (number, 0.37 * number, 0.61 * number)
        mesh.materials[slot] = bpy.data.materials[name]


def _from_place(material: Any) -> list[Any]:
    """The links of a material that carry the object's location."""
    links = material.node_tree.links
    return [
        link
        for link in links
        if link.from_node.bl_idname == "ShaderNodeObjectInfo" and link.from_socket.name == "Location"
    ]


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
