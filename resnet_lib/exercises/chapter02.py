"""Checks of chapter 2: residual learning."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.exercises import exercise, is_number, near


def shape_of(given: Any) -> str:
    """The shape of an answer in words, or what else it is."""
    return str(tuple(given.shape)) if isinstance(given, Tensor) else type(given).__name__


@exercise("02-shift")
def shift(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of x and beta."
    draw = torch.Generator().manual_seed(0)
    # As many channels as columns: a shift of columns would pass unnoticed by its shape.
    x, beta = torch.rand(2, 4, 4, 4, generator=draw), torch.tensor([-0.5, -0.1, 0.2, 0.7])
    given = answer(x.clone(), beta.clone())
    channels = beta[:, None, None]
    if near(given, F.relu(x + channels)):
        return None
    if not isinstance(given, Tensor) or given.shape != x.shape:
        return f"The output has the input's shape, {tuple(x.shape)}, not {shape_of(given)}."
    if near(given, x):
        return "With gamma zero, BN still adds something: the block is not the identity yet."
    if near(given, x + channels):
        return "Some outputs are negative: what comes after the addition?"
    if near(given, F.relu(channels).expand_as(x)):
        return "That is the residual alone: where is the shortcut?"
    if near(given, x + F.relu(channels)):
        return "The last ReLU comes after the addition, not before it."
    if near(given, F.relu(x + beta)):
        return "Beta has one number a channel; here it was added along the columns."
    return "What does BN return if it multiplies by zero and then adds beta?"


@exercise("02-fold")
def fold(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of a weight (C, C, 3, 3) that returns a weight."
    draw = torch.Generator().manual_seed(0)
    weight, x = torch.randn(3, 3, 3, 3, generator=draw), torch.randn(2, 3, 5, 5, generator=draw)
    given = answer(weight.clone())
    if not isinstance(given, Tensor) or given.shape != weight.shape:
        return f"The weight has shape {tuple(weight.shape)} again, not {shape_of(given)}."
    added = F.conv2d(x, given - weight, padding=1)
    if near(added, x):
        return None
    if near(added, torch.zeros_like(x)):
        return "That computes the convolution without its input added."
    if near(added, x.sum(1, keepdim=True).expand_as(x)):
        return "Each output channel gets the sum of all input channels: it must get its own only."
    changed = (given - weight).abs() > 1e-6
    if changed.all():
        return (
            "Every number of the weight changed: adding the input needs only one for each channel."
        )
    if not changed[..., 1, 1].any():
        return "The input arrives shifted by a pixel: which of the 3x3 places is the middle?"
    return "What the new weight adds is not x: look at the kernel that copies, in chapter 1."


@exercise("02-block")
def block(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of x, conv1, bn1, conv2 and bn2."
    torch_state = torch.random.get_rng_state()
    torch.manual_seed(0)
    conv1, conv2 = (nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(2))
    bn1, bn2 = (nn.BatchNorm2d(4).eval() for _ in range(2))
    for norm in (bn1, bn2):
        nn.init.normal_(norm.bias)
    x = torch.rand(2, 4, 6, 6)
    torch.random.set_rng_state(torch_state)
    with torch.no_grad():
        given = answer(x.clone(), conv1, bn1, conv2, bn2)
        inner = F.relu(bn1(conv1(x)))
        f = bn2(conv2(inner))
        linear = bn2(conv2(bn1(conv1(x))))
        mistakes = {
            "The input is missing: that is the plain block.": F.relu(f),
            "The ReLU at the end is missing: it comes after the addition.": f + x,
            "The last ReLU stands before the addition; in the paper it stands after it.": (
                F.relu(f) + x
            ),
            "There is one ReLU too few: between the two layers.": F.relu(linear + x),
            "The second BN is missing: each convolution has one.": F.relu(conv2(inner) + x),
            "The first BN is missing: each convolution has one.": F.relu(
                bn2(conv2(F.relu(conv1(x)))) + x
            ),
            "What is added is not the block's input.": F.relu(f + inner),
        }
        right = F.relu(f + x)
    if near(given, right):
        return None
    if not isinstance(given, Tensor) or given.shape != right.shape:
        return f"The output has the input's shape, {tuple(x.shape)}, not {shape_of(given)}."
    for hint, wrong in mistakes.items():
        if near(given, wrong):
            return hint
    return "Compare the order of your steps with the drawing of the block, from top to bottom."


@exercise("02-gate")
def gate(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number, the bias."

    def bias(share: float, blocks: float) -> float:
        closed = 1 - share ** (1 / blocks)
        return math.log(closed / (1 - closed))

    value, right = float(answer), bias(0.5, 54)
    if abs(value - right) < 0.01:
        return None
    if abs(value + right) < 0.01:
        return "The sign: with this bias the gates are almost closed for the shortcut."
    if abs(value) < 0.01:
        return "That is one block: half of what is left is lost in each of 54."
    if abs(value - math.log(0.5 / 54)) < 0.1:
        return (
            "Close: the shares are multiplied from block to block, so halves are not split evenly."
        )
    if value > 0:
        return "A positive bias favours F, not the shortcut."
    return "Let s be the share of one block: s to the power of 54 is one half. Now solve for b."
