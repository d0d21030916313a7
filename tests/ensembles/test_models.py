"""Sampled packings against their rules and laws, in plain numpy."""

import dataclasses
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import diffdip as dd
from diffdip.ensembles.crystal_growth import WORKERS
from diffdip.ensembles.model_parameters import ALL, PACKING, UNIFORM
from diffdip.ensembles.models import Draw
from diffdip.ensembles.surface_dipoles import fisher
from diffdip.foundation.errors import InputError
from diffdip.foundation.units import MOMENT_SPIN_HALF


DIAMETER, BOND, EXTRA_BELOW, PER_CRYSTAL = 2.7, 0.26, 0.3, 10
MEAN, SD, KAPPA = 0.3, 0.3, 3.0
STARTS = 4
"""`max_starts` of the pairs, few so that what cannot be packed is given up soon."""

DILUTE = 1e-9
"""Volume fraction at which fewer than 1 % of crystals have a wall in reach of the next one."""


# One batch size for each number of crystals, so that each is compiled once; parameters are traced.


@eqx.filter_jit
def compiled_batch(model, keys):
    def one(key):
        choices = model.choose(key)
        return choices, model.pack(choices.growth), model.place(choices)

    return jax.vmap(one)(keys)


@eqx.filter_jit
def compiled_draw(model, key):
    return model.draw(key)


def keys_of(seed, count):
    return jax.random.split(jax.random.key(seed), count)


def in_double(leaf):
    """Numbers as float64, so that what is computed from them adds no error; a copy."""
    return np.array(leaf, float if jnp.issubdtype(leaf.dtype, jnp.floating) else None)


class Batch:
    """Samples of a model as numpy arrays, the first axis being that of samples.

    `rounding` is what its rules may be off by, in nm or of the whole.
    """

    def __init__(self, model, count, seed=0):
        drawn = compiled_batch(model, keys_of(seed, count))
        self.raw = drawn
        self.rounding = 1e-12 if drawn[2].positions.dtype == jnp.float64 else 1e-5
        choices, packing, system = jax.tree.map(in_double, drawn)
        self.choices, self.packing, self.system = choices, packing, system
        self.complete, self.starts = choices.complete, choices.growth.starts
        self.centers, self.thickness = packing.centers, packing.thickness
        self.parent = packing.contact_crystal[:, ::2]
        self.n = self.centers.shape[1]
        self.regular = self.n * PER_CRYSTAL
        # unit vectors from the crystal's centre to each dipole
        centre = np.take_along_axis(self.centers, system.crystal[:, :, None], axis=1)
        self.arm = system.positions - centre
        self.direction = self.arm / np.linalg.norm(self.arm, axis=-1, keepdims=True)

    def steps(self):
        """From each parent to the crystal that was put next to it."""
        parents = np.take_along_axis(self.centers, self.parent[:, :, None], axis=1)
        return self.centers[:, 1:] - parents


def pairs(seed=0, **parameters):
    model = dd.NanocrystalPacking(n_crystals=2, max_starts=STARTS, **parameters)
    return Batch(model, 512, seed)


@pytest.fixture(scope="module")
def dilute():
    """Pairs far from walls, extra dipoles wherever Fisher's law puts them."""
    with jax.enable_x64(True):
        parameters = {"volume_fraction": DILUTE}
        return [pairs(seed, **parameters) for seed in range(4)]


@pytest.fixture(scope="module")
def tight():
    """Pairs in a container that leaves them little room."""
    with jax.enable_x64(True):
        return [pairs(seed, extra_spacing=BOND) for seed in range(4)]


@pytest.fixture(scope="module")
def eight():
    """Clusters of eight, more of them than grow side by side."""
    with jax.enable_x64(True):
        batch = Batch(dd.NanocrystalPacking(n_crystals=8, extra_spacing=BOND), 200)
    assert len(batch.centers) > WORKERS
    return batch


