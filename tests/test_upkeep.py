"""verify, optimize, history, restore: what is wrong is named, what is named is mended, what was can come back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import lancedb
import numpy as np
import pytest
from fakes import FakeEncoder
from pictures import COLOURS, colours, paint

import sightline
from sightline import choice, index, rebuild
from sightline.cli import main
from sightline.errors import CollectionError
from sightline.fragments import fragments, newest_first
from sightline.reports import Problem, Progress
from sightline.schema import item_id, version_of
from sightline.sources import file_uri


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return colours(tmp_path / "pictures")


@pytest.fixture
def collection(tmp_path: Path, folder: Path) -> sightline.Collection:
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    return collection


def again(collection: sightline.Collection) -> sightline.Collection:
    return sightline.open(collection.address, model=FakeEncoder())


def ident(folder: Path, name: str) -> str:
    return item_id(file_uri(folder / name))


def names(collection: sightline.Collection) -> list[str]:
    return sorted(hit.name for hit in collection.sample(100))


def table(collection: sightline.Collection, suffix: str = "") -> lancedb.table.Table:
    address = collection._store.address
    return lancedb.connect(address.folder).open_table(address.table + suffix)


# -- verify ---------------------------------------------------------------------------------------------------------


def test_a_sound_collection_has_no_problems(collection: sightline.Collection) -> None:
    report = collection.verify(sources=True)
    assert (report.rows, report.checked, report.problems, report.notices) == (4, 4, (), ())


def vector_of_another(collection: sightline.Collection, where: str) -> None:
    table(collection).update(where=where, values={"vector": [0, 0, 0, 0, 0, 0, 0, 1]})


def vector_not_unit(collection: sightline.Collection, where: str) -> None:
    table(collection).update(where=where, values={"vector": [0, 0, 0, 0, 0, 0, 0, 3]})


def no_vector(collection: sightline.Collection, where: str) -> None:
    table(collection).update(where=where, values_sql={"vector": "NULL"})


def no_thumbnail(collection: sightline.Collection, where: str) -> None:
    table(collection).update(where=where, values={"thumbnail": b"\xff\xd8garbage"})


def garbled_picture(collection: sightline.Collection, where: str) -> None:
    version = table(collection).search().where(where).to_arrow()["version"][0].as_py()
    table(collection, ".pictures").update(where=f"version = '{version}'", values={"picture": b"\xff\xd8garbage"})


def missing_picture(collection: sightline.Collection, where: str) -> None:
    version = table(collection).search().where(where).to_arrow()["version"][0].as_py()
    table(collection, ".pictures").delete(f"version = '{version}'")


def doubled(collection: sightline.Collection, where: str) -> None:
    rows = table(collection)
    rows.add(rows.search().where(where).to_arrow())


SPOILED: list[tuple[Callable[[sightline.Collection, str], None], str]] = [
    (vector_of_another, "not the one that was stored"),
    (vector_not_unit, "has length 3, not 1"),
    (no_vector, "not finite"),
    (no_thumbnail, "thumbnail cannot be decoded"),
    (garbled_picture, "stored picture is damaged"),
    (missing_picture, "stored picture is missing"),
    (doubled, "stored 2 times"),
]


@pytest.mark.parametrize(("spoil", "says"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
def test_what_is_wrong_is_named_by_id_and_mended_by_a_rebuild(
    collection: sightline.Collection, folder: Path, spoil: Callable[[sightline.Collection, str], None], says: str
) -> None:
    spoil(collection, f"id = '{ident(folder, 'red.png')}'")
    found = again(collection).verify().problems
    assert [one.id for one in found] == [ident(folder, "red.png")]
    assert says in found[0].problem

    report = again(collection).rebuild()
    assert (report.rows, report.skipped) == (4, ())
    assert again(collection).verify().problems == ()
    assert again(collection).search("red", k=1)[0].name == "red.png"
    assert again(collection).search("red", k=1)[0].image.size == (32, 24)
    assert again(collection).search("square", k=4, channels=["text"])


def test_with_its_source_gone_a_damaged_picture_becomes_its_thumbnail_and_the_vector_stays(
    collection: sightline.Collection, folder: Path
) -> None:
    red = ident(folder, "red.png")
    held = (folder / "red.png").read_bytes()
    before = collection._store.vector(red)
    garbled_picture(collection, f"id = '{red}'")
    (folder / "red.png").unlink()
    report = again(collection).rebuild()
    assert (report.rows, report.skipped) == (4, ())
    assert "only their thumbnail left" in report.notices[0]
    mended = again(collection)
    assert mended.verify().problems == ()
    np.testing.assert_array_equal(mended._store.vector(red), before)
    assert mended.picture(red) == mended.thumbnail(red)

    (folder / "red.png").write_bytes(held)  # the source is there again
    report = mended.ingest(folder)
    assert (report.updated, report.unchanged, report.encoded) == (1, 3, 1)
    assert mended.get(red).version == version_of(held)


def test_another_model_encodes_a_lost_picture_from_its_thumbnail(
    collection: sightline.Collection, folder: Path
) -> None:
    missing_picture(collection, f"id = '{ident(folder, 'red.png')}'")
    (folder / "red.png").unlink()
    other = FakeEncoder(name="other", dim=16, fingerprint="e" * 64)
    assert sightline.open(collection.address).rebuild(model=other).rows == 4
    after = sightline.open(collection.address, model=other)
    assert after.verify().problems == ()
    assert after.search("red", k=1)[0].name == "red.png"


@pytest.mark.parametrize("keep", ["original", "preview", "none"])
def test_every_way_of_keeping_pictures_is_verified_and_rebuilt(tmp_path: Path, folder: Path, keep: str) -> None:
    collection = sightline.open(f"{tmp_path}/k", model=FakeEncoder())
    collection.ingest(folder, keep=keep)
    assert collection.verify().problems == ()
    collection.rebuild()
    assert collection.verify().problems == ()
    stored = collection._store.picture(collection.get(ident(folder, "red.png")).version)
    original = (folder / "red.png").read_bytes()
    assert (stored is None, stored == original) == (keep == "none", keep == "original")


def test_changed_and_vanished_files_are_notices_not_problems(collection: sightline.Collection, folder: Path) -> None:
    paint(folder / "red.png", (1, 2, 3))
    (folder / "blue.png").unlink()
    (folder / "green.png").touch()
    report = collection.verify()
    assert report.problems == ()
    assert sorted(report.notices, key=lambda one: one.problem) == [
        Problem(ident(folder, "red.png"), "its file has changed since it was indexed"),
        Problem(ident(folder, "blue.png"), "its file is gone"),
    ]


def test_a_byte_that_rots_in_a_source_is_found_when_asked(collection: sightline.Collection, folder: Path) -> None:
    import os

    path = folder / "red.png"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert collection.verify().notices == ()
    assert [one.id for one in collection.verify(sources=True).notices] == [ident(folder, "red.png")]


def newest_data_file(collection: sightline.Collection) -> Path:
    folder = collection._store.rows.folder
    return folder / fragments(newest_first(folder)[0])[-1].files[0]


def in_two_fragments(collection: sightline.Collection, folder: Path) -> None:
    paint(folder / "late.png", (9, 9, 9))
    paint(folder / "later.png", (9, 200, 200))
    collection.ingest(folder)


@pytest.mark.parametrize("how", ["cut", "garbled within"])
def test_a_data_file_that_cannot_be_read_is_a_problem_line_and_a_rebuild_keeps_the_rest(
    collection: sightline.Collection, folder: Path, how: str
) -> None:
    in_two_fragments(collection, folder)
    collection.optimize(older_than=timedelta(0))  # no version before it is left
    paint(folder / "last.png", (200, 9, 200))
    collection.ingest(folder)
    store = collection._store
    first = store.rows.folder / fragments(newest_first(store.rows.folder)[0])[0].files[0]
    data = first.read_bytes()
    first.write_bytes(data[: len(data) // 2] if how == "cut" else bytes(len(data) - 400) + data[-400:])

    damaged = again(collection)
    report = damaged.verify()
    assert report.rows == 7
    assert report.checked < 7
    assert report.problems
    assert all("\n" not in one.problem for one in report.problems)
    rebuilt = again(collection).rebuild()
    assert rebuilt.rows == 1
    assert any("index their sources again" in notice for notice in rebuilt.notices)
    assert again(collection).verify().problems == ()
    assert again(collection).ingest(folder).added == 6
    assert again(collection).verify().problems == ()


def test_a_damaged_text_index_is_named_and_made_again(collection: sightline.Collection) -> None:
    store = collection._store
    collection.optimize()
    files = [path for path in (store.rows.folder / "_indices").rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:-9])
    found = again(collection).verify().problems
    assert {one.id for one in found} == {"index of text"}
    again(collection).optimize()
    assert again(collection).verify().problems == ()
    assert again(collection).search("square", k=4, channels=["text"])


def test_a_stopped_rebuild_brings_back_nothing_that_was_removed_or_changed_since(
    collection: sightline.Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "BATCH", 2)

    def stop(now: Progress) -> None:
        if now.committed >= 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        collection.rebuild(progress=stop)
    collection.remove(ident(folder, "red.png"))
    paint(folder / "blue.png", (0, 100, 0))
    collection.ingest(folder / "blue.png", folder / "green.png", folder / "yellow.png")
    after = again(collection)
    assert after.rebuild().rows == 3
    assert names(after) == ["blue.png", "green.png", "yellow.png"]
    assert after.search("green", k=3, channels=["vector"])[1].score == pytest.approx(1.0, abs=1e-3)
    assert after.verify(sources=True).notices == ()
    assert after.verify().problems == ()


# -- history and restore --------------------------------------------------------------------------------------------


def test_history_says_what_each_version_changed(collection: sightline.Collection, folder: Path) -> None:
    paint(folder / "late.png", (9, 9, 9))
    paint(folder / "red.png", (240, 0, 0))
    collection.ingest(folder)
    collection.remove(ident(folder, "blue.png"))
    newest, before, *_ = collection.history()
    assert (newest.operation, newest.rows, newest.removed, newest.current) == ("remove", 4, 1, True)
    assert (before.operation, before.rows, before.added, before.updated, before.current) == ("index", 5, 1, 1, False)
    assert newest.at >= before.at
    assert newest.at.tzinfo is not None


def test_history_without_its_notes_tells_numbers_times_and_rows(collection: sightline.Collection, folder: Path) -> None:
    collection.remove(ident(folder, "blue.png"))
    collection._store.rows.notes.path.write_text('{"torn')
    newest = again(collection).history()[0]
    assert (newest.operation, newest.rows, newest.added, newest.removed) == ("change", 3, 0, 1)


def test_a_note_on_a_version_that_was_lost_is_not_told_of_its_successor(collection: sightline.Collection) -> None:
    store = collection._store
    version = store.rows.table.version
    store.rows.notes.add("remove", version, version + 1, None)
    store.rows.notes.path.write_text(store.rows.notes.path.read_text().replace('"at": "2', '"at": "1'))
    table(collection).delete("text LIKE '%red%'")
    assert again(collection).history()[0].operation == "change"


def test_restore_brings_back_rows_index_and_pictures_and_can_be_undone(
    collection: sightline.Collection, folder: Path
) -> None:
    good = collection.info().version
    collection.remove([ident(folder, "red.png"), ident(folder, "blue.png")])
    paint(folder / "green.png", (0, 0, 200))
    collection.ingest(folder / "green.png")
    bad = collection.info().version
    assert names(collection) == ["green.png", "yellow.png"]

    new = again(collection).restore(good)
    assert new > bad
    after = again(collection)
    assert names(after) == sorted(f"{name}.png" for name in COLOURS)
    assert after.search("a red square", k=1, channels=["text"])[0].name == "red.png"
    assert after.search("green", k=1, channels=["vector"])[0].name == "green.png"
    assert after._store.picture(after.get(ident(folder, "red.png")).version)
    assert after.verify().problems == ()
    collection._store.rows.table.checkout_latest()  # a collection that was open sees it after its refresh of 2 s
    assert names(collection) == names(after)

    after.restore(bad)
    assert names(again(collection)) == ["green.png", "yellow.png"]
    assert again(collection).verify().problems == ()


def test_restore_brings_a_former_encoder_back(collection: sightline.Collection) -> None:
    before = collection.info()
    other = FakeEncoder(name="other", dim=16, fingerprint="e" * 64)
    rebuilt = sightline.open(collection.address)
    rebuilt.rebuild(model=other)
    rebuilt.restore(before.version)
    assert rebuilt.info().dim == before.dim
    assert again(collection).search("red", k=1)[0].name == "red.png"
    assert again(collection).search("red square", k=1, channels=["text"])[0].name == "red.png"


def test_every_version_of_the_history_can_be_restored(collection: sightline.Collection, folder: Path) -> None:
    in_two_fragments(collection, folder)
    collection.optimize()
    for entry in collection.history():
        collection.restore(entry.version)
        assert len(collection) == entry.rows
        assert collection.verify().problems == ()
        assert len(collection.search("square", k=9, channels=["text"])) == min(entry.rows, 4)


def test_a_version_that_is_not_there_is_said(collection: sightline.Collection) -> None:
    with pytest.raises(CollectionError) as caught:
        collection.restore(99)
    assert "version 99" in str(caught.value)
    assert "sightline history" in caught.value.hint


# -- optimize -------------------------------------------------------------------------------------------------------


def test_optimize_gives_space_back_and_keeps_what_the_history_needs(
    collection: sightline.Collection, folder: Path
) -> None:
    red = collection.get(ident(folder, "red.png"))
    collection.remove(red.id)
    kept = collection.optimize()
    assert kept.versions > 2
    assert collection._store.picture(red.version), "a version of the history needs it"

    done = collection.optimize(older_than=timedelta(0))
    assert (done.versions, done.rows, done.fragments) == (1, 3, 1)
    assert done.bytes < kept.bytes
    assert collection._store.picture(red.version) is None
    assert red.version.encode() not in b"".join(
        p.read_bytes() for p in Path(f"{folder.parent}/t").rglob("*.lance") if p.is_file()
    )
    assert collection.verify().problems == ()
    assert [entry.version for entry in collection.history()] == [collection.info().version]


def test_a_version_counts_from_when_it_was_replaced(
    collection: sightline.Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "KEEP_VERSIONS", timedelta(0))
    collection._store.keep_history = timedelta(seconds=1)
    good = collection.info().version
    time.sleep(1.1)
    collection.remove(ident(folder, "red.png"))
    collection.optimize()
    collection.restore(good)
    assert len(collection) == 4
    assert collection.verify().problems == ()


def test_how_long_history_is_kept_is_a_setting(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_HISTORY_DAYS", "0.5")
    collection = sightline.open(f"{tmp_path}/s", model=FakeEncoder())
    assert collection._store.keep_history == timedelta(hours=12)


# -- the command line -----------------------------------------------------------------------------------------------


@pytest.fixture
def run(
    collection: sightline.Collection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())

    def ran(*args: str) -> tuple[int, str, str]:
        code = main([*args, "-c", collection.address])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ran


def test_verify_ends_1_with_the_problems_and_0_without(
    run: Callable[..., tuple[int, str, str]], collection: sightline.Collection, folder: Path
) -> None:
    code, out, _ = run("verify", "--json")
    assert (code, json.loads(out)["problems"]) == (0, [])
    vector_of_another(collection, f"id = '{ident(folder, 'red.png')}'")
    code, out, err = run("verify", "--json")
    found = json.loads(out)
    assert (code, found["rows"], found["checked"]) == (1, 4, 4)
    assert [sorted(one) for one in found["problems"]] == [["id", "problem"]]
    assert "index --rebuild" in err
    code, out, _ = run("verify")
    assert (code, out.split("\t")[0]) == (1, ident(folder, "red.png"))
    assert run("index", "--rebuild")[0] == 0
    assert run("verify")[0] == 0


def test_history_restore_and_optimize_speak_json(
    run: Callable[..., tuple[int, str, str]], collection: sightline.Collection, folder: Path
) -> None:
    collection.remove(ident(folder, "red.png"))
    versions = json.loads(run("history", "--json")[1])["versions"]
    assert [one["rows"] for one in versions[:2]] == [3, 4]
    code, out, _ = run("restore", str(versions[1]["version"]), "--json")
    assert (code, json.loads(out)["rows"]) == (0, 4)
    code, out, err = run("restore", str(versions[0]["version"]))
    assert code == 0
    assert "to undo this: sightline restore" in err
    code, out, err = run("restore", "9999")
    assert (code, out) == (1, "")
    assert len(err.strip().splitlines()) == 2
    assert run("restore", "nine")[0] == 2
    done = json.loads(run("optimize", "--older-than", "0", "--json")[1])
    assert done["versions"] == 1
    assert done["bytes"] < done["bytes_before"]
    assert run("history")[1].count("\n") == 1
