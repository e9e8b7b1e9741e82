"""Training speed beside a textbook loop and beside the bare step: make bench.

    python ci/bench.py [--rounds 5] [--models resnet20 resnet56] [--batch-size 128]
                       [--parts cpu cuda several playground]

ours             resnet_lib.train: augmentation, records, checks and all
textbook         torchvision transforms on PIL images, DataLoader, float32; as many workers as were
                 best in a trial with the first net in bfloat16
textbook, bf16   the same under bfloat16 autocast
bare step        forward, backward, optimiser on one ready batch: ours without data and records,
                 in the same process, for what cuDNN's trials choose differs between processes

On a GPU "ours" and "bare step" are replayed as CUDA graphs, and there is more:

ours, compiled           with torch.compile, as long runs are by default
bare step, compiled      the step of that
ours, no graph           the same training, launched step by step
ours, deterministic      with kernels that repeat bit for bit

Each row but the bare step is a process of its own with one thread. All of a net are made ready
first, compiled and all, which is not timed; then they are measured in turn, round by round, and a
figure is the median of the rounds. Ctrl-C during them keeps those that are done, and goes on to
the next net. The images are as many as CIFAR-10's, and random: their content has no influence on
speed.

A second table, on a GPU, has the sum of several processes that train beside each other, once each:
run it also with NVIDIA's MPS, without which they take turns.

A third table has the playground's engine in Node beside PyTorch: the same small nets in float32,
one thread each, milliseconds a training step; a textbook's step on a batch that is ready, in both
memory layouts. GFLOP/s count two for each multiply-add that the engine does (taps that fall on the
padding are none), and stand beside what the machine's 128-bit SIMD does without touching memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Lock
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from tqdm import tqdm

from resnet_lib import ModelConfig, TrainConfig, build_model, train
from resnet_lib.batches import Normaliser, TrainingBatches
from resnet_lib.data import ImageSet, image_set
from resnet_lib.devices import best_kernels, choose_layout, choose_precision, find_device
from resnet_lib.graphs import GraphedStep
from resnet_lib.models import places
from resnet_lib.training import make_optimiser, make_step

# Steps to time, and before them some that warm up.
STEPS = {"cpu": 8, "cuda": 300}
WARM_UP = {"cpu": 2, "cuda": 100}
TEXTBOOK_STEPS = {"cpu": 8, "cuda": 50}
PARTS = ("cpu", "cuda", "several", "playground")
OURS, COMPILED = ("ours", "bare step"), ("ours, compiled", "bare step, compiled")
MEAN_AND_STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def random_data(images: int = 50_000):
    """Random images, and a handful to test on."""
    draw = np.random.default_rng(0)
    splits = {
        split: (draw.integers(0, 256, (n, 32, 32, 3), np.uint8), draw.integers(0, 10, n))
        for split, n in (("train", images), ("test", 10))
    }
    return image_set("random", [str(i) for i in range(10)], splits)


class PilImages(Dataset):
    """The textbook's data set: one PIL image at a time through torchvision's transforms."""

    def __init__(self, data) -> None:
        pixels = data.train_images.permute(0, 2, 3, 1).numpy()
        self.images, self.labels = [Image.fromarray(each) for each in pixels], data.train_labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(*MEAN_AND_STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        return self.transform(self.images[index]), int(self.labels[index])


def recipe(batch_size: int, **changes: Any) -> TrainConfig:
    """The paper's, without evaluation between the steps."""
    return TrainConfig(batch_size=batch_size, milestones=(), eval_every=10**9, **changes)


class Turns:
    """A row's side of the rounds.

    device: a lock. One row after the other is made ready: beside others, cuDNN's trials mistake
    what is quickest.
    """

    def __init__(self, pipe: Connection, device: Lock) -> None:
        self.pipe, self.device, self.held = pipe, device, False

    def make_ready(self) -> None:
        """Wait for the device, to have it alone until the first `next`; data come before."""
        self.device.acquire()
        self.held = True

    def next(self, *speeds: float) -> bool:
        """Hand in what was measured, and wait for the next round; False when there is none.

        speeds: images a second, of each name of the row; none before the first round.
        """
        if self.held:
            self.device.release()
            self.held = False
        self.pipe.send(speeds)
        return self.pipe.recv()


Row = Callable[[Turns], None]


