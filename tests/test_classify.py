"""Photographs classified with torchvision's weights, without a network."""

from __future__ import annotations

import sys
import types
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from resnet_lib import ConfigError, DataError, ModelConfig
from resnet_lib.classify import choose_photo, classify_photo, load_classifier, open_photo

WEIGHTS = torchvision.models.ResNet18_Weights


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """torchvision's ResNet-18 with random weights in the place of those on the network."""
    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None).eval()
    state = net.state_dict()
    monkeypatch.setattr(WEIGHTS, "get_state_dict", lambda self, **options: state)
    return net


def test_a_photo_is_classified_as_torchvision_does(theirs, photo) -> None:
    table = load_classifier("resnet18")(photo, top=3)
    weights = WEIGHTS.IMAGENET1K_V1
    with torch.no_grad():
        picture = weights.transforms()(Image.open(photo).convert("RGB"))
        expected = theirs(picture[None])[0].softmax(0).topk(3)
    assert list(table["class"]) == [weights.meta["categories"][i] for i in expected.indices]
    assert np.allclose(table["probability"], 100 * expected.values.numpy(), rtol=1e-4)


def test_a_photo_is_prepared_as_the_first_weights_expect_it(monkeypatch) -> None:
    """Of later weights torchvision would resize to another side."""
    net = types.SimpleNamespace(config=ModelConfig.imagenet(50))
    monkeypatch.setattr("resnet_lib.classify.pretrained", lambda model: net)
    prepare = load_classifier("resnet50").prepare
    assert (prepare.resize_size, prepare.crop_size) == ([256], [224])


def test_without_a_network_it_is_skipped_in_one_sentence(monkeypatch, photo, capsys) -> None:
    def fail(self, **options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(WEIGHTS, "get_state_dict", fail)
    with pytest.raises(DataError, match="of resnet18 could not be fetched"):
        load_classifier("resnet18")
    assert classify_photo(photo, model="resnet18") is None
    told = capsys.readouterr().out
    assert told.startswith("Skipped: torchvision's weights of resnet18")
    assert told.count("\n") == 1


def test_without_a_photo_nothing_is_downloaded(monkeypatch, capsys) -> None:
    """Nor for a name that no file has."""
    monkeypatch.setattr(WEIGHTS, "get_state_dict", lambda *a, **k: pytest.fail("downloaded"))
    assert classify_photo(None, model="resnet18") is None
    told = "Skipped: no photograph was given: set PHOTO to the path of one.\n"
    assert capsys.readouterr().out == told
    assert classify_photo("typo.jpg", model="resnet18") is None
    assert capsys.readouterr().out.startswith("Skipped: typo.jpg cannot be read as a picture")


def test_a_file_that_is_no_picture_is_named(theirs, tmp_path) -> None:
    (tmp_path / "photo.png").write_text("text")
    with pytest.raises(DataError, match=r"photo\.png cannot be read as a picture"):
        load_classifier("resnet18")(tmp_path / "photo.png")


def test_a_photo_that_is_cut_off_is_named_and_one_held_sideways_turned(tmp_path) -> None:
    whole, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees to show
    Image.new("RGB", (64, 32), "red").save(whole, exif=exif)
    assert open_photo(whole).size == (32, 64)
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"cut\.jpg cannot be read as a picture"):
        open_photo(cut)


def test_colab_asks_for_a_file(monkeypatch) -> None:
    colab = types.ModuleType("google.colab")
    answers = iter([{"cat.jpg": b""}, {}])
    colab.files = types.SimpleNamespace(upload=lambda: next(answers))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    assert choose_photo() == Path("cat.jpg")
    with pytest.raises(ConfigError, match="uploaded"):
        choose_photo()


def test_other_nets_are_refused() -> None:
    with pytest.raises(ConfigError, match="no weights for resnet56"):
        load_classifier("resnet56")
