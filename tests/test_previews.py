"""Pictures in a terminal: each form read back as a terminal would, who is asked what, and nothing changed in a pipe."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from fakes import FakeEncoder
from PIL import Image
from rich.cells import cell_len
from rich.text import Text

import sightline
from sightline import choice, previews, render
from sightline.cli import main
from sightline.previews import Placed, Screen, Tile
from sightline.schema import Channel, Filter, Hit, Hits, Modality, Query, Term

ESCAPE = "\x1b]0;owned\x07\x1b[31mred\x9b2J"
FORMS = ("kitty", "iterm2", "sixel", "blocks")


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """A smooth picture in which no two corners are alike."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (255 * x / width, 255 * y / height, 255 * (x + y) / (width + height))
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


def tile(image: Image.Image | bytes, *lines: str) -> Tile:
    data = image if isinstance(image, bytes) else png(image)
    return Tile(lambda: data, tuple(Text(line) for line in lines))


# ---- what a terminal reads out of the bytes -------------------------------------------------------------------


def kitty_pictures(sent: str) -> list[tuple[dict[str, str], Image.Image]]:
    """(keys of the first command, picture) of each picture; a command ends where m=0 says so."""
    found, keys, held = [], {}, ""
    for control, payload in re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent):
        one = dict(pair.split("=") for pair in control.split(","))
        keys, held = keys or one, held + payload
        assert len(payload) <= 4096
        if one["m"] == "0":
            found.append((keys, Image.open(io.BytesIO(base64.b64decode(held, validate=True)))))
            keys, held = {}, ""
    assert not held
    return found


def iterm2_pictures(sent: str) -> list[tuple[dict[str, str], Image.Image]]:
    found = []
    for control, payload in re.findall(r"\x1b\]1337;File=([^:]*):([^\x07]*)\x07", sent):
        data = base64.b64decode(payload, validate=True)
        keys = dict(pair.split("=") for pair in control.split(";"))
        assert int(keys["size"]) == len(data)
        found.append((keys, Image.open(io.BytesIO(data))))
    return found


def sixel_picture(sent: str) -> np.ndarray:
    """(h, w, 3) levels of 0 to 255; a pixel that no colour was given to is -1."""
    start = re.match(r'\x1bP0;1q"1;1;(\d+);(\d+)', sent)
    assert start
    assert sent.endswith("\x1b\\")
    width, height = int(start[1]), int(start[2])
    painted = np.full((height, width, 3), -1)
    colours: dict[int, tuple[float, ...]] = {}
    colour = x = top = 0
    for token in re.finditer(
        r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)", sent[start.end() : -2]
    ):
        if token[1]:
            colours[int(token[1])] = tuple(int(token[i]) * 2.55 for i in (2, 3, 4))
        elif token[5]:
            colour = int(token[5])
        elif token[9]:
            x = 0
        elif token[10]:
            x, top = 0, top + 6
        else:
            bits, run = ord(token[7] or token[8]) - 63, int(token[6] or 1)
            for row in range(6):
                if bits >> row & 1:
                    painted[top + row, x : x + run] = np.rint(colours[colour])
            x += run
    return painted


