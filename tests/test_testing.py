"""The testing protocols, against torchvision's crops and against their own definitions."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF
from helpers import embedded, randomise_norms, same_weights, tiny_data, tiny_net, tiny_train
from PIL import Image
from torch import nn

from resnet_lib import ConfigError, ModelConfig, build_model
from resnet_lib.batches import ChannelNormaliser, Normaliser
from resnet_lib.data import ImageSet
from resnet_lib.photos import Photos
from resnet_lib.testing import (
    PROTOCOLS,
    SCALES,
    Errors,
    Sizes,
    averaged_dense_scores,
    class_scores,
    compare_errors,
    crops,
    dense_scores,
    ensemble_errors,
    error_of,
    fitted,
    loss_of,
    measure_errors,
    padding_effect,
    scores_of,
    sliding_scores,
    standard_error,
    votes,
)
from resnet_lib.training import evaluate

SIZES = Sizes(crop=6, centre_from=8, ten_from=8, scales=(6, 9))


def photos(*shapes, seed=0):
    """Random images of the given heights and widths."""
    draw = torch.Generator().manual_seed(seed)
    return [torch.randint(256, (3, *shape), dtype=torch.uint8, generator=draw) for shape in shapes]


def net_for(seed=0, **changes):
    """A small colour net whose scores are far from uniform, in evaluation mode."""
    net = build_model(ModelConfig(8, width=4, **changes), seed=seed)
    randomise_norms(net, seed)
    return net.eval()


PLAIN_CHANNELS = ChannelNormaliser(torch.zeros(3, 1, 1) + 100, torch.zeros(3, 1, 1) + 50)


def by_hand(net, views):
    """Mean softmax over views, one image and one view at a time."""
    with torch.no_grad():
        return torch.stack([net((v[None].float() - 100) / 50).softmax(1)[0] for v in views]).mean(0)


# Views


@pytest.mark.parametrize("shape", [(8, 8), (8, 11), (13, 8), (8, 9)])
def test_ten_crops_are_torchvision_s(shape) -> None:
    [image] = photos(shape)
    wanted = TF.ten_crop(image, [6, 6])
    found = [view[0] for _, view in PROTOCOLS["10-crop"].views([image], SIZES)]
    assert len(found) == 10
    for crop in wanted:
        assert any(torch.equal(crop, other) for other in found)


def test_images_are_resized_on_their_shorter_side_then_cropped_as_torchvision_does() -> None:
    images = photos((16, 40), (31, 17), (8, 8), (5, 4))
    [(numbers, view)] = PROTOCOLS["centre-crop"].views(images, SIZES)
    assert numbers == [0, 1, 2, 3]
    for image, found in zip(images, view, strict=True):
        assert torch.equal(found, TF.center_crop(TF.resize(image, [8], antialias=True), [6, 6]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_batch_of_one_size_is_seen_as_a_list_is(protocol) -> None:
    images = photos(*[(9, 9)] * 4)
    views = [PROTOCOLS[protocol].views(each, SIZES) for each in (images, torch.stack(images))]
    for (numbers, one), (others, other) in zip(*views, strict=True):
        assert numbers == others
        assert torch.equal(one, other)


def test_sizes_of_photographs_and_of_small_images() -> None:
    """224 and 256 pixels, Table 4's scales; CIFAR-10's 32 pixels whole (section 4.2)."""
    image, label = torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(1, dtype=torch.long)
    cifar = ImageSet("cifar", ("a",), image, label, image, label)
    assert Sizes.of(cifar) == Sizes(32, 32, 37, (32, 37, 55, 69, 91))
    assert SCALES == (224, 256, 384, 480, 640)


def test_a_small_image_is_seen_whole_by_the_centre_crop() -> None:
    data = tiny_data()
    [(_, view)] = PROTOCOLS["centre-crop"].views(data.test_images, Sizes.of(data))
    assert torch.equal(view, data.test_images)


# Scores


@pytest.mark.parametrize("protocol", ["centre-crop", "10-crop"])
def test_scores_are_the_mean_softmax_over_views(protocol) -> None:
    images = photos((12, 16), (9, 8), (20, 20))
    net = net_for()
    found = class_scores([net], images, PROTOCOLS[protocol], SIZES, PLAIN_CHANNELS)
    for image, scores in zip(images, found, strict=True):
        image = TF.resize(image, [8], antialias=True)
        views = TF.ten_crop(image, [6, 6])
        views = views if protocol == "10-crop" else [TF.center_crop(image, [6, 6])]
        torch.testing.assert_close(scores, by_hand(net, views))
    assert found.std() > 0.01


def test_the_mirror_image_is_the_second_of_two_views() -> None:
    images = torch.stack(photos(*[(9, 9)] * 3))
    (numbers, one), (others, other) = PROTOCOLS["centre-and-mirror"].views(images, SIZES)
    assert numbers == others == [0, 1, 2]
    assert torch.equal(one.flip(-1), other)
    [(_, centre)] = PROTOCOLS["centre-crop"].views(images, SIZES)
    assert torch.equal(one, centre)


def test_multi_scale_sees_whole_images_of_any_shape_at_each_scale() -> None:
    images = photos((12, 16), (12, 16), (9, 8), (24, 32))
    net = net_for()
    found = class_scores([net], images, PROTOCOLS["multi-scale"], SIZES, PLAIN_CHANNELS)
    for image, scores in zip(images, found, strict=True):
        views = [TF.resize(image, [side], antialias=True) for side in SIZES.scales]
        torch.testing.assert_close(scores, by_hand(net, views), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ensemble_averages_its_nets(protocol) -> None:
    images = torch.stack(photos(*[(8, 8)] * 3))
    nets = [net_for(seed) for seed in (0, 1)]
    how = (images, PROTOCOLS[protocol], SIZES, PLAIN_CHANNELS)
    alone = [class_scores([net], *how) for net in nets]
    torch.testing.assert_close(class_scores(nets, *how), (alone[0] + alone[1]) / 2)
    torch.testing.assert_close(class_scores([nets[0]] * 2, *how), alone[0])
    assert (alone[0] - alone[1]).abs().max() > 0.01


DENSE = {
    "residual": ModelConfig(8, width=4),
    "plain": ModelConfig(8, "none", width=4),
    "bottleneck": ModelConfig(11, block="bottleneck", width=4),
    "preactivation": ModelConfig(8, order="preactivation", width=4),
    "gated": ModelConfig(8, junction="exclusive-gate", width=4),
    "imagenet": ModelConfig.imagenet(18, width=4, classes=20),
}


@pytest.mark.parametrize("config", DENSE.values(), ids=DENSE)
@pytest.mark.parametrize("shape", [(64, 64), (40, 57)])
def test_averaged_dense_scores_equal_the_direct_evaluation(config, shape) -> None:
    net = build_model(config, seed=0).double()
    randomise_norms(net)
    x = torch.randn(2, 3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    net.eval()
    with torch.no_grad():
        assert dense_scores(net, x)[0, 0].numel() > 1
        torch.testing.assert_close(averaged_dense_scores(net, x), net(x), rtol=1e-9, atol=1e-9)


def windows_of(net, x, window):
    """Dense scores averaged over each window's positions, and the windows one by one."""
    stride = 4  # of a CIFAR net: two stages halve the map
    with torch.no_grad():
        positions = dense_scores(net, x[:, :, :window, :window]).shape[-1]
        dense = F.avg_pool2d(dense_scores(net, x), positions, stride=1)
        sliding = sliding_scores(net, x, window, stride)
    assert sliding.shape[2] > 2
    assert sliding.shape[3] > sliding.shape[2]
    return dense, sliding


