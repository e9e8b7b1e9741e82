"""Records are sorted: what is damaged, foreign or unfinished is named and kept apart."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from helpers import write_record

from resnet_lib import EXPERIMENTS, TIERS, ConfigError, ModelConfig, RunRecord, TrainConfig
from resnet_lib.archive import (
    archived,
    arms_in,
    label_of,
    labelled_curves,
    present_numerics,
    survey,
)
from resnet_lib.checkpoints import CHECKPOINT
from resnet_lib.experiments import plan
from resnet_lib.measures import MEASURES, UNITS
from resnet_lib.runner import run_one
from resnet_lib.runs import ARCHIVE


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three seeds of plain20 and plain56."""
    for seed in range(3):
        write_record(tmp_path, "plain20", seed, train_error=20 + seed)
        write_record(tmp_path, "plain56", seed, train_error=60 + seed)
    return tmp_path


def folder_of(runs: Path, name: str) -> Path:
    return next((runs / "short").glob(f"{name}-*"))


def rewrite(folder: Path, **values) -> None:
    """Change a record.json by hand."""
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rewrite_in(folder: Path, part: str, **values) -> None:
    """Change fields of the net or the recipe in a record.json."""
    rewrite(folder, **{part: json.loads((folder / "record.json").read_text())[part] | values})


def refused(runs: Path) -> dict[str, str]:
    return {each.folder.name: each.reason for each in survey(runs).refused}


def test_what_is_whole_counts(runs):
    archive = survey(runs)
    assert archive.refused == ()
    assert len(archive.records) == 6
    assert archive.values("plain56", "short", "training error") == {
        "bfloat16": {0: 60.0, 1: 61.0, 2: 62.0}
    }
    assert archive.runs("plain56", "paper") == {}
    assert archive.runs("resnet56", "short") == {}


def edit_curves(old: str, new: str):
    def damage(folder: Path) -> None:
        path = folder / "curves.csv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return damage


def cut_curves(folder: Path) -> None:
    path = folder / "curves.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


