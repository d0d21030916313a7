"""The table of parameters, and what fits take from it."""

import numpy as np
import pytest

import diffdip as dd
from diffdip.fitting.parameter_table import column_name, offset_of, parameter_kind, shown
from diffdip.fitting.parameters import ParameterSet
from diffdip.fitting.spectra_model import NAMES


def test_columns_have_units():
    names = (*dd.FullTensorModel.names, "g", "offset", "offset_3", "sigma", *NAMES[3:], "Ms")
    assert [column_name(name) for name in names] == [
        "A_mT",
        "B_mT",
        "C_mT",
        "Cxz_mT",
        "Cyz_mT",
        "g",
        "offset_deg",
        "offset_3_deg",
        "sigma",
        "phase_deg",
        "ln_width",
        "ln_width_cos",
        "ln_width_sin",
        "fraction",
        "Ms",
    ]


@pytest.mark.parametrize("name", ["offset_", "offset_x", "offsets", "offset_1_2"])
def test_names_like_an_offset_are_none(name):
    assert parameter_kind(name).unit == ""
    assert shown(name, 0.5) == f"{name} = 0.5 (in the units of the model)"


def test_an_offset_of_its_own_comes_before_the_shared_one():
    assert offset_of({"offset": 0.1, "offset_2": 0.2}, 1) == 0.2
    assert offset_of({"offset": 0.1, "offset_2": 0.2}, 0) == 0.1
    assert offset_of({}, 0) == 0.0


def test_starts_cover_the_spread_around_the_start():
    names = {"A": 0.2, "g": 0.2, "offset_1": np.pi / 2, "Cxz": 0.2}
    parameters = ParameterSet.of({name: dd.Free() for name in names})
    center = parameters.central_point()
    np.testing.assert_array_equal(center, [0, 2, 0, 0])
    points = parameters.starting_points(400, 0.2)
    for column, middle, spread in zip(points.T, center, names.values(), strict=True):
        assert column.min() == pytest.approx(middle - spread, abs=0.02 * spread)
        assert column.max() == pytest.approx(middle + spread, abs=0.02 * spread)


def test_starts_stay_within_bounds():
    parameters = ParameterSet.of({"g": dd.Free(2.1, 2.3), "offset": dd.Free(lower=1.0, start=0.0)})
    np.testing.assert_array_equal(parameters.central_point(), [2.1, 1.0])
    points = parameters.starting_points(400, 0.2)
    assert np.all((points[:, 0] > 2.1) & (points[:, 0] < 2.3))
    assert np.all((points[:, 1] > 1.0) & (points[:, 1] < 1.0 + np.pi / 2))
