"""What the benchmark makes of its times: medians, ratios and counts, not the times themselves."""

from __future__ import annotations

import os
import signal
import time
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path

import bench
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnet_lib import build_model


@pytest.mark.parametrize("changes", [{"depth": 8}, {"depth": 14, "stem_stride": 1}], ids=str)
def test_multiply_adds_are_those_of_taps_within_the_image(changes) -> None:
    """Counted on the net itself: a kernel of ones over an image of ones counts its taps."""
    config = replace(bench.SMALL, **changes)
    net = build_model(config, seed=0)
    total = 0

    def add(conv: nn.Conv2d, given: tuple[torch.Tensor], _output: torch.Tensor) -> None:
        nonlocal total
        one = torch.ones(1, 1, *given[0].shape[2:])
        taps = F.conv2d(one, torch.ones(1, 1, 3, 3), stride=conv.stride, padding=1).sum().item()
        passes = 2 if conv is net.conv1 else 3  # nobody asks for the gradient of the images
        total += passes * int(taps) * conv.in_channels * conv.out_channels

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(add)
    net(torch.zeros(2, 1, bench.SMALL_SIZE, bench.SMALL_SIZE))
    total += 3 * net.fc.weight.numel()
    assert bench.multiply_adds_done(config) == total


def test_a_row_has_the_median_speed_and_the_median_ratio_within_a_round(monkeypatch) -> None:
    trials = {0: [70], 1: [90], 2: [80]}
    speeds = {
        "ours": [100, 300, 200],
        "bare step": [400, 400, 400],
        "textbook": [50, 50, 100],
        "textbook, bf16": [50, 100, 50],
    }
    asked = []

    def in_turn(rows, rounds, _said):
        asked.append(rounds)
        if len(asked) == 1:
            return trials
        # Of the workers, the count that was quickest.
        assert rows["textbook",].args == ("resnet20", 128, "cpu", 1, False)
        assert rows["textbook, bf16",].args == ("resnet20", 128, "cpu", 1, True)
        return {name: speeds[name] for names in rows for name in names}

    monkeypatch.setattr(bench.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(bench, "in_turn", in_turn)
    options = Namespace(models=["resnet20"], batch_size=128, rounds=3)
    (table,) = bench.measure(options, "cpu")
    table = table.set_index("loop")
    assert asked == [1, 3]
    assert table["images/s"].to_dict() == {
        "ours": 200,
        "bare step": 400,
        "textbook": 50,
        "textbook, bf16": 50,
    }
    assert table.loc["ours", ["lowest", "highest"]].to_list() == [100, 300]
    # Of each round by itself: 2, 6 and 2 times the textbook, and not 200 / 50; then 2, 3 and 4.
    assert table["ours / this"].to_list() == [1, 0.5, 2, 3]


def test_on_a_gpu_the_compiled_steps_have_rows_and_ratios_of_their_own(monkeypatch) -> None:
    def in_turn(rows, rounds, _said):
        fast = bench.COMPILED[0]
        return {name: [300 if name == fast else 100] * rounds for key in rows for name in key}

    monkeypatch.setattr(bench, "in_turn", in_turn)
    options = Namespace(models=["resnet20"], batch_size=128, rounds=2)
    (table,) = bench.measure(options, "cuda")
    table = table.set_index("loop")
    assert set(table.index) >= {"ours, compiled", "bare step, compiled", "ours, no graph"}
    assert table.loc["textbook", "ours / this"] == 1
    assert table.loc["textbook", "ours, compiled / this"] == 3


def counting(start: float, step: float, turns: bench.Turns) -> None:
    """A row whose speeds are told in advance."""
    speeds = []
    while turns.next(*speeds):
        speeds = [speeds[0] + step] if speeds else [start]


def noting(path: Path, turns: bench.Turns) -> None:
    """A row that writes down when it has the device, and when it gives it back."""
    turns.make_ready()
    with path.open("a") as notes:
        print("has it", file=notes, flush=True)
        time.sleep(0.1)
        print("is ready", file=notes, flush=True)
    counting(1.0, 1.0, turns)


def test_one_row_after_the_other_is_made_ready(tmp_path) -> None:
    notes = tmp_path / "notes"
    bench.in_turn({(n,): partial(noting, notes) for n in range(3)}, 1, "test")
    assert notes.read_text().split("\n")[:-1] == ["has it", "is ready"] * 3


def dying(turns: bench.Turns) -> None:
    turns.make_ready()
    os.kill(os.getpid(), signal.SIGKILL)


def waiting(turns: bench.Turns) -> None:
    time.sleep(3)  # so that the other has the device first
    turns.make_ready()
    counting(1.0, 1.0, turns)


def test_a_row_that_dies_with_the_device_ends_them_all() -> None:
    with pytest.raises(RuntimeError, match="the row dead failed"):
        bench.in_turn({("late",): waiting, ("dead",): dying}, 1, "test")


def failing(turns: bench.Turns) -> None:
    raise ValueError("no such net")


def test_rows_are_measured_in_turn_in_processes_of_their_own() -> None:
    rows = {("slow",): partial(counting, 10.0, 1.0), ("fast",): partial(counting, 100.0, 2.0)}
    assert bench.in_turn(rows, 3, "test") == {"slow": [10, 11, 12], "fast": [100, 102, 104]}


def interrupting(rounds: int, turns: bench.Turns) -> None:
    """A row during whose last round someone presses Ctrl-C."""
    for number in range(rounds):
        turns.next(*[float(number)] * (number > 0))
    os.kill(os.getppid(), signal.SIGINT)
    turns.next(float(rounds))


def test_ctrl_c_keeps_the_rounds_that_are_done(capsys) -> None:
    rows = {("one",): partial(counting, 10.0, 1.0), ("other",): partial(interrupting, 3)}
    assert bench.in_turn(rows, 5, "test") == {"one": [10, 11], "other": [1, 2]}
    assert "stopped: 2 of 5 rounds are done" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):
        bench.in_turn({("other",): partial(interrupting, 1)}, 5, "test")


