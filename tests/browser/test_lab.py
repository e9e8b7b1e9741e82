"""Explorers in a real JupyterLab with a kernel, "Train it yourself" from press to curve."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resnet_lib import load_runs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CELLS = (
    "from resnet_lib import explore\nexplore.runs(step='free', nets='resnet20')",
    "panel = explore.train('runs')\npanel",
    "explore.playground('choose=resnet8B.n20')",
)


def notebook() -> str:
    """A notebook with one cell for each of CELLS."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a JupyterLab that knows nothing of this machine's settings, and its folder."""
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("home")
    work = tmp_path_factory.mktemp("work")
    (work / "t.ipynb").write_text(notebook())
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {name: str(home / name) for name in own}
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--LabApp.news_url=None"]
    with (home / "log.txt").open("w") as log:
        server = subprocess.Popen(
            command, cwd=work, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield address(home, server), work
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def address(home: Path, server: subprocess.Popen) -> str:
    """Where the server answers, once it does."""
    for _ in range(240):
        for path in (home / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"):
            try:
                url = json.loads(path.read_text())["url"]
                urllib.request.urlopen(f"{url}api/status", timeout=5).close()
                return url
            except (OSError, ValueError):
                pass
        if server.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail(f"JupyterLab did not start:\n{(home / 'log.txt').read_text()[-3000:]}")


def run_all(tab: Page, url: str) -> None:
    """Open the notebook and run its cells."""
    tab.goto(f"{url}lab/tree/t.ipynb")
    tab.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=120_000)
    # "Idle" in the status bar: the kernel is there.
    tab.locator("text=/Python 3.*\\| Idle/").wait_for(timeout=120_000)
    tab.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-editor").first.click()
    tab.keyboard.press("Control+A")
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()


def test_train_from_press_to_curve(browser: Browser, lab: tuple[str, Path]) -> None:
    url, work = lab
    with browser.new_context(viewport={"width": 1280, "height": 2400}) as context:
        tab = context.new_page()
        run_all(tab, url)
        recorded = tab.locator(".rnx[data-name=runs]")
        recorded.wait_for(timeout=120_000)
        assert "ResNet-20" in recorded.locator(".rnx-readout").inner_text()
        chart = recorded.locator(".rnx-chart")
        before = chart.get_attribute("aria-valuenow")
        chart.press("ArrowLeft")  # JupyterLab must not take it
        tab.wait_for_function(
            "([chart, before]) => chart.getAttribute('aria-valuenow') !== before",
            arg=[chart.element_handle(), before],
        )
        place = tab.locator(".rnx[data-name=train]")
        place.wait_for(timeout=60_000)
        number = tab.locator(".widget-text", has_text="iterations").locator("input")
        number.fill("400")
        number.press("Enter")
        press = {
            name: tab.locator("button.jupyter-button", has_text=name)
            for name in ("Train", "Stop", "Resume")
        }
        small = tab.locator(".playground")
        small.get_by_role("button", name="Train", exact=True).click()
        small.locator("td", has_text="%").nth(3).wait_for(timeout=60_000)
        assert small.locator("button.name").all_inner_texts() == ["plain-8", "ResNet-8 B"]
        press["Train"].dblclick()
        running = place.locator(".rnx-note", has_text="of 400")
        running.wait_for(timeout=60_000)
        press["Stop"].click()
        press["Resume"].and_(tab.locator(":enabled")).wait_for(timeout=60_000)
        press["Resume"].click()
        tab.get_by_text("ended with a test error of").wait_for(timeout=400_000)
        assert "Runs of this session: 1." in place.locator(".rnx-readout").inner_text()
        frame = load_runs(work / "runs")
        assert frame["run_id"].nunique() == 1, "the second press began no second run"
        assert frame["iteration"].max() == 400
        last = frame.query("split == 'train'")["top1_error"].iloc[-1]
        readout = place.locator(".rnx-note[aria-live]").inner_text()
        told = re.search(r"1: plain-20 ([\d.]+)%", readout)
        assert float(told[1]) == pytest.approx(last, abs=0.051)
