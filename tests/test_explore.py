"""The explorers' data, and the page's arithmetic against the library's."""

from __future__ import annotations

import gc
import gzip
import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, cost_of, tiny_data, tiny_net, tiny_train

from resnet_lib import (
    MODELS,
    ConfigError,
    ModelConfig,
    RunRecord,
    TrainConfig,
    explore,
    load_records,
    load_runs,
    widgets,
)
from resnet_lib.analysis import SignalProbe, health
from resnet_lib.archive import label_of
from resnet_lib.configs import BLOCKS, ORDERS, SHORTCUTS
from resnet_lib.experiments import EXPERIMENTS, TIERS, at_length
from resnet_lib.outputs import COLOURS, printed_name
from resnet_lib.runs import ARCHIVE, CURVES
from resnet_lib.widgets import architecture, runs, signals, train
from resnet_lib.widgets.__main__ import main as write_pages
from resnet_lib.widgets.train import Session, Settings

NODE = shutil.which("node")


needs_node = pytest.mark.skipif(
    NODE is None, reason="Node is not installed: the page's code runs in it."
)


def on_the_page(script: str, given: Any, folder: Path) -> Any:
    """What the explorers' bundle, as `page`, makes of some data, `given`, in Node."""
    module = folder / "explorers.mjs"  # as .js Node would not take it for a module
    shutil.copyfile(widgets.BUNDLE, module)
    prepared = """
        const page = await import(process.argv[1]);
        const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
    """
    told = "(found) => process.stdout.write(JSON.stringify(found))"
    whole = f"(async () => {{{prepared}{script}}})().then({told})"
    told = subprocess.run(
        [NODE, "-e", whole, module.as_uri()],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return json.loads(told.stdout)


@needs_node
def test_the_page_rounds_as_python_does(tmp_path: Path) -> None:
    """Else one number would stand on a page as 28.2 in the text and as 28.3 in an explorer."""
    values = [sign * i / 200 for i in range(20_001) for sign in (1, -1)]
    values += [i / 2048 for i in range(2048)]
    for decimals in range(4):
        script = f"return given.map((value) => page.rounded(value, {decimals}))"
        expected = [float(f"{value:.{decimals}f}") for value in values]
        assert on_the_page(script, values, tmp_path) == expected


@needs_node
def test_what_rounds_to_zero_has_no_sign(tmp_path: Path) -> None:
    script = "return given.map((value) => page.number(value, 2))"
    found = on_the_page(script, [-0.004, -0.0, 0.004, -0.006], tmp_path)
    assert found == ["0.00", "0.00", "0.00", "\N{MINUS SIGN}0.01"]


@needs_node
def test_nets_have_one_name_on_a_page(tmp_path: Path) -> None:
    """In what Python prints and in what explorers do; what has no printed name keeps its own."""
    names = [*MODELS, "resnet56-B", "resnet50-A", "preresnet20-B", "mine"]
    script = "return given.map((name) => page.printedName(name, page.textsOf('en')))"
    found = [printed_name(name) for name in names]
    assert on_the_page(script, names, tmp_path) == found
    assert found[0] != names[0]
    assert found[-1] == names[-1]
    for each in widgets.names():
        module = widgets.explorer(each)
        assert not re.search(r"\b(plain|resnet|vgg)\d", module.sentence(module.data())), each


@needs_node
def test_the_page_counts_as_the_library_does(tmp_path: Path) -> None:
    """Every named net, and each shortcut option and stride of some: stage by stage."""
    nets = dict(MODELS)
    for name in ("resnet20", "resnet164", "preresnet110", "resnet34", "resnet50"):
        for option in "ABC":
            for stride in ("1x1", "3x3"):
                net = replace(MODELS[name], shortcut=option, stride_in=stride)
                nets[f"{name} {option} {stride}"] = net
    script = """
        for (const name in given) {
            given[name] = page.complexity(given[name]);
            given[name].stages.forEach((stage) => delete stage.detail);
        }
        return given;
    """
    sent = {name: architecture.sent(net) for name, net in nets.items()}
    found = on_the_page(script, sent, tmp_path)
    for name, net in nets.items():
        expected = json.loads(json.dumps(asdict(cost_of(net))))
        assert found[name] == expected, name


@needs_node
def test_the_page_knows_the_blocks_of_every_cifar_depth(tmp_path: Path) -> None:
    """Also of nets that nobody has named; a depth that the library refuses is refused."""
    script = """
        const blocks = (depth, block) => {
            try { return page.cifarBlocks(depth, block); } catch (error) { return error.message; }
        };
        const depths = [...Array(1203).keys()];
        return given.map((block) => depths.map((depth) => blocks(depth, block)));
    """
    kinds = ("basic", "bottleneck")
    for block, found in zip(kinds, on_the_page(script, kinds, tmp_path), strict=True):
        for depth in range(1203):
            try:
                expected: Any = list(ModelConfig(depth, block=block).stage_blocks)
            except ConfigError:
                expected = f"no net has {depth} layers"
            assert found[depth] == expected, (depth, block)


@needs_node
def test_the_page_judges_a_ratio_as_the_library_does(tmp_path: Path) -> None:
    """A first and a last gradient norm; 0/0 is no ratio, and neither healthy nor anything else."""
    ends = [(0, 0), (0, 1), (1, 0), (1, 1), (10, 1), (10.1, 1), (1, 10), (1, 10.1)]
    script = "return given.map(([first, last]) => page.health(first / last, 10))"
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = [health(np.float64(first) / last) for first, last in ends]
    assert on_the_page(script, ends, tmp_path) == expected


# What one language needs no other word for, and names that stand in Chinese texts.
SAME = {"%", "plain-{depth}", "ResNet-{depth}", "pre-ResNet-{depth}", "{depth} = {per}·{n}+2"}
SAME |= {"×{count}", "{net} {value}", "CIFAR-10", "Fashion-MNIST"}
NAMES = {"der", "dropout", "explore", "plain", "pre", "torchvision", "train", "van"}


def places(text: str) -> set[str]:
    """The names in braces, for which values stand in."""
    return set(re.findall(r"\{\w+\}", text))


def torn(english: dict[str, str], chinese: dict[str, str]) -> list[str]:
    """The keys of texts that one language lacks, or that take other values than the other's."""
    keys = sorted(english.keys() | chinese.keys())
    return [
        key
        for key in keys
        if key not in english or key not in chinese or places(english[key]) != places(chinese[key])
    ]


@needs_node
def test_explorers_have_the_same_texts_in_chinese(tmp_path: Path) -> None:
    """Key by key, with the same values in them; and no word was left in English."""
    script = """
        const tables = { shared: { en: page.textsOf("en"), zh: page.textsOf("zh") } };
        for (const name in page.explorers) tables[name] = page.explorers[name].words;
        const flat = (each, path) => Object.entries(each).flatMap(([key, value]) =>
            typeof value === "object" ? flat(value, `${path}${key}.`) : [[path + key, value]]);
        for (const table of Object.values(tables))
            for (const [language, texts] of Object.entries(table))
                table[language] = Object.fromEntries(flat(texts, ""));
        return tables;
    """
    tables = on_the_page(script, None, tmp_path)
    assert set(tables) == {"shared", *widgets.names()}
    noticed = 0
    for name, table in tables.items():
        assert set(table) == {"en", "zh"}, name
        english, chinese = (
            {
                key: text
                for key, text in table[language].items()
                if isinstance(text, str) and key != "language" and not key.startswith("ofData.")
            }
            for language in ("en", "zh")
        )
        assert torn(english, chinese) == [], name
        for key in chinese:
            for place in places(chinese[key]):
                less = {**chinese, key: chinese[key].replace(place, "")}
                assert torn(english, less) == [key], "a lost value is noticed"
                noticed += 1
        assert {text for key, text in chinese.items() if text == english[key]} <= SAME, name
        for key, text in table["zh"].items():
            words = re.findall(r"\b[a-z]{3,}\b", re.sub(r"\{\w+\}", "", str(text)), re.ASCII)
            assert key == "language" or set(words) <= NAMES, (name, key)
        assert re.search(r"[\u4e00-\u9fff]", "".join(chinese.values())), name
    assert noticed > 50
    assert tables["shared"]["zh"]["language"] == "zh"


@needs_node
def test_chinese_says_what_comes_with_the_data(tmp_path: Path) -> None:
    """What arms of experiments change, and whose the photograph is; an arm that is new says it as
    it is, until somebody translates it.
    """
    known = set(on_the_page('return page.textsOf("zh").ofData', None, tmp_path))
    arms = [(each, arm) for each in EXPERIMENTS.values() for arm in each.arms]
    names = [(each.label(arm).replace(",", ""), arm.net()) for each, arm in arms]
    found = {runs.variant_of(name, net) for name, net in names}
    found |= {widgets.explorer(name).data()["source"] for name in ("identity", "shortcut")}
    found.add(widgets.explorer("crops").data()["picture"]["source"])
    assert known <= found, "all of them are said somewhere"
    assert len(known) > 10


@pytest.mark.parametrize("name", widgets.names())
def test_every_explorer_has_data_a_figure_and_a_sentence(name: str) -> None:
    """Plain JSON without NaN, and a plain view that follows the page's colours."""
    module = widgets.explorer(name)
    data = module.data()
    assert json.loads(widgets.as_json(data)) == data
    view = widgets.plain_view(name, data)
    assert "<svg" in view
    assert "currentColor" in view
    assert module.sentence(data).endswith(".")
    assert module.__doc__.splitlines()[0].endswith((".", "?"))


def test_what_the_pages_need_is_written_anew_where_it_changes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("resnet_lib.widgets.__main__.names", lambda: ["architecture"])
    data, view = tmp_path / "architecture.json", tmp_path / "architecture.html"
    write_pages(tmp_path)
    wanted, before = data.read_text(), view.stat().st_mtime_ns
    assert json.loads(wanted) == widgets.explorer("architecture").data()
    data.write_text("of a former build")
    write_pages(tmp_path)
    assert data.read_text() == wanted
    assert view.stat().st_mtime_ns == before


def test_where_to_write_must_be_said(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["resnet_lib.widgets"])
    monkeypatch.delitem(sys.modules, "resnet_lib.widgets.__main__")
    with pytest.raises(SystemExit, match=r"resnet_lib\.widgets FOLDER"):
        runpy.run_module("resnet_lib.widgets", run_name="__main__")


def test_an_unknown_explorer_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="there is no explorer 'rums': the nearest are runs"):
        widgets.explorer("rums")


