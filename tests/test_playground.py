"""The playground's engine against PyTorch in float64, and what the page relies on."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
import math
import random
import re
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import ROOT, net_by_hand
from make_playground_data import packed
from torch.overrides import TorchFunctionMode

from resnet_lib import ModelConfig, build_model, complexity
from resnet_lib.analysis import main_path
from resnet_lib.batches import Normaliser
from resnet_lib.configs import SHORTCUTS
from resnet_lib.data import image_set
from resnet_lib.playground import IMAGES

OUTCOMES = ROOT / "web" / "playground" / "outcomes.json"
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
        splits[split] = (
            torch.from_numpy(images.copy()),
            torch.from_numpy(rest[at : at + header[split]].astype(np.int64)),
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


def config_of(net: dict, channels: int = 1) -> ModelConfig:
    """The library's configuration of the same choices."""
    return ModelConfig(
        net["depth"],
        shortcut=net["shortcut"],
        width=net["widths"][0],
        in_channels=channels,
        stem_stride=2,
        batch_norm=net["batchNorm"],
        init=net["init"],
        order=net["order"],
    )


def oracle(net: dict, channels: int = 1) -> torch.nn.Module:
    """The library's net of the same choices, in float64."""
    return build_model(config_of(net, channels), seed=0).double()


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


# Losses of the first and the twentieth step of NET under TRAIN.
PINNED = (2.72445583976403, 1.1304590130612573)

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
    requests = [drawn(number) for number in range(16)]
    close = [
        request["net"]["depth"]
        for request, answer in zip(requests, engine(*requests), strict=True)
        if compare(request, answer, inputs)
    ]
    assert len(close) >= 0.8 * len(requests)
    assert max(close) == 56


@needs_node
def test_other_images_and_irregular_widths_agree_with_pytorch(tmp_path):
    cases = [
        ((7, 1), [8, 16, 32], "A", 16),
        ((16, 3), [5, 7, 11], "A", 6),
        ((9, 2), [12, 9, 9], "B", 7),
        ((14, 5), [6, 6, 6], "C", 3),
        ((8, 1), [4, 4, 20], "none", 33),
    ]
    paths = [image_file(tmp_path, *images) for images, *_ in cases]
    requests = [
        {
            "net": {"depth": 14, "widths": widths, "shortcut": shortcut},
            "train": {"batchSize": batch},
            "images": path,
        }
        for (_, widths, shortcut, batch), path in zip(cases, paths, strict=True)
    ]
    for request, path, answer in zip(requests, paths, engine(*requests), strict=True):
        x, y = Inputs(path).batch("train", answer["batches"][0])
        values = tensors(answer, "before")
        for name, value in values.items():
            value.requires_grad_("running" not in name)
        shape = {"depth": 14, "stem_stride": 2, "shortcut": request["net"]["shortcut"]}
        net = SimpleNamespace(config=SimpleNamespace(**shape))
        loss = F.cross_entropy(net_by_hand(net, values, x, training=True)[0], y)
        loss.backward()
        assert answer["rows"][0]["loss"] == pytest.approx(loss.item(), rel=1e-5)
        for name, gradient in tensors(answer, "after", "gradient").items():
            torch.testing.assert_close(gradient, values[name].grad, rtol=1e-3, atol=1e-5)


