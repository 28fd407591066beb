"""Fixtures that several test files share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_folders import tiny_clip_folder
from stub_hub import Hub, reserve

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # also where a test or the export imports onnxruntime itself

# The hub's libraries read these when they are imported: no test reaches another hub, token or cache than its own.
_HUB_PORTS = reserve()
_HUB_HOME = tempfile.TemporaryDirectory(prefix="sightline-hub-")
for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "DATASETS_"))]:
    del os.environ[name]
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{_HUB_PORTS[0].getsockname()[1]}"
os.environ["HF_HOME"] = _HUB_HOME.name


@pytest.fixture(scope="session")
def _hub() -> Iterator[Hub]:
    with Hub(_HUB_PORTS) as hub:
        yield hub


@pytest.fixture
def hub(_hub: Hub) -> Iterator[Hub]:
    """An empty hub on 127.0.0.1, the one that HF_ENDPOINT names."""
    _hub.clear()
    yield _hub
    _hub.clear()


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of the true CLIP architecture, two layers, random weights; made once a run (about 15 s)."""
    return tiny_clip_folder(tmp_path_factory.mktemp("models") / "tiny-clip")
