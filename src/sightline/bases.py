"""What torch can train further: a CLIP or SigLIP checkpoint folder of transformers, and its way to a model folder.

Pictures and texts are prepared by the code that prepares them when the result is used, so that training and use cannot
differ. Weights are read from safetensors alone; nothing is unpickled. torch and transformers are imported when used.

    base = open_base(Path("clip-vit-base-patch32"), Path("scratch"))
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.encoders.clip import ClipEncoder
from sightline.encoders.folder import INTERPOLATIONS, TOKENIZER, ModelCard, Preprocessing
from sightline.errors import CorruptModel, MissingExtra, ModelError, UsageError
from sightline.pairs import Pairs, Pixels, Places
from sightline.schema import Vectors
from sightline.train import backward_in_chunks, contrastive_loss, export_model_folder, sigmoid_loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

KINDS = {"clip": "CLIPModel", "siglip": "SiglipModel"}
"""`model_type` of config.json -> the class of transformers. SigLIP 2 of fixed size calls itself siglip."""
NEEDED = "config.json, model.safetensors and tokenizer.json"
PRECISIONS = ("auto", "f32", "bf16")
LORA_LAYERS = r".*\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])"
_PIL = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}  # PIL.Image.Resampling
_ENCODED = 32  # rows in one pass when nothing is learnt


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A checkpoint in torch. `encoder` only prepares pictures and texts: it has no graphs yet."""

    model: Any
    kind: str
    encoder: ClipEncoder
    config: Mapping[str, Any]
    preprocess: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.encoder.name


