"""The command line, through its own entry point."""

import argparse
import itertools
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import ROOT, cost_of, tiny_net, tiny_train, write_record, write_sheets

from resnet_lib import EXPERIMENTS, MODELS, TIERS, RunRecord, load_records
from resnet_lib.archive import survey
from resnet_lib.cli import changes_of, main, parser
from resnet_lib.complexity import OTHER_NETS
from resnet_lib.data import DATASETS, load
from resnet_lib.experiments import GROUPS, Experiment, arm
from resnet_lib.ledger import Ledger
from resnet_lib.runner import load_once, run_one, unsaved

COMMANDS = next(
    action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
)


def succeed(capsys, *arguments, status=0):
    """Run a command that is to succeed and return what it printed."""
    assert main([str(each) for each in arguments]) == status
    return capsys.readouterr().out


def fail(capsys, *arguments):
    """Run a command that is to fail and return its one sentence."""
    assert main([str(each) for each in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("resnet_lib: ")
    assert len(err.splitlines()) == 1
    assert err.rstrip().endswith((".", ")"))
    assert "Traceback" not in err
    return err


TINY = ("train", "resnet8", "--tier", "smoke", "--width", "4", "--precision", "float32")


# Help


def help_of(capsys, *command):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help_with_all_its_options(capsys, command):
    text = help_of(capsys, command)
    assert command in help_of(capsys)
    for action in COMMANDS[command]._actions:
        explained = action.help or action.choices or f"{action.dest.title()}:" in text
        assert explained, f"{command} {action.dest} is not explained"
        for option in action.option_strings:
            assert option in text


def test_the_help_shows_examples_that_are_valid(capsys):
    text = help_of(capsys)
    examples = re.findall(r"python -m resnet_lib (.+)", text.partition("examples:")[2])
    assert len(examples) >= 3
    for example in examples:
        options = parser().parse_args(example.split())
        assert options.command in COMMANDS
        for name in getattr(options, "experiments", []):
            assert name in EXPERIMENTS or name in GROUPS
        if hasattr(options, "model"):
            assert options.model in MODELS


class Begun(Exception):
    """A command has got as far as its work."""


def commands_told():
    """The commands that readers are told, with the file that tells each.

    One in a sentence may go on in the next line, up to its closing backtick.
    """
    files = [*ROOT.glob("*.md"), *ROOT.glob("data/*.md"), *ROOT.glob("book/*.md")]
    for path in sorted([*files, *ROOT.glob("notebooks/*.ipynb")]):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        spans = re.findall(r"`[^`\n]*python -m resnet_lib ([a-z][^`]*)`", text)
        lines = re.findall(r"^[^`\n]*python -m resnet_lib ([a-z][^`\n]*)$", text, re.MULTILINE)
        for told in spans + lines:
            yield path.name, " ".join(told.partition("  #")[0].split())


@pytest.mark.parametrize(("place", "told"), list(commands_told()))
def test_what_readers_are_told_to_run_is_taken(place, told, monkeypatch):
    """Trainings and tests as far as their work, the others as far as their options."""
    options = parser().parse_args(shlex.split(told))
    if options.command in ("train", "reproduce", "evaluate"):

        def begin(*_, **__):
            raise Begun

        monkeypatch.setattr("resnet_lib.cli.run_one", begin)
        monkeypatch.setattr("resnet_lib.experiments.run_all", begin)
        monkeypatch.setattr("resnet_lib.cli.pretrained", begin)
        with pytest.raises(Begun):
            main(shlex.split(told))


def test_readers_are_told_commands():
    assert len(list(commands_told())) >= 10


def test_the_help_names_data_sets_tiers_and_experiments(capsys):
    def squeezed(text):
        return re.sub(r"\s", "", text)

    text = squeezed(help_of(capsys, "train"))
    for name in (*DATASETS, *TIERS):
        assert name in text
    text = squeezed(help_of(capsys, "reproduce"))
    for name, experiment in EXPERIMENTS.items():
        assert name in text
        assert squeezed(experiment.reproduces) in text


@pytest.mark.parametrize("command", list(COMMANDS))
def test_the_help_shows_no_default_that_means_nothing(capsys, command):
    """The options of `train` start from the tier's values, not from None."""
    assert "None" not in help_of(capsys, command)


def test_the_package_can_be_run(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["resnet_lib", "data"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("resnet_lib", run_name="__main__")
    assert ended.value.code == 0
    assert "embedded" in capsys.readouterr().out


# Lists


def test_a_reader_who_has_read_enough_ends_a_list_in_silence():
    """As `| head` does."""
    with subprocess.Popen(
        [sys.executable, "-m", "resnet_lib", "models"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_models_lists_every_net_with_its_cost(capsys, monkeypatch):
    monkeypatch.setattr("resnet_lib.cli.complexity", cost_of)
    lines = {line.split()[0]: line.split()[1:] for line in succeed(capsys, "models").splitlines()}
    assert set(MODELS) <= set(lines)
    for name in ("plain20", "resnet20", "resnet110"):
        cost = cost_of(name)
        wanted = [str(MODELS[name].depth), f"{cost.parameters:,}", f"{cost.multiply_adds:,}"]
        assert lines[name] == wanted
    assert lines["resnet56"][1] == "853,018"
    assert set(OTHER_NETS) <= set(lines)


def test_data_describes_the_embedded_set(capsys):
    text = succeed(capsys, "data")
    for part in ("10,000", "2,000", "28x28", "2e1fe9dee985", "trouser"):
        assert part in text


def test_runs_lists_the_records_of_a_folder(capsys, tmp_path):
    assert "No runs" in succeed(capsys, "runs", tmp_path)
    record = tiny_train(folder=tmp_path / "one", tier="some")
    other = tiny_train(tiny_net("plain8"), folder=tmp_path / "two", stop=lambda: True)
    text = succeed(capsys, "runs", tmp_path)
    line = next(line for line in text.splitlines() if record.run_id in line)
    assert {"resnet8", "some", "complete", "12"} <= set(line.split()), "the net's label, too"
    ends = record.curves.groupby("split")["top1_error"].last()
    assert ends["train"] != ends["test"], "else either would do"
    found = [float(each) for each in line.split()[-4:-2]]
    assert found == pytest.approx([ends["train"], ends["test"]], abs=0.006)
    line = next(line for line in text.splitlines() if other.run_id in line)
    assert {"interrupted", "0"} <= set(line.split())


def test_the_archive_can_be_listed(capsys):
    assert succeed(capsys, "runs")


def test_what_is_kept_apart_is_named_with_its_reason(capsys, tmp_path):
    folder = write_record(tmp_path, "plain20", status="interrupted", iterations_done=9)
    told = f"{folder.name}: it is interrupted, at iteration 9."
    assert f"kept apart: short/{told}" in succeed(capsys, "runs", tmp_path)
    assert f"kept apart: {told}" in succeed(capsys, "ledger", "13", "--runs", tmp_path)


def test_a_damaged_record_is_told_once_beside_those_that_can_be_read(capsys, tmp_path):
    """What is kept apart for another reason is listed, too; by folder, as on the disk."""
    whole = [tiny_train(tiny_net(seed=seed), folder=tmp_path / f"{3 - seed}") for seed in (0, 1)]
    stopped = tiny_train(tiny_net("plain8"), folder=tmp_path / "1", stop=lambda: True)
    (tiny_train(folder=tmp_path / "0").save(tmp_path / "0") / "record.json").write_text("{")
    assert main(["runs", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("kept apart: 0: 0/record.json cannot be read as a record") == 1
    assert "kept apart: 1: it is interrupted" in out
    listed = [line.split()[0] for line in out.splitlines()[1:4]]
    assert listed == [each.run_id for each in (stopped, *reversed(whole))]


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ((), lambda row: True),
        (("--verdict", "unclear", "not measured"), lambda row: row.verdict != "holds"),
        (("--kind", "proof", "count"), lambda row: row.claim.kind in ("proof", "count")),
        (("--chapter", "bottleneck"), lambda row: row.claim.chapter == "bottleneck"),
    ],
    ids=["all", "verdicts", "kinds", "chapter"],
)
def test_the_ledger_lists_the_claims_that_are_asked_for(
    capsys, tmp_path, monkeypatch, options, chosen
):
    """In their order, each with its verdict, and how many of how many they are."""
    claims = Ledger.read(survey(tmp_path)).claims
    verdicts = itertools.cycle(("holds", "unclear", "not measured"))
    rows = {
        id: SimpleNamespace(claim=claim, verdict=verdict, short=f"{verdict} (by hand)")
        for (id, claim), verdict in zip(claims.items(), verdicts, strict=False)
    }
    monkeypatch.setattr(Ledger, "__getitem__", lambda self, id: rows[id])
    *lines, last = succeed(capsys, "ledger", "--runs", tmp_path, *options).splitlines()
    wanted = [id for id, row in rows.items() if chosen(row)]
    assert [line.split()[0] for line in lines] == wanted
    assert all(f"  {rows[line.split()[0]].short}  " in line for line in lines)
    assert last == f"{len(wanted)} of {len(rows)} claims."


def test_missing_runs_are_listed_with_all_their_seeds(capsys, tmp_path):
    write_record(tmp_path, "plain20", seed=1)
    rows = [line.split() for line in succeed(capsys, "runs", tmp_path, "--missing").splitlines()]
    for net, seeds in (("plain20", "0 2"), ("plain56", "0 1 2")):
        assert ["short", "figure6-plain", net, *seeds.split()] in rows


# Training


def test_train_prints_the_curve_and_keeps_the_record(capsys, tmp_path):
    text = succeed(capsys, *TINY, "--out", tmp_path)
    record = load_records(tmp_path)[0]
    assert f"{record.run_id}: complete" in text
    assert str(tmp_path / record.run_id) in text
    assert (record.model_name, record.model["width"]) == ("resnet8", 4)
    assert record.data["size"] == 14
    assert record.train["iterations"] == TIERS["smoke"].train.iterations
    assert text.count("train ") == len(record.curves[record.curves["split"] == "train"])


@pytest.mark.parametrize(
    ("option", "value", "where", "found"),
    [
        ("--iterations", "2", "train", {"iterations": 2}),
        ("--lr", "0.002", "train", {"lr": 0.002}),
        ("--batch-size", "16", "train", {"batch_size": 16}),
        ("--seed", "5", "train", {"seed": 5}),
        ("--shortcut", "B", "model", {"shortcut": "B"}),
        ("--width", "3", "model", {"width": 3}),
        ("--init", "xavier", "model", {"init": "xavier"}),
        ("--precision", "bfloat16", "train", {"precision": "bfloat16"}),
        ("--set", "order=preactivation", "model", {"order": "preactivation"}),
        ("--set", "warmup_lr=0.001", "train", {"warmup_lr": 0.001}),
        ("--set", "pad_first=true", "train", {"pad_first": True}),
        ("--set", "flip=False", "train", {"flip": False}),
        ("--set", "milestones=[1]", "train", {"milestones": [1]}),
    ],
)
def test_every_option_of_train_acts(capsys, tmp_path, option, value, where, found):
    succeed(capsys, *TINY, option, value, "--out", tmp_path)
    values = getattr(load_records(tmp_path)[0], where)
    assert {name: values[name] for name in found} == found


def test_leaving_bn_out(capsys, tmp_path):
    succeed(capsys, *TINY, "--no-batch-norm", "--out", tmp_path)
    assert load_records(tmp_path)[0].model["batch_norm"] is False


@pytest.mark.parametrize(("steps", "milestones"), [(1, []), (2, [1]), (8, [4, 6])])
def test_iterations_bring_their_milestones(capsys, tmp_path, steps, milestones):
    succeed(capsys, *TINY, "--iterations", steps, "--out", tmp_path)
    record = load_records(tmp_path)[0]
    assert record.iterations_done == steps
    assert record.train["milestones"] == milestones
    assert set(record.curves["split"]) == {"train", "test"}


def test_train_reads_what_is_recorded(capsys, tmp_path):
    first = succeed(capsys, *TINY, "--out", tmp_path)
    path = next(tmp_path.rglob("record.json"))
    before = path.stat().st_mtime_ns
    assert succeed(capsys, *TINY, "--out", tmp_path) == first
    assert path.stat().st_mtime_ns == before


def test_a_diverged_run_says_where_and_is_no_success(capsys, tmp_path):
    text = succeed(capsys, *TINY, "--lr", "1e30", "--out", tmp_path, status=1)
    record = RunRecord.load(next(tmp_path.rglob("record.json")).parent)
    assert f"diverged at iteration {record.diverged_at}" in text


def test_the_tier_s_name_is_kept_only_where_the_run_is_the_tier_s(capsys, tmp_path):
    """A narrower net or other data under a tier's name would stand among its runs."""
    plain = ("train", "resnet8", "--tier", "smoke")
    succeed(capsys, *plain, "--out", tmp_path / "a")
    assert load_records(tmp_path / "a")[0].tier == "smoke"
    succeed(capsys, *plain, "--lr", "0.5", "--out", tmp_path / "b")
    assert load_records(tmp_path / "b")[0].tier == "custom"
    succeed(capsys, *plain, "--width", "3", "--out", tmp_path / "c")
    assert load_records(tmp_path / "c")[0].tier == "custom"
    images = np.random.default_rng(0).integers(0, 256, (100, 14, 14, 1), np.uint8)
    labels = np.repeat([0, 1], 50)
    splits = dict.fromkeys(("train", "test"), images), dict.fromkeys(("train", "test"), labels)
    own = write_sheets(tmp_path / "own", *splits, ("noise", "more"))
    succeed(capsys, *plain, "--data", own, "--out", tmp_path / "d")
    assert load_records(tmp_path / "d")[0].tier == "custom"


def test_reproduce_runs_and_lists_an_experiment(capsys, tmp_path, monkeypatch):
    entry = Experiment("pair", "a test", ("plain8", "resnet8"))
    monkeypatch.setitem(EXPERIMENTS, "pair", entry)
    command = ("reproduce", "pair", "--tier", "smoke", "--seeds", "3", "--jobs", "1")
    text = succeed(capsys, *command, "--out", tmp_path)
    records = load_records(tmp_path)
    assert {record.model_name for record in records} == {"plain8", "resnet8"}
    assert {record.train["seed"] for record in records} == {3}
    assert all(record.run_id in text for record in records)


def test_reproducing_what_diverges_is_no_success(capsys, tmp_path, monkeypatch):
    arms = ("plain8", arm("resnet8", "lost", lr=1e30))
    monkeypatch.setitem(EXPERIMENTS, "pair", Experiment("pair", "a test", arms))
    command = ("reproduce", "pair", "--tier", "smoke", "--seeds", "3", "--jobs", "1")
    text = succeed(capsys, *command, "--out", tmp_path, status=1)
    assert sorted(each.split()[3] for each in text.splitlines()[1:]) == ["complete", "diverged"]


def options_of(*arguments):
    return parser().parse_args([str(each) for each in arguments])


def test_an_option_that_is_repeated_adds_to_the_first():
    """The first was dropped without a word."""
    options = options_of(*TINY, "--set", "pad=2", "--set", "flip=false", "decay_all=false")
    assert changes_of(options).items() >= {"pad": 2, "flip": False, "decay_all": False}.items()
    many = options_of("reproduce", "figure6", "--seeds", 0, "--seeds", 1, 2)
    assert many.seeds == [0, 1, 2]
    claims = options_of("ledger", "--verdict", "holds", "--verdict", "unclear", "--kind", "run")
    assert claims.verdict == ["holds", "unclear"]


def test_a_tuple_is_taken_as_python_writes_it_and_as_json():
    for text in ("milestones=(2,3)", "milestones=(2, 3,)", "milestones=[2,3]"):
        assert changes_of(options_of(*TINY, "--set", text))["milestones"] == (2, 3)


def test_tier_smoke_has_a_folder_of_its_own(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(EXPERIMENTS, "pair", Experiment("pair", "a test", ("plain8",)))
    succeed(capsys, "reproduce", "pair", "--tier", "smoke", "--seeds", "3", "--jobs", "1")
    assert [each.train["seed"] for each in load_records("runs/smoke")] == [3]


def test_what_the_disk_has_no_room_for_is_said_and_no_success(capsys, tmp_path, monkeypatch):
    """It was said to be kept."""

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunRecord, "save", full)
    with pytest.warns(UserWarning, match="No space left"):
        assert main([*TINY, "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "complete" in out
    assert "kept in" not in out
    assert "nothing of it was saved. Make room in" in err


def test_weights_that_could_not_be_saved_are_made_by_the_same_command(capsys, tmp_path):
    """From the checkpoint that was left, which was not looked at."""
    left = iter([False] * 3 + [True])
    command = (*TINY, "--out", tmp_path)
    spec = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resnet_lib.cli.run_one", lambda *run: spec.append(run[0]) or run_one(*run))
        succeed(capsys, *command)
    folder = tmp_path / spec[0].run_id
    weights, record = ((folder / n).read_bytes() for n in ("weights.safetensors", "record.json"))
    (folder / "weights.safetensors").unlink()
    (folder / "record.json").unlink()
    assert run_one(spec[0], tmp_path, stop=lambda: next(left)).status == "interrupted"
    (folder / "record.json").write_bytes(record)
    assert "its weights were not saved" in unsaved(RunRecord.load(folder), tmp_path)
    succeed(capsys, *command)
    assert (folder / "weights.safetensors").read_bytes() == weights
    assert unsaved(RunRecord.load(folder), tmp_path) is None


@pytest.mark.parametrize("change", [{"model_seed": 7}, {"run_id": "another"}, {"status": "begun"}])
def test_a_record_of_another_run_is_not_taken_for_this_one(capsys, tmp_path, change):
    succeed(capsys, *TINY, "--out", tmp_path)
    (path,) = tmp_path.rglob("record.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    before = path.read_bytes()
    told = fail(capsys, *TINY, "--out", tmp_path)
    assert str(path) in told
    assert "delete its folder to do the run again" in told
    assert path.read_bytes() == before


def test_a_run_that_is_stopped_says_that_it_goes_on(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("resnet_lib.cli.run_one", partial(run_one, stop=lambda: True))
    assert main([*TINY, "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.endswith("resnet_lib: stopped; the same command goes on.\n")
    (checkpoint,) = tmp_path.rglob("checkpoint.pt")
    stopped = RunRecord.load(checkpoint.parent)
    assert unsaved(stopped, tmp_path) is None
    checkpoint.unlink()
    assert "how far it came was not saved" in unsaved(stopped, tmp_path)
    assert main([*TINY]) == 130
    assert capsys.readouterr().err.endswith("resnet_lib: stopped.\n")


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("train", "resnet21", "--tier", "smoke"), ("resnet21", "resnet20")),
        (("train", "resnet57", "--tier", "smoke"), ("resnet57", "resnet56")),
        (("train", "plain8", "--tier", "smoke", "--shortcut", "B"), ("plain8", "resnet8")),
        ((*TINY, "--data", "embeded"), ("embeded", "embedded")),
        ((*TINY, "--iterations", "0"), ("iterations", "0")),
        ((*TINY, "--iterations", "-3"), ("iterations", "-3")),
        ((*TINY, "--lr", "-1"), ("lr",)),
        ((*TINY, "--lr", "nan"), ("lr",)),
        ((*TINY, "--batch-size", "20000"), ("20000", "10000")),
        ((*TINY, "--seed", "-1"), ("seed",)),
        ((*TINY, "--width", "0"), ("width",)),
        ((*TINY, "--set", "warmup_lr"), ("FIELD=VALUE", "'warmup_lr'")),
        ((*TINY, "--set", "warmup=0.1"), ("'warmup'", "warmup_lr")),
        ((*TINY, "--set", "order=post"), ("order", "preactivation")),
        ((*TINY, "--set", "iterations=2"), ("--iterations",)),
        ((*TINY, "--set", "batch_norm=False"), ("--no-batch-norm",)),
        ((*TINY, "--set", "pad=many"), ("pad",)),
        ((*TINY, "--set", "pad=1", "pad=2"), ("pad is set twice",)),
        ((*TINY, "--set", "pad=15"), ("pad is 15", "14 at most")),
        ((*TINY, "--set", "pad=99999999999"), ("pad", "at most")),
        ((*TINY, "--lr", "1e39"), ("lr", "finite")),
        ((*TINY, "--data", ""), ("''",)),
        (("reproduce", "figure7", "--tier", "smoke"), ("figure7", "figure6-plain")),
        (("reproduce", "footnote3", "--tier", "smoke", "--jobs", "-1"), ("jobs",)),
        (("reproduce", "footnote3", "--tier", "smoke", "--seeds", "-1"), ("seed",)),
        (("data", "no-such-set"), ("no-such-set",)),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_sentence(capsys, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    out = () if arguments[0] == "data" else ("--out", tmp_path / "out")
    text = fail(capsys, *arguments, *out)
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("train resnet20 --set lr", "FIELD=VALUE"),
        ("train resnet20 --lr nan", "lr is nan"),
        (f"train resnet20 --set weight_decay=1{400 * '0'}", "must be a finite number"),
        ("train resnet20 --iterations 0", "iterations is 0"),
        ("train resnet20 --seed -1", "seed is -1"),
        ("train resnet20 --set order=preact", "order 'preact'"),
        ("train resnet20 --width 0", "width is 0"),
        ("train resnet20 --tier smoke --width 10000000000", "it must be 2147483647 at most"),
        ("reproduce figure6-plain --jobs 0", "jobs is 0"),
        ("reproduce figure6-plain --seeds 0 -1", "seed is -1"),
        ("evaluate resnet50 --weights torchvision --data imagenette --images 0", "images is 0"),
        ("evaluate resnet50 --weights torchvision --data imagenette --batch-size 0", "batch_size"),
        ("evaluate resnet20 --weights torchvision --size 0", "size is 0"),
    ],
    ids=lambda value: value[:60],
)
def test_a_mistake_is_told_before_anything_is_fetched(capsys, monkeypatch, command, part):
    monkeypatch.setattr("resnet_lib.runner.load", lambda *_: pytest.fail("data were fetched"))
    monkeypatch.setattr("resnet_lib.cli.pretrained", lambda _: pytest.fail("weights were fetched"))
    assert part in fail(capsys, *command.split())


def test_train_reads_its_data_once_in_each_size(capsys, monkeypatch):
    """Those of the smoke tier whole, to see their sizes, and then reduced."""
    read = []
    monkeypatch.setattr(
        "resnet_lib.runner.load", lambda name, size: read.append(size) or load(name, size)
    )
    load_once.cache_clear()
    succeed(capsys, *TINY)
    assert read == [None, 14]


def test_a_failed_download_is_one_sentence(capsys, tmp_path, monkeypatch):
    def no_route(*_arguments, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", no_route)
    monkeypatch.setenv("RESNET_LIB_DATA", str(tmp_path))
    for command in (("data", "cifar10"), ("train", "resnet20"), ("reproduce", "footnote3")):
        assert "because a file is damaged, incomplete or out of reach" in fail(capsys, *command)


def test_damaged_data_are_one_sentence(capsys, tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "0_cat.webp").write_text("no image")
    assert "0_cat.webp" in fail(capsys, "data", tmp_path)


def test_a_damaged_record_is_one_sentence(capsys, tmp_path):
    succeed(capsys, *TINY, "--out", tmp_path)
    path = next(tmp_path.rglob("record.json"))
    path.write_text("{")
    assert main([*TINY, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert str(path) in err
    assert len(err.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_is_one_sentence_before_anything_is_trained(
    capsys, tmp_path, monkeypatch
):
    """Else a night's run is lost when its record cannot be written."""
    path = tmp_path / "file"
    path.write_text("in the way")
    trained = []
    monkeypatch.setattr(
        "resnet_lib.training.training_step", lambda *_arguments: trained.append(1) or 1 / 0
    )
    assert str(path) in fail(capsys, *TINY, "--out", path)
    assert not trained


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "/a/.lock"), "/a/.lock: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("half a file"), "half a file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_disk_refuses_is_one_sentence(error, told, capsys, tmp_path, monkeypatch):
    def refuse(_options):
        raise error

    monkeypatch.setattr("resnet_lib.cli.do_deletions", refuse)
    assert main(["deletions", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"resnet_lib: {told}.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        (),
        ("train",),
        ("train", "resnet8", "--tier", "fast"),
        ("train", "resnet8", "--iterations", "many"),
        ("reproduce",),
    ],
    ids=" ".join,
)
def test_what_cannot_be_parsed_is_one_sentence_and_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("resnet_lib: ")
    assert "Traceback" not in err
