"""Docstrings as reStructuredText. In the code they are written as Markdown: `code`, *words*."""

import re
from collections.abc import Iterator, Mapping


CODE = re.compile(r"`([^`]+)`")
RAISED = re.compile(r"^    (\w+)(?=:)", re.MULTILINE)
SECTIONS = ("Args:", "Returns:", "Raises:", "Attributes:", "Yields:")


def restructured(lines: list[str], links: Mapping[str, str]) -> list[str]:
    """The lines of a docstring for Sphinx.

    Args:
        lines: As they stand in the code, without common indentation.
        links: The full names of what has an entry of its own, by the names that docstrings use.
    """
    made: list[str] = []
    for paragraph in _paragraphs(lines):
        first = paragraph[0]
        if first.lstrip().startswith(">>>"):
            made += paragraph
        elif _is_formula(first, made):
            indent = " " * (len(first) - len(first.lstrip()) - 4)
            made += [f"{indent}::", "", *paragraph]
        else:
            text = _inline("\n".join(paragraph), links)
            if first.startswith("Raises:"):
                text = RAISED.sub(lambda error: f"    ~{links.get(error[1], error[1])}", text)
            made += text.split("\n")
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
    """Whether a paragraph is indented without being a part of a section or of a list."""
    if not first.startswith("    "):
        return False
    heads = [line for line in before if line.strip() and not line.startswith(" ")]
    return bool(heads) and heads[-1] not in SECTIONS and not heads[-1].startswith("- ")


def _inline(text: str, links: Mapping[str, str]) -> str:
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
    """Absolute values, underscores and products are no markup here."""
    text = re.sub(r"\|", r"\\|", text)
    text = re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)
    return re.sub(r"(?<=\s)\*(?=\s)", r"\\*", text)
