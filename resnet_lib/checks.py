"""Claims that need no training: counted on the nets, or proved by algebra and tried in numbers.

Each function is named after what it checks and returns whether that holds, and what was found.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from resnet_lib.analysis import main_path
from resnet_lib.batches import Normaliser
from resnet_lib.blocks import (
    BasicBlock,
    Bottleneck,
    ConstantScaling,
    ResidualUnit,
    make_shortcut,
    projects,
)
from resnet_lib.complexity import complexity, count
from resnet_lib.configs import ModelConfig
from resnet_lib.constructions import deepen
from resnet_lib.data import ImageSet
from resnet_lib.models import MODELS, build_model
from resnet_lib.numerics import random_stream
from resnet_lib.paper import published
from resnet_lib.testing import PROTOCOLS, Sizes, class_scores, fitted


@dataclass(frozen=True)
class Check:
    """Whether something holds, and what was counted or computed."""

    holds: bool
    shown: str


CHECKS: dict[str, Callable[[], Check]] = {}


def check(name: str) -> Callable[[Callable[[], Check]], Callable[[], Check]]:
    """Enter a function into CHECKS; it is computed once, and the same every time."""

    def enter(function: Callable[[], Check]) -> Callable[[], Check]:
        @cache
        def computed() -> Check:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                return function()

        CHECKS[name] = computed
        return computed

    return enter


# Counted


def giga(number: float) -> str:
    """Multiply-adds in 1e9."""
    return f"{number / 1e9:.3f} billion"


def on_meta(net: ModelConfig) -> nn.Module:
    """A net without numbers, to look at its layers."""
    with torch.device("meta"):
        return build_model(net, seed=0)


def projections(net: ModelConfig) -> list[tuple[str, int]]:
    """The blocks that project on their shortcut, each with the projection's stride."""
    return [
        (name, block.shortcut.conv.stride[0])
        for name, block in on_meta(net).blocks()
        if projects(block)
    ]


@check("twins are equal in size and cost")
def twins() -> Check:
    depths = (20, 32, 44, 56, 110)
    costs = [[complexity(f"{kind}{depth}") for kind in ("plain", "resnet")] for depth in depths]
    same = all((a.parameters, a.multiply_adds) == (b.parameters, b.multiply_adds) for a, b in costs)
    deepest = costs[-1][1]
    return Check(
        same,
        f"equal at {', '.join(map(str, depths))} layers, such as {deepest.parameters:,} parameters "
        f"and {deepest.multiply_adds:,} multiply-adds at 110 (additions are not counted)",
    )


@check("blocks of all stages cost the same")
def equal_blocks() -> Check:
    # ResNet-26 has one block more in each stage than ResNet-20.
    nets = [complexity(f"resnet{depth}").stages for depth in (20, 26)]
    found = {
        a.name: (b.multiply_adds - a.multiply_adds, b.channels, b.size)
        for a, b in zip(*nets, strict=True)
        if a.blocks
    }
    shown = "; ".join(
        f"{name}: {channels} filters, {size} pixels, {cost:,} multiply-adds a block"
        for name, (cost, channels, size) in found.items()
    )
    costs = {cost for cost, *_ in found.values()}
    products = {channels * size for _, channels, size in found.values()}
    return Check(len(costs) == len(products) == 1, shown)


@check("stride 2, global average pooling, one fully connected layer")
def ends() -> Check:
    net = on_meta(MODELS["resnet56"])
    strides = [conv.stride[0] for _, conv, _ in main_path(net)]
    linear = sum(isinstance(module, nn.Linear) for module in net.modules())
    pools = sum(isinstance(module, nn.MaxPool2d) for module in net.modules())
    return Check(
        strides.count(2) == 2 and linear == 1 and pools == 0,
        f"ResNet-56: {strides.count(2)} convolutions of stride 2 on the main path, {pools} max "
        f"poolings, {linear} fully connected layer after the mean over all positions (ImageNet "
        "nets have a max pooling besides, after conv1)",
    )


@check("no fully connected layer remains")
def no_fc() -> Check:
    linear = sum(isinstance(m, nn.Linear) for m in on_meta(MODELS["resnet34"]).modules())
    return Check(linear == 0, f"ResNet-34 has {linear} fully connected layer after its pooling")


