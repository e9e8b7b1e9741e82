"""What joins a block's input and its residual: an identity, or a gate."""

from __future__ import annotations

from drawings import Pen, drawing


def identity() -> Pen:
    """The paper's shortcut."""
    pen = Pen(220, 230)
    pen.text(80, 12, "<i>x</i>")
    pen.line((80, 22), (80, 66), kind="residual")
    pen.box(80, 82, "<i>F</i>", "residual", w=60)
    pen.line((80, 98), (80, 165), kind="residual")
    pen.plus(80, 176, "residual")
    pen.line((80, 34), (180, 34), (180, 176), (91, 176), kind="residual")
    pen.line((80, 187), (80, 210), kind="residual")
    pen.text(80, 220, "<i>F</i>(<i>x</i>) + <i>x</i>")
    return pen


def gate() -> Pen:
    """A highway net's."""
    pen = Pen(240, 230)
    pen.text(60, 12, "<i>x</i>")
    pen.line((60, 22), (60, 66), kind="purple")
    pen.box(60, 82, "<i>F</i>", "purple", w=60)
    pen.line((60, 98), (60, 119), kind="purple")
    pen.plus(60, 130, "purple", "×")
    pen.line((60, 141), (60, 165), kind="purple")
    pen.plus(60, 176, "purple")
    pen.line((60, 34), (200, 34), (200, 119), kind="purple")
    pen.plus(200, 130, "purple", "×")
    pen.line((200, 141), (200, 176), (71, 176), kind="purple")
    pen.box(130, 130, "gate", w=50, h=30)
    pen.line((130, 34), (130, 115))
    pen.line((105, 130), (71, 130))
    pen.line((155, 130), (189, 130))
    pen.text(88, 114, "<i>g</i>")
    pen.text(174, 112, "1 − <i>g</i>")
    pen.line((60, 187), (60, 210), kind="purple")
    pen.text(86, 220, "<i>g</i> <i>F</i>(<i>x</i>) + (1 − <i>g</i>) <i>x</i>")
    return pen


@drawing(
    "identity-and-gate",
    "Left, an identity shortcut: x goes round F and is added, so that F(x) + x comes out. Right, a "
    "highway net: a gate computed from x multiplies F(x) by g and the shortcut by 1 - g before "
    "they are added.",
)
def identity_and_gate() -> list[Pen]:
    return [identity(), gate()]


@drawing(
    "element-wise-addition",
    "Four feature maps F(x) plus four feature maps x of the same size give four feature maps: "
    "channel by channel, position by position.",
)
def element_wise_addition() -> list[Pen]:
    pen = Pen(330, 100)
    for x, kind, name in ((45, "residual", "<i>F</i>(<i>x</i>)"), (160, "", "<i>x</i>")):
        pen.map(x, 50, 56, 4, kind)
        pen.text(x + 2, 92, name)
    pen.map(275, 50, 56, 4, "residual")
    pen.text(277, 92, "<i>F</i>(<i>x</i>) + <i>x</i>")
    pen.text(107, 48, "+")
    pen.text(222, 48, "=")
    return [pen]
