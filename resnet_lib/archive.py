"""The archive, sorted: which records count, which are kept apart and why, which are missing.

    archive = survey()
    archive.runs("plain56", "short")        # the records of an arm, by precision and seed
    archive.refused                         # what is not averaged in, each with its reason
    archive.missing()                       # what the experiments want and the archive has not

A record is taken for an arm of an experiment by what it says was trained, never by its name.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from resnet_lib.batches import alternatives
from resnet_lib.checkpoints import CHECKPOINT
from resnet_lib.configs import ConfigError, ModelConfig, TrainConfig, unknown_name
from resnet_lib.data import DATASETS
from resnet_lib.experiments import (
    EXPERIMENTS,
    TIERS,
    Arm,
    Experiment,
    Tier,
    find_arm,
    find_experiments,
    find_tier,
)
from resnet_lib.measures import MEASURES, PROBED
from resnet_lib.models import build_model
from resnet_lib.numerics import numerics_hash
from resnet_lib.outputs import printed_name
from resnet_lib.runs import ARCHIVE, RecordError, RunRecord, curves

# Net, recipe, data set and size: what two runs of an arm share, whatever their seeds and precision.
Key = tuple[ModelConfig, TrainConfig, str, int]


@dataclass(frozen=True)
class Refusal:
    """A record that is kept apart: its folder, and why in one sentence."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class Archive:
    """The records below a folder that count, and those that do not.

    read: all that can be read, by folder, those that are kept apart for another reason with them.
    """

    folder: Path
    records: tuple[RunRecord, ...]
    refused: tuple[Refusal, ...]
    by_key: dict[Key, list[RunRecord]] = field(default_factory=dict, repr=False)
    # The seeds of runs that diverged, by key and precision.
    diverged: dict[tuple[Key, str], set[int]] = field(default_factory=dict, repr=False)
    read: tuple[RunRecord, ...] = field(default=(), repr=False)

    def runs(self, label: str, tier: str | Tier) -> dict[str, dict[int, RunRecord]]:
        """The records of an arm in a tier: {precision: {seed: record}}. Errors: `ConfigError`.

        bfloat16 stands before float32, so that of two precisions with as many seeds it is taken.
        """
        experiment, arm = find_arm(label)
        wanted = precision_of(experiment, arm, find_tier(tier))
        found: dict[str, dict[int, RunRecord]] = defaultdict(dict)
        for record in self.by_key.get(key_of_arm(experiment, arm, find_tier(tier)), []):
            if wanted in ("auto", record.precision):
                found[record.precision][record.model_seed] = record
        return dict(sorted(found.items()))

    def alike(
        self, experiments: Iterable[Experiment], tier: Tier
    ) -> dict[str, dict[int, RunRecord]]:
        """The records of experiments that may be compared, {label of the arm: {seed: record}}.

        They are in one precision, that in which most of them are; those of an arm that asks for a
        precision are in that.
        """
        arms = {each.label(arm): (each, arm) for each in experiments for arm in each.arms}
        asked = {label: precision_of(*each, tier) for label, each in arms.items()}
        runs = {label: self.runs(label, tier) for label in arms}
        recorded = Counter(
            precision
            for label in arms
            if asked[label] == "auto"
            for precision, seeds in runs[label].items()
            for _ in seeds
        )
        usual = max(sorted(recorded), key=recorded.__getitem__, default="")
        return {
            label: found.get(usual if asked[label] == "auto" else asked[label], {})
            for label, found in runs.items()
        }

    def values(self, label: str, tier: str | Tier, measure: str) -> dict[str, dict[int, float]]:
        """A measure of each run of an arm: {precision: {seed: value}}. Errors: `ConfigError`."""
        if measure not in MEASURES:
            raise unknown_name(measure, list(MEASURES), "measure")
        return {
            precision: {seed: MEASURES[measure](record) for seed, record in sorted(runs.items())}
            for precision, runs in self.runs(label, tier).items()
        }

    def missing(self, tiers: str | Iterable[str] = ("quick", "short", "paper")) -> pd.DataFrame:
        """What the experiments want in these tiers and the archive has not, in running order.

        A run that several experiments share is listed once, with the first. One that diverged is
        not missing: it would again.
        """
        rows, listed = [], set()
        for tier in map(find_tier, [tiers] if isinstance(tiers, str) else tiers):
            for experiment in EXPERIMENTS.values():
                if tier.name not in experiment.tiers:
                    continue
                recorded = self.alike([experiment], tier)
                for arm in experiment.arms:
                    label = experiment.label(arm)
                    key = key_of_arm(experiment, arm, tier), precision_of(experiment, arm, tier)
                    done = set(recorded[label]).union(
                        *(
                            seeds
                            for (share, precision), seeds in self.diverged.items()
                            if share == key[0] and key[1] in ("auto", precision)
                        )
                    )
                    for seed in experiment.seeds_in(tier):
                        if seed not in done and (key, seed) not in listed:
                            rows.append((tier.name, experiment.id, label, seed))
                            listed.add((key, seed))
        return pd.DataFrame(rows, columns=["tier", "experiment", "arm", "seed"])


