"""The claim ledger in the book: its page, and roles that look up what it says.

    {verdict}`13`                          the verdict on a claim, linked to the ledger
    {verdict}`13::word`                    the verdict without what it rests on
    {verdict}`13::zh`                      the same in Chinese
    {published}`P1/Table 6/ResNet-56`      a printed number with its place
    {published}`P1/Table 6/ResNet-56::value`    the number alone
    {archive}`short/plain56 - plain20/training error`    a measured number: mean, spread, seeds
    {archive}`short/plain56/test error::value`           the number alone, with its spread
    {archive}`short/plain56/test error::interval`        its 95% interval
    :::{ledger}                            all claims; :::{records} what is kept apart or missing
    :::{ledger-tally}                      how many claims have each verdict, linked to them

Pages that use one of these are read again when a record, a claim or the library has changed.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from pages import language_of
from places import anchor, places_in
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

PAGE = "book/ledger"
FILTERS = "ledger-filters"  # where a verdict's count leads: the choices, with the claims below
PAPERS = "papers.html"  # beside the page of the ledger
ZH = "language-zh"
FURTHER = "further"  # where claims stand that belong to no chapter
WAYS = {
    "run": "by training",
    "count": "by counting",
    "proof": "by proof",
    "eval": "by evaluating trained nets",
    "printed": "in print only",
    "no": "elsewhere",
}
CHINESE = {
    "holds": "成立",
    "does not hold": "不成立",
    "points to it": "结果倾向支持",
    "points against it": "结果倾向反对",
    "unclear": "不明确",
    "not measured": "未测量",
}

log = logging.getLogger(__name__)


@cache
def read() -> Any:
    """The ledger, once a build. Here and not above: importing torch takes a while."""
    from resnet_lib.ledger import Ledger

    return Ledger.read()


def slug(text: str) -> str:
    """A verdict as part of a class name."""
    return text.replace(" ", "-")


def state(root: Path | None = None) -> str:
    """A hash of everything that decides what the ledger says. root: of the repository."""
    if root is None:
        import resnet_lib

        root = Path(resnet_lib.__file__).parents[1]
    files = [*(root / "resnet_lib").glob("*.py"), root / "data" / "tests.csv"]
    for folder, pattern in (("paper", "*"), ("runs", "record.json"), ("runs", "*.csv")):
        files += (root / "data" / folder).rglob(pattern)
    total = hashlib.sha256()
    for path in sorted(each for each in files if each.is_file()):
        total.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return total.hexdigest()


def chapter_pages(source: Path) -> dict[str, Path]:
    """The page of each chapter, by the name that claims have for it."""
    pages = sorted(source.glob("book/[0-9][0-9]-*.md"))
    return {path.stem[3:]: path for path in pages if "." not in path.stem}


def chapter_title(page: Path) -> str:
    """The heading of a chapter's page."""
    return re.search(r"^# (.+)", page.read_text(encoding="utf-8"), re.M).group(1)


def address(env: BuildEnvironment, page: str) -> str:
    """The address of a page of the book, as seen from the one being read."""
    return f"{'../' * env.docname.count('/')}{page}.html"


def reference(text: str, uri: str, **more: str) -> nodes.reference:
    """A link within the book."""
    return nodes.reference("", text, refuri=uri, internal=True, **more)


def note_use(env: BuildEnvironment) -> None:
    """Remember that the page being read depends on the ledger."""
    pages(env).add(env.docname)


def pages(env: BuildEnvironment) -> set[str]:
    """The pages that depend on the ledger."""
    if not hasattr(env, "ledger_pages"):
        env.ledger_pages = set()
    return env.ledger_pages


class Lookup(SphinxRole):
    """A role that shows what a function finds for its text; what it cannot find is an error."""

    def __init__(self, find: Callable[[BuildEnvironment, str, str], nodes.Node]) -> None:
        super().__init__()
        self.find = find

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        note_use(self.env)
        id, _, form = self.text.partition("::")
        from resnet_lib.configs import ConfigError

        try:
            return [self.find(self.env, id, form)], []
        except ConfigError as error:
            log.error("{%s}`%s`: %s", self.name, self.text, error, location=self.get_location())
            return [nodes.problematic(self.rawtext, self.rawtext)], []


def check_form(form: str, *known: str) -> None:
    """Raise `ConfigError` for what stands behind :: and means nothing."""
    from resnet_lib.configs import ConfigError

    if form and form not in known:
        listed = " and ".join(f"::{each}" for each in known) or "nothing of the kind"
        raise ConfigError(f"::{form} is unknown: there is {listed}.")


