"""Sources list everything once, in order, lossless; what cannot be used is a value, and captions are only data."""

import contextlib
import json
import os
import pickle
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_images import encoded, picture

from sightline import media, sources
from sightline.captions import Captions, joined
from sightline.errors import BadMedia, SourceError, UsageError
from sightline.schema import Item, Skipped, SkipReason
from sightline.sources import FileBytes, HeldBytes, Source, file_uri, open_source, path_of, still_there

PHOTOS = Path(__file__).parent / "data" / "photos"
JPEG = encoded(picture(0), "JPEG")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return root


def put(root: Path, *names: str, data: bytes = JPEG) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def listed(spec, **options) -> list[str]:
    return [entry.name for entry in open_source(spec, **options) if isinstance(entry, Item)]


def skipped(spec) -> dict[str, str]:
    entries = [entry for entry in open_source(spec) if isinstance(entry, Skipped)]
    return {os.path.basename(entry.uri): entry.reason for entry in entries}


def texts(spec) -> dict[str, str]:
    return {entry.name: entry.text for entry in open_source(spec) if isinstance(entry, Item)}


# -- folders


def test_files_come_in_the_order_of_names_before_sub_folders(folder):
    put(folder, "b.jpg", "a/z.jpg", "a/b/c.jpg", "A.jpg", "ä.jpg", "c/d.jpg")
    assert listed(folder) == ["A.jpg", "b.jpg", "ä.jpg", "a/z.jpg", "a/b/c.jpg", "c/d.jpg"]


def test_an_item_tells_size_time_and_bytes(folder):
    put(folder, "a.jpg")
    os.utime(folder / "a.jpg", ns=(5, 1_700_000_000_123_456_789))
    [item] = open_source(folder)
    assert (item.size, item.mtime_ns, item.keep, item.read()) == (len(JPEG), 1_700_000_000_123_456_789, "preview", JPEG)
    assert pickle.loads(pickle.dumps(item)).read() == JPEG  # noqa: S301 — our own pickle


def test_names_that_are_not_utf_8_are_kept_without_loss(folder):
    raw = os.path.join(os.fsencode(folder), b"caf\xe9 #1%41?.jpg")
    with open(raw, "wb") as file:
        file.write(JPEG)
    [item] = open_source(folder)
    assert item.name == "caf\ufffd #1%41?.jpg"
    assert item.uri.isascii()
    assert "caf%E9%20%231%2541%3F.jpg" in item.uri
    assert os.fsencode(path_of(item.uri)) == raw
    assert still_there(item.uri)
    assert item.read() == JPEG
    os.unlink(raw)
    assert not still_there(item.uri)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=60).filter(lambda raw: b"\0" not in raw))
def test_a_path_and_its_uri_are_one(raw):
    path = os.path.abspath(os.fsdecode(b"/" + raw))
    assert path_of(file_uri(path)) == path


def test_still_there_is_false_only_for_files_that_are_gone(folder):
    assert not still_there(file_uri(folder / "no"))
    assert not still_there(file_uri(folder / "no" / "where"))
    assert still_there(file_uri(folder))
    assert still_there("streets:1")
    assert still_there("file://%00")


def test_a_lancedb_table_inside_the_folder_is_not_listed(folder):
    put(folder, "a.jpg", "data/tables/items.lance/data/x.lance", "data/b.jpg", "odd.lance.jpg")
    assert listed(folder) == ["a.jpg", "odd.lance.jpg", "data/b.jpg"]


def test_hidden_files_and_links_are_left_out(folder, tmp_path):
    put(folder, "a.jpg", ".hidden.jpg", "._a.jpg", ".git/b.jpg", "c/._d.jpg")
    put(tmp_path, "outside/e.jpg")
    os.symlink(tmp_path / "outside", folder / "link")
    os.symlink(tmp_path / "outside" / "e.jpg", folder / "link.jpg")
    os.symlink(folder, folder / "loop")
    assert listed(folder) == ["a.jpg"]
    assert skipped(folder) == {}


