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
from resnet_lib.experiments import EXPERIMENTS
from resnet_lib.ledger import Ledger, repeated
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
        ("own control", set()),
    ],
)
def test_the_sections_that_a_text_names_are_found(text, wanted):
    assert papers.sections_in(text) == wanted


def test_a_place_of_no_section_is_told():
    with pytest.raises(ConfigError, match=r"'P1 Table 9': P1 Table 9 is in no section"):
        papers.sections_in("P1 Table 9")


def test_every_claim_stands_once_in_each_of_its_sections():
    found = [shown(paper) for paper in ("P1", "P2", "N")]
    said = [item.astext() for part in found for item in part.findall(nodes.list_item)]
    for row in Ledger.read().values():
        times = max(1, len(papers.sections_in(row.claim.source)))
        wanted = f"{row.claim.says} {row.short}"
        assert sum(each.startswith(wanted) for each in said) == times, row.claim.id
    assert len(said) > len(Ledger.read())  # some have two places, and none is made up:
    places = (len(papers.sections_in(row.claim.source)) or 1 for row in Ledger.read().values())
    assert len(said) == sum(places)


def tables(paper: str) -> dict[str, list[list[str]]]:
    """The cells of a paper's tables, by what unfolds them, with their heads first."""
    found = {}
    for box in shown(paper).findall(nodes.container):
        if "paper-table" in box["classes"]:
            title = re.search("<summary>(.*)</summary>", box[0].astext())[1]
            rows = [
                [e.astext() for e in row.findall(nodes.entry)] for row in box.findall(nodes.row)
            ]
            found[title] = rows
    return found


@pytest.mark.parametrize("paper", ["P1", "P2"])
def test_every_number_is_printed_once_and_beside_ours(paper):
    archive, listed = survey(), tables(paper)
    wanted = [each for each in published_numbers() if each.paper == paper and each.section]
    places = {each.place: each.place for each in wanted}
    places |= {p: f"S{p[1:]}, in the text" for p in places if p.startswith("section")}
    assert set(listed) == set(places.values())
    ours = 0
    for each in wanted:
        heads, *rows = listed[places[each.place]]
        kind, own = papers.kind_of(each)[0], repeated(archive, each)
        if "quantity" in heads:
            row, at = [row for row in rows if row[:2] == [each.subject, each.quantity]], 2
        else:
            row, at = (
                [row for row in rows if row[0] == each.subject],
                heads.index(f"{kind}, printed"),
            )
        assert len(row) == 1, each.id
        assert each.text in row[0][at], each.id
        assert not own or (heads[at + 1], row[0][at + 1]) == ("here", own), each.id
        ours += bool(own)
    cells = (row[i] for heads, *rows in listed.values() for row in rows for i in places_of(heads))
    assert sum(bool(cell) for cell in cells) == ours


def places_of(heads: list[str]) -> list[int]:
    """The columns that hold what is here."""
    return [i for i, head in enumerate(heads) if head == "here"]


def test_nets_that_were_measured_otherwise_are_named():
    text = shown("P1").astext()
    assert "ImageNet test, single model: VGG." in text
    assert "CIFAR-10 test, whole image of 32x32 pixels." in text


def test_what_is_here_is_counted_or_trained_by_the_whole_schedule():
    archive = survey()
    size = repeated(archive, published("P1/Table 6/ResNet-56/parameters"))
    assert size == f"{complexity('resnet56').parameters / 1e6:.3f} million"
    error = repeated(archive, published("P1/Table 6/ResNet-56"))
    assert re.fullmatch(r"\d+\.\d\d( ± \d\.\d\d)?% \(\d seeds?\)", error)
    assert repeated(archive, published("P1/Table 6/ResNet-1202")) == "not measured"
    assert repeated(archive, published("P1/Table 3/ResNet-50")) == ""


def test_every_experiment_that_names_a_place_can_be_found_there():
    literals = (each for paper in ("P1", "P2") for each in shown(paper).findall(nodes.literal))
    named = {each.astext() for each in literals} - {"python -m resnet_lib reproduce"}
    assert named == {e.id for e in EXPERIMENTS.values() if papers.sections_in(e.reproduces)}
    assert {"figure6-plain", "shortcuts-20", "recipe"} <= named


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("P1 section 4.2; Figure 7", "Figure 7"),
        ("P1 section 4.2 and footnote 5", "footnote 5"),
        ("P1 section 4.2", ""),
        ("P1 Table 6; N", "Table 6; reading notes"),
        ("own, after P1 section 4.2", "own, after P1 section 4.2"),
    ],
)
def test_a_place_is_told_within_its_section(source, told):
    section = next(each for each in papers.SECTIONS if each.number == "4.2")
    assert papers.place_in(source, section) == told


def test_figures_and_tables_stand_in_the_order_of_the_papers():
    for paper in ("P1", "P2"):
        sections = [each for each in papers.SECTIONS if each.paper == paper]
        assert sections == sorted(sections, key=lambda each: each.number)
        figures = [figure for each in sections for figure in each.figures]
        assert figures == sorted(set(figures))
        tables = {
            each.section: int(each.place.split()[1])
            for each in published_numbers()
            if each.paper == paper and each.place.startswith("Table")
        }
        assert [*tables.values()] == sorted(tables.values())
        assert set(tables) <= {each.number for each in sections}
