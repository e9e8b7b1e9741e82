"""The built book, and the way to it: ci/run_notebooks.py, ci/build_book.py and book/_ext."""

from __future__ import annotations

import html
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import build_book
import chapters
import pytest
import run_notebooks
import stamp
from filelock import FileLock
from fontTools.ttLib import TTFont
from helpers import ROOT

from resnet_lib import playground
from resnet_lib.paper import published_numbers

SLUGS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
COLAB = "https://colab.research.google.com/github"


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """The attributes of all tags of a kind that have these attributes."""
        return [a for t, a in self.tags if t == tag and attributes.items() <= a.items()]


# The book itself


def test_every_page_is_there(book: Path) -> None:
    for name in [*build_book.pages(), "index", "search"]:
        assert "<title>" in (book / f"{name}.html").read_text(), name


def test_nothing_is_loaded_from_elsewhere(book: Path) -> None:
    loading = ("src", "srcset", "poster", "data", "background", "xlink:href")
    found = []
    for path in book.rglob("*.html"):
        for tag, attributes in Page(path).tags:
            used = [attributes.get(name, "") for name in loading]
            used += [attributes.get("href", "")] if tag != "a" else []
            used += re.findall(r"url\(([^)]*)\)", attributes.get("style", ""))
            found += [(path.name, tag, url) for url in used if re.match(r"(https?:)?//", url)]
    for path in book.rglob("*.css"):
        urls = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]*)", path.read_text())
        found += [(path.name, "url", url) for url in urls]
    script = re.compile(
        r"(?:fetch|import|importScripts)\(\s*[\"'`](?:https?:)?//|from\s*[\"']https?:"
    )
    for path in book.rglob("*.js"):
        found += [(path.name, "script", each) for each in script.findall(path.read_text())]
    assert found == []


def test_pages_load_only_what_they_need(book: Path) -> None:
    for name in build_book.pages():
        text = (book / f"{name}.html").read_text()
        assert ("vendor/mathjax" in text) == ('class="math' in text), name
        unused = ("fontawesome.js", "require.js", "require.min.js", "html-manager", "thebe")
        for script in (*unused, "searchindex.js", "searchtools.js", "language_data.js"):
            assert script not in text, name
    results = (book / "search.html").read_text()
    assert results.count("searchindex.js") == results.count("searchtools.js") == 1


@pytest.mark.parametrize("slug", SLUGS)
def test_notebook_pages_lead_to_the_clean_notebook(book: Path, slug: str) -> None:
    page = Page(book / "notebooks" / f"{slug}.html")
    links = [attributes["href"] for attributes in page.all("a") if "href" in attributes]
    repository = stamp.address(ROOT)
    assert f"{COLAB}/{repository}/blob/main/notebooks/{slug}.ipynb" in links
    assert f"../_sources/notebooks/{slug}.ipynb" in links
    assert links.count(f"../book/{slug}.html") > 1, "in the table of contents and in the text"
    clean = (ROOT / "notebooks" / f"{slug}.ipynb").read_bytes()
    assert (book / "_sources" / "notebooks" / f"{slug}.ipynb").read_bytes() == clean
    source = f"https://github.com/{repository}/blob/main/notebooks/{slug}.ipynb?plain=1"
    assert source in links


@pytest.mark.parametrize("slug", SLUGS)
def test_notebook_pages_show_no_machinery(book: Path, slug: str) -> None:
    text = (book / "notebooks" / f"{slug}.html").read_text()
    assert "tag_injected-parameters" not in text
    assert "papermill" not in text
    assert 'class="output stderr' not in text


@pytest.mark.parametrize("slug", SLUGS)
def test_chapters_have_the_colab_button_of_their_notebook(book: Path, slug: str) -> None:
    page = Page(book / "book" / f"{slug}.html")
    url = f"{COLAB}/{stamp.address(ROOT)}/blob/main/notebooks/{slug}.ipynb"
    assert [a for a in page.all("a", href=url) if "btn" in a.get("class", "")]


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("*.md")), ids=lambda page: page.stem)
def test_no_measured_number_is_typed(page: Path) -> None:
    """Percentages and points with decimals come through a role, or stand in the papers' tables."""
    assert typed_numbers(page.read_text(encoding="utf-8")) == []


def test_typed_numbers_are_found() -> None:
    text = "It came to 27.16%, or 1.5 points, where the paper prints 7.93%: {measured}`a::b`%."
    assert typed_numbers(text + " $0.07$ `0.5%`") == ["27.16", "1.5"]


def typed_numbers(text: str) -> list[str]:
    """The decimals in percent or points of a page's prose that no paper prints."""
    for aside in (
        r"\{[\w-]+\}`[^`]*`",
        r"```+\w.*?```+",
        r"(?<!`)`[^`\n]+`(?!`)",
        r"\$\$.*?\$\$|\$[^$]*\$",
    ):
        text = re.sub(aside, "", text, flags=re.DOTALL)
    printed = {each.value for each in published_numbers() if each.printed}
    found = re.findall(r"(?<![\w.])\d+\.\d+(?=\s?(?:%|points|个百分点))", text)
    return [number for number in found if float(number) not in printed]


@pytest.mark.parametrize("start", ["index", "index.zh"])
def test_the_start_pages_list_every_chapter(book: Path, start: str) -> None:
    """Those of the numbered part of _toc.yml, in its order, each with what it asks."""
    text = (book / "book" / f"{start}.html").read_text(encoding="utf-8")
    listed = re.findall(
        r'<li><p><a class="reference internal" href="([\w-]+)\.html">'
        r'<span class="doc">([^<]+)</span></a>(?:: |：)([^<]+)</p>',
        text,
    )
    pages = chapters.chapters(ROOT / "_toc.yml")
    assert [Path(page).name for page in pages] == [name for name, _, _ in listed]
    language = start.removeprefix("index").removeprefix(".")
    for page, (_, title, question) in zip(pages, listed, strict=True):
        expected = chapters.opening((ROOT / f"{page}.md").read_text(encoding="utf-8"), language)
        assert expected == (title, question[0].upper() + question[1:])


