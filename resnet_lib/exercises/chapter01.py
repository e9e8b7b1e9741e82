"""Checks of chapter 1: degradation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from resnet_lib.exercises import exercise, is_number

TRUE_NAMES = {"a": "degradation", "b": "overfitting", "c": "neither"}


@exercise("01-name")
def name_the_case(answer: Any) -> str | None:
    if not isinstance(answer, dict) or set(answer) != set(TRUE_NAMES):
        return 'Answer with a dictionary that names the three cases, such as {"a": ..., "b": ...}.'
    if not set(answer.values()) <= {"degradation", "overfitting", "neither"}:
        return 'Each case is "degradation", "overfitting" or "neither".'
    if answer["a"] == "overfitting":
        return "In case a, look at the training error first: who overfits has a low one."
    if answer["b"] == "degradation":
        return "In case b, which net fits its training images better? Degradation is about those."
    wrong = [case for case in TRUE_NAMES if answer[case] != TRUE_NAMES[case]]
    if wrong:
        return (
            f"Case {wrong[0]}: compare the training errors of the two nets, then the test errors."
        )
    return None


@exercise("01-factor")
def factor(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number."
    value, right = float(answer), 10 ** (1 / 54)
    if abs(value - right) < 5e-4:
        return None
    if abs(value - 10 / 54) < 1e-2:
        return "The layers' factors are multiplied, not added."
    if abs(value - 1 / right) < 5e-4:
        return "That shrinks the signal on its way down; here it grows."
    if abs(value - 10 ** (1 / 55)) < 5e-4:
        return "From the last of 55 outputs to the first there are fewer steps than outputs."
    if not 1 < value < 1.2:
        return "Put your factor to the power of the number of steps: that must give 10."
    return "Close: count the steps again, and give at least four digits after the point."


@exercise("01-kernel")
def kernel(answer: Any) -> str | None:
    if not isinstance(answer, torch.Tensor):
        return f"The kernel is a tensor of torch, not a {type(answer).__name__}."
    if answer.shape != (4, 4, 3, 3):
        return f"The kernel is a tensor of shape (4, 4, 3, 3), not {tuple(answer.shape)}."
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = F.conv2d(x, answer.to(x.dtype), padding=1)
    if torch.allclose(y, x, atol=1e-5):
        return None
    if torch.allclose(y, x.sum(1, keepdim=True).expand_as(x), atol=1e-4):
        return "Each output channel now adds up all input channels: it must take its own only."
    for shift in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
        if torch.allclose(y[..., 1:-1, 1:-1], x.roll(shift, (2, 3))[..., 1:-1, 1:-1], atol=1e-5):
            return (
                "The picture comes out shifted by a pixel: which of the 3x3 places is the middle?"
            )
    scale = (y * x).sum() / (x * x).sum()
    if torch.allclose(y, scale * x, atol=1e-4):
        return f"The copy is {scale:.3g} times as large as the input."
    return "The output differs from the input: try it on a picture with a single bright pixel."


@exercise("01-undo")
def undo(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function that takes a BN layer and returns gamma and beta."
    draw = torch.Generator().manual_seed(0)
    norm = nn.BatchNorm2d(5, eps=0.1).eval()  # an eps that shows where it is forgotten
    norm.running_mean.copy_(torch.randn(5, generator=draw))
    norm.running_var.copy_(torch.rand(5, generator=draw) + 0.2)
    std = (norm.running_var + norm.eps).sqrt()
    with torch.no_grad():
        given = answer(norm)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        return "The function must return two tensors, gamma and beta."
    gamma, beta = given
    if getattr(gamma, "shape", None) != (5,) or getattr(beta, "shape", None) != (5,):
        return "Gamma and beta have one number for each channel, as the running statistics do."
    right = (
        torch.allclose(gamma, std, atol=1e-5),
        torch.allclose(beta, norm.running_mean, atol=1e-5),
    )
    if all(right):
        return None
    if torch.allclose(gamma, norm.running_var.sqrt(), atol=1e-5):
        return "Almost: the equation has one more number under the root."
    if torch.allclose(gamma, norm.running_var + norm.eps, atol=1e-5) or torch.allclose(
        gamma, norm.running_var, atol=1e-5
    ):
        return "BN divides by a standard deviation, and running_var is a variance."
    if torch.allclose(gamma, 1 / std, atol=1e-5):
        return "Gamma multiplies what BN has divided already."
    if right[0]:
        return "Gamma is right. What has BN taken away that beta must give back?"
    return "Set y = u in the equation of BN, and compare what stands before u, and what beside it."
