"""Spectra of an energy: against scipy, integrals and finite differences, and fitted again."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import xarray as xr

import diffdip as dd
from diffdip.foundation.errors import InputError
from diffdip.numerics.dawson_function import dawson
from diffdip.spectra.line_fits import fit_line
from diffdip.spectra.line_shapes import columns, gaussian, lorentzian


NU = 9.45e9
SAMPLES = {"I": (191.5, 204.6), "II": (122.6, 24.1)}
"""A and B in mT of the published samples, in the `paper` convention at 9.45 GHz and g = 2."""

FIELD = np.linspace(0.0, 0.6, 601)
PHASE = np.radians(12.0)
DRIFT = np.array([0.05, -0.03])
NOISE = 0.01
"""Relative to the height of a typical line from extremum to extremum."""

swept_spectra = eqx.filter_jit(dd.swept_spectra)
"""One program in place of eighty."""


def rotation(sample, seed, noise=NOISE, fraction=1.0):
    """Spectra of a sample at 35 of 37 angles, with drift, phase error and noise."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.choice(np.arange(0, 181, 5.0), 35, replace=False))
    width = 0.05 * (1 + 0.2 * np.cos(2 * np.radians(angle)))
    amplitude = width * (1 + 0.1 * rng.normal(size=35))
    line = dd.SweptLine(width, fraction, PHASE, amplitude, DRIFT * (1 + rng.normal(size=(35, 1))))
    energy = dd.AnisotropyFields(*(1e-3 * np.array(SAMPLES[sample])))
    clean = np.asarray(swept_spectra(energy, np.radians(angle), NU, FIELD, line))
    signal = clean + noise * 2.6 * rng.normal(size=clean.shape)
    coordinates = {"angle": angle, "field": 1e3 * FIELD, "frequency": ("angle", np.full(35, 9.45))}
    return xr.Dataset({"signal": (("angle", "field"), signal)}, coords=coordinates)


def both_ways(spectra):
    """A and B in mT with their errors: from positions, and from all spectra at once."""
    positions = dd.line_positions(spectra, "lorentzian", line="strongest", baseline=1)
    steps = dd.fit_series(positions.angle, positions.field, positions.errors, frequency=NU)
    direct = dd.fit_spectra(spectra, positions, baseline=1)
    assert direct.converged
    return [
        (
            1e3 * np.array([found.values[n] for n in "AB"]),
            1e3 * np.array([found.standard_errors[n] for n in "AB"]),
        )
        for found in (steps, direct)
    ]


@pytest.mark.slow
def test_dawson_is_that_of_scipy():
    x = np.concatenate([np.linspace(-9, 9, 1801), np.geomspace(9, 1e4, 200)])
    np.testing.assert_allclose(dawson(jnp.asarray(x)), scipy.special.dawsn(x), rtol=1e-13)
    for order, point in ((1, 0.3), (1, 40.0), (2, 1.2)):
        slope = dawson
        for _ in range(order):
            slope = jax.grad(slope)
        h = 1e-3
        stencil = {1: ([-1, 1], 2 * h), 2: ([1, -2, 1], h * h)}[order]
        at = point + h * np.linspace(-1, 1, order + 1)
        expected = np.dot(stencil[0], scipy.special.dawsn(at)) / stencil[1]
        assert slope(jnp.asarray(point)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [lorentzian, gaussian])
def test_dispersion_is_the_hilbert_transform(shape):
    """(1/π) ∫ a(t)/(x − t) dt, of a periodic row of lines by FFT, in the middle of a long one."""
    x = np.linspace(-2000, 2000, 2**16, endpoint=False)
    absorption, dispersion, *_ = shape(x, 3.0)
    spectrum = np.fft.fft(absorption) * -1j * np.sign(np.fft.fftfreq(len(x)))
    near = np.abs(x) < 10
    np.testing.assert_allclose(np.fft.ifft(spectrum).real[near], dispersion[near], atol=1e-5)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_shapes_are_the_same_in_numpy_and_jax(fraction):
    x = np.linspace(0.0, 500.0, 301)
    for phase in (None, 30.0):
        ours = columns(x, 90.0, 70.0, fraction, phase)
        assert isinstance(ours, np.ndarray)
        theirs = jax.jit(columns, static_argnums=4)(jnp.asarray(x), 90.0, 70.0, fraction, phase)
        np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-15)