def record_of(name: str, seed: int = 0, status: str = "complete", **changes) -> RunRecord:
    """A record with three measurements, of a run that was never made."""
    record = RunRecord(
        run_id=f"{name}-{seed}",
        tier="short",
        model_name=name,
        model=MODELS[name].to_dict(),
        model_seed=seed,
        train={**TrainConfig(iterations=3200, seed=seed).to_dict()},
        data={"name": "cifar10", "size": 32, "checksum": "0"},
        numerics="0",
        device="cpu",
        precision="float32",
        layout="",
        environment={},
        commit=None,
        status=status,
        **changes,
    )
    rows = [
        (i, i / 390, split, 1.0, 80 - i / 100 + seed, 0.1, 1.0)
        for i in (100, 1600, 3200)
        for split in ("train", "test")
    ]
    record.curves = pd.DataFrame([(record.run_id, *row) for row in rows], columns=list(CURVES))
    return record


def test_runs_are_the_archives() -> None:
    """Every number of every complete run, and nothing else; of a long curve evenly chosen ones."""
    data = runs.data()
    records = {each.run_id: each for each in load_records() if each.status == "complete"}
    assert {each["run_id"] for each in data["runs"]} == set(records)
    for run in data["runs"]:
        for split in ("train", "test"):
            rows = records[run["run_id"]].curves.query("split == @split").set_index("iteration")
            shown = run[split]["iteration"]
            assert shown == sorted(shown)
            assert shown[-1] == rows.index[-1]
            assert len(shown) == len(rows) or 100 < len(shown) <= runs.MOST_POINTS < len(rows)
            wanted = rows["top1_error"][shown].tolist()
            assert run[split]["top1_error"] == pytest.approx(wanted, abs=6e-4)


