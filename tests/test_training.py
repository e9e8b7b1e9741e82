"""The trainer: one step by algebra, whole runs by their records, and stopping at any time."""

import copy
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from helpers import (
    RECIPE,
    embedded,
    python,
    randomise_norms,
    same_weights,
    tiny_data,
    tiny_net,
    tiny_train,
)
from safetensors.torch import load_file, save_file
from torch import nn

from resnet_lib import (
    MODELS,
    ConfigError,
    ModelConfig,
    RecordError,
    RunRecord,
    TrainConfig,
    build_model,
    load_net,
    runs,
    train,
)
from resnet_lib.analysis import SignalProbe
from resnet_lib.batches import Normaliser, TrainingBatches
from resnet_lib.configs import SHORTCUTS
from resnet_lib.deletions import record_deletions
from resnet_lib.devices import choose_precision, exact
from resnet_lib.progress import interruptible
from resnet_lib.runs import CURVES
from resnet_lib.training import evaluate, lr_at, make_optimiser, training_step
from resnet_lib.weights import read_net

CPU = torch.device("cpu")


def numbers(record):
    """The curves without the column that no two runs share."""
    return record.curves.drop(columns="seconds")


def assert_same_run(one, other):
    """Bit by bit: curves, probes and outcome."""
    pd.testing.assert_frame_equal(numbers(one), numbers(other), check_exact=True)
    pd.testing.assert_frame_equal(one.probe, other.probe, check_exact=True)
    for name in ("run_id", "status", "iterations_done", "warmup_ended", "diverged_at"):
        assert getattr(one, name) == getattr(other, name), name


# The schedule


def test_the_rate_falls_at_the_milestones():
    """Paper, section 4.2: 0.1, divided by 10 at 32k and 48k iterations."""
    config = TrainConfig()
    for iteration, rate in (
        (0, 0.1),
        (31_999, 0.1),
        (32_000, 0.01),
        (47_999, 0.01),
        (48_000, 0.001),
        (63_999, 0.001),
    ):
        assert lr_at(config, iteration, False) == pytest.approx(rate, rel=1e-12)
    assert lr_at(replace(config, milestones=()), 63_999, False) == 0.1


def test_warming_up_the_rate_is_the_small_one():
    config = TrainConfig(warmup_lr=0.01)
    assert lr_at(config, 0, True) == 0.01
    assert lr_at(config, 400, False) == 0.1


def train_rows(record):
    return record.curves[record.curves["split"] == "train"]


def test_the_last_window_is_the_mean_of_what_it_has():
    """Of two iterations, where they are no multiple of the window's four."""
    each, some = (tiny_train(iterations=10, milestones=(), window=n) for n in (1, 4))
    assert list(train_rows(some)["iteration"]) == [4, 8, 10]
    for column in ("loss", "top1_error"):
        last = train_rows(each)[column].iloc[-2:].mean()
        assert train_rows(some)[column].iloc[-1] == pytest.approx(last, rel=1e-5)


def test_the_schedule_is_followed():
    rows = train_rows(tiny_train(iterations=12, milestones=(6, 9), window=1, lr=0.05))
    wanted = [0.05] * 6 + [0.005] * 3 + [0.0005] * 3
    assert list(rows["iteration"]) == list(range(1, 13))
    assert list(rows["lr"]) == pytest.approx(wanted)


@pytest.mark.parametrize(("bound", "ends"), [(100.1, 2), (0.0, None)])
def test_a_warm_up_ends_below_its_error_and_returns_to_the_full_rate(bound, ends):
    """Every error is below 100.1 %, none is below 0 %."""
    record = tiny_train(
        iterations=8, milestones=(6,), window=2, lr=0.05, warmup_lr=0.001, warmup_error=bound
    )
    assert record.warmup_ended == ends
    full = [0.001, 0.05, 0.05, 0.005] if ends else [0.001] * 4
    assert list(train_rows(record)["lr"]) == pytest.approx(full)


