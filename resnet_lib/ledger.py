"""The claim ledger: every claim of the papers and of the reading notes, held against what is here.

    ledger = Ledger.read()                  # data/paper/claims.toml and the archive of runs
    ledger["2"].verdict                     # computed, never typed

A claim is decided in one of four ways, which its entry names:

tests      statements on recorded runs, such as {of = "plain56 - plain20", measure = "training
           error", is = "above 0"} (see `resnet_lib.evidence`). Tier paper on the paper's nets and
           data, by no bound of ours, with at least three seeds gives "holds" or "does not hold";
           everything else gives "points to it" or "points against it". Where the interval does not
           settle it, or there is one seed, the verdict is "unclear".
check      a function of `resnet_lib.checks` that counts or proves: "holds" or "does not hold".
follows    the verdict of another claim, from which this one follows.
printed    statements on the papers' own numbers: they can agree with a claim, never measure it,
           so the verdict is "not measured", as it is where nothing decides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from resnet_lib.archive import Archive, arms_in, survey
from resnet_lib.checks import CHECKS, Check
from resnet_lib.configs import ConfigError, one_of, unknown_name
from resnet_lib.evidence import (
    EVIDENCE_TIERS,
    RULES,
    Evidence,
    Statement,
    check_texts,
    rule_of,
    signed,
    sum_of,
)
from resnet_lib.experiments import find_arm
from resnet_lib.outputs import printed_name
from resnet_lib.paper import TABLES, Published, published

VERDICTS = (
    "holds",
    "does not hold",
    "points to it",
    "points against it",
    "unclear",
    "not measured",
)
KINDS = ("run", "count", "proof", "eval", "printed", "no")
ENOUGH_SEEDS = 3


@dataclass(frozen=True)
class Claim:
    """One claim, as data/paper/claims.toml has it.

    id: its number. title: in a few words. says, zh: the claim in English and in Chinese. source:
    its place. kind: what can decide it here. chapter: the chapter that treats it, without number.
    note: qualifications and corrections. own: decided on other nets, data or recipes than the
    paper's, or by a bound that we chose, so that a direction is the most that can be had. tiers:
    whose runs can speak of it. why: for what is not measured.
    """

    id: str
    title: str
    says: str
    source: str
    kind: str
    chapter: str
    zh: str
    note: str = ""
    own: bool = False
    tiers: tuple[str, ...] = EVIDENCE_TIERS
    tests: tuple[Statement, ...] = ()
    check: str = ""
    follows: str = ""
    printed: tuple[Mapping[str, str], ...] = ()
    published: tuple[str, ...] = ()
    why: str = ""

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Claim:
        """From an entry of claims.toml. Errors: `ConfigError` that names the claim."""
        try:
            known = [each.name for each in fields(cls)]
            for key in entry:
                if key not in known:
                    raise unknown_name(key, known, "field of a claim")
            wanted = [each.name for each in fields(cls) if each.default is MISSING]
            if lacking := [name for name in wanted if name not in entry]:
                raise ConfigError(f"it does not say its {', '.join(lacking)}.")
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
            tests = tuple(map(Statement.of_entry, values.pop("tests", ())))
            claim = cls(**values, tests=tests)
            claim.check_values()
        except (TypeError, ConfigError) as error:
            told = str(error).removesuffix(".")
            raise ConfigError(f"claims.toml, claim {entry.get('id', '?')}: {told}.") from None
        return claim

    def check_values(self) -> None:
        """Raise `ConfigError` unless all that it names exists, and one thing decides it."""
        one_of(self.kind, KINDS, "kind")
        for tier in self.tiers:
            one_of(tier, EVIDENCE_TIERS, "tier")
        if self.check and self.check not in CHECKS:
            raise unknown_name(self.check, list(CHECKS), "check")
        for id in self.published:
            published(id)
        for each in self.printed:
            compare_printed(each)
        decided = sum(map(bool, (self.tests, self.check, self.follows)))
        if decided > 1:
            raise ConfigError("tests, check and follows exclude each other.")
        if not decided and not self.why:
            raise ConfigError("nothing decides it, and it does not say why.")


def compare_printed(entry: Mapping[str, str]) -> tuple[str, bool | None]:
    """Hold a statement against printed numbers: a sentence, and whether they agree.

    Errors: `ConfigError`.
    """
    check_texts(entry, "a printed statement", "of", "is")
    rule, bound = rule_of(entry["is"])
    terms = [(sign, published(id)) for sign, id in arms_in(entry["of"])]
    total = round(sum(sign * each.value for sign, each in terms), 6)
    shown = sum_of([(sign, each.text) for sign, each in terms])
    places = ", ".join(dict.fromkeys(each.where for _, each in terms))
    names = [each.subject for _, each in terms]
    if len(set(names)) < len(names):
        names = [f"{each.subject} in {each.where}" for _, each in terms]
    subjects = sum_of([(sign, name) for (sign, _), name in zip(terms, names, strict=True)])
    agrees = RULES[rule](total, total, bound)
    result = f" = {signed(total)}" if len(terms) > 1 else ""
    return f"{subjects}: {shown}{result} ({places})", agrees


@dataclass(frozen=True)
class Row:
    """A claim with what is held against it, and the verdict that follows."""

    claim: Claim
    evidence: tuple[Evidence, ...] = ()
    check: Check | None = None
    other: Row | None = None

    @cached_property
    def tier(self) -> str:
        """The tier whose runs give the verdict; empty where none do.

        Tier paper if it has enough seeds. Else first what settles the claim, then what has enough.
        """
        verdicts = {tier: self.verdict_in(tier) for tier in EVIDENCE_TIERS}

        def rank(tier: str) -> tuple[bool, bool, bool]:
            final = verdicts[tier] in ("holds", "does not hold")
            few = not final and self.seeds_in(tier) < ENOUGH_SEEDS
            return few or tier != "paper", verdicts[tier] == "unclear", few

        measured = [tier for tier in EVIDENCE_TIERS if verdicts[tier] != "not measured"]
        return min(measured, key=rank, default="")

    def seeds_in(self, tier: str) -> int:
        """The fewest seeds of any measured statement in a tier."""
        return min((each.n for each in self.evidence if each.tier == tier and each.n), default=0)

    def verdict_in(self, tier: str) -> str:
        """What the runs of one tier say. One statement that is wrong refutes the claim."""
        evidence = [each for each in self.evidence if each.tier == tier]
        decides = tier == "paper" and not self.claim.own
        # A refutation counts the seeds of what refutes, an agreement those of every statement.
        wrong = [each for each in evidence if each.agrees is False]
        if wrong:
            enough = max(each.n for each in wrong) >= ENOUGH_SEEDS
            return "does not hold" if decides and enough else "points against it"
        if not evidence or any(not each.n for each in evidence):
            return "not measured"
        if any(each.agrees is None for each in evidence):
            return "unclear"
        enough = self.seeds_in(tier) >= ENOUGH_SEEDS
        return "holds" if decides and enough else "points to it"

    @cached_property
    def verdict(self) -> str:
        """One of VERDICTS."""
        if self.check is not None:
            return "holds" if self.check.holds else "does not hold"
        if self.other is not None:
            return self.other.verdict
        return self.verdict_in(self.tier) if self.tier else "not measured"

    @property
    def n(self) -> int:
        """Seeds behind the verdict (of a refutation: of what refutes); 0 where no runs decide."""
        row = self.other or self
        wrong = [e.n for e in row.evidence if e.tier == row.tier and e.agrees is False]
        return max(wrong) if wrong else row.seeds_in(row.tier) if row.tier else 0

    @property
    def short(self) -> str:
        """The verdict with what it rests on: "points to it (tier short, n = 3)"."""
        row = self.other or self
        if row.check is not None:
            return f"{self.verdict} (by {'proof' if row.claim.kind == 'proof' else 'counting'})"
        return f"{self.verdict} (tier {row.tier}, n = {self.n})" if row.tier else self.verdict

    @property
    def why(self) -> str:
        """Why it is not measured, or why no interval settles it; empty where there is a verdict."""
        row = self.other or self
        if self.verdict == "unclear":
            single = any(each.n == 1 for each in row.evidence if each.tier == row.tier)
            several = "An interval contains the bound of what is claimed."
            return "One seed gives no interval." if single else several
        if self.verdict != "not measured":
            return ""
        if row.claim.tests:
            return f"Not recorded yet: {row.unrecorded()}. {row.claim.why}".strip()
        return row.claim.why

    def unrecorded(self) -> str:
        """The arms that want a record, in the tier where the fewest do."""
        wanted = {}
        for tier in self.claim.tiers:
            evidence = [each for each in self.evidence if each.tier == tier and not each.n]
            labels = dict.fromkeys(label for each in evidence for label in each.missing)
            planned = all(tier in find_arm(label)[0].tiers for label in labels)
            wanted[tier] = (not planned, len(labels), "; ".join(map(printed_name, labels)))
        tier = min(reversed(wanted), key=lambda each: wanted[each][:2])
        return f"{wanted[tier][2] or 'runs that share a seed and a precision'} (tier {tier})"

    @property
    def printed(self) -> list[tuple[str, bool | None]]:
        """What the papers' own numbers say of it."""
        return [compare_printed(each) for each in self.claim.printed]

    @property
    def published(self) -> list[Published]:
        """The papers' numbers that belong beside it."""
        return [published(id) for id in self.claim.published]

    def lines(self) -> list[str]:
        """The claim in full, as lines of text."""
        claim = self.claim
        lines = [f"{claim.id}  {claim.title}: {self.short}", claim.says, f"Source: {claim.source}."]
        if self.check is not None:
            lines.append(f"Found: {self.check.shown}.")
        for each in self.evidence:
            if each.n:
                aside = "" if self.tier in ("", each.tier) else f" Tier {self.tier} decides."
                lines.append(f"{each.statement.quantity}: {each.value}; {each.conditions}{aside}")
                lines += filter(None, [each.each_arm])
        lines += [
            f"In print, {'agrees' if agrees else 'disagrees'}: {sentence}."
            for sentence, agrees in self.printed
        ]
        lines += [
            f"In print: {each.subject}, {each.quantity}: {each.text} ({each.where})."
            for each in self.published
        ]
        lines += filter(None, [self.why, claim.note])
        ids = dict.fromkeys(id for each in self.evidence for id in each.run_ids)
        return lines + ([f"Runs: {', '.join(ids)}."] if ids else [])