def find_verdict(env: BuildEnvironment, id: str, form: str) -> nodes.Node:
    """The verdict on a claim, as a link."""
    check_form(form, "word", "zh")
    row = read()[id]
    text = {"": row.short, "word": row.verdict, "zh": CHINESE[row.verdict]}[form]
    uri = f"{address(env, PAGE)}#claim-{id}"
    link = reference(text, uri, reftitle=row.claim.title)
    link["classes"] = ["verdict", f"verdict-{slug(row.verdict)}"]
    return link


def find_published(env: BuildEnvironment, id: str, form: str) -> nodes.Node:
    """A printed number with its place."""
    from resnet_lib.paper import published

    check_form(form, "value")
    found = published(id)
    text = found.text if form else f"{found.text} ({found.where})"
    return nodes.inline("", text, classes=["published"])


def find_measured(env: BuildEnvironment, id: str, form: str) -> nodes.Node:
    """A number of the archive."""
    from resnet_lib.evidence import measured

    check_form(form, "value", "interval")
    text = measured(read().archive, id, form)
    return nodes.inline("", text, classes=["measured"])


class LedgerCards(SphinxDirective):
    """All claims, chapter by chapter, as cards that can be filtered without a script."""

    def run(self) -> list[nodes.Node]:
        from resnet_lib.configs import ConfigError, one_of

        note_use(self.env)
        try:
            rows = list(read().values())
            chapters = chapter_pages(Path(self.env.srcdir))
            for row in rows:
                one_of(row.claim.chapter, (*chapters, FURTHER), f"claim {row.claim.id}: chapter")
            found: list[nodes.Node] = [nodes.raw("", filters(rows), format="html")]
            for chapter, page in chapters.items():
                self.env.note_dependency(str(page))
                uri = address(self.env, f"book/{page.stem}")
                title = chapter_title(page)
                link = nodes.paragraph("", "", reference(f"The chapter: {title}", uri))
                found.append(chapter_section(chapter, title, rows, link))
            return [*found, chapter_section(FURTHER, "Further", rows)]
        except ConfigError as error:
            raise self.error(str(error)) from None


def chapter_section(
    chapter: str, title: str, rows: Iterable[Any], *head: nodes.Node
) -> nodes.section:
    """The cards of a chapter's claims, below its title and what else stands there."""
    section = nodes.section(ids=[f"ledger-{chapter}"], classes=["ledger-group"])
    section += [nodes.title(title, title), *head]
    section += [card(row) for row in rows if row.claim.chapter == chapter]
    return section


class LedgerTally(SphinxDirective):
    """How many claims have each verdict, as links to those claims, in the page's language."""

    def run(self) -> list[nodes.Node]:
        from resnet_lib.configs import ConfigError

        note_use(self.env)
        try:
            counts = tally(read().values())
        except ConfigError as error:
            raise self.error(str(error)) from None
        chinese = language_of(self.env.docname) == "zh"
        line = nodes.paragraph(classes=["ledger-tally"])
        for verdict, count in counts.items():
            text = f"{CHINESE[verdict]} {count} 条" if chinese else f"{verdict} {count}"
            link = reference(text, f"{address(self.env, PAGE)}?verdict={slug(verdict)}#{FILTERS}")
            link["classes"] = ["verdict", f"verdict-{slug(verdict)}"]
            line += [link, nodes.Text(" ")]
        return [line, nodes.paragraph("", resting(read().values(), chinese))]


def resting(rows: Iterable[Any], chinese: bool = False) -> str:
    """What the claims that hold rest on, in a sentence."""
    held = [row.other or row for row in rows if row.verdict == "holds"]
    trained = [row for row in held if row.tier]
    evidence = [each for row in trained for each in row.evidence if each.tier == row.tier]
    runs = {id for each in evidence for id in each.run_ids}
    counted = len(held) - len(trained)
    if chinese:
        return (
            f"“成立”的 {len(held)} 条中，{counted} 条靠计数或证明；"
            f"{len(trained)} 条靠训练，一共用到 {len(runs)} 次训练。"
        )
    return (
        f"Of the {len(held)} that hold, {counted} rest on counting or proof, and {len(trained)} on "
        f"training: on {len(runs)} runs in all."
    )


def tally(rows: Iterable[Any]) -> dict[str, int]:
    """The number of claims with each verdict, in the order in which the ledger lists verdicts."""
    from resnet_lib.ledger import VERDICTS

    found = [row.verdict for row in rows]
    return {name: found.count(name) for name in VERDICTS}


