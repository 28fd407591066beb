"""Measures a model folder: `python pocket/measure.py FOLDER --data DIR`. Needs no torch.

Reads the folder as any user of it does (tokenizer file, preprocessing file, ONNX graphs).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from data import class_words, load
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from words import SCENES, TAGS, attribute_phrases, street_attributes

Run = Callable[[NDArray[Any]], NDArray[np.float32]]


class Folder:
    """A model folder on ONNX Runtime; `images` and `texts` return unit rows (n, dim)."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        self.folder, self.threads = folder, threads
        self.config = json.loads((folder / "config.json").read_text())
        self.preprocess = json.loads((folder / "visual" / "preprocess_cfg.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "textual" / "tokenizer.json"))
        pad = json.loads((folder / "textual" / "tokenizer_config.json").read_text())["pad_token"]
        context = self.config["text_cfg"]["context_length"]
        self.tokenizer.enable_padding(length=context, pad_id=self.tokenizer.token_to_id(pad), pad_token=pad)
        self.tokenizer.enable_truncation(context)
        self.visual, self.textual = (self.onnxruntime(part) for part in ("visual", "textual"))

    def pixels(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        width, height = self.preprocess["size"]
        mean, std = (np.array(self.preprocess[key], np.float32) for key in ("mean", "std"))
        rows = [np.asarray(p.resize((width, height), Image.Resampling.BICUBIC)) for p in pictures]
        values = (np.stack(rows).astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)

    def images(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        return _unit(
            np.concatenate([self.visual(self.pixels(pictures[at : at + 16])) for at in range(0, len(pictures), 16)])
        )

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int32]:
        return np.array([encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))], np.int32)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return _unit(
            np.concatenate([self.textual(self.tokens(texts[at : at + 64])) for at in range(0, len(texts), 64)])
        )

    def onnxruntime(self, part: str) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(str(self.folder / part / "model.onnx"), options)
        name = session.get_inputs()[0].name
        return lambda rows: session.run(None, {name: rows})[0]

    def openvino(self, part: str) -> Run:
        import openvino

        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = openvino.Core().compile_model(str(self.folder / part / "model.onnx"), "CPU", settings)
        return lambda rows: compiled([rows])[0]


def measure(folder: Path, data: Path, cache: Path, *, threads: int = 2) -> dict[str, Any]:
    """Quality on pictures never trained on, and speed."""
    model = Folder(folder, threads=threads)
    return {
        **caption_recall(model, data, cache),
        **class_accuracy(model, data, cache),
        **streets(model, data, cache),
        **speed(model),
    }


def caption_recall(model: Folder, data: Path, cache: Path) -> dict[str, float]:
    """flickr8k_dev: share of the 5,000 captions whose picture is among the first 10 of 1,000."""
    pictures = load(data, cache, "flickr8k_dev", "test")
    vectors = model.images([Image.fromarray(p) for p in pictures.pixels])
    owners = np.array([row for row, captions in enumerate(pictures.captions) for _ in captions])
    scores = model.texts([caption for captions in pictures.captions for caption in captions]) @ vectors.T
    ranks = (scores > scores[np.arange(len(owners)), owners][:, None]).sum(1)
    return {f"flickr8k_dev recall@{k}": round(float((ranks < k).mean()), 4) for k in (1, 10)}


def class_accuracy(model: Folder, data: Path, cache: Path) -> dict[str, float]:
    """Zero-shot: the class is among the five nearest prompts 'a photo of a {name}'."""
    result: dict[str, float] = {}
    for name in ("tiny_imagenet_32k", "caltech101_80"):
        pictures = load(data, cache, name, "test")
        names = [class_words(captions)[0] for captions in pictures.captions]
        classes = sorted(set(names))
        scores = (
            model.images([Image.fromarray(p) for p in pictures.pixels])
            @ model.texts([f"a photo of a {c}" for c in classes]).T
        )
        own = scores[np.arange(len(names)), [classes.index(n) for n in names]]
        ranks = (scores > own[:, None]).sum(1)
        result |= {f"{name} top-{k} of {len(classes)}": round(float((ranks < k).mean()), 4) for k in (1, 5)}
    return result


def streets(model: Folder, data: Path, cache: Path) -> dict[str, Any]:
    """Street scenes of the test split: precision@5 per one-attribute query with ten or more positives."""
    pictures = load(data, cache, "streets", "test")
    truths = [street_attributes(record) for record in pictures.scenes]
    tags = {entity["tag"] for record in pictures.scenes for entity in record["entities"]} & TAGS.keys()
    asked = [
        *sorted(tags),
        *(name for name in SCENES if name.split()[0] in ("light", "setting", "weather") and " " in name),
    ]
    files = [data / "data" / "streets" / record["file"] for record in pictures.scenes]
    vectors = model.images([Image.open(file).convert("RGB") for file in files])
    each, chance = {}, []
    for attribute in asked:
        true = np.array([attribute in truth for truth in truths])
        if true.sum() >= 10 and not attribute.endswith(" light"):
            query = attribute_phrases(attribute)[0]
            best = np.argsort(-(model.texts([query]) @ vectors.T)[0], kind="stable")[:5]
            each[query] = round(float(true[best].mean()), 2)
            chance.append(float(true.mean()))
    return {
        "streets precision@5": round(float(np.mean(list(each.values()))), 4),
        "streets precision@5 by chance": round(float(np.mean(chance)), 4),
        "streets queries": each,
        "streets pictures": len(pictures),
    }


def speed(model: Folder, seconds: float = 3.0) -> dict[str, float]:
    """Model only, interleaved rounds: images/s at batch 16 and milliseconds a text query, each from its best round.

    The best, because whatever else the machine does can only make a round slower.
    """
    side = model.config["vision_cfg"]["image_size"]
    images = np.random.default_rng(0).standard_normal((16, 3, side, side)).astype(np.float32)
    query = model.tokens(["a road with a stop sign"])
    runs: dict[str, tuple[Run, NDArray[Any]]] = {}
    for name in ("onnxruntime", "openvino"):
        runs[f"{name} images/s"] = (getattr(model, name)("visual"), images)
        runs[f"{name} ms a query"] = (getattr(model, name)("textual"), query)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    begin = time.monotonic()
    while time.monotonic() - begin < seconds * 4:
        for name, (run, rows) in runs.items():
            start = time.perf_counter()
            run(rows)
            taken[name].append(time.perf_counter() - start)
    return {
        name: round(16 / min(rounds) if "images" in name else 1000 * min(rounds), 2) for name, rounds in taken.items()
    }


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(rows).all() and (lengths > 0).all()):
        raise SystemExit("the model gave a zero or non-finite vector")
    return np.asarray(rows / lengths, np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache/pocket"))
    options = parser.parse_args()
    print(json.dumps(measure(options.folder, options.data, options.cache), indent=1))
