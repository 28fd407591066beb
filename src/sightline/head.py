"""A small projection on finished vectors: learnt in CPU minutes, put behind the graphs of any model folder.

A vector v becomes unit(v + D v + b), for pictures and for texts each with its own D (dim, dim) and b; D and b begin at
zero, so that learning begins at the base. No picture is encoded to learn it, and the result is a model folder like any
other: the projection stands in its graphs.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.encoders.folder import CONFIG, TEXTUAL, VISUAL, ModelCard
from sightline.encoders.sessions import open_session
from sightline.errors import MissingExtra
from sightline.pairs import Pairs, Places
from sightline.schema import Vectors
from sightline.train import PARITY, ExportMismatch, contrastive_loss, sigmoid_loss

if TYPE_CHECKING:
    from torch import Tensor, nn

SCALE, SIGMOID_SCALE = 20.0, 10.0
"""1 / temperature at the beginning: a folder of graphs does not say what its own was. Learnt with the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """One side: `weight` is I + D, (dim, dim) float32; `bias` (dim,)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __call__(self, vectors: Vectors) -> Vectors:
        moved = vectors @ self.weight.T + self.bias
        unit: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        return unit


class HeadLearner:
    """Two projections learning from unit vectors of pictures (n, dim) and lines (m, dim)."""

    def __init__(self, pairs: Pairs, images: Vectors, lines: Vectors, *, sigmoid: bool) -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtra("train", "training") from error
        self._torch, self._sigmoid = torch, sigmoid
        self._images, self._lines = torch.from_numpy(images), torch.from_numpy(lines)
        dim = images.shape[1]
        zeros: Callable[..., Tensor] = torch.zeros
        begin = {
            "image.shift": zeros(dim, dim),
            "image.bias": zeros(dim),
            "text.shift": zeros(dim, dim),
            "text.bias": zeros(dim),
            "scale": torch.tensor(math.log(SIGMOID_SCALE if sigmoid else SCALE)),
        }
        if sigmoid:
            # the share of pairs among all questions, as SigLIP's own start has it for its batches
            begin["offset"] = torch.tensor(-math.log(max(2, min(512, len(pairs.train)))))
        self._named: dict[str, nn.Parameter] = {name: torch.nn.Parameter(value) for name, value in begin.items()}

    def trainable(self) -> dict[str, nn.Parameter]:
        return self._named

    def backward(self, items: Places, lines: Places, same: NDArray[np.bool_]) -> float:
        images, texts = self._moved("image", self._images[items]), self._moved("text", self._lines[lines])
        mask, scale = self._torch.from_numpy(same), self._named["scale"].exp().clamp(max=100.0)
        if self._sigmoid:
            loss = sigmoid_loss(images, texts, scale=scale, bias=self._named["offset"], same=mask)
        else:
            loss = contrastive_loss(images, texts, scale=scale, same=mask)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def vectors(self, items: Places, lines: Places) -> tuple[Vectors, Vectors]:
        image, text = self.projections()
        return image(self._images[items].numpy()), text(self._lines[lines].numpy())

    def projections(self) -> tuple[Projection, Projection]:
        """The two sides as they are now: pictures, texts."""
        image, text = (self._projection(side) for side in ("image", "text"))
        return image, text

    def _projection(self, side: str) -> Projection:
        shift = self._named[f"{side}.shift"].detach().numpy()
        return Projection(np.eye(len(shift), dtype=np.float32) + shift, self._named[f"{side}.bias"].detach().numpy())

    def _moved(self, side: str, vectors: Tensor) -> Tensor:
        moved: Tensor = vectors + vectors @ self._named[f"{side}.shift"].T + self._named[f"{side}.bias"]
        return moved


def write_model(
    base: ModelCard,
    folder: Path,
    *,
    image: Projection,
    text: Projection,
    tokens: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> float:
    """Copies the base with the projections behind its graphs, and returns the smallest cosine to numpy's own answer.

    tokens (ids and mask, both (n, context)) probe the text side, random pictures the other. Raises ExportMismatch when
    a cosine falls below PARITY; model.json is not written here.
    """
    (folder / "visual").mkdir(parents=True)
    (folder / "textual").mkdir()
    shutil.copyfile(base.folder / CONFIG, folder / CONFIG)
    for part in ("visual", "textual"):
        for file in sorted((base.folder / part).iterdir()):
            if file.is_file() and not file.name.startswith("."):
                shutil.copyfile(file, folder / part / file.name)
    size = base.image_size
    pictures = np.random.default_rng(0).standard_normal((3, 3, size, size)).astype(np.float32)
    worst = 1.0
    texts = {"": tokens[0], "attention_mask": tokens[1]}
    for name, projection, probe in ((VISUAL, image, {"": pictures}), (TEXTUAL, text, texts)):
        append(folder / name, projection)
        expected, got = projection(_run(base.folder / name, probe)), _run(folder / name, probe)
        worst = min(worst, float((expected * got).sum(axis=1).min()))
        if not worst >= PARITY:  # also refuses NaN
            raise ExportMismatch(f"{name}: cosine to numpy {worst:.6f}, at least {PARITY} is expected")
    return worst


def append(file: Path, projection: Projection) -> None:
    """Puts unit, MatMul, Add and unit behind the first output of a graph; the others are dropped.

    Lengths are spelt out as MatMul with ones, Sqrt and Div, which mean the same in every opset. Weights that lie in
    files beside the graph stay there.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise MissingExtra("train", "writing a head") from error
    model = onnx.load(str(file), load_external_data=False)
    graph = model.graph
    dim = len(projection.bias)
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    mark = next(f"head{at}" for at in range(len(taken) + 1) if f"head{at}.vectors" not in taken)
    constants = {
        "ones": np.ones((dim, 1), np.float32),
        "weight": np.ascontiguousarray(projection.weight.T),
        "bias": projection.bias,
    }
    graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.float32), f"{mark}.{name}") for name, value in constants.items()
    )
    nodes: list[Any] = []

    def add(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def unit(vectors: str, name: str) -> str:
        squares = add("Mul", (vectors, vectors), f"{mark}.{name}.squares")
        sums = add("MatMul", (squares, f"{mark}.ones"), f"{mark}.{name}.sums")
        return add("Div", (vectors, add("Sqrt", (sums,), f"{mark}.{name}.lengths")), f"{mark}.{name}")

    first = graph.output[0]
    vectors = add("Cast", (first.name,), f"{mark}.float", to=TensorProto.FLOAT)
    turned = add("MatMul", (unit(vectors, "before"), f"{mark}.weight"), f"{mark}.turned")
    result = unit(add("Add", (turned, f"{mark}.bias"), f"{mark}.moved"), "vectors")
    graph.node.extend(nodes)
    sizes = first.type.tensor_type.shape.dim
    n = (sizes[0].dim_value or sizes[0].dim_param or None) if sizes else None
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, [n, dim]))
    file.unlink()  # it may be a link to the base's own
    onnx.save(model, str(file))


def _run(file: Path, probe: Mapping[str, NDArray[Any]]) -> Vectors:
    """The first output of a graph, rows of unit length; each input takes the probe of its name, else the one ``""``."""
    session = open_session(file, runtime="onnxruntime")
    vectors = session.run({port.name: probe.get(port.name, probe[""]) for port in session.inputs})
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit
