"""ImageNet nets, bottlenecks, pre-activation and the second paper's variants, against oracles."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
import torchvision
from helpers import randomise_norms, same_weights, tiny_data, tiny_net, tiny_train
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from resnet_lib import MODELS, ConfigError, ModelConfig, build_model, complexity
from resnet_lib.analysis import SignalProbe, signals
from resnet_lib.blocks import CLASSES, Gate, ProjectionShortcut, ResidualUnit, SingleLayerBlock
from resnet_lib.complexity import OTHER_NETS, count
from resnet_lib.configs import BLOCKS, INITS, JUNCTIONS, OF_JUNCTIONS, ORDERS, SHORTCUTS
from resnet_lib.models import model_config
from resnet_lib.numerics import numerics_hash
from resnet_lib.weights import from_torchvision, load_weights, to_torchvision
from resnet_lib.widgets import architecture

DEPTHS = (18, 34, 50, 101, 152)
TORCHVISION = {depth: getattr(torchvision.models, f"resnet{depth}") for depth in DEPTHS}
# Multiply-adds in 1e9 as printed. Source: Paper, Table 1.
PRINTED = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}


@pytest.mark.parametrize("depth", DEPTHS)
def test_outputs_and_parameters_equal_torchvisions(depth) -> None:
    torch.manual_seed(depth)
    theirs = TORCHVISION[depth]().eval()
    randomise_norms(theirs)
    ours = from_torchvision(theirs, depth)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted, found = theirs(x), ours(x)
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    back = TORCHVISION[depth]().eval()
    back.load_state_dict(to_torchvision(ours))
    with torch.no_grad():
        assert torch.equal(back(x), wanted)


@pytest.mark.parametrize("depth", DEPTHS)
def test_counts_are_within_two_percent_of_table_1(depth) -> None:
    cost = complexity(f"resnet{depth}")
    assert abs(cost.multiply_adds / 1e9 / PRINTED[depth] - 1) < 0.02
    assert cost.weighted_layers == depth


def test_exact_counts() -> None:
    """The figures that the book quotes."""

    def giga(depth, **changes):
        return round(complexity(ModelConfig.imagenet(depth, **changes)).multiply_adds / 1e9, 3)

    assert [giga(d) for d in (50, 101, 152)] == [3.858, 7.570, 11.282]
    assert [giga(d, stride_in="3x3") for d in (50, 101, 152)] == [4.089, 7.801, 11.514]
    assert (giga(34), giga(34, shortcut="B")) == (3.644, 3.664)
    heavy = complexity("resnet50", shortcut="C")
    usual = complexity("resnet50")
    assert round(heavy.multiply_adds / usual.multiply_adds, 2) == 1.64
    assert round(heavy.parameters / usual.parameters, 2) == 1.57


def test_other_nets_are_counted_too() -> None:
    """VGG-16 without and with its fully connected layers. Source of the figures: own count."""
    with torch.device("meta"):
        vgg16, vgg19 = torchvision.models.vgg16(), torchvision.models.vgg19()
    assert round(count(vgg16.features, 3, 224).multiply_adds / 1e9, 3) == 15.347
    assert round(count(vgg19, 3, 224).multiply_adds / 1e9, 3) == 19.632


@pytest.mark.parametrize("name", OTHER_NETS)
def test_nets_to_compare_with_are_torchvisions(name) -> None:
    """Parameters as torchvision states them, multiply-adds by torch's counter, depth by layers."""
    weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    found = complexity(name)
    with torch.device("meta"):
        net = getattr(torchvision.models, name)(weights=None, **OTHER_NETS[name].options).eval()
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 3, 224, 224))
    assert counter.get_total_flops() == 2 * found.multiply_adds
    assert found.parameters == weights.meta["num_params"]
    layers = sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in net.modules())
    if name == "googlenet":  # two of the six convolutions of a module lie behind one another
        layers -= 4 * sum(type(module).__name__ == "Inception" for module in net.modules())
    assert found.weighted_layers == layers


def test_the_papers_nets_are_told_from_torchvisions() -> None:
    for name in ("alexnet", "googlenet"):
        assert "not the published net" in OTHER_NETS[name].note
    with pytest.raises(ConfigError, match="vgg16 is torchvision's"):
        complexity("vgg16", shortcut="B")
    assert complexity("vgg19").multiply_adds > 5 * complexity("resnet50").multiply_adds


def counted_by_torch(config: ModelConfig, size: int | None = None) -> nn.Module:
    """A net on the meta device whose multiply-adds and parameters are those that we count."""
    size = size or config.image_size
    with torch.device("meta"):
        net = build_model(config, seed=0).eval()
        x = torch.empty(1, 3, size, size)
    with FlopCounterMode(display=False) as counter:
        net(x)
    found = complexity(config, size)
    assert counter.get_total_flops() == 2 * found.multiply_adds
    assert sum(p.numel() for p in net.parameters()) == found.parameters
    return net


@pytest.mark.parametrize("name", [n for n in MODELS if complexity(n).weighted_layers < 1000])
def test_multiply_adds_equal_torchs_counter(name) -> None:
    counted_by_torch(dataclasses.replace(MODELS[name], width=4))


@pytest.mark.parametrize("size", [65, 67, 70])
def test_maps_of_odd_sizes_are_counted_as_they_are_pooled(size) -> None:
    counted_by_torch(dataclasses.replace(MODELS["resnet18"], width=4), size)


@pytest.mark.parametrize("name", ["resnet20", "preresnet20"])
def test_without_bn_none_of_its_parameters_are_counted(name) -> None:
    counted_by_torch(dataclasses.replace(MODELS[name], width=4, batch_norm=False))


@pytest.mark.parametrize(
    ("name", "option", "projections"),
    [("resnet34", "A", 0), ("resnet34", "B", 3), ("resnet34", "C", 16), ("resnet50", "B", 4)],
)
def test_projections(name, option, projections) -> None:
    with torch.device("meta"):
        net = build_model(name, seed=0, shortcut=option)
    assert sum(isinstance(m, ProjectionShortcut) for m in net.modules()) == projections


def test_wrong_depths_name_the_right_ones() -> None:
    with pytest.raises(ConfigError, match="18, 34"):
        ModelConfig.imagenet(20)
    with pytest.raises(ConfigError, match="50, 101, 152"):
        ModelConfig.imagenet(56)
    with pytest.raises(ConfigError, match="20 and 29"):
        ModelConfig(22, block="bottleneck")


# The second paper


def unit(order: str, **changes):
    """One unit at equal dimensions with random BN, in float64, and an input."""
    net = build_model(ModelConfig(14, width=4, order=order, **changes), seed=3).double()
    randomise_norms(net)
    _, block = net.blocks()[1]
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return block, x


def bn(layer: nn.BatchNorm2d, x):
    return F.batch_norm(x, None, None, layer.weight, layer.bias, True, 0, layer.eps)


@pytest.mark.parametrize("order", ORDERS[1:])
def test_orders_of_table_2(order) -> None:
    block, x = unit(order)
    block.train()
    r = block.residual

    def conv(n, y):
        return F.conv2d(y, getattr(r, f"conv{n}").weight, padding=1)

    if order == "bn-after-addition":
        y = conv(2, F.relu(bn(r.bn1, conv(1, x))))
        wanted = F.relu(bn(block.after[0], y + x))
    elif order == "relu-before-addition":
        wanted = F.relu(bn(r.bn2, conv(2, F.relu(bn(r.bn1, conv(1, x)))))) + x
    elif order == "relu-only-preactivation":
        y = bn(r.bn1, conv(1, F.relu(x)))
        wanted = bn(r.bn2, conv(2, F.relu(y))) + x
    else:
        wanted = conv(2, F.relu(bn(r.bn2, conv(1, F.relu(bn(r.bn1, x)))))) + x
    assert torch.allclose(block(x), wanted, atol=1e-12)


