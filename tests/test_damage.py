"""What a power cut can leave of the newest commit: the collection opens at a good version with a notice, or one line
says what to do; nothing else is lost, and the next run completes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import FakeEncoder
from pictures import COLOURS, colours, paint

import sightline
from sightline import choice
from sightline.cli import main
from sightline.errors import CollectionDamaged
from sightline.fragments import fragments, newest_first

FORMER = {f"{name}.png" for name in COLOURS}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures and, in a second commit, a fifth; a removed one lies before both."""
    root = tmp_path_factory.mktemp("made")
    folder = colours(root / "pictures")
    paint(folder / "first.png", (90, 90, 90))
    collection = sightline.open(f"{root}/t", model=FakeEncoder())
    collection.ingest(folder)
    (folder / "first.png").unlink()
    collection.ingest(folder, prune=True, yes=True)
    paint(folder / "late.png", (9, 9, 9))
    collection.ingest(folder)
    return root


@pytest.fixture
def root(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same files at the same place, fresh for each test: uris are absolute."""
    monkeypatch.setattr(choice, "load_encoder", lambda *_args, **_kwargs: FakeEncoder())
    spare = made.with_name("spare")
    if not spare.exists():
        shutil.copytree(made, spare)
    shutil.rmtree(made)
    shutil.copytree(spare, made)
    return made


def newest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime_ns)


PARTS: dict[str, Callable[[Path], Path]] = {
    "manifest": lambda table: newest_first(table)[0],
    "data": lambda table: table / fragments(newest_first(table)[0])[-1].files[0],
    "transaction": lambda table: newest(table / "_transactions"),
    "deletion": lambda table: newest(table / "_deletions"),
    "index": lambda table: newest(table / "_indices"),
    "version hint": lambda table: table / "_versions" / "latest_version_hint.json",
}


def spoil(path: Path, how: str) -> None:
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "half": data[: len(data) // 2], "zero-filled": bytes(len(data))}[how])


def names(collection: sightline.Collection) -> list[str]:
    return sorted(hit.name for hit in collection.sample(100))


@pytest.mark.parametrize("how", ["empty", "half", "zero-filled"])
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_head_opens_at_a_good_version_and_the_next_run_completes(
    root: Path, part: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(PARTS[part](root / "t" / "items.lance"), how)
    opened = sightline.open(f"{root}/t")
    found = set(names(opened))
    if part in ("manifest", "data"):
        assert found == FORMER
        assert "damaged" in opened.notices[0]
    elif part == "deletion":  # the version before that deletion is the last that needs no more than is there
        assert found >= FORMER
        assert "damaged" in opened.notices[0]
    else:
        assert found == FORMER | {"late.png"}
    if part != "index":
        assert opened.search("red square", k=1)[0].name == "red.png"

    assert main(["index", str(root / "pictures"), "-c", f"{root}/t", "--prune", "--yes"]) == 0
    assert "was damaged" not in capsys.readouterr().err, "it was said when it was mended"
    after = sightline.open(f"{root}/t")
    assert names(after) == sorted(FORMER | {"late.png"})
    assert after.search("red square", k=1, channels=["text"])[0].name == "red.png"
    assert after.verify(sources=True).problems == ()


@pytest.mark.parametrize("command", [["search", "red"], ["info"], ["verify"], ["show"], ["history"]])
def test_whichever_command_comes_first_says_once_what_was_mended(
    root: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(PARTS["manifest"](root / "t" / "items.lance"), "empty")
    assert main([*command, "-c", f"{root}/t"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert len([line for line in told if "was damaged" in line]) == 1
    main([*command, "-c", f"{root}/t"])
    assert "was damaged" not in capsys.readouterr().err


@pytest.mark.parametrize("how", ["empty", "half", "zero-filled"])
@pytest.mark.parametrize("part", ["manifest", "data", "transaction"])
def test_damaged_stored_pictures_cost_no_row(
    root: Path, part: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(PARTS[part](root / "t" / "items.pictures.lance"), how)
    opened = sightline.open(f"{root}/t")
    assert opened.search("red square", k=1)[0].image.size == (32, 24)
    assert opened.search("dark", k=1)[0].image.size == (32, 24)
    assert main(["index", "--rebuild", "-c", f"{root}/t"]) == 0
    assert sightline.open(f"{root}/t").verify().problems == ()
    assert names(sightline.open(f"{root}/t")) == sorted(FORMER | {"late.png"})
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("how", ["empty", "half", "zero-filled"])
def test_where_no_version_is_whole_each_command_says_so_in_one_line(
    root: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = root / "t" / "items.lance"
    for manifest in newest_first(table):
        spoil(manifest, how)
    for command in (["search", "red"], ["index", str(root / "pictures")], ["verify"], ["optimize"], ["history"]):
        assert main([*command, "-c", f"{root}/t"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert [line.split(":")[0] for line in captured.err.strip().splitlines()] == ["error", "hint"]
    with pytest.raises(CollectionDamaged) as caught:
        sightline.open(f"{root}/t")
    assert "index again" in caught.value.hint


@pytest.mark.parametrize("how", ["empty", "half", "zero-filled"])
def test_an_old_data_file_that_rots_is_one_line_and_a_rebuild_keeps_the_other_rows(
    root: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = root / "t" / "items.lance"
    spoil(table / fragments(newest_first(table)[0])[0].files[0], how)
    assert main(["search", "red", "-c", f"{root}/t"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "index --rebuild" in captured.err
    for command in (
        ["optimize"],
        ["index", str(root / "pictures"), "--prune", "--yes"],
        ["remove", "0" * 32],
        ["show"],
    ):
        code = main([*command, "-c", f"{root}/t"])
        captured = capsys.readouterr()
        assert "fault of Sightline" not in captured.err
        assert code in (0, 1, 3)
        assert code != 1 or ("index --rebuild" in captured.err and not captured.out)
    assert main(["verify", "-c", f"{root}/t"]) == 1
    capsys.readouterr()
    assert main(["index", "--rebuild", "-c", f"{root}/t"]) == 0
    assert names(sightline.open(f"{root}/t")) == ["late.png"]
    assert main(["index", str(root / "pictures"), "-c", f"{root}/t"]) == 0
    assert names(sightline.open(f"{root}/t")) == sorted(FORMER | {"late.png"})
    assert main(["verify", "-c", f"{root}/t"]) == 0
