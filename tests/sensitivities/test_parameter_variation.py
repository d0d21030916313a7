"""Changes of single dipoles, against systems computed from scratch."""

import dataclasses
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.dipoles.pair_sums import pair_quadrupole, pair_sum, pair_tensor, quadrupole_at
from diffdip.ensembles.surface_dipoles import turned
from diffdip.foundation.errors import InputError
from diffdip.sensitivities.parameter_variation import (
    DipoleChange,
    first_free,
    threshold_weights,
    vary,
)


@cache
def model_of_four() -> dd.AbstractModel:
    """Made when a test asks for it, in the precision of the tests."""
    return dd.NanocrystalPacking(n_crystals=4, extra_spacing=0.26)


FLIPPED = ("extra_below", "kappa", "extra_spacing", "bond_length")


anisotropy_fields = eqx.filter_jit(dd.DipoleSystem.anisotropy_fields)
sample_of = eqx.filter_jit(dd.AbstractModel.sample)
placed = eqx.filter_jit(dd.NanocrystalPacking.place)


def fields_of(system: dd.DipoleSystem) -> np.ndarray:
    fields = anisotropy_fields(system)
    return np.array([fields.A, fields.B, fields.C])


@pytest.fixture(scope="module")
def many():
    """Variations of many samples, with what they were made from."""
    with jax.enable_x64(True):
        number = jnp.arange(400, dtype=jnp.uint32)
        keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(number)
        model = model_of_four()
        one = lambda key: (vary(model, key, FLIPPED), model.choose(key))
        return jax.jit(jax.vmap(one))(keys)


def kind(variation, name: str):
    return next(flips for flips in variation.flips if name in flips.rates)


