"""Verdicts follow from records, counts and proofs, and from nothing else."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, write_record

from resnet_lib import ConfigError
from resnet_lib.archive import arms_in, survey
from resnet_lib.checks import CHECKS
from resnet_lib.evidence import RULES, Sample, measured, repeated, unit_of
from resnet_lib.experiments import find_arm
from resnet_lib.ledger import KINDS, VERDICTS, Claim, Ledger, Row, compare_printed, read_claims
from resnet_lib.measures import MEASURES, TESTED
from resnet_lib.paper import published
from resnet_lib.seeds import STUDENT

CLAIMS = {claim.id: claim for claim in read_claims()}
LISTED = (ROOT / "data" / "paper" / "claims.toml").read_text(encoding="utf-8")


CHAINED = """
[[claim]]
id = "zz"
title = "t"
says = "s"
zh = "论断。"
source = "P1"
kind = "run"
chapter = "c"
follows = "3"
"""


def entry(**values) -> dict:
    usual = {"id": "x", "title": "t", "says": "s", "source": "P1", "kind": "run", "chapter": "c"}
    usual["zh"] = "论断。"
    return usual | values


def claim(is_="above 0", of="plain56 - plain20", measure="training error", **values) -> Claim:
    test = {"of": of, "measure": measure, "is": is_}
    return Claim.of_entry(entry(tests=[test], **values))


def row(runs: Path, *claims: Claim) -> Row:
    return Ledger(claims, survey(runs))[claims[0].id]


def record(runs: Path, deep=(60, 62, 61), shallow=(20, 21, 20), tier="short", **values) -> None:
    """Seeds of plain56 and plain20 with these training errors."""
    for label, errors in (("plain56", deep), ("plain20", shallow)):
        for seed, error in enumerate(errors):
            if error is not None:
                write_record(runs, label, seed, tier, train_error=error, **values)


# What the runs say


@pytest.mark.parametrize(
    ("deep", "tier", "own", "verdict"),
    [
        ((60, 62, 61), "paper", False, "holds"),
        ((10, 12, 11), "paper", False, "does not hold"),
        ((60, 62, 61), "paper", True, "points to it"),
        ((10, 12, 11), "paper", True, "points against it"),
        ((60, 62), "paper", False, "points to it"),
        ((60,), "paper", False, "unclear"),
        ((60, 62, 61), "short", False, "points to it"),
        ((10, 12, 11), "short", False, "points against it"),
        ((21, 19, 20.5), "short", False, "unclear"),
        ((60,), "short", False, "unclear"),
        ((), "short", False, "not measured"),
    ],
)
def test_only_tier_paper_with_three_seeds_decides(tmp_path, deep, tier, own, verdict):
    record(tmp_path, deep, tier=tier)
    found = row(tmp_path, claim(own=own))
    assert found.verdict == verdict
    assert found.tier == (tier if deep else "")
    assert found.n == min(len(deep), 3)
    assert bool(found.why) == (verdict in ("unclear", "not measured"))


def test_seeds_are_paired(tmp_path):
    """Seeds differ more than nets do: only the differences settle it."""
    record(tmp_path, (31, 41, 51.5), (30, 40, 50))
    evidence = row(tmp_path, claim()).evidence[-1]
    assert evidence.difference.values == {0: 1.0, 1: 1.0, 2: 1.5}
    assert evidence.agrees is True
    assert evidence.value == "1.17 points, interval 0.45 to 1.88"
    assert evidence.each_arm == "plain-56 41.17 ± 10.25%; plain-20 40.00 ± 10.00%."


def test_a_seed_that_one_arm_lacks_does_not_count(tmp_path):
    record(tmp_path, (60, None, 61, 62), (20, 21, 20))
    evidence = row(tmp_path, claim()).evidence[-1]
    assert set(evidence.difference.values) == {0, 2}
    assert len(evidence.run_ids) == 4


def test_a_test_says_its_own_precision_and_an_ensemble_names_all_its_runs():
    assert set(MEASURES) >= TESTED
    ledger = Ledger.read()
    for id, runs in (("57b", 3), ("59b", 9)):
        (evidence,) = [each for each in ledger[id].evidence if each.n]
        assert evidence.conditions.startswith("n = 3, tier short, bfloat16, tested in float32.")
        assert len(set(evidence.run_ids)) == runs
    assert not [
        e
        for row in ledger.values()
        if row.claim.id not in ("57b", "59b")
        for e in row.evidence
        if "tested" in e.conditions
    ]


def test_the_lines_of_a_tier_that_does_not_decide_say_so():
    row = Ledger.read()["17d"]
    assert row.tier == "paper"
    lines = [line for line in row.lines() if "tier " in line and "n = 3" in line]
    assert [line.endswith("Tier paper decides.") for line in lines] == [False, False, True]
    undecided = [row for row in Ledger.read().values() if row.evidence and not row.tier]
    assert not any("decides." in line for row in undecided for line in row.lines())


def test_arms_are_of_one_precision(tmp_path):
    record(tmp_path, (60, 61, 62), (), precision="bfloat16")
    record(tmp_path, (), (20, 21, 22), precision="float32")
    assert row(tmp_path, claim()).verdict == "not measured"
    record(tmp_path, (50, 51, 52), (), precision="float32")
    found = row(tmp_path, claim()).evidence[-1]
    assert (found.precision, found.n) == ("float32", 3)
    assert found.difference.mean == pytest.approx(30)


def test_a_refused_record_is_not_averaged_in(tmp_path):
    record(tmp_path)
    write_record(tmp_path, "plain56", 3, train_error=0.0, numerics="0123456789ab")
    write_record(tmp_path, "plain20", 3, train_error=90.0)
    assert row(tmp_path, claim()).n == 3


def test_tier_paper_wins_when_it_has_enough_seeds(tmp_path):
    record(tmp_path, (10, 12, 11))
    record(tmp_path, (60,), (20,), tier="paper")
    assert row(tmp_path, claim()).short == "points against it (tier short, n = 3)"
    record(tmp_path, (60, 62, 61), tier="paper")
    assert row(tmp_path, claim()).short == "holds (tier paper, n = 3)"


def test_what_settles_a_claim_counts_before_seeds_that_do_not(tmp_path):
    record(tmp_path, (20, 40, 10), (21, 20, 20))
    assert row(tmp_path, claim()).short == "unclear (tier short, n = 3)"
    record(tmp_path, (60, 61), (20, 21), tier="paper")
    assert row(tmp_path, claim()).short == "points to it (tier paper, n = 2)"
    record(tmp_path, (60, 61, 10), (20, 20, 20), tier="paper")
    assert row(tmp_path, claim()).short == "unclear (tier paper, n = 3)"


def test_a_refutation_of_tier_paper_is_final_whatever_else_has_few_seeds(tmp_path):
    tests = [
        {"of": "plain56 - plain20", "measure": "training error", "is": "above 0"},
        {"of": "resnet20", "measure": "training error", "is": "above 0"},
    ]
    for tier, deep, seeds in (("short", (60, 62, 61), 3), ("paper", (10, 12, 11), 2)):
        record(tmp_path, deep, tier=tier)
        for seed in range(seeds):
            write_record(tmp_path, "resnet20", seed, tier, train_error=20 + seed / 10)
    found = row(tmp_path, Claim.of_entry(entry(tests=tests)))
    assert found.short == "does not hold (tier paper, n = 3)"


def test_several_statements_must_all_agree(tmp_path):
    tests = [
        {"of": "plain56 - plain20", "measure": "training error", "is": "above 0"},
        {"of": "resnet56 - resnet20", "measure": "training error", "is": "below 0"},
    ]
    both = Claim.of_entry(entry(tests=tests))
    record(tmp_path)
    assert row(tmp_path, both).verdict == "not measured"
    assert "ResNet-56" in row(tmp_path, both).why
    for seed in range(3):
        write_record(tmp_path, "resnet20", seed, train_error=20)
        write_record(tmp_path, "resnet56", seed, train_error=19.5 - seed / 10)
    assert row(tmp_path, both).verdict == "points to it"
    wrong = replace(both, tests=(replace(both.tests[0], rule="below"), both.tests[1]))
    assert row(tmp_path, wrong).verdict == "points against it"


def test_one_wrong_statement_refutes_whatever_is_missing(tmp_path):
    record(tmp_path, (10, 12, 11))
    tests = [
        {"of": "plain56 - plain20", "measure": "training error", "is": "above 0"},
        {"of": "plain110 - plain56", "measure": "training error", "is": "above 0"},
    ]
    found = row(tmp_path, Claim.of_entry(entry(tests=tests)))
    assert found.short == "points against it (tier short, n = 3)"


def test_a_refutation_counts_the_seeds_of_what_refutes(tmp_path):
    record(tmp_path, (10, 12, 11))
    write_record(tmp_path, "resnet20", 0, train_error=20)
    tests = [
        {"of": "plain56 - plain20", "measure": "training error", "is": "above 0"},
        {"of": "resnet20", "measure": "training error", "is": "above 0"},
    ]
    found = row(tmp_path, Claim.of_entry(entry(tests=tests)))
    assert found.short == "points against it (tier short, n = 3)"


def test_a_number_beside_itself_is_named_with_its_place():
    sentence, agrees = compare_printed(
        {"of": "P1/Table 3/ResNet-50 - P1/Table 4/ResNet-50", "is": "above 0"}
    )
    assert sentence.startswith("ResNet-50 in Table 3 \N{MINUS SIGN} ResNet-50 in Table 4: ")
    assert agrees


def test_a_claim_that_follows_has_the_same_verdict(tmp_path):
    record(tmp_path)
    first = claim()
    second = Claim.of_entry(entry(id="y", follows="x"))
    found = Ledger((first, second), survey(tmp_path))["y"]
    assert found.short == "points to it (tier short, n = 3)"


def test_the_interval_is_student_s():
    sample = Sample({0: 1.0, 1: 2.0, 2: 4.0})
    half = 4.303 * statistics.stdev([1, 2, 4]) / math.sqrt(3)
    assert sample.interval == pytest.approx((7 / 3 - half, 7 / 3 + half))
    assert Sample({0: 1.0}).interval == (-math.inf, math.inf)


@pytest.mark.parametrize(("freedom", "t"), [*enumerate(STUDENT, 1)])
def test_student_s_t_holds_95_percent_between_its_bounds(freedom, t):
    """By the density, summed up: a wrong digit would move every interval of so many seeds."""
    steps = 20_000
    x = (np.arange(steps) + 0.5) / steps * 2 * t - t
    size = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / (freedom * math.pi) ** 0.5
    density = size * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    assert density.sum() * 2 * t / steps == pytest.approx(0.95, abs=4e-5)


@pytest.mark.parametrize(
    ("rule", "low", "high", "bound", "agrees"),
    [
        ("above", 1, 2, 0, True),
        ("above", -2, -1, 0, False),
        ("above", -1, 1, 0, None),
        ("below", -2, -1, 0, True),
        ("below", 1, 2, 0, False),
        ("below", -1, 1, 0, None),
        ("within", -0.5, 0.9, 1, True),
        ("within", 1.1, 2, 1, False),
        ("within", -3, -1.1, 1, False),
        ("within", 0.5, 1.5, 1, None),
        ("within", -math.inf, math.inf, 1, None),
    ],
)
def test_rules(rule, low, high, bound, agrees):
    assert RULES[rule](low, high, bound) is agrees


def test_measured_numbers(tmp_path):
    record(tmp_path)
    archive = survey(tmp_path)
    told = measured(archive, "short/plain56 - plain20/training error")
    assert told == "40.67 ± 0.58 points (3 seeds, tier short)"
    assert measured(archive, "short/plain20/training error").startswith("20.33 ± 0.58% (3 seeds")
    assert measured(archive, "short/plain20/training error", "value") == "20.33 ± 0.58%"
    told = measured(archive, "short/plain20/training error", "interval")
    assert told == "18.90 to 21.77%"
    assert measured(archive, "paper/plain20/training error") == "not measured"
    for wrong in ("shrt/plain20/test error", "short/plain21/test error", "short/plain20/error"):
        with pytest.raises(ConfigError):
            measured(archive, wrong)


def test_beside_a_printed_error_stands_the_full_schedule_and_no_shorter_one(tmp_path):
    printed = published("P1/Table 6/ResNet-56")
    write_record(tmp_path, "resnet56", 0, "short", test_error=20)
    assert repeated(survey(tmp_path), printed) == "not measured"
    for seed, error in enumerate((7.0, 7.5)):
        write_record(tmp_path, "resnet56", seed, "paper", test_error=error)
    assert repeated(survey(tmp_path), printed) == "7.25 ± 0.35% (2 seeds)"


# The claims


def test_every_line_of_the_list_is_a_claim():
    """The papers' and the notes' claims by their numbers, 1 to 69."""
    assert {str(number) for number in range(1, 70)} <= set(CLAIMS)
    assert {"11b", "21b", "22b"} <= set(CLAIMS)
    assert len(CLAIMS) == LISTED.count("[[claim]]")


def test_errors_differ_by_points():
    assert unit_of("resnet20", "10-crop error") == "%"
    assert unit_of("resnet56 - resnet20", "10-crop error") == " points"
    assert unit_of("resnet20", "multi-scale minus 10-crop error") == " points"


@pytest.mark.parametrize("id", list(CLAIMS))
def test_every_claim_is_worded_and_placed(id):
    each = CLAIMS[id]
    assert each.kind in KINDS
    assert each.says.endswith(".")
    assert not each.title.endswith(".")
    assert re.match(r"P1|P2|N\b|own|He et al", each.source)
    assert re.search(r"[\u4e00-\u9fff]", each.zh)
    assert each.zh.endswith(("。", "。）"))
    for text in (each.title, each.says, each.note, each.why):
        assert not any(verdict in text for verdict in VERDICTS if verdict != "holds"), text
    if each.kind in ("count", "proof") and not each.why:
        assert each.check in CHECKS
    if each.kind in ("printed", "no", "eval"):
        assert each.why
        assert not each.tests


@pytest.mark.parametrize("id", [id for id, each in CLAIMS.items() if each.tests])
def test_claims_of_short_runs_can_be_settled_by_them(id):
    """A claim whose arms are all planned for tier short does not wait for a GPU."""
    labels = {label for test in CLAIMS[id].tests for _, label in arms_in(test.of)}
    planned = all("short" in find_arm(label)[0].tiers for label in labels)
    if planned and "short" in CLAIMS[id].tiers:
        assert "GPU" not in CLAIMS[id].why
    else:
        assert CLAIMS[id].why


def test_the_runs_of_tier_short_settle_at_least_fifteen_claims(tmp_path):
    """With the nets that it is made for, and errors like those that a short training gives."""
    errors = {
        "plain20": (21, 21),
        "plain32": (30, 29),
        "plain44": (48, 47),
        "plain56": (62, 61),
        "resnet20": (18, 18.5),
        "resnet32": (19, 19.5),
        "resnet44": (21, 21.5),
        "resnet56": (24, 24.5),
        "resnet20-B": (17.5, 18.2),
        "resnet56-B": (23.5, 24.2),
        "resnet20-C": (17.2, 18.0),
        "resnet56-C": (27, 27.5),
        "preresnet56": (20, 20.5),
    }
    for label, (train, test) in errors.items():
        for seed in range(3):
            write_record(
                tmp_path,
                label,
                seed,
                train_error=train + seed / 20,
                test_error=test + seed / 20,
                response=(0.5 if "res" in label else 1) / (2 if "56" in label else 1) + seed / 1e3,
            )
    ledger = Ledger.read(survey(tmp_path))
    settled = [row for row in ledger.values() if row.claim.tests and "points" in row.verdict]
    assert len(settled) >= 15
    assert not any(row.verdict in ("holds", "does not hold") for row in settled)


def test_verdicts_of_the_repository_follow_from_its_records():
    """Every verdict by training, computed here once more from the curves themselves."""
    archive = survey()
    ledger = Ledger.read(archive)
    for id, found in ledger.items():
        assert found.verdict in VERDICTS
        if found.claim.tests:
            assert found.verdict == recomputed(found.claim, archive), id
        elif found.claim.check:
            holds = CHECKS[found.claim.check]().holds
            assert found.verdict == ("holds" if holds else "does not hold")
        elif found.claim.follows:
            assert found.verdict == ledger[found.claim.follows].verdict
        else:
            assert found.verdict == "not measured"


def recomputed(claim: Claim, archive) -> str:
    """A verdict by other code: no interval objects, no precision rules beyond the plain ones."""
    verdicts, seeds = {}, {}
    for tier in claim.tiers:
        outcomes = []
        for test in claim.tests:
            best: list[float] = []
            for precision in ("bfloat16", "float32"):
                differences = []
                terms = arms_in(test.of)
                runs = {label: archive.runs(label, tier).get(precision, {}) for _, label in terms}
                for seed in range(100):
                    total, complete = 0.0, True
                    for sign, label in terms:
                        run = runs[label].get(seed)
                        complete &= run is not None
                        total += sign * MEASURES[test.measure](run) if run else 0
                    if complete and math.isfinite(total):
                        differences.append(total)
                best = max(best, differences, key=len)
            if not best:
                outcomes.append((0, None))
            elif len(best) == 1:
                outcomes.append((1, None))
            else:
                t = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
                half = t[min(len(best) - 2, 8)] * statistics.stdev(best) / len(best) ** 0.5
                low, high = statistics.mean(best) - half, statistics.mean(best) + half
                bound = test.bound
                right = {"above": low > bound, "below": high < bound}
                right["within"] = -bound < low and high < bound
                wrong = {"above": high < bound, "below": low > bound}
                wrong["within"] = low > bound or high < -bound
                settled = True if right[test.rule] else False if wrong[test.rule] else None
                outcomes.append((len(best), settled))
        refuting = [n for n, settled in outcomes if settled is False]
        decides = tier == "paper" and not claim.own
        if refuting:
            enough = decides and max(refuting) >= 3
            verdicts[tier] = "does not hold" if enough else "points against it"
        elif any(n == 0 for n, _ in outcomes):
            verdicts[tier] = "not measured"
        elif any(settled is None for _, settled in outcomes):
            verdicts[tier] = "unclear"
        else:
            enough = decides and min(n for n, _ in outcomes) >= 3
            verdicts[tier] = "holds" if enough else "points to it"
        seeds[tier] = min((n for n, _ in outcomes if n), default=0)
    settled = [tier for tier in verdicts if verdicts[tier] not in ("not measured", "unclear")]
    unclear = [tier for tier in verdicts if verdicts[tier] == "unclear"]
    final = verdicts.get("paper") in ("holds", "does not hold")
    if final or (seeds.get("paper", 0) >= 3 and "paper" in settled + unclear):
        return verdicts["paper"]
    for tiers in (settled, unclear):
        for tier in sorted(tiers, key=lambda each: seeds[each] < 3):
            return verdicts[tier]
    return "not measured"


@pytest.mark.parametrize("name", list(CHECKS))
def test_every_check_belongs_to_a_claim_and_says_what_it_found(name):
    users = [each for each in CLAIMS.values() if each.check == name]
    assert len(users) == 1
    found = CHECKS[name]()
    assert found.shown
    # The corrections of the notes are the claims that fail.
    assert found.holds == (users[0].source != "N")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("weighted layers", "18, 34, 50, 101, 152; with its 4 projections ResNet-50 would have 54"),
        ("projections of ResNet-34", "A 0, B 3, C 16, so 13 more under C"),
        ("C's extra projections downsample", "of the 13 projections .*, 0 downsample"),
        # Of 69,632 multiply-adds a position, a bottleneck's, over the 73,728 of two 3x3 layers.
        ("a bottleneck costs what two 3x3 layers do", "0.94 times"),
        ("a projection doubles a bottleneck", "block: 1.94 times"),
        ("34 layers cost 18% of VGG-19", "3.644 billion, VGG-19 19.632 billion: 18.6%"),
        ("scaled shortcuts multiply", "0.0010 of the input"),
    ],
)
def test_what_checks_have_counted_can_be_counted_by_hand(name, told):
    assert re.search(told, CHECKS[name]().shown)


def test_the_papers_numbers_agree_with_their_own_claims():
    """But for the notes' "never worse", which ResNet-1202 contradicts in print."""
    ledger = Ledger.read(survey(ROOT / "data" / "runs"))
    disagree = [id for id, row in ledger.items() if any(not ok for _, ok in row.printed)]
    assert disagree == ["22b"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "guess"}, "kind 'guess'"),
        ({"chek": "x"}, "chek"),
        ({"check": "weighted layer"}, "weighted layers"),
        ({"tests": [{"of": "plain21", "measure": "test error", "is": "above 0"}]}, "plain20"),
        ({"tests": [{"of": "plain20", "measure": "tst error", "is": "above 0"}]}, "test error"),
        ({"tests": [{"of": "plain20", "measure": "test error", "is": "over 0"}]}, "'above'"),
        ({"tests": [{"of": "plain20", "measure": "test error", "is": "above"}]}, "rule and bound"),
        ({"tests": [{"of": "plain20"}]}, "of, measure and is"),
        ({"tests": [{"of": 5, "measure": "test error", "is": "above 0"}]}, "each with a text"),
        ({"tests": ["plain20"]}, "of, measure and is"),
        ({"tests": 5}, "not iterable"),
        ({"printed": [{"of": "P1/Table 6/ResNet-56"}]}, "the keys of and is, each with a text"),
        ({"printed": [{"of": "P1/Table 6/ResNet-56", "is": 5}]}, "each with a text"),
        ({"tiers": ["papr"]}, "tier 'papr' is unknown: it is one of 'paper', 'short'"),
        ({"published": ["P1/Table 6/ResNet-65"]}, "P1/Table 6/ResNet-56"),
        ({}, "nothing decides it"),
        ({"zh": None}, "it does not say its zh"),
        ({"check": "weighted layers", "follows": "y"}, "exclude each other"),
    ],
)
def test_a_wrong_entry_is_one_sentence(change, told):
    with pytest.raises(ConfigError, match=r"^claims\.toml, claim x: .*[^.]\.$") as error:
        Claim.of_entry({k: v for k, v in entry(**change).items() if v is not None})
    assert told in str(error.value)
    assert str(error.value).count("claims.toml") == 1
    assert "\n" not in str(error.value)