DAMAGES = {
    "no curves": (lambda f: (f / "curves.csv").unlink(), "curves.csv"),
    "no record": (lambda f: (f / "record.json").unlink(), "record.json"),
    "no probe": (lambda f: (f / "probe.csv").unlink(), "probe.csv is missing"),
    "not JSON": (lambda f: (f / "record.json").write_text("{"), "record.json"),
    "a NaN loss": (edit_curves(",0.5,", ",nan,"), "not finite"),
    "a NaN error": (edit_curves(",20.0,", ",nan,"), "not finite"),
    "diverged": (lambda f: rewrite(f, status="diverged", diverged_at=7), "at iteration 7"),
    "stopped": (lambda f: rewrite(f, status="interrupted", iterations_done=9), "interrupted"),
    "cut short": (cut_curves, "does not reach iteration 3,200"),
    "other arithmetic": (lambda f: rewrite(f, numerics="0123456789ab"), "0123456789ab"),
    "another seed": (lambda f: rewrite(f, model_seed=9), "id does not fit"),
    "another recipe": (lambda f: rewrite_in(f, "train", lr=0.2), "id does not fit"),
    "a rate that no float can hold": (
        lambda f: rewrite_in(f, "train", lr=10**400),
        "must be a finite number of at least 0",
    ),
    "a net that no machine can hold": (
        lambda f: rewrite_in(f, "model", width=10**9),
        "too large to be built here, with width 1000000000",
    ),
    "a width that no tensor can have": (
        lambda f: rewrite_in(f, "model", width=10**30),
        "width is 1000000000000000000000000000000: it must be",
    ),
    "another run's curves": (edit_curves("plain20-", "plain26-"), "belongs to another run"),
    "other data": (
        lambda f: rewrite(f, data={"name": "cifar10", "size": 32, "checksum": "feedfeedfeed"}),
        "feedfeedfeed",
    ),
    "copied": (lambda f: shutil.copytree(f, f.with_name("copy")), "2 folders hold a record"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_named_and_not_averaged_in(runs, damage):
    folder = folder_of(runs, "plain20-cifar10-3200-s0")
    act, told = DAMAGES[damage]
    act(folder)
    found = refused(runs)
    assert folder.name in found
    assert set(found) <= {folder.name, "copy"}
    for reason in found.values():
        assert told in reason
        assert reason.endswith(".")
        assert "\n" not in reason
        assert str(runs) not in reason
    values = survey(runs).values("plain20", "short", "training error")
    assert values == {"bfloat16": {1: 21.0, 2: 22.0}}


def test_what_can_be_read_is_at_hand_by_folder_even_if_kept_apart(runs):
    rewrite(folder_of(runs, "plain20-cifar10-3200-s1"), status="interrupted", iterations_done=9)
    (folder_of(runs, "plain56-cifar10-3200-s1") / "record.json").write_text("{")
    found = [(each.model_name, each.model_seed) for each in survey(runs).read]
    assert found == [("plain20", 0), ("plain20", 1), ("plain20", 2), ("plain56", 0), ("plain56", 2)]
    assert len(survey(runs).records) == 4


def test_a_run_in_progress_is_neither_counted_nor_refused(runs):
    folder = runs / "short" / "being-trained"
    folder.mkdir()
    (folder / CHECKPOINT).write_bytes(b"state")
    assert survey(runs).refused == ()


def test_data_without_a_known_checksum_must_agree(tmp_path):
    for seed, checksum in enumerate(["aaa", "aaa", "bbb"]):
        label = "resnet164 on cifar100"
        write_record(tmp_path, label, seed, "paper", data={"checksum": checksum})
    found = refused(tmp_path)
    assert len(found) == 1
    assert "bbb" in next(iter(found.values()))
    write_record(tmp_path, label, 3, "paper", data={"checksum": "bbb"})
    assert len(refused(tmp_path)) == 4, "as many of one as of the other"


def test_a_name_does_not_make_a_run_an_arm(tmp_path):
    """What was trained decides, not the tier that a record claims."""
    folder = write_record(tmp_path, "plain20", 0)
    rewrite(folder, tier="paper")
    archive = survey(tmp_path)
    assert archive.runs("plain20", "paper") == {}
    assert list(archive.runs("plain20", "short")["bfloat16"]) == [0]


def test_what_is_missing_is_listed_in_running_order(runs):
    with pytest.warns(UserWarning, match="none is not a folder"):
        everything = survey(runs / "none").missing()
    missing = survey(runs).missing()
    assert len(missing) == len(everything) - 6
    assert list(dict.fromkeys(everything["tier"])) == ["quick", "short", "paper"]
    short = everything[everything["tier"] == "short"]
    wanted = [name for name, each in EXPERIMENTS.items() if "short" in each.tiers]
    found = list(dict.fromkeys(short["experiment"]))
    assert found == [name for name in wanted if name in found]
    assert not short.duplicated(["arm", "seed"]).any()
    gone = missing[(missing["tier"] == "short") & (missing["experiment"] == "figure6-plain")]
    assert gone.empty
    control = short[short["experiment"] == "float32-control"]
    assert list(control["seed"]) == [0, 1, 2, 0, 1, 2]


def test_a_refused_record_is_missing(runs):
    (folder_of(runs, "plain56-cifar10-3200-s1") / "curves.csv").unlink()
    missing = survey(runs).missing("short")
    found = missing[missing["arm"] == "plain56"]
    assert list(found["seed"]) == [1]


@pytest.mark.parametrize("measure", list(MEASURES))
def test_every_measure_reads_a_record_and_has_a_unit(runs, measure):
    values = survey(runs).values("plain20", "short", measure)["bfloat16"]
    assert len(values) == 3
    assert all(isinstance(value, float) for value in values.values())
    others = {"training loss": " nats", "end of warm-up": " iterations"}
    error = " points" if " minus " in measure else "%"
    assert UNITS[measure] == (error if measure.endswith("error") else others.get(measure, ""))


def test_errors_list_the_nearest(runs):
    archive = survey(runs)
    with pytest.raises(ConfigError, match="plain20"):
        archive.runs("plain21", "short")
    with pytest.raises(ConfigError, match="training error"):
        archive.values("plain20", "short", "trainin error")
    with pytest.raises(ConfigError, match="short"):
        archive.runs("plain20", "shrt")


def test_sums_of_arms_are_read():
    assert arms_in("plain56") == [(1, "plain56")]
    label = "resnet110-exclusive-gate (-6)"
    assert arms_in(f"{label} - plain20 + plain56") == [(1, label), (-1, "plain20"), (1, "plain56")]
    with pytest.raises(ConfigError, match="no sum"):
        arms_in("plain56 -  + plain20")


def test_the_archive_of_the_repository_is_sound():
    """Its records all count, or LOG.md would have to say why they are kept."""
    archive = survey()
    assert [each.reason for each in archive.refused] == []
    found = {path.parent for path in ARCHIVE.rglob("record.json")}
    assert len(archive.records) == len(found)
    of_arms = {
        record.run_id
        for tier in TIERS
        for entry in EXPERIMENTS.values()
        for arm in entry.arms
        for runs in archive.runs(entry.label(arm), tier).values()
        for record in runs.values()
    }
    assert of_arms == {record.run_id for record in archive.records}


def test_an_experiment_is_read_from_the_archive_and_what_is_missing_is_named(tmp_path):
    spec = plan("figure6-plain", "smoke", [0])[0]
    record = run_one(spec, tmp_path / "smoke", progress=False)
    records, missing = archived("figure6-plain", "smoke", folder=tmp_path)
    assert [each.run_id for each in records] == [record.run_id]
    assert missing == "Not recorded yet: plain-56, seeds 0, 1; plain-20, seed 1."
    longer, missing = archived("footnote3", "smoke", folder=tmp_path)
    assert longer == [], "three times as long is another run"
    record.status = "interrupted"
    record.save(tmp_path / "smoke" / record.run_id)
    assert archived("figure6-plain", "smoke", folder=tmp_path)[0] == []


@pytest.mark.parametrize("wrong", [5, None])
def test_what_names_no_experiment_is_told_so(wrong):
    with pytest.raises(ConfigError, match="are names"):
        archived(wrong)


def test_a_tier_on_a_folder_of_images_has_no_records_here(tmp_path):
    tier = replace(TIERS["short"], data=str(tmp_path))
    records, missing = archived("figure6-plain", tier)
    assert records == []
    assert "Not recorded yet" in missing


def test_an_experiment_s_own_seeds_are_read_and_missed(tmp_path, monkeypatch):
    """The tier plans three; a seed beyond them was neither read nor missed."""
    entry = replace(EXPERIMENTS["figure6-plain"], seeds=(0, 3, 4))
    monkeypatch.setitem(EXPERIMENTS, "figure6-plain", entry)
    for seed in (0, 3):
        write_record(tmp_path, "plain20", seed)
    records, missing = archived("figure6-plain", "short", tmp_path)
    assert [each.train["seed"] for each in records] == [0, 3]
    assert missing == "Not recorded yet: plain-56, seeds 0, 3, 4; plain-20, seed 4."


@pytest.mark.parametrize(
    ("first", "later", "measure", "value"),
    [
        ((1, 100), (10, 1), "gradient loss at the start", 2),
        ((1, 100), (10, 1), "gradient loss", -1),
        ((1, 100), (10, 1), "gradient decades", 1),
        ((100, 1), (1, 10), "gradient decades at the start", 2),
        # conv1 puts out 16 x 32 x 32 values, the last layer 64 x 8 x 8: four times fewer
        ((1, 1), (20, 1), "gradient decades per value", 1),
        ((1, 1), (2, 1), "gradient decades per value", 0),
    ],
)
def test_a_gradient_that_fades_is_lost_and_one_that_grows_is_not(first, later, measure, value):
    """first, later: norms at the first and the last of three layers, at the start and after it."""
    rows = [
        {"iteration": iteration, "layer": layer, "activation_gradient": norm}
        for iteration, norms in ((0, first), (5, later), (9, later))
        for layer, norm in ((2, norms[1]), (1, 3.0), (0, norms[0]))
    ]
    record = SimpleNamespace(
        probe=pd.DataFrame(rows), model_config=ModelConfig(20), data={"size": 32}
    )
    assert MEASURES[measure](record) == pytest.approx(value)


def made_up(milestones=(20, 30), warmup_ended=None) -> SimpleNamespace:
    """What the measures read of a record; rows in disorder."""
    curves = [
        ("train", 40, 10.0),
        ("train", 10, 80.0),
        ("train", 20, 60.0),
        ("train", 30, 20.0),
        ("test", 40, 35.0),
        ("test", 20, 50.0),
    ]
    probe = [
        (iteration, layer, response, gradient)
        for iteration, rows in {
            40: ((6.0, 1.0), (1.0, 3.0), (2.0, 2.0)),
            0: ((9.0, 8.0), (0.1, 3.0), (9.0, 2.0)),
            20: ((9.0, 1.0), (0.1, 3.0), (9.0, 4.0)),
        }.items()
        for layer, (response, gradient) in enumerate(rows, 1)
    ]
    return SimpleNamespace(
        train_config=TrainConfig(iterations=40, milestones=milestones, window=10),
        warmup_ended=warmup_ended,
        curves=pd.DataFrame(curves, columns=["split", "iteration", "top1_error"]),
        probe=pd.DataFrame(
            probe, columns=["iteration", "layer", "response_std", "activation_gradient"]
        ),
    )


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("training error", 10),
        ("test error", 35),
        ("early training error", 70),
        ("layer response", 3),
        ("weakest layer response", 1),
        ("lowest gradient ratio", 0.25),
    ],
)
def test_measures_are_those_that_one_reads_by_hand(measure, value):
    """Of the last moment; early: the windows up to the first milestone, itself among them."""
    assert MEASURES[measure](made_up()) == pytest.approx(value)


