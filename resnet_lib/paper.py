"""The numbers that the papers print, from data/paper/, each with its place and protocol.

    published("P1/Table 6/ResNet-56")                         # its top-1 error
    published("P1/Table 6/ResNet-56/parameters").value        # 850000.0

P1 is "Deep Residual Learning for Image Recognition", P2 "Identity Mappings in Deep Residual
Networks". An id is paper/place/subject, and then the quantity where that leaves a choice.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resnet_lib.configs import ConfigError, unknown_name
from resnet_lib.repository import DATA, in_repository

TABLES = DATA / "paper"
SCALES = {"1e6": 1e6, "1e9": 1e9}
SUFFIXES = {"%": "%", "1e6": " million", "1e9": " billion", "": ""}
NAMES = {
    "P1": "paper",
    "P2": "second paper",
    "authors": "the authors' repository",
    "rerun": "an unofficial rerun",
    "notes": "reading notes",
}


@dataclass(frozen=True)
class Published:
    """A printed number.

    printed: as the paper prints it; empty where it prints a word, which `note` then gives.
    unit: "%", "1e6", "1e9", or a word. protocol: how it was measured. ours: what repeats it here,
    an arm of the archive, or a net where it counts; empty where nothing does.
    """

    paper: str
    place: str
    section: str
    subject: str
    quantity: str
    printed: str
    unit: str
    data: str
    protocol: str
    note: str
    ours: str

    @property
    def id(self) -> str:
        """Its full name."""
        return "/".join((self.paper, self.place, self.subject, self.quantity))

    @property
    def value(self) -> float:
        """The number in its plain unit: percent, or a count. Errors: `ConfigError`."""
        if not self.printed:
            raise ConfigError(f"{self.id} has no number: {self.note}.")
        return float(self.printed) * SCALES.get(self.unit, 1.0)

    @property
    def text(self) -> str:
        """The number with its unit, or the word that stands in its place."""
        return (
            self.printed + SUFFIXES.get(self.unit, f" {self.unit}") if self.printed else self.note
        )

    @property
    def where(self) -> str:
        """Its place in words: "Table 6", "second paper, Table 1"."""
        return self.place if self.paper == "P1" else f"{NAMES[self.paper]}, {self.place}"


@cache
def published_numbers(folder: Path = TABLES) -> tuple[Published, ...]:
    """All printed numbers. Errors: `ConfigError` that names the file and line."""
    found: dict[str, Published] = {}
    for path in sorted(in_repository(folder).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if number == 1:
                    continue
                place = f"{path.name}, line {number}"
                if len(row) != len(Published.__dataclass_fields__):
                    wanted = len(Published.__dataclass_fields__)
                    raise ConfigError(f"{place} has {len(row)} columns and not {wanted}.")
                each = Published(*row)
                if each.paper not in NAMES:
                    raise ConfigError(
                        f"{place}: paper {each.paper!r} is none of {', '.join(NAMES)}."
                    )
                if each.printed:
                    check_number(each.printed, place)
                if each.id in found:
                    raise ConfigError(f"{place} repeats {each.id}.")
                found[each.id] = each
    return tuple(found.values())


def check_number(text: str, place: str) -> None:
    """Raise `ConfigError` unless a text is a number."""
    try:
        float(text)
    except ValueError:
        raise ConfigError(f"{place}: {text!r} is no number.") from None


def published(id: str) -> Published:
    """A printed number by its id. Errors: `ConfigError` that lists the nearest, or the choices.

    Without a quantity: the top-1 error, or the only number of that subject there.
    """
    rows = published_numbers()
    exact = [each for each in rows if each.id == id]
    if exact:
        return exact[0]
    under = [each for each in rows if each.id.startswith(f"{id}/")]
    under = [each for each in under if each.id == f"{id}/{each.quantity}"]
    usual = [each for each in under if each.quantity == "top-1 error"]
    if not under:
        raise unknown_name(id, [each.id for each in rows], "published number")
    if len(usual or under) > 1:
        choices = " or ".join(f"/{each.quantity}" for each in under)
        raise ConfigError(f"{id} leaves a choice: add {choices}.")
    return (usual or under)[0]
