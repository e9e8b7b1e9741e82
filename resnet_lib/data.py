"""Data sets as uint8 tensors on the training device, and whole batches made from them there.

    load("embedded")        Fashion-MNIST, 10,000 + 2,000 images, part of the repository
    load("cifar10")         CIFAR-10 through torchvision, or class sheets (see below)
    load("cifar100"), load("fashion-mnist")
    load("some/folder")     a folder of class sheets

A class sheet is one lossless image that holds all images of a class: square tiles, 50 a row, in
row-major order, as {train,test}/{label}_{class}.webp. Where the environment variable
RESNET_LIB_DATA names a folder, data sets are looked for there as sheets (RESNET_LIB_DATA/cifar10)
before torchvision is asked, and torchvision downloads into it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import ssl
import urllib.error
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock, Timeout
from torch import Tensor, nn

from resnet_lib.configs import ConfigError, TrainConfig, unknown_name, whole
from resnet_lib.numerics import alternative, decides_numbers, random_stream
from resnet_lib.repository import DATA, in_repository

if TYPE_CHECKING:
    from resnet_lib.runs import RunRecord

TILES_A_ROW = 50
EMBEDDED = DATA / "images"
PATIENCE = 30.0  # seconds without a byte before a download is given up


class DataError(RuntimeError):
    """Data that cannot be had or read; the message names the file and says what would help."""


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set before it is loaded.

    size: height and width in pixels. channels: 1 for grey images, 3 for colour. classes,
    test_images: how many. torchvision: its class there; None for what the repository holds.
    checksum: of pixels and labels, wherever they came from; None where it was never seen here.
    """

    size: int
    channels: int
    classes: int
    test_images: int
    torchvision: str | None = None
    checksum: str | None = None


DATASETS = {
    "embedded": DataSet(28, 1, 10, 2_000, checksum="2e1fe9dee985"),
    "cifar10": DataSet(32, 3, 10, 10_000, "CIFAR10", "0ff7debc700c"),
    "cifar100": DataSet(32, 3, 100, 10_000, "CIFAR100"),
    "fashion-mnist": DataSet(28, 1, 10, 10_000, "FashionMNIST", "39c517ab58c2"),
}
"""The data sets that `load` knows by name."""


@dataclass(frozen=True)
class ImageSet:
    """A data set in memory.

    train_images, test_images: uint8, (N, C, H, W); train_labels, test_labels: int64, (N,).
    The images stand in a canonical order (by class, then by their bytes), so that every source
    of the same data gives the same runs.

    Errors: `ConfigError` where images are not square or not uint8, where a label is missing or no
    class's, where a split is empty, and where the splits differ in channels or size.
    """

    name: str
    classes: tuple[str, ...]
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    def __post_init__(self) -> None:
        for split in ("train", "test"):
            images, labels = getattr(self, f"{split}_images"), getattr(self, f"{split}_labels")
            check_pixels(images, f"{split}_images of {self.name}")
            check_labels(labels, len(images), len(self.classes), f"{split}_labels of {self.name}")
        shapes = [tuple(each.shape[1:]) for each in (self.train_images, self.test_images)]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"{self.name} has training images of shape {shapes[0]} and test images of "
                f"{shapes[1]}: both must have the same channels and size."
            )

    def __repr__(self) -> str:
        return (
            f"<ImageSet {self.name}: {len(self.train_images):,} images to train on, "
            f"{len(self.test_images):,} to test on, {self.channels}x{self.size}x{self.size}, "
            f"{len(self.classes)} classes>"
        )

    @property
    def net_fields(self) -> dict[str, int]:
        """The fields of `ModelConfig` that follow from the images: in_channels and classes."""
        return {"in_channels": self.channels, "classes": len(self.classes)}

    @property
    def sizes(self) -> list[int]:
        """The widths in pixels, from 4 on, that the images can be reduced to."""
        return [n for n in range(min(4, self.size), self.size + 1) if self.size % n == 0]

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.train_images.shape[1]

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        return self.train_images.shape[-1]

    @cached_property
    def checksum(self) -> str:
        """Twelve hexadecimal digits of a SHA-256 over all images and labels."""
        digest = hashlib.sha256()
        for tensor in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()[:12]

    def to(self, device: torch.device | str) -> ImageSet:
        """The same set with its tensors on `device`."""
        names = ("train_images", "train_labels", "test_images", "test_labels")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def reduced(self, size: int) -> ImageSet:
        """The same images, `size` pixels wide: means over squares of pixels, rounded."""
        if size == self.size:
            return self
        if size < 1 or self.size % size:
            raise ConfigError(
                f"{self.name} cannot be reduced from {self.size} to {size} pixels: "
                f"it can to {', '.join(map(str, self.sizes))}."
            )
        factor = self.size // size
        return replace(
            self,
            train_images=F.avg_pool2d(self.train_images.float(), factor).round().byte(),
            test_images=F.avg_pool2d(self.test_images.float(), factor).round().byte(),
        )


