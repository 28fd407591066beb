"""Stage 2: the image tower, against the teacher's text vectors seen through one learnt linear map.

Three losses over one mixed batch: captions (InfoNCE), class names (softmax over prompts) and what a street scene
shows (one yes-or-no question an attribute, so that a hydrant of 20 pixels counts as much as the sky).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from data import Pictures, class_words
from numpy.typing import NDArray
from teacher import TEACHER_DIM, Teacher
from texts import Texts
from torch import Tensor, nn
from torch.nn import functional as F
from towers import ImageTower
from words import street_attributes

from sightline.train import contrastive_loss

Floats = NDArray[np.float64 | np.float32]
BATCH = {"flickr8k_train": 24, "streets": 22, "tiny_imagenet_32k": 13, "caltech101_80": 5}
HEADS = 0.5  # weight of the plain classifiers on the tower's features: they learn faster than the text vectors
LEAST_CROP = {"flickr8k_train": 0.5, "streets": 0.2, "tiny_imagenet_32k": 0.6, "caltech101_80": 0.5}  # share of area
BANK = 2048  # captions of other pictures that serve as further negatives
UNBOXED = ("crosswalk", "palm", "cactus", "tree")  # of these the scenes record an area, not a box
ALIKE = 0.85  # captions whose teacher vectors are closer than this are not negatives of each other


class ImageStage(nn.Module):
    mean, std = (0.45, 0.44, 0.42), (0.26, 0.26, 0.27)
    centre: Tensor  # (384,) the mean of the teacher's vectors

    def __init__(self, sets: dict[str, Pictures], texts: Texts, teacher: Teacher, *, dim: int, seed: int) -> None:
        super().__init__()
        self.tower = ImageTower(dim)
        self.tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.project = nn.Linear(TEACHER_DIM, dim, bias=False)
        self._teacher = torch.from_numpy(teacher.vectors)
        self.register_buffer("centre", self._teacher.mean(0))
        with torch.no_grad():
            self.project.weight.copy_(_half_whitening(self._teacher - self.centre, dim))
        counts = {
            "tiny": len(texts.classes["tiny"]),
            "caltech": len(texts.classes["caltech"]),
            "streets": len(texts.attributes),
        }
        self.heads = nn.ModuleDict({name: nn.Linear(self.tower.width, count) for name, count in counts.items()})
        self.caption_scale = nn.Parameter(torch.tensor(14.0).log())
        self.class_scale = nn.Parameter(torch.tensor(14.0).log())
        self.attribute_scale = nn.Parameter(torch.tensor(10.0).log())
        self.attribute_bias = nn.Parameter(torch.full((len(texts.attributes),), -2.0))
        self.cells = nn.Linear(self.tower.fine_width, len(texts.attributes))
        nn.init.constant_(self.cells.bias, -3.0)
        self._random = np.random.default_rng(seed)
        self._pixels = {
            name: torch.from_numpy(np.ascontiguousarray(pictures.pixels)) for name, pictures in sets.items()
        }
        self._captions = {
            name: [teacher.rows(c) for c in sets[name].captions] for name in ("flickr8k_train", "streets")
        }
        self._sided = [["left" in c or "right" in c for c in captions] for captions in sets["streets"].captions]
        bank = [(row, owner) for owner, rows in enumerate(self._captions["flickr8k_train"]) for row in rows]
        bank += [(row, -1) for rows in self._captions["streets"] for row in rows]
        self._bank = np.array(bank)
        self._classes = {}
        for name, short in (("tiny_imagenet_32k", "tiny"), ("caltech101_80", "caltech")):
            index = {word: number for number, word in enumerate(texts.classes[short])}
            labels = np.array([index[class_words(captions)[0]] for captions in sets[name].captions])
            self._classes[name] = (labels, [teacher.rows(prompts) for prompts in texts.classes[short].values()])
        self._phrases = [teacher.rows(phrases) for phrases in texts.attributes.values()]
        self._scenes = [_Scene(record, list(texts.attributes)) for record in sets["streets"].scenes]
        self._boxed = sorted({attribute for scene in self._scenes for attribute in scene.boxes})
        self._order: dict[str, list[int]] = {name: [] for name in BATCH}
        self._running: dict[str, float] = {}

    def loss(self, share: float, sizes: list[tuple[float, int]]) -> Tensor:
        """One mixed batch at the side that `sizes` plans for this share of the training."""
        side = [side for start, side in sizes if share >= start][-1]
        rows = {name: self._draw(name, count) for name, count in BATCH.items()}
        pixels, crops, flips = [], {}, {}
        chosen = self._choose_captions(rows)
        for name, picked in rows.items():
            crops[name] = self._crops(len(picked), LEAST_CROP[name])
            flips[name] = self._random.random(len(picked)) < 0.5
            if name == "streets":
                flips[name] &= ~np.array([self._sided[row][at] for row, at in zip(picked, chosen[name], strict=True)])
            pixels.append(self._view(self._pixels[name][picked], crops[name], flips[name], side))
        counts = list(BATCH.values())
        features, fine = self.tower.features(torch.cat(pixels).contiguous(memory_format=torch.channels_last))
        flickr, streets, tiny, caltech = torch.split(F.normalize(self.tower.out(features), dim=-1), counts)
        fine_streets = fine[counts[0] : counts[0] + counts[1]]
        _, plain_streets, plain_tiny, plain_caltech = torch.split(features, counts)
        whole = np.flatnonzero(_areas(crops["streets"]) > 0.5)  # a caption does not fit a small part of a scene
        captioned = {**rows, "streets": [rows["streets"][at] for at in whole]}
        chosen["streets"] = [chosen["streets"][at] for at in whole]
        parts = {
            "caption": self._caption_loss(torch.cat([flickr, streets[whole]]), captioned, chosen),
            "tiny": self._class_loss("tiny_imagenet_32k", tiny, plain_tiny, rows["tiny_imagenet_32k"]),
            "caltech": 0.3 * self._class_loss("caltech101_80", caltech, plain_caltech, rows["caltech101_80"]),
            "streets": 5.0 * self._attribute_loss(streets, plain_streets, rows["streets"], crops["streets"]),
        }
        parts["cells"] = 10.0 * self._cell_loss(fine_streets, rows["streets"], crops["streets"], flips["streets"])
        for name, value in ((name, float(part.detach())) for name, part in parts.items()):
            self._running[name] = 0.95 * self._running.get(name, value) + 0.05 * value
        return torch.stack(list(parts.values())).sum()

    def report(self) -> str:
        return " ".join(f"{name} {value:.2f}" for name, value in self._running.items())

    def text_targets(self, rows: Tensor) -> Tensor:
        """Unit vectors (n, dim) where the texts of these teacher rows belong."""
        return F.normalize(self._place(self._teacher[rows]), dim=-1)

    def _place(self, teacher: Tensor) -> Tensor:
        placed: Tensor = self.project(teacher - self.centre)
        return placed

    def _caption_loss(self, vectors: Tensor, rows: dict[str, list[int]], chosen: dict[str, list[int]]) -> Tensor:
        own = [
            self._captions[name][row][at]
            for name in ("flickr8k_train", "streets")
            for row, at in zip(rows[name], chosen[name], strict=True)
        ]
        more = self._bank[self._random.integers(len(self._bank), size=BANK)]
        own_teacher, more_teacher = self._teacher[own], self._teacher[more[:, 0]]
        owners = torch.tensor(rows["flickr8k_train"] + [-2] * len(rows["streets"]))
        return contrastive_loss(
            vectors, self._place(own_teacher), scale=self.caption_scale.exp().clamp(max=100),
            same=own_teacher @ own_teacher.T > ALIKE, more_texts=self._place(more_teacher),
            same_more=(own_teacher @ more_teacher.T > ALIKE) | (owners[:, None] == torch.from_numpy(more[:, 1])),
        )  # fmt: skip

    def _class_loss(self, name: str, vectors: Tensor, features: Tensor, rows: list[int]) -> Tensor:
        labels, prompts = self._classes[name]
        picked = torch.tensor([options[self._random.integers(len(options))] for options in prompts])
        logits = vectors @ self.text_targets(picked).T * self.class_scale.exp().clamp(max=100)
        target, plain = torch.from_numpy(labels[rows]), self.heads[name.split("_")[0].rstrip("10")](features)
        return F.cross_entropy(logits, target, label_smoothing=0.05) + HEADS * F.cross_entropy(plain, target)

    def _attribute_loss(self, vectors: Tensor, features: Tensor, rows: list[int], crops: Floats) -> Tensor:
        first = self._random.random(len(self._phrases)) < 0.4
        picked = torch.tensor(
            [p[0] if f else p[self._random.integers(len(p))] for p, f in zip(self._phrases, first, strict=True)]
        )
        logits = vectors @ self.text_targets(picked).T * self.attribute_scale.exp() + self.attribute_bias
        labels = np.stack([self._scenes[row].labels(crop) for row, crop in zip(rows, crops, strict=True)])
        known = torch.from_numpy(labels >= 0)
        target, plain = torch.from_numpy(labels.clip(0)), self.heads["streets"](features)
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        loss = loss + HEADS * F.binary_cross_entropy_with_logits(plain, target, reduction="none")
        return (loss * known).sum() / known.sum()

    def _cell_loss(self, fine: Tensor, rows: list[int], crops: Floats, flips: NDArray[np.bool_]) -> Tensor:
        """Where things are: each cell of the fine grid says which boxes cover it. For training only."""
        side = fine.shape[-1]
        scenes = [self._scenes[row] for row in rows]
        labels = np.stack([s.cells(crop, flip, side) for s, crop, flip in zip(scenes, crops, flips, strict=True)])
        logits = self.cells(fine.permute(0, 2, 3, 1))[..., self._boxed]  # (n, side, side, boxed attributes)
        target = torch.from_numpy(labels)[..., self._boxed]
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=torch.tensor(5.0))

    def _draw(self, name: str, count: int) -> list[int]:
        """`count` rows, every picture once before any comes twice."""
        while len(self._order[name]) < count:
            self._order[name] += self._random.permutation(len(self._pixels[name])).tolist()
        picked, self._order[name] = self._order[name][:count], self._order[name][count:]
        return picked

    def _choose_captions(self, rows: dict[str, list[int]]) -> dict[str, list[int]]:
        return {
            name: [int(self._random.integers(len(self._captions[name][row]))) for row in rows[name]]
            for name in ("flickr8k_train", "streets")
        }

    def _crops(self, count: int, least: float) -> Floats:
        """(n, 4) left, top, right, bottom in [0, 1]; area from `least` to 1, aspect up to 4:3 either way."""
        area, aspect = self._random.uniform(least, 1.0, count), np.exp(self._random.uniform(-0.15, 0.15, count))
        width, height = np.minimum(np.sqrt(area) * aspect, 1), np.minimum(np.sqrt(area) / aspect, 1)
        left, top = self._random.random(count) * (1 - width), self._random.random(count) * (1 - height)
        return np.stack([left, top, left + width, top + height], 1)

    def _view(self, pixels: Tensor, crops: Floats, flips: NDArray[np.bool_], side: int) -> Tensor:
        """uint8 (n, h, w, 3) -> normalised float (n, 3, side, side): crop, flip, a little other light."""
        left, top, right, bottom = crops.T
        theta = np.zeros((len(pixels), 2, 3), np.float32)
        theta[:, 0, 0], theta[:, 0, 2] = (right - left) * np.where(flips, -1, 1), left + right - 1
        theta[:, 1, 1], theta[:, 1, 2] = bottom - top, top + bottom - 1
        fine = 2 if pixels.shape[1] > 1.3 * side else 1  # sample twice as fine, then average: no aliasing
        grid = F.affine_grid(torch.from_numpy(theta), [len(pixels), 3, side * fine, side * fine], align_corners=False)
        view = F.grid_sample(pixels.permute(0, 3, 1, 2).float() / 255, grid, padding_mode="border", align_corners=False)
        view = F.avg_pool2d(view, fine) if fine > 1 else view
        gain = torch.from_numpy(self._random.uniform(0.85, 1.15, (len(pixels), 1, 1, 1)).astype(np.float32))
        shift = torch.from_numpy(self._random.uniform(-0.05, 0.05, (len(pixels), 1, 1, 1)).astype(np.float32))
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        seen: Tensor = ((view * gain + shift).clamp(0, 1) - mean) / std
        return seen


def _half_whitening(vectors: Tensor, dim: int) -> Tensor:
    """(dim, 384): the main axes of the texts, the strong ones damped, so that likenesses start spread out."""
    values, axes = torch.linalg.eigh(vectors.T @ vectors / len(vectors))
    whitening: Tensor = (axes[:, -dim:] * values[-dim:].clamp(min=1e-6) ** -0.25).T
    return whitening


class _Scene:
    """Which attributes a street scene has, and where the boxes of those are that can fall outside a crop."""

    def __init__(self, record: dict[str, Any], attributes: list[str]) -> None:
        true = street_attributes(record)
        self._whole = np.array([name in true for name in attributes], np.float32)
        self._unboxed = [attributes.index(name) for name in UNBOXED if name in attributes]
        self.boxes: dict[int, list[list[float]]] = {}
        for entity in record["entities"]:
            names = [entity["tag"], f"{entity.get('colour_name')} {entity['tag']}"]
            for name in names:
                if name in attributes:
                    self.boxes.setdefault(attributes.index(name), []).append(entity["box"])

    def labels(self, crop: Floats) -> Floats:
        """float32 (attributes,): 1 true, 0 false, -1 not to be asked because the crop cuts it off."""
        labels = self._whole.copy()
        if _areas(crop) < 0.6:
            labels[self._unboxed] = -1
        for attribute, boxes in self.boxes.items():
            if max(_inside(box, crop) for box in boxes) < 0.6:
                labels[attribute] = -1
        return labels

    def cells(self, crop: Floats, flip: bool, side: int) -> NDArray[np.float32]:
        """float32 (side, side, attributes): 1 where at least a third of the cell, or of the box, is covered."""
        labels = np.zeros((side, side, len(self._whole)), np.float32)
        size = np.array([crop[2] - crop[0], crop[3] - crop[1]])
        low = np.arange(side) / side
        for attribute, boxes in self.boxes.items():
            for box in boxes:
                left, top, right, bottom = (np.array(box) - np.tile(crop[:2], 2)) / np.tile(size, 2) * side
                if flip:
                    left, right = side - right, side - left
                across = np.clip(np.minimum(right, low * side + 1) - np.maximum(left, low * side), 0, 1)
                down = np.clip(np.minimum(bottom, low * side + 1) - np.maximum(top, low * side), 0, 1)
                covered = down[:, None] * across[None, :]
                enough = covered > min(1.0, (right - left) * (bottom - top)) / 3
                labels[:, :, attribute][enough & (covered > 0)] = 1
        return labels


def _areas(crops: Floats) -> Floats:
    """Share of the picture's area, (...) from (..., 4)."""
    areas: Floats = (crops[..., 2] - crops[..., 0]) * (crops[..., 3] - crops[..., 1])
    return areas


def _inside(box: list[float], crop: Floats) -> float:
    """Share of the box's area that lies in the crop."""
    width = min(box[2], crop[2]) - max(box[0], crop[0])
    height = min(box[3], crop[3]) - max(box[1], crop[1])
    share: float = max(width, 0) * max(height, 0) / max((box[2] - box[0]) * (box[3] - box[1]), 1e-9)
    return share
