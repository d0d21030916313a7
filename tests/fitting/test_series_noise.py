"""Series of different noise that are fitted together without sigma."""

import jax
import numpy as np

import diffdip as dd


NU = 9.45e9
ANGLES = np.radians(np.arange(0, 181, 10.0))
TRUTH = {"A": 0.05, "B": 0.03, "C": 0.01}

clean = jax.jit(dd.resonance_field)


def series(*noises, seed=0, own=False):
    rng = np.random.default_rng(seed)
    field = np.asarray(clean(dd.AnisotropyFields(*TRUTH.values()), ANGLES, NU))
    return [
        dd.Series(ANGLES, field + rng.normal(0, s, field.shape), s if own else None, frequency=NU)
        for s in noises
    ]


def test_each_series_has_its_own_noise_where_they_differ():
    off = []
    for seed in range(6):
        found = dd.fit_joint(series(1e-5, 3e-3, seed=seed))
        known = dd.fit_joint(series(1e-5, 3e-3, seed=seed, own=True))
        for name, truth in TRUTH.items():
            # as precise as with the true sigma, within the scatter of a variance of 16 freedoms
            ratio = found.standard_errors[name] / known.standard_errors[name]
            assert 0.5 < ratio < 1.7
            off.append((found.values[name] - truth) / found.standard_errors[name])
        assert found.flags == ()
    assert np.sqrt(np.mean(np.square(off))) < 1.8


def test_series_of_equal_noise_share_one_variance():
    pair = series(1e-4, 1e-4)
    found = dd.fit_joint(pair)
    both = dd.fit_series(np.tile(ANGLES, 2), np.concatenate([s.field for s in pair]), frequency=NU)
    for name in TRUTH:
        assert abs(found.values[name] - both.values[name]) < 1e-9
        assert abs(found.standard_errors[name] / both.standard_errors[name] - 1) < 1e-6


def test_intervals_can_be_left_out():
    [one] = series(1e-4)
    found = dd.fit_series(one.angle, one.field, 1e-4, frequency=NU, intervals=False)
    for name in TRUTH:
        low, high = found.intervals[name]["68"]
        assert abs(low + high - 2 * found.values[name]) < 1e-15
        assert abs(high - low - 2 * found.standard_errors[name]) < 1e-15
