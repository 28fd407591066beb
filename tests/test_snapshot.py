"""The snapshot: it answers as LanceDB does, is never stale, outlives kills and damage, and spares LanceDB's import."""

from __future__ import annotations

import gc
import itertools
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from pictures import paint, write_captions
from snapshot_process import MANIFEST, row

import sightline
from sightline import cli, history, index, snapshot, texts
from sightline.postings import Posting, bm25, speaks, words
from sightline.rows import Found
from sightline.schema import Filter, Manifest, Vectors
from sightline.snapshot import Damaged, Snapshot, first, newest_generation, paths
from sightline.store import Address, Store

SCRIPT = Path(__file__).with_name("snapshot_process.py")


def query(number: int) -> np.ndarray:
    return row(number, turn=99).vector


def slow(store: Store) -> Store:
    """The same collection, asked through LanceDB alone."""
    return Store(store.address, snapshot_rows=0)


def held(store: Store) -> Snapshot:
    found = store.mirror.current()
    assert found is not None
    return found


def told(found: Sequence[Found]) -> list[tuple[str, str, str]]:
    return [(one.id, one.text, one.version) for one in found]


def assert_alike(store: Store) -> None:
    """Both ways find the same rows, with the same scores."""
    quick, other = held(store), slow(store)
    assert len(quick) == len(other)
    for number in (1, 2):
        ours, theirs = quick.search(query(number), 7), other.search(query(number), 7)
        assert told(ours) == told(theirs)
        assert [one.score for one in ours] == pytest.approx([one.score for one in theirs], abs=1e-5)
    ours, theirs = (one.search_text("picture 7", 99, column="text", vector=query(1)) for one in (quick, other))
    assert {one.id for one in ours} == {one.id for one in theirs}
    assert {one.id: one.cosine for one in ours} == pytest.approx({one.id: one.cosine for one in theirs}, abs=1e-5)
    ids = [one.id for one in ours][:5]
    assert np.array_equal(quick.vectors([*ids, "none"]), other.vectors([*ids, "none"]), equal_nan=True)
    drawn, same = quick.drawn(9), other.drawn(9)
    assert drawn.texts == same.texts
    assert np.array_equal(drawn.vectors, same.vectors)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(Address(tmp_path))
    made.create(MANIFEST)
    made.upsert([row(number) for number in range(30)])
    index.tend(made)
    assert made.mirror.update()
    return made


# ---- words and scores -----------------------------------------------------------------------------------------


def test_words_are_those_of_the_index() -> None:
    assert words("The Dogs' dog's CAFÉ straße it's 3.5 1,000 e-mail") == [
        *("dog", "dog", "cafe", "strasse", "3.5", "1,000", "e", "mail"),
    ]
    assert words("my_trip/IMG_1234.dog2.jpg", name=True) == ["my", "trip", "1234", "dog2"]
    assert words("e\u0301te\u0301 x²") == ["ete", "x"]


@pytest.mark.parametrize(
    ("text", "told_apart"),
    [("Łódź", True), ("коты", True), ("고양이", True), ("猫", False), ("ไทย", False), ("½", False)],
)
def test_what_needs_a_dictionary_is_left_to_lancedb(text: str, told_apart: bool) -> None:
    assert speaks(f"a {text}!") == told_apart


def test_bm25_by_hand() -> None:
    lengths = np.array([2, 4, 0, 3], np.uint16)  # the mean of those that have words is 3
    posting = Posting(np.array([0, 3], np.uint32), np.array([1, 2], np.uint8))
    idf = math.log(1 + (3 - 2 + 0.5) / 2.5)
    once = idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3))
    twice = idf * 2 * 2.2 / (2 + 1.2)
    assert bm25([posting], lengths, np.ones(4, bool)) == pytest.approx([once, 0, 0, twice])
    assert bm25([posting, posting], lengths, np.ones(4, bool)) == pytest.approx([2 * once, 0, 0, 2 * twice])
    gone = bm25([posting], lengths, np.array([1, 1, 1, 0], bool))
    assert gone == pytest.approx([math.log(1 + 1.5 / 1.5) * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3)), 0, 0, 0])


def test_of_equal_scores_the_first_ones_are_kept() -> None:
    assert first(np.array([1, 3, 1, 3, 1], np.float32), 3).tolist() == [1, 3, 0]
    assert first(np.array([1, 2], np.float32), 9).tolist() == [1, 0]
    assert first(np.empty(0, np.float32), 3).tolist() == []


