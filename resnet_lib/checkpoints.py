"""What a run leaves in its folder beside the record: its lock, its checkpoint, its weights.

Checkpoint and weights are written beside their place and then moved there in one step, so that a
kill leaves the old file or the new one; and read without unpickling code.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save_file

from resnet_lib.configs import ConfigError
from resnet_lib.models import ResNet, build_model
from resnet_lib.runs import ARCHIVE, RecordError, RunRecord, on_disk

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"
# The repository's copies of some runs' weights, in float16: {run_id}.safetensors.
KEPT = ARCHIVE.parent / "weights"


@contextmanager
def holding(folder: Path, run_id: str) -> Iterator[None]:
    """Hold a run's folder while it is trained. The lock ends with the process, however it ends.

    Errors: `ConfigError` that says which process holds it.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    holder = folder / ".holder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        by = "another process"
        with suppress(OSError):
            by = holder.read_text()
        raise ConfigError(
            f"{run_id} is being trained by {by}: wait for it, or stop that process first."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written to ({error.strerror}): choose another folder."
        ) from None
    try:
        with suppress(OSError):  # it is only told to others: a full disk stops no training
            holder.write_text(f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        yield
    finally:
        with suppress(OSError):  # the folder may be gone by now, or read-only
            holder.unlink(missing_ok=True)
        lock.release()  # the file stays: another process may be waiting to open it


def write_checkpoint(folder: Path, run_id: str, state: dict[str, Any]) -> None:
    """Write a run's whole state. Errors: `OSError` where the disk is full or read-only."""
    partial = folder / f"{CHECKPOINT}.partial"
    try:
        torch.save({"run_id": run_id, **state}, partial)
        on_disk(partial)
        partial.replace(folder / CHECKPOINT)
    except RuntimeError as error:  # torch's own writer reports a full disk so
        raise OSError(str(error).splitlines()[0]) from None
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(folder: Path, run_id: str, device: torch.device) -> dict[str, Any] | None:
    """The state to go on from, or None where there is no checkpoint.

    Errors: `ConfigError` if it is damaged or belongs to another run.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state = torch.load(path, weights_only=True, map_location=device)
        found = state.pop("run_id")
    except Exception as error:
        raise damaged(path, error) from None
    if found != run_id:
        raise ConfigError(
            f"{path} belongs to run {found}, not to {run_id}: choose another folder, or delete it."
        )
    return state


def damaged(path: Path, error: Exception) -> ConfigError:
    """The error for a checkpoint that cannot be used."""
    return ConfigError(
        f"{path} cannot be read as a checkpoint ({type(error).__name__}): delete it to start this "
        "run again."
    )


def save_weights(model: ResNet, folder: Path) -> Path:
    """Write a net's parameters and BN statistics as safetensors, and in it what net it is.

    Tensors do not show a stride: a copy of the file, without its record, would be taken for another
    net.
    """
    tensors = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    partial = folder / f"{WEIGHTS}.partial"
    try:
        save_file(tensors, partial, {"model": json.dumps(model.config.to_dict())})
        on_disk(partial)
        return partial.replace(folder / WEIGHTS)
    except OSError:
        raise
    except Exception as error:  # safetensors' own
        raise OSError(str(error)) from None
    finally:
        partial.unlink(missing_ok=True)


def load_net(run: RunRecord | Path | str, runs: Path | str = ".") -> ResNet:
    """The trained net of a recorded run, in evaluation mode on the CPU.

    run: its folder, with record.json and weights.safetensors, or its record; runs: then the folder
    that runs are kept in, with one for each by its id. Where the weights are missing, the copy that
    the repository keeps is taken, if there is one. Errors: `RecordError`.
    """
    if isinstance(run, RunRecord):
        return net_of(run, weights_of(run, Path(runs) / run.run_id))
    if not isinstance(run, (Path, str)):
        raise RecordError(f"{run!r:.60} is no run: give its record, or its folder.")
    record = RunRecord.load(run)
    return net_of(record, weights_of(record, run))


def weights_of(record: RunRecord, folder: Path | str) -> Path:
    """Where a run's weights are: in its folder, or else the repository's copy.

    Errors: `RecordError` where they are in neither.
    """
    places = Path(folder) / WEIGHTS, kept_weights(record)
    for path in places:
        if path.exists():
            return path
    ended = record.status == "complete"
    status = "" if ended else f" is {record.status} after {record.iterations_done} iterations and"
    remedy = {
        "complete": "name the folder that its weights are in, or train it into another",
        "diverged": "a run that diverges leaves no net",
    }.get(record.status, "run it to its end")
    raise RecordError(
        f"{record.run_id}{status} has no {places[0]}, and the repository keeps no weights of it: "
        f"{remedy}."
    )


def kept_weights(record: RunRecord, folder: Path | None = None) -> Path:
    """Where the repository, or another folder like its own, keeps a run's weights, if it does."""
    return (folder or KEPT) / f"{record.run_id}.safetensors"


def check_data(record: RunRecord, checksum: str) -> None:
    """Raise `ConfigError` unless data of this checksum are those that a run was trained on."""
    if checksum != record.data["checksum"]:
        raise ConfigError(
            f"{record.run_id} was trained on data of checksum {record.data['checksum']}, and "
            f"these have {checksum}."
        )


def net_of(record: RunRecord, path: Path) -> ResNet:
    """A record's net with weights from a file. Errors: `RecordError`."""
    net = build_model(record.model_config, seed=record.model_seed)
    try:
        net.load_state_dict(load_file(path))
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise RecordError(
            f"{path} does not hold the weights of {record.run_id}: {reason}"
        ) from None
    net.record = record
    return net.eval()


def kept_nets(records: Iterable[RunRecord]) -> Iterator[tuple[RunRecord, Path]]:
    """The records whose weights the repository keeps, with the files; `net_of` makes the nets."""
    for record in records:
        path = kept_weights(record)
        if path.exists():
            yield record, path
