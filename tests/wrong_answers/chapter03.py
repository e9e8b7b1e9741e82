"""Plausible wrong answers to the exercises of chapter 3, with a part of the hint to each."""

from torch import nn

WEIGHTED = (nn.Conv2d, nn.Linear)


def on_main_path(net, kinds):
    return [
        name
        for name, module in net.named_modules()
        if isinstance(module, kinds) and "shortcut" not in name
    ]


WRONG = {
    "03-count": [
        ({"n": 18.3, "convolutions": 109, "shortcuts": 54}, "110 = 6n + 2"),
        ({"n": 18, "convolutions": 110, "shortcuts": 54}, "no convolution"),
        ({"n": 18, "convolutions": 108, "shortcuts": 54}, "All but the last"),
        ({"n": 18, "convolutions": 109, "shortcuts": 108}, "spans two"),
        ({"n": 18, "convolutions": 109, "shortcuts": 18}, "three stages"),
    ],
    "03-strides": [
        ([2, 1, 1, 1, 1, 1] * 3, "first stage keeps"),
        ([1] * 6 + [2] * 12, "halved twice"),
        (([1] * 6 + [1, 2, 1, 1, 1, 1] * 2), "in their first convolution"),
        ([1, 1, 1, 2, 1, 1, 2, 1, 1], "18 convolutions"),
        ([1] * 18, "where does each stage"),
    ],
    "03-cost": [
        (lambda i, o, k, s: 2 * i * o * k * k * s * s, "two operations"),
        (lambda i, o, k, s: i * o * k * k, "number of weights"),
        (lambda i, o, k, s: o * k * k * s * s, "sums over all input channels"),
        (lambda i, o, k, s: i * o * k * k * s, "The map is a square"),
        (lambda i, o, k, s: i * o * k * s * s, "kernel is a square"),
    ],
    "03-layers": [
        (lambda net: sum(isinstance(m, WEIGHTED) for m in net.modules()), "Projections"),
        (lambda net: len(on_main_path(net, nn.Conv2d)), "fully connected"),
        (lambda net: sum(hasattr(m, "weight") for m in net.modules()), "BN has a scale"),
        (lambda net: len(list(net.modules())), "Containers"),
        (lambda net: net.config.depth + 6, "bottleneck net of 20 weighted layers it returns 26"),
        (lambda net: net.config.depth if net.config.depth > 14 else 16, "plain net of 14"),
        (lambda net: 20, "returns the same: 20"),
    ],
}
