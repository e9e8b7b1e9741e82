"""Folders of photographs as ImageNet and Imagenette come, and `evaluate` on the command line."""

from __future__ import annotations

import shutil
import threading
import urllib.error
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from helpers import (
    randomise_norms,
    same_weights,
    tiny_data,
    tiny_net,
    tiny_train,
    write_sheets,
)
from PIL import Image
from safetensors.torch import save_file

from resnet_lib import ConfigError, DataError, build_model, load, load_net, load_records
from resnet_lib.checkpoints import KEPT, kept_nets, save_weights
from resnet_lib.cli import main
from resnet_lib.configs import ModelConfig
from resnet_lib.deletions import single_deletions
from resnet_lib.photos import FOLDERS, IMAGENETTE, find_photos, is_photos, load_photos, read_photo
from resnet_lib.runs import ARCHIVE
from resnet_lib.testing import SET_SIZES, measure_errors
from resnet_lib.weights import find_record, from_torchvision, pretrained, read_net

DEPTH = 18
WEIGHTS_HERE = "here.safetensors"
WEIGHTS = torchvision.models.ResNet18_Weights.IMAGENET1K_V1


def write_photos(folder, classes, images=2, size=(40, 56)):
    """Noise around one colour a class, in the layout of ImageNet's validation set."""
    draw = np.random.default_rng(0)
    for number, name in enumerate(classes):
        place = folder / "val" / name
        place.mkdir(parents=True)
        for i in range(images):
            colour = draw.integers(0, 256, 3)
            shape = (size[0] + 3 * number, size[1] + 5 * i, 3)
            pixels = np.clip(colour + draw.integers(-60, 60, shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"ILSVRC2012_val_{i:08}.JPEG")
    return folder


@pytest.fixture
def imagenette(tmp_path, monkeypatch):
    """A small Imagenette where the data are looked for."""
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    return write_photos(tmp_path / "imagenette2", IMAGENETTE)


@pytest.fixture
def torchvision_s(tmp_path, monkeypatch):
    """Weights of torchvision's kind, random, in the place where torchvision keeps its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    place = tmp_path / "torch" / "hub" / "checkpoints"
    place.mkdir(parents=True)
    torch.manual_seed(0)
    net = torchvision.models.resnet18().eval()
    randomise_norms(net)
    torch.save(net.state_dict(), place / WEIGHTS.url.rpartition("/")[2])
    return net


def run(capsys, *arguments, status=0):
    """Run `evaluate` and return what it printed and what it said beside."""
    assert main(["evaluate", *map(str, arguments)]) == status
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out, err


# Folders


def test_imagenette_s_numbers_are_those_of_torchvision_s_categories() -> None:
    names = torchvision.datasets.Imagenette._WNID_TO_CLASS
    categories = WEIGHTS.meta["categories"]
    assert {wnid: categories[number] for wnid, number in IMAGENETTE.items()} == {
        wnid: name[0] for wnid, name in names.items()
    }


def test_a_known_set_may_be_named_by_a_path(imagenette) -> None:
    assert is_photos(Path("imagenette"))
    assert load_photos(Path("imagenette")).paths == load_photos("imagenette").paths


def test_a_folder_is_listed_class_by_class_and_decoded_as_pillow_does(imagenette) -> None:
    for place in (imagenette / "val", imagenette / "val" / "n01440764"):
        (place / "README.txt").touch()
    photos = load_photos("imagenette")
    assert photos.classes == tuple(sorted(IMAGENETTE))
    assert len(photos) == 20
    assert photos.labels.tolist() == [n for n in range(10) for _ in range(2)]
    images = photos.read([3, 0])
    for number, image in zip((3, 0), images, strict=True):
        wanted = np.asarray(Image.open(photos.paths[number]).convert("RGB"))
        assert np.array_equal(image.permute(1, 2, 0).numpy(), wanted)
    assert images[0].shape != images[1].shape


def test_labels_are_a_net_s_own_or_imagenet_s(imagenette) -> None:
    photos = load_photos("imagenette")
    assert photos.labels_for(10) is photos.labels
    wanted = [number for number in sorted(IMAGENETTE.values()) for _ in range(2)]
    assert photos.labels_for(1000).tolist() == wanted
    with pytest.raises(ConfigError, match="100 classes"):
        photos.labels_for(100)


def test_a_thousand_folders_are_imagenet_s_classes(tmp_path) -> None:
    (tmp_path / "val").mkdir()
    for number in range(1000):
        place = tmp_path / "val" / f"n{number:08}"
        place.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "val" / "n00000567" / "a.JPEG")
    assert load_photos(tmp_path).labels_for(1000).tolist() == [567]


def test_other_folders_than_imagenette_s_are_no_part_of_imagenet(tmp_path) -> None:
    photos = load_photos(write_photos(tmp_path, ["n01440764", "n00000001"]))
    with pytest.raises(ConfigError, match="1000"):
        photos.labels_for(1000)


@pytest.mark.parametrize("folder", FOLDERS["imagenette"])
def test_every_archive_of_imagenette_is_found(tmp_path, monkeypatch, folder) -> None:
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    write_photos(tmp_path / folder, ["n01440764"], images=1)
    assert find_photos("imagenette") == tmp_path / folder
    write_photos(tmp_path / "imagenette2", ["n02102040"], images=1)
    assert find_photos("imagenette") == tmp_path / "imagenette2", "the largest images"


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_grey_and_cmyk_photographs_become_colour(tmp_path, mode) -> None:
    Image.new(mode, (6, 4), 100 if mode == "L" else (90,) * len(mode)).save(tmp_path / "a.jpg")
    assert read_photo(tmp_path / "a.jpg").shape == (3, 4, 6)


def test_photographs_are_decoded_a_batch_at_a_time(imagenette, monkeypatch) -> None:
    decoded, at_scores = [], []
    lock = threading.Lock()

    def read(path):
        with lock:
            decoded.append(path)
        return read_photo(path)

    monkeypatch.setattr("resnet_lib.photos.read_photo", read)
    net = build_model(ModelConfig(8, width=4), seed=0)
    monkeypatch.setattr(
        "resnet_lib.testing.class_scores",
        lambda nets, images, *_: at_scores.append(len(decoded)) or torch.rand(len(images), 10),
    )
    with pytest.warns(UserWarning, match="20 images are tested, and imagenette has 3,925"):
        measure_errors(net, load_photos("imagenette"), batch_size=7, device="cpu")
    assert at_scores == [7, 14, 20]


def test_the_errors_are_those_of_torchvision_s_own_pipeline(imagenette, torchvision_s) -> None:
    """Its resizing of decoded images, centre crop, normalisation and net."""
    photos, preset = load_photos("imagenette"), WEIGHTS.transforms()
    ours = from_torchvision(torchvision_s, DEPTH)
    labels = photos.labels_for(1000)
    few = list(range(0, 20, 4))
    with torch.no_grad():
        x = torch.stack([preset(image) for image in photos.read(few)])
        order = torchvision_s(x).argsort(1, descending=True)
    # Labels that some of the net's answers meet: a random net meets none of the true ones.
    labels = torch.zeros(20, dtype=torch.long)
    for i, number in enumerate(few):
        labels[number] = order[i, (0, 4, 5, 1, 900)[i]]
    chosen = type(photos)("five", photos.classes, tuple(photos.paths[i] for i in few), labels[few])
    object.__setattr__(chosen, "labels_for", lambda _classes: labels[few])
    found = measure_errors(ours, chosen, device="cpu")
    assert (found.top1_error, found.top5_error, found.images) == (80.0, 40.0, 5)


# The command


def test_evaluate_as_the_help_shows_it(capsys, imagenette, torchvision_s) -> None:
    options = ("--weights", "torchvision", "--data", "imagenette", "--images", "2")
    out, err = run(capsys, "resnet18", *options, "--protocol", "10-crop")
    assert out.startswith("resnet18-B, imagenette, 10-crop: top-1 error ")
    assert out.endswith("on 2 images\n")
    assert "2 images are tested, and imagenette has 3,925" in err
    assert len(err.splitlines()) == 1


def test_a_run_s_folder_record_or_weights_can_be_tested(capsys, tmp_path) -> None:
    record = tiny_train(tiny_net(), folder=tmp_path / "run", normalisation="per-channel")
    sheets = ("--data", "embedded", "--size", "7", "--images", "50")
    names = ("run", "run/record.json", "run/weights.safetensors")
    outs = {run(capsys, "resnet8", "--weights", tmp_path / name, *sheets)[0] for name in names}
    assert len(outs) == 1
    net = read_net("resnet8", tmp_path / "run")
    assert net.record.train["normalisation"] == "per-channel"
    assert net.config.width == record.model["width"]
    both = [tmp_path / "run", tmp_path / "run"]
    out, _ = run(capsys, "resnet8", "--weights", *both, *sheets)
    assert out.replace(" x 2", "") in outs


def test_a_recorded_run_s_weights_may_be_the_repository_s_copy() -> None:
    """A run's folder in a fresh clone has a record and no weights."""
    kept = [*kept_nets(load_records())]
    assert kept
    for record, path in kept:
        folder = next(ARCHIVE.glob(f"*/{record.run_id}"))
        own = folder / "weights.safetensors"
        assert find_record(folder)[1] == (own if own.exists() else path)
        net = read_net(record.model_name, folder)
        assert net.config.name == record.model_name


def test_a_run_s_net_is_tested_on_what_it_was_trained_on(capsys, tmp_path) -> None:
    """Data, size and normalisation come from its record where the command does not name them."""
    images = load("embedded", 7)
    record = tiny_train(tiny_net(), images, folder=tmp_path, normalisation="per-channel")
    tests = record.curves[record.curves["split"] == "test"]
    told = f"{tests['top1_error'].iloc[-1]:.2f}%"
    out, err = run(capsys, "resnet8", "--weights", tmp_path)
    assert told in out
    assert err == ""
    net = load_net(tmp_path)
    assert f"{measure_errors(net, images).top1_error:.2f}%" == told
    whole = single_deletions(net, images)["top1_error"].iloc[0]
    assert whole == pytest.approx(float(told[:-1]), abs=0.06)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_bare_weights_can_be_tested(capsys, tmp_path, ending) -> None:
    net = build_model("resnet8", seed=0, in_channels=1)
    path = tmp_path / f"net.{ending}"
    if ending == "pt":
        torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, path)
    else:
        save_file(net.state_dict(), path)
    out, _ = run(capsys, "resnet8", "--weights", path, "--size", "7", "--images", "50")
    assert "on 50 images" in out


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_bare_weights_may_have_the_prefix_of_parallel_training(tmp_path, ending) -> None:
    """The net's sizes are read off them, whatever file they are in."""
    net = build_model("resnet20", seed=0, width=8)
    weights = {f"module.{name}": value for name, value in net.state_dict().items()}
    path = tmp_path / f"w.{ending}"
    save_file(weights, path) if ending == "safetensors" else torch.save(weights, path)
    found = read_net("resnet20", path)
    assert found.config.width == 8
    assert same_weights(found, net)


