"""Run the notebooks that need it, through papermill, into the tree that the book is built from.

    python ci/run_notebooks.py [--tier smoke|quick|short|paper] [--out _build/book] [--jobs N]

OUT/src/notebooks/NN-slug.ipynb    the executed copy; the clean notebook stays as it is
OUT/src/notebooks/NN-slug.json     what it was made from (a hash) and what running it took
OUT/scratch/NN-slug/               where it ran: its work/ folder, its training records in
                                   runs-TIER/
OUT/statistics.json                what running each notebook took; also as a page of the book

A notebook runs again exactly when it, the library (but for the explorers), the data (recorded
runs only if it reads them), its parameters, RESNET_LIB_DATA, Python or torch changed. A run that
fails or is stopped leaves no executed copy that a later one would take.

In tier smoke, which is for tests, a notebook also runs what it asks its reader to try.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

ROOT = Path(__file__).resolve().parents[1]
TIERS = ("smoke", "quick", "short", "paper")
# The pages say of these tiers' curves that they were trained when the book was built: the
# training records are deleted before every run. Those of the others survive, for days of training
# must not be lost: a build that was stopped goes on where it was. An outdated record does no harm:
# its id, which moves with net, recipe, data and arithmetic, is not asked for any more.
FRESH = ("smoke", "quick")
# Threads that spin while they wait for one another are, on a busy machine, slower than one.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
TRIED = "tried"  # the tag of cells that are run and then left out
# How a notebook reads recorded runs.
READS_ARCHIVE = re.compile(r"\b(archived|load_runs|load_records|read_tests)\(")
STATISTICS = "statistics.json"
MARKER = ".built"  # says that what lies beside it was built here, and may be built anew
STATISTICS_PAGE = "book/statistics.md"
# Raise it when executed copies made by an earlier version of this file must not be used.
FORMAT = 1


def shipped(folder: Path) -> Iterator[Path]:
    """The files of a folder that belong to the repository, sorted: no downloads, nothing hidden.

    Nor training records outside data/runs: a session of JupyterLab leaves some in notebooks/runs.
    """
    left_out = {"__pycache__", "downloads", "node_modules"}
    kept = ROOT / "data" / "runs", ROOT / "web" / "explorers" / "runs"
    unfinished = re.compile(r"checkpoint\..*|weights\.safetensors|.*\.partial|.*\.pyc")
    for path in sorted(folder.rglob("*")):
        inside = set(path.relative_to(folder).parts)
        if any(part.startswith(".") for part in inside):
            continue
        if "runs" in inside and not any(path.is_relative_to(each) for each in kept):
            continue
        if path.is_file() and not inside & left_out and not unfinished.fullmatch(path.name):
            yield path


def digest(files: list[Path], *more: str) -> str:
    """A hash of files, with their names, and of some texts."""
    total = hashlib.sha256("\0".join(more).encode())
    for path in files:
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        total.update(f"\0{name}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def measured() -> set[Path]:
    """Where the records of runs are, and what was measured of their nets."""
    return {ROOT / "data" / "runs", ROOT / "data" / "tests.csv"}


def ingredients(tier: str) -> str:
    """A hash of everything that every notebook's outputs depend on.

    Not of the recorded runs (see `archive_of`), nor of the explorers, whose data the pages take
    from elsewhere.
    """
    files = [*shipped(ROOT / "resnet_lib"), *shipped(ROOT / "data")]
    library = ROOT / "resnet_lib"
    left_out = {*measured(), library / "widgets"}
    left_out |= {library / "explore.py", library / "playground.py"}
    return digest(
        [path for path in files if path.suffix != ".md" and not left_out & {path, *path.parents}],
        f"format {FORMAT}",
        tier,
        os.environ.get("RESNET_LIB_DATA", ""),
        platform.python_version(),
        version("torch"),
    )


def archive_of(notebook: Path) -> list[Path]:
    """The archive's records if a notebook reads them: only then does a new one run it again."""
    if not READS_ARCHIVE.search(notebook.read_text(encoding="utf-8")):
        return []
    return [
        path
        for path in shipped(ROOT / "data")
        if path.suffix in (".csv", ".json") and measured() & {path, *path.parents}
    ]


