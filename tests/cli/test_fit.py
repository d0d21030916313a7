"""`diffdip fit`: what a user sees, and that mistakes cost one line, code 2 and no file."""

import csv
import json
import re

import numpy as np
import pytest

import diffdip
from diffdip.cli import fits
from diffdip.foundation import units
from diffdip.report import series_fits
from diffdip.report.parameter_text import interval_text, value_text
from tests.helpers.command_line import assert_refused, document, run, snapshot


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


@pytest.mark.slow
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


def test_a_note_says_what_correlated_noise_would_do(tmp_path):
    """A doubt is told in every mode; a note stands in the text and in the document."""
    path = tmp_path / "drift.csv"
    rng, noise = np.random.default_rng(3), 0.0
    lines = ["angle_deg,field_mT,frequency_GHz"]
    for angle in ANGLES:
        noise = 0.7 * noise + 0.1 * rng.normal()
        lines.append(f"{angle},{second_sample(angle) + noise:.6f},9.45")
    path.write_text("\n".join(lines) + "\n")
    told = run("fit", path)
    assert told.exit_code == 0, told.output
    [line] = [line for line in told.stdout.splitlines() if "neighbouring points" in line]
    [found] = document("fit", path)["fits"]
    stated = found["correlated_noise"]
    assert line == f"drift: {stated['note']}"
    assert list(stated["error_factors"]) == ["A_mT", "B_mT", "C_mT"]
    factor = float(re.search(r"error of A may then be ([\d.]+) times", line)[1])
    assert factor == pytest.approx(stated["error_factors"]["A_mT"], rel=0.05)
    assert f"{stated['correlation']:.2f} (95 % confidence)" in line
    quiet = run("fit", path, "--quiet")
    assert "neighbouring points" not in quiet.output


@pytest.mark.slow
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

    def record(series, **options):
        seen.update(options, series=series)
        raise Seen

    monkeypatch.setattr(series_fits, "fit_joint", record)
    path = table(tmp_path, frequency=False)
    arguments = (
        "--frequency-ghz 9.6 --g 2.1 --free-g --free-offset --fix-c 5 --fix-b-mt 7 --plane xz"
    )
    arguments += " --loss soft_l1 --convention physical"
    assert isinstance(run("fit", path, *arguments.split()).exception, Seen)
    assert seen["g"] == diffdip.Free(start=2.1)
    assert seen["offset"] == diffdip.Free()
    assert seen["parameters"] == {"B": 7e-3, "C": 5e-3}
    assert (seen["model"], seen["loss"]) == (diffdip.InPlaneModel("physical"), "soft_l1")
    [series] = seen["series"]
    assert series.plane == "xz"
    np.testing.assert_allclose(series.frequency, 9.6e9)
    assert isinstance(run("fit", path, "--frequency-ghz", "9.6").exception, Seen)
    assert seen["parameters"] == {}
    assert (seen["g"], seen["offset"], seen["series"][0].plane) == (2.0, 0.0, "xy")
    assert (seen["loss"], seen["model"]) == ("linear", diffdip.InPlaneModel("paper"))


@pytest.mark.slow
def test_a_fixed_parameter_is_marked(tmp_path):
    done = run("fit", table(tmp_path), "--fix-c-mt", "0")
    assert done.exit_code == 0, done.output
    [line] = [line for line in done.stdout.splitlines() if "C (mT)" in line]
    assert "0 (fixed)" in line
    assert "wrote" not in done.stdout
    assert snapshot(tmp_path).keys() == {tmp_path / "sweep.csv"}


BAD_TABLES = {
    "empty": ("", []),
    "text": ("angle,field_mT,f_GHz\n0,3\u21928,9\n", ["row 2", "field_mT", "3\u21928"]),
    "nan": ("angle,field_mT,f_GHz\n0,nan,9\n", ["row 2", "field_mT", "nan"]),
    "no unit": ("angle,field,f_GHz\n0,338,9\n", ["row 1", "'field'"]),
    "no column": ("angle,f_GHz\n0,9\n", ["row 1", "field"]),
    "no frequency": ("angle,field_mT\n0,338\n9,338\n", ["--frequency-ghz"]),
    "ragged": ("angle,field_mT,f_GHz\n0,338\n", ["row 2"]),
    "negative": ("angle,field_mT,f_GHz\n0,338,-9\n", ["row 2", "f_GHz", "-9"]),
    "one row": ("angle,field_mT,f_GHz\n5,338,9\n", ["row 2: ", "5°"]),
    "one angle": ("angle,field_mT,f_GHz\n5,338,9\n5,339,9\n", ["rows 2 to 3", "5°"]),
    "binary": ("\x00\x01", []),
    "two points": (
        "angle,field_mT,f_GHz\n5,338,9\n9,339,9\n",
        ["sample 'sweep'", "points = 2"],
    ),
}
"""Content of a table, and what the message names besides the file."""


@pytest.mark.slow
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
    assert_refused(run("fit", tmp_path / "no\nsuch.csv"), "such.csv")


BAD_OPTIONS = {
    "nothing to fit": (["fit"], ["FILE", "--example"]),
    "both": (["fit", "{table}", "--example"], ["FILE", "--example"]),
    "zero frequency": (["fit", "{table}", "--frequency-ghz", "0"], ["--frequency-ghz = 0"]),
    "g": (["fit", "{table}", "--g", "-2"], ["--g = -2"]),
    "nan": (["fit", "{table}", "--fix-a-mt", "nan"], ["--fix-a-mt = nan"]),
    "two frequencies": (
        ["fit", "{table}", "--frequency-ghz", "9.45"],
        ["sweep.csv", "row 1", "frequency_GHz"],
    ),
    "offset and C": (["fit", "{table}", "--free-offset"], ["--free-offset", "--fix-c-mt"]),
    "all fixed": (
        ["fit", "{table}", "--fix-a", "1", "--fix-b", "1", "--fix-c", "1"],
        ["sweep.csv", "sample 'II'"],
    ),
    "folder": (["fit", "{folder}"], ["{folder}"]),
    "absent": (["fit", "{folder}/none.csv"], ["none.csv"]),
}
"""Arguments, and what the message names."""


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_a_bad_option_is_one_line(tmp_path, case):
    arguments, parts = BAD_OPTIONS[case]
    names = {"table": table(tmp_path), "folder": tmp_path}
    before = snapshot(tmp_path)
    done = run(*[argument.format(**names) for argument in arguments])
    assert_refused(done, *[part.format(**names) for part in parts])
    assert snapshot(tmp_path) == before


def test_an_unwritable_folder_is_one_line(tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    before = snapshot(tmp_path)
    assert_refused(run("fit", "--example", "--out", out), "--out", out)
    assert snapshot(tmp_path) == before


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
    assert fits.figure_stems(["any/thing"]) == ["fit"]
    stems = fits.figure_stems(["a/b", "a:b", "A/B", "..", "Größe", "x" * 300])
    assert len({stem.casefold() for stem in stems}) == 6
    for stem in stems:
        assert re.fullmatch(r"fit_[\w.-]{1,70}", stem)
    assert "fit_Größe" in stems
