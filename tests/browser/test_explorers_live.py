"""Identity, deletion, shortcut and crops in the built book, by mouse and by keyboard.

The numbers they show are compared with PyTorch, with the archive, and with the nets' own maps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from on_page import AXE, PAGE, answer, downloaded, drawn, enter, said
from test_pages import Watch

from resnet_lib import widgets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

NAMES = ("identity", "deletion", "shortcut", "crops")


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab in which nothing may go wrong."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, accept_downloads=True
    ) as each:
        tab = each.new_page()
        watch = Watch(tab)
        yield tab
        assert watch.wrong == []


def numbers(text: str) -> list[float]:
    """The numbers in a sentence of the page."""
    found = re.findall(r"-?\d+(?:\.\d+)?", text.replace("\N{MINUS SIGN}", "-").replace(",", ""))
    return [float(each) for each in found]


def percent(value: float) -> str:
    """A percentage as the pages print it."""
    return f"{value:.1f}%"


def says(place: Locator, text: str) -> str:
    """Wait until the text line holds a text, and return the line."""
    place.locator(".rnx-readout", has_text=text).wait_for()
    return said(place)


@pytest.mark.parametrize("name", NAMES)
def test_it_asks_first(tab: Page, site: str, name: str) -> None:
    """Nothing is told before the reader has answered or asked to be shown."""
    place = enter(tab, site, name)
    assert place.locator(".rnx-gate").is_visible()
    assert place.get_by_role("button", name="Commit").is_disabled()
    assert not place.locator(".rnx-verdict").is_visible()
    assert not place.locator(".rnx-readout").is_visible()
    download = place.get_by_role("button", name="Download")
    assert not download.is_visible(), "its data are the answer"
    place.get_by_role("button", name="Just show me").click()
    place.locator(".rnx-verdict").wait_for()
    assert download.is_visible()
    assert "You said" not in answer(place)
    assert not place.locator(".rnx-gate").is_visible()


def test_identity_by_keyboard(tab: Page, site: str) -> None:
    module = widgets.explorer("identity")
    x = module.picture(module.data())
    place = enter(tab, site, "identity")
    place.locator("[data-guess=plain]").focus()
    tab.keyboard.type("18")
    tab.keyboard.press("Tab")
    tab.keyboard.type("3")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    place.locator(".rnx-verdict", has_text="You said 18 for the plain block and 3").wait_for()
    drawn(tab)  # the verdict takes the focus
    for press in ("1 in the middles, 0 around", "Undo BN"):
        place.get_by_role("button", name=press).focus()
        tab.keyboard.press("Enter")
    assert numbers(says(place, "A copy."))[2:4] == [1.0, 0.0]  # likeness and largest difference
    # A number typed by hand: the same in PyTorch.
    place.locator("[data-weight='0']").fill("0.5")
    place.locator(".rnx-readout", has_not_text="A copy.").wait_for()
    text = says(place, "20 of 22")  # the first scales were at 1 already
    block = module.blocks("plain", 1, 0)[0]
    with torch.no_grad():
        module.solve(block, x, "plain")
        block.conv1.weight[0, 0, 0, 0] = 0.5
        expected = module.likeness(block.train()(x), x)
    assert numbers(text)[2] == pytest.approx(expected, abs=0.0051)
    assert len(downloaded(tab, place)) == 44


def test_identity_shrunken_kernels_change_nothing_under_bn(tab: Page, site: str) -> None:
    place = enter(tab, site, "identity", "shown=1&kind=residual")
    before = numbers(said(place))[2:]
    place.get_by_role("button", name="Kernels / 10").click()
    after = numbers(says(place, "18 of 22"))[2:]
    assert after == pytest.approx(before, abs=0.02)
    assert before[0] < 0.99
    place.get_by_role("button", name="Last").click()
    says(place, "A copy.")


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_identity_shows_every_number_whole(tab: Page, site: str, width: int) -> None:
    """Wide, the layers stand side by side; a phone's keyboard has a minus for the numbers."""
    tab.set_viewport_size({"width": width, "height": 800})
    place = enter(tab, site, "identity", "shown=1")
    place.get_by_role("button", name="Kernels / 10").click()
    says(place, "18 of 22")
    weights = place.locator(".rnx-weight")
    assert "-0.057" in weights.evaluate_all("all => all.map((each) => each.value)")
    cut = "all => all.filter((each) => each.scrollWidth > each.clientWidth).length"
    assert weights.evaluate_all(cut) == 0
    assert weights.first.get_attribute("inputmode") is None
    first, second = (each.bounding_box() for each in place.locator(".rnx-layer").all())
    assert (first["y"] == second["y"]) == (width == 1280)


