"""Fits of many lines at once: their derivatives, and the same as one by one."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from diffdip import fit_line
from diffdip.spectra.definitions import SHAPES
from diffdip.spectra.line_fits import SAMPLES_AT_ONCE, LineFit, LineStart, _Group, fit_lines
from diffdip.spectra.line_shapes import columns, gaussian, lorentzian, mixture
from diffdip.spectra.lines import LineError, polynomials


def start(samples=301, position=338.0, width=3.0, fraction=0.4, noise=0.01, seed=0):
    """A noisy line with dispersion, and a start beside it."""
    field = np.linspace(325.0, 352.0, samples)
    line = columns(field, position, width, fraction, 20.0)[:, 0] + 0.05
    signal = 7 * (line + noise * np.random.default_rng(seed).normal(size=samples))
    return LineStart(field, signal, position + 0.4, 1.2 * width)


@pytest.mark.parametrize("shape", [lorentzian, gaussian, lambda x, w: mixture(x, w, 0.3)])
def test_slopes_of_the_shapes(shape):
    """The second derivatives are the differences of the first ones."""
    x, step = np.linspace(-9, 9, 37), 1e-5
    line, after, before = (shape(x + move, 2.7) for move in (0, step, -step))
    for value, slope in ((0, 2), (1, 3)):
        np.testing.assert_allclose(
            line[slope], (after[value] - before[value]) / (2 * step), atol=1e-8
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("baseline", "phase"), [(None, None), (2, None), (1, 35.0)])
def test_derivatives_of_the_best_curve(shape, baseline, phase):
    """Against differences, far from the best fit, where the residuals are large."""
    group = _Group.of([start(), start(211, 339.0)], shape, baseline, phase)
    lane = np.arange(2)
    y = np.array([[0.3, -0.2, 0.7], [-0.4, 0.3, 0.2]])[:, : group.range()[0].shape[1]]
    found = group.curves(lane, y)
    for i in range(y.shape[1]):
        move = 1e-6 * np.eye(y.shape[1])[i]
        after, before = group.curves(lane, y + move), group.curves(lane, y - move)
        expected = (after.curve - before.curve) / 2e-6
        np.testing.assert_allclose(found.slope[..., i], expected, atol=2e-8)
    assert (found.curve[1, 211:] == 0).all()


@pytest.mark.parametrize("position", [1.0, 5.0, 20.0, 50.0])
@pytest.mark.parametrize("begin", [0.0, 0.5, 4.0])
def test_bands_that_reach_far_over_zero_field(position, begin):
    """The search passes zero field, where dispersion and the derivative vanish, and comes back."""
    field = np.linspace(0.0, 500.0, 501)
    signal = columns(field, position, 120.0, 1.0, 20.0)[:, 0]
    found = fit_line(field, signal, "lorentzian", begin * position, 100.0)
    assert found.position == pytest.approx(position, abs=1e-6)
    assert found.width == pytest.approx(120.0, abs=1e-6)
    assert found.phase_deg == pytest.approx(20.0, abs=1e-5)


def test_one_long_spectrum_does_not_pad_the_others(monkeypatch):
    sizes = []
    of = _Group.of
    monkeypatch.setattr(
        _Group, "of", staticmethod(lambda *args: sizes.append(of(*args).field.size) or of(*args))
    )
    starts = [start(40, seed=i) for i in range(500)]
    fit_lines([*starts, start(8000)], "gaussian")
    assert len(sizes) >= 2
    assert max(sizes) <= SAMPLES_AT_ONCE


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_a_bad_start_spoils_no_other_line(width):
    good = start()
    bad = LineStart(good.field, good.signal, good.position, width)
    first, refused, last = fit_lines([good, bad, good], "gaussian")
    assert isinstance(refused, LineError)
    assert "width at the start" in str(refused)
    assert isinstance(first, LineFit)
    assert isinstance(last, LineFit)
    assert first.position == last.position


@pytest.mark.parametrize("shape", SHAPES)
def test_many_lines_are_fitted_as_one_by_one(shape):
    """Spectra of different lengths, more than one group has room for."""
    starts = [start(200 + 37 * i, 336.0 + 0.1 * i, seed=i) for i in range(40)]
    starts.insert(3, start(31_000))
    starts.insert(5, LineStart(starts[0].field, 0 * starts[0].field, 338.0, 3.0))
    together = fit_lines(starts, shape, 1)
    assert isinstance(together.pop(5), LineError)
    del starts[5]
    for one, found in zip(starts, together, strict=True):
        assert isinstance(found, LineFit)
        alone = fit_line(one.field, one.signal, shape, one.position, one.width, 1)
        assert found.position == pytest.approx(alone.position, abs=1e-7)
        assert found.sigma == pytest.approx(alone.sigma, rel=1e-5)
        assert found.width == pytest.approx(alone.width, abs=1e-6)
        np.testing.assert_allclose(found.signal, alone.signal, atol=1e-6)


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_the_best_fit_is_that_of_scipy(fraction):
    """All parameters at once, amplitudes included, and the error from the whole Jacobian.

    With the pure shapes the fraction ends near or at a bound.
    """
    one = start(fraction=fraction)
    found = fit_line(one.field, one.signal, "pseudo-voigt", one.position, one.width, 0)

    def residual(p):
        line = columns(one.field, p[0], p[1], p[2], None) @ p[3:5]
        return (line + polynomials(one.field, 0)[:, 0] * p[5] - one.signal) / one.scale

    best = least_squares(
        residual,
        [one.position, one.width, 0.5, 7.0, 1.0, 0.3],
        bounds=([0, 0.1, 0, *[-np.inf] * 3], [400, 30, 1, *[np.inf] * 3]),
        x_scale="jac",
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    ours = np.sum((found.signal - one.signal) ** 2) / one.scale**2
    assert ours <= 2 * best.cost * (1 + 1e-9)
    assert found.position == pytest.approx(best.x[0], abs=1e-5)
    assert found.width == pytest.approx(best.x[1], abs=1e-4)
    assert found.fraction == pytest.approx(best.x[2], abs=1e-4)
    freedom = one.field.size - 6
    covariance = np.linalg.inv(best.jac.T @ best.jac) * 2 * best.cost / freedom
    assert found.sigma == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.1)
    assert found.width_sigma == pytest.approx(np.sqrt(covariance[1, 1]), rel=0.1)
