"""Build the book: run the notebooks that need it, then make the pages and the archive.

    python ci/build_book.py [--tier smoke|quick|short|paper] [--out _build/book] [--jobs N]

OUT/src        what Jupyter Book reads: this repository with the notebooks executed, and in
               explorers/ what resnet_lib.widgets makes of the recorded runs
OUT/sphinx     where it works; kept, so that the next build reads only the pages that changed
OUT/html       the book: open index.html, or serve the folder
"""

from __future__ import annotations

import filecmp
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from chinese import in_chinese
from icons import trim_icons
from run_notebooks import (
    ROOT,
    STATISTICS_PAGE,
    alone,
    arguments,
    digest,
    interruptible,
    library_first,
    plain,
    run,
    shipped,
    shown,
    version,
)

ARCHIVE = "resnet-read-and-run.zip"
# What a reader needs to do what the README says on a machine of their own.
ARCHIVED_FOLDERS = ("book", "ci", "data", "notebooks", "resnet_lib", "tests", "web")
ARCHIVED_FILES = ("_config.yml", "_toc.yml", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md")
ARCHIVED_FILES += ("LICENSE", "Makefile", "README.md", "README.zh.md", "constraints.txt")
ARCHIVED_FILES += ("pyproject.toml", "requirements.txt", ".ci/run", ".github/page.png")
# Of what Sphinx and the theme write, that which no page needs.
DROPPED = re.compile(r".*\.map|\.buildinfo.*|_static/scripts/fontawesome\.js.*")


class BuildError(RuntimeError):
    """The book cannot be built; the message says why."""


def sources() -> list[Path]:
    """The files that Jupyter Book reads as they are: everything but the notebooks."""
    book = [path for path in shipped(ROOT / "book") if "_vendor" not in path.parts]
    return [ROOT / "_config.yml", ROOT / "_toc.yml", *book]


def stage(src: Path) -> None:
    """Make `src` mirror the repository's book; unchanged files keep their time stamps."""
    explorers(src / "explorers")
    belong = {src / STATISTICS_PAGE}
    for source in sources():
        copy = src / source.relative_to(ROOT)
        belong.add(copy)
        if not copy.is_file() or not filecmp.cmp(source, copy, shallow=False):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    for path in src.rglob("*"):
        made = path.parent in (src / "notebooks", src / "explorers")
        if path.is_file() and path not in belong and not made:
            path.unlink()


def explorers(folder: Path) -> None:
    """Bring the explorers' data and plain figures up to date. Errors: `BuildError`."""
    bundle = ROOT / "resnet_lib" / "widgets" / "explorers.js"
    if not bundle.is_file():  # a book without the library has no explorers of its own
        return
    inputs = [*shipped(ROOT / "resnet_lib"), *shipped(ROOT / "data")]
    made_by = platform.python_version(), version("torch"), version("matplotlib")
    key, marker = digest(inputs, *made_by), folder / "made-from"
    if marker.is_file() and marker.read_text() == key:
        return
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "resnet_lib.widgets", str(folder)],
        env=os.environ | library_first(),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise BuildError(f"The explorers' data could not be made.\n\n{done.stderr}")
    shutil.copyfile(bundle, folder / bundle.name)
    marker.write_text(key)


def foundation(src: Path) -> str:
    """A hash of what decides every page: a change of it makes all pages anew."""
    files = [ROOT / "_config.yml", ROOT / "_toc.yml", *shipped(ROOT / "book" / "_ext")]
    names = sorted(str(path.relative_to(src)) for path in src.rglob("*") if path.is_file())
    # What pages show of the library is not to be told by the time stamps of its files.
    files += [*(src / "explorers").glob("*.js*"), *shipped(ROOT / "resnet_lib")]
    packages = sorted(f"{each.name} {each.version}" for each in metadata.distributions())
    return digest([*files, Path(__file__).resolve()], *names, *packages)


def render(src: Path, work: Path) -> Path:
    """Make the pages, warnings as errors; the folder that holds them. Errors: `BuildError`."""
    marker, wanted = work / "foundation", foundation(src)
    if not marker.is_file() or marker.read_text() != wanted:
        shutil.rmtree(work, ignore_errors=True)
    # Sphinx does not repeat what it said about pages that it has read: a build that fails or is
    # stopped leaves no marker, and the next one reads all pages.
    marker.unlink(missing_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(src), "--path-output", str(work)]
    strict = ["-W", "-n", "--keep-going", "-q"]
    environment = os.environ | library_first()  # the ledger's pages are made by the library
    done = subprocess.run([*command, *strict], capture_output=True, text=True, env=environment)
    log = work / "log.txt"
    log.write_text(plain(done.stdout + done.stderr))
    if done.returncode != 0:
        told = complaints(log.read_text().replace(f"{src}/", ""))
        raise BuildError(f"The book was not built.\n\n{told}\n\nMore: {shown(log)}")
    marker.write_text(wanted)
    return work / "_build" / "html"


def complaints(log: str) -> str:
    """What Sphinx complained of, or what stopped it, without the path of its call."""
    lines = [line for line in log.splitlines() if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)]
    return "\n".join(dict.fromkeys(lines)) or log.partition("Traceback (most")[0].strip()


def pages() -> list[str]:
    """The pages that _toc.yml lists."""

    def walk(part: Any) -> Iterator[str]:
        if isinstance(part, list):
            for each in part:
                yield from walk(each)
        elif isinstance(part, dict):
            for key, value in part.items():
                if key in ("root", "file"):
                    yield value
                else:
                    yield from walk(value)

    return list(walk(settings("_toc.yml")))


