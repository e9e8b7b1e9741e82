"""ci/stamp.py: one address, everywhere it is repeated."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import stamp

ROOT = Path(__file__).resolve().parents[1]
NEW = "someone/else.js"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of everything that is stamped."""
    for pattern in ("_config.yml", *stamp.PATTERNS):
        for path in ROOT.glob(pattern):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return tmp_path


def rename(tree: Path) -> None:
    config = tree / "_config.yml"
    config.write_text(config.read_text().replace(stamp.address(ROOT), NEW))


@pytest.mark.parametrize("url", ["https://github.com/me/it.git", "https://github.com/me/it/"])
def test_an_address_may_be_spelled_as_git_spells_it(tmp_path: Path, url: str) -> None:
    (tmp_path / "_config.yml").write_text(f"repository:\n  url: {url}\n")
    assert stamp.address(tmp_path) == "me/it"


@pytest.mark.parametrize(
    "url", ["git@github.com:me/it.git", "http://github.com/me/it", "https://github.com/me"]
)
def test_another_address_is_told(tmp_path: Path, url: str) -> None:
    (tmp_path / "_config.yml").write_text(f"repository:\n  url: {url}\n")
    with pytest.raises(SystemExit, match="OWNER/NAME"):
        stamp.address(tmp_path)


def test_the_repository_is_stamped() -> None:
    assert stamp.main(check=True) == 0


def test_a_new_address_reaches_every_file(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_text() for path in tree.rglob("*") if path.is_file()}
    rename(tree)
    assert stamp.main(tree, check=True) == 1
    told = capsys.readouterr().out
    for name in ("README.md", "CITATION.cff", "pyproject.toml", "notebooks/01-degradation.ipynb"):
        assert name in told
    assert stamp.main(tree) == 0
    assert stamp.main(tree, check=True) == 0
    old = stamp.address(ROOT)
    left = [path.name for path in before if f"/{old}" in path.read_text()]
    assert left == []
    # And back: nothing else was touched.
    config = tree / "_config.yml"
    config.write_text(before[config])
    stamp.main(tree)
    assert {path: path.read_text() for path in before} == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://colab.research.google.com/github/a/b/blob/main/notebooks/x.ipynb", "Colab"),
        ("git clone --depth 1 https://github.com/a/b.git", "clone"),
        ('"REPOSITORY = \\"https://github.com/a/b\\"\\n",', "setup cell"),
        ("pip install git+https://github.com/a/b", "pip"),
        ("![test](https://github.com/a/b/actions/workflows/test.yml/badge.svg)", "badge"),
        ('repository-code: "https://github.com/a/b"', "citation"),
    ],
)
def test_what_can_only_be_this_repository(before: str, after: str) -> None:
    stamped = stamp.stamped(before, NEW, "old/name")
    assert stamped == before.replace("a/b", NEW), after
    assert stamp.stamped(stamped, NEW, NEW) == stamped


def test_other_repositories_are_left_alone() -> None:
    text = 'see <a href="https://github.com/a/b">it</a>, [that](https://github.com/a/b/blob/x.py)'
    assert stamp.stamped(text, NEW, "old/name") == text


def test_pages_address_follows() -> None:
    assert stamp.stamped("https://old.github.io/name/", NEW, "old/name") == (
        "https://someone.github.io/else.js/"
    )


def test_check_names_a_notebook_of_another_repository(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = tree / "notebooks" / "01-degradation.ipynb"
    notebook.write_text(notebook.read_text().replace(stamp.address(ROOT), "a/b"))
    assert stamp.main(tree, check=True) == 1
    assert capsys.readouterr().out.startswith("notebooks/01-degradation.ipynb has another")
