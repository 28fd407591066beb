"""Figures: whole, legible, harmless."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from sightline import plots
from sightline.errors import SightlineError, UsageError
from sightline.schema import Hit, Hits, Modality, Query, Term

ODD_TEXTS = (
    "costs $5 and $10, $\\frac{1}{2}$ of it",
    "日本語のキャプション 😀👨‍👩‍👧 \U0001f9ff",
    "\x1b[31m\x00\x07 \udce9 \u202e",
    "W" * 300,
    "_^{}\\%&#~",
    "",
)


def picture(colour: str = "red", size: tuple[int, int] = (96, 54)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def hit(rank: int = 1, text: str = "a dog", data: bytes | None = None) -> Hit:
    data = picture() if data is None else data
    return Hit(rank, "0" * 32, "file:///p/x.jpg", f"p/{rank}.jpg", 0.25, text, Modality.IMAGE, lambda: data)


def found(*hits: Hit, term: Term | None = None) -> Hits:
    return Hits(Query("a dog", (term or Term("a dog"),)), hits)


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")]
)
def test_the_suffix_chooses_the_format(tmp_path: Path, suffix: str, magic: bytes) -> None:
    written = plots.results(found(hit()), tmp_path / f"new folder/figure{suffix}")
    assert written.read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["figure", "figure.jpg", "figure.png.exe", ".png"])
def test_another_suffix_is_refused_with_the_ones_that_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.png \.svg \.pdf"):
        plots.samples([hit()], tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SightlineError, match="cannot write the figure"):
        plots.samples([hit()], tmp_path / "file" / "x.png")


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_no_text_can_spoil_a_figure(tmp_path: Path, text: str) -> None:
    """Warnings are errors here: a missing glyph or a formula would fail."""
    plots.results(found(hit(text=text), term=Term(text)), tmp_path / "x.png")
    plots.samples([hit(text=f"{text}\n{text}")], tmp_path / "x.svg")


def test_a_dollar_is_a_dollar(tmp_path: Path) -> None:
    drawn = plots._draw([plots.Section("", (plots.Tile(None, captions=("$x^2$ for $5",)),))])
    assert [text.get_text() for text in drawn.texts] == ["$x^2$ for $5"]
    assert not drawn.texts[0].get_parse_math()


def test_nothing_global_of_matplotlib_is_touched(tmp_path: Path) -> None:
    before = "matplotlib.pyplot" in sys.modules
    plots.samples([hit()], tmp_path / "x.png")
    assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 10, 13])
def test_texts_and_pictures_never_overlap_and_stay_on_the_page(n: int) -> None:
    captions = ("a caption that is quite long and has to be wrapped " * 3, "short")
    image = Image.new("RGB", (96, 54))
    tiles = tuple(plots.Tile(image, f"{i}", captions[i % 2 :], "name.jpg") for i in range(n))
    figure = plots._draw([plots.Section("first", tiles), plots.Section("second", tiles[:2], note="a note")])
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    boxes += [axes.get_window_extent(renderer) for axes in figure.axes]
    for i, one in enumerate(boxes):
        assert one.x0 >= 0 <= one.y0, "left or below the page"
        assert one.x1 <= figure.bbox.width and one.y1 <= figure.bbox.height, "right or above the page"
        for other in boxes[i + 1 :]:
            apart_x = one.x1 <= other.x0 + 1 or other.x1 <= one.x0 + 1
            apart_y = one.y1 <= other.y0 + 1 or other.y1 <= one.y0 + 1
            assert apart_x or apart_y


def test_all_tiles_have_one_size() -> None:
    shapes = ((100, 100), (300, 100), (100, 300), (1, 4000))
    tiles = tuple(plots.Tile(Image.new("RGB", size)) for size in shapes)
    figure = plots._draw([plots.Section("", tiles)])
    sizes = {(round(axes.bbox.width), round(axes.bbox.height)) for axes in figure.axes}
    assert len(sizes) == 1


def test_a_hit_shows_rank_score_first_caption_and_file_name(tmp_path: Path) -> None:
    section = plots.section(found(hit(2, "a dog\nanother caption")))
    assert section.title == "“a dog”"
    (tile,) = section.tiles
    assert (tile.label.split(), tile.captions, tile.note) == (["2", "·", "0.250"], ("a dog",), "2.jpg")


def test_a_hit_that_was_judged_shows_how_well_it_fits_and_the_caption_that_matched() -> None:
    (tile,) = plots.section(found(replace(hit(1, "a lawn\na dog on it"), relevance=0.876))).tiles
    assert (tile.label.split(), tile.captions) == (["1", "·", "88", "%"], ("a dog on it",))


def test_a_query_picture_comes_first() -> None:
    section = plots.section(found(hit(), term=Term(picture=picture("blue"), name="q.png")))
    assert section.title == "pictures like this one"
    assert [tile.accent for tile in section.tiles] == [True, False]
    assert section.tiles[0].image is not None
    assert section.tiles[0].image.getpixel((5, 5)) == (0, 0, 255)


def test_a_picture_that_cannot_be_read_leaves_its_place_empty(tmp_path: Path) -> None:
    def gone() -> bytes:
        raise FileNotFoundError

    lost = Hit(1, "0" * 32, "file:///p", "p", 0.1, "lost", Modality.IMAGE, gone)
    assert plots.results(found(lost, hit(2, data=b"not a picture"), hit(3)), tmp_path / "x.png").exists()


def test_nothing_found_still_makes_a_figure(tmp_path: Path) -> None:
    assert plots.results(found(), tmp_path / "x.png").exists()


def test_lines_fit_and_the_last_one_says_when_it_was_cut() -> None:
    text = "a brown short dog on a very long road with a stop sign " * 4
    lines = plots.wrap(text, 2.0, size=10, lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(plots._measure(line, 10, "normal") <= 2.0 for line in lines)
    assert " ".join(lines).rstrip("…").split() == text.split()[: len(" ".join(lines).split())]
    assert plots.wrap("short", 2.0, size=10, lines=3) == ["short"]
    assert plots.wrap("", 2.0, size=10, lines=3) == []


@pytest.mark.parametrize("text", ["x" * 200, "長" * 200, "W" * 31 + " " + "i" * 500])
def test_words_wider_than_a_line_are_cut_into_lines(text: str) -> None:
    lines = plots.wrap(text, 1.0, size=10, lines=1000)
    assert all(plots._measure(line, 10, "normal") <= 1.0 for line in lines)
    if "長" not in text:  # whether a font has it depends on the machine
        assert "".join(lines) == re.sub(r"\s", "", text)
