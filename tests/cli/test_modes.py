"""--json, --quiet, completion, and the overview of `diffdip --help`."""

import json
import math
import re

import numpy as np
import pytest

from diffdip.cli import app
from diffdip.cli.modes import Mode, mode, printing
from diffdip.foundation import progress
from tests.helpers.command_line import assert_refused, document, help_of, run, run_apart


def commands():
    return {one.name or one.callback.__name__: one for one in app.registered_commands}


def test_every_command_can_be_quiet_and_those_with_tables_give_json():
    tables = {"analyze", "ensemble", "fit", "infer", "info", "magnetization", "sensitivity"}
    for name in commands():
        text = help_of(name)
        assert "--quiet" in text
        assert ("--json" in text) == (name in tables), name


def test_magnetization_as_json():
    found = document("magnetization", "2 memu/g", "6 memu/g")
    one, three = (row["dipoles_per_crystal"] for row in found["rows"])
    assert three == pytest.approx(3 * one)
    # the saturation over that of one dipole on each crystal
    assert one == pytest.approx(2e-3 / found["one_dipole_emu_per_g"])
    assert found["settings"]["diameter_nm"] == 2.7


def test_info_as_json(tmp_path):
    table = tmp_path / "film_10deg.csv"
    table.write_text("field_mT,signal\n" + "\n".join(f"{330 + i},{i % 7}" for i in range(20)))
    done = run("info", table, tmp_path / "none.csv", "--json")
    assert done.exit_code == 2  # one of the files cannot be read
    read, missing = json.loads(done.stdout)["files"]
    assert read["points"] == "20"
    assert read["angle"].startswith("10")
    assert "No such file" in missing["cannot_be_read"]
    quiet = run("info", table, tmp_path / "none.csv", "--quiet")
    assert quiet.stdout == ""
    assert "none.csv" in quiet.stderr


@pytest.mark.slow
def test_a_fit_as_json_is_its_file(tmp_path):
    found = document("fit", "--example", "--out", tmp_path)
    assert found == json.loads((tmp_path / "fit.json").read_text())
    [fit] = found["fits"]
    assert fit["parameters"]["A_mT"]["value"] == pytest.approx(0.926, abs=1e-3)
    quiet = run("fit", "--example", "--quiet")
    assert quiet.stdout == ""
    # doubts are not hidden
    assert "A and g cannot be separated" in quiet.stderr


@pytest.mark.slow
@pytest.mark.float32
def test_an_ensemble_as_json_agrees_with_its_samples(tmp_path):
    model = ("--model", "sphere", "--dipoles", 20, "--samples", 64)
    found = document("ensemble", *model, "--out", tmp_path / "run.zarr")
    assert found["n_samples"] == 64
    assert run("export", tmp_path / "run.zarr", tmp_path / "run.csv").exit_code == 0
    rows = np.genfromtxt(tmp_path / "run.csv", delimiter=",", names=True, skip_header=1)
    assert found["quantiles"]["abs_B_mT"]["quantile_0.5"] == pytest.approx(
        np.median(np.abs(rows["B_mT"])), rel=1e-5
    )
    assert found["mean_dipoles"] == 20
    low, high = found["quantiles"]["abs_A_mT"]["median_interval_68"]
    assert low < found["quantiles"]["abs_A_mT"]["quantile_0.5"] < high
    assert not any(isinstance(v, float) and math.isnan(v) for v in found.values())


def test_doubts_appear_beside_json_and_under_quiet(tmp_path):
    few = ("magnetization", "0.0001 emu/g")
    curve = ("curve", "--a", -600, "--b", 200, "--frequency-ghz", 9.45, "--convention", "physical")
    for command, doubt in (
        ((*few, "--json"), "fewer dipoles than crystals"),
        ((*few, "--quiet"), "fewer dipoles than crystals"),
        ((*curve, "--out", tmp_path, "--quiet"), "no measured resonance at 661 of 721 angles"),
    ):
        done = run(*command)
        assert done.exit_code == 0
        assert doubt in done.stderr
        assert doubt not in done.stdout


def test_json_and_quiet_exclude_each_other():
    assert_refused(run("magnetization", "2 emu/g", "--json", "--quiet"), "--json", "--quiet")


def test_quiet_shows_no_bar(monkeypatch):
    shown = []

    class Watched:
        is_terminal = True

        def __init__(self, **_):
            pass

    def bar(*_, disable, **__):
        shown.append(not disable)
        raise StopIteration

    monkeypatch.setattr("rich.console.Console", Watched)
    monkeypatch.setattr("rich.progress.Progress", bar)
    for quiet in (False, True):
        with (
            printing(quiet=quiet, as_json=False),
            pytest.raises(RuntimeError),
            progress.progress_bar("task", 2),
        ):
            pass
    assert shown == [True, False]
    assert mode() is Mode.TEXT


def test_the_overview_has_an_example_of_each_command_and_the_exit_codes():
    text = help_of()
    for name in commands():
        assert re.search(rf"diffdip {name}( [\w\"./-]|  )", text), name
    for code in ("0 done", "2 input", "130 after Ctrl-C", "143 after SIGTERM"):
        assert code in text


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("diffdip fi", {"fit"}),
        ("diffdip fit --term cub", {"cubic", "cubic-2"}),
        ("diffdip curve --plane x", {"xy", "xz"}),
        ("diffdip positions a --definition lor", {"lorentzian"}),
    ],
)
def test_a_shell_completes(monkeypatch, line, completed):
    monkeypatch.setenv("_DIFFDIP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    assert set(run_apart().stdout.split()) == completed
