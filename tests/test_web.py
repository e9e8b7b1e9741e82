"""What is built from web/ is committed as its sources build it, and their types hold.

esbuild strips types without a look at them: only the compiler of TypeScript checks them.
"""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from helpers import ROOT

from resnet_lib.configs import JUNCTIONS

WEB = ROOT / "web"

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None or not (WEB / "node_modules").is_dir(),
    reason="Node or its packages are not installed (npm ci in web/).",
)


def run(script: str) -> None:
    """Run a script of web/package.json; it must not fail."""
    command = ["npm", "run", "--silent", script]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_committed_is_what_the_pinned_compilers_build() -> None:
    run("check")


def test_types_hold() -> None:
    run("types")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_explorers_have_a_word_for_every_junction(language: str) -> None:
    text = (WEB / "shared" / "texts" / f"{language}.ts").read_text(encoding="utf-8")
    words = re.search(r"others: \{(.*?)\}", text, re.DOTALL)[1]
    known = set(re.findall(r'"?([\w-]+)"?: "', words))
    assert set(JUNCTIONS[1:]) <= known
