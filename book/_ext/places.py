"""The places of the papers: which section a table, a figure or a sentence stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

# A paper, or places in one; what names a paper holds until another is named.
PAPER = re.compile(r"P1|P2|[Ss]econd paper|[Pp]aper")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
PLACES = re.compile(
    rf"([Ss]ection|Figure|Table)s? ({NUMBER.pattern}(?:(?:, | and ){NUMBER.pattern})*)( to \d|-\d)?"
)


@dataclass(frozen=True)
class Section:
    """A section of a paper. topic: in this book's words. figures: those that stand in it."""

    paper: str
    number: str
    topic: str
    figures: tuple[int, ...] = ()


SECTIONS = (
    Section("P1", "1", "The problem", (1,)),
    Section("P1", "2", "Earlier work"),
    Section("P1", "3.1", "Residual learning", (2,)),
    Section("P1", "3.2", "Shortcuts"),
    Section("P1", "3.3", "The nets", (3,)),
    Section("P1", "3.4", "Training and testing"),
    Section("P1", "4.1", "ImageNet", (4, 5)),
    Section("P1", "4.2", "CIFAR-10", (6, 7)),
    Section("P1", "4.3", "Detection"),
    Section("P2", "2", "Identity shortcuts, and what passes through them"),
    Section("P2", "3", "Shortcuts that are scaled"),
    Section("P2", "3.1", "What else can stand on a shortcut"),
    Section("P2", "3.2", "What that shows"),
    Section("P2", "4.1", "Where BN and ReLU stand"),
    Section("P2", "4.2", "Why pre-activation helps"),
    Section("P2", "5", "The deepest nets"),
    Section("P2", "", "Elsewhere"),
)
"""The sections of both papers that something in this book belongs to, in their order."""


@cache
def section_of() -> dict[tuple[str, str], str]:
    """The section of each place of a paper: {("P1", "Table 6"): "4.2"}."""
    from resnet_lib.paper import published_numbers

    found = {(each.paper, each.place): each.section for each in published_numbers()}
    for each in SECTIONS:
        found[each.paper, f"section {each.number}"] = each.number
        found |= {(each.paper, f"Figure {figure}"): each.number for figure in each.figures}
    return found


def places_in(text: str) -> Iterator[tuple[re.Match, list[tuple[str, str]]]]:
    """Where a text names places of a paper, and the sections they stand in, as `sections_in`.

    Errors: `ConfigError` for a place that is in no section.
    """
    from resnet_lib.configs import ConfigError

    paper = ""
    for token in re.finditer(rf"{PAPER.pattern}|{PLACES.pattern}", text):
        kind, numbers, span = token.groups()
        if kind is None:
            paper = "P2" if token[0].lower() in ("p2", "second paper") else "P1"
            continue
        if span or not paper:
            wanted = "a paper before the place" if span is None else "each place by its number"
            raise ConfigError(f"{text!r}: name {wanted}.")
        places = [
            (paper, f"{kind.lower() if kind == 'Section' else kind} {number}")
            for number in NUMBER.findall(numbers)
        ]
        for place in places:
            if place not in section_of():
                raise ConfigError(f"{text!r}: {' '.join(place)} is in no section of places.py.")
        yield token, [(paper, section_of()[place]) for place in places]


def sections_in(text: str) -> set[tuple[str, str]]:
    """The sections that a text refers to, such as {("P1", "4.2")} for "P1 Table 6"."""
    return {section for _, sections in places_in(text) for section in sections}


def anchor(paper: str, number: str) -> str:
    """A section's anchor on the page of the papers: "p1-4-2"."""
    return re.sub(r"\W+", "-", f"{paper} {number}".strip().lower())