def test_chapters_say_their_number_in_chinese() -> None:
    for page, number in zip(
        chapters.chapters(ROOT / "_toc.yml"), "一二三四五六七八九", strict=False
    ):
        text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
        assert f"\n第{number}章　{chapters.opening(text, 'zh')[0]}" in text


@pytest.mark.parametrize(
    "text",
    ["# A title\n\nNo question.\n", "**A question?**\n", "", "第一章　甲。乙\n\n丙（a）：丁？\n"],
)
def test_a_chapter_without_its_question_has_no_opening(text: str) -> None:
    assert chapters.opening(text) is None
    assert chapters.opening(text, "zh") is None


def test_the_statistics_page_lists_every_notebook(book: Path) -> None:
    text = (book / "book" / "statistics.html").read_text()
    for slug in SLUGS:
        assert f'href="../notebooks/{slug}.html"' in text
    assert "blob/main/book/statistics.md" not in text


def test_chinese_is_marked_as_chinese(book: Path) -> None:
    for name in ("index.zh", "explorers.zh"):
        assert Page(book / "book" / f"{name}.html").all("section", lang="zh"), name
    for name in ("index.zh", "explorers.zh", "01-degradation"):
        text = (book / "book" / f"{name}.html").read_text()
        assert not re.search(r"[\u4e00-\u9fff，。；：]\n[\u4e00-\u9fff]", text), name
    assert not Page(book / "book" / "index.html").all("section", lang="zh")
    chapter = Page(book / "book" / "01-degradation.html")
    notes = chapter.all("aside", lang="zh")
    assert notes
    assert len(chapter.all("blockquote", lang="zh")) == len(notes)


NAMES = {"ResNet, read and run", "References", "Ctrl", ".md", ".pdf"}


def test_a_chinese_page_has_the_theme_s_words_in_chinese(book: Path) -> None:
    for name in ("index", "playground", "explorers"):
        assert '<html lang="en"' in (book / "book" / f"{name}.html").read_text(encoding="utf-8")
        text = (book / "book" / f"{name}.zh.html").read_text(encoding="utf-8")
        assert '<html lang="zh-CN"' in text
        assert '<nav lang="en" class="bd-links' in text
        assert set(re.findall(r'rel="(\w+)"', text)) >= {"next", "prev"} or name != "playground"
        assert not re.search(r'rel="[^"]*[\u4e00-\u9fff]', text)
        text = re.sub(r"<(script|style|svg|nav lang|article).*?</(?:\1|nav)>", "", text, flags=re.S)
        told = re.findall(r'(?:title|aria-label|placeholder)="([^"]+)"', text)
        told += re.findall(r">\s*([^<>]*[A-Za-z]{2}[^<>]*?)\s*<", text.split("<body", 1)[1])
        for each in set(told) - NAMES:
            assert re.search(r"[\u4e00-\u9fff]", each), each


def test_no_two_things_of_a_page_have_one_id(book: Path) -> None:
    for page in (*book.glob("book/*.html"), *book.glob("notebooks/*.html")):
        ids = re.findall(r'\sid="([^"]+)"', page.read_text(encoding="utf-8"))
        assert len(ids) == len(set(ids)), page.name


def test_entries_of_the_bibliography_are_items_of_their_list(book: Path) -> None:
    text = (book / "book" / "references.html").read_text(encoding="utf-8")
    entries = re.findall(r'<div class="citation" id="[^"]+" role="([\w-]+)"', text)
    assert len(entries) > 5
    assert set(entries) == {"listitem"}


