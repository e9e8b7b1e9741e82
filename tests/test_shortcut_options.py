"""What chapters 4 and 5 measure: projections that copy, maps of a block, counts of shortcuts."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import TINY, randomise_norms, same_weights, tiny_data, tiny_net, tiny_train

mpl.use("Agg")

from resnet_lib import ConfigError, ModelConfig, figures
from resnet_lib.analysis import block_maps, share_read
from resnet_lib.batches import Normaliser
from resnet_lib.blocks import BasicBlock, Bottleneck, make_shortcut
from resnet_lib.complexity import shortcut_counts
from resnet_lib.constructions import with_projections

X = Normaliser(tiny_data())(tiny_data().test_images[:20])


def trained(option: str, **changes):
    """A small trained net whose BN no test passes by chance."""
    net = tiny_net("resnet14", shortcut=option, **changes)
    tiny_train(net, iterations=4, milestones=())
    randomise_norms(net)
    return net.eval()


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("before", "after"), [("A", "B"), ("A", "C"), ("B", "C")])
def test_projections_can_copy(before: str, after: str, batch_norm: bool) -> None:
    net = trained(before, batch_norm=batch_norm)
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    wider = with_projections(net, after, tiny_data())
    assert wider.config.shortcut == after
    assert sum(p.numel() for p in wider.parameters()) > sum(p.numel() for p in net.parameters())
    with torch.no_grad():
        torch.testing.assert_close(wider(X), net(X), rtol=1e-3, atol=1e-3)
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())


def test_projections_copy_in_bottlenecks_too() -> None:
    net = tiny_net(ModelConfig(11, block="bottleneck", **TINY))
    randomise_norms(net)
    with torch.no_grad():
        wider = with_projections(net, "C", tiny_data())
        torch.testing.assert_close(wider(X), net.eval()(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("model", "before", "after"),
    [("resnet8", "B", "A"), ("resnet8", "C", "C"), ("plain8", "none", "B"), ("resnet8", "A", "D")],
)
def test_projections_are_only_added(model: str, before: str, after: str) -> None:
    net = tiny_net(model) if before == "none" else tiny_net(model, shortcut=before)
    with pytest.raises(ConfigError, match="from A to B or C"):
        with_projections(net, after, tiny_data())


@pytest.mark.parametrize("option", "AB")
@pytest.mark.parametrize("size", [8, 7])
def test_a_strided_shortcut_reads_every_second_pixel(option: str, size: int) -> None:
    shortcut = make_shortcut(option, 4, 8, 2)
    seen = -(-size // 2)
    assert share_read(shortcut, 4, size) == pytest.approx(100 * seen**2 / size**2)


@pytest.mark.parametrize(("stride_in", "share"), [("1x1", 25), ("3x3", 100)])
def test_what_a_strided_branch_reads(stride_in: str, share: int) -> None:
    block = Bottleneck(8, 4, 2, "B", stride_in=stride_in)
    assert share_read(torch.nn.Sequential(block.conv1, block.conv2), 8, 8) == share


@pytest.mark.parametrize("option", ["none", "A", "B", "C"])
@pytest.mark.parametrize("place", ["conv3_x.0", "conv3_x.1"])
def test_the_maps_of_a_block_add_up(option: str, place: str) -> None:
    name = "plain14" if option == "none" else "resnet14"
    net = tiny_net(name) if option == "none" else tiny_net(name, shortcut=option)
    randomise_norms(net)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    maps = block_maps(net, place, X[:1])
    assert ("shortcut" in maps) == (option != "none")
    total = maps["residual"] + maps.get("shortcut", 0)
    np.testing.assert_allclose(maps["output"], np.maximum(total, 0), rtol=1e-5, atol=1e-5)
    assert maps["input"].shape[0] == (4 if place.endswith("0") else 8)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(block._forward_hooks for _, block in net.blocks())


def test_option_a_s_map_is_every_second_pixel_then_zeros() -> None:
    maps = block_maps(tiny_net("resnet14", shortcut="A"), "conv3_x.0", X[:1])
    assert np.array_equal(maps["shortcut"][:4], maps["input"][:, ::2, ::2])
    assert not maps["shortcut"][4:].any()


def test_a_block_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"no block 'conv9_x\.0', only conv2_x\.0"):
        block_maps(tiny_net("resnet14"), "conv9_x.0", X[:1])


def test_the_maps_are_those_of_the_block() -> None:
    net = tiny_net("resnet14").eval()
    maps = block_maps(net, "conv3_x.0", X[:1])
    block = dict(net.blocks())["conv3_x.0"]
    assert isinstance(block, BasicBlock)
    with torch.no_grad():
        given = torch.from_numpy(maps["input"])[None]
        assert np.array_equal(block(given)[0].numpy(), maps["output"])


@pytest.mark.parametrize(
    ("model", "option", "identity", "padded", "projection"),
    [
        ("resnet34", "A", 13, 3, 0),
        ("resnet34", "B", 13, 0, 3),
        ("resnet34", "C", 0, 0, 16),
        ("resnet50", "B", 12, 0, 4),
        ("resnet110", "A", 52, 2, 0),
        ("resnet110", "C", 0, 0, 54),
    ],
)
def test_shortcuts_are_counted(model, option, identity, padded, projection) -> None:
    found = shortcut_counts(model, shortcut=option)
    assert found == {"identity": identity, "padded": padded, "projection": projection}


def test_plain_nets_have_no_shortcut() -> None:
    assert set(shortcut_counts("plain20").values()) == {0}


# Figures


def ends(**models: list[float]) -> pd.DataFrame:
    """Runs of two measurements each, the last of which is given, seed by seed."""
    rows = [
        {"model": model, "kind": "plain" if model[:5] == "plain" else "residual", "seed": seed}
        | {"split": "train", "iteration": at, "top1_error": value + (at == 1) * 30}
        for model, values in models.items()
        for seed, value in enumerate(values)
        for at in (1, 2)
    ]
    return pd.DataFrame(rows)


def test_ends_are_points_and_means_in_order() -> None:
    _, (ax,) = figures.panels()
    figures.plot_ends(ends(plain56=[80.0, 70.0, 30.0], resnet56=[40.0, 50.0]), ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["plain-56", "ResNet-56"]
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    bars = [line for line in ax.get_lines() if line.get_marker() != "o"]
    assert [sorted(line.get_ydata()) for line in points] == [[30, 70, 80], [40, 50]]
    assert [list(line.get_ydata()) for line in bars] == [[60, 60], [45, 45]]
    assert points[0].get_color() != points[1].get_color()


def test_names_that_would_run_into_each_other_are_turned() -> None:
    places = ["plain56", "resnet56", "resnet56-B", "resnet56-C"]
    for models, turned in ((places, 40), (places[:2], 0)):
        _, (ax,) = figures.panels()
        figures.plot_ends(ends(resnet56=[40.0]), ax, models=models)
        assert {label.get_rotation() for label in ax.get_xticklabels()} == {turned}


def test_ends_in_words_say_what_the_figure_shows() -> None:
    frame = ends(plain56=[80.0, 70.0, 30.0], resnet56=[40.0])
    told = figures.ends_in_words(frame)
    assert told == "Training error at the end: plain-56 60.0% (30.0 to 80.0), ResNet-56 40.0%."
    assert "nothing recorded" in figures.ends_in_words(frame, "test")


def test_nets_that_are_not_recorded_have_their_place() -> None:
    _, (ax,) = figures.panels()
    figures.plot_ends(ends(resnet20=[20.0]), ax, models=["resnet20-B", "resnet20"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["ResNet-20 B", "ResNet-20"]
    assert list(ax.get_lines()[0].get_xdata()) == [1]
    _, (ax,) = figures.panels()
    figures.plot_ends(ends(resnet20=[20.0]).iloc[:0], ax, models=["resnet20"])
    assert "not recorded yet" in [text.get_text() for text in ax.texts]


def test_maps_that_are_zero_are_drawn_apart() -> None:
    maps = np.ones((4, 3, 3))
    maps[2] = 0
    _, (ax,) = figures.panels(size=(2, 2))
    figures.plot_maps(maps, ax, limit=1, columns=2)
    full, empty = (np.ma.filled(image.get_array(), np.nan) for image in ax.get_images())
    assert full.shape == (7, 7)
    assert np.isnan(full[3]).all(), "a line between the maps"
    assert (full[:3, :3] == 1).all()
    assert np.isnan(full[4:, :3]).all()
    assert (empty[4:, :3] == 0).all()
    assert np.isnan(empty[:3]).all()


def test_a_copy_is_the_same_net() -> None:
    net = trained("A")
    assert same_weights(
        with_projections(net, "B", tiny_data()), with_projections(net, "B", tiny_data())
    )