def test_a_file_of_torchvision_s_is_taken_by_its_names(
    capsys, tmp_path, imagenette, torchvision_s
) -> None:
    torch.save(torchvision_s.state_dict(), tmp_path / "own.pth")
    options = ("--data", "imagenette", "--images", "3", "--batch-size", "2")
    outs = [
        run(capsys, "resnet18", "--weights", weights, *options)[0]
        for weights in ("torchvision", tmp_path / "own.pth")
    ]
    assert outs[0] == outs[1]


@pytest.mark.parametrize("name", ["plain18", "resnet18-C"])
def test_a_file_of_torchvision_s_is_of_no_other_net(tmp_path, torchvision_s, name) -> None:
    """The residual net of option B that it holds would be tested under another's name."""
    torch.save(torchvision_s.state_dict(), tmp_path / "own.pth")
    with pytest.raises(ConfigError, match=f"torchvision has no weights for {name}"):
        read_net(name, tmp_path / "own.pth")


def test_torchvision_s_weights_may_be_one_of_an_ensemble(
    capsys, tmp_path, imagenette, torchvision_s
) -> None:
    torch.save(torchvision_s.state_dict(), tmp_path / "own.pth")
    options = ("--data", "imagenette", "--images", "3", "--batch-size", "2")
    both = ("--weights", "torchvision", tmp_path / "own.pth")
    assert run(capsys, "resnet18", *both, *options)[0].startswith("resnet18-B x 2, imagenette,")
    assert "photographs" in fail(capsys, "resnet18", *both)


