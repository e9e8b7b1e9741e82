"""Block diagrams of our own: small Python functions that draw inline SVG, and one style for all.

    :::{drawing} residual-block
    :name: fig-residual-block

    The caption.
    :::

A drawing is a function in a module of this folder, registered under its name with what it shows
in words; drawings of several parts stand side by side, and one below the other on a phone:

    @drawing("residual-block", "Two convolutions; the input goes round them and is added.")
    def residual_block() -> list[Pen]: ...

Lines and text have the page's colour, so they read in light and dark; `kind` is the colour of
"plain", "residual", "green" or "purple" things, the same as in the figures.
"""

from __future__ import annotations

import html
import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from pages import with_caption
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

KINDS = ("", "plain", "residual", "green", "purple")

log = logging.getLogger(__name__)


@dataclass
class Pen:
    """One picture, `width` by `height` units; a unit is about a CSS pixel, text is 13 high.

    At most 340 wide it reads on a phone. Text takes <i>, <sub> and <sup>, for variables.
    """

    width: float
    height: float
    marks: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, text: str, kind: str = "", w: float = 120, h: float = 32):
        """A layer: a box around (x, y) with text in its middle."""
        self.marks.append(
            f'<rect class="{kind}" x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" '
            f'height="{h:g}" rx="5"/>'
        )
        self.text(x, y, text, kind)

    def text(self, x: float, y: float, text: str, kind: str = "", align: str = "middle"):
        """Text whose middle height is at y; align: "start", "middle" or "end" at x."""
        self.marks.append(
            f'<text class="{kind}" x="{x:g}" y="{y + 4.5:g}" text-anchor="{align}">'
            f"{spans(text)}</text>"
        )

    def line(self, *points: tuple[float, float], kind: str = "", arrow: bool = True, dash=False):
        """A line through points, with a head at its end unless `arrow` is false."""
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        dashed = " dashed" if dash else ""
        self.marks.append(f'<path class="line {kind}{dashed}" d="{path}"/>')
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5
            dx, dy = 7 * (x - x0) / length, 7 * (y - y0) / length
            head = f"M{x:g} {y:g}L{x - dx - dy / 2:g} {y - dy + dx / 2:g}"
            head += f"L{x - dx + dy / 2:g} {y - dy - dx / 2:g}Z"
            self.marks.append(f'<path class="head {kind}" d="{head}"/>')

    def plus(self, x: float, y: float, kind: str = "", sign: str = "+"):
        """A small circle around (x, y) where signals meet."""
        self.marks.append(f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="11"/>')
        self.text(x, y, sign, kind)

    def map(self, x: float, y: float, side: float, channels: int, kind: str = "", empty=False):
        """A feature map as a stack of squares around (x, y), `channels` of them; empty: zeros."""
        for number in reversed(range(channels)):
            left, top = x - side / 2 + 3 * number, y - side / 2 - 3 * number
            dashed = " dashed" if empty else " filled"
            self.marks.append(
                f'<rect class="{kind}{dashed}" x="{left:g}" y="{top:g}" width="{side:g}" '
                f'height="{side:g}"/>'
            )

    def svg(self) -> str:
        """The picture as inline SVG."""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" '
            f'height="{self.height:g}" aria-hidden="true">{"".join(self.marks)}</svg>'
        )


def spans(text: str) -> str:
    """<i>, <sub> and <sup> as SVG knows them; all else is plain text."""
    style = {"i": "font-style:italic", "sub": "baseline-shift:sub", "sup": "baseline-shift:super"}
    parts = re.split(r"<(/?)(i|sub|sup)>", text)
    out = html.escape(parts[0])
    for slash, tag, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        small = "" if tag == "i" else ";font-size:75%"
        out += "</tspan>" if slash else f'<tspan style="{style[tag]}{small}">'
        out += html.escape(after)
    return out


@dataclass(frozen=True)
class Drawing:
    """A registered drawing: what makes it, and what it shows in words."""

    draw: Callable[[], list[Pen]]
    alt: str

    def html(self) -> str:
        """The pictures side by side, as one image with its description."""
        alt = html.escape(self.alt, quote=True)
        pictures = "".join(pen.svg() for pen in self.draw())
        return f'<div class="drawing" role="img" aria-label="{alt}">{pictures}</div>'


DRAWINGS: dict[str, Drawing] = {}


def drawing(name: str, alt: str) -> Callable[[Callable[[], list[Pen]]], Callable[[], list[Pen]]]:
    """Register a function that draws under a name; alt: what the picture shows, in words."""

    def register(draw: Callable[[], list[Pen]]) -> Callable[[], list[Pen]]:
        DRAWINGS[name] = Drawing(draw, alt)
        return draw

    return register


class DrawingDirective(SphinxDirective):
    """A drawing by name; with content, a figure with that caption and a number."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in DRAWINGS:
            known = ", ".join(sorted(DRAWINGS)) or "none"
            place = (self.env.docname, self.lineno)
            log.error("{drawing} %s: no such drawing; there are: %s", name, known, location=place)
            return []
        picture = nodes.container("", nodes.raw("", DRAWINGS[name].html(), format="html"))
        return with_caption(self, picture)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all drawings and the directive; book/_ext/bookparts.py calls this."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    app.add_directive("drawing", DrawingDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
