"""Containers against plain numpy: where points fall, what is inside, how far it reaches."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from diffdip.ensembles.containers import Box, Cylinder, Sphere, unit_vector
from diffdip.foundation.errors import InputError


VOLUME, MARGIN = 7.0, 0.2
EDGES = np.array([1.0, 3.0, 0.5])
# made where they are used, so that they are float64
SHAPES = {
    "sphere": Sphere,
    "long cylinder": lambda: Cylinder(2.0),
    "flat cylinder": lambda: Cylinder(0.4),
    "box": lambda: Box(tuple(EDGES)),
}


@pytest.fixture(params=list(SHAPES))
def shape(request):
    return SHAPES[request.param]()


def half_sizes(shape, volume):
    """Of the bounding box, from the textbook's volume."""
    if isinstance(shape, Sphere):
        return np.full(3, (volume / (4 / 3 * np.pi)) ** (1 / 3))
    if isinstance(shape, Cylinder):  # V = πr²h with h = aspect · 2r
        radius = (volume / (2 * np.pi * float(shape.aspect))) ** (1 / 3)
        return np.array([radius, radius, float(shape.aspect) * radius])
    return EDGES * (volume / 1.5) ** (1 / 3) / 2


def is_inside(shape, points, volume, margin):
    room = half_sizes(shape, volume) - margin
    x, y, z = points.T
    if isinstance(shape, Sphere):
        return np.sqrt(x**2 + y**2 + z**2) <= room[0]
    if isinstance(shape, Cylinder):
        return (np.hypot(x, y) <= room[0]) & (abs(z) <= room[2])
    return (abs(x) <= room[0]) & (abs(y) <= room[1]) & (abs(z) <= room[2])


@eqx.filter_jit
def compiled_points(shape, uniform, volume, margin):
    return jax.vmap(lambda u: shape.point(u, volume, margin))(uniform)


@eqx.filter_jit
def compiled_reach(shape, points, volume, margin):
    return shape.reach(points, volume, margin)


def points_of(shape, uniform, volume=VOLUME, margin=MARGIN):
    return np.asarray(compiled_points(shape, uniform, np.asarray(volume), np.asarray(margin)))


def reach_of(shape, points, volume=VOLUME, margin=MARGIN):
    return np.asarray(compiled_reach(shape, points, np.asarray(volume), np.asarray(margin)))


def contains(shape, points, margin):
    return np.asarray(shape.contains(jnp.asarray(points), VOLUME, margin))


def uniforms(count=4000, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, 3))


def assert_uniform(values):
    """On [0, 1], by Kolmogorov and Smirnov: 1 in 1000 would fail, with a fixed seed none does."""
    assert scipy.stats.kstest(values, "uniform").pvalue > 1e-3


def assert_independent(*values):
    """Correlations within four standard deviations of none."""
    correlation = np.corrcoef(values)
    assert np.max(abs(correlation - np.eye(len(values)))) < 4 / np.sqrt(len(values[0]))


def test_points_are_uniform(shape):
    """The coordinates in which a uniform density is constant, on [0, 1], and independent."""
    points = points_of(shape, uniforms())
    room = half_sizes(shape, VOLUME) - MARGIN
    x, y, z = points.T
    if isinstance(shape, Sphere):
        radius = np.linalg.norm(points, axis=1)
        natural = [(radius / room[0]) ** 3, (z / radius + 1) / 2, np.arctan2(y, x) / (2 * np.pi)]
    elif isinstance(shape, Cylinder):
        natural = [
            np.hypot(x, y) ** 2 / room[0] ** 2,
            (z / room[2] + 1) / 2,
            np.arctan2(y, x) / (2 * np.pi),
        ]
    else:
        natural = list((points / room + 1).T / 2)
    natural = [value % 1 for value in natural]
    for value in natural:
        assert_uniform(value)
    assert_independent(*natural)


def test_directions_are_uniform():
    directions = np.asarray(unit_vector(jnp.asarray(uniforms()[:, :2])))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-14)
    x, y, z = directions.T
    assert_uniform((z + 1) / 2)
    assert_uniform(np.arctan2(y, x) / (2 * np.pi) % 1)
    assert_independent(z, np.arctan2(y, x))


@pytest.mark.parametrize("margin", [0.0, MARGIN, -0.1])
def test_contains_is_that_of_numpy(shape, margin):
    half = half_sizes(shape, VOLUME)
    points = (2 * uniforms() - 1) * 1.1 * half
    expected = is_inside(shape, points, VOLUME, margin)
    np.testing.assert_array_equal(contains(shape, points, margin), expected)
    assert 0.05 < expected.mean() < 0.95


def test_points_lie_inside_and_fill_it(shape):
    """With the margin and not beyond; the last few per cent to each wall are reached."""
    points = points_of(shape, uniforms())
    assert is_inside(shape, points, VOLUME, MARGIN - 1e-12).all()
    room = half_sizes(shape, VOLUME) - MARGIN
    assert (points.max(axis=0) > 0.95 * room).all()
    assert (points.min(axis=0) < -0.95 * room).all()


def test_a_wall_counts_as_inside(shape):
    room = half_sizes(shape, VOLUME) - MARGIN
    for axis in range(3):
        for sign in (-1, 1):
            wall = sign * np.eye(3)[axis] * room
            assert contains(shape, wall * (1 - 1e-12), MARGIN)
            assert not contains(shape, wall * (1 + 1e-12), MARGIN)


