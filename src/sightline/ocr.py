"""ocr: an RGB image -> the lines of text that it shows, each with its confidence and its place. Knows no collections.

PP-OCR (arXiv:2009.09941 and its successors) by rapidocr on ONNX Runtime: one graph finds where text stands, one turns
what is upside down, one reads each line. The graphs lie in rapidocr's package and are named to it as files, so that it
never looks for them on the network.

    python -c "from sightline import ocr; print(ocr.read(open('a.jpg', 'rb').read()).text)"
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline import media
from sightline.errors import CorruptModel, MissingExtra
from sightline.schema import Reading, TextLine

MOST = 3_000_000
"""An image of more pixels is shrunk to so many: what finding text costs is in proportion to them."""
ENOUGH, ENLARGE = 1_200_000, 3.0
"""An image of fewer pixels is enlarged up to so many, at most so many times each way: letters of a few pixels are found
and read better when they are enlarged first (measured: docs/ocr.md)."""
LONGEST = 4_096
"""No side gets longer: a strip of 100:1 would else need hundreds of megabytes."""
TARGET = 1_000
"""What `media.decode` is to keep of a scaled JPEG: 1.5 times this on the short side."""
CONFIDENT = 0.7
"""Lines that the reader is less sure of are left out: mostly patterns that only look like letters (docs/ocr.md)."""


class Reader(Protocol):
    """Reads pictures one at a time. `engine` is its name and version: what a row is marked with."""

    @property
    def engine(self) -> str: ...
    def read(self, image: Image.Image) -> Reading:
        """What stands in an RGB image of any size. May raise anything for an image that it cannot bear."""
        ...


def check() -> None:
    """Raises MissingExtra unless the packages are here. Loads nothing."""
    if find_spec("rapidocr") is None:
        raise MissingExtra("ocr", "reading the text in pictures")


def read(picture: bytes | Image.Image) -> Reading:
    """What stands in one picture: its bytes, or an RGB image. Raises MissingExtra, CorruptModel, BadMedia."""
    image = media.upright(picture) if isinstance(picture, bytes) else picture
    return RapidReader().read(image)


class RapidReader:
    """One set of loaded graphs for one thread at a time. Raises MissingExtra and CorruptModel when it is made."""

    def __init__(self, threads: int = 0) -> None:
        """`threads` of ONNX Runtime; 0: as many as it likes."""
        check()
        graphs = _graphs()
        self.engine = f"rapidocr {version('rapidocr')} {graphs['Rec'].stem}"
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # see encoders/sessions.py
        from rapidocr import RapidOCR

        self._engine: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.text_score": CONFIDENT,
                "Global.use_preprocess_img": False,  # the sizes are ours
                "Det.limit_type": "max",  # not "min", which would make 73,600 x 736 pixels of a strip
                "Det.limit_side_len": LONGEST,
                **{f"{part}.model_path": str(path) for part, path in graphs.items()},
                "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
            }
        )

    def read(self, image: Image.Image) -> Reading:
        pixels = np.asarray(enlarged(Image.fromarray(shrunk(image))))  # (h, w, 3) RGB
        height, width = pixels.shape[:2]
        found = self._engine(np.ascontiguousarray(pixels[:, :, ::-1]))  # it takes BGR, as OpenCV does
        if found.txts is None or found.boxes is None:
            return Reading(self.engine, (), image.size)
        lines = [
            TextLine(text, round(float(score), 3), _corners(box, width, height))
            for said, score, box in zip(found.txts, found.scores, found.boxes, strict=True)
            if (text := _plain(said))
        ]
        return Reading(self.engine, in_reading_order(lines), image.size)


def shrunk(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels (h, w, 3) of an image, fewer where it has more than can be used; what decoding hands over."""
    scale = min(math.sqrt(MOST / (image.width * image.height)), LONGEST / max(image.size))
    return np.asarray(_times(image, scale).convert("RGB") if scale < 0.99 else image.convert("RGB"))


def enlarged(image: Image.Image) -> Image.Image:
    """An image whose letters are large enough to be found, where that is possible."""
    scale = min(ENLARGE, math.sqrt(ENOUGH / (image.width * image.height)), LONGEST / max(image.size))
    return _times(image, scale) if scale > 1.01 else image


def _times(image: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0 if scale < 1 else None)


def in_reading_order(lines: Sequence[TextLine]) -> tuple[TextLine, ...]:
    """From top to bottom, and from left to right where one stands beside the other: its middle between their edges."""
    rest = sorted(lines, key=lambda line: (_top(line), _left(line), line.text))
    ordered: list[TextLine] = []
    while rest:
        first = rest[0]
        beside = [one for one in rest if _top(first) <= (_top(one) + _bottom(one)) / 2 <= _bottom(first)]
        beside = beside if first in beside else [first]
        ordered += sorted(beside, key=lambda line: (_left(line), _top(line), line.text))
        rest = [one for one in rest if one not in beside]
    return tuple(ordered)


def _graphs() -> dict[str, Path]:
    """The graphs in rapidocr's package by the part that they play."""
    spec = find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else Path()
    found = {part: sorted(folder.glob(f"*_{part.lower()}_*.onnx")) for part in ("Det", "Cls", "Rec")}
    if missing := [part for part, paths in found.items() if not paths]:
        raise CorruptModel(
            f"rapidocr's package lacks its models ({', '.join(missing)} in {folder})",
            hint="pip install --force-reinstall --no-deps rapidocr",
        )
    return {part: paths[0] for part, paths in found.items()}


def _plain(text: str) -> str:
    """One line without control characters, full-width letters as plain ones; empty where it says nothing."""
    folded = unicodedata.normalize("NFKC", text)
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in folded)
    line = " ".join(kept.split())
    return line if any(c.isalnum() for c in line) else ""


def _corners(box: Any, width: int, height: int) -> tuple[float, float, float, float, float, float, float, float]:
    parts = np.clip(np.asarray(box, np.float64).reshape(4, 2) / (width, height), 0.0, 1.0)
    x0, y0, x1, y1, x2, y2, x3, y3 = (round(float(one), 4) for one in parts.reshape(-1))
    return (x0, y0, x1, y1, x2, y2, x3, y3)


def _left(line: TextLine) -> float:
    return min(line.box[0::2])


def _top(line: TextLine) -> float:
    return min(line.box[1::2])


def _bottom(line: TextLine) -> float:
    return max(line.box[1::2])
