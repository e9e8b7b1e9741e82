"""Training with the paper's recipe, and evaluation.

`train` returns a `RunRecord`. With a folder it writes checkpoints there at most every minute, and
a run that was stopped or killed goes on from the last one as if nothing had happened.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection
from contextlib import nullcontext, suppress
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from resnet_lib.batches import (
    BatchesAhead,
    Normaliser,
    alternatives,
    check_images,
    make_batches,
    make_normaliser,
)
from resnet_lib.checkpoints import (
    CHECKPOINT,
    WEIGHTS,
    damaged,
    holding,
    read_checkpoint,
    save_weights,
    write_checkpoint,
)
from resnet_lib.complexity import complexity
from resnet_lib.configs import ConfigError, TrainConfig, whole
from resnet_lib.data import ImageSet
from resnet_lib.devices import (
    as_device,
    best_kernels,
    can_compile,
    choose_layout,
    choose_precision,
    deterministic,
    exact,
    kept_random_state,
    seeded,
)
from resnet_lib.graphs import GraphedStep, Step
from resnet_lib.models import ResNet, draws, other_start
from resnet_lib.numerics import decides_numbers, numerics_hash
from resnet_lib.overlapping import COMPILING, overlapping
from resnet_lib.progress import Clock, Report, interruptible, reporter
from resnet_lib.recomputing import recomputing
from resnet_lib.runs import SITTING_BEGINS, RecordError, RunRecord, refuse_other_run
from resnet_lib.shares import in_shares
from resnet_lib.weights import load_weights

Probe = Callable[[nn.Module], pd.DataFrame]

LONG = 30_000  # iterations that make up for the wait until torch.compile is done, on a GPU
DEEPEST = 110  # layers up to which that was tried; the wait grows with them


@decides_numbers
def lr_at(config: TrainConfig, iteration: int, warming_up: bool) -> float:
    """The learning rate of an iteration: divided by 10 at each milestone reached."""
    if warming_up:
        return config.warmup_lr
    return config.lr / 10 ** sum(iteration >= milestone for milestone in config.milestones)


@decides_numbers
def make_optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with momentum and weight decay, on all parameters or on weights only (`decay_all`)."""
    weights = [p for p in model.parameters() if config.decay_all or p.ndim > 1]
    others = [p for p in model.parameters() if not (config.decay_all or p.ndim > 1)]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        [group for group in groups if group["params"]], lr=config.lr, momentum=config.momentum
    )


@decides_numbers
def loss_and_errors(
    model: nn.Module, x: Tensor, y: Tensor, precision: str
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of a batch, and how many of its images were classified wrongly."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = model(x)
    logits = logits.float()
    return F.cross_entropy(logits, y), (logits.detach().argmax(1) != y).sum()


@decides_numbers
def training_step(
    model: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, precision: str
) -> tuple[Tensor, Tensor]:
    """One SGD step; returns the loss before it and the number of errors, on the device."""
    loss, errors = loss_and_errors(model, x, y, precision)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach(), errors


def worth_compiling(model: ResNet, config: TrainConfig, device: torch.device) -> bool:
    """Whether a run on a GPU is compiled unless it is told otherwise.

    Not where dropout is: compiled, it draws other numbers.
    """
    gains = config.iterations >= LONG and model.config.depth <= DEEPEST
    return gains and not (config.deterministic or draws(model)) and can_compile(device)


def make_step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    precision: str,
    *,
    recompute: bool = False,
    graph: bool = False,
    compiled: bool = False,
    bn_images: int | None = None,
) -> Step:
    """`training_step` as a function of images and labels.

    bn_images: as of `TrainConfig`. The rest: how, as of `train`.
    """
    net = model
    if compiled:
        torch.compiler.reset()  # it stops after eight variants of one forward: start afresh
        net = torch.compile(model, options=COMPILING | {"combo_kernels": True})

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        with (
            in_shares(model, bn_images),
            recomputing(model, recompute),
            overlapping(model, optimiser, graph),
        ):
            return training_step(net, optimiser, x, y, precision)

    return GraphedStep(step, optimiser) if graph else step


