"""Every command with odd names, a user's settings of Matplotlib, a poor terminal, a full disk."""

import contextlib
import errno
import io
import os
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import typer
from rich.console import Console

from diffdip.cli import app, output
from diffdip.cli.streams import run_to_streams
from diffdip.fitting import series
from tests.helpers import spectra_files
from tests.helpers.command_line import refused, run, snapshot


ODD = "=$\\frac{x$ \udcff\x1b[31m\n%20 样品"
"""A name with mathtext, a byte that is not UTF-8, control characters and signs without a glyph."""

COMMANDS = sorted(typer.main.get_command(app).commands)

ANGLES = np.arange(0, 180, 10)

SIZES = ("--model", "cylinder", "--dipoles", 5)


class Kept(io.BytesIO):
    """Bytes that stay when the stream that writes them goes."""

    def close(self):
        pass


def call(monkeypatch, arguments, out):
    """Exit code and standard error of a command whose standard output is a file or `Kept`."""
    errors, code = Kept(), None
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="cp1252"))
        patched.setattr(sys, "stderr", io.TextIOWrapper(errors, encoding="cp1252"))
        try:
            run_to_streams(lambda: app([str(argument) for argument in arguments]))
        except SystemExit as end:
            code = end.code
        sys.stderr.flush()
        with contextlib.suppress(OSError):
            sys.stdout.close()
    return code, errors.getvalue().decode("cp1252")


def measured(path):
    """A table of resonance fields, with an odd name of the sample."""
    fields = 338 + 5 * np.cos(2 * np.radians(ANGLES)) + np.random.default_rng(0).normal(0, 0.1, 18)
    name = f"=1+1 {ODD[:8]}样"
    rows = [f"{name},{a},{f:.3f},9.45" for a, f in zip(ANGLES, fields, strict=True)]
    path.write_text("\n".join(["sample,angle_deg,field_mT,frequency_GHz", *rows]))
    return path


def commands(folder):
    """Arguments of each command that computes; inputs and outputs have odd names."""
    table = measured(folder / f"{ODD}.csv")
    raw = folder / f"{ODD}sw"
    raw.mkdir()
    spectra_files.text_folder(raw)
    fields = folder / f"{ODD}fields.csv"
    fields.write_text("A_mT,B_mT\n" + "".join(f"{i},{i * i % 7 - 3}\n" for i in range(12)))
    out = folder / f"{ODD}out"
    store = folder / f"{ODD}.zarr"
    samples = ("--samples", 50)
    return {
        "fit": ("fit", table, "--out", out / "fit"),
        "curve": ("curve", "--a", 5, "--b", 5, "--frequency-ghz", 9.45, "--out", out / "curve"),
        "positions": ("positions", raw, "--out", out / f"{ODD}.csv"),
        "convert": ("convert", raw, out / f"{ODD}c.csv"),
        "analyze": ("analyze", raw, "--out", out / "analysis"),
        "ensemble": ("ensemble", *SIZES, *samples, "--out", store),
        "export": ("export", store, out / f"{ODD}r.csv"),
        "sensitivity": (
            *("sensitivity", *SIZES, *samples, "--parameter", "density"),
            *("--statistic", "median-B", "--out", out / "sensitivity"),
        ),
        "infer": (
            *("infer", fields, "--parameter", "density", *SIZES, *samples),
            *("--steps", 1, "--out", out / "infer"),
        ),
        "info": ("info", raw),
        "magnetization": ("magnetization", "2 memu/g"),
    }


@pytest.mark.slow
def test_odd_names_and_settings(tmp_path, monkeypatch):
    """In a terminal without Greek letters, with a matplotlibrc that asks for LaTeX."""
    for name, arguments in commands(tmp_path).items():
        monkeypatch.setitem(mpl.rcParams, "text.usetex", True)
        monkeypatch.setitem(mpl.rcParams, "font.family", ["no such font"])
        printed = Kept()
        assert (name, *call(monkeypatch, arguments, printed)) == (name, 0, "")
        text = printed.getvalue().decode("cp1252").replace("\r\n", "\n")
        assert text
        assert all(c == "\n" or c.isprintable() for c in text), name
    assert len(list((tmp_path / f"{ODD}out").rglob("*.p[nd][gf]"))) >= 8
    points = (tmp_path / f"{ODD}out" / "fit" / "points.csv").read_text()
    assert "'=1+1" in points
    assert ",=" not in points
    assert "\n=" not in points


