"""The sum by near pairs and a mesh, against the sum over all pairs and another library."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import DipoleSystem, UniformCylinder, simulate
from diffdip.dipoles import dipole_system, near_pairs
from diffdip.dipoles.ewald_split import (
    compact_shape,
    extent_of,
    geometry_of,
    mesh_shape,
    shape_for,
    split_of,
)
from diffdip.dipoles.ewald_sums import ewald_pair_sum, ewald_sum_and_closest
from diffdip.dipoles.pair_sums import pair_octupole, pair_quadrupole, pair_sum
from diffdip.foundation.errors import InputError


COUNT, TOLERANCE = 1500, 1e-4
SHAPE = compact_shape(COUNT, split_of(TOLERANCE))
WEIGHTS = np.array([1.0, -2.0, 0.5, 0.3, 0.7, -0.4])
DENSITY = 2.0
FEW = 3
"""So many times the tolerance is allowed: the error of the mesh grows as 1/√n for few dipoles."""


def cylinder(aspect, seed=0, count=COUNT, density=DENSITY):
    """Positions of dipoles uniform in a cylinder; height over diameter is `aspect`."""
    rng = np.random.default_rng(seed)
    diameter = (4 * count / density / np.pi / aspect) ** (1 / 3)
    radius, angle = diameter / 2 * np.sqrt(rng.uniform(size=count)), rng.uniform(size=count)
    x, y = radius * np.cos(2 * np.pi * angle), radius * np.sin(2 * np.pi * angle)
    return np.stack([x, y, aspect * diameter * (rng.uniform(size=count) - 0.5)], axis=-1)


def sites(aspect, seed=0):
    """Dipoles of unequal moments off the origin; a tenth is masked, one of those NaN."""
    rng = np.random.default_rng(100 + seed)
    positions = cylinder(aspect, seed) + np.array([30.0, -20.0, 5.0])
    mask = rng.uniform(size=COUNT) > 0.1
    positions[np.argmin(mask)] = np.nan
    return jnp.asarray(positions), jnp.asarray(rng.uniform(0.5, 3, COUNT)), jnp.asarray(mask)


@jax.jit
def summed(positions, moments, mask):
    return ewald_sum_and_closest(positions, moments, mask, SHAPE, TOLERANCE)


@jax.jit
def exact(positions, moments, mask):
    return pair_sum(positions, moments, mask)


def error(sums, some):
    """Of the sum of some dipoles: as an error of D, relative to |D| or to 1."""
    _, moments, mask = some
    unit = np.pi * np.sum(np.where(mask, moments, 0)) ** 2 / (COUNT / DENSITY)  # D = 1, as printed
    norm = lambda s: np.sqrt(np.sum((np.asarray(s) / unit) ** 2 * [1, 1, 1, 2, 2, 2]))
    reference = np.asarray(exact(*some))
    return norm(np.asarray(sums) - reference) / max(norm(reference), 1)


@pytest.mark.slow
@pytest.mark.parametrize("aspect", [1.0, 10.0, 0.03])
def test_any_container_on_the_same_mesh(aspect):
    for seed in range(3):
        some = sites(aspect, seed)
        sums, closest = summed(*some)
        assert error(sums, some) < FEW * TOLERANCE
        kept = np.asarray(some[0])[np.asarray(some[2])]
        apart = np.linalg.norm(kept[:, None] - kept, axis=-1) + 1e9 * np.eye(len(kept))
        np.testing.assert_allclose(closest, np.min(apart), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("aspect", [1.0, 10.0, 0.03])
def test_the_mesh_that_suits_a_sample(aspect):
    some = sites(aspect)
    shape = shape_for(some[0], some[2], TOLERANCE)
    assert np.prod(shape) < 200 * COUNT + 4096
    assert error(ewald_pair_sum(*some, shape, TOLERANCE), some) < FEW * TOLERANCE


@pytest.mark.slow
def test_derivatives_are_those_of_the_exact_sum_and_agree_with_each_other():
    positions, moments, mask = sites(1.0)
    scalar = lambda p, m: ewald_pair_sum(p, m, mask, SHAPE, TOLERANCE) @ WEIGHTS
    by_position, by_moment = jax.jit(jax.grad(scalar, (0, 1)))(positions, moments)
    kept = jnp.where(mask, moments, 0)
    octupole = pair_octupole(positions, moments, mask)
    expected = jnp.einsum("n,nec,e->nc", kept, octupole, WEIGHTS)
    for found, reference in (
        (by_position, expected),
        (by_moment, pair_quadrupole(positions, moments, mask) @ WEIGHTS),
    ):
        away = np.linalg.norm(found - reference) / np.linalg.norm(reference)
        assert away < 10 * TOLERANCE
        # far from close pairs as well, where gradients are small
        middle = np.median(np.abs(np.asarray(reference)[np.asarray(mask)]))
        assert np.median(np.abs(found - reference)) < 20 * TOLERANCE * middle
        assert np.all(np.asarray(found)[~np.asarray(mask)] == 0)
    rng = np.random.default_rng(0)
    change = jnp.asarray(rng.normal(size=(COUNT, 3))), jnp.asarray(rng.normal(size=COUNT))
    _, forward = jax.jit(lambda p, m: jax.jvp(scalar, (p, m), change))(positions, moments)
    reverse = jnp.sum(by_position * change[0]) + jnp.sum(by_moment * change[1])
    np.testing.assert_allclose(forward, reverse, rtol=1e-9)


@pytest.mark.slow
def test_both_forms_of_the_near_part_are_the_same():
    """The loops of numba and those of JAX, of a sample with a crowded corner."""
    pytest.importorskip("numba")
    positions, moments, mask = sites(1.0)
    positions = positions.at[:200].multiply(0.02)
    positions = jnp.where(jnp.isfinite(positions), positions, 0)
    moments = jnp.where(mask, moments, 0)
    split = split_of(TOLERANCE)
    geometry = geometry_of(positions, mask, SHAPE, split)
    some = positions, moments, mask, geometry
    for derivative, portable in (
        (False, near_pairs._second_moments),
        (True, near_pairs._third_moments),
    ):
        found, least = near_pairs._loops(*some, derivative=derivative, split=split)
        reference, closest = jax.jit(portable, static_argnames="split")(*some, split=split)
        inside = np.asarray(mask)
        scale = np.max(np.abs(reference[inside]), axis=0)
        np.testing.assert_allclose(found[inside] / scale, reference[inside] / scale, atol=1e-12)
        np.testing.assert_allclose(least, closest, rtol=1e-12)


@pytest.mark.slow
def test_doubtful_samples_are_nan_and_few_dipoles_are_not():
    positions, moments, _ = sites(1.0)
    positions, mask = jnp.nan_to_num(positions), jnp.ones(COUNT, bool)
    sums, _ = summed(positions.at[7].set(positions[500]), moments, mask)
    assert np.all(np.isnan(sums))
    for bad in (np.nan, np.inf):
        sums, closest = summed(positions.at[7, 1].set(bad), moments, mask)
        assert np.all(np.isnan(sums))
        assert np.isnan(closest)
    for kept in (0, 1):
        sums, closest = summed(positions, moments, jnp.arange(COUNT) < kept)
        np.testing.assert_allclose(sums, 0, atol=1e-9)
        assert closest == np.inf


def test_the_mesh_has_room_for_what_is_smeared():
    """Without the margin, the next period adds to the sum: an error of 3e-4 at 20 000 dipoles."""
    split = split_of(TOLERANCE)
    positions = jnp.asarray(cylinder(1.0))
    low, extent, radius = extent_of(positions, jnp.ones(COUNT, bool))
    shape = mesh_shape(np.asarray(extent), float(radius), COUNT, split)
    geometry = geometry_of(positions, jnp.ones(COUNT, bool), shape, split)
    edge = np.array(shape) * float(geometry.step)
    smear, spline = 2 / float(geometry.eta), 4 * float(geometry.step)
    assert np.all(geometry.range >= 2 * radius + smear * (1 - 1e-12))
    assert np.all(edge >= np.asarray(extent) + float(geometry.range) + smear + spline - 1e-9)
    np.testing.assert_allclose(low, np.min(cylinder(1.0), axis=0))


@pytest.mark.slow
def test_many_dipoles_take_this_way_unless_the_tolerance_is_zero(monkeypatch):
    monkeypatch.setattr(dipole_system, "MANY", COUNT)
    system = DipoleSystem(cylinder(1.0), COUNT / 2)
    direct = system.tensor(tolerance=0)
    np.testing.assert_allclose(direct, system.tensor(), atol=TOLERANCE * np.max(np.abs(direct)))
    assert np.any(np.asarray(direct) != np.asarray(system.tensor()))
    summary = system.summary()
    np.testing.assert_allclose(summary.D, system.tensor(), rtol=1e-9)
    np.testing.assert_allclose(
        summary.closest, DipoleSystem.summary(system, tolerance=0).closest, rtol=1e-12
    )
    for wrong in (-1e-4, np.nan):
        with pytest.raises(InputError):
            system.tensor(wrong)


@pytest.mark.slow
@pytest.mark.float32
def test_20_000_dipoles_in_float32(monkeypatch):
    """Through `simulate`, with unit tolerance, against the exact sum of the same positions."""
    count = 20_000
    model = UniformCylinder(n=count, density=2.0, aspect=3.0)
    monkeypatch.setattr(dipole_system, "MANY", count)
    monkeypatch.setattr("diffdip.ensembles.simulation.MANY", count)
    ensemble = simulate(model, 1, seed=3, progress=False)
    exact = eqx.filter_jit(lambda key: model.sample(key).tensor(tolerance=0))
    reference = np.asarray(exact(jax.random.fold_in(jax.random.key(3), 0)), float)
    away = np.linalg.norm(ensemble.D[0] - reference)
    assert 0 < away < TOLERANCE * max(np.linalg.norm(reference), 1)


@pytest.mark.slow
@pytest.mark.float32
def test_100_000_dipoles_against_the_fast_multipole_method():
    fmm = pytest.importorskip("fmm3dpy")
    count = 100_000
    positions = np.asarray(cylinder(1.0, count=count), np.float32)
    found = DipoleSystem(positions, count / 2).tensor()
    # versions differ in whether the potential of a charge is 1/r or 1/4πr
    two = fmm.lfmm3d(eps=1e-8, sources=np.eye(3)[:, :2] / 2**0.5, charges=np.ones(2), pg=1)
    out = fmm.lfmm3d(eps=1e-8, sources=positions.astype(float).T, charges=np.ones(count), pg=3)
    xx, yy, zz, xy, xz, yz = -0.5 * np.sum(out.hess, axis=1) / two.pot[0]
    reference = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    reference *= 2 * (count / 2) / (2 * np.pi * count**2)
    away = np.linalg.norm(np.asarray(found) - reference)
    assert away < TOLERANCE * max(np.linalg.norm(reference), 1)