def test_a_warm_up_ends_with_the_first_window_below_its_error():
    data = tiny_data()
    record = tiny_train(
        tiny_net("resnet8", width=8),
        data,
        iterations=60,
        milestones=(),
        window=3,
        lr=0.02,
        warmup_lr=0.01,
        warmup_error=75.0,
    )
    rows = train_rows(record)
    below = rows[rows["top1_error"] < 75.0]
    first = int(below["iteration"].iloc[0])
    assert 3 < first < 60
    assert record.warmup_ended == first
    assert list(rows["lr"]) == [0.01 if i <= first else 0.02 for i in rows["iteration"]]
    assert (rows["top1_error"] >= 75.0).to_numpy()[: first // 3 - 1].all()


def test_without_a_warm_up_none_ends():
    assert tiny_train(iterations=3, milestones=()).warmup_ended is None


# One step


@pytest.mark.parametrize("decay_all", [True, False])
def test_a_step_is_sgd_with_momentum_and_weight_decay(decay_all):
    """v = momentum * v + gradient + decay * w; w = w - lr * v, in float64, for three steps."""
    config = replace(RECIPE, lr=0.03, momentum=0.8, weight_decay=0.1, decay_all=decay_all)
    net = tiny_net("resnet8", shortcut="B").double()
    randomise_norms(net)
    twin = copy.deepcopy(net)
    optimiser = make_optimiser(net, config)
    velocity = {name: torch.zeros_like(w) for name, w in twin.named_parameters()}
    batches = TrainingBatches(tiny_data(), config, Normaliser(tiny_data()))
    for iteration in range(3):
        x, y = batches(iteration)
        x = x.double()
        loss, errors = training_step(net, optimiser, x, y, "float32")
        logits = twin(x)
        wanted = F.cross_entropy(logits, y)
        assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
        assert int(errors) == int((logits.argmax(1) != y).sum())
        twin.zero_grad()
        wanted.backward()
        with torch.no_grad():
            for name, w in twin.named_parameters():
                decay = 0.1 if decay_all or w.ndim > 1 else 0.0
                velocity[name] = 0.8 * velocity[name] + w.grad + decay * w
                w -= 0.03 * velocity[name]
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, twin.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_a_run_is_its_steps():
    """Weights and rows of `train` against a loop of steps, with the means made here."""
    data = tiny_data()
    net, twin = tiny_net(), tiny_net()
    record = tiny_train(net, data)
    normalise = Normaliser(data)
    twin.to(memory_format=torch.channels_last)
    optimiser, batches = make_optimiser(twin, RECIPE), TrainingBatches(data, RECIPE, normalise)
    losses, wrong, rows = [], [], []
    for iteration in range(12):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * 0.1 ** ((iteration >= 6) + (iteration >= 9))
        x, y = batches(iteration)
        x = x.contiguous(memory_format=torch.channels_last)
        loss, errors = training_step(twin, optimiser, x, y, "float32")
        losses.append(loss.item())
        wrong.append(int(errors))
        done = iteration + 1
        if done % 3 == 0:
            rows.append((done, "train", np.mean(losses[-3:]), 100 * sum(wrong[-3:]) / 96))
        if done in (5, 10, 12):
            rows.append(
                (done, "test", *evaluate(twin, data.test_images, data.test_labels, normalise))
            )
    assert same_weights(net, twin)
    curves = record.curves
    assert list(zip(curves["iteration"], curves["split"], strict=True)) == [r[:2] for r in rows]
    np.testing.assert_allclose(curves["loss"], [row[2] for row in rows], rtol=1e-6)
    np.testing.assert_allclose(curves["top1_error"], [row[3] for row in rows], rtol=1e-6)
    np.testing.assert_allclose(curves["epoch"], [row[0] / 10 for row in rows])
    assert tuple(curves.columns) == CURVES
    assert (curves["seconds"].diff().dropna() >= 0).all()


@pytest.mark.parametrize("option", SHORTCUTS)
def test_the_loss_falls_on_a_problem_that_can_be_learnt(option):
    record = tiny_train(
        tiny_net(ModelConfig(8, option), width=8),
        iterations=100,
        milestones=(80,),
        window=20,
        lr=0.05,
    )
    losses = train_rows(record)["loss"].to_list()
    assert losses[0] < 2.6
    assert losses[-1] < 0.75 * losses[0]
    test = record.curves[record.curves["split"] == "test"]
    assert test["top1_error"].iloc[-1] < 60


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].depth <= 56])
def test_every_net_trains(name):
    net = tiny_net(name)
    record = tiny_train(net, iterations=2, milestones=(), lr=0.01)
    assert record.status == "complete"
    assert record.model_name == name
    before = tiny_net(name)
    for key, value in net.named_parameters():
        assert torch.isfinite(value).all()
        assert not torch.equal(value, before.state_dict()[key]), f"{key} was not trained"


def test_measuring_changes_no_weights():
    """Neither the windows nor the evaluations nor a probe move a bit."""
    nets = [tiny_net() for _ in range(4)]
    records = [
        tiny_train(nets[0]),
        tiny_train(nets[1], eval_every=1),
        tiny_train(nets[2], window=1),
        tiny_train(nets[3], probe=SignalProbe(tiny_data(), 32), probe_at=(0, 1, 6, 12)),
    ]
    assert all(same_weights(net, nets[0]) for net in nets)
    pd.testing.assert_frame_equal(numbers(records[3]), numbers(records[0]), check_exact=True)
    assert records[3].run_id == records[0].run_id
    assert sorted(records[3].probe["iteration"].unique()) == [0, 1, 6, 12]
    assert len(records[3].probe) == 4 * 7


def test_a_probe_sees_the_net_before_the_iteration_and_after_the_last():
    before = tiny_net()
    after = tiny_net()
    tiny_train(after, iterations=4, milestones=())
    probe = SignalProbe(tiny_data(), 32)
    record = tiny_train(iterations=4, milestones=(), probe=probe, probe_at=(0, 4))
    for iteration, net in ((0, before), (4, after)):
        rows = record.probe[record.probe["iteration"] == iteration].drop(columns="iteration")
        wanted = probe(net)
        np.testing.assert_allclose(rows["response_std"], wanted["response_std"], rtol=1e-5)
        np.testing.assert_allclose(rows["weight_norm"], wanted["weight_norm"], rtol=1e-5)


