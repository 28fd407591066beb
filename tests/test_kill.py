"""kill -9 at any moment of an ingest: what was reported as committed is there, once, and the next run goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import FakePreparingEncoder
from pictures import many, write_captions

import sightline
from sightline.schema import vector_digest

ROWS = 400


def start(address: str, folder: Path, *upkeep: str) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("upkeep_process.py" if upkeep else "ingest_process.py")
    command = [sys.executable, str(script), address, str(folder), *(upkeep or ["16"])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=script.parent)


def kill_after(process: subprocess.Popen[str], commits: int, seconds: float) -> list[str]:
    """Wait for so many commits and a moment more, then kill -9; the lines that it had printed by then."""
    assert process.stdout is not None
    with process.stdout as out:
        told = [out.readline() for _ in range(1 + commits)]
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        told += out.readlines()
    assert told[0] == "started\n"
    return [line.strip() for line in told[1:] if line.endswith("\n")]


def check(address: str, at_least: int) -> int:
    """Every row is there once and whole; returns how many."""
    collection = sightline.open(address, model=FakePreparingEncoder())
    if not collection.exists:
        assert at_least == 0
        return 0
    table = collection._store.rows.table.to_arrow()
    ids = table["id"].to_pylist()
    assert len(ids) == len(set(ids)) >= at_least
    for row in table.select(["vector", "vector_digest", "name", "text", "version"]).to_pylist():
        assert vector_digest(np.asarray(row["vector"], np.float32)) == row["vector_digest"]
        assert row["text"] == f"picture {row['name']}"
        assert collection._store.picture(row["version"]), "a row is never there before its picture"
    return len(ids)


@pytest.mark.parametrize("seed", [1])
def test_ten_kills_lose_nothing_and_double_nothing(tmp_path: Path, seed: int) -> None:
    kills_lose_nothing(tmp_path, seed, kills=10)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(2, 12))
def test_a_hundred_kills_lose_nothing_and_double_nothing(tmp_path: Path, seed: int) -> None:
    kills_lose_nothing(tmp_path, seed, kills=10)


@pytest.mark.parametrize("what", ["optimize", "rebuild"])
def test_kills_of_upkeep_lose_nothing(tmp_path: Path, what: str) -> None:
    kills_of_upkeep(tmp_path, what, kills=2)


@pytest.mark.torture
@pytest.mark.parametrize("what", ["optimize", "index", "rebuild", "restore"])
def test_a_hundred_kills_of_upkeep_lose_nothing(tmp_path: Path, what: str) -> None:
    kills_of_upkeep(tmp_path, what, kills=25)


def kills_of_upkeep(tmp_path: Path, what: str, *, kills: int) -> None:
    chance = random.Random(what)
    folder = many(tmp_path / "pictures", 60, size=(16, 16))
    write_captions(folder, {f"{i:04}.png": f"picture {i:04}.png" for i in range(60)})
    address = f"{tmp_path}/t"
    sightline.open(address, model=FakePreparingEncoder()).ingest(folder)
    finished = 0
    for _ in range(kills):
        told = kill_after(start(address, folder, what), chance.randrange(3), chance.uniform(0, 0.3))
        finished += len(told)
        assert check(address, at_least=60) == 60
    again = sightline.open(address, model=FakePreparingEncoder())
    assert again.notices == []
    assert again.ingest(folder).unchanged == 60
    assert again.verify(sources=True).problems == ()
    assert again.search("picture 0007.png", k=1, channels=["text"])[0].name == "0007.png"
    assert finished or kills < 5, "the kills fell on the work"


def kills_lose_nothing(tmp_path: Path, seed: int, *, kills: int) -> None:
    chance = random.Random(seed)
    folder = many(tmp_path / "pictures", ROWS, size=(16, 16))
    write_captions(folder, {f"{i:04}.png": f"picture {i:04}.png" for i in range(ROWS)})
    rows, turn, moments = 0, 0, set()
    for _ in range(kills):
        address = f"{tmp_path}/t{turn}"
        told = kill_after(start(address, folder), chance.randrange(5), chance.uniform(0, 0.15))
        done = told[-1:] and told[-1].startswith("done")
        committed = 0 if done else max([int(line) for line in told], default=0)
        found = check(address, at_least=ROWS if done else rows + committed)
        moments.add(found)
        rows = found
        if found == ROWS:  # this one got through: begin a new collection for the kills that are left
            rows, turn = 0, turn + 1
    report = sightline.open(f"{tmp_path}/t{turn}", model=FakePreparingEncoder()).ingest(folder)
    assert (report.added, report.unchanged, report.rows) == (ROWS - rows, rows, ROWS)
    assert check(f"{tmp_path}/t{turn}", at_least=ROWS) == ROWS
    assert len(moments) > 2, "the kills fell at different moments"