def test_a_wrong_file_is_one_sentence(tmp_path):
    path = tmp_path / "claims.toml"
    for text, told in (
        ("[[claim]\n", "cannot be read"),
        ("x = 1\n", "begins with [[claim]]"),
        ("claim = 5\n", "begins with [[claim]]"),
        ("claim = [5]\n", "begins with [[claim]]"),
        ("# \N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1"), "cannot be read"),
        (LISTED.replace('id = "2b"', 'id = "2"'), "2 claims 2"),
        (LISTED.replace('follows = "2"', 'follows = "200"'), "follows '200'"),
        (f"{LISTED}\n{CHAINED}", "claim zz follows 3, which follows another"),
    ):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError, match=r"claims\.toml") as error:
            read_claims(path)
        assert told in str(error.value)


def test_an_unknown_claim_lists_the_nearest():
    ledger = Ledger.read()
    with pytest.raises(ConfigError, match="the nearest are"):
        ledger["130"]
    assert "130" not in ledger
    assert ledger.get("130") is None
    assert ledger.get("13") is ledger["13"]


def test_no_page_types_a_verdict():
    """Verdicts enter prose through the role alone; two pages explain the words."""
    words = r"points to it|points against it|does not hold|\bverdict:"
    for path in [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]:
        if path.name in ("ledger.md", "terms.md"):
            continue
        text = re.sub(r"\{verdict\}`[^`]*`", "", path.read_text(encoding="utf-8"))
        assert not re.search(words, text), path.name
