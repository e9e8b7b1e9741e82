"""Every choice that defines a net or a training run, as a named field.

Two frozen dataclasses: `ModelConfig` says what is built, `TrainConfig` how it is trained. Both
check their values when they are made, so that a wrong depth or option fails with one clear
sentence before anything is built.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from typing import Any

SHORTCUTS = ("none", "A", "B", "C")
INITS = ("he", "he-fan-out", "xavier", "small")
PRECISIONS = ("auto", "float32", "bfloat16")


class ConfigError(ValueError):
    """A value that no net or run can have; the message says what would be right."""


def one_of(value: object, choices: tuple, what: str) -> None:
    """Raise `ConfigError` that lists `choices` unless `value` is one of them."""
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ConfigError(f"{what} {value!r} is unknown: it is one of {listed}.")


def at_least(value: float, smallest: float, what: str) -> None:
    """Raise `ConfigError` unless `value` is a number of at least `smallest`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= smallest:
        raise ConfigError(f"{what} is {value!r}: it must be a number of at least {smallest}.")


def whole(value: int, smallest: int, what: str) -> None:
    """Raise `ConfigError` unless `value` is a whole number of at least `smallest`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
        raise ConfigError(f"{what} is {value!r}: it must be a whole number of at least {smallest}.")


def unknown_name(name: str, names: list[str], what: str) -> ConfigError:
    """The error for a name that is not in `names`, with its nearest neighbours."""
    near = difflib.get_close_matches(name, names, n=4, cutoff=0.3) or sorted(names)[:4]
    return ConfigError(
        f"there is no {what} {name!r}: the nearest are {', '.join(near)} ({len(names)} in all)."
    )


class Config:
    """What both configurations share: a dictionary form that is stable as fields are added."""

    def changes(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as plain data.

        Identifiers of runs are made from this: a field added later, at its default, moves none.
        """
        values = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if "float" in str(each.type) and value is not None:
                value = float(value)  # 1 and 1.0 are one learning rate
            if each.default is dataclasses.MISSING or value != each.default:
                values[each.name] = list(value) if isinstance(value, tuple) else value
        return values

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain data (tuples become lists), ready for JSON."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]):
        """The inverse of `to_dict`; an unknown field is a `ConfigError` that names it."""
        if not isinstance(values, dict):
            raise ConfigError(f"a {cls.__name__} is made from a dictionary, not from {values!r}.")
        known = [each.name for each in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise unknown_name(str(key), known, f"{cls.__name__} field")
        try:
            return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        except TypeError as error:
            raise ConfigError(f"{cls.__name__} cannot be made from {values!r}: {error}.") from None


@dataclass(frozen=True)
class ModelConfig(Config):
    """A CIFAR net of 6n+2 weighted layers.

    depth: weighted layers, 6n+2 with n blocks of two 3x3 convolutions in each of three stages.
    shortcut: "none" (a plain net), or the paper's option "A" (identity; strided and zero-padded
        where dimensions change), "B" (projection where dimensions change, identity elsewhere) or
        "C" (projection everywhere).
    width: channels of conv2_x; conv3_x has twice, conv4_x four times as many.
    in_channels, classes: of the images and of the data set.
    stem_stride: stride of conv1; 1 in the paper, 2 for the small nets of the quick runs.
    batch_norm: BN after each convolution (then without bias), or convolutions with a bias.
    init: "he" (He normal, fan in), "he-fan-out", "xavier" (Glorot normal) or "small" (0.01).

    Errors: `ConfigError` with the valid neighbours. Source: Paper, section 4.2.
    """

    depth: int
    shortcut: str = "A"
    width: int = 16
    in_channels: int = 3
    classes: int = 10
    stem_stride: int = 1
    batch_norm: bool = True
    init: str = "he"

    def __post_init__(self) -> None:
        check_depth(self.depth)
        one_of(self.shortcut, SHORTCUTS, "shortcut option")
        one_of(self.init, INITS, "initialisation")
        one_of(self.batch_norm, (True, False), "batch_norm")
        for name in ("width", "in_channels", "classes", "stem_stride"):
            whole(getattr(self, name), 1, name)

    @property
    def blocks_per_stage(self) -> int:
        """n in depth = 6n+2."""
        return (self.depth - 2) // 6

    @property
    def kind(self) -> str:
        """Whether the net is "plain" or "residual"."""
        return "plain" if self.shortcut == "none" else "residual"

    @property
    def name(self) -> str:
        """The net's usual name, such as plain20, resnet56 or resnet56-B."""
        if self.kind == "plain":
            return f"plain{self.depth}"
        return f"resnet{self.depth}" + ("" if self.shortcut == "A" else f"-{self.shortcut}")


def check_depth(depth: int) -> None:
    """Raise `ConfigError` with the nearest valid depths unless depth = 6n+2, 8 to 1202."""
    whole(depth, 1, "depth")
    if depth < 8 or depth > 1202:
        raise ConfigError(f"depth {depth} is out of range: 6n+2 from 8 to 1202.")
    if (depth - 2) % 6:
        below = depth - (depth - 2) % 6
        raise ConfigError(
            f"depth {depth} is not 6n+2: the nearest valid depths are {below} and {below + 6}."
        )


@dataclass(frozen=True)
class TrainConfig(Config):
    """How a net is trained. The defaults are the paper's recipe for CIFAR-10.

    iterations, milestones: in iterations; at each milestone the learning rate is divided by 10.
    lr, momentum, weight_decay, batch_size: of SGD; `decay_all` also decays BN's scales and
        shifts and the biases (the paper does not say; Caffe's default is to decay them).
    warmup_lr: if given, the learning rate until the training error of a window falls below
        `warmup_error` percent; the paper does this for ResNet-110 only.
    pad, flip: augmentation: zero padding on each side before a random crop; random mirroring.
    window: training loss and error are averaged over this many iterations; the warm-up rule
        and the check for a loss that is not finite look once a window.
    eval_every: iterations between evaluations on the test set (and one at the end).
    seed: of the order of the images and of their augmentation.
    precision: "float32", "bfloat16" (autocast), or "auto": bfloat16 where the device has
        instructions for it.
    deterministic: ask CUDA for deterministic kernels; the CPU is deterministic without.

    Errors: `ConfigError`. Source: Paper, sections 3.4 and 4.2.
    """

    iterations: int = 64_000
    batch_size: int = 128
    lr: float = 0.1
    milestones: tuple[int, ...] = (32_000, 48_000)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    decay_all: bool = True
    warmup_lr: float | None = None
    warmup_error: float = 80.0
    pad: int = 4
    flip: bool = True
    window: int = 100
    eval_every: int = 1_000
    seed: int = 0
    precision: str = "auto"
    deterministic: bool = field(default=False)

    def __post_init__(self) -> None:
        for name in ("iterations", "batch_size", "window", "eval_every"):
            whole(getattr(self, name), 1, name)
        for name in ("lr", "momentum", "weight_decay", "warmup_error"):
            at_least(getattr(self, name), 0, name)
        whole(self.pad, 0, "pad")
        for name in ("decay_all", "flip", "deterministic"):
            one_of(getattr(self, name), (True, False), name)
        whole(self.seed, 0, "seed")
        one_of(self.precision, PRECISIONS, "precision")
        if self.warmup_lr is not None:
            at_least(self.warmup_lr, 0, "warmup_lr")
        if not isinstance(self.milestones, tuple):
            raise ConfigError(
                f"milestones is {self.milestones!r}: it must be a tuple of iterations."
            )
        for milestone in self.milestones:
            whole(milestone, 1, "each milestone")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"milestones {self.milestones} must grow from each to the next.")
