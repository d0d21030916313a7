"""Laws of A, B, C from pairs, against Cauchy laws, moments, quadrature and samples."""

import csv
import dataclasses
import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.stats import kstest

from diffdip import (
    PairDensity,
    UniformCylinder,
    UniformSphere,
    cauchy_law,
    levy_law,
    pair_density,
    simulate,
)
from diffdip.dipoles.pair_sums import pair_sum
from diffdip.foundation.errors import InputError
from diffdip.foundation.units import FIELD_UNIT
from diffdip.numerics.direction_averages import direction_mean
from diffdip.statistics.cauchy import A_CENTER
from diffdip.statistics.close_pairs import CLOSE, SMALLEST, count_pairs


pytestmark = pytest.mark.slow


EXPERIMENTS = Path(__file__).parent.parent.parent / "experiments"
LEVELS = np.array([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])


def floored():
    """Few pairs with a smallest distance, and other pairs: neither Cauchy nor normal."""
    density = PairDensity.uniform(50, 1.5, closest=0.3)
    density = eqx.tree_at(lambda d: d.variance, density, jnp.array([3.0, 2.0, 1.0]))
    density = eqx.tree_at(lambda d: d.mean, density, jnp.array([4.0, 0.0, -1.0]))
    density = eqx.tree_at(lambda d: d.pairs, density, density.pairs[:30])
    # no weak types, so that densities of other tests are served by the same programs
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), density)


@pytest.mark.parametrize(("name", "convention"), [("A", "paper"), ("B", "physical")])
def test_uncorrelated_dipoles_have_the_cauchy_law(name, convention):
    density = PairDensity.uniform(300, 0.7, 2.5, convention=convention)
    assert float(density.mu0_M) == pytest.approx(FIELD_UNIT * 2.5 * 0.7, rel=1e-12)
    known = cauchy_law(name, density.mu0_M, convention)
    weight = 2 if convention == "paper" else 1
    center = A_CENTER * weight * density.mu0_M if name == "A" else 0.0
    law, width = levy_law(name, density), known.half_width

    error = (law.quantile(LEVELS) - center - known.quantile(LEVELS)) / width
    assert np.max(np.abs(error)) < 1e-6 * np.max(np.abs(np.tan(np.pi * (LEVELS - 0.5))))
    assert abs(error[2]) < 1e-7
    assert abs(error[4]) < 1e-7
    x = center + width * np.array([-1e4, -30.0, -1.0, -1e-3, 0.0, 0.5, 300.0, 1e9])
    np.testing.assert_allclose(law.cumulative(x), known.cumulative(x - center), atol=1e-8)
    # far out the distances left out of the density tell
    np.testing.assert_allclose(law.density(x[1:-2]), known.density(x[1:-2] - center), rtol=1e-5)
    t = np.array([-5.0, -0.1, 0.0, 1e-3, 2.0]) / float(width)
    expected = np.exp(1j * t * float(center) - float(width) * np.abs(t))
    np.testing.assert_allclose(law.characteristic(t), expected, atol=2e-7)


@pytest.mark.parametrize("name", ["A", "B"])
@pytest.mark.parametrize("z", [1e-3, 0.4, 0.6, 7.0, 60.0])
def test_mean_over_directions_is_that_of_quadrature(name, z):
    if name == "A":
        points = np.polynomial.legendre.leggauss(400)
        expected = np.sum(points[1] * np.expm1(1j * z * (3 * points[0] ** 2 - 1))) / 2
    else:
        node, weight = np.polynomial.legendre.leggauss(400)
        angle = 2 * np.pi * np.arange(800) / 800
        s = -3 * (1 - node[:, None] ** 2) * np.cos(2 * angle)
        expected = weight @ np.mean(np.expm1(1j * z * s), axis=1) / 2
    np.testing.assert_allclose(direction_mean(name, np.array([z]))[0], expected, atol=1e-13)


