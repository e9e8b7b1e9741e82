"""The papers' testing protocols: which views of an image a net sees, and how scores are averaged.

    measure_errors(net, load("cifar10"), "10-crop")
    measure_errors([net, other], load_photos("imagenette"), "multi-scale")     # an ensemble
    scores_of(net, load("cifar10"))                  # the scores themselves, (images, classes)

Averaged are the softmax scores of all views and nets; within one view, of which a net scores many
positions, the scores before the softmax, so that their mean is what the net itself puts out.

Fully convolutional (dense) evaluation scores every window of an image in one pass. It equals
sliding the window only in a net without padding: where a window by itself is padded with zeros,
here it sees its neighbours. `sliding_scores` is the slow definition, `padding_effect` the
difference; the book's chapter on testing has both, measured.

Nets for CIFAR see one scale in training, and more views can make them worse: that chapter shows it.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from resnet_lib.batches import (
    AnyNormaliser,
    ChannelNormaliser,
    check_images,
    normaliser_of,
    source_of,
)
from resnet_lib.configs import PRECISIONS, ConfigError, one_of, unknown_name, whole
from resnet_lib.data import DATASETS, ImageSet
from resnet_lib.devices import as_device, choose_layout, choose_precision, computing
from resnet_lib.models import ResNet
from resnet_lib.photos import Photos

# Shorter sides in pixels for crops of 224. Source: Paper, Table 4 (its text, section 4.1).
SCALES = (224, 256, 384, 480, 640)
# Where the ten crops lie, as shares of the room that the crop leaves: corners, then the centre.
PLACES = ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5))
# Images in the sets that published errors are of.
SET_SIZES = {name: each.test_images for name, each in DATASETS.items()} | {
    "imagenette": 3_925,
    "imagenet": 50_000,
}

Images = Tensor | Sequence[Tensor]
# Numbers of images in the batch, and one view of each: uint8, (N, C, H, W).
View = tuple[list[int], Tensor]


@dataclass(frozen=True)
class Errors:
    """Top-1 and top-5 error in percent, and of how many images."""

    top1_error: float
    top5_error: float
    images: int

    def __str__(self) -> str:
        return (
            f"top-1 error {self.top1_error:.2f}%, top-5 error {self.top5_error:.2f}% "
            f"on {self.images:,} images"
        )


@dataclass(frozen=True)
class Sizes:
    """Pixels: of a crop, of the shorter sides that crops are taken from, and of the scales."""

    crop: int
    centre_from: int
    ten_from: int
    scales: tuple[int, ...]

    @classmethod
    def of(cls, pictures: ImageSet | Photos) -> Sizes:
        """224 from 256 for photographs; small images `in_proportion`.

        Source: Paper, sections 4.1 and 4.2.
        """
        if isinstance(pictures, Photos):
            return cls(SCALES[0], SCALES[1], SCALES[1], SCALES)
        return cls.in_proportion(pictures.size)

    @classmethod
    def in_proportion(cls, size: int) -> Sizes:
        """Sizes for nets of `size` pixels: images whole, crops and scales in ImageNet's ratios.

        Images of that size are seen whole, as the paper sees CIFAR-10's. Ten crops are taken from
        `scales[1]`, which is to the crop as ImageNet's 256 is to 224.
        """
        scales = tuple(round(size * side / SCALES[0]) for side in SCALES)
        return cls(size, size, scales[1], scales)


def resized(images: Images, side: int) -> Images:
    """Images with `side` pixels on their shorter side: bilinear with antialiasing, rounded."""
    from torchvision.transforms.functional import resize

    if isinstance(images, Tensor):
        return resize(images, [side], antialias=True)
    return [resize(image, [side], antialias=True) for image in images]


def flipped(images: Images) -> Images:
    """Mirror images."""
    return images.flip(-1) if isinstance(images, Tensor) else [each.flip(-1) for each in images]


def corner(height: int, width: int, size: int, down: float, right: float) -> tuple[int, int]:
    """The first row and column of a crop; `down` and `right` as in PLACES."""
    return round(down * (height - size)), round(right * (width - size))


def crops(images: Images, size: int, down: float, right: float) -> Tensor:
    """One crop of each image; `down` and `right` as in PLACES."""

    def crop(image: Tensor) -> Tensor:
        top, left = corner(*image.shape[-2:], size, down, right)
        return image[..., top : top + size, left : left + size]

    return crop(images) if isinstance(images, Tensor) else torch.stack([*map(crop, images)])


def centre_crop(images: Images, sizes: Sizes) -> Iterator[View]:
    """One view: the centre."""
    yield [*range(len(images))], crops(resized(images, sizes.centre_from), sizes.crop, 0.5, 0.5)


def centre_and_mirror(images: Images, sizes: Sizes) -> Iterator[View]:
    """Two views: the centre and its mirror image. In no paper: two of the ten crops."""
    for numbers, view in centre_crop(images, sizes):
        yield numbers, view
        yield numbers, view.flip(-1)


def ten_crop(images: Images, sizes: Sizes) -> Iterator[View]:
    """Ten views, one after the other: the corners, the centre, and their mirror images.

    Source: Paper, section 4.1, "standard 10-crop testing".
    """
    images = resized(images, sizes.ten_from)
    for mirrored in (False, True):
        if mirrored:
            images = flipped(images)
        for place in PLACES:
            yield [*range(len(images))], crops(images, sizes.crop, *place)


def multi_scale(images: Images, sizes: Sizes) -> Iterator[View]:
    """Whole images at each scale; those of one shape together. Source: Paper, section 4.1."""
    for side in sizes.scales:
        shapes: dict[tuple[int, ...], list[int]] = {}
        at_scale = resized(images, side)
        for number, image in enumerate(at_scale):
            shapes.setdefault(tuple(image.shape), []).append(number)
        for numbers in shapes.values():
            yield numbers, torch.stack([at_scale[number] for number in numbers])


def direct_scores(net: nn.Module, x: Tensor) -> Tensor:
    """What the net puts out: (N, C, H, W) -> (N, classes)."""
    return net(x)


def dense_scores(net: ResNet, x: Tensor) -> Tensor:
    """Scores at every position of the last maps, fc being a 1x1 convolution there.

    (N, C, H, W) -> (N, classes, rows, columns). Their mean over positions equals `net(x)`, since
    fc is linear; the mean over a part of them scores a window of the image.
    """
    x = F.relu(net.bn1(net.conv1(x)))
    for stage in net.stages:
        x = getattr(net, stage)(x)
    return F.conv2d(x, net.fc.weight[:, :, None, None], net.fc.bias)


def averaged_dense_scores(net: ResNet, x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, classes): the dense scores' mean over all positions."""
    return dense_scores(net, x).mean((2, 3))


