"""Records of runs: what is written is read back, and damage is told."""

import json
import math
import os
import shutil
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import RECIPE, ROOT, tiny_data, tiny_net, tiny_train
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet_lib import (
    ConfigError,
    ModelConfig,
    RecordError,
    RunRecord,
    TrainConfig,
    load_records,
    load_runs,
)
from resnet_lib.analysis import (
    SignalProbe,
    first_to_last,
    response_sizes,
    responses_by_stage,
    weaker_layers,
)
from resnet_lib.archive import survey
from resnet_lib.configs import OF_JUNCTIONS
from resnet_lib.figures import panels, plot_layers
from resnet_lib.runs import ARCHIVE, CURVES, curves, one_run_each, probes, run_id, write_whole
from resnet_lib.seeds import gap

PROPERTIES = {
    "model",
    "depth",
    "kind",
    "shortcut",
    "seed",
    "data",
    "tier",
    "iterations",
    "precision",
    "status",
    "setting",
}


@pytest.fixture(scope="module")
def record():
    """A short run with a probe."""
    probe = SignalProbe(tiny_data(), 32)
    return tiny_train(tiny_net("resnet8", shortcut="B"), tier="tiny", probe=probe, probe_at=(0, 12))


def plain_values(record):
    return {k: v for k, v in vars(record).items() if not isinstance(v, pd.DataFrame)}


def test_a_record_survives_its_files(record, tmp_path):
    folder = record.save(tmp_path / "some" / "run")
    loaded = RunRecord.load(folder)
    assert plain_values(loaded) == plain_values(record)
    pd.testing.assert_frame_equal(loaded.curves, record.curves, check_exact=True)
    assert list(loaded.probe.columns) == list(record.probe.columns)
    for column in record.probe:
        if column == "name":
            assert list(loaded.probe[column]) == list(record.probe[column])
        else:
            np.testing.assert_allclose(loaded.probe[column], record.probe[column], rtol=1e-5)
    assert not list(folder.glob("*.partial"))


def test_a_record_without_a_probe_leaves_none_of_a_former_run(record, tmp_path):
    record.save(tmp_path)
    replace(record, probe=pd.DataFrame()).save(tmp_path)
    assert not len(RunRecord.load(tmp_path).probe)


@pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that another holds open.")
def test_writers_of_one_path_do_not_meet(tmp_path):
    """Each has a partial file of its own: else one moves away what another is filling."""
    path = tmp_path / "some.csv"
    texts = [letter * 100_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(texts)) as pool:
        for _ in range(5):
            list(pool.map(lambda text: write_whole(path, text), texts))
            assert path.read_text() in texts
    assert [each.name for each in tmp_path.iterdir()] == ["some.csv"]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "some.csv"
    write_whole(path, "old")

    def fail(*_arguments):
        raise OSError("no space left")

    monkeypatch.setattr("resnet_lib.runs.os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["some.csv"]
    assert path.read_text() == "old"


def test_the_files_are_readable(record, tmp_path):
    folder = record.save(tmp_path)
    values = json.loads((folder / "record.json").read_text())
    assert values["model"]["shortcut"] == "B"
    assert values["train"]["lr"] == RECIPE.lr
    first = (folder / "curves.csv").read_text().splitlines()[0]
    assert first == ",".join(CURVES)


@given(
    st.lists(
        st.tuples(st.floats(allow_nan=True), st.floats(0, 100), st.floats(1e-300, 1e300)),
        min_size=1,
        max_size=20,
    )
)
@settings(deadline=None, max_examples=60)
def test_values_survive_bit_by_bit(tmp_path_factory, record, rows):
    folder = tmp_path_factory.mktemp("exact")
    table = pd.DataFrame(
        {
            "run_id": record.run_id,
            "iteration": range(1, len(rows) + 1),
            "epoch": [row[1] / 3 for row in rows],
            "split": "train",
            "loss": [row[0] for row in rows],
            "top1_error": [row[1] for row in rows],
            "lr": [row[2] for row in rows],
            "seconds": [float(i) for i in range(len(rows))],
        }
    )
    replace(record, curves=table).save(folder)
    loaded = RunRecord.load(folder).curves
    for column in ("epoch", "loss", "top1_error", "lr"):
        assert loaded[column].to_numpy(np.float64).tobytes() == _canonical(table[column])


def _canonical(column):
    """Bytes of float64 values; there is only one NaN in a CSV file."""
    values = column.to_numpy(np.float64).copy()
    values[np.isnan(values)] = np.nan
    return values.tobytes()


def test_a_diverged_loss_survives(tmp_path):
    net = tiny_net()
    with torch.no_grad():
        net.fc.weight[0, 0] = float("inf")
    record = tiny_train(net, folder=tmp_path)
    loaded = RunRecord.load(tmp_path)
    assert loaded.diverged_at == record.diverged_at == 0
    pd.testing.assert_frame_equal(loaded.curves, record.curves, check_exact=True)
    assert len(load_runs(tmp_path)) == 1


def test_a_run_that_measured_nothing_yet_has_a_record(tmp_path):
    tiny_train(folder=tmp_path / "none", stop=lambda: True)
    loaded = RunRecord.load(tmp_path / "none")
    assert len(loaded.curves) == 0
    assert tuple(loaded.curves.columns) == CURVES
    tiny_train(folder=tmp_path / "some")
    frame = load_runs(tmp_path)
    assert len(frame) == 7
    assert frame["loss"].dtype == np.float64
    assert frame["iteration"].dtype == np.int64


# Many records


def test_all_records_below_a_folder_are_one_frame(tmp_path):
    one = tiny_train(folder=tmp_path / "a" / "one", tier="tiny")
    two = tiny_train(
        tiny_net("plain8", seed=3),
        folder=tmp_path / "b" / "c" / "two",
        seed=3,
        iterations=3,
        milestones=(),
    )
    frame = load_runs(tmp_path)
    assert set(frame.columns) == {*CURVES, *PROPERTIES}
    assert list(frame.index) == list(range(len(one.curves) + len(two.curves)))
    found = frame.groupby("run_id").first()
    wanted = {
        one.run_id: ("resnet8", 8, "residual", "A", 0, "tiny", 12),
        two.run_id: ("plain8", 8, "plain", "none", 3, "custom", 3),
    }
    columns = ["model", "depth", "kind", "shortcut", "seed", "tier", "iterations"]
    for name, values in wanted.items():
        assert tuple(found.loc[name, columns]) == values
    assert set(frame["status"]) == {"complete"}
    assert set(frame["data"]) == {"tiny"}
    assert {record.run_id for record in load_records(tmp_path)} == set(wanted)
    pd.testing.assert_frame_equal(
        curves([one, two]).sort_values(["run_id", "iteration", "split"], ignore_index=True),
        frame.sort_values(["run_id", "iteration", "split"], ignore_index=True),
    )


def test_an_empty_archive_has_the_columns_of_a_full_one(tmp_path, record):
    """So that a page that selects rows finds none instead of failing."""
    assert len(load_runs(tmp_path)) == 0
    with pytest.warns(UserWarning, match="missing is not a folder"):
        assert load_records(tmp_path / "missing") == []
    assert set(load_runs(tmp_path).columns) == set(curves([record]).columns)


def test_the_probes_of_records_are_one_frame(record):
    other = tiny_train(iterations=1, milestones=())
    frame = probes([other, record])
    assert len(frame) == len(record.probe) == 2 * 7
    assert set(frame["run_id"]) == {record.run_id}
    assert set(frame.columns) == {*record.probe.columns, "run_id", *PROPERTIES}
    assert len(probes([other])) == len(probes([])) == 0
    assert list(probes([]).columns) == list(frame.columns)


def test_without_a_probe_there_is_nothing_to_see_and_nothing_fails():
    """As on a page whose runs are not recorded yet."""
    frame, (_, (ax,)) = probes([]), panels()
    plot_layers(frame, ax, "response_std", 0)
    assert [text.get_text() for text in ax.texts] == ["not recorded yet"]
    assert len(first_to_last(frame, "activation_gradient")) == 0
    assert len(response_sizes(frame)) == len(responses_by_stage(frame)) == 0
    assert len(weaker_layers(frame, "resnet20", "plain20")) == 0


def edit(**changes):
    def change(folder):
        path = folder / "record.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def without(key):
    def change(folder):
        path = folder / "record.json"
        values = json.loads(path.read_text())
        del values[key]
        path.write_text(json.dumps(values))

    return change


def cut(name):
    def change(folder):
        path = folder / name
        path.write_text(path.read_text()[: path.stat().st_size // 2])

    return change


def replace_in(path, old, new):
    path.write_text(path.read_text().replace(old, new, 1))


DAMAGES = {
    "truncated JSON": ("record.json", cut("record.json")),
    "empty JSON": ("record.json", lambda folder: (folder / "record.json").write_text("")),
    "bytes": ("record.json", lambda folder: (folder / "record.json").write_bytes(b"\xff\xfe\x00")),
    "a list": ("record.json", lambda folder: (folder / "record.json").write_text("[1]")),
    "foreign JSON": ("record.json", lambda folder: (folder / "record.json").write_text('{"a": 1}')),
    "another format": ("record.json", edit(format=99)),
    "unknown key": ("record.json", edit(colour="red")),
    "missing key": ("record.json", without("numerics")),
    "missing curves": ("curves.csv", lambda folder: (folder / "curves.csv").unlink()),
    "empty curves": ("curves.csv", lambda folder: (folder / "curves.csv").write_text("")),
    "foreign curves": ("curves.csv", lambda folder: (folder / "curves.csv").write_text("a,b\n1,2")),
    "ragged curves": (
        "curves.csv",
        lambda folder: (folder / "curves.csv").write_text(",".join(CURVES) + "\n1\n" + "1," * 20),
    ),
    "empty probe": ("probe.csv", lambda folder: (folder / "probe.csv").write_text("")),
    "a net of a later version": (
        "record.json",
        edit(model={**ModelConfig(8).to_dict(), "activation": "GELU"}),
    ),
    "a net that cannot be": ("record.json", edit(model={"depth": 21})),
    "a recipe without seed": ("record.json", edit(train={})),
    "data of no size": ("record.json", edit(data={"name": "embedded", "checksum": "0"})),
    "a word for a loss": (
        "curves.csv",
        lambda folder: replace_in(folder / "curves.csv", ",train,", ",train,low"),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_warned_of_and_left_out(record, tmp_path, damage):
    name, change = DAMAGES[damage]
    good = record.save(tmp_path / "good")
    bad = record.save(tmp_path / "bad")
    change(bad)
    with pytest.warns(UserWarning, match=name) as warned:
        frame = load_runs(tmp_path)
    assert len(warned) == 1
    assert str(bad / name) in str(warned[0].message)
    assert len(frame) == len(record.curves)
    with pytest.raises(RecordError) as error:
        RunRecord.load(bad)
    assert str(bad / name) in str(error.value)
    assert RunRecord.load(good).run_id == record.run_id


def test_a_folder_without_a_record_is_a_record_error(tmp_path):
    with pytest.raises(RecordError, match=r"record\.json"):
        RunRecord.load(tmp_path)


def test_a_kill_while_saving_leaves_no_record(record, tmp_path, monkeypatch):
    """record.json comes last: what has it is whole."""
    replaced = []

    def fail(source, target):
        replaced.append(os.path.basename(target))
        raise KeyboardInterrupt

    monkeypatch.setattr("resnet_lib.runs.os.replace", fail)
    with pytest.raises(KeyboardInterrupt):
        record.save(tmp_path)
    assert replaced == ["curves.csv"]
    assert load_records(tmp_path) == []


# Identifiers


def identify(
    model=None, seed=0, train=RECIPE, data=None, numerics="abc", precision="float32", start=None
):
    model = model or ModelConfig(20, width=4, in_channels=1)  # 6n+2 and 9n+2
    return run_id(model, seed, train, data or tiny_data(), numerics, precision, start)


OTHER_MODEL = {
    "depth": 14,
    "shortcut": "B",
    "width": 5,
    "in_channels": 2,
    "classes": 11,
    "stem_stride": 2,
    "batch_norm": False,
    "init": "small",
    "block": "bottleneck",
    "stride_in": "3x3",
    "order": "preactivation",
    "junction": "dropout",
    "shortcut_scale": 0.5,
    "residual_scale": 0.5,
    "gate_bias": -6.0,
    "shortcut_dropout": 0.25,
    "zero_init": True,
    "dropout": 0.5,
}
OTHER_TRAIN = {
    "iterations": 13,
    "batch_size": 33,
    "lr": 0.06,
    "milestones": (6, 10),
    "momentum": 0.8,
    "weight_decay": 2e-4,
    "decay_all": False,
    "warmup_lr": 0.01,
    "warmup_error": 79.0,
    "pad": 2,
    "flip": False,
    "normalisation": "per-channel",
    "pad_first": True,
    "scale_range": (1.0, 2.0),
    "bn_images": 16,
    "window": 4,
    "eval_every": 6,
    "seed": 1,
}


def test_the_identifier_moves_with_everything_that_decides():
    """Every field of both configurations, the seed of the weights, data, code and precision."""
    # A family has depths of its own, so it changes with the depth.
    assert set(OTHER_MODEL) | {"family"} == {each.name for each in fields(ModelConfig)}
    undecided = {"precision", "deterministic"}
    assert set(OTHER_TRAIN) | undecided == {each.name for each in fields(TrainConfig)}
    model = ModelConfig(20, width=4, in_channels=1)
    # What belongs to one junction changes beside it; so do the two fields of the warm-up.
    junctions = {name: {"junction": needed[0]} for name, needed in OF_JUNCTIONS.items()}
    warm = {"warmup_error": {"warmup_lr": OTHER_TRAIN["warmup_lr"]}}
    data = replace(tiny_data(), test_labels=tiny_data().test_labels.flip(0))
    found = [
        identify(),
        identify(model=replace(model, junction="exclusive-gate")),
        *(
            identify(model=replace(model, **{k: v}, **junctions.get(k, {})))
            for k, v in OTHER_MODEL.items()
        ),
        *(
            identify(train=replace(RECIPE, **{k: v}, **warm.get(k, {})))
            for k, v in OTHER_TRAIN.items()
        ),
        identify(seed=1),
        identify(data=data),
        identify(numerics="abd"),
        identify(precision="bfloat16"),
        identify(start="0123abcd"),
    ]
    assert len(set(found)) == len(found)
    assert found[0] == identify()


def test_spelling_out_defaults_moves_no_identifier():
    model = ModelConfig(8)
    assert identify(model=ModelConfig(**model.to_dict())) == identify(model=model)
    spelt = TrainConfig.from_dict(TrainConfig().to_dict())
    assert identify(train=spelt) == identify(train=TrainConfig())


def test_numbers_that_are_equal_give_one_identifier():
    """1 and 1.0 are the same learning rate, and such configurations are equal."""
    assert TrainConfig(lr=1) == TrainConfig(lr=1.0)
    assert identify(train=TrainConfig(lr=1)) == identify(train=TrainConfig(lr=1.0))
    whole = replace(RECIPE, weight_decay=0)
    assert identify(train=whole) == identify(train=replace(RECIPE, weight_decay=0.0))


def test_a_precision_that_is_found_or_asked_for_gives_one_identifier():
    """ "auto" that became float32 computes what float32 computes."""
    found = {
        identify(train=replace(RECIPE, precision=asked), precision="float32")
        for asked in ("auto", "float32")
    }
    assert len(found) == 1


def test_the_identifier_can_be_read():
    name = identify(model=ModelConfig(8, "B"), train=replace(RECIPE, seed=5))
    assert name.startswith("resnet8-B-tiny-12-s5-")
    elsewhere = replace(tiny_data(), name="some/folder/tiny")
    assert identify(data=elsewhere) == identify()
    assert os.sep not in identify(data=elsewhere)


# Where it was run


def test_the_environment_is_today_s(record):
    assert record.environment["torch"] == torch.__version__
    assert record.environment["threads"] == 1
    json.dumps(record.environment)


def test_the_environment_tells_the_threads_of_this_run():
    """The number of threads can change between two runs of one process."""
    tiny_train(iterations=1, milestones=())
    torch.set_num_threads(2)
    try:
        record = tiny_train(iterations=1, milestones=())
    finally:
        torch.set_num_threads(1)
    assert record.environment["threads"] == 2


def test_the_commit_is_one_of_the_repository(record):
    def git(*command):
        return subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True)

    if git("rev-parse", "HEAD").returncode:
        assert record.commit is None
    else:
        name = record.commit.removesuffix("+")
        assert git("merge-base", "--is-ancestor", name, "HEAD").returncode == 0


def test_the_archive_is_whole():
    """Every record of the repository can be read, and its tables are what its values say."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        records = load_records(ARCHIVE)
    for record in records:
        assert record.curves["run_id"].eq(record.run_id).all()
        assert record.properties()["model"] == record.model_config.name
        config = record.train_config
        if record.status == "complete":
            assert record.iterations_done == config.iterations
            last = record.curves.iloc[-1]
            assert (last["iteration"], last["split"]) == (config.iterations, "test")
            assert math.isfinite(last["loss"])
    names = [record.run_id for record in records]
    assert len(names) == len(set(names))


def test_one_run_of_each_net_and_seed_is_not_mixed_with_another(record):
    frame = record.frame()
    assert one_run_each(frame) is frame
    both = pd.concat([frame, frame.assign(run_id="another")])
    for act in (one_run_each, lambda each: gap(each, record.model_name, record.model_name)):
        with pytest.raises(ConfigError, match=f"2 runs of {record.model_name} with seed"):
            act(both)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "diverged"),  # without an iteration
        ("run_id", ["a"]),
        ("tier", None),
        ("warmup_ended", "x"),
        ("model_seed", "0"),
        ("data", {"name": None, "size": 7, "checksum": "a"}),
        ("data", {"name": "a", "size": [7], "checksum": "a"}),
        ("data", {"name": "a", "size": 7}),
        ("data", []),
    ],
)
def test_a_field_of_a_wrong_type_is_a_record_error(record, tmp_path, field, value):
    folder = record.save(tmp_path)
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(RecordError, match="diverged_at" if field == "status" else field):
        RunRecord.load(folder)
    assert len(survey(tmp_path).refused) == 1


def test_a_field_that_no_record_has_is_named(record, tmp_path):
    path = record.save(tmp_path) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "red"}))
    with pytest.raises(RecordError, match="'colour', which no record has"):
        RunRecord.load(tmp_path)


def test_a_probe_is_whole_with_all_its_moments_and_layers(record):
    rows = [{"iteration": at, "layer": layer} for at in (0, 4) for layer in (1, 2)]
    probed = replace(record, probe=pd.DataFrame(rows))
    assert probed.is_probed((0, 4))
    assert not probed.is_probed((0, 2, 4))
    assert not replace(record, probe=pd.DataFrame(rows[:-1])).is_probed((0, 4))
    assert not replace(record, probe=pd.DataFrame()).is_probed((0,))


def test_an_installed_copy_inside_another_repository_has_no_commit(tmp_path):
    """The library copied into somebody else's repository does not record their commit."""
    copy = tmp_path / "site-packages"
    shutil.copytree(ROOT / "resnet_lib", copy / "resnet_lib", ignore=shutil.ignore_patterns("*.js"))
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m one"):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    code = "from resnet_lib.runs import commit; print(commit())"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True)
    assert done.stdout.strip() == "None", done.stderr


def test_a_commit_says_whether_the_library_differs_from_it(tmp_path):
    """ "+": what computed the numbers is in no commit."""
    ignore = shutil.ignore_patterns("*.js", "__pycache__")
    shutil.copytree(ROOT / "resnet_lib", tmp_path / "resnet_lib", ignore=ignore)
    who = "-c user.name=a -c user.email=a@b"
    for command in ("init -q", "add .", f"{who} commit -q -m one"):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    code = """
        from pathlib import Path
        from resnet_lib.runs import commit
        print(commit())
        Path("resnet_lib/blocks.py").write_text("")
        commit.cache_clear()
        print(commit())
    """
    done = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    head = ["git", "-C", tmp_path, "rev-parse", "--short=12", "HEAD"]
    name = subprocess.check_output(head, text=True).strip()
    assert done.stdout.split() == [name, f"{name}+"], done.stderr


def test_an_installed_copy_without_data_says_what_is_missing(tmp_path):
    shutil.copytree(ROOT / "resnet_lib", tmp_path / "resnet_lib")
    code = """
        from resnet_lib import DataError, explore, load
        from resnet_lib.configs import ConfigError
        for name in ("runs", "architecture", "identity", "crops", "shortcut"):
            try:
                getattr(explore, name)()
            except ConfigError as error:
                print(str(error).count("from a clone of it"))
        try:
            load("embedded")
        except DataError as error:
            print(str(error).count("from a clone of it"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == ["1"] * 6, done.stderr


def test_what_sets_runs_of_a_net_apart_is_named(record):
    frame = record.frame()
    longer = frame.assign(run_id="another", iterations=99)
    with pytest.raises(ConfigError, match=r"differ in iterations: .*\['iterations'\] == 12\]"):
        one_run_each(pd.concat([frame, longer]))
    with pytest.raises(ConfigError, match="give each a name of its own"):
        one_run_each(pd.concat([frame, frame.assign(run_id="another")]))


def test_runs_that_differ_in_more_than_their_seeds_are_not_averaged(record):
    """Two rates of learning are not two seeds of one net."""
    other = RunRecord(**{**vars(record), "train": record.train | {"seed": 1}})
    other.run_id = "of seed 1"
    other.curves = record.curves.assign(run_id=other.run_id)
    both = pd.concat([record.frame(), other.frame()])
    assert one_run_each(both) is both
    other.train |= {"lr": 0.9}
    with pytest.raises(ConfigError, match="differ in net, recipe, data, arithmetic"):
        one_run_each(pd.concat([record.frame(), other.frame()]))
    assert record.setting() != other.setting()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", {"shortcut": "C"}),
        ("train", {"lr": 0.9}),
        ("data", {"checksum": "another"}),
        ("numerics", "another"),
        ("precision", "bfloat16"),
        ("start", "0123abcd"),
    ],
)
def test_runs_of_one_setting_differ_in_their_seeds_alone(record, field, value):
    same = replace(record, train=record.train | {"seed": 1, "precision": "auto"})
    assert same.setting() == record.setting()
    value = getattr(same, field) | value if isinstance(value, dict) else value
    other = replace(same, run_id="another", **{field: value})
    other.curves = record.curves.assign(run_id=other.run_id)
    with pytest.raises(ConfigError, match=f"runs of {record.model_name} here that differ in"):
        one_run_each(pd.concat([record.frame(), other.frame()]))


def test_records_can_be_looked_for_in_a_list(record):
    """Two records are never equal but themselves: data frames have no truth value."""
    copy = RunRecord(**vars(record))
    assert record in [copy, record]
    assert record != copy


def test_a_record_is_one_line(record):
    assert repr(record).startswith(f"<RunRecord {record.run_id}: complete, test error ")
    assert len(repr([record, record])) < 300
