"""Webdataset shards: samples come in order with their captions; a hostile archive reaches nothing and costs little."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from fakes import FakeEncoder
from odd_images import encoded, picture

import sightline
from sightline import archives
from sightline.errors import SourceError
from sightline.schema import Item, Skipped
from sightline.sources import open_source

JPEG = encoded(picture(0), "JPEG")
OTHER = encoded(picture(1), "JPEG")


def shard(file: Path, members: dict[str, bytes | tarfile.TarInfo], *, mode: str = "w") -> Path:
    with tarfile.open(file, mode) as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return file


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def listed(spec: str) -> tuple[list[Item], list[Skipped]]:
    entries = list(open_source(spec))
    return [e for e in entries if isinstance(e, Item)], [e for e in entries if isinstance(e, Skipped)]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_samples_come_in_order_with_their_captions(tmp_path, mode):
    facts = json.dumps({"caption": "from json", "place": "Rome", "nested": {"a": 1}}).encode()
    file = shard(
        tmp_path / "a.tar",
        {
            "b/0002.jpg": JPEG,
            "b/0002.txt": b"a cat\na dog\n",
            "b/0001.txt": b"first the text",
            "b/0001.cls": b"7",
            "b/0001.jpg": OTHER,
            "c.png": JPEG,
            "c.json": facts,
            "only.txt": b"no picture",
        },
        mode=mode,
    )
    items, skipped = listed(f"wds:{file}")
    assert [item.name for item in items] == ["a.tar#b/0002", "a.tar#b/0001", "a.tar#c"]
    assert [item.text for item in items] == ["a cat\na dog", "first the text", "from json"]
    assert [item.read() for item in items] == [JPEG, OTHER, JPEG]
    assert items[2].meta == {"place": "Rome"}
    assert items[0].uri == f"wds:{file}#b/0002"
    assert skipped == []


def test_several_pictures_of_one_sample_are_told_apart(tmp_path):
    file = shard(tmp_path / "a.tar", {"7.left.jpg": JPEG, "7.right.jpg": OTHER, "7.txt": b"both"})
    items, _ = listed(f"wds:{file}")
    assert [(item.name, item.text) for item in items] == [("a.tar#7.left.jpg", "both"), ("a.tar#7.right.jpg", "both")]


def test_shards_are_read_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a", "c"):
        shard(tmp_path / f"{name}.tar", {"x.jpg": JPEG})
    assert [item.name for item in listed(f"wds:{tmp_path}/*.tar")[0]] == ["a.tar#x", "b.tar#x", "c.tar#x"]


def test_members_never_leave_the_archive(tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(OTHER)
    file = shard(
        tmp_path / "a.tar",
        {
            "../../up.jpg": JPEG,
            "/etc/root.jpg": JPEG,
            "link.jpg": special("link.jpg", tarfile.SYMTYPE, str(secret)),
            "hard.jpg": special("hard.jpg", tarfile.LNKTYPE, str(secret)),
            "pipe.jpg": special("pipe.jpg", tarfile.FIFOTYPE),
            "disk.jpg": special("disk.jpg", tarfile.BLKTYPE),
            "folder.jpg": special("folder.jpg", tarfile.DIRTYPE),
            "._x.jpg": JPEG,
        },
    )
    before = sorted(tmp_path.rglob("*"))
    items, skipped = listed(f"wds:{file}")
    assert [item.name for item in items] == ["a.tar#../../up", "a.tar#/etc/root"]
    assert all(item.read() == JPEG for item in items)
    assert skipped == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.8])
def test_a_truncated_shard_gives_what_is_whole_and_is_skipped(tmp_path, cut):
    whole = shard(tmp_path / "whole.tar", {f"{i}.jpg": JPEG for i in range(20)})
    file = tmp_path / "a.tar"
    file.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * cut)])
    source = open_source(f"wds:{file}")
    items = [entry for entry in source if isinstance(entry, Item)]
    assert 0 < len(items) < 20
    assert all(item.read() == JPEG for item in items)
    [skip] = [entry for entry in source if isinstance(entry, Skipped)]
    assert (skip.uri, skip.reason) == (f"wds:{file}", "unreadable")
    assert source.unlisted == [f"wds:{file}"]


def test_a_damaged_header_in_the_middle_is_told(tmp_path):
    file = shard(tmp_path / "a.tar", {f"{i}.jpg": JPEG for i in range(3)})
    data = bytearray(file.read_bytes())
    at = data.index(b"1.jpg")
    data[at : at + 200] = b"\xff" * 200
    file.write_bytes(data)
    items, [skip] = listed(f"wds:{file}")
    assert [item.name for item in items] == ["a.tar#0"]
    assert "damaged" in skip.detail


def test_a_bad_shard_does_not_end_the_others(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 100)
    shard(tmp_path / "b.tar", {"x.jpg": JPEG})
    items, skipped = listed(f"wds:{tmp_path}/*.tar")
    assert (len(items), len(skipped)) == (1, 1)


def test_nothing_of_use_is_said(tmp_path):
    with pytest.raises(SourceError, match="no pictures"):
        listed(f"wds:{shard(tmp_path / 'a.tar', {'a.txt': b'x'})}")
    with pytest.raises(SourceError, match="no file matches"):
        listed(f"wds:{tmp_path}/none-*.tar")


def test_a_picture_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    file = shard(tmp_path / "a.tar", {"big.jpg": b"x" * 1001, "small.jpg": JPEG[:900], "empty.jpg": b""})
    items, skipped = listed(f"wds:{file}")
    assert [item.name for item in items] == ["a.tar#small"]
    assert [(skip.uri.split("#")[1], skip.reason) for skip in skipped] == [("big", "too_large"), ("empty", "empty")]


def test_a_bomb_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_FREE", 2**20)
    file = tmp_path / "a.tar.gz"
    member = tarfile.TarInfo("0.dat")
    member.size = 2**26
    with gzip.open(file, "wb") as packed:
        packed.write(member.tobuf())
        for _ in range(64):
            packed.write(bytes(2**20))
    with pytest.raises(SourceError, match="times its size"):
        listed(f"wds:{file}")


def test_a_header_cannot_ask_for_any_amount_of_memory(tmp_path):
    file = tmp_path / "a.tar"
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**34
    file.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="a header of"):
            listed(f"wds:{file}")
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"\xff\xfe\x00", b"[1, 2]", b'"one"', b"{", b'{"caption": [["x"], null]}']
)
def test_captions_are_only_data(tmp_path, text):
    file = shard(tmp_path / "a.tar", {"x.jpg": JPEG, "x.json": text})
    items, _ = listed(f"wds:{file}")
    assert len(items) == 1


def test_a_collection_takes_shards_and_a_second_run_is_unchanged(tmp_path):
    shard(tmp_path / "a.tar", {"x.jpg": JPEG, "x.txt": b"a red car", "bad.jpg": b"no picture at all" * 10})
    photos = sightline.open(f"{tmp_path}/tables#t", model=FakeEncoder())
    first = photos.ingest(f"wds:{tmp_path}/*.tar")
    assert (first.added, [skip.reason for skip in first.skipped]) == (1, ["not_an_image"])
    assert photos.picture(photos.sample(1)[0].id) == JPEG
    second = photos.ingest(f"wds:{tmp_path}/*.tar")
    assert (second.unchanged, second.encoded) == (1, 0)
