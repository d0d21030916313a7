"""Rotation planes: directions of the field, and angles of M against it."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import ThinFilm, plane_directions, resonance_branches, resonance_field
from diffdip.foundation.errors import InputError
from diffdip.resonance.planes import magnetization_angles


FREQUENCY = 9.45e9


@pytest.mark.parametrize(("plane", "first", "second"), [("xy", 0, 1), ("xz", 0, 2), ("yz", 1, 2)])
def test_planes_by_name(plane, first, second):
    angle = jnp.array([0.0, 0.4, jnp.pi / 2, 2.5])
    direction = np.zeros((4, 3))
    direction[:, first], direction[:, second] = np.cos(angle), np.sin(angle)
    np.testing.assert_allclose(plane_directions(angle, plane), direction, atol=1e-16)


def test_plane_of_two_vectors():
    """They are made orthonormal: the first stays at angle 0, the second on the side of 90°."""
    angle, vectors = jnp.array([0.0, jnp.pi / 2]), np.array([[0.0, 0.0, 2.0], [3.0, 0.0, 1.0]])
    np.testing.assert_allclose(plane_directions(angle, vectors), [[0, 0, 1], [1, 0, 0]], atol=1e-16)


@pytest.mark.parametrize(
    "use",
    [
        lambda plane: plane_directions(0.0, plane),
        lambda plane: resonance_field(ThinFilm(0.1), 0.0, FREQUENCY, plane=plane),
        lambda plane: resonance_branches(ThinFilm(0.1), 0.0, FREQUENCY, plane=plane),
        lambda plane: magnetization_angles(np.zeros(1), np.zeros((1, 1, 3)), plane),
    ],
)
@pytest.mark.parametrize("plane", ["zx", "XY", ""])
def test_unknown_plane(use, plane):
    with pytest.raises(InputError) as caught:
        use(plane)
    assert caught.value.what == "plane"
    assert caught.value.given == plane


@pytest.mark.parametrize(("plane", "normal"), [("xy", 2), ("xz", 1), ("yz", 0)])
def test_angles_of_the_magnetization_give_its_direction(plane, normal):
    """M at a lag and an elevation, put together from the plane's directions and its normal."""
    angle = np.array([0.3, 2.0, 6.0])
    lag = np.array([[0.0, 0.2, -0.4, 3.0], [-3.0, 1.0, 0.1, 0.0], [0.5, -0.5, 2.0, 0.1]])
    elevation = np.array([[0.0, 0.7, -0.7, 1.2], [0.1, -1.2, 0.0, 0.2], [-0.3, 0.3, 0.0, 1.5]])
    flat = np.asarray(plane_directions(angle[:, None] - lag, plane))
    direction = np.cos(elevation)[..., None] * flat
    direction[..., normal] += np.sin(elevation)
    found = magnetization_angles(angle, direction, plane)
    np.testing.assert_allclose(found[0], lag, atol=1e-12)
    np.testing.assert_allclose(found[1], elevation, atol=1e-12)


def test_angles_of_empty_slots_are_nan():
    lag, elevation = magnetization_angles(np.zeros(1), np.full((1, 2, 3), np.nan), "xy")
    assert np.isnan(lag).all()
    assert np.isnan(elevation).all()
