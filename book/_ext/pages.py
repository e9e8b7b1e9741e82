"""What pages are: their language, and where a notebook is on Colab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
