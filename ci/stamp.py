"""Carry the repository's address from _config.yml into every file that repeats it.

    python ci/stamp.py            write it
    python ci/stamp.py --check    fail, naming the files, where another address stands

The address that was written last is the one in CITATION.cff (`repository-code`): wherever that
occurs, the new one takes its place. Some addresses can only be this repository's, whatever they say
now: Colab links, clone URLs, badges of workflows, and what a name is set to (`REPOSITORY = ...`).
Every other address on GitHub is left alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = (
    "README*.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "pyproject.toml",
    ".github/**/*.yml",
    "book/*.md",
    "notebooks/*.ipynb",
    "CITATION.cff",  # the last to be written: until then it tells the former address
)
GITHUB = r"https://github\.com/"
SLUG = r"[\w.-]+/[\w-]+(?:\.(?!git\b)[\w-]+)*"
OURS = re.compile(
    rf"(https://colab\.research\.google\.com/github/|\bclone\b[^\n]*?{GITHUB}|git\+{GITHUB}"
    rf"|(?:repository-code:|\w[ \t]+=)[ \t]*[\\\"']*{GITHUB}|{GITHUB}(?={SLUG}/actions/)){SLUG}"
)


def address(root: Path) -> str:
    """The repository as "owner/name", from _config.yml. Errors: `SystemExit` where it is none."""
    url = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    found = re.fullmatch(rf"{GITHUB}({SLUG})(?:\.git)?/?", url)
    if not found:
        raise SystemExit(
            f"_config.yml: repository: url is {url}: it must be https://github.com/OWNER/NAME."
        )
    return found[1]


def former(root: Path) -> str | None:
    """The repository that was written last, or None."""
    path = root / "CITATION.cff"
    found = re.search(rf"repository-code:\W*{GITHUB}({SLUG})", path.read_text(encoding="utf-8"))
    return found[1] if found else None


def stamped(text: str, new: str, old: str | None) -> str:
    """A file's text with the repository `new` in place of `old` and wherever only it can stand."""
    if old:
        text = re.sub(rf"(github(?:\.com)?/){re.escape(old)}(?![\w-])", rf"\g<1>{new}", text)
        pages = [re.escape(part) for part in old.split("/")]
        owner, name = new.split("/")
        site = rf"{pages[0]}\.github\.io/{pages[1]}(?![\w-])"
        text = re.sub(site, f"{owner}.github.io/{name}", text)
    return OURS.sub(rf"\g<1>{new}", text)


def main(root: Path = ROOT, check: bool = False) -> int:
    """Stamp all files, or with `check` only say which disagree; 0 if all is well."""
    new, old = address(root), former(root)
    paths = [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]
    wrong = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        right = stamped(text, new, old)
        if right == text:
            continue
        wrong += 1
        name = path.relative_to(root)
        if check:
            print(f"{name} has another repository than {new}: run python ci/stamp.py")
        else:
            path.write_text(right, encoding="utf-8")
            print(f"{name}: {new}")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail where it differs")
    sys.exit(main(check=parser.parse_args().check))