@pytest.mark.parametrize("field", ["lr", "momentum", "weight_decay", "seed", "pad", "flip"])
def test_every_field_of_the_recipe_acts(field):
    changed = {"lr": 0.06, "momentum": 0.5, "weight_decay": 0.1, "seed": 1, "pad": 0, "flip": False}
    one, other = tiny_net(), tiny_net()
    tiny_train(one, iterations=3, milestones=())
    tiny_train(other, iterations=3, milestones=(), **{field: changed[field]})
    assert not same_weights(one, other)


def test_the_callers_function_is_told_every_row():
    told = []
    record = tiny_train(progress=lambda iteration, row: told.append((iteration, dict(row))))
    assert [row for _, row in told] == record.curves.drop(columns="run_id").to_dict("records")
    assert [iteration for iteration, _ in told] == list(record.curves["iteration"])


def test_the_bar_shows_errors_and_speed(capsys):
    tiny_train(progress=True)
    shown = capsys.readouterr().err
    for part in ("12/12", "train=", "test=", "images=", "%", "/s"):
        assert part in shown


# Evaluation


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch_size", [500, 33, 1])
def test_evaluation_is_the_mean_over_all_images(training, batch_size):
    data = tiny_data()
    net = tiny_net().train(training)
    randomise_norms(net)
    normalise = Normaliser(data)
    twin = copy.deepcopy(net).double().eval()
    logits = twin(normalise(data.test_images).double())
    loss = F.cross_entropy(logits, data.test_labels).item()
    error = 100 * (logits.argmax(1) != data.test_labels).double().mean().item()
    found = evaluate(net, data.test_images, data.test_labels, normalise, batch_size=batch_size)
    assert found == pytest.approx((loss, error), rel=1e-5)
    assert all(isinstance(value, float) for value in found)
    assert net.training == training
    assert all(value.grad is None for value in net.parameters())
    twin = copy.deepcopy(net)
    evaluate(net, data.test_images, data.test_labels, normalise)
    assert same_weights(net, twin)


def test_training_goes_on_in_training_mode_after_an_evaluation():
    net = tiny_net()
    tiny_train(net, iterations=4, milestones=(), eval_every=1)
    assert net.training
    assert int(net.bn1.num_batches_tracked) == 4


# What does not fit


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"in_channels": 3}, "in_channels=1"), ({"classes": 9}, "classes=10")],
)
def test_a_net_that_does_not_fit_the_data_says_how_to_build_it(changes, message):
    with pytest.raises(ConfigError, match=message):
        tiny_train(tiny_net(**changes))


def test_a_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(ConfigError, match="320"):
        tiny_train(batch_size=321)
    assert tiny_train(iterations=1, milestones=(), batch_size=320).status == "complete"


def test_more_classes_than_the_data_have_are_allowed():
    assert tiny_train(tiny_net(classes=12), iterations=1, milestones=()).status == "complete"


# Divergence


def first_bad_iteration(net, config, data):
    """By hand: the first iteration whose loss is not finite."""
    optimiser = make_optimiser(net, config)
    batches = TrainingBatches(data, config, Normaliser(data))
    for iteration in range(config.iterations):
        loss, _ = training_step(net, optimiser, *batches(iteration), config.precision)
        if not torch.isfinite(loss):
            return iteration
    return None


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("window", [1, 3, 5])
def test_a_run_that_diverges_says_at_which_iteration(window, batch_norm, tmp_path):
    config = replace(RECIPE, lr=1e30, milestones=())
    wanted = first_bad_iteration(tiny_net(batch_norm=batch_norm), config, tiny_data())
    assert wanted is not None
    record = tiny_train(
        tiny_net(batch_norm=batch_norm), lr=1e30, milestones=(), window=window, folder=tmp_path
    )
    assert (record.status, record.diverged_at) == ("diverged", wanted)
    assert record.iterations_done == -(-(wanted + 1) // window) * window
    assert RunRecord.load(tmp_path).diverged_at == wanted
    assert not (tmp_path / "checkpoint.pt").exists()
    assert not (tmp_path / "weights.safetensors").exists()


def test_weights_that_are_not_finite_diverge_at_once():
    net = tiny_net()
    with torch.no_grad():
        net.fc.weight[0, 0] = float("inf")
    record = tiny_train(net)
    assert (record.status, record.diverged_at, record.iterations_done) == ("diverged", 0, 3)
    assert not np.isfinite(train_rows(record)["loss"].iloc[-1])


def test_a_divergence_in_a_window_that_was_interrupted_is_found(tmp_path):
    asked = iter([False, False, True])
    net = tiny_net()
    with torch.no_grad():
        net.fc.weight[0, 0] = float("inf")
    tiny_train(copy.deepcopy(net), window=12, folder=tmp_path, stop=lambda: next(asked))
    record = tiny_train(net, window=12, folder=tmp_path)
    assert (record.status, record.diverged_at) == ("diverged", 0)


# Stopping and going on


def stop_after(iterations):
    """A `stop` that lets so many iterations pass."""
    left = iter([False] * iterations + [True])
    return lambda: next(left)


PROBED = {"probe_at": (0, 2, 4, 12)}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("stops", [(0,), (1,), (4,), (5,), (11,), (2, 1, 3)])
def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path, stops, precision):
    """Stops inside and at the ends of windows, evaluations, probes and epochs."""
    options = {
        "precision": precision,
        "warmup_lr": 0.01,
        "warmup_error": 95.0,
        "probe": SignalProbe(tiny_data(), 32),
        **PROBED,
    }
    whole = tiny_net()
    wanted = tiny_train(whole, **options)
    done = 0
    for count in stops:
        record = tiny_train(folder=tmp_path, stop=stop_after(count), **options)
        done += count
        assert (record.status, record.iterations_done) == ("interrupted", done)
        speed = done * RECIPE.batch_size / max(record.seconds, 1e-3)
        assert record.images_per_second == pytest.approx(speed, rel=0.1), "of what was done"
        kept = RunRecord.load(tmp_path)
        assert kept.status == "interrupted"
        assert (kept.curves["iteration"] <= done).all()
        assert (tmp_path / "checkpoint.pt").exists()
    net = tiny_net()
    record = tiny_train(net, folder=tmp_path, **options)
    assert record.status == "complete"
    assert_same_run(record, wanted)
    assert same_weights(net, whole)
    assert not (tmp_path / "checkpoint.pt").exists()
    assert (record.curves["seconds"].diff().dropna() >= 0).all()


