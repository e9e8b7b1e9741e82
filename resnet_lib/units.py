"""What passes from unit to unit of a net, forward and backward (second paper, section 2)."""

from __future__ import annotations

import copy

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.analysis import SignalProbe, end_of_branch
from resnet_lib.batches import check_images, normaliser_of
from resnet_lib.configs import ConfigError
from resnet_lib.data import ImageSet
from resnet_lib.devices import one_thread
from resnet_lib.models import ResNet


def unit_signals(net: ResNet, data: ImageSet, images: int = 64) -> pd.DataFrame:
    """Size and gradient of the input x_l of each unit, on one batch of training images.

    One row a unit: unit (from 1), name such as "conv3_x.0", mean and std of all values of x_l, and
    gradient, the norm of the mean loss's gradient with respect to it. In training mode, on a copy:
    the net is left as it was. Errors: `ConfigError` for images that the net does not take.
    Source: second paper, equations 4 and 5.
    """
    check_images(net, data)
    batch = SignalProbe(data, images, normaliser_of([net], data))
    net = copy.deepcopy(net).cpu().float().train()
    inputs: list[Tensor] = []

    def keep(_unit: nn.Module, given: tuple[Tensor]) -> None:
        given[0].retain_grad()
        inputs.append(given[0])

    for _, unit in net.blocks():
        unit.register_forward_pre_hook(keep)
    with one_thread():
        F.cross_entropy(net(batch.x), batch.y).backward()
    return pd.DataFrame(
        {
            "unit": range(1, len(inputs) + 1),
            "name": [name for name, _ in net.blocks()],
            "mean": [x.mean().item() for x in inputs],
            "std": [x.std().item() for x in inputs],
            "gradient": [x.grad.norm().item() for x in inputs],
        }
    )


@torch.no_grad()
def sum_error(net: ResNet, stage: str, data: ImageSet, images: int = 64) -> float:
    """How far a stage is from adding up, |x_L - (x_l + sum of F)| over |x_L|; 0 if it does.

    x_l enters the stage's second unit (the first may change dimensions), x_L leaves its last, and F
    is each unit's residual branch at the input that it really got; evaluation mode.

    Errors: `ConfigError` for a plain net, or a stage that has no second unit.
    Source: second paper, equation 4.
    """
    if net.config.kind == "plain":
        raise ConfigError(f"{net.config.name} has no shortcuts: nothing adds up in it.")
    check_images(net, data)
    net = copy.deepcopy(net).cpu().eval()
    units = [unit for name, unit in net.blocks() if name.startswith(f"{stage}.")][1:]
    if not units:
        listed = ", ".join(net.stages)
        raise ConfigError(
            f"{net.config.name} has no stage {stage!r} of two units or more; it has {listed}."
        )
    ends: list[tuple[Tensor, Tensor]] = []
    residuals: list[Tensor] = []
    for unit in units:
        unit.register_forward_hook(lambda _unit, given, out: ends.append((given[0], out)))
        end_of_branch(unit).register_forward_hook(lambda _layer, _given, out: residuals.append(out))
    with one_thread():
        net(SignalProbe(data, images, normaliser_of([net], data)).x)
    first, last = ends[0][0], ends[-1][1]
    return ((last - first - sum(residuals)).norm() / last.norm()).item()