@pytest.fixture(scope="module")
def single():
    """Clusters of eight in float32."""
    with jax.enable_x64(False):
        batch = Batch(dd.NanocrystalPacking(n_crystals=8, extra_spacing=BOND), 200)
        assert batch.raw[2].positions.dtype == jnp.float32
    return batch


def joined(batches, values):
    return np.concatenate([values(batch) for batch in batches])


def container_size(n_crystals, volume_fraction):
    """Radius of a cylinder as high as wide."""
    volume = n_crystals * np.pi / 6 * DIAMETER**3 / volume_fraction
    return volume, (volume / (2 * np.pi)) ** (1 / 3)


def assert_law(values, cumulative):
    """By Kolmogorov and Smirnov: 1 in 1000 would fail, with fixed seeds none does."""
    assert len(values) >= 500
    assert scipy.stats.kstest(values, cumulative).pvalue > 1e-3


def assert_isotropic(directions):
    x, y, z = np.asarray(directions).reshape(-1, 3).T
    assert_law(z, scipy.stats.uniform(-1, 2).cdf)
    assert_law(np.arctan2(y, x), scipy.stats.uniform(-np.pi, 2 * np.pi).cdf)


# rules


@pytest.fixture(params=["eight", "tight", "single"])
def packed(request):
    batch = request.getfixturevalue(request.param)
    batch = batch if isinstance(batch, Batch) else batch[0]
    assert batch.complete.all()
    return batch


@pytest.mark.slow
def test_cores_lie_in_the_container_and_apart(packed):
    volume, radius = container_size(packed.n, 0.2)
    np.testing.assert_allclose(packed.system.volume, volume, rtol=packed.rounding)
    room = radius - DIAMETER / 2
    x, y, z = np.moveaxis(packed.centers, -1, 0)
    assert np.max(np.hypot(x, y)) <= room + packed.rounding
    assert np.max(abs(z)) <= room + packed.rounding
    for i in range(packed.n):
        for j in range(i):
            distance = np.linalg.norm(packed.centers[:, i] - packed.centers[:, j], axis=-1)
            assert np.min(distance) >= DIAMETER - packed.rounding


@pytest.mark.slow
def test_each_crystal_touches_an_earlier_one(packed):
    """At d + l₁ + l₂, with the facing points on the line between the centres."""
    steps, contacts = packed.steps(), packed.n - 1
    own = packed.packing.contact_crystal[:, 1::2]
    np.testing.assert_array_equal(own, np.broadcast_to(np.arange(1, packed.n), own.shape))
    assert (packed.parent < own).all()
    assert (packed.parent >= 0).all()
    gaps = packed.thickness.reshape(-1, contacts, 2)
    assert (gaps >= 0).all()
    distance = np.linalg.norm(steps, axis=-1)
    np.testing.assert_allclose(distance, DIAMETER + gaps.sum(axis=-1), rtol=packed.rounding)
    axis = packed.packing.contact_axis
    np.testing.assert_allclose(axis[:, ::2], steps / distance[..., None], atol=packed.rounding)
    np.testing.assert_array_equal(axis[:, 1::2], -axis[:, ::2])


@pytest.mark.slow
def test_dipoles_sit_on_their_crystals(packed):
    system, extra = packed.system, packed.packing.extra
    np.testing.assert_allclose(
        np.linalg.norm(packed.arm, axis=-1), DIAMETER / 2, rtol=packed.rounding
    )
    regular = np.repeat(np.arange(packed.n), PER_CRYSTAL)
    assert system.positions.shape[1] == packed.regular + 2 * (packed.n - 1)
    np.testing.assert_array_equal(system.crystal[0, : packed.regular], regular)
    np.testing.assert_array_equal(
        system.crystal[:, packed.regular :], packed.packing.contact_crystal
    )
    # an extra one wherever the shell is thin, and nowhere else
    np.testing.assert_array_equal(extra, packed.thickness < EXTRA_BELOW)
    assert 0.2 < extra.mean() < 0.995  # pairs with little room have thin shells
    np.testing.assert_array_equal(system.mask[:, packed.regular :], extra)
    assert system.mask[:, : packed.regular].all()
    assert not system.extra[:, : packed.regular].any()
    assert system.extra[:, packed.regular :].all()
    np.testing.assert_allclose(system.moments, 1.73, rtol=packed.rounding)


