"""`diffdip convert` and `diffdip positions`: what a user sees, and one line for a mistake."""

import json

import numpy as np
import pytest

from diffdip.io import read_spectra, read_table
from tests.helpers import spectra_files as files
from tests.helpers.command_line import refused, run
from tests.helpers.raw_data import GONIOMETER, needs_goniometer


@pytest.mark.parametrize("ending", [".nc", ".csv"])
@pytest.mark.parametrize("kind", ["magnettech", "bes3t", "matrix"])
def test_convert(tmp_path, kind, ending):
    source, target = files.KINDS[kind](tmp_path), tmp_path / "new" / f"copy{ending}"
    done = run("convert", source, target)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "3 angles from 0 to 60°, 243 points" in done.stdout
    assert f"wrote {target}" in done.stdout
    assert read_spectra(target).identical(read_spectra(source))


@pytest.mark.slow
def test_positions_are_what_fit_reads(tmp_path):
    table = tmp_path / "results" / "t.csv"
    done = run("positions", files.magnettech(tmp_path), "--out", table)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "zero-crossing: 337.500 to 339.000 mT" in done.stdout
    [sample] = read_table(table)
    np.testing.assert_allclose(1e3 * sample.field, [339, 338.5, 337.5], atol=1e-4)
    settings = json.loads(table.read_text().splitlines()[0].removeprefix("#"))
    assert settings["definition"] == "zero-crossing"
    assert settings["diffdip"]
    done = run("fit", table, "--out", tmp_path / "fit")
    assert done.exit_code == 0, done.output
    [found] = json.loads((tmp_path / "fit" / "fit.json").read_text())["fits"]
    assert found["parameters"]["B_mT"]["value"] == pytest.approx(-4 / 3, rel=0.01)
    [comment] = found["comments"]  # what a position is goes with what follows from it
    assert json.loads(comment)["definition"] == "zero-crossing"


def test_options_reach_the_positions(tmp_path):
    table = tmp_path / "t.csv"
    options = "--definition gaussian --near 330.4 --baseline 1 --phase-deg 0 --smoothing 5"
    done = run("positions", files.several_lines(tmp_path), "--out", table, *options.split())
    assert done.exit_code == 0, done.output
    [sample] = read_table(table)
    np.testing.assert_allclose(1e3 * sample.field, 330, atol=1e-3)
    settings = json.loads(table.read_text().splitlines()[0].removeprefix("#"))
    del settings["diffdip"]
    assert settings == {
        "definition": "gaussian",
        "near_mT": 330.4,
        "baseline": 1,
        "phase_deg": 0.0,
        "smoothing": 5,
        "width": "full width at half maximum",
    }
    assert run("positions", tmp_path / "two.csv", "--out", table, "--strongest").exit_code == 0
    np.testing.assert_allclose(1e3 * read_table(table)[0].field, 340, atol=1e-3)


def test_the_order_of_the_baseline_is_chosen_and_said(tmp_path):
    path = tmp_path / "slope.csv"
    noise = np.random.default_rng(0).normal(scale=0.005, size=(3, 300))
    field = np.linspace(320, 350, 300).round(6)
    rows = [
        f"{angle},9.45,{x},{-(x - 337) * np.exp(-((x - 337) ** 2)) + 0.4 * x + n}"
        for angle, of_angle in zip((0, 45, 90), noise, strict=True)
        for x, n in zip(field, of_angle, strict=True)
    ]
    path.write_text("angle,frequency_GHz,field_mT,signal\n" + "\n".join(rows) + "\n")
    table = tmp_path / "t.csv"
    line = refused("positions", path, "--out", table)
    assert "use --baseline 1" in line
    done = run("positions", path, "--out", table, "--baseline", "auto")
    assert done.exit_code == 0, done.output
    assert "baseline of order 1 chosen" in done.stdout
    settings = json.loads(table.read_text().splitlines()[0].removeprefix("#"))
    assert (settings["baseline"], settings["baseline_order"]) == (1, "auto")
    np.testing.assert_allclose(1e3 * read_table(table)[0].field, 337, atol=0.01)
    for wrong in ("6", "linear"):
        assert "--baseline" in refused("positions", path, "--out", table, "--baseline", wrong)


def test_one_of_several_lines_has_to_be_chosen(tmp_path):
    line = refused("positions", files.several_lines(tmp_path), "--out", tmp_path / "t.csv")
    for part in (tmp_path / "two.csv", "0°", "330.0", "340.0", "--strongest", "--near"):
        assert str(part) in line
    assert [path.name for path in tmp_path.iterdir()] == ["two.csv"]


def test_a_damaged_file_is_named_or_left_out(tmp_path):
    folder = tmp_path / "sweeps"
    folder.mkdir()
    files.magnettech(folder)
    damaged = folder / "sweep_30.xml"
    damaged.write_bytes(damaged.read_bytes()[:900])
    for command in (
        ("convert", folder, tmp_path / "a.nc"),
        ("positions", folder, "--out", "a.csv"),
    ):
        said = refused(*command)
        assert str(folder) in said
        assert damaged.name in said
    assert not (tmp_path / "a.nc").exists()
    done = run("convert", folder, tmp_path / "a.nc", "--skip-damaged")
    assert done.exit_code == 0
    assert done.stderr.startswith("diffdip: left out sweep_30.xml: ")
    assert "2 angles from 0 to 60°" in done.stdout
    done = run("positions", folder, "--out", tmp_path / "a.csv", "--skip-damaged")
    assert done.exit_code == 0
    assert len(read_table(tmp_path / "a.csv")[0].field) == 2


