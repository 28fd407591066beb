"""Checkpoint folders of transformers as `save_pretrained` leaves them, tiny and random, and pictures worth learning."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from model_folders import END, SIGLIP_END, clip_model, clip_tokenizer, siglip_model, siglip_tokenizer
from PIL import Image

from sightline.schema import Item
from sightline.sources import open_source

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 1}
TINY_CLIP: dict[str, Any] = {
    "text_config": {**SMALL, "projection_dim": 24},
    "vision_config": {**SMALL, "image_size": 32, "patch_size": 16, "projection_dim": 24},
    "projection_dim": 24,
}
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 50, 220), "yellow": (220, 210, 30)}


def clip_checkpoint(folder: Path) -> Path:
    tokenizer = clip_tokenizer(vocabulary=600)
    clip_model(TINY_CLIP, tokenizer).save_pretrained(folder)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
    return _beside(folder, tokenizer, END, {**size, "resample": 3})


def siglip_checkpoint(folder: Path) -> Path:
    tokenizer = siglip_tokenizer()
    siglip_model(tokenizer).save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    size = {"size": {"height": 32, "width": 32}, "image_mean": half, "image_std": half, "resample": 2}
    return _beside(folder, tokenizer, SIGLIP_END, size)


def fixed(folder: Path) -> list[Item]:
    """The folder's items under uris that do not depend on where it lies: parts and order are the same everywhere."""
    items = [item for item in open_source(folder) if isinstance(item, Item)]
    return [replace(item, uri=f"halves:{item.name[-7:]}") for item in items]


def _beside(folder: Path, tokenizer: Any, pad: str, preprocess: dict[str, Any]) -> Path:
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": pad}}))
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocess))
    return folder


def halves(folder: Path, n: int = 100, *, seed: int = 0) -> Path:
    """`n` pictures whose left and right half have colours, and captions that say so in two ways."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rows = ["file,caption"]
    for at in range(n):
        left, right = rng.choice(list(COLOURS), 2)
        pixels = np.zeros((32, 32, 3), np.int64)
        pixels[:, :16], pixels[:, 16:] = COLOURS[left], COLOURS[right]
        noisy = np.clip(pixels + rng.integers(-20, 20, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{at:03}.png")
        rows += [f"{at:03}.png,{left} beside {right}", f'{at:03}.png,"{left} on the left, {right} on the right"']
    (folder / "captions.csv").write_text("\n".join(rows))
    return folder
