"""BN over a share of each batch: what several devices do with one net, on one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers import RECIPE, TINY, same_weights, tiny_net, tiny_train
from torch import nn

from resnet_lib import ConfigError, ModelConfig, TrainConfig, build_model
from resnet_lib.numerics import numerics_hash
from resnet_lib.shares import in_shares
from resnet_lib.training import make_optimiser, make_step


def batch(images: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(images, 1, 8, 8, generator=draw).contiguous(memory_format=torch.channels_last)
    return x, torch.randint(10, (images,), generator=draw)


def gradients(net: nn.Module) -> list[torch.Tensor]:
    return [each.grad for each in net.parameters()]


def test_a_step_is_that_of_two_devices_that_average_their_gradients() -> None:
    """Each device has the whole net and half of the batch, and knows nothing of the other half."""
    x, y = batch()
    net = tiny_net().double().train()
    with in_shares(net, 4):
        F.cross_entropy(net(x.double()), y).backward()
    devices = [tiny_net().double().train() for _ in range(2)]
    for device, half in zip(devices, (slice(0, 4), slice(4, 8)), strict=True):
        F.cross_entropy(device(x[half].double()), y[half]).backward()
    for found, *halves in zip(gradients(net), *map(gradients, devices), strict=True):
        torch.testing.assert_close(found, sum(halves) / 2)
    whole = tiny_net().double().train()
    F.cross_entropy(whole(x.double()), y).backward()
    assert not torch.allclose(net.conv1.weight.grad, whole.conv1.weight.grad, rtol=0.01)


def test_running_statistics_follow_one_share_after_the_other() -> None:
    x, _ = batch()
    net, other = tiny_net().train(), tiny_net().train()
    with in_shares(net, 4):
        net(x)
    other(x[:4])
    other(x[4:])
    assert same_weights(net, other)
    assert net.bn1.num_batches_tracked == 2


def test_all_images_as_one_share_are_the_usual_batch() -> None:
    x, _ = batch()
    net, other = tiny_net().train(), tiny_net().train()
    with in_shares(net, 8):
        assert torch.equal(net(x), other(x))
    assert same_weights(net, other)


def test_the_net_is_the_usual_one_outside_of_a_step() -> None:
    """Even where the step fails."""
    net = tiny_net().train()
    optimiser = make_optimiser(net, TrainConfig())
    with in_shares(net, 4):
        assert type(net.bn1) is not nn.BatchNorm2d
    x, y = batch()
    with pytest.raises(RuntimeError):
        make_step(net, optimiser, "float32", bn_images=4)(x[:, :, :, None], y)
    assert type(net.bn1) is nn.BatchNorm2d
    assert "images" not in vars(net.bn1)
    assert numerics_hash(net) == numerics_hash(tiny_net())


def test_a_test_does_not_see_shares() -> None:
    """In evaluation mode BN has its running statistics, of all images alike."""
    x, _ = batch()
    net, other = tiny_net().eval(), tiny_net().eval()
    with in_shares(net, 4):
        assert torch.equal(net(x), other(x))


@pytest.mark.parametrize("order", ["original", "preactivation", "bn-after-addition"])
def test_recomputing_gives_the_same_net(order) -> None:
    nets = []
    for recompute in (False, True):
        nets.append(build_model(ModelConfig(8, order=order, **TINY), seed=0))
        tiny_train(nets[-1], recompute=recompute, bn_images=RECIPE.batch_size // 2)
    assert same_weights(*nets)


@pytest.mark.filterwarnings("ignore:Guards may run slower:RuntimeWarning")  # in Python 3.13.0
def test_a_step_compiles_as_one_graph(monkeypatch) -> None:
    seen = []

    def backend(graph, _inputs):
        seen.append(graph)
        return graph.forward

    compile_net = torch.compile
    monkeypatch.setattr(torch, "compile", lambda net, options: compile_net(net, backend=backend))
    nets = [tiny_net().train() for _ in range(2)]
    for net, compiled in zip(nets, (False, True), strict=True):
        optimiser = make_optimiser(net, TrainConfig())
        step = make_step(net, optimiser, "float32", compiled=compiled, bn_images=4)
        for _ in range(3):
            step(*batch())
    assert len(seen) == 1
    assert same_weights(*nets)


@pytest.mark.parametrize("images", [0, 2.5, True, 3, 2 * RECIPE.batch_size])
def test_images_that_cannot_be_are_one_sentence(images) -> None:
    with pytest.raises(ConfigError, match="bn_images"):
        replace(RECIPE, bn_images=images)


def test_a_share_needs_two_values_and_a_net_with_bn() -> None:
    with pytest.raises(ConfigError, match="bn_images is 1"):
        tiny_train(tiny_net(stem_stride=2), bn_images=1)
    with pytest.raises(ConfigError, match="without BN"):
        tiny_train(build_model(ModelConfig(8, batch_norm=False, **TINY)), bn_images=4)
