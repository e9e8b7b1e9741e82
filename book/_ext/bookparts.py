"""The book's own Sphinx extension.

    {measured}`01-degradation::gap-plain:.1f`   a value that a notebook measured, in a format
    {book-zip}`the whole book as one zip`       a link to the archive that ci/build_book.py makes
    :::{notebook-figure} 01-degradation error-curves      a figure that a notebook drew
    :::{notes}                                            lines of the Chinese reading notes
    :::{predict}, :::{drawing}, :::{api}, :::{chapters}   predict.py, drawings/ and so on, beside

and what pages need beside: `lang` on Chinese pages and no spaces between their lines, search for
Chinese words, and buttons that lead to the right files.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import measured
from docutils import nodes
from docutils.parsers.rst import directives
from pages import colab_address, language_of, with_caption
from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.search.en import SearchEnglish
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

ARCHIVE = "resnet-read-and-run.zip"
# Pages that no file of the repository is the source of.
GENERATED = {"book/statistics"}
# docutils turns the class language-zh into the attribute lang="zh".
ZH = "language-zh"
# A line break that a browser would show as a space where Chinese has none: between two wide
# characters, or next to one of Chinese punctuation, which brings its own space.
WIDE = r"[\u2014\u2018-\u201d\u2026\u2e80-\U0003ffff]"
STOP = r"[\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
BREAK = re.compile(rf"(?<={WIDE})\s*\n\s*(?={WIDE})|(?<={STOP})\s*\n\s*|\s*\n\s*(?={STOP})")

log = logging.getLogger(__name__)


def find(env: BuildEnvironment, notebook: str, key: str) -> measured.Bundle:
    """A named output; the page is read again whenever the executed notebook has changed."""
    path = measured.path_of(notebook, Path(env.srcdir))
    env.note_dependency(str(path))
    return measured.find(path, key)


class Measured(SphinxRole):
    """A value that a notebook measured: {measured}`notebook::key:spec`.

    spec: a format of Python, such as ".1f" or ","; it and its colon may be left out.
    """

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        notebook, _, name = self.text.partition("::")
        key, _, spec = name.partition(":")
        try:
            if not key:
                raise measured.MeasuredError("it is not of the form notebook::key:format")
            text = measured.as_text(find(self.env, notebook, key), spec)
        except measured.MeasuredError as error:
            log.error("{measured}`%s`: %s", self.text, error, location=self.get_location())
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        return [nodes.inline(self.rawtext, text, classes=["measured"])], []


class NotebookFigure(SphinxDirective):
    """A figure that a notebook drew, inlined, with a number and the content as its caption.

        :::{notebook-figure} 01-degradation error-curves
        :name: fig-error-curves
        :alt: What the picture shows, if the notebook has not said so.

        The caption; {numref}`fig-error-curves` refers to it.
        :::

    The output's HTML is taken as it is: an inline SVG that uses currentColor follows the page's
    theme, and a table works too. Without a caption there is no number.
    """

    required_arguments = 2
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "name": directives.unchanged_required,
        "alt": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        notebook, key = self.arguments
        try:
            markup = measured.as_html(find(self.env, notebook, key))
        except measured.MeasuredError as error:
            log.error("{notebook-figure} %s %s: %s", notebook, key, error, location=self.location())
            return []
        drawing = nodes.container("", nodes.raw("", markup, format="html"))
        drawing["classes"] = ["notebook-output"]
        if "alt" in self.options:
            drawing = described(markup, self.options["alt"])
        return with_caption(self, drawing)

    def location(self) -> tuple[str, int]:
        """Where the directive stands, for messages."""
        return self.env.docname, self.lineno


def all_pages(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write every page anew whenever one is: it may number, name or cite what stands on another."""
    return sorted(env.found_docs)


def described(markup: str, alt: str) -> nodes.raw:
    """The HTML as one picture that screen readers describe with `alt`."""
    opening = f'<div class="notebook-output" role="img" aria-label="{html.escape(alt)}">'
    return nodes.raw("", f"{opening}{markup}</div>", format="html")


class reading_notes(nodes.General, nodes.Element):
    """An <aside> with a quotation from the reading notes."""


