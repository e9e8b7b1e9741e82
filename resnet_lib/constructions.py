"""Nets written down by hand, deeper or with more projections, that compute what a net computes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from resnet_lib.batches import AnyNormaliser, check_images, normaliser_of, source_of
from resnet_lib.blocks import BasicBlock, projects
from resnet_lib.configs import ConfigError, whole
from resnet_lib.data import ImageSet
from resnet_lib.devices import one_thread
from resnet_lib.models import ResNet, build_model


@torch.no_grad()
def deepen(net: ResNet, depth: int, data: ImageSet) -> ResNet:
    """A deeper net that computes what `net` computes: the added blocks are identities.

    The construction behind the paper's argument: a deeper net can copy the shallower one and add
    identity mappings. New blocks follow the old ones of each stage, where inputs are outputs of a
    ReLU and so not negative. A residual block becomes the identity by a zero last scale and
    shift; a plain one needs two Dirac kernels, and BN undone by its own statistics
    (gamma = sqrt(var + eps), beta = mean), which holds in evaluation mode. The statistics are
    those of about 256 training images.

    Errors: `ConfigError` when `depth` is smaller than the net's, or under option C, whose
    projections are no identities. Source: Paper, section 1 and section 3.1.
    """
    whole(depth, 1, "depth")
    if depth < net.config.depth:
        raise ConfigError(f"depth {depth} is not deeper than the net's {net.config.depth}.")
    usual = ("basic", "original", "add")
    if (net.config.block, net.config.order, net.config.junction) != usual:
        raise ConfigError(f"{net.config.name} is not built of the paper's two-layer blocks.")
    if net.config.shortcut == "C":
        raise ConfigError("option C projects on every shortcut: its blocks are no identities.")
    deep = rebuilt(net, data, depth=depth)
    old, norms = dict(net.blocks()), []
    for name, block in deep.blocks():
        if name not in old:
            make_identity(block)
            norms += [block.bn1, block.bn2]
    undo_norms(deep, norms, normaliser_of([net], data), data)
    return deep


def make_identity(block: BasicBlock) -> None:
    """Set a block's convolutions so that inputs that are not negative pass, BN aside."""
    for conv in (block.conv1, block.conv2):
        nn.init.dirac_(conv.weight)
        if conv.bias is not None:
            conv.bias.zero_()
    if block.shortcut is not None:
        last = block.bn2 if isinstance(block.bn2, nn.BatchNorm2d) else block.conv2
        last.weight.zero_()
        last.bias.zero_()


@torch.no_grad()
def with_projections(net: ResNet, option: str, data: ImageSet) -> ResNet:
    """A net of option B or C that computes what `net`, of fewer projections, computes.

    Every projection that `net` lacks copies its input's channels (a 1x1 kernel with ones on the
    diagonal, at the block's stride), and its BN is undone by its own statistics, which holds in
    evaluation mode. The statistics are those of about 256 training images.

    Errors: `ConfigError` unless the net has shortcuts and `option` has more projections.
    """
    order = ("A", "B", "C")
    given = net.config.shortcut
    if given not in order or option not in order[order.index(given) + 1 :]:
        raise ConfigError(
            f"{net.config.name} has option {given!r}: it can be rewritten with more projections "
            "only, from A to B or C and from B to C."
        )
    wider = rebuilt(net, data, shortcut=option)
    old, norms = dict(net.blocks()), []
    for name, block in wider.blocks():
        if projects(block) and not projects(old[name]):
            nn.init.dirac_(block.shortcut.conv.weight)
            norms.append(block.shortcut.bn)
    undo_norms(wider, norms, normaliser_of([net], data), data)
    return wider


def rebuilt(net: ResNet, data: ImageSet, **changes: object) -> ResNet:
    """A net of other fields with the weights of `net` wherever both have a layer of a name."""
    check_images(net, data)
    made = build_model(dataclasses.replace(net.config, **changes), seed=net.seed)
    made.load_state_dict(net.state_dict(), strict=False)
    made.source = source_of(net)
    return made


def undo_norms(
    net: nn.Module, norms: Iterable[nn.Module], normalise: AnyNormaliser, data: ImageSet
) -> None:
    """Undo some BN layers of a net by the statistics of what reaches them; others are no BN."""
    some = data.train_images[:: max(1, len(data.train_images) // 256)]
    layers = [norm for norm in norms if isinstance(norm, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(undo_norm) for norm in layers]
    net.eval()(normalise(some))
    for hook in hooks:
        hook.remove()


def undo_norm(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
    """Give a BN layer the statistics of its input, and undo it by them unless its scale is zero."""
    var, mean = torch.var_mean(inputs[0], (0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    if norm.weight.any():
        norm.weight.copy_((var + norm.eps).sqrt())
        norm.bias.copy_(mean)


@torch.no_grad()
def construction_error(shallow: nn.Module, deep: nn.Module, data: ImageSet) -> dict[str, float]:
    """Test errors of a net and of one built from it, and how far their outputs differ.

    Computed in evaluation mode, on images normalised as `shallow` has seen them. Returns shallow
    and deep (top-1 error in percent), difference (largest absolute difference of two outputs) and
    scale (largest output).
    """
    check_images(shallow, data)
    x = normaliser_of([shallow], data)(data.test_images)
    with one_thread():
        logits = [
            torch.cat([net(batch) for batch in x.split(500)])
            for net in (copy.deepcopy(net).cpu().eval() for net in (shallow, deep))
        ]
    wrong = [100 * (each.argmax(1) != data.test_labels).double().mean().item() for each in logits]
    return {
        "shallow": wrong[0],
        "deep": wrong[1],
        "difference": (logits[0] - logits[1]).abs().max().item(),
        "scale": logits[0].abs().max().item(),
    }