def test_the_archive_holds_the_book_and_what_runs_it(book: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(book / build_book.ARCHIVE) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    assert names == sorted(names)
    assert not [name for name in names if "/downloads/" in name or name.endswith(".pt")]
    top = tmp_path / "resnet-read-and-run"
    for name in build_book.ARCHIVED_FILES:
        assert (top / name).is_file() == (ROOT / name).is_file(), name
    for page in build_book.pages():
        assert (top / "html" / f"{page}.html").is_file()
    for path in build_book.archived():
        if path.is_relative_to(ROOT / "data" / "runs"):
            continue  # a training that goes on adds to its records
        assert (top / path.relative_to(ROOT)).read_bytes() == path.read_bytes(), path
    assert {"notebooks", "resnet_lib", "data", "ci", "book"} <= {p.name for p in top.iterdir()}
    for check in (["check"], ["format", "--check"]):  # make test begins with them, there too
        subprocess.run([sys.executable, "-m", "ruff", *check, "."], cwd=top, check=True)


def test_pages_link_to_the_archive(book: Path) -> None:
    links = [a.get("href") for a in Page(book / "book" / "index.html").all("a")]
    assert f"../{build_book.ARCHIVE}" in links


def test_the_fonts_have_the_icons_of_the_style_sheets(book: Path) -> None:
    fonts = [TTFont(path) for path in book.rglob("webfonts/fa-*.woff")]
    drawn = {code for font in fonts for code in font.getBestCmap()}
    texts = [path.read_text(encoding="utf-8") for path in book.rglob("*.css")]
    wanted = {ord(each) for text in texts for each in re.findall("[\ue000-\uf8ff]", text)}
    assert wanted
    assert wanted <= drawn


def test_building_again_is_quick(book: Path) -> None:
    command = [sys.executable, "ci/build_book.py", "--tier", "smoke", "--out", str(book.parent)]
    told = "Another process"
    while "Another process" in told:  # the wait for it is no building
        began = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        told = done.stdout
    assert all(f"{slug}: unchanged" in done.stdout for slug in SLUGS)
    assert time.perf_counter() - began < 60


def test_the_ledger_shows_every_claim_with_its_verdict(book: Path) -> None:
    from resnet_lib.ledger import Ledger

    text = (book / "book" / "ledger.html").read_text()
    rows = Ledger.read()
    assert len(re.findall(r'<div class="[^"]*\bclaim verdict-', text)) == len(rows)
    for id, row in rows.items():
        start = text.index(f'id="claim-{id}"')
        card = text[start : text.find('id="claim-', start + 1)]
        assert f">{row.short}</span>" in card, id
        assert html.escape(row.claim.title, quote=False) in html.unescape(card).replace("’", "'")
    for verdict in {row.verdict for row in rows.values()}:
        name = verdict.replace(" ", "-")
        assert f'id="verdict-{name}"' in text
        assert f"#verdict-{name}:checked" in text, "what hides the others"


@pytest.mark.parametrize("name", ["index", "index.zh"])
def test_the_start_pages_count_the_claims_by_verdict(book: Path, name: str) -> None:
    cards = re.findall(
        r'<div class="[^"]*\bclaim verdict-([\w-]+)', (book / "book" / "ledger.html").read_text()
    )
    link = r'ledger\.html\?verdict=([\w-]+)#ledger-filters"[^>]*>\s*[^<]*?(\d+)[ \u6761]*</a>'
    told = re.findall(link, (book / "book" / f"{name}.html").read_text())
    assert {verdict: int(count) for verdict, count in told} == Counter(cards)


# The way to it, on a small book


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook with a parameters cell and some more."""

    def cell(number: int, source: str) -> dict[str, Any]:
        tags = {"tags": ["parameters"]} if number == 0 else {}
        fixed = {"cell_type": "code", "execution_count": None, "outputs": []}
        return fixed | {"id": f"cell-{number}", "metadata": tags, "source": source}

    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Notebook"}
    code = [cell(number, text) for number, text in enumerate(['TIER = "quick"', *cells])]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": [title, *code], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook))


GLUE = """
import sys
from IPython.display import display
print("from", "stderr", file=sys.stderr)
prefix = "application/papermill.record/"
for name, value in {values}.items():
    meta = {{"scrapbook": {{"name": name, "mime_prefix": prefix}}}}
    display({{prefix + "text/plain": repr(value)}}, raw=True, metadata=meta)
meta = {{"scrapbook": {{"name": "drawing", "mime_prefix": ""}}}}
display({{"text/html": "<svg viewBox='0 0 9 9'></svg>"}}, raw=True, metadata=meta)
"""
INDEX = """# Small book

The gap is {measured}`01-small::gap:.1f` points, not {measured}`01-small::less:.2f`, off by
{measured}`01-small::off:.0e`; nets
{measured}`01-small::word`. See {numref}`fig-drawing` and {cite:t}`he2016deep`.

:::{notebook-figure} 01-small drawing
:name: fig-drawing
:alt: A "drawing" of x < y

Nothing, with $x$.
:::

:::{notes}
·一行 **笔记**
·又一行
---
第一段，
不断**行**
**行**，a
b（c
）。

第二段。
:::
"""


class Small:
    """A small copy of the book's machinery with one notebook that needs no torch."""

    def __init__(self, root: Path) -> None:
        self.root, self.out = root, root / "_build" / "book"
        self.notebook = root / "notebooks" / "01-small.ipynb"
        self.index = root / "book" / "index.md"

    def make(self) -> None:
        for folder in ("ci", "book/_ext", "book/_static", "book/_vendor"):
            ignore = shutil.ignore_patterns("__pycache__", "woff-v2")
            shutil.copytree(ROOT / folder, self.root / folder, ignore=ignore)
        for name in ("_config.yml", "book/references.bib", "book/references.md"):
            shutil.copyfile(ROOT / name, self.root / name)
        self.index.write_text(INDEX)
        self.list_pages("book/statistics", "book/references", "book/more", "notebooks/01-small")
        (self.root / "book" / "more.md").write_text("# More\n")
        self.measure(gap=3.14159, less=-0.25, off=-7.2e-8, word="grew")

    def list_pages(self, *names: str) -> None:
        chapters = "".join(f"  - file: {name}\n" for name in names)
        toc = f"format: jb-book\nroot: book/index\nchapters:\n{chapters}"
        (self.root / "_toc.yml").write_text(toc)

    def measure(self, **values: Any) -> None:
        write_notebook(self.notebook, GLUE.format(values=values))

    def start(self, script: str = "build_book.py", *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, f"ci/{script}", "--tier", "smoke", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.root, text=True, **pipes)

    def run(self, script: str = "build_book.py", *options: str) -> tuple[int, str]:
        with self.start(script, *options) as process:
            out, err = process.communicate()
        return process.returncode, out + err

    def page(self, name: str = "book/index") -> str:
        return (self.out / "html" / f"{name}.html").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small book, built once."""
    small = Small(tmp_path_factory.mktemp("small"))
    small.make()
    code, told = small.run()
    assert code == 0, told
    return small


@pytest.fixture
def small(made: Small) -> Iterator[Small]:
    """The small book; what a test changes in its sources is undone."""
    names = [made.notebook, made.index, made.root / "_toc.yml"]
    before = {path: path.read_bytes() for path in names}
    pages = set(made.index.parent.glob("*.md"))
    yield made
    for path, content in before.items():
        path.write_bytes(content)
    for path in set(made.index.parent.glob("*.md")) - pages:
        path.unlink()


def test_values_and_figures_enter_the_page(made: Small) -> None:
    page = made.page()
    assert '<span class="measured">3.1</span>' in page
    assert '<span class="measured">−0.25</span>' in page
    assert '<span class="measured">−7 × 10⁻⁸</span>' in page
    assert '<span class="measured">grew</span>' in page
    assert "<svg viewBox='0 0 9 9'>" in page
    assert 'aria-label="A &quot;drawing&quot; of x &lt; y"' in page
    assert re.search(r'href="#fig-drawing"><span class="std std-numref">Figure 1</span>', page)
    assert "from stderr" not in made.page("notebooks/01-small")


def test_notes_are_a_quotation_and_its_correction(made: Small) -> None:
    aside = re.search(r'<aside class="reading-notes.*?</aside>', made.page(), re.DOTALL)[0]
    assert '<aside class="reading-notes" lang="zh">' in aside
    assert "<p>·一行 <strong>笔记</strong></p>" in aside
    assert aside.index("</blockquote>") < aside.index("订正") < aside.index("第一段，")
    assert "第一段，不断<strong>行</strong><strong>行</strong>，a\nb（c）。</p>" in aside
    assert aside.count("订正") == 1


def test_a_changed_value_reaches_the_page(small: Small) -> None:
    small.measure(gap=2.71828, less=-0.25, off=0.1, word="grew")
    code, told = small.run()
    assert code == 0, told
    assert '<span class="measured">2.7</span>' in small.page()


def test_a_changed_title_reaches_the_other_pages(small: Small) -> None:
    """They show it in their navigation, and Sphinx writes only pages that changed themselves."""
    small.index.write_text(INDEX.replace("# Small book", "# Renamed book"))
    code, told = small.run()
    assert code == 0, told
    assert "Renamed book" in small.page("book/more")


def test_what_a_page_says_of_another_is_said_anew(small: Small) -> None:
    """The number of a figure and the words of a heading; a name that is gone fails the build."""
    more = small.index.with_name("more.md")
    before = more.read_text()
    more.write_text("# More\n\nSee {numref}`fig-drawing` and {ref}`part`.\n")
    first = ":::{notebook-figure} 01-small drawing\n:name: fig-first\n:alt: First\n\nFirst.\n:::\n"
    try:
        small.index.write_text(f"{INDEX}\n(part)=\n## Part\n")
        assert small.run()[0] == 0
        assert "Figure 1</span>" in small.page("book/more")
        text = INDEX.replace(":::{notebook-figure}", f"{first}\n:::{{notebook-figure}}", 1)
        small.index.write_text(f"{text}\n(part)=\n## Another\n")
        code, told = small.run()
        assert code == 0, told
        page = small.page("book/more")
        assert "Figure 2</span>" in page
        assert "Another</span>" in page
        small.index.write_text(text)
        code, told = small.run()
        assert code == 1
        assert "more.md" in told
        assert "part" in told
    finally:
        more.write_text(before)


def test_a_folder_of_others_is_not_built_in(small: Small, tmp_path: Path) -> None:
    """Its files were deleted without a word."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "thesis.tex").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for script in ("build_book.py", "run_notebooks.py"):
        code, told = small.run(script, "--out", str(tmp_path))
        assert code == 2
        assert "has a folder src that was not built here and would be replaced" in told
        code, told = small.run(script, "--out", str(tmp_path / "file"))
        assert code == 2
        assert "is a file" in told
    assert (tmp_path / "src" / "thesis.tex").read_text() == "mine"


def test_a_notebook_without_its_parameters_is_not_run(small: Small) -> None:
    """It would run in another tier than the pages say."""
    notebook = json.loads(small.notebook.read_text())
    notebook["cells"][1]["metadata"] = {}
    small.notebook.write_text(json.dumps(notebook))
    code, told = small.run("run_notebooks.py")
    assert code == 1
    assert told.startswith("01-small.ipynb has 0 cells with the tag 'parameters'")


def test_a_figure_is_no_value(small: Small) -> None:
    small.index.write_text(INDEX.replace("01-small::word", "01-small::drawing"))
    code, told = small.run()
    assert code == 1
    assert "it is a figure or a table, and no value" in told


def test_two_builds_of_one_folder_wait_for_each_other(small: Small) -> None:
    with FileLock(f"{small.out}.lock"):
        process = small.start("run_notebooks.py")
        told = process.stdout.readline()
        assert told.startswith("Another process builds in")
        assert process.poll() is None
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err


WRONG = {
    "01-small::gap:": (
        "01-small::gab:",
        "no output named gab; it has: drawing, gap, less, off, word",
    ),
    "01-small::less:": ("less:", "it is not of the form notebook::key:format"),
    "01-small::word": ("01-small::word:.1f", "its value 'grew' does not fit the format .1f"),
    "The gap": ("{verdict}`130` The gap", "there is no claim '130': the nearest are "),
    "points, not": (
        "{published}`P1/Table 6/ResNet-65` points, not",
        "there is no published number 'P1/Table 6/ResNet-65': the nearest are P1/Table 6/ResNet",
    ),
    "; nets": (
        "{archive}`short/plain21/test error`; nets",
        "there is no arm of an experiment 'plain21': the nearest are ",
    ),
    "01-small drawing": ("01-small gap", "it is no figure or table: it has only text/plain"),
    "{cite:t}`": (
        "{measured}`02-no::x` {cite:t}`",
        "no executed notebook 02-no; there are: 01-sm",
    ),
}


WRONG_DIRECTIVES = {
    "\n:::{predict} Which?\n:choices: only one\n\nText.\n:::\n": "either :choices: separated",
    "\n:::{drawing} nothing\n:::\n": "{drawing} nothing: no such drawing; there are: ",
}


def test_wrong_keys_fail_the_build_again_and_again(small: Small) -> None:
    text = INDEX + "\nSee {ref}`nowhere`.\n" + "".join(WRONG_DIRECTIVES)
    for before, (after, _) in WRONG.items():
        text = text.replace(before, after)
    small.index.write_text(text)
    for _ in range(2):
        code, told = small.run()
        assert code == 1
        assert "Traceback" not in told
        sentences = [*(sentence for _, sentence in WRONG.values()), *WRONG_DIRECTIVES.values()]
        for sentence in (*sentences, "nowhere"):
            line = next(line for line in told.splitlines() if sentence in line)
            assert line.startswith("book/index.md:")


EXPLORER = """# Small book

{see}`Views <toy?a=2&b=x,y>` of {cite:t}`he2016deep`.

:::{explorer} toy
:state: a=1&b=<2>
:::
"""


@pytest.fixture
def toy(small: Small) -> Iterator[Path]:
    """An explorer's data and plain figure, as resnet_lib.widgets would have written them."""
    folder = small.out / "src" / "explorers"
    folder.mkdir(parents=True)
    for name, text in {"toy.json": "{}", "toy.html": "<p>Plain.</p>", "explorers.js": "1"}.items():
        (folder / name).write_text(text)
    yield folder
    shutil.rmtree(folder)


def test_explorers_stand_in_pages_and_are_linked(small: Small, toy: Path) -> None:
    """The plain figure is in the page, data and code beside it under names of their content."""
    small.index.write_text(EXPLORER)
    code, told = small.run()
    assert code == 0, told
    page = small.page()
    assert 'id="explorer-toy" data-explorer="toy" data-state="a=1&amp;b=&lt;2&gt;"' in page
    assert "<p>Plain.</p>" in page
    assert 'href="#explorer-toy?a=2&amp;b=x,y"' in page
    script = re.search(r'src="\.\./_static/explorers/(explorer-host\.\w+\.js)"', page)[1]
    folder = small.out / "html" / "_static" / "explorers"
    assert (folder / script).is_file()
    names = json.loads(html.unescape(re.search(r'data-files="([^"]*)"', page)[1]))
    assert {key: (folder / name).read_text() for key, name in names.items()} == {
        "toy": "{}",
        "module": "1",
    }
    assert "explorer-host" not in small.page("book/more")
    (toy / "toy.html").write_text("<p>Changed.</p>")
    assert small.run()[0] == 0
    assert "<p>Changed.</p>" in small.page()


def test_explorers_and_links_have_the_language_of_their_page(small: Small, toy: Path) -> None:
    """The Chinese page stands first in the alphabet, and is no English page's choice."""
    link = "{see}`Views <toy?a=2>`"
    shows = ":::{explorer} toy\n:::\n"
    pages = {
        "a.zh": f"# 中文\n\n{shows}",
        "b.zh": f"# 中文之二\n\n{link}\n",
        "c": f"# English\n\n{link}\n",
    }
    for name, text in pages.items():
        (small.root / "book" / f"{name}.md").write_text(text)
    usual = ("book/statistics", "book/references", "notebooks/01-small")
    small.list_pages(*usual, *(f"book/{name}" for name in pages))
    small.index.write_text(EXPLORER)
    code, told = small.run()
    assert code == 0, told
    english, chinese = small.page(), small.page("book/a.zh")
    assert 'data-language="en"><p>Plain.</p>' in english
    assert "To explore it yourself" in english
    assert 'data-language="zh"><div lang="en"><p>Plain.</p></div>' in chinese
    assert "要亲自操作" in chinese
    assert 'href="index.html#explorer-toy?a=2"' in small.page("book/c")
    assert 'href="a.zh.html#explorer-toy?a=2"' in small.page("book/b.zh")


def test_wrong_explorers_fail_the_build(small: Small, toy: Path) -> None:
    text = EXPLORER + ":::{explorer} tog\n:::\n\n:::{explorer} toy\n:::\n\n{see}`No <tog>`\n"
    small.index.write_text(text)
    code, told = small.run()
    assert code == 1
    for sentence in (
        "There is no explorer tog; there are: toy.",
        "Two explorers toy on one page need a :name:.",
        "{see} wants text <explorer?state> with one of the explorers toy, not <tog>.",
    ):
        line = next(line for line in told.splitlines() if sentence in line)
        assert line.startswith("book/index.md:")


PLAYGROUND = """# Small book

{lesson}`Options <options>` of {cite:t}`he2016deep`: {trained}`options/option A loss:.3f`

:::{playground}
:::
"""


def test_the_playground_stands_in_a_page_and_is_linked(small: Small) -> None:
    """The recorded runs are in the page; module and images only beside a book that has it."""
    folder = small.out / "html" / "_static" / "playground"
    small.index.write_text(PLAYGROUND)
    code, told = small.run()
    assert code == 0, told
    page = small.page()
    assert 'href="#playground?lesson=options"' in page
    assert f">{playground.measured('options/option A loss'):.3f}<" in page
    assert playground.summary(playground.recorded(20, 56)) in page
    names = re.findall(
        r'(?:src|data-module|data-images)="(?:\.\./_static/playground/)?(p[^"]*)"', page
    )
    assert len(names) == 3
    assert all((folder / name).is_file() for name in names)
    assert "playground-host" not in small.page("book/more")
    small.index.write_text("# Small book\n\n{cite:t}`he2016deep`\n")
    assert small.run()[0] == 0
    assert not folder.exists()


def test_wrong_questions_and_numbers_fail_the_build(small: Small) -> None:
    wrong = (
        "{lesson}`No <nothing>` {trained}`plain-21 loss:.1f` {trained}`plain-20 train_error:d`\n"
    )
    small.index.write_text(PLAYGROUND + "\n" + wrong)
    code, told = small.run()
    assert code == 1
    for sentence in (
        "{lesson} wants text <question> with one of plain-8-20, ",
        "{trained}`plain-21 loss:.1f`: \"there is no net 'plain-21'; there are: plain-8, ",
        "{trained}`plain-20 train_error:d`: Unknown format code",
    ):
        assert sentence.replace('"', "") in told.replace('"', ""), told


def test_a_page_that_left_the_book_leaves_the_output(small: Small) -> None:
    small.list_pages("book/statistics", "book/references", "notebooks/01-small")
    code, told = small.run()
    assert code == 0, told
    assert not (small.out / "html" / "book" / "more.html").exists()
    assert not (small.out / "html" / "_sources" / "book" / "more.md").exists()


def test_the_archive_is_the_same_for_the_same_files(made: Small, tmp_path: Path) -> None:
    html = tmp_path / "html"
    html.mkdir()
    (html / "index.html").write_text("page")
    packed = []
    for _ in range(2):
        build_book.archive(html)
        packed.append((html / build_book.ARCHIVE).read_bytes())
        (html / build_book.ARCHIVE).unlink()
        (html / "index.html").touch()
    assert packed[0] == packed[1]


def test_no_notebook_at_a_time_is_refused(small: Small) -> None:
    code, told = small.run("run_notebooks.py", "--jobs", "0")
    assert (code, "--jobs is 0: it must be at least 1." in told) == (2, True)


def test_a_failing_notebook_says_where(small: Small) -> None:
    write_notebook(small.notebook, "fine = 1", "# the culprit\n1 / 0")
    for _ in range(2):  # what a failed run left does not count
        code, told = small.run("run_notebooks.py")
        assert code == 1
        assert "01-small: failed in cell 4." in told
        assert "    # the culprit" in told
        assert "ZeroDivisionError: division by zero" in told
        assert "\x1b" not in told
    small.measure(gap=3.14159, less=-0.25, word="grew")
    assert small.run("run_notebooks.py")[1].startswith("01-small: ran")
    assert small.run("run_notebooks.py") == (0, "01-small: unchanged\n")


def test_what_a_notebook_suggests_is_run_and_left_out(small: Small) -> None:
    """In tier smoke; the executed copy has the cells of the notebook and no others."""
    write_notebook(small.notebook, "size = 2", "size")
    notebook = json.loads(small.notebook.read_text())
    text = "## Try it\n\n- `TIER = 3`, `size`, `--set x=1`: nothing; `round(size, 'quick')`."
    cell = {"id": "try", "cell_type": "markdown", "metadata": {}, "source": text}
    notebook["cells"].append(cell)
    small.notebook.write_text(json.dumps(notebook))
    code, told = small.run("run_notebooks.py")
    assert code == 1
    assert "    round(size, 'quick')" in told
    assert "TypeError" in told
    cell["source"] = text.replace("'quick'", "1")
    small.notebook.write_text(json.dumps(notebook))
    assert small.run("run_notebooks.py")[0] == 0
    copy = json.loads((small.out / "src" / "notebooks" / small.notebook.name).read_text())
    assert "".join(copy["cells"][-1]["source"]) == cell["source"]


def test_suggestions_are_calls_in_the_tier_of_the_run() -> None:
    text = '## Try it\n`f(1, "short")` and `from a import b; b(2)`, not `x`, `y = f(1)`, `f(`.'
    cells = [{"cell_type": "markdown", "source": [text]}, {"cell_type": "code", "source": ["g(1)"]}]
    assert run_notebooks.suggested(cells) == ["f(1, TIER)", "from a import b; b(2)"]
    assert run_notebooks.suggested(cells[1:]) == []


def test_a_notebook_finds_the_data_that_a_relative_path_names(tmp_path: Path, monkeypatch) -> None:
    """It works in a folder of its own."""
    given = {}
    monkeypatch.setattr("subprocess.Popen", lambda _command, **options: given.update(options))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESNET_LIB_DATA", "images")
    run_notebooks.Notebook(tmp_path / "01-none.ipynb", tmp_path / "out", "key").start("quick")
    assert given["env"]["RESNET_LIB_DATA"] == str(tmp_path / "images")


def test_threads_of_notebooks_wait_without_spinning(tmp_path: Path, monkeypatch) -> None:
    """Unless the reader has chosen: on a busy machine two that spin are slower than one."""
    given = {}
    monkeypatch.setattr("subprocess.Popen", lambda _command, **options: given.update(options))
    notebook = run_notebooks.Notebook(tmp_path / "01-none.ipynb", tmp_path / "out", "key")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    notebook.start("quick")
    assert given["env"]["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    notebook.start("quick")
    assert given["env"]["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize(("tier", "kept"), [("quick", False), ("paper", True)])
def test_long_trainings_survive_a_second_run(tmp_path: Path, tier: str, kept: bool) -> None:
    """Of `start`, with a notebook that papermill does not find: it ends at once."""
    notebook = run_notebooks.Notebook(tmp_path / "01-none.ipynb", tmp_path / "out", "key")
    record = notebook.scratch / f"runs-{tier}" / "run" / "log.csv"
    other = notebook.scratch / "runs-short" / "log.csv"
    work = notebook.scratch / "work" / "left.txt"
    for path in (record, other, work, notebook.record):
        path.parent.mkdir(parents=True)
        path.touch()
    notebook.start(tier)
    notebook.process.wait()
    assert not notebook.record.exists(), "from here on the former copy does not count"
    assert record.exists() == kept
    assert other.exists()
    assert not work.exists()


def test_a_copy_counts_while_what_it_was_made_from_is_the_same(tmp_path: Path) -> None:
    notebook = run_notebooks.Notebook(tmp_path / "01-a.ipynb", tmp_path / "out", "key")
    assert notebook.statistics() is None
    notebook.copy.parent.mkdir(parents=True)
    found = {"key": "key", "seconds": 1.0}
    notebook.record.write_text(json.dumps(found))
    assert notebook.statistics() is None, "a record without its copy"
    notebook.copy.touch()
    assert notebook.statistics() == found
    assert run_notebooks.Notebook(notebook.source, notebook.out, "other").statistics() is None
    notebook.record.write_text("{")
    assert notebook.statistics() is None


def test_the_statistics_are_those_of_the_run(tmp_path: Path) -> None:
    notebook = run_notebooks.Notebook(tmp_path / "01-a.ipynb", tmp_path / "out", "key")
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {"papermill": {"duration": each}}}
        for each in (1.0, 3.5, None)
    ]
    cells.append({"cell_type": "markdown", "metadata": {}})
    whole = {"papermill": {"duration": 9.257, "end_time": "2024-05-06T07:08:09"}, "widgets": {}}
    for path in (notebook.draft, notebook.copy):
        path.parent.mkdir(parents=True)
    notebook.draft.write_text(json.dumps({"cells": cells, "metadata": whole}))
    found = notebook.finish("short")
    assert (found["seconds"], found["slowest_cell"], found["cells"]) == (9.26, 3.5, 4)
    assert (found["tier"], found["executed"]) == ("short", "2024-05-06")
    assert notebook.statistics() == found
    assert "widgets" not in json.loads(notebook.copy.read_text())["metadata"]


def test_one_notebook_that_fails_stops_the_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"notebook": "01-a", "tier": "smoke", "seconds": 1.0, "slowest_cell": 0.5}
    row |= {"executed": "2024-05-06", "python": "3", "torch": "2"}
    failed = {"notebook": "02-b", "tier": "smoke", "failed": True}
    for rows, fine in (([row, failed], False), ([row], True)):
        monkeypatch.setattr(run_notebooks, "run_all", lambda *_, rows=rows: rows)
        assert run_notebooks.run("smoke", tmp_path, 1) == fine
        assert (tmp_path / "src" / run_notebooks.STATISTICS_PAGE).is_file() == fine


