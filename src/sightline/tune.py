"""tune(): pictures with captions and a base -> a better model folder, or the plain word that it is not better.

The flow of a training run: held-out parts, base measured, epochs, the new model measured beside it on pictures that
neither trained it nor chose its epoch, export checked before it is written. The parts are in pairs.py, epochs.py,
bases.py (torch) and head.py (vectors).

    sightline train ~/Pictures --base ./clip-vit-base-patch32 --method lora --out ./mine
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline import charts, epochs
from sightline.bases import PRECISIONS, Base, TorchLearner, add_lora, check_base, export, is_checkpoint, open_base
from sightline.checkpoints import CACHE, CURVES, MODEL, working_folder
from sightline.decoding import Preparation
from sightline.encoders import Encoder, describe, load_encoder
from sightline.encoders.clip import ClipEncoder
from sightline.encoders.folder import FACTS, check_whole
from sightline.epochs import CHOSEN_BY, Learner, Learnt, Plan
from sightline.errors import CollectionError, CorruptModel, MissingExtra, ModelError, UsageError
from sightline.evaluate import Comparison, Evaluation, compare, items_of
from sightline.head import HeadLearner, write_model
from sightline.pairs import Pairs, Pixels, decode_all, listing, pair_up
from sightline.rows import matrix
from sightline.schema import Skipped, Vectors
from sightline.sources import Source
from sightline.store import Store
from sightline.train import PARITY, ExportMismatch, seed_everything

METHODS = ("head", "lora", "full")
BETTER, WORSE, UNDECIDED = "better", "worse", "no difference seen"
_PROBES = 16  # real pictures and captions on which the export is compared with torch


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may ask of a run; None: what suits the method. `chunk` is for gradient caching, `rank` for lora."""

    method: str = "head"
    epochs: int | None = None
    batch_size: int | None = None
    chunk: int | None = None
    learning_rate: float | None = None
    rank: int = 8
    patience: int | None = None
    held_out: float = 0.2
    precision: str = "auto"
    device: str = "cpu"
    threads: int | None = None
    seed: int = 0
    checkpoint_seconds: float = 300.0
    restart: bool = False


@dataclass(frozen=True, slots=True)
class _Usual:
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int


_USUAL = {
    "full": _Usual(10, 64, 1e-5, 0.1, 3),
    "lora": _Usual(10, 64, 2e-4, 0.0, 3),
    "head": _Usual(20, 256, 1e-3, 0.1, 6),
}


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """What came of it. `verdict` is about CHOSEN_BY of text -> image on the judging pictures: better or worse when the
    95 % interval of the paired difference leaves zero out, else no difference seen.
    """

    out: Path
    method: str
    base: Evaluation
    new: Evaluation
    comparisons: tuple[Comparison, ...]
    learnt: Learnt
    pictures: Mapping[str, int]
    captions: int
    parity: float
    precision: str
    seconds: float
    skipped: tuple[Skipped, ...] = ()

    @property
    def verdict(self) -> str:
        low, high = self._deciding.interval
        return BETTER if low > 0 else WORSE if high < 0 else UNDECIDED

    @property
    def sentence(self) -> str:
        """The verdict in words, with its numbers."""
        one, (low, high) = self._deciding, self._deciding.interval
        words = {
            BETTER: f"{self.new.model} is better than its base {self.base.model}",
            WORSE: f"NOT better: {self.new.model} is worse than its base {self.base.model}; keep the base",
            UNDECIDED: f"NOT better, as far as this can tell: keep the base {self.base.model}",
        }[self.verdict]
        return (
            f"{words}: {one.metric} {self.base[one.metric]:.3f} -> {self.new[one.metric]:.3f}, difference "
            f"{one.difference:+.3f} ({low:+.3f} to {high:+.3f}) over {self.new.n:,} captions of "
            f"{self.pictures['judge']:,} pictures that took no part in the training"
        )

    @property
    def _deciding(self) -> Comparison:
        return next(one for one in self.comparisons if one.metric == CHOSEN_BY)

    def to_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "method": self.method,
            "better": self.verdict == BETTER,
            "verdict": self.verdict,
            "base": self.base.to_json(),
            "new": self.new.to_json(),
            "comparisons": [one.to_json() for one in self.comparisons],
            "pictures": dict(self.pictures),
            "captions": self.captions,
            "epochs": self.learnt.epochs,
            "best_epoch": self.learnt.best_epoch,
            "steps": self.learnt.steps,
            "stopped_early": self.learnt.stopped_early,
            "resumed_in_epoch": self.learnt.resumed,
            "precision": self.precision,
            "parity": round(self.parity, 6),
            "skipped": [{"uri": one.uri, "reason": one.reason.value, "detail": one.detail} for one in self.skipped],
            "seconds": round(self.seconds, 3),
        }


