"""Figures and outputs: what is drawn, and that it reads in light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

mpl.use("Agg")

from resnet_lib import ConfigError, figures, outputs


def frame(**kinds: tuple[str, int]) -> pd.DataFrame:
    rows = []
    for model, (kind, depth) in kinds.items():
        for seed in (0, 1, 2):
            for split in ("train", "test"):
                rows += [
                    {
                        "model": model,
                        "kind": kind,
                        "depth": depth,
                        "seed": seed,
                        "split": split,
                        "iteration": iteration,
                        "top1_error": 90 - iteration - (0, 1, 5)[seed],
                    }
                    for iteration in (10, 20)
                ]
    return pd.DataFrame(rows)


NETS = {"plain20": ("plain", 20), "plain56": ("plain", 56), "resnet56": ("residual", 56)}


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("plain20", "plain-20"),
        ("resnet56-B", "ResNet-56 B"),
        ("preresnet56", "pre-ResNet-56"),
        ("vgg16", "VGG-16"),
        ("plain56 without BN, xavier", "plain-56 without BN, xavier"),
        ("resnet20, scales", "ResNet-20, scales"),
        ("resnet20-shortcut-gate (-6)", "ResNet-20, shortcut gate (\N{MINUS SIGN}6)"),
        ("resnet110-bn-after-addition", "ResNet-110, BN after addition"),
        ("resnet110-relu-only-preactivation", "ResNet-110, ReLU-only pre-activation"),
        ("mine", "mine"),
        ("mlp3", "mlp3"),
        ("plain20s", "plain20s"),
        ("ResNet-20", "ResNet-20"),
    ],
)
def test_nets_have_the_names_that_the_papers_print(name: str, printed: str) -> None:
    assert outputs.printed_name(name) == printed


def test_one_line_a_net_and_split_with_the_seeds_mean() -> None:
    _, (ax,) = figures.panels()
    figures.plot_curves(frame(**NETS), ax)
    lines = {line.get_label(): line for line in ax.get_lines()}
    names = ("plain-20", "plain-56", "ResNet-56")
    assert set(lines) == {f"{net}, {split}" for net in names for split in ("training", "test")}
    assert list(lines["plain-20, test"].get_ydata()) == [78, 68]
    assert len(ax.collections) == len(lines), "each line has its band over seeds"


def test_a_split_or_a_net_may_stand_alone() -> None:
    """A text is one name, not a row of letters."""
    _, (left, right) = figures.panels(2)
    figures.plot_curves(frame(**NETS), left, splits="test")
    assert len(left.get_lines()) == len(NETS)
    figures.plot_ends(frame(**NETS), right, models="resnet56")
    assert right.get_xticklabels()[0].get_text() == "ResNet-56"


@pytest.mark.parametrize(
    "draw",
    [
        lambda rows, ax: figures.plot_curves(rows, ax, splits=["training"]),
        lambda rows, ax: figures.plot_ends(rows, ax, split="training"),
        lambda rows, ax: figures.ends_in_words(rows, "training"),
    ],
)
def test_an_unknown_split_is_told_so(draw) -> None:
    _, (ax,) = figures.panels()
    with pytest.raises(ConfigError, match="split 'training' is unknown: it is one of 'train', 'te"):
        draw(frame(**NETS), ax)


@pytest.mark.parametrize("status", ["diverged", "interrupted"])
def test_a_run_that_did_not_end_well_has_no_end(status) -> None:
    """Its last error was drawn as one, and averaged into the net's."""
    rows = frame(**NETS).assign(status="complete")
    model, seed = rows["model"].iloc[0], rows["seed"].iloc[0]
    rows.loc[(rows["model"] == model) & (rows["seed"] == seed), "status"] = status
    told = figures.ends_in_words(rows)
    assert told.endswith(f"Left out: {outputs.printed_name(model)}, seed {seed} ({status}).")
    assert "Left out" not in figures.ends_in_words(frame(**NETS))
    drawn = []
    for some in (rows, rows[rows["status"] == "complete"]):
        _, (ax,) = figures.panels()
        figures.plot_ends(some, ax)
        drawn.append([line.get_ydata().tolist() for line in ax.get_lines()])
    assert drawn[0] == drawn[1]


