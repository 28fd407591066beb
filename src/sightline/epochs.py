"""The loop of a training run: epochs over pairs, validation after each, the best kept, stopped early, gone on exactly.

Knows a learner, pairs and a folder; not what is learnt. Data order and drawn captions follow from seed and epoch, the
rest is in the checkpoint: a killed run that goes on ends with the very weights of an unbroken one, on the same machine
with the same number of threads.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline import checkpoints
from sightline.checkpoints import CHECKPOINT, CURVES, Checkpoint
from sightline.errors import ModelError, UsageError
from sightline.evaluate import Run, measure_vectors
from sightline.pairs import Pairs, Places
from sightline.schema import Vectors
from sightline.train import adamw, learning_rate_share

if TYPE_CHECKING:
    from torch import nn

CHOSEN_BY = "mrr"
"""The metric that chooses the epoch and gives the verdict: of text -> image; steadier than recall with few pictures."""
SHOWN = ("recall@1", "recall@5", "recall@10", "mrr")
POINTS = 400
"""About how many steps of a run are noted for the curves."""


class Learner(Protocol):
    """What learns. `items` and `lines` are places in Pairs, row i of both a pair; `same` as Pairs.same gives it."""

    def trainable(self) -> dict[str, nn.Parameter]: ...
    def backward(self, items: Places, lines: Places, same: NDArray[np.bool_]) -> float:
        """Adds the gradients of one batch to `.grad` and returns its loss."""
        ...

    def vectors(self, items: Places, lines: Places) -> tuple[Vectors, Vectors]:
        """Unit vectors of pictures and lines as they are now; nothing is learnt."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train. `warmup` is a share of all steps; `patience` how many epochs without a better one end the run."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.05
    warmup: float = 0.1
    clip: float = 1.0
    patience: int = 3
    seed: int = 0
    checkpoint_seconds: float = 300.0


@dataclass(slots=True)
class State:
    """Where a run stands; all of it is JSON. `step` counts within the epoch, `losses` are those of the epoch so far;
    `pairs` is the digest of what it learns from.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    pairs: str = ""
    losses: list[float] = field(default_factory=list)
    best: float = -1.0
    best_epoch: int = 0
    done: bool = False
    curves: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What the loop did; the learner has the weights of `best_epoch` (1-based). `resumed`: the epoch it went on in."""

    epochs: int
    best_epoch: int
    steps: int
    stopped_early: bool
    resumed: int | None
    curves: tuple[Mapping[str, Any], ...]


