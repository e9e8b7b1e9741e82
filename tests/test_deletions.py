"""Blocks taken out of trained nets: the errors, the sets, and the file beside the record."""

import copy
import statistics
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import torch
from helpers import TINY, cifar10, randomise_norms, tiny_data, tiny_net, tiny_train
from torch import nn

from resnet_lib import (
    ConfigError,
    ModelConfig,
    RecordError,
    build_model,
    load_records,
    widgets,
)
from resnet_lib.batches import Normaliser
from resnet_lib.checkpoints import kept_nets, net_of
from resnet_lib.cli import main
from resnet_lib.deletions import (
    DELETIONS,
    DRAWS,
    SIZES,
    Deletions,
    block_responses,
    deletable,
    deletion_cost,
    deletion_errors,
    keep_row,
    one_block_less,
    random_sets,
    record_deletions,
    single_deletions,
)
from resnet_lib.experiments import TIERS
from resnet_lib.runs import ARCHIVE, RunRecord
from resnet_lib.training import evaluate


def without(net, names):
    """The net with an identity in the place of some blocks: the definition, done the plain way."""
    less = copy.deepcopy(net)
    for name in names:
        stage, index = name.split(".")
        setattr(getattr(less, stage), index, nn.Identity())
    return less


@pytest.mark.parametrize("model", ["plain20", "resnet20", "preresnet20"])
def test_errors_are_those_of_the_net_with_identities_in_place(model):
    net = tiny_net(model)
    randomise_norms(net)
    data = tiny_data(test_images=200)
    normalise = Normaliser(data)
    with torch.no_grad():  # an untrained net calls everything by one name: spread its answers
        net.fc.bias -= net.eval()(normalise(data.test_images)).mean(0)
        answers = net(normalise(data.test_images)).argmax(1)
    names = deletable(net)
    sets = [(), *((name,) for name in names), names[1:4], names]
    images, labels = data.test_images, answers
    found = dict(deletion_errors(net, images, labels, normalise, sets, batch_size=64))
    assert set(found) == set(sets)
    for each, error in found.items():
        assert error == evaluate(without(net, each), images, labels, normalise)[1], each
    assert found[()] == 0
    assert min(error for each, error in found.items() if each) > 0


def test_blocks_that_change_dimensions_stay():
    assert deletable(tiny_net("plain20")) == deletable(tiny_net("resnet20"))
    assert len(deletable(tiny_net("resnet56"))) == 27 - 2
    assert "conv3_x.0" not in deletable(tiny_net("resnet56"))
    # In a bottleneck net the first block has more channels after it than before.
    assert "conv2_x.0" not in deletable(build_model("resnet164", seed=0, **TINY))


def test_a_wrong_set_is_refused():
    net, data = tiny_net("resnet20"), tiny_data()
    for wrong in [("conv3_x.0",), ("conv9_x.1",), ("conv2_x.2", "conv2_x.1")]:
        with pytest.raises(ConfigError):
            next(
                deletion_errors(net, data.test_images, data.test_labels, Normaliser(data), [wrong])
            )


def test_random_sets_are_sets_of_the_size_and_the_same_each_time():
    names = deletable(tiny_net("resnet56"))
    sets = random_sets(names, (2, 5), 10)
    assert sets == random_sets(names, (2, 5), 10)
    assert sets != random_sets(names, (2, 5), 10, seed=1)
    assert [len(each) for each in sets] == [2] * 10 + [5] * 10
    assert len(set(sets)) == 20
    for each in sets:
        assert list(each) == sorted(set(each), key=names.index)
    assert {name for each in random_sets(names, SIZES, DRAWS) for name in each} == set(names)
    # Three blocks have three pairs and no set of four.
    assert len(random_sets(names[:3], (2, 4), 10)) == 3


@pytest.fixture
def run(tmp_path):
    """A small recorded net with its weights."""
    tiny_train(tiny_net("resnet20"), folder=tmp_path, iterations=3)
    return tmp_path


def record(run, **changes):
    return record_deletions(run, data=tiny_data(), progress=False, **{"draws": 3, **changes})


