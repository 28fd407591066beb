"""ingest(): what is new, changed, moved, unusable or gone, and that nothing is lost or done twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import odd_images
import pytest
from fakes import FakeEncoder, FakePreparingEncoder
from pictures import colours, many, paint, write_captions
from PIL import Image

import sightline
from sightline import ingest as ingest_module
from sightline.errors import CollectionError, SourceError
from sightline.reports import IngestReport, Progress
from sightline.schema import Item, SkipReason
from sightline.sources import HeldBytes, file_uri


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return colours(tmp_path / "pictures")


@pytest.fixture
def collection(tmp_path: Path) -> sightline.Collection:
    return sightline.open(f"{tmp_path}/t", model=FakeEncoder())


def counts(report: IngestReport) -> dict[str, int]:
    names = ("added", "updated", "unchanged", "renamed", "removed", "missing", "encoded")
    found = {name: getattr(report, name) for name in names} | {"skipped": len(report.skipped)}
    return {name: n for name, n in found.items() if n}


def test_the_first_run_adds_and_the_second_does_nothing(collection: sightline.Collection, folder: Path) -> None:
    assert counts(collection.ingest(folder)) == {"added": 4, "encoded": 4}
    version = collection.info().version
    assert counts(collection.ingest(folder)) == {"unchanged": 4}
    assert collection.info().version == version


def test_a_touched_file_is_unchanged_and_then_not_even_read(
    collection: sightline.Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.ingest(folder)
    os.utime(folder / "red.png", (1, 1))
    assert counts(collection.ingest(folder)) == {"unchanged": 4}
    hashed: list[str] = []
    monkeypatch.setattr(ingest_module, "_hash", lambda item: hashed.append(item.name))
    assert counts(collection.ingest(folder)) == {"unchanged": 4}
    assert hashed == []


def test_changed_bytes_are_encoded_again_and_keep_their_first_date(
    collection: sightline.Collection, folder: Path
) -> None:
    collection.ingest(folder)
    uri = file_uri(folder / "red.png")
    before = collection.get(uri)
    paint(folder / "red.png", (0, 0, 240))
    assert counts(collection.ingest(folder)) == {"updated": 1, "unchanged": 3, "encoded": 1}
    after = collection.get(uri)
    assert (after.id, after.added_at) == (before.id, before.added_at)
    assert after.version != before.version
    assert {hit.name for hit in collection.search("blue", 2, channels=("vector",))} == {"red.png", "blue.png"}
    assert collection._store.picture(before.version), "a version of the history needs it"


def test_a_changed_caption_is_an_update_without_encoding(collection: sightline.Collection, folder: Path) -> None:
    collection.ingest(folder)
    write_captions(folder, {"red.png": "a poppy", "green.png": "a green square"})
    report = collection.ingest(folder)
    assert counts(report) == {"updated": 3, "unchanged": 1}
    assert collection.search("poppy", 1)[0].name == "red.png"
    assert collection.get(file_uri(folder / "blue.png")).item.text == ""


def test_a_renamed_file_moves_its_row(collection: sightline.Collection, folder: Path) -> None:
    collection.ingest(folder)
    before = collection.get(file_uri(folder / "red.png"))
    (folder / "red.png").rename(folder / "rose.png")
    assert counts(collection.ingest(folder)) == {"renamed": 1, "unchanged": 3}
    after = collection.get(file_uri(folder / "rose.png"))
    assert after.item.text == "a red square", "its caption was found under the old name and stays"
    assert after.added_at == before.added_at
    assert len(collection) == 4
    assert counts(collection.ingest(folder)) == {"unchanged": 4}


def test_a_whole_folder_can_be_renamed(collection: sightline.Collection, tmp_path: Path) -> None:
    many(tmp_path / "root" / "a", 30)
    collection.ingest(tmp_path / "root")
    (tmp_path / "root" / "a").rename(tmp_path / "root" / "b")
    assert counts(collection.ingest(tmp_path / "root")) == {"renamed": 30}
    assert len(collection) == 30


def test_a_copy_is_an_item_of_its_own_that_shares_the_encoding(collection: sightline.Collection, folder: Path) -> None:
    collection.ingest(folder)
    (folder / "copy.png").write_bytes((folder / "red.png").read_bytes())
    assert counts(collection.ingest(folder)) == {"added": 1, "unchanged": 4}
    assert {hit.name for hit in collection.search("red", 2, channels=("vector",))} == {"red.png", "copy.png"}


def test_the_same_bytes_under_many_names_are_encoded_once_in_one_run(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    folder = many(tmp_path / "p", 3)
    for i in range(40):
        (folder / f"twin{i}.png").write_bytes((folder / "0000.png").read_bytes())
    collection = sightline.open(f"{tmp_path}/t", model=encoder)
    assert counts(collection.ingest(folder)) == {"added": 43, "encoded": 3}
    assert encoder.calls == ["image"] * 3


def test_a_file_moved_under_another_root_is_new_and_its_old_row_stays(
    collection: sightline.Collection, tmp_path: Path
) -> None:
    colours(tmp_path / "a")
    (tmp_path / "b").mkdir()
    collection.ingest(tmp_path / "a")
    (tmp_path / "a" / "red.png").rename(tmp_path / "b" / "red.png")
    assert counts(collection.ingest(tmp_path / "b")) == {"added": 1}
    assert len(collection) == 5


def test_what_is_gone_is_counted_and_removed_only_when_asked(collection: sightline.Collection, tmp_path: Path) -> None:
    folder = many(tmp_path / "p", 20)
    other = many(tmp_path / "other", 3, seed=1)
    collection.ingest(folder, other)
    for name in ("0003.png", "0004.png"):
        (folder / name).unlink()
    assert counts(collection.ingest(folder)) == {"unchanged": 18, "missing": 2}
    assert len(collection) == 23
    assert counts(collection.ingest(folder, prune=True)) == {"unchanged": 18, "removed": 2}
    assert len(collection) == 21


def test_pruning_more_than_a_fifth_needs_a_yes(collection: sightline.Collection, tmp_path: Path) -> None:
    folder = many(tmp_path / "p", 10)
    collection.ingest(folder)
    for name in ("0001.png", "0002.png", "0003.png"):
        (folder / name).unlink()
    with pytest.raises(CollectionError, match="3 of 10 rows") as caught:
        collection.ingest(folder, prune=True)
    assert "--yes" in caught.value.hint
    assert len(collection) == 10
    assert collection.ingest(folder, prune=True, yes=True).removed == 3


def test_a_missing_or_empty_root_prunes_nothing(collection: sightline.Collection, folder: Path, tmp_path: Path) -> None:
    collection.ingest(folder)
    folder.rename(tmp_path / "unmounted")
    with pytest.raises(SourceError):
        collection.ingest(folder, prune=True, yes=True)
    folder.mkdir()
    with pytest.raises(SourceError):
        collection.ingest(folder, prune=True, yes=True)
    assert len(collection) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_could_not_be_listed_forbids_pruning(collection: sightline.Collection, tmp_path: Path) -> None:
    folder = many(tmp_path / "p", 10)
    many(folder / "shut", 1, seed=1)
    collection.ingest(folder)
    (folder / "shut").chmod(0)
    try:
        with pytest.raises(CollectionError, match="could not list"):
            collection.ingest(folder, prune=True, yes=True)
    finally:
        (folder / "shut").chmod(0o755)
    assert len(collection) == 11


def test_unusable_files_are_reported_remembered_and_tried_again_on_change_or_request(
    collection: sightline.Collection, folder: Path
) -> None:
    bad = folder / "bad.png"
    bad.write_bytes((folder / "red.png").read_bytes()[:40])
    first = collection.ingest(folder)
    assert counts(first) == {"added": 4, "encoded": 4, "skipped": 1}
    assert (first.skipped[0].uri, first.skipped[0].reason) == (file_uri(bad), SkipReason.UNDECODABLE)
    again = collection.ingest(folder)
    assert counts(again) == {"unchanged": 4, "skipped": 1}
    assert counts(collection.ingest(folder, retry=True)) == {"unchanged": 4, "skipped": 1}
    paint(bad, (120, 0, 0))
    assert counts(collection.ingest(folder)) == {"added": 1, "unchanged": 4, "encoded": 1}
    assert counts(collection.ingest(folder)) == {"unchanged": 5}


def test_remembered_skips_are_not_read_again(
    collection: sightline.Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "notes.md").write_text("# no picture")
    collection.ingest(folder)
    hashed: list[str] = []
    monkeypatch.setattr(ingest_module, "_hash", lambda item: hashed.append(item.name))
    collection.ingest(folder)
    assert hashed == []


def test_a_row_whose_file_broke_stays_as_it_was(collection: sightline.Collection, folder: Path) -> None:
    collection.ingest(folder)
    (folder / "red.png").write_bytes(b"no longer a picture")
    report = collection.ingest(folder, prune=True)
    assert counts(report) == {"unchanged": 3, "skipped": 1}
    assert collection.search("red", 1, channels=("vector",))[0].name == "red.png"


def test_one_bad_vector_skips_one_item(tmp_path: Path, folder: Path) -> None:
    class Flawed(FakeEncoder):
        def encode_image(self, images: list[Image.Image]) -> np.ndarray:  # type: ignore[override]
            vectors = super().encode_image(images)
            for vector, image in zip(vectors, images, strict=True):
                if image.getpixel((0, 0)) == (0, 250, 0):
                    vector[:] = np.nan
            return sightline_check(vectors)

    from sightline.rows import check_vectors

    def sightline_check(vectors: np.ndarray) -> np.ndarray:
        return check_vectors(vectors, vectors.shape[1])

    collection = sightline.open(f"{tmp_path}/t", model=Flawed())
    report = collection.ingest(folder)
    assert [(one.uri, one.reason) for one in report.skipped] == [
        (file_uri(folder / "green.png"), SkipReason.BAD_VECTOR)
    ]
    assert report.added == 3


def test_encoders_that_prepare_in_threads_give_the_same_rows(tmp_path: Path, folder: Path) -> None:
    plain = sightline.open(f"{tmp_path}/t#plain", model=FakeEncoder())
    prepared = sightline.open(f"{tmp_path}/t#prepared", model=FakePreparingEncoder())
    for collection in (plain, prepared):
        collection.ingest(folder)
    for name in ("red", "green", "blue", "yellow"):
        uri = file_uri(folder / f"{name}.png")
        vectors = [c._store.vector(c.get(uri).id) for c in (plain, prepared)]
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_a_dry_run_counts_and_writes_nothing(collection: sightline.Collection, folder: Path) -> None:
    assert counts(collection.ingest(folder, dry_run=True)) == {"added": 4}
    assert not collection.exists
    collection.ingest(folder)
    version = collection.info().version
    (folder / "red.png").rename(folder / "rose.png")
    assert counts(collection.ingest(folder, dry_run=True)) == {"renamed": 1, "unchanged": 3, "missing": 1}
    assert collection.info().version == version


def test_progress_counts_only_what_is_committed(collection: sightline.Collection, tmp_path: Path) -> None:
    folder = many(tmp_path / "p", 700)
    told: list[tuple[Progress, int]] = []
    collection.ingest(folder, progress=lambda now: told.append((now, len(sightline.open(collection.address)))))
    assert len(told) >= 2
    assert all(now.committed == rows for now, rows in told)
    assert told[-1][0].committed == 700


def test_any_iterable_of_items_is_a_source_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "CHUNK", 8)
    taken = 0
    ahead: list[int] = []

    def items() -> Iterator[Item]:
        nonlocal taken
        for i in range(200):
            taken += 1
            yield Item(f"mem:{i}", f"{i}", HeldBytes(png((i, 1, 2))), f"number {i}")

    class Watching(FakeEncoder):
        def encode_image(self, images: list[Image.Image]) -> np.ndarray:  # type: ignore[override]
            vectors = super().encode_image(images)
            ahead.append(taken - len(self.calls))
            return vectors

    collection = sightline.open(f"{tmp_path}/t", model=Watching())
    assert collection.ingest(items()).added == 200
    assert max(ahead) <= 16 * 4 + 8, "the listing runs only a few batches ahead of the encoder"


def test_items_of_a_modality_the_encoder_lacks_are_skipped(collection: sightline.Collection, folder: Path) -> None:
    item = Item("mem:a", "a", HeldBytes(png((1, 2, 3))), modality=sightline.schema.Modality.AUDIO)
    report = collection.ingest([item, replace(item, uri="mem:b", modality=sightline.schema.Modality.IMAGE)])
    assert [skip.reason for skip in report.skipped] == [SkipReason.UNSUPPORTED_MODALITY]
    assert report.added == 1


def test_a_read_that_raises_anything_skips_its_item_only(collection: sightline.Collection) -> None:
    def broken() -> bytes:
        raise ZeroDivisionError("plugin bug")

    report = collection.ingest([Item("mem:a", "a", broken), Item("mem:b", "b", HeldBytes(png((1, 2, 3))))])
    assert report.added == 1
    assert report.skipped[0].reason == SkipReason.UNREADABLE
    assert "plugin bug" in report.skipped[0].detail


def test_a_hundred_odd_files_among_fifty_good_ones_disturb_nobody(tmp_path: Path) -> None:
    good = many(tmp_path / "good", 50)
    write_captions(good, {f"{i:04}.png": f"picture number {i}" for i in range(50)})
    alone = sightline.open(f"{tmp_path}/t#alone", model=FakePreparingEncoder())
    alone.ingest(good)

    expected = odd_images.make(good)
    assert len(expected) == 100
    crowd = sightline.open(f"{tmp_path}/t#crowd", model=FakePreparingEncoder())
    report = crowd.ingest(good)
    outcome = {os.path.basename(skip.uri): skip.reason.value for skip in report.skipped}
    for name, allowed in expected.items():
        assert outcome.get(name, "indexed") in allowed, name
    assert report.added == 150 - len(report.skipped)
    for i in range(50):
        uri = file_uri(good / f"{i:04}.png")
        one, same = alone.get(uri), crowd.get(uri)
        assert same.item.text == f"picture number {i}"
        vectors = [c._store.vector(one.id) for c in (alone, crowd)]
        assert vectors[0].tobytes() == vectors[1].tobytes()


def png(colour: tuple[int, int, int]) -> bytes:
    import io

    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()
