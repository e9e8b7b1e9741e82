"""The Residual Playground in browsers: its numbers are Node's, and everything can be operated."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from on_page import drawn, gone_wrong, missing, until
from test_pages import Watch
from test_playground import engine

from resnet_lib import playground

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from playwright.sync_api import Page as Tab
    from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / "web" / "node_modules"
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
STEPS = 300
TRAINING = 300_000  # milliseconds that a press of Train may take on a slow machine


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture
def tab(context: BrowserContext, site: str) -> Iterator[Tab]:
    """The playground's page, ready; nothing may have gone wrong in the end."""
    tab = context.new_page()
    watch = Watch(tab)
    visit(tab, site)
    yield tab
    assert watch.wrong == []


def visit(tab: Tab, site: str, state: str = "", page: str = "playground.html") -> None:
    tab.goto(f"{site}/book/{page}" + (f"#playground?{state}" if state else ""))
    tab.locator("#playground[data-ready]").wait_for()
    drawn(tab)


def train(tab: Tab) -> None:
    """Press Train and wait for the end."""
    tab.get_by_role("button", name="Train", exact=True).click()
    drawn(tab)  # until then the button still has its name
    finish(tab)


def finish(tab: Tab) -> None:
    """Wait until nothing is trained any more."""
    tab.locator("button.main", has_text="Train").wait_for(timeout=TRAINING)
    drawn(tab)  # a last frame


def focused(tab: Tab) -> str:
    """The text of what has the focus."""
    return tab.evaluate("document.activeElement.textContent")


def saved(tab: Tab, button: int = 0) -> list[dict[str, str]]:
    """The rows of a CSV download."""
    with tab.expect_download() as download:
        tab.get_by_role("button", name="CSV").nth(button).click()
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))


def expected(*nets: dict[str, Any], **training: Any) -> list[dict[str, Any]]:
    """What Node computes for these nets."""
    asked = [{"net": net, "train": training, "steps": STEPS, "evaluate": True} for net in nets]
    return engine(*asked)


def assert_same(rows: list[dict[str, str]], answers: list[dict[str, Any]]) -> None:
    """Every loss and error of a download is Node's, to the last digit."""
    for number, answer in enumerate(answers, 1):
        net = [row for row in rows if row["net"] == str(number)]
        batches = [row for row in net if row["split"] == "batch"]
        assert [float(row["loss"]) for row in batches] == [row["loss"] for row in answer["rows"]]
        errors = [100 * row["errors"] / 64 for row in answer["rows"]]
        assert [float(row["top1_error"]) for row in batches] == errors
        for split, found in answer["evaluated"].items():
            last = [row for row in net if row["split"] == split][-1]
            assert int(last["iteration"]) == STEPS
            assert float(last["loss"]) == found["loss"]
            assert float(last["top1_error"]) == 100 * found["error"]


def shown(tab: Tab) -> list[list[str]]:
    """The table of nets: name, loss, training error, test error of each."""
    rows = tab.locator("table.nets").last.locator("tbody tr:not(.tools)")
    return [
        [row.locator("button.name span").first.inner_text(), *row.locator("td").all_inner_texts()]
        for row in rows.all()
    ]


def rounded(answer: dict[str, Any]) -> list[str]:
    last = [row["loss"] for row in answer["rows"][-50:]]
    errors = [f"{100 * answer['evaluated'][split]['error']:.1f}%" for split in ("train", "test")]
    return [f"{sum(last) / len(last):.3f}", *errors]


TWINS = {"shortcut": "none"}, {"shortcut": "A"}


def test_the_default_trains_to_nodes_numbers(tab: Tab) -> None:
    answers = expected(*({"depth": 20, **net} for net in TWINS))
    train(tab)
    assert_same(saved(tab), answers)
    plain, residual = map(rounded, answers)
    assert shown(tab) == [["plain-20", *plain], ["ResNet-20", *residual]]
    told = tab.locator(".playground .spoken").inner_text()
    assert all(number in told for number in [*plain, *residual])


def test_56_layers_train_to_nodes_numbers_by_keyboard_alone(tab: Tab) -> None:
    depth = tab.get_by_label("Depth")
    depth.focus()
    for _ in range(6):
        tab.keyboard.press("ArrowRight")
    assert depth.get_attribute("aria-valuetext") == "56 layers"
    tab.keyboard.press("Tab")  # to the shortcuts: arrows choose among them
    tab.keyboard.press("ArrowRight")
    assert tab.get_by_role("radio", name="B", exact=True).is_checked()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Train"
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="Pause").wait_for()
    finish(tab)
    assert_same(saved(tab), expected(*({"depth": 56, **net} for net in TWINS)))
    tab.locator("button.name").first.focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Hide"
    tab.keyboard.press("Space")
    tab.locator("button:focus", has_text="Show").wait_for()


def iterations(tab: Tab) -> list[int]:
    """How far each net has come, by its row."""
    states = tab.locator(".playground .state").all_inner_texts()
    return [int(re.search(r"Iteration (\d+) of", state)[1]) for state in states]


def at_rest(tab: Tab) -> list[int]:
    """The iterations, once they have been the same for two seconds."""
    last, now = None, iterations(tab)
    while now != last:
        tab.wait_for_timeout(2000)
        last, now = now, iterations(tab)
    return now


def test_pause_step_go_on_and_stop(tab: Tab) -> None:
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.locator(".state", has_text="Iteration 1 of").nth(1).wait_for()
    assert iterations(tab) == [1, 1]
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.locator(".state", has_text="Iteration 2 of").nth(1).wait_for()
    tab.get_by_role("button", name="Go on").click()
    tab.locator(".state", has_text=re.compile(r"Iteration ([3-9]|\d\d+) of")).nth(1).wait_for()
    tab.get_by_role("button", name="Pause").click()
    reached = at_rest(tab)
    assert min(reached) > 2
    tab.get_by_role("button", name="Step", exact=True).click()
    for number, each in enumerate(reached):
        next_one = re.compile(rf"Iteration {each + 1} of")
        tab.locator(".playground .state").nth(number).filter(has_text=next_one).wait_for()
    assert at_rest(tab) == [each + 1 for each in reached]
    tab.get_by_role("button", name="Stop").click()
    finish(tab)
    told = tab.locator(".playground .state").all_inner_texts()
    assert told == [f"stopped at iteration {each + 1} of 300" for each in reached]
    rows = saved(tab)
    assert {row["steps"] for row in rows} == {"300"}, "what the run was meant to be"
    answers = expected(*({"depth": 20, **net} for net in TWINS))
    for number, answer in enumerate(answers, 1):
        mine = [r for r in rows if r["net"] == str(number) and r["split"] == "batch"]
        assert len(mine) == reached[number - 1] + 1
        losses = [row["loss"] for row in answer["rows"][: len(mine)]]
        assert [float(row["loss"]) for row in mine] == losses
    tab.get_by_role("button", name="Reset").click()
    tab.locator("table.nets tbody").first.wait_for(state="detached")


