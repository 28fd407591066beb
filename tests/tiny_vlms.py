"""Vision-language checkpoints as `save_pretrained` leaves them: true architectures, tiny, random weights.

What they say is noise, always the same for the same pictures and words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_folders import CORPUS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.5,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 16,
}
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def llava(folder: Path, **text: Any) -> Path:
    """LLaVA 1.5's architecture: a CLIP tower, a projection, a Llama. A picture is 4 tokens."""
    from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = _tokenizer(["<begin>", "<end>", "<image>"])
    config = LlavaConfig(
        text_config={**TEXT, "vocab_size": len(tokenizer), **text},
        vision_config={**VISION, "model_type": "clip_vision_model", "projection_dim": 16},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
        vision_feature_layer=-1,
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    )
    return _saved(folder, LlavaForConditionalGeneration, config, processor)


def idefics(folder: Path, **text: Any) -> Path:
    """Idefics 3's architecture, SmolVLM's too: a SigLIP tower, pixel shuffle, a Llama. A picture is 4 tokens."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    rows = [f"<row_{row + 1}_col_{col + 1}>" for row in range(6) for col in range(6)]
    own = ["<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *rows]
    tokenizer = _tokenizer(["<begin>", "<end>", "<image>", *own])
    config = Idefics3Config(
        text_config={**TEXT, "vocab_size": len(tokenizer), **text},
        vision_config={**VISION, "patch_size": 8},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=TEMPLATE)
    return _saved(folder, Idefics3ForConditionalGeneration, config, processor)


def qwen(folder: Path, **text: Any) -> Path:
    """Qwen 2-VL's architecture, its files as a repository has them; it can take videos too."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLImageProcessorPil

    own = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = _tokenizer(["<begin>", "<end>", *own], image="<|image_pad|>")
    start, end, image, video = tokenizer.convert_tokens_to_ids(list(own))
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]}
    words = {**TEXT, "model_type": "qwen2_vl_text", "vocab_size": len(tokenizer), "rope_parameters": rope, **text}
    eyes = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 8}
    config = Qwen2VLConfig(
        text_config=words,
        vision_config={**eyes, "spatial_merge_size": 2, "temporal_patch_size": 2},
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    pictures = Qwen2VLImageProcessorPil(
        patch_size=8, temporal_patch_size=2, merge_size=2, min_pixels=32 * 32, max_pixels=32 * 32
    )
    _saved(folder, Qwen2VLForConditionalGeneration, config, tokenizer)
    pictures.save_pretrained(folder)
    template = TEMPLATE.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")
    (folder / "chat_template.jinja").write_text(template)
    return folder


def _tokenizer(special: Sequence[str], *, image: str = "<image>") -> Any:
    """Bytes and a few merges; the special tokens come first: begin 0, end 1."""
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=500, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
        ),
    )
    names = {"bos_token": "<begin>", "eos_token": "<end>", "pad_token": "<end>", "image_token": image}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def _saved(folder: Path, kind: Any, config: Any, processor: Any) -> Path:
    """`processor`: or the tokenizer alone."""
    import torch
    from transformers.utils import logging

    torch.manual_seed(0)
    model = kind(config).eval()
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    logging.enable_progress_bar()
    processor.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 1, "pad_token_id": 1}))
    return folder