def test_identity_slides_from_the_copy(tab: Page, site: str) -> None:
    """By keyboard, at each share: the likeness that PyTorch computes."""
    module = widgets.explorer("identity")
    x = module.picture(module.data())
    place = enter(tab, site, "identity", "shown=1")
    place.get_by_role("button", name="2 Move away").click()
    slider = place.get_by_role("slider", name="Weights on the way")
    for key, share in ((None, 20), ("ArrowRight", 25), ("Home", 0), ("End", 100)):
        if key:
            slider.focus()
            tab.keyboard.press(key)
        text = says(place, f"{share}% of the way, after 27 blocks")
        expected = [
            module.likeness(module.outputs(x, kind, 27, share / 100, 0)[-1], x)
            for kind in ("plain", "residual")
        ]
        assert numbers(text)[2:] == pytest.approx(expected, abs=0.0051)
    chart = place.locator(".rnx-chart")
    chart.focus()
    tab.keyboard.press("ArrowLeft")
    says(place, "after 26 blocks")
    rows = downloaded(tab, place)
    assert len(rows) == 2 * 28
    assert {row["share_percent"] for row in rows} == {"100"}


def test_deletion_by_mouse_and_keyboard(tab: Page, site: str) -> None:
    module = widgets.explorer("deletion")
    data = module.data()
    if not data["nets"]:
        pytest.skip("No deletions are recorded.")
    nets = module.pair(data)
    place = enter(tab, site, "deletion")
    for net in nets:
        place.locator(f"[data-guess={net['kind']}]").fill("50")
    place.get_by_role("button", name="Commit").click()
    verdict = answer(place)
    assert verdict.count("You said 50") == len(nets)
    for net in nets:
        assert percent(np.median(module.by_count(net)[1])) in verdict
    assert numbers(said(place).partition(":")[2])[1::2] == [
        pytest.approx(net["intact"], abs=0.051) for net in nets
    ]
    first = next(i for i, each in enumerate(nets[0]["blocks"]) if each["error"] is not None)
    block = place.locator(f"[data-block='{first}']")
    block.click()
    text = says(place, "Without")
    for net in nets:
        assert percent(net["blocks"][first]["error"]) in text
    tab.wait_for_function(f"location.hash.includes('deleted={first}')")
    # On by keyboard: put back, walk to the next, delete it.
    block.focus()
    tab.keyboard.press("Space")
    says(place, "All blocks in place")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Space")
    second = int(tab.evaluate("document.activeElement.dataset.block"))
    assert second > first
    text = says(place, "Without")
    for net in nets:
        assert percent(net["blocks"][second]["error"]) in text


def test_deletion_shows_recorded_sets_only(tab: Page, site: str) -> None:
    module = widgets.explorer("deletion")
    nets = module.pair(module.data())
    if not nets:
        pytest.skip("No deletions are recorded.")
    recorded = nets[0]["sets"][0]["blocks"]
    place = enter(tab, site, "deletion", f"shown=1&deleted={','.join(map(str, recorded))}")
    for net in nets:
        error = next(each["error"] for each in net["sets"] if each["blocks"] == recorded)
        assert percent(error) in said(place)
    free = [i for i, each in enumerate(nets[0]["blocks"]) if each["error"] is not None]
    sets = {tuple(each["blocks"]) for each in nets[0]["sets"]}
    other = next(
        (a, b) for a in free for b in free if a < b and (a, b) not in sets and len(free) > 3
    )
    place = enter(tab, site, "deletion", f"shown=1&deleted={other[0]},{other[1]}")
    assert "was not measured" in said(place)
    place.get_by_role("button", name="Nearest recorded set").click()
    place.locator(".rnx-readout", has_not_text="was not measured").wait_for()
    rows = downloaded(tab, place)
    assert len(rows) == sum(1 + len(free) + len(net["sets"]) for net in nets)


