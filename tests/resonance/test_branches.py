"""Resonances of the anisotropy fields A, B, C with the field in the plane of the sample."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip import (
    AnisotropyFields,
    TensorAnisotropy,
    equilibrium_condition,
    larmor_field,
    resonance_branches,
    resonance_field,
)
from tests.helpers import brute_force
from tests.helpers.brute_force import assert_same_sets, in_plane


FREQUENCY = 9.45e9
DRAWS = 10_000
SLOTS = 6


def paper_tensor(A, B, C):
    """K = −µ0M D of the paper convention, written out once more."""
    zero = np.zeros_like(A)
    rows = [[-(A + B) / 2, -C, zero], [-C, -(A - B) / 2, zero], [zero, zero, A]]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def solve(A, B, C, angle, frequency, convention="paper"):
    """Branches and measured field."""
    sample = AnisotropyFields(A, B, C, convention=convention)
    branches = resonance_branches(sample, angle, frequency)
    return branches, resonance_field(sample, angle, frequency)


compiled = jax.jit(solve, static_argnames="convention")


def at(A, B, C, angle, frequency=FREQUENCY, convention="paper"):
    """`solve` for one sample and angle, compiled once for all tests."""
    arguments = (jnp.asarray(np.float64(value)) for value in (A, B, C, angle, frequency))
    return compiled(*arguments, convention=convention)


@pytest.fixture(scope="module")
def draws():
    """Random samples and angles: the brute-force resonances and the solver's branches."""
    with jax.enable_x64(True):
        larmor = float(larmor_field(FREQUENCY))
        rng = np.random.default_rng(20240917)
        A, B, C = rng.uniform(-2 * larmor, 2 * larmor, (3, DRAWS))
        angle = rng.uniform(0, 2 * np.pi, DRAWS)
        K = paper_tensor(A, B, C)
        expected, doubtful = brute_force.planar_resonances(K, angle, larmor)
        branches, field = jax.jit(jax.vmap(partial(solve, frequency=FREQUENCY)))(A, B, C, angle)
        measured = branches.measured()
    clear = np.setdiff1d(np.arange(DRAWS), doubtful)
    return SimpleNamespace(
        K=K,
        angle=angle,
        larmor=larmor,
        expected=expected,
        clear=clear,
        doubtful=doubtful,
        branches=branches,
        field=np.asarray(field),
        measured=measured,
    )


@pytest.mark.slow
def test_every_branch_is_found_and_no_other(draws):
    branches, expected = draws.branches, draws.expected
    assert len(draws.doubtful) < 5
    count = np.bincount(expected.draw, minlength=DRAWS)
    assert (count == 1).sum() > 5000
    assert (count == 3).sum() > 1000
    assert (np.abs(expected.direction[:, 2]) > 0.1).sum() > 1000  # M out of the plane
    padded = expected.padded(DRAWS, SLOTS)
    assert_same_sets((branches.field, branches.direction), padded, draws.clear)


@pytest.mark.slow
def test_order_and_empty_slots(draws):
    branches = draws.branches
    field = np.asarray(branches.field)
    assert field.shape == (DRAWS, SLOTS)
    empty = np.isnan(field)
    assert (np.diff(empty.astype(int), axis=1) >= 0).all()
    assert not (np.diff(field, axis=1) > 0).any()
    assert np.isnan(np.asarray(branches.direction)).all(axis=-1)[empty].all()
    assert not np.asarray(branches.stable)[empty].any()
    assert np.isfinite(np.asarray(branches.direction))[~empty].all()


@pytest.mark.slow
def test_every_branch_is_a_minimum_in_resonance(draws):
    field = np.asarray(draws.branches.field)
    draw, slot = np.nonzero(np.isfinite(field))
    u = np.asarray(draws.branches.direction)[draw, slot]
    energy = brute_force.Quadratic(draws.K[draw])
    vector = field[draw, slot][:, None] * in_plane(draws.angle[draw])
    torque, stiffness, _ = brute_force.torque_and_stiffness(energy, u, vector)
    np.testing.assert_allclose(np.linalg.norm(u, axis=-1), 1, rtol=1e-12)
    assert np.abs(torque).max() < 1e-11
    assert (np.linalg.eigvalsh(stiffness) > 0).all()
    frequency = np.sqrt(brute_force.frequency_squared(stiffness))
    np.testing.assert_allclose(frequency, draws.larmor, rtol=1e-9)