def closest(batch, keep):
    """Distance of the closest two dipoles of each sample, of those pairs that are kept."""
    positions = batch.system.positions
    distance = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    others = ~np.eye(positions.shape[1], dtype=bool)
    return np.where(keep & others, distance, np.inf).min(axis=(1, 2))


def both_count(batch):
    """Pairs of two dipoles that are not masked."""
    return batch.system.mask[:, :, None] & batch.system.mask[:, None]


def closest_on_a_crystal(batch):
    """With the extra dipoles."""
    crystal = batch.system.crystal
    return closest(batch, both_count(batch) & (crystal[:, :, None] == crystal[:, None]))


@pytest.mark.slow
def test_no_two_dipoles_of_a_crystal_are_close(packed):
    found = closest_on_a_crystal(packed)
    assert np.min(found) >= BOND - packed.rounding
    # the rule is met, not exceeded
    assert np.min(found) < 1.05 * BOND


@pytest.mark.slow
def test_closest_pair_of_the_summary(packed):
    """Masked sites do not count, although some are closer."""
    with jax.enable_x64(packed.rounding < 1e-9):
        found = jax.jit(jax.vmap(lambda system: system.summary().closest))(packed.raw[2])
    expected = closest(packed, both_count(packed))
    np.testing.assert_allclose(found, expected, rtol=packed.rounding / 10)
    assert np.any(closest(packed, True) < expected)


@pytest.mark.slow
def test_other_rules_have_other_distances(dilute):
    """By default, as printed, only regular dipoles keep a distance; a longer bond increases it."""
    assert np.min(closest_on_a_crystal(dilute[0])) < 0.5 * BOND
    is_regular = np.arange(dilute[0].system.mask.shape[1]) < dilute[0].regular
    on_one = dilute[0].system.crystal[:, :, None] == dilute[0].system.crystal[:, None]
    among = on_one & is_regular[:, None] & is_regular
    assert BOND - 1e-9 <= np.min(closest(dilute[0], among)) < 1.05 * BOND
    batch = pairs(bond_length=0.6, extra_spacing=0.5, volume_fraction=DILUTE)
    batch.system.mask[:, batch.regular :] = False  # first the regular ones alone
    assert 0.6 - 1e-9 <= np.min(closest_on_a_crystal(batch)) < 0.63
    batch.system.mask[:, batch.regular :] = batch.packing.extra
    kept = closest_on_a_crystal(batch)[batch.complete]
    assert 0.5 - 1e-9 <= np.min(kept) < 0.53


# laws, far from walls: two crystals then always accept what is proposed


@pytest.mark.slow
def test_dilute_pairs_are_placed_at_once(dilute):
    """So no refusal has changed the laws below."""
    assert all(batch.complete.all() and (batch.starts == 1).all() for batch in dilute)


@pytest.mark.slow
def test_first_crystal_is_uniform_in_the_container(dilute):
    room = container_size(2, DILUTE)[1] - DIAMETER / 2
    x, y, z = joined(dilute, lambda b: b.centers[:, 0]).T / room
    assert_law(x**2 + y**2, "uniform")
    assert_law(z, scipy.stats.uniform(-1, 2).cdf)
    assert_law(np.arctan2(y, x), scipy.stats.uniform(-np.pi, 2 * np.pi).cdf)


@pytest.mark.slow
def test_contacts_are_isotropic(dilute):
    # of positions this far from the origin, the differences keep 12 digits
    steps = joined(dilute, Batch.steps)
    assert_isotropic(steps / np.linalg.norm(steps, axis=-1, keepdims=True))