def test_inversion_agrees_with_quadrature():
    law = levy_law("A", floored())
    low, high, _, _ = law.quantile(jnp.array([0.25, 0.75, 0.5, 0.5]))
    unit = float(high - low)
    t = np.linspace(0, 20 / unit, 2001)  # beyond that the rest has made φ vanish
    x = unit * np.array([-2.0, 0.0, 0.3, 5.0])
    value = np.asarray(law.characteristic(t)) * np.exp(-1j * t * x[:, None])
    assert np.max(np.abs(value[:, -1])) < 1e-9
    density = simpson(value.real, x=t) / np.pi
    np.testing.assert_allclose(law.density(x), density, rtol=2e-6, atol=1e-8 * np.max(density))
    slope = jax.grad(law.cumulative)(x[2])
    assert float(slope) == pytest.approx(density[2], rel=2e-6)


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_cumulants_are_those_of_the_pairs(name):
    density = floored()
    law, index = levy_law(name, density), "ABC".index(name)
    near, far = np.asarray(density.edges[:-1]), np.asarray(density.edges[1:])
    square = {"A": 4 / 5, "B": 12 / 5, "C": 3 / 5}[name]
    # ⟨r⁻⁶⟩ of places uniform in volume
    inverse = (near**-3.0 - far**-3.0) / (far**3 - near**3)
    expected = square * np.sum(np.asarray(density.pairs) * inverse) + float(density.variance[index])
    expected *= float(density.constant) ** 2
    t = 1e-2 / expected**0.5
    phi = complex(law.characteristic(t))
    assert -2 * np.log(abs(phi)) / t**2 == pytest.approx(expected, rel=1e-3)
    mean = float(density.constant * density.mean[index])
    assert np.angle(phi) / t == pytest.approx(mean, abs=1e-4 * expected**0.5)
    assert np.angle(complex(law.characteristic(-t))) == pytest.approx(-np.angle(phi), abs=1e-15)


def test_counts_every_pair_of_a_sample():
    positions = np.random.default_rng(3).normal(size=(40, 3))
    positions[1] = positions[0] + [3e-5, 0, 0]  # closer than the first edge
    pairs, sums = count_pairs(positions)
    first, second = np.triu_indices(40, 1)
    distance = np.linalg.norm(positions[first] - positions[second], axis=1)
    edges = SMALLEST * 10 ** (np.arange(len(pairs) + 1) / 40)
    np.testing.assert_array_equal(pairs[1:], np.histogram(distance, edges)[0][1:])
    assert pairs[0] == 1
    assert pairs.sum() == 40 * 39 / 2
    xx, yy, _, xy, _, _ = pair_sum(jnp.asarray(positions), jnp.ones(40), jnp.ones(40, bool))
    np.testing.assert_allclose(sums.sum(axis=1), [xx + yy, xx - yy, xy], rtol=1e-9)


def test_density_of_uniform_pairs():
    model = UniformSphere(n=60, density=1.0)
    found = pair_density(model, 3000, seed=2)
    known = PairDensity.uniform(60, 1.0)
    assert float(found.mu0_M) == pytest.approx(float(known.mu0_M), rel=1e-12)
    assert float(found.constant) == pytest.approx(float(known.constant), rel=1e-12)
    # of two points in a sphere of radius R: (r/R)³ − (9/16)(r/R)⁴ + (r/R)⁶/32 closer than r
    ratio = np.asarray(found.edges[1:]) / float(3 * model.n / (4 * np.pi)) ** (1 / 3)
    ratio = ratio[ratio < 2]
    expected = 60 * 59 / 2 * (ratio**3 - 9 / 16 * ratio**4 + ratio**6 / 32)
    within = np.cumsum(found.pairs)[: len(ratio)]
    np.testing.assert_allclose(within, expected, rtol=0.02, atol=0.1)
    last = int(found.split) - 1
    assert within[last] >= CLOSE > within[last - 1]


@pytest.mark.parametrize("name", ["A", "B"])
def test_law_is_that_of_samples(name):
    model = UniformCylinder(n=60, density=2.0)
    law, x = (
        levy_law(name, pair_density(model, 300, seed=4)),
        getattr(simulate(model, 1000, 5), name),
    )
    # 1.63/√1000 = 0.05 in one case of a hundred
    assert kstest(x, lambda x: np.asarray(law.cumulative(x))).statistic < 0.05
    assert kstest(x, lambda x: np.asarray(law.cumulative(1.2 * x + 0.02))).statistic > 0.05


