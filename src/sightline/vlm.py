"""`hf:FOLDER` or `hf:REPO`: answers by a vision-language model of transformers on this machine; nothing leaves it.

Any `image-text-to-text` checkpoint with a chat template whose pictures can be prepared without torchvision: Idefics 3
and SmolVLM, LLaVA, Qwen 2-VL and others. Weights are read from safetensors, no code of a checkpoint is run, nothing is
fetched. torch and transformers are imported when used (extra `vlm`).

    model = LocalVLM("./SmolVLM-256M-Instruct", settings())
    "".join(model.generate("What colour is the bus?", photos.search("a bus", k=3)))
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sightline import replies
from sightline.config import Settings
from sightline.errors import CorruptModel, GeneratorError, MissingExtra, ModelError, UnknownModel
from sightline.prompting import Part, prompt
from sightline.schema import Hit

MAX_SHOWN = 8
"""Hits whose pictures it is shown: each costs hundreds of tokens, and memory."""


class LocalVLM:
    """A Generator. The model is loaded by the first answer; answers are written one at a time.

    Raises UnknownModel when the checkpoint is not on this machine, CorruptModel when it has no weights in safetensors,
    ModelError for code of its own, MissingExtra without torch and transformers.
    """

    def __init__(self, place: str, settings: Settings) -> None:
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtra("vlm", f"hf:{place}")
        self.name = f"hf:{place}"
        self._folder = _found(place)
        _check(self._folder)
        self._side, self._tokens = settings.generator_side, settings.generator_tokens
        self._device, self._precision = settings.device, settings.precision
        self._loaded: tuple[Any, Any] | None = None
        self._alone = threading.Lock()

    def generate(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        """Text as it streams, [n] citing `hits[n - 1]`. Raises GeneratorError, also after what was yielded.

        An answer that reaches `generator_tokens` breaks off there.
        """
        model, processor = self._load()
        told = prompt(question, hits, shown=MAX_SHOWN, side=self._side)
        inputs = _inputs(processor, [told.rules(structured=False), *told.parts])
        _check_length(model, inputs, self._tokens)
        said = False
        for text in replies.spoken(self._pieces(model, processor, inputs)):
            said = True
            yield text
        if not said:
            raise GeneratorError(f"{self.name} said nothing", hint="choose another model")

    def _load(self) -> tuple[Any, Any]:
        with self._alone:
            if self._loaded is None:
                self._loaded = _open(self._folder, self._device, self._precision)
            return self._loaded

    def _pieces(self, model: Any, processor: Any, inputs: Mapping[str, Any]) -> Iterator[str]:
        """New text as the model writes it in a thread of its own, which ends with this iterator."""
        from transformers import TextIteratorStreamer

        streamer = TextIteratorStreamer(processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
        run = _Run(model, inputs, streamer, self._tokens, self._alone)
        run.start()
        try:
            yield from streamer
        finally:
            run.stop()
        if run.error is not None:
            raise GeneratorError(f"{self.name} failed: {_line(run.error)}", hint=_SMALLER) from run.error
        if run.is_cut:
            raise GeneratorError(
                f"{self.name} was cut at its limit of {self._tokens} tokens", hint="raise SIGHTLINE_GENERATOR_TOKENS"
            )


_SMALLER = "ask with a smaller k, set SIGHTLINE_GENERATOR_SIDE lower, or choose a smaller model"


class _Run(threading.Thread):
    """One answer. `error`: what it failed with; `is_cut`: it reached the limit of tokens before its end."""

    def __init__(self, model: Any, inputs: Mapping[str, Any], streamer: Any, limit: int, alone: threading.Lock) -> None:
        super().__init__(name="sightline-vlm", daemon=True)
        self._model, self._inputs, self._streamer, self._limit, self._alone = model, inputs, streamer, limit, alone
        self._enough = threading.Event()
        self.error: Exception | None = None
        self.is_cut = False

    def run(self) -> None:
        try:
            with self._alone:
                self._write()
        except Exception as error:  # whatever it is, it belongs to the one who waits for the text
            self.error = error
            self._streamer.on_finalized_text("", stream_end=True)

    def stop(self) -> None:
        """Ends it with the token that is being made."""
        self._enough.set()
        self.join()

    def _write(self) -> None:
        import torch

        def enough(input_ids: Any, scores: Any, **_: Any) -> Any:
            return torch.full((len(input_ids),), self._enough.is_set(), device=input_ids.device)

        with _quiet():
            ids = self._model.generate(
                **self._inputs,
                streamer=self._streamer,
                max_new_tokens=self._limit,
                do_sample=False,
                stopping_criteria=[enough],
            )
        ends = self._model.generation_config.eos_token_id
        written = ids.shape[1] - self._inputs["input_ids"].shape[1]
        self.is_cut = written >= self._limit and int(ids[0, -1]) not in (ends if isinstance(ends, list) else [ends])


# ---- finding and opening -------------------------------------------------------------------------------------------


def _found(place: str) -> Path:
    """The folder itself, or the snapshot that `hf download` put into the hub's own cache."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(place, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise UnknownModel(
            f"there is no folder {place}, and no such model in the hub's cache",
            hint=f"give a folder, or fetch it first: hf download {place}",
        ) from None