@pytest.mark.parametrize("window", [25, 29, 41])
def test_dense_equals_sliding_in_a_net_without_padding(window) -> None:
    """25 pixels are what one position of such a net of eight layers sees; 41 give 5x5."""
    net = build_model(ModelConfig(8, "none", width=4), seed=0).double()
    randomise_norms(net)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
    x = torch.randn(1, 3, 53, 57, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dense, sliding = windows_of(net.eval(), x, window)
    torch.testing.assert_close(dense, sliding, rtol=1e-9, atol=1e-9)


def test_zero_padding_makes_dense_and_sliding_differ_in_a_residual_net() -> None:
    """By enough to see, and not by so much that the one is no estimate of the other."""
    net = build_model(ModelConfig(8, width=4), seed=0).double().eval()
    x = torch.rand(2, 3, 48, 52, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dense, sliding = windows_of(net, x, 32)
    difference, agreement = padding_effect(net, x, 32, 4)
    assert difference == pytest.approx(((dense - sliding).abs().mean() / sliding.std()).item())
    assert 0.01 < difference < 1
    assert agreement == (dense.argmax(1) == sliding.argmax(1)).double().mean().item()


def test_without_padding_there_is_no_effect_of_it() -> None:
    net = build_model(ModelConfig(8, "none", width=4), seed=0).double().eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
    x = torch.rand(2, 3, 48, 52, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    difference, agreement = padding_effect(net, x, 32, 4)
    assert difference < 1e-9
    assert agreement == 1


# Input


def test_a_mean_image_is_resized_with_its_images_and_left_alone_at_its_own_size() -> None:
    data = tiny_data()
    normalise = Normaliser(data)
    assert fitted(normalise, data.test_images) is normalise
    channels = ChannelNormaliser.of(data)
    large = torch.zeros(2, 1, 9, 12, dtype=torch.uint8)
    assert fitted(channels, large) is channels
    wanted = TF.resize(normalise.mean, [9, 12], antialias=True)
    torch.testing.assert_close(
        fitted(normalise, large)(large), (0 - wanted / normalise.std)[None].expand(2, 1, 9, 12)
    )
    assert normalise.mean.shape == (1, 7, 7)


# Errors


def test_errors_are_counted_as_by_hand() -> None:
    data = tiny_data()
    net = tiny_net().eval()
    found = measure_errors(net, data, device="cpu", batch_size=33)
    with torch.no_grad():
        order = net(Normaliser(data)(data.test_images)).argsort(1, descending=True)
    hits = order == data.test_labels[:, None]
    assert found.top1_error == pytest.approx(100 * (~hits[:, 0]).double().mean().item())
    assert found.top5_error == pytest.approx(100 * (~hits[:, :5].any(1)).double().mean().item())
    assert 0 < found.top5_error < found.top1_error
    assert found.images == 100
    usual = evaluate(net, data.test_images, data.test_labels, Normaliser(data))[1]
    assert found.top1_error == pytest.approx(usual)
    assert str(found).endswith("on 100 images")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_tests_small_images_with_a_known_count_in_silence(protocol) -> None:
    data = embedded(7)
    found = measure_errors(tiny_net(), data, protocol, device="cpu")
    assert found.images == 2000
    assert 50 < found.top1_error <= 100, "an untrained net guesses"


def test_a_part_of_a_known_set_is_warned_of_and_spread_over_the_set() -> None:
    data = embedded(7)
    net = tiny_net()
    with pytest.warns(UserWarning, match=r"20 images are tested, and embedded has 2,000"):
        found = measure_errors(net, data, images=20, device="cpu")
    assert found.images == 20
    spread = torch.linspace(0, 1999, 20).long()
    labels = data.test_labels[spread]
    assert torch.bincount(labels).tolist() == [2] * 10, "they stand class by class"
    scores = scores_of(net, data, device="cpu")[spread]
    assert found.top1_error == pytest.approx(error_of(scores, labels))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measure_errors(net, tiny_data(), images=20, device="cpu")  # a set of no known size


@pytest.mark.parametrize("measure", [measure_errors, scores_of])
def test_a_doubt_about_the_classes_names_the_line_that_asked(tmp_path, measure) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    pictures = Photos("pets", ("cat", "dog"), (path,), torch.zeros(1, dtype=torch.long))
    net = net_for(classes=2)
    net.record = SimpleNamespace(data={"name": "birds"})
    with pytest.warns(UserWarning, match="was trained on birds") as told:
        measure(net, pictures, device="cpu")
    assert [each.filename for each in told] == [__file__]


def test_a_net_that_diverged_has_no_error() -> None:
    """The class of the highest NaN is the first: an error of 90% that looks measured."""
    good, bad = tiny_net(), tiny_net("plain8")
    with torch.no_grad():
        bad.conv1.weight[0] = torch.nan
    for measure in (measure_errors, scores_of):
        with pytest.raises(ConfigError, match="the scores of plain8 are not finite") as error:
            measure(bad, tiny_data(), device="cpu")
        assert "net whose loss stayed finite" in str(error.value)
        with pytest.raises(ConfigError, match=r"of plain8 \(net 2 of 3\) are"):
            measure([good, bad, good], tiny_data(), device="cpu")
    with torch.no_grad():  # finite weights, and what they make of an image is not
        good.fc.weight.fill_(torch.finfo(torch.float32).max)
    with pytest.raises(ConfigError, match="the scores of resnet8"):
        measure_errors(good, tiny_data(), device="cpu")


def test_the_nets_are_left_as_they_were() -> None:
    net, before = tiny_net().train(), tiny_net()
    measure_errors(net, tiny_data(), "10-crop", device="cpu")
    assert net.training
    assert same_weights(net, before)


def test_ten_crops_hold_no_more_than_the_batch_in_memory() -> None:
    """No batch is larger than asked, and a view is gone when the next but one is made."""
    sizes, alive, most = [], [], []

    class Watched(nn.Module):
        config = tiny_net().config
        fc = tiny_net().fc

        def forward(self, x):
            sizes.append(len(x))
            alive.append(weakref.ref(x))
            most.append(sum(ref() is not None for ref in alive))
            return torch.zeros(len(x), 10)

    measure_errors(Watched(), tiny_data(), "10-crop", batch_size=32, device="cpu")
    assert sizes == [32] * 30 + [4] * 10
    assert max(most) <= 2


@pytest.mark.parametrize(
    ("net", "options", "parts"),
    [
        ({"in_channels": 3}, {}, ("3 channels", "has 1")),
        ({"classes": 4}, {}, ("4 classes", "has 10")),
        ({}, {"protocol": "10crop"}, ("10crop", "10-crop")),
        ({}, {"images": 0}, ("images", "0")),
        ({}, {"batch_size": 0}, ("batch_size", "0")),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence(net, options, parts) -> None:
    with pytest.raises(ConfigError) as error:
        measure_errors(tiny_net(**net), tiny_data(), device="cpu", **options)
    assert all(part in str(error.value) for part in parts)


def test_an_ensemble_must_agree_on_its_classes_and_not_be_empty() -> None:
    with pytest.raises(ConfigError, match="same classes"):
        measure_errors([tiny_net(), tiny_net(classes=12)], tiny_data(), device="cpu")
    with pytest.raises(ConfigError, match="no net"):
        measure_errors([], tiny_data(), device="cpu")


def test_an_ensemble_must_have_seen_images_normalised_alike() -> None:
    nets = [tiny_net(seed=seed) for seed in (0, 1)]
    for seed, (net, how) in enumerate(zip(nets, ("per-pixel", "per-channel"), strict=True)):
        tiny_train(net, iterations=1, milestones=(), seed=seed, normalisation=how)
    with pytest.raises(ConfigError, match="normalised alike"):
        measure_errors(nets, tiny_data(), device="cpu")


def test_crops_lie_where_they_should() -> None:
    image = torch.arange(30).reshape(1, 1, 5, 6)
    assert crops(image, 3, 0, 0)[0, 0, 0, 0] == 0
    assert crops(image, 3, 1, 1)[0, 0, -1, -1] == 29
    assert crops(image, 3, 0.5, 0.5)[0, 0, 0, 0] == 6 + 2  # round(1.5) is 2, as in torchvision


def test_errors_say_what_they_are() -> None:
    assert str(Errors(24.7, 7.8, 50_000)) == (
        "top-1 error 24.70%, top-5 error 7.80% on 50,000 images"
    )


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match="precision 'bf16'"):
        measure_errors(tiny_net(), tiny_data(), precision="bf16")


# Scores of a whole set, and what is counted of them


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_of_a_set_are_those_that_errors_are_measured_by(protocol) -> None:
    data, nets = tiny_data(), [tiny_net(seed=seed) for seed in (0, 1)]
    scores = scores_of(nets, data, protocol, device="cpu", batch_size=33)
    assert scores.shape == (100, 10)
    torch.testing.assert_close(scores.sum(1), torch.ones(100))
    found = measure_errors(nets, data, protocol, device="cpu")
    assert error_of(scores, data.test_labels) == pytest.approx(found.top1_error)


def test_several_scales_are_the_mean_of_scores_at_each() -> None:
    data, net = tiny_data(), tiny_net()
    sizes = Sizes.of(data)
    each = [
        scores_of(net, data, "multi-scale", sizes=replace(sizes, scales=(side,)), device="cpu")
        for side in sizes.scales
    ]
    together = scores_of(net, data, "multi-scale", device="cpu")
    torch.testing.assert_close(torch.stack(each).mean(0), together)
    assert (each[0] - each[-1]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("nets", "protocol", "part"),
    [([], "10-crop", "no net"), (None, "10crop", "10-crop")],
    ids=str,
)
def test_scores_of_nothing_or_in_no_known_way_are_refused(nets, protocol, part) -> None:
    with pytest.raises(ConfigError, match=part):
        scores_of([tiny_net()] if nets is None else nets, tiny_data(), protocol, device="cpu")


def test_errors_of_an_ensemble_by_hand() -> None:
    """Three nets, four images of class 0: right by score or by vote, by one of them, by neither."""
    sure, doubt, wrong = [0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.1, 0.2, 0.7]
    members = [
        torch.tensor([sure, doubt, sure, wrong]),
        torch.tensor([doubt, doubt, wrong, wrong]),
        torch.tensor([doubt, sure, [0.5, 0.2, 0.3], wrong]),
    ]
    labels = torch.zeros(4, dtype=torch.long)
    found = ensemble_errors(members, labels)
    assert found == {"mean_member": 100 * 8 / 12, "best_member": 50, "averaged": 25, "voted": 75}


def test_scores_decide_between_classes_of_as_many_votes() -> None:
    scores = torch.tensor([[[0.6, 0.4, 0.0]], [[0.0, 0.9, 0.1]]])
    assert votes(scores).argmax(1).tolist() == [1]
    assert votes(scores.flip(2)).argmax(1).tolist() == [1]
    assert votes(scores).floor().tolist() == [[1, 1, 0]]


def test_the_loss_of_averaged_scores_is_at_most_the_mean_loss() -> None:
    draw = torch.Generator().manual_seed(0)
    scores = (3 * torch.randn(4, 50, 10, generator=draw)).softmax(2)
    labels = torch.randint(10, (50,), generator=draw)
    losses = [loss_of(each, labels) for each in scores]
    assert losses[0] == pytest.approx(F.cross_entropy(scores[0].log(), labels).item(), rel=1e-5)
    assert loss_of(scores.mean(0), labels) < sum(losses) / 4
    assert loss_of(torch.tensor([[0.0, 1.0]]), torch.tensor([0])) < 100, "no score is infinite"


def test_the_standard_error_is_the_spread_of_many_test_sets() -> None:
    draw = torch.Generator().manual_seed(0)
    errors = 100 * (torch.rand(4000, 500, generator=draw) < 0.07).double().mean(1)
    assert standard_error(7, 500) == pytest.approx(errors.std().item(), rel=0.05)
    assert standard_error(0, 500) == 0


def test_errors_on_the_same_images_are_compared_by_where_they_differ() -> None:
    """Of 100 images both miss 40, one alone 9 and the other alone 4."""
    labels = torch.zeros(100, dtype=torch.long)
    hits = torch.ones(2, 100, dtype=torch.bool)
    hits[:, :40] = False
    hits[0, 40:49] = hits[1, 49:53] = False
    one, other = torch.stack([hits, ~hits], 2).float()
    difference, spread = compare_errors(one, other, labels)
    assert difference == pytest.approx(5)
    assert spread == pytest.approx((13 - 25 / 100) ** 0.5)
    assert compare_errors(one, one, labels) == (0, 0)