def test_without_milestones_all_of_the_training_is_early():
    assert MEASURES["early training error"](made_up(milestones=())) == 42.5


def test_a_run_without_a_warm_up_has_no_end_of_it():
    """None is no iteration: 0 would count as a warm-up that ended at once."""
    assert MEASURES["end of warm-up"](made_up(warmup_ended=400)) == 400
    assert math.isnan(MEASURES["end of warm-up"](made_up()))


def test_a_run_s_arm_does_not_depend_on_how_its_precision_was_chosen(tmp_path):
    """Where "auto" is float32, plain56 and its float32 control are one run, and it serves both."""
    write_record(tmp_path, "plain56 float32", precision="float32")
    archive = survey(tmp_path)
    assert list(archive.runs("plain56 float32", "short")["float32"]) == [0]
    assert list(archive.runs("plain56", "short")["float32"]) == [0]
    write_record(tmp_path, "plain20", precision="bfloat16")
    asked = json.loads((folder_of(tmp_path, "plain20") / "record.json").read_text())
    rewrite(folder_of(tmp_path, "plain20"), train=asked["train"] | {"precision": "bfloat16"})
    archive = survey(tmp_path)
    assert list(archive.runs("plain20", "short")["bfloat16"]) == [0]
    assert [label_of(each) for each in archive.records] == ["plain20", "plain56 float32"]


