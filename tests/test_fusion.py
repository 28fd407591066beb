"""fuse() and the strength of an encoder: worths, shares and order computed by hand; full text in many languages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from pictures import paint, write_captions

import sightline
from sightline.fusion import ALONE, BALANCE, FIRST, Voice, fuse, voices
from sightline.rows import Found
from sightline.schema import Modality
from sightline.strength import DOUBT, LEAST, USUAL, strength

HEARD = {"vector": Voice(1.0, deviations=True), "text": Voice(0.5)}


def row(ident: str, score: float, cosine: float | None = None) -> Found:
    return Found(ident, f"file:///{ident}", ident, "", Modality.IMAGE, None, score, cosine)


def test_worths_of_all_channels_are_added_and_the_shares_are_parts_of_the_sum() -> None:
    by_vector = [row("a", 0.3, 0.3), row("b", 0.2, 0.2), row("d", 0.1, 0.1)]
    by_text = [row("b", 8.0, 0.2), row("c", 2.0, 0.1)]
    fused = fuse({"vector": by_vector, "text": by_text}, HEARD)
    spread = np.std([0.3, 0.2, 0.1])
    assert {one.id: one.fused for one in fused} == pytest.approx(
        {"b": 0.1 / spread + 4.0, "a": 0.2 / spread, "c": 1.0, "d": 0.0}
    )
    assert [one.id for one in fused] == ["b", "a", "c", "d"]
    b = fused[0]
    assert (b.why["vector"].rank, b.why["text"].rank, b.why["text"].score) == (2, 1, 8.0)
    assert b.why["text"].share == pytest.approx(4.0 / (0.1 / spread + 4.0))
    assert all(sum(channel.share for channel in one.why.values()) == pytest.approx(1) for one in fused)


def test_a_cosine_counts_from_that_of_the_fiftieth_on_however_many_were_asked_for() -> None:
    rows = [row(f"{at:03}", 1 - at / 1000, 1 - at / 1000) for at in range(3 * FIRST)]
    few, many = fuse({"vector": rows[:FIRST]}, ALONE), fuse({"vector": rows}, ALONE)
    assert [one.fused for one in few] == [one.fused for one in many[:FIRST]]
    assert few[-1].fused == 0.0
    assert {one.fused for one in many[FIRST:]} == {0.0}
    assert [one.id for one in many] == [one.id for one in rows], "those after it stand by their cosine"


def test_the_one_picture_that_stands_out_is_worth_more_than_one_of_many_alike() -> None:
    out = fuse({"vector": [row("a", 0.3), *(row(f"b{at}", 0.1 - at / 1e4) for at in range(9))]}, ALONE)
    alike = fuse({"vector": [row("a", 0.3), *(row(f"b{at}", 0.3 - at / 1e2) for at in range(1, 10))]}, ALONE)
    assert out[0].fused > alike[0].fused


def test_a_word_that_one_row_alone_has_counts_a_deviation_at_the_balance_and_less_with_a_stronger_encoder() -> None:
    assert voices("zebra", BALANCE, 1_000)["text"].weight * np.log(1_001) == pytest.approx(1.0)
    weights = [voices("zebra", strength, 1_000)["text"].weight for strength in (0, 1, 2.8, 4.2)]
    assert weights == sorted(weights, reverse=True)
    one, two = voices("a zebra", 1.0, 10), voices("the zebras in Africa", 1.0, 10)
    assert one["text"].weight == 2 * two["text"].weight, "half as much for each of two words; small ones do not count"
    assert one["name"].weight < one["text"].weight
    most, few, none = (voices("zebra", 1.0, 10, share)["text"].weight for share in (0.75, 0.5, 0.0))
    assert (most, few, none) == (0.75 * one["text"].weight, 0.5 * one["text"].weight, few)


def test_a_row_that_only_its_caption_found_has_its_own_cosine() -> None:
    fused = fuse({"vector": [], "text": [row("a", 5.0, -0.1), row("b", 5.0)]}, HEARD)
    assert {one.id: one.score for one in fused} == {"a": -0.1, "b": 0.0}


def test_equal_sums_stand_by_cosine_and_then_by_id() -> None:
    one_each = {"x": [row("a", 0.1, 0.1)], "y": [row("b", 0.1, 0.9)], "z": [row("c", 0.1, 0.1)]}
    assert [one.id for one in fuse(one_each, dict.fromkeys(one_each, Voice(1.0)))] == ["b", "a", "c"]


def test_no_channel_and_empty_channels_and_equal_cosines_give_what_there_is() -> None:
    assert fuse({}, HEARD) == []
    assert fuse({"vector": [], "text": []}, HEARD) == []
    same = fuse({"vector": [row("b", 0.5, 0.5), row("a", 0.5, 0.5)]}, HEARD)
    assert [(one.id, one.fused, one.why["vector"].share) for one in same] == [("a", 0.0, 1.0), ("b", 0.0, 1.0)]


# ---- strength -------------------------------------------------------------------------------------------------


def test_strength_is_the_mean_of_standard_scores_with_some_doubt() -> None:
    pictures = np.eye(4, dtype=np.float32)
    own = np.array([0, 1])
    perfect = 0.75 / np.std([1, 0, 0, 0])
    assert strength(pictures[own], own, pictures) == pytest.approx((2 * perfect + DOUBT * USUAL) / (2 + DOUBT))
    alike = np.full((1, 4), 0.5, np.float32)
    assert strength(alike, np.array([2]), pictures) == pytest.approx(DOUBT * USUAL / (1 + DOUBT)), "knows nothing"


def coloured(folder: Path, n: int, captions: dict[str, str]) -> Path:
    for at in range(n):
        paint(folder / f"p{at:02}.png", ((250, 0, 0), (0, 250, 0), (0, 0, 250))[at % 3])
    write_captions(folder, captions)
    return folder


def test_a_collection_measures_once_what_its_encoder_can_do_and_words_weigh_less_for_it(tmp_path: Path) -> None:
    colour = ("red", "green", "blue")
    told = {f"p{at:02}.png": f"{colour[at % 3]} thing number{at}" for at in range(LEAST + 2)}
    weights = {}
    for name, captions in (("right", told), ("wrong", {one: f"thing number{int(one[1:3])}" for one in told})):
        encoder = FakeEncoder()
        collection = sightline.open(f"{tmp_path}/{name}", model=encoder)
        collection.ingest(coloured(tmp_path / f"{name}-pictures", LEAST + 2, captions))
        encoder.calls.clear()
        hits = collection.search("number7", 3)
        assert len(encoder.calls) == 1 + LEAST + 2, "the query and each caption"
        collection.search("number8", 3)
        assert len(encoder.calls) == 2 + LEAST + 2, "kept"
        assert sightline.open(f"{tmp_path}/{name}", model=encoder).search("number7", 3) == hits
        assert len(encoder.calls) == 3 + LEAST + 2, "by the next process too"
        kept = json.loads((tmp_path / name / ".sightline" / "items.strength").read_text())
        weights[name] = voices("x", kept["strength"], kept["rows"])["text"].weight
    assert weights["right"] < weights["wrong"]


def test_few_captions_are_not_measured_and_a_lost_or_odd_file_is_no_matter(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    collection = sightline.open(f"{tmp_path}/t", model=encoder)
    collection.ingest(coloured(tmp_path / "p", 3, {"p00.png": "a poppy"}))
    encoder.calls.clear()
    hits = collection.search("poppy", 3)
    assert encoder.calls == ["poppy"]
    file = tmp_path / "t" / ".sightline" / "items.strength"
    for odd in (
        "",
        "[]",
        '{"strength": 1}',
        '{"strength": NaN, "captions": 64, "captioned": 1, "encoder": "f", "rows": 3, "version": 1}',
    ):
        file.write_text(odd)
        assert sightline.open(f"{tmp_path}/t", model=encoder).search("poppy", 3) == hits
    file.unlink()
    assert sightline.open(f"{tmp_path}/t", model=encoder).search("poppy", 3) == hits


# ---- words ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many_tongues(tmp_path_factory: pytest.TempPathFactory) -> sightline.Collection:
    folder = tmp_path_factory.mktemp("tongues")
    captions = {
        "zh.png": "公园里有一只狗在奔跑\n红色的沙发",
        "ja.png": "東京タワーの夜景",
        "th.png": "แมวนอนบนโซฟา",
        "de.png": "Zwei Hunde spielen vor den Häusern",
        "en.png": "two dogs are running on a beach, no cat in sight",
        "2019 Croatia/IMG_1234.png": "",
    }
    for at, name in enumerate(captions):
        paint(folder / "p" / name, (10 * at, 0, 0))
    write_captions(folder / "p", {name: text for name, text in captions.items() if text})
    collection = sightline.open(f"{folder}/t", model=FakeEncoder())
    collection.ingest(folder / "p")
    return collection


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("狗", {"zh.png"}),
        ("公园", {"zh.png"}),
        ("夜景", {"ja.png"}),
        ("東京", {"ja.png"}),
        ("แมว", {"th.png"}),
        ("Hund", {"de.png"}),
        ("Häusern", {"de.png"}),
        ("hausern", {"de.png"}),
        ("dog", {"en.png"}),
        ("runs", {"en.png"}),
        ("no", {"en.png"}),
        ("the", set()),
    ],
)
def test_captions_are_found_with_and_without_spaces_stemmed_and_without_small_words(
    many_tongues: sightline.Collection, words: str, found: set[str]
) -> None:
    hits = many_tongues.search(words, 9, channels=("text",), literal=True)
    assert {hit.name for hit in hits} == found


@pytest.mark.parametrize(
    ("phrase", "found"), [("红色的沙发", {"zh.png"}), ("dogs are", {"en.png"}), ("are dogs", set())]
)
def test_a_phrase_is_words_side_by_side_in_any_script(
    many_tongues: sightline.Collection, phrase: str, found: set[str]
) -> None:
    assert {hit.name for hit in many_tongues.search(f'text:"{phrase}"', 9)} == found


@pytest.mark.parametrize("words", ["croatia", "1234", "img_1234"])
def test_words_of_the_file_and_its_folders_find_it(many_tongues: sightline.Collection, words: str) -> None:
    assert [hit.name for hit in many_tongues.search(words, 9, channels=("name",))] == ["2019 Croatia/IMG_1234.png"]
    in_all = {hit.name: hit.why for hit in many_tongues.search(words, 9)}
    assert [name for name, why in in_all.items() if "name" in why] == ["2019 Croatia/IMG_1234.png"]
    assert in_all["2019 Croatia/IMG_1234.png"]["name"].share > 0.5


def test_parts_of_names_that_say_nothing_find_nothing(many_tongues: sightline.Collection) -> None:
    assert len(many_tongues.search("png", 9, channels=("name",))) == 0


def test_a_collection_without_these_indexes_is_searched_and_gets_them_by_the_next_index(tmp_path: Path) -> None:
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    folder = coloured(tmp_path / "holiday", 3, {"p00.png": "a poppy"})
    collection.ingest(tmp_path / "holiday")
    rows = collection._store.rows
    rows.write(lambda t: t.drop_index("name_idx"))
    rows.write(lambda t: t.drop_index("text_idx"))
    assert collection._store.full_text() == frozenset()
    assert collection.search("p01", 3, channels=("name",)).hits == ()
    assert collection.search("poppy", 1, channels=("text",))[0].name == "p00.png"
    collection.ingest(folder)
    assert collection._store.full_text() == {"text", "name"}
    assert collection.search("p01", 3, channels=("name",))[0].name == "p01.png"
