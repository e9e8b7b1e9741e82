"""Activations computed twice: the same numbers in less memory."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers import TINY, same_weights, tiny_data, tiny_net, tiny_train

from resnet_lib import ModelConfig, build_model
from resnet_lib.analysis import SignalProbe
from resnet_lib.numerics import numerics_hash
from resnet_lib.recomputing import recomputing

NETS = {
    "residual": ModelConfig(14, **TINY),
    "plain": ModelConfig(14, "none", **TINY),
    "projections": ModelConfig(14, "B", **TINY),
    "without BN": ModelConfig(14, batch_norm=False, **TINY),
    "bottleneck": ModelConfig(11, block="bottleneck", **TINY),
    "single layers": ModelConfig(8, block="single-layer", **TINY),
    "preactivation": ModelConfig(14, order="preactivation", **TINY),
    "BN after addition": ModelConfig(14, order="bn-after-addition", **TINY),
    "gated": ModelConfig(14, junction="exclusive-gate", **TINY),
    "dropout": ModelConfig(14, junction="dropout", **TINY),
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", NETS.values(), ids=NETS)
def test_training_is_the_same_bit_for_bit(config, precision) -> None:
    """Weights, BN's running statistics and their counters, and what was measured."""
    nets, records = [], []
    for recompute in (False, True):
        torch.manual_seed(0)
        nets.append(build_model(config, seed=0))
        options = {"iterations": 5, "milestones": (), "precision": precision}
        records.append(tiny_train(nets[-1], recompute=recompute, **options))
    assert same_weights(*nets)
    curves = [record.curves.drop(columns="seconds") for record in records]
    assert curves[0].equals(curves[1])
    assert records[0].run_id == records[1].run_id


def test_statistics_are_updated_once_a_step() -> None:
    net = tiny_net().train()
    x = torch.rand(4, 1, 8, 8)
    with recomputing(net):
        net(x).sum().backward()
    counters = {m.num_batches_tracked.item() for m in net.modules() if hasattr(m, "running_mean")}
    assert counters == {1}


def kept_bytes(net, x, recompute):
    """Bytes that autograd keeps between forward and backward, each tensor once."""
    seen = {}

    def pack(tensor):
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with (
        recomputing(net, recompute),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        loss = F.cross_entropy(net(x), torch.zeros(len(x), dtype=torch.long))
        total = sum(seen.values())
        loss.backward()
    return total


def test_a_fraction_of_the_memory_is_kept() -> None:
    net = build_model(ModelConfig(56, width=4), seed=0).train()
    x = torch.rand(16, 3, 16, 16)
    assert kept_bytes(net, x, True) < 0.3 * kept_bytes(net, x, False)


def test_the_net_is_left_as_it_was_even_after_an_error() -> None:
    net = tiny_net()
    before = numerics_hash(net)
    with recomputing(net):
        assert numerics_hash(net) == before
    with pytest.raises(RuntimeError), recomputing(net):
        net(torch.zeros(1, 5, 4, 4))
    assert all("forward" not in vars(module) for module in net.modules())


def test_probes_see_the_net_as_it_is() -> None:
    """A probe's hooks on a block that runs twice would keep the wrong tensors."""
    options = {"probe": SignalProbe(tiny_data(), 32), "probe_at": (0, 6)}
    tables = [tiny_train(recompute=each, **options).probe for each in (False, True)]
    assert tables[0].equals(tables[1])
