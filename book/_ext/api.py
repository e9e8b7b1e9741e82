"""The library's names on a page, from its source: signatures, docstrings, and where they are used.

    :::{api} resnet_lib                  what the package hands out, its __all__
    :::

    :::{api} resnet_lib.blocks           what the notebooks import from a module, and the
    BasicBlock Bottleneck                names given; not what the package hands out
    :::

    :::{api} resnet_lib.widgets.*        the function explore of each module, as explore.MODULE
    explore
    :::

The source is parsed, not imported: making a page needs no torch. Docstrings are in the project's
own form: paragraphs, and lists whose items begin "name: " and go on indented.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

PACKAGE = "resnet_lib"
Definition = ast.FunctionDef | ast.ClassDef | ast.AnnAssign

log = logging.getLogger(__name__)


class Api(SphinxDirective):
    """Entries for the public names of a module."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        if not source_of(module.removesuffix(".*")).is_file():
            raise self.error(f"{{api}}: there is no module {module}.")
        if module.endswith(".*"):
            if len(self.content) != 1:
                raise self.error(f"{{api}} {module}: name the function that each module has.")
            return self.of_each(module.removesuffix(".*"), self.content[0].strip())
        used = imported_by(Path(self.env.srcdir))
        for path in (*notebooks(Path(self.env.srcdir)), Path(source_of(PACKAGE))):
            self.env.note_dependency(str(path))
        if module == PACKAGE:
            places = handed_out()
        else:
            wanted = {*" ".join(self.content).split(), *used.get(module, {})}
            wanted -= {name for name, home in handed_out().items() if home == module}
            places = {name: module for name in definitions(module) if name in wanted}
            for name in sorted(wanted - set(places)):
                self.complain(f"{module} defines no {name}")
        entries = []
        for name, home in places.items():
            self.env.note_dependency(str(source_of(home)))
            found = definitions(home).get(name)
            if found is None or not docstring(found):
                self.complain(f"{home}.{name} has no docstring")
                continue
            slugs = sorted(
                {*used.get(home, {}).get(name, ()), *used.get(PACKAGE, {}).get(name, ())}
            )
            entries.append(entry(found, home, slugs))
        return entries

    def of_each(self, package: str, name: str) -> list[nodes.Node]:
        """The same function of every module of a package."""
        entries = []
        for home in modules(package):
            self.env.note_dependency(str(source_of(home)))
            found = definitions(home).get(name)
            if found is None or not docstring(found):
                self.complain(f"{home}.{name} is missing or has no docstring")
                continue
            found.name = f"{name}.{home.rpartition('.')[2]}"
            entries.append(entry(found, home, []))
        return entries

    def complain(self, what: str) -> None:
        """An error at the place of the directive."""
        log.error("{api}: %s.", what, location=(self.env.docname, self.lineno))


def source_of(module: str) -> Path:
    """The file of a module, found without importing it."""
    root = Path(find_spec(PACKAGE).origin).parent
    path = root.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def modules(package: str) -> list[str]:
    """The modules of a package, by name."""
    paths = sorted(source_of(package).parent.glob("[a-z]*.py"))
    return [f"{package}.{path.stem}" for path in paths]


