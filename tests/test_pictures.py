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
import torchvision.transforms.functional as TF
from helpers import cifar10, tiny_net
from PIL import Image
from safetensors.torch import save_file

from resnet_lib import (
    ConfigError,
    RecordError,
    build_model,
    explore,
    figures,
    load_net,
    load_records,
    widgets,
)
from resnet_lib.analysis import block_maps
from resnet_lib.batches import ChannelNormaliser, Normaliser
from resnet_lib.checkpoints import KEPT, kept_nets, net_of, save_weights
from resnet_lib.deletions import checksum
from resnet_lib.pictures import (
    PHOTOGRAPH,
    cifar_views,
    crop_scores,
    head,
    imagenet_views,
    kept_normaliser,
    photograph,
)
from resnet_lib.testing import PROTOCOLS, Sizes, class_scores, resized

KEPT_NETS = list(kept_nets(load_records()))


@cache
def made(name):
    """An explorer's data, made once."""
    return widgets.explorer(name).data()


@cache
def kept_net(run_id):
    """A net whose weights the repository keeps."""
    return next(net_of(*pair) for pair in KEPT_NETS if pair[0].run_id == run_id)


def picture_of(side):
    """The photograph as the page shows it at a scale, (3, H, W)."""
    _, _, code = made("crops")["picture"]["urls"][str(side)].partition(",")
    with Image.open(io.BytesIO(base64.b64decode(code))) as file:
        return torch.from_numpy(np.array(file)).permute(2, 0, 1)


def cut(picture, left, top, mirrored, size):
    """A crop's pixels, (C, size, size)."""
    crop = picture[:, top : top + size, left : left + size]
    return crop.flip(2) if mirrored else crop


def test_the_photograph_is_small_and_in_colour():
    assert photograph().shape == (3, 300, 451)
    assert photograph().dtype == torch.uint8
    assert PHOTOGRAPH.stat().st_size < 40_000
    assert head(32).shape == (3, 32, 32)
    assert not torch.equal(head(32)[0], head(32)[1])


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


def test_views_for_imagenet_lie_anywhere_and_are_mirrored_or_not():
    """At the photograph's own scale, where each is found by its first row."""
    views, _ = imagenet_views(8, sides=(300, 300), size=292)
    found = [
        (top, left, mirrored)
        for view in views
        for mirrored in (False, True)
        for top, left in itertools.product(range(9), range(160))
        if torch.equal(
            photograph()[:, top, left : left + 292], (view.flip(-1) if mirrored else view)[:, 0]
        )
    ]
    assert len(found) == 8
    tops, lefts, mirrored = (set(each) for each in zip(*found, strict=True))
    assert min(len(tops), len(lefts)) > 3
    assert mirrored == {False, True}


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
    normalise = ChannelNormaliser(torch.full((3, 8, 8), 100.0), torch.tensor(50.0))
    frame = crop_scores(net, normalise, photograph(), (8, 13), 8)
    assert frame["side"].tolist() == [8] * 10 + [13] * 10
    assert frame["mirrored"].tolist() == 2 * ([False] * 5 + [True] * 5)
    [small] = resized([photograph()], 13)
    for row in frame[frame["side"] == 13].itertuples():
        assert (row.height, row.width) == small.shape[1:]
        with torch.no_grad():
            x = normalise(cut(small, row.left, row.top, row.mirrored, 8)[None])
            expected = F.softmax(net.eval()(x), 1)[0]
        assert row.scores == pytest.approx(expected.tolist(), abs=1e-6)
    net.train()
    crop_scores(net, normalise, photograph(), (8,), 8)
    assert net.training, "the caller's net is left as it was"


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
    kept = net_of(record, path)
    for found in (load_net(tmp_path), load_net(record)):  # the latter has no folder here
        assert torch.equal(found.fc.weight, kept.fc.weight)
        assert found.record.run_id == record.run_id
    own = build_model(kept.config, seed=9)
    save_weights(own, tmp_path)
    assert torch.equal(load_net(tmp_path).fc.weight, own.fc.weight), "its own come first"


@pytest.mark.network
def test_the_kept_normalisation_is_that_of_the_images():
    data = cifar10()
    kept, own = kept_normaliser("cifar10"), Normaliser(data)
    assert torch.equal(kept.mean, own.mean)
    assert kept.std == own.std
    with pytest.raises(ConfigError, match="no normalisation of mnist"):
        kept_normaliser("mnist")


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
    normalise = kept_normaliser("cifar10")
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
    exact = block_maps(net, "conv3_x.0", kept_normaliser("cifar10")(head(32)[None]))
    error = np.abs(module.unpacked(block, "shortcut") - exact["shortcut"]).max()
    assert error <= block["scale"] / 2 + 0.0051
    assert module.silent(block) == 0
    assert "option B" in module.sentence(found)


def test_crops_are_those_of_the_net():
    """One scale's crops, scored by hand from the pixels that the page shows."""
    stored = made("crops")["nets"][0]
    scale = next(each for each in stored["scales"] if each["side"] == 55)
    crops = [{**crop} for crop in scale["crops"]]
    scores = [crop.pop("scores") for crop in crops]
    views = torch.stack([cut(picture_of(55), **crop, size=32) for crop in crops])
    with torch.no_grad():
        expected = kept_net(stored["run_id"])(kept_normaliser("cifar10")(views)).softmax(1)
    np.testing.assert_allclose(scores, 100 * expected, rtol=0, atol=0.006)
    assert [len(each["crops"]) for each in stored["scales"]] == [10] * 5


