"""Where a training run keeps what it needs to go on: a folder beside the model to be, tensors in safetensors.

Nothing is pickled. A checkpoint is one file that is replaced whole: weights, both moments of the optimizer, its step
counts, the random state, and as JSON in its header where the run stands.

    python -c "from sightline.checkpoints import read; print(read(Path('m.train/checkpoint.safetensors')).state)"
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import CorruptModel, MissingExtra, ModelError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

FACTS, CHECKPOINT, CURVES, MODEL, CACHE = "run.json", "checkpoint.safetensors", "curves.jsonl", "model", "cache"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Tensors by name, and `state`: any JSON object."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


@contextmanager
def working_folder(out: Path, facts: Mapping[str, Any], *, restart: bool = False) -> Iterator[Path]:
    """The folder `OUT.train` of the run that `facts` describe: a new one, or one that was stopped before its end.

    Raises UsageError when `out` exists or the folder belongs to another run (unless `restart`), ModelError when
    another process is training there.
    """
    from filelock import FileLock, Timeout

    if os.path.lexists(out):
        raise UsageError(f"{out} is there already", hint="give another --out, or remove it")
    folder = out.with_name(f"{out.name}.train")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(
            f"{folder} is a file; a folder for the run is needed there", hint="give another --out"
        ) from None
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ModelError(
            f"another process is training in {folder}", hint="wait for it, or give another --out"
        ) from None
    try:
        _settle(folder, facts, restart)
        yield folder
    finally:
        lock.release()


def _settle(folder: Path, facts: Mapping[str, Any], restart: bool) -> None:
    known = _read_facts(folder / FACTS)
    if known is not None and known != facts and not restart:
        names = [name for name in {**known, **facts} if known.get(name) != facts.get(name)]
        said = ", ".join(f"{name} {known.get(name)!r}, now {facts.get(name)!r}" for name in names)
        raise UsageError(
            f"{folder} holds a run that was stopped, with other settings: {said}",
            hint="give the same command to go on, or add --restart to begin again",
        )
    if known != facts or restart:
        for file in (*folder.glob("*.safetensors"), folder / CURVES):
            file.unlink(missing_ok=True)
        replace(folder / FACTS, json.dumps(facts, indent=2).encode())


def _read_facts(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None


def write(file: Path, checkpoint: Checkpoint) -> None:
    """The whole checkpoint or the one before, whenever the process or the machine stops."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in checkpoint.tensors.items()}
    replace(file, _safetensors().save(tensors, metadata={"state": json.dumps(checkpoint.state)}))


def read(file: Path) -> Checkpoint:
    """Raises CorruptModel when the file is none of ours."""
    safetensors = _safetensors()
    data = file.read_bytes()
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        state = json.loads(header["__metadata__"]["state"])
        return Checkpoint(safetensors.load(data), state)
    except Exception as error:  # the binding raises a kind of its own
        raise CorruptModel(f"{file} is no checkpoint: {error}", hint="add --restart to begin again") from error


def replace(file: Path, data: bytes) -> None:
    fresh = file.with_name(f".{file.name}.new")
    with fresh.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, file)


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingExtra("train", "training") from error
    return safetensors.torch
