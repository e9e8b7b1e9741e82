"""Predictions on the built pages: hidden, committed by mouse and keyboard, kept, and never in the
way of a reader without JavaScript, on paper, or with a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator
    from playwright.sync_api import Page as Tab

pytestmark = pytest.mark.browser

PAGE = "book/01-degradation.html"


@pytest.fixture
def tab(browser: Browser, site: str) -> Iterator[Tab]:
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{site}/{PAGE}")
        yield tab


def first(tab: Tab) -> tuple[Locator, Locator]:
    """The first prediction of the page, and its answer."""
    place = tab.locator(".predict").first
    return place, place.locator(".predict-answer")


def test_the_answer_waits_for_the_prediction(tab: Tab) -> None:
    place, answer = first(tab)
    assert answer.is_hidden()
    place.get_by_role("button", name="Commit").click()
    assert answer.is_hidden(), "nothing was chosen"
    choice = place.get_by_role("radio").nth(1)
    said = choice.get_attribute("value")
    choice.check()
    place.get_by_role("button", name="Commit").click()
    assert answer.is_visible()
    assert place.get_by_role("status").inner_text() == f"Your prediction: {said}. The measurement:"
    tab.reload()
    assert answer.is_visible()
    assert said in place.get_by_role("status").inner_text()
    assert choice.is_checked()
    assert place.get_by_role("button").count() == 0


def test_the_keyboard_is_enough(tab: Tab) -> None:
    place, answer = first(tab)
    place.get_by_role("radio").first.focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert answer.is_visible()
    assert tab.evaluate("document.activeElement.className") == "predict-yours"


def test_just_show_me(tab: Tab) -> None:
    place, answer = first(tab)
    place.get_by_role("button", name="Just show me").click()
    assert answer.is_visible()
    assert "Without a prediction" in place.get_by_role("status").inner_text()


def test_a_link_to_what_is_hidden_leads_to_its_question(tab: Tab) -> None:
    place = tab.locator(".predict", has=tab.locator("figure[id]")).first
    answer = place.locator(".predict-answer")
    figure = answer.locator("figure").first.get_attribute("id")
    tab.locator(f'a[href="#{figure}"]').locator("visible=true").first.click()
    focused = "document.activeElement.matches('.predict input')"
    tab.wait_for_function(focused)
    assert place.locator("input").first.evaluate("each => each === document.activeElement")
    assert answer.is_hidden()
    number = answer.locator(".caption-number").first.text_content().strip()
    assert place.locator(".predict-waits").inner_text() == f"{number} comes after your answer."
    tab.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    tab.locator(f'a[href="#{figure}"]').locator("visible=true").first.click()
    tab.wait_for_function(focused)  # once more
    place.get_by_role("button", name="Just show me").click()
    assert place.locator(".predict-waits").is_hidden()


def test_a_broken_address_breaks_nothing(browser: Browser, site: str) -> None:
    with browser.new_context() as context:
        tab, wrong = context.new_page(), []
        tab.on("pageerror", lambda error: wrong.append(error))
        tab.goto(f"{site}/{PAGE}#%E0%A4%A")
        place, answer = first(tab)
        place.get_by_role("button", name="Just show me").click()
        assert answer.is_visible()
        assert wrong == []


def test_on_paper_everything_shows(tab: Tab) -> None:
    place, answer = first(tab)
    tab.emulate_media(media="print")
    assert answer.is_visible()
    assert place.get_by_role("button").count() == 0


def test_without_javascript_everything_shows(browser: Browser, site: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(f"{site}/{PAGE}")
        place, answer = first(tab)
        assert answer.is_visible()
        assert place.get_by_role("button").count() == 0


def test_a_link_to_a_view_that_is_hidden_leads_to_its_question(tab: Tab, site: str) -> None:
    """As somebody else's link to an explorer that comes after the answer does."""
    tab.goto(f"{site}/book/04-shortcut-options.html#explorer-runs?step=free&nets=resnet56-C")
    place = tab.locator(".predict", has=tab.locator("#explorer-runs"))
    told = place.locator(".predict-waits")
    told.wait_for()
    assert told.inner_text() == "What the link leads to comes after your answer."
    assert place.locator(".predict-answer").is_hidden()
    place.get_by_role("button", name="Just show me").click()
    tab.locator("#explorer-runs[data-ready]").wait_for()
    assert tab.locator("#explorer-runs .rnx-readout").inner_text().count("ResNet-56 C") == 1