def filters(rows: Iterable[Any]) -> str:
    """Two rows of radio buttons, and rules that hide the cards that they leave out."""
    rows = list(rows)
    ways = {name: sum(row.claim.kind == name for row in rows) for name in WAYS}

    def group(name: str, legend: str, counts: dict[str, int], words: dict[str, str]) -> str:
        options = {"all": len(rows)} | counts
        buttons = "".join(
            f'<label><input type="radio" name="ledger-{name}" id="{name}-{slug(key)}"'
            f"{' checked' if key == 'all' else ''}><span>{words.get(key, key)} "
            f"<small>{count}</small></span></label>"
            for key, count in options.items()
        )
        return f"<fieldset><legend>{legend}</legend>{buttons}</fieldset>"

    return (
        f'<form class="ledger-filters" id="{FILTERS}" autocomplete="off">'
        f"{group('verdict', 'Verdict', tally(rows), {})}"
        f"{group('kind', 'To be settled', ways, WAYS)}"
        '<p class="ledger-shown" role="status"></p></form>'
        f'<style>{"".join(hiding(rows))}</style><p class="ledger-none">There is no such claim.</p>'
    )


def hiding(rows: list[Any]) -> Iterator[str]:
    """For each two choices: hide other cards and groups that have no card, and say if none has."""
    from resnet_lib.ledger import VERDICTS

    found = {(slug(row.verdict), row.claim.kind) for row in rows}
    for verdict, kind in product(["all", *map(slug, VERDICTS)], ["all", *WAYS]):
        chosen = {"verdict": verdict, "kind": kind}
        page = ".bd-article" + "".join(f":has(#{k}-{v}:checked)" for k, v in chosen.items())
        card = ".claim" + "".join(f".{k}-{v}" for k, v in chosen.items() if v != "all")
        if card != ".claim":
            others = f".claim:not({card}),{page} .ledger-group:not(:has({card}))"
            yield f"{page} {others}{{display:none}}"
        if not any(verdict in (v, "all") and kind in (k, "all") for v, k in found):
            yield f"{page} .ledger-none{{display:block}}"


def card(row: Any) -> nodes.Node:
    """One claim with everything that is held against it."""
    claim = row.claim
    box = nodes.container(ids=[f"claim-{claim.id}"])
    box["classes"] = ["claim", f"verdict-{slug(row.verdict)}", f"kind-{claim.kind}"]
    head = nodes.paragraph(classes=["claim-head"])
    number = nodes.reference("", claim.id, refuri=f"#claim-{claim.id}", classes=["claim-id"])
    title = [number, nodes.Text(" "), nodes.strong("", claim.title)]
    head += [nodes.inline("", "", *title), nodes.Text(" ")]
    head += nodes.inline("", row.short, classes=["verdict", f"verdict-{slug(row.verdict)}"])
    box += [head, nodes.paragraph("", claim.says)]
    if claim.zh:
        zh = f"{claim.zh}（{CHINESE[row.verdict]}）"
        box += nodes.paragraph("", zh, classes=["claim-zh"])
    own = " An experiment or a bound of our own: a direction is the most it can give."
    own = own if claim.own else ""
    source = small("Source: ")
    source += [*linked(claim.source), nodes.Text(f". To be settled {WAYS[claim.kind]}.{own}")]
    box += source
    if claim.follows:
        link = nodes.reference("", f"claim {claim.follows}", refuri=f"#claim-{claim.follows}")
        box += nodes.paragraph("", "", nodes.Text("Follows "), link, nodes.Text("."))
    if row.check is not None:
        box += nodes.paragraph("", f"Found: {row.check.shown}.")
    shown = [each for each in row.evidence if each.n]
    for tier in dict.fromkeys((row.tier, *(each.tier for each in shown))):
        if of_tier := [each for each in shown if each.tier == tier]:
            if row.tier and tier != row.tier:
                box += small(f"Tier {tier}, which does not decide here:")
            listed = nodes.bullet_list(classes=["claim-evidence"])
            listed += [nodes.list_item("", *statement(each)) for each in of_tier]
            box += listed
    for sentence, agrees in row.printed:
        word = "agrees" if agrees else "disagrees"
        box += small(f"In print, {word}: {sentence}.")
    if row.published:
        numbers = "; ".join(
            f"{each.subject}, {each.quantity}: {each.text} ({each.where})" for each in row.published
        )
        box += small(f"In print: {numbers}.")
    if row.why:
        box += nodes.paragraph("", row.why, classes=["claim-why"])
    if claim.note:
        box += small(claim.note)
    ids = list(dict.fromkeys(run for each in shown for run in each.run_ids))
    if ids:
        box += folded(f"{len(ids)} runs" if len(ids) > 1 else "1 run", ids)
    return box


