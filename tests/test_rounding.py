"""How far rounding turns a gradient: against independent computations, and as the book says."""

from __future__ import annotations

import copy

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from helpers import net_by_hand, same_weights, tiny_data, tiny_net, tiny_train

from resnet_lib import build_model, load
from resnet_lib.analysis import SignalProbe
from resnet_lib.rounding import rounding


def batch(images=32, data=None):
    probe = SignalProbe(data or tiny_data(), images)
    return probe.x, probe.y


@pytest.mark.parametrize("name", ["plain14", "resnet14"])
def test_rounding_is_that_of_an_independent_computation(name):
    net, (x, y) = tiny_net(name), batch()
    table = rounding(net, x, y).set_index("name")

    values = {
        key: value.double().requires_grad_(value.is_floating_point())
        for key, value in net.state_dict().items()
        if value.is_floating_point()
    }
    logits, kept = net_by_hand(net, values, x.double(), training=True)
    weights = [values[f"{layer}.weight"] for layer in kept]
    exact = torch.autograd.grad(F.cross_entropy(logits, y), weights)

    for precision, mixed in (("float32", False), ("bfloat16", True)):
        own = copy.deepcopy(net).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits = own(x)
        F.cross_entropy(logits.float(), y).backward()
        for i, layer in enumerate(kept):
            one = own.get_submodule(layer).weight.grad.double().flatten()
            other = exact[i].flatten()
            cosine = (one @ other / one.norm() / other.norm()).item()
            assert table.loc[layer, precision] == pytest.approx(cosine, abs=1e-6)
    assert list(table.index) == list(kept)
    assert list(table["layer"]) == list(range(1, 14))


def test_more_bits_turn_a_gradient_less():
    table = rounding(tiny_net("plain20"), *batch())
    assert (table["float32"] > 0.9999).all()
    assert table["bfloat16"].median() < 0.99


def test_measuring_leaves_the_net_as_it_was():
    net = tiny_net("resnet8", dropout=0.5).eval()
    before, state = copy.deepcopy(net), torch.get_rng_state()
    rounding(net, *batch())
    assert same_weights(net, before)
    assert not net.training
    assert all(value.grad is None for value in net.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_leaves_out_the_same_in_each_precision():
    table = rounding(tiny_net("resnet8", dropout=0.5), *batch())
    assert (table["float32"] > 0.9999).all()


def test_it_serves_as_a_probe():
    probe = SignalProbe(tiny_data(), 16, measure=rounding)
    net = tiny_net("resnet8")
    at_start = probe(net)
    record = tiny_train(net, probe=probe, probe_at=(0, 12))
    moments = record.probe.groupby("iteration")
    assert sorted(moments.groups) == [0, 12]
    columns = ["layer", "bfloat16", "float32"]
    first = moments.get_group(0)[columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, at_start[columns])


def test_a_new_plain56_has_a_gradient_of_rounding_alone_in_bfloat16_and_a_residual_one_has_not():
    """What chapter 1 says of nets of the paper's size."""
    data = load("embedded")
    medians = {}
    for name in ("plain56", "resnet56"):
        net = build_model(name, seed=0, **data.net_fields)
        table = rounding(net, *batch(64, data))
        medians[name] = table[["bfloat16", "float32"]].median()
    assert abs(medians["plain56"]["bfloat16"]) < 0.2 < 0.9 < medians["resnet56"]["bfloat16"]
    assert medians["plain56"]["float32"] < 0.99 < 0.9999 < medians["resnet56"]["float32"]
