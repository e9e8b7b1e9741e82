"""Measurements on a net: responses and gradient norms of its layers, as tidy tables."""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from statistics import mean, stdev

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.blocks import BasicBlock, ProjectionShortcut, ResidualUnit
from resnet_lib.complexity import is_side_path
from resnet_lib.configs import ConfigError, whole
from resnet_lib.data import (
    AnyNormaliser,
    ImageSet,
    Normaliser,
    check_images,
    normaliser_of,
    source_of,
)
from resnet_lib.devices import exact, one_thread
from resnet_lib.models import ResNet, build_model, model_config
from resnet_lib.outputs import MINUS
from resnet_lib.runs import of_split, one_run_each


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


def gap(frame: pd.DataFrame, deep: str, shallow: str, split: str = "train") -> pd.Series:
    """The deep net's last top-1 error minus the shallow one's, in points, for each seed.

    frame: rows as from `load_runs`. Positive: the deeper net is worse. A seed counts only where
    both runs are complete: a run that diverged or was stopped is no degradation.
    Errors: `ConfigError` where a net and seed have several runs, and for a name that is neither in
    the frame nor a net's.
    """
    for name in {deep, shallow} - {*frame["model"]}:
        model_config(re.split("[ ,]", name)[0])  # "plain20, small init" is a plain20
    rows = of_split(frame, split)
    rows = rows[rows["status"] == "complete"]
    rows = one_run_each(rows[rows["model"].isin([deep, shallow])])
    last = rows.sort_values("iteration").groupby(["model", "seed"])["top1_error"].last()
    ends = last.unstack("model").reindex(columns=[deep, shallow]).dropna()
    return (ends[deep] - ends[shallow]).rename(f"{deep} - {shallow}, {split}")


def errors_at(frame: pd.DataFrame, moments: Iterable[int], window: int) -> pd.DataFrame:
    """The training error that nets come to by some iterations, in percent.

    frame: rows as from `load_runs`. window: how many iterations that end there count. One row a
    moment, one column a model: means over the window and the seeds.
    """
    train = frame[frame["split"] == "train"]
    ends = {end: train[train["iteration"].between(end - window + 1, end)] for end in moments}
    means = {end: rows.groupby("model")["top1_error"].mean() for end, rows in ends.items()}
    return pd.DataFrame(means).T.rename_axis("iteration")


def direction(values: pd.Series) -> str:
    """Whether all seeds agree: "higher", "lower", or "unclear" when they do not or are none."""
    if len(values) and values.min() > 0:
        return "higher"
    return "lower" if len(values) and values.max() < 0 else "unclear"


# Student's t for an interval of 95%, by degrees of freedom; the last serves all beyond.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of the mean over seeds, by Student's t; without bounds below two seeds."""
    n = len(values)
    if n < 2:
        return -math.inf, math.inf
    half = STUDENT[min(n - 2, len(STUDENT) - 1)] * stdev(values) / math.sqrt(n)
    return mean(values) - half, mean(values) + half


def describe(values: pd.Series) -> str:
    """A difference over seeds in words, whatever it is: mean, range, and what is not settled."""
    if not len(values):
        return "not measured (no seed with both runs complete)"
    shown = [f"{round(v, 1):+.1f}" for v in (values.mean(), values.min(), values.max())]
    middle, low, high = ("0.0" if each[1:] == "0.0" else each.replace("-", MINUS) for each in shown)
    seeds = len(values)
    if seeds == 1:
        return f"{middle} points (1 seed)"
    if low == high == "0.0":
        return f"0.0 points (on each of {seeds} seeds)"
    doubt = ""
    if direction(values.round(1)) == "unclear":
        doubt = "; they do not agree"
    elif math.prod(confidence_interval(list(values))) <= 0:
        doubt = "; the 95% interval holds zero"
    return f"{middle} points ({low} to {high} over {seeds} seeds{doubt})"


