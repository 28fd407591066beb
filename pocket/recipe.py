"""Trains pocket from nothing: `python pocket/recipe.py --data DIR --out FOLDER [--minutes 30]` (two CPU cores).

Three stages, in order:
1. the teacher reads every text once (teacher.py);
2. the image tower learns to point where the teacher's vectors, through one learnt linear map, point;
3. the text tower learns to say what teacher and map say together, so that the teacher can stay at home.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from data import load
from images import ImageStage
from measure import measure
from sentences import TextStage, train_tokenizer
from teacher import Teacher
from texts import gather

from sightline.train import Average, Step, export_model_folder, fit, seed_everything

DIM, CONTEXT, VOCAB, SIZE = 256, 32, 5000, 128
DATA_SETS = ("flickr8k_train", "streets", "tiny_imagenet_32k", "caltech101_80")


def main() -> None:
    options = _options()
    seed_everything(options.seed)
    torch.set_num_threads(options.threads)
    options.checkpoint.mkdir(parents=True, exist_ok=True)
    sets = {name: load(options.data, options.cache, name, "train") for name in DATA_SETS}
    texts = gather(*(sets[name] for name in DATA_SETS), seed=options.seed)
    teacher = Teacher(texts.all(), options.cache)
    say(f"{len(teacher.texts)} texts, {len(texts.attributes)} attributes")

    images = ImageStage(sets, texts, teacher, dim=DIM, seed=options.seed)
    training: dict[str, Any] = {
        "command": "python pocket/recipe.py " + shlex.join(_public(sys.argv[1:])),
        "seed": options.seed, "data": list(DATA_SETS), "torch": torch.__version__,
    }  # fmt: skip
    if options.start:
        images.load_state_dict(torch.load(options.start / "images.pt", weights_only=True))
        training["before"] = json.loads((options.start / "training.json").read_text())
    if options.minutes > options.text_minutes:
        training |= train_images(images, options)
    torch.save(images.state_dict(), options.checkpoint / "images.pt")
    (options.checkpoint / "training.json").write_text(json.dumps(training))

    tokenizer = train_tokenizer(teacher.texts, VOCAB)
    sentences = TextStage(teacher, images, tokenizer, dim=DIM, context=CONTEXT, rng=random.Random(options.seed))
    training |= train_texts(sentences, options)

    card = json.loads((Path(__file__).parent / "card.json").read_text())
    config = {
        "embed_dim": DIM,
        "vision_cfg": {"image_size": SIZE},
        "text_cfg": {"context_length": CONTEXT, "vocab_size": tokenizer.get_vocab_size(), "tokenizer_kwargs": {}},
    }
    preprocess = {
        "size": [SIZE, SIZE], "mean": list(images.mean), "std": list(images.std),
        "interpolation": "bicubic", "resize_mode": "squash",
    }  # fmt: skip
    images.tower.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    export_model_folder(
        options.out, image_tower=images.tower, text_tower=sentences.tower, config=config, preprocess=preprocess,
        tokenizer_json=tokenizer.to_str(pretty=False), pad_token="[PAD]", half=True,  # noqa: S106
        model={**card, "training": training},
    )  # fmt: skip
    quality = measure(options.out, options.data, options.cache, threads=options.threads)
    facts = {**card, "training": training, "quality": quality}
    (options.out / "model.json").write_text(json.dumps(facts, indent=2) + "\n")
    say(json.dumps(quality, indent=1))


def train_images(images: ImageStage, options: argparse.Namespace) -> dict[str, Any]:
    """Leaves the running average of the weights in `images`; returns what model.json says of it."""
    average = Average(images, 0.995)

    def after_step(step: Step) -> None:
        average.update(images)
        if step.number % 25 == 0:
            say(f"image {step.number} {step.share:.3f} loss {step.loss:.3f} {images.report()} {step.seconds:.0f} s")

    seconds = (options.minutes - options.text_minutes) * 60
    losses = fit(
        lambda done: images.loss(done, options.sizes), images.parameters(), steps=options.steps, seconds=seconds,
        learning_rate=options.rate, after_step=after_step,
    )  # fmt: skip
    images.load_state_dict(average.state)
    last = losses[-50:]
    return {"image_steps": len(losses), "image_loss": round(sum(last) / len(last), 3), "image_seconds": round(seconds)}


def train_texts(sentences: TextStage, options: argparse.Namespace) -> dict[str, Any]:
    words = sentences.start_from_words()
    say(f"a bag of words alone: cosine {words:.3f}")

    def after_step(step: Step) -> None:
        if step.number % 50 == 0:
            say(f"text {step.number} {step.share:.3f} loss {step.loss:.3f} cosine {sentences.cosine:.3f}")

    seconds = options.text_minutes * 60
    losses = fit(
        sentences.loss, sentences.tower.parameters(), steps=options.steps * 10, seconds=seconds, learning_rate=1.5e-3,
        after_step=after_step,
    )  # fmt: skip
    return {
        "text_steps": len(losses), "text_cosine_words": round(words, 3), "text_cosine": round(sentences.cosine, 3),
        "text_seconds": round(seconds),
    }  # fmt: skip


def say(text: str) -> None:
    print(text, flush=True)


def _public(arguments: list[str]) -> list[str]:
    """The command line without this machine's folders: the value of a folder flag becomes its name in capitals."""
    hidden = {"--data": "DIR", "--out": "FOLDER", "--cache": "CACHE", "--start": "BEFORE", "--checkpoint": "CHECKPOINT"}
    return [hidden.get(before, value) for before, value in zip(["", *arguments], arguments, strict=False)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds train/*.parquet and data/streets")
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/pocket"), help="decoded pictures and teacher vectors"
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of training, both towers together")
    parser.add_argument("--text-minutes", type=float, default=5.0, help="of these for the text tower")
    parser.add_argument("--steps", type=int, default=1_000_000, help="stop the image tower here if that comes first")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate of the image tower")
    parser.add_argument("--sizes", type=_sizes, default="0:64,0.4:96,0.75:128", help="share of training : picture side")
    parser.add_argument("--checkpoint", type=Path, default=Path(".cache/pocket/checkpoint"), help="written at the end")
    parser.add_argument("--start", type=Path, help="a checkpoint folder to go on from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _sizes(text: str) -> list[tuple[float, int]]:
    return [(float(share), int(side)) for share, side in (part.split(":") for part in text.split(","))]


if __name__ == "__main__":
    main()
