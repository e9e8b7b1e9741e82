"""How strongly does each layer respond, and how much gradient reaches it? From recorded probes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resnet_lib.archive import label_of
from resnet_lib.configs import ModelConfig
from resnet_lib.experiments import EXPERIMENTS, TIERS
from resnet_lib.explore import show
from resnet_lib.figures import panels, plot_layers
from resnet_lib.models import MODELS
from resnet_lib.outputs import printed_name
from resnet_lib.runs import RunRecord, probes
from resnet_lib.widgets import runs

QUANTITIES = ("response_std", "activation_gradient", "scaled_weight_gradient")
# "Healthy" gradients differ from first to last layer by less than this; see analysis.health.
FACTOR = 10


def explore(records: Any = None, **state: Any) -> Any:
    """How strongly does each layer respond, and how much gradient reaches it, through training?

    records: run records of your own, made with `train(probe=...)`, or a folder of them, instead of
    the archive.
    """
    return show("signals", data(records), own_data=records is not None, **state)


def data(records: Iterable[RunRecord] | Path | str | None = None) -> dict[str, Any]:
    """What probes measured in the schedule with most probed runs, as means over seeds.

    Geometric means, as befits norms that differ by factors; five digits. Errors: `ConfigError`
    where a net was trained in several ways.
    """
    whole, _ = runs.usable(records)
    if records is None:
        # Arms of the archive that change more than the net have no place in the explorer's list.
        usual_arms = [each for each in whole if label_of(each) == each.model_name]
        whole = runs.one_precision(usual_arms)
    probed = [each for each in whole if len(each.probe)]
    schedules = pd.Series([runs.schedule_of(each) for each in probed], dtype=object)
    usual = schedules.mode().iloc[0] if len(schedules) else None
    chosen = [each for each in probed if runs.schedule_of(each) == usual]
    runs.one_way_each(chosen)
    names = {each.run_id: runs.name_of(each) for each in chosen}
    frame = probes(chosen)
    frame["model"] = frame["run_id"].map(names)
    configs = {names[each.run_id]: each.model_config for each in chosen}
    planned = [name for each in EXPERIMENTS.values() if each.probe for name in each.models]
    nets = {**{name: MODELS[name] for name in planned if name in MODELS}, **configs}
    tier = TIERS.get(chosen[0].tier) if chosen else None
    return {
        "factor": FACTOR,
        "seeds": len(tier.seeds) if tier else 1,
        "nets": [
            net(name, config, frame[frame["model"] == name])
            for name, config in sorted(nets.items(), key=lambda item: runs.place(*item))
        ],
    }


def net(name: str, config: ModelConfig, rows: pd.DataFrame) -> dict[str, Any]:
    """One net's layers at every moment; empty where no run of it was probed."""
    found: dict[str, Any] = {
        "name": name,
        "kind": runs.kind_of(config),
        "depth": config.depth,
        "seeds": int(rows["seed"].nunique()) if len(rows) else 0,
        "runs": sorted(rows["run_id"].unique()) if len(rows) else [],
        "moments": [],
        "layers": [],
        **{quantity: [] for quantity in QUANTITIES},
    }
    if not len(rows):
        return found
    layers = rows.drop_duplicates("layer").sort_values("layer")
    found["layers"] = layers["name"].tolist()
    for quantity in QUANTITIES:
        logs = np.log(rows[quantity].clip(lower=np.finfo(float).tiny))
        means = np.exp(logs.groupby([rows["iteration"], rows["layer"]]).mean()).unstack()
        found["moments"] = means.index.tolist()
        found[quantity] = [[float(f"{x:.5g}") for x in row] for row in means.to_numpy()]
    return found


def usual(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The nets that the explorer begins with: plain ones and their twins; of none, all others."""
    measured = [net for net in data["nets"] if net["seeds"]]
    return [net for net in measured if net["kind"] in ("plain", "A")] or measured


def figures(data: dict[str, Any]) -> list[Figure]:
    """Two panels: activation gradients before the first step and after the last."""
    rows = [
        {
            "model": net["name"],
            "kind": "plain" if net["kind"] == "plain" else "residual",
            "depth": net["depth"],
            "seed": 0,
            "iteration": moment,
            "layer": layer,
            "activation_gradient": value,
        }
        for net in usual(data)
        for moment, values in zip(net["moments"], net["activation_gradient"], strict=True)
        for layer, value in enumerate(values, 1)
    ]
    if not rows:
        return []
    frame = pd.DataFrame(rows)
    moments = [frame["iteration"].min(), frame["iteration"].max()]
    drawn, axes = panels(len(moments))
    for moment, ax in zip(moments, axes, strict=True):
        plot_layers(frame, ax, "activation_gradient", moment)
    return drawn


def sentence(data: dict[str, Any]) -> str:
    """The ratio of first to last layer before training, for each net."""
    told = [
        f"{printed_name(net['name'])} {float(f'{ratio:.2g}'):,g}"
        for net in usual(data)
        for ratio in [net["activation_gradient"][0][0] / net["activation_gradient"][0][-1]]
    ]
    if not told:
        return "No recorded run has measured its layers yet."
    return (
        "Before the first step, the norm of the activation gradient at the first layer divided by "
        f"that at the last: {', '.join(told)}."
    )
