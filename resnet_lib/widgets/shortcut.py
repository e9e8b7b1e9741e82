"""What passes through a shortcut where the dimensions change? Maps of recorded nets."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from resnet_lib.analysis import block_maps
from resnet_lib.archive import survey
from resnet_lib.blocks import projects
from resnet_lib.checkpoints import kept_nets, net_of
from resnet_lib.deletions import checksum
from resnet_lib.explore import show
from resnet_lib.figures import RC
from resnet_lib.outputs import printed_name
from resnet_lib.pictures import PHOTOGRAPH, SOURCE, head, kept_normaliser
from resnet_lib.runs import RunRecord

SIZE = 32
OPTIONS = ("A", "B", "C")
BLOCKS = ("conv3_x.0", "conv4_x.0")
MADE_BY = "resnet_lib/widgets/shortcut.py"
LEVELS = 127


def explore(**state: Any) -> Any:
    """What passes through a shortcut when the dimensions change? Maps of recorded nets."""
    return show("shortcut", data(), **state)


def data(records: Iterable[RunRecord] | None = None) -> dict[str, Any]:
    """The maps of one net for each shortcut option, where its weights are kept here.

    They are of one depth and were trained equally long: those with most options, of these the
    shallowest, and the shortest training; the lowest seed of each. Maps are signed bytes with one
    scale for each block; option A's shortcut is left out, since the page can make it from the
    input. The output is left out, too: ReLU of the sum.
    """
    records = survey().records if records is None else records
    alike: dict[tuple[int, int], dict[str, tuple[RunRecord, Any]]] = {}
    for record, path in sorted(kept_nets(records), key=lambda kept: kept[0].train["seed"]):
        config = record.model
        usual = config.get("order", "original") == "original" and config["shortcut"] in OPTIONS
        if record.data["name"] == "cifar10" and record.data["size"] == SIZE and usual:
            nets = alike.setdefault((config["depth"], record.train["iterations"]), {})
            nets.setdefault(config["shortcut"], (record, path))
    chosen = max((alike[key] for key in sorted(alike)), key=len, default={})
    x = kept_normaliser("cifar10")(head(SIZE)[None])
    return {
        "size": SIZE,
        "pixels": head(SIZE).permute(1, 2, 0).flatten().tolist(),
        "source": SOURCE,
        "made_by": MADE_BY,
        "photograph": checksum(PHOTOGRAPH),
        "options": list(OPTIONS),
        "blocks": list(BLOCKS),
        "nets": [net(*chosen[option], x) for option in OPTIONS if option in chosen],
    }


def net(record: RunRecord, path: Any, x: Tensor) -> dict[str, Any]:
    """One net's maps in all the blocks that change dimensions."""
    built = net_of(record, path)
    found = {}
    for name in BLOCKS:
        maps = block_maps(built, name, x)
        maps["branch"] = maps["residual"]
        projected = projects(built.block(name))
        names = ("input", "branch", "shortcut") if projected else ("input", "branch")
        scale = max(float(np.abs(maps[each]).max()) for each in names) / LEVELS
        found[name] = {
            "scale": float(f"{scale:.6g}"),
            "in_channels": len(maps["input"]),
            "channels": len(maps["output"]),
            "height": maps["output"].shape[1],
            **{each: packed(maps[each], float(f"{scale:.6g}")) for each in names},
        }
    return {
        "option": record.model["shortcut"],
        "net": record.model_name,
        "run_id": record.run_id,
        "weights": checksum(path),
        "blocks": found,
    }


def packed(maps: np.ndarray, scale: float) -> str:
    """Maps as base64 of signed bytes."""
    levels = np.rint(maps / np.float32(scale)).clip(-LEVELS, LEVELS).astype(np.int8)
    return base64.b64encode(levels.tobytes()).decode()


def unpacked(block: dict[str, Any], name: str) -> np.ndarray:
    """The maps of a block, (C, H, W): input, branch, shortcut or output."""
    if name == "output":
        return np.maximum(unpacked(block, "branch") + unpacked(block, "shortcut"), 0)
    if name == "shortcut" and name not in block:
        shown = unpacked(block, "input")[:, ::2, ::2]
        extra = block["channels"] - len(shown)
        return np.pad(shown, ((0, extra), (0, 0), (0, 0)))
    levels = np.frombuffer(base64.b64decode(block[name]), np.int8)
    side = block["height"] * (2 if name == "input" else 1)
    return (levels.reshape(-1, side, side) * block["scale"]).round(2)  # as on the page


def silent(block: dict[str, Any]) -> int:
    """How many channels of the shortcut carry nothing."""
    return int((unpacked(block, "shortcut") == 0).all(axis=(1, 2)).sum())


def figures(data: dict[str, Any]) -> list[Figure]:
    """The first channel, as three pictures."""
    if not data["nets"]:
        return []
    block = data["nets"][0]["blocks"][BLOCKS[0]]
    with mpl.rc_context({**RC, "axes.grid": False}):
        figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.4), layout="constrained")
    maps = {name: unpacked(block, name)[0] for name in ("shortcut", "branch", "output")}
    most = max(np.abs(each).max() for each in maps.values())
    names = ("shortcut", "+ residual branch", "= ReLU \N{RIGHTWARDS ARROW} output")
    for ax, title, values in zip(axes, names, maps.values(), strict=True):
        ax.imshow(signed(values, most))
        ax.set_title(title, fontsize=10)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    return [figure]


def signed(values: np.ndarray, most: float) -> np.ndarray:
    """Colours over the page, which is zero: blue above, orange below, as in the explorer."""
    hue = np.where(values[..., None] > 0, (38, 132, 224), (232, 106, 48)) / 255
    return np.concatenate([hue, np.abs(values[..., None] / most) ** 0.7], axis=-1)


def sentence(data: dict[str, Any]) -> str:
    """What the shortcut carries."""
    if not data["nets"]:
        return "Not measured yet: the repository keeps the weights of no residual net on CIFAR-10."
    first = data["nets"][0]
    block = first["blocks"][BLOCKS[0]]
    net = f"{printed_name(first['net'])}, option {first['option']}"
    return (
        f"{net}, first block of conv3_x, on a photograph: the shortcut carries nothing "
        f"in {silent(block)} of its {block['channels']} channels."
    )
