"""The browser and the built book, served, for all tests in a browser."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import subprocess
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from on_page import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from selenium.webdriver.remote.webdriver import WebDriver

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
# The headless shell is the same engine without the windows around it, and opens a page far faster.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
NAMES += ("google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium that is installed: CHROMIUM, or the first that is found."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        missing("No Chromium: apt-get install chromium, or set CHROMIUM to the path of one.")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("No Playwright: pip install playwright.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def webkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """WebKit, the engine of Safari, with a screen of its own."""
    driver, screen = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
    if not driver or not screen:
        missing("No WebKit: apt-get install webkit2gtk-driver xvfb.")
    try:
        from selenium.webdriver import WebKitGTK, WebKitGTKOptions
        from selenium.webdriver.webkitgtk.service import Service
    except ImportError:
        missing("No Selenium: pip install selenium.")
    command = [screen, "-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **pipes) as display, contextlib.ExitStack() as ends:
        ends.callback(display.terminate)
        name = f":{display.stdout.readline().strip()}"
        # What the browser downloads goes to its home.
        env = {**os.environ, "DISPLAY": name, "HOME": str(tmp_path_factory.mktemp("webkit"))}
        with warnings.catch_warnings():
            # Selenium's parts deprecate each other.
            warnings.simplefilter("ignore", DeprecationWarning)
            browser = WebKitGTK(options=WebKitGTKOptions(), service=Service(driver, env=env))
        ends.callback(browser.quit)
        browser.set_window_size(1280, 900)
        yield browser


@pytest.fixture(scope="session")
def site(book: Path) -> Iterator[str]:
    """The address of the book, served on this machine."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(book))

        def log_message(self, *args: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *args: Any) -> None:
            """A browser that closes a connection is no error."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