def blocks_picture(sent: str) -> np.ndarray:
    """(2 * lines, w, 3) levels of a text of ▀ in 24-bit colours."""
    rows = []
    for line in sent.rstrip("\n").split("\n"):
        cells = re.findall(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m(▀+)", line)
        rows += [[[int(cell[i]) for i in three] for cell in cells for _ in cell[6]] for three in ((0, 1, 2), (3, 4, 5))]
    return np.array(rows)


class Drawn(NamedTuple):
    row: int
    column: int


def walk(sent: str) -> tuple[list[Drawn], dict[int, str], Drawn]:
    """Where the cursor stands at each picture, the text of each line, and where it ends; lines never run out."""
    row = column = 0
    kept = (0, 0)
    pictures: list[Drawn] = []
    lines: dict[int, str] = {}
    tokens = (
        r"(?P<picture>\x1b_G[^\x1b]*\x1b\\|\x1b\]1337;[^\x07]*\x07|\x1bP[^\x1b]*\x1b\\)|(?P<style>\x1b\[[\d;]*m)"
        r"|\x1b\[(?P<n>\d+)(?P<move>[ABG])|(?P<save>\x1b7)|(?P<restore>\x1b8)|(?P<control>[\n\r])|(?P<text>[^\x00-\x1f])"
    )
    at = 0
    for token in re.finditer(tokens, sent):
        assert token.start() == at, f"not understood: {sent[at : token.start()]!r}"
        at = token.end()
        if token["picture"]:
            if "a=T" in token[0] or "_G" not in token[0]:
                pictures.append(Drawn(row, column))
        elif token["move"]:
            n = int(token["n"])
            row += {"A": -n, "B": n, "G": 0}[token["move"]]
            column = n - 1 if token["move"] == "G" else column
        elif token["save"]:
            kept = (row, column)
        elif token["restore"]:
            row, column = kept
        elif token["control"]:
            row, column = row + (token["control"] == "\n"), 0
        elif token["text"]:
            lines[row] = lines.get(row, "").ljust(column) + token["text"]
            column += 1
    assert at == len(sent), f"not understood: {sent[at:]!r}"
    return pictures, lines, Drawn(row, column)


# ---- the four forms -------------------------------------------------------------------------------------------


def test_kitty_gets_the_very_pixels_in_chunks_and_one_side_to_hold_it() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8))
    sent = previews.kitty(Placed(noise, 24, 9))
    [(keys, shown)] = kitty_pictures(sent)
    assert sent.count("\x1b_G") > 1
    assert (pixels(shown) == pixels(noise)).all()
    assert keys == {"a": "T", "f": "100", "q": "2", "C": "1", "c": "24", "m": "1"}
    [(keys, _)] = kitty_pictures(previews.kitty(Placed(picture(), 24, 9, wide=False)))
    assert (keys["r"], "c" in keys) == ("9", False)


def test_iterm2_gets_a_file_without_a_name() -> None:
    [(keys, shown)] = iterm2_pictures(previews.iterm2(Placed(picture(), 24, 9)))
    assert abs(pixels(shown) - pixels(picture())).mean() < 3
    assert {name: value for name, value in keys.items() if name != "size"} == {
        "inline": "1",
        "width": "24",
        "height": "9",
        "preserveAspectRatio": "1",
    }


@pytest.mark.parametrize("size", [(64, 48), (1, 1), (7, 13), (300, 5)])
def test_a_sixel_reader_sees_the_picture_in_256_colours(size: tuple[int, int]) -> None:
    image = picture(*size)
    seen = sixel_picture(previews.sixel(Placed(image, 24, 9)))
    assert abs(seen - pixels(image.quantize(256))).max() <= 2  # levels are sent in per cent
    assert abs(seen - pixels(image)).mean() < 8


