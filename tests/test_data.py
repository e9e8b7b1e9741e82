"""Data sets from every source, and the batches made from them."""

import errno
import hashlib
import http.server
import shutil
import socket
import ssl
import threading
import urllib.error
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from helpers import ROOT, embedded, tiny_data, write_sheets
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet_lib import ConfigError, DataError, TrainConfig, load
from resnet_lib.batches import (
    BatchesAhead,
    Normaliser,
    TrainingBatches,
    augment,
    epoch_plan,
    make_batches,
    make_normaliser,
)
from resnet_lib.data import DATASETS, ImageSet, image_set
from resnet_lib.downloads import data_folder, one_download
from resnet_lib.numerics import random_stream

IMAGES = ROOT / "data" / "images"
TORCHVISION = {name: each.torchvision for name, each in DATASETS.items() if each.torchvision}


# The embedded set


def test_the_embedded_set_is_class_balanced_and_grey():
    data = embedded()
    assert data.train_images.shape == (10_000, 1, 28, 28)
    assert data.test_images.shape == (2_000, 1, 28, 28)
    for images in (data.train_images, data.test_images):
        assert images.dtype == torch.uint8
    for labels, each in ((data.train_labels, 1_000), (data.test_labels, 200)):
        assert labels.dtype == torch.int64
        assert labels.bincount().tolist() == [each] * 10
    assert len(data.classes) == len(set(data.classes)) == 10
    assert (data.channels, data.size) == (1, 28)


def test_the_embedded_set_is_the_one_that_recorded_runs_were_trained_on():
    assert embedded().checksum == "2e1fe9dee985"


def test_no_embedded_image_is_in_both_splits():
    data = embedded()
    train = {image.tobytes() for image in data.train_images.numpy()}
    assert not any(image.tobytes() in train for image in data.test_images.numpy())


def test_the_files_are_those_that_the_checksums_name():
    lines = (IMAGES / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    assert set(listed) == {str(p.relative_to(IMAGES)) for p in IMAGES.rglob("*.webp")}
    for name, wanted in listed.items():
        assert hashlib.sha256((IMAGES / name).read_bytes()).hexdigest() == wanted, name
    assert sum(path.stat().st_size for path in IMAGES.rglob("*.webp")) <= 6_000_000


def test_the_table_says_of_the_embedded_set_what_it_is():
    data, known = embedded(), DATASETS["embedded"]
    assert (known.size, known.channels) == (data.size, data.channels)
    assert (known.classes, known.test_images) == (len(data.classes), len(data.test_images))
    assert known.checksum == data.checksum


def test_the_table_s_classes_of_torchvision_exist():
    assert TORCHVISION.keys() == DATASETS.keys() - {"embedded"}
    for name, kind in TORCHVISION.items():
        assert hasattr(torchvision.datasets, kind), name


# What an image set may be


def some_images(**changes):
    """A small set of both splits alike, with some values changed."""
    pixels, labels = torch.zeros(4, 1, 3, 3, dtype=torch.uint8), torch.arange(4) % 2
    values = {
        f"{split}_{what}": value
        for split in ("train", "test")
        for what, value in (("images", pixels), ("labels", labels))
    }
    return ImageSet("some", ("a", "b"), **{**values, **changes})


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (4, 1, 5, 5)])
def test_splits_of_other_channels_or_another_size_are_one_sentence(shape):
    """Images of one channel would else be broadcast against the mean of three."""
    with pytest.raises(ConfigError, match="both must have the same") as error:
        some_images(test_images=torch.zeros(shape, dtype=torch.uint8))
    assert f"test images of {shape[1:]}" in str(error.value)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    ("what", "wrong", "parts"),
    [
        ("images", None, ("NoneType", "uint8")),
        ("images", np.zeros((4, 1, 3, 3), np.uint8), ("ndarray", "uint8")),
        ("images", torch.zeros(4, 1, 3, 3), ("torch.float32", "uint8")),
        ("images", torch.zeros(4, 3, 3, dtype=torch.uint8), ("(4, 3, 3)", "(N, C, H, W)")),
        ("images", torch.zeros(4, 1, 3, 2, dtype=torch.uint8), ("(4, 1, 3, 2)", "H equal to W")),
        ("images", torch.zeros(0, 1, 3, 3, dtype=torch.uint8), ("empty",)),
        ("labels", [0, 1, 0, 1], ("list", "int64")),
        ("labels", torch.zeros(4, dtype=torch.int32), ("torch.int32", "int64")),
        ("labels", torch.zeros(3, dtype=torch.int64), ("(3,)", "(4,)", "4 images")),
        ("labels", torch.zeros(4, 1, dtype=torch.int64), ("(4, 1)", "(4,)")),
        ("labels", torch.tensor([0, 1, 0, 2]), ("0 to 2", "2 classes", "0 to 1")),
        ("labels", torch.tensor([0, -1, 0, 1]), ("-1 to 1", "2 classes", "0 to 1")),
    ],
)
def test_a_set_that_no_net_can_learn_is_one_sentence(split, what, wrong, parts):
    with pytest.raises(ConfigError) as error:
        some_images(**{f"{split}_{what}": wrong})
    message = str(error.value)
    for part in (f"{split}_{what} of some", *parts):
        assert part in message
    assert message.endswith(".")
    assert "\n" not in message