@pytest.mark.slow
def test_stable_means_lowest_on_the_sphere(draws):
    field = np.asarray(draws.branches.field)
    draw, slot = np.nonzero(np.isfinite(field))
    u = np.asarray(draws.branches.direction)[draw, slot]
    energy = brute_force.Quadratic(draws.K[draw])
    vector = field[draw, slot][:, None] * in_plane(draws.angle[draw])
    above = energy.value(u) - np.sum(u * vector, -1) - brute_force.lowest_energy(energy, vector)
    assert above.min() > -1e-12
    clear = (above < 1e-11) | (above > 1e-7)
    assert (~clear).sum() < 5
    stable = np.asarray(draws.branches.stable)[draw, slot]
    assert 0.2 < stable.mean() < 0.8
    assert (stable == (above < 1e-11))[clear].all()


def test_measured_is_the_highest_stable_branch(draws):
    field, stable = np.asarray(draws.branches.field), np.asarray(draws.branches.stable)
    highest = np.where(stable.any(1), np.where(stable, field, -np.inf).max(1), np.nan)
    assert 0.05 < np.isnan(highest).mean() < 0.8
    np.testing.assert_allclose(draws.field, highest, rtol=1e-9)
    np.testing.assert_array_equal(draws.measured[0], highest)
    direction = np.asarray(draws.measured[1])
    assert (np.isnan(direction).all(-1) == np.isnan(highest)).all()


@pytest.mark.slow
def test_definition_agrees_with_brute_force(draws):
    """The reference itself: minimizing the energy finds the same resonances as the polynomial."""
    n, K, larmor = 100, draws.K, draws.larmor
    k = np.linalg.eigvalsh(K[:n])
    found = brute_force.resonances_by_minimization(
        brute_force.Quadratic(K[:n]),
        in_plane(draws.angle[:n]),
        larmor,
        larmor + 2 * (k[:, 2] - k[:, 0]),
    ).padded(n, SLOTS)
    field, u = draws.expected.padded(DRAWS, SLOTS)
    assert_same_sets(found, (field[:n], u[:n]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("A", "B", "convention", "angle", "expected"),
    [
        (191.5, 204.6, "paper", 0, 52.952),
        (191.5, 204.6, "paper", 90, 399.575),
        (122.6, 24.1, "paper", 0, 238.329),
        (122.6, 24.1, "paper", 90, 277.645),
        (191.5, 204.6, "physical", 0, 647.1),
        (191.5, 204.6, "physical", 90, 379.9),
    ],
)
def test_published_samples(A, B, convention, angle, expected):
    _, field = at(A / 1e3, B / 1e3, 0.0, np.deg2rad(angle), convention=convention)
    digits = 3 if convention == "paper" else 1
    assert abs(1e3 * field - expected) < 0.51 * 10.0**-digits


@jax.jit
def field_of_tensor(K, angle):
    return resonance_field(TensorAnisotropy(K), angle, FREQUENCY)


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "expected"), [(0, 139.4), (20, 136.3), (50, 118.6), (100, 49.4)])
def test_out_of_plane_elements_shift_sample_one(shift, expected):
    K = paper_tensor(0.1915, 0.2046, 0.0)
    K[0, 2] = K[2, 0] = -shift / 1e3
    field = field_of_tensor(K, np.deg2rad(60.0))
    assert abs(1e3 * field - expected) < 0.051


fields = st.floats(-0.6, 0.6)
angles = st.floats(0, 6.28)


