"""How recorded nets do under the testing protocols, alone and together: data/tests.csv.

    measure_test([folder_of_a_run], "10-crop", images=2_000)
    read_tests()       run_ids, protocol, images, top1_error, top5_error

A row is one measurement of one net, or of an ensemble whose scores are averaged: the ids of its
runs stand between spaces. The images are spread over the test set, in its canonical order.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from resnet_lib.batches import make_normaliser
from resnet_lib.checkpoints import check_data, load_net
from resnet_lib.configs import ConfigError, whole
from resnet_lib.data import ImageSet, load
from resnet_lib.devices import one_thread
from resnet_lib.repository import DATA
from resnet_lib.runs import EXACT, RecordError, RunRecord, write_whole
from resnet_lib.testing import measure_errors

TESTS = DATA / "tests.csv"
COLUMNS = ("run_ids", "protocol", "images", "top1_error", "top5_error")


def read_tests(path: Path | str = TESTS) -> pd.DataFrame:
    """All that is measured; nothing where there is no file. Errors: `RecordError` that names it."""
    if not Path(path).exists():
        return pd.DataFrame(columns=list(COLUMNS))
    try:
        frame = pd.read_csv(path, **EXACT)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read as tests: {error}.") from None
    if tuple(frame.columns) != COLUMNS:
        raise RecordError(f"{path} has not the columns {', '.join(COLUMNS)}.")
    return frame


def measure_test(
    folders: Sequence[Path | str],
    protocol: str = "centre-crop",
    *,
    images: int | None = None,
    data: ImageSet | None = None,
    path: Path | str = TESTS,
) -> pd.Series:
    """Measure one recorded net or an ensemble, and keep the row; one that is kept is not repeated.

    folders: of the runs, with record.json and weights as `load_net` finds them. images: so many of
    the test set, by default all. data: that of the runs, if it is loaded already.

    Errors: `RecordError`, and `ConfigError` where the runs have not seen the same images alike.
    """
    records = [RunRecord.load(folder) for folder in folders]
    if not records:
        raise ConfigError("there is no run to test.")
    first = records[0]
    for each in records[1:]:
        if given(each) != given(first):
            raise ConfigError(f"{each.run_id} and {first.run_id} were not given the same images.")
    if images is not None:
        whole(images, 1, "images")
    data = data or load(first.data["name"], first.data["size"])
    check_data(first, data.checksum)
    row = {
        "run_ids": " ".join(each.run_id for each in records),
        "protocol": protocol,
        "images": min(images or len(data.test_images), len(data.test_images)),
    }
    kept = read_tests(path)
    if not (kept[list(row)] == pd.Series(row)).all(axis=1).any():
        with one_thread(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* images are tested")  # the row says how many
            errors = measure_errors(
                [load_net(folder) for folder in folders],
                data,
                protocol,
                normalise=make_normaliser(data, first.train_config),
                images=row["images"],
                batch_size=100,
                device="cpu",
            )
        kept = keep_row({**row, **asdict(errors)}, Path(path))
    return kept[(kept[list(row)] == pd.Series(row)).all(axis=1)].iloc[0]


def keep_row(row: dict[str, Any], path: Path) -> pd.DataFrame:
    """Add a row to the file and return all; others may have added theirs since it was read."""
    what = ["run_ids", "protocol", "images"]
    found = pd.DataFrame([row], columns=list(COLUMNS))
    with FileLock(path.with_name(f".{path.name}.lock")):
        kept = read_tests(path)
        kept = pd.concat([kept, found]) if len(kept) else found
        kept = kept.drop_duplicates(what).sort_values(what, ignore_index=True)
        write_whole(path, kept.to_csv(index=False, lineterminator="\n"))
    return kept


def given(record: RunRecord) -> tuple[str, str]:
    """What decides how a net was given its images: the data, and their normalisation."""
    return record.data["checksum"], record.train_config.normalisation
