"""Points that pull a fit, short arcs, and what else a fit says of its parameters."""

from typing import ClassVar

import jax
import numpy as np
import pytest

import diffdip as dd
from diffdip.fitting.anisotropy_models import first_order
from diffdip.fitting.arcs import span
from diffdip.fitting.chi_squared import too_large
from diffdip.fitting.g_or_a import implausible_fit
from diffdip.fitting.influence import influence_of, pulling_points
from diffdip.fitting.parameters import ParameterSet
from diffdip.fitting.problem import FitProblem
from diffdip.fitting.series import stack_series
from diffdip.foundation.errors import InputError


NU = 9.45e9
ANGLES = np.radians(np.arange(0, 181, 10.0))
FREE = ParameterSet.of({name: dd.Free() for name in "ABC"})


def codes(result):
    return {flag.code for flag in result.flags}


@pytest.mark.parametrize("known", [True, False])
def test_influence_is_what_a_fit_without_the_point_gives(known):
    rng = np.random.default_rng(1)
    jacobian = first_order(1, ANGLES) * rng.uniform(0.5, 2, (19, 1))
    data = rng.normal(size=19)
    best, *_ = np.linalg.lstsq(jacobian, data)
    found = influence_of(data - jacobian @ best, jacobian, known_sigma=known)
    for i in range(19):
        rest = np.arange(19) != i
        without, chi2, *_ = np.linalg.lstsq(jacobian[rest], data[rest])
        np.testing.assert_allclose(found.change[i], without - best, atol=1e-9)
        variance = chi2.item() / 15
        variance = max(variance, 1.0) if known else variance
        inverse = np.linalg.inv(jacobian[rest].T @ jacobian[rest])
        np.testing.assert_allclose(found.error[i], np.sqrt(variance * np.diag(inverse)), rtol=1e-9)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("points", [9, 19, 37])
def test_clean_series_have_no_pulling_points(points, known):
    """In at most one of 100 series."""
    angle = np.linspace(0, np.pi, points)
    jacobian = first_order(1, angle)
    hat = jacobian @ np.linalg.pinv(jacobian)
    noise = np.random.default_rng(points).normal(size=(2000, points))
    series = [dd.Series(angle, np.full(points, 0.3), frequency=NU)]
    flagged = [
        pulling_points(FREE, np.zeros(3), series, left, jacobian, known_sigma=known)
        for left in noise - noise @ hat
    ]
    assert np.mean([bool(flags) for flags in flagged]) <= 0.01


def test_a_wrong_point_pulls_and_a_short_arc_is_told():
    solve = jax.jit(
        lambda angle: dd.resonance_field(dd.AnisotropyFields(0.05, 0.03, 0.01), angle, NU)
    )
    rng = np.random.default_rng(0)
    noise = 1e-4 * rng.normal(size=19)
    field = np.asarray(solve(ANGLES)) + noise
    assert dd.fit_series(ANGLES, field, frequency=NU).flags == ()
    wrong = field.copy()
    wrong[4] += 1.5e-3
    found = dd.fit_series(ANGLES, wrong, frequency=NU)
    [flag] = [flag for flag in found.flags if flag.code == "pulling-points"]
    assert "40°" in flag.message
    name, value = flag.message.rpartition("without it ")[2].removesuffix(" mT, about.").split(" = ")
    without = dd.fit_series(ANGLES, np.where(np.arange(19) == 4, np.nan, wrong), frequency=NU)
    error = 1e3 * without.standard_errors[name]
    assert float(value) == pytest.approx(1e3 * without.values[name], abs=0.3 * error + 0.06)
    assert abs(found.values[name] - without.values[name]) > without.standard_errors[name]
    # with the errors known, too
    assert "pulling-points" in codes(dd.fit_series(ANGLES, wrong, 1e-4, frequency=NU))

    for arc, short in ((60, True), (90, False)):
        angle = np.radians(np.linspace(10, 10 + arc, 19))
        found = dd.fit_series(angle, np.asarray(solve(angle)) + noise, 1e-4, frequency=NU)
        assert ("short-arc" in codes(found)) == short
        if short:
            [flag] = [flag for flag in found.flags if flag.code == "short-arc"]
            assert "60°" in flag.message
            told = float(flag.message.partition("error of ")[2].split()[2])
            name = flag.message.partition("error of ")[2].split()[0]
            turn = np.radians(10 + 180 / 19 * np.arange(19))
            whole = dd.fit_series(turn, np.asarray(solve(turn)) + noise, 1e-4, frequency=NU)
            ratio = found.standard_errors[name] / whole.standard_errors[name]
            assert told == pytest.approx(ratio, rel=0.05)
        # the scale of a robust loss changes no ratio, whatever the noise
        for factor in (0.2, 2):
            noisy = np.asarray(solve(angle)) + factor * noise
            robust = dd.fit_series(angle, noisy, frequency=NU, loss="soft_l1")
            assert ("short-arc" in codes(robust)) == short


def test_the_arc_that_angles_cover():
    assert span(np.radians([0.0, 45.0, 90.0])) == pytest.approx(90)
    assert span(np.radians(np.arange(0, 181, 10.0))) == pytest.approx(170)
    assert span(np.radians([350.0, 0.0, 20.0, 200.0])) == pytest.approx(30)


