"""streets/: what renders many scenes, chooses among them and counts what an audit found. No Blender here."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from streets import farm


class FakeStudio:
    """Writes a small picture and a record that says which process made it. Seeds in `fails` raise, those in `kills`
    end the process between picture and record."""

    def __init__(self, fails: tuple[int, ...] = (), kills: tuple[int, ...] = ()) -> None:
        self.fails, self.kills = fails, kills

    def shoot(self, seed: int, picture: Path, changes: dict[str, Any]) -> dict[str, Any]:
        if seed in self.fails:
            raise ValueError(f"no scene {seed}")
        Image.new("RGB", (4, 4), (seed % 256, 0, 0)).save(picture)
        if seed in self.kills:
            os._exit(1)
        return {"seed": seed, "process": os.getpid(), "changes": dict(changes)}


def render(seeds: list[int], out: Path, *, jobs: int = 1, **studio: Any) -> list[int]:
    return list(farm.render(seeds, out, jobs=jobs, studio=partial(FakeStudio, **studio)))


def test_every_seed_has_a_picture_and_a_record_and_records_come_sorted(tmp_path: Path) -> None:
    assert sorted(render([10, 9, 100], tmp_path, jobs=2)) == [9, 10, 100]
    assert [record["seed"] for record in farm.records(tmp_path)] == [9, 10, 100]
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["10.jpg", "100.jpg", "9.jpg"]


def test_a_second_run_renders_only_what_is_missing(tmp_path: Path) -> None:
    assert sorted(render([0, 1, 2], tmp_path)) == [0, 1, 2]
    before = farm.record_of(tmp_path, 0).stat().st_mtime_ns
    farm.record_of(tmp_path, 1).unlink()
    assert sorted(render([0, 1, 2, 3], tmp_path)) == [1, 3]
    assert farm.record_of(tmp_path, 0).stat().st_mtime_ns == before


def test_a_seed_named_twice_is_rendered_once(tmp_path: Path) -> None:
    assert render([5, 5], tmp_path) == [5]


def test_changes_reach_the_studio(tmp_path: Path) -> None:
    list(farm.render([1], tmp_path, jobs=1, changes={"light": "night"}, studio=FakeStudio))
    assert farm.records(tmp_path)[0]["changes"] == {"light": "night"}


def test_a_process_that_dies_leaves_a_picture_but_no_record_and_the_next_run_mends_it(tmp_path: Path) -> None:
    with pytest.raises(BrokenProcessPool):
        render([0, 1], tmp_path, kills=(1,))
    assert farm.picture_of(tmp_path, 1).exists()
    assert [record["seed"] for record in farm.records(tmp_path)] == [0]
    assert render([0, 1], tmp_path) == [1]


def test_a_record_that_was_being_written_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "3.json.part").write_text('{"se')
    assert farm.records(tmp_path) == []
    assert render([3], tmp_path) == [3]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["3.jpg", "3.json"]


def test_a_scene_that_fails_is_named_after_the_others_are_done(tmp_path: Path) -> None:
    done = []
    with pytest.raises(RuntimeError, match=r"2 failed: \[1, 3\]; seed 1: ValueError\('no scene 1'\)"):
        for seed in farm.render([0, 1, 2, 3, 4], tmp_path, jobs=1, studio=partial(FakeStudio, fails=(1, 3))):
            done.append(seed)  # noqa: PERF402  (what was yielded before the error is the point)
    assert sorted(done) == [0, 2, 4]
    assert [record["seed"] for record in farm.records(tmp_path)] == [0, 2, 4]


def test_processes_are_replaced_and_none_is_waited_for_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farm, "SCENES_A_PROCESS", 2)
    assert sorted(render(list(range(5)), tmp_path)) == [0, 1, 2, 3, 4]
    assert len({record["process"] for record in farm.records(tmp_path)}) == 3


def test_who_stops_early_waits_only_for_what_is_under_way(tmp_path: Path) -> None:
    scenes = farm.render(list(range(50)), tmp_path, jobs=1, studio=FakeStudio)
    next(scenes)
    scenes.close()
    assert 1 <= len(farm.records(tmp_path)) < 50
    assert all(json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
