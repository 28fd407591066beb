"""Model folders for tests and benchmarks: hand-made graphs (milliseconds) and true CLIP with random weights (seconds).

`hand_folder` needs `onnx` alone, and its vectors can be computed by hand. `clip_folder` exports transformers' CLIPModel
through `train.export_model_folder`, the road that users' models take.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
START, END = "<|startoftext|>", "<|endoftext|>"

# Real sizes of ViT-B/32 are transformers' defaults; this one exports in seconds and has the same operators.
TINY: dict[str, Any] = {
    "text_config": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "projection_dim": 48,
    },
    "vision_config": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "image_size": 64,
        "patch_size": 16,
        "projection_dim": 48,
    },
    "projection_dim": 48,
}

CORPUS = (
    "a road with a stop sign in the city at night, a small brown dog beside a red car",
    "two people walk over the crossing while a yellow taxi waits at the traffic light",
    "the children's birthday party: cakes, candles and balloons in the garden, 1234567890",
    "don't they've we'll I'm he'd it's you're; sunset over the sea (2024-06-17) – 35 mm, f/2.8!",
    "ein kleiner brauner Hund läuft über die Straße, un café près de la forêt, el niño y la señora",
    "собака бежит по снегу, 一只小狗在草地上奔跑, 公园里的孩子, قطة على الأريكة, חתול על הספה, 犬が走る",
)


SIGLIP_END = "</s>"
SIGLIP_CONTEXT = 16


def clip_tokenizer(texts: Sequence[str] = CORPUS, *, vocabulary: int = 1200) -> Tokenizer:
    """CLIP's tokenizer with an own vocabulary: its normaliser, pre-tokeniser, `</w>` and order of the vocabulary.

    256 bytes, the same 256 with `</w>`, merges learned from `texts`, then the two special tokens, as in
    openai/CLIP's simple_tokenizer.py.
    """
    trained = _clip_frame(models.BPE(end_of_word_suffix="</w>"))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - 258, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    tokens = [*alphabet, *(symbol + "</w>" for symbol in alphabet), *("".join(pair) for pair in merges), START, END]
    ids = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    whole = _clip_frame(models.BPE(vocab=ids, merges=merges, end_of_word_suffix="</w>", unk_token=END))
    whole.add_special_tokens([START, END])
    whole.post_processor = processors.RobertaProcessing(
        (END, ids[END]), (START, ids[START]), trim_offsets=False, add_prefix_space=False
    )
    return whole


def _clip_frame(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    pieces = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer


def clip_model(config: Mapping[str, Any], tokenizer: Tokenizer, *, seed: int = 0) -> Any:
    """transformers' CLIPModel in eval mode; the same seed gives the same weights.

    The embeddings are spread out a little (the initialisation alone puts all texts within a cosine of 0.999), so that
    a wrong token or pixel shows.
    """
    import torch
    from transformers import CLIPConfig, CLIPModel

    start, end = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    text = {"vocab_size": tokenizer.get_vocab_size(), **ids, **config.get("text_config", {})}
    torch.manual_seed(seed)
    model = CLIPModel(CLIPConfig(**{**config, "text_config": text}))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embedding" in name:
                weight.mul_(20)
    return model.eval()


def clip_folder(folder: Path, config: Mapping[str, Any] = TINY, *, seed: int = 0, name: str | None = None) -> Path:
    """A model folder of the true CLIP architecture with random weights, checked against torch while it is written."""
    tokenizer = clip_tokenizer()
    model = clip_model(config, tokenizer, seed=seed)
    size = model.config.vision_config.image_size
    text = {"context_length": 77, "vocab_size": tokenizer.get_vocab_size()}
    return _exported(
        folder, model, tokenizer, END, text, preprocess_cfg(size), dim=model.config.projection_dim, name=name
    )


def siglip_model(tokenizer: Tokenizer, *, seed: int = 0) -> Any:
    """transformers' SiglipModel, two layers, 32 px, 32 dimensions, in eval mode."""
    import torch
    from transformers import SiglipConfig, SiglipModel

    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    end = tokenizer.token_to_id(SIGLIP_END)
    ids = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    text = {**small, **ids, "vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": SIGLIP_CONTEXT}
    torch.manual_seed(seed)
    vision = {**small, "image_size": 32, "patch_size": 8}
    return SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).eval()


