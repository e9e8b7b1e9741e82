"""What seeds tell: gaps, directions and their words."""

import pandas as pd
import pytest

from resnet_lib import ConfigError
from resnet_lib.seeds import compare, describe, direction, errors_at, gap


def curves():
    """Two nets, two seeds, two splits, rows in disorder."""
    rows = [
        ("deep", 0, "train", 200, 31.0),
        ("shallow", 1, "train", 100, 50.0),
        ("deep", 0, "train", 100, 60.0),
        ("shallow", 0, "train", 200, 30.0),
        ("shallow", 0, "train", 100, 10.0),
        ("deep", 1, "train", 100, 55.0),
        ("deep", 1, "train", 200, 20.0),
        ("shallow", 1, "train", 200, 25.0),
        ("deep", 0, "test", 200, 50.0),
        ("deep", 1, "test", 200, 50.0),
        ("shallow", 1, "test", 200, 48.0),
        ("shallow", 0, "test", 200, 40.0),
        ("shallow", 0, "test", 100, 90.0),
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "split", "iteration", "top1_error"])


def test_the_gap_is_that_of_the_last_errors_seed_by_seed():
    frame = complete_curves()
    assert gap(frame, "deep", "shallow").to_dict() == {0: 1.0, 1: -5.0}
    assert gap(frame, "shallow", "deep").to_dict() == {0: -1.0, 1: 5.0}
    assert gap(frame, "deep", "shallow", "test").to_dict() == {0: 10.0, 1: 2.0}


def complete_curves():
    return curves().assign(status="complete")


@pytest.mark.parametrize("what", ["data", "iterations", "precision"])
def test_nets_that_saw_other_data_or_were_trained_otherwise_have_no_gap(what):
    frame = complete_curves().assign(data="cifar10", iterations="200", precision="bfloat16")
    assert len(gap(frame, "deep", "shallow")) == 2
    frame.loc[frame["model"] == "shallow", what] = "other"
    with pytest.raises(ConfigError, match=f"deep and shallow differ in {what} here .* and other"):
        gap(frame, "deep", "shallow")


def test_a_gap_wants_a_frame_of_runs_and_two_nets():
    with pytest.raises(ConfigError, match="curves\\(records\\) makes one"):
        gap([], "deep", "shallow")
    with pytest.raises(ConfigError, match="no column 'status'"):
        gap(curves(), "deep", "shallow")
    with pytest.raises(ConfigError, match="compared with itself"):
        gap(complete_curves(), "deep", "deep")


def test_errors_of_runs_that_differ_are_not_averaged():
    mixed = pd.concat([curves().assign(run_id=1, setting=1), curves().assign(run_id=2, setting=2)])
    with pytest.raises(ConfigError, match="2 runs of deep with seed 0"):
        errors_at(mixed, [100], window=100)


@pytest.mark.parametrize("status", ["diverged", "interrupted"])
def test_a_run_that_did_not_end_well_is_in_no_gap(status):
    frame = complete_curves()
    frame.loc[(frame["model"] == "deep") & (frame["seed"] == 1), "status"] = status
    assert gap(frame, "deep", "shallow").to_dict() == {0: 1.0}
    frame.loc[frame["model"] == "deep", "status"] = status
    assert "not measured" in describe(gap(frame, "deep", "shallow"))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([1.0, 2.0], "higher"),
        ([-1.0, -0.1], "lower"),
        ([-1.0, 2.0], "unclear"),
        ([0.0, 2.0], "unclear"),
        ([0.0, -2.0], "unclear"),
    ],
)
def test_a_direction_is_one_that_all_seeds_agree_on(values, word):
    assert direction(pd.Series(values)) == word


def test_a_difference_in_words_gives_mean_range_and_doubt():
    assert describe(pd.Series([2.0, 3.0, 2.5])) == "+2.5 points (+2.0 to +3.0 over 3 seeds)"
    told = "+2.1 points (+1.2 to +3.0 over 3 seeds; the 95% interval contains zero)"
    assert describe(pd.Series([1.25, 3.0, 2.0])) == told
    assert describe(pd.Series([0.0, 0.0])) == "0.0 points (on each of 2 seeds)"
    told = "+1.0 points (\N{MINUS SIGN}1.0 to +3.0 over 2 seeds; they do not agree)"
    assert describe(pd.Series([-1.0, 3.0])) == told
    assert describe(pd.Series([-2.04])) == "\N{MINUS SIGN}2.0 points (1 seed)"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([4.0, 5.0], [-1.0, 2.0], "closed on some seeds only"),
        ([4.0, 5.0], [-1.0, -2.0], "turned round"),
        ([-2.0, -2.0], [-2.0, -2.0], "was not there"),
        ([0.0, 0.0], [1.0, 2.0], "was not there"),
        ([4.0, 5.0], [1.0, 2.0], "shrank"),
        ([4.0, 5.0], [6.0, 7.0], "grew"),
        ([4.0, 5.0], [5.0, 4.0], "stayed open"),
        ([4.0, 5.0], [0.0, 0.02], "closed"),
        ([4.0], [0.0], "closed"),
        ([4.0, 5.0], [], "was not measured"),
        ([], [4.0, 5.0], "was not measured"),
        ([0.02, 0.03], [4.0, 5.0], "was not there"),
    ],
)
def test_how_a_gap_changed(before, after, words):
    before, after = (pd.Series(values, dtype=float) for values in (before, after))
    told = compare(before, after)
    assert told.startswith(words)
    assert told == words or words != "closed"


def test_gaps_of_other_seeds_are_not_compared():
    before, after = pd.Series([4.0], index=[0]), pd.Series([4.0], index=[1])
    assert compare(before, after).startswith("was not measured")


def test_the_error_by_some_iterations_is_that_of_a_window_before_them():
    found = errors_at(curves(), [100, 200], window=100)
    assert found.loc[100].to_dict() == {"deep": 57.5, "shallow": 30.0}
    assert found.loc[200].to_dict() == {"deep": 25.5, "shallow": 27.5}
    assert errors_at(curves(), [200], window=200).loc[200, "deep"] == 41.5


@pytest.mark.parametrize(
    ("names", "split", "told"),
    [
        (("deep", "ResNet-56"), "train", "'ResNet-56': the nearest are resnet56"),
        (("deep", "shallow"), "training", "split 'training' is unknown"),
    ],
)
def test_a_gap_between_what_there_is_not_is_told_so(names, split, told):
    """It read as not measured."""
    with pytest.raises(ConfigError, match=told):
        gap(complete_curves(), *names, split=split)
    assert not len(gap(complete_curves(), "plain20, small init", "plain20")), "a net without runs"
