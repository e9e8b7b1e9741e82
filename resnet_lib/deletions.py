"""What becomes of a trained net's test error when whole blocks are taken out of it.

A block that keeps the dimensions is deleted by handing its input on: in a residual net that
leaves the shortcut, in a plain net the two layers are gone. The idea is that of Veit, Wilber and
Belongie, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks" (2016).

    python -m resnet_lib deletions data/runs/short/SOME_RUN

writes deletions.csv beside the run's record: a first line that names run, weights and images,
then one row for each set of blocks: how many, which, on how many test images, top1_error.
"""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import json
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from filelock import FileLock
from torch import Tensor, nn

from resnet_lib.batches import Normaliser, check_images, make_normaliser, normaliser_of
from resnet_lib.checkpoints import check_data, net_of, weights_of
from resnet_lib.configs import BLOCKS, ConfigError, as_seed, whole
from resnet_lib.data import ImageSet, load
from resnet_lib.devices import as_device, choose_layout, computing, one_thread
from resnet_lib.models import ResNet, places
from resnet_lib.numerics import random_stream
from resnet_lib.runs import ARCHIVE, EXACT, RecordError, RunRecord, write_whole

DELETIONS = "deletions.csv"
MADE_BY = "python -m resnet_lib deletions"
COLUMNS = ("deleted", "blocks", "images", "top1_error")
SIZES = tuple(range(2, 11))
DRAWS = 10  # random sets of each size
PART = 5  # random sets are measured on every fifth test image: as many of each class

Blocks = tuple[str, ...]


def deletable(net: ResNet) -> Blocks:
    """The names of the blocks whose input and output have the same dimensions, in order."""
    factor = BLOCKS[net.config.block].expansion
    return tuple(
        f"{each.stage}.{each.index}"
        for each in places(net.config)
        if each.stride == 1 and each.in_channels == each.width * factor
    )


def random_sets(names: Blocks, sizes: Iterable[int], draws: int, seed: int = 0) -> list[Blocks]:
    """Some sets of blocks of each size, drawn evenly and without a set twice, in the net's order.

    A function of its arguments alone: nets of one depth lose the same blocks. Where there are
    fewer sets of a size than `draws`, it gives up after ten tries for each.
    """
    whole(draws, 1, "draws")
    sets: dict[Blocks, None] = {}
    for size in sizes:
        whole(size, 1, "each size")
        if size > len(names):
            continue
        found: dict[Blocks, None] = {}
        for draw in range(10 * draws):
            stream = random_stream("deletions", seed, size, draw)
            chosen = torch.randperm(len(names), generator=stream)[:size].sort().values
            found[tuple(names[i] for i in chosen)] = None
            if len(found) == draws:
                break
        sets |= found
    return list(sets)


@torch.no_grad()
def deletion_errors(
    net: ResNet,
    images: Tensor,
    labels: Tensor,
    normalise: Normaliser,
    sets: Iterable[Blocks],
    precision: str = "float32",
    batch_size: int = 500,
) -> Iterator[tuple[Blocks, float]]:
    """Yield each set of blocks with the top-1 error in percent of the net without them.

    images: uint8 (N, C, H, W). Evaluation mode, BN statistics as they are, on the net's device. The
    images go through the net once, and for each set again from its first block on; so the sets come
    ordered by it.
    Errors: `ConfigError` when a set names a block that cannot be deleted.
    """
    sets = [tuple(each) for each in sets]  # a generator would be read only once
    check_sets(net, sets)
    net.eval()
    device = net.fc.weight.device
    memory, labels = choose_layout(device), labels.to(device)
    layers = [
        (f"{stage}.{name}", layer)
        for stage in net.stages
        for name, layer in getattr(net, stage).named_children()
    ]

    def through(chosen: list[nn.Module], batches: list[Tensor]) -> Iterator[Tensor]:
        for x in batches:
            with computing(precision, device):
                for layer in chosen:
                    x = layer(x)
            yield x

    def error(chosen: list[nn.Module], batches: list[Tensor]) -> float:
        outputs = through([*chosen, Head(net)], batches)
        wrong = sum(
            int((logits.float().argmax(1) != y).sum())
            for logits, y in zip(outputs, labels.split(batch_size), strict=True)
        )
        return 100 * wrong / len(labels)

    inputs = (normalise(part).to(device) for part in images.split(batch_size))
    raw = (part.contiguous(memory_format=memory) for part in inputs)
    reached = list(through([Stem(net)], raw))
    for number, (name, layer) in enumerate(layers):
        for each in sets:
            if each and each[0] == name:
                rest = [other for label, other in layers[number:] if label not in each]
                yield each, error(rest, reached)
        reached = list(through([layer], reached))
    if () in sets:
        yield (), error([], reached)


class Stem(nn.Module):
    """What a net does before its first stage."""

    def __init__(self, net: ResNet) -> None:
        super().__init__()
        self.conv1, self.bn1 = net.conv1, net.bn1

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn1(self.conv1(x)))


