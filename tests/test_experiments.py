"""The list of experiments, their plans, and how many runs are done."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from helpers import ROOT, TINY, tiny_net, tiny_train

from resnet_lib import (
    EXPERIMENTS,
    TIERS,
    ConfigError,
    ModelConfig,
    RecordError,
    RunRecord,
    TrainConfig,
    load_net,
    reproduce,
)
from resnet_lib.analysis import PROBES
from resnet_lib.archive import key_of_arm, precision_of, present_numerics
from resnet_lib.complexity import complexity
from resnet_lib.data import DATASETS, ImageSet
from resnet_lib.experiments import (
    GROUPS,
    Experiment,
    Tier,
    arm,
    compare_tiers,
    find_arm,
    plan,
)
from resnet_lib.paper import published
from resnet_lib.runner import RunSpec, Stopped, default_jobs, run_all, run_one
from resnet_lib.runs import run_id

RECIPE = TrainConfig(
    iterations=6,
    batch_size=32,
    lr=0.02,
    milestones=(3,),
    pad=1,
    window=2,
    eval_every=3,
    precision="float32",
)
# What an experiment of a longer schedule stretches.
STRETCHED = ("iterations", "milestones", "eval_every")
TIER = Tier("tiny", RECIPE, "embedded", 7, {"width": 4}, seeds=(0, 1), probe_at=(0, 6))


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """Only the CPU promises the same bits in every process."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def pair(monkeypatch):
    """Two experiments of two tiny nets."""
    monkeypatch.setitem(EXPERIMENTS, "pair", Experiment("pair", "a test", ("plain8", "resnet8")))
    probed = Experiment("probed", "a test", ("plain8",), stretch=2, probe="signals")
    monkeypatch.setitem(EXPERIMENTS, "probed", probed)


def specs(count=2):
    models = [ModelConfig(8, option, **TINY) for option in ("none", "A", "B", "C")]
    return [RunSpec(model, RECIPE, "embedded", 7, "tiny") for model in models[:count]]


def numbers(record):
    return record.curves.drop(columns="seconds")


def assert_same(one, other):
    pd.testing.assert_frame_equal(numbers(one), numbers(other), check_exact=True)
    assert (one.run_id, one.status) == (other.run_id, other.status)


def assert_same_nets(one, other):
    a, b = load_net(one).state_dict(), load_net(other).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


def plan_with_embedded(experiment, tier):
    return plan(experiment, tier, data="embedded")


# Plans


@pytest.mark.parametrize("tier", list(TIERS))
@pytest.mark.parametrize("experiment", list(EXPERIMENTS))
def test_the_arms_of_every_experiment_share_everything_but_what_they_say(experiment, tier):
    entry, schedule = EXPERIMENTS[experiment], TIERS[tier]
    runs = plan_with_embedded(experiment, tier)
    seeds = entry.seeds_in(schedule)
    # A batch of 64 is the usual one of the small nets: there that arm is the one before.
    small = tier not in ("short", "paper")
    own_arms = [arm for arm in entry.arms if not (small and "batch 64" in arm.label)]
    assert len(runs) == len(seeds) * len(own_arms)
    assert len({(run.model, run.train) for run in runs}) == len(runs)
    for seed in seeds:
        arms = [run for run in runs if run.train.seed == seed]
        assert [arm.model.name for arm in arms] == [arm.net().name for arm in own_arms]
        assert len({(a.data, a.size, a.tier, a.probe_at) for a in arms}) == 1
        assert {a.probe for a in arms} >= {entry.probe} or entry.probe is None
        for run, own in zip(arms, own_arms, strict=True):
            usual = replace(schedule.train, **{n: getattr(run.train, n) for n in STRETCHED})
            assert run.train == replace(usual, seed=seed, **own.of_train)
            assert run.model == own.net(**schedule.model, in_channels=1, classes=10)


@pytest.mark.parametrize("tier", list(TIERS))
@pytest.mark.parametrize("experiment", list(EXPERIMENTS))
def test_every_plan_can_be_run(experiment, tier):
    entry = EXPERIMENTS[experiment]
    for run in plan_with_embedded(experiment, tier):
        train = run.train
        assert train.iterations == TIERS[tier].train.iterations * entry.stretch
        assert all(milestone < train.iterations for milestone in train.milestones)
        assert train.window <= train.iterations
        assert train.eval_every <= train.iterations
        assert (run.model.in_channels, run.model.classes) == (1, 10)
        assert run.cost > 0
        assert run.probe is None or run.probe in PROBES
        assert all(0 <= at <= train.iterations for at in run.probe_at)


