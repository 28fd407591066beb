"""Measuring: definitions held to ir-measures, intervals to a simulation, relevance from captions and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from fakes import FakeEncoder
from ir_measures import RR, P, Qrel, ScoredDoc, Success, nDCG
from pictures import colours, paint, png

import sightline
from sightline import charts, evaluate, judgements, metrics
from sightline.collection import Collection
from sightline.errors import CollectionError, CollectionMissing, SightlineError, SourceError, UsageError
from sightline.judgements import Named, Question
from sightline.schema import Item
from sightline.sources import HeldBytes

# ---- definitions ----------------------------------------------------------------------------------------------


def random_rankings(seed: int, *, graded: bool) -> tuple[list[list[str]], list[dict[str, float]]]:
    """60 rankings of 100 out of 150 ids, with 1 to 20 relevant ones, of which some are not in the ranking."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"d{i:03}" for i in range(150)])
    ranked = [list(rng.permutation(ids)[:100]) for _ in range(60)]
    relevant = [
        {ident: float(rng.integers(1, 4) if graded else 1) for ident in rng.permutation(ids)[: rng.integers(1, 21)]}
        for _ in range(60)
    ]
    return ranked, relevant


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_metrics_are_those_of_ir_measures(seed: int, graded: bool) -> None:
    ranked, relevant = random_rankings(seed, graded=graded)
    qrels = [Qrel(str(q), ident, int(gain)) for q, gains in enumerate(relevant) for ident, gain in gains.items()]
    run = [ScoredDoc(str(q), ident, 1000.0 - at) for q, ids in enumerate(ranked) for at, ident in enumerate(ids)]
    ours = {
        Success @ 1: metrics.recall(ranked, relevant, 1),
        Success @ 5: metrics.recall(ranked, relevant, 5),
        Success @ 10: metrics.recall(ranked, relevant, 10),
        RR: metrics.reciprocal_rank(ranked, relevant),
        nDCG @ 10: metrics.ndcg(ranked, relevant, 10),
        P @ 5: metrics.precision(ranked, relevant, 5),
    }
    theirs = {(one.measure, int(one.query_id)): one.value for one in ir_measures.iter_calc(list(ours), qrels, run)}
    for measure, values in ours.items():
        assert values == pytest.approx([theirs[measure, q] for q in range(60)], abs=1e-9), measure


def test_metrics_of_one_ranking_by_hand() -> None:
    ranked, relevant = [["a", "b", "c"]], [{"b": 2.0, "x": 1.0, "a": 0.0}]
    assert [metrics.recall(ranked, relevant, k)[0] for k in (1, 2)] == [0, 1]
    assert metrics.reciprocal_rank(ranked, relevant)[0] == 0.5
    assert [metrics.precision(ranked, relevant, k)[0] for k in (1, 2, 5)] == [0, 0.5, 0.2]
    assert metrics.ndcg(ranked, relevant, 10)[0] == pytest.approx((2 / np.log2(3)) / (2 + 1 / np.log2(3)))


# ---- how sure -------------------------------------------------------------------------------------------------

SETS = 400


def test_the_interval_of_a_recall_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    truth = 0.6
    drawn = (rng.random((SETS, 200)) < truth).astype(float)
    ends = [metrics.interval(values, seed=seed) for seed, values in enumerate(drawn)]
    assert 0.93 <= np.mean([low <= truth <= high for low, high in ends]) <= 0.97


def test_captions_of_one_picture_are_drawn_together_because_else_the_interval_is_too_narrow() -> None:
    """Half of 100 pictures are found by 0.9 of their five captions, half by 0.1."""
    rng = np.random.default_rng(2)
    groups = [at for at in range(100) for _ in range(5)]
    easy = np.repeat(rng.random((SETS, 100)) < 0.5, 5, axis=1)
    drawn = (rng.random((SETS, 500)) < np.where(easy, 0.9, 0.1)).astype(float)

    def coverage(groups: list[int] | None) -> float:
        ends = [metrics.interval(values, groups=groups, seed=seed) for seed, values in enumerate(drawn)]
        return float(np.mean([low <= 0.5 <= high for low, high in ends]))

    assert 0.93 <= coverage(groups) <= 0.97
    assert coverage(None) < 0.8


