"""What several seeds say: differences within a seed, the interval of their mean, and words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from statistics import mean, stdev

import pandas as pd

from resnet_lib.configs import ConfigError
from resnet_lib.models import model_config
from resnet_lib.outputs import MINUS
from resnet_lib.runs import check_frame, complete, of_split, one_run_each


def gap(frame: pd.DataFrame, deep: str, shallow: str, split: str = "train") -> pd.Series:
    """The deep net's last top-1 error minus the shallow one's, in points, for each seed.

    frame: rows as from `load_runs`. Positive: the deeper net is worse. A seed counts only where
    both runs are complete: a run that diverged or was stopped is no degradation.
    Errors: `ConfigError` where a net and seed have several runs, where the two nets differ in data,
    length or precision, and for a name that is neither in the frame nor a net's.
    """
    check_frame(frame, "model", "seed", "status")
    for name in {deep, shallow} - {*frame["model"]}:
        model_config(re.split("[ ,]", name)[0])  # "plain20, small init" is a plain20
    rows = complete(of_split(frame, split))
    rows = one_run_each(rows[rows["model"].isin([deep, shallow])])
    if deep == shallow:
        raise ConfigError(f"{deep} is compared with itself: name two nets.")
    for what in ("data", "iterations", "precision"):
        if what not in rows:
            continue
        found = rows.groupby("model")[what].first().reindex([deep, shallow]).dropna().tolist()
        if len({*found}) > 1:
            raise ConfigError(
                f"{deep} and {shallow} differ in {what} here ({' and '.join(map(str, found))}): "
                f"choose runs that share it, such as frame[frame[{what!r}] == {found[0]!r}]."
            )
    last = rows.sort_values("iteration").groupby(["model", "seed"])["top1_error"].last()
    ends = last.unstack("model").reindex(columns=[deep, shallow]).dropna()
    return (ends[deep] - ends[shallow]).rename(f"{deep} - {shallow}, {split}")


def errors_at(frame: pd.DataFrame, moments: Iterable[int], window: int) -> pd.DataFrame:
    """The training error that nets come to by some iterations, in percent.

    frame: rows as from `load_runs`. window: how many iterations that end there count. One row a
    moment, one column a model: means over the window and the seeds. Errors: `ConfigError` where
    runs of a net differ in more than their seeds.
    """
    train = one_run_each(of_split(frame, "train"))
    ends = {end: train[train["iteration"].between(end - window + 1, end)] for end in moments}
    means = {end: rows.groupby("model")["top1_error"].mean() for end, rows in ends.items()}
    return pd.DataFrame(means).T.rename_axis("iteration")


def direction(values: pd.Series) -> str:
    """Whether all seeds agree: "higher", "lower", or "unclear" when they do not or are none."""
    if len(values) and values.min() > 0:
        return "higher"
    return "lower" if len(values) and values.max() < 0 else "unclear"


# Student's t for an interval of 95%, by degrees of freedom; the last serves all beyond.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of the mean over seeds, by Student's t; without bounds below two seeds."""
    n = len(values)
    if n < 2:
        return -math.inf, math.inf
    half = STUDENT[min(n - 2, len(STUDENT) - 1)] * stdev(values) / math.sqrt(n)
    return mean(values) - half, mean(values) + half


def describe(values: pd.Series) -> str:
    """A difference over seeds in words, whatever it is: mean, range, and what is not settled."""
    if not len(values):
        return "not measured (no seed with both runs complete)"
    shown = [f"{round(v, 1):+.1f}" for v in (values.mean(), values.min(), values.max())]
    middle, low, high = ("0.0" if each[1:] == "0.0" else each.replace("-", MINUS) for each in shown)
    seeds = len(values)
    if seeds == 1:
        return f"{middle} points (1 seed)"
    if low == high == "0.0":
        return f"0.0 points (on each of {seeds} seeds)"
    doubt = ""
    if direction(values.round(1)) == "unclear":
        doubt = "; they do not agree"
    elif math.prod(confidence_interval(list(values))) <= 0:
        doubt = "; the 95% interval contains zero"
    return f"{middle} points ({low} to {high} over {seeds} seeds{doubt})"


def compare(before: pd.Series, after: pd.Series) -> str:
    """What became of a gap after more training, as the rest of a sentence that begins "it"."""
    before, after = before.round(1), after.round(1)  # as `describe` has them
    if not len((after - before).dropna()):
        return "was not measured on one seed at both lengths"
    if direction(before) != "higher":
        return "was not there on every seed to begin with"
    if direction(after) == "lower":
        return "turned round"
    if after.max() == after.min() == 0:
        return "closed"
    if direction(after) == "unclear":
        return "closed on some seeds only"
    change = direction((after - before).dropna())
    return {"lower": "shrank and stayed open", "higher": "grew"}.get(change, "stayed open")
