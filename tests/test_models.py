"""The nets: structure and initial weights."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import FIRST_PAPER, TINY, net_by_hand, randomise_norms, same_weights, tiny_net
from torch import nn

from resnet_lib import EXPERIMENTS, MODELS, ConfigError, ModelConfig, build_model
from resnet_lib.blocks import BasicBlock, ProjectionShortcut
from resnet_lib.configs import INITS, SHORTCUTS
from resnet_lib.models import ResNet, initialise, model_config, undrawn

BUILT = [name for name in FIRST_PAPER if MODELS[name].depth <= 110]


def convolutions(net):
    """Names and convolutions off the shortcuts."""
    return {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) and "shortcut" not in name
    }


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize("training", [False, True])
def test_a_net_computes_what_the_paper_says(name, training):
    net = tiny_net(name).double()
    randomise_norms(net)
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    expected, _ = net_by_hand(net, net.state_dict(), x, training)
    with torch.no_grad():
        out = net.train(training)(x)
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=1e-8)
    assert out.std() > 0


@pytest.mark.parametrize("option", SHORTCUTS)
@pytest.mark.parametrize("changes", [{}, {"batch_norm": False}, {"stem_stride": 2}, {"classes": 3}])
def test_a_changed_net_computes_what_the_paper_says(option, changes):
    net = build_model(ModelConfig(14, option, width=4, in_channels=2, **changes), seed=0).double()
    randomise_norms(net)
    x = torch.randn(4, 2, 9, 8, generator=torch.Generator().manual_seed(0)).double()
    expected, _ = net_by_hand(net, net.state_dict(), x)
    torch.testing.assert_close(net.eval()(x), expected, rtol=1e-9, atol=1e-9)
    assert expected.shape == (4, changes.get("classes", 10))


@pytest.mark.parametrize("name", BUILT)
def test_shortcuts_and_projections_by_option(name):
    config = MODELS[name]
    n = (config.depth - 2) // 6
    options = ("none",) if config.kind == "plain" else ("A", "B", "C")
    for option in options:
        with torch.device("meta"):
            net = build_model(replace(config, shortcut=option), seed=0)
        blocks = [m for m in net.modules() if isinstance(m, BasicBlock)]
        joined = [block for block in blocks if block.shortcut is not None]
        projected = [m for m in net.modules() if isinstance(m, ProjectionShortcut)]
        assert len(blocks) == len(net.blocks()) == 3 * n
        assert len(joined) == (0 if option == "none" else 3 * n)
        assert len(projected) == {"none": 0, "A": 0, "B": 2, "C": 3 * n}[option]
        strides = [each for each, block in enumerate(blocks) if block.conv1.stride != (1, 1)]
        assert strides == [n, 2 * n]


@pytest.mark.parametrize("name", BUILT)
def test_bn_follows_every_convolution_and_no_bias_precedes_it(name):
    """By the order of execution: each convolution's output is the next BN's input."""
    net = tiny_net(name).eval()
    trace = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            module.register_forward_hook(
                lambda module, inputs, output: trace.append((module, inputs[0], output))
            )
    with torch.no_grad():
        net(torch.randn(1, 1, 8, 8))
    assert len(trace) == 2 * (net.config.depth - 1)
    for (conv, _, made), (norm, taken, _) in zip(trace[::2], trace[1::2], strict=True):
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is None
        assert isinstance(norm, nn.BatchNorm2d)
        assert made is taken


def test_without_bn_convolutions_have_a_bias_of_zero():
    net = tiny_net("resnet8", shortcut="C", batch_norm=False)
    found = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(found) == 7 + 3
    assert all(conv.bias is not None and not conv.bias.any() for conv in found)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("option", ["none", "C"])
def test_initial_weights_have_the_deviation_that_was_asked_for(init, option):
    net = build_model(ModelConfig(14, option, width=16, init=init), seed=3)
    for name, module in net.named_modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        weight = module.weight
        fan_in = weight[0].numel()
        fan_out = weight.shape[0] * math.prod(weight.shape[2:])
        wanted = {
            "he": math.sqrt(2 / fan_in),
            "he-fan-out": math.sqrt(2 / fan_out),
            "xavier": math.sqrt(2 / (fan_in + fan_out)),
            "small": 0.01,
        }[init]
        # The deviation of n normal numbers scatters by 1 / sqrt(2n), their mean by 1 / sqrt(n).
        n = weight.numel()
        assert abs(weight.std().item() / wanted - 1) < 5 / math.sqrt(2 * n), name
        assert abs(weight.mean().item()) < 5 * wanted / math.sqrt(n), name
        kurtosis = (weight / wanted).pow(4).mean().item()
        assert abs(kurtosis - 3) < 5 * math.sqrt(96 / n), f"{name} is not normal"


def test_bn_starts_as_standardisation_and_fc_without_bias():
    net = tiny_net("resnet8", shortcut="B")
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()
    assert not net.fc.bias.any()


@pytest.mark.parametrize(("init", "ratio"), [("he", 1.0), ("xavier", 0.5)])
def test_he_initialisation_preserves_the_variance_through_a_deep_plain_stack(init, ratio):
    """He et al. 2015, equation 10; borders wrap, because zero padding takes variance away."""
    net = build_model(
        ModelConfig(56, "none", width=16, batch_norm=False, init=init), seed=0
    ).double()
    energies = []
    for conv in convolutions(net).values():
        if conv.in_channels == conv.out_channels or conv is net.conv1:
            conv.padding_mode = "circular"
        conv.register_forward_hook(
            lambda module, inputs, output: energies.append(output.square().mean().item())
        )
    with torch.no_grad():
        net(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double())
    assert len(energies) == 55
    per_layer = (energies[-1] / energies[0]) ** (1 / 54)
    assert abs(per_layer / ratio - 1) < 0.1


@pytest.mark.parametrize("depth", [8, 20])
def test_twins_start_from_the_same_main_path(depth):
    nets = {option: build_model(ModelConfig(depth, option), seed=5) for option in SHORTCUTS}
    plain = convolutions(nets["none"])
    for net in nets.values():
        own = convolutions(net)
        assert own.keys() == plain.keys()
        assert all(torch.equal(own[name].weight, plain[name].weight) for name in plain)
        assert torch.equal(net.fc.weight, nets["none"].fc.weight)


def test_projections_draw_from_a_stream_of_their_own():
    """Whatever numbers the main path starts from, no projection starts from the same ones."""
    net = build_model("resnet20", shortcut="C", seed=5)
    main = [module.weight / module.weight.std() for module in convolutions(net).values()]
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and "shortcut" in name:
            own = (module.weight / module.weight.std()).flatten()
            for other in main:
                n = min(len(own), other.numel())
                both = torch.stack([own[:n], other.flatten()[:n]])
                assert torch.corrcoef(both)[0, 1].abs() < 0.5, f"{name} repeats the main path"


@pytest.mark.parametrize("option", SHORTCUTS)
def test_another_seed_draws_other_weights(option):
    one, other = (tiny_net(ModelConfig(8, option), seed=seed) for seed in (0, 1))
    for name, value in one.state_dict().items():
        if value.ndim > 1:
            assert not torch.equal(value, other.state_dict()[name]), name
    assert same_weights(one, tiny_net(ModelConfig(8, option), seed=0))


def test_without_a_seed_torch_s_global_one_decides():
    torch.manual_seed(11)
    one = build_model("resnet8", **TINY)
    second = build_model("resnet8", **TINY)
    torch.manual_seed(11)
    again = build_model("resnet8", **TINY)
    torch.manual_seed(12)
    other = build_model("resnet8", **TINY)
    assert one.seed == again.seed
    assert same_weights(one, again)
    assert not same_weights(one, other)
    assert not same_weights(one, second)
    assert same_weights(one, build_model("resnet8", seed=one.seed, **TINY))


def test_an_unknown_initialisation_is_refused_before_weights_are_drawn():
    with pytest.raises(ConfigError, match="initialisation"):
        build_model("resnet8", init="zeros")


def test_initialise_redraws_all_weights():
    net = tiny_net("resnet8", shortcut="C", seed=1)
    initialise(net, "he", 0)
    assert same_weights(net, tiny_net("resnet8", shortcut="C", seed=0))


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].depth <= 50])
@pytest.mark.parametrize("changes", [{}, {"batch_norm": False}], ids=str)
def test_no_weight_is_left_undrawn(name, changes):
    """build_model saves torch's own drawing; over a drawn net, `initialise` must give the same."""
    config = replace(MODELS[name], width=4, **changes)
    drawn = ResNet(config)
    initialise(drawn, config.init, 3)
    assert same_weights(build_model(config, seed=3), drawn)


