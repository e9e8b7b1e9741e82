"""Training runs as they are described, done one by one or many at once, and kept.

A run that is recorded already is read, not repeated; one that was stopped goes on.
"""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from resnet_lib.analysis import PROBES
from resnet_lib.batches import alternatives, make_normaliser
from resnet_lib.checkpoints import CHECKPOINT
from resnet_lib.complexity import complexity
from resnet_lib.configs import ModelConfig, TrainConfig, whole
from resnet_lib.data import ImageSet, load
from resnet_lib.devices import choose_precision, find_device, one_thread
from resnet_lib.models import build_model
from resnet_lib.numerics import numerics_hash
from resnet_lib.progress import interruptible
from resnet_lib.runs import RecordError, RunRecord, run_id
from resnet_lib.training import Probe, train, unsaved_weights

# Multiply-adds, as `RunSpec.cost` counts them, that are done, with the tests that come on top, in
# the seconds that processes take to start.
LITTLE = 5e9


class RunError(RuntimeError):
    """Runs that could not be done; the message says what is kept and what would help."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or a notebook's button, while runs were going on. records: what they came to."""

    def __init__(self, records: list[RunRecord], wanted: int, folder: Path | str | None) -> None:
        done = sum(record.status in ("complete", "diverged") for record in records)
        kept = "nothing is kept" if folder is None else "the same call goes on"
        super().__init__(f"stopped after {done} of {wanted} runs; {kept}.")
        self.records = records


@dataclass(frozen=True)
class RunSpec:
    """One training run, described well enough to be done in another process.

    compiled, recompute: how, not what: see `train`.
    """

    model: ModelConfig
    train: TrainConfig
    data: str
    size: int | None = None
    tier: str = "custom"
    probe: str | None = None
    probe_at: tuple[int, ...] = ()
    compiled: bool | None = None
    recompute: bool = False

    @property
    def precision(self) -> str:
        """The precision that this machine will train in."""
        return choose_precision(self.train.precision, find_device())

    @cached_property
    def run_id(self) -> str:
        """The run's name, known before it is run."""
        with torch.device("meta"):
            net = build_model(self.model, seed=self.train.seed)
        return run_id(
            self.model,
            self.train.seed,
            self.train,
            load_once(self.data, self.size),
            numerics_hash(net, *alternatives(self.train)),
            self.precision,
        )

    @property
    def cost(self) -> float:
        """Multiply-adds of all its training images, forward: to foresee the time left."""
        size = load_once(self.data, self.size).size
        return self.train.iterations * self.train.batch_size * _multiply_adds(self.model, size)


@lru_cache
def _multiply_adds(model: ModelConfig, size: int) -> int:
    return complexity(model, size).multiply_adds


@lru_cache(maxsize=2)
def load_once(name: str, size: int | None) -> ImageSet:
    """`load`, remembered: the runs of one process share their data."""
    return load(name, size)


def recorded(spec: RunSpec, folder: Path | str | None) -> RunRecord | None:
    """The record of a run that `folder` has already, with the probe that the spec asks for.

    Not where its weights could not be saved: the run then goes on from the checkpoint that is left.
    Errors: `RecordError` for a damaged record or another run's, which is not overwritten.
    """
    if folder is None:
        return None
    place = Path(folder) / spec.run_id
    if not (place / "record.json").exists() or unsaved_weights(place):
        return None
    remedy = "restore it, or delete its folder to do the run again."
    try:
        record = RunRecord.load(place)
    except RecordError as error:
        raise RecordError(f"{str(error).removesuffix('.')}; {remedy}") from None
    if {record.run_id, record.own_id()} != {spec.run_id}:
        others = " and ".join(sorted({record.run_id, record.own_id()} - {spec.run_id}))
        raise RecordError(f"{place / 'record.json'} is of the run {others}: {remedy}")
    moments = () if spec.probe is None or record.status == "diverged" else spec.probe_at
    return record if record.is_probed(moments) and record.status != "interrupted" else None


