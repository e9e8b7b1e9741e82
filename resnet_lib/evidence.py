"""Measured numbers of the archive over seeds, and statements held against them.

    measured(survey(), "short/plain56 - plain20/training error")

The arms of a sum are paired by seed, all in one precision. The interval: the mean over seeds of the
paired differences, plus and minus Student's t at 95% times the standard error. It settles a
statement when all of it lies on one side of the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import mean, stdev

from resnet_lib.archive import Archive, arms_in
from resnet_lib.complexity import complexity
from resnet_lib.configs import ConfigError, one_of, unknown_name
from resnet_lib.experiments import find_arm
from resnet_lib.measures import TESTED, UNITS, digits, runs_behind
from resnet_lib.outputs import MINUS, printed_name
from resnet_lib.paper import SCALES, SUFFIXES, Published
from resnet_lib.seeds import confidence_interval

EVIDENCE_TIERS = ("paper", "short")
COUNTED = {"parameters": "parameters", "multiply-adds": "multiply_adds"}


def above(low: float, high: float, bound: float) -> bool | None:
    """Whether an interval lies above a bound; None where it contains the bound."""
    return True if low > bound else False if high < bound else None


def below(low: float, high: float, bound: float) -> bool | None:
    """Whether an interval lies below a bound; None where it contains the bound."""
    return above(-high, -low, -bound)


def within(low: float, high: float, bound: float) -> bool | None:
    """Whether an interval lies within plus and minus a bound; False where it lies outside."""
    if -bound < low and high < bound:
        return True
    return False if low > bound or high < -bound else None


RULES: dict[str, Callable[[float, float, float], bool | None]] = {
    "above": above,
    "below": below,
    "within": within,
}


@dataclass(frozen=True)
class Sample:
    """A quantity over seeds. values: {seed: value}."""

    values: Mapping[int, float]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return mean(self.values.values()) if self.values else math.nan

    @property
    def std(self) -> float:
        """Sample standard deviation; NaN below two seeds."""
        return stdev(self.values.values()) if self.n > 1 else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95%, by Student's t; without bounds below two seeds."""
        return confidence_interval(list(self.values.values()))


@dataclass(frozen=True)
class Statement:
    """What a claim says of runs: a signed sum of arms, a measure, and where it should lie."""

    of: str
    measure: str
    rule: str
    bound: float

    @classmethod
    def of_entry(cls, entry: Mapping[str, str]) -> Statement:
        """From an entry of claims.toml. Errors: `ConfigError`."""
        check_texts(entry, "a test", "of", "measure", "is")
        rule, bound = rule_of(entry["is"])
        for _, label in arms_in(entry["of"]):
            find_arm(label)
        if entry["measure"] not in UNITS:
            raise unknown_name(entry["measure"], list(UNITS), "measure")
        return cls(entry["of"], entry["measure"], rule, bound)

    @property
    def unit(self) -> str:
        """Of the difference: errors differ by points."""
        return unit_of(self.of, self.measure)

    @property
    def quantity(self) -> str:
        """What is looked at, in words."""
        return f"{sum_in_words(self.of)}, {self.measure}"

    @property
    def claimed(self) -> str:
        """Where the difference should lie, in words."""
        return claim_in_words(self.rule, self.bound, self.unit)

    def held_against(self, archive: Archive, tier: str) -> Evidence:
        """The evidence of a tier: all arms in one precision, the one with the most common seeds."""
        terms = arms_in(self.of)
        values = {label: archive.values(label, tier, self.measure) for _, label in terms}
        shared: dict[str, set[int]] = {}
        for precision in set().union(*values.values()):
            seeds = [finite(found.get(precision, {})) for found in values.values()]
            shared[precision] = set.intersection(*map(set, seeds))
        precision = max(sorted(shared), key=lambda each: len(shared[each]), default="")
        seeds = sorted(shared.get(precision, ()))
        missing = tuple(label for label, found in values.items() if not found)
        if not seeds:
            return Evidence(self, tier, missing=missing)
        arms = {label: Sample({s: values[label][precision][s] for s in seeds}) for label in values}
        difference = Sample({s: sum(k * arms[a].values[s] for k, a in terms) for s in seeds})
        runs = [archive.runs(label, tier)[precision][s] for label in values for s in seeds]
        run_ids = tuple(id for run in runs for id in runs_behind(self.measure, run))
        return Evidence(self, tier, precision, arms, difference, run_ids, missing)


