"""Derivatives of resonance fields: forward, reverse and second, also near the ends of branches.

The reference solves equilibrium and resonance as equations for M, the multiplier λ and H with
numpy, and differentiates the equations by a complex step, which is exact to rounding.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import (
    AnisotropyFields,
    CubicAnisotropy,
    TensorAnisotropy,
    ThinFilm,
    UniaxialAnisotropy,
    larmor_field,
    resonance_branches,
    resonance_field,
    resonance_field_along,
)
from tests.helpers import brute_force


pytestmark = pytest.mark.slow


FREQUENCY = 9.45e9


def equations(K, h, larmor, u, multiplier, field):
    """Zero at a resonance: K u − H ĥ = λ u, |u| = 1, det of the tangential stiffness = w0²."""
    N = K - multiplier * np.eye(3)
    a, b, c = N
    adjugate = np.array([np.cross(b, c), np.cross(c, a), np.cross(a, b)])
    return np.array([*(N @ u - field * h), u @ u - 1, u @ adjugate @ u - larmor**2])


def implicit(model, p, u, field):
    """H(p) and dH/dp on the branch next to (u, H); `model` maps p to K, ĥ, w0."""
    K, h, _ = model(p)
    x = np.array([*u, u @ K @ u - field * (h @ u), field])
    at = lambda p, x: equations(*model(p), x[:3], x[3], x[4])

    def slopes(p, x):
        steps = 1e-30j * np.eye(5), 1e-30j * np.eye(len(p))
        by_x = np.array([at(p, x + step).imag for step in steps[0]]).T / 1e-30
        return by_x, np.array([at(p + step, x).imag for step in steps[1]]).T / 1e-30

    for _ in range(3):
        x = x - np.linalg.solve(slopes(p, x)[0], at(p, x))
    jacobian, change = slopes(p, x)
    return x[4], -np.linalg.solve(jacobian, change)[4], x


def implicit_hessian(model, p, u, field, step):
    """d²H/dp² by central differences of the exact gradient."""
    rows = []
    for e in np.eye(len(p)):
        sides = []
        for sign in (1, -1):
            x_u, x_field = u, field
            for part in (0.5, 1.0):  # in two steps, so that Newton stays on the branch
                x_field, gradient, x = implicit(model, p + sign * part * step * e, x_u, x_field)
                x_u = x[:3]
            sides.append(gradient)
        rows.append((sides[0] - sides[1]) / (2 * step))
    return np.array(rows)


def paper_model(p):
    """K, ĥ, w0 from A, B, C in tesla, the angle, ν over 9.45 GHz, and g."""
    A, B, C, angle, frequency, g = p
    K = -np.array([[(A + B) / 2, C, 0], [C, (A - B) / 2, 0], [0, 0, -A]])
    larmor = float(larmor_field(FREQUENCY)) * frequency * 2 / g
    return K, np.array([np.cos(angle), np.sin(angle), 0]), larmor


def paper_field(p):
    A, B, C, angle, frequency, g = p
    return resonance_field(AnisotropyFields(A, B, C), angle, frequency * FREQUENCY, g)


def tensor_model(p):
    """K from six elements, ĥ from a vector of any length, ν over 9.45 GHz, and g."""
    xx, yy, zz, xy, xz, yz, *v, frequency, g = p
    K = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    v = np.array(v)
    return K, v / np.sqrt(v @ v), float(larmor_field(FREQUENCY)) * frequency * 2 / g


def tensor_field(p):
    xx, yy, zz, xy, xz, yz, *v, frequency, g = p
    K = jnp.stack([jnp.stack([xx, xy, xz]), jnp.stack([xy, yy, yz]), jnp.stack([xz, yz, zz])])
    v = jnp.stack(v)
    direction = v / jnp.linalg.norm(v)
    return resonance_field_along(TensorAnisotropy(K), direction, frequency * FREQUENCY, g)


def derivatives(function):
    """(p) → value, forward and reverse gradient, Hessian, over a batch of p."""

    def reverse(p):
        both = jax.value_and_grad(function)(p)
        return both, both

    def all_of_them(p):
        (forward, hessian), (value, gradient) = jax.jacfwd(reverse, has_aux=True)(p)
        return value, forward, gradient, hessian

    return jax.jit(jax.vmap(all_of_them))


def derivatives_twice_forward(function):
    """The same, with the Hessian by two forward passes, which compile in half the time."""

    def forward(p):
        gradient = jax.jacfwd(function)(p)
        return gradient, gradient

    def all_of_them(p):
        hessian, gradient = jax.jacfwd(forward, has_aux=True)(p)
        value, reverse = jax.value_and_grad(function)(p)
        return value, gradient, reverse, hessian

    return jax.jit(jax.vmap(all_of_them))


def assert_close(found, expected, tolerance):
    """To a tolerance relative to the largest element."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def expected_branches(p):
    """Brute-force branches of A, B, C, …: fields and directions, highest first."""
    K, h, larmor = paper_model(p)
    found, _ = brute_force.planar_resonances(K[None], np.arctan2(h[1:2], h[:1]), larmor)
    order = np.argsort(-found.field)
    return found.field[order], found.direction[order]


