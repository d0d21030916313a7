"""Fits of line widths: parts that made the widths are found, and flags state doubts."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from diffdip import (
    Series,
    TermsModel,
    ThinFilm,
    fit_joint,
    fit_widths,
    fit_widths_of,
    larmor_field,
    line_width,
    resonance_field,
)
from diffdip.fitting.width_fit import width_curve
from diffdip.foundation.errors import InputError
from diffdip.numerics import levenberg_marquardt


COUNT = 24
IN_PLANE, AROUND = np.zeros(COUNT), np.linspace(0, np.pi / 2, COUNT)
FREQUENCIES = np.linspace(5e9, 40e9, COUNT)
VALUES = {"M": 0.7}


def film(values):
    """One program for all tests: a film turned from its plane to its normal."""
    return ThinFilm(values["M"])


def fitted(angle, width, sigma=None, frequency=9.45e9, **choices):
    frequency = np.broadcast_to(frequency, angle.shape)
    return fit_widths(
        film, angle, width, sigma, frequency=frequency, g=2.0, plane="xz", values=VALUES, **choices
    )


def codes(fit):
    return {flag.code for flag in fit.flags}


def gilbert(frequency=FREQUENCIES, alpha=0.008):
    """Widths in the plane of a film."""
    return 2 * alpha * np.asarray(larmor_field(frequency))


def test_kittel_plot():
    """Slope and intercept of a straight line, by numpy."""
    rng = np.random.default_rng(1)
    width = gilbert() + 1.2e-3 + 5e-5 * rng.normal(size=COUNT)
    fit = fitted(IN_PLANE, width, 5e-5, FREQUENCIES)
    double = 2 * np.asarray(larmor_field(FREQUENCIES))
    line, covariance = np.polyfit(double, width, 1, cov="unscaled")
    np.testing.assert_allclose(list(fit.values.values()), line, rtol=1e-9)
    errors = 5e-5 * np.sqrt(np.diagonal(covariance))
    np.testing.assert_allclose(list(fit.standard_errors.values()), errors, rtol=1e-9)
    assert fit.dof == COUNT - 2
    assert fit.reduced_chi2 == pytest.approx(fit.chi2 / fit.dof)
    np.testing.assert_allclose(fit.predicted + fit.residuals, width, rtol=1e-12)
    assert not fit.flags
    # the same without sigma: errors by the residuals
    free = fitted(IN_PLANE, width, None, FREQUENCIES)
    assert free.reduced_chi2 is None
    assert free.values == pytest.approx(fit.values, rel=1e-9)
    scale = np.sqrt(fit.reduced_chi2)
    expected = {name: scale * error for name, error in fit.standard_errors.items()}
    assert free.standard_errors == pytest.approx(expected, rel=1e-9)
    # widths between the extrema of the derivative
    for shape, ratio in (("lorentzian", 3**0.5), ("gaussian", (2 * np.log(2)) ** 0.5)):
        peak = fitted(IN_PLANE, width / ratio, 5e-5 / ratio, FREQUENCIES, peak_to_peak=shape)
        assert peak.values == pytest.approx(fit.values, rel=1e-9)
        assert peak.standard_errors == pytest.approx(fit.standard_errors, rel=1e-9)


@pytest.mark.parametrize("addition", ["linear", "squares"])
def test_all_parts_are_recovered_within_their_errors(addition):
    """Angles out of the plane at three frequencies, many draws of the noise."""
    frequency = np.tile([9.45e9, 20e9, 35e9], COUNT // 3)
    choices = {"parts": ("damping", "inhomogeneous", "mosaic"), "spread": ("M",)}
    choices |= {"frequency": frequency, "addition": addition}
    true = {"damping": 0.008, "inhomogeneous": 2e-3, "mosaic": 0.01, "spread_M": 0.02}
    # the slopes, from fits of one part each
    each = [
        fitted(AROUND, np.ones(COUNT), parts=(name,), frequency=frequency)
        for name in ("damping", "inhomogeneous", "mosaic")
    ]
    each.append(fitted(AROUND, np.ones(COUNT), parts=(), spread=("M",), frequency=frequency))
    columns = [fit.predicted / next(iter(fit.values.values())) for fit in each]
    parts = np.stack(columns) * np.array(list(true.values()))[:, None]
    width = parts.sum(0) if addition == "linear" else np.sqrt((parts**2).sum(0))
    rng, draws = np.random.default_rng(2), 60
    sigma, pulls, reduced = 0.01 * width, [], []
    for _ in range(draws):
        fit = fitted(AROUND, width + sigma * rng.normal(size=COUNT), sigma, **choices)
        pulls.append([(fit.values[n] - x) / fit.standard_errors[n] for n, x in true.items()])
        reduced.append(fit.reduced_chi2)
    assert fit.names == tuple(true)
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0, atol=0.5)
    np.testing.assert_allclose(np.std(pulls, axis=0), 1, atol=0.3)
    assert np.mean(reduced) == pytest.approx(1, abs=0.15)


def test_parts_that_act_alike():
    # in the plane at one frequency damping is a constant
    with pytest.raises(InputError) as caught:
        fitted(IN_PLANE, np.full(COUNT, 0.003))
    assert caught.value.what == "parts"
    # mosaicity does nothing along a symmetry axis
    with pytest.raises(InputError) as caught:
        fitted(IN_PLANE, gilbert(), frequency=FREQUENCIES, parts=("damping", "mosaic"))
    assert (caught.value.what, caught.value.given) == ("parts", "mosaic")
    # frequencies too near to each other
    near = np.linspace(9.4e9, 9.5e9, COUNT)
    rng = np.random.default_rng(3)
    width = gilbert(near) + 1e-3 + 1e-6 * rng.normal(size=COUNT)
    assert codes(fitted(IN_PLANE, width, 1e-6, near)) == {"degenerate"}


def test_a_part_that_is_not_needed():
    """ΔH_0 would be negative: it stays at 0, and the rest is fitted without it."""
    rng = np.random.default_rng(4)
    width = gilbert() - 2e-4 + 1e-6 * rng.normal(size=COUNT)
    for addition in ("linear", "squares"):
        fit = fitted(IN_PLANE, width, 1e-4, FREQUENCIES, addition=addition)
        assert "at-bound" in codes(fit)
        assert fit.values["inhomogeneous"] == pytest.approx(0, abs=1e-8)
        assert np.isnan(fit.standard_errors["inhomogeneous"])
        alone = fitted(IN_PLANE, width, 1e-4, FREQUENCIES, parts=("damping",))
        assert fit.values["damping"] == pytest.approx(alone.values["damping"], rel=1e-6)
        assert fit.standard_errors["damping"] == pytest.approx(
            alone.standard_errors["damping"], rel=1e-6
        )


def test_doubts():
    rng = np.random.default_rng(5)
    noise = 5e-5 * rng.normal(size=COUNT)
    width = gilbert() + 1e-3 + noise
    # σ that the residuals contradict is as good as none
    wrong = fitted(IN_PLANE, width, 1e-5, FREQUENCIES)
    assert "scaled-errors" in codes(wrong)
    free = fitted(IN_PLANE, width, None, FREQUENCIES)
    assert wrong.standard_errors == pytest.approx(free.standard_errors, rel=1e-9)
    # two-magnon scattering bends the line: neighbours are alike
    bent = width + 8e-3 * np.sqrt(FREQUENCIES / 40e9)
    assert "structured-residuals" in codes(fitted(IN_PLANE, bent, None, FREQUENCIES))
    # points left out, down to as many as parts
    few = np.where(np.arange(COUNT) < 2, width, np.nan)
    fit = fitted(IN_PLANE, few, None, FREQUENCIES)
    assert codes(fit) == {"no-degrees-of-freedom"}
    assert np.isnan(list(fit.standard_errors.values())).all()
    assert np.isfinite(fit.residuals).sum() == 2
    assert np.isfinite(fit.predicted).all()
    with pytest.raises(InputError) as caught:
        fitted(IN_PLANE, np.where(np.arange(COUNT) < 1, width, np.nan), None, FREQUENCIES)
    assert caught.value.what == "points"


def test_a_search_that_stops_is_told(monkeypatch):
    monkeypatch.setattr(levenberg_marquardt, "MAX_STEPS", 0)
    assert "not-converged" in codes(fitted(IN_PLANE, gilbert() + 1e-3, None, FREQUENCIES))


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"parts": ("alpha",)}, "parts"),
        ({"parts": ()}, "parts"),
        ({"parts": ("damping", "damping")}, "parts"),
        ({"spread": ("K",)}, "spread"),
        ({"addition": "cubes"}, "addition"),
        ({"peak_to_peak": "pseudo-voigt"}, "peak_to_peak"),
        ({"sigma": 0.0}, "sigma"),
        ({"width": -1 * np.ones(COUNT)}, "width"),
        ({"width": np.ones(3)}, "frequency"),
    ],
)
def test_choices_that_cannot_be_used(choices, what):
    choices = dict(choices)
    width = choices.pop("width", np.full(COUNT, 0.003))
    with pytest.raises(InputError) as caught:
        fitted(IN_PLANE, width, choices.pop("sigma", None), **choices)
    assert caught.value.what == what


@pytest.fixture(scope="module")
def film_fit():
    """Positions of a film: in its plane at some frequencies, and turned to its normal, with the
    zero of the angles 5° off."""
    with jax.enable_x64(True):
        energy = ThinFilm(0.7)
        # arrays of one shape, so that one program serves both series
        some = 1e9 * np.array([5.0, 12, 12, 20, 30, 40, 8, 15, 18, 25, 33, 37])
        still, angle = np.zeros(12), np.linspace(0, np.pi / 2, 12)
        same = np.full(12, 9.45e9)
        along = np.tile([1.0, 0, 0], (12, 1))
        series = (
            Series(None, resonance_field(energy, still, some), frequency=some, direction=along),
            Series(
                angle + np.radians(5),
                resonance_field(energy, angle, same, plane="xz"),
                frequency=9.45e9,
                plane="xz",
            ),
        )
        fit = fit_joint(series, model=TermsModel(["thin-film"]), offset=(0.0, np.radians(5)))
        width = line_width(energy, still, some, damping=0.008, inhomogeneous=1e-3)
        turned = line_width(energy, angle, same, plane="xz", damping=0.008, inhomogeneous=1e-3)
        return fit, np.concatenate([width, turned])


@pytest.mark.slow
def test_widths_of_all_series_of_a_fit(film_fit):
    """Directions, planes, offsets and frequencies are those of the fit."""
    fit, width = film_fit
    found = fit_widths_of(fit, width)
    assert found.values["damping"] == pytest.approx(0.008, rel=1e-6)
    assert found.values["inhomogeneous"] == pytest.approx(1e-3, rel=1e-6)
    # each angle twice: as many as points were fitted, for which there is a program
    at = np.tile(fit.series[1].angle, 2)
    np.testing.assert_allclose(width_curve(fit, found, at, 1), np.tile(width[12:], 2), rtol=1e-6)
    spread = fit_widths_of(fit, width, parts=("damping",), spread=("Meff",))
    assert spread.values["spread_Meff"] < 1e-2
    expected = np.tile(spread.predicted[12:], 2)
    np.testing.assert_allclose(width_curve(fit, spread, at, 1), expected, rtol=1e-9)


@pytest.mark.slow
def test_damping_and_inhomogeneous_alike(film_fit):
    """At one frequency in the plane: one number, and what it would mean as damping."""
    fit, width = film_fit
    alone = np.where(np.isin(np.arange(len(width)), (1, 2)), width, np.nan)
    found = fit_widths_of(fit, alone)
    assert found.names == ("inhomogeneous",)
    assert found.values["inhomogeneous"] == pytest.approx(width[2])
    [flag] = [flag for flag in found.flags if flag.code == "degenerate"]
    larmor = float(larmor_field(fit.series[0].frequency[2]))
    assert f"α would be {width[2] / 2 / larmor:.3g}" in flag.message
    with pytest.raises(InputError, match="damping"):
        fit_widths_of(fit, alone, parts=("damping", "inhomogeneous"))


@pytest.mark.slow
def test_widths_that_do_not_belong_to_the_fit(film_fit):
    fit, width = film_fit
    with pytest.raises(InputError, match="one for each point"):
        fit_widths_of(fit, width[1:])
    first = fit.series[0]
    swept = Series(
        None,
        first.field,
        frequency=first.frequency,
        direction=first.direction,
        measured="frequency",
    )
    with pytest.raises(InputError, match="swept by the field"):
        fit_widths_of(replace(fit, series=(swept, fit.series[1])), width)
