"""Signals of a net against an independent computation by hand."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from helpers import (
    FIRST_PAPER,
    hooks_of,
    net_by_hand,
    randomise_norms,
    same_weights,
    tiny_data,
    tiny_net,
)
from torch import nn

from resnet_lib import MODELS, ConfigError, ModelConfig
from resnet_lib.analysis import (
    PROBES,
    SignalProbe,
    dead_channels,
    first_to_last,
    health,
    main_path,
    response_sizes,
    responses_by_stage,
    signals,
    weaker_layers,
)
from resnet_lib.batches import Normaliser
from resnet_lib.configs import SHORTCUTS
from resnet_lib.figures import panels, plot_layers


def batch(images=16):
    data = tiny_data()
    return Normaliser(data)(data.train_images[::20][:images]), data.train_labels[::20][:images]


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("option", SHORTCUTS)
def test_signals_are_those_of_an_independent_computation(option, batch_norm):
    net = tiny_net(ModelConfig(14, option, batch_norm=batch_norm))
    if batch_norm:
        randomise_norms(net)
    x, y = batch()
    table = signals(net, x, y).set_index("name")

    values = {
        name: value.double().requires_grad_(value.is_floating_point())
        for name, value in copy.deepcopy(net.state_dict()).items()
        if value.is_floating_point()
    }
    logits, kept = net_by_hand(net, values, x.double(), training=True)
    loss = F.cross_entropy(logits, y)
    weights = [values[f"{name}.weight"] for name in kept]
    gradients = torch.autograd.grad(loss, [*kept.values(), *weights])
    assert list(table.index) == list(kept)
    assert list(table["layer"]) == list(range(1, 14))
    for i, (name, response) in enumerate(kept.items()):
        row = table.loc[name]
        assert row["response_std"] == pytest.approx(response.std().item(), rel=1e-4)
        assert row["activation_gradient"] == pytest.approx(gradients[i].norm().item(), rel=1e-3)
        assert row["weight_norm"] == pytest.approx(weights[i].norm().item(), rel=1e-5)
        weight_gradient = gradients[len(kept) + i].norm().item()
        assert row["weight_gradient"] == pytest.approx(weight_gradient, rel=1e-3)
        product = weight_gradient * weights[i].norm().item()
        assert row["scaled_weight_gradient"] == pytest.approx(product, rel=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_the_net_as_it_was(training):
    net = tiny_net("resnet8").train(training)
    before = copy.deepcopy(net)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    signals(net, *batch())
    assert same_weights(net, before)
    assert net.training == training
    assert all(value.grad is None for value in net.parameters())
    assert hooks_of(net) == hooks_of(before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", [name for name in FIRST_PAPER if MODELS[name].depth <= 110])
def test_the_main_path_has_every_convolution_but_the_projections(name):
    options = ("none",) if name.startswith("plain") else ("A", "B", "C")
    for option in options:
        net = tiny_net(name, shortcut=option)
        path = main_path(net)
        assert len(path) == MODELS[name].depth - 1
        assert len({id(conv) for _, conv, _ in path}) == len({id(bn) for _, _, bn in path})
        assert all(conv.kernel_size == (3, 3) for _, conv, _ in path)
        assert all(conv.out_channels == bn.num_features for _, conv, bn in path)


def test_under_bn_the_weight_gradient_is_inverse_to_the_weights():
    """Ten times the weights: a tenth of the gradient, the same product and the same signals."""
    net, x, y = tiny_net("plain20"), *batch()
    one = signals(net, x, y)
    scaled = copy.deepcopy(net)
    with torch.no_grad():
        for module in scaled.modules():
            if isinstance(module, nn.Conv2d):
                module.weight *= 10
    ten = signals(scaled, x, y)

    def close(a, b):
        # BN's eps weighs 100 times less beside the larger weights.
        assert (a / b - 1).abs().max() < 0.01

    close(ten["weight_norm"], 10 * one["weight_norm"])
    close(ten["weight_gradient"], one["weight_gradient"] / 10)
    close(ten["scaled_weight_gradient"], one["scaled_weight_gradient"])
    close(ten["activation_gradient"], one["activation_gradient"])
    close(ten["response_std"], one["response_std"])


def test_the_gradient_of_a_wide_plain_net_grows_as_chapter_1_derives():
    """Fully connected layers, He's weights and BN: by 1 / sqrt(1 - 1 / pi) a layer."""
    torch.manual_seed(0)
    signal, outputs = torch.randn(1000, 300), []
    for _ in range(16):
        weights = torch.randn(300, 300) * (2 / 300) ** 0.5
        outputs.append(F.batch_norm(signal @ weights, None, None, training=True).requires_grad_())
        signal = F.relu(outputs[-1])
    gradients = torch.autograd.grad((signal * torch.randn(1000, 300)).sum(), outputs)
    growth = (gradients[0].norm() / gradients[-1].norm()) ** (1 / 15)
    assert growth == pytest.approx((1 - 1 / torch.pi) ** -0.5, rel=0.02)


