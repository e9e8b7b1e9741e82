"""What only a CUDA device can show. Run with `pytest -m gpu` on a machine that has one."""

from __future__ import annotations

import pytest
import torch
from helpers import tiny_net, tiny_train

from resnet_lib import find_device

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]


def test_the_gpu_is_found() -> None:
    assert find_device().type == "cuda"


def test_training_on_the_gpu_agrees_with_the_cpu_at_first() -> None:
    """The same weights, batches and augmentation: the first losses agree to rounding."""
    options = {"iterations": 3, "milestones": (), "window": 1}
    cpu = tiny_train(tiny_net(), **options).curves
    gpu = tiny_train(tiny_net(), device="cuda", **options).curves
    first = [curves[curves["split"] == "train"]["loss"].iloc[0] for curves in (cpu, gpu)]
    assert first[0] == pytest.approx(first[1], rel=1e-3)


def test_a_deterministic_run_repeats_and_resumes_bit_for_bit(tmp_path) -> None:
    options = {"device": "cuda", "deterministic": True}
    wanted = tiny_train(tiny_net(), **options).curves.drop(columns="seconds")
    again = tiny_train(tiny_net(), **options).curves.drop(columns="seconds")
    assert wanted.equals(again)
    left = iter([False] * 5 + [True])
    tiny_train(tiny_net(), folder=tmp_path, stop=lambda: next(left), **options)
    resumed = tiny_train(tiny_net(), folder=tmp_path, **options).curves.drop(columns="seconds")
    assert wanted.equals(resumed)
