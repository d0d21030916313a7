"""Dipoles on a cubic lattice: what random arrangements are compared with."""

import math
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Shaped

from ..dipoles.dipole_system import DipoleSystem
from ..foundation.convention import PAPER, Convention
from ..foundation.units import MOMENT_SPIN_HALF
from .containers import AbstractContainer


_SITES_PER_CELL: Final = {"sc": 1, "fcc": 4}

_ON_THE_WALL: Final = 1e-5
"""A site that close to the wall, in units of `spacing`, is inside: rounding must not tell
equivalent sites apart."""


def lattice(
    kind: str,
    spacing: Shaped[ArrayLike, ""],
    container: AbstractContainer,
    volume: Shaped[ArrayLike, ""],
    moment: Shaped[ArrayLike, ""] = MOMENT_SPIN_HALF,
    convention: Convention | str = PAPER,
) -> DipoleSystem:
    """Dipoles on the cubic lattice sites inside a container, one of them at its centre.

    `kind` is `"sc"` (simple cubic) or `"fcc"` (face-centred cubic) with axes along x, y, z;
    `spacing` is the edge of the cubic cell in nm, `moment` in µB. The container has `volume` (nm³);
    sites on its wall are inside. The volume of the result is not that one but the number of sites
    times the cell volume per site (a³, or a³/4 for fcc), so that M is that of the lattice.

    Around each site of an infinite cubic lattice the dipolar fields within a sphere cancel, so that
    in the `physical` convention D → N − 1/3 for many sites, with the (magnetometric)
    demagnetization tensor N of the container: 0 in a sphere and in a cube.

    Sites are chosen with numbers, in float64: this does not work under `jit` and has no derivative
    in `spacing` or `volume`. Raises `ValueError` for another kind, and for a spacing or volume
    that is not positive and finite.

    >>> from diffdip import Sphere
    >>> system = lattice("sc", 0.5, Sphere(), volume=4.0)
    >>> len(system.positions), float(system.volume)
    (27, 3.375)
    >>> print(f"{abs(system.tensor()).max():.5f}")
    0.00000
    """
    if kind not in _SITES_PER_CELL:
        known = ", ".join(_SITES_PER_CELL)
        raise ValueError(f"unknown lattice {kind!r}: expected one of {known}")
    edge, size = float(np.asarray(spacing, float)), float(np.asarray(volume, float))
    for name, value in (("spacing", edge), ("volume", size)):
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name} must be above 0 and finite, not {value:g}")
    # as multiples of half the cell's edge, of which those with an even sum are fcc
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
