"""What is built from web/ is committed as its sources build it, and their types hold.

esbuild strips types without a look at them: only the compiler of TypeScript checks them.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest
from helpers import ROOT

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
