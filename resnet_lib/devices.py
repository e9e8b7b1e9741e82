"""Which device, precision and layout a run gets: chosen once, by device, and recorded."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from resnet_lib.configs import ConfigError

# Deterministic matrix products need it in older versions of torch, and before the first of them.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def find_device() -> torch.device:
    """CUDA where there is a card, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def as_device(device: torch.device | str | None) -> torch.device:
    """A device from its name; None finds one. Errors: `ConfigError` for one that torch has not."""
    if device is None:
        return find_device()
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError, NotImplementedError):
        raise ConfigError(
            f"there is no device {str(device)!r} here: give 'cpu', or 'cuda' or 'mps' where there "
            "is one."
        ) from None


def choose_precision(precision: str, device: torch.device) -> str:
    """Resolve "auto": bfloat16 where the device has instructions for it, else float32."""
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


def can_compile(device: torch.device) -> bool:
    """Whether torch.compile has what it needs for a GPU.

    Triton, a card that it knows (compute capability 7.0), a C compiler and Python's header files.
    """
    compilers = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return (
        find_spec("triton") is not None
        and torch.cuda.get_device_capability(device) >= (7, 0)
        and any(map(shutil.which, compilers))
        and headers.exists()
    )


@contextmanager
def best_kernels(on: bool) -> Iterator[None]:
    """Let cuDNN try its algorithms for each convolution and take the quickest."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or on
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@contextmanager
def deterministic(on: bool) -> Iterator[None]:
    """Ask for deterministic kernels, and take it back afterwards."""
    algorithms, benchmark = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
    )
    if on:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        if on:
            torch.use_deterministic_algorithms(algorithms)
            torch.backends.cudnn.benchmark = benchmark


@contextmanager
def exact(on: bool) -> Iterator[None]:
    """Compute float32 as float32: by default CUDA convolves it in TF32, with 10 bits of 23."""
    if not on:
        yield
        return
    # Newer versions of torch have a setting of their own, and refuse to mix it with the old one.
    convolution, product = torch.backends.cudnn, torch.backends.cuda.matmul
    if hasattr(product, "fp32_precision"):
        switches = ((convolution.conv, "fp32_precision"), (product, "fp32_precision"))
        exactly = "ieee"
    else:
        switches, exactly = ((convolution, "allow_tf32"), (product, "allow_tf32")), False
    before = [getattr(*switch) for switch in switches]
    for switch in switches:
        setattr(*switch, exactly)
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            setattr(*switch, value)


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Evaluate in a precision, "bfloat16" or "float32", and then in no lower one."""
    with (
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"),
        exact(precision == "float32" and device.type == "cuda"),
    ):
        yield


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Start torch's own random numbers, which dropout draws from, and give the old ones back.

    Those of the CPU and of a CUDA device; MPS keeps what it was given.
    """
    with kept_random_state(device):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield


def kept_random_state(device: torch.device) -> AbstractContextManager[None]:
    """Give torch's own random numbers of the CPU and of a CUDA device back as they were."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: small nets gain nothing by more, and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