# Runs are recorded under these names; a change here loses them.
RUN_IDS = {
    "plain20": "plain20-cifar10-3200-s0-3a7e5c4f",
    "plain56": "plain56-cifar10-3200-s0-92c65b8c",
    "resnet20": "resnet20-cifar10-3200-s0-ade27b9e",
    "resnet56": "resnet56-cifar10-3200-s0-72f69de5",
    "plain20 x3": "plain20-cifar10-9600-s0-e776bd98",
    "plain56 x3": "plain56-cifar10-9600-s0-44d387d5",
}


@pytest.mark.parametrize("label", RUN_IDS)
def test_the_names_of_recorded_runs_stay(label):
    experiment, arm = find_arm(label)
    recipe, data = experiment.recipe(arm, TIERS["short"]), SimpleNamespace()
    data.name, data.checksum = "cifar10", DATASETS["cifar10"].checksum
    numbers = (arm.net(), 0, recipe, data, present_numerics(arm.net()), "bfloat16")
    assert run_id(*numbers) == RUN_IDS[label]


@pytest.mark.parametrize("experiment", list(EXPERIMENTS))
def test_every_experiment_names_nets_and_what_it_reproduces(experiment):
    entry = EXPERIMENTS[experiment]
    assert entry.id == experiment
    assert entry.stretch >= 1
    assert entry.reproduces.startswith(("Paper, ", "Second paper, ", "Own experiment: "))


def test_arms_that_are_not_told_apart_are_refused():
    arms = ("resnet20", arm("resnet20", weight_decay=0.0))
    with pytest.raises(ConfigError, match="'decay' has 2 arms called 'resnet20': give each"):
        Experiment("decay", "a test", arms)
    with pytest.raises(ConfigError, match="'tiny': tier 'smoke' is unknown: it is one of 'paper'"):
        Experiment("tiny", "a test", ("resnet20",), tiers=("smoke",))
    for wrong in ({"probe": "zzz"}, {"data": "zzz"}, {"stretch": 0}, {"stretch": 1.5}):
        with pytest.raises(ConfigError, match=f"experiment 'tiny': .*{next(iter(wrong.values()))}"):
            Experiment("tiny", "a test", ("resnet20",), **wrong)


def test_a_run_has_one_label_in_all_experiments():
    labels = {}
    for entry in EXPERIMENTS.values():
        for own in entry.arms:
            key = key_of_arm(entry, own, TIERS["paper"]), precision_of(entry, own, TIERS["paper"])
            labels.setdefault(key, set()).add(entry.label(own))
    assert [each for each in labels.values() if len(each) > 1] == []


def test_a_label_means_one_net_one_recipe_and_one_data_set():
    meanings = {}
    for entry in EXPERIMENTS.values():
        for own in entry.arms:
            key = key_of_arm(entry, own, TIERS["paper"])
            meanings.setdefault(entry.label(own), set()).add(key)
            assert find_arm(entry.label(own))[1] == own
    assert all(len(keys) == 1 for keys in meanings.values())


def test_a_tier_takes_other_seeds_and_another_length():
    quick = TIERS["quick"]
    assert quick.with_seeds(None) is quick
    assert quick.with_seeds([3, 4]).seeds == (3, 4)
    assert quick.with_seeds(3).seeds == (3,)
    longer = quick.with_iterations(160)
    assert (longer.train.iterations, longer.train.milestones) == (160, (80, 120))
    assert [spec.train.seed for spec in plan("figure6-plain", quick.with_seeds(7))] == [7, 7]


def test_a_run_that_experiments_share_is_probed_whichever_asks_for_it(monkeypatch):
    shared = Experiment("shared", "a test", ("plain20", "plain26"))
    assert [run.probe for run in plan(shared, "short", [0], "embedded")] == ["signals", None]
    assert [run.probe for run in plan(shared, "smoke", [0])] == [None, None]


def test_changes_go_to_the_net_or_to_the_recipe():
    one = arm("resnet20", shortcut="B", warmup_lr=0.01)
    assert (one.label, one.of_train) == ("resnet20-B", {"warmup_lr": 0.01})
    assert one.net(width=8) == ModelConfig(20, "B", width=8)
    with pytest.raises(ConfigError, match="shortcutt"):
        arm("resnet20", shortcutt="B")


