"""A model folder fetched from the hub: which files, into which folder, and what is recorded of it.

Only what a model folder needs is asked for, by name; nothing that could be unpickled or run. A folder appears under its
name whole and verified, or not at all; what an interrupted fetch left is gone on from.
Try it: `sightline models fetch ViT-B-32__laion2b-s34b-b79k`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightline import hub
from sightline.encoders.folder import FACTS, FETCHED, REQUIRED, read_fetched
from sightline.errors import CorruptModel, ModelError
from sightline.hub import HubFile, Snapshot

STAGING = ".fetching"
"""Beside the model folders: what is not whole yet."""

_OTHER_FILES = re.compile(r"(visual|textual)/[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}")
# Texts, what other programs need, and what only a pickle or an interpreter can open. It is a list of what is left out:
# weights outside of a graph have whatever names the exporter gave them.
_NOT_NEEDED = re.compile(
    r".*\.(json|txt|md|ya?ml|toml|html|model|npy|npz|safetensors|gguf|armnn|rknn|tflite|mlmodel|h5|msgpack"
    r"|bin|pt|pth|pkl|pickle|ckpt|py|pyc|ipynb|js|sh|bat|exe|dll|so|dylib|jar|zip|tar|gz)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fetch is about to do. `name` is what `--model` takes; `here` says that nothing is left to do."""

    name: str
    source: Snapshot
    licence: str | None
    files: tuple[HubFile, ...]
    folder: Path
    here: bool

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model folder that is here. `files` maps each path to its sha256."""

    name: str
    repo: str
    commit: str
    licence: str | None
    bytes: int
    files: dict[str, str] = field(repr=False)
    folder: Path
    fetched_at: str

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "repo": self.repo,
            "commit": self.commit,
            "licence": self.licence,
            "bytes": self.bytes,
            "files": self.files,
            "folder": str(self.folder),
            "fetched_at": self.fetched_at,
        }


def fetch(
    name: str,
    repo: str,
    models_dir: Path,
    *,
    licence: str | None = None,
    revision: str | None = None,
    offline: bool = False,
    started: Callable[[Plan], None] | None = None,
    progress: Callable[[HubFile, int, int], None] | None = None,
) -> Fetched:
    """Fetches `repo` into `models_dir / name` and returns what is there now.

    `started` is told the plan before the first byte; `progress(file, done, total)` the bytes of the whole. A model that
    is here at the same commit is not fetched again. Raises what `hub.snapshot` and `hub.download` raise, CorruptModel
    when the repository holds no model folder, ModelError when `models_dir / name` is somebody else's.
    """
    source = hub.snapshot(repo, revision=revision, offline=offline)
    plan = _plan(name, source, licence, models_dir / name)
    if started:
        started(plan)
    if not plan.here:
        with _alone(models_dir, name):
            _fetch(plan, models_dir / STAGING / f"{name}@{source.commit}", progress)
    return _recorded(plan.folder, read_fetched(plan.folder))


def _plan(name: str, source: Snapshot, licence: str | None, folder: Path) -> Plan:
    files = tuple(file for file in source.files if _needed(file.path))
    missing = sorted(set(REQUIRED) - {file.path for file in files})
    if missing:
        raise CorruptModel(
            f"{source.repo} holds no model folder: {', '.join(missing)} missing",
            hint="fetch a repository in immich's layout, such as those of immich-app",
        )
    record = read_fetched(folder)
    if folder.exists() and record.get("repo") != source.repo:
        raise ModelError(
            f"{folder} is there already and was not fetched from {source.repo}", hint="move that folder away first"
        )
    same = record.get("commit") == source.commit
    whole = all(_size(folder / file.path) == file.size for file in files)
    return Plan(name, source, licence or source.licence, files, folder, same and whole)


def _needed(path: str) -> bool:
    if path in (*REQUIRED, FACTS):
        return True
    return bool(_OTHER_FILES.fullmatch(path)) and not _NOT_NEEDED.fullmatch(path)


def _fetch(plan: Plan, staging: Path, progress: Callable[[HubFile, int, int], None] | None) -> None:
    for stale in staging.parent.glob(f"{plan.name}@*"):
        if stale != staging:
            shutil.rmtree(stale)
    staging.mkdir(parents=True, exist_ok=True)
    _check_room(plan, staging)
    digests: dict[str, str] = {}
    before = 0
    for file in plan.files:

        def arrived(done: int, file: HubFile = file, before: int = before) -> None:
            if progress:
                progress(file, before + done, plan.bytes)

        digests[file.path] = hub.download(plan.source, file, staging / file.path, arrived=arrived)
        arrived(file.size)
        before += file.size
    record = {
        "name": plan.name,
        "repo": plan.source.repo,
        "commit": plan.source.commit,
        "licence": plan.licence,
        "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {file.path: {"size": file.size, "sha256": digests[file.path]} for file in plan.files},
    }
    (staging / FETCHED).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    _put_in_place(staging, plan.folder)


def _check_room(plan: Plan, staging: Path) -> None:
    here = sum(file.stat().st_size for file in staging.rglob("*") if file.is_file())
    free = shutil.disk_usage(staging).free
    if plan.bytes - here > free:
        raise ModelError(
            f"{plan.name} needs {plan.bytes - here:,} bytes more; {free:,} are free in {staging.parent.parent}",
            hint="make room, or set SIGHTLINE_CACHE to a folder on another disk",
        )


def _put_in_place(staging: Path, folder: Path) -> None:
    """One rename; an older commit of the same model is set aside first and put back should that fail."""
    aside = staging.with_name(f"{folder.name}@old")
    if folder.exists():
        folder.rename(aside)
    try:
        staging.rename(folder)
    except OSError:
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _alone(models_dir: Path, name: str) -> Iterator[None]:
    """One process fetches a model at a time."""
    from filelock import FileLock, Timeout

    place = models_dir / STAGING
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / f"{name}.lock", timeout=0):
            yield
    except Timeout:
        raise ModelError(f"another process is fetching {name}", hint="wait for it") from None


def _recorded(folder: Path, record: dict[str, Any]) -> Fetched:
    files = record["files"]
    return Fetched(
        name=folder.name,
        repo=record["repo"],
        commit=record["commit"],
        licence=record["licence"],
        bytes=sum(entry["size"] for entry in files.values()),
        files={path: entry["sha256"] for path, entry in files.items()},
        folder=folder,
        fetched_at=record["fetched_at"],
    )


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