def unsaved(record: RunRecord, folder: Path | str | None) -> str | None:
    """What could not be kept of a run, in one sentence; None where all of it was."""
    if folder is None:
        return None
    place = Path(folder) / record.run_id
    if record.status == "interrupted":
        what = "" if (place / CHECKPOINT).exists() else "how far it came was not saved"
    elif not (place / "record.json").exists():
        what = "nothing of it was saved"
    elif unsaved_weights(place):
        what = "its weights were not saved"
    else:
        what = ""
    told = f"{record.run_id}: {what}. Make room in {folder} and give the same command again."
    return told if what else None


def run_one(
    spec: RunSpec,
    folder: Path | str | None = None,
    progress: bool | Callable[[int, dict[str, Any]], None] = True,
    stop: Callable[[], bool] | None = None,
) -> RunRecord:
    """Do one run, or read its record where `folder` has it. On a CPU it uses one thread."""
    record = recorded(spec, folder)
    if record is not None:
        return record
    images = load_once(spec.data, spec.size)
    with one_thread():
        return train(
            build_model(spec.model, seed=spec.train.seed),
            images,
            spec.train,
            folder=None if folder is None else Path(folder) / spec.run_id,
            tier=spec.tier,
            probe=make_probe(spec, images),
            probe_at=spec.probe_at,
            progress=progress,
            stop=stop,
            compiled=spec.compiled,
            recompute=spec.recompute,
        )


def make_probe(spec: RunSpec, images: ImageSet) -> Probe | None:
    """The probe of a run, which sees images as the run's net does."""
    if spec.probe is None:
        return None
    return PROBES[spec.probe](images, normalise=make_normaliser(images, spec.train))


def run_all(
    specs: list[RunSpec],
    folder: Path | str | None = None,
    *,
    jobs: int | None = None,
    progress: bool = True,
) -> list[RunRecord]:
    """Do many runs, several at a time in processes of one thread each; one progress display.

    jobs: by default `default_jobs`, and one where the work would be done before processes had
    started. Ctrl-C stops them all at their next iteration; the records so far are kept and
    returned, in the order of `specs`. Errors: `ConfigError` for a number of jobs below 1;
    `RunError` when a process was killed; the first error of a run, once all that run beside it have
    ended.
    """
    asked, jobs = jobs, at_once(jobs)
    records = [recorded(spec, folder) for spec in specs]
    missing = [i for i, record in enumerate(records) if record is None]
    to_do = [specs[i] for i in missing]
    if asked is None and sum(spec.cost for spec in to_do) < LITTLE:
        jobs = 1
    with Display(to_do, progress) as display:
        if min(jobs, len(to_do)) <= 1:
            done = run_in_turn(to_do, folder, display)
        else:
            done = run_in_processes(to_do, folder, jobs, display)
    for i, record in zip(missing, done, strict=True):
        records[i] = record
    return [record for record in records if record is not None]


def at_once(jobs: int | None) -> int:
    """How many runs go on at once: so many, or `default_jobs`. Errors: `ConfigError` below 1."""
    jobs = default_jobs() if jobs is None else jobs
    whole(jobs, 1, "jobs")
    return jobs


def default_jobs() -> int:
    """One run for each processor that this process may use; one at a time on a GPU.

    There processes take turns and gain nothing, unless NVIDIA's MPS lets them share the card: then
    four to eight at once trained 1.7 to 1.9 times as many images as one (see data/runs/LOG.md).
    """
    if find_device().type != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Display:
    """One bar for many runs, in units of work, so that the time left is honest."""

    def __init__(self, specs: list[RunSpec], progress: bool) -> None:
        self.specs, self.costs = specs, [spec.cost for spec in specs]
        self.done: list[float | None] = [None] * len(specs)
        self.bar = tqdm(
            total=sum(self.costs),
            disable=not (progress and specs),
            mininterval=0.5,
            smoothing=0,  # the mean speed: runs of several sizes report in turn
            bar_format="{l_bar}{bar}| {elapsed} so far, {remaining} left{postfix}",
        )

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_error: object) -> None:
        self.bar.close()

    def of(self, index: int) -> Callable[[int, dict[str, Any]], None]:
        """The report function of one run."""
        return lambda iteration, row: self.show(index, iteration, row)

    def show(self, index: int, iteration: int, row: dict[str, Any]) -> None:
        """Take a run's newest measurement into the bar."""
        spec = self.specs[index]
        each = self.costs[index] / spec.train.iterations
        if self.done[index] is None:
            # What was done in an earlier sitting is not this one's speed.
            self.done[index] = each * max(0, iteration - spec.train.window)
            if not self.bar.disable:
                self.bar.initial += self.done[index]
                self.bar.n += self.done[index]
        work = each * iteration
        ended = sum((d or 0) >= c for d, c in zip(self.done, self.costs, strict=True))
        self.bar.set_postfix_str(
            f"{ended}/{len(self.specs)} runs; {spec.model.name} seed {spec.train.seed}: "
            f"{row['split']} error {row['top1_error']:.1f}%",
            refresh=False,
        )
        self.bar.update(work - self.done[index])
        self.done[index] = work