@torch.no_grad()
@decides_numbers
def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    normalise: Normaliser,
    precision: str = "float32",
    batch_size: int = 500,
) -> tuple[float, float]:
    """Mean loss and top-1 error in percent in evaluation mode, on whole images.

    images: uint8 (N, C, H, W) on the model's device. The model's mode is restored.
    """
    was_training = model.training
    model.eval()
    layout = choose_layout(images.device)
    loss = wrong = 0.0
    for start in range(0, len(images), batch_size):
        y = labels[start : start + batch_size]
        x = normalise(images[start : start + batch_size]).contiguous(memory_format=layout)
        batch_loss, errors = loss_and_errors(model, x, y, precision)
        loss += batch_loss * len(y)
        wrong += errors
    model.train(was_training)
    return float(loss) / len(images), 100 * float(wrong) / len(images)


def train(
    model: nn.Module,
    data: ImageSet,
    config: TrainConfig | None = None,
    *,
    device: torch.device | str | None = None,
    folder: Path | str | None = None,
    tier: str = "custom",
    probe: Probe | None = None,
    probe_at: Collection[int] = (),
    progress: bool | Report = True,
    stop: Callable[[], bool] | None = None,
    checkpoint_seconds: float = 60.0,
    recompute: bool = False,
    graph: bool | None = None,
    compiled: bool | None = None,
) -> RunRecord:
    """Train a net and return the record of the run; the net is trained in place.

    It then carries the record as `model.record`, and is refused a second training: the numbers of
    that would be no run's of its seed. Where `folder` has the complete run of such a net, its
    record is returned, and the net gets its weights. A net whose weights are not those of its seed
    (changed, loaded, built from another net) makes a run of its own: see `RunRecord.start`.

    device: found by itself unless given. folder: where checkpoints and the record are kept; a
    folder with a checkpoint of this very run is resumed. tier: a name for the schedule, kept in
    the record. probe: called with the net before the iterations in `probe_at` (and after the
    last, if listed); its tables are joined in `record.probe`. progress: a bar, nothing,
    or a function called with (iteration, row) for each row of the curves. stop: asked before each
    iteration; Ctrl-C and a kernel's interrupt button stop too. The record then holds what was done
    so far.
    checkpoint_seconds: between two checkpoints; `math.inf` leaves one only where a run is stopped.
    recompute: activations a second time in the backward pass instead of keeping them; slower, the
    same numbers, less memory (see `recomputing`). graph: replay steps as CUDA graphs, which is
    faster and gives the same numbers (see `GraphedStep`); by default wherever it can be done.
    compiled: let torch.compile fuse the net's layers and cuDNN choose its convolutions by trying
    them, on a GPU; faster again, and the same numbers but for rounding (and for what dropout
    draws). By default where it makes up for the wait at the start: in runs of `LONG` iterations or
    more and nets of up to `DEEPEST` layers, unless they are deterministic or have dropout.

    Errors: `ConfigError` where net, data and configuration do not fit together.
    """
    config = config or TrainConfig()
    for name, given, kind, how in (
        ("model", model, ResNet, "a net, as build_model makes it"),
        ("data", data, ImageSet, "an image set, as load makes it"),
        ("config", config, TrainConfig, "a TrainConfig"),
        ("folder", folder, (str, Path, type(None)), "a path, or None to keep nothing"),
        ("tier", tier, str, "a name of the schedule"),
        ("probe", probe, (Callable, type(None)), "called with the net, such as SignalProbe(data)"),
        ("stop", stop, (Callable, type(None)), "a function that says whether to stop"),
        ("checkpoint_seconds", checkpoint_seconds, Real, "a number of seconds"),
        ("probe_at", probe_at, Collection, "iterations, such as (0, 400)"),
    ):
        if not isinstance(given, kind):
            raise ConfigError(f"{name} is {given!r}: it must be {how}.")
    for moment in probe_at:
        whole(moment, 0, "each iteration of probe_at")
    if not checkpoint_seconds >= 0:
        raise ConfigError(f"checkpoint_seconds is {checkpoint_seconds}: it must be 0 or more.")
    check_fit(model, data, config)
    device = as_device(device)
    fast = device.type == "cuda" and not recompute
    for name, asked in (("graph", graph), ("compiled", compiled)):
        if asked and not fast:
            raise ConfigError(
                f"{name}=True needs a CUDA device and recompute=False, and not {device.type} and "
                f"recompute={recompute}."
            )
    graph = fast if graph is None else graph
    compiled = fast and worth_compiling(model, config, device) if compiled is None else compiled
    precision = choose_precision(config.precision, device)
    layout = choose_layout(device)
    data = data.to(device)
    normalise = make_normaliser(data, config)
    batches = (BatchesAhead if device.type == "cuda" else make_batches)(data, config, normalise)
    record = RunRecord.begin(
        model=model.config,
        model_seed=model.seed,
        train=config,
        data=data,
        numerics=numerics_hash(model, *alternatives(config)),
        device=device,
        precision=precision,
        layout=str(layout).removeprefix("torch."),
        tier=tier,
        compiled=compiled,
        start=model.record.start if hasattr(model, "record") else other_start(model),
    )
    folder = None if folder is None else Path(folder)
    moments = () if probe is None else probe_at
    before = trained_already(model, record.run_id, folder, moments)
    model.to(device, memory_format=layout).train()
    if before is not None:
        return before
    optimiser = make_optimiser(model, config)
    run = Run(model, optimiser, config, device)
    step = make_step(
        model,
        optimiser,
        precision,
        recompute=recompute,
        graph=graph,
        compiled=compiled,
        bn_images=config.bn_images,
    )

    def log(split: str, loss: float, error: float) -> None:
        row = {
            "iteration": run.iteration,
            "epoch": run.iteration / batches.per_epoch,
            "split": split,
            "loss": loss,
            "top1_error": error,
            "lr": lr,
            "seconds": round(clock.now(), 3),
        }
        run.rows.append(row)
        report(run.iteration, row)

    with (
        seeded(config.seed, device) if run.draws else nullcontext(),
        holding(folder, record.run_id) if folder is not None else nullcontext(),
        interruptible() as interrupted,
        reporter(progress, config, go_on(run, folder, record.run_id, moments)) as report,
        best_kernels(compiled),
        deterministic(config.deterministic and device.type == "cuda"),
        exact(precision == "float32" and device.type == "cuda"),
    ):
        model.record = record  # from here on its weights are no longer its seed's
        run.sit_down({"device": record.device, **record.environment})
        clock = Clock(run.seconds)
        saved, status = clock.now(), "complete"
        while run.iteration < config.iterations:
            if interrupted.is_set() or (stop is not None and stop()):
                status = "interrupted"
                break
            if run.iteration in probe_at:
                run.probe(probe)
            lr = lr_at(config, run.iteration, run.warming_up)
            for group in optimiser.param_groups:
                group["lr"] = lr
            x, y = batches(run.iteration)
            x = x.contiguous(memory_format=layout)
            run.count(*step(x, y), len(y))
            last = run.iteration == config.iterations
            if run.iteration % config.window == 0 or last:
                loss, error = run.close_window()
                log("train", loss, error)
                if run.diverged_at is not None:
                    status = "diverged"
                    break
            if run.iteration % config.eval_every == 0 or last:
                test = (data.test_images, data.test_labels)
                loss, error = evaluate(model, *test, normalise, precision)
                log("test", loss, error)
                if not math.isfinite(loss):  # the weights may go bad in the very last step
                    status, run.diverged_at = "diverged", min(int(run.first_bad), run.iteration)
                    break
            if folder is not None and clock.now() - saved > checkpoint_seconds:
                saved = run.seconds = clock.now()
                keep(lambda: write_checkpoint(folder, record.run_id, run.state()), "go on")
        if status == "complete" and run.iteration in probe_at:
            run.probe(probe)
        run.seconds = clock.now()
        record.finish(status, run, images=run.iteration * config.batch_size)
        if folder is not None:
            leave(folder, record, run)
    return record