def test_a_link_that_takes_the_place_of_a_listed_file_is_not_read(folder, tmp_path):
    put(folder, "a.jpg")
    put(tmp_path, "secret.jpg")
    [item] = open_source(folder)
    os.unlink(folder / "a.jpg")
    os.symlink(tmp_path / "secret.jpg", folder / "a.jpg")
    with pytest.raises(OSError):
        item.read()


def test_a_root_that_is_a_link_is_followed_and_keeps_its_name(folder, tmp_path):
    put(folder, "a.jpg")
    os.symlink(folder, tmp_path / "link")
    source = open_source(tmp_path / "link")
    [item] = source
    assert item.uri == file_uri(tmp_path / "link" / "a.jpg")
    assert item.uri.startswith(source.roots)


def test_pipes_and_sockets_are_skipped_and_never_opened(folder):
    put(folder, "a.jpg")
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.jpg"))
        assert skipped(folder) == {"pipe.jpg": "unreadable", "socket.jpg": "unreadable"}
    with pytest.raises(BadMedia, match="regular"):
        FileBytes(str(folder / "pipe.jpg"))()


def test_what_may_not_be_read_is_skipped(folder, monkeypatch):
    put(folder, "a.jpg", "b.jpg", "c/d.jpg", "e/f.jpg")
    scan = os.scandir

    def scandir(path):
        if os.path.basename(path) == "c":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "access", lambda path, _: not str(path).endswith("b.jpg"))
    source = open_source(folder)
    entries = list(source)
    assert [e.name for e in entries if isinstance(e, Item)] == ["a.jpg", "e/f.jpg"]
    assert [os.path.basename(e.uri) for e in entries if isinstance(e, Skipped)] == ["b.jpg", "c"]
    assert source.unlisted == [file_uri(folder / "c")]
    monkeypatch.undo()
    assert len(list(source)) == 4
    assert source.unlisted == []


def test_a_root_that_may_not_be_listed_is_an_error(folder, monkeypatch):
    def scandir(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match="Permission denied"):
        list(open_source(folder))


def test_files_that_vanish_while_listing_are_passed_over(folder):
    put(folder, "a.jpg", "b.jpg", "c/d.jpg", "e/f.jpg")
    entries = iter(open_source(folder))
    assert next(entries).name == "a.jpg"
    os.unlink(folder / "b.jpg")
    os.unlink(folder / "c" / "d.jpg")
    os.rmdir(folder / "c")
    assert [entry.name for entry in entries] == ["e/f.jpg"]


def test_folders_deeper_than_the_recursion_limit_are_listed(folder):
    deep = Path(*["d"] * 1200)
    put(folder, "a.jpg")
    here = os.getcwd()
    try:
        os.chdir(folder)
        for _ in deep.parts:
            os.mkdir("d")
            os.chdir("d")
        Path("z.jpg").write_bytes(JPEG)
    finally:
        os.chdir(here)
    assert listed(folder) == ["a.jpg", f"{deep.as_posix()}/z.jpg"]
    subprocess.run(["rm", "-r", folder / "d"], check=True)  # pytest's own clean-up would recurse


@pytest.mark.parametrize("content", [{}, {".hidden.jpg": JPEG}, {"captions.csv": b"file,text\n"}])
def test_an_empty_folder_is_an_error(folder, content):
    for name, data in content.items():
        put(folder, name, data=data)
    with pytest.raises(SourceError, match="nothing in it"):
        list(open_source(folder))


def test_everything_else_is_listed_and_told_by_content_when_read(folder):
    put(folder, "film.jpg", data=b"\0\0\0\x18ftypmp42" + bytes(500))
    put(folder, "notes.txt", data=b"words")
    put(folder, "picture.mp4")
    found = {item.name: item for item in open_source(folder)}
    assert list(found) == ["film.jpg", "notes.txt", "picture.mp4"]
    with pytest.raises(BadMedia) as film:
        found["film.jpg"].read()
    with pytest.raises(BadMedia) as notes:
        found["notes.txt"].read()
    assert (film.value.reason, notes.value.reason) == (SkipReason.UNSUPPORTED_MODALITY, SkipReason.NOT_AN_IMAGE)
    assert media.decode(found["picture.mp4"].read()).format == "JPEG"


