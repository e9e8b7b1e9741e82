"""One photograph in the hands of recorded nets: crops and their scores.

The photograph is of a cat, in the public domain (data/README.md), and no image of CIFAR-10. Nets
see it at their own size, normalised as their training images were.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from resnet_lib.configs import ConfigError
from resnet_lib.data import augment, epoch_plan
from resnet_lib.numerics import random_stream
from resnet_lib.repository import DATA, in_repository
from resnet_lib.testing import resized as at_shorter_side

PHOTOGRAPH = DATA / "photographs" / "chelsea.webp"
SOURCE = "Chelsea the cat, a photograph by Stefan van der Walt, CC0 (public domain)"
# The head, as a square: left, top, right, bottom.
HEAD = (110, 0, 410, 300)


@cache
def photograph() -> Tensor:
    """The photograph, uint8, (3, 300, 451)."""
    from PIL import Image

    with Image.open(in_repository(PHOTOGRAPH)) as file:
        return torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1).contiguous()


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    """A uint8 picture (C, H, W) at a smaller size: means over the area of each new pixel."""
    from PIL import Image

    planes = [
        np.asarray(Image.fromarray(plane.numpy()).resize((width, height), Image.Resampling.BOX))
        for plane in picture
    ]
    return torch.from_numpy(np.stack(planes))


def head(size: int) -> Tensor:
    """The cat's head as a uint8 square (3, size, size)."""
    left, top, right, bottom = HEAD
    return resized(photograph()[:, top:bottom, left:right], size, size)


@dataclass(frozen=True)
class Normalisation:
    """What a data set's images are normalised by, kept so that its nets run without it.

    mean: of the training images at each pixel, float32, (C, H, W); std: one number.
    """

    mean: Tensor
    std: float

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 images (N, C, H, W) to float32."""
        return (images.float() - self.mean) / self.std

    @classmethod
    def of(cls, name: str) -> Normalisation:
        """That of CIFAR-10's training images, from the repository. Errors: `ConfigError`."""
        path = in_repository(DATA / "weights") / f"{name}-normalisation.safetensors"
        if not path.is_file():
            raise ConfigError(f"no normalisation of {name} is kept here: make it from the images.")
        kept = load_file(path)
        return cls(kept["mean"], float(kept["std"]))


@dataclass(frozen=True)
class Crop:
    """A square cut out of a picture: where, and whether it is mirrored."""

    left: int
    top: int
    mirrored: bool

    def of(self, picture: Tensor, size: int) -> Tensor:
        """The crop's pixels, (C, size, size)."""
        part = picture[:, self.top : self.top + size, self.left : self.left + size]
        return part.flip(-1) if self.mirrored else part


def ten_crops(height: int, width: int, size: int) -> list[Crop]:
    """The centre and the four corners, then their mirror images.

    Source: Paper, section 3.4, standard 10-crop testing (after Krizhevsky et al.).
    """
    if size > min(height, width):
        raise ConfigError(f"no crop of {size} pixels fits into {height}x{width}.")
    right, bottom = width - size, height - size
    places = [(right // 2, bottom // 2), (0, 0), (right, 0), (0, bottom), (right, bottom)]
    return [Crop(left, top, mirrored) for mirrored in (False, True) for left, top in places]


def cifar_views(count: int, pad: int = 4, seed: int = 0) -> Tensor:
    """The cat's head as a CIFAR net gets it in training: padded, cropped, perhaps mirrored.

    uint8 (count, 3, 32, 32). The padding is CIFAR-10's mean, as for the nets of this book.
    Source: Paper, section 4.2.
    """
    normalise = Normalisation.of("cifar10")
    x = normalise(head(32)[None]).expand(count, -1, -1, -1)
    _, *how = epoch_plan(seed, 0, count, pad, flip=True)
    views = augment(x, *how, pad) * normalise.std + normalise.mean
    return views.round().clamp(0, 255).byte()


def imagenet_views(
    count: int, sides: tuple[int, int] = (256, 480), size: int = 224, seed: int = 0
) -> tuple[Tensor, list[int]]:
    """The photograph as an ImageNet net gets it in training, but for the change of colours.

    The shorter side is drawn from `sides`, then a crop of `size` pixels, mirrored or not. Returns
    the crops, uint8 (count, 3, size, size), and their shorter sides. Source: Paper, section 3.4.
    """
    draw = random_stream("views of a photograph", seed)
    drawn = [int(torch.randint(sides[0], sides[1] + 1, (), generator=draw)) for _ in range(count)]
    crops = []
    for side in drawn:
        picture = at_shorter_side(photograph()[None], side)[0]
        down, right, mirrored = torch.rand(3, generator=draw).tolist()
        height, width = picture.shape[1:]
        left, top = round(right * (width - size)), round(down * (height - size))
        crops.append(Crop(left, top, mirrored < 0.5).of(picture, size))
    return torch.stack(crops), drawn


@torch.no_grad()
def crop_scores(
    net: nn.Module, normalise: Normalisation, picture: Tensor, sides: Iterable[int], size: int
) -> pd.DataFrame:
    """A net's scores for ten crops of a picture at each of several scales.

    picture: uint8 (C, H, W). sides: lengths of the shorter side in pixels. Returns one row a
    crop: side, height, width, crop (0 to 9), left, top, mirrored, and scores: the softmax.
    """
    net = copy.deepcopy(net).cpu().eval()  # the caller's keeps its mode and place
    rows = []
    for side in sides:
        scale = side / min(picture.shape[1:])
        height, width = (max(side, round(n * scale)) for n in picture.shape[1:])
        small = resized(picture, height, width)
        crops = ten_crops(height, width, size)
        x = normalise(torch.stack([each.of(small, size) for each in crops]))
        scores = net(x).softmax(1)
        rows += [
            {
                "side": side,
                "height": height,
                "width": width,
                "crop": number,
                **vars(each),
                "scores": row,
            }
            for number, (each, row) in enumerate(zip(crops, scores.tolist(), strict=True))
        ]
    return pd.DataFrame(rows)
