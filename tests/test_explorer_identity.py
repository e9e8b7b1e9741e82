"""The explorer "build the identity": what the page computes, held to PyTorch."""

import json
import shutil
import subprocess
from functools import cache

import numpy as np
import pytest
import torch
from helpers import ROOT
from torch import nn

from resnet_lib.blocks import BasicBlock

WEB = ROOT / "web"
SIZE, COUNT = 9, 4


@cache
def page(share, seed=3):
    """What the page's own code makes of a picture, through Node."""
    if shutil.which("node") is None or not (WEB / "node_modules" / "esbuild").is_dir():
        pytest.skip("needs Node and its packages: cd web && npm ci")
    asked = {"size": SIZE, "picture": picture().flatten().tolist(), "seed": seed}
    done = subprocess.run(
        ["node", "tests/identity.mjs"],
        input=json.dumps({**asked, "count": COUNT, "share": share}),
        capture_output=True,
        text=True,
        cwd=WEB,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def picture():
    """A picture that is nowhere negative, as after a ReLU."""
    return torch.rand(1, 1, SIZE, SIZE, dtype=torch.float64, generator=seeded(0)) * 3


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def stack(found, kind):
    """The same blocks in PyTorch, with the statistics kept from the copy."""
    blocks = []
    for numbers, statistics in zip(found["blocks"], found["statistics"], strict=True):
        block = BasicBlock(1, 1, 1, "A" if kind == "residual" else "none").double()
        with torch.no_grad():
            for i, conv, norm in ((1, block.conv1, block.bn1), (2, block.conv2, block.bn2)):
                weight = torch.tensor(numbers[f"conv{i}"], dtype=torch.float64)
                conv.weight.copy_(weight.reshape(1, 1, 3, 3))
                norm.weight.fill_(numbers[f"gamma{i}"])
                norm.bias.fill_(numbers[f"beta{i}"])
                norm.running_mean.fill_(statistics[f"mean{i}"])
                norm.running_var.fill_(statistics[f"var{i}"])
        blocks.append(block)
    return nn.Sequential(*blocks)


@pytest.mark.parametrize("kind", ["plain", "residual"])
@pytest.mark.parametrize("share", [0, 0.07, 1])
def test_outputs_are_pytorchs(kind, share):
    """In evaluation mode and with the batch's own statistics; exact to rounding in float64."""
    found = page(share)[kind]
    net = stack(found, kind)
    x = picture()
    with torch.no_grad():
        kept = net.eval()(x)
        batch = net.train()(x)
    for name, expected in (("kept", kept), ("batch", batch)):
        close = {"rtol": 1e-9, "atol": 1e-9 * expected.abs().max().item()}
        torch.testing.assert_close(
            torch.tensor(found[name], dtype=torch.float64).reshape(expected.shape),
            expected,
            **close,
        )


@pytest.mark.parametrize("kind", ["plain", "residual"])
def test_the_solutions_copy_and_the_likeness_is_the_correlation(kind):
    built = page(0)[kind]
    assert built["copied"] < 1e-9
    assert built["likeness"] == pytest.approx([1] * (COUNT + 1))
    drawn = page(1)[kind]
    out = np.array(drawn["batch"])
    expected = np.corrcoef(out, picture().flatten())[0, 1] if out.std() > 0 else 0
    assert drawn["likeness"][-1] == pytest.approx(expected)
    assert drawn["likeness"][-1] < 0.99


def test_initial_weights_are_he_and_move_with_the_seed():
    drawn = page(1)["plain"]["blocks"]
    assert {each["gamma1"] for each in drawn} | {each["gamma2"] for each in drawn} == {1}
    assert {each["beta1"] for each in drawn} | {each["beta2"] for each in drawn} == {0}
    assert drawn == page(1)["residual"]["blocks"]  # twins
    assert drawn != page(1, seed=4)["plain"]["blocks"]
    numbers = [
        n
        for seed in range(40)
        for each in page(1, seed)["plain"]["blocks"]
        for n in each["conv1"] + each["conv2"]
    ]
    assert np.mean(numbers) == pytest.approx(0, abs=0.03)
    assert np.std(numbers) == pytest.approx(np.sqrt(2 / 9), rel=0.05)
