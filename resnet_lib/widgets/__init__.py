"""The explorers' Python side, and the bundles that run them (built by web/build.mjs).

An explorer NAME is this package's module NAME and web/explorers/NAME.ts, no more. The module has

    explore(...)                     the reader's door, `resnet_lib.explore.NAME`: gives a widget
    data() -> dict                   what the explorer shows, as plain JSON
    figures(data) -> list[Figure]    its default view, for pages where it cannot run
    sentence(data) -> str            the same in words

The book, the tests, `resnet_lib.explore` and `python -m resnet_lib.widgets` list the package, so
none of them needs to know of it.
"""

from __future__ import annotations

import html
import importlib
import json
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from resnet_lib.configs import unknown_name

HERE = Path(__file__).resolve().parent
BUNDLE = HERE / "explorers.js"


def names() -> list[str]:
    """All explorers."""
    return sorted(each.name for each in pkgutil.iter_modules([str(HERE)]) if each.name[0] != "_")


def explorer(name: str) -> ModuleType:
    """An explorer's module. Errors: `ConfigError` that lists the nearest names."""
    if name not in names():
        raise unknown_name(name, names(), "explorer")
    return importlib.import_module(f"{__name__}.{name}")


def as_json(data: dict[str, Any]) -> str:
    """An explorer's data as compact JSON; NaN is refused, since no browser would read it."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plain_view(name: str, data: dict[str, Any]) -> str:
    """The default view as HTML: a figure and a sentence, for where the explorer cannot run."""
    import matplotlib.pyplot as plt

    from resnet_lib.outputs import STYLE, inline_svg

    module = explorer(name)
    words = html.escape(module.sentence(data))
    figures = module.figures(data)
    drawings = "".join(inline_svg(each, f"{name} {i}") for i, each in enumerate(figures))
    for each in figures:
        plt.close(each)
    picture = f'<div class="rn-figure" aria-hidden="true"><style>{STYLE}</style>{drawings}</div>'
    return f"{picture}<p>{words}</p>"
