"""Many processes at one collection: writers lose and double nothing, readers never see half a commit or a lost file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from crowd_process import SHARED, row
from fakes import FakeEncoder

import sightline
from sightline import index
from sightline.schema import Manifest
from sightline.store import Address, Store

HERE = Path(__file__).parent


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "crowd_process.py"), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE)


def told(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    found: dict[str, object] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("writers", "rounds"), [(3, 6), pytest.param(4, 50, marks=pytest.mark.torture, id="4 writers, 50 rounds")]
)
def test_writers_of_the_same_ids_leave_each_once(tmp_path: Path, writers: int, rounds: int) -> None:
    address = f"{tmp_path}/t"
    for process in [start("write", address, rounds, who) for who in range(writers)]:
        told(process)
    table = Store(Address.parse(address)).rows.table.to_arrow()
    ids = table["id"].to_pylist()
    assert len(ids) == len(set(ids)) == rounds * (SHARED + writers)
    by_round = {
        turn: {
            text
            for uri, text in zip(*(table[c].to_pylist() for c in ("uri", "text")), strict=True)
            if f"shared-{turn}-" in uri
        }
        for turn in range(rounds)
    }
    assert all(len(texts) == 1 for texts in by_round.values()), "a commit is whole: the last writer's rows, all of them"
    assert sightline.open(address, model=FakeEncoder()).verify().problems[0].problem.startswith("its thumbnail")


@pytest.mark.parametrize(
    ("readers", "seconds"), [(1, 5), pytest.param(4, 60, marks=pytest.mark.torture, id="4 readers, a minute")]
)
def test_readers_go_on_through_writes_compaction_and_the_forgetting_of_every_old_version(
    tmp_path: Path, readers: int, seconds: int
) -> None:
    address = f"{tmp_path}/t"
    store = Store(Address.parse(address))
    store.create(Manifest("fake", 8, "f" * 64))
    index.tend(store)
    store.upsert([row(f"stable-{i}", "stable red") for i in range(20)])
    crowd = [start("read", address, seconds) for _ in range(readers)]
    for reader in crowd:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "started\n"
    writes = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        writes += 1
        store.upsert([row(f"passing-{writes}-{i}", "passing") for i in range(5)])
        if writes % 3 == 0:
            store.upsert([row(f"stable-{i}", "stable red") for i in range(20)])
        if writes % 5 == 0:
            store.remove([one for chunk in store.ids() for one, uri in chunk if uri.startswith("passing")])
        if writes % 7 == 0:
            index.tend(store, always=True, older_than=timedelta(0) if writes % 2 else None)
    for reader in crowd:
        found = told(reader)
        assert found["fault"] == ""
        assert int(str(found["searches"])) > 5 * seconds // 5
    assert writes > seconds
