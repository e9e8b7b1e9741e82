"""What a notebook hands to the pages of the book: named values and figures.

The outputs have the form of myst_nb's glue, without needing myst_nb (Colab has none).
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours as (on a light page, on a dark page). Figures are drawn in the first; in a page the
# style sheet below puts the second in its place.
COLOURS = {
    "plain": ("#b8420f", "#ff9466"),
    "residual": ("#0a62b0", "#6cb4ff"),
    "green": ("#0b7a55", "#4fd1a1"),
    "purple": ("#7a45b8", "#c4a3f5"),
}
DARK = ("html[data-theme=dark]", "html[theme=dark]", "body[data-jp-theme-light=false]")
STYLE = ".rn-figure svg{max-width:100%;height:auto}" + "".join(
    f".rn-figure{{--rn-{name}:{light}}}"
    + ",".join(f"{where} .rn-figure" for where in DARK)
    + f"{{--rn-{name}:{dark}}}"
    for name, (light, dark) in COLOURS.items()
)


def glue(name: str, value: Any) -> None:
    """Hand a value to the book under a name; the notebook shows nothing."""
    from IPython.display import display

    if hasattr(value, "item"):
        value = value.item()
    display(
        {"application/papermill.record/text/plain": repr(value)},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
    )


def show(figure: Figure, name: str, alt: str) -> None:
    """Show a figure in the notebook and hand it to the book under a name.

    alt: what the picture shows, in words, for readers who do not see it. The figure is inline
    SVG whose text and axes take the page's colour, so it reads in light and dark.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    markup = inline_svg(figure, alt)
    plt.close(figure)
    display(
        {"text/html": markup, "text/plain": alt},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": ""}},
    )


def inline_svg(figure: Figure, alt: str) -> str:
    """A figure as HTML with an inline SVG that follows the page's colours."""
    import matplotlib as mpl

    salt = hashlib.sha256(alt.encode()).hexdigest()[:8]
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(
            buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="(?!p[0-9a-f]{10}|m[0-9a-f]{10})[^"]*"', "", svg)
    for name, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--rn-{name})")
    svg = svg.replace("#000000", "currentColor")
    # matplotlib leaves the default black of text and some paths unsaid.
    opening = f'<svg role="img" aria-label="{html.escape(alt, quote=True)}" fill="currentColor"'
    svg = svg.replace("<svg", opening, 1)
    svg = re.sub(r"font: ([^;\"]*?)'[^\"]*?sans-serif", r"font: \1sans-serif", svg)
    return f'<div class="rn-figure"><style>{STYLE}</style>{svg}</div>'
