"""Resonances of polynomial energies by the loops for the CPU, against the same steps in JAX."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.kernels import calls, polynomials
from diffdip.resonance.general_solver import GeneralSolver
from diffdip.resonance.polynomial_solver import coefficients, is_polynomial


if not calls.available():
    pytest.skip("numba is not there", allow_module_level=True)

NU = 9.88e9
TERMS = {
    "tensor": lambda s, v, q: dd.TensorAnisotropy(s * jnp.outer(v, v)),
    "cubic": lambda s, v, q: turned(dd.CubicAnisotropy(s), v),
    "second cubic": lambda s, v, q: turned(dd.SecondOrderCubic(s), v),
    "second uniaxial": lambda s, v, q: dd.SecondOrderUniaxial(s, v),
    "one-fold": lambda s, v, q: dd.InPlaneAnisotropy(s, 1, q),
    "three-fold": lambda s, v, q: dd.InPlaneAnisotropy(s, 3, q),
    "five-fold": lambda s, v, q: dd.InPlaneAnisotropy(s, 5, q),
    "six-fold": lambda s, v, q: dd.InPlaneAnisotropy(s, 6, q),
}


class Power(dd.AbstractEnergy):
    """A sum of powers of the components, which states some degree."""

    strength: jax.Array
    power: int = eqx.field(static=True)
    stated: int | None = eqx.field(static=True)

    def __call__(self, direction):
        return self.strength * jnp.sum(direction**self.power)

    def degree(self):
        return self.stated


def turned(term, v):
    """With crystal axes in any direction; the check of axes does not run in a compiled function."""
    z = v / jnp.linalg.norm(v)
    x = jnp.cross(z, jnp.array([0.3, -0.5, 0.8]))
    x = x / jnp.linalg.norm(x)
    return eqx.tree_at(lambda t: t.axes, term, jnp.stack([x, jnp.cross(z, x), z]))


def mixed(strengths, vectors, angle):
    """Terms of even and odd degree, and a standing spin wave."""
    film, cubic, odd, exchange = strengths
    terms = turned(dd.CubicAnisotropy(cubic), vectors[0]) + dd.ThinFilm(0.1 + film, vectors[1])
    wave = dd.StandingSpinWave(0.1 * jnp.abs(exchange))
    return terms + dd.InPlaneAnisotropy(odd, 3, angle) + wave


def samples(count, scale, seed=0):
    random = np.random.default_rng(seed)
    strengths = scale * random.uniform(-1, 1, (count, 4))
    vectors = random.normal(size=(count, 2, 3))
    directions = random.normal(size=(12, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return (
        jnp.array(strengths),
        jnp.array(vectors),
        jnp.array(random.uniform(0, 6, count)),
        directions,
    )


def solved(monkeypatch, *, loops, data):
    """Where M is at the measured resonances, and at all of them."""
    monkeypatch.setattr(calls, "available", lambda: loops)
    strengths, vectors, angles, directions = data
    directions, larmor = jnp.asarray(directions), dd.larmor_field(NU)

    def solve(*given):
        solver = GeneralSolver(mixed(*given), directions.dtype)
        every = jax.vmap(solver._all, in_axes=(0, None))(directions, larmor)
        return solver.reached(directions, larmor), every

    found = jax.jit(jax.vmap(solve))(strengths, vectors, angles)
    return jax.tree.map(np.asarray, found)


@pytest.mark.parametrize("name", TERMS)
def test_coefficients_make_the_energy(name):
    random = np.random.default_rng(1)
    energy = TERMS[name](jnp.array(0.3), jnp.array(random.normal(size=3)), jnp.array(0.4))
    numbers = np.asarray(coefficients(energy, np.dtype(float)))
    u = random.normal(size=(50, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    total = np.zeros(50)
    for alpha, place in polynomials.PLACES.items():
        scale = math.prod(map(math.factorial, alpha))
        total += numbers[place] * np.prod(u ** np.array(alpha), axis=1) / scale
    expected = np.asarray(jax.vmap(energy)(jnp.array(u)))
    # but for a constant
    np.testing.assert_allclose(total - total[0], expected - expected[0], atol=1e-14)


@pytest.mark.slow
def test_both_forms_are_the_same(monkeypatch):
    """Also where the followed branch ends at no stable resonance, and where there is none."""
    weak, strong = samples(20, 0.1), samples(40, 0.6)
    data = [jnp.concatenate(both) for both in zip(weak[:3], strong[:3], strict=True)]
    data.append(weak[3])
    (measured, branches), (expected, every) = (
        solved(monkeypatch, loops=loops, data=data) for loops in (True, False)
    )
    assert expected.found[:20].all()
    assert 0.1 < expected.found[20:].mean() < 0.9
    np.testing.assert_array_equal(measured.found, expected.found)
    np.testing.assert_allclose(measured.direction, expected.direction, rtol=0, atol=1e-9)
    assert (every.exists.sum(axis=-1) > 1).mean() > 0.2
    # the slots may have another order, and u and flags go together
    for some in np.ndindex(every.exists.shape[:2]):
        ordered = [
            sorted(
                np.c_[places.direction[some].round(7), places.stable[some]][
                    places.exists[some]
                ].tolist()
            )
            for places in (branches, every)
        ]
        assert len(ordered[0]) == len(ordered[1])
        np.testing.assert_allclose(*(np.array(rows).reshape(-1, 4) for rows in ordered), atol=3e-7)


def test_a_place_has_the_same_result_in_any_batch():
    strengths, vectors, angles, directions = samples(3, 0.3, seed=5)
    frequencies = np.linspace(5e9, 40e9, 12)
    solve = lambda *energy: dd.resonance_field_along(mixed(*energy), directions, frequencies)
    together = jax.vmap(solve)(strengths, vectors, angles)
    for k in range(3):
        energy = mixed(strengths[k], vectors[k], angles[k])
        for i in (0, 4, 11):
            alone = dd.resonance_field_along(energy, directions[i], frequencies[i])
            np.testing.assert_allclose(alone, together[k, i], rtol=1e-13)


@pytest.mark.float32
def test_single_precision_is_solved_in_double_precision():
    """float32 rounds what is given, and the last step, but not the way to the resonance."""
    directions = samples(1, 1.0)[3]
    energy = lambda: dd.CubicAnisotropy(0.05) + dd.ThinFilm(0.6) + dd.InPlaneAnisotropy(0.03, 3)
    field = dd.resonance_field_along(energy(), directions, NU)
    assert field.dtype == jnp.float32
    with jax.enable_x64(True):
        expected = dd.resonance_field_along(energy(), directions, NU)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(field, expected, rtol=2e-6)


def test_an_energy_or_a_direction_that_is_no_number_has_no_resonance():
    directions = jnp.array([[1.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [0.0, 0.0, 0.0]])
    energy = dd.CubicAnisotropy(0.05) + dd.ThinFilm(0.1)
    assert np.isfinite(dd.resonance_field_along(energy, directions, NU)).tolist() == [
        True,
        False,
        False,
    ]
    nothing = dd.CubicAnisotropy(np.nan) + dd.ThinFilm(0.1)
    assert np.isnan(dd.resonance_field_along(nothing, directions[0], NU))
    assert np.isnan(dd.resonance_branches_along(nothing, directions[0], NU).field).all()


def test_the_degree_decides_which_form_runs():
    """A degree of 8 is beyond the loops. One that is too low gives no field, not a wrong one."""
    direction = jnp.array([0.6, 0.0, 0.8])

    def field(power, stated):
        energy = Power(jnp.array(0.02), power, stated)
        assert is_polynomial(energy) == (stated in (4, 6))
        return dd.resonance_field_along(energy, direction, NU)

    np.testing.assert_allclose(field(6, 6), field(6, None), rtol=1e-14)
    assert np.isnan(field(8, 4))
    assert not is_polynomial(Power(jnp.array(0.02), 8, 8))


@pytest.mark.float32
def test_a_degree_that_is_too_low_is_found_out_beside_a_film():
    """Also in float32, where the misfit of a small term is near the rounding of the film."""
    directions = samples(1, 1.0)[3]
    fields = {}
    for stated in (4, None):
        energy = Power(jnp.array(0.01), 8, stated) + dd.ThinFilm(1.0)
        fields[stated] = dd.resonance_field_along(energy, directions, NU)
    wrong = np.abs(fields[4] - fields[None])
    assert np.isfinite(fields[None]).any()
    assert not np.any(wrong > 1e-4)
    assert np.isnan(fields[4]).sum() > np.isnan(fields[None]).sum()


@pytest.mark.parametrize("constant", [3.0, 100.0])
def test_a_constant_changes_no_resonance(constant):
    directions = samples(1, 1.0)[3]
    film = dd.CubicAnisotropy(0.05) + dd.ThinFilm(0.6)
    shifted = film + Power(jnp.array(constant), 0, 0)
    expected = dd.resonance_field_along(film, directions, NU)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(
        dd.resonance_field_along(shifted, directions, NU), expected, rtol=1e-11
    )


@pytest.mark.parametrize("axes", [(None, 0, None), (None, None, 0), (0, None, None), (0, 0, None)])
def test_vmap_over_energies_directions_or_frequencies(axes):
    strengths, vectors, angles, directions = samples(12, 0.3, seed=6)
    frequencies = jnp.linspace(5e9, 40e9, 12)

    def solve(strength, direction, frequency):
        energy = mixed(strength, vectors[0], angles[0])
        return dd.resonance_field_along(energy, direction, frequency)

    given = [strengths, jnp.asarray(directions), frequencies]
    some = [array if axis == 0 else array[3] for array, axis in zip(given, axes, strict=True)]
    together = jax.vmap(solve, in_axes=axes)(*some)
    one_by_one = [
        solve(*(array[k] if axis == 0 else array for array, axis in zip(some, axes, strict=True)))
        for k in range(12)
    ]
    np.testing.assert_allclose(together, np.array(one_by_one), rtol=1e-13)
    twice = jax.vmap(lambda w: jax.vmap(solve, in_axes=axes)(*some[:2], w), in_axes=0)
    if axes[2] is None:
        np.testing.assert_allclose(twice(frequencies[3:5])[0], together, rtol=1e-13)


def test_vmap_over_directions_of_any_energy():
    """The form in JAX, with directions whose branch has to be searched."""
    directions = jnp.asarray(samples(1, 1.0)[3])
    energy = Power(jnp.array(-0.1), 4, None) + dd.ThinFilm(0.3)
    together = dd.resonance_field_along(energy, directions, NU)
    assert 0 < np.isnan(together).sum() < len(directions)
    one_by_one = jax.vmap(lambda h: dd.resonance_field_along(energy, h, NU))(directions)
    np.testing.assert_allclose(one_by_one, together, rtol=1e-13)
