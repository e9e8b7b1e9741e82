"""The papers section by section: nothing is lost on the way, and nothing is made up."""

from __future__ import annotations

import re
from functools import cache
from types import SimpleNamespace

import papers
import pytest
from docutils import nodes
from helpers import ROOT

from resnet_lib import ConfigError
from resnet_lib.archive import survey
from resnet_lib.complexity import complexity
from resnet_lib.evidence import repeated
from resnet_lib.experiments import EXPERIMENTS
from resnet_lib.ledger import Ledger
from resnet_lib.paper import published, published_numbers


@cache
def shown(paper: str) -> nodes.container:
    """What the directive makes of a paper."""
    directive = papers.Papers.__new__(papers.Papers)
    env = SimpleNamespace(docname="book/papers", srcdir=str(ROOT), note_dependency=lambda _: None)
    directive.state = SimpleNamespace(document=SimpleNamespace(settings=SimpleNamespace(env=env)))
    directive.arguments = [paper]
    return nodes.container("", *directive.run())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("P1 Figure 1, left; Figure 6, left", {("P1", "1"), ("P1", "4.2")}),
        ("P1 section 3.4; Tables 3 and 4; N", {("P1", "3.4"), ("P1", "4.1")}),
        ("P2 section 2, equations 3 to 5", {("P2", "2")}),
        ("Paper, section 4.1, footnote 3: plain nets", {("P1", "4.1")}),
        ("Own experiment: orders (second paper, Table 2)", {("P2", "4.1")}),
        ("Paper, section 3.2: one layer (the second paper's 1-layer skip)", {("P1", "3.2")}),
        ("N; compare P2 equation 5", set()),
        (
            "P2 sections 3.1 and 3.2; Tables 1, 2 and 3",
            {("P2", "3.1"), ("P2", "3.2"), ("P2", "4.1")},
        ),
        ("P1 Section 4.2", {("P1", "4.2")}),
        ("own control", set()),
    ],
)
def test_the_sections_that_a_text_names_are_found(text, wanted):
    assert papers.sections_in(text) == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("P1 Table 9", "'P1 Table 9': P1 Table 9 is in no section"),
        ("P1 Table 10", "P1 Table 10 is in no section"),
        ("P1 Tables 2-4", "name each place by its number"),
        ("P1 Tables 2 to 4", "name each place by its number"),
        ("Table 3", "name a paper before the place"),
    ],
)
def test_a_place_of_no_section_is_told(text, told):
    with pytest.raises(ConfigError, match=told):
        papers.sections_in(text)


def section(paper: str, number: str) -> nodes.section:
    """What stands under a section of a paper."""
    wanted = nodes.make_id(f"{paper} {number}")
    return next(x for x in shown(paper).findall(nodes.section) if x["ids"] == [wanted])


def lines(part: nodes.Node) -> list[str]:
    """The claims below a node, as they read."""
    return [item.astext() for item in part.findall(nodes.list_item)]


def test_every_claim_stands_once_in_each_of_its_sections():
    said = [line for paper in ("P1", "P2", "N") for line in lines(shown(paper))]
    rows = Ledger.read().values()
    for row in rows:
        times = max(1, len(papers.sections_in(row.claim.source)))
        mine = [line for line in said if line.startswith(f"{row.claim.says} {row.short}")]
        assert len(mine) == times, row.claim.id
        assert all(("own experiment" in line) is row.claim.own for line in mine), row.claim.id
    assert len(said) == sum(len(papers.sections_in(row.claim.source)) or 1 for row in rows)


@pytest.mark.parametrize(
    ("place", "claims", "experiments"),
    [
        (("P1", "1"), ("1", "2", "3", "4"), ("figure6-plain", "start", "start-56")),
        (("P1", "3.2"), ("15", "16"), ("single-layer",)),
        (("P1", "3.4"), ("47", "48b", "51b", "56"), ("start-56", "recipe", "scales")),
        (("P1", "4.1"), ("5", "6", "7", "30", "45"), ("options-56", "footnote3", "bottlenecks")),
        (("P1", "4.2"), ("2", "9", "13", "17", "54"), ("figure6-residual", "figure6-110")),
        (("P2", "3.1"), ("21b", "36", "39b"), ("shortcuts-20", "shortcuts")),
        (("P2", "4.1"), ("62", "63", "65"), ("activation", "cifar100", "thousand-layers")),
        (("P2", "4.2"), ("64", "64b"), ("preactivation", "activation")),
    ],
)
def test_claims_and_experiments_stand_where_a_reader_looks(place, claims, experiments):
    """Typed from the papers' order: the page works out the same from sources and arms."""
    part, ledger = section(*place), Ledger.read()
    for id in claims:
        assert any(line.startswith(ledger[id].claim.says) for line in lines(part)), id
    calls = [each.astext() for each in part.findall(nodes.literal)]
    for id in experiments:
        tier = "paper" if "paper" in EXPERIMENTS[id].tiers else "short"
        call = next(call for call in calls if f" {id} " in call)
        assert call.startswith("python -m resnet_lib reproduce ")
        assert call.endswith(f" --tier {tier}"), id


