"""The checker of the built site finds each kind of fault."""

import importlib.util
from pathlib import Path

import pytest


SCRIPT = Path(__file__).parent.parent.parent / "docs" / "site_build" / "check_site.py"


@pytest.fixture
def faults_of(tmp_path):
    """The faults of a page beside another one that is called other.html."""
    spec = importlib.util.spec_from_file_location("check_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "other.html").write_text('<p id="here">Text</p>', encoding="utf-8")
    (tmp_path / "figure.png").touch()

    def faults(body):
        (tmp_path / "page.html").write_text(f'<h1 id="top">Page</h1>{body}', encoding="utf-8")
        return module.faults(tmp_path)

    return faults


GOOD = """
<a href="other.html">1</a> <a href="other.html#here">2</a> <a href="#top">3</a>
<a href="https://example.org/x">4</a> <img src="figure.png" alt="A curve that rises">
"""


def test_a_page_without_faults(faults_of):
    assert faults_of(GOOD) == []


@pytest.mark.parametrize(
    "body",
    [
        '<a href="missing.html">x</a>',
        '<a href="other.html#there">x</a>',
        '<a href="#there">x</a>',
        '<script src="https://example.org/x.js"></script>',
        '<link rel="stylesheet" href="//example.org/x.css">',
        '<img src="missing.png" alt="A curve that rises">',
        '<img src="figure.png">',
        '<img src="figure.png" alt="../figure.png">',
    ],
)
def test_a_fault_is_found(faults_of, body):
    [fault] = faults_of(GOOD + body)
    assert fault.startswith("page.html: ")
