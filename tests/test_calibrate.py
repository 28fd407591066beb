"""How likely a hit is to be relevant: evidence by hand, the background and its file, the cut, how it is measured."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from pictures import colours, paint, write_captions

import sightline
from sightline import background as backgrounds
from sightline import calibrate
from sightline.background import Background, Backgrounds
from sightline.calibrate import Calibration, Evidence, Head, gather
from sightline.cli import main
from sightline.cutoffs import measure_cutoff
from sightline.errors import QueryError, UsageError
from sightline.judgements import Question
from sightline.query import parse
from sightline.schema import Filter, Query, Term
from sightline.stems import stems
from sightline.store import Address, Store

DATA = Path(backgrounds.__file__).parent / "data"
NONE = Background.of(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32), ())


def evidence(words: str, *texts: str, background: Background = NONE) -> Evidence:
    return gather(words, np.array([1, 0], np.float32), np.zeros((len(texts), 2), np.float32), texts, background)


def at(angle: float) -> list[float]:
    return [math.cos(angle), math.sin(angle)]


# ---- words ----------------------------------------------------------------------------------------------------


def test_stems_are_those_of_the_full_text_index(tmp_path: Path) -> None:
    lancedb = pytest.importorskip("lancedb")
    import pyarrow as pa
    from lancedb.query import MatchQuery

    from sightline.index import _index_text

    words = "dog dogs running ran cities boxes café cafe rock-n-roll it's stop-sign skiing houses being U.S. 35mm"
    texts = [*words.split(), "Two DOGS, running", "a café by the sea", "rock 'n' roll", "under_scored words"]
    table = lancedb.connect(tmp_path).create_table("t", pa.table({"text": texts}))
    _index_text(table)
    for word in words.split():
        asked = table.search(MatchQuery(word, "text"), query_type="fts").limit(100).select(["text", "_score"])
        ours = {text for text in texts if set(stems(word)) & set(stems(text))}
        assert {row["text"] for row in asked.to_list()} == ours, word


def test_what_a_caption_tells_is_its_share_of_the_information_asked_for() -> None:
    captions = ["a red car"] * 6 + ["a green bus"] * 3 + ["a red bus"]
    background = Background.of(np.empty((0, 2), np.float32), np.zeros((10, 2), np.float32), captions)
    red, bus = math.log(1 + 10.5 / 7.5), math.log(1 + 10.5 / 4.5)
    told = evidence("a red bus", "a red car", "a green bus", "a red bus", background=background).told
    assert told == pytest.approx([red / (red + bus), bus / (red + bus), 1.0])


def test_a_word_that_nothing_here_knows_weighs_most() -> None:
    background = Background.of(np.empty((0, 2), np.float32), np.zeros((4, 2), np.float32), ["a road"] * 4)
    told = evidence("an elephant on the road", "a road", background=background).told
    assert told[0] < 0.25


def test_words_that_show_nothing_need_not_be_in_a_caption() -> None:
    assert evidence("photos of somebody riding my bicycle", "a person rides a bicycle").told.tolist() == [1.0]
    assert evidence("somebody", "somebody in a hat", "a car").told.tolist() == [1.0, 0.0]  # nothing else was asked for


def test_neighbours_in_the_query_have_to_be_neighbours_in_one_caption() -> None:
    texts = ("a green car\na police officer", "a green police car", "police\ncar")
    assert evidence("a green police car", *texts).pairs.tolist() == [0.0, 1.0, 0.0]
    assert evidence("a car", "the car", "a bus").pairs.tolist() == [1.0, 0.0]  # one word: the pair is the word


def test_a_hit_without_text_is_known_to_have_none() -> None:
    assert evidence("a car", "a car", " \n", "").texts.tolist() == [True, False, False]


# ---- cosines --------------------------------------------------------------------------------------------------


def test_pull_is_measured_against_the_picture_s_own_cosines_to_unrelated_sentences() -> None:
    sentences = np.array([at(0.0), at(math.pi / 2)], np.float32)
    hub, other = at(0.1), at(math.pi)
    background = Background.of(sentences, np.array([hub], np.float32), [""])
    found = gather("x", np.array(at(0.1), np.float32), np.array([hub, other], np.float32), ("", ""), background)
    usual = np.cos([0.1, math.pi / 2 - 0.1])
    assert found.pull[0] == pytest.approx((1 - usual.mean()) / usual.std(), rel=1e-4)
    assert found.pull[1] == calibrate.FAR[0] or found.pull[1] < 0


def test_rise_is_measured_against_the_query_s_own_cosines_to_other_pictures() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(500, 8)).astype(np.float32)
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    sentences = pictures[:50]
    query = pictures[100]
    found = gather("x", query, pictures[100:102], ("", ""), Background.of(sentences, pictures, [""] * 500))
    usual = pictures @ query
    assert found.rise[0] == pytest.approx((1 - usual.mean()) / usual.std(), rel=0.05)
    assert found.rise[1] == pytest.approx((usual[101] - usual.mean()) / usual.std(), abs=0.1)


def test_with_one_picture_the_query_is_compared_with_what_sentences_usually_score() -> None:
    sentences = np.array([at(angle) for angle in np.linspace(0.8, 1.6, 20)], np.float32)
    picture = np.array([at(0.0)], np.float32)
    found = gather("x", picture[0], picture, ("",), Background.of(sentences, picture, [""]))
    assert found.rise[0] > 1


# ---- the model ------------------------------------------------------------------------------------------------


def test_the_shipped_coefficients_never_take_evidence_for_a_fault() -> None:
    told = json.loads((DATA / "cutoff" / "cutoff.json").read_text())
    for heads in (told["any"], *told["encoders"].values()):
        for head in (heads["vector"], heads["text"]):
            assert all(weight >= 0 for name, weight in head.items() if name != "bias")


@pytest.mark.parametrize("channels", [("vector", "text"), ("vector",), ("text",)])
def test_without_evidence_relevance_is_low(channels: tuple[str, ...]) -> None:
    nothing = Evidence(*(np.zeros(2) for _ in range(4)), texts=np.array([True, False]))
    assert (calibrate.calibration()(nothing, channels) < 0.3).all()


def test_the_bundled_encoder_has_no_say_without_text(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for n in range(3):
        paint(folder / f"{n}.png", (60 * n, 40, 200))
    write_captions(folder, {"0.png": "a lighthouse"})
    at = f"{tmp_path}/t"
    photos = sightline.open(at, model="pocket")
    photos.ingest(folder)
    hits = photos.search("an elephant", min_relevance=0.5)
    assert sorted(hit.name for hit in hits) == ["1.png", "2.png"]  # the caption says that the other is none
    assert {hit.relevance for hit in hits} == {None}
    assert (hits.cutoff, hits.near_misses) == (0.5, 1)


def test_a_caption_that_says_all_of_it_is_relevant_and_one_that_says_none_is_not() -> None:
    usual = Evidence(np.ones(2), np.zeros(2), np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([True, True]))
    yes, no = calibrate.calibration()(usual)
    assert yes > 0.7
    assert no < 0.2


@pytest.mark.parametrize("beside", [True, False])
def test_text_decides_where_there_is_some_and_only_a_good_vector_may_speak(beside: bool) -> None:
    judge = Calibration(Head(-1.0, {"pull": 1.0}), Head(-3.0, {"told": 4.0}), beside)
    pull, told = np.array([0.0, 3.0, 0.0, 3.0]), np.array([1.0, 0.0, 1.0, 1.0])
    shown = Evidence(np.zeros(4), pull, told, np.zeros(4), np.array([True, True, False, False]))
    seen, said = 1 / (1 + np.exp([1, -2, 1, -2])), 1 / (1 + np.exp([-1, 3, -1, -1]))
    seen = seen if beside else np.full(4, np.nan)
    expected = [said[0], seen[1] if beside else said[1], seen[2], seen[3]]
    assert judge(shown).tolist() == pytest.approx(expected, nan_ok=True)
    assert judge(shown, ("vector",)).tolist() == pytest.approx(seen.tolist(), nan_ok=True)
    assert judge(shown, ("text",)).tolist() == pytest.approx(said.tolist())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (parse("a dog"), True),
        (parse("dog + cat - zebra"), True),
        (Query("x", (Term(item="a"),)), False),
        (Query("x", (Term(text="dog"), Term(picture=b"png"))), False),
        (Query("x", (Term(text="dog"), Term(item="a", weight=-1.0))), True),
        (Query("x", (), filters=(Filter("type", "image"),)), False),
    ],
)
def test_relevance_can_be_said_of_words_alone(query: Query, said: bool) -> None:
    assert calibrate.can_be_said(query) is said


def test_neither_the_sentences_nor_what_was_fitted_on_is_asked_when_it_is_measured() -> None:
    lines = (DATA / "streets" / "streets-queries.jsonl").read_text("utf-8").splitlines()
    asked = {line["query"] for line in map(json.loads, lines) if not line["relevant"]}
    absent = (Path(__file__).parents[1] / "benchmarks" / "cutoff_absent.txt").read_text("utf-8").splitlines()
    assert len(asked) == 161
    assert len(set(absent)) == len(absent) > 200
    assert not asked & {*backgrounds.sentences(), *absent}


# ---- the background and its file ------------------------------------------------------------------------------


@pytest.fixture
def collection(tmp_path: Path) -> sightline.Collection:
    folder = colours(tmp_path / "pictures")
    captions = {"red.png": "a poppy field", "green.png": "a meadow", "blue.png": "the sea", "yellow.png": "the sun"}
    write_captions(folder, captions)
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    return collection


def store_of(collection: sightline.Collection) -> Store:
    return Store(Address.parse(collection.address))


def test_the_sentences_are_encoded_once_for_a_collection(collection: sightline.Collection) -> None:
    first, second = FakeEncoder(), FakeEncoder()
    made = Backgrounds(store_of(collection)).get(lambda: first)
    again = Backgrounds(store_of(collection)).get(lambda: second)
    assert first.calls == list(backgrounds.sentences())
    assert second.calls == []
    for name in ("texts", "pictures"):
        assert np.array_equal(getattr(made, name), getattr(again, name))
    assert (made.frequencies, made.rows, made.mean) == (again.frequencies, again.rows, again.mean)
    assert made.frequencies["poppi"] == 1


def test_rows_that_change_change_the_background_and_the_sentences_stay(
    collection: sightline.Collection, tmp_path: Path
) -> None:
    store, encoder = store_of(collection), FakeEncoder()
    kept = Backgrounds(store)
    assert kept.get(lambda: encoder).rows == 4
    paint(tmp_path / "pictures" / "more.png", (1, 2, 3))
    collection.ingest(tmp_path / "pictures")
    store.rows.table.checkout_latest()
    assert kept.get(lambda: encoder).rows == 5
    assert encoder.calls == list(backgrounds.sentences())  # not twice


def test_a_collection_made_anew_in_the_same_place_has_its_own(collection: sightline.Collection, tmp_path: Path) -> None:
    Backgrounds(store_of(collection)).get(FakeEncoder)
    file = tmp_path / "t" / ".sightline" / "items.background.npz"
    former = file.read_bytes()
    sightline.drop_collection(collection.address)
    assert not file.exists()
    file.write_bytes(former)  # as if somebody had removed the table by hand
    paint(tmp_path / "other" / "white.png", (255, 255, 255))
    sightline.open(collection.address, model=FakeEncoder()).ingest(tmp_path / "other")
    assert Backgrounds(store_of(collection)).get(FakeEncoder).rows == 1


@pytest.mark.parametrize("spoil", [b"", b"not a file of numpy", b"PK\x03\x04 torn"])
def test_a_spoilt_file_costs_only_the_time_to_make_it_again(
    collection: sightline.Collection, tmp_path: Path, spoil: bytes
) -> None:
    Backgrounds(store_of(collection)).get(FakeEncoder)
    (tmp_path / "t" / ".sightline" / "items.background.npz").write_bytes(spoil)
    encoder = FakeEncoder()
    assert Backgrounds(store_of(collection)).get(lambda: encoder).rows == 4
    assert encoder.calls == list(backgrounds.sentences())


# ---- searching ------------------------------------------------------------------------------------------------


def test_nothing_is_said_and_no_sentence_encoded_unless_it_is_asked_for(collection: sightline.Collection) -> None:
    encoder = collection.encoder
    assert isinstance(encoder, FakeEncoder)
    encoder.calls.clear()
    hits = collection.search("poppy", 4)
    assert {hit.relevance for hit in hits} == {None}
    assert (hits.cutoff, encoder.calls) == (None, ["poppy"])


def test_zero_says_how_relevant_each_hit_is_and_cuts_nothing(collection: sightline.Collection) -> None:
    hits = collection.search("poppy", 4, min_relevance=0.0)
    assert (len(hits), hits.cutoff, hits.near_misses) == (4, 0.0, 0)
    said = {hit.name: hit.relevance for hit in hits}
    assert all(chance is not None and 0 <= chance <= 1 for chance in said.values())
    assert said["red.png"] == max(one for one in said.values() if one is not None)


def test_what_is_below_the_cutoff_is_left_out_and_counted(collection: sightline.Collection) -> None:
    everything = collection.search("poppy field", 4, min_relevance=0.0)
    least = everything[0].relevance
    assert least is not None
    hits = collection.search("poppy field", 4, min_relevance=least)
    assert [hit.name for hit in hits] == ["red.png"]
    assert (hits.cutoff, hits.near_misses) == (least, 3)
    assert collection.search("an elephant", 4, min_relevance=0.5).near_misses == 4


@pytest.mark.parametrize("query", ["type:image", "id:ITEM"])
def test_what_cannot_be_said_is_null_and_never_cut(collection: sightline.Collection, query: str) -> None:
    item = collection.search("poppy", 1)[0].id
    hits = collection.search(query.replace("ITEM", item), 4, min_relevance=1.0)
    assert len(hits) >= 3
    assert {hit.relevance for hit in hits} == {None}
    assert hits.to_json()["cutoff"] is None


def test_sorting_by_date_comes_after_the_cut(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    said = {f"{n}.png": "a lighthouse" if n % 2 else "a bakery" for n in range(6)}
    for n, name in enumerate(said):
        paint(folder / name, (10 * n + 1, 0, 0))
    write_captions(folder, said)
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    hits = collection.search("lighthouse", 6, min_relevance=0.5, sort="date", channels=("text", "vector"))
    assert {hit.caption for hit in hits} == {"a lighthouse"}
    dates = [hit.captured_at for hit in hits if hit.captured_at]
    assert len(dates) == 3
    assert dates == sorted(dates, reverse=True)


def test_a_picture_found_by_its_file_s_name_is_told_by_it(tmp_path: Path) -> None:
    for n, name in enumerate(("lighthouse", "IMG_0001", "IMG_0002")):
        paint(tmp_path / "pictures" / f"{name}.png", (n, 0, 0))
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(tmp_path / "pictures")
    hits = collection.search("lighthouse", 3, min_relevance=0.5)
    assert [hit.name for hit in hits] == ["lighthouse.png"]


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_cutoff_that_is_no_probability_is_refused(collection: sightline.Collection, least: float) -> None:
    with pytest.raises(QueryError, match="from 0 to 1"):
        collection.search("poppy", min_relevance=least)


def test_the_command_line_says_that_nothing_fits_and_how_to_see_what_is_near(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = colours(tmp_path / "pictures")
    at = f"{tmp_path}/t"
    sightline.open(at, model="pocket").ingest(folder)
    assert main(["search", "a red square", "-c", at]) == 0
    assert capsys.readouterr().out.startswith("1\t")
    assert main(["search", "an elephant with an umbrella", "-c", at]) == 3
    ran = capsys.readouterr()
    assert ran.out == ""
    assert ran.err == f"nothing found that fits in {at}#items; --min-relevance 0 shows 4 near misses\n"
    assert main(["search", "an elephant with an umbrella", "-c", at, "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["cutoff"], document["near_misses"], document["hits"]) == (0.5, 4, [])
    assert main(["search", "an elephant with an umbrella", "-c", at, "--min-relevance", "0", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cutoff"] == 0
    assert all(0 <= hit["relevance"] < 0.5 for hit in document["hits"])


# ---- measuring ------------------------------------------------------------------------------------------------


def test_the_measures_of_a_cutoff_by_hand(collection: sightline.Collection) -> None:
    name = {hit.name: hit.id for hit in collection.search("type:image", 4)}
    questions = [
        Question("poppy field", {name["red.png"]: 1.0}, kind="a"),  # found and kept
        Question("the sea", {name["green.png"]: 1.0}, kind="a"),  # kept is what is wrong, the right one is lost
        Question("meadow", {name["green.png"]: 1.0}, doubtful=frozenset({name["red.png"]}), kind="b"),
        Question("an elephant", {}, kind="none"),
        Question("the sun", {}, kind="none"),  # the collection thinks that it has it
        Question("everything", {name["red.png"]: 1.0}, apart=True),
    ]
    report = measure_cutoff(store_of(collection), FakeEncoder(), qrels=questions, channels=["text"])
    run = report.runs[0]
    assert (run.nothing.share, run.nothing.n) == (0.5, 2)
    # full text finds only what it holds: the right answer to "the sea" is not among the hits, so nothing can be lost
    assert (run.first_stays.share, run.first_stays.n) == (1.0, 2)
    assert (run.precision.share, run.precision.n) == (0.5, 4)
    assert run.kinds["none"].share == 0.5
    assert report["nothing"] == 0.5
    assert sum(one.n for one in run.bins) == 4


def test_the_calibration_error_is_the_mean_distance_of_what_was_said_from_what_was_true() -> None:
    from sightline.cutoffs import _reliability

    bins, error = _reliability([(0.9, True), (0.9, False), (0.1, False), (0.1, False)])
    assert [(one.said, one.true, one.n) for one in bins] == [
        (pytest.approx(0.1), 0.0, 2),
        (pytest.approx(0.9), 0.5, 2),
    ]
    assert error == pytest.approx(0.25)


def test_questions_without_an_answer_need_no_answer_but_something_has_to(collection: sightline.Collection) -> None:
    with pytest.raises(sightline.errors.SourceError, match="no query has a relevant item"):
        measure_cutoff(store_of(collection), FakeEncoder(), qrels=[Question("an elephant", {})])
    with pytest.raises(UsageError, match="more than 0"):
        measure_cutoff(store_of(collection), FakeEncoder(), qrels=[], cutoff=0)


def test_eval_cutoff_takes_a_file_of_one_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = colours(tmp_path / "pictures")
    judged = tmp_path / "judged.jsonl"
    lines = [{"query": "a red square", "relevant": ["red.png"]}, {"query": "a tall giraffe", "relevant": []}]
    judged.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    figure = tmp_path / "cutoff.png"
    given = ["eval", str(folder), "--model", "pocket", "--qrels", str(judged), "--cutoff", "--channels", "hybrid"]
    assert main([*given, "--json", "--save", str(figure)]) == 0
    document = json.loads(capsys.readouterr().out)
    run = document["runs"][0]
    assert (run["nothing"]["share"], run["nothing"]["n"]) == (1.0, 1)
    assert (run["first_stays"]["share"], run["first_stays"]["n"]) == (1.0, 1)
    assert figure.stat().st_size > 5_000
    assert main(["eval", str(folder), "--cutoff"]) == 2
    assert "--qrels" in capsys.readouterr().err
