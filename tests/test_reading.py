"""index --ocr: every picture is read once, nothing is encoded again, and what goes wrong with one stops no run."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import FakeEncoder
from pictures import paint
from PIL import Image

import sightline
from sightline import cli, ocr, reading, texts
from sightline.errors import CollectionMissing, MissingExtra
from sightline.executors import LocalExecutor
from sightline.reports import Progress
from sightline.schema import Reading, SkipReason, TextLine

PLACE = (0.1, 0.1, 0.9, 0.1, 0.9, 0.2, 0.1, 0.2)
SIGNS = {"red": "STOP", "green": "EXIT 12"}


class FakeReader:
    """Reads colours: a red picture says STOP, a green one EXIT 12, any other nothing. A black one is too odd to read.

    `seen` are the widths of what all readers were given.
    """

    engine = "fake 1"

    def __init__(self, threads: int, seen: list[int]) -> None:
        self.threads, self.seen = threads, seen

    def read(self, image: Image.Image) -> Reading:
        self.seen.append(image.width)
        red, green, blue = image.resize((1, 1)).getpixel((0, 0))
        if red + green + blue < 30:
            raise RuntimeError("index out of bounds: the len is 0")
        word = SIGNS["red"] if red > 200 else SIGNS["green"] if green > 200 else ""
        lines = (TextLine(word, 0.9, PLACE),) if word else ()
        return Reading(self.engine, lines, image.size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for name, colour in (("stop", (255, 0, 0)), ("exit", (0, 255, 0)), ("sky", (0, 0, 255))):
        paint(folder / f"{name}.png", colour)
    return folder


@pytest.fixture
def seen() -> list[int]:
    return []


@pytest.fixture
def opened(tmp_path: Path, seen: list[int]) -> Callable[[], sightline.Collection]:
    def again() -> sightline.Collection:
        return sightline.open(
            str(tmp_path / "tables"),
            model=FakeEncoder(),
            executor=LocalExecutor(threads=2),
            reader=lambda threads: FakeReader(threads, seen),
        )

    return again


def said(collection: sightline.Collection, path: Path) -> str | None:
    return collection.get(path.resolve().as_uri()).ocr


def test_new_pictures_are_read_in_the_run_that_adds_them(
    opened: Callable[[], sightline.Collection], folder: Path, seen: list[int]
) -> None:
    collection = opened()
    report = collection.ingest(folder, ocr=True)
    assert report.added == report.encoded == 3
    assert report.ocr is not None
    assert (report.ocr.read, report.ocr.with_text, report.ocr.failed) == (3, 2, ())
    assert report.to_json()["ocr"] == {
        "read": 3,
        "with_text": 2,
        "failed": [],
        "seconds": round(report.ocr.seconds, 3),
    }
    assert [said(collection, folder / f"{name}.png") for name in ("stop", "exit", "sky")] == ["STOP", "EXIT 12", ""]
    assert len(seen) == 3
    item = collection.get((folder / "stop.png").resolve().as_uri())
    assert item.reading is not None
    assert item.reading.engine == "fake 1"
    assert item.reading.lines == (TextLine("STOP", 0.9, PLACE),)


def test_rows_from_before_are_read_without_encoding_anything_again(
    opened: Callable[[], sightline.Collection], folder: Path, seen: list[int]
) -> None:
    collection = opened()
    assert collection.ingest(folder).ocr is None
    assert (collection.info().read, seen) == (0, [])
    again = opened()
    report = again.ingest(folder, ocr=True)
    assert (report.encoded, report.unchanged) == (0, 3)
    assert isinstance(again.encoder, FakeEncoder)
    assert again.encoder.calls == []
    assert report.ocr is not None
    assert report.ocr.read == 3
    assert again.info().read == 3
    third = again.ingest(folder, ocr=True)
    assert third.ocr is not None
    assert (third.ocr.read, len(seen)) == (0, 3)


def test_only_the_pictures_of_this_source_are_read(
    opened: Callable[[], sightline.Collection], folder: Path, tmp_path: Path, seen: list[int]
) -> None:
    paint(tmp_path / "other" / "halt.png", (250, 0, 0))
    collection = opened()
    collection.ingest(tmp_path / "other")
    report = collection.ingest(folder, ocr=True)
    assert report.ocr is not None
    assert report.ocr.read == 3
    assert said(collection, tmp_path / "other" / "halt.png") is None
    rest = collection.ocr()
    assert rest.ocr is not None
    assert (rest.ocr.read, rest.encoded, rest.rows) == (1, 0, 4)
    assert said(collection, tmp_path / "other" / "halt.png") == "STOP"


def test_a_changed_picture_loses_its_text_and_is_read_again(
    opened: Callable[[], sightline.Collection], folder: Path, seen: list[int]
) -> None:
    collection = opened()
    collection.ingest(folder, ocr=True)
    paint(folder / "stop.png", (0, 250, 0))
    os.utime(folder / "stop.png", ns=(1, 1))
    collection.ingest(folder)
    assert said(collection, folder / "stop.png") is None
    report = collection.ingest(folder, ocr=True)
    assert report.ocr is not None
    assert report.ocr.read == 1
    assert said(collection, folder / "stop.png") == "EXIT 12"


def test_a_moved_picture_keeps_its_text_and_a_copy_shares_it(
    opened: Callable[[], sightline.Collection], folder: Path, seen: list[int]
) -> None:
    collection = opened()
    collection.ingest(folder, ocr=True)
    (folder / "stop.png").rename(folder / "moved.png")
    (folder / "copy.png").write_bytes((folder / "exit.png").read_bytes())
    report = collection.ingest(folder, ocr=True)
    assert (report.renamed, report.added, report.encoded) == (1, 1, 0)
    assert [said(collection, folder / name) for name in ("moved.png", "copy.png")] == ["STOP", "EXIT 12"]
    assert len(seen) == 3


def test_the_same_bytes_twice_are_read_once(
    opened: Callable[[], sightline.Collection], folder: Path, seen: list[int]
) -> None:
    for name in "abc":
        (folder / f"{name}.png").write_bytes((folder / "stop.png").read_bytes())
    collection = opened()
    report = collection.ingest(folder, ocr=True)
    assert report.ocr is not None
    assert (report.ocr.read, report.ocr.with_text, len(seen)) == (6, 5, 3)
    assert {said(collection, folder / f"{name}.png") for name in "abc"} == {"STOP"}


def test_a_picture_that_cannot_be_read_is_marked_and_stops_no_run(
    opened: Callable[[], sightline.Collection], folder: Path, seen: list[int]
) -> None:
    paint(folder / "black.png", (0, 0, 0))
    collection = opened()
    report = collection.ingest(folder, ocr=True)
    assert report.ocr is not None
    assert report.ocr.read == 3
    (failed,) = report.ocr.failed
    assert failed.reason is SkipReason.UNDECODABLE
    assert failed.detail == "not read: RuntimeError: index out of bounds: the len is 0"
    item = collection.get((folder / "black.png").resolve().as_uri())
    assert item.ocr == ""
    assert item.reading is not None
    assert "index out of bounds" in item.reading.failed
    again = collection.ocr().ocr
    assert again is not None
    assert (again.read, again.failed, len(seen)) == (0, (), 4)
    retried = collection.ocr(retry=True).ocr
    assert retried is not None
    assert (len(retried.failed), len(seen)) == (1, 5)


def test_a_picture_that_is_nowhere_any_more_stays_unread_and_is_asked_for_again(
    opened: Callable[[], sightline.Collection], folder: Path
) -> None:
    collection = opened()
    collection.ingest(folder, keep="none")
    hidden = (folder / "stop.png").rename(folder.parent / "away.png")
    for _ in range(2):
        done = collection.ocr().ocr
        assert done is not None
        assert [one.reason for one in done.failed] == [SkipReason.MISSING]
        assert said(collection, folder / "stop.png") is None
    hidden.rename(folder / "stop.png")
    done = collection.ocr().ocr
    assert done is not None
    assert (done.read, done.failed) == (1, ())


@pytest.mark.parametrize("keep", ["preview", "original"])
def test_the_largest_picture_there_is_is_read(
    opened: Callable[[], sightline.Collection], tmp_path: Path, seen: list[int], keep: str
) -> None:
    path = paint(tmp_path / "large" / "a.png", (255, 0, 0), size=(1400, 700))
    collection = opened()
    collection.ingest(path.parent, keep=keep)
    path.unlink()
    collection.ocr()
    assert seen == [1024 if keep == "preview" else 1400]


def test_the_file_is_larger_than_its_preview_and_read_while_its_bytes_are_the_same(
    opened: Callable[[], sightline.Collection], tmp_path: Path, seen: list[int]
) -> None:
    path = paint(tmp_path / "large" / "a.png", (255, 0, 0), size=(1400, 700))
    other = paint(tmp_path / "large" / "b.png", (0, 255, 0), size=(1400, 700))
    collection = opened()
    collection.ingest(path.parent)
    paint(other, (0, 0, 255), size=(1300, 700))  # changed, and not indexed again
    collection.ocr()
    assert sorted(seen) == [1024, 1400]
    assert said(collection, other) == "EXIT 12"


def test_a_rebuild_keeps_what_was_read(opened: Callable[[], sightline.Collection], folder: Path) -> None:
    collection = opened()
    collection.ingest(folder, ocr=True)
    collection.rebuild(model=FakeEncoder(name="other", dim=16, fingerprint="e" * 64))
    assert said(collection, folder / "stop.png") == "STOP"
    assert collection.info().read == 3
    assert [one.name for one in collection._store.search_text("exit", 5, column="ocr")] == ["exit.png"]


def test_a_stopped_run_has_committed_what_progress_told_and_the_next_goes_on(
    opened: Callable[[], sightline.Collection], tmp_path: Path, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        paint(tmp_path / "many" / f"{number:02}.png", (240 + number, 0, 0))
    collection = opened()
    collection.ingest(tmp_path / "many")
    monkeypatch.setattr(reading, "COMMIT_ROWS", 3)
    told: list[Progress] = []

    def stop(now: Progress) -> None:
        told.append(now)
        if now.committed >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collection.ocr(progress=stop)
    assert all(now.reading and now.listed == 12 for now in told)
    assert collection.info().read >= told[-1].committed >= 6
    first = collection.info().read
    report = opened().ocr().ocr
    assert report is not None
    assert report.read == 12 - first
    assert collection.ocr().ocr == report.__class__(0, 0, (), pytest.approx(0, abs=60))


def test_each_reading_thread_has_a_reader_of_its_own(
    opened: Callable[[], sightline.Collection], folder: Path, tmp_path: Path
) -> None:
    made: list[tuple[int, int]] = []

    def make(threads: int) -> FakeReader:
        made.append((threading.get_ident(), threads))
        return FakeReader(threads, [])

    settings = sightline.collection.settings_in_force(threads=8)
    collection = sightline.open(str(tmp_path / "own"), model=FakeEncoder(), settings=settings, reader=make)
    collection.ingest(folder, ocr=True)
    assert 1 <= len(made) <= reading.MOST_READERS
    assert len({thread for thread, _ in made}) == len(made)
    assert {threads for _, threads in made} == {8 // reading.MOST_READERS}


def test_text_in_pictures_fulfils_the_filters(opened: Callable[[], sightline.Collection], folder: Path) -> None:
    collection = opened()
    collection.ingest(folder, ocr=True)

    def names(query: str) -> list[str]:
        return sorted(hit.name for hit in collection.search(query))

    assert names('text:"exit 12"') == ["exit.png"]
    assert names("has:text") == ["exit.png", "stop.png"]
    assert names("blue - has:text") == ["sky.png"]


def test_reading_without_the_extra_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr, "find_spec", lambda name: None)
    collection = sightline.open(str(tmp_path / "tables"), model=FakeEncoder())
    with pytest.raises(MissingExtra) as raised:
        collection.ingest(folder, ocr=True)
    assert raised.value.hint == "pip install 'sightline[ocr]'"
    assert not collection.exists


def test_reading_what_is_not_there_says_so(opened: Callable[[], sightline.Collection]) -> None:
    with pytest.raises(CollectionMissing):
        opened().ocr()


def test_a_dry_run_reads_nothing(opened: Callable[[], sightline.Collection], folder: Path, seen: list[int]) -> None:
    collection = opened()
    collection.ingest(folder)
    assert collection.ingest(folder, ocr=True, dry_run=True).ocr is None
    assert seen == []


def test_a_reading_survives_a_rebuild_that_was_stopped_before_it(
    opened: Callable[[], sightline.Collection], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.store import Store

    collection = opened()
    collection.ingest(folder)
    with monkeypatch.context() as patched:

        def full(*_: object, **__: object) -> None:
            raise OSError("stopped")

        patched.setattr(Store, "replace_rows", full)
        with pytest.raises(OSError, match="stopped"):
            collection.rebuild()
    collection.ocr()
    collection.rebuild()
    assert said(collection, folder / "stop.png") == "STOP"


@pytest.mark.parametrize(
    "args",
    [["--ocr", "--rebuild"], ["--ocr", "--dry-run"], ["--ocr", "--prune"]],
)
def test_flags_that_cannot_be_meant_together_are_refused(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", *args]) == 2
    assert "--ocr" in capsys.readouterr().err


def test_the_command_reports_what_was_read(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.collection.RapidReader", lambda threads: FakeReader(threads, []))
    address = str(tmp_path / "told")
    assert cli.main(["index", str(folder), "-c", address, "--model", "pocket", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ocr"] is None
    assert cli.main(["index", "--ocr", "-c", address, "--json", "--progress", "json"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert (document["encoded"], document["rows"], document["ocr"]["read"]) == (0, 3, 3)
    assert json.loads(shown.err.splitlines()[-1])["reading"] == 3
    assert cli.main(["index", "--ocr", "-c", address]) == 0
    assert "read\t0\nwith_text\t0\nnot_read\t0\n" in capsys.readouterr().out
    assert texts.count_read(sightline.open(address)._store) == 3
