"""The explorers in a notebook: one line each.

from resnet_lib import explore
explore.runs()

Each returns a widget, made with anywidget (Colab and this book's environment have it). Its `state`
is what its controls say, as in the address of a page: `explore.runs(step="free", nets="plain20")`.
"""

from __future__ import annotations

import html
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from resnet_lib import widgets

if TYPE_CHECKING:
    import anywidget


@cache
def widget_class() -> type[anywidget.AnyWidget]:
    """The one widget that shows every explorer. Errors: `ImportError` that says what to install."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise ImportError(
            "explorers need the package anywidget: install it with `pip install anywidget` and "
            "restart the kernel."
        ) from None

    class Explorer(anywidget.AnyWidget):
        _esm = widgets.BUNDLE.read_text(encoding="utf-8")
        explorer = traitlets.Unicode().tag(sync=True)
        data = traitlets.Dict().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        language = traitlets.Unicode("en").tag(sync=True)

        def __repr__(self) -> str:
            return f"explore.{self.explorer}"

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            """Beside the widget its plain view, for pages and viewers without a kernel."""
            bundle = super()._repr_mimebundle_(**kwargs)
            views = bundle[0] if isinstance(bundle, tuple) else bundle
            views["text/html"] = page_view(self)
            return bundle

    return Explorer


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

    own_data: the data are not what the module's `data()` gives without arguments.
    """
    widget = widget_class()(explorer=name, data=data, state=state)
    widget.own_data = own_data
    return widget


def runs(records: Any = None, **state: Any) -> anywidget.AnyWidget:
    """What does depth do to a plain net, and to a residual one? The recorded runs.

    records: run records of your own instead of the project's archive.
    """
    from resnet_lib.widgets import runs

    return show("runs", runs.data(records), own_data=records is not None, **state)


def architecture(model: Any = "resnet50", **changes: Any) -> anywidget.AnyWidget:
    """Where do a net's layers, parameters and multiply-adds sit?

    model, changes: a name or a `ModelConfig`, with fields changed, as for `build_model`.
    """
    from resnet_lib.models import model_config
    from resnet_lib.widgets import architecture

    return show(
        "architecture", architecture.data(), **architecture.state(model_config(model, **changes))
    )


def identity(**state: Any) -> anywidget.AnyWidget:
    """What must be learned to copy the input? One picture through 1 to 27 blocks."""
    from resnet_lib.widgets import identity

    return show("identity", identity.data(), **state)


def deletion(folder: Any = None, **state: Any) -> anywidget.AnyWidget:
    """Does every block matter? Recorded nets without some of their blocks.

    folder: of runs of your own instead of the project's archive; `python -m resnet_lib deletions`
    measures them.
    """
    from resnet_lib.runs import ARCHIVE
    from resnet_lib.widgets import deletion

    data = deletion.data(folder or ARCHIVE)
    return show("deletion", data, own_data=folder is not None, **state)


def shortcut(**state: Any) -> anywidget.AnyWidget:
    """What passes through a shortcut when the dimensions change? Maps of recorded nets."""
    from resnet_lib.widgets import shortcut

    return show("shortcut", shortcut.data(), **state)


def crops(
    net: Any = None, classes: Any = (), truth: str = "", *, size: int = 224, **state: Any
) -> anywidget.AnyWidget:
    """How far does an average over crops move a net's answer? Ten crops at several scales.

    net: one of your own on ImageNet's scale instead of the recorded nets, such as torchvision's
    resnet18, with the names of its `classes` and the right one, `truth`.
    """
    from resnet_lib.widgets import crops

    data = crops.data() if net is None else crops.of_net(net, classes, truth, size=size)
    return show("crops", data, own_data=net is not None, **state)


def signals(records: Any = None, **state: Any) -> anywidget.AnyWidget:
    """How strongly does each layer respond, and how much gradient reaches it, through training?

    records: run records of your own, made with `train(probe=...)`, instead of the archive.
    """
    from resnet_lib.widgets import signals

    return show("signals", signals.data(records), own_data=records is not None, **state)


def train(folder: Any = None) -> Any:
    """Train a net yourself: controls, a live curve, and the runs of this session.

    folder: where the runs are kept, so that they survive the kernel. Of what this returns, keep
    `session`: `panel = explore.train()`, later `panel.session.compare()`, `.plot()`, `.save(...)`.
    """
    from resnet_lib.widgets import train

    widget_class()  # before anything is built: anywidget may be missing
    return train.panel(train.Session(folder))


def playground(state: str = "") -> anywidget.AnyWidget:
    """Plain and residual nets that train in the browser, side by side; the kernel does nothing.

    state: what to begin with, as behind the "?" in the address of the book's playground:
    `explore.playground("lesson=rescue-plain-56")`, `explore.playground("choose=resnet56B")`. The
    widget's `state` follows what is done in it.
    """
    from resnet_lib import playground

    return playground.widget_class()(images=playground.IMAGES.read_bytes(), state=state)
