"""The disk fails under a command: one line says so, nothing traces back, and the next run has every row once."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fakes import FakeEncoder
from fault_process import SCENARIOS, said_badly, wrong
from pictures import many

import sightline
from sightline import choice, ingest
from sightline.cli import main

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler or not sys.platform.startswith("linux"):
        pytest.skip("faults are injected through a library that needs a C compiler and Linux")
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "faults.c", "-ldl"], check=True)
    return library


def strikes(
    faults: Path, folder: Path, scenario: str, code: int, ns: Sequence[int], *, for_good: bool = False
) -> list[dict[str, object]]:
    """What each strike led to. Fails when one was told badly, or left anything that the next index does not mend."""
    arguments = [str(faults), str(folder), scenario, str(code), str(int(for_good)), *map(str, ns)]
    ran = subprocess.run(
        [sys.executable, str(HERE / "fault_process.py"), *arguments],
        env={**os.environ, "LD_PRELOAD": str(faults), "SIGHTLINE_CACHE": str(folder / "cache")},
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) == len(ns)
    assert [one for one in told if one["problems"]] == []
    assert ran.stderr == "", "nothing but our own lines reaches a terminal"
    return told


@pytest.mark.parametrize("scenario", ["first index", "next index"])
def test_a_failed_write_rename_or_sync_is_one_line_and_the_next_run_completes(
    faults: Path, tmp_path: Path, scenario: str
) -> None:
    told = strikes(faults, tmp_path, scenario, errno.ENOSPC, (1, 8, 10, 13, 40))
    assert all(one["struck"] == 1 for one in told)
    assert any("the disk is full" in str(one["said"]) for one in told)


@pytest.mark.torture
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_of_the_first_twenty_writes_renames_and_syncs_may_fail(
    faults: Path, tmp_path: Path, scenario: str, code: int
) -> None:
    strikes(faults, tmp_path, scenario, code, range(1, 21))


@pytest.mark.torture
@pytest.mark.parametrize("scenario", ["next index", "rebuild"])
def test_a_disk_that_stays_full_from_any_moment_loses_nothing(faults: Path, tmp_path: Path, scenario: str) -> None:
    strikes(faults, tmp_path, scenario, errno.ENOSPC, range(1, 240, 12), for_good=True)


# -- a disk that is really full -------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs root; the limit on file sizes is tested all the same")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return many(tmp_path / "pictures", 120, size=(48, 48))


def test_a_full_disk_is_one_line_and_with_more_room_the_run_completes(
    small_disk: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())
    monkeypatch.setattr(ingest, "COMMIT_ROWS", 8)
    address = f"{small_disk}/t"
    code = main(["index", str(pictures), "-c", address])
    captured = capsys.readouterr()
    assert code == 1
    assert said_badly(code, captured.out, captured.err) == []
    assert "the disk is full" in captured.err
    safe = len(sightline.open(address)) if sightline.open(address).exists else 0
    assert 0 < safe < 120

    searched = main(["search", "red", "--min-relevance", "0", "-c", address])
    assert searched == 0, "what is there can be searched on a full disk"
    subprocess.run(["mount", "-o", "remount,size=40m", small_disk], check=True)
    report = sightline.open(address, model=FakeEncoder()).ingest(pictures)
    assert (report.unchanged, report.added, report.rows) == (safe, 120 - safe, 120)
    assert sightline.open(address).verify().problems == ()


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[3])
from fakes import FakeEncoder
from sightline import choice
choice.load_encoder = lambda *_args, **_kwargs: FakeEncoder()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
from sightline.cli import main
sys.exit(main(["index", sys.argv[1], "-c", sys.argv[2]]))
"""


def test_a_limit_on_file_sizes_is_one_line_and_without_it_the_run_completes(tmp_path: Path, pictures: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    address = f"{tmp_path}/t"
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(pictures), address, str(HERE), "20000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert said_badly(1, ran.stdout, ran.stderr) == []
    assert "a file grew larger" in ran.stderr
    report = sightline.open(address, model=FakeEncoder()).ingest(pictures)
    assert report.rows == 120
    assert sightline.open(address).verify().problems == ()


def test_the_check_itself_sees_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())
    folder = many(tmp_path / "pictures", 3)
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    assert wrong(f"{tmp_path}/t", folder), "the captions that it expects are not there"
    assert said_badly(1, "", "Traceback (most recent call last):\n")
