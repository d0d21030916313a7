"""Miller indices, axes of a crystal in a sample, and rotation planes by indices."""

import jax
import numpy as np
import pytest

from diffdip import crystal_axes, crystal_direction, crystal_plane, plane_directions
from diffdip.foundation.errors import InputError
from diffdip.resonance.crystal_directions import as_axes, miller_indices


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("110", [1, 1, 0]),
        ("1-10", [1, -1, 0]),
        ("[-1-1 2]", None),
        ("[1 -1 0]", [1, -1, 0]),
        ("(1, -1, 0)", [1, -1, 0]),
        ("⟨111⟩", None),
        ("<111>", [1, 1, 1]),
        ("−110", [-1, 1, 0]),
        ("11 -2 0", [11, -2, 0]),
        ([1, -1, 0], [1, -1, 0]),
        (np.array([0.5, 0.0, 2.0]), [0.5, 0, 2]),
        ("000", None),
        ("11", None),
        ("1110", None),
        ("1 1", None),
        ("1x10", None),
        ("--110", None),
        ("", None),
        ([1, 2], None),
        ([np.nan, 0, 1], None),
    ],
)
def test_miller_indices(given, expected):
    if expected is not None:
        np.testing.assert_array_equal(miller_indices(given), expected)
        return
    with pytest.raises(InputError) as caught:
        miller_indices(given)
    assert caught.value.what == "Miller indices"


@pytest.mark.parametrize(
    ("normal", "along", "y"),
    [
        ("001", "100", "010"),
        ("001", "110", "-110"),
        ("110", "001", "1-10"),
        ("111", "1-10", "11-2"),
    ],
)
def test_axes_put_the_crystal_into_the_sample(normal, along, y):
    axes = np.asarray(crystal_axes(normal, along))
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(axes) == pytest.approx(1)
    for indices, sample in zip((along, y, normal), np.eye(3), strict=True):
        np.testing.assert_allclose(crystal_direction(indices, axes), sample, atol=1e-15)
        crystal = miller_indices(indices)
        np.testing.assert_allclose(axes @ sample, crystal / np.linalg.norm(crystal), atol=1e-15)


def test_plane_110_from_001():
    angle = np.arccos([1, 3**-0.5, 0])  # 0°, 54.7°, 90°
    for axes in (np.eye(3), crystal_axes("111", "1-10")):
        directions = plane_directions(angle, crystal_plane("110", "001", axes))
        expected = [crystal_direction(indices, axes) for indices in ("001", "1-11", "1-10")]
        np.testing.assert_allclose(directions, expected, atol=1e-15)


def test_directions_out_of_the_plane():
    for use, what in ((crystal_axes, "along"), (crystal_plane, "start")):
        with pytest.raises(InputError) as caught:
            use("110", "100")
        assert (caught.value.what, caught.value.given) == (what, "100")


def test_traced_axes_are_not_checked():
    """A fit may turn a crystal."""
    np.testing.assert_allclose(jax.jit(as_axes)(2 * np.eye(3)), 2 * np.eye(3))