def test_parts_of_a_set_are_sets():
    data = some_images()
    few = replace(data, test_images=data.test_images[::3], test_labels=data.test_labels[::3])
    assert len(few.to("cpu").test_images) == 2
    assert few.reduced(1).size == 1


# Class sheets


def random_images(channels=3, classes=3, size=4, seed=0):
    """Images and labels of two splits, 100 and 50 a class, in random order."""
    draw = np.random.default_rng(seed)
    images, labels = {}, {}
    for split, each in (("train", 100), ("test", 50)):
        labels[split] = draw.permutation(np.repeat(np.arange(classes), each))
        shape = (each * classes, size, size, channels)
        images[split] = draw.integers(0, 256, shape, np.uint8)
    return images, labels


CLASSES = ("cat", "sea-horse", "ship")


def forget_checksum(name, monkeypatch):
    """Let other images pass for a known data set."""
    monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], checksum=None))


@pytest.fixture
def sheets(tmp_path):
    """A folder of colour sheets."""
    return write_sheets(tmp_path / "small", *random_images(), CLASSES)


@pytest.mark.parametrize("channels", [1, 3])
def test_sheets_give_back_every_image(tmp_path, channels):
    images, labels = random_images(channels)
    data = load(write_sheets(tmp_path / "some", images, labels, CLASSES))
    assert data.classes == CLASSES
    assert data.channels == channels
    for split in ("train", "test"):
        found = getattr(data, f"{split}_images").permute(0, 2, 3, 1).numpy()
        tags = getattr(data, f"{split}_labels").tolist()
        pairs = sorted((tag, image.tobytes()) for tag, image in zip(tags, found, strict=True))
        wanted = sorted(
            (int(label), image.tobytes())
            for label, image in zip(labels[split], images[split], strict=True)
        )
        assert pairs == wanted


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("channel", [1, 2])
def test_one_pixel_of_colour_makes_both_splits_colour(tmp_path, split, channel):
    images, labels = random_images(1)
    images = {name: each.repeat(3, axis=3) for name, each in images.items()}
    images[split][0, 0, 0, channel] ^= 1
    data = load(write_sheets(tmp_path / "some", images, labels, CLASSES))
    assert data.channels == 3
    found = {"train": data.train_images, "test": data.test_images}
    other = {name: (each[:, channel] != each[:, 0]).sum() for name, each in found.items()}
    assert other == {"train": 0, "test": 0} | {split: 1}


