"""The papers' experiments as entries of a list, the schedules they run in, and how to run many.

    reproduce("figure6", tier="quick")

A tier fixes data, schedule and seeds: everything that the arms of a comparison must share.
Runs that are recorded already are read, not repeated; a run that was stopped goes on.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from resnet_lib.analysis import PROBES
from resnet_lib.complexity import complexity
from resnet_lib.configs import ConfigError, ModelConfig, TrainConfig, unknown_name
from resnet_lib.data import ImageSet, load
from resnet_lib.devices import choose_precision, find_device, one_thread
from resnet_lib.models import build_model, model_config
from resnet_lib.numerics import numerics_hash
from resnet_lib.progress import interruptible
from resnet_lib.runs import ARCHIVE, RunRecord, load_records, run_id
from resnet_lib.training import train


class RunError(RuntimeError):
    """Runs that could not be done; the message says what is kept and what would help."""


@dataclass(frozen=True)
class Tier:
    """A schedule with its data: the same for every arm of a comparison.

    model: fields of `ModelConfig` that the tier changes. size: width in pixels to which images
    are reduced. probe_at: iterations at which an experiment's probe measures the net.
    """

    name: str
    train: TrainConfig
    data: str = "cifar10"
    size: int | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    probe_at: tuple[int, ...] = ()


# The learning rate of the small nets was chosen on seeds 100 to 102 so that the training loss of
# plain56 is smallest, which favours the plain arm: see data/runs/LOG.md.
SMALL_NET = {"width": 8, "stem_stride": 2}
QUICK = TrainConfig(
    iterations=96,
    batch_size=64,
    lr=0.01,
    milestones=(48, 72),
    pad=1,
    window=12,
    eval_every=24,
    precision="float32",  # as fast as bfloat16 for nets this small
)

TIERS: dict[str, Tier] = {
    tier.name: tier
    for tier in (
        Tier("paper", TrainConfig(), probe_at=(0, 400, 4_000, 16_000, 32_000, 48_000, 64_000)),
        Tier(
            "short",
            TrainConfig(iterations=3_200, milestones=(1_600, 2_400), eval_every=400),
            probe_at=(0, 50, 100, *range(200, 3_201, 200)),
        ),
        Tier("quick", QUICK, "embedded", 14, SMALL_NET, probe_at=(0, 24, 96)),
        Tier(
            "smoke",
            replace(QUICK, iterations=4, milestones=(2, 3), window=2, eval_every=2),
            "embedded",
            14,
            SMALL_NET,
            seeds=(0, 1),
            probe_at=(0, 4),
        ),
    )
}


@dataclass(frozen=True)
class Experiment:
    """Some nets to be trained in one tier, and which table or figure that reproduces.

    stretch: multiplies the iterations and milestones of the tier. probe: a name in PROBES.
    """

    id: str
    reproduces: str
    models: tuple[str, ...]
    stretch: int = 1
    probe: str | None = None


EXPERIMENTS: dict[str, Experiment] = {
    each.id: each
    for each in (
        Experiment(
            "start",
            "Paper, section 1: tens of layers start, by initialisation and BN; each removed",
            ("plain20", "plain20-small", "plain20-no-bn", "plain20-no-bn-small"),
        ),
        Experiment(
            "figure6-plain",
            "Paper, Figure 6, left: plain nets of two depths",
            ("plain20", "plain56"),
            probe="signals",
        ),
        Experiment(
            "figure6-residual",
            "Paper, Figure 6, middle: residual nets of the same depths",
            ("resnet20", "resnet56"),
            probe="signals",
        ),
        Experiment(
            "footnote3",
            "Paper, section 4.1, footnote 3: plain nets, three times the iterations",
            ("plain20", "plain56"),
            stretch=3,
        ),
    )
}


@dataclass(frozen=True)
class RunSpec:
    """One training run, described well enough to be done in another process."""

    model: ModelConfig
    train: TrainConfig
    data: str
    size: int | None = None
    tier: str = "custom"
    probe: str | None = None
    probe_at: tuple[int, ...] = ()

    @property
    def precision(self) -> str:
        """The precision that this machine will train in."""
        return choose_precision(self.train.precision, find_device())

    @property
    def run_id(self) -> str:
        """The run's name, known before it is run."""
        with torch.device("meta"):
            net = build_model(self.model, seed=self.train.seed)
        return run_id(
            self.model,
            self.train.seed,
            self.train,
            load_once(self.data, self.size),
            numerics_hash(net),
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


def find_tier(tier: str | Tier) -> Tier:
    """A tier by name. Errors: `ConfigError` that lists the nearest."""
    if isinstance(tier, Tier):
        return tier
    if tier not in TIERS:
        raise unknown_name(tier, list(TIERS), "tier")
    return TIERS[tier]


def plan(
    experiment: str | Experiment,
    tier: str | Tier = "short",
    seeds: Iterable[int] | None = None,
    data: str | None = None,
) -> list[RunSpec]:
    """The runs of an experiment, seed by seed. Errors: `ConfigError`.

    data: another data set than the tier's; channels and classes of the nets follow it.
    """
    if isinstance(experiment, str):
        if experiment not in EXPERIMENTS:
            raise unknown_name(experiment, list(EXPERIMENTS), "experiment")
        experiment = EXPERIMENTS[experiment]
    tier = find_tier(tier)
    name = data or tier.data
    images = load_once(name, tier.size)
    recipe = stretched(tier.train, experiment.stretch)
    return [
        RunSpec(
            model=model_config(
                model, **tier.model, in_channels=images.channels, classes=len(images.classes)
            ),
            train=replace(recipe, seed=seed),
            data=name,
            size=tier.size,
            tier=tier.name,
            probe=experiment.probe,
            probe_at=tier.probe_at,
        )
        for seed in (tier.seeds if seeds is None else seeds)
        for model in experiment.models
    ]


def stretched(recipe: TrainConfig, factor: int) -> TrainConfig:
    """A recipe of `factor` times as many iterations, its milestones moved likewise."""
    return replace(
        recipe,
        iterations=recipe.iterations * factor,
        milestones=tuple(m * factor for m in recipe.milestones),
        eval_every=recipe.eval_every * factor,
    )


def reproduce(
    experiments: str | Iterable[str],
    tier: str | Tier = "short",
    *,
    seeds: Iterable[int] | None = None,
    data: str | None = None,
    folder: Path | str | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> list[RunRecord]:
    """Run one or several experiments in a tier and return their records, seed by seed.

    folder: where records go and are looked for; without one nothing is kept.
    jobs: runs at once; by default one for each processor, and one at a time on a GPU.
    """
    names = [experiments] if isinstance(experiments, str) else list(experiments)
    seeds = find_tier(tier).seeds if seeds is None else tuple(seeds)
    specs = [spec for seed in seeds for name in names for spec in plan(name, tier, [seed], data)]
    return run_all(specs, folder, jobs=jobs, progress=progress)


def archived(
    experiments: str | Iterable[str],
    tier: str | Tier = "short",
    data: str | None = None,
    folder: Path | str = ARCHIVE,
) -> tuple[list[RunRecord], str]:
    """What the archive has of some experiments, and a sentence on what is not recorded yet.

    Trains nothing and loads no data set. Only complete runs count, of the same net (whatever the
    images' channels and classes), the same schedule, data set and seed.
    """
    names = [experiments] if isinstance(experiments, str) else list(experiments)
    tier = find_tier(tier)
    found = {
        identity(ModelConfig.from_dict(record.model), record.train, record.data["name"]): record
        for record in load_records(Path(folder) / tier.name)
        if record.status == "complete"
    }
    records, missing = [], {}
    for seed, name in itertools.product(tier.seeds, names):
        recipe = stretched(tier.train, EXPERIMENTS[name].stretch).to_dict() | {"seed": seed}
        for model in EXPERIMENTS[name].models:
            config = model_config(model, **tier.model)
            record = found.get(identity(config, recipe, data or tier.data))
            if record is not None:
                records.append(record)
            else:
                missing.setdefault(config.name, []).append(seed)
    listed = "; ".join(
        f"{name}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        for name, seeds in missing.items()
    )
    return records, f"Not recorded yet: {listed}." if missing else "All these runs are recorded."


def identity(model: ModelConfig, recipe: Mapping[str, Any], data: str) -> tuple[Any, ...]:
    """What must agree for an archived run to stand for a planned one."""
    same = replace(model, in_channels=3, classes=10)
    return same, recipe["iterations"], tuple(recipe["milestones"]), recipe["seed"], data


def recorded(spec: RunSpec, folder: Path | str | None) -> RunRecord | None:
    """The record of a run that `folder` has already, with the probe that the spec asks for."""
    if folder is None or not (Path(folder) / spec.run_id / "record.json").exists():
        return None
    record = RunRecord.load(Path(folder) / spec.run_id)
    probed = spec.probe is None or record.status == "diverged" or len(record.probe) > 0
    return record if probed and record.status != "interrupted" else None


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
            probe=PROBES[spec.probe](images) if spec.probe else None,
            probe_at=spec.probe_at,
            progress=progress,
            stop=stop,
        )


def run_all(
    specs: list[RunSpec],
    folder: Path | str | None = None,
    *,
    jobs: int | None = None,
    progress: bool = True,
) -> list[RunRecord]:
    """Do many runs, several at a time in processes of one thread each; one progress display.

    Ctrl-C stops them all at their next iteration; the records so far are kept and returned, in
    the order of `specs`. Errors: `ConfigError` for a number of jobs below 1; `RunError` when a
    process was killed; the first error of a run, once all that run beside it have ended.
    """
    jobs = default_jobs() if jobs is None else jobs
    if jobs < 1:
        raise ConfigError(f"jobs is {jobs}: it must be a whole number of at least 1.")
    records = [recorded(spec, folder) for spec in specs]
    missing = [i for i, record in enumerate(records) if record is None]
    to_do = [specs[i] for i in missing]
    with Display(to_do, progress) as display:
        if min(jobs, len(to_do)) <= 1:
            done = run_in_turn(to_do, folder, display)
        else:
            done = run_in_processes(to_do, folder, jobs, display)
    for i, record in zip(missing, done, strict=True):
        records[i] = record
    return [record for record in records if record is not None]


def default_jobs() -> int:
    """One run for each processor that this process may use; one at a time on a GPU."""
    if find_device().type != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Display:
    """One bar for many runs, in units of work, so that the time left is honest."""

    def __init__(self, specs: list[RunSpec], progress: bool) -> None:
        self.specs, self.costs = specs, [spec.cost for spec in specs]
        self.done = [0.0] * len(specs)
        self.bar = tqdm(
            total=sum(self.costs),
            disable=not progress,
            mininterval=0.5,
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
        work = self.costs[index] * iteration / spec.train.iterations
        ended = sum(d >= c for d, c in zip(self.done, self.costs, strict=True))
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
    futures = [pool.submit(_work, call, i, spec, folder) for i, spec in enumerate(specs)]
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
            "the same call goes on; fewer jobs need less memory."
        ) from None
    finally:
        stop.value = 1
        for future in futures:
            future.cancel()
        wait(futures)
