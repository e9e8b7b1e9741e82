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
    from pandas import DataFrame

# Colours as (on a light page, on a dark page). Figures are drawn in the first; in a page the
# style sheet below puts the second in its place.
COLOURS = {
    "plain": ("#b8420f", "#ff9466"),
    "residual": ("#0a62b0", "#6cb4ff"),
    "green": ("#0b7a55", "#4fd1a1"),
    "purple": ("#7a45b8", "#c4a3f5"),
}
DARK = ("html[data-theme=dark]", "html[theme=dark]", "body[data-jp-theme-light=false]")
STYLE = (
    ".rn-figure{display:flex;flex-wrap:wrap;gap:.5rem}"
    ".rn-figure svg{flex:0 1 auto;min-width:0;max-width:100%;height:auto}"
    + "".join(
        f".rn-figure{{--rn-{name}:{light}}}"
        + ",".join(f"{where} .rn-figure" for where in DARK)
        + f"{{--rn-{name}:{dark}}}"
        for name, (light, dark) in COLOURS.items()
    )
)

# How the papers print what the names of nets begin with.
FAMILIES = {"plain": "plain", "resnet": "ResNet", "preresnet": "pre-ResNet", "vgg": "VGG"}
PRINTED = {
    "bn after addition": "BN after addition",
    "relu before addition": "ReLU before addition",
    "relu only preactivation": "ReLU-only pre-activation",
}
MINUS = "\N{MINUS SIGN}"


def printed_name(name: str) -> str:
    """The name of a net, or of an experiment's arm, for readers; any other text stays as it is.

    "plain20" is plain-20, "resnet56-B" ResNet-56 B, "plain20 without BN" plain-20 without BN,
    "resnet20-shortcut-gate (-6)" ResNet-20, shortcut gate (−6). Of the papers' nets `printedName`
    in web/shared/nets.ts makes the same.
    """
    found = re.fullmatch(r"([a-z]+)(\d+)(?:-([ABC]))?([ ,-].*)?", name)
    if not found or found[1] not in FAMILIES:
        return name
    family, depth, option, more = found.groups(default="")
    more = re.sub(r"-(?=\d)", MINUS, more)
    if more.startswith("-"):
        more = more[1:].replace("-", " ")
        more = f", {PRINTED.get(more, more)}"
    return f"{FAMILIES[family]}-{depth}{option and ' '}{option}{more}"


def glue(**values: Any) -> None:
    """Hand values to the book under their names; the notebook shows nothing.

    glue(gap=3.2) is what the role {measured}`NOTEBOOK::gap` shows.
    """
    from IPython.display import display

    for name, value in values.items():
        plain = value.item() if hasattr(value, "item") else value
        display(
            {"application/papermill.record/text/plain": repr(plain)},
            raw=True,
            metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
        )


def show(figures: list[Figure], name: str, alt: str) -> None:
    """Show figures side by side in the notebook and hand them to the book under a name.

    alt: what the picture shows, in words, for readers who do not see it. The figures are inline
    SVG: text and axes take the page's colour, so they read in light and dark, and on a narrow
    screen they stand one below the other.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    drawings = "".join(inline_svg(figure, f"{name} {i}") for i, figure in enumerate(figures))
    for figure in figures:
        plt.close(figure)
    label = html.escape(alt, quote=True)
    markup = (
        f'<div class="rn-figure" role="img" aria-label="{label}"><style>{STYLE}</style>'
        f"{drawings}</div>"
    )
    display(
        {"text/html": markup, "text/plain": alt},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": ""}},
    )


def show_table(frame: DataFrame, name: str, **formats: str) -> None:
    """Show a frame without its index, and hand it to the book as a table under a name.

    formats: of columns, such as error=".1f"; a column's title is its name with spaces, and nets
    have the names that the papers print, in titles, too.
    """
    from IPython.display import display

    shown = frame.copy()
    for column, spec in formats.items():
        values = [format(value, spec) for value in frame[column]]
        shown[column] = [text.replace("-", MINUS) for text in values]
    numeric = [column for column in frame if frame[column].dtype.kind in "iuf"]
    shown = shown.map(lambda value: printed_name(value) if isinstance(value, str) else value)
    cell = "<{0} style='text-align:{1}'>{2}</{0}>".format
    sides = ["right" if column in numeric else "left" for column in frame]
    rows = [[html.escape(printed_name(str(column)).replace("_", " ")) for column in frame]]
    rows += [[html.escape(str(value)) for value in row] for row in shown.itertuples(index=False)]
    head, *body = (
        "<tr>" + "".join(map(cell, ["td" if i else "th"] * len(row), sides, row)) + "</tr>"
        for i, row in enumerate(rows)
    )
    markup = f"<thead>{head}</thead><tbody>{''.join(body)}</tbody>"
    markup = (
        f'<div class="pst-scrollable-table-container"><table class="table">{markup}</table></div>'
    )
    display(
        {"text/html": markup, "text/plain": shown.to_string(index=False)},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": ""}},
    )


def inline_svg(figure: Figure, name: str) -> str:
    """A figure as inline SVG that follows the page's colours.

    name: tells its ids from those of other figures on a page.
    """
    import matplotlib as mpl

    salt = hashlib.sha256(name.encode()).hexdigest()[:8]
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Only clip paths and markers are referred to; the other ids would repeat from figure to figure.
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda id: id[0] if id[1] in used else "", svg)
    for colour, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--rn-{colour})")
    svg = svg.replace("#000000", "currentColor")
    svg = re.sub(r"font: ([^;\"]*?)'[^\"]*?sans-serif", r"font: \1sans-serif", svg)
    # Black is SVG's default and is often left unsaid.
    return svg.replace("<svg", '<svg aria-hidden="true" fill="currentColor"', 1)