@pytest.mark.parametrize("git", [True, False])
def test_the_archive_leaves_out_what_git_ignores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: bool
) -> None:
    """Also without git, as for who builds from the archive."""
    wanted = ["LICENSE", "data/runs/short/a/log.csv", "notebooks/01-a.ipynb"]
    wanted += ["web/explorers/runs/a.ts"]
    left = ["data/downloads/a.bin", "notebooks/.ipynb_checkpoints/01-a.ipynb", "ci/a.partial"]
    left += ["notebooks/.ruff_cache/a"]
    left += ["notebooks/runs/a/log.csv", "ci/__pycache__/a.pyc", "data/runs/short/a/checkpoint.pt"]
    for name in (*wanted, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "data" / "link.csv").symlink_to(tmp_path / "LICENSE")
    shutil.copyfile(ROOT / ".gitignore", tmp_path / ".gitignore")
    if git:
        if not shutil.which("git"):
            pytest.skip("No git.")
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for module in (build_book, run_notebooks):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in build_book.archived()]
    assert found == wanted


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the book of a small repository, two folders above, is staged in."""
    for module in (build_book, run_notebooks):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    for name in ("_config.yml", "_toc.yml", "book/index.md", "book/_ext/a.py", "book/_vendor/m.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# A\n\nText.\n")
    build_book.stage(tmp_path / "_build" / "src")
    return tmp_path / "_build" / "src"


def test_what_is_staged_is_the_repository_s_book_and_nothing_of_a_former_one(staged: Path) -> None:
    root, index = staged.parents[1], staged / "book" / "index.md"
    before = index.stat().st_mtime_ns
    made = {"notebooks/01-a.ipynb", "explorers/runs.json", run_notebooks.STATISTICS_PAGE}
    for name in (*made, "book/left.md", "left.md"):
        (staged / name).parent.mkdir(exist_ok=True)
        (staged / name).touch()
    (root / "book" / "more.md").write_text("More\n")
    (root / "_toc.yml").write_text("other\n")
    build_book.stage(staged)
    own = {"_config.yml", "_toc.yml", "book/index.md", "book/more.md", "book/_ext/a.py"}
    assert {
        p.relative_to(staged).as_posix() for p in staged.rglob("*") if p.is_file()
    } == own | made
    assert (staged / "_toc.yml").read_text() == "other\n"
    assert index.stat().st_mtime_ns == before, "Sphinx reads a page again by its time"


def test_what_several_pages_show_makes_all_pages_anew(
    staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sphinx itself reads only the page that changed, by its time."""
    root, index = staged.parents[1], staged / "book" / "index.md"
    changes = [
        (root / "_config.yml", "other"),
        (root / "_toc.yml", "other"),
        (root / "book" / "_ext" / "a.py", "other"),
        (staged / "book" / "more.md", "A page more."),
        (staged / "explorers" / "runs.json", "{}"),
        (staged / "explorers" / "runs.json", "{ }"),
        (staged / "notebooks" / "01-a.ipynb", "{}"),
        (root / "resnet_lib" / "widgets" / "playground.js", "1"),
    ]
    package = SimpleNamespace(name="sphinx", version="9.8")
    monkeypatch.setattr(build_book.metadata, "distributions", lambda: [package])
    seen = [build_book.foundation(staged)]
    for path, text in changes:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        seen.append(build_book.foundation(staged))
    index.write_text(index.read_text().replace("Text.", "Other text."))
    assert build_book.foundation(staged) == seen[-1]
    package.version = "9.9"
    seen.append(build_book.foundation(staged))
    assert len(set(seen)) == len(seen) == len(changes) + 2


