"""Energy terms against their formulas, their derivatives, sums, and new terms of a user."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip import (
    AbstractEnergy,
    AbstractTensorEnergy,
    AnisotropyFields,
    CubicAnisotropy,
    EnergySum,
    TensorAnisotropy,
    ThinFilm,
    UniaxialAnisotropy,
    larmor_field,
    resonance_field_along,
)
from diffdip.resonance.energy_terms import quadratic_form
from tests.helpers.random_dipoles import random_directions


FREQUENCY = 9.45e9
K = np.array([[0.1, 0.03, -0.02], [0.03, -0.05, 0.04], [-0.02, 0.04, 0.02]])
AXIS = np.array([2.0, -1.0, 2.0])  # of length 3
NORMAL = np.array([0.0, 3.0, -4.0])  # of length 5
FRAME = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def cubic(x, y, z):
    return 0.03 * (x**2 * y**2 + y**2 * z**2 + z**2 * x**2)


# each quadratic term and what its docstring says, written out in components
QUADRATIC = {
    "A, B, C (paper)": (
        lambda: AnisotropyFields(0.2, 0.1, 0.03),
        lambda x, y, z: -0.5 * (0.15 * x * x + 0.05 * y * y - 0.2 * z * z + 2 * 0.03 * x * y),
    ),
    "A, B, C (physical)": (
        lambda: AnisotropyFields(0.2, 0.1, 0.03, "physical"),
        lambda x, y, z: 0.5 * (0.15 * x * x + 0.05 * y * y - 0.2 * z * z + 2 * 0.03 * x * y),
    ),
    "tensor": (
        lambda: TensorAnisotropy(K),
        lambda x, y, z: (
            0.05 * x * x - 0.025 * y * y + 0.01 * z * z + 0.03 * x * y - 0.02 * x * z + 0.04 * y * z
        ),
    ),
    "uniaxial": (
        lambda: UniaxialAnisotropy(0.08, AXIS),
        lambda x, y, z: -0.04 * (2 * x - y + 2 * z) ** 2 / 9,
    ),
    "film along z": (lambda: ThinFilm(1.1), lambda x, y, z: 0.55 * z * z),
    "tilted film": (
        lambda: ThinFilm(1.1, NORMAL),
        lambda x, y, z: 0.55 * (0.6 * y - 0.8 * z) ** 2,
    ),
}
TERMS = QUADRATIC | {
    "cubic": (lambda: CubicAnisotropy(0.06), cubic),
    "turned cubic": (
        lambda: CubicAnisotropy(0.06, FRAME),
        lambda x, y, z: cubic(
            0.36 * x + 0.48 * y - 0.8 * z, -0.8 * x + 0.6 * y, 0.48 * x + 0.64 * y + 0.6 * z
        ),
    ),
}


def derivatives(term, u):
    """Gradient and Hessian as arrays."""
    gradient, hessian = term.derivatives(tuple(u))
    return np.stack(gradient), np.array(hessian)


@pytest.fixture(scope="module")
def directions():
    return random_directions(0, 20)


@pytest.mark.parametrize("name", TERMS)
def test_value_is_the_formula(name, directions):
    term, formula = TERMS[name]
    values = jax.vmap(term())(jnp.asarray(directions))
    np.testing.assert_allclose(values, formula(*directions.T), rtol=0, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("name", TERMS)
def test_derivatives_are_those_of_the_formula(name, directions):
    """Gradient and Hessian against differences of the written-out formula."""
    term, formula = TERMS[name]
    u = directions[3]
    gradient, hessian = derivatives(term(), jnp.asarray(u))
    step, eye = 1e-3, np.eye(3)
    by_differences = [
        (
            8 * (formula(*(u + h)) - formula(*(u - h)))
            - formula(*(u + 2 * h))
            + formula(*(u - 2 * h))
        )
        / (12 * step)
        for h in step * eye
    ]
    np.testing.assert_allclose(gradient, by_differences, rtol=0, atol=1e-12)
    second = np.array(
        [
            [
                formula(*(u + p + q))
                - formula(*(u + p - q))
                - formula(*(u - p + q))
                + formula(*(u - p - q))
                for q in step * eye
            ]
            for p in step * eye
        ]
    ) / (4 * step**2)
    np.testing.assert_allclose(hessian, second, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", QUADRATIC)
def test_quadratic_form_is_the_hessian(name, directions):
    term, formula = QUADRATIC[name]
    tensor = quadratic_form(term())
    expected = jax.hessian(lambda u: formula(*u))(jnp.asarray(directions[0]))
    np.testing.assert_allclose(tensor, expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(tensor, tensor.T)


def test_tensor_is_symmetrized():
    skew = np.array([[0.0, 0.1, -0.2], [-0.1, 0.0, 0.3], [0.2, -0.3, 0.0]])
    np.testing.assert_allclose(TensorAnisotropy(K + skew).tensor(), K, rtol=0, atol=1e-16)


@pytest.mark.parametrize("lengths", [1e-3, 1.0, 250.0])
def test_axes_need_no_normalization(lengths):
    easy = UniaxialAnisotropy(0.05, lengths * AXIS).tensor()
    np.testing.assert_allclose(easy, -0.05 * np.outer(AXIS, AXIS) / 9, rtol=1e-14)
    film = ThinFilm(0.05, lengths * NORMAL).tensor()
    np.testing.assert_allclose(film, 0.05 * np.outer(NORMAL, NORMAL) / 25, rtol=1e-14)


@given(
    a=st.floats(-0.5, 0.5),
    b=st.floats(-0.5, 0.5),
    c=st.floats(-0.5, 0.5),
    delta=st.floats(-4, 4),
    convention=st.sampled_from(["paper", "physical"]),
)
def test_turning_the_sample_turns_B_and_2C_twice_as_far(a, b, c, delta, convention):
    turned = (b + 2j * c) * np.exp(2j * delta)
    before = AnisotropyFields(a, b, c, convention).tensor()
    after = AnisotropyFields(a, turned.real, turned.imag / 2, convention).tensor()
    cos, sin = np.cos(delta), np.sin(delta)
    R = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    np.testing.assert_allclose(after, R @ before @ R.T, rtol=0, atol=1e-15)


def test_sum_adds_values_however_it_is_grouped(directions):
    a, b, c = (TERMS[name][0]() for name in ("uniaxial", "cubic", "film along z"))
    u = jnp.asarray(directions)
    expected = sum(TERMS[name][1](*directions.T) for name in ("uniaxial", "cubic", "film along z"))
    for total in (a + b + c, a + (b + c), EnergySum((a, b, c)), EnergySum((c + a, b))):
        assert isinstance(total, AbstractEnergy)
        np.testing.assert_allclose(jax.vmap(total)(u), expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(jax.vmap(EnergySum((a,)))(u), jax.vmap(a)(u), rtol=0, atol=0)


def test_sum_of_tensors_is_a_tensor():
    a, b, c = (TERMS[name][0]() for name in ("uniaxial", "tensor", "tilted film"))
    expected = a.tensor() + b.tensor() + c.tensor()
    for total in (a + b + c, a + (b + c), EnergySum((a, b, c))):
        np.testing.assert_allclose(quadratic_form(total), expected, rtol=0, atol=1e-16)


def test_one_term_that_is_no_tensor_makes_the_sum_none():
    a, b = (TERMS[name][0]() for name in ("uniaxial", "cubic"))
    assert quadratic_form(b) is None
    assert quadratic_form(a + b) is None
    assert quadratic_form((a + b) + a) is None
    assert quadratic_form(a + (a + b)) is None


def test_derivatives_of_a_mixed_sum(directions):
    a, b = (TERMS[name][0]() for name in ("uniaxial", "turned cubic"))
    u = jnp.asarray(directions[1])
    parts = zip(derivatives(a, u), derivatives(b, u), strict=True)
    for total, (one, other) in zip(derivatives(a + b, u), parts, strict=True):
        np.testing.assert_allclose(total, one + other, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", TERMS)
def test_closed_form_is_what_differentiation_gives(name, directions):
    term, u = TERMS[name][0](), tuple(jnp.asarray(directions[2]))
    closed, automatic = term.derivatives(u), AbstractEnergy.derivatives(term, u)
    for one, other in zip(jax.tree.leaves(closed), jax.tree.leaves(automatic), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-15)


def test_what_is_quadratic_by_type_needs_tensor_only():
    class Shear(AbstractTensorEnergy):
        strength: float

        def tensor(self):
            return self.strength * jnp.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

    shear = Shear(0.03)
    assert shear(jnp.array([0.6, 0.8, 0.0])) == pytest.approx(0.03 * 0.48, rel=1e-14)
    # the paper's C is the same, with the other sign
    expected = AnisotropyFields(C=-0.03).tensor()
    np.testing.assert_allclose(quadratic_form(shear), expected, rtol=1e-15)


class Quartic(AbstractEnergy):
    """Σ uᵢ⁴ = 1 − 2 (u₁²u₂² + …) on the sphere: cubic anisotropy of the field −4 `strength`."""

    strength: float

    def __call__(self, direction):
        return self.strength * (direction**4).sum()


class Continued(AbstractEnergy):
    """The same energy on the sphere, another off it."""

    term: AbstractEnergy

    def __call__(self, direction):
        return self.term(direction) * (direction @ direction)


@eqx.filter_jit
def along(energy, directions):
    return resonance_field_along(energy, directions, FREQUENCY)


@pytest.mark.slow
def test_a_term_of_ones_own_and_its_continuation_off_the_sphere():
    """Three terms that agree on the unit sphere only have the same resonances."""
    u = random_directions(7, 3)
    own = Quartic(-0.015)
    expected = along(CubicAnisotropy(0.06), u)
    assert np.ptp(expected) > 0.02
    point = jnp.asarray(u[0])
    slopes = [point @ derivatives(term, point)[0] for term in (own, Continued(own))]
    assert abs(slopes[0] - slopes[1]) > 1e-3
    np.testing.assert_allclose(along(own, u), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(along(Continued(own), u), expected, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_a_term_of_ones_own_without_parameters():
    class Fixed(AbstractEnergy):
        def __call__(self, direction):
            return -0.015 * (direction**4).sum()

    u = random_directions(7, 3)
    np.testing.assert_allclose(along(Fixed(), u), along(Quartic(-0.015), u), rtol=1e-12)


@pytest.mark.slow
def test_a_tensor_that_hides_its_type_has_the_same_resonances():
    """The general route (automatic derivatives, mesh) against the polynomial of the tensor."""
    u = random_directions(8, 3)
    film = ThinFilm(0.12, jnp.asarray(AXIS))
    expected = along(film, u)
    assert np.all(np.isfinite(expected))
    np.testing.assert_allclose(along(Continued(film), u), expected, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_fields_along_symmetry_axes_by_hand():
    """Near a cube axis e ≈ (H₁/2)(y² + z²): Hres = w0 − H₁; along [111], w0 + 2 H₁/3."""
    diagonal = np.ones(3) / 3**0.5
    u = np.stack([np.eye(3)[0], np.eye(3)[2], diagonal])
    w0, h1 = larmor_field(FREQUENCY), 0.06
    expected = [w0 - h1, w0 - h1, w0 + 2 / 3 * h1]
    np.testing.assert_allclose(along(CubicAnisotropy(h1), u), expected, rtol=1e-9)
    # Kittel's thin film, with the field in the plane and along the normal
    x, y, z = along(ThinFilm(0.4), np.eye(3))
    np.testing.assert_allclose([x * (x + 0.4), y * (y + 0.4)], w0**2, rtol=1e-12)
    np.testing.assert_allclose(z, w0 + 0.4, rtol=1e-12)
