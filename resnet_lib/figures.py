"""Figures in one style, from tidy frames; no torch.

Plain nets are orange-red and residual nets blue, shallow nets dashed and deep ones solid, training
error thin and test error bold as in the paper; the lines are means over seeds, the bands reach
from the lowest to the highest seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resnet_lib.configs import ConfigError
from resnet_lib.outputs import COLOURS, printed_name
from resnet_lib.runs import check_frame, complete, of_split, one_run_each

RC = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.18,
    "grid.color": "#000000",
    "axes.edgecolor": "#000000",
    "text.color": "#000000",
}
BESIDE = 36  # letters of names that fit beside one another below a panel
DASHES = ("solid", (0, (5, 2)), (0, (3, 1.5, 1, 1.5)), (0, (1, 1.5)))
LABELS = {
    "top1_error": "error, %",
    "loss": "loss",
    "response_std": "response, standard deviation",
    "activation_gradient": "norm of the activation gradient",
    "weight_gradient": "norm of the weight gradient",
    "scaled_weight_gradient": "weight gradient times weight norm",
    "gradient": "norm of the gradient there",
    "mean": "mean of the unit's input",
    "error": "squared error, relative",
    "cosine": "cosine, bfloat16 to float64",
    "output_error": "error of the output, relative",
    "scale": "target: s times the input",
    "side": "shorter side, pixels",
    "number": "number of the deleted block (0: none)",
}


def panels(
    count: int = 1, size: tuple[float, float] | None = None
) -> tuple[list[Figure], list[Axes]]:
    """Figures in the book's style, one for each panel, so that a narrow page can stack them.

    size: of a panel, in inches; two of 3.4 fit into a line of the book.
    """
    size = size or ((4.2, 3.0) if count == 1 else (3.4, 2.9))
    with mpl.rc_context(RC):
        pairs = [plt.subplots(figsize=size, layout="constrained") for _ in range(count)]
    return [figure for figure, _ in pairs], [ax for _, ax in pairs]


def same_scale(axes: Iterable[Axes]) -> None:
    """Give panels one vertical axis, wide enough for all of them."""
    axes = list(axes)
    lows, highs = zip(*(ax.get_ylim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_ylim(min(lows), max(highs))


def legend(ax: Axes) -> None:
    """A legend without a box, which would hide the page's colour; empty axes say so.

    A panel of its own grows by it, below: there it lies on no line.
    """
    figure, (handles, names) = ax.figure, ax.get_legend_handles_labels()
    style = {"fontsize": 8.5, "frameon": False}
    if names and len(figure.axes) == 1 and figure.get_layout_engine() is not None:
        rows = -(-len(names) // 2)
        wide = sum(max(map(len, half), default=0) for half in (names[:rows], names[rows:]))
        columns = 2 if wide < 11 * figure.get_figwidth() else 1  # letters that fit beside handles
        style |= {"loc": "outside lower center", "ncols": columns, "columnspacing": 1.2}
        figure.legend(handles, names, **style)
        figure.set_figheight(figure.get_figheight() + 0.19 * -(-len(names) // columns))
    elif names:
        ax.legend(**style)
    else:
        ax.text(0.5, 0.5, "not recorded yet", ha="center", va="center", transform=ax.transAxes)


def colour(kind: str) -> str:
    """The colour of "plain" or "residual" nets."""
    return COLOURS[kind][0]


def dashes(depth: int, depths: Iterable[int]) -> object:
    """The line style of a depth among those drawn: the deepest is solid."""
    order = sorted(set(depths), reverse=True)
    return DASHES[min(order.index(depth), len(DASHES) - 1)]


def plot_mean(
    ax: Axes, where: Sequence[float], lines: pd.DataFrame, kind: str, **style: object
) -> None:
    """The mean of some lines, one a column, and a band from the lowest to the highest of them."""
    ax.plot(where, lines.mean(axis=1), color=colour(kind), **style)
    low, high = lines.min(axis=1), lines.max(axis=1)
    ax.fill_between(where, low, high, color=colour(kind), alpha=0.14, linewidth=0)


def plot_curves(
    frame: pd.DataFrame,
    ax: Axes,
    column: str = "top1_error",
    splits: str | Iterable[str] = ("train", "test"),
) -> Axes:
    """Curves over iterations: one line a net and split, a band over its seeds.

    frame: rows as from `load_runs`, with model, kind, depth, seed, split, iteration and `column`.
    Errors: `ConfigError` where a net and seed have several runs, and for an unknown split.
    """
    one_run_each(frame)
    check_frame(frame, "model", "kind", "depth", "seed", "split", "iteration", column)
    splits = [splits] if isinstance(splits, str) else list(splits)
    for (kind, depth, model), net in frame.groupby(["kind", "depth", "model"]):
        for split in splits:
            lines = of_split(net, split).pivot_table(
                index="iteration", columns="seed", values=column
            )
            bold = split == "test"
            plot_mean(
                ax,
                lines.index,
                lines,
                kind,
                linestyle=dashes(depth, frame["depth"]),
                linewidth=2.2 if bold else 1.0,
                label=f"{printed_name(model)}, {'test' if bold else 'training'}",
            )
    ax.set_xlabel("iterations")
    ax.set_ylabel(LABELS.get(column, column))
    legend(ax)
    return ax


def plot_layers(frame: pd.DataFrame, ax: Axes, column: str, iteration: int) -> Axes:
    """A quantity per layer at one moment of training, on a logarithmic axis.

    frame: rows as from `RunRecord.probe_frame`. The layer axis is relative, from the first layer
    (0) to the last (1), so that nets of different depth can be compared. Errors: `ConfigError` for
    an iteration at which nothing was measured.
    """
    one_run_each(frame)
    now = frame[frame["iteration"] == iteration]
    if len(frame) and now.empty:
        moments = ", ".join(f"{each:,}" for each in sorted(frame["iteration"].unique()))
        raise ConfigError(f"nothing was measured at iteration {iteration}: it was at {moments}.")
    for (kind, depth, model), net in now.groupby(["kind", "depth", "model"]):
        lines = net.pivot_table(index="layer", columns="seed", values=column)
        where = (lines.index - 1) / max(len(lines) - 1, 1)
        style = {"linestyle": dashes(depth, frame["depth"]), "linewidth": 1.6}
        plot_mean(ax, where, lines, kind, label=printed_name(model), **style)
    ax.set_yscale("log")
    ax.set_xlabel("layer, from first (0) to last (1)")
    ax.set_ylabel(LABELS.get(column, column))
    ax.set_title(f"iteration {iteration:,}", fontsize=10)
    legend(ax)
    return ax


def plot_by(frame: pd.DataFrame, ax: Axes, x: str, y: str) -> Axes:
    """A quantity against another: one line for plain and one for residual, a band over seeds.

    frame: tidy, with columns kind, seed, x and y.
    """
    for kind, rows in frame.groupby("kind"):
        lines = rows.pivot_table(index=x, columns="seed", values=y)
        marker = "o" if len(lines) < 30 else None
        plot_mean(ax, lines.index, lines, kind, marker=marker, ms=4, label=kind)
    ax.set_xlabel(LABELS.get(x, x))
    ax.set_ylabel(LABELS.get(y, y))
    legend(ax)
    return ax


def plot_tables(
    tables: dict[str, pd.DataFrame],
    ax: Axes,
    column: str,
    along: str = "layer",
    colours: Sequence[str] = ("plain",),
) -> Axes:
    """A quantity along several nets, told apart by colour and then by dashes.

    tables: label and table as from `analysis.signals`, `rounding.rounding` or, along "unit",
    `units.unit_signals`; four for each colour at most. colours: keys of COLOURS, "plain" for plain
    nets only. Errors: `ConfigError` for more tables.
    """
    if len(tables) > len(DASHES) * len(colours):
        raise ConfigError(
            f"the tables are {len(tables)} and the colours {len(colours)}: give a colour for every "
            f"{len(DASHES)} tables."
        )
    for number, (label, table) in enumerate(tables.items()):
        dash, shade = divmod(number, len(colours))
        style = {"color": colour(colours[shade]), "linestyle": DASHES[dash]}
        ax.plot(table[along], table[column], label=printed_name(label), **style)
    ax.set_xlabel(along)
    ax.set_ylabel(LABELS.get(column, column))
    legend(ax)
    return ax


def plot_ends(
    frame: pd.DataFrame,
    ax: Axes,
    split: str = "train",
    models: str | Iterable[str] = (),
) -> Axes:
    """The last error of every run: a point a seed, a bar at the mean of each net.

    frame: rows as from `load_runs`. models: nets that have a place, in this order, whether the
    frame has them or not; without it, those of the frame. A run that diverged or was stopped has
    no end. Errors: `ConfigError` for an unknown split.
    """
    models = [models] if isinstance(models, str) else models
    rows = complete(one_run_each(of_split(frame, split))).sort_values("iteration", kind="stable")
    ends = rows.groupby(["model", "kind", "seed"], sort=False)["top1_error"].last().reset_index()
    names = list(dict.fromkeys([*models, *frame["model"]]))
    if frame.empty:
        legend(ax)  # says so
    for (model, kind), net in ends.groupby(["model", "kind"], sort=False):
        place, style = names.index(model), {"color": colour(kind)}
        errors = net["top1_error"]
        ax.plot([place] * len(net), errors, "o", markersize=5, alpha=0.65, **style)
        ax.plot([place - 0.3, place + 0.3], [errors.mean()] * 2, linewidth=2.4, **style)
    labels = [printed_name(name) for name in names]
    turned = {"rotation": 40, "ha": "right"} if len("".join(labels)) > BESIDE else {}
    ax.set_xticks(range(len(names)), labels, fontsize=8.5, **turned)
    ax.set_xlim(-0.6, len(names) - 0.4)
    words = "training" if split == "train" else split
    ax.set_ylabel(f"{words} {LABELS['top1_error']}")
    return ax


def ends_in_words(frame: pd.DataFrame, split: str = "train") -> str:
    """What `plot_ends` shows, in words: the mean of each net's last errors, lowest to highest.

    And which runs it leaves out, for they diverged or were stopped.
    """
    whole = one_run_each(of_split(frame, split)).sort_values("iteration", kind="stable")
    rows = complete(whole)
    ends = rows.groupby(["model", "seed"], sort=False)["top1_error"].last()
    told = []
    for model, net in ends.groupby("model", sort=False):
        spread = f" ({net.min():.1f} to {net.max():.1f})" if len(net) > 1 else ""
        told.append(f"{printed_name(model)} {net.mean():.1f}%{spread}")
    words = "Training" if split == "train" else split.capitalize()
    others = whole.drop(rows.index).drop_duplicates(["model", "seed"])
    left_out = [
        f"{printed_name(each.model)}, seed {each.seed} ({each.status})"
        for each in others.itertuples()
    ]
    found = f"{words} error at the end: {', '.join(told) or 'nothing recorded yet'}."
    return f"{found} Left out: {'; '.join(left_out)}." if left_out else found


def plot_pictures(pictures: Sequence[np.ndarray], ax: Axes, columns: int = 4) -> Axes:
    """Pictures of one size, uint8 (C, H, W) in grey or colour, row by row with gaps between."""
    _, height, width = np.shape(pictures[0])
    gap = max(1, height // 24)
    rows = -(-len(pictures) // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, 4)
    sheet = np.zeros(shape, np.uint8)  # transparent
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        place = (slice(top, top + height), slice(left, left + width))
        sheet[(*place, slice(3))] = np.moveaxis(np.asarray(picture), 0, -1)
        sheet[(*place, 3)] = 255
    ax.imshow(sheet, interpolation="none")
    ax.set_axis_off()
    return ax


def plot_maps(maps: np.ndarray, ax: Axes, limit: float, columns: int = 4) -> Axes:
    """Feature maps (C, H, W) as pictures, row by row; maps that are all zero are drawn grey.

    limit: the value of the darkest blue; its negative is the darkest red. Panels that are to be
    compared take one limit.
    """
    channels, height, width = maps.shape
    rows = -(-channels // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    empty = np.full_like(sheet, np.nan)
    for channel, each in enumerate(maps):
        top, left = channel // columns * (height + 1), channel % columns * (width + 1)
        place = (slice(top, top + height), slice(left, left + width))
        (sheet if each.any() else empty)[place] = each
    for values, colours, low in ((sheet, "RdBu", -limit), (empty, "Greys", -limit)):
        ax.imshow(values, cmap=colours, vmin=low, vmax=limit, interpolation="none")
    ax.set_axis_off()
    return ax
