"""Where downloads go, one at a time, and what to say of one that fails."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from resnet_lib.repository import DATA

PATIENCE = 30.0  # seconds without a byte before a download is given up


class DataError(RuntimeError):
    """Data that cannot be had or read; the message names the file and says what would help."""


def data_folder() -> Path:
    """Where downloads go and sheets are looked for: RESNET_LIB_DATA, else data/downloads.

    Without a clone around the library, ~/.cache/resnet_lib.
    """
    if chosen := os.environ.get("RESNET_LIB_DATA"):
        return Path(chosen).expanduser()
    return DATA / "downloads" if DATA.is_dir() else Path.home() / ".cache" / "resnet_lib"


def download_folder() -> Path:
    """`data_folder`, for what is fetched into it. Errors: `DataError` where it was mistyped."""
    root = data_folder()
    if os.environ.get("RESNET_LIB_DATA") and not root.is_dir():
        fault = (
            "a file: name a folder" if root.exists() else "no folder: make it, or correct the name"
        )
        raise DataError(f"RESNET_LIB_DATA names {root}, which is {fault}.")
    return root


@contextmanager
def one_download(root: Path) -> Iterator[None]:
    """Wait while another process downloads to this folder: both would write the same file."""
    lock = FileLock(root / ".download.lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        print(f"Another process downloads to {root}: waiting for it.", flush=True)
        lock.acquire()
    except OSError:
        pass  # a read-only folder may hold the data all the same
    try:
        yield
    finally:
        lock.release()


@contextmanager
def patient() -> Iterator[None]:
    """Give a download up where no byte comes for `PATIENCE` seconds; torchvision would wait on."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def reason(error: BaseException) -> str:
    """What a failed download means, in words."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, ssl.SSLError):
        return "because the host's certificate has expired or is not trusted"
    if isinstance(cause, TimeoutError):
        return f"because the host sent nothing for {PATIENCE:.0f} seconds"
    if isinstance(error, urllib.error.HTTPError):
        return f"because the host answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        return "because the host cannot be reached"
    if getattr(error, "errno", None) == errno.ENOSPC:
        return "because the disk is full"
    if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "because the folder cannot be written to"
    return "because a file is damaged, incomplete or out of reach"