def test_a_file_beyond_the_cap_is_refused_by_its_head_or_unread(folder):
    for name, head, reason in (("a.mp4", b"\0\0\0\x18ftypmp42", "unsupported_modality"), ("b.jpg", JPEG, "too_large")):
        put(folder, name, data=head)
        os.truncate(folder / name, sources.MAX_BYTES + 1)  # sparse
        with pytest.raises(BadMedia) as error:
            FileBytes(str(folder / name))()
        assert error.value.reason == reason


def test_memory_holds_the_open_folders_only(folder):
    for outer in range(20):
        put(folder, *(f"{outer}/{inner:03}.jpg" for inner in range(100)), data=b"")
    script = (
        "import sys, tracemalloc; from sightline.sources import open_source; tracemalloc.start();"
        "n = sum(1 for _ in open_source(sys.argv[1])); print(n, tracemalloc.get_traced_memory()[1])"
    )
    run = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    count, peak = map(int, run.stdout.split())
    assert count == 2000
    assert peak < 2_000_000


# -- ignoring


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("*.png", ["a.jpg", "sub/a.jpg", "sub/old/a.jpg"]),
        ("old/", ["a.jpg", "a.png", "sub/a.jpg", "sub/b.png"]),
        ("/a.jpg", ["a.png", "sub/a.jpg", "sub/b.png", "sub/old/a.jpg"]),
        ("sub/**/a.jpg", ["a.jpg", "a.png", "sub/b.png"]),
        ("*.jpg\n!/sub/a.jpg", ["a.png", "sub/a.jpg", "sub/b.png"]),
        ("# a.jpg\n\n*.png  \r\n", ["a.jpg", "sub/a.jpg", "sub/old/a.jpg"]),
        ("sub/*\n!sub/old/", ["a.jpg", "a.png", "sub/old/a.jpg"]),
        ("\ufeff*.jpg", ["a.png", "sub/b.png"]),
    ],
)
def test_ignore_files_and_exclude_mean_what_git_means(folder, patterns, left):
    put(folder, "a.jpg", "a.png", "sub/a.jpg", "sub/b.png", "sub/old/a.jpg")
    put(folder, ".sightlineignore", data=patterns.encode())
    assert listed(folder) == left
    os.unlink(folder / ".sightlineignore")
    assert listed(folder, exclude=patterns.lstrip("\ufeff").splitlines()) == left


def test_a_deeper_ignore_file_has_the_last_word_and_exclude_the_very_last(folder):
    put(folder, "a.png", "sub/a.png", "sub/b.png")
    put(folder, ".sightlineignore", data=b"*.png")
    put(folder, "sub/.sightlineignore", data=b"!*.png\n/b.png")
    assert listed(folder) == ["sub/a.png"]
    with pytest.raises(SourceError):
        listed(folder, exclude=["sub/a.png"])


def test_a_folder_whose_ignore_file_cannot_be_understood_is_not_listed(folder):
    put(folder, "a.jpg", "sub/private.jpg")
    put(folder, "sub/.sightlineignore", data=b"a\n!\n")
    source = open_source(folder)
    entries = list(source)
    assert [type(entry) for entry in entries] == [Item, Skipped]
    assert source.unlisted == [file_uri(folder / "sub")]
    with pytest.raises(UsageError):
        open_source(folder, exclude=["!"])


# -- captions


def test_the_photographs_have_all_their_human_captions():
    items = list(open_source(PHOTOS))
    assert len(items) == 86
    assert (
        sum(len(item.text.split("\n")) for item in items) == 402
    )  # 395 sentences, and one word for each of seven pictures
    assert all(item.meta["licence"] and item.meta["source"] for item in items)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.csv", "file,caption\na.jpg,one\nb.jpg,other\na.jpg,two\n"),
        ("metadata.csv", "\ufefffile_name;text\r\n./a.jpg;one\r\na.jpg;two\r\n"),
        ("metadata.csv", "Text , File_Name\none,a.jpg\ntwo,a.jpg\n"),
        ("captions.csv", 'file\tcaption\na.jpg\t"one"\na.jpg\ttwo\n\n\n'),
        ("captions.csv", "file,caption\nragged\na.jpg,one,too,many\n,none\na.jpg\na.jpg,two"),
        ("captions.csv", "file,caption\na.jpg,o\0ne\na.jpg,one\na.jpg,two"),
        ("metadata.jsonl", '{"file_name": "a.jpg", "text": ["one", "two"]}'),
        ("metadata.jsonl", '{"file": "a.jpg", "caption": "one"}\n\n{"file": "a.jpg", "caption": ["two", 3, null]}\r\n'),
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_captions_of_one_file_are_joined_in_order(folder, name, content, codec):
    put(folder, "a.jpg")
    put(folder, name, data=content.lstrip("\ufeff" if codec == "utf-16" else "").encode(codec))
    assert texts(folder) == {"a.jpg": "one\ntwo"}