def compare(before: pd.Series, after: pd.Series) -> str:
    """What became of a gap after more training, as the rest of a sentence that begins "it"."""
    if direction(before) != "higher":
        return "was not there on every seed to begin with"
    if direction(after) == "lower":
        return "turned round"
    if direction(after) == "unclear":
        return "closed on some seeds only"
    change = direction((after - before).dropna())
    return {"lower": "shrank and stayed open", "higher": "grew"}.get(change, "stayed open")


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
    nets were measured. Returns one value for each model and iteration.
    """
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


def weaker_layers(frame: pd.DataFrame, residual: str, plain: str) -> pd.Series:
    """In how many percent of the layers the residual net responds more weakly, for each seed.

    frame: rows as from `runs.probes`; compared layer by layer at the last moment measured.
    """
    last = frame[frame["iteration"] == frame["iteration"].max()]
    table = last.pivot_table(index=["seed", "layer"], columns="model", values="response_std")
    both = table.reindex(columns=[residual, plain]).dropna()
    return 100 * (both[residual] < both[plain]).groupby("seed").mean()


@torch.no_grad()
def deepen(net: ResNet, depth: int, data: ImageSet) -> ResNet:
    """A deeper net that computes what `net` computes: the added blocks are identities.

    The construction behind the paper's argument: a deeper net can copy the shallower one and add
    identity mappings. New blocks follow the old ones of each stage, where inputs are outputs of a
    ReLU and so not negative. A residual block becomes the identity by a zero last scale and
    shift; a plain one needs two Dirac kernels, and BN undone by its own statistics
    (gamma = sqrt(var + eps), beta = mean), which holds in evaluation mode. The statistics are
    those of 256 training images.

    Errors: `ConfigError` when `depth` is smaller than the net's, or under option C, whose
    projections are no identities. Source: Paper, section 1 and section 3.1.
    """
    whole(depth, 1, "depth")
    if depth < net.config.depth:
        raise ConfigError(f"depth {depth} is not deeper than the net's {net.config.depth}.")
    usual = ("basic", "original", "add")
    if (net.config.block, net.config.order, net.config.junction) != usual:
        raise ConfigError(f"{net.config.name} is not built of the paper's two-layer blocks.")
    if net.config.shortcut == "C":
        raise ConfigError("option C projects on every shortcut: its blocks are no identities.")
    check_images(net, data)
    deep = build_model(dataclasses.replace(net.config, depth=depth), seed=net.seed)
    deep.load_state_dict(net.state_dict(), strict=False)
    deep.source = source_of(net)
    old = dict(net.blocks())
    hooks = []
    for name, block in deep.blocks():
        if name in old:
            continue
        make_identity(block)
        for norm in (block.bn1, block.bn2):
            if isinstance(norm, nn.BatchNorm2d):
                hooks.append(norm.register_forward_pre_hook(undo_norm))
    normalise = normaliser_of([net], data)
    deep.eval()(normalise(data.train_images[:: max(1, len(data.train_images) // 256)]))
    for hook in hooks:
        hook.remove()
    return deep


def make_identity(block: BasicBlock) -> None:
    """Set a block's convolutions so that inputs that are not negative pass, BN aside."""
    for conv in (block.conv1, block.conv2):
        nn.init.dirac_(conv.weight)
        if conv.bias is not None:
            conv.bias.zero_()
    if block.shortcut is not None:
        last = block.bn2 if isinstance(block.bn2, nn.BatchNorm2d) else block.conv2
        last.weight.zero_()
        last.bias.zero_()


@torch.no_grad()
def with_projections(net: ResNet, option: str, data: ImageSet) -> ResNet:
    """A net of option B or C that computes what `net`, of fewer projections, computes.

    Every projection that `net` lacks copies its input's channels (a 1x1 kernel with ones on the
    diagonal, at the block's stride), and its BN is undone by its own statistics, which holds in
    evaluation mode. The statistics are those of 256 training images.

    Errors: `ConfigError` unless the net has shortcuts and `option` has more projections.
    """
    order = ("A", "B", "C")
    given = net.config.shortcut
    if given not in order or option not in order[order.index(given) + 1 :]:
        raise ConfigError(
            f"{net.config.name} has option {given!r}: it can be rewritten with more projections "
            "only, from A to B or C and from B to C."
        )
    check_images(net, data)
    wider = build_model(dataclasses.replace(net.config, shortcut=option), seed=net.seed)
    wider.load_state_dict(net.state_dict(), strict=False)
    wider.source = source_of(net)
    old, hooks = dict(net.blocks()), []
    for name, block in wider.blocks():
        if not projects(block) or projects(old[name]):
            continue
        nn.init.dirac_(block.shortcut.conv.weight)
        norm = block.shortcut.bn
        if isinstance(norm, nn.BatchNorm2d):
            hooks.append(norm.register_forward_pre_hook(undo_norm))
    normalise = normaliser_of([net], data)
    wider.eval()(normalise(data.train_images[:: max(1, len(data.train_images) // 256)]))
    for hook in hooks:
        hook.remove()
    return wider


def projects(block: nn.Module) -> bool:
    """Whether a block's shortcut is a projection."""
    return isinstance(block.shortcut, ProjectionShortcut)


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


def undo_norm(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
    """Give a BN layer the statistics of its input, and undo it by them unless its scale is zero."""
    var, mean = torch.var_mean(inputs[0], (0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    if norm.weight.any():
        norm.weight.copy_((var + norm.eps).sqrt())
        norm.bias.copy_(mean)


@torch.no_grad()
def construction_error(shallow: nn.Module, deep: nn.Module, data: ImageSet) -> dict[str, float]:
    """Test errors of a net and of one built from it, and how far their outputs differ.

    Computed in evaluation mode, on images normalised as `shallow` has seen them. Returns shallow
    and deep (top-1 error in percent), difference (largest absolute difference of two outputs) and
    scale (largest output).
    """
    check_images(shallow, data)
    x = normaliser_of([shallow], data)(data.test_images)
    with one_thread():
        logits = [
            torch.cat([net(batch) for batch in x.split(500)])
            for net in (copy.deepcopy(net).cpu().eval() for net in (shallow, deep))
        ]
    wrong = [100 * (each.argmax(1) != data.test_labels).double().mean().item() for each in logits]
    return {
        "shallow": wrong[0],
        "deep": wrong[1],
        "difference": (logits[0] - logits[1]).abs().max().item(),
        "scale": logits[0].abs().max().item(),
    }
