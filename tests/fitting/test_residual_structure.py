"""Wrong models and wrong points are flagged without any σ, and right ones are not."""

import jax
import numpy as np
import pytest

import diffdip as dd
from diffdip.fitting.anisotropy_models import first_order
from diffdip.fitting.residual_structure import structure_flags
from diffdip.resonance.tabulated import tabulated_field


NU = 9.45e9
ANGLES = np.radians(np.arange(0, 181, 10.0))
SAMPLE = dd.AnisotropyFields
NOISE = 1e-4


def curve(energy, angle=ANGLES, frequency=NU, g=2.0):
    return tabulated_field(energy, angle, frequency, g)


@jax.jit
def curves(A, B, C, angle):
    """Of many samples."""
    one = lambda a, b, c: dd.resonance_field(SAMPLE(a, b, c), angle, NU)
    return jax.vmap(one)(A, B, C)


def noise(seed, size=ANGLES.shape):
    return np.random.default_rng(seed).normal(0, NOISE, size)


def sample():
    return SAMPLE(0.05, 0.03, 0.01)


def with_tilted_axis():
    """Kxz = −60 mT, which tilts a principal axis out of the plane."""
    tensor = np.array(sample().tensor())
    tensor[0, 2] = tensor[2, 0] = -0.06
    return curve(dd.TensorAnisotropy(tensor))


def changed(points, shift):
    field = curve(sample()).copy()
    field[points] += shift
    return field


WRONG = {
    "tilted axis": (ANGLES, with_tilted_axis),
    "cubic term": (ANGLES, lambda: curve(sample() + dd.CubicAnisotropy(0.02))),
    "frequency drift": (
        ANGLES,
        lambda: curve(sample(), frequency=NU * np.linspace(1, 1.005, ANGLES.size)),
    ),
    "angles in gon": (0.9 * ANGLES, lambda: curve(sample())),
    "three points": (ANGLES, lambda: changed(slice(5, 8), 0.06)),
    "another line": (ANGLES, lambda: changed([3, 8, 9, 14], 0.3)),
    "one point by 3 T": (ANGLES, lambda: changed([7], 3.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_fit_is_flagged(case):
    angle, field = WRONG[case]
    for seed in range(3):
        found = dd.fit_series(angle, field() + noise(seed), frequency=NU)
        wrong = abs(found.values["A"] - 0.05) / found.standard_errors["A"]
        codes = {flag.code for flag in found.flags}
        assert "structured-residuals" in codes, (case, seed, wrong)


@pytest.mark.slow
def test_the_harmonic_that_is_left_is_named():
    found = dd.fit_series(ANGLES, WRONG["cubic term"][1]() + noise(0), frequency=NU)
    [flag] = [f for f in found.flags if f.code == "structured-residuals"]
    assert "4α" in flag.message
    assert "cubic" in flag.message


@pytest.mark.slow
def test_a_remounted_sample_is_flagged_for_each_series():
    series = [
        dd.Series(ANGLES, curve(sample()) + noise(1), frequency=NU, name="before"),
        dd.Series(
            ANGLES, curve(sample(), ANGLES - np.radians(5)) + noise(2), frequency=NU, name="after"
        ),
    ]
    messages = [f.message for f in dd.fit_joint(series).flags if f.code == "structured-residuals"]
    assert [m.split(":")[0] for m in messages] == ["Series before", "Series after"]


def errors(kind, seed, shape):
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(0, NOISE, shape)
    if kind == "uniform":
        return rng.uniform(-NOISE, NOISE, shape)
    return NOISE * rng.standard_t(4, shape)


@pytest.mark.slow
@pytest.mark.parametrize("count", [9, 13, 19, 37, 73])
@pytest.mark.parametrize("kind", ["normal", "uniform", "heavy tails"])
def test_right_fits_are_rarely_flagged(kind, count):
    """Of 1000 fits five at most, and ten if the noise itself has outliers."""
    angle = np.linspace(0, np.pi, count)
    A, B, C = np.random.default_rng(count).uniform(-0.05, 0.05, (3, 1000))
    field = np.asarray(curves(A, B, C, angle)) + errors(kind, count, (1000, count))
    found = dd.fit_many(angle, field, frequency=NU)
    slope = first_order(1, angle)
    flagged = [
        bool(structure_flags([dd.Series(angle, f, frequency=NU)], *2 * (f - predicted,), slope))
        for f, predicted in zip(field, found.predicted, strict=True)
    ]
    assert np.sum(flagged) <= (10 if kind == "heavy tails" else 5)


@pytest.mark.slow
def test_unequal_errors_are_not_structure():
    sigma = np.where((ANGLES > 1.0) & (ANGLES < 1.7), 30 * NOISE, NOISE)
    for seed in range(5):
        field = curve(sample()) + sigma * noise(seed) / NOISE
        assert dd.fit_series(ANGLES, field, sigma, frequency=NU).flags == ()


def test_computed_data_and_rounded_data_are_not_flagged():
    assert dd.fit_series(ANGLES, curve(sample()), frequency=NU).flags == ()
    assert dd.fit_series(ANGLES, curve(sample()), 1e-3, frequency=NU).flags == ()
    rounded = np.round(curve(sample()) + noise(0), 4)
    assert dd.fit_series(ANGLES, rounded, frequency=NU).flags == ()


def test_a_sigma_that_is_too_large_is_flagged():
    found = dd.fit_series(ANGLES, curve(sample()) + noise(0), 500 * NOISE, frequency=NU)
    [flag] = found.flags
    assert flag.code == "sigma-too-large"
    assert "times smaller than sigma" in flag.message
    right = dd.fit_series(ANGLES, curve(sample()) + noise(0), NOISE, frequency=NU)
    assert right.flags == ()