def test_mistakes_are_one_line_and_leave_what_was_there(tmp_path):
    source, before = files.matrix(tmp_path), tmp_path / "t.csv"
    before.write_text("of before")
    out = ("--out", before)
    assert "none.xml" in refused("positions", tmp_path / "none.xml", *out)
    for options, parts in (
        (("--smoothing", 4), ["--smoothing = 4"]),
        (("--near", 338, "--strongest"), ["--near", "--strongest"]),
        (("--phase-deg", "nan"), ["--phase-deg", "nan"]),
        (("--near", "nan"), ["--near", "nan"]),
        (("--definition", "peak"), ["--definition", "peak"]),
    ):
        line = refused("positions", source, *out, *options)
        assert all(part in line for part in (str(source), *parts))
    assert before.read_text() == "of before"
    assert "a.xlsx" in refused("convert", source, tmp_path / "a.xlsx")
    (tmp_path / "d.csv").mkdir()
    assert "d.csv" in refused("positions", source, "--out", tmp_path / "d.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.csv", "matrix.tsv", "t.csv"]


@pytest.mark.slow
@needs_goniometer
def test_from_sweeps_to_anisotropy(tmp_path):
    table, out = tmp_path / "t.csv", tmp_path / "fit"
    assert run("positions", GONIOMETER, "--out", table).exit_code == 0
    assert run("fit", table, "--out", out).exit_code == 0
    assert run("fit", "--example", "--out", tmp_path / "example").exit_code == 0
    found, example = (
        json.loads((folder / "fit.json").read_text())["fits"][0]["parameters"]
        for folder in (out, tmp_path / "example")
    )
    for name in ("A_mT", "B_mT", "C_mT"):
        assert found[name]["value"] == pytest.approx(example[name]["value"], abs=1e-3)


def test_one_spectrum_is_welcome(tmp_path):
    path = tmp_path / "film.csv"
    x = np.linspace(330, 346, 161)
    rows = "\n".join(f"{b:.1f},{-(b - 338) * np.exp(-((b - 338) ** 2)):.6f}" for b in x)
    path.write_text(f"field_mT,signal\n{rows}\n")
    done = run("convert", path, tmp_path / "copy.nc")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "1 spectrum without an angle" in done.stdout
    done = run("positions", path, "--out", tmp_path / "t.csv")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "t.csv").read_text().splitlines()[-1].startswith(",338")
    done = run("positions", path, "--out", tmp_path / "t.csv", "--angle-deg", "-30")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "t.csv").read_text().splitlines()[-1].startswith("-30,338")
    assert "--angles" in refused(
        "convert", path, tmp_path / "c.nc", "--angle-deg", "1", "--angles", "1"
    )


@pytest.mark.parametrize(
    ("header", "ghz"), [("field_mT", "0.00945"), ("field_G", "9.45"), ("field_mT", "94.5")]
)
def test_positions_say_that_g_is_impossible(tmp_path, header, ghz):
    x = np.linspace(330, 346, 161)
    rows = "\n".join(f"{b:.1f},{-(b - 338) * np.exp(-((b - 338) ** 2)):.6f}" for b in x)
    path = tmp_path / "film_0deg.csv"
    path.write_text(f"# frequency = {ghz} GHz\n{header},signal\n{rows}\n")
    done = run("positions", path, "--out", tmp_path / "t.csv")
    assert done.exit_code == 0, done.output
    assert "g = " in done.output


def test_names_and_angles_as_the_user_says(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for i, angle in enumerate(files.ANGLES):
        rows = "\n".join(f"{b},{s}" for b, s in zip(files.FIELD, files.signal(angle), strict=True))
        (source / f"s{i}_{angle:g}p5deg.csv").write_text(f"field_mT,signal\n{rows}\n")
    said = refused("convert", source, tmp_path / "a.nc")
    assert "--angle-from" in said
    assert "--angles" in said
    done = run("convert", source, tmp_path / "a.nc", "--angle-from", r"_(\d+p\d)deg")
    assert done.exit_code == 0, done.output
    assert "3 angles from 0.5 to 60.5°" in done.stdout
    assert "'0p5' in s0_0p5deg.csv" in done.stdout
    done = run("convert", source, tmp_path / "b.nc", "--angles", "0:60:30")
    assert done.exit_code == 0, done.output
    assert read_spectra(tmp_path / "b.nc")["angle"].values.tolist() == [0, 30, 60]
    assert "angles as given, from 's0_0p5deg.csv'" in done.stderr
    assert "--angles" in refused("convert", source, tmp_path / "c.nc", "--angles", "0:60")


def test_info(tmp_path):
    folder = files.magnettech(tmp_path)
    done = run("info", *sorted(folder.iterdir()), folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("Magnettech XML") == 4
    assert "30°, from GonAngle" in done.stdout
    assert "330 to 346 mT, in the file BField [mT]" in done.stdout
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("time_s,signal\n1,2\n")
    done = run("info", wrong, folder)
    assert done.exit_code == 2
    assert "cannot be read" in done.stdout
    assert "0 to 60°" in done.stdout
