"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from model_folders import tiny_clip_folder

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # also where a test or the export imports onnxruntime itself


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of the true CLIP architecture, two layers, random weights; made once a run (about 15 s)."""
    return tiny_clip_folder(tmp_path_factory.mktemp("models") / "tiny-clip")