@pytest.mark.slow
def test_thickness_is_normal_and_not_negative(dilute):
    """The normal law cut off below zero, one value per facing point, the two independent."""
    one, other = joined(dilute, lambda b: b.thickness).T
    law = scipy.stats.truncnorm(-MEAN / SD, np.inf, MEAN, SD)
    assert_law(one, law.cdf)
    assert_law(other, law.cdf)
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(one))


def test_thickness_of_other_parameters():
    batch = pairs(7, ligand_mean=0.1, ligand_sd=0.4, volume_fraction=DILUTE, extra_below=0.5)
    law = scipy.stats.truncnorm(-0.25, np.inf, 0.1, 0.4)
    assert_law(batch.thickness.ravel(), law.cdf)
    np.testing.assert_array_equal(batch.packing.extra, batch.thickness < 0.5)


@pytest.mark.slow
def test_dipoles_are_uniform_on_the_sphere(dilute):
    """Each one by symmetry; of any two, the angle has the uniform law beyond the bond length."""
    regular = joined(dilute, lambda b: b.direction[:, : b.regular])
    for index in (0, PER_CRYSTAL - 1, 2 * PER_CRYSTAL - 1):
        assert_isotropic(regular[:, index])
    cosine = np.sum(regular[:, 0] * regular[:, 1], axis=-1)
    highest = 1 - 2 * (BOND / DIAMETER) ** 2
    assert_law(cosine, scipy.stats.uniform(-1, 1 + highest).cdf)
    # on the two crystals, independent
    cosine = np.sum(regular[:, 0] * regular[:, PER_CRYSTAL], axis=-1)
    assert_law(cosine, scipy.stats.uniform(-1, 2).cdf)


def fisher_law(kappa):
    """Distribution function of cos θ, the integral of exp(κ cos θ)."""
    return lambda c: np.expm1(kappa * (c + 1)) / np.expm1(2 * kappa)


@pytest.mark.slow
def test_extra_dipoles_have_fishers_law(dilute):
    """About the facing point of their own crystal; exact, because none is refused a place."""
    cosine = joined(
        dilute,
        lambda b: np.sum(b.direction[:, b.regular :] * b.packing.contact_axis, axis=-1)[
            b.packing.extra
        ],
    )
    assert_law(cosine, fisher_law(KAPPA))


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [1e-3, 3.0, 100.0])
@pytest.mark.parametrize(
    "axis", [(0.0, 0.0, 1.0), (0.0, 0.0, -1.0), (0.6, 0.0, -0.8), (1 / 3, 2 / 3, 2 / 3)]
)
def test_fisher_about_an_axis(axis, kappa):
    uniform = jnp.asarray(np.random.default_rng(3).uniform(size=(2000, 2)))
    directions = np.asarray(
        jax.vmap(lambda u: fisher(u, jnp.array(axis), jnp.array(kappa)))(uniform)
    )
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)
    assert_law(directions @ axis, fisher_law(kappa))
    # no direction about the axis is preferred, in a frame of its own
    one = np.cross(axis, [0.3, 0.7, 0.2])
    one /= np.linalg.norm(one)
    angle = np.arctan2(directions @ np.cross(axis, one), directions @ one)
    assert_law(angle, scipy.stats.uniform(-np.pi, 2 * np.pi).cdf)


def test_parents_are_chosen_at_random():
    """Without walls the third crystal is as often at the second as at the first."""
    batch = Batch(dd.NanocrystalPacking(n_crystals=8, volume_fraction=DILUTE), 200, seed=1)
    assert batch.complete.all()
    shares = np.mean(batch.parent == 0, axis=0)
    assert shares[0] == 1
    for i in (1, 2, 3):  # nearly: who has neighbours has less room for more
        assert abs(shares[i] - 1 / (i + 1)) < 4 * np.sqrt(i / (i + 1) ** 2 / 200)
    assert set(batch.parent[:, -1]) == set(range(7))


