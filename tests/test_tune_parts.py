"""What training learns from: parts by id, drawn captions, duplicates; losses, chunks and heads by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from model_folders import hand_folder
from onnx import helper
from torch import nn

from sightline import epochs
from sightline.checkpoints import Checkpoint, read, working_folder, write
from sightline.encoders import describe, load_encoder
from sightline.epochs import Plan, held_out, learn, validate
from sightline.errors import CorruptModel, ModelError, SourceError, UsageError
from sightline.evaluate import compare
from sightline.head import HeadLearner, Projection, append, write_model
from sightline.judgements import Named
from sightline.pairs import Pairs, pair_up, part_of
from sightline.schema import item_id
from sightline.train import backward_in_chunks, contrastive_loss, sigmoid_loss


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def named(captions: list[str]) -> list[Named]:
    return [Named(item_id(f"t:{at}"), f"t:{at}", str(at), text) for at, text in enumerate(captions)]


# ---- pairs ----------------------------------------------------------------------------------------------------


def test_a_part_follows_from_the_id_alone() -> None:
    assert part_of("0" * 32, held_out=0.2) == "choose"
    assert part_of("1" * 32, held_out=0.2) == "choose"  # 1/15 of the way
    assert part_of("2" * 32, held_out=0.2) == "judge"
    assert part_of("4" * 32, held_out=0.2) == "train"
    few, many = (pair_up(named([f"c{at}" for at in range(n)]), held_out=0.2) for n in (200, 900))
    for part in ("train", "choose", "judge"):
        ids = {few.ids[at] for at in getattr(few, part)}
        assert ids <= {many.ids[at] for at in getattr(many, part)}


def test_parts_have_the_shares_that_were_asked_for_and_nothing_twice() -> None:
    pairs = pair_up(named([f"c{at}" for at in range(5000)]), held_out=0.2)
    assert len(pairs.choose) == pytest.approx(500, abs=70)
    assert len(pairs.judge) == pytest.approx(500, abs=70)
    assert sorted(np.concatenate([pairs.train, pairs.choose, pairs.judge])) == list(range(5000))


def test_captions_that_differ_in_case_and_punctuation_are_one() -> None:
    pairs = pair_up(named(["A dog.\na  dog", "a dog!", "a cat"] * 50), held_out=0.3)
    assert set(pairs.lines) == {next(line for line in pairs.lines if "dog" in line), "a cat"}
    assert {len(own) for own in pairs.lines_of} == {1}


def test_an_epoch_draws_every_picture_once_and_the_same_again() -> None:
    pairs = pair_up(named([f"a{at}\nb{at}\nc{at}" for at in range(200)]), held_out=0.2)
    first, again, second = pairs.epoch(0, seed=3), pairs.epoch(0, seed=3), pairs.epoch(1, seed=3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], second[0])
    assert sorted(first[0]) == sorted(pairs.train)
    assert all(line in pairs.lines_of[item] for item, line in zip(*first, strict=True))
    assert len({pairs.epoch(number, seed=3)[1][0] for number in range(9)}) > 1


def test_a_caption_of_several_pictures_is_no_negative_for_any_of_them() -> None:
    pairs = Pairs(("a", "b", "c"), ("x", "y", "z"), ((0, 1), (0,), (2,)), *(np.arange(3),) * 3)
    same = pairs.same(np.array([0, 1, 2]), np.array([1, 0, 2]))
    assert same.tolist() == [[True, True, False], [False, True, False], [False, False, True]]


def test_what_cannot_be_learnt_from_is_refused() -> None:
    with pytest.raises(SourceError, match="none of 3 pictures has a caption"):
        pair_up(named(["", " ", "\n"]), held_out=0.2)
    with pytest.raises(SourceError, match="5 pictures with captions are too few"):
        pair_up(named([f"c{at}" for at in range(5)]), held_out=0.2)
    with pytest.raises(SourceError, match="all captions are the same"):
        pair_up(named(["a photo"] * 300), held_out=0.2)


# ---- losses and gradients -------------------------------------------------------------------------------------


def test_sigmoid_loss_equals_the_value_worked_out_by_hand() -> None:
    images, texts = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    cosines = [[1.0, 0.0], [0.6, 0.8]]
    signs = [[1, -1], [-1, 1]]
    by_hand = 0.0
    for row, sign in zip(cosines, signs, strict=True):
        by_hand += sum(math.log1p(math.exp(-z * (5 * x - 2))) for x, z in zip(row, sign, strict=True))
    assert sigmoid_loss(images, texts, scale=5.0, bias=-2.0).item() == pytest.approx(by_hand / 2, abs=1e-6)
    without = by_hand - math.log1p(math.exp(5 * 0.6 - 2))
    same = torch.tensor([[True, False], [True, True]])
    got = sigmoid_loss(images, texts, scale=5.0, bias=-2.0, same=same)
    assert got.item() == pytest.approx(without / 2, abs=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 8, 100])
@pytest.mark.parametrize("loss", ["clip", "siglip"])
def test_gradients_by_chunks_are_those_of_the_whole_batch(chunk: int, loss: str) -> None:
    torch.manual_seed(0)
    image, text = nn.Linear(6, 4), nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4))
    scale = nn.Parameter(torch.tensor(2.0))
    parameters = [*image.parameters(), *text.parameters(), scale]
    pictures, texts = torch.randn(8, 6), torch.randn(8, 5)

    def loss_of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if loss == "clip":
            return contrastive_loss(a, b, scale=scale.exp())
        return sigmoid_loss(a, b, scale=scale.exp(), bias=-1.0)

    plain = loss_of(image(pictures), text(texts))
    expected = torch.autograd.grad(plain, parameters)
    cached = backward_in_chunks((image, text), (pictures, texts), loss_of, chunk=chunk)
    assert cached.item() == pytest.approx(plain.item(), abs=1e-6)
    for parameter, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-5)


def test_chunks_see_the_same_dropout_both_times() -> None:
    """With other masks the second time the gradient of a linear tower would be that of other vectors."""
    tower = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Dropout(0.5))
    seen: list[torch.Tensor] = []

    def watched(batch: torch.Tensor) -> torch.Tensor:
        seen.append(tower(batch))
        return seen[-1]

    torch.manual_seed(1)
    backward_in_chunks((watched,), (torch.ones(6, 4),), lambda vectors: vectors.square().sum(), chunk=2)
    assert len(seen) == 6
    assert all(torch.equal(a, b.detach()) for a, b in zip(seen[:3], seen[3:], strict=True))


# ---- checkpoints ----------------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    tensors = {"weight/a": torch.randn(3, 2), "step/a": torch.tensor(7.0), "random": torch.get_rng_state()}
    state = {"epoch": 1, "losses": [0.1 + 0.2, 1e-300], "curves": [{"loss": 1 / 3}]}
    write(tmp_path / "c.safetensors", Checkpoint(tensors, state))
    again = read(tmp_path / "c.safetensors")
    assert again.state == state
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in tensors.items())
    (tmp_path / "c.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(CorruptModel, match="is no checkpoint"):
        read(tmp_path / "c.safetensors")


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        working_folder(tmp_path / "out", {"a": 1}),
        pytest.raises(ModelError, match="another process is training"),
        working_folder(tmp_path / "out", {"a": 1}),
    ):
        pass
    with pytest.raises(UsageError, match="a 1, now 2"), working_folder(tmp_path / "out", {"a": 2}):
        pass


# ---- heads ----------------------------------------------------------------------------------------------------


def turned(n: int = 400, dim: int = 6, *, noise: float = 0.3, seed: int = 0) -> tuple[Pairs, np.ndarray, np.ndarray]:
    """Pictures, and texts that are the pictures turned by one rotation: a head can undo it, the base cannot."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    images = rng.standard_normal((n, dim))
    texts = images @ rotation + noise * rng.standard_normal((n, dim))
    pairs = pair_up(named([f"caption {at}" for at in range(n)]), held_out=0.3)
    order = [int(line.split()[1]) for line in pairs.lines]  # the pairs are in the order of the ids
    unit = [(v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)[order] for v in (images, texts)]
    return pairs, unit[0], unit[1]


