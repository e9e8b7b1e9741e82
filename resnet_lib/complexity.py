"""Weighted layers, parameters, multiply-adds and map sizes of a net, without running on data.

Shapes travel through the net on torch's meta device, which computes nothing. One multiply-add is
one multiplication and one addition; the paper calls these FLOPs, other counters count two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from resnet_lib.configs import ModelConfig
from resnet_lib.models import build_model, model_config


@dataclass(frozen=True)
class Stage:
    """One stage: its name, output channels and map size, blocks and cost."""

    name: str
    channels: int
    size: int
    blocks: int
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Complexity:
    """What a net costs for one image.

    weighted_layers: convolutions on the main path and fc; projections, pooling and softmax do
    not count. parameters: trainable numbers, BN's scales and shifts included. multiply_adds: of
    convolutions and fc; BN, ReLU and additions are left out. Source: Paper, Table 1.
    """

    weighted_layers: int
    parameters: int
    multiply_adds: int
    stages: tuple[Stage, ...]


def complexity(model: str | ModelConfig, size: int = 32, **changes) -> Complexity:
    """Count one net at a given image size in pixels. Errors: `ConfigError`."""
    config = model_config(model, **changes)
    with torch.device("meta"):
        net = build_model(config, seed=0).eval()
        image = torch.empty(1, config.in_channels, size, size)
    costs: dict[str, int] = {}
    shapes: dict[str, torch.Size] = {}

    def count(name: str):
        def hook(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            shapes[name] = output.shape
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                positions = output[0].numel() // output.shape[1]
                costs[name] = module.weight.numel() * positions

        return hook

    for name, module in net.named_modules():
        module.register_forward_hook(count(name))
    net(image)
    stages = tuple(
        Stage(
            name=name,
            channels=shapes[name][1],
            size=math.prod(shapes[name][2:3]),
            blocks=len(module) if isinstance(module, nn.Sequential) else 0,
            parameters=sum(p.numel() for p in module.parameters())
            + (sum(p.numel() for p in net.bn1.parameters()) if name == "conv1" else 0),
            multiply_adds=sum(c for key, c in costs.items() if f"{key}.".startswith(f"{name}.")),
        )
        for name, module in ((name, getattr(net, name)) for name in ("conv1", *net.stages, "fc"))
    )
    return Complexity(
        weighted_layers=sum(".shortcut." not in name for name in costs),
        parameters=sum(p.numel() for p in net.parameters()),
        multiply_adds=sum(costs.values()),
        stages=stages,
    )