def test_deletion_offers_what_can_be_done(tab: Page, site: str) -> None:
    """There is no other block before there is one, and nothing to put back."""
    place = enter(tab, site, "deletion", "shown=1")
    back = place.get_by_role("button", name="Put all back")
    assert back.is_disabled()
    place.get_by_role("button", name="A single block").click()
    says(place, "Without")
    assert place.get_by_role("button", name="Another single block").is_visible()
    back.press("Enter")
    says(place, "All blocks in place")
    assert back.is_disabled()
    tab.wait_for_function("document.activeElement.textContent === 'A single block'")


def test_deletion_leaves_the_focus_where_it_goes_on(tab: Page, site: str) -> None:
    """The button for the nearest set is gone once it was pressed."""
    place = enter(tab, site, "deletion", "shown=1&deleted=1,2,3")
    assert "was not measured" in said(place)
    place.get_by_role("button", name="Nearest recorded set").press("Enter")
    says(place, "Without")
    tab.wait_for_function("document.activeElement.textContent.startsWith('Another')")


def test_deletion_says_the_numbers_of_a_block(tab: Page, site: str) -> None:
    """Of the one under the pointer or with the focus, of one that must stay, too."""
    module = widgets.explorer("deletion")
    net = module.pair(module.data())[0]
    place = enter(tab, site, "deletion", "shown=1&deleted=3")
    line = place.locator(".rnx-ofblock")

    def response(block: int) -> str:
        return f"response of plain-{net['depth']} {net['blocks'][block]['response']:.2f}"

    assert response(3) in line.inner_text(), "the one that is chosen"
    place.locator("[data-block='5']").hover()
    assert response(5) in line.inner_text()
    locked = next(i for i, each in enumerate(net["blocks"]) if each["error"] is None)
    place.locator(f"[data-block='{locked - 1}']").focus()
    tab.keyboard.press("ArrowRight")
    assert response(locked) in line.inner_text()
    assert "cannot be deleted" in line.inner_text()
    tab.keyboard.press("Space")
    assert "Without conv2_x 4:" in said(place)
    highest = max(each["response"] for net in module.pair(module.data()) for each in net["blocks"])
    assert f"the highest: {highest:.2f}" in place.locator(".rnx-legend").inner_text()


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("deletion", "shown=1&deleted=3,5"),
        ("crops", "shown=1&one=3"),
        ("identity", "shown=1&step=slide&depth=9"),
    ],
)
def test_pointing_at_a_chart_reads_out_and_chooses_nothing(
    tab: Page, site: str, name: str, state: str
) -> None:
    place = enter(tab, site, name, state)
    before, address = said(place), tab.url
    chart = place.locator(".rnx-chart")
    chart.hover(position={"x": 300, "y": 90})
    place.locator(".rnx-readout", has_not_text=before).wait_for()
    tab.wait_for_timeout(400)  # an address is written after 200 ms
    assert tab.url == address
    place.locator(".rnx-note").last.hover()
    says(place, before)
    chart.click(position={"x": 300, "y": 90})
    tab.wait_for_function("address => location.href !== address", arg=address)