def test_a_new_run_appears_by_itself_and_a_broken_one_is_named() -> None:
    records = [
        record_of("plain20", 0),
        record_of("plain20", 1),
        record_of("preresnet110"),
        record_of("plain110", status="diverged", diverged_at=7),
    ]
    data = runs.data(records)
    nets = {net["name"]: net for net in data["nets"]}
    assert nets["preresnet110"]["kind"] == "preactivation"
    printed = [nets[name]["published"]["top1_error"] for name in ("resnet56", "resnet110")]
    assert printed == [6.97, 6.61], "of five runs their mean"
    assert "plain56" in nets, "planned nets are listed, recorded or not"
    assert len(data["runs"]) == 3
    assert data["left_out"] == [{"run_id": "plain110-0", "why": "diverged at iteration 7."}]
    (schedule,) = data["schedules"]
    assert schedule["seeds"] == 3
    assert "plain-20 48.5% (2 seeds)" in runs.sentence(data)
    assert "plain-56 not recorded yet" in runs.sentence(data)
    assert data["guided"] == schedule["id"]
    assert data["shorter"] is None


def test_the_questions_are_about_the_longest_runs_of_both_pairs() -> None:
    """However few they are; a schedule that lacks a net of a pair does not count."""
    names = [name for pair in runs.PAIRS for name in pair]
    records = [record_of(name, seed) for name in names for seed in (0, 1)]
    longer = [record_of(name, 2) for name in names], [record_of(name, 3) for name in names[:3]]
    for of_tier, tier in zip(longer, ("paper", "incomplete"), strict=True):
        for each in of_tier:
            each.tier, each.train = tier, {**each.train, "iterations": 64_000 + len(tier)}
        records += of_tier
    # Of the same names, but narrower nets or on other images: no shorter training of these.
    for seed, narrow in ((4, True), (5, False)):
        for each in (record_of(name, seed) for name in names):
            each.tier, each.train = f"other {seed}", {**each.train, "iterations": 80}
            each.model |= {"width": 8} if narrow else {}
            each.data |= {} if narrow else {"name": "embedded"}
            records.append(each)
    found = runs.data(records)
    assert found["guided"].startswith("paper")
    assert found["shorter"] == found["schedules"][0]["id"] != found["guided"]
    assert "plain-20 50.0% (1 seed)" in runs.sentence(found)


