"""What the tests of explorers share: going to one, acting, and reading what it says."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGE = "book/explorers.html"
CHINESE = "book/explorers.zh.html"
AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def enter(tab: Page, site: str, name: str, state: str = "", page: str = PAGE) -> Locator:
    """Go to an explorer, in a state."""
    tab.goto("about:blank")
    tab.goto(f"{site}/{page}#explorer-{name}{'?' * bool(state)}{state}")
    tab.locator(f"#explorer-{name}[data-ready]").wait_for()
    return tab.locator(f"#explorer-{name} .rnx")


def drawn(tab: Page) -> None:
    """Wait until what was done shows: an explorer draws in the next frame."""
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def arrows(tab: Page, chart: Locator, *keys: str) -> None:
    """Press keys on a chart."""
    chart.focus()
    for key in keys:
        chart.press(key)
    drawn(tab)


def said(place: Locator) -> str:
    """The text line with the numbers."""
    drawn(place.page)
    return place.locator(".rnx-readout").first.inner_text()


def answer(place: Locator) -> str:
    """What an explorer answers to a prediction."""
    drawn(place.page)
    return place.locator(".rnx-verdict").inner_text()


def downloaded(tab: Page, place: Locator) -> list[dict[str, str]]:
    """The rows of the view's CSV."""
    with tab.expect_download() as started:
        place.get_by_role("button", name="Download").click()
    return list(csv.DictReader(io.StringIO(Path(started.value.path()).read_text())))
