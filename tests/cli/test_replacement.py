"""No command replaces a measurement or a file of somebody else."""

import numpy as np
import pytest

from diffdip.cli import app
from tests.helpers import spectra_files
from tests.helpers.command_line import refused, run, snapshot


ANGLES = np.arange(0, 180, 10)


def measured(path):
    """A table of resonance fields as a user has it."""
    noise = np.random.default_rng(0).normal(0, 0.1, ANGLES.size)
    fields = 338 + 5 * np.cos(2 * np.radians(ANGLES)) + noise
    rows = [f"{angle},{field:.3f},9.45" for angle, field in zip(ANGLES, fields, strict=True)]
    path.write_text("\n".join(["angle_deg,field_mT,frequency_GHz", *rows]))
    return path


def sweeps(folder):
    folder.mkdir()
    return spectra_files.text_folder(folder)


def inputs(tmp_path):
    """Arguments that would replace an input, or write into the folder that is read."""
    raw, table = sweeps(tmp_path / "sw"), measured(tmp_path / "points.csv")
    one = sorted(raw.iterdir())[0]
    one = one.rename(one.with_suffix(".csv"))
    single = spectra_files.long_table(tmp_path)
    (tmp_path / "fits").mkdir()
    written = measured(tmp_path / "fits" / "points.csv")
    return {
        "fit": ("fit", table, "--out", tmp_path),
        "fit, another name of the folder": ("fit", table, "--out", tmp_path / "sw" / ".."),
        "fit, through a folder to be made": ("fit", table, "--out", tmp_path / "new" / ".."),
        "positions, through a folder to be made": (
            *("positions", raw, "--out"),
            raw / "new" / ".." / "t.csv",
        ),
        "fit of two": ("fit", table, written, "--out", tmp_path / "fits"),
        "positions of a folder": ("positions", raw, "--out", one),
        "positions into the folder": ("positions", raw, "--out", raw / "new.csv"),
        "positions of a file": ("positions", single, "--out", single),
        "convert a file": ("convert", single, single),
        "convert into the folder": ("convert", raw, raw / "all.csv"),
        "analyze into the folder": ("analyze", raw, "--out", raw),
    }


CASES = (
    "fit",
    "fit, another name of the folder",
    "fit, through a folder to be made",
    "positions, through a folder to be made",
    "fit of two",
    "positions of a folder",
    "positions into the folder",
    "positions of a file",
    "convert a file",
    "convert into the folder",
    "analyze into the folder",
)


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("case", CASES)
def test_an_input_is_never_replaced(tmp_path, case, force):
    arguments = inputs(tmp_path)[case]
    before = snapshot(tmp_path)
    line = refused(*arguments, *force)
    said = ("is the input", "lies in the folder that is read", "other than that of the spectra")
    assert any(words in line for words in said)
    assert snapshot(tmp_path) == before


def writers(tmp_path):
    """Each command that writes files, and the name of one of its files."""
    table, raw = measured(tmp_path / "t.csv"), sweeps(tmp_path / "sw")
    fields = tmp_path / "fields.csv"
    fields.write_text("A_mT,B_mT\n" + "".join(f"{i},{i * i % 7 - 3}\n" for i in range(12)))
    out = tmp_path / "out"
    sizes = ("--model", "cylinder", "--dipoles", "5")
    return {
        "fit.json": ("fit", table, "--out", out),
        "curve.csv": ("curve", "--a", 5, "--b", 5, "--frequency-ghz", 9.45, "--out", out),
        "p.csv": ("positions", raw, "--out", out / "p.csv"),
        "c.nc": ("convert", raw, out / "c.nc"),
        "report.html": ("analyze", raw, "--out", out),
        "sensitivity.csv": ("sensitivity", *sizes, "--samples", 50, "--out", out),
        "infer.json": ("infer", fields, "--parameter", "density", *sizes, "--out", out),
    }


NAMES = ("fit.json", "curve.csv", "p.csv", "c.nc", "report.html", "sensitivity.csv", "infer.json")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_foreign_file_is_not_replaced(tmp_path, name):
    arguments = writers(tmp_path)[name]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("a,b\n1,2\n")
    before = snapshot(tmp_path)
    line = refused(*arguments)
    assert name in line
    assert "no earlier result" in line
    assert snapshot(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fit.json", "curve.csv", "p.csv", "c.nc", "report.html"])
def test_results_of_before_are_replaced(tmp_path, name):
    arguments = writers(tmp_path)[name]
    foreign = tmp_path / "out" / name
    foreign.parent.mkdir()
    foreign.write_text("a,b\n1,2\n")
    assert run(*arguments, "--force").exit_code == 0
    first = snapshot(tmp_path / "out")
    assert run(*arguments).exit_code == 0  # no --force: all files are ours now
    assert snapshot(tmp_path / "out") == first


def test_the_data_of_a_descriptor_are_not_replaced(tmp_path):
    descriptor = spectra_files.bes3t(tmp_path)
    before = snapshot(tmp_path)
    line = refused("positions", descriptor, "--out", descriptor.with_suffix(".DTA"), "--force")
    assert "a name that ends in .csv" in line
    refused("convert", descriptor, descriptor.with_suffix(".DTA"), "--force")
    assert snapshot(tmp_path) == before


def test_every_writing_command_is_tested_here():
    forced = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if "force" in command.callback.__annotations__
    }
    commands = {"fit", "curve", "positions", "convert", "analyze", "sensitivity", "infer"}
    assert forced == commands | {"export", "reproduce"}  # these two have tests of their own
    every = {command.name or command.callback.__name__ for command in app.registered_commands}
    # these write no file of results; the store of ensemble is refused where something else lies
    every = {name.replace("_", "-") for name in every}
    assert every - forced == {"ensemble", "magnetization", "info", "app"}
