"""Cells: the rows nearest by their principal components, by cell; lost or damaged, nothing is."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import cells as cells_module
from sightline import index
from sightline.ann import Step
from sightline.cells import Cells, make, opened, path_of
from sightline.schema import Encoded, Item, Manifest, Vectors
from sightline.snapshot import Snapshot
from sightline.sources import HeldBytes
from sightline.store import Address, Store

DIM, ROWS, COUNT = 64, 400, 10
MANIFEST = Manifest("seeds", DIM, "a" * 64)


def unit(vectors: np.ndarray) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def flat(n: int, seed: int = 0) -> Vectors:
    """Vectors that fill 24 of their 64 dimensions, and the others with a hundredth."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(7).normal(size=(DIM, DIM)))[0]
    return unit(rng.normal(size=(n, DIM)) * np.where(np.arange(DIM) < 24, 1, 0.01) @ axes)


VECTORS = flat(ROWS)


def encoded(number: int, vector: np.ndarray) -> Encoded:
    return Encoded(
        Item(f"file:///{number}.jpg", f"{number}.jpg", HeldBytes(b"")), f"v{number}", 1, vector, b"", None, 1, 1
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(Address(tmp_path), index_rows=100)
    made.create(MANIFEST)
    made.upsert([encoded(number, vector) for number, vector in enumerate(VECTORS)])
    assert made.mirror.update()
    return made


def held(store: Store) -> Snapshot:
    now = store.mirror.current()
    assert now is not None
    return now


@pytest.fixture
def made(store: Store) -> Cells:
    found = make(held(store), store.mirror.folder, count=COUNT)
    assert found is not None
    return found


def numbers(store: Store, slots: np.ndarray) -> list[int]:
    now = held(store)
    return [int(one.name.removesuffix(".jpg")) for one in now.hits(slots, np.zeros(len(slots), np.float32))]


def nearest(query: np.ndarray, k: int, among: np.ndarray | None = None) -> list[int]:
    scores = VECTORS @ query
    if among is not None:
        scores[~among] = -np.inf
    return np.argsort(-scores, kind="stable")[:k].tolist()


def test_every_row_lies_in_the_cell_whose_mean_is_nearest(store: Store, made: Cells) -> None:
    assert sorted(made.order.tolist()) == list(range(ROWS))
    assert (len(made), made.starts[0], made.starts[-1], made.components.shape) == (COUNT, 0, ROWS, (ROWS, 32))
    small = held(store).matrix[made.order] @ made.basis
    assert np.allclose(made.components, small, atol=1e-6)
    for cell in range(COUNT):
        mine = small[made.starts[cell] : made.starts[cell + 1]]
        apart = ((mine[:, None, :] - made.centroids[None]) ** 2).sum(-1)
        assert (apart.argmin(axis=1) == cell).all()


def test_the_components_are_those_that_vary_most(made: Cells) -> None:
    assert np.allclose(made.basis.T @ made.basis, np.eye(32), atol=1e-5)
    kept = ((VECTORS @ made.basis) ** 2).sum(axis=1)
    assert kept.min() > 0.999
    assert made.share == 0.5


def test_all_cells_together_rank_as_exact_cosines_do_where_the_components_hold_all(store: Store, made: Cells) -> None:
    for query in flat(20, seed=1):
        slots, _ = made.candidates(query, COUNT, 15)
        assert numbers(store, slots)[:10] == nearest(query, 10)


def test_more_cells_find_more_and_few_find_what_lies_in_them(store: Store, made: Cells) -> None:
    queries = flat(40, seed=1)

    def share(probes: int) -> float:
        found = [numbers(store, made.candidates(query, probes, 30)[0]) for query in queries]
        return float(np.mean([len({*a} & {*nearest(q, 10)}) / 10 for a, q in zip(found, queries, strict=True)]))

    shares = [share(probes) for probes in (1, 3, 6, COUNT)]
    assert shares == sorted(shares)
    assert shares[0] < 0.7
    assert shares[-1] == 1
    [cell] = np.argsort(-(made.centroids @ (queries[0] @ made.basis)))[:1]
    inside = made.order[made.starts[cell] : made.starts[cell + 1]]
    assert sorted(made.candidates(queries[0], 1, ROWS)[0].tolist()) == sorted(inside.tolist())


def test_a_mask_gives_the_best_that_pass_and_how_many_of_the_best_do(store: Store, made: Cells) -> None:
    there = np.zeros(ROWS, bool)
    there[::3] = True
    for query in flat(10, seed=2):
        slots, among = made.candidates(query, COUNT, 12, there=there, rank=30)
        assert numbers(store, slots)[:10] == nearest(query, 10, there)
        assert among == sum(number % 3 == 0 for number in nearest(query, 30))
    assert made.candidates(VECTORS[0], COUNT, 12, there=np.zeros(ROWS, bool), rank=30)[1] == 0


def test_the_same_rows_give_the_same_cells(store: Store, made: Cells, tmp_path: Path) -> None:
    shutil.copytree(store.mirror.folder, tmp_path / "other", ignore=shutil.ignore_patterns("cells-*"))
    again = make(held(store), tmp_path / "other", count=COUNT)
    assert again is not None
    assert again.name == made.name
    assert np.array_equal(again.components, made.components)


def test_rows_that_are_gone_or_cannot_be_compared_are_in_no_cell(store: Store) -> None:
    store.remove([encoded(5, VECTORS[5]).item.id])
    now = held(store)
    found = make(now, store.mirror.folder)
    assert found is not None
    assert 5 not in numbers(store, found.order.astype(np.intp))
    assert (len(found.order), found.slots, len(found)) == (ROWS - 1, ROWS, round(2 * (ROWS - 1) ** 0.5))


def test_of_nothing_no_cells_are_made(tmp_path: Path) -> None:
    empty = Store(Address(tmp_path))
    empty.create(MANIFEST)
    assert empty.mirror.update()
    assert make(held(empty), empty.mirror.folder) is None


def test_new_cells_take_the_place_of_the_former(store: Store, made: Cells) -> None:
    store.upsert([encoded(ROWS + n, vector) for n, vector in enumerate(flat(30, seed=3))])
    newer = make(held(store), store.mirror.folder, count=COUNT)
    assert newer is not None
    assert newer.name != made.name
    assert len(list(store.mirror.folder.glob("cells-*"))) == 2
    assert numbers(store, made.candidates(VECTORS[0], COUNT, 15)[0])[:10] == nearest(VECTORS[0], 10)  # still open


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "components cut", "components gone", "no numbers"])
def test_damaged_cells_are_none(store: Store, made: Cells, damage: str) -> None:
    folder, number = store.mirror.folder, held(store).number
    file, [components] = path_of(folder, number), list(folder.glob("cells-*.f32"))
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        file.write_bytes(data[:2000] + bytes([data[2000] ^ 1]) + data[2001:])
    elif damage == "no numbers":
        file.write_bytes(b"")
    elif damage == "components cut":
        os.truncate(components, 4 * 32 * (ROWS - 1))
    else:
        (file if damage == "gone" else components).unlink()
    assert opened(folder, number) is None