@pytest.mark.parametrize("junction", JUNCTIONS[1:])
def test_junctions_of_table_1(junction) -> None:
    values = {"shortcut_scale": 0.5, "residual_scale": 0.25, "gate_bias": -1.5}
    own = {name: value for name, value in values.items() if junction in OF_JUNCTIONS[name]}
    block, x = unit("original", junction=junction, **own)
    block.eval()
    f, gate = block.residual(x), 0
    if "gate" in junction:
        assert (block.junction.bias == -1.5).all()
        gate = torch.sigmoid(F.conv2d(x, block.junction.weight) - 1.5)
    formulas = {
        "constant": 0.25 * f + 0.5 * x,
        "exclusive-gate": gate * f + (1 - gate) * x,
        "shortcut-gate": f + (1 - gate) * x,
        "dropout": f + x,
    }
    assert junction in formulas, "a new junction's formula belongs here"
    assert torch.allclose(block(x), F.relu(formulas[junction]), atol=1e-12)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("junction", JUNCTIONS[1:])
def test_junctions_leave_the_initial_weights_alone(junction, init) -> None:
    """Twins of one seed start from the same weights, and what a junction adds is drawn, too."""
    fields = {"width": 4, "init": init}
    simple = build_model(ModelConfig(8, **fields), seed=5)
    nets = [build_model(ModelConfig(8, junction=junction, **fields), seed=5) for _ in range(2)]
    ours = {name.replace("residual.", ""): value for name, value in nets[0].named_parameters()}
    for name, value in simple.named_parameters():
        assert torch.equal(ours.pop(name), value), f"{name}: a junction's weights need a `draw`"
    assert same_weights(*nets)
    for name in (name for name in ours if name.endswith("weight")):
        assert 0 < ours[name].std() < 10, f"{name} was not drawn"
    for _, block in nets[0].blocks():
        if list(block.junction.parameters()):
            told = (
                "the start of a junction's weights, drawn or constant, belongs into a marked `draw`"
            )
            assert hasattr(block.junction.draw, "arithmetic"), told


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("junction", ["exclusive-gate", "shortcut-gate"])
@pytest.mark.parametrize("option", ["A", "B"])
def test_gates_leave_the_other_initial_weights_alone(junction, option, init) -> None:
    """A gated net, its residual and its plain twin of one seed differ in what they add only."""
    fields = {"width": 8, "init": init}
    gated = build_model(ModelConfig(8, option, junction=junction, **fields), seed=5)
    simple = build_model(ModelConfig(8, option, **fields), seed=5)
    ours = {name.replace("residual.", ""): value for name, value in gated.named_parameters()}
    for name, value in simple.named_parameters():
        assert torch.equal(ours[name], value), name
    gates = [value for name, value in ours.items() if name.endswith("junction.weight")]
    assert len(gates) == 3
    last = gates[-1]
    fan_out, fan_in = last.shape[:2]
    std = {"he": 2 / fan_in, "he-fan-out": 2 / fan_out, "xavier": 2 / (fan_in + fan_out)}
    assert last.std().item() == pytest.approx(std.get(init, 1e-4) ** 0.5, rel=0.15)
    assert len({weight.flatten()[0].item() for weight in gates}) == 3
    again = build_model(ModelConfig(8, option, junction=junction, **fields), seed=5)
    assert same_weights(gated, again)


@pytest.mark.parametrize("junction", JUNCTIONS)
def test_multiply_adds_of_every_junction_equal_torchs_counter(junction) -> None:
    config = ModelConfig(14, "B", width=4, junction=junction)
    counted_by_torch(config)
    assert complexity(config).weighted_layers == 14, "gates are no layers of the main path"


def test_how_gates_are_drawn_moves_the_hash_of_gated_nets_only(monkeypatch) -> None:
    def hashes():
        nets = (build_model("resnet8", seed=0, junction=j) for j in ("add", "shortcut-gate"))
        return [numerics_hash(net) for net in nets]

    simple, gated = hashes()
    monkeypatch.setattr(Gate.draw, "arithmetic", "another")
    assert hashes()[0] == simple
    assert hashes()[1] != gated


def test_a_gate_s_bias_may_be_a_whole_number() -> None:
    nets = [tiny_net(junction="exclusive-gate", gate_bias=bias) for bias in (-6, -6.0)]
    assert same_weights(*nets)


