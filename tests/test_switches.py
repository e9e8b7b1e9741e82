"""What implementations disagree on: each a field whose default moves no run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers import RECIPE, TINY, same_weights, tiny_data, tiny_net, tiny_train
from torchvision.transforms.functional import normalize, resize

from resnet_lib import ConfigError, ModelConfig, TrainConfig
from resnet_lib.analysis import SignalProbe
from resnet_lib.batches import (
    ChannelNormaliser,
    Normaliser,
    PadFirstBatches,
    ScaledBatches,
    TrainingBatches,
    alternatives,
    epoch_plan,
    make_batches,
    make_normaliser,
)
from resnet_lib.configs import NORMALISATIONS
from resnet_lib.numerics import arithmetic, numerics_hash, random_stream
from resnet_lib.runner import RunSpec, make_probe, run_one
from resnet_lib.runs import run_id
from resnet_lib.shares import SharedBatchNorm

OTHERS = (
    {"normalisation": "per-channel"},
    {"pad_first": True},
    {"scale_range": (1.0, 2.0)},
    {"bn_images": 8},
)


def colour_data():
    """Three channels with statistics of their own."""
    data = tiny_data()
    scale = torch.tensor([1.0, 0.5, 0.25])[:, None, None]
    images = (data.train_images.float() * scale).byte()
    return replace(
        data, train_images=images, test_images=images[:50], test_labels=data.train_labels[:50]
    )


def test_channel_statistics_are_those_of_torchvision_s_normalize() -> None:
    data = colour_data()
    share = data.train_images.double() / 255
    mean, std = share.mean((0, 2, 3)), share.std((0, 2, 3), correction=0)
    wanted = normalize(data.train_images.float() / 255, mean.tolist(), std.tolist())
    found = ChannelNormaliser.of(data)(data.train_images)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)


def test_imagenet_s_statistics_are_torchvision_s() -> None:
    images = torch.randint(256, (2, 3, 5, 4), dtype=torch.uint8)
    preset = torchvision_preset()
    wanted = normalize(images.float() / 255, preset.mean, preset.std)
    torch.testing.assert_close(ChannelNormaliser.imagenet()(images), wanted, rtol=1e-5, atol=1e-5)


def torchvision_preset():
    from torchvision.models import ResNet50_Weights

    return ResNet50_Weights.IMAGENET1K_V1.transforms()


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_padding_first_is_black_and_padding_last_is_the_mean(normalisation) -> None:
    """Both by hand, image by image, with the same crops and mirroring."""
    data, pad, size = tiny_data(), RECIPE.pad, tiny_data().size
    for pad_first in (False, True):
        config = replace(RECIPE, pad_first=pad_first, normalisation=normalisation)
        normalise = make_normaliser(data, config)
        x, y = make_batches(data, config, normalise)(2)
        order, top, left, mirrored = (
            each[2 * config.batch_size : 3 * config.batch_size]
            for each in epoch_plan(config.seed, 0, len(data.train_images), pad, config.flip)
        )
        assert torch.equal(y, data.train_labels[order])
        for i, number in enumerate(order):
            image = data.train_images[number : number + 1]
            image = image if pad_first else normalise(image)
            image = F.pad(image, (pad,) * 4)[..., top[i] :, left[i] :][..., :size, :size]
            image = image.flip(-1) if mirrored[i] else image
            assert torch.equal(x[i], (normalise(image) if pad_first else image)[0])


def test_scale_augmentation_is_a_resized_crop() -> None:
    """Against torchvision: resized as drawn, cropped, mirrored as in the batches without it."""
    data = tiny_data()
    config = replace(RECIPE, scale_range=(1.0, 2.0))
    normalise = make_normaliser(data, config)
    x, y = make_batches(data, config, normalise)(5)
    plain, labels = TrainingBatches(data, replace(RECIPE, pad=0), normalise)(5)
    assert torch.equal(y, labels)
    size = data.size
    scale, *place = torch.rand(3, len(x), generator=random_stream("scales", config.seed, 5))
    for i in range(len(x)):
        # Enlarged 64 times, so that a crop of whole pixels is the drawn one within rounding.
        share = float(1 / (1 + scale[i]))
        fine = 64 * size
        left, top = (round(float(each[i]) * (1 - share) * fine) for each in place)
        side = round(share * fine)
        big = resize(plain[i : i + 1], [fine, fine], antialias=False)
        part = big[..., top : top + side, left : left + side]
        wanted = resize(part, [size, size], antialias=False)
        torch.testing.assert_close(x[i : i + 1], wanted, rtol=0, atol=0.05)


def test_at_scale_one_nothing_is_enlarged() -> None:
    data = tiny_data()
    plain = replace(RECIPE, pad=0)
    normalise = make_normaliser(data, plain)
    found = make_batches(data, replace(plain, scale_range=(1.0, 1.0)), normalise)(3)
    for each, wanted in zip(found, make_batches(data, plain, normalise)(3), strict=True):
        torch.testing.assert_close(each, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scale_range": (0.5, 1)}, "scale"),
        ({"scale_range": (2.0, 1.5)}, "must not fall"),
        ({"scale_range": 1.5}, "two scales"),
        ({"scale_range": (1.0, 2.0), "pad_first": True}, "pad_first"),
    ],
)
def test_scales_that_cannot_be_are_one_sentence(changes, told) -> None:
    with pytest.raises(ConfigError, match=told):
        TrainConfig(**changes)


def test_the_defaults_are_the_decided_classes() -> None:
    data = tiny_data()
    normalise = make_normaliser(data, TrainConfig())
    assert type(normalise) is Normaliser
    assert type(make_batches(data, RECIPE, normalise)) is TrainingBatches
    assert alternatives(TrainConfig()) == []


@pytest.mark.parametrize(
    "changes", [*OTHERS, {**OTHERS[0], **OTHERS[1]}, {**OTHERS[0], **OTHERS[2]}], ids=str
)
def test_a_switch_moves_id_hash_and_weights(changes) -> None:
    usual, other = (tiny_train(net := tiny_net(), **c) and net for c in ({}, changes))
    assert not same_weights(usual, other)
    config = replace(RECIPE, **changes)
    assert numerics_hash(usual, *alternatives(config)) != numerics_hash(usual)
    ids = [
        run_id(usual.config, 0, recipe, tiny_data(), "same", "float32")
        for recipe in (RECIPE, config)
    ]
    assert ids[0] != ids[1]
    record = tiny_train(**changes)
    assert record.numerics == numerics_hash(usual, *alternatives(config))
    assert record.train_config == config


SWITCHED = [ChannelNormaliser, PadFirstBatches, ScaledBatches, SharedBatchNorm]


@pytest.mark.parametrize("definition", SWITCHED)
def test_the_code_of_a_switch_is_in_the_hash_of_runs_that_use_it_only(
    definition, monkeypatch
) -> None:
    def hashes():
        nets = tiny_net()
        recipes = (RECIPE, *(replace(RECIPE, **changes) for changes in OTHERS))
        return [numerics_hash(nets, *alternatives(recipe)) for recipe in recipes]

    assert definition.arithmetic == arithmetic(definition)
    before = hashes()
    monkeypatch.setattr(definition, "arithmetic", "another")
    moved = [a != b for a, b in zip(before, hashes(), strict=True)]
    assert moved == [False, *(definition is each for each in SWITCHED)]


def test_a_run_knows_its_name_beforehand_under_every_switch(tmp_path) -> None:
    for changes in ({}, *OTHERS):
        recipe = replace(RECIPE, iterations=2, milestones=(), batch_size=64, **changes)
        spec = RunSpec(ModelConfig(8, **TINY), recipe, "embedded", 7)
        assert run_one(spec, tmp_path, progress=False).run_id == spec.run_id


def test_a_probe_sees_what_the_net_sees() -> None:
    data = tiny_data()
    normalise = ChannelNormaliser.of(data)
    probe = SignalProbe(data, 8, normalise)
    assert not torch.equal(probe.x, SignalProbe(data, 8).x)
    recipe = replace(RECIPE, iterations=2, milestones=(), normalisation="per-channel")
    spec = RunSpec(ModelConfig(8, **TINY), recipe, "embedded", 7, probe="signals", probe_at=(0,))
    assert torch.equal(make_probe(spec, data).x[:8], probe.x)


def test_resuming_under_every_switch_is_exact(tmp_path) -> None:
    changes = {**OTHERS[0], **OTHERS[1], **OTHERS[3]}
    wanted = tiny_net()
    tiny_train(wanted, **changes)
    left = iter([False] * 5 + [True])
    tiny_train(folder=tmp_path, stop=lambda: next(left), **changes)
    resumed = tiny_net()
    tiny_train(resumed, folder=tmp_path, **changes)
    assert same_weights(wanted, resumed)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"normalisation": "channel"}, ("channel", "per-channel", "per-pixel")),
        ({"pad_first": "yes"}, ("pad_first", "True", "False")),
    ],
    ids=str,
)
def test_a_wrong_value_names_the_right_ones(changes, parts) -> None:
    with pytest.raises(ConfigError) as error:
        TrainConfig(**changes)
    assert all(part in str(error.value) for part in parts)
