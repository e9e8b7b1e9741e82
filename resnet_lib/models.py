"""The nets: one class, and a finite list of named configurations.

    from resnet_lib import build_model
    build_model("resnet56")                  # as in the paper
    build_model("resnet20", shortcut="B")    # one field changed
    build_model(ModelConfig(depth=62))       # any other depth of the form 6n+2

Names stop at the list because two families share them: resnet50 is an ImageNet net, although
50 = 6n+2 too.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.blocks import BasicBlock, conv3x3, make_norm
from resnet_lib.configs import ConfigError, ModelConfig, unknown_name
from resnet_lib.numerics import decides_numbers, layer, random_stream

CIFAR_DEPTHS = (8, 14, 20, 32, 44, 56, 110, 1202)

MODELS: dict[str, ModelConfig] = {
    config.name: config
    for depth in CIFAR_DEPTHS
    for config in (ModelConfig(depth, shortcut="none"), ModelConfig(depth))
}

STAGES = ("conv2_x", "conv3_x", "conv4_x")


@layer
class ResNet(nn.Module):
    """A plain or residual net for small images, as its `ModelConfig` says.

    (N, in_channels, H, W) -> (N, classes) logits. conv1, then the stages conv2_x, conv3_x and
    conv4_x (maps 32, 16 and 8 for 32x32 images; the paper leaves these stages unnamed), global
    average pooling, fc. Source: Paper, section 4.2.
    """

    seed: int  # of the initial weights; set by build_model

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.stages = STAGES
        channels = config.width
        self.conv1 = conv3x3(config.in_channels, channels, config.stem_stride, config.batch_norm)
        self.bn1 = make_norm(channels, config.batch_norm)
        for number, stage in enumerate(self.stages):
            width = config.width * 2**number
            blocks = []
            for index in range(config.blocks_per_stage):
                stride = 2 if number > 0 and index == 0 else 1
                blocks.append(
                    BasicBlock(channels, width, stride, config.shortcut, config.batch_norm)
                )
                channels = width
            setattr(self, stage, nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(x.mean((2, 3)))

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The blocks in order, each with its name such as "conv3_x.0"."""
        return [
            (f"{stage}.{index}", block)
            for stage in self.stages
            for index, block in enumerate(getattr(self, stage))
        ]


@decides_numbers
def initialise(model: nn.Module, init: str, seed: int) -> None:
    """Draw all weights from `seed`; biases 0, BN scales 1 and shifts 0.

    The main path and the projections draw from separate random streams, so that nets of one
    depth and seed start from the same main-path weights whatever their shortcuts are.
    "he": normal with variance 2 / fan_in (He et al. 2015); "he-fan-out": 2 / fan_out; "xavier":
    2 / (fan_in + fan_out); "small": standard deviation 0.01. Source: Paper, section 3.4.
    """
    main, projections = random_stream("main path", seed), random_stream("projections", seed)
    for name, module in model.named_modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        weight = module.weight
        spatial = math.prod(weight.shape[2:])
        fan_in, fan_out = weight.shape[1] * spatial, weight.shape[0] * spatial
        std = {
            "he": math.sqrt(2 / fan_in),
            "he-fan-out": math.sqrt(2 / fan_out),
            "xavier": math.sqrt(2 / (fan_in + fan_out)),
            "small": 0.01,
        }[init]
        stream = projections if ".shortcut." in name else main
        with torch.no_grad():
            weight.copy_(torch.randn(weight.shape, generator=stream) * std)
            if module.bias is not None:
                module.bias.zero_()


def model_config(model: str | ModelConfig, **changes) -> ModelConfig:
    """The configuration of a name in MODELS or of a `ModelConfig`, with some fields changed.

    Errors: `ConfigError` that lists the nearest names, fields or values.
    """
    if isinstance(model, str):
        if model not in MODELS:
            raise unknown_name(model, list(MODELS), "model")
        model = MODELS[model]
    if not isinstance(model, ModelConfig):
        raise ConfigError(f"a model is a name or a ModelConfig, not {model!r}.")
    known = [each.name for each in dataclasses.fields(model)]
    for name in changes:
        if name not in known:
            raise unknown_name(name, known, "ModelConfig field")
    if model.kind == "plain" and changes.get("shortcut", "none") != "none":
        raise ConfigError(
            f"{model.name} is a plain net and has no shortcut: option {changes['shortcut']!r} "
            f"belongs to resnet{model.depth}."
        )
    return dataclasses.replace(model, **changes)


def build_model(model: str | ModelConfig, seed: int | None = None, **changes) -> ResNet:
    """Build and initialise a net.

    seed: of the initial weights; without one it is drawn from torch's global random state.
    The net keeps it as `net.seed`. Errors: `ConfigError`.
    """
    config = model_config(model, **changes)
    net = ResNet(config)
    net.seed = int(torch.randint(2**31, ())) if seed is None else seed
    if not net.fc.weight.is_meta:
        initialise(net, config.init, net.seed)
    return net
