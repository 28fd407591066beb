"""The road from the data to a model folder, in three courses that can be stopped and go on (`--minutes`).

1. The teacher reads every text once (teacher.py).
2. The image tower learns to point where the teacher's sentences, through one learnt map, point; and to where the
   attributes of street scenes lie, which have vectors of their own (facts.py).
3. Its last layer, the map and those vectors learn on, by themselves (last.py).
4. The text tower learns where each text belongs, so that the teacher can stay at home.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tokenizers import Tokenizer

from pocket.course import Course, Plan
from pocket.data import DEV, SETS, Pictures, Sources, class_words, load
from pocket.images import MEAN, STD, ImageStage
from pocket.last import LastLayer
from pocket.scenes import TRUE, UNKNOWN, Scenes
from pocket.sentences import TextStage, train_tokenizer
from pocket.teacher import Encode, Teacher, known_words
from pocket.texts import Texts, gather
from sightline.train import export_model_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DIM, CONTEXT, VOCAB = 256, 32, 5000
VOCABULARY = 12_000
"""Words of the teacher's that the text tower learns, whether or not a picture shows them."""
LAST_RATE, TEXT_RATE = 1e-3, 1.5e-3
"""Peak learning rates of the last layer and of the text tower."""
CURVES = "curves.jsonl"
LOOKS = 12
"""How often a course measures what it has learnt."""
FEWEST = 10
"""Valid scenes that must answer a question, for it to be asked of them."""


@dataclass(frozen=True, slots=True)
class Options:
    sources: Sources
    out: Path
    """The model folder to write; the courses lie beside it in `OUT.train`."""
    cache: Path
    steps: int = 6000
    last_steps: int = 2000
    text_steps: int = 5000
    batch: int = 128
    rate: float = 2e-3
    sizes: tuple[tuple[float, int], ...] = ((0.0, 64), (0.3, 96), (0.65, 128), (0.9, 160))
    """Side of the pictures from that share of the course on; the last is the model's."""
    minutes: float = float("inf")
    threads: int = 2
    device: str = "cpu"
    seed: int = 0

    @property
    def side(self) -> int:
        return self.sizes[-1][1]


def run(options: Options, command: str, encode: Encode | None = None) -> bool:
    """Trains, for `minutes` at most; writes the model folder when both courses are at their end and returns True.

    `encode` stands in for the teacher.
    """
    begin = time.monotonic()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    work = options.out.with_name(f"{options.out.name}.train")
    sets = {name: load(options.sources, options.cache, name, "train") for name in SETS}
    texts = gather(sets, seed=options.seed, vocabulary=known_words(VOCABULARY) if encode is None else ())
    teacher = Teacher(texts.all(), options.cache, encode)
    say(f"{', '.join(f'{len(pictures):,} of {name}' for name, pictures in sets.items())}; {len(teacher.texts):,} texts")

    def left() -> float:
        return options.minutes * 60 - (time.monotonic() - begin)

    images = ImageStage(sets, texts, teacher, dim=DIM, seed=options.seed, device=options.device)
    looker = Looker(options, texts, teacher, images.batches.scenes, encode)
    first = _train_images(images, looker, options, work / "images", left())
    if first.step < options.steps:
        say("stopped; the same command goes on")
        return False
    images.load_state_dict(first.average.state)
    last = _train_last(images, looker, options, work / "last", left())
    if last.step < options.last_steps:
        say("stopped; the same command goes on")
        return False
    images.eval()
    questions = [one for one in texts.questions() if images.batches.scenes.knows(one.needs)]
    targets = images.targets(questions, set(texts.prompts()))
    tokenizer = _tokenizer(texts.about(), work / "tokenizer.json")
    torch.manual_seed(options.seed)  # the same start, whether or not this process trained the pictures
    about = set(teacher.rows(texts.about()))
    kinds = {
        "classes": teacher.rows(texts.prompts()),
        "questions": teacher.rows(question.words for question in questions),
        "at large": [row for row in range(len(teacher.texts)) if row not in about],
    }
    sentences = TextStage(teacher.texts, targets, tokenizer, kinds=kinds, context=CONTEXT, seed=options.seed)
    second = _train_texts(sentences, options, work / "texts", left())
    if second.step < options.text_steps:
        say("stopped; the same command goes on")
        return False
    sentences.tower.load_state_dict(second.average.state)
    training = {
        "command": command, "seed": options.seed, "torch": torch.__version__, "device": options.device,
        "data": {name: len(pictures) for name, pictures in sets.items()}, "texts": len(teacher.texts),
        "image_steps": first.step, "image_seconds": round(first.seconds), "batch": options.batch,
        "last_steps": last.step, "last_seconds": round(last.seconds),
        "text_steps": second.step, "text_seconds": round(second.seconds), "text_cosine": round(sentences.cosine, 3),
    }  # fmt: skip
    _export(options, images, sentences, tokenizer, training)
    return True