def test_captions_are_looked_for_beside_then_in_the_root_then_in_a_text_file(folder):
    put(folder, "x/a.jpg", "x/b.jpg", "x/c.jpg", "x/d.jpg", "x/e.jpg")
    put(folder, "captions.csv", data=b"file,text\nx/a.jpg,root path\na.jpg,root name\nb.jpg,root name\nx/c.jpg,root\n")
    put(folder, "x/captions.csv", data=b"file,text\nc.jpg,beside\n")
    put(folder, "x/d.txt", data=b"from text\r\n\r\nsecond")
    put(folder, "x/a.txt", data=b"not used")
    assert texts(folder) == {
        "x/a.jpg": "root path",
        "x/b.jpg": "root name",
        "x/c.jpg": "beside",
        "x/d.jpg": "from text\nsecond",
        "x/e.jpg": "",
    }


def test_other_columns_of_the_first_row_are_metadata(folder):
    put(folder, "a.jpg")
    lines = [{"file": "a.jpg", "text": "one", "year": 1999, "by": "me", "nested": {"no": 1}, "nan": float("nan")}]
    lines.append({"file": "a.jpg", "text": "two", "year": 2000})
    put(folder, "metadata.jsonl", data="\n".join(map(json.dumps, lines)).encode())
    [item] = open_source(folder)
    assert item.meta == {"year": 1999, "by": "me"}


def test_accents_match_however_they_are_composed(folder):
    put(folder, "cafe\u0301.jpg")
    put(folder, "captions.csv", data="file,text\ncaf\u00e9.jpg,coffee\n".encode())
    assert list(texts(folder).values()) == ["coffee"]


@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        ("captions.csv", b"", ""),
        ("captions.csv", b"picture,words\na.jpg,one", ""),
        ("captions.csv", b"file,text\na.jpg,one\nb.jpg," + b"x" * 200_000, "one"),
        ("captions.csv", bytes(range(256)) * 20, ""),
        ("metadata.jsonl", b'{"file": "a.jpg", "text": "one"}\n{broken', "one"),
        ("metadata.jsonl", b"[" * 100_000, ""),
        ("metadata.jsonl", b'[1]\n7\n{"file": 3}\n{"file": "a.jpg", "text": "one"}', "one"),
    ],
)
def test_a_caption_file_that_cannot_be_understood_is_reported_and_the_rest_is_used(folder, name, content, kept):
    put(folder, "a.jpg")
    put(folder, name, data=content)
    assert texts(folder) == {"a.jpg": kept}
    assert skipped(folder) == {name: "unreadable"}


def test_a_caption_file_that_may_not_be_read_is_reported(folder):
    put(folder, "a.jpg")
    put(folder, "a.txt", data=b"")
    os.truncate(folder / "a.txt", 2**21)
    assert skipped(folder) == {"a.txt": "unreadable"}


@given(st.binary(max_size=300), st.sampled_from(["captions.csv", "metadata.csv", "metadata.jsonl", "a.txt"]))
@settings(max_examples=200, deadline=None)
def test_no_bytes_in_a_caption_file_do_harm(data, name):
    prefix = b'{"file": "a.jpg", "text": "' if name.endswith("jsonl") else b"file,text,other\na.jpg,"
    for content in (data, prefix + data):
        captions = Captions([name], lambda name, limit, content=content: content)
        notes = captions.find("a.jpg")
        text = joined([*(notes.captions if notes else []), *captions.sidecar("a.jpg")])
        text.encode()
        json.dumps(notes.meta if notes else {}, allow_nan=False).encode()
        assert not set(text) & set("\0\r")