def test_other_threads_layers_are_drawn_while_a_net_is_built():
    found = {}

    def elsewhere():
        found["there"] = nn.Conv2d(3, 4, 3).weight.abs().sum().item()

    with undrawn():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        before = nn.Conv2d.reset_parameters
    assert found["there"] > 0
    assert nn.Conv2d.reset_parameters is not before
    assert nn.Conv2d(3, 4, 3).weight.abs().sum() > 0


def test_layers_are_drawn_again_after_an_error():
    usual = nn.Conv2d.reset_parameters, nn.Linear.reset_parameters
    with pytest.raises(ValueError, match="stop"), undrawn():
        raise ValueError("stop")
    assert (nn.Conv2d.reset_parameters, nn.Linear.reset_parameters) == usual


def test_nets_built_at_once_in_several_threads_are_those_built_in_turn():
    usual = nn.Conv2d.reset_parameters, nn.Linear.reset_parameters
    wanted = [tiny_net("resnet20", seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: tiny_net("resnet20", seed=seed), range(8)))
    assert all(same_weights(*pair) for pair in zip(found, wanted, strict=True))
    assert (nn.Conv2d.reset_parameters, nn.Linear.reset_parameters) == usual


def test_a_seed_of_numpy_gives_the_weights_of_its_value():
    nets = [tiny_net(seed=seed) for seed in (3, np.int64(3))]
    assert same_weights(*nets)
    assert nets[1].seed == 3


