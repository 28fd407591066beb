"""Head recovery, the writer lock, fsync: what keeps a collection whole when the machine does not."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from fakes import FakeEncoder
from pictures import colours, paint

import sightline
from sightline import durability
from sightline.durability import QUARANTINE, Syncer, WriterLock, recover_head
from sightline.errors import CollectionDamaged, CollectionLocked
from sightline.fragments import newest_first


@pytest.fixture
def collection(tmp_path: Path) -> sightline.Collection:
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(colours(tmp_path / "pictures"))
    return collection


def folder_of(collection: sightline.Collection) -> Path:
    return collection._store.rows.folder


def spoil(manifest: Path, how: str) -> None:
    data = manifest.read_bytes()
    middle = len(data) // 2
    manifest.write_bytes(
        {
            "empty": b"",
            "half": data[:middle],
            "zero-filled": bytes(len(data)),
            "body garbled": bytes(b ^ 0xFF for b in data[:-16]) + data[-16:],
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "half", "zero-filled", "body garbled"])
def test_a_damaged_newest_manifest_opens_at_the_version_before_with_a_notice(
    collection: sightline.Collection, tmp_path: Path, how: str
) -> None:
    paint(tmp_path / "pictures" / "late.png", (9, 9, 9))
    before = len(collection)
    collection.ingest(tmp_path / "pictures")
    assert len(collection) == before + 1
    spoil(newest_first(folder_of(collection))[0], how)

    again = sightline.open(collection.address, model=FakeEncoder())
    assert len(again) == before
    assert again.search("red", k=1)[0].name == "red.png"
    assert len(again.notices) == 1
    assert "damaged" in again.notices[0]
    assert list((folder_of(collection) / QUARANTINE).iterdir())

    report = again.ingest(tmp_path / "pictures")
    assert (report.added, report.rows) == (1, before + 1)
    assert sightline.open(collection.address).notices == []


def test_with_no_readable_version_left_the_error_says_what_to_do(collection: sightline.Collection) -> None:
    for manifest in newest_first(folder_of(collection)):
        manifest.write_bytes(b"")
    with pytest.raises(CollectionDamaged) as caught:
        sightline.open(collection.address)
    assert "index again" in caught.value.hint


def test_recovery_moves_nothing_when_no_version_is_whole(tmp_path: Path) -> None:
    (tmp_path / "_versions").mkdir()
    (tmp_path / "_versions" / "1.manifest").write_bytes(b"")
    assert recover_head(tmp_path) == []
    assert (tmp_path / "_versions" / "1.manifest").exists()


def test_manifests_are_ordered_newest_first_in_both_naming_schemes(tmp_path: Path) -> None:
    (tmp_path / "_versions").mkdir()
    for name in ("18446744073709551614", "18446744073709551600", "3"):
        (tmp_path / "_versions" / f"{name}.manifest").touch()
    assert [path.stem for path in newest_first(tmp_path)] == ["18446744073709551600", "3", "18446744073709551614"]


def test_every_new_file_and_its_folders_are_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(durability, "_fsync", synced.append)
    root = tmp_path / "table"
    root.mkdir()
    (root / "old").touch()
    syncer = Syncer(root)
    (root / "data").mkdir()
    (root / "data" / "new").touch()
    syncer.sync()
    assert synced == [f"{root}/data/new", f"{root}/data", str(root), str(tmp_path)]
    synced.clear()
    syncer.sync()
    assert synced == []


def test_a_commit_reaches_the_disk_before_the_call_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[str] = set()
    monkeypatch.setattr(durability, "_fsync", synced.add)
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(colours(tmp_path / "pictures"))
    written = {str(path) for path in folder_of(collection).rglob("*") if path.is_file()}
    written = {name for name in written if not name.endswith("latest_version_hint.json")}
    assert written <= synced


def test_a_second_writer_waits_and_then_says_so(tmp_path: Path) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with WriterLock(tmp_path / "lock", seconds=5).held():
            held.set()
            release.wait(5)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    started = time.monotonic()
    with pytest.raises(CollectionLocked) as caught, WriterLock(tmp_path / "lock", seconds=0.2).held():
        pass
    assert 0.15 < time.monotonic() - started < 4
    assert "run the command again" in caught.value.hint
    release.set()
    holder.join()
    with WriterLock(tmp_path / "lock", seconds=0.2).held():
        pass


def test_the_lock_is_re_entered_by_its_holder_and_shut_to_other_threads(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "lock", seconds=0.1)
    refused: list[bool] = []

    def other() -> None:
        try:
            with lock.held():
                refused.append(False)
        except CollectionLocked:
            refused.append(True)

    with lock.held(), lock.held():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [True]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_collection_on_a_read_only_disk_can_be_searched(collection: sightline.Collection, tmp_path: Path) -> None:
    folder = tmp_path / "t"
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert sightline.open(str(folder), model=FakeEncoder()).search("red", k=1)[0].name == "red.png"
