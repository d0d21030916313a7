"""The table of flags in the documentation lists every code with its meaning."""

from pathlib import Path

from diffdip.foundation.flags import CODES


PAGE = Path(__file__).parent.parent.parent / "docs" / "flags.md"


def test_the_page_lists_every_code_with_its_meaning():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    listed = {row[0].strip("`"): row[1:] for row in rows if row and row[0].startswith("`")}
    flags = {code: cells for code, cells in listed.items() if len(cells) == 2}
    assert {code: meaning for code, (meaning, _) in flags.items()} == CODES
    assert list(flags) == sorted(flags)
    assert all(advice for _, advice in flags.values())
