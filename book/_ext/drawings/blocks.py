"""The blocks of the paper: plain and residual, in the order conv, BN, ReLU."""

from __future__ import annotations

from drawings import Pen, drawing


def two_layers(shortcut: bool) -> Pen:
    """Two convolutions with BN; with the shortcut, the input is added before the last ReLU."""
    kind = "residual" if shortcut else "plain"
    pen, x, bottom = Pen(220, 316), 90, 306
    layers = [(62, "conv 3x3"), (98, "BN"), (134, "ReLU"), (170, "conv 3x3"), (206, "BN")]
    pen.text(x, 12, "<i>x</i>")
    pen.line((x, 22), (x, 46), kind=kind)
    for y, name in layers:
        pen.box(x, y, name, kind if name.startswith("conv") else "", h=26)
        if y < 206:
            pen.line((x, y + 13), (x, y + 23), kind=kind, arrow=False)
    if shortcut:
        pen.line((x, 219), (x, 232), kind=kind)
        pen.plus(x, 244, kind)
        pen.line((x, 32), (190, 32), (190, 244), (x + 12, 244), kind=kind)
        pen.text(184, 138, "<i>x</i>", align="end")
        pen.text(x - 16, 236, "<i>F</i>(<i>x</i>)", align="end")
    pen.line((x, 256 if shortcut else 219), (x, 266), kind=kind, arrow=False)
    pen.box(x, 279, "ReLU", h=26)
    pen.line((x, 292), (x, bottom), kind=kind)
    return pen


@drawing(
    "plain-and-residual-block",
    "Left, a plain block: the input x runs through a 3x3 convolution, BN, ReLU, a second 3x3 "
    "convolution, BN and ReLU. Right, the residual block: the same layers, but x also goes round "
    "them and is added to their result F(x) before the last ReLU.",
)
def plain_and_residual_block() -> list[Pen]:
    return [two_layers(False), two_layers(True)]


def unit(name: str, layers: list[str], after: str) -> Pen:
    """A residual unit, from top to bottom: its layers in order, and what follows the addition."""
    pen, x, path = Pen(230, 330), 90, 190
    pen.text(x, 10, f"<i>{name}</i>")
    pen.text(path, 30, "<i>x</i>")
    pen.line((path, 42), (x, 42), (x, 52), kind="")
    for number, layer in enumerate(layers):
        y = 64 + 34 * number
        pen.box(x, y, layer, "residual" if layer.startswith("conv") else "", h=24)
        if number + 1 < len(layers):
            pen.line((x, y + 12), (x, y + 22), arrow=False)
    end = 64 + 34 * (len(layers) - 1) + 12
    plus = 276
    pen.plus(path, plus, "residual")
    pen.line((x, end), (x, plus), (path - 12, plus))
    pen.text(x - 8, plus - 14, "<i>F</i>(<i>x</i>)", align="end")
    pen.line((path, 42), (path, plus - 12), kind="residual")
    if after:
        pen.line((path, plus + 12), (path, plus + 18), kind="residual", arrow=False)
        pen.box(path, plus + 30, after, w=70, h=24)
        pen.line((path, plus + 42), (path, plus + 52), kind="residual")
    else:
        pen.line((path, plus + 12), (path, plus + 52), kind="residual")
    return pen


@drawing(
    "original-and-preactivation",
    "Left, the first paper's order: on the branch a 3x3 convolution, BN, ReLU, a second 3x3 "
    "convolution and BN; the input x goes straight down beside it; both are added, and a ReLU "
    "follows on the path. Right, full pre-activation: on the branch BN, ReLU, a 3x3 convolution, "
    "BN, ReLU and a second 3x3 convolution; after the addition the path goes on with nothing on "
    "it.",
)
def original_and_preactivation() -> list[Pen]:
    conv = "conv 3x3"
    return [
        unit("original", [conv, "BN", "ReLU", conv, "BN"], "ReLU"),
        unit("full pre-activation", ["BN", "ReLU", conv, "BN", "ReLU", conv], ""),
    ]
