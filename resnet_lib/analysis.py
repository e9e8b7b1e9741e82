"""Measurements on a net: responses and gradient norms of its layers, as tidy tables."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.batches import AnyNormaliser, Normaliser, check_images
from resnet_lib.blocks import ResidualUnit
from resnet_lib.complexity import is_side_path
from resnet_lib.configs import ConfigError, whole
from resnet_lib.data import ImageSet
from resnet_lib.devices import exact
from resnet_lib.models import ResNet
from resnet_lib.runs import one_run_each


def main_path(model: nn.Module) -> list[tuple[str, nn.Conv2d, nn.Module]]:
    """The convolutions on the main path in order, each with its name and the BN that follows.

    Where no BN follows (pre-activation, BN after the addition), the convolution stands twice.
    """
    modules = dict(model.named_modules())
    follows = model.config.order != "preactivation"
    return [
        (name, module, modules.get(f"{name[:-5]}bn{name[-1]}", module) if follows else module)
        for name, module in modules.items()
        if isinstance(module, nn.Conv2d) and not is_side_path(name)
    ]


def signals(model: nn.Module, x: Tensor, y: Tensor) -> pd.DataFrame:
    """How strongly signals pass through each layer of the main path, forward and backward.

    x: normalised images (N, C, H, W); y: labels (N,). One row a layer:
    response_std: standard deviation of the layer's output after BN, before ReLU or addition;
    activation_gradient: norm of the mean loss's gradient with respect to that output;
    weight_gradient: norm of its gradient with respect to the layer's weights;
    weight_norm: norm of the weights;
    scaled_weight_gradient: the product of the last two. Under BN the weight gradient is
    proportional to 1 / weight_norm, so compare this product between layers.

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
    with exact(x.is_cuda):
        F.cross_entropy(model(x), y).backward()
    return pd.DataFrame(
        {
            "layer": range(1, len(layers) + 1),
            "name": [name for name, _, _ in layers],
            "response_std": [outputs[name].std().item() for name, _, _ in layers],
            "activation_gradient": [outputs[name].grad.norm().item() for name, _, _ in layers],
            "weight_gradient": [conv.weight.grad.norm().item() for _, conv, _ in layers],
            "weight_norm": [conv.weight.norm().item() for _, conv, _ in layers],
            "scaled_weight_gradient": [
                (conv.weight.grad.norm() * conv.weight.norm()).item() for _, conv, _ in layers
            ],
        }
    )


class SignalProbe:
    """`signals` on one fixed batch of training images, for `train(probe=...)`."""

    def __init__(
        self, data: ImageSet, images: int = 256, normalise: AnyNormaliser | None = None
    ) -> None:
        whole(images, 1, "images")
        chosen = torch.randperm(len(data.train_images), generator=torch.Generator().manual_seed(0))
        chosen = chosen[:images]
        self.data = data
        self.x = (normalise or Normaliser(data))(data.train_images[chosen])
        self.y = data.train_labels[chosen]

    def __call__(self, model: nn.Module) -> pd.DataFrame:
        check_images(model, self.data)
        device = next(model.parameters()).device
        return signals(model, self.x.to(device), self.y.to(device))


PROBES = {"signals": SignalProbe}


def dead_channels(model: nn.Module, bound: float = 0.01) -> pd.DataFrame:
    """How many channels of each layer of the main path pass nothing on.

    dead: those whose BN scale is below `bound` in size, so that what comes out of BN hardly depends
    on the input; channels: how many there are. One row a layer, with its number and name. Errors:
    `ConfigError` for a net without BN after its convolutions.
    """
    layers = main_path(model)
    if not all(isinstance(norm, nn.BatchNorm2d) for _, _, norm in layers):
        raise ConfigError(
            f"{model.config.name} has layers without BN after them: none to count in."
        )
    return pd.DataFrame(
        {
            "layer": range(1, len(layers) + 1),
            "name": [name for name, _, _ in layers],
            "dead": [int((norm.weight.abs() < bound).sum()) for _, _, norm in layers],
            "channels": [norm.num_features for _, _, norm in layers],
        }
    )


def first_to_last(
    frame: pd.DataFrame, column: str, moments: Sequence[int] | None = None
) -> pd.Series:
    """How many times larger `column` is at the first layer than at the last.

    The geometric mean over seeds, since a ratio of 10 and one of 1/10 are equally far from 1.

    frame: rows as from `runs.probes`. moments: iterations; else the first and the last at which the
    nets were measured. Returns one value for each model and iteration. Errors: `ConfigError` where
    runs of a net differ in more than their seeds.
    """
    one_run_each(frame)
    if moments is None:
        moments = [frame["iteration"].min(), frame["iteration"].max()]
    rows = frame[frame["iteration"].isin(moments)].sort_values("layer")
    ends = rows.groupby(["model", "iteration", "seed"])[column].agg(["first", "last"])
    logs = np.log(ends["first"] / ends["last"])
    return np.exp(logs.groupby(["model", "iteration"]).mean())


