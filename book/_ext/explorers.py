"""Explorers in the pages of the book.

    :::{explorer} runs
    :state: step=free&nets=plain20,plain56
    :::

    {see}`plain-56 at iteration 1,600 <runs?step=free&nets=plain56&at=1600>`

A page NAME.zh.md has its explorers in Chinese, and its links lead to such pages where they can.
Before the pages are made, ci/build_book.py writes what they need into the folder explorers/:
NAME.json, the data, and NAME.html, a plain figure with a sentence. A page holds the plain figure;
a small script puts the explorer in its place when the reader comes near. Data and code lie once
in the book, under names that change with their content, and only pages that have an explorer ask
for them.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from hosted import name_in_book, publish
from pages import colab_address, language_of
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

FOLDER = "explorers"
HOST = Path(__file__).with_name("explorer-host.js")
HINT = {
    "en": "To explore it yourself, open this page from a web server (make serve) in a current "
    "browser that may run JavaScript.",
    "zh": "要亲自操作，请用较新的、允许运行 JavaScript 的浏览器，"
    "从网页服务器打开本页（make serve）。",
}
log = logging.getLogger(__name__)


def prepared(source: Path) -> list[str]:
    """The explorers whose data and plain figure have been written."""
    return sorted(path.stem for path in (source / FOLDER).glob("*.json"))


class Explorer(SphinxDirective):
    """An explorer, and in its place a plain figure until it runs.

    :state: a query string, as behind the "?" in the address of a view; :language: of its texts, by
    default the page's; :name: of its place in the page, where an explorer stands on a page twice;
    :asks: keep the plain figure, which has the answer, from readers who can be asked first.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "state": directives.unchanged,
        "language": directives.unchanged,
        "name": directives.unchanged_required,
        "asks": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        name, folder = self.arguments[0], Path(self.env.srcdir) / FOLDER
        if name not in prepared(folder.parent):
            known = ", ".join(prepared(folder.parent)) or "none"
            log.error("There is no explorer %s; there are: %s.", name, known, location=self.place())
            return []
        view = folder / f"{name}.html"
        self.env.note_dependency(str(view))
        target = self.options.get("name", name)
        pages = self.env.metadata[self.env.docname].setdefault("explorers", {})
        if target in pages:
            log.error("Two explorers %s on one page need a :name:.", target, location=self.place())
        pages[target] = name
        usual = language_of(self.env.docname) or self.config.language
        language = self.options.get("language", usual)
        values = {
            "class": "explorer explorer-asks" if "asks" in self.options else "explorer",
            "id": f"explorer-{target}",
            "data-explorer": name,
            "data-state": self.options.get("state", ""),
            "data-language": language,
        }
        attributes = " ".join(f'{key}="{html.escape(value)}"' for key, value in values.items())
        plain = view.read_text(encoding="utf-8")
        if language != "en":  # the library draws and speaks English
            plain = f'<div lang="en">{plain}</div>'
        hint = HINT.get(language, HINT["en"])
        markup = f'<div {attributes}>{plain}<p class="explorer-hint">{hint}</p></div>'
        return [nodes.raw("", markup, format="html")]

    def place(self) -> tuple[str, int]:
        """Where the directive stands, for messages."""
        return self.env.docname, self.lineno


class view_link(nodes.Inline, nodes.TextElement):
    """A link into a view of an explorer, until it is known which page has it."""


class See(SphinxRole):
    """A link into a view: {see}`text <name?state>`, on this page or the first that has it, of
    those in this page's language first."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        text, _, view = self.text.removesuffix(">").rpartition("<")
        node = view_link(self.rawtext, text.strip(), view=view, line=self.lineno)
        return [node], []


def resolve_links(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Turn `view_link` into links, now that all pages are read."""
    pages = {name: data.get("explorers", {}) for name, data in app.env.metadata.items()}
    elsewhere = sorted(pages, key=lambda name: (language_of(name) != language_of(page), name))
    order = [page, *elsewhere]
    for node in list(doctree.findall(view_link)):
        target, _, state = node["view"].partition("?")
        homes = [each for each in order if target in pages.get(each, {})]
        if not homes or not node.astext():
            known = ", ".join(sorted({each for names in pages.values() for each in names}))
            log.error(
                "{see} wants text <explorer?state> with one of the explorers %s, not <%s>.",
                known or "(no page has one)",
                node["view"],
                location=(page, node["line"]),
            )
            node.replace_self(nodes.inline("", node.astext()))
            continue
        anchor = f"#explorer-{target}" + (f"?{state}" if state else "")
        uri = "" if homes[0] == page else app.builder.get_relative_uri(page, homes[0])
        link = nodes.reference("", "", *node.children, refuri=uri + anchor, internal=True)
        node.replace_self(link)


def add_host(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let pages that have an explorer load the script that runs it."""
    if 'data-explorer="' not in context.get("body", ""):
        return
    files = {key: name_in_book(path) for key, path in files_of(Path(app.srcdir)).items()}
    script = context["pathto"](f"_static/{FOLDER}/{files.pop('host')}", 1)
    values = {"files": files, "links": links(app, context)}
    attributes = " ".join(f'data-{k}="{html.escape(json.dumps(v))}"' for k, v in values.items())
    context["body"] += f'<script defer src="{script}" {attributes}></script>\n'


def links(app: Sphinx, context: dict[str, Any]) -> dict[str, str]:
    """Where a reader can train: the playground's page, and a notebook on Colab."""
    found = {}
    suffix = Path(context["pagename"]).suffix
    for name in (f"book/playground{suffix}", "book/playground"):
        if name in app.env.found_docs:
            found.setdefault("playground", context["pathto"](name))
    notebooks = sorted(name for name in app.env.found_docs if name.startswith("notebooks/"))
    for notebook in notebooks[:1]:
        if colab := colab_address(app.config.html_theme_options, notebook):
            found["colab"] = colab
    return found


def files_of(source: Path) -> dict[str, Path]:
    """Data and code: by explorer, and "module" and "host"."""
    paths = {path.stem: path for path in (source / FOLDER).glob("*.json")}
    paths |= {"module": source / FOLDER / "explorers.js", "host": HOST}
    return {key: path for key, path in paths.items() if path.is_file()}


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Put data and code into the book."""
    if not error and app.builder.format == "html":
        publish(app, FOLDER, files_of(Path(app.srcdir)).values())


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_node(view_link)
    app.add_role("see", See())
    app.add_directive("explorer", Explorer)
    app.connect("doctree-resolved", resolve_links)
    app.connect("html-page-context", add_host, priority=700)
    app.connect("build-finished", copy_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
