"""What rounding does to a net: against independent computations, and as the book says."""

from __future__ import annotations

import copy
from functools import cache

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from helpers import hooks_of, net_by_hand, same_weights, tiny_data, tiny_net

from resnet_lib import ConfigError, build_model, load
from resnet_lib.analysis import SignalProbe, main_path
from resnet_lib.rounding import agreement, rounding


def batch(images=32, data=None):
    probe = SignalProbe(data or tiny_data(), images)
    return probe.x, probe.y


def by_hand(net, x, y):
    """Outputs and weight gradients of each layer in float64, from the operations alone."""
    values = {
        key: value.double().requires_grad_()
        for key, value in net.state_dict().items()
        if value.is_floating_point()
    }
    logits, kept = net_by_hand(net, values, x.double(), training=True)
    weights = [values[f"{layer}.weight"] for layer in kept]
    return kept, dict(
        zip(kept, torch.autograd.grad(F.cross_entropy(logits, y), weights), strict=True)
    )


def test_a_precision_that_is_not_compared_is_refused():
    """It was taken for float32."""
    with pytest.raises(ConfigError, match="precision 'float16' is unknown"):
        rounding(tiny_net("resnet8"), *batch(), "float16")


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("name", ["plain14", "resnet14"])
def test_rounding_is_that_of_an_independent_computation(name, precision):
    net, (x, y) = tiny_net(name), batch()
    table = rounding(net, x, y, precision).set_index("name")
    outputs, gradients = by_hand(net, x, y)

    own, seen = copy.deepcopy(net).train(), {}
    for layer, _, norm in main_path(own):
        norm.register_forward_hook(lambda _m, _i, out, layer=layer: seen.update({layer: out}))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        logits = own(x)
    F.cross_entropy(logits.float(), y).backward()
    for layer, exact in gradients.items():
        one, other = own.get_submodule(layer).weight.grad.double().flatten(), exact.flatten()
        turned = (F.normalize(one, dim=0) * F.normalize(other, dim=0)).sum().item()
        assert table.loc[layer, "cosine"] == pytest.approx(turned, abs=1e-6)
        off = (seen[layer].double() - outputs[layer]).pow(2).sum().sqrt()
        size = outputs[layer].pow(2).sum().sqrt()
        assert table.loc[layer, "output_error"] == pytest.approx((off / size).item(), rel=1e-5)
    assert list(table.index) == list(gradients)
    assert list(table["layer"]) == list(range(1, 14))


def test_more_bits_change_less():
    net = tiny_net("plain20")
    coarse, fine = (rounding(net, *batch(), each) for each in ("bfloat16", "float32"))
    assert (fine["cosine"] > 0.9999).all()
    assert coarse["cosine"].median() < 0.99
    assert (fine["output_error"] < coarse["output_error"] / 1000).all()


def test_two_batches_agree_as_an_independent_computation_says():
    net, (x, y) = tiny_net("resnet14"), batch(64)
    table = agreement(net, (x[:32], y[:32]), (x[32:], y[32:])).set_index("name")
    one, other = by_hand(net, x[:32], y[:32])[1], by_hand(net, x[32:], y[32:])[1]
    for layer in one:
        turned = F.cosine_similarity(one[layer].flatten(), other[layer].flatten(), dim=0).item()
        assert table.loc[layer, "cosine"] == pytest.approx(turned, abs=1e-6)
    same = agreement(net, (x, y), (x, y))
    assert same["cosine"].to_numpy() == pytest.approx(1.0)


def test_measuring_leaves_the_net_as_it_was():
    net = tiny_net("resnet8", dropout=0.5).eval()
    before, state = copy.deepcopy(net), torch.get_rng_state()
    rounding(net, *batch())
    agreement(net, batch(), batch())
    assert same_weights(net, before)
    assert not net.training
    assert all(value.grad is None for value in net.parameters())
    assert hooks_of(net) == hooks_of(before)
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_leaves_out_the_same_in_both_precisions():
    net = tiny_net("resnet8", dropout=0.5)
    assert (rounding(net, *batch(), "float32")["cosine"] > 0.9999).all()
    assert (rounding(net, *batch(), "bfloat16")["cosine"] > 0.8).all()


def test_a_gradient_that_is_zero_has_no_direction():
    net = tiny_net("resnet8")
    torch.nn.init.zeros_(net.fc.weight)
    assert rounding(net, *batch())["cosine"].isna().all()


@cache
def new_nets() -> dict[str, pd.DataFrame]:
    data = load("embedded")
    names = ("plain20", "plain56", "resnet56")
    nets = {name: build_model(name, seed=0, **data.net_fields) for name in names}
    return {name: rounding(net, *batch(64, data)) for name, net in nets.items()}


def test_as_chapter_1_says_rounding_turns_the_gradient_of_a_new_plain56_and_of_no_other():
    median = {name: table["cosine"].median() for name, table in new_nets().items()}
    assert abs(median["plain56"]) < 0.2 < 0.6 < median["plain20"] < 0.9 < median["resnet56"]


def test_as_chapter_1_says_the_error_of_the_outputs_grows_on_the_way_up():
    first, last = (
        {name: table["output_error"].iloc[row] for name, table in new_nets().items()}
        for row in (0, -1)
    )
    assert max(first.values()) < 0.01
    assert last["plain56"] > 0.7 > 0.3 > max(last["plain20"], last["resnet56"])
