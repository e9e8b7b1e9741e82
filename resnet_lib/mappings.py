"""Blocks as mappings: what is left of one when parts of it shrink, and how easily one is learned.

The paper's argument for residual learning (section 3.1), taken apart: which numbers must reach
zero for a block to be the identity, and whether stacks of blocks find mappings near the identity
more easily than mappings near zero.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.batches import Normaliser
from resnet_lib.blocks import BasicBlock, Gate
from resnet_lib.configs import ConfigError, one_of
from resnet_lib.data import ImageSet
from resnet_lib.devices import one_thread
from resnet_lib.models import ResNet, build_model, initialise
from resnet_lib.numerics import random_stream

# What `shrink` can scale in the last layer of a block.
PARTS = ("weights", "scale and shift")


def images_of(data: ImageSet, count: int = 512) -> Tensor:
    """Normalised training images (N, C, H, W), spread over the classes."""
    step = max(1, len(data.train_images) // count)
    return Normaliser(data)(data.train_images[::step][:count])


@torch.no_grad()
def input_of(net: ResNet, name: str, x: Tensor) -> Tensor:
    """What enters the block of that name, such as "conv4_x.2", in training mode.

    Errors: `ConfigError` that lists the blocks.
    """
    net = copy.deepcopy(net).cpu().train()
    kept: list[Tensor] = []
    net.block(name).register_forward_pre_hook(lambda _block, inputs: kept.append(inputs[0]))
    with one_thread():
        net(x)
    return kept[0]


def check_block(block: nn.Module) -> None:
    """Raise `ConfigError` unless a block has two layers, of which conv2 and bn2 are the last."""
    if not isinstance(block, BasicBlock):
        raise ConfigError(f"a {type(block).__name__} is no block of two layers (BasicBlock).")


@torch.no_grad()
def residual(block: BasicBlock, x: Tensor) -> Tensor:
    """F(x): what the block's two layers add to the shortcut, in training mode."""
    check_block(block)
    block = copy.deepcopy(block).train()
    return block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))


@torch.no_grad()
def shrink(block: BasicBlock, part: str, factor: float) -> BasicBlock:
    """A copy of a block with a part of its last layer multiplied by `factor`.

    part: "weights" of the last convolution, or "scale and shift" of the BN after it.
    Errors: `ConfigError` for another part, or a block that has not two layers.
    """
    check_block(block)
    one_of(part, PARTS, "part")
    block = copy.deepcopy(block)
    tensors = [block.conv2.weight] if part == PARTS[0] else [block.bn2.weight, block.bn2.bias]
    for tensor in tensors:
        tensor.mul_(factor)
    return block


def shrinking(
    block: BasicBlock, x: Tensor, factors: Iterable[float] = (1, 0.1, 0.01, 0)
) -> pd.DataFrame:
    """How far a block is from the identity as the weights, or scale and shift, shrink to zero.

    x: inputs of the block (N, C, H, W), not negative. Columns part, factor; residual_std: standard
    deviation of F(x); difference: the largest |output - input|. Training mode.
    Errors: `ConfigError` for a block whose shortcut is no identity, as it cannot be one then.
    """
    if not isinstance(block.shortcut, nn.Identity):
        raise ConfigError("this block is never the identity: take one whose shortcut is.")
    rows = []
    for part in PARTS:
        for factor in factors:
            smaller = shrink(block, part, factor).train()
            with torch.no_grad():
                difference = (smaller(x) - x).abs().max().item()
            std = residual(smaller, x).std().item()
            rows.append((part, factor, std, difference))
    return pd.DataFrame(rows, columns=["part", "factor", "residual_std", "difference"])


def stack(blocks: int, channels: int, shortcut: str, seed: int) -> nn.Sequential:
    """Blocks of equal dimensions one after the other, initialised as in the nets.

    With one seed, plain ("none") and residual ("A") stacks have the same weights.
    """
    made = nn.Sequential(
        *(BasicBlock(channels, channels, 1, shortcut) for _ in range(blocks))
    ).train()
    initialise(made, "he", seed)
    return made


