"""The exercises of the notebooks, and what checks an answer.

    from resnet_lib import exercises
    exercises.check("02-count", answer)

A chapter's checks are in a module of this folder. A check is a function of the answer that returns
nothing where it is right, and otherwise a hint: one sentence on what is wrong, without the answer.
Its name is the label of the exercise in the chapter, where its solution is.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from resnet_lib.configs import unknown_name

Check = Callable[[Any], str | None]

CHECKS: dict[str, Check] = {}


@dataclass(frozen=True)
class Verdict:
    """What a check says: the state "not done yet", "not right yet" or "right", and a hint."""

    state: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.state}. {self.hint}".rstrip()


def exercise(name: str) -> Callable[[Check], Check]:
    """Register the check of an exercise: chapter number and a word, such as "02-count"."""

    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


def judge(name: str, answer: Any) -> Verdict:
    """Check an answer. None is an exercise that is not done; an error in it becomes a hint.

    Errors: `ConfigError` for a name that is no exercise.
    """
    if name not in CHECKS:
        raise unknown_name(name, list(CHECKS), "exercise")
    if answer is None:
        return Verdict("not done yet")
    try:
        hint = CHECKS[name](answer)
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        hint = f"It could not be checked ({type(error).__name__}: {said})."
    return Verdict("not right yet", hint) if hint else Verdict("right")


def check(name: str, answer: Any) -> None:
    """Print what `judge` says."""
    print(f"{name}: {judge(name, answer)}")


def is_number(answer: Any) -> bool:
    """Whether an answer is one number, such as 3 or a tensor with one element."""
    try:
        float(answer)
    except (TypeError, ValueError):
        return False
    return not isinstance(answer, (bool, str))


def near(answer: Any, right: Tensor) -> bool:
    """Whether an answer is a tensor of the right shape and values."""
    same = isinstance(answer, Tensor) and answer.shape == right.shape
    return same and torch.allclose(answer.double(), right.double(), atol=1e-4)


for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
