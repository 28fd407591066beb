"""Imports point down only (docs/architecture.md), and the cheap paths stay cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "sightline"

WORDS = {"schema", "answers", "reports", "errors", "config"}
PARTS = {"sources", "media", "encoders", "store", "query", "plots", "hub", "ocr", "generate"}
FLOWS = {"ask", "atlas", "examples", "ingest", "reading", "executors", "retrieve", "rebuild", "verify", "evaluate"}
FLOWS |= {"train"}
FACADE = {"collection"}
EDGES = {
    "answering",
    "cli",
    "flags",
    "care",
    "upkeep",
    "measure",
    "grading",
    "teach",
    "render",
    "progress",
    "previews",
    "pages",
    "uploads",
    "views",
    "demo",
    "serving",
    "mapping",
    "mapfile",
    "mapapi",
    "mcp_server",
    "mcp_wire",
    "web",
    "api",
    "wire",
    "faults",
    "guard",
    "refusals",
    "sockets",
    "site",
    "thumbs",
    "workers",
    "cleaning",
    "meters",
    "__main__",
}

NOUNS_OF = {
    **dict.fromkeys(("conditions", "durability", "fragments", "history", "index", "rows", "salvage", "texts"), "store"),
    **dict.fromkeys(("copying", "mirror", "passing", "postings", "snapshot", "stems"), "store"),
    **dict.fromkeys(("ann", "cells", "presence", "recall"), "store"),
    **dict.fromkeys(("dates", "followups", "forms", "phrases", "questions"), "query"),
    **dict.fromkeys(("signatures", "decoding", "looks"), "media"),
    "captions": "sources",
    **dict.fromkeys(("archives", "hubsets", "links"), "sources"),
    **dict.fromkeys(("judgements", "metrics", "cutoffs", "quiz", "marking"), "evaluate"),
    **dict.fromkeys(("calibrate", "background"), "retrieve"),
    **dict.fromkeys(("dups", "fusion", "groups", "probes", "strength"), "retrieve"),
    **dict.fromkeys(("pairs", "checkpoints", "epochs", "bases", "head", "tune"), "train"),
    "charts": "plots",
    **dict.fromkeys(("chat", "completions", "prompting", "replies", "vlm"), "generate"),
    **dict.fromkeys(("choice", "conversation"), "collection"),
    **dict.fromkeys(("extractive", "facts"), "generate"),
    **dict.fromkeys(("counting", "grounding"), "ask"),
    **dict.fromkeys(("mapdocument", "mapfigures", "placenames", "projection"), "atlas"),
}
"""A part's second noun has a file of its own and counts as the part."""

ALLOWED = {
    "words": WORDS,
    "parts": WORDS | {"media", "hub"},
    "flows": WORDS | PARTS | FLOWS,
    "facade": WORDS | PARTS | FLOWS,
    "edges": WORDS | FACADE | EDGES | {"encoders", "sources", "media", "evaluate", "train", "plots", "query", "atlas"},
}
LAZY_EXTRAS = {"torch", "transformers", "ray", "av", "datasets", "onnx", "pandas", "pillow_heif", "safetensors", "peft"}
LAZY_EXTRAS |= {"openTSNE", "sklearn", "scipy"}
LAZY_EXTRAS |= {"rapidocr", "cv2", "blessed", "mcp", "mcp_types", "anyio"}
LAZY = LAZY_EXTRAS | {
    "huggingface_hub",
    "httpx2",
    "httpcore2",
    "lancedb",
    "pyarrow",
    "openvino",
    "onnxruntime",
    "tokenizers",
    "matplotlib",
    "filelock",
    "dateparser",
    "snowballstemmer",
}
SERVER = {"fastapi", "starlette", "uvicorn", "h11", "jinja2"}
SERVERS = {"web", "api", "mapapi", "sockets"}
"""Files that are of no use without them; `sightline serve` alone imports these."""
OWN = {"mcp_server": {"mcp", "anyio"}}
"""The same with an extra: its one command imports the file."""


def room(module: str) -> str:
    return NOUNS_OF.get(module, module)


def layer(module: str) -> str:
    for name, members in (("words", WORDS), ("parts", PARTS), ("flows", FLOWS), ("facade", FACADE), ("edges", EDGES)):
        if room(module) in members:
            return name
    raise AssertionError(f"{module}.py stands in no layer: give it a room here and in docs/architecture.md")


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py" or path.parent.name == "encoders")


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def ours(path: Path) -> set[str]:
    """The modules of ours that a file imports anywhere, type checking blocks apart."""
    found = set()
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "sightline":
            found |= {alias.name for alias in node.names if (SOURCE / f"{alias.name}.py").exists()}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sightline."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sightline.")}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down_only(path: Path) -> None:
    me = name_of(path)
    for other in ours(path):
        if room(other) == room(me):
            continue
        assert room(other) in ALLOWED[layer(me)], f"{me} ({layer(me)}) may not import {other} ({layer(other)})"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_packages_are_imported_where_they_are_needed(path: Path) -> None:
    heavy = LAZY if name_of(path) in SERVERS else LAZY | SERVER
    for node in ast.parse(path.read_text()).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not (heavy - OWN.get(name_of(path), set())) & {name.split(".")[0] for name in names}


def test_settings_alone_read_the_environment() -> None:
    reads = re.compile(r"environ(?!\.setdefault\()|getenv")  # telling a library something is not reading a setting
    readers = {path.name for path in modules() if reads.search(path.read_text())}
    assert readers == {"config.py"}


@pytest.mark.parametrize("module", ["sightline", "sightline.collection", "sightline.cli"])
def test_importing_loads_no_runtime_and_no_database(module: str) -> None:
    code = f"import sys, {module}; print(sorted({LAZY | SERVER!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