# two crystals with little room


def rejection_sampler(rng, n_starts):
    """Centres of pairs at volume fraction 0.2, and which of the starts came to one.

    First centres from which no other crystal fits are redrawn. From each other one 1024
    proposals are made (in tables of that size, the first number above `max_proposals`), with
    thicknesses below that of the farthest place, as any others would only be refused; the
    first that fits is taken. Where none fits the start is given up.
    """
    room = container_size(2, 0.2)[1] - DIAMETER / 2
    first = rng.uniform(-room, room, (20 * n_starts, 3))
    radius = np.hypot(first[:, 0], first[:, 1])
    spare = np.hypot(radius + room, abs(first[:, 2]) + room) - DIAMETER
    kept = (radius <= room) & (spare >= 0)
    first, spare = first[kept][:n_starts], spare[kept][:n_starts]
    assert len(first) == n_starts
    second, placed = np.zeros_like(first), np.zeros(n_starts, bool)
    low = scipy.special.ndtr(-MEAN / SD)
    for i in range(n_starts):
        high = scipy.special.ndtr((spare[i] - MEAN) / SD)
        shells = MEAN + SD * scipy.special.ndtri(rng.uniform(low, high, (1024, 2)))
        step = rng.normal(size=(1024, 3))
        step *= ((DIAMETER + shells.sum(axis=1)) / np.linalg.norm(step, axis=1))[:, None]
        centre = first[i] + step
        fits = (np.hypot(centre[:, 0], centre[:, 1]) <= room) & (abs(centre[:, 2]) <= room)
        placed[i], second[i] = fits.any(), centre[np.argmax(fits)]
    return first[placed], second[placed], placed


@pytest.mark.slow
def test_pairs_with_little_room_are_those_of_a_plain_sampler(tight):
    """Few first places leave room for a second crystal, which changes all laws."""
    first, second, placed = rejection_sampler(np.random.default_rng(11), 3000)
    assert all(batch.complete.all() for batch in tight)
    mine = [joined(tight, lambda b, i=i: b.centers[:, i]) for i in (0, 1)]

    def views(first, second):
        radii = [np.hypot(c[:, 0], c[:, 1]) for c in (first, second)]
        heights = [abs(c[:, 2]) for c in (first, second)]
        return [np.linalg.norm(second - first, axis=1), *radii, *heights]

    for ours, theirs in zip(views(*mine), views(first, second), strict=True):
        assert len(theirs) > 1000
        assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-3
    # how many starts it took: geometric, of variance (1 - p)/p²
    share = placed.mean()
    starts = joined(tight, lambda b: b.starts)
    error = np.sqrt((1 - share) * (1 / len(starts) + 1 / (share * len(placed)))) / share
    assert abs(starts.mean() - 1 / share) < 4 * error


# edges


