"""Measures a model folder on pictures that it never learnt from. Needs no torch.

Reads the folder as any user of it does (tokenizer file, preprocessing file, ONNX graphs). The numbers of the bundled
test scenes are for the card: nothing is chosen by them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from streets.queries import COUNT, NONE, every, judged
from tokenizers import Tokenizer

from pocket.data import BUNDLED, DEV, Sources, class_words, load

Run = Callable[[NDArray[Any]], NDArray[np.float32]]

SAID_OTHERWISE = {
    "a red car": ("a red automobile", "a red caar", "a red motorcar"),
    "a truck at night": ("a lorry at night", "a truk at night"),
    "a police car": ("a cop car", "a polcie car", "a squad car"),
    "a motorcycle": ("a motorbike", "a motorcylce"),
    "an airplane in the sky": ("an aeroplane in the sky", "an airplaine in the sky"),
    "a taxi": ("a cab", "a taxii"),
    "a pedestrian": ("a passer-by", "a pedestrain"),
    "a helicopter in the sky": ("a chopper in the sky", "a helicoptor in the sky"),
    "a fire hydrant": ("a hydrant", "a fire hidrant"),
    "a traffic light": ("a stoplight", "a trafic light"),
    "a crosswalk": ("a zebra crossing", "a croswalk"),
    "palm trees": ("palms", "palm tres"),
    "a foggy road": ("a misty road", "a fogy road"),
    "a road at sunset": ("a road at sundown", "a road at sunest"),
    "a multi-lane highway": ("a multi-lane motorway", "a multi-lane higway"),
}
"""Queries of the test scenes in other words, and with typing errors: a word unknown must not break a search."""


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


def measure(folder: Path, sources: Sources, cache: Path, *, threads: int = 2) -> dict[str, Any]:
    """Quality on pictures never trained on, and speed."""
    model = Folder(folder, threads=threads)
    found: dict[str, Any] = caption_recall(model, sources, cache)
    for name in ("tiny_imagenet_32k", "caltech101_80"):
        found |= class_accuracy(model, sources, cache, name)
    if sources.scenes is not None:
        valid = load(sources, cache, "streets", "valid")
        pictures = [(r["seed"], set(r["attributes"]), set(r["doubtful"])) for r in valid.records]
        lines = [line for query in every() if query.kind != NONE and (line := judged(query, pictures))]
        vectors = model.images([Image.fromarray(p) for p in valid.pixels])
        names = [f"streets:{seed}" for seed, _, _ in pictures]
        found |= {
            "streets valid": by_kind(precisions(model, lines, names, vectors)),
            "streets valid scenes": len(names),
        }
    return found | bundled(model) | speed(model)


def caption_recall(model: Folder, sources: Sources, cache: Path) -> dict[str, float]:
    """flickr8k_dev: share of the 5,000 captions whose picture is among the first k of 1,000."""
    pictures = load(sources, cache, DEV, "valid")
    vectors = model.images([Image.fromarray(p) for p in pictures.pixels])
    owners = np.array([row for row, captions in enumerate(pictures.captions) for _ in captions])
    scores = model.texts([caption for captions in pictures.captions for caption in captions]) @ vectors.T
    ranks = (scores > scores[np.arange(len(owners)), owners][:, None]).sum(1)
    return {f"{DEV} recall@{k}": round(float((ranks < k).mean()), 4) for k in (1, 10)}


def class_accuracy(model: Folder, sources: Sources, cache: Path, name: str) -> dict[str, float]:
    """Zero-shot: the class is among the five nearest prompts 'a photo of a {name}'."""
    pictures = load(sources, cache, name, "valid")
    names = [class_words(captions)[0] for captions in pictures.captions]
    classes = sorted(set(names))
    images = model.images([Image.fromarray(p) for p in pictures.pixels])
    scores = images @ model.texts([f"a photo of a {c}" for c in classes]).T
    own = scores[np.arange(len(names)), [classes.index(n) for n in names]]
    ranks = (scores > own[:, None]).sum(1)
    return {f"{name} top-{k} of {len(classes)}": round(float((ranks < k).mean()), 4) for k in (1, 5)}


def bundled(model: Folder) -> dict[str, Any]:
    """The bundled test scenes: precision@5 over the bundled questions, and how far other words for them fall."""
    table = pq.read_table(BUNDLED / "test.parquet", columns=["image", "seed"]).to_pylist()
    pictures = [_opened(row["image"]["bytes"]) for row in table]
    names = [f"streets:{row['seed']}" for row in table]
    lines = [json.loads(line) for line in (BUNDLED / "streets-queries.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line["relevant"]]
    vectors = model.images(pictures)
    each = precisions(model, lines, names, vectors)
    of = {line["query"]: (line, value) for line, (_, value) in zip(lines, each, strict=True)}
    others: dict[str, float] = {}
    for plain, said in SAID_OTHERWISE.items():
        line, value = of[plain]
        lines_said = [{**line, "query": words} for words in said]
        for words, (_, other) in zip(said, precisions(model, lines_said, names, vectors), strict=True):
            others[f"{words} ({plain})"] = round(other - value, 2)
    within = float(np.mean([change >= -0.1 for change in others.values()]))
    return {
        "streets test": by_kind(each),
        "streets test scenes": len(names),
        "other words": {"within 0.1": round(within, 3), "mean change": round(float(np.mean(list(others.values()))), 3)},
        "other words each": others,
    }


def precisions(
    model: Folder, lines: Sequence[Mapping[str, Any]], names: Sequence[str], vectors: NDArray[np.float32]
) -> list[tuple[str, float]]:
    """(kind, precision@5) of each question; what is doubtful is left out of what is found."""
    scores = model.texts([line["query"] for line in lines]) @ vectors.T
    found = []
    for line, row in zip(lines, scores, strict=True):
        relevant, doubtful = set(line["relevant"]), set(line["doubtful"])
        best = [names[at] for at in np.argsort(-row, kind="stable") if names[at] not in doubtful][:5]
        found.append((line["kind"], sum(name in relevant for name in best) / 5))
    return found


def by_kind(each: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Means of precision@5: `all` but counts, and each kind."""
    kinds = list(dict.fromkeys(kind for kind, _ in each))
    means = {kind: [value for own, value in each if own == kind] for kind in kinds}
    counted = [value for kind, value in each if kind != COUNT]
    return {
        "precision@5": round(float(np.mean(counted)), 4),
        "queries": len(counted),
        **{kind: round(float(np.mean(values)), 4) for kind, values in means.items()},
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


def _opened(encoded: bytes) -> Image.Image:
    import io

    return Image.open(io.BytesIO(encoded)).convert("RGB")


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(rows).all() and (lengths > 0).all()):
        raise SystemExit("the model gave a zero or non-finite vector")
    return np.asarray(rows / lengths, np.float32)
