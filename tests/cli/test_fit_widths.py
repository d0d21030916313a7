"""`diffdip fit --width`: line widths in tables, after the fit of the positions."""

import json

import numpy as np
import pytest

from diffdip import larmor_field
from diffdip.io import read_table
from tests.helpers.command_line import assert_refused, run


GHZ = np.array([4.0, 7.0, 10.0, 14.0, 19.0, 25.0])
ALPHA, INHOMOGENEOUS_MT = 0.008, 1.5
G, M = 2.1, 0.9


def table(path, column="fwhm_mT", ratio=1.0, sigma=True):
    """Positions and widths in the plane of a film, in closed form; one width is missing."""
    rng = np.random.default_rng(3)
    w0 = np.asarray(larmor_field(GHZ * 1e9, G), float)
    field = 1e3 * (np.sqrt(M * M / 4 + w0**2) - M / 2)  # Kittel: H (H + M) = w0²
    width = 1e3 * 2 * ALPHA * w0 + INHOMOGENEOUS_MT + rng.normal(0, 0.02, len(GHZ))
    cells = [f"{w / ratio:.5f}" for w in width]
    cells[2] = ""
    error = f",{column.replace('_mT', '_sigma_mT')}" if sigma else ""
    rows = [f"angle_deg,field_mT,sigma_mT,frequency_GHz,{column}{error}"]
    for f, h, cell in zip(GHZ, field, cells, strict=True):
        rows.append(f"0,{h:.6f},0.1,{f},{cell}" + (f",{0.02 / ratio:.6f}" if sigma else ""))
    path.write_text("\n".join(rows))
    known = np.arange(len(GHZ)) != 2
    return 2 * w0[known] * 1e3, width[known]


@pytest.mark.slow
def test_widths_of_a_frequency_series(tmp_path):
    """A straight line by numpy; also from widths between the extrema of the derivative."""
    for kind, column, ratio in (
        ("fwhm", "fwhm_mT", 1.0),
        ("pp-gaussian", "width_pp_mT", np.sqrt(2 * np.log(2))),
    ):
        double, width = table(tmp_path / "vna.csv", column, ratio)
        line, covariance = np.polyfit(double, width, 1, cov="unscaled")
        out = tmp_path / kind
        options = ("--term", "thin-film", "--g", G, "--width", kind, "--out", out)
        done = run("fit", tmp_path / "vna.csv", *options)
        assert (done.exit_code, done.stderr) == (0, "")
        found = json.loads((out / "fit.json").read_text())["fits"][0]["line_widths"]
        for part, value, variance in zip(
            ("damping", "inhomogeneous_mT"), line, np.diagonal(covariance), strict=True
        ):
            entry = found["parts"][part]
            assert entry["value"] == pytest.approx(value, rel=1e-3)
            assert entry["standard_error"] == pytest.approx(0.02 * np.sqrt(variance), rel=1e-3)
        assert (found["n_points"], found["flags"]) == (5, [])
        assert "inhomogeneous (mT)" in done.stdout
        rows = (out / "widths.csv").read_text().splitlines()
        assert len(rows) == 1 + len(GHZ)
        assert rows[3].split(",")[3] == ""
        assert {f"fit_widths.{end}" for end in ("png", "pdf")} <= {p.name for p in out.iterdir()}


@pytest.mark.slow
def test_what_cannot_be_a_fit_of_widths_is_refused(tmp_path):
    path = tmp_path / "vna.csv"
    table(path)
    term = ("fit", path, "--term", "thin-film", "--g", G)
    done = run(*term, "--width", "pp-lorentzian")
    assert_refused(done, "vna.csv", "fwhm", "--width", "pp-lorentzian")
    assert_refused(run(*term, "--width-part", "damping"), "--width-part", "--width")
    assert_refused(run(*term, "--width", "fwhm", "--width-part", "nothing"), "nothing", "Meff")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].rpartition(",")[0] + ","]))
    assert_refused(run(*term, "--width", "fwhm"), "vna.csv", "1 of 5 widths", "standard error")
    path.write_text("angle_deg,field_mT,frequency_GHz\n0,60,9\n0,70,10\n0,80,11\n")
    assert_refused(run(*term, "--width", "fwhm"), "vna.csv", "no column of line widths")


def test_columns_of_widths(tmp_path):
    path = tmp_path / "vna.csv"
    table(path, "linewidth (G)".replace(" ", "_"), 0.1, sigma=False)
    [sample] = read_table(path)
    assert sample.width_kind is None
    assert np.isnan(sample.width[2])
    assert sample.width[0] == pytest.approx(3.6e-3, rel=0.1)
    assert sample.width_sigma is None
    # a width without a unit, and a second one, are left alone
    path.write_text(
        "angle_deg,field_mT,frequency_GHz,FWHM (G),dHpp_mT,width\n0,60,9,20,1,x\n9,70,9,,1,\n"
    )
    [sample] = read_table(path)
    np.testing.assert_allclose(sample.width, [2e-3, np.nan])
    assert sample.width_kind == "fwhm"
    assert [flag.message for flag in sample.warnings if flag.code == "unused-column"] == [
        "Column 'dHpp_mT' is not used.",
        "Column 'width' is not used.",
    ]
    # errors of another width are not its errors; what has no width has none
    path.write_text(
        "angle_deg,field_mT,frequency_GHz,fwhm_mT,width_pp_sigma_mT\n0,60,9,nan,1\n9,70,9,0,1\n"
    )
    [sample] = read_table(path)
    assert np.isnan(sample.width).all()
    assert sample.width_sigma is None
    path.write_text("angle_deg,field_mT,frequency_GHz,fwhm_mT\n0,60,9,2\n9,70,9,-1\n")
    assert_refused(run("fit", path), "vna.csv", "row 3", "fwhm_mT", "above 0")
