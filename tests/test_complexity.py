"""Counts: the paper's numbers, and a trusted counter."""

import pytest
import torch
from helpers import FIRST_PAPER, cost_of, tiny_net
from torch.utils.flop_counter import FlopCounterMode

from resnet_lib import MODELS, ConfigError, ModelConfig, build_model, complexity
from resnet_lib.complexity import count
from resnet_lib.configs import SHORTCUTS

PARAMETERS = {
    20: 269_722,
    32: 464_154,
    44: 658_586,
    56: 853_018,
    110: 1_727_962,
    1202: 19_421_274,
}


@pytest.mark.parametrize("depth", PARAMETERS)
def test_parameters_are_the_paper_s(depth):
    """Paper, Table 6, to the last digit."""
    assert cost_of(f"resnet{depth}").parameters == PARAMETERS[depth]


@pytest.mark.parametrize("name", list(MODELS))
def test_weighted_layers_are_the_depth(name):
    assert cost_of(name).weighted_layers == MODELS[name].depth


@pytest.mark.parametrize("option", ["B", "C"])
def test_projections_are_not_counted_as_layers(option):
    assert complexity("resnet20", shortcut=option).weighted_layers == 20


@pytest.mark.parametrize("depth", sorted({MODELS[name].depth for name in FIRST_PAPER}))
def test_under_option_a_plain_and_residual_nets_cost_the_same(depth):
    assert cost_of(f"plain{depth}") == cost_of(f"resnet{depth}")


@pytest.mark.parametrize("name", FIRST_PAPER)
def test_maps_are_32_16_and_8(name):
    """Paper, section 4.2: the table of CIFAR nets."""
    n = (MODELS[name].depth - 2) // 6
    stages = {stage.name: stage for stage in cost_of(name).stages}
    for stage, size, width in (("conv2_x", 32, 16), ("conv3_x", 16, 32), ("conv4_x", 8, 64)):
        assert (stages[stage].size, stages[stage].channels) == (size, width)
        assert stages[stage].blocks == n
    assert (stages["conv1"].size, stages["conv1"].channels) == (32, 16)
    assert (stages["fc"].size, stages["fc"].channels) == (1, 10)


@pytest.mark.parametrize("name", [name for name in FIRST_PAPER if MODELS[name].depth < 1202])
def test_multiply_adds_are_half_of_the_operations_that_torch_counts(name):
    net = build_model(name, seed=0).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 32, 32))
    assert cost_of(name).multiply_adds * 2 == counter.get_total_flops()


@pytest.mark.parametrize("size", [28, 14, 7])
@pytest.mark.parametrize("option", SHORTCUTS)
@pytest.mark.parametrize("stem_stride", [1, 2])
def test_other_nets_are_counted_as_torch_counts_them(option, size, stem_stride):
    config = ModelConfig(
        14, option, width=8, in_channels=1, classes=7, stem_stride=stem_stride, batch_norm=False
    )
    net = build_model(config, seed=0).eval()
    shapes = {}
    for name in ("conv1", "conv2_x", "conv3_x", "conv4_x"):
        getattr(net, name).register_forward_hook(
            lambda module, inputs, output, name=name: shapes.update({name: output.shape})
        )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(2, 1, size, size))
    cost = complexity(config, size)
    assert cost.multiply_adds * 2 * 2 == counter.get_total_flops()
    assert cost.parameters == sum(p.numel() for p in net.parameters())
    for stage in cost.stages[:-1]:
        assert (stage.channels, stage.size) == (shapes[stage.name][1], shapes[stage.name][2])


@pytest.mark.parametrize("name", list(MODELS))
def test_stages_add_up(name):
    cost = cost_of(name)
    assert sum(stage.multiply_adds for stage in cost.stages) == cost.multiply_adds


def test_the_parameters_of_the_stages_add_up():
    cost = complexity("resnet20", shortcut="B")
    assert sum(stage.parameters for stage in cost.stages) == cost.parameters


def test_the_head_costs_its_weights():
    head = complexity("resnet20", classes=100).stages[-1]
    assert (head.multiply_adds, head.parameters) == (64 * 100, 64 * 100 + 100)


def test_projections_cost_parameters_and_multiply_adds():
    """Algebra: 1x1 kernels between 16 and 32, 32 and 64 channels, and their BN."""
    a, b = complexity("resnet20"), complexity("resnet20", shortcut="B")
    assert b.parameters - a.parameters == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert b.multiply_adds - a.multiply_adds == 16 * 32 * 16**2 + 32 * 64 * 8**2


def test_an_unknown_net_is_refused():
    with pytest.raises(ConfigError, match="resnet20"):
        complexity("resnet21")


def test_vgg_nets_cost_what_the_paper_compares_with():
    for depth, printed, with_head in ((16, 15.3e9, False), (19, 19.6e9, True)):
        net = complexity(f"vgg{depth}")
        head = net.stages[-1]
        cost = net.multiply_adds - (0 if with_head else head.multiply_adds)
        assert cost == pytest.approx(printed, rel=0.02)
        assert net.weighted_layers == depth
        for what in ("parameters", "multiply_adds"):
            assert sum(getattr(stage, what) for stage in net.stages) == getattr(net, what)
        assert [stage.size for stage in net.stages] == [224, 112, 56, 28, 14, 1]
        assert head.parameters == 25088 * 4096 + 4096**2 + 4096 * 1000 + 2 * 4096 + 1000


def test_counting_leaves_the_net_alone():
    net = tiny_net()
    count(net, 1, 7)
    assert not net.fc.weight.is_meta
    assert net.training


@pytest.mark.parametrize("size", [0, -3, 10])
def test_a_size_at_which_nothing_is_left_is_named(size):
    with pytest.raises(ConfigError, match=rf"(size is|images of) {size}\b"):
        complexity("vgg16", size)