@pytest.fixture(scope="module")
def planar():
    """Derivatives of paper_field at random points; `p` and what `derivatives` returns."""
    rng = np.random.default_rng(11)
    with jax.enable_x64(True):
        larmor = float(larmor_field(FREQUENCY))
        p = np.c_[
            rng.uniform(-0.8, 0.8, (80, 3)) * larmor,
            rng.uniform(0, 6.28, 80),
            rng.uniform(0.95, 1.05, 80),
            rng.uniform(1.9, 2.2, 80),
        ]
        return p, [np.asarray(array) for array in derivatives(paper_field)(p)]


def test_planar_against_the_implicit_function(planar):
    p, (value, forward, reverse, hessian) = planar
    clear = np.nonzero(np.isfinite(value))[0]
    assert len(clear) > 30
    for count, i in enumerate(clear[:40]):
        fields, directions = expected_branches(p[i])
        nearest = np.argmin(np.abs(fields - value[i]))
        reference = (paper_model, p[i], directions[nearest], fields[nearest])
        field, gradient, _ = implicit(*reference)
        np.testing.assert_allclose(value[i], field, rtol=1e-11)
        assert_close(forward[i], gradient, 1e-9)
        assert_close(reverse[i], gradient, 1e-9)
        if count < 8:
            assert_close(hessian[i], implicit_hessian(*reference, step=3e-6), 1e-5)


def test_gradient_of_gradient(planar):
    """Reverse over reverse gives the same Hessian as forward over reverse."""
    p, (*_, hessian) = planar
    again = jax.jit(jax.vmap(jax.jacrev(jax.grad(paper_field))))(p)
    np.testing.assert_allclose(again, hessian, rtol=1e-7, atol=1e-9 * np.abs(hessian).max())


def test_no_resonance_has_zero_gradient(planar):
    _, (value, *rest) = planar
    none = np.isnan(value)
    assert 5 < none.sum() < 60
    for derivative in rest:
        assert (derivative[none] == 0).all()
        assert np.isfinite(derivative).all()


def test_planar_against_differences_of_the_field_itself(planar):
    p, (_, forward, *_) = planar
    solve, step = jax.jit(jax.vmap(paper_field)), 1e-5
    shifted = lambda by: np.stack([solve(p + by * e) for e in np.eye(6)], axis=1)
    difference = (shifted(step) - shifted(-step)) / (2 * step)
    clear = np.isfinite(difference).all(1)
    assert clear.sum() > 30
    error = np.abs(forward - difference)[clear].max(1) / np.abs(forward[clear]).max(1)
    assert np.median(error) < 1e-8
    assert (error < 1e-5).mean() > 0.95


