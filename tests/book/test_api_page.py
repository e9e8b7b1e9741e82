"""The page of the library's names: complete, and true to the source."""

from __future__ import annotations

import html
import importlib
import inspect
import re
from pathlib import Path

import api
import pytest
from helpers import ROOT

import resnet_lib
from resnet_lib import explore, widgets

PAGE = (ROOT / "book" / "api.md").read_text()
LISTED = dict(re.findall(r"^:::\{api\} ([\w.*]+)\n(.*?):::$", PAGE, re.DOTALL | re.M))
MODULES = sorted(each for each in LISTED if each != "resnet_lib" and not each.endswith("*"))


def test_every_module_that_notebooks_use_is_on_the_page() -> None:
    used = set(api.imported_by(ROOT))
    assert used
    assert used <= set(LISTED), f"book/api.md lacks {used - set(LISTED)}"


def test_the_front_door_is_the_packages_all() -> None:
    assert set(api.handed_out()) == set(resnet_lib.__all__)
    for name, module in api.handed_out().items():
        assert api.docstring(api.definitions(module)[name]), name


@pytest.mark.parametrize("module", MODULES)
def test_listed_names_exist_and_say_what_they_do(module: str) -> None:
    found = api.definitions(module)
    for name in LISTED[module].split():
        assert api.docstring(found[name]), name


def test_every_explorer_has_an_entry(book: Path) -> None:
    assert api.modules("resnet_lib.widgets") == [f"resnet_lib.widgets.{n}" for n in widgets.names()]
    page = html.unescape((book / "book" / "api.html").read_text()).replace("\u2019", "'")
    for name in widgets.names():
        assert f"explore.{name}(" in page
        assert inspect.getdoc(getattr(explore, name)).splitlines()[0] in page


@pytest.mark.parametrize("name", ["build_model", "reproduce", "load", "gap", "count"])
def test_signatures_are_those_of_the_source(name: str) -> None:
    module = next(m for m in ("models", "experiments", "data", "seeds", "complexity")
                  if name in api.definitions(f"resnet_lib.{m}"))  # fmt: skip
    home = f"resnet_lib.{module}"
    shown = api.signature(api.definitions(home)[name])
    parameters = inspect.signature(getattr(importlib.import_module(home), name)).parameters
    for each in parameters:
        assert re.search(rf"\b{each}\b", shown)


def test_docstrings_become_paragraphs_and_items() -> None:
    text = "One sentence\nin two lines.\n\nfirst: a thing\n    that goes on.\nsecond: `x`."
    text += "\n\nErrors: none."
    shown = [paragraph.astext() for paragraph in api.prose(text)]
    wanted = ["One sentence in two lines.", "first: a thing that goes on.", "second: x."]
    assert shown == [*wanted, "Errors: none."]


def test_the_page_has_an_entry_for_each_name(book: Path) -> None:
    text = (book / "book" / "api.html").read_text()
    for name in resnet_lib.__all__:
        assert re.search(rf'id="resnet-lib\.[\w-]+\.{name.replace("_", "-")}"', text), name
    assert 'href="../notebooks/05-bottleneck.html"' in text