@pytest.mark.parametrize("group", list(GROUPS))
def test_a_group_is_its_entries_seed_by_seed(group):
    runs = plan_with_embedded(group, "smoke")
    nets = [model for each in GROUPS[group] for model in EXPERIMENTS[each].models]
    for seed in TIERS["smoke"].seeds:
        assert [run.model.name for run in runs if run.train.seed == seed] == nets
    assert [run.train.seed for run in runs] == sorted(run.train.seed for run in runs)


def test_experiments_that_share_a_run_do_it_once(tmp_path, monkeypatch):
    """With the probe that one of them asks for."""
    for name, probe in (("a", None), ("b", "signals"), ("c", None)):
        monkeypatch.setitem(EXPERIMENTS, name, Experiment(name, "a test", ("plain8",), probe=probe))
    records = reproduce(["a", "b", "c"], TIER, seeds=[0], folder=tmp_path, jobs=1, progress=False)
    assert len(records) == 1
    assert set(records[0].probe["iteration"]) == {0, 6}


@pytest.mark.parametrize("tier", list(TIERS))
def test_every_tier_has_a_name_and_seeds(tier):
    entry = TIERS[tier]
    assert entry.name == tier
    assert len(set(entry.seeds)) == len(entry.seeds) > 0
    # Seeds from 100 on are for the choice of recipes; what is reported must not have chosen them.
    assert all(seed < 100 for seed in entry.seeds)


def test_the_paper_s_tier_is_the_paper_s_recipe():
    recipe = TIERS["paper"].train
    assert recipe == TrainConfig()
    ours = {
        "batch size": recipe.batch_size,
        "learning rate": recipe.lr,
        "iterations": recipe.iterations,
        "first milestone": recipe.milestones[0],
        "second milestone": recipe.milestones[1],
        "padding": recipe.pad,
    }
    for name, value in ours.items():
        assert published(f"P1/section 4.2/CIFAR-10 recipe/{name}").value == value
    assert (TIERS["paper"].data, TIERS["paper"].size) == ("cifar10", None)
    assert TIERS["paper"].model == {}


def test_a_stretched_plan_keeps_the_shape_of_the_schedule(pair):
    once, twice = plan("pair", TIER)[0].train, plan("probed", TIER)[0].train
    assert twice.iterations == 2 * once.iterations
    assert twice.milestones == tuple(2 * m for m in once.milestones)
    assert (twice.lr, twice.batch_size, twice.window) == (once.lr, once.batch_size, once.window)


def test_seeds_may_be_chosen(pair):
    runs = plan("pair", TIER, seeds=[5, 7])
    assert [(run.train.seed, run.model.name) for run in runs] == [
        (5, "plain8"),
        (5, "resnet8"),
        (7, "plain8"),
        (7, "resnet8"),
    ]


def test_names_that_are_unknown_list_the_nearest():
    with pytest.raises(ConfigError, match=r"'figure7'.*figure6-plain"):
        plan("figure7", "smoke")
    with pytest.raises(ConfigError, match=r"'plain57'.*plain56"):
        find_arm("plain57")
    with pytest.raises(ConfigError, match=r"'quik'.*quick"):
        plan("figure6-plain", "quik")
    with pytest.raises(ConfigError, match=r"'quik'.*quick"):
        reproduce("figure6-plain", "quik")
    with pytest.raises(ConfigError, match="embedded"):
        plan("figure6-plain", "smoke", data="embeded")


# One run


def test_a_run_s_name_is_known_before(tmp_path):
    spec = specs()[1]
    record = run_one(spec, tmp_path, progress=False)
    assert record.run_id == spec.run_id
    assert (tmp_path / spec.run_id / "record.json").exists()
    assert record.tier == "tiny"
    assert record.model == spec.model.to_dict()


def test_the_cost_of_a_run_is_that_of_all_its_images():
    """What shares out the time left, and the time foretold."""
    (spec,) = specs(1)
    each = complexity(spec.model, 7).multiply_adds
    assert spec.cost == 6 * 32 * each
    longer = replace(spec, train=replace(RECIPE, iterations=12, batch_size=64))
    assert longer.cost == 4 * spec.cost


def test_a_run_uses_one_thread_and_gives_the_others_back():
    torch.set_num_threads(2)
    try:
        run_one(specs()[0], progress=False)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_recorded_run_is_read_and_not_repeated(tmp_path):
    spec = specs()[0]
    first = run_one(spec, tmp_path, progress=False)
    files = sorted((tmp_path / spec.run_id).iterdir())
    before = [(path.name, path.stat().st_mtime_ns, path.read_bytes()) for path in files]

    def fail(*_arguments):
        raise AssertionError("trained again")

    again = run_one(spec, tmp_path, progress=fail, stop=fail)
    assert_same(again, first)
    files = sorted((tmp_path / spec.run_id).iterdir())
    assert [(path.name, path.stat().st_mtime_ns, path.read_bytes()) for path in files] == before


