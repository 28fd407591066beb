"""The command line: what goes where, with which exit code, and what a person reads when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from fakes import FakeEncoder
from model_folders import hand_folder
from PIL import Image

import sightline
from sightline import choice, render
from sightline.cli import main
from sightline.collection import Collection
from sightline.reports import Progress

COMMANDS = (
    "index",
    "search",
    "show",
    "eval",
    "info",
    "remove",
    "dups",
    "verify",
    "optimize",
    "history",
    "restore",
    "demo",
    "serve",
    "models",
    "models list",
    "models info",
    "models fetch",
    "collections",
    "collections drop",
)
CAPTIONS = {"red": "a red car", "green": "a green tree\nleaves", "blue": "the blue sea"}


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, no settings from outside, no real model."""
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    encoder = FakeEncoder()
    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: encoder)
    return encoder


@pytest.fixture
def photos(empty: Path) -> Path:
    folder = empty / "photos"
    folder.mkdir()
    for colour, captions in CAPTIONS.items():
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(captions)
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def _run(*args: str | Path) -> Ran:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Ran(code, *capsys.readouterr())

    return _run


@pytest.fixture
def indexed(run: Run, fake: FakeEncoder, photos: Path) -> Path:
    assert run("index", photos).code == 0
    return photos


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: stream is not sys.stderr)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**kept, "PYTHONPATH": str(Path(sightline.__file__).parents[1]), "PYTHONWARNINGS": "error"}


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


# ---- help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(run: Run, command: str) -> None:
    ran = run(*command.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"  sightline {command}" in ran.out.split("Examples:")[1]


def test_no_command_shows_the_help_as_a_usage_error(run: Run) -> None:
    ran = run()
    assert (ran.code, ran.out) == (2, "")
    assert "sightline demo" in ran.err


def test_version_is_the_package_s(run: Run) -> None:
    assert run("--version") == (0, f"sightline {sightline.__version__}\n", "")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from sightline.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    ours = {name for name in ran.stderr.split() if name.startswith("sightline")}
    edges = {
        "answering",
        "care",
        "cli",
        "flags",
        "grading",
        "mapping",
        "measure",
        "progress",
        "render",
        "serving",
        "teach",
        "upkeep",
    }
    assert ours == {"sightline", "sightline.errors", *(f"sightline.{name}" for name in edges)}
    assert not {"numpy", "pyarrow", "lancedb", "PIL", "pydantic", "matplotlib", "rich.console"} & set(
        ran.stderr.split()
    )


@pytest.mark.slow
def test_help_takes_at_most_a_quarter_of_importing_lancedb() -> None:
    def seconds(*args: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *args], capture_output=True, env=environment(), check=True)
        return time.perf_counter() - began

    pairs = [(seconds("-m", "sightline", "--help"), seconds("-W", "ignore", "-c", "import lancedb")) for _ in range(5)]
    helped, imported = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert helped <= imported / 4


# ---- index ----------------------------------------------------------------------------------------------------


def test_index_reports_in_a_pipe_as_names_and_values(run: Run, fake: FakeEncoder, photos: Path) -> None:
    ran = run("index", photos)
    facts = dict(line.split("\t") for line in ran.out.splitlines())
    assert ran.code == 0
    assert facts.pop("seconds")
    assert facts == {
        "address": "data/tables#items",
        "model": "fake",
        **dict.fromkeys(("updated", "unchanged", "renamed", "removed", "missing", "skipped"), "0"),
        **dict.fromkeys(("added", "encoded", "rows"), "3"),
    }


def test_index_names_the_bundled_model_once_on_stderr(run: Run, fake: FakeEncoder, photos: Path) -> None:
    first, second = run("index", photos), run("index", photos)
    assert "'pocket'" in first.err
    assert first.err.count("\n") == 1
    assert second.err == ""


