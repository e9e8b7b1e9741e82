"""Blocks and shortcuts against an independent computation with plain tensor functions."""

import pytest
import torch
from helpers import block_by_hand, randomise_norms
from torch import nn

from resnet_lib.blocks import (
    BasicBlock,
    ProjectionShortcut,
    ZeroPadShortcut,
    make_shortcut,
)
from resnet_lib.configs import SHORTCUTS
from resnet_lib.models import initialise

SHAPES = [(4, 4, 1), (4, 8, 2), (4, 8, 1), (4, 4, 2)]


def make_block(channels, width, stride, option, batch_norm=True):
    """A block of random parameters in float64, and an input with odd and even sides."""
    block = BasicBlock(channels, width, stride, option, batch_norm).double()
    initialise(block, "he", 1)
    randomise_norms(block)
    if not batch_norm:
        for name, value in block.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(value)
    x = torch.randn(3, channels, 8, 7, generator=torch.Generator().manual_seed(2)).double()
    return block, x


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("option", SHORTCUTS)
def test_a_block_computes_what_the_paper_says(option, shape, batch_norm, training):
    channels, width, stride = shape
    block, x = make_block(channels, width, stride, option, batch_norm)
    expected = block_by_hand(block.state_dict(), x, stride, option, training)
    with torch.no_grad():
        out = block.train(training)(x)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-10)
    assert out.shape == (3, width, -(-8 // stride), -(-7 // stride))
    assert (out >= 0).all()
    assert (out > 0).any()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("extra", [0, 1, 8])
def test_option_a_subsamples_and_pads_with_zeros(stride, extra):
    x = torch.randn(2, 4, 9, 8)
    out = ZeroPadShortcut(4, 4 + extra, stride)(x)
    assert torch.equal(out[:, :4], x[:, :, ::stride, ::stride])
    assert out.shape[1] == 4 + extra
    assert not out[:, 4:].any()


def test_option_a_has_no_parameters_and_is_the_identity_where_nothing_changes():
    assert list(make_shortcut("A", 4, 8, 2).parameters()) == []
    x = torch.randn(2, 4, 5, 5)
    for option in ("A", "B"):
        assert torch.equal(make_shortcut(option, 4, 4, 1)(x), x)


@pytest.mark.parametrize("shape", SHAPES)
def test_which_option_projects_where(shape):
    channels, width, stride = shape
    changes = channels != width or stride != 1

    def projects(option):
        return isinstance(make_shortcut(option, channels, width, stride), ProjectionShortcut)

    assert make_shortcut("none", channels, width, stride) is None
    assert not projects("A")
    assert projects("B") == changes
    assert projects("C")


def test_a_projection_is_a_1x1_convolution_of_the_block_s_stride():
    conv = make_shortcut("B", 4, 8, 2).conv
    assert (conv.kernel_size, conv.stride, conv.padding) == ((1, 1), (2, 2), (0, 0))


@pytest.mark.parametrize("option", SHORTCUTS)
def test_a_plain_block_has_the_same_layers_as_a_residual_one(option):
    def layers(which):
        block = BasicBlock(4, 8, 2, which)
        return {k: v.shape for k, v in block.state_dict().items() if "shortcut" not in k}

    assert layers(option) == layers("none")


@pytest.mark.parametrize("option", SHORTCUTS)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_convolutions_have_a_bias_exactly_where_no_bn_follows(option, batch_norm):
    block = BasicBlock(4, 8, 2, option, batch_norm)
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(convolutions) == (3 if option in "BC" else 2)
    assert len(norms) == (len(convolutions) if batch_norm else 0)
    assert all((conv.bias is None) == batch_norm for conv in convolutions)


@pytest.mark.parametrize("option", SHORTCUTS)
def test_bn_makes_a_bias_before_it_redundant(option):
    """In training mode BN subtracts what a bias adds: outputs and gradients stay the same."""
    block, x = make_block(4, 8, 2, option)
    x.requires_grad_()
    expected = block.train()(x)
    wanted = torch.autograd.grad(expected.square().sum(), x)[0]
    for owner in (m for m in block.modules() if hasattr(m, "conv") or hasattr(m, "conv1")):
        for name in ("conv", "conv1", "conv2"):
            if hasattr(owner, name):
                conv = getattr(owner, name)
                conv.bias = nn.Parameter(3 * torch.randn(conv.out_channels).double())
    out = block(x)
    torch.testing.assert_close(out, expected, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(
        torch.autograd.grad(out.square().sum(), x)[0], wanted, rtol=1e-7, atol=1e-7
    )
