"""What the book says of the playground's nets, and where it has it from."""

from __future__ import annotations

import json
from math import prod
from statistics import fmean

import pytest
from confirm_presets import confirmed, learning_rate, rows_of
from helpers import ROOT
from test_playground import engine, needs_node

from resnet_lib import playground

CURVES = json.loads(playground.CURVES.read_text())
OUTCOMES = json.loads(playground.OUTCOMES.read_text())["presets"]


def test_the_recorded_nets_are_those_of_the_questions() -> None:
    """Two scripts trained them: one engine gives one number."""
    measured = {each["name"]: each for arms in OUTCOMES.values() for each in arms}
    compared = 0
    for net in CURVES["nets"]:
        name = f"{'plain' if net['kind'] == 'plain' else 'resnet'}{net['depth']}"
        for quantity in ("train_error", "test_error"):
            if name in measured and measured[name]["train"]["steps"] == 300:
                found = [run[quantity] for run in net["runs"]]
                assert found == measured[name][quantity]["values"], (name, quantity)
                compared += 1
    assert compared > 0


@needs_node
def test_a_recorded_curve_is_what_the_engine_trains() -> None:
    net = next(n for n in CURVES["nets"] if (n["kind"], n["depth"]) == ("residual", 20))
    (answer,) = engine({"net": {"depth": 20}, "steps": 50})
    losses = [row["loss"] for row in answer["rows"]]
    every = CURVES["every"]
    means = [round(fmean(losses[i : i + every]), 4) for i in range(0, 50, every)]
    assert net["runs"][0]["loss"][: len(means)] == pytest.approx(means, abs=1e-4)


def test_measured_numbers() -> None:
    runs = next(n for n in CURVES["nets"] if (n["kind"], n["depth"]) == ("plain", 20))["runs"]
    assert playground.measured("plain-20 train_error") == fmean(r["train_error"] for r in runs)
    gradients = [run["gradient_start"] for run in runs]
    found = playground.measured("plain-20 gradient_start")
    assert found == pytest.approx(prod(gradients) ** (1 / len(gradients))), "of their factors"
    arm = OUTCOMES["options"][2]
    assert playground.measured(f"options/{arm['name']} loss") == arm["loss"]["mean"]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("plain-21 train_error", "there is no net 'plain-21'; there are: plain-8, "),
        ("plain-20 speed", "plain-20 has no 'speed'"),
        ("plain-20 loss", "plain-20 has no 'loss'"),
        ("options/option D loss", "there are: option A, option B, option C"),
        ("nothing/option A loss", "there is no net 'option A'; there are: none"),
        ("without-bn/resnet56, no BN loss", "has no 'loss'"),
    ],
)
def test_a_number_that_was_not_measured_is_refused(address: str, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        playground.measured(address)


def test_confirmations_are_of_every_net_once() -> None:
    frame = playground.confirmations()
    arms = [each for arms in OUTCOMES.values() for each in arms]
    assert len(frame) == len({json.dumps([each["net"], each["train"]]) for each in arms})
    assert not frame["confirmed"][frame["pytorch"].map(len) == 0].any()
    (plain,) = frame[frame["net"] == "plain-56"].itertuples()
    assert plain.lesson == "plain-20-56", "the first that has it, of several"
    assert plain.pytorch == OUTCOMES["plain-20-56"][1]["pytorch"]["loss"]
    assert {"ResNet-56, option B", "plain-20, no BN"} < set(frame["net"])
    assert plain.confirmed == OUTCOMES["plain-20-56"][1]["pytorch"]["confirmed"]


@pytest.mark.parametrize(
    ("losses", "error", "agrees"),
    [
        ((0.31,), 10.5, True),  # 0.4 to 0.6, widened by 0.1
        ((0.29,), 10.5, False),
        ((0.69,), 10.5, True),
        ((0.71,), 10.5, False),
        ((0.1, 0.5, 0.6), 10.5, True),  # their mean decides
        ((0.1, 0.1, 0.5), 10.5, False),
        ((0.5,), 8.1, True),  # 10 to 11, widened by 2
        ((0.5,), 7.9, False),
        ((0.5,), 13.1, False),
        ((0.5, None), 10.5, False),
    ],
)
def test_a_net_is_confirmed_within_the_widened_range_of_its_seeds(losses, error, agrees) -> None:
    outcome = {
        "diverged": 0,
        "seeds": [0, 1],
        "loss": {"low": 0.4, "high": 0.6},
        "train_error": {"low": 5.0, "high": 25.0},
        "test_error": {"low": 10.0, "high": 11.0},
    }
    runs = [{"loss": each, "train_error": 15.0, "test_error": error} for each in losses]
    assert confirmed(outcome, runs) == agrees


@pytest.mark.parametrize(
    ("diverged", "losses", "agrees"),
    [(2, (None, None), True), (1, (None, None), False), (2, (None, 0.5), False)],
)
def test_a_net_that_diverges_does_so_in_both(diverged, losses, agrees) -> None:
    outcome = {"diverged": diverged, "seeds": [0, 1]}
    assert confirmed(outcome, [{"loss": each} for each in losses]) == agrees


def test_what_is_said_of_an_arm_follows_from_its_runs() -> None:
    arms = [each for arms in OUTCOMES.values() for each in arms if "pytorch" in each]
    assert arms
    for arm in arms:
        assert arm["pytorch"]["confirmed"] == confirmed(arm, rows_of(arm["pytorch"])), arm["name"]


def test_the_rate_of_a_confirmation_is_that_of_the_engine() -> None:
    choice = {"learningRate": 0.1, "warmup": 2, "milestones": [4, 6]}
    rates = [0.01, 0.01, 0.1, 0.1, 0.01, 0.01, 0.001]
    assert [learning_rate(choice, i) for i in range(7)] == pytest.approx(rates)


def test_the_plain_view_says_where_the_nets_end() -> None:
    frame = playground.recorded(20, 56)
    assert set(frame["model"]) == {"plain-20", "ResNet-20", "plain-56", "ResNet-56"}
    sentence = playground.summary(frame)
    last = frame[(frame["model"] == "plain-56") & (frame["iteration"] == 300)]["loss"].mean()
    assert f"plain-56 {last:.2f}" in sentence
    assert f"after 300 iterations, means over the last {CURVES['every']} batches" in sentence
    view = playground.plain_view()
    assert view.count("<svg") == 1
    assert sentence in view


def test_the_pages_have_the_outcomes_that_were_measured() -> None:
    source = ROOT / "web" / "playground" / "outcomes.json"
    assert playground.OUTCOMES.read_bytes() == source.read_bytes()


def test_every_question_has_its_words() -> None:
    for language in ("en", "zh"):
        table = (ROOT / "web" / "playground" / "texts" / f"{language}.ts").read_text()
        for lesson in playground.lessons():
            assert f'"{lesson}": {{' in table or f"\n    {lesson}: {{" in table, (language, lesson)