def test_full_text_scores_are_lancedbs(store: Store) -> None:
    store.upsert([row(0, "a red car and a red bus"), row(1, "a red bus"), row(2, "cars"), row(3, "U.S. route 66")])
    index.tend(store, always=True)
    for said, column in (("red cars", "text"), ("red red bus", "text"), ("p 3 7", "name"), ("u.s. 66", "text")):
        ours, theirs = (one.search_text(said, 99, column=column) for one in (held(store), slow(store)))
        assert {one.id: one.score for one in ours} == pytest.approx({one.id: one.score for one in theirs}, rel=1e-5)
        assert ours == sorted(ours, key=lambda one: -one.score)


# ---- vectors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [1, 20], ids=["few rows pass", "most rows pass"])
def test_many_queries_at_once_find_what_each_finds_alone_and_what_passes_alone(store: Store, wanted: int) -> None:
    store.upsert([row(number, "chosen") for number in range(wanted)])
    now = held(store)
    queries: Vectors = np.stack([query(number) for number in range(5)])
    for filters in ((), (Filter("words", "chosen"),)):
        together = now.nearest(queries, 3, filters)
        alone = [now.nearest(one[None, :], 3, filters)[0] for one in queries]
        matrix = slow(store).vectors([one.id for one in slow(store).newest(99, filters=filters)])
        for (slots, cosines), (one, _), asked in zip(together, alone, queries, strict=True):
            assert slots.tolist() == one.tolist()
            assert cosines == pytest.approx(np.sort(matrix @ asked)[::-1][:3], abs=1e-5)


# ---- never stale ----------------------------------------------------------------------------------------------


def restored(store: Store) -> None:
    history.restore(store, int(store.rows.table.version) - 1)


def read(store: Store) -> None:
    rows = list(texts.unread(store, modalities=["image"]))[:3]
    texts.put(store, rows, {one.version: ("stop sign", "{}") for one in rows})


def recreated(store: Store) -> None:
    """The same table name, the same version numbers, other rows."""
    store.drop()
    store.create(MANIFEST)
    store.upsert([row(number, turn=1) for number in range(30)])
    index.tend(store)


WRITES: dict[str, Callable[[Store], object]] = {
    "add": lambda store: store.upsert([row(100)]),
    "replace": lambda store: store.upsert([row(1, turn=1), row(2, "other words")]),
    "amend": lambda store: store.amend(list(store.known([row(3).item.id]).values())),
    "remove": lambda store: store.remove([row(4).item.id]),
    "move": lambda store: store.upsert([row(101)], gone=[row(5).item.id]),
    "read": read,
    "optimize": lambda store: index.tend(store, always=True, older_than=timedelta(0)),
    "rebuild": lambda store: store.replace_rows(MANIFEST, iter([[row(n, turn=2) for n in range(25)]]), {}),
    "restore": restored,
    "recreate": recreated,
}


@pytest.mark.parametrize("name", WRITES)
def test_what_another_writer_did_is_seen_at_once(store: Store, name: str) -> None:
    store.upsert([row(1, "former words"), row(50)])
    held(store)
    WRITES[name](Store(store.address))
    assert_alike(store)
    assert held(store).state.version == slow(store).rows.table.version


def test_a_writer_in_another_process_is_seen_at_once(store: Store) -> None:
    assert held(store).state.slots == 30
    subprocess.run([sys.executable, SCRIPT, store.address.folder, "add", "200"], check=True)
    assert len(store) == 33
    assert_alike(store)


def test_rows_that_stayed_the_same_are_not_written_again(store: Store) -> None:
    store.upsert([row(1, "other words")])
    assert held(store).state.slots == 31
    index.tend(store, always=True)  # every row has a new place in Lance
    now = held(store)
    assert (now.number, now.state.slots, len(now)) == (1, 31, 30)


def test_another_encoder_of_the_same_dimension_is_told_apart(store: Store) -> None:
    other = Manifest("other", 8, "e" * 64)
    Store(store.address).replace_rows(other, iter([[row(n, turn=3) for n in range(9)]]), {})
    store.reopened()
    assert held(store).state.manifest == other
    assert_alike(store)


def test_twenty_rounds_of_adding_removing_and_changing_leave_what_lancedb_has(store: Store) -> None:
    rng = np.random.default_rng(0)
    for turn in range(20):
        store.upsert([row(int(n), f"picture {n} {turn}", turn=turn) for n in rng.choice(60, 5, replace=False)])
        store.remove([row(int(n)).item.id for n in rng.integers(0, 60, 3)])
        held(store)
        if turn % 7 == 6:
            index.tend(store, always=True)
            assert_alike(store)
    assert_alike(store)
    assert held(store).state.slots <= len(store) + 30  # what nobody needs is thrown away at times


# ---- readers, writers, kills ----------------------------------------------------------------------------------


