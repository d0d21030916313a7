"""Terms of films and crystals against the formulas of their resonances, written in angles.

H(u) is an explicit function of the direction of M. So a formula with the angles of M and H is
checked at any M, without a solver.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import (
    AbstractEnergy,
    CubicAnisotropy,
    InPlaneAnisotropy,
    SecondOrderCubic,
    SecondOrderUniaxial,
    StandingSpinWave,
    ThinFilm,
    UniaxialAnisotropy,
    crystal_axes,
    crystal_direction,
    crystal_plane,
    larmor_field,
    plane_directions,
    resonance_field_along,
    resonance_frequency_along,
)
from diffdip.foundation.errors import InputError
from diffdip.numerics.vectors import components
from diffdip.resonance.energy_terms import quadratic_form
from diffdip.resonance.field_of_magnetization import field_terms
from diffdip.resonance.general_solver import GeneralSolver
from diffdip.resonance.tabulated import RUN_FEW_TIMES
from tests.helpers.random_dipoles import random_directions


W0 = 0.34
FRAME = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
ANGLES = np.linspace(0.05, 3.0, 12)


def harmonic(n):
    """The n-fold term in spherical angles about the third axis, with φ_n = 0.4."""

    def energy(x, y, z):
        return -0.09 / n**2 * (1 - z * z) ** (n / 2) * np.cos(n * (np.arctan2(y, x) - 0.4))

    return InPlaneAnisotropy(0.09, n, 0.4, FRAME), energy


TERMS = {
    "second-order uniaxial": (
        lambda: SecondOrderUniaxial(0.08, 7 * FRAME[2]),
        lambda x, y, z: 0.02 * (1 - z * z) ** 2,
    ),
    "cubic": (
        lambda: CubicAnisotropy(0.06, FRAME),
        lambda x, y, z: 0.03 * (x * x * y * y + y * y * z * z + z * z * x * x),
    ),
    "second-order cubic": (
        lambda: SecondOrderCubic(0.5, FRAME),
        lambda x, y, z: 0.25 * (x * y * z) ** 2,
    ),
    **{
        f"{n}-fold": (lambda n=n: harmonic(n)[0], lambda x, y, z, n=n: harmonic(n)[1](x, y, z))
        for n in (1, 2, 3, 4, 6)
    },
    "standing wave": (lambda: StandingSpinWave(0.2), lambda x, y, z: 0 * x),
}


def test_values_and_derivatives():
    """All terms in one program: values by hand, closed forms by differentiation."""
    directions = random_directions(0, 6)
    terms = {name: make() for name, (make, _) in TERMS.items()}

    @jax.jit(**RUN_FEW_TIMES)
    @jax.vmap
    def all_of(u):
        point = components(u)
        return {
            name: (term(u), term.derivatives(point), AbstractEnergy.derivatives(term, point))
            for name, term in terms.items()
        }

    found = all_of(jnp.asarray(directions))
    for name, (_, formula) in TERMS.items():
        value, closed, automatic = found[name]
        expected = formula(*(FRAME @ directions.T))
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-15, err_msg=name)
        for one, other in zip(jax.tree.leaves(closed), jax.tree.leaves(automatic), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-15, err_msg=name)


@jax.jit
def field_of(energy, u):
    """The vectors H(u), for u of shape (n, 3)."""

    def field(u):
        u = components(u)
        return jnp.stack(field_terms(energy, u).field(u, jnp.asarray(W0)))

    return jax.vmap(field)(u)


def in_frame(energy, angle, first, second):
    """|H|, and the angle of H from M, for M at an angle in a plane from which H does not leave."""
    u = np.outer(np.cos(angle), first) + np.outer(np.sin(angle), second)
    field = np.asarray(field_of(energy, jnp.asarray(u)))
    np.testing.assert_allclose(field @ np.cross(first, second), 0, atol=1e-15)
    x, y = field @ first, field @ second
    return np.hypot(x, y), np.arctan2(y, x) - angle


def test_polar_rotation_of_a_film():
    """Farle (Rep. Prog. Phys. 61, 755, 1998): (H cosΔ − M_eff cos2θ)(H cosΔ − M_eff cos²θ),

    with the derivatives of (H_2/4) sin⁴θ for the second order, and H_ex of a standing wave.
    """
    meff, h2, exchange = 0.7, 0.15, 0.05
    x, _, z = np.eye(3)
    film = ThinFilm(meff + 0.2) + UniaxialAnisotropy(0.2, z)  # M_eff = M − H_u
    energy = film + SecondOrderUniaxial(h2) + StandingSpinWave(exchange)
    size, lag = in_frame(energy, ANGLES, z, x)
    sin, cos = np.sin(ANGLES), np.cos(ANGLES)
    # θ_H − θ is −Δ of a torque that turns M to lower energy
    torque = -meff * sin * cos + h2 * sin**3 * cos
    np.testing.assert_allclose(size * np.sin(lag), torque, atol=1e-14)
    along = size * np.cos(lag) + exchange
    in_plane = along - meff * np.cos(2 * ANGLES) + h2 * (3 * sin**2 * cos**2 - sin**4)
    across = along - meff * cos**2 + h2 * sin**2 * cos**2
    np.testing.assert_allclose(in_plane * across, W0**2, rtol=1e-12)


def test_cubic_in_the_plane_110():
    """Bickford (Phys. Rev. 78, 449, 1950), θ from [001], with K_2 by hand:

    [H cosΔ + (K_1/M)(2 − sin²θ − 3 sin²2θ)] [H cosΔ + (2K_1/M)(1 − 2 sin²θ − ⅜ sin²2θ)].
    """
    h1, h2 = 0.06, 0.3
    for axes in (np.eye(3), np.asarray(crystal_axes("110", "001"))):
        plane = np.asarray(crystal_plane("110", "001", axes))
        energy = CubicAnisotropy(h1, axes) + SecondOrderCubic(h2, axes)
        size, lag = in_frame(energy, ANGLES, *plane)
        s2, c2, double = np.sin(ANGLES) ** 2, np.cos(ANGLES) ** 2, np.sin(2 * ANGLES) ** 2
        along, k1_over_m = size * np.cos(lag), h1 / 2
        in_plane = along + k1_over_m * (2 - s2 - 3 * double)
        in_plane += h2 / 8 * (12 * s2 * c2 - 4 * s2**2 - 30 * s2**2 * c2 + 6 * s2**3)
        across = along + 2 * k1_over_m * (1 - 2 * s2 - 3 / 8 * double)
        across += h2 / 8 * (4 * s2 * c2 - 6 * s2**2 * c2) - h2 * s2 * c2
        np.testing.assert_allclose(in_plane * across, W0**2, rtol=1e-12)


def test_cubic_in_the_plane_of_a_001_film():
    """Farle: [H cosΔ + H_4 cos4φ] [H cosΔ + M_eff + (H_4/4)(3 + cos4φ)]."""
    h1, meff = 0.06, 0.7
    size, lag = in_frame(CubicAnisotropy(h1) + ThinFilm(meff), ANGLES, *np.eye(3)[:2])
    cos4, along = np.cos(4 * ANGLES), size * np.cos(lag)
    np.testing.assert_allclose(size * np.sin(lag), h1 / 4 * np.sin(4 * ANGLES), atol=1e-15)
    product = (along + h1 * cos4) * (along + meff + h1 / 4 * (3 + cos4))
    np.testing.assert_allclose(product, W0**2, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_n_fold_in_plane(n):
    """[H cosΔ + H_n cos n(φ−φ_n)] [H cosΔ + M_eff + (H_n/n) cos n(φ−φ_n)]."""
    strength, meff, start = 0.05, 0.7, 0.4
    energy = InPlaneAnisotropy(strength, n, start) + ThinFilm(meff)
    size, lag = in_frame(energy, ANGLES, *np.eye(3)[:2])
    cos, sin = np.cos(n * (ANGLES - start)), np.sin(n * (ANGLES - start))
    along = size * np.cos(lag)
    np.testing.assert_allclose(size * np.sin(lag), strength / n * sin, atol=1e-15)
    product = (along + strength * cos) * (along + meff + strength / n * cos)
    np.testing.assert_allclose(product, W0**2, rtol=1e-12)


def test_second_order_cubic_is_six_fold_in_a_111_film():
    """u₁²u₂²u₃² = (1 − cos 6φ)/108 from [1-10], and K_1 has no part in the plane."""
    axes = crystal_axes("111", "1-10")
    u = plane_directions(ANGLES)
    six = jax.vmap(SecondOrderCubic(0.54, axes))(u)
    np.testing.assert_allclose(six, 0.27 * (1 - np.cos(6 * ANGLES)) / 108, atol=1e-16)
    np.testing.assert_allclose(jax.vmap(CubicAnisotropy(0.06, axes))(u), 0.03 / 4, rtol=1e-13)


@pytest.mark.parametrize(
    "axes", [np.ones((3, 3)), [[1.0, 0, 0], [0, 1, 0], [0, 1, 1]], 2 * np.eye(3), np.eye(2)]
)
def test_axes_that_are_not_orthonormal(axes):
    for make in (CubicAnisotropy, SecondOrderCubic, lambda h, a: InPlaneAnisotropy(h, 4, axes=a)):
        with pytest.raises(InputError) as caught:
            make(0.06, axes)
        assert caught.value.what == "axes"
    with pytest.raises(InputError):
        crystal_direction("111", axes)


def test_a_fold_below_one():
    with pytest.raises(InputError) as caught:
        InPlaneAnisotropy(0.05, 0)
    assert caught.value.what == "fold"


# one structure for all tests that need a solver: its programs take long to compile
def some_sample(**fields):
    """A sum of seven terms, with fields in tesla, 0 unless they are given."""
    z, tilted = np.array([0.0, 0.0, 1.0]), np.array([1.0, 2.0, 2.0])
    get = lambda name: fields.get(name, 0.0)
    axes = crystal_axes("110", "001")
    return (
        ThinFilm(get("film"))
        + UniaxialAnisotropy(get("uniaxial"), tilted)
        + SecondOrderUniaxial(get("second"), z)
        + CubicAnisotropy(get("cubic"), axes)
        + SecondOrderCubic(get("cubic_2"), axes)
        + InPlaneAnisotropy(get("four"), 4, 0.3)
        + StandingSpinWave(get("exchange"))
    )


def energy_by_hand(fields, u):
    """The same energy of unit vectors (..., 3), written out."""
    x, y, z = np.moveaxis(u, -1, 0)
    # [001] is x, [1-10] is y, [110] is z
    a, b, c = (z + y) / 2**0.5, (z - y) / 2**0.5, x
    in_plane = (x + 1j * y) * np.exp(-0.3j)
    return (
        fields["film"] / 2 * z**2
        - fields["uniaxial"] / 2 * ((x + 2 * y + 2 * z) / 3) ** 2
        + fields["second"] / 4 * (1 - z**2) ** 2
        + fields["cubic"] / 2 * (a * a * b * b + b * b * c * c + c * c * a * a)
        + fields["cubic_2"] / 2 * (a * b * c) ** 2
        - fields["four"] / 16 * (in_plane**4).real
    )


NAMES = ("film", "uniaxial", "second", "cubic", "cubic_2", "four", "exchange")
FREQUENCY = 20e9


@jax.jit(**RUN_FEW_TIMES)
def solved(values, directions):
    """Hres of one sample along directions, and its change if H_ex and w0 grow by 2 and 3 T."""

    def fields(exchange, larmor):
        energy = some_sample(**dict(zip(NAMES, (*values[:-1], exchange), strict=True)))
        return resonance_field_along(energy, directions, larmor / larmor_field(1.0))

    w0 = larmor_field(FREQUENCY)
    return jax.jvp(fields, (values[-1], w0), (2 * jnp.ones_like(w0), 3 * jnp.ones_like(w0)))


@pytest.mark.slow
def test_solver_of_all_terms():
    """Formulas along symmetry axes, and random samples by differences of the energy by hand."""
    w0 = float(larmor_field(FREQUENCY))
    x, z, other = np.eye(3)[[0, 2, 1]]
    # a film with a standing wave: Kittel in the plane and along the normal
    meff, exchange, second = 0.5, 0.15, 0.06
    film = jnp.array([meff, 0, second, 0, 0, 0, exchange])
    (in_plane, normal, _), change = jax.device_get(solved(film, np.array([x, z, other])))
    h, h_normal, both = in_plane + exchange, normal + exchange, meff - second
    np.testing.assert_allclose([h * (h + both), (h_normal - meff) ** 2], w0**2, rtol=1e-12)
    by_w0 = [2 * w0 / (2 * h + both), 1]
    np.testing.assert_allclose(change[:2], 3 * np.array(by_w0) - 2, rtol=1e-12)

    rng = np.random.default_rng(3)
    mesh = random_directions(5, 20000)
    size = np.array([0.6, 0.08, 0.1, 0.08, 0.2, 0.05, 0.2])
    for _ in range(4):
        values = rng.uniform(-1, 1, 7) * size
        values[[0, 6]] = np.abs(values[[0, 6]])
        directions = random_directions(rng.integers(100), 3)
        found, _ = solved(values, directions)
        assert np.isfinite(found).all()
        fields = dict(zip(NAMES, values, strict=True))
        by_hand = [
            larmor_by_hand(fields, h * along, mesh)
            for h, along in zip(found, directions, strict=True)
        ]
        np.testing.assert_allclose(by_hand, w0, rtol=1e-5)


def larmor_by_hand(fields, applied, mesh):
    """w of the precession about the global minimum, by differences of the energy, with H_ex."""
    depth = lambda u: energy_by_hand(fields, u) - u @ applied
    u = minimum(depth, mesh)
    _, _, (_, first, second) = np.linalg.svd(u[None])
    step = 1e-3

    def at(p, q):
        point = u + step * (p * first + q * second)
        return depth(point / np.linalg.norm(point)) / step**2

    xx = at(1, 0) + at(-1, 0) - 2 * at(0, 0) + fields["exchange"]
    yy = at(0, 1) + at(0, -1) - 2 * at(0, 0) + fields["exchange"]
    xy = (at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)) / 4
    return np.sqrt(xx * yy - xy * xy)


def minimum(depth, mesh):
    """The lowest point of a function on the sphere: random search in shrinking caps."""
    u = mesh[np.argmin(depth(mesh))]
    for size in 0.03 * 0.5 ** np.arange(24):
        near = u + size * mesh[:400]
        near = np.concatenate([u[None], near / np.linalg.norm(near, axis=1, keepdims=True)])
        u = near[np.argmin(depth(near))]
    return u


def test_a_standing_wave_needs_a_minimum_of_the_energy():
    """Along the normal of a film exchange alone keeps M up: w0 = H + H_ex − M_eff, at H < M_eff."""

    @jax.jit(**RUN_FEW_TIMES)
    def judged(exchange):
        energy = ThinFilm(0.5) + StandingSpinWave(exchange)
        solver, up = GeneralSolver(energy, np.dtype(float)), components(jnp.array([0.0, 0.0, 1.0]))
        return solver._judged(up, up, jnp.asarray(W0))[:2]

    for exchange, exists in ((0.6, False), (0.33, True)):
        field, found = judged(exchange)
        np.testing.assert_allclose(field, W0 + 0.5 - exchange, rtol=1e-12)
        assert bool(found) is exists


def test_frequencies_of_a_standing_wave():
    """Kittel's formulas the other way round: in the plane, and along the normal above M_eff."""

    @jax.jit(**RUN_FEW_TIMES)
    def frequencies(exchange):
        energy, field = ThinFilm(0.5) + StandingSpinWave(exchange), jnp.array([0.2, 0.7])
        return resonance_frequency_along(energy, jnp.eye(3)[jnp.array([0, 2])], field)

    found = frequencies(0.1) * larmor_field(1.0)
    np.testing.assert_allclose(found, [np.sqrt(0.3 * 0.8), 0.7 + 0.1 - 0.5], rtol=1e-12)


def test_a_standing_wave_is_no_tensor():
    """Its sums are solved as general energies: the polynomial of a tensor does not know H_ex."""
    energy = ThinFilm(0.5) + StandingSpinWave(0.1)
    assert quadratic_form(energy) is None
    assert energy.exchange_field() == pytest.approx(0.1)
    assert ThinFilm(0.5).exchange_field() is None
    both = StandingSpinWave(0.1) + (energy + ThinFilm(0.2))
    assert both.exchange_field() == pytest.approx(0.2)
