"""What does depth do to a plain net? And to a residual one? The recorded runs, for the explorer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from resnet_lib.archive import label_of, survey
from resnet_lib.configs import ConfigError, ModelConfig
from resnet_lib.experiments import EXPERIMENTS, TIERS
from resnet_lib.explore import show
from resnet_lib.figures import panels, plot_curves, same_scale
from resnet_lib.models import MODELS
from resnet_lib.outputs import printed_name
from resnet_lib.paper import published
from resnet_lib.runs import RunRecord, load_records

PAIRS = (("plain20", "plain56"), ("resnet20", "resnet56"))
# The kinds of nets in the order of the explorer's rows.
KINDS = ("plain", "A", "B", "C", "preactivation")
# Points of a curve from which on only every second, third, ... is sent to the page.
MOST_POINTS = 200
# Printed test errors on CIFAR-10; of ResNet-110 the mean, not the best of five.
PRINTED = {f"resnet{n}": f"P1/Table 6/ResNet-{n}/top-1 error" for n in (20, 32, 44, 56, 1202)}
PRINTED["resnet110"] = "P1/Table 6/ResNet-110/top-1 error, mean of 5"


def explore(records: Any = None, **state: Any) -> Any:
    """What does depth do to a plain net, and to a residual one? The recorded runs.

    records: a run record of your own, several, or a folder of them, instead of the project's
    archive.
    """
    return show("runs", data(records), own_data=records is not None, **state)


def data(records: Iterable[RunRecord] | Path | str | None = None) -> dict[str, Any]:
    """All runs of an archive, by default the project's, with the nets that are still missing.

    A net is an arm of an experiment: "plain20, small init" is not averaged into "plain20".

    Errors are in percent; "train" holds means over a window of training batches. "guided" is the
    schedule that the questions are about, "shorter" one to compare it with; each may be None. Runs
    that did not reach their end are named in "left_out". Errors: `ConfigError` where a net was
    trained in several ways of one length, whose curves must not be averaged.
    """
    whole, left_out = usable(records)
    if records is None:
        whole = one_precision(whole)
    one_way_each(whole)
    configs = {name_of(each): each.model_config for each in whole}
    planned = [arm.net() for each in EXPERIMENTS.values() for arm in each.arms]
    # The papers' nets, and their kin of options B and C; other variants once they are recorded.
    known = {net.name: net for net in planned if net.name in MODELS or kind_of(net) in ("B", "C")}
    nets = {**known, **configs}
    return {
        "nets": [
            {
                "name": name,
                "kind": kind_of(config),
                "variant": variant_of(name, config),
                "depth": config.depth,
                "published": {
                    "top1_error": published(PRINTED[name]).value,
                    "place": "Paper, Table 6",
                }
                if name in PRINTED
                else None,
            }
            for name, config in sorted(nets.items(), key=lambda item: place(*item))
        ],
        "schedules": schedules(whole),
        **guiding(whole),
        "runs": [run(each) for each in whole],
        "left_out": left_out,
    }


def one_precision(records: list[RunRecord]) -> list[RunRecord]:
    """Of an arm that is recorded in several precisions, the runs in the one with most of them."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in records:
        found.setdefault((name_of(each), schedule_of(each)), []).append(each.precision)
    usual = {key: max(sorted(set(each)), key=each.count) for key, each in found.items()}
    return [each for each in records if each.precision == usual[name_of(each), schedule_of(each)]]


def one_way_each(records: Iterable[RunRecord]) -> None:
    """Raise `ConfigError` for runs of a net and schedule that differ in more than their seeds."""
    firsts: dict[tuple[str, str], RunRecord] = {}
    seeds: dict[tuple[str, str, int], RunRecord] = {}
    for each in records:
        place = label_of(each), schedule_of(each)
        other = firsts.setdefault(place, each)
        if other.setting() == each.setting():
            other = seeds.setdefault((*place, each.train["seed"]), each)
            if other.run_id == each.run_id:
                continue
        ways = [
            run.model | run.train | vars(run) | {"data": run.data["checksum"]}
            for run in (other, each)
        ]
        keys = (*each.model, *each.train, "precision", "model_seed", "data", "numerics", "start")
        differ = [key for key in dict.fromkeys(keys) if ways[0].get(key) != ways[1].get(key)]
        raise ConfigError(
            f"{other.run_id} and {each.run_id} are runs of one net and length that differ in "
            f"{', '.join(differ)}: show one of them at a time."
        )


def usable(
    records: Iterable[RunRecord] | Path | str | None = None,
) -> tuple[list[RunRecord], list[dict[str, str]]]:
    """The records that count, by default the project's; and the others, each with the reason."""
    if records is None:
        archive = survey()
        refused = [{"run_id": each.folder.name, "why": each.reason} for each in archive.refused]
        return list(archive.records), refused
    whole, refused = [], []
    if isinstance(records, (Path, str)):
        records = load_records(records)
    for each in records if isinstance(records, Iterable) else [records]:
        if not isinstance(each, RunRecord):
            raise ConfigError(
                f"{each!r} is no run record: give records, or the folder they are in."
            )
        if each.status == "complete" and len(each.curves):
            whole.append(each)
        else:
            refused.append({"run_id": each.run_id, "why": f"{why(each)}."})
    return whole, refused


def name_of(record: RunRecord) -> str:
    """A net's name in the explorer: its arm's label, without the commas that part names there."""
    return label_of(record).replace(",", "")


def variant_of(name: str, config: ModelConfig) -> str:
    """What a net's kind and depth do not say of it: "float32" of "plain56 float32"."""
    if not name.startswith(config.name):
        return name
    kind = kind_of(config)
    head = re.match(r"[a-z]+\d+", name).group()
    rest = name.removeprefix(head).replace(f"-{kind}", "", 1).strip("- ")
    if config.block == "bottleneck" and config.name not in MODELS and "bottleneck" not in rest:
        rest = f"bottlenecks {rest}".strip()
    unsaid = head.startswith("pre") and kind != "preactivation"
    return f"pre-activation {rest}".strip() if unsaid else rest


