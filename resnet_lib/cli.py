"""The command line: python -m resnet_lib."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from resnet_lib.archive import label_of, survey
from resnet_lib.complexity import OTHER_NETS, complexity
from resnet_lib.configs import (
    INITS,
    PRECISIONS,
    SHORTCUTS,
    ConfigError,
    ModelConfig,
    TrainConfig,
    unknown_name,
    whole,
)
from resnet_lib.data import DATASETS, ImageSet, load
from resnet_lib.deletions import record_deletions
from resnet_lib.downloads import DataError
from resnet_lib.experiments import (
    EXPERIMENTS,
    GROUPS,
    TIERS,
    arm,
    at_length,
    reproduce,
    size_in,
)
from resnet_lib.ledger import KINDS, VERDICTS, Ledger
from resnet_lib.models import MODELS, ResNet, model_config
from resnet_lib.photos import is_photos, load_photos
from resnet_lib.recipes import RECIPES, compare_recipes, describe_recipe
from resnet_lib.repository import in_repository
from resnet_lib.runner import RunError, RunSpec, Stopped, load_once, run_one, unsaved
from resnet_lib.runs import ARCHIVE, RecordError, RunRecord
from resnet_lib.testing import PROTOCOLS, measure_errors
from resnet_lib.weights import pretrained, read_net

TORCHVISION = "torchvision"

EXAMPLES = """examples:
  python -m resnet_lib train resnet56 --data embedded --iterations 400
  python -m resnet_lib train plain20 --data cifar10 --tier short --out runs
  python -m resnet_lib reproduce figure6 --tier short --seeds 0 1 2
  python -m resnet_lib reproduce figure6-plain --tier quick --seeds 0 1
  python -m resnet_lib evaluate resnet50 --weights torchvision --data imagenette --protocol 10-crop
  python -m resnet_lib ledger --verdict unclear
  python -m resnet_lib runs --missing
  python -m resnet_lib models