def test_a_run_of_another_option_is_found_by_either_name(capsys, tmp_path) -> None:
    tiny_train(tiny_net(shortcut="B"), folder=tmp_path)
    options = ("--weights", tmp_path, "--data", "embedded", "--size", "7", "--images", "50")
    for name in ("resnet8", "resnet8-B"):
        assert "on 50 images" in run(capsys, name, *options)[0]
    assert "resnet8-B, and not a resnet14" in fail(capsys, "resnet14", *options)
    (tmp_path / "other").mkdir()
    other = save_weights(build_model("preresnet8", seed=0), tmp_path / "other")
    assert "preresnet8, and not a resnet8" in fail(capsys, "resnet8", "--weights", other)


def test_ctrl_c_is_no_traceback(capsys, monkeypatch, imagenette, torchvision_s) -> None:
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("resnet_lib.cli.measure_errors", interrupt)
    options = ("--weights", "torchvision", "--data", "imagenette")
    assert run(capsys, "resnet18", *options, status=130) == ("", "resnet_lib: stopped.\n")


def test_the_archive_s_weights_know_their_record() -> None:
    from resnet_lib.runs import ARCHIVE

    recorded = {path.parent.name for path in ARCHIVE.rglob("record.json")}
    kept = (ARCHIVE.parent / "weights").glob("*.safetensors")
    known = [path for path in kept if path.stem in recorded]
    assert known
    for path in known:
        model, _data, iterations, *_ = path.stem.rsplit("-", 4)
        net = read_net(model, path)
        assert net.record.train["iterations"] == int(iterations)
        assert not net.training


