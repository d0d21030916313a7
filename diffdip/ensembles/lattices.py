"""Dipoles on a cubic lattice, to compare random arrangements with."""

import math
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Shaped

from ..dipoles.dipole_system import DipoleSystem
from ..foundation.convention import PAPER, Convention
from ..foundation.errors import InputError
from ..foundation.units import MOMENT_SPIN_HALF
from .containers import AbstractContainer


_SITES_PER_CELL: Final = {"sc": 1, "fcc": 4}

_ON_THE_WALL: Final = 1e-5
"""A site this close to the wall, in units of `spacing`, is inside. Without this, rounding would
keep some of several equivalent sites and drop the others."""


def lattice(
    kind: str,
    spacing: Shaped[ArrayLike, ""],
    container: AbstractContainer,
    volume: Shaped[ArrayLike, ""],
    moment: Shaped[ArrayLike, ""] = MOMENT_SPIN_HALF,
    convention: Convention | str = PAPER,
) -> DipoleSystem:
    """Dipoles on the sites of a cubic lattice inside a container; one site is its centre.

    Around each site of an infinite cubic lattice the dipolar fields within a sphere cancel. So in
    the `physical` convention D → N − 1/3 for many sites, where N is the (magnetometric)
    demagnetization tensor of the container; D → 0 in a sphere and in a cube.

    Sites on the wall are inside. They are selected in float64, so this does not work under `jit`
    and has no derivatives with respect to `spacing` or `volume`.

    Args:
        kind: `"sc"` (simple cubic) or `"fcc"` (face-centred cubic), with axes along x, y, z.
        spacing: Edge of the cubic cell in nm.
        container: The shape that is filled.
        volume: Volume of the container in nm³.
        moment: Moment of each dipole in µB (1.73 by default).
        convention: How pairs are counted, `paper` by default.

    Returns:
        The dipoles. Their volume is the number of sites times the cell volume per site (a³ for
        sc, a³/4 for fcc), not the volume of the container, so that M is that of the lattice.

    Raises:
        InputError: If `kind` is unknown, or if `spacing` or `volume` is not finite and above 0.

    >>> from diffdip import Sphere
    >>> system = lattice("sc", 0.5, Sphere(), volume=4.0)
    >>> len(system.positions), float(system.volume)
    (27, 3.375)
    >>> print(f"{abs(system.tensor()).max():.5f}")
    0.00000
    """
    if kind not in _SITES_PER_CELL:
        raise InputError("kind", given=kind, expected=" or ".join(map(repr, _SITES_PER_CELL)))
    edge, size = float(np.asarray(spacing, float)), float(np.asarray(volume, float))
    for name, value in (("spacing", edge), ("volume", size)):
        if not (value > 0 and math.isfinite(value)):
            raise InputError(name, given=value, expected="a finite number above 0")
    # sites are multiples of half the cell's edge; those of fcc have an even sum
    stride = 2 if kind == "sc" else 1
    with jax.enable_x64(True):
        inside = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), float), container)
        margin = -_ON_THE_WALL * edge
        reach = float(inside.reach(jnp.zeros(3), size, margin))
        most = int(reach / (stride * edge / 2))
        line = stride * np.arange(-most, most + 1)
        x, y = np.meshgrid(line, line, indexing="ij")
        layers = []
        for z in line:
            sites = np.stack([x, y, np.full_like(x, z)], axis=-1)
            if kind == "fcc":
                sites = sites[sites.sum(axis=-1) % 2 == 0]
            points = sites.reshape(-1, 3) * (edge / 2)
            kept = inside.contains(jnp.asarray(points), size, margin)
            layers.append(points[np.asarray(kept)])
    positions = np.concatenate(layers)
    cells = len(positions) / _SITES_PER_CELL[kind]
    return DipoleSystem(positions, cells * edge**3, moment, convention=convention)
