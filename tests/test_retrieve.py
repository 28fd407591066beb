"""retrieve(): channels, fusion, why; and on real photographs that a caption finds its picture."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fakes import FakeEncoder
from pictures import colours, paint, write_captions
from PIL import Image

import sightline
from sightline.errors import BadMedia, CollectionError, CollectionMissing, QueryError
from sightline.schema import Hits, Query


@pytest.fixture
def collection(tmp_path: Path) -> sightline.Collection:
    folder = colours(tmp_path / "pictures")
    write_captions(
        folder,
        {
            "red.png": "a poppy field",
            "green.png": "a meadow with one red poppy",
            "blue.png": "the sea",
            "yellow.png": "the sun over a red field",
        },
    )
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    return collection


def names(hits: Hits) -> list[str]:
    return [hit.name.removesuffix(".png") for hit in hits]


def test_vector_alone_ranks_by_cosine(collection: sightline.Collection) -> None:
    hits = collection.search("red", 4, channels=("vector",))
    assert names(hits)[:2] == ["red", "yellow"]
    assert [round(hit.score, 4) for hit in hits] == [1.0, 0.7071, 0.0, 0.0]
    assert all(set(hit.why) == {"vector"} for hit in hits)


def test_text_alone_finds_captions_and_still_scores_by_cosine(collection: sightline.Collection) -> None:
    hits = collection.search("poppy", 4, channels=("text",))
    assert set(names(hits)) == {"red", "green"}
    assert all(set(hit.why) == {"text"} for hit in hits)
    assert {hit.name: round(hit.score, 2) for hit in hits} == {"red.png": 0.0, "green.png": 0.0}


def test_a_caption_that_says_it_all_comes_first_though_the_picture_does_not(collection: sightline.Collection) -> None:
    hits = collection.search("one red poppy", 4, channels=("vector", "text"))
    assert hits[0].name == "green.png"
    assert hits[0].why["text"].rank == 1
    assert hits[0].why["vector"].rank > 1


def test_with_equal_captions_the_picture_decides(collection: sightline.Collection) -> None:
    hits = collection.search("red", 4, channels=("vector", "text"))
    assert names(hits)[0] == "yellow", "its caption says red and so do its pixels"


def test_every_hit_carries_its_rank_in_each_channel(collection: sightline.Collection) -> None:
    hits = collection.search("sun over red field", 4)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert sorted(hit.why["vector"].rank for hit in hits) == [1, 2, 3, 4]
    assert hits.to_json()["hits"][0]["why"]["text"]["rank"] == 1


def test_a_picture_is_a_query_and_so_are_its_bytes_and_its_path(
    collection: sightline.Collection, tmp_path: Path
) -> None:
    path = paint(tmp_path / "q.png", (0, 0, 200))
    for query in (Image.open(path), path.read_bytes(), str(path), f"file:{path}"):
        hits = collection.search(query, 1)
        assert names(hits) == ["blue"]
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)


def test_more_like_an_item_leaves_the_item_itself_out(collection: sightline.Collection) -> None:
    red = collection.search("red", 1, channels=("vector",))[0]
    assert names(collection.search(f"id:{red.id}", 1)) == ["yellow"]


def test_terms_are_summed_and_what_is_left_out_is_half_subtracted(collection: sightline.Collection) -> None:
    def scores(query: str) -> dict[str, float]:
        hits = collection.search(query, 4, channels=("vector",))
        return {hit.name.removesuffix(".png"): round(hit.score, 3) for hit in hits}

    assert scores('"red" + "green"') == {"yellow": 1.0, "red": 0.707, "green": 0.707, "blue": 0.0}
    assert scores("3:red + 4:green") == {"yellow": 0.99, "green": 0.8, "red": 0.6, "blue": 0.0}
    assert scores("red - xyz blue") == {"red": 0.894, "yellow": 0.632, "green": 0.0, "blue": -0.447}
    assert scores("red - 2:(xyz blue) - (no such)")["blue"] == -0.436, "(1, 0, -0.5, -0.25): their mean"


def test_plain_words_are_encoded_and_ranked_as_they_were(collection: sightline.Collection) -> None:
    encoder = collection.encoder
    assert isinstance(encoder, FakeEncoder)
    encoder.calls.clear()
    plain, literal = collection.search("red field", 4), collection.search("red field", 4, literal=True)
    assert encoder.calls == ["red field", "red field"]
    assert plain == literal
    assert plain.to_json()["understood"] == {"terms": [{"text": "red field"}], "filters": [], "text": "red field"}


def test_terms_that_cancel_each_other_out_say_so(collection: sightline.Collection) -> None:
    with pytest.raises(QueryError, match="cancel each other out"):
        collection.search("red - 2:red")


def test_examples_refine_a_query_and_do_without_one(collection: sightline.Collection, tmp_path: Path) -> None:
    by_name = {hit.name.removesuffix(".png"): hit for hit in collection.search("red", 4, channels=("vector",))}
    red, green = by_name["red"], by_name["green"]
    assert names(collection.search(like=[red, green.id])) == ["yellow", "blue"]
    assert names(collection.search(like=red.uri, unlike=by_name["blue"]))[0] == "yellow"
    mine = paint(tmp_path / "mine.png", (0, 0, 90))
    for example in (mine, str(mine), mine.read_bytes(), Image.open(mine)):
        assert names(collection.search(like=example))[0] == "blue"
    assert names(collection.search("red", like=[green], channels=("vector",)))[0] == "yellow"
    assert names(collection.search(f"id:{red.id} + id:{green.id} - id:{by_name['blue'].id}")) == ["yellow"]
    understood = collection.search("red", like=[red, green], unlike=by_name["blue"]).to_json()["understood"]
    assert [term.get("weight", 1) for term in understood["terms"]] == [1, 1, 1, -1]


def test_examples_of_what_is_not_wanted_need_something_that_is(
    collection: sightline.Collection, tmp_path: Path
) -> None:
    with pytest.raises(QueryError, match="only says what to leave out"):
        collection.search(unlike=collection.search("red", 1))
    with pytest.raises(QueryError, match="cannot be read"):
        collection.search(like=tmp_path / "nowhere.png")


def test_sorting_by_date_reorders_the_best_and_keeps_their_ranks(tmp_path: Path) -> None:
    folder = colours(tmp_path / "pictures")
    for day, name in enumerate(("yellow", "blue", "red", "green"), start=1):
        os.utime(folder / f"{name}.png", (86_400 * day, 86_400 * day))
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    hits = collection.search("xyz red", 2, channels=("vector",), sort="date")
    assert [(hit.rank, hit.name) for hit in hits] == [(1, "red.png"), (2, "yellow.png")]
    hits = collection.search("green red", 3, channels=("vector",), sort="date")
    assert [(hit.rank, hit.name) for hit in hits][-1] == (1, "yellow.png")
    with pytest.raises(QueryError, match="score or date"):
        collection.search("red", sort="name")


def test_a_query_may_be_given_understood(collection: sightline.Collection) -> None:
    assert collection.search(Query("x", terms=())) == collection.search()


def test_a_where_clause_holds_in_every_channel(collection: sightline.Collection) -> None:
    assert names(collection.search("red", 9, where="text LIKE '%sea%'")) == ["blue"]


def test_unchanged_fields_of_the_json_document_are_there(collection: sightline.Collection) -> None:
    document = json.loads(json.dumps(collection.search("red", 1).to_json()))
    assert set(document) >= {"query", "understood", "cutoff", "hits"}
    assert set(document["understood"]) >= {"terms", "filters", "text"}
    fields = {"rank", "id", "uri", "score", "relevance", "text", "modality", "captured_at", "group", "why"}
    assert set(document["hits"][0]) >= fields


@pytest.mark.parametrize("k", [0, -1, 1001, 2.5, True, "3"])
def test_k_outside_its_range_is_a_usage_error(collection: sightline.Collection, k: object) -> None:
    with pytest.raises(QueryError, match="1 to 1,000"):
        collection.search("red", k)  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["", "   ", "id:", "./nowhere.jpg", "file:nowhere.jpg", "id:unknown", "x" * 10_001])
def test_a_query_that_cannot_be_meant_is_an_error_that_says_why(collection: sightline.Collection, query: str) -> None:
    with pytest.raises(QueryError) as caught:
        collection.search(query)
    assert str(caught.value)


def test_a_picture_query_that_is_no_picture_says_so(collection: sightline.Collection) -> None:
    with pytest.raises(QueryError, match="cannot be used"):
        collection.search(b"%PDF-1.4")


def test_searching_nothing_says_how_to_index(tmp_path: Path) -> None:
    with pytest.raises(CollectionMissing):
        sightline.open(f"{tmp_path}/none", model=FakeEncoder()).search("red")


def test_pictures_of_hits_are_read_when_asked_for(collection: sightline.Collection) -> None:
    hit = collection.search("blue", 1, channels=("vector",))[0]
    assert hit.image.size == (32, 24)
    assert hit.image.getpixel((5, 5))[2] > 200


@pytest.mark.parametrize("keep", ["original", "preview", "none"])
def test_pictures_of_hits_are_upright_however_they_are_kept(tmp_path: Path, keep: str) -> None:
    sideways = Image.new("RGB", (40, 20), (250, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to view
    (tmp_path / "p").mkdir()
    sideways.save(tmp_path / "p" / "phone.jpg", exif=exif)
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(tmp_path / "p", keep=keep)
    assert collection.search("red", 1)[0].image.size == (20, 40)


def test_hits_become_the_tutorials_table(collection: sightline.Collection) -> None:
    frame = collection.search("red", 3, channels=("vector",)).to_pandas()
    assert list(frame.columns[:5]) == ["id", "text", "score", "distance", "uri"]
    assert (frame["score"] + frame["distance"]).tolist() == pytest.approx([1, 1, 1])


def test_get_add_and_remove(collection: sightline.Collection, tmp_path: Path) -> None:
    path = paint(tmp_path / "new" / "teal.png", (0, 120, 120))
    ident = collection.add(path, "a teal square")
    assert collection.get(ident).item.text == "a teal square"
    assert collection.search("teal", 1)[0].id == ident
    other = collection.add(Image.new("RGB", (5, 5), (9, 9, 200)), "a small sea")
    assert collection.picture(other).startswith(b"\x89PNG")
    assert collection.remove([ident, other, "unknown"]) == 2
    with pytest.raises(CollectionError):
        collection.get(ident)


def test_what_cannot_be_added_is_refused_with_the_reason(collection: sightline.Collection) -> None:
    with pytest.raises(BadMedia) as caught:
        collection.add(b"GIF89a")
    assert caught.value.reason == "undecodable"
    assert len(collection) == 4