def test_a_swept_line_is_found_again_by_a_fit():
    line = dd.SweptLine(0.12, 0.6, np.radians(25.0), 3.0, np.array([0.1, 0.2]))
    signal = np.asarray(dd.swept_line(FIELD, 0.11, line))
    found = fit_line(FIELD, signal, "pseudo-voigt", 0.13, 0.1, baseline=1)
    values = (found.position, found.width, found.fraction, found.phase_deg)
    np.testing.assert_allclose(values, (0.11, 0.12, 0.6, 25.0), rtol=1e-5)


def test_amplitude_is_the_height_of_the_absorption():
    """The integral over the field of a line far from zero, up to its top."""
    field = np.linspace(0.2, 0.3, 20001)
    signal = dd.swept_line(field, 0.3, dd.SweptLine(0.002, 0.0, 0.0, 5.0))
    assert np.trapezoid(signal, field) == pytest.approx(5.0, rel=1e-5)


def test_the_baseline_is_a_polynomial_over_the_sweep():
    shape = {"width": 0.05, "amplitude": np.array(2.0)}
    bare, drifting = (
        dd.SweptLine(**shape),
        dd.SweptLine(**shape, baseline=np.array([0.5, 2.0, 1.0])),
    )
    x = np.linspace(-1, 1, len(FIELD))
    added = dd.swept_line(FIELD, 0.2, drifting) - dd.swept_line(FIELD, 0.2, bare)
    np.testing.assert_allclose(added, 0.5 + 2 * x + x**2, atol=1e-12)


@pytest.mark.slow
def test_spectra_have_their_lines_at_the_resonance_fields():
    energy, angle = dd.AnisotropyFields(0.1915, 0.2046), np.radians([0.0, 20.0, 90.0])
    line = dd.SweptLine(np.array([0.03, 0.04, 0.05]), amplitude=2.0, baseline=DRIFT)
    made = swept_spectra(energy, angle, NU, FIELD, line)
    at = dd.resonance_field(energy, angle, NU)
    assert 1e3 * at[0] == pytest.approx(52.95, abs=0.01)
    for i, width in enumerate((0.03, 0.04, 0.05)):
        one = dd.SweptLine(width, amplitude=2.0, baseline=DRIFT)
        expected = dd.swept_line(FIELD, at[i], one)
        # a rounding of the largest value where the signal passes zero: these are two programs
        rounding = np.finfo(float).eps * np.abs(expected).max()
        np.testing.assert_allclose(made[i], expected, rtol=1e-12, atol=rounding)


@jax.jit
@jax.value_and_grad
def weighted_sum(x, fraction):
    """A sum of spectra of A, B, C, g, width, phase and amplitude, and its gradient."""
    angle, field = np.radians([10.0, 50.0, 85.0]), np.linspace(0.0, 0.6, 61)
    weights = np.cos(np.arange(3 * 61.0)).reshape(3, 61)
    line = dd.SweptLine(x[4], fraction, x[5], x[6], DRIFT)
    energy = dd.AnisotropyFields(x[0], x[1], x[2])
    return jnp.sum(weights * dd.swept_spectra(energy, angle, NU, field, line, g=x[3]))


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_gradients_are_those_of_differences(fraction):
    total = lambda x: float(weighted_sum(x, fraction)[0])
    x = np.array([0.1226, 0.0241, 0.01, 2.0, 0.08, 0.2, 1.5])
    steps = 1e-5 * np.eye(7)
    expected = [(total(x + step) - total(x - step)) / 2e-5 for step in steps]
    found = weighted_sum(x, fraction)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES)
def test_both_ways_recover_a_published_sample(sample):
    for values, errors in both_ways(rotation(sample, seed=1)):
        assert np.all(np.abs(values - SAMPLES[sample]) < 3 * errors)
        assert np.all(errors < 2)


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_direct_fit_is_at_least_as_precise(sample):
    """Its errors and its scatter are no larger than in two steps, and the two agree."""
    runs = [both_ways(rotation(sample, seed)) for seed in range(12)]
    deviation = np.array([[way[0] - SAMPLES[sample] for way in run] for run in runs])
    errors = np.array([[way[1] for way in run] for run in runs])
    steps, direct = np.moveaxis(errors, 1, 0)
    assert np.all(direct.mean(axis=0) <= 1.02 * steps.mean(axis=0))
    scatter = np.sqrt((deviation**2).mean(axis=0))
    # the ratio of two rms values of 12 correlated pairs
    assert np.all(scatter[1] <= 1.25 * scatter[0])
    pull = deviation[:, 1] / direct
    # chi-squared with 24 degrees of freedom, 99.9 % on either side
    assert 7 < np.sum(pull**2) < 54


