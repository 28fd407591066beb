"""Text that is drawn is read where it stands; sizes, order and odd pictures. The true reader, with no network."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from fakes import FakeEncoder
from PIL import Image, ImageDraw, ImageFont

import sightline
from sightline import media, ocr
from sightline.errors import BadMedia, CorruptModel
from sightline.schema import TextLine

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"


def drawn(*texts: tuple[str, int, int, int], size: tuple[int, int] = (640, 360), ground: str = "white") -> Image.Image:
    """An image with (text, x, y, size in pixels) written in it in black."""
    image = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(image)
    for text, x, y, pixels in texts:
        draw.text((x, y), text, "black", font=ImageFont.truetype(FONT, pixels))
    return image


def line(text: str, left: float, top: float, right: float, bottom: float) -> TextLine:
    return TextLine(text, 1.0, (left, top, right, top, right, bottom, left, bottom))


@pytest.fixture(scope="module")
def reader() -> ocr.RapidReader:
    pytest.importorskip("rapidocr")
    with pytest.MonkeyPatch.context() as patched:  # a model that is looked for on the network would fail here

        def refuse(*_: object) -> None:
            raise AssertionError("the reader wanted the network")

        patched.setattr(socket.socket, "connect", refuse)
        patched.setattr(socket, "getaddrinfo", refuse)
        made = ocr.RapidReader(threads=1)
        made.read(drawn(("STOP", 40, 40, 60)))
        return made


@pytest.mark.slow
def test_drawn_text_is_read_where_it_stands(reader: ocr.RapidReader) -> None:
    image = drawn(("TOTAL 12.80", 60, 40, 36), ("Thank you", 300, 250, 28))
    reading = reader.read(image)
    assert reading.text == "TOTAL 12.80\nThank you"
    assert reading.size == (640, 360)
    assert reading.engine.startswith("rapidocr 3.")
    first, second = reading.lines
    assert min(first.confidence, second.confidence) > 0.9
    left, top, right, bottom = min(first.box[0::2]), min(first.box[1::2]), max(first.box[0::2]), max(first.box[1::2])
    assert (left, top) == (pytest.approx(60 / 640, abs=0.02), pytest.approx(45 / 360, abs=0.04))
    assert right == pytest.approx(310 / 640, abs=0.05)
    assert bottom == pytest.approx(80 / 360, abs=0.05)
    assert second.box[0] == pytest.approx(300 / 640, abs=0.02)


@pytest.mark.slow
def test_letters_of_eight_pixels_are_enlarged_and_read(reader: ocr.RapidReader) -> None:
    assert "STOP" in reader.read(drawn(("STOP", 100, 60, 11), size=(240, 135))).text


@pytest.mark.slow
def test_reading_says_nothing_on_stderr_and_gives_the_same_again(
    reader: ocr.RapidReader, capfd: pytest.CaptureFixture[str]
) -> None:
    image = drawn(("EXIT 42", 100, 100, 50))
    assert reader.read(image) == reader.read(image)
    assert reader.read(Image.new("RGB", (320, 180), "gray")).lines == ()
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (6000, 60), (60, 6000), (3, 300)], ids=str)
def test_pictures_of_odd_shapes_are_read_without_a_fault(reader: ocr.RapidReader, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    reading = reader.read(Image.fromarray(noise))
    assert all(0.0 <= part <= 1.0 for one in reading.lines for part in one.box)


@pytest.mark.slow
def test_text_in_a_picture_is_found_by_a_search_for_its_words(reader: ocr.RapidReader, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn(("ROAD CLOSED", 60, 120, 60)).save(folder / "a.png")
    drawn(("bakery", 60, 120, 60)).save(folder / "b.png")
    Image.new("RGB", (320, 200), "navy").save(folder / "c.png")
    collection = sightline.open(str(tmp_path / "tables"), model=FakeEncoder(), reader=lambda threads: reader)
    report = collection.ingest(folder, ocr=True)
    assert report.ocr is not None
    assert (report.ocr.read, report.ocr.with_text) == (3, 2)
    assert [one.name for one in collection._store.search_text("closed road", 5, column="ocr")] == ["a.png"]
    assert [hit.name for hit in collection.search('text:"road closed"')] == ["a.png"]


@pytest.mark.slow
def test_bytes_are_decoded_first_and_refused_as_in_an_ingest() -> None:
    pytest.importorskip("rapidocr")
    assert ocr.read(media.jpeg(drawn(("HELLO", 100, 100, 60)), longest=640)).text == "HELLO"
    with pytest.raises(BadMedia):
        ocr.read(b"no picture")


def test_a_package_without_its_models_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "PP-OCRv6_det_small.onnx").touch()
    monkeypatch.setattr(ocr, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    with pytest.raises(CorruptModel, match="lacks its models \\(Cls, Rec in"):
        ocr.RapidReader()


@pytest.mark.parametrize(
    ("size", "shrunk", "enlarged"),
    [
        ((480, 270), (480, 270), (1440, 810)),
        ((100, 50), (100, 50), (300, 150)),
        ((1000, 800), (1000, 800), (1225, 980)),
        ((1600, 1200), (1600, 1200), (1600, 1200)),
        ((4000, 3000), (2000, 1500), (2000, 1500)),
        ((10_000, 100), (4096, 41), (4096, 41)),
        ((1, 1), (1, 1), (3, 3)),
    ],
    ids=str,
)
def test_pictures_are_brought_to_a_size_at_which_letters_are_found(
    size: tuple[int, int], shrunk: tuple[int, int], enlarged: tuple[int, int]
) -> None:
    pixels = ocr.shrunk(Image.new("RGB", size))
    assert pixels.shape == (shrunk[1], shrunk[0], 3)
    again = ocr.shrunk(Image.fromarray(pixels))
    assert again.shape == pixels.shape
    assert ocr.enlarged(Image.fromarray(again)).size == enlarged


def test_lines_come_from_top_to_bottom_and_from_left_to_right() -> None:
    title = line("title", 0.2, 0.05, 0.8, 0.15)
    left, right = line("left", 0.0, 0.3, 0.4, 0.4), line("right", 0.5, 0.28, 0.9, 0.38)
    slanted = TextLine("below", 1.0, (0.1, 0.6, 0.5, 0.5, 0.52, 0.55, 0.12, 0.65))
    expected = (title, left, right, slanted)
    for given in (expected, expected[::-1], (right, title, slanted, left)):
        assert ocr.in_reading_order(given) == expected
    assert ocr.in_reading_order([]) == ()
    flat = line("flat", 0.1, 0.5, 0.2, 0.5)
    assert ocr.in_reading_order([flat]) == (flat,)


def test_what_was_read_is_plain_text_in_one_line_each(reader: ocr.RapidReader, monkeypatch: pytest.MonkeyPatch) -> None:
    box = np.array([[0, 0], [40, 0], [40, 20], [0, 20]])
    texts = ("ＳＴＯＰ　ＨＥＲＥ", "a\x1b[31m\tb\nc", "—", "‮evil", "小心地滑")
    found = SimpleNamespace(txts=texts, scores=(0.9,) * 5, boxes=np.stack([box] * 5))
    monkeypatch.setattr(reader, "_engine", lambda pixels: found)
    said = {one.text for one in reader.read(Image.new("RGB", (100, 50))).lines}
    assert said == {"STOP HERE", "a [31m b c", "evil", "小心地滑"}


def test_boxes_are_parts_of_the_picture_whatever_size_was_read(
    reader: ocr.RapidReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engine(pixels: np.ndarray) -> SimpleNamespace:
        height, width = pixels.shape[:2]
        box = np.array([[[width / 2, 0], [width + 3, 0], [width + 3, height / 4], [width / 2, height / 4]]])
        return SimpleNamespace(txts=("x1",), scores=(0.91234,), boxes=box)

    monkeypatch.setattr(reader, "_engine", engine)
    for size in ((100, 50), (3000, 1500)):
        (one,) = reader.read(Image.new("RGB", size)).lines
        assert (one.confidence, one.box) == (0.912, (0.5, 0.0, 1.0, 0.0, 1.0, 0.25, 0.5, 0.25))