CALLS = itertools.count()
_messages: Any = None
_stop: Any = None


def _start_worker(messages: Any, stop: Any) -> None:
    """Give a worker its way to report; only the parent listens to Ctrl-C."""
    global _messages, _stop
    _messages, _stop = messages, stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End a worker whose parent was killed: it would train on and keep others from its run."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Keep Ctrl-C for a moment: processes that are started now never hear it.

    Else one that hears it while it imports torch dies, and its runs are never heard of again. What
    is pressed meanwhile arrives afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(call: int, index: int, spec: RunSpec, folder: Path | None) -> RunRecord:
    """One run in a worker. call: numbers the calls, so that no late message meets another's."""
    return run_one(
        spec,
        folder,
        progress=lambda iteration, row: _messages.put((call, index, iteration, row)),
        stop=lambda: bool(_stop.value),
    )


def run_in_turn(
    specs: list[RunSpec], folder: Path | str | None, display: Display
) -> list[RunRecord | None]:
    """The runs of `run_all` in this process; None for those after one that was interrupted."""
    done: list[RunRecord | None] = []
    for i, spec in enumerate(specs):
        stopped = done and done[-1] is not None and done[-1].status == "interrupted"
        done.append(None if stopped or None in done else run_one(spec, folder, display.of(i)))
    return done


@lru_cache(maxsize=1)
def workers(jobs: int) -> tuple[ProcessPoolExecutor, Any, Any]:
    """Processes that stay for the next call: each takes seconds to import torch and load data."""
    context = multiprocessing.get_context("spawn")
    # A flag without a lock: a process that is killed can then leave none held.
    messages, stop = context.Queue(), context.RawValue("b", 0)
    return ProcessPoolExecutor(jobs, context, _start_worker, (messages, stop)), messages, stop


def run_in_processes(
    specs: list[RunSpec], folder: Path | str | None, jobs: int, display: Display
) -> list[RunRecord | None]:
    """The runs of `run_all` in several processes, in the order given; None for one not begun."""
    pool, messages, stop = workers(jobs)
    stop.value = 0
    call = next(CALLS)
    # Of a seed's runs the longest first: none of it is left to one worker at the end.
    order = sorted(range(len(specs)), key=lambda i: (specs[i].train.seed, -specs[i].cost))

    def submit() -> list[Future]:
        with deaf_to_ctrl_c():
            begun = {i: pool.submit(_work, call, i, specs[i], folder) for i in order}
        return [begun[i] for i in range(len(specs))]

    try:
        futures = submit()
    except BrokenProcessPool:  # one was killed while it waited for work
        workers.cache_clear()
        pool, messages, stop = workers(jobs)
        futures = submit()
    try:
        with interruptible() as interrupted:
            while not all(future.done() for future in futures):
                failed = any(f.done() and not f.cancelled() and f.exception() for f in futures)
                stop.value = interrupted.is_set()
                if interrupted.is_set() or failed:  # what has not begun will not
                    for future in futures:
                        future.cancel()
                with suppress(queue.Empty):
                    sender, *message = messages.get(timeout=0.2)
                    if sender == call:
                        display.show(*message)
        return [None if future.cancelled() else future.result() for future in futures]
    except BrokenProcessPool:
        workers.cache_clear()
        raise RunError(
            "a worker process was killed, perhaps for want of memory: finished runs are kept, and "
            "the same call goes on; fewer jobs need less memory. A script must make this call "
            'below if __name__ == "__main__":, or with jobs=1.'
        ) from None
    finally:
        stop.value = 1
        for future in futures:
            future.cancel()
        wait([future for future in futures if not future.cancelled()])
