"""A question that the reader answers before the measurement shows.

    ::::{predict} Which net ends with the lower training error?
    :choices: plain-20 | plain-56 | neither, on every seed

    The measurement: figures, numbers, text.
    ::::

    ::::{predict} How many of its parameters does the net lose?
    :number: percent
    ...

The content is hidden until the reader commits or presses "Just show me"; the prediction then stays
beside it. Without JavaScript, and on paper, everything shows. What the browser does is in
_static/predict.js.
"""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

SCRIPT = "predict.js"

log = logging.getLogger(__name__)


class predict(nodes.General, nodes.Element):
    """The whole: a form and, below it, what it hides."""


class predict_form(nodes.General, nodes.Element):
    """The question and its choices; number: the unit, where a number is asked for."""


class predict_question(nodes.General, nodes.TextElement):
    """The question."""


class predict_choice(nodes.General, nodes.TextElement):
    """One answer to choose."""


class predict_answer(nodes.General, nodes.Element):
    """What shows once the reader has committed."""


class Predict(SphinxDirective):
    """The directive; choices are separated by bars, question and choices are inline MyST."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "choices": directives.unchanged_required,
        "number": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        choices = [each.strip() for each in self.options.get("choices", "").split("|")]
        number = self.options.get("number")
        asks = [len(choices) > 1, number is not None]
        if sum(asks) != 1 or (asks[1] and "choices" in self.options) or not self.content:
            log.error(
                "{predict} needs content, and either :choices: separated by bars or :number: with "
                "its unit.",
                location=(self.env.docname, self.lineno),
            )
            return []
        whole, form, answer = predict(), predict_form(number=number), predict_answer()
        self.set_source_info(whole)
        whole["number"] = self.env.new_serialno("predict")
        form["name"] = f"predict-{whole['number']}"
        form += predict_question("", "", *self.inline(self.arguments[0]))
        if number is None:
            for choice in choices:
                form += predict_choice("", "", *self.inline(choice), name=form["name"])
        self.state.nested_parse(self.content, self.content_offset, answer)
        whole += [form, answer]
        return [whole]

    def inline(self, text: str) -> list[nodes.Node]:
        """A line of inline MyST."""
        children, messages = self.state.inline_text(text, self.lineno)
        return [*children, *messages]


# Until the script runs, the buttons are hidden and the answer is not.
BUTTONS = (
    '<p class="predict-buttons" hidden><button type="submit">Commit</button>\n'
    '<button type="button" class="predict-skip">Just show me</button></p>\n'
)


def visit_form(self: Any, node: predict_form) -> None:
    self.body.append('<form class="predict-form" autocomplete="off"><fieldset>\n')


def depart_form(self: Any, node: predict_form) -> None:
    if node["number"] is not None:
        unit = self.encode(node["number"])
        self.body.append(
            '<p><label><span class="predict-label">Your prediction</span> '
            f'<input type="number" step="any" required data-unit="{unit}"> {unit}</label></p>\n'
        )
    self.body.append(f"{BUTTONS}</fieldset></form>\n")
    self.body.append('<p class="predict-yours" role="status" tabindex="-1"></p>\n')


def visit_question(self: Any, node: predict_question) -> None:
    self.body.append('<legend><span class="predict-label">Predict first</span> ')


def depart_question(self: Any, node: predict_question) -> None:
    self.body.append("</legend>\n")


def visit_choice(self: Any, node: predict_choice) -> None:
    name, value = node["name"], self.attval(node.astext())
    radio = f'<input type="radio" required name="{name}" value="{value}">'
    self.body.append(f"<p><label>{radio} <span>")


def depart_choice(self: Any, node: predict_choice) -> None:
    self.body.append("</span></label></p>\n")


def visit_whole(self: Any, node: predict) -> None:
    self.body.append('<div class="predict">\n')


def visit_answer(self: Any, node: predict_answer) -> None:
    self.body.append('<div class="predict-answer">\n')


def depart_div(self: Any, node: nodes.Node) -> None:
    self.body.append("</div>\n")


def load_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load the script on pages that ask for a prediction, and only there."""
    if doctree is not None and doctree.next_node(predict):
        app.add_js_file(SCRIPT)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive; book/_ext/bookparts.py calls this."""
    app.add_directive("predict", Predict)
    app.add_node(predict, html=(visit_whole, depart_div))
    app.add_node(predict_form, html=(visit_form, depart_form))
    app.add_node(predict_question, html=(visit_question, depart_question))
    app.add_node(predict_choice, html=(visit_choice, depart_choice))
    app.add_node(predict_answer, html=(visit_answer, depart_div))
    app.connect("html-page-context", load_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