@pytest.mark.parametrize("name", list(PROBES))
def test_every_probe_gives_the_same_table_twice(name):
    net = tiny_net("resnet8")
    first, second = PROBES[name](tiny_data())(net), PROBES[name](tiny_data())(net)
    assert len(first)
    pd.testing.assert_frame_equal(first, second)


def test_the_signal_probe_looks_at_training_images_of_many_classes():
    probe = SignalProbe(tiny_data(), images=64)
    assert probe.x.shape == (64, 1, 7, 7)
    assert len(probe.y.unique()) == 10
    normalised = Normaliser(tiny_data())(tiny_data().train_images)
    for x, y in zip(probe.x, probe.y, strict=True):
        where = (normalised == x).flatten(1).all(1)
        assert y in tiny_data().train_labels[where]
    net = tiny_net("resnet8")
    pd.testing.assert_frame_equal(probe(net), signals(net, probe.x, probe.y))


def test_a_channel_whose_scale_is_gone_is_dead():
    net = tiny_net("resnet8")
    assert dead_channels(net)["dead"].sum() == 0
    with torch.no_grad():
        net.bn1.weight[1] = -0.005
        net.bn1.weight[2] = -1.0  # as much alive as with a scale of 1
        net.conv3_x[0].bn2.weight[:3] = 0.0
    table = dead_channels(net).set_index("name")
    assert table["dead"].to_dict() == {name: 0 for name in table.index} | {
        "conv1": 1,
        "conv3_x.0.conv2": 3,
    }
    assert list(table["channels"]) == [4] * 3 + [8] * 2 + [16] * 2
    assert dead_channels(net, bound=0.001)["dead"].sum() == 3
    with pytest.raises(ConfigError, match="without BN"):
        dead_channels(tiny_net("resnet8", batch_norm=False))


def test_the_ratio_of_first_to_last_layer_is_a_geometric_mean_over_seeds():
    rows = [
        {"model": model, "seed": seed, "iteration": iteration, "layer": layer, "x": value}
        for model, seed, iteration, values in (
            ("a", 0, 0, (8.0, 5.0, 2.0)),
            ("a", 1, 0, (2.0, 5.0, 1.0)),
            ("a", 0, 7, (1.0, 1.0, 4.0)),
            ("a", 1, 7, (3.0, 1.0, 4.0)),
            ("a", 0, 3, (9.0, 9.0, 1.0)),
            ("b", 0, 0, (1.0, 10.0)),
            ("b", 0, 7, (1.0, 1.0)),
        )
        for layer, value in enumerate(values, start=1)
    ]
    frame = pd.DataFrame(rows).sample(frac=1, random_state=0)
    found = first_to_last(frame, "x").to_dict()
    wanted = {("a", 0): 8**0.5, ("a", 7): 0.1875**0.5, ("b", 0): 0.1, ("b", 7): 1.0}
    assert found == pytest.approx(wanted)

    found = first_to_last(frame[frame["model"] == "a"], "x", [0, 3, 7]).to_dict()
    assert found == pytest.approx({("a", 0): 8**0.5, ("a", 3): 9.0, ("a", 7): 0.1875**0.5})