def test_what_a_killed_run_has_taken_counts(tmp_path):
    """Its checkpoint knows the seconds so far."""

    def slow(iteration, _row):
        time.sleep(0.1)
        if iteration == 9:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        tiny_train(folder=tmp_path, progress=slow, checkpoint_seconds=0)
    record = tiny_train(folder=tmp_path)
    assert record.curves["iteration"].tolist()[:3] == [3, 5, 6], "not trained anew"
    assert record.curves["seconds"].is_monotonic_increasing


def test_a_run_that_goes_on_elsewhere_says_from_where_on(tmp_path, monkeypatch):
    """Machine by machine; what ran and was stopped on one machine says nothing."""
    for machine, iterations in (("B", 0), ("A", 3), ("B", 0), ("A", 2), ("B", 1), ("A", None)):
        monkeypatch.setattr(runs, "environment", lambda here=machine: {"system": here})
        left = iter([False] * (iterations or 0) + [True])
        stop = None if iterations is None else lambda left=left: next(left)
        record = tiny_train(tiny_net(), folder=tmp_path, stop=stop)
        sittings = record.environment.get("sittings")
        assert record.environment["system"] == machine
        if machine == "A" and iterations:
            assert sittings is None
    wanted = [(0, "A"), (5, "B"), (6, "A")]
    assert [(each["from_iteration"], each["system"]) for each in sittings] == wanted
    assert {each["device"] for each in sittings} == {record.device}
    assert RunRecord.load(tmp_path).environment == record.environment


def test_a_checkpoint_from_before_there_were_sittings_goes_on(tmp_path):
    left = iter([False] * 3 + [True])
    tiny_train(tiny_net(), folder=tmp_path, stop=lambda: next(left))
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["sittings"]
    torch.save(state, path)
    (sitting,) = tiny_train(tiny_net(), folder=tmp_path).environment["sittings"]
    assert sitting["from_iteration"] == 3


def test_a_run_is_not_resumed_with_a_net_of_other_weights(tmp_path):
    """Which would be another run, and would be lost under the weights of the checkpoint."""
    stopped = tiny_train(folder=tmp_path, stop=stop_after(5))
    net = tiny_net()
    with torch.no_grad():
        for value in net.parameters():
            value.zero_()
    with pytest.raises(ConfigError, match=stopped.run_id):
        tiny_train(net, folder=tmp_path)


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    one = tiny_train(folder=tmp_path, stop=stop_after(2))
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ConfigError) as error:
        tiny_train(folder=tmp_path, lr=0.06)
    assert str(tmp_path) in str(error.value)
    assert one.run_id in str(error.value)
    (tmp_path / "record.json").unlink()
    with pytest.raises(ConfigError) as error:
        tiny_train(folder=tmp_path, lr=0.06)
    assert str(tmp_path / "checkpoint.pt") in str(error.value)
    assert one.run_id in str(error.value)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_the_record_of_another_run_is_not_written_over(tmp_path):
    own = tiny_train(folder=tmp_path)
    with pytest.raises(ConfigError, match=own.run_id):
        tiny_train(folder=tmp_path, lr=0.06)
    assert RunRecord.load(tmp_path).run_id == own.run_id


@pytest.mark.parametrize("weights", [True, False])
def test_a_run_repeated_for_its_probe_never_loses_its_record(tmp_path, weights):
    """Nor where its weights are gone, as those of most of the archive are."""
    wanted = tiny_train(folder=tmp_path)
    if not weights:
        (tmp_path / "weights.safetensors").unlink()
    probe = {"probe": SignalProbe(tiny_data()), "probe_at": (0,)}
    stopped = tiny_train(folder=tmp_path, stop=stop_after(2), **probe)
    assert stopped.status == "interrupted"
    assert RunRecord.load(tmp_path).status == "complete"
    assert len(RunRecord.load(tmp_path).curves) == len(wanted.curves)


