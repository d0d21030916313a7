"""Inference: known parameters are found, and those that compensate each other are flagged."""

import dataclasses

import numpy as np
import pytest
import scipy.stats

import diffdip as dd
from diffdip.foundation.errors import InputError
from diffdip.sensitivities.smoothed_shares import DECILES, ModelShares, SmoothedShares


def uniform(**changes) -> dd.UniformCylinder:
    return dataclasses.replace(dd.UniformCylinder(n=20, density=2.0), **changes)


def measured(model, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    ensemble = dd.simulate(model, count, seed, progress=False)
    return ensemble.A, ensemble.B


def find(samples, model, names, seed=0, **options):
    return dd.infer(*samples, model, names, seed=seed, progress=False, **options)


@pytest.mark.slow
def test_planted_density_within_its_error():
    deviations = []
    for seed in range(5):
        samples = measured(uniform(density=3.5), 600, 100 + seed)
        found = find(samples, uniform(), ["density"], seed, n_samples=500, steps=14)
        (row,) = found.parameters
        deviations.append(np.log(row.value / 3.5) / row.log_error)
        assert row.identifiable
        assert 0.02 < row.log_error < 0.1
        (low, high), (lowest, highest) = row.interval_68, row.interval_95
        assert lowest < low < row.value < high < highest
        assert np.log(high / low) == pytest.approx(2 * row.log_error, rel=0.25)
        assert found.p_value > 1e-3
        assert float(found.model.density) == pytest.approx(row.value)
    assert np.max(np.abs(deviations)) < 3.2
    assert np.sqrt(np.mean(np.square(deviations))) < 1.7


@pytest.mark.slow
def test_p_values_of_a_true_model_are_uniform():
    """The shares overlap: with one degree of freedom for each, p would be near 1."""
    found = [
        find(measured(uniform(), 300, 1000 + s), uniform(), ["density"], s, n_samples=400, steps=12)
        for s in range(30)
    ]
    assert scipy.stats.kstest([one.p_value for one in found], "uniform").pvalue > 1e-3
    assert np.mean([one.chi2 / one.dof for one in found]) == pytest.approx(1, abs=0.25)


@pytest.mark.slow
def test_moment_and_density_compensate_each_other():
    samples = measured(uniform(), 300, 1)
    found = find(samples, uniform(), ["density", "moment"], n_samples=300, steps=12)
    assert [row.identifiable for row in found.parameters] == [False, False]
    assert all(row.interval_95 == (0.0, np.inf) for row in found.parameters)
    value, vector = np.linalg.eigh(found.information)
    assert abs(value[0]) < 1e-2 * value[1]
    np.testing.assert_allclose(np.abs(vector[:, 0]), np.sqrt(0.5), atol=0.02)
    assert {"undetermined", "degenerate"} <= {note.code for note in found.notes}
    # their product is
    product = float(found.model.density * found.model.moment)
    assert product == pytest.approx(2 * 1.73, rel=0.25)


@pytest.mark.slow
def test_bond_length_and_moment_nearly_compensate_each_other():
    """Along the valley between them the errors of first order are too small."""
    model = dd.NanocrystalPacking(n_crystals=2, extra_spacing=0.26)
    samples = measured(model, 300, 6)
    found = find(samples, model, ["bond_length", "moment"], 1, n_samples=200, steps=3)
    assert [row.identifiable for row in found.parameters] == [False, False]
    assert max(row.log_error for row in found.parameters) < 1
    assert "degenerate" in {note.code for note in found.notes}


@pytest.mark.slow
def test_bond_length_of_a_packing():
    truth = dd.NanocrystalPacking(n_crystals=2, extra_spacing=0.26, bond_length=0.34)
    samples = measured(truth, 1000, 3)
    start = dd.NanocrystalPacking(n_crystals=2, extra_spacing=0.26)
    found = find(samples, start, ["bond_length"], n_samples=500, steps=12)
    (row,) = found.parameters
    assert abs(np.log(row.value / 0.34)) < 3.5 * row.log_error < 0.35
    assert found.settings["methods"] == {"bond_length": "derivative"}


@pytest.mark.slow
def test_model_that_cannot_explain_the_samples():
    rng = np.random.default_rng(0)
    samples = 0.05 * np.exp(0.05 * rng.normal(size=(2, 200)))
    found = find(samples, uniform(), ["density"], n_samples=300, steps=12)
    assert found.p_value < 1e-6
    assert "explains-nothing" in {note.code for note in found.notes}


def test_shares_and_their_slopes():
    rng = np.random.default_rng(1)
    values = [np.exp(rng.normal(size=500)) for _ in range(2)]
    shares = SmoothedShares(np.stack([np.log(np.quantile(x, DECILES)) for x in values]))
    f = shares.of(values)
    assert f.shape == (500, shares.count) == (500, 18)
    np.testing.assert_allclose(np.mean(f, axis=0), np.tile(DECILES, 2), atol=0.07)
    slopes = [rng.normal(size=500) for _ in range(2)]
    moved = lambda h: shares.of([x + h * s for x, s in zip(values, slopes, strict=True)])
    expected = np.mean(moved(1e-6) - moved(-1e-6), axis=0) / 2e-6
    np.testing.assert_allclose(shares.slope(values, slopes), expected, rtol=1e-6, atol=1e-9)


def test_noise_of_derivatives_is_no_information():
    rng = np.random.default_rng(2)
    truth = np.array([[0.3, 0.0], [0.1, 0.0], [0.2, 0.0]])
    parts = [
        ModelShares.of(rng.normal(size=(400, 3)), truth + 0.2 * rng.normal(size=(3, 2)))
        for _ in range(400)
    ]
    together = ModelShares.together(parts).information
    np.testing.assert_allclose(together, [[0.14, 0], [0, 0]], atol=0.02)
    assert np.mean([part.information[1, 1] for part in parts]) > 0.1


@pytest.mark.parametrize(
    ("change", "what", "value"),
    [
        ({"names": ["densty"]}, "parameters", "densty"),
        ({"names": ["n"]}, "parameters", "n"),
        ({"names": []}, "parameters", []),
        ({"names": ["density", "density"]}, "parameters", "density, density"),
        ({"n_samples": 19}, "n_samples", 19),
        ({"steps": 0}, "steps", 0),
        ({"seed": -1}, "seed", -1),
        (
            {"samples": (np.ones(5), np.ones(5))},
            "the number of finite pairs of A and B",
            5,
        ),
        (
            {"samples": (np.ones(30), np.ones(30))},
            "the number of different pairs of A and B",
            1,
        ),
        (
            {"samples": (np.ones(20), np.ones(21))},
            "the shapes of A and B",
            ((20,), (21,)),
        ),
    ],
)
def test_arguments_that_cannot_be_used(change, what, value):
    given = {"samples": (np.arange(1.0, 21), np.ones(20)), "names": ["density"]} | change
    samples, names = given.pop("samples"), given.pop("names")
    with pytest.raises(InputError) as error:
        find(samples, uniform(), names, **given)
    assert (error.value.what, error.value.given) == (what, value)