@pytest.mark.parametrize("size", [(24, 18), (3, 5), (1, 2)])
def test_blocks_are_two_pixels_to_a_cell(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "console", lambda: truecolour(80))
    image = picture(*size)
    text = previews.blocks(Placed(image, size[0], (size[1] + 1) // 2))
    assert text.plain == "\n".join(["▀" * size[0]] * ((size[1] + 1) // 2))
    if size[1] % 2 == 0:
        assert (blocks_picture(render.rendered(text)) == pixels(image)).all()


def truecolour(columns: int) -> render.Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(), force_terminal=True, color_system="truecolor", width=columns, markup=False, highlight=False
    )


# ---- the grid -------------------------------------------------------------------------------------------------


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Sets the width of the console that texts are laid out for."""

    def set_(columns: int) -> None:
        monkeypatch.setattr(render, "console", lambda *_: truecolour(columns))

    yield set_


@pytest.mark.parametrize("columns", [20, 80, 140])
@pytest.mark.parametrize("form", FORMS)
def test_pictures_stand_above_their_own_lines_within_the_width(wide, form: str, columns: int) -> None:
    wide(columns)
    tiles = [tile(picture(64, 48), f"name{n}", "a long caption " * 9) for n in range(5)]
    drawn, lines, end = walk("".join(previews.grid(tiles, Screen(form, columns=columns, rows=40))))
    assert max(cell_len(line.rstrip()) for line in lines.values()) <= columns
    names = [(row, line.index(f"name{n}")) for n in range(5) for row, line in lines.items() if f"name{n}" in line]
    assert len(names) == 5
    assert end == (max(lines) + 1, 0)  # the next thing that is written stands below it all
    if form == "blocks":
        assert all(lines[row - 1][column] == "▀" for row, column in names)
        return
    assert [one.column for one in drawn] == [column for _, column in names]
    for one, (row, _) in zip(drawn, names, strict=True):
        width = min(columns, previews.WIDEST)
        assert row - one.row == round(min(width, tile_width(columns)) * 10 * 3 / 4 / 20 + 0.499)


def tile_width(columns: int) -> int:
    across = min(5, max(1, (columns + previews.GAP) // (previews.NARROWEST + previews.GAP)))
    return min(previews.WIDEST, (columns - previews.GAP * (across - 1)) // across)


@pytest.mark.parametrize("form", FORMS)
def test_a_tall_picture_leaves_room_for_its_lines_on_a_low_terminal(wide, form: str) -> None:
    wide(80)
    _, lines, _ = walk("".join(previews.grid([tile(picture(10, 400), "name")], Screen(form, columns=80, rows=12))))
    assert [row for row, line in lines.items() if "name" in line] == [9]


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_that_cannot_be_decoded_leaves_a_word_and_the_others_alone(wide, form: str) -> None:
    wide(80)
    tiles = [tile(b"\x1b]0;owned\x07", "first"), tile(picture(), "second")]
    drawn, lines, _ = walk("".join(previews.grid(tiles, Screen(form))))
    assert any("(no picture)" in line for line in lines.values())
    assert len(drawn) == (form != "blocks")


def test_what_is_sent_does_not_grow_with_the_picture_or_the_cells(wide) -> None:
    wide(80)
    huge = tile(Image.fromarray(np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)), "huge")
    screen = Screen("kitty", columns=80, rows=100, cell=(60, 120))
    [(_, shown)] = kitty_pictures("".join(previews.grid([huge], screen)))
    assert max(shown.size) <= previews.LONGEST
    [(_, shown)] = iterm2_pictures("".join(previews.grid([huge], Screen("iterm2", columns=80, cell=(60, 120)))))
    assert max(shown.size) <= previews.LONGEST
    sent = "".join(previews.grid([huge], Screen("sixel", columns=80, rows=100, cell=(60, 120))))
    [size] = re.findall(r'\x1bP0;1q"1;1;(\d+);(\d+)', sent)
    assert max(map(int, size)) <= previews.LONGEST


@pytest.mark.parametrize("form", FORMS)
def test_names_and_captions_of_others_cannot_steer_the_terminal(wide, form, capsys: pytest.CaptureFixture[str]) -> None:
    wide(80)
    one = hit(text=f"{ESCAPE}\n{ESCAPE} dog", name=f"x{ESCAPE}.jpg", uri="file:///\x1b]8;;x")
    previews.hits(found(one), Screen(form), lambda _: png(picture()), why=True)
    previews.samples([hit(text=ESCAPE, name=ESCAPE, load=lambda: png(picture()))], Screen(form))
    out = capsys.readouterr().out
    walk(out.replace("\x1b]8;id=", "\x1b]8;"))  # refuses every sequence that it does not know
    assert "␛]0;owned" in out


def test_a_tile_says_how_well_it_fits_and_how_many_are_like_it(wide, capsys: pytest.CaptureFixture[str]) -> None:
    wide(80)
    one = hit(relevance=0.873, alike=("x", "y"))
    previews.hits(found(one), Screen("iterm2"), lambda _: png(picture()), why=True)
    _, lines, _ = walk(capsys.readouterr().out)
    assert [line.strip() for line in lines.values() if line.strip()] == [
        "1  87 %  0.250  +2 alike",
        "vector #1 0.250 100%",
        "a dog",
        "1.jpg",
    ]


def test_a_long_name_keeps_its_end_and_a_long_caption_two_lines(wide, capsys: pytest.CaptureFixture[str]) -> None:
    wide(24)
    one = hit(name="2024/Holidays/IMG_20240612_183045.jpg", text="word " * 40)
    previews.hits(found(one), Screen("sixel", columns=24), lambda _: png(picture()))
    _, lines, _ = walk(capsys.readouterr().out)
    assert [line.rstrip() for line in lines.values() if line.strip()] == [
        "1  0.250",
        "word word word word word",
        "word word word word wor…",
        "…IMG_20240612_183045.jpg",
    ]


def hit(rank: int = 1, **changes: object) -> Hit:
    fields: dict[str, object] = {
        "rank": rank,
        "id": f"{rank:032x}",
        "uri": f"custom:{rank}.jpg",
        "name": f"{rank}.jpg",
        "score": 0.25,
        "text": "a dog",
        "modality": Modality.IMAGE,
        "load": bytes,
        "why": {"vector": Channel(1, 0.25, 1.0)},
    }
    return Hit(**{**fields, **changes})  # type: ignore[arg-type]


def found(*hits: Hit) -> Hits:
    return Hits(Query("dog", (Term("dog"),)), hits)


# ---- which caption is shown -----------------------------------------------------------------------------------


def test_the_caption_with_the_most_words_of_the_query_is_shown_the_first_of_equals() -> None:
    query = Query("", (Term("two dogs on the beach"), Term("cat", weight=-1.0)))
    assert (
        query.caption_of("the sea\nThe DOG at the sea\na beach with a dog\ncat cat on the beach")
        == "a beach with a dog"
    )
    assert query.caption_of("a car on the road\na tree") == "a car on the road"
    assert query.caption_of("\n \n") == ""
    assert Query("", (), filters=(Filter("text", "stop sign"),)).caption_of("a road\na sign: STOP") == "a sign: STOP"
    assert Query("", (Term("狗 海滩"),)).caption_of("猫\n海滩 狗") == "海滩 狗"


def test_the_table_shows_the_caption_that_matched_and_no_column_for_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: True)
    monkeypatch.setenv("COLUMNS", "80")
    render.hits(found(hit(text="a tree\na dog under a tree"), hit(2, text="word " * 500)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["1", "0.250", "a", "dog", "under", "a", "tree", "1.jpg"]
    assert len(lines) < 10
    render.hits(found(hit(text=""), hit(2, text="")))
    assert capsys.readouterr().out.split("\n")[0].split() == ["#", "score", "picture"]


# ---- what the terminal can draw -------------------------------------------------------------------------------

ASK = """
import sys, time, warnings
warnings.simplefilter("error")
from sightline import previews
before = time.monotonic()
screen = previews.screen()
print(f"<{screen.form} {screen.cell[0]}x{screen.cell[1]} {time.monotonic() - before:.2f}>")
"""

POSITION = {"\x1b[6n": "\x1b[1;1R"}
PLAIN = {**POSITION, "\x1b[c": "\x1b[?62;22c", "\x1b[16t": "\x1b[6;18;9t"}
KITTY_QUERY = r"\x1b_Gi=\d+,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
ITERM2_PROBE = r"\x1b\]1337;File=[^\x07]*\x07"


class Terminal:
    """The other side of a pseudo-terminal: answers what `answers` has, in the order that it is asked."""

    def __init__(self, answers: Mapping[str, str], **environment: str) -> None:
        self.answers = dict(answers)
        self.environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1", **environment}
        self.asked = ""

    def run(self, code: str, *, stdin: int | None = None, seconds: float = 60) -> str:
        """What the program wrote, questions included. Fails when it takes too long or leaves the modes changed."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 80 * 8, 24 * 17))
        before = termios.tcgetattr(theirs)
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(Path(sightline.__file__).parents[1])}
        for name in ("NO_COLOR", "TERM_PROGRAM", "FORCE_COLOR", "COLUMNS", "SIGHTLINE_PREVIEWS"):
            if name not in self.environment:
                environment.pop(name, None)
        # A terminal of its own: the session's leader is in its foreground.
        start = f"import fcntl, termios; fcntl.ioctl(1, termios.TIOCSCTTY, 0)\n{code}"
        process = subprocess.Popen(
            [sys.executable, "-c", start],
            stdin=theirs if stdin is None else stdin,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=environment,
        )
        written, unread, end = "", "", time.monotonic() + seconds
        try:
            while process.poll() is None or select.select([ours], [], [], 0)[0]:
                assert time.monotonic() < end, f"still running after {seconds} s; written so far: {written!r}"
                if not select.select([ours], [], [], 0.05)[0]:
                    continue
                text = os.read(ours, 65536).decode()
                written += text
                unread = self.answer(ours, unread + text)
            assert process.returncode == 0, written
            assert termios.tcgetattr(theirs) == before
        finally:
            process.kill()
            process.wait()
            os.close(ours)
            os.close(theirs)
        return written

    def answer(self, ours: int, unread: str) -> str:
        while matches := [
            found for found in (re.search(self.pattern(one), unread) for one in self.answers) if found is not None
        ]:
            first = min(matches, key=lambda found: found.start())
            reply = next(self.answers[one] for one in self.answers if re.fullmatch(self.pattern(one), first[0]))
            if reply == "ADVANCE":  # the picture was drawn: from here on the cursor stands one column further
                self.answers["\x1b[6n"] = "\x1b[1;2R"
            else:
                os.write(ours, reply.encode())
            unread = unread[first.end() :]
        return unread

    @staticmethod
    def pattern(one: str) -> str:
        return one if one in (KITTY_QUERY, ITERM2_PROBE) else re.escape(one)


def told(written: str) -> tuple[str, str, float]:
    form, cell, seconds = re.findall(r"<(\w+) (\d+x\d+) ([\d.]+)>", written)[0]
    return form, cell, float(seconds)


@pytest.mark.parametrize(
    ("answers", "form"),
    [
        ({**PLAIN, KITTY_QUERY: "\x1b_Gi=31;OK\x1b\\", "\x1b[c": "\x1b[?62;4c"}, "kitty"),
        ({**PLAIN, KITTY_QUERY: "\x1b_Gi=31;ENOTSUP:no\x1b\\", ITERM2_PROBE: "ADVANCE"}, "iterm2"),
        ({**PLAIN, "\x1b[c": "\x1b[?62;4;22c"}, "sixel"),
        ({**PLAIN, "\x1b[c": "\x1b[?64;14;24;41c"}, "blocks"),
        ({**POSITION, "\x1b[c": "\x1b[?62;4c"}, "sixel, of which no cell is told"),
        ({**POSITION, "\x1b[c": "\x1b[?1;2c"}, "blocks"),
    ],
    ids=["kitty", "iterm2", "sixel", "no graphics", "sixel in an old xterm", "a VT100, as screen says it is"],
)
def test_the_best_form_that_the_terminal_answers_for_is_taken(answers: dict[str, str], form: str) -> None:
    seen, cell, _ = told(Terminal(answers).run(ASK))
    assert seen == form.split(",")[0]
    assert cell == (
        "8x17" if form not in ("kitty", "iterm2", "sixel") else "9x18"
    )  # the window's, until the terminal tells better


def test_a_mute_terminal_is_given_up_after_three_questions() -> None:
    started = told(Terminal(PLAIN).run(ASK))[2]
    seen, _, seconds = told(Terminal({}).run(ASK))
    assert seen == "blocks"
    assert seconds - started < 3 * previews.ANSWER_SECONDS + 2  # what blessed waits by default is five times that


def test_no_question_is_asked_when_the_answer_would_not_come_to_us() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    try:
        written = Terminal(PLAIN).run(ASK, stdin=reading)
    finally:
        os.close(reading)
    assert told(written)[0] == "blocks"
    assert "\x1b" not in written


def test_no_question_is_asked_of_a_terminal_that_the_person_has_decided_for() -> None:
    code = ASK.replace("previews.screen()", "previews.screen('sixel')")
    written = Terminal({}).run(code)
    assert told(written)[0] == "sixel"
    assert "\x1b" not in written


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"NO_COLOR": "1"}, "NO_COLOR"),
        ({"TERM": "dumb"}, "TERM"),
        ({"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, "UTF-8"),
        ({"TERM": "linux", "COLORTERM": ""}, "256 colours"),
    ],
)
def test_where_nothing_can_be_drawn_the_reason_is_told(environment: dict[str, str], why: str) -> None:
    code = "from sightline import previews; screen = previews.screen(); print(screen.form, screen.why)"
    written = Terminal(PLAIN, **environment).run(code)
    assert "None" in written
    assert why in written


