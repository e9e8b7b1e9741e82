"""The papers' experiments as entries of a list, and the schedules that they run in.

    reproduce("figure6", tier="short", folder="runs")

A tier fixes data, schedule and seeds: everything that the arms of a comparison must share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from resnet_lib.analysis import PROBES
from resnet_lib.configs import (
    ConfigError,
    ModelConfig,
    TrainConfig,
    as_seed,
    one_of,
    unknown_name,
    whole,
)
from resnet_lib.data import DATASETS, ImageSet
from resnet_lib.models import model_config
from resnet_lib.runner import RunSpec, Stopped, at_once, load_once, run_all
from resnet_lib.runs import RunRecord


@dataclass(frozen=True)
class Tier:
    """A schedule with its data: the same for every arm of a comparison.

    model: fields of `ModelConfig` that the tier changes. size: width in pixels to which images
    are reduced. probe_at: iterations at which an experiment's probe measures the net.
    """

    name: str
    train: TrainConfig
    data: str = "cifar10"
    size: int | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    probe_at: tuple[int, ...] = ()

    def with_seeds(self, seeds: Iterable[int] | int | None) -> Tier:
        """The same with other seeds; None leaves its own. Errors: `ConfigError`."""
        return self if seeds is None else replace(self, seeds=listed(seeds))

    def with_iterations(self, iterations: int) -> Tier:
        """The same, longer or shorter: its milestones keep their shares. Errors: `ConfigError`."""
        return replace(self, train=at_length(self.train, iterations))


# The learning rate of the small nets was chosen on seeds 100 to 102 so that the training loss of
# plain56 is smallest, which favours the plain arm: see data/runs/LOG.md.
SMALL_NET = {"width": 8, "stem_stride": 2}
QUICK = TrainConfig(
    iterations=80,
    batch_size=64,
    lr=0.01,
    milestones=(40, 60),
    pad=1,
    window=10,
    eval_every=20,
    precision="float32",  # as fast as bfloat16 for nets this small
)


class Tiers(dict[str, Tier]):
    """The tiers by name; an unknown name is answered with the nearest ones."""

    def __missing__(self, name: str) -> Tier:
        raise unknown_name(name, list(self), "tier")


TIERS: Tiers = Tiers(
    (tier.name, tier)
    for tier in (
        Tier("paper", TrainConfig(), probe_at=(0, 400, 4_000, 16_000, 32_000, 48_000, 64_000)),
        Tier(
            "short",
            TrainConfig(iterations=3_200, milestones=(1_600, 2_400), eval_every=400),
            probe_at=(0, 50, 100, *range(200, 3_201, 200)),
        ),
        Tier("quick", QUICK, "embedded", 14, SMALL_NET, probe_at=(0, 20, 80)),
        Tier(
            "smoke",
            replace(QUICK, iterations=4, milestones=(2, 3), window=2, eval_every=2),
            "embedded",
            14,
            SMALL_NET,
            seeds=(0, 1),
            probe_at=(0, 4),
        ),
    )
)
"""The schedules by name: "paper", "short", "quick" and "smoke", each with data and seeds."""


def compare_tiers() -> pd.DataFrame:
    """What tiers train, a row a property and a column a tier, in words."""
    columns = {}
    for name in ("quick", "short", "paper"):
        tier = TIERS[name]
        columns[name] = {
            "data": tier.data,
            "pixels a side": f"{tier.size or 32}",
            "channels, first stage": f"{tier.model.get('width', 16)}",
            "iterations": f"{tier.train.iterations:,}",
            "batch": f"{tier.train.batch_size}",
            "learning rate": f"{tier.train.lr:g}",
            "divided by 10 at": " and ".join(f"{at:,}" for at in tier.train.milestones),
            "seeds planned": f"{len(tier.seeds)}",
        }
    return pd.DataFrame(columns).rename_axis("tier").reset_index()


@dataclass(frozen=True)
class Arm:
    """One net of an experiment: a model's name, and fields that are changed.

    changes: fields of `ModelConfig` or of `TrainConfig`; no name is in both. label: tells the arm
    from every other of the archive; by default the changed net's own name. Errors: `ConfigError`
    for a seed or a length, which are the experiment's.
    """

    model: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        for name, instead in (("seed", "seeds"), ("iterations", "stretch")):
            if name in self.changes:
                raise ConfigError(
                    f"an arm does not change {name}: all arms of an experiment share its {instead}."
                )
        if not self.label:
            object.__setattr__(self, "label", self.net().name)

    @property
    def of_train(self) -> dict[str, Any]:
        """The changes that belong to the recipe."""
        names = {each.name for each in fields(TrainConfig)}
        return {name: value for name, value in self.changes.items() if name in names}

    def net(self, **changes: Any) -> ModelConfig:
        """The arm's net, further changed by a tier or by the data."""
        own = {name: v for name, v in self.changes.items() if name not in self.of_train}
        return model_config(self.model, **{**changes, **own})


