"""The papers' numbers are found by their place."""

from __future__ import annotations

import pytest

from resnet_lib import ConfigError
from resnet_lib.complexity import complexity
from resnet_lib.experiments import TIERS, find_arm
from resnet_lib.paper import TABLES, published, published_numbers


def test_the_tables_hold_what_the_papers_print():
    """Some from each table, typed again from the papers."""
    wanted = {
        "P1/Table 1/ResNet-152": 11.3e9,
        "P1/Table 2/plain-34": 28.54,
        "P1/Table 3/ResNet-34 C": 24.19,
        "P1/Table 3/ResNet-152/top-5 error": 5.71,
        "P1/Table 4/ResNet-152": 19.38,
        "P1/Table 5/ResNet": 3.57,
        "P1/Table 6/ResNet-20": 8.75,
        "P1/Table 6/ResNet-110/top-1 error, mean of 5": 6.61,
        "P1/Table 6/ResNet-1202/parameters": 19.4e6,
        "P2/Table 1/1x1 convolution on every shortcut": 12.22,
        "P2/Table 2/ResNet-164, full pre-activation": 5.46,
        "P2/Table 3/ResNet-1001, pre-activation": 4.92,
        "P2/Table 4/ResNet-1001, pre-activation, batch 64": 4.62,
        "P2/Table 5/ResNet-200/top-5 error": 6.0,
        "authors/released models/ResNet-50": 24.7,
    }
    assert {id: published(id).value for id in wanted} == pytest.approx(wanted)


def test_every_number_has_an_id_a_place_and_a_text():
    rows = published_numbers()
    assert len(rows) > 150
    assert len({each.id for each in rows}) == len(rows)
    for each in rows:
        assert published(each.id) is each
        assert each.place
        assert each.text
        assert "\n" not in each.text
        if each.unit == "%":
            assert each.data or "mAP" in each.quantity
        if each.printed:
            assert each.value >= 0


def test_what_repeats_a_printed_number_is_known_and_planned_in_full():
    """An arm that tier paper trains, for an error; a net, for what is counted."""
    rows = [each for each in published_numbers() if each.ours]
    assert {each.place for each in rows} >= {"Table 1", "Table 2", "Table 3", "Table 4", "Table 6"}
    counted = ("parameters", "multiply-adds")
    for each in rows:
        if each.quantity in counted:
            assert complexity(each.ours).multiply_adds > 0, each.id
        else:
            experiment, _ = find_arm(each.ours)
            assert "paper" in experiment.tiers, each.id
            assert each.quantity.startswith("top-1 error"), each.id
            assert experiment.data_in(TIERS["paper"]) == data_name(each.data), each.id


NEVER = ("exclusive gating, b = 0 to -5", "ResNet-1001, CIFAR-100")
ORDERS = {
    "original": "original",
    "BN after addition": "bn-after-addition",
    "ReLU before addition": "relu-before-addition",
    "ReLU-only pre-activation": "relu-only-preactivation",
    "full pre-activation": "preactivation",
    "pre-activation": "preactivation",
}
JUNCTIONS = {
    "ResNet-110": {"junction": "add", "shortcut": "A"},
    "constant scaling (0, 1)": {"shortcut_scale": 0, "residual_scale": 1},
    "constant scaling (0.5, 1)": {"shortcut_scale": 0.5, "residual_scale": 1},
    "constant scaling (0.5, 0.5)": {"shortcut_scale": 0.5, "residual_scale": 0.5},
    "exclusive gating, b = -6": {"junction": "exclusive-gate", "gate_bias": -6},
    "exclusive gating, b = -7": {"junction": "exclusive-gate", "gate_bias": -7},
    "shortcut-only gating, b = 0": {"junction": "shortcut-gate", "gate_bias": 0},
    "shortcut-only gating, b = -6": {"junction": "shortcut-gate", "gate_bias": -6},
    "1x1 convolution on every shortcut": {"junction": "add", "shortcut": "C"},
    "dropout 0.5 on the shortcut": {"junction": "dropout"},
}