def test_the_order_of_the_images_is_canonical(tmp_path):
    """A shuffled copy of the same images gives the same tensors and checksum."""
    images, labels = random_images()
    one = load(write_sheets(tmp_path / "one", images, labels, CLASSES))
    draw = np.random.default_rng(9)
    for split in images:
        order = draw.permutation(len(labels[split]))
        images[split], labels[split] = images[split][order], labels[split][order]
    other = load(write_sheets(tmp_path / "other", images, labels, CLASSES))
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert one.checksum == other.checksum


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_the_canonical_order_is_by_class_and_then_by_bytes(seed):
    """Few values, zeros and large ones among them, so that many images share a beginning."""
    draw = np.random.default_rng(seed)
    images = draw.choice(np.array([0, 1, 127, 128, 255], np.uint8), (60, 1, 2, 1))
    images = np.concatenate([images, np.zeros_like(images)], axis=1)
    labels = draw.integers(0, 3, 60)
    data = image_set("x", "abc", {"train": (images, labels), "test": (images, labels)})
    found = [
        (int(label), image.tobytes())
        for label, image in zip(data.train_labels, data.train_images.numpy(), strict=True)
    ]
    assert found == sorted(found)


@pytest.mark.parametrize("tensor", ["train_images", "train_labels", "test_images", "test_labels"])
def test_the_checksum_moves_with_every_value(tensor):
    data = tiny_data()
    changed = getattr(data, tensor).clone()
    changed.view(-1)[0] += 1
    assert replace(data, **{tensor: changed}).checksum != data.checksum
    assert replace(data, name="another").checksum == data.checksum


def test_the_checksum_knows_shapes():
    data = tiny_data(14)
    splits = {
        name: getattr(data, name).reshape(-1, 4, 7, 7) for name in ("train_images", "test_images")
    }
    small = replace(data, **splits)
    assert small.checksum != data.checksum


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def crop(path):
    from PIL import Image

    with Image.open(path) as file:
        part = file.crop((0, 0, 200, 6))
    part.save(path, lossless=True)


def narrow(path):
    from PIL import Image

    with Image.open(path) as file:
        part = file.crop((0, 0, 196, 8))
    part.save(path, lossless=True)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    "damage",
    [
        cut,
        crop,
        narrow,
        lambda path: path.write_text("not an image"),
        lambda path: path.write_bytes(b""),
    ],
    ids=["truncated", "half a row", "too narrow", "text", "empty"],
)
def test_a_damaged_sheet_is_named(sheets, damage, split):
    path = sheets / split / "1_sea-horse.webp"
    damage(path)
    with pytest.raises(DataError) as error:
        load(sheets)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "name", ["cat.webp", "x_cat.webp", "0_.webp", "_cat.webp", "0.webp", "²_a.webp"]
)
def test_a_misnamed_sheet_is_named(sheets, name):
    (sheets / "train" / "0_cat.webp").rename(sheets / "train" / name)
    with pytest.raises(DataError) as error:
        load(sheets)
    assert str(sheets / "train" / name) in str(error.value)
    assert "{label}_{class}.webp" in str(error.value)


def test_a_class_has_one_name_in_both_splits(sheets):
    """Else two folders with different numbering would be mixed in silence."""
    (sheets / "test" / "0_cat.webp").rename(sheets / "test" / "0_dog.webp")
    with pytest.raises(DataError, match="0_dog"):
        load(sheets)


def test_labels_run_without_gaps(sheets):
    for split in ("train", "test"):
        (sheets / split / "2_ship.webp").rename(sheets / split / "3_ship.webp")
    with pytest.raises(DataError, match=r"\[0, 1, 3\]"):
        load(sheets)


def test_a_split_without_sheets_is_named(sheets):
    for path in (sheets / "test").iterdir():
        path.rename(path.with_suffix(".png"))
    with pytest.raises(DataError, match=r"test holds no class sheets: .*\.webp\.$"):
        load(sheets)


