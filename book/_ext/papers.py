"""The papers, section by section: what is claimed there, what is printed, and what is here.

    :::{papers} P1
    :::

One section of the page for each section of the paper, in its order: the claims that have their
place there, the chapters that treat them, the experiments that repeat it, and each printed table
with what is counted or trained here beside it. {papers} N has the claims that are in no paper.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from docutils import nodes
from ledger import (
    address,
    chapter_pages,
    chapter_title,
    find_verdict,
    note_use,
    read,
    reference,
    small,
)
from places import SECTIONS, Section, anchor, sections_in
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

NEITHER = "N"
# What may follow the number of a section and is told without it.
FINER = ("Figure", "Table", "equation", "footnote")


class Papers(SphinxDirective):
    """The sections of a paper: claims, chapters, experiments, printed tables and what is here."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from resnet_lib.configs import ConfigError, one_of

        note_use(self.env)
        paper = self.arguments[0]
        try:
            one_of(paper, ("P1", "P2", NEITHER), "papers")
            if paper == NEITHER:
                rows = [row for row in read().values() if not sections_in(row.claim.source)]
                return [self.claims(rows, None)]
            return [self.section(each) for each in SECTIONS if each.paper == paper]
        except ConfigError as error:
            raise self.error(str(error)) from None

    def section(self, part: Section) -> nodes.section:
        """One section of a paper."""
        from resnet_lib.paper import published_numbers

        here = part.paper, part.number
        title = f"{part.number} {part.topic}".strip()
        found = nodes.section(ids=[anchor(*here)])
        found += nodes.title(title, title)
        rows = [row for row in read().values() if here in sections_in(row.claim.source)]
        found += [self.chapters(rows), self.claims(rows, part)] if rows else []
        printed = [each for each in published_numbers() if (each.paper, each.section) == here]
        for place in dict.fromkeys(each.place for each in printed):
            found += table(place, [each for each in printed if each.place == place])
        found += commands(experiments_of(part, rows))
        return found

    def chapters(self, rows: Iterable[Any]) -> nodes.paragraph:
        """Links to the chapters that treat some claims."""
        pages = chapter_pages(Path(self.env.srcdir))
        line = nodes.paragraph("", "In this book: ")
        wanted = [pages[row.claim.chapter] for row in rows if row.claim.chapter in pages]
        for i, page in enumerate(sorted(set(wanted))):
            self.env.note_dependency(str(page))
            uri = address(self.env, f"book/{page.stem}")
            line += [nodes.Text(", ")] if i else []
            line += reference(chapter_title(page), uri)
        return line if wanted else nodes.paragraph("", "In no chapter.")

    def claims(self, rows: Iterable[Any], part: Section | None) -> nodes.bullet_list:
        """Claims, with their verdicts as links to the ledger, and their place within a section."""
        found = nodes.bullet_list(classes=["paper-claims"])
        for row in rows:
            line = nodes.paragraph("", f"{row.claim.says} ")
            line += find_verdict(self.env, row.claim.id, "")
            told = [place_in(row.claim.source, part)]
            if row.claim.own:
                told = [re.sub(r"^own,? ", "", told[0]), "own experiment"]
            more = "; ".join(filter(None, told))
            line += nodes.inline("", f" ({more})" if more else "", classes=["claim-small"])
            found += nodes.list_item("", line)
        return found


def experiments_of(part: Section, rows: Iterable[Any]) -> list[Any]:
    """The experiments that a section's claims are tested by, and those that name a place in it."""
    from resnet_lib.archive import arms_in
    from resnet_lib.experiments import EXPERIMENTS, find_arm

    arms = (arm for row in rows for test in row.claim.tests for _, arm in arms_in(test.of))
    wanted = {find_arm(arm)[0].id for arm in arms}
    here = part.paper, part.number
    return [e for e in EXPERIMENTS.values() if e.id in wanted or here in sections_in(e.reproduces)]


def place_in(source: str, part: Section | None) -> str:
    """What a source says beyond the section itself: "Figure 6, left; reading notes"."""
    parts = source.split("; ")
    if part is not None:
        parts = [each.removeprefix(f"{part.paper} ") for each in parts]
        section = rf"section {re.escape(part.number)}(?:,| and)?(?: (?={'|'.join(FINER)})|$)"
        parts = [re.sub(f"^{section}", "", each) for each in parts]
    return "; ".join("reading notes" if each == "N" else each for each in parts if each)


