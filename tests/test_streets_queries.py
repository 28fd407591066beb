"""The queries of the bundled scenes: what answers them, and that nothing answers the unanswerable."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from sightline import judgements

sys.path.insert(0, str(Path(__file__).parent.parent))  # streets/ is run from the checkout and not installed
from streets import captions, queries, truth
from streets.queries import Query, every, judged, write
from streets.sample import COLOURS, SETTINGS, SUN_ELEVATION, VEHICLES, is_test

ROOT = Path(__file__).parent.parent
BUILDERS = ("places", "props", "furniture", "craft", "figures", "vehicles", "two_wheelers", "plants", "buildings")
WORDS_THAT_MEAN_ANOTHER_THING = {"tank", "ladder"}  # of a motorcycle and on a roof; on a fire escape


def pictures(*attributes: tuple[str, str], times: int = 1) -> list[queries.Picture]:
    """(true, doubtful) of each picture, comma-separated; seeds count up from 0."""
    cut = [(set(filter(None, true.split(","))), set(filter(None, maybe.split(",")))) for true, maybe in attributes]
    return [(seed, *one) for seed, one in enumerate(cut * times)]


def test_a_picture_answers_when_all_is_true_and_is_doubtful_when_nothing_is_false():
    given = pictures(("bus,light:night", ""), ("bus", "light:night"), ("bus", ""), ("", "bus,light:night"), times=10)
    line = judged(Query("a bus at night", "pair", ("bus", "light:night")), given)
    assert line == {
        "query": "a bus at night",
        "kind": "pair",
        "relevant": [f"streets:{seed}" for seed in range(0, 40, 4)],
        "doubtful": [f"streets:{seed}" for seed in range(40) if seed % 4 in (1, 3)],
    }


def test_one_of_several_attributes_is_enough():
    given = pictures(("light:noon", ""), ("light:afternoon", ""), ("light:night", ""), times=10)
    line = judged(Query("sun", "time", ("light:noon or light:afternoon",)), given[:25])
    assert line is None  # 17 of 25 are over 60 %
    line = judged(Query("sun", "time", ("light:noon or light:afternoon",)), [*given, *pictures(("", ""), times=10)])
    assert line and len(line["relevant"]) == 20


@pytest.mark.parametrize(("answers", "others", "kept"), [(9, 20, False), (10, 20, True), (12, 8, True), (13, 8, False)])
def test_a_query_needs_ten_answers_and_at_most_three_fifths(answers, others, kept):
    given = pictures(*[("dog", "")] * answers, *[("", "")] * others)
    assert (judged(Query("a dog", "object", ("dog",)), given) is not None) is kept


def test_a_near_miss_is_kept_only_where_it_is_false_of_all():
    query = Query("a dog on a highway", "none", ("dog", "setting:highway"))
    line = judged(query, pictures(("dog", ""), ("setting:highway", "")))
    assert line == {"query": query.words, "kind": "none", "relevant": [], "doubtful": []}
    assert judged(query, pictures(("setting:highway", "dog"))) is None


def test_counts_are_apart():
    line = judged(Query("two buses", "count", ("2 buses",)), pictures(("2 buses", ""), ("", ""), times=10))
    assert line and line["apart"] is True


def test_the_file_is_what_sightline_eval_reads(tmp_path, monkeypatch):
    records = [{"seed": seed, "true": {"dog"} if seed % 3 == 0 else set()} for seed in range(200)]
    monkeypatch.setattr(
        queries, "attributes", lambda record: (record["true"], {"bus"} if record["seed"] == 5 else set())
    )
    path = tmp_path / "queries.jsonl"
    counts = write(reversed(records), path)
    assert counts["object"] == 1
    assert counts["none"] == sum(query.kind == "none" for query in every())
    assert sum(counts.values()) == len(list(every()))
    dogs = next(line for line in map(json.loads, path.read_text().splitlines()) if line["query"] == "a dog")
    assert dogs["relevant"] == [f"streets:{seed}" for seed in range(200) if seed % 3 == 0 and is_test(seed)]
    questions = judgements.read(path)
    items = [
        judgements.Named(f"id{seed}", f"streets:{seed}", f"{seed}.jpg", "") for seed in range(200) if is_test(seed)
    ]
    usable, notices = judgements.placed(questions, items)
    assert [one.text for one in usable] == ["a dog"]
    assert notices == [f"{len(questions) - 1} of {len(questions)} queries have no relevant item and are left out"]
    first = path.read_bytes()
    write(records, path)
    assert path.read_bytes() == first


# ---- the list ---------------------------------------------------------------------------------------------------


def test_there_are_queries_enough_and_none_twice():
    kinds = Counter(query.kind for query in every())
    assert kinds["none"] >= 120
    assert sum(kinds.values()) - kinds["none"] - kinds["count"] >= 150
    assert set(kinds) == {"object", "colour", "time", "weather", "setting", "action", "pair", "count", "none"}
    words = [query.words.casefold() for query in every()]
    assert len(set(words)) == len(words)
    assert all(word == " ".join(word.split()) for word in words)


def test_every_attribute_is_one_that_truth_gives():
    needs = {attribute for query in every() for need in query.needs for attribute in need.split(queries.EITHER)}
    assert {attribute for attribute in needs if not re.fullmatch(_vocabulary(), attribute)} == set()


def _vocabulary() -> str:
    things = {*VEHICLES, *truth.NEEDS, *truth.GROUPS, *captions.LANDMARKS}
    thing, colour = "|".join(sorted(things)), "|".join([*COLOURS, "yellow"])
    plurals = "|".join(truth.PLURALS.get(name, f"{name}s") for name in truth.COUNTED)
    return "|".join(
        (
            f"(({colour}) )?({thing})",
            f"({thing}) (parked|stopped|driving|oncoming|away)",
            "person (walking|standing|crossing)",
            f"light:({'|'.join(SUN_ELEVATION)}|day)",
            "weather:(clear|overcast|rain|fog)",
            f"setting:({'|'.join(SETTINGS)})",
            "|".join(truth.AREAS),
            f"no (vehicles|people)|1 ({'|'.join(truth.COUNTED)})|[2-4] ({plurals})",
        )
    )


def test_what_is_nowhere_is_named_in_its_queries_and_in_nothing_that_builds_a_scene():
    sources = {name: (ROOT / "streets" / f"{name}.py").read_text(encoding="utf-8") for name in BUILDERS}
    shown = {*COLOURS, *VEHICLES, *truth.NEEDS, *truth.AREAS, *truth.GROUPS}
    for thing, asked in queries.NOWHERE.items():
        assert thing not in shown
        for words in asked:
            assert thing.casefold() in words.casefold()
        if thing not in WORDS_THAT_MEAN_ANOTHER_THING:
            built = [name for name, source in sources.items() if re.search(rf"\b{re.escape(thing)}s?\b", source, re.I)]
            assert built == [], thing