def test_a_folder_that_lacks_a_split_is_no_unknown_name(sheets):
    shutil.rmtree(sheets / "test")
    with pytest.raises(DataError, match=r"small has no folder test: a folder of class sheets has"):
        load(sheets)
    shutil.rmtree(sheets / "train")
    with pytest.raises(DataError, match="no folder train and no folder test"):
        load(sheets)


def test_sheets_of_unequal_tiles_are_refused(sheets, tmp_path):
    other = write_sheets(tmp_path / "larger", *random_images(size=8), CLASSES)
    (other / "train" / "0_cat.webp").replace(sheets / "train" / "0_cat.webp")
    with pytest.raises(DataError, match=r"train holds sheets of unequal tiles, 4 and 8 pixels"):
        load(sheets)


def test_the_environment_names_a_folder_of_data_sets(tmp_path, monkeypatch):
    forget_checksum("cifar10", monkeypatch)
    images, labels = random_images()
    write_sheets(tmp_path / "cifar10", images, labels, CLASSES)
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    data = load("cifar10")
    assert (data.name, data.classes) == ("cifar10", CLASSES)
    assert data.checksum == load(tmp_path / "cifar10").checksum


def test_a_path_may_be_a_known_name():
    assert load(Path("embedded"), 7).checksum == embedded(7).checksum


def test_a_torchvision_set_may_be_named_by_a_path(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.CIFAR100", fake("CIFAR100", *random_images(), []))
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    assert load(Path("cifar100")).name == "cifar100"


def test_a_size_may_be_numpy_s():
    assert load("embedded", np.int64(14)).checksum == embedded(14).checksum


@pytest.mark.parametrize("size", [True, np.True_, 14.0, np.float64(14), "14", 0, np.int64(-7)])
def test_a_wrong_size_is_one_sentence(size):
    with pytest.raises(ConfigError, match=r"size is .* whole number of at least 1"):
        load("embedded", size)


def test_a_relative_folder_of_sheets_is_found(sheets, monkeypatch):
    monkeypatch.chdir(sheets.parent)
    assert load("small").classes == CLASSES


@pytest.mark.parametrize("name", ["embeded", "cifar11", "", "no/such/folder"])
def test_an_unknown_data_set_lists_the_known(name, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    with pytest.raises(ConfigError) as error:
        load(name)
    assert any(each in str(error.value) for each in DATASETS)


# Torchvision


def fake(name, images, labels, log):
    """A stand-in for a class of torchvision.datasets, with data in its format."""

    class Fake:
        classes = CLASSES

        def __init__(self, root, train=True, download=False):
            log.append((str(root), train, download))
            split = "train" if train else "test"
            if name == "FashionMNIST":
                self.data = torch.from_numpy(images[split][..., 0].copy())
                self.targets = torch.from_numpy(labels[split])
            else:
                self.data = images[split]
                self.targets = labels[split].tolist()

    return Fake


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_s_data_equal_the_sheets(name, tmp_path, monkeypatch):
    images, labels = random_images(1 if name == "fashion-mnist" else 3)
    sheets = load(write_sheets(tmp_path / "sheets", images, labels, CLASSES))
    log = []
    kind = TORCHVISION[name]
    forget_checksum(name, monkeypatch)
    monkeypatch.setattr(f"torchvision.datasets.{kind}", fake(kind, images, labels, log))
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path / "downloads"))
    with pytest.raises(DataError, match=r"RESNET_LIB_DATA names .* no folder: make it"):
        load(name)
    (tmp_path / "downloads").touch()
    with pytest.raises(DataError, match=r"RESNET_LIB_DATA names .* a file: name a folder"):
        load(name)
    (tmp_path / "downloads").unlink()
    (tmp_path / "downloads").mkdir()
    data = load(name)
    assert log == [(str(tmp_path / "downloads"), split, True) for split in (True, False)]
    assert data.name == name
    assert data.classes == CLASSES
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.dtype == torch.int64
    assert data.checksum == sheets.checksum