class Head(nn.Module):
    """What a net does after its last stage."""

    def __init__(self, net: ResNet) -> None:
        super().__init__()
        self.fc = net.fc

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.mean((2, 3)))


def check_sets(net: ResNet, sets: Collection[Blocks]) -> None:
    """Raise `ConfigError` unless each set names blocks that can be deleted, in the net's order."""
    order = {name: place for place, name in enumerate(deletable(net))}
    for each in sets:
        for name in each:
            if name not in order:
                raise ConfigError(
                    f"block {name!r} of {net.config.name} cannot be deleted: it is one of "
                    f"{', '.join(order)}."
                )
        if any(order[one] >= order[next_] for one, next_ in pairwise(each)):
            raise ConfigError(f"the blocks {' '.join(each)} are not in the net's order.")


@dataclass
class Deletions:
    """The deletions of one recorded run: `about` names run, weights and images.

    frame: one row a set, with deleted (how many blocks), blocks (their names, between spaces),
    images (how many test images) and top1_error in percent.
    """

    about: dict[str, Any]
    frame: pd.DataFrame

    @classmethod
    def load(cls, folder: Path | str) -> Deletions:
        """Read deletions.csv beside a record. Errors: `RecordError`."""
        path = Path(folder) / DELETIONS
        try:
            first, rest = path.read_text().split("\n", 1)
            about = json.loads(first.removeprefix("# "))
            frame = pd.read_csv(io.StringIO(rest), keep_default_na=False, **EXACT)
            if not isinstance(about, dict) or tuple(frame.columns) != COLUMNS:
                raise ValueError(f"it has not the columns {', '.join(COLUMNS)}")
            frame = frame.astype({"deleted": int, "images": int, "top1_error": float})
        except (OSError, ValueError) as error:
            told = str(error).removesuffix(".")
            raise RecordError(
                f"{path} cannot be read as deletions: {told}; delete it to measure anew."
            ) from None
        return cls(about, frame)

    def save(self, folder: Path | str) -> Path:
        """Write deletions.csv in one step."""
        text = self.frame.to_csv(index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
        path = Path(folder) / DELETIONS
        write_whole(path, f"# {json.dumps(self.about)}\n{text}")
        return path

    @property
    def complete(self) -> bool:
        """Whether all was measured: the intact net comes last, on the part and on the whole."""
        return int((self.frame["deleted"] == 0).sum()) == 2

    def errors(self, images: int) -> dict[Blocks, float]:
        """The top-1 errors measured on so many images, by the deleted blocks."""
        rows = self.frame[self.frame["images"] == images]
        return {
            tuple(blocks.split()): error
            for blocks, error in zip(rows["blocks"], rows["top1_error"], strict=True)
        }


def one_block_less(folder: Path | str = ARCHIVE / "paper") -> pd.DataFrame:
    """What the loss of one block does to the recorded nets of a folder: test errors in percent.

    A row a net, from shallow to deep: whole, and of all single blocks that can be deleted the
    median, the lowest and the highest; seeds: which. Errors: `RecordError`.
    """
    rows = []
    for place in sorted(each.parent for each in Path(folder).rglob(DELETIONS)):
        record, frame = RunRecord.load(place), Deletions.load(place).frame
        whole = frame[frame["images"] == frame["images"].max()].set_index("deleted")["top1_error"]
        median, low, high = whole[1].median(), whole[1].min(), whole[1].max()
        names = {"net": record.model_name, "seed": record.train["seed"], "whole": whole[0]}
        errors = {"median": median, "lowest": low, "highest": high}
        rows.append({"depth": record.model["depth"], **names, **errors})
    columns = ["depth", "net", "seed", "whole", "median", "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3]).drop(columns="depth")


def checksum(path: Path) -> str:
    """Twelve hexadecimal digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def record_deletions(
    folder: Path | str,
    *,
    data: ImageSet | None = None,
    sizes: Iterable[int] = SIZES,
    draws: int = DRAWS,
    seed: int = 0,
    progress: bool = True,
) -> Deletions:
    """Delete blocks of a recorded run's net, and keep the errors as deletions.csv beside it.

    All single blocks on all test images, and random sets on every fifth of them in the canonical
    order; of both also the intact net. What is in the file already is not measured again, so a
    command that was stopped goes on where it was.

    folder: with record.json; weights as `load_net` finds them. Errors: `RecordError`, `DataError`,
    and `ConfigError` where the file is of other weights.
    """
    folder, seed = Path(folder), as_seed(seed)
    record = RunRecord.load(folder)
    weights = weights_of(record, folder)
    net = net_of(record, weights)
    data = data or load(record.data["name"], record.data["size"])
    check_data(record, data.checksum)
    about = {
        "run_id": record.run_id,
        "weights": checksum(weights),
        "made_by": MADE_BY,
        "precision": record.precision,
        "seed": seed,
        "random_sets": f"on every {PART}th test image in the canonical order",
    }
    kept = kept_deletions(folder, about)
    names = deletable(net)
    if strange := {*" ".join(kept.frame["blocks"]).split()} - {*names}:
        raise RecordError(
            f"{folder / DELETIONS} has a block {min(strange)!r}, which {record.model_name} has "
            "not: delete it to measure anew."
        )
    normalise = make_normaliser(data, record.train_config)
    plans = (
        (
            data.test_images[::PART],
            data.test_labels[::PART],
            random_sets(names, sizes, draws, seed),
        ),
        (data.test_images, data.test_labels, [(name,) for name in names]),
    )
    with one_thread():
        for images, labels, sets in plans:
            have = kept.errors(len(images))
            missing = [each for each in ((), *sets) if each not in have]
            if not missing:
                continue
            tested = net, images, labels, normalise, missing, record.precision
            for each, error in deletion_errors(*tested):
                row = (len(each), " ".join(each), len(images), error)
                kept = keep_row(folder, about, row)
                if progress:
                    done = len(kept.frame)
                    print(f"{done:4d}  {error:6.2f}%  without {' '.join(each) or 'nothing'}")
    return kept


def kept_deletions(folder: Path, about: dict[str, Any]) -> Deletions:
    """What a folder has already. Errors: `ConfigError` where it is not of what `about` names."""
    if not (folder / DELETIONS).exists():
        return Deletions(about, pd.DataFrame(columns=list(COLUMNS)))
    kept = Deletions.load(folder)
    if kept.about != about:
        raise ConfigError(
            f"{folder / DELETIONS} is of other weights or images ({kept.about} and not {about}): "
            "delete it to measure anew."
        )
    return kept


def keep_row(folder: Path, about: dict[str, Any], row: tuple[int, str, int, float]) -> Deletions:
    """Add a row to a folder's file and return all; others may have added theirs since."""
    with FileLock(folder / f".{DELETIONS}.lock"):
        kept = kept_deletions(folder, about)
        rows = [*kept.frame.itertuples(index=False, name=None), row]
        frame = pd.DataFrame(rows, columns=list(COLUMNS)).drop_duplicates(["images", "blocks"])
        kept.frame = frame.sort_values(["images", "deleted", "blocks"], ignore_index=True)
        kept.save(folder)
    return kept


def block_responses(record: RunRecord) -> pd.Series:
    """The standard deviation of each block's last layer, after BN and before the addition.

    From the probe after the last iteration, by block. Empty where no probe was recorded.
    Source: Paper, Figure 7.
    """
    if not len(record.probe):
        return pd.Series(dtype=float)
    last = record.probe[record.probe["iteration"] == record.probe["iteration"].max()]
    parts = last["name"].str.extract(r"^(?P<block>.+\.\d+)\.conv(?P<layer>\d)$")
    ends = last.assign(block=parts["block"]).dropna(subset="block")
    return ends.groupby("block", sort=False)["response_std"].last()


def single_deletions(
    net: ResNet, data: ImageSet, count: int = 10_000, *, device: torch.device | str | None = None
) -> pd.DataFrame:
    """Test error of a trained net as it is, and without each of its blocks that can be deleted.

    count: of test images at most, spread over the classes, normalised as the net's record says, or
    with the per-pixel mean. device: found by itself unless given. Columns model, kind, depth, seed,
    block ("" for the whole net), number (the block's among all, 0 for the whole net), top1_error in
    percent. Errors: `ConfigError`.
    """
    whole(count, 1, "count")
    check_images(net, data)
    step = math.ceil(len(data.test_images) / count)
    images, labels = data.test_images[::step], data.test_labels[::step]
    numbers = {name: number for number, (name, _) in enumerate(net.blocks(), 1)}
    sets = [(), *((name,) for name in deletable(net))]
    normalise = normaliser_of([net], data)
    net = copy.deepcopy(net).to(as_device(device))  # the caller's keeps its mode and place
    rows = []
    with one_thread():
        for each, error in deletion_errors(net, images, labels, normalise, sets):
            name = "".join(each)
            rows.append({"block": name, "number": numbers.get(name, 0), "top1_error": error})
    config = net.config
    return (
        pd.DataFrame(rows)
        .sort_values("number", ignore_index=True)
        .assign(model=config.name, kind=config.kind, depth=config.depth, seed=net.seed)
    )


def deletion_cost(frame: pd.DataFrame) -> pd.Series:
    """By how many points deleting one block raises the test error, on average over the blocks.

    frame: rows as from `single_deletions`. Returns one value for each model and seed.
    """
    whole = frame[frame["number"] == 0].set_index(["model", "seed"])["top1_error"]
    without = frame[frame["number"] > 0].groupby(["model", "seed"])["top1_error"].mean()
    return without - whole