def sliding_scores(net: nn.Module, x: Tensor, window: int, step: int) -> Tensor:
    """Scores of each square window by itself: (N, C, H, W) -> (N, classes, rows, columns).

    step: pixels between windows. What dense evaluation computes in one pass where a net has no
    padding, its stride being the step.
    """
    rows, columns = ((side - window) // step + 1 for side in x.shape[-2:])
    scores = [
        net(x[:, :, top * step :, left * step :][:, :, :window, :window])
        for top in range(rows)
        for left in range(columns)
    ]
    return torch.stack(scores, 2).unflatten(2, (rows, columns))


@torch.no_grad()
def padding_effect(net: ResNet, x: Tensor, window: int, step: int) -> tuple[float, float]:
    """How far dense evaluation is from sliding a window, of which it is an estimate.

    step: the net's stride in all (4 for CIFAR nets, 32 for ImageNet nets). Returns the mean
    absolute difference of scores, over their standard deviation, and the share of windows in which
    both find the same class best. 0 and 1 for a net without padding.
    """
    positions = dense_scores(net, x[:1, :, :window, :window]).shape[-1]
    dense = F.avg_pool2d(dense_scores(net, x), positions, stride=1)
    sliding = sliding_scores(net, x, window, step)
    same = (dense.argmax(1) == sliding.argmax(1)).double().mean()
    return ((dense - sliding).abs().mean() / sliding.std()).item(), same.item()


@dataclass(frozen=True)
class Protocol:
    """How images are tested: `views` makes what the net sees, `scores` has it seen."""

    views: Callable[[Images, Sizes], Iterator[View]]
    scores: Callable[[Any, Tensor], Tensor] = direct_scores


PROTOCOLS: dict[str, Protocol] = {
    "centre-crop": Protocol(centre_crop),
    "centre-and-mirror": Protocol(centre_and_mirror),
    "10-crop": Protocol(ten_crop),
    "multi-scale": Protocol(multi_scale, averaged_dense_scores),
}
"""The testing protocols by name: the papers', and "centre-and-mirror"."""


def measure_errors(
    nets: ResNet | Sequence[ResNet],
    pictures: ImageSet | Photos,
    protocol: str = "centre-crop",
    *,
    normalise: AnyNormaliser | None = None,
    images: int | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    precision: str = "float32",
    progress: bool = False,
) -> Errors:
    """Top-1 and top-5 error of a net, or of an ensemble, on test images.

    protocol: a name in PROTOCOLS. normalise: how the nets were given their training images; by
    default as their records say, or with the per-pixel mean of an `ImageSet`'s training images, and
    with ImageNet's channel statistics for `Photos`. images: test so many only, spread over the set.
    batch_size: images in memory at a time; of their views there is one at a time. device: found by
    itself unless given. precision: as in `TrainConfig`. progress: show a bar.

    Warns where the images are not as many as the set has. Errors: `ConfigError`, `DataError`.
    """
    nets = checked(nets, pictures, protocol)
    sizes = Sizes.of(pictures)
    labels = targets(nets, pictures)
    chosen = torch.arange(len(labels))
    if images is not None:
        whole(images, 1, "images")
        chosen = chosen[torch.linspace(0, len(labels) - 1, min(images, len(labels))).long()]
    warn_of_size(pictures.name, len(chosen))
    one_of(precision, PRECISIONS, "precision")
    how = (protocol, sizes, normalise, batch_size, device, precision)
    wrong = torch.zeros(2, dtype=torch.long)
    with tqdm(total=len(chosen), unit=" images", disable=not progress, mininterval=0.5) as bar:
        for numbers, scores in scored(nets, pictures, chosen, *how):
            best = scores.topk(min(5, scores.shape[1]), 1).indices
            hits = best == labels[numbers][:, None]
            wrong += torch.stack([(~hits[:, 0]).sum(), (~hits.any(1)).sum()])
            bar.update(len(numbers))
    first, fifth = (100 * count / len(chosen) for count in wrong.tolist())
    return Errors(first, fifth, len(chosen))


def scores_of(
    nets: ResNet | Sequence[ResNet],
    pictures: ImageSet | Photos,
    protocol: str = "centre-crop",
    *,
    sizes: Sizes | None = None,
    normalise: AnyNormaliser | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Softmax scores of all test images, averaged over views and nets: (N, classes), on the CPU.

    sizes: other than those of the papers, such as a single scale. The rest as in `measure_errors`.
    """
    nets = checked(nets, pictures, protocol)
    chosen = torch.arange(len(targets(nets, pictures)))
    sizes = Sizes.of(pictures) if sizes is None else sizes
    how = (protocol, sizes, normalise, batch_size, device, "float32")
    return torch.cat([scores for _, scores in scored(nets, pictures, chosen, *how)])


def checked(
    nets: ResNet | Sequence[ResNet], pictures: ImageSet | Photos, protocol: str
) -> list[ResNet]:
    """The nets as a list. Raises `ConfigError` for no net, no images and no such protocol."""
    several = isinstance(nets, Iterable) and not isinstance(nets, (nn.Module, str))
    nets = list(nets) if several else [nets]
    if not nets:
        raise ConfigError("there is no net to test.")
    for net in nets:
        if not isinstance(net, nn.Module) or not hasattr(net, "config"):
            raise ConfigError(f"{net!r} is no net: build one with build_model, or load one.")
    if not isinstance(pictures, (ImageSet, Photos)):
        raise ConfigError(f"{pictures!r} are no images: give what load or load_photos returns.")
    if protocol not in PROTOCOLS:
        raise unknown_name(protocol, list(PROTOCOLS), "testing protocol")
    return nets


def scored(
    nets: Sequence[ResNet],
    pictures: ImageSet | Photos,
    chosen: Tensor,
    protocol: str,
    sizes: Sizes,
    normalise: AnyNormaliser | None,
    batch_size: int | None,
    device: torch.device | str | None,
    precision: str,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch by batch: the numbers of the images, and their scores on the CPU.

    Errors: `ConfigError` that names the nets whose scores are not finite.
    """
    photos = isinstance(pictures, Photos)
    if normalise is None:
        normalise = ChannelNormaliser.imagenet() if photos else normaliser_of(nets, pictures)
    device = as_device(device)
    precision = choose_precision(precision, device)
    layout = choose_layout(device)
    # Copies: the caller's nets keep their mode and place.
    nets = [copy.deepcopy(net).to(device, memory_format=layout).eval() for net in nets]
    if batch_size is None:
        batch_size = 32 if photos else 500
    whole(batch_size, 1, "batch_size")
    for numbers in chosen.split(int(batch_size)):
        batch = pictures.read(numbers.tolist()) if photos else pictures.test_images[numbers]
        how = (batch, PROTOCOLS[protocol], sizes, normalise, precision)
        scores = class_scores(nets, *how).cpu()  # the only wait for the device
        if not scores.isfinite().all():
            raise not_finite([class_scores([net], *how) for net in nets], nets)
        yield numbers, scores


def not_finite(scores: Sequence[Tensor], nets: Sequence[ResNet]) -> ConfigError:
    """The error for nets that put out NaN. scores: of each net."""
    which = " and ".join(
        net.config.name + (f" (net {number} of {len(nets)})" if len(nets) > 1 else "")
        for number, (net, each) in enumerate(zip(nets, scores, strict=True), 1)
        if not each.isfinite().all()
    )
    return ConfigError(
        f"the scores of {which} are not finite: its weights hold NaN, or are so large that layers "
        "overflow, as after training that diverged; test a net whose loss stayed finite."
    )


@torch.no_grad()
def class_scores(
    nets: Sequence[ResNet],
    images: Images,
    protocol: Protocol,
    sizes: Sizes,
    normalise: AnyNormaliser,
    precision: str = "float32",
) -> Tensor:
    """Softmax scores of a batch, averaged over views and nets: (N, classes), on the nets' device.

    images: uint8, (N, C, H, W), or a list of (C, H, W) of any sizes.
    """
    device = nets[0].fc.weight.device
    layout = choose_layout(device)
    total = torch.zeros(len(images), nets[0].config.classes, device=device)
    seen = torch.zeros(len(images), 1, device=device)
    for numbers, view in protocol.views(images, sizes):
        x = fitted(normalise, view)(view.to(normalise.mean.device)).to(device)
        x = x.contiguous(memory_format=layout)
        with computing(precision, device):
            logits = [protocol.scores(net, x) for net in nets]
        total[numbers] += sum(each.float().softmax(1) for each in logits)
        seen[numbers] += len(nets)
    return total / seen


def targets(nets: list[ResNet], pictures: ImageSet | Photos) -> Tensor:
    """The labels of all test images. Raises `ConfigError` unless they fit the nets."""
    if len({net.config.classes for net in nets}) > 1:
        raise ConfigError("the nets of an ensemble must tell the same classes apart.")
    classes = nets[0].config.classes
    if isinstance(pictures, Photos):
        for net in nets:
            if net.config.in_channels != 3:
                raise ConfigError(
                    f"{net.config.name} takes {net.config.in_channels} channels, and photographs "
                    "have 3."
                )
        labels = pictures.labels_for(classes)
        for net in nets:
            if (record := source_of(net)) is not None:
                warnings.warn(
                    f"{net.config.name} was trained on {record.data['name']}: its classes are "
                    f"taken for the folders of {pictures.name} in their order, and these may be "
                    "others.",
                    stacklevel=3,
                )
        return labels
    for net in nets:
        check_images(net, pictures)
    return pictures.test_labels


def warn_of_size(name: str, images: int) -> None:
    """Warn where not the whole of a known set is tested."""
    size = SET_SIZES.get(name, images)
    if images != size:
        warnings.warn(
            f"{images:,} images are tested, and {name} has {size:,}: these errors cannot stand "
            "beside published ones.",
            stacklevel=3,
        )


def fitted(normalise: AnyNormaliser, view: Tensor) -> AnyNormaliser:
    """A per-pixel mean for images of another size: the mean image, resized with them.

    The papers do not say what they subtract there.
    """
    size = view.shape[-2:]
    if normalise.mean.shape[-2:] in ((1, 1), size):
        return normalise
    other = copy.copy(normalise)
    other.mean = F.interpolate(
        normalise.mean[None], size=size, mode="bilinear", antialias=True, align_corners=False
    )[0]
    return other


def error_of(scores: Tensor, labels: Tensor) -> float:
    """Top-1 error in percent. scores: (N, classes)."""
    return 100 * (scores.argmax(1) != labels).double().mean().item()


def loss_of(scores: Tensor, labels: Tensor) -> float:
    """Cross-entropy of softmax scores (N, classes)."""
    return F.nll_loss(scores.double().clamp(min=1e-30).log(), labels).item()


def votes(scores: Tensor) -> Tensor:
    """How many nets give each class their highest score: (nets, N, classes) -> (N, classes).

    Half of the mean score is added: where two classes have as many votes, it decides.
    """
    best = F.one_hot(scores.argmax(2), scores.shape[2])
    return best.sum(0) + scores.mean(0) / 2


def ensemble_errors(scores: Sequence[Tensor], labels: Tensor) -> dict[str, float]:
    """Top-1 errors in percent of several nets, and of what they say together.

    scores: of each net, (N, classes). Returns mean_member, best_member, averaged (their scores, as
    in an ensemble) and voted.
    """
    together = torch.stack([*scores])
    members = [error_of(each, labels) for each in together]
    return {
        "mean_member": sum(members) / len(members),
        "best_member": min(members),
        "averaged": error_of(together.mean(0), labels),
        "voted": error_of(votes(together), labels),
    }


def standard_error(error: float, images: int) -> float:
    """How far an error rate strays with the choice of test images: one standard deviation.

    error: in percent, and so is the result. images: how many, drawn independently.
    """
    share = error / 100
    return 100 * (share * (1 - share) / images) ** 0.5


def compare_errors(one: Tensor, other: Tensor, labels: Tensor) -> tuple[float, float]:
    """Top-1 error of `one` minus that of `other` on the same images, and its standard error.

    Both in percent; scores are (N, classes). Only images on which one errs and not the other add
    to either: how many images are hard for both does not matter.
    """
    wrong = [(scores.argmax(1) != labels).double() for scores in (one, other)]
    difference = 100 * (wrong[0] - wrong[1])
    spread = difference.std(correction=0).item() / len(labels) ** 0.5
    return difference.mean().item(), spread
