"""The roles of the ledger, and when its pages are made anew."""

from __future__ import annotations

import html
import importlib.util
import re
from collections import Counter
from types import SimpleNamespace

import pytest
from docutils import nodes
from helpers import ROOT, write_record
from places import anchor, sections_in

from resnet_lib import ConfigError
from resnet_lib.ledger import VERDICTS, Ledger


@pytest.fixture(scope="module")
def pages():
    """The extension, by its file: its name is also that of a module of the library."""
    path = ROOT / "book" / "_ext" / "ledger.py"
    spec = importlib.util.spec_from_file_location("ledger_pages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ENV = SimpleNamespace(docname="book/05-a-chapter")


def test_a_verdict_is_a_link_to_its_claim(pages):
    row = Ledger.read()["15"]
    link = pages.find_verdict(ENV, "15", "")
    assert link.astext() == row.short
    assert link["refuri"] == "../book/ledger.html#claim-15"
    assert pages.find_verdict(ENV, "15", "word").astext() == row.verdict
    assert pages.find_verdict(ENV, "15", "zh").astext() == "成立"
    assert set(pages.CHINESE) == set(VERDICTS)
    with pytest.raises(ConfigError, match="::word and ::zh"):
        pages.find_verdict(ENV, "15", "words")


def test_numbers_come_with_their_place(pages):
    assert pages.find_published(ENV, "P1/Table 6/ResNet-56", "").astext() == "6.97% (Table 6)"
    assert pages.find_published(ENV, "P1/Table 6/ResNet-56", "value").astext() == "6.97%"
    told = pages.find_measured(ENV, "paper/resnet1202/test error", "").astext()
    assert told == "not measured"
    alone = pages.find_measured(ENV, "paper/plain56/test error", "value").astext()
    assert (
        pages.find_measured(ENV, "paper/plain56/test error", "").astext().startswith(f"{alone} (")
    )
    with pytest.raises(ConfigError, match="there is ::value"):
        pages.find_measured(ENV, "paper/resnet1202/test error", "word")


def test_every_claim_has_a_chapter_and_a_way(pages):
    for row in pages.read().values():
        assert row.claim.chapter in {*pages.chapter_pages(ROOT), pages.FURTHER}
        assert row.claim.kind in pages.WAYS
        assert row.short in pages.card(row).astext()


def test_a_card_says_whether_print_agrees_and_names_every_run(pages):
    ledger = pages.read()
    assert "In print, disagrees: " in pages.card(ledger["22b"]).astext()
    for row in ledger.values():
        text = html.unescape(pages.card(row).astext())
        assert text.count("In print, agrees: ") == sum(agrees for _, agrees in row.printed)
        assert all(id in text for each in row.evidence for id in each.run_ids)


def test_a_card_parts_the_tier_that_decides_from_the_other(pages):
    aside = "Tier short, which does not decide here:"
    for id, row in pages.read().items():
        text = pages.card(row).astext()
        other = {each.tier for each in row.evidence if each.n and row.tier} - {row.tier}
        assert text.count("which does not decide here") == len(other), id
        for tier in other:
            assert f"Tier {tier}, which does not decide here:" in text, id
    deciding, _, rest = pages.card(pages.read()["17d"]).astext().partition(aside)
    assert "tier paper, bfloat16" in deciding
    assert "tier short, bfloat16" not in deciding
    assert "tier paper, bfloat16" not in rest


def test_a_cards_source_links_each_place_to_its_section(pages):
    source = pages.linked("P1 section 4.1, footnote 3; Tables 6 and 7; N")
    links = [(each.astext(), each["refuri"]) for each in source if "refuri" in each]
    assert links == [
        ("section 4.1", "papers.html#p1-4-1"),
        ("Tables 6 and 7", "papers.html#p1-4-2"),
    ]
    for row in pages.read().values():
        shown = pages.card(row)
        assert f"Source: {row.claim.source}. " in shown.astext()
        links = {each["refuri"] for each in shown.findall(nodes.reference)}
        sections = {f"papers.html#{anchor(*each)}" for each in sections_in(row.claim.source)}
        assert {each for each in links if each.startswith("papers")} == sections


def test_claims_are_counted_by_their_verdicts(pages):
    rows = pages.read().values()
    counts = Counter(row.verdict for row in rows)
    assert pages.tally(rows) == {verdict: counts[verdict] for verdict in VERDICTS}
    assert list(pages.tally(rows)) == list(VERDICTS)
    assert max(counts.values()) > 1


def test_what_holds_is_parted_by_what_it_rests_on(pages):
    """Counted another way: of the records that the cards of these claims name."""
    held = [row for row in pages.read().values() if row.verdict == "holds"]
    trained = [row for row in held if "n = " in row.short]
    shown = [pages.card(row).astext() for row in trained if row.evidence]
    runs = set(re.findall(r"\w+-cifar10-64000-s\d-\w{8}", " ".join(shown)))
    told = pages.resting(pages.read().values())
    assert list(map(int, re.findall(r"\d+", told))) == [
        len(held),
        len(held) - len(trained),
        len(trained),
        len(runs),
    ]


def test_pages_are_made_anew_when_a_record_comes_or_changes(pages, tmp_path, monkeypatch):
    (tmp_path / "data" / "paper").mkdir(parents=True)
    state = pages.state
    monkeypatch.setattr(pages, "state", lambda: state(tmp_path))
    env, app = SimpleNamespace(docname="book/ledger"), SimpleNamespace()

    def build(meanwhile=lambda: None):
        """What a build reads anew because of the ledger; meanwhile something may change."""
        found = pages.outdated(app, env, set(), set(), set())
        meanwhile()
        pages.note_use(env)
        pages.remember(app, env)
        return found

    assert build() == []
    assert build() == []
    folder = write_record(tmp_path / "data" / "runs", "plain20", 0)
    assert build() == ["book/ledger"]
    assert build() == []
    data = tmp_path / "data"
    for change in (folder / "curves.csv", data / "paper" / "claims.toml", data / "tests.csv"):
        change.write_text("changed")
        assert build() == ["book/ledger"]
    assert build(lambda: change.write_text("changed meanwhile")) == []
    assert build() == ["book/ledger"], "what changed after it was read is read next time"
    pages.forget(None, env, "book/ledger")
    assert pages.pages(env) == set()
