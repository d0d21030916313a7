"""Sums over pairs by loops against the same sums in tiles; `tests/dipoles` tests their numbers."""

import jax
import numpy as np
import pytest

from diffdip.dipoles import pair_sums
from diffdip.kernels import calls


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


def test_threads_and_batches_do_not_matter(monkeypatch):
    """A system of several parts gives the same bits with three threads, alone and in a batch."""
    positions, moments, mask = systems(3, 1200)
    one = jax.jit(jax.vmap(pair_sums.pair_sum_and_closest))(positions, moments, mask)
    monkeypatch.setattr(calls, "_threads", lambda: 3)
    three = jax.jit(jax.vmap(lambda *s: pair_sums.pair_sum_and_closest(*s)))(
        positions, moments, mask
    )
    alone = jax.jit(lambda *s: pair_sums.pair_sum_and_closest(*s))(
        positions[2], moments[2], mask[2]
    )
    for a, b, c in zip(one, three, alone, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a[2], c)