@pytest.mark.slow
def test_what_was_planted_is_what_the_direct_fit_says():
    spectra = rotation("I", seed=3, noise=0.0, fraction=0.6)
    positions = dd.line_positions(spectra, "pseudo-voigt", line="strongest", baseline=1)
    found = dd.fit_spectra(spectra, positions, shape="pseudo-voigt", baseline=1)
    # nearly: the planted width has other harmonics than the model
    for name, value in {"A": 0.1915, "B": 0.2046, "C": 0.0}.items():
        assert found.values[name] == pytest.approx(value, abs=1e-4)
    assert found.values["phase"] == pytest.approx(PHASE, abs=1e-3)
    assert found.values["fraction"] == pytest.approx(0.6, abs=0.01)
    assert np.all(found.rms < 0.03)


@pytest.mark.slow
def test_errors_of_a_pseudo_voigt_fit_are_those_of_repetitions():
    angle, field = np.arange(0.0, 180.0, 20.0), np.linspace(0.2, 0.5, 301)
    energy, line = dd.AnisotropyFields(0.03, 0.02), dd.SweptLine(0.02, 0.6, 0.3)
    clean = np.asarray(swept_spectra(energy, np.radians(angle), NU, field, line))
    pulls = []
    for seed in range(16):
        noise = 0.02 * clean.max() * np.random.default_rng(seed).normal(size=clean.shape)
        coordinates = {
            "angle": angle,
            "field": 1e3 * field,
            "frequency": ("angle", 9.45 + 0 * angle),
        }
        spectra = xr.Dataset({"signal": (("angle", "field"), clean + noise)}, coords=coordinates)
        found = dd.fit_spectra(
            spectra, dd.line_positions(spectra, "lorentzian"), shape="pseudo-voigt"
        )
        assert found.converged
        assert found.flags == ()
        truth = {"A": 0.03, "B": 0.02, "C": 0.0, "phase": 0.3, "fraction": 0.6}
        pulls.append([(found.values[n] - v) / found.standard_errors[n] for n, v in truth.items()])
    # chi-squared with 16 degrees of freedom each, 99.9 % on either side
    total = np.sum(np.square(pulls), axis=0)
    assert np.all((total > 3.9) & (total < 39.3))


def test_flags_of_the_direct_fit():
    one = np.ones(4)
    sound = dd.SpectraFit(
        names=(),
        values={},
        standard_errors={},
        covariance=np.zeros((0, 0)),
        angle=np.radians([0.0, 30.0, 60.0, 90.0]),
        field=0.3 * one,
        width=one,
        amplitude=one,
        rms=0.1 * one,
        noise=0.09 * one,
        residuals=(),
        converged=True,
        convention="paper",
        shape="lorentzian",
        baseline=None,
    )
    assert sound.flags == ()
    [flag] = replace(sound, converged=False).flags
    assert flag.code == "not-converged"
    [flag] = replace(sound, field=np.array([0.3, np.nan, 0.3, np.nan])).flags
    assert flag.code == "no-resonance"
    assert "2 of 4 angles" in flag.message
    [flag] = replace(sound, noise=np.array([0.09, 0.01, 0.05, 0.09])).flags
    assert flag.code == "misfit"
    assert "2 of 4 angles, 10 times at 30°" in flag.message
    assert replace(sound, rms=1e-12 * one, noise=0 * one).flags == ()
    # spectra without noise, fitted but for rounding at one angle
    [flag] = replace(sound, rms=np.array([1e-9, 0.1, 0.1, 0.1]), noise=0 * one).flags
    assert "3 of 4 angles" in flag.message


def test_the_direct_fit_refuses_spectra_of_several_lines():
    angle, field = np.arange(0.0, 180.0, 30.0), np.linspace(330.0, 346.0, 321)
    one, both = (
        sum(-(field - at) * np.exp(-((field - at) ** 2)) for at in lines)
        for lines in ((335.0,), (335.0, 341.0))
    )
    spectra = xr.Dataset(
        {"signal": (("angle", "field"), np.array([one, one, both, both, one, one]))},
        coords={"angle": angle, "field": field, "frequency": ("angle", np.full(6, 9.45))},
    )
    positions = dd.line_positions(spectra, near=335.0)
    with pytest.raises(dd.LineError, match="60°"):
        dd.fit_spectra(spectra, positions)


def test_frequencies_that_do_not_fit_to_the_angles_are_refused():
    angle, frequencies = np.array([0.1]), np.array([9e9, 10e9])
    with pytest.raises(InputError, match="frequency"):
        dd.swept_spectra(dd.AnisotropyFields(), angle, frequencies, FIELD, dd.SweptLine(0.03))
