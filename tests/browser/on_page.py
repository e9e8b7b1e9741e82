"""What tests in a browser share: going to an explorer, acting, reading; and the same in WebKit."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

PAGE = "book/explorers.html"
CHINESE = "book/explorers.zh.html"
AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def missing(what: str) -> None:
    """Skip for want of a tool, but fail where the tests are meant to be complete."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(what)


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


def until(webkit: WebDriver, found: Callable[[], Any], seconds: float = 60) -> Any:
    """What found gives as soon as that is something."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(webkit, seconds, 0.2).until(lambda _: found())


def frames(webkit: WebDriver) -> None:
    """Wait for a frame, and a tenth of a second, in which what was done is drawn."""
    webkit.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 100))")


def seen(webkit: WebDriver, css: str) -> WebElement:
    """The first element of a selector that is shown, as soon as there is one."""

    def found() -> list[WebElement]:
        return [each for each in webkit.find_elements("css selector", css) if each.is_displayed()]

    return until(webkit, found)[0]


def gone_wrong(webkit: WebDriver, ready: str) -> Callable[[], list[str]]:
    """Wait for what the selector ready names; what asks for the page's errors from then on, and for
    all that it has fetched from elsewhere.
    """
    until(webkit, lambda: webkit.find_elements("css selector", ready))
    webkit.execute_script(
        "window.wrong = [];"
        "addEventListener('error', ({ message }) => wrong.push(message));"
        "addEventListener('unhandledrejection', ({ reason }) => wrong.push(String(reason)));"
    )
    return lambda: webkit.execute_script(
        "return [...wrong, ...performance.getEntriesByType('resource').map(({ name }) => name)"
        ".filter((name) => /^https?:/.test(name) && new URL(name).host !== location.host)];"
    )