DROPPING = pytest.mark.parametrize("where", [{"junction": "dropout"}, {"dropout": 0.5}], ids=str)


@DROPPING
def test_a_probe_does_not_draw_from_dropout_s_numbers(where) -> None:
    curves = []
    for probe in (None, SignalProbe(tiny_data(), 32)):
        net = tiny_net(**where)
        curves.append(tiny_train(net, probe=probe, probe_at=(0, 3)).curves)
    assert curves[0].drop(columns="seconds").equals(curves[1].drop(columns="seconds"))


def test_dropout_drops_shortcuts_in_training() -> None:
    block, x = unit("original", junction="dropout")
    block.train()
    torch.manual_seed(0)
    one, two = block(x), block(x)
    assert not torch.equal(one, two)


def test_dropout_before_fc_is_torch_s() -> None:
    """Training: nn.Dropout on the pooled features. Evaluation, and its weights: as without."""
    net, usual = tiny_net(dropout=0.5), tiny_net()
    assert same_weights(net, usual)
    x = torch.randn(16, 1, 7, 7)
    pooled = []
    net.fc.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    torch.manual_seed(0)
    out = net.train()(x)
    torch.manual_seed(0)
    assert torch.equal(out, usual.fc(torch.nn.Dropout(0.5)(pooled[0])))
    assert torch.equal(net.eval()(x), net(x)), "nothing is drawn"
    assert not torch.equal(net.train()(x), net(x))


@DROPPING
def test_a_dropout_run_is_decided_by_its_id(where) -> None:
    """Random numbers drawn before do not change it, nor does it change those drawn after."""
    curves = []
    for seed in (7, 8):
        net = tiny_net(**where)
        torch.manual_seed(seed)
        curves.append(tiny_train(net).curves.drop(columns="seconds"))
        after = torch.rand(1)
        torch.manual_seed(seed)
        assert torch.rand(1) == after
    assert curves[0].equals(curves[1])


def test_original_order_equals_the_basic_block() -> None:
    """The general unit, put together in the original order, is the block of the first paper."""
    from resnet_lib.blocks import ConstantScaling, ResidualUnit

    net = build_model(ModelConfig(8, width=4), seed=0).double()
    _, block = net.blocks()[1]
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    wanted = block.train()(x)
    general = ResidualUnit(block, "original", ConstantScaling(1.0, 1.0), False)
    assert torch.allclose(general(x), wanted, atol=1e-12)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_first_and_last_activations_of_preactivation(block) -> None:
    depth = 14 if block == "basic" else 20
    net = build_model(ModelConfig(depth, block=block, order="preactivation", width=4), seed=0)
    first, *others = (unit for _, unit in net.blocks())
    assert not hasattr(first.residual, "bn1"), "the first unit's input is activated already"
    assert all(hasattr(unit.residual, "bn1") for unit in others)
    assert [name for name, _ in net.conv4_x.named_children()][-2:] == ["bn", "relu"]
    assert net(torch.randn(2, 3, 16, 16)).shape == (2, 10)


# Blocks of one layer


@pytest.mark.parametrize("option", SHORTCUTS[1:])
@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 8, 2), (4, 8, 1)])
def test_a_single_layer_and_its_shortcut(option, shape) -> None:
    """Paper, section 3.2: y = W x + x, here with BN, and ReLU after the addition."""
    channels, width, stride = shape
    block = SingleLayerBlock(channels, width, stride, option).double().train()
    randomise_norms(block)
    x = torch.randn(2, channels, 6, 6, dtype=torch.float64)
    y = bn(block.bn1, F.conv2d(x, block.conv1.weight, stride=stride, padding=1))
    if option == "C" or (option == "B" and channels != width):
        projection = block.shortcut
        y = y + bn(projection.bn, F.conv2d(x, projection.conv.weight, stride=stride))
    else:
        y[:, :channels] += x[:, :, ::stride, ::stride]
    assert torch.allclose(block(x), F.relu(y), atol=1e-12)