def fit_mapping(
    x: Tensor,
    scale: float,
    blocks: int = 1,
    shortcut: str = "A",
    seed: int = 0,
    steps: int = 100,
    lr: float = 0.1,
    batch: int = 64,
) -> tuple[nn.Sequential, pd.DataFrame]:
    """Train a stack to return `scale` times its input, and record how far off it is.

    x: feature maps (N, C, H, W), not negative. scale 1 asks for the identity, 0 for zero. Returns
    the stack and a table of step and error: the mean squared difference over the mean square of
    x, so that 1 is the error of answering zero where the identity was asked for. SGD, momentum 0.9.
    """
    made = stack(blocks, x.shape[1], shortcut, seed)
    optimiser = torch.optim.SGD(made.parameters(), lr=lr, momentum=0.9)
    power, errors = x.square().mean(), []
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    with one_thread():
        for step in range(steps):
            inputs = x[order.roll(-batch * step)[:batch]]
            error = F.mse_loss(made(inputs), scale * inputs) / power
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            errors.append(error.item())
    return made, pd.DataFrame({"step": range(steps), "error": errors})


def fit_mappings(
    x: Tensor,
    scales: Iterable[float],
    blocks: Iterable[int],
    seeds: Iterable[int],
    steps: int = 100,
) -> pd.DataFrame:
    """`fit_mapping` for all combinations, plain and residual, as one tidy table.

    Columns kind ("plain" or "residual"), scale, blocks, seed, step, error.
    """
    tables = []
    for seed, scale, number in itertools.product(seeds, scales, blocks):
        for kind, shortcut in (("plain", "none"), ("residual", "A")):
            _, log = fit_mapping(x, scale, number, shortcut, seed, steps)
            tables.append(log.assign(kind=kind, scale=scale, blocks=number, seed=seed))
    return pd.concat(tables, ignore_index=True)


def last_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """The mean error over the last tenth of the steps of each fit in `fit_mappings`' table."""
    last = frame["step"].max()
    late = frame[frame["step"] >= min(last, 0.9 * (last + 1))]
    return late.groupby(["kind", "scale", "blocks", "seed"], as_index=False)["error"].mean()


@torch.no_grad()
def shift_error(x: Tensor, scale: float, candidates: int = 400) -> float:
    """How close ReLU(x - c) comes to `scale` times x, c being one best constant for each channel.

    That is what a residual block can return with gamma 0 in its last BN and beta = -c; the error
    is that of `fit_mapping`. x: feature maps (N, C, H, W), not negative.
    """
    errors = torch.stack(
        [
            (F.relu(x - c) - scale * x).square().mean(dim=(0, 2, 3))
            for c in torch.linspace(0, float(x.max()), candidates)
        ]
    )
    return float(errors.min(dim=0).values.mean() / x.square().mean())


def size_of_last_layer(made: nn.Sequential) -> dict[str, float]:
    """Mean |gamma| and |beta| of a stack's last BN, and the norm of the weights before it."""
    block = made[-1]
    return {
        "gamma": block.bn2.weight.abs().mean().item(),
        "beta": block.bn2.bias.abs().mean().item(),
        "weights": block.conv2.weight.norm().item(),
    }


@torch.no_grad()
def bias_before_norm(x: Tensor, seed: int = 0) -> float:
    """The largest difference that a random bias makes to a 3x3 convolution followed by BN.

    In training mode: BN subtracts the channel's mean, and the bias with it.
    """
    draw = torch.Generator().manual_seed(seed)
    channels = x.shape[1]
    weight = torch.randn(channels, channels, 3, 3, generator=draw)
    bias = 10 * torch.randn(channels, generator=draw)
    without, with_bias = (
        nn.BatchNorm2d(channels)(F.conv2d(x, weight, each, padding=1)) for each in (None, bias)
    )
    return (without - with_bias).abs().max().item()


@torch.no_grad()
def gate_share(x: Tensor, bias: float, seed: int = 0) -> dict[str, float]:
    """How much of x a new exclusive gate lets through: smallest, mean and largest 1 - g.

    x: feature maps (N, C, H, W). Source: Paper, section 2; second paper, section 3.1.
    """
    gate = Gate(x.shape[1], x.shape[1], 1, float(bias), exclusive=True)
    gate.draw("he", random_stream("gates", seed))
    share = 1 - torch.sigmoid(F.conv2d(x, gate.weight, gate.bias))
    return {
        "smallest": share.min().item(),
        "mean": share.mean().item(),
        "largest": share.max().item(),
    }


def small_features(data: ImageSet, seed: int = 0, width: int = 8, count: int = 2_000) -> Tensor:
    """Feature maps of images after a new net's first layer: real, and not negative."""
    net = build_model("resnet8", seed=seed, width=width, in_channels=data.channels, stem_stride=2)
    return input_of(net, "conv2_x.0", images_of(data, count))