def siglip_tokenizer() -> Tokenizer:
    """SigLIP's manner: pieces of a unigram model, an end token behind, the same token as padding."""
    from tokenizers import models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300,
        special_tokens=[SIGLIP_END, "<unk>"],
        unk_token="<unk>",  # noqa: S106 — a token of another kind
        show_progress=False,
    )
    tokenizer.train_from_iterator([text.lower() for text in CORPUS], trainer)
    end = (SIGLIP_END, tokenizer.token_to_id(SIGLIP_END))
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {SIGLIP_END}", special_tokens=[end])
    return tokenizer


def siglip_folder(folder: Path, *, seed: int = 0) -> Path:
    """A model folder of the true SigLIP architecture with random weights: squashed pictures, canonical texts."""
    tokenizer = siglip_tokenizer()
    text = {
        "context_length": SIGLIP_CONTEXT,
        "vocab_size": tokenizer.get_vocab_size(),
        "tokenizer_kwargs": {"clean": "canonicalize"},
    }
    half = [0.5, 0.5, 0.5]
    preprocess = preprocess_cfg(32, mean=half, std=half, resize_mode="squash")
    return _exported(folder, siglip_model(tokenizer, seed=seed), tokenizer, SIGLIP_END, text, preprocess, dim=32)


def _exported(
    folder: Path,
    model: Any,
    tokenizer: Tokenizer,
    pad_token: str,
    text: Mapping[str, Any],
    preprocess: Mapping[str, Any],
    *,
    dim: int,
    name: str | None = None,
) -> Path:
    """Both sides of a transformers model as a model folder."""
    import torch

    from sightline.train import export_model_folder

    class Side(torch.nn.Module):
        def __init__(self, encode: Callable[[torch.Tensor], Any], part: torch.nn.Module) -> None:
            super().__init__()
            self.encode, self.part = encode, part

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.encode(x).pooler_output

    with warnings.catch_warnings():
        # torch.export's own: copyreg calls a deprecated LeafSpec (torch 2.13)
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it says that torchvision is missing
        export_model_folder(
            folder,
            image_tower=Side(lambda x: model.get_image_features(pixel_values=x), model),
            text_tower=Side(lambda x: model.get_text_features(input_ids=x), model),
            config={
                "embed_dim": dim,
                "text_cfg": dict(text),
                "vision_cfg": {"image_size": model.config.vision_config.image_size},
            },
            preprocess=dict(preprocess),
            tokenizer_json=tokenizer.to_str(),
            pad_token=pad_token,
            model={"name": name or folder.name, "licence": "random weights"},
        )
    return folder


def tiny_clip_folder(folder: Path) -> Path:
    """`clip_folder` of a two-layer CLIP, 64 px, 48 dimensions, seed 0: about 15 s, so share it in a session fixture."""
    return folder if (folder / "model.json").exists() else clip_folder(folder)