def _tokenizer(texts: list[str], file: Path) -> Tokenizer:
    """Trained once a run: the trainer breaks ties by chance, and no two vocabularies are the same."""
    if not file.exists():
        train_tokenizer(texts, VOCAB).save(str(file))
    return Tokenizer.from_file(str(file))


def _train_images(images: ImageStage, looker: Looker, options: Options, folder: Path, seconds: float) -> Course:
    def loss(step: int) -> torch.Tensor:
        share = step / options.steps
        side = [side for start, side in options.sizes if share >= start][-1]
        return images.loss(step, options.batch, side)

    course = Course(images, loss, Plan(options.steps, options.rate), folder)
    looks = {round(options.steps * look / LOOKS) for look in range(1, LOOKS + 1)}

    def after(step: int) -> None:
        if step % 25 == 0:
            told = f"{course.seconds:.0f} s  loss {course.last_loss:.2f}  {images.report()}"
            say(f"image {step} of {options.steps}  {told}")
        if step in looks:
            with averaged(images, course.average.state):
                seen = looker.look(images, [side for start, side in options.sizes if step / options.steps >= start][-1])
            note(folder / CURVES, {"step": step, "seconds": round(course.seconds), **seen})

    images.train()
    course.run(after, until=seconds)
    return course


def _train_last(images: ImageStage, looker: Looker, options: Options, folder: Path, seconds: float) -> Course:
    images.eval()
    layer = LastLayer(images, options.side, folder, say=say)
    course = Course(layer, layer.loss, Plan(options.last_steps, LAST_RATE), folder)

    def after(step: int) -> None:
        if step % 100 == 0:
            say(f"last layer {step} of {options.last_steps}  {course.seconds:.0f} s  {images.report()}")

    learns = course.step < options.last_steps
    if learns:
        layer.train()
        images.running.clear()
        course.run(after, until=seconds)
    layer.load_state_dict(course.average.state)
    layer.store()
    if learns:
        seen = looker.look(images, options.side)
        note(folder / CURVES, {"step": course.step, "seconds": round(course.seconds), **seen})
    return course


def _train_texts(sentences: TextStage, options: Options, folder: Path, seconds: float) -> Course:
    if not (folder / "checkpoint.safetensors").exists():
        say(f"a bag of words alone: cosine {sentences.start_from_words():.3f}")
    sentences.tower.to(sentences.device)
    course = Course(sentences.tower, sentences.loss, Plan(options.text_steps, TEXT_RATE), folder)

    def after(step: int) -> None:
        if step % 100 == 0:
            say(f"text {step} of {options.text_steps}  {course.seconds:.0f} s  cosine {sentences.cosine:.3f}")

    course.run(after, until=seconds)
    return course