def test_every_cifar_error_of_the_second_paper_is_repeated_by_the_net_that_it_names():
    """Table 1 by what is on the shortcut, Tables 2 and 3 by depth, order and block."""
    for each in published_numbers():
        if each.paper != "P2" or each.place not in ("Table 1", "Table 2", "Table 3"):
            continue
        if each.subject in NEVER or each.subject == "ResNet-1001, pre-activation, CIFAR-100":
            assert each.ours == "", each.id
            continue
        net = find_arm(each.ours)[1].net()
        if each.place == "Table 1":
            wanted = {"depth": 110, "order": "original", **JUNCTIONS[each.subject]}
        else:
            name, *how = each.subject.replace(", CIFAR-100", "").split(", ")
            depth, _, block = name.removeprefix("ResNet-").partition(" ")
            wanted = {"depth": int(depth), "order": ORDERS[(how or ["original"])[0]]}
            wanted |= {"junction": "add", "block": "single-layer"} if block else {"junction": "add"}
        assert {name: getattr(net, name) for name in wanted} == wanted, each.id


def test_every_own_error_of_table_6_is_repeated_by_the_net_that_it_names():
    rows = [x for x in published_numbers() if (x.paper, x.place) == ("P1", "Table 6") and x.ours]
    errors = {each.subject: each.ours for each in rows if each.quantity != "parameters"}
    assert errors == {f"ResNet-{n}": f"resnet{n}" for n in (20, 32, 44, 56, 110, 1202)}
    sizes = {each.subject: each.ours for each in rows if each.quantity == "parameters"}
    assert sizes == errors


def data_name(text: str) -> str:
    """The name of a data set in `load`: "cifar10" for "CIFAR-10 test"."""
    return text.split()[0].lower().replace("-", "")


def test_numbers_read_as_they_are_printed():
    assert published("P1/Table 6/ResNet-32").text == "7.51%"
    assert published("P1/Table 4/ResNet-34 C/top-5 error").text == "5.60%"
    assert published("P1/Table 6/ResNet-20/parameters").text == "0.27 million"
    assert published("P1/Table 6/ResNet-32").where == "Table 6"
    assert published("P2/Table 1/ResNet-110").where == "second paper, Table 1"


@pytest.mark.parametrize(
    ("id", "told"),
    [
        ("P1/Table 6/ResNet-65", "P1/Table 6/ResNet-56"),
        ("P1/Table 6/ResNet-110", "/top-1 error, best of 5 or /top-1 error, mean of 5"),
        ("P1/Table 6", "there is no published number"),
        ("ResNet-56", "there is no published number"),
    ],
)
def test_a_wrong_id_is_one_sentence(id, told):
    with pytest.raises(ConfigError, match=r"published number|choice") as error:
        published(id)
    assert told in str(error.value)


def test_a_word_is_no_number():
    fail = published("P2/Table 1/dropout 0.5 on the shortcut")
    assert fail.text == "fails: above 20%"
    with pytest.raises(ConfigError, match="has no number"):
        _ = fail.value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("P1,Table 6,4.2,ResNet-20,top-1 error", "line 2 has 5 columns and not 11"),
        ("P9,Table 6,4.2,ResNet-20,top-1 error,8.75,%,,,,", "'P9' is none of P1"),
        ("P1,Table 6,4.2,ResNet-20,top-1 error,8.7x,%,,,,", "'8.7x' is no number"),
        ("P1,Table 6,4.2,ResNet-20,top-1 error,1,%,,,,\n" * 2, "line 3 repeats"),
    ],
)
def test_a_damaged_table_is_told_with_its_line(tmp_path, line, told):
    header = (TABLES / "p1.csv").read_text().splitlines()[0]
    (tmp_path / "p1.csv").write_text(f"{header}\n{line}")
    with pytest.raises(ConfigError, match=r"p1\.csv") as error:
        published_numbers(tmp_path)
    assert told in str(error.value)