def archived(
    experiments: str | Iterable[str], tier: str | Tier = "short", folder: Path | str = ARCHIVE
) -> tuple[list[RunRecord], str]:
    """The usable records of some experiments, seed by seed, and a sentence on what is missing.

    experiments: ids or groups. tier: a name in TIERS. folder: of the records. Trains nothing and
    loads no data. Nets are compared in one precision: see `Archive.alike`. Errors: `ConfigError`.
    """
    if not isinstance(experiments, Iterable):
        raise ConfigError(f"experiments are names, such as 'figure6', and not {experiments!r}.")
    names = [experiments] if isinstance(experiments, str) else list(experiments)
    tier = find_tier(tier)
    found: dict[str, RunRecord] = {}
    missing: dict[str, list[int]] = {}
    entries = [entry for name in names for entry in find_experiments(name)]
    recorded = survey(folder).alike(entries, tier)
    seeds = sorted({*tier.seeds, *(seed for entry in entries for seed in entry.seeds_in(tier))})
    for seed, entry in itertools.product(seeds, entries):
        for arm in entry.arms:
            label = entry.label(arm)
            runs = recorded[label]
            if seed in runs:
                found[runs[seed].run_id] = runs[seed]
            elif seed in entry.seeds_in(tier) and seed not in missing.get(label, []):
                missing.setdefault(label, []).append(seed)
    listed = "; ".join(
        f"{printed_name(label)}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        for label, seeds in missing.items()
    )
    told = f"Not recorded yet: {listed}." if missing else "All these runs are recorded."
    return list(found.values()), told


def key_of_arm(experiment: Experiment, arm: Arm, tier: Tier) -> Key:
    """What the runs of an arm in a tier share."""
    data = experiment.data_in(tier)
    known = DATASETS.get(data)  # a folder of class sheets has no size before it is read
    size = tier.size or (known.size if known is not None else 0)
    recipe = replace(experiment.recipe(arm, tier), precision="auto")
    return usual(arm.net(**tier.model)), recipe, data, size  # arms leave the data's shape open


def precision_of(experiment: Experiment, arm: Arm, tier: Tier) -> str:
    """The precision that an arm asks for: "auto" takes what each machine chooses."""
    return experiment.recipe(arm, tier).precision


def key_of_record(record: RunRecord) -> Key:
    """What a record shares with the other runs of its arm."""
    net = record.model_config
    recipe = replace(record.train_config, seed=0, precision="auto")
    name = record.data["name"]
    known = DATASETS.get(name)
    fits = known is None or (net.in_channels, net.classes) == (known.channels, known.classes)
    return usual(net) if fits else net, recipe, name, record.data["size"]


@cache
def labels() -> dict[tuple, str]:
    """The label of every experiment's arm, by what its runs share and its precision; the first.

    Once with the data set, and once without, for runs on another than the experiment's.
    """
    found: dict[tuple, str] = {}
    for tier in TIERS.values():
        for experiment in EXPERIMENTS.values():
            for arm in experiment.arms:
                key = key_of_arm(experiment, arm, tier)
                for each in (key, key[:2]):
                    found.setdefault((each, precision_of(experiment, arm, tier)), arm.label)
    return found


