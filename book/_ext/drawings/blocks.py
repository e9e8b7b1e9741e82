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