def test_downloads_go_into_the_repository_s_folder_by_default(monkeypatch):
    log = []
    monkeypatch.setattr("torchvision.datasets.CIFAR100", fake("CIFAR100", *random_images(), log))
    monkeypatch.delenv("RESNET_LIB_DATA", raising=False)
    load("cifar100")
    assert {root for root, _, _ in log} == {str(ROOT / "data" / "downloads")}


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.parametrize(
    "fault",
    [
        urllib.error.URLError("no route"),
        RuntimeError("File not found or corrupted."),
        PermissionError("read-only"),
        EOFError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_failed_download_says_what_to_do(name, fault, tmp_path, monkeypatch):
    def fail(*_arguments, **_options):
        raise fault

    monkeypatch.setattr(f"torchvision.datasets.{TORCHVISION[name]}", fail)
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    with pytest.raises(DataError) as error:
        load(name)
    message = str(error.value)
    for part in (name, str(tmp_path), type(fault).__name__, "RESNET_LIB_DATA", '"embedded"'):
        assert part in message


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (urllib.error.URLError(ssl.SSLCertVerificationError("expired")), "certificate"),
        (urllib.error.URLError(TimeoutError()), "sent nothing for 30 seconds"),
        (TimeoutError(), "sent nothing for 30 seconds"),
        (urllib.error.HTTPError("u", 503, "busy", None, None), "answered 503"),
        (urllib.error.URLError("no route"), "cannot be reached"),
        (OSError(errno.ENOSPC, "No space left"), "disk is full"),
        (OSError(errno.EACCES, "Permission denied"), "folder cannot be written to"),
        (RuntimeError("File not found or corrupted."), "damaged"),
    ],
)
def test_a_failed_download_says_why(fault, words, tmp_path, monkeypatch):
    def fail(*_arguments, **_options):
        raise fault

    monkeypatch.setattr("torchvision.datasets.CIFAR10", fail)
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    with pytest.raises(DataError, match=words):
        load("cifar10")


def test_two_downloads_wait_for_each_other(tmp_path):
    """Else both write the same file, and one of them finds it damaged."""
    entered = threading.Event()

    def download():
        with one_download(tmp_path):
            entered.set()

    with one_download(tmp_path):
        other = threading.Thread(target=download)
        other.start()
        assert not entered.wait(0.3)
    other.join(10)
    assert entered.is_set()


def test_without_a_clone_downloads_go_into_the_user_s_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("RESNET_LIB_DATA", raising=False)
    monkeypatch.setattr("resnet_lib.downloads.DATA", tmp_path / "none")
    assert data_folder() == Path.home() / ".cache" / "resnet_lib"


def test_a_host_that_never_answers_is_given_up(tmp_path, monkeypatch):
    """A real socket on this machine that accepts and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr("torchvision.datasets.CIFAR10.url", f"http://127.0.0.1:{port}/x.tar.gz")
        monkeypatch.setattr("resnet_lib.downloads.PATIENCE", 0.2)
        monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
        with pytest.raises(DataError, match="sent nothing"):
            load("cifar10")
    assert socket.getdefaulttimeout() is None


class CutOff(http.server.BaseHTTPRequestHandler):
    """Promises a long file and stops after a few bytes."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"half of it")

    do_HEAD = do_GET

    def log_message(self, *_arguments):
        pass


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_download_that_is_cut_off_never_loads(name, tmp_path, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), CutOff)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    kind = f"torchvision.datasets.{TORCHVISION[name]}"
    if name == "fashion-mnist":
        monkeypatch.setattr(f"{kind}.mirrors", [address])
    else:
        monkeypatch.setattr(f"{kind}.url", address + "x.tar.gz")
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    try:
        for _ in range(2):  # what the first try leaves must not satisfy the second
            with pytest.raises(DataError, match=name):
                load(name)
    finally:
        server.shutdown()
        server.server_close()