def is_checkpoint(folder: Path) -> bool:
    """Whether this is a checkpoint of transformers, of whatever kind, rather than a model folder."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and "model_type" in config and "embed_dim" not in config


def check_base(folder: Path) -> str:
    """The fingerprint of a checkpoint's weights, nothing loaded.

    Raises ModelError for an architecture that cannot be trained, CorruptModel when weights or other files are missing.
    """
    _kind(folder)
    _check_files(folder)
    digests = []
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as data:
            digests.append(hashlib.file_digest(data, "sha256").hexdigest())
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def open_base(folder: Path, scratch: Path) -> Base:
    """Loads a checkpoint; its tokenizer and sizes are written to `scratch` in the form of a model folder.

    Raises as `check_base` does, CorruptModel for what cannot be read, MissingExtra without torch and transformers.
    """
    kind = _kind(folder)
    model = _load(folder, kind)
    vision, text = model.config.vision_config, model.config.text_config
    preprocess = _preprocess_of(folder, kind, int(vision.image_size))
    canonical = {"clean": "canonicalize"} if kind == "siglip" else {}
    context = int(text.max_position_embeddings)
    dim = int(model.config.projection_dim if kind == "clip" else vision.hidden_size)
    config = {
        "embed_dim": dim,
        "vision_cfg": {"image_size": int(vision.image_size)},
        "text_cfg": {
            "context_length": context,
            "vocab_size": int(text.vocab_size),
            "tokenizer_kwargs": canonical,
        },
    }
    card = ModelCard(
        name=folder.resolve().name,
        dim=dim,
        fingerprint="",
        preprocess=Preprocessing(
            size=preprocess["size"],
            mean=tuple(preprocess["mean"]),
            std=tuple(preprocess["std"]),
            interpolation=preprocess["interpolation"],
            resize_mode=preprocess["resize_mode"],
            context_length=context,
            canonicalize=bool(canonical),
        ),
        pad_token=_pad_token(folder),
        folder=scratch,
        licence=None,
        bytes=0,
    )
    (scratch / TOKENIZER).parent.mkdir(parents=True, exist_ok=True)
    (scratch / TOKENIZER).write_bytes((folder / "tokenizer.json").read_bytes())
    return Base(model, kind, ClipEncoder(card), config, preprocess)


def export(base: Base, folder: Path, facts: Mapping[str, Any]) -> None:
    """Writes the model as it is now as a model folder; raises ExportMismatch where ONNX Runtime sees another model."""
    image, text = sides(base.model.eval())
    card = base.encoder.card
    export_model_folder(
        folder,
        image_tower=image,
        text_tower=text,
        config=base.config,
        preprocess=base.preprocess,
        tokenizer_json=(card.folder / TOKENIZER).read_text(encoding="utf-8"),
        pad_token=card.pad_token,
        model=facts,
    )


def sides(model: Any) -> tuple[nn.Module, nn.Module]:
    """The two towers: normalised pixels (n, 3, S, S) and token ids (n, context) -> vectors (n, dim), any length."""
    torch = _torch()

    class Image(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, image: Tensor) -> Any:
            return self.model.get_image_features(pixel_values=image).pooler_output

    class Text(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, text: Tensor) -> Any:
            return self.model.get_text_features(input_ids=text).pooler_output

    return Image(), Text()


def add_lora(base: Base, rank: int) -> Any:
    """Low-rank matrices beside the attention and MLP layers (LoRA, arXiv:2106.09685); all else is frozen.

    Returns peft's model; its `merge_and_unload()` adds them to the weights of `base` for good.
    """
    try:
        import peft
    except ImportError as error:
        raise MissingExtra("train", "--method lora") from error
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=LORA_LAYERS)
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 by a name that goes away in 6
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        return peft.get_peft_model(base.model, config)


def autocast_type(precision: str, device: str) -> Any:
    """bfloat16 where it is asked for, or where the machine multiplies it in hardware; None for float32.

    A CPU without such units computes in bfloat16 several times slower, so `auto` looks for them.
    """
    torch = _torch()
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r} is unknown", hint=f"choose one of {', '.join(PRECISIONS)}")
    if precision == "auto" and device == "cpu":
        units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        has = any(getattr(torch.cpu, name, bool)() for name in units)
    else:
        has = precision == "bf16" or (precision == "auto" and bool(torch.cuda.is_bf16_supported()))
    return torch.bfloat16 if has else None


class TorchLearner:
    """A base learning from pixels and captions, all of it or what `add_lora` added.

    `chunk` rows at a time go through the towers, whatever the batch (gradient caching); None: the batch at once.
    """

    def __init__(
        self, base: Base, pairs: Pairs, pixels: Pixels, *, chunk: int | None, precision: str, device: str
    ) -> None:
        torch = _torch()
        self._torch, self._base, self._device, self._chunk = torch, base, device, chunk
        self._autocast = autocast_type(precision, device)
        self._array = pixels.array
        self._rows = np.array([pixels.places[ident] for ident in pairs.ids])
        self._tokens = torch.from_numpy(_tokens(base.encoder, pairs.lines))
        self._model = base.model.to(device)
        self._image_side, self._text_side = sides(self._model)
        preprocess = base.encoder.card.preprocess
        mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
        self._scale = (1 / (255 * std)).to(device)[:, None, None]
        self._shift = (-mean / std).to(device)[:, None, None]

    @property
    def precision(self) -> str:
        return "f32" if self._autocast is None else "bf16"

    def trainable(self) -> dict[str, nn.Parameter]:
        return {name: one for name, one in self._model.named_parameters() if one.requires_grad}

    def backward(self, items: Places, lines: Places, same: NDArray[np.bool_]) -> float:
        self._model.train()
        pixels, tokens = self._pixels(items), self._tokens[lines]
        mask = self._torch.from_numpy(same).to(self._device)

        def loss_of(images: Tensor, texts: Tensor) -> Tensor:
            return self._loss(images, texts, mask)

        if self._chunk is not None and self._chunk < len(items):
            loss = backward_in_chunks((self._images, self._texts), (pixels, tokens), loss_of, chunk=self._chunk)
        else:
            loss = loss_of(self._images(pixels), self._texts(tokens))
            loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def vectors(self, items: Places, lines: Places) -> tuple[Vectors, Vectors]:
        self._model.eval()
        with self._torch.no_grad():
            images = [self._unit(self._images(self._pixels(part), exact=True)) for part in _parts(items)]
            texts = [self._unit(self._texts(self._tokens[part], exact=True)) for part in _parts(lines)]
        return np.concatenate(images), np.concatenate(texts)

    def prepared(self, items: Places) -> list[NDArray[np.uint8]]:
        return list(self._array[self._rows[items]])

    def _pixels(self, items: Places) -> Tensor:
        pixels: Tensor = self._torch.from_numpy(self._array[self._rows[items]])  # (n, S, S, 3)
        return pixels

    def _images(self, pixels: Tensor, *, exact: bool = False) -> Tensor:
        planes = pixels.to(self._device).permute(0, 3, 1, 2).float() * self._scale + self._shift
        with self._mixed(exact):
            vectors: Tensor = self._image_side(planes)
        return vectors.float()

    def _texts(self, tokens: Tensor, *, exact: bool = False) -> Tensor:
        with self._mixed(exact):
            vectors: Tensor = self._text_side(tokens.to(self._device))
        return vectors.float()

    def _mixed(self, exact: bool) -> Any:
        if exact or self._autocast is None:
            return nullcontext()
        return self._torch.autocast(self._device.partition(":")[0], dtype=self._autocast)

    def _loss(self, images: Tensor, texts: Tensor, same: Tensor) -> Tensor:
        scale = self._model.logit_scale.exp()
        if self._base.kind == "siglip":
            return sigmoid_loss(images, texts, scale=scale, bias=self._model.logit_bias, same=same)
        return contrastive_loss(images, texts, scale=scale.clamp(max=100.0), same=same)

    def _unit(self, vectors: Tensor) -> Vectors:
        unit: Vectors = self._torch.nn.functional.normalize(vectors, dim=-1).cpu().numpy()
        return unit


def _parts(places: Places) -> Sequence[Places]:
    return [places[start : start + _ENCODED] for start in range(0, len(places), _ENCODED)]


def _tokens(encoder: ClipEncoder, lines: Sequence[str]) -> NDArray[np.int32]:
    parts = [encoder.tokenize(lines[start : start + 1024])[0] for start in range(0, len(lines), 1024)]
    return np.concatenate(parts).astype(np.int32)


# ---- a checkpoint's files -------------------------------------------------------------------------------------


def _kind(folder: Path) -> str:
    kind = str(_json(folder, "config.json").get("model_type"))
    if kind not in KINDS:
        raise ModelError(
            f"{folder.name} is a {kind} model; CLIP and SigLIP checkpoints can be trained",
            hint="a model of another kind can have a head, once it is a model folder",
        )
    return kind


def _check_files(folder: Path) -> None:
    weights = any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json"))
    if not weights:
        pickled = [name for name in ("pytorch_model.bin", "pytorch_model.bin.index.json") if (folder / name).exists()]
        said = f"; {pickled[0]} is a pickle, which may run code when it is read" if pickled else ""
        raise CorruptModel(
            f"{folder} has no weights: model.safetensors is missing{said}", hint=f"a base needs {NEEDED} in its folder"
        )
    if not (folder / "tokenizer.json").is_file():
        raise CorruptModel(f"{folder} has no tokenizer.json", hint=f"a base needs {NEEDED} in its folder")


def _load(folder: Path, kind: str) -> Any:
    _torch()
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("train", "training") from error
    with _quiet(transformers):
        try:
            model, info = getattr(transformers, KINDS[kind]).from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype="float32"
            )
        except Exception as error:  # transformers and safetensors raise many kinds
            raise CorruptModel(f"{folder} cannot be loaded: {str(error).splitlines()[0][:200]}") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise CorruptModel(f"{folder} has no weights for {missing[0]} and {len(missing) - 1} others")
    return model.eval()


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Its progress bar and its load report are for other people."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _preprocess_of(folder: Path, kind: str, size: int) -> dict[str, Any]:
    """The preprocessing that the checkpoint asks for, in the words of a model folder."""
    seen: dict[str, Any] = {}
    if (folder / "preprocessor_config.json").is_file():
        seen = _json(folder, "preprocessor_config.json")
    elif (folder / "processor_config.json").is_file():
        seen = _json(folder, "processor_config.json").get("image_processor") or {}
    half = [0.5, 0.5, 0.5]
    openai = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    mean, std = (half, half) if kind == "siglip" else openai
    crop = bool(seen.get("do_center_crop", kind == "clip"))
    interpolation = _PIL.get(seen.get("resample", 3), "")
    if interpolation not in INTERPOLATIONS:
        raise CorruptModel(f"preprocessor_config.json: resample is {seen.get('resample')!r}")
    return {
        "size": size,
        "mean": [float(value) for value in seen.get("image_mean") or mean],
        "std": [float(value) for value in seen.get("image_std") or std],
        "interpolation": interpolation,
        "resize_mode": "shortest" if crop else "squash",
    }


def _pad_token(folder: Path) -> str:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        seen = _json(folder, name).get("pad_token") if (folder / name).is_file() else None
        token = seen.get("content") if isinstance(seen, dict) else seen
        if isinstance(token, str):
            return token
    raise CorruptModel(f"{folder}: neither tokenizer_config.json nor special_tokens_map.json names the pad_token")


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        seen = json.loads((folder / name).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptModel(f"{folder / name} is not readable as JSON: {error}") from error
    if not isinstance(seen, dict):
        raise CorruptModel(f"{folder / name}: expected a JSON object")
    return seen


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("train", "training") from error
    return torch