def test_a_caption_is_one_line_of_at_most_ten_thousand_characters():
    assert joined(["a\nb\r\n c\u2028d", " ", "a b c d", "\ud800", None, 5]) == "a b c d\n?"
    assert len(joined(["x" * 50_000])) == 10_000
    assert len(joined(map(str, range(500))).split("\n")) == 100


# -- single files and given items


def test_a_single_file_has_its_captions_and_no_root(folder):
    put(folder, "a.jpg", "b.jpg")
    put(folder, "captions.csv", data=b"file,text\na.jpg,one\n")
    put(folder, "b.txt", data=b"two")
    for spec in (folder / "a.jpg", str(folder / "a.jpg"), file_uri(folder / "a.jpg")):
        source = open_source(spec)
        [item] = source
        assert (item.uri, item.name, item.text, source.roots) == (file_uri(folder / "a.jpg"), "a.jpg", "one", ())
    assert texts(folder / "b.jpg") == {"b.jpg": "two"}


def test_a_link_that_the_user_names_is_read(folder, tmp_path):
    put(tmp_path, "real.jpg")
    os.symlink(tmp_path / "real.jpg", folder / "link.jpg")
    [item] = open_source(folder / "link.jpg")
    assert item.read() == JPEG
    os.unlink(tmp_path / "real.jpg")
    with pytest.raises(SourceError, match="No such file"):
        list(open_source(folder / "link.jpg"))


def test_any_items_are_a_source():
    items = [Item("mine:1", "1", HeldBytes(JPEG))]
    source = open_source(items)
    assert list(source) == items
    assert isinstance(source, Source)
    assert (source.roots, source.unlisted) == ((), [])
    assert open_source(source) is source
    with pytest.raises(SourceError):
        list(open_source([]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere/at/all", "no such file or folder"),
        ("", "no such file or folder"),
        ("hf:owner", "cannot be read as a data set"),
        ("wds:a.tar", "no file matches"),
        ("urls:nowhere.txt", "no such file"),
        ("ftp://host/path", "no source of kind"),
        ("s3://bucket", "no source of kind"),
        ("parquet:nothing-*.parquet", "no file matches"),
        ("streets:valid", "no split"),
    ],
)
def test_a_source_that_is_not_there_says_what_to_do(spec, message):
    with pytest.raises(SourceError, match=message) as error:
        open_source(spec)
    assert error.value.hint


def test_a_file_with_a_colon_in_its_name_is_a_file(folder, monkeypatch):
    put(folder, "note:1.jpg")
    monkeypatch.chdir(folder)
    assert listed("note:1.jpg") == ["note:1.jpg"]


# -- parquet


def write(path: Path, **columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


IMAGES = [{"bytes": JPEG, "path": "a.jpg"}, {"bytes": None, "path": "/etc/passwd"}, None, {"bytes": b"", "path": None}]


def test_rows_become_items_and_a_path_is_never_followed(tmp_path):
    path = write(tmp_path / "a b.parquet", image=IMAGES, text=["x", "y", "z", "w"], year=[1, 2, 3, 4])
    source = open_source(f"parquet:{path}")
    first, *others = source
    assert first.uri == f"parquet:{str(path).replace(' ', '%20')}#0"
    assert first.uri.startswith(source.roots)
    assert (first.name, first.text, first.size, first.keep) == ("a b.parquet#0", "x", len(JPEG), "original")
    assert (first.meta, first.mtime_ns, first.read()) == ({"year": 1}, path.stat().st_mtime_ns, JPEG)
    assert [(o.uri[-2:], o.reason) for o in others] == [("#1", "missing"), ("#2", "missing"), ("#3", "empty")]


@pytest.mark.parametrize("image", ["image", "img", "picture", "jpg", "png", "bytes", "whatever"])
@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("text", "one", "one"),
        ("caption", "one", "one"),
        ("captions", ["one", None, "two"], "one\ntwo"),
        ("sentences", ["one", "one"], "one"),
        ("text", None, ""),
    ],
)
def test_image_and_text_columns_are_found_by_type_and_name(tmp_path, image, text, value, expected):
    kind = pa.list_(pa.string()) if isinstance(value, list) else pa.string()
    write(tmp_path / "a.parquet", **{image: pa.array([JPEG]), text: pa.array([value], kind)})
    [item] = open_source(f"parquet:{tmp_path}/*.parquet")
    assert (item.read(), item.text) == (JPEG, expected)


