"""The command `diffdip` as a test calls it, and what it says of a mistake."""

import os
import subprocess
import sys

from typer.testing import CliRunner

from diffdip.cli import app


def run(*arguments):
    """The command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def run_apart(*arguments):
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from diffdip.cli import app; app()", *map(str, arguments)],
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
