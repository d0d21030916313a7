"""`diffdip sensitivity` and `diffdip infer`: numbers with units, files that read back, one line
for a mistake."""

import csv
import json
import re

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

import diffdip
from diffdip import UniformCylinder, simulate
from diffdip.cli import answers, app
from diffdip.io import read_anisotropies


SMALL = ["--model", "cylinder", "--dipoles", "20", "--samples", "60"]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(done, *parts):
    """Exit code 2 and one line on stderr with all parts; nothing on stdout."""
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    for part in parts:
        assert str(part) in line


def drawn(density, count, seed):
    """Samples as the commands draw them, in float32."""
    with jax.enable_x64(False):
        return simulate(UniformCylinder(n=20, density=density), count, seed, progress=False)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def strict_json(path):
    def no(constant):
        raise AssertionError(constant)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=no)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A and B of 100 samples at a density of 3 nm⁻³, in gauss and mT, and a row without B."""
    found = drawn(3.0, 100, seed=5)
    path = tmp_path_factory.mktemp("measured") / "measured.csv"
    pairs = zip(found.A.tolist(), found.B.tolist(), strict=True)
    rows = [f"{i},{1e4 * a},{1e3 * b}" for i, (a, b) in enumerate(pairs)]
    path.write_text("sample,A (G),B_mT,C_mT\n" + ",\n".join([*rows, "x,1,"]) + ",\n")
    return path


def test_sensitivity_prints_and_writes(tmp_path):
    names = ["median-B", "tail-B:30", "width-A", "tail-A:1e9"]
    options = [part for name in names for part in ("--statistic", name)]
    done = run("sensitivity", *SMALL, *options, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for word in ("2 nm⁻³", "1.73 µB", "paper convention", "median-B", "wrote sensitivity.json"):
        assert word in done.stdout
    assert "tail-A:1e9 is 0: it has no logarithm" in done.stdout
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


def test_names_of_options_are_parameters_too():
    parameters = ["density-per-nm3", "--parameter", "dipoles"]
    done = run("sensitivity", *SMALL, "--statistic", "median-A", "--parameter", *parameters)
    assert done.exit_code == 0, done.output
    assert re.search(r"│ density +│ +2 nm⁻³", done.stdout)
    assert re.search(r"│ n +│ +20 │.*differences", done.stdout)


def test_the_amplitude_is_found_in_double_precision():
    options = ["--statistic", "amplitude", "--frequency-ghz", "35", "--parameter", "moment"]
    done = run("sensitivity", *SMALL, *options)
    assert done.exit_code == 0, done.output
    # weak anisotropies at a high frequency: proportional to the moment
    assert float(re.search(r"([\d.]+) ± [\d.]+ +│ derivative", done.stdout)[1]) == pytest.approx(
        1, abs=0.1
    )


def test_inference_finds_the_density(tmp_path, measured):
    options = ["--parameter", "density", "--steps", "12", "--out", tmp_path / "out"]
    done = run("infer", measured, *SMALL, *options)
    assert done.exit_code == 0, done.output
    for word in ("density", "nm⁻³", "yes", "100 measured samples: chi2 = ", "wrote infer.json"):
        assert word in done.stdout
    assert "1 rows without A or B are left out" in done.stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {f"infer.{kind}" for kind in ("json", "csv", "png", "pdf")}
    document = strict_json(tmp_path / "out" / "infer.json")
    density = document["parameters"]["density"]
    assert density["value"] == pytest.approx(3.0, rel=0.3)
    low, high = density["interval_95"]
    assert low < density["value"] < high
    assert density["identifiable"] is True
    assert document["input"] == str(measured)
    assert document["convention"] == "paper"
    settings = document["settings"]
    assert (settings["measured"], settings["left_out"], settings["steps"]) == (100, 1, 12)
    assert settings["start"]["density"] == 2.0
    assert settings["model"]["density"] == pytest.approx(density["value"], rel=1e-5)
    [row] = read_csv(tmp_path / "out" / "infer.csv")
    assert (row["parameter"], row["unit"], row["identifiable"]) == ("density", "nm^-3", "1")
    assert float(row["low_68"]) == pytest.approx(density["interval_68"][0])


def test_what_cannot_be_told_is_said(tmp_path, measured):
    """Density and moment only come as their product."""
    options = ["--parameter", "density", "--parameter", "moment", "--steps", "3"]
    done = run("infer", measured, *SMALL, *options, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.count(" open ") == 4
    assert "is not identifiable from these samples" in done.stdout
    row = read_csv(tmp_path / "infer.csv")[0]
    assert (row["identifiable"], row["high_68"]) == ("0", "")
    assert strict_json(tmp_path / "infer.json")["parameters"]["density"]["interval_68"] is None


def test_tables_of_anisotropies(measured, tmp_path):
    data = read_anisotropies(measured)
    found = drawn(3.0, 100, seed=5)
    np.testing.assert_allclose(data.A, found.A, rtol=1e-6)
    np.testing.assert_allclose(data.B, found.B, rtol=1e-6)
    path = tmp_path / "excel.csv"
    path.write_text("# a comment\n|B| (T);A [mT]\n0,5;-1,5\n0,25;2\n")
    data = read_anisotropies(path)
    np.testing.assert_allclose(data.A, [-1.5e-3, 2e-3])
    np.testing.assert_allclose(data.B, [0.5, 0.25])


BAD_TABLES = {
    "text": ("A_mT,B_mT\n1,2\n1,x\n", ["row 3, column 'B_mT': 'x' is not a finite number"]),
    "nan": ("A_mT,B_mT\nnan,2\n", ["row 2, column 'A_mT': 'nan'"]),
    "no unit": ("A,B_mT\n1,2\n", ["row 1, column 'A': the unit of the anisotropy field A"]),
    "no B": ("A_mT,angle_deg\n1,2\n", ["row 1: no column for the anisotropy field B", "B_mT"]),
    "huge": ("A_mT,B_mT\n1,2e6\n", ["row 2, column 'B_mT': '2e6' is out of range", "100 T"]),
    "few": ("A_mT,B_mT\n1,2\n3,4\n5,\n", ["2 rows with both A and B; expected 10 or more"]),
    "empty": ("", ["the file is empty"]),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_is_one_line(tmp_path, case):
    content, parts = BAD_TABLES[case]
    path = tmp_path / "measured.csv"
    path.write_text(content)
    options = ["--parameter", "density", "--out", tmp_path / "out"]
    refused(run("infer", path, *SMALL, *options), path, *parts)
    assert not (tmp_path / "out").exists()


BAD_OPTIONS = {
    "statistic": (["--statistic", "middle-B"], ["--statistic middle-B: expected one of median-A"]),
    "component": (["--statistic", "median-D"], ["--statistic median-D: unknown", "'D'"]),
    "level": (["--statistic", "q100-B"], ["--statistic q100-B: the level", "not 1"]),
    "no level": (["--statistic", "qq-B"], ["--statistic qq-B: 'q' is not a number"]),
    "no bound": (["--statistic", "tail-B"], ["--statistic tail-B: expected one of"]),
    "bound": (["--statistic", "tail-B:-3"], ["--statistic tail-B:-3: a tail begins above 0"]),
    "too much": (["--statistic", "median-B:3"], ["--statistic median-B:3: expected one of"]),
    "parameter": (
        ["--parameter", "kappa"],
        ["--parameter kappa: UniformCylinder has no number 'kappa': it has density"],
    ),
    "text": (["--parameter", "convention"], ["--parameter convention: UniformCylinder has no"]),
    "model": (["--density-per-nm3", "-1"], ["--density-per-nm3 -1.0: expected a number above 0"]),
    "step": (["--step", "0"], ["--step 0.0: expected a number above 0"]),
    "frequency": (["--frequency-ghz", "nan"], ["--frequency-ghz nan: expected a number above 0"]),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_a_bad_option_is_one_line(tmp_path, case):
    options, parts = BAD_OPTIONS[case]
    refused(run("sensitivity", *SMALL, *options, "--out", tmp_path / "out"), *parts)
    assert not (tmp_path / "out").exists()


def test_bad_options_of_infer(tmp_path, measured):
    unknown = ["--parameter", "colour"]
    refused(run("infer", measured, *SMALL, *unknown), "--parameter colour", "no number 'colour'")
    integer = ["--parameter", "dipoles"]
    refused(run("infer", measured, *SMALL, *integer), "n is an integer")
    good = ["--parameter", "density"]
    refused(run("infer", tmp_path / "none.csv", *good), "none.csv: cannot be read: No such file")
    taken = tmp_path / "taken"
    taken.write_text("mine")
    refused(run("infer", measured, *good, "--out", taken), f"{taken}: cannot be written")
    refused(run("sensitivity", *SMALL, "--out", taken), f"{taken}: cannot be written")
    assert taken.read_text() == "mine"
    done = run("infer", measured)
    assert done.exit_code == 2
    assert "--parameter" in done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sensitivity", ["--statistic", "tail-B:100", "--crystals", "diffdip sensitivity --"]),
        ("infer", ["A_mT", "--parameter", "--kappa", "diffdip infer measured.csv"]),
    ],
)
def test_help_teaches(command, words):
    done = run(command, "--help")
    assert done.exit_code == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    for word in words:
        assert word in text


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
    assert answers._plus_minus(value, error) == text