class Notes(SphinxDirective):
    """Lines of the Chinese reading notes, quoted, and below `---` a correction in Chinese.

        :::{notes}
        ·直接将网络堆深
        ---
        堆深本身不是目的……
        :::

    Both parts are MyST: the quotation line by line, the correction as paragraphs. The correction
    may be left out; a word after `---` is its label instead of 订正.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        lines = list(self.content)
        cut = next((i for i, line in enumerate(lines) if line.startswith("---")), len(lines))
        aside = reading_notes(classes=["reading-notes"])
        self.set_source_info(aside)
        quote = nodes.block_quote()
        for number, line in enumerate(lines[:cut]):
            if line.strip():
                quote += self.paragraph(line.strip(), number)
        aside += quote
        correction = re.split(r"\n\s*\n", "\n".join(lines[cut + 1 :]).strip())
        for paragraph in filter(None, correction):
            aside += self.paragraph(paragraph, cut + 1)
        if len(aside) > 1:
            word = lines[cut].strip("- ") or "订正"
            label = nodes.strong("", word, classes=["reading-notes-label"])
            aside[1].insert(0, [label, nodes.Text("\N{IDEOGRAPHIC SPACE}")])
            for paragraph in aside[1:]:
                paragraph["classes"].append("reading-notes-correction")
        return [aside]

    def paragraph(self, text: str, offset: int) -> nodes.paragraph:
        """A paragraph of inline MyST; offset: its line in the content."""
        children, messages = self.state.inline_text(text, self.content_offset + offset)
        return nodes.paragraph(text, "", *children, *messages)


class BookZip(SphinxRole):
    """A link to the archive of the whole book, which stands in the root of the built pages."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        uri = "../" * self.env.docname.count("/") + ARCHIVE
        return [nodes.reference(self.rawtext, self.text, refuri=uri, internal=False)], []


class AuthorYearLabels(BaseLabelStyle):
    """Labels of the list of references as the text cites them: He et al., 2016a."""

    def format_labels(self, sorted_entries: list[Entry]) -> Iterator[str]:
        for entry in sorted_entries:
            names = [" ".join(person.last_names) for person in entry.persons["author"]]
            several = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            yield f"{several}, {entry.fields['year']}"


class AuthorYearStyle(PlainStyle):
    """References sorted by author and year, with such labels."""

    default_label_style = AuthorYearLabels


def mark_language(app: Sphinx, doctree: nodes.document) -> None:
    """Mark what is in another language: pages such as page.zh.md, and notes.

    Done when all transforms are over: the one for typographic quotes knows no Chinese.
    """
    language = language_of(app.env.docname)
    if re.fullmatch(r"[a-z]{2}(-\w+)?", language):
        for section in doctree.children:
            if isinstance(section, nodes.section):
                section["classes"].append(f"language-{language}")
    for aside in doctree.findall(reading_notes):
        for node in (aside, *aside.children):
            node["classes"].append(ZH)
    for node in list(doctree.findall(nodes.Element)):
        if ZH in node.get("classes", []):
            join_lines(node)


def join_lines(chinese: nodes.Element) -> None:
    """Take the line breaks out of Chinese text, also those before or after bold and links."""
    for block in list(chinese.findall(nodes.TextElement)):
        inner = block is not chinese and isinstance(block.parent, nodes.TextElement)
        if inner or isinstance(block, nodes.FixedTextElement):
            continue
        texts = list(block.findall(nodes.Text))
        breaks = BREAK.finditer("".join(texts))
        gone = {place for found in breaks for place in range(*found.span())}
        start = 0
        for text in texts:
            kept = "".join(c for place, c in enumerate(text, start) if place not in gone)
            start += len(text)
            siblings, parent = text.parent.children, text.parent
            # Not index(), which takes the first text that reads the same.
            number = next(i for i, each in enumerate(siblings) if each is text)
            if number and isinstance(siblings[number - 1], nodes.Text):
                # One text: the search index reads each for itself.
                parent[number - 1] = nodes.Text(siblings[number - 1] + kept)
                del parent[number]
            else:
                parent[number] = nodes.Text(kept)


