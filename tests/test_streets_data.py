"""What the bundled street scenes promise: enough of everything, true to themselves, questions that mean something."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import sightline
from sightline import judgements

FOLDER = Path(sightline.__file__).parent / "data" / "streets"
OBJECTS = (
    "bus", "taxi", "police car", "ambulance", "van", "suv", "sports car", "pickup truck", "truck", "dump truck",
    "motorcycle", "bicycle", "car", "person", "person walking", "person standing", "person crossing", "dog", "boat",
    "helicopter", "plane", "stop sign", "red traffic light", "yellow traffic light", "green traffic light",
    "fire hydrant", "bus stop", "highway sign", "street lamp",
)  # fmt: skip
CIRCUMSTANCES = ("setting", "light", "weather")


def rows(split: str) -> list[dict[str, Any]]:
    columns = ["captions", "text", "entities", "attributes", "doubtful", "scene", "seed"]
    return pq.read_table(FOLDER / f"{split}.parquet", columns=columns).to_pylist()


@pytest.fixture(scope="module")
def judged_rows() -> list[dict[str, Any]]:
    return rows("test")


@pytest.fixture(scope="module")
def queries() -> list[dict[str, Any]]:
    lines = (FOLDER / "streets-queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_are_enough_scenes_and_each_has_three_to_five_captions() -> None:
    train, test = rows("train"), rows("test")
    assert len(train) + len(test) >= 800
    assert len(test) >= 300
    seeds = [row["seed"] for row in train + test]
    assert len(set(seeds)) == len(seeds)
    for row in train + test:
        assert 3 <= len(row["captions"]) <= 5, row["seed"]
        assert len(set(row["captions"])) == len(row["captions"])
        assert row["text"] == row["captions"][0]
        assert not set(row["attributes"]) & set(row["doubtful"])
        assert json.loads(row["scene"])["seed"] == row["seed"]


def test_the_test_split_has_ten_pictures_of_every_kind_of_entity(judged_rows: list[dict[str, Any]]) -> None:
    found = Counter(attribute for row in judged_rows for attribute in row["attributes"])
    assert {name: found[name] for name in OBJECTS if found[name] < 10} == {}


def test_every_setting_light_and_weather_is_in_both_splits(judged_rows: list[dict[str, Any]]) -> None:
    for split in (judged_rows, rows("train")):
        for circumstance in CIRCUMSTANCES:
            found = Counter(json.loads(row["scene"])[circumstance] for row in split)
            assert min(found.values()) >= 20, found
            assert len(found) >= 4


def test_what_is_clear_is_told_by_where_it_is(judged_rows: list[dict[str, Any]]) -> None:
    for row in judged_rows:
        for entity in json.loads(row["entities"]):
            x0, y0, x1, y1 = entity["box"]
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
            assert entity["pixels"] > 0


def test_queries_have_answers_enough_and_not_too_many(queries: list[dict[str, Any]], judged_rows: list[Any]) -> None:
    answerable = [query for query in queries if query["kind"] not in ("none", "count")]
    assert len(answerable) >= 60
    assert {query["kind"] for query in answerable} >= {
        "object",
        "colour",
        "time",
        "weather",
        "setting",
        "action",
        "pair",
    }
    for query in answerable:
        assert 10 <= len(query["relevant"]) <= 0.6 * len(judged_rows), query["query"]
        assert not query.get("apart")
    assert all(query["apart"] for query in queries if query["kind"] == "count")
    assert len({query["query"] for query in queries}) == len(queries)


def test_a_hundred_queries_have_no_answer(queries: list[dict[str, Any]]) -> None:
    unanswerable = [query for query in queries if query["kind"] == "none"]
    assert len(unanswerable) >= 100
    assert not any(query["relevant"] or query["doubtful"] for query in unanswerable)


def test_qrels_streets_means_these_questions(queries: list[dict[str, Any]]) -> None:
    read = judgements.read("streets")
    assert [(one.text, one.kind, set(one.relevant), set(one.doubtful), one.apart) for one in read] == [
        (q["query"], q["kind"], set(q["relevant"]), set(q["doubtful"]), q.get("apart", False)) for q in queries
    ]


def test_answers_are_pictures_of_the_test_split(queries: list[dict[str, Any]], judged_rows: list[Any]) -> None:
    known = {f"streets:{row['seed']}" for row in judged_rows}
    for query in queries:
        assert set(query["relevant"]) | set(query["doubtful"]) <= known
        assert not set(query["relevant"]) & set(query["doubtful"])