@pytest.mark.slow
def test_one_crystal():
    batch = Batch(dd.NanocrystalPacking(n_crystals=1), 500)
    assert batch.complete.all()
    assert (batch.starts == 1).all()
    assert batch.system.positions.shape == (500, PER_CRYSTAL, 3)
    assert batch.system.mask.all()
    room = container_size(1, 0.2)[1] - DIAMETER / 2
    x, y, z = batch.centers[:, 0].T / room
    assert_law(x**2 + y**2, "uniform")
    assert_law(z, scipy.stats.uniform(-1, 2).cdf)
    np.testing.assert_allclose(np.linalg.norm(batch.arm, axis=-1), DIAMETER / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("what", "given", "others"),
    [
        ("n_crystals", 0, {}),
        ("n_crystals", 2.0, {}),
        ("dipoles_per_crystal", 0, {}),
        ("dipoles_per_crystal", 400, {}),
        ("dipoles_per_crystal", 10, {"bond_length": 2.0}),
        ("dipoles_per_crystal", 10, {"bond_length": 3.0}),
        ("volume_fraction", 0.9, {}),
        ("volume_fraction", 0.64, {}),
        ("volume_fraction", 0.0, {}),
        ("volume_fraction", np.nan, {}),
        ("diameter", -2.7, {}),
        ("diameter", np.inf, {}),
        ("moment", np.nan, {}),
        ("ligand_sd", 0.0, {}),
        ("kappa", 0.0, {}),
        ("ligand_mean", -0.1, {}),
        ("bond_length", -0.1, {}),
        ("extra_below", -0.1, {}),
        ("extra_below", np.inf, {}),
        ("extra_spacing", -0.1, {}),
    ],
)
def test_numbers_that_no_packing_has(what, given, others):
    with pytest.raises(InputError) as error:
        dd.NanocrystalPacking(**({"n_crystals": 3, what: given} | others))
    assert error.value.what == what
    assert error.value.given == pytest.approx(given, nan_ok=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "what", "given"),
    [
        (lambda: dd.UniformCylinder(0, 2.0), "n", 0),
        (lambda: dd.UniformSphere(-3, 2.0), "n", -3),
        (lambda: dd.UniformCylinder(2.5, 2.0), "n", 2.5),
        (lambda: dd.UniformBox(5, 2.0, (1, 1)), "edges", [1, 1]),
        (lambda: dd.UniformCylinder(5, 0.0), "density", 0),
        (lambda: dd.UniformSphere(5, -2.0), "density", -2),
        (lambda: dd.UniformBox(5, np.inf), "density", np.inf),
        (lambda: dd.UniformBox(5, np.nan), "density", np.nan),
        (lambda: dd.UniformSphere(5, 2.0, np.nan), "moment", np.nan),
        (lambda: dd.UniformCylinder(5, 2.0, -1.0), "aspect", -1),
        (lambda: dd.UniformBox(5, 2.0, (1.0, 1.0, 0.0)), "edges", [1, 1, 0]),
    ],
)
def test_numbers_that_no_uniform_sample_has(make, what, given):
    with pytest.raises(InputError) as error:
        make()
    assert error.value.what == what
    assert error.value.given == pytest.approx(given, nan_ok=True)


def test_models_have_the_parameters_of_the_table():
    """Defaults, labels and units of the fields; 0 is accepted exactly where the table says so."""
    with jax.enable_x64(False):
        models = {
            dd.NanocrystalPacking: ({"n_crystals": 3}, PACKING),
            dd.UniformCylinder: ({"n": 3, "density": 2.0}, UNIFORM | {"aspect": ALL["aspect"]}),
            dd.UniformSphere: ({"n": 3, "density": 2.0}, UNIFORM),
            dd.UniformBox: ({"n": 3, "density": 2.0}, UNIFORM),
        }
        for kind, (needed, table) in models.items():
            made = kind(**needed)
            fields = {field.name: field for field in dataclasses.fields(kind)}
            for name, parameter in table.items():
                about = {"label": parameter.label, "unit": parameter.unit}
                assert about.items() <= fields[name].metadata.items()
                if name not in needed:
                    assert float(getattr(made, name)) == pytest.approx(parameter.default)
                if parameter.zero:
                    kind(**needed | {name: 0.0})
                else:
                    with pytest.raises(InputError):
                        kind(**needed | {name: 0 if parameter.whole else 0.0})
        assert ALL["moment"].default == MOMENT_SPIN_HALF


def test_the_table_needs_no_jax():
    """Command line and app read it before they decide on a precision."""
    check = "import sys, diffdip.ensembles.model_parameters; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.slow