def test_a_reader_goes_on_with_its_state_while_others_write_and_tidy(store: Store) -> None:
    former = held(store)
    before = told(former.search(query(1), 5)), told(former.search_text("picture", 40, column="text"))
    other = Store(store.address)
    other.upsert([row(n, "picture", turn=5) for n in range(40)])
    assert other.mirror.update()
    fresh = Snapshot.open(store.mirror.folder)
    former._rows.clear()
    assert (told(former.search(query(1), 5)), told(former.search_text("picture", 40, column="text"))) == before
    assert fresh is not None
    assert len(fresh) == 40
    assert other.mirror.update(tidy=True)
    assert newest_generation(store.mirror.folder) == 2
    assert told(former.search(query(1), 5)) == before[0]


@pytest.mark.parametrize("at", ["vectors", "commit"])
@pytest.mark.parametrize("anew", [False, True], ids=["goes on", "from nothing"])
def test_a_killed_update_costs_nothing_but_its_time(store: Store, at: str, anew: bool) -> None:
    if anew:
        store.mirror.drop()
    store.upsert([row(number, turn=4) for number in range(20, 40)])
    died = subprocess.run([sys.executable, SCRIPT, store.address.folder, "killed", at], check=False)
    assert died.returncode == -signal.SIGKILL
    assert_alike(Store(store.address))
    held(Store(store.address)).check_all()


def test_two_processes_update_at_once_and_one_of_them_does(store: Store) -> None:
    store.upsert([row(number, turn=6) for number in range(40)])
    both = [subprocess.Popen([sys.executable, SCRIPT, store.address.folder, "update"]) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert newest_generation(store.mirror.folder) == 1
    assert_alike(store)
    held(store).check_all()


def test_where_it_cannot_be_written_lancedb_answers(store: Store) -> None:
    store.mirror.drop()
    store.mirror.folder.write_text("a file in its place")
    assert not store.mirror.update()
    assert store.mirror.current() is None
    assert told(store.search(query(1), 5)) == told(slow(store).search(query(1), 5))


def test_more_rows_than_the_setting_allows_are_lancedbs(store: Store) -> None:
    small = Store(store.address, snapshot_rows=29)
    assert small.mirror.current() is not None  # one that is there is used
    small.upsert([row(31)])
    assert small.mirror.current() is None
    assert len(small) == 31
    assert not small.mirror.folder.exists()


# ---- damage ---------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 64
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [cut, zeros, one_bit, Path.unlink], ids=["cut", "zeros", "one bit", "gone"])
@pytest.mark.parametrize("which", [0, 1], ids=["rows", "vectors"])
def test_damage_is_noticed_and_mended(store: Store, harm: Callable[[Path], None], which: int) -> None:
    harm(paths(store.mirror.folder, 1)[which])
    fresh = Store(store.address)
    expected = slow(store)
    for number in range(3):
        assert told(fresh.search(query(number), 40)) == told(expected.search(query(number), 40))
    assert {one.id for one in fresh.search_text("picture", 40)} == {
        one.id for one in expected.search_text("picture", 40)
    }
    assert fresh.mirror.update(tidy=True)
    assert_alike(fresh)
    held(fresh).check_all()


def test_a_vector_that_changed_in_a_large_file_is_no_hit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "SPREAD", 2)  # as if there were many
    at = held(store).nearest(query(1)[None, :], 1)[0][0][0]
    file = paths(store.mirror.folder, 1)[1]
    data = bytearray(file.read_bytes())
    data[int(at) * 32 + 3] ^= 1
    file.write_bytes(data)
    damaged = Snapshot.open(store.mirror.folder)
    assert damaged is not None
    with pytest.raises(Damaged):
        damaged.search(query(1), 30)
    fresh = Store(store.address)
    assert told(fresh.search(query(1), 5)) == told(slow(store).search(query(1), 5))
    assert_alike(fresh)


def test_optimize_forgets_what_was_removed(store: Store) -> None:
    secret = row(77, "unmistakable")
    store.upsert([secret])
    held(store)
    store.remove([secret.item.id])
    held(store)

    def kept() -> bool:
        return any(b"unmistak" in path.read_bytes() for path in store.mirror.folder.iterdir())

    assert kept()
    assert store.mirror.update(tidy=True)
    assert not kept()
    assert len(held(store)) == held(store).state.slots == 30


def test_what_is_opened_is_closed(store: Store) -> None:
    for _ in range(3):
        assert Snapshot.open(store.mirror.folder) is not None
    gc.collect()  # a connection left open would warn, and a warning fails


# ---- the product ----------------------------------------------------------------------------------------------


