"""Nets built from a trained one compute what it does."""

import copy
from dataclasses import replace

import pytest
import torch
from helpers import same_weights, tiny_data, tiny_net, tiny_train
from torch import nn

from resnet_lib import ConfigError, ModelConfig, build_model, deepen
from resnet_lib.analysis import main_path
from resnet_lib.batches import Normaliser
from resnet_lib.constructions import construction_error, with_projections
from resnet_lib.testing import measure_errors
from resnet_lib.training import evaluate


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