def test_the_file_names_its_run_and_holds_every_deletion(run):
    kept = record(run)
    again = Deletions.load(run)
    assert again.about == kept.about
    pd.testing.assert_frame_equal(again.frame, kept.frame)
    assert kept.about["run_id"] == RunRecord.load(run).run_id
    assert kept.about["made_by"] == "python -m resnet_lib deletions"
    whole = kept.errors(100)
    assert set(map(len, whole)) == {0, 1}
    assert len(whole) == 1 + len(deletable(tiny_net("resnet20")))
    last = RunRecord.load(run).curves.query("split == 'test'")["top1_error"].iloc[-1]
    assert whole[()] == pytest.approx(last)
    part = kept.errors(20)
    assert sorted(set(map(len, part))) == [0, 2, 3, 4, 5, 6, 7]


def test_the_loss_of_one_block_is_told_in_a_row_a_net(run):
    errors = record(run).errors(100)
    (row,) = one_block_less(run).to_dict("records")
    ones = sorted(error for blocks, error in errors.items() if len(blocks) == 1)
    assert (row["whole"], row["lowest"], row["highest"]) == (errors[()], ones[0], ones[-1])
    assert row["median"] == statistics.median(ones)


def test_without_deletions_there_is_no_row_and_nothing_fails(tmp_path):
    assert len(one_block_less(tmp_path)) == 0


def test_a_stopped_measurement_goes_on(run):
    whole = record(run)
    some = whole.frame.iloc[::2]
    Deletions(whole.about, some).save(run)
    pd.testing.assert_frame_equal(record(run).frame, whole.frame)


def test_what_others_measure_meanwhile_stays(run, monkeypatch):
    """Two processes may be given one folder; here the second works while the first measures."""
    nested = []

    def measured(*arguments):
        if not nested:
            nested.append(None)
            nested[0] = record(run, sizes=(3,))
        yield from deletion_errors(*arguments)

    monkeypatch.setattr("resnet_lib.deletions.deletion_errors", measured)
    kept = record(run, sizes=(2,))
    assert set(map(len, kept.errors(20))) == {0, 2, 3}
    assert nested[0].errors(20).items() < kept.errors(20).items()
    assert not kept.frame.duplicated(["images", "blocks"]).any()
    pd.testing.assert_frame_equal(Deletions.load(run).frame, kept.frame)


def test_rows_that_are_kept_at_once_all_arrive(tmp_path):
    names, about = [f"conv2_x.{number}" for number in range(24)], {"run_id": "x"}

    def keep(name):
        return len(keep_row(tmp_path, about, (1, name, 20, 50.0)).frame)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(keep, names)) == [*range(1, len(names) + 1)]
    assert set(Deletions.load(tmp_path).frame["blocks"]) == set(names)


def test_what_is_measured_is_not_measured_again(run, monkeypatch):
    whole = record(run)
    monkeypatch.setattr("resnet_lib.deletions.deletion_errors", None)
    assert record(run).frame.equals(whole.frame)


def test_a_file_of_other_weights_is_refused(run):
    kept = record(run, sizes=(2,))
    Deletions({**kept.about, "weights": "0" * 12}, kept.frame).save(run)
    with pytest.raises(ConfigError, match="other weights"):
        record(run)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "# {}\nblocks\n",
        "# []\n",
        "# {}\ndeleted,blocks,images,top1_error\n1,conv2_x.0,100,many\n",
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(run, text):
    (run / DELETIONS).write_text(text)
    with pytest.raises(RecordError, match=DELETIONS):
        Deletions.load(run)


def test_a_block_that_the_net_has_not_is_told(run):
    kept = record(run, sizes=(2,))
    kept.frame.loc[0, "blocks"] = "conv9_x.0"
    kept.save(run)
    with pytest.raises(RecordError, match="conv9_x\\.0', which resnet20 has not: delete it"):
        record(run)


def test_sets_may_come_from_a_generator_and_sizes_are_sizes():
    net, data = tiny_net("resnet20"), tiny_data()
    sets = [(), ("conv2_x.0",)]
    images = (net, data.test_images, data.test_labels, Normaliser(data))
    found = dict(deletion_errors(*images, (each for each in sets)))
    assert found == dict(deletion_errors(*images, sets))
    assert len(found) == 2
    for size, draws in ((-1, 2), (0, 2), (2, 0)):
        with pytest.raises(ConfigError, match="whole number of at least 1"):
            random_sets(deletable(net), [size], draws)


def test_other_data_are_refused(run):
    with pytest.raises(ConfigError, match="checksum"):
        record_deletions(run, data=tiny_data(train_images=160))


