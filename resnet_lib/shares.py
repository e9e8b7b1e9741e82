"""BN over a share of each batch, as where several devices train one net together.

Each device then normalises its own images; gradients are of the whole batch. The paper's batches of
128 ran on two GPUs (section 4.2), so that its BN presumably saw 64 images at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from resnet_lib.numerics import alternative


@alternative
class SharedBatchNorm(nn.BatchNorm2d):
    """What a BN is within `in_shares`. The running statistics follow one share after the other."""

    images: int

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, each `images` of them normalised by their own statistics."""
        return torch.cat([nn.BatchNorm2d.forward(self, share) for share in x.split(self.images)])


@contextmanager
def in_shares(net: nn.Module, images: int | None) -> Iterator[None]:
    """Let a net's BN normalise over that many images of a batch; None: over all of it."""
    norms = [module for module in net.modules() if type(module) is nn.BatchNorm2d and images]
    for norm in norms:
        # Only for a step: evaluations, probes and the numerics hash see the usual class.
        norm.__class__, norm.images = SharedBatchNorm, images
    try:
        yield
    finally:
        for norm in norms:
            norm.__class__ = nn.BatchNorm2d
            del norm.images