@needs_node
def test_training_follows_pytorchs_sgd_and_the_schedule():
    choices = {"learningRate": 0.05, "warmup": 2, "milestones": [4, 6], "weightDecay": 0.01}
    rates = [0.005, 0.005, 0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005]
    first, last = engine(
        {"train": {**choices, "batchSize": 16}},
        {"train": {**choices, "batchSize": 16}, "steps": len(rates), "evaluate": True},
    )
    net, inputs = oracle(NET), Inputs(IMAGES)
    net.load_state_dict(tensors(first, "before"), strict=False)
    optimiser = torch.optim.SGD(net.parameters(), lr=1, momentum=0.9, weight_decay=0.01)
    for rate, row, batch in zip(rates, last["rows"], last["batches"], strict=True):
        x, y = inputs.batch("train", batch)
        optimiser.param_groups[0]["lr"] = rate
        loss = F.cross_entropy(net.train()(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert row["loss"] == pytest.approx(loss.item(), rel=1e-3)
    state, after = net.state_dict(), tensors(last, "after")
    for name, value in after.items():
        assert (value - state[name]).norm() <= 1e-3 * state[name].norm() + 1e-5, name
    net.load_state_dict(after, strict=False)
    for split, found in last["evaluated"].items():
        x, y = inputs.batch(split, slice(None))
        with torch.no_grad():
            logits = net.eval()(x)
        assert found["loss"] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-5)
        assert found["error"] == (logits.argmax(1) != y).double().mean().item()


@needs_node
def test_the_same_choices_give_the_same_numbers_to_the_last_bit():
    request = {"steps": 20, "evaluate": True}
    once, again = engine(request), engine(request)
    assert once == again
    losses = [row["loss"] for row in once[0]["rows"]]
    # Whoever changes the kernels' arithmetic moves these, and all that the lessons recorded.
    assert (losses[0], losses[-1]) == PINNED


@needs_node
def test_twins_start_alike():
    nets = [{**block, "seed": seed} for seed in (0, 1) for block in BLOCKS]
    starts = {0: [], 1: []}
    for net, answer in zip(nets, engine(*({"net": net} for net in nets)), strict=True):
        values = tensors(answer, "before")
        starts[net["seed"]].append(
            {name.replace("residual.", ""): x for name, x in values.items() if x.ndim > 1}
        )
    for twins in starts.values():
        assert any("shortcut" in name for weights in twins for name in weights)
        for weights in twins:
            for name in weights.keys() & twins[0].keys():
                assert torch.equal(weights[name], twins[0][name]), name
    assert not torch.equal(starts[0][0]["conv1.weight"], starts[1][0]["conv1.weight"])


@needs_node
def test_twins_see_the_same_batches_and_every_image_once_an_epoch():
    request = {"train": {"batchSize": 300}, "steps": 13, "tensors": False}
    plain, projected, other = (
        answer["batches"]
        for answer in engine(
            {**request, "net": {"shortcut": "none"}},
            {**request, "net": {"shortcut": "C", "order": "preactivation", "batchNorm": False}},
            {**request, "net": {"seed": 1}},
        )
    )
    assert plain == projected
    assert plain[0] != other[0]
    first, second = (list(itertools.chain(*plain[start : start + 6])) for start in (0, 6))
    assert len(set(first)) == len(set(second)) == 1800
    assert first != second
    assert set(first) != set(second)


@needs_node
def test_initial_weights_have_the_deviation_that_was_asked_for():
    deviations = {
        "he": lambda fan_in, fan_out: math.sqrt(2 / fan_in),
        "xavier": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
        "small": lambda fan_in, fan_out: 0.01,
    }
    answers = engine(*({"net": {"init": init, "shortcut": "B"}} for init in deviations))
    for answer, deviation in zip(answers, deviations.values(), strict=True):
        for name, value in tensors(answer, "before").items():
            if value.ndim == 1:
                assert (
                    value == float(name.endswith(("bn1.weight", "bn2.weight", "bn.weight", "var")))
                ).all()
                continue
            taps = value[0, 0].numel() if value.ndim == 4 else 1
            expected = deviation(taps * value.shape[1], taps * value.shape[0])
            assert value.std().item() == pytest.approx(expected, rel=3 / math.sqrt(value.numel()))
            assert abs(value.mean().item()) < 4 * expected / math.sqrt(value.numel())


@needs_node
def test_counts_are_those_of_the_library():
    nets = [{**block, "depth": depth} for block in BLOCKS for depth in (8, 26)]
    for net, answer in zip(
        nets, engine(*({"net": net, "tensors": False} for net in nets)), strict=True
    ):
        counted = complexity(config_of({**NET, **net}), 14)
        assert answer["parameters"] == counted.parameters
        assert answer["multiply_adds"] == counted.multiply_adds


@needs_node
def test_a_net_that_diverges_says_so():
    healthy, lost = engine(
        {"steps": 3},
        {"net": {"depth": 56, "batchNorm": False}, "train": {"learningRate": 1}, "steps": 8},
    )
    assert not healthy["diverged"]
    assert lost["diverged"]


@needs_node
def test_memory_serves_one_trainer_after_another():
    depths = [8, 20, 56] * 4
    held = [
        answer["bytes"]
        for answer in engine(*({"net": {"depth": d}, "tensors": False} for d in depths))
    ]
    assert held[2:] == [held[2]] * (len(held) - 2)
    assert held[2] < 20e6


@needs_node
@pytest.mark.parametrize(
    ("net", "train", "words"),
    [
        ({"depth": 21}, {}, "6n\\+2: the nearest valid depths are 20 and 26"),
        ({"depth": 2}, {}, "at least 8"),
        ({"shortcut": "D"}, {}, "one of none, A, B, C"),
        ({"order": "other"}, {}, "one of original, preactivation"),
        ({"init": "zero"}, {}, "one of he, xavier, small"),
        ({"widths": [8, 16]}, {}, "must be three"),
        ({"widths": [8, 4, 4]}, {}, "must not shrink"),
        ({"widths": [8, 0.5, 4]}, {}, "whole number of at least 1"),
        ({"seed": -1}, {}, "from 0 to 4294967295"),
        ({}, {"batchSize": 1}, "from 2 to 2000"),
        ({}, {"batchSize": 2001}, "from 2 to 2000"),
        ({}, {"warmup": -1}, "warm-up is -1"),
        ({}, {"milestones": [0]}, "milestone is 0"),
        ({}, {"learningRate": -0.1}, "at least 0"),
        ({}, {"momentum": None}, "momentum is null"),
    ],
)
def test_impossible_choices_are_refused_in_a_sentence(net, train, words):
    (answer,) = engine({"net": net, "train": train})
    assert re.search(words, answer["refused"])
    assert answer["refused"].endswith(".")


def test_the_images_are_those_of_the_embedded_set():
    data = IMAGES.read_bytes()
    assert len(data) <= 350_000
    assert gzip.decompress(data) == packed()
    for images, labels in read_images(IMAGES).values():
        assert images.shape[1:] == (1, 14, 14)
        assert len(set(torch.bincount(labels).tolist())) == 1


@needs_node
def test_a_lesson_measured_again_gives_the_same_numbers():
    outcomes = json.loads(OUTCOMES.read_text())
    lesson = outcomes["presets"]["plain-8-20"]
    requests = [
        {
            "net": {**outcome["net"], "seed": 1},
            "train": outcome["train"],
            "steps": outcome["train"]["steps"],
            "evaluate": True,
            "tensors": False,
        }
        for outcome in lesson
    ]
    for outcome, answer in zip(lesson, engine(*requests), strict=True):
        place = outcome["seeds"].index(1)
        last = [row["loss"] for row in answer["rows"][-outcomes["window"] :]]
        assert outcome["loss"]["values"][place] == pytest.approx(sum(last) / len(last), rel=1e-12)
        for split in ("train", "test"):
            again = 100 * answer["evaluated"][split]["error"]
            assert outcome[f"{split}_error"]["values"][place] == pytest.approx(again, rel=1e-12)


@needs_node
def test_every_arm_of_every_lesson_was_measured():
    listed = json.loads(
        subprocess.check_output([NODE, "measure.mjs", "--list"], cwd=OUTCOMES.parent, text=True)
    )
    outcomes = [
        each for arms in json.loads(OUTCOMES.read_text())["presets"].values() for each in arms
    ]
    for arm in listed:
        assert any(arm["net"] == each["net"] and arm["train"] == each["train"] for each in outcomes)
    for outcome in outcomes:
        assert outcome["seeds"] == list(range(10))
        for what in ("loss", "train_error", "test_error"):
            values = [value for value in outcome[what]["values"] if value is not None]
            assert len(values) == len(outcome["seeds"]) - outcome["diverged"]
            if values:
                found = [outcome[what][name] for name in ("low", "mean", "high")]
                expected = [min(values), sum(values) / len(values), max(values)]
                assert found == pytest.approx(expected)
