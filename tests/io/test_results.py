"""Files of results: strict JSON and plain CSV, complete or not at all."""

import csv
import dataclasses
import io
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import (
    AnisotropyFields,
    Branches,
    FitResult,
    Series,
    resonance_branches,
    resonance_field,
)
from diffdip.io import (
    OutputError,
    curve_files,
    fit_document,
    fit_files,
    residual_warnings,
    results,
    write_files,
)


FREQUENCY = 9.45e9


@pytest.fixture
def result():
    """A fit by hand: A and B free, the rest fixed, residuals of ±1 mT."""
    angle = np.radians(np.arange(0.0, 180.0, 30.0))
    with jax.enable_x64(True):
        energy = AnisotropyFields(0.1226, 0.0241, 0.0)
        predicted = np.asarray(resonance_field(energy, angle - 0.1, FREQUENCY))
    residuals = 1e-3 * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    covariance = np.array([[4e-6, 1e-6], [1e-6, 9e-6]])
    return FitResult(
        names=("B", "A"),
        values={"g": 2.0, "offset": 0.1, "B": 0.0241, "A": 0.1226, "C": 0.0},
        standard_errors={"B": 2e-3, "A": 3e-3},
        covariance=covariance,
        correlation=np.array([[1.0, 1 / 6], [1 / 6, 1.0]]),
        intervals={
            "B": {"68": (0.022, 0.026), "95": (np.nan, 0.028)},
            "A": {"68": (0.119, 0.125), "95": (0.115, np.inf)},
        },
        chi2=6.0,
        reduced_chi2=None,
        rms=1e-3,
        dof=4,
        n_points=6,
        residuals=residuals,
        predicted=predicted,
        converged=True,
        flags=("A is doubtful",),
        convention="paper",
        loss="linear",
        series=(Series(angle, predicted + residuals, None, frequency=FREQUENCY),),
        energy=energy,
    )


def strict(data):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(data, parse_constant=refuse)