def table(place: str, numbers: list[Any]) -> nodes.container:
    """Printed numbers, with what is here beside them; unfolded where something is.

    A table has a row for each net; what stands in the text has one for each number.
    """
    from resnet_lib.evidence import repeated

    ours = {each.id: repeated(read().archive, each) for each in numbers}
    title = place if place.startswith(("Table", "Figure")) else "In the text"
    layout = by_subject if place.startswith("Table") else by_number
    heads, *rows = layout(numbers, ours)
    grid = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in heads), cols=len(heads))
    grid += [nodes.thead("", row_of(heads)), nodes.tbody("", *map(row_of, rows))]
    opened = " open" if set(ours.values()) - {"", "not measured"} else ""
    return nodes.container(
        "",
        nodes.raw("", f"<details{opened}><summary>{html.escape(title)}</summary>", format="html"),
        nodes.table("", grid),
        *map(small, conditions(numbers)),
        nodes.raw("", "</details>", format="html"),
        classes=["paper-table"],
    )


def by_subject(numbers: list[Any], ours: Mapping[str, str]) -> Iterator[list[str]]:
    """Heads, then a row for each net, with all of its errors (best, mean) in one column."""
    columns = sorted(
        {kind_of(each)[0] for each in numbers}, key=lambda name: (not name.endswith("error"), name)
    )
    repeated = {kind_of(each)[0] for each in numbers if ours[each.id]}
    heads = [[f"{name}, printed", *(["here"] if name in repeated else [])] for name in columns]
    yield ["net", *chain(*heads)]
    for subject in dict.fromkeys(each.subject for each in numbers):
        cells = [subject]
        for name in columns:
            found = [
                each for each in numbers if (each.subject, kind_of(each)[0]) == (subject, name)
            ]
            cells.append("; ".join(told(each, numbers) for each in found))
            if name in repeated:
                own = dict.fromkeys(ours[each.id] for each in found)
                cells.append("; ".join(filter(None, own)))
        yield cells


def by_number(numbers: list[Any], ours: Mapping[str, str]) -> Iterator[list[str]]:
    """Heads, then a row for each number."""
    width = 4 if any(ours.values()) else 3
    yield ["of", "quantity", "printed", "here"][:width]
    for each in numbers:
        yield [each.subject, each.quantity, told(each, numbers), ours[each.id]][:width]


def kind_of(number: Any) -> tuple[str, str]:
    """A quantity, and which kind of it: ("top-1 error", "best of 5")."""
    name, _, kind = number.quantity.partition(", ")
    return (name, kind) if name.endswith("error") else (number.quantity, "")


def told(number: Any, numbers: list[Any]) -> str:
    """A printed number with its kind, in a table, and with a note that the others do not share."""
    kind = kind_of(number)[1] if number.place.startswith("Table") else ""
    note = number.note if number.printed and not shared_note(numbers) else ""
    more = "; ".join(filter(None, (kind, note)))
    return f"{number.text} ({more})" if more else number.text


def shared_note(numbers: list[Any]) -> str:
    """The note that all numbers have; empty where they differ."""
    notes = {each.note for each in numbers}
    return notes.pop() if len(notes) == 1 else ""


def conditions(numbers: list[Any]) -> Iterator[str]:
    """How errors were measured, and of which nets where it is not how most of them were."""
    groups: dict[str, list[str]] = {}
    for each in numbers:
        how = ", ".join(filter(None, (each.data, each.protocol)))
        if each.unit == "%" and how:
            groups.setdefault(how, []).append(each.subject)
    most = max(groups.values(), key=len, default=[])
    for how, subjects in sorted(groups.items(), key=lambda group: group[1] is most):
        if subjects is not most:
            yield f"{capital(how)}: {'; '.join(dict.fromkeys(subjects))}."
        else:
            yield f"The others: {how}." if len(groups) > 1 else f"{capital(how)}."
    if note := shared_note(numbers):
        yield f"{capital(note)}."


def capital(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def row_of(texts: Iterable[str]) -> nodes.row:
    """A row of a table."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", each)) for each in texts))


def commands(experiments: list[Any]) -> Iterator[nodes.paragraph]:
    """How to run some experiments: by the papers' schedule, and those meant for a short one."""
    full = [each for each in experiments if "paper" in each.tiers]
    for title, tier, group in (
        ("By the full schedule", "paper", full),
        ("By a short one", "short", [each for each in experiments if each not in full]),
    ):
        if group:
            names = " ".join(each.id for each in group)
            call = f"python -m resnet_lib reproduce {names} --tier {tier}"
            line = nodes.paragraph("", f"{title}: ", classes=["claim-small"])
            line += nodes.literal("", call)
            yield line


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive with Sphinx."""
    app.setup_extension("ledger")
    app.add_directive("papers", Papers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