def test_the_explorers_are_made_anew_when_library_or_records_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (build_book, run_notebooks):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    bundle = tmp_path / "resnet_lib" / "widgets" / "explorers.js"
    record = tmp_path / "data" / "runs" / "short" / "a" / "record.json"
    folder, calls, fails = tmp_path / "src" / "explorers", [], []

    def make(command: list[str], **_options: Any) -> SimpleNamespace:
        calls.append(command)
        folder.mkdir(parents=True)
        return SimpleNamespace(returncode=len(fails), stderr="no room")

    monkeypatch.setattr(build_book.subprocess, "run", make)
    for text in ("one", "other"):
        for path in (bundle, record):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            before = len(calls)
            for _ in range(2):
                build_book.explorers(folder)
            assert len(calls) - before == 1
            assert (folder / bundle.name).read_text() == text
    fails.append("once")
    record.write_text("third")
    for _ in range(2):
        with pytest.raises(build_book.BuildError, match="no room"):
            build_book.explorers(folder)


def test_a_book_that_lacks_a_page_does_not_take_the_former_one_s_place(staged: Path) -> None:
    root = staged.parents[1]
    (root / "_config.yml").write_text("title: Small\n")
    (root / "_toc.yml").write_text("root: book/index\nchapters:\n- file: book/more\n")
    rendered, html = root / "rendered", root / "html"
    scripts = [f'<script src="{name}.js?1"></script>' for name in ("fontawesome", "searchindex")]
    for path in (html / "index.html", rendered / "book" / "index.html", rendered / "search.html"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(scripts))
    with pytest.raises(build_book.BuildError, match="without these pages: book/more"):
        build_book.publish(rendered, html)
    assert [path.name for path in html.iterdir()] == ["index.html"], "the former one"
    (rendered / "book" / "more.html").touch()
    build_book.publish(rendered, html)
    assert 'url=book/index.html"' in (html / "index.html").read_text()
    assert (html / "book" / "index.html").read_text() == ""
    assert (html / "search.html").read_text() == scripts[1], "which alone reads the index of words"
    assert (html / "_static" / "vendor" / "m.js").is_file()
    with zipfile.ZipFile(html / build_book.ARCHIVE) as packed:
        names = {name.partition("/")[2] for name in packed.namelist()}
    assert {"html/book/more.html", "html/index.html", "book/index.md", "_toc.yml"} <= names
    assert not {path.name for path in root.glob("html.*")}