def test_a_second_run_does_nothing_and_json_says_so(run: Run, indexed: Path) -> None:
    ran = run("index", indexed, "--json")
    document = json.loads(ran.out)
    assert document.pop("seconds") >= 0
    assert document == {
        "address": "data/tables#items",
        "model": "fake",
        "added": 0,
        "updated": 0,
        "unchanged": 3,
        "renamed": 0,
        "removed": 0,
        "missing": 0,
        "encoded": 0,
        "skipped": [],
        "rows": 3,
        "ocr": None,
    }


@pytest.mark.usefixtures("terminal")
def test_index_tells_a_person_what_happened(run: Run, fake: FakeEncoder, photos: Path) -> None:
    (photos / "notes.pdf").write_bytes(b"%PDF-1.4 not a picture")
    lines = run("index", photos).out.splitlines()
    assert lines[0].startswith("3 added, 1 skipped · ")
    assert lines[1] == "data/tables#items holds 3 pictures (model fake)"
    assert lines[2].startswith("skipped 1 ")
    assert lines[2].endswith(": notes.pdf")


def test_progress_as_json_ends_with_everything_committed(run: Run, fake: FakeEncoder, photos: Path) -> None:
    ran = run("index", photos, "--progress", "json", "--json")
    last = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")][-1]
    assert last == {"seen": 3, "committed": 3, "encoded": 3, "skipped": 0}
    assert json.loads(ran.out)["rows"] == 3


def test_several_sources_are_one_run(run: Run, fake: FakeEncoder, photos: Path, empty: Path) -> None:
    (empty / "more").mkdir()
    Image.new("RGB", (8, 8), "yellow").save(empty / "more" / "yellow.png")
    document = json.loads(run("index", photos, "more", "--exclude", "blue.*", "--json").out)
    assert (document["added"], document["rows"]) == (3, 3)


def test_a_dry_run_writes_nothing(run: Run, fake: FakeEncoder, photos: Path, empty: Path) -> None:
    ran = run("index", photos, "--dry-run", "--json")
    assert ran.code == 0
    assert run("info").code == 1


def test_what_is_gone_is_missing_until_it_is_pruned(run: Run, indexed: Path) -> None:
    (indexed / "red.png").unlink()
    assert json.loads(run("index", indexed, "--json").out)["missing"] == 1
    refused = run("index", indexed, "--prune")
    assert (refused.code, refused.out) == (1, "")
    assert "--yes" in refused.err
    assert json.loads(run("index", indexed, "--prune", "--yes", "--json").out)["removed"] == 1
    assert json.loads(run("info", "--json").out)["rows"] == 2


def test_rebuild_needs_no_source(run: Run, indexed: Path) -> None:
    for file in indexed.iterdir():
        file.unlink()
    document = json.loads(run("index", "--rebuild", "--json").out)
    assert (document["encoded"], document["rows"]) == (3, 3)


