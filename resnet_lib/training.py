"""Training with the paper's recipe, and evaluation.

`train` returns a `RunRecord`. With a folder it writes checkpoints there at most every minute, and
a run that was stopped or killed goes on from the last one as if nothing had happened.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from resnet_lib.configs import ConfigError, ModelConfig, TrainConfig
from resnet_lib.data import ImageSet, Normaliser, TrainingBatches
from resnet_lib.models import ResNet, build_model
from resnet_lib.numerics import decides_numbers, numerics_hash
from resnet_lib.runs import RecordError, RunRecord

Probe = Callable[[nn.Module], pd.DataFrame]
Report = Callable[[int, dict[str, Any]], None]


def find_device() -> torch.device:
    """CUDA where there is a card, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose_precision(precision: str, device: torch.device) -> str:
    """ "auto" becomes bfloat16 where the device has instructions for it, else float32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        probe = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        fast = device.type == "cpu" and probe()
    return "bfloat16" if fast else "float32"


def choose_layout(device: torch.device) -> torch.memory_format:
    """Channels last on CPU and CUDA, where convolutions are faster in it."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


@decides_numbers
def lr_at(config: TrainConfig, iteration: int, warming_up: bool) -> float:
    """The learning rate of an iteration: divided by 10 at each milestone reached."""
    if warming_up:
        return config.warmup_lr
    return config.lr * 0.1 ** sum(iteration >= milestone for milestone in config.milestones)


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
) -> RunRecord:
    """Train a net and return the record of the run; the net is trained in place.

    device: found by itself unless given. folder: where checkpoints and the record are kept; a
    folder with a checkpoint of this very run is resumed. tier: a name for the schedule, kept in
    the record. probe: called with the net before the iterations in `probe_at` (and after the
    last, if listed); its tables are joined in `record.tables["probe"]`. progress: a bar, nothing,
    or a function called with (iteration, row) once a window. stop: asked before each iteration;
    Ctrl-C and a kernel's interrupt button stop too. The record then holds what was done so far.

    Errors: `ConfigError` where net, data and configuration do not fit together.
    """
    config = config or TrainConfig()
    check_fit(model, data, config)
    device = torch.device(device) if device is not None else find_device()
    precision = choose_precision(config.precision, device)
    if config.deterministic and device.type == "cuda":
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    layout = choose_layout(device)
    model.to(device, memory_format=layout).train()
    data = data.to(device)
    normalise = Normaliser(data)
    batches = TrainingBatches(data, config, normalise)
    optimiser = make_optimiser(model, config)
    record = RunRecord.begin(
        model=model.config,
        model_seed=model.seed,
        train=config,
        data=data,
        numerics=numerics_hash(model),
        device=device,
        precision=precision,
        layout=str(layout).removeprefix("torch."),
        tier=tier,
    )
    run = Run(model, optimiser, config, device)
    checkpoint = None if folder is None else Path(folder) / "checkpoint.pt"
    if checkpoint is not None and checkpoint.exists():
        run.load(checkpoint, record.run_id)
    clock = Clock(run.seconds)
    saved, status = clock.now(), "complete"

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

    with interruptible() as interrupted, reporter(progress, config, run.iteration) as report:
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
            run.count(*training_step(model, optimiser, x, y, precision), len(y))
            last = run.iteration == config.iterations
            if run.iteration % config.window == 0 or last:
                loss, error = run.close_window()
                log("train", loss, error)
                if run.diverged_at is not None:
                    status = "diverged"
                    break
            if run.iteration % config.eval_every == 0 or last:
                log(
                    "test",
                    *evaluate(model, data.test_images, data.test_labels, normalise, precision),
                )
            if checkpoint is not None and clock.now() - saved > checkpoint_seconds:
                saved = run.seconds = clock.now()
                run.save(checkpoint, record.run_id)
        if status == "complete" and run.iteration in probe_at:
            run.probe(probe)
    run.seconds = clock.now()
    record.finish(status, run, images=run.iteration * config.batch_size)
    if folder is not None:
        if status == "interrupted":
            run.save(checkpoint, record.run_id)
        if status == "complete":
            save_weights(model, Path(folder) / "weights.safetensors")
        record.save(folder)
        if status != "interrupted":
            checkpoint.unlink(missing_ok=True)
    return record


def check_fit(model: nn.Module, data: ImageSet, config: TrainConfig) -> None:
    """Raise `ConfigError` unless net, data and configuration fit together."""
    if model.config.in_channels != data.channels:
        raise ConfigError(
            f"{model.config.name} takes {model.config.in_channels} channels and {data.name} has "
            f"{data.channels}: build the net with in_channels={data.channels}."
        )
    if model.config.classes < len(data.classes):
        raise ConfigError(
            f"{model.config.name} tells {model.config.classes} classes apart and {data.name} has "
            f"{len(data.classes)}: build the net with classes={len(data.classes)}."
        )


