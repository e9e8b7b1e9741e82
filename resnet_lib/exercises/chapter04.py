"""Checks of chapter 4: shortcut options."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from resnet_lib.complexity import complexity, shortcut_counts
from resnet_lib.exercises import exercise, is_number


@exercise("04-count")
def projections_of_resnet50(answer: Any) -> str | None:
    if not isinstance(answer, dict) or set(answer) != set("ABC"):
        return 'Answer with a dictionary of three numbers: {"A": ..., "B": ..., "C": ...}.'
    if not all(is_number(value) for value in answer.values()):
        return "Each option has a number of projections."
    right = {option: shortcut_counts("resnet50", shortcut=option)["projection"] for option in "ABC"}
    if answer["A"] != right["A"]:
        return "Option A has no parameters on its shortcuts: how many projections is that?"
    if answer["C"] != right["C"]:
        return "Under C every block projects, and a shortcut spans a whole block of three layers."
    if answer["B"] == 3:
        return (
            "Three blocks halve the maps. Is there another whose output has more channels than its "
            "input?"
        )
    if answer["B"] != right["B"]:
        return "Under B a block projects where the size or the channels change: go through them."
    return None


@exercise("04-cost")
def parameters_of_option_b(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number."
    a, b = (complexity("resnet20", shortcut=option).parameters for option in "AB")
    kernels = 16 * 32 + 32 * 64
    if answer == b - a:
        return None
    if answer == kernels:
        return "The kernels are right. What comes after each convolution, with parameters too?"
    if answer == 9 * kernels or answer == 9 * kernels + 2 * (32 + 64):
        return "A projection is a 1x1 convolution."
    if answer == kernels + 32 + 64:
        return "BN has two parameters for each channel, and the convolution before it no bias."
    if answer in (b, complexity("resnet20", shortcut="C").parameters):
        return "The question is how many more than under option A."
    if answer == complexity("resnet20", shortcut="C").parameters - a:
        return "That is what C adds: under B only two of the nine blocks project."
    return "Two blocks project: from 16 channels to 32, and from 32 to 64. Add kernels and BN."


@exercise("04-pad")
def zero_padded_shortcut(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of x and the new number of channels."
    draw = torch.Generator().manual_seed(0)
    for channels, new, size in ((3, 6, 8), (4, 6, 7)):
        x = torch.randn(2, channels, size, size, generator=draw)
        right = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, new - channels))
        given = answer(x, new)
        if not isinstance(given, torch.Tensor):
            return "The function must return a tensor."
        if given.shape[1] != new:
            return f"From {channels} channels to {new}: the output has {given.shape[1]}."
        if given.shape != right.shape:
            return (
                f"A map of {size} pixels becomes one of {right.shape[-1]}, not {given.shape[-1]}."
            )
        kept, added = given[:, :channels], given[:, channels:]
        if torch.equal(given, right):
            continue
        if not kept.equal(right[:, :channels]) and torch.equal(
            given[:, new - channels :], right[:, :channels]
        ):
            return "The zeros stand before the old channels: the new channels come last."
        if added.any():
            return "The new channels are zero under option A."
        if torch.allclose(kept, F.avg_pool2d(x, 2, ceil_mode=True), atol=1e-6):
            return "Option A takes every second pixel; it does not average."
        if torch.equal(kept, F.max_pool2d(x, 2, ceil_mode=True)):
            return "Option A takes every second pixel, not the largest of four."
        return (
            "The old channels are not every second pixel, from the first on, in rows and columns."
        )
    return None


@exercise("04-copy")
def copying_projection(answer: Any) -> str | None:
    shape = tuple(answer.shape) if hasattr(answer, "shape") else type(answer).__name__
    if shape == (16, 32, 1, 1):
        return "The weight of a convolution has the output's channels first."
    if shape != (32, 16, 1, 1):
        return f"From 16 channels to 32 a 1x1 kernel has shape (32, 16, 1, 1), not {shape}."
    x = torch.randn(1, 16, 6, 6, generator=torch.Generator().manual_seed(0))
    right = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 16))
    given = F.conv2d(x, answer.detach().float(), stride=2)
    if torch.allclose(given, right, atol=1e-5):
        return None
    if torch.allclose(given[:, :16], right[:, :16], atol=1e-5):
        return "The first 16 channels are right; under option A the new ones are zero."
    if torch.allclose(given[:, 16:], right[:, :16], atol=1e-5):
        return "The copies have come last: option A keeps the old channels first."
    if torch.allclose(given, right.sum(1, keepdim=True).expand_as(right), atol=1e-4):
        return "Each output channel now adds up all input channels: it must take its own only."
    if not given.any():
        return "That returns zeros everywhere: which 16 of the 512 numbers must be 1?"
    return "Output channel c must be input channel c for the first 16, and zero after that."


@exercise("04-scale")
def product_of_scales(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number."
    value, right = float(answer), 0.5**54
    if abs(value / right - 1) < 1e-2:
        return None
    if value == 0:
        return "It is small, but not zero: give it as a power."
    if value in (27, 54 * 0.5, 0.5 / 54):
        return (
            "Each unit multiplies what the next hands down: the scales are multiplied, not added."
        )
    if abs(value * right - 1) < 1e-6:
        return "Halved 54 times, it shrinks on its way down."
    if abs(value / 0.5**108 - 1) < 1e-6 or abs(value / 0.5**110 - 1) < 1e-6:
        return "One shortcut spans a unit of two layers: count units, not layers."
    if value in (0.5**53, 0.5**55):
        return "Each of the 54 units has a shortcut: count the factors again."
    return "With F zero, a unit's output is 0.5 times its input: what is it after 54 of them?"