@dataclass(frozen=True)
class Evidence:
    """A statement held against the archive in one tier.

    arms: each arm's sample, over the seeds that all arms have. difference: their signed sum, seed
    by seed. missing: arms without a usable record.
    """

    statement: Statement
    tier: str
    precision: str = ""
    arms: Mapping[str, Sample] = field(default_factory=dict)
    difference: Sample = field(default_factory=lambda: Sample({}))
    run_ids: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Seeds that all arms have."""
        return self.difference.n

    @property
    def agrees(self) -> bool | None:
        """Whether the statement is right; None where the interval does not settle it."""
        return RULES[self.statement.rule](*self.difference.interval, self.statement.bound)

    @property
    def outcome(self) -> str:
        """Whether the statement is right, in words."""
        return {True: "agrees", False: "disagrees", None: "not settled"}[self.agrees]

    @property
    def value(self) -> str:
        """The difference, with its interval."""
        places = digits(self.statement.measure)
        shown = f"{signed(self.difference.mean, places)}{self.statement.unit}"
        if self.n < 2:
            return shown
        low, high = (signed(each, places) for each in self.difference.interval)
        return f"{shown}, interval {low} to {high}"

    @property
    def conditions(self) -> str:
        """What it rests on, what was claimed, and the outcome."""
        tested = ", tested in float32" if self.statement.measure in TESTED else ""
        return (
            f"n = {self.n}, tier {self.tier}, {self.precision}{tested}. "
            f"Claimed: {self.statement.claimed}; {self.outcome}."
        )

    @property
    def each_arm(self) -> str:
        """The arms with mean and standard deviation; empty where there is one."""
        measure = self.statement.measure
        shown = [
            f"{printed_name(label)} {with_spread(arm, UNITS[measure], digits(measure))}"
            for label, arm in self.arms.items()
        ]
        return "; ".join(shown) + "." if len(shown) > 1 else ""


def unit_of(of: str, measure: str) -> str:
    """The unit of a sum of arms: errors differ by points."""
    unit = UNITS[measure]
    return " points" if unit == "%" and len(arms_in(of)) > 1 else unit


def finite(values: Mapping[int, float]) -> dict[int, float]:
    """The values that are numbers."""
    return {seed: value for seed, value in values.items() if math.isfinite(value)}


def sum_in_words(of: str) -> str:
    """A sum of arms as readers know them: "plain-56 \N{MINUS SIGN} plain-20"."""
    return sum_of([(sign, printed_name(label)) for sign, label in arms_in(of)])


def sum_of(terms: Iterable[tuple[int, str]]) -> str:
    """Texts with the signs between them."""
    shown = (f"{MINUS if sign < 0 else '+'} {text}" for sign, text in terms)
    return " ".join(shown).removeprefix("+ ")


def claim_in_words(rule: str, bound: float, unit: str) -> str:
    """What a statement claims: "above 0 points", "within 1 point"."""
    return f"{rule} {bound:g}{unit.removesuffix('s') if bound == 1 else unit}"


def check_texts(entry: object, what: str, *keys: str) -> None:
    """Raise `ConfigError` unless an entry of claims.toml has just these keys, each with a text."""
    if (
        not isinstance(entry, Mapping)
        or set(entry) != set(keys)
        or not all(isinstance(value, str) for value in entry.values())
    ):
        *others, last = keys
        listed = f"{', '.join(others)} and {last}"
        raise ConfigError(f"{what} has the keys {listed}, each with a text, and is not {entry!r}.")


def rule_of(text: str) -> tuple[str, float]:
    """The rule and bound of "above 0". Errors: `ConfigError`."""
    rule, _, bound = text.partition(" ")
    try:
        one_of(rule, tuple(RULES), "rule")
        return rule, float(bound)
    except ValueError as error:
        told = str(error).removesuffix(".")
        raise ConfigError(f"{text!r} is no rule and bound: {told}.") from None


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def repeated(archive: Archive, printed: Published) -> str:
    """What is here beside a printed number: counted, or trained by the full schedule.

    "not measured" where the run is missing, empty where nothing here repeats it. Errors:
    `ConfigError` for an unknown net or arm.
    """
    if not printed.ours:
        return ""
    if printed.quantity in COUNTED:
        count = getattr(complexity(printed.ours), COUNTED[printed.quantity])
        return f"{count / SCALES[printed.unit]:.3f}{SUFFIXES[printed.unit]}"
    if not printed.quantity.startswith("top-1 error"):
        raise ConfigError(f"{printed.id} is neither counted nor a top-1 error: nothing repeats it.")
    found, *shown = looked_up(archive, f"paper/{printed.ours}/test error")
    return f"{with_spread(found, *shown)} ({seeds(found.n)})" if found.n else "not measured"


def measured(archive: Archive, id: str, form: str = "") -> str:
    """A measured number of the archive: "short/plain56 - plain20/training error".

    The mean over seeds, its standard deviation, tier and number of seeds; or "not measured". form:
    "value" leaves tier and seeds out, "interval" gives the ends of the 95% interval instead.
    Errors: `ConfigError` for an unknown tier, arm or measure, and for the interval of one seed.
    """
    found, unit, places = looked_up(archive, id)
    if not found.n:
        return "not measured"
    if form == "interval":
        if found.n < 2:
            raise ConfigError(f"{id}: one seed gives no interval.")
        low, high = (signed(each, places) for each in found.interval)
        return f"{low} to {high}{unit}"
    told, tier = with_spread(found, unit, places), id.partition("/")[0]
    return told if form == "value" else f"{told} ({seeds(found.n)}, tier {tier})"


def looked_up(archive: Archive, id: str) -> tuple[Sample, str, int]:
    """A quantity of the archive over the seeds that all of its arms have, its unit, its digits."""
    tier, _, rest = id.partition("/")
    of, _, measure = rest.rpartition("/")
    one_of(tier, EVIDENCE_TIERS, "tier")
    statement = Statement.of_entry({"of": of, "measure": measure, "is": "above 0"})
    return statement.held_against(archive, tier).difference, statement.unit, digits(measure)


def with_spread(sample: Sample, unit: str, places: int) -> str:
    """The mean over seeds and, if there are several, its standard deviation."""
    spread = f" ± {sample.std:.{places}f}" if sample.n > 1 else ""
    return f"{signed(sample.mean, places)}{spread}{unit}"


def seeds(number: int) -> str:
    """A number of seeds in words."""
    return f"{number} seeds" if number > 1 else "1 seed"
