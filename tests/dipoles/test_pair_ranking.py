"""The strongest pairs against all pairs, one after the other, and what they carry of D."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip import DipoleSystem
from diffdip.dipoles.pair_ranking import dominant_pairs
from diffdip.foundation.errors import InputError


found = eqx.filter_jit(dominant_pairs)


def random_system(seed, n, masked=0, labels=False):
    """Uniform positions, moments of both signs, NaN in everything that is masked."""
    rng = np.random.default_rng(seed)
    positions, moments = rng.uniform(0, 3, (n, 3)), rng.uniform(-3, 3, n)
    mask = np.ones(n, bool)
    mask[rng.permutation(n)[:masked]] = False
    positions[~mask], moments[~mask] = np.nan, np.nan
    crystal = extra = None
    if labels:
        crystal = jnp.asarray(rng.integers(0, 3, n).astype(np.int32))
        extra = jnp.asarray(rng.random(n) < 0.3)
    return DipoleSystem(positions, 27.0, moments, mask, crystal=crystal, extra=extra)


def all_pairs(system, between_crystals=False):
    """i, j, distance, strength, share of every pair, strongest first; float64 whatever comes."""
    sites = np.flatnonzero(np.asarray(system.mask))
    positions = np.asarray(system.positions, float)
    moments = np.asarray(system.moments, float)
    i, j = sites[np.array(np.triu_indices(len(sites), 1))]
    if between_crystals:
        crystal = np.asarray(system.crystal)
        different = crystal[i] != crystal[j]
        i, j = i[different], j[different]
    r = positions[j] - positions[i]
    distance = np.sqrt(np.sum(r * r, axis=1))
    product = moments[i] * moments[j] / distance**3
    outer = r[:, :, None] * r[:, None, :] / distance[:, None, None] ** 2
    tensors = product[:, None, None] * (np.eye(3) - 3 * outer)
    D = np.sum(tensors, axis=0)
    share = np.sum(tensors * D, axis=(1, 2)) / np.sum(D * D) if len(i) else product
    rows = np.stack([i, j, distance, np.abs(product), share], axis=1)
    return rows[np.argsort(-rows[:, 3], kind="stable")]


def check(system, count, rtol=1e-9, between_crystals=False):
    pairs = found(system, count, between_crystals=between_crystals)
    expected = all_pairs(system, between_crystals)
    kept = min(count, len(expected))
    columns = expected[:kept].T
    np.testing.assert_array_equal(pairs.first[:kept], columns[0])
    np.testing.assert_array_equal(pairs.second[:kept], columns[1])
    np.testing.assert_allclose(pairs.distance[:kept], columns[2], rtol=rtol)
    np.testing.assert_allclose(pairs.strength[:kept], columns[3], rtol=3 * rtol)
    np.testing.assert_allclose(pairs.share[:kept], columns[4], rtol=rtol, atol=10 * rtol)
    total = np.cumsum(np.append(columns[4], np.zeros(count - kept)))
    np.testing.assert_allclose(pairs.cumulative, total, rtol=rtol, atol=10 * rtol)
    assert np.all(np.asarray(pairs.first[kept:]) == -1)
    assert np.all(np.asarray(pairs.second[kept:]) == -1)
    assert np.all(np.asarray(pairs.distance[kept:]) == np.inf)
    assert np.all(np.asarray(pairs.strength[kept:]) == 0)
    assert np.all(np.asarray(pairs.share[kept:]) == 0)
    return pairs, expected


# fewer, as many and more pairs than kept; shifts by full loop bodies, by a rest, by both
@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "masked", "count"),
    [
        (1, 0, 3),
        (2, 0, 5),
        (2, 1, 5),
        (4, 0, 6),
        (17, 0, 136),
        (18, 0, 7),
        (18, 3, 7),
        (19, 12, 64),
        (41, 5, 30),
        (90, 9, 64),
    ],
)
def test_all_pairs_one_by_one(n, masked, count):
    for seed in range(3):
        pairs, expected = check(random_system(seed, n, masked), count)
        if 0 < len(expected) <= count:
            np.testing.assert_allclose(pairs.cumulative[-1], 1, rtol=1e-9)


@pytest.mark.slow
def test_no_pair_carries_nothing():
    for system, count in ((random_system(0, 1), 3), (random_system(0, 2, masked=1), 5)):
        pairs = found(system, count)
        assert np.all(np.asarray(pairs.cumulative) == 0)
        assert int(pairs.number_carrying(0.5)) == count + 1


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1.5))
def test_number_that_carries_a_fraction(seed, fraction):
    for n, count in ((4, 6), (18, 7)):  # all pairs, and a few of many
        system = random_system(seed, n)
        pairs = found(system, count)
        carried, number = 0.0, 0
        for *_, share in all_pairs(system)[:count]:
            if carried >= fraction:
                break
            carried, number = carried + share, number + 1
        expected = number if carried >= fraction else count + 1
        assert int(pairs.number_carrying(fraction)) == expected


@pytest.mark.slow
def test_nothing_is_carried_by_no_pair():
    assert int(found(random_system(0, 4), 6).number_carrying(0.0)) == 0


@pytest.mark.slow
def test_labels_of_both_sites():
    system = random_system(1, 24, masked=4, labels=True)
    pairs, expected = check(system, 300)
    crystal, extra = np.asarray(system.crystal), np.asarray(system.extra)
    i, j = expected[:, :2].T.astype(int)
    same = np.append(crystal[i] == crystal[j], np.zeros(300 - len(i), bool))
    added = np.append(extra[i] | extra[j], np.zeros(300 - len(i), bool))
    assert 10 < same.sum() < len(i) - 10
    assert 10 < added.sum() < len(i) - 10
    np.testing.assert_array_equal(pairs.same_crystal, same)
    np.testing.assert_array_equal(pairs.with_extra, added)

    # a pad has no label, whatever those of the site are that stands in for it
    alone = jnp.arange(24) == 0
    one = eqx.tree_at(lambda s: (s.mask, s.extra), system, (alone, jnp.ones(24, bool)))
    assert not found(one, 300).same_crystal.any()
    assert not found(one, 300).with_extra.any()
    bare = found(random_system(1, 4), 6)
    assert bare.same_crystal is None
    assert bare.with_extra is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "masked", "count"),
    [(1, 0, 3), (2, 0, 5), (4, 0, 6), (18, 3, 7), (24, 4, 300), (41, 5, 30)],
)
def test_pairs_between_crystals_one_by_one(n, masked, count):
    for seed in range(3):
        system = random_system(seed, n, masked, labels=True)
        pairs, expected = check(system, count, between_crystals=True)
        assert not np.asarray(pairs.same_crystal).any()
        if 0 < len(expected) <= count:
            np.testing.assert_allclose(pairs.cumulative[-1], 1, rtol=1e-9)


@pytest.mark.slow
def test_a_pair_on_one_crystal_does_not_hide_those_between():
    """However close, and even at one place: it is left out of the sum, not taken off it."""
    system = random_system(1, 24, masked=4, labels=True)
    crystal, kept = np.asarray(system.crystal), np.flatnonzero(np.asarray(system.mask))
    one, other = next((i, j) for i in kept for j in kept if i < j and crystal[i] == crystal[j])
    for apart in (1e-4, 0.0):
        near = system.positions[one] + jnp.array([0.0, 0.0, apart])
        close = eqx.tree_at(lambda s: s.positions, system, system.positions.at[other].set(near))
        check(close, 300, between_crystals=True)
    assert int(found(close, 300).first[0]) == one
    # of different crystals it is as it is without the option
    moved = eqx.tree_at(lambda s: s.crystal, close, close.crystal.at[other].add(1))
    pairs = found(moved, 7, between_crystals=True)
    assert float(pairs.strength[0]) == np.inf
    assert np.isnan(np.asarray(pairs.share)).all()


def test_pairs_between_crystals_need_crystals():
    with pytest.raises(InputError) as caught:
        dominant_pairs(random_system(0, 3), between_crystals=True)
    assert caught.value.what == "between_crystals"


@pytest.mark.slow
def test_order_of_the_dipoles_does_not_matter():
    system = random_system(2, 41, masked=6)
    order = np.random.default_rng(3).permutation(41)
    mixed = DipoleSystem(
        system.positions[order], 27.0, system.moments[order], mask=system.mask[order]
    )
    pairs, again = found(system, 30), found(mixed, 30)
    ends = np.sort(order[np.stack([again.first, again.second])], axis=0)
    np.testing.assert_array_equal(ends, [pairs.first, pairs.second])
    np.testing.assert_allclose(again.share, pairs.share, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_vmap_is_one_after_the_other():
    systems = [random_system(seed, 24, masked=seed, labels=True) for seed in range(4)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *systems)
    for between in (False, True):
        each = lambda s, between=between: dominant_pairs(s, 300, between_crystals=between)
        many = eqx.filter_jit(jax.vmap(each))(stacked)
        for index, system in enumerate(systems):
            one = found(system, 300, between_crystals=between)
            here = jax.tree.map(lambda leaf, i=index: leaf[i], many)
            assert eqx.tree_equal(here, one, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_close_pair_comes_first_and_carries_all():
    system = random_system(4, 41)
    rng = np.random.default_rng(0)
    for first, second in [(0, 40), (7, 28), (7, 27), (30, 31)]:
        near = system.positions[first] + 1e-3 * rng.normal(size=3)
        close = eqx.tree_at(lambda s: s.positions, system, system.positions.at[second].set(near))
        pairs = found(close, 30)
        assert (int(pairs.first[0]), int(pairs.second[0])) == (first, second)
        assert abs(float(pairs.share[0]) - 1) < 1e-4
        assert int(pairs.number_carrying(0.99)) == 1


@pytest.mark.slow
def test_a_far_pair_of_large_moments_beats_a_near_one():
    positions = jnp.array([[0.0, 0, 0], [0.5, 0, 0], [5.0, 0, 0], [7.0, 0, 0]])
    pairs = found(DipoleSystem(positions, 1.0, jnp.array([0.1, 0.1, 1.0, -1.0])), 6)
    # 0.01/0.125 = 0.08 against 1/8
    assert (int(pairs.first[0]), int(pairs.second[0])) == (2, 3)
    np.testing.assert_allclose(pairs.strength[:2], [0.125, 0.08])


def test_dipoles_without_a_moment_make_no_pairs():
    positions = jnp.array([[0.0, 0, 0], [0.1, 0, 0], [1.0, 0, 0], [1.0, 0, 0.1]])
    system = DipoleSystem(positions, 1.0, jnp.array([1.0, 0.0, 2.0, 0.0]))
    pairs = found(system, 6)
    np.testing.assert_array_equal(pairs.first, [0, -1, -1, -1, -1, -1])
    np.testing.assert_array_equal(pairs.second, [2, -1, -1, -1, -1, -1])
    np.testing.assert_allclose(pairs.share, [1, 0, 0, 0, 0, 0], rtol=1e-12)


@pytest.mark.slow
def test_what_has_no_tensor_has_no_share():
    system = random_system(3, 18)
    move = lambda positions: eqx.tree_at(lambda s: s.positions, system, positions)
    pairs = found(move(system.positions.at[9].set(system.positions[2])), 7)
    assert (int(pairs.first[0]), int(pairs.second[0])) == (2, 9)
    assert float(pairs.strength[0]) == np.inf
    assert float(pairs.distance[0]) == 0
    assert np.isnan(np.asarray(pairs.share)).all()
    assert int(pairs.number_carrying(0.5)) == 8

    nowhere = found(move(system.positions * jnp.nan), 7)
    assert np.all(np.asarray(nowhere.first) == -1)
    assert int(nowhere.number_carrying(0.5)) == 8

    # one site without a place is in no pair, the others are still found
    lost = found(move(system.positions.at[4].set(jnp.nan)), 7)
    rest = np.delete(np.arange(18), 4)
    known = DipoleSystem(system.positions[rest], 27.0, system.moments[rest])
    expected = all_pairs(known)[:7, :2].astype(int)
    np.testing.assert_array_equal(np.stack([lost.first, lost.second], axis=1), rest[expected])


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_without_pairs_is_refused(count):
    with pytest.raises(InputError) as caught:
        dominant_pairs(random_system(0, 3), count)
    assert (caught.value.what, caught.value.given) == ("count", count)


@pytest.mark.slow
@pytest.mark.float32
def test_float32_keeps_a_close_pair_in_a_large_sample():
    rng = np.random.default_rng(6)
    positions = rng.uniform(-15, 15, (150, 3)).astype(np.float32)
    step = rng.normal(size=3)
    positions[120] = positions[20] + (0.05 * step / np.linalg.norm(step)).astype(np.float32)
    system = DipoleSystem(positions, 27000.0)
    assert system.positions.dtype == jnp.float32
    pairs, _ = check(system, 20, rtol=3e-6)
    assert (int(pairs.first[0]), int(pairs.second[0])) == (20, 120)
    assert pairs.share.dtype == jnp.float32


@pytest.mark.slow
@pytest.mark.float32
def test_float32_where_the_square_of_D_is_too_large():
    positions = np.array([[0, 0, 0], [3e-7, 0, 0], [0, 1, 0]], np.float32)
    pairs = found(DipoleSystem(positions, 1.0), 3)
    np.testing.assert_allclose(pairs.share, [1, 0, 0], atol=1e-6)
