"""The command: what a user sees, and that mistakes cost one line, code 2 and no file."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import diffdip
from diffdip.cli import fits
from diffdip.fitting import series_fit as fit_module
from diffdip.foundation import units
from diffdip.io import OutputError, TableError
from diffdip.report import curve
from diffdip.report.parameter_text import interval_text, value_text
from tests.helpers.command_line import assert_refused, run, run_apart


ANGLES = np.arange(0, 180, 10)


def second_sample(angle):
    """Hres of a weak anisotropy in mT to first order: 337.6 − 3A/4 − 3B/4 cos 2α."""
    return 337.59 - 0.75 * 4 - 0.75 * 2 * np.cos(2 * np.radians(angle))


def table(folder, name="sweep.csv", samples=("",), frequency=True):
    lines = [
        "sample,angle_deg,field_mT,frequency_GHz" if frequency else "sample,angle_deg,field_mT"
    ]
    lines += [
        f"{sample or 'II'},{angle},{second_sample(angle):.6f}" + ",9.45" * frequency
        for sample in samples
        for angle in ANGLES
    ]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def snapshot(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_version():
    done = run("--version")
    assert (done.exit_code, done.stdout) == (0, f"diffdip {diffdip.__version__}\n")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ["fit", "curve", "--version"]),
        (
            ("fit",),
            [
                "--frequency-ghz",
                "--fix-c-mt",
                "--free-g",
                "diffdip fit --example",
                "sigma_mT",
                "(mT)",
            ],
        ),
        (("curve",), ["--a-mt", "--b-mt", "diffdip curve --a-mt 191.5", "measured"]),
    ],
)
def test_help_teaches(command, words):
    done = run(*command, "--help")
    assert done.exit_code == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    for word in words:
        assert word in text


def test_example_is_fitted_and_written(tmp_path):
    out = tmp_path / "out"
    done = run("fit", "--example", "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert {path.name for path in out.iterdir()} == {
        "fit.json",
        "points.csv",
        "curve.csv",
        "fit.png",
        "fit.pdf",
    }
    [found] = json.loads((out / "fit.json").read_text())["fits"]
    # g of the table, 2.00410, read with g = 2 fixed: A takes up the shift, w0 (1 − 2/g)·4/3
    w0 = 1e3 * units.PLANCK * 9.49249e9 / (2 * units.MU_B)
    shift = 4 / 3 * w0 * (1 - 2 / 2.00410)
    assert found["parameters"]["A_mT"]["value"] == pytest.approx(shift, rel=2e-3)
    b, c = (found["parameters"][name]["value"] for name in ("B_mT", "C_mT"))
    assert np.hypot(b, 2 * c) == pytest.approx(4 / 3 * 0.0633, abs=2e-4)
    assert found["rms_mT"] == pytest.approx(0.00187, abs=2e-5)
    assert found["input"].endswith("goniometer.csv")
    with (out / "points.csv").open(encoding="utf-8") as stream:
        points = list(csv.DictReader(stream))
    assert len(points) == 19
    residuals = np.array([float(row["residual_mT"]) for row in points])
    assert np.sqrt(np.mean(residuals**2)) == pytest.approx(found["rms_mT"])
    for word in ("goniometer", "0.926", "paper convention", "359.99", "wrote fit.json"):
        assert word in done.stdout


def test_samples_and_files_are_fits_of_their_own(tmp_path):
    first = table(tmp_path, "a.csv", ("I", "II"))
    second = table(tmp_path, "b.csv", ("II",))
    out = tmp_path / "out"
    done = run("fit", first, second, "--out", out)
    assert done.exit_code == 0, done.output
    fits = json.loads((out / "fit.json").read_text())["fits"]
    assert [found["sample"] for found in fits] == ["I", f"{first}: II", f"{second}: II"]
    for found in fits:
        assert found["parameters"]["A_mT"]["value"] == pytest.approx(4, rel=0.02)
        assert found["parameters"]["B_mT"]["value"] == pytest.approx(2, rel=0.02)
    assert len(list(out.glob("fit_*.png"))) == len(list(out.glob("fit_*.pdf"))) == 3


def test_options_reach_the_fit(tmp_path, monkeypatch):
    seen = {}

    class Seen(Exception):
        pass

    def record(angle, field, sigma, **options):
        seen.update(options, field=field)
        raise Seen

    monkeypatch.setattr(fit_module, "fit_series", record)
    path = table(tmp_path, frequency=False)
    arguments = (
        "--frequency-ghz 9.6 --g 2.1 --free-g --free-offset --fix-c 5 --fix-b-mt 7 --plane xz"
    )
    arguments += " --loss soft_l1 --convention physical"
    assert isinstance(run("fit", path, *arguments.split()).exception, Seen)
    assert seen["g"] == diffdip.Free(start=2.1)
    assert seen["offset"] == diffdip.Free()
    assert seen["parameters"] == {"A": diffdip.Free(), "B": 7e-3, "C": 5e-3}
    assert (seen["plane"], seen["loss"], seen["convention"]) == ("xz", "soft_l1", "physical")
    np.testing.assert_allclose(seen["frequency"], 9.6e9)
    assert isinstance(run("fit", path, "--frequency-ghz", "9.6").exception, Seen)
    assert seen["parameters"] == dict.fromkeys("ABC", diffdip.Free())
    assert (seen["g"], seen["offset"], seen["plane"]) == (2.0, 0.0, "xy")
    assert (seen["loss"], seen["convention"]) == ("linear", "paper")


def test_a_fixed_parameter_is_told_apart(tmp_path):
    done = run("fit", table(tmp_path), "--fix-c-mt", "0")
    assert done.exit_code == 0, done.output
    [line] = [line for line in done.stdout.splitlines() if "C (mT)" in line]
    assert "0 (fixed)" in line
    assert "wrote" not in done.stdout
    assert snapshot(tmp_path).keys() == {tmp_path / "sweep.csv"}


BAD_TABLES = {
    "empty": ("", ["sweep.csv: the file is empty"]),
    "text": ("angle,field_mT,f_GHz\n0,3\u21928,9\n", ["row 2, column 'field_mT': '3\u21928'"]),
    "nan": ("angle,field_mT,f_GHz\n0,nan,9\n", ["row 2, column 'field_mT': 'nan'"]),
    "no unit": ("angle,field,f_GHz\n0,338,9\n", ["row 1, column 'field': the unit"]),
    "no column": ("angle,f_GHz\n0,9\n", ["row 1: no column for the field"]),
    "no frequency": ("angle,field_mT\n0,338\n9,338\n", ["row 1", "--frequency-ghz"]),
    "ragged": ("angle,field_mT,f_GHz\n0,338\n", ["row 2: 2 cells where the header has 3"]),
    "negative": ("angle,field_mT,f_GHz\n0,338,-9\n", ["row 2, column 'f_GHz': '-9'"]),
    "one angle": ("angle,field_mT,f_GHz\n5,338,9\n5,339,9\n", ["rows 2 to 3: all angles", "5°"]),
    "binary": ("\x00\x01", ["sweep.csv: is not a text file"]),
    "two points": (
        "angle,field_mT,f_GHz\n5,338,9\n9,339,9\n",
        ["sample 'sweep': 2 points are fewer than the 3 free parameters"],
    ),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_is_one_line(tmp_path, case):
    content, parts = BAD_TABLES[case]
    path = tmp_path / "sweep.csv"
    path.write_text(content, encoding="utf-8")
    good = table(tmp_path, "good.csv")
    out = tmp_path / "out"
    out.mkdir()
    (out / "fit.json").write_text("of before")
    before = snapshot(tmp_path)
    assert_refused(run("fit", good, path, "--out", out), path, *parts)
    assert snapshot(tmp_path) == before


def test_a_name_of_two_lines_stays_one_line(tmp_path):
    assert_refused(run("fit", tmp_path / "no\nsuch.csv"), "no such.csv: cannot be read")


BAD_OPTIONS = {
    "nothing to fit": (["fit"], ["give one or more files, or --example"]),
    "both": (["fit", "{table}", "--example"], ["give one or more files, or --example"]),
    "zero frequency": (
        ["fit", "{table}", "--frequency-ghz", "0"],
        ["--frequency-ghz 0.0: expected a number above 0"],
    ),
    "g": (["fit", "{table}", "--g", "-2"], ["--g -2.0: expected a number above 0"]),
    "nan": (["fit", "{table}", "--fix-a-mt", "nan"], ["--fix-a-mt nan: expected a finite number"]),
    "two frequencies": (
        ["fit", "{table}", "--frequency-ghz", "9.45"],
        ["row 1, column 'frequency_GHz': the frequency is in the table and was given as well"],
    ),
    "offset and C": (["fit", "{table}", "--free-offset"], ["--free-offset needs --fix-c-mt 0"]),
    "all fixed": (
        ["fit", "{table}", "--fix-a", "1", "--fix-b", "1", "--fix-c", "1"],
        ["sample 'II': no parameter is free"],
    ),
    "folder": (["fit", "{folder}"], [": is a folder; expected a CSV or TSV file"]),
    "absent": (["fit", "{folder}/none.csv"], ["none.csv: cannot be read: No such file"]),
    "curve": (
        ["curve", "--a", "1", "--b", "inf", "--frequency-ghz", "9", "--out", "{folder}/out"],
        ["--b-mt inf: expected a finite number"],
    ),
    "curve frequency": (
        ["curve", "--a", "1", "--b", "1", "--frequency-ghz", "-9", "--out", "{folder}/out"],
        ["--frequency-ghz -9.0: expected a number above 0"],
    ),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_a_bad_option_is_one_line(tmp_path, case):
    arguments, parts = BAD_OPTIONS[case]
    names = {"table": table(tmp_path), "folder": tmp_path}
    before = snapshot(tmp_path)
    assert_refused(run(*[argument.format(**names) for argument in arguments]), *parts)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--plane", "ab"],
        ["fit", "--convention", "mine"],
        ["fit", "--frequency-ghz", "x"],
        ["curve", "--a", "1"],
        ["fit", "--unknown"],
    ],
)
def test_misused_options_exit_with_code_2(arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage" in done.stderr


def test_an_unwritable_folder_is_one_line(tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    before = snapshot(tmp_path)
    assert_refused(run("fit", "--example", "--out", out), f"{out}: cannot be written: ")
    options = ["--a", "1", "--b", "1", "--frequency-ghz", "9"]
    assert_refused(run("curve", *options, "--out", out), f"{out}: cannot be written: ")
    assert snapshot(tmp_path) == before


def test_curve_of_the_published_sample(tmp_path):
    done = run(
        "curve", "--a", "191.5", "--b", "204.6", "--frequency-ghz", "9.45", "--out", tmp_path
    )
    assert done.exit_code == 0, done.output
    assert "Hres 52.95 to 399.57 mT (paper convention, w0 = 337.59 mT)" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        "curve.csv",
        "curve.json",
        "curve.png",
        "curve.pdf",
    }
    with (tmp_path / "curve.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    at = {float(row["angle_deg"]): row for row in rows if row["measured"] == "1"}
    assert len(at) == curve.POINTS
    assert float(at[0.0]["field_mT"]) == pytest.approx(52.952, abs=1e-3)
    assert float(at[90.0]["field_mT"]) == pytest.approx(399.575, abs=1e-3)
    assert float(at[90.0]["lag_deg"]) == pytest.approx(0, abs=1e-6)
    # the torque of eq. 5 at 60°: H sin(lag) = −(b/2) sin 2α_M with b = −B
    row = at[60.0]
    lag, field = np.radians(float(row["lag_deg"])), float(row["field_mT"])
    torque = 0.5 * 204.6 * np.sin(2 * (np.radians(60) - lag))
    assert field * np.sin(lag) == pytest.approx(torque, rel=1e-6)
    settings = json.loads((tmp_path / "curve.json").read_text())["settings"]
    assert settings == {
        "command": "curve",
        "A_mT": 191.5,
        "B_mT": 204.6,
        "C_mT": 0.0,
        "g": 2.0,
        "frequency_GHz": 9.45,
        "plane": "xy",
        "convention": "paper",
    }


def test_the_conventions_mirror_each_other(tmp_path):
    options = ["--frequency-ghz", "9.45", "--c-mt", "3"]
    run("curve", "--a", "-19", "--b", "-20", *options, "--out", tmp_path / "one")
    options = ["--frequency-ghz", "9.45", "--c-mt", "-3", "--convention", "physical"]
    run("curve", "--a", "19", "--b", "20", *options, "--out", tmp_path / "two")
    one, two = ((tmp_path / name / "curve.csv").read_bytes() for name in ("one", "two"))
    assert one == two


def test_no_measured_resonance_is_said(tmp_path):
    options = ["--frequency-ghz", "1", "--out", tmp_path]
    done = run("curve", "--a", "300", "--b", "500", *options)
    assert done.exit_code == 0, done.output
    assert re.search(r"no measured resonance at \d+ of 721 angles", done.stdout)


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


def test_help_imports_no_plotting_library():
    code = "import sys, diffdip.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("entry", "value", "interval"),
    [
        (
            {
                "value": 191.4996,
                "free": True,
                "standard_error": 0.123,
                "interval_68": [191.3, None],
            },
            "191.50 ± 0.12",
            "191.30 to open",
        ),
        (
            {"value": -0.0042, "free": True, "standard_error": 31.0, "interval_68": [-31.0, 31.0]},
            "-0 ± 31",
            "-31 to 31",
        ),
        ({"value": 2.0, "free": False}, "2 (fixed)", ""),
        ({"value": 2.5, "free": True, "standard_error": None}, "2.5 ± ?", ""),
    ],
)
def test_values_are_given_to_two_digits_of_the_error(entry, value, interval):
    assert (value_text(entry), interval_text(entry)) == (value, interval)


def test_names_of_figures_are_safe_and_distinct():
    assert fits._stems(["any/thing"]) == ["fit"]
    stems = fits._stems(["a/b", "a:b", "A/B", "..", "Größe", "x" * 300])
    assert len({stem.casefold() for stem in stems}) == 6
    for stem in stems:
        assert re.fullmatch(r"fit_[\w.-]{1,70}", stem)
    assert "fit_Größe" in stems


def test_errors_of_other_kinds_are_not_hidden():
    """Only what a user can mend becomes one line."""
    assert issubclass(TableError, ValueError)
    assert issubclass(OutputError, OSError)
