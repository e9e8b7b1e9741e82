"""What only a CUDA device can show. Run with `pytest -m gpu` on a machine that has one."""

from __future__ import annotations

import copy
from contextlib import contextmanager

import pytest
import torch
from helpers import same_weights, tiny_data, tiny_net, tiny_train

from resnet_lib import TrainConfig, find_device, graphs
from resnet_lib.analysis import SignalProbe
from resnet_lib.batches import Normaliser
from resnet_lib.deletions import deletable, deletion_errors, single_deletions
from resnet_lib.graphs import GraphedStep
from resnet_lib.overlapping import Streams
from resnet_lib.training import make_optimiser, training_step

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


@pytest.mark.parametrize("bn_images", [None, 16])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_graphs_give_the_numbers_of_single_steps(precision, bn_images) -> None:
    """Through two milestones, so that three graphs are captured."""
    nets, curves = [], []
    for graph in (False, True):
        nets.append(tiny_net())
        options = {"device": "cuda", "precision": precision, "deterministic": True}
        options["bn_images"] = bn_images
        curves.append(tiny_train(nets[-1], graph=graph, **options).curves)
    assert curves[0].drop(columns="seconds").equals(curves[1].drop(columns="seconds"))
    assert same_weights(*nets)


def test_graphs_are_the_default_and_go_with_all_that_a_run_does(monkeypatch) -> None:
    """A warm-up that ends, dropout, a probe between the steps: as without graphs."""
    records, captured, capture = [], [], graphs.capture
    monkeypatch.setattr(graphs, "capture", lambda *how: captured.append(1) or capture(*how))
    for options in ({"graph": False}, {}):
        assert not captured
        options |= {"probe": SignalProbe(tiny_data(), images=16), "probe_at": (0, 5, 9)}
        options |= {"warmup_lr": 0.01, "warmup_error": 99.0, "deterministic": True}
        records.append(tiny_train(tiny_net(dropout=0.5), device="cuda", **options))
    assert captured
    slow, fast = records
    assert slow.curves.drop(columns="seconds").equals(fast.curves.drop(columns="seconds"))
    assert slow.probe.equals(fast.probe)
    assert slow.warmup_ended == fast.warmup_ended is not None


@pytest.mark.filterwarnings("default")
def test_a_compiled_run_has_the_same_numbers_but_for_rounding(monkeypatch) -> None:
    """Of two nets in turn, so that the second meets what is left of the first."""
    compiled, compile_net = [], torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda net, **how: compiled.append(net) or compile_net(net, **how)
    )
    for name in ("plain20", "resnet20"):
        slow = tiny_train(tiny_net(name), device="cuda").curves
        fast = tiny_train(tiny_net(name), device="cuda", compiled=True).curves
        assert fast["loss"].iloc[0] == pytest.approx(slow["loss"].iloc[0], rel=1e-3)
        assert fast["loss"].iloc[-1] == pytest.approx(slow["loss"].iloc[-1], rel=0.02)
    assert len(compiled) == 2


def come_late(monkeypatch) -> list[torch.cuda.Stream]:
    """Let weights' gradients come a millisecond late: whoever does not wait for them is found."""
    streams, fork = [], Streams.fork

    @contextmanager
    def fork_late(self: Streams, *read: torch.Tensor):
        with fork(self, *read):
            streams.append(torch.cuda.current_stream())
            torch.cuda._sleep(2_000_000)  # cycles
            yield

    monkeypatch.setattr(Streams, "fork", fork_late)
    return streams


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shortcut": "B"},
        {"batch_norm": False},
        {"order": "preactivation"},
        {"order": "bn-after-addition"},
    ],
    ids=str,
)
def test_gradients_of_weights_are_waited_for(monkeypatch, options, precision) -> None:
    """However late they come, the numbers are those of single steps, where nothing overlaps."""
    how = {"device": "cuda", "precision": precision, "deterministic": True}
    nets = [tiny_net(**options), tiny_net(**options)]
    alone = tiny_train(nets[0], graph=False, **how).curves.drop(columns="seconds")
    streams = come_late(monkeypatch)
    assert tiny_train(nets[1], **how).curves.drop(columns="seconds").equals(alone)
    assert same_weights(*nets)
    assert len(set(streams)) == (0 if options == {"batch_norm": False} else Streams.COUNT)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_compiled_steps_wait_for_them_and_keep_what_they_read(monkeypatch, precision) -> None:
    nets, curves = [], []
    how = {"device": "cuda", "compiled": True, "deterministic": True, "precision": precision}
    for late in (False, True):
        streams = come_late(monkeypatch) if late else []
        nets.append(tiny_net("resnet20"))
        curves.append(tiny_train(nets[-1], **how).curves)
    assert streams
    assert curves[1]["loss"].to_numpy() == pytest.approx(curves[0]["loss"].to_numpy(), rel=1e-3)
    for one, other in zip(*(net.parameters() for net in nets), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_blocks_are_deleted_on_the_gpu_as_on_the_cpu(precision) -> None:
    net, data = tiny_net(), tiny_data()
    normalise = Normaliser(data)
    sets = [(), *((name,) for name in deletable(net))]
    images = data.test_images, data.test_labels, normalise, sets, precision
    cpu = dict(deletion_errors(net, *images))
    gpu = dict(deletion_errors(copy.deepcopy(net).cuda(), *images))
    assert gpu == pytest.approx(cpu, abs=10)  # near ties may fall otherwise
    tables = [single_deletions(net, data, device=device)["top1_error"] for device in ("cpu", None)]
    assert tables[1].to_numpy() == pytest.approx(tables[0].to_numpy(), abs=10)
    assert net.fc.weight.device.type == "cpu"


def test_a_loss_that_is_not_finite_ends_the_run_where_it_happened() -> None:
    record = tiny_train(device="cuda", lr=1e30)
    on_cpu = tiny_train(lr=1e30)
    assert record.status == on_cpu.status == "diverged"
    assert record.diverged_at == on_cpu.diverged_at


def test_a_graphed_run_resumes(tmp_path) -> None:
    options = {"device": "cuda", "deterministic": True, "graph": True}
    wanted = tiny_train(tiny_net(), **options).curves.drop(columns="seconds")
    left = iter([False] * 7 + [True])
    tiny_train(tiny_net(), folder=tmp_path, stop=lambda: next(left), **options)
    resumed = tiny_train(tiny_net(), folder=tmp_path, **options).curves.drop(columns="seconds")
    assert wanted.equals(resumed)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_a_graphed_step_waits_for_nothing() -> None:
    """No synchronisation between windows: torch raises where a step would read from the device."""
    net = tiny_net().cuda().train()
    config = TrainConfig(batch_size=32)
    optimiser = make_optimiser(net, config)
    step = GraphedStep(lambda x, y: training_step(net, optimiser, x, y, "float32"), optimiser)
    x, y = torch.rand(32, 1, 7, 7, device="cuda"), torch.zeros(32, dtype=torch.long, device="cuda")
    for _ in range(5):
        step(x, y)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            step(x, y)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_recomputed_activations_need_less_memory_on_the_gpu() -> None:
    peaks = []
    for recompute in (False, True):
        torch.cuda.reset_peak_memory_stats()
        tiny_train(tiny_net("resnet110"), device="cuda", iterations=2, recompute=recompute)
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] < peaks[0]
