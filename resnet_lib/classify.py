"""A photograph of the reader's own, classified by a net with torchvision's ImageNet weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from PIL import Image, ImageOps
from torch import Tensor

from resnet_lib.configs import ConfigError
from resnet_lib.downloads import DataError
from resnet_lib.models import ResNet
from resnet_lib.weights import first_weights, pretrained


@dataclass(frozen=True)
class Classifier:
    """A trained net, what prepares a photograph for it, and the names of its classes."""

    net: ResNet
    prepare: Callable[[Image.Image], Tensor]
    classes: tuple[str, ...]

    @torch.no_grad()
    def __call__(self, photo: Path | str | Image.Image, top: int = 5) -> pd.DataFrame:
        """The `top` most likely classes of a photograph, with their probabilities in percent.

        Errors: `DataError` for a file that is no picture.
        """
        if not isinstance(photo, Image.Image):
            photo = open_photo(photo)
        logits = self.net.eval()(self.prepare(photo.convert("RGB"))[None])[0]
        values, places = logits.softmax(0).topk(top)
        names = [self.classes[place] for place in places.tolist()]
        return pd.DataFrame({"class": names, "probability": (100 * values).tolist()})


def open_photo(path: Path | str) -> Image.Image:
    """Read a picture, upright as the camera was held. Errors: `DataError` that names the file."""
    try:
        with Image.open(path) as file:
            return ImageOps.exif_transpose(file).convert("RGB")
    except Exception as error:  # a decoder may raise anything
        raise DataError(f"{path} cannot be read as a picture: {error}.") from None


def load_classifier(model: str = "resnet50") -> Classifier:
    """A net of a name with torchvision's first weights (IMAGENET1K_V1), downloaded once.

    Errors: `ConfigError` for a net that has none, `DataError` where they cannot be had.
    """
    net = pretrained(model)
    weights = first_weights(net.config.depth)
    return Classifier(net, weights.transforms(), tuple(weights.meta["categories"]))


def choose_photo(path: Path | str | None = None) -> Path:
    """The path of a photograph: the one given or, in Colab, one that the reader uploads.

    Errors: `ConfigError` where there is neither.
    """
    if path is not None:
        return Path(path)
    try:
        from google.colab import files
    except ImportError:
        raise ConfigError("no photograph was given: set PHOTO to the path of one.") from None
    uploaded = list(files.upload())
    if not uploaded:
        raise ConfigError("no photograph was uploaded.")
    return Path(uploaded[0])


def classify_photo(path: Path | str | None = None, model: str = "resnet50") -> pd.DataFrame | None:
    """What a net sees in a photograph, or one printed sentence why it was skipped.

    path: of the photograph; without one, Colab asks for a file.
    """
    try:
        photo = open_photo(choose_photo(path))  # first: without one, no weights are fetched
        return load_classifier(model)(photo)
    except (ConfigError, DataError) as error:
        print(f"Skipped: {error}")
        return None
