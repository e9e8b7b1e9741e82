"""Does every block matter? Errors of recorded nets without some of their blocks.

The idea is that of Veit, Wilber and Belongie (2016); see `resnet_lib.deletions`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from resnet_lib.archive import survey
from resnet_lib.configs import ConfigError
from resnet_lib.deletions import DELETIONS, Deletions, block_responses
from resnet_lib.explore import show
from resnet_lib.figures import colour, legend, panels
from resnet_lib.models import places
from resnet_lib.outputs import printed_name
from resnet_lib.runs import ARCHIVE, RecordError, RunRecord

# The nets the question is about; others with deletions serve until these have them.
WANTED = ("plain56", "resnet56")


def explore(records: Path | str | None = None, **state: Any) -> Any:
    """Does every block matter? Recorded nets without some of their blocks.

    records: a folder of runs of your own instead of the project's archive;
    `python -m resnet_lib deletions` measures them. Errors: `ConfigError` for what is no folder.
    """
    if records is not None and not isinstance(records, (Path, str)):
        raise ConfigError(
            f"explore.deletion takes a folder of runs, whose deletions it reads, not {records!r}."
        )
    return show("deletion", data(records or ARCHIVE), own_data=records is not None, **state)


def data(folder: Path | str = ARCHIVE) -> dict[str, Any]:
    """The usable records of an archive whose blocks have all been deleted, the deepest first.

    Of each depth those of one schedule. Damaged deletions are warned of and left out.
    """
    if not Path(folder).is_dir():
        warnings.warn(f"{folder} is not a folder: there are no records.", stacklevel=2)
    refused = {each.folder for each in survey(folder).refused}
    nets = []
    for place in sorted({each.parent for each in Path(folder).rglob(DELETIONS)} - refused):
        try:
            if (place / "record.json").exists() and Deletions.load(place).complete:
                nets.append(net(place))
        except RecordError as error:
            warnings.warn(str(error), stacklevel=2)
    recorded = {each["net"] for each in nets}
    nets = [each for depth in {net["depth"] for net in nets} for each in comparable(nets, depth)]
    nets.sort(key=lambda each: (-each["depth"], each["kind"], each["seed"], each["run_id"]))
    return {"nets": nets, "missing": [name for name in WANTED if name not in recorded]}


def comparable(nets: list[dict[str, Any]], depth: int) -> list[dict[str, Any]]:
    """The nets of a depth that were trained equally long: the longest with both kinds, if any."""
    schedules: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for each in nets:
        if each["depth"] == depth:
            schedules.setdefault((each["iterations"], each["data"]), []).append(each)
    longest = sorted(schedules, reverse=True)
    kinds = {key: len({each["kind"] for each in schedules[key]}) for key in longest}
    return schedules[max(longest, key=kinds.__getitem__)]


def net(folder: Path) -> dict[str, Any]:
    """One net: its blocks with their responses, and the errors in percent without some of them."""
    record, deletions = RunRecord.load(folder), Deletions.load(folder)
    config = record.model_config
    names = [f"{each.stage}.{each.index}" for each in places(config)]
    responses = block_responses(record)
    images = sorted(deletions.frame["images"].unique().tolist())
    part, whole = images[0], images[-1]
    on_part, on_whole = deletions.errors(part), deletions.errors(whole)
    place = {name: number for number, name in enumerate(names)}
    return {
        "net": record.model_name,
        "kind": config.kind,
        "depth": config.depth,
        "seed": record.train["seed"],
        "tier": record.tier,
        "data": record.data["name"],
        "iterations": record.train["iterations"],
        **{key: deletions.about[key] for key in ("run_id", "weights", "made_by")},
        "blocks": [
            {
                "name": name,
                "response": round(float(responses[name]), 4) if name in responses else None,
                "error": on_whole.get((name,)),
            }
            for name in names
        ],
        "images": whole,
        "intact": on_whole.get(()),
        "part": part,
        "intact_part": on_part.get(()),
        "sets": [
            {"blocks": [place[name] for name in each], "error": error}
            for each, error in on_part.items()
            if len(each) > 1
        ],
    }


def pair(data: dict[str, Any]) -> list[dict[str, Any]]:
    """A plain and a residual net of one depth, the deepest there are."""
    for depth in sorted({each["depth"] for each in data["nets"]}, reverse=True):
        found = [
            next((n for n in data["nets"] if (n["depth"], n["kind"]) == (depth, kind)), None)
            for kind in ("plain", "residual")
        ]
        if None not in found:
            return found
    return data["nets"][:1]


def by_count(net: dict[str, Any]) -> dict[int, list[float]]:
    """The errors by how many blocks are deleted."""
    found = {0: [net["intact"]], 1: [b["error"] for b in net["blocks"] if b["error"] is not None]}
    for each in net["sets"]:
        found.setdefault(len(each["blocks"]), []).append(each["error"])
    return {count: values for count, values in sorted(found.items()) if None not in values}


def figures(data: dict[str, Any]) -> list[Figure]:
    """Error over the number of deleted blocks: median, and band from lowest to highest."""
    if not data["nets"]:
        return []
    (figure,), (ax,) = panels()
    for net in pair(data):
        counts = by_count(net)
        shade, places = colour(net["kind"]), list(counts)
        ax.plot(
            places,
            [np.median(values) for values in counts.values()],
            color=shade,
            linewidth=2,
            label=printed_name(net["net"]),
        )
        low, high = zip(*((min(v), max(v)) for v in counts.values()), strict=True)
        ax.fill_between(places, low, high, color=shade, alpha=0.14, linewidth=0)
    ax.set_ylim(0, 100)
    ax.set_xlabel("blocks deleted")
    ax.set_ylabel("test error, %")
    legend(ax)
    return [figure]


def sentence(data: dict[str, Any]) -> str:
    """What one deleted block does."""
    if not data["nets"]:
        return "Not measured yet: no recorded net has been measured without some of its blocks."
    told = [
        f"{printed_name(net['net'])} {net['intact']:.1f}% intact and, with one block removed, "
        f"a median of {np.median(by_count(net)[1]):.1f}%"
        for net in pair(data)
    ]
    absent = " and ".join(map(printed_name, data["missing"]))
    missing = f" Not measured yet: {absent}." if absent else ""
    return (
        f"Test error: {'; '.join(told)}. The idea is that of Veit, Wilber and Belongie "
        f"(2016).{missing}"
    )
