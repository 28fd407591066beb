"""The store: rows in by id, out by vector, by words, by id; its own checks where LanceDB is silent."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from sightline import index
from sightline.errors import BadVectors, CollectionMissing, EncoderMismatch, ForeignTable, QueryError, UsageError
from sightline.rows import check_vectors
from sightline.schema import Encoded, Item, Manifest, Skipped, SkipReason, arrow_schema, vector_digest, version_of
from sightline.sources import HeldBytes
from sightline.store import Address, Store, list_collections

MANIFEST = Manifest("fake", 4, "f" * 64)


def row(uri: str, vector: Sequence[float], text: str = "", *, picture: bytes | None = None) -> Encoded:
    unit = np.asarray(vector, np.float32)
    unit /= np.linalg.norm(unit)
    item = Item(uri, uri.rsplit("/", 1)[-1], HeldBytes(b""), text)
    return Encoded(item, version_of(uri.encode()), 1, unit, b"thumb", picture, 10, 20)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(Address(tmp_path))
    store.create(MANIFEST)
    index.tend(store)
    store.upsert(
        [
            row("file:///a/x", [1, 0, 0, 0], "a red bus\nthe bus is late", picture=b"X"),
            row("file:///a/y", [1, 1, 0, 0], "two dogs", picture=b"Y"),
            row("file:///b/z", [0, 0, 1, 0], "小猫在睡觉"),
        ]
    )
    return store


def uris(found: Sequence[object]) -> list[str]:
    return [one.uri for one in found]  # type: ignore[attr-defined]


def test_scores_are_cosines_best_first(store: Store) -> None:
    found = store.search(np.array([1, 0, 0, 0], np.float32), 3)
    assert uris(found) == ["file:///a/x", "file:///a/y", "file:///b/z"]
    assert [round(one.score, 4) for one in found] == [1.0, 0.7071, 0.0]


def test_upserting_an_id_again_replaces_its_row(store: Store) -> None:
    store.upsert([row("file:///a/x", [0, 0, 0, 1], "now a tram")])
    assert len(store) == 3
    found = store.search(np.array([0, 0, 0, 1], np.float32), 1)[0]
    assert (found.uri, found.text) == ("file:///a/x", "now a tram")


def test_rows_move_in_the_same_commit_that_writes_their_successors(store: Store) -> None:
    before = store.rows.table.version
    old = store.get("file:///a/x")
    assert old is not None
    store.upsert([row("file:///a/moved", [1, 0, 0, 0])], gone=[old.id])
    assert store.rows.table.version == before + 1
    assert sorted(uri for chunk in store.ids() for _, uri in chunk) == ["file:///a/moved", "file:///a/y", "file:///b/z"]


def test_words_are_found_in_every_caption_stemmed_and_without_spaces(store: Store) -> None:
    assert uris(store.search_text("late and tired", 5)) == ["file:///a/x"]
    assert uris(store.search_text("DOG", 5)) == ["file:///a/y"]
    assert uris(store.search_text("小猫", 5)) == ["file:///b/z"]
    assert store.search_text("", 5) == []
    assert store.search_text("?!", 5) == []


def test_a_text_hit_knows_its_cosine_to_the_query(store: Store) -> None:
    found = store.search_text("dogs", 5, vector=np.array([1, 0, 0, 0], np.float32))
    assert found[0].cosine == pytest.approx(0.7071, abs=1e-4)


@pytest.mark.parametrize("quote", ["it's", 'a "b" c', "x' OR '1'='1", "100%_\\", "\u0000", "🙂"])
def test_values_never_become_sql(store: Store, quote: str) -> None:
    store.upsert([row(f"file:///q/{quote}", [0, 1, 0, 0], quote)])
    found = store.get(f"file:///q/{quote}")
    assert found is not None
    assert found.item.text == quote
    assert store.remove([quote]) == 0
    assert store.remove([found.id]) == 1
    assert len(store) == 3


def test_a_prefix_counts_only_what_is_under_it(store: Store) -> None:
    store.upsert([row("file:///ab", [0, 1, 0, 0]), row("file:///a0", [0, 1, 0, 0])])
    assert store.count_under("file:///a/") == 2
    assert [uri for chunk in store.ids(under="file:///b/") for _, uri in chunk] == ["file:///b/z"]


def test_pictures_are_kept_once_per_content_and_go_when_no_version_of_the_history_needs_them(store: Store) -> None:
    x = store.get("file:///a/x")
    assert x is not None
    assert store.picture(x.version) == b"X"
    twin = row("file:///a/twin", [1, 0, 0, 0], picture=b"X")
    store.upsert([Encoded(twin.item, x.version, 1, twin.vector, b"", b"X", 1, 1)])
    assert store.pictures.table.count_rows() == 2
    store.remove([x.id])
    assert store.picture(x.version) == b"X"
    store.remove([twin.item.id])
    index.tend(store, always=True)
    assert store.picture(x.version) == b"X"
    index.tend(store, always=True, older_than=timedelta(0))
    assert store.picture(x.version) is None


def test_no_picture_on_purpose_never_replaces_one_that_is_there(store: Store) -> None:
    store.upsert([row("file:///a/x", [1, 0, 0, 0], picture=b""), row("file:///n", [1, 0, 0, 0], picture=b"")])
    assert [store.picture(version_of(uri.encode())) for uri in ("file:///a/x", "file:///n")] == [b"X", None]


@pytest.mark.parametrize(
    "vector", [[1, 0, 0], [np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]], ids=str
)
def test_a_vector_that_cannot_be_right_is_refused_before_it_is_asked_for_or_written(
    store: Store, vector: list[float]
) -> None:
    bad = np.asarray(vector, np.float32)
    with pytest.raises(BadVectors):
        store.search(bad, 3)
    with pytest.raises(BadVectors):
        good = row("file:///new", [1, 0, 0, 0])
        store.upsert([Encoded(good.item, "v", 1, bad, b"", None, 1, 1)])
    assert len(store) == 3


def test_check_vectors_names_the_first_bad_row() -> None:
    rows = np.eye(4, dtype=np.float32)
    assert check_vectors(rows, 4) is rows
    rows[2] = 0
    with pytest.raises(BadVectors, match="vector 2 of 4 has length 0"):
        check_vectors(rows, 4)


@pytest.mark.parametrize(
    "where", ["nonsense = 3", "id =", "text LIKE", "width > 'many'", "; DROP TABLE items", "uri = 'a;b'; x"]
)
def test_a_bad_where_clause_is_a_query_error_that_quotes_it(store: Store, where: str) -> None:
    with pytest.raises(QueryError) as caught:
        store.search(np.array([1, 0, 0, 0], np.float32), 3, where=where)
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(store) == 3


def test_a_where_clause_filters_before_the_nearest_are_taken(store: Store) -> None:
    found = store.search(np.array([1, 0, 0, 0], np.float32), 1, where="text LIKE '%dogs%'")
    assert uris(found) == ["file:///a/y"]


def test_captions_and_times_change_without_touching_vectors_or_pictures(store: Store) -> None:
    known = next(iter(store.known([row("file:///a/x", [1]).item.id]).values()))
    digest = store.rows.table.search().where("uri = 'file:///a/x'").to_arrow()["vector_digest"][0].as_py()
    store.amend([replace(known, text="a green bus", mtime_ns=5)])
    after = store.rows.table.search().where("uri = 'file:///a/x'").to_arrow().to_pylist()[0]
    assert (after["text"], after["mtime_ns"], after["vector_digest"]) == ("a green bus", 5, digest)
    assert vector_digest(np.asarray(after["vector"], np.float32)) == digest
    assert uris(store.search_text("green", 3)) == ["file:///a/x"]


def test_skips_are_remembered_once_per_uri(store: Store) -> None:
    store.remember_skipped([Skipped("file:///s", SkipReason.EMPTY, "", 0, 1)])
    store.remember_skipped([Skipped("file:///s", SkipReason.UNDECODABLE, "bad", 7, 2)])
    assert store.skipped(["file:///s", "file:///t"]) == {
        "file:///s": Skipped("file:///s", SkipReason.UNDECODABLE, "bad", 7, 2)
    }
    store.forget_skipped(["file:///s"])
    assert store.skipped(["file:///s"]) == {}


def test_the_table_has_the_agreed_columns_and_plain_lancedb_reads_it(store: Store, tmp_path: Path) -> None:
    table = lancedb.connect(tmp_path).open_table("items")
    assert table.schema.names == arrow_schema(MANIFEST).names
    assert Manifest.loads(table.schema.metadata[b"sightline"]) == MANIFEST
    frame = table.search(np.array([1, 0, 0, 0], np.float32), vector_column_name="vector").limit(3).to_pandas()
    assert frame["uri"][0] == "file:///a/x"


def test_a_table_made_by_someone_else_is_left_alone(tmp_path: Path) -> None:
    theirs = lancedb.connect(tmp_path).create_table("items", pa.table({"id": ["a"]}))
    with pytest.raises(ForeignTable) as caught:
        _ = Store(Address(tmp_path)).manifest
    assert "another table name" in caught.value.hint
    assert theirs.count_rows() == 1


def test_a_missing_collection_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CollectionMissing) as caught:
        len(Store(Address(tmp_path / "nowhere")))
    assert "sightline index" in caught.value.hint
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("text", ["#x", "a#b/c", "a#b.c", "a#ü", "s3://bucket/x#y"])
def test_an_address_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Address.parse(text)


def test_addresses_are_read_and_written_alike() -> None:
    assert str(Address.parse("data/tables#gta_data")) == "data/tables#gta_data"
    assert str(Address.parse("data/tables")) == "data/tables#items"


def test_collections_are_listed_without_their_side_tables(store: Store, tmp_path: Path) -> None:
    store.remember_skipped([Skipped("file:///s", SkipReason.EMPTY)])
    assert [str(one) for one in list_collections(tmp_path)] == [f"{tmp_path}#items"]


def test_a_writer_with_the_former_encoder_is_refused_after_a_rebuild(store: Store, tmp_path: Path) -> None:
    late = Store(Address(tmp_path))
    assert late.manifest == MANIFEST
    other = Manifest("other", 4, "e" * 64)
    store.replace_rows(other, iter([[row("file:///a/x", [0, 1, 0, 0])]]), {})
    with pytest.raises(EncoderMismatch, match="was rebuilt with other"):
        late.upsert([row("file:///new", [1, 0, 0, 0])])
    assert len(store) == 1


def test_a_replaced_collection_keeps_first_dates_and_its_former_rows_in_the_history(store: Store) -> None:
    version, day = store.rows.table.version, datetime(2020, 2, 2, tzinfo=UTC)
    one = row("file:///a/x", [0, 1, 0, 0])
    store.replace_rows(Manifest("other", 4, "e" * 64), iter([[one]]), {one.item.id: day})
    stored = store.get(one.item.id)
    assert stored is not None
    assert stored.added_at == day
    old = lancedb.connect(store.address.folder).open_table("items")
    old.checkout(version)
    assert old.count_rows() == 3


def upsert_rounds(folder: str, who: int, rounds: int) -> None:
    store = Store(Address(Path(folder)))
    store.create(MANIFEST)
    for turn in range(rounds):
        store.upsert([row(f"file:///{turn}/{i}", [1, i, who, 1], f"by {who}") for i in range(5)])


def test_four_processes_upserting_the_same_ids_leave_each_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=upsert_rounds, args=(str(tmp_path), who, 6)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    ids = [ident for chunk in Store(Address(tmp_path)).ids() for ident, _ in chunk]
    assert len(ids) == len(set(ids)) == 30
