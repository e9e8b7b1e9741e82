"""How far rounding turns a net's gradient.

    rounding(build_model("plain56"), x, y)      a cosine for each layer and precision

bfloat16 keeps 8 significant bits of a number, float32 24 and float64 53.
"""

from __future__ import annotations

import copy

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_lib.analysis import main_path
from resnet_lib.devices import one_thread, seeded
from resnet_lib.training import loss_and_errors

COARSE = ("bfloat16", "float32")


def rounding(model: nn.Module, x: Tensor, y: Tensor) -> pd.DataFrame:
    """Whether a layer's gradient still points where it should, when it is computed with fewer bits.

    x: normalised images (N, C, H, W); y: labels (N,). One row a layer of the main path: its number
    `layer`, its name, and for bfloat16 (mixed precision, as `train` has it) and float32 the cosine
    of the angle between the gradient of the mean loss with respect to the layer's weights and the
    same in float64: 1 the same direction, 0 nothing in common.

    Works on copies in training mode, on the CPU: the net is left as it was.
    """
    with one_thread():
        exact = weight_gradients(model, x, y, "float64")
        table = {"layer": range(1, len(exact) + 1), "name": list(exact)}
        for precision in COARSE:
            rounded = weight_gradients(model, x, y, precision)
            table[precision] = [
                F.cosine_similarity(rounded[name], exact[name], dim=0).item() for name in exact
            ]
    return pd.DataFrame(table)


def weight_gradients(model: nn.Module, x: Tensor, y: Tensor, precision: str) -> dict[str, Tensor]:
    """The gradient of each convolution of the main path, as one vector in float64.

    precision: "bfloat16", "float32" or "float64".
    """
    model, x = copy.deepcopy(model).cpu().float().train(), x.cpu().float()
    if precision == "float64":
        model, x = model.double(), x.double()
    with seeded(0, torch.device("cpu")):  # dropout leaves out the same in each precision
        loss_and_errors(model, x, y.cpu(), precision)[0].backward()
    return {name: conv.weight.grad.double().flatten() for name, conv, _ in main_path(model)}
