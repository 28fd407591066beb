"""Model folders of true architectures with random weights, for measuring speed without a download.

Speed and parity do not depend on the weights' values; quality does, so nothing here says anything about recall.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from model_folders import clip_folder, clip_model, clip_tokenizer

# transformers' defaults are those of openai/clip-vit-base-patch32
VIT_B_32: dict[str, Any] = {"text_config": {"vocab_size": 49_408}, "projection_dim": 512}
VIT_L_14: dict[str, Any] = {
    "text_config": {
        "vocab_size": 49_408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "projection_dim": 768,
    },
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "projection_dim": 768,
    },
    "projection_dim": 768,
}
ARCHITECTURES = {"ViT-B-32": VIT_B_32, "ViT-L-14": VIT_L_14}


def random_folder(name: str, cache: Path) -> Path:
    """The model folder of an architecture, exported on first use (a minute and 600 MB for ViT-B-32)."""
    folder = cache / f"{name}__random"
    return folder if (folder / "model.json").exists() else clip_folder(folder, ARCHITECTURES[name])


def random_torch(name: str) -> Any:
    """The same weights as transformers' CLIPModel."""
    return clip_model(ARCHITECTURES[name], clip_tokenizer())
