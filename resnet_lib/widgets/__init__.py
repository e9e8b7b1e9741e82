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
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from resnet_lib.configs import unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    module = explorer(name)
    return as_html(name, module.figures(data), module.sentence(data))


def as_html(name: str, figures: list[Figure], sentence: str) -> str:
    """Figures that follow the page's colours, and a sentence; the figures are closed."""
    import matplotlib.pyplot as plt

    from resnet_lib.outputs import STYLE, inline_svg

    drawings = "".join(inline_svg(each, f"{name} {i}") for i, each in enumerate(figures))
    for each in figures:
        plt.close(each)
    picture = f'<div class="rn-figure" aria-hidden="true"><style>{STYLE}</style>{drawings}</div>'
    return f"{picture}<p>{html.escape(sentence)}</p>"


def import_anywidget() -> tuple[ModuleType, ModuleType]:
    """The packages anywidget and traitlets. Errors: `ImportError` that says what to install."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise ImportError(
            "explorers and playground need the package anywidget: install it with `pip install "
            "anywidget` and restart the kernel."
        ) from None
    return anywidget, traitlets


def with_plain_view(kind: type, view: Callable[[Any], str]) -> type:
    """A widget's class that carries a plain view, for pages and viewers without a kernel."""

    class Viewed(kind):
        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            bundle = super()._repr_mimebundle_(**kwargs)
            views = bundle[0] if isinstance(bundle, tuple) else bundle
            views["text/html"] = view(self)
            return bundle

    Viewed.__name__ = kind.__name__
    return Viewed
