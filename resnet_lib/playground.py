"""The Residual Playground as a widget, and what the book says of its nets.

The playground itself is web/playground/, built into widgets/playground.js;
`resnet_lib.explore.playground()` shows it in a notebook.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import TYPE_CHECKING, Any

import pandas as pd

from resnet_lib import widgets

if TYPE_CHECKING:
    import anywidget

FOLDER = Path(widgets.__file__).parent
MODULE = FOLDER / "playground.js"
IMAGES = FOLDER / "playground-data.gz"
CURVES = FOLDER / "playground-curves.json"
OUTCOMES = FOLDER / "playground-outcomes.json"
NAMES = {"plain": "plain", "residual": "ResNet"}


@cache
def widget_class() -> type[anywidget.AnyWidget]:
    """The widget's class. Errors: `ImportError` that says what to install."""
    anywidget, traitlets = widgets.import_anywidget()

    class Playground(anywidget.AnyWidget):
        _esm = MODULE.read_text(encoding="utf-8")
        images = traitlets.Bytes().tag(sync=True)
        state = traitlets.Unicode().tag(sync=True)

    return widgets.with_plain_view(Playground, lambda _playground: plain_view())


def recorded(*depths: int) -> pd.DataFrame:
    """Recorded runs of the playground's engine: training loss, a mean over some batches a row.

    depths: those wanted, by default all. Columns model, kind, depth, seed, split, iteration, loss;
    recorded by ci/record_playground.mjs.
    """
    file = json.loads(CURVES.read_text(encoding="utf-8"))
    rows = [
        {
            "model": f"{NAMES[net['kind']]}-{net['depth']}",
            "kind": net["kind"],
            "depth": net["depth"],
            "seed": run["seed"],
            "split": "train",
            "iteration": (number + 1) * file["every"],
            "loss": loss,
        }
        for net in file["nets"]
        for run in net["runs"]
        for number, loss in enumerate(run["loss"])
        if not depths or net["depth"] in depths
    ]
    return pd.DataFrame(rows)


def measured(address: str) -> float:
    """A mean over seeds that a page may quote. Errors: `LookupError` that lists what there is.

    "plain-20 train_error" is of the recorded nets: train_error, test_error in percent,
    gradient_start and gradient_end, the geometric mean of the activation gradient at the first
    convolution over that at the last. "options/option C train_error" is of a net of a question:
    loss, train_error, test_error, or diverged, how many of its seeds did.
    """
    name, _, quantity = address.rpartition(" ")
    lesson, _, arm = name.rpartition("/")
    if lesson:
        nets = json.loads(OUTCOMES.read_text(encoding="utf-8"))["presets"].get(lesson, [])
        found = {each["name"]: each for each in nets}
    else:
        nets = json.loads(CURVES.read_text(encoding="utf-8"))["nets"]
        found = {f"{NAMES[net['kind']]}-{net['depth']}": net["runs"] for net in nets}
    if arm not in found:
        raise LookupError(f"there is no net {arm!r}; there are: {', '.join(found) or 'none'}")
    if lesson:
        value = found[arm].get(quantity)
        value = value["mean"] if isinstance(value, dict) else value
    else:
        values = [run.get(quantity) for run in found[arm]]
        average = geometric_mean if quantity.startswith("gradient") else fmean
        value = None if None in values or quantity == "loss" else average(values)
    if value is None:
        raise LookupError(f"{arm} has no {quantity!r}")
    return value


def confirmations() -> pd.DataFrame:
    """What PyTorch made of the questions' nets, one row a net; see ci/confirm_presets.py.

    Columns lesson (the first that has the net), net (with its variant); engine and pytorch, each
    a list of the training losses of its seeds (None: diverged), pytorch empty where it was not
    asked; confirmed.
    """
    rows: dict[str, dict[str, Any]] = {}
    for lesson, arms in json.loads(OUTCOMES.read_text(encoding="utf-8"))["presets"].items():
        for each in arms:
            told = each.get("pytorch", {})
            kind = "plain" if each["net"]["shortcut"] == "none" else "residual"
            net = f"{NAMES[kind]}-{each['net']['depth']}"
            code = net.replace("-", "").lower()
            variant = each["name"].removeprefix(code).removeprefix(", ")
            row = {
                "lesson": lesson,
                "net": ", ".join(filter(None, (net, variant))),
                "engine": each["loss"]["values"],
                "pytorch": told.get("loss", []),
                "confirmed": told.get("confirmed", False),
            }
            rows.setdefault(json.dumps([each["net"], each["train"]]), row)
    return pd.DataFrame(rows.values())


def lessons() -> list[str]:
    """The names of the playground's questions."""
    return list(json.loads(OUTCOMES.read_text(encoding="utf-8"))["presets"])


def plain_view() -> str:
    """The recorded runs as HTML: a figure that follows the page's colours, and its sentence."""
    from resnet_lib import figures

    frame = recorded(20, 56)
    (figure,), (ax,) = figures.panels()
    figures.plot_curves(frame, ax, column="loss", splits=("train",))
    ax.set_ylabel("training loss")
    return widgets.as_html("playground", [figure], summary(frame))


def summary(frame: pd.DataFrame) -> str:
    """Where the recorded runs end, in a sentence."""
    last, window = frame["iteration"].max(), frame["iteration"].min()
    ends = frame[frame["iteration"] == last].groupby(["depth", "kind", "model"])["loss"].mean()
    each = ", ".join(f"{model} {loss:.2f}" for (_, _, model), loss in ends.items())
    return (
        f"Recorded runs of the playground: training loss after {last} iterations, means over the "
        f"last {window} batches and {frame['seed'].nunique()} seeds: {each}."
    )