@pytest.mark.parametrize("probe", [None, "signals"])
def test_a_diverged_run_is_not_repeated(tmp_path, probe):
    """Nor for want of the measurements that it did not live to see."""
    spec = replace(specs()[1], train=replace(RECIPE, lr=1e30), probe=probe, probe_at=(0, 6))
    first = run_one(spec, tmp_path, progress=False)
    assert first.status == "diverged"
    again = run_one(spec, tmp_path, progress=False, stop=lambda: pytest.fail("trained again"))
    assert (again.status, again.diverged_at) == ("diverged", first.diverged_at)


def test_a_damaged_record_is_not_overwritten(tmp_path):
    spec = specs()[0]
    run_one(spec, tmp_path, progress=False)
    path = tmp_path / spec.run_id / "record.json"
    path.write_text("{")
    with pytest.raises(RecordError, match=r"record\.json .* delete its folder"):
        run_one(spec, tmp_path, progress=False)
    assert path.read_text() == "{"


def test_a_record_without_the_probe_that_is_asked_for_does_not_do(tmp_path, pair):
    """The same run may be recorded by an experiment that measures nothing on the net."""
    probed = plan("probed", TIER, seeds=[0])[0]
    run_one(replace(probed, probe=None, probe_at=()), tmp_path, progress=False)
    record = run_one(probed, tmp_path, progress=False)
    assert set(record.probe["iteration"]) == {0, 6}


# Many runs


def test_processes_compute_what_one_computes_and_an_error_reaches_the_caller(tmp_path):
    """Three runs in two processes, one of which cannot be: the others are done and kept."""
    good = specs(2)
    wanted = [run_one(spec, tmp_path / "one", progress=False) for spec in good]
    bad = replace(good[0], train=replace(RECIPE, batch_size=20_000))
    with pytest.raises(ConfigError, match="20000"):
        run_all([good[0], bad, good[1]], tmp_path / "two", jobs=2, progress=False)
    assert len(list((tmp_path / "two").rglob("record.json"))) == 2
    for record in wanted:
        assert_same(RunRecord.load(tmp_path / "two" / record.run_id), record)
        assert_same_nets(tmp_path / "one" / record.run_id, tmp_path / "two" / record.run_id)


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_stops_all_runs_and_their_records_are_kept(tmp_path, jobs):
    """Runs of a million iterations, interrupted once the parent hears of one."""
    endless = [replace(spec, train=replace(spec.train, iterations=10**6)) for spec in specs(2)]
    watching = threading.Event()

    def interrupt():
        watching.wait(100)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    from resnet_lib import runner

    show = runner.Display.show

    def seen(self, index, iteration, row):
        show(self, index, iteration, row)
        watching.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner.Display, "show", seen)
        records = run_all(endless, tmp_path, jobs=jobs, progress=False)
    thread.join()
    assert [record.run_id for record in records] == [spec.run_id for spec in endless[:jobs]]
    assert {record.status for record in records} == {"interrupted"}
    for record in records:
        kept = RunRecord.load(tmp_path / record.run_id)
        assert (kept.status, kept.iterations_done) == ("interrupted", record.iterations_done)
    assert max(record.iterations_done for record in records) >= 2


def test_a_killed_worker_is_one_sentence_and_the_next_call_goes_on(tmp_path):
    endless = [replace(spec, train=replace(spec.train, iterations=10**6)) for spec in specs(2)]

    from resnet_lib import runner

    def seen(self, index, iteration, row):
        for process in list(runner.workers(2)[0]._processes.values()):
            process.kill()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner.Display, "show", seen)
        with pytest.raises(runner.RunError, match="killed"):
            run_all(endless, tmp_path, jobs=2, progress=False)
    assert len(run_all(specs(2), tmp_path, jobs=2, progress=False)) == 2


def test_workers_killed_while_they_wait_are_replaced(tmp_path):
    from resnet_lib import runner

    assert len(run_all(specs(2), tmp_path / "one", jobs=2, progress=False)) == 2
    for process in list(runner.workers(2)[0]._processes.values()):
        process.kill()
        process.join()
    assert len(run_all(specs(2), tmp_path / "two", jobs=2, progress=False)) == 2


