"""Training steps as CUDA graphs: one launch a step instead of hundreds.

`pytest -m gpu` holds them against single steps on a GPU; the bookkeeping is tested on the CPU with
a stand-in for the capture.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class GraphedStep:
    """A training step that is recorded once for each learning rate, and replayed after.

    The first steps run as they are, on a stream of their own, as capturing demands: the optimiser
    makes its momentum there. Then images and labels are copied to where the graph reads them, and
    loss and errors are found where it leaves them, until the next step. The rate is a constant of
    the graph, so SGD needs no other code than without one; a run has three or four of them.
    """

    WARM_UP = 3

    def __init__(self, step: Step, optimiser: torch.optim.Optimizer) -> None:
        """Wrap `step`: images (N, C, H, W) and labels (N,) -> loss and errors, on the device."""
        self.step, self.optimiser = step, optimiser
        self.steps = 0
        self.rates: list[float] | None = None

    def __call__(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        self.steps += 1
        if self.steps <= self.WARM_UP:
            return aside(x.device, lambda: self.step(x, y))
        if self.steps == self.WARM_UP + 1:
            self.x, self.y = x.clone(), y.clone()
        rates = [group["lr"] for group in self.optimiser.param_groups]
        if rates != self.rates:
            self.replay, self.results = capture(x.device, lambda: self.step(self.x, self.y))
            self.rates = rates
        self.x.copy_(x)
        self.y.copy_(y)
        self.replay()
        return self.results


side_stream = cache(torch.cuda.Stream)  # one for each device: memory belongs to its stream


def aside(device: torch.device, step: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Do a step on another stream, before and after what the current one does."""
    stream, current = side_stream(device), torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        results = step()
    current.wait_stream(stream)
    return results


def capture(
    device: torch.device,
    step: Callable[[], tuple[Tensor, Tensor]],
) -> tuple[Callable[[], None], tuple[Tensor, Tensor]]:
    """Record what a step launches, without doing it: what replays it, and its results' tensors."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        results = step()
    return graph.replay, results
