"""docs/recipe.md, word for word: data set and model from a hub, a 768-d table, three hits, a picture, rows in and out.

The hub is ours and the weights are random, so what is tested is the road, not the quality. `make test` walks it with a
small CLIP of 768 dimensions, `make torture` with the true ViT-L/14 (1.6 GB, exported once into .cache/models).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from model_folders import TINY, clip_folder
from pictures import colours
from PIL import Image
from stub_hub import Hub

import sightline
from sightline import hub as client
from sightline.cli import main
from sightline.config import Settings
from sightline.encoders import fetch_model

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "models"
PAGE = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
DATA_SET = "vipulmaheshwari/GTA-Image-Captioning-Dataset"
MODEL = "ViT-L-14__openai"
ROWS = 24

SMALL = {
    "text_config": {**TINY["text_config"], "projection_dim": 768},
    "vision_config": {**TINY["vision_config"], "projection_dim": 768},
    "projection_dim": 768,
}


def small_model() -> Path:
    folder = CACHE / "tiny-768__random"
    return folder if (folder / "model.json").exists() else clip_folder(folder, SMALL)


def large_model() -> Path:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from architectures import random_folder

    return random_folder("ViT-L-14", CACHE)


def data_set(folder: Path) -> Path:
    """The tutorial's shape, features `image` and `text`, from the bundled scenes."""
    source = Path(sightline.__file__).parent / "data" / "streets" / "test.parquet"
    scenes = pq.read_table(source, columns=["image", "captions", "attributes"]).to_pylist()
    stops = [row | {"captions": ["a road with a stop sign"]} for row in scenes if "stop sign" in row["attributes"]][:6]
    rows = [*stops, *(row for row in scenes if "stop sign" not in row["attributes"])][:ROWS]
    features = {"image": {"_type": "Image"}, "text": {"dtype": "string", "_type": "Value"}}
    schema = pa.schema(
        {"image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]), "text": pa.string()},
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    table = pa.table(
        {
            "image": [{"bytes": row["image"]["bytes"], "path": None} for row in rows],
            "text": [row["captions"][0] for row in rows],
        },
        schema=schema,
    )
    (folder / "data").mkdir(parents=True)
    pq.write_table(table, folder / "data" / "train-00000-of-00001.parquet", row_group_size=10)
    return folder


def code(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize(
    "model", [small_model, pytest.param(large_model, marks=[pytest.mark.slow, pytest.mark.torture])]
)
def test_the_recipe_works_as_it_is_written(model, hub: Hub, tmp_path, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(client, "WAIT", 0.01)
    monkeypatch.chdir(tmp_path)
    hub.add("datasets", DATA_SET, data_set(tmp_path / "upload"), licence="mit")
    hub.add("models", f"immich-app/{MODEL}", model(), without=("model.json",))

    said = {}
    for line in code("bash").replace("&&", "").strip().splitlines():
        command = shlex.split(line)[1:]
        capsys.readouterr()
        assert main(command) == 0, line
        said[command[0]] = capsys.readouterr().out
    assert size_of("samples.png") > (300, 200)
    assert size_of("stop.png") > (300, 200)
    assert f"added\t{ROWS}\n" in said["index"]
    found = [line.split("\t") for line in said["search"].splitlines()]
    assert [row[0] for row in found] == ["1", "2", "3"]
    assert "stop" in found[0][3]
    assert all(re.fullmatch(rf"hf:{DATA_SET}@[0-9a-f]{{40}}/train/\d+", row[2]) for row in found)

    names: dict[str, object] = {}
    exec(code("python"), names)  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    assert "distance" in printed
    assert f"a road upside down {ROWS + 1}" in printed
    frame = names["hits"].to_pandas()
    assert len(frame) == 3
    assert frame["distance"].between(0, 2).all()
    assert np.allclose(frame["distance"], 1 - frame["score"])
    assert size_of("best.png") == names["hits"][0].image.size
    assert len(names["gta"]) == ROWS

    check_table(tmp_path)
    hub.requests.clear()
    again = shlex.split(code("bash").splitlines()[2].replace("&&", ""))[1:]
    assert main(again) == 0
    assert f"unchanged\t{ROWS}\n" in capsys.readouterr().out


def check_table(folder: Path) -> None:
    """As LanceDB itself sees it."""
    import lancedb

    table = lancedb.connect(folder / "data" / "tables").open_table("gta_data")
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 768)
    rows = table.search().select(["vector", "text", "id"]).limit(100).to_arrow()
    vectors = np.array(rows["vector"].to_pylist(), np.float32)
    assert vectors.shape == (ROWS, 768)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert all(rows["text"].to_pylist())


def size_of(file: str) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


@pytest.mark.torture
def test_a_true_vit_b_32_is_fetched_and_fills_a_collection(hub: Hub, tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from architectures import random_folder

    name = "ViT-B-32__laion2b-s34b-b79k"
    hub.add("models", f"immich-app/{name}", random_folder("ViT-B-32", CACHE), licence="mit")
    settings = Settings(cache=tmp_path / "cache")
    fetch_model(name, settings.models_dir)
    collection = sightline.open(f"{tmp_path}/t", model=name, settings=settings)
    assert collection.ingest(colours(tmp_path / "pictures")).added == 4
    assert collection.info().dim == 512
    assert collection.search("a red square", k=1)[0].name == "red.png"
