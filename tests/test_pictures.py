"""The photograph in the hands of recorded nets: crops, scores, maps; and what the explorers get."""

import base64
import gzip
import io
import itertools
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import tiny_net
from PIL import Image
from safetensors.torch import save_file

from resnet_lib import (
    ConfigError,
    RecordError,
    build_model,
    explore,
    figures,
    load,
    load_net,
    load_records,
    widgets,
)
from resnet_lib.analysis import block_maps
from resnet_lib.checkpoints import KEPT, kept_nets, net_of
from resnet_lib.data import DataError, Normaliser
from resnet_lib.deletions import checksum
from resnet_lib.pictures import (
    PHOTOGRAPH,
    Normalisation,
    cifar_views,
    crop_scores,
    head,
    imagenet_views,
    photograph,
    resized,
    ten_crops,
)

KEPT_NETS = list(kept_nets(load_records()))


@cache
def made(name):
    """An explorer's data, made once."""
    return widgets.explorer(name).data()


def test_the_photograph_is_small_and_in_colour():
    assert photograph().shape == (3, 300, 451)
    assert photograph().dtype == torch.uint8
    assert PHOTOGRAPH.stat().st_size < 40_000
    assert head(32).shape == (3, 32, 32)
    assert not torch.equal(head(32)[0], head(32)[1])


def test_resizing_takes_means_over_areas():
    picture = torch.tensor([[[0, 10, 200, 200], [20, 30, 200, 200]]], dtype=torch.uint8)
    assert resized(picture, 1, 2).tolist() == [[[15, 200]]]


def test_ten_crops_are_the_centre_the_corners_and_their_mirror_images():
    crops = ten_crops(6, 9, 4)
    assert [(each.left, each.top) for each in crops[:5]] == [(2, 1), (0, 0), (5, 0), (0, 2), (5, 2)]
    assert [(each.left, each.top) for each in crops[5:]] == [(c.left, c.top) for c in crops[:5]]
    assert [each.mirrored for each in crops] == [False] * 5 + [True] * 5
    picture = torch.arange(3 * 6 * 9).reshape(3, 6, 9)
    assert torch.equal(crops[4].of(picture, 4), picture[:, 2:, 5:])
    assert torch.equal(crops[9].of(picture, 4), picture[:, 2:, 5:].flip(2))
    with pytest.raises(ConfigError, match="no crop of 8 pixels"):
        ten_crops(6, 9, 8)


def test_views_for_cifar_are_shifted_by_the_padding_at_most():
    views = cifar_views(40, pad=4)
    assert (views.shape, views.dtype) == ((40, 3, 32, 32), torch.uint8)
    whole = F.pad(head(32)[None].float(), (8, 8, 8, 8))[0]
    shifts = range(16 - 4, 16 + 5)
    for view in views.float():
        middle = view[:, 8:24, 8:24]
        # The mean of its new place is put back, a little another than that of the old.
        found = [
            (top, left, mirrored)
            for mirrored, picture in enumerate((whole, whole.flip(-1)))
            for top, left in itertools.product(shifts, shifts)
            if (picture[:, top : top + 16, left : left + 16] - middle).abs().max() < 16
        ]
        assert len(found) == 1
    assert len({each.numpy().tobytes() for each in views}) > 20
    assert torch.equal(views, cifar_views(40, pad=4))
    assert not torch.equal(views, cifar_views(40, pad=4, seed=1))


def test_views_for_imagenet_are_crops_of_the_drawn_scales():
    views, sides = imagenet_views(30)
    assert (views.shape, views.dtype) == ((30, 3, 224, 224), torch.uint8)
    assert all(256 <= side <= 480 for side in sides)
    assert max(sides) - min(sides) > 100
    (crop,), _ = imagenet_views(1, sides=(300, 300), size=300)
    picture = photograph()
    places = [picture[:, :, left : left + 300] for left in range(152)]
    assert any(torch.equal(crop, each) or torch.equal(crop, each.flip(-1)) for each in places)


def test_pictures_stand_in_rows_with_gaps_that_are_transparent():
    pictures = np.stack([np.full((1, 4, 5), value, np.uint8) for value in (10, 20, 30)])
    _, (ax,) = figures.panels()
    figures.plot_pictures(pictures, ax, columns=2)
    (sheet,) = (image.get_array() for image in ax.get_images())
    assert sheet.shape == (9, 11, 4)
    assert [sheet[0, 0, :3].tolist(), sheet[0, 6, :3].tolist()] == [[10] * 3, [20] * 3]
    assert sheet[5, 0].tolist() == [30, 30, 30, 255]
    assert sheet[4, :, 3].max() == sheet[:, 5, 3].max() == sheet[5:, 6:, 3].max() == 0