"""


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one sentence, not with its whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"resnet_lib: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = Parser(
        prog="python -m resnet_lib",
        description="Plain and residual nets of the ResNet papers: train, reproduce, count, list.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser(
        "train",
        help="train one net and print its curve",
        description="Train one net. Every option starts from the tier's value; with --out the "
        "record is kept, and a run that was stopped goes on where it was.",
    )
    one.add_argument("model", help="a name from `models`, such as resnet56 or plain20")
    one.add_argument("--data", help=f"{', '.join(DATASETS)}, or a folder of class sheets")
    one.add_argument("--tier", default="paper", choices=list(TIERS), help="default: paper")
    one.add_argument("--iterations", type=int, help="the tier's schedule at another length")
    one.add_argument("--lr", type=float, help="learning rate")
    one.add_argument("--batch-size", type=int, help="images a step")
    one.add_argument("--seed", type=int, default=0, help="default: 0")
    one.add_argument("--shortcut", choices=SHORTCUTS[1:], help="option of a residual net")
    one.add_argument("--width", type=int, help="channels of conv2_x")
    one.add_argument("--init", choices=INITS, help="initialisation")
    one.add_argument("--no-batch-norm", action="store_true", help="leave BN out")
    one.add_argument("--precision", choices=PRECISIONS, help="auto: by device")
    one.add_argument(
        "--set",
        nargs="+",
        action="extend",
        metavar="FIELD=VALUE",
        help="any other field of ModelConfig or TrainConfig: order=preactivation warmup_lr=0.01 "
        "milestones=[200,300]",
    )
    one.add_argument("--out", type=Path, help="folder that keeps the record")

    many = commands.add_parser(
        "reproduce",
        help="run what a table or figure needs and is not recorded yet",
        description="Run experiments, several runs at once, and keep their records. Ctrl-C stops; "
        "the same command goes on. Experiments: "
        + "; ".join(f"{each.id} ({each.reproduces})" for each in EXPERIMENTS.values())
        + ". Several at once: "
        + "; ".join(f"{name} ({', '.join(each)})" for name, each in GROUPS.items()),
    )
    many.add_argument("experiments", nargs="+", metavar="EXPERIMENT")
    many.add_argument("--tier", default="short", choices=list(TIERS))
    many.add_argument("--seeds", type=int, nargs="+", action="extend", help="instead of the tier's")
    many.add_argument("--data", help="another data set than the tier's")
    many.add_argument(
        "--out",
        type=Path,
        help="folder of the records (default: the archive; of tier smoke, runs/smoke)",
    )
    many.add_argument(
        "--jobs",
        type=int,
        help="runs at once (default: one a processor; one on a GPU, or for seconds of work)",
    )
    for command in (one, many):
        command.add_argument(
            "--compiled",
            action=argparse.BooleanOptionalAction,
            help="fuse layers with torch.compile (GPU; default: in long runs)",
        )
        command.add_argument(
            "--recompute",
            action="store_true",
            help="in less memory, to the same numbers: for nets of 1000 layers; a third slower, "
            "and without CUDA graphs, which on a GPU costs more",
        )

    test = commands.add_parser(
        "evaluate",
        help="test a trained net by one of the papers' protocols",
        description="Test a trained net: top-1 and top-5 error, with the number of images. "
        "Several weights are an ensemble. Imagenette and ImageNet are folders below "
        "RESNET_LIB_DATA: imagenette2/val/<wnid>/*.JPEG and imagenet/val/<wnid>/*.JPEG. Where "
        "Imagenette is missing it is fetched (1.5 GB).",
    )
    test.add_argument("model", help="a name from `models`, such as resnet50 or resnet20")
    test.add_argument(
        "--weights",
        nargs="+",
        action="extend",
        required=True,
        help="torchvision (ImageNet nets), or a run's folder, or a safetensors or torch file",
    )
    test.add_argument(
        "--data",
        help=f"imagenette, imagenet, {', '.join(DATASETS)}, or a folder of class sheets or of "
        "photographs in val/<class>; default: the net's training data, else embedded",
    )
    test.add_argument("--protocol", default="centre-crop", choices=list(PROTOCOLS))
    test.add_argument("--images", type=int, help="test so many only")
    test.add_argument("--size", type=int, help="reduce class sheets to so many pixels")
    test.add_argument("--batch-size", type=int, help="images in memory at a time")
    claims = commands.add_parser(
        "ledger",
        help="hold the papers' claims against what is recorded, counted and proved",
        description="One line a claim with its verdict; with ids, all that is held against these.",
    )
    claims.add_argument("ids", nargs="*", metavar="CLAIM", help="such as 13: show it in full")
    several = {"nargs": "+", "action": "extend"}
    claims.add_argument("--verdict", **several, metavar="VERDICT", help=", ".join(VERDICTS))
    claims.add_argument("--kind", **several, choices=KINDS, help="how it is to be settled")
    claims.add_argument("--chapter", help="such as degradation")
    claims.add_argument("--runs", type=Path, help="folder of the records (default: the archive)")

    commands.add_parser("models", help="list the nets with their size and cost")
    recipes = commands.add_parser("recipes", help="how the paper and three implementations train")
    recipes.add_argument("name", nargs="?", help="one recipe, with its sources; else: what differs")
    data = commands.add_parser("data", help="load a data set and describe it")
    data.add_argument("name", nargs="?", default="embedded", help="name or folder")
    runs = commands.add_parser("runs", help="list recorded runs")
    runs.add_argument(
        "folder", nargs="?", type=Path, default=ARCHIVE, help="where to look (default: the archive)"
    )
    runs.add_argument(
        "--missing", action="store_true", help="list what the experiments want and is not there"
    )
    deletions = commands.add_parser(
        "deletions",
        help="measure a recorded net without some of its blocks",
        description="Delete single blocks and random sets of blocks of a recorded net, and write "
        "the test errors as deletions.csv beside its record. Ctrl-C stops; the same command goes "
        "on.",
    )
    deletions.add_argument(
        "folder", type=Path, help="of the run, with record.json and weights.safetensors"
    )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake of the caller's is one sentence and exit status 2."""
    options = parser().parse_args(arguments)
    try:
        status = {
            "train": do_train,
            "evaluate": do_evaluate,
            "reproduce": do_reproduce,
            "ledger": do_ledger,
            "models": do_models,
            "recipes": do_recipes,
            "data": do_data,
            "runs": do_runs,
            "deletions": do_deletions,
        }[options.command](options)
        sys.stdout.flush()  # here and not after: what a closed pipe raises is caught below
        return status
    except (ConfigError, DataError, RecordError, RunError) as error:
        print(f"resnet_lib: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"resnet_lib: {where}{error.strerror or error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print(f"resnet_lib: {str(stopped) or 'stopped.'}", file=sys.stderr)
        return 130


def do_train(options: argparse.Namespace) -> int:
    """Train one net as the options say."""
    tier = TIERS[options.tier]
    check_out(options.out)
    usual = replace(tier.train, seed=options.seed)
    recipe = at_length(usual, options.iterations) if options.iterations is not None else usual
    own = arm(options.model, **changes_of(options))
    recipe = replace(recipe, **own.of_train)
    # Only here, where all that cannot be has been said, are data fetched.
    data = tier.data if options.data is None else options.data
    size = size_in(tier, data)
    of_data = load_once(data, size).net_fields
    config = own.net(**tier.model, **of_data)
    as_it_is = model_config(options.model, **tier.model, **of_data)
    changed = recipe != usual or config != as_it_is or data != tier.data
    name = "custom" if changed else tier.name
    how = {"compiled": options.compiled, "recompute": options.recompute}
    record = run_one(RunSpec(config, recipe, data, size, name, **how), options.out)
    print(record.curves.drop(columns="run_id").to_string(index=False, float_format="%.4g"))
    lost = unsaved(record, options.out)
    where = f", kept in {options.out / record.run_id}" if options.out and not lost else ""
    at = f" at iteration {record.diverged_at}" if record.diverged_at is not None else ""
    took = f"after {record.seconds:.1f} s on {record.device}"
    print(f"{record.run_id}: {record.status}{at} {took}{where}")
    if record.status == "interrupted" and not lost:
        print(f"resnet_lib: stopped{'; the same command goes on' * bool(where)}.", file=sys.stderr)
        return 130
    return ended([record], options.out)


def ended(records: Sequence[RunRecord], folder: Path | None) -> int:
    """The exit status of some runs; says of each what could not be kept."""
    lost = [told for record in records if (told := unsaved(record, folder))]
    for told in lost:
        print(f"resnet_lib: {told}", file=sys.stderr)
    return 1 if lost or any(record.status != "complete" for record in records) else 0


def changes_of(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a net and of its recipe that the options change. Errors: `ConfigError`."""
    names = ("lr", "batch_size", "precision", "width", "init", "shortcut")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.no_batch_norm:
        changes["batch_norm"] = False
    known = [each.name for config in (ModelConfig, TrainConfig) for each in fields(config)]
    own = {name: f"--{name.replace('_', '-')}" for name in (*names, "iterations", "seed")}
    own |= {"batch_norm": "--no-batch-norm", "depth": "MODEL"}
    for each in options.set or ():
        name, equals, text = each.partition("=")
        if not equals:
            raise ConfigError(f"--set takes FIELD=VALUE, such as warmup_lr=0.01, not {each!r}.")
        if name not in known:
            raise unknown_name(name, known, "field of ModelConfig or TrainConfig")
        if name in own:
            raise ConfigError(f"{name} is set by {own[name]}, and not by --set.")
        if name in changes:
            raise ConfigError(f"{name} is set twice.")
        if text.startswith("(") and text.endswith(")"):
            text = f"[{text[1:-1].rstrip(',')}]"  # a tuple, as Python writes it
        try:
            value = json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
        except ValueError:
            value = text
        changes[name] = tuple(value) if isinstance(value, list) else value
    return changes


def do_reproduce(options: argparse.Namespace) -> int:
    """Run experiments and list their last test errors."""
    folder = options.out
    if folder is None and options.tier == "smoke":
        folder = Path("runs", "smoke")  # nothing of it is archived
    elif folder is None:
        folder = in_repository(ARCHIVE) / options.tier
    check_out(folder)
    try:
        records = reproduce(
            options.experiments,
            options.tier,
            seeds=options.seeds,
            data=options.data,
            folder=folder,
            jobs=options.jobs,
            compiled=options.compiled,
            recompute=options.recompute,
        )
    except Stopped as stopped:
        if stopped.records:
            print(summary(stopped.records).to_string(index=False))
        raise
    print(summary(records).to_string(index=False))
    return ended(records, folder)


def check_out(folder: Path | None) -> None:
    """Raise `ConfigError` if records cannot be kept in a folder because it is a file."""
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file: --out needs a folder.")


def summary(records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row a run: what it was and where it ended."""
    rows = []
    for record in records:
        ends = {"train": float("nan"), "test": float("nan")}
        ends |= record.curves.groupby("split")["top1_error"].last().to_dict()
        rows.append(
            {
                "run_id": record.run_id,
                "net": label_of(record),
                "tier": record.tier,
                "status": record.status,
                "iterations": record.iterations_done,
                "training error %": round(ends["train"], 2),
                "test error %": round(ends["test"], 2),
                "images/s": record.images_per_second,
                "minutes": round(record.seconds / 60, 1),
            }
        )
    return pd.DataFrame(rows)


def do_evaluate(options: argparse.Namespace) -> int:
    """Test a net, or an ensemble of several weights."""
    model_config(options.model.partition("-")[0])  # a wrong name is said before all else
    for name in ("images", "size", "batch_size"):
        if getattr(options, name) is not None:
            whole(getattr(options, name), 1, name)
    photos = options.data is not None and is_photos(options.data)
    if photos and options.size is not None:
        raise ConfigError("--size reduces class sheets; photographs keep their protocol's sizes.")
    # Weights before images: they are the smaller download.
    if TORCHVISION in options.weights and not photos:
        raise ConfigError(
            "torchvision's weights tell ImageNet's classes apart: test them on imagenette, "
            "imagenet, or a folder of photographs."
        )
    nets = [
        pretrained(options.model) if each == TORCHVISION else read_net(options.model, Path(each))
        for each in options.weights
    ]
    pictures = load_photos(options.data) if photos else images_for(nets, options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        errors = measure_errors(
            nets,
            pictures,
            options.protocol,
            images=options.images,
            batch_size=options.batch_size,
            progress=sys.stderr.isatty(),
        )
    for each in caught:
        print(f"resnet_lib: {each.message}", file=sys.stderr)
    counts = Counter(net.config.name for net in nets)
    tested = " + ".join(name if n == 1 else f"{name} x {n}" for name, n in counts.items())
    print(f"{tested}, {pictures.name}, {options.protocol}: {errors}")
    return 0


def images_for(nets: Sequence[ResNet], options: argparse.Namespace) -> ImageSet:
    """The data set and size that the options name, or else those that the nets were trained on.

    Errors: `ConfigError` where these are several.
    """
    about = [record.data for net in nets if (record := getattr(net, "record", None)) is not None]
    names, sizes = (sorted({each[field] for each in about}) for field in ("name", "size"))
    if options.data is None and len(names) > 1:
        raise ConfigError(f"the nets were trained on {' and '.join(names)}: choose with --data.")
    data = options.data
    if data is None:
        data = names[0] if names else "embedded"
    images = load(data)
    if options.size is not None:
        return images.reduced(options.size)
    if len(sizes) > 1:
        raise ConfigError(
            f"the nets were trained on images of {' and '.join(map(str, sizes))} pixels: choose "
            "with --size."
        )
    size = sizes[0] if sizes else images.size
    if size not in images.sizes:
        print(
            f"resnet_lib: {data} cannot be reduced to the {size} pixels of the training images: "
            f"it is tested at {images.size}.",
            file=sys.stderr,
        )
        return images
    return images.reduced(size)


def do_ledger(options: argparse.Namespace) -> int:
    """List claims with their verdicts, or show some in full."""
    if options.runs is not None and not options.runs.is_dir():
        raise ConfigError(f"{options.runs} is not a folder.")
    ledger = Ledger.read(survey(options.runs or ARCHIVE))
    rows = ledger.select(options.ids, options.verdict, options.kind, options.chapter)
    for row in rows:
        if options.ids:
            print("\n".join(row.lines()), end="\n\n")
        else:
            print(f"{row.claim.id:>4}  {row.short:<42}  {row.claim.title}")
    print(f"{len(rows)} of {len(ledger)} claims.")
    for each in ledger.archive.refused:
        print(f"kept apart: {each.folder.name}: {each.reason}")
    return 0


def do_models(options: argparse.Namespace) -> int:
    """List MODELS, and the nets of torchvision to compare them with."""
    rows = []
    for name in (*MODELS, *OTHER_NETS):
        cost = complexity(name)
        rows.append(
            {
                "model": name,
                "weighted layers": cost.weighted_layers,
                "parameters": f"{cost.parameters:,}",
                "multiply-adds": f"{cost.multiply_adds:,}",
            }
        )
    print(pd.DataFrame(rows).to_string(index=False))
    for name, other in OTHER_NETS.items():
        print(f"{name}: for comparison; {other.note}.")
    return 0


def do_recipes(options: argparse.Namespace) -> int:
    """Describe one recipe, or list what differs between all."""
    if options.name:
        for row in describe_recipe(options.name).to_dict("records"):
            beside = "; ".join(each for each in (row["source"], row["our field"]) if each)
            print(f"{row['choice']}: {row[options.name]}{f' [{beside}]' if beside else ''}")
        print(f"Sources: {RECIPES[options.name].address}")
        return 0
    for row in compare_recipes().to_dict("records"):
        print(row["choice"])
        for name in RECIPES:
            print(f"    {name:<16} {row[name]}")
    return 0


def do_data(options: argparse.Namespace) -> int:
    """Describe a data set."""
    data = load(options.name)
    print(
        f"{data.name}: {len(data.train_images):,} training and {len(data.test_images):,} test "
        f"images, {data.size}x{data.size}, {data.channels} channel(s), checksum {data.checksum}"
    )
    print("classes: " + ", ".join(data.classes))
    return 0


def do_runs(options: argparse.Namespace) -> int:
    """List recorded runs."""
    if not options.folder.is_dir():
        raise ConfigError(f"{options.folder} is not a folder.")
    archive = survey(options.folder)
    if options.missing:
        missing = archive.missing()
        groups = missing.groupby(["tier", "experiment", "arm"], sort=False)["seed"]
        seeds = groups.agg(lambda each: " ".join(map(str, each))).rename("seeds").reset_index()
        print(seeds.to_string(index=False) if len(seeds) else "Nothing is missing.")
        return 0
    if not archive.read and not archive.refused:
        print(f"No runs are recorded in {options.folder}.")
        return 0
    if archive.read:
        print(summary(archive.read).to_string(index=False))
    for each in archive.refused:
        print(f"kept apart: {each.folder.relative_to(options.folder)}: {each.reason}")
    return 0


def do_deletions(options: argparse.Namespace) -> int:
    """Delete blocks of a recorded net and summarise what that did to its test error."""
    deletions = record_deletions(options.folder)
    by_size = deletions.frame.groupby(["images", "deleted"])["top1_error"]
    print(by_size.describe()[["count", "min", "50%", "max"]].round(2).to_string())
    return 0
