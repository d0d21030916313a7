"""Curves as files: every branch of each angle."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import AnisotropyFields, Branches, resonance_branches
from diffdip.io import curve_files
from tests.helpers.result_files import rows, strict


FREQUENCY = 9.45e9


@pytest.mark.slow
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