@check("34 layers cost 18% of VGG-19")
def share_of_vgg() -> Check:
    costs = [complexity(f"{kind}34").multiply_adds for kind in ("plain", "resnet")]
    vgg19 = complexity("vgg19").multiply_adds
    share = 100 * costs[1] / vgg19
    return Check(
        all(int(cost / 1e8) == 36 for cost in costs) and int(share) == 18,
        f"plain-34 and ResNet-34 {giga(costs[1])}, VGG-19 {giga(vgg19)}: {share:.1f}%",
    )


@check("weighted layers")
def weighted_layers() -> Check:
    depths = (18, 34, 50, 101, 152)
    counted = [complexity(f"resnet{depth}").weighted_layers for depth in depths]
    extra = len(projections(MODELS["resnet50"]))
    return Check(
        counted == list(depths),
        f"counted: {', '.join(map(str, counted))}; with its {extra} projections ResNet-50 would "
        f"have {counted[2] + extra}",
    )


@check("the multiply-adds of Table 1")
def table_1() -> Check:
    costs = {depth: complexity(f"resnet{depth}").multiply_adds for depth in (18, 34, 50, 101, 152)}
    printed = {depth: published(f"P1/Table 1/ResNet-{depth}").value for depth in costs}
    strided = complexity(replace(MODELS["resnet50"], stride_in="3x3")).multiply_adds
    return Check(
        all(abs(cost / printed[depth] - 1) < 0.02 for depth, cost in costs.items()),
        f"counted, in billions: {', '.join(f'{cost / 1e9:.3f}' for cost in costs.values())}; with "
        f"the stride in the 3x3 ResNet-50 has {strided / 1e9:.3f}",
    )


@check("ResNet-152 costs less than VGG")
def less_than_vgg() -> Check:
    cost = complexity("resnet152").multiply_adds
    vggs = [complexity(name).multiply_adds for name in ("vgg16", "vgg19")]
    return Check(
        cost < min(vggs),
        f"ResNet-152 {giga(cost)}, VGG-16 {giga(vggs[0])}, VGG-19 {giga(vggs[1])} multiply-adds "
        "(print leaves VGG-16's fully connected layers out)",
    )


@check("CIFAR nets have 6n+2 layers")
def six_n_plus_two() -> Check:
    right = True
    for depth in (20, 32, 44, 56, 110):
        n, cost = (depth - 2) // 6, complexity(f"resnet{depth}")
        stages = [(s.channels, s.size, s.blocks) for s in cost.stages if s.blocks]
        wanted = [(16, 32, n), (32, 16, n), (64, 8, n)]
        right &= cost.weighted_layers == 6 * n + 2 and stages == wanted
    return Check(
        right, "depths 20, 32, 44, 56 and 110: filters 16, 32, 64, maps 32, 16, 8, 3n blocks"
    )


@check("the parameters of Table 6")
def table_6() -> Check:
    sizes = {n: complexity(f"resnet{n}").parameters for n in (20, 32, 44, 56, 110, 1202)}
    rounded = []
    for depth, size in sizes.items():
        printed = published(f"P1/Table 6/ResNet-{depth}/parameters").printed
        digits = len(printed.partition(".")[2])
        rounded.append(f"{size / 1e6:.{digits}f}" == printed)
    return Check(all(rounded), "counted: " + ", ".join(f"{size:,}" for size in sizes.values()))


@check("ResNet-110 is smaller than FitNet and Highway-19")
def smaller() -> Check:
    own = complexity("resnet110").parameters
    others = [published(f"P1/Table 6/{name}/parameters") for name in ("FitNet", "Highway-19")]
    shown = ", ".join(f"{each.subject} {each.text}" for each in others)
    return Check(
        all(own < each.value for each in others), f"counted {own:,}; in print {shown} parameters"
    )


@check("projections of ResNet-34")
def projections_34() -> Check:
    net = MODELS["resnet34"]
    found = {o: len(projections(replace(net, shortcut=o))) for o in "ABC"}
    blocks = len(on_meta(net).blocks())
    return Check(
        (blocks, found) == (16, {"A": 0, "B": 3, "C": 16}),
        f"{blocks} blocks; projections: A {found['A']}, B {found['B']}, C {found['C']}, so "
        f"{found['C'] - found['B']} more under C",
    )


