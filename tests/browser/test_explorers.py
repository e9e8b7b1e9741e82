"""Explorers in the built book: what holds for all of them, and runs, architecture, signals, train.

Operated by mouse and by keyboard; the numbers they show are compared with the archive.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import build_book
import pytest
from on_page import (
    AXE,
    CHINESE,
    PAGE,
    answer,
    arrows,
    downloaded,
    drawn,
    enter,
    frames,
    gone_wrong,
    said,
    seen,
    until,
)
from test_pages import VIEWS, Watch

from resnet_lib import MODELS, ModelConfig, complexity, load_records, widgets
from resnet_lib.configs import IMAGENET_BLOCKS
from resnet_lib.runs import probes
from resnet_lib.widgets import architecture, runs, signals

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page
    from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = pytest.mark.browser

ALL = widgets.names()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab in which nothing may go wrong."""
    view = {"width": 1280, "height": 900}
    with browser.new_context(viewport=view, reduced_motion="reduce") as context:
        tab = context.new_page()
        watch = Watch(tab)
        yield tab
        assert watch.wrong == []


def percents(text: str) -> dict[str, float]:
    """The numbers behind names: "plain-20 21.4%" -> {"plain20": 21.4}."""
    found = re.findall(r"([\w-]+?)-(\d+) (\d+\.\d)%", text)
    return {f"{name.lower().replace('-', '')}{depth}": float(value) for name, depth, value in found}


def curves_of(which: str) -> dict[str, list[float]]:
    """Mean training errors of each net over seeds, from the records: of the schedule of the
    questions ("guided"), of the one they compare it with ("shorter"), or of that with most runs.
    """
    found = runs.data()
    schedule = found.get(which) or found["schedules"][0]["id"]
    values: dict[str, list[list[float]]] = {}
    for record in load_records():
        if runs.schedule_of(record) == schedule:
            curve = record.curves.query("split == 'train'")["top1_error"].tolist()
            values.setdefault(runs.name_of(record), []).append(curve)
    return {
        net: [sum(each) / len(each) for each in zip(*seeds, strict=True)]
        for net, seeds in values.items()
    }


def alone(tab: Page, **options: Any) -> Locator:
    """An explorer on an empty page, with data of its own; options: as the bundle's `mount` has."""
    tab.set_content("<main></main>")
    tab.evaluate(
        """async ([code, options]) => {
            const file = new Blob([code], { type: "text/javascript" });
            const { mount } = await import(URL.createObjectURL(file));
            window.mounted = mount(document.querySelector("main"), options);
        }""",
        [widgets.BUNDLE.read_text(encoding="utf-8"), options],
    )
    return tab.locator(".rnx")


# What holds for all of them.


@pytest.mark.parametrize("name", ALL)
def test_an_address_that_names_what_is_not_there_still_opens(
    tab: Page, site: str, name: str
) -> None:
    texts = ("step", "split", "schedule", "nets", "net", "option", "block", "scale", "measure")
    wrong = "&".join(f"{each}=nonsense" for each in texts)
    for state in (
        wrong,
        "shown=1&" + wrong,
        "shown=1&at=-7&depth=-3&channel=1e9&count=-1&share=99",
    ):
        place = enter(tab, site, name, state)
        assert ("nonsense" in state) <= place.locator(".rnx-notice").is_visible()


def test_what_an_address_cannot_mean_is_said(tab: Page, site: str) -> None:
    place = enter(tab, site, "shortcut", "shown=1&option=Z&channel=many&colour=red")
    notice = place.locator(".rnx-notice")
    told = ["option: there is no \u201cZ\u201d here, but A, B and C.", "channel=many", "colour=red"]
    assert all(each in notice.inner_text() for each in told)
    place.get_by_label("C", exact=True).check()
    drawn(tab)
    assert not notice.is_visible(), "once the reader goes on"
    place = enter(tab, site, "runs", "step=free&nets=resnet20,resnet21")
    assert (
        "nets: there is no \u201cresnet21\u201d here" in place.locator(".rnx-notice").inner_text()
    )
    assert place.locator("[aria-pressed=true]").count() == 1, "the other net is shown"
    tab.evaluate("location.hash = '#explorer-runs?step=nowhere'")
    tab.wait_for_function(
        "[...document.querySelectorAll('.rnx-notice')].some(e => /nowhere/.test(e.textContent))"
    )


def test_the_books_own_views_exist(tab: Page, site: str, book: Path) -> None:
    """What the book's links and pages ask of an explorer means something."""
    text = "".join(path.read_text(encoding="utf-8") for path in book.glob("[bn]*/*.html"))
    places = r'data-explorer="(\w+)" data-state="([^"]+)"|href="[^"]*#explorer-(\w+)\?([^"]+)"'
    found = {(a or c, unescape(b or d)) for a, b, c, d in re.findall(places, text)}
    assert len(found) > 2
    for name, state in found:
        notice = enter(tab, site, name, state).locator(".rnx-notice")
        assert notice.inner_text() == "", (name, state)


# Views that say most; an explorer without one here is asked its question and answered.
SAYING = {
    "architecture": ["shown=1&open=conv3_x", "shown=1&family=cifar&block=bottleneck&depth=164"],
    "crops": ["shown=1&one=3&scale=all"],
    "deletion": ["shown=1&deleted=3,5", "shown=1&deleted=3"],
    "identity": ["shown=1&kind=residual", "shown=1&step=slide"],
    "runs": [
        *(f"step={step}&shown={step}" for step in ("plain", "overfitting", "steps", "residual")),
        "step=free&split=both&paper=1",
    ],
    "shortcut": ["shown=1&channel=30", "shown=1&option=Z&colour=red"],
    "signals": ["shown=1&order=sorted&nets=", "shown=1&quantity=scaled_weight_gradient"],
}
# All that is said, to eyes and ears: texts, and what stands in attributes.
SAID = """place => [
    place.innerText,
    ...["aria-label", "aria-valuetext", "title", "alt"].flatMap(
        (key) => [...place.querySelectorAll(`[${key}]`)].map((each) => each.getAttribute(key))),
].join("\\n")"""
# Two words in a row; names of nets, layers and runs, and code, are one.
ENGLISH = r"(?<![\w.(-])[a-z]{2,}[ ,.;:]+[a-z]{2,}(?![\w.(-])|\b(?:the|and|of)\b"
ENGLISH = re.compile(ENGLISH, re.ASCII)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ALL)
def test_the_chinese_page_speaks_chinese(
    browser: Browser, site: str, name: str, width: int
) -> None:
    """Before and after the answer, in every kind of view: no English, and nothing too wide."""
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        tab = context.new_page()
        watch = Watch(tab)
        english = enter(tab, site, name).locator(".rnx-question").inner_text()
        assert ENGLISH.search(english), "what is looked for would be found"
        place = enter(tab, site, name, page=CHINESE)
        assert place.get_attribute("lang") == "zh"
        told = [place.evaluate(SAID)]
        if name != "train":
            place.get_by_role("button", name="直接看结果").first.click()
            drawn(tab)
            told.append(place.evaluate(SAID))
        for state in SAYING.get(name, []):
            told.append(enter(tab, site, name, state, CHINESE).evaluate(SAID))
            sizes = tab.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            assert sizes[0] <= sizes[1], state
        for text in told:
            assert english not in text
            assert ENGLISH.findall(text.replace("van der Walt", "")) == []
            assert len(re.findall(r"[\u4e00-\u9fff]", text)) > 40
        assert watch.wrong == []