def save_weights(model: nn.Module, path: Path, dtype: torch.dtype | None = None) -> None:
    """Write a net's parameters and BN statistics as safetensors, optionally in another dtype."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (value.to(dtype) if dtype and value.is_floating_point() else value).contiguous().cpu()
        for name, value in model.state_dict().items()
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)


def load_net(folder: Path | str) -> ResNet:
    """The trained net of a recorded run, in evaluation mode on the CPU.

    folder: of the run, with record.json and weights.safetensors. Errors: `RecordError`.
    """
    record = RunRecord.load(folder)
    path = Path(folder) / "weights.safetensors"
    net = build_model(ModelConfig.from_dict(record.model), seed=record.model_seed)
    try:
        net.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise RecordError(f"{path} does not hold the weights of {record.run_id}: {error}") from None
    return net.eval()


class Run:
    """All that changes while a net is trained, and its checkpoint.

    The order of the images and their augmentation are functions of seed and iteration, so no
    random state belongs here beyond torch's own (which dropout draws from).
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
        self.iteration, self.seconds = 0, 0.0
        self.warming_up = config.warmup_lr is not None
        self.warmup_ended: int | None = None
        self.diverged_at: int | None = None
        self.rows: list[dict[str, Any]] = []
        self.probes: list[dict[str, Any]] = []
        self.probed: list[int] = []
        # Sums over the current window: loss, errors, images; and the first iteration of the run
        # whose loss was not finite (or a large number). They stay on the device between windows.
        self.window = torch.zeros(3, device=device)
        self.first_bad = torch.full((), 2**31 - 1, device=device)

    def count(self, loss: Tensor, errors: Tensor, images: int) -> None:
        """Add one iteration to the window without waiting for the device."""
        self.window += torch.stack([loss, errors.to(loss.dtype), torch.ones_like(loss) * images])
        bad = torch.where(torch.isfinite(loss), 2**31 - 1, self.iteration)
        self.first_bad = torch.minimum(self.first_bad, bad)
        self.iteration += 1

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
        """Measure the net now, once for each iteration."""
        if probe is not None and self.iteration not in self.probed:
            rows = probe(self.model).to_dict("records")
            self.probes += [{"iteration": self.iteration, **row} for row in rows]
            self.probed.append(self.iteration)

    def save(self, path: Path, run_id: str) -> None:
        """Write the checkpoint in one step: a kill leaves the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "run_id": run_id,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "window": self.window,
            "first_bad": self.first_bad,
            "random": torch.get_rng_state(),
            "plain": {name: getattr(self, name) for name in self.PLAIN},
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path, run_id: str) -> None:
        """Go on from a checkpoint. Errors: `ConfigError` if it is damaged or of another run."""
        try:
            state = torch.load(path, weights_only=True, map_location=self.window.device)
            found = state["run_id"]
        except Exception as error:
            raise ConfigError(
                f"{path} cannot be read as a checkpoint ({type(error).__name__}): delete it to "
                "start this run again."
            ) from None
        if found != run_id:
            raise ConfigError(
                f"{path} belongs to run {found}, not to {run_id}: choose another folder, or "
                "delete it."
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.window, self.first_bad = state["window"], state["first_bad"]
        torch.set_rng_state(state["random"].cpu())
        for name in self.PLAIN:
            setattr(self, name, state["plain"][name])


class Clock:
    """Seconds of a run, over all its sittings."""

    def __init__(self, before: float) -> None:
        self.start = time.perf_counter() - before

    def now(self) -> float:
        return time.perf_counter() - self.start


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: small nets gain nothing by more, and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event that is looked at between iterations.

    So no interrupt falls between a step and its bookkeeping. A second one acts at once. Outside
    the main thread, where Python delivers no signals, the event stays unset.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def handler(number: int, frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def reporter(progress: bool | Report, config: TrainConfig, done: int) -> Iterator[Report]:
    """The function that is told each row: a progress bar's, the caller's, or one that is silent."""
    if not progress:
        yield lambda iteration, row: None
    elif callable(progress):
        yield progress
    else:
        shown: dict[str, str] = {}
        with tqdm(total=config.iterations, initial=done, unit="it", mininterval=0.5) as bar:

            def report(iteration: int, row: dict[str, Any]) -> None:
                shown[row["split"]] = f"{row['top1_error']:.1f}%"
                speed = iteration * config.batch_size / max(row["seconds"], 1e-9)
                bar.set_postfix(**shown, images=f"{speed:.0f}/s", refresh=False)
                bar.update(iteration - bar.n)

            yield report
