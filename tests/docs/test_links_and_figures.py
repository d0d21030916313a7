"""Links of the documentation lead to files and headings, and its figures are described."""

import json
import re
from pathlib import Path

import pytest


ROOT = Path(__file__).parent.parent.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|^(?: {4}.*\n)+|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def cells(page):
    return json.loads(page.read_text(encoding="utf-8"))["cells"]


def markdown(page):
    """The text of a page, or that of a notebook."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    texts = ["".join(cell["source"]) for cell in cells(page) if cell["cell_type"] == "markdown"]
    return "\n\n".join(texts)


def prose(page):
    return CODE.sub(" ", markdown(page))


def anchors(page):
    """The anchors of the headings of a page, as code hosts and `make docs` make them."""
    heads = re.findall(r"^#+ (.+)$", FENCED.sub("", markdown(page)), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).lower() for head in heads)
    return {re.sub(r"[^\w\- ]", "", head).strip().replace(" ", "-") for head in plain}


def described(text):
    """Whether a figure is described: in a sentence, not by its name."""
    return len(text.split()) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(prose(page)) + [target for _, target in IMAGE.findall(prose(page))]:
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_is_described(page):
    for text, target in IMAGE.findall(prose(page)):
        assert described(text), target
    for number, cell in enumerate(cells(page) if page.suffix == ".ipynb" else []):
        kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
        if any(kind.startswith("image/") for kind in kinds):
            found = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
            assert described(found), f"cell {number}: metadata mystnb.image.alt"
