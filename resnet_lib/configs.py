"""Every choice that defines a net or a training run, as a named field.

Two frozen dataclasses: `ModelConfig` says what is built, `TrainConfig` how it is trained. Both
check their values when they are made, so that a wrong depth or option fails with one clear
sentence before anything is built.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np

SHORTCUTS = ("none", "A", "B", "C")
ORDERS = (
    "original",
    "bn-after-addition",
    "relu-before-addition",
    "relu-only-preactivation",
    "preactivation",
)
JUNCTIONS = ("add", "constant", "exclusive-gate", "shortcut-gate", "dropout")
# Which junctions use a field.
OF_JUNCTIONS = {
    "shortcut_scale": ("constant",),
    "residual_scale": ("constant",),
    "gate_bias": ("exclusive-gate", "shortcut-gate"),
    "shortcut_dropout": ("dropout",),
}


@dataclass(frozen=True)
class Block:
    """What a net's depth and channels take from its kind of block.

    layers: convolutions on the main path. expansion: channels that leave the block for each of its
    3x3 convolution.
    """

    layers: int
    expansion: int = 1


BLOCKS = {"single-layer": Block(1), "basic": Block(2), "bottleneck": Block(3, expansion=4)}
# Blocks in conv2_x to conv5_x. Source: Paper, Table 1.
IMAGENET_BLOCKS: dict[str, dict[int, tuple[int, ...]]] = {
    "basic": {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)},
    "bottleneck": {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)},
}
INITS = ("he", "he-fan-out", "xavier", "small")
PRECISIONS = ("auto", "float32", "bfloat16")
NORMALISATIONS = ("per-pixel", "per-channel")
LARGEST = 3.4028234e38  # what float32 holds
MOST = 2**31 - 1  # what counts and sizes in tensors hold


class ConfigError(ValueError):
    """A value that no net or run can have; the message says what would be right."""


def one_of(value: object, choices: tuple, what: str) -> None:
    """Raise `ConfigError` that lists `choices` unless `value` is one of them: 0 is not False."""
    if not any(value == each and is_flag(value) == is_flag(each) for each in choices):
        listed = ", ".join(map(repr, choices))
        raise ConfigError(f"{what} {value!r} is unknown: it is one of {listed}.")


def is_flag(value: object) -> bool:
    """Whether a value is true or false, Python's or NumPy's."""
    return isinstance(value, (bool, np.bool_))


def finite(value: float, what: str, smallest: float = -LARGEST) -> None:
    """Raise `ConfigError` unless `value` is a finite number, of at least `smallest`.

    One that float32 cannot hold is as little of use as infinity.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not smallest <= value <= LARGEST:
        least = "" if smallest == -LARGEST else f" of at least {smallest}"
        raise ConfigError(f"{what} is {value!r}: it must be a finite number{least}.")


def whole(value: int, smallest: int, what: str, most: int = MOST) -> None:
    """Raise `ConfigError` unless `value` is a whole number from `smallest` to `most`."""
    if is_flag(value) or not isinstance(value, (int, np.integer)) or value < smallest:
        raise ConfigError(f"{what} is {value!r}: it must be a whole number of at least {smallest}.")
    if value > most:
        raise ConfigError(f"{what} is {value!r}: it must be {most} at most.")


def as_seed(value: int) -> int:
    """A seed as Python's own number. Errors: `ConfigError` for what is none."""
    whole(value, 0, "seed", 2**63 - 1)
    return int(value)


def unknown_name(name: object, names: list[str], what: str) -> ConfigError:
    """The error for a name that is not in `names`, with its nearest neighbours."""
    near = difflib.get_close_matches(str(name), names, n=4, cutoff=0.3) or sorted(names)[:4]
    return ConfigError(
        f"there is no {what} {name!r}: the nearest are {', '.join(near)} ({len(names)} in all)."
    )


def without_numpy(value: Any) -> Any:
    """NumPy's numbers and flags as Python's own, which can be written as JSON."""
    if isinstance(value, tuple):
        return tuple(map(without_numpy, value))
    return value.item() if isinstance(value, np.generic) else value


