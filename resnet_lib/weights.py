"""Weights from elsewhere: torchvision's ResNets, both ways, and other code's checkpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from resnet_lib.configs import ConfigError, ModelConfig
from resnet_lib.models import ResNet, build_model

# Patterns and replacements from torchvision's names to ours, and back.
NAMES = (
    (r"^layer(\d)\.", lambda m: f"conv{int(m[1]) + 1}_x."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.bn."),
)
NAMES_BACK = (
    (r"^conv(\d)_x\.", lambda m: f"layer{int(m[1]) - 1}."),
    (r"\.shortcut\.conv\.", ".downsample.0."),
    (r"\.shortcut\.bn\.", ".downsample.1."),
)


def renamed(weights: Mapping[str, Tensor], names: tuple) -> dict[str, Tensor]:
    """The same tensors under other names."""
    found = {}
    for name, tensor in weights.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        found[name] = tensor
    return found


def from_torchvision(weights: nn.Module | Mapping[str, Tensor], depth: int) -> ResNet:
    """Our net with the weights of torchvision's ResNet of a depth (18, 34, 50, 101 or 152).

    weights: torchvision's model or its state_dict. torchvision uses option B and strides in the
    3x3 convolution of a bottleneck. Returns the net in evaluation mode.
    Errors: `ConfigError` that names keys and shapes that do not fit.
    """
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    classes = len(state["fc.weight"]) if "fc.weight" in state else 1000
    config = ModelConfig.imagenet(depth, shortcut="B", stride_in="3x3", classes=classes)
    net = build_model(config, seed=0)
    load_weights(net, renamed(state, NAMES))
    return net.eval()


def to_torchvision(net: ResNet) -> dict[str, Tensor]:
    """The state_dict that torchvision's ResNet of the same depth loads.

    Errors: `ConfigError` for a net that torchvision has not: CIFAR and plain nets, options A and
    C, a bottleneck that strides in its 1x1, and the second paper's variants.
    """
    config = net.config
    fits = (
        config.family == "imagenet"
        and config.shortcut == "B"
        and (config.block == "basic" or config.stride_in == "3x3")
        and (config.order, config.junction, config.batch_norm) == ("original", "add", True)
        and config.width == 64
    )
    if not fits:
        raise ConfigError(
            f"torchvision has no net like {config.name} (family {config.family}, option "
            f"{config.shortcut}, stride in the {config.stride_in}): it has ImageNet nets of option "
            "B with the stride in the 3x3 convolution."
        )
    return renamed(net.state_dict(), NAMES_BACK)


def load_weights(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load a state_dict, with or without the `module.` that DataParallel puts before names.

    Errors: `ConfigError` that says which keys and shapes do not fit; the net is then unchanged.
    """
    given = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    own = net.state_dict()
    faults = [f"{name} is missing" for name in own if name not in given]
    faults += [f"{name} is unknown" for name in given if name not in own]
    faults += [
        f"{name} has shape {tuple(given[name].shape)} and not {tuple(own[name].shape)}"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    if faults:
        more = f", and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise ConfigError(f"the weights do not fit this net: {'; '.join(faults[:4])}{more}.")
    net.load_state_dict(given)
