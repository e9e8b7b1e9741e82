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
from resnet_lib.batches import AnyNormaliser, ChannelNormaliser
from resnet_lib.checkpoints import kept_nets, net_of
from resnet_lib.configs import ConfigError, unknown_name, whole
from resnet_lib.deletions import checksum
from resnet_lib.explore import show
from resnet_lib.figures import COLOURS, panels
from resnet_lib.outputs import printed_name
from resnet_lib.pictures import PHOTOGRAPH, SOURCE, crop_scores, kept_normaliser, photograph
from resnet_lib.runs import RunRecord
from resnet_lib.testing import Sizes, resized

SIZE = 32  # of the recorded nets' images, pixels
# The crops of `ten_crop` as the page shows them: the centre, the corners row by row, and the mirror
# images of these (what is left in a mirrored picture lies on the right).
ORDER = (4, 0, 1, 2, 3, 9, 6, 5, 8, 7)
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
    normalise = kept_normaliser("cifar10")
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
            **scores(net_of(record, path), normalise, SIZE),
        }
        for name, (record, path) in chosen.items()
    ]
    return base(nets, CLASSES, SIZE, TRUTH)


def order(record: RunRecord) -> tuple[bool, int, int]:
    """Residual nets before plain ones, shallow before deep; of a net its lowest seed."""
    config = record.model_config
    return config.kind == "plain", config.depth, record.train["seed"]


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
    found = scores(net, ChannelNormaliser.imagenet(), size)
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
    return base([row], tuple(classes[i] for i in sorted(kept)), size, truth)


def sides_for(size: int) -> list[int]:
    """The paper's scales in proportion to `size`, as far as the photograph need not be enlarged.

    Pixels on the shorter side. Errors: `ConfigError` where a crop would not fit into it.
    """
    whole(size, 1, "size")
    most = min(photograph().shape[1:])
    if size > most:
        raise ConfigError(f"size is {size}: the photograph has room for crops of {most} pixels.")
    return [side for side in Sizes.in_proportion(size).scales if side <= most]


def base(
    nets: list[dict[str, Any]], classes: tuple[str, ...], size: int, truth: str
) -> dict[str, Any]:
    """What every version of the data has. Of the scales, `side` is shown first: that of 10-crop."""
    _, height, width = photograph().shape
    sides = sides_for(size)
    return {
        "picture": {
            "urls": {str(side): picture_at(side) for side in sides},
            "height": height,
            "width": width,
            "source": SOURCE,
        },
        "classes": list(classes),
        "truth": truth,
        "size": size,
        "sides": sides,
        "side": min(Sizes.in_proportion(size).ten_from, sides[-1]),
        "made_by": MADE_BY,
        "photograph": checksum(PHOTOGRAPH),
        "nets": nets,
    }


def scores(net: nn.Module, normalise: AnyNormaliser, size: int) -> dict[str, Any]:
    """The crops of each scale, in its pixels, and their scores in percent."""
    frame = crop_scores(net, normalise, photograph(), sides_for(size), size)
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
                    for row in rows.iloc[list(ORDER)].itertuples()
                ],
            }
            for side, rows in frame.groupby("side")
        ]
    }


def picture_at(side: int) -> str:
    """The photograph in the very pixels of which crops are cut at a scale, as a data URL."""
    from PIL import Image

    buffer = io.BytesIO()
    pixels = resized([photograph()], side)[0].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(buffer, "webp", lossless=True, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def averages(data: dict[str, Any]) -> np.ndarray:
    """Mean scores of the first 1, 2 ... crops of the first net at the first view, (10, classes)."""
    scale = default_scale(data)
    values = np.array([crop["scores"] for crop in scale["crops"]])
    return values.cumsum(0) / np.arange(1, len(values) + 1)[:, None]


def default_scale(data: dict[str, Any]) -> dict[str, Any]:
    """The scale that is shown first."""
    scales = data["nets"][0]["scales"]
    return next(each for each in scales if each["side"] == data["side"])


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
    net = printed_name(data["nets"][0]["net"])
    return (
        f"{net} on a photograph of a {data['truth']}: the centre crop says "
        f"{best[0]}, the average of ten crops {best[1]}."
    )
