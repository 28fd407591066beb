"""Encoders: texts and pictures -> unit vectors in one space. The seam, the table of known models, and how one is found.

Importing this is cheap: runtimes and tokenizers load with the first vector. To add a model, put a model folder
anywhere and name it; to add a kind of encoder, pass an object that fits `Encoder`.

    encoder = load_encoder("pocket", models_dir=settings().models_dir)
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sightline.encoders.fetch import Fetched, Plan, fetch
from sightline.encoders.folder import ModelCard, check_whole, describe, read_facts, read_fetched
from sightline.errors import CorruptModel, UnknownModel
from sightline.schema import Modality, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

    from sightline.encoders.clip import ClipEncoder
    from sightline.hub import HubFile

__all__ = [
    "DEFAULT",
    "MODELS",
    "POCKET",
    "Encoder",
    "Fetched",
    "KnownModel",
    "ModelCard",
    "Plan",
    "PreparingEncoder",
    "choose_default",
    "describe",
    "fetch_model",
    "find_model",
    "load_encoder",
]

DEFAULT = "ViT-L-14__openai"
POCKET = "pocket"
RECOMMENDED = "ViT-B-16-SigLIP2__webli"
_FASTEST = "ViT-B-32__laion2b-s34b-b79k"


@runtime_checkable
class Encoder(Protocol):
    """Rows float32 (n, dim), unit L2 norm, in the order of the input; an empty input gives (0, dim).

    `fingerprint` changes when, and only when, the vectors may: collections remember it. `image` is always RGB.
    """

    name: str
    dim: int
    fingerprint: str

    @property
    def modalities(self) -> frozenset[Modality]: ...
    def encode_text(self, texts: Sequence[str]) -> Vectors: ...
    def encode_image(self, images: Sequence[Image]) -> Vectors: ...


@runtime_checkable
class PreparingEncoder(Encoder, Protocol):
    """An encoder whose preprocessing may run in decode threads, ahead of the forward passes.

    `encode_image(images)` equals `encode_prepared([prepare_image(image) for image in images])`. `image_target` is the
    `target` that `media.decode` is given: pixels of the side that a scaled picture has to keep. `batch_size` is how
    many pictures one call of `encode_prepared` should get.
    """

    batch_size: int

    @property
    def image_target(self) -> int: ...
    def prepare_image(self, image: Image) -> NDArray[np.uint8]: ...
    def encode_prepared(self, images: Sequence[NDArray[np.uint8]]) -> Vectors: ...


@runtime_checkable
class PortableEncoder(PreparingEncoder, Protocol):
    """A preparing encoder that can also prepare in another process: `preparation` is a picklable `prepare_image`."""

    @property
    def preparation(self) -> Callable[[Image], NDArray[np.uint8]]: ...


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be named. `recall` is Crossmodal-3600 English, the mean of recall@1, @5 and @10, in percent;
    `relative_time` is the running time relative to the others. Both are immich's published measurements.
    """

    name: str
    repo: str | None
    licence: str | None
    recall: float | None
    relative_time: float | None
    note: str = ""


MODELS: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(POCKET, None, None, None, None, "bundled, works offline; small and made for first steps"),
        KnownModel(DEFAULT, f"immich-app/{DEFAULT}", "MIT", 60.1, 19.9, "the model of the original CLIP paper"),
        KnownModel(_FASTEST, f"immich-app/{_FASTEST}", "MIT", 68.8, 2.3, "the fastest of these"),
        KnownModel(RECOMMENDED, f"immich-app/{RECOMMENDED}", "Apache-2.0", 75.2, 5.8, "recommended: finds most"),
    )
}
"""The names that the documentation speaks of. Any other `immich-app/` model loads as well."""


def choose_default(models_dir: Path) -> str:
    """What `auto` means for a new collection: the default model if it has been fetched, else the bundled one."""
    try:
        check_whole(models_dir / DEFAULT)
    except CorruptModel:
        return POCKET
    return DEFAULT


def find_model(name_or_folder: str | os.PathLike[str], models_dir: Path) -> Path:
    """The model folder meant by a name or path: `pocket`, a folder, or a name or fetched `owner/name` in `models_dir`.

    Raises UnknownModel when there is none, CorruptModel when files are missing in it.
    """
    asked = os.fspath(name_or_folder)
    path = Path(asked).expanduser()
    if asked in _bundled_names():
        folder = _BUNDLED
    elif isinstance(name_or_folder, Path) or _is_path(asked) or path.is_dir():
        folder = _fetched_from(asked, models_dir) or path
    else:
        folder = models_dir / asked
    if not asked or not folder.is_dir():
        raise _unknown(asked, models_dir)
    check_whole(folder)
    return folder


