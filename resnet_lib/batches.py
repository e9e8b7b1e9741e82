"""Whole batches on the training device: normalised images, in the order of a seed, augmented."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.configs import ConfigError, TrainConfig
from resnet_lib.data import ImageSet
from resnet_lib.numerics import alternative, decides_numbers, random_stream
from resnet_lib.shares import SharedBatchNorm

if TYPE_CHECKING:
    from resnet_lib.runs import RunRecord


@decides_numbers
class Normaliser:
    """uint8 images to floats: minus the training set's mean at each pixel, over one deviation.

    The deviation is a single number for the whole set: the paper subtracts the per-pixel mean
    only, and a common scale does nothing to a net whose first convolution is followed by BN.
    Images (N, C, H, W) uint8 -> (N, C, H, W) float32. Source: Paper, section 4.2.
    """

    def __init__(self, data: ImageSet) -> None:
        images = data.train_images
        self.mean = images.sum(0, dtype=torch.int64).float() / len(images)
        counts = torch.bincount(images.cpu().flatten().int(), minlength=256).double()
        values = torch.arange(256, dtype=torch.float64)
        centre = (counts * values).sum() / counts.sum()
        self.std = float(((counts * (values - centre) ** 2).sum() / counts.sum()).sqrt())

    def __call__(self, images: Tensor) -> Tensor:
        return (images.float() - self.mean) / self.std


@decides_numbers
def epoch_plan(seed: int, epoch: int, images: int, pad: int, flip: bool) -> tuple[Tensor, ...]:
    """Order and augmentation of one epoch: indices, crop offsets (top, left), mirrored or not.

    A function of its arguments alone, drawn on the CPU: a resumed run needs no random state, and
    every device and every arm of a comparison sees the same batches.
    """
    draw = random_stream("epoch", seed, epoch)
    order = torch.randperm(images, generator=draw)
    top, left = torch.randint(2 * pad + 1, (2, images), generator=draw)
    mirrored = torch.rand(images, generator=draw) < (0.5 if flip else 0.0)
    return order, top, left, mirrored


@decides_numbers
def augment(x: Tensor, top: Tensor, left: Tensor, mirrored: Tensor, pad: int) -> Tensor:
    """Zero padding, a random crop of the original size and mirroring, on a whole batch.

    x: (N, C, H, W), already normalised, so that the padding is the mean. Source: Paper, 4.2.
    """
    n, _, height, width = x.shape
    rows = top[:, None] + torch.arange(height, device=x.device)
    columns = torch.arange(width, device=x.device).expand(n, -1)
    columns = left[:, None] + torch.where(mirrored[:, None], width - 1 - columns, columns)
    channels_last = F.pad(x, (pad, pad, pad, pad)).permute(0, 2, 3, 1)
    batch = torch.arange(n, device=x.device)[:, None, None]
    return channels_last[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@decides_numbers
class TrainingBatches:
    """The training batches of a run: `batches(i)` gives images and labels of iteration i.

    An epoch is a new permutation; the images that do not fill a last batch are left out of it.
    Errors: `ConfigError` when a batch is larger than the training set.
    """

    def __init__(self, data: ImageSet, config: TrainConfig, normalise: Normaliser) -> None:
        self.data, self.config, self.normalise = data, config, normalise
        self.per_epoch = len(data.train_images) // config.batch_size
        if self.per_epoch == 0:
            raise ConfigError(
                f"batch_size {config.batch_size} is larger than the training set of "
                f"{len(data.train_images)} images."
            )
        self.epoch = -1

    def __call__(self, iteration: int) -> tuple[Tensor, Tensor]:
        epoch, position = divmod(iteration, self.per_epoch)
        if epoch != self.epoch:
            config, device = self.config, self.data.train_images.device
            plan = epoch_plan(
                config.seed, epoch, len(self.data.train_images), config.pad, config.flip
            )
            self.plan = [each.to(device) for each in plan]
            self.epoch = epoch
        start = position * self.config.batch_size
        order, *how = (each[start : start + self.config.batch_size] for each in self.plan)
        images = self.normalise(self.data.train_images[order])
        return augment(images, *how, self.config.pad), self.data.train_labels[order]


@alternative
class ChannelNormaliser:
    """uint8 images to floats: minus a mean, over a deviation; of each channel, as most have it.

    mean, std: in grey levels from 0 to 255, of any shape that fits an image: (C, 1, 1) for each
    channel's own, (C, H, W) for the mean at each pixel. Images (N, C, H, W) uint8 ->
    (N, C, H, W) float32.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        self.mean, self.std = mean, std

    @classmethod
    def of(cls, data: ImageSet) -> ChannelNormaliser:
        """By the statistics of a training set."""
        levels = torch.arange(256, dtype=torch.float64)
        statistics = []
        for channel in data.train_images.transpose(0, 1):
            share = torch.bincount(channel.cpu().flatten().int(), minlength=256).double()
            share /= share.sum()
            mean = (share * levels).sum()
            statistics.append([mean, (share * (levels - mean) ** 2).sum().sqrt()])
        table = torch.tensor(statistics).float().to(data.train_images.device)
        return cls(*table.T[:, :, None, None])

    @classmethod
    def imagenet(cls) -> ChannelNormaliser:
        """By ImageNet's statistics, as torchvision's weights expect their images."""
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return cls(*(255 * torch.tensor(each)[:, None, None] for each in (mean, std)))

    def __call__(self, images: Tensor) -> Tensor:
        return (images.float() - self.mean) / self.std


