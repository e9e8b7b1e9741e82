"""What a reader is told before runs start."""

from dataclasses import replace
from itertools import accumulate, chain
from types import SimpleNamespace

import pytest
import torch

from resnet_lib import TIERS, reproduce
from resnet_lib.experiments import plan
from resnet_lib.forecast import WORTH_TIMING, forecast, in_words, seconds_of_a_step


def test_short_runs_are_only_counted(tmp_path):
    assert forecast("figure6-plain", "smoke", folder=tmp_path) == "4 of 4 runs are to be done."
    both = forecast(["figure6-plain", "start"], "smoke", seeds=[0])
    assert both == "5 of 5 runs are to be done.", "plain20 is in both"


def test_what_is_recorded_is_not_to_be_done(tmp_path):
    reproduce("figure6-plain", "smoke", seeds=[0], folder=tmp_path, jobs=1, progress=False)
    told = forecast("figure6-plain", "smoke", seeds=[0], folder=tmp_path)
    assert told == "All 2 runs are there already."
    assert forecast("figure6-plain", "smoke", folder=tmp_path).startswith("2 of 4 runs")
    assert forecast("preactivation", "smoke", seeds=[0]) == "One run is to be done."
    reproduce("preactivation", "smoke", seeds=[0], folder=tmp_path, jobs=1, progress=False)
    assert forecast("preactivation", "smoke", seeds=[0], folder=tmp_path).startswith("The run is")


@pytest.mark.parametrize(("jobs", "told"), [(1, "6 hours"), (2, "3 hours"), (8, "3 hours")])
@pytest.mark.parametrize("given", [True, False])
def test_long_runs_get_a_time(monkeypatch, jobs, told, given):
    """Shared out among processors, or as many as are asked for; no more of them than runs."""
    smoke = TIERS["smoke"]
    tier = replace(smoke, name="long", train=replace(smoke.train, iterations=10 * WORTH_TIMING))
    monkeypatch.setattr("resnet_lib.forecast.seconds_of_a_step", lambda spec: 0.5)
    monkeypatch.setattr("resnet_lib.runner.default_jobs", lambda: 4 if given else jobs)
    monkeypatch.setattr("resnet_lib.forecast.find_device", lambda: type("", (), {"type": "cpu"}))
    # plain56 takes 15,000 s, plain20 less by the ratio of their multiply-adds.
    assert forecast("footnote3", tier, seeds=[0], jobs=jobs if given else None) == (
        f"2 of 2 runs are to be done: about {told} on this machine (cpu, {min(jobs, 2)} at once)."
    )


def test_the_quickest_of_some_steps_counts(monkeypatch):
    """The first is slow, and so is any that another process disturbs."""
    ticks = accumulate(chain.from_iterable((1, seconds) for seconds in (9, 4, 3, 7, 5)))
    clock = SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr("resnet_lib.forecast.time", clock)
    monkeypatch.setattr("resnet_lib.forecast.find_device", lambda: torch.device("cpu"))
    assert seconds_of_a_step(plan("figure6-plain", "smoke", [0])[0]) == 3


def test_a_step_is_timed():
    tier = replace(TIERS["smoke"], train=replace(TIERS["smoke"].train, iterations=WORTH_TIMING))
    assert " on this machine (" in forecast("figure6-plain", tier, seeds=[0])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (8, "8 seconds"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (9_000, "2 hours"),
        (4e5, "5 days"),
    ],
)
def test_durations_are_read_aloud(seconds, words):
    assert in_words(seconds) == words