def trained_already(
    model: nn.Module, run_id: str, folder: Path | None, probe_at: Collection[int]
) -> RunRecord | None:
    """The complete record that a folder has of this very net; None for a net that can be trained.

    An untrained net then gets the run's weights; where they are missing, the run is repeated. A net
    whose run was stopped can go on from the folder's checkpoint, which holds its weights.
    Errors: `ConfigError` for any other net that has been trained.
    """
    done = getattr(model, "record", None)
    record = complete_record(folder, run_id, probe_at)
    if done is None:
        if record is not None:
            with suppress(OSError, SafetensorError, ConfigError):
                load_weights(model, load_file(folder / WEIGHTS))  # all of them, or none
                model.record = record
                return record
        return None
    if folder is not None and done.run_id == run_id:
        state = read_checkpoint(folder, run_id, torch.device("cpu"))
        if state is not None and not Run.missed(state, probe_at):
            return None
        if done.status == "complete" and record is not None:
            return record
    raise ConfigError(
        f"this {model.config.name} has been trained already (run {done.run_id}): build it anew "
        "with build_model, so that the run begins with the weights of its seed."
    )


def go_on(run: Run, folder: Path | None, run_id: str, probe_at: Collection[int]) -> int:
    """Take over what a folder holds of this very run; returns the iteration to go on from.

    probe_at: a run that went by one of these without its probe begins anew.
    """
    if folder is not None:
        refuse_other_run(folder, run_id)
        state = read_checkpoint(folder, run_id, run.window.device)
        try:
            if state is not None and not run.missed(state, probe_at):
                run.resume(state)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise damaged(folder / CHECKPOINT, error) from None
    return run.iteration


