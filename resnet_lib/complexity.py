"""Weighted layers, parameters, multiply-adds and map sizes of a net, without running on data.

Shapes travel through stem, blocks and head on torch's meta device, which computes nothing; blocks
of one kind are counted once. One multiply-add is one multiplication and one addition; the paper
calls these FLOPs, other counters count two.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import nn

from resnet_lib.blocks import ProjectionShortcut, ZeroPadShortcut, make_block
from resnet_lib.configs import BLOCKS, IMAGENET_BLOCKS, ConfigError, ModelConfig, whole
from resnet_lib.models import Place, build_model, make_stem, model_config, places


@dataclass(frozen=True)
class OtherNet:
    """A net of torchvision's to compare with: its depth, and what to say beside its figures."""

    weighted_layers: int
    note: str
    options: dict[str, bool] = field(default_factory=dict)


# Source of VGG's notes: Paper, Table 1 and Figure 3, beside own counts.
OTHER_NETS = {
    "vgg16": OtherNet(16, "the paper's 15.3e9 multiply-adds leave the fully connected layers out"),
    "vgg19": OtherNet(19, "the paper's 19.6e9 multiply-adds include the fully connected layers"),
    "alexnet": OtherNet(8, "torchvision's, the later one-tower version: not the published net"),
    "googlenet": OtherNet(
        22,
        "torchvision's, with BN and without auxiliary classifiers: not the published net",
        {"aux_logits": False, "init_weights": False},
    ),
}


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

    weighted_layers: convolutions on the main path and fc; projections, gates, pooling and softmax
    do not count. parameters: trainable numbers, BN's scales and shifts included. multiply_adds:
    of convolutions and fc; BN, ReLU and additions are left out. Source: Paper, Table 1.

    The counts are exact; Table 1 prints them rounded or cut: ResNet-50 has 3.858e9 multiply-adds
    (printed 3.8), ResNet-101 7.570e9 (7.6), ResNet-34 3.644e9 under option A and 3.664e9 under B.
    With the stride in the 3x3 convolution, as in torchvision, ResNet-50 has 4.089e9.
    """

    weighted_layers: int
    parameters: int
    multiply_adds: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Count:
    """Layers, parameters and multiply-adds of a piece of a net, and the map size it puts out."""

    layers: int
    parameters: int
    multiply_adds: int
    size: int


def count(module: nn.Module, channels: int, size: int) -> Count:
    """Count any module on the meta device for one image (channels, size, size).

    Serves nets of other libraries too, such as torchvision's VGG.
    """
    module = copy.deepcopy(module).to("meta").eval()
    costs: dict[str, int] = {}

    def hook(name: str):
        def add(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            positions = output[0].numel() // layer.weight.shape[0]
            costs[name] = costs.get(name, 0) + layer.weight.numel() * positions

        return add

    hooks = [
        layer.register_forward_hook(hook(name))
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear)) or is_gate(layer)
    ]
    output = module(torch.empty(1, channels, size, size, device="meta"))
    for each in hooks:
        each.remove()
    return Count(
        layers=sum(not is_side_path(f".{name}.") for name in costs),
        parameters=sum(p.numel() for p in module.parameters()),
        multiply_adds=sum(costs.values()),
        size=output.shape[-1],
    )


@lru_cache(maxsize=4096)
def count_block(config: ModelConfig, place: Place, size: int) -> Count:
    """Count one block; blocks that differ in their number only share the answer."""
    with torch.device("meta"):
        block = make_block(config, place.in_channels, place.width, place.stride, place.activated)
    return count(block, place.in_channels, size)


def complexity(model: str | ModelConfig, size: int | None = None, **changes) -> Complexity:
    """Count one net at an image size in pixels, by default its family's. Errors: `ConfigError`.

    model: as for `build_model`, or a name in OTHER_NETS, for comparison.
    """
    if isinstance(model, str) and model in OTHER_NETS:
        if changes:
            raise ConfigError(f"{model} is torchvision's and has no fields to change.")
        return other_complexity(model, size)
    config = model_config(model, **changes)
    with torch.device("meta"):
        conv1, bn1 = make_stem(config)
    size = config.image_size if size is None else size
    whole(size, 1, "size")
    stem = count(nn.Sequential(conv1, bn1), config.in_channels, size)
    counts = {"conv1": [stem]}
    size = stem.size
    if config.family == "imagenet":
        size = (size + 1) // 2  # the max pooling at the head of conv2_x
    # A block's cost does not depend on the depth of its net, nor on its number in the stage.
    same = dataclasses.replace(config, depth=min_depth(config))
    for place in places(config):
        kind = dataclasses.replace(place, index=min(place.index, 1))
        counts.setdefault(place.stage, []).append(count_block(same, kind, size))
        size = counts[place.stage][-1].size
    channels = {"conv1": config.width}
    for place in places(config):
        channels[place.stage] = place.width * BLOCKS[config.block].expansion
    last = list(counts)[-1]
    ends = 2 * channels[last] if config.order == "preactivation" and config.batch_norm else 0
    weights = channels[last] * config.classes
    counts["fc"] = [Count(1, weights + config.classes, weights, 1)]
    channels["fc"] = config.classes
    stages = tuple(
        Stage(
            name=name,
            channels=channels[name],
            size=pieces[-1].size,
            blocks=0 if name in ("conv1", "fc") else len(pieces),
            parameters=sum(each.parameters for each in pieces) + (ends if name == last else 0),
            multiply_adds=sum(each.multiply_adds for each in pieces),
        )
        for name, pieces in counts.items()
    )
    return Complexity(
        weighted_layers=sum(each.layers for pieces in counts.values() for each in pieces),
        parameters=sum(stage.parameters for stage in stages),
        multiply_adds=sum(stage.multiply_adds for stage in stages),
        stages=stages,
    )


def shortcut_counts(model: str | ModelConfig, **changes) -> dict[str, int]:
    """How many shortcuts of a net are identities, padded with zeros, or projections.

    Errors: `ConfigError`. Source: Paper, section 4.1.
    """
    with torch.device("meta"):
        net = build_model(model, seed=0, **changes)
    kinds = {"identity": nn.Identity, "padded": ZeroPadShortcut, "projection": ProjectionShortcut}
    shortcuts = [block.shortcut for _, block in net.blocks()]
    return {name: sum(isinstance(each, kind) for each in shortcuts) for name, kind in kinds.items()}


@lru_cache
def other_complexity(name: str, size: int | None = None) -> Complexity:
    """Count a net of torchvision's, which is not rewritten here, at 224 pixels unless told.

    Only VGG has stages here: of the others no figure of the papers shows any. Errors: `ConfigError`
    for a size at which the net's poolings leave nothing.
    """
    import torchvision

    size = 224 if size is None else size
    whole(size, 1, "size")
    with torch.device("meta"):
        net = getattr(torchvision.models, name)(weights=None, **OTHER_NETS[name].options)
    try:
        found = count(net, 3, size)
    except RuntimeError:
        raise ConfigError(
            f"{name} has no output for images of {size} pixels: its usual size is 224."
        ) from None
    stages = vgg_stages(net, size) if name.startswith("vgg") else ()
    layers = OTHER_NETS[name].weighted_layers
    return Complexity(layers, found.parameters, found.multiply_adds, stages)


def vgg_stages(net: nn.Module, size: int) -> tuple[Stage, ...]:
    """The stages of a VGG net, each up to a pooling; "fc" is its three fully connected layers."""
    groups: list[list[nn.Module]] = [[]]
    for layer in net.features:
        groups[-1].append(layer)
        if isinstance(layer, nn.MaxPool2d):
            groups.append([])
    stages, channels = [], 3
    for number, layers in enumerate(filter(None, groups), 1):
        found = count(nn.Sequential(*layers), channels, size)
        channels = next(x.out_channels for x in reversed(layers) if isinstance(x, nn.Conv2d))
        # The maps as the convolutions put them out, before the pooling.
        costs = found.parameters, found.multiply_adds
        stages.append(Stage(f"conv{number}_x", channels, size, 0, *costs))
        size = found.size
    head = count(nn.Sequential(net.avgpool, nn.Flatten(), net.classifier), channels, size)
    stages.append(Stage("fc", head.size, 1, 0, head.parameters, head.multiply_adds))
    return tuple(stages)


def min_depth(config: ModelConfig) -> int:
    """The depth of the shallowest net of a family and block, to name blocks by."""
    if config.family == "imagenet":
        return min(IMAGENET_BLOCKS[config.block])
    return 3 * BLOCKS[config.block].layers + 2


def is_gate(layer: nn.Module) -> bool:
    """Whether a module of `resnet_lib.blocks` draws and applies weights of its own."""
    return hasattr(layer, "draw") and getattr(layer, "weight", None) is not None


def is_side_path(name: str) -> bool:
    """Whether a layer lies on a shortcut or in a gate, and so does not count towards the depth."""
    return ".shortcut." in name or ".junction." in name