def _export(
    options: Options, images: ImageStage, sentences: TextStage, tokenizer: Tokenizer, training: Mapping[str, Any]
) -> None:
    card = json.loads((Path(__file__).parent / "card.json").read_text(encoding="utf-8"))
    config = {
        "embed_dim": DIM,
        "vision_cfg": {"image_size": options.side},
        "text_cfg": {"context_length": CONTEXT, "vocab_size": tokenizer.get_vocab_size(), "tokenizer_kwargs": {}},
    }
    preprocess = {
        "size": [options.side, options.side], "mean": list(MEAN), "std": list(STD), "interpolation": "bicubic",
        "resize_mode": "squash",
    }  # fmt: skip
    tower = images.tower.cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    export_model_folder(
        options.out, image_tower=tower, text_tower=sentences.tower.cpu(), config=config, preprocess=preprocess,
        tokenizer_json=tokenizer.to_str(pretty=False), pad_token="[PAD]", half=True,  # noqa: S106
        model={**card, "training": dict(training)},
    )  # fmt: skip
    say(f"{options.out} written")


class Looker:
    """Looks at valid pictures while the image tower learns; its texts are those of the training."""

    def __init__(self, options: Options, texts: Texts, teacher: Teacher, scenes: Scenes, encode: Encode | None) -> None:
        def valid(name: str) -> Pictures:
            return load(options.sources, options.cache, name, "valid")

        dev, tiny, streets = valid(DEV), valid("tiny_imagenet_32k"), valid("streets")
        self._dev, self._tiny, self._streets = dev.pixels, tiny.pixels, streets.pixels
        self._captions = Teacher([c for own in dev.captions for c in own], options.cache, encode)
        self._rows = [self._captions.rows(own) for own in dev.captions]
        names = list(texts.classes["tiny_imagenet_32k"])
        self._labels = np.array([names.index(class_words(own)[0]) for own in tiny.captions])
        self._prompts = teacher.rows(prompts[0] for prompts in texts.classes["tiny_imagenet_32k"].values())
        asked = [one for one in (*texts.singles, *texts.compounds[:3000]) if scenes.knows(one.needs)]
        held = Scenes(streets.records, scenes.attributes)
        answers = held.answers(held.needs([one.needs for one in asked]), held.seen(range(len(held))))
        enough = ((answers == TRUE).sum(0) >= FEWEST) & ((answers == TRUE).mean(0) < 0.6)
        picked = np.random.default_rng(0).permutation(np.flatnonzero(enough))[:600]
        self._answers = answers[:, picked]
        self._needs = scenes.needs([asked[at].needs for at in picked])

    @torch.no_grad()
    def look(self, images: ImageStage, side: int) -> dict[str, float]:
        """recall@10 of dev captions, top-5 of held-out tiny-imagenet, precision@5 of questions about valid scenes.

        Before the text tower: captions and class names lie where the map has them, questions where their attributes do.
        """
        dev = images.vectors(self._dev, side)
        sentences = torch.from_numpy(self._captions.vectors).to(images.device)
        words = torch.nn.functional.normalize(images.place(sentences - images.centre), dim=-1)
        scores = (words @ dev.T).cpu().numpy()
        ranks = [int((scores[row] > scores[row, at]).sum()) for at, rows in enumerate(self._rows) for row in rows]
        classes = (images.vectors(self._tiny, side) @ images.texts(self._prompts).T).cpu().numpy()
        own = classes[np.arange(len(classes)), self._labels][:, None]
        streets = (images.vectors(self._streets, side) @ images.facts(self._needs)[0].T).cpu().numpy()
        streets[self._answers == UNKNOWN] = -2
        best = np.argsort(-streets, axis=0, kind="stable")[:5]
        found = np.take_along_axis(self._answers, best, 0) == TRUE
        return {
            "flickr8k_dev recall@10": round(float(np.mean(np.array(ranks) < 10)), 4),
            "tiny_imagenet top-5": round(float(((classes > own).sum(1) < 5).mean()), 4),
            "streets valid precision@5": round(float(found.mean()), 4),
        }


@contextmanager
def averaged(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """`module` with the weights of `state`, ready for use; afterwards with its own again."""
    own = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(state)
    module.eval()
    try:
        yield
    finally:
        module.load_state_dict(own)
        module.train()


def note(file: Path, seen: Mapping[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(f"{json.dumps(seen)}\n")
    say(json.dumps(seen))


def say(text: str) -> None:
    print(text, flush=True)
