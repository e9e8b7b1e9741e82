"""The playground's engine against PyTorch in float64, and what the page relies on."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
import math
import random
import shutil
import subprocess

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import ROOT, net_by_hand
from make_playground_data import OUT as IMAGES
from make_playground_data import packed
from torch.overrides import TorchFunctionMode

from resnet_lib import ModelConfig, build_model, complexity
from resnet_lib.analysis import main_path
from resnet_lib.configs import SHORTCUTS
from resnet_lib.data import Normaliser, image_set

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None,
    reason="the playground's engine needs Node 20 or newer: apt-get install nodejs, or nodejs.org",
)

NET = {
    "depth": 8,
    "shortcut": "A",
    "order": "original",
    "batchNorm": True,
    "init": "he",
    "widths": [8, 16, 32],
    "seed": 0,
}
TRAIN = {
    "learningRate": 0.02,
    "warmup": 0,
    "batchSize": 64,
    "momentum": 0.9,
    "weightDecay": 0,
    "milestones": [],
}


def engine(*requests: dict) -> list[dict]:
    """Answers of tests/playground.mjs; each request changes NET, TRAIN and the images."""
    filled = [
        {
            **each,
            "net": {**NET, **each.get("net", {})},
            "train": {**TRAIN, **each.get("train", {})},
            "images": str(each.get("images", IMAGES)),
        }
        for each in requests
    ]
    command = [NODE, str(ROOT / "tests" / "playground.mjs")]
    done = subprocess.run(command, input=json.dumps(filled), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def numbers(text: str, shape: list[int]) -> torch.Tensor:
    """A tensor from the bytes that the engine sent, in float64."""
    return torch.from_numpy(np.frombuffer(bytes.fromhex(text), np.float32).copy()).reshape(shape)


def tensors(answer: dict, when: str, what: str = "values") -> dict[str, torch.Tensor]:
    """Tensors of one moment by name, in float64."""
    return {
        each["name"]: numbers(each[what], each["shape"]).double()
        for each in answer[when]
        if what in each
    }


def read_images(path):
    """An image file as the library's data set, in the file's order."""
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    line, _, rest = data.partition(b"\n")
    header, rest = json.loads(line), np.frombuffer(rest, np.uint8)
    side, channels, splits, at = header["size"], header["channels"], {}, 0
    for split in ("train", "test"):
        pixels = header[split] * channels * side * side
        images = rest[at : at + pixels].reshape(header[split], channels, side, side)
        at += pixels
        splits[split] = torch.from_numpy(images.copy()), torch.from_numpy(
            rest[at : at + header[split]].astype(np.int64)
        )
        at += header[split]
    assert at == len(rest)
    return splits


class Inputs:
    """Images of a file as float64, normalised by the library."""

    def __init__(self, path) -> None:
        self.splits = read_images(path)
        train = self.splits["train"]
        arrays = train[0].permute(0, 2, 3, 1).numpy(), train[1].numpy()
        normaliser = Normaliser(image_set("file", range(10), {"train": arrays, "test": arrays}))
        self.mean, self.std = normaliser.mean.double(), normaliser.std

    def batch(self, split: str, chosen) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = self.splits[split]
        return (images[chosen].double() - self.mean) / self.std, labels[chosen]


def image_file(folder, size: int, channels: int, count: int = 40):
    """A file of random images, for sizes and colours that the playground's own lack."""
    draw = np.random.default_rng(size * 10 + channels)
    header = {"name": "random", "classes": [], "licence": "", "size": size, "channels": channels}
    data = json.dumps({**header, "train": count, "test": count}).encode() + b"\n"
    for _ in range(2):
        pixels = draw.integers(0, 256, count * channels * size * size, np.uint8)
        data += pixels.tobytes() + draw.integers(0, 10, count, np.uint8).tobytes()
    path = folder / f"{size}x{channels}.bin"
    path.write_bytes(data)
    return path


def oracle(net: dict, channels: int = 1) -> torch.nn.Module:
    """The library's net of the same choices, in float64."""
    config = ModelConfig(
        net["depth"],
        shortcut=net["shortcut"],
        width=net["widths"][0],
        in_channels=channels,
        stem_stride=2,
        batch_norm=net["batchNorm"],
        init=net["init"],
        order=net["order"],
    )
    return build_model(config, seed=0).double()