def test_a_paired_comparison_sees_what_two_intervals_hide() -> None:
    rng = np.random.default_rng(3)
    a = (rng.random(200) < 0.5).astype(float)
    b = a.copy()
    b[np.flatnonzero(a == 0)[:10]] = 1.0  # ten queries better, none worse
    found = metrics.compare(a, b)
    assert found.difference == pytest.approx(0.05)
    assert 0 < found.low < 0.05 < found.high
    assert found.share_above > 0.99
    assert metrics.interval(a)[1] > metrics.interval(b)[0], "the intervals overlap"
    same = metrics.compare(a, a)
    assert (same.difference, same.low, same.high, same.share_above) == (0, 0, 0, 0)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(50)
    assert metrics.interval(values, seed=4) == metrics.interval(values, seed=4) != metrics.interval(values, seed=5)


# ---- of a collection ------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Collection:
    """Four squares; of the yellow one the encoder sees "red green"."""
    captions = {"red.png": "red", "green.png": "green", "blue.png": "blue", "yellow.png": "red green"}
    return indexed(tmp_path, captions)


def indexed(folder: Path, captions: Mapping[str, str]) -> Collection:
    collection = sightline.open(f"{folder}/tables#a", model=FakeEncoder())
    collection.ingest(colours(folder / "photos", captions))
    return collection


def test_each_caption_is_a_query_for_its_picture_and_equal_ones_are_one_query(tmp_path: Path) -> None:
    """Two pictures are called "red", and the yellow one, which looks red and green, is called "blue"."""
    captions = {"red.png": "red", "green.png": "green", "blue.png": "red", "yellow.png": "blue"}
    found = indexed(tmp_path, captions).evaluate()
    to_image, to_text = found.runs
    assert (found.n, found.rows, found.model, found.relevance) == (3, 4, "fake", "captions")
    assert dict(zip(to_image.asked, to_image.values["recall@1"], strict=True)) == {"red": 1, "green": 1, "blue": 0}
    assert found["recall@1"] == pytest.approx(2 / 3)
    assert (to_text.direction, to_text.n) == ("image->text", 4)
    assert to_text.mean("mrr") == pytest.approx((1 + 1 + 1 / 2 + 1 / 3) / 4)
    assert found.comparisons == ()


def test_text_and_hybrid_are_compared_with_vector_and_said_to_know_the_captions(photos: Collection) -> None:
    found = photos.evaluate(channels=["vector", "text", "hybrid"])
    assert [run.channel for run in found.runs] == ["vector", "text", "hybrid", "vector"]
    assert {(one.a, one.b) for one in found.comparisons} == {
        ("vector", "text"),
        ("vector", "hybrid"),
        ("text", "hybrid"),
    }
    assert "measure the road, not the encoder" in found.notices[0]
    document = json.loads(json.dumps(found.to_json()))
    assert {"n", *evaluate.METRICS, "intervals", "latency_ms", "model"} <= document.keys()
    assert document["intervals"].keys() == set(evaluate.METRICS)
    assert 0 < document["latency_ms"]["p50"] <= document["latency_ms"]["p95"]


def test_the_document_is_the_same_for_the_same_seed_latencies_apart(photos: Collection) -> None:
    first, second = (photos.evaluate(limit=2, seed=7).to_json() for _ in range(2))
    for document in (first, second):
        assert document["n"] == 2
        for one in (document, *document["runs"]):
            del one["latency_ms"]
    assert first == second


def test_a_collection_without_captions_says_what_to_give(tmp_path: Path) -> None:
    collection = sightline.open(f"{tmp_path}/tables#a", model=FakeEncoder())
    with pytest.raises(CollectionMissing):
        collection.evaluate()
    collection.ingest(paint(tmp_path / "red.png", "red"))
    with pytest.raises(CollectionError, match="no picture here has a caption"):
        collection.evaluate()


@pytest.mark.parametrize("channels", [[], ["vector", "sound"], "vector"])
def test_an_unknown_channel_is_refused_with_the_known_ones(photos: Collection, channels: list[str]) -> None:
    with pytest.raises(UsageError, match="vector, text, hybrid"):
        photos.evaluate(channels=channels)


def test_captions_that_look_like_paths_or_ids_are_words(tmp_path: Path) -> None:
    captions = {"red.png": "./red", "green.png": "id:green", "blue.png": "/blue", "yellow.png": "x" * 20_000}
    assert indexed(tmp_path, captions).evaluate(channels=["hybrid"]).n == 4