def test_chi2_that_chance_does_not_make():
    # 99.9 % points of χ² from tables
    dof, point = np.array([1, 5, 19, 100]), np.array([10.828, 20.515, 43.820, 149.449])
    assert not too_large(0.999 * point, dof).any()
    assert too_large(1.001 * point, dof).all()
    assert not too_large(np.array([1e9]), np.array([0])).item()


def kittel(frequency, g, noise):
    """In the plane of a film of 1 T, by H (H + 1 T) = w0²."""
    w0 = frequency * 6.62607015e-34 / 9.2740100657e-24 / g
    return np.sqrt(0.25 + w0**2) - 0.5 + noise


@pytest.mark.slow
def test_correlated_parameters_with_small_errors_are_not_called_inseparable():
    frequency = np.linspace(4e9, 40e9, 24)
    noise = 1e-4 * np.random.default_rng(4).normal(size=24)
    field = kittel(frequency, 2.1, noise)
    given = {"frequency": frequency, "g": dd.Free(), "model": dd.TermsModel(("thin-film",))}
    given["intervals"] = False
    angle = np.zeros(24)
    found = dd.fit_series(angle, field, 1e-4, **given)
    assert abs(found.correlation[0, 1]) > 0.98
    assert found.flags == ()
    # 100 times the noise: now they are
    rough = dd.fit_series(angle, field + 100 * noise, 1e-2, **given)
    [flag] = [flag for flag in rough.flags if flag.code == "degenerate"]
    for word in ("correlation", "Meff ± ", "g ± "):
        assert word in flag.message


def test_a_film_at_low_frequency_has_a_plausible_g():
    # Hres is 0.9 mT at 1 GHz: hν/µB H is 78
    frequency = np.linspace(0.8e9, 1.5e9, 24)
    series = [dd.Series(np.zeros(24), kittel(frequency, 2.1, 0.0), frequency=frequency)]
    for model, g, value, told in (
        (dd.TermsModel(("thin-film",)), 2.1, 2.1, False),
        (dd.TermsModel(("thin-film",)), dd.Free(), 2.1, False),
        (dd.TermsModel(("thin-film",)), dd.Free(), 78.0, True),
        (dd.InPlaneModel(), 2.1, 2.1, True),
        (dd.InPlaneModel(), dd.Free(), 2.1, False),
    ):
        given = {"g": g, "offset": 0.0, "loss": "linear", "convention": None}
        problem = FitProblem.of(series, parameters=None, model=model, **given)
        flags = implausible_fit(problem, series, value)
        assert [flag.code for flag in flags] == ["implausible-g"] * told


class Film:
    """A model of the user, with units."""

    units: ClassVar = {"K": "mT", "turn": "deg", "ratio": ""}

    def __call__(self, values):
        return dd.ThinFilm(values["K"]) + dd.UniaxialAnisotropy(values["K"] * values["ratio"])


def own_problem(model, **parameters):
    angle = np.linspace(0, np.pi, 19)
    series = [dd.Series(angle, 0.3 + 0.01 * np.cos(2 * angle), frequency=NU)]
    given = {"g": 2.0, "offset": 0.0, "loss": "linear", "convention": None}
    return series, FitProblem.of(series, parameters=parameters, model=model, **given)


def test_units_of_the_users_own_model():
    _, problem = own_problem(Film(), K=dd.Free(), turn=dd.Free(), ratio=0.1)
    assert problem.parameters.shown("K", 0.1) == "K = 100.0 mT"
    assert problem.parameters.shown("turn", 0.1) == "turn = 5.7°"
    assert problem.parameters.shown("ratio", 0.1) == "ratio = 0.1"
    _, problem = own_problem(lambda values: dd.ThinFilm(values["K"]), K=dd.Free())
    assert problem.parameters.shown("K", 0.1) == "K = 0.1 (in the units of the model)"

    class Wrong(Film):
        units: ClassVar = {"K": "furlong"}

    with pytest.raises(InputError) as caught:
        own_problem(Wrong(), K=dd.Free())
    assert caught.value.given == "furlong"


def test_starts_of_the_users_own_model():
    series, problem = own_problem(Film(), K=dd.Free(), turn=dd.Free(), ratio=0.1)
    design, data, _ = stack_series(series)
    field, turn = problem.starts(design, data).T
    # fields as the data suggest, twice their range of 20 mT; angles over half a turn
    assert 0.03 < np.max(np.abs(field)) < 0.05
    assert 1.4 < np.max(np.abs(turn)) < np.pi / 2 + 1e-9
    series, problem = own_problem(lambda v: dd.ThinFilm(v["K"]), K=dd.Free(), x=dd.Free(0, 0.2))
    unknown, bounded = problem.starts(design, data).T
    # of unknown kind: as many below 55 mT as above, with both signs, up to a film's
    assert 0.3 < np.mean(np.abs(unknown) < 0.055) < 0.7
    assert np.min(unknown) < -1.6
    assert np.max(unknown) > 1.6
    assert bounded.min() >= 0
    assert bounded.max() <= 0.2