class Ledger(Mapping[str, Row]):
    """All claims by id, in the order of claims.toml, and the archive they are held against."""

    def __init__(self, claims: tuple[Claim, ...], archive: Archive) -> None:
        self.archive = archive
        self.claims = {claim.id: claim for claim in claims}
        self.rows: dict[str, Row] = {}

    @classmethod
    def read(cls, archive: Archive | None = None, path: Path = TABLES / "claims.toml") -> Ledger:
        """The claims of a file against an archive, by default the repository's."""
        return cls(read_claims(path), survey() if archive is None else archive)

    def __getitem__(self, id: str) -> Row:
        """The row of a claim. Errors: `ConfigError` that lists the nearest ids."""
        if id not in self.claims:
            raise unknown_name(id, list(self.claims), "claim")
        if id not in self.rows:
            self.rows[id] = self.row(self.claims[id])
        return self.rows[id]

    def __contains__(self, id: object) -> bool:
        return id in self.claims

    def get(self, id: str, default: Any = None) -> Any:
        """The row of a claim, or `default` where there is none."""
        if id not in self:
            return default
        return self[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.claims)

    def __len__(self) -> int:
        return len(self.claims)

    def select(
        self,
        ids: Iterable[str] = (),
        verdicts: Iterable[str] | None = None,
        kinds: Iterable[str] | None = None,
        chapter: str | None = None,
    ) -> list[Row]:
        """The rows of some claims, verdicts, kinds or a chapter. Errors: `ConfigError`."""
        for verdict in verdicts or ():
            one_of(verdict, VERDICTS, "verdict")
        for kind in kinds or ():
            one_of(kind, KINDS, "kind")
        chapters = sorted({claim.chapter for claim in self.claims.values()})
        if chapter is not None and chapter not in chapters:
            raise unknown_name(chapter, chapters, "chapter")
        return [
            row
            for row in map(self.__getitem__, ids or self)
            if (not verdicts or row.verdict in verdicts)
            and (not kinds or row.claim.kind in kinds)
            and chapter in (None, row.claim.chapter)
        ]

    def row(self, claim: Claim) -> Row:
        """Hold one claim against everything."""
        return Row(
            claim,
            evidence=tuple(
                test.held_against(self.archive, tier)
                for tier in claim.tiers
                for test in claim.tests
            ),
            check=CHECKS[claim.check]() if claim.check else None,
            other=self[claim.follows] if claim.follows else None,
        )


def read_claims(path: Path = TABLES / "claims.toml") -> tuple[Claim, ...]:
    """The claims of a file. Errors: `ConfigError` that names the claim and the fault."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("claim")
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise ValueError("each claim begins with [[claim]]")
    except (OSError, ValueError) as error:  # what is no TOML, or no UTF-8, is a ValueError
        raise ConfigError(f"{path.name} cannot be read as a list of claims: {error}.") from None
    claims = tuple(Claim.of_entry(entry) for entry in entries)
    ids = [claim.id for claim in claims]
    for claim in claims:
        if ids.count(claim.id) > 1:
            raise ConfigError(f"{path.name}: there are {ids.count(claim.id)} claims {claim.id}.")
        if claim.follows and (claim.follows not in ids or claim.follows == claim.id):
            raise ConfigError(f"{path.name}: claim {claim.id} follows {claim.follows!r}, no other.")
        if claim.follows and claims[ids.index(claim.follows)].follows:
            raise ConfigError(
                f"{path.name}: claim {claim.id} follows {claim.follows}, which follows another: "
                "name the one that is decided."
            )
    return claims