def test_what_was_said_stands_beside_what_was_asked_about(tab: Page, site: str) -> None:
    place = enter(tab, site, "deletion")
    for each in place.locator("input[type=number]").all():
        each.fill("50")
    place.get_by_role("button", name="Commit").click()
    assert answer(place).count("You said 50") == 2
    depth = place.get_by_label("Depth")
    asked = depth.input_value()
    depth.select_option("20")
    assert "You said" not in answer(place)
    depth.select_option(asked)
    assert answer(place).count("You said 50") == 2
    place = enter(tab, site, "crops")
    place.locator("input[value=down]").check()
    place.get_by_role("button", name="Commit").click()
    assert "You said" in answer(place)
    place.get_by_label("all", exact=True).check()
    assert "You said" not in answer(place)
    place.get_by_label("37", exact=True).check()
    assert "You said" in answer(place)
    place.locator("select").select_option(index=1)
    assert "You said" not in answer(place)


def test_shortcut_adds_up(tab: Page, site: str) -> None:
    """A channel and a pixel, by pointer and by arrow keys: the values are the maps'."""
    module = widgets.explorer("shortcut")
    data = module.data()
    block = data["nets"][0]["blocks"]["conv3_x.0"]
    place = enter(tab, site, "shortcut")
    place.locator(".rnx-gate input").fill("8")
    tab.keyboard.press("Enter")
    place.locator(".rnx-verdict", has_text="You said 8. It is 16 of 32").wait_for()
    maps = [module.unpacked(block, part) for part in ("shortcut", "branch", "output")]

    def shown(channel: int, row: int, column: int) -> None:
        text = says(place, f"Channel {channel}, row {row}, column {column}:")
        expected = [float(each[channel - 1, row - 1, column - 1]) for each in maps]
        assert numbers(text)[3:6] == pytest.approx(expected, abs=0.0101)

    box = place.locator(".rnx-map").nth(1)
    size = box.bounding_box()
    box.hover(position={"x": size["width"] * 2.5 / 16, "y": size["height"] * 4.5 / 16})
    shown(1, 5, 3)
    place.locator(".rnx-sum").focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowRight")
    shown(1, 6, 4)
    slider = place.get_by_role("slider", name="Channel")
    slider.focus()
    tab.keyboard.press("End")
    shown(32, 6, 4)
    assert "carries nothing" in said(place)
    sheet = place.locator(".rnx-sheet").first
    size = sheet.bounding_box()
    sheet.click(position={"x": size["width"] * 6.5 / 16, "y": size["height"] * 0.5 / 2})
    shown(7, 6, 4)
    tab.wait_for_function("location.hash.includes('channel=7')")
    rows = downloaded(tab, place)
    assert len(rows) == 32 * 16 * 16
    row = rows[6 * 256 + 5 * 16 + 3]
    assert float(row["output"]) == pytest.approx(float(maps[2][6, 5, 3]), abs=0.0101)


def test_on_a_phone_a_sum_stays_in_one_line_and_a_slider_is_hit(tab: Page, site: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 800})
    place = enter(tab, site, "shortcut", "shown=1")
    told = place.locator(".rnx-readout").text_content()
    assert re.search(r"ReLU\(\S+\u00a0\+\u00a0\S+\) = ", told)
    assert place.get_by_role("slider", name="Channel").bounding_box()["height"] >= 30


def test_pointing_at_a_pixel_reads_out_and_chooses_nothing(tab: Page, site: str) -> None:
    place = enter(tab, site, "shortcut", "shown=1")
    address = tab.url
    box = place.locator(".rnx-map").first
    size = box.bounding_box()
    at = {"x": size["width"] * 2.5 / 16, "y": size["height"] * 4.5 / 16}
    box.hover(position=at)
    says(place, "row 5, column 3")
    tab.wait_for_timeout(400)  # an address is written after 200 ms
    assert tab.url == address
    box.click(position=at)
    tab.wait_for_function("location.hash.includes('at=')")