def test_known_data_with_other_pixels_are_refused(tmp_path, monkeypatch):
    images, labels = random_images()
    write_sheets(tmp_path / "cifar10", images, labels, CLASSES)
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    with pytest.raises(DataError, match="damaged, missing or foreign") as error:
        load("cifar10")
    assert str(tmp_path / "cifar10") in str(error.value)


def test_the_folder_of_all_data_is_never_said_to_be_deleted(tmp_path, monkeypatch):
    """torchvision's sets lie beside others, and the repository's own is fetched from nowhere."""
    monkeypatch.setattr("torchvision.datasets.CIFAR10", fake("CIFAR10", *random_images(), []))
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"torchvision's folder of cifar10 in .* delete it to"):
        load("cifar10")
    wrong = replace(DATASETS["embedded"], checksum="0" * 12)
    monkeypatch.setitem(DATASETS, "embedded", wrong)
    with pytest.raises(DataError, match=r"or foreign; restore it\.$"):
        load("embedded")


# Reduction


@pytest.mark.parametrize("size", [14, 7])
def test_reduced_images_are_means_over_squares(size):
    data, small = embedded(), embedded(size)
    factor = 28 // size
    for split in ("train", "test"):
        images = getattr(data, f"{split}_images").numpy().astype(np.float64)
        squares = images.reshape(-1, 1, size, factor, size, factor).mean((3, 5))
        assert np.array_equal(getattr(small, f"{split}_images").numpy(), np.rint(squares))
        assert getattr(small, f"{split}_images").dtype == torch.uint8
        assert torch.equal(getattr(small, f"{split}_labels"), getattr(data, f"{split}_labels"))
    assert small.size == size
    assert small.checksum != data.checksum


def test_the_full_size_is_no_reduction():
    assert embedded().reduced(28) is embedded()


@pytest.mark.parametrize("size", [0, -7, 5, 15, 56])
def test_a_wrong_size_lists_the_sizes(size):
    with pytest.raises(ConfigError, match=r"4, 7, 14, 28"):
        embedded().reduced(size)
    with pytest.raises(ConfigError, match=r"4, 7, 14, 28"):
        tiny_data(28).reduced(size)


def test_every_listed_size_can_be_had():
    for size in (4, 7, 14, 28):
        assert tiny_data(28).reduced(size).size == size


# Normalisation and augmentation


@pytest.mark.parametrize("size", [None, 7])
def test_the_normalised_training_set_has_mean_zero_at_each_pixel(size):
    data = embedded(size)
    normalise = Normaliser(data)
    images = normalise(data.train_images)
    assert images.dtype == torch.float32
    assert images.mean(0).abs().max() < 1e-5
    raw = data.train_images.numpy().astype(np.float64)
    assert normalise.std == pytest.approx(raw.std(), rel=1e-9)
    wanted = (data.test_images.numpy() - raw.mean(0)) / raw.std()
    np.testing.assert_allclose(normalise(data.test_images).numpy(), wanted, rtol=0, atol=1e-5)


def test_the_mean_of_a_pixel_is_kept_apart_for_each_channel(tmp_path):
    images, labels = random_images()
    images["train"][..., 2] //= 4
    data = load(write_sheets(tmp_path / "x", images, labels, CLASSES))
    assert Normaliser(data)(data.train_images).mean(0).abs().max() < 1e-5
    assert Normaliser(data).mean.shape == (3, 4, 4)


@given(
    st.integers(0, 3),
    st.integers(1, 3),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=50)