def test_what_is_trained_otherwise_is_a_net_of_its_own() -> None:
    """Neither the float32 control nor a changed initialisation is averaged into the usual net."""
    usual, in_float32, small = (record_of("plain56") for _ in range(3))
    recipe = TIERS["short"].train.to_dict()
    usual.train, small.train = recipe, recipe
    in_float32.run_id, in_float32.train = "f", {**recipe, "precision": "float32"}
    small.run_id, small.model = "s", {**usual.model, "init": "small"}
    data = runs.data([usual, in_float32, small])
    found = {run["run_id"]: run["net"] for run in data["runs"]}
    assert found == {"plain56-0": "plain56", "f": "plain56 float32", "s": "plain56 small init"}
    assert not any("," in name for name in found.values()), "a list of names is parted by commas"
    nets = {net["name"]: net for net in data["nets"]}
    assert [nets[name]["variant"] for name in found.values()] == ["", "float32", "small init"]
    assert "plain-56 48.0% (1 seed)" in runs.sentence(data)


def test_explorers_work_with_an_empty_archive() -> None:
    for module in (runs, signals):
        data = module.data([])
        assert module.figures(data) == []
        assert module.sentence(data)
        json.loads(widgets.as_json(data))


def probed(record: RunRecord, norm: float) -> RunRecord:
    """The record with probes of two layers: twice the norm at the last before the first step."""
    rows = [(0, 1, norm), (0, 2, 2 * norm), (9, 1, norm), (9, 2, norm)]
    record.probe = pd.DataFrame(
        [
            {"iteration": i, "layer": n, "name": f"c{n}", **dict.fromkeys(signals.QUANTITIES, x)}
            for i, n, x in rows
        ]
    )
    return record


def test_signals_are_the_geometric_means_of_the_seeds() -> None:
    records = [probed(record_of("plain20", seed), norm) for seed, norm in ((0, 1.0), (1, 100.0))]
    data = signals.data([*records, probed(record_of("resnet20"), 3.0)])
    (net,) = [net for net in data["nets"] if net["name"] == "plain20"]
    assert net["moments"] == [0, 9]
    assert net["layers"] == ["c1", "c2"]
    assert net["activation_gradient"] == [[10.0, 20.0], [10.0, 10.0]]
    assert net["seeds"] == 2
    assert net["runs"] == ["plain20-0", "plain20-1"], "what was measured names where it came from"
    told = signals.sentence(data)
    assert told.startswith("Before the first step")
    assert told.endswith(": plain-20 0.5, ResNet-20 0.5.")


