"""The command as a whole: version, help, exit codes, the names of options, and what it imports."""

import shlex
import subprocess
import sys

import pytest
import typer

import diffdip
from diffdip.cli import app
from diffdip.cli.common import one_line
from diffdip.cli.option_names import OPTIONS, option_name
from diffdip.foundation.errors import InputError
from diffdip.io import OutputError
from tests.helpers.command_line import help_of, run, run_apart


COMMANDS = {
    "analyze": "--config",
    "app": "--port",
    "convert": "--skip-damaged",
    "curve": "--a-mt",
    "ensemble": "--crystals",
    "export": "run.zarr",
    "fit": "--fix-c-mt",
    "infer": "--parameter",
    "info": "film_10deg.xml",
    "magnetization": "--moment-mub",
    "positions": "--strongest",
    "reproduce": "--figure",
    "sensitivity": "--statistic",
}
"""Every command, and an option (or file) that its help names."""


def test_version():
    done = run("--version")
    assert (done.exit_code, done.stdout) == (0, f"diffdip {diffdip.__version__}\n")


def test_help_lists_all_commands():
    text = help_of()
    assert all(command in text for command in COMMANDS)
    assert set(typer.main.get_command(app).commands) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_options_and_examples(command):
    text = help_of(command)
    assert COMMANDS[command] in text
    assert f"diffdip {command}" in text.partition("Example")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_accepted(command):
    """Options and values of the examples are valid, and each fits a terminal of 80 columns."""
    known = typer.main.get_command(app).commands
    examples = [line for line in known[command].help.splitlines() if line.startswith("    ")]
    for line in examples:
        words = shlex.split(line.partition("diffdip ")[2])
        context = known[words[0]].make_context(words[0], words[1:])
        assert context.params
        assert len(line) < 80
    assert examples


def test_names_of_options_exist():
    commands = typer.main.get_command(app).commands.values()
    known = {name for command in commands for one in command.params for name in one.opts}
    assert set(OPTIONS.values()) <= known
    assert option_name("some words") == "some words"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "errors"),
    [
        (["--version"], 0, 0),
        (["fit", "no-such-file.csv"], 2, 1),
        (["curve", "--a", "1", "--b", "1", "--frequency-ghz", "0", "--out", "x"], 2, 1),
    ],
)
def test_exit_codes_of_the_process(arguments, code, errors):
    done = run_apart(*arguments)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == errors
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--plane", "ab"],
        ["fit", "--convention", "mine"],
        ["fit", "--frequency-ghz", "x"],
        ["curve", "--a", "1"],
        ["fit", "--unknown"],
        ["infer", "measured.csv"],
    ],
)
def test_misused_options_exit_with_code_2(arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"]])
def test_help_and_version_do_not_import_large_packages(arguments):
    code = f"""
import sys
from diffdip.cli import app
app({arguments}, standalone_mode=False)
large = {{"jax", "numpy", "scipy", "matplotlib", "xarray", "pandas", "streamlit"}}
sys.exit(f"imported: {{large & sys.modules.keys()}}" if large & sys.modules.keys() else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InputError("near", given=-1.0), "diffdip: --near = -1"),
        (OutputError("a.csv: no space"), "diffdip: a.csv: no space"),
    ],
)
def test_wrong_input_is_one_line(error, expected, capsys):
    with pytest.raises(typer.Exit) as stop, one_line():
        raise error
    assert stop.value.exit_code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == expected


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), TypeError("x")])
def test_errors_of_the_program_are_not_hidden(error):
    with pytest.raises(type(error), match="x"), one_line():
        raise error


def test_cycles_are_looked_for_rarely_and_not_at_the_end():
    """What is registered first runs last: after the process has frozen what it holds."""
    code = """
import atexit, gc
atexit.register(lambda: print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 1000))
from diffdip.cli import main
main()
"""
    found = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "True 200000 True"