def test_with_as_many_seeds_the_usual_precision_is_taken_before_its_control(tmp_path):
    for seed in (0, 1):
        write_record(tmp_path, "plain56 float32", seed, precision="float32")
        write_record(tmp_path, "plain56", seed, precision="bfloat16")
    archive = survey(tmp_path)
    for last_first in (False, True):  # in whatever order the records were read
        for records in archive.by_key.values():
            records.sort(key=lambda each: each.precision, reverse=last_first)
        assert list(archive.runs("plain56", "short")) == ["bfloat16", "float32"]
    found, _ = archived("figure6-plain", "short", tmp_path)
    assert [(each.model_name, each.precision) for each in found] == [("plain56", "bfloat16")] * 2
    write_record(tmp_path, "plain56 float32", 2, precision="float32")
    found, _ = archived("figure6-plain", "short", tmp_path)
    assert [each.precision for each in found] == ["float32"] * 3


def test_a_control_counts_in_its_own_precision_only(tmp_path):
    write_record(tmp_path, "plain56", precision="bfloat16")
    archive = survey(tmp_path)
    assert archive.runs("plain56 float32", "short") == {}
    missing = archive.missing("short")
    assert "plain56 float32" in set(missing["arm"])


@pytest.mark.parametrize("damage", ["rows", "moment", "columns"])
def test_a_probe_that_is_not_whole_is_named(runs, damage):
    path = folder_of(runs, "plain56-cifar10-3200-s1") / "probe.csv"
    probe = pd.read_csv(path)
    if damage == "rows":
        probe = probe.iloc[:-1]
    elif damage == "moment":
        probe = probe[probe["iteration"] > 0]
    else:
        probe = probe.rename(columns={"response_std": "size"})
    probe.to_csv(path, index=False)
    assert list(refused(runs).values()) == ["its probe.csv is not whole."]


def test_a_record_of_another_label_is_held_to_the_same_probe(runs):
    folder = folder_of(runs, "plain56-cifar10-3200-s1")
    rewrite(folder, tier="custom")
    (folder / "probe.csv").unlink()
    assert list(refused(runs).values()) == ["its probe.csv is missing."]


