"""Packings by loops against the same packings in JAX; `tests/ensembles` tests their laws."""

import jax
import numpy as np
import pytest
import scipy.spatial

import diffdip as dd


@pytest.mark.slow
@pytest.mark.parametrize(
    ("crystals", "container"),
    # more than 128 crystals are dressed in two blocks
    [(1, dd.Cylinder), (2, dd.Sphere), (150, lambda: dd.Box((1.0, 2.0, 1.5)))],
)
def test_loops_and_jax_make_the_same_choices(crystals, container):
    """From the same keys: the same proposals are accepted, and all numbers agree."""
    model = dd.NanocrystalPacking(crystals, container=container(), max_starts=3)
    keys = jax.random.split(jax.random.key(crystals), 30)
    by_loops = jax.jit(jax.vmap(model._choose_in_loops))(keys)
    in_jax = jax.jit(jax.vmap(model._choose_in_jax))(keys)
    np.testing.assert_array_equal(by_loops.complete, in_jax.complete)
    np.testing.assert_array_equal(by_loops.growth.starts, in_jax.growth.starts)
    kept = np.asarray(in_jax.complete)
    assert kept.any()
    for one, other in zip(jax.tree.leaves(by_loops), jax.tree.leaves(in_jax), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(np.asarray(one)[kept], np.asarray(other)[kept], atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.2, 1e-4])
def test_no_crystals_overlap_in_a_large_packing(fraction):
    """Crystals are looked for in the cells around; the container is flat, so cells are uneven."""
    flat = dd.Box((1.0, 0.6, 0.1))
    model = dd.NanocrystalPacking(3000, volume_fraction=fraction, container=flat)
    draw = jax.jit(lambda key: (model.choose(key), model.pack(model.choose(key).growth)))
    choices, packing = draw(jax.random.key(0))
    assert choices.complete
    distance, _ = scipy.spatial.KDTree(packing.centers).query(packing.centers, k=2)
    assert 2.7 <= distance[:, 1].min() < 2.71


def test_a_packing_without_room_holds_nothing_of_another():
    """Its choices are the same in all, also in a batch with complete packings."""
    model = dd.NanocrystalPacking(2, volume_fraction=0.24, max_starts=2)
    choices = jax.jit(jax.vmap(model.choose))(jax.random.split(jax.random.key(0), 200))
    lost = ~np.asarray(choices.complete)
    assert 0 < lost.sum() < 200
    for name in ("first", "parent", "uniform"):
        assert not np.any(np.asarray(getattr(choices.growth, name))[lost])
    assert np.all(np.asarray(choices.directions)[lost] == [0, 0, 1])
    assert not np.any(np.asarray(choices.extra)[lost])