class SearchBoth(SearchEnglish):
    """English search that finds Chinese too.

    Chinese has no spaces between words: every two neighbouring characters are indexed as a word,
    and single characters, and a query is cut in twos likewise. A page is found if it has them all.
    """

    # The same as Sphinx's own, but for the Chinese.
    js_splitter_code = r"""
function splitQuery(query) {
  const words = query.split(/[^\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu);
  return words.flatMap((word) => word.match(/\p{sc=Han}+|\P{sc=Han}+/gu) || []).flatMap((word) => {
    const characters = Array.from(word);
    if (characters.length === 1 || !/\p{sc=Han}/u.test(word)) return [word];
    return characters.slice(1).map((each, before) => characters[before] + each);
  });
}
"""
    _han = r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    _word_re = re.compile(rf"[{_han}]+|[^\W{_han}]+")
    _han_re = re.compile(rf"[{_han}]")

    def split(self, input: str) -> list[str]:
        words = []
        for word in self._word_re.findall(input):
            if self._han_re.match(word):
                words += [*word, *map("".join, pairwise(word))]
            else:
                words.append(word)
        return words


def stay_in_book(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Let notebooks' links to a chapter on GitHub, which work anywhere, lead to it in the book."""
    options = app.config.html_theme_options
    sources = f"{options['repository_url'].rstrip('/')}/blob/{options['repository_branch']}/"
    for link in doctree.findall(nodes.reference):
        address = link.get("refuri", "")
        chapter = address.removeprefix(sources).removesuffix(".md")
        if address == f"{sources}{chapter}.md" and chapter in app.env.found_docs:
            link["refuri"] = app.builder.get_relative_uri(page, chapter)
            link["internal"] = True


def fit_buttons(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give a chapter its notebook's Colab button; let no generated page name a source file."""
    buttons = context.get("header_buttons", [])
    notebook = f"notebooks/{Path(page).name}"
    colab = colab_address(app.config.html_theme_options, notebook)
    if page.startswith("book/") and notebook in app.env.found_docs and colab:
        button = {
            "type": "link",
            "text": "Colab",
            "tooltip": "Open this chapter's notebook on Colab",
            "icon": "_static/images/logo_colab.png",
            "url": colab,
        }
        group = {
            "type": "group",
            "tooltip": "Run the notebook",
            "icon": "fas fa-rocket",
            "buttons": [button],
            "label": "launch-buttons",
        }
        buttons.insert(0, group)
    if page in GENERATED:
        for group in buttons:
            if group["type"] == "group":
                inner = group["buttons"]
                group["buttons"] = [b for b in inner if b.get("label") != "source-file-button"]


def drop_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load no script twice, and MathJax only where there is mathematics.

    Sphinx loads it also on pages above one with mathematics in the table of contents.
    """
    has_math = app.env.get_domain("math").data["has_equations"].get(page, False)
    kept: dict[str, Any] = {}
    for script in context["script_files"]:
        content = str(script.attributes.get("body") or script.filename)
        if has_math or "mathjax" not in content.lower():
            kept.setdefault(content, script)
    context["script_files"] = list(kept.values())


def mend_markup(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Say a Chinese page's language; mend what other extensions write and a screen reader trips on.

    Entries of the bibliography stand in a list and are no items of it; all exercises of a page have
    one id for what is in them.
    """
    if language_of(page) == "zh":
        context["language"] = "zh-CN"  # as the copy buttons' script knows it
    body = context.get("body", "").replace('role="doc-biblioentry"', 'role="listitem"')
    context["body"] = re.sub(r' id="(?:exercise|solution)-content"', "", body)


def visit_reading_notes(self: Any, node: reading_notes) -> None:
    self.body.append(self.starttag(node, "aside"))


def depart_reading_notes(self: Any, node: reading_notes) -> None:
    self.body.append("</aside>\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    register_plugin("pybtex.style.formatting", "author_year", AuthorYearStyle)
    app.add_node(reading_notes, html=(visit_reading_notes, depart_reading_notes))
    app.add_role("measured", Measured())
    app.add_role("book-zip", BookZip())
    app.add_directive("notebook-figure", NotebookFigure)
    app.add_directive("notes", Notes)
    for part in ("predict", "drawings", "api", "chapters"):
        app.setup_extension(part)
    app.add_search_language(SearchBoth)
    app.connect("env-updated", all_pages)
    app.connect("doctree-read", mark_language)
    app.connect("doctree-resolved", stay_in_book)
    # After the theme has made its buttons (501) and every extension has added its scripts.
    app.connect("html-page-context", fit_buttons, priority=600)
    app.connect("html-page-context", drop_scripts, priority=900)
    app.connect("html-page-context", mend_markup)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
