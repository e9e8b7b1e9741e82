"""The bottleneck beside the two-layer block, and the two places of its stride."""

from __future__ import annotations

from drawings import Pen, drawing


def block(title: str, ends: int, layers: list[tuple[str, int]]) -> Pen:
    """Layers from bottom to top as bars whose width grows with their output channels."""
    pen, x = Pen(300, 300), 118
    scale = 190 / 256
    pen.text(x, 12, title)
    top = 84
    step = 160 / len(layers)
    pen.text(x, 286, f"{ends} channels")
    pen.line((x, 274), (x, 275 - step / 2), kind="residual", arrow=False)
    for number, (name, channels) in enumerate(layers):
        y = 252 - step * (number + 0.5) + 10
        width = channels * scale
        pen.box(x, y, name if width > 90 else "", "residual", w=width, h=26)
        if width <= 90:
            pen.text(x + width / 2 + 6, y, name, align="start")
        if number:
            pen.line((x, y + step - 13), (x, y + 13), kind="residual", arrow=False)
    pen.line((x, 262 - step * (len(layers) - 0.5) - 13), (x, top + 12), kind="residual")
    pen.plus(x, top - 1, "residual")
    side = 262
    pen.line((x, 267), (side, 267), (side, top - 1), (x + 12, top - 1), kind="residual")
    pen.text(side - 6, top - 14, "identity", align="end")
    pen.line((x, top - 12), (x, top - 24), kind="residual", arrow=False)
    pen.box(x, top - 37, "ReLU", h=26, w=80)
    pen.line((x, top - 50), (x, top - 60), kind="residual")
    return pen


@drawing(
    "two-blocks",
    "Left, the two-layer block on 64 channels: two 3x3 convolutions of 64 channels, the identity "
    "around them. Right, the bottleneck on 256 channels: a 1x1 convolution to 64 channels, a 3x3 "
    "convolution on 64, a 1x1 convolution back to 256, the identity around them. Bars are as wide "
    "as their output has channels.",
)
def two_blocks() -> list[Pen]:
    return [
        block("two-layer block", 64, [("3x3, 64", 64), ("3x3, 64", 64)]),
        block("bottleneck", 256, [("1x1, 64", 64), ("3x3, 64", 64), ("1x1, 256", 256)]),
    ]


def strided(title: str, first: int) -> Pen:
    """Maps through a bottleneck of stride 2; first: the convolution that halves them, 0 or 1."""
    pen, x = Pen(200, 280), 70
    pen.text(100, 12, title)
    names = ("1x1", "3x3", "1x1")
    sides = [60, *(30 if number >= first else 60 for number in range(3))]
    y = 244.0
    for number, side in enumerate(sides):
        pen.map(x, y, side * 0.7, 3, "residual")
        if number < 3:
            label = f"{names[number]}, stride {2 if number == first else 1}"
            pen.text(x + 44, y - 36, label, "purple" if number == first else "", align="start")
            pen.line(
                (x, y - side * 0.35 - 8), (x, y - 68 + sides[number + 1] * 0.35), kind="residual"
            )
            y -= 68
    return pen


@drawing(
    "stride-places",
    "Left, the paper's bottleneck of stride 2: the first 1x1 convolution halves the maps, so the "
    "3x3 works on small ones. Right, torchvision's: the 1x1 keeps the size and the 3x3 halves it.",
)
def stride_places() -> list[Pen]:
    return [strided("the paper", 0), strided("torchvision", 1)]
