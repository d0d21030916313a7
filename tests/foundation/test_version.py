"""The version is the same wherever it is stated."""

import re
from pathlib import Path

import diffdip


ROOT = Path(__file__).parent.parent.parent


def test_the_citation_and_the_newest_changes_have_the_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [diffdip.__version__]
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == diffdip.__version__
