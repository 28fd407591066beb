"""The model folder: which files make a model, what they say, and whether they are whole. Reads no weights.

The layout is immich's (DESIGN: "Model folder"). Both `describe`, which a collection asks before a model is loaded, and
the encoder itself read folders through here, so that a file is judged once.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sightline.errors import CorruptModel

CONFIG = "config.json"
VISUAL = "visual/model.onnx"
PREPROCESS = "visual/preprocess_cfg.json"
TEXTUAL = "textual/model.onnx"
TOKENIZER = "textual/tokenizer.json"
TOKENIZER_CONFIG = "textual/tokenizer_config.json"
FACTS = "model.json"
FETCHED = "fetch.json"
REQUIRED = (CONFIG, VISUAL, PREPROCESS, TEXTUAL, TOKENIZER, TOKENIZER_CONFIG)

RESIZE_MODES = ("shortest", "squash")
INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")

_OURS = 1  # raised when the code that prepares pictures or texts changes what comes out


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pictures and texts become arrays. `size` in pixels; mean and std per channel, of pixels in [0, 1]."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    resize_mode: str
    context_length: int
    canonicalize: bool

    @property
    def digest(self) -> str:
        """First 64 bits of sha256 over all of it and over the version of our own code, as hex."""
        text = json.dumps({"version": _OURS, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model folder says of itself. `facts` is model.json, empty when there is none; `bytes` the size on disk."""

    name: str
    dim: int
    fingerprint: str
    preprocess: Preprocessing
    pad_token: str
    folder: Path
    licence: str | None
    bytes: int
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def preprocessing(self) -> str:
        """The digest that a collection remembers."""
        return self.preprocess.digest

    @property
    def context_length(self) -> int:
        return self.preprocess.context_length

    @property
    def image_size(self) -> int:
        return self.preprocess.size


def describe(folder: Path, *, cache_dir: Path | None = None) -> ModelCard:
    """Reads a model folder's small files; no weights are loaded.

    The fingerprint is sha256 over the sorted sha256s of config.json and of the files in visual/ and textual/;
    model.json, which may hold the fingerprint itself, and texts for people are no part of the model. Hashes are
    remembered in `cache_dir` by path, size and mtime. Raises CorruptModel naming the file that is missing or broken.
    """
    folder = folder.expanduser().resolve()
    check_whole(folder)
    config = _object(folder, CONFIG)
    facts = read_facts(folder)
    fetched = read_fetched(folder)
    licence = facts.get("licence") or fetched.get("licence")
    files = _model_files(folder)
    return ModelCard(
        name=str(fetched.get("name") or facts.get("name") or folder.name),
        dim=_positive(config.get("embed_dim"), f"{CONFIG}: embed_dim"),
        fingerprint=_fingerprint(files, cache_dir),
        preprocess=_preprocessing(config, _object(folder, PREPROCESS)),
        pad_token=_pad_token(_object(folder, TOKENIZER_CONFIG)),
        folder=folder,
        licence=str(licence) if licence else None,
        bytes=sum(file.stat().st_size for file in files),
        facts=facts,
    )


def check_whole(folder: Path) -> None:
    """Raises CorruptModel when a required file is missing."""
    missing = [name for name in REQUIRED if not (folder / name).is_file()]
    if missing:
        raise CorruptModel(
            f"{folder} is not a whole model folder: {', '.join(missing)} missing",
            hint=f"a model folder has {', '.join(REQUIRED)}; fetch or export it again",
        )


def read_facts(folder: Path) -> dict[str, Any]:
    """model.json, empty when there is none. Raises CorruptModel when it is no JSON object."""
    return _object(folder, FACTS) if (folder / FACTS).exists() else {}


def read_fetched(folder: Path) -> dict[str, Any]:
    """What `sightline models fetch` recorded beside a model: repo, commit, licence, files. Empty for other folders."""
    return _object(folder, FETCHED) if (folder / FETCHED).exists() else {}


