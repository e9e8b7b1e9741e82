"""How long runs will take on this machine, said before they start.

print(forecast(["figure6-plain", "figure6-residual"], "paper", folder="runs"))
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import torch

from resnet_lib.devices import choose_layout, exact, find_device, one_thread
from resnet_lib.experiments import Experiment, Tier, plan
from resnet_lib.graphs import GraphedStep
from resnet_lib.models import build_model
from resnet_lib.runner import RunSpec, at_once, load_once, recorded
from resnet_lib.training import make_optimiser, make_step

WORTH_TIMING = 1_000  # iterations from which on a forecast is worth its seconds
STEPS = 5


def forecast(
    experiments: str | Experiment | Iterable[str | Experiment],
    tier: str | Tier = "short",
    *,
    seeds: Iterable[int] | None = None,
    data: str | None = None,
    folder: Path | str | None = None,
    jobs: int | None = None,
) -> str:
    """One sentence: how many runs are to be done, and in long tiers how long that takes here.

    Arguments as of `reproduce`. A few training steps of the net that costs most are timed, and
    the time is shared out by multiply-adds; evaluation and probes come on top.
    """
    jobs = at_once(jobs)
    planned = plan(experiments, tier, seeds, data)
    to_do = [spec for spec in planned if recorded(spec, folder) is None]
    if not to_do:
        several = f"All {len(planned)} runs are there already."
        return several if len(planned) > 1 else "The run is there already."
    said = f"{len(to_do)} of {len(planned)} runs are to be done"
    if len(planned) == 1:
        said = "One run is to be done"
    if max(spec.train.iterations for spec in to_do) < WORTH_TIMING:
        return f"{said}."
    dearest = max(to_do, key=lambda spec: spec.cost / spec.train.iterations)
    rate = seconds_of_a_step(dearest) / (dearest.cost / dearest.train.iterations)
    jobs = min(jobs, len(to_do))
    seconds = rate * sum(spec.cost for spec in to_do) / jobs
    return (
        f"{said}: about {in_words(seconds)} on this machine ({find_device().type}, {jobs} at once)."
    )


def seconds_of_a_step(spec: RunSpec) -> float:
    """The seconds that one training step of a run takes here, on random images.

    On a GPU without torch.compile, whose wait would be longer than the forecast is worth: long runs
    come out quicker than this.
    """
    device = find_device()
    images = load_once(spec.data, spec.size)
    draw = torch.Generator().manual_seed(0)
    shape = (spec.train.batch_size, images.channels, images.size, images.size)
    layout = choose_layout(device)
    net = build_model(spec.model, seed=0).to(device, memory_format=layout).train()
    optimiser = make_optimiser(net, spec.train)
    x = torch.randn(shape, generator=draw).to(device, memory_format=layout)
    y = torch.randint(len(images.classes), (len(x),), generator=draw).to(device)
    graph = device.type == "cuda"  # as `train` does it; the shortest time is that of a replay
    step = make_step(net, optimiser, spec.precision, graph=graph, bn_images=spec.train.bn_images)
    steps, times = STEPS + GraphedStep.WARM_UP * graph, []
    with one_thread(), exact(spec.precision == "float32" and device.type == "cuda"):
        for _ in range(steps):
            began = time.perf_counter()
            step(x, y)
            if device.type != "cpu":
                getattr(torch, device.type).synchronize()
            times.append(time.perf_counter() - began)
    return min(times)


def in_words(seconds: float) -> str:
    """A duration as one reads it: "40 seconds", "12 minutes", "5 hours", "3 days"."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.0f} seconds"