def version(package: str) -> str:
    """The version of an installed package, or "none"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


@dataclass
class Notebook:
    """A notebook, its executed copy below `out`, and the run that makes it."""

    source: Path
    out: Path
    key: str
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0

    @property
    def name(self) -> str:
        return self.source.stem

    @property
    def copy(self) -> Path:
        return self.out / "src" / "notebooks" / self.source.name

    @property
    def record(self) -> Path:
        return self.copy.with_suffix(".json")

    @property
    def scratch(self) -> Path:
        return self.out / "scratch" / self.name

    @property
    def draft(self) -> Path:
        return self.scratch / self.source.name

    def statistics(self) -> dict[str, Any] | None:
        """What the run of the present copy took, or None if there is no copy that counts."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self.record.read_text())
            if found["key"] == self.key and self.copy.is_file():
                return found
        return None

    def start(self, tier: str) -> None:
        """Start papermill in a fresh work folder. From here on the former copy does not count."""
        self.record.unlink(missing_ok=True)
        self.draft.unlink(missing_ok=True)
        work, runs = self.scratch / "work", self.scratch / f"runs-{tier}"
        for folder in (work, runs) if tier in FRESH else (work,):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (work, runs, self.copy.parent):
            folder.mkdir(parents=True, exist_ok=True)
        environment = {**library_first(), "RESNET_LIB_RUNS": str(runs)}
        if chosen := os.environ.get("RESNET_LIB_DATA"):  # the notebook works in a folder of its own
            environment["RESNET_LIB_DATA"] = str(Path(chosen).expanduser().resolve())
        source = self.source if tier != "smoke" else self.with_tries()
        command = [sys.executable, "-m", "papermill", str(source), str(self.draft)]
        command += ["--kernel", "python3", "--language", "python", "--no-progress-bar"]
        command += ["--cwd", str(work), "-r", "TIER", tier]
        with (self.scratch / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=PATIENT | os.environ | environment,
                # Ctrl-C reaches only us; stop() passes it on, once.
                start_new_session=True,
            )
        self.began = time.perf_counter()

    def with_tries(self) -> Path:
        """A copy with a cell for each suggestion of the last section, in this run's tier."""
        notebook = json.loads(self.source.read_text(encoding="utf-8"))
        for number, code in enumerate(suggested(notebook["cells"])):
            cell = {"id": f"{TRIED}-{number}", "cell_type": "code", "metadata": {"tags": [TRIED]}}
            cell |= {"execution_count": None, "outputs": [], "source": code}
            notebook["cells"].append(cell)
        path = self.scratch / f"{TRIED}.ipynb"
        path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")
        return path

    def stop(self) -> None:
        """End the run and its kernel."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def finish(self, tier: str) -> dict[str, Any]:
        """Take over the executed copy, write its statistics and return them."""
        notebook = json.loads(self.draft.read_text(encoding="utf-8"))
        notebook["cells"] = [each for each in notebook["cells"] if TRIED not in tags_of(each)]
        hide_injected(notebook)
        # The state of widgets is their code and data: the pages have both elsewhere.
        notebook["metadata"].pop("widgets", None)
        self.draft.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(self.draft, self.copy)
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        took = [cell["metadata"].get("papermill", {}).get("duration") or 0 for cell in code]
        whole = notebook["metadata"]["papermill"]
        found = {
            "notebook": self.name,
            "key": self.key,
            "tier": tier,
            "seconds": round(whole["duration"], 2),
            "slowest_cell": round(max(took, default=0), 2),
            "cells": len(notebook["cells"]),
            "kilobytes": round(self.copy.stat().st_size / 1000, 1),
            "executed": whole["end_time"][:10],
            "python": platform.python_version(),
            "torch": version("torch"),
        }
        self.record.write_text(json.dumps(found, indent=1) + "\n")
        return found

    def failure(self) -> str:
        """What went wrong, in readable form: the cell, its source, the error."""
        log = (self.scratch / "log.txt").read_text(errors="replace").strip()
        kept = f"The notebook as far as it ran: {shown(self.draft)}"
        try:
            cells = json.loads(self.draft.read_text(encoding="utf-8"))["cells"]
            number, cell = next(failed_cells(cells))
        except (OSError, ValueError, StopIteration):
            return f"{self.name}: failed outside its cells.\n\n{indent(log[-3000:])}\n\n{kept}"
        errors = [each for each in cell["outputs"] if each["output_type"] == "error"]
        lines = [f"{self.name}: failed in cell {number}.", "", indent("".join(cell["source"]))]
        for error in errors:
            trace = plain("\n".join(error["traceback"])).splitlines()
            lines += ["", indent("\n".join(trace[-25:]))]
        if not errors:
            lines += ["", indent(log[-3000:])]
        return "\n".join([*lines, "", kept])


def without_parameters(source: Path) -> str | None:
    """Why a notebook would not run in the tier that it is asked to, in one sentence; or None."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    count = sum("parameters" in tags_of(cell) for cell in cells)
    told = f"{source.name} has {count} cells with the tag 'parameters', and must have one: without"
    return None if count == 1 else f"{told} it, the notebook runs in a tier of its own."


