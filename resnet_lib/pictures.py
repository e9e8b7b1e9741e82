"""One photograph in the hands of recorded nets: crops and their scores.

The photograph is of a cat, in the public domain (data/README.md), and no image of CIFAR-10. Nets
see it at their own size, normalised as their training images were.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from resnet_lib.batches import AnyNormaliser, ChannelNormaliser, augment, epoch_plan
from resnet_lib.checkpoints import KEPT
from resnet_lib.configs import ConfigError
from resnet_lib.numerics import random_stream
from resnet_lib.repository import DATA, in_repository
from resnet_lib.testing import PLACES, Sizes, corner, crops, resized, ten_crop

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


def head(size: int) -> Tensor:
    """The cat's head as a uint8 square (3, size, size)."""
    left, top, right, bottom = HEAD
    return resized([photograph()[:, top:bottom, left:right]], size)[0]


def kept_normaliser(name: str) -> ChannelNormaliser:
    """What nets were given a data set's images by, kept so that they run without those images.

    As `Normaliser`: mean of the training images at each pixel, (C, H, W), and one deviation.
    Errors: `ConfigError`.
    """
    path = in_repository(KEPT) / f"{name}-normalisation.safetensors"
    if not path.is_file():
        raise ConfigError(f"no normalisation of {name} is kept here: make it from the images.")
    return ChannelNormaliser(**load_file(path))


def cifar_views(count: int, pad: int = 4, seed: int = 0) -> Tensor:
    """The cat's head as a CIFAR net gets it in training: padded, cropped, perhaps mirrored.

    uint8 (count, 3, 32, 32). The padding is CIFAR-10's mean, as for the nets of this book.
    Source: Paper, section 4.2.
    """
    normalise = kept_normaliser("cifar10")
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
    views = []
    for side in drawn:
        down, right, mirrored = torch.rand(3, generator=draw).tolist()
        view = crops(resized([photograph()], side), size, down, right)
        views.append(view.flip(-1) if mirrored < 0.5 else view)
    return torch.cat(views), drawn


@torch.no_grad()
def crop_scores(
    net: nn.Module, normalise: AnyNormaliser, picture: Tensor, sides: Iterable[int], size: int
) -> pd.DataFrame:
    """A net's scores for the crops of the protocol "10-crop", from each of several scales.

    picture: uint8 (C, H, W). sides: lengths of the shorter side in pixels, at least `size`. Returns
    one row a crop, in the order of `ten_crop`: side, height, width, left, top, mirrored, and
    scores: the softmax. Left and top are where the crop lies in the picture as it is.
    """
    net = copy.deepcopy(net).cpu().eval()  # the caller's keeps its mode and place
    rows = []
    for side in sides:
        small = resized([picture], side)
        sizes = replace(Sizes.in_proportion(size), ten_from=side)
        views = torch.cat([view for _, view in ten_crop(small, sizes)])
        scores = net(normalise(views)).softmax(1).tolist()
        height, width = small[0].shape[1:]
        places = itertools.product((False, True), PLACES)
        for (mirrored, place), row in zip(places, scores, strict=True):
            top, left = corner(height, width, size, *place)
            rows.append(
                {
                    "side": side,
                    "height": height,
                    "width": width,
                    "left": width - size - left if mirrored else left,
                    "top": top,
                    "mirrored": mirrored,
                    "scores": row,
                }
            )
    return pd.DataFrame(rows)
