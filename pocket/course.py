"""A course of training: steps down a warm-up and cosine, a running average, checkpoints from which it goes on.

    course = Course(stage, stage.loss, Plan(steps=8000, rate=2e-3), Path("checkpoint"))
    course.run(after=lambda step: None)

Knows torch and sightline.train; nothing of pictures or texts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sightline.checkpoints import CHECKPOINT, Checkpoint, read, write
from sightline.train import adamw, learning_rate_share

SAVE_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Plan:
    steps: int
    rate: float
    decay: float = 0.05
    average: float = 0.998
    clip: float = 1.0
    warmup: float = 0.03


class Average:
    """A slow copy of a module's parameters and buffers, moving by (1 - decay) a step; it ranks better than the last."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in module.state_dict().items()}
        self._steps = 0

    def resume(self, state: Mapping[str, Tensor], steps: int) -> None:
        """Go on from what another average had become after `steps` updates."""
        self.state, self._steps = dict(state), steps

    def update(self, module: nn.Module) -> None:
        self._steps += 1
        decay = min(self.decay, (1 + self._steps) / (10 + self._steps))  # young averages forget faster
        for name, value in module.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[name].lerp_(value.detach(), 1 - decay)
            else:
                self.state[name].copy_(value)


class Course:
    """Trains `module`; `loss` takes the number of a step and makes its own batch."""

    def __init__(self, module: nn.Module, loss: Callable[[int], Tensor], plan: Plan, folder: Path) -> None:
        self.module, self.plan, self.folder, self._loss = module, plan, folder, loss
        self.average = Average(module, plan.average)
        self._named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        self._optimizer = adamw([p for _, p in self._named], learning_rate=plan.rate, weight_decay=plan.decay)
        self.step, self.seconds, self.last_loss = 0, 0.0, math.nan
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT).exists():
            self._restore()

    def run(self, after: Callable[[int], None], *, until: float = math.inf) -> bool:
        """Steps to the end of the plan, or for `until` seconds; `after` is told each. Whether it is finished."""
        begin = saved = time.monotonic()
        before = self.seconds
        while self.step < self.plan.steps and time.monotonic() - begin < until:
            torch.manual_seed(self.step)  # dropout
            rate = self.plan.rate * learning_rate_share(self.step / self.plan.steps, warmup=self.plan.warmup)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            loss = self._loss(self.step)
            self.last_loss = float(loss.detach())
            if not math.isfinite(self.last_loss):
                raise SystemExit(f"the loss became {self.last_loss} at step {self.step}; lower the rate")
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([p for _, p in self._named], self.plan.clip)
            self._optimizer.step()
            self.average.update(self.module)
            self.step += 1
            self.seconds = before + time.monotonic() - begin
            after(self.step)
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()
        return self.step >= self.plan.steps

    def save(self) -> None:
        tensors = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state.items()}
        for name, parameter in self._named:
            for key in ("exp_avg", "exp_avg_sq"):
                if key in self._optimizer.state[parameter]:
                    tensors[f"{key}.{name}"] = self._optimizer.state[parameter][key]
        write(self.folder / CHECKPOINT, Checkpoint(tensors, {"step": self.step, "seconds": self.seconds}))

    def _restore(self) -> None:
        found = read(self.folder / CHECKPOINT)

        def of(kind: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(f"{kind}."): t for name, t in found.tensors.items() if name.startswith(f"{kind}.")
            }

        self.module.load_state_dict(of("module"))
        self.step, self.seconds = int(found.state["step"]), float(found.state["seconds"])
        here = next(self.module.parameters()).device
        self.average.resume({name: value.to(here) for name, value in of("average").items()}, self.step)
        first, second = of("exp_avg"), of("exp_avg_sq")
        for name, parameter in self._named:
            if name in first:
                self._optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.step)), "exp_avg": first[name].to(here),
                    "exp_avg_sq": second[name].to(here),
                }  # fmt: skip