def check_pixels(images: Tensor, what: str) -> None:
    """Raise `ConfigError` unless these are square uint8 images, and some."""
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        raise ConfigError(
            f"{what} is {kind_of(images)}: it must be a tensor of uint8, grey levels from 0 to 255."
        )
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise ConfigError(
            f"{what} has the shape {tuple(images.shape)}: it must be (N, C, H, W) with H "
            "equal to W."
        )
    if not len(images):
        raise ConfigError(
            f"{what} is empty: a data set has images to train on and images to test on."
        )


def check_labels(labels: Tensor, images: int, classes: int, what: str) -> None:
    """Raise `ConfigError` unless each of so many images has a label, and that a class."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        raise ConfigError(f"{what} is {kind_of(labels)}: it must be a tensor of int64.")
    if labels.shape != (images,):
        raise ConfigError(
            f"{what} has the shape {tuple(labels.shape)}: for {images} images it must be "
            f"({images},)."
        )
    # On the CPU, whatever the device: a few hundred kilobytes, and one wait for them.
    lowest, highest = (int(each) for each in labels.cpu().aminmax())
    if lowest < 0 or highest >= classes:
        raise ConfigError(
            f"{what} runs from {lowest} to {highest}: with {classes} classes it must stay "
            f"within 0 to {classes - 1}."
        )


def kind_of(value: object) -> str:
    """What a value is that should have been a tensor of another kind."""
    tensor = isinstance(value, Tensor)
    return f"a tensor of {value.dtype}" if tensor else f"of type {type(value).__name__}"


def load(name: str | Path, size: int | None = None) -> ImageSet:
    """Load a data set by name, or a folder of class sheets by path, onto the CPU.

    size: reduce the images to so many pixels. Errors: `ConfigError` for an unknown name,
    `DataError` where the data are missing or damaged.
    """
    if not isinstance(name, (str, Path)):
        raise ConfigError(f"a data set is a name or a folder, not {name!r}.")
    name = str(name)
    size = int(size) if isinstance(size, np.integer) else size
    if size is not None:
        whole(size, 1, "size")
    folder = find_sheets(name)
    if folder is not None:
        loaded = read_sheets(name, folder)
    elif name in DATASETS:
        loaded = from_torchvision(name)
    else:
        raise unknown_name(name, list(DATASETS), "data set or folder of class sheets")
    expected = (name in DATASETS and DATASETS[name].checksum) or loaded.checksum
    if loaded.checksum != expected:
        place = folder or f"torchvision's folder of {name} in {data_folder()}"
        remedy = (
            "restore it" if name == "embedded" else "delete it to fetch it again, or restore it"
        )
        raise DataError(
            f"{place} does not hold {name} as it is known here (checksum {loaded.checksum}, not "
            f"{expected}): a file is damaged, missing or foreign; {remedy}."
        )
    return loaded if size is None else loaded.reduced(size)


def data_folder() -> Path:
    """Where downloads go and sheets are looked for: RESNET_LIB_DATA, else data/downloads.

    Without a clone around the library, ~/.cache/resnet_lib.
    """
    if chosen := os.environ.get("RESNET_LIB_DATA"):
        return Path(chosen).expanduser()
    return DATA / "downloads" if DATA.is_dir() else Path.home() / ".cache" / "resnet_lib"


def download_folder() -> Path:
    """`data_folder`, for what is fetched into it. Errors: `DataError` where it was mistyped."""
    root = data_folder()
    if os.environ.get("RESNET_LIB_DATA") and not root.is_dir():
        fault = (
            "a file: name a folder" if root.exists() else "no folder: make it, or correct the name"
        )
        raise DataError(f"RESNET_LIB_DATA names {root}, which is {fault}.")
    return root


def find_sheets(name: str) -> Path | None:
    """The folder that holds a data set's class sheets, or None for what no folder is called.

    Errors: `DataError` for a folder that is no data set of ours and lacks one of the splits.
    """
    if name == "embedded":
        try:
            return in_repository(EMBEDDED / "train").parent
        except ConfigError as error:
            raise DataError(str(error)) from None
    lacking = {
        folder: [split for split in ("train", "test") if not (folder / split).is_dir()]
        for folder in (data_folder() / name, Path(name))
        if name and folder.is_dir()
    }
    for folder, splits in lacking.items():
        if not splits:
            return folder
    if lacking and name not in DATASETS:
        folder, splits = next(iter(lacking.items()))
        raise DataError(
            f"{folder} has no folder {' and no folder '.join(splits)}: a folder of class sheets "
            "has them as train/{label}_{class}.webp and test/{label}_{class}.webp."
        )
    return None


def read_sheets(name: str, folder: Path) -> ImageSet:
    """Read a folder of class sheets. Errors: `DataError` that names the file and the fault."""
    splits, classes = {}, {}
    for split in ("train", "test"):
        images, labels = [], []
        for path in sorted((folder / split).glob("*.webp")):
            label, _, title = path.stem.partition("_")
            if not label.isdecimal() or not title:
                raise DataError(f"{path} is not named as a class sheet: {{label}}_{{class}}.webp.")
            if classes.setdefault(int(label), title) != title:
                raise DataError(
                    f"{path} calls class {label} {title}, and not {classes[int(label)]}."
                )
            tiles = read_sheet(path)
            images.append(tiles)
            labels.append(np.full(len(tiles), int(label), np.int64))
        if not images:
            raise DataError(
                f"{folder / split} holds no class sheets: they are lossless WebP images, "
                "{label}_{class}.webp."
            )
        sides = sorted({tiles.shape[1] for tiles in images})
        if len(sides) > 1:
            raise DataError(
                f"{folder / split} holds sheets of unequal tiles, {' and '.join(map(str, sides))} "
                "pixels wide: all must have one size."
            )
        splits[split] = np.concatenate(images), np.concatenate(labels)
    sizes = [images.shape[1] for images, _ in splits.values()]
    if len(set(sizes)) > 1:
        raise DataError(
            f"{folder} has training images of {sizes[0]} pixels and test images of {sizes[1]}: "
            "both must have one size."
        )
    if sorted(classes) != list(range(len(classes))):
        raise DataError(
            f"{folder} has labels {sorted(classes)}: they must run from 0 without gaps."
        )
    colour = any(is_colour(images) for images, _ in splits.values())
    if not colour:
        splits = {split: (images[..., :1], labels) for split, (images, labels) in splits.items()}
    return image_set(name, [classes[label] for label in sorted(classes)], splits)


def read_sheet(path: Path) -> np.ndarray:
    """The tiles of one sheet: uint8, (N, H, W, 3)."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            sheet = np.asarray(file.convert("RGB"))
    except Exception as error:
        raise DataError(f"{path} cannot be read as an image: {error}.") from None
    side = sheet.shape[1] // TILES_A_ROW
    if side == 0 or sheet.shape[1] % TILES_A_ROW or sheet.shape[0] % side:
        raise DataError(
            f"{path} is {sheet.shape[1]}x{sheet.shape[0]} pixels: a class sheet has {TILES_A_ROW} "
            "square tiles a row and full rows."
        )
    rows = sheet.reshape(-1, side, TILES_A_ROW, side, 3).swapaxes(1, 2)
    return rows.reshape(-1, side, side, 3)


