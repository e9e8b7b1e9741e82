"""Weights from elsewhere: torchvision's ResNets, both ways, and other code's checkpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from resnet_lib.checkpoints import WEIGHTS, weights_of
from resnet_lib.configs import ConfigError, ModelConfig
from resnet_lib.downloads import DataError, patient, reason
from resnet_lib.models import ResNet, build_model, model_config
from resnet_lib.runs import ARCHIVE, RunRecord

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
TORCHVISION_NETS = tuple(f"resnet{depth}" for depth in (18, 34, 50, 101, 152))


def bare(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors without the `module.` that DataParallel puts before names."""
    return {name.removeprefix("module."): tensor for name, tensor in weights.items()}


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

    weights: torchvision's model or its state_dict, with or without `module.` before names.
    torchvision uses option B and strides in the 3x3 convolution of a bottleneck. Returns the net in
    evaluation mode.
    Errors: `ConfigError` that names keys and shapes that do not fit.
    """
    state = bare(weights.state_dict() if isinstance(weights, nn.Module) else weights)
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
            "B, 64 channels in conv2_x, BN and the original order, with the stride in the 3x3 "
            "convolution."
        )
    return renamed(net.state_dict(), NAMES_BACK)


def load_weights(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load a state_dict, with or without the `module.` that DataParallel puts before names.

    Errors: `ConfigError` that says which keys and shapes do not fit; the net is then unchanged.
    """
    given = bare(weights)
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


def first_weights(depth: int) -> Any:
    """torchvision's entry of its first weights of a ResNet, IMAGENET1K_V1."""
    from torchvision.models import get_model_weights

    return get_model_weights(f"resnet{depth}").IMAGENET1K_V1


def torchvision_depth(model: str) -> int:
    """The depth of a net whose weights torchvision has. Errors: `ConfigError` for other nets."""
    config = model_config(model)
    if config.name.removesuffix("-B") not in TORCHVISION_NETS:
        raise ConfigError(
            f"torchvision has no weights for {model}: it has them for "
            f"{', '.join(TORCHVISION_NETS)}, all of option B."
        )
    return config.depth


def pretrained(model: str) -> ResNet:
    """torchvision's ResNet of a name, with its weights IMAGENET1K_V1, in evaluation mode.

    They were trained with option B and the stride in a bottleneck's 3x3 convolution, so the net is
    built so. Errors: `ConfigError` for other nets; `DataError` where the weights cannot be had.
    """
    depth = torchvision_depth(model)
    weights = first_weights(depth)
    try:
        with patient():
            state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:
        place = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
        raise DataError(
            f"torchvision's weights of {model} could not be fetched, {reason(error)} "
            f"({type(error).__name__}): put {weights.url} by hand where torchvision looks for it, "
            f"{place}, or give a weights file of your own."
        ) from None
    return from_torchvision(state, depth)


def read_net(model: str, source: Path) -> ResNet:
    """A trained net from a file, in evaluation mode; with its record, where it has one.

    source: a run's folder, its record.json or its weights; or a safetensors or torch file of any
    net of ours, or of torchvision's ResNets. Where a record belongs to it (beside it, or in the
    archive under the file's name), the record says what net it is; else the file itself, where this
    library wrote it; else `model` does, with width, channels and classes as the tensors have them.
    Errors: `ConfigError`, `DataError` or `RecordError` in one sentence.
    """
    record, path = find_record(source)
    weights = read_weights(path)
    config = record.model_config if record is not None else config_in(path)
    if config is not None:
        if model not in (config.name, config.name.partition("-")[0]):
            raise ConfigError(f"{source} is a {config.name}, and not a {model}.")
        net = build_model(config, seed=0 if record is None else record.model_seed)
        if record is not None:
            net.record = record
    elif "layer1.0.conv1.weight" in weights and model_config(model).family == "imagenet":
        return from_torchvision(weights, torchvision_depth(model))
    else:
        net = build_model(model, seed=0, **sizes_of(weights))
    load_weights(net, weights)
    return net.eval()


def config_in(path: Path) -> ModelConfig | None:
    """The net that a weights file of this library says it is of; None for any other file."""
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as file:
        told = (file.metadata() or {}).get("model")
    try:
        return None if told is None else ModelConfig.from_dict(json.loads(told))
    except ValueError as error:
        raise DataError(f"{path} does not say which net it is of: {error}") from None


def sizes_of(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """The fields of `ModelConfig` that the first and the last layer's tensors show."""
    first, last = (weights.get(f"{layer}.weight", torch.empty(0)) for layer in ("conv1", "fc"))
    found = (
        dict(zip(("width", "in_channels"), first.shape, strict=False)) if first.ndim == 4 else {}
    )
    return found | ({"classes": len(last)} if last.ndim == 2 else {})


def find_record(source: Path) -> tuple[RunRecord | None, Path]:
    """The record that belongs to a source of weights, if any, and the weights' file."""
    if source.is_dir() or source.name == "record.json":
        folder = source if source.is_dir() else source.parent
        record = RunRecord.load(folder)
        return record, weights_of(record, folder)
    if source.name == WEIGHTS and (source.parent / "record.json").exists():
        return RunRecord.load(source.parent), source
    runs = (path.parent for path in sorted(ARCHIVE.glob("*/*/record.json")))
    folder = next((each for each in runs if each.name == source.stem), None)
    return (RunRecord.load(folder) if folder else None), source


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a torch file, without unpickling code.

    Their names are `bare`.
    Errors: `DataError` that names the file and the fault.
    """
    try:
        if path.suffix == ".safetensors":
            return bare(load_file(path))
        state = torch.load(path, weights_only=True, map_location="cpu")
        state = state.get("state_dict", state)  # as many training scripts save it
        if not state or not all(isinstance(each, Tensor) for each in state.values()):
            raise TypeError("it holds no dictionary of tensors")
        return bare(state)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: give a weights file or a run's folder.") from None
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as weights ({type(error).__name__}): it must be a safetensors "
            "file or a torch file that holds a state_dict."
        ) from None
