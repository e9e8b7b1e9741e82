"""Plausible wrong answers to the exercises of chapter 5, with a part of the hint to each."""

from torch import nn

WEIGHTS = 2 * 512 * 128 + 9 * 128 * 128
AREA = 28 * 28


def branch(width, outside=4, middle=None, bias=False, padding=1, norm=True, last=False, wide=1):
    """A residual branch with one thing or another wrong."""
    inner = width if middle is None else middle
    sizes = ((outside * width, inner, 1), (inner, inner, 3), (inner, outside * width, 1))
    layers = []
    for number, (before, after, size) in enumerate(sizes):
        more = {"padding": padding * wide, "dilation": wide} if size == 3 else {}
        layers.append(nn.Conv2d(before, after, size, bias=bias, **more))
        if norm or number < 2:
            layers.append(nn.BatchNorm2d(after))
        if number < 2 or last:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


WRONG = {
    "05-price": [
        (WEIGHTS, "Those are the weights"),
        (2 * WEIGHTS * AREA, "counts as one"),
        ((WEIGHTS + 512 * 512) * AREA, "no projection"),
        ((2 * 512 * 128 + 128 * 128) * AREA, "is 3x3"),
        ((2 * 512 * 128 + 9 * 512 * 512) * AREA, "narrow maps"),
        (WEIGHTS * 56 * 56, "times 28 times 28"),
    ],
    "05-layers": [
        ({"weighted": 204, "projections": 4}, "leaves the projections out"),
        ({"weighted": 198, "projections": 4}, "Before the first block"),
        ({"weighted": 134, "projections": 4}, "three convolutions"),
        ({"weighted": 200, "projections": 3}, "keep its channels"),
        ({"weighted": 200, "projections": 66}, "only where"),
        (200, "two numbers"),
    ],
    "05-branch": [
        (lambda width: branch(width, bias=True), "leave it out"),
        (lambda width: branch(width, padding=0), "padding"),
        (lambda width: branch(width, norm=False), "after each of the three"),
        (lambda width: branch(width, last=True), "after the addition"),
        (lambda width: branch(width, middle=4 * width), "`width` channels"),
        (lambda width: branch(width, outside=1), "returns 64"),
        (lambda width: branch(width, wide=2), "something else than the paper's"),
        (branch(16), "a function"),
    ],
    "05-ratio": [
        (lambda r: r * r / (9 + 2 * r), "multiply the whole"),
        (lambda r: 2, "for one r only"),
        (lambda r: (9 + 2 * r) / (9 + 2 * r + r * r), "Upside down"),
        (lambda r: 1 + r / (9 + 2 * r), "wide ends"),
        (lambda r: 1 + r * r / (9 + r), "priced wrongly"),
        (1.94, "function of r"),
    ],
}