def test_no_probe_of_an_earlier_run_is_left(tmp_path):
    tiny_train(folder=tmp_path, probe=SignalProbe(tiny_data()), probe_at=[0])
    assert len(RunRecord.load(tmp_path).probe)
    (tmp_path / "weights.safetensors").unlink()  # so that the run is repeated
    tiny_train(folder=tmp_path)
    assert not len(RunRecord.load(tmp_path).probe)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no checkpoint"),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save({"model": {}}, path),
        lambda path: torch.save({"run_id": torch.load(path)["run_id"]}, path),
    ],
    ids=["truncated", "empty", "text", "a list", "no run_id", "nothing but run_id"],
)
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    tiny_train(folder=tmp_path, stop=stop_after(2))
    path = tmp_path / "checkpoint.pt"
    damage(path)
    with pytest.raises(ConfigError) as error:
        tiny_train(folder=tmp_path)
    assert str(path) in str(error.value)
    assert "delete it" in str(error.value)


# The folder of a run


def test_two_runs_do_not_share_a_folder(tmp_path):
    """The second is refused while the first is under way, and leaves it alone."""
    refused = []

    def meanwhile(iteration, row):
        if not refused:
            with pytest.raises(ConfigError, match=rf"process {os.getpid()}") as error:
                tiny_train(folder=tmp_path)
            refused.append(str(error.value))

    whole, net = tiny_net(), tiny_net()
    wanted = tiny_train(whole)
    record = tiny_train(net, folder=tmp_path, progress=meanwhile)
    assert len(refused) == 1
    assert record.run_id in refused[0]
    assert_same_run(record, wanted)
    assert same_weights(net, whole)


def test_a_folder_is_free_again_after_an_error(tmp_path):
    def fail(iteration, row):
        raise KeyError("the caller's own mistake")

    with pytest.raises(KeyError):
        tiny_train(folder=tmp_path, progress=fail)
    assert tiny_train(folder=tmp_path).status == "complete"


def full_disk(*_arguments, **_options):
    raise OSError(28, "No space left on device")


def test_a_full_disk_stops_no_training(tmp_path, monkeypatch):
    """Checkpoints and the record cannot be written; the record is returned all the same."""
    whole, net = tiny_net(), tiny_net()
    wanted = tiny_train(whole)
    monkeypatch.setattr("resnet_lib.training.write_checkpoint", full_disk)
    monkeypatch.setattr("resnet_lib.training.RunRecord.save", full_disk)
    with pytest.warns(UserWarning, match="No space left") as warned:
        record = tiny_train(net, folder=tmp_path, checkpoint_seconds=0)
    assert len(warned) == 12 + 1
    assert_same_run(record, wanted)
    assert same_weights(net, whole)
    assert not (tmp_path / "record.json").exists()


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    """torch reports a full disk as a RuntimeError, half-way through the file."""
    tiny_train(folder=tmp_path, stop=stop_after(2))
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def half(state, path):
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr("torch.save", half)
    with pytest.warns(UserWarning, match="PytorchStreamWriter"):
        tiny_train(folder=tmp_path, stop=stop_after(2), checkpoint_seconds=0)
    monkeypatch.undo()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))
    whole, net = tiny_net(), tiny_net()
    assert_same_run(tiny_train(net, folder=tmp_path), tiny_train(whole))
    assert same_weights(net, whole)


def test_weights_that_could_not_be_saved_are_made_again(tmp_path, monkeypatch):
    """The disk is full at the end: the checkpoint stays, and the next call has little to do."""
    whole, net = tiny_net(), tiny_net()
    wanted = tiny_train(whole)
    monkeypatch.setattr("resnet_lib.training.save_weights", full_disk)
    with pytest.warns(UserWarning, match="No space left"):
        record = tiny_train(net, folder=tmp_path, checkpoint_seconds=0)
    monkeypatch.undo()
    assert_same_run(record, wanted)
    assert (tmp_path / "checkpoint.pt").exists()
    again, done = tiny_net(), []
    assert_same_run(
        tiny_train(again, folder=tmp_path, progress=lambda iteration, _: done.append(iteration)),
        wanted,
    )
    assert len(done) < len(record.curves)
    assert same_weights(load_net(tmp_path), whole)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_weights_are_on_the_disk_before_the_checkpoint_goes(tmp_path, monkeypatch):
    """Power may fail, too: a complete record beside empty weights could not be made good."""
    written, checkpoint = [], tmp_path / "checkpoint.pt"
    monkeypatch.setattr(
        "resnet_lib.checkpoints.on_disk",
        lambda path: written.append((path.name, checkpoint.exists())),
    )
    tiny_train(folder=tmp_path, checkpoint_seconds=0)
    assert ("weights.safetensors.partial", True) in written
    assert not checkpoint.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no folder that is in use.")
