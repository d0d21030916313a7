"""Random packings, and the laws that Fig. 4 compares them with: ligand thickness, extra dipoles."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from scipy.stats import truncnorm

from diffdip import NanocrystalPacking
from diffdip.foundation.errors import InputError


class Samples(NamedTuple):
    """One packing in detail, and facing points and extra dipoles of all packings.

    Of the first packing: `volume` in nm³, `centers` of crystals and `positions` of dipoles in nm,
    and which dipoles are `extra`. Of all packings: the `thickness` in nm at each P′, and `turned`
    (k, 3), the directions of the extra dipoles in a frame whose z-axis points to their P′.
    """

    model: NanocrystalPacking
    volume: float
    centers: np.ndarray
    positions: np.ndarray
    extra: np.ndarray
    thickness: np.ndarray
    turned: np.ndarray


def run(crystals: int, samples: int, seed: int, **parameters: Any) -> Samples:
    """Draw packings in float64. `parameters` are passed to `NanocrystalPacking`."""
    with jax.enable_x64(True):
        model = NanocrystalPacking(n_crystals=crystals, **parameters)
        key = jax.random.key(seed)
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(np.arange(samples, dtype=np.uint32))
        complete, packing, system = jax.device_get(_draw(model, keys))
    if not complete.any():
        expected, hint = "a number that can be packed", "Give fewer crystals"
        raise InputError("crystals", given=crystals, expected=expected, hint=hint)
    first = int(np.argmax(complete))
    kept = system.mask[first]
    regular = crystals * model.dipoles_per_crystal
    earned = packing.extra & complete[:, None]
    home = np.take_along_axis(packing.centers, packing.contact_crystal[..., None], axis=1)
    direction = (system.positions[:, regular:] - home) / (0.5 * float(model.diameter))
    return Samples(
        model,
        float(system.volume[first]),
        packing.centers[first],
        system.positions[first][kept],
        system.extra[first][kept],
        packing.thickness[complete].ravel(),
        _with_axis_up(direction[earned], packing.contact_axis[earned]),
    )


@eqx.filter_jit
def _draw(model: NanocrystalPacking, keys: jax.Array) -> Any:
    def one(key: jax.Array) -> Any:
        choices = model.choose(key)
        return choices.complete, model.pack(choices.growth), model.place(choices)

    return jax.vmap(one)(keys)


def _with_axis_up(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Each direction (k, 3) in a frame whose z-axis is its `axis` (k, 3)."""
    helper = np.where(np.abs(axis[:, :1]) < 0.7, [[1.0, 0, 0]], [[0, 1.0, 0]])
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    frame = np.stack([x, np.cross(axis, x), axis], axis=1)
    return np.einsum("kij,kj->ki", frame, direction)


def thickness_law(model: NanocrystalPacking) -> Any:
    """The law of the ligand thickness: a normal law, cut off below zero (a scipy distribution)."""
    mean, sd = float(model.ligand_mean), float(model.ligand_sd)
    return truncnorm(-mean / sd, np.inf, loc=mean, scale=sd)


def fisher_cumulative(cosine: np.ndarray, kappa: float) -> np.ndarray:
    """Probability that the cosine of the angle to P′ is smaller than `cosine`."""
    return np.expm1(kappa * (cosine + 1)) / math.expm1(2 * kappa)
