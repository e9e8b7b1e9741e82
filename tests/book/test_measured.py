"""What the pages make of a notebook's named outputs, without building any."""

from __future__ import annotations

import json
import os
from pathlib import Path

import measured
import pytest


def executed(path: Path, **values: object) -> Path:
    """An executed notebook that has glued these values."""
    prefix = "application/papermill.record/"
    outputs = [
        {
            "data": {f"{prefix}text/plain": [repr(value)]},
            "metadata": {"scrapbook": {"name": name, "mime_prefix": prefix}},
        }
        for name, value in values.items()
    ]
    path.write_text(json.dumps({"cells": [{"outputs": outputs}, {"cell_type": "markdown"}]}))
    return path


@pytest.mark.parametrize(
    ("value", "spec", "shown"),
    [
        (3.14159, ".1f", "3.1"),
        (-0.25, ".2f", "\N{MINUS SIGN}0.25"),
        (-1e-7, ".0e", "\N{MINUS SIGN}1 × 10⁻⁷"),
        (12_000, ",", "12,000"),
        ("plain-20", "", "plain-20"),
        (True, "", "True"),
    ],
)
def test_a_value_is_shown_in_its_format_and_with_a_true_minus(tmp_path, value, spec, shown) -> None:
    bundle = measured.find(executed(tmp_path / "01-a.ipynb", gap=value), "gap")
    assert measured.as_text(bundle, spec) == shown


def test_what_does_not_fit_or_is_not_there_is_told(tmp_path) -> None:
    path = executed(tmp_path / "01-a.ipynb", gap=1.5, word="grew")
    with pytest.raises(measured.MeasuredError, match="'grew' does not fit the format"):
        measured.as_text(measured.find(path, "word"), ".1f")
    with pytest.raises(measured.MeasuredError, match="no output named gpa; it has: gap"):
        measured.find(path, "gpa")
    with pytest.raises(measured.MeasuredError, match="there are: 01-a"):
        measured.find(tmp_path / "02-b.ipynb", "gap")
    with pytest.raises(measured.MeasuredError, match="no figure or table"):
        measured.as_html(measured.find(path, "gap"))


def test_a_notebook_that_ran_again_is_read_again(tmp_path) -> None:
    path = executed(tmp_path / "01-a.ipynb", gap=1.0)
    assert measured.as_text(measured.find(path, "gap")) == "1.0"
    executed(path, gap=2.0)
    os.utime(path, ns=(1, 1))
    assert measured.as_text(measured.find(path, "gap")) == "2.0"