def hide_injected(notebook: dict[str, Any]) -> None:
    """Keep the cell that papermill adds with the parameters out of the page."""
    for cell in notebook["cells"]:
        tags = tags_of(cell)
        if "injected-parameters" in tags:
            cell["metadata"]["tags"] = [*tags, "remove-cell"]


def tags_of(cell: dict[str, Any]) -> list[str]:
    """The tags of a cell."""
    return cell["metadata"].get("tags", [])


def library_first() -> dict[str, str]:
    """The environment in which the library beside this script is taken, whichever is installed."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def suggested(cells: list[dict[str, Any]]) -> list[str]:
    """The Python that the section "Try it" shows: what calls something; a tier becomes `TIER`."""
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    sections = [text for text in texts if text.startswith("## Try it")]
    spans = [span for text in sections for span in re.findall(r"`([^`]+)`", text)]
    return [re.sub(f'"({"|".join(TIERS)})"', "TIER", span) for span in spans if calls(span)]


def calls(span: str) -> bool:
    """Whether a text is Python that ends in an expression with a call."""
    try:
        last = ast.parse(span).body[-1]
    except (SyntaxError, IndexError):
        return False
    calling = any(isinstance(node, ast.Call) for node in ast.walk(last))
    return isinstance(last, ast.Expr) and calling


def failed_cells(cells: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The cells that raised an error, with their numbers in the clean notebook, from 1."""
    added = {"injected-parameters", "papermill-error-cell-tag"}
    own = [cell for cell in cells if not added & set(tags_of(cell))]
    for number, cell in enumerate(own, 1):
        if cell["metadata"].get("papermill", {}).get("exception"):
            yield number, cell


def plain(text: str) -> str:
    """A text without the colour codes of terminals."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def indent(text: str) -> str:
    """A text set off by four spaces."""
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def shown(path: Path) -> str:
    """A path as short as the reader can use it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def run_all(notebooks: list[Notebook], tier: str, jobs: int) -> list[dict[str, Any]]:
    """Run what needs it, `jobs` at a time, and say so; one row of statistics a notebook."""
    rows = {}
    waiting: list[Notebook] = []
    for notebook in notebooks:
        found = notebook.statistics()
        if found is None:
            waiting.append(notebook)
        else:
            rows[notebook.name] = found
            print(f"{notebook.name}: unchanged", flush=True)
    running: list[Notebook] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(waiting.pop(0))
                running[-1].start(tier)
                if sys.stdout.isatty():
                    print(f"{running[-1].name}: running", end="\r", flush=True)
            time.sleep(0.05)
            for notebook in [each for each in running if each.process.poll() is not None]:
                running.remove(notebook)
                rows[notebook.name] = conclude(notebook, tier)
    finally:
        for notebook in running:
            notebook.stop()
    return [rows[notebook.name] for notebook in notebooks]


