"""Contrastive training of an image tower and a text tower, and their export as a model folder (DESIGN §4).

Knows losses, the schedule and a file layout; does not know data sets or architectures. torch is imported inside the
functions, so that `import sightline.train` works without the extra `[train]`.

    loss = contrastive_loss(image_tower(pixels), text_tower(tokens), scale=scale.exp())
"""

from __future__ import annotations

import json
import logging
import math
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import MissingExtra, ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

PARITY = 0.9999  # smallest cosine between torch and ONNX Runtime that an export may have, on every probe row


class ExportMismatch(ModelError):
    """ONNX Runtime's vectors differ from torch's: nothing was written."""


def seed_everything(seed: int) -> None:
    """Seeds Python, numpy and torch. Two runs agree only with the same torch, threads and machine class."""
    torch = _torch()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def contrastive_loss(
    image_vectors: Tensor,
    text_vectors: Tensor,
    *,
    scale: Tensor | float,
    same: Tensor | None = None,
    more_texts: Tensor | None = None,
    same_more: Tensor | None = None,
) -> Tensor:
    """InfoNCE in both directions (CLIP, arXiv:2103.00020); row i of both is a pair. Returns a scalar.

    image_vectors, text_vectors (n, dim), of any length: they are normalised here. `same[i, j]` (n, n) bool marks
    texts that also fit image i (duplicate captions, the same class): they are neither positives nor negatives.
    `more_texts` (m, dim) are further negatives for the images, with `same_more` (n, m) like `same`.
    """
    torch = _torch()
    functional = torch.nn.functional
    images, texts = functional.normalize(image_vectors, dim=-1), functional.normalize(text_vectors, dim=-1)
    logits = images @ texts.T * scale  # (n, n)
    pairs = torch.eye(len(images), dtype=torch.bool, device=logits.device)
    if same is not None:
        logits = logits.masked_fill(same & ~pairs, -math.inf)
    to_texts = logits
    if more_texts is not None:
        more = images @ functional.normalize(more_texts, dim=-1).T * scale  # (n, m)
        if same_more is not None:
            more = more.masked_fill(same_more, -math.inf)
        to_texts = torch.cat([logits, more], dim=1)
    target = torch.arange(len(images), device=logits.device)
    loss: Tensor = (functional.cross_entropy(to_texts, target) + functional.cross_entropy(logits.T, target)) / 2
    return loss


def sigmoid_loss(
    image_vectors: Tensor,
    text_vectors: Tensor,
    *,
    scale: Tensor | float,
    bias: Tensor | float,
    same: Tensor | None = None,
) -> Tensor:
    """Every picture with every text is a question of its own (SigLIP, arXiv:2303.15343); row i of both is a pair.

    Vectors and `same` as in `contrastive_loss`. Returns the sum over all (n, n) questions, divided by n.
    """
    torch = _torch()
    functional = torch.nn.functional
    images, texts = functional.normalize(image_vectors, dim=-1), functional.normalize(text_vectors, dim=-1)
    logits = images @ texts.T * scale + bias  # (n, n)
    pairs = torch.eye(len(images), dtype=torch.bool, device=logits.device)
    losses = -functional.logsigmoid(torch.where(pairs, logits, -logits))
    if same is not None:
        losses = losses.masked_fill(same & ~pairs, 0.0)
    loss: Tensor = losses.sum() / len(images)
    return loss


def backward_in_chunks(
    towers: Sequence[Callable[[Tensor], Tensor]],
    batches: Sequence[Tensor],
    loss_of: Callable[..., Tensor],
    *,
    chunk: int,
) -> Tensor:
    """The gradients of one large batch in the memory of `chunk` rows (GradCache, Gao et al. 2021, arXiv:2101.06983).

    batches[i] (n, ...) goes through towers[i]; `loss_of` takes all vectors. The towers run twice: first without a
    graph, for the gradient of the loss with respect to the vectors, then chunk by chunk with it. Random numbers
    (dropout) are the same both times. Adds to the `.grad` of the parameters and returns the loss, detached.
    """
    torch = _torch()
    starts = [range(0, len(batch), chunk) for batch in batches]
    states: list[list[Tensor]] = []
    vectors: list[Tensor] = []
    for tower, batch, places in zip(towers, batches, starts, strict=True):
        states.append([])
        parts = []
        for start in places:
            states[-1].append(torch.get_rng_state())
            with torch.no_grad():
                parts.append(tower(batch[start : start + chunk]))
        vectors.append(torch.cat(parts).requires_grad_())
    after = torch.get_rng_state()
    loss = loss_of(*vectors)
    loss.backward()  # type: ignore[no-untyped-call]
    for tower, batch, places, seen, whole in zip(towers, batches, starts, states, vectors, strict=True):
        gradient = torch.zeros_like(whole) if whole.grad is None else whole.grad
        for start, state in zip(places, seen, strict=True):
            torch.set_rng_state(state)
            part = tower(batch[start : start + chunk])
            part.backward(gradient[start : start + chunk])  # type: ignore[no-untyped-call]
    torch.set_rng_state(after)
    return loss.detach()


