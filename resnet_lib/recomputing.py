"""Training deep nets in less memory: a block's activations are computed again when needed.

What it saves was measured: data/runs/LOG.md. On a CPU glibc keeps many freed pieces; with
MALLOC_MMAP_THRESHOLD_=65536 in the environment it saves more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from resnet_lib.models import ResNet


@contextmanager
def recomputing(net: ResNet, on: bool = True) -> Iterator[None]:
    """Keep only the inputs of a net's blocks for the backward pass (activation checkpointing).

    Each block then runs once more in it: about a third more work, the same numbers, bit for bit on
    the CPU, dropout included. BN's running statistics are updated once, in the forward pass.
    """
    blocks = [block for _, block in net.blocks()] if on else []
    for block in blocks:
        # On the instance: neither the class nor the numerics hash knows of it.
        block.forward = partial(
            checkpoint,
            block.forward,
            use_reentrant=False,
            context_fn=partial(contexts, block),
        )
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def contexts(block: nn.Module) -> tuple:
    """What surrounds a block's first run and its second."""
    return nullcontext(), statistics_aside(block)


@contextmanager
def statistics_aside(block: nn.Module) -> Iterator[None]:
    """Have BN update copies of its running statistics, which are thrown away."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [dict(norm.named_buffers()) for norm in norms]
    try:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, value in buffers.items():
                setattr(norm, name, value.clone())
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, value in buffers.items():
                setattr(norm, name, value)
