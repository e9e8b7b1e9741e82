"""Weights are kept in float16, within a limit, and only of usable records."""

from __future__ import annotations

import json

import keep_weights
import pytest
import torch
from helpers import tiny_net, write_record
from safetensors.torch import load_file, save_file

from resnet_lib.archive import survey


@pytest.fixture
def recorded(tmp_path):
    """A made-up record with the weights of a small net, and a place for what is kept."""
    folder = write_record(tmp_path / "runs", "resnet20", 0)
    net = tiny_net("resnet8")
    save_file(net.state_dict(), folder / "weights.safetensors")
    return tmp_path / "runs", tmp_path / "weights", folder, net


def test_weights_are_kept_once_in_float16(recorded):
    runs, out, folder, net = recorded
    told = keep_weights.keep(survey(runs), "resnet20", out)
    path = out / f"{folder.name}.safetensors"
    assert path.name in told
    kept = load_file(path)
    for name, value in net.state_dict().items():
        half = value.half() if value.is_floating_point() else value
        assert torch.equal(kept[name], half)
    assert keep_weights.keep(survey(runs), "resnet20", out).startswith("kept already")
    assert list(out.iterdir()) == [path]


def test_what_cannot_be_kept_is_told(recorded, monkeypatch):
    runs, out, folder, net = recorded
    assert keep_weights.keep(survey(runs), "resnet56", out) == "not recorded yet"
    weights = net.state_dict()
    weights["fc.bias"] = weights["fc.bias"] + float("inf")
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(keep_weights.WeightsError, match=r"fc\.bias"):
        keep_weights.keep(survey(runs), "resnet20", out)
    save_file(net.state_dict(), folder / "weights.safetensors")
    monkeypatch.setattr(keep_weights, "LIMIT", 100)
    with pytest.raises(keep_weights.WeightsError, match="too many"):
        keep_weights.keep(survey(runs), "resnet20", out)
    (folder / "weights.safetensors").unlink()
    assert "not on this machine" in keep_weights.keep(survey(runs), "resnet20", out)
    assert not out.exists()


def test_what_float16_does_not_hold_stays_as_it_is():
    """Running variances of a deep plain net are larger than its largest number."""
    weights = {"large": torch.tensor([13_010_131.0, 0.5]), "small": torch.tensor([0.1])}
    kept = keep_weights.halved(weights)
    assert torch.equal(kept["large"], weights["large"])
    assert kept["small"].dtype == torch.float16


def test_weights_of_a_refused_record_are_not_kept(recorded):
    runs, out, folder, _ = recorded
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"numerics": "0123456789ab"}))
    assert keep_weights.keep(survey(runs), "resnet20", out) == "not recorded yet"


def test_the_repository_s_weights_are_those_of_recorded_runs_and_small():
    from resnet_lib.runs import ARCHIVE

    wanted = {
        record.run_id
        for tier, labels in keep_weights.WANTED.items()
        for label in labels
        if (record := keep_weights.find(survey(), label, tier)) is not None
    }
    kept = list((ARCHIVE.parent / "weights").glob("*-s0-*.safetensors"))
    assert {path.stem for path in kept} <= wanted
    assert sum(path.stat().st_size for path in kept) <= keep_weights.LIMIT