def test_augmentation_is_padding_cropping_and_mirroring(pad, channels, sides, seed):
    draw = torch.Generator().manual_seed(seed)
    height, width = sides
    x = torch.randn(5, channels, height, width, generator=draw)
    top, left = torch.randint(2 * pad + 1, (2, 5), generator=draw)
    mirrored = torch.rand(5, generator=draw) < 0.5
    out = augment(x, top, left, mirrored, pad)
    for i in range(5):
        padded = np.pad(x[i].numpy(), ((0, 0), (pad, pad), (pad, pad)))
        crop = padded[:, top[i] : top[i] + height, left[i] : left[i] + width]
        wanted = crop[:, :, ::-1] if mirrored[i] else crop
        assert np.array_equal(out[i].numpy(), wanted)


@pytest.mark.parametrize("pad", [0, 1, 4])
def test_the_middle_crop_without_mirroring_is_the_image(pad):
    x = torch.randn(3, 2, 5, 6)
    middle = torch.full((3,), pad)
    never = torch.zeros(3, dtype=torch.bool)
    assert torch.equal(augment(x, middle, middle, never, pad), x)
    assert torch.equal(augment(x, middle, middle, ~never, pad), x.flip(3))


@given(st.integers(0, 2**31), st.integers(0, 1000), st.integers(1, 300), st.integers(0, 4))
@settings(deadline=None, max_examples=50)
def test_an_epoch_s_plan_is_a_permutation_with_offsets_in_range(seed, epoch, images, pad):
    plan = epoch_plan(seed, epoch, images, pad, True)
    order, top, left, mirrored = plan
    assert order.sort().values.tolist() == list(range(images))
    for offsets in (top, left):
        assert len(offsets) == images
        assert offsets.min() >= 0
        assert offsets.max() <= 2 * pad
    assert len(mirrored) == images
    again = epoch_plan(seed, epoch, images, pad, True)
    assert all(torch.equal(a, b) for a, b in zip(plan, again, strict=True))


def test_offsets_are_uniform_and_half_of_the_images_are_mirrored():
    order, top, left, mirrored = epoch_plan(0, 0, 90_000, 4, True)
    for offsets in (top, left):
        counts = offsets.bincount(minlength=9).double()
        chi_squared = ((counts - 10_000) ** 2 / 10_000).sum()
        assert chi_squared < 35  # 8 degrees of freedom: p < 3e-5
    assert abs(mirrored.double().mean() - 0.5) < 5 * 0.5 / 300
    both = torch.stack([order.double(), top.double(), left.double(), mirrored.double()])
    assert (torch.corrcoef(both) - torch.eye(4)).abs().max() < 5 / 300
    assert not epoch_plan(0, 0, 1_000, 4, False)[3].any()


def test_epochs_and_seeds_have_plans_of_their_own():
    orders = {
        tuple(epoch_plan(seed, epoch, 50, 1, True)[0].tolist())
        for seed in range(6)
        for epoch in range(6)
    }
    assert len(orders) == 36


def test_random_streams_are_of_their_own():
    """torch's CPU generator takes 32 bits of a seed: no two streams may fall together there."""
    streams = [random_stream("epoch", seed, epoch) for seed in range(5) for epoch in range(170)]
    for seed in (*range(5), 2**32, 2**32 + 1):
        streams += [random_stream("main path", seed), random_stream("projections", seed)]
    assert len({tuple(torch.randn(2, generator=each).tolist()) for each in streams}) == len(streams)


def test_a_plan_does_not_touch_torch_s_global_random_state():
    state = torch.get_rng_state()
    epoch_plan(0, 0, 50, 1, True)
    assert torch.equal(torch.get_rng_state(), state)


# Batches