def _object(folder: Path, name: str) -> dict[str, Any]:
    try:
        seen = json.loads((folder / name).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(name, f"not readable as JSON: {error}") from error
    if not isinstance(seen, dict):
        raise _broken(name, f"expected a JSON object, seen {type(seen).__name__}")
    return seen


def _preprocessing(config: Mapping[str, Any], cfg: Mapping[str, Any]) -> Preprocessing:
    text = config.get("text_cfg") or {}
    if not isinstance(text, dict):
        raise _broken(CONFIG, f"text_cfg is {text!r}, expected an object")
    kwargs = text.get("tokenizer_kwargs") or {}
    return Preprocessing(
        size=_side(cfg.get("size")),
        mean=_channels(cfg, "mean"),
        std=_channels(cfg, "std"),
        interpolation=_one_of(cfg, "interpolation", INTERPOLATIONS, "bicubic"),
        resize_mode=_one_of(cfg, "resize_mode", RESIZE_MODES, "shortest"),
        context_length=_positive(text.get("context_length", 77), f"{CONFIG}: text_cfg.context_length"),
        canonicalize=isinstance(kwargs, dict) and kwargs.get("clean") == "canonicalize",
    )


def _side(size: Any) -> int:
    sides = size if isinstance(size, list) and size else [size]
    if any(side != sides[0] for side in sides):
        raise _broken(PREPROCESS, f"size is {size!r}, expected a square")
    return _positive(sides[0], f"{PREPROCESS}: size")


def _channels(cfg: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    seen = cfg.get(name)
    numbers = isinstance(seen, list) and len(seen) == 3 and all(isinstance(x, int | float) for x in seen)
    if not isinstance(seen, list) or not numbers or (name == "std" and min(seen) <= 0):
        raise _broken(PREPROCESS, f"{name} is {seen!r}, expected three numbers{' above 0' if name == 'std' else ''}")
    return float(seen[0]), float(seen[1]), float(seen[2])


def _one_of(cfg: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    seen = str(cfg.get(name, default)).lower()
    if seen not in choices:
        raise _broken(PREPROCESS, f"{name} is {seen!r}, expected one of {', '.join(choices)}")
    return seen


def _positive(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _broken(where, f"seen {value!r}, expected a positive number")
    return value


def _pad_token(cfg: Mapping[str, Any]) -> str:
    seen = cfg.get("pad_token")
    token = seen.get("content") if isinstance(seen, dict) else seen  # older files hold an AddedToken
    if not isinstance(token, str):
        raise _broken(TOKENIZER_CONFIG, f"pad_token is {seen!r}, expected a string")
    return token


def _broken(name: str, reason: str) -> CorruptModel:
    return CorruptModel(f"{name}: {reason}", hint="fetch or export the model again")


def _model_files(folder: Path) -> list[Path]:
    """config.json and every file in visual/ and textual/, external weights included; no hidden ones, no deeper ones."""
    sides = [file for part in ("visual", "textual") for file in sorted((folder / part).iterdir())]
    return [folder / CONFIG, *(file for file in sides if file.is_file() and not file.name.startswith("."))]


def _fingerprint(files: list[Path], cache_dir: Path | None) -> str:
    store = None if cache_dir is None else cache_dir / "fingerprints.json"
    known = _load_known(store)
    digests, changed = [], False
    for file in files:
        stat = file.stat()
        key, seen = str(file), [stat.st_size, stat.st_mtime_ns]
        entry = known.get(key)
        if not (isinstance(entry, list) and len(entry) == 3 and entry[:2] == seen):
            with file.open("rb") as data:
                entry = [*seen, hashlib.file_digest(data, "sha256").hexdigest()]
            known[key], changed = entry, True
        digests.append(str(entry[2]))
    if store is not None and changed:
        _save_known(store, known)
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _load_known(store: Path | None) -> dict[str, Any]:
    if store is None:
        return {}
    try:
        seen = json.loads(store.read_bytes())
    except (OSError, ValueError, RecursionError):  # a cache: whatever is wrong with it, hashing again mends it
        return {}
    return seen if isinstance(seen, dict) else {}


def _save_known(store: Path, known: dict[str, Any]) -> None:
    """Whole or not at all; two writers at once lose at most an entry. A cache that cannot be written is no error."""
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=store.parent, prefix=".fingerprints-")
        with os.fdopen(handle, "w") as out:
            json.dump({key: entry for key, entry in known.items() if os.path.exists(key)}, out)
        os.replace(fresh, store)
    except OSError:
        return
