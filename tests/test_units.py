"""What passes from unit to unit, against independent computations."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from helpers import randomise_norms, same_weights, tiny_data, tiny_net

from resnet_lib import ConfigError, TrainConfig, build_model, train
from resnet_lib.analysis import SignalProbe, block_maps
from resnet_lib.batches import ChannelNormaliser
from resnet_lib.configs import ORDERS
from resnet_lib.units import sum_error, unit_signals


@pytest.mark.parametrize("order", ORDERS)
def test_unit_signals_are_those_of_the_net_run_unit_by_unit(order) -> None:
    net, data = tiny_net("resnet14", order=order), tiny_data()
    before = tiny_net("resnet14", order=order)
    table = unit_signals(net, data, 32)
    assert same_weights(net, before)
    batch = SignalProbe(data, 32)
    x, inputs = F.relu(net.train().bn1(net.conv1(batch.x))), []
    for stage in net.stages:
        for name, layer in getattr(net, stage).named_children():
            if name.isdigit():
                inputs.append(x)
            x = layer(x)
    loss = F.cross_entropy(net.fc(x.mean((2, 3))), batch.y)
    gradients = torch.autograd.grad(loss, inputs)
    assert table["unit"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["name"].iloc[2] == "conv3_x.0"
    for column, values in (
        ("mean", [each.mean() for each in inputs]),
        ("std", [each.std() for each in inputs]),
        ("gradient", [each.norm() for each in gradients]),
    ):
        assert table[column].tolist() == pytest.approx([v.item() for v in values], rel=1e-4)


def test_a_trained_net_sees_images_as_in_its_training() -> None:
    data, recipe = (
        tiny_data(),
        TrainConfig(iterations=3, milestones=(), normalisation="per-channel"),
    )
    net = tiny_net("resnet14")
    train(net, data, recipe, device="cpu", progress=False)
    found = sum_error(net, "conv3_x", data)
    seen = SignalProbe(data, 64, ChannelNormaliser.of(data)).x
    table = unit_signals(net, data)
    first = F.relu(copy.deepcopy(net).train().bn1(net.conv1(seen)))
    assert table["std"].iloc[0] == pytest.approx(first.std().item(), rel=1e-5)
    del net.record  # then it is taken for a net that got images minus the mean of each pixel
    assert found != pytest.approx(sum_error(net, "conv3_x", data), rel=1e-3)


def test_images_that_a_net_does_not_take_are_refused() -> None:
    net = build_model("resnet14", seed=0)
    for look in (
        lambda: unit_signals(net, tiny_data()),
        lambda: sum_error(net, "conv3_x", tiny_data()),
    ):
        with pytest.raises(ConfigError, match="takes 3 channels"):
            look()


@pytest.mark.parametrize("order", ["relu-only-preactivation", "preactivation"])
def test_units_with_nothing_after_the_addition_add_up(order) -> None:
    net = tiny_net("resnet20", order=order)
    randomise_norms(net)
    assert sum_error(net, "conv3_x", tiny_data()) < 1e-5


def test_a_relu_after_the_addition_takes_away_what_is_negative() -> None:
    """Of one unit behind the first: |relu(s) - s| over |relu(s)|, s being the sum."""
    net, data = tiny_net("resnet14"), tiny_data()
    randomise_norms(net)
    _, unit = net.blocks()[3]
    kept = {}
    unit.register_forward_hook(lambda _unit, given, out: kept.update(x=given[0], y=out))
    with torch.no_grad():
        net.eval()(SignalProbe(data, 64).x)
        inner = F.relu(unit.bn1(unit.conv1(kept["x"])))
        total = kept["x"] + unit.bn2(unit.conv2(inner))
    wanted = (kept["y"] - total).norm() / kept["y"].norm()
    assert sum_error(net, "conv3_x", data) == pytest.approx(wanted.item(), rel=1e-5)
    assert wanted > 0.01


def test_where_nothing_can_add_up() -> None:
    with pytest.raises(ConfigError, match="no shortcuts"):
        sum_error(tiny_net("plain14"), "conv3_x", tiny_data())
    with pytest.raises(ConfigError, match="conv2_x, conv3_x, conv4_x"):
        sum_error(tiny_net("resnet14"), "conv5_x", tiny_data())
    with pytest.raises(ConfigError, match="two units or more"):
        sum_error(tiny_net("resnet8"), "conv3_x", tiny_data())
    with pytest.raises(ConfigError, match="without BN"):
        sum_error(tiny_net("resnet14", batch_norm=False), "conv3_x", tiny_data())


def test_the_maps_of_a_preactivation_unit_add_up() -> None:
    net, x = tiny_net("resnet14", order="preactivation"), SignalProbe(tiny_data(), 1).x
    maps = block_maps(net, "conv3_x.1", x)
    assert maps["input"] + maps["residual"] == pytest.approx(maps["output"], abs=1e-6)
    with pytest.raises(ConfigError, match="without BN"):
        block_maps(tiny_net("resnet14", batch_norm=False), "conv3_x.1", x)