def test_every_command_that_computes_is_tested_here(tmp_path):
    assert set(COMMANDS) - set(commands(tmp_path)) == {"app", "reproduce"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_a_poor_terminal_and_on_a_full_device(command, monkeypatch):
    printed = Kept()
    assert call(monkeypatch, (command, "--help"), printed) == (0, "")
    assert b"Usage" in printed.getvalue()
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    for buffering in (-1, 0):
        with open("/dev/full", "wb", buffering) as full:
            code, errors = call(monkeypatch, (command, "--help"), full)
        [line] = errors.splitlines()
        assert code == 2
        assert line.endswith("cannot be written: No space left on device")


def test_a_reader_who_has_seen_enough_gets_no_message(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with contextlib.suppress(BrokenPipeError), open(writing, "wb") as pipe:
        code, errors = call(monkeypatch, ("fit", "--help"), pipe)
    assert code in (1, 2)
    assert errors == ""


@pytest.mark.slow
@pytest.mark.parametrize("early", [True, False])
def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, early):
    """Before the computation where the system says so, else after it; nothing is left behind."""
    cases = commands(tmp_path)
    writers = ("fit", "curve", "analyze", "sensitivity", "infer")
    for name in writers if early else ("fit", "positions", "convert", "ensemble"):
        arguments = cases[name]
        target = Path(arguments[-1])
        folder = target if early else target.parent
        folder.mkdir(parents=True, exist_ok=True)
        before = snapshot(tmp_path)
        with monkeypatch.context() as patched:
            if early:
                patched.setattr(os, "access", lambda path, mode: mode != os.W_OK)
            else:
                for function in ("mkdir", "unlink", "rename", "replace"):
                    patched.setattr(os, function, read_only(tmp_path, getattr(os, function)))
                written = read_only(tmp_path, Path.write_bytes)
                patched.setattr(Path, "write_bytes", written)
            line = refused(*arguments)
        assert "written" in line
        assert snapshot(tmp_path) == before


def read_only(folder, function):
    """A function of the system as it is if the folder is on a read-only filesystem."""

    def refuse(path, *arguments, **options):
        if str(path).startswith(str(folder)):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return function(path, *arguments, **options)

    return refuse


def test_an_out_that_leads_nowhere_is_refused_at_once(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    cases = commands(tmp_path)
    for name in ("fit", "curve", "analyze", "sensitivity", "infer"):
        line = refused(*cases[name][:-1], tmp_path / "link")
        assert "link to nothing" in line


def test_a_table_of_too_many_rows_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST_POINTS", 17)
    assert "18 points" in refused("fit", measured(tmp_path / "long.csv"))


HEADS = ("sample", "parameter", "value ± error", "68 % interval", "rms", "chi2/dof")
ROWS = [
    [
        [
            "a sample with a long name",
            "A (mT)",
            "0.92608 ± 0.00063",
            "0.92543 to 0.92673",
            "1",
            "2",
        ],
        ["", "B (mT)", "0.08369 ± 0.00086", "0.08280 to 0.08458", "", ""],
    ]
]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120])
@pytest.mark.parametrize("terminal", [True, False])
def test_names_and_values_stay_in_narrow_terminals(width, terminal):
    stream = io.StringIO()
    console = Console(width=width, force_terminal=terminal, file=stream, color_system=None)
    dropped = HEADS[4:] + HEADS[3:4]
    output.print_table(console, "Fields", HEADS, ROWS, names=2, dropped=dropped)
    text = stream.getvalue()
    flat = " ".join(text.replace("│", " ").split())
    for word in ("0.92608", "± 0.00086", "A (mT)", "B (mT)", "with a"):
        assert word in flat
    assert "…" not in text
    sentences = terminal and width < 60
    for head in HEADS[2:] if sentences else HEADS if width == 120 or not terminal else HEADS[:3]:
        assert head in flat
    if terminal and width in (60, 80):
        assert "rms" not in text
    if terminal:
        assert all(len(line) <= width for line in text.splitlines())


def test_tables_of_commands_have_names_first(monkeypatch):
    done = run("magnetization", "2 memu/g")
    assert done.exit_code == 0
    assert "2 memu/g" in done.stdout