def _check(folder: Path) -> None:
    config = _json(folder / "config.json")
    if not any(folder.glob("*.safetensors")):
        pickled = next((file.name for file in sorted(folder.glob("*.bin"))), "")
        said = f"; {pickled} is a pickle, which may run code when it is read" if pickled else ""
        raise CorruptModel(f"{folder} has no weights in safetensors{said}", hint="choose a repository that has them")
    from transformers import CONFIG_MAPPING

    kind = str(config.get("model_type"))
    if kind not in CONFIG_MAPPING:
        own = " and brings its own code, which is not run" if "auto_map" in config else ""
        raise ModelError(
            f"{folder.name} is a {kind} model, which this transformers does not know{own}", hint="choose another model"
        )


def _open(folder: Path, device: str | None, precision: str | None) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForImageTextToText

    where = device if device in ("cpu", "cuda", "mps") else "cuda" if torch.cuda.is_available() else "cpu"
    kind = torch.bfloat16 if precision == "bf16" or (precision is None and where == "cuda") else torch.float32
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with _quiet():
        try:
            processor = _processor(folder, local)
            model, info = AutoModelForImageTextToText.from_pretrained(
                folder, dtype=kind, use_safetensors=True, output_loading_info=True, **local
            )
        except Exception as error:  # transformers and safetensors raise many kinds
            raise ModelError(f"{folder} cannot be opened: {_line(error)}", hint="choose another model") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise CorruptModel(f"{folder} has no weights for {missing[0]} and {len(missing) - 1} others")
    if not getattr(processor, "chat_template", None):
        raise ModelError(f"{folder} has no chat template", hint="choose a model that is trained to follow instructions")
    return model.to(where).eval(), processor


def _processor(folder: Path, local: Mapping[str, Any]) -> Any:
    """What turns texts and pictures into tokens, its pictures by Pillow."""
    from transformers import AutoConfig, AutoProcessor
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    kind = PROCESSOR_MAPPING.get(type(AutoConfig.from_pretrained(folder, **local)), None)
    kind = AutoProcessor if kind is None else _without_videos(kind)
    return kind.from_pretrained(folder, backend="pil", **local)


def _without_videos(kind: Any) -> Any:
    """The same processor without its part for videos: that wants torchvision, and nobody shows it a video."""

    class Pictures(kind):  # type: ignore[misc]
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if "video" not in name]

    Pictures.__name__ = kind.__name__  # transformers goes by it
    return Pictures


def _inputs(processor: Any, parts: Sequence[Part]) -> Mapping[str, Any]:
    content = [_content(part) for part in parts]
    with _quiet():
        found: Mapping[str, Any] = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
    return found


def _content(part: Part) -> dict[str, Any]:
    return {"type": "text", "text": f"{part}\n\n"} if isinstance(part, str) else {"type": "image", "image": part}


def _check_length(model: Any, inputs: Mapping[str, Any], more: int) -> None:
    """Beyond its positions a model writes nonsense, or fails in the depths of a kernel."""
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    tokens = int(inputs["input_ids"].shape[1])
    if isinstance(longest, int) and tokens + more > longest:
        raise GeneratorError(
            f"question and pictures are {tokens} tokens, the answer up to {more}; the model takes {longest} in all",
            hint=_SMALLER,
        )


def _json(file: Path) -> dict[str, Any]:
    try:
        seen = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptModel(f"{file} is not readable as JSON: {_line(error)}") from error
    return seen if isinstance(seen, dict) else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """The progress bars, load reports and advice of transformers are for other people."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