def kind_of(config: ModelConfig) -> str:
    """The row that a net belongs to: "plain", its option, "preactivation", or a variant's name."""
    if config.kind == "plain":
        return "plain"
    if config.block == "single-layer":
        return config.block
    if (config.order, config.junction) == ("original", "add"):
        return config.shortcut
    if (config.order, config.junction) == ("preactivation", "add"):
        return "preactivation"
    return config.junction if config.junction != "add" else config.order


def place(name: str, config: ModelConfig) -> tuple[int, str, int, str]:
    """Where a net stands in the list: by kind, then by depth."""
    kind = kind_of(config)
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind, config.depth, name)


def schedule_of(record: RunRecord) -> str:
    """What runs must share to be compared: tier, data and length."""
    return f"{record.tier}-{record.data['name']}-{record.train['iterations']}"


def schedules(records: list[RunRecord]) -> list[dict[str, Any]]:
    """The schedules that have runs, those with most runs first."""
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        found.setdefault(schedule_of(record), []).append(record)
    rows = []
    for name, runs in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        first, tier = runs[0], TIERS.get(runs[0].tier)
        rows.append(
            {
                "id": name,
                "tier": first.tier,
                "data": first.data["name"],
                "iterations": first.train["iterations"],
                "seeds": len(tier.seeds) if tier else len({each.train["seed"] for each in runs}),
            }
        )
    return rows


def guiding(records: list[RunRecord]) -> dict[str, str | None]:
    """The longest schedule that has both pairs of nets, and the shortest of the same nets and data.

    Where none has both, the one with most runs stands for the longest.
    """
    rows = schedules(records)
    names = {name for pair in PAIRS for name in pair}
    found: dict[str, list[RunRecord]] = {}
    for each in records:
        found.setdefault(schedule_of(each), []).append(each)
    rivals = [row for row in rows if names <= {name_of(each) for each in found[row["id"]]}]
    rivals.sort(key=lambda row: row["iterations"])
    if not rivals:
        return {"guided": rows[0]["id"] if rows else None, "shorter": None}
    longest = rivals[-1]

    def family(row: dict[str, Any]) -> tuple:
        """What nets of two schedules must share to differ in the length of training only."""
        first = found[row["id"]][0]
        return first.data["name"], first.data["size"], first.model.get("width")

    less = [
        row["id"]
        for row in rivals
        if row["iterations"] < longest["iterations"] and family(row) == family(longest)
    ]
    return {"guided": longest["id"], "shorter": less[0] if less else None}


def run(record: RunRecord) -> dict[str, Any]:
    """One run with its two curves."""
    return {
        "run_id": record.run_id,
        "net": name_of(record),
        "seed": record.train["seed"],
        "schedule": schedule_of(record),
        **{split: series(record, split) for split in ("train", "test")},
    }


def series(record: RunRecord, split: str) -> dict[str, list[float]]:
    """The errors of one split over iterations; of a long curve evenly chosen ones, to the last."""
    rows = record.curves[record.curves["split"] == split]
    step = math.ceil(len(rows) / MOST_POINTS)
    rows = rows[::-1][::step][::-1] if step else rows
    return {
        "iteration": rows["iteration"].tolist(),
        "top1_error": rows["top1_error"].round(3).tolist(),
    }


def why(record: RunRecord) -> str:
    """Why a run is not shown."""
    if record.status == "diverged":
        return f"diverged at iteration {record.diverged_at}"
    return f"{record.status} after {record.iterations_done} iterations"


def figures(data: dict[str, Any]) -> list[Figure]:
    """Two panels: training error of the plain pair, and of the residual pair."""
    frame = default_frame(data)
    pairs = [frame[frame["model"].isin(pair)] for pair in PAIRS]
    drawn = [pair for pair in pairs if len(pair)]
    if not drawn:
        return []
    figures, axes = panels(len(drawn))
    for pair, ax in zip(drawn, axes, strict=True):
        plot_curves(pair, ax, splits=["train"])
        ax.set_ylabel("training error, %")
    same_scale(axes)
    return figures


def default_frame(data: dict[str, Any]):
    """The runs that the questions are about as a frame."""
    import pandas as pd

    nets = {net["name"]: net for net in data["nets"]}
    rows = [
        {
            "model": run["net"],
            "kind": "plain" if nets[run["net"]]["kind"] == "plain" else "residual",
            "depth": nets[run["net"]]["depth"],
            "seed": run["seed"],
            "split": "train",
            "iteration": iteration,
            "top1_error": error,
        }
        for run in data["runs"]
        if run["schedule"] == data["guided"]
        for iteration, error in zip(*run["train"].values(), strict=True)
    ]
    columns = ["model", "kind", "depth", "seed", "split", "iteration", "top1_error"]
    return pd.DataFrame(rows, columns=columns)


def sentence(data: dict[str, Any]) -> str:
    """The last training error of each net in the figure."""
    frame = default_frame(data)
    ends = frame.sort_values("iteration").groupby(["model", "seed"])["top1_error"].last()
    told = []
    for model in (name for pair in PAIRS for name in pair):
        if model in ends.index:
            seeds = ends[model]
            plural = "seed" if len(seeds) == 1 else "seeds"
            told.append(f"{printed_name(model)} {seeds.mean():.1f}% ({len(seeds)} {plural})")
        else:
            told.append(f"{printed_name(model)} not recorded yet")
    return f"Training error after the last iteration: {', '.join(told)}."
