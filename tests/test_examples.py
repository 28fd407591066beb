"""The examples do what they say. LlamaIndex is heavy: where it is missing, four classes of its form stand in."""

from __future__ import annotations

import base64
import importlib.util
import io
import os
import runpy
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fakes import FakeEncoder
from pictures import colours, paint, write_captions
from PIL import Image

import sightline
from sightline import choice

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pictures with captions, and a folder to work in."""
    for name in [name for name in os.environ if name.startswith("SIGHTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choice, "load_encoder", lambda *_, **__: FakeEncoder())
    folder = colours(tmp_path / "photos")
    paint(folder / "dark.png", (9, 9, 9))
    write_captions(folder, {f"{name}.png": f"a {name} square" for name in ("red", "green", "blue", "dark")})
    return folder


@pytest.fixture
def collection(photos: Path) -> sightline.Collection:
    opened = sightline.open("data/tables#example", model=FakeEncoder())
    opened.ingest(photos)
    return opened


def run(name: str, monkeypatch: pytest.MonkeyPatch, *args: object) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def retriever(name: str) -> Any:
    """The class of an example, freshly imported; pydantic looks its annotations up in sys.modules."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SightlineRetriever


def is_jpeg(encoded: str) -> bool:
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        return image.format == "JPEG" and image.size == (32, 24)


# ---- plain -----------------------------------------------------------------------------------------------------


def test_search_indexes_a_folder_and_shows_the_best_pictures(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("search.py", monkeypatch, photos, "green")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "5 pictures, 5 of them new, 0 that cannot be used"
    assert lines[1] == "1.000  green.png  a green square"
    assert len(lines) == 6


def test_ask_answers_and_names_the_pictures_that_it_cites(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ask.py", monkeypatch, "data/tables#example", "is there a green square?", "is there a zebra?")
    shown = capsys.readouterr().out
    first, second = shown.split("is there a zebra?\n")
    assert "green.png" in first
    assert "  [1] file://" in first
    assert "file://" not in second


# ---- LangChain -------------------------------------------------------------------------------------------------


def test_the_langchain_retriever_gives_documents_with_pictures(collection: sightline.Collection) -> None:
    pytest.importorskip("langchain_core")
    found = retriever("langchain_retriever")(collection=collection, k=3).invoke("green")
    document = found[0]
    hit = collection.search("green", 1)[0]
    assert (document.id, document.page_content) == (hit.id, "a green square")
    assert document.metadata["uri"].endswith("/green.png")
    assert document.metadata["relevance"] >= 0.5
    assert is_jpeg(document.metadata["picture"].removeprefix("data:image/jpeg;base64,"))


def test_the_langchain_retriever_gives_nothing_where_nothing_fits_unless_it_is_told_to(
    collection: sightline.Collection,
) -> None:
    pytest.importorskip("langchain_core")
    made = retriever("langchain_retriever")
    assert made(collection=collection).invoke("a zebra in the snow") == []
    nearest = made(collection=collection, min_relevance=None, k=2, pictures=False).invoke("a zebra in the snow")
    assert len(nearest) == 2
    assert "picture" not in nearest[0].metadata


def test_the_langchain_retriever_takes_no_query_language_from_a_chain(collection: sightline.Collection) -> None:
    pytest.importorskip("langchain_core")
    made = retriever("langchain_retriever")(collection=collection, min_relevance=None, k=1)
    assert made.invoke("green + ./photos/red.png")[0].page_content == "a green square"


# ---- LlamaIndex ------------------------------------------------------------------------------------------------


@pytest.fixture
def llama(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its QueryBundle: the package's, or that of a stand-in of the same form."""
    if importlib.util.find_spec("llama_index") is None:
        _stand_in(monkeypatch)
    from llama_index.core.schema import QueryBundle

    return QueryBundle


def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class QueryBundle:
        query_str: str
        image_path: str | None = None

    @dataclass
    class ImageNode:
        id_: str
        text: str
        image: str
        image_mimetype: str
        metadata: dict[str, Any] = field(default_factory=dict)

        @property
        def node_id(self) -> str:
            return self.id_

    @dataclass
    class NodeWithScore:
        node: ImageNode
        score: float | None = None

    class BaseRetriever:
        def retrieve(self, asked: str | QueryBundle) -> list[NodeWithScore]:
            return self._retrieve(QueryBundle(asked) if isinstance(asked, str) else asked)  # type: ignore[attr-defined]

    modules = {name: ModuleType(name) for name in ("", ".core", ".core.retrievers", ".core.schema")}
    modules[".core.retrievers"].BaseRetriever = BaseRetriever  # type: ignore[attr-defined]
    for one in (QueryBundle, ImageNode, NodeWithScore):
        setattr(modules[".core.schema"], one.__name__, one)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"llama_index{name}", module)


def test_the_llamaindex_retriever_gives_image_nodes(collection: sightline.Collection, llama: Any) -> None:
    found = retriever("llamaindex_retriever")(collection, k=3).retrieve("green")
    node = found[0].node
    assert (node.node_id, node.text) == (collection.search("green", 1)[0].id, "a green square")
    assert found[0].score >= 0.5
    assert node.metadata["uri"].endswith("/green.png")
    assert (is_jpeg(node.image), node.image_mimetype) == (True, "image/jpeg")


def test_the_llamaindex_retriever_looks_for_a_picture(
    collection: sightline.Collection, llama: Any, photos: Path
) -> None:
    made = retriever("llamaindex_retriever")(collection, k=1, min_relevance=None)
    found = made.retrieve(llama(query_str="", image_path=str(photos / "blue.png")))
    assert found[0].node.text == "a blue square"


def test_every_example_is_short_and_in_the_list() -> None:
    listed = (EXAMPLES / "README.md").read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"[{path.name}]({path.name})" in listed
        assert len(path.read_text("utf-8").splitlines()) < 60
