"""Sums over pairs by loops against NumPy and against tiles; `tests/dipoles` has more of them."""

import jax
import numpy as np
import pytest

from diffdip.dipoles import native_pairs, pair_sums
from diffdip.kernels import calls


if not calls.available():
    pytest.skip("numba is not there", allow_module_level=True)

SIZES = [1, 7, 8, 9, 15, 16, 17, 33, 300]
"""Around the lengths of vectors, and more dipoles than are added in one chain."""

ELEMENTS = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
THIRD = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1), (0, 1, 2), (1, 1, 1), (1, 1, 2)]


def systems(count, n):
    """Dipoles with unequal moments of both signs, of which some are masked."""
    rng = np.random.default_rng(n)
    positions = rng.uniform(0, n ** (1 / 3), (count, n, 3))
    positions[:, -1] = np.nan
    mask = rng.uniform(size=(count, n)) < 0.8
    mask[:, -1] = False
    mask[0, 1:] = False
    return positions, rng.uniform(-1, 2, (count, n)), mask


def all_sums(positions, moments, mask):
    points = positions[:5] + 0.3
    return (
        pair_sums.pair_sum_and_closest(positions, moments, mask),
        pair_sums.pair_quadrupole(positions, moments, mask),
        pair_sums.pair_octupole(positions, moments, mask),
        pair_sums.quadrupole_at(points, positions, moments, mask),
    )


def by_loops(positions, moments, mask):
    """The results of the loops for one system: over pairs, at points, and at the dipoles."""
    points = positions[::-1] + 1e-5
    return (
        native_pairs.pairs_by_loop(positions, moments, mask),
        native_pairs.second_by_loop(positions, positions, moments, mask),
        native_pairs.second_by_loop(points, positions, moments, mask, near=True),
        native_pairs.third_by_loop(positions, moments, mask),
    )


def compiled(given):
    """`by_loops` for a batch, traced anew: the number of threads may have changed."""
    results = jax.jit(jax.vmap(lambda *system: by_loops(*system)))(*given)
    return [np.asarray(result) for result in results]


def at_points(points, positions, moments, least):
    """Both sums at points in float64, over the dipoles that are farther away than `least`."""
    r = points[:, None] - positions
    size = np.linalg.norm(r, axis=-1)
    counts = size > least
    size = np.where(counts, size, 1)
    r, weight = r / size[..., None], np.where(counts, moments / size**3, 0)
    second = [np.sum(weight * r[..., a] * r[..., b], axis=1) for a, b in ELEMENTS]
    unit = np.eye(3)
    third = [
        np.sum(
            weight
            / size
            * (
                5 * r[..., a] * r[..., b] * r[..., c]
                - unit[a, b] * r[..., c]
                - unit[b, c] * r[..., a]
                - unit[a, c] * r[..., b]
            ),
            axis=1,
        )
        for a, b, c in THIRD
    ]
    return np.stack(second, axis=-1), np.stack(third, axis=-1)


def relative(value, reference):
    """The largest error over the largest element."""
    error = np.max(np.abs(value.astype(float) - reference))
    return error if error == 0 else error / np.max(np.abs(reference))


@pytest.mark.parametrize("precise", [True, False])
@pytest.mark.parametrize("n", SIZES)
def test_loops_agree_with_numpy(n, precise):
    """One dipole, and several, with masked ones among them."""
    dtype = np.float64 if precise else np.float32
    positions, moments, mask = systems(3, n + 1)
    mask[:, 0] = mask[1, :-1] = True
    positions, moments = positions.astype(dtype), moments.astype(dtype)
    with jax.enable_x64(precise):
        results = compiled((positions, moments, mask))
    tolerance = 1e-13 if precise else 5e-6
    for k, (pairs, second, near, third) in enumerate(zip(*results, strict=True)):
        kept = mask[k]
        own = positions[k, kept].astype(float), moments[k, kept].astype(float)
        expected, expected_third = at_points(own[0], *own, 0)
        assert relative(second[kept], expected) < tolerance
        assert relative(third[kept], expected_third) < tolerance
        points = (positions[k, ::-1] + dtype(1e-5))[kept[::-1]].astype(float)
        assert relative(near[kept[::-1]], at_points(points, *own, 1e-4)[0]) < tolerance
        assert relative(pairs[:6], own[1] @ expected / 2) < tolerance
        apart = np.linalg.norm(own[0][:, None] - own[0], axis=-1)
        apart = apart[np.triu_indices(len(apart), 1)]
        if len(apart):
            np.testing.assert_allclose(pairs[6], np.min(apart) ** 2, rtol=10 * tolerance)
        else:
            assert pairs[6] > 1e38


@pytest.mark.slow
@pytest.mark.parametrize("precise", [True, False])
def test_loops_and_tiles_agree(precise, monkeypatch):
    """In both precisions, and under `vmap`."""
    with jax.enable_x64(precise):
        given = systems(3, 70)
        by_loops = jax.jit(jax.vmap(all_sums))(*given)
        monkeypatch.setattr(calls, "available", lambda: False)
        in_tiles = jax.jit(jax.vmap(lambda *system: all_sums(*system)))(*given)
    tolerance = 1e-13 if precise else 1e-5
    for one, other in zip(jax.tree.leaves(by_loops), jax.tree.leaves(in_tiles), strict=True):
        assert one.dtype == other.dtype
        finite = np.isfinite(other)
        np.testing.assert_array_equal(np.isfinite(one), finite)
        scale = np.max(np.abs(np.where(finite, other, 0)))
        np.testing.assert_allclose(
            np.where(finite, one, 0), np.where(finite, other, 0), rtol=0, atol=tolerance * scale
        )


@pytest.mark.parametrize(("count", "n"), [(17, 100), (3, 1200)])
def test_threads_and_batches_do_not_matter(count, n, monkeypatch):
    """Systems give the same bits with three threads, alone and in batches of any size and shape.

    The larger ones have several parts.
    """
    given = systems(count, n)
    monkeypatch.setattr(calls, "_threads", lambda: 1)
    one = compiled(given)
    monkeypatch.setattr(calls, "_threads", lambda: 3)
    three = compiled(given)
    last = compiled([x[-1:] for x in given])
    nested = jax.jit(jax.vmap(jax.vmap(by_loops)))(*(x[None, 1:] for x in given))
    for a, b, c, d in zip(one, three, last, nested, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a[-1:], c)
        np.testing.assert_array_equal(a[1:], d[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_undefined_system_does_not_touch_others(bad):
    """Nor does a system without any dipole, which gives zero."""
    positions, moments, mask = systems(4, 21)
    alone = compiled((positions, moments, mask))
    positions[1, 5], mask[1, :7], mask[2] = bad, True, False
    found = compiled((positions, moments, mask))
    for a, b in zip(alone, found, strict=True):
        np.testing.assert_array_equal(a[[0, 3]], b[[0, 3]])
    pairs, second, *_, third = found
    for undefined in (pairs[1, :6], second[1, :6], third[1, :6]):
        assert not np.any(np.isfinite(undefined))
    for nothing in (pairs[2, :6], second[2], third[2]):
        assert np.all(nothing == 0)
    assert pairs[2, 6] > 1e38