def test_kinds_differ_by_colour_depths_by_dashes_splits_by_width() -> None:
    _, (ax,) = figures.panels()
    figures.plot_curves(frame(**NETS), ax)
    lines = {line.get_label(): line for line in ax.get_lines()}
    plain20, plain56 = lines["plain-20, test"], lines["plain-56, test"]
    assert plain56.get_color() != lines["ResNet-56, test"].get_color()
    assert plain56.get_color() == plain20.get_color()
    assert plain56.get_linestyle() == "-"
    assert plain20.get_linestyle() == "--"
    assert plain56.get_linewidth() > lines["plain-56, training"].get_linewidth()


def test_band_reaches_from_lowest_to_highest_seed() -> None:
    _, (ax,) = figures.panels()
    figures.plot_curves(frame(plain20=("plain", 20)), ax, splits=["test"])
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == 90 - 20 - 5
    assert heights.max() == 90 - 10


def test_layers_are_drawn_on_a_relative_axis() -> None:
    rows = [
        {"model": "m", "kind": "plain", "depth": 20, "seed": seed, "iteration": moment}
        | {"layer": layer, "response_std": layer * (10.0**moment + seed)}
        for seed in (0, 1, 5)
        for moment in (0, 1)
        for layer in (1, 2, 3)
    ]
    _, (ax,) = figures.panels()
    figures.plot_layers(pd.DataFrame(rows), ax, "response_std", 1)
    (line,) = ax.get_lines()
    assert list(line.get_xdata()) == [0, 0.5, 1]
    assert list(line.get_ydata()) == [12, 24, 36]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (10, 45)
    with pytest.raises(ConfigError, match=r"nothing was measured at iteration 7: it was at 0, 1\."):
        figures.plot_layers(pd.DataFrame(rows), ax, "response_std", 7)
    assert ax.get_yscale() == "log"


def test_panels_of_one_scale_show_all_that_each_would() -> None:
    _, axes = figures.panels(2)
    axes[0].plot([1, 2], [10, 20])
    axes[1].plot([1, 2], [1, 200])
    wanted = [ax.get_ylim() for ax in axes]
    figures.same_scale(axes)
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[0].get_ylim()[0] == min(low for low, _ in wanted)
    assert axes[0].get_ylim()[1] == max(high for _, high in wanted)


def svg_of(name: str) -> str:
    drawn, (ax,) = figures.panels()
    figures.plot_curves(frame(**NETS), ax)
    return outputs.inline_svg(drawn[0], name)


def test_svg_follows_the_pages_colours() -> None:
    svg = svg_of("a")
    assert "currentColor" in svg
    assert "#000000" not in svg
    for kind in ("plain", "residual"):
        assert f"var(--rn-{kind})" in svg
        assert outputs.COLOURS[kind][0] not in svg
    assert re.search(r"<text [^>]*>iterations</text>", svg), "text stays text"


def test_svg_loads_nothing_and_is_the_same_every_time() -> None:
    assert svg_of("a") == svg_of("a")
    for address in re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', svg_of("a")):
        assert "".join(address).startswith("#")


def test_ids_of_two_figures_do_not_meet() -> None:
    ids = [set(re.findall(r'\bid="([^"]*)"', svg_of(name))) for name in ("a", "b")]
    assert ids[0]
    assert not ids[0] & ids[1]


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", outputs.COLOURS)
def test_colours_stand_out_on_their_page(name: str) -> None:
    light, dark = outputs.COLOURS[name]
    assert contrast(light, "#ffffff") >= 4.5
    assert contrast(dark, "#14181e") >= 4.5


def test_outputs_carry_their_name_and_words(monkeypatch) -> None:
    shown: list[tuple[dict, dict]] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: shown.append((data, metadata))
    )
    drawn, _ = figures.panels(2)
    outputs.show(drawn, "both", alt='a "plain" net')
    outputs.glue(gap=pd.Series([1.5]).iloc[0], words="+1.5 points")
    figure, gap, words = shown
    assert figure[1]["scrapbook"]["name"] == "both"
    assert figure[0]["text/html"].count("<svg") == 2
    assert 'aria-label="a &quot;plain&quot; net"' in figure[0]["text/html"]
    assert gap[0] == {"application/papermill.record/text/plain": "1.5"}
    assert words[0] == {"application/papermill.record/text/plain": "'+1.5 points'"}


