"""`diffdip curve`: the branches of Hres(angle) in files, and one line for a mistake."""

import csv
import json
import re

import numpy as np
import pytest

from diffdip.report import curve
from tests.helpers.command_line import assert_refused, run, snapshot


@pytest.mark.slow
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
        "terms": ["tensor"],
        "A_mT": 191.5,
        "B_mT": 204.6,
        "C_mT": 0.0,
        "g": 2.0,
        "frequency_GHz": 9.45,
        "plane": "xy",
        "convention": "paper",
    }


@pytest.mark.slow
def test_the_conventions_mirror_each_other(tmp_path):
    options = ["--frequency-ghz", "9.45", "--c-mt", "3"]
    run("curve", "--a", "-19", "--b", "-20", *options, "--out", tmp_path / "one")
    options = ["--frequency-ghz", "9.45", "--c-mt", "-3", "--convention", "physical"]
    run("curve", "--a", "19", "--b", "20", *options, "--out", tmp_path / "two")
    one, two = ((tmp_path / name / "curve.csv").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.slow
def test_angles_without_a_resonance_are_counted(tmp_path):
    options = ["--frequency-ghz", "1", "--out", tmp_path]
    done = run("curve", "--a", "300", "--b", "500", *options)
    assert done.exit_code == 0, done.output
    assert re.search(r"\d+ of 721 angles", done.stdout)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--a", "1", "--b", "inf", "--frequency-ghz", "9"), "--b-mt = inf"),
        (("--a", "1", "--b", "1", "--frequency-ghz", "-9"), "--frequency-ghz = -9"),
    ],
)
def test_a_bad_option_is_one_line(tmp_path, options, part):
    assert_refused(run("curve", *options, "--out", tmp_path / "out"), part)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_one_line(tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    before = snapshot(tmp_path)
    options = ["--a", "1", "--b", "1", "--frequency-ghz", "9"]
    assert_refused(run("curve", *options, "--out", out), "--out", out)
    assert snapshot(tmp_path) == before