def test_ctrl_c_says_what_is_safe_and_how_to_go_on(
    run: Run, fake: FakeEncoder, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: Collection, *_specs: str, progress: Callable[[Progress], None], **_flags: object) -> None:
        progress(Progress(900, 512, 512, 0))
        raise KeyboardInterrupt

    monkeypatch.setattr(Collection, "ingest", interrupted)
    assert run("index", photos, "--progress", "none") == (
        130,
        "",
        "using the small bundled model 'pocket'; a larger one finds more: sightline models list\n"
        "stopped: 512 pictures of this run are safe in data/tables#items\n"
        "hint: run the same command again to go on\n",
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_real_ctrl_c_leaves_what_was_committed(empty: Path) -> None:
    hand_folder(empty / "hand")
    for n in range(3000):
        Image.new("RGB", (64, 48), (n % 256, n // 256, 9)).save(empty / f"{n:04}.jpg")
    args = [sys.executable, "-m", "sightline", "index", ".", "--model", "./hand", "--progress", "json"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as child:
        assert child.stderr is not None
        committed = 0
        for line in child.stderr:
            if line.startswith("{") and (committed := json.loads(line)["committed"]):
                break
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert "Traceback" not in err
    if child.returncode != 0:  # it may have been just finished
        assert (child.returncode, out) == (130, "")
        assert "stopped: " in err
    ran = subprocess.run([*args[:3], "info", "--json"], capture_output=True, text=True, env=environment(), check=True)
    assert json.loads(ran.stdout)["rows"] >= committed


# ---- search ---------------------------------------------------------------------------------------------------


def test_search_finds_by_words_best_first(run: Run, indexed: Path) -> None:
    ran = run("search", "red", "car", "-k", "1")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"1\t1.0000\t{(indexed / 'red.png').as_uri()}\ta red car\n"


def test_search_finds_by_picture_and_by_item(run: Run, indexed: Path) -> None:
    document = json.loads(run("search", "./photos/blue.png", "-k", "1", "--json").out)
    (hit,) = document["hits"]
    assert hit["uri"].endswith("blue.png")
    others = json.loads(run("search", f"id:{hit['id']}", "--json").out)["hits"]
    assert {other["text"] for other in others} == {"a red car", "a green tree\nleaves"}


def test_search_json_has_the_agreed_fields(run: Run, indexed: Path) -> None:
    document = json.loads(run("search", "green", "-k", "1", "--json").out)
    assert set(document) == {"query", "understood", "cutoff", "near_misses", "hits"}
    fields = {"rank", "id", "uri", "score", "relevance", "text", "modality", "captured_at", "group", "why"}
    assert fields <= set(document["hits"][0])
    assert set(document["understood"]) == {"terms", "filters", "text"}


def test_why_shows_the_channels(run: Run, indexed: Path) -> None:
    why = run("search", "red", "-k", "1", "--why").out.rstrip("\n").split("\t")[4]
    by_channel = dict(one.split("=") for one in why.split())
    assert by_channel["vector"].startswith("1:1.0000:")
    assert by_channel["text"].startswith("1:")
    assert sum(float(seen.split(":")[2]) for seen in by_channel.values()) == pytest.approx(1, abs=0.02)


def test_where_narrows_the_search(run: Run, indexed: Path) -> None:
    ran = run("search", "red", "--min-relevance", "0", "--where", "name LIKE '%blue%'")
    assert [line.split("\t")[3] for line in ran.out.splitlines()] == ["the blue sea"]


def test_nothing_found_ends_3_and_still_prints_the_document(run: Run, indexed: Path) -> None:
    ran = run("search", "red", "--where", "width > 9999", "--json")
    assert ran.code == 3
    assert json.loads(ran.out)["hits"] == []
    assert run("search", "red", "--where", "width > 9999") == (3, "", "nothing found in data/tables#items\n")


@pytest.mark.parametrize("query", ["red", "./photos/red.png"])
def test_save_draws_the_hits_and_says_where(run: Run, indexed: Path, empty: Path, query: str) -> None:
    ran = run("search", query, "--save", "figures/red.png")
    assert ran.err == "figure written to figures/red.png\n"
    assert size_of(empty / "figures/red.png")[0] > 300


def test_what_was_understood_is_said_when_it_is_more_than_plain_words(run: Run, indexed: Path) -> None:
    assert run("search", "red", "car").err == ""
    assert run("search", "./photos/blue.png").err == ""
    ran = run("search", "red", "+", "2:green", "-", "blue", "in:photos", "added:today", "-k", "1")
    assert ran.code in (0, 3)
    assert ran.err.startswith('understood: "red" + 2:"green" - "blue" · in photos · added on 20')
    said = run("search", "the red square I took since 2020", "type:image", "-", "camera:canon").err
    assert said.startswith('understood: "red square" · type image · taken after 2020-01-01 · not camera "canon"')
    assert run("search", "red - blue", "--json").err == ""
    assert run("search", "red - blue", "--literal").err == ""
    assert json.loads(run("search", "red in:photos - blue", "--json").out)["understood"] == {
        "terms": [{"text": "red"}, {"text": "blue", "weight": -1.0}],
        "filters": [{"in": "photos"}],
        "text": "red",
    }


def test_a_fault_in_a_query_is_pointed_at(run: Run, indexed: Path) -> None:
    ran = run("search", "red", "after:banana")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[1:3] == ["  red after:banana", "            ^"]
    assert json.loads(run("search", "red", "after:banana", "--json").err)["at"] == 10
    far = run("search", "日本 " * 40 + "\x1b[2J - - x").err.splitlines()
    assert "\x1b" not in far[1]
    assert len(far) == 4


def test_hits_can_be_ordered_by_date(run: Run, indexed: Path) -> None:
    for day, colour in enumerate(("green", "blue", "red"), start=1):
        os.utime(indexed / f"{colour}.png", (86_400 * day, 86_400 * day))
        assert run("index", indexed, "--rehash").code == 0
    lines = run("search", "square", "--min-relevance", "0", "--sort", "date").out.splitlines()
    assert len(lines) == 3
    check_fault(run("search", "red", "--sort", "name"), 2, "--sort")


def test_a_figure_of_no_known_kind_is_refused_before_the_search(run: Run, empty: Path) -> None:
    ran = run("search", "red", "--save", "x.bmp")
    assert (ran.code, ran.out) == (2, "")
    assert ".png .svg .pdf" in ran.err


# ---- show, info, remove, models, collections ------------------------------------------------------------------


def test_show_draws_as_many_samples_as_asked(run: Run, indexed: Path, empty: Path) -> None:
    ran = run("show", "-n", "3", "--seed", "1", "--save", "s.png")
    assert sorted(line.split("\t")[1] for line in ran.out.splitlines()) == [
        "a green tree\\nleaves",
        "a red car",
        "the blue sea",
    ]
    assert run("show", "-n", "3", "--seed", "1").out == ran.out
    assert (empty / "s.png").stat().st_size > 1000


def test_show_looks_into_a_source_without_any_collection(run: Run, photos: Path, empty: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    ran = run("show", photos, "-n", "9", "--json", "--save", "s.svg")
    assert sorted(sample["name"] for sample in json.loads(ran.out)["samples"]) == ["blue.png", "green.png", "red.png"]
    assert not (empty / "data").exists()


def test_show_cannot_look_into_both(run: Run, photos: Path) -> None:
    assert run("show", photos, "-c", "data/tables").code == 2


def test_info_has_the_agreed_fields(run: Run, indexed: Path) -> None:
    document = json.loads(run("info", "--json").out)
    agreed = "address rows encoder dim modalities fragments unindexed index measured_recall bytes version"
    assert set(agreed.split()) <= set(document)
    assert (document["rows"], document["encoder"], document["dim"]) == (3, "fake", 8)
    assert "rows\t3\n" in run("info").out


def test_remove_takes_a_path_a_uri_or_an_id_and_leaves_the_files(run: Run, indexed: Path) -> None:
    ident = json.loads(run("search", "green", "-k", "1", "--json").out)["hits"][0]["id"]
    assert run("remove", "photos/red.png", (indexed / "blue.png").as_uri(), ident) == (0, "removed\t3\n", "")
    assert run("remove", ident, "--json").code == 3
    assert (indexed / "red.png").exists()


def test_models_lists_what_a_person_can_choose_from(run: Run, empty: Path) -> None:
    document = json.loads(run("models", "--json").out)
    assert document == json.loads(run("models", "list", "--json").out)
    assert {"pocket", "ViT-L-14__openai", document["recommended"]} <= {model["name"] for model in document["models"]}
    assert all(len(line.split("\t")) == 6 for line in run("models").out.splitlines())


def test_models_info_reads_a_folder(run: Run, empty: Path) -> None:
    hand_folder(empty / "hand")
    document = json.loads(run("models", "info", "./hand", "--json").out)
    assert document["dim"] == 4
    assert document["bytes"] > 0


def test_collections_lists_and_drops(run: Run, indexed: Path) -> None:
    assert run("collections").out == "data/tables#items\t3\tfake\n"
    refused = run("collections", "drop", "data/tables#items")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert run("collections", "drop", "data/tables#items", "--yes").code == 0
    assert run("collections") == (0, "", "no collections in data/tables\n")
    assert json.loads(run("collections", "--json").out) == {"collections": []}


# ---- what goes wrong ------------------------------------------------------------------------------------------


WRONG = {  # arguments, exit code, what the error line says
    "missing folder": (["index", "nowhere"], 1, "nowhere: there is no such file or folder"),
    "empty folder": (["index", "hollow"], 1, "hollow: there is nothing in it to list"),
    "no source": (["index"], 2, "no SOURCE was given"),
    "unknown source": (["index", "gopher:x"], 1, "no source of kind 'gopher:'"),
    "missing collection": (["search", "x", "-c", "data/none"], 1, "there is no collection"),
    "missing collection, info": (["info", "-c", "data/none"], 1, "there is no collection"),
    "missing collection, show": (["show", "-c", "data/none"], 1, "there is no collection"),
    "missing collection, drop": (["collections", "drop", "data/none", "--yes"], 1, "there is no collection"),
    "k too small": (["search", "x", "-k", "0"], 2, "k is 0"),
    "k too large": (["search", "x", "-k", "1001"], 2, "k is 1001"),
    "k no number": (["search", "x", "-k", "many"], 2, "-k"),
    "no such flag": (["search", "x", "--fuzzy"], 2, "No such option: --fuzzy"),
    "no such command": (["serch", "x"], 2, "serch"),
    "no query": (["search"], 2, "QUERY"),
    "empty query": (["search", "  ", "-c", "data/none"], 2, "the query is empty"),
    "missing query picture": (["search", "./none.jpg", "-c", "data/none"], 2, "./none.jpg"),
    "bad batch size": (["index", "hollow", "--batch-size", "0"], 2, "batch_size"),
    "bad address": (["info", "-c", "data/x#a b"], 2, "not a collection address"),
    "rebuild with source": (["index", "hollow", "--rebuild"], 2, "--rebuild"),
    "unknown model, info": (["models", "info", "clop"], 1, "'clop' is unknown"),
    "corrupt model, info": (["models", "info", "./half-model"], 1, "half-model"),
}


@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
@pytest.mark.parametrize("case", WRONG)
def test_a_fault_is_one_line_and_a_hint(run: Run, fake: FakeEncoder, empty: Path, case: str, as_json: bool) -> None:
    (empty / "hollow").mkdir()
    (empty / "half-model").mkdir()
    (empty / "half-model" / "config.json").write_text("{}")
    args, code, says = WRONG[case]
    check_fault(run(*args, *(["--json"] if as_json else [])), code, says, as_json=as_json)


def check_fault(ran: Ran, code: int, says: str, *, as_json: bool = False) -> None:
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert "Traceback" not in ran.err
    said = ran.err[ran.err.index("{") :] if as_json else "".join(ran.err.partition("error: ")[1:])
    if as_json:
        document = json.loads(said)
        assert set(document) == {"error", "message", "hint"}
        assert says in document["message"]
        assert document["hint"]
    else:
        first, second = said.splitlines()
        assert says in first
        assert second.startswith("hint: ")


def test_an_unknown_model_is_said(run: Run, photos: Path) -> None:
    check_fault(run("index", photos, "--model", "ViT-B-32__laion2"), 1, "'ViT-B-32__laion2' is unknown")


def test_a_corrupt_model_folder_is_said(run: Run, photos: Path, empty: Path) -> None:
    (hand_folder(empty / "hand") / "visual" / "model.onnx").unlink()
    check_fault(run("index", photos, "--model", "./hand"), 1, "visual/model.onnx")


def test_another_encoder_is_refused_and_nothing_is_written(run: Run, indexed: Path, empty: Path) -> None:
    hand_folder(empty / "hand")
    ran = run("index", indexed, "--model", "./hand")
    check_fault(ran, 1, "was built with fake (8-d")
    assert "--rebuild" in ran.err
    assert json.loads(run("info", "--json").out)["encoder"] == "fake"


@pytest.mark.parametrize("where", ["width >", "no_such_column = 1", "width", "'"])
def test_a_bad_where_clause_is_a_usage_error(run: Run, indexed: Path, where: str) -> None:
    check_fault(run("search", "red", "--where", where), 2, "where")


def test_a_table_of_somebody_else_is_left_alone(run: Run, fake: FakeEncoder, photos: Path) -> None:
    import lancedb

    theirs = lancedb.connect("data/tables").create_table("items", [{"a": 1}])
    for args in (["index", photos], ["search", "red"], ["info"], ["remove", "x"]):
        check_fault(run(*args), 1, "was not made by Sightline")
    check_fault(run("collections", "drop", "data/tables#items", "--yes"), 1, "was not made by Sightline")
    assert theirs.count_rows() == 1


def test_a_fault_of_ours_is_one_line_with_what_to_do(run: Run, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Collection, *_args: object, **_flags: object) -> None:
        raise KeyError("oops\x1b[2J\nsecond line")

    monkeypatch.setattr(Collection, "search", broken)
    ran = run("search", "red")
    check_fault(ran, 1, "unexpected KeyError: ")
    assert "\x1b" not in ran.err
    assert "sightline --debug search" in ran.err
    with pytest.raises(KeyError):
        run("--debug", "search", "red")


def test_a_full_disk_is_said_as_the_system_says_it(run: Run, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Collection, *_args: object, **_flags: object) -> None:
        raise OSError(28, "No space left on device", "data/tables")

    monkeypatch.setattr(Collection, "ingest", full)
    ran = run("index", indexed)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("error: No space left on device: data/tables\n")


def test_a_warning_is_one_line(run: Run, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    real = Collection.search

    def warned(self: Collection, *args: object, **flags: object) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn("the newest version\nwas unreadable", UserWarning, stacklevel=1)
        return real(self, *args, **flags)  # type: ignore[arg-type]

    monkeypatch.setattr(Collection, "search", warned)
    assert run("search", "red").err == "warning: the newest version was unreadable\n"


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_head_cuts_the_output_off_in_silence(empty: Path) -> None:
    """Far more than a pipe holds."""
    script = """
import sys
from sightline import care, cli
care._folders = lambda _folder: [f"{n:0200}" for n in range(20_000)]
sys.exit(cli.main(["models"]))
"""
    piped = 'set -o pipefail; "$1" -c "$2" | head -c 1; echo $?'
    args = ["bash", "-c", piped, "bash", sys.executable, script]
    ran = subprocess.run(args, capture_output=True, text=True, env=environment(), check=True)
    assert ran.stderr == ""
    assert ran.stdout.endswith("141\n")


def test_surrogate_bytes_in_a_name_do_not_crash_the_output(run: Run, fake: FakeEncoder, empty: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \x1b[2J.png")
    (empty / "odd").mkdir()
    try:
        Image.new("RGB", (8, 8), "red").save(empty / "odd" / name)
    except OSError:
        pytest.skip("this file system refuses such names")
    assert run("index", "odd").code == 0
    for args in (["search", "red"], ["search", "red", "--json"], ["show"], ["show", "--json"]):
        ran = run(*args)
        assert ran.code == 0
        assert "\x1b" not in ran.out
        ran.out.encode("utf-8")


# ---- demo -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_demo_tells_its_story_twice_and_draws_a_figure(run: Run, fake: FakeEncoder, empty: Path) -> None:
    first, second = run("demo", "--no-serve"), run("demo", "--no-serve")
    assert (first.code, second.code) == (0, 0)
    for ran in (first, second):
        for said in ("a road with a stop sign", "more like streets/", "data/demo.png", "sightline index ~/Pictures"):
            assert said in ran.out
        assert 'understood: "yellow taxi" · added on ' in ran.out
        assert 'understood: "a bus on a highway" - "night"' in ran.out
        assert "nothing found that fits" in ran.out.partition("an elephant on the road")[2].partition("5. ")[0]
    assert "encoded with fake" in first.out
    assert "nothing new" in second.out
    assert fake.calls.count("image") == len(sightline.open("data/tables#streets"))
    assert size_of(empty / "data/demo.png")[1] > 1000