def conclude(notebook: Notebook, tier: str) -> dict[str, Any]:
    """Say how a run ended; its row of statistics."""
    seconds = time.perf_counter() - notebook.began
    if notebook.process.returncode == 0:
        print(f"{notebook.name}: ran {seconds:.0f} s".ljust(len(notebook.name) + 9), flush=True)
        return notebook.finish(tier)
    print(notebook.failure(), file=sys.stderr, flush=True)
    return {"notebook": notebook.name, "tier": tier, "failed": True}


def statistics_page(rows: list[dict[str, Any]]) -> str:
    """The page that tells what running the notebooks took."""
    columns = "Notebook | Tier | Seconds | Slowest cell, s | Executed | Python | torch"
    lines = [
        "# Execution statistics",
        "",
        "Every notebook of this book was run from top to bottom, without an error, to make these",
        "pages. A notebook runs again when it, the library, the data or its parameters change; an",
        "explorer takes its data when the pages are built.",
        "",
        f"| {columns} |",
        "|---|---|--:|--:|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {{doc}}`../notebooks/{row['notebook']}` | {row['tier']} "
            f"| {row['seconds']:.1f} | {row['slowest_cell']:.1f} "
            f"| {row['executed']} | {row['python']} | {row['torch']} |"
        )
    return "\n".join([*lines, ""])


def run(tier: str, out: Path, jobs: int) -> bool:
    """Bring all executed copies below `out` up to date; False if a notebook failed."""
    sources = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    if told := [each for path in sources if (each := without_parameters(path))]:
        print("\n".join(told), file=sys.stderr)
        return False
    common = ingredients(tier)
    notebooks = [Notebook(path, out, digest([path, *archive_of(path)], common)) for path in sources]
    belong = {path for each in notebooks for path in (each.copy, each.record)}
    for stray in (out / "src" / "notebooks").glob("*"):
        if stray.is_file() and stray not in belong:
            stray.unlink()
    rows = run_all(notebooks, tier, jobs)
    (out / "src" / "book").mkdir(parents=True, exist_ok=True)
    (out / STATISTICS).write_text(json.dumps(rows, indent=1) + "\n")
    if any(row.get("failed") for row in rows):
        return False
    page = out / "src" / STATISTICS_PAGE
    text = statistics_page(rows)
    if not page.is_file() or page.read_text() != text:
        page.write_text(text)
    return True


def arguments(description: str) -> argparse.Namespace:
    """The command line's options, the same for building the book."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--tier",
        choices=TIERS,
        default="quick",
        help="how long the notebooks train: seconds, a minute, hours, or the paper's schedule",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "book", metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="notebooks at a time")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error(f"--jobs is {options.jobs}: it must be at least 1.")
    options.out = options.out.resolve()
    if told := not_ours(options.out):
        parser.error(told)
    return options


def not_ours(out: Path) -> str | None:
    """Why nothing can be built in a folder, in one sentence: else files of others would be lost."""
    if out.exists() and not out.is_dir():
        return f"--out {shown(out)} is a file: it must be a folder, which may be a new one."
    theirs = [name for name in ("src", "html", "sphinx", "scratch") if (out / name).exists()]
    if theirs and not any((out / name).exists() for name in (MARKER, STATISTICS)):
        return (
            f"--out {shown(out)} has a folder {theirs[0]} that was not built here and would be "
            "replaced: name another, which may be a new one."
        )
    return None


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold a folder of what is built; where another process holds it, say so and wait."""
    lock = FileLock(f"{out}.lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / MARKER).touch()
        lock.acquire(timeout=0)
    except Timeout:
        print(f"Another process builds in {shown(out)}: waiting for it.", flush=True)
        lock.acquire()
    except OSError as error:
        raise SystemExit(f"{shown(out)} cannot be built in: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()


def interruptible(main: Any) -> int:
    """Run `main`; SIGTERM, and a terminal that is closed, end it as cleanly as Ctrl-C.

    But for nohup, which has a closed terminal ignored. Windows has none that hangs up.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        return main()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def main() -> int:
    options = arguments("Run the notebooks that need it.")
    with alone(options.out):
        return 0 if run(options.tier, options.out, options.jobs) else 1


if __name__ == "__main__":
    sys.exit(interruptible(main))
