"""Which source code decides a run's numbers, and its hash.

Two parts enter the hash. First the definitions marked with `@decides_numbers` (initialisation,
data order, augmentation, training step, schedule, evaluation), without their comments, docstrings
and layout. Second the net as it was built: its layers with their shapes and settings, and the
`forward` of each of its classes. So prose may change, and a new block, shortcut or model moves
the hash of no run that does not use it.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from torch import nn

T = TypeVar("T", bound=Callable[..., Any])

DECIDING: list[Callable[..., Any]] = []


def decides_numbers(definition: T) -> T:
    """Mark a function or class whose source stands in every run's numerics hash."""
    DECIDING.append(definition)
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


def source_hash(definitions: Iterable[Callable[..., Any]]) -> str:
    """Twelve hexadecimal digits for the source of some functions and classes, in any order."""
    trees = sorted(
        repr(skeleton(ast.parse(textwrap.dedent(inspect.getsource(each))))) for each in definitions
    )
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()[:12]


def anatomy(net: nn.Module) -> list[tuple]:
    """The layers of a net: name, class, shapes of the parameters, and the settings that matter."""
    settings = ("kernel_size", "stride", "padding", "groups", "eps", "momentum", "p", "extra")
    return [
        (
            name,
            type(module).__name__,
            [(key, tuple(value.shape)) for key, value in module.named_parameters(recurse=False)],
            [(key, str(getattr(module, key))) for key in settings if hasattr(module, key)],
        )
        for name, module in net.named_modules()
    ]


def numerics_hash(net: nn.Module) -> str:
    """Twelve hexadecimal digits for all that decides the numbers of a run of `net`, but its values.

    Configuration, seed and data are not in it: they stand in the record beside it.
    """
    own = {type(module) for module in net.modules() if type(module).__module__.startswith("resnet_lib")}
    code = source_hash([*DECIDING, *(each.forward for each in own)])
    return hashlib.sha256(f"{code}{anatomy(net)}".encode()).hexdigest()[:12]
