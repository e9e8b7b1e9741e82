"""What pages share: their language, where a notebook is on Colab, figures with a caption."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


def language_of(docname: str) -> str:
    """A page's language by its suffix: "zh" of page.zh, "" of a page in the book's own."""
    return Path(docname).suffix.removeprefix(".")


def colab_address(theme: Mapping[str, Any], notebook: str) -> str | None:
    """Where Colab opens a notebook such as "notebooks/01-degradation", by the theme's options.

    None where they name no repository or no Colab.
    """
    colab = theme.get("launch_buttons", {}).get("colab_url")
    if not colab or "repository_url" not in theme:
        return None
    slug = theme["repository_url"].removeprefix("https://github.com/").strip("/")
    return f"{colab}/github/{slug}/blob/{theme.get('repository_branch', 'main')}/{notebook}.ipynb"


def with_caption(directive: SphinxDirective, picture: nodes.Node) -> list[nodes.Node]:
    """What a directive gives for a picture: a figure with its content as caption and a number.

    The picture alone where it has no content.
    """
    if not directive.content:
        return [picture]
    figure = nodes.figure("", picture, classes=["notebook-figure"])
    text = "\n".join(directive.content)
    caption, messages = directive.state.inline_text(text, directive.content_offset + 1)
    figure += nodes.caption(text, "", *caption)
    directive.set_source_info(figure)
    directive.add_name(figure)
    return [figure, *messages]