@check("C's extra projections downsample")
def extra_projections() -> Check:
    net = MODELS["resnet34"]
    extra = dict(projections(replace(net, shortcut="C")))
    for name, _ in projections(replace(net, shortcut="B")):
        del extra[name]
    downsampling = sum(stride == 2 for stride in extra.values())
    return Check(
        downsampling == len(extra),
        f"of the {len(extra)} projections that C adds to B's in ResNet-34, {downsampling} "
        "downsample",
    )


@check("shortcuts across map sizes have stride 2")
def strided_shortcuts() -> Check:
    x = torch.arange(2.0 * 8 * 8).reshape(1, 2, 8, 8)
    padded = make_shortcut("A", 2, 4, 2)(x)
    picks = torch.equal(padded[:, :2], x[:, :, ::2, ::2]) and not padded[:, 2:].any()
    crossing = [
        stride
        for option in "BC"
        for name, stride in projections(replace(MODELS["resnet50"], shortcut=option))
        if name.endswith(".0") and not name.startswith("conv2_x")
    ]
    return Check(
        picks and set(crossing) == {2},
        f"A takes every second pixel; B's and C's {len(crossing)} projections across map sizes in "
        f"ResNet-50 have stride {', '.join(map(str, sorted(set(crossing))))}",
    )


@check("every projection has stride 2")
def every_projection_strided() -> Check:
    found = dict(projections(MODELS["resnet50"]))
    ones = [name for name, stride in found.items() if stride == 1]
    return Check(
        not ones,
        f"ResNet-50 under B projects in {', '.join(found)}; of stride 1: {', '.join(ones)}",
    )


@check("a bottleneck costs what two 3x3 layers do")
def bottleneck_cost() -> Check:
    narrow = count(BasicBlock(64, 64, 1, "A"), 64, 56).multiply_adds
    wide = count(Bottleneck(256, 64, 1, "B"), 256, 56).multiply_adds
    return Check(
        abs(wide / narrow - 1) < 0.1,
        f"{wide:,} multiply-adds on 256 channels, {narrow:,} on 64: {wide / narrow:.2f} times",
    )


@check("a projection doubles a bottleneck")
def doubled() -> Check:
    one, other = (count(Bottleneck(256, 64, 1, option), 256, 56) for option in "BC")
    nets = [complexity(replace(MODELS["resnet50"], shortcut=option)) for option in "BC"]
    times = other.multiply_adds / one.multiply_adds
    return Check(
        abs(times - 2) < 0.2,
        f"block: {times:.2f} times the multiply-adds, {other.parameters / one.parameters:.2f} "
        f"times the parameters; whole ResNet-50 under C: "
        f"{nets[1].multiply_adds / nets[0].multiply_adds:.2f} and "
        f"{nets[1].parameters / nets[0].parameters:.2f} times",
    )


@check("ResNet-50 is ResNet-34 with bottlenecks")
def fifty() -> Check:
    small, large = MODELS["resnet34"], MODELS["resnet50"]
    blocks = "-".join(map(str, small.stage_blocks))
    return Check(
        small.stage_blocks == large.stage_blocks
        and (small.block, large.block, large.shortcut) == ("basic", "bottleneck", "B"),
        f"both have {blocks} blocks; ResNet-50's are bottlenecks, its option {large.shortcut}",
    )


@check("which nets have bottlenecks")
def block_kinds() -> Check:
    nets = (net for net in MODELS.values() if net.family == "imagenet" and net.kind == "residual")
    kinds = {net.depth: net.block for net in nets}
    return Check(
        all((kind == "bottleneck") == (depth >= 50) for depth, kind in kinds.items()),
        ", ".join(f"ResNet-{depth}: {kind}" for depth, kind in kinds.items()),
    )


# Proved, and tried in numbers


def noise(*shape: int, purpose: str = "checks") -> Tensor:
    """Normal numbers, the same every time."""
    return torch.randn(shape, generator=random_stream(purpose, *shape)).double()