def test_signals_of_what_is_trained_otherwise_are_not_averaged_in() -> None:
    """Neither those of the float32 control nor those of another schedule."""
    usual, control, short = (probed(record_of("plain56"), norm) for norm in (1.0, 7.0, 9.0))
    usual.train = TIERS["short"].train.to_dict()
    control.run_id, control.train = "control", {**usual.train, "precision": "float32"}
    short.run_id, short.train = "short", {**usual.train, "iterations": 320}
    data = signals.data([control, short, usual, probed(record_of("plain20"), 1.0)])
    (net,) = [net for net in data["nets"] if net["name"] == "plain56"]
    assert net["runs"] == [usual.run_id]
    assert net["activation_gradient"] == [[1.0, 2.0], [1.0, 1.0]]


def test_signals_of_ones_own_records_are_shown_under_their_own_names() -> None:
    """Also of a net that is trained otherwise than any of the archive, under its own name."""
    own = probed(record_of("plain20"), 1.0)
    own.start = "0123"
    assert label_of(own) != own.model_name
    data = signals.data([own])
    measured = {net["name"]: net["runs"] for net in data["nets"] if net["seeds"]}
    assert measured == {label_of(own): [own.run_id]}
    assert signals.sentence(data).startswith("Before the first step")


def test_architecture_state_shows_the_net_asked_for() -> None:
    state = architecture.state(replace(MODELS["resnet50"], shortcut="C", stride_in="3x3"))
    assert (state["depth"], state["option"], state["stride"]) == (50, "C", "3x3")
    assert architecture.state(MODELS["plain20"])["kind"] == "plain"
    for changes in ({"width": 32}, {"block": "single-layer"}, {"junction": "dropout"}):
        with pytest.raises(ConfigError, match="the page draws nets"):
            architecture.state(replace(MODELS["resnet20"], **changes))


def test_architecture_tells_multiply_adds() -> None:
    """As Table 1 and section 3.3 print them, with a digit more."""
    told = architecture.sentence(architecture.data())
    for cost in ("ResNet-18 1.79", "ResNet-152 11.28", "VGG-16 15.47", "VGG-19 19.63"):
        assert cost in told


def tiny_settings(**changes) -> Settings:
    return Settings(**{"depth": 8, "iterations": 8, **changes})


def test_a_session_trains_stops_and_resumes(tmp_path: Path) -> None:
    """A second press starts nothing; a stopped run goes on to where an unbroken one ends."""
    session = Session(tmp_path / "one")
    told = []
    session.changed = lambda: told.append(session.running)
    reached = threading.Event()
    go_on = threading.Event()

    def stop_at_once(_iteration: int, _row: dict) -> None:
        reached.set()
        go_on.wait(30)

    report, session._report = session._report, stop_at_once
    assert session.train(tiny_settings())
    assert reached.wait(60)
    assert session.running
    assert not session.train(tiny_settings(depth=14)), "a run is running"
    session.stop()
    go_on.set()
    session.wait(60)
    assert session.stopped
    session._report = report
    assert session.resume()
    session.wait(60)
    assert not session.stopped
    assert told[-1] is False
    assert session.error == ""
    assert [session.name(each) for each in session.records] == ["1: plain-8"]
    session.records["other"] = replace(record_of("resnet20"), model_name="resnet20-B")
    assert session.name("other") == f"2: {printed_name('resnet20-B')}", "the whole name"
    del session.records["other"]
    unbroken = Session(tmp_path / "two")
    assert unbroken.train(tiny_settings())
    unbroken.wait(60)
    assert session.frame()["loss"].tolist() == unbroken.frame()["loss"].tolist()