class Config:
    """What both configurations share: a dictionary form that is stable as fields are added."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            object.__setattr__(self, each.name, without_numpy(getattr(self, each.name)))

    def changes(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as plain data.

        Identifiers of runs are made from this: a field added later, at its default, moves none.
        """
        values = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if "float" in str(each.type) and value is not None:  # 1 and 1.0 are one learning rate
                is_row = isinstance(value, tuple)
                value = tuple(map(float, value)) if is_row else float(value)
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
    """A net: which family, how deep, with which blocks and shortcuts.

    depth: weighted layers. CIFAR: 6n+2 with n two-layer blocks in each of three stages, 9n+2 with
        bottlenecks, 3n+2 with single layers. ImageNet: 18 and 34 with two-layer blocks, 50, 101
        and 152 with bottlenecks.
    shortcut: "none" (a plain net), or the paper's option "A" (identity; strided and zero-padded
        where dimensions change), "B" (projection where dimensions change, identity elsewhere) or
        "C" (projection everywhere).
    width: channels of the 3x3 convolutions of conv2_x; each later stage has twice as many.
    in_channels, classes: of the images and of the data set.
    stem_stride: stride of a CIFAR net's conv1; 1 in the paper, 2 for the small nets of quick runs.
    batch_norm: BN after each convolution (then without bias), or convolutions with a bias.
    init: "he" (He normal, fan in), "he-fan-out", "xavier" (Glorot normal) or "small" (0.01).
    family: "cifar" or "imagenet"; `ModelConfig.imagenet(50)` fills in the latter's other fields.
    block: "basic" (3x3, 3x3), "bottleneck" (1x1, 3x3, 1x1) or "single-layer" (3x3; residual CIFAR
        nets only, the second paper's "1-layer skip").
    stride_in: where a bottleneck downsamples: in its first "1x1" (the paper) or its "3x3"
        (torchvision).
    order: of BN, ReLU and addition in a block: "original", "bn-after-addition",
        "relu-before-addition", "relu-only-preactivation" or "preactivation" (second paper,
        Table 2).
    junction: how shortcut and residual are joined (second paper, Table 1): "add"; "constant"
        (both scaled, by `shortcut_scale` and `residual_scale`); "exclusive-gate" (residual times
        g, shortcut times 1 - g, as in highway networks); "shortcut-gate" (shortcut times 1 - g);
        "dropout" (on the shortcut, with probability `shortcut_dropout`). g is a 1x1 convolution
        of the block's input and a sigmoid, its bias starting at `gate_bias`.
    zero_init: the last BN scale of each residual branch starts at zero, so that blocks start as
        identities (not in the papers).
    dropout: the share of fc's inputs that training sets to zero at random; the papers use none.

    Errors: `ConfigError` with the valid neighbours. Source: Paper, sections 3.3, 4.1 and 4.2,
    Table 1; second paper, Tables 1 and 2.
    """

    depth: int
    shortcut: str = "A"
    width: int = 16
    in_channels: int = 3
    classes: int = 10
    stem_stride: int = 1
    batch_norm: bool = True
    init: str = "he"
    family: str = "cifar"
    block: str = "basic"
    stride_in: str = "1x1"
    order: str = "original"
    junction: str = "add"
    shortcut_scale: float = 1.0
    residual_scale: float = 1.0
    gate_bias: float = 0.0
    shortcut_dropout: float = 0.5
    zero_init: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self.family, ("cifar", "imagenet"), "family")
        one_of(self.block, tuple(BLOCKS), "block")
        if self.family == "imagenet":
            one_of(self.block, tuple(IMAGENET_BLOCKS), "block of ImageNet nets")
        if (self.block, self.shortcut) == ("single-layer", "none"):
            raise ConfigError(
                f"a plain net skips no layer: without block='single-layer' it is plain{self.depth}."
            )
        check_depth(self.depth, self.family, self.block)
        one_of(self.shortcut, SHORTCUTS, "shortcut option")
        one_of(self.stride_in, ("1x1", "3x3"), "stride_in")
        one_of(self.order, ORDERS, "order")
        one_of(self.junction, JUNCTIONS, "junction")
        one_of(self.init, INITS, "initialisation")
        for name in ("batch_norm", "zero_init"):
            one_of(getattr(self, name), (True, False), name)
        for name in ("width", "in_channels", "classes", "stem_stride"):
            whole(getattr(self, name), 1, name)
        for name in ("shortcut_scale", "residual_scale", "gate_bias"):
            finite(getattr(self, name), name)
        for name in ("shortcut_dropout", "dropout"):
            finite(getattr(self, name), name, 0)
            if getattr(self, name) > 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}: it must be a share from 0 to 1."
                )
        for name, needed in OF_JUNCTIONS.items():
            if self.junction not in needed and name in self.changes():
                raise ConfigError(
                    f"{name} is {getattr(self, name)} and does nothing with junction "
                    f"{self.junction!r}: it belongs to {' and '.join(map(repr, needed))}."
                )
        if self.shortcut == "none" and self.junction != "add":
            raise ConfigError(f"a plain net has no shortcut to join by {self.junction!r}.")
        ends_in_bn = self.order in ("original", "relu-only-preactivation")
        if self.zero_init and (self.shortcut == "none" or not ends_in_bn):
            raise ConfigError(
                "zero_init makes blocks start as identities: it needs shortcuts, and an order in "
                "which BN comes last on the residual branch, 'original' or "
                "'relu-only-preactivation'."
            )
        if not self.batch_norm and (self.zero_init or "bn" in self.order):
            raise ConfigError("without BN there is no BN scale to start at zero and none to move.")

    @classmethod
    def imagenet(cls, depth: int, **changes: Any) -> ModelConfig:
        """The paper's net for 224x224 images: bottlenecks and option B from 50 layers on, else A.

        Source: Paper, Table 1; section 4.1.
        """
        whole(depth, 1, "depth")
        deep = depth >= 50
        fields = {
            "shortcut": "B" if deep else "A",
            "width": 64,
            "classes": 1000,
            "family": "imagenet",
            "block": "bottleneck" if deep else "basic",
        }
        return cls(depth, **{**fields, **changes})

    @property
    def stage_blocks(self) -> tuple[int, ...]:
        """How many blocks each stage has."""
        if self.family == "imagenet":
            return IMAGENET_BLOCKS[self.block][self.depth]
        return ((self.depth - 2) // (3 * BLOCKS[self.block].layers),) * 3

    @property
    def image_size(self) -> int:
        """Width in pixels of the images that the family was made for."""
        return 224 if self.family == "imagenet" else 32

    @property
    def kind(self) -> str:
        """Whether the net is "plain" or "residual"."""
        return "plain" if self.shortcut == "none" else "residual"

    @property
    def name(self) -> str:
        """The net's usual name, such as plain20, resnet56, resnet56-B or preresnet164.

        It names what differs from the papers' net of this depth: option, block, order, junction.
        """
        prefix, option, order = "resnet", "A", "original"
        if (self.family, self.block) == ("imagenet", "bottleneck"):
            option = "B"
        if self.kind == "plain":
            prefix, option = "plain", "none"
        elif self.order == "preactivation":
            prefix, order = "preresnet", "preactivation"
        parts = [
            (self.shortcut, option),
            (self.block, usual_block(self.depth, self.family)),
            (self.order, order),
            (self.junction, "add"),
        ]
        return "-".join([f"{prefix}{self.depth}", *(own for own, usual in parts if own != usual)])


def usual_block(depth: int, family: str = "cifar") -> str:
    """The block of the papers' nets of a depth: basic where both fit, but for 164 layers."""
    if family == "imagenet":
        return "bottleneck" if depth in IMAGENET_BLOCKS["bottleneck"] else "basic"
    two_layers, three = (not (depth - 2) % (3 * BLOCKS[b].layers) for b in ("basic", "bottleneck"))
    return "bottleneck" if depth == 164 or (three and not two_layers) else "basic"


def check_depth(depth: int, family: str = "cifar", block: str = "basic") -> None:
    """Raise `ConfigError` with the nearest valid depths unless such a net exists."""
    whole(depth, 1, "depth")
    if family == "imagenet":
        valid = IMAGENET_BLOCKS[block]
        if depth not in valid:
            listed = ", ".join(map(str, valid))
            raise ConfigError(
                f"depth {depth} is no ImageNet net of {block} blocks: there are {listed}."
            )
        return
    per_n = 3 * BLOCKS[block].layers
    low, high = per_n + 2, 1200 // per_n * per_n + 2  # the paper's deepest net has 1202 layers
    if depth < low or depth > high:
        raise ConfigError(f"depth {depth} is out of range: {per_n}n+2 from {low} to {high}.")
    if (depth - 2) % per_n:
        below = depth - (depth - 2) % per_n
        raise ConfigError(
            f"depth {depth} is not {per_n}n+2: the nearest valid depths are {below} and "
            f"{below + per_n}."
        )


@dataclass(frozen=True)
class TrainConfig(Config):
    """How a net is trained. The defaults are the paper's recipe for CIFAR-10.

    iterations, milestones: in iterations; at each milestone the learning rate is divided by 10.
    lr, momentum, weight_decay, batch_size: of SGD; `decay_all` also decays BN's scales and
        shifts and the biases (the paper does not say; Caffe's default is to decay them).
    bn_images: BN normalises over this many images of a batch at a time, as each of several
        devices does; None: over all of it (the paper has two GPUs and does not say).
    warmup_lr: if given, the learning rate until the training error of a window falls below
        `warmup_error` percent; the paper does this for ResNet-110 only.
    pad, flip: augmentation: zero padding on each side before a random crop; random mirroring.
    normalisation: images minus the training set's mean at each pixel ("per-pixel", the paper), or
        each channel by its mean and deviation ("per-channel", most implementations).
    pad_first: pad before normalising (black) and not after (the mean).
    scale_range: scale augmentation instead of padding: each image is enlarged so that its side,
        in sides of the crop, is drawn from this range; then cropped and perhaps mirrored. The
        paper's for ImageNet is (256/224, 480/224).
    window: training loss and error are averaged over this many iterations; the warm-up rule
        and the check for a loss that is not finite look once a window.
    eval_every: iterations between evaluations on the test set (and one at the end).
    seed: of the order of the images and of their augmentation.
    precision: "float32", "bfloat16" (autocast), or "auto": bfloat16 where the device has
        instructions for it.
    deterministic: ask CUDA for deterministic kernels; the CPU is deterministic without. On an
        NVIDIA H200 that took 15% more time; 70% more in long runs, which else are compiled.

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
    deterministic: bool = False
    normalisation: str = "per-pixel"
    pad_first: bool = False
    scale_range: tuple[float, float] | None = None
    bn_images: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("iterations", "batch_size", "window", "eval_every"):
            whole(getattr(self, name), 1, name)
        for name in ("lr", "momentum", "weight_decay", "warmup_error"):
            finite(getattr(self, name), name, 0)
        whole(self.pad, 0, "pad")
        if not isinstance(self.milestones, tuple):
            raise ConfigError(
                f"milestones is {self.milestones!r}: it must be a tuple of iterations."
            )
        for name in ("decay_all", "flip", "deterministic", "pad_first"):
            one_of(getattr(self, name), (True, False), name)
        as_seed(self.seed)
        one_of(self.precision, PRECISIONS, "precision")
        one_of(self.normalisation, NORMALISATIONS, "normalisation")
        if self.scale_range is not None:
            self.check_scales()
        if self.bn_images is not None:
            whole(self.bn_images, 1, "bn_images")
            if self.batch_size % self.bn_images:
                raise ConfigError(
                    f"bn_images is {self.bn_images}: it must divide batch_size {self.batch_size}."
                )
        if self.warmup_lr is not None:
            finite(self.warmup_lr, "warmup_lr", 0)
        elif "warmup_error" in self.changes():
            raise ConfigError(
                f"warmup_error is {self.warmup_error} and does nothing without a warmup_lr."
            )
        for milestone in self.milestones:
            whole(milestone, 1, "each milestone")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"milestones {self.milestones} must grow from each to the next.")

    def check_scales(self) -> None:
        """Raise `ConfigError` unless `scale_range` is two scales, from 1 on."""
        scales = self.scale_range
        if not isinstance(scales, tuple) or len(scales) != 2:
            raise ConfigError(f"scale_range is {scales!r}: it must be two scales, (low, high).")
        for scale in scales:
            finite(scale, "each scale of scale_range", 1)
        if scales[0] > scales[1]:
            raise ConfigError(f"scale_range {scales} must not fall.")
        if self.pad_first:
            raise ConfigError("an enlarged image is not padded: scale_range forbids pad_first.")
