"""The page Start as a newcomer follows it: its files and its commands, one after the other.

    python tests/helpers/start_page.py FOLDER

does so in a folder, after the installation, with the `diffdip` and `python` that PATH finds, and
prints how long each command took. It needs nothing but the standard library.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


PAGE = Path(__file__).parent.parent.parent / "docs" / "start.md"
PYTHON_OR_INDENTED = re.compile(
    r"^```python\n((?:(?!```)[^\n]*\n)*)```$|((?:^ {4}[^\n]*\n)+)", re.MULTILINE
)
FILE = re.compile(r"`(\w+\.(?:csv|py))`")


class File(NamedTuple):
    """A file that the page tells to save."""

    name: str
    text: str


class Command(NamedTuple):
    """A command as it is printed."""

    line: str


def steps() -> Iterator[File | Command]:
    """What the page tells to do, from the first fit on."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## First fit\n")[2]
    for block in PYTHON_OR_INDENTED.finditer(text):
        lines = (block[1] or re.sub("^    ", "", block[2], flags=re.MULTILINE)).splitlines()
        if block[2] and lines[0].startswith(("diffdip ", "python ")):
            yield from map(Command, lines)
        else:
            name = FILE.findall(text[: block.start()])[-1]
            yield File(name, "\n".join(lines) + "\n")


def main() -> None:
    folder = Path(sys.argv[1])
    os.chdir(folder)
    whole = 0.0
    for step in steps():
        if isinstance(step, File):
            Path(step.name).write_text(step.text, encoding="utf-8")
            continue
        print(f"$ {step.line}", flush=True)
        begin = time.perf_counter()
        subprocess.run(step.line, shell=True, check=True)
        took = time.perf_counter() - begin
        whole += took
        print(f"({took:.1f} s)\n", flush=True)
    print(f"all commands: {whole:.1f} s")


if __name__ == "__main__":
    main()
