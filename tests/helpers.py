"""Small nets, small data and independent re-computations that the tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from resnet_lib import (
    MODELS,
    TIERS,
    ModelConfig,
    RunRecord,
    TrainConfig,
    build_model,
    complexity,
    load,
    train,
)
from resnet_lib.archive import (
    key_of_arm,
    precision_of,
    present_numerics,
    probed_keys,
)
from resnet_lib.complexity import Complexity
from resnet_lib.data import DATASETS, ImageSet, find_sheets
from resnet_lib.downloads import data_folder
from resnet_lib.experiments import find_arm
from resnet_lib.runs import CURVES, run_id

# One thread everywhere: what is compared bit by bit must not depend on how work is split.
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[1]

# The CIFAR nets of the first paper; test_families.py has the others.
FIRST_PAPER = [
    name
    for name, config in MODELS.items()
    if (config.family, config.block, config.order) == ("cifar", "basic", "original")
]

# Nets of these fields are trained in milliseconds on the images of `tiny_data`.
TINY = {"width": 4, "in_channels": 1}

RECIPE = TrainConfig(
    iterations=12,
    batch_size=32,
    lr=0.05,
    milestones=(6, 9),
    pad=1,
    window=3,
    eval_every=5,
    precision="float32",
)


def cifar10() -> ImageSet:
    """CIFAR-10 where it is at hand: tests fetch nothing but packages."""
    if find_sheets("cifar10") is None and not (data_folder() / "cifar-10-batches-py").is_dir():
        pytest.skip("CIFAR-10 is not here: `python -m resnet_lib data cifar10` fetches it.")
    return load("cifar10")


@cache
def embedded(size: int | None = None) -> ImageSet:
    """The embedded images, read once."""
    return load("embedded", size)


@cache
def tiny_data(size: int = 7, train_images: int = 320, test_images: int = 100) -> ImageSet:
    """A class-balanced part of the embedded images."""
    data = embedded(size)
    some = len(data.train_images) // train_images
    few = len(data.test_images) // test_images
    return replace(
        data,
        name="tiny",
        train_images=data.train_images[::some][:train_images].clone(),
        train_labels=data.train_labels[::some][:train_images].clone(),
        test_images=data.test_images[::few][:test_images].clone(),
        test_labels=data.test_labels[::few][:test_images].clone(),
    )


@cache
def cost_of(model: str | ModelConfig) -> Complexity:
    """`complexity`, counted once: the deepest nets take seconds to build."""
    return complexity(model)


def tiny_net(model: str | ModelConfig = "resnet8", seed: int = 0, **changes) -> nn.Module:
    """A net of width 4 for grey images."""
    return build_model(model, seed=seed, **{**TINY, **changes})


def tiny_train(model: nn.Module | None = None, data: ImageSet | None = None, **options):
    """`train` in silence on the CPU; fields of `TrainConfig` may be among the options."""
    fields = {name: options.pop(name) for name in list(options) if hasattr(RECIPE, name)}
    return train(
        tiny_net() if model is None else model,
        tiny_data() if data is None else data,
        replace(RECIPE, **fields),
        **{"device": "cpu", "progress": False, **options},
    )


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two nets agree bit by bit, BN statistics included."""
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def hooks_of(net: nn.Module) -> list[list]:
    """The hooks on all modules of a net."""
    return [
        [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        for module in net.modules()
    ]


def randomise_norms(model: nn.Module, seed: int = 0) -> None:
    """Give every BN scales, shifts and statistics that no test passes by chance."""
    draw = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            shape, kind = module.weight.shape, module.weight.dtype
            with torch.no_grad():
                module.weight.copy_(torch.rand(shape, generator=draw).to(kind) + 0.5)
                module.bias.copy_(torch.randn(shape, generator=draw).to(kind))
                module.running_mean.copy_(torch.randn(shape, generator=draw).to(kind))
                module.running_var.copy_(torch.rand(shape, generator=draw).to(kind) + 0.5)


def conv_bn(values: dict[str, Tensor], name: str, x: Tensor, stride: int, training: bool) -> Tensor:
    """Convolution and BN from a state dictionary: `name` is "conv1" or "block.conv1"."""
    prefix, _, last = name.rpartition("conv")
    weight = values[f"{name}.weight"]
    padding = weight.shape[-1] // 2
    x = F.conv2d(x, weight, values.get(f"{name}.bias"), stride, padding)
    norm = f"{prefix}bn{last}"
    if f"{norm}.weight" not in values:
        return x
    mean, var = (values[f"{norm}.running_{key}"].detach().clone() for key in ("mean", "var"))
    scale, shift = values[f"{norm}.weight"], values[f"{norm}.bias"]
    return F.batch_norm(x, mean, var, scale, shift, training, 0.1, 1e-5)


def block_by_hand(
    values: dict[str, Tensor],
    x: Tensor,
    stride: int,
    option: str,
    training: bool = False,
    prefix: str = "",
    kept: dict[str, Tensor] | None = None,
) -> Tensor:
    """A block's output by the paper's text: section 3.2, and 3.3 for the shortcuts."""
    first = conv_bn(values, f"{prefix}conv1", x, stride, training)
    second = conv_bn(values, f"{prefix}conv2", torch.clamp(first, min=0), 1, training)
    if kept is not None:
        kept[f"{prefix}conv1"], kept[f"{prefix}conv2"] = first, second
    if option == "none":
        return torch.clamp(second, min=0)
    changes = x.shape[1] != second.shape[1] or stride != 1
    if option == "C" or (option == "B" and changes):
        joined = conv_bn(values, f"{prefix}shortcut.conv", x, stride, training)
    else:
        joined = torch.zeros_like(second)
        joined[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
    return torch.clamp(second + joined, min=0)


def net_by_hand(
    net: nn.Module, values: dict[str, Tensor], x: Tensor, training: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and every main-path output after BN, of a net with the given parameters."""
    config, kept = net.config, {}
    kept["conv1"] = conv_bn(values, "conv1", x, config.stem_stride, training)
    x = torch.clamp(kept["conv1"], min=0)
    for stage in (2, 3, 4):
        for index in range((config.depth - 2) // 6):
            stride = 2 if stage > 2 and index == 0 else 1
            prefix = f"conv{stage}_x.{index}."
            x = block_by_hand(values, x, stride, config.shortcut, training, prefix, kept)
    pooled = x.flatten(2).mean(2)
    return pooled @ values["fc.weight"].T + values["fc.bias"], kept


def write_sheets(
    folder: Path,
    images: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    classes: tuple[str, ...],
) -> Path:
    """Write images (N, H, W, 3 or 1) of each split as a folder of class sheets."""
    for split in images:
        (folder / split).mkdir(parents=True)
        for label, title in enumerate(classes):
            tiles = images[split][labels[split] == label]
            rows, side = len(tiles) // 50, tiles.shape[1]
            sheet = np.empty((rows * side, 50 * side, tiles.shape[3]), np.uint8)
            for i, tile in enumerate(tiles):
                top, left = i // 50 * side, i % 50 * side
                sheet[top : top + side, left : left + side] = tile
            if sheet.shape[2] == 1:
                sheet = sheet.repeat(3, axis=2)
            path = folder / split / f"{label}_{title}.webp"
            Image.fromarray(sheet).save(path, lossless=True)
    return folder


def python(code: str, *arguments: str, **options) -> subprocess.Popen:
    """Start a Python process that can import the library and these helpers."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        **options,
    )


def write_record(
    folder: Path,
    label: str,
    seed: int = 0,
    tier: str = "short",
    *,
    train_error: float = 20.0,
    test_error: float = 25.0,
    precision: str = "bfloat16",
    response: float = 1.0,
    **changes,
) -> Path:
    """A made-up record of an arm of an experiment, for tests of what reads the archive.

    changes: values of the record. Returns its folder.
    """
    experiment, arm = find_arm(label)
    schedule = TIERS[tier]
    name = experiment.data_in(schedule)
    net = arm.net(**schedule.model, in_channels=1 if name == "embedded" else 3)
    recipe = replace(experiment.recipe(arm, schedule), seed=seed)
    known = DATASETS[name]
    data = {"name": name, "size": known.size, "checksum": known.checksum or "abc"}
    data |= changes.pop("data", {})
    numerics = changes.pop("numerics", None) or present_numerics(net)
    seen = SimpleNamespace(name=data["name"], checksum=data["checksum"])
    id = run_id(net, seed, recipe, seen, numerics, precision)
    moments = [recipe.iterations // 4, recipe.iterations]
    rows = [
        (id, at, 1.0, split, error / 40, error + 5 * (at < recipe.iterations), 0.1, 1.0)
        for at in moments
        for split, error in (("train", train_error), ("test", test_error))
    ]
    probe = pd.DataFrame(
        [
            {"iteration": at, "layer": layer, "response_std": response, "activation_gradient": 0.1}
            for at in schedule.probe_at
            for layer in (1, 2, 3)
        ]
    )
    none = pd.DataFrame()
    key = key_of_arm(experiment, arm, schedule), precision_of(experiment, arm, schedule)
    values = {
        "run_id": id,
        "tier": tier,
        "model_name": net.name,
        "model": net.to_dict(),
        "model_seed": seed,
        "train": recipe.to_dict(),
        "data": data,
        "numerics": numerics,
        "device": "cpu",
        "precision": precision,
        "layout": "channels_last",
        "environment": {},
        "commit": None,
        "status": "complete",
        "iterations_done": recipe.iterations,
        "curves": pd.DataFrame(rows, columns=list(CURVES)),
        "probe": probe if key in probed_keys(schedule.name) else none,
    }
    record = RunRecord(**(values | changes))
    return record.save(folder / tier / record.run_id)