def test_a_net_of_single_layers_is_a_plain_net_with_more_shortcuts() -> None:
    """The same layers, weights and cost as the plain net; twice the shortcuts of the residual."""
    single, plain = (
        build_model(name, seed=3, width=4, **changes)
        for name, changes in (("resnet20", {"block": "single-layer"}), ("plain20", {}))
    )
    for one, other in zip(single.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)
    assert complexity(single.config) == dataclasses.replace(
        complexity(plain.config), stages=complexity(single.config).stages
    )
    assert len(single.blocks()) == 2 * len(plain.blocks()) == 18
    assert single.config.name == "resnet20-single-layer"


def test_a_single_layer_activated_before_it() -> None:
    """The second paper, Table 3, 1-layer skip with pre-activation."""
    config = ModelConfig(11, width=4, block="single-layer", order="preactivation")
    net = build_model(config, seed=0).double().train()
    randomise_norms(net)
    _, block = net.blocks()[1]
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    r = block.residual
    wanted = F.conv2d(F.relu(bn(r.bn1, x)), r.conv1.weight, padding=1) + x
    assert torch.allclose(block(x), wanted, atol=1e-12)
    assert config.name == "preresnet11-single-layer"


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("option", SHORTCUTS[1:])
def test_every_block_is_as_deep_as_it_says_and_has_a_name(block, option) -> None:
    """Of each of the list: its class, layers, channels, cost by torch's counter, and the name."""
    depth = 3 * BLOCKS[block].layers + 2
    for config in (
        ModelConfig(depth, option, width=4, block=block),
        ModelConfig(20, option, width=4, block=block),
    ):
        net = counted_by_torch(config)
        assert complexity(config).weighted_layers == config.depth
        assert all(type(each) is CLASSES[block] for _, each in net.blocks())
        assert dataclasses.replace(model_config(config.name), width=4) == config
    assert CLASSES.keys() == BLOCKS.keys()


def test_a_net_s_name_tells_its_block() -> None:
    names = [
        ModelConfig(20, block="bottleneck").name,
        ModelConfig(20, "none", block="bottleneck").name,
        ModelConfig(164).name,
        ModelConfig(164, block="bottleneck").name,
        ModelConfig(14, "none", order="preactivation").name,
    ]
    assert names == [
        "resnet20-bottleneck",
        "plain20-bottleneck",
        "resnet164-basic",
        "resnet164",
        "plain14-preactivation",
    ]
    for name in names:
        assert model_config(name).name == name


def test_a_block_with_other_layers_is_not_reordered_in_silence() -> None:
    for name, more in (
        ("excitation", nn.Linear(4, 4)),
        ("bn4", nn.BatchNorm2d(4)),
        ("alpha", nn.Parameter(torch.ones(4))),
    ):
        block = CLASSES["basic"](4, 4, 1, "A")
        setattr(block, name, more)
        with pytest.raises(ConfigError, match=f"BasicBlock has '{name}', for which no other order"):
            ResidualUnit(block, "preactivation", None, False)


def test_where_there_are_no_single_layers() -> None:
    with pytest.raises(ConfigError, match="it is plain20"):
        ModelConfig(20, "none", block="single-layer")
    with pytest.raises(ConfigError, match="it is one of 'basic', 'bottleneck'"):
        ModelConfig.imagenet(34, block="single-layer")
    with pytest.raises(ConfigError, match="20 and 23"):
        ModelConfig(21, block="single-layer")
    with pytest.raises(ConfigError, match="resnet20-single-layer has something else"):
        architecture.state(ModelConfig(20, block="single-layer"))


def test_preactivation_and_original_are_the_same_in_a_plain_net() -> None:
    """The second paper, section 4.1: only the addition makes them differ."""
    plain = build_model(ModelConfig(14, "none", width=4), seed=1).double()
    pre = build_model(ModelConfig(14, "none", width=4, order="preactivation"), seed=1).double()
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    assert torch.allclose(plain(x), pre(x), atol=1e-10)


