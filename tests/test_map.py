"""Vectors become positions; the map of a collection is kept, brought up, sampled, and drawn."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from PIL import Image
from test_pages import item

from sightline import atlas as atlas_module
from sightline import collection, mapdocument, mapfigures, placenames, projection
from sightline.atlas import Atlas, Atlases
from sightline.cli import main
from sightline.collection import Collection
from sightline.schema import Vectors

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def groups(each: int, *, dim: int = 8, apart: float = 1.0) -> Vectors:
    """Three bundles of unit vectors, one after the other; all of them lean to the last axis, as CLIP's do."""
    rng = np.random.default_rng(7)
    made = np.zeros((3 * each, dim), np.float32)
    for group in range(3):
        made[group * each : (group + 1) * each, group] = apart
    made += rng.normal(0, 0.05, made.shape).astype(np.float32)
    made[:, -1] += 2
    unit: Vectors = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def nearest(positions: projection.Positions, at: int, k: int) -> list[int]:
    return np.argsort(((positions - positions[at]) ** 2).sum(axis=1), kind="stable")[1 : k + 1].tolist()


# ---- projection -----------------------------------------------------------------------------------------------


def test_what_is_alike_lies_together_and_the_same_vectors_give_the_same_map() -> None:
    vectors = groups(30)
    first, again = projection.project(vectors), projection.project(vectors)
    assert first.method == "t-SNE"
    assert np.array_equal(first.positions, again.positions)
    for at in range(90):
        assert {near // 30 for near in nearest(first.positions, at, 10)} == {at // 30}


def test_a_map_fills_its_frame_and_is_wider_than_tall() -> None:
    found = projection.project(groups(30)).positions
    low, high = found.min(axis=0), found.max(axis=0)
    assert (low[0], high[0]) == (pytest.approx(-1), pytest.approx(1))
    assert np.allclose(low + high, 0, atol=1e-5)
    assert high[1] <= 1


def test_evening_out_narrows_gaps_and_moves_nobody_past_another() -> None:
    rng = np.random.default_rng(1)
    lain = np.concatenate([rng.normal(-0.9, 0.02, (50, 2)), rng.normal(0.9, 0.02, (50, 2))]).astype(np.float32)
    even = projection.evened(lain)
    assert np.array_equal(np.argsort(lain, axis=0), np.argsort(even, axis=0))
    assert np.diff(np.sort(even[:, 0])).max() == pytest.approx(0.6 * np.diff(np.sort(lain[:, 0])).max(), rel=0.02)


def test_equal_vectors_make_no_trouble() -> None:
    same = np.tile(np.eye(8, dtype=np.float32)[:1], (40, 1))
    found = projection.project(same).positions
    assert found.shape == (40, 2)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n", [0, 1, 2, 15])
def test_a_handful_lies_along_its_principal_axes(n: int) -> None:
    vectors = groups(5)[:n]
    found = projection.project(vectors)
    assert found.method == "PCA"
    assert found.positions.shape == (n, 2)
    assert np.isfinite(found.positions).all()


def test_without_the_extra_the_principal_axes_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "is_installed", lambda: False)
    found = projection.project(groups(30))
    assert found.method == "PCA"
    assert [{near // 30 for near in nearest(found.positions, at, 10)} for at in (0, 30, 60)] == [{0}, {1}, {2}]


def test_what_is_placed_lies_where_most_of_its_nearest_are_and_never_between() -> None:
    positions = np.array([[-0.9, 0], [-0.9, 0.02], [-0.88, 0], [0.9, 0], [0, 0.9]], np.float32)
    likeness = np.array([[0.9, 0.9, 0.9, 0.8, 0.1], [0.1, 0.1, 0.1, 0.9, 0.1]], np.float32)
    first, second = projection.place(likeness, positions)
    assert np.hypot(*(first - [-0.9, 0])) < 0.03  # the picture at 0.9, 0 does not draw it over
    assert np.allclose(second, [0.9, 0], atol=1e-6)


def test_a_point_that_is_like_all_alike_still_lies_among_them() -> None:
    positions = np.array([[0.2, 0.2], [0.22, 0.2], [-0.8, -0.8]], np.float32)
    [found] = projection.place(np.full((1, 3), 0.5, np.float32), positions)
    assert np.hypot(*(found - [0.21, 0.2])) < 0.02


def test_nothing_is_placed_on_an_empty_map() -> None:
    assert np.isnan(projection.place(np.zeros((2, 0), np.float32), np.zeros((0, 2), np.float32))).all()


def test_neighbours_are_exact_and_nobody_is_its_own() -> None:
    vectors = projection.centred(groups(400))  # more than one block
    places, distances = projection.neighbours(vectors, 5)
    far = 1 - vectors @ vectors.T
    np.fill_diagonal(far, np.inf)
    assert np.allclose(distances, np.sort(far, axis=1)[:, :5], atol=1e-6)
    assert not (places == np.arange(len(vectors))[:, None]).any()


def test_texts_lie_with_their_pictures_although_their_vectors_lie_apart() -> None:
    """The gap of CLIP, made by hand: texts have the directions of their pictures, and an axis of their own."""
    pictures = groups(30)
    texts = pictures.copy()
    texts[:, -1], texts[:, -2] = 0, 2
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    own = np.arange(90)

    together = projection.project(np.concatenate([pictures, texts])).positions
    assert all(min(nearest(together, at, 10)) >= 90 for at in range(90, 180))  # among texts there are texts alone
    laid = projection.project(pictures).positions
    placed = mapfigures.Captions(projection.place(texts @ pictures.T, laid), own)
    assert placed.beside(laid, nearest=30) == 1  # of the 90 pictures those of its own group


# ---- names ----------------------------------------------------------------------------------------------------


def test_regions_are_called_what_their_captions_say_and_others_do_not() -> None:
    here = np.random.default_rng(0).normal(0, 0.03, (20, 2)).astype(np.float32)
    away = np.array([0.8, 0], np.float32)
    positions = np.concatenate([here - away, here + away])
    texts = ["a stop sign on a street"] * 20 + ["a dog on the beach of a street"] * 20
    found = [one for one in placenames.names(positions, texts) if one.level == 0]
    assert [(one.text, one.x < 0, one.pictures) for one in found] == [
        ("stop sign", True, 20),
        ("beach, dog", False, 20),
    ]


def test_where_nothing_stands_out_nothing_is_named() -> None:
    positions = np.random.default_rng(0).uniform(-1, 1, (60, 2)).astype(np.float32)
    assert placenames.names(positions, ["a road"] * 60) == ()
    assert placenames.names(positions, [""] * 60) == ()
    assert placenames.names(np.zeros((0, 2), np.float32), []) == ()


# ---- the atlas of a collection --------------------------------------------------------------------------------


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(out, "PNG")
    return out.getvalue()


def shade(name: str, at: int) -> str:
    """A colour near one of the three, another for each number."""
    bright = COLOURS[name]
    return "#" + "".join(f"{max(part - 3 * at, (7 * at + 11 * i) % 60):02x}" for i, part in enumerate(bright))


def pictures(n: int, *, first: int = 0) -> list:  # type: ignore[type-arg]
    names = list(COLOURS)
    return [
        item(f"{names[at % 3]}/{at}.jpg", picture(shade(names[at % 3], at)), f"a {names[at % 3]} wall\n{at}")
        for at in range(first, first + n)
    ]


@pytest.fixture
def photos(tmp_path: Path) -> Collection:
    found = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    found.ingest(pictures(36))
    return found


def folders_near(atlas: Atlas, at: int) -> set[str]:
    return {atlas.points[near].folder for near in nearest(atlas.positions, at, 5)}


def test_a_collection_has_a_map_with_what_there_is_to_say_of_its_pictures(photos: Collection) -> None:
    found = photos.atlases.get()
    assert len(found) == 36 == found.rows
    assert not found.is_sample
    assert {point.folder for point in found.points} == set(COLOURS)
    assert all(folders_near(found, at) == {found.points[at].folder} for at in range(36))
    assert {name.text for name in found.names if name.level == 0} == {"red wall", "green wall", "blue wall"}
    assert photos.atlases.get() is found


def test_the_map_is_kept_for_the_next_process(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    found = photos.atlases.get()
    monkeypatch.setattr(atlas_module, "project", None)  # nothing is laid out any more
    again = Atlases(photos._store).get()
    assert np.array_equal(again.positions, found.positions)
    assert again.tag == found.tag
    assert photos.search("red", 3) is not None


def test_few_new_pictures_are_placed_and_the_map_stays(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    before = photos.atlases.get()
    monkeypatch.setattr(atlas_module, "project", None)
    photos.ingest(pictures(3, first=36))
    after = photos.atlases.get()
    assert len(after) == 39
    assert all(
        np.array_equal(after.positions[after.places[point.id]], before.positions[at])
        for at, point in enumerate(before.points)
    )
    new = [at for at, point in enumerate(after.points) if point.id not in before.places]
    assert [folders_near(after, at) for at in new] == [{after.points[at].folder} for at in new]
    assert after.tag != before.tag


def test_many_new_pictures_are_laid_out_from_where_the_others_lay(photos: Collection) -> None:
    before = photos.atlases.get()
    photos.ingest(pictures(24, first=36))
    after = photos.atlases.get()
    assert len(after) == 60
    middle = lambda one, folder: one.positions[[p.folder == folder for p in one.points]].mean(axis=0)  # noqa: E731
    moved = max(np.hypot(*(middle(before, folder) - middle(after, folder))) for folder in COLOURS)
    assert moved < 0.5  # of a map that is 2 wide: what was left stays left


def test_a_removed_picture_leaves_the_map(photos: Collection) -> None:
    gone = photos.atlases.get().points[0].id
    photos.remove(gone)
    assert gone not in photos.atlases.get().places


@pytest.mark.parametrize("harm", [b"", b"PK\x03\x04 not whole", None])
def test_a_lost_or_torn_file_costs_the_work_and_no_more(photos: Collection, harm: bytes | None) -> None:
    found = photos.atlases.get()
    path = photos._store.address.folder / ".sightline" / "items.map.npz"
    path.write_bytes(path.read_bytes()[:-200] if harm is None else harm)
    assert np.array_equal(Atlases(photos._store).get().positions, found.positions)


def test_a_large_collection_is_shown_by_a_sample_that_says_so(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atlas_module, "MOST", 20)
    found = photos.atlases.get()
    assert (len(found), found.rows, found.is_sample) == (20, 36, True)
    assert mapdocument.told(found).startswith("20 of 36 pictures, drawn at random")
    marked = photos.atlases.mark(found, hits := photos.search("red", 12))
    reds = [at for at, point in enumerate(found.points) if point.folder == "red"]
    for hit, place in zip(hits, marked.positions, strict=True):  # also one that is not in the sample lies with its like
        assert min(np.hypot(*(found.positions[at] - place)) for at in reds) < 0.2, hit.name


def test_a_query_lies_among_what_it_finds(photos: Collection) -> None:
    found = photos.atlases.get()
    for colour in COLOURS:
        marked = photos.atlases.mark(found, photos.search(colour, 36, min_relevance=0.0))
        assert marked.spot is not None
        at = int(((found.positions - marked.spot) ** 2).sum(axis=1).argmin())
        assert found.points[at].folder == colour


def test_filters_alone_have_no_place_on_the_map(photos: Collection) -> None:
    found = photos.atlases.get()
    marked = photos.atlases.mark(found, photos.search("in:red", 36))
    assert marked.spot is None
    assert np.isfinite(marked.positions).all()


def test_a_map_that_is_not_there_is_made_beside_and_nobody_waits(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, project = threading.Event(), projection.project

    def slow(*args: object, **kwargs: object) -> object:
        kwargs["tell"](0.5)  # type: ignore[operator]
        assert go_on.wait(30)
        return project(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(atlas_module, "project", slow)
    atlases = photos.atlases
    assert atlases.ready() is None
    until(lambda: atlases.progress == 0.5)
    assert atlases.ready() is None
    go_on.set()
    until(lambda: atlases.ready() is not None)
    first = atlases.ready()
    photos.ingest(pictures(24, first=36))
    go_on.clear()
    assert atlases.ready() is first  # the one from before is shown while the new one is made
    go_on.set()
    until(lambda: len(atlases.ready() or ()) == 60)


def test_a_map_that_cannot_be_made_says_why_and_is_not_tried_again_at_once(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def failing(*_: object, **__: object) -> None:
        tries.append(1)
        raise MemoryError

    monkeypatch.setattr(atlas_module, "project", failing)
    assert photos.atlases.ready() is None
    until(lambda: photos.atlases.failure == "MemoryError")
    assert photos.atlases.ready() is None
    assert len(tries) == 1


def until(done: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_dropping_a_collection_takes_its_map_away(photos: Collection) -> None:
    photos.atlases.get()
    collection.drop_collection(photos.address)
    assert not list((photos._store.address.folder / ".sightline").glob("*.map.npz"))


# ---- the figure and the command -------------------------------------------------------------------------------


def test_thumbnails_on_a_figure_do_not_lie_on_each_other() -> None:
    positions = np.random.default_rng(3).uniform(-1, 1, (500, 2)).astype(np.float32)
    chosen = mapfigures.spread(positions, (0.2, 0.1), 1000)
    gaps = np.abs(positions[chosen][:, None] - positions[chosen][None]) / [0.2, 0.1]
    assert gaps.max(axis=2)[~np.eye(len(chosen), dtype=bool)].min() >= 1
    assert chosen[0] == 0
    assert len(mapfigures.spread(positions, (0.2, 0.1), 7)) == 7


def run(capfd: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(args)
    told = capfd.readouterr()
    return code, told.out, told.err


@pytest.fixture
def address(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sightline.open", lambda *_, **__: photos)
    return photos.address


def test_map_writes_a_figure_and_every_point(address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    figure = tmp_path / "map.png"
    code, out, err = run(capfd, "map", "-c", address, "--query", "red", "--captions", "--save", str(figure))
    assert code == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    lines = [line.split("\t") for line in out.splitlines()]
    assert len(lines) == 36
    assert all(len(line) == 5 and -1 <= float(line[0]) <= 1 and len(line[2]) == 32 for line in lines)
    assert "36 pictures · near each other: alike (t-SNE)" in err
    assert "of 36 captions" in err


def test_map_as_json_has_points_names_and_where_the_query_lies(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "map", "-c", address, "--query", "blue", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["rows"], told["method"], told["sample"], len(told["points"])) == (36, "t-SNE", False, 36)
    places = {one["id"]: (one["x"], one["y"]) for one in told["points"]}
    best = told["query"]["hits"][0]
    assert places[best["id"]] == (best["x"], best["y"])
    assert np.hypot(told["query"]["spot"]["x"] - best["x"], told["query"]["spot"]["y"] - best["y"]) < 0.4


def test_without_the_extra_the_map_is_plain_and_says_how_to_have_a_better_one(
    address: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "is_installed", lambda: False)
    monkeypatch.setattr(atlas_module, "is_installed", lambda: False)
    code, out, err = run(capfd, "map", "-c", address)
    assert code == 0
    assert "pip install 'sightline[map]'" in err
    assert len(out.splitlines()) == 36


@pytest.mark.parametrize(
    "flags", [("--save", "map.txt"), ("--query", " "), ("--captions", "--save", "map.html")], ids=" ".join
)
def test_what_cannot_be_written_is_refused_before_the_work(
    photos: Collection, capfd: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    code, out, err = run(capfd, "map", "-c", photos.address, *flags)
    assert (code, out) == (2, "")
    assert err.startswith("error:")
    assert not (photos._store.address.folder / ".sightline" / "items.map.npz").exists()


def test_an_empty_collection_has_nothing_to_show(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capfd, "map", "-c", str(tmp_path / "none"))
    assert code == 1
    assert "there is no collection" in err