def test_volume_is_the_given_one(shape):
    """The share of a box around it, within four binomial standard deviations."""
    half = 1.2 * half_sizes(shape, VOLUME)
    count = 200_000
    inside = contains(shape, (2 * uniforms(count) - 1) * half, 0.0)
    share = VOLUME / np.prod(2 * half)
    assert abs(inside.mean() - share) < 4 * np.sqrt(share * (1 - share) / count)


@pytest.mark.slow
def test_reach_is_the_farthest_point(shape):
    """Of a grid of all that `point` gives, ends included, seen from some points inside."""
    grid = np.linspace(0, 1, 41)
    everything = points_of(shape, np.stack(np.meshgrid(grid, grid, grid), -1).reshape(-1, 3))
    start = points_of(shape, uniforms(20), margin=0.0)
    reach = reach_of(shape, start)
    farthest = np.linalg.norm(start[:, None] - everything, axis=-1).max(axis=1)
    assert (farthest <= reach * (1 + 1e-12)).all()
    # an angle of π/41 off the farthest point of a circle or sphere, at most
    assert (farthest >= reach * np.cos(np.pi / 41)).all()


def test_sizes_go_with_the_cube_root_of_the_volume(shape):
    uniform, points = uniforms(50), points_of(shape, uniforms(50))
    np.testing.assert_allclose(
        points_of(shape, uniform, 8 * VOLUME, 2 * MARGIN), 2 * points, rtol=1e-12
    )
    np.testing.assert_allclose(
        reach_of(shape, 2 * points, 8 * VOLUME, 2 * MARGIN),
        2 * reach_of(shape, points),
        rtol=1e-12,
    )


def test_no_room(shape):
    margin = half_sizes(shape, VOLUME).min()
    origin = np.zeros(3)
    for too_much in (margin * (1 + 1e-12), 2 * margin):
        points = points_of(shape, uniforms(5), margin=too_much)
        assert np.isnan(points).any(axis=1).all()
        assert not contains(shape, origin, too_much)
        assert np.isnan(reach_of(shape, origin, margin=too_much))
    assert contains(shape, origin, margin * (1 - 1e-12))
    assert np.isfinite(points_of(shape, uniforms(5), margin=margin * (1 - 1e-12))).all()


def test_derivative_by_volume(shape):
    """Forward and reverse, against a central difference."""
    uniform, step = jnp.asarray(uniforms(1)[0]), 1e-4

    @jax.jit
    def point_and_derivatives(volume):
        point = lambda volume: shape.point(uniform, volume, MARGIN)
        return point(volume), jax.jacfwd(point)(volume), jax.jacrev(point)(volume)

    below, above = (point_and_derivatives(VOLUME + sign * step)[0] for sign in (-1, 1))
    expected = np.asarray(above - below) / (2 * step)
    assert (abs(expected) > 1e-3).any()
    for derivative in point_and_derivatives(VOLUME)[1:]:
        np.testing.assert_allclose(derivative, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "parameters"), [(Cylinder, np.array(0.7)), (Box, np.array([1.0, 3.0, 0.5]))]
)
def test_derivative_by_proportions(make, parameters):
    uniform = jnp.asarray(uniforms(1)[0])
    point = jax.jit(lambda p: make(p).point(uniform, VOLUME, MARGIN))
    jacobian = np.asarray(jax.jit(jax.jacfwd(point))(jnp.asarray(parameters)))
    step = 1e-5
    for index in np.ndindex(parameters.shape):
        change = np.zeros(parameters.shape)
        change[index] = step
        expected = (point(parameters + change) - point(parameters - change)) / (2 * step)
        np.testing.assert_allclose(jacobian[(slice(None), *index)], expected, rtol=1e-7, atol=1e-9)
        assert np.max(abs(expected)) > 1e-2


@pytest.mark.parametrize(
    ("make", "what", "given"),
    [
        (Cylinder, "aspect", 0.0),
        (Cylinder, "aspect", -1.5),
        (Cylinder, "aspect", np.inf),
        (Cylinder, "aspect", np.nan),
        (Box, "edges", [1.0, 0.0, 1.0]),
        (Box, "edges", [1.0, 2.0, -0.1]),
        (Box, "edges", [np.nan, 1.0, 1.0]),
        (Box, "edges", [1.0, 2.0]),
    ],
)
def test_proportions_that_no_shape_has(make, what, given):
    with pytest.raises(InputError) as error:
        make(given)
    assert error.value.what == what
    assert error.value.given == pytest.approx(given, nan_ok=True)


@pytest.mark.slow
def test_traced_proportions_are_not_checked():
    """Inside `vmap` no error is possible: impossible proportions have no room."""
    place = lambda make: lambda p: make(p).point(jnp.full(3, 0.3), VOLUME, MARGIN)
    aspects = jnp.array([0.7, -0.7])
    edges = jnp.array([[1.0, 3.0, 0.5], [1.0, -3.0, 0.5]])
    for make, proportions in ((Cylinder, aspects), (Box, edges)):
        one = place(make)(proportions[0])
        for many in (jax.vmap(place(make)), jax.jit(jax.vmap(place(make)))):
            good, bad = many(proportions)
            np.testing.assert_allclose(good, one, rtol=1e-12)
            assert np.isnan(bad).any()
