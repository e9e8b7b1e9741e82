"""Data sets as uint8 tensors in memory, from class sheets or through torchvision.

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

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_lib.configs import ConfigError, unknown_name, whole
from resnet_lib.downloads import (
    DataError,
    data_folder,
    download_folder,
    one_download,
    patient,
    reason,
)
from resnet_lib.numerics import decides_numbers
from resnet_lib.repository import DATA, in_repository

TILES_A_ROW = 50
EMBEDDED = DATA / "images"


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
        if not isinstance(size, Integral) or size < 1 or self.size % size:
            raise ConfigError(
                f"{self.name} cannot be reduced from {self.size} to {size} pixels: "
                f"it can to {', '.join(map(str, self.sizes))}."
            )
        factor = self.size // int(size)
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