def test_a_row_that_fails_ends_them_all() -> None:
    with pytest.raises(RuntimeError, match="the row bad failed"):
        bench.in_turn({("good",): partial(counting, 1.0, 1.0), ("bad",): failing}, 1, "test")


class Asked:
    """Turns without a process: so many rounds, and what was handed in."""

    def __init__(self, rounds: int) -> None:
        self.left, self.speeds = rounds, []

    def make_ready(self) -> None:
        assert not self.speeds

    def next(self, *speeds: float) -> bool:
        self.speeds.append(speeds)
        self.left -= 1
        return self.left >= 0


def test_the_second_speed_of_ours_is_that_of_its_step(monkeypatch) -> None:
    monkeypatch.setattr(bench, "random_data", partial(bench.random_data, 64))
    monkeypatch.setattr(bench, "timed", lambda step, *_: step() and 7.0)
    monkeypatch.setitem(bench.STEPS, "cpu", 2)
    turns = Asked(rounds=1)
    bench.rows_of("resnet8", 4, "cpu", workers=0)[bench.OURS](turns)
    (ours, alone) = turns.speeds[1]
    assert ours != 7.0 == alone


@pytest.mark.parametrize("loops", [bench.OURS, ("textbook",)])
def test_loops_hand_in_their_speeds_for_each_round(loops, monkeypatch) -> None:
    monkeypatch.setattr(bench, "random_data", partial(bench.random_data, 64))
    monkeypatch.setitem(bench.STEPS, "cpu", 2)
    monkeypatch.setitem(bench.TEXTBOOK_STEPS, "cpu", 2)
    monkeypatch.setitem(bench.WARM_UP, "cpu", 1)
    turns = Asked(rounds=2)
    bench.rows_of("resnet8", 4, "cpu", workers=0)[loops](turns)
    assert [len(speeds) for speeds in turns.speeds] == [0, len(loops), len(loops)]
    assert all(speed > 0 for speeds in turns.speeds for speed in speeds)
