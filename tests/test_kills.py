"""A run killed twenty times, each time resumed in a fresh process, ends bit for bit alike."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers import tiny_net, tiny_train

from resnet_lib import RunRecord
from resnet_lib.checkpoints import load_net

ITERATIONS, KILLS = 200, 20

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.fixture(scope="module")
def fresh():
    """Processes that start with the library imported and nothing else done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["resnet_lib", "helpers"])
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
