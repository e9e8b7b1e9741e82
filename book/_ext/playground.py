"""The Residual Playground in a page of the book.

    :::{playground}
    :::

    {lesson}`Rescue plain-56 <rescue-plain-56>`     a link to a question, from any page
    {trained}`plain-20 train_error:.1f`             a measured number, in a format of Python

    :::{confirmation}                               which nets PyTorch agrees on, and which not
    :::

A page holds the recorded runs as a plain figure; a small script puts the playground in their place
when the reader comes near. Its module and its images lie once in the book, under names that change
with their content, and only the page with the playground asks for them.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from hosted import name_in_book, publish
from pages import language_of
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from resnet_lib import figures, outputs, playground, widgets

FOLDER = "playground"
FILES = {
    "host": Path(__file__).with_name("playground-host.js"),
    "module": playground.MODULE,
    "images": playground.IMAGES,
}
# What draws the recorded runs.
DRAWN_BY = [each.__file__ for each in (playground, widgets, figures, outputs)]
HINT = {
    "en": "To train these nets yourself, open this page from a web server (make serve) in a "
    "current browser that may run JavaScript.",
    "zh": "要亲自训练这些网络，请用较新的、允许运行 JavaScript 的浏览器，"
    "从网页服务器打开本页（make serve）。",
}

log = logging.getLogger(__name__)


class Playground(SphinxDirective):
    """The playground; :language: of its texts, by default that of the page."""

    option_spec: ClassVar[dict[str, Any]] = {"language": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        for path in (playground.CURVES, playground.MODULE, playground.IMAGES, *DRAWN_BY):
            self.env.note_dependency(str(path))
        self.env.metadata[self.env.docname]["playground"] = True
        usual = language_of(self.env.docname) or self.config.language
        language = self.options.get("language", usual)
        hint = html.escape(HINT.get(language, HINT["en"]))
        english = "" if language == "en" else ' lang="en"'  # the library draws and speaks English
        markup = (
            f'<div id="playground" data-language="{html.escape(language)}">'
            f'<div class="playground-recorded"{english}>{playground.plain_view()}</div>'
            f'<p class="playground-hint" hidden>{hint}</p>'
            f"<noscript><p>{hint}</p></noscript></div>"
        )
        return [nodes.raw("", markup, format="html")]


class lesson_link(nodes.Inline, nodes.TextElement):
    """A link to a question of the playground, until it is known which page has it."""


class Lesson(SphinxRole):
    """A link to a question: {lesson}`text <id>`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        self.env.note_dependency(str(playground.OUTCOMES))
        text, _, name = self.text.removesuffix(">").rpartition("<")
        return [lesson_link(self.rawtext, text.strip(), lesson=name, line=self.lineno)], []


class Trained(SphinxRole):
    """A number that was measured of the playground's nets; see `playground.measured`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        address, _, spec = self.text.partition(":")
        try:
            text = format(playground.measured(address), spec)
        except (LookupError, ValueError) as error:
            log.error("{trained}`%s`: %s", self.text, error, location=self.get_location())
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        self.env.note_dependency(str(playground.CURVES))
        self.env.note_dependency(str(playground.OUTCOMES))
        return [nodes.inline(self.rawtext, text, classes=["measured"])], []


class Confirmation(SphinxDirective):
    """How many of the questions' nets PyTorch agrees on, and a table of those where it does not."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(playground.OUTCOMES))
        frame = playground.confirmations()
        asked = frame[frame["pytorch"].map(len) > 0]
        if asked.empty:
            raise self.error("PyTorch has not trained these nets yet: ci/confirm_presets.py does.")
        others = asked[~asked["confirmed"].astype(bool)]
        seeds, ours = asked["pytorch"].map(len).max(), len(frame["engine"].iloc[0])
        trained = f"all {len(frame)}" if len(asked) == len(frame) else f"{len(asked)} of the"
        agree = f"{len(asked) - len(others)} of them" if len(others) else "All of them"
        text = (
            f"Over whole runs PyTorch trained {trained} nets of the questions, with {seeds} seeds "
            f"of its own. {agree} end within the spread of our {ours} seeds."
        )
        if not len(others):
            return [nodes.paragraph("", text)]
        text += " Not these, whose runs differ by more than so few seeds show:"
        rows = [("net", "training loss here", "training loss in PyTorch")]
        rows += [
            (each.net, values(each.engine), values(each.pytorch))
            for each in others.itertuples(index=False)
        ]
        return [nodes.paragraph("", text), table(rows)]


def values(losses: list[float | None]) -> str:
    """Losses of several seeds, from the lowest."""
    there = sorted(loss for loss in losses if loss is not None)
    diverged = len(losses) - len(there)
    told = [f"{loss:.2f}" for loss in there] + [f"{diverged} diverged"] * bool(diverged)
    return ", ".join(told)


def table(rows: list[tuple[str, ...]]) -> nodes.table:
    """A table whose first row is its head."""
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]
    for part, some in ((nodes.thead(), rows[:1]), (nodes.tbody(), rows[1:])):
        for row in some:
            cells = [nodes.entry("", nodes.paragraph("", text)) for text in row]
            part += nodes.row("", *cells)
        group += part
    return nodes.table("", group)


def resolve_links(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Turn `lesson_link` into links, now that all pages are read."""
    homes = sorted(name for name, data in app.env.metadata.items() if data.get("playground"))
    # A Chinese page leads to the Chinese playground where there is one.
    homes.sort(key=lambda name: Path(name).suffix != Path(page).suffix)
    for node in list(doctree.findall(lesson_link)):
        name, known = node["lesson"], playground.lessons()
        if not homes or name not in known or not node.astext():
            told = ", ".join(known) if homes else "(no page has the playground)"
            wants = "{lesson} wants text <question> with one of %s, not <%s>."
            log.error(wants, told, name, location=(page, node["line"]))
            node.replace_self(nodes.inline("", node.astext()))
            continue
        uri = "" if homes[0] == page else app.builder.get_relative_uri(page, homes[0])
        anchor = f"{uri}#playground?lesson={name}"
        node.replace_self(nodes.reference("", "", *node.children, refuri=anchor, internal=True))


def add_host(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let the page with the playground load the script that starts it."""
    if '<div id="playground"' not in context.get("body", ""):
        return
    names = {key: name_in_book(path) for key, path in FILES.items()}
    script = context["pathto"](f"_static/{FOLDER}/{names['host']}", 1)
    data = f'data-module="{names["module"]}" data-images="{names["images"]}"'
    context["body"] += f'<script defer src="{script}" {data}></script>\n'


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Put module, images and script into a book that has the playground."""
    if error or app.builder.format != "html":
        return
    wanted = any(data.get("playground") for data in app.env.metadata.values())
    publish(app, FOLDER, FILES.values() if wanted else ())


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_node(lesson_link)
    app.add_directive("playground", Playground)
    app.add_directive("confirmation", Confirmation)
    app.add_role("lesson", Lesson())
    app.add_role("trained", Trained())
    app.connect("doctree-resolved", resolve_links)
    app.connect("html-page-context", add_host, priority=700)
    app.connect("build-finished", copy_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
