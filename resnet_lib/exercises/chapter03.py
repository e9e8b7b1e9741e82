"""Checks of chapter 3: plain and residual networks."""

from __future__ import annotations

from typing import Any

import torch

from resnet_lib.complexity import complexity
from resnet_lib.exercises import exercise, is_number
from resnet_lib.models import build_model


@exercise("03-count")
def count(answer: Any) -> str | None:
    if not isinstance(answer, dict) or set(answer) != {"n", "convolutions", "shortcuts"}:
        return 'Answer with a dictionary with the keys "n", "convolutions" and "shortcuts".'
    if answer["n"] != 18:
        return "110 = 6n + 2: n is not that."
    if answer["convolutions"] == 110:
        return "One of the 110 weighted layers is no convolution."
    if answer["convolutions"] != 109:
        return "How many of the 110 weighted layers are convolutions? All but the last."
    if answer["shortcuts"] == 108:
        return "A shortcut spans two convolutions."
    if answer["shortcuts"] != 54:
        return "Each of the three stages has n blocks, and each block one shortcut."
    return None


@exercise("03-strides")
def strides(answer: Any) -> str | None:
    if not isinstance(answer, (list, tuple)) or not all(is_number(each) for each in answer):
        return "Answer with a list of numbers, one for each convolution."
    if len(answer) != 18:
        return f"There are 18 convolutions in the blocks of ResNet-20, not {len(answer)}."
    right = [2 if number in (6, 12) else 1 for number in range(18)]
    given = list(answer)
    if given == right:
        return None
    if given[0] == 2:
        return "The first stage keeps the map of 32 pixels: nothing is halved before conv3_x."
    if given.count(2) > 2:
        return "The map is halved twice in the net: from 32 to 16 and from 16 to 8 pixels."
    if given == [2 if number in (7, 13) else 1 for number in range(18)]:
        return "The paper's blocks halve the map in their first convolution."
    if given == [2 if number in (5, 11) else 1 for number in range(18)]:
        return "The first block of a stage halves the map, not the last of the one before."
    return "Which two convolutions halve the map: where does each stage of six begin?"


@exercise("03-cost")
def cost(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function (in_channels, out_channels, kernel, out_size)."
    given = answer(3, 16, 5, 8)
    if not is_number(given):
        return "The function must return one number."
    known = {
        2 * 3 * 16 * 25 * 64: "That counts two operations for each multiply-add.",
        3 * 16 * 25: "That is the number of weights: each is used at every position of the output.",
        16 * 25 * 64: "Each output sums over all input channels.",
        3 * 25 * 64: "That is the cost of one output channel.",
        3 * 16 * 64: "That is a kernel of one pixel: it has kernel times kernel.",
        3 * 16 * 5 * 64: "The kernel is a square, and has kernel times kernel weights.",
        3 * 16 * 25 * 8: "The map is a square, and has out_size times out_size positions.",
    }
    if given == 3 * 16 * 25 * 64:
        return None
    return known.get(
        given, "How many weights has the layer, and at how many positions is each used?"
    )


@exercise("03-layers")
def layers(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of a net that returns a number."
    # Bottlenecks under option B have projections; these nets are small.
    with torch.device("meta"):
        net = build_model("resnet20", seed=0, block="bottleneck", shortcut="B")
        plain = build_model("plain14", seed=0)
    given, of_plain = answer(net), answer(plain)
    if not is_number(given) or not is_number(of_plain):
        return "The function must return one number."
    weighted = complexity(net.config).weighted_layers
    if given == of_plain:
        return f"For nets of {weighted} and of 14 weighted layers it returns the same: {given}."
    projections = sum("shortcut.conv" in name for name, _ in net.named_modules())
    with_norms = sum(hasattr(module, "weight") for module in net.modules())
    if (given, of_plain) == (weighted, 14):
        return None
    if (given, of_plain) == (weighted + projections, 14):
        return "Projections on the shortcuts do not count: by what do their names differ?"
    if (given, of_plain) in ((weighted - 1, 13), (weighted - 1 + projections, 13)):
        return "The fully connected layer has weights too."
    if given == with_norms:
        return "BN has a scale, but does not count as a weighted layer."
    if given > with_norms:
        return "Containers, ReLUs and blocks are modules too: count convolutions and linear layers."
    net, layers, told = (
        ("bottleneck", weighted, given) if given != weighted else ("plain", 14, of_plain)
    )
    return f"For a {net} net of {layers} weighted layers it returns {told}."
