"""What is shipped and written down: sizes, no machine's traces, README commands that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sightline.cli import app

ROOT = Path(__file__).parents[1]


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.decode().split("\0")[:-1] if (path := ROOT / name).is_file()]


def test_no_file_is_over_twenty_megabytes_and_the_package_is_under_sixty() -> None:
    sizes = {path: path.stat().st_size for path in tracked()}
    assert max(sizes.values()) < 20_000_000
    assert sum(size for path, size in sizes.items() if "src" in path.parts) < 60_000_000


def test_no_registry_address_is_written_down() -> None:
    pattern = re.compile(r"index[-]url|/simple/?['\"\s]|files[.]pythonhosted")
    for path in tracked():
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".cfg", ""} and path != Path(__file__):
            assert not pattern.search(path.read_text(errors="replace")), path


def commands_of(text: str) -> set[str]:
    return set(re.findall(r"(?:^|[`/ ])sightline ([a-z]+)\b", text, re.MULTILINE)) - {"and", "is", "needs", "with"}


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md", "pocket/README.md"])
def test_every_command_that_the_documentation_names_exists(page: str) -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    known = set(re.findall(r"^  ([a-z]+)  ", shown, re.MULTILINE))
    assert {"index", "search", "demo"} <= known
    code = "\n".join(re.findall(r"`[^`]+`|^ {4}.*$|^```.*?^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL))
    assert commands_of(code) <= known


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_every_link_and_file_that_the_documentation_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    base = (ROOT / page).parent
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (base / target).exists(), target
    for name in re.findall(r"`((?:benchmarks|tests|docs|pocket|streets)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name


def test_the_file_map_names_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    missing = [
        path.name
        for path in (ROOT / "src" / "sightline").glob("*.py")
        if path.name not in page and path.name not in {"__init__.py", "__main__.py"}
    ]
    assert not missing
