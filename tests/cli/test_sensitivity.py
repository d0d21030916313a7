"""`diffdip sensitivity`: numbers with units, files that read back, one line for a mistake."""

import re

import numpy as np
import pytest

import diffdip
from diffdip.cli.sensitivities import plus_minus
from tests.helpers.command_line import assert_refused, run
from tests.helpers.model_commands import SMALL, drawn, read_csv, strict_json


@pytest.mark.slow
def test_sensitivity_prints_and_writes(tmp_path):
    names = ["median-B", "tail-B:30", "width-A", "tail-A:1e9"]
    options = [part for name in names for part in ("--statistic", name)]
    done = run("sensitivity", *SMALL, *options, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for word in ("2 nm⁻³", "1.73 µB", "paper", "median-B", "tail-A:1e9 is 0", "sensitivity.json"):
        assert word in done.stdout
    kinds = ("json", "csv", "png", "pdf")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {f"sensitivity.{kind}" for kind in kinds}

    document = strict_json(tmp_path / "out" / "sensitivity.json")
    assert (document["diffdip"], document["convention"]) == (diffdip.__version__, "paper")
    settings = document["settings"]
    assert (settings["n_samples"], settings["seed"], settings["model"]["n"]) == (60, 0, 20)
    rows = {(row["statistic"], row["parameter"]): row for row in document["rows"]}
    assert len(rows) == 4 * 3
    row = rows["median-B", "density"]  # A, B, C are proportional to it
    assert row["dlnT_dlntheta"] == pytest.approx(1, abs=1e-5)
    assert row["derivative"] == pytest.approx(row["value"] / 2, rel=1e-5)
    assert (row["unit"], row["derivative_unit"]) == ("mT", "mT/nm^-3")
    found = drawn(2.0, 60, seed=0)
    assert row["value"] == pytest.approx(1e3 * np.median(np.abs(found.B)), rel=1e-4)
    assert rows["tail-B:30", "moment"]["unit"] == "1"
    assert rows["tail-B:30", "moment"]["value"] == pytest.approx(np.mean(np.abs(found.B) > 0.03))
    assert rows["tail-A:1e9", "moment"]["dlnT_dlntheta"] is None

    table = read_csv(tmp_path / "out" / "sensitivity.csv")
    assert [row["statistic"] for row in table] == [s for s in names for _ in range(3)]
    for line, row in zip(table, document["rows"], strict=True):
        assert line["parameter"] == row["parameter"]
        assert float(line["derivative"]) == pytest.approx(row["derivative"], rel=1e-6)
    assert (tmp_path / "out" / "sensitivity.csv").read_bytes().isascii()


@pytest.mark.slow
def test_names_of_options_are_parameters_too():
    parameters = ["density-per-nm3", "--parameter", "dipoles"]
    done = run("sensitivity", *SMALL, "--statistic", "median-A", "--parameter", *parameters)
    assert done.exit_code == 0, done.output
    assert re.search(r"│ density +│ +2 nm⁻³", done.stdout)
    assert re.search(r"│ n +│ +20 │.*differences", done.stdout)


@pytest.mark.slow
def test_the_amplitude_is_found_in_double_precision():
    options = ["--statistic", "amplitude", "--frequency-ghz", "35", "--parameter", "moment"]
    done = run("sensitivity", *SMALL, *options)
    assert done.exit_code == 0, done.output
    # weak anisotropies at a high frequency: proportional to the moment
    assert float(re.search(r"([\d.]+) ± [\d.]+ +│ derivative", done.stdout)[1]) == pytest.approx(
        1, abs=0.1
    )


BAD_OPTIONS = {
    "statistic": (["--statistic", "middle-B"], ["--statistic middle-B"]),
    "component": (["--statistic", "median-D"], ["--statistic median-D", "'D'"]),
    "level": (["--statistic", "q100-B"], ["--statistic q100-B"]),
    "no level": (["--statistic", "qq-B"], ["--statistic qq-B", "'q'"]),
    "no bound": (["--statistic", "tail-B"], ["--statistic tail-B"]),
    "bound": (["--statistic", "tail-B:-3"], ["--statistic tail-B:-3"]),
    "too much": (["--statistic", "median-B:3"], ["--statistic median-B:3"]),
    "parameter": (["--parameter", "kappa"], ["--parameter = 'kappa'", "density"]),
    "text": (["--parameter", "convention"], ["--parameter = 'convention'"]),
    "model": (["--density-per-nm3", "-1"], ["--density-per-nm3 = -1"]),
    "dipoles": (["--dipoles", "1"], ["--dipoles = 1"]),
    "step": (["--step", "0"], ["--step = 0"]),
    "frequency": (["--frequency-ghz", "nan"], ["--frequency-ghz = nan"]),
}
"""Options, and what the message names."""


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_a_bad_option_is_one_line(tmp_path, case):
    options, parts = BAD_OPTIONS[case]
    done = run("sensitivity", *SMALL, *options, "--out", tmp_path / "out")
    assert_refused(done, *parts)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-2.106, 0.534, "-2.11 ± 0.53"),
        (-0.0001, 0.1, "0.00 ± 0.10"),
        (1.0, 1e-9, "1 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (2.5, np.nan, "2.5 ± ?"),
        (np.nan, np.nan, "-"),
    ],
)
def test_values_to_two_digits_of_the_error(value, error, text):
    assert plus_minus(value, error) == text


@pytest.mark.slow
def test_a_folder_that_is_a_file(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert_refused(run("sensitivity", *SMALL, "--out", taken), "--out", taken)
    assert taken.read_text() == "mine"
