"""Cubic lattices and random films, against the demagnetization tensor of their outline."""

from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.foundation import units
from diffdip.foundation.errors import InputError
from diffdip.statistics.cauchy import A_CENTER


SITES = 4000
"""All systems are padded to this many sites, so that one compiled pair sum serves them."""

SPACING = 0.5


@eqx.filter_jit
def compiled_tensor(positions, volume, moments, mask):
    return dd.DipoleSystem(positions, volume, moments, mask, "physical").tensor()


def tensor(system):
    """D in the physical convention, by way of padding."""
    count = len(system.positions)
    assert count <= SITES
    padding = ((0, SITES - count), (0, 0))
    positions = np.pad(np.asarray(system.positions), padding, constant_values=np.nan)
    moments = np.pad(np.asarray(system.moments), padding[0])
    return np.asarray(compiled_tensor(positions, system.volume, moments, np.arange(SITES) < count))


def outline(system):
    """Edges of the box that cells around each site fill: extent and one layer, per axis."""
    positions = np.asarray(system.positions)
    layers = [np.unique(np.round(positions[:, axis], 9)) for axis in range(3)]
    return np.array([layer[-1] - layer[0] + layer[1] - layer[0] for layer in layers])


def aharoni(a, b, c):
    """Demagnetizing factor along c of a uniform prism with edges a, b, c (all halved alike).

    A. Aharoni, J. Appl. Phys. 83, 3432 (1998), eq. 1.
    """
    ab, bc, ac = np.hypot(a, b), np.hypot(b, c), np.hypot(a, c)
    r = np.sqrt(a * a + b * b + c * c)
    sums = (b * b - c * c) / (2 * b * c) * np.log((r - a) / (r + a))
    sums += (a * a - c * c) / (2 * a * c) * np.log((r - b) / (r + b))
    sums += b / (2 * c) * np.log((ab + a) / (ab - a)) + a / (2 * c) * np.log((ab + b) / (ab - b))
    sums += c / (2 * a) * np.log((bc - b) / (bc + b)) + c / (2 * b) * np.log((ac - a) / (ac + a))
    sums += 2 * np.arctan(a * b / (c * r))
    sums += (a**3 + b**3 - 2 * c**3 + (a * a + b * b - 2 * c * c) * r) / (3 * a * b * c)
    sums += c / (a * b) * (ac + bc) - (ab**3 + bc**3 + ac**3) / (3 * a * b * c)
    return sums / np.pi


def demagnetization(edges):
    a, b, c = edges
    return np.array([aharoni(b, c, a), aharoni(c, a, b), aharoni(a, b, c)])


def test_aharoni():
    """The formula as typed: a cube, the trace, a thin film and a long rod."""
    np.testing.assert_allclose(demagnetization([1, 1, 1]), 1 / 3, rtol=1e-13)
    assert abs(demagnetization([1, 2, 5]).sum() - 1) < 1e-12
    assert aharoni(1000, 1000, 1) > 0.99
    assert aharoni(1, 1, 100) < 0.01