def arm(model: str, label: str = "", **changes: Any) -> Arm:
    """An `Arm` in short: arm("resnet20", shortcut="B")."""
    return Arm(model, changes, label)


@dataclass(frozen=True)
class Experiment:
    """Some nets to be trained in one tier, and which table or figure that reproduces.

    arms: nets by name, or with changes. stretch: multiplies the iterations and milestones of the
    tier. probe: a name in PROBES. data: a name in DATASETS, instead of a tier's CIFAR-10.
    tiers: those in which the archive is meant to hold it; it runs in any. seeds: instead of the
    tier's.
    Errors: `ConfigError` for arms that are not told apart, for tiers that keep no runs, and for a
    probe or data that there are not.
    """

    id: str
    reproduces: str
    arms: tuple[Arm, ...]
    stretch: int = 1
    probe: str | None = None
    data: str | None = None
    tiers: tuple[str, ...] = ("short", "paper")
    seeds: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        arms = tuple(arm(each) if isinstance(each, str) else each for each in self.arms)
        object.__setattr__(self, "arms", arms)
        names = [each.label for each in arms]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(
                    f"experiment {self.id!r} has {names.count(name)} arms called {name!r}: give "
                    "each a label of its own."
                )
        what = f"experiment {self.id!r}:"
        whole(self.stretch, 1, f"{what} stretch")
        one_of(self.probe, (None, *PROBES), f"{what} probe")
        one_of(self.data, (None, *DATASETS), f"{what} data set")
        for name in self.tiers:
            archived = tuple(each for each in TIERS if each != "smoke")
            one_of(name, archived, f"{what} tier")

    @property
    def models(self) -> tuple[str, ...]:
        """The names of its nets, arm by arm."""
        return tuple(each.net().name for each in self.arms)

    def label(self, arm: Arm) -> str:
        """What an arm is called in the archive: with the length and the data, if they differ."""
        length = f" x{self.stretch}" if self.stretch > 1 else ""
        return f"{arm.label}{length}{f' on {self.data}' if self.data else ''}"

    def data_in(self, tier: Tier) -> str:
        """The data set of a tier, where the experiment has not its own."""
        return self.data if self.data and tier.data == "cifar10" else tier.data

    def seeds_in(self, tier: Tier) -> tuple[int, ...]:
        """The tier's seeds, or the experiment's own."""
        return tier.seeds if self.seeds is None else self.seeds

    def recipe(self, arm: Arm, tier: Tier) -> TrainConfig:
        """How an arm is trained in a tier, with seed 0."""
        stretched = at_length(tier.train, tier.train.iterations * self.stretch)
        return replace(stretched, **arm.of_train)


# The first paper warms up ResNet-110 only: at 0.01 until the training error is below 80%, which
# took about 400 iterations. The second paper warms up all its CIFAR nets for 400 iterations; here
# they follow the first paper's rule, and each record says when its warm-up ended.
WARM_UP = {"warmup_lr": 0.01}
PAPER = ("paper",)  # days on a CPU
VARIANTS = ("bn-after-addition", "relu-before-addition", "relu-only-preactivation", "preactivation")


