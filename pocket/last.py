"""The last layer once more, on features that no longer change: what the tower knows, put where the sentences point.

A step of the long course sees 44 street scenes, too few to settle 200,000 weights that all questions share. Here the
tower is frozen and every picture is looked at a few times for good; a step then costs a product of matrices, and takes
hundreds of pictures and questions (docs/LOG.md: precision@5 of held-out scenes 0.53 -> 0.71).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pocket.batches import LEAST_CROP, Batch, crops
from pocket.data import SETS
from pocket.images import DROPPED, ImageStage
from pocket.scenes import Floats

VIEWS = {"flickr8k_train": 2, "streets": 5, "tiny_imagenet_32k": 1, "caltech101_80": 1}
"""How often each picture is looked at: once whole, then through crops, every second of them mirrored."""
COUNTS = {"flickr8k_train": 256, "streets": 256, "tiny_imagenet_32k": 320, "caltech101_80": 64}
"""Pictures of each set in a step."""
QUESTIONS = 512
WEIGHTS = {
    "caption": 1.0, "tiny": 1.0, "caltech": 0.2, "questions": 24.0, "attributes": 12.0, "first": 0.5, "named": 12.0,
    "map": 2.0,
}  # fmt: skip
SHARPNESS = 60.0
"""By which cosines to questions are multiplied at first. The long course keeps to 10 to 30; sharper, what comes first
counts for more (docs/LOG.md).
"""
LOOKED_AT = 64
"""Pictures that go through the tower together."""


class LastLayer(nn.Module):
    """Trains `stage`'s last layer, its map from sentences, its facts and scales; `store` afterwards puts them into it.

    The features (of pictures at `side` pixels) are kept in `folder` as float16, one file a set.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, stage: ImageStage, side: int, folder: Path, *, say: Callable[[str], None]) -> None:
        super().__init__()
        self._stage = [stage]  # in a list: its tower is no part of this module
        self._crops = {name: _crops(name, stage.batches.sizes[name]) for name in SETS}
        self._features = {name: _looked(stage, name, self._crops[name], side, folder, say) for name in SETS}
        seen = torch.cat([own.reshape(-1, stage.tower.width)[::7].float() for own in self._features.values()])
        self.register_buffer("mean", seen.mean(0))
        self.register_buffer("spread", seen.std(0) + 1e-3)
        self.out = nn.Linear(stage.tower.width, stage.tower.out.out_features)
        with torch.no_grad():  # the same function, of features that are even
            self.out.weight.copy_(stage.tower.out.weight * self.spread)
            self.out.bias.copy_(stage.tower.out.bias + stage.tower.out.weight @ self.mean)
        self.place, self.facts, self.seldom, self.scales = stage.place, stage.facts, stage.seldom, stage.scales
        with torch.no_grad():
            self.scales["question"].fill_(math.log(SHARPNESS))
        self.dropout = nn.Dropout(DROPPED)
        self.to(stage.device)

    def loss(self, step: int) -> Tensor:
        stage = self._stage[0]
        rng = stage.batches.rng(step)
        counts = {name: min(count, len(self._features[name])) for name, count in COUNTS.items()}
        batch = stage.batches.draw(rng, step, counts)
        vectors = {name: self.out(self.dropout(self._drawn(rng, batch, name))) for name in SETS}
        return stage.weighed(stage.losses(rng, batch, vectors, QUESTIONS), WEIGHTS)

    def store(self) -> None:
        """Puts what was learnt into the stage: its vectors and texts are this module's from now on."""
        out = self._stage[0].tower.out
        with torch.no_grad():
            out.weight.copy_(self.out.weight / self.spread)
            out.bias.copy_(self.out.bias - out.weight @ self.mean)

    def _drawn(self, rng: np.random.Generator, batch: Batch, name: str) -> Tensor:
        """The features of one look at each picture of the batch; tells the batch which crop it was."""
        rows = batch.rows[name]
        look = rng.integers(VIEWS[name], size=len(rows))
        if name == "streets":
            look[batch.sided & (look % 2 == 1)] = 0  # its caption would not fit a mirrored scene
        batch.crops[name] = self._crops[name][rows, look]
        features = self._features[name][rows, look].to(self._stage[0].device).float()
        even: Tensor = (features - self.mean) / self.spread
        return even


@torch.no_grad()
def _looked(stage: ImageStage, name: str, crops: Floats, side: int, folder: Path, say: Callable[[str], None]) -> Tensor:
    """(pictures, looks, width) float16: what the frozen tower pools of every picture of the set."""
    file = folder / f"{name}-{side}.npy"
    if not file.exists():
        count, looks = crops.shape[:2]
        found = np.empty((count, looks, stage.tower.width), np.float16)
        for look in range(looks):
            say(f"look {look + 1} of {looks} at {count:,} of {name}, {side} pixels")
            for start in range(0, count, LOOKED_AT):
                rows = np.arange(start, min(start + LOOKED_AT, count))
                mirrored = np.full(len(rows), look % 2 == 1)
                found[rows, look] = stage.look(name, rows, crops[rows, look], mirrored, side).cpu().numpy()
        folder.mkdir(parents=True, exist_ok=True)
        np.save(file, found)
    return torch.from_numpy(np.load(file))


def _crops(name: str, count: int) -> Floats:
    """(count, looks, 4): look number 0 is at whole pictures."""
    whole = np.tile([0.0, 0.0, 1.0, 1.0], (count, 1))
    others = [
        crops(np.random.default_rng([SETS.index(name), look]), count, LEAST_CROP[name])
        for look in range(1, VIEWS[name])
    ]
    return np.stack([whole, *others], 1)
