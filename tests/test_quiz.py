"""Questions with known answers put to a collection: the file, the shares with their intervals, the command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fakes import FakeEncoder
from pictures import colours

from sightline import choice, metrics, quiz, render
from sightline.answers import Answer, Intent, Question, Statement
from sightline.cli import main
from sightline.collection import Collection
from sightline.errors import SourceError, UsageError
from sightline.judgements import Named
from sightline.quiz import measure_answers, read
from sightline.schema import Hit, Modality, Query

ITEMS = [Named(f"id-{name}", f"file:///{name}", name, "") for name in ("a.png", "b.png", "c.png")]
LINES = [
    {"question": "any a?", "kind": "exists", "relevant": ["a.png"], "doubtful": ["c.png"]},
    {"question": "how many b?", "kind": "count", "relevant": ["b.png"], "number": [1, 1, 2]},
    {"question": "what is b?", "kind": "what", "relevant": ["b.png"], "facts": [["bee", "b"]]},
    {"question": "any z?", "kind": "exists", "relevant": [], "unanswerable": True},
]


def reply(question: str, text: str, *cited: str, removed: int = 0) -> Answer:
    hits = tuple(
        Hit(at, item.id, item.uri, item.name, 0.5, "", Modality.IMAGE, load=lambda: b"")
        for at, item in enumerate(ITEMS, start=1)
    )
    return Answer(
        Question(question, Query(question, ()), Intent.WHAT),
        text,
        hits,
        (Statement(text, cited),),
        abstained=not text,
        generator="fake",
        removed=removed,
    )


SAID = {
    "any a?": ("Yes [1].", "id-a.png"),
    "how many b?": ("1 picture [2][1].", "id-b.png", "id-a.png"),
    "what is b?": ("A wasp [3].", "id-c.png"),
    "any z?": ("",),
}


def ask(question: str) -> Answer:
    return reply(question, *SAID[question])


def written(folder: Path, *lines: object) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), "utf-8")
    return path


# ---- what is measured ------------------------------------------------------------------------------------------


def test_each_measure_is_over_the_questions_that_it_is_asked_of(tmp_path: Path) -> None:
    report = measure_answers(ask, ITEMS, written(tmp_path, *LINES), model="pocket", k=6)
    assert {name: (share.share, share.n) for name, share in report.shares.items()} == {
        "citation_precision": (0.5, 3),
        "citation_recall": (2 / 3, 3),
        "facts": (0.0, 1),
        "existence": (1.0, 2),
        "counts": (1.0, 1),
        "refused": (1.0, 1),
        "answered": (1.0, 3),
        "grounded": (1.0, 4),
    }
    assert {kind: (share.share, share.n) for kind, share in report.kinds.items()} == {
        "exists": (1.0, 1),
        "count": (1.0, 1),
        "what": (0.0, 1),
        "exists, unanswerable": (1.0, 1),
    }
    assert (report.n, report.invented, report.rows, report.generator) == (4, 0, 3, "fake")


def test_shares_have_wilsons_interval_and_means_the_bootstraps(tmp_path: Path) -> None:
    report = measure_answers(ask, ITEMS, written(tmp_path, *LINES), model="pocket", k=6)
    grounded = report.shares["grounded"]
    assert (grounded.low, grounded.high) == metrics.wilson(4, 4)
    precision = report.shares["citation_precision"]
    assert (precision.low, precision.high) == (0.0, 1.0)


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (right, n), (low, high) in published.items():
        assert metrics.wilson(right, n) == pytest.approx((low, high), abs=5e-5)
    with pytest.raises(ValueError, match="not 3 of 2"):
        metrics.wilson(3, 2)


def test_what_was_invented_and_what_was_taken_away_are_counted_apart(tmp_path: Path) -> None:
    report = measure_answers(
        lambda words: reply(words, "Yes [9].", "id-q", removed=3), ITEMS, written(tmp_path, LINES[0]), model="m", k=6
    )
    assert (report.invented, report.removed, report["grounded"]) == (2, 3, 0.0)


def test_a_measure_that_nothing_asks_for_has_no_share(tmp_path: Path) -> None:
    report = measure_answers(ask, ITEMS, written(tmp_path, LINES[0]), model="m", k=6)
    assert (report.shares["counts"].share, report.shares["counts"].n, report["counts"]) == (None, 0, 1.0)


def test_limit_draws_questions_and_the_first_is_asked_once_more_before_the_clock_runs(tmp_path: Path) -> None:
    asked: list[str] = []
    told: list[tuple[int, int]] = []

    def listening(words: str) -> Answer:
        asked.append(words)
        return ask(words)

    report = measure_answers(
        listening,
        ITEMS,
        written(tmp_path, *LINES),
        model="m",
        k=6,
        limit=2,
        seed=1,
        tell=lambda *now: told.append(now),
    )
    assert (report.n, len(asked), asked[0]) == (2, 3, asked[1])
    assert told == [(1, 2), (2, 2)]
    assert report.latency_ms["p50"] <= report.latency_ms["p95"]


# ---- files -----------------------------------------------------------------------------------------------------


def test_a_line_needs_no_more_than_a_question_and_its_pictures(tmp_path: Path) -> None:
    path = written(tmp_path, {"question": "any a?", "relevant": ["a.png"]}, {"question": "z?", "relevant": []})
    first, second = read(path)
    assert (dict(first.asked.relevant), first.unanswerable, first.number, first.facts) == (
        {"a.png": 1.0},
        False,
        None,
        (),
    )
    assert second.unanswerable


def test_a_number_alone_is_exact_and_a_word_alone_a_fact(tmp_path: Path) -> None:
    (one,) = read(written(tmp_path, {"question": "?", "relevant": ["a"], "number": 7, "facts": ["red", ["a", "b"]]}))
    assert (one.number, one.facts) == ((7, 7, 7), (("red",), ("a", "b")))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object was expected"),
        ({"relevant": ["a"]}, '"question": words'),
        ({"question": " ", "relevant": ["a"]}, '"question": words'),
        ({"question": "?", "relevant": "a"}, '"relevant" is a list'),
        ({"question": "?", "relevant": ["a"], "doubtful": {}}, '"doubtful" is a list'),
        ({"question": "?", "relevant": ["a"], "unanswerable": True}, 'either "unanswerable" or'),
        ({"question": "?", "relevant": [], "unanswerable": False}, 'either "unanswerable" or'),
        ({"question": "?", "relevant": ["a"], "facts": "red"}, '"facts" is a list'),
        ({"question": "?", "relevant": ["a"], "facts": [[]]}, '"facts" is a list'),
        ({"question": "?", "relevant": ["a"], "facts": [[1]]}, '"facts" holds words'),
        ({"question": "?", "relevant": ["a"], "number": [3, 2, 1]}, '"number" is'),
        ({"question": "?", "relevant": ["a"], "number": "three"}, '"number" is'),
        ({"question": "?", "relevant": ["a"], "number": [1, 2, True]}, '"number" is'),
        ({"question": "?", "relevant": ["a"], "kind": 3}, '"question": words'),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_with_its_number(tmp_path: Path, line: object, said: str) -> None:
    path = written(tmp_path, LINES[0], line)
    with pytest.raises(UsageError, match="line 2") as caught:
        read(path)
    assert said in str(caught.value)


def test_questions_about_other_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none of the judged items is in this collection"):
        measure_answers(ask, ITEMS[2:], written(tmp_path, LINES[1]), model="m", k=6)


def test_the_bundled_questions_are_meant_by_streets() -> None:
    known = read("streets")
    assert len(known) >= 120
    assert sum(one.unanswerable for one in known) >= 30


# ---- the command -----------------------------------------------------------------------------------------------


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`sightline` on three pictures; `ask` finds the picture whose colour is in the question and says it."""
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choice, "load_encoder", lambda name, **_: FakeEncoder(name=str(name)))

    def answered(self: Collection, question: str, *, k: int, generator: object) -> Answer:
        hits = [hit for hit in self.search("red", k, literal=True) if hit.name.removesuffix(".png") in question]
        asked = Question(question, Query(question, ()), Intent.WHAT)
        text = f"{len(hits)} picture [1]: {hits[0].caption}" if hits else ""
        said = (Statement(text, (hits[0].id,)),) if hits else ()
        return Answer(asked, text, tuple(hits), said, abstained=not hits, generator=str(generator))

    monkeypatch.setattr(Collection, "ask", answered)

    def _run(*args: str | Path) -> Ran:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Ran(code, *capsys.readouterr())

    return _run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return colours(tmp_path / "photos")


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    lines: list[dict[str, Any]] = [
        {"question": "how many are red?", "kind": "count", "relevant": ["red.png"], "number": 1},
        {"question": "what is the blue one?", "kind": "what", "relevant": ["blue.png"], "facts": [["circle"]]},
        {"question": "any horse?", "kind": "exists", "relevant": []},
    ]
    return written(tmp_path, *lines)