def test_a_run_on_other_data_keeps_its_arm_s_label():
    spec = next(
        each for each in plan("recipe", "short", [0], "embedded") if each.train.momentum == 0
    )
    record = SimpleNamespace(
        model_config=spec.model,
        train_config=spec.train,
        train=spec.train.to_dict(),
        data={"name": "embedded", "size": 28},
        model_name=spec.model.name,
        start=None,
    )
    assert label_of(record) == "resnet20 without momentum"


def test_curves_have_the_labels_of_their_arms():
    kept, _ = archived("recipe", "short")
    frame = labelled_curves(iter(kept))
    assert set(frame["model"]) == {each.label for each in EXPERIMENTS["recipe"].arms}
    assert {*frame["run_id"]} == {each.run_id for each in kept}
    assert labelled_curves([]).empty


def test_a_run_that_diverged_is_not_missing(runs):
    """It would diverge again, and `reproduce` does not repeat it."""
    folder = folder_of(runs, "plain56-cifar10-3200-s1")
    rewrite(folder, status="diverged", diverged_at=7)
    archive = survey(runs)
    assert 1 not in archive.runs("plain56", "short")["bfloat16"]
    missing = archive.missing("short")
    assert missing[missing["arm"] == "plain56"].empty
    control = missing[missing["arm"] == "plain56 float32"]
    assert list(control["seed"]) == [0, 1, 2], "it may not diverge in another precision"


@pytest.mark.parametrize(
    "values",
    [{"start": "0123abcd"}, {"model_seed": 5}, {"numerics": "deadbeef"}, {"precision": "float32"}],
    ids=lambda values: next(iter(values)),
)
def test_what_diverged_otherwise_says_nothing_of_an_arm(runs, values):
    """Another start, other arithmetic: `reproduce` would do the run of the arm."""
    folder = folder_of(runs, "plain56-cifar10-3200-s1")
    rewrite(folder, status="diverged", diverged_at=7, **values)
    missing = survey(runs).missing("short")
    found = [*missing[missing["arm"] == "plain56"]["seed"]]
    control = [*missing[missing["arm"] == "plain56 float32"]["seed"]]
    if "precision" in values:
        assert control == [0, 2], "the control asks for float32"
    else:
        assert found == [1]
        assert control == [0, 1, 2]


def test_a_net_with_other_outputs_is_no_run_of_an_arm(tmp_path):
    write_record(tmp_path, "resnet20", 0, train_error=20.0)
    own = folder_of(tmp_path, "resnet20")
    record = RunRecord.load(own)
    record.model["classes"] = 12
    record.numerics = present_numerics(record.model_config)
    record.run_id = record.own_id()
    record.curves = record.curves.assign(run_id=record.run_id, top1_error=99.0)
    record.save(tmp_path / "short" / record.run_id)
    archive = survey(tmp_path)
    assert archive.refused == ()
    assert archive.values("resnet20", "short", "training error") == {"bfloat16": {0: 20.0}}


def test_a_run_from_other_weights_is_no_run_of_an_arm(tmp_path):
    write_record(tmp_path, "resnet20", 0)
    record = RunRecord.load(folder_of(tmp_path, "resnet20"))
    record.start = "0123abcd"
    record.run_id = record.own_id()
    record.curves = record.curves.assign(run_id=record.run_id, top1_error=99.0)
    record.save(tmp_path / "short" / record.run_id)
    archive = survey(tmp_path)
    assert archive.refused == ()
    assert len(archive.records) == 2
    assert archive.runs("resnet20", "short")["bfloat16"][0].start is None
    assert label_of(record) == "resnet20 from weights 0123abcd"


def test_the_early_error_of_a_record_with_default_milestones(runs):
    folder = folder_of(runs, "plain20-cifar10-3200-s0")
    train = json.loads((folder / "record.json").read_text())["train"]
    train.pop("milestones")
    rewrite(folder, train=train)
    assert MEASURES["early training error"](RunRecord.load(folder)) >= 20


def test_a_seed_counts_as_recorded_in_the_precision_of_its_experiment(tmp_path):
    """plain56 in float32 cannot be compared with plain20 in bfloat16: it is to be run."""
    for seed in range(3):
        write_record(tmp_path, "plain20", seed)
    write_record(tmp_path, "plain56", 0, precision="float32")
    missing = survey(tmp_path).missing("short")
    gone = missing[missing["experiment"] == "figure6-plain"]
    assert list(gone["arm"]) == ["plain56"] * 3
