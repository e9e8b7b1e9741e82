"""The nets: one class, and a finite list of named configurations.

    from resnet_lib import build_model
    build_model("resnet56")                  # as in the paper
    build_model("resnet20", shortcut="B")    # one field changed
    build_model(ModelConfig(depth=62))       # any other depth of the form 6n+2

A name outside the list means a CIFAR net, such as resnet62; resnet50 and resnet152 are ImageNet
nets, although 50 and 152 are 6n+2 too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.blocks import conv3x3, make_block, make_norm
from resnet_lib.configs import (
    BLOCKS,
    IMAGENET_BLOCKS,
    JUNCTIONS,
    ORDERS,
    SHORTCUTS,
    ConfigError,
    ModelConfig,
    as_seed,
    unknown_name,
    usual_block,
)
from resnet_lib.layouts import keep_layouts
from resnet_lib.numerics import decides_numbers, layer, random_stream

MODELS: dict[str, ModelConfig] = {
    config.name: config
    for config in (
        *(ModelConfig(depth, "none") for depth in (8, 14, 20, 32, 44, 56, 110, 1202)),
        *(ModelConfig(depth) for depth in (8, 14, 20, 32, 44, 56, 110, 1202)),
        *(ModelConfig(depth, block="bottleneck") for depth in (164, 1001)),
        *(ModelConfig(depth, order="preactivation") for depth in (20, 32, 44, 56, 110)),
        *(ModelConfig(depth, block="bottleneck", order="preactivation") for depth in (164, 1001)),
        *(ModelConfig.imagenet(depth, shortcut="none") for depth in IMAGENET_BLOCKS["basic"]),
        *(ModelConfig.imagenet(depth) for depths in IMAGENET_BLOCKS.values() for depth in depths),
    )
}
"""The named nets. Any other CIFAR depth is a name too, such as "resnet26"."""

STAGES = ("conv2_x", "conv3_x", "conv4_x", "conv5_x")


@dataclass(frozen=True)
class Place:
    """Where a block stands: its stage, its number there, its channels and stride.

    activated: it is the net's first, whose input has been through BN and ReLU.
    """

    stage: str
    index: int
    in_channels: int
    width: int
    stride: int
    activated: bool


def places(config: ModelConfig) -> list[Place]:
    """The blocks of a net in order. Source: Paper, section 3.3 and Table 1."""
    found, channels = [], config.width
    for number, blocks in enumerate(config.stage_blocks):
        width = config.width * 2**number
        for index in range(blocks):
            stride = 2 if number > 0 and index == 0 else 1
            first = number == 0 and index == 0
            found.append(Place(STAGES[number], index, channels, width, stride, first))
            channels = width * BLOCKS[config.block].expansion
    return found


def make_stem(config: ModelConfig) -> tuple[nn.Conv2d, nn.Module]:
    """conv1 and its BN: 3x3 for CIFAR, 7x7 of stride 2 for ImageNet."""
    channels, bias = config.width, not config.batch_norm
    if config.family == "imagenet":
        conv = nn.Conv2d(config.in_channels, channels, 7, 2, padding=3, bias=bias)
    else:
        conv = conv3x3(config.in_channels, channels, config.stem_stride, config.batch_norm)
    return conv, make_norm(channels, config.batch_norm)


@layer
class DropoutLinear(nn.Linear):
    """A fully connected layer that drops a share `p` of its inputs in training."""

    def __init__(self, in_features: int, out_features: int, p: float) -> None:
        super().__init__(in_features, out_features)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, self.p, self.training))


@layer
class ResNet(nn.Module):
    """A plain or residual net, as its `ModelConfig` says.

    (N, in_channels, H, W) -> (N, classes) logits. conv1, the stages conv2_x, conv3_x and so on,
    global average pooling, fc. CIFAR nets have three stages (maps 32, 16 and 8 for 32x32 images;
    the paper leaves them unnamed), ImageNet nets four, with a max pooling at the head of conv2_x
    as in Table 1. Pre-activation nets activate once more after the last addition, and their
    first unit does so right after conv1. Source: Paper, Table 1, section 4.2; second paper.
    """

    seed: int  # of the initial weights; set by build_model

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.stages = STAGES[: len(config.stage_blocks)]
        self.conv1, self.bn1 = make_stem(config)
        stages: dict[str, OrderedDict[str, nn.Module]] = {
            stage: OrderedDict() for stage in self.stages
        }
        if config.family == "imagenet":
            stages["conv2_x"]["pool"] = nn.MaxPool2d(3, 2, padding=1)
        for place in places(config):
            stages[place.stage][str(place.index)] = make_block(
                config, place.in_channels, place.width, place.stride, place.activated
            )
        channels = config.width * 2 ** (len(self.stages) - 1) * BLOCKS[config.block].expansion
        if config.order == "preactivation":
            stages[self.stages[-1]]["bn"] = make_norm(channels, config.batch_norm)
        if config.order in ("preactivation", "relu-only-preactivation"):
            stages[self.stages[-1]]["relu"] = nn.ReLU()
        for stage, layers in stages.items():
            setattr(self, stage, nn.Sequential(layers))
        shape = channels, config.classes
        self.fc = DropoutLinear(*shape, config.dropout) if config.dropout else nn.Linear(*shape)
        # Where BN comes right before the addition and no ReLU follows, its backward pass would add
        # up in another order: that moves numbers, in the last digits.
        if config.order != "relu-only-preactivation":
            keep_layouts(self, getattr(self, self.stages[-1]))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(x.mean((2, 3)))

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The blocks in order, each with its name such as "conv3_x.0"."""
        return [
            (f"{stage}.{name}", block)
            for stage in self.stages
            for name, block in getattr(self, stage).named_children()
            if name.isdigit()
        ]

    def block(self, name: str) -> nn.Module:
        """The block of a name such as "conv3_x.0". Errors: `ConfigError` that lists the blocks."""
        blocks = dict(self.blocks())
        if name not in blocks:
            raise ConfigError(
                f"{self.config.name} has no block {name!r}, only {', '.join(blocks)}."
            )
        return blocks[name]


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
        model = MODELS.get(model) or named_config(model)
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


