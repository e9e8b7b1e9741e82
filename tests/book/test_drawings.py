"""Every drawing: well-formed, described, in the page's colours, within its frame, and used."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import drawings
import pytest
from drawings import DRAWINGS
from helpers import ROOT

from resnet_lib.outputs import COLOURS


class App:
    """What `drawings.setup` needs of Sphinx."""

    def add_directive(self, *_: object) -> None:
        pass


drawings.setup(App())
PAGES = "".join(path.read_text() for path in (ROOT / "book").glob("*.md"))


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_a_drawing(name: str) -> None:
    made = DRAWINGS[name]
    assert len(made.alt) > 40, "it says what it shows"
    assert made.alt.endswith(".")
    root = ElementTree.fromstring(made.html())
    assert root.get("aria-label") == made.alt
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|style=\"[^\"]*color", made.html())
    for picture in root.iter("svg"):
        width, height = map(float, picture.get("viewBox").split()[2:])
        assert width <= 340, "wider than a phone"
        for text in picture.iter("text"):
            assert 0 <= float(text.get("x")) <= width
            assert 0 <= float(text.get("y")) <= height
        for mark in picture:
            assert set((mark.get("class") or "").split()) <= {
                *drawings.KINDS, "line", "head", "filled", "dashed"
            }  # fmt: skip
    assert re.search(rf"\{{drawing\}} {name}$", PAGES, re.M), "it is on a page"


def test_the_style_sheet_has_the_colours_of_the_figures() -> None:
    css = (ROOT / "book" / "_static" / "book.css").read_text()
    for name, shades in COLOURS.items():
        assert re.findall(rf"--rn-{name}: (#\w+)", css) == list(shades)