def test_quantiles_invert_and_have_exact_edges():
    law = levy_law("A", floored())
    p = jnp.array([1e-3, 0.2, 0.5, 0.97])
    np.testing.assert_allclose(law.cumulative(law.quantile(p)), p, atol=1e-9)
    size = law.magnitude_quantile(p)
    np.testing.assert_allclose(law.cumulative(size) - law.cumulative(-size), p, atol=1e-9)
    edges = jnp.array([0.0, 1.0, -0.1, jnp.nan])
    np.testing.assert_array_equal(law.quantile(edges), [-np.inf, np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(law.magnitude_quantile(edges), [0, np.inf, np.nan, np.nan])


def test_a_quantile_is_proportional_to_the_moment():
    def quantile(moment):
        density = eqx.tree_at(lambda d: d.moment, floored(), moment)
        return levy_law("A", density).quantile(0.8)

    value, slope = jax.value_and_grad(quantile)(jnp.asarray(1.73))
    assert float(slope) == pytest.approx(float(value) / 1.73, rel=1e-14)


def test_derivatives_of_quantiles_agree_with_finite_differences():
    base = floored()

    def median(parameters):
        factor, smallest, variance, p = parameters
        where = lambda d: (d.pairs, d.smallest, d.variance)
        leaves = (factor * base.pairs, smallest, variance * base.variance)
        law = levy_law("A", eqx.tree_at(where, base, leaves))
        return law.magnitude_quantile(p)

    at = jnp.array([1.0, 0.3, 1.0, 0.6])
    value_and_slopes = jax.jit(jax.value_and_grad(median))
    slopes = value_and_slopes(at)[1]
    for i in range(4):
        step = 1e-4 * np.eye(4)[i]
        values = [float(value_and_slopes(at + k * step)[0]) for k in (-2, -1, 1, 2)]
        known = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / 12e-4  # fourth order
        assert float(slopes[i]) == pytest.approx(known, rel=1e-6)


def test_size_matters_only_with_a_smallest_distance():
    def log_median(log_factor, density):
        grown = density.resized(jnp.exp(log_factor))
        return jnp.log(levy_law("B", grown).magnitude_quantile(0.5))

    power = jax.jit(jax.grad(log_median))
    assert abs(float(power(0.0, PairDensity.uniform(100, 2.0)))) < 1e-6
    powers = [float(power(s, PairDensity.uniform(100, 2.0, closest=0.3))) for s in (0.0, 4.0, 9.0)]
    assert powers == sorted(powers, reverse=True)
    assert powers[-1] == pytest.approx(-0.5, abs=1e-3)


@pytest.mark.float32
def test_single_precision():
    law, known = levy_law("B", PairDensity.uniform(100, 2.0)), cauchy_law("B", 0.0403217)
    p = jnp.array([0.1, 0.5, 0.75])
    error = (law.quantile(p) - known.quantile(p)) / known.half_width
    assert float(jnp.max(jnp.abs(error))) < 1e-3


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: levy_law("D", floored()), "name"),
        (lambda: pair_density(UniformCylinder(n=5, density=1.0), 0), "n_samples"),
        (lambda: pair_density(UniformCylinder(n=5, density=1.0), 1, close=0.0), "close"),
        (lambda: PairDensity.uniform(10, 1.0, -1.0), "moment"),
        (lambda: dataclasses.replace(floored(), pairs=-jnp.ones(3)), "pairs"),
    ],
)
def test_arguments_that_cannot_be_used(make, what):
    with pytest.raises(InputError) as error:
        make()
    assert error.value.what == what


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_law_with_an_atom_is_nan(dtype):
    density = PairDensity.uniform(3, 0.1, closest=0.1)
    few = eqx.tree_at(lambda d: d.pairs, density, density.pairs[:30])
    law = levy_law("A", jax.tree.map(lambda leaf: leaf.astype(dtype), few))
    for method in (law.cumulative, law.density, law.quantile, law.magnitude_quantile):
        assert np.isnan(method(jnp.asarray([0.1, 0.2, 0.75, 0.9], dtype))).all()
    assert np.isnan(jax.grad(law.quantile)(jnp.asarray(0.7, dtype)))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXPERIMENTS))
        import levy

        with jax.numpy_dtype_promotion("standard"):
            levy.main(["--out", str(out), "--samples", "200", "--sizes", "2"])
    return out


def test_experiment_compares_laws_with_samples(written):
    assert sorted(p.name for p in written.iterdir()) == [
        f"levy.{k}" for k in ("csv", "json", "pdf", "png")
    ]
    rows = json.loads((written / "levy.json").read_text())["statistics"]
    found = {(row["arrangement"], row["n_crystals"], row["field"]): row for row in rows}
    sizes = {"uniform": 0, "bond length": 2, "anywhere": 2}
    assert set(found) == {(rule, size, name) for rule, size in sizes.items() for name in "AB"}
    for row in rows:
        assert row["samples"] == 200
        assert row["low_mT"] < row["median_mT"] < row["high_mT"]
        # 1.63/√200 = 0.115 in one case of a hundred
        for kind in ("law", "independent", "resized"):
            assert row[f"{kind}_distance"] < 0.115
            assert row[f"{kind}_median_mT"] == pytest.approx(row["median_mT"], rel=0.25)
    with (written / "levy.csv").open() as file:
        lines = list(csv.DictReader(file))
    for key in found:
        own = [r for r in lines if (r["arrangement"], r["field"]) == (key[0], key[2])]
        decades = [np.log10(float(r["to_mT"]) / float(r["from_mT"])) for r in own]
        for column in ("share_per_decade", "law"):
            inside = np.dot(decades, [float(r[column]) for r in own])
            assert 0.95 < inside < 1.01


def test_one_program_serves_all_names_and_numbers(caplog):
    laws = [levy_law(name, floored()) for name in "ABC"]
    laws[0].quantile(0.3)
    with jax.log_compiles():
        values = [float(law.quantile(p)) for law in laws for p in (0.4, 0.45)]
    assert len({*values}) == 6
    assert not [entry for entry in caplog.messages if "quantile" in entry]