def preprocess_cfg(size: int, **more: Any) -> dict[str, Any]:
    return {
        "size": size,
        "mean": list(MEAN),
        "std": list(STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
        **more,
    }


# Hand-made graphs


def hand_folder(
    folder: Path,
    *,
    size: int = 8,
    context: int = 8,
    resize_mode: str = "shortest",
    clean: str | None = None,
    with_mask: bool = False,
    ids: str = "int32",
    name: str | None = None,
) -> Path:
    """A whole model folder of dimension 4 in milliseconds.

    Picture: mean of the normalised red, green and blue plane, then 1. Text: how often it says red, green and blue (with
    `with_mask` divided by its length), then 1; the vocabulary is `WORDS`, other words are unknown. Mean 0 and std 1:
    a red picture is (1, 0, 0, 1) / sqrt(2), and so is the text "red".
    """
    (folder / "visual").mkdir(parents=True)
    (folder / "textual").mkdir()
    save_graph(folder / "visual" / "model.onnx", picture_graph(size))
    save_graph(folder / "textual" / "model.onnx", text_graph(context, with_mask=with_mask, ids=ids))
    text_cfg: dict[str, Any] = {"context_length": context}
    if clean is not None:
        text_cfg["tokenizer_kwargs"] = {"clean": clean}
    _write(folder / "config.json", {"embed_dim": 4, "text_cfg": text_cfg, "vision_cfg": {"image_size": size}})
    cfg = preprocess_cfg(size, mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 1.0], resize_mode=resize_mode)
    _write(folder / "visual" / "preprocess_cfg.json", cfg)
    word_tokenizer().save(str(folder / "textual" / "tokenizer.json"))
    _write(folder / "textual" / "tokenizer_config.json", {"pad_token": "[PAD]"})
    if name is not None:
        _write(folder / "model.json", {"name": name})
    return folder


WORDS = ("[PAD]", "[UNK]", "red", "green", "blue")


def word_tokenizer() -> Tokenizer:
    """One token per word, upper case and punctuation kept apart, so that cleaning shows."""
    numbers = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=WORDS[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def picture_graph(size: int, *, batch: int | str = "n") -> Any:
    """float32 (n, 3, S, S) -> (n, 4): channel means, then 1."""
    from onnx import TensorProto, helper

    return _graph(
        [
            helper.make_node("ReduceMean", ["image", "plane"], ["means"], keepdims=0),
            *_with_one("means"),
        ],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, size, size])],
        batch,
        {"plane": np.array([2, 3], np.int64)},
    )


def text_graph(context: int, *, with_mask: bool = False, ids: str = "int32") -> Any:
    """Token ids (n, context) -> (n, 4): counts of red, green and blue, with a mask their shares, then 1."""
    from onnx import TensorProto, helper

    kind = {"int32": TensorProto.INT32, "int64": TensorProto.INT64}[ids]
    table = np.zeros((len(WORDS), 3), np.float32)
    table[2:] = np.eye(3)
    name = "input_ids" if with_mask else "text"
    inputs = [helper.make_tensor_value_info(name, kind, ["n", context])]
    nodes = [helper.make_node("Gather", ["table", name], ["rows"])]
    if with_mask:
        inputs.append(helper.make_tensor_value_info("attention_mask", kind, ["n", context]))
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["real", "second"], ["count"], keepdims=1),
            helper.make_node("Max", ["count", "least"], ["divisor"]),
            helper.make_node("ReduceSum", ["rows", "second"], ["sums"], keepdims=0),
            helper.make_node("Div", ["sums", "divisor"], ["shares"]),
        ]
    else:
        nodes.append(helper.make_node("ReduceSum", ["rows", "second"], ["shares"], keepdims=0))
    constants = {"table": table, "second": np.array([1], np.int64), "least": np.array(1, np.float32)}
    used = {entry for node in nodes for entry in node.input}
    return _graph(
        [*nodes, *_with_one("shares")], inputs, "n", {key: value for key, value in constants.items() if key in used}
    )


def save_graph(file: Path, graph: Any) -> Path:
    import onnx

    onnx.checker.check_model(graph)
    onnx.save(graph, str(file))
    return file


def _with_one(name: str) -> list[Any]:
    """Appends a column of ones to `name` (n, 3): no input gives a zero vector."""
    from onnx import helper

    return [
        helper.make_node("Slice", [name, "from", "to", "axis"], ["first"]),
        helper.make_node("Mul", ["first", "nothing"], ["none"]),
        helper.make_node("Add", ["none", "one"], ["ones"]),
        helper.make_node("Concat", [name, "ones"], ["vectors"], axis=1),
    ]


def _graph(nodes: list[Any], inputs: list[Any], batch: int | str, constants: dict[str, np.ndarray]) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        **constants,
        "from": np.array([0], np.int64),
        "to": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
        "nothing": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "hand",
        inputs,
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [batch, 4])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _write(file: Path, value: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(value), encoding="utf-8")
