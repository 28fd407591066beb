"""Near-duplicates: what is told from what, how hits are folded, what `dups` lists. On real photographs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lancedb
import numpy as np
import pytest
from fakes import FakeEncoder
from PIL import Image, ImageEnhance

import sightline
from sightline import groups, index, looks, media
from sightline.cli import main
from sightline.groups import Portrait, alike, fold, groups_of, various
from sightline.schema import Encoded, Item, Manifest, Modality, item_id
from sightline.store import Address, Store

PHOTOS = Path(__file__).parent / "data" / "photos"
NAMES = [f"coco_000000{n}" for n in ("000285", "000790", "012280", "020247", "030213", "062554", "084284", "116479")]
MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def photo(name: str) -> Image.Image:
    with Image.open(PHOTOS / f"{name}.jpg") as image:
        return image.convert("RGB")


def saved(image: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def portrait(image: Image.Image, quality: int = 90, **known: str | datetime) -> Portrait:
    """As of a picture that was saved and indexed."""
    decoded = media.upright(saved(image, quality))
    return Portrait("", looks.look(media.jpeg(decoded, longest=media.THUMBNAIL)), **known)  # type: ignore[arg-type]


def crop(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Each a share of the side, counted from the upper left."""
    w, h = image.size
    return image.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


# -- looks ------------------------------------------------------------------------------------------------------


def test_a_look_has_704_bytes_and_follows_from_the_thumbnail_alone() -> None:
    thumbnail = media.jpeg(photo(NAMES[0]), longest=media.THUMBNAIL)
    assert looks.look(thumbnail) == looks.look(thumbnail)
    assert len(looks.look(thumbnail)) == looks.BYTES == 704


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
def test_what_is_no_picture_has_no_look_and_is_like_nothing(data: bytes) -> None:
    assert looks.look(data) == b""
    rows = looks.stack([b"", b"", b"short"])
    assert looks.flat(rows).all()
    assert not alike([Portrait("", b"")], [Portrait("", b"")]).any()


def test_a_picture_is_as_like_itself_as_can_be_and_less_like_any_other() -> None:
    rows = looks.stack([portrait(photo(name)).look for name in NAMES])
    assert looks.likeness(rows, rows) == pytest.approx(1.0, abs=1e-5)
    assert looks.likeness(rows[:-1], rows[1:]).max() < 0.7
    assert (looks.apart(looks.hashes(rows), looks.hashes(rows)) == 0).all()


def test_a_moved_view_is_laid_over_and_then_correlates() -> None:
    one, other = (portrait(crop(photo(NAMES[1]), x, 0.06, x + 0.88, 0.94)).look for x in (0.04, 0.08))
    first, second = looks.stack([one]), looks.stack([other])
    as_they_lie = looks.likeness(first, second, enough=-1.0)[0]
    assert as_they_lie < 0.9 < looks.likeness(first, second)[0]


def test_hopeless_pairs_are_not_laid_over() -> None:
    rows = looks.stack([portrait(photo(name)).look for name in NAMES[:2]])
    as_they_lie = looks.likeness(rows[:1], rows[1:], enough=-1.0)
    assert looks.likeness(rows[:1], rows[1:], hopeless=0.9) == as_they_lie


# -- near-duplicates --------------------------------------------------------------------------------------------

COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved again": lambda image: media.upright(saved(image, 20)),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "cropped by 2 %": lambda image: crop(image, 0.01, 0.01, 0.99, 0.99),
    "cropped by 5 %": lambda image: crop(image, 0.025, 0.025, 0.975, 0.975),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.75),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "black and white": lambda image: image.convert("L").convert("RGB"),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_a_near_duplicate_whichever_comes_first(name: str) -> None:
    originals = [portrait(photo(one)) for one in NAMES]
    copied = [portrait(COPIES[name](photo(one))) for one in NAMES]
    assert alike(originals, copied).all()
    assert alike(copied, originals).all()


def test_different_photographs_are_none_and_a_mirrored_one_neither() -> None:
    originals = [portrait(photo(one)) for one in NAMES]
    assert fold(originals) == [[at] for at in range(len(NAMES))]
    assert not alike(originals, [portrait(mirrored(photo(one))) for one in NAMES]).any()


def test_another_colouring_of_one_picture_is_another_picture() -> None:
    grey = np.asarray(photo(NAMES[0]).convert("L"), np.float32)[..., None] / 255
    red, blue = (Image.fromarray((grey * tone).astype(np.uint8)) for tone in ((255, 120, 120), (120, 150, 255)))
    first, second = portrait(red), portrait(blue)
    rows = looks.stack([first.look, second.look])
    assert looks.likeness(rows[:1], rows[1:])[0] > groups.ALIKE  # in grey they are the same
    assert not alike([first], [second])[0]