def test_every_branch_has_a_derivative():
    """Metastable branches and those with M out of the plane, forward and reverse."""
    points = np.array(
        [
            [0.1, 0.55, 0.0, 1.517, 1.0, 2.0],  # three in the plane
            [-0.6, 0.2, 0.1, 0.7, 1.0, 2.0],  # one, and a tilted pair
            [-0.6, 0.35, 0.4, 2.0, 1.1, 2.1],
        ]
    )

    def fields(p):
        A, B, C, angle, frequency, g = p
        branches = resonance_branches(AnisotropyFields(A, B, C), angle, frequency * FREQUENCY, g)
        return branches.field

    solve = jax.jit(jax.vmap(lambda p: (fields(p), jax.jacfwd(fields)(p), jax.jacrev(fields)(p))))
    value, forward, reverse = solve(points)
    for i, p in enumerate(points):
        expected, directions = expected_branches(p)
        n = len(expected)
        assert n == 3
        np.testing.assert_allclose(value[i, :n], expected, rtol=1e-10)
        for slot in range(n):
            _, gradient, _ = implicit(paper_model, p, directions[slot], expected[slot])
            assert_close(forward[i, slot], gradient, 1e-8)
            assert_close(reverse[i, slot], gradient, 1e-8)
        assert (forward[i, n:] == 0).all()
        assert (reverse[i, n:] == 0).all()


def branch_end(p, low, high):
    """The angle between `low` (more branches) and `high` (fewer) where two of them merge."""
    count = lambda angle: len(expected_branches(np.array([*p[:3], angle, *p[4:]]))[0])
    more = count(low)
    assert count(high) < more
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if count(middle) == more else (low, middle)
    return low


@pytest.mark.parametrize("distance", [1e-3, 1e-5])
def test_derivatives_near_a_branch_end(distance):
    """The slope grows as the inverse root of the distance; it stays right to many digits."""
    start = np.array([0.1, 0.55, 0.0, 1.5, 1.0, 2.0])
    angles = np.linspace(1.55, 0, 200)
    counts = [len(expected_branches(np.array([*start[:3], a, 1.0, 2.0]))[0]) for a in angles]
    last = np.nonzero(np.diff(counts) < 0)[0][0]
    end = branch_end(start, angles[last], angles[last + 1])
    p = np.array([*start[:3], end * (1 + distance), 1.0, 2.0])
    expected, directions = expected_branches(p)
    assert len(expected) == 3

    def fields(p):
        A, B, C, angle, frequency, g = p
        branches = resonance_branches(AnisotropyFields(A, B, C), angle, frequency * FREQUENCY, g)
        return branches.field[:3]

    value, slopes = jax.jit(lambda p: (fields(p), jax.jacrev(fields)(p)))(p)
    steep = 0
    for slot in range(3):
        field, gradient, _ = implicit(paper_model, p, directions[slot], expected[slot])
        np.testing.assert_allclose(value[slot], field, rtol=1e-11)
        assert_close(slopes[slot], gradient, 1e-13 / distance)
        steep += abs(gradient[3]) > 0.03 / distance**0.5
    assert steep == 2


def test_curve_with_gaps():
    """nansum over a curve, some of whose points have no resonance: finite and right."""
    angle = jnp.linspace(0.0, np.pi, 60)
    # an easy axis slightly stronger than w0: nothing resonates near it
    p = np.array([-0.13, -0.36, 0.03])

    def total(p):
        field = resonance_field(AnisotropyFields(*p, convention="physical"), angle, FREQUENCY)
        return jnp.nansum(field), field

    solve = jax.jit(total)
    _, field = solve(p)
    assert 5 < np.isnan(field).sum() < 55
    forward, _ = jax.jit(jax.jacfwd(total))(p)
    reverse, _ = jax.jit(jax.grad(total, has_aux=True))(p)
    difference = []
    for e in 1e-6 * np.eye(3):
        (up, field_up), (down, field_down) = solve(p + e), solve(p - e)
        assert (np.isnan(field_up) == np.isnan(field_down)).all()
        difference.append((up - down) / 2e-6)
    assert_close(forward, np.array(difference), 1e-6)
    assert_close(reverse, np.array(difference), 1e-6)


