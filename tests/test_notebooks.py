"""The rules that every notebook keeps. Running them is tested in book/test_book.py."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
import yaml

from resnet_lib import TIERS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tagged(path: Path, tag: str) -> nbformat.NotebookNode:
    cells = [cell for cell in code_cells(path) if tag in cell.metadata.get("tags", [])]
    assert len(cells) == 1, f"{path.name} has {len(cells)} cells tagged {tag}: it needs one"
    return cells[0]


def test_is_clean(path: Path) -> None:
    for cell in code_cells(path):
        assert not cell.outputs, f"{path.name} is committed with outputs"
        assert cell.execution_count is None
    assert "widgets" not in read(path).metadata


def test_has_a_chapter_of_its_name(path: Path) -> None:
    assert (ROOT / "book" / f"{path.stem}.md").exists()
    toc = (ROOT / "_toc.yml").read_text()
    assert f"book/{path.stem}" in toc
    assert f"notebooks/{path.stem}" in toc


def test_cells_are_short_and_hold_no_logic(path: Path) -> None:
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= 15, f"a long cell: {cell.source[:80]}"
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.While)), cell.source


def test_parameters(path: Path) -> None:
    names: dict = {}
    exec(tagged(path, "parameters").source, names)
    assert names["TIER"] == "quick"
    assert names["DATASET"] is None
    for tier in TIERS:
        assert f'"{tier}"' in tagged(path, "parameters").source, "the reader's choices are named"


def test_setup_only_acts_where_the_library_is_missing(path: Path, tmp_path, monkeypatch) -> None:
    source = tagged(path, "setup").source
    assert REPOSITORY in source
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subprocess.run", lambda *a, **k: pytest.fail("the library is there"))
    exec(source, {})


def test_setup_clones_and_installs_without_dependencies(path: Path, tmp_path, monkeypatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.run", lambda command, check: calls.append(list(command)))
    monkeypatch.setattr("sys.path", [])
    exec(tagged(path, "setup").source, {})
    clone, install = calls
    assert clone[:2] == ["git", "clone"]
    assert REPOSITORY in clone
    assert "--no-deps" in install, "torch must stay as it is"
    import sys

    assert sys.path[0] == str(tmp_path / "resnet-read-and-run")


def test_opens_in_colab(path: Path) -> None:
    slug = REPOSITORY.removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{slug}/blob/main/notebooks/{path.name}"
    assert any(address in cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    assert address in (ROOT / "README.md").read_text()


def test_asks_nothing_of_the_network_when_shown(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert "![" not in cell.source
            assert "<img" not in cell.source