def test_traced_parameters_are_not_checked():
    """Inside `vmap` no error is possible: impossible numbers give NaN."""

    def positions(density, aspect):
        return dd.UniformCylinder(3, density, aspect).sample(jax.random.key(0)).positions

    densities, aspects = jnp.array([2.0, -2.0, 2.0]), jnp.array([0.5, 0.5, -0.5])
    many = jax.jit(jax.vmap(positions))(densities, aspects)
    np.testing.assert_allclose(many[0], positions(2.0, 0.5), rtol=1e-12)
    assert np.isnan(many[1:]).any(axis=-1).all()
    volumes = jax.vmap(lambda d: dd.NanocrystalPacking(3, d).volume)(jnp.array([1.0, -1.0]))
    np.testing.assert_allclose(volumes, np.array([1, -1]) * np.pi / 6 * 3 / 0.2, rtol=1e-12)


@pytest.mark.slow
def test_a_sample_without_room_is_nan():
    """Spheres in contact one after the other do not fill 0.6 of a small cylinder."""
    model = dd.NanocrystalPacking(n_crystals=8, volume_fraction=0.6)
    draw = compiled_draw(model, jax.random.key(0))
    assert not draw.complete
    assert int(draw.starts) == 5 * 20  # MOST_REDRAWS times `max_starts`
    assert np.isnan(draw.system.positions).all()


@pytest.mark.slow
def test_pairs_without_room_are_incomplete():
    """At 0.6 a pair cannot fit: its centres would be at most 1.2 nm apart."""
    batch = pairs(volume_fraction=0.6)
    assert not batch.complete.any()
    np.testing.assert_array_equal(batch.starts, 5 * STARTS)