def test_a_finger_that_scrolls_chooses_no_pixel(tab: Page, site: str) -> None:
    """Drawn up and down it scrolls; a tap, or one drawn sideways, chooses."""
    place = enter(tab, site, "shortcut", "shown=1")
    draw = """(map, [across, down]) => {
        const { left, top } = map.getBoundingClientRect();
        const send = (type, clientX, clientY) => map.dispatchEvent(new PointerEvent(type, {
            pointerType: "touch", pointerId: 7, bubbles: true, clientX, clientY,
        }));
        send("pointerdown", left + 5, top + 5);
        if (across || down) send("pointermove", left + 5 + across, top + 5 + down);
        const end = down ? "pointercancel" : "pointerup";
        send(end, left + 5 + across, top + 5 + down);
    }"""
    box = place.locator(".rnx-map").first
    before = said(place)
    box.evaluate(draw, [0, 40])
    assert said(place) == before
    box.evaluate(draw, [0, 0])
    says(place, "row 1, column 1:")
    box.evaluate(draw, [60, 0])
    assert "column 1:" not in said(place)


def test_crops_average(tab: Page, site: str) -> None:
    module = widgets.explorer("crops")
    data = module.data()
    scale = module.default_scale(data)
    values = np.array([each["scores"] for each in scale["crops"]])
    cat = data["classes"].index("cat")
    place = enter(tab, site, "crops")
    assert values[0, cat] > 99
    assert not place.locator("input[value=up]").count(), "what is at 100% cannot rise"
    place.locator("input[value=down]").focus()
    tab.keyboard.press("Space")
    place.get_by_role("button", name="Commit").click()
    place.locator(".rnx-verdict", has_text="You said: it falls by up to 10 points.").wait_for()
    verdict = answer(place)
    assert "evens them out" not in verdict, "the centre crop alone is surer"
    assert percent(values[0, cat]) in verdict
    assert percent(values[:, cat].mean()) in verdict
    slider = place.get_by_role("slider", name="Crops averaged")
    slider.focus()
    for count in (9, 8, 7):
        tab.keyboard.press("ArrowLeft")
        text = says(place, f"Average of {count} crops")
        best = values[:count].mean(0)
        assert f"{data['classes'][best.argmax()]} {percent(best.max())}" in text
    place.locator("[data-crop='5']").click()
    alone = says(place, "Crop 6 alone (centre, mirrored")
    assert f"{data['classes'][values[5].argmax()]} {percent(values[5].max())}" in alone
    assert len(downloaded(tab, place)) == 10 * len(data["classes"])


@pytest.mark.parametrize(("one", "side"), [(2, 32), (42, 91)])
def test_crops_are_cut_from_the_picture_that_is_shown(
    tab: Page, site: str, one: int, side: int
) -> None:
    """Each scale's own pixels, and a box on them that ends where the picture does: top right."""
    data = widgets.explorer("crops").data()
    place = enter(tab, site, "crops", f"shown=1&scale=all&one={one}")
    says(place, f"Crop {one + 1} alone (top right; shorter side {side})")
    size = "async each => { await each.decode(); return [each.naturalHeight, each.naturalWidth]; }"
    scale = data["nets"][0]["scales"][data["sides"].index(side)]
    shown = place.locator(".rnx-photo img").evaluate(size)
    assert shown == [scale["height"], scale["width"]]
    assert place.locator(".rnx-scored b").inner_text() == f"Crop {one + 1} alone"
    box = place.locator(".rnx-cut-now")
    left, top, width = (float(box.get_attribute(each)) for each in ("x", "y", "width"))
    assert top == 0
    assert left + width == pytest.approx(data["picture"]["width"])
    place.get_by_role("button", name="back to the average").click()
    drawn(tab)
    assert re.fullmatch(r"Average of \d+ crops", place.locator(".rnx-scored b").inner_text())
    assert place.get_by_role("button", name="back to the average").is_hidden()
    assert place.locator(".rnx-slider input").evaluate("e => e === document.activeElement")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("deletion", "shown=1&depth=21"),
        ("architecture", "shown=1&family=cifar&depth=57"),
        ("architecture", "shown=1&family=imagenet&depth=56"),
    ],
)
def test_an_address_of_a_depth_that_is_not_there_is_told_so(
    tab: Page, site: str, name: str, address: str
) -> None:
    place = enter(tab, site, name, address)
    assert place.locator(".rnx-notice").inner_text()
    assert "Not measured" not in place.locator(".rnx-note").first.inner_text()