@pytest.mark.slow
@given(fields, fields, fields, angles)
def test_conventions_differ_by_the_sign(A, B, C, angle):
    _, paper = at(A, B, C, angle)
    _, physical = at(-A, -B, -C, angle, convention="physical")
    # not to the bit: the compiler may fuse the factor s into other operations
    np.testing.assert_allclose(physical, paper, rtol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("angle", [0.0, 0.3, 1.5707963267948966, 2.0, -7.0])
def test_no_anisotropy_is_the_larmor_field(angle):
    larmor = larmor_field(FREQUENCY)
    branches, field = at(0.0, 0.0, 0.0, angle)
    assert field == resonance_field(AnisotropyFields(), angle, FREQUENCY) == larmor
    assert branches.field[0] == pytest.approx(float(larmor), rel=1e-15)
    assert np.isfinite(branches.field).sum() == 1
    assert branches.stable.sum() == 1
    np.testing.assert_allclose(branches.direction[0], in_plane(angle), atol=1e-15)


@pytest.mark.slow
def test_no_stable_branch_is_nan():
    """A gap above w0 in zero field: M against H resonates, which no sweep down ever reaches."""
    branches, single = at(0.0, -1.0, 0.0, 0.1, convention="physical")
    field, direction = branches.measured()
    assert np.isfinite(branches.field).any()
    assert not branches.stable.any()
    assert jnp.isnan(field)
    assert jnp.isnan(direction).all()
    assert jnp.isnan(single)
    assert branches.direction[0, 0] < 0


@pytest.mark.parametrize("share", [0.5, 0.999, 1.001, 1.5])
def test_gap_closes_at_the_easy_axis_limit(share):
    """Field along the easy axis: w0 = H + H_u, so nothing is left at H_u > w0."""
    larmor = larmor_field(FREQUENCY)
    # K = H_u diag(−2/3, 1/3, 1/3)
    _, field = at(-share * larmor / 3, -share * larmor, 0.0, 0.0, convention="physical")
    if share < 1:
        np.testing.assert_allclose(field, (1 - share) * larmor, rtol=1e-9)
    else:
        assert jnp.isnan(field)


SYMMETRIC = [
    (0.3, 0.0, 0.0),
    (-0.3, 0.0, 0.0),
    (-0.6, 0.0, 0.0),
    (0.1, 0.25, 0.0),
    (-0.2, 0.5, 0.0),
    (-0.5, 0.3, 0.0),
    (0.1, 0.0, 0.2),
    (-0.6, 0.0, 0.3),
    (0.6, 0.5, 0.1),
    (0.2, 0.6, 0.0),
]


@pytest.mark.slow
def test_symmetric_directions():
    """Fields along principal axes, where branches are mirror images, and rotational symmetry."""
    larmor, n = float(larmor_field(FREQUENCY)), 8 * len(SYMMETRIC)
    A, B, C = np.repeat(SYMMETRIC, 8, axis=0).T
    angle = np.deg2rad(np.tile(45.0 * np.arange(8), len(SYMMETRIC)))
    energy = brute_force.Quadratic(paper_tensor(A, B, C))
    expected = brute_force.resonances_by_minimization(
        energy, in_plane(angle), larmor, np.full(n, 2.0), starts=14
    )
    vector = expected.field[:, None] * in_plane(angle)[expected.draw]
    batch = energy.take(expected.draw)
    above = batch.value(expected.direction) - np.sum(expected.direction * vector, -1)
    lowest = above - brute_force.lowest_energy(batch, vector) < 1e-10
    highest = np.full(n, -np.inf)
    np.maximum.at(highest, expected.draw[lowest], expected.field[lowest])

    both = [at(*values) for values in zip(A, B, C, angle, strict=True)]
    branches = [np.array([getattr(b, name) for b, _ in both]) for name in ("field", "direction")]
    assert_same_sets(branches, expected.padded(n, SLOTS), tolerance=1e-7)
    measured = np.array([field for _, field in both])
    np.testing.assert_allclose(measured, np.where(highest > 0, highest, np.nan), rtol=1e-9)
    np.testing.assert_allclose([b.measured()[0] for b, _ in both], measured, rtol=1e-9)


# What a rotation, a mirror or a change of scale may do.


@given(fields, fields, fields, angles, st.floats(-3.2, 3.2))
def test_rotated_sample_shifts_the_curve(A, B, C, angle, turn):
    rotated = (B + 2j * C) * np.exp(2j * turn)
    first, _ = at(A, B, C, angle)
    second, _ = at(A, rotated.real, rotated.imag / 2, angle + turn)
    np.testing.assert_allclose(first.field, second.field, rtol=1e-7)
    np.testing.assert_array_equal(first.stable, second.stable)


@given(fields, fields, fields, angles, st.floats(0.1, 10))
def test_scaling_all_fields(A, B, C, angle, scale):
    _, first = at(A, B, C, angle)
    _, second = at(scale * A, scale * B, scale * C, angle, scale * FREQUENCY)
    np.testing.assert_allclose(second, scale * first, rtol=1e-8)


@given(fields, fields, fields, angles)
def test_mirror_images(A, B, C, angle):
    """Reversed field, and a mirror of sample and field."""
    _, field = at(A, B, C, angle)
    _, opposite = at(A, B, C, angle + np.pi)
    _, mirrored = at(A, B, -C, -angle)
    np.testing.assert_allclose(opposite, field, rtol=1e-8)
    np.testing.assert_allclose(mirrored, field, rtol=1e-8)


def test_equilibrium_condition_holds_on_a_curve():
    sample = AnisotropyFields(0.1915, 0.2046, 0.03)
    for angle in np.linspace(0, 2 * np.pi, 25):
        branches, _ = at(sample.A, sample.B, sample.C, angle)
        field, u = branches.measured()
        assert abs(equilibrium_condition(sample, field, angle, jnp.arctan2(u[1], u[0]))) < 1e-14
