"""Signals of a net against an independent computation by hand."""

import copy
import math
from dataclasses import replace

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
    tiny_train,
)
from torch import nn

from resnet_lib import MODELS, ConfigError, ModelConfig, build_model, deepen
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
from resnet_lib.configs import SHORTCUTS
from resnet_lib.constructions import construction_error, with_projections
from resnet_lib.data import Normaliser
from resnet_lib.seeds import compare, describe, direction, errors_at, gap
from resnet_lib.testing import measure_errors
from resnet_lib.training import evaluate


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


def curves():
    """Two nets, two seeds, two splits, rows in disorder."""
    rows = [
        ("deep", 0, "train", 200, 31.0),
        ("shallow", 1, "train", 100, 50.0),
        ("deep", 0, "train", 100, 60.0),
        ("shallow", 0, "train", 200, 30.0),
        ("shallow", 0, "train", 100, 10.0),
        ("deep", 1, "train", 100, 55.0),
        ("deep", 1, "train", 200, 20.0),
        ("shallow", 1, "train", 200, 25.0),
        ("deep", 0, "test", 200, 50.0),
        ("deep", 1, "test", 200, 50.0),
        ("shallow", 1, "test", 200, 48.0),
        ("shallow", 0, "test", 200, 40.0),
        ("shallow", 0, "test", 100, 90.0),
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "split", "iteration", "top1_error"])


def test_the_gap_is_that_of_the_last_errors_seed_by_seed():
    curves = complete_curves
    assert gap(curves(), "deep", "shallow").to_dict() == {0: 1.0, 1: -5.0}
    assert gap(curves(), "shallow", "deep").to_dict() == {0: -1.0, 1: 5.0}
    assert gap(curves(), "deep", "shallow", "test").to_dict() == {0: 10.0, 1: 2.0}


def complete_curves():
    return curves().assign(status="complete")


@pytest.mark.parametrize("status", ["diverged", "interrupted"])
def test_a_run_that_did_not_end_well_is_in_no_gap(status):
    frame = complete_curves()
    frame.loc[(frame["model"] == "deep") & (frame["seed"] == 1), "status"] = status
    assert gap(frame, "deep", "shallow").to_dict() == {0: 1.0}
    frame.loc[frame["model"] == "deep", "status"] = status
    assert "not measured" in describe(gap(frame, "deep", "shallow"))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([1.0, 2.0], "higher"),
        ([-1.0, -0.1], "lower"),
        ([-1.0, 2.0], "unclear"),
        ([0.0, 2.0], "unclear"),
        ([0.0, -2.0], "unclear"),
    ],
)
def test_a_direction_is_one_that_all_seeds_agree_on(values, word):
    assert direction(pd.Series(values)) == word


def test_a_difference_in_words_gives_mean_range_and_doubt():
    assert describe(pd.Series([2.0, 3.0, 2.5])) == "+2.5 points (+2.0 to +3.0 over 3 seeds)"
    told = "+2.1 points (+1.2 to +3.0 over 3 seeds; the 95% interval holds zero)"
    assert describe(pd.Series([1.25, 3.0, 2.0])) == told
    assert describe(pd.Series([0.0, 0.0])) == "0.0 points (on each of 2 seeds)"
    told = "+1.0 points (\N{MINUS SIGN}1.0 to +3.0 over 2 seeds; they do not agree)"
    assert describe(pd.Series([-1.0, 3.0])) == told
    assert describe(pd.Series([-2.04])) == "\N{MINUS SIGN}2.0 points (1 seed)"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([4.0, 5.0], [-1.0, 2.0], "closed on some seeds only"),
        ([4.0, 5.0], [-1.0, -2.0], "turned round"),
        ([-2.0, -2.0], [-2.0, -2.0], "was not there"),
        ([0.0, 0.0], [1.0, 2.0], "was not there"),
        ([4.0, 5.0], [1.0, 2.0], "shrank"),
        ([4.0, 5.0], [6.0, 7.0], "grew"),
        ([4.0, 5.0], [5.0, 4.0], "stayed open"),
    ],
)
def test_how_a_gap_changed(before, after, words):
    assert compare(pd.Series(before), pd.Series(after)).startswith(words)


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


def test_the_error_by_some_iterations_is_that_of_a_window_before_them():
    found = errors_at(curves(), [100, 200], window=100)
    assert found.loc[100].to_dict() == {"deep": 57.5, "shallow": 30.0}
    assert found.loc[200].to_dict() == {"deep": 25.5, "shallow": 27.5}
    assert errors_at(curves(), [200], window=200).loc[200, "deep"] == 41.5


@pytest.mark.parametrize(
    ("names", "split", "told"),
    [
        (("deep", "ResNet-56"), "train", "'ResNet-56': the nearest are resnet56"),
        (("deep", "shallow"), "training", "split 'training' is unknown"),
    ],
)
def test_a_gap_between_what_there_is_not_is_told_so(names, split, told):
    """It read as not measured."""
    with pytest.raises(ConfigError, match=told):
        gap(complete_curves(), *names, split=split)
    assert not len(gap(complete_curves(), "plain20, small init", "plain20")), "a net without runs"


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


# The construction of a deeper net from a shallower one