def test_a_folder_that_vanishes_costs_no_training(tmp_path):
    folder = tmp_path / "run"

    def vanish(iteration, _row):
        if folder.is_dir():
            shutil.rmtree(folder)
            folder.write_text("a file where the folder was")

    with pytest.warns(UserWarning, match="nothing could be written"):
        record = tiny_train(tiny_net(), folder=folder, progress=vanish)
    assert_same_run(record, tiny_train(tiny_net()))


# Finished runs


@pytest.mark.parametrize("option", SHORTCUTS)
def test_a_finished_run_keeps_its_net(tmp_path, option):
    net = tiny_net(ModelConfig(8, option))
    record = tiny_train(net, folder=tmp_path / "deep" / "folder")
    folder = tmp_path / "deep" / "folder"
    assert {path.name for path in folder.iterdir()} - {".lock"} == {
        "record.json",
        "curves.csv",
        "weights.safetensors",
    }
    stored = load_file(folder / "weights.safetensors")
    assert stored.keys() == net.state_dict().keys()
    loaded = load_net(folder)
    assert same_weights(loaded, net)
    assert loaded.config == net.config
    assert not loaded.training
    assert record.images_per_second > 0


@pytest.mark.parametrize(
    ("status", "parts"),
    [
        ("interrupted", ("is interrupted after 2 iterations", "run it to its end.")),
        ("diverged", ("is diverged after 2 iterations", "leaves no net.")),
        (
            "complete",
            (" has no ", "the folder that its weights are in, or train it into another."),
        ),
    ],
)
def test_a_run_without_weights_is_one_sentence_wherever_they_are_wanted(tmp_path, status, parts):
    """A folder of the archive, say, whose weights the repository does not keep."""
    record = tiny_train(folder=tmp_path, stop=stop_after(2))
    record.status, record.diverged_at = status, 2
    record.save(tmp_path)
    wanting = (
        lambda: load_net(tmp_path),
        lambda: read_net("resnet8", tmp_path),
        lambda: record_deletions(tmp_path, data=tiny_data()),
    )
    for want in wanting:
        with pytest.raises(RecordError) as error:
            want()
        told = str(error.value)
        assert told.startswith(record.run_id)
        assert f"has no {tmp_path / 'weights.safetensors'}, and the repository keeps no" in told
        assert all(part in told for part in parts)


def test_damaged_weights_are_a_record_error(tmp_path):
    tiny_train(folder=tmp_path, iterations=1, milestones=())
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordError, match=r"weights\.safetensors"):
        load_net(tmp_path)


def test_weights_of_another_net_are_a_record_error(tmp_path):
    tiny_train(folder=tmp_path / "a", iterations=1, milestones=())
    tiny_train(tiny_net("resnet14"), folder=tmp_path / "b", iterations=1, milestones=())
    (tmp_path / "b" / "weights.safetensors").replace(tmp_path / "a" / "weights.safetensors")
    with pytest.raises(RecordError, match=r"weights\.safetensors"):
        load_net(tmp_path / "a")


def test_the_record_says_what_was_run():
    net = tiny_net("plain8", seed=4)
    record = tiny_train(net, tier="some", seed=2)
    assert (record.model_name, record.model_seed, record.tier) == ("plain8", 4, "some")
    assert record.model == net.config.to_dict()
    assert record.train == replace(RECIPE, seed=2).to_dict()
    assert record.data == {"name": "tiny", "size": 7, "checksum": tiny_data().checksum}
    assert (record.device, record.precision, record.status) == ("cpu", "float32", "complete")
    assert record.iterations_done == 12
    assert set(record.curves["run_id"]) == {record.run_id}


def test_a_precision_that_is_asked_for_is_used():
    assert choose_precision("float32", CPU) == "float32"
    assert choose_precision("bfloat16", CPU) == "bfloat16"
    assert choose_precision("auto", CPU) in ("float32", "bfloat16")
    one, other = tiny_net(), tiny_net()
    assert tiny_train(one).precision == "float32"
    assert tiny_train(other, precision="bfloat16").precision == "bfloat16"
    assert not same_weights(one, other)


def test_the_defaults_are_a_bar_the_found_device_and_the_paper_s_recipe(monkeypatch, capsys):
    monkeypatch.setattr("resnet_lib.devices.find_device", lambda: CPU)
    record = train(tiny_net(), tiny_data(), stop=lambda: True)
    assert record.train == TrainConfig().to_dict()
    assert record.device == "cpu"
    assert "64000" in capsys.readouterr().err


# Signals from outside


def test_ctrl_c_ends_a_run_between_iterations_and_keeps_the_record(tmp_path):
    before = signal.getsignal(signal.SIGINT)

    def interrupt(iteration, row):
        if iteration == 6:
            signal.raise_signal(signal.SIGINT)

    record = tiny_train(folder=tmp_path, progress=interrupt)
    assert (record.status, record.iterations_done) == ("interrupted", 6)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(RunRecord.load(tmp_path).curves) == len(record.curves) == 3
    whole, net = tiny_net(), tiny_net()
    wanted = tiny_train(whole)
    assert_same_run(tiny_train(net, folder=tmp_path), wanted)
    assert same_weights(net, whole)