@pytest.mark.slow
def test_seen_at_points_is_the_sum_over_dipoles():
    key = jax.random.key(0)
    positions = jax.random.uniform(key, (30, 3), maxval=3.0)
    moments = jax.random.uniform(jax.random.key(1), (30,))
    mask = jnp.arange(30) % 4 > 0
    points = jnp.concatenate([positions[:5], jnp.array([[0.3, 5.0, 1.0]])])
    difference = np.asarray(points)[:, None] - np.asarray(positions)
    r = np.linalg.norm(difference, axis=-1)
    weight = np.where((r > 0) & mask, moments / np.where(r > 0, r, 1) ** 3, 0)
    unit = difference / np.where(r > 0, r, 1)[..., None]
    tensor = np.einsum("kn,knab->kab", weight, np.eye(3) - 3 * unit[..., None] * unit[..., None, :])
    expected = tensor[:, [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    found = quadrupole_at(points, positions, moments, mask)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    own = pair_quadrupole(positions, moments, mask)[1:4]
    np.testing.assert_allclose(found[1:4], own, rtol=1e-12, atol=1e-12)
    # rounding of a point does not make a dipole see itself
    found = quadrupole_at(positions[1:4] + 1e-6, positions, moments, mask)
    np.testing.assert_allclose(found, own, rtol=1e-2)


@pytest.mark.slow
def test_one_dipole_moved_is_the_system_computed_from_scratch():
    system = sample_of(model_of_four(), jax.random.key(3))
    here = np.asarray(system.positions)[[5]]
    there = here + np.array([[0.2, -0.1, 0.4]])

    @jax.jit
    def changed(system, here, there):
        sums = pair_sum(system.positions, system.moments, system.mask)
        change = DipoleChange(system, sums, model_of_four().moment)
        moved = change.moved(here, change.seen(here), there, change.seen(there))
        return change.fields(), moved[0]

    before, found = changed(system, here, there)
    np.testing.assert_allclose(before, fields_of(system), rtol=1e-12)
    rebuilt = eqx.tree_at(lambda s: s.positions, system, system.positions.at[5].set(there[0]))
    np.testing.assert_allclose(found, fields_of(rebuilt), rtol=1e-10)


@pytest.mark.slow
def test_pair_is_that_of_the_kernel():
    difference = jnp.array([[0.3, -0.2, 0.5], [0.0, 0.0, 0.0]])
    origin = jnp.zeros((1, 3)), jnp.ones(1), jnp.ones(1, bool)
    np.testing.assert_allclose(pair_tensor(difference)[:1], quadrupole_at(difference[:1], *origin))
    np.testing.assert_array_equal(pair_tensor(difference)[1], 0)


@pytest.mark.slow
def test_turned_is_at_its_angle_from_the_axis():
    axis = jax.random.normal(jax.random.key(0), (200, 3))
    axis = axis / jnp.linalg.norm(axis, axis=-1, keepdims=True)
    below = jnp.linspace(0, 2, 200)
    share = jax.random.uniform(jax.random.key(1), (200,))
    direction = turned(axis, below, share)
    np.testing.assert_allclose(jnp.sum(direction * axis, axis=-1), 1 - below, atol=1e-12)
    np.testing.assert_allclose(jnp.linalg.norm(direction, axis=-1), 1, rtol=1e-12)
    # a quarter of a turn on is perpendicular about the axis
    other = turned(axis, below, share + 0.25)
    across = lambda d: d - jnp.sum(d * axis, axis=-1, keepdims=True) * axis
    np.testing.assert_allclose(jnp.sum(across(direction) * across(other), axis=-1), 0, atol=1e-12)


@pytest.mark.slow
def test_extra_dipoles_taken_away(many):
    variation, choices = many
    flips = kind(variation, "extra_below")
    checked = 0
    for i in range(10):
        choice = jax.tree.map(lambda a, i=i: a[i], choices)
        system = placed(model_of_four(), choice)
        regular = model_of_four().n_crystals * model_of_four().dipoles_per_crystal
        for k in np.nonzero(np.asarray(system.mask[regular:]))[0]:
            without = eqx.tree_at(lambda s: s.mask, system, system.mask.at[regular + k].set(False))
            np.testing.assert_allclose(flips.fields[i, k], fields_of(without), rtol=1e-9)
            assert flips.rates["extra_below"][i, k] <= 0
            checked += 1
    assert checked > 10


@pytest.mark.slow
def test_rates_of_presence_give_the_number_of_dipoles(many):
    """When the threshold rises, extra dipoles appear at the density of thicknesses there."""
    variation, _ = many
    rates = np.abs(kind(variation, "extra_below").rates["extra_below"]).sum(axis=1)
    count = lambda threshold: np.mean(
        dd.simulate(
            dataclasses.replace(model_of_four(), extra_below=threshold),
            4000,
            seed=1,
            progress=False,
        ).n_dipoles
    )
    # common random numbers: the same thicknesses under both thresholds
    slope = (count(0.33) - count(0.27)) / 0.06
    error = np.std(rates) / np.sqrt(len(rates))
    assert 0 < error < 0.1 * slope
    assert np.mean(rates) == pytest.approx(slope, abs=4 * error)


@pytest.mark.slow
def test_density_at_the_threshold_of_the_normal_law():
    rules = model_of_four().rules()
    uniform = (np.arange(100_000.0) + 0.5) / 100_000
    weights = lambda u: threshold_weights(rules.thickness(u), jnp.array(0.25), rules)
    found = np.mean(jax.jit(weights)(uniform))
    density = jax.jit(jax.grad(rules.share_below))(0.25)
    assert float(found) == pytest.approx(float(density), rel=1e-3)


@pytest.mark.slow
def test_smallest_distances_have_the_rate_of_an_open_sphere(many):
    """45 pairs, each on a ring of length 2πb of 4πR², and as many trials as 1/(free share)."""
    variation, _ = many
    rates = -np.asarray(kind(variation, "bond_length").rates["bond_length"]).ravel()
    radius, bond = 1.35, 0.26
    open_sphere = 45 * bond / (2 * radius**2)
    # about 9 others cover a share each; of the cap about a place on the ring the neighbour's own,
    # where no other is, covers 2/3 − √3/2π
    cap = (bond / 2 / radius) ** 2
    free = 1 - 9 * cap * (1 / 3 + np.sqrt(3) / (2 * np.pi))
    assert np.mean(rates > 0) == pytest.approx(free, abs=0.015)
    assert np.mean(rates) == pytest.approx(open_sphere * free / (1 - 9 * cap), rel=0.03)


def test_first_free_and_the_trials_it_took():
    candidates = jnp.arange(12.0).reshape(2, 2, 3)
    free = jnp.array([[False, True], [False, False]])
    chosen, trials = first_free(candidates, free)
    np.testing.assert_array_equal(chosen[0], candidates[0, 1])
    np.testing.assert_array_equal(trials, [2.0, 0.0])


@pytest.mark.slow
def test_uniform_models_move_smoothly():
    model = dd.UniformCylinder(n=30, density=2.0)
    key = jax.random.key(5)
    variation = eqx.filter_jit(vary)(model, key, ("density", "aspect", "moment"))
    np.testing.assert_allclose(variation.fields, fields_of(sample_of(model, key)), rtol=1e-12)
    for name, slope in variation.slopes.items():
        value, h = float(getattr(model, name)), 1e-5
        up, down = (
            fields_of(sample_of(dataclasses.replace(model, **{name: value + d}), key))
            for d in (h, -h)
        )
        np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-6, err_msg=name)


@pytest.mark.slow
def test_same_samples_as_the_ensemble(many):
    variation, _ = many
    ensemble = dd.simulate(model_of_four(), 50, seed=0, progress=False)
    np.testing.assert_allclose(variation.fields[:50, 1], ensemble.B, rtol=1e-6)


def test_models_without_a_rule():
    class Own(dd.AbstractModel):
        convention: dd.Convention = dd.PAPER

        def draw(self, key):
            raise AssertionError

    with pytest.raises(InputError) as error:
        vary(Own(), jax.random.key(0), ("kappa",))
    assert (error.value.what, error.value.given) == ("model", "Own")
