"""What the tests share: the book, built once a session with the shortest training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib import pyplot

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))
# Tests run side by side, and threads that wait for one another make each other late.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that runs the tests in the background hands on that Ctrl-C is ignored; they press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    """pyplot keeps every figure, and warns at twenty, so no test leaves one to the next."""
    yield
    pyplot.close("all")


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder with the pages of the book, tier smoke; built only as far as it changed.

    Where tests run in several processes, the first that needs it builds it, and the others wait.
    """
    out = ROOT / "_build" / "smoke"
    command = [sys.executable, "ci/build_book.py", "--tier", "smoke", "--out", str(out)]
    command += ["--jobs", "2"]  # who waits for it leaves a processor idle
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"ci/build_book.py failed:\n{done.stdout}{done.stderr}", pytrace=False)
    return out / "html"
