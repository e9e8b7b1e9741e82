"""The record of a run: a folder of readable files, and all records as one pandas frame.

record.json     configuration, environment, numerics hash, seed, device, precision, status
curves.csv      one row per measurement: run_id, iteration, epoch, split, loss, top1_error, lr,
                seconds
probe.csv       what was measured on the net during training, where a probe was given
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pandas as pd

from resnet_lib.configs import ConfigError, ModelConfig, TrainConfig, one_of
from resnet_lib.repository import DATA

if TYPE_CHECKING:
    import torch

    from resnet_lib.data import ImageSet
    from resnet_lib.training import Run

ARCHIVE = DATA / "runs"

CURVES = ("run_id", "iteration", "epoch", "split", "loss", "top1_error", "lr", "seconds")
PROPERTIES = (
    "model",
    "depth",
    "kind",
    "shortcut",
    "seed",
    "data",
    "tier",
    "iterations",
    "precision",
    "status",
    "setting",
)
# What experiments probe: the moment, and the columns of `analysis.signals`.
PROBE = (
    "iteration",
    "layer",
    "name",
    "response_std",
    "activation_gradient",
    "weight_gradient",
    "weight_norm",
    "scaled_weight_gradient",
)
DATA_SET = {"name": str, "size": int, "checksum": str}  # what a record says of its data
STATUSES = ("complete", "interrupted", "diverged")
FORMAT = 1
SITTING_BEGINS = "from_iteration"
TYPES = {"iteration": int} | dict.fromkeys(("epoch", "loss", "top1_error", "lr", "seconds"), float)
# pandas 2 reads floats to within a bit unless told; pandas 3 reads them exactly.
EXACT = {"float_precision": "round_trip"} if pd.__version__ < "3" else {}


class RecordError(RuntimeError):
    """A record that is damaged or incomplete; the message names the file and the fault."""


@dataclass(eq=False)
class RunRecord:
    """What one training run was and what it measured.

    curves: columns of `CURVES`; losses in nats, errors in percent, seconds since the start.
    "train" rows are means over a window of training batches (augmented, training mode), "test"
    rows over the whole test set (evaluation mode). status: "complete", "interrupted" or
    "diverged" (then `diverged_at` is the iteration of the first loss that was not finite). start:
    None if the run began with the weights of its seed, else a digest of those it began with.
    device, environment: of the end; where the run went on elsewhere than it was stopped,
    environment has "sittings", each with the iteration that it began at. (Older checkpoints do not
    tell theirs: then the first that is listed begins later than the run.)
    """

    run_id: str
    tier: str
    model_name: str
    model: dict[str, Any]
    model_seed: int
    train: dict[str, Any]
    data: dict[str, Any]
    numerics: str
    device: str
    precision: str
    layout: str
    environment: dict[str, Any]
    commit: str | None
    status: str = "begun"
    iterations_done: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    warmup_ended: int | None = None
    diverged_at: int | None = None
    start: str | None = None
    format: int = FORMAT
    curves: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(CURVES)))
    probe: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        rows = self.curves[self.curves["split"] == "test"]
        error = f", test error {rows['top1_error'].iloc[-1]:.1f}%" if len(rows) else ""
        return f"<RunRecord {self.run_id}: {self.status}{error}>"

    @classmethod
    def begin(
        cls,
        *,
        model: ModelConfig,
        model_seed: int,
        train: TrainConfig,
        data: ImageSet,
        numerics: str,
        device: torch.device,
        precision: str,
        layout: str,
        tier: str,
        compiled: bool = False,
        start: str | None = None,
    ) -> RunRecord:
        """A record before its first iteration. compiled: whether it is, in this sitting."""
        return cls(
            run_id=run_id(model, model_seed, train, data, numerics, precision, start),
            tier=tier,
            model_name=model.name,
            model=model.to_dict(),
            model_seed=model_seed,
            train=train.to_dict(),
            data={"name": data.name, "size": data.size, "checksum": data.checksum},
            numerics=numerics,
            device=device_name(device),
            precision=precision,
            layout=layout,
            environment=environment() | ({"compiled": True} if compiled else {}),
            commit=commit(),
            start=start,
        )

    def finish(self, status: str, run: Run, images: int) -> None:
        """Take over what a run measured."""
        self.status, self.iterations_done = status, run.iteration
        self.seconds = round(run.seconds, 3)
        self.images_per_second = round(images / max(run.seconds, 1e-9), 1)
        self.warmup_ended, self.diverged_at = run.warmup_ended, run.diverged_at
        if run.sittings[-1][SITTING_BEGINS]:  # the last began later than the run
            self.environment["sittings"] = run.sittings
        self.curves = pd.DataFrame(run.rows, columns=list(CURVES[1:]))
        self.curves.insert(0, "run_id", self.run_id)
        self.probe = pd.DataFrame(run.probes)

    def save(self, folder: Path | str) -> Path:
        """Write the record's files; record.json last, so that a record that has it is whole."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "curves.csv", self.curves.to_csv(index=False, lineterminator="\n"))
        if len(self.probe):
            text = self.probe.to_csv(index=False, float_format="%.6g", lineterminator="\n")
            write_whole(folder / "probe.csv", text)
        else:
            (folder / "probe.csv").unlink(missing_ok=True)
        values = {k: v for k, v in vars(self).items() if not isinstance(v, pd.DataFrame)}
        write_whole(folder / "record.json", json.dumps(values, indent=1) + "\n")
        return folder

    def check(self) -> None:
        """Raise `TypeError` that names a field of the wrong type."""
        number, known = (int, float), (int, type(None))
        kinds: dict[str, Any] = {
            **dict.fromkeys(("run_id", "tier", "model_name", "numerics", "device"), str),
            **dict.fromkeys(("precision", "layout", "status"), str),
            **dict.fromkeys(("model", "train", "data", "environment"), dict),
            **dict.fromkeys(("model_seed", "iterations_done"), int),
            **dict.fromkeys(("seconds", "images_per_second"), number),
            "warmup_ended": known,
            "diverged_at": int if self.status == "diverged" else known,
            "start": (str, type(None)),
        }
        values = {name: getattr(self, name) for name in kinds}
        if isinstance(self.status, str) and self.status not in STATUSES:
            raise TypeError(f"its status is {self.status!r}")
        if isinstance(self.data, dict):
            values |= {f"data.{name}": self.data.get(name) for name in DATA_SET}
            kinds |= {f"data.{name}": kind for name, kind in DATA_SET.items()}
        for name, value in values.items():
            if not isinstance(value, kinds[name]) or isinstance(value, bool):
                raise TypeError(f"its {name} is {value!r}")

    def own_id(self) -> str:
        """The id that what it says was trained has: `run_id`, unless the record was changed."""
        return run_id(
            self.model_config,
            self.model_seed,
            self.train_config,
            SimpleNamespace(name=self.data["name"], checksum=self.data["checksum"]),
            self.numerics,
            self.precision,
            self.start,
        )

    def is_probed(self, moments: Iterable[int]) -> bool:
        """Whether it was probed at all these iterations, with as many layers at each."""
        if "iteration" not in self.probe:
            return not set(moments)
        layers = self.probe.groupby("iteration").size()
        return set(moments) <= set(layers.index) and layers.nunique() <= 1

    @property
    def model_config(self) -> ModelConfig:
        """The configuration of its net."""
        return ModelConfig.from_dict(self.model)

    @property
    def train_config(self) -> TrainConfig:
        """The recipe that it was trained by."""
        return TrainConfig.from_dict(self.train)

    @classmethod
    def load(cls, folder: Path | str) -> RunRecord:
        """Read a record. Errors: `RecordError` that names the file and the fault."""
        path = Path(folder) / "record.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(values, dict) or values.get("format") != FORMAT:
                raise RecordError(f"{path} is not a record of format {FORMAT}.")
            known = {each.name for each in fields(cls)}
            if strange := sorted(values.keys() - known):
                raise RecordError(f"{path} has a field {strange[0]!r}, which no record has.")
            record = cls(**values)
            record.check()
            _ = record.model_config, record.train_config  # both can be made
            if not {"seed", "iterations"} <= set(record.train):
                raise RecordError(f"{path} does not say which seed or length it is of.")
            path = path.with_name("curves.csv")
            record.curves = pd.read_csv(path, **EXACT)
            if tuple(record.curves.columns) != CURVES:
                raise RecordError(f"{path} has not the columns {', '.join(CURVES)}.")
            record.curves = record.curves.astype(TYPES)
            path = path.with_name("probe.csv")
            if path.exists():
                record.probe = pd.read_csv(path, **EXACT)
        except RecordError:
            raise
        except (OSError, ValueError, TypeError, KeyError) as error:
            told = str(error).removesuffix(".")
            raise RecordError(f"{path} cannot be read as a record: {told}.") from None
        return record

    def frame(self) -> pd.DataFrame:
        """The curves with the run's main properties as columns."""
        return self.curves.assign(**self.properties())

    def probe_frame(self) -> pd.DataFrame:
        """The probe's table with the run's main properties as columns."""
        return self.probe.assign(run_id=self.run_id, **self.properties())

    def properties(self) -> dict[str, Any]:
        """What tells this run from others in a frame."""
        config = self.model_config
        values = (
            self.model_name,
            config.depth,
            config.kind,
            config.shortcut,
            self.train["seed"],
            self.data["name"],
            self.tier,
            self.train["iterations"],
            self.precision,
            self.status,
            self.setting(),
        )
        return dict(zip(PROPERTIES, values, strict=True))

    def setting(self) -> str:
        """Eight hexadecimal digits that runs share if they differ in their seeds alone."""
        net = self.model_config.changes()
        recipe = self.train_config.changes()
        recipe = {key: value for key, value in recipe.items() if key not in ("seed", "precision")}
        same = [net, recipe, self.data["checksum"], self.numerics, self.precision, self.start]
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:8]