def worst(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors, over the largest value."""
    return ((one - other).abs().max() / one.abs().max()).item()


def tiny(number: float) -> str:
    """A rounding error in short: "2e-07", or "0"."""
    return f"{number:.0e}" if number else "0"


def settle(net: nn.Module) -> nn.Module:
    """Give every BN scales, shifts and statistics as after training; evaluation mode."""
    for i, norm in enumerate(m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        size, draw = norm.num_features, random_stream("settled BN", i)
        with torch.no_grad():
            norm.weight.copy_(torch.rand(size, generator=draw) + 0.5)
            norm.bias.copy_(torch.randn(size, generator=draw) / 4)
            norm.running_mean.copy_(torch.randn(size, generator=draw) / 4)
            norm.running_var.copy_(torch.rand(size, generator=draw) + 0.5)
    return net.eval()


@check("a deeper net copies a shallower one")
def copies() -> Check:
    pixels = torch.randint(0, 256, (64, 1, 8, 8), generator=random_stream("pixels")).byte()
    labels = torch.arange(64) % 10
    data = ImageSet("noise", tuple("0123456789"), pixels, labels, pixels, labels)
    differences = {}
    for kind in ("plain", "resnet"):
        shallow = settle(build_model(f"{kind}8", seed=0, width=4, in_channels=1))
        deep = deepen(shallow, 20, data).eval()
        x = pixels.float() / 255
        with torch.no_grad():
            differences[kind] = worst(shallow(x), deep(x))
    return Check(
        all(value < 1e-4 for value in differences.values()),
        "8 layers and 12 that copy: outputs differ by "
        f"{tiny(differences['plain'])} (plain) and {tiny(differences['resnet'])} (residual) of "
        "their size, in evaluation mode",
    )


@check("a zero last scale makes a block the identity")
def zero_scale() -> Check:
    block = BasicBlock(4, 4, 1, "A").double()
    x = noise(8, 4, 6, 6).relu()
    with torch.no_grad():
        before = block(x)
        for conv in (block.conv1, block.conv2):
            conv.weight.mul_(0.1)
        shrunk = worst(before, block(x))
        block.bn2.weight.zero_()
        identity = torch.equal(block(x), x)
        negative = torch.equal(block(-x), -x)
    return Check(
        identity and not negative and shrunk < 1e-2,
        "with the last BN's scale and shift at zero, inputs that are not negative pass unchanged "
        "(negative ones meet the ReLU); a tenth of the convolutions' weights changes the output by "
        f"{100 * shrunk:.1f}% of its size: BN undoes it",
    )


@check("gates close, identities do not")
def gates() -> Check:
    residual, shortcut = noise(2, 4, 5, 5), noise(2, 4, 5, 5, purpose="shortcut")
    changes = {"width": 4, "junction": "exclusive-gate", "gate_bias": 40.0}
    gate = build_model("resnet8", seed=0, **changes).double().blocks()[0][1].junction
    with torch.no_grad():
        closed = (gate(residual, shortcut, shortcut) - residual).abs().max().item()
    weights = sum(p.numel() for p in gate.parameters())
    none = sum(p.numel() for p in make_shortcut("A", 4, 4, 1).parameters())
    return Check(
        closed < 1e-9 and weights > 0 and none == 0,
        f"a gate on 4 channels has {weights} parameters and with a large bias lets {tiny(closed)} "
        f"of the shortcut through; the identity has {none} parameters",
    )


@check("a bias before BN changes nothing")
def redundant_bias() -> Check:
    conv, norm = nn.Conv2d(3, 5, 3, padding=1).double(), nn.BatchNorm2d(5).double()
    x = noise(8, 3, 6, 6)
    with torch.no_grad():
        conv.bias.fill_(7.0)
        with_bias = norm(conv(x))
        conv.bias.zero_()
        difference = worst(norm(conv(x)), with_bias)
    return Check(
        difference < 1e-6,
        f"a bias of 7 moves the output by {tiny(difference)} of its size in training mode: BN "
        "subtracts it with the mean",
    )


@check("He initialisation keeps the signal's size through ReLU layers")
def he_variance() -> Check:
    sizes = {}
    for init, gain in (("He", 2.0), ("Glorot", 1.0)):
        x, squares = noise(256, 256), []
        for layer in range(20):
            draw = random_stream("layers", layer)
            weight = torch.randn((256, 256), generator=draw).double() * (gain / 256) ** 0.5
            x = (x.relu() if layer else x) @ weight.T
            squares.append(x.pow(2).mean().item())
        sizes[init] = squares[-1] / squares[0]
    return Check(
        0.5 < sizes["He"] < 2 and sizes["Glorot"] < 1e-3,
        "mean square at the last of 20 fully connected ReLU layers of 256, over that at the first: "
        f"{sizes['He']:.2f} under He's initialisation, {tiny(sizes['Glorot'])} under Glorot's",
    )


def preactivated() -> tuple[nn.Module, list[ResidualUnit]]:
    """A settled pre-activation net in float64, and the units of conv2_x behind its first."""
    net = settle(build_model("preresnet20", seed=0, width=4)).double()
    return net, [unit for name, unit in net.blocks() if name.startswith("conv2_x")][1:]


@check("identity shortcuts add up")
def additive() -> Check:
    _, units = preactivated()
    x = noise(2, 4, 8, 8).requires_grad_()
    features, total = x, torch.zeros_like(x)
    for unit in units:
        total = total + unit.residual(features)
        features = unit(features)
    forward = worst(features, x + total)
    signal = noise(2, 4, 8, 8, purpose="signal")
    (whole,) = torch.autograd.grad((features * signal).sum(), x, retain_graph=True)
    (through,) = torch.autograd.grad((total * signal).sum(), x)
    backward = worst(whole, signal + through)
    return Check(
        max(forward, backward) < 1e-9,
        f"in a pre-activation net x_L = x_l + sum of F to {tiny(forward)}, and its gradient is the "
        f"gradient at x_L plus that through F to {tiny(backward)}",
    )


@check("scaled shortcuts multiply")
def multiplied() -> Check:
    x, factor, units = noise(2, 4, 8, 8), 0.5, 10
    features = x
    for _ in range(units):
        features = ConstantScaling(factor, 1.0)(torch.zeros_like(x), features, features)
    difference = worst(features, x * factor**units)
    return Check(
        difference < 1e-9,
        f"{units} shortcuts scaled by {factor} leave {factor**units:.4f} of the input, and the "
        "gradient likewise",
    )


@check("plain nets know no pre-activation")
def same_plain_net() -> Check:
    config = ModelConfig(20, "none", width=4)
    after = settle(build_model(config, seed=0))
    before = settle(build_model(replace(config, order="preactivation"), seed=0))
    for kind in (nn.Conv2d, nn.BatchNorm2d, nn.Linear):
        layers = [[m for m in net.modules() if isinstance(m, kind)] for net in (after, before)]
        for one, other in zip(*layers, strict=True):
            other.load_state_dict(copy.deepcopy(one.state_dict()))
    x = noise(4, 3, 16, 16).float()
    with torch.no_grad():
        difference = worst(after(x), before(x))
    return Check(
        difference < 1e-5,
        f"plain-20 in both orders, with the same weights: outputs differ by {tiny(difference)} of "
        "their size",
    )


@check("with ReLU before the addition the signal only grows")
def only_grows() -> Check:
    net = settle(build_model("resnet20", seed=0, width=4, order="relu-before-addition")).double()
    x = noise(4, 4, 8, 8)
    least = float("inf")
    with torch.no_grad():
        for name, unit in net.blocks():
            if name.startswith("conv2_x"):
                after = unit(x)
                least, x = min(least, (after - x).min().item()), after
    return Check(least >= 0, f"no value falls over 3 units; the least change is {least:g}")


@check("10-crop averages ten views")
def ten_views() -> Check:
    pixels = torch.randint(0, 256, (16, 1, 12, 12), generator=random_stream("pixels")).byte()
    labels = torch.arange(16) % 10
    data = ImageSet("noise", tuple("0123456789"), pixels, labels, pixels, labels)
    net, normalise = settle(build_model("plain8", seed=0, width=4, in_channels=1)), Normaliser(data)
    sizes = Sizes(crop=8, centre_from=8, ten_from=12, scales=())
    scores = class_scores([net], pixels, PROTOCOLS["10-crop"], sizes, normalise)
    corners_and_centre = ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))
    cut = [pixels[:, :, y : y + 8, x : x + 8] for y, x in corners_and_centre]
    with torch.no_grad():
        seen = [net(fitted(normalise, view)(view)) for each in cut for view in (each, each.flip(3))]
    difference = worst(torch.stack(seen).softmax(2).mean(0), scores)
    return Check(
        difference < 1e-5,
        "four corners, the centre and their mirror images, cut by hand, seen one by one and their "
        f"scores averaged: {tiny(difference)} from what the protocol gives",
    )