class Gates(TorchFunctionMode):
    """Keeps what goes into every ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[torch.Tensor] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.relu, F.relu):
            self.inputs.append(args[0].detach().double())
        return function(*args, **(kwargs or {}))


def differentiate(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor):
    """Logits, loss, gradients, layer outputs and ReLU inputs of one batch in training mode."""
    outputs = {}
    for name, _, norm in main_path(net):

        def keep(_module, _inputs, output, name=name):
            output.retain_grad()
            outputs[name] = output

        norm.register_forward_hook(keep)
    with Gates() as gates:
        logits = net.train()(x)
    loss = F.cross_entropy(logits, y)
    loss.backward()
    gradients = {name: each.grad.double() for name, each in net.named_parameters()}
    return logits, loss.item(), gradients, outputs, gates.inputs


def compare(request: dict, answer: dict, inputs: Inputs) -> bool:
    """Hold the last step of an answer against PyTorch in float64, from the same weights and batch.

    The bounds are 1e-5 for the loss and 1e-4 for each tensor's gradient and each signal, relative
    to its norm, plus a floor of 1e-7 of the whole gradient; or four times the distance of
    PyTorch's own float32 where that is more, as in deep plain nets.

    A ReLU whose input is zero but for rounding may open in one arithmetic and stay shut in the
    other, which moves all gradients below it. Where PyTorch's float32 is as far from float64 as
    some input is from zero, gradients may miss the bound by up to half; False says that they did.
    """
    net = oracle({**NET, **request.get("net", {})}, inputs.splits["train"][0].shape[1])
    keys = net.load_state_dict(tensors(answer, "before"), strict=False)
    assert not keys.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in keys.missing_keys)
    x, y = inputs.batch("train", answer["batches"][-1])
    single = differentiate(copy.deepcopy(net).float(), x.float(), y)
    logits, loss, gradients, outputs, gates = differentiate(net, x, y)
    clear = all(
        (exact[exact != 0].abs() > 4 * (exact - rounded).abs().max()).all()
        for exact, rounded in zip(gates, single[4], strict=True)
    )
    floor = 1e-7 * math.sqrt(sum(each.norm().item() ** 2 for each in gradients.values()))
    rounding = max(
        (single[2][name] - each).norm().item() / (each.norm().item() + floor)
        for name, each in gradients.items()
    )
    row = answer["rows"][-1]
    distance = (single[0].double() - logits).abs().max().item()
    assert abs(row["loss"] - loss) <= max(1e-5 * max(1, loss), 4 * distance)
    found = tensors(answer, "after", "gradient")
    assert found.keys() == gradients.keys()
    bound, missed = max(1e-4, 4 * rounding), set()
    for name, each in gradients.items():
        difference = (found[name] - each).norm().item()
        if difference > bound * each.norm().item() + floor:
            assert not clear, name
            assert difference <= 0.5 * each.norm().item(), name
            missed.add(name)
    if missed:
        return False
    assert row["errors"] == (logits.argmax(1) != y).sum().item()
    for signal, (name, conv, _) in zip(answer["signals"], main_path(net), strict=True):
        assert signal["name"] == name.replace("residual.", "")
        expected = {
            "response": outputs[name].std().item(),
            "activationGradient": outputs[name].grad.norm().item(),
            "weightGradient": conv.weight.grad.norm().item(),
        }
        for what, value in expected.items():
            assert signal[what] == pytest.approx(value, rel=2 * bound, abs=floor), (name, what)
    return True


BLOCKS = [
    {"shortcut": shortcut, "order": order, "batchNorm": batch_norm}
    for shortcut, order, batch_norm in itertools.product(
        SHORTCUTS, ("original", "preactivation"), (True, False)
    )
]


@needs_node
def test_every_kind_of_block_agrees_with_pytorch():
    inputs = Inputs(IMAGES)
    requests = [
        {"net": {**block, "depth": depth}, "steps": steps, "train": {"batchSize": 16}}
        for block in BLOCKS
        for depth, steps in ((8, 1), (8, 4), (14, 1))
    ]
    close = [
        compare(request, answer, inputs)
        for request, answer in zip(requests, engine(*requests), strict=True)
    ]
    assert sum(close) >= 0.95 * len(close)


def drawn(number: int) -> dict:
    """A configuration drawn at random; widths double, as the library's nets have it."""
    draw = random.Random(number)
    width = draw.choice([3, 4, 6, 8, 10, 12, 16])
    return {
        "net": {
            "depth": draw.choice([8, 14, 20, 26, 32, 44, 56]),
            "shortcut": draw.choice(SHORTCUTS),
            "order": draw.choice(["original", "original", "preactivation"]),
            "batchNorm": draw.random() < 0.75,
            "init": draw.choice(["he", "he", "xavier", "small"]),
            "widths": [width, 2 * width, 4 * width],
            "seed": draw.randrange(2**32),
        },
        "train": {
            "batchSize": draw.choice([5, 8, 16, 23]),
            "weightDecay": draw.choice([0, 1e-4]),
            "learningRate": 0.001,
        },
        "steps": draw.choice([1, 3]),
    }


@needs_node
def test_configurations_drawn_at_random_agree_with_pytorch():
    inputs = Inputs(IMAGES)
    requests = [drawn(number) for number in range(24)]
    close = [
        request["net"]["depth"]
        for request, answer in zip(requests, engine(*requests), strict=True)
        if compare(request, answer, inputs)
    ]
    assert len(close) >= 0.8 * len(requests)
    assert max(close) == 56
