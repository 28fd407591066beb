"""What people see: safe in a terminal, exact in a pipe."""

from __future__ import annotations

import json

import pytest
import typer

from sightline import render
from sightline.progress import Ticker, ticker
from sightline.reports import IngestReport, Progress
from sightline.schema import Channel, Hit, Hits, Modality, Query, Skipped, SkipReason, Term

ESCAPE = "\x1b]0;owned\x07\x1b[31mred\x9b2J"


def hit(rank: int = 1, **changes: object) -> Hit:
    fields: dict[str, object] = {
        "rank": rank,
        "id": f"{rank:032x}",
        "uri": f"file:///p/{rank}.jpg",
        "name": f"{rank}.jpg",
        "score": 0.25,
        "text": "a dog\ntwo dogs",
        "modality": Modality.IMAGE,
        "load": bytes,
        "why": {"vector": Channel(1, 0.25, 0.2), "text": Channel(3, 7.5, 0.8)},
    }
    return Hit(**{**fields, **changes})  # type: ignore[arg-type]


def found(*hits: Hit) -> Hits:
    return Hits(Query("dog", (Term("dog"),)), hits)


def report(**changes: object) -> IngestReport:
    counts = dict.fromkeys(("added", "updated", "unchanged", "renamed", "removed", "missing", "encoded"), 0)
    fields = {"address": "t#x", "model": "m", **counts, "skipped": (), "seconds": 2.0, "rows": 9, **changes}
    return IngestReport(**fields)  # type: ignore[arg-type]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: True)
    monkeypatch.setenv("COLUMNS", "100")


def test_controls_are_shown_not_obeyed() -> None:
    assert render.plain(ESCAPE) == "␛]0;owned␇␛[31mred\ufffd2J"
    assert render.plain("a\r\nb\tc\x00\x7f") == "a b c␀␡"
    assert render.plain("abc\u202egpj.exe\u2069") == "abc\ufffdgpj.exe\ufffd"
    assert render.plain("caf\udce9") == "caf\ufffd"


def test_honest_text_of_any_script_is_left_alone() -> None:
    for text in ("日本語の写真", "عكس كلب", "👨‍👩‍👧 on a beach", "naïve – “quoted”"):
        assert render.plain(text) == text
        assert render.field(text) == text


def test_a_field_can_be_split_and_unescaped() -> None:
    assert render.field("a\tb\nc\\d\re") == "a\\tb\\nc\\\\d\\re"
    assert render.field("\x1b[2J\x9b\u2028\udce9") == "\\x1b[2J\\x9b\\u2028\\udce9"


def test_json_survives_and_says_the_same() -> None:
    document = {"text": f"{ESCAPE} é 日本 \udce9 \u202e"}
    text = render.dump(document)
    assert json.loads(text) == document
    assert "日本" in text
    assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}
    text.encode("utf-8")


def test_a_pipe_gets_rank_score_uri_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    render.hits(found(hit(), hit(2, text="", score=-0.5)))
    assert capsys.readouterr().out == ("1\t0.2500\tfile:///p/1.jpg\ta dog\\ntwo dogs\n2\t-0.5000\tfile:///p/2.jpg\t\n")


def test_why_adds_one_field_with_every_channel(capsys: pytest.CaptureFixture[str]) -> None:
    render.hits(found(hit()), why=True)
    assert capsys.readouterr().out.rstrip("\n").split("\t")[4] == "vector=1:0.2500:0.20 text=3:7.5000:0.80"


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    render.hits(found(hit(), hit(2, why={"vector": Channel(2, 0.125, 1.0)})), why=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["#", "score", "vector", "text", "caption", "picture"],
        ["1", "0.250", "#1", "0.250", "20%", "#3", "7.500", "80%", "a", "dog", "1.jpg"],
        ["2", "0.250", "#2", "0.125", "100%", "–", "a", "dog", "2.jpg"],
    ]