def test_crops_average_to_what_the_protocol_says():
    """10-crop is one way of testing: in the explorer as in all errors that the book gives."""
    data, pictures = made("crops"), [photograph()]
    sizes = Sizes.in_proportion(data["size"])
    assert (data["side"], data["sides"]) == (sizes.ten_from, [*sizes.scales])
    for stored, side in itertools.product(data["nets"], data["sides"]):
        nets, normalise = [kept_net(stored["run_id"])], kept_normaliser("cifar10")
        how = (PROTOCOLS["10-crop"], replace(sizes, ten_from=side), normalise)
        [expected] = 100 * class_scores(nets, pictures, *how)
        scale = next(each for each in stored["scales"] if each["side"] == side)
        found = np.mean([crop["scores"] for crop in scale["crops"]], 0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.006)


def test_crops_stand_in_the_order_of_their_names():
    """Centre, top left, top right, bottom left, bottom right; then the same places, mirrored."""
    for scale in made("crops")["nets"][0]["scales"]:
        down, right = scale["height"] - 32, scale["width"] - 32
        corners = [(0, 0), (0, right), (down, 0), (down, right)]
        places = [(crop["top"], crop["left"]) for crop in scale["crops"]]
        assert places[1:5] == places[6:] == corners
        # Where no pixel is in the middle, a mirrored picture's crop lies on its other side.
        for centre in (places[0], places[5]):
            assert np.abs(np.subtract(centre, (down / 2, right / 2))).max() <= 0.5
        assert [crop["mirrored"] for crop in scale["crops"]] == [False] * 5 + [True] * 5


def test_crops_show_the_pixels_that_the_net_sees():
    data = made("crops")
    assert [*data["picture"]["urls"]] == [str(side) for side in data["sides"]]
    for side in data["sides"]:
        assert torch.equal(picture_of(side), resized([photograph()], side)[0])


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
    with pytest.raises(ConfigError, match=r"size is 320: .* crops of 300 pixels"):
        module.of_net(net, ("cat", "dog", "plane"), "cat", size=320)


def test_what_one_crop_and_ten_say_is_told_in_a_sentence():
    module = widgets.explorer("crops")
    centre, others = {"scores": [60.0, 40.0]}, {"scores": [10.0, 90.0]}
    wide = {"side": 48, "crops": [others] * 10}
    first = {"side": 36, "crops": [centre] + [others] * 9}
    nets = [{"net": "resnet20", "scales": [wide, first]}]
    data = {"nets": nets, "side": 36, "classes": ["cat", "dog"], "truth": "cat"}
    assert module.sentence(data) == (
        "ResNet-20 on a photograph of a cat: the centre crop says cat 60%, the average of ten "
        "crops dog 85%."
    )
    assert module.leading(data) == [1, 0]


@pytest.mark.parametrize("name", ["crops", "shortcut"])
def test_of_each_net_the_lowest_seed_is_shown(name, tmp_path, monkeypatch):
    """And none that was trained on other images than those of its size, whatever its seed."""
    known = next(record for record, _ in KEPT_NETS if record.model_name == "resnet20")
    records = [
        replace(known, run_id=f"of seed {seed}", train={**known.train, "seed": seed})
        for seed in (2, 1)
    ]
    records += [
        replace(record, run_id=f"other {number}", train={**known.train, "seed": 0})
        for number, record in enumerate(
            (
                replace(known, data={**known.data, "size": 16}),
                replace(known, data={**known.data, "name": "other"}),
            )
        )
    ]
    if name == "shortcut":  # where ReLU stands elsewhere, the output is not that of the sum
        model = {**known.model, "order": "preactivation"}
        records.append(replace(records[-1], run_id="reordered", model=model, data=known.data))
    net = build_model("resnet20", seed=0)
    for record in records:
        save_file(net.state_dict(), tmp_path / f"{record.run_id}.safetensors")
    monkeypatch.setattr("resnet_lib.checkpoints.KEPT", tmp_path)
    (shown,) = widgets.explorer(name).data(records)["nets"]
    assert shown["run_id"] == "of seed 1"


def test_a_net_of_another_size_sees_scales_in_proportion():
    net = build_model("resnet18", seed=0, classes=2)
    for size, sides, first in ((128, [128, 146, 219, 274], 146), (288, [288], 288)):
        found = widgets.explorer("crops").of_net(net, ("cat", "dog"), "cat", size=size)
        assert (found["sides"], found["side"]) == (sides, first)


def test_of_many_classes_the_leading_ones_are_kept():
    module = widgets.explorer("crops")
    net = build_model("resnet18", seed=0, classes=100).eval()
    names = [f"class {i}" for i in range(100)]
    found = module.of_net(net, names, "class 50")
    assert "class 50" in found["classes"]
    assert 3 <= len(found["classes"]) < 62
    with torch.no_grad():
        x = TF.center_crop(TF.resize(photograph(), [224], antialias=True), [224, 224])
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
