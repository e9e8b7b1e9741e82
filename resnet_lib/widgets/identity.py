"""What must be learned to copy the input? One small picture and blocks on one channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from resnet_lib.blocks import BasicBlock
from resnet_lib.constructions import make_identity
from resnet_lib.explore import show
from resnet_lib.figures import colour, legend, panels
from resnet_lib.pictures import SOURCE, head

SIZE = 32
DEPTH, SHARE, SEED = 27, 20, 0  # the default view: blocks, percent of the way, seed of the weights


def explore(**state: Any) -> Any:
    """What must be learned to copy the input? One picture through 1 to 27 blocks."""
    return show("identity", data(), **state)


def data() -> dict[str, Any]:
    """The picture as grey values from 0 to 255, row by row; all else is computed on the page."""
    grey = head(SIZE).float().mean(0).round().int()
    return {"size": SIZE, "pixels": grey.flatten().tolist(), "source": SOURCE}


def picture(data: dict[str, Any]) -> Tensor:
    """What the blocks get, (1, 1, H, W): the darkest pixel at 0, the standard deviation 1."""
    x = torch.tensor(data["pixels"], dtype=torch.float64)
    x = (x - x.min()) / x.std(correction=0)
    return x.reshape(1, 1, data["size"], data["size"])


def uniform(seed: int) -> Callable[[], float]:
    """The page's random numbers in [0, 1): mulberry32, as in web/explorers/identity/net.ts."""
    word = 0xFFFFFFFF
    state = ((seed + 1) * 0x9E3779B1) & word

    def draw() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & word
        t = ((state ^ state >> 15) * (state | 1)) & word
        t ^= (t + (t ^ t >> 7) * (t | 61)) & word
        return ((t ^ t >> 14) & word) / 2**32

    return draw


def he_kernels(count: int, seed: int) -> Tensor:
    """The 3x3 kernels of `count` blocks, (count, 2, 3, 3), by He initialisation: fan-in 9."""
    draw = uniform(seed)
    values = []
    for _ in range(count * 18):
        radius = math.sqrt(-2 * math.log(1 - draw()))
        values.append(math.sqrt(2 / 9) * radius * math.cos(2 * math.pi * draw()))
    return torch.tensor(values, dtype=torch.float64).reshape(count, 2, 3, 3)


@torch.no_grad()
def outputs(x: Tensor, kind: str, count: int, share: float, seed: int) -> list[Tensor]:
    """The picture after 0, 1, 2 ... blocks, each `share` of the way from a copy to He's weights.

    kind: "plain" or "residual". BN uses the picture's own statistics, as in training.
    """
    copies, drawn = blocks(kind, count, seed), blocks(kind, count, seed)
    found = [x]
    for copy, block in zip(copies, drawn, strict=True):
        solve(copy, x, kind)
        for start, end in zip(copy.parameters(), block.parameters(), strict=True):
            end.copy_((1 - share) * start + share * end)
        found.append(block.train()(found[-1]))
    return found


@torch.no_grad()
def blocks(kind: str, count: int, seed: int) -> list[BasicBlock]:
    """Blocks on one channel as initialised for training."""
    made = []
    for kernels in he_kernels(count, seed):
        block = BasicBlock(1, 1, 1, "A" if kind == "residual" else "none").double()
        for conv, kernel in zip((block.conv1, block.conv2), kernels, strict=True):
            conv.weight.copy_(kernel.reshape(1, 1, 3, 3))
        made.append(block)
    return made


def solve(block: BasicBlock, x: Tensor, kind: str) -> None:
    """Set what must be set to copy `x`: two kernels and BN, or BN's last scale and shift."""
    if kind == "residual":
        block.bn2.weight.zero_()
        block.bn2.bias.zero_()
        return
    make_identity(block)
    for norm in (block.bn1, block.bn2):
        norm.weight.copy_((x.var(correction=0) + norm.eps).sqrt())
        norm.bias.copy_(x.mean())


def likeness(one: Tensor, other: Tensor) -> float:
    """The correlation of two pictures, 0 where one of them is flat."""
    pair = np.stack([one.flatten().numpy(), other.flatten().numpy()])
    return float(np.corrcoef(pair)[0, 1]) if (pair.std(axis=1) > 1e-10).all() else 0.0


def curves(data: dict[str, Any]) -> dict[str, list[float]]:
    """The likeness of plain and residual outputs to the picture, in the default view."""
    x = picture(data)
    return {
        kind: [likeness(each, x) for each in outputs(x, kind, DEPTH, SHARE / 100, SEED)]
        for kind in ("plain", "residual")
    }


def figures(data: dict[str, Any]) -> list[Figure]:
    """The likeness to the input after each block."""
    (figure,), (ax,) = panels()
    for kind, values in curves(data).items():
        ax.plot(values, color=colour(kind), linewidth=2, label=f"{kind} blocks")
    ax.axhline(0, color="#000000", linewidth=0.8, alpha=0.5)
    ax.set_xlabel("blocks passed")
    ax.set_ylabel("likeness to the input")
    legend(ax)
    return [figure]


def sentence(data: dict[str, Any]) -> str:
    """The likeness at the end."""
    ends = {kind: values[-1] for kind, values in curves(data).items()}
    text = (
        f"A picture after {DEPTH} blocks whose weights lie {SHARE}% of the way from a perfect copy "
        f"to He initialisation: its likeness to the input (correlation) is {ends['plain']:.2f} in "
        f"plain blocks and {ends['residual']:.2f} in residual ones. A plain block on one channel "
        "needs 22 numbers at their right values to copy its input, a residual block 2."
    )
    return text.replace(" -", " \N{MINUS SIGN}")