def test_pictures_that_no_page_shows_any_more_are_dropped(tmp_path: Path) -> None:
    kept = {"_images/new.svg", "_downloads/1f/new.csv", "book/index.html"}
    for name in (*kept, "_images/old.svg", "_downloads/1f/old.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "book" / "index.html").write_text(
        '<img src="../_images/new.svg"><a href="../_downloads/1f/new.csv">data</a>'
    )
    build_book.drop_unused(tmp_path)
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*")} == kept


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_run_leaves_nothing_behind(small: Small, name: str) -> None:
    number = getattr(signal, name, None)
    if number is None or signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{name} ends nothing here.")
    begun = small.root / "begun"
    begun.unlink(missing_ok=True)
    # A worker of the kernel, as training starts them: it must end too.
    source = f"""
import os, subprocess, time
worker = subprocess.Popen(["sleep", "99"])
open({str(begun)!r}, "w").write(f"{{os.getpid()}} {{worker.pid}}")
time.sleep(99)
"""
    write_notebook(small.notebook, source)
    with small.start("run_notebooks.py") as process:
        while not (begun.is_file() and begun.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert not [pid for pid in begun.read_text().split() if alive(pid)]
    assert not (small.out / "src" / "notebooks" / "01-small.json").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="No terminal hangs up here.")
