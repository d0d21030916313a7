"""Ctrl-C and SIGTERM: exit code 130 or 143, one line, and nothing half-written, at any moment."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.helpers.browser import listens, until
from tests.helpers.command_line import PROCESS


CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}

MOMENTS = (0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.2, 4.0)
"""Seconds after the handlers are there: imports, the fit, figures, files."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc says when the handlers are there"),
]


@pytest.fixture(autouse=True)
def attentive():
    """Processes do not inherit an ignored SIGINT, which a shell leaves in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(*arguments):
    """A process whose handlers are installed."""
    process = subprocess.Popen(
        [*PROCESS, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Python catches SIGINT from its start, SIGTERM only with a handler
    while not caught(process.pid) & 1 << (signal.SIGTERM - 1):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    return process


def caught(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))


def interrupt(process, number):
    """The line that it says, or None if it had ended."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    if process.returncode in (0, -number):  # it was done; the latter while Python ended
        return None
    assert process.returncode == CODES[number], errors
    [line] = errors.splitlines()
    assert line.startswith("diffdip: interrupted. ")
    return line


def test_ten_moments_of_a_fit(tmp_path):
    for i, moment in enumerate(MOMENTS):
        out = tmp_path / str(i)
        process = start("fit", "--example", "--out", out)
        time.sleep(moment)
        line = interrupt(process, list(CODES)[i % 2])
        assert line is None or "Start the same command again" in line
        # all files, or none
        assert len(list(out.glob("*"))) in (0, 5)
        assert len(list(out.glob(".*"))) == 0
    assert not (tmp_path / "0").exists()


def test_a_run_says_how_to_go_on(tmp_path):
    out = tmp_path / "run.zarr"
    sizes = ("--model", "cylinder", "--dipoles", 20, "--samples", 10**6, "--batch", 64)
    process = start("ensemble", *sizes, "--out", out)
    while len(list(out.rglob("c/*"))) < 20:
        assert process.poll() is None
        time.sleep(0.01)
    assert "resumes the run" in interrupt(process, signal.SIGTERM)
    assert not list(tmp_path.rglob("*.part"))


def test_the_app(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start("app", "--no-browser", "--port", port)
    until(lambda: listens("127.0.0.1", port))
    assert "diffdip app" in interrupt(process, signal.SIGINT)


def test_a_signal_waits_for_files_and_removes_what_takes_long():
    """Files that are nearly done are finished; parts of those that take long are removed."""
    code = """
import os, sys, tempfile, time
from pathlib import Path
from diffdip.foundation import interruption
interruption.PATIENCE = float(sys.argv[1])
interruption.end_at_signals()
folder = Path(sys.argv[2])
part = folder / "part"
(folder / "kept").mkdir()
with interruption.undivided(), interruption.unfinished(part):
    part.mkdir()
    (part / "file").touch()
    print("begun", flush=True)
    end = time.monotonic() + float(sys.argv[3])
    while time.monotonic() < end:
        time.sleep(0.01)
    part.rename(folder / "done")
time.sleep(60)
"""
    for patience, lasts, left in [(30, 0.5, {"kept", "done"}), (0.1, 60, {"kept"})]:
        with tempfile.TemporaryDirectory() as folder:
            arguments = [sys.executable, "-c", code, str(patience), folder, str(lasts)]
            process = subprocess.Popen(
                arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            assert process.stdout.readline() == "begun\n"
            assert interrupt(process, signal.SIGINT)
            assert {path.name for path in Path(folder).iterdir()} == left


def test_an_ignored_signal_stays_ignored():
    """As `nohup` and shells in the background do."""
    code = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from diffdip.foundation.interruption import end_at_signals
end_at_signals()
os.kill(os.getpid(), signal.SIGINT)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