# sites


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sc", "fcc"])
def test_sites_are_those_of_brute_force(kind):
    """Every point of the lattice, listed cell by cell, that lies in the cylinder."""
    basis = {"sc": [(0, 0, 0)], "fcc": [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]}
    volume, cell = 30.3, SPACING**3
    radius = (volume / (2 * np.pi * 1.5)) ** (1 / 3)
    cells = np.array(list(product(range(-12, 13), repeat=3)))
    points = SPACING * np.concatenate([cells + np.array(b) for b in basis[kind]])
    inside = (np.hypot(points[:, 0], points[:, 1]) <= radius) & (abs(points[:, 2]) <= 1.5 * radius)
    expected = np.array(sorted(points[inside].tolist()))
    system = dd.lattice(kind, SPACING, dd.Cylinder(1.5), volume, moment=2.5, convention="physical")
    found = np.array(sorted(np.asarray(system.positions).tolist()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert float(system.volume) == pytest.approx(len(expected) * cell / len(basis[kind]))
    assert system.convention is dd.PHYSICAL
    np.testing.assert_array_equal(system.moments, 2.5)
    # M is that of the lattice, whatever outline the container has
    per_site = cell / len(basis[kind])
    assert float(system.magnetization) == pytest.approx(2.5 * units.MAGNETIZATION_UNIT / per_site)


def test_sites_on_the_wall_are_inside():
    """All equivalent sites alike, although 0.1 has no exact binary form."""
    for spacing in (0.1, 0.7, 1 / 3):
        system = dd.lattice("sc", spacing, dd.Box(), (6 * spacing) ** 3)
        assert len(system.positions) == 7**3
        # (1, 2, 2) and (3, 0, 0) are as far
        shell = dd.lattice("sc", spacing, dd.Sphere(), 4 / 3 * np.pi * (3 * spacing) ** 3)
        assert len(shell.positions) == 123


def test_a_container_smaller_than_a_cell_holds_its_centre():
    system = dd.lattice("fcc", SPACING, dd.Sphere(), 0.001)
    np.testing.assert_array_equal(system.positions, [[0, 0, 0]])
    assert float(system.volume) == pytest.approx(SPACING**3 / 4)


def test_default_precision_chooses_the_same_sites():
    chosen = np.asarray(dd.lattice("fcc", 0.1, dd.Box((1.0, 2.0, 1.0)), 0.2).positions)
    with jax.enable_x64(False):
        system = dd.lattice("fcc", 0.1, dd.Box((1.0, 2.0, 1.0)), 0.2)
        assert system.positions.dtype == jnp.float32
        np.testing.assert_allclose(system.positions, chosen, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "what", "given"),
    [
        (("bcc", 0.5, 1.0), "kind", "bcc"),
        (("sc", 0.0, 1.0), "spacing", 0.0),
        (("sc", -0.5, 1.0), "spacing", -0.5),
        (("sc", float("nan"), 1.0), "spacing", float("nan")),
        (("fcc", 0.5, -1.0), "volume", -1.0),
        (("fcc", 0.5, float("inf")), "volume", float("inf")),
    ],
)
def test_what_no_lattice_has(arguments, what, given):
    kind, spacing, volume = arguments
    with pytest.raises(InputError) as error:
        dd.lattice(kind, spacing, dd.Sphere(), volume)
    assert error.value.what == what
    assert error.value.given == given or np.isnan(given)


# demagnetization


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sc", "fcc"])
@pytest.mark.parametrize("shape", ["sphere", "cube"])
def test_cubic_outlines_have_no_tensor(kind, shape):
    """D = 0 by symmetry, to rounding: single terms are up to r⁻³ and 6 per site are nearest."""
    container = dd.Sphere() if shape == "sphere" else dd.Box()
    count = 1500 if kind == "sc" else 375
    system = dd.lattice(kind, SPACING, container, count * SPACING**3)
    assert len(system.positions) > 1000
    assert np.max(abs(tensor(system))) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sc", "fcc"])
@pytest.mark.parametrize("edges", [(1, 1, 3), (3, 3, 1), (4, 2, 1)])
def test_boxes_have_the_demagnetization_tensor(kind, edges):
    """D = N − 1/3 + O(1/L) for L cells along an edge.

    The sites in the outermost layers lack a layer of neighbours: a share of 1/L of all, with a
    field off by a number that no L enters. So two sizes are extrapolated: what is left, of
    order 1/L², was seen to be 7e-4 at most, 0.1 % of the difference between two elements.
    """
    sizes = (3, 7) if kind == "sc" else (2, 4)
    systems = [
        dd.lattice(
            kind,
            SPACING,
            dd.Box(tuple(map(float, edges))),
            np.prod(edges) * (k * SPACING) ** 3,
        )
        for k in sizes
    ]
    # the shape is not quite `edges`: an edge of an even number of cells has one layer more
    small, large = (outline(system) for system in systems)
    off = [np.diag(tensor(system)) + 1 / 3 - demagnetization(outline(system)) for system in systems]
    scale = large.min() / small.min()
    assert np.max(abs(off[1])) < 0.015
    assert np.max(abs(scale * off[1] - off[0])) / (scale - 1) < 1e-3
    for system, box in zip(systems, (small, large), strict=True):
        assert float(system.volume) == pytest.approx(np.prod(box), rel=0.01)


@pytest.mark.slow
def test_cylinder_as_high_as_wide():
    """N_z = 0.3116 (R. I. Joseph, J. Appl. Phys. 37, 4639, 1966), volume average.

    The steps of its outline are as irregular as lattice points in a circle: D was seen off by
    up to 0.066/L for 5 to 29 cells across, against 0.0217 between cylinder and cube.
    """
    L = 15
    system = dd.lattice("sc", SPACING, dd.Cylinder(), np.pi / 4 * (L * SPACING) ** 3)
    D = tensor(system)
    assert abs(D[2, 2] - (0.3116 - 1 / 3)) < 0.07 / L
    np.testing.assert_allclose(D, np.diag([-D[2, 2] / 2, -D[2, 2] / 2, D[2, 2]]), atol=1e-12)


@pytest.mark.slow
def test_exchanged_edges_exchange_elements():
    """B of a box changes sign when it is turned by 90° about z, and W doubles it."""
    one = dd.lattice("sc", SPACING, dd.Box((2.0, 1.0, 0.5)), 30.0)
    other = dd.lattice("sc", SPACING, dd.Box((1.0, 2.0, 0.5)), 30.0)
    D, turned = tensor(one), tensor(other)
    np.testing.assert_allclose(turned, D[[1, 0, 2]][:, [1, 0, 2]], atol=1e-12)
    assert D[0, 0] - D[1, 1] < -0.1  # easy along the long edge
    assert D[2, 2] > 0.2


# random dipoles: the same shape anisotropy, under a law with heavy tails


COUNT = 1000


@pytest.fixture(scope="module")
def ensembles():
    """A and B of boxes of 300 random dipoles, in units of µ0M."""
    fields = {}
    for edges in ((1.0, 1.0, 1.0), (3.0, 1.0, 0.5), (1.0, 3.0, 0.5)):
        with jax.enable_x64(True):
            model = dd.UniformBox(n=300, density=2.0, edges=edges, convention="physical")
            ensemble = dd.simulate(model, COUNT, seed=5, progress=False)
        unit = units.MU_0 * ensemble.M
        fields[edges] = ensemble.A / unit, ensemble.B / unit
    return fields


@pytest.mark.slow
def test_random_boxes_have_the_shape_anisotropy(ensembles):
    """The medians of A and B are ⅓ − Nzz (with `A_CENTER`) and Nxx − Nyy.

    A median of n values of a Cauchy law of half width w has the standard error (π/2) w/√n:
    0.033 for B, 0.020 for A here, in units of µ0M. The shape moves A by −0.26 and B by ∓0.21.
    """
    error = np.pi / 2 / np.sqrt(COUNT)
    for edges, (A, B) in ensembles.items():
        N = demagnetization(edges)
        off_A = np.median(A) - (1 / 3 - N[2] + A_CENTER)
        off_B = np.median(B) - (N[0] - N[1])
        assert abs(off_A) < 3 * 0.4031 * error
        assert abs(off_B) < 3 * 2 / 3 * error


@pytest.mark.slow
def test_film_and_cube_differ(ensembles):
    """By 0.26 in A, 13 standard errors; and exchanged edges by 0.42 in B."""
    (cube, _), (A, B), (_, turned) = (np.median(fields, axis=1) for fields in ensembles.values())
    assert cube - A > 0.15
    assert B < -0.1
    assert turned > 0.1
