"""The list of chapters, in _toc.yml's order, with what each asks, from the chapters themselves.

    :::{chapters}
    :::

A chapter begins with its title and, in bold, its question; its line in Chinese has both once more,
as "第一章　退化问题（degradation）：层数越多越好吗？". On a Chinese page the list is in Chinese.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from pages import language_of
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

OPENINGS = {
    "": re.compile(r"^# (?P<title>.+)\n+\*\*(?P<question>.+)\*\*$", re.M),
    "zh": re.compile(r"^第.+?章　(?P<title>[^（：\n]+).*?：(?P<question>.+?？)", re.M),
}


def chapters(toc: Path) -> list[str]:
    """The pages of the numbered part of _toc.yml, in its order."""
    parts = yaml.safe_load(toc.read_text(encoding="utf-8"))["parts"]
    return [each["file"] for part in parts if part.get("numbered") for each in part["chapters"]]


def opening(text: str, language: str = "") -> tuple[str, str] | None:
    """A chapter's title and question, in English or, for "zh", in Chinese; None without them."""
    found = OPENINGS[language].search(text)
    return (found["title"], found["question"]) if found else None


class Chapters(SphinxDirective):
    """A numbered list of links to the chapters, each with its question."""

    def run(self) -> list[nodes.Node]:
        source, language = Path(self.env.srcdir), language_of(self.env.docname)
        toc = source / "_toc.yml"
        self.env.note_dependency(str(toc))
        lines = []
        for number, page in enumerate(chapters(toc), 1):
            path = source / f"{page}.md"
            if not path.is_file():
                raise ExtensionError(
                    f"_toc.yml lists the chapter {page}, and there is no {page}.md."
                )
            self.env.note_dependency(str(path))
            found = opening(path.read_text(encoding="utf-8"), language)
            if found is None:
                raise ExtensionError(
                    f"{page}.md does not begin with its title and, in bold, its question, followed "
                    "by its line in Chinese with both: see book/_ext/chapters.py."
                )
            title, question = found
            if not language and not question[1].isupper():
                question = question[0].lower() + question[1:]
            colon = "：" if language else ": "
            lines.append(f"{number}. {{doc}}`{title} </{page}>`{colon}{question}")
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source="chapters"), self.content_offset, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive; book/_ext/bookparts.py calls this."""
    app.add_directive("chapters", Chapters)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