def test_responses_are_the_last_probes(tmp_path):
    from resnet_lib.analysis import SignalProbe

    net, data = tiny_net("resnet8"), tiny_data()
    probe = SignalProbe(data, images=64)
    done = tiny_train(net, data, iterations=3, probe=probe, probe_at=(0, 3))
    found = block_responses(done)
    assert list(found.index) == ["conv2_x.0", "conv3_x.0", "conv4_x.0"]
    expected = probe(net).set_index("name")["response_std"]["conv3_x.0.conv2"]
    assert found["conv3_x.0"] == pytest.approx(expected, rel=1e-5)
    assert not len(block_responses(tiny_train(iterations=1)))


def test_the_command(tmp_path, capsys):
    out = tmp_path / "runs"
    arguments = ["train", "resnet8", "--tier", "smoke", "--width", "4", "--precision", "float32"]
    assert main([*arguments, "--out", str(out)]) == 0
    (folder,) = (each.parent for each in out.rglob("record.json"))
    capsys.readouterr()
    assert main(["deletions", str(folder)]) == 0
    assert "deleted" in capsys.readouterr().out
    assert (folder / DELETIONS).exists()
    assert main(["deletions", str(out)]) == 2
    assert "resnet_lib: " in capsys.readouterr().err
    assert TIERS["smoke"].data == "embedded"


def test_the_net_is_left_as_it_was():
    net, data = tiny_net("resnet20"), tiny_data()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    sets = [(), deletable(net)]
    list(deletion_errors(net, data.test_images, data.test_labels, Normaliser(data), sets))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


# What the explorer gets


def test_the_explorer_shows_the_files_numbers(run):
    record(run)
    own = RunRecord.load(run)
    layers = [f"conv{n}_x.{i}.conv{k}" for n in (2, 3, 4) for i in range(3) for k in (1, 2)]
    own.probe = pd.DataFrame(
        [
            {"iteration": at, "layer": n, "name": name, "response_std": n / (at + 4)}
            for at in (0, 3)
            for n, name in enumerate(layers, 2)
        ]
    )
    own.save(run)
    module = widgets.explorer("deletion")
    (net,) = module.data(run)["nets"]
    found = [each["response"] for each in net["blocks"]]
    wanted = [n / 7 for n in range(3, 21, 2)]
    assert found == pytest.approx(wanted, abs=6e-5), "of second layers, after the last step"
    kept = Deletions.load(run)
    whole, part = kept.errors(100), kept.errors(20)
    assert net["intact"] == whole[()]
    assert net["intact_part"] == part[()]
    names = [each["name"] for each in net["blocks"]]
    for each in net["blocks"]:
        assert each["error"] == whole.get((each["name"],))
    assert {tuple(names[i] for i in each["blocks"]): each["error"] for each in net["sets"]} == {
        names: error for names, error in part.items() if len(names) > 1
    }
    assert (net["run_id"], net["weights"]) == (kept.about["run_id"], kept.about["weights"])
    assert module.data(run)["missing"] == ["plain56", "resnet56"]
    assert f"{whole[()]:.1f}% intact" in module.sentence(module.data(run))


def test_one_deleted_block_is_told_as_a_median_of_the_deepest_pair():
    module = widgets.explorer("deletion")

    def net(name, kind, depth, *errors):
        blocks = [{"error": error} for error in (*errors, None)]
        about = {"net": name, "kind": kind, "depth": depth, "intact": 10.0, "intact_part": 99.0}
        return about | {"blocks": blocks, "sets": [{"blocks": [0, 1], "error": 70.0}]}

    nets = [net("plain110", "plain", 110, 90.0)]
    nets += [net("plain56", "plain", 56, 20.0, 30.0, 91.0), net("resnet56", "residual", 56, 11.0)]
    nets += [net("plain20", "plain", 20, 50.0), net("resnet20", "residual", 20, 12.0)]
    told = module.sentence({"nets": nets, "missing": []})
    assert (
        "plain-56 10.0% intact and, with one block removed, a median of 30.0%; "
        "ResNet-56 10.0% intact and, with one block removed, a median of 11.0%." in told
    )
    assert module.by_count(nets[1]) == {0: [10.0], 1: [20.0, 30.0, 91.0], 2: [70.0]}


