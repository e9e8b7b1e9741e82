"""The built book in Chromium: every page, wide and narrow, light and dark, without a network."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import build_book
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

pytestmark = pytest.mark.browser

# Closed dropdowns that are higher than their title.
UNFOLD = (
    "document.querySelectorAll('.toggle-hidden .toggle-button').forEach((each) => each.click())"
)
OPEN_BY_A_GAP = """[...document.querySelectorAll(".toggle-hidden")]
    .filter((each) => each.offsetHeight > each.firstElementChild.offsetHeight + 1)
    .map((each) => each.innerText)"""
VIEWS = [(width, scheme) for width in (1280, 360) for scheme in ("light", "dark")]


class Watch:
    """What goes wrong in a tab: errors in the console, failed loads, requests to other hosts."""

    def __init__(self, tab: Tab) -> None:
        self.wrong: list[str] = []
        tab.on("console", lambda message: self.note(message.type == "error", message.text))
        tab.on("pageerror", lambda error: self.note(True, str(error)))
        tab.on("response", lambda response: self.note(response.status >= 400, response.url))
        tab.on("request", lambda request: self.note(is_foreign(request.url), request.url))

    def note(self, wrong: bool, what: str) -> None:
        if wrong:
            self.wrong.append(what)


def is_foreign(url: str) -> bool:
    """Whether a request leaves the machine."""
    return urlsplit(url).hostname not in (None, "127.0.0.1")


def settle(tab: Tab) -> None:
    """Wait until formulas are set."""
    tab.evaluate("() => window.MathJax?.startup?.promise")


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_pages(browser: Browser, site: str, width: int, scheme: str) -> None:
    """No error, no foreign request, no sideways scrolling, every formula set, figures numbered."""
    view = {"width": width, "height": 800}
    with browser.new_context(viewport=view, color_scheme=scheme) as context:
        tab = context.new_page()
        watch = Watch(tab)
        for name in [*build_book.pages(), "search"]:
            tab.goto(f"{site}/{name}.html")
            settle(tab)
            tab.evaluate(UNFOLD)
            assert watch.wrong == [], name
            assert tab.evaluate("document.documentElement.dataset.theme") == scheme, name
            sizes = tab.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            assert sizes[0] <= sizes[1], (name, sizes)
            formulas = tab.locator("article .math").count()
            assert tab.locator("article mjx-container").count() >= formulas, name
            assert tab.locator("mjx-merror, mjx-container [data-mjx-error]").count() == 0, name
            for caption in tab.locator("figure figcaption .caption-number").all_inner_texts():
                assert caption.startswith("Figure "), name
            unnumbered = "figure.notebook-figure:not(:has(.caption-number))"
            assert tab.locator(unnumbered).count() == 0, name
            assert tab.evaluate(OPEN_BY_A_GAP) == [], name


@pytest.mark.parametrize("name", ["03-plain-and-residual", "05-bottleneck"])
def test_a_box_is_opened_by_a_button_of_its_name(browser: Browser, site: str, name: str) -> None:
    """Who hears the page hears which hint or solution it is."""
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/{name}.html")
        boxes = tab.locator(".admonition.dropdown")
        titles = boxes.locator("> .admonition-title").all_inner_texts()
        assert any(title.startswith("Solution to Exercise") for title in titles)
        for box, title in zip(boxes.all(), titles, strict=True):
            button = box.get_by_role("button", name=title.strip(), exact=True)
            assert button.get_attribute("aria-expanded") == "false", title


@pytest.mark.parametrize("name", ["index", "index.zh"])
def test_the_start_page_asks_before_it_shows(
    browser: Browser, site: str, book: Path, name: str
) -> None:
    """Its plain figure has the answer: not while the explorer loads, nor where it cannot."""
    figure = "#explorer-runs .rn-figure >> nth=0"
    with browser.new_context() as context:
        tab = context.new_page()
        held = []
        tab.route("**/*.json", lambda route: held.append(route))
        tab.goto(f"{site}/book/{name}.html")
        tab.locator("#explorer-runs").scroll_into_view_if_needed()
        tab.wait_for_function("() => document.querySelector('#explorer-runs .rn-figure')")
        assert not tab.locator(figure).is_visible()
        for _ in range(600):
            if not held:
                tab.wait_for_timeout(50)
        held[0].continue_()
        tab.locator("#explorer-runs .rnx-ask").wait_for()
        assert not tab.locator(figure).is_visible()
        tab.unroute("**/*.json")
        tab.route("**/*.json", lambda route: route.abort())
        for address in (f"{site}/book/{name}.html", f"file://{book}/book/{name}.html"):
            tab.goto(address)
            tab.locator("#explorer-runs").scroll_into_view_if_needed()
            tab.locator("#explorer-runs summary").click()
            assert tab.locator(figure).is_visible()
            assert tab.locator("#explorer-runs .explorer-hint").is_visible()
        tab.route("**/explorer-host.*.js", lambda route: route.abort())
        tab.goto(f"{site}/book/{name}.html")
        tab.locator(figure).wait_for()
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/{name}.html")
        assert tab.locator(figure).is_visible()


def test_the_start_leads_to_the_book(browser: Browser, site: str) -> None:
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/")
        tab.wait_for_url("**/book/index.html")


@pytest.mark.parametrize("served", [True, False])
def test_search_finds(browser: Browser, site: str, book: Path, served: bool) -> None:
    """From the served folder and from the files themselves."""
    start = site if served else book.as_uri()
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{start}/search.html?q=degradation")
        result = tab.locator("#search-results li a", has_text="Degradation").first
        result.wait_for()
        assert "degradation" in result.get_attribute("href")


@pytest.mark.parametrize(
    ("words", "page"),
    [("ledger", "book/ledger"), ("bottleneck", "book/05-bottleneck"), ("terms", "book/terms")],
)
def test_search_finds_the_page_of_that_name_first(
    browser: Browser, site: str, words: str, page: str
) -> None:
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/search.html?q={words}")
        first = tab.locator("#search-results li a").first
        first.wait_for()
        assert page in first.get_attribute("href")


def test_search_finds_chinese(browser: Browser, site: str) -> None:
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/search.html?q=梯度")
        tab.locator('#search-results li a[href*="book/01-degradation"]').first.wait_for()
        tab.goto(f"{site}/search.html?q=度梯")
        tab.locator("#search-results", has_text="did not match").wait_for()


def test_a_link_to_another_view_takes_the_place_of_the_address(browser: Browser, site: str) -> None:
    """Going back leaves the page, and never an address beside a view of another."""
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/index.html")
        tab.goto(f"{site}/book/playground.html")
        tab.locator("#playground[data-ready]").wait_for()
        tab.locator('a[href="#playground?lesson=plain-8-20"]').first.click()
        tab.wait_for_function("location.hash.includes('plain-8-20')")
        tab.go_back()
        tab.wait_for_url("**/book/index.html")


def test_search_shows_where_the_words_stand_together(browser: Browser, site: str) -> None:
    """Not where the first of them stands first, and no words of the page's contents or links."""
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/search.html?q=warm-up")
        excerpt = tab.locator('li:has(> a[href*="book/06-training.html"]) p.context').first
        assert "warm-up" in excerpt.inner_text()
        assert len(excerpt.inner_text()) < 260
        tab.goto(f"{site}/search.html?q=shattered+gradients")
        excerpt = tab.locator('li:has(> a[href*="book/01-degradation.html"]) p.context').first
        assert re.search(r"gradients shattered|shattered gradients", excerpt.inner_text())
        told = tab.locator("#search-results p.context").all_inner_texts()
        assert told
        assert not any("previous" in each and "next" in each for each in told)