@pytest.mark.parametrize("sigmoid", [False, True])
def test_a_head_lifts_validation_where_there_is_something_to_lift(sigmoid: bool, tmp_path: Path) -> None:
    pairs, images, texts = turned()
    learner = HeadLearner(pairs, images, texts, sigmoid=sigmoid)
    before, _ = held_out("base", learner, pairs, pairs.judge)
    learnt = learn(learner, pairs, Plan(epochs=25, batch_size=64, learning_rate=2e-2, patience=25), tmp_path)
    after, _ = held_out("head", learner, pairs, pairs.judge)
    mrr = next(one for one in compare(before, after, names=("base", "head")) if one.metric == "mrr")
    assert mrr.interval[0] > 0.3
    best = next(row for row in learnt.curves if row.get("epoch") == learnt.best_epoch)
    assert validate(learner, pairs)["mrr"] == best["mrr"]  # the learner has the weights of its best epoch


def test_a_base_that_cannot_be_improved_is_not_called_better(tmp_path: Path) -> None:
    """Texts that have nothing to do with the pictures: what looks like progress on one half is none on the other."""
    rng = np.random.default_rng(1)
    for seed in range(3):
        pairs, images, _ = turned(seed=seed)
        texts = rng.standard_normal(images.shape)
        texts = (texts / np.linalg.norm(texts, axis=1, keepdims=True)).astype(np.float32)
        learner = HeadLearner(pairs, images, texts, sigmoid=False)
        before, _ = held_out("base", learner, pairs, pairs.judge)
        folder = tmp_path / str(seed)
        folder.mkdir()
        learn(learner, pairs, Plan(epochs=8, batch_size=64, learning_rate=1e-2), folder)
        after, _ = held_out("head", learner, pairs, pairs.judge)
        mrr = next(one for one in compare(before, after, names=("base", "head")) if one.metric == "mrr")
        assert mrr.interval[0] <= 0