def test_the_explorer_leaves_out_a_measurement_that_goes_on(run):
    whole = record(run)
    assert whole.complete
    for rows in (whole.frame["images"] == 20, whole.frame["deleted"] > 0):
        some = Deletions(whole.about, whole.frame[rows])
        some.save(run)
        assert not some.complete
        assert widgets.explorer("deletion").data(run)["nets"] == []


def test_recorded_deletions_are_of_recorded_runs():
    """Every deletions.csv of the archive lies beside its record and holds what it says."""
    paths = [*ARCHIVE.rglob(DELETIONS)]
    assert paths
    for path in paths:
        found, own = Deletions.load(path.parent), RunRecord.load(path.parent)
        assert found.about["run_id"] == own.run_id
        names = deletable(build_model(ModelConfig.from_dict(own.model), seed=0))
        whole = found.errors(int(found.frame["images"].max()))
        assert set(whole) == {(), *((name,) for name in names)}, path
        part = found.errors(int(found.frame["images"].min()))
        drawn = random_sets(names, SIZES, DRAWS, found.about["seed"])
        assert set(part) == {(), *drawn}, path
        last = own.curves.query("split == 'test'")["top1_error"].iloc[-1]
        assert whole[()] == pytest.approx(last, abs=0.3), path


@pytest.mark.network
def test_a_recorded_deletion_comes_out_again():
    """One recorded error, measured anew with the weights that the repository keeps."""
    for own, path in kept_nets(load_records()):
        folder = next(
            each.parent for each in ARCHIVE.rglob("record.json") if own.run_id in str(each)
        )
        if not (folder / DELETIONS).exists():
            continue
        assert own.data["name"] == "cifar10"
        data = cifar10()
        found = Deletions.load(folder)
        images, labels = data.test_images[::5], data.test_labels[::5]
        errors = found.errors(len(images))
        chosen = sorted(errors)[len(errors) // 2]
        net, normalise = net_of(own, path), Normaliser(data)
        ((_, error),) = deletion_errors(net, images, labels, normalise, [chosen])
        # Half precision of the kept weights, and bfloat16 when it was measured.
        assert error == pytest.approx(errors[chosen], abs=1.5)
        return
    pytest.skip("No run has both deletions and kept weights.")


@pytest.mark.parametrize("model", ["plain14", "resnet14"])
def test_single_deletions_are_a_tidy_table(model):
    data, net = tiny_data(), tiny_net(model)
    table = single_deletions(net, data)
    assert list(table["block"]) == ["", *deletable(net)]
    assert list(table["number"]) == [0, 1, 2, 4, 6]
    assert set(table["model"]) == {model}
    whole = evaluate(net, data.test_images, data.test_labels, Normaliser(data))[1]
    assert table["top1_error"].iloc[0] == pytest.approx(whole)
    assert table.equals(single_deletions(net, data, device="cpu"))
    with pytest.raises(ConfigError, match="there is no device 'nowhere' here"):
        single_deletions(net, data, device="nowhere")
    assert len(set(single_deletions(net, data, 10)["top1_error"] % 10)) == 1, "on ten images"
    found = single_deletions(net, data, 30)["top1_error"].iloc[0]
    images, labels = data.test_images[::4], data.test_labels[::4]  # 25: no more than asked for
    assert found == pytest.approx(evaluate(net, images, labels, Normaliser(data))[1])


def test_the_cost_of_a_deletion_is_over_the_whole_net():
    rows = [("m", 0, 0, 10.0), ("m", 0, 1, 20.0), ("m", 0, 2, 20.0), ("m", 0, 3, 50.0)]
    rows += [("m", 1, 0, 5.0)]
    rows += [("m", 1, 1, 5.0), ("m", 1, 3, 6.0)]
    frame = pd.DataFrame(rows, columns=["model", "seed", "number", "top1_error"])
    assert deletion_cost(frame).to_dict() == {("m", 0): 20.0, ("m", 1): 0.5}


def test_images_are_normalised_as_in_training(tmp_path):
    net, data = tiny_net("resnet8"), tiny_data()
    tiny_train(net, folder=tmp_path, normalisation="per-channel")
    last = RunRecord.load(tmp_path).curves.query("split == 'test'")["top1_error"].iloc[-1]
    usual = evaluate(net, data.test_images, data.test_labels, Normaliser(data))[1]
    assert last != pytest.approx(usual), "else either would do"
    assert record(tmp_path).errors(100)[()] == pytest.approx(last)
    assert single_deletions(net, data)["top1_error"].iloc[0] == pytest.approx(last)
