"""What can be read off one recorded run: the measures that claims and pages are about.

MEASURES["training error"](record)      # a number; NaN where the record has none
UNITS["training error"]                 # "%"
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from resnet_lib.complexity import complexity
from resnet_lib.runs import RunRecord
from resnet_lib.tested import read_tests

# The columns of a probe that are read here.
PROBED = {"iteration", "layer", "response_std", "activation_gradient"}


def last_of(split: str, column: str = "top1_error") -> Callable[[RunRecord], float]:
    """A measure: the last value of a curve."""

    def measure(record: RunRecord) -> float:
        rows = record.curves[record.curves["split"] == split]
        return float(rows.sort_values("iteration")[column].iloc[-1])

    return measure


def early_training_error(record: RunRecord) -> float:
    """Mean training error over the windows before the first milestone."""
    rows = record.curves[record.curves["split"] == "train"]
    recipe = record.train_config
    first = min(recipe.milestones, default=recipe.iterations)
    return float(rows[rows["iteration"] <= first]["top1_error"].mean())


def probed(record: RunRecord, column: str) -> pd.Series:
    """A column of the probe, layer by layer, after the last step."""
    if not len(record.probe):
        return pd.Series([math.nan])
    moments = record.probe["iteration"]
    now = record.probe[moments == moments.max()]
    return now.sort_values("layer")[column].reset_index(drop=True)


def response(record: RunRecord) -> float:
    """Standard deviation of the layer responses after the last step, mean over the layers."""
    return float(probed(record, "response_std").mean())


def smallest_response(record: RunRecord) -> float:
    """Standard deviation of the weakest layer's responses after the last step."""
    return float(probed(record, "response_std").min())


def gradient_ratios(record: RunRecord) -> pd.Series:
    """The activation gradient's norm at the first layer, in units of the last's, by iteration.

    Empty where nothing was probed.
    """
    rows = record.probe
    if not len(rows):
        return pd.Series(dtype=float)
    rows = rows.sort_values("layer").groupby("iteration")["activation_gradient"]
    return rows.first() / rows.last()


def gradient_loss(
    record: RunRecord, *, start: bool = False, either_way: bool = False, per_value: bool = False
) -> float:
    """By how many powers of 10 the activation gradient shrinks from the last layer to the first.

    The logarithm of the ratio of its norms: above 0 the gradient fades on its way down, below it
    grows. start: before the first step, else the mean over the iterations from the next measurement
    to the last, with straight lines between measurements, which lie far apart. either_way: without
    the sign, so that 1 is a factor of 10 up or down. per_value: of root mean squares in place of
    norms, which are larger where a layer puts out more values.
    """
    decades = -np.log10(gradient_ratios(record))
    if not len(decades):
        return math.nan
    if per_value:
        net = complexity(record.model_config, record.data["size"])
        conv1, *_, last, _fc = net.stages
        first_values, last_values = (each.channels * each.size**2 for each in (conv1, last))
        decades = decades + np.log10(first_values / last_values) / 2
    decades = decades.abs() if either_way else decades
    first, *later = decades.sort_index().items()
    if start:
        return float(first[1])
    return mean_over(*zip(*later, strict=True)) if later else math.nan


def mean_over(moments: Sequence[float], values: Sequence[float]) -> float:
    """The mean of a line through values at moments, in order; of one value, that value."""
    if len(moments) == 1:
        return float(values[0])
    middles = (np.array(values[1:]) + values[:-1]) / 2
    return float(np.average(middles, weights=np.diff(moments)))


def tested(record: RunRecord, *protocols: str) -> float:
    """The test error under the first protocol, minus that under the second if there is one.

    On the same images, as many as were tested under all; NaN where none were.
    """
    rows = read_tests()
    rows = rows[(rows["run_ids"] == record.run_id) & rows["protocol"].isin(protocols)]
    errors = rows.pivot(index="images", columns="protocol", values="top1_error")
    errors = errors.reindex(columns=protocols).dropna()
    if not len(errors):
        return math.nan
    first, *others = errors.loc[errors.index.max(), list(protocols)]
    return float(first - sum(others))


def ensembles(record: RunRecord) -> dict[tuple[str, ...], float]:
    """The tested ensembles that a run is in, each with its test error minus its best member's.

    By the ids of the members; on the same images, each seen once.
    """
    rows, found = read_tests().query("protocol == 'centre-crop'"), {}
    for ids, images, error in rows[["run_ids", "images", "top1_error"]].itertuples(index=False):
        members = ids.split()
        if len(members) > 1 and record.run_id in members:
            alone = rows[(rows["images"] == images) & rows["run_ids"].isin(members)]
            if len(alone) == len(members):
                found[tuple(members)] = float(error - alone["top1_error"].min())
    return found


def gained_together(record: RunRecord) -> float:
    """The test error of the ensemble that a run is in, minus that of its best member.

    NaN where no ensemble was tested, or several were.
    """
    found = list(ensembles(record).values())
    return found[0] if len(found) == 1 else math.nan


# What can be read off one run; errors in percent, losses in nats.
MEASURES: dict[str, Callable[[RunRecord], float]] = {
    "training error": last_of("train"),
    "test error": last_of("test"),
    "training loss": last_of("train", "loss"),
    "early training error": early_training_error,
    "layer response": response,
    "weakest layer response": smallest_response,
    "gradient loss": gradient_loss,
    "gradient loss at the start": partial(gradient_loss, start=True),
    "gradient decades": partial(gradient_loss, either_way=True),
    "gradient decades per value": partial(gradient_loss, either_way=True, per_value=True),
    "gradient decades at the start": partial(gradient_loss, start=True, either_way=True),
    "lowest gradient ratio": lambda record: float(gradient_ratios(record).min()),
    "10-crop error": lambda record: tested(record, "10-crop"),
    "multi-scale error": lambda record: tested(record, "multi-scale"),
    "multi-scale minus 10-crop error": lambda record: tested(record, "multi-scale", "10-crop"),
    "ensemble minus best member error": gained_together,
    "end of warm-up": lambda record: float(
        math.nan if record.warmup_ended is None else record.warmup_ended
    ),
}
UNITS = {name: "%" if "error" in name else "" for name in MEASURES} | {
    "training loss": " nats",
    "multi-scale minus 10-crop error": " points",
    "ensemble minus best member error": " points",
    "end of warm-up": " iterations",
}
# What data/tests.csv has: computed in float32, whatever precision the nets were trained in.
TESTED = {
    "10-crop error",
    "multi-scale error",
    "multi-scale minus 10-crop error",
    "ensemble minus best member error",
}


def runs_behind(measure: str, record: RunRecord) -> tuple[str, ...]:
    """The ids of the runs that a value rests on: the run's own, or its ensemble's."""
    if measure.startswith("ensemble"):
        return next(iter(ensembles(record)), (record.run_id,))
    return (record.run_id,)


def digits(measure: str) -> int:
    """How many digits after the point a measure's values are told with."""
    return {" iterations": 0, "": 3}.get(UNITS[measure], 2)