def learning_rate_share(share: float, *, warmup: float = 0.03, floor: float = 0.01) -> float:
    """A factor in (0, 1] at this `share` of the schedule: linear warm-up, then a half cosine down to `floor`."""
    if share < warmup:
        return max(share / warmup, floor)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup) / (1 - warmup))))


def adamw(parameters: Sequence[nn.Parameter], *, learning_rate: float, weight_decay: float) -> Any:
    """The optimizer of every course: matrices are decayed, vectors (biases, norms, scales) are not."""
    torch = _torch()
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))


def export_model_folder(
    folder: Path,
    *,
    image_tower: nn.Module,
    text_tower: nn.Module,
    config: Mapping[str, Any],
    preprocess: Mapping[str, Any],
    tokenizer_json: str,
    pad_token: str,
    model: Mapping[str, Any],
    half: bool = False,
) -> None:
    """Writes a whole model folder, or nothing: torch and ONNX Runtime must agree before `folder` is replaced.

    config, preprocess and model become config.json, visual/preprocess_cfg.json and model.json. With `half` the
    weights are stored as float16 and cast back when the graph is loaded (half the size, the same speed).
    Raises ExportMismatch when a probe's cosine falls below PARITY.
    """
    torch = _torch()
    size = int(config["vision_cfg"]["image_size"])
    context, vocab = int(config["text_cfg"]["context_length"]), int(config["text_cfg"]["vocab_size"])
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 3, size, size, generator=generator)
    texts = torch.randint(0, vocab, (3, context), generator=generator).to(torch.int32)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as fresh:
        new = Path(fresh) / "model"
        towers = (("visual", image_tower, "image", images), ("textual", text_tower, "text", texts))
        for part, tower, name, probe in towers:
            (new / part).mkdir(parents=True)
            export_onnx(tower, new / part / "model.onnx", name, probe)
            if half:
                store_as_half(new / part / "model.onnx")
            check_parity(tower, new / part / "model.onnx", name, probe)
        _write_json(new / "config.json", config)
        _write_json(new / "visual" / "preprocess_cfg.json", preprocess)
        (new / "textual" / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
        _write_json(new / "textual" / "tokenizer_config.json", {"pad_token": pad_token})
        _write_json(new / "model.json", model)
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)


def export_onnx(tower: nn.Module, file: Path, name: str, probe: Tensor) -> None:
    """One tower as one ONNX file: input `name` with a free first dimension, output `vectors`."""
    torch = _torch()
    tower.eval()
    with _quiet("torch.onnx"):
        torch.onnx.export(
            tower,
            (probe,),
            str(file),
            input_names=[name],
            output_names=["vectors"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    strip_traces(file)


def strip_traces(file: Path) -> None:
    """Take out what the exporter notes of its own run: stack traces with the paths of this machine."""
    import onnx

    model = onnx.load(str(file))
    graphs = [model.graph, *model.functions]
    holders = [model, *graphs, *(node for graph in graphs for node in graph.node)]
    holders += [*model.graph.initializer, *model.graph.input, *model.graph.output, *model.graph.value_info]
    for holder in holders:
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")
    onnx.save(model, str(file))


def check_parity(tower: nn.Module, file: Path, name: str, probe: Tensor) -> float:
    """Smallest cosine between torch and ONNX Runtime over the probe's rows, in one batch and one by one."""
    from sightline.encoders.sessions import import_onnxruntime

    torch = _torch()
    onnxruntime = import_onnxruntime()
    tower.eval()
    with torch.no_grad():
        expected = tower(probe).numpy()
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    together = session.run(None, {name: probe.numpy()})[0]
    alone = np.concatenate([session.run(None, {name: row[None]})[0] for row in probe.numpy()])
    worst = min(_smallest_cosine(expected, together), _smallest_cosine(expected, alone))
    if not worst >= PARITY:  # also refuses NaN
        raise ExportMismatch(
            f"{file.parent.name}/{file.name}: cosine to torch {worst:.6f}, at least {PARITY} is expected",
            hint="nothing was written; check that the tower is in eval mode and free of randomness",
        )
    return worst


def store_as_half(file: Path) -> None:
    """Rewrites large float32 initialisers as float16 behind a Cast, which runtimes fold away at load."""
    import onnx
    from onnx import numpy_helper

    graph_file = onnx.load(str(file))
    graph = graph_file.graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or math.prod(weight.dims) < 1024:
            continue
        name = weight.name
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}.half")
        weight.CopyFrom(half)
        casts.append(onnx.helper.make_node("Cast", [half.name], [name], to=onnx.TensorProto.FLOAT, name=f"{name}.cast"))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(graph_file)
    onnx.save(graph_file, str(file))


def _smallest_cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(((left * right).sum(1) / lengths).min())


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """The exporter warns of its own old habits and of packages we do not use."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _write_json(file: Path, value: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("train", "training") from error
    return torch
