"""Whole nets: what an image goes through."""

from __future__ import annotations

from drawings import Pen, drawing


@drawing(
    "cifar-net",
    "A CIFAR net of one block a stage, from top to bottom. The image has 32x32 pixels and 3 "
    "channels. A first 3x3 convolution makes 16 channels. Stage conv2_x: two convolutions, 32x32, "
    "16 channels, a solid shortcut round them. Stage conv3_x: the first convolution has stride 2; "
    "16x16, 32 channels, a dotted shortcut. Stage conv4_x: again stride 2; 8x8, 64 channels, a "
    "dotted shortcut. Then global average pooling to 64 numbers and one fully connected layer to "
    "10 classes.",
)
def cifar_net() -> list[Pen]:
    pen = Pen(330, 526)
    centre, y = 170, 20
    pen.text(centre, y, "image, 32x32, 3 channels")
    layers = [
        ("3x3 conv, 16", "", ""),
        ("3x3 conv, 16", "residual", "conv2_x"),
        ("3x3 conv, 16", "residual", "32x32"),
        ("3x3 conv, 32, stride 2", "residual", "conv3_x"),
        ("3x3 conv, 32", "residual", "16x16"),
        ("3x3 conv, 64, stride 2", "residual", "conv4_x"),
        ("3x3 conv, 64", "residual", "8x8"),
        ("global average pooling", "", ""),
        ("fully connected, 10", "", ""),
    ]
    above = y + 10
    for number, (name, kind, note) in enumerate(layers):
        gap = 28 if kind and number % 2 else 18
        y = above + gap + 15
        pen.line((centre, above), (centre, y - 15))
        pen.box(centre, y, name, kind, w=166, h=30)
        pen.text(4, y, note, align="start")
        if kind and number % 2:  # the first layer of a block
            start = above + 9
        elif kind:
            end = y + 25
            points = ((centre, start), (290, start), (290, end), (centre, end))
            pen.line(*points, kind="residual", dash=number > 2)
            pen.line((centre, y + 15), (centre, end), arrow=False)
            above = end
            continue
        above = y + 15
    return [pen]