def test_a_large_net_is_said_to_stop_while_it_is_judged(tab: Tab, site: str) -> None:
    """Judging takes seconds; until it is done nothing else can be pressed."""
    visit(tab, site, "choose=resnet56A.w32&nets=residual")
    tab.get_by_role("button", name="Train", exact=True).click()
    tab.locator(".state", has_text=re.compile("Iteration [1-9]")).wait_for(timeout=TRAINING)
    stop = tab.get_by_role("button", name="Stop")
    stop.press("Enter")
    drawn(tab)
    assert tab.locator(".status").inner_text().startswith("Stopping")
    assert tab.locator(".state").inner_text().endswith("stopping…")
    for name in ("Pause", "Step", "Stop"):
        assert tab.get_by_role("button", name=name, exact=True).is_disabled()
    assert focused(tab) == "Stop", "it can be left with Tab, and is not lost"
    finish(tab)
    assert tab.locator(".state").inner_text().startswith("stopped at iteration")
    assert focused(tab) == "Train"


def test_the_net_that_has_the_focus_stands_out(tab: Tab) -> None:
    """By keyboard as by pointer: the other net's line fades while one is looked at."""
    tab.get_by_label("Depth").fill("8")
    train(tab)
    faded = tab.locator(".chart svg").first.locator("g[opacity='0.7']")
    for point in (lambda: tab.locator("button.name").first.focus(),
                  lambda: tab.locator("button.name").nth(1).hover()):  # fmt: skip
        assert faded.count() == 0
        point()
        drawn(tab)
        assert faded.count() == 1
        tab.evaluate("document.activeElement.blur()")
        tab.mouse.move(0, 0)
        drawn(tab)


def test_looking_back(tab: Tab) -> None:
    """The slider below the layers, the pointer in the chart, and the numbers agree."""
    train(tab)
    tab.locator("details.layers summary").click()
    tab.locator("details.layers svg path").first.wait_for(state="attached")
    latest = shown(tab)
    curve = "() => document.querySelector('details.layers svg path').outerHTML"
    before = tab.evaluate(curve)
    slider = tab.locator("details.layers input[type=range]")
    slider.focus()
    tab.keyboard.press("Home")
    tab.locator(".moment", has_text="at iteration 1").wait_for()
    drawn(tab)
    rows = saved(tab)
    first = [r for r in rows if r["iteration"] == "1" and r["split"] == "batch"]
    assert [row[1] for row in shown(tab)] == [f"{float(row['loss']):.3f}" for row in first]
    assert tab.evaluate(curve) != before
    tab.locator("details.layers").get_by_role("button", name="Back to the latest").click()
    drawn(tab)
    assert slider.evaluate("slider => slider === document.activeElement")
    assert shown(tab) == latest
    chart = tab.locator(".chart svg").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    moment = tab.locator(".moment", has_text="at iteration").inner_text()
    assert slider.input_value() == re.search(r"\d+", moment)[0]
    tab.locator("details.layers summary").click()  # the chart has a way back of its own
    for forward in (tab.get_by_role("button", name="Back to the latest").click,
                    lambda: tab.keyboard.press("Escape")):  # fmt: skip
        drawn(tab)
        box = chart.bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tab.locator(".moment", has_text="at iteration").wait_for()
        forward()
        drawn(tab)
        assert shown(tab) == latest
    assert tab.get_by_role("button", name="Back to the latest").count() == 0
    tab.locator("details.layers summary").click()
    layers = saved(tab, 1)
    assert {int(row["layer"]) for row in layers} == set(range(1, 20)), "all convolutions"
    assert all(float(row["response_std"]) > 0 for row in layers)