def test_a_second_ctrl_c_acts_at_once():
    before = signal.getsignal(signal.SIGINT)

    def interrupt(iteration, row):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)  # else the system may take both for one
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tiny_train(progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_a_run_trains_too():
    import threading

    found = []

    def work():
        with interruptible() as event:
            found.append(event.is_set())
        found.append(tiny_train(iterations=2, milestones=()).status)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False, "complete"]


SCRIPT = """
import sys, os, signal, torch
from helpers import tiny_net, tiny_train
folder, kill, iterations = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
saves, save = [0], torch.save

def dying_save(state, path):
    saves[0] += 1
    save(state, path)
    if saves[0] == kill:
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

if kill:
    torch.save = dying_save

def tell(iteration, row):
    print(iteration, flush=True)

record = tiny_train(
    folder=folder, iterations=iterations, progress=tell, checkpoint_seconds=0, precision=sys.argv[4]
)
print(record.status, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(tmp_path):
    """Killed once half-way through a checkpoint's file, and once from outside."""
    iterations = 400
    process = python(SCRIPT, str(tmp_path), "6", str(iterations), "bfloat16")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, errors
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["plain"]["iteration"] == 5
    process = python(SCRIPT, str(tmp_path), "0", str(iterations), "bfloat16")
    assert process.stdout.readline().strip() == "6"
    process.kill()
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "record.json").exists()

    whole, net = tiny_net(), tiny_net()
    options = {"iterations": iterations, "precision": "bfloat16"}
    wanted = tiny_train(whole, **options)
    assert_same_run(tiny_train(net, folder=tmp_path, **options), wanted)
    assert same_weights(net, whole)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT between processes")
def test_an_interrupt_from_outside_ends_a_process_cleanly(tmp_path):
    process = python(SCRIPT, str(tmp_path), "0", "1000000", "float32")
    assert process.stdout.readline().strip() == "3"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert out.splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors
    record = RunRecord.load(tmp_path)
    assert record.status == "interrupted"
    assert record.iterations_done >= 3
    assert json.loads((tmp_path / "record.json").read_text())["iterations_done"] >= 3
    assert (tmp_path / "checkpoint.pt").exists()


def test_the_quick_start_of_the_documentation_works():
    net = build_model("resnet8", in_channels=1, width=4, stem_stride=2, seed=0)
    record = train(
        net,
        embedded(14),
        TrainConfig(iterations=2, milestones=(), window=1, eval_every=2),
        device="cpu",
        progress=False,
    )
    assert list(record.curves["split"]) == ["train", "train", "test"]
    assert isinstance(net.fc, nn.Linear)


def test_one_image_of_one_pixel_cannot_be_normalised():
    with pytest.raises(ConfigError, match="give it 2 images"):
        tiny_train(tiny_net(stem_stride=2), batch_size=1)


def test_a_seed_too_large_for_torch_is_refused():
    with pytest.raises(ConfigError, match="9223372036854775807 at most"):
        TrainConfig(seed=2**64)


@pytest.mark.parametrize("chosen", ["none", "tf32", "ieee"])
def test_the_switch_of_tf32_is_given_back(chosen):
    """Also where it was set by the newer of torch's two ways, which must not be mixed."""
    product = torch.backends.cuda.matmul
    if not hasattr(product, "fp32_precision"):
        pytest.skip("this torch has one way only")
    before = product.fp32_precision
    product.fp32_precision = chosen
    try:
        with exact(True):
            assert product.fp32_precision == "ieee"
            assert torch.backends.cudnn.conv.fp32_precision == "ieee"
        assert product.fp32_precision == chosen
    finally:
        product.fp32_precision = before


def test_a_trained_net_is_not_trained_again(tmp_path):
    """Its weights are no longer its seed's, so the record of a second run would not be true."""
    net = tiny_net()
    first = tiny_train(net, folder=tmp_path / "run")
    assert net.record is first
    again = tiny_train(net, folder=tmp_path / "run")  # a notebook's cell, run twice
    assert again.curves.equals(RunRecord.load(tmp_path / "run").curves)
    for options in ({}, {"folder": tmp_path / "other"}, {"folder": tmp_path / "run", "lr": 0.5}):
        with pytest.raises(ConfigError, match="has been trained already"):
            tiny_train(net, **options)
    with pytest.raises(ConfigError, match=first.run_id):
        tiny_train(load_net(tmp_path / "run"))


def test_a_net_whose_training_failed_is_not_begun_again(tmp_path):
    """Nor one whose checkpoint lacks a probe; a refused net is left as it was."""
    net = tiny_net()

    def fail(_iteration, _row):
        raise ValueError("a callback's error")

    with pytest.raises(ValueError, match="a callback's error"):
        tiny_train(net, progress=fail)
    with pytest.raises(ConfigError, match="has been trained already"):
        tiny_train(net)
    probe = SignalProbe(tiny_data(), 32)
    other, left = tiny_net(), iter([False] * 5 + [True])
    tiny_train(other, folder=tmp_path, stop=lambda: next(left))
    with pytest.raises(ConfigError, match="has been trained already"):
        tiny_train(other, folder=tmp_path, probe=probe, probe_at=(0,))
    done = tiny_net()
    tiny_train(done, folder=tmp_path / "done")
    with pytest.raises(ConfigError, match="has been trained already"):
        tiny_train(done, folder=tmp_path / "done", probe=probe, probe_at=(0,))
    loaded = load_net(tmp_path / "done")
    with pytest.raises(ConfigError, match="has been trained already"):
        tiny_train(loaded)
    assert not loaded.training


