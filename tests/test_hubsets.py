"""Data sets of the hub become items row by row, through the real client libraries against a hub of our own."""

from __future__ import annotations

import json
import random
import types
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import FakeEncoder
from pictures import paint
from stub_hub import Hub, Repo

import sightline
from sightline import hub as client
from sightline import hubsets
from sightline.cli import main
from sightline.config import settings
from sightline.errors import AccessDenied, HubUnreachable, MissingExtra, NotOnHub, Offline, SourceError
from sightline.schema import Item, Skipped, SkipReason
from sightline.sources import open_source

CANARY = "hf_canaryDoNotPrintMe0123456789"
NAME = "vipulmaheshwari/GTA-Image-Captioning-Dataset"
SPEC = f"hf:{NAME}"
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAIT", 0.0)
    from huggingface_hub.utils import _http

    monkeypatch.setattr(_http, "time", types.SimpleNamespace(sleep=lambda _: None))


def rows(n: int, first: int = 0) -> list[dict[str, object]]:
    return [
        {"image": {"bytes": picture(i), "path": "../../etc/passwd"}, "text": f"picture {i}"}
        for i in range(first, first + n)
    ]


def picture(i: int) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (16 + i, 12), (i * 9 % 256, 200, 40)).save(out, "PNG")
    return out.getvalue()