def on_the_shortcut(
    net: str,
    scales: Iterable[tuple[float, float]],
    gates: Iterable[tuple[str, int]],
    **changes: Any,
) -> tuple[Arm, ...]:
    """A net with each of what the second paper's Table 1 puts on all its shortcuts.

    scales: of shortcut and residual. gates: each with the bias that it starts with.
    """
    scaled = (
        arm(
            net,
            f"{net}-constant ({shortcut}, {residual})",
            junction="constant",
            shortcut_scale=shortcut,
            residual_scale=residual,
            **changes,
        )
        for shortcut, residual in scales
    )
    gated = (
        arm(net, f"{net}-{gate} ({bias})", junction=gate, gate_bias=float(bias), **changes)
        for gate, bias in gates
    )
    projected, dropped = {"shortcut": "C"}, {"junction": "dropout"}
    return *scaled, *gated, *(arm(net, **each, **changes) for each in (projected, dropped))


# In the order in which they should be run.
EXPERIMENTS: dict[str, Experiment] = {
    each.id: each
    for each in (
        Experiment(
            "figure6-plain",
            "Paper, Figure 6, left: plain nets of two depths; Figure 7: their responses",
            ("plain20", "plain56"),
            probe="signals",
        ),
        Experiment(
            "figure6-residual",
            "Paper, Figure 6, middle: residual nets of the same depths; Figure 7: their responses",
            ("resnet20", "resnet56"),
            probe="signals",
        ),
        Experiment(
            "options-20",
            "Own experiment: options A, B and C at 20 layers (the paper's Table 3 is ImageNet)",
            ("resnet20", *(arm("resnet20", shortcut=option) for option in "BC")),
        ),
        Experiment(
            "options-56",
            "Own experiment: plain, and options A, B and C, at 56 layers",
            ("plain56", "resnet56", *(arm("resnet56", shortcut=option) for option in "BC")),
            probe="signals",
        ),
        Experiment(
            "figure6-between",
            "Paper, Figure 6: plain and residual nets of the depths between",
            ("plain32", "plain44", "resnet32", "resnet44"),
        ),
        Experiment(
            "preactivation",
            "Own experiment: pre-activation at 56 layers (the second paper begins at 110)",
            ("preresnet56",),
        ),
        Experiment(
            "orders",
            "Own experiment: orders of BN, ReLU and addition at 56 layers (second paper, Table 2)",
            ("resnet56", *(arm("resnet56", order=each) for each in VARIANTS[:-1]), "preresnet56"),
            tiers=(),
        ),
        Experiment(
            "float32-control",
            "Own experiment: the twins of 56 layers in float32, as the control of precision",
            tuple(
                arm(f"{n}56", f"{n}56 float32", precision="float32") for n in ("plain", "resnet")
            ),
        ),
        Experiment(
            "warm-up-56",
            "Own experiment: the twins of 56 layers with the warm-up of ResNet-110",
            tuple(arm(f"{n}56", f"{n}56 with warm-up", **WARM_UP) for n in ("plain", "resnet")),
        ),
        Experiment(
            "warm-up-20",
            "Own experiment: the control of that, the twins of 20 layers with the same warm-up",
            tuple(arm(f"{n}20", f"{n}20 with warm-up", **WARM_UP) for n in ("plain", "resnet")),
            tiers=("short",),
        ),
        Experiment(
            "recipe",
            "Own experiment: ResNet-20 by the paper's recipe, and with one part of it changed",
            (
                "resnet20",
                arm("resnet20", "resnet20 without augmentation", pad=0, flip=False),
                arm("resnet20", "resnet20 without momentum", momentum=0.0),
                arm("resnet20", "resnet20 without weight decay", weight_decay=0.0),
                arm("resnet20", "resnet20 at one learning rate", milestones=()),
                arm("resnet20", "resnet20 with dropout", dropout=0.5),
            ),
            tiers=("short",),
        ),
        Experiment(
            "left-open",
            "Own experiment: ResNet-56, and three choices that the paper leaves open",
            (
                "resnet56",
                arm("resnet56", "resnet56, BN over 64 images", bn_images=64),
                arm("resnet56", "resnet56, BN without decay", decay_all=False),
                arm("resnet56", "resnet56, fan-out", init="he-fan-out"),
            ),
        ),
        Experiment(
            "shortcuts-20",
            "Own experiment: what can stand on the shortcut, at 20 layers (second paper, Table 1)",
            on_the_shortcut(
                "resnet20",
                ((0.5, 1.0), (0.5, 0.5)),
                (
                    ("exclusive-gate", 0),
                    ("exclusive-gate", -6),
                    ("shortcut-gate", 0),
                    ("shortcut-gate", -6),
                ),
            ),
            tiers=("short",),
        ),
        Experiment(
            "scales",
            "Own experiment: scale augmentation at CIFAR's size, for testing at several scales",
            (
                "resnet20",
                arm("resnet20", "resnet20, scales", scale_range=(1.0, 480 / 224)),
            ),
            tiers=("short",),
        ),
        Experiment(
            "single-layer",
            "Paper, section 3.2: blocks of one layer (the second paper's 1-layer skip)",
            ("plain20", "plain56", *(arm(f"resnet{n}", block="single-layer") for n in (20, 56))),
            tiers=("short",),
        ),
        Experiment(
            "single-layer-110",
            "Second paper, Table 3: 110 layers, a shortcut around each",
            tuple(arm(f"{n}resnet110", block="single-layer", **WARM_UP) for n in ("", "pre")),
            tiers=PAPER,
        ),
        Experiment(
            "embedded-net",
            "Own experiment: a net on the embedded images, for its weights",
            ("resnet20",),
            data="embedded",
            tiers=("short",),
            seeds=(0,),
        ),
        Experiment(
            "train-yourself",
            "Own experiment: the small nets that the explorer of that name begins with",
            ("plain20", "resnet20"),
            stretch=5,
            tiers=("quick",),
            seeds=(0,),
        ),
        Experiment(
            "footnote3",
            "Paper, section 4.1, footnote 3: plain nets, three times the iterations",
            ("plain20", "plain56"),
            stretch=3,
        ),
        Experiment(
            "start",
            "Paper, section 1: tens of layers start, by initialisation and BN; each removed",
            (
                "plain20",
                arm("plain20", "plain20, small init", init="small"),
                arm("plain20", "plain20 without BN", batch_norm=False),
                arm("plain20", "plain20 without BN, small init", batch_norm=False, init="small"),
            ),
        ),
        Experiment(
            "start-56",
            "Paper, section 1: the same at 56 layers, with Glorot's initialisation as well",
            (
                arm("plain56", "plain56 without BN", batch_norm=False),
                arm("plain56", "plain56 without BN, xavier", batch_norm=False, init="xavier"),
                arm("plain56", "plain56, small init", init="small"),
            ),
        ),
        Experiment(
            "figure6-110",
            "Paper, Figure 6 and Table 6: 110 layers, the residual net with its warm-up",
            (arm("plain110"), arm("resnet110", **WARM_UP)),
            probe="signals",
            tiers=PAPER,
        ),
        Experiment(
            "footnote5",
            "Paper, section 4.2, footnote 5: ResNet-110 without the warm-up",
            (arm("resnet110", "resnet110 without warm-up"),),
            tiers=PAPER,
        ),
        Experiment(
            "bottlenecks",
            "Paper, section 4.1, footnote 4, on CIFAR nets: bottlenecks without and with shortcuts",
            tuple(
                arm(f"{kind}20", depth=n, block="bottleneck")
                for kind in ("plain", "resnet")
                for n in (29, 83)
            ),
        ),
        Experiment(
            "activation",
            "Second paper, Tables 2 and 3: orders of BN, ReLU and addition, 110 and 164 layers",
            (
                *(arm("resnet110", order=order, **WARM_UP) for order in VARIANTS),
                arm("resnet164", **WARM_UP),
                *(arm("resnet164", order=order, **WARM_UP) for order in VARIANTS),
            ),
            tiers=PAPER,
        ),
        Experiment(
            "shortcuts",
            "Second paper, Table 1: what can stand on the shortcut of ResNet-110",
            on_the_shortcut(
                "resnet110",
                ((0.0, 1.0), (0.5, 1.0), (0.5, 0.5)),
                (
                    ("exclusive-gate", 0),
                    ("exclusive-gate", -6),
                    ("exclusive-gate", -7),
                    ("shortcut-gate", 0),
                    ("shortcut-gate", -6),
                ),
                **WARM_UP,
            ),
            tiers=PAPER,
        ),
        Experiment(
            "cifar100",
            "Second paper, Table 3: CIFAR-100, 164 layers",
            (arm("resnet164", **WARM_UP), arm("preresnet164", **WARM_UP)),
            data="cifar100",
            tiers=PAPER,
        ),
        Experiment(
            "thousand-layers",
            "Second paper, Tables 3 and 4: 1001 layers, batches of 128 and 64",
            (
                arm("resnet1001", **WARM_UP),
                arm("preresnet1001", **WARM_UP),
                arm("preresnet1001", "preresnet1001, batch 64", batch_size=64, **WARM_UP),
            ),
            tiers=PAPER,
        ),
        Experiment(
            "figure6-1202",
            "Paper, Figure 6, right, and Table 6: 1202 layers",
            ("resnet1202",),
            tiers=PAPER,
        ),
    )
}
"""The experiments by name, each with what it reproduces."""

