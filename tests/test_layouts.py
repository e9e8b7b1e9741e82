"""Gradients keep their memory layout, and no number moves by it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers import same_weights, tiny_data
from torch.utils._python_dispatch import TorchDispatchMode

from resnet_lib import ModelConfig, TrainConfig, build_model
from resnet_lib.batches import Normaliser, TrainingBatches
from resnet_lib.configs import JUNCTIONS, ORDERS
from resnet_lib.training import make_optimiser, training_step

CHANNELS_LAST = torch.channels_last
NETS = [
    *(ModelConfig(14, width=8, order=order) for order in ORDERS),
    *(ModelConfig(14, width=8, junction=junction) for junction in JUNCTIONS[1:]),
    *(ModelConfig(14, option, width=8) for option in ("none", "B", "C")),
    ModelConfig(11, width=8, block="bottleneck"),
    ModelConfig(11, width=8, block="single-layer"),
]


class Layouts(TorchDispatchMode):
    """Notes what a ReLU, a sum or a convolution of a backward pass reads in two layouts."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in ("threshold_backward", "add", "convolution_backward"):
            maps = [x for x in args[:2] if isinstance(x, torch.Tensor) and x.ndim == 4]
            if any(not x.is_contiguous(memory_format=CHANNELS_LAST) for x in maps):
                self.mixed.append(name)
        return function(*args, **(kwargs or {}))


def backward_of(net) -> list[str]:
    x = torch.rand(4, net.config.in_channels, 16, 16).contiguous(memory_format=CHANNELS_LAST)
    loss = F.cross_entropy(net(x), torch.arange(4))
    with Layouts() as layouts:
        loss.backward()
    return layouts.mixed


def without_hooks(net):
    for module in net.modules():
        module._forward_pre_hooks.clear()
        module._forward_hooks.clear()
    return net


@pytest.mark.parametrize("config", NETS, ids=lambda config: config.name)
def test_gradients_have_one_layout(config) -> None:
    net = build_model(config, seed=0).to(memory_format=CHANNELS_LAST).train()
    plain_torch = without_hooks(build_model(config, seed=0).to(memory_format=CHANNELS_LAST))
    assert backward_of(plain_torch), "what is looked for would be found"
    if config.order != "relu-only-preactivation":
        assert backward_of(net) == []


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", NETS, ids=lambda config: config.name)
def test_no_number_moves(config, precision) -> None:
    """Three steps of training, to the last bit, with and without."""
    data, recipe = tiny_data(), TrainConfig(iterations=6, milestones=(3,), batch_size=32, pad=1)
    nets = [
        build_model(config, seed=0, in_channels=data.channels).to(memory_format=CHANNELS_LAST)
        for _ in range(2)
    ]
    without_hooks(nets[1])
    for net in nets:
        torch.manual_seed(0)
        optimiser = make_optimiser(net.train(), recipe)
        for iteration in range(3):
            x, y = TrainingBatches(data, recipe, Normaliser(data))(iteration)
            x = x.contiguous(memory_format=CHANNELS_LAST)
            training_step(net, optimiser, x, y, precision)
    assert same_weights(*nets)


def test_the_default_layout_stays_as_it_is() -> None:
    net = build_model(ModelConfig(14, width=8), seed=0)
    x = torch.rand(4, 3, 16, 16, requires_grad=True)
    net(x).sum().backward()
    assert x.grad.is_contiguous()
