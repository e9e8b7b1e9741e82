"""Photographs in folders, as ImageNet and Imagenette come, decoded a batch at a time.

    load_photos("imagenette")    RESNET_LIB_DATA/imagenette2/val/<wnid>/*.JPEG, or a download
    load_photos("imagenet")      RESNET_LIB_DATA/imagenet/val/<wnid>/*.JPEG
    load_photos("some/folder")   some/folder/val/<class>/*.JPEG

A wnid is WordNet's number of a class, such as n01440764 for the tench.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resnet_lib.configs import ConfigError
from resnet_lib.downloads import (
    DataError,
    data_folder,
    download_folder,
    one_download,
    patient,
    reason,
)

# Imagenette's ten classes and their numbers among ImageNet's thousand, which stand in the order
# of their wnids.
IMAGENETTE = {
    "n01440764": 0,  # tench
    "n02102040": 217,  # English springer
    "n02979186": 482,  # cassette player
    "n03000684": 491,  # chain saw
    "n03028079": 497,  # church
    "n03394916": 566,  # French horn
    "n03417042": 569,  # garbage truck
    "n03425413": 571,  # gas pump
    "n03445777": 574,  # golf ball
    "n03888257": 701,  # parachute
}
IMAGENET_CLASSES = 1000
# The folders that torchvision and the set's own archives make, largest images first.
FOLDERS = {
    "imagenette": ("imagenette2", "imagenette2-320", "imagenette2-160", "imagenette"),
    "imagenet": ("imagenet",),
}
ENDINGS = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Photos:
    """The validation images of a folder; only their names are in memory.

    classes: names of the class folders, sorted. paths: files, class by class. labels: int64, (N,),
    positions in `classes`.
    """

    name: str
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, numbers: Iterable[int]) -> list[Tensor]:
        """Decode some images: uint8, (3, H, W) each, of their own sizes."""
        with ThreadPoolExecutor() as pool:  # Pillow decodes outside Python's lock
            return list(pool.map(read_photo, [self.paths[number] for number in numbers]))

    def labels_for(self, classes: int) -> Tensor:
        """The labels for a net of so many classes: of this folder, or of ImageNet.

        Errors: `ConfigError` where the net tells another number of classes apart.
        """
        if classes == len(self.classes):
            return self.labels
        if classes == IMAGENET_CLASSES and set(self.classes) <= set(IMAGENETTE):
            return torch.tensor([IMAGENETTE[wnid] for wnid in self.classes])[self.labels]
        raise ConfigError(
            f"the net tells {classes} classes apart, and {self.name} has {len(self.classes)} "
            "folders: it needs as many, or Imagenette's wnids for a net of ImageNet's 1000."
        )


def is_photos(name: str | Path) -> bool:
    """Whether a name means a folder of photographs (and not a data set of `load`)."""
    return str(name) in FOLDERS or (Path(name) / "val").is_dir()


def load_photos(name: str | Path) -> Photos:
    """List the validation images of "imagenette", "imagenet" or a folder, without decoding.

    Imagenette is downloaded through torchvision where it is missing; ImageNet cannot be.
    Errors: `DataError` that says what is missing and what to put where.
    """
    folder = find_photos(str(name))
    try:
        places = sorted(each for each in (folder / "val").iterdir() if each.is_dir())
        files = [
            (label, path)
            for label, place in enumerate(places)
            for path in sorted(place.iterdir())
            if path.suffix.lower() in ENDINGS
        ]
    except OSError as error:
        raise DataError(f"{error.filename} cannot be listed: {error.strerror}.") from None
    if not files:
        raise DataError(
            f"{folder / 'val'} holds no images: it needs a folder for each class, named by its "
            "wnid, with JPEG files in it (val/n01440764/ILSVRC2012_val_00000293.JPEG)."
        )
    return Photos(
        name=str(name),
        classes=tuple(place.name for place in places),
        paths=tuple(path for _, path in files),
        labels=torch.tensor([label for label, _ in files]),
    )


def find_photos(name: str) -> Path:
    """The folder whose `val` holds the images."""
    if name not in FOLDERS:
        if not (Path(name) / "val").is_dir():
            raise DataError(f"{name} is no folder of photographs: it needs val/<class>/*.JPEG.")
        return Path(name)
    for each in FOLDERS[name]:
        if (data_folder() / each / "val").is_dir():
            return data_folder() / each
    if name == "imagenette":
        return download_imagenette()
    place = data_folder() / FOLDERS[name][0] / "val"
    raise DataError(
        f"{name} is not in {place}, and it cannot be downloaded without an account at "
        f"image-net.org: put the 50,000 validation images there, as {place}/<wnid>/*.JPEG."
    )


def download_imagenette() -> Path:
    """Fetch Imagenette (1.5 GB) through torchvision. Errors: `DataError`."""
    from torchvision.datasets import Imagenette

    root = download_folder()
    try:
        with one_download(root), patient():
            Imagenette(root, split="val", download=True)
    except Exception as error:
        raise DataError(
            f"imagenette is not in {root} and could not be downloaded, {reason(error)} "
            f"({type(error).__name__}): unpack imagenette2.tgz there by hand, so that "
            f"{root / 'imagenette2' / 'val'}/<wnid>/*.JPEG exist, or set RESNET_LIB_DATA to the "
            "folder that holds imagenette2."
        ) from None
    return root / "imagenette2"


def read_photo(path: Path) -> Tensor:
    """One image: uint8, (3, H, W). Errors: `DataError` that names the file."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            pixels = np.array(file.convert("RGB"))
    except Exception as error:
        raise DataError(f"{path} cannot be read as an image: {error}.") from None
    return torch.from_numpy(pixels).permute(2, 0, 1)
