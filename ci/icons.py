"""Leave out of the theme's icons those that no page shows: 280 KB of every first visit.

The theme brings all of Font Awesome: fonts of two thousand icons and a CSS rule for each.
"""

from __future__ import annotations

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

RULE = re.compile(r'((?:\.fa-[\w-]+:+before,?)+)\{content:"\\([0-9a-f]{2,5})"\}')
CODE = re.compile(r"\\([ef][0-9a-f]{3})\b")
# The theme's own variables hold the characters themselves.
CHARACTER = re.compile("[\ue000-\uf8ff]")
SOURCES = re.compile(r'url\(([^)]*)\.woff2\)\s*format\("woff2"\),\s*url\(\1\.ttf\)[^;}]*')


def trim_icons(html: Path) -> None:
    """Cut the icon fonts and their rules down to what the pages and scripts below `html` name."""
    texts = [*html.rglob("*.html"), *html.rglob("*.js")]
    used = {name for path in texts for name in re.findall(r"fa-[\w-]+", read(path))}
    styles = {path: read(path) for path in html.rglob("*.css")}
    faces = {path: text for path, text in styles.items() if SOURCES.search(text)}
    for path, text in faces.items():
        text = RULE.sub(lambda rule: rule[0] if used & set(names(rule[1])) else "", text)
        styles[path] = SOURCES.sub(r'url(\1.woff) format("woff")', text)
        path.write_text(styles[path], encoding="utf-8")
    codes = {int(code, 16) for text in styles.values() for code in CODE.findall(text)}
    codes |= {ord(each) for text in styles.values() for each in CHARACTER.findall(text)}
    for font in html.rglob("webfonts/fa-*.ttf"):
        write_subset(font, codes)
        font.with_suffix(".woff2").unlink(missing_ok=True)
        font.unlink()


def names(selectors: str) -> list[str]:
    """The icons of a rule: ".fa-sun:before,.fa-day:before" -> ["fa-sun", "fa-day"]."""
    return re.findall(r"fa-[\w-]+", selectors)


def write_subset(font: Path, codes: set[int]) -> None:
    """Write the glyphs of `codes` beside a font, as .woff; the same input gives the same bytes."""
    options = subset.Options(flavor="woff", notdef_outline=True, recalc_timestamp=False)
    with TTFont(font, recalcTimestamp=False) as whole:
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=codes & set(whole.getBestCmap()))
        cutter.subset(whole)
        whole.flavor = "woff"
        whole.save(font.with_suffix(".woff"))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
