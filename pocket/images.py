"""The image tower's losses, against the teacher's sentence vectors seen through one learnt map (towers.Place).

Three kinds over one mixed batch: captions (InfoNCE), class names (softmax over prompts) and questions about street
scenes (one yes or no each, so that a hydrant of 20 pixels counts as much as the sky). Two more that only help to learn:
plain classifiers on the tower's features, and where things are. What step number n draws depends on the seed and n
alone, so that a run that was stopped goes on as if it had not been.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pocket.data import SETS, Pictures, class_words
from pocket.scenes import TRUE, UNKNOWN, Floats, Scenes, areas
from pocket.teacher import TEACHER_DIM, Teacher
from pocket.texts import Texts
from pocket.towers import ImageTower, Place
from sightline.train import contrastive_loss

MEAN, STD = (0.45, 0.44, 0.42), (0.26, 0.26, 0.27)
SHARES = {"flickr8k_train": 36, "streets": 32, "tiny_imagenet_32k": 48, "caltech101_80": 12}
"""Pictures of each set in a batch of 128."""
CLASSES = {"tiny_imagenet_32k": "tiny", "caltech101_80": "caltech"}
LEAST_CROP = {"flickr8k_train": 0.4, "streets": 0.25, "tiny_imagenet_32k": 0.5, "caltech101_80": 0.4}  # share of area
QUESTIONS = 256
"""Asked of all street scenes of a batch; the more of them, the less chance there is in what a scene is asked."""
AIMED = 0.6
"""Share of the questions that a scene of the batch answers; the others are drawn from all."""
BANK = 2048  # captions of other pictures that serve as further negatives
ALIKE = 0.85  # captions whose teacher vectors are closer than this are not negatives of each other
WEIGHTS = {"caption": 1.0, "tiny": 1.0, "caltech": 0.3, "questions": 8.0, "plain": 0.5, "cells": 6.0}
DROPPED = 0.1  # of the features before the last layer


class ImageStage(nn.Module):
    centre: Tensor  # (384,) the mean of the teacher's vectors

    def __init__(
        self, sets: dict[str, Pictures], texts: Texts, teacher: Teacher, *, dim: int, seed: int, device: str = "cpu"
    ) -> None:
        super().__init__()
        self.device, self._seed = torch.device(device), seed
        self.tower = ImageTower(dim)
        self._teacher = torch.from_numpy(teacher.vectors)
        self.register_buffer("centre", self._teacher.mean(0))
        self.place = Place(_half_whitening(self._teacher - self.centre, dim))
        self.offset = nn.Linear(TEACHER_DIM, 1)  # how often a question is answered yes
        nn.init.zeros_(self.offset.weight)
        nn.init.constant_(self.offset.bias, -2.0)
        self.scenes = Scenes(sets["streets"].records)
        counts = {short: len(texts.classes[name]) for name, short in CLASSES.items()}
        counts["streets"] = len(self.scenes.attributes)
        self.heads = nn.ModuleDict({name: nn.Linear(self.tower.width, count) for name, count in counts.items()})
        self.cells = nn.Linear(self.tower.fine_width, len(self.scenes.located))
        nn.init.constant_(self.cells.bias, -3.0)
        scales = {"caption": 14.0, "class": 14.0, "question": 10.0}
        self.scales = nn.ParameterDict({name: nn.Parameter(torch.tensor(at).log()) for name, at in scales.items()})
        self.dropout = nn.Dropout(DROPPED)
        self._gather(sets, texts, teacher)
        self.running: dict[str, float] = {}
        self.to(self.device)
        self.tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._teacher = self._teacher.to(self.device)

    def _gather(self, sets: dict[str, Pictures], texts: Texts, teacher: Teacher) -> None:
        self._pixels = {
            name: torch.from_numpy(np.ascontiguousarray(sets[name].pixels)).to(self.device) for name in SETS
        }
        self._captions = {
            name: [teacher.rows(c) for c in sets[name].captions] for name in ("flickr8k_train", "streets")
        }
        self._sided = [["left" in c or "right" in c for c in captions] for captions in sets["streets"].captions]
        bank = [(row, owner) for owner, rows in enumerate(self._captions["flickr8k_train"]) for row in rows]
        self._bank = np.array(bank)
        self._classes = {}
        for name in CLASSES:
            index = {word: number for number, word in enumerate(texts.classes[name])}
            labels = np.array([index[class_words(captions)[0]] for captions in sets[name].captions])
            self._classes[name] = (labels, [teacher.rows(prompts) for prompts in texts.classes[name].values()])
        questions = [one for one in (*texts.singles, *texts.compounds) if self.scenes.knows(one.needs)]
        self._words = np.array(teacher.rows(question.words for question in questions))
        self._needs = self.scenes.needs([question.needs for question in questions])
        whole = self.scenes.seen(range(len(self.scenes)))
        answers = [self.scenes.answers(self._needs, whole[at : at + 64]) == TRUE for at in range(0, len(whole), 64)]
        self._answered = [np.flatnonzero(row).astype(np.int32) for part in answers for row in part]
        self._orders: dict[tuple[str, int], NDArray[np.int64]] = {}

    def loss(self, step: int, batch: int, side: int) -> Tensor:
        """The loss of batch number `step`: `batch` pictures at `side` pixels."""
        rng = np.random.default_rng([self._seed, step])
        counts = {name: round(batch * share / sum(SHARES.values())) for name, share in SHARES.items()}
        rows = {name: self._draw(name, step * count, count) for name, count in counts.items()}
        chosen = {
            name: [int(rng.integers(len(own[row]))) for row in rows[name]] for name, own in self._captions.items()
        }
        pixels, crops, flips = [], {}, {}
        for name, picked in rows.items():
            crops[name] = _crops(rng, len(picked), LEAST_CROP[name])
            flips[name] = rng.random(len(picked)) < 0.5
            if name == "streets":
                flips[name] &= ~np.array([self._sided[row][at] for row, at in zip(picked, chosen[name], strict=True)])
            pixels.append(self._view(rng, self._pixels[name][picked], crops[name], flips[name], side))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            features, fine = self.tower.features(torch.cat(pixels).contiguous(memory_format=torch.channels_last))
        features, fine = self.dropout(features.float()), fine.float()
        vectors = F.normalize(self.tower.out(features), dim=-1)
        of, plain = (dict(zip(counts, torch.split(x, list(counts.values())), strict=True)) for x in (vectors, features))
        first = counts["flickr8k_train"]
        fine_streets = fine[first : first + counts["streets"]]
        parts = {"caption": self._caption_loss(rng, of, rows, chosen, crops["streets"])}
        for name, short in CLASSES.items():
            parts[short], helped = self._class_loss(rng, name, of[name], plain[name], rows[name])
            parts["plain"] = parts.get("plain", 0.0) + WEIGHTS[short] * helped
        parts["questions"], helped = self._question_loss(
            rng, of["streets"], plain["streets"], rows["streets"], crops["streets"]
        )
        parts["plain"] = parts["plain"] + WEIGHTS["questions"] * helped
        parts["cells"] = self._cell_loss(fine_streets, rows["streets"], crops["streets"], flips["streets"])
        for name, value in ((name, float(part.detach())) for name, part in parts.items()):
            self.running[name] = 0.98 * self.running.get(name, value) + 0.02 * value
        return torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()

    def report(self) -> str:
        return " ".join(f"{name} {value:.3f}" for name, value in self.running.items())

    def texts(self, rows: Any) -> Tensor:
        """Unit vectors (n, dim) where the texts of these teacher rows belong."""
        return F.normalize(self.place(self._teacher[rows] - self.centre), dim=-1)

    def vectors(self, pixels: NDArray[np.uint8], side: int, batch: int = 128) -> Tensor:
        """Unit vectors (n, dim) of whole pictures, as they are resized in use (to about a pixel's rounding)."""
        mean, std = (torch.tensor(values, device=self.device)[:, None, None] for values in (MEAN, STD))
        found = []
        for at in range(0, len(pixels), batch):
            part = torch.from_numpy(np.ascontiguousarray(pixels[at : at + batch])).to(self.device)
            view = part.permute(0, 3, 1, 2).float() / 255
            view = F.interpolate(view, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
            found.append(
                F.normalize(self.tower(((view - mean) / std).contiguous(memory_format=torch.channels_last)), dim=-1)
            )
        return torch.cat(found)

    def _caption_loss(
        self, rng: np.random.Generator, of: dict[str, Tensor], rows: dict[str, NDArray[np.int64]],
        chosen: dict[str, list[int]], crops: Floats,
    ) -> Tensor:  # fmt: skip
        whole = np.flatnonzero(areas(crops) > 0.5)  # a caption does not fit a small part of a scene
        names = {"flickr8k_train": np.arange(len(rows["flickr8k_train"])), "streets": whole}
        own = [
            self._captions[name][rows[name][at]][chosen[name][at]] for name, places in names.items() for at in places
        ]
        more = self._bank[rng.integers(len(self._bank), size=BANK)]
        owners = np.array([*rows["flickr8k_train"], *[-2] * len(whole)])
        own_teacher, more_teacher = self._teacher[own], self._teacher[more[:, 0]]
        scenes = torch.from_numpy(owners == -2).to(self.device)  # what is said of one scene is true of many others
        same = (own_teacher @ own_teacher.T > ALIKE) | (scenes[:, None] & scenes[None, :])
        mine = torch.from_numpy(owners[:, None] == more[:, 1]).to(self.device)
        vectors = torch.cat([of["flickr8k_train"], of["streets"][whole]])
        return contrastive_loss(
            vectors, self.place(own_teacher - self.centre), scale=self.scales["caption"].exp().clamp(max=100),
            same=same, more_texts=self.place(more_teacher - self.centre),
            same_more=(own_teacher @ more_teacher.T > ALIKE) | mine,
        )  # fmt: skip

    def _class_loss(
        self, rng: np.random.Generator, name: str, vectors: Tensor, features: Tensor, rows: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        labels, prompts = self._classes[name]
        picked = [options[rng.integers(len(options))] for options in prompts]
        logits = vectors @ self.texts(picked).T * self.scales["class"].exp().clamp(max=100)
        target = torch.from_numpy(labels[rows]).to(self.device)
        plain = self.heads[CLASSES[name]](features)
        return F.cross_entropy(logits, target, label_smoothing=0.05), F.cross_entropy(
            plain, target, label_smoothing=0.05
        )

    def _question_loss(
        self, rng: np.random.Generator, vectors: Tensor, features: Tensor, rows: NDArray[np.int64], crops: Floats
    ) -> tuple[Tensor, Tensor]:
        picked = self._questions(rng, rows)
        words = self._teacher[self._words[picked]]
        logits = vectors @ F.normalize(self.place(words - self.centre), dim=-1).T * self.scales["question"].exp()
        logits = logits + self.offset(words - self.centre).T
        seen = self.scenes.seen(rows.tolist(), crops)
        loss = self._asked(logits, self.scenes.answers(self._needs[picked], seen))
        plain = self.heads["streets"](features)
        return loss, self._asked(plain, seen[:, : plain.shape[1]])

    def _asked(self, logits: Tensor, states: NDArray[np.float32]) -> Tensor:
        target, known = (torch.from_numpy(x).to(self.device) for x in (states, states != UNKNOWN))
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        found: Tensor = (loss * known).sum() / known.sum()
        return found

    def _questions(self, rng: np.random.Generator, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        aimed = [
            own[rng.integers(len(own))]
            for own in (self._answered[row] for row in rng.choice(rows, round(AIMED * QUESTIONS)))
            if len(own)
        ]
        others = rng.integers(len(self._words), size=QUESTIONS - len(aimed))
        return np.concatenate([np.array(aimed, np.int64), others])

    def _cell_loss(self, fine: Tensor, rows: NDArray[np.int64], crops: Floats, flips: NDArray[np.bool_]) -> Tensor:
        """Where things are: each cell of the fine grid says which boxes cover it. For training only."""
        height, width = fine.shape[2:]
        views = zip(rows, crops, flips, strict=True)
        labels = np.stack([self.scenes.cells(int(row), crop, flip, width, height) for row, crop, flip in views])
        logits = self.cells(fine.permute(0, 2, 3, 1))  # (n, height, width, located)
        weight = torch.tensor(5.0, device=self.device)
        return F.binary_cross_entropy_with_logits(logits, torch.from_numpy(labels).to(self.device), pos_weight=weight)

    def _draw(self, name: str, first: int, count: int) -> NDArray[np.int64]:
        """The pictures number `first` and following: every picture once before any comes twice."""
        n = len(self._pixels[name])
        places = np.arange(first, first + count)
        return np.array([self._order(name, int(at // n))[at % n] for at in places])

    def _order(self, name: str, epoch: int) -> NDArray[np.int64]:
        if (name, epoch) not in self._orders:
            self._orders = {key: order for key, order in self._orders.items() if key[0] != name or key[1] == epoch - 1}
            rng = np.random.default_rng([self._seed, SETS.index(name), epoch])
            self._orders[name, epoch] = rng.permutation(len(self._pixels[name]))
        return self._orders[name, epoch]

    def _view(
        self, rng: np.random.Generator, pixels: Tensor, crops: Floats, flips: NDArray[np.bool_], side: int
    ) -> Tensor:
        """uint8 (n, h, w, 3) -> normalised float (n, 3, side, side): crop, flip, other light and colours."""
        left, top, right, bottom = crops.T
        n = len(pixels)
        theta = np.zeros((n, 2, 3), np.float32)
        theta[:, 0, 0], theta[:, 0, 2] = (right - left) * np.where(flips, -1, 1), left + right - 1
        theta[:, 1, 1], theta[:, 1, 2] = bottom - top, top + bottom - 1
        fine = 2 if pixels.shape[1] > 1.3 * side else 1  # sample twice as fine, then average: no aliasing
        grid = F.affine_grid(
            torch.from_numpy(theta).to(self.device), [n, 3, side * fine, side * fine], align_corners=False
        )
        view = F.grid_sample(pixels.permute(0, 3, 1, 2).float() / 255, grid, padding_mode="border", align_corners=False)
        view = F.avg_pool2d(view, fine) if fine > 1 else view

        def drawn(low: float, high: float, channels: int = 1) -> Tensor:
            return torch.from_numpy(rng.uniform(low, high, (n, channels, 1, 1)).astype(np.float32)).to(self.device)

        view = (view - 0.45) * drawn(0.8, 1.2) + 0.45 + drawn(-0.06, 0.06)
        gray = view.mean(1, keepdim=True)
        view = gray + (view - gray) * drawn(0.8, 1.2) + drawn(-0.02, 0.02, 3)
        mean, std = (torch.tensor(values, device=self.device)[:, None, None] for values in (MEAN, STD))
        seen: Tensor = (view.clamp(0, 1) - mean) / std
        return seen


def _crops(rng: np.random.Generator, count: int, least: float) -> Floats:
    """(n, 4) left, top, right, bottom in [0, 1]: area from `least` to 1, one in four whole, aspect up to 4:3."""
    area, aspect = rng.uniform(least, 1.0, count), np.exp(rng.uniform(-0.15, 0.15, count))
    area, aspect = np.where(rng.random(count) < 0.25, 1.0, area), np.where(area > 0.95, 1.0, aspect)
    width, height = np.minimum(np.sqrt(area) * aspect, 1), np.minimum(np.sqrt(area) / aspect, 1)
    left, top = rng.random(count) * (1 - width), rng.random(count) * (1 - height)
    return np.stack([left, top, left + width, top + height], 1)


def _half_whitening(vectors: Tensor, dim: int) -> Tensor:
    """(dim, 384): the main axes of the texts, the strong ones damped, so that likenesses start spread out."""
    values, axes = torch.linalg.eigh(vectors.T @ vectors / len(vectors))
    whitening: Tensor = (axes[:, -dim:] * values[-dim:].clamp(min=1e-6) ** -0.25).T
    return whitening
