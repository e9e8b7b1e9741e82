"""How the paper and three public implementations train, choice by choice, each with its source.

    describe_recipe("akamaster")    choice, what it does, in which file that stands
    compare_recipes()               the choices that differ, one column a recipe

"not stated" means that the source leaves it open: for the paper, that its text does not say.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from resnet_lib.configs import unknown_name

NOT_STATED = "not stated"

# The choices, and the field of ours that makes each, where there is one.
CHOICES = {
    "data": "",
    "shortcut at a change of dimensions": "ModelConfig.shortcut",
    "stride of a bottleneck": "ModelConfig.stride_in",
    "initialisation of convolutions": "ModelConfig.init",
    "last BN scale of a block starts at": "ModelConfig.zero_init",
    "input": "TrainConfig.normalisation",
    "augmentation": "TrainConfig.pad, flip, scale_range",
    "padding": "TrainConfig.pad_first",
    "batch size": "TrainConfig.batch_size, bn_images",
    "optimiser": "TrainConfig.momentum",
    "weight decay": "TrainConfig.weight_decay",
    "weight decay on BN and biases": "TrainConfig.decay_all",
    "learning rate": "TrainConfig.lr",
    "schedule": "TrainConfig.milestones",
    "warm-up": "TrainConfig.warmup_lr",
    "testing": "measure_errors(protocol=...)",
}


@dataclass(frozen=True)
class Recipe:
    """Where a recipe comes from, and its choices: name -> (what it does, file or section)."""

    title: str
    address: str
    choices: dict[str, tuple[str, str]]


RECIPES: dict[str, Recipe] = {
    "paper": Recipe(
        "Deep Residual Learning for Image Recognition, CIFAR-10",
        "https://arxiv.org/abs/1512.03385",
        {
            "data": ("CIFAR-10", "section 4.2"),
            "shortcut at a change of dimensions": ("option A", "section 4.2"),
            "stride of a bottleneck": ("no bottlenecks on CIFAR-10", "section 4.2"),
            "initialisation of convolutions": (
                "He et al. 2015; fan-in or fan-out not stated",
                "section 4.2",
            ),
            "input": ("per-pixel mean subtracted", "section 4.2"),
            "augmentation": ("4 pixels of padding, random 32x32 crop, mirroring", "section 4.2"),
            "batch size": ("128, on two GPUs", "section 4.2"),
            "optimiser": ("SGD, momentum 0.9", "section 4.2"),
            "weight decay": ("0.0001", "section 4.2"),
            "learning rate": ("0.1", "section 4.2"),
            "schedule": ("64,000 iterations, lr / 10 at 32,000 and 48,000", "section 4.2"),
            "warm-up": (
                "ResNet-110: lr 0.01 until the training error is below 80%",
                "section 4.2",
            ),
            "testing": ("the 32x32 image, one view", "section 4.2"),
        },
    ),
    "torchvision": Recipe(
        "torchvision's reference script for ImageNet, at its defaults",
        "https://github.com/pytorch/vision",
        {
            "data": ("ImageNet", "references/classification/README.md"),
            "shortcut at a change of dimensions": ("option B", "torchvision/models/resnet.py"),
            "stride of a bottleneck": ("in its 3x3", "torchvision/models/resnet.py"),
            "initialisation of convolutions": (
                "He normal, fan-out",
                "torchvision/models/resnet.py",
            ),
            "last BN scale of a block starts at": (
                "1 (0 with zero_init_residual)",
                "torchvision/models/resnet.py",
            ),
            "input": ("mean and deviation of each channel", "references/classification/presets.py"),
            "augmentation": (
                "random resized 224x224 crop, mirroring",
                "references/classification/presets.py",
            ),
            "padding": ("none", "references/classification/presets.py"),
            "batch size": ("32 a GPU", "references/classification/train.py"),
            "optimiser": ("SGD, momentum 0.9", "references/classification/train.py"),
            "weight decay": ("0.0001", "references/classification/train.py"),
            "weight decay on BN and biases": (
                "yes (another with --norm-weight-decay)",
                "references/classification/train.py",
            ),
            "learning rate": ("0.1", "references/classification/train.py"),
            "schedule": ("90 epochs, lr / 10 every 30", "references/classification/train.py"),
            "warm-up": ("none", "references/classification/train.py"),
            "testing": (
                "shorter side 256, centre crop 224",
                "references/classification/presets.py",
            ),
        },
    ),
    "akamaster": Recipe(
        "akamaster/pytorch_resnet_cifar10",
        "https://github.com/akamaster/pytorch_resnet_cifar10",
        {
            "data": ("CIFAR-10", "trainer.py"),
            "shortcut at a change of dimensions": (
                "option A, half of the new channels before the old ones",
                "resnet.py",
            ),
            "stride of a bottleneck": ("no bottlenecks", "resnet.py"),
            "initialisation of convolutions": ("He normal, fan-in; fc too", "resnet.py"),
            "last BN scale of a block starts at": ("1", "resnet.py"),
            "input": ("mean and deviation of each channel, ImageNet's", "trainer.py"),
            "augmentation": ("mirroring, 4 pixels of padding, random 32x32 crop", "trainer.py"),
            "padding": ("before normalisation (black)", "trainer.py"),
            "batch size": ("128", "trainer.py"),
            "optimiser": ("SGD, momentum 0.9", "trainer.py"),
            "weight decay": ("0.0001", "trainer.py"),
            "weight decay on BN and biases": ("yes", "trainer.py"),
            "learning rate": ("0.1", "trainer.py"),
            "schedule": ("200 epochs, lr / 10 at 100 and 150", "trainer.py"),
            "warm-up": ("ResNet-110 and 1202: lr 0.01, meant for the first epoch", "trainer.py"),
            "testing": ("the 32x32 image, one view", "trainer.py"),
        },
    ),
    "fb.resnet.torch": Recipe(
        "facebookarchive/fb.resnet.torch, CIFAR-10",
        "https://github.com/facebookarchive/fb.resnet.torch",
        {
            "data": ("CIFAR-10 (ImageNet too)", "TRAINING.md"),
            "shortcut at a change of dimensions": ("option A (B on ImageNet)", "TRAINING.md"),
            "stride of a bottleneck": ("in its 3x3", "models/resnet.lua"),
            "initialisation of convolutions": ("He normal, fan-out", "models/resnet.lua"),
            "last BN scale of a block starts at": ("1", "models/resnet.lua"),
            "input": ("mean and deviation of each channel", "datasets/cifar10.lua"),
            "augmentation": (
                "mirroring, 4 pixels of padding, random 32x32 crop",
                "datasets/cifar10.lua",
            ),
            "padding": ("after normalisation (the mean)", "datasets/cifar10.lua"),
            "batch size": ("128, on two GPUs", "TRAINING.md"),
            "optimiser": ("SGD, Nesterov momentum 0.9", "train.lua, opts.lua"),
            "weight decay": ("0.0001", "opts.lua"),
            "weight decay on BN and biases": ("yes", "train.lua"),
            "learning rate": ("0.1", "opts.lua"),
            "schedule": ("164 epochs, lr / 10 from epochs 81 and 122 on", "opts.lua, train.lua"),
            "warm-up": ("none", "train.lua"),
            "testing": ("the 32x32 image, one view", "datasets/cifar10.lua"),
        },
    ),
}


def describe_recipe(name: str) -> pd.DataFrame:
    """One recipe: a row for each choice, with its source and the field of ours that makes it.

    name: one in RECIPES. Errors: `ConfigError` that lists the nearest.
    """
    if name not in RECIPES:
        raise unknown_name(name, list(RECIPES), "recipe")
    choices = RECIPES[name].choices
    return pd.DataFrame(
        {
            "choice": choice,
            name: choices.get(choice, (NOT_STATED, ""))[0],
            "source": choices.get(choice, (NOT_STATED, ""))[1],
            "our field": field,
        }
        for choice, field in CHOICES.items()
    )


def compare_recipes() -> pd.DataFrame:
    """The choices in which the recipes differ: one row a choice, one column a recipe."""
    table = pd.concat([describe_recipe(name).set_index("choice")[name] for name in RECIPES], axis=1)
    return table[table.nunique(axis=1) > 1].reset_index()