def test_architecture_counts_in_the_units_of_chinese(tab: Page, site: str) -> None:
    """A prediction is read in 亿, of which ten are a billion, and so is what was counted."""
    place = enter(tab, site, "architecture", page=CHINESE)
    assert f"{complexity('vgg19').multiply_adds / 1e8:.0f} 亿次" in place.inner_text()
    place.get_by_label("你的预测").fill("300")
    tab.keyboard.press("Enter")
    verdict = answer(place)
    cost = complexity("resnet152")
    assert "你的预测：300 亿次" in verdict
    assert f"ResNet-152 需要 {cost.multiply_adds / 1e8:.1f} 亿次" in verdict
    conv4 = next(each for each in cost.stages if each.name == "conv4_x")
    row = place.locator(".rnx-costs tr", has_text="conv4_x").inner_text()
    assert f"{conv4.parameters / 1e4:,.0f} 万" in row
    assert f"{conv4.multiply_adds / 1e8:.1f} 亿" in row
    assert f"{cost.parameters:,} 个参数" in said(place)


def test_the_chinese_page_leads_to_the_chinese_playground(tab: Page, site: str) -> None:
    for page, target in ((PAGE, "playground.html"), (CHINESE, "playground.zh.html")):
        link = enter(tab, site, "train", page=page).locator("a").first
        assert link.get_attribute("href").rpartition("/")[2] == target


@pytest.mark.parametrize("page", [PAGE, CHINESE])
def test_the_page_has_every_explorer(tab: Page, site: str, page: str) -> None:
    tab.goto(f"{site}/{page}")
    shown = tab.locator(".explorer").evaluate_all("all => all.map(e => e.dataset.explorer)")
    assert sorted(shown) == ALL


ON_VERDICT = "document.activeElement.classList.contains('rnx-verdict')"


@pytest.mark.parametrize("name", [name for name in ALL if name != "train"])
def test_the_answer_has_the_focus_once_it_is_shown(tab: Page, site: str, name: str) -> None:
    """The button that was pressed is gone: who hears the page would be at its beginning."""
    place = enter(tab, site, name)
    place.get_by_role("button", name="Just show me").first.click()
    tab.wait_for_function(ON_VERDICT)


@pytest.mark.parametrize("name", ["architecture", "deletion", "identity", "shortcut"])
def test_enter_in_a_number_commits_and_gives_the_answer_the_focus(
    tab: Page, site: str, name: str
) -> None:
    place = enter(tab, site, name)
    for number in place.locator("input[type=number]:visible").all():
        assert not place.locator(".rnx-verdict").is_visible()
        number.fill("12")
        number.press("Enter")
    tab.wait_for_function(ON_VERDICT)
    assert "You said 12" in answer(place)