def test_a_folder_of_photographs_for_a_net_of_its_own_classes(capsys, tmp_path) -> None:
    write_photos(tmp_path / "pets", ["cat", "dog", "eel"])
    net = build_model("resnet8", seed=0, classes=3)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    options = ("--weights", tmp_path / "net.safetensors", "--data", tmp_path / "pets")
    out, err = run(capsys, "resnet8", *options)
    assert "on 6 images" in out
    assert err == "", "a set of no known size is not warned of"


def test_a_net_of_other_classes_is_warned_of(capsys, tmp_path) -> None:
    """As many folders as a net of CIFAR-10 has outputs may be ten breeds of dogs."""
    write_photos(tmp_path / "ten", [f"breed {i}" for i in range(10)])
    weights = next(iter(sorted(KEPT.glob("resnet20-cifar10-*"))))
    out, err = run(capsys, "resnet20", "--weights", weights, "--data", tmp_path / "ten")
    assert "on 20 images" in out
    assert "resnet20 was trained on cifar10" in err
    assert "may be others" in err


def test_class_sheets_by_path(capsys, tmp_path) -> None:
    draw = np.random.default_rng(0)
    images = {s: draw.integers(0, 256, (100, 8, 8, 3), np.uint8) for s in ("train", "test")}
    labels = {split: np.repeat([0, 1], 50) for split in images}
    write_sheets(tmp_path / "two", images, labels, ("a", "b"))
    save_file(build_model("resnet8", seed=0, classes=2).state_dict(), tmp_path / "n.safetensors")
    options = ("--weights", tmp_path / "n.safetensors", "--data", tmp_path / "two")
    assert "on 100 images" in run(capsys, "resnet8", *options)[0]