def leave(folder: Path, record: RunRecord, run: Run) -> None:
    """Write what a run leaves behind; record.json comes last and says that the run has ended.

    A run that is repeated for its probe and interrupted leaves the complete record as it was. One
    whose weights could not be saved keeps its checkpoint, from which it can end again.
    """
    whole = True
    if record.status == "interrupted":
        done = complete_record(folder, record.run_id)  # asked before there is a checkpoint
        keep(lambda: write_checkpoint(folder, record.run_id, run.state()), "cannot resume this run")
        if done is not None:
            return
    if record.status == "complete":
        whole = keep(lambda: save_weights(run.model, folder), "leave the weights unsaved")
    saved = keep(lambda: record.save(folder), "return the record without saving it")
    if saved and whole and record.status != "interrupted":
        (folder / CHECKPOINT).unlink(missing_ok=True)


def complete_record(
    folder: Path | None, run_id: str, probe_at: Collection[int] = ()
) -> RunRecord | None:
    """The record that a folder holds of this run, if it ended well and was probed at all these.

    Where the weights are missing and a checkpoint is left, the run has its last minute to repeat.
    """
    if folder is None or unsaved_weights(folder):
        return None
    try:
        record = RunRecord.load(folder)
    except RecordError:
        return None
    whole = record.status == "complete" and record.is_probed(probe_at)
    return record if whole and record.run_id == run_id else None


def unsaved_weights(folder: Path) -> bool:
    """Whether a run's weights are missing that its checkpoint could still make."""
    return (folder / CHECKPOINT).exists() and not (folder / WEIGHTS).exists()


def keep(write: Callable[[], object], instead: str) -> bool:
    """Write to disk; where it is full or read-only, warn and go on: training is not lost for it."""
    try:
        write()
    except OSError as error:
        warnings.warn(f"nothing could be written ({error}): I {instead}.", stacklevel=3)
        return False
    return True


def check_fit(model: nn.Module, data: ImageSet, config: TrainConfig) -> None:
    """Raise `ConfigError` unless net, data and configuration fit together."""
    check_images(model, data)
    last = complexity(model.config, data.size).stages[-2].size
    if config.pad > data.size:
        raise ConfigError(
            f"pad is {config.pad}: with {data.size} pixels a side it must be {data.size} at most."
        )
    name, images = "batch_size", config.batch_size
    if config.bn_images is not None:
        name, images = "bn_images", config.bn_images
        if not model.config.batch_norm:
            raise ConfigError(f"{model.config.name} is built without BN: bn_images does nothing.")
    if model.config.batch_norm and images * last**2 == 1:
        raise ConfigError(
            f"{name} is 1 and the last maps of {model.config.name} have one pixel: BN needs at "
            "least two values, so give it 2 images."
        )


