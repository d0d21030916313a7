"""Docstrings as reStructuredText. In the code they are in Google's style, with `code`."""

import re
from collections.abc import Iterator, Mapping


CODE = re.compile(r"`([^`]+)`")
FIELDS = {"Args:": ":param ", "Raises:": ":raises "}
ITEM = re.compile(r"^    (\*{0,2}\w+)(?=:)", re.MULTILINE)


def restructured(lines: list[str], links: Mapping[str, str]) -> list[str]:
    """The lines of a docstring for Sphinx.

    Args:
        lines: As they stand in the code, without common indentation.
        links: The full names of what has an entry of its own, by the names that docstrings use.

    >>> text = ["Args:", "    x: |B| of `fit` in `T`.", "", "Raises:", "    Bad: Never."]
    >>> for line in restructured(text, {"fit": "dd.fit", "Bad": "dd.Bad"}):
    ...     print(line) if line else None
    :param x: \\|B\\| of :py:obj:`fit <dd.fit>` in ``T``.
    :raises ~dd.Bad: Never.
    """
    made: list[str] = []
    for paragraph in _paragraphs(lines):
        first, *others = paragraph
        if first.lstrip().startswith(">>>"):
            made += paragraph
        elif _is_formula(first, made):
            made += [f"{first[: -len(first.lstrip()) - 4]}::", "", *paragraph]
        elif first in FIELDS:
            made += _fields(FIELDS[first], _inline("\n".join(others), links), links)
        elif first == "Returns:":
            made += (":returns: " + _inline("\n".join(others), links).lstrip()).split("\n")
        elif first == "Example:":
            made += ["Example::", "", *others]
        else:
            made += _inline("\n".join(paragraph), links).split("\n")
        made.append("")
    return made


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []


def _is_formula(first: str, before: list[str]) -> bool:
    """Whether a paragraph is indented without being a part of a field or of a list."""
    heads = [line for line in before if line.strip() and not line.startswith(" ")]
    return first.startswith("    ") and not (heads and heads[-1].startswith((":", "- ")))


def _fields(kind: str, text: str, links: Mapping[str, str]) -> list[str]:
    """A section as fields, one for each item."""
    return ITEM.sub(lambda item: kind + _linked(item[1], links), text).split("\n")


def _linked(name: str, links: Mapping[str, str]) -> str:
    """The name of an argument, or that of an error as a link."""
    return f"~{links[name]}" if name in links else name.replace("*", "\\*")


def _inline(text: str, links: Mapping[str, str]) -> str:
    """Code in double backticks, public names as links, and no other markup by accident."""
    parts = []
    last = 0
    for match in CODE.finditer(text):
        parts.append(_escaped(text[last : match.start()]))
        code = " ".join(match[1].split())
        target = links.get(code)
        parts.append(f":py:obj:`{code} <{target}>`" if target else f"``{code}``")
        last = match.end()
        if text[last : last + 1].isalnum():
            parts.append("\\ ")  # markup has to end before the letter
    parts.append(_escaped(text[last:]))
    return "".join(parts)


def _escaped(text: str) -> str:
    """Absolute values, underscores and products are no markup."""
    text = re.sub(r"\|", r"\\|", text)
    text = re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)
    return re.sub(r"(?<=\s)\*(?=\s)", r"\\*", text)
