"""Starts for A, B, C without a search, against series whose A, B, C are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import AnisotropyFields, larmor_field, resonance_field
from diffdip.fitting.closed_form_starts import Harmonics, cover_half_turn, projected
from diffdip.fitting.least_squares_problem import Data, Design
from diffdip.fitting.problem import FitProblem
from diffdip.fitting.series import Series


NU = 9.45e9
ANGLES = np.deg2rad(np.arange(0, 180, 5.0))
TRUTH = np.array([[0.02, 0.01, 0.004], [-0.05, 0.03, -0.02], [0.1, -0.04, 0.03]])


def series_of(convention, angle=ANGLES):
    fields = [
        resonance_field(AnisotropyFields(*x, convention), jnp.asarray(angle), NU) for x in TRUTH
    ]
    return np.array(fields)


@pytest.mark.slow
@pytest.mark.parametrize(("convention", "sign"), [("paper", -1), ("physical", 1)])
def test_one_root_is_the_truth(convention, sign):
    harmonics = Harmonics.of(ANGLES, series_of(convention))
    starts = harmonics.starts(float(larmor_field(NU)), sign)
    distance = np.min(np.max(np.abs(starts - TRUTH[:, None]), axis=2), axis=1)
    # what is left are the harmonics 8 and above
    assert np.all(distance < 2e-4)


@pytest.mark.slow
def test_points_without_a_field_are_left_out():
    field = series_of("paper")
    with_holes = field.copy()
    with_holes[:, ::7] = np.nan
    whole, holes = (Harmonics.of(ANGLES, f).coefficients for f in (field, with_holes))
    np.testing.assert_allclose(holes, whole, atol=1e-5)


def test_few_points_have_few_harmonics():
    few = np.linspace(0, np.pi, 4, endpoint=False)
    harmonics = Harmonics.of(few, 0.3 + 0.01 * np.cos(2 * few)[None])
    assert harmonics.orders == (2,)
    np.testing.assert_allclose(harmonics.coefficients, [[0.3, 0.01, 0]], atol=1e-12)
    np.testing.assert_allclose(harmonics.curve(few), 0.3 + 0.01 * np.cos(2 * few)[None])


def test_projection_is_least_squares():
    random = np.random.default_rng(0)
    basis, field = random.normal(size=(12, 3)), random.normal(size=(2, 12))
    expected = [np.linalg.lstsq(basis, row)[0] for row in field]
    np.testing.assert_allclose(projected(basis, field), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("degrees", "covered"),
    [
        (np.arange(0, 180, 10.0), True),
        (np.arange(0, 360, 15.0), True),
        (np.arange(180, 360, 10.0), True),
        (np.arange(0, 180, 20.0), False),
        (np.arange(0, 160, 5.0), False),
    ],
)
def test_gaps_between_angles(degrees, covered):
    """Each series by the angles that it uses; the others say nothing about it."""
    angle = np.radians(np.append(degrees, 77.0))
    used = np.tile(np.append(np.ones(len(degrees), bool), False), (3, 1))
    used[1] = False
    used[2, np.abs(angle % np.pi - 1) < 0.3] = False
    assert cover_half_turn(angle, used).tolist() == [covered, False, False]


def test_a_gap_in_one_series_is_none_in_another():
    """A series is fitted from the same starts beside series with missing points as alone."""
    angle = np.arange(0, np.pi, np.pi / 18)
    field = 0.3 + 0.02 * np.cos(2 * angle) * np.ones((2, 1))
    problem = FitProblem.of(
        [Series(angle, field[0], frequency=9.45e9)],
        g=2.0,
        offset=0.0,
        parameters=None,
        model=None,
        loss="linear",
        convention=None,
    )
    field[1, 5:9] = np.nan
    design = Design((angle,), np.asarray(9.45e9))
    curve = problem.hints(design, Data.of(field, None)).curve
    assert np.isfinite(curve[0]).all()
    assert np.isnan(curve[1]).all()
