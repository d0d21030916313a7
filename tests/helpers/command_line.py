"""The command `diffdip` as a test calls it, and what it does about a mistake."""

import json
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from diffdip.cli import app


PROCESS = (sys.executable, "-c", "from diffdip.cli import main; main()")
"""The command as a process of its own."""


def run(*arguments):
    """The command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def document(*arguments):
    """The JSON on standard output, in which nothing else stands."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout, parse_constant=pytest.fail)


def run_apart(*arguments):
    """The command as a process of its own."""
    return subprocess.run(
        [*PROCESS, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


def refused(*arguments):
    """The one line on stderr of a command that exits with code 2 and prints nothing else."""
    return assert_refused(run(*arguments))


def assert_refused(done, *parts):
    """Exit code 2 and one line on stderr with all parts; nothing on stdout."""
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("diffdip: ")
    for part in parts:
        assert str(part) in line
    return line


def help_of(*command):
    """The text of `--help` without colours, frames and line breaks."""
    done = run(*command, "--help")
    assert done.exit_code == 0, done.output
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", done.stdout).split())


def snapshot(folder):
    """All files of a folder with their bytes."""
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
