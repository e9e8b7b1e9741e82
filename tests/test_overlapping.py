"""Weights' gradients beside the rest: on a CPU the arithmetic and the bookkeeping. See test_gpu."""

from __future__ import annotations

import copy
import weakref
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
import torch
from helpers import same_weights, tiny_net
from test_recomputing import NETS
from torch import nn

from resnet_lib import TrainConfig, build_model, devices, overlapping
from resnet_lib.overlapping import Apart, Streams
from resnet_lib.training import LONG, make_optimiser, make_step, training_step, worth_compiling


def batches(count: int):
    draw = torch.Generator().manual_seed(0)
    for _ in range(count):
        x = torch.rand(8, 1, 8, 8, generator=draw).contiguous(memory_format=torch.channels_last)
        yield x, torch.randint(10, (8,), generator=draw)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", NETS.values(), ids=NETS)
def test_steps_are_the_same_bit_for_bit(config, precision) -> None:
    nets, losses = [], []
    for on in (False, True):
        torch.manual_seed(0)  # of dropout
        net = build_model(config, seed=0).to(memory_format=torch.channels_last).train()
        optimiser = make_optimiser(net, TrainConfig())
        for x, y in batches(3):
            with overlapping.overlapping(net, optimiser, on):
                loss, _errors = training_step(net, optimiser, x, y, precision)
        nets.append(net)
        losses.append(loss)
    assert same_weights(*nets)
    assert torch.equal(*losses)


def test_grouped_and_dilated_convolutions_are_computed_as_they_are() -> None:
    net = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 2, dilation=2, groups=2, bias=False))
    other = copy.deepcopy(net)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.rand(2, 4, 9, 9, requires_grad=True)
    with overlapping.overlapping(net, optimiser):
        net(x).square().sum().backward()
    mine, x.grad = x.grad, None
    other(x).square().sum().backward()
    assert torch.equal(mine, x.grad)
    assert torch.equal(net[0].weight.grad, other[0].weight.grad)