def in_turn(
    rows: dict[tuple[Hashable, ...], Row], rounds: int, said: str
) -> dict[Hashable, list[float]]:
    """Make all rows ready, each in a process of its own, and measure them in turn.

    rows: under the names of what each measures. Returns the speeds of each name, round by round;
    Ctrl-C ends it with the rounds that are done. Errors: `RuntimeError` where a row fails; its own
    message comes first.
    """
    context = multiprocessing.get_context("spawn")
    pipes, processes, device = {}, [], context.Lock()
    try:
        for key, row in rows.items():
            pipes[key], far = context.Pipe()
            processes.append(context.Process(target=take_turns, args=(row, far, device)))
            processes[-1].start()
            far.close()
        waiting = {pipe: key for key, pipe in pipes.items()}
        for _ in tqdm(rows, desc=f"{said}: making ready"):
            pipe = wait(list(waiting))[0]  # in their own order, and so also one that failed
            key = waiting.pop(pipe)
            pipe.recv()
        found: dict[Hashable, list[float]] = {name: [] for key in rows for name in key}
        try:
            for key in tqdm([key for _ in range(rounds) for key in rows], desc=said):
                pipes[key].send(True)
                for name, speed in zip(key, pipes[key].recv(), strict=True):
                    found[name].append(speed)
        except KeyboardInterrupt:
            done = min(map(len, found.values()))
            print(f"stopped: {done} of {rounds} rounds are done")
            if done == 0:
                raise
            return {name: speeds[:done] for name, speeds in found.items()}
        for pipe in pipes.values():
            pipe.send(False)
        for process in processes:
            process.join()
        return found
    except (EOFError, ConnectionError):
        raise RuntimeError(f"the row {key[0]} failed: its own message stands above.") from None
    finally:
        for process in processes:
            process.kill()