@pytest.mark.usefixtures("terminal")
def test_a_hostile_caption_is_text_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    render.hits(found(hit(text=f"[bold]x[/] :dog: {ESCAPE}", name="[red]n[/]\x1b[2J.jpg", uri="file:///\x1b]8;;x")))
    out = capsys.readouterr().out
    assert "[bold]x[/] :dog: ␛]0;owned␇␛[31mred\ufffd2J" in " ".join(out.split())
    assert "[red]n[/]␛[2J.jpg" in out
    assert not set(out) & {"\x1b", "\x07", "\x9b"}


@pytest.mark.parametrize(
    ("uri", "linked"),
    [
        ("file:///a/b%20c.jpg", True),
        ("https://evil.example/", False),
        ("file:///a\x1b]8;;", False),
        ("javascript:1", False),
    ],
)
def test_only_plain_file_addresses_become_links(uri: str, linked: bool) -> None:
    assert bool(render.link(uri)) is linked


@pytest.mark.usefixtures("terminal")
def test_samples_show_each_caption_on_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    render.pictures([("file:///a.jpg", "a.jpg", "one\ntwo"), ("file:///b.jpg", "b.jpg", "")])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "a.jpg",
        "  one",
        "  two",
        "",
        "b.jpg",
        "  (no caption)",
    ]


def test_the_report_says_only_what_happened() -> None:
    assert render.sentences(report(added=1, encoded=1, rows=1)) == [
        "1 added · 2.0 s, 0 pictures/s",
        "t#x holds 1 picture (model m)",
    ]
    assert render.sentences(report())[0] == "nothing to do · 2.0 s"
    assert render.sentences(report(added=4), dry_run=True)[0] == "would do: 4 added · 2.0 s"


def test_the_report_groups_what_was_skipped_and_names_the_first() -> None:
    skipped = [Skipped(f"file:///p/{n}%20x.txt", SkipReason.NOT_AN_IMAGE) for n in range(5)]
    lines = render.sentences(report(skipped=(Skipped("file:///p/h.png", SkipReason.TOO_LARGE), *skipped), missing=2))
    assert lines[0] == "6 skipped · 2.0 s"
    assert lines[2:] == [
        "skipped 5 not_an_image: 0 x.txt, 1 x.txt, 2 x.txt, and 2 more",
        "skipped 1 too_large: h.png",
        "2 pictures no longer in the source; --prune removes them",
    ]


def test_progress_as_json_is_one_line_per_commit(capsys: pytest.CaptureFixture[str]) -> None:
    with ticker("json") as tell:
        tell(Progress(3, 2, 2, 1))
        tell(Progress(6, 5, 4, 1))
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines()] == [
        {"seen": 3, "committed": 2, "encoded": 2, "skipped": 1},
        {"seen": 6, "committed": 5, "encoded": 4, "skipped": 1},
    ]
    assert tell.committed == 5


@pytest.mark.usefixtures("terminal")
def test_the_bar_goes_to_stderr_and_nothing_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with ticker("auto", count=lambda: 4) as tell:
        tell(Progress(2, 2, 2, 0))
    assert capsys.readouterr().out == ""


def test_a_count_that_fails_does_not_disturb_the_work() -> None:
    tell = Ticker()
    tell.count(lambda: 1 // 0)
    assert tell.total is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert render.duration(seconds) == text


def test_a_reader_that_went_away_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return 99

    monkeypatch.setattr("sys.stdout", Gone())
    monkeypatch.setattr("os.dup2", lambda *_fds: None)
    with pytest.raises(typer.Exit) as ended:
        render.out("x")
    assert ended.value.exit_code == render.BROKEN_PIPE


def test_tables_are_aligned_for_people_and_tabbed_for_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"rows": 3, "index": None, "modalities": ("image", "video")}
    render.table(facts)
    assert capsys.readouterr().out == "rows\t3\nindex\t\nmodalities\timage video\n"
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: True)
    render.table(facts)
    assert capsys.readouterr().out == "rows        3\nindex       –\nmodalities  image video\n"