def numbered(images=50, size=3):
    """Images that all differ, so that each can be told in a batch."""
    values = torch.arange(images, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    data = values.expand(-1, 1, size, size).contiguous()
    labels = torch.arange(images) % 7
    return replace(
        tiny_data(),
        train_images=data,
        train_labels=labels,
        test_images=data,
        test_labels=labels,
    )


def which(x, normalise):
    """The numbers of the images of an unaugmented batch of `numbered`."""
    return (x * normalise.std + normalise.mean)[:, 0, 0, 0].round().int().tolist()


def numbered_batches(seed=0, batch_size=16, pad=0):
    data = numbered()
    normalise = Normaliser(data)
    config = TrainConfig(batch_size=batch_size, seed=seed, pad=pad)
    return data, normalise, TrainingBatches(data, config, normalise)


@pytest.mark.parametrize("batch_size", [16, 25, 50, 1])
def test_every_epoch_visits_distinct_images_with_their_labels(batch_size):
    data, normalise, batches = numbered_batches(batch_size=batch_size)
    assert batches.per_epoch == 50 // batch_size
    epochs = []
    for epoch in range(3):
        seen = []
        for position in range(batches.per_epoch):
            x, y = batches(epoch * batches.per_epoch + position)
            numbers = which(x, normalise)
            assert y.tolist() == data.train_labels[numbers].tolist()
            seen += numbers
        assert len(set(seen)) == len(seen) == batches.per_epoch * batch_size
        epochs.append(tuple(seen))
    assert len(set(epochs)) == 3


def test_a_batch_is_the_augmented_normalised_images_of_the_plan():
    data, normalise, batches = numbered_batches(seed=3, pad=2)
    plan = epoch_plan(3, 1, 50, 2, True)
    order, top, left, mirrored = (each[16:32] for each in plan)
    x, y = batches(1 * batches.per_epoch + 1)
    wanted = augment(normalise(data.train_images[order]), top, left, mirrored, 2)
    assert torch.equal(x, wanted)
    assert torch.equal(y, data.train_labels[order])


def test_a_batch_does_not_depend_on_the_ones_before():
    batches = numbered_batches(pad=2)[2]
    for iteration in (0, 1, 2, 3, 7, 2, 0, 5):
        x, y = batches(iteration)
        fresh_x, fresh_y = numbered_batches(pad=2)[2](iteration)
        assert torch.equal(x, fresh_x)
        assert torch.equal(y, fresh_y)


def test_another_seed_gives_other_batches():
    assert not torch.equal(numbered_batches(seed=0)[2](0)[0], numbered_batches(seed=1)[2](0)[0])


@pytest.mark.parametrize(
    "recipe",
    [{}, {"pad_first": True}, {"normalisation": "per-channel"}, {"scale_range": (1.0, 2.0)}],
)
@pytest.mark.parametrize(("batch_size", "at_once"), [(16, 3), (7, 7), (1, 25), (50, 1)])
def test_batches_made_ahead_are_the_batches(recipe, batch_size, at_once):
    """Of 50 images: over two epochs, also from the middle of a group, as a resumed run begins."""
    data = numbered()
    config = TrainConfig(batch_size=batch_size, pad=2, **recipe)
    one_by_one = make_batches(data, config, make_normaliser(data, config))
    ahead = BatchesAhead(data, config, make_normaliser(data, config))
    assert ahead.per_epoch == one_by_one.per_epoch
    assert ahead.at_once == (1 if "scale_range" in recipe else at_once)
    for iteration in (1, 2, *range(2 * ahead.per_epoch + 1)):
        for made, wanted in zip(ahead(iteration), one_by_one(iteration), strict=True):
            assert torch.equal(made, wanted)


def test_a_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(ConfigError, match=r"51 .*50"):
        numbered_batches(batch_size=51)


def test_sheets_of_two_sizes_are_one_sentence(tmp_path):
    draw = np.random.default_rng(0)
    images = {
        split: draw.integers(0, 256, (100, side, side, 1), np.uint8)
        for split, side in (("train", 8), ("test", 4))
    }
    labels = {split: np.repeat([0, 1], 50) for split in images}
    write_sheets(tmp_path / "odd", images, labels, ("a", "b"))
    with pytest.raises(DataError, match="training images of 8 pixels and test images of 4"):
        load(tmp_path / "odd")