def test_a_source_is_asked_and_the_document_has_every_answer(run: Run, photos: Path, asked: Path) -> None:
    ran = run("eval", photos, "--model", "m", "--answers", asked, "--generator", "extractive", "-k", "4", "--json")
    document = json.loads(ran.out)
    assert ran.code == 0
    assert (document["n"], document["generator"], document["k"], document["invented"]) == (3, "extractive", 4, 0)
    assert document["counts"] == {"share": 1.0, "interval": [0.206549, 1.0], "n": 1}
    assert [one["right"] for one in document["questions"]] == [True, False, True]
    assert document["kinds"]["exists, unanswerable"]["share"] == 1.0


def test_a_pipe_gets_one_line_for_each_number(run: Run, photos: Path, asked: Path) -> None:
    run("index", photos, "--model", "m")
    lines = [line.split("\t") for line in run("eval", "--answers", asked).out.splitlines()]
    assert [line[2] for line in lines[: len(quiz.MEASURES)]] == list(quiz.MEASURES)
    assert ["m", "None", "refused", "1.0000", "0.2065", "1.0000", "1"] in lines
    assert ["m", "None", "invented", "0", "", "", "3"] in lines


def test_a_terminal_shows_a_table(run: Run, photos: Path, asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: stream is not sys.stderr)
    shown = " ".join(run("eval", photos, "--model", "m", "--answers", asked).out.split())
    assert "unanswerable that are refused 100.0 % (21–100) of 1" in shown
    assert "right: what 0.0 % (0–79) of 1" in shown
    assert "invented · taken away 0 · 0" in shown