def write(file: Path, entries: list[dict[str, object]], *, features: bool = True, **schema: pa.DataType) -> None:
    """In the form that `datasets` pushes: its features in the schema's metadata, many row groups."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kinds = pa.schema({"image": IMAGE, "text": pa.string(), **schema})
    info = {"info": {"features": {"image": {"_type": "Image"}, "text": {"dtype": "string", "_type": "Value"}}}}
    if features and not schema:
        kinds = kinds.with_metadata({"huggingface": json.dumps(info)})
    pq.write_table(pa.Table.from_pylist(entries, schema=kinds), file, row_group_size=3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "upload" / "data"
    write(folder / "train-00000-of-00002.parquet", rows(7))
    write(folder / "train-00001-of-00002.parquet", rows(3, 7))
    return folder


@pytest.fixture
def repo(hub: Hub, data: Path) -> Repo:
    return hub.add("datasets", NAME, data.parent, licence="mit")


def items(spec: str) -> list[Item]:
    return [entry for entry in open_source(spec) if isinstance(entry, Item)]


def open_collection(tmp_path: Path) -> sightline.Collection:
    return sightline.open(f"{tmp_path}/tables#gta_data", model=FakeEncoder())


# -- what comes


def test_rows_become_items_in_order_with_the_commit_in_their_uris(repo):
    found = items(SPEC)
    assert [item.uri for item in found] == [f"hf:{NAME}@{repo.commit}/train/{i}" for i in range(10)]
    assert [item.text for item in found] == [f"picture {i}" for i in range(10)]
    assert [item.read() for item in found] == [picture(i) for i in range(10)]
    assert {(item.keep, item.fixed, item.mtime_ns) for item in found} == {("original", True, None)}


def test_splits_are_read_one_or_all(repo, data):
    write(data / "test-00000-of-00001.parquet", rows(2, 20))
    assert [item.name.split("/")[2] for item in items(SPEC)] == ["train"] * 10 + ["test"] * 2
    assert [item.text for item in items(f"{SPEC}:test")] == ["picture 20", "picture 21"]
    with pytest.raises(SourceError, match="no split 'dev'") as caught:
        items(f"{SPEC}:dev")
    assert "train, test" in caught.value.hint


def test_columns_are_found_or_given(repo, data):
    for old in data.iterdir():
        old.unlink()
    entries = [
        {**row, "text": "wrong", "said": f"said {i}", "place": "Rome", "other": row["image"]}
        for i, row in enumerate(rows(2))
    ]
    write(data / "train.parquet", entries, said=pa.string(), place=pa.string(), other=IMAGE)
    found = items(f"{SPEC}?image=other&text=said")
    assert [item.text for item in found] == ["said 0", "said 1"]
    assert found[0].meta == {"place": "Rome"}
    with pytest.raises(SourceError, match="no column 'nothing'"):
        items(f"{SPEC}?text=nothing")


def test_plain_parquet_without_features_is_read(repo, data):
    for old in data.iterdir():
        old.unlink()
    write(data / "train.parquet", rows(2), features=False)
    assert [item.read() for item in items(SPEC)] == [picture(0), picture(1)]


def test_rows_without_a_picture_are_skipped(repo, data):
    write(
        data / "train-00001-of-00002.parquet", [{"image": None, "text": "none"}, {"image": {"bytes": b""}, "text": ""}]
    )
    skips = [entry for entry in open_source(SPEC) if isinstance(entry, Skipped)]
    assert [(skip.uri[-1], skip.reason) for skip in skips] == [("7", SkipReason.EMPTY), ("8", SkipReason.EMPTY)]


@pytest.mark.parametrize("spec", ["a", "a/b/c", "a/b:train[:10]", "a/b?colour=x", "a/b?image=", "../x/y", "a/b@"])
def test_what_is_no_data_set_asks_nobody(hub, spec):
    with pytest.raises(SourceError, match="cannot be read as a data set"):
        open_source(f"hf:{spec}")
    assert not hub.requests


def test_without_the_extra_the_pip_command_is_named(monkeypatch):
    from importlib import util

    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        open_source(SPEC)
    assert "sightline[hf]" in caught.value.hint


# -- into a collection


def test_a_second_run_reads_captions_only(repo, hub, tmp_path):
    photos = open_collection(tmp_path)
    assert photos.ingest(SPEC).added == 10
    hub.requests.clear()
    report = open_collection(tmp_path).ingest(SPEC)
    assert (report.unchanged, report.encoded, report.rows, report.missing) == (10, 0, 10, 0)


def heavy(data: Path, n: int, *, missing: int | None = None) -> int:
    """`n` rows whose pictures outweigh all else, three to a row group; returns the size of the file."""
    noise = random.Random(0)
    entries = rows(n)
    for i, row in enumerate(entries):
        row["image"] = {"bytes": picture(i) + noise.randbytes(60_000)} if i != missing else None
    for old in data.iterdir():
        old.unlink()
    write(data / "train.parquet", entries)
    return (data / "train.parquet").stat().st_size


def test_a_second_run_does_not_ask_for_the_pictures(repo, hub, data, tmp_path):
    size = heavy(data, 30, missing=4)
    photos = open_collection(tmp_path)
    first = photos.ingest(SPEC)
    assert (first.added, len(first.skipped)) == (29, 1)
    assert served(hub) > size
    hub.requests.clear()
    second = photos.ingest(SPEC)
    assert (second.unchanged, second.encoded, len(second.skipped)) == (29, 0, 1)
    assert served(hub) < size / 2


def test_a_stopped_run_asks_only_for_the_row_groups_that_are_left(repo, hub, data, tmp_path, monkeypatch):
    size = heavy(data, 30)
    monkeypatch.setattr(hubsets, "_LOOKED_UP", 4)
    open_collection(tmp_path).ingest(SPEC, limit=26)
    hub.requests.clear()
    encoder = FakeEncoder()
    report = sightline.open(f"{tmp_path}/tables#gta_data", model=encoder).ingest(SPEC)
    assert (report.added, report.unchanged, encoder.calls.count("image")) == (4, 26, 4)
    large = [begin for begin, end in spans(hub) if end - begin > 100_000]
    assert large
    assert min(large) > 0.7 * size
    texts = {hit.text for hit in open_collection(tmp_path).sample(40)}
    assert texts == {f"picture {i}" for i in range(30)}


def spans(hub: Hub) -> list[tuple[int, int]]:
    """What was asked for of the files, as half-open ranges."""
    asked = [one.headers["range"].removeprefix("bytes=").split("-") for one in hub.asked("/cdn/")]
    return [(int(begin), int(end) + 1) for begin, end in asked]


def served(hub: Hub) -> int:
    return sum(end - begin for begin, end in spans(hub))


def test_a_source_that_was_ingested_still_gives_its_bytes(repo, tmp_path):
    source = open_source(SPEC)
    photos = open_collection(tmp_path)
    assert [photos.ingest(source).unchanged for _ in range(2)] == [0, 10]
    assert [item.read() for item in source if isinstance(item, Item)] == [picture(i) for i in range(10)]


def test_a_stopped_run_goes_on(repo, tmp_path):
    open_collection(tmp_path).ingest(SPEC, limit=4)
    encoder = FakeEncoder()
    report = sightline.open(f"{tmp_path}/tables#gta_data", model=encoder).ingest(SPEC)
    assert (report.added, report.unchanged, report.rows) == (6, 4, 10)
    assert encoder.calls.count("image") == 6


def test_another_text_column_updates_captions_and_encodes_nothing(repo, data, tmp_path):
    for old in data.iterdir():
        old.unlink()
    write(data / "train.parquet", [{**row, "said": f"said {i}"} for i, row in enumerate(rows(3))], said=pa.string())
    open_collection(tmp_path).ingest(SPEC)
    report = open_collection(tmp_path).ingest(f"{SPEC}?text=said")
    assert (report.updated, report.encoded) == (3, 0)
    assert open_collection(tmp_path).search("said 1", k=1, channels=["text"])[0].text == "said 1"


def test_a_new_commit_encodes_only_what_is_new_and_prune_drops_the_old(repo, data, tmp_path):
    open_collection(tmp_path).ingest(SPEC)
    write(data / "train-00001-of-00002.parquet", rows(4, 7))
    repo.seed = 1
    report = open_collection(tmp_path).ingest(SPEC)
    assert (report.added, report.encoded, report.missing, report.rows) == (11, 1, 10, 21)
    report = open_collection(tmp_path).ingest(SPEC, prune=True, yes=True)
    assert (report.removed, report.rows) == (10, 11)


def test_pictures_are_kept_as_they_came(repo, tmp_path):
    photos = open_collection(tmp_path)
    photos.ingest(SPEC)
    [first] = photos.search("picture 3", k=1, channels=["text"])
    assert photos.picture(first.id) == picture(3)


# -- what goes wrong


def test_a_data_set_that_is_not_there_is_told(hub):
    with pytest.raises(AccessDenied, match="without a token"):
        items(SPEC)


def test_an_unknown_revision_is_told(repo):
    with pytest.raises(NotOnHub, match="revision"):
        items(f"{SPEC}@nowhere")
    assert len(items(f"{SPEC}@main")) == 10


def test_offline_forbids_every_request(repo, hub, tmp_path):
    photos = sightline.open(f"{tmp_path}/t#x", model=FakeEncoder(), settings=settings(offline=True))
    with pytest.raises(Offline, match="SIGHTLINE_OFFLINE"):
        photos.ingest(SPEC)
    assert not hub.requests


def test_kinds_that_are_not_read_are_named(hub, tmp_path):
    paint(tmp_path / "other" / "train" / "a.png", "red")
    hub.add("datasets", NAME, tmp_path / "other")
    with pytest.raises(SourceError, match="is kept as imagefolder") as caught:
        items(SPEC)
    assert "refs/convert/parquet" in caught.value.hint


def test_a_repository_without_data_is_told_in_one_line(hub, tmp_path):
    (tmp_path / "none").mkdir()
    hub.add("datasets", NAME, tmp_path / "none")
    with pytest.raises(SourceError) as caught:
        items(SPEC)
    assert "\n" not in str(caught.value)


def test_a_short_break_is_waited_for(repo, hub):
    hub.fault("train-00001", status=503, times=2, on="cdn")
    hub.fault("train-00000", cut=500, times=2, on="cdn")
    assert len(items(SPEC)) == 10


def test_a_hub_that_breaks_down_in_the_middle_keeps_what_was_added(repo, hub, tmp_path, monkeypatch):
    from sightline import ingest

    monkeypatch.setattr(ingest, "CHUNK", 4)
    hub.fault("train-00001", status=503, on="cdn")
    with pytest.raises(HubUnreachable, match="503") as caught:
        open_collection(tmp_path).ingest(SPEC)
    assert "kept" in caught.value.hint
    hub.faults.clear()
    report = open_collection(tmp_path).ingest(SPEC)
    assert report.rows == 10


def test_a_broken_file_is_told_in_one_line(repo, data):
    file = data / "train-00001-of-00002.parquet"
    file.write_bytes(b"PAR1" + b"\0" * 500 + b"PAR1")
    with pytest.raises(SourceError) as caught:
        items(SPEC)
    assert "\n" not in str(caught.value)


def test_a_token_is_sent_to_the_hub_only_and_shown_nowhere(repo, hub, tmp_path, monkeypatch, capfd, caplog):
    caplog.set_level("DEBUG")
    repo.token = CANARY
    monkeypatch.setenv("HF_TOKEN", CANARY)
    monkeypatch.chdir(tmp_path)
    assert main(["index", SPEC, "--model", "pocket", "--json", "--progress", "none"]) == 0
    repo.token = CANARY[::-1]
    assert main(["index", SPEC]) == 1
    assert {one.token for one in hub.requests if one.origin == "cdn"} == {None}
    assert f"Bearer {CANARY}" in {one.token for one in hub.requests}
    printed = capfd.readouterr()
    logged = " ".join(record.getMessage() for record in caplog.records)
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    for text in (printed.out, printed.err, logged, *(data.decode("latin-1") for data in written)):
        assert CANARY not in text


def test_show_takes_a_data_set(repo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", SPEC, "-n", "2", "--seed", "1", "--save", "two.png"]) == 0
    assert capsys.readouterr().out.count(f"hf:{NAME}@") == 2
    assert (tmp_path / "two.png").stat().st_size > 1000