def named_config(name: str) -> ModelConfig:
    """The net that a name outside MODELS means, such as resnet26, plain62 or resnet56-C.

    Names as `ModelConfig.name` makes them: a net of MODELS or a CIFAR net, and behind it option,
    block, order or junction; a depth that is 9n+2 and not 6n+2 has bottlenecks.
    Errors: `ConfigError` that lists the nearest names, and the nearest depths.
    """
    first, *rest = re.split(r"(?<=\d)-", name, maxsplit=1)
    found = re.fullmatch(r"(plain|resnet|preresnet)(\d{1,4})", first)
    error = unknown_name(name, list(MODELS), "model")
    if not found:
        raise error
    fields, parts = {}, "".join(f"-{each}" for each in rest)
    choices = {
        "shortcut": SHORTCUTS,
        "block": tuple(BLOCKS),
        "order": ORDERS,
        "junction": JUNCTIONS,
    }
    for field, values in choices.items():
        value = next((each for each in values if re.match(f"-{each}(-|$)", parts)), None)
        if value is not None:
            fields[field], parts = value, parts.removeprefix(f"-{value}")
    try:
        if first in MODELS:
            config = dataclasses.replace(MODELS[first], **fields)
        else:
            config = cifar_config(*found.groups(), **fields)
    except ConfigError as fault:
        raise ConfigError(f"{str(error).rstrip('.')}; {fault}") from None
    if parts or config.name != name:
        raise error
    return config


def cifar_config(kind: str, depth: str, **changes: str) -> ModelConfig:
    """The CIFAR net of a kind, plain, resnet or preresnet, and a depth. Errors: `ConfigError`."""
    usual = {
        "shortcut": "none" if kind == "plain" else "A",
        "order": "preactivation" if kind == "preresnet" else "original",
        "block": usual_block(int(depth)),
    }
    return ModelConfig(int(depth), **(usual | changes))


BUILDING = threading.Lock()


@contextmanager
def undrawn() -> Iterator[None]:
    """Make layers without torch's own initial weights, over which `initialise` draws ours.

    Large nets are built in half the time. Layers that other threads make meanwhile are drawn.
    """
    thread = threading.get_ident()

    def unless_here(reset: Callable[[nn.Module], None]) -> Callable[[nn.Module], None]:
        return lambda layer: None if threading.get_ident() == thread else reset(layer)

    with BUILDING:
        usual = {kind: kind.reset_parameters for kind in (nn.modules.conv._ConvNd, nn.Linear)}
        try:
            for kind, reset in usual.items():
                kind.reset_parameters = unless_here(reset)
            yield
        finally:
            for kind, reset in usual.items():
                kind.reset_parameters = reset


def build_model(model: str | ModelConfig, seed: int | None = None, **changes) -> ResNet:
    """Build and initialise a net.

    model, changes: a name in MODELS or a configuration, and fields of `ModelConfig` to change.
    seed: of the initial weights, a whole number; without one it is drawn from torch's global
    random state. The net keeps it as `net.seed`. Errors: `ConfigError`.
    """
    config = model_config(model, **changes)
    seed = int(torch.randint(2**31, ())) if seed is None else as_seed(seed)
    try:
        with undrawn():
            net = ResNet(config)
    except (RuntimeError, TypeError) as error:  # torch's own, for what no memory or number can hold
        if not re.search("allocate|overflow|out of memory", str(error), re.IGNORECASE):
            raise
        raise ConfigError(
            f"{config.name} is too large to be built here, with width {config.width}, "
            f"{config.in_channels} channels of input and {config.classes} classes: "
            "give smaller numbers."
        ) from None
    net.seed = seed
    if not net.fc.weight.is_meta:
        initialise(net, config.init, net.seed)
        gates = random_stream("gates", net.seed)
        for module in net.modules():
            if hasattr(module, "draw"):
                module.draw(config.init, gates)
        if config.zero_init:
            for _, block in net.blocks():
                zero_last_scale(block)
    return net


def other_start(net: ResNet) -> str | None:
    """None for a net with the weights of its seed; else 8 hexadecimal digits for those it has.

    BN's statistics are no weights: a look at a net in training mode, which moves them, is no other
    start. They are set back, so that the run is the seed's to the last bit.
    """
    own = dict(net.named_parameters())
    usual = dict(build_model(net.config, net.seed).named_parameters())
    if own.keys() == usual.keys() and all(
        value.shape == usual[name].shape and torch.equal(value.cpu(), usual[name])
        for name, value in own.items()
    ):
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
        return None
    digest = hashlib.sha256()
    for name, value in net.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


def draws(net: nn.Module) -> bool:
    """Whether a net draws from torch's random numbers as it trains: whether it has dropout."""
    return any(isinstance(module, (nn.Dropout, DropoutLinear)) for module in net.modules())


@torch.no_grad()
def zero_last_scale(block: nn.Module) -> None:
    """Set the scale and shift of a block's last BN to zero: its residual is then zero."""
    norms = [
        m
        for name, m in block.named_modules()
        if isinstance(m, nn.BatchNorm2d) and not name.startswith(("shortcut", "after"))
    ]
    norms[-1].weight.zero_()
    norms[-1].bias.zero_()
