"""Training, whole: tiny CLIP and SigLIP of the true architectures through every method, kills, honesty, bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_bases import clip_checkpoint, fixed, halves, siglip_checkpoint

import sightline
from sightline import checkpoints
from sightline.bases import open_base, sides
from sightline.cli import main
from sightline.config import Settings
from sightline.encoders import load_encoder
from sightline.errors import CorruptModel, ModelError, SourceError, UsageError
from sightline.sources import open_source
from sightline.tune import Options, Tuned, tune

QUICK = Options(epochs=3, batch_size=16, learning_rate=2e-3, threads=1, held_out=0.3, rank=2)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return halves(tmp_path_factory.mktemp("photos") / "halves")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_checkpoint(tmp_path_factory.mktemp("bases") / "tiny-clip")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("bases") / "tiny-siglip")


def trained(base: Path, photos: Path, out: Path, **options: Any) -> Tuned:
    return tune(open_source(fixed(photos)), base, out, replace(QUICK, **options))


@pytest.fixture
def encoder_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are what a test looks at: the export, which takes seconds, writes nothing."""
    monkeypatch.setattr("sightline.tune._export", lambda *_: 1.0)
    monkeypatch.setattr("sightline.tune._publish", lambda *_: None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_model_folder_comes_out_that_opens_and_is_torchs_own(
    kind: str, method: str, request: pytest.FixtureRequest, photos: Path, tmp_path: Path
) -> None:
    base: Path = request.getfixturevalue(kind)
    done = trained(base, photos, tmp_path / "mine", method=method)
    assert done.parity >= 0.9999
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]  # nothing of the run is left beside it
    facts = json.loads((tmp_path / "mine" / "model.json").read_text())
    assert facts["training"]["options"]["method"] == method
    assert facts["quality"]["verdict"] == done.verdict
    assert facts["training"]["pictures"] == {"train": 59, "choose": 17, "judge": 24}
    rows = [json.loads(row) for row in (tmp_path / "mine" / "training" / "curves.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if "epoch" in row] == list(range(1, done.learnt.epochs + 1))
    assert (tmp_path / "mine" / "training" / "curves.png").read_bytes()[:4] == b"\x89PNG"

    encoder = load_encoder(tmp_path / "mine", models_dir=tmp_path)
    collection = sightline.open(f"{tmp_path}/t", model=encoder, settings=Settings(cache=tmp_path / "cache"))
    assert collection.ingest(photos).added == 100
    assert not np.allclose(
        encoder.encode_text(["red beside blue"]), _base_text(base, tmp_path / "scratch", "red beside blue"), atol=1e-3
    )
    head = collection.train_head(tmp_path / "head", QUICK)
    assert head.parity >= 0.9999
    assert load_encoder(tmp_path / "head", models_dir=tmp_path).encode_text(["x"]).shape == (1, encoder.dim)


def _base_text(base: Path, scratch: Path, text: str) -> np.ndarray:
    opened = open_base(base, scratch)
    ids, _ = opened.encoder.tokenize([text])
    with torch.no_grad():
        vectors = sides(opened.model)[1](torch.from_numpy(ids))
    return torch.nn.functional.normalize(vectors, dim=-1).numpy()


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.usefixtures("encoder_only")
def test_the_loss_falls(kind: str, method: str, request: pytest.FixtureRequest, photos: Path, tmp_path: Path) -> None:
    base = request.getfixturevalue(kind)
    done = trained(base, photos, tmp_path / "mine", method=method, epochs=8, patience=8, learning_rate=5e-3)
    losses = [row["loss"] for row in done.learnt.curves if "epoch" in row]
    assert losses[-1] < 0.99 * losses[0]
    assert done.learnt.epochs == 8


@pytest.mark.usefixtures("encoder_only")
def test_a_large_batch_in_chunks_learns_what_the_whole_batch_learns(clip: Path, photos: Path, tmp_path: Path) -> None:
    whole = trained(clip, photos, tmp_path / "whole", method="full", batch_size=40)
    chunks = trained(clip, photos, tmp_path / "chunks", method="full", batch_size=40, chunk=7)
    assert [row["loss"] for row in whole.learnt.curves] == pytest.approx(
        [row["loss"] for row in chunks.learnt.curves], rel=1e-3
    )


@pytest.mark.usefixtures("encoder_only")
def test_bfloat16_is_used_where_it_is_asked_for(clip: Path, photos: Path, tmp_path: Path) -> None:
    done = trained(clip, photos, tmp_path / "mine", method="full", precision="bf16")
    assert done.precision == "bf16"
    weights = checkpoints.read(tmp_path / "mine.train" / "checkpoint.safetensors").tensors
    assert {tensor.dtype for name, tensor in weights.items() if name.startswith("weight/")} == {torch.float32}


@pytest.mark.usefixtures("encoder_only")
def test_a_run_without_progress_stops_early_and_keeps_its_best_epoch(clip: Path, photos: Path, tmp_path: Path) -> None:
    done = trained(clip, photos, tmp_path / "mine", method="full", epochs=50, patience=2, learning_rate=1e-9)
    assert done.learnt.stopped_early
    assert done.learnt.epochs == done.learnt.best_epoch + 2
    assert done.verdict == "no difference seen"
    assert "NOT better" in done.sentence


# ---- kills ----------------------------------------------------------------------------------------------------

RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv.pop(1))
from tiny_bases import fixed
from sightline import tune as flow
from sightline.sources import open_source
flow._export = lambda *_: 1.0
flow._publish = lambda *_: None
base, photos, out, method, slow = sys.argv[1:]
if slow == "slow":
    import sightline.epochs as epochs, time
    real = epochs._step
    def step(*given):
        time.sleep(0.1)
        return real(*given)
    epochs._step = step
options = flow.Options(method=method, epochs=3, batch_size=8, learning_rate=2e-3, threads=1, held_out=0.3, rank=2,
                       checkpoint_seconds=0.0, patience=3)
done = flow.tune(open_source(fixed(Path(photos))), Path(base), Path(out), options)
print(done.learnt.resumed)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_killed_run_goes_on_to_the_very_same_weights(method: str, clip: Path, photos: Path, tmp_path: Path) -> None:
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    assert _finish(clip, photos, unbroken, method) == "None"
    process = subprocess.Popen(_command(clip, photos, killed, method, "slow"), stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed.train" / "checkpoint.safetensors"
    deadline = time.monotonic() + 120
    while not (checkpoint.exists() and checkpoints.read(checkpoint).state["epoch"] == 1):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not checkpoints.read(checkpoint).state["done"]
    assert _finish(clip, photos, killed, method) == "2"
    ends = [checkpoints.read(Path(f"{out}.train") / "checkpoint.safetensors") for out in (unbroken, killed)]
    assert ends[0].state == ends[1].state
    assert ends[0].tensors.keys() == ends[1].tensors.keys()
    assert all(torch.equal(ends[0].tensors[name], ends[1].tensors[name]) for name in ends[0].tensors)


def _command(base: Path, photos: Path, out: Path, method: str, slow: str) -> list[str]:
    return [sys.executable, "-c", RUN, str(Path(__file__).parent), str(base), str(photos), str(out), method, slow]


def _finish(base: Path, photos: Path, out: Path, method: str) -> str:
    done = subprocess.run(_command(base, photos, out, method, ""), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.usefixtures("encoder_only")
def test_a_stopped_run_is_not_mixed_with_another(clip: Path, photos: Path, tmp_path: Path) -> None:
    trained(clip, photos, tmp_path / "mine", method="full")  # its folder stays: nothing was published
    with pytest.raises(UsageError, match=r"other settings: seed 0, now 1") as caught:
        trained(clip, photos, tmp_path / "mine", method="full", seed=1)
    assert "--restart" in caught.value.hint
    again = trained(clip, photos, tmp_path / "mine", method="full", seed=1, restart=True)
    assert again.learnt.resumed is None
    with (photos / "captions.csv").open("a") as file:
        file.write("\n000.png,a line that is new")
    with pytest.raises(UsageError, match="not those that the stopped run"):
        trained(clip, photos, tmp_path / "mine", method="full", seed=1)


# ---- bad input ------------------------------------------------------------------------------------------------


def test_bad_input_is_said_in_one_line(clip: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="method 'magic' is unknown"):
        trained(clip, photos, tmp_path / "mine", method="magic")
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="is there already"):
        trained(clip, photos, tmp_path / "taken", method="full")
    bare = halves(tmp_path / "bare", 6)
    with pytest.raises(SourceError, match="6 pictures with captions are too few"):
        trained(clip, bare, tmp_path / "mine", method="full")
    (bare / "captions.csv").unlink()
    with pytest.raises(SourceError, match="none of 6 pictures has a caption"):
        trained(clip, bare, tmp_path / "mine", method="full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare", "taken"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_base_of_graphs_alone_is_told_which_method_fits(method: str, photos: Path, tmp_path: Path) -> None:
    pocket = Path(sightline.__file__).parent / "encoders" / "pocket"
    with pytest.raises(ModelError, match="ONNX graphs and no torch weights") as caught:
        trained(pocket, photos, tmp_path / "mine", method=method)
    assert "--method head fits" in caught.value.hint


def test_a_base_that_is_not_whole_is_named(clip: Path, photos: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    config = json.loads((clip / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config))
    (broken / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CorruptModel, match=r"model\.safetensors is missing; pytorch_model\.bin is a pickle"):
        trained(broken, photos, tmp_path / "mine", method="full")
    os.symlink(clip / "model.safetensors", broken / "model.safetensors")
    with pytest.raises(CorruptModel, match=r"no tokenizer\.json"):
        trained(broken, photos, tmp_path / "mine", method="full")
    (broken / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ModelError, match="bert model"):
        trained(broken, photos, tmp_path / "mine", method="full")


# ---- the command ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_makes_a_head_of_a_checkpoint_and_says_what_came_of_it(
    clip: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command = [
        "train",
        str(photos),
        "--base",
        str(clip),
        "--epochs",
        "2",
        "--held-out",
        "0.3",
        "--threads",
        "1",
        "--json",
    ]
    assert main(command) == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert said["method"] == "head"
    assert said["out"] == str(tmp_path / "tiny-clip-head")
    assert said["verdict"] in ("better", "worse", "no difference seen")
    assert said["better"] == (said["verdict"] == "better")
    assert ("NOT better" in err) != said["better"]
    assert [one["metric"] for one in said["comparisons"]][:4] == ["recall@1", "recall@5", "recall@10", "mrr"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "tiny-clip-head"]
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("SOURCE", "--method", "magic"), "magic"),
        ((), "give either a SOURCE or a collection"),
        (("SOURCE", "--method", "full"), "full needs --base"),
        (("-c", "t#x", "--method", "lora", "--base", "pocket"), "lora learns from pictures"),
        (("SOURCE", "--chunk", "4"), "--chunk is for full and lora"),
        (("SOURCE", "--rate", "-1"), "learning rate is -1"),
        (("SOURCE", "--held-out", "1"), "held_out is 1"),
    ],
)
def test_flags_that_cannot_be_meant_end_with_two(
    flags: tuple[str, ...],
    message: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *(str(photos) if flag == "SOURCE" else flag for flag in flags)]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert not out
    assert not list(tmp_path.iterdir())