def settings(name: str) -> Any:
    """The content of a YAML file of the repository's root."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def publish(rendered: Path, html: Path) -> None:
    """Put the book together beside the former one, check it, and take its place."""
    fresh = html.with_name("html.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for path in sorted(rendered.rglob("*")):
        name = path.relative_to(rendered).as_posix()
        if path.is_file() and not DROPPED.fullmatch(name):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, fresh / name)
    # Here and not in _static of the sources: every script there would load on every page.
    shutil.copytree(ROOT / "book" / "_vendor", fresh / "_static" / "vendor", dirs_exist_ok=True)
    for page in fresh.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = in_chinese(lit(lean(text, searches=page.name == "search.html")))
        page.write_text(text, encoding="utf-8")
    for copy in (fresh / "_sources" / "notebooks").glob("*.ipynb"):
        shutil.copyfile(ROOT / "notebooks" / copy.name, copy)
    drop_unused(fresh)
    trim_icons(fresh)
    (fresh / "index.html").write_text(start_page(), encoding="utf-8")
    (fresh / ".nojekyll").touch()  # GitHub Pages would leave out folders that begin with _
    archive(fresh)
    missing = [page for page in [*pages(), "index"] if not (fresh / f"{page}.html").is_file()]
    if missing:
        raise BuildError(f"The book was built without these pages: {', '.join(missing)}.")
    former = html.with_name("html.old")
    shutil.rmtree(former, ignore_errors=True)
    if html.exists():
        html.rename(former)
    fresh.rename(html)
    shutil.rmtree(former, ignore_errors=True)


def start_page() -> str:
    """A page in the root of the book that leads to the first."""
    title, first = settings("_config.yml")["title"], f"{pages()[0]}.html"
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta http-equiv="refresh" content="0; url={first}">\n<a href="{first}">{title}</a>\n'
    )


def lit(page: str) -> str:
    """A page that is light until the theme's script knows better: without one it had no colours."""
    return re.sub(r'(<html[^>]*data-theme=)"auto"', r'\1"light"', page, count=1)


def lean(page: str, searches: bool) -> str:
    """A page without scripts that it has no use for.

    fontawesome.js has 1.4 MB and draws icons which the web font has. The index of the whole book is
    for a search while one types, which this book does not have: only the page of results reads it.
    """
    unused = ["fontawesome", *([] if searches else ["searchtools", "language_data", "searchindex"])]
    return re.sub(rf"\s*<script[^>]*(?:{'|'.join(unused)})\.js[^>]*></script>", "", page)


def drop_unused(html: Path) -> None:
    """Remove pictures and downloads that earlier builds left and no page shows."""
    text = "".join(page.read_text(encoding="utf-8") for page in html.rglob("*.html"))
    for folder in ("_images", "_downloads"):
        for path in (html / folder).rglob("*"):
            if path.is_file() and path.name not in text:
                path.unlink()


def archived() -> list[Path]:
    """The repository's files that go into the archive: those that git does not ignore.

    Who builds from the archive has no repository, and perhaps no git: there `shipped` decides.
    """
    wanted = [*ARCHIVED_FILES, *ARCHIVED_FOLDERS]
    names = not_ignored(wanted)
    if names is not None:
        paths = {ROOT / name for name in names}
    else:
        paths = {ROOT / name for name in ARCHIVED_FILES}
        paths.update(path for name in ARCHIVED_FOLDERS for path in shipped(ROOT / name))
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def not_ignored(names: list[str]) -> list[str] | None:
    """The files below `names` that git tracks or would add; None without git or a repository."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    try:
        told = subprocess.run([*command, *names], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [os.fsdecode(name) for name in told.split(b"\0") if name]


def archive(html: Path) -> None:
    """Pack the pages (as html/) and what runs the notebooks; the same files give the same bytes."""
    members = {path.relative_to(ROOT).as_posix(): path for path in archived()}
    for path in sorted(html.rglob("*")):
        if path.is_file():
            members[f"html/{path.relative_to(html).as_posix()}"] = path
    with zipfile.ZipFile(html / ARCHIVE, "w") as target:
        for name in sorted(members):
            entry = zipfile.ZipInfo(f"resnet-read-and-run/{name}", (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            runs = members[name].stat().st_mode & 0o100
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            target.writestr(entry, members[name].read_bytes())


def build(out: Path) -> None:
    """Bring OUT/html up to date with OUT/src. Errors: `BuildError`."""
    src, html, record = out / "src", out / "html", out / "published"
    stage(src)
    inputs = sorted({*archived(), *(path for path in src.rglob("*") if path.is_file())})
    state = digest(inputs, foundation(src))
    built = record.is_file() and record.read_text() == state
    if not (built and (html / "index.html").is_file()):
        rendered = render(src, out / "sphinx")
        record.unlink(missing_ok=True)  # whoever is stopped now leaves no book that counts
        publish(rendered, html)
        record.write_text(state)


def main() -> int:
    options = arguments("Build the book.")
    with alone(options.out):
        if not run(options.tier, options.out, options.jobs):
            return 1
        try:
            build(options.out)
        except BuildError as error:
            print(error, file=sys.stderr)
            return 1
    html = shown(options.out / "html")
    usual = options.out == ROOT / "_build" / "book"
    serve = "make serve" if usual else f"python -m http.server --directory {html}"
    print(f"The book: {len(pages())} pages. Open {html}/index.html in a browser,")
    print(f"or serve them: {serve}")
    return 0


if __name__ == "__main__":
    sys.exit(interruptible(main))
