"""Every exercise: in its chapter with hint and solution, in its notebook with a check that works.

tests/wrong_answers/chapterNN.py has at least three plausible wrong answers to each, with a part of
the hint that each must get.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from torch import nn

from resnet_lib import ConfigError, exercises
from resnet_lib.exercises import CHECKS, judge

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = {path.stem: path.read_text() for path in (ROOT / "book").glob("[0-9][0-9]-*.md")}
# An exercise stands between ::::{exercise} and ::::, a solution likewise.
DIRECTIVE = re.compile(r"^(:{3,})\{(exercise|solution)\} ?(.*?)\n(.*?)^\1$", re.DOTALL | re.M)
PYTHON = re.compile(r"^```(?:\{code-block\} )?python\n(.*?)^```$", re.DOTALL | re.M)


def of_kind(kind: str) -> Iterator[tuple[str, str, str]]:
    """Slug, title or reference, and text of all exercises or solutions."""
    for slug, chapter in CHAPTERS.items():
        for _, found, title, text in DIRECTIVE.findall(chapter):
            if found == kind:
                yield slug, title, text


def label(text: str) -> str:
    return re.search(r"^:label: exercise-(.+)$", text, re.M)[1]


EXERCISES = {label(text): (slug, text) for slug, _, text in of_kind("exercise")}
SOLUTIONS = {name.removeprefix("exercise-"): text for _, name, text in of_kind("solution")}


def solution(name: str) -> Any:
    """The answer that the chapter's hidden solution gives: its code is run."""
    values: dict[str, Any] = {}
    for block in PYTHON.findall(SOLUTIONS[name]):
        exec(block, values)
    return values["answer"]


def wrong_answers() -> dict[str, list[tuple[Any, str]]]:
    """All of tests/wrong_answers: answer and part of its hint, by exercise."""
    found = {}
    for path in sorted((ROOT / "tests" / "wrong_answers").glob("chapter*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= module.WRONG
    return found


WRONG = wrong_answers()


def test_chapters_checks_solutions_and_wrong_answers_are_of_the_same_exercises() -> None:
    assert set(EXERCISES) == set(CHECKS) == set(SOLUTIONS) == set(WRONG)


@pytest.mark.parametrize("slug", sorted(CHAPTERS))
def test_a_chapter_has_three_to_five(slug: str) -> None:
    names = [name for name, (chapter, _) in EXERCISES.items() if chapter == slug]
    assert 3 <= len(names) <= 5, f"{slug}.md has {len(names)} exercises; three to five are wanted"
    assert all(name.startswith(slug[:2]) for name in names)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_there_is_a_hint_and_the_solution_is_hidden(name: str) -> None:
    _, text = EXERCISES[name]
    assert re.search(r"\{admonition\} Hint\n:class: dropdown", text)
    assert ":class: dropdown" in SOLUTIONS[name]


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_notebook_checks_it_and_leaves_it_open(name: str) -> None:
    slug, _ = EXERCISES[name]
    notebook = nbformat.read(ROOT / "notebooks" / f"{slug}.ipynb", as_version=4)
    call = f'exercises.check("{name}", answer)'
    cells = [cell.source for cell in notebook.cells if call in cell.source]
    assert len(cells) == 1, call
    assert re.search(r"^answer = None", cells[0], re.M), "the cell says that it is not done yet"


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_untouched_exercise_is_not_done(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    exercises.check(name, None)
    assert capsys.readouterr().out == f"{name}: not done yet.\n"


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_solution_passes(name: str) -> None:
    verdict = judge(name, solution(name))
    assert verdict.state == "right", verdict


def test_a_rounded_number_and_one_relu_used_twice_are_right() -> None:
    assert judge("04-scale", 5.55e-17).state == "right"

    def branch(width: int) -> nn.Sequential:
        relu = nn.ReLU()
        first = nn.Conv2d(4 * width, width, 1, bias=False), nn.BatchNorm2d(width), relu
        second = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), relu
        last = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        return nn.Sequential(*first, *second, *last)

    assert judge("05-branch", branch).state == "right"


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_wrong_answers_get_the_right_hint(name: str) -> None:
    assert len(WRONG[name]) >= 3
    for answer, part in WRONG[name]:
        verdict = judge(name, answer)
        assert verdict.state == "not right yet", f"{answer!r} passes"
        assert part in verdict.hint, f"{answer!r}: {verdict.hint}"
        assert verdict.hint.endswith((".", "?"))
    assert len({part for _, part in WRONG[name]}) > 1, "one hint for every mistake helps nobody"


@pytest.mark.parametrize("name", sorted(CHECKS))
@pytest.mark.parametrize("answer", [object(), "", [], float("nan"), -1e9, lambda: None])
def test_nonsense_is_told_so(name: str, answer: Any) -> None:
    assert judge(name, answer).state == "not right yet"


def test_an_unknown_exercise_is_named() -> None:
    with pytest.raises(ConfigError, match="no exercise '02-cuont'"):
        exercises.check("02-cuont", 3)