@pytest.mark.parametrize(
    "changes",
    [
        {"shortcut": "none"},
        {"order": "preactivation"},
        {"order": "bn-after-addition"},
        {"order": "relu-before-addition"},
        {"block": "single-layer", "order": "preactivation"},
    ],
)
def test_zero_init_is_refused_where_it_would_stop_learning(changes) -> None:
    with pytest.raises(ConfigError, match="zero_init"):
        ModelConfig(14, zero_init=True, **changes)


@pytest.mark.parametrize("order", ["original", "relu-only-preactivation"])
@pytest.mark.parametrize("block", ["basic", "single-layer"])
def test_zero_init_leaves_every_block_something_to_learn(order, block) -> None:
    net = build_model(ModelConfig(14, width=4, order=order, block=block, zero_init=True), seed=0)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.rand(16, 3, 8, 8), torch.arange(16) % 10
    for _ in range(3):
        optimiser.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimiser.step()
    for _, each in net.blocks():
        assert all(p.grad.any() for p in each.parameters())


def test_zero_init_makes_blocks_identities() -> None:
    net = build_model(ModelConfig(14, width=4, zero_init=True), seed=0).eval()
    x = torch.rand(2, 4, 8, 8)
    for name, block in net.blocks():
        if name.endswith(".1"):
            wide = x.repeat(1, block.conv1.in_channels // 4, 1, 1)
            assert torch.equal(block(wide), wide)


@pytest.mark.parametrize("name", [n for n in MODELS if complexity(n).weighted_layers < 1000])
def test_every_net_trains_two_steps(name) -> None:
    config = dataclasses.replace(MODELS[name], width=4, classes=10)
    net = build_model(config, seed=0).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    size = 32 if config.family == "imagenet" else 8
    x = torch.randn(8, 3, size, size, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        loss = F.cross_entropy(net(x), torch.arange(8) % 10)
        assert loss.isfinite()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("junction", JUNCTIONS)
def test_signals_are_measured_in_every_variant(order, junction) -> None:
    net = build_model(ModelConfig(8, width=4, order=order, junction=junction), seed=0)
    table = signals(net, torch.randn(4, 3, 8, 8), torch.arange(4))
    assert len(table) == 7
    assert table.drop(columns="name").notna().all().all()


# Weights


def test_a_prefix_of_parallel_training_is_accepted() -> None:
    one, other = (build_model("resnet8", seed=seed) for seed in (0, 1))
    load_weights(one, {f"module.{name}": value for name, value in other.state_dict().items()})
    assert torch.equal(one.fc.weight, other.fc.weight)


def test_torchvision_s_weights_may_have_that_prefix_too() -> None:
    torch.manual_seed(0)
    state = torchvision.models.resnet18().state_dict()
    net = from_torchvision({f"module.{name}": value for name, value in state.items()}, 18)
    assert same_weights(net, from_torchvision(state, 18))


def test_a_mismatch_names_keys_and_shapes() -> None:
    net, before = build_model("resnet8", seed=0), build_model("resnet8", seed=0)
    wrong = build_model("resnet8", seed=1, classes=7).state_dict()
    wrong["extra"] = wrong.pop("conv1.weight")
    with pytest.raises(ConfigError) as error:
        load_weights(net, wrong)
    for part in ("conv1.weight is missing", "extra is unknown", "(7, 64)", "(10, 64)"):
        assert part in str(error.value)
    assert torch.equal(net.fc.weight, before.fc.weight)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("resnet20", {}),
        ("resnet34", {}),
        ("resnet50", {}),
        ("plain34", {}),
        ("resnet18", {"shortcut": "B", "width": 32}),
        ("resnet18", {"shortcut": "B", "batch_norm": False}),
        ("resnet18", {"shortcut": "B", "order": "preactivation"}),
        ("resnet18", {"shortcut": "B", "junction": "dropout"}),
    ],
)
def test_nets_that_torchvision_has_not_are_refused(name, changes) -> None:
    with torch.device("meta"):
        net = build_model(name, seed=0, **changes)
    told = "torchvision has no net.* option B, 64 channels in conv2_x, BN and the original order"
    with pytest.raises(ConfigError, match=told):
        to_torchvision(net)