@pytest.mark.parametrize("seed", [True, 1.5, "abc"])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(ConfigError, match="whole number"):
        tiny_net(seed=seed)


def test_a_net_can_be_built_by_the_name_that_it_has():
    """What legends, tables and records call it: of options, blocks, orders and junctions, too."""
    arms = [arm.net() for each in EXPERIMENTS.values() for arm in each.arms]
    names = {net.name for net in arms}
    assert {
        "resnet56-C",
        "resnet83",
        "resnet20-single-layer",
        "resnet56-bn-after-addition",
    } <= names
    for name in names:
        assert model_config(name).name == name
    # The same net, but for what stands in no name: BN, initialisation, a junction's numbers.
    said = ("family", "depth", "block", "shortcut", "order", "junction", "width")
    deep = [model_config(f"resnet{n}", shortcut=option) for n in (50, 101) for option in "ABC"]
    for net in (*arms, *deep):
        named = model_config(net.name)
        assert [getattr(named, each) for each in said] == [getattr(net, each) for each in said]
    assert model_config("preresnet164-B").block == model_config("preresnet164").block
    assert model_config("resnet29").block == "bottleneck"
    assert model_config("resnet56-C").shortcut == "C"
    for wrong in (
        "resnet56-D",
        "plain20-A",
        "resnet56-C-C",
        "resnet56-",
        "resnet20-A-B",
        "resnet164-original",
    ):
        with pytest.raises(ConfigError, match="there is no model"):
            model_config(wrong)
