"""Gradients of weights beside the rest of the backward pass, for graphs on a GPU.

The convolutions of a small net leave most of a GPU idle. Layer by layer the backward pass waits for
the gradient of the layer's input; that of its weights is wanted by the optimiser alone. So these
are computed on streams of their own, by the same kernels: the numbers are the same. How much faster
it is was measured: data/runs/LOG.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What torch.compile must leave alone in nets that train so: it would write into memory that it no
# longer needs itself, while another stream still reads it.
COMPILING = {"allow_buffer_reuse": False, "inplace_buffers": False}


class Streams:
    """The streams of a device that weights' gradients are computed on in turn.

    A CPU has none: there all comes in the order in which it is asked for. Two threads must not
    train on one device at a time.
    """

    COUNT = 3  # six and twelve were no faster

    def __init__(self, device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self.next = cycle([torch.cuda.Stream(device) for _ in range(self.COUNT * on_gpu)] or [None])
        self.busy: set[torch.cuda.Stream] = set()
        self.read: list[Tensor] = []

    @contextmanager
    def fork(self, *read: Tensor) -> Iterator[None]:
        """Give what follows to the next stream, after all that the current one was given.

        read: what it reads. It is held until the join: else its memory could be used again, and
        autograd adds other gradients in place to one that it alone holds.
        """
        self.read += read
        stream = next(self.next)
        if stream is None:
            yield
            return
        stream.wait_stream(torch.cuda.current_stream(stream.device))
        self.busy.add(stream)
        with torch.cuda.stream(stream):
            yield

    def join(self) -> None:
        """Let the current stream wait for all that was given to the others."""
        while self.busy:
            stream = self.busy.pop()
            torch.cuda.current_stream(stream.device).wait_stream(stream)
        self.read.clear()


side_streams = cache(Streams)  # one for each device


@torch.library.custom_op(
    "resnet_lib::weight_gradient",
    mutates_args=(),
    schema="(Tensor gradient, Tensor x, Tensor weight, int[] stride, int[] padding, "
    "int[] dilation, int groups) -> Tensor",
)
def weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, *how: Any) -> Tensor:
    """The gradient of a convolution's weights, in float32, on a stream of its own on a GPU.

    An operator, so that torch.compile takes it as a whole. gradient: of the output, (N, D, H', W').
    x: (N, C, H, W). weight: (D, C / groups, k, k).
    """
    with side_streams(x.device).fork(gradient, x, weight):
        found = backward(gradient, x, weight, how, of="weight")
        # In the layout of the weights: autograd then takes it as it is, and launches nothing.
        result = torch.empty_like(weight, dtype=torch.float32).copy_(found)
    if x.is_cuda:
        result.record_stream(torch.cuda.current_stream(x.device))
    return result


@weight_gradient.register_fake
def _(gradient: Tensor, x: Tensor, weight: Tensor, *how: Any) -> Tensor:
    return torch.empty_like(weight, dtype=torch.float32)


def backward(gradient: Tensor, x: Tensor, weight: Tensor, how: tuple, of: str) -> Tensor:
    """One of the two gradients of a convolution: of "x" or of "weight"."""
    stride, padding, dilation, groups = how
    wanted = [of == "x", of == "weight", False]
    found = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, dilation, False, [0, 0], groups, wanted
    )
    return found[wanted.index(True)]


class Convolution(torch.autograd.Function):
    """A convolution without bias whose two gradients are computed apart."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, *how: Any) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            lower = torch.get_autocast_dtype(x.device.type)
            x, weight = x.to(lower), weight.to(lower)
        ctx.save_for_backward(x, weight)
        ctx.how = how
        return F.conv2d(x, weight, None, *how)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_weight = torch.ops.resnet_lib.weight_gradient(gradient, x, weight, *ctx.how)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = backward(gradient, x, weight, ctx.how, of="x")
        return of_x, of_weight, None, None, None, None


class Apart(nn.Conv2d):
    """What a convolution is within `overlapping`."""

    def forward(self, x: Tensor) -> Tensor:
        how = (list(self.stride), list(self.padding), list(self.dilation), self.groups)
        return Convolution.apply(x, self.weight, *how)


@contextmanager
def overlapping(
    net: nn.Module, optimiser: torch.optim.Optimizer, on: bool = True
) -> Iterator[None]:
    """Compute the gradients of weights beside the rest; the optimiser's step waits for them.

    Nothing else may read them before that step: so no hooks on weights, no convolution that is used
    twice, and no gradients that are there already. Gates, and convolutions with a bias (those of
    nets without BN), are left as they are. The same numbers as without, bit for bit; more memory,
    since what the streams read is held until the step.
    """
    if not on:
        yield
        return
    convolutions = [module for module in net.modules() if is_usual(module)]
    streams = side_streams(next(net.parameters()).device)
    hook = optimiser.register_step_pre_hook(lambda *_: streams.join())
    for convolution in convolutions:
        # Only for a step: the numerics hash and the probes see the usual class.
        convolution.__class__ = Apart
    try:
        yield
    finally:
        for convolution in convolutions:
            convolution.__class__ = nn.Conv2d
        hook.remove()
        streams.join()  # where the step was broken off


def is_usual(module: nn.Module) -> bool:
    """Whether a module is a convolution as `Convolution` computes it."""
    usual = type(module) is nn.Conv2d and module.bias is None
    return usual and module.padding_mode == "zeros" and not isinstance(module.padding, str)