# Names for several entries at once.
GROUPS: dict[str, tuple[str, ...]] = {
    "options": ("options-20", "options-56"),
    "figure6": ("figure6-plain", "figure6-residual", "figure6-between"),
    "table6": ("figure6-residual", "figure6-between", "figure6-110", "figure6-1202"),
}


def find_experiments(name: str) -> list[Experiment]:
    """The entry of a name, or those of a group. Errors: `ConfigError` that lists the nearest."""
    names = [*EXPERIMENTS, *GROUPS]
    if name not in names:
        raise unknown_name(name, names, "experiment")
    return [EXPERIMENTS[each] for each in GROUPS.get(name, (name,))]


def find_arm(label: str) -> tuple[Experiment, Arm]:
    """The first experiment with an arm of a label, and the arm. Errors: `ConfigError`."""
    found = {}
    for experiment in EXPERIMENTS.values():
        for each in experiment.arms:
            found.setdefault(experiment.label(each), (experiment, each))
    if label not in found:
        raise unknown_name(label, list(found), "arm of an experiment")
    return found[label]


def find_tier(tier: str | Tier) -> Tier:
    """A tier by name. Errors: `ConfigError` that lists the nearest."""
    if isinstance(tier, Tier):
        return tier
    if not isinstance(tier, str):
        raise unknown_name(tier, list(TIERS), "tier")
    return TIERS[tier]