def test_a_run_that_went_by_a_moment_without_its_probe_begins_anew(tmp_path):
    spec = specs(1)[0]
    left = iter([False, False, True])
    stopped = run_one(spec, tmp_path, progress=False, stop=lambda: next(left))
    assert (stopped.status, len(stopped.probe)) == ("interrupted", 0)
    probed = replace(spec, probe="signals", probe_at=(0, 6))
    record = run_one(probed, tmp_path, progress=False)
    assert sorted(set(record.probe["iteration"])) == [0, 6]


def test_the_time_left_of_resumed_runs_counts_only_what_this_sitting_did(capsys):
    """Of two equal runs one was half done: from there, 10% of it are 5% of the whole."""
    from resnet_lib import runner

    pair = [replace(each, train=replace(each.train, iterations=1_000)) for each in specs(2)[:2]]
    row = {"split": "train", "top1_error": 50.0}
    with runner.Display(pair, progress=True) as display:
        window, cost = pair[0].train.window, display.costs[0]
        display.show(0, 500 + window, row)
        assert display.bar.initial == pytest.approx(cost / 2)
        display.show(0, 600, row)
        told = display.bar.format_dict
    assert told["n"] - told["initial"] == pytest.approx(cost / 10)
    assert told["n"] == pytest.approx(0.3 * sum(display.costs))


@pytest.mark.parametrize("jobs", [0, -1])
def test_a_number_of_jobs_is_at_least_one(jobs):
    with pytest.raises(ConfigError, match="jobs"):
        run_all(specs(1), jobs=jobs, progress=False)


def test_no_runs_are_no_records():
    assert run_all([], progress=False) == []


def test_the_default_is_one_run_a_processor_or_one_on_a_card(monkeypatch):
    assert default_jobs() >= 1
    monkeypatch.setattr("resnet_lib.runner.find_device", lambda: torch.device("cuda"))
    assert default_jobs() == 1


def test_work_of_seconds_starts_no_processes_unless_asked_to(tmp_path, monkeypatch):
    def no_processes(*_):
        raise AssertionError("processes were started")

    monkeypatch.setattr("resnet_lib.runner.default_jobs", lambda: 2)
    monkeypatch.setattr("resnet_lib.runner.run_in_processes", no_processes)
    assert len(run_all(specs(2), tmp_path, progress=False)) == 2
    for jobs, little in ((2, 5e9), (None, 0)):
        monkeypatch.setattr("resnet_lib.runner.LITTLE", little)
        with pytest.raises(AssertionError):
            run_all(specs(2), jobs=jobs, progress=False)


def test_the_bar_ends_full(capsys):
    run_all(specs(2), jobs=1, progress=True)
    shown = capsys.readouterr().err
    assert "100%" in shown
    assert "resnet8 seed 0" in shown


# Experiments


def test_an_experiment_is_reproduced_seed_by_seed(tmp_path, pair):
    records = reproduce(["pair", "probed"], TIER, folder=tmp_path, jobs=1, progress=False)
    found = [(each.train["seed"], each.model_name, each.train["iterations"]) for each in records]
    assert found == [
        (seed, model, steps)
        for seed in (0, 1)
        for model, steps in (("plain8", 6), ("resnet8", 6), ("plain8", 12))
    ]
    assert all(record.status == "complete" for record in records)
    assert set(records[2].probe["iteration"]) == {0, 6}
    assert len({record.run_id for record in records}) == 6


def test_reproducing_goes_on_where_it_was_stopped(tmp_path, pair):
    wanted = reproduce("pair", TIER, seeds=[0], folder=tmp_path / "whole", jobs=1, progress=False)
    runs = plan("pair", TIER, seeds=[0])
    run_one(runs[0], tmp_path / "part", progress=False)
    left = iter([False, False, False, True])
    stopped = run_one(runs[1], tmp_path / "part", progress=False, stop=lambda: next(left))
    assert (stopped.status, stopped.iterations_done) == ("interrupted", 3)
    path = tmp_path / "part" / runs[0].run_id / "record.json"
    before = path.stat().st_mtime_ns
    found = reproduce("pair", TIER, seeds=[0], folder=tmp_path / "part", jobs=1, progress=False)
    assert path.stat().st_mtime_ns == before
    for a, b in zip(found, wanted, strict=True):
        assert_same(a, b)
        assert_same_nets(tmp_path / "whole" / a.run_id, tmp_path / "part" / a.run_id)


