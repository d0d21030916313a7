"""The directive `public-names`: entries for the public names of a package, generated from the code.

    .. public-names:: diffdip resonance

describes all names that diffdip/__init__.pyi takes from the room `resonance`. Without a room it
describes all names of the package.
"""

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from docstrings import restructured
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


PACKAGES = ("diffdip", "diffdip.io", "diffdip.report.figures")
FOLDER = Path(__file__).parent.parent.parent


def names_by_room(package: str) -> dict[str, list[str]]:
    """The names that the stub of a package lists, by the room that they are imported from."""
    stub = FOLDER.joinpath(*package.split("."), "__init__.pyi")
    found: dict[str, list[str]] = {}
    for statement in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ImportFrom):
            room = (statement.module or "").partition(".")[0]
            names = [alias.asname or alias.name for alias in statement.names]
        elif isinstance(statement, ast.Assign):
            room, names = "", [ast.unparse(target) for target in statement.targets]
        else:
            continue
        found.setdefault(room, []).extend(names)
    return found


def all_links() -> dict[str, str]:
    """The full name of each public name, by what docstrings call it."""
    links = {}
    for package in PACKAGES:
        for name in [name for names in names_by_room(package).values() for name in names]:
            full = f"{package}.{name}"
            links[full] = full
            links.setdefault(name, full)
            links.setdefault(f"dd.{name}", full)
    return {short: full for short, full in links.items() if not _is_hidden(full)}


def _is_hidden(full: str) -> bool:
    """Modules and the version have no entry of their own."""
    return full.endswith("__version__") or isinstance(_object(full), ModuleType)


def _object(full: str) -> Any:
    package, _, name = full.rpartition(".")
    return getattr(importlib.import_module(package), name)


class PublicNames(SphinxDirective):
    """Entries for the public names of a package, or of one room of it."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        package, *room = self.arguments
        rooms = names_by_room(package)
        names = rooms[room[0]] if room else [name for names in rooms.values() for name in names]
        lines: list[str] = []
        for name in names:
            lines += self.entry(f"{package}.{name}")
        node = nodes.container()
        self.state.nested_parse(StringList(lines, "public-names"), self.content_offset, node)
        return node.children

    def entry(self, full: str) -> list[str]:
        value = _object(full)
        if isinstance(value, ModuleType):
            return [f".. automodule:: {value.__name__}", "   :members:", ""]
        if isinstance(value, type):
            return [f".. autoclass:: {full}", "   :members:", ""]
        if callable(value) and inspect.isroutine(inspect.unwrap(value)):
            return [f".. autofunction:: {full}", ""]
        return [f".. autodata:: {full}", "   :no-value:", ""]


def readable(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returned: str
) -> tuple[str, str]:
    """The signature with short defaults, and with the class that is returned if it has an entry."""
    signature = CONVENTION.sub("PAPER", signature or "")
    annotation = getattr(obj, "__annotations__", {}).get("return")
    is_public = what in ("function", "method") and isinstance(annotation, type)
    return signature, LINKS.get(annotation.__name__, "") if is_public else ""


def converted(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = restructured(lines, LINKS)


CONVENTION = re.compile(r"Convention\(name='paper'[^)]*\)")
LINKS = all_links()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", converted, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", readable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