def test_two_evaluations_are_compared_over_the_questions_they_share(photos: Collection) -> None:
    a = photos.evaluate(qrels=[Question("red", {"red.png": 1}), Question("green", {"red.png": 1})]).runs[1]
    b = photos.evaluate(qrels=[Question("green", {"green.png": 1}), Question("blue", {"blue.png": 1})]).runs[1]
    found = {one.metric: one for one in evaluate.compare(a, b, names=("a", "b"))}
    assert found["recall@1"].difference == 1.0
    c = photos.evaluate(qrels=[Question("yellow", {"yellow.png": 1})]).runs[1]
    with pytest.raises(UsageError, match="nothing in common"):
        evaluate.compare(a, c, names=("a", "c"))


# ---- judgements in files --------------------------------------------------------------------------------------


def test_trec_and_json_lines_mean_the_same(photos: Collection, tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("1 0 red.png 1\n1 0 yellow.png 1\n2 0 green.png 1\n2 0 red.png 0\n")
    (tmp_path / "queries.tsv").write_text("1\tred\n2\tgreen\n9\tnever judged\n")
    (tmp_path / "queries.jsonl").write_text('{"id": 1, "text": "red"}\n\n{"id": "2", "text": "green"}\n')
    (tmp_path / "judged.jsonl").write_text(
        '{"query": "red", "relevant": ["red.png", "yellow.png"]}\n{"query": "green", "relevant": {"green.png": 1}}\n'
    )
    by_table = photos.evaluate(qrels=tmp_path / "qrels", queries=tmp_path / "queries.tsv")
    by_lines = photos.evaluate(qrels=tmp_path / "qrels", queries=tmp_path / "queries.jsonl")
    by_json = photos.evaluate(qrels=tmp_path / "judged.jsonl")
    assert [run.channel for run in by_json.runs] == ["hybrid", "vector", "text"]
    for one in (by_table, by_lines):
        assert one.relevance == "qrels"
        for mine, other in zip(one.runs, by_json.runs, strict=True):
            assert mine.asked == other.asked == ("red", "green")
            for metric in evaluate.METRICS:
                assert mine.values[metric].tolist() == other.values[metric].tolist()


def test_items_are_named_by_id_uri_or_name_also_with_spaces(tmp_path: Path) -> None:
    items = [Named("0" * 32, "file:///a%20b.png", "a b.png", ""), Named("1" * 32, "file:///c.png", "c.png", "")]
    (tmp_path / "qrels").write_text(f"1 0 a b.png 1\n2 0 file:///a%20b.png 2\n3 Q0 {'0' * 32} 1\n")
    (tmp_path / "queries").write_text("1\tone\n2\ttwo\n3\tthree\n")
    found, notices = judgements.placed(judgements.read(tmp_path / "qrels", tmp_path / "queries"), items)
    assert [one.relevant for one in found] == [{"0" * 32: 1}, {"0" * 32: 2}, {"0" * 32: 1}]
    assert notices == []


def test_what_is_not_in_the_collection_counts_as_not_found(photos: Collection) -> None:
    asked = [
        Question("red", {"gone.png": 1}),
        Question("green", {"green.png": 1, "gone.png": 1}),
        Question("blue", {"blue.png": 0}),
    ]
    found = photos.evaluate(qrels=asked)
    assert (found.n, found["recall@1"]) == (2, 0.5)
    assert found.notices == (
        "1 of 3 queries have no relevant item and are left out",
        "1 relevant items are not in the collection and count as not found",
    )


def test_doubtful_pictures_are_neither_right_nor_wrong(photos: Collection) -> None:
    alone = photos.evaluate(qrels=[Question("red", {"yellow.png": 1})], channels=["vector"])
    assert (alone["recall@1"], alone["mrr"]) == (0, 0.5)  # red.png comes first
    spared = [Question("red", {"yellow.png": 1}, doubtful=frozenset({"red.png", "not here.png"}))]
    assert photos.evaluate(qrels=spared, channels=["vector"])["mrr"] == 1


def test_kinds_have_their_own_means_and_what_is_apart_counts_for_its_kind_alone(photos: Collection) -> None:
    asked = [
        Question("red", {"red.png": 1}, kind="colour"),
        Question("green", {"red.png": 1}, kind="colour"),
        Question("blue", {"green.png": 1}, kind="count", apart=True),
    ]
    run = photos.evaluate(qrels=asked, channels=["vector"]).runs[0]
    assert (run.n, run.mean("recall@1"), run.mean("precision@5")) == (2, 0.5, 0.2)
    assert [(kind.name, kind.n, kind.means["recall@1"], kind.apart) for kind in run.kinds] == [
        ("colour", 2, 0.5, False),
        ("count", 1, 0, True),
    ]
    assert run.to_json()["kinds"]["count"] == pytest.approx({"n": 1, **run.kinds[1].means, "apart": True}, abs=1e-6)
    assert photos.evaluate(qrels=asked[2:]).n == 1  # nothing else was asked


def test_precision_is_measured_with_judgements_only(photos: Collection) -> None:
    assert "precision@5" not in photos.evaluate().runs[0].values
    assert "precision@5" in photos.evaluate(qrels=[Question("red", {"red.png": 1})]).runs[0].values


def test_a_name_that_two_items_have_is_refused(tmp_path: Path) -> None:
    collection = sightline.open(f"{tmp_path}/tables#a", model=FakeEncoder())
    collection.ingest([Item(f"x:{at}", "same", HeldBytes(png((at, 0, 0)))) for at in (10, 200)])
    with pytest.raises(UsageError, match="'same' names 2 items"):
        collection.evaluate(qrels=[Question("red", {"same": 1})])
    assert collection.evaluate(qrels=[Question("red", {"x:10": 1})]).n == 1


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        ("", SourceError, "is empty"),
        ("1 0 red.png\n", UsageError, "line 1: `qid 0 docid rel` was expected"),
        ("1 0 red.png high\n", UsageError, "line 1: 'high' is no judgement"),
        ("1 0 red.png nan\n", UsageError, "is no judgement"),
        ("7 0 red.png 1\n", UsageError, "no words for query '7'"),
        ("1 0 nothing.png 1\n", SourceError, "none of the judged items is in this collection, e.g. 'nothing.png'"),
        ("1 0 red.png 0\n", SourceError, "no query has a relevant item"),
        ('{"query": "x"}\n', UsageError, "line 1: "),
        ('{"query": "x", "relevant": ["red.png"], "doubtful": "green.png"}\n', UsageError, '"doubtful" is a list'),
        ('{"query": "x", "relevant": ["red.png"], "kind": 3}\n', UsageError, '"kind" a word'),
        ('{"query": "x", "relevant": ["red.png"], "apart": 1}\n', UsageError, '"apart" true or false'),
        ('{"query": "", "relevant": ["red.png"]}\n', UsageError, "line 1: "),
        ('{"query": "x", "relevant": {"red.png": true}}\n{"query\n', UsageError, "line 2: not JSON"),
        ('{"query": "x", "relevant": {"red.png": [1]}}\n', UsageError, "line 1: "),
        ("[" * 100_000, UsageError, "line 1: "),
        ("{" + '"a":{' * 100_000, UsageError, "not JSON"),
    ],
)
def test_a_file_that_cannot_be_meant_names_the_line(
    photos: Collection, tmp_path: Path, content: str, error: type[SightlineError], said: str
) -> None:
    (tmp_path / "qrels").write_text(content)
    (tmp_path / "queries").write_text("1\tred\n")
    with pytest.raises(error) as seen:
        photos.evaluate(qrels=tmp_path / "qrels", queries=tmp_path / "queries")
    assert said in str(seen.value)
    assert len(str(seen.value)) < 400


def test_trec_judgements_need_words_and_words_need_judgements(photos: Collection, tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("1 0 red.png 1\n")
    with pytest.raises(UsageError, match="no words"):
        photos.evaluate(qrels=tmp_path / "qrels")
    with pytest.raises(UsageError, match="without judgements"):
        photos.evaluate(queries=tmp_path / "qrels")
    with pytest.raises(SourceError, match="cannot be read"):
        photos.evaluate(qrels=tmp_path / "missing")


# ---- the figure -----------------------------------------------------------------------------------------------


def test_a_chart_has_a_bar_and_a_whisker_for_every_number() -> None:
    values = dict.fromkeys(evaluate.METRICS, 0.5)
    ends = dict.fromkeys(evaluate.METRICS, (0.4, 0.7))
    figure = charts.draw([charts.Bars("a", values, ends), charts.Bars("_b $x$", values, ends)], title="$5")
    (axes,) = figure.axes
    assert len(axes.patches) == 10
    assert all(bar.get_height() == 0.5 for bar in axes.patches)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b $x$"]
    assert not any(text.get_parse_math() for text in legend.get_texts())
    assert figure.texts[0].get_text() == "$5"
