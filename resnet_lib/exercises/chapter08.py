"""Checks of chapter 8: identity mappings."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from resnet_lib.exercises import exercise, is_number, near
from resnet_lib.models import build_model


@exercise("08-sum")
def sum_of_residuals(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of x and a list of functions."
    x = torch.linspace(-1, 1, 5)
    functions = [torch.sin, lambda v: 0.5 * v * v, lambda v: 0.3 - 0.5 * v]
    given = answer(x.clone(), list(functions))
    right, chained = x, x
    for each in functions:
        right, chained = right + each(right), each(chained)
    if near(given, right):
        return None
    if near(given, x + sum(each(x) for each in functions)):
        return "Each residual is computed at what the units before it made of x, not at x itself."
    if near(given, right - x):
        return "The sum of the residuals is right: where is the x that they are added to?"
    if near(given, chained):
        return "Those are plain layers, one after the other: each unit adds its input."
    relu = x
    for each in functions:
        relu = torch.relu(relu + each(relu))
    if near(given, relu):
        return "Nothing follows the addition here, no ReLU either."
    if not isinstance(given, Tensor):
        return "The function must return a tensor."
    return "Go through the units in order: the input of the next is the output of this one."


@exercise("08-unit")
def preactivated_unit(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of x, bn1, conv1, bn2 and conv2."
    draw = torch.Generator().manual_seed(0)
    conv1, conv2 = (nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(2))
    bn1, bn2 = (nn.BatchNorm2d(4).eval() for _ in range(2))
    with torch.no_grad():
        for layer in (conv1, conv2, bn1, bn2):
            for value in layer.parameters():
                value.copy_(torch.randn(value.shape, generator=draw))
        for norm in (bn1, bn2):
            norm.running_mean.copy_(torch.randn(4, generator=draw))
        x, relu = torch.randn(2, 4, 6, 6, generator=draw), torch.relu
        given = answer(x.clone(), bn1, conv1, bn2, conv2)
        before = relu(bn1(x))
        branch = conv2(relu(bn2(conv1(before))))
        original = relu(bn2(conv2(relu(bn1(conv1(x))))) + x)
        known = (
            (branch, "The input is added at the end: as it came, without BN and ReLU."),
            (
                before + branch,
                "What is added is the input as it came, not what BN and ReLU made of it.",
            ),
            (
                original,
                "That is the first paper's order: here BN and ReLU stand before a convolution.",
            ),
            (relu(x + branch), "Nothing follows the addition: the ReLU there is gone."),
            (
                x + conv2(relu(bn2(conv1(x)))),
                "Before the first convolution stand BN and ReLU, too.",
            ),
            (x + conv2(bn2(conv1(bn1(x)))), "Each BN is followed by a ReLU."),
            (
                x + conv2(bn2(relu(conv1(bn1(relu(x)))))),
                "BN comes before ReLU, as everywhere in the paper.",
            ),
        )
    if near(given, x + branch):
        return None
    for wrong, hint in known:
        if near(given, wrong):
            return hint
    if not isinstance(given, Tensor) or given.shape != x.shape:
        return "The function must return a tensor of the shape of x."
    return "BN, ReLU, convolution, twice; then add x."


@exercise("08-norms")
def number_of_norms(answer: Any) -> str | None:
    if not isinstance(answer, dict) or set(answer) != {"original", "preactivation"}:
        return 'Answer with a dictionary of two numbers: {"original": ..., "preactivation": ...}.'
    if not all(is_number(value) for value in answer.values()):
        return "Each order has a number of BN layers."
    right = {
        order: sum(
            isinstance(layer, nn.BatchNorm2d)
            for layer in build_model("resnet20", seed=0, order=order).modules()
        )
        for order in ("original", "preactivation")
    }
    if answer["original"] == right["original"] - 1:
        return "In the original order each convolution has a BN, conv1 too."
    if answer["original"] != right["original"]:
        return "In the original order: one for each convolution; A's shortcuts have none."
    if answer["preactivation"] == right["preactivation"] + 1:
        return "The first unit's input has been through BN and ReLU already, after conv1."
    if answer["preactivation"] == right["preactivation"] - 1:
        return "Two stand outside the units: look at conv1 and at the end of the net."
    if answer["preactivation"] != right["preactivation"]:
        return "Count those before the units' convolutions, then those outside the units."
    return None


@exercise("08-growth")
def growth(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number."
    value, mean = float(answer), 1 / math.sqrt(2 * math.pi)
    if abs(value / (27 * mean) - 1) < 0.01:
        return None
    if abs(value / mean - 1) < 0.01:
        return "That is one unit's share: there are 27 units."
    if abs(value / (54 * mean) - 1) < 0.01:
        return "That is the mean of |z|: ReLU keeps one side of the bell curve only."
    if abs(value / 13.5 - 1) < 0.01:
        return "Half of the values are zero, but the mean of the others is not 1."
    if abs(value / (27 * math.sqrt(0.5)) - 1) < 0.01:
        return "That is a root mean square: the mean is asked for."
    if value <= 0:
        return "After the ReLU no residual is negative: the mean can only grow."
    return "What is the mean of max(0, z), z being normal with mean 0 and standard deviation 1?"
