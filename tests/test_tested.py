"""Tests of recorded nets under the testing protocols, and the file that keeps them."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from helpers import python, tiny_data

from resnet_lib import ConfigError, load, load_net, load_records, reproduce, tested
from resnet_lib.batches import ChannelNormaliser, Normaliser
from resnet_lib.checks import CHECKS
from resnet_lib.measures import MEASURES
from resnet_lib.runs import RecordError, RunRecord
from resnet_lib.tested import COLUMNS, keep_row, measure_test, read_tests
from resnet_lib.testing import PROTOCOLS, Errors, measure_errors

DATA = load("embedded", 14)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two short runs on the embedded images."""
    home = tmp_path_factory.mktemp("runs")
    records = reproduce("figure6-residual", "smoke", seeds=[0], folder=home, progress=False)
    return [home / each.run_id for each in records]


def direct(folders, protocol, images):
    nets, how = [load_net(each) for each in folders], {"normalise": Normaliser(DATA)}
    with pytest.warns(UserWarning, match="images are tested"):
        return measure_errors(nets, DATA, protocol, images=images, device="cpu", **how)


def test_a_row_is_what_is_measured(folders, tmp_path) -> None:
    path = tmp_path / "tests.csv"
    for protocol in ("centre-crop", "10-crop"):
        row = measure_test(folders[:1], protocol, images=50, data=DATA, path=path)
        wanted = direct(folders[:1], protocol, 50)
        assert (row["top1_error"], row["top5_error"]) == (wanted.top1_error, wanted.top5_error)
    both = measure_test(folders, images=50, data=DATA, path=path)
    assert both["top1_error"] == direct(folders, "centre-crop", 50).top1_error
    assert both["run_ids"] == " ".join(each.name for each in folders)
    assert len(read_tests(path)) == 3


def test_what_is_kept_is_not_measured_again(folders, tmp_path, monkeypatch) -> None:
    path = tmp_path / "tests.csv"
    first = measure_test(folders[:1], images=40, data=DATA, path=path)
    text = path.read_text()
    monkeypatch.setattr(tested, "measure_errors", None)
    assert measure_test(folders[:1], images=40, data=DATA, path=path).equals(first)
    with pytest.raises(TypeError):
        measure_test(folders[:1], images=41, data=DATA, path=path)
    assert path.read_text() == text


def test_what_others_measure_meanwhile_stays(folders, tmp_path, monkeypatch) -> None:
    """Minutes pass between reading the file and writing it."""
    path = tmp_path / "tests.csv"
    others = []

    def measured(*arguments, **options):
        monkeypatch.setattr(tested, "measure_errors", measure_errors)
        others.extend(measure_test([each], images=30, data=DATA, path=path) for each in folders)
        return measure_errors(*arguments, **options)

    monkeypatch.setattr(tested, "measure_errors", measured)
    row = measure_test(folders[:1], images=30, data=DATA, path=path)
    assert row.to_list() == others[0].to_list()
    assert sorted(read_tests(path)["run_ids"]) == sorted(each.name for each in folders)


def test_rows_that_are_kept_at_once_all_arrive(tmp_path) -> None:
    path, count = tmp_path / "tests.csv", 24

    def keep(number: int) -> int:
        row = dict(zip(COLUMNS, (f"run{number}", "centre-crop", 10, 1.0, 0.5), strict=True))
        return len(keep_row(row, path))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(keep, range(count))) == [*range(1, count + 1)]
    assert set(read_tests(path)["run_ids"]) == {f"run{number}" for number in range(count)}
    assert not list(tmp_path.glob("*.partial"))


AT_ONCE = """
import sys
from resnet_lib.tested import measure_test
measure_test([sys.argv[1]], images=int(sys.argv[2]), path=sys.argv[3])
"""


def test_processes_that_measure_at_once_lose_no_row(folders, tmp_path) -> None:
    path = tmp_path / "tests.csv"
    started = [python(AT_ONCE, str(folders[0]), str(n), str(path)) for n in (20, 21, 22)]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert sorted(read_tests(path)["images"]) == [20, 21, 22]


def changed(folder: Path, copy: Path, part: str, values: dict) -> Path:
    """A copy of a run whose record says something else."""
    shutil.copytree(folder, copy)
    record = json.loads((copy / "record.json").read_text())
    record[part] |= values
    (copy / "record.json").write_text(json.dumps(record))
    return copy


def test_a_net_is_tested_on_images_as_it_was_trained_and_on_no_more_than_there_are(
    folders, tmp_path, monkeypatch
) -> None:
    seen = {}

    def measured(_nets, _data, _protocol, **how) -> Errors:
        seen.update(how)
        return Errors(20.0, 5.0, how["images"])

    monkeypatch.setattr(tested, "measure_errors", measured)
    how = {"normalisation": "per-channel"}
    other = changed(folders[0], tmp_path / "other", "train", how)
    row = measure_test([other], images=10**6, data=DATA, path=tmp_path / "tests.csv")
    assert row["images"] == seen["images"] == 2000
    assert isinstance(seen["normalise"], ChannelNormaliser)
    whole = measure_test([other], data=DATA, path=tmp_path / "tests.csv")
    assert whole.equals(row), "all of them: measured already"


