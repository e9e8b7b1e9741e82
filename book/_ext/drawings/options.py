"""Shortcut options: what they do to feature maps, and where a net has which."""

from __future__ import annotations

from drawings import Pen, drawing


def option(letter: str, layer: str, kept: int, added: int, side: float, title: str) -> Pen:
    """A shortcut from its input, below, to the addition; `added` channels of zeros."""
    pen, x = Pen(200, 292), 84
    pen.text(100, 12, f"{letter}: {title}")
    total = kept + added
    if added:
        pen.map(x + 3 * kept, 74 - 3 * kept, 36, added, empty=True)
    pen.map(x, 74, 36, kept, "residual")
    pen.text(
        x + 36 + 3 * total, 62, f"{total // 4}<i>C</i>" if total > 4 else "<i>C</i>", align="start"
    )
    pen.line((x, 134), (x, 98), kind="residual")
    pen.box(x, 150, layer, "residual", w=150)
    pen.line((x, 190), (x, 166), kind="residual", arrow=False)
    channels = 4 if side > 36 else total
    pen.map(x, 192 + side / 2 + 3 * channels, side, channels, "residual")
    pen.text(x + side / 2 + 3 * channels + 8, 206 + side / 2, "<i>C</i>", align="start")
    return pen


@drawing(
    "shortcut-options",
    "Three shortcuts from a stack of C feature maps. Option A keeps every second pixel, giving C "
    "smaller maps, and adds C maps of zeros. Option B passes a 1x1 convolution of stride 2, which "
    "gives 2C smaller maps. Option C also has a 1x1 convolution where nothing changes: C maps of "
    "one size become C maps of the same size.",
)
def shortcut_options() -> list[Pen]:
    return [
        option("A", "every second pixel", 4, 4, 64, "dimensions change"),
        option("B", "1x1 conv, stride 2", 8, 0, 64, "dimensions change"),
        option("C", "1x1 conv, stride 1", 4, 0, 36, "elsewhere, too"),
    ]


@drawing(
    "where-options-project",
    "The 16 blocks of ResNet-34 in stages of 3, 4, 6 and 3. Under A the first block of conv3_x, "
    "conv4_x and conv5_x pads with zeros and the other 13 are identities. Under B these three "
    "project. Under C all 16 project.",
)
def where_options_project() -> list[Pen]:
    pen, stages = Pen(336, 132), ((2, 3), (3, 4), (4, 6), (5, 3))
    for row, letter in enumerate("ABC"):
        y, x = 44 + 34 * row, 34
        pen.text(8, y, letter, align="start")
        for stage, blocks in stages:
            if row == 0:
                pen.text(x - 8, 14, f"conv{stage}_x", align="start")
            for index in range(blocks):
                changes = stage > 2 and index == 0
                projects = letter == "C" or (letter == "B" and changes)
                sign = "P" if projects else "0" if changes else ""
                pen.box(x, y, sign, "purple" if projects else "residual", w=15, h=22)
                x += 18
            x += 8
    return [pen]
