"""What a score is compared with: everyday sentences that have nothing to do with a query, and the other pictures.

A `Background` belongs to one encoder and one version of a collection's rows. It is made when a search first needs it
(a few hundred sentences encoded, a sample of the rows read) and kept beside the tables, in `.sightline/`; a changed
collection or encoder makes another one. The file can be lost at any time: it costs the time to make it again.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from sightline.encoders import Encoder
from sightline.schema import Vectors
from sightline.stems import stems
from sightline.store import Store

SAMPLE = 1_024
"""Rows that stand for the collection: a mean over them is off by 3 % of the spread."""
_FORM = 1
"""Of the file; a former one is made again."""


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """`texts` (sentences, dim): vectors of unrelated sentences, empty where only pictures were needed.

    `pictures` (sample, dim): vectors of rows drawn at random. `frequencies`: in how many of them each stem stands, in
    captions or in what was read in the picture; `rows`: how many were drawn. `mean` and `spread` are those of the
    cosines between sentences and pictures.
    """

    texts: Vectors
    pictures: Vectors
    frequencies: Mapping[str, int]
    rows: int
    mean: float
    spread: float

    @classmethod
    def of(cls, texts: Vectors, pictures: Vectors, captions: Sequence[str]) -> Background:
        """`captions` has a text for each of `pictures`, empty where there is none."""
        frequencies = Counter(stem for caption in captions for stem in set(stems(caption)))
        usual = texts @ pictures.T  # (sentences, sample)
        mean, spread = (float(usual.mean()), float(usual.std())) if usual.size else (0.0, 0.0)
        return cls(texts, pictures, frequencies, len(pictures), mean, spread)


@functools.cache
def sentences() -> tuple[str, ...]:
    """The sentences of `data/cutoff/background.txt`."""
    text = (importlib.resources.files("sightline") / "data" / "cutoff" / "background.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line)


class Backgrounds:
    """The background of a store as it is now: in memory for the version at hand, else from its file, else made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key: dict[str, Any] = {}
        self._made: Background | None = None

    def get(self, encoder: Callable[[], Encoder] | None) -> Background:
        """The background; without an `encoder` its sentences may be missing. Raises CollectionMissing, ModelError."""
        key = self._key_now()
        made = self._made if self._made is not None and self._key == key else None
        made = made or _read(self._path, key)
        if made is None or (encoder is not None and not len(made.texts)):
            former = _sentences_in(self._path, key)
            texts = former if former is not None else np.empty((0, self._store.manifest.dim), np.float32)
            if encoder is not None and not len(texts):
                texts = encode(encoder())
            made = sampled(self._store, texts)
            _write(self._path, key, made)
        self._key, self._made = key, made
        return made

    @property
    def _path(self) -> Path:
        address = self._store.address
        return address.folder / ".sightline" / f"{address.table}.background.npz"

    def _key_now(self) -> dict[str, Any]:
        """What the background depends on. The head's time tells a table from one that was made anew in its place."""
        manifest, (version, head) = self._store.manifest, self._store.stamp()
        return {
            "form": _FORM,
            "sentences": hashlib.sha256("\n".join(sentences()).encode()).hexdigest()[:16],
            "encoder": manifest.fingerprint,
            "dim": manifest.dim,
            "version": version,
            "head": head,
        }


def encode(encoder: Encoder, *, at_once: int = 64) -> Vectors:
    """The vectors of all sentences, (sentences, dim)."""
    said = sentences()
    return np.concatenate([encoder.encode_text(said[at : at + at_once]) for at in range(0, len(said), at_once)])


def sampled(store: Store, texts: Vectors) -> Background:
    """A background with these sentences and a sample of the store's rows: the same rows give the same sample."""
    drawn = store.drawn(SAMPLE)
    captions = [f"{caption}\n{seen}" for caption, seen in zip(drawn.texts, drawn.seen, strict=True)]
    return Background.of(texts, drawn.vectors, captions)


# ---- the file -------------------------------------------------------------------------------------------------


def _read(path: Path, key: Mapping[str, Any]) -> Background | None:
    found = _load(path)
    if found is None or found["key"] != key:
        return None
    frequencies = dict(zip(found["stems"].tolist(), found["counts"].tolist(), strict=True))
    mean, spread = found["usual"].tolist()
    return Background(found["texts"], found["pictures"], frequencies, int(found["rows"]), mean, spread)


def _sentences_in(path: Path, key: Mapping[str, Any]) -> Vectors | None:
    """The vectors of the sentences, which stay when only the rows changed."""
    found = _load(path)
    if found is None or any(found["key"].get(name) != key[name] for name in ("form", "sentences", "encoder", "dim")):
        return None
    texts: Vectors = found["texts"]
    return texts if len(texts) else None


def _load(path: Path) -> dict[str, Any] | None:
    """The arrays of the file; None for what is not there, torn or of somebody else."""
    try:
        # opened here: numpy leaves a torn one open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        found["key"] = json.loads(str(found["key"]))
        sizes = {name: found[name].shape[-1] for name in ("texts", "pictures")}
        whole = set(sizes.values()) == {found["key"]["dim"]} and len(found["stems"]) == len(found["counts"])
    except (OSError, ValueError, KeyError, EOFError, IndexError, TypeError, AttributeError, BadZipFile):
        return None
    return found if whole else None


def _write(path: Path, key: Mapping[str, Any], made: Background) -> None:
    """Whole or not at all; a folder that cannot be written to costs the time of the next search, no more."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                np.savez(
                    file,
                    key=np.array(json.dumps(key)),
                    texts=made.texts,
                    pictures=made.pictures,
                    stems=np.array(list(made.frequencies), dtype=np.str_),
                    counts=np.array(list(made.frequencies.values()), np.int64),
                    rows=np.array(made.rows),
                    usual=np.array([made.mean, made.spread]),
                )
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