def test_a_session_compares_plots_and_saves(tmp_path: Path) -> None:
    session = Session(tmp_path / "work")
    for kind in ("plain", "residual"):
        assert session.train(tiny_settings(kind=kind))
        session.wait(60)
    *_, last = session.records.values()
    ends = last.curves.groupby("split")["top1_error"].last()
    assert ends["train"] != ends["test"], "else either would do"
    told = f"You predicted 50; 2: ResNet-8 ended with a test error of {ends['test']:.1f}%."
    assert session.outcome("50") == told
    table = session.compare()
    assert table["run"].tolist() == ["1: plain-8", "2: ResNet-8"]
    assert table[["train_error", "test_error"]].iloc[1].tolist() == [ends["train"], ends["test"]]
    assert len(session.plot().axes[0].lines) == 4
    session.save(tmp_path / "kept")
    assert set(load_runs(tmp_path / "kept")["model"]) == {"plain8", "resnet8"}
    data = train.data(session, "embedded")
    assert [run["name"] for run in data["session"]] == ["1: plain-8", "2: ResNet-8"]
    json.loads(widgets.as_json(data))


def test_a_run_that_goes_on_is_shown_once_with_its_time_left(tmp_path: Path, monkeypatch) -> None:
    """With what it had measured, from iteration 4 of 16 on."""
    settings, session, shown = tiny_settings(iterations=16), Session(tmp_path), []
    stopped = replace(record_of("plain20"), run_id=settings.spec().run_id, status="interrupted")
    row = {"iteration": 4, "split": "train", "top1_error": 80.0, "seconds": 2.0}
    stopped.curves = pd.DataFrame([row])
    session.records[stopped.run_id] = stopped

    def run_one(_spec, _folder, progress, stop) -> RunRecord:
        shown.append(train.data(session))
        progress(12, {**row, "iteration": 12, "seconds": 3.0})
        shown.append(train.data(session))
        return stopped

    monkeypatch.setattr(train, "run_one", run_one)
    session.train(settings)
    session.wait(60)
    assert session.error == ""
    for data, iterations, left in zip(shown, ([4], [4, 12]), (6.0, 1.0), strict=True):
        (run,) = data["session"]
        assert run["train"] == [[each, 80.0] for each in iterations]
        assert data["progress"]["iteration"] == iterations[-1]
        assert data["progress"]["seconds_left"] == pytest.approx(left)


def test_every_control_reaches_the_run() -> None:
    chosen = {"batch_norm": False, "init": "xavier", "shortcut": "B"}
    spec = Settings(14, "residual", lr=0.03, iterations=160, seed=5, **chosen).spec()
    assert spec.model.name == "resnet14-B"
    assert {name: getattr(spec.model, name) for name in chosen} == chosen
    recipe = spec.train
    assert (recipe.lr, recipe.iterations, recipe.milestones) == (0.03, 160, (80, 120))
    assert recipe.seed == 5
    assert Settings(kind="pre-activation").spec().model.order == "preactivation"


def test_what_the_controls_begin_with_is_recorded() -> None:
    beginnings = {Settings(kind=kind).spec().run_id for kind in ("plain", "residual")}
    assert beginnings == {run["run_id"] for run in train.data()["recorded"]}
    others = train.data(data_set="cifar10")["recorded"]
    assert {run["name"] for run in others} == {"plain-20", "ResNet-20"}
    assert all("-cifar10-3200-" in run["run_id"] for run in others), "of the tier of these images"


@pytest.mark.parametrize("iterations", [1, 2, 7, 100, 1000])
def test_a_recipe_keeps_its_shape_at_any_length(iterations: int) -> None:
    for tier in TIERS:
        usual = TIERS[tier].train
        recipe = at_length(usual, iterations)
        assert recipe.iterations == iterations
        assert 1 <= recipe.window <= iterations
        assert 1 <= iterations // recipe.eval_every <= 8, "few tests, for they take time"
        if iterations >= 100:
            for found, milestone in zip(recipe.milestones, usual.milestones, strict=True):
                assert found / iterations == pytest.approx(milestone / usual.iterations, abs=0.01)
        assert at_length(usual, usual.iterations) == usual


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"depth": 21}, "nearest valid depths are 20 and 26"),
        ({"iterations": 0}, "iterations is 0"),
        ({"data": "cifar99"}, "data set 'cifar99' is unknown"),
        ({"kind": "dense"}, "kind of net 'dense' is unknown"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path: Path, wrong: dict, told: str) -> None:
    session = Session(tmp_path)
    session.train(Settings(**wrong))
    session.wait(60)
    assert told in session.error
    assert train.data(session)["error"] == session.error
    assert not session.running


