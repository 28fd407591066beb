"""CLIP and SigLIP models from a model folder: texts and pictures -> unit vectors. numpy, tokenizers and a session.

Knows tokens, pixels and vectors; which runtime computes is sessions.py's business, which files there are folder.py's.

    encoder = load_encoder("pocket", models_dir=...)
    encoder.encode_text(["a red car"]) @ encoder.encode_image([image]).T
"""

from __future__ import annotations

import functools
import re
import string
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.encoders.folder import TEXTUAL, TOKENIZER, TOKENIZER_CONFIG, VISUAL, ModelCard, Preprocessing
from sightline.encoders.sessions import Session, choose_runtime, open_session
from sightline.encoders.together import Together
from sightline.errors import BadVectors, CorruptModel
from sightline.schema import Modality, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image
    from tokenizers import Tokenizer

T = TypeVar("T")

BATCH = 32  # two streams of sixteen: see benchmarks/bench_encoders.py


class ClipEncoder:
    """An encoder whose two sides open on first use: a text query never loads the image side, nor the other way round.

    Safe to use from several threads: their queries share a forward pass where they meet. `runtime`, `device`,
    `precision` and `threads` go to `open_session`; they are no part of the fingerprint, since they move a vector by
    less than what retrieval can see (cosine above 0.999).
    """

    modalities = frozenset({Modality.IMAGE, Modality.VIDEO, Modality.TEXT})

    def __init__(
        self,
        card: ModelCard,
        *,
        runtime: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        self.card = card
        self.name = card.name
        self.dim = card.dim
        self.fingerprint = card.fingerprint
        self.batch_size = batch_size or BATCH
        self.runtime = choose_runtime(runtime, device)
        self._options: dict[str, Any] = {
            "runtime": self.runtime,
            "device": device,
            "precision": precision,
            "threads": threads,
            "cache_dir": None if cache_dir is None else cache_dir / "compiled",
        }
        self._tokenizer = _Once(lambda: _load_tokenizer(card))
        self._text = _Once(self._open_text)
        self._image = _Once(self._open_image)
        self._together = Together(self._encode_texts)

    def __repr__(self) -> str:
        return f"ClipEncoder({self.name!r}, dim={self.dim}, runtime={self.runtime!r})"

    @property
    def image_target(self) -> int:
        """Pixels of the side that a decoded picture has to keep: the `target` of `media.decode`."""
        return self.card.image_size

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (n, dim) of texts of any length; what lies behind the model's context is cut off.

        Raises CorruptModel when the text side cannot be loaded, BadVectors when it gives no direction.
        """
        if isinstance(texts, str):
            raise TypeError("encode_text takes a sequence of texts, not one text: its letters would be encoded")
        return self._together(texts)

    def _encode_texts(self, texts: Sequence[str]) -> Vectors:
        session = self.text_session()
        parts = [
            self._unit(session.run(self._tokens(session, texts[start : start + self.batch_size])), start)
            for start in range(0, len(texts), self.batch_size)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def encode_image(self, images: Sequence[Image]) -> Vectors:
        """Unit vectors (n, dim) of RGB pictures of any size. Raises as `encode_text` does, of the image side."""
        return self.encode_prepared([self.prepare_image(image) for image in images])

    def prepare_image(self, image: Image) -> NDArray[np.uint8]:
        """The model's view of a picture, uint8 (S, S, 3); cheap enough for decode threads, loads nothing."""
        return prepare(image, preprocess=self.card.preprocess)

    @property
    def preparation(self) -> Callable[[Image], NDArray[np.uint8]]:
        """`prepare_image` without the encoder, to be pickled and used in other processes."""
        return functools.partial(prepare, preprocess=self.card.preprocess)

    def encode_prepared(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors (n, dim) of what `prepare_image` returned, in passes of `batch_size`."""
        session = self.image_session()
        name = session.inputs[0].name
        parts = [
            self._unit(session.run({name: np.stack(images[start : start + self.batch_size])}), start)
            for start in range(0, len(images), self.batch_size)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def tokenize(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Token ids and attention mask, both (n, context_length): what the text side is given."""
        encodings = self._tokenizer.get().encode_batch_fast([self._clean(text) for text in texts])
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        shape = (len(texts), self.card.context_length)
        return ids.reshape(shape), mask.reshape(shape)

    def text_session(self) -> Session:
        """The text side, loaded now if it was not."""
        return self._text.get()

    def image_session(self) -> Session:
        """The image side, loaded now if it was not; takes uint8 (n, S, S, 3)."""
        return self._image.get()

    def _open_text(self) -> Session:
        # latency: texts come one query at a time
        session = open_session(self.card.folder / TEXTUAL, mode="latency", **self._options)
        names = {port.name for port in session.inputs}
        if len(names) > 1 and names != {"input_ids", "attention_mask"}:
            raise CorruptModel(
                f"{self.name}: {TEXTUAL} has the inputs {', '.join(sorted(names))}, expected text, or input_ids and "
                "attention_mask"
            )
        for port in session.inputs:
            self._agree(f"input of {TEXTUAL}", port.shape[1:], (self.card.context_length,))
        self._agree(f"output of {TEXTUAL}", (session.dim,), (self.dim,))
        return session

    def _open_image(self) -> Session:
        preprocess = self.card.preprocess
        session = open_session(
            self.card.folder / VISUAL,
            mode="throughput",
            normalise=(preprocess.mean, preprocess.std),
            **self._options,
        )
        self._agree(f"input of {VISUAL}", session.inputs[0].shape[1:], (preprocess.size, preprocess.size, 3))
        self._agree(f"output of {VISUAL}", (session.dim,), (self.dim,))
        return session

    def _agree(self, what: str, seen: Sequence[int | None], said: Sequence[int]) -> None:
        """A graph against the folder's JSON files. What a graph leaves open is settled when it has run."""
        if len(seen) != len(said) or any(a is not None and a != b for a, b in zip(seen, said, strict=True)):
            raise CorruptModel(
                f"{self.name}: {what} is {_shape(seen)}, but the folder's JSON files say {_shape(said)}",
                hint="the files belong to different models: fetch or export the model again",
            )

    def _tokens(self, session: Session, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        ids, mask = self.tokenize(texts)
        return {port.name: mask if port.name == "attention_mask" else ids for port in session.inputs}

    def _clean(self, text: str) -> str:
        text = _encodable(text)
        if self.card.preprocess.canonicalize:
            text = canonicalize(text)
        return _SPACES.sub(" ", text).strip(" ")

    def _unit(self, vectors: NDArray[np.float32], start: int) -> Vectors:
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise CorruptModel(f"{self.name}: the graph gave {_shape(vectors.shape)}, config.json says (n, {self.dim})")
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1)  # (n,); in float32 a square may overflow
        bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
        if bad.size:
            raise BadVectors(
                f"{self.name} gave a vector of length {norms[bad[0]]} for input {start + int(bad[0])}",
                hint="the weights or the precision may be at fault: try --precision f32",
            )
        unit: Vectors = (vectors / norms[:, None]).astype(np.float32)
        return unit


def prepare(image: Image, *, preprocess: Preprocessing) -> NDArray[np.uint8]:
    """An RGB picture of any size as the model's input, uint8 (S, S, 3)."""
    from PIL.Image import Resampling

    resample = Resampling[preprocess.interpolation.upper()]
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if preprocess.resize_mode == "squash":
        small = media.squash(rgb, (preprocess.size, preprocess.size), resample)
    else:
        small = media.fit_shortest(rgb, preprocess.size, resample)
    return np.asarray(small)  # (S, S, 3)


class _Once(Generic[T]):
    """A value made on first use, once, however many threads ask for it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._made, self._lock = make, False, threading.Lock()

    def get(self) -> T:
        with self._lock:
            if not self._made:
                self._value, self._made = self._make(), True
            return self._value


def canonicalize(text: str) -> str:
    """Lower case, no punctuation, single spaces: how the texts of SigLIP were cleaned (open_clip, tokenizer.py)."""
    return " ".join(text.replace("_", " ").translate(_NO_PUNCTUATION).lower().split())


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# Unicode's White_Space, which the tokenizers mean by \s. Python's own \s and str.split take \x1c-\x1f as well.
_SPACES = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


def _encodable(text: str) -> str:
    """Surrogate pairs joined; lone ones, which no tokenizer accepts, as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _load_tokenizer(card: ModelCard) -> Tokenizer:
    """Pads with the folder's pad token; truncation keeps the end token, which the post-processor adds afterwards."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(card.folder / TOKENIZER))
    except Exception as error:  # the binding raises plain Exception
        raise CorruptModel(
            f"{card.name}: {TOKENIZER} cannot be read: {error}", hint="fetch or export the model again"
        ) from error
    pad = tokenizer.token_to_id(card.pad_token)
    if pad is None:
        raise CorruptModel(f"{card.name}: pad_token {card.pad_token!r} of {TOKENIZER_CONFIG} is not in {TOKENIZER}")
    tokenizer.enable_padding(length=card.context_length, pad_token=card.pad_token, pad_id=pad)
    tokenizer.enable_truncation(max_length=card.context_length)
    return tokenizer


def _shape(sizes: Sequence[int | None]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in sizes)})"
