"""The explorer "build the identity": what the page computes, held to PyTorch."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from torch import nn

from resnet_lib import widgets
from resnet_lib.blocks import BasicBlock
from resnet_lib.pictures import head

NODE = shutil.which("node")
SIZE, COUNT = 9, 4
SCRIPT = """
    const { identityBlocks: net } = await import(process.argv[1]);
    const { size, picture, seed, count, share } = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const x = Float64Array.from(picture);
    const drawn = net.he(count, seed);
    const result = {};
    for (const kind of ["plain", "residual"]) {
        const adds = kind === "residual";
        const copies = drawn.map((block) => (adds ? net.residualCopy(block) : net.plainCopy(x)));
        const blocks = copies.map((copy, i) => net.between(copy, drawn[i], share));
        const built = net.through(copies, x, size, adds);
        const batch = net.through(blocks, x, size, adds);
        const kept = net.through(blocks, x, size, adds, built.used);
        const last = (each) => Array.from(each.outputs.at(-1));
        result[kind] = {
            blocks,
            statistics: built.used,
            copied: net.difference(built.outputs.at(-1), x),
            batch: last(batch),
            kept: last(kept),
            likeness: batch.outputs.map((each) => net.likeness(each, x)),
        };
    }
    process.stdout.write(JSON.stringify(result));
"""

pytestmark = pytest.mark.skipif(
    NODE is None, reason="Node is not installed: the page's code runs in it."
)


@cache
def page(share, seed=3, count=COUNT, pixels=None):
    """What the page's own code makes of a picture, through Node."""
    x = picture().flatten().tolist() if pixels is None else list(pixels)
    asked = {"size": round(len(x) ** 0.5), "picture": x, "seed": seed}
    with TemporaryDirectory() as folder:
        module = Path(folder) / "explorers.mjs"  # as .js Node would not take it for a module
        shutil.copyfile(widgets.BUNDLE, module)
        done = subprocess.run(
            [NODE, "-e", f"(async () => {{{SCRIPT}}})()", module.as_uri()],
            input=json.dumps({**asked, "count": count, "share": share}),
            capture_output=True,
            text=True,
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
    numbers = np.array(
        [each["conv1"] + each["conv2"] for each in page(1, count=300)["plain"]["blocks"]]
    )
    assert numbers.mean() == pytest.approx(0, abs=0.03)
    assert numbers.std() == pytest.approx(np.sqrt(2 / 9), rel=0.05)


def test_the_plain_figure_shows_what_the_page_computes_first():
    """The library draws the same weights and gets the same curves as the page's default view."""
    module = widgets.explorer("identity")
    data = module.data()
    x = module.picture(data)
    found = page(module.SHARE / 100, module.SEED, module.DEPTH, tuple(x.flatten().tolist()))
    for kind, values in module.curves(data).items():
        assert values == pytest.approx(found[kind]["likeness"], abs=1e-6), kind
    plain, residual = (
        f"{found[kind]['likeness'][-1]:.2f}".replace("-", "\N{MINUS SIGN}")
        for kind in ("plain", "residual")
    )
    told = f"is {plain} in plain blocks and {residual} in residual ones."
    assert told in module.sentence(data)
    grey = head(data["size"]).double().mean(0).flatten().numpy()
    np.testing.assert_allclose(data["pixels"], grey, rtol=0, atol=0.5001)