def linked(source: str) -> Iterator[nodes.Node]:
    """A source, each of its places a link to the section's part of the page of the papers."""
    done = 0
    for token, (section, *_) in places_in(source):
        yield nodes.Text(source[done : token.start()])
        yield reference(token[0], f"{PAPERS}#{anchor(*section)}")
        done = token.end()
    yield nodes.Text(source[done:])


def small(text: str) -> nodes.paragraph:
    """A paragraph of less weight."""
    return nodes.paragraph("", text, classes=["claim-small"])


def statement(evidence: Any) -> list[nodes.Node]:
    """One statement with its numbers."""
    first = nodes.paragraph("", f"{evidence.statement.quantity}: ")
    conditions = evidence.conditions.replace(" = ", "\u00a0=\u00a0")
    first += [nodes.strong("", evidence.value), nodes.Text(f"; {conditions}")]
    return [first, small(evidence.each_arm)] if evidence.each_arm else [first]


def folded(title: str, ids: list[str]) -> nodes.container:
    """Names that unfold below a title."""
    items = "".join(f"<li><code>{html.escape(id)}</code></li>" for id in ids)
    markup = f"<details><summary>{title}</summary><ul>{items}</ul></details>"
    return nodes.container("", nodes.raw("", markup, format="html"), classes=["claim-runs"])


class Records(SphinxDirective):
    """The state of the archive: `refused`, records that are kept apart, or `missing` ones."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        from resnet_lib.outputs import printed_name

        note_use(self.env)
        archive = read().archive
        if self.arguments == ["refused"]:
            lines = [(each.folder.name, each.reason) for each in archive.refused]
            return [listed(lines, "No record is kept apart.")]
        if self.arguments == ["missing"]:
            lines = []
            missing = archive.missing()
            for (tier, experiment), rows in missing.groupby(["tier", "experiment"], sort=False):
                arms = "; ".join(map(printed_name, dict.fromkeys(rows["arm"])))
                runs = f"{len(rows)} runs" if len(rows) > 1 else "1 run"
                lines.append((f"{experiment}, tier {tier}", f"{runs} of {arms}."))
            return [listed(lines, "Nothing is missing.")]
        raise self.error(f"{{records}} {self.arguments[0]}: it is refused or missing.")


def listed(lines: list[tuple[str, str]], nothing: str) -> nodes.Node:
    """A list of names and sentences, or a sentence where there are none."""
    if not lines:
        return nodes.paragraph("", nothing)
    found = nodes.bullet_list()
    for name, sentence in lines:
        words = nodes.paragraph("", "", nodes.literal("", name), nodes.Text(f": {sentence}"))
        found += nodes.list_item("", words)
    return found


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """The pages that depend on the ledger, if what it says may have changed."""
    app.ledger_state = state()  # before anything is read: what changes later is read next time
    before = getattr(env, "ledger_state", None)
    return sorted(pages(env) - removed) if before != app.ledger_state else []


def remember(app: Sphinx, env: BuildEnvironment) -> None:
    """Keep the state with which the pages were read."""
    if pages(env):
        env.ledger_state = app.ledger_state


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """A page is read anew, or gone."""
    pages(env).discard(page)


def merge(app: Sphinx, env: BuildEnvironment, names: set[str], other: BuildEnvironment) -> None:
    """Take over what a parallel reader noted."""
    pages(env).update(pages(other) & set(names))


def mark_chinese(app: Sphinx, doctree: nodes.document) -> None:
    """Mark what is Chinese, after the transform for typographic quotes, which knows none."""
    for paragraph in doctree.findall(nodes.paragraph):
        if "claim-zh" in paragraph["classes"]:
            paragraph["classes"].append(ZH)


def add_style(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load the ledger's style and script where they are used."""
    if page in pages(app.env):
        app.add_css_file("ledger.css")
    if 'class="ledger-filters"' in context.get("body", ""):
        app.add_js_file("ledger.js")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_role("verdict", Lookup(find_verdict))
    app.add_role("published", Lookup(find_published))
    app.add_role("archive", Lookup(find_measured))
    app.add_directive("ledger", LedgerCards)
    app.add_directive("ledger-tally", LedgerTally)
    app.add_directive("records", Records)
    app.connect("doctree-read", mark_chinese)
    app.connect("env-get-outdated", outdated)
    app.connect("env-updated", remember)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("html-page-context", add_style)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