def test_metadata_is_plain_and_short(tmp_path):
    write(
        tmp_path / "a.parquet",
        image=[JPEG],
        long=["x" * 2000],
        short=["y"],
        nan=[float("nan")],
        deep=[{"a": 1}],
        yes=[True],
        no=pa.array([None], pa.string()),
    )
    [item] = open_source(f"parquet:{tmp_path / 'a.parquet'}")
    assert item.meta == {"short": "y", "yes": True}


def test_files_come_in_order_and_a_bad_one_does_not_end_the_others(tmp_path):
    write(tmp_path / "c.parquet", image=[JPEG] * 40)
    write(tmp_path / "a.parquet", image=[JPEG])
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nonsense PAR1")
    write(tmp_path / "d.parquet", number=[1])
    source = open_source(f"parquet:{tmp_path}/*.parquet")
    entries = list(source)
    names = [e.name if isinstance(e, Item) else f"{os.path.basename(e.uri)}: {e.reason}" for e in entries]
    assert names == [
        "a.parquet#0",
        "b.parquet: unreadable",
        *(f"c.parquet#{n}" for n in range(40)),
        "d.parquet: unreadable",
    ]
    assert len(source.unlisted) == 2


@pytest.mark.parametrize(
    "columns", [{"number": [1]}, {"left": [JPEG], "right": [JPEG]}, {"image": pa.array([], pa.binary())}]
)
def test_parquet_without_a_clear_image_column_or_rows_is_an_error(tmp_path, columns):
    write(tmp_path / "a.parquet", **columns)
    with pytest.raises(SourceError):
        list(open_source(f"parquet:{tmp_path / 'a.parquet'}"))


def test_a_cut_parquet_file_alone_is_an_error(tmp_path):
    path = write(tmp_path / "a.parquet", image=[JPEG])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError):
        list(open_source(f"parquet:{path}"))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_parquet_file_never_crashes(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("damaged") / "a.parquet", image=IMAGES, text=["é" * 9] * 4)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    with contextlib.suppress(SourceError):
        assert all(isinstance(entry, Item | Skipped) for entry in open_source(f"parquet:{path}"))


# -- streets


def test_the_bundled_streets_are_whole():
    items = {split: list(open_source(f"streets:{split}")) for split in ("train", "test")}
    assert [item.uri for item in open_source("streets")] == [i.uri for part in items.values() for i in part]
    for split, part in items.items():
        assert len(part) > 200
        for item in part:
            seed = int(item.uri.removeprefix("streets:"))
            assert (seed % 5 < 2) == (split == "test")
            assert item.name == f"streets/{seed}.jpg"
            assert item.text
            assert item.keep == "original"
            assert set(item.meta) == {"split", "setting", "light", "weather", "entities"}
            assert item.meta["split"] == split
            json.dumps(item.meta)
        assert media.decode(part[0].read()).image.size == (480, 270)


def test_only_the_whole_of_streets_is_a_root():
    assert open_source("streets").roots == ("streets:",)
    assert open_source("streets:test").roots == ()


def test_the_bundled_files_are_small_and_known_as_pictures_to_datasets():
    for path in (Path(sources.__file__).parent / "data" / "streets").iterdir():
        assert path.stat().st_size <= 20_000_000
        assert stat.S_IMODE(path.stat().st_mode) & 0o111 == 0
        if path.suffix != ".parquet":
            continue
        schema = pq.read_schema(path)
        assert schema.names[:2] == ["image", "text"]
        assert json.loads(schema.metadata[b"huggingface"])["info"]["features"]["image"] == {"_type": "Image"}
