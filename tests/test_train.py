"""sightline.train: the loss by hand, the schedule, and an export that refuses to differ from torch."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from sightline.train import (
    ExportMismatch,
    check_parity,
    contrastive_loss,
    export_model_folder,
    export_onnx,
    learning_rate_share,
    store_as_half,
)

SIDE, CONTEXT, VOCAB, DIM = 8, 4, 11, 5
TURNED = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])  # cosines to the axes by eye: 1, 0 | 0, 1 | 0.6, 0.8


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Towers this small are slower on several threads, and beside other work far slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class TinyImageTower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.Linear(16, DIM)

    def forward(self, image: Tensor) -> Tensor:
        return self.out(self.norm(self.conv(image)).relu().mean((2, 3)))


class TinyTextTower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.out = nn.Embedding(VOCAB, 128), nn.Linear(128, DIM)

    def forward(self, text: Tensor) -> Tensor:
        return self.out(self.tokens(text).mean(1))


def test_loss_equals_the_value_worked_out_by_hand() -> None:
    images, texts = TURNED, torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.6, 0.8]])  # lengths must not matter
    logits = [[1.0, 0.0, 0.6], [0.0, 1.0, 0.8], [0.6, 0.8, 1.0]]  # symmetric: both directions are alike
    by_hand = sum(math.log(sum(math.exp(2 * x) for x in row)) - 2 * row[i] for i, row in enumerate(logits)) / 3
    assert contrastive_loss(images, texts, scale=2.0).item() == pytest.approx(by_hand, abs=1e-6)


def test_duplicates_are_not_negatives() -> None:
    images, texts = TURNED, TURNED
    same = torch.tensor([[True, False, True], [False, True, False], [True, False, True]])
    rows = [[1.0, 0.0], [0.0, 1.0, 0.8], [1.0, 0.8]]  # 0 and 2 no longer push each other away
    by_hand = sum(math.log(sum(map(math.exp, row))) - 1.0 for row in rows) / 3
    assert contrastive_loss(images, texts, scale=1.0, same=same).item() == pytest.approx(by_hand, abs=1e-6)


def test_a_pair_marked_as_its_own_duplicate_stays_a_pair() -> None:
    everything = torch.ones(3, 3, dtype=torch.bool)
    assert contrastive_loss(TURNED, TURNED, scale=5.0, same=everything).item() == pytest.approx(0.0, abs=1e-6)


def test_more_texts_push_the_images_only_and_not_when_they_fit() -> None:
    far, plain = torch.tensor([[1.0, 0.0]]), contrastive_loss(TURNED, TURNED, scale=1.0).item()
    more = contrastive_loss(TURNED, TURNED, scale=1.0, more_texts=far).item()
    fits = torch.ones(3, 1, dtype=torch.bool)
    assert more > plain
    assert contrastive_loss(TURNED, TURNED, scale=1.0, more_texts=far, same_more=fits).item() == pytest.approx(plain)


def test_learning_rate_rises_then_falls_to_the_floor() -> None:
    assert learning_rate_share(0.015) == pytest.approx(0.5)
    assert learning_rate_share(0.03) == pytest.approx(1.0)
    assert learning_rate_share(1.0) == pytest.approx(0.01)
    assert learning_rate_share(0.0) > 0


def test_exported_folder_holds_the_contract_and_agrees_with_torch(tmp_path: Path) -> None:
    image_tower, text_tower = TinyImageTower().eval(), TinyTextTower().eval()
    folder = tmp_path / "tiny"
    _export(folder, image_tower, text_tower)
    assert json.loads((folder / "config.json").read_text())["embed_dim"] == DIM
    assert json.loads((folder / "textual" / "tokenizer_config.json").read_text()) == {"pad_token": "[PAD]"}
    names = ["config.json", "model.json", "preprocess_cfg.json", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(file.name for file in folder.rglob("*.json")) == names
    assert sorted(file.parent.name for file in folder.rglob("*.onnx*")) == ["textual", "visual"]  # no external data
    images = np.random.default_rng(0).standard_normal((7, 3, SIDE, SIDE)).astype(np.float32)  # another n than the probe
    session = onnxruntime.InferenceSession(str(folder / "visual" / "model.onnx"))
    with torch.no_grad():
        expected = image_tower(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(session.run(None, {"image": images})[0], expected, atol=2e-3)  # stored as float16
    tokens = np.zeros((2, CONTEXT), np.int32)
    text_session = onnxruntime.InferenceSession(str(folder / "textual" / "model.onnx"))
    assert text_session.run(None, {"text": tokens})[0].shape == (2, DIM)


def test_export_refuses_a_mismatch_and_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tiny"
    _export(folder, TinyImageTower(), TinyTextTower())
    before = (folder / "visual" / "model.onnx").read_bytes()
    monkeypatch.setattr("sightline.train.store_as_half", _spoil)
    with pytest.raises(ExportMismatch, match=r"visual/model\.onnx: cosine to torch"):
        _export(folder, TinyImageTower(), TinyTextTower())
    assert (folder / "visual" / "model.onnx").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["tiny"]  # nothing half-written beside it


def test_stored_as_half_is_smaller_and_still_in_parity(tmp_path: Path) -> None:
    tower, file = nn.Linear(64, 64).eval(), tmp_path / "model.onnx"
    probe = torch.randn(3, 64)
    export_onnx(tower, file, "image", probe)
    whole = file.stat().st_size
    store_as_half(file)
    assert file.stat().st_size < 0.7 * whole
    assert 0.9999 < check_parity(tower, file, "image", probe) <= 1.0001


def test_importing_train_does_not_import_torch() -> None:
    code = "import sys, sightline.train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _export(folder: Path, image_tower: nn.Module, text_tower: nn.Module) -> None:
    config = {
        "embed_dim": DIM,
        "vision_cfg": {"image_size": SIDE},
        "text_cfg": {"context_length": CONTEXT, "vocab_size": VOCAB},
    }
    preprocess: dict[str, Any] = {"size": [SIDE, SIDE], "mean": [0.5] * 3, "std": [0.5] * 3}
    export_model_folder(
        folder,
        image_tower=image_tower,
        text_tower=text_tower,
        config=config,
        preprocess=preprocess,
        tokenizer_json="{}",
        pad_token="[PAD]",  # noqa: S106
        model={"name": "tiny"},
        half=True,
    )


def _spoil(file: Path) -> None:
    """Turns the graph's last bias around, as a wrong conversion would."""
    import onnx
    from onnx import numpy_helper

    graph_file = onnx.load(str(file))
    for weight in graph_file.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32:
            weight.CopyFrom(numpy_helper.from_array(-values[::-1].copy() + 1, weight.name))
    onnx.save(graph_file, str(file))


def test_an_export_holds_no_path_of_the_machine_that_made_it(tmp_path: Path) -> None:
    tower = nn.Linear(3, 2)
    export_onnx(tower, tmp_path / "model.onnx", "image", torch.zeros(2, 3))
    assert str(Path(__file__).parents[1]).encode() not in (tmp_path / "model.onnx").read_bytes()
    assert check_parity(tower, tmp_path / "model.onnx", "image", torch.ones(2, 3)) > 0.9999