def test_flat_pictures_are_near_duplicates_only_with_equal_bytes() -> None:
    black, dark = (portrait(Image.new("RGB", (64, 64), level)) for level in ((0, 0, 0), (2, 2, 2)))
    assert not alike([black], [dark])[0]
    assert not alike([black], [black])[0]
    assert alike([Portrait("v1", black.look)], [Portrait("v1", black.look)])[0]
    assert not alike([Portrait("v1", black.look)], [Portrait("v2", black.look)])[0]


def test_the_same_camera_within_two_seconds_may_show_what_moved() -> None:
    rng = np.random.default_rng(3)
    before, after = photo(NAMES[3]), photo(NAMES[3])
    patch = Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8))
    w, h = before.size
    after.paste(patch.resize((w // 4, h // 3), Image.Resampling.BICUBIC), (w // 8, h // 3))  # somebody walks in

    def taken(image: Image.Image, seconds: float, camera: str) -> Portrait:
        return portrait(image, camera=camera, taken=MOMENT + timedelta(seconds=seconds))

    first = taken(before, 0, "Canon EOS R5")
    assert alike([first], [taken(after, 1.5, "Canon EOS R5")])[0]
    assert not alike([first], [taken(after, 60, "Canon EOS R5")])[0]
    assert not alike([first], [taken(after, 1.5, "Apple iPhone 12")])[0]
    assert not alike([taken(before, 0, "")], [taken(after, 0, "")])[0]  # a folder of files of one second says nothing
    assert not alike([first], [taken(photo(NAMES[4]), 0.5, "Canon EOS R5")])[0]


def pan(frames: int) -> list[Portrait]:
    """A view that moves over two photographs side by side, by a thirtieth of itself from frame to frame."""
    left, right = (photo(name).resize((240, 240)) for name in NAMES[4:6])
    wide = Image.new("RGB", (480, 240))
    wide.paste(left, (0, 0))
    wide.paste(right, (240, 0))
    return [portrait(wide.crop((8 * at, 0, 8 * at + 240, 240))) for at in range(frames)]


def test_a_long_pan_is_cut_into_groups_whose_members_are_all_alike_their_first() -> None:
    frames = pan(31)
    stars = fold(frames)
    assert sorted(at for star in stars for at in star) == list(range(31))
    assert 3 <= len(stars) < 31
    for first, *others in stars:
        assert alike([frames[first]] * len(others), [frames[at] for at in others]).all()
    assert not alike([frames[0]], [frames[-1]])[0]


def test_no_more_groups_than_asked_for_and_their_members_all_the_same() -> None:
    portraits = [portrait(photo(NAMES[at])) for at in (0, 1, 0, 2, 1, 0)]
    assert fold(portraits) == [[0, 2, 5], [1, 4], [3]]
    assert fold(portraits, 2) == [[0, 2, 5], [1, 4]]
    assert fold([], 2) == []
    assert groups_of(portraits) == [[0, 2, 5], [1, 4]]


def test_a_large_collection_gets_the_groups_that_comparing_all_would_give(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [photo(path.stem) for path in sorted(PHOTOS.glob("coco_*.jpg"))[:30]]
    portraits = [portrait(one) for one in photos]
    portraits += [portrait(crop(one, 0.01, 0.01, 0.99, 0.99), 60) for one in photos[::2]]
    portraits += [Portrait("twin", looks.look(b"")), Portrait("twin", looks.look(b""))]
    portraits += [portrait(one, 30) for one in photos[::3]]
    compared_all = groups_of(portraits)
    monkeypatch.setattr(groups, "SMALL", 0)
    monkeypatch.setattr(groups, "BLOCK", 7)
    assert sorted(groups_of(portraits)) == sorted(compared_all)
    assert len(compared_all) == 15 + 5 + 1  # every second, of every third those that are not, and the twins


# -- variety ----------------------------------------------------------------------------------------------------


def test_variety_takes_the_best_first_and_then_what_is_unlike_it() -> None:
    vectors = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
    worth = np.array([1.0, 0.9, 0.8, 0.7], np.float32)
    assert various(vectors, worth, 4, balance=1.0) == [0, 1, 2, 3]
    # worths become 1, 2/3, 1/3, 0 and cosines stay: after the first 1/2 * (2/3 - 1), 1/2 * (1/3 - 0.8), 1/2 * (0 - 0)
    assert various(vectors, worth, 2, balance=0.5) == [0, 3]
    assert various(vectors, worth, 9, balance=0.0)[:2] == [0, 3]


def test_variety_of_few_or_equal_rows_keeps_their_order() -> None:
    one = np.array([[1, 0]], np.float32)
    assert various(one[:0], np.zeros(0, np.float32), 3) == []
    assert various(one, np.ones(1, np.float32), 3) == [0]
    assert various(np.repeat(one, 3, axis=0), np.ones(3, np.float32), 3) == [0, 1, 2]


# -- search -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five photographs; of the first also its bytes again and one of half the size, of the second one saved again."""
    made = tmp_path / "pictures"
    made.mkdir()
    for name in NAMES[:5]:
        (made / f"{name[-6:]}.jpg").write_bytes(saved(photo(name)))
    (made / "twin.jpg").write_bytes(saved(photo(NAMES[0])))
    small = photo(NAMES[0])
    (made / "small.jpg").write_bytes(saved(small.resize((small.width // 2, small.height // 2))))
    (made / "again.jpg").write_bytes(saved(photo(NAMES[1]), 40))
    return made


@pytest.fixture
def collection(tmp_path: Path, folder: Path) -> sightline.Collection:
    made = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    made.ingest(folder)
    return made


def test_near_duplicates_are_folded_into_the_best_of_them(collection: sightline.Collection) -> None:
    flat = collection.search("red", 8)
    assert len(flat) == 8
    assert all(hit.group is None and hit.alike == () for hit in flat)
    folded = collection.search("red", 8, group=True)
    assert len(folded) == 5
    assert [hit.rank for hit in folded] == [1, 2, 3, 4, 5]
    by_name = {hit.id: hit.name for hit in flat}
    groups_found = {frozenset([hit.name, *(by_name[one] for one in hit.alike)]) for hit in folded if hit.alike}
    assert groups_found == {frozenset({"000285.jpg", "twin.jpg", "small.jpg"}), frozenset({"000790.jpg", "again.jpg"})}
    places = {hit.id: at for at, hit in enumerate(flat)}
    for hit in folded:
        assert all(places[hit.id] < places[one] for one in hit.alike)
        assert list(hit.alike) == sorted(hit.alike, key=places.__getitem__)
        assert hit.group == (min(hit.id, *hit.alike) if hit.alike else None)


def test_folding_looks_further_down_until_k_hits_come_back(tmp_path: Path) -> None:
    rows = [(f"burst{at:02}", NAMES[0], 1 - at / 1000) for at in range(70)]  # more than a search looks at first
    collection = stored(tmp_path, [*rows, ("second", NAMES[1], 0.5), ("third", NAMES[2], 0.4)])
    hits = collection.search("red", 3, group=True, channels=("vector",))
    assert [hit.name for hit in hits] == ["burst00", "second", "third"]
    assert [len(hit.alike) for hit in hits] == [69, 0, 0]


def test_frames_of_one_film_are_not_taken_for_each_other_by_its_bytes(tmp_path: Path) -> None:
    rows = [("film#t=1", NAMES[0], 0.9), ("film#t=9", NAMES[1], 0.8)]
    collection = stored(tmp_path, rows, modality=Modality.VIDEO, version="the film")
    assert [hit.alike for hit in collection.search("red", 2, group=True)] == [(), ()]
    assert collection.dups().groups == ()


def test_a_listing_by_filters_is_folded_too(collection: sightline.Collection) -> None:
    listed = collection.search("type:image", 8, group=True)
    assert len(listed) == 5
    assert sum(len(hit.alike) for hit in listed) == 3


def test_evaluation_does_not_fold(tmp_path: Path, folder: Path) -> None:
    (folder / "captions.csv").write_text(
        "file_name,text\n" + "".join(f"{path.name},red {path.stem}\n" for path in sorted(folder.glob("*.jpg")))
    )
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    assert collection.evaluate(channels=["text"])["recall@1"] == 1.0  # also of those that a search would fold


def test_a_collection_from_before_looks_is_folded_by_its_thumbnails(
    tmp_path: Path, collection: sightline.Collection
) -> None:
    table = lancedb.connect(collection._store.address.folder).open_table("items")
    table.drop_columns(["look", "camera", "latitude", "longitude"])
    old = sightline.open(collection.address, model=FakeEncoder())
    assert [hit.alike for hit in old.search("red", 8, group=True)] == [
        hit.alike for hit in old.search("red", 8, group=True)
    ]
    assert sorted(len(hit.alike) for hit in old.search("red", 8, group=True)) == [0, 0, 0, 1, 2]
    assert [len(group.members) for group in old.dups().groups] == [3, 2]
    old.add(saved(photo(NAMES[5])))  # and can still be written to
    assert len(old.search("red", 9, group=True)) == 6


def test_diverse_hits_are_unlike_each_other_and_still_come_best_first(tmp_path: Path) -> None:
    rows = [(f"red {at}", NAMES[at], 0.95 - at / 1000) for at in range(5)]
    collection = stored(tmp_path, [*rows, ("other", NAMES[5], 0.9)], sides={"other": 2})
    assert [hit.name for hit in collection.search("red", 2)] == ["red 0", "red 1"]
    assert [hit.name for hit in collection.search("red", 2, diverse=True)] == ["red 0", "other"]
    assert [hit.rank for hit in collection.search("red", 6, diverse=True)] == [1, 2, 3, 4, 5, 6]


def stored(
    tmp_path: Path,
    rows: list[tuple[str, str, float]],
    *,
    sides: dict[str, int] | None = None,
    modality: Modality = Modality.IMAGE,
    version: str = "",
) -> sightline.Collection:
    """Rows (name, photograph, cosine to "red"); the rest of a vector points along axis 1, or as `sides` say."""
    store = Store(Address.parse(f"{tmp_path}/s"))
    store.create(Manifest("fake", 8, "f" * 64))
    encoded = []
    for at, (name, of, cosine) in enumerate(rows):
        vector = np.zeros(8, np.float32)
        vector[0] = cosine
        vector[(sides or {}).get(name, 1)] = np.sqrt(1 - cosine**2)
        thumbnail = media.jpeg(photo(of), longest=media.THUMBNAIL)
        item = Item(f"made:{name}", name, bytes, modality=modality)
        encoded.append(Encoded(item, version or f"v{at}", 1, vector, thumbnail, b"", 256, 256))
    store.upsert(encoded)
    index.tend(store)
    return sightline.open(f"{tmp_path}/s", model=FakeEncoder())


# -- dups -------------------------------------------------------------------------------------------------------


def test_dups_keeps_the_largest_then_the_oldest(collection: sightline.Collection) -> None:
    found = collection.dups()
    assert found.rows == 8
    first, second = found.groups
    assert [one.name for one in first.members][-1] == "small.jpg"
    assert {one.name for one in first.members[:2]} == {"000285.jpg", "twin.jpg"}
    assert [first.verdict(one) for one in first.members] == ["keep", "same", "alike"]
    assert [one.name for one in second.members] == ["000790.jpg", "again.jpg"]
    assert second.verdict(second.members[1]) == "alike"


def test_dups_in_a_pipe_are_tab_separated_and_nothing_is_deleted(
    collection: sightline.Collection, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    assert main(["dups", "-c", collection.address]) == 0
    out, err = capsys.readouterr()
    lines = [line.split("\t") for line in out.splitlines()]
    assert [(line[0], line[2]) for line in lines] == [
        ("1", "keep"),
        ("1", "same"),
        ("1", "alike"),
        ("2", "keep"),
        ("2", "alike"),
    ]
    assert all(line[1].startswith("file:///") and line[6] == item_id(line[1]) for line in lines)
    assert lines[2][1].endswith("small.jpg")
    assert err.startswith("2 groups of near-duplicates; without the 3 not to be kept: ")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert len(collection) == 8


def test_dups_as_json_is_one_document(collection: sightline.Collection, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dups", "-c", collection.address, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rows"] == 8
    assert [len(group["members"]) for group in document["groups"]] == [3, 2]
    for group in document["groups"]:
        assert group["keep"] == group["members"][0]["id"]
        assert group["group"] == min(member["id"] for member in group["members"])
        assert [member["verdict"] for member in group["members"]].count("keep") == 1


def test_no_dups_is_exit_code_3_and_still_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.add(PHOTOS / f"{NAMES[0]}.jpg")
    assert main(["dups", "-c", collection.address, "--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["groups"] == []
    assert err == f"no near-duplicates among 1 picture in {collection.address}\n"


# -- the command line -------------------------------------------------------------------------------------------


def test_the_command_line_folds_and_says_so(
    collection: sightline.Collection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "red", "--min-relevance", "0", "-c", collection.address, "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert sorted(len(hit["alike"]) for hit in hits) == [0, 0, 0, 1, 2]
    assert all((hit["group"] is not None) == bool(hit["alike"]) for hit in hits)
    assert main(["search", "red", "--min-relevance", "0", "-c", collection.address]) == 0
    out, err = capsys.readouterr()
    assert [len(line.split("\t")) for line in out.splitlines()] == [4] * 5  # rank, score, uri, text: a contract
    assert "3 near-duplicates folded; --no-group shows them one by one\n" in err


def test_no_group_shows_all_of_them(collection: sightline.Collection, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "red", "--min-relevance", "0", "-c", collection.address, "--no-group"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 8
    assert "folded" not in err


def test_on_a_terminal_a_hit_says_how_many_are_alike(
    collection: sightline.Collection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.render.on_terminal", lambda stream=None: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["search", "red", "--min-relevance", "0", "-c", collection.address]) == 0
    out = capsys.readouterr().out
    assert out.count("+2 alike") == 1
    assert out.count("+1 alike") == 1


@pytest.fixture(autouse=True)
def _the_encoder_is_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line finds an encoder by its name: this one is given instead."""
    monkeypatch.setattr("sightline.choice.Choice._load", lambda self, name: FakeEncoder())