def test_a_depth_between_the_stops_is_shown_as_it_is(tab: Page, site: str) -> None:
    place = enter(tab, site, "architecture", "shown=1&family=cifar&block=basic&option=A&depth=128")
    assert place.get_by_role("slider").get_attribute("aria-valuetext") == "128 = 6\u00b721+2"
    assert "ResNet-128" in place.locator(".rnx-readout").inner_text()


def test_no_more_than_ten_blocks_can_go(tab: Page, site: str) -> None:
    first = ",".join(map(str, range(1, 9)))
    place = enter(tab, site, "deletion", f"shown=1&deleted={first},10,11")
    assert "At most 10 blocks can go." in said(place)
    other = place.locator("[data-block='12']")
    assert other.get_attribute("aria-disabled") == "true"
    other.click(force=True)
    assert other.get_attribute("aria-pressed") == "false"
    place.locator("[data-block='10']").click()
    tab.wait_for_function("!location.hash.includes('10')")
    assert "At most" not in said(place)


@pytest.mark.parametrize("name", NAMES)
def test_an_address_brings_the_view_back(tab: Page, site: str, name: str) -> None:
    states = {
        "identity": "step=slide&shown=1&depth=9&share=5",
        "deletion": "shown=1&deleted=2",
        "shortcut": "shown=1&block=conv4_x.0&channel=40",
        "crops": "shown=1&scale=all&count=12",
    }
    place = enter(tab, site, name, states[name])
    first = said(place)
    assert len(numbers(first)) > 1
    tab.reload()
    tab.locator(f"#explorer-{name}[data-ready]").wait_for()
    assert said(place) == first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_pages_hold_them_and_nothing_is_inaccessible(
    browser: Browser, site: str, scheme: str
) -> None:
    """All four opened at 360 pixels: no sideways scrolling, and axe-core finds nothing serious."""
    opened = {"identity": "shown=1&step=slide", "deletion": "shown=1&deleted=1,2"}
    opened["crops"] = "shown=1&count=3"
    view = {"viewport": {"width": 360, "height": 800}, "color_scheme": scheme}
    with browser.new_context(**view, reduced_motion="reduce") as context:
        tab = context.new_page()
        for name in NAMES:
            for state in ("", "shown=1", opened.get(name, "shown=1")):
                enter(tab, site, name, state)
                sizes = tab.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
                assert sizes[0] <= sizes[1], (name, state, sizes)
                if not AXE.is_file():
                    continue
                tab.add_script_tag(path=str(AXE))
                found = tab.evaluate(f"axe.run('#explorer-{name}')")["violations"]
                serious = [
                    (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
                    for each in found
                    if each["impact"] in ("serious", "critical")
                ]
                assert serious == [], (name, state)
    if not AXE.is_file():
        pytest.skip("axe-core is not there: cd web && npm ci")


def test_the_strip_of_blocks_stays_in_its_frame(browser: Browser, site: str) -> None:
    with browser.new_context(viewport={"width": 320, "height": 800}) as context:
        place = enter(context.new_page(), site, "deletion", "shown=1")
        ends = "all => all.map((each) => each.getBoundingClientRect().right)"
        (frame,) = place.locator(".rnx-delstrip").evaluate_all(ends)
        assert max(place.locator(".rnx-del").evaluate_all(ends)) <= frame


@pytest.mark.parametrize("name", NAMES)
def test_opened_as_a_file_the_page_shows_the_plain_figure(
    browser: Browser, book: Path, name: str
) -> None:
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{(book / PAGE).as_uri()}#explorer-{name}")
        place = tab.locator(f"#explorer-{name}")
        assert place.locator("svg").count() >= 1
        module = widgets.explorer(name)
        text = place.locator("p").first.inner_text()
        assert text == " ".join(module.sentence(module.data()).split())
