"""Which source code decides a run's numbers, and its hash.

Two parts enter the hash. First the definitions marked with `@decides_numbers` (initialisation,
data order, augmentation, training step, schedule, evaluation), without their comments, docstrings
and layout. Second the net as it was built: its layers with their shapes and settings, and the
`forward` of each of its classes. So prose may change, and a new block, shortcut or model moves
the hash of no run that does not use it; nor does code marked `@alternative`, which only some
runs ask for.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

T = TypeVar("T", bound=Callable[..., Any])

DECIDING: list[str] = []
# Settings that all nets of the papers share: they enter the hash of a net that has others.
USUAL = {
    "dilation": (1, (1, 1)),
    "negative_slope": (0.01,),
    "padding_mode": ("zeros",),
    "alpha": (1.0,),
}


def decides_numbers(definition: T) -> T:
    """Mark a function or class whose source stands in every run's numerics hash.

    The source is read now, while the file is still the one that runs: a long training process
    must not describe code that was edited after it started.
    """
    DECIDING.append(arithmetic(definition))
    return definition


def layer(definition: T) -> T:
    """Mark a class of blocks or shortcuts: its `forward` counts in the nets that use it."""
    definition.arithmetic = arithmetic(definition.forward)
    return definition


def alternative(definition: T) -> T:
    """Mark a function or class that decides the numbers of those runs only that ask for it."""
    definition.arithmetic = arithmetic(definition)
    return definition


def skeleton(node: object) -> object:
    """A syntax tree as nested lists, the same in every Python version, without docstrings."""
    if isinstance(node, ast.AST):
        fields = []
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(value, list):
                value = [each for each in value if not is_docstring(each)]
            if name in ("type_comment", "kind", "type_params", "returns", "annotation"):
                continue
            if value not in (None, []):
                fields.append([name, skeleton(value)])
        return [type(node).__name__, fields]
    if isinstance(node, list):
        return [skeleton(each) for each in node]
    return repr(node)


def is_docstring(node: ast.AST) -> bool:
    """Whether a statement is a bare string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def arithmetic(definition: Callable[..., Any]) -> str:
    """The source of a function or class without what cannot change a number."""
    return repr(skeleton(ast.parse(textwrap.dedent(inspect.getsource(definition)))))


def anatomy(net: nn.Module) -> list[tuple]:
    """The layers of a net: name, class, shapes of the parameters, and the settings that matter."""
    settings = ("kernel_size", "stride", "padding", "groups", "eps", "momentum", "p", "extra")
    return [
        (
            name,
            type(module).__name__,
            [(key, tuple(value.shape)) for key, value in module.named_parameters(recurse=False)],
            [(key, str(getattr(module, key))) for key in settings if hasattr(module, key)]
            + [
                (key, str(value))
                for key, usual in USUAL.items()
                if (value := getattr(module, key, usual[0])) not in usual
            ],
        )
        for name, module in net.named_modules()
    ]


def numerics_hash(net: nn.Module, *alternatives: Callable[..., Any]) -> str:
    """Twelve hexadecimal digits for all that decides the numbers of a run of `net`, but its values.

    alternatives: marked definitions that this run uses instead of the usual ones.
    Configuration, seed and data are not in it: they stand in the record beside it.
    """
    layers = {module.arithmetic for module in net.modules() if hasattr(type(module), "arithmetic")}
    layers |= {module.draw.arithmetic for module in net.modules() if hasattr(module, "draw")}
    layers |= {each.arithmetic for each in alternatives}
    described = [sorted(DECIDING), sorted(layers), anatomy(net)]
    return hashlib.sha256(repr(described).encode()).hexdigest()[:12]


@decides_numbers
def random_stream(purpose: str, *numbers: int) -> torch.Generator:
    """A generator of its own for each purpose and numbers, on the CPU.

    torch's CPU generator takes 32 bits of a seed, so nearby or large seeds must be mixed first.
    """
    digest = hashlib.sha256(f"{purpose} {numbers}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
