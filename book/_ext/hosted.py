"""Files that pages load: they lie once in the book, under names that change with their content."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx


def name_in_book(path: Path) -> str:
    """The name under which a file lies in the book."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    return f"{path.stem}.{digest}{path.suffix}"


def publish(app: Sphinx, folder: str, paths: Iterable[Path]) -> None:
    """Put files into a folder of the book, and nothing else."""
    target = Path(app.outdir) / "_static" / folder
    shutil.rmtree(target, ignore_errors=True)
    for path in paths:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name_in_book(path))