def take_turns(row: Row, pipe: Connection, device: Lock) -> None:
    """What a row's process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks
    torch.set_num_threads(1)
    row(Turns(pipe, device))


def ours(
    model: str,
    batch_size: int,
    device: str,
    turns: Turns,
    alone: bool = False,
    exactly: bool = False,
    compiled: bool = False,
    graph: bool | None = None,
) -> None:
    """Images a second of `train`: of a round's windows all but the first, which warms up.

    alone: and then those of its step alone, on one batch that is there already, in this process:
    cuDNN's trials choose other kernels in another. graph: as of `train`.
    """
    device, data = torch.device(device), random_data()
    turns.make_ready()
    window, steps = WARM_UP[device.type], STEPS[device.type]
    timed_windows = steps // window
    bare_step = bare(model, batch_size, device, data, compiled) if alone else None
    ends: list[float] = []
    ready, more = False, True

    def report(_iteration: int, _row: dict) -> None:
        nonlocal ready, more
        ends.append(time.perf_counter())
        if ready and len(ends) <= timed_windows:
            return
        speeds = [timed_windows * window * batch_size / (ends[-1] - ends[0])] if ready else []
        if ready and alone:
            speeds.append(timed(bare_step, batch_size, device, steps))
            if not torch.isfinite(bare_step()):
                raise RuntimeError("the step alone was measured on numbers without sense")
        ready, more = True, turns.next(*speeds)
        ends.clear()

    config = recipe(batch_size, window=window, iterations=10**9, deterministic=exactly)
    how = {"graph": graph, "compiled": compiled}
    net = build_model(model, seed=0)
    train(net, data, config, device=device, progress=report, stop=lambda: not more, **how)


def several(model: str, batch_size: int, device: torch.device, at_once: int) -> float:
    """Images a second of several processes in sum, while all of them train."""
    context = multiprocessing.get_context("spawn")
    results, ready = context.Queue(), context.Barrier(at_once)
    workers = [
        context.Process(
            target=one_of_several, args=(model, batch_size, device, ready, results), daemon=True
        )
        for _ in range(at_once)
    ]
    for worker in workers:
        worker.start()
    seen = [results.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    start, end = max(times[0][0] for times in seen), min(times[-1][0] for times in seen)
    done = sum(np.diff(np.interp((start, end), *zip(*times, strict=True)))[0] for times in seen)
    return done * batch_size / (end - start)


def one_of_several(model: str, batch_size: int, device: torch.device, ready, results) -> None:
    """Train in a process of its own; reports when which iteration was done."""
    torch.set_num_threads(1)
    data, net = random_data(), build_model(model, seed=0)
    window = WARM_UP[device.type]
    config = recipe(batch_size, window=window, iterations=13 * window)
    times = []

    def report(iteration: int, _row: dict) -> None:
        if not times:
            ready.wait(timeout=300)
        times.append((time.time(), iteration))

    train(net, data, config, device=device, progress=report)
    results.put(times[:-1])  # the last row is the evaluation's


def timed(step: Callable[[], None], batch_size: int, device: torch.device, steps: int) -> float:
    """Images a second of a step, after some to warm up."""
    for _ in range(min(steps, WARM_UP[device.type])):
        step()
    synchronise(device)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    synchronise(device)
    return steps * batch_size / (time.perf_counter() - start)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def bare(
    model: str, batch_size: int, device: torch.device, data: ImageSet, compiled: bool
) -> Callable[[], torch.Tensor]:
    """Our training step alone, on one batch that is there already, as `train` makes it.

    Ready to be measured: what is to be compiled is compiled, and what is to be captured captured.
    Returns a function that does one and returns its loss.
    """
    config, layout = recipe(batch_size), choose_layout(device)
    net = build_model(model, seed=0).to(device, memory_format=layout).train()
    here = data.to(device)
    x, y = TrainingBatches(here, config, Normaliser(here))(0)
    x, optimiser = x.contiguous(memory_format=layout), make_optimiser(net, config)
    precision = choose_precision("auto", device)
    step = make_step(net, optimiser, precision, graph=device.type == "cuda", compiled=compiled)
    with best_kernels(compiled):
        for _ in range(GraphedStep.WARM_UP + 1):
            step(x, y)
    return lambda: step(x, y)[0]


def textbook(
    model: str, batch_size: int, device: str, workers: int, bf16: bool, turns: Turns
) -> None:
    """Images a second of the loop that tutorials show."""
    device, images = torch.device(device), PilImages(random_data())
    turns.make_ready()
    net = build_model(model, seed=0).to(device).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    loader = DataLoader(
        images,
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        # As in a main program: within this process, which is a spawned one, they would be spawned.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )

    def batches():
        while True:
            yield from loader

    source = batches()

    def step() -> None:
        x, y = (each.to(device, non_blocking=True) for each in next(source))
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()

    steps, speeds = TEXTBOOK_STEPS[device.type], []
    timed(step, batch_size, device, steps)
    while turns.next(*speeds):
        speeds = [timed(step, batch_size, device, steps)]


def rows_of(model: str, size: int, device: str, workers: int) -> dict[tuple[str, ...], Row]:
    """The rows of one model, by the names of what they measure."""
    mine = partial(ours, model, size, device)
    rows: dict[tuple[str, ...], Row] = {
        OURS: partial(mine, alone=True),
        ("textbook",): partial(textbook, model, size, device, workers, False),
        ("textbook, bf16",): partial(textbook, model, size, device, workers, True),
    }
    if device == "cuda":
        rows[COMPILED] = partial(mine, alone=True, compiled=True)
        rows["ours, no graph",] = partial(mine, graph=False)
        rows["ours, deterministic",] = partial(mine, exactly=True)
    return rows


def measure(options: argparse.Namespace, device: str) -> Iterator[pd.DataFrame]:
    """A table for each model: one row a loop, interleaved, medians over the rounds."""
    size = options.batch_size
    counts = [n for n in (0, 1, 2, 4, 8, 16) if n <= max(2, os.cpu_count() or 1)]
    trial = {(n,): partial(textbook, options.models[0], size, device, n, True) for n in counts}
    trials = in_turn(trial, 1, f"{device}, textbook's workers")
    workers = max(trials, key=trials.get)
    for model in options.models:  # each by itself: all rows of a round hold memory at a time
        rows = rows_of(model, size, device, workers)
        found = in_turn(rows, options.rounds, f"{model}, {device}, {workers} workers")
        table = []
        for name, speeds in found.items():
            row = {
                "device": device,
                "model": model,
                "loop": name,
                "images/s": round(statistics.median(speeds)),
                "lowest": round(min(speeds)),
                "highest": round(max(speeds)),
            }
            for mine, _alone in (OURS, COMPILED):
                if mine in found:
                    ratios = [a / b for a, b in zip(found[mine], speeds, strict=True)]
                    row[f"{mine} / this"] = round(statistics.median(ratios), 2)
            table.append(row)
        yield pd.DataFrame(table)


def measure_several(options: argparse.Namespace) -> pd.DataFrame:
    """The second table: one row a model and number of processes."""
    rows = [
        {
            "model": model,
            "at once": n,
            "images/s in sum": round(several(model, options.batch_size, find_device(), n)),
        }
        for model in options.models
        for n in (1, 2, 4, 8)
    ]
    return pd.DataFrame(rows)


PLAYGROUND = Path(__file__).resolve().parents[1] / "web" / "playground"
SMALL = ModelConfig(20, width=8, in_channels=1, stem_stride=2)
SMALL_SIZE, SMALL_BATCH = 14, 64


def multiply_adds_done(config: ModelConfig) -> int:
    """Multiply-adds of one training step on one image, without the taps that fall on the padding.

    Forward and the gradients with respect to weights and inputs, but not to the images.
    """

    def conv(channels: int, width: int, size: int, stride: int) -> int:
        rows = range(0, size, stride)
        inside = sum(0 <= row + tap < size for row in rows for tap in (-1, 0, 1))
        return channels * width * inside**2

    size = (SMALL_SIZE - 1) // config.stem_stride + 1
    total = 2 * conv(config.in_channels, config.width, SMALL_SIZE, config.stem_stride)
    for place in places(config):
        out = (size - 1) // place.stride + 1
        first = conv(place.in_channels, place.width, size, place.stride)
        total += 3 * (first + conv(place.width, place.width, out, 1))
        size = out
    return total + 3 * 4 * config.width * config.classes


def small_step(config: ModelConfig, memory_format: torch.memory_format) -> Callable[[], float]:
    """Measures one of the playground's nets in PyTorch: milliseconds a training step."""
    net = build_model(config, seed=0).to(memory_format=memory_format).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(SMALL_BATCH, 1, SMALL_SIZE, SMALL_SIZE, generator=draw)
    x = x.contiguous(memory_format=memory_format)
    y = torch.randint(10, (SMALL_BATCH,), generator=draw)

    def step() -> None:
        loss = F.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()

    cpu = torch.device("cpu")
    return lambda: 1000 * SMALL_BATCH / timed(step, SMALL_BATCH, cpu, STEPS["cpu"])