def definitions(module: str) -> dict[str, Definition]:
    """The public names that a module defines, in order; `doc` of each is its docstring."""
    body = ast.parse(source_of(module).read_text(encoding="utf-8")).body
    found: dict[str, Definition] = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name, node.doc = node.name, ast.get_docstring(node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, node.doc = node.target.id, text_of(after)
        else:
            continue
        if not name.startswith("_"):
            found[name] = node
    return found


def text_of(node: ast.stmt | None) -> str | None:
    """The text of a string that stands by itself, as below a constant."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return str(node.value.value)
    return None


def docstring(found: Definition) -> str:
    return found.doc or ""


def handed_out() -> dict[str, str]:
    """The package's __all__: each name with the module that defines it."""
    body = ast.parse(source_of(PACKAGE).read_text(encoding="utf-8")).body
    homes = {
        alias.name: node.module
        for node in body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    (names,) = [
        ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    ]
    return {name: homes[name] for name in sorted(names, key=str.lower)}


def notebooks(root: Path) -> list[Path]:
    return sorted((root / "notebooks").glob("[0-9][0-9]-*.ipynb"))


def imported_by(root: Path) -> dict[str, dict[str, list[str]]]:
    """What the notebooks import from the library: {module: {name: [notebook, ...]}}."""
    used: dict[str, dict[str, list[str]]] = {}
    for path in notebooks(root):
        for module, name in imports(json.loads(path.read_text(encoding="utf-8"))):
            used.setdefault(module, {}).setdefault(name, []).append(path.stem)
    return used


def imports(notebook: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Module and name of everything that a notebook imports from the library."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                for alias in node.names:
                    yield node.module, alias.name


def signature(found: Definition) -> str:
    """How a name is called, with types and defaults."""
    if isinstance(found, ast.FunctionDef):
        returns = f" -> {ast.unparse(found.returns)}" if found.returns else ""
        return f"{found.name}({arguments(found.args)}){returns}"
    if isinstance(found, ast.AnnAssign):
        return f"{ast.unparse(found.target)}: {ast.unparse(found.annotation)}"
    decorators = [ast.unparse(each) for each in found.decorator_list]
    if any("dataclass" in each for each in decorators):
        fields = [ast.unparse(each) for each in found.body if isinstance(each, ast.AnnAssign)]
        return f"{found.name}({', '.join(re.sub(r' = field.*', ' = ...', f) for f in fields)})"
    for each in found.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            return f"{found.name}({arguments(each.args)})"
    return found.name


def arguments(args: ast.arguments) -> str:
    """The parameters of a function but for self or cls, types and defaults set apart."""
    named = [*args.posonlyargs, *args.args]
    none = [None] * (len(named) - len(args.defaults))
    shown = [parameter(*pair) for pair in zip(named, [*none, *args.defaults], strict=True)]
    if named and named[0].arg in ("self", "cls"):
        shown = shown[1:]
    if args.vararg or args.kwonlyargs:
        shown.append(f"*{args.vararg.arg if args.vararg else ''}")
    shown += [parameter(*pair) for pair in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return ", ".join([*shown, *([f"**{args.kwarg.arg}"] if args.kwarg else [])])


def parameter(arg: ast.arg, default: ast.expr | None) -> str:
    text = f"{arg.arg}: {ast.unparse(arg.annotation)}" if arg.annotation else arg.arg
    return f"{text} = {ast.unparse(default)}" if default else text


def entry(found: Definition, module: str, slugs: list[str]) -> nodes.Node:
    """One name: its signature, its docstring, public methods, and the notebooks that use it."""
    name = found.target.id if isinstance(found, ast.AnnAssign) else found.name
    whole = nodes.container(classes=["api-entry"], ids=[f"{module}.{name}".replace("_", "-")])
    whole += signature_line(signature(found), "api-signature")
    whole.extend(prose(docstring(found)))
    if isinstance(found, ast.ClassDef):
        for method in found.body:
            public = isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
            if public and ast.get_docstring(method):
                is_property = any("property" in ast.unparse(d) for d in method.decorator_list)
                called = method.name if is_property else signature(method)
                whole += signature_line(f".{called}", "api-method")
                whole.extend(prose(ast.get_docstring(method)))
    where = nodes.paragraph(classes=["api-where"])
    where += nodes.literal("", module)
    for number, slug in enumerate(slugs):
        where += nodes.Text(", " if number else "; used in ")
        where += nodes.reference("", slug, refuri=f"../notebooks/{slug}.html", internal=True)
    whole += where
    return whole


def signature_line(text: str, kind: str) -> nodes.paragraph:
    return nodes.paragraph("", "", nodes.literal("", text), classes=[kind])


def prose(text: str) -> Iterator[nodes.Node]:
    """A docstring as paragraphs; where lines go on indented, each line that does not is an item."""
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        hanging = any(line.startswith(" ") for line in lines)
        units: list[str] = []
        for line in lines:
            begins = hanging or re.match(r"(Errors|Source|Returns)\b", line)
            if units and (line.startswith(" ") or not begins):
                units[-1] += f" {line.strip()}"
            else:
                units.append(line.strip())
        yield from (nodes.paragraph(unit, "", *inline(unit)) for unit in units)


# Code in a docstring: between backticks, a value in quotes, and the names that an item explains.
CODE = re.compile(r"`([^`]+)`|(\"[\w.-]+\")|^([a-z_]\w*(?:, [a-z_]\w*)*)(?=: )")


def inline(text: str) -> Iterator[nodes.Node]:
    """A line of a docstring with its code set as code."""
    place = 0
    for code in CODE.finditer(text):
        if code.start() > place:
            yield nodes.Text(text[place : code.start()])
        yield nodes.literal("", next(filter(None, code.groups())))
        place = code.end()
    if place < len(text):
        yield nodes.Text(text[place:])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive; book/_ext/bookparts.py calls this."""
    app.add_directive("api", Api)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
