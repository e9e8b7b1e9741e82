"""Checks of chapter 5: bottleneck."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from resnet_lib.blocks import Bottleneck
from resnet_lib.complexity import count
from resnet_lib.exercises import exercise, is_number


@exercise("05-price")
def price_of_a_bottleneck(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number."
    weights = 2 * 512 * 128 + 9 * 128 * 128
    right = weights * 28 * 28
    if answer == right:
        return None
    if answer == weights:
        return "Those are the weights: each is used once at every position of the map."
    if answer == 2 * right:
        return "A multiply-add counts as one here, as in the paper."
    if answer in ((weights + 512 * 512) * 28 * 28, (weights + 256 * 512) * 28 * 28):
        return "At equal dimensions option B has no projection."
    if answer == (2 * 512 * 128 + 128 * 128) * 28 * 28:
        return "The convolution in the middle is 3x3."
    if answer == (2 * 512 * 128 + 9 * 512 * 512) * 28 * 28:
        return "The 3x3 convolution works on the narrow maps."
    if answer == (512 * 128 + 9 * 128 * 128) * 28 * 28:
        return "Two of the three convolutions are 1x1: narrower, and wide again."
    return "Add up kernel size squared times channels in times channels out, times 28 times 28."


@exercise("05-layers")
def layers_of_a_deep_net(answer: Any) -> str | None:
    if not isinstance(answer, dict) or set(answer) != {"weighted", "projections"}:
        return 'Answer with two numbers: {"weighted": ..., "projections": ...}.'
    if not all(is_number(value) for value in answer.values()):
        return "Both answers are numbers."
    blocks = 3 + 24 + 36 + 3
    right = 3 * blocks + 2
    if answer["weighted"] == right + 4:
        return "The paper's count leaves the projections out."
    if answer["weighted"] in (3 * blocks, 3 * blocks + 1):
        return "Before the first block and after the last there is a layer with weights each."
    if answer["weighted"] == 2 * blocks + 2:
        return "A bottleneck has three convolutions."
    if answer["weighted"] == right + 1:
        return "Pooling and softmax have no weights and do not count."
    if answer["weighted"] != right:
        return "Count the convolutions of all blocks, then conv1 and fc."
    if answer["projections"] == 3:
        return "The first block of conv2_x keeps the map's size. Does it keep its channels?"
    if answer["projections"] == blocks:
        return "Option B projects only where dimensions change."
    if answer["projections"] != 4:
        return "One block of each stage changes the dimensions."
    return None


@exercise("05-branch")
def residual_branch(answer: Any) -> str | None:
    if not callable(answer) or isinstance(answer, nn.Module):
        return "Answer with a function of the width that makes the branch."
    branch = answer(16)
    if not isinstance(branch, nn.Module):
        return "The function must return a module, such as nn.Sequential(...)."
    named = branch.named_modules(remove_duplicate=False)  # one ReLU may serve twice
    layers = [each for _, each in named if not list(each.children())]
    convs = [each for each in layers if isinstance(each, nn.Conv2d)]
    shapes = [(c.in_channels, c.out_channels, c.kernel_size[0]) for c in convs]
    if len(convs) != 3 or [size for *_, size in shapes] != [1, 3, 1]:
        return "A bottleneck has three convolutions: 1x1, 3x3 and 1x1."
    if shapes[0][0] != 64 or shapes[2][1] != 64:
        return "For width 16 the branch takes 64 channels and returns 64."
    if shapes != [(64, 16, 1), (16, 16, 3), (16, 64, 1)]:
        return "The 3x3 convolution works on `width` channels, in and out."
    if any(conv.bias is not None for conv in convs):
        return "A bias before BN changes nothing: leave it out."
    if branch(torch.randn(2, 64, 8, 8)).shape != (2, 64, 8, 8):
        return "The output must have its input's size, or the two cannot be added: padding?"
    kinds = [type(each).__name__ for each in layers]
    if kinds.count("BatchNorm2d") != 3:
        return "BN comes after each of the three convolutions."
    if kinds[-1] == "ReLU":
        return "The last ReLU comes after the addition, so it is not part of the branch."
    if kinds != ["Conv2d", "BatchNorm2d", "ReLU"] * 2 + ["Conv2d", "BatchNorm2d"]:
        return "The order is convolution, BN, ReLU."
    own = count(branch, 64, 8)
    theirs = count(Bottleneck(64, 16, 1, "none"), 64, 8)
    same = (own.parameters, own.multiply_adds) == (theirs.parameters, theirs.multiply_adds)
    same &= all(conv.dilation == (1, 1) for conv in convs)
    return None if same else "It costs or sees something else than the paper's bottleneck."


@exercise("05-ratio")
def price_of_a_projection(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of r."
    values = [float(answer(r)) for r in (1, 2, 4, 8)]

    def close(formula: Any) -> bool:
        return all(abs(v - formula(r)) < 1e-3 for v, r in zip(values, (1, 2, 4, 8), strict=True))

    if close(lambda r: 1 + r * r / (9 + 2 * r)):
        return None
    if close(lambda r: r * r / (9 + 2 * r)):
        return "That is what the projection adds. By how much does it multiply the whole?"
    if close(lambda r: (9 + 2 * r) / (9 + 2 * r + r * r)):
        return "Upside down: the block with the projection is the dearer one."
    if close(lambda r: 2):
        return '"It doubles" is nearly right for one r only.'
    if close(lambda r: 1 + r / (9 + 2 * r)) or close(lambda r: 1 + 1 / (9 + 2 * r)):
        return "The projection joins the wide ends: r times width channels, in and out."
    if close(lambda r: 1 + r * r / (9 + r)) or close(lambda r: 1 + r * r / (1 + 2 * r)):
        return "One of the block's three convolutions is priced wrongly."
    return "Write each convolution's weights in units of width squared; for r = 4 it is 33/17."
