"""The index over vectors: chosen by measuring, asked so that recall is kept, past which `exact` goes."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import sightline
from sightline import index, recall, snapshot
from sightline.ann import Plan, Step, named
from sightline.config import Settings
from sightline.encoders import Encoder
from sightline.errors import EncoderMismatch, ModelError
from sightline.mirror import MOST_ROWS
from sightline.probes import questions
from sightline.recall import POOLS, RANKS, Choice, Trial, chosen, exact, moved
from sightline.schema import Encoded, Filter, Item, Manifest, Modality, Vectors
from sightline.snapshot import Snapshot
from sightline.sources import HeldBytes
from sightline.store import Address, Store

DIM = 64
ROWS = 3_000
ABOVE = 1_500
GOAL = 0.995
"""Above what the tests ask for: an index of so few rows is another one each time it is made."""
DAY = datetime(2020, 1, 1, tzinfo=UTC)
MANIFEST = Manifest("seeds", DIM, "a" * 64)


def unit(vectors: np.ndarray) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def pictures(n: int, seed: int = 0) -> Vectors:
    """Twenty clusters around a common mean."""
    rng = np.random.default_rng(seed)
    mean, centres = np.full(DIM, 1.0), np.random.default_rng(99).normal(size=(20, DIM))
    return unit(mean + centres[rng.integers(0, 20, n)] + 0.7 * rng.normal(size=(n, DIM)))


VECTORS = pictures(ROWS)
QUERIES = moved(pictures(30, seed=1)).vectors


def row(number: int, vector: np.ndarray, text: str = "") -> Encoded:
    """Every second row lies in the folder `even`, every hundredth in `few`; a minute between one and the next."""
    folder = "few" if number % 100 == 7 else ("odd", "even")[number % 2 == 0]
    name = f"{folder}/{number}.jpg"
    item = Item(f"file:///{name}", name, HeldBytes(b""), text or f"number{number}")
    taken = DAY + timedelta(minutes=number)
    return Encoded(item, f"v{number}", 1, vector, b"", None, 1, 1, captured_at=taken)


def number_of(name: str) -> int:
    return int(name.split("/")[1].removesuffix(".jpg"))


class Still:
    """A clock by which everything takes equally long, so that the index is asked however small the collection is."""

    def __call__(self) -> float:
        return 0.0


WAYS = {"cells": MOST_ROWS, "lancedb": 0}
"""How many rows a snapshot takes, by what is the index then."""


def a_store(folder: Path, way: str = "cells") -> Store:
    return Store(Address(folder), index_rows=ABOVE, recall=GOAL, snapshot_rows=WAYS[way])


def measured(store: Store) -> Store:
    plan = recall.measure(store, None, clock=Still())
    assert plan is not None
    store.vector_index.keep(plan)
    return store


def filled(folder: Path, way: str) -> Path:
    made = a_store(folder, way)
    made.create(MANIFEST)
    made.upsert([row(number, vector) for number, vector in enumerate(VECTORS)])
    index.keep_up(made)
    measured(made)
    return folder


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {way: filled(tmp_path_factory.mktemp(way), way) for way in WAYS}


@pytest.fixture(scope="module")
def template(templates: dict[str, Path]) -> Path:
    return templates["cells"]


@pytest.fixture(scope="module")
def shared(template: Path) -> Store:
    """For tests that only read."""
    return a_store(template)


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Store:
    shutil.copytree(template, tmp_path / "copy")
    return a_store(tmp_path / "copy")


@pytest.fixture
def bare(templates: dict[str, Path], tmp_path: Path) -> Store:
    """Without a snapshot, as a collection of more rows than it takes: LanceDB has the index."""
    shutil.copytree(templates["lancedb"], tmp_path / "bare")
    return a_store(tmp_path / "bare", "lancedb")


def nearest(query: np.ndarray, k: int = 10, among: Sequence[int] | None = None) -> list[int]:
    numbers = np.arange(ROWS) if among is None else np.array(among)
    return [int(n) for n in numbers[np.argsort(-(VECTORS[numbers] @ query), kind="stable")[:k]]]


def share_found(
    store: Store, filters: Sequence[Filter] = (), among: Sequence[int] | None = None, **how: object
) -> float:
    """Recall@10 over QUERIES, asked as a search asks: for more rows than are shown."""
    shares = []
    for query in QUERIES:
        found = [number_of(one.name) for one in store.search(query, 50, filters=filters, **how)]  # type: ignore[arg-type]
        wanted = nearest(query, 10, among)
        assert len(found) == min(50, ROWS if among is None else len(among))
        shares.append(len({*found[:10]} & {*wanted}) / len(wanted))
    return float(np.mean(shares))


def asks_the_index(store: Store, filters: Sequence[Filter] = (), query: np.ndarray = QUERIES[0], k: int = 50) -> bool:
    now = store.mirror.current()
    assert now is not None
    return store.vector_index.nearest(now, query, k, filters) is not None


# ---- choosing -------------------------------------------------------------------------------------------------


def trial(probes: int, places: Sequence[int]) -> Trial:
    """Each of two questions has its hundred neighbours at these places, repeated."""
    return Trial(probes, np.resize(np.array(places), (2, RANKS[-1])))


def test_what_reaches_the_target_by_reading_least_is_chosen() -> None:
    missed = POOLS[-1]
    trials = [trial(8, [0, missed]), trial(16, [500, 700]), trial(32, [0])]
    assert chosen(trials, 0.98, per_probe=1) == [Choice(rank, 32, 50, 1.0, 82.0) for rank in RANKS]
    assert chosen(trials, 0.98, per_probe=100) == [Choice(rank, 16, 800, 1.0, 2400.0) for rank in RANKS]
    assert chosen(trials, 0.3, per_probe=100) == [Choice(rank, 8, 50, 0.5, 850.0) for rank in RANKS]
    assert chosen(trials[:1], 0.98, per_probe=1) == []


def test_no_more_probes_are_tried_than_can_be_of_use() -> None:
    rising = iter([trial(8, [0]), trial(16, [0]), trial(32, [0])])
    chosen(rising, 0.98, per_probe=100)  # fifty vectors more would be read for eight more probes, or for nothing
    assert next(rising).probes == 32


def test_what_only_the_choosing_questions_like_is_not_taken() -> None:
    lucky = Trial(8, np.array([[0] * RANKS[-1], [POOLS[-1]] * RANKS[-1]]))
    assert chosen([lucky, trial(16, [0])], 0.98, per_probe=1) == [Choice(rank, 16, 50, 1.0, 66.0) for rank in RANKS]


def test_the_exact_neighbours_are_the_same_in_however_many_blocks_the_rows_come() -> None:
    addresses = np.arange(ROWS) + 7
    blocks = [(addresses[at : at + 77], VECTORS[at : at + 77]) for at in range(0, ROWS, 77)]
    found = exact(blocks, QUERIES, 12)
    assert found.tolist() == [[at + 7 for at in nearest(query, 12)] for query in QUERIES]
    assert exact([(addresses[:3], VECTORS[:3])], QUERIES[:1], 12).shape == (1, 3)


def test_questions_made_of_pictures_lie_off_all_of_them() -> None:
    made = moved(VECTORS[:64])
    assert made.kind == "pictures"
    assert np.linalg.norm(made.vectors, axis=1) == pytest.approx(1, abs=1e-5)
    among, apart = VECTORS @ VECTORS[:64].T, VECTORS @ made.vectors.T
    assert apart.mean() < among.mean() - 0.3


def test_a_plan_is_read_as_it_was_written_and_another_form_is_none(tmp_path: Path) -> None:
    plan = Plan("vectors_16", "f", 10, 0.98, "captions", 64, 5.0, (Step(10, 8, 50, 0.99, 1.0),))
    assert Plan.loads(plan.dumps()) == plan
    assert plan.recall == 0.99
    assert plan.step(10) == plan.steps[0]
    assert plan.step(11) is None
    with pytest.raises(ValueError, match="another form"):
        Plan.loads(plan.dumps().replace('"form": 2', '"form": 1'))


# ---- finding --------------------------------------------------------------------------------------------------


def test_a_search_by_the_index_finds_what_comparing_all_finds(shared: Store) -> None:
    assert asks_the_index(shared)
    assert share_found(shared) >= 0.98
    found, compared = shared.search(QUERIES[0], 10), shared.search(QUERIES[0], 10, exact=True)
    assert [(one.id, one.score) for one in found] == [(one.id, pytest.approx(one.score)) for one in compared]


def test_without_a_snapshot_lancedb_is_asked_by_its_plan(bare: Store) -> None:
    assert index.state(bare).vector_index == "IvfRq"
    assert bare.vector_index._is_asked(bare.vector_index.plan)  # type: ignore[arg-type]
    assert share_found(bare) >= 0.98
    even = [number for number in range(ROWS) if number_of(row(number, VECTORS[0]).item.name) % 2 == 0]
    assert share_found(bare, where="name LIKE 'even/%'", among=even) >= 0.98


def test_exact_goes_past_the_index(shared: Store, tmp_path: Path) -> None:
    poor = replace(shared.vector_index.plan, steps=(Step(100, 1, 50, 0.5, 0.0),))  # type: ignore[type-var]
    store = a_store(shared.address.folder)
    store.vector_index.path = tmp_path / "poor"
    store.vector_index.keep(poor)  # type: ignore[arg-type]
    assert share_found(store) < 0.98
    assert share_found(store, exact=True) == 1


def test_a_search_for_more_than_was_measured_compares_all(shared: Store) -> None:
    now = shared.mirror.current()
    assert now is not None
    assert shared.vector_index.nearest(now, QUERIES[0], 400, sure=RANKS[-1] + 1) is None
    assert len(shared.search(QUERIES[0], 400, sure=RANKS[-1] + 1)) == 400


def test_rows_that_are_not_in_the_index_yet_are_found(store: Store, bare: Store) -> None:
    for one in (store, bare):
        one.upsert([row(ROWS, QUERIES[0])])
        assert index.state(one).unindexed == 1
        assert number_of(one.search(QUERIES[0], 5)[0].name) == ROWS
        assert number_of(one.search(QUERIES[0], 5, filters=[HALVES["folder"][0]])[0].name) == ROWS
    assert asks_the_index(store)


def test_rows_that_were_removed_or_moved_are_not_found_where_they_were(store: Store) -> None:
    first, second = nearest(QUERIES[0], 2)
    store.remove([row(first, VECTORS[0]).item.id])
    store.upsert([row(second, unit(-QUERIES[0]))])
    found = [number_of(one.name) for one in store.search(QUERIES[0], 50)]
    assert asks_the_index(store)
    assert not {first, second} & {*found}


# ---- filters --------------------------------------------------------------------------------------------------

HALVES = {
    "folder": (Filter("in", "even"), [n for n in range(ROWS) if n % 2 == 0]),
    "date": (Filter("after", DAY + timedelta(minutes=ROWS // 2)), range(ROWS // 2, ROWS)),
}
FEW = {
    "folder": (Filter("in", "few"), range(7, ROWS, 100)),
    "date": (Filter("before", DAY + timedelta(minutes=30)), range(30)),
    "text": (Filter("text", "number77"), [77]),
}


@pytest.mark.parametrize("name", HALVES)
def test_half_of_the_rows_are_searched_by_the_index_with_its_recall(shared: Store, name: str) -> None:
    one, among = HALVES[name]
    assert asks_the_index(shared, [one])
    assert share_found(shared, [one], among) >= 0.98


@pytest.mark.parametrize("name", FEW)
def test_a_filter_that_few_rows_pass_compares_them_all(shared: Store, name: str) -> None:
    one, among = FEW[name]
    assert not asks_the_index(shared, [one])
    assert share_found(shared, [one], among) == 1


def test_where_all_that_passes_lies_far_from_the_query_all_of_it_is_compared(store: Store) -> None:
    order = np.argsort(VECTORS @ QUERIES[0])
    far = {int(number) for number in order[: ROWS // 2]}
    store.upsert([row(n, VECTORS[n], text=f"number{n} far") for n in sorted(far)])
    one = Filter("text", "far")
    assert asks_the_index(store, [one])  # they have come in since, and are compared one by one
    assert [number_of(hit.name) for hit in store.search(QUERIES[0], 10, filters=[one])] == nearest(
        QUERIES[0], 10, sorted(far)
    )
    index.keep_up(store, always=True)
    measured(store)
    assert asks_the_index(store)
    assert not asks_the_index(store, [one])
    found = [number_of(hit.name) for hit in store.search(QUERIES[0], 10, filters=[one])]
    assert found == nearest(QUERIES[0], 10, sorted(far))


# ---- many rows ------------------------------------------------------------------------------------------------


def test_rows_are_found_again_after_others_took_their_place_in_memory(
    shared: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "HELD_ROWS", 100)
    now = Snapshot.open(shared.mirror.folder)
    assert now is not None
    for query in QUERIES:  # some rows are held from the query before, and some are not
        assert [one.score for one in now.search(query, 60)] == pytest.approx(
            np.sort(VECTORS @ query)[::-1][:60], abs=1e-5
        )


# ---- upkeep ---------------------------------------------------------------------------------------------------


def test_comparing_all_stays_the_way_where_it_is_quicker(template: Path, tmp_path: Path) -> None:
    store = a_store(template)
    ticks = itertools.count()  # what is timed first takes 1, each of the others 3
    spans = itertools.cycle([1] + [3] * len(RANKS))
    times = (at for tick in ticks for at in (10 * tick, 10 * tick + next(spans)))
    plan = recall.measure(store, None, clock=lambda: next(times))
    assert plan is not None
    assert plan.steps == ()
    store.vector_index.path = tmp_path / "plan"
    store.vector_index.keep(plan)
    assert not asks_the_index(store)
    assert share_found(store) == 1


def test_a_small_collection_has_no_index(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.create(MANIFEST)
    store.upsert([row(number, vector) for number, vector in enumerate(VECTORS[:ABOVE])])
    index.keep_up(store, always=True)
    assert index.state(store).vector_index is None
    assert store.vector_index.plan is None


def test_an_index_goes_when_few_rows_are_left(store: Store, bare: Store) -> None:
    for one in (store, bare):
        one.remove([row(number, VECTORS[0]).item.id for number in range(ABOVE // 2, ROWS)])
        index.keep_up(one)
        assert index.state(one).vector_index is None
        assert len(one.search(QUERIES[0], 50)) == 50


def test_lancedbs_index_goes_where_a_snapshot_has_cells(bare: Store) -> None:
    store = a_store(bare.address.folder)
    index.keep_up(store)
    assert index.name_of(store.rows.table) is None
    assert index.state(store).vector_index == "IvfPca"
    assert store.vector_index.plan.name.startswith("cells_")  # type: ignore[union-attr]


def test_what_was_measured_is_measured_again_when_the_rows_grew_by_a_fifth(store: Store) -> None:
    def grow(first: int, last: int) -> None:
        store.upsert([row(n, vector) for n, vector in zip(range(first, last), pictures(last - first, 5), strict=True)])
        index.keep_up(store)

    grow(ROWS, ROWS + 500)
    assert store.vector_index.plan.rows == ROWS  # type: ignore[union-attr]
    grow(ROWS + 500, ROWS + 700)
    assert store.vector_index.plan.rows == ROWS + 700  # type: ignore[union-attr]


def test_an_index_of_somebody_elses_making_is_replaced(bare: Store) -> None:
    from lancedb.index import IvfFlat

    former = index.name_of(bare.rows.table)
    bare.rows.write(lambda t: t.create_index("vector", config=IvfFlat(num_partitions=4), name="theirs"))
    bare.rows.write(lambda t: t.drop_index(former))
    assert share_found(bare) == 1  # its metric is another: it is not asked
    index.keep_up(bare)
    assert [one.name for one in bare.rows.table.list_indices() if one.columns == ["vector"]] == [named(16)]


def test_a_lost_or_damaged_plan_compares_all_until_it_is_measured_again(store: Store) -> None:
    store.vector_index.path.write_text("{}")
    assert share_found(store) == 1
    assert not asks_the_index(store)
    index.keep_up(store)
    assert store.vector_index.plan is not None


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.torture)])
def test_rounds_of_adding_removing_and_optimizing_keep_the_recall(store: Store, rounds: int) -> None:
    """Over 900 neighbours."""
    here = dict(enumerate(VECTORS))
    queries = moved(pictures(90, seed=2)).vectors

    def found() -> float:
        shares = []
        for query in queries:
            numbers = np.array(list(here))
            order = np.argsort(-(np.stack([*here.values()]) @ query), kind="stable")[:10]
            seen = {number_of(one.name) for one in store.search(query, 10)}
            shares.append(len(seen & set(numbers[order].tolist())) / 10)
        return float(np.mean(shares))

    for turn in range(rounds):
        new = {ROWS + 300 * turn + n: vector for n, vector in enumerate(pictures(300, seed=100 + turn))}
        gone = list(here)[turn::10][:300]
        store.upsert([row(number, vector) for number, vector in new.items()])
        store.remove([row(number, VECTORS[0]).item.id for number in gone])
        index.keep_up(store, always=True)
        here = {number: vector for number, vector in (here | new).items() if number not in set(gone)}
        measured(store)
        assert asks_the_index(store)
        assert found() >= 0.98
    assert len(store) == len(here)


# ---- the collection -------------------------------------------------------------------------------------------


class Seeds:
    """Each text is a random direction of its own, off those of all pictures."""

    name, dim, fingerprint = MANIFEST.encoder, DIM, MANIFEST.fingerprint
    modalities = frozenset({Modality.IMAGE, Modality.TEXT})

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        return moved(np.concatenate([pictures(1, seed=sum(text.encode())) for text in texts] + [VECTORS])).vectors[
            : len(texts)
        ]

    def encode_image(self, images: Sequence[object]) -> Vectors:
        raise NotImplementedError


def test_questions_are_captions_where_there_are_enough_else_sentences(shared: Store, tmp_path: Path) -> None:
    asked = questions(shared, Seeds)
    assert asked is not None
    assert (asked.kind, asked.vectors.shape) == ("captions", (recall.QUESTIONS, DIM))
    few = Store(Address(tmp_path))
    few.create(MANIFEST)
    few.upsert([row(1, VECTORS[0])])
    sentences = questions(few, Seeds)
    assert sentences is not None
    assert (sentences.kind, sentences.vectors.shape) == ("sentences", (recall.QUESTIONS, DIM))


def raising(error: Exception) -> Callable[[], Encoder]:
    def encoder() -> Encoder:
        raise error

    return encoder


def test_an_encoder_that_takes_no_text_or_is_another_one_asks_nothing(shared: Store) -> None:
    blind, other = Seeds(), Seeds()
    blind.modalities = frozenset({Modality.IMAGE})  # type: ignore[misc]
    other.fingerprint = "b" * 64  # type: ignore[misc]
    assert questions(shared, lambda: blind) is None
    assert questions(shared, raising(EncoderMismatch("of another model"))) is None
    assert questions(shared, raising(ModelError("not at hand"))) is None
    assert questions(shared, lambda: other) is None


def test_optimize_measures_with_texts_and_info_says_what_it_gives(store: Store) -> None:
    settings = Settings(index_rows=ABOVE, recall=GOAL)
    collection = sightline.open(str(store.address), model=Seeds(), settings=settings)
    assert collection.info().measured_recall == store.vector_index.plan.recall  # type: ignore[union-attr]
    assert collection.info().index == "IvfPca"
    collection.optimize()
    plan = store.vector_index.plan
    assert plan is not None
    assert (plan.asked, plan.questions) == ("captions", recall.QUESTIONS // 2)
    assert collection.info().measured_recall == plan.recall
    assert len(collection.search("a red car", 5, channels=("vector",))) == 5


def test_a_search_by_the_index_loads_no_lancedb(template: Path) -> None:
    code = f"""
import sys
from pathlib import Path
import numpy as np
from sightline.store import Address, Store
store = Store(Address(Path({str(template)!r})), index_rows={ABOVE})
query = np.eye({DIM}, dtype=np.float32)[0]
store.search(query, 5)
print(store.vector_index.nearest(store.mirror.current(), query, 5) is not None, "lancedb" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert told == ["True", "False"]
