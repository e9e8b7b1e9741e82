"""Blocks as mappings: what shrinking does, and what fitting finds."""

import pandas as pd
import pytest
import torch
from helpers import randomise_norms, tiny_data, tiny_net

from resnet_lib import ConfigError
from resnet_lib.batches import Normaliser
from resnet_lib.blocks import Bottleneck
from resnet_lib.mappings import (
    PARTS,
    bias_before_norm,
    fit_mapping,
    fit_mappings,
    gate_share,
    images_of,
    input_of,
    last_errors,
    residual,
    shift_error,
    shrink,
    shrinking,
    size_of_last_layer,
    small_features,
    stack,
)


@pytest.fixture(scope="module")
def features():
    return small_features(tiny_data(), width=4, count=128)


@pytest.fixture(scope="module")
def inside():
    """A block of a net whose norms are not at their start, and real inputs of it."""
    net = tiny_net("resnet14")
    randomise_norms(net)
    name, block = net.blocks()[-1]
    return block, input_of(net, name, images_of(tiny_data(), 64))


def test_inputs_of_a_block_are_what_the_net_gives_it():
    net = tiny_net("resnet14").train()
    x = images_of(tiny_data(), 32)
    first = torch.relu(net.bn1(net.conv1(x)))
    assert torch.equal(input_of(net, "conv2_x.0", x), first)
    assert torch.allclose(input_of(net, "conv2_x.1", x), net.conv2_x[0](first), atol=1e-6)


def test_the_residual_is_what_the_shortcut_is_added_to(inside):
    block, x = inside
    with torch.no_grad():
        whole = block.train()(x)
    assert torch.allclose(torch.relu(residual(block, x) + x), whole, atol=1e-6)


def test_scale_and_shift_make_the_identity_and_weights_do_not(inside):
    block, x = inside
    table = shrinking(block, x).set_index(["part", "factor"])
    assert table.loc[("scale and shift", 0), "difference"] == 0
    assert table.loc[("weights", 0), "difference"] > 0.01
    assert (
        table.loc[("weights", 0.1), "residual_std"]
        > 0.9 * table.loc[("weights", 1), "residual_std"]
    )
    scaled = table.loc["scale and shift", "residual_std"]
    assert scaled[0.1] == pytest.approx(0.1 * scaled[1], rel=1e-4)


@pytest.mark.parametrize("part", PARTS)
def test_shrinking_leaves_the_block_itself(inside, part):
    block, _ = inside
    before = {name: value.clone() for name, value in block.state_dict().items()}
    shrink(block, part, 0)
    assert all(torch.equal(before[name], value) for name, value in block.state_dict().items())


def test_a_block_whose_last_layer_is_another_is_refused():
    """conv2 is in the middle of a bottleneck: the table would look right and be of it."""
    block, x = Bottleneck(16, 4, 1, "A"), torch.rand(2, 16, 4, 4)
    for act in (lambda: shrink(block, PARTS[0], 0), lambda: residual(block, x)):
        with pytest.raises(ConfigError, match="no block of two layers"):
            act()


def test_a_block_that_is_never_the_identity_is_refused():
    with pytest.raises(ConfigError, match="take one whose shortcut is"):
        shrinking(dict(tiny_net().blocks())["conv3_x.0"], torch.rand(2, 4, 8, 8))


def test_an_unknown_option_is_no_option_a():
    with pytest.raises(ConfigError, match="shortcut option 'plain' is unknown"):
        stack(1, 4, "plain", 0)


def test_an_unknown_part_is_named(inside):
    with pytest.raises(ConfigError, match="part 'bias' is unknown"):
        shrink(inside[0], "bias", 0)


def test_plain_and_residual_stacks_start_from_the_same_weights():
    plain, with_shortcut = stack(2, 4, "none", 3), stack(2, 4, "A", 3)
    for one, other in zip(plain.parameters(), with_shortcut.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_residual_block_finds_the_identity_through_scale_and_shift(features):
    made, log = fit_mapping(features, 1, steps=60)
    assert log["error"].iloc[-1] < 0.01 < log["error"].iloc[0]
    before, after = size_of_last_layer(stack(1, 4, "A", 0)), size_of_last_layer(made)
    assert after["gamma"] < 0.1 * before["gamma"]
    assert after["weights"] > 0.5 * before["weights"]


def test_an_error_is_in_units_of_what_was_asked_for(features):
    """1 for zero in the place of the identity. The first error, before any step, on all images."""
    _, log = fit_mapping(features, 0.5, steps=1, batch=len(features))
    missed = stack(1, 4, "A", 0)(features) - 0.5 * features
    wanted = missed.square().sum() / features.square().sum()
    assert log["error"].iloc[0] == pytest.approx(wanted.item(), rel=1e-4)
    assert features.square().mean() != pytest.approx(1, abs=0.1)


def test_a_plain_block_finds_zero(features):
    _, log = fit_mapping(features, 0, shortcut="none", steps=60)
    assert log["error"].iloc[-1] < 0.01


def test_fits_are_a_tidy_table_and_repeat(features):
    frame = fit_mappings(features, (0, 1), (1, 2), (0,), steps=4)
    assert len(frame) == 2 * 2 * 2 * 4
    assert frame.equals(fit_mappings(features, (0, 1), (1, 2), (0,), steps=4))
    ends = last_errors(frame)
    assert len(ends) == 8
    keys = ["kind", "scale", "blocks", "seed"]
    last = frame[frame["step"] == 3].set_index(keys)["error"].sort_index()
    assert list(ends.set_index(keys)["error"].sort_index()) == list(last)


def test_a_shifted_copy_is_the_best_of_its_kind():
    """Of maps of 0 and one other value a shift makes any fraction, of others it does not."""
    x = torch.tensor([0.0, 1.0]).repeat(2, 3, 4, 2)
    x[:, 1] *= 2  # another best shift for each channel
    assert shift_error(x, 0.25) == pytest.approx(0, abs=1e-4)
    assert shift_error(x, 1) == 0
    wide = torch.linspace(0, 1, 1000).reshape(1, 1, 1, -1)
    best = min(
        float(((wide - c).relu() - wide / 4).square().mean() / wide.square().mean())
        for c in torch.linspace(0, 1, 200)
    )
    assert shift_error(wide, 0.25) == pytest.approx(best, rel=1e-2)
    assert best > 0.01


def test_the_last_error_is_the_mean_over_the_last_tenth_of_the_steps():
    frame = pd.DataFrame({"step": range(20), "error": [9.0] * 18 + [1.0, 2.0]})
    frame = frame.assign(kind="plain", scale=0, blocks=1, seed=0)
    assert last_errors(frame)["error"].tolist() == [1.5]


def test_images_are_spread_over_the_classes():
    data = tiny_data()
    step = len(data.train_images) // 20
    assert torch.equal(images_of(data, 20), Normaliser(data)(data.train_images[::step]))
    assert len(data.train_labels[::step].unique()) == 10


def test_a_bias_before_norm_changes_nothing(features):
    assert 0 < bias_before_norm(features) < 1e-4, "by rounding alone"


def test_a_gate_closes_where_the_bias_is_high(features):
    shares = {bias: gate_share(features, bias) for bias in (20, 0, -20)}
    assert shares[20]["largest"] < 0.01
    assert shares[-20]["smallest"] > 0.99
    assert shares[0]["smallest"] < shares[0]["mean"] < shares[0]["largest"]
