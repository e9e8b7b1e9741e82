"""What the benchmark makes of its times: medians, ratios and counts, not the times themselves."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

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
    speeds = {"ours": [100, 300, 200], "bare": [400, 400, 400]}
    textbook = {(0, True): [70], (1, True): [90, 50, 100, 50], (2, True): [80]}
    textbook[1, False] = [50, 50, 100]
    left = {name: iter(found) for name, found in (speeds | textbook).items()}
    monkeypatch.setattr(bench, "random_data", lambda: None)
    monkeypatch.setattr(bench, "PilImages", lambda data: None)
    monkeypatch.setattr(bench.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(bench, "ours", lambda *a: next(left["ours"]))
    monkeypatch.setattr(bench, "bare", lambda *a: next(left["bare"]))
    monkeypatch.setattr(
        bench, "textbook", lambda model, images, size, device, *how: next(left[how])
    )
    options = Namespace(models=["resnet20"], batch_size=128, rounds=3)
    table = bench.measure(options, torch.device("cpu")).set_index("loop")
    assert table["images/s"].to_dict() == {
        "ours": 200,
        "textbook": 50,
        "textbook, bf16": 50,
        "bare step": 400,
    }
    assert table.loc["ours", ["lowest", "highest"]].to_list() == [100, 300]
    # Of each round by itself: 2, 6 and 2 times the textbook, and not 200 / 50.
    assert table["ours / this"].to_list() == [1, 2, 3, 0.5]
