"""Checks of chapter 7: testing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from resnet_lib.exercises import exercise, is_number, near
from resnet_lib.testing import standard_error


def has(crops: Tensor, wanted: Tensor) -> bool:
    """Whether one of the crops is the wanted one."""
    return any(torch.equal(crop.double(), wanted.double()) for crop in crops)


@exercise("07-ten")
def ten(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of an image and a size."
    image, size = torch.arange(2 * 8 * 10).reshape(2, 8, 10), 4
    given = answer(image.clone(), size)
    if isinstance(given, (list, tuple)) and all(isinstance(each, Tensor) for each in given):
        return "Put the crops into one tensor: torch.stack."
    if not isinstance(given, Tensor) or given.ndim != 4:
        return "The function must return one tensor of four dimensions: crop, channel, row, column."
    if given.shape[1:] != (2, size, size):
        return "Each crop has all channels, and `size` rows and columns."
    corners = [image[:, y : y + size, x : x + size] for y in (0, 4) for x in (0, 6)]
    centre = image[:, 2:6, 3:7]
    upright = [*corners, centre]
    mirrored = [crop.flip(-1) for crop in upright]
    if not all(has(given, crop) for crop in corners):
        return "Four crops lie in the corners of the image, and touch its edges."
    if not has(given, centre):
        return (
            "One crop lies in the centre: as much room on its left as on its right, and so above."
        )
    if len(given) == 5:
        return "Those are the five crops as they are: each is also seen in a mirror."
    if any(has(given, crop.flip(-2)) or has(given, crop.flip(-2, -1)) for crop in upright):
        return "A mirror image has left and right exchanged, not top and bottom."
    if not all(has(given, crop) for crop in mirrored):
        return "Each of the five crops has a mirror image among the ten."
    if len(given) != 10:
        return "Each crop comes once: how many have you?"
    return None


# What a net puts out for three views of an image with three classes, chosen so that the known
# mistakes give other classes.
CASES = (
    ((2.0, 0.0, 0.0), (0.0, 30.0, 0.0), (2.0, 0.0, 0.0)),
    ((0.0, 0.5, 0.0), (5.0, 0.0, 0.0), (0.0, 0.5, 0.0)),
    ((4.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 3.0, 0.0)),
    ((9.0, 8.0, 8.0), (0.0, 0.3, 0.0), (0.0, 0.3, 0.0)),
)


@exercise("07-average")
def average(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of a list of tensors."
    cases = [[torch.tensor(view) for view in case] for case in CASES]
    given = [answer([view.clone() for view in case]) for case in cases]
    if any(isinstance(each, Tensor) and each.numel() > 1 for each in given):
        return "Those are scores: which class has the highest?"
    if not all(is_number(each) for each in given):
        return "The function must return the number of a class."
    found = [float(each) for each in given]

    def classes(score: Any) -> list[float]:
        return [float(score(torch.stack(case)).argmax()) for case in cases]

    if found == classes(lambda x: x.softmax(1).mean(0)):
        return None
    known = (
        (classes(lambda x: x.mean(0)), "Averaged are the scores after the softmax, not before it."),
        (
            classes(lambda x: torch.nn.functional.one_hot(x.argmax(1), 3).sum(0)),
            "That is a vote: a view that is all but certain counts for as much as one in doubt.",
        ),
        (
            classes(lambda x: x.softmax(1).amax(0)),
            "That asks the view that is surest, alone: all views count.",
        ),
        (classes(lambda x: x[0]), "That is the first view only."),
        (
            classes(lambda x: x.sigmoid().mean(0)),
            "A sigmoid looks at one class at a time: the classes share one softmax.",
        ),
    )
    for wrong, hint in known:
        if found == wrong:
            return hint
    return "Softmax of each view, the mean of these, then the class with the highest."


@exercise("07-dense")
def dense(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of features, weight and bias."
    draw = torch.Generator().manual_seed(0)
    features = torch.rand(2, 3, 4, 5, generator=draw)
    weight, bias = torch.randn(6, 3, generator=draw), torch.randn(6, generator=draw)
    given = answer(features.clone(), weight.clone(), bias.clone())
    linear = torch.einsum("kc,nchw->nkhw", weight, features)
    right = linear + bias[:, None, None]
    if near(given, right):
        return None
    if not isinstance(given, Tensor):
        return "The function must return a tensor."
    if given.shape == (2, 6):
        return "Those are the scores of the whole image: here each position keeps its own."
    if near(given, linear):
        return "fc has a bias, which each position gets."
    if near(given, right / 20) or near(given, linear / 20 + bias[:, None, None]):
        return "Nothing is divided: the mean over positions comes later."
    if near(given, right.softmax(1)):
        return "fc's own output is asked for, before the softmax."
    if near(given, right.movedim(1, -1)):
        return "Channels come second: put the classes there."
    if given.shape != right.shape:
        return "One map for each class, as large as the features' maps."
    return "At each position: the weight times the channels there, plus the bias."


@exercise("07-noise")
def noise(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of an error in percent and a number of images."
    cases = ((20.0, 400), (7.0, 10_000))
    given = [answer(*case) for case in cases]
    if any(isinstance(each, complex) or each != each for each in given):
        return "Is the error a share, between 0 and 1, when its root is taken?"
    if not all(is_number(each) for each in given):
        return "The function must return one number."

    def same(rule: Any) -> bool:
        """Whether the answer follows a rule, of the share of errors and the images."""
        wanted = [rule(error / 100, images) for error, images in cases]
        return all(abs(float(a) - b) < 1e-3 * abs(b) for a, b in zip(given, wanted, strict=True))

    if same(lambda p, n: standard_error(100 * p, n)):
        return None
    if same(lambda p, n: (p * (1 - p) / n) ** 0.5):
        return "Right as a share: the answer is wanted in percent, as the error is."
    if same(lambda p, n: 100 * p * (1 - p) / n) or same(lambda p, n: p * (1 - p) / n):
        return "That is a variance: its square root is asked for."
    if same(lambda p, n: 100 * (p * (1 - p)) ** 0.5):
        return "That is the spread of a single image's answer: of many images' mean it is less."
    if same(lambda p, n: 100 * (p * (1 - p)) ** 0.5 / n):
        return "The mean of four times as many images strays half as much, not a quarter."
    if same(lambda p, n: 100 * (p * (1 - p) * n) ** 0.5):
        return "More images make it smaller."
    if same(lambda p, n: 100 * (p / n) ** 0.5):
        return "At an error of 100% nothing would be left to chance: where is the share of hits?"
    return (
        "Each image is a hit or a miss: what is the variance of that, and of a mean of n of them?"
    )