def test_tensor_elements_direction_frequency_and_g():
    rng, larmor = np.random.default_rng(12), float(larmor_field(FREQUENCY))
    n = 40
    p = np.c_[
        rng.uniform(-0.5, 0.5, (n, 6)) * larmor,
        rng.normal(size=(n, 3)),
        rng.uniform(0.95, 1.05, n),
        rng.uniform(1.9, 2.2, n),
    ]
    p[-1, :9] = -2.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.3, 1.0, 0.2  # nothing stable resonates
    value, forward, reverse, hessian = map(np.asarray, derivatives(tensor_field)(p))
    none = np.isnan(value)
    assert none[-1]
    assert (~none).sum() > 20
    for derivative in (forward, reverse, hessian):
        assert (derivative[none] == 0).all()
    for count, i in enumerate(np.nonzero(~none)[0]):
        reference = (tensor_model, p[i], lowest_direction(p[i], value[i]), value[i])
        field, gradient, _ = implicit(*reference)
        np.testing.assert_allclose(value[i], field, rtol=1e-11)
        assert_close(forward[i], gradient, 1e-9)
        assert_close(reverse[i], gradient, 1e-9)
        if count < 8:
            assert_close(hessian[i], implicit_hessian(*reference, step=3e-6), 1e-5)


def lowest_direction(p, field):
    """Where the measured branch has M: the global minimum of the energy in that field."""
    K, h, _ = tensor_model(p)
    energy = brute_force.Quadratic(K)
    u = brute_force.descend(energy, brute_force.spread_points(40), field * h)
    return u[np.argmin(energy.value(u) - field * u @ h)]


def test_general_energies():
    """Cubic, uniaxial and thin-film parameters, angle, frequency and g, by finite differences."""

    def field(p):
        cubic, turn, uniaxial, x, y, film, angle, frequency, g = p
        one, zero = jnp.ones_like(turn), jnp.zeros_like(turn)
        c, s = jnp.cos(turn), jnp.sin(turn)
        axes = jnp.stack([jnp.stack([c, s, zero]), jnp.stack([-s, c, zero]), zero + jnp.eye(3)[2]])
        energy = CubicAnisotropy(cubic, axes) + UniaxialAnisotropy(uniaxial, jnp.stack([x, y, one]))
        return resonance_field(energy + ThinFilm(film), angle, frequency * FREQUENCY, g)

    points = np.array(
        [
            [0.06, 0.2, 0.05, 0.7, -0.4, 0.1, 0.5, 1.0, 2.0],
            [-0.05, 0.9, 0.08, -0.2, 1.4, 0.15, 2.0, 1.05, 2.1],
            [-0.3, 0.1, 1.5, 0.1, 0.0, -0.5, 1.0, 1.0, 2.0],  # nothing stable resonates
        ]
    )
    solve, step = derivatives_twice_forward(field), 1e-5
    value, forward, reverse, hessian = solve(points)
    assert np.isnan(value).tolist() == [False, False, True]
    for derivative in (forward, reverse, hessian):
        assert (derivative[2] == 0).all()
    for k, e in enumerate(np.eye(9)):
        up, _, up_slope, _ = solve(points + step * e)
        down, _, down_slope, _ = solve(points - step * e)
        for i in range(2):
            size = np.abs(forward[i]).max(), np.abs(hessian[i]).max()
            slope, curvature = (up - down)[i] / 2 / step, (up_slope - down_slope)[i] / 2 / step
            np.testing.assert_allclose(forward[i, k], slope, rtol=0, atol=1e-7 * size[0])
            np.testing.assert_allclose(reverse[i, k], slope, rtol=0, atol=1e-7 * size[0])
            np.testing.assert_allclose(hessian[i, k], curvature, rtol=0, atol=1e-6 * size[1])
