"""Showing how far training is, timing it over all its sittings, and stopping it cleanly."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from resnet_lib.configs import TrainConfig

Report = Callable[[int, dict[str, Any]], None]


class Clock:
    """Seconds of a run, over all its sittings."""

    def __init__(self, before: float) -> None:
        self.start = time.perf_counter() - before

    def now(self) -> float:
        return time.perf_counter() - self.start


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
def reporter(progress: bool | Report, config: TrainConfig, start: int = 0) -> Iterator[Report]:
    """The function that is told each row: a progress bar's, the caller's, or one that is silent.

    start: the iteration that a resumed run begins at; the bar's time left counts from there.
    """
    if not progress:
        yield lambda iteration, row: None
    elif callable(progress):
        yield progress
    else:
        shown: dict[str, str] = {}
        with tqdm(total=config.iterations, initial=start, unit="it", mininterval=0.5) as bar:

            def report(iteration: int, row: dict[str, Any]) -> None:
                shown[row["split"]] = f"{row['top1_error']:.1f}%"
                speed = iteration * config.batch_size / max(row["seconds"], 1e-9)
                bar.set_postfix(**shown, images=f"{speed:.0f}/s", refresh=False)
                bar.update(iteration - bar.n)

            yield report