def run_id(
    model: ModelConfig,
    model_seed: int,
    train: TrainConfig,
    data: ImageSet,
    numerics: str,
    precision: str,
    start: str | None = None,
) -> str:
    """A readable name that moves with net, recipe, seeds, data, arithmetic and precision.

    And with the weights that the run starts from, where they are not its seed's.

    Device and versions are not in it: they move numbers by rounding, and stand in the record.
    """
    recipe = {key: value for key, value in train.changes().items() if key != "precision"}
    decides = [model.changes(), model_seed, recipe, data.checksum, numerics, precision]
    decides += [start] if start else []
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:8]
    place = Path(data.name).name
    return f"{model.name}-{place}-{train.iterations}-s{train.seed}-{digest}"


def curves(records: Iterable[RunRecord]) -> pd.DataFrame:
    """The curves of some records as one tidy frame."""
    frames = [record.frame() for record in all_records(records) if len(record.curves)]
    if not frames:
        return pd.DataFrame(columns=[*CURVES, *PROPERTIES])
    return pd.concat(frames, ignore_index=True)


def probes(records: Iterable[RunRecord]) -> pd.DataFrame:
    """The probes' tables of some records as one tidy frame."""
    frames = [record.probe_frame() for record in all_records(records) if len(record.probe)]
    if not frames:
        return pd.DataFrame(columns=[*PROBE, "run_id", *PROPERTIES])
    return pd.concat(frames, ignore_index=True)