@pytest.mark.slow
def test_vmap_and_single_draws_agree(eight):
    """First and last ones, and those that took the place of others that were complete."""
    keys = keys_of(0, 200)
    model = dd.NanocrystalPacking(n_crystals=8, extra_spacing=BOND)
    for i in (0, 1, WORKERS - 1, WORKERS, WORKERS + 1, 199):
        draw = compiled_draw(model, keys[i])
        assert draw.complete
        assert int(draw.starts) == eight.starts[i]
        system = jax.tree.map(lambda leaf, i=i: leaf[i], eight.system)
        np.testing.assert_allclose(draw.system.positions, system.positions, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(draw.system.mask, system.mask)
        np.testing.assert_array_equal(draw.system.crystal, system.crystal)
        again = compiled_draw(model, keys[i])
        np.testing.assert_array_equal(again.system.positions, draw.system.positions)
    # different keys, different samples
    assert len(np.unique(eight.system.positions[:, 0, 0])) == 200


# derivatives at fixed choices


CONTINUOUS = {
    "diameter": DIAMETER,
    "volume_fraction": 0.2,
    "ligand_mean": MEAN,
    "ligand_sd": SD,
    "kappa": KAPPA,
    "aspect": 1.0,
    "extra_below": EXTRA_BELOW,
    "bond_length": BOND,
    "extra_spacing": 0.26,
}
LENGTHS = ("diameter", "ligand_mean", "ligand_sd", "extra_below", "bond_length", "extra_spacing")


@pytest.fixture(scope="module")
def positions(eight):
    """Positions of one sample as a function of `CONTINUOUS`, compiled with its derivatives."""

    def place(parameters, choices):
        parameters = dict(parameters)
        container = dd.Cylinder(parameters.pop("aspect"))
        return dd.NanocrystalPacking(8, container=container, **parameters).place(choices).positions

    @jax.jit
    def value(parameters, choices):
        return place(parameters, choices)

    @jax.jit
    def derivatives(parameters, choices, cotangent):
        function = lambda p: place(p, choices)
        return jax.jacfwd(function)(parameters), jax.vjp(function, parameters)[1](cotangent)[0]

    with jax.enable_x64(True):
        choices = jax.tree.map(lambda leaf: leaf[3], eight.raw[0])
        parameters = {name: jnp.asarray(value) for name, value in CONTINUOUS.items()}
    return value, derivatives, parameters, choices


@pytest.mark.slow
def test_derivatives_by_each_parameter(eight, positions):
    """Forward and reverse against central differences, of every dipole, masked ones too."""
    value, derivatives, parameters, choices = positions
    np.testing.assert_allclose(
        value(parameters, choices), eight.system.positions[3], rtol=0, atol=1e-12
    )
    cotangent = np.random.default_rng(0).normal(size=eight.system.positions[3].shape)
    forward, reverse = derivatives(parameters, choices, cotangent)
    for name, at in parameters.items():
        step = 1e-5 * float(at)
        above, below = (
            np.asarray(value(parameters | {name: at + sign * step}, choices)) for sign in (1, -1)
        )
        expected = (above - below) / (2 * step)
        np.testing.assert_allclose(forward[name], expected, rtol=0, atol=1e-7)
        np.testing.assert_allclose(reverse[name], np.sum(cotangent * forward[name]), atol=1e-10)
        moves = name not in ("extra_below", "bond_length", "extra_spacing")
        assert (np.max(abs(expected)) > 1e-3) == moves


@pytest.mark.slow
def test_all_lengths_scale_together(positions):
    value, _, parameters, choices = positions
    scaled = parameters | {name: 1.7 * parameters[name] for name in LENGTHS}
    np.testing.assert_allclose(
        value(scaled, choices), 1.7 * np.asarray(value(parameters, choices)), rtol=1e-10
    )


@pytest.mark.slow
def test_choices_do_not_depend_on_the_unit_of_length(eight):
    scaled = {name: 2 * CONTINUOUS[name] for name in LENGTHS}
    batch = Batch(dd.NanocrystalPacking(n_crystals=8, **scaled), 200)
    np.testing.assert_array_equal(batch.parent, eight.parent)
    np.testing.assert_array_equal(batch.system.mask, eight.system.mask)
    np.testing.assert_allclose(
        batch.system.positions, 2 * eight.system.positions, rtol=0, atol=1e-9
    )


@pytest.mark.slow
@pytest.mark.parametrize(("mean", "sd"), [(0.6, 0.1), (4.0, 0.3)])
def test_shells_too_thick_for_two_crystals_are_reported(mean, sd):
    """The share of thin enough shells is below the precision: no sample, and no shell of 0 nm."""
    with jax.enable_x64(False):
        model = dd.NanocrystalPacking(n_crystals=2, ligand_mean=mean, ligand_sd=sd, max_starts=2)

        def gap(key):
            choices = model.choose(key)
            centers = model.pack(choices.growth).centers
            return jnp.linalg.norm(centers[1] - centers[0]) - 2.7, choices.complete

        gaps, complete = jax.vmap(gap)(jax.random.split(jax.random.key(0), 20))
    assert np.all(np.asarray(gaps)[np.asarray(complete)] > 1e-3)
    assert not np.all(complete)


@pytest.mark.slow
def test_fisher_directions_at_a_large_concentration():
    with jax.enable_x64(False):
        found = fisher(jnp.array([0.0, 0.3]), jnp.array([0.0, 0.0, 1.0]), jnp.array(30.0))
    np.testing.assert_allclose(jnp.linalg.norm(found), 1, rtol=1e-6)


def test_a_sample_of_a_model_of_ones_own_is_drawn_as_it_is_written():
    """With NumPy, and with branches on its numbers: nothing is traced."""

    class Own(dd.AbstractModel):
        edge: jax.Array
        convention: dd.Convention = dd.PAPER

        def draw(self, key):
            seed = int(jax.random.key_data(key)[-1])
            places = np.random.default_rng(seed).uniform(size=(4, 3))
            system = dd.DipoleSystem(places * (2 if self.edge > 1 else 1), self.edge**3)
            return Draw(system, jnp.ones((), jnp.int32), jnp.ones((), bool))

    found = Own(jnp.array(1.5)).sample(jax.random.key(7))
    np.testing.assert_array_equal(
        found.positions, 2 * np.random.default_rng(7).uniform(size=(4, 3))
    )