def measure_playground(rounds: int, depths: tuple[int, ...] = (8, 20, 56)) -> pd.DataFrame:
    """The third table: the engine and PyTorch, interleaved, medians over the rounds."""
    node = subprocess.Popen(
        ["node", "bench.mjs"],
        cwd=PLAYGROUND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(line: str) -> float:
        print(line, file=node.stdin, flush=True)
        return float(node.stdout.readline())

    arms: dict[tuple[int, str], Callable[[], float]] = {}
    for depth in depths:
        config = dataclasses.replace(SMALL, depth=depth)
        arms[depth, "engine"] = lambda depth=depth: ask(f"{depth} A")
        arms[depth, "PyTorch"] = small_step(config, torch.contiguous_format)
        arms[depth, "PyTorch, channels last"] = small_step(config, torch.channels_last)
    found, peaks = {key: [] for key in arms}, []
    for _ in tqdm(range(rounds), desc="playground"):
        peaks.append(ask("peak"))
        for key, arm in arms.items():
            found[key].append(arm())
    node.stdin.close()
    node.wait()
    rows = []
    for (depth, name), times in found.items():
        milliseconds = statistics.median(times)
        ratios = [a / b for a, b in zip(times, found[depth, "engine"], strict=True)]
        done = 2 * multiply_adds_done(dataclasses.replace(SMALL, depth=depth)) * SMALL_BATCH
        rows.append(
            {
                "model": f"resnet{depth}",
                "step": name,
                "ms": round(milliseconds, 2),
                "lowest": round(min(times), 2),
                "this / engine": round(statistics.median(ratios), 2),
                "GFLOP/s": round(done / milliseconds / 1e6, 1),
                "SIMD peak": round(max(peaks), 1),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=["resnet20", "resnet56"])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {choose_precision('auto', torch.device('cpu'))} on the CPU")
    if "cpu" in options.parts:
        for table in measure(options, "cpu"):
            print(table.to_string(index=False), flush=True)
    if "cuda" in options.parts and find_device().type == "cuda":
        print(torch.cuda.get_device_name())
        for table in measure(options, "cuda"):
            print(table.to_string(index=False), flush=True)
    elif "cuda" in options.parts:
        print("cuda: not measured, there is no GPU here")
    if "several" in options.parts and find_device().type == "cuda":
        print(measure_several(options).to_string(index=False))
    elif "several" in options.parts:
        print("several: not measured, there is no GPU here")
    if "playground" not in options.parts:
        return
    if shutil.which("node"):
        print(measure_playground(options.rounds).to_string(index=False))
    else:
        print("playground: not measured, there is no Node here")


if __name__ == "__main__":
    main()