Tell = Callable[[str], None]


def tune(
    source: Source,
    base: Path,
    out: Path,
    options: Options,
    *,
    tell: Tell | None = None,
    decoded: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Trains a checkpoint in torch, all of it (`full`) or low-rank matrices beside its layers (`lora`), into `out`.

    `base` is a folder that `is_checkpoint` knows. A run that was stopped goes on when it is called again.
    Raises UsageError, SourceError, ModelError, CorruptModel, ExportMismatch, MissingExtra; `out` is whole or not there.
    """
    began = time.monotonic()
    options = settled(options)
    if options.method == "head":
        raise UsageError("head learns from a collection", hint="use Collection.train_head, or sightline train")
    if not is_checkpoint(base):
        raise _graphs_only(base, options.method)
    _require("torch", "transformers", *(["peft"] if options.method == "lora" else []))
    weights = check_base(base)
    listed = listing(source)
    pair_up(listed.items, held_out=options.held_out)  # before the long work
    with (
        _threads(options),
        working_folder(out, _facts(options, weights), restart=options.restart) as folder,
    ):
        seed_everything(options.seed)
        scratch = folder / CACHE
        scratch.mkdir(exist_ok=True)
        opened = open_base(base, scratch)
        preparation = Preparation(opened.encoder.preparation, opened.encoder.image_target)
        pixels = decode_all(
            source,
            listed,
            preparation,
            scratch,
            kind=opened.encoder.card.preprocessing,
            threads=options.threads or 1,
            tell=decoded,
        )
        usable = [one for one in listed.items if one.id in pixels.places]
        pairs = pair_up(usable, held_out=options.held_out)
        before, learner, learnt, precision = _in_torch(opened, pairs, pixels, options, folder, tell)
        after = _measured(out.name, learner, pairs, options)
        facts = {"base": {"name": opened.name, "weights": weights}, "licence": None}
        parity = _export(opened, learner, pairs, folder / MODEL, out.name)
        done = _tuned(
            out, options, before, after, pairs, learnt, parity, precision, began, (*listed.skipped, *pixels.skipped)
        )
        _publish(folder, out, done, options, facts)
    return done


def tune_head(store: Store, encoder: Encoder, out: Path, options: Options, *, tell: Tell | None = None) -> Tuned:
    """Learns a projection of a collection's vectors, and writes its encoder's model folder with it into `out`.

    No picture is read or encoded. Raises as `tune` does, and ModelError for an encoder that is no model folder.
    """
    began = time.monotonic()
    options = settled(replace(options, method="head"))
    if not isinstance(encoder, ClipEncoder):
        raise ModelError(f"{encoder.name} is not a model folder: there is no graph to put a head behind")
    _require("torch", "onnx")
    pairs = pair_up(items_of(store), held_out=options.held_out)
    facts = _facts(options, encoder.fingerprint)
    with _threads(options), working_folder(out, facts, restart=options.restart) as folder:
        seed_everything(options.seed)
        images = _stored(store, pairs)
        starts = range(0, len(pairs.lines), 1024)
        lines = np.concatenate([encoder.encode_text(pairs.lines[start : start + 1024]) for start in starts])
        learner = HeadLearner(pairs, images, lines, sigmoid=encoder.card.preprocess.canonicalize)
        before = _measured(encoder.name, learner, pairs, options)
        learnt = epochs.learn(learner, pairs, _plan(options), folder, tell=tell)
        after = _measured(out.name, learner, pairs, options)
        image, text = learner.projections()
        shutil.rmtree(folder / MODEL, ignore_errors=True)  # of a run that was stopped while it wrote
        tokens = encoder.tokenize(pairs.lines[:_PROBES])
        parity = write_model(encoder.card, folder / MODEL, image=image, text=text, tokens=tokens)
        done = _tuned(out, options, before, after, pairs, learnt, parity, "f32", began, ())
        of_base = {"name": encoder.name, "fingerprint": encoder.fingerprint}
        _publish(folder, out, done, options, {"base": of_base, "licence": encoder.card.licence})
    return done


def as_model_folder(base: Path, folder: Path) -> Path:
    """A checkpoint exported as it is, for a head on it; what is there from a run that was stopped is taken."""
    _require("torch", "transformers", "onnx", "onnxscript")
    check_base(base)
    with contextlib.suppress(CorruptModel):
        check_whole(folder)
        return folder
    scratch = folder.with_name(f"{folder.name}.parts")
    opened = open_base(base, scratch)
    export(opened, folder, {"name": base.name, "licence": None})
    return folder


def settled(options: Options) -> Options:
    """The options with what suits the method where nothing was asked. Raises UsageError for what cannot be meant."""
    if options.method not in METHODS:
        raise UsageError(f"method {options.method!r} is unknown", hint=f"choose one of {', '.join(METHODS)}")
    if options.precision not in PRECISIONS:
        raise UsageError(f"precision {options.precision!r} is unknown", hint=f"choose one of {', '.join(PRECISIONS)}")
    usual = _USUAL[options.method]
    filled = replace(
        options,
        epochs=options.epochs if options.epochs is not None else usual.epochs,
        batch_size=options.batch_size if options.batch_size is not None else usual.batch_size,
        learning_rate=options.learning_rate if options.learning_rate is not None else usual.learning_rate,
        patience=options.patience if options.patience is not None else usual.patience,
        threads=options.threads if options.threads is not None else os.cpu_count() or 1,
    )
    least = {"epochs": 1, "batch_size": 2, "patience": 1, "threads": 1, "rank": 1, "chunk": 1}
    for name, lowest in least.items():
        seen = getattr(filled, name)
        if seen is not None and seen < lowest:
            raise UsageError(f"{name} is {seen}; at least {lowest} was expected")
    if not 0 < filled.held_out < 0.9:
        raise UsageError(f"held_out is {filled.held_out}; a share between 0 and 0.9 was expected")
    if not 0 < (filled.learning_rate or 0) < 10:
        raise UsageError(f"the learning rate is {filled.learning_rate}; a small number above 0 was expected")
    if filled.chunk is not None and filled.method == "head":
        raise UsageError("--chunk is for full and lora: a head needs no memory to speak of")
    return filled


# ---- in call order --------------------------------------------------------------------------------------------


def _graphs_only(base: Path, method: str) -> ModelError:
    return ModelError(
        f"{base.name} has ONNX graphs and no torch weights: {method} cannot train it",
        hint="--method head fits every model folder; full and lora need a CLIP or SigLIP checkpoint folder of "
        "transformers (config.json, model.safetensors, tokenizer.json)",
    )


def _require(*packages: str) -> None:
    from importlib.util import find_spec

    if any(find_spec(package) is None for package in packages):
        raise MissingExtra("train", "training")


@contextlib.contextmanager
def _threads(options: Options) -> Iterator[None]:
    """The number of threads is part of the result's last bits: it is set, not found."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(options.threads or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _facts(options: Options, base: str) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    asked = {name: value for name, value in asdict(options).items() if name not in ("restart", "checkpoint_seconds")}
    return {"base": base, **asked}


def _plan(options: Options) -> Plan:
    usual = _USUAL[options.method]
    return Plan(
        epochs=options.epochs or usual.epochs,
        batch_size=options.batch_size or usual.batch_size,
        learning_rate=options.learning_rate or usual.learning_rate,
        weight_decay=usual.weight_decay,
        patience=options.patience or usual.patience,
        seed=options.seed,
        checkpoint_seconds=options.checkpoint_seconds,
    )


def _in_torch(
    base: Base, pairs: Pairs, pixels: Pixels, options: Options, folder: Path, tell: Tell | None
) -> tuple[Evaluation, TorchLearner, Learnt, str]:
    """The base measured, then trained; what lora added is part of the weights afterwards."""
    adapted = add_lora(base, options.rank) if options.method == "lora" else None
    learner = TorchLearner(base, pairs, pixels, chunk=options.chunk, precision=options.precision, device=options.device)
    before = _measured(base.name, learner, pairs, options)
    learnt = epochs.learn(learner, pairs, _plan(options), folder, tell=tell)
    if adapted is not None:
        adapted.merge_and_unload()
    return before, learner, learnt, learner.precision


def _measured(name: str, learner: Learner, pairs: Pairs, options: Options) -> Evaluation:
    runs = epochs.held_out(name, learner, pairs, pairs.judge, seed=options.seed)
    return Evaluation(name, "captions", len(pairs.judge), options.seed, runs, ())


def _export(base: Base, learner: TorchLearner, pairs: Pairs, folder: Path, name: str) -> float:
    """Writes the model folder and opens it as `index` will: the smallest cosine to torch on real input."""
    items = pairs.judge[:_PROBES]
    lines = pairs.part(items)[0][:_PROBES]
    images, texts = learner.vectors(items, lines)
    base.model.to("cpu")
    export(base, folder, {"name": name})
    encoder = load_encoder(folder, models_dir=folder.parent, runtime="onnxruntime")
    got = encoder.encode_prepared(learner.prepared(items)), encoder.encode_text([pairs.lines[at] for at in lines])
    worst = min(float((a * b).sum(axis=1).min()) for a, b in zip((images, texts), got, strict=True))
    if not worst >= PARITY:  # also refuses NaN
        raise ExportMismatch(f"{name}: cosine to torch {worst:.6f} on real input, at least {PARITY} is expected")
    return worst


def _stored(store: Store, pairs: Pairs) -> Vectors:
    """The collection's vectors (n, dim) in the order of the pairs."""
    import pyarrow as pa

    dim = store.manifest.dim
    chunks = store.rows.stream(lambda table: table.search().select(["id", "vector"]).to_batches(batch_size=4096))
    places = {ident: at for at, ident in enumerate(pairs.ids)}
    vectors = np.zeros((len(pairs.ids), dim), np.float32)
    found = 0
    for chunk in chunks:
        known = [(row, places[ident]) for row, ident in enumerate(chunk["id"].to_pylist()) if ident in places]
        vectors[[at for _, at in known]] = matrix(pa.chunked_array([chunk["vector"]]), dim)[[row for row, _ in known]]
        found += len(known)
    if found != len(pairs.ids):
        raise CollectionError(f"'{store.address}' changed while it was read", hint="run the same command again")
    return vectors


def _tuned(
    out: Path,
    options: Options,
    before: Evaluation,
    after: Evaluation,
    pairs: Pairs,
    learnt: Learnt,
    parity: float,
    precision: str,
    began: float,
    skipped: tuple[Skipped, ...],
) -> Tuned:
    found = compare(before.runs[0], after.runs[0], names=(before.model, after.model), seed=options.seed)
    return Tuned(
        out=out,
        method=options.method,
        base=before,
        new=after,
        comparisons=tuple(found),
        learnt=learnt,
        pictures={"train": len(pairs.train), "choose": len(pairs.choose), "judge": len(pairs.judge)},
        captions=len(pairs.lines),
        parity=parity,
        precision=precision,
        seconds=time.monotonic() - began,
        skipped=skipped,
    )


def _publish(folder: Path, out: Path, done: Tuned, options: Options, facts: Mapping[str, Any]) -> None:
    """Completes the folder with its facts and curves, moves it to its place, and removes what the run needed."""
    import torch

    fresh = folder / MODEL
    asked = _facts(options, "")
    asked.pop("base")
    said = done.to_json()
    kept = ("pictures", "captions", "epochs", "best_epoch", "steps", "stopped_early", "precision")
    model = {
        "name": out.name,
        **facts,
        "training": {"options": asked, **{name: said[name] for name in kept}, "torch": torch.__version__},
        "quality": {
            "judged by": "captions of held-out pictures that neither trained the model nor chose its epoch",
            "verdict": done.verdict,
            **{
                side: {metric: round(one[metric], 6) for metric in epochs.SHOWN}
                for side, one in (("base", done.base), ("new", done.new))
            },
            "n": done.new.n,
            "comparisons": said["comparisons"],
            "parity": said["parity"],
        },
    }
    (fresh / FACTS).write_text(json.dumps(model, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (fresh / "training").mkdir(exist_ok=True)
    shutil.copyfile(folder / CURVES, fresh / "training" / CURVES)
    note = f"{done.pictures['train']:,} pictures, method {done.method}; {done.verdict}"
    charts.curves(
        done.learnt.curves, fresh / "training" / "curves.png", title=f"{done.base.model} to {out.name}", note=note
    )
    describe(fresh)
    os.rename(fresh, out)
    shutil.rmtree(folder, ignore_errors=True)
