"""The explorers in a notebook: one line each.

from resnet_lib import explore
explore.runs()

Each is the function `explore` of its module in `resnet_lib.widgets`, and returns a widget, made
with anywidget (Colab and this book's environment have it). Its `state` is what its controls say, as
in the address of a page: `explore.runs(step="free", nets="plain20")`.
"""

from __future__ import annotations

import html
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from resnet_lib import widgets
from resnet_lib.configs import ConfigError, without_numpy

if TYPE_CHECKING:
    import anywidget


@cache
def widget_class() -> type[anywidget.AnyWidget]:
    """The one widget that shows every explorer. Errors: `ImportError` that says what to install."""
    anywidget, traitlets = widgets.import_anywidget()

    class Explorer(anywidget.AnyWidget):
        _esm = widgets.BUNDLE.read_text(encoding="utf-8")
        explorer = traitlets.Unicode().tag(sync=True)
        data = traitlets.Dict().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        language = traitlets.Unicode("en").tag(sync=True)

        def __repr__(self) -> str:
            return f"explore.{self.explorer}"

    return widgets.with_plain_view(Explorer, page_view)


__all__ = [*widgets.names(), "playground"]


def __getattr__(name: str) -> Any:
    """An explorer by its name. Errors: `AttributeError` that lists all explorers."""
    if name in widgets.names():
        return widgets.explorer(name).explore
    raise AttributeError(
        f"there is no explorer {name}; there are {', '.join(widgets.names())} and playground."
    )


def __dir__() -> list[str]:
    return sorted(__all__)


def page_view(widget: Any) -> str:
    """What a page of the book shows of a widget: the explorer in its state, or its plain view.

    The page has the archive's data; a widget with data of its own stays a plain figure there.
    """
    plain = widgets.plain_view(widget.explorer, widget.data)
    if getattr(widget, "own_data", False):
        return plain
    state = html.escape(
        urlencode(
            {k: int(v) if isinstance(v, bool) else v for k, v in widget.state.items()}, safe=","
        )
    )
    return (
        f'<div class="explorer" data-explorer="{widget.explorer}" data-state="{state}" '
        f'data-language="{widget.language}">{plain}</div>'
    )


def show(
    name: str, data: dict[str, Any], *, own_data: bool = False, **state: Any
) -> anywidget.AnyWidget:
    """An explorer by name, with its data and the values of its controls that are not usual.

    own_data: the data are not what the module's `data()` gives without arguments. A name that no
    control has is told on the widget. Errors: `ConfigError` for a value that no control can have.
    """
    state = {key: without_numpy(value) for key, value in state.items()}
    for key, value in state.items():
        if not isinstance(value, (str, int, float)):
            raise ConfigError(
                f"{key} is {value!r}: a control of explore.{name} is set to a text, a number, True "
                "or False."
            )
    widget = widget_class()(explorer=name, data=data, state=state)
    widget.own_data = own_data
    return widget


def playground(state: str = "") -> anywidget.AnyWidget:
    """Plain and residual nets that train in the browser, side by side; the kernel does nothing.

    state: what to begin with, as behind the "?" in the address of the book's playground:
    `explore.playground("lesson=rescue-plain-56")`, `explore.playground("choose=resnet56B")`. The
    widget's `state` follows what is done in it.
    """
    from resnet_lib import playground

    return playground.widget_class()(images=playground.IMAGES.read_bytes(), state=state)
