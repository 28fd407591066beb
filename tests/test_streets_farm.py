"""streets/: what renders many scenes, chooses among them and counts what an audit found. No Blender here."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from streets import audit, drive, farm, sheet


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


# ---- the drive --------------------------------------------------------------------------------------------------

CROSSING = (63.0, 75.0)  # m


def test_no_car_of_the_drive_runs_into_another() -> None:
    for moment in drive.moments(CROSSING):
        for number, one in enumerate(moment.cars):
            for other in moment.cars[number + 1 :]:
                beside = abs(one.u - other.u) > 2.0
                assert beside or abs(one.s - other.s) > one.half + other.half + 0.5, (moment.t, one, other)


def test_nobody_enters_the_crossing_at_red() -> None:
    moments = drive.moments(CROSSING)
    for before, after in itertools.pairwise(moments):
        for old, new in zip(before.cars, after.cars, strict=True):
            edge = CROSSING[0] if old.way > 0 else -CROSSING[1]
            entered = old.way * old.s + old.half < edge <= new.way * new.s + new.half
            assert not (entered and after.signal == "red"), (after.t, new)


def test_the_road_is_empty_of_people_and_crossing_cars_when_it_turns_green() -> None:
    green, kerb = drive.SIGNAL[-1][0], 3.5 + 2.4
    assert all(abs(one.u(green, start=kerb + 0.7)) > kerb for one in drive.PEDESTRIANS)
    assert all(one.u(green, start=kerb + 40) * one.way > kerb for one in drive.CROSSING_CARS)


def test_the_camera_stops_at_red_and_stays_where_the_street_is_built() -> None:
    moments = drive.moments(CROSSING)
    stands = [moment.signal for moment in moments if moment.cars[0].speed < 0.05]
    assert stands and set(stands) <= {"red", "green"} and stands[0] == "red"
    assert all(-10 < moment.cars[0].s < 300 for moment in moments)
    assert len(moments) == drive.FRAMES


# ---- the audit --------------------------------------------------------------------------------------------------


def test_the_interval_is_wilsons() -> None:
    """Worked values: Brown, Cai, DasGupta, Interval estimation for a binomial proportion, 2001, and by hand."""
    ten = audit.share(0, 10)
    assert (ten.low, round(ten.high, 4)) == (0.0, 0.2775)
    half = audit.share(5, 10)
    assert (round(half.low, 4), round(half.high, 4)) == (0.2366, 0.7634)
    assert (round(audit.share(10, 10).low, 4), round(audit.share(10, 10).high, 9)) == (0.7225, 1.0)
    assert (audit.share(0, 0).low, audit.share(0, 0).high) == (0.0, 1.0)


def verdict(seed: int, wrong: list[str] | None) -> dict[str, Any]:
    claims = {"c1": "a car", "c2": "a bus", "e1": "car", "a1": "trees"}
    return {"seed": seed, "claims": claims, "wrong": wrong, "missed": ["dog"] if seed == 1 else [], "note": ""}


def test_rates_count_claims_and_pictures_and_leave_out_what_nobody_judged() -> None:
    rates = audit.rates([verdict(1, []), verdict(2, ["c1", "e1"]), verdict(3, None), verdict(4, ["c2", "c2"])])
    counts = {name: (share.wrong, share.count) for name, share in rates.items()}
    claims = {"captions": (2, 6), "entities": (1, 3), "attributes": (0, 3), "claims": (3, 12)}
    assert counts == claims | {"pictures": (2, 3), "missed": (1, 3)}


def test_a_verdict_on_a_claim_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"seed 1: \['c9'\] are not among its claims"):
        audit.rates([verdict(1, ["c9"])])


def scenes(count: int) -> list[dict[str, Any]]:
    """Empty streets. One of six settings and one of five lights by turns: all pairs among the first thirty."""
    return [
        {
            "seed": seed,
            "scene": {
                "seed": seed,
                "setting": sheet.PLACES[seed % 6],
                "light": sheet.LIGHTS[seed % 5],
                "weather": "rain" if seed >= 30 and seed % 4 == 0 else "clear",
                "control": "none",
                "signal": "green",
                "lanes": 2,
            },
            "evidence": {
                "objects": [],
                "areas": {},
                "picture": {"lightness": [10.0, 50.0, 90.0], "inside": [50.0, 0.0, 0.0]},
            },
        }
        for seed in range(count)
    ]


def folder_of(records: list[dict[str, Any]], folder: Path) -> Path:
    for record in records:
        Image.new("RGB", (48, 27), (record["seed"] * 5 % 256, 90, 90)).save(farm.picture_of(folder, record["seed"]))
        farm.record_of(folder, record["seed"]).write_text(json.dumps(record))
    return folder


def test_the_audit_draws_every_kind_of_scene_as_often_as_it_is_there() -> None:
    chosen = audit.choose(scenes(600), 60, seed=1)
    kinds = Counter((one["scene"]["setting"], one["scene"]["light"]) for one in chosen)
    assert len(chosen) == 60 and set(kinds.values()) <= {1, 2, 3} and len(kinds) == 30
    assert [one["seed"] for one in chosen] == sorted(one["seed"] for one in chosen)
    assert chosen == audit.choose(scenes(600)[::-1], 60, seed=1) != audit.choose(scenes(600), 60, seed=2)


def test_the_audit_draws_no_scene_twice() -> None:
    for count in range(1, 50):
        assert len({one["seed"] for one in audit.choose(scenes(50), count, seed=count)}) == count


def test_the_audit_takes_all_scenes_when_there_are_no_more() -> None:
    assert len(audit.choose(scenes(7), 100, seed=1)) == 7


def test_pages_come_with_verdicts_to_fill_and_never_overwrite_them(tmp_path: Path) -> None:
    folder = folder_of(scenes(7), tmp_path)
    written = audit.pages(folder, tmp_path / "audit")
    assert [path.name for path in written] == ["page-1.png", "page-2.png"]
    verdicts = audit.read(tmp_path / "audit" / "verdicts.jsonl")
    assert [line["seed"] for line in verdicts] == list(range(7))
    assert {"setting:downtown", "light:noon", "no vehicles"} <= set(verdicts[0]["claims"].values())
    assert all(share.count == 0 for share in audit.rates(verdicts).values())
    with pytest.raises(FileExistsError):
        audit.pages(folder, tmp_path / "audit")


# ---- the contact sheet ------------------------------------------------------------------------------------------


def test_a_full_sheet_has_a_column_for_every_setting_and_a_row_for_every_light() -> None:
    chosen = [record["scene"] for record in sheet.choose(scenes(90)[::-1], 30)]
    assert [scene["setting"] for scene in chosen] == sheet.PLACES * 5
    assert [scene["light"] for scene in chosen] == [light for light in sheet.LIGHTS for _ in range(6)]
    assert {scene["weather"] for scene in chosen} == {"clear", "rain"}


def test_the_sheet_prefers_what_is_not_on_it_yet() -> None:
    records = scenes(2)
    records[1]["scene"] = records[0]["scene"]
    other = dict(records[1], seed=2, scene=dict(records[0]["scene"], weather="fog"))
    assert [record["seed"] for record in sheet.choose([*records, other], 2)] == [0, 2]


def test_the_same_folder_gives_the_same_sheet(tmp_path: Path) -> None:
    folder = folder_of(scenes(8), tmp_path)
    for name in ("a.jpg", "b.jpg"):
        sheet.sheet(folder, tmp_path / name, columns=3, rows=2, captioned=True)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.size == (3 * 242 - 2, 2 * (135 + sheet.CAPTION + 2) - 2)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