def test_explore_is_one_line_each(tmp_path: Path) -> None:
    """Every explorer has its function; the widget carries its data and a plain view."""
    pytest.importorskip("anywidget")
    assert {name for name in widgets.names() if not hasattr(explore, name)} == set()
    widget = explore.runs(step="free")
    assert widget.state == {"step": "free"}
    views = widget._repr_mimebundle_()
    views = views[0] if isinstance(views, tuple) else views
    assert "application/vnd.jupyter.widget-view+json" in views
    assert 'data-explorer="runs" data-state="step=free"' in views["text/html"]
    assert "<svg" in views["text/html"]
    widget.language = "zh"
    assert 'data-language="zh"' in explore.page_view(widget)
    own = explore.runs([record_of("plain20")])
    assert "data-explorer" not in explore.page_view(own), "the page has not these data"
    elsewhere = explore.deletion(tmp_path)
    assert "data-explorer" not in explore.page_view(elsewhere)
    assert explore.architecture("plain34").state["kind"] == "plain"


def test_the_door_lists_the_explorers_and_knows_no_other() -> None:
    assert dir(explore) == sorted([*widgets.names(), "playground"])
    with pytest.raises(AttributeError, match="no explorer gradients; there are architecture, "):
        explore.gradients  # noqa: B018


def test_what_no_control_can_be_set_to_is_refused() -> None:
    with pytest.raises(ConfigError, match="net is "):
        explore.deletion(net=object())
    assert explore.runs([record_of("plain20")], at=np.int64(5)).state == {"at": 5}
    for explorer in (explore.runs, explore.signals):
        for wrong in (["plain20"], 5):
            with pytest.raises(ConfigError, match="no run record: give records, or the folder"):
                explorer(wrong)
    with pytest.raises(ConfigError, match="takes a folder of runs"):
        explore.deletion([record_of("plain20")])


def test_a_session_without_a_folder_leaves_none_behind() -> None:
    session = Session()
    folder = session.folder
    assert folder.is_dir()
    del session
    gc.collect()
    assert not folder.exists()


def test_without_anywidget_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    explore.widget_class.cache_clear()
    with pytest.raises(ImportError, match="pip install anywidget"):
        explore.runs()
    explore.widget_class.cache_clear()


def test_colours_are_the_figures() -> None:
    """The page's style has the colours of `outputs.COLOURS`, light and dark."""
    style = widgets.BUNDLE.read_text(encoding="utf-8")
    for name, (light, dark) in COLOURS.items():
        assert f"--rn-{name}: {light}" in style
        assert f"--rn-{name}: {dark}" in style


def test_all_explorers_together_are_small() -> None:
    """At most 80 KB of JavaScript, gzipped, and no import: Colab and a page load one file."""
    code = widgets.BUNDLE.read_bytes()
    assert len(gzip.compress(code, 9)) < 80_000
    assert not re.search(rb"(^|[;}\s])import\s*[\w{*\"']", code)


def test_no_explorer_styles_another() -> None:
    """All stand on one page: where a rule of one begins is no class of another's code."""
    folder = ROOT / "web" / "explorers"
    uses = {
        path: set(re.findall(r"rnx-[a-z-]+", path.read_text(encoding="utf-8")))
        for path in folder.glob("**/*.ts")
    }
    found = {}
    for sheet in folder.glob("*.css"):
        begins = r"(?:^|[,{}])\s*(?:\.rnx )?\.(rnx-[a-z-]+)"
        styled = set(re.findall(begins, sheet.read_text(encoding="utf-8"), re.MULTILINE))
        for path, used in uses.items():
            if sheet.stem not in (path.stem, path.parent.name) and styled & used:
                found[sheet.name, path.name] = sorted(styled & used)
    assert found == {}


def kept_apart(tmp_path: Path, **changes) -> Path:
    """An archive of one recorded net with its deletions; changes: of its record."""
    source = next(path.parent for path in sorted(ARCHIVE.glob("*/plain20-*/deletions.csv")))
    folder = tmp_path / "short" / source.name
    shutil.copytree(source, folder)
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_explorers_show_no_record_that_is_kept_apart(tmp_path: Path) -> None:
    module = widgets.explorer("deletion")
    kept_apart(tmp_path / "sound")
    assert [net["net"] for net in module.data(tmp_path / "sound")["nets"]] == ["plain20"]
    kept_apart(tmp_path / "foreign", numerics="0" * 12)
    assert module.data(tmp_path / "foreign")["nets"] == []


