"""Gradients in the memory layout of what they belong to.

Nets are trained with channels last (`devices.choose_layout`). A strided slice and a mean hand back
gradients in torch's default layout all the same, and every step behind them, down to the next
convolution or BN, then reads one layout and writes another, many times slower (data/runs/LOG.md has
how much). The values are the same; only where they lie in memory is not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from resnet_lib.blocks import ZeroPadShortcut


class KeepLayout(torch.autograd.Function):
    """The identity; the gradient, (N, C, H, W), comes back in the layout of the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        last = x.is_contiguous(memory_format=torch.channels_last)
        ctx.layout = torch.channels_last if last else torch.contiguous_format
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous(memory_format=ctx.layout)


def of_inputs(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A hook before a module's forward pass."""
    return tuple(KeepLayout.apply(x) for x in inputs)


def of_output(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """A hook after a module's forward pass."""
    return KeepLayout.apply(output)


def keep_layouts(net: nn.Module, last_stage: nn.Module) -> None:
    """Let a net's gradients keep their layout at its padded shortcuts and before its mean.

    As hooks, and not in the layers' own `forward`, since they decide no number: on a CPU a run with
    them is the same to the last bit.
    """
    for module in net.modules():
        if isinstance(module, ZeroPadShortcut):
            module.register_forward_pre_hook(of_inputs)
    last_stage.register_forward_hook(of_output)