def test_a_table_carries_its_name_and_shows_signs(monkeypatch) -> None:
    shown: list[tuple[dict, dict]] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: shown.append((data, metadata))
    )
    table = pd.DataFrame({"net": ["a <b>", "plain20"], "top1_error": [-1.25, 20.0]})
    outputs.show_table(table, "errors", top1_error=".1f")
    (data, metadata), markup = shown[0], shown[0][0]["text/html"]
    assert metadata["scrapbook"]["name"] == "errors"
    assert "a &lt;b&gt;" in markup
    assert "plain-20</td>" in markup
    assert "top1 error" in markup
    assert "\N{MINUS SIGN}1.2</td>" in markup
    assert markup.count("text-align:right") == 3
    assert "\N{MINUS SIGN}1.2" in data["text/plain"]


def test_a_quantity_by_kind_with_the_band_of_its_seeds() -> None:
    rows = [
        {"kind": kind, "seed": seed, "scale": scale, "error": scale + seed}
        for kind in ("plain", "residual")
        for seed in (0, 1, 5)
        for scale in (0, 1)
    ]
    _, (ax,) = figures.panels()
    figures.plot_by(pd.DataFrame(rows), ax, "scale", "error")
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert list(lines) == ["plain", "residual"]
    assert list(lines["plain"].get_ydata()) == [2, 3]
    assert lines["residual"].get_color() == figures.colour("residual")
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0, 6)


def test_tables_are_told_apart_by_dashes() -> None:
    table = pd.DataFrame({"layer": [1, 2], "response_std": [1.0, 0.1]})
    _, (ax,) = figures.panels()
    figures.plot_tables({"one": table, "two": table}, ax, "response_std")
    one, two = ax.get_lines()
    assert one.get_linestyle() != two.get_linestyle()
    assert one.get_color() == two.get_color() == figures.colour("plain")


def test_tables_of_residual_nets_take_colours_first_and_dashes_then() -> None:
    table = pd.DataFrame({"unit": [1, 2], "mean": [1.0, 0.1]})
    _, (ax,) = figures.panels()
    shades = ("residual", "purple")
    figures.plot_tables(dict.fromkeys("abc", table), ax, "mean", "unit", shades)
    a, b, c = ax.get_lines()
    assert [each.get_color() for each in (a, b)] == [figures.colour(each) for each in shades]
    assert a.get_color() == c.get_color()
    assert a.get_linestyle() == b.get_linestyle() != c.get_linestyle()


def test_a_colour_has_dashes_for_four_tables() -> None:
    table = pd.DataFrame({"layer": [1, 2], "mean": [1.0, 0.1]})
    _, (ax,) = figures.panels()
    with pytest.raises(ConfigError, match=r"tables are 5 and the colours 1: .* every 4 tables"):
        figures.plot_tables(dict.fromkeys("abcde", table), ax, "mean")
    assert len(ax.get_lines()) == 0
    figures.plot_tables(dict.fromkeys("abcde", table), ax, "mean", colours=("plain", "residual"))
    assert len(ax.get_lines()) == 5


def test_the_legend_of_a_panel_lies_below_its_axes() -> None:
    """On a line of the chart neither could be read."""
    (figure,), (ax,) = figures.panels()
    figures.plot_curves(frame(**NETS), ax)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    bottom = ax.xaxis.label.get_window_extent().y0
    assert 0 <= legend.get_window_extent().y0 < legend.get_window_extent().y1 <= bottom
    assert len(legend.get_texts()) == 2 * len(NETS)


def test_a_legend_of_long_names_is_no_wider_than_its_panel() -> None:
    names = ("original", "BN after addition", "ReLU-only pre-activation", "full pre-activation")
    for shown in (names, [f"{net}, training" for net in NETS]):
        (figure, *_), (ax, *_) = figures.panels(2)
        for name in shown:
            ax.plot([0, 1], label=name)
        figures.legend(ax)
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width, shown


def test_axes_of_a_shared_figure_keep_their_legends() -> None:
    figure, axes = plt.subplots(1, 2)
    for ax in axes:
        figures.plot_curves(frame(**NETS), ax)
    assert not figure.legends
    assert all(ax.get_legend() for ax in axes)


def test_empty_axes_say_so() -> None:
    _, (ax,) = figures.panels()
    figures.legend(ax)
    assert [text.get_text() for text in ax.texts] == ["not recorded yet"]


def test_figures_need_no_torch() -> None:
    source = Path(figures.__file__).read_text()
    assert not re.search(r"^\s*(from|import) torch", source, re.MULTILINE)