def test_a_collection_searches_alike_with_and_without(tmp_path: Path) -> None:
    captions = {f"p{n:02}.png": f"a {colour} thing" for n, colour in enumerate(["red", "green", "blue"] * 3)}
    made = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    for at, name in enumerate(captions):
        paint(tmp_path / "p" / name, ("red", "green", "blue")[at % 3], (32, 24 + at))
    write_captions(tmp_path / "p", captions)
    made.ingest(tmp_path / "p")
    plain = sightline.open(
        f"{tmp_path}/t", model=FakeEncoder(), settings=made.settings.model_copy(update={"snapshot_rows": 0})
    )
    for said, options in itertools.product(
        ("red", "a blue thing - green", "red in:p", "type:image", "p03"),
        ({}, {"group": True}, {"min_relevance": 0.0}, {"diverse": True}),
    ):
        ours, theirs = (one.search(said, 5, **options).to_json()["hits"] for one in (made, plain))  # type: ignore[arg-type]
        assert [hit["id"] for hit in ours] == [hit["id"] for hit in theirs], (said, options)
        assert [hit["score"] for hit in ours] == pytest.approx([hit["score"] for hit in theirs], abs=1e-5)
    assert made._store.mirror._held is not None
    assert plain._store.mirror._held is None


def test_a_search_from_the_shell_imports_no_lancedb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("red", "green", "blue"):
        paint(tmp_path / "p" / f"{name}.png", name)
    address = f"{tmp_path}/t"
    assert cli.main(["index", str(tmp_path / "p"), "-c", address, "--model", "pocket"]) == 0
    command = ["search", "a red square", "-c", address, "--min-relevance", "0"]
    assert cli.main(command) == 0  # what relevance is compared with is made by the first search
    capsys.readouterr()
    code = (
        "import sys; from sightline.cli import main; code = main(sys.argv[1:]);"
        "print(code, sorted({'lancedb', 'pyarrow', 'pandas', 'dateparser'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "0 []", ran.stderr
    assert ran.stdout.count("\n") == 4


# ---- what the table alone has ---------------------------------------------------------------------------------


def test_whole_items_come_by_address_as_by_scanning(store: Store) -> None:
    store.upsert([row(7, "another text")])  # where it lay before, nothing lies now
    store.remove([row(3).item.id])
    ids = [row(number).item.id for number in (2, 7, 3, 29)]
    there, scanned = store.items(ids), slow(store).items(ids)
    assert there == scanned
    assert [there[ids[at]].item.text for at in (0, 1, 3)] == ["picture number 2", "another text", "picture number 29"]
    assert store.versioned_thumbnails(ids) == slow(store).versioned_thumbnails(ids)
    assert [store.digest(ident) for ident in ids] == [slow(store).digest(ident) for ident in ids]
    by_uri = store.get("file:///p/2.jpg")
    assert by_uri is not None
    assert by_uri.id == ids[0]
    assert store.get("no such thing") is None


def test_a_table_made_anew_in_its_place_is_not_taken_for_the_one_before(store: Store, tmp_path: Path) -> None:
    assert store.items([row(1).item.id])
    other = Store(Address(tmp_path))
    other.drop()
    other.create(MANIFEST)
    other.upsert([row(number, f"new {number}") for number in reversed(range(30))])
    index.tend(other)
    assert other.mirror.update()
    fresh = store.items([row(1).item.id])
    assert [item.item.text for item in fresh.values()] == ["new 1"]


def test_an_address_that_another_row_has_by_now_is_not_believed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = held(store).addresses_of([row(5).item.id])
    monkeypatch.setattr(Snapshot, "addresses_of", lambda self, ids: wrong)
    [(ident, item)] = store.items([row(1).item.id]).items()
    assert (ident, item.item.text) == (row(1).item.id, "picture number 1")


def test_rows_that_pass_are_counted_without_lancedb(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    held(store)
    monkeypatch.setattr(type(store.rows), "table", property(lambda self: pytest.fail("asked LanceDB")))
    assert (store.count(), len(store)) == (30, 30)
    assert store.count(filters=[Filter("words", "2")]) == 1


def test_rows_that_are_known_are_looked_up_by_address_in_what_is_open(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Store(store.address)
    ids = [row(number).item.id for number in (1, 4, 99)]
    wanted = slow(store).known(ids)
    monkeypatch.setattr(type(store.rows), "read", lambda *args: pytest.fail("scanned"))
    assert again.known(ids) == wanted
    assert set(wanted) == set(ids[:2])


def test_who_writes_does_not_bring_the_snapshot_up_by_looking(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    held(store)
    store.upsert([row(1, "changed")])
    monkeypatch.setattr(store.mirror, "update", lambda **how: pytest.fail("brought up"))
    [known] = store.known([row(1).item.id]).values()
    assert known.text == "changed"
