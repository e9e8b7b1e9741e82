"""The blocks of the nets and the shortcuts that join them.

A plain net is a residual net without the addition: one block class serves both, so that twins
differ in nothing else. The shortcut is a named choice made in one place, `make_shortcut`.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.configs import BLOCKS, SHORTCUTS, ConfigError, ModelConfig, one_of
from resnet_lib.numerics import alternative, layer


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
    Errors: `ConfigError` for another option.
    """
    one_of(option, SHORTCUTS, "shortcut option")
    if option == "none":
        return None
    changes = stride != 1 or in_channels != out_channels
    if option == "C" or (option == "B" and changes):
        return ProjectionShortcut(in_channels, out_channels, stride, batch_norm)
    return ZeroPadShortcut(in_channels, out_channels, stride) if changes else nn.Identity()


def projects(block: nn.Module) -> bool:
    """Whether a block's shortcut is a projection."""
    return isinstance(block.shortcut, ProjectionShortcut)


def make_norm(channels: int, batch_norm: bool) -> nn.Module:
    """BN, or nothing where the net is built without it."""
    return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()


def conv3x3(in_channels: int, out_channels: int, stride: int, batch_norm: bool) -> nn.Conv2d:
    """A 3x3 convolution that keeps the map size at stride 1; a bias only where no BN follows."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=not batch_norm)


@layer
class SingleLayerBlock(nn.Module):
    """One 3x3 convolution with BN; the shortcut is added before ReLU.

    (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)). Source: Paper, section 3.2,
    y = W x + x; second paper, Table 3, "1-layer skip".
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, option: str, batch_norm: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride, batch_norm)
        self.bn1 = make_norm(out_channels, batch_norm)
        self.shortcut = make_shortcut(option, in_channels, out_channels, stride, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn1(self.conv1(x)) + self.shortcut(x))


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


@layer
class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many; the shortcut is added before ReLU.

    (N, C_in, H, W) -> (N, 4 width, ceil(H / stride), ceil(W / stride)). The paper strides in the
    first 1x1, torchvision in the 3x3. Source: Paper, Figure 5, section 4.1.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        option: str,
        batch_norm: bool = True,
        stride_in: str = "1x1",
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.conv1 = nn.Conv2d(in_channels, width, 1, first, bias=not batch_norm)
        self.bn1 = make_norm(width, batch_norm)
        self.conv2 = conv3x3(width, width, second, batch_norm)
        self.bn2 = make_norm(width, batch_norm)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=not batch_norm)
        self.bn3 = make_norm(4 * width, batch_norm)
        self.shortcut = make_shortcut(option, in_channels, 4 * width, stride, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return F.relu(out)


@layer
class ResidualUnit(nn.Module):
    """A block in any order of BN, ReLU and addition, joined in any way.

    Same shapes as the block whose convolutions it takes over. Source: second
    paper, Figures 2 and 4, Tables 1 and 2.
    """

    def __init__(
        self,
        block: SingleLayerBlock | BasicBlock | Bottleneck,
        order: str,
        junction: nn.Module | None,
        activated: bool,
    ) -> None:
        """Reorder `block`.

        junction: joins residual and shortcut, None adds them. activated: the input has been
        through BN and ReLU already, as that of a net's first unit has. Errors: `ConfigError` for
        a block with layers that no order of the second paper's Table 2 has a place for.
        """
        super().__init__()
        numbers = [n for n in (1, 2, 3) if hasattr(block, f"conv{n}")]
        placed = {"shortcut", *(f"{layer}{n}" for n in numbers for layer in ("conv", "bn"))}
        for name in (*block._modules, *block._parameters, *block._buffers):
            if name not in placed:
                raise ConfigError(
                    f"{type(block).__name__} has {name!r}, for which no other order and no "
                    "junction has a place: use order 'original' and junction 'add'."
                )
        layers: dict[str, nn.Module] = {}
        for n in numbers:
            conv, last = getattr(block, f"conv{n}"), n == numbers[-1]
            if order == "preactivation":
                if n > 1 or not activated:
                    batch_norm = isinstance(block.bn1, nn.BatchNorm2d)
                    layers[f"bn{n}"] = make_norm(conv.in_channels, batch_norm)
                    layers[f"relu{n}"] = nn.ReLU()
                layers[f"conv{n}"] = conv
                continue
            if order == "relu-only-preactivation" and (n > 1 or not activated):
                layers[f"relu{n}"] = nn.ReLU()
            layers[f"conv{n}"] = conv
            if not (order == "bn-after-addition" and last):
                layers[f"bn{n}"] = getattr(block, f"bn{n}")
            if order != "relu-only-preactivation" and not (
                last and order in ("original", "bn-after-addition")
            ):
                layers[f"relu{n}"] = nn.ReLU()
        self.residual = nn.Sequential(OrderedDict(layers))
        self.shortcut, self.junction = block.shortcut, junction
        channels = getattr(block, f"conv{numbers[-1]}").out_channels
        self.after = {
            "original": nn.ReLU,
            "bn-after-addition": lambda: nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()),
        }.get(order, nn.Identity)()

    def forward(self, x: Tensor) -> Tensor:
        out = self.residual(x)
        if self.junction is not None:
            out = self.junction(out, self.shortcut(x), x)
        elif self.shortcut is not None:
            out = out + self.shortcut(x)
        return self.after(out)