def load_encoder(
    name_or_folder: str | os.PathLike[str],
    *,
    models_dir: Path,
    cache_dir: Path | None = None,
    runtime: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    batch_size: int | None = None,
) -> ClipEncoder:
    """The encoder of a model folder; weights are loaded with the first vector asked for.

    `cache_dir` keeps fingerprints and compiled graphs. None for the rest means: the best for this machine.
    Raises what `find_model` and `describe` raise, and UsageError for an unknown runtime.
    """
    from sightline.encoders.clip import ClipEncoder

    return ClipEncoder(
        describe(find_model(name_or_folder, models_dir), cache_dir=cache_dir),
        runtime=runtime,
        device=device,
        precision=precision,
        threads=threads,
        batch_size=batch_size,
        cache_dir=cache_dir,
    )


def fetch_model(
    name: str,
    models_dir: Path,
    *,
    revision: str | None = None,
    offline: bool = False,
    started: Callable[[Plan], None] | None = None,
    progress: Callable[[HubFile, int, int], None] | None = None,
) -> Fetched:
    """Fetches a model of the hub into `models_dir`: one of MODELS, any model of immich-app, or `owner/name`.

    It is known by the last part of its name afterwards. `started` is told what will be fetched before the first byte,
    `progress(file, done, total)` bytes. Raises HubError (Offline, NotOnHub, AccessDenied, HubUnreachable,
    DigestMismatch), CorruptModel when the repository holds no model folder, UnknownModel for what cannot be a name.
    """
    if name in _bundled_names():
        raise UnknownModel(f"{name} comes with Sightline: there is nothing to fetch", hint=f"use --model {name}")
    if not _HUB_NAME.fullmatch(name) or ".." in name:
        raise UnknownModel(f"{name!r} cannot be a model of the hub", hint="expected NAME or OWNER/NAME")
    known = MODELS.get(name)
    repo = name if "/" in name else (known and known.repo) or f"immich-app/{name}"
    return fetch(
        name.rpartition("/")[2],
        repo,
        models_dir,
        licence=known.licence if known else None,
        revision=revision,
        offline=offline,
        started=started,
        progress=progress,
    )


_HUB_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def _fetched_from(repo: str, models_dir: Path) -> Path | None:
    """The folder that was fetched from the repository `owner/name`."""
    if not _HUB_NAME.fullmatch(repo) or "/" not in repo or os.path.isdir(repo):
        return None
    folder = models_dir / repo.rpartition("/")[2]
    return folder if read_fetched(folder).get("repo") == repo else None


_BUNDLED = Path(__file__).parent / "pocket"


def _bundled_names() -> set[str]:
    """`pocket` and the name of the version that is bundled now, as its model.json says it."""
    try:
        facts = read_facts(_BUNDLED)
    except CorruptModel:
        return {POCKET}
    return {POCKET, str(facts.get("name", POCKET))}


def _is_path(asked: str) -> bool:
    return asked.startswith("~") or any(separator in asked for separator in (os.sep, os.altsep or os.sep, "/"))


def _unknown(asked: str, models_dir: Path) -> UnknownModel:
    if re.fullmatch(rf"{POCKET}-\d+", asked):
        now = max(_bundled_names(), key=len)
        return UnknownModel(
            f"{asked} came with another version of Sightline; this one brings {now}", hint=f"use --model {POCKET}"
        )
    if _is_path(asked):
        hint = f"; from the hub: sightline models fetch {asked}" if _HUB_NAME.fullmatch(asked) else ""
        return UnknownModel(
            f"there is no model folder at {asked}", hint=f"give a folder or one of the known names{hint}"
        )
    if asked == POCKET:
        return UnknownModel("the bundled model is not part of this installation", hint="install sightline again")
    if asked in MODELS:
        return UnknownModel(f"model {asked!r} is not in {models_dir}", hint=f"sightline models fetch {asked}")
    near = difflib.get_close_matches(asked, MODELS, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return UnknownModel(
        f"model {asked!r} is unknown; known are {', '.join(MODELS)}, and folders",
        hint=f"{meant}other models of immich-app: sightline models fetch NAME",
    )
