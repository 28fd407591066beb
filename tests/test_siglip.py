"""A SigLIP of the true architecture, from a hub into a collection: its vectors are transformers' own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from model_folders import SIGLIP_CONTEXT, siglip_folder, siglip_model, siglip_tokenizer
from pictures import colours
from stub_hub import Hub

import sightline
from sightline.config import Settings
from sightline.encoders import fetch_model, load_encoder

TEXTS = ["A Road, with a STOP sign!", "two dogs", "", "a very long text " * 20]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_folder(tmp_path_factory.mktemp("models") / "ViT-tiny-SigLIP__random")


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_its_vectors_are_those_of_transformers(folder: Path, runtime: str) -> None:
    encoder = load_encoder(folder, models_dir=folder.parent, runtime=runtime)
    model = siglip_model(siglip_tokenizer())
    ids, _ = encoder.tokenize(TEXTS)
    assert ids.shape == (len(TEXTS), SIGLIP_CONTEXT)
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    with torch.no_grad():
        texts = model.get_text_features(input_ids=torch.from_numpy(ids)).pooler_output.numpy()
        scaled = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
        images = model.get_image_features(pixel_values=scaled).pooler_output.numpy()
    for expected, got in ((texts, encoder.encode_text(TEXTS)), (images, encoder.encode_prepared(list(pixels)))):
        unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
        assert (unit * got).sum(axis=1).min() >= 0.9999


def test_case_and_punctuation_do_not_count(folder: Path) -> None:
    encoder = load_encoder(folder, models_dir=folder.parent)
    one, other = encoder.encode_text(["A Road, with a STOP sign!", "a road with a stop sign"])
    assert np.array_equal(one, other)


def test_it_is_fetched_from_a_hub_and_fills_a_collection(folder: Path, tmp_path: Path, hub: Hub) -> None:
    hub.add("models", f"immich-app/{folder.name}", folder, licence="apache-2.0")
    settings = Settings(cache=tmp_path / "cache")
    fetch_model(folder.name, settings.models_dir)
    collection = sightline.open(f"{tmp_path}/t", model=folder.name, settings=settings)
    assert collection.ingest(colours(tmp_path / "pictures")).added == 4
    assert collection.info().dim == 32
    assert len(collection.search("a red square", k=4, channels=("vector",))) == 4