# What cannot be had


def no_route(*_arguments, **_options):
    raise urllib.error.URLError("no route to host")


def fail(capsys, *arguments):
    out, err = run(capsys, *arguments, status=2)
    assert out == ""
    assert err.startswith("resnet_lib: ")
    assert len(err.splitlines()) == 1
    return err


def test_images_that_cannot_be_downloaded_are_one_sentence(
    capsys, tmp_path, torchvision_s, monkeypatch
) -> None:
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("torchvision.datasets.imagenette.download_and_extract_archive", no_route)
    options = ("resnet18", "--weights", "torchvision", "--data")
    assert "make it, or correct the name" in fail(capsys, *options, "imagenette")
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    text = fail(capsys, *options, "imagenette")
    place = tmp_path / "data" / "imagenette2" / "val"
    assert f"{place}/<wnid>/*.JPEG" in text
    assert "the host cannot be reached" in text
    text = fail(capsys, *options, "imagenet")
    assert str(tmp_path / "data" / "imagenet" / "val") in text


def test_weights_that_cannot_be_downloaded_are_one_sentence(
    capsys, tmp_path, imagenette, monkeypatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("torch.hub.download_url_to_file", no_route)
    capsys.readouterr()
    assert main(["evaluate", "resnet50", "--weights", "torchvision", "--data", "imagenette"]) == 2
    text = capsys.readouterr().err.splitlines()[-1]  # torch says first that it downloads
    assert str(tmp_path / "torch" / "hub" / "checkpoints" / "resnet50-0676ba61.pth") in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("resnet18", "--weights", "torchvision"), ("imagenette", "photographs")),
        (("resnet19", "--weights", "torchvision"), ("resnet19", "resnet18")),
        (
            ("resnet20", "--weights", "torchvision", "--data", "imagenette"),
            ("resnet20", "resnet50"),
        ),
        (("plain34", "--weights", "torchvision", "--data", "imagenette"), ("plain34", "resnet50")),
        (("resnet8", "--weights", "no.pt"), ("no.pt", "does not exist")),
        (("resnet8", "--weights", "no.safetensors"), ("no.safetensors", "does not exist")),
        (("resnet8", "--weights", "we**ights.pt"), ("we**ights.pt", "does not exist")),
        (("resnet8", "--weights", "no/record.json"), ("record.json",)),
        (("resnet8", "--weights", WEIGHTS_HERE, "--data", "embeded"), ("embeded", "embedded")),
        (("resnet8", "--weights", WEIGHTS_HERE), ("3 channels", "embedded")),
        (("resnet8", "--weights", WEIGHTS_HERE, "--data", "imagenette", "--size", "7"), ("size",)),
        (("resnet8", "--weights", WEIGHTS_HERE, "--protocol", "10-crop"), ("3 channels",)),
        (("resnet8", "--weights", WEIGHTS_HERE, "--data", "imagenette"), ("4 classes", "10")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_sentence(
    capsys, tmp_path, monkeypatch, imagenette, arguments, parts
) -> None:
    monkeypatch.chdir(tmp_path)
    save_file(build_model("resnet8", seed=0, classes=4).state_dict(), WEIGHTS_HERE)
    text = fail(capsys, *arguments)
    assert all(part in text for part in parts)


@pytest.mark.parametrize("ending", ["safetensors", "pt", "pth"])
@pytest.mark.parametrize("content", [b"", b"{}", b"no weights", b"\x80\x04." * 9])
def test_a_file_that_holds_no_weights_is_one_sentence(capsys, tmp_path, ending, content) -> None:
    path = tmp_path / f"net.{ending}"
    path.write_bytes(content)
    assert str(path) in fail(capsys, "resnet8", "--weights", path)


def test_weights_of_another_net_are_one_sentence(capsys, tmp_path) -> None:
    save_file(tiny_net("resnet14").state_dict(), tmp_path / "net.safetensors")
    text = fail(capsys, "resnet8", "--weights", tmp_path / "net.safetensors")
    assert "conv2_x.1.bn1.num_batches_tracked is unknown" in text
    tiny_train(tiny_net(), folder=tmp_path / "run")
    assert "resnet8, and not a plain8" in fail(capsys, "plain8", "--weights", tmp_path / "run")
    for name in ("resnet20", "resnet50-A", "resnet50-C", "plain18"):
        with pytest.raises(ConfigError, match=f"no weights for {name}"):
            pretrained(name)


def test_weights_without_their_record_are_still_of_their_net(capsys, tmp_path) -> None:
    """A stride of the first convolution shows in no tensor."""
    net = tiny_net("resnet8", stem_stride=2)
    tiny_train(net, folder=tmp_path / "run")
    copied = shutil.copy(tmp_path / "run" / "weights.safetensors", tmp_path / "mine.safetensors")
    assert read_net("resnet8", copied).config == net.config
    assert "resnet8, and not a plain8" in fail(capsys, "plain8", "--weights", copied)
    beside = shutil.copy(copied, tmp_path / "run" / "mine.safetensors")
    assert find_record(beside) == (None, beside), "a record is of the weights of its own run only"
    save_file(tiny_net().state_dict(), copied, {"model": "{"})
    assert "does not say which net" in fail(capsys, "resnet8", "--weights", copied)


def test_an_ensemble_is_named_by_the_nets_that_it_has(capsys, tmp_path) -> None:
    weights = []
    for name in ("resnet8", "resnet8-B", "resnet8"):
        folder = tmp_path / str(len(weights))
        tiny_train(tiny_net(name, seed=len(weights)), folder=folder)
        weights += ["--weights", folder]
    out, _ = run(capsys, "resnet8", *weights, "--data", "embedded", "--images", "10")
    assert out.startswith("resnet8 x 2 + resnet8-B, embedded,")


def test_an_ensemble_trained_on_several_sets_or_sizes_is_asked_which(capsys, tmp_path) -> None:
    """In one of them by chance, its error would be neither's."""
    weights = []
    for name, size in (("tiny", 7), ("other", 14)):
        images = replace(tiny_data(size), name=name)
        tiny_train(tiny_net(), images, folder=tmp_path / name, iterations=1, milestones=())
        weights += ["--weights", tmp_path / name]
    assert "trained on other and tiny: choose with --data" in fail(capsys, "resnet8", *weights)
    some = (*weights, "--data", "embedded", "--images", "10")
    assert "images of 7 and 14 pixels: choose with --size" in fail(capsys, "resnet8", *some)
    assert "on 10 images" in run(capsys, "resnet8", *some, "--size", "7")[0]


def test_a_damaged_photograph_is_named(capsys, imagenette, torchvision_s) -> None:
    path = load_photos("imagenette").paths[0]
    path.write_bytes(path.read_bytes()[:200])
    options = ("--weights", "torchvision", "--data", "imagenette", "--images", "1")
    assert str(path) in fail(capsys, "resnet18", *options)


@pytest.mark.parametrize("layout", ["flat", "empty", "no val"])
def test_a_wrong_layout_says_what_would_be_right(tmp_path, layout) -> None:
    if layout != "no val":
        (tmp_path / "val").mkdir()
    if layout == "flat":
        Image.new("RGB", (8, 8)).save(tmp_path / "val" / "a.JPEG")
    with pytest.raises(DataError, match=r"val.*JPEG"):
        load_photos(tmp_path)


def test_every_folder_set_has_a_known_size() -> None:
    assert set(FOLDERS) <= set(SET_SIZES)
