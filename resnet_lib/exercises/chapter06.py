"""Checks of chapter 6: training."""

from __future__ import annotations

from typing import Any

from resnet_lib.configs import TrainConfig
from resnet_lib.exercises import exercise, is_number

PAPER = TrainConfig()
# A step whose parts all show: w, v, gradient, lr, momentum, weight decay.
STEP = (2.0, 3.0, 5.0, 0.5, 0.8, 0.25)


def alike(given: tuple[Any, Any], right: tuple[float, float]) -> bool:
    """Whether two pairs of numbers are equal but for rounding."""
    return all(abs(a - b) < 1e-6 for a, b in zip(given, right, strict=True))


@exercise("06-step")
def step(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of w, v, gradient, lr, momentum and decay."
    given = answer(*STEP)
    w, v, gradient, lr, momentum, decay = STEP
    if not isinstance(given, tuple | list) or len(given) != 2:
        return "The function must return two numbers: the new w and the new v."
    if not all(is_number(each) for each in given):
        return "The function must return two numbers: the new w and the new v."

    def taken(kept: float, pull: float, rate: float = lr) -> tuple[float, float]:
        """What momentum `kept` and a gradient `pull` make of w and v."""
        return w - rate * (kept * v + pull), kept * v + pull

    pull = gradient + decay * w
    known = (
        (taken(momentum, gradient), "Where is the weight decay?"),
        (taken(0, pull), "Where is the share of the last step that momentum keeps?"),
        (taken(1, pull), "Momentum keeps a share of v, not all of it."),
        (taken(momentum, (1 - momentum) * pull), "The gradient enters whole: this is no average."),
        (taken(momentum, gradient - decay * w), "Weight decay pulls w towards zero."),
        (taken(momentum, gradient + decay), "Weight decay is in proportion to the weight."),
        ((w - lr * v, momentum * v + pull), "The weight moves by the new v, not by the old one."),
        (
            (w - momentum * v - lr * pull, momentum * v + lr * pull),
            "Some libraries keep lr inside v; here v adds up gradients, and w moves by lr times v.",
        ),
        ((w + lr * (momentum * v + pull), momentum * v + pull), "The step goes downhill."),
        ((w - momentum * v - pull, momentum * v + pull), "How far a step goes is up to lr."),
    )
    if alike(given, taken(momentum, pull)):
        return None
    for wrong, hint in known:
        if alike(given, wrong):
            return hint
    return "First v from the v before, the gradient and the weight; then w from v."


@exercise("06-views")
def views(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number."
    places = 2 * PAPER.pad + 1
    right = 2 * places**2
    if answer == right:
        return None
    hints = {
        places**2: "Each crop also comes mirrored.",
        2 * places: "The crop moves down as well as to the right.",
        2 * (2 * PAPER.pad) ** 2: "From 0 to 8 pixels: how many places are that?",
        2 * (PAPER.pad + 1) ** 2: "There are 4 pixels of padding on each side, so 8 in all.",
        2 * 40**2: "Not every pixel of the padded image can be a crop's corner: 32 must follow it.",
    }
    return hints.get(answer, "Places downwards times places to the right, times mirrored or not.")


@exercise("06-epochs")
def epochs(answer: Any) -> str | None:
    if not is_number(answer):
        return "Answer with one number."
    right = PAPER.iterations * PAPER.batch_size / 50_000
    if abs(answer - right) < 0.5:
        return None
    if answer == right // 1:
        return "Right, but for the part of an epoch that is left."
    if abs(answer - PAPER.iterations / PAPER.batch_size) < 0.5:
        return "That divides by the batch: each iteration sees 128 images."
    if abs(answer - PAPER.iterations * PAPER.batch_size / 60_000) < 0.5:
        return "10,000 of the 60,000 images are for testing."
    if abs(answer - PAPER.iterations * PAPER.batch_size / 45_000) < 0.5:
        return "45,000 were used to choose the schedule; the question is about 50,000."
    return "How many images do all iterations see, and how many are there?"


@exercise("06-warmup")
def warmup(answer: Any) -> str | None:
    if not callable(answer):
        return "Answer with a function of a list of training errors."
    cases = (
        ([90.0, 85.0, 79.0, 70.0], [0.01, 0.01, 0.1, 0.1]),
        ([90.0, 79.0, 81.0, 60.0], [0.01, 0.1, 0.1, 0.1]),
        ([90.0, 80.0, 79.9], [0.01, 0.01, 0.1]),
        ([79.0, 85.0], [0.1, 0.1]),
    )
    found = []
    for errors, _ in cases:
        try:
            rates = [round(float(each), 6) for each in answer(list(errors))]
        except TypeError:
            rates = []
        if len(rates) != len(errors):
            return "The function must return as many learning rates as it gets errors."
        found.append(rates)
    if found == [right for _, right in cases]:
        return None
    first, second, third, fourth = found
    if 0.1 not in first:
        return "Once the error has been below 80%, the rate is 0.1: yours never returns to it."
    if second == [0.01, 0.1, 0.01, 0.1]:
        return "A window above 80% after one below it: the warm-up is over all the same."
    if first == [0.01, 0.01, 0.01, 0.1]:
        return "The rate is that of what follows the window: the third is below 80% already."
    if first == [0.1, 0.1, 0.01, 0.01]:
        return "The other way round: the small rate comes first."
    if third == [0.01, 0.1, 0.1]:
        return "80.0 is not below 80."
    if first[0] != 0.01:
        return "It starts at 0.01."
    if fourth[0] != 0.1:
        return "What if the very first window is below 80%?"
    return "0.01 while no window has been below 80%, 0.1 from the first one on."