SHIFTS = """
window.moved = 0;
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.moved += each.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def test_the_playground_moves_nothing_when_it_comes(browser: Browser, site: str) -> None:
    """Its place has its height before: a shift of layout below 0.1, which counts as good."""
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        context.add_init_script(SHIFTS)
        tab = context.new_page()
        tab.goto(f"{site}/book/playground.html")
        tab.locator("#playground[data-ready]").wait_for()
        tab.wait_for_timeout(500)
        assert tab.evaluate("window.moved") < 0.1


@pytest.mark.parametrize("width", [1280, 360])
def test_search_boxes_are_legible(browser: Browser, site: str, width: int) -> None:
    """The icon lies beside the text, on the page of results and in the dialog."""
    overlap = """form => {
        const icon = form.querySelector("i").getBoundingClientRect();
        return icon.right > form.querySelector("input").getBoundingClientRect().left;
    }"""
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        tab = context.new_page()
        tab.goto(f"{site}/search.html")
        assert not tab.locator("article form.bd-search, main form.bd-search").first.evaluate(
            overlap
        )
        tab.goto(f"{site}/book/index.html")
        tab.locator(".search-button__button:visible").first.click()
        assert not tab.locator("dialog[open] form.bd-search").evaluate(overlap)


@pytest.mark.parametrize("name", ["book/01-degradation", "notebooks/01-degradation"])
def test_pages_work_as_files(browser: Browser, book: Path, name: str) -> None:
    with browser.new_context() as context:
        tab = context.new_page()
        watch = Watch(tab)
        tab.goto(f"{book.as_uri()}/{name}.html")
        settle(tab)
        assert watch.wrong == []
        assert tab.locator("mjx-container").count() > 0


def test_the_theme_can_be_chosen(browser: Browser, site: str) -> None:
    with browser.new_context(color_scheme="light") as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/index.html")
        seen = set()
        for _ in range(3):
            tab.locator(".theme-switch-button:visible").first.click()
            theme = tab.evaluate("document.documentElement.dataset.theme")
            seen.add((theme, tab.evaluate("getComputedStyle(document.body).backgroundColor")))
        assert {theme for theme, _ in seen} == {"light", "dark"}
        assert len({colour for _, colour in seen}) == 2


def test_figures_follow_the_theme(browser: Browser, site: str) -> None:
    """The text of a figure has the colour of the page's text, light and dark."""
    for scheme in ("light", "dark"):
        with browser.new_context(color_scheme=scheme) as context:
            tab = context.new_page()
            for name, figure in (("book", "figure.notebook-figure"), ("notebooks", ".cell_output")):
                tab.goto(f"{site}/{name}/01-degradation.html")
                text = tab.locator(f"{figure} svg text").first
                colour = text.evaluate("each => getComputedStyle(each).fill")
                base = tab.locator("article p").first
                assert colour == base.evaluate("each => getComputedStyle(each).color"), scheme


