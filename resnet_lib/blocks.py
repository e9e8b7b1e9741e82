"""The blocks of the nets and the shortcuts that join them.

A plain net is a residual net without the addition: one block class serves both, so that twins
differ in nothing else. The shortcut is a named choice made in one place, `make_shortcut`.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.numerics import layer


@layer
class ZeroPadShortcut(nn.Module):
    """Option A at a change of dimensions: every `stride`-th pixel, the new channels zero.

    (N, C, H, W) -> (N, C + extra, ceil(H / stride), ceil(W / stride)). No parameters.
    Source: Paper, section 3.3, option A; section 4.2 uses it for all CIFAR nets.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


@layer
class ProjectionShortcut(nn.Module):
    """Options B and C: a 1x1 convolution of the block's stride, then BN.

    (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)).
    Source: Paper, section 3.3, equation 2.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=not batch_norm)
        self.bn = make_norm(out_channels, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


def make_shortcut(
    option: str, in_channels: int, out_channels: int, stride: int, batch_norm: bool = True
) -> nn.Module | None:
    """The shortcut of one block, or None in a plain net.

    Source: Paper, section 4.1: A pads with zeros, B projects where dimensions change, C always.
    """
    if option == "none":
        return None
    changes = stride != 1 or in_channels != out_channels
    if option == "C" or (option == "B" and changes):
        return ProjectionShortcut(in_channels, out_channels, stride, batch_norm)
    return ZeroPadShortcut(in_channels, out_channels, stride) if changes else nn.Identity()


def make_norm(channels: int, batch_norm: bool) -> nn.Module:
    """BN, or nothing where the net is built without it."""
    return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()


def conv3x3(in_channels: int, out_channels: int, stride: int, batch_norm: bool) -> nn.Conv2d:
    """A 3x3 convolution that keeps the map size at stride 1; a bias only where no BN follows."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=not batch_norm)


@layer
class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each with BN; the shortcut is added before the last ReLU.

    (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)). With option "none" it is
    the plain block: the same layers without the addition. Source: Paper, Figure 2, section 3.2.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, option: str, batch_norm: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride, batch_norm)
        self.bn1 = make_norm(out_channels, batch_norm)
        self.conv2 = conv3x3(out_channels, out_channels, 1, batch_norm)
        self.bn2 = make_norm(out_channels, batch_norm)
        self.shortcut = make_shortcut(option, in_channels, out_channels, stride, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return F.relu(out)
