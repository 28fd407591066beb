"""The image tower's losses, against the teacher's sentence vectors seen through one learnt map (towers.Place), and
against vectors of their own for the attributes of street scenes (facts.Facts).

Over one mixed batch: captions (InfoNCE); class names (softmax over prompts); questions about street scenes and each of
their attributes (one yes or no each, so that a hydrant of 20 pixels counts as much as the sky); that a scene which
answers comes first; things that captions of photographs name; and that the map puts a question's words where its
attributes lie. Two more only help to learn: plain classifiers on the tower's features, and where things are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pocket.batches import CLASSES, QUESTIONS, Batch, Batches, Rows
from pocket.data import SETS, Pictures
from pocket.facts import Facts
from pocket.scenes import FALSE, TRUE, UNKNOWN, Floats, areas
from pocket.teacher import Teacher
from pocket.texts import Texts
from pocket.towers import ImageTower, Place
from pocket.words import NOUNS, Question
from sightline.train import contrastive_loss

MEAN, STD = (0.45, 0.44, 0.42), (0.26, 0.26, 0.27)
SHARES = {"flickr8k_train": 34, "streets": 56, "tiny_imagenet_32k": 32, "caltech101_80": 6}
"""Pictures of each set in a batch of 128."""
ALIKE = 0.85  # captions whose teacher vectors are closer than this are not negatives of each other
WEIGHTS = {
    "caption": 1.0, "tiny": 1.0, "caltech": 0.3, "questions": 8.0, "attributes": 4.0, "first": 0.2, "named": 4.0,
    "map": 0.7, "plain": 0.5, "cells": 6.0,
}  # fmt: skip
DROPPED = 0.1  # of the features before the last layer


class ImageStage(nn.Module):
    centre: Tensor  # (384,) the mean of the teacher's vectors

    def __init__(
        self, sets: dict[str, Pictures], texts: Texts, teacher: Teacher, *, dim: int, seed: int, device: str = "cpu"
    ) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.batches = Batches(sets, texts, teacher, seed=seed)
        self.tower = ImageTower(dim, len(self.batches.scenes.located))
        self._teacher, self._teacher_rows = torch.from_numpy(teacher.vectors), teacher.rows
        self.register_buffer("centre", self._teacher.mean(0))
        self.place = Place(_half_whitening(self._teacher - self.centre, dim))
        self.facts = Facts(self._places(texts, teacher), self.batches.scenes.either)
        self.seldom = nn.Parameter(torch.full((len(self.batches.nameable),), -4.0))  # is a thing in a photograph
        counts = {short: len(texts.classes[name]) for name, short in CLASSES.items()}
        counts["streets"] = len(self.batches.scenes.attributes)
        self.heads = nn.ModuleDict({name: nn.Linear(self.tower.width, count) for name, count in counts.items()})
        scales = {"caption": 14.0, "class": 14.0, "question": 10.0}
        self.scales = nn.ParameterDict({name: nn.Parameter(torch.tensor(at).log()) for name, at in scales.items()})
        self.dropout = nn.Dropout(DROPPED)
        self._pixels = {
            name: torch.from_numpy(np.ascontiguousarray(sets[name].pixels)).to(self.device) for name in SETS
        }
        self.running: dict[str, float] = {}
        self.to(self.device)
        self.tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._teacher = self._teacher.to(self.device)

    def loss(self, step: int, batch: int, side: int) -> Tensor:
        """The loss of batch number `step`: `batch` pictures at `side` pixels."""
        rng = self.batches.rng(step)
        counts = {name: round(batch * share / sum(SHARES.values())) for name, share in SHARES.items()}
        drawn = self.batches.draw(rng, step, counts)
        self.batches.crop(rng, drawn)
        features, cells = self.features(rng, drawn, side)
        dropped = {name: self.dropout(own) for name, own in features.items()}
        parts = self.losses(rng, drawn, {name: self.tower.out(own) for name, own in dropped.items()})
        parts["plain"] = self._plain_loss(drawn, dropped)
        parts["cells"] = self._cell_loss(cells["streets"], drawn)
        return self.weighed(parts, WEIGHTS)

    def features(
        self, rng: np.random.Generator, batch: Batch, side: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What the tower pools of each set's pictures, and what its cells say: see ImageTower.features."""
        views = [
            self._view(rng, self._pixels[name][rows], batch.crops[name], batch.flips[name], side)
            for name, rows in batch.rows.items()
        ]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            pooled, cells = self.tower.features(torch.cat(views))
        sizes = [len(rows) for rows in batch.rows.values()]
        features, said = (dict(zip(batch.rows, torch.split(x.float(), sizes), strict=True)) for x in (pooled, cells))
        return features, said

    def look(self, name: str, rows: Rows, crops: Floats, flips: NDArray[np.bool_], side: int) -> Tensor:
        """(n, tower.width): what the tower pools of some pictures of a set, in the light that they have."""
        view = self._normalised(self._cropped(self._pixels[name][rows], crops, flips, side))
        features: Tensor = self.tower.features(view)[0]
        return features

    def losses(
        self, rng: np.random.Generator, batch: Batch, vectors: Mapping[str, Tensor], questions: int = QUESTIONS
    ) -> dict[str, Tensor]:
        """What the vectors of each set's pictures, of any length, are worth: a loss of each kind, see above."""
        unit = {name: F.normalize(own, dim=-1) for name, own in vectors.items()}
        parts = {"caption": self._caption_loss(rng, batch, unit)}
        for name, short in CLASSES.items():
            parts[short] = self._class_loss(rng, name, batch, unit[name])
        parts["named"] = self._named_loss(batch, unit["flickr8k_train"])
        return parts | self._street_losses(rng, batch, unit["streets"], questions)

    def weighed(self, parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
        for name, value in ((name, float(part.detach())) for name, part in parts.items()):
            self.running[name] = 0.98 * self.running.get(name, value) + 0.02 * value
        return torch.stack([weights[name] * part for name, part in parts.items()]).sum()

    def report(self) -> str:
        return " ".join(f"{name} {value:.3f}" for name, value in self.running.items())

    def texts(self, rows: Any) -> Tensor:
        """Unit vectors (n, dim) where the texts of these teacher rows belong."""
        return F.normalize(self.place(self._teacher[rows] - self.centre), dim=-1)

    @torch.no_grad()
    def targets(self, questions: Sequence[Question], prompts: Collection[str] = ()) -> Tensor:
        """(texts, dim) where each of the teacher's texts belongs: questions at their attributes, the rest where the map
        says. Between the two lie somebody ("a woman" is more than the attribute knows) and, by all its names, a thing
        that is a class of photographs too, as `prompts` say ("a photo of an airplane").
        """
        targets = torch.cat([self.texts(slice(at, at + 4096)) for at in range(0, len(self._teacher), 4096)])
        rows = self._teacher_rows(question.words for question in questions)
        beside: dict[str, list[int]] = {}
        for question, row in zip(questions, rows, strict=True):
            if question.words in prompts and question.needs in NOUNS:
                beside.setdefault(question.needs, []).append(row)
        meant = self.facts(self.batches.scenes.needs([question.needs for question in questions]))[0]
        for at, (question, row) in enumerate(zip(questions, rows, strict=True)):
            own = [row] if question.needs == "person" else beside.get(question.needs)
            if own:
                meant[at] += F.normalize(targets[own].mean(0), dim=0)
        asked = torch.tensor(rows, device=self.device)
        found = torch.zeros_like(targets).index_add_(0, asked, meant)  # the same words may have several needs
        targets[asked] = F.normalize(found[asked], dim=-1)
        return targets

    def vectors(self, pixels: NDArray[np.uint8], side: int, batch: int = 128) -> Tensor:
        """Unit vectors (n, dim) of whole pictures, as they are resized in use (to about a pixel's rounding)."""
        found = []
        for at in range(0, len(pixels), batch):
            part = torch.from_numpy(np.ascontiguousarray(pixels[at : at + batch])).to(self.device)
            view = part.permute(0, 3, 1, 2).float() / 255
            view = F.interpolate(view, (side, side), mode="bicubic", antialias=True, align_corners=False)
            found.append(F.normalize(self.tower(self._normalised(view)), dim=-1))
        return torch.cat(found)

    def _places(self, texts: Texts, teacher: Teacher) -> Tensor:
        """(attributes, dim): where the map puts the ways to ask for each; of no way, near nothing."""
        ways: dict[str, list[int]] = {}
        for question in texts.singles:
            ways.setdefault(question.needs, []).append(teacher.row(question.words))
        dim = self.place.line.out_features
        with torch.no_grad():
            return torch.stack([
                F.normalize(self.place(self._teacher[ways[name]] - self.centre).mean(0), dim=0)
                if name in ways else torch.full((dim,), dim**-0.5)
                for name in self.batches.scenes.attributes
            ])  # fmt: skip

    def _caption_loss(self, rng: np.random.Generator, batch: Batch, vectors: Mapping[str, Tensor]) -> Tensor:
        whole = np.flatnonzero(areas(batch.crops["streets"]) > 0.5)  # a caption does not fit a small part of a scene
        photographs = batch.rows["flickr8k_train"]
        own = [*batch.captions["flickr8k_train"], *(batch.captions["streets"][at] for at in whole)]
        more, belongs = self.batches.bank(rng)
        owners = np.array([*photographs, *[-2] * len(whole)])
        own_teacher, more_teacher = self._teacher[own], self._teacher[more]
        scenes = torch.from_numpy(owners == -2).to(self.device)  # what is said of one scene is true of many others
        same = (own_teacher @ own_teacher.T > ALIKE) | (scenes[:, None] & scenes[None, :])
        mine = torch.from_numpy(owners[:, None] == belongs).to(self.device)
        return contrastive_loss(
            torch.cat([vectors["flickr8k_train"], vectors["streets"][whole]]), self.place(own_teacher - self.centre),
            scale=self.scales["caption"].exp().clamp(max=100), same=same,
            more_texts=self.place(more_teacher - self.centre), same_more=(own_teacher @ more_teacher.T > ALIKE) | mine,
        )  # fmt: skip

    def _class_loss(self, rng: np.random.Generator, name: str, batch: Batch, vectors: Tensor) -> Tensor:
        labels, prompts = self.batches.classes[name]
        picked = [options[rng.integers(len(options))] for options in prompts]
        logits = vectors @ self.texts(picked).T * self.scales["class"].exp().clamp(max=100)
        target = torch.from_numpy(labels[batch.rows[name]]).to(self.device)
        return F.cross_entropy(logits, target, label_smoothing=0.05)

    def _street_losses(self, rng: np.random.Generator, batch: Batch, vectors: Tensor, count: int) -> dict[str, Tensor]:
        """questions: `count` of them, of several attributes; attributes: all, one by one; first: the share of a
        question's scores that lies with pictures that answer it; map: how far its words are from its attributes.
        """
        rows, scenes = batch.rows["streets"], self.batches.scenes
        seen = scenes.seen(rows.tolist(), batch.crops["streets"])
        asked, needs = self.batches.questions(rng, rows, count)
        answers = scenes.answers(needs, seen)
        meant, often = self.facts(needs)
        logits = vectors @ meant.T * self.scales["question"].exp()
        words = F.normalize(self.place(self._teacher[asked] - self.centre), dim=-1)
        return {
            "questions": self._answered(logits + often, answers),
            "attributes": self._attribute_loss(vectors, seen[:, : len(scenes.attributes)]),
            "first": _first_loss(logits, torch.from_numpy(answers).to(self.device)),
            "map": 1 - (words * meant.detach()).sum(1).mean(),
        }

    def _attribute_loss(self, vectors: Tensor, states: NDArray[np.float32]) -> Tensor:
        meant, often = self.facts.singles()
        return self._answered(vectors @ meant.T * self.scales["question"].exp() + often, states)

    def _named_loss(self, batch: Batch, vectors: Tensor) -> Tensor:
        """Things of street scenes in photographs, as far as captions name them."""
        meant = self.facts.singles()[0][self.batches.nameable]
        logits = vectors @ meant.T * self.scales["question"].exp() + self.seldom
        return self._answered(logits, self.batches.named[batch.rows["flickr8k_train"]])

    def _plain_loss(self, batch: Batch, features: Mapping[str, Tensor]) -> Tensor:
        """A classifier of its own on the features of each set. For training only."""
        seen = self.batches.scenes.seen(batch.rows["streets"].tolist(), batch.crops["streets"])
        logits = self.heads["streets"](features["streets"])
        loss = WEIGHTS["questions"] * self._answered(logits, seen[:, : logits.shape[1]])
        for name, short in CLASSES.items():
            target = torch.from_numpy(self.batches.classes[name][0][batch.rows[name]]).to(self.device)
            plain = self.heads[short](features[name])
            loss = loss + WEIGHTS[short] * F.cross_entropy(plain, target, label_smoothing=0.05)
        return loss

    def _answered(self, logits: Tensor, states: NDArray[np.float32]) -> Tensor:
        target, known = (torch.from_numpy(x).to(self.device) for x in (states, states != UNKNOWN))
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        found: Tensor = (loss * known).sum() / known.sum()
        return found

    def _cell_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Where things are: each cell (n, height, width, located) of the fine grid says which boxes cover it."""
        height, width = logits.shape[1:3]
        views = zip(batch.rows["streets"], batch.crops["streets"], batch.flips["streets"], strict=True)
        scenes = self.batches.scenes
        labels = np.stack([scenes.cells(int(row), crop, flip, width, height) for row, crop, flip in views])
        weight = torch.tensor(5.0, device=self.device)
        return F.binary_cross_entropy_with_logits(logits, torch.from_numpy(labels).to(self.device), pos_weight=weight)

    def _view(
        self, rng: np.random.Generator, pixels: Tensor, crops: Floats, flips: NDArray[np.bool_], side: int
    ) -> Tensor:
        """uint8 (n, h, w, 3) -> normalised float (n, 3, side, side): crop, flip, other light and colours."""
        n = len(pixels)

        def drawn(low: float, high: float, channels: int = 1) -> Tensor:
            return torch.from_numpy(rng.uniform(low, high, (n, channels, 1, 1)).astype(np.float32)).to(self.device)

        view = self._cropped(pixels, crops, flips, side)
        view = (view - 0.45) * drawn(0.8, 1.2) + 0.45 + drawn(-0.06, 0.06)
        gray = view.mean(1, keepdim=True)
        return self._normalised(gray + (view - gray) * drawn(0.8, 1.2) + drawn(-0.02, 0.02, 3))

    def _cropped(self, pixels: Tensor, crops: Floats, flips: NDArray[np.bool_], side: int) -> Tensor:
        """uint8 (n, h, w, 3) -> float (n, 3, side, side) in [0, 1]."""
        left, top, right, bottom = crops.T
        n = len(pixels)
        theta = np.zeros((n, 2, 3), np.float32)
        theta[:, 0, 0], theta[:, 0, 2] = (right - left) * np.where(flips, -1, 1), left + right - 1
        theta[:, 1, 1], theta[:, 1, 2] = bottom - top, top + bottom - 1
        fine = 2 if max(pixels.shape[1:3]) > 1.3 * side else 1  # sample twice as fine, then average: no aliasing
        grid = F.affine_grid(
            torch.from_numpy(theta).to(self.device), [n, 3, side * fine, side * fine], align_corners=False
        )
        view = F.grid_sample(pixels.permute(0, 3, 1, 2).float() / 255, grid, padding_mode="border", align_corners=False)
        return F.avg_pool2d(view, fine) if fine > 1 else view

    def _normalised(self, view: Tensor) -> Tensor:
        mean, std = (torch.tensor(values, device=self.device)[:, None, None] for values in (MEAN, STD))
        return ((view.clamp(0, 1) - mean) / std).contiguous(memory_format=torch.channels_last)


def _first_loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Of questions (pictures, questions) that some answer and some do not: -log of the answering pictures' share of the
    softmax over pictures. It wants right ones in front, not all of them: what precision@k counts.
    """
    asked = logits.masked_fill(answers == UNKNOWN, -torch.inf)
    right = logits.masked_fill(answers != TRUE, -torch.inf)
    some = (answers == TRUE).any(0) & (answers == FALSE).any(0)
    if not some.any():
        return logits.new_zeros(())
    return (torch.logsumexp(asked[:, some], 0) - torch.logsumexp(right[:, some], 0)).mean()


def _half_whitening(vectors: Tensor, dim: int) -> Tensor:
    """(dim, 384): the main axes of the texts, the strong ones damped, so that likenesses start spread out."""
    values, axes = torch.linalg.eigh(vectors.T @ vectors / len(vectors))
    whitening: Tensor = (axes[:, -dim:] * values[-dim:].clamp(min=1e-6) ** -0.25).T
    return whitening
