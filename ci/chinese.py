"""The theme's own words on the book's Chinese pages: Sphinx has one language for a whole book."""

from __future__ import annotations

import re

WORDS = {
    "Back to top": "回到顶部",
    "Click to hide": "点击收起",
    "Click to show": "点击展开",
    "Color mode": "配色",
    "Contents": "目录",
    "Dark": "深色",
    "Download source file": "下载源文件",
    "Download this page": "下载本页",
    "Fullscreen mode": "全屏",
    "Light": "浅色",
    "Link to this heading": "本节链接",
    "Main": "主导航",
    "Open an issue": "提交问题",
    "Open issue": "提交问题",
    "Page": "本页目录",
    "Print to PDF": "打印为 PDF",
    "Repository": "源码仓库",
    "Search": "搜索",
    "Search this book": "搜索本书",
    "Show source": "查看源文件",
    "Skip to main content": "跳到正文",
    "Source repositories": "源码仓库",
    "Source repository": "源码仓库",
    "System Settings": "跟随系统",
    "Toggle primary sidebar": "显示或隐藏导航",
    "Toggle secondary sidebar": "显示或隐藏目录",
    "Version warning": "版本提示",
    "next": "下一页",
    "next page": "下一页",
    "previous": "上一页",
    "previous page": "上一页",
    "© Copyright 2026, the authors. MIT licence.": "© 2026 本书作者。MIT 许可。",
}
# As the whole text of an element, the whole value of an attribute, or a script's whole string; but
# what a link is to the page, as rel="next", is no word for readers.
WHOLE = re.compile(
    rf"""(?<!\brel=")(?<=[>"'])(\s*)({"|".join(map(re.escape, WORDS))})(\s*)(?=[<"'])"""
)


def in_chinese(page: str) -> str:
    """A Chinese page with the theme's words in Chinese, and the list of pages marked as English."""
    if '<html lang="zh' not in page:
        return page
    page = page.replace('<nav class="bd-links', '<nav lang="en" class="bd-links')
    return WHOLE.sub(lambda found: found[1] + WORDS[found[2]] + found[3], page)