class Run:
    """All that changes while a net is trained, and its checkpoint.

    The order of the images and their augmentation are functions of seed and iteration, so no
    random state belongs here beyond torch's own, which dropout draws from. Without dropout that is
    left alone: the caller's other threads may be drawing from it.
    """

    PLAIN = (
        "iteration",
        "seconds",
        "warming_up",
        "warmup_ended",
        "diverged_at",
        "rows",
        "probes",
        "probed",
    )

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        config: TrainConfig,
        device: torch.device,
    ) -> None:
        self.model, self.optimiser, self.config = model, optimiser, config
        self.draws = draws(model)
        self.iteration, self.seconds = 0, 0.0
        self.warming_up = config.warmup_lr is not None
        self.warmup_ended: int | None = None
        self.diverged_at: int | None = None
        self.rows: list[dict[str, Any]] = []
        self.probes: list[dict[str, Any]] = []
        self.probed: list[int] = []
        self.sittings: list[dict[str, Any]] = []
        # Sums over the current window: loss, errors, images; and the first iteration of the run
        # whose loss was not finite (or a large number). They stay on the device between windows.
        self.window = torch.zeros(3, device=device)
        self.first_bad = torch.full((), 2**31 - 1, device=device)

    @decides_numbers
    def count(self, loss: Tensor, errors: Tensor, images: int) -> None:
        """Add one iteration to the window without waiting for the device."""
        self.window += torch.stack([loss, errors.to(loss.dtype), torch.ones_like(loss) * images])
        bad = torch.where(torch.isfinite(loss), 2**31 - 1, self.iteration)
        self.first_bad = torch.minimum(self.first_bad, bad)
        self.iteration += 1

    @decides_numbers
    def close_window(self) -> tuple[float, float]:
        """Mean loss and error in percent of the window; applies the rules that look at them."""
        loss, errors, images = self.window.tolist()
        self.window.zero_()
        loss, error = loss * self.config.batch_size / images, 100 * errors / images
        if int(self.first_bad) < 2**31 - 1:
            self.diverged_at = int(self.first_bad)
        if self.warming_up and error < self.config.warmup_error:
            self.warming_up, self.warmup_ended = False, self.iteration
        return loss, error

    def probe(self, probe: Probe | None) -> None:
        """Measure the net now, once for each iteration, without drawing from dropout's numbers."""
        if probe is not None and self.iteration not in self.probed:
            with kept_random_state(self.window.device) if self.draws else nullcontext():
                rows = probe(self.model).to_dict("records")
            self.probes += [{"iteration": self.iteration, **row} for row in rows]
            self.probed.append(self.iteration)

    def sit_down(self, where: dict[str, Any]) -> None:
        """Note from which iteration on the run is done in this way, unless it was so before."""
        while self.sittings and self.sittings[-1][SITTING_BEGINS] == self.iteration:
            self.sittings.pop()  # nothing was done in it
        before = dict(self.sittings[-1]) if self.sittings else {}
        before.pop(SITTING_BEGINS, None)
        if before != where:
            self.sittings.append({SITTING_BEGINS: self.iteration, **where})

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint must hold to go on bit for bit."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "window": self.window,
            "first_bad": self.first_bad,
            "random": torch.get_rng_state(),
            "device_random": (
                torch.cuda.get_rng_state(self.window.device) if self.window.is_cuda else None
            ),
            "plain": {name: getattr(self, name) for name in self.PLAIN},
            "sittings": self.sittings,
        }

    @staticmethod
    def missed(state: dict[str, Any], probe_at: Collection[int]) -> bool:
        """Whether a checkpoint's run went by a moment that it should have been probed at."""
        reached, probed = state["plain"]["iteration"], state["plain"]["probed"]
        return any(moment < reached and moment not in probed for moment in probe_at)

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.window, self.first_bad = state["window"], state["first_bad"]
        if self.draws:
            torch.set_rng_state(state["random"].cpu())
            if self.window.is_cuda and state["device_random"] is not None:  # not from a CPU
                torch.cuda.set_rng_state(state["device_random"].cpu(), self.window.device)
        for name in self.PLAIN:
            setattr(self, name, state["plain"][name])
        self.sittings = list(state.get("sittings", []))  # older checkpoints have none