def is_colour(images: np.ndarray) -> bool:
    """Whether the three channels differ anywhere."""
    first = images[..., 0]
    return not (np.array_equal(first, images[..., 1]) and np.array_equal(first, images[..., 2]))


def from_torchvision(name: str) -> ImageSet:
    """Load a data set through torchvision, which downloads it where it is missing.

    torchvision shows a progress bar and compares what it fetched with its checksum; what is cut
    off is fetched again. Errors: `DataError` that says what went wrong and what would help.
    """
    import torchvision

    kind = getattr(torchvision.datasets, DATASETS[name].torchvision)
    root = download_folder()
    splits = {}
    try:
        for split in ("train", "test"):
            with one_download(root), patient():
                part = kind(root, train=split == "train", download=True)
            images = np.asarray(part.data)
            splits[split] = (
                images[..., None] if images.ndim == 3 else images,
                np.asarray(part.targets, np.int64),
            )
    except Exception as error:
        raise DataError(
            f"{name} is not in {root} and could not be downloaded, {reason(error)} "
            f'({type(error).__name__}): use the embedded set ("embedded"), place torchvision\'s '
            "files there by hand, or set RESNET_LIB_DATA to a folder that holds them."
        ) from None
    return image_set(name, part.classes, splits)


@contextmanager
def one_download(root: Path) -> Iterator[None]:
    """Wait while another process downloads to this folder: both would write the same file."""
    lock = FileLock(root / ".download.lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        print(f"Another process downloads to {root}: waiting for it.", flush=True)
        lock.acquire()
    except OSError:
        pass  # a read-only folder may hold the data all the same
    try:
        yield
    finally:
        lock.release()


@contextmanager
def patient() -> Iterator[None]:
    """Give a download up where no byte comes for `PATIENCE` seconds; torchvision would wait on."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def reason(error: BaseException) -> str:
    """What a failed download means, in words."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, ssl.SSLError):
        return "because the host's certificate has expired or is not trusted"
    if isinstance(cause, TimeoutError):
        return f"because the host sent nothing for {PATIENCE:.0f} seconds"
    if isinstance(error, urllib.error.HTTPError):
        return f"because the host answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        return "because the host cannot be reached"
    if getattr(error, "errno", None) == errno.ENOSPC:
        return "because the disk is full"
    if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "because the folder cannot be written to"
    return "because a file is damaged, incomplete or out of reach"


@decides_numbers
def image_set(name: str, classes, splits: dict[str, tuple[np.ndarray, np.ndarray]]) -> ImageSet:
    """An `ImageSet` from NHWC arrays, put into the canonical order."""
    tensors = {}
    for split, (images, labels) in splits.items():
        flat = np.ascontiguousarray(images).reshape(len(images), -1)
        by_bytes = np.argsort(flat.view(f"S{flat.shape[1]}").ravel(), kind="stable")
        order = by_bytes[np.argsort(labels[by_bytes], kind="stable")]
        tensors[f"{split}_images"] = torch.from_numpy(
            np.ascontiguousarray(images[order].transpose(0, 3, 1, 2))
        )
        tensors[f"{split}_labels"] = torch.from_numpy(labels[order])
    return ImageSet(name, tuple(classes), **tensors)


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
    }
    return [definition for definition, is_used in used.items() if is_used]