def test_a_stopped_net_goes_on_from_its_checkpoint_only(tmp_path):
    net, left = tiny_net(), iter([False] * 5 + [True])
    tiny_train(net, folder=tmp_path, stop=lambda: next(left))
    with pytest.raises(ConfigError, match="has been trained already"):
        tiny_train(net)
    resumed = tiny_train(net, folder=tmp_path)
    assert resumed.status == "complete"
    assert numbers(resumed).equals(numbers(tiny_train(tiny_net())))


def test_a_fresh_net_gets_the_weights_of_its_run(tmp_path):
    """A notebook's cell that builds and trains a net does not train it a second time."""
    first = tiny_net()
    tiny_train(first, folder=tmp_path)
    before = (tmp_path / "record.json").stat().st_mtime_ns
    again = tiny_net()
    record = tiny_train(again, folder=tmp_path)
    assert (tmp_path / "record.json").stat().st_mtime_ns == before
    assert same_weights(first, again)
    assert again.record is record
    assert record.status == "complete"
    (tmp_path / "weights.safetensors").unlink()
    tiny_train(tiny_net(), folder=tmp_path)
    assert (tmp_path / "weights.safetensors").exists(), "what is missing is made again"


def test_a_run_from_other_weights_is_no_run_of_the_seed(tmp_path):
    usual = tiny_train(tiny_net(), folder=tmp_path / "usual")
    assert usual.start is None
    changed = []
    for scale in (0.5, 2.0, 2.0):
        net = tiny_net()
        with torch.no_grad():
            net.conv1.weight.mul_(scale)
        changed.append(tiny_train(net, folder=tmp_path / "changed" / str(len(changed))))
    assert changed[1].run_id == changed[2].run_id
    assert len({usual.run_id, *(each.run_id for each in changed)}) == 3
    assert all(each.start for each in changed)
    assert RunRecord.load(tmp_path / "changed" / "0").start == changed[0].start
    net = tiny_net()
    with torch.no_grad():
        net.fc.bias.add_(1)
    with pytest.raises(ConfigError, match=usual.run_id):  # whose folder that is
        tiny_train(net, folder=tmp_path / "usual")


def test_a_look_at_a_new_net_is_no_other_start():
    """A forward pass in training mode moves BN's statistics, and no weight."""
    usual, looked = tiny_net(), tiny_net()
    looked(torch.rand(4, 1, 7, 7))
    records = [tiny_train(net) for net in (usual, looked)]
    assert records[0].run_id == records[1].run_id
    assert same_weights(usual, looked)


def test_a_net_with_other_layers_makes_a_run_of_its_own():
    """By its arithmetic, where its weights have the same names and values."""
    normed, headed = tiny_net(), tiny_net()
    normed.bn1 = nn.GroupNorm(2, normed.config.width)
    headed.fc = nn.Sequential(nn.Linear(16, 10))
    ids = [tiny_train(net).run_id for net in (tiny_net(), normed, headed)]
    assert len(set(ids)) == 3


def test_weights_that_lack_some_are_not_taken_in_part(tmp_path):
    usual = tiny_train(folder=tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    weights.pop("fc.bias")
    save_file(weights, tmp_path / "weights.safetensors")
    net = tiny_net()
    again = tiny_train(net, folder=tmp_path)
    assert numbers(again).equals(numbers(usual))
    assert same_weights(net, load_net(tmp_path))


def test_a_test_loss_that_is_not_finite_ends_the_run(tmp_path):
    """The weights may go bad in a step after which no training loss is looked at."""

    def explode(iteration, row):
        if (row["split"], iteration) == ("train", 6):
            with torch.no_grad():
                net.fc.bias.fill_(float("nan"))

    net = tiny_net()
    record = tiny_train(net, folder=tmp_path, progress=explode, window=6, eval_every=6)
    assert (record.status, record.diverged_at, record.iterations_done) == ("diverged", 6, 6)
    assert RunRecord.load(tmp_path).status == "diverged"


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_only_dropout_touches_the_random_numbers_of_the_caller(dropout):
    """Another thread may be drawing from them while a net trains in the background."""
    drawn = []
    torch.manual_seed(5)
    expected = torch.rand(4).tolist()
    torch.manual_seed(5)
    tiny_train(tiny_net(dropout=dropout), progress=lambda *_: drawn.append(torch.rand(()).item()))
    assert (drawn[:4] == pytest.approx(expected)) == (dropout == 0)


@pytest.mark.parametrize(
    ("options", "told"), [({"device": "gpu"}, "no device 'gpu'"), ({"probe_at": 40}, "probe_at")]
)
def test_what_train_cannot_use_is_named(options, told):
    with pytest.raises(ConfigError, match=told):
        tiny_train(**options)
