"""What executed notebooks hand to the pages: their named outputs.

A notebook names an output with `glue` or `show` of `resnet_lib.outputs`: the output's metadata
holds `scrapbook.name`, and values that the notebook itself does not display have a prefix before
their MIME types. Pages name an output as notebook and key.
"""

from __future__ import annotations

import ast
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

Bundle = dict[str, Any]
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class MeasuredError(LookupError):
    """A named output that does not exist or has not the form asked for; one clear sentence."""


def path_of(notebook: str, source: Path) -> Path:
    """Where the executed copy of a notebook is, in the tree that Sphinx reads."""
    return source / "notebooks" / f"{notebook}.ipynb"


def find(path: Path, key: str) -> Bundle:
    """The output of an executed notebook by its key: {MIME type: content}.

    Errors: `MeasuredError` that lists the keys that exist.
    """
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb"))) or "none"
        raise MeasuredError(f"There is no executed notebook {path.stem}; there are: {known}.")
    outputs = named_outputs(path, path.stat().st_mtime_ns)
    if key not in outputs:
        known = ", ".join(sorted(outputs)) or "none"
        raise MeasuredError(f"Notebook {path.stem} has no output named {key}; it has: {known}.")
    return outputs[key]


@lru_cache(maxsize=32)
def named_outputs(path: Path, changed: int) -> dict[str, Bundle]:
    """All named outputs of a notebook; `changed` (its time stamp) only keeps the cache true."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = {}
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        scrapbook = output.get("metadata", {}).get("scrapbook")
        if scrapbook:
            prefix = scrapbook.get("mime_prefix", "")
            found[scrapbook["name"]] = {
                mime.removeprefix(prefix): "".join(content)
                if isinstance(content, list)
                else content
                for mime, content in output["data"].items()
            }
    return found


def as_html(bundle: Bundle) -> str:
    """The output's HTML. Errors: `MeasuredError`."""
    if "text/html" not in bundle:
        raise MeasuredError(f"it is no figure or table: it has only {', '.join(sorted(bundle))}")
    return bundle["text/html"]


def as_text(bundle: Bundle, spec: str = "") -> str:
    """The output's value as text, in a format such as ".1f". Errors: `MeasuredError`.

    A negative number gets a minus sign, not a hyphen; an exponent is written as a power of ten.
    """
    if "text/plain" not in bundle or "text/html" in bundle:
        raise MeasuredError("it is a figure or a table, and no value")
    text = bundle["text/plain"]
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        value = text
    try:
        shown = format(value, spec)
    except (TypeError, ValueError):
        raise MeasuredError(f"its value {text} does not fit the format {spec}") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown
    digits, e, exponent = shown.partition("e")
    power = f" × 10{str(int(exponent)).translate(RAISED)}" if e else ""
    return digits.replace("-", "\N{MINUS SIGN}") + power
