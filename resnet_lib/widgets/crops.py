"""How does an average over crops move a net's answer? Ten crops at each of several scales."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from resnet_lib.archive import survey
from resnet_lib.checkpoints import kept_nets, net_of
from resnet_lib.configs import ConfigError, ModelConfig, unknown_name
from resnet_lib.data import ChannelNormaliser
from resnet_lib.deletions import checksum
from resnet_lib.explore import show
from resnet_lib.figures import COLOURS, panels
from resnet_lib.pictures import (
    PHOTOGRAPH,
    SOURCE,
    Normalisation,
    crop_scores,
    photograph,
)
from resnet_lib.runs import RunRecord
from resnet_lib.testing import SCALES

# The paper's scales, 224 to 640 pixels for nets of 224 (section 3.4), for nets of 32 pixels.
SIDES = (32, 37, 55, 69, 91)
SIZE = 32
SIDE = 37  # the default: what 256 is to 224
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
TRUTH = "cat"
MADE_BY = "resnet_lib/widgets/crops.py"


def explore(
    net: Any = None, classes: Any = (), truth: str = "", *, size: int = 224, **state: Any
) -> Any:
    """How far does an average over crops move a net's answer? Ten crops at several scales.

    net: one of your own on ImageNet's scale instead of the recorded nets, such as torchvision's
    resnet18, with the names of its `classes` and the right one, `truth`.
    """
    shown = data() if net is None else of_net(net, classes, truth, size=size)
    return show("crops", shown, own_data=net is not None, **state)


def data(records: Iterable[RunRecord] | None = None) -> dict[str, Any]:
    """The photograph, and the scores of the nets on CIFAR-10 whose weights are kept here.

    Of those trained longest: nets trained for different lengths of time are not compared.
    """
    records = survey().records if records is None else records
    normalise = Normalisation.of("cifar10")
    chosen: dict[str, tuple[RunRecord, Path]] = {}
    usable = [
        (record, path)
        for record, path in kept_nets(records)
        if record.data["name"] == "cifar10" and record.data["size"] == SIZE
    ]
    longest = max((record.train["iterations"] for record, _ in usable), default=0)
    for record, path in sorted(usable, key=lambda pair: order(pair[0])):
        if record.train["iterations"] == longest:
            chosen.setdefault(record.model_name, (record, path))
    nets = [
        {
            "net": name,
            "run_id": record.run_id,
            "weights": checksum(path),
            **scores(net_of(record, path), normalise, SIDES, SIZE),
        }
        for name, (record, path) in chosen.items()
    ]
    return base(nets, CLASSES, SIZE, SIDES, TRUTH)


def order(record: RunRecord) -> tuple[bool, int, int]:
    """Residual nets before plain ones, deep before shallow; of a net its lowest seed."""
    config = ModelConfig.from_dict(record.model)
    return config.kind == "plain", -config.depth, record.train["seed"]


def of_net(
    net: nn.Module, classes: Iterable[str], truth: str, *, name: str = "net", size: int = 224
) -> dict[str, Any]:
    """The same of a net of your own on ImageNet's scale, such as torchvision's.

    net: takes (N, 3, size, size), normalised by ImageNet's means and deviations, and gives logits.
    classes: their names, in the order of the logits; truth: the right one. Errors: `ConfigError`.
    """
    classes = list(classes)
    if not classes:
        raise ConfigError("name the net's classes, in the order of its logits, and the right one.")
    if truth not in classes:
        raise unknown_name(truth, classes, "class")
    sides = tuple(side for side in SCALES if side <= min(photograph().shape[1:]))
    found = scores(net, ChannelNormaliser.imagenet(), sides, size)
    # Of many classes those that some crop has among its first three, and the right one.
    crops = [crop for scale in found["scales"] for crop in scale["crops"]]
    if len(crops[0]["scores"]) != len(classes):
        raise ConfigError(
            f"the net tells {len(crops[0]['scores'])} classes apart, and {len(classes)} are named."
        )
    kept = {classes.index(truth)}.union(
        *(np.argsort(crop["scores"])[-3:].tolist() for crop in crops)
    )
    for crop in crops:
        crop["scores"] = [crop["scores"][i] for i in sorted(kept)]
    row = {"net": name, "run_id": name, "weights": "", **found}
    return base([row], tuple(classes[i] for i in sorted(kept)), size, sides, truth)


def base(
    nets: list[dict[str, Any]],
    classes: tuple[str, ...],
    size: int,
    sides: tuple[int, ...],
    truth: str,
) -> dict[str, Any]:
    """What every version of the data has."""
    _, height, width = photograph().shape
    return {
        "picture": {"url": small_picture(), "height": height, "width": width, "source": SOURCE},
        "classes": list(classes),
        "truth": truth,
        "size": size,
        "sides": list(sides),
        "made_by": MADE_BY,
        "photograph": checksum(PHOTOGRAPH),
        "nets": nets,
    }


def scores(net: nn.Module, normalise: Any, sides: tuple[int, ...], size: int) -> dict[str, Any]:
    """The crops of each scale, in shares of the picture, and their scores in percent."""
    frame = crop_scores(net, normalise, photograph(), sides, size)
    return {
        "scales": [
            {
                "side": int(side),
                "height": int(rows["height"].iloc[0]),
                "width": int(rows["width"].iloc[0]),
                "crops": [
                    {
                        "left": int(row.left),
                        "top": int(row.top),
                        "mirrored": bool(row.mirrored),
                        "scores": [round(100 * value, 2) for value in row.scores],
                    }
                    for row in rows.itertuples()
                ],
            }
            for side, rows in frame.groupby("side")
        ]
    }


def small_picture() -> str:
    """The photograph for the page, as a data URL."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(PHOTOGRAPH) as file:
        file.convert("RGB").save(buffer, "webp", quality=72, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def averages(data: dict[str, Any]) -> np.ndarray:
    """Mean scores of the first 1, 2 ... crops of the first net at the first view, (10, classes)."""
    scale = default_scale(data)
    values = np.array([crop["scores"] for crop in scale["crops"]])
    return values.cumsum(0) / np.arange(1, len(values) + 1)[:, None]


def default_scale(data: dict[str, Any]) -> dict[str, Any]:
    """The scale that is shown first."""
    scales = data["nets"][0]["scales"]
    return next((each for each in scales if each["side"] == SIDE), scales[0])


def figures(data: dict[str, Any]) -> list[Figure]:
    """The average score of the leading classes as crops are added."""
    if not data["nets"]:
        return []
    (figure,), (ax,) = panels()
    values = averages(data)
    colours = [COLOURS[name][0] for name in ("residual", "plain", "green")]
    for place, shade in zip(leading(data), colours, strict=False):
        name = data["classes"][place]
        ax.plot(range(1, len(values) + 1), values[:, place], color=shade, marker="o", label=name)
    ax.set_ylim(0, 100)
    ax.set_xlabel("crops averaged")
    ax.set_ylabel("score, %")
    ax.legend(fontsize=8.5, frameon=False)
    return [figure]


def leading(data: dict[str, Any], count: int = 3) -> list[int]:
    """The classes that score highest on average over all ten crops."""
    return np.argsort(-averages(data)[-1])[:count].tolist()


def sentence(data: dict[str, Any]) -> str:
    """What one crop says, and what ten say."""
    if not data["nets"]:
        return "Not measured yet: the repository keeps the weights of no net on CIFAR-10."
    values, names = averages(data), data["classes"]
    best = [f"{names[row.argmax()]} {row.max():.0f}%" for row in (values[0], values[-1])]
    return (
        f"{data['nets'][0]['net']} on a photograph of a {data['truth']}: the centre crop says "
        f"{best[0]}, the average of ten crops {best[1]}."
    )