def rows(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_a_document_has_the_units_in_its_names(result):
    document = fit_document(result, "II", "sweep.csv", ["row 7 is odd"])
    assert strict(json.dumps(document, allow_nan=False)) == document
    parameters = document["parameters"]
    assert list(parameters) == ["B_mT", "A_mT", "C_mT", "g", "offset_deg"]
    assert parameters["A_mT"]["value"] == pytest.approx(122.6)
    assert parameters["A_mT"]["standard_error"] == pytest.approx(3.0)
    assert parameters["A_mT"]["interval_68"] == pytest.approx([119.0, 125.0])
    assert parameters["A_mT"]["interval_95"] == [pytest.approx(115.0), None]
    assert parameters["B_mT"]["interval_95"] == [None, pytest.approx(28.0)]
    assert parameters["offset_deg"] == {"value": pytest.approx(np.degrees(0.1)), "free": False}
    assert parameters["g"] == {"value": 2.0, "free": False}
    assert document["order"] == ["B_mT", "A_mT"]
    np.testing.assert_allclose(document["covariance"], [[4.0, 1.0], [1.0, 9.0]])
    np.testing.assert_allclose(np.sqrt(np.diag(document["covariance"])), [2.0, 3.0])
    assert document["rms_mT"] == pytest.approx(1.0)
    assert document["reduced_chi2"] is None
    assert document["converged"] is True
    assert document["frequency_GHz"] == pytest.approx({"mean": 9.45, "min": 9.45, "max": 9.45})
    assert document["warnings"] == ["row 7 is odd"]
    assert (document["sample"], document["input"]) == ("II", "sweep.csv")


def test_units_of_further_parameters():
    assert results.as_shown("Cxz") == ("Cxz_mT", 1e3)
    assert results.as_shown("offset_2") == ("offset_2_deg", pytest.approx(180 / np.pi))
    assert results.as_shown("tilt") == ("tilt", 1.0)


def test_tables_of_a_fit(result):
    document = fit_document(result, "II, dried", "sweep.csv")
    files = fit_files([(result, document)], {"command": "fit"})
    assert sorted(files) == ["curve.csv", "fit.json", "points.csv"]
    stored = strict(files["fit.json"])
    assert stored["fits"] == [document]
    assert stored["settings"] == {"command": "fit"}
    assert stored["diffdip"]

    points = rows(files["points.csv"])
    assert [row["sample"] for row in points] == ["II, dried"] * 6
    number = lambda name: np.array([float(row[name]) for row in points])
    np.testing.assert_allclose(number("angle_deg"), np.arange(0, 180, 30), atol=1e-9)
    np.testing.assert_allclose(number("field_mT") - number("predicted_mT"), number("residual_mT"))
    np.testing.assert_allclose(number("residual_mT"), [1, -1] * 3, rtol=1e-9)
    np.testing.assert_allclose(number("frequency_GHz"), 9.45)
    assert {row["sigma_mT"] for row in points} == {""}

    curve = rows(files["curve.csv"])
    assert len(curve) == 361
    at_30 = next(row for row in curve if row["angle_deg"] == "30")
    # the model at 30° less the offset, straight from the solver
    expected = 1e3 * float(resonance_field(result.energy, np.radians(30) - 0.1, FREQUENCY))
    assert float(at_30["field_mT"]) == pytest.approx(expected, rel=1e-9)


def test_pandas_would_read_numbers(result):
    """Every cell below a header with a unit is a number or empty."""
    broken = dataclasses.replace(result, residuals=np.full(6, np.nan))
    files = fit_files([(broken, fit_document(broken, "II"))])
    for name in ("points.csv", "curve.csv"):
        for row in rows(files[name]):
            for key, cell in row.items():
                if key != "sample" and cell:
                    float(cell)
    assert {row["residual_mT"] for row in rows(files["points.csv"])} == {""}


def test_several_series_keep_their_names(result):
    second = Series(np.array([0.0]), np.array([0.25]), np.array([1e-3]), frequency=9e9, name="xz")
    both = dataclasses.replace(
        result,
        series=(*result.series, second),
        predicted=np.append(result.predicted, 0.26),
        residuals=np.append(result.residuals, -0.01),
    )
    points = rows(fit_files([(both, fit_document(both, "II"))])["points.csv"])
    assert [row["sample"] for row in points] == ["1"] * 6 + ["xz"]
    assert points[-1] == {
        "sample": "xz",
        "angle_deg": "0",
        "field_mT": "250",
        "predicted_mT": "260",
        "residual_mT": "-10",
        "sigma_mT": "1",
        "frequency_GHz": "9",
    }


def test_the_grid_covers_the_data():
    assert results.curve_grid(np.radians([10.0, 170.0]))[[0, 1, -1]].tolist() == [0.0, 0.5, 180.0]
    assert results.curve_grid(np.radians([-0.01, 180.0]))[[0, -1]].tolist() == [0.0, 180.0]
    assert results.curve_grid(np.radians([-30.0, 345.0]))[[0, -1]].tolist() == [-90.0, 360.0]


def test_curves_in_blocks_are_the_curve(result):
    angle = np.linspace(0, 4, 700)
    fields = results.model_fields(result, angle)
    assert fields.shape == angle.shape
    block = results.BLOCK
    np.testing.assert_array_equal(fields[:block], result.curve(angle[:block]))
    np.testing.assert_allclose(fields[-block:], result.curve(angle[-block:]), rtol=1e-12)


def test_rows_of_all_branches():
    angle = np.array([0.0, np.radians(89.0), np.radians(90.0)])
    branches = resonance_branches(AnisotropyFields(0.3, 0.5), angle, FREQUENCY)
    files = curve_files(angle, branches, "xy", {"A_mT": 300.0, "seen": np.float64("nan")})
    table = rows(files["curve.csv"])
    by_angle = {
        value: [row for row in table if row["angle_deg"] == value] for value in ("0", "89", "90")
    }
    assert [len(found) for found in by_angle.values()] == [1, 3, 3]
    [only] = by_angle["0"]  # M against H: metastable, nothing is measured
    assert (only["stable"], only["measured"]) == ("0", "0")
    assert abs(float(only["lag_deg"])) == pytest.approx(180)
    first = by_angle["89"][0]
    assert (first["stable"], first["measured"]) == ("1", "1")
    assert float(first["field_mT"]) == pytest.approx(1e3 * float(branches.field[1, 0]))
    for i, found in enumerate(by_angle.values()):
        assert [int(row["stable"]) for row in found] == branches.stable[i, : len(found)].tolist()
    assert [row["stable"] + row["measured"] for row in by_angle["90"]][:2] == ["11", "10"]
    assert float(first["elevation_deg"]) == pytest.approx(0, abs=1e-6)
    assert strict(files["curve.json"])["settings"] == {"A_mT": 300.0, "seen": None}


def test_an_angle_without_resonance_has_an_empty_row():
    angle = np.array([0.0])
    empty = Branches(
        field=jnp.full((1, 6), jnp.nan),
        direction=jnp.full((1, 6, 3), jnp.nan),
        stable=jnp.zeros((1, 6), bool),
    )
    [row] = rows(curve_files(angle, empty, "xy", {})["curve.csv"])
    assert (row["angle_deg"], row["field_mT"], row["measured"]) == ("0", "", "0")


@pytest.mark.parametrize(
    ("plane", "direction"),
    [("xy", [0.0, 0.6, 0.8]), ("xz", [0.0, 0.8, 0.6]), ("yz", [0.8, 0.0, 0.6])],
)
def test_lag_and_elevation_in_each_plane(plane, direction):
    angle = np.radians([60.0])
    lag, elevation = results.magnetization_angles(angle, np.array([[direction]]), plane)
    np.testing.assert_allclose(np.degrees(lag), [[-30.0]])
    np.testing.assert_allclose(np.degrees(elevation), np.degrees(np.arcsin(0.8)))


def test_outliers_are_pointed_out(result):
    assert residual_warnings(result) == []
    residuals = np.array([1.0, -1.2, 0.8, -1.0, 30.0, 0.9]) * 1e-3
    [warning] = residual_warnings(dataclasses.replace(result, residuals=residuals))
    # by hand: median 0.85, MAD 1.0, 29.15/(1.4826 · 1.0) = 19.7
    assert warning == "outlier at 120°: +30 mT from the fit, 20 robust standard deviations"


def test_outliers_are_measured_in_their_errors(result):
    [series] = result.series
    sigma = np.array([1.0, 1.0, 1.0, 1.0, 100.0, 1.0]) * 1e-3
    series = Series(series.angle, series.field, sigma, frequency=FREQUENCY)
    residuals = np.array([1.0, -1.2, 0.8, -1.0, 30.0, 0.9]) * 1e-3
    wide = dataclasses.replace(result, residuals=residuals, series=(series,))
    assert residual_warnings(wide) == []


def test_few_or_perfect_residuals_have_no_outliers(result):
    missing = np.array([1.0, 1.1, 0.9, 1.0, 30.0, np.nan]) * 1e-3
    assert residual_warnings(dataclasses.replace(result, residuals=missing)) == []
    perfect = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    assert residual_warnings(dataclasses.replace(result, residuals=perfect)) == []


def test_files_are_written_and_replaced(tmp_path):
    folder = tmp_path / "new" / "results"
    written = write_files(folder, {"a.txt": b"one", "b.txt": b"two"})
    assert written == [folder / "a.txt", folder / "b.txt"]
    write_files(folder, {"a.txt": b"three"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.txt": b"three",
        "b.txt": b"two",
    }


def snapshot(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("mine")
    before = snapshot(tmp_path)
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(OutputError) as caught:
            write_files(folder, {"a.txt": b"one"})
        assert str(caught.value).startswith(str(tmp_path / "out"))
        assert "cannot be written" in str(caught.value)
        assert snapshot(tmp_path) == before


def test_a_folder_where_a_file_should_be(tmp_path):
    (tmp_path / "b.txt").mkdir()
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=r"b\.txt: cannot be written: is a folder"):
        write_files(tmp_path, {"a.txt": b"one", "b.txt": b"two"})
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("fails", ["write", "replace"])
def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch, fails):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    if fails == "write":
        write = Path.write_bytes
        monkeypatch.setattr(
            Path, "write_bytes", lambda p, d: write(p, d) if "a.txt" in p.name else full()
        )
    else:
        monkeypatch.setattr(os, "replace", full)
    folder = tmp_path / "new" / "results"
    with pytest.raises(OutputError, match=r"results: cannot be written: No space left on device"):
        write_files(folder, {"a.txt": b"one", "b.txt": b"two"})
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_name(tmp_path):
    with pytest.raises(OutputError, match=r"cannot be written: .*embedded null"):
        write_files(tmp_path / "a\0b", {"a.txt": b"one"})