def test_without_a_folder_nothing_is_kept(tmp_path, pair, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = reproduce("pair", TIER, seeds=[0], jobs=1, progress=False)
    assert len(records) == 2
    assert list(tmp_path.iterdir()) == []


SMALL = [
    name
    for name, each in EXPERIMENTS.items()
    if max(arm.net().depth for arm in each.arms) < 100 and each.data is None
]


@pytest.mark.parametrize("experiment", SMALL)
def test_every_experiment_runs_in_the_smoke_tier(experiment):
    """Those of 100 layers and more are built and counted, above and in test_families.py."""
    first = TIERS["smoke"].seeds[:1]
    records = reproduce(experiment, "smoke", seeds=first, jobs=1, progress=False)
    assert [record.model_name for record in records] == list(EXPERIMENTS[experiment].models)
    for record in records:
        assert record.status == "complete"
        assert bool(len(record.probe)) == (EXPERIMENTS[experiment].probe is not None)


def test_the_tiers_side_by_side_are_those_of_the_list():
    table = compare_tiers().set_index("tier")
    assert list(table.columns) == ["quick", "short", "paper"]
    assert table.loc["iterations"].tolist() == ["80", "3,200", "64,000"]
    assert table.loc["divided by 10 at", "paper"] == "32,000 and 48,000"
    assert table.loc["learning rate"].tolist() == ["0.01", "0.1", "0.1"]


def test_a_stopped_call_says_how_far_it_came(tmp_path, monkeypatch):
    """So that the cells after it are not run; its records are with the exception."""
    from resnet_lib import experiments

    done = [tiny_train(tiny_net()), tiny_train(tiny_net(), stop=lambda: True)]
    monkeypatch.setattr(experiments, "run_all", lambda *_args, **_options: done)
    with pytest.raises(Stopped, match="stopped after 1 of 2 runs; the same call goes on") as told:
        reproduce("figure6-plain", "smoke", seeds=[0], folder=tmp_path)
    assert told.value.records == done
    with pytest.raises(KeyboardInterrupt, match="nothing is kept"):
        reproduce("figure6-plain", "smoke", seeds=[0])


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.5, 5.0])
def test_ctrl_c_ends_it_at_any_moment(tmp_path, seconds):
    """Also while its processes start: one that dies of it would be waited for without end."""
    command = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from resnet_lib.cli import main; print('ready', flush=True); sys.exit(main(sys.argv[1:]))"
    )
    seeds = [str(seed) for seed in range(6)]
    arguments = ["reproduce", "figure6-plain", "--tier", "quick", "--jobs", "2", "--seeds", *seeds]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments, "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=100)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, told
    assert re.search(r"stopped(\.| after \d+ of 12 runs; the same call goes on\.)\n$", told), told
    assert "InvalidStateError" not in told


def test_another_data_set_gets_the_size_nearest_to_the_tier_s(monkeypatch):
    from resnet_lib import experiments

    sizes = {"embedded": 28, "cifar10": 32, "photos": 64}
    label = torch.zeros(1, dtype=torch.int64)
    found = {}
    for name, n in sizes.items():
        image = torch.zeros(1, 1, n, n, dtype=torch.uint8)
        found[name] = ImageSet(name, ("a",), image, label, image, label)
    monkeypatch.setattr(experiments, "load_once", lambda name, size: found[name])
    asked = {name: experiments.size_in(TIERS["quick"], name) for name in sizes}
    assert asked == {"embedded": 14, "cifar10": 16, "photos": 16}
    assert experiments.size_in(TIERS["short"], "photos") is None


def test_an_experiment_s_own_data_stand_for_cifar10_only():
    entry = EXPERIMENTS["cifar100"]
    found = {name: entry.data_in(tier) for name, tier in TIERS.items()}
    own, small = ("paper", "short"), ("quick", "smoke")
    assert found == dict.fromkeys(own, "cifar100") | dict.fromkeys(small, "embedded")


def test_an_unknown_tier_is_one_sentence():
    with pytest.raises(ConfigError, match="there is no tier 'fast'"):
        TIERS["fast"]
    assert "fast" not in TIERS


@pytest.mark.parametrize("change", [{"seed": 5}, {"iterations": 8}])
def test_an_arm_has_no_seed_or_length_of_its_own(change):
    """The seed was ignored, and the arm was another's run."""
    with pytest.raises(ConfigError, match=f"does not change {min(change)}"):
        arm("resnet8", "another", **change)
