"""Stand-ins whose results a reader computes by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from sightline.schema import Modality, Vectors

AXES = ("red", "green", "blue", "dark")


class FakeEncoder:
    """Colours as directions. Axes of the vector: red, green, blue, dark, then zeros up to `dim`.

    A text counts the words red, green and blue; one with none of them points to dark. A picture is its mean colour;
    black points to dark. Then both are normalised: the text "red" meets a red picture at 1.0 and a yellow (255, 255, 0)
    one at 0.7071, and "red green" meets the yellow one at 1.0. `calls` says what was encoded, in order.
    """

    modalities = frozenset({Modality.IMAGE, Modality.VIDEO, Modality.TEXT})

    def __init__(self, *, name: str = "fake", dim: int = 8, fingerprint: str = "f" * 64) -> None:
        self.name, self.dim, self.fingerprint = name, dim, fingerprint
        self.calls: list[str] = []

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        self.calls += texts
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = text.lower().split()
            row[:3] = [words.count(colour) for colour in AXES[:3]]
        return self._unit(rows)

    def encode_image(self, images: Sequence[Image.Image]) -> Vectors:
        self.calls += ["image"] * len(images)
        rows = np.zeros((len(images), self.dim), np.float32)
        for row, image in zip(rows, images, strict=True):
            row[:3] = np.asarray(image.convert("RGB"), np.float32).mean((0, 1))
        return self._unit(rows)

    def _unit(self, rows: Vectors) -> Vectors:
        rows[:, 3] = ~rows[:, :3].any(axis=1)
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class FakePreparingEncoder(FakeEncoder):
    """The same with preprocessing apart: a picture is first squashed to 4 x 4 pixels."""

    image_target = 4
    batch_size = 3

    def prepare_image(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image.convert("RGB").resize((4, 4), Image.Resampling.BOX))

    def encode_prepared(self, images: Sequence[np.ndarray]) -> Vectors:
        return super().encode_image([Image.fromarray(image) for image in images])

    def encode_image(self, images: Sequence[Image.Image]) -> Vectors:
        return self.encode_prepared([self.prepare_image(image) for image in images])
