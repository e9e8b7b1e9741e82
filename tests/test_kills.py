"""A run killed twenty times, each time resumed in a fresh process, ends bit for bit alike."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import torch
from filelock import FileLock
from helpers import python, tiny_net, tiny_train

from resnet_lib import RunRecord, train
from resnet_lib.checkpoints import load_net
from resnet_lib.runner import run_one

ITERATIONS, KILLS = 200, 20

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.fixture(scope="module")
def fresh():
    """Processes that start with the library imported and nothing else done."""
    context = multiprocessing.get_context("forkserver")
    # The first optimiser loads torch._dynamo, which takes longer than what a child trains.
    context.set_forkserver_preload(["resnet_lib", "helpers", "torch._dynamo"])
    return context


def work(folder: Path, precision: str, pipe) -> None:
    """Train in a child process, telling the parent each iteration."""
    torch.set_num_threads(1)
    net = tiny_net()
    tiny_train(
        net,
        folder=folder,
        iterations=ITERATIONS,
        milestones=(60, 120),
        window=1,
        eval_every=30,
        precision=precision,
        warmup_lr=0.01,
        checkpoint_seconds=0,
        progress=lambda iteration, row: pipe.send(iteration),
    )


def train_until(kill_at: int | None, fresh, folder: Path, precision: str) -> None:
    """Train in a new process, killed when it has told of an iteration or later, or to the end."""
    ours, theirs = fresh.Pipe(duplex=False)
    process = fresh.Process(target=work, args=(folder, precision, theirs))
    process.start()
    theirs.close()
    reached = 0
    with suppress(EOFError):
        while kill_at is None or reached < kill_at:
            reached = ours.recv()
    if kill_at is not None:
        assert reached >= kill_at, "it ended by itself"
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == (0 if kill_at is None else -signal.SIGKILL)


MANY = """
import sys
from dataclasses import replace
from resnet_lib import ModelConfig
from resnet_lib.runner import RunSpec, run_all
from helpers import RECIPE, TINY

if __name__ == "__main__":
    net = ModelConfig(8, "none", **TINY)
    short, long = (
        replace(RECIPE, iterations=n, milestones=(), window=2, seed=n) for n in (6, 1_200)
    )
    specs = [RunSpec(net, recipe, "embedded", 7, "tiny") for recipe in (short, long)]
    print(*(spec.run_id for spec in specs), flush=True)
    run_all(specs, sys.argv[1], jobs=2, progress=False)
"""


def test_killing_many_runs_loses_no_finished_one(tmp_path) -> None:
    """The parent is killed: its workers end with it, and the same call goes on."""
    script = tmp_path / "many.py"
    script.write_text(MANY)
    code, runs = (
        f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')",
        tmp_path / "r",
    )
    process = python(code, str(runs))
    first, second = process.stdout.readline().split()
    waiting = time.monotonic() + 120
    while not (runs / first / "record.json").exists() or not (runs / second / ".holder").exists():
        assert time.monotonic() < waiting, process.kill()
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        pipe.close()  # unread: a worker that lived on would hold them
    assert not (runs / second / "record.json").exists(), "it ended before it could be killed"
    with FileLock(runs / second / ".lock", timeout=20):
        pass  # free: the worker has ended
    path = runs / first / "record.json"
    before = path.stat().st_mtime_ns, path.read_bytes()
    process = python(code, str(runs))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    assert {RunRecord.load(runs / name).status for name in (first, second)} == {"complete"}


def test_a_checkpoint_is_at_most_a_minute_old() -> None:
    """What `reproduce` can lose: it leaves `train` its default."""
    default = inspect.signature(train).parameters["checkpoint_seconds"].default
    assert default <= 60
    assert "checkpoint_seconds" not in inspect.getsource(run_one)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_killed_twenty_times(tmp_path, precision, fresh) -> None:
    draw = random.Random(precision)
    for iteration in sorted(draw.sample(range(1, ITERATIONS - 80), KILLS)):
        train_until(iteration, fresh, tmp_path / "killed", precision)
    train_until(None, fresh, tmp_path / "killed", precision)
    whole = tmp_path / "whole"
    train_until(None, fresh, whole, precision)
    one, other = (RunRecord.load(folder) for folder in (tmp_path / "killed", whole))
    assert one.status == other.status == "complete"
    columns = ["iteration", "epoch", "split", "loss", "top1_error", "lr"]
    pd.testing.assert_frame_equal(one.curves[columns], other.curves[columns], check_exact=True)
    nets = [load_net(folder).state_dict() for folder in (tmp_path / "killed", whole)]
    assert all(torch.equal(nets[0][name], nets[1][name]) for name in nets[0])