def test_fail_under_knows_the_measures_of_answers(run: Run, photos: Path, asked: Path) -> None:
    ran = run("eval", photos, "--model", "m", "--answers", asked, "--fail-under", "facts=0.5")
    assert (ran.code, ran.err.splitlines()[-1]) == (1, "facts is 0 with m, below 0.5")
    assert run("eval", photos, "--model", "m", "--answers", asked, "--fail-under", "counts=1").code == 0


@pytest.mark.parametrize(
    "flags",
    [
        ("--answers", "questions.jsonl", "--qrels", "streets"),
        ("--answers", "questions.jsonl", "--cutoff"),
        ("--answers", "questions.jsonl", "--channels", "vector"),
        ("--answers", "questions.jsonl", "--fail-under", "mrr=0.5"),
        ("--answers", "questions.jsonl", "--queries", "words.tsv"),
        ("--answers", "questions.jsonl", "--save", "figure.png"),
        ("--answers", "questions.jsonl", "--generator", "parrot"),
        ("--answers", "questions.jsonl", "-k", "0"),
        ("--answers", "questions.jsonl", "-k", "101"),
        ("--generator", "extractive"),
        ("-k", "4"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_encoded(
    run: Run, photos: Path, asked: Path, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "load_encoder", lambda *_, **__: pytest.fail("a model was loaded"))
    ran = run("eval", photos, *flags)
    assert (ran.code, ran.out) == (2, "")


def test_a_file_that_is_not_there_ends_1_before_anything_is_encoded(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "load_encoder", lambda *_, **__: pytest.fail("a model was loaded"))
    ran = run("eval", photos, "--answers", "nowhere.jsonl")
    assert (ran.code, ran.out) == (1, "")
