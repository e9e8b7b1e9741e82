"""Damaged files: whatever bytes change, loading says in one sentence which file, or loads."""

from __future__ import annotations

import ast
import shutil
import sys
import warnings
from pathlib import Path

import pytest
import torch
from helpers import python, tiny_data, tiny_net, tiny_train, write_sheets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resnet_lib import ConfigError, DataError, RecordError, RunRecord, load, load_net
from resnet_lib.checkpoints import read_checkpoint

MANY = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@st.composite
def damages(draw):
    """A way to damage bytes: overwrite some, cut the end off, cut a hole, or put other bytes in."""
    kind = draw(st.sampled_from(["overwrite", "truncate", "hole", "foreign", "empty"]))
    where, length = draw(st.floats(0, 1)), draw(st.integers(1, 64))
    filling = draw(st.binary(min_size=length, max_size=length))

    def damage(data: bytes) -> bytes:
        start = int(where * max(len(data) - 1, 0))
        return {
            "overwrite": data[:start] + filling + data[start + length :],
            "truncate": data[:start],
            "hole": data[:start] + data[start + length :],
            "foreign": filling,
            "empty": b"",
        }[kind]

    return damage


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run with all that it leaves, and the checkpoint of an unfinished one."""
    folder = tmp_path_factory.mktemp("run")
    left = iter([False, False, True])
    tiny_train(folder=folder, stop=lambda: next(left))
    shutil.copy(folder / "checkpoint.pt", folder / "kept")
    tiny_train(folder=folder)
    shutil.move(folder / "kept", folder / "checkpoint.pt")
    return folder


def damaged(folder: Path, name: str, damage, tmp_path: Path) -> Path:
    """A copy of a folder with one file damaged."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    (copy / name).write_bytes(damage((folder / name).read_bytes()))
    return copy


def says_one_sentence(error: Exception, name: str) -> None:
    message = str(error)
    assert name in message, message
    assert len(message) < 500, message
    assert "Traceback" not in message


@MANY
@given(damage=damages(), name=st.sampled_from(["record.json", "curves.csv"]))
def test_records(run, tmp_path, damage, name) -> None:
    folder = damaged(run, name, damage, tmp_path)
    try:
        RunRecord.load(folder).frame()
    except RecordError as error:
        says_one_sentence(error, name)


@MANY
@given(damage=damages())
def test_checkpoints(run, tmp_path, damage) -> None:
    folder = damaged(run, "checkpoint.pt", damage, tmp_path)
    (folder / "record.json").unlink()
    run_id = RunRecord.load(run).run_id
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about what it finds in the file
        try:
            state = read_checkpoint(folder, run_id, torch.device("cpu"))
            assert state is not None
            tiny_train(folder=folder)
        except ConfigError as error:
            says_one_sentence(error, "checkpoint.pt")


@MANY
@given(damage=damages())
def test_weights(run, tmp_path, damage) -> None:
    folder = damaged(run, "weights.safetensors", damage, tmp_path)
    try:
        net = load_net(folder)
        assert set(net.state_dict()) == set(tiny_net().state_dict())
    except RecordError as error:
        says_one_sentence(error, "weights.safetensors")


@pytest.fixture(scope="module")
def sheets(tmp_path_factory) -> Path:
    """A small data set as class sheets."""
    data = tiny_data(14, 500, 500)
    images, labels = {}, {}
    for split in ("train", "test"):
        pixels = getattr(data, f"{split}_images").permute(0, 2, 3, 1).numpy()
        images[split] = pixels.repeat(3, axis=3)
        labels[split] = getattr(data, f"{split}_labels").numpy()
    return write_sheets(tmp_path_factory.mktemp("sheets"), images, labels, data.classes)


@MANY
@given(damage=damages(), label=st.integers(0, 9))
def test_sheets(sheets, tmp_path, damage, label) -> None:
    path = next((sheets / "train").glob(f"{label}_*"))
    folder = damaged(sheets, f"train/{path.name}", damage, tmp_path)
    try:
        data = load(folder)
        assert data.train_images.shape[1:] == (1, 14, 14) or data.channels == 3
    except DataError as error:
        says_one_sentence(error, "copy")


@settings(MANY, max_examples=20)
@given(damage=damages())
def test_the_embedded_set_never_loads_damaged(tmp_path, monkeypatch, damage) -> None:
    from resnet_lib import data

    original = data.EMBEDDED / "test" / "1_trouser.webp"
    folder = tmp_path / "copy"
    if not folder.exists():
        shutil.copytree(data.EMBEDDED, folder)
    changed = damage(original.read_bytes())
    (folder / "test" / original.name).write_bytes(changed)
    monkeypatch.setattr(data, "EMBEDDED", folder)
    try:
        loaded = load("embedded")
    except DataError as error:
        says_one_sentence(error, "copy")
    else:
        assert loaded.checksum == data.DATASETS["embedded"].checksum
    finally:
        monkeypatch.undo()


FULL = """
import resource, sys, warnings
from pathlib import Path
from helpers import tiny_net, tiny_train
from resnet_lib.complexity import complexity

complexity(tiny_net().config, 8)  # torch 2.7 writes a file when something is counted first
folder = Path(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    record = tiny_train(folder=folder, checkpoint_seconds=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(record.status, len(record.curves), sum("could be written" in str(w.message) for w in caught))
print(sorted(path.name for path in folder.iterdir() if path.name[0] != "."))
record.save(folder)
"""


LIMITS = [(100, []), (1_000, []), (4_000, ["curves.csv", "record.json"])]


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
@pytest.mark.parametrize(("limit", "left"), LIMITS)
def test_a_full_disk_costs_no_training(tmp_path, limit, left) -> None:
    """The system refuses to write files beyond a size, as a full disk would."""
    process = python(FULL, str(tmp_path), str(limit))
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    first, second = output.strip().splitlines()
    status, rows, warned = first.split()
    assert (status, int(rows)) == ("complete", 7)
    assert int(warned) >= 12, "each checkpoint that could not be written is told"
    found = ast.literal_eval(second)
    assert not any(name.endswith((".partial", ".pt", ".safetensors")) for name in found)
    assert [name for name in found if name in left] == left
    assert len(RunRecord.load(tmp_path).curves) == 7, "what was kept in memory can be saved later"