def test_without_blessed_blocks_are_drawn_and_the_extra_is_named() -> None:
    code = "import sys; sys.modules['blessed'] = None\nfrom sightline import previews; print(previews.screen())"
    written = Terminal(PLAIN).run(code)
    assert "form='blocks'" in written
    assert "sightline[terminal]" in written


# ---- the commands ---------------------------------------------------------------------------------------------


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures in the default collection of a folder of its own; no settings from outside."""
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())
    folder = tmp_path / "photos"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(f"a {colour} thing")
    assert main(["index", str(folder), "--progress", "none"]) == 0
    return folder


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: stream is not sys.stderr)


@pytest.mark.parametrize("flags", [(), ("--json",), ("--why",)])
def test_in_a_pipe_show_changes_nothing_on_stdout_and_says_so(indexed, capsysbinary, flags: tuple[str, ...]) -> None:
    capsysbinary.readouterr()
    assert main(["search", "red", *flags]) == 0
    plain = capsysbinary.readouterr()
    assert main(["search", "red", *flags, "--show"]) == 0
    shown = capsysbinary.readouterr()
    assert shown.out == plain.out
    assert (plain.err.count(b"\n"), shown.err.count(b"\n")) == (0, 1)


@pytest.mark.usefixtures("terminal")
def test_search_draws_its_hits_with_what_the_settings_name(indexed, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SIGHTLINE_PREVIEWS", "kitty")
    capsys.readouterr()
    assert main(["search", "red", "--show", "-k", "1"]) == 0
    [(_, shown)] = kitty_pictures(capsys.readouterr().out)
    assert abs(pixels(shown) - (255, 0, 0)).max() < 8
    assert shown.size == (40, 30)


@pytest.mark.usefixtures("terminal")
def test_show_draws_by_itself_and_not_where_the_settings_forbid_it(indexed, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SIGHTLINE_PREVIEWS", "sixel")
    for source in ((), (str(indexed),)):
        capsys.readouterr()
        assert main(["show", *source, "-n", "2", "--seed", "1"]) == 0
        assert capsys.readouterr().out.count("\x1bP0;1q") == 2
    monkeypatch.setenv("SIGHTLINE_PREVIEWS", "none")
    assert main(["show", "-n", "2"]) == 0
    ran = capsys.readouterr()
    assert ("\x1b" in ran.out, ran.err) == (False, "")


def test_a_form_that_there_is_not_is_refused_with_those_that_there_are(indexed, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SIGHTLINE_PREVIEWS", "ascii")
    capsys.readouterr()
    assert main(["search", "red", "--show"]) == 2
    ran = capsys.readouterr()
    assert ran.out == ""
    assert "SIGHTLINE_PREVIEWS" in ran.err
    assert "'blocks'" in ran.err


def test_print0_gives_the_very_bytes_of_each_path(indexed: Path, capfdbinary) -> None:
    odd = os.fsencode(indexed) + b"/a\nred caf\xe9 name.png"
    with contextlib.suppress(OSError), open(odd, "wb") as file:  # some systems only have UTF-8 names
        Image.new("RGB", (40, 30), (240, 0, 0)).save(file, "PNG")
    assert main(["index", str(indexed), "--progress", "none"]) == 0
    capfdbinary.readouterr()
    assert main(["search", "red", "--print0", "--min-relevance", "0", "--no-group"]) == 0
    ran = capfdbinary.readouterr()
    assert ran.out.endswith(b"\0")
    paths = ran.out.split(b"\0")[:-1]
    assert sorted(paths) == sorted(os.path.join(os.fsencode(indexed), name) for name in pictures_in(indexed))
    assert ran.err == b""


def pictures_in(folder: Path) -> list[bytes]:
    return [name for name in os.listdir(os.fsencode(folder)) if name.endswith(b".png")]


def test_print0_gives_other_uris_as_they_are_and_never_a_name_that_is_none(capfdbinary) -> None:
    uris = ("hf:o/n@c/train/5", "file:///a%00b.jpg", "file://-rf", "parquet:a\0b", "file:///a%20b.jpg")
    render.uris(found(*(hit(uri=uri) for uri in uris)))
    names = capfdbinary.readouterr().out.split(b"\0")
    assert names == [b"hf:o/n@c/train/5", b"file:///a%00b.jpg", b"file://-rf", b"parquet:a%00b", b"/a b.jpg", b""]


@pytest.mark.parametrize("flag", ["--json", "--why", "--show"])
def test_print0_writes_names_alone(indexed, capsys, flag: str) -> None:
    capsys.readouterr()
    assert main(["search", "red", "--print0", flag]) == 2
    ran = capsys.readouterr()
    assert ran.out == ""
    assert flag in ran.err


def test_print0_that_finds_nothing_writes_nothing(indexed, capsys) -> None:
    capsys.readouterr()
    assert main(["search", "red", "--where", "name = 'x'", "--print0"]) == 3
    assert capsys.readouterr().out == ""
