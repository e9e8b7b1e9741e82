"""The recipes: complete, sourced, and ours where they claim to be ours."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
import torch
from torchvision.models import ResNet50_Weights, resnet18
from torchvision.models.resnet import Bottleneck

import resnet_lib
from resnet_lib import (
    ConfigError,
    ModelConfig,
    TrainConfig,
    compare_recipes,
    describe_recipe,
    measure_errors,
)
from resnet_lib.cli import main
from resnet_lib.recipes import CHOICES, NOT_STATED, RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_every_entry_of_a_recipe_has_its_source_or_is_not_stated(name) -> None:
    table = describe_recipe(name)
    assert table["choice"].tolist() == list(CHOICES)
    assert set(RECIPES[name].choices) <= set(CHOICES)
    assert (table[name].str.len() > 0).all()
    assert ((table["source"] != "") == (table[name] != NOT_STATED)).all()
    where = r"section \d\.\d" if name == "paper" else r"\.(?:py|lua|md)$"
    stated = table[table[name] != NOT_STATED]
    assert stated["source"].str.contains(where).all()


def test_the_fields_named_are_fields_of_ours() -> None:
    known = {
        f"{kind.__name__}.{each.name}"
        for kind in (ModelConfig, TrainConfig)
        for each in fields(kind)
    }
    known.add("measure_errors(protocol=...)")
    assert callable(measure_errors)
    for text in CHOICES.values():
        if text:
            owner = text.partition(".")[0]
            names = text.replace(", ", f", {owner}.").split(", ")
            assert set(names) <= known, text


def test_the_paper_s_recipe_is_our_default() -> None:
    config, choices = TrainConfig(), {k: v for k, (v, _) in RECIPES["paper"].choices.items()}

    def numbers(choice):
        return [
            float(each.replace(",", "")) for each in re.findall(r"\d[\d,.]*\d|\d", choices[choice])
        ]

    assert numbers("schedule") == [config.iterations, 10, *config.milestones]
    assert numbers("batch size")[0] == config.batch_size
    assert numbers("learning rate") == [config.lr]
    assert numbers("weight decay") == [config.weight_decay]
    assert numbers("optimiser") == [config.momentum]
    assert numbers("augmentation")[0] == config.pad
    assert "mirroring" in choices["augmentation"]
    assert config.flip
    assert choices["input"].startswith(config.normalisation)
    assert choices["shortcut at a change of dimensions"].endswith(ModelConfig(20).shortcut)
    assert NOT_STATED in choices["initialisation of convolutions"]


def test_torchvision_s_net_is_as_described() -> None:
    """Against the installed package: fan-out, scale 1, the stride in the 3x3, the crops."""
    choices = {k: v for k, (v, _) in RECIPES["torchvision"].choices.items()}
    torch.manual_seed(0)
    net = resnet18()
    fan_out = 128 * 9
    assert net.layer2[0].conv1.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    assert "fan-out" in choices["initialisation of convolutions"]
    assert (net.layer1[0].bn2.weight == 1).all()
    block = Bottleneck(64, 16, stride=2)
    assert (block.conv1.stride, block.conv2.stride) == ((1, 1), (2, 2))
    assert "3x3" in choices["stride of a bottleneck"]
    preset = ResNet50_Weights.IMAGENET1K_V1.transforms()
    assert (preset.resize_size, preset.crop_size) == ([256], [224])
    assert choices["testing"] == "shorter side 256, centre crop 224"


def test_the_comparison_holds_what_differs_and_only_that() -> None:
    table = compare_recipes()
    assert list(table.columns) == ["choice", *RECIPES]
    shown = set(table["choice"])
    for choice in CHOICES:
        values = {describe_recipe(name).set_index("choice")[name][choice] for name in RECIPES}
        assert (choice in shown) == (len(values) > 1)
    assert {"padding", "input", "schedule", "weight decay on BN and biases"} <= shown
    assert "learning rate" not in shown


def test_an_unknown_recipe_names_the_known(capsys) -> None:
    with pytest.raises(ConfigError, match="torchvision"):
        describe_recipe("pytorch-vision")
    assert main(["recipes", "papr"]) == 2
    err = capsys.readouterr().err
    assert "paper" in err
    assert len(err.splitlines()) == 1


def test_the_command_lists_differences_and_single_recipes(capsys) -> None:
    assert main(["recipes"]) == 0
    text = capsys.readouterr().out
    for row in compare_recipes().to_dict("records"):
        assert all(value in text for value in row.values())
    assert main(["recipes", "akamaster"]) == 0
    text = capsys.readouterr().out
    for choice, (what, source) in RECIPES["akamaster"].choices.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{choice}: "))
        assert what in line
        assert source in line


def test_what_is_offered_at_the_top_is_there() -> None:
    assert all(hasattr(resnet_lib, name) for name in resnet_lib.__all__)
    assert sorted(resnet_lib.__all__) == sorted(set(resnet_lib.__all__))