@alternative
class PadFirstBatches:
    """`TrainingBatches` whose images are padded before they are normalised: the padding is black.

    Padding after normalisation, as in `TrainingBatches`, is the mean.
    """

    def __init__(self, data: ImageSet, config: TrainConfig, normalise: AnyNormaliser) -> None:
        self.raw, self.normalise = TrainingBatches(data, config, lambda images: images), normalise
        self.per_epoch = self.raw.per_epoch

    def __call__(self, iteration: int) -> tuple[Tensor, Tensor]:
        images, labels = self.raw(iteration)
        return self.normalise(images), labels


@alternative
class ScaledBatches:
    """`TrainingBatches` with scale augmentation: random scale, random crop, mirroring.

    Each image is enlarged (bilinear) and cropped to its own size in one step; scale and place are
    drawn by seed and iteration, on the CPU. Source: Paper, section 3.4, at the size of the images.
    """

    def __init__(self, data: ImageSet, config: TrainConfig, normalise: AnyNormaliser) -> None:
        self.whole = TrainingBatches(data, replace(config, pad=0), normalise)
        self.config = config
        self.per_epoch = self.whole.per_epoch

    def __call__(self, iteration: int) -> tuple[Tensor, Tensor]:
        images, labels = self.whole(iteration)
        draw = random_stream("scales", self.config.seed, iteration)
        scale, *place = torch.rand(3, len(images), generator=draw).to(images.device)
        low, high = self.config.scale_range
        share = 1 / (low + (high - low) * scale)  # of the image's side that the crop shows
        window = torch.zeros(len(images), 2, 3, device=images.device)
        for axis in range(2):
            window[:, axis, axis] = share
            window[:, axis, 2] = (1 - share) * (2 * place[axis] - 1)
        grid = F.affine_grid(window, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, "bilinear", "border", align_corners=False), labels


AnyNormaliser = Normaliser | ChannelNormaliser
NORMALISERS: dict[str, Callable[[ImageSet], AnyNormaliser]] = {
    "per-pixel": Normaliser,
    "per-channel": ChannelNormaliser.of,
}


def make_normaliser(data: ImageSet, config: TrainConfig) -> AnyNormaliser:
    """What turns images into a net's input under a configuration."""
    return NORMALISERS[config.normalisation](data)


def normaliser_of(nets: Iterable[nn.Module], data: ImageSet) -> AnyNormaliser:
    """What turns images into the inputs that trained nets have seen, as their records say.

    Of a net built from a trained one (`deepen`, `with_projections`) that one's. The per-pixel mean
    for a net without a record. Errors: `ConfigError` where they do not agree.
    """
    records = [source_of(net) for net in nets]
    recipes = [each.train_config if each else TrainConfig() for each in records]
    if len({each.normalisation for each in recipes}) > 1:
        raise ConfigError("the nets of an ensemble must have seen images normalised alike.")
    return make_normaliser(data, recipes[0])


def check_images(net: nn.Module, data: ImageSet) -> None:
    """Raise `ConfigError` unless a net takes a data set's images and tells its classes apart."""
    if not isinstance(net, nn.Module) or not hasattr(net, "config"):
        raise ConfigError(f"{net!r:.60} is no net: build one with build_model, or load one.")
    if not isinstance(data, ImageSet):
        raise ConfigError(f"{data!r:.60} is no image set: give what load returns.")
    config = net.config
    if config.in_channels != data.channels:
        raise ConfigError(
            f"{config.name} takes {config.in_channels} channels and {data.name} has "
            f"{data.channels}: build the net with in_channels={data.channels}."
        )
    if config.classes < len(data.classes):
        raise ConfigError(
            f"{config.name} tells {config.classes} classes apart and {data.name} has "
            f"{len(data.classes)}: build the net with classes={len(data.classes)}."
        )


def source_of(net: nn.Module) -> RunRecord | None:
    """The record of the run that a net's weights come from, its own or that of another net."""
    return getattr(net, "record", None) or getattr(net, "source", None)


def make_batches(
    data: ImageSet, config: TrainConfig, normalise: AnyNormaliser
) -> TrainingBatches | PadFirstBatches | ScaledBatches:
    """The training batches under a configuration."""
    kind = TrainingBatches
    if config.scale_range is not None:
        kind = ScaledBatches
    elif config.pad_first:
        kind = PadFirstBatches
    return kind(data, config, normalise)


class BatchesAhead:
    """The batches of `make_batches`, made several at a time and given out one by one.

    On a GPU making a batch is some twenty launches, whatever its size, and they cost more than the
    work; made for many iterations they cost next to nothing. The images are the same bit for bit:
    nothing of them depends on the size of the batch (with scale augmentation it does, so there one
    is made at a time).
    """

    MOST = 32

    def __init__(self, data: ImageSet, config: TrainConfig, normalise: AnyNormaliser) -> None:
        self.size = config.batch_size
        self.per_epoch = make_batches(data, config, normalise).per_epoch
        most = self.MOST if config.scale_range is None else 1
        # A divisor, so that each group lies within one epoch and leaves out the same images.
        self.at_once = max(n for n in range(1, most + 1) if self.per_epoch % n == 0)
        groups = replace(config, batch_size=self.size * self.at_once)
        self.groups = make_batches(data, groups, normalise)
        self.made: int | None = None

    def __call__(self, iteration: int) -> tuple[Tensor, Tensor]:
        group, place = divmod(iteration, self.at_once)
        if group != self.made:
            self.images, self.labels = self.groups(group)
            self.made = group
        part = slice(place * self.size, (place + 1) * self.size)
        return self.images[part], self.labels[part]


def alternatives(config: TrainConfig) -> list[type]:
    """The definitions that a run uses instead of the usual ones, for its numerics hash."""
    used = {
        ChannelNormaliser: config.normalisation == "per-channel",
        PadFirstBatches: config.pad_first,
        ScaledBatches: config.scale_range is not None,
        SharedBatchNorm: config.bn_images is not None,
    }
    return [definition for definition, is_used in used.items() if is_used]
