"""Fits as files: strict JSON and plain CSV in the units of their names."""

import dataclasses
import json

import numpy as np
import pytest

import diffdip as dd
from diffdip import Series, resonance_field
from diffdip.fitting.problem import FitProblem
from diffdip.foundation.flags import Flag
from diffdip.io import fit_document, fit_files
from diffdip.io.fit_results import curve_grid
from diffdip.io.model_files import Tie
from diffdip.report.parameter_text import value_text
from tests.helpers.fits import FREQUENCY, fit_by_hand
from tests.helpers.result_files import rows, strict


@pytest.fixture(scope="module")
def result():
    return fit_by_hand()


def test_a_document_has_the_units_in_its_names(result):
    document = fit_document(result, "II", "sweep.csv", [Flag("unused-column", "Column 7.")])
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
    assert document["warnings"] == [{"code": "unused-column", "message": "Column 7."}]
    assert [flag["code"] for flag in document["flags"]] == ["degenerate"]
    assert (document["sample"], document["input"]) == ("II", "sweep.csv")


def test_bounds_starts_and_ties_are_stated(result):
    model = dd.TermsModel(("thin-film", "cubic", "uniaxial"))
    parameters = {
        "Meff": dd.Free(0.0, start=1.2),
        "Hu": Tie("H1", 0.5, 1e-3),
        "phi_u": lambda values: values["H1"] * 0 + 0.1,
    }
    problem = FitProblem.of(
        result.series,
        g=dd.Free(2.0, 2.2),
        offset=0.0,
        parameters=parameters,
        model=model,
        loss="linear",
        convention=None,
    )
    values = {"Meff": 1.0, "H1": 0.05, "Hu": 0.026, "phi_u": 0.1, "g": 2.1, "offset": 0.0}
    names = problem.parameters.free
    found = dataclasses.replace(
        result,
        names=names,
        values=values,
        standard_errors=dict.fromkeys(names, 1e-3),
        intervals={},
        covariance=np.eye(3),
        problem=problem,
    )
    stated = fit_document(found, "film")["parameters"]
    assert (stated["Meff_mT"]["lower"], stated["Meff_mT"]["start"]) == (0.0, pytest.approx(1200))
    assert "upper" not in stated["Meff_mT"]
    assert (stated["g"]["lower"], stated["g"]["upper"]) == (2.0, 2.2)
    tie = {"of": "H1_mT", "times": pytest.approx(0.5), "plus": pytest.approx(1.0)}
    assert stated["Hu_mT"] == {"value": pytest.approx(26.0), "free": False, "tied": tie}
    assert value_text(stated["Hu_mT"]) == "26 (tied: 0.5 H1_mT + 1)"
    assert stated["phi_u_deg"]["tied"] == "by a function"
    assert value_text(stated["phi_u_deg"]) == "5.72958 (tied)"
    assert value_text(stated["offset_deg"]) == "0 (fixed)"


@pytest.mark.slow
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
    assert curve_grid(np.radians([10.0, 170.0]))[[0, 1, -1]].tolist() == [
        0.0,
        0.5,
        180.0,
    ]
    assert curve_grid(np.radians([-0.01, 180.0]))[[0, -1]].tolist() == [0.0, 180.0]
    assert curve_grid(np.radians([-30.0, 345.0]))[[0, -1]].tolist() == [-90.0, 360.0]