def test_a_build_under_nohup_outlives_its_terminal() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        found = run_notebooks.interruptible(lambda: signal.getsignal(signal.SIGHUP))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert found is signal.SIG_IGN


def alive(pid: str) -> bool:
    """Whether a process runs, two seconds at most from now."""
    for _ in range(40):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


# What makes a notebook run again


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library and data to be hashed."""
    monkeypatch.setattr(run_notebooks, "ROOT", tmp_path)
    for name in ("resnet_lib/a.py", "data/images/x.webp", "data/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", ["resnet_lib/a.py", "resnet_lib/b.py", "data/images/x.webp"])
def test_library_and_data_count(parts: Path, name: str) -> None:
    before = run_notebooks.ingredients("smoke")
    (parts / name).write_text("new")
    assert run_notebooks.ingredients("smoke") != before


@pytest.mark.parametrize(
    "name",
    [
        "data/README.md",
        "data/downloads/cifar.tar.gz",
        "data/runs/one/checkpoint.pt",
        "data/runs/one/log.csv",
        "resnet_lib/runs/one/log.csv",
        "resnet_lib/__pycache__/a.pyc",
        "resnet_lib/widgets/explorers.js",
        "resnet_lib/explore.py",
        "resnet_lib/playground.py",
    ],
)
def test_documentation_and_leftovers_do_not_count(parts: Path, name: str) -> None:
    before = run_notebooks.ingredients("smoke")
    (parts / name).parent.mkdir(parents=True, exist_ok=True)
    (parts / name).write_text("new")
    assert run_notebooks.ingredients("smoke") == before


def test_parameters_and_versions_count(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {run_notebooks.ingredients("smoke"), run_notebooks.ingredients("quick")}
    monkeypatch.setattr(run_notebooks, "version", lambda package: "9.9")
    seen.add(run_notebooks.ingredients("smoke"))
    monkeypatch.setattr(run_notebooks.platform, "python_version", lambda: "9.9")
    seen.add(run_notebooks.ingredients("smoke"))
    monkeypatch.setenv("RESNET_LIB_DATA", "elsewhere")
    seen.add(run_notebooks.ingredients("smoke"))
    assert len(seen) == 5


def test_a_new_record_runs_only_the_notebooks_that_read_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_notebooks, "ROOT", tmp_path)
    record = tmp_path / "data" / "runs" / "short" / "a" / "curves.csv"
    record.parent.mkdir(parents=True)
    record.touch()
    tests = tmp_path / "data" / "tests.csv"
    tests.touch()
    for name, source in (("01-reads", "archived('figure6-plain')"), ("02-trains", "reproduce()")):
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", source)
    reads, trains = sorted((tmp_path / "notebooks").glob("*.ipynb"))
    assert run_notebooks.archive_of(reads) == [record, tests]
    assert run_notebooks.archive_of(trains) == []