def test_layers_of_runs_that_differ_are_not_averaged():
    probed = pd.DataFrame(
        [
            {"model": model, "seed": 0, "run_id": run, "setting": run, "iteration": 0}
            | {"layer": layer, "response_std": 1.0, "kind": "plain", "depth": 20}
            for model, run in (("a", 1), ("a", 2), ("b", 3))
            for layer in (1, 2)
        ]
    )
    for act in (
        lambda: first_to_last(probed, "response_std"),
        lambda: weaker_layers(probed, "a", "b"),
        lambda: plot_layers(probed, panels(1)[1][0], "response_std", 0),
    ):
        with pytest.raises(ConfigError, match="2 runs of a with seed 0"):
            act()


@pytest.mark.parametrize("images", [0, -1, 2.5])
def test_a_probe_looks_at_some_images(images):
    with pytest.raises(ConfigError, match="images is"):
        SignalProbe(tiny_data(), images)


def test_responses_of_f_are_medians_of_a_stage_at_the_last_moment():
    rows = [
        {
            "model": "n",
            "depth": 8,
            "iteration": moment,
            "name": name,
            "response_std": value + moment,
        }
        for moment in (0, 9)
        for name, value in (
            ("conv1", 100.0),
            ("conv2_x.0.conv1", 50.0),
            ("conv2_x.0.conv2", 1.0),
            ("conv2_x.1.conv2", 3.0),
            ("conv3_x.0.conv2", 7.0),
        )
    ]
    found = responses_by_stage(pd.DataFrame(rows)).to_dict("records")
    assert found == [{"model": "n", "stage 1": 11.0, "stage 2": 16.0}]


@pytest.mark.parametrize(
    ("ratio", "word"),
    [
        (0.0, "vanishing"),
        (0.09, "vanishing"),
        (0.1, "healthy"),
        (10.0, "healthy"),
        (11.0, "exploding"),
        (math.inf, "exploding"),
        (math.nan, "not measured"),
        (np.float64("nan"), "not measured"),
    ],
)
def test_health_within_a_factor_of_ten(ratio, word):
    assert health(ratio) == word


def test_weaker_layers_are_counted_at_the_last_moment():
    rows = [
        ("resnet20", 0, 9, 1, 0.5),
        ("plain20", 0, 9, 1, 0.9),
        ("resnet20", 0, 9, 2, 0.9),
        ("plain20", 0, 9, 2, 0.5),
        ("resnet20", 0, 0, 2, 0.1),
        ("plain20", 0, 0, 2, 0.5),
        ("resnet20", 1, 9, 1, 0.5),
    ]
    columns = ["model", "seed", "iteration", "layer", "response_std"]
    frame = pd.DataFrame(rows, columns=columns)
    assert weaker_layers(frame, "resnet20", "plain20").to_dict() == {0: 50.0}
    assert len(weaker_layers(frame, "resnet56", "plain56")) == 0


def test_responses_of_residual_functions_stand_apart_from_other_layers():
    rows = [
        (56, "plain56", 0, 9, "conv1", 8.0),
        (56, "plain56", 0, 9, "conv2_x.0.conv1", 2.0),
        (56, "plain56", 0, 9, "conv2_x.0.conv2", 1.0),
        (56, "plain56", 1, 9, "conv2_x.0.conv2", 3.0),
        (20, "resnet20", 0, 9, "conv1", 1.0),
        (20, "resnet20", 0, 9, "conv2_x.0.conv2", 0.5),
        (20, "resnet20", 0, 0, "conv2_x.0.conv2", 9.0),
    ]
    columns = ["depth", "model", "seed", "iteration", "name", "response_std"]
    table = response_sizes(pd.DataFrame(rows, columns=columns))
    assert table.to_numpy().tolist() == [
        ["resnet20", 0.5, 1.0, 0.75, 1],
        ["plain56", 2.0, 5.0, 3.5, 2],
    ]