def test_a_link_leads_to_the_same_curves(tab: Tab, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.get_by_label("Depth").fill("8")
    tab.locator("details.more summary").click()
    tab.get_by_label("Iterations", exact=True).fill("40")
    tab.get_by_label("Learning rate", exact=True).fill("0.05")
    train(tab)
    tab.get_by_role("radio", name="Error").check()
    mine = saved(tab)
    tab.get_by_role("button", name="Copy link").click()
    tab.locator(".notice", has_text="clipboard").wait_for()
    link = tab.evaluate("navigator.clipboard.readText()")
    other = context.new_page()
    other.goto(link)
    other.locator("#playground[data-ready]").wait_for()
    drawn(other)
    assert "2 nets" in other.locator(".notice").inner_text().replace("two", "2")
    assert "even where a net had been stopped" in other.locator(".notice").inner_text()
    assert other.get_by_role("radio", name="Error").is_checked()
    assert other.get_by_label("Learning rate", exact=True).input_value() == "0.05"
    train(other)
    assert saved(other) == mine
    tab.reload()
    tab.locator("#playground[data-ready]").wait_for()
    train(tab)
    assert saved(tab) == mine


def test_what_the_address_cannot_mean_is_said(tab: Tab, site: str) -> None:
    visit(tab, site, "choose=plain21&show=%&runs=resnet8A.n20")
    tab.locator(".notice", has_text="plain21").wait_for()
    train(tab)
    assert [row[0] for row in shown(tab)] == ["ResNet-8"]


def test_runs_stay_and_can_be_hidden_cloned_repeated_and_removed(tab: Tab) -> None:
    tab.get_by_label("Depth").fill("8")
    tab.locator("details.more summary").click()
    tab.get_by_label("Iterations", exact=True).fill("30")
    tab.get_by_label("Number of seeds").fill("2")
    train(tab)
    tab.get_by_role("radio", name="C", exact=True).check()
    train(tab)
    names = [row[0] for row in shown(tab)]
    assert names == ["plain-8", "ResNet-8", "ResNet-8 C"], "the same plain net is not trained twice"
    lines = tab.locator(".chart svg").first.locator("text.label")
    assert lines.count() == 3
    tab.locator("button.name").nth(1).click()
    tools = tab.locator("tr.tools:visible")
    tools.get_by_role("button", name="Hide").click()
    drawn(tab)
    assert lines.count() == 2
    tools.get_by_role("button", name="Copy choices").click()
    assert tab.get_by_role("radio", name="A", exact=True).is_checked()
    before = saved(tab)
    tools.get_by_role("button", name="Run again").click()
    drawn(tab)  # until then the button still says Train
    finish(tab)
    assert saved(tab) == before
    tools.get_by_role("button", name="Remove").click()
    drawn(tab)
    assert [row[0] for row in shown(tab)] == ["plain-8", "ResNet-8 C"]
    assert focused(tab).startswith("ResNet-8 C"), "the next net"
    for left in ("plain-8", "Train"):
        tab.keyboard.press("Enter")
        tools.get_by_role("button", name="Remove").click()
        drawn(tab)  # until then the removed net's buttons are still there
        assert focused(tab).startswith(left)


@pytest.mark.parametrize(
    "choice",
    ["resnet14A", "resnet20B.pre", "resnet14C.nobn", "resnet8B.pre.nobn.w5", "plain14.pre"],
)
def test_costs_are_known_before_training(tab: Tab, site: str, choice: str) -> None:
    kind = "plain" if choice.startswith("plain") else "residual"
    visit(tab, site, f"choose={choice}.n2&nets={kind}")
    hint = tab.locator(".playground .hint", has_text="multiply-adds").first
    hint.wait_for()
    drawn(tab)
    said = hint.inner_text().partition(": ")[2].partition(";")[0]
    train(tab)
    tab.locator("button.name").click()
    costs = tab.locator("tr.tools p", has_text="parameters")
    costs.wait_for()  # shown in the next frame
    assert costs.inner_text().startswith(f"{said}. Trained for ")


def test_what_the_numbers_of_the_table_are_is_to_be_read(tab: Tab, site: str) -> None:
    """Without a pointer: the range over seeds, and the iteration of a test error that is past."""
    visit(tab, site, "choose=resnet8A.n100.x2&nets=residual")
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.locator(".state", has_text="Iteration 1 of").wait_for()
    small = tab.locator("table.nets td small")
    small.nth(2).filter(has_text=re.compile(r"at\s0$")).wait_for()
    tab.get_by_role("button", name="Go on").click()
    finish(tab)
    rows = saved(tab)
    means = []
    for seed in ("0", "1"):
        batches = [r for r in rows if r["seed"] == seed and r["split"] == "batch"]
        means.append(sum(float(row["loss"]) for row in batches[-50:]) / 50)
    assert small.first.inner_text() == f"{min(means):.3f}\u2013{max(means):.3f}"
    assert "at" not in small.nth(2).inner_text()
    note = tab.locator("table.nets + p")
    assert "mean of the last 50 batches" in note.inner_text()
    assert "several seeds" in note.inner_text()
    assert "every batch" not in tab.locator("figcaption").inner_text(), "no single batches"
    told = tab.locator("table.nets").get_attribute("aria-describedby")
    assert told == note.get_attribute("id")
    chart = tab.locator(".chart svg").first
    chart.click()
    drawn(tab)
    assert "as in the chart" in note.inner_text()


def test_words_agree_with_their_number(tab: Tab, site: str) -> None:
    about = tab.locator("table.nets .about small").first
    for page, words in (
        ("playground.html", "option A, 1 iteration, 1 channel"),
        ("playground.zh.html", "方案 A，迭代 1 次，1 个通道"),
    ):
        tab.goto("about:blank")
        visit(tab, site, "runs=resnet8A.n1.w1", page)
        about.wait_for()
        assert about.inner_text() == words


def test_a_net_that_explodes_is_named(tab: Tab, site: str) -> None:
    """Its loss is a number, but one far off the axis."""
    visit(tab, site, "choose=resnet20A.lr10&nets=residual")
    train(tab)
    ((name, loss, *_),) = shown(tab)
    assert re.fullmatch(r"\d\.\d\s×\s10[⁰¹²³⁴⁵⁶⁷⁸⁹]+", loss)
    assert (
        tab.locator(".notice")
        .inner_text()
        .startswith(f"{name} exploded: its training loss, {loss}")
    )
    assert tab.locator(".state").inner_text() == "loss exploded"
    labels = tab.locator(".chart svg").first.locator("text.label").all_text_contents()
    assert labels == ["ResNet-20 ↑"]


def test_a_net_that_diverges_is_named(tab: Tab) -> None:
    tab.locator("details.more summary").click()
    tab.locator("details.layers summary").click()
    tab.get_by_label("Batch normalisation (BN)").uncheck()
    tab.get_by_label("Learning rate", exact=True).fill("10")
    train(tab)
    assert "ResNet-20 diverged: after" in tab.locator(".notice").inner_text()
    assert tab.locator(".state", has_text="diverged").count() >= 1
    chart = tab.locator(".chart svg").first
    assert "ResNet-20 diverged: after" in chart.get_attribute("aria-label")
    labels = chart.locator("text.label").all_text_contents()
    assert "ResNet-20*" in labels, "what was recorded with the usual choices stands beside it"
    assert tab.locator("details.layers .empty").text_content() == "Nothing to draw here."
    assert "as in a net that diverged" in tab.locator("details.layers .hint").first.inner_text()


def test_a_wrong_number_is_said_and_not_taken(tab: Tab) -> None:
    tab.locator("details.more summary").click()
    batch = tab.get_by_label("Batch size")
    batch.fill("0")
    message = "Batch size must be a whole number from 2 to 512."
    assert tab.locator(".wrong", has_text=message).is_visible()
    batch.blur()
    assert batch.input_value() == "64"
    assert tab.locator(".wrong", has_text=f"{message} 64 stays.").is_visible()
    batch.fill("32")
    assert tab.locator(".wrong", has_text=message).count() == 0


def test_choices_without_effect_say_so(tab: Tab) -> None:
    tab.locator("details.more summary").click()
    option = tab.get_by_role("radio", name="B", exact=True)
    assert option.is_enabled()
    tab.get_by_label("Nets to train").select_option("plain")
    assert option.is_disabled()
    tab.get_by_label("Warm-up").fill("300")
    said = tab.locator(".wrong", has_text="All 300 iterations are warm-up")
    assert said.is_visible()
    tab.get_by_label("Iterations", exact=True).fill("301")
    assert said.count() == 0


def test_numbers_at_the_axes_are_whole_on_a_phone(browser: Browser, site: str) -> None:
    with browser.new_context(viewport={"width": 390, "height": 800}) as context:
        tab = context.new_page()
        visit(tab, site, "choose=plain20.nobn.small.n2&nets=plain&open=layers")
        train(tab)
        assert tab.locator("details.layers .tick", has_text="10⁻").count() > 0
        lefts = """charts => charts.flatMap((chart) => [...chart.querySelectorAll(".tick")].map(
            (tick) => tick.getBoundingClientRect().left - chart.getBoundingClientRect().left))"""
        assert min(tab.locator("svg.playground-chart").evaluate_all(lefts)) >= 0


def test_the_downloaded_chart_has_the_names_before_their_halo(tab: Tab) -> None:
    tab.get_by_label("Depth").fill("8")
    train(tab)
    tab.evaluate(
        """() => {
            const write = XMLSerializer.prototype.serializeToString;
            XMLSerializer.prototype.serializeToString = function (node) {
                return (window.drawing = write.call(this, node));
            };
        }"""
    )
    with tab.expect_download():
        tab.get_by_role("button", name="Image").first.click()
    style = re.search(r'<text[^>]*class="label"[^>]*>plain-8', tab.evaluate("drawing"))[0]
    for rule in ("paint-order: stroke", "stroke-width: 3px", "stroke-linejoin: round"):
        assert rule in style


@pytest.mark.parametrize("lesson", playground.lessons())
def test_a_question_wants_a_prediction_first(tab: Tab, site: str, lesson: str) -> None:
    visit(tab, site, f"lesson={lesson}")
    tab.locator(".lesson").wait_for()
    drawn(tab)
    button = tab.get_by_role("button", name="Train", exact=True)
    assert button.is_disabled()
    tab.locator(".answers input").first.check()
    tab.get_by_role("button", name="Commit").click()
    assert button.is_enabled()
    assert tab.evaluate("document.activeElement.textContent") == "Train"
    tab.wait_for_function(f"location.hash.includes('answers={lesson}:')")


def test_the_line_that_plain_56_has_to_reach_is_drawn(tab: Tab, site: str) -> None:
    """It is a loss, so the error is not offered; afterwards the chart is as it was."""
    state = "show=error&lesson=rescue-plain-56&answers=rescue-plain-56:2"
    visit(tab, site, state)
    line = tab.locator("figure .level", has_text="ResNet-56")
    line.wait_for()
    error = tab.get_by_role("radio", name="Error")
    assert not error.is_visible()
    tab.get_by_role("button", name="Leave the question").click()
    assert tab.get_by_label("Depth").evaluate("depth => depth === document.activeElement")
    drawn(tab)
    assert line.count() == 0
    assert error.is_checked()


def test_a_link_to_a_question_on_its_own_page_goes_to_it(tab: Tab) -> None:
    link = tab.get_by_role("link", name="Option A, B or C")
    link.click()
    tab.locator(".lesson", has_text="lowest training loss").wait_for()
    tab.wait_for_function("document.getElementById('playground').getBoundingClientRect().top > -5")
    assert tab.evaluate("document.activeElement.textContent") == "Option A, B or C"


def test_a_copied_link_has_the_nets_wherever_the_page_has_been(
    tab: Tab, context: BrowserContext
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    train(tab)
    tab.evaluate("location.hash = 'what-to-try-first'")
    tab.get_by_role("button", name="Copy link").click()
    tab.get_by_text("The link is in the clipboard").wait_for()
    assert "#playground?runs=" in tab.evaluate("navigator.clipboard.readText()")


def test_a_finger_that_scrolls_leaves_the_last_moment_shown(browser: Browser, site: str) -> None:
    """Drawn up and down it scrolls, sideways it looks back."""
    options = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    with browser.new_context(**options) as context:
        tab = context.new_page()
        visit(tab, site, "choose=plain8")
        train(tab)
        box = tab.locator("svg.playground-chart").first.bounding_box()
        left, top = box["x"] + box["width"] / 3, box["y"] + box["height"] / 2

        def draw(to: tuple[float, float]) -> None:
            tab.evaluate(
                """([left, top, x, y]) => {
                    const chart = document.querySelector("svg.playground-chart");
                    const send = (type, clientX, clientY, buttons) => chart.dispatchEvent(
                        new PointerEvent(type, {
                            pointerType: "touch", pointerId: 7, bubbles: true,
                            clientX, clientY, buttons,
                        }));
                    send("pointerdown", left, top, 1);
                    send("pointermove", x, y, 1);
                    if (x === left) send("pointercancel", x, y, 0);
                    else send("pointerup", x, y, 0);
                }""",
                [left, top, *to],
            )
            drawn(tab)

        draw((left, top - 60))
        tab.wait_for_timeout(400)  # an address is written after 200 ms
        assert "at=" not in tab.evaluate("location.hash")
        draw((left + 30, top))
        tab.wait_for_function("location.hash.includes('at=')")


def test_a_question_is_answered_by_what_was_measured(tab: Tab, site: str) -> None:
    visit(tab, site, "lesson=plain-8-20")
    tab.locator(".answers input").first.check()
    tab.get_by_role("button", name="Commit").click()
    train(tab)
    assert tab.locator(".results .finding").inner_text().endswith("As you predicted.")
    assert tab.locator(".results tbody tr").count() == 2


def test_a_result_stands_below_the_chart_and_leads_on(tab: Tab, site: str) -> None:
    visit(tab, site, "lesson=plain-8-20&answers=plain-8-20:0")
    chart = tab.locator(".chart").first
    tab.get_by_text("You predicted").wait_for()
    place = "chart => chart.getBoundingClientRect().top + scrollY"
    before = chart.evaluate(place)
    train(tab)
    tab.locator(".results tbody tr").first.wait_for()
    assert abs(chart.evaluate(place) - before) < 5
    assert tab.locator(".results").bounding_box()["y"] > chart.bounding_box()["y"]
    tab.get_by_role("button", name="Predict again").click()
    assert tab.get_by_role("button", name="Commit").is_visible()
    assert tab.locator(".results").inner_text() == ""
    tab.locator(".answers input").nth(1).check()
    tab.get_by_role("button", name="Commit").click()
    tab.locator(".results .finding", has_text="Not what you predicted").wait_for()
    tab.get_by_role("button", name="Next question: Five times as long").click()
    tab.locator(".lesson h3", has_text="Five times as long").wait_for()
    assert tab.evaluate("document.activeElement.textContent") == "Five times as long"


def test_one_sees_what_the_nets_see(tab: Tab) -> None:
    strip = tab.get_by_role("img", name="T-shirt")
    assert "ankle boot" in strip.get_attribute("aria-label")
    inked = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return Array.from({ length: 10 }, (_, i) => data[4 * (7 * canvas.width + 16 * i + 7)]);
    }"""
    assert len(set(strip.evaluate(inked))) > 4, "ten different pictures"


def test_a_run_speaks_of_no_next_training_unless_something_was_chosen(tab: Tab) -> None:
    watch = """() => {
        window.hints = [];
        const hint = document.querySelector(".playground .buttons + .hint");
        new MutationObserver(() => window.hints.push(hint.textContent))
            .observe(hint, { childList: true, characterData: true, subtree: true });
    }"""
    tab.evaluate(watch)
    train(tab)
    assert not [each for each in tab.evaluate("window.hints") if each.startswith("For the next")]


def test_a_chart_s_sentence_wraps_on_a_phone(browser: Browser, site: str) -> None:
    with browser.new_context(viewport={"width": 320, "height": 700}) as context:
        tab = context.new_page()
        visit(tab, site, "open=layers")
        note = tab.locator("details.layers .chart .empty")
        note.wait_for()
        frame = tab.locator("details.layers .chart").bounding_box()
        text = note.evaluate("""note => {
            const range = document.createRange();
            range.selectNodeContents(note);
            return range.getBoundingClientRect().toJSON();
        }""")
        assert frame["x"] < text["left"] < text["right"] < frame["x"] + frame["width"]


def test_a_run_that_was_stopped_answers_no_question(tab: Tab, site: str) -> None:
    visit(tab, site, "lesson=plain-8-20&answers=plain-8-20:0")
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.locator(".state", has_text="Iteration 1 of").nth(1).wait_for()
    tab.get_by_role("button", name="Stop").click()
    finish(tab)
    assert tab.locator(".state", has_text="stopped at").count() == 2
    told = "A net did not come to its end. Press Train for the result."
    assert tab.locator(".results").inner_text() == told
    train(tab)
    assert tab.locator(".state", has_text="stopped at").count() == 0
    assert tab.locator(".results tbody tr").count() == 2
    tab.goto("about:blank")  # away with these nets
    visit(tab, site, "runs=plain8;plain20")
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.locator(".state", has_text="Iteration 1 of").nth(1).wait_for()
    tab.get_by_role("button", name="Stop").click()
    finish(tab)
    tab.evaluate("location.hash = 'playground?lesson=plain-8-20'")
    tab.locator(".answers").wait_for()
    drawn(tab)
    assert tab.locator(".results").inner_text() == "", "first the prediction"
    visit(tab, site, "lesson=rescue-plain-56&answers=rescue-plain-56:2")
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.locator(".state", has_text="Iteration 1 of").wait_for()
    tab.get_by_role("button", name="Stop").click()
    finish(tab)
    assert tab.get_by_text("Tries: 0 of 5").is_visible()


def test_a_question_shows_its_nets_that_are_there_already(tab: Tab, site: str) -> None:
    visit(tab, site, "runs=plain8;plain20")
    train(tab)
    tab.evaluate("location.hash = 'playground?lesson=plain-8-20'")
    tab.locator(".answers input").first.check()
    tab.get_by_role("button", name="Commit").click()
    drawn(tab)
    assert tab.locator(".results tbody tr").count() == 2
    assert tab.locator(".chart svg").first.locator("text.label").count() == 2


def test_a_shared_question_is_asked_anew(tab: Tab, site: str, context: BrowserContext) -> None:
    """The link has the nets, and not what was predicted of them."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(tab, site, "lesson=plain-8-20")
    tab.locator(".answers input").first.check()
    tab.get_by_role("button", name="Commit").click()
    train(tab)
    tab.get_by_role("button", name="Copy link").click()
    tab.get_by_text("The link is in the clipboard").wait_for()
    link = tab.evaluate("navigator.clipboard.readText()")
    assert "lesson=plain-8-20" in link
    assert "answers" not in link
    assert "answers=plain-8-20" in tab.evaluate("location.hash"), "a reload keeps it"
    other = context.new_page()
    other.goto(link)
    other.locator("#playground[data-ready]").wait_for()
    other.get_by_role("button", name="Train", exact=True, disabled=True).wait_for()
    assert other.get_by_role("button", name="Commit").is_visible()
    other.locator(".chart .empty", has_text="Predict first.").first.wait_for()


@pytest.mark.parametrize("page", ["playground.html", "playground.zh.html"])
def test_nets_with_long_names_fit_a_small_phone(browser: Browser, site: str, page: str) -> None:
    """So do what came of a question, and what was measured."""
    nets = "runs=resnet110C.n3;resnet110C.lr0,05.n3"
    question = "lesson=plain-8-20&answers=plain-8-20:0"
    for state, tables in ((nets, 1), (question, 2)):
        with browser.new_context(viewport={"width": 320, "height": 700}) as context:
            tab = context.new_page()
            visit(tab, site, state, page)
            main = tab.locator("button.main")
            label = main.inner_text()
            main.click()
            drawn(tab)
            tab.locator("button.main", has_text=re.compile(f"^{label}$")).wait_for(timeout=TRAINING)
            drawn(tab)
            width = tab.locator(".playground figure").first.bounding_box()["width"]
            assert tab.locator("table.nets:visible").count() == tables
            for table in tab.locator("table.nets:visible").all():
                assert table.bounding_box()["width"] <= width
            assert tab.evaluate("document.scrollingElement.scrollWidth") <= 320


def test_leaving_a_question_brings_ones_own_nets_back(tab: Tab) -> None:
    train(tab)
    lines = tab.locator(".chart svg").first.locator("text.label")
    tab.get_by_role("link", name="Option A, B or C").click()
    tab.locator(".lesson").wait_for()
    drawn(tab)
    assert lines.count() == 0
    tab.get_by_role("button", name="Leave the question").click()
    drawn(tab)
    assert lines.count() == 2
    # After a reload, too: the nets are in the address, and are trained again.
    tab.get_by_role("link", name="Option A, B or C").click()
    tab.locator(".lesson").wait_for()
    tab.wait_for_function("/lesson=options.*runs=|runs=.*lesson=options/.test(location.hash)")
    tab.reload()
    tab.locator("#playground[data-ready]").wait_for()
    tab.get_by_role("button", name="Leave the question").click()
    train(tab)
    assert lines.count() == 2


def test_a_second_question_hides_nothing_for_good(tab: Tab, site: str) -> None:
    """Nets of a question are as they were left, whatever question is opened after it."""
    visit(tab, site, "lesson=plain-8-20&answers=plain-8-20:0")
    train(tab)
    lines = tab.locator(".chart svg").first.locator("text.label")
    tab.evaluate("location.hash = 'playground?lesson=with-shortcuts'")
    tab.get_by_role("heading", name="The same depth, with shortcuts").wait_for()
    drawn(tab)
    assert lines.count() == 0
    tab.get_by_role("button", name="Leave the question").click()
    drawn(tab)
    assert lines.count() == 2
    for name in tab.locator("button.name").all():
        name.click()
        tab.get_by_role("button", name="Hide", exact=True).click()
        drawn(tab)
    assert tab.locator(".chart .empty").first.text_content() == "All nets are hidden."


def test_reset_can_be_undone(tab: Tab) -> None:
    tab.get_by_label("Depth").fill("8")
    tab.locator("details.more summary").click()
    tab.get_by_label("Iterations", exact=True).fill("30")
    train(tab)
    mine = saved(tab)
    tab.get_by_role("button", name="Reset").click()
    assert tab.get_by_label("Depth").input_value() == "20"
    tab.get_by_role("button", name="Undo").click()
    assert tab.get_by_label("Depth").input_value() == "8"
    assert tab.get_by_label("Iterations", exact=True).input_value() == "30"
    drawn(tab)
    assert saved(tab) == mine, "trained nets come back as they were"


def test_reset_leaves_nothing_as_it_was(tab: Tab, site: str) -> None:
    state = "signal=response&open=more;layers&answers=plain-8-20:0"
    visit(tab, site, state)
    assert tab.locator("details.lessons small").count() == 1
    tab.get_by_role("button", name="Reset").click()
    tab.wait_for_function("location.hash === ''")
    assert tab.locator(".playground details[open]").count() == 0
    assert tab.locator("details.lessons small").count() == 0
    assert tab.get_by_role("button", name="Reset").is_disabled()
    tab.get_by_role("button", name="Undo").click()
    tab.wait_for_function("state => location.hash === `#playground?${state}`", arg=state)
    assert tab.locator("details.lessons small").count() == 1


def test_undo_brings_back_what_a_link_to_a_section_took_out_of_the_address(
    tab: Tab, site: str
) -> None:
    visit(tab, site, "choose=resnet8A&lesson=options&answers=options:0")
    tab.evaluate("location.hash = 'what-to-try-first'")
    tab.get_by_role("button", name="Reset").click()
    assert tab.get_by_label("Depth").input_value() == "20"
    tab.get_by_role("button", name="Undo").click()
    assert tab.locator(".lesson .said").is_visible()
    tab.get_by_role("button", name="Leave the question").click()
    assert tab.get_by_label("Depth").input_value() == "8"


def test_the_focus_is_kept_by_reset_and_undo_in_a_question(tab: Tab, site: str) -> None:
    """Train cannot be pressed before the prediction."""
    visit(tab, site, "lesson=options")
    tab.get_by_role("button", name="Reset").click()
    drawn(tab)
    assert focused(tab) == "Train"
    tab.get_by_role("button", name="Undo").click()
    drawn(tab)
    assert focused(tab) == "Option A, B or C"


def test_only_what_the_question_offers_is_a_try(tab: Tab, site: str) -> None:
    """Neither plain-56 as it is, nor a net that was trained with other numbers before."""
    visit(tab, site, "runs=plain56;plain56.lr0,03.n20;plain56.lr0,05")
    train(tab)
    tab.evaluate("location.hash = 'playground?lesson=rescue-plain-56&answers=rescue-plain-56:0'")
    tab.locator(".lesson").wait_for()
    drawn(tab)
    assert tab.get_by_text("Tries: 1 of 5").is_visible()


def test_a_reload_in_a_question_hides_nothing_for_good(tab: Tab, site: str) -> None:
    """Those are the question's own nets, too, once it is answered."""
    visit(tab, site, "runs=plain8.n5;plain20")
    tab.evaluate("location.hash = 'playground?runs=plain8.n5;plain20&lesson=plain-8-20'")
    tab.locator(".lesson").wait_for()
    tab.wait_for_timeout(400)  # until the address is written
    assert "-plain20" not in tab.evaluate("location.hash")
    tab.reload()
    tab.locator("#playground[data-ready]").wait_for()
    tab.get_by_role("button", name="Leave the question").click()
    drawn(tab)
    assert tab.locator(".state", has_text="hidden").count() == 0


def test_choices_that_are_copied_out_of_a_question_are_seen(tab: Tab, site: str) -> None:
    visit(tab, site, "lesson=plain-8-20&answers=plain-8-20:0")
    train(tab)
    tab.locator("table.nets button.name").first.click()
    tab.get_by_role("button", name="Copy choices").click()
    assert tab.get_by_label("Depth").input_value() == "8"
    assert tab.get_by_label("Depth").is_visible()
    assert focused(tab) == "Train"


def test_the_moment_looked_at_is_one_that_a_net_has(tab: Tab, site: str) -> None:
    chart = tab.locator(".playground-chart").first
    chart.click(position={"x": 5, "y": 60})
    drawn(tab)
    assert chart.locator(".cursor line").count() == 0, "there is no net yet"
    visit(tab, site, "runs=plain8.n5;plain8.n40")
    train(tab)
    moment = tab.locator(".moment")
    chart.click(position={"x": 5, "y": 60})
    drawn(tab)
    assert moment.inner_text() == "at iteration 1", "left of the first"
    chart.click(position={"x": chart.bounding_box()["width"] / 2, "y": 60})
    drawn(tab)
    assert int(moment.inner_text().removeprefix("at iteration ")) > 5
    tab.locator("table.nets button.name").nth(1).click()
    tab.locator("tr.tools:visible").get_by_role("button", name="Remove").click()
    drawn(tab)
    assert moment.inner_text() == ""
    assert not tab.get_by_role("button", name="Back to the latest").first.is_visible()


def test_text_can_be_selected_across_the_chart(tab: Tab, site: str) -> None:
    """Who begins elsewhere does not look back."""
    visit(tab, site, "runs=plain8.n40")
    train(tab)
    chart = tab.locator(".playground-chart").first.bounding_box()
    caption = tab.locator(".playground figcaption").bounding_box()
    tab.mouse.move(caption["x"] + 20, caption["y"] + 5)
    tab.mouse.down()
    tab.mouse.move(chart["x"] + 100, chart["y"] + 100, steps=5)
    tab.mouse.up()
    drawn(tab)
    assert tab.locator(".moment").inner_text() == ""


def test_train_starts_what_it_says(tab: Tab, site: str) -> None:
    """The nets of the address, until the reader chooses others."""
    visit(tab, site, "runs=plain8.n20;resnet8A.n20")
    tab.get_by_text("plain-8 and ResNet-8: ").wait_for()
    tab.get_by_label("Depth").fill("14")
    tab.get_by_text("plain-14 and ResNet-14: ").wait_for()
    train(tab)
    assert {row["model"] for row in saved(tab)} == {"plain-14", "ResNet-14"}
    states = tab.locator(".state").all_inner_texts()
    assert states == ["not trained yet", "not trained yet", "", ""]


def test_hidden_nets_of_the_address_are_trained_when_they_are_chosen(tab: Tab, site: str) -> None:
    visit(tab, site, "choose=resnet8A.n20&nets=residual&runs=-resnet8A.n20")
    train(tab)
    assert len({row["iteration"] for row in saved(tab) if row["split"] == "batch"}) == 20


def test_a_net_that_was_stopped_before_it_began_can_be_trained(
    context: BrowserContext, site: str
) -> None:
    """Two train at a time, the third waits; what is said of it has no numbers."""
    tab = context.new_page()
    watch = Watch(tab)
    tab.add_init_script("Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 })")
    runs = "plain8.n20000;resnet8A.n20000;resnet8A.n20"
    visit(tab, site, f"choose=resnet8A.n20&nets=residual&runs={runs}")
    tab.get_by_role("button", name="Train", exact=True).click()
    tab.locator(".state", has_text=re.compile(r"Iteration [1-9]")).nth(1).wait_for()
    tab.get_by_role("button", name="Stop").click()
    finish(tab)
    assert tab.locator(".state").last.inner_text() == "stopped at iteration 0 of 20"
    told = tab.locator(".playground .spoken").inner_text()
    assert told.endswith("ResNet-8 was stopped before its first iteration.")
    train(tab)
    assert tab.locator(".state").last.inner_text() == ""
    assert len([r for r in saved(tab) if r["net"] == "3" and r["split"] == "batch"]) == 20
    assert watch.wrong == []


def test_seeds_that_have_ended_stay_when_training_goes_on(
    context: BrowserContext, site: str
) -> None:
    """Two of three train at a time; what is stopped then begins anew, and no other."""
    tab = context.new_page()
    tab.add_init_script("Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 })")
    visit(tab, site, "choose=resnet8A.n600.x3&nets=residual")
    tab.get_by_role("button", name="Train", exact=True).click()
    tab.evaluate(  # in the page: a busy machine would come too late
        """() => new Promise((done) => {
            const look = () => {
                const bar = document.querySelector(".playground .bar");
                const share = Number(bar?.style.getPropertyValue("--done") ?? 0);
                if (!(share > 0.75)) return setTimeout(look);
                [...document.querySelectorAll(".playground button")]
                    .find((each) => each.textContent === "Stop").click();
                done();
            };
            look();
        })"""
    )
    finish(tab)
    before = batches_by_seed(tab)
    ended = [seed for seed, rows in before.items() if len(rows) == 600]
    assert 1 <= len(ended) < 3
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.get_by_role("button", name="Go on").wait_for()
    now = batches_by_seed(tab)
    for seed in ("0", "1", "2"):
        if seed in ended:
            assert now[seed] == before[seed]
        else:
            assert len(now.get(seed, [])) < 3
    tab.get_by_role("button", name="Go on").click()
    finish(tab)
    assert [len(rows) for rows in batches_by_seed(tab).values()] == [600] * 3


def batches_by_seed(tab: Tab) -> dict[str, list[dict[str, str]]]:
    """The rows of a download that are of single batches."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in saved(tab):
        if row["split"] == "batch":
            found.setdefault(row["seed"], []).append(row)
    return found


def test_seeds_that_diverge_end_no_line_of_the_others(tab: Tab, site: str) -> None:
    visit(tab, site, "choose=resnet8A.nobn.w2.lr4.n100.x3&nets=residual")
    train(tab)
    ends = [max(int(r["iteration"]) for r in saved(tab) if r["seed"] == seed) for seed in "012"]
    assert ends[:2] == [100, 100]
    assert ends[2] < 100, "the third seed diverges"
    assert tab.locator(".state").inner_text() == "1 of 3 diverged"
    assert tab.locator(".notice").inner_text().startswith("ResNet-8 (1 of 3 diverged): training")
    chart = tab.locator(".chart svg").first
    label = chart.locator("text.label")
    assert label.all_text_contents() == ["ResNet-8"]
    assert float(label.get_attribute("x")) > chart.bounding_box()["width"] / 2


def test_no_iteration_is_judged_twice(tab: Tab, site: str) -> None:
    """Stopped just after an evaluation."""
    visit(tab, site, "choose=resnet8A.n12&nets=residual")
    tab.get_by_role("button", name="Step", exact=True).click()
    tab.locator(".state", has_text="Iteration 1 of").wait_for()
    at_rest(tab)
    tab.get_by_role("button", name="Stop").click()
    finish(tab)
    assert [r["iteration"] for r in saved(tab) if r["split"] == "test"] == ["0", "1"]


def test_a_removed_net_is_no_end(tab: Tab, site: str) -> None:
    visit(tab, site, "choose=resnet8A.n20000&nets=residual")
    tab.get_by_role("button", name="Train", exact=True).click()
    tab.locator(".state", has_text=re.compile(r"Iteration [1-9]")).wait_for()
    for press in ("Run again", "Remove"):
        if not tab.locator("tr.tools:visible").count():
            tab.locator("button.name").click()
        tab.get_by_role("button", name=press).click()
        drawn(tab)
        assert tab.locator(".playground .spoken").inner_text() == "Training ResNet-8."
    assert tab.get_by_role("button", name="Train", exact=True).is_visible()


def test_nets_that_are_left_stand_out_again(tab: Tab, site: str) -> None:
    visit(tab, site, "choose=resnet8A.n20&nets=residual")
    train(tab)
    tab.get_by_role("radio", name="B", exact=True).check()
    train(tab)
    faded = tab.locator(".chart svg").first.locator("g[opacity='0.7']")
    assert faded.count() == 1, "the net of the training before"
    tab.locator("button.name").last.click()
    tab.get_by_role("button", name="Remove").click()
    tab.evaluate("document.activeElement.blur()")
    tab.mouse.move(0, 0)
    drawn(tab)
    assert faded.count() == 0


def test_the_address_is_not_written_at_every_step(tab: Tab) -> None:
    """Browsers refuse one that changes too often; a refusal is no error."""
    drag = """async () => {
        const slider = document.querySelector("input.depth");
        const put = history.replaceState;
        let count = 0, pauses = 0, last = performance.now();
        history.replaceState = function (...given) { count += 1; return put.apply(this, given); };
        for (let depth = 26; depth <= 110; depth += 6) {
            slider.value = depth;
            slider.dispatchEvent(new Event("input"));
            await new Promise(requestAnimationFrame);
            pauses += performance.now() - last > 150;
            last = performance.now();
        }
        return count - pauses;
    }"""
    assert tab.evaluate(drag) <= 2, "but for pauses of a slow machine"
    tab.wait_for_function("location.hash.includes('choose=resnet110A')")
    refusal = "throw new DOMException('', 'SecurityError')"
    tab.evaluate(f"() => {{ history.replaceState = () => {{ {refusal}; }}; }}")
    tab.get_by_label("Depth").fill("8")
    tab.wait_for_timeout(400)
    assert "choose=resnet110A" in tab.evaluate("location.hash")
    tab.get_by_role("button", name="Reset").click()
    tab.get_by_role("button", name="Undo").click()
    assert tab.get_by_label("Depth").input_value() == "8"


def test_a_link_that_is_about_to_be_heard_of_is_not_overwritten(tab: Tab) -> None:
    """On a busy machine a page hears of its new address some time after it has it."""
    tab.get_by_label("Depth").fill("8")
    tab.evaluate("history.replaceState(null, '', '#playground?choose=resnet14A')")  # unheard of
    tab.wait_for_timeout(400)  # an address is written after 200 ms
    tab.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
    drawn(tab)
    assert tab.get_by_label("Depth").input_value() == "14"
    assert tab.url.endswith("#playground?choose=resnet14A")


def test_what_is_chosen_is_seen_in_the_systems_colours(tab: Tab) -> None:
    tab.emulate_media(forced_colors="active")
    chosen = tab.locator(".segments input:checked + span")
    assert chosen.count() > 1
    for each in chosen.all():
        assert each.evaluate("span => getComputedStyle(span).forcedColorAdjust") == "none"


def test_choices_made_in_a_run_are_for_the_next(tab: Tab) -> None:
    tab.locator("details.more summary").click()
    tab.get_by_label("Iterations", exact=True).fill("2000")
    tab.get_by_role("button", name="Train", exact=True).click()
    tab.locator("button.main", has_text="Pause").wait_for()
    assert not tab.get_by_text("For the next training:").is_visible()
    tab.get_by_label("Depth").fill("8")
    tab.get_by_text("For the next training: plain-8 and ResNet-8").wait_for()
    tab.get_by_role("button", name="Stop").click()
    finish(tab)
    assert not tab.get_by_text("For the next training:").is_visible()


def test_nothing_is_loaded_before_it_is_seen(context: BrowserContext, site: str) -> None:
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{site}/book/index.html")
    tab.wait_for_load_state("networkidle")
    assert not any("playground" in url for url in asked if "_static" in url)
    tab.goto(f"{site}/book/playground.html")
    tab.locator("#playground[data-ready]").wait_for()
    images = [url for url in asked if url.endswith(".gz")]
    assert len(images) == 1


UNABLE = {
    "WebAssembly with SIMD": "WebAssembly.validate = () => false",
    "Web Workers": "delete window.Worker",
    "images could not be loaded": "window.fetch = () => Promise.reject(new Error('no network'))",
}


@pytest.mark.parametrize("what", UNABLE)
def test_where_it_cannot_run_the_recorded_runs_stay(
    context: BrowserContext,
    site: str,
    what: str,
) -> None:
    tab = context.new_page()
    watch = Watch(tab)
    tab.add_init_script(UNABLE[what])
    tab.goto(f"{site}/book/playground.html")
    tab.locator(".playground-hint", has_text=what).wait_for()
    assert tab.locator(".playground-recorded svg").is_visible()
    assert watch.wrong == []


def test_a_module_that_does_not_load_is_said_in_words(context: BrowserContext, site: str) -> None:
    tab = context.new_page()
    tab.route("**/playground.*.js", lambda route: route.abort())
    for page, told in (
        ("playground", "The playground could not be loaded"),
        ("playground.zh", "游乐场无法加载"),
    ):
        tab.goto(f"{site}/book/{page}.html")
        hint = tab.locator(".playground-hint", has_text=told)
        hint.wait_for()
        assert "http" not in hint.inner_text()
        assert tab.locator(".playground-recorded svg").is_visible()


def test_a_worker_that_does_not_start_is_said_and_ends_the_training(
    context: BrowserContext, site: str
) -> None:
    """Whether the browser throws, or tells of an error without saying which."""
    broken = (
        "window.Worker = class { constructor() { throw new Error('refused'); } }",
        """window.Worker = class {
            constructor() { setTimeout(() => this.onerror(new Event('error'))); }
            postMessage() {}
            terminate() {}
        }""",
    )
    for script in broken:
        tab = context.new_page()
        watch = Watch(tab)
        tab.add_init_script(script)
        visit(tab, site)
        train(tab)
        told = tab.locator(".notice").inner_text()
        assert told.startswith("plain-20 could not be trained: the browser did not start its")
        assert "undefined" not in told
        assert tab.locator(".state").all_inner_texts() == ["failed", "failed"]
        train(tab)  # once more
        assert tab.locator(".notice").inner_text() == told
        assert watch.wrong == []


def test_as_a_file_the_recorded_runs_stay(context: BrowserContext, book: Path) -> None:
    tab = context.new_page()
    watch = Watch(tab)
    tab.goto(f"{book.as_uri()}/book/playground.html")
    tab.locator(".playground-hint", has_text="make serve").wait_for()
    assert tab.locator(".playground-recorded svg").is_visible()
    assert watch.wrong == []


def test_drawing_leaves_the_page_smooth(tab: Tab, context: BrowserContext) -> None:
    """While two nets train, a frame takes the page's thread a fraction of the 16 ms it has.

    Counted in processor time: how late a frame comes depends on what else the machine does.
    """
    probe = context.new_cdp_session(tab)
    probe.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = probe.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    tab.evaluate(
        """() => { window.frames_ = 0;
        const frame = () => { window.frames_++; requestAnimationFrame(frame); };
        requestAnimationFrame(frame); }"""
    )
    tab.locator("details.layers summary").click()
    before, frames = spent(), tab.evaluate("frames_")
    train(tab)
    assert 1000 * (spent() - before) / (tab.evaluate("frames_") - frames) < 8


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, site: str, width: int, scheme: str) -> None:
    if not AXE.is_file():
        missing("No axe-core: run npm ci in web/.")
    view = {"width": width, "height": 800}
    with browser.new_context(viewport=view, color_scheme=scheme) as context:
        tab = context.new_page()
        for state in ("", "lesson=rescue-plain-56&answers=rescue-plain-56:0"):
            tab.goto("about:blank")
            visit(tab, site, state)
            if not state:
                tab.get_by_label("Depth").fill("8")
                train(tab)
                tab.locator("button.name").first.click()
                tab.get_by_role("button", name="Hide").click()
                for part in ("lessons", "more", "layers"):
                    tab.locator(f"details.{part} summary").click()
            drawn(tab)
            sizes = tab.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            assert sizes[0] <= sizes[1]
            tab.add_script_tag(path=str(AXE))
            found = tab.evaluate("axe.run('#playground').then((result) => result.violations)")
            serious = [
                (each["id"], [node["html"] for node in each["nodes"]])
                for each in found
                if each["impact"] in ("serious", "critical")
            ]
            assert serious == []


def test_firefox_trains_to_nodes_numbers(site: str) -> None:
    """The default and 56 layers in Firefox, over WebDriver BiDi."""
    firefox = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    if not firefox:
        missing("No Firefox: apt-get install firefox-esr, or set FIREFOX to the path of one.")
    if not (NODE_MODULES / "puppeteer-core").is_dir():
        missing("No puppeteer-core: run npm ci in web/.")
    command = ["node", str(ROOT / "tests" / "browser" / "firefox.mjs"), firefox]
    command += [f"{site}/book/playground.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    for depth in (20, 56):
        rows = list(csv.DictReader(io.StringIO(told["tables"][str(depth)])))
        assert_same(rows, expected(*({"depth": depth, **net} for net in TWINS)))


def test_webkit_trains_to_nodes_numbers(webkit: WebDriver, site: str) -> None:
    """The default in WebKit, the engine of Safari."""
    webkit.get(f"{site}/book/playground.html")
    wrong = gone_wrong(webkit, "#playground[data-ready]")
    # The text of a download, which the browser would put into a file.
    webkit.execute_script(
        "const make = URL.createObjectURL.bind(URL);"
        "URL.createObjectURL = (blob) => {"
        "  if (blob.type === 'text/csv') blob.text().then((text) => (window.table = text));"
        "  return make(blob);"
        "};"
    )
    button = webkit.find_element("css selector", "button.main")
    button.click()
    until(webkit, lambda: button.text == "Pause")
    until(webkit, lambda: button.text == "Train", TRAINING / 1000)
    downloads = webkit.find_elements("css selector", ".downloads button")
    next(each for each in downloads if each.text == "CSV").click()
    table = until(webkit, lambda: webkit.execute_script("return window.table"))
    assert wrong() == []
    rows = list(csv.DictReader(io.StringIO(table)))
    assert_same(rows, expected(*({"depth": 20, **net} for net in TWINS)))