def test_the_ledgers_choices_hide_the_rest(browser: Browser, site: str) -> None:
    """For all pairs: the claims that are both are seen, no empty group is, and none is said."""
    seen = """([verdict, kind]) => {
      for (const id of [verdict, kind]) document.getElementById(id).checked = true;
      const all = (what) => [...document.querySelectorAll(what)].filter((e) => e.checkVisibility());
      const is = (claim, name) => name.endsWith("-all") || claim.classList.contains(name);
      const claims = [...document.querySelectorAll(".claim")];
      return {
        wanted: claims.filter((e) => is(e, verdict) && is(e, kind)).map((e) => e.id),
        shown: all(".claim").map((e) => e.id),
        empty: all(".ledger-group").filter((e) => !all(".claim").some((c) => e.contains(c))).length,
        told: all(".ledger-none").length,
      };
    }"""
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/ledger.html")
        choices = [
            tab.locator(f"[name=ledger-{name}]").evaluate_all("all => all.map((e) => e.id)")
            for name in ("verdict", "kind")
        ]
        found = {pair: tab.evaluate(seen, list(pair)) for pair in product(*choices)}
    for pair, page in found.items():
        assert page["shown"] == page["wanted"], pair
        assert page["empty"] == 0, pair
        assert page["told"] == (not page["wanted"]), pair
    assert len({len(page["shown"]) for page in found.values()}) > 5


def test_the_ledgers_choices_are_kept_and_give_way_to_links(browser: Browser, site: str) -> None:
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/ledger.html")
        tab.locator("#verdict-does-not-hold").check(force=True)
        assert tab.locator("#claim-24b").is_visible()
        assert tab.locator("#claim-13").is_hidden()
        for kind in ("count", "run", "proof"):  # what each choice would leave
            left = tab.locator(f".claim.verdict-does-not-hold.kind-{kind}").count()
            label = tab.locator(f"label:has(#kind-{kind})")
            assert label.locator("small").inner_text() == str(left)
            assert (label.get_attribute("class") == "leaves-none") == (left == 0)
        tab.reload()
        assert "verdict=does-not-hold" in tab.url
        assert tab.locator("#claim-13").is_hidden()
        tab.evaluate("location.hash = 'claim-13'")
        tab.locator("#claim-13").wait_for()
        assert "verdict" not in tab.url


def test_the_ledgers_choices_outlive_the_claim_that_the_address_names(
    browser: Browser, site: str
) -> None:
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/ledger.html#claim-24b")
        tab.locator("label:has(#verdict-holds)").click()
        assert not tab.locator("#claim-24b").is_visible()
        tab.reload()
        assert tab.locator("#verdict-holds").is_checked()
        assert not tab.locator("#claim-24b").is_visible()


def test_a_count_of_verdicts_leads_to_those_claims(browser: Browser, site: str) -> None:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/index.html")
        tab.locator(".ledger-tally a.verdict-does-not-hold").click()
        tab.wait_for_url("**/ledger.html?verdict=does-not-hold#ledger-filters")
        tab.locator("#verdict-does-not-hold:checked").wait_for(state="attached")
        box = tab.locator(".ledger-filters").bounding_box()
        assert 0 <= box["y"] < 300
        assert tab.locator("#claim-24b").is_visible()


def test_without_scripts_a_page_has_the_light_scheme(browser: Browser, site: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/04-shortcut-options.html")
        colour = "e => getComputedStyle(e).getPropertyValue('--pst-color-background').trim()"
        assert tab.locator("html").get_attribute("data-theme") == "light"
        assert tab.locator("html").evaluate(colour)


def test_search_opens_the_exercises_it_finds(browser: Browser, site: str) -> None:
    with browser.new_context() as context:
        tab, wrong = context.new_page(), []
        tab.on("pageerror", lambda error: wrong.append(error))
        tab.goto(f"{site}/search.html?q=warm-up")
        tab.locator("#search-results li p").first.wait_for()
        tab.wait_for_load_state("networkidle")
        assert wrong == []


def test_downloads_arrive(browser: Browser, site: str) -> None:
    """The notebook's button hands out the notebook, the start page's link the archive."""
    with browser.new_context(accept_downloads=True) as context:
        tab = context.new_page()
        tab.goto(f"{site}/book/index.html")
        with tab.expect_download() as started:
            tab.locator(f'article a[href$="{build_book.ARCHIVE}"]').first.click()
        assert started.value.suggested_filename == build_book.ARCHIVE
        assert Path(started.value.path()).stat().st_size > 1_000_000