def learn(
    learner: Learner, pairs: Pairs, plan: Plan, folder: Path, *, tell: Callable[[str], None] | None = None
) -> Learnt:
    """Trains `learner` to its best epoch. Checkpoints go to `folder`, and a run found there goes on.

    Raises ModelError as soon as a loss is not finite, CorruptModel for a checkpoint that cannot be read, UsageError for
    one that learnt from other pairs.
    """
    import torch

    named = learner.trainable()
    optimizer = adamw(list(named.values()), learning_rate=plan.learning_rate, weight_decay=plan.weight_decay)
    torch.manual_seed(plan.seed)
    state, resumed = State(pairs=pairs.digest), None
    if (folder / CHECKPOINT).exists():
        state = _restore(checkpoints.read(folder / CHECKPOINT), named, optimizer)
        resumed = state.epoch + 1
        if state.pairs != pairs.digest:
            raise UsageError(
                f"the pictures or captions are not those that the stopped run in {folder} learnt from",
                hint="add --restart to begin again",
            )
    batch = min(plan.batch_size, len(pairs.train))
    per_epoch = len(pairs.train) // batch
    saved = time.monotonic()
    while not state.done:
        items, lines = pairs.epoch(state.epoch, seed=plan.seed)
        while state.step < per_epoch:
            rows = slice(state.step * batch, (state.step + 1) * batch)
            rate = plan.learning_rate * learning_rate_share(
                (state.steps + 1) / (per_epoch * plan.epochs), warmup=plan.warmup
            )
            loss = _step(learner, pairs, items[rows], lines[rows], optimizer, rate, plan.clip)
            state.step, state.steps = state.step + 1, state.steps + 1
            state.losses.append(loss)
            if not math.isfinite(loss):
                raise ModelError(
                    f"the loss became {loss} at step {state.steps}", hint="lower the learning rate: --rate"
                )
            if state.steps % max(1, per_epoch * plan.epochs // POINTS) == 0:
                state.curves.append({"step": state.steps, "loss": loss, "rate": rate})
            if time.monotonic() - saved > plan.checkpoint_seconds and state.step < per_epoch:
                _save(folder, named, optimizer, state)
                saved = time.monotonic()
        _end_epoch(learner, pairs, plan, folder, state, named, tell)
        _save(folder, named, optimizer, state)
        saved = time.monotonic()
    _load(named, checkpoints.read(folder / _best(state.best_epoch)).tensors)
    early = state.epoch < plan.epochs
    return Learnt(state.epoch, state.best_epoch, state.steps, early, resumed, tuple(state.curves))


def held_out(name: str, learner: Learner, pairs: Pairs, items: Places, *, seed: int = 0) -> tuple[Run, Run]:
    """The learner as it is now, measured on these pictures and their captions: text -> image and image -> text."""
    lines, captions = pairs.part(items)
    images, texts = learner.vectors(items, lines)
    ids = [pairs.ids[at] for at in items]
    return measure_vectors(name, ids, images, [pairs.lines[at] for at in lines], texts, captions, seed=seed)


def validate(learner: Learner, pairs: Pairs) -> dict[str, float]:
    """Means over the lines of the choosing pictures, of the rank at which a line finds the first of its pictures.

    As `held_out` for text -> image, without intervals, which take longer than an epoch of a head. Pictures that score
    the same count as found before: vectors that have all become one find nothing.
    """
    lines, captions = pairs.part(pairs.choose)
    images, texts = learner.vectors(pairs.choose, lines)
    own = np.zeros((len(lines), len(images)), np.bool_)
    for at, places in enumerate(captions):
        own[list(places), at] = True
    ranks = np.concatenate(
        [
            1 + ((scores >= np.where(mask, scores, -2.0).max(axis=1, keepdims=True)) & ~mask).sum(axis=1)
            for start in range(0, len(lines), 1024)
            for mask in [own[start : start + 1024]]
            for scores in [texts[start : start + 1024] @ images.T]  # (1024, pictures)
        ]
    )
    found = {f"recall@{k}": float((ranks <= k).mean()) for k in (1, 5, 10)} | {"mrr": float((1 / ranks).mean())}
    return {metric: round(found[metric], 6) for metric in SHOWN}


def _step(
    learner: Learner, pairs: Pairs, items: Places, lines: Places, optimizer: Any, rate: float, clip: float
) -> float:
    import torch

    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss = learner.backward(items, lines, pairs.same(items, lines))
    torch.nn.utils.clip_grad_norm_([one for group in optimizer.param_groups for one in group["params"]], clip)
    optimizer.step()
    return loss


def _end_epoch(
    learner: Learner,
    pairs: Pairs,
    plan: Plan,
    folder: Path,
    state: State,
    named: Mapping[str, nn.Parameter],
    tell: Callable[[str], None] | None,
) -> None:
    """Measures, keeps the weights if they are the best so far, and decides whether to go on."""
    metrics = validate(learner, pairs)
    state.epoch, state.step = state.epoch + 1, 0
    loss = sum(state.losses) / len(state.losses)
    state.losses = []
    better = metrics[CHOSEN_BY] > state.best
    before = state.best_epoch
    if better:
        state.best, state.best_epoch = metrics[CHOSEN_BY], state.epoch
        checkpoints.write(folder / _best(state.epoch), Checkpoint(_weights(named), {"epoch": state.epoch}))
    state.curves.append({"epoch": state.epoch, "step": state.steps, "loss": loss, **metrics, "best": better})
    state.done = state.epoch >= plan.epochs or state.epoch - state.best_epoch >= plan.patience
    if tell is not None:
        shown = "  ".join(f"{metric} {metrics[metric]:.3f}" for metric in SHOWN)
        tell(f"epoch {state.epoch}/{plan.epochs}  loss {loss:.4f}  {shown}{'  best' if better else ''}")
    if better and before:
        # the one before is no longer needed, but the checkpoint on disk still names it: it goes one epoch later
        for old in folder.glob("best-*.safetensors"):
            if old.name not in (_best(before), _best(state.best_epoch)):
                old.unlink()


def _best(epoch: int) -> str:
    return f"best-{epoch}.safetensors"


def _save(folder: Path, named: Mapping[str, nn.Parameter], optimizer: Any, state: State) -> None:
    import torch

    tensors = {f"weight/{name}": tensor for name, tensor in _weights(named).items()}
    for name, parameter in named.items():
        tensors |= {f"{key}/{name}": value for key, value in optimizer.state.get(parameter, {}).items()}
    tensors["random"] = torch.get_rng_state()
    checkpoints.write(folder / CHECKPOINT, Checkpoint(tensors, asdict(state)))
    checkpoints.replace(folder / CURVES, "".join(f"{json.dumps(row)}\n" for row in state.curves).encode())


def _restore(checkpoint: Checkpoint, named: Mapping[str, nn.Parameter], optimizer: Any) -> State:
    import torch

    of: dict[str, dict[str, Any]] = {}
    for key, tensor in checkpoint.tensors.items():
        kind, _, name = key.partition("/")
        of.setdefault(kind, {})[name] = tensor
    _load(named, of.pop("weight"))
    torch.set_rng_state(of.pop("random")[""])
    for kind, tensors in of.items():  # step, exp_avg, exp_avg_sq
        for name, tensor in tensors.items():
            place = "cpu" if kind == "step" else named[name].device
            optimizer.state[named[name]][kind] = tensor.to(place)
    return State(**checkpoint.state)


def _weights(named: Mapping[str, nn.Parameter]) -> dict[str, Any]:
    return {name: parameter.detach() for name, parameter in named.items()}


def _load(named: Mapping[str, nn.Parameter], weights: Mapping[str, Any]) -> None:
    import torch

    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(weights[name])