@contextmanager
def a_disk_of(size: int) -> Iterator[None]:
    """No file may become larger than `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [4 * 32 * ROWS // 2, 4 * 32 * ROWS], ids=["components", "the rest"])
def test_a_disk_that_is_full_ends_it_and_leaves_nothing_behind(store: Store, size: int) -> None:
    now = held(store)
    with a_disk_of(size), pytest.raises(OSError, match="File too large"):
        make(now, store.mirror.folder, count=ROWS)
    assert not [*store.mirror.folder.glob("cells-*"), *store.mirror.folder.glob("making-*")]


def test_a_full_disk_leaves_a_collection_that_compares_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(Address(tmp_path), index_rows=100)
    store.create(MANIFEST)
    store.upsert([encoded(number, vector) for number, vector in enumerate(VECTORS)])

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cells_module, "_claim", full)
    index.keep_up(store)
    assert index.state(store).vector_index is None
    monkeypatch.undo()
    assert [one.name for one in store.search(VECTORS[3], 1)] == ["3.jpg"]
    index.keep_up(store)
    assert index.state(store).vector_index == index.CELLS


def test_of_equal_rows_no_cell_is_left_empty(tmp_path: Path) -> None:
    store = Store(Address(tmp_path), index_rows=100)
    store.create(MANIFEST)
    black = flat(1, seed=9)[0]
    store.upsert([encoded(number, black if number % 3 else VECTORS[number]) for number in range(ROWS)])
    index.keep_up(store)
    found = store.vector_index.cells(held(store))
    assert found is not None
    assert (np.diff(found.starts) > 0).all()
    assert len(found.centroids) == len(found.starts) - 1 < round(2 * ROWS**0.5)
    assert len(store.search(black, 50)) == 50
    assert len(found.candidates(black, 3, ROWS)[0]) >= 2 * ROWS // 3  # sums of floats may part equal rows


def test_cells_of_another_snapshot_with_its_number_are_not_asked(store: Store, made: Cells, tmp_path: Path) -> None:
    now = held(store)
    assert made.fits(now)
    store.upsert([encoded(ROWS, VECTORS[0])])
    assert made.fits(held(store)), "slots that were given stay"
    other = Store(Address(tmp_path / "other"), index_rows=100)
    other.create(MANIFEST)
    other.upsert([encoded(number, vector) for number, vector in enumerate(flat(ROWS, seed=5))])
    assert other.mirror.update()
    shutil.copytree(
        store.mirror.folder, other.mirror.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("[rv]*")
    )
    assert opened(other.mirror.folder, held(other).number) is not None
    assert other.vector_index.cells(held(other)) is None
    index.keep_up(other)
    assert other.vector_index.cells(held(other)) is not None


def test_cells_that_know_more_than_a_snapshot_are_not_asked_of_it(store: Store) -> None:
    before = held(store)
    store.upsert([encoded(ROWS, VECTORS[0])])
    later = make(held(store), store.mirror.folder)
    assert later is not None
    assert not later.fits(before)


def test_cells_of_a_generation_that_was_replaced_are_not_published(store: Store, made: Cells) -> None:
    before = held(store)
    store.remove([encoded(5, VECTORS[5]).item.id])
    assert store.mirror.update(tidy=True)
    newer = make(held(store), store.mirror.folder, count=COUNT)
    names = sorted(path.name for path in store.mirror.folder.iterdir())
    assert make(before, store.mirror.folder, count=COUNT) is None
    assert sorted(path.name for path in store.mirror.folder.iterdir()) == names
    assert newer is not None


def test_what_a_killed_process_left_goes_after_an_hour(store: Store) -> None:
    old, young = (store.mirror.folder / f"making-{name}.f32" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (0, 0))
    make(held(store), store.mirror.folder, count=COUNT)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_damaged_snapshot_takes_its_cells_along(store: Store, made: Cells) -> None:
    held(store)
    store.mirror.spoiled()
    assert not list(store.mirror.folder.glob("cells-*"))


def test_rows_that_are_gone_take_no_places_among_the_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(Address(tmp_path), index_rows=100)
    store.create(MANIFEST)
    store.upsert([encoded(number, vector) for number, vector in enumerate(VECTORS)])
    index.keep_up(store)
    plan = store.vector_index.plan
    assert plan is not None
    store.vector_index.keep(replace(plan, steps=(Step(10, ROWS, 60, 1, 0),)))
    found: list[np.ndarray] = []
    candidates = Cells.candidates

    def noted(*args: Any, **how: Any) -> tuple[np.ndarray, int]:
        slots, among = candidates(*args, **how)
        found.append(slots)
        return slots, among

    monkeypatch.setattr(Cells, "candidates", noted)
    first = nearest(VECTORS[0], 40)
    store.vector_index.nearest(held(store), VECTORS[0], 5)
    store.remove([encoded(number, VECTORS[0]).item.id for number in first[1::4]])
    left = [number for number in first if number not in first[1::4]]
    near = store.vector_index.nearest(held(store), VECTORS[0], 5, sure=4)
    assert near is not None
    assert numbers(store, near[0]) == left[:5]
    whole, masked = found
    assert len(whole) == len(masked) == 60
    assert held(store).alive[masked].all()
    assert not held(store).alive[whole].all()


def test_a_collection_that_wants_no_index_asks_none(tmp_path: Path) -> None:
    store = Store(Address(tmp_path), index_rows=100)
    store.create(MANIFEST)
    store.upsert([encoded(number, vector) for number, vector in enumerate(VECTORS)])
    index.keep_up(store)
    assert index.state(store).vector_index == index.CELLS
    never = Store(Address(tmp_path), index_rows=0)
    assert never.vector_index.cells(held(never)) is None
    assert index.state(never).vector_index is None


def test_a_snapshot_made_anew_has_cells_made_anew(tmp_path: Path) -> None:
    store = Store(Address(tmp_path), index_rows=100)
    store.create(MANIFEST)
    store.upsert([encoded(number, vector) for number, vector in enumerate(VECTORS)])
    index.keep_up(store)
    former = store.vector_index.cells(held(store))
    store.remove([encoded(number, VECTORS[0]).item.id for number in range(0, ROWS, 4)])
    index.keep_up(store, always=True)
    now = held(store)
    found = store.vector_index.cells(now)
    assert former is not None
    assert found is not None
    assert (len(now), now.state.slots, len(found.order)) == (300, 300, 300)
    assert len(list(store.mirror.folder.glob("cells-*"))) == 2
    plan = store.vector_index.plan
    assert plan is not None
    assert plan.name == found.name != former.name