def test_scores_are_the_softmax_of_each_crop():
    net = tiny_net("resnet8", in_channels=3)
    normalise = Normalisation(torch.full((3, 8, 8), 100.0), 50.0)
    frame = crop_scores(net, normalise, photograph(), (8, 12), 8)
    assert len(frame) == 20
    row = frame[(frame["side"] == 12) & (frame["crop"] == 7)].iloc[0]
    assert (row["height"], row["width"]) == (12, 18)
    small = resized(photograph(), 12, 18)[:, :8, 10:].flip(2)
    with torch.no_grad():
        expected = F.softmax(net.eval()((small[None].float() - 100) / 50), 1)[0]
    assert row["scores"] == pytest.approx(expected.tolist(), abs=1e-6)


def test_kept_weights_belong_to_their_runs():
    """They are the nets of recorded runs in half precision, and load without the run's folder."""
    assert KEPT_NETS
    for record, path in KEPT_NETS:
        net = net_of(record, path)
        assert not net.training
        assert net.config.name == record.model_name
    with pytest.raises(RecordError):
        net_of(KEPT_NETS[0][0], PHOTOGRAPH)


def test_a_run_without_weights_takes_the_kept_copy(tmp_path):
    record, path = KEPT_NETS[0]
    record.save(tmp_path)
    found, kept = load_net(tmp_path), net_of(record, path)
    assert torch.equal(found.fc.weight, kept.fc.weight)


@pytest.mark.network
def test_the_kept_normalisation_is_that_of_the_images():
    try:
        data = load("cifar10")
    except DataError as error:
        pytest.skip(str(error))
    kept, own = Normalisation.of("cifar10"), Normaliser(data)
    assert torch.equal(kept.mean, own.mean)
    assert kept.std == own.std
    with pytest.raises(ConfigError, match="no normalisation of mnist"):
        Normalisation.of("mnist")


# What the explorers get


@pytest.mark.parametrize("name", ["shortcut", "crops"])
def test_data_name_their_source_and_come_out_the_same_again(name):
    found = made(name)
    assert found["made_by"] == f"resnet_lib/widgets/{name}.py"
    assert found["photograph"] == checksum(PHOTOGRAPH)
    for net in found["nets"]:
        assert net["weights"] == checksum(KEPT / f"{net['run_id']}.safetensors")
    assert widgets.as_json(widgets.explorer(name).data()) == widgets.as_json(found)


def test_stored_maps_are_the_nets_maps():
    """To within half a step, and option A's shortcut is made from the input alone."""
    module = widgets.explorer("shortcut")
    normalise = Normalisation.of("cifar10")
    nets = {record.run_id: net_of(record, path) for record, path in KEPT_NETS}
    assert made("shortcut")["nets"]
    for stored in made("shortcut")["nets"]:
        for name, block in stored["blocks"].items():
            exact = block_maps(nets[stored["run_id"]], name, normalise(head(32)[None]))
            exact["branch"] = exact["residual"]
            for part in ("input", "branch", "shortcut"):
                found = module.unpacked(block, part)
                assert found.shape == exact[part].shape
                assert np.abs(found - exact[part]).max() <= block["scale"] / 2 + 0.0051
            assert ("shortcut" in block) == (stored["option"] != "A")


def test_option_a_leaves_the_new_channels_empty():
    (stored,) = (net for net in made("shortcut")["nets"] if net["option"] == "A")
    module = widgets.explorer("shortcut")
    assert [module.silent(stored["blocks"][name]) for name in module.BLOCKS] == [16, 32]
    assert "16 of its 32 channels" in module.sentence(made("shortcut"))


def test_a_projection_appears_when_its_weights_are_kept(tmp_path, monkeypatch):
    """Option B's shortcut is stored, since it cannot be made from the input alone."""
    known = next(record for record, _ in KEPT_NETS if record.model_name == "resnet20")
    record = replace(known, run_id="of option B")
    record.model = {**record.model, "shortcut": "B"}
    net = build_model("resnet20", seed=0, shortcut="B")
    save_file(net.state_dict(), tmp_path / "of option B.safetensors")
    monkeypatch.setattr("resnet_lib.checkpoints.KEPT", tmp_path)
    module = widgets.explorer("shortcut")
    found = module.data([record, known])
    (stored,) = found["nets"]
    assert (stored["option"], stored["run_id"]) == ("B", "of option B")
    block = stored["blocks"]["conv3_x.0"]
    exact = block_maps(net, "conv3_x.0", Normalisation.of("cifar10")(head(32)[None]))
    error = np.abs(module.unpacked(block, "shortcut") - exact["shortcut"]).max()
    assert error <= block["scale"] / 2 + 0.0051
    assert module.silent(block) == 0
    assert "option B" in module.sentence(found)