def test_every_experiment_that_names_a_place_can_be_found():
    calls = [each.astext() for p in ("P1", "P2") for each in shown(p).findall(nodes.literal)]
    named = {name for call in calls for name in call.split()[4:-2]}
    assert {e.id for e in EXPERIMENTS.values() if papers.sections_in(e.reproduces)} <= named
    assert named <= set(EXPERIMENTS)


def tables(part: nodes.Node) -> dict[str, list[list[str]]]:
    """The cells of the tables below a node, by what unfolds them, with their heads first."""
    found = {}
    for box in part.findall(nodes.container):
        if "paper-table" in box["classes"]:
            title = re.search("<summary>(.*)</summary>", box[0].astext())[1]
            rows = [
                [e.astext() for e in row.findall(nodes.entry)] for row in box.findall(nodes.row)
            ]
            found[title] = rows
    return found


@pytest.mark.parametrize("paper", ["P1", "P2"])
def test_every_number_is_printed_once_and_beside_ours(paper):
    archive = survey()
    for part in (each for each in papers.SECTIONS if each.paper == paper):
        listed = tables(section(paper, part.number))
        text = section(paper, part.number).astext().lower()
        here = (paper, part.number)
        wanted = [each for each in published_numbers() if (each.paper, each.section) == here]
        cells = [
            cell for heads, *rows in listed.values() for row in rows for cell in ours(heads, row)
        ]
        assert sum(map(bool, cells)) == sum(bool(each.ours) for each in wanted), here
        assert len(listed) == len({each.place for each in wanted})
        for each in wanted:
            heads, *rows = listed[each.place if each.place in listed else "In the text"]
            kind, own = papers.kind_of(each)[0], repeated(archive, each)
            if "quantity" in heads:
                row, at = [row for row in rows if row[:2] == [each.subject, each.quantity]], 2
            else:
                row = [row for row in rows if row[0] == each.subject]
                at = heads.index(f"{kind}, printed")
            assert len(row) == 1, each.id
            assert each.text in row[0][at], each.id
            assert each.note.lower() in text, each.id
            if own:
                assert heads[at + 1] == "here", each.id
                assert row[0][at + 1].endswith(own), each.id


def test_every_number_of_the_papers_has_a_section_of_the_page():
    known = {(each.paper, each.number) for each in papers.SECTIONS}
    for each in published_numbers():
        if each.paper in ("P1", "P2"):
            assert (each.paper, each.section) in known, each.id


def test_kinds_of_an_error_share_a_cell_and_say_which():
    heads, *rows = tables(section("P1", "4.2"))["Table 6"]
    assert heads == ["net", "top-1 error, printed", "here", "parameters, printed", "here"]
    row = next(row for row in rows if row[0] == "ResNet-110")
    assert row[1] == "6.43% (best of 5); 6.61% (mean of 5); 0.16% (standard deviation of 5)"
    assert "seed" in row[2]
    assert "of 5" not in row[2], "our own is no mean of theirs"


def ours(heads: list[str], row: list[str]) -> list[str]:
    """What stands in a row under "here"."""
    return [cell for head, cell in zip(heads, row, strict=True) if head == "here"]


def test_nets_that_were_measured_otherwise_are_named():
    text = shown("P1").astext()
    assert "ImageNet test, single model: VGG." in text
    assert "The others: ImageNet validation, fully convolutional, mean over five scales." in text
    assert (
        "CIFAR-100 test: ResNet-164, CIFAR-100; ResNet-164, pre-activation" in shown("P2").astext()
    )


def test_what_is_here_is_counted_or_trained_by_the_whole_schedule():
    archive = survey()
    size = repeated(archive, published("P1/Table 6/ResNet-56/parameters"))
    assert size == f"{complexity('resnet56').parameters / 1e6:.3f} million"
    error = repeated(archive, published("P1/Table 6/ResNet-56"))
    assert re.fullmatch(r"\d+\.\d\d( ± \d\.\d\d)?% \(\d seeds?\)", error)
    assert repeated(archive, published("P1/Table 6/ResNet-1202")) == "not measured"
    assert repeated(archive, published("P1/Table 3/ResNet-50")) == ""


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("P1 section 4.2; Figure 7", "Figure 7"),
        ("P1 section 4.2 and footnote 5", "footnote 5"),
        ("P1 section 4.2", ""),
        ("P1 Table 6; N", "Table 6; reading notes"),
        ("own, after P1 section 4.2", "own, after P1 section 4.2"),
        ("P1 section 4.2, sharpened", "section 4.2, sharpened"),
    ],
)
def test_a_place_is_told_within_its_section(source, told):
    part = next(each for each in papers.SECTIONS if each.number == "4.2")
    assert papers.place_in(source, part) == told


def test_figures_and_tables_stand_in_the_order_of_the_papers():
    for paper in ("P1", "P2"):
        sections = [each for each in papers.SECTIONS if each.paper == paper]
        assert sections == sorted(sections, key=lambda each: (not each.number, each.number))
        figures = [figure for each in sections for figure in each.figures]
        assert figures == sorted(set(figures))
        places = {
            (each.section, int(each.place.split()[1]))
            for each in published_numbers()
            if each.paper == paper and each.place.startswith("Table")
        }
        assert [number for _, number in sorted(places)] == list(range(1, len(places) + 1))