def label_of(record: RunRecord) -> str:
    """The label of the arm that a record is a run of, in any tier and on any data.

    plain56 trained as usual is "plain56", in float32 "plain56 float32". Of a run that is no
    experiment's, the name of its net.
    """
    if record.start is not None:
        return f"{record.model_name} from weights {record.start}"
    key, known = key_of_record(record), labels()
    for share in (key, key[:2]):
        for precision in (record.train.get("precision"), "auto"):
            if (share, precision) in known:
                return known[share, precision]
    return record.model_name


def labelled_curves(records: Iterable[RunRecord]) -> pd.DataFrame:
    """`curves` of some records; its column "model" has the label of each run's arm."""
    records = list(records)
    frame = curves(records)
    labels = {each.run_id: label_of(each) for each in records}
    return frame.assign(model=frame["run_id"].map(labels))


def usual(net: ModelConfig) -> ModelConfig:
    """A net's configuration without what follows from the data set."""
    return replace(net, in_channels=3, classes=10)


def survey(folder: Path | str = ARCHIVE) -> Archive:
    """Read all records below a folder and sort them; nothing damaged or foreign is averaged in.

    Kept apart: records with a missing or unreadable file, runs that were stopped or whose loss was
    not finite, two records of one id, an id that does not fit its contents, other arithmetic than
    the present code's, other data than the data set of that name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        warnings.warn(f"{folder} is not a folder: there are no records.", stacklevel=2)
    read, refused = [], []
    for path in sorted({p.parent for p in folder.rglob("*.csv")} | folders_of_records(folder)):
        try:
            if not (path / "record.json").exists() and (path / CHECKPOINT).exists():
                continue  # being trained
            read.append((path, read_record(path)))
        except RecordError as error:
            refused.append(Refusal(path, shorter(error, folder)))
    ids = Counter(record.run_id for _, record in read)
    sums = expected_checksums([record for _, record in read])
    usable = []
    diverged: dict[tuple[Key, str], set[int]] = defaultdict(set)
    for path, record in read:
        reason = (
            f"{ids[record.run_id]} folders hold a record of this id"
            if ids[record.run_id] > 1
            else fault(record, sums)
        )
        if reason:
            refused.append(Refusal(path, f"{reason}."))
            if (
                record.status == "diverged"
                and is_of_arm(record)
                and record.numerics == arithmetic_of(record)
            ):
                diverged[key_of_record(record), record.precision].add(record.model_seed)
        else:
            usable.append(record)
    by_key: dict[Key, list[RunRecord]] = defaultdict(list)
    for record in usable:
        if is_of_arm(record):
            by_key[key_of_record(record)].append(record)
    refused.sort(key=lambda each: each.folder)
    return Archive(
        folder,
        tuple(usable),
        tuple(refused),
        dict(by_key),
        dict(diverged),
        tuple(record for _, record in read),
    )


def read_record(folder: Path) -> RunRecord:
    """A record of a net that can be built, and so be compared. Errors: `RecordError`."""
    record = RunRecord.load(folder)
    try:
        arithmetic_of(record)
    except ConfigError as error:
        raise RecordError(f"{folder / 'record.json'} is damaged: {error}") from None
    return record


def is_of_arm(record: RunRecord) -> bool:
    """Whether a run began as those of experiments do: with the weights of its one seed."""
    return record.model_seed == record.train["seed"] and record.start is None


def arithmetic_of(record: RunRecord) -> str:
    """The numerics hash that a record would have with the present code."""
    return present_numerics(record.model_config, replace(record.train_config, seed=0))


def folders_of_records(folder: Path) -> set[Path]:
    """The folders that hold a record.json."""
    return {path.parent for path in folder.rglob("record.json")}


def shorter(error: RecordError, folder: Path) -> str:
    """An error without the path of the archive, which is another on every machine."""
    return str(error).replace(f"{folder}/", "")


def fault(record: RunRecord, checksums: dict[tuple[str, int], str]) -> str | None:
    """Why a record that can be read is kept apart, or None."""
    length = record.train["iterations"]
    place = (record.data["name"], record.data["size"])
    arithmetic = arithmetic_of(record)
    if record.status == "diverged":
        return f"its loss was not finite at iteration {record.diverged_at:,}"
    if record.status != "complete":
        return f"it is {record.status}, at iteration {record.iterations_done:,}"
    numbers = record.curves[["loss", "top1_error"]].to_numpy(float)
    if not np.isfinite(numbers).all():
        return "its curves.csv holds a number that is not finite"
    if set(record.curves["run_id"]) != {record.run_id}:
        return "its curves.csv belongs to another run"
    last = record.curves[record.curves["iteration"] == length]
    if set(last["split"]) != {"train", "test"}:
        return f"its curves.csv does not reach iteration {length:,}"
    if record.numerics != arithmetic:
        return f"its arithmetic is {record.numerics}, and that of the present code {arithmetic}"
    if record.data["checksum"] != checksums.get(place):
        return (
            f"its data have the checksum {record.data['checksum']}, and {place[0]} has "
            f"{checksums.get(place) or 'none that is known'}"
        )
    if record.run_id != record.own_id():
        return "its id does not fit what it says was trained"
    wanted = probe_of_record(record)
    if wanted and not len(record.probe):
        return "its probe.csv is missing"
    if wanted and not (set(record.probe) >= PROBED and record.is_probed(wanted)):
        return "its probe.csv is not whole"
    return None


def probe_of_record(record: RunRecord) -> tuple[int, ...]:
    """The iterations at which an experiment measures nets like this; none, if none does."""
    key = key_of_record(record), record.train.get("precision", "auto")
    tiers = (find_tier(name) for name in ("short", "paper"))
    return next((tier.probe_at for tier in tiers if key in probed_keys(tier.name)), ())


@cache
def probed_keys(tier: str) -> frozenset[tuple[Key, str]]:
    """Of the runs that an experiment measures in a tier: what they share, and the precision that
    was asked for.
    """
    return frozenset(
        (
            key_of_arm(experiment, arm, find_tier(tier)),
            precision_of(experiment, arm, find_tier(tier)),
        )
        for experiment in EXPERIMENTS.values()
        if experiment.probe
        for arm in experiment.arms
    )


@cache
def present_numerics(net: ModelConfig, recipe: TrainConfig | None = None) -> str:
    """The numerics hash of a net, trained by a recipe, with the present code."""
    with torch.device("meta"):
        made = build_model(net, seed=0)
    return numerics_hash(made, *alternatives(recipe or TrainConfig()))


def expected_checksums(records: list[RunRecord]) -> dict[tuple[str, int], str]:
    """The checksum of each data set by name and size: the known one, else that of most records.

    Where as many records have one as another, none is expected.
    """
    found: dict[tuple[str, int], Counter] = defaultdict(Counter)
    for record in records:
        found[record.data["name"], record.data["size"]][record.data["checksum"]] += 1
    expected = {}
    for (name, size), counts in found.items():
        (most, times), *others = counts.most_common()
        known = DATASETS.get(name)
        if known is not None and known.checksum and size == known.size:
            expected[name, size] = known.checksum
        elif not others or others[0][1] < times:
            expected[name, size] = most
    return expected


def arms_in(expression: str) -> list[tuple[int, str]]:
    """The arms of a sum such as "plain56 - plain20", each with its sign. Errors: `ConfigError`.

    Signs stand between spaces; the first arm has none.
    """
    words = expression.replace(" - ", " + \0").split(" + ")
    signed = [(-1 if word.startswith("\0") else 1, word.removeprefix("\0")) for word in words]
    if not all(label for _, label in signed):
        raise ConfigError(f"{expression!r} is no sum of arms, such as 'plain56 - plain20'.")
    return signed