def test_crops_are_those_of_the_net():
    """One crop, scored by hand from the photograph's pixels."""
    stored = made("crops")["nets"][0]
    record, path = next(pair for pair in KEPT_NETS if pair[0].run_id == stored["run_id"])
    scale = next(each for each in stored["scales"] if each["side"] == 55)
    crop = scale["crops"][8]
    small = resized(photograph(), scale["height"], scale["width"])
    cut = small[:, crop["top"] : crop["top"] + 32, crop["left"] : crop["left"] + 32].flip(2)
    with torch.no_grad():
        scores = net_of(record, path)(Normalisation.of("cifar10")(cut[None])).softmax(1)[0]
    assert crop["mirrored"]
    assert crop["scores"] == pytest.approx((100 * scores).tolist(), abs=0.006)
    assert [len(each["crops"]) for each in stored["scales"]] == [10] * 5


def test_crops_show_the_photograph():
    url = made("crops")["picture"]["url"]
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert image.size == (451, 300)


def test_crops_of_a_net_of_your_own():
    module = widgets.explorer("crops")
    net = build_model("resnet18", seed=0, classes=3)
    found = module.of_net(net, ("cat", "dog", "plane"), "cat", name="mine", size=224)
    assert [each["side"] for each in found["nets"][0]["scales"]] == [224, 256]
    json.loads(widgets.as_json(found))
    assert "mine on a photograph of a cat" in module.sentence(found)
    with pytest.raises(ConfigError, match="no class 'cart': the nearest are cat"):
        module.of_net(net, ("cat", "dog", "plane"), "cart")
    with pytest.raises(ConfigError, match="3 classes apart, and 2 are named"):
        module.of_net(net, ("cat", "dog"), "cat")


def test_of_many_classes_the_leading_ones_are_kept():
    module = widgets.explorer("crops")
    net = build_model("resnet18", seed=0, classes=100).eval()
    names = [f"class {i}" for i in range(100)]
    found = module.of_net(net, names, "class 50")
    assert "class 50" in found["classes"]
    assert 3 <= len(found["classes"]) < 62
    with torch.no_grad():
        x = ten_crops(224, round(451 * 224 / 300), 224)[0].of(resized(photograph(), 224, 337), 224)
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (x / 255 - mean[:, None, None]) / std[:, None, None]
        first = 100 * net(x[None]).softmax(1)[0]
    kept = [first[names.index(each)].item() for each in found["classes"]]
    assert found["nets"][0]["scales"][0]["crops"][0]["scores"] == pytest.approx(kept, abs=0.011)


@pytest.mark.parametrize("name", ["shortcut", "crops", "deletion"])
def test_an_empty_archive_is_said_to_be_empty(name, tmp_path):
    module = widgets.explorer(name)
    empty = module.data(tmp_path if name == "deletion" else [])
    assert empty["nets"] == []
    assert "Not measured yet" in module.sentence(empty)
    assert module.figures(empty) == []


def test_the_data_stay_small():
    for name in ("identity", "deletion", "shortcut", "crops"):
        assert len(gzip.compress(widgets.as_json(made(name)).encode())) < 150_000, name


@pytest.mark.parametrize("name", ["identity", "deletion", "shortcut", "crops"])
def test_in_a_notebook_each_is_one_line(name):
    pytest.importorskip("anywidget")
    widget = getattr(explore, name)(shown=True)
    assert widget.explorer == name
    assert widget.state == {"shown": True}
    assert widget.data == made(name)


def test_a_net_of_your_own_in_a_notebook():
    pytest.importorskip("anywidget")
    net = build_model("resnet18", seed=0, classes=2)
    widget = explore.crops(net, ["cat", "dog"], "cat")
    assert widget.data["classes"] == ["cat", "dog"]
    assert widget.data["size"] == 224


@pytest.mark.parametrize("name", ["crops", "shortcut"])
def test_pictures_are_of_nets_that_were_trained_equally_long(name):
    """What differs between them must not be the length of training, of which nothing is said."""
    records = {record.run_id: record for record, _ in KEPT_NETS}
    nets = widgets.explorer(name).data()["nets"]
    assert len(nets) > 1
    assert len({records[net["run_id"]].train["iterations"] for net in nets}) == 1