def test_a_finger_draws_sideways_and_scrolls_up_and_down(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs")
    box = place.locator(".rnx-chart").bounding_box()
    commit = place.get_by_role("button", name="Commit")

    def draw(*moves: tuple[float, float], end: str) -> None:
        left, top = box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2
        send = """(chart, [type, clientX, clientY]) => chart.dispatchEvent(new PointerEvent(type, {
            pointerType: "touch", pointerId: 1, isPrimary: true, bubbles: true, cancelable: true,
            clientX, clientY, buttons: 1 }))"""
        chart = place.locator(".rnx-chart")
        # A made-up pointer cannot be captured.
        chart.evaluate("each => { each.setPointerCapture = () => {}; }")
        chart.evaluate(send, ["pointerdown", left, top])
        for x, y in moves:
            chart.evaluate(send, ["pointermove", left + x, top + y])
        x, y = moves[-1]
        chart.evaluate(send, [end, left + x, top + y])
        drawn(tab)

    draw((0, -10), (2, -80), end="pointercancel")
    assert place.locator(".rnx-sketch-dot").count() == 0
    draw((12, 1), (box["width"] * 0.4, 20), end="pointerup")
    assert place.locator(".rnx-sketch-dot").count() > 3
    assert commit.is_enabled()


def test_on_paper_an_explorer_is_its_plain_figure_and_pages_are_light(tab: Page, site: str) -> None:
    place = enter(tab, site, "architecture")
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    plain = tab.locator("#explorer-architecture .explorer-plain")
    assert place.is_visible()
    assert not plain.is_visible()
    tab.emulate_media(media="print")
    assert plain.is_visible()
    assert not place.is_visible()
    tab.emulate_media(media="screen")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_step_that_was_pressed_stays_readable(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs")
    step = place.locator(".rnx-steps button").nth(1)
    step.click()
    drawn(tab)
    filled = place.evaluate("each => getComputedStyle(each).getPropertyValue('--rnx-main')")
    probe = "(each, colour) => { const p = document.createElement('p'); p.style.color = colour; "
    probe += "each.append(p); const c = getComputedStyle(p).color; p.remove(); return c; }"
    step.hover()
    found = step.evaluate("each => getComputedStyle(each).backgroundColor")
    assert found == place.evaluate(probe, filled)


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_explorers_start_fit_and_are_accessible(
    browser: Browser, site: str, width: int, scheme: str
) -> None:
    """Wide and narrow, light and dark: no error, no sideways scrolling, nothing serious for axe."""
    view = {"width": width, "height": 900}
    with browser.new_context(viewport=view, color_scheme=scheme) as context:
        tab = context.new_page()
        watch = Watch(tab)
        for name in ALL:
            enter(tab, site, name)
            sizes = tab.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            assert sizes[0] <= sizes[1], name
            if not AXE.is_file():
                continue
            tab.add_script_tag(path=str(AXE))
            found = tab.evaluate("where => axe.run(where)", f"#explorer-{name}")
            serious = [
                (each["id"], [node["html"][:200] for node in each["nodes"]])
                for each in found["violations"]
                if each["impact"] in ("serious", "critical")
            ]
            assert serious == [], name
        assert watch.wrong == []
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (npm ci in web/): accessibility was not checked.")


@pytest.mark.parametrize("how", ["file", "no JavaScript", "no data", "no module"])
def test_without_help_a_figure_and_a_sentence_remain(
    browser: Browser, site: str, book: Path, how: str
) -> None:
    start = book.as_uri() if how == "file" else site
    with browser.new_context(java_script_enabled=how != "no JavaScript") as context:
        tab = context.new_page()
        if how in ("no data", "no module"):
            lost = "**/*.json" if how == "no data" else "**/explorers.*.js"
            tab.route(lost, lambda route: route.abort())
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(f"{start}/{PAGE}")
        for name in ALL:
            place = tab.locator(f"#explorer-{name}")
            place.scroll_into_view_if_needed()
            assert place.locator("svg, img").first.is_visible(), name
            assert len(place.locator("p").first.inner_text()) > 20, name
        assert errors == []
        assert tab.locator(".explorer[data-ready]").count() == 0


@pytest.mark.parametrize("name", [n for n in build_book.pages() if n.startswith("book/")])
def test_pages_are_light(browser: Browser, site: str, name: str) -> None:
    """A page with all its explorers and formulas: at most 700 KB, gzipped, cold cache."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = context.new_page()
        bodies = {}
        tab.on("response", lambda answer: bodies.setdefault(answer.url, answer))
        tab.goto(f"{site}/{name}.html", wait_until="networkidle")
        for skip in tab.locator(".predict-skip").all():
            if skip.is_visible():  # in no closed dropdown
                skip.click()  # an explorer may wait for an answer
        for place in tab.locator(".explorer").all():
            place.scroll_into_view_if_needed()
            place.and_(tab.locator("[data-ready]")).wait_for()
        tab.wait_for_load_state("networkidle")
        sizes = {url: len(gzip.compress(answer.body(), 6)) for url, answer in [*bodies.items()]}
        assert sum(sizes.values()) < 700_000, sorted(sizes.items(), key=lambda item: -item[1])[:8]


def test_pages_without_an_explorer_load_none(tab: Page, site: str) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{site}/book/terms.html", wait_until="networkidle")
    assert not [url for url in asked if "/explorers/" in url]


def test_an_explorer_takes_two_seconds_of_work_at_most(browser: Browser, site: str) -> None:
    """From the page's start until the chapter's explorer stands, in the page's own processor time.

    By the clock what else runs would count, too.
    """
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = context.new_page()
        session = context.new_cdp_session(tab)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        tab.goto(f"{site}/book/01-degradation.html#explorer-runs")
        tab.locator("#explorer-runs[data-ready]").wait_for()
        metrics = session.send("Performance.getMetrics")["metrics"]
    seconds = {each["name"]: each["value"] for each in metrics}["TaskDuration"]
    assert 0 < seconds < 2


ASKING = [name for name in ALL if name not in ("runs", "train")]


@pytest.mark.parametrize("name", ASKING)
def test_a_prediction_can_be_made_again(tab: Page, site: str, name: str) -> None:
    """The answer is hidden, the question has the focus, and nothing is answered or typed."""
    place = enter(tab, site, name)
    again = place.get_by_role("button", name="Predict again")
    commit = place.get_by_role("button", name="Commit", exact=True)
    assert not again.is_visible()
    for number in place.locator(".rnx-gate input[type=number]").all():
        number.fill("12")
    for option in place.locator(".rnx-gate label:has([type=radio])").all()[:1]:
        option.click()
    commit.click()
    assert "You said" in answer(place)
    again.press("Enter")
    tab.wait_for_function("document.activeElement.matches('.rnx-ask')")
    assert not place.locator(".rnx-verdict").is_visible()
    assert not again.is_visible()
    assert commit.is_disabled()
    empty = "all => all.every((each) => each.type === 'radio' ? !each.checked : !each.value)"
    assert place.locator(".rnx-gate input").evaluate_all(empty)
    tab.wait_for_function("!location.hash.includes('shown')")
    place.get_by_role("button", name="Just show me").click()
    assert "You said" not in answer(place)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("runs", "step=free"),
        ("signals", "shown=1"),
        ("identity", "shown=1&step=slide"),
        ("deletion", "shown=1"),
        ("crops", "shown=1"),
        ("shortcut", "shown=1"),
    ],
)
def test_a_value_is_not_read_out_twice(tab: Page, site: str, name: str, state: str) -> None:
    """A slider says its value; the line that says the same is silent while that has the focus."""
    place = enter(tab, site, name, state)
    line = place.locator(".rnx-readout")
    assert line.get_attribute("aria-live") == "polite"
    chart = place.locator(".rnx-chart, .rnx-sum").first
    chart.focus()
    assert line.get_attribute("aria-live") == "off"
    chart.press("ArrowLeft")
    assert said(place) == chart.get_attribute("aria-valuetext")
    chart.blur()
    assert line.get_attribute("aria-live") == "polite"


def test_a_notice_has_a_place_before_it_says_something(tab: Page, site: str) -> None:
    """Screen readers tell of a change of what is in their tree already."""
    notice = enter(tab, site, "runs").locator(".rnx-notice")
    assert notice.evaluate("each => getComputedStyle(each).display") == "block"
    assert notice.bounding_box()["height"] == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_controls_are_seen_to_be_controls(browser: Browser, site: str, scheme: str) -> None:
    """The edges of inputs, buttons and options stand out from the page, 3:1 at least."""
    # As it is painted: with what shows through.
    edge = """each => ["body", each].map((one) => {
        const brush = document.createElement("canvas").getContext("2d");
        const style = (which) => getComputedStyle(which);
        for (const colour of [style(document.body).backgroundColor,
            ...(one === "body" ? [] : [style(one).borderRightColor])]) {
            brush.fillStyle = colour;
            brush.fillRect(0, 0, 1, 1);
        }
        return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
    })"""

    def light(colour: list[int]) -> float:
        parts = [each / 255 for each in colour]
        lines = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), lines, strict=True))

    with browser.new_context(color_scheme=scheme) as context:
        tab = context.new_page()
        for name, state, css in (
            ("deletion", "", ".rnx-number input"),
            ("deletion", "", ".rnx-main:disabled"),
            ("deletion", "shown=1", ".rnx-del"),
            ("runs", "", ".rnx-steps button:not([aria-current])"),
            ("signals", "", ".rnx-gate label:has([type=radio])"),
            ("identity", "shown=1", ".rnx-weight"),
            ("crops", "shown=1", ".rnx-crop"),
            ("crops", "shown=1", "select"),
        ):
            place = enter(tab, site, name, state)
            found = sorted(map(light, place.locator(css).first.evaluate(edge)))
            assert (found[1] + 0.05) / (found[0] + 0.05) >= 3, (name, css)


@pytest.mark.parametrize("name", ["architecture", "identity", "runs", "signals"])
def test_text_is_as_large_as_the_reader_wants_it(tab: Page, site: str, name: str) -> None:
    """At twice the usual size all of it is twice as large, that of charts, too."""
    state = {"runs": "step=free", "identity": "shown=1&step=slide"}.get(name, "shown=1")
    sizes = """place => [...place.querySelectorAll("p, small, button, svg text")]
        .filter((each) => each.checkVisibility() && each.textContent)
        .map((each) => [getComputedStyle(each).fontSize, each.getScreenCTM?.().a ?? 1])
        .map(([size, scale]) => parseFloat(size) * scale)"""
    tab.set_viewport_size({"width": 1600, "height": 900})
    before = enter(tab, site, name, state).evaluate(sizes)
    twice = "document.documentElement.style.fontSize = '200%'"
    tab.add_init_script(f"addEventListener('DOMContentLoaded', () => {twice})")
    place = enter(tab, site, name, state)
    after = place.evaluate(sizes)
    assert min(after) == pytest.approx(2 * min(before), rel=0.01)
    assert max(after) == pytest.approx(2 * max(before), rel=0.01)
    body = place.locator(".rnx-body").evaluate("each => [each.scrollWidth, each.clientWidth]")
    assert body[0] <= body[1]
    boxes = place.locator("svg text").evaluate_all(
        "all => all.map((each) => each.textContent && each.getBoundingClientRect().toJSON())"
    )
    assert no_two_overlap(boxes)


@pytest.mark.parametrize("name", ["architecture", "crops", "deletion", "identity", "runs"])
def test_a_phone_with_large_text_holds_what_is_asked(tab: Page, site: str, name: str) -> None:
    twice = "document.documentElement.style.fontSize = '200%'"
    tab.add_init_script(f"addEventListener('DOMContentLoaded', () => {twice})")
    tab.set_viewport_size({"width": 390, "height": 800})
    place = enter(tab, site, name)
    assert place.locator("label, button").count() > 1
    outside = """place => [...place.querySelectorAll("label, input, button, p, small")]
        .filter((each) => each.checkVisibility() && !each.closest("svg"))
        .filter((each) => each.getBoundingClientRect().right > innerWidth)
        .map((each) => each.outerHTML.slice(0, 80))"""
    assert place.evaluate(outside) == []


def no_two_overlap(boxes: list[Any]) -> bool:
    """Whether rectangles of a page, those of texts among them, keep apart."""
    shown = [each for each in boxes if each and each["width"]]
    return not any(
        a["left"] < b["right"]
        and b["left"] < a["right"]
        and a["top"] + 4 < b["bottom"]
        and b["top"] + 4 < a["bottom"]
        for i, a in enumerate(shown)
        for b in shown[:i]
    )


# Depth and shortcut.


def test_runs_asks_for_a_drawn_line_and_shows_the_archive(tab: Page, site: str) -> None:
    """By mouse: draw plain-56, commit, read what was measured."""
    place = enter(tab, site, "runs")
    place.locator("path.rnx-line").first.wait_for()
    names = place.locator("path.rnx-line").evaluate_all("all => all.map((one) => one.dataset.line)")
    assert {name.split()[0] for name in names} == {"plain20"}, "only the shallow net is shown"
    commit = place.get_by_role("button", name="Commit")
    assert commit.is_disabled()
    chart = place.locator(".rnx-chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    tab.mouse.move(box["x"] + 60, box["y"] + 80)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] - 75, box["y"] + box["height"] / 2, steps=12)
    tab.mouse.up()
    assert commit.is_enabled()
    commit.click()
    ends = curves_of("guided")
    place.locator(".rnx-verdict strong").wait_for()
    verdict = answer(place)
    if "plain56" not in ends:
        assert "Not measured yet" in verdict
        return
    assert place.locator("path[data-line=prediction]").count() == 1
    assert re.search(r"Your line ends at \d+\.\d%", verdict)
    for name in ("plain20", "plain56"):
        assert percents(said(place))[name] == pytest.approx(ends[name][-1], abs=0.051)


def test_runs_draws_by_keyboard(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs")
    chart = place.locator(".rnx-chart")
    assert chart.get_attribute("role") == "slider"
    assert chart.get_attribute("aria-label").startswith("Your prediction")
    assert chart.get_attribute("aria-valuetext").endswith("nothing drawn yet")
    help = tab.locator(f"[id='{chart.get_attribute('aria-describedby')}']")
    assert "up and down set the error" in help.inner_text()
    arrows(tab, chart, "End", "ArrowUp", "ArrowUp")
    first = chart.get_attribute("aria-valuetext")
    arrows(tab, chart, "Shift+ArrowUp")
    assert chart.get_attribute("aria-valuetext") != first
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Shift+Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Commit"
    tab.keyboard.press("Enter")
    place.locator(".rnx-verdict strong").wait_for()
    assert chart.get_attribute("aria-label").startswith("training error over iterations")
    assert chart.get_attribute("aria-describedby") is None


def test_runs_reads_every_point_of_the_archive(tab: Page, site: str) -> None:
    """By arrow keys from the end to the start, and by pointer; compared with the records."""
    ends = curves_of("usual")
    net = "resnet20"
    place = enter(tab, site, "runs", f"step=free&nets={net}")
    chart = place.locator(".rnx-chart")
    expected = list(ends[net])
    arrows(tab, chart, "End")
    for value in reversed(expected[-4:]):
        assert percents(said(place))[net] == pytest.approx(value, abs=0.051)
        arrows(tab, chart, "ArrowLeft")
    arrows(tab, chart, "Home")
    assert percents(said(place))[net] == pytest.approx(expected[0], abs=0.051)
    box = chart.bounding_box()
    tab.mouse.move(box["x"] + 45, box["y"] + 90)
    tab.mouse.move(box["x"] + box["width"] - 90, box["y"] + 90, steps=5)
    arrows(tab, chart, "End")
    rows = downloaded(tab, place)
    records = {each.run_id: each for each in load_records()}
    for row in rows:
        curve = records[row["run_id"]].curves.query("split == 'train'")
        at = curve[curve["iteration"] == int(row["iteration"])]["top1_error"].item()
        assert float(row["top1_error"]) == pytest.approx(at, abs=6e-3)
    assert len({row["run_id"] for row in rows}) >= 1


def test_runs_keeps_its_view_in_the_address(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs", "step=free")
    place.get_by_label("test", exact=True).check()
    place.get_by_label("log", exact=True).check()
    place.locator("button.rnx-net[data-net=resnet20]").click()
    tab.wait_for_function("location.hash.includes('scale=log') && location.hash.includes('nets=')")
    address = tab.url
    assert "split=test" in address
    shown = said(place)
    tab.goto("about:blank")
    tab.goto(address)
    place.wait_for()
    assert said(place) == shown
    assert place.get_by_label("log", exact=True).is_checked()


def test_a_click_keeps_in_the_address_what_was_pointed_at(tab: Page, site: str) -> None:
    chart = enter(tab, site, "runs", "step=free").locator(".rnx-chart")
    chart.hover(position={"x": 200, "y": 90})
    tab.wait_for_timeout(400)  # an address is written after 200 ms
    assert "at=" not in tab.url
    chart.click(position={"x": 200, "y": 90}, button="right")
    tab.wait_for_timeout(400)
    assert "at=" not in tab.url, "another button chooses nothing"
    chart.click(position={"x": 200, "y": 90})
    tab.wait_for_function("location.hash.includes('at=')")


def test_where_a_drag_ends_is_chosen(tab: Page, site: str) -> None:
    """Pointing only reads out; pressing, dragging and letting go chooses the last place."""
    place = enter(tab, site, "crops", "shown=1")
    chart = place.locator(".rnx-chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    at = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 0.6, at)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.35, at, steps=5)
    tab.mouse.up()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] - 60)
    tab.wait_for_function(r"/count=[345]\b/.test(location.hash)")  # first where it was pressed
    chosen = int(re.search(r"count=(\d+)", tab.url)[1])
    assert re.search(rf"Average of {chosen} crops", place.inner_text())


def test_a_link_is_not_overwritten_by_what_was_seen_before(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs", "step=free")
    place.get_by_label("log", exact=True).check()
    tab.evaluate("location.hash = '#explorer-runs?step=free&split=test'")  # at once
    place.locator("input[value=test]:checked").wait_for()
    tab.wait_for_timeout(400)  # an address is written after 200 ms
    assert tab.url.endswith("#explorer-runs?step=free&split=test")


def test_a_link_that_is_about_to_be_heard_of_is_not_overwritten(tab: Page, site: str) -> None:
    """On a busy machine a page hears of its new address some time after it has it."""
    place = enter(tab, site, "runs", "step=free")
    place.get_by_label("log", exact=True).check()
    linked = "#explorer-runs?step=free&split=test"
    tab.evaluate("address => history.replaceState(null, '', address)", linked)  # unheard of
    tab.wait_for_timeout(400)  # an address is written after 200 ms
    tab.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
    place.locator("input[value=test]:checked").wait_for()
    assert tab.url.endswith(linked)


def test_where_the_page_sets_a_view_the_usual_one_has_an_address(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs", "step=free")
    tab.evaluate("document.getElementById('explorer-runs').dataset.state = 'step=free'")
    place.get_by_role("button", name="1 Deeper, plain").click()
    tab.wait_for_function("location.href.endsWith('#explorer-runs?')")


def test_a_widget_takes_every_state_that_python_sets(tab: Page) -> None:
    """Also one that was sent to Python, once another has been set since."""
    tab.set_content("<main></main>")
    tab.evaluate(
        """async (code) => {
            const file = new Blob([code], { type: "text/javascript" });
            const { default: widget } = await import(URL.createObjectURL(file));
            const traits = { explorer: "train", state: {}, language: "en",
                             data: { recorded: [], session: [], progress: null, error: "" } };
            const listeners = {};
            const model = {
                get: (name) => traits[name],
                set: (name, value) => { traits[name] = value; },
                save_changes() {},
                on: (name, listener) => { listeners[name] = listener; },
                off() {},
            };
            window.python = (state) => { traits.state = state; listeners["change:state"](); };
            widget.render({ model, el: document.querySelector("main") });
        }""",
        widgets.BUNDLE.read_text(encoding="utf-8"),
    )
    test = tab.get_by_label("test", exact=True)
    test.check()
    tab.evaluate("python({})")
    drawn(tab)
    assert not test.is_checked()
    tab.evaluate("python({ split: 'test' })")
    drawn(tab)
    assert test.is_checked()


def test_bars_are_seen_in_the_systems_colours(tab: Page, site: str) -> None:
    tab.emulate_media(forced_colors="active")
    place = enter(tab, site, "deletion", "shown=1")
    place.locator(".rnx-errorbar").first.wait_for()
    for part in (".rnx-errorbar", ".rnx-bars i", ".rnx-mark"):
        adjust = "bar => getComputedStyle(bar).forcedColorAdjust"
        assert place.locator(part).first.evaluate(adjust) == "none", part


def test_prose_links_into_a_view(tab: Page, site: str) -> None:
    tab.goto(f"{site}/book/01-degradation.html")
    tab.locator("article a[href='#explorer-runs?step=free']").click()
    place = tab.locator("#explorer-runs")
    place.locator(".rnx-nets").wait_for()
    assert (
        place.get_by_role("button", name="Explore freely").get_attribute("aria-current") == "step"
    )


@pytest.mark.parametrize("button", ["Next: Explore freely", "Explore freely"])
def test_runs_stays_with_its_schedule_when_the_questions_are_over(
    tab: Page, site: str, button: str
) -> None:
    """What is explored freely begins with what the last answer was about, and says so above."""
    place = enter(tab, site, "runs", "step=residual&shown=residual")
    answered = said(place)
    place.get_by_role("button", name=button, exact=True).click()
    drawn(tab)
    schedule = place.get_by_label("Schedule")
    assert schedule.input_value() == widgets.explorer("runs").data()["guided"]
    assert schedule.bounding_box()["y"] < place.locator(".rnx-chart").bounding_box()["y"]
    for each in re.search(r": (.*)\.", answered)[1].split(", "):
        assert each in said(place)


def test_a_question_that_shows_an_answer_has_it_shown(tab: Page, site: str) -> None:
    """The second question's curves answer the first: that is not asked then as if they had not."""
    place = enter(tab, site, "runs")
    place.get_by_role("button", name="2 Overfitting?").click()
    drawn(tab)
    place.get_by_role("button", name="1 Deeper, plain").click()
    drawn(tab)
    assert place.locator(".rnx-ask").count() == 0
    assert place.locator(".rnx-verdict p").count() > 1


def test_a_line_that_ends_early_is_told_so(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs")
    chart = place.locator(".rnx-chart")
    arrows(tab, chart, "ArrowUp")
    commit = place.get_by_role("button", name="Commit")
    assert commit.is_disabled()
    assert place.locator(".rnx-wanting").inner_text() == "Go on to the right edge."
    arrows(tab, chart, "End", "ArrowUp")
    assert commit.is_enabled()
    assert place.locator(".rnx-wanting").inner_text() == ""


def test_a_single_point_is_drawn_as_a_line(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs")
    arrows(tab, place.locator(".rnx-chart"), "End", "ArrowUp")
    place.get_by_role("button", name="Commit").click()
    drawn(tab)
    path = place.locator("[data-line=prediction]")
    assert path.evaluate("each => each.getTotalLength()") > 5


@pytest.mark.parametrize("width", [390, 1280])
def test_the_papers_values_have_names_apart(browser: Browser, site: str, width: int) -> None:
    nets = ["resnet20", "resnet32", "resnet44", "resnet56"]
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        tab = context.new_page()
        state = f"step=free&split=test&paper=1&nets={','.join(nets)}"
        place = enter(tab, site, "runs", state)
        labels = place.locator(".rnx-rule-label").all()
        heights = [float(each.get_attribute("y")) for each in labels]
        frame = place.locator("clipPath rect").first
        bottom = float(frame.get_attribute("height"))
    assert len(heights) == len(nets)
    assert max(heights) < bottom
    heights.sort()
    assert min(b - a for a, b in pairwise(heights)) > 12


@pytest.mark.parametrize("tier", ["short", "paper"])
def test_runs_says_what_is_missing(tab: Page, site: str, tier: str) -> None:
    data = widgets.explorer("runs").data()
    schedule = next(each["id"] for each in data["schedules"] if each["tier"] == tier)
    recorded = {run["net"] for run in data["runs"] if run["schedule"] == schedule}
    nets = "plain20,plain32,resnet20-B,resnet56-C"
    place = enter(tab, site, "runs", f"step=free&schedule={schedule}&nets={nets}")
    absent = [net["name"] for net in data["nets"] if net["name"] not in recorded]
    for name in absent:  # no button, or one that cannot be pressed
        assert not place.locator(f"button.rnx-net[data-net='{name}']:enabled").count()
    depths = {net["depth"] for net in data["nets"] if net["name"] in recorded}
    shown = set(place.locator("button.rnx-net b").all_text_contents())  # the folded ones, too
    assert shown == {str(depth) for depth in depths}, "no column without a record"
    note = place.locator(".rnx-note").last.inner_text()
    assert ("Not recorded yet" in note) == bool(set(nets.split(",")) - recorded)


def test_runs_compares_short_training_with_long(tab: Page, site: str) -> None:
    """The gap of the plain nets in the shorter schedule and in the longer one, from the records."""
    found = runs.data()
    lengths = {each["id"]: each["iterations"] for each in found["schedules"]}
    assert lengths[found["shorter"]] < lengths[found["guided"]]
    place = enter(tab, site, "runs", "step=steps")
    question = place.locator(".rnx-ask").inner_text()
    assert f"{lengths[found['shorter']]:,} iterations" in question
    assert percents(said(place))["plain56"] == pytest.approx(
        curves_of("shorter")["plain56"][-1], abs=0.051
    )
    place.get_by_role("button", name="Just show me").click()
    verdict = answer(place)
    gaps = [curves_of(which) for which in ("shorter", "guided")]
    for ends in gaps:
        assert f"{ends['plain56'][-1] - ends['plain20'][-1]:+.1f}" in verdict
    assert "section 4.1, footnote 3" in verdict
    assert place.locator("path[data-line^='shorter plain56']").count()
    tiers = {each["id"]: each["tier"] for each in found["schedules"]}
    rows = downloaded(tab, place)
    both = {tiers[found["shorter"]], tiers[found["guided"]]}
    assert {row["tier"] for row in rows if row["model"] == "plain56"} == both, "all that is drawn"


def test_runs_goes_on_where_the_next_question_stands(tab: Page, site: str) -> None:
    """By keyboard: the button that was pressed is gone, and the focus is on the new question."""
    place = enter(tab, site, "runs", "shown=plain")
    presses = {
        "Next: Overfitting?": "Does that explain",
        "Just show me": "Thin: training",
        "Predict again": "Does that explain",
    }
    for name, where in presses.items():
        place.get_by_role("button", name=name).focus()
        tab.keyboard.press("Enter")
        tab.wait_for_function(  # the body holds every text, until something in it has the focus
            "document.activeElement !== document.body"
            f" && document.activeElement.innerText.includes({where!r})"
        )


def test_runs_asks_again_with_nothing_answered(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs", "step=overfitting")
    place.get_by_label("Yes, overfitting").check()
    place.get_by_role("button", name="Commit").click()
    assert "You said: Yes" in answer(place)
    place.get_by_role("button", name="Predict again").click()
    drawn(tab)
    assert place.locator(".rnx-gate :checked").count() == 0
    assert place.get_by_role("button", name="Commit").is_disabled()
    place.get_by_label("Yes, overfitting").check()
    assert place.get_by_role("button", name="Commit").is_enabled()


def test_runs_shows_what_was_trained_otherwise(tab: Page, site: str) -> None:
    """Nets whose labels have commas, too; a press shows one, another hides it."""
    place = enter(tab, site, "runs", "step=free")
    button = place.locator("button.rnx-net[data-net='resnet20 scales']")
    assert not button.is_visible(), "the papers' nets come first"
    place.get_by_text("Nets with something changed").click()
    button.click()
    drawn(tab)
    assert button.get_attribute("aria-pressed") == "true"
    assert "ResNet-20, trained on many scales" in said(place)
    tab.wait_for_function("location.hash.includes('scales')")
    tab.reload()
    tab.locator("#explorer-runs[data-ready]").wait_for()
    assert "ResNet-20, trained on many scales" in said(place)
    assert place.locator(".rnx-notice").inner_text() == ""
    button.click()
    assert "scales" not in said(place)


def test_who_comes_back_to_a_page_is_where_they_were(tab: Page, site: str) -> None:
    """Not at the explorer that the address names: it is the last one that was touched."""
    enter(tab, site, "runs", "step=free")
    last = tab.locator(".explorer").last
    last.scroll_into_view_if_needed()
    tab.wait_for_timeout(500)
    tab.reload()
    tab.locator("#explorer-runs[data-ready]").wait_for(state="attached")
    drawn(tab)
    top = tab.locator("#explorer-runs").evaluate("e => e.getBoundingClientRect().top")
    assert top < -200, "above what is seen"


def test_a_depth_that_no_net_has_is_no_view(tab: Page, site: str) -> None:
    """One in the millions froze the page."""
    view = "shown=1&family=cifar&block=basic&depth=6000002"
    place = enter(tab, site, "architecture", view)
    assert place.locator(".rnx-notice").inner_text().startswith("There is no such view")


def test_runs_has_the_papers_value_of_the_test_error_only(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs", "step=free&nets=resnet20,resnet56")
    paper = place.get_by_role("checkbox")
    assert paper.is_disabled()
    place.get_by_role("radio", name="test", exact=True).check()
    drawn(tab)
    paper.check()
    drawn(tab)
    boxes = [each.bounding_box() for each in place.locator(".rnx-rule-label").all()]
    assert len(boxes) == 2
    assert abs(boxes[0]["y"] - boxes[1]["y"]) >= 12, "one label does not lie on the other"


def test_the_papers_value_does_not_stand_beside_other_data(tab: Page, site: str) -> None:
    """Else its error on CIFAR-10 would look like one that was replicated on Fashion-MNIST."""
    other = next(each["id"] for each in runs.data()["schedules"] if each["data"] == "embedded")
    place = enter(tab, site, "runs", f"step=free&split=test&paper=1&schedule={other}")
    assert place.locator("path.rnx-line").count()
    assert place.locator(".rnx-rule").count() == 0
    assert place.get_by_role("checkbox").is_disabled()
    assert "of CIFAR-10 only" in place.locator(".rnx-toggle").inner_text()


@pytest.mark.parametrize("page", [PAGE, CHINESE])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_line_has_its_name_whatever_room_there_is(
    browser: Browser, site: str, width: int, page: str
) -> None:
    """Beside it, or where names are long or many below the chart; none is cut off."""
    found = runs.data()
    usual = {run["net"] for run in found["runs"] if run["schedule"] == found["schedules"][0]["id"]}
    long = next(name for name in usual if name.endswith("(0.5 0.5)"))
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        tab = context.new_page()
        watch = Watch(tab)
        for nets in ([long], ["resnet20", long], sorted(usual)):
            place = enter(tab, site, "runs", f"step=free&nets={','.join(nets)}", page)
            chart = place.locator(".rnx-chart").bounding_box()
            beside, below = place.locator(".rnx-end"), place.locator(".rnx-key li")
            names = beside.all_text_contents() + below.all_text_contents()
            assert len(set(names)) == len(names) == len(nets)
            assert below.count() < len(nets) or len(nets) == 1
            plot = float(place.locator("clipPath rect").get_attribute("width"))
            assert plot > chart["width"] / 3
            boxes = [each.bounding_box() for each in beside.all()]
            for start, length in (("x", "width"), ("y", "height")):
                assert all(chart[start] <= each[start] for each in boxes)
                end = chart[start] + chart[length]
                assert all(each[start] + each[length] <= end for each in boxes)
            rows = sorted(float(each.get_attribute("y")) for each in beside.all())
            assert all(b - a > 13 for a, b in pairwise(rows))
        assert place.locator(".rnx-leader").count(), "a name that makes way is led to its line"
        assert watch.wrong == []


def test_changed_nets_are_told_apart_by_dashes(tab: Page, site: str) -> None:
    nets = [net["name"] for net in runs.data()["nets"] if net["variant"]][:5]
    place = enter(tab, site, "runs", f"step=free&nets={','.join(nets)}")
    dashes = "all => all.map((line) => line.getAttribute('stroke-dasharray'))"
    found = place.locator("path.rnx-line").evaluate_all(dashes)
    assert len(set(found)) == len(found) == len(nets)


def test_names_in_a_chart_lie_above_its_lines(tab: Page, site: str) -> None:
    place = enter(tab, site, "runs", "step=free&split=test&paper=1&nets=resnet20")
    for name in (".rnx-end", ".rnx-rule-label"):
        order = place.locator(name).first.evaluate("each => getComputedStyle(each).paintOrder")
        assert order.startswith("stroke"), "lines do not strike it through"
    below = "svg => [...svg.querySelectorAll('.rnx-line, .rnx-rule-label')].at(-1).textContent"
    assert "in the paper" in place.locator(".rnx-chart svg").evaluate(below)


def test_a_link_leaves_open_what_the_reader_opened(tab: Page, site: str) -> None:
    address = f"{site}/book/01-degradation.html"
    tab.goto(f"{address}#explorer-runs")
    place = tab.locator("#explorer-runs")
    place.get_by_role("button", name="Just show me").click()
    place.locator(".rnx-verdict strong").wait_for()
    tab.locator("article a[href='#explorer-runs?step=free']").click()
    place.locator(".rnx-nets").wait_for()
    place.get_by_role("button", name="1 Deeper, plain").click()
    place.locator(".rnx-verdict strong").wait_for()
    assert not place.locator(".rnx-gate").count()
    tab.goto("about:blank")
    tab.goto(f"{address}#explorer-runs?step=free")
    place.get_by_role("button", name="1 Deeper, plain").click()
    place.locator(".rnx-gate").wait_for()


@pytest.mark.parametrize(
    ("name", "guess", "told"),
    [
        ("deletion", "500", "A number from 0 to 100."),
        ("identity", "4.5", "A whole number from 0 to 22."),
        ("shortcut", "64", "A whole number from 0 to 32."),
        ("architecture", "-3", "A number from 0 to 1000."),
    ],
)
def test_a_guess_that_cannot_be_is_told_so(
    tab: Page, site: str, name: str, guess: str, told: str
) -> None:
    place = enter(tab, site, name)
    place.locator("input[type=number]").first.fill(guess)
    assert place.locator(".rnx-fault").first.inner_text() == told
    assert place.get_by_role("button", name="Commit").is_disabled()
    place.locator("input[type=number]").first.fill("3")
    assert place.locator(".rnx-fault").first.inner_text() == ""


# Architecture.


def test_architecture_asks_for_a_number(tab: Page, site: str) -> None:
    place = enter(tab, site, "architecture")
    assert not place.locator(".rnx-costs").is_visible()
    place.get_by_label("Your prediction").fill("30")
    tab.keyboard.press("Enter")
    verdict = answer(place)
    cost = complexity("resnet152").multiply_adds / 1e9
    assert "You said 30.0 billion" in verdict
    assert f"ResNet-152 needs {cost:.2f} billion" in verdict


@pytest.mark.parametrize(
    ("state", "net"),
    [
        ("family=imagenet&depth=50", "resnet50"),
        ("family=imagenet&depth=34&block=basic&option=A", "resnet34"),
        ("family=cifar&depth=110&block=basic&option=A", "resnet110"),
        ("family=cifar&depth=1202&block=basic&kind=plain", "plain1202"),
        ("family=cifar&depth=164&block=bottleneck&option=A&kind=preactivation", "preresnet164"),
    ],
)
def test_architecture_shows_the_librarys_counts(tab: Page, site: str, state: str, net: str) -> None:
    place = enter(tab, site, "architecture", f"shown=1&{state}")
    cost = complexity(net)
    assert f"{cost.weighted_layers:,} weighted layers" in said(place)
    assert f"{cost.parameters:,} parameters" in said(place)
    assert f"{cost.multiply_adds:,} multiply-adds" in said(place)
    assert place.locator(".rnx-costs tbody tr").count() == len(cost.stages)


def test_architecture_takes_its_imagenet_nets_from_the_library(
    tab: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A depth that is new there needs nothing new on the page."""
    monkeypatch.setitem(IMAGENET_BLOCKS["bottleneck"], 200, (3, 24, 36, 3))
    monkeypatch.setitem(MODELS, "resnet200", ModelConfig.imagenet(200))
    place = alone(tab, name="architecture", data=architecture.data(), state="shown=1")
    place.get_by_label("200", exact=True).check()
    drawn(tab)
    cost = complexity("resnet200")
    told = said(place)
    assert "ResNet-200, option B" in told
    assert "200 weighted layers" in told
    assert f"{cost.parameters:,} parameters, {cost.multiply_adds:,} multiply-adds" in told


def test_architecture_by_keyboard(tab: Page, site: str) -> None:
    """Choose a depth with the arrow keys, open a stage with Enter."""
    place = enter(tab, site, "architecture", "shown=1")
    place.get_by_label("50", exact=True).focus()
    tab.keyboard.press("ArrowRight")
    place.get_by_text("ResNet-101, option B").first.wait_for()
    assert f"{complexity('resnet101').parameters:,} parameters" in said(place)
    place.get_by_role("button", name="conv3_x").focus()
    tab.keyboard.press("Enter")
    place.locator("figure.rnx-block").first.wait_for()
    opened = place.get_by_role("button", name="conv3_x")
    assert opened.get_attribute("aria-expanded") == "true"
    assert tab.evaluate("document.activeElement.dataset.stage") == "conv3_x", "focus stays"
    assert "1×1, 128 /2, 3×3, 128, 1×1, 512" in place.locator(".rnx-diagram").first.get_attribute(
        "aria-label"
    )
    place.get_by_label("CIFAR-10").check()
    slider = place.get_by_role("slider", name="Depth")
    slider.focus()
    tab.keyboard.press("ArrowRight")
    place.get_by_text("ResNet-62, option A").first.wait_for()
    assert MODELS["resnet56"].depth + 6 == 62


def test_architecture_counts_one_block(tab: Page, site: str) -> None:
    state = "shown=1&family=cifar&block=bottleneck&depth=11&option=A"
    texts = enter(tab, site, "architecture", state).locator(".rnx-stages").inner_text()
    assert "1 block" in texts
    assert "1 blocks" not in texts


@pytest.mark.parametrize("width", [390, 320])
def test_architecture_keeps_the_names_of_stages_apart(tab: Page, site: str, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    names = enter(tab, site, "architecture", "shown=1").locator(".rnx-box-name")
    boxes = names.evaluate_all("all => all.map((each) => each.getBoundingClientRect().toJSON())")
    assert len(boxes) == 5
    assert all(a["right"] < b["left"] for a, b in pairwise(boxes))


# Signals.


def test_signals_judges_by_what_was_measured(tab: Page, site: str) -> None:
    data = widgets.explorer("signals").data()
    plain = [net for net in data["nets"] if net["kind"] == "plain" and net["seeds"]][-1]
    first, *_, last = plain["activation_gradient"][0]
    place = enter(tab, site, "signals")
    place.get_by_label("Over 10 times larger").check()
    place.get_by_role("button", name="Commit").click()
    verdict = answer(place)
    told = float(re.search(r"is ([\d,.]+) times", verdict)[1].replace(",", ""))
    assert told == pytest.approx(first / last, rel=0.005)
    assert "You said: Over 10 times larger." in verdict


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "In plain-56 this ratio is not measured. In ResNet-56: 1 times."),
        ("zh", "plain-56 的这个比值未测量。在 ResNet-56 中是 1 倍。"),
    ],
)
def test_signals_judges_nothing_that_is_not_a_number(tab: Page, language: str, told: str) -> None:
    found = signals.data()
    for net in found["nets"]:
        if net["seeds"]:
            net["activation_gradient"][0][0] = net["activation_gradient"][0][-1]
    (plain,) = [net for net in found["nets"] if net["name"] == "plain56"]
    plain["activation_gradient"][0][0] = math.nan
    place = alone(tab, name="signals", data=found, language=language)
    place.locator(".rnx-gate button").last.click()
    assert answer(place).startswith(told)
    assert place.locator(".rnx-verdict strong").count() == 0


def test_signals_moves_through_training(tab: Page, site: str) -> None:
    """The slider by keyboard, the layer by keyboard; compared with the probe's own numbers."""
    state = "shown=1&nets=resnet20&quantity=response_std&scale=linear"
    place = enter(tab, site, "signals", state)
    slider = place.get_by_role("slider", name="Training iteration", exact=True)
    slider.focus()
    tab.keyboard.press("End")
    chart = place.locator(".rnx-chart")
    arrows(tab, chart, "End")
    (net,) = [each for each in signals.data()["nets"] if each["name"] == "resnet20"]
    frame = probes([each for each in load_records() if each.run_id in net["runs"]])
    layer = frame["layer"].max()
    now = frame[(frame["iteration"] == frame["iteration"].max()) & (frame["layer"] == layer)]
    told = re.search(r"layer (\d+): ResNet-20 \(([\w.]+)\) ([\d.]+)\.$", said(place))
    assert (int(told[1]), told[2]) == (layer, now["name"].iloc[0])
    means = now["response_std"]
    assert float(told[3]) == pytest.approx((means.prod()) ** (1 / len(means)), rel=0.006)
    place.get_by_label("sorted by size").check()
    place.locator(".rnx-readout", has_text="rank").wait_for()


def test_signals_leaves_the_table_of_nets_alone_while_it_plays(tab: Page, site: str) -> None:
    """A button that is being pressed stays, and nothing is read out at every moment."""
    place = enter(tab, site, "signals", "shown=1&nets=resnet20")
    net = place.locator("[data-net=resnet20]")
    net.wait_for()
    before = net.element_handle()
    readout = place.locator(".rnx-readout")
    said_before = said(place)
    assert readout.get_attribute("aria-live") == "polite"
    place.get_by_role("button", name="Play").click()
    assert readout.get_attribute("aria-live") == "off"
    place.locator(".rnx-readout", has_not_text=said_before).wait_for()
    assert before.evaluate("button => button.isConnected")
    play = place.get_by_role("button", name=re.compile("Play|Pause"))
    play.evaluate("button => button.textContent === 'Pause' && button.click()")  # or at the end
    drawn(tab)
    assert readout.get_attribute("aria-live") == "polite"


# Train it yourself.


def test_train_reads_out_the_start_and_the_end_only(tab: Page) -> None:
    """How far a run is can be read, and is not told five times a second."""
    data = {"recorded": [], "session": [], "progress": None, "error": ""}
    place = alone(tab, name="train", data=data)
    live = place.locator("[aria-live=polite]")
    told = []
    for iteration in (0, 10, 20):
        progress = {
            "net": "1: plain-8",
            "iteration": iteration,
            "iterations": 40,
            "seconds_left": 5,
        }
        tab.evaluate("data => mounted.update(data)", {**data, "progress": progress})
        told.append(live.inner_text())
        assert f"Iteration {iteration} of 40." in place.inner_text()
    assert told == ["Training 1: plain-8."] * 3
    tab.evaluate("data => mounted.update(data)", {**data, "error": "The loss is no number."})
    assert live.inner_text() == "The loss is no number."
    assert "of 40" not in place.inner_text()


def test_train_shows_recorded_runs_and_says_where_to_train(tab: Page, site: str) -> None:
    place = enter(tab, site, "train")
    data = widgets.explorer("train").data()
    place.locator("path.rnx-line").first.wait_for()
    assert place.locator("path.rnx-line").count() == len(data["recorded"])
    assert "explore.train()" in place.inner_text()
    colab = place.get_by_role("link", name="Open a notebook in Colab")
    assert colab.get_attribute("href").startswith("https://colab.research.google.com/github/")


@pytest.mark.parametrize("name", ALL)
def test_webkit_draws_explorers_that_hear_the_keys(webkit: WebDriver, site: str, name: str) -> None:
    """In WebKit, the engine of Safari, at two widths."""
    from selenium.webdriver import ActionChains, Keys

    webkit.get("about:blank")
    webkit.get(f"{site}/{PAGE}#explorer-{name}")
    place = f"#explorer-{name}"
    wrong = gone_wrong(webkit, f"{place}[data-ready]")
    for button in webkit.find_elements("css selector", f"{place} button"):
        if button.text == "Just show me":
            button.click()
    frames(webkit)
    if name != "architecture":  # its radio buttons stand behind their labels, unseen
        kinds = ".rnx-chart", "[role=slider]", "input[type=range]", "input[type=number]"
        moved = seen(webkit, ", ".join(f"{place} {each}" for each in kinds))

        def lines() -> list[str]:
            told = f"{place} .rnx-readout, {place} [aria-live]"
            return webkit.execute_script(
                "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", told
            )

        before = lines()

        def told_after_a_key() -> bool:
            """On a busy machine the first may come before the page has the focus."""
            webkit.execute_script("arguments[0].focus()", moved)
            now, least = map(moved.get_attribute, ("aria-valuenow", "aria-valuemin"))
            at_start = now is not None and now == least  # or somewhere else, below the pointer
            upwards = at_start or moved.get_attribute("type") == "number"
            ActionChains(webkit).send_keys(Keys.UP if upwards else Keys.LEFT).perform()
            frames(webkit)
            return lines() != before

        until(webkit, told_after_a_key)
    for width in (700, 1280):
        webkit.set_window_size(width, 900)
        until(webkit, lambda width=width: webkit.execute_script("return innerWidth") == width)
        frames(webkit)
    assert wrong() == []