def test_convolutions_are_apart_during_a_step_only() -> None:
    """Even where it fails; those with a bias are left alone, and so is the optimiser afterwards."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.Conv2d(2, 2, 3))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    seen = []

    def fail() -> None:
        with overlapping.overlapping(net, optimiser):
            seen.extend(type(each) for each in net)
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert seen == [Apart, nn.Conv2d]
    assert [type(each) for each in net] == [nn.Conv2d, nn.Conv2d]
    assert not optimiser._optimizer_step_pre_hooks
    with overlapping.overlapping(net, optimiser, False):
        assert [type(each) for each in net] == [nn.Conv2d, nn.Conv2d]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", NETS.values(), ids=NETS)
def test_what_another_stream_reads_stays_as_it_is_until_the_join(
    monkeypatch, config, precision
) -> None:
    """Autograd adds in place to a gradient that nobody else holds; the other stream may be late."""
    read, joined = [], []
    fork, join = Streams.fork, Streams.join

    def fork_and_look(self: Streams, *tensors: torch.Tensor):
        read.extend((weakref.ref(each), each.clone()) for each in tensors)
        return fork(self, *tensors)

    def look_and_join(self: Streams) -> None:
        joined.append(all(torch.equal(each(), before) for each, before in read))
        read.clear()
        join(self)

    monkeypatch.setattr(Streams, "fork", fork_and_look)
    monkeypatch.setattr(Streams, "join", look_and_join)
    net = build_model(config, seed=0).to(memory_format=torch.channels_last).train()
    optimiser = make_optimiser(net, TrainConfig())
    for x, y in batches(2):
        with overlapping.overlapping(net, optimiser):
            training_step(net, optimiser, x, y, precision)
    assert all(joined)
    assert len(joined) == 2 * 2  # before each step of the optimiser, and after it


def test_the_optimiser_waits_before_its_step(monkeypatch) -> None:
    told = []
    net = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    monkeypatch.setattr(Streams, "join", lambda self: told.append(net[0].weight.sum().item()))
    before = net[0].weight.sum().item()
    with overlapping.overlapping(net, optimiser):
        net(torch.rand(1, 1, 4, 4)).sum().backward()
        optimiser.step()
        assert told == [before]
        assert net[0].weight.sum().item() != before


class FakeStream:
    """A stream that knows for which it has waited."""

    def __init__(self, device) -> None:
        self.device, self.waited = device, []

    def wait_stream(self, other) -> None:
        self.waited.append(other)


def test_streams_are_used_in_turn_and_waited_for_once(monkeypatch) -> None:
    current, used = FakeStream("cuda:0"), []
    monkeypatch.setattr(torch.cuda, "Stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: current)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext(used.append(stream)))
    streams = Streams(torch.device("cuda:0"))
    read = torch.ones(1)
    for _ in range(Streams.COUNT + 1):
        with streams.fork(read):
            pass
    assert used[0] is used[-1]
    assert len(set(used)) == Streams.COUNT
    assert [stream.waited for stream in used[1:-1]] == [[current]] * (Streams.COUNT - 1)
    assert used[0].waited == [current, current]
    assert len(streams.read) == Streams.COUNT + 1
    streams.join()
    assert not streams.read
    assert sorted(map(id, current.waited)) == sorted(map(id, set(used)))
    streams.join()  # nothing was given to them since
    assert len(current.waited) == Streams.COUNT


@pytest.mark.filterwarnings("ignore:Guards may run slower:RuntimeWarning")  # in Python 3.13.0
def test_a_step_compiles_as_one_graph_and_not_anew_each_time(monkeypatch) -> None:
    """Traced, not compiled: torch.compile sees an operator of its own and no break."""
    seen = []

    def backend(graph, _inputs):
        seen.append([node.target for node in graph.graph.nodes if node.op == "call_function"])
        return graph.forward

    compile_net = torch.compile

    def compile_there(net, options):
        assert options["allow_buffer_reuse"] is options["inplace_buffers"] is False
        compile_net(net, options=options)  # it compiles nothing yet, and knows these options
        return compile_net(net, backend=backend)

    monkeypatch.setattr(torch, "compile", compile_there)
    net = tiny_net("resnet20").train()
    optimiser = make_optimiser(net, TrainConfig())
    step = make_step(net, optimiser, "float32", compiled=True)
    for x, y in batches(3):
        with overlapping.overlapping(net, optimiser):
            step(x, y)
    assert len(seen) == 1
    assert torch.conv2d not in seen[0]  # all of them apart


def test_long_runs_are_compiled_where_that_can_be_done(monkeypatch) -> None:
    device = torch.device("cuda")
    monkeypatch.setattr("resnet_lib.training.can_compile", lambda _device: True)
    long = TrainConfig(iterations=LONG, milestones=())
    net = tiny_net()
    assert worth_compiling(net, long, device)
    assert not worth_compiling(net, replace(long, iterations=LONG - 1), device)
    assert not worth_compiling(net, replace(long, deterministic=True), device)
    assert not worth_compiling(tiny_net(dropout=0.5), long, device)
    assert not worth_compiling(tiny_net("resnet116"), long, device)
    assert worth_compiling(tiny_net("resnet110"), long, device)
    monkeypatch.setattr("resnet_lib.training.can_compile", lambda _device: False)
    assert not worth_compiling(net, long, device)


def test_compiling_takes_triton_a_known_card_a_c_compiler_and_headers(
    monkeypatch, tmp_path
) -> None:
    there, capability = {"triton", "clang"}, (7, 5)
    (tmp_path / "Python.h").touch()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(devices, "find_spec", lambda name: name if name in there else None)
    monkeypatch.setattr(devices.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(devices.sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    can_compile = partial(devices.can_compile, torch.device("cuda"))
    assert can_compile()
    capability = (6, 1)
    assert not can_compile()
    capability = (7, 0)
    there.remove("clang")
    assert not can_compile()
    there.add("gcc")
    assert can_compile()
    monkeypatch.setenv("CC", "mycc")  # which is taken and no other
    assert not can_compile()
    there.add("mycc")
    assert can_compile()
    (tmp_path / "Python.h").unlink()
    assert not can_compile()
    (tmp_path / "Python.h").touch()
    there.remove("triton")
    assert not can_compile()


def test_the_choice_of_kernels_is_taken_back(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    with devices.best_kernels(True):
        assert torch.backends.cudnn.benchmark
        with devices.deterministic(True):
            assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.benchmark
    with devices.best_kernels(False):
        assert not torch.backends.cudnn.benchmark