def health(ratio: float, factor: float = 10.0) -> str:
    """What a ratio of first to last gradient norm means: "healthy" within a factor of 10.

    "exploding" above it, "vanishing" below; "not measured" for NaN, which is no ratio.
    """
    if math.isnan(ratio):
        return "not measured"
    if ratio > factor:
        return "exploding"
    return "vanishing" if ratio < 1 / factor else "healthy"


def by_part(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The layers of two-layer blocks whose response is F(x), "F", and all "other" layers.

    frame: rows as from `runs.probes`. A plain net's rows are parted in the same way.
    """
    second = frame["name"].str.endswith("conv2")
    return {"F": frame[second], "other": frame[~second]}


def response_sizes(frame: pd.DataFrame) -> pd.DataFrame:
    """How strongly nets respond at the last moment measured: a row a net, from shallow to deep.

    frame: rows as from `runs.probes`. Medians over layers and seeds of F(x) and of other layers,
    and the mean over all; seeds: how many.
    """
    last = frame[frame["iteration"] == frame["iteration"].max()]
    nets, size = ["depth", "model"], "response_std"
    parts = {name: rows.groupby(nets)[size].median() for name, rows in by_part(last).items()}
    columns = {
        "F(x),_median": parts["F"],
        "other_layers,_median": parts["other"],
        "all_layers,_mean": last.groupby(nets)[size].mean(),
        "seeds": last.groupby(nets)["seed"].nunique(),
    }
    return pd.DataFrame(columns).reset_index().drop(columns="depth")


def responses_by_stage(frame: pd.DataFrame) -> pd.DataFrame:
    """How strongly the layers that respond with F(x) do so in each stage, at the last moment.

    frame: rows as from `runs.probes`. Medians over layers and seeds: a row a net, from shallow to
    deep, and a column a stage.
    """
    rows = by_part(frame[frame["iteration"] == frame["iteration"].max()])["F"]
    stages = rows["name"].str.split(".").str[0].rename("stage")
    found = rows.groupby(["depth", "model", stages])["response_std"].median().unstack()
    found.columns = [f"stage {number}" for number, _ in enumerate(found, 1)]
    return found.reset_index().drop(columns="depth")


def weaker_layers(frame: pd.DataFrame, residual: str, plain: str) -> pd.Series:
    """In how many percent of the layers the residual net responds more weakly, for each seed.

    frame: rows as from `runs.probes`; compared layer by layer at the last moment measured.
    """
    one_run_each(frame)
    last = frame[frame["iteration"] == frame["iteration"].max()]
    table = last.pivot_table(index=["seed", "layer"], columns="model", values="response_std")
    both = table.reindex(columns=[residual, plain]).dropna()
    return 100 * (both[residual] < both[plain]).groupby("seed").mean()


def share_read(path: nn.Module, channels: int, size: int) -> float:
    """The share of its input's values on which the output of a path depends, in percent.

    path: a shortcut, or some layers in a row. Measured on one random input (1, channels, size,
    size), in evaluation mode: a value counts if the gradient of a random sum of outputs reaches it.
    """
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, channels, size, size, generator=draw).requires_grad_()
    output = copy.deepcopy(path).cpu().eval()(x)
    (output * torch.randn(output.shape, generator=draw)).sum().backward()
    return 100 * (x.grad != 0).double().mean().item()


@torch.no_grad()
def block_maps(net: ResNet, block: str, x: Tensor) -> dict[str, np.ndarray]:
    """The feature maps around one block for one image, in evaluation mode, each (C, H, W).

    x: a normalised image (1, C, H, W); block: a name such as "conv3_x.0". Returns input,
    shortcut, residual (before the addition) and output of the block.
    Errors: `ConfigError` that lists the blocks, or for a net without BN.
    """
    net = copy.deepcopy(net).cpu().eval()
    module = net.block(block)
    kept: dict[str, Tensor] = {}

    def keep(_module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        kept.update(input=inputs[0], output=output)

    module.register_forward_hook(keep)
    end_of_branch(module).register_forward_hook(lambda *call: kept.update(residual=call[2]))
    net(x)
    if module.shortcut is not None:
        kept["shortcut"] = module.shortcut(kept["input"])
    return {name: tensor[0].cpu().numpy() for name, tensor in kept.items()}


def end_of_branch(block: nn.Module) -> nn.Module:
    """The module that puts out a block's F(x). Errors: `ConfigError` where that is no module."""
    if isinstance(block, ResidualUnit):
        return block.residual
    norms = [layer for layer in block.children() if isinstance(layer, nn.BatchNorm2d)]
    if not norms:
        raise ConfigError("without BN a block's F(x) is no output of a layer.")
    return norms[-1]
