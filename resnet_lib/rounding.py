"""What a small change does to a net: rounding, or another batch of images.

rounding(net, x, y)                  layer by layer, in bfloat16 against float64
agreement(net, one, other)           the exact gradients of two batches, layer by layer
"""

from __future__ import annotations

import copy

import pandas as pd
import torch
from torch import Tensor, nn

from resnet_lib.analysis import main_path
from resnet_lib.configs import one_of
from resnet_lib.devices import one_thread, seeded
from resnet_lib.training import loss_and_errors

Batch = tuple[Tensor, Tensor]


def rounding(model: nn.Module, x: Tensor, y: Tensor, precision: str = "bfloat16") -> pd.DataFrame:
    """How far a layer's output and gradient are from those that float64 gives.

    x: normalised images (N, C, H, W); y: labels (N,). precision: "bfloat16", by which layers read
    and write numbers of 8 significant bits and take sums and BN's statistics in float32, as `train`
    has it; or "float32", of 24 bits. One row a layer of the main path:
    layer, name: its number and name;
    output_error: size of the difference of its outputs (after BN, before ReLU or addition),
    relative to the exact one: 0 for none, 1 for one as large as the output;
    cosine: of the angle between the two gradients of the mean loss with respect to its weights: 1
    where they point the same way, 0 where they have nothing in common; NaN where one is zero.

    Works on copies in training mode, on the CPU, whose kernels decide what float32 rounds: the net
    is left as it was. Not said by it: what a GPU or torch.compile would round.
    Errors: `ConfigError` for another precision.
    """
    one_of(precision, ("bfloat16", "float32"), "precision")
    exact, rounded = (pass_through(model, x, y, each) for each in ("float64", precision))
    return pd.DataFrame(
        {
            "layer": range(1, len(exact) + 1),
            "name": list(exact),
            "output_error": [
                ((rounded[name][0] - output).norm() / output.norm()).item()
                for name, (output, _) in exact.items()
            ],
            "cosine": [cosine(rounded[name][1], gradient) for name, (_, gradient) in exact.items()],
        }
    )


def agreement(model: nn.Module, one: Batch, other: Batch) -> pd.DataFrame:
    """Whether two batches ask a layer for the same step: the cosine of their gradients in float64.

    one, other: normalised images (N, C, H, W) and labels (N,). One row a layer, with `layer`,
    `name` and `cosine` as in `rounding`.
    """
    first, second = (pass_through(model, *batch, "float64") for batch in (one, other))
    cosines = [cosine(first[name][1], second[name][1]) for name in first]
    layers = {"layer": range(1, len(first) + 1), "name": list(first)}
    return pd.DataFrame(layers | {"cosine": cosines})


def cosine(one: Tensor, other: Tensor) -> float:
    """Of the angle between two vectors; NaN where one of them is zero."""
    return (one @ other / (one.norm() * other.norm())).item()


def pass_through(
    model: nn.Module, x: Tensor, y: Tensor, precision: str
) -> dict[str, tuple[Tensor, Tensor]]:
    """Each layer's output and the gradient of its weights, as vectors in float64, by name."""
    number = torch.float64 if precision == "float64" else torch.float32
    model = copy.deepcopy(model).to("cpu", number).train()
    outputs: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            outputs[name] = output.detach().double().flatten()

        return hook

    layers = main_path(model)
    for name, _, norm in layers:
        norm.register_forward_hook(keep(name))
    with one_thread(), seeded(0, torch.device("cpu")):  # dropout leaves out the same each time
        loss_and_errors(model, x.to("cpu", number), y.cpu(), precision)[0].backward()
    return {name: (outputs[name], conv.weight.grad.double().flatten()) for name, conv, _ in layers}