@layer
class ConstantScaling(nn.Module):
    """residual * residual_scale + shortcut * shortcut_scale. Source: second paper, section 3.1."""

    def __init__(self, shortcut_scale: float, residual_scale: float) -> None:
        super().__init__()
        self.shortcut_scale, self.residual_scale = shortcut_scale, residual_scale

    def forward(self, residual: Tensor, shortcut: Tensor, _x: Tensor) -> Tensor:
        return residual * self.residual_scale + shortcut * self.shortcut_scale


@layer
class Gate(nn.Module):
    """g = sigmoid(1x1 convolution of x + bias); shortcut * (1 - g), residual * g if exclusive.

    It has weights of its own, so `draw` draws them, from another stream than the main path's: twins
    with and without it start from the same weights.

    Highway networks gate both sides; the bias starts below zero to favour the shortcut.
    Source: second paper, section 3.1 (exclusive and shortcut-only gating); Paper, section 2.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, bias: float, exclusive: bool
    ) -> None:
        super().__init__()
        # Parameters of its own, not a convolution's: `initialise` would draw that one's weights
        # from the main path's stream, and its bias would start at zero.
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.full((out_channels,), bias))
        self.stride, self.exclusive = stride, exclusive

    def forward(self, residual: Tensor, shortcut: Tensor, x: Tensor) -> Tensor:
        gate = torch.sigmoid(F.conv2d(x, self.weight, self.bias, self.stride))
        return (residual * gate if self.exclusive else residual) + shortcut * (1 - gate)

    @torch.no_grad()
    @alternative
    def draw(self, init: str, stream: torch.Generator) -> None:
        """Draw the weights as `initialise` draws a 1x1 convolution's, but from another stream."""
        fan_out, fan_in = self.weight.shape[:2]
        std = {
            "he": math.sqrt(2 / fan_in),
            "he-fan-out": math.sqrt(2 / fan_out),
            "xavier": math.sqrt(2 / (fan_in + fan_out)),
            "small": 0.01,
        }[init]
        self.weight.copy_(torch.randn(self.weight.shape, generator=stream) * std)


@layer
class ShortcutDropout(nn.Module):
    """Dropout on the shortcut. Source: second paper, section 3.1."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(p)

    def forward(self, residual: Tensor, shortcut: Tensor, _x: Tensor) -> Tensor:
        return residual + self.dropout(shortcut)


def make_junction(
    config: ModelConfig, in_channels: int, out_channels: int, stride: int
) -> nn.Module | None:
    """What joins residual and shortcut in one block; None where they are simply added."""
    if config.junction == "constant":
        return ConstantScaling(config.shortcut_scale, config.residual_scale)
    if config.junction in ("exclusive-gate", "shortcut-gate"):
        exclusive = config.junction == "exclusive-gate"
        return Gate(in_channels, out_channels, stride, float(config.gate_bias), exclusive)
    return ShortcutDropout(config.shortcut_dropout) if config.junction == "dropout" else None


def make_block(
    config: ModelConfig, in_channels: int, width: int, stride: int, activated: bool
) -> nn.Module:
    """One block as the configuration says; `activated` as in `ResidualUnit`."""
    place = in_channels, width, stride, config.shortcut, config.batch_norm
    where = (config.stride_in,) if config.block == "bottleneck" else ()
    block = CLASSES[config.block](*place, *where)
    if (config.order, config.junction) == ("original", "add"):
        return block
    out_channels = width * BLOCKS[config.block].expansion
    junction = make_junction(config, in_channels, out_channels, stride)
    return ResidualUnit(block, config.order, junction, activated)


# The class of each of `configs.BLOCKS`.
CLASSES = {"single-layer": SingleLayerBlock, "basic": BasicBlock, "bottleneck": Bottleneck}