def probe_of(experiment: Experiment, arm: Arm, tier: Tier) -> str | None:
    """The probe of a run: the experiment's or, if the archive is to hold it, that of another.

    Else a run that two experiments share would have to be repeated for its measurements.
    """
    if experiment.probe or tier.name not in experiment.tiers:
        return experiment.probe

    def run(entry: Experiment, each: Arm) -> tuple:
        return each.net(), entry.recipe(each, tier), entry.data_in(tier)

    others = (
        entry.probe
        for entry in EXPERIMENTS.values()
        for each in entry.arms
        if entry.probe and run(entry, each) == run(experiment, arm)
    )
    return next(others, None)


def at_length(recipe: TrainConfig, iterations: int) -> TrainConfig:
    """A recipe stretched or shortened to another length. Errors: `ConfigError`.

    A short run still gets its eight evaluations on the test set, and not many more.
    """
    milestones = {milestone * iterations // recipe.iterations for milestone in recipe.milestones}
    stretched = recipe.eval_every * iterations // recipe.iterations
    shorter = min(recipe.window, max(1, iterations // 8))
    return replace(
        recipe,
        iterations=iterations,
        milestones=tuple(sorted(each for each in milestones if each > 0)),
        window=recipe.window if iterations >= recipe.iterations else shorter,
        eval_every=max(1, stretched, min(recipe.eval_every, iterations // 8)),
    )


def plan(
    experiments: str | Experiment | Iterable[str | Experiment],
    tier: str | Tier = "short",
    seeds: Iterable[int] | None = None,
    data: str | None = None,
) -> list[RunSpec]:
    """The runs of one or several experiments or groups, seed by seed. Errors: `ConfigError`.

    One that two of them share stands once, with the probe that one of them asks for. data: another
    data set than the tier's; channels and classes of the nets follow it.
    """
    several = isinstance(experiments, Iterable) and not isinstance(experiments, str)
    entries = [
        entry
        for each in (experiments if several else [experiments])
        for entry in ([each] if isinstance(each, Experiment) else find_experiments(each))
    ]
    tier = find_tier(tier)
    seeds = listed(seeds)
    specs = [
        run_spec(entry, arm, tier, seed, data)
        for entry in entries
        for seed in (entry.seeds_in(tier) if seeds is None else seeds)
        for arm in entry.arms
    ]
    unique: dict[tuple, RunSpec] = {}
    for spec in sorted(specs, key=lambda spec: spec.train.seed):
        same = (spec.model, spec.train, spec.data)
        if same not in unique or unique[same].probe is None:
            unique[same] = spec
    return list(unique.values())


def listed(seeds: Iterable[int] | int | None) -> tuple[int, ...] | None:
    """Seeds as a tuple; one may stand alone. Errors: `ConfigError` for what is none."""
    if seeds is None:
        return None
    return tuple(map(as_seed, seeds if isinstance(seeds, Iterable) else [seeds]))


def size_in(tier: Tier, data: str) -> int | None:
    """The width to which a tier reduces a data set: its own, or else the nearest there is."""
    if tier.size is None:
        return None
    sizes = load_once(data, None).sizes
    return min(sizes, key=lambda size: abs(size - tier.size))


def images_in(tier: str | Tier, data: str | None = None) -> ImageSet:
    """The images that a tier trains on, in its size. data: another data set than the tier's."""
    tier = find_tier(tier)
    return load_once(data or tier.data, size_in(tier, data or tier.data))


def run_spec(
    experiment: Experiment, arm: Arm, tier: Tier, seed: int, data: str | None = None
) -> RunSpec:
    """One run of an experiment. data: instead of the tier's."""
    name = data or experiment.data_in(tier)
    images = load_once(name, size := size_in(tier, name))
    return RunSpec(
        model=arm.net(**tier.model, **images.net_fields),
        train=replace(experiment.recipe(arm, tier), seed=seed),
        data=name,
        size=size,
        tier=tier.name,
        probe=probe_of(experiment, arm, tier),
        probe_at=tier.probe_at,
    )


def reproduce(
    experiments: str | Experiment | Iterable[str | Experiment],
    tier: str | Tier = "short",
    *,
    seeds: Iterable[int] | None = None,
    data: str | None = None,
    folder: Path | str | None = None,
    jobs: int | None = None,
    progress: bool = True,
    compiled: bool | None = None,
    recompute: bool = False,
) -> list[RunRecord]:
    """Run one or several experiments in a tier and return their records, seed by seed.

    experiments: names in EXPERIMENTS or of groups, such as "figure6", or an `Experiment` itself.
    tier: "paper", "short", "quick" or "smoke". seeds: instead of the tier's. data: another data set
    than the tier's, in the size nearest to the tier's. folder: where records go and are looked for;
    without one nothing is kept. jobs: runs at once; by default one for each processor, but one at a
    time where they take seconds, and on a GPU, where several pay under NVIDIA's MPS only. progress:
    one bar for all of them. compiled: with torch.compile, on a GPU, by default in long runs;
    recompute: in less memory, for the deepest nets (see `train`).

    Errors: `ConfigError` for a name or number that cannot be, `RunError` where a process was
    killed, `Stopped` after Ctrl-C: what is done is kept in `folder`, and the same call goes on.
    """
    at_once(jobs)  # errs before the plan, which may fetch the data
    specs = [
        replace(each, compiled=compiled, recompute=recompute)
        for each in plan(experiments, tier, seeds, data)
    ]
    records = run_all(specs, folder, jobs=jobs, progress=progress)
    if len(records) < len(specs) or any(each.status == "interrupted" for each in records):
        raise Stopped(records, len(specs), folder)
    return records