def test_vectors_that_have_all_become_one_find_nothing() -> None:
    pairs, images, texts = turned(100)
    learner = HeadLearner(pairs, np.ones_like(images), np.ones_like(texts), sigmoid=False)
    n = len(pairs.choose)
    assert validate(learner, pairs)["mrr"] == pytest.approx(1 / n, abs=1e-6)


def test_validation_is_what_evaluation_says() -> None:
    pairs, images, texts = turned(300, noise=0.9)
    learner = HeadLearner(pairs, images, texts, sigmoid=False)
    run, _ = held_out("", learner, pairs, pairs.choose)
    for metric, value in validate(learner, pairs).items():
        assert value == pytest.approx(run.mean(metric), abs=1e-3)  # evaluate looks at the first hundred


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    pairs, images, texts = turned(100)
    learner = HeadLearner(pairs, np.full_like(images, np.nan), texts, sigmoid=False)
    with pytest.raises(ModelError, match="nan at step 1"):
        learn(learner, pairs, Plan(epochs=1, batch_size=8, learning_rate=1e-3), tmp_path)


def projections(dim: int) -> tuple[Projection, Projection]:
    rng = np.random.default_rng(0)
    return tuple(  # type: ignore[return-value]
        Projection(
            (np.eye(dim) + 0.3 * rng.standard_normal((dim, dim))).astype(np.float32),
            rng.standard_normal(dim).astype(np.float32) * 0.1,
        )
        for _ in range(2)
    )


@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_head_stands_in_the_graphs(with_mask: bool, runtime: str, tmp_path: Path) -> None:
    base = load_encoder(hand_folder(tmp_path / "base", with_mask=with_mask), models_dir=tmp_path)
    image, text = projections(4)
    for name, before in (("once", base), ("twice", None)):  # a head on a head is nothing special
        before = before or load_encoder(tmp_path / "once", models_dir=tmp_path)
        tokens = before.tokenize(["red", "green blue"])
        assert write_model(before.card, tmp_path / name, image=image, text=text, tokens=tokens) > 0.9999
    words = ["red", "green green blue", ""]
    pixels = list(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8))
    for name, times in (("once", 1), ("twice", 2)):
        encoder = load_encoder(tmp_path / name, models_dir=tmp_path, runtime=runtime, precision="f32")
        assert describe(tmp_path / name).dim == 4
        texts, images = base.encode_text(words), base.encode_prepared(pixels)
        for _ in range(times):
            texts, images = text(texts), image(images)
        np.testing.assert_allclose(encoder.encode_text(words), texts, atol=1e-4)
        np.testing.assert_allclose(encoder.encode_prepared(pixels), images, atol=1e-4)


def test_a_head_fits_a_graph_of_half_precision(tmp_path: Path) -> None:
    folder = hand_folder(tmp_path / "base")
    graph = onnx.load(str(folder / "visual" / "model.onnx"))
    graph.graph.node.append(helper.make_node("Cast", ["vectors"], ["half"], to=onnx.TensorProto.FLOAT16))
    del graph.graph.output[:]
    graph.graph.output.append(helper.make_tensor_value_info("half", onnx.TensorProto.FLOAT16, ["n", 4]))
    onnx.save(graph, str(folder / "visual" / "model.onnx"))
    image, _ = projections(4)
    append(folder / "visual" / "model.onnx", image)
    onnx.checker.check_model(str(folder / "visual" / "model.onnx"))
    vectors = load_encoder(folder, models_dir=tmp_path).encode_prepared([np.zeros((8, 8, 3), np.uint8)])
    np.testing.assert_allclose(vectors, image(np.array([[0.0, 0.0, 0.0, 1.0]], np.float32)), atol=1e-3)


def test_the_curves_of_a_run_are_kept_as_lines(tmp_path: Path) -> None:
    pairs, images, texts = turned(100)
    learner = HeadLearner(pairs, images, texts, sigmoid=False)
    learnt = learn(learner, pairs, Plan(epochs=3, batch_size=16, learning_rate=1e-3, patience=3), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "curves.jsonl").read_text().splitlines()]
    assert rows == [dict(row) for row in learnt.curves]
    epochs_seen = [row for row in rows if "epoch" in row]
    assert [row["epoch"] for row in epochs_seen] == [1, 2, 3]
    assert set(epochs.SHOWN) <= set(epochs_seen[0])
    assert all({"step", "loss", "rate"} == set(row) for row in rows if "epoch" not in row)
