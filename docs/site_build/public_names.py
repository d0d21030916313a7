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
from typing import Any, NamedTuple

from docstrings import restructured
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective


PACKAGES = ("diffdip", "diffdip.io", "diffdip.report.figures")
FOLDER = Path(__file__).parent.parent.parent


class Name(NamedTuple):
    """A public name, and the module that defines it."""

    full: str
    module: str

    @property
    def value(self) -> Any:
        package, _, name = self.full.rpartition(".")
        return getattr(importlib.import_module(package), name)


def names_by_room(package: str) -> dict[str, list[Name]]:
    """The names that the stub of a package lists, by the room that they are imported from."""
    stub = FOLDER.joinpath(*package.split("."), "__init__.pyi")
    found: dict[str, list[Name]] = {}
    for statement in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
            names = [alias.asname or alias.name for alias in statement.names]
        elif isinstance(statement, ast.Assign):
            module, names = "", [ast.unparse(target) for target in statement.targets]
        else:
            continue
        room = found.setdefault(module.partition(".")[0], [])
        for name in names:
            if name != "__version__":
                room.append(Name(f"{package}.{name}", f"{package}.{module}".rstrip(".")))
    return found


def all_links() -> dict[str, str]:
    """The full name of each public name, by what docstrings call it."""
    links = {}
    for package in PACKAGES:
        for name in [name for names in names_by_room(package).values() for name in names]:
            if isinstance(name.value, ModuleType):
                continue  # has no entry of its own
            short = name.full.rpartition(".")[2]
            links[name.full] = name.full
            links.setdefault(short, name.full)
            links.setdefault(f"dd.{short}", name.full)
    return links


class PublicNames(SphinxDirective):
    """Entries for the public names of a package, or of one room of it."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        package, *room = self.arguments
        rooms = names_by_room(package)
        names = rooms[room[0]] if room else [name for part in rooms.values() for name in part]
        names = sorted(names, key=lambda name: isinstance(name.value, ModuleType))  # these last
        lines = [line for name in names for line in entry(name)]
        node = nodes.container()
        self.state.nested_parse(StringList(lines, "public-names"), self.content_offset, node)
        return node.children


def entry(name: Name) -> list[str]:
    """The directive that describes a name."""
    value = name.value
    if isinstance(value, ModuleType):
        module = [f".. automodule:: {value.__name__}", "   :members:", ""]
        return [f".. rubric:: The module {name.full}", "", *module]
    if isinstance(value, type):
        return [f".. autoclass:: {name.full}", "   :members:", ""]
    if inspect.isroutine(inspect.unwrap(value)):
        return [f".. autofunction:: {name.full}", ""]
    # autodoc looks for the text of a value in the package, not in the module that defines it
    known = ModuleAnalyzer.for_module(name.module).find_attr_docs()
    text = restructured(known["", name.full.rpartition(".")[2]], LINKS)
    return [f".. py:data:: {name.full}", "", *[f"   {line}" for line in text], ""]


def readable(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """The signature with short defaults, and with the class that is returned if it has an entry."""
    if not signature:
        return None
    given = [one for one in inspect.signature(obj).parameters.values() if one.default is one.empty]
    if what == "class" and len(given) > MOST_ARGUMENTS:
        return "", ""  # a result, which no user makes
    annotation = getattr(obj, "__annotations__", {}).get("return")
    is_public = what in ("function", "method") and isinstance(annotation, type)
    returned = LINKS.get(annotation.__name__, "") if is_public else ""
    return CONVENTION.sub("PAPER", signature), returned


def converted(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured(lines, LINKS)


def check_entries(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each public name that no page describes."""
    described = env.domains.python_domain.objects
    for full in sorted(set(LINKS.values()) - set(described)):
        LOGGER.warning("no page describes %s", full)


MOST_ARGUMENTS = 6
LOGGER = logging.getLogger(__name__)
CONVENTION = re.compile(r"Convention\(name='paper'[^)]*\)")
LINKS = all_links()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", converted)
    app.connect("autodoc-process-signature", readable)
    app.connect("env-check-consistency", check_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
