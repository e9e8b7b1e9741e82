"""Measurements on a net: responses and gradient norms of its layers, as tidy tables."""

from __future__ import annotations

import copy

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.data import ImageSet, Normaliser


def main_path(model: nn.Module) -> list[tuple[str, nn.Conv2d, nn.Module]]:
    """The convolutions on the main path in order, each with its name and the BN that follows."""
    modules = dict(model.named_modules())
    return [
        (name, module, modules[f"{name[:-5]}bn{name[-1]}"])
        for name, module in modules.items()
        if isinstance(module, nn.Conv2d) and ".shortcut." not in name
    ]


def signals(model: nn.Module, x: Tensor, y: Tensor) -> pd.DataFrame:
    """How strongly signals pass through each layer of the main path, forward and backward.

    x: normalised images (N, C, H, W); y: labels (N,). One row a layer:
    response_std: standard deviation of the layer's output after BN, before ReLU or addition;
    activation_gradient: norm of the mean loss's gradient with respect to that output;
    weight_gradient: norm of its gradient with respect to the layer's weights;
    weight_norm: norm of the weights. Under BN the weight gradient is proportional to
    1 / weight_norm, so compare weight_gradient * weight_norm between layers.

    Works on a copy in training mode and float32: the net is left as it was.
    Source: Paper, section 4.1 (healthy norms), Figure 7 (responses).
    """
    model = copy.deepcopy(model).float().train()
    outputs: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            output.retain_grad()
            outputs[name] = output

        return hook

    layers = main_path(model)
    for name, _, norm in layers:
        norm.register_forward_hook(keep(name))
    F.cross_entropy(model(x), y).backward()
    return pd.DataFrame(
        {
            "layer": range(1, len(layers) + 1),
            "name": [name for name, _, _ in layers],
            "response_std": [outputs[name].std().item() for name, _, _ in layers],
            "activation_gradient": [outputs[name].grad.norm().item() for name, _, _ in layers],
            "weight_gradient": [conv.weight.grad.norm().item() for _, conv, _ in layers],
            "weight_norm": [conv.weight.norm().item() for _, conv, _ in layers],
        }
    )


class SignalProbe:
    """`signals` on one fixed batch of training images, for `train(probe=...)`."""

    def __init__(self, data: ImageSet, images: int = 256) -> None:
        chosen = torch.randperm(len(data.train_images), generator=torch.Generator().manual_seed(0))
        chosen = chosen[:images]
        self.x = Normaliser(data)(data.train_images[chosen])
        self.y = data.train_labels[chosen]

    def __call__(self, model: nn.Module) -> pd.DataFrame:
        device = next(model.parameters()).device
        return signals(model, self.x.to(device), self.y.to(device))


PROBES = {"signals": SignalProbe}


def gap(frame: pd.DataFrame, deep: str, shallow: str, column: str = "top1_error") -> pd.Series:
    """The last value of `column` of the deep net minus the shallow one's, for each seed.

    frame: rows of one split, as from `load_runs`. Positive: the deeper net is worse.
    """
    last = frame.sort_values("iteration").groupby(["model", "seed"])[column].last()
    return (last[deep] - last[shallow]).rename("gap")


def spread(values: pd.Series) -> dict[str, float]:
    """Mean, smallest and largest of some seeds' values, and how many there are."""
    return {
        "mean": float(values.mean()),
        "low": float(values.min()),
        "high": float(values.max()),
        "seeds": len(values),
    }
