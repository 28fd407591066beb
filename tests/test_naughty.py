"""Hostile names, captions and folders: indexed, found, shown and written as JSON; none does harm or is lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import naughty
import numpy as np
import odd_images
import pytest
from fakes import FakeEncoder
from pictures import colours, many, paint
from PIL import Image

import sightline
from sightline import choice, media
from sightline.cli import main
from sightline.errors import BadMedia, QueryError, SourceError, UsageError
from sightline.schema import Item, SkipReason
from sightline.sources import HeldBytes, file_uri

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())

    def ran(*args: str) -> tuple[int, str, str]:
        code = main(list(args))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        assert "fault of Sightline" not in captured.err
        return code, captured.out, captured.err

    return ran


def distinct_png(i: int) -> bytes:
    import io

    out = io.BytesIO()
    Image.new("RGB", (8, 8), (i % 256, i // 256, 90)).save(out, "PNG")
    return out.getvalue()


def test_every_naughty_file_name_is_indexed_once_found_again_and_written_as_json(tmp_path: Path, run: Run) -> None:
    folder = os.fsencode(tmp_path) + b"/pictures"
    os.mkdir(folder)
    names = naughty.names(500)
    for i, name in enumerate(names):
        with open(folder + b"/" + name, "wb") as file:
            file.write(distinct_png(i))
    address = f"{tmp_path}/t"
    code, out, _ = run("index", os.fsdecode(folder), "-c", address, "--json")
    report = json.loads(out)
    assert (code, report["added"], report["skipped"]) == (0, 500, [])

    uris = {uri for chunk in sightline.open(address)._store.ids() for _, uri in chunk}
    assert uris == {file_uri(os.fsdecode(folder + b"/" + name)) for name in names}, "each name survives byte for byte"
    code, out, _ = run("search", "red", "--min-relevance", "0", "-k", "500", "--json", "-c", address)
    assert (code, len(json.loads(out)["hits"])) == (0, 500)
    assert not (set(out) & set(map(chr, range(32))) - {"\n"}), "nothing in the document steers a terminal"
    code, out, _ = run("search", "red", "--min-relevance", "0", "-k", "500", "-c", address)
    assert [line.count("\t") for line in out.splitlines()] == [3] * 500
    code, out, _ = run("index", os.fsdecode(folder), "-c", address, "--json")
    assert (json.loads(out)["unchanged"], json.loads(out)["rows"]) == (500, 500)
    for name in names[::50]:
        code, out, _ = run("remove", "--json", "-c", address, "--", os.fsdecode(folder + b"/" + name))
        assert json.loads(out)["removed"] == 1
    assert run("verify", "-c", address)[0] == 0


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.torture, id="each")])
def test_every_naughty_caption_is_kept_as_it_is_and_does_no_harm_as_a_query(
    tmp_path: Path, run: Run, step: int
) -> None:
    captions = naughty.strings(500)
    items = [Item(f"n:{i}", text or "x", HeldBytes(distinct_png(i)), text) for i, text in enumerate(captions)]
    address = f"{tmp_path}/t"
    collection = sightline.open(address, model=FakeEncoder())
    assert collection.ingest(items).added == 500
    rows = collection._store.rows.table.to_arrow().select(["uri", "text"]).to_pylist()
    assert {row["uri"]: row["text"] for row in rows} == {item.uri: item.text for item in items}

    code, out, _ = run("search", "red", "--min-relevance", "0", "-k", "500", "--json", "-c", address)
    assert {hit["uri"]: hit["text"] for hit in json.loads(out)["hits"]} == {item.uri: item.text for item in items}
    for text in captions[::step]:
        try:
            for hit in collection.search(text, k=3):
                json.dumps(hit.to_json())
        except (QueryError, UsageError) as error:
            assert "\n" not in str(error)
        except sightline.errors.SightlineError as error:  # `./`, `/etc/passwd`: a picture that is none
            assert str(error)
    for text in captions[:: 4 * step]:
        code, out, err = run("search", "--json", "-c", address, "--", text.replace("\0", ""))
        assert code in (0, 1, 2, 3), (text, err)
        json.loads(out or "{}")
    assert len(collection) == 500


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.torture, id="5,000")])
def test_mutated_pictures_are_decoded_or_refused_and_never_slow(count: int) -> None:
    chance = random.Random(count)
    base = odd_images.picture(1, (96, 64))
    kinds = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "ICO")
    whole = [odd_images.encoded(base, kind) for kind in kinds]
    whole.append(odd_images.encoded(base, "JPEG", progressive=True))
    whole.append(odd_images.encoded(base, "TIFF", compression="tiff_lzw"))
    refused, slowest = 0, 0.0
    for turn in range(count):
        data = odd_images.mutated(whole[turn % len(whole)], chance)
        started = time.monotonic()
        try:
            decoded = media.decode(data, target=32, longest=256)
            assert decoded.image.mode == "RGB"
        except BadMedia as error:
            assert error.reason in set(SkipReason)
            refused += 1
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 20
    assert 0 < refused < count


def test_loops_pipes_sockets_and_unreadable_or_vanishing_files_stop_nothing(tmp_path: Path, run: Run) -> None:
    import socket

    folder = colours(tmp_path / "pictures")
    (folder / "loop").symlink_to(folder)
    (folder / "self.png").symlink_to("self.png")
    (folder / "dangling.png").symlink_to("nowhere.png")
    (folder / "linked.png").symlink_to(folder / "red.png")
    os.mkfifo(folder / "pipe.png")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket.png"))
    (folder / "deep" / ("d" * 200) / ("e" * 200)).mkdir(parents=True)
    paint(folder / "deep" / ("d" * 200) / ("e" * 200) / "far.png", (7, 7, 7))
    (folder / "closed").mkdir(mode=0o000)
    (folder / "secret.png").write_bytes(distinct_png(3))
    (folder / "secret.png").chmod(0)
    try:
        started = time.monotonic()
        code, out, _ = run("index", str(folder), "-c", f"{tmp_path}/t", "--json")
        assert time.monotonic() - started < 20, "nobody waits for a pipe"
    finally:
        listening.close()
        (folder / "closed").chmod(0o700)
    report = json.loads(out)
    assert (code, report["added"]) == (0, 5 + (os.geteuid() == 0))
    reasons = {one["reason"] for one in report["skipped"]}
    assert reasons <= {"unreadable", "not_an_image", "missing"}


def test_files_that_vanish_or_change_while_they_are_indexed_are_told_and_the_rest_is_whole(tmp_path: Path) -> None:
    folder = many(tmp_path / "pictures", 120, size=(40, 40))
    done = threading.Event()

    def disturb() -> None:
        chance = random.Random(5)
        files = sorted(folder.iterdir())
        chance.shuffle(files)
        for path in files[:60]:
            if done.is_set():
                return
            if chance.random() < 0.5:
                path.unlink()
            else:
                path.write_bytes(path.read_bytes()[: chance.randrange(300)])
            time.sleep(0.002)

    thread = threading.Thread(target=disturb)
    thread.start()
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    report = collection.ingest(folder)
    done.set()
    thread.join()
    assert report.added + len(report.skipped) <= 120
    assert {skip.reason for skip in report.skipped} <= {
        SkipReason.MISSING,
        SkipReason.UNDECODABLE,
        SkipReason.EMPTY,
        SkipReason.NOT_AN_IMAGE,
    }
    assert len(collection) == report.added
    assert collection.verify().problems == ()
    settled = collection.ingest(folder, prune=True, yes=True)
    present = len(list(folder.iterdir()))
    assert settled.rows + len(settled.skipped) >= present
    again = collection.ingest(folder)
    assert (again.added, again.updated, again.encoded) == (0, 0, 0)


def test_an_unmounted_root_deletes_nothing(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root], capture_output=True, check=False).returncode == 0
    colours(root)
    address = f"{tmp_path}/t"
    try:
        assert run("index", str(root), "-c", address)[0] == 0
    finally:
        if mounted:
            subprocess.run(["umount", "-l", root], check=True)
        else:
            for path in root.iterdir():
                path.unlink()
    for flags in ([], ["--prune"], ["--prune", "--yes"]):
        code, out, err = run("index", str(root), "-c", address, *flags)
        assert (code, out) == (1, ""), err
    root.rmdir()
    assert run("index", str(root), "--prune", "--yes", "-c", address)[0] == 1
    assert len(sightline.open(address)) == 4
    assert run("search", "red square", "-c", address)[0] == 0


def test_a_collection_moves_with_its_folder(tmp_path: Path) -> None:
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(colours(tmp_path / "pictures"))
    (tmp_path / "t").rename(tmp_path / "moved")
    moved = sightline.open(f"{tmp_path}/moved", model=FakeEncoder())
    assert moved.search("red square", k=1)[0].name == "red.png"
    assert moved.verify().problems == ()
    with pytest.raises(SourceError):
        moved.ingest(tmp_path / "nowhere")
    assert np.isfinite(moved.search("red", k=1)[0].score)


def test_a_caption_with_half_a_character_is_kept_and_is_no_change_the_next_time(tmp_path: Path) -> None:
    photos = sightline.open(f"{tmp_path}#t", model=FakeEncoder())
    item = Item(
        "test:1", "a\ud83d.png", HeldBytes(distinct_png(1)), "red \ud83d square", meta={"by": "\udc80"}, keep="none"
    )
    assert photos.ingest([item]).added == 1
    assert photos.search("square", channels=("text",))[0].text == "red \ufffd square"
    assert photos.get("test:1").item.meta == {"by": "\ufffd"}
    again = photos.ingest([item])
    assert (again.updated, again.encoded) == (0, 0)