def all_records(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records as a list. Errors: `ConfigError` for what are none."""
    found = list(records) if isinstance(records, Iterable) else [records]
    if not isinstance(records, Iterable) or not all(isinstance(each, RunRecord) for each in found):
        raise ConfigError(
            f"{records!r:.60} is no list of run records, as load_records, reproduce and "
            "archived(...)[0] have it."
        )
    return found


def check_frame(frame: pd.DataFrame, *columns: str) -> None:
    """Raise `ConfigError` unless a frame of runs has these columns."""
    if not isinstance(frame, pd.DataFrame):
        raise ConfigError(
            f"a frame of runs is wanted, and not {type(frame).__name__}: curves(records) makes one."
        )
    for each in columns:
        if each not in frame:
            raise ConfigError(
                f"the frame has no column {each!r}: it has {', '.join(map(str, frame.columns))}."
            )


def of_split(frame: pd.DataFrame, split: str) -> pd.DataFrame:
    """The rows of one split, "train" or "test". Errors: `ConfigError` for another name."""
    check_frame(frame, "split")
    one_of(split, ("train", "test"), "split")
    return frame[frame["split"] == split]


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that came to their end; all, where a frame does not say."""
    return frame[frame["status"] == "complete"] if "status" in frame else frame


def one_run_each(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, if the runs of each net differ in their seeds alone: only such are averaged.

    Errors: `ConfigError` that names a net with others, as in two schedules or on two data sets.
    """
    check_frame(frame)
    if "run_id" not in frame:
        return frame
    for model, rows in frame.groupby("model", sort=False):
        runs = rows.groupby("seed")["run_id"].nunique()
        settings = rows["setting"].nunique() if "setting" in rows else 1
        if not len(runs) or (runs.max() == 1 and settings == 1):
            continue
        what = f"there are runs of {model} here"
        if runs.max() > 1:
            rows = rows[rows["seed"] == runs.idxmax()]
            what = f"there are {runs.max()} runs of {model} with seed {runs.idxmax()} here"
        names = [name for name in PROPERTIES if name not in ("seed", "status", "setting")]
        differ = [name for name in names if name in rows and rows[name].nunique() > 1]
        how = (
            f"that differ in {', '.join(differ)}: choose one, such as "
            f"frame[frame[{differ[0]!r}] == {rows[differ[0]].tolist()[0]!r}]."
            if differ
            else "that differ in net, recipe, data, arithmetic or first weights: give each a "
            "name of its own in frame['model']."
        )
        raise ConfigError(f"{what} {how}")
    return frame


def load_runs(folder: Path | str = ARCHIVE) -> pd.DataFrame:
    """All curves below a folder as one tidy frame; damaged records are warned of and left out."""
    return curves(load_records(folder))


def load_records(folder: Path | str = ARCHIVE) -> list[RunRecord]:
    """All records below a folder, by path; damaged ones are warned of and left out."""
    records = []
    if not Path(folder).is_dir():
        warnings.warn(f"{folder} is not a folder: there are no records.", stacklevel=2)
    for path in sorted(Path(folder).rglob("record.json")):
        try:
            records.append(RunRecord.load(path.parent))
        except RecordError as error:
            warnings.warn(str(error), stacklevel=2)
    return records


def refuse_other_run(folder: Path, run_id: str) -> None:
    """Raise `ConfigError` if a folder holds the record of another run."""
    if not (folder / "record.json").exists():
        return
    try:
        found = RunRecord.load(folder).run_id
    except RecordError:
        return  # a damaged record is replaced
    if found != run_id:
        raise ConfigError(
            f"{folder} holds the record of run {found}, not of {run_id}: choose another folder."
        )


def write_whole(path: Path, text: str) -> None:
    """Write a text file in one step: a kill leaves the old one or the new one.

    Each call fills a file of its own, so that several may write one path at once.
    """
    partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        on_disk(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def on_disk(path: Path) -> None:
    """Have a file's content on the disk before it takes another's place: power may fail, too."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def device_name(device: torch.device) -> str:
    """Name a device: "cpu", "mps", or "cuda" with the card's name."""
    if device.type != "cuda":
        return device.type
    import torch

    return f"cuda ({torch.cuda.get_device_name(device)})"


def environment() -> dict[str, Any]:
    """Versions and the kind of machine."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a plain one: checkpoints hold it
        "torchvision": version("torchvision"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


@cache
def commit() -> str | None:
    """The repository's commit, with "+" if files differ from it; None outside a clone."""
    here = Path(__file__).resolve().parent

    def git(*command: str) -> str | None:
        done = subprocess.run(["git", "-C", here, *command], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        if git("rev-parse", "--show-toplevel") != str(here.parent):
            return None  # another project's repository, around an installed copy
        head, changed = git("rev-parse", "--short=12", "HEAD"), git("status", "--porcelain", ".")
    except OSError:
        return None
    return head and head + ("+" if changed else "")
