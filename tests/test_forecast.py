"""What a reader is told before runs start."""

from dataclasses import replace

import pytest

from resnet_lib import TIERS, reproduce
from resnet_lib.forecast import LONG, forecast, in_words


def test_short_runs_are_only_counted(tmp_path):
    assert forecast("figure6-plain", "smoke", folder=tmp_path) == "4 of 4 runs are to be done."
    both = forecast(["figure6-plain", "start"], "smoke", seeds=[0])
    assert both == "5 of 5 runs are to be done.", "plain20 is in both"


def test_what_is_recorded_is_not_to_be_done(tmp_path):
    reproduce("figure6-plain", "smoke", seeds=[0], folder=tmp_path, jobs=1, progress=False)
    told = forecast("figure6-plain", "smoke", seeds=[0], folder=tmp_path)
    assert told == "All 2 runs are there already."
    assert forecast("figure6-plain", "smoke", folder=tmp_path).startswith("2 of 4 runs")


def test_long_runs_get_a_time(monkeypatch):
    smoke = TIERS["smoke"]
    tier = replace(smoke, name="long", train=replace(smoke.train, iterations=10 * LONG))
    monkeypatch.setattr("resnet_lib.forecast.seconds_of_a_step", lambda spec: 0.5)
    monkeypatch.setattr("resnet_lib.forecast.default_jobs", lambda: 1)
    monkeypatch.setattr("resnet_lib.forecast.find_device", lambda: type("", (), {"type": "cpu"}))
    told = forecast("footnote3", tier, seeds=[0])
    # plain56 takes 15,000 s, plain20 less by the ratio of their multiply-adds.
    assert told == "2 of 2 runs are to be done: about 6 hours on this machine (cpu, 1 at once)."


def test_a_step_is_timed():
    tier = replace(TIERS["smoke"], train=replace(TIERS["smoke"].train, iterations=LONG))
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