def trained(option, batch_norm=True):
    """After some training, so that BN has statistics of its own."""
    net = tiny_net(ModelConfig(8, option, batch_norm=batch_norm))
    tiny_train(net, iterations=4, milestones=(), lr=0.01)
    return net


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("option", ["none", "A", "B"])
def test_a_deepened_net_computes_the_same(option, batch_norm):
    """Paper, section 1; on images that were not used for the construction."""
    net = trained(option, batch_norm)
    deep = deepen(net, 26, tiny_data())
    assert deep.config == replace(net.config, depth=26)
    x = torch.randn(16, 1, 7, 7, generator=torch.Generator().manual_seed(0)).double()
    expected = copy.deepcopy(net).double().eval()(x)
    assert expected.std() > 0.01
    # float32 rounds each added scale: an error near 1e-7 a layer.
    torch.testing.assert_close(deep.double().eval()(x), expected, rtol=1e-5, atol=1e-5)
    assert main_path(net)[0][1].weight.dtype == torch.float32


@pytest.mark.parametrize("option", ["none", "A", "B"])
def test_a_deepened_net_has_the_statistics_of_its_signals(option):
    """So BN is undone by statistics as training would leave them, not by those it starts with."""
    data = tiny_data(train_images=256)
    deep = deepen(trained(option), 20, data).eval()
    seen = {}
    for name, module in deep.named_modules():
        if isinstance(module, nn.BatchNorm2d) and ".1." in name + ".":
            module.register_forward_pre_hook(
                lambda module, inputs, name=name: seen.update({name: (module, inputs[0])})
            )
    with torch.no_grad():
        deep(Normaliser(data)(data.train_images))
    assert len(seen) == 3 * 2
    for module, x in seen.values():
        var, mean = torch.var_mean(x.double(), (0, 2, 3))
        torch.testing.assert_close(module.running_mean.double(), mean, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(module.running_var.double(), var, rtol=1e-3, atol=1e-5)


def test_deepen_leaves_the_net_alone():
    for training in (True, False):
        net = tiny_net("resnet8").train(training)
        deep = deepen(net, 14, tiny_data())
        with torch.no_grad():
            for value in [*deep.parameters(), *deep.buffers()]:
                value.fill_(7)
        assert same_weights(net, tiny_net("resnet8"))
        assert net.training == training


def test_a_deepened_net_can_be_made_with_few_images():
    data = tiny_data(train_images=100)
    net = trained("none")
    x = Normaliser(data)(data.test_images)
    with torch.no_grad():
        torch.testing.assert_close(
            deepen(net, 14, data).eval()(x), net.eval()(x), rtol=1e-4, atol=1e-4
        )


def test_deepen_refuses_what_it_cannot_do():
    with pytest.raises(ConfigError, match="option C"):
        deepen(tiny_net("resnet8", shortcut="C"), 14, tiny_data())
    with pytest.raises(ConfigError, match=r"8 .*14"):
        deepen(tiny_net("resnet14"), 8, tiny_data())
    with pytest.raises(ConfigError, match="14 and 20"):
        deepen(tiny_net("resnet8"), 16, tiny_data())


@pytest.mark.parametrize("option", ["none", "A"])
def test_the_construction_is_checked_by_outputs(option):
    data = tiny_data()
    shallow = trained(option)
    found = construction_error(shallow, deepen(shallow, 20, data), data)
    assert found["scale"] > 0.1
    assert found["difference"] < 1e-4 * found["scale"]
    assert found["shallow"] == found["deep"]
    error = evaluate(shallow, data.test_images, data.test_labels, Normaliser(data))[1]
    assert found["shallow"] == pytest.approx(error)
    one_sided = tiny_net("plain8", seed=1)
    with torch.no_grad():
        one_sided.fc.bias[0] = 100  # sees one class of ten everywhere
    other = construction_error(shallow, one_sided, data)
    assert other["difference"] > 1e-3 * other["scale"]
    assert other["deep"] == pytest.approx(90)
    assert other["shallow"] == found["shallow"] != pytest.approx(90)


def test_checking_the_construction_leaves_both_nets_as_they_were():
    one, other = tiny_net("plain8").train(), tiny_net("plain14").train()
    construction_error(one, other, tiny_data())
    for net, name in ((one, "plain8"), (other, "plain14")):
        assert net.training
        assert net.fc.weight.dtype == torch.float32
        assert same_weights(net, tiny_net(name))


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


def test_nets_built_from_a_trained_one_see_images_as_it_did():
    """Not by the mean of each pixel, where it was trained by that of each channel."""
    data = tiny_data()
    net = tiny_net("plain8")
    recorded = tiny_train(net, normalisation="per-channel").curves["top1_error"].iloc[-1]
    deep = deepen(net, 14, data)
    found = construction_error(net, deep, data)
    assert found["shallow"] == pytest.approx(recorded)
    assert found["difference"] < 1e-3
    assert measure_errors([deep], data, device="cpu").top1_error == pytest.approx(recorded)
    residual = tiny_net("resnet8")
    tiny_train(residual, normalisation="per-channel")
    assert with_projections(residual, "B", data).source is residual.record


def test_building_on_images_of_another_shape_is_refused():
    grey, colour = tiny_data(), build_model("resnet8", seed=0, width=4)
    for act in (
        lambda: deepen(colour, 14, grey),
        lambda: with_projections(colour, "B", grey),
        lambda: construction_error(colour, colour, grey),
    ):
        with pytest.raises(ConfigError, match="takes 3 channels"):
            act()
