"""The command `eval`: what is written where, and what fails a build."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from fakes import FakeEncoder
from pictures import colours

from sightline import choice, evaluate, render
from sightline.cli import main
from sightline.schema import Vectors


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


class BlindEncoder(FakeEncoder):
    """Takes red for blue."""

    def encode_text(self, texts: list[str]) -> Vectors:
        return super().encode_text([text.replace("red", "blue") for text in texts])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    encoders = {"good": FakeEncoder(name="good"), "blind": BlindEncoder(name="blind", fingerprint="b" * 64)}
    monkeypatch.setattr(choice, "load_encoder", lambda name, **_: encoders.get(str(name), FakeEncoder()))

    def _run(*args: str | Path) -> Ran:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Ran(code, *capsys.readouterr())

    return _run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    captions = {"red.png": "red", "green.png": "green", "blue.png": "blue", "yellow.png": "red green"}
    return colours(tmp_path / "photos", captions)


def test_a_source_is_measured_and_leaves_nothing_behind(run: Run, photos: Path, tmp_path: Path) -> None:
    ran = run("eval", photos, "--model", "good", "--json")
    document = json.loads(ran.out)
    assert ran.code == 0
    assert (document["n"], document["model"], document["recall@1"]) == (4, "good", 1.0)
    assert document["intervals"]["mrr"] == [1.0, 1.0]
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "data").exists()


def test_a_collection_is_measured_with_its_own_encoder(run: Run, photos: Path) -> None:
    run("index", photos)
    assert json.loads(run("eval", "--json").out)["recall@1"] == 1.0


def test_a_pipe_gets_one_line_for_each_number(run: Run, photos: Path) -> None:
    lines = [line.split("\t") for line in run("eval", photos, "--model", "good").out.splitlines()]
    assert lines[0] == ["good", "text->image", "vector", "recall@1", "1.0000", "1.0000", "1.0000", "4"]
    assert [line[3] for line in lines] == [*evaluate.METRICS] * 2


def test_several_models_are_compared_in_pairs(run: Run, photos: Path) -> None:
    ran = run("eval", photos, "--model", "good", "--model", "blind", "--json")
    document = json.loads(ran.out)
    assert [one["model"] for one in document["models"]] == ["good", "blind"]
    first = document["comparisons"][0]
    assert (first["a"], first["b"], first["metric"], first["difference"]) == ("good", "blind", "recall@1", -0.5)


def test_a_terminal_shows_a_table_and_who_is_better(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: stream is not sys.stderr)
    shown = run("eval", photos, "--model", "good", "--model", "blind").out
    assert "recall@10 1.000 (1.000–1.000)" in " ".join(shown.split())
    assert "blind − good  mrr -" in shown


def test_fail_under_ends_1_with_one_line_and_still_prints_the_document(run: Run, photos: Path) -> None:
    asked = ("eval", photos, "--model", "blind", "--json", "--fail-under", "recall@1=0.9")
    ran = run(*asked)
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "recall@1 is 0.5 with blind, below 0.9"
    assert json.loads(ran.out)["recall@1"] == 0.5
    assert run(*asked[:-1], "recall@1=0.5", "--fail-under", "mrr=0.1").code == 0


@pytest.mark.parametrize(
    "flags",
    [
        ("--fail-under", "recall@1"),
        ("--fail-under", "recall@3=0.5"),
        ("--fail-under", "mrr=80"),
        ("--fail-under", "mrr=nan"),
        ("--channels", "vector,sound"),
        ("--queries", "queries.tsv"),
        ("--save", "figure.gif"),
        ("--limit", "0"),
        ("-c", "data/tables#x"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_encoded(
    run: Run, photos: Path, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "load_encoder", lambda *_, **__: pytest.fail("a model was loaded"))
    ran = run("eval", photos, *flags)
    assert (ran.code, ran.out) == (2, "")


def test_several_models_need_a_source(run: Run) -> None:
    assert run("eval", "--model", "good", "--model", "blind").code == 2


@pytest.mark.parametrize("source", ["nowhere", "empty"])
def test_a_source_with_nothing_in_it_ends_1(run: Run, tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    ran = run("eval", tmp_path / source)
    assert (ran.code, ran.out) == (1, "")
    assert not list((tmp_path / "temporary").iterdir())


def test_judgements_come_from_a_file_and_the_figure_is_drawn(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "judged.jsonl").write_text('{"query": "red", "relevant": ["red.png", "yellow.png"]}\n')
    ran = run("eval", photos, "--model", "good", "--qrels", "judged.jsonl", "--save", "out/eval.png", "--json")
    document = json.loads(ran.out)
    assert (document["relevance"], document["n"], document["channel"]) == ("qrels", 1, "hybrid")
    assert [run["channel"] for run in document["runs"]] == ["hybrid", "vector", "text"]
    assert (tmp_path / "out" / "eval.png").read_bytes().startswith(b"\x89PNG")


def test_a_terminal_shows_precision_by_kind(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        {"query": "red", "relevant": ["red.png"], "doubtful": ["yellow.png"], "kind": "colour"},
        {"query": "two greens", "relevant": ["green.png"], "kind": "count", "apart": True},
    ]
    (tmp_path / "judged.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: stream is not sys.stderr)
    ran = run("eval", photos, "--model", "good", "--qrels", "judged.jsonl", "--channels", "vector")
    shown = [line.split() for line in ran.out.splitlines()]
    assert ["queries", "1"] in shown
    assert ["colour", "1", "0.200"] in shown
    assert ["count", "(apart)", "1", "0.200"] in shown
    refused = run("eval", photos, "--fail-under", "precision@5=0.1")
    assert (refused.code, refused.out) == (2, "")


def test_unusable_pictures_are_left_out_and_counted(run: Run, photos: Path) -> None:
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    ran = run("eval", photos, "--model", "good")
    assert ran.code == 0
    assert "1 item of" in ran.err