def test_deleted_blocks_are_compared_in_nets_that_were_trained_equally_long() -> None:
    def net(kind: str, iterations: int, depth: int = 56) -> dict:
        return {"kind": kind, "iterations": iterations, "depth": depth, "data": "cifar10"}

    comparable = widgets.explorer("deletion").comparable
    short, long = ([net(kind, n) for kind in ("plain", "residual")] for n in (3_200, 64_000))
    assert comparable([*long, net("plain", 99_000, depth=20), *short], 56) == long
    assert comparable([*short, long[1]], 56) == short, "both kinds, rather than the longest"
    assert comparable([short[0], long[0]], 56) == long[:1]


def test_damaged_deletions_are_warned_of_and_left_out(tmp_path: Path) -> None:
    folder = kept_apart(tmp_path)
    (folder / "deletions.csv").write_text("# {}\n1,2\n")
    with pytest.warns(UserWarning, match=r"deletions\.csv"):
        assert widgets.explorer("deletion").data(tmp_path)["nets"] == []


def test_two_ways_of_training_one_net_are_not_averaged(tmp_path: Path) -> None:
    for lr in (0.1, 0.2):
        tiny_train(tiny_net(), folder=tmp_path / str(lr), lr=lr)
    with pytest.raises(ConfigError, match="differ in lr: show one of them at a time"):
        widgets.explorer("runs").data(tmp_path)
    shown = widgets.explorer("runs").data(tmp_path / "0.1")
    assert len(shown["runs"]) == 1


def test_an_arm_in_two_precisions_is_shown_in_one() -> None:
    def run(seed: int, precision: str) -> Any:
        return replace(record_of("plain20"), run_id=f"{seed}{precision}", precision=precision)

    both = [run(0, "bfloat16"), run(1, "bfloat16"), run(0, "float32")]
    kept = runs.one_precision(both)
    assert [each.run_id for each in kept] == ["0bfloat16", "1bfloat16"]
    with pytest.raises(ConfigError, match="differ in precision: show one"):
        runs.one_way_each([both[0], both[2]])


def test_a_diverged_run_says_so(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.train(Settings(depth=8, lr=1e9, iterations=10))
    session.wait(60)
    assert "diverged at iteration" in session.outcome("50")


def test_runs_that_differ_in_more_than_their_seeds_are_not_averaged() -> None:
    """Two learning rates with two seeds are not two seeds of one net."""
    probe = {"probe": SignalProbe(tiny_data(), 32), "probe_at": (0, 12)}
    records = [
        tiny_train(tiny_net(seed=seed), seed=seed, lr=lr, **probe)
        for seed, lr in ((0, 0.01), (1, 0.3))
    ]
    for module in (runs, signals):
        with pytest.raises(ConfigError, match="differ in lr"):
            module.data(records)
        alike = tiny_train(tiny_net(seed=1), seed=1, lr=0.01, **probe)
        assert module.data([records[0], alike])["nets"]
    assert runs.data(records[0])["runs"][0]["run_id"] == records[0].run_id


def test_nets_of_one_depth_are_told_apart_whatever_their_blocks_and_orders() -> None:
    """By kind and variant, which is all that the page has to name them by."""
    configs = [
        ModelConfig(20, shortcut, block=block, order=order)
        for block, shortcut, order in product(BLOCKS, SHORTCUTS, ORDERS)
        if (block, shortcut) != ("single-layer", "none")
    ]
    told = {(runs.kind_of(each), runs.variant_of(each.name, each)) for each in configs}
    assert len(told) == len(configs)
    assert runs.variant_of("plain56 float32", ModelConfig(56, "none")) == "float32"
    assert runs.variant_of("resnet56-C", ModelConfig(56, "C")) == ""
    assert runs.variant_of("plain83", ModelConfig(83, "none", block="bottleneck")) == "bottlenecks"
    assert runs.variant_of("resnet164", MODELS["resnet164"]) == ""
    gated = ModelConfig(20, junction="exclusive-gate")
    assert runs.variant_of("resnet20-exclusive-gate (-6)", gated) == "(-6)"
