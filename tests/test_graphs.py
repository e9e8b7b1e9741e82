"""The bookkeeping of graphed steps, with a stand-in for CUDA's capture. See test_gpu.py too."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pandas as pd
import pytest
import torch
from helpers import RECIPE, same_weights, tiny_net, tiny_train

from resnet_lib import ConfigError, ModelConfig, cli, graphs, load_runs
from resnet_lib.graphs import GraphedStep
from resnet_lib.recomputing import recomputing
from resnet_lib.runner import RunSpec
from resnet_lib.training import make_optimiser, training_step


@pytest.fixture
def captured(monkeypatch):
    """A capture that keeps the step and, as CUDA's does, the rate and where results are left."""
    rates = []

    def capture(_device, step):
        results = torch.zeros(()), torch.zeros((), dtype=torch.long)
        optimiser = step.__closure__[0].cell_contents.optimiser
        kept = [group["lr"] for group in optimiser.param_groups]
        rates.append(kept[0])

        def replay():
            now = [group["lr"] for group in optimiser.param_groups]
            for group, lr in zip(optimiser.param_groups, kept, strict=True):
                group["lr"] = lr
            for place, value in zip(results, step(), strict=True):
                place.copy_(value)
            for group, lr in zip(optimiser.param_groups, now, strict=True):
                group["lr"] = lr

        return replay, results

    monkeypatch.setattr(graphs, "capture", capture)
    monkeypatch.setattr(graphs, "aside", lambda _device, step: step())
    return rates


class Step:
    """A wrapped training step of a tiny net, and an equal net that is trained without."""

    def __init__(self):
        self.nets = [tiny_net().train(), tiny_net().train()]
        self.optimisers = [make_optimiser(net, RECIPE) for net in self.nets]
        net, optimiser = self.nets[1], self.optimisers[1]
        self.graphed = GraphedStep(
            lambda x, y: training_step(net, optimiser, x, y, "float32"), optimiser
        )

    def __call__(self, x, y, lr):
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = lr
        alone = training_step(self.nets[0], self.optimisers[0], x, y, "float32")
        return alone, self.graphed(x, y)


def test_replayed_steps_are_the_steps(captured) -> None:
    """Other images each time, and rates that change after the warm-up, as at milestones."""
    step, draw = Step(), torch.Generator().manual_seed(0)
    rates = (0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001)
    for lr in rates:
        x, y = torch.rand(8, 1, 7, 7, generator=draw), torch.randint(10, (8,), generator=draw)
        alone, graphed = step(x, y, lr)
        assert [each.item() for each in alone] == [each.item() for each in graphed]
    assert same_weights(*step.nets)
    assert captured == [0.1, 0.01, 0.001]


def test_a_graph_is_captured_after_the_first_steps_only(captured) -> None:
    step = Step()
    x, y = torch.rand(8, 1, 7, 7), torch.zeros(8, dtype=torch.long)
    for number in range(GraphedStep.WARM_UP + 2):
        step(x, y, 0.1)
        assert len(captured) == (number >= GraphedStep.WARM_UP)


def test_inputs_keep_their_layout(captured) -> None:
    step = Step()
    x = torch.rand(8, 1, 7, 7).contiguous(memory_format=torch.channels_last)
    for _ in range(GraphedStep.WARM_UP + 1):
        step(x, torch.zeros(8, dtype=torch.long), 0.1)
    assert step.graphed.x.stride() == x.stride()
    assert step.graphed.x.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("name", ["graph", "compiled"])
@pytest.mark.parametrize("recompute", [False, True])
def test_graphs_and_compilation_are_refused_where_they_cannot_be(name, recompute) -> None:
    with pytest.raises(ConfigError, match=f"{name}=True needs a CUDA device"):
        tiny_train(device="cpu", recompute=recompute, **{name: True})


def test_recomputing_is_asked_for_by_name(tmp_path) -> None:
    """The switch reaches the trainer, and changes no number."""
    command = ["reproduce", "figure6-plain", "--tier", "smoke", "--jobs", "1", "--seeds", "0"]
    found = []
    for name, switch in (("usual", []), ("less", ["--recompute"])):
        with mock.patch("resnet_lib.training.recomputing", wraps=recomputing) as asked:
            assert cli.main([*command, "--out", str(tmp_path / name), *switch]) == 0
        assert {call.args[1] for call in asked.call_args_list} == {bool(switch)}
        frame = load_runs(tmp_path / name).drop(columns="seconds")
        found.append(frame.sort_values(["model", "iteration", "split"], ignore_index=True))
    pd.testing.assert_frame_equal(*found)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_compilation_is_asked_for_by_name(tmp_path, capsys) -> None:
    """The switch reaches the trainer; it is no part of what a run is."""
    spec = RunSpec(ModelConfig(8, in_channels=1), RECIPE, "embedded", 7)
    assert replace(spec, compiled=True).run_id == spec.run_id
    many = ["reproduce", "figure6-plain", "--jobs", "1", "--seeds", "0"]
    for command in (many, ["train", "resnet8"]):
        assert cli.main([*command, "--tier", "smoke", "--out", str(tmp_path), "--compiled"]) == 2
        assert "compiled=True needs a CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize(("switch", "asked"), [([], None), (["--no-compiled"], False)], ids=str)
def test_compilation_is_left_to_the_trainer_or_left_out(monkeypatch, switch, asked) -> None:
    specs = []
    monkeypatch.setattr(cli, "run_one", lambda spec, _out: specs.append(spec) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train", "resnet8", "--tier", "smoke", *switch])
    assert [spec.compiled for spec in specs] == [asked]