def test_what_cannot_be_tested_is_one_sentence(folders, tmp_path) -> None:
    path = tmp_path / "tests.csv"
    with pytest.raises(ConfigError, match="no run"):
        measure_test([], path=path)
    with pytest.raises(ConfigError, match="checksum"):
        measure_test(folders[:1], data=tiny_data(), path=path)
    for part, change in (
        ("train", {"normalisation": "per-channel"}),
        ("data", {"checksum": "another"}),
    ):
        other = changed(folders[1], tmp_path / part, part, change)
        with pytest.raises(ConfigError, match="not given the same images"):
            measure_test([folders[0], other], data=DATA, path=path)
    assert not path.exists()
    for wrong in ("run_ids,errors\na,1\n", ""):
        path.write_text(wrong)
        with pytest.raises(RecordError, match=r"tests\.csv"):
            read_tests(path)


def test_the_ledger_compares_protocols_on_the_same_images(monkeypatch) -> None:
    record = next(each for each in load_records() if each.tier == "short")
    rows = [
        (record.run_id, "10-crop", 100, 30.0, 5.0),
        (record.run_id, "10-crop", 2_000, 20.0, 5.0),
        (record.run_id, "multi-scale", 100, 33.0, 5.0),
        (f"{record.run_id} another", "multi-scale", 2_000, 1.0, 1.0),
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    monkeypatch.setattr("resnet_lib.measures.read_tests", lambda: frame)
    assert MEASURES["10-crop error"](record) == 20.0
    assert MEASURES["multi-scale minus 10-crop error"](record) == 3.0
    monkeypatch.setattr("resnet_lib.measures.read_tests", lambda: frame.iloc[:2])
    assert pd.isna(MEASURES["multi-scale minus 10-crop error"](record))


@pytest.mark.parametrize("protocol", ["centre-crop", "centre-and-mirror"])
def test_the_check_of_ten_views_is_no_foregone_conclusion(monkeypatch, protocol) -> None:
    monkeypatch.setitem(PROTOCOLS, "10-crop", PROTOCOLS[protocol])
    check = CHECKS["10-crop averages ten views"]
    assert not check.__wrapped__().holds
    monkeypatch.undo()
    assert check.__wrapped__().holds


def test_an_ensemble_is_held_against_its_best_member(monkeypatch) -> None:
    rows = [
        ("one two", "centre-crop", 100, 20.0, 0.0),
        ("one", "centre-crop", 100, 22.0, 0.0),
        ("two", "centre-crop", 100, 19.5, 0.0),
        ("two", "centre-crop", 50, 10.0, 0.0),  # other images
        ("two", "10-crop", 100, 5.0, 0.0),
        ("three four", "centre-crop", 100, 20.0, 0.0),
        ("three", "centre-crop", 100, 22.0, 0.0),
        ("six", "centre-crop", 100, 22.0, 0.0),
        ("six two", "centre-crop", 200, 20.0, 0.0),
        ("six one", "centre-crop", 100, 20.0, 0.0),
        ("six seven", "centre-crop", 100, 20.0, 0.0),
        ("seven", "centre-crop", 100, 22.0, 0.0),
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    monkeypatch.setattr("resnet_lib.measures.read_tests", lambda: frame)
    measure = MEASURES["ensemble minus best member error"]
    assert measure(SimpleNamespace(run_id="two")) == 0.5
    assert measure(SimpleNamespace(run_id="seven")) == -2.0
    for id in ("three", "five", "six"):  # a member is not tested alone; in no ensemble; in two
        assert pd.isna(measure(SimpleNamespace(run_id=id)))


def test_the_best_of_the_kept_ensembles_is_the_net_that_claim_59b_names() -> None:
    """Its note says so; a test that is added may change it."""
    whole = read_tests().query("protocol == 'centre-crop' and images == 10_000")
    alone = whole.set_index("run_ids")["top1_error"]
    together = [ids.split() for ids in alone.index if " " in ids]
    briefly = [ids for ids in together if "-3200-" in ids[0]]
    assert (len(briefly), len(together)) == (3, 4)
    assert all(alone[ids].idxmin().startswith("preresnet56-") for ids in briefly)


def test_the_kept_tests_are_of_recorded_runs() -> None:
    """Each row names runs of the archive, a protocol, and an error near that of the run itself."""
    records: dict[str, RunRecord] = {each.run_id: each for each in load_records()}
    kept = read_tests()
    assert not kept.duplicated(["run_ids", "protocol", "images"]).any()
    for row in kept.itertuples():
        runs = [records[each] for each in row.run_ids.split()]
        assert row.protocol in PROTOCOLS
        assert 0 < row.top5_error <= row.top1_error < 100
        assert row.images <= 10_000
        if (len(runs), row.protocol, row.images) == (1, "centre-crop", 10_000):
            curve = runs[0].curves.query("split == 'test'")
            assert row.top1_error == pytest.approx(curve["top1_error"].iloc[-1], abs=0.3)
