"""Many samples of a model, in batches that fit the memory and on several devices.

Each sample has its own random key, so batches and devices do not change the samples.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from ..dipoles.dipole_system import MANY, TOLERANCE, DipoleSummary
from ..dipoles.ewald_split import shape_for
from ..foundation.errors import InputError, check_count
from ..foundation.progress import progress_bar
from ..foundation.version import __version__
from ..kernels.calls import form
from .models import AbstractModel
from .nanocrystal_packing import NanocrystalPacking
from .parameter_checks import plain_numbers


LANE_BYTES: Final = 256 * 2**20
"""Memory for the samples that a CPU computes at once."""

SITE_BYTES: Final = 400
"""Memory for one site of one sample, about."""

MOST_LANES: Final = 512
"""The most samples that one device computes at once."""

ACCELERATOR_SHARE: Final = 0.1
"""Share of an accelerator's memory for the samples that it computes at once."""

MOST_SEED: Final = 2**32 - 1
"""Larger seeds would repeat the samples of smaller ones."""


class Sampled(eqx.Module):
    """The results of samples; all arrays have a leading axis of samples.

    Args:
        summary: Tensor, fields and so on; NaN for a sample that could not be placed.
        starts: How many attempts the sample took.
    """

    summary: DipoleSummary
    starts: Any


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Samples of a model, and how they were made.

    All numbers of a sample that could not be placed are NaN; `unplaced` counts these samples.

    Args:
        D: Tensors (n, 3, 3), dimensionless.
        A: Anisotropy fields A (n) in tesla.
        B: Anisotropy fields B (n) in tesla.
        C: Anisotropy fields C (n) in tesla.
        M: Magnetizations (n) in A/m.
        n_dipoles: Number of dipoles of each sample (n).
        closest: Distance of the closest two dipoles (n) in nm.
        starts: How many attempts each sample took (n).
        settings: The model with all its parameters, the seed, and the versions of the program.
    """

    D: np.ndarray
    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    M: np.ndarray
    n_dipoles: np.ndarray
    closest: np.ndarray
    starts: np.ndarray
    settings: dict[str, Any]

    @property
    def convention(self) -> str:
        """The name of the convention of D, A, B and C."""
        return self.settings["model"]["convention"]

    @property
    def unplaced(self) -> int:
        """How many samples could not be placed."""
        return int(np.sum(np.isnan(self.M)))

    def __len__(self) -> int:
        return len(self.A)


ARRAYS = tuple(f.name for f in dataclasses.fields(Ensemble) if f.name != "settings")
"""Names of the arrays of an `Ensemble`."""


def simulate(
    model: AbstractModel,
    n_samples: int,
    seed: int = 0,
    *,
    batch_size: int | None = None,
    devices: Sequence[Any] | None = None,
    progress: bool = True,
) -> Ensemble:
    """Draw samples of a model and compute D, A, B, C of each.

    Sample i has the key `fold_in(key(seed), i)`. So it does not depend on the batch size or on the
    number of devices: on one kind of device it is the same bit for bit.

    Args:
        model: The arrangement of dipoles.
        n_samples: Number of samples, 1 or above.
        seed: Seed of the random numbers, from 0 to 2³² − 1.
        batch_size: Samples computed at a time, by default as many as fit in memory. A smaller
            batch takes as long as a full one.
        devices: JAX devices that share the work, by default all of this process.
        progress: Whether to show a progress bar on a terminal.

    Returns:
        The samples. All numbers of a sample that could not be placed are NaN; see
        `Ensemble.unplaced`.

    Raises:
        InputError: If `n_samples` or `batch_size` is below 1, or if `seed` is out of its range.
        NothingPlacedError: If no sample could be placed.

    >>> from diffdip import UniformCylinder
    >>> ensemble = simulate(UniformCylinder(n=20, density=2.0), 5, seed=1)
    >>> ensemble.B.shape, ensemble.convention
    ((5,), 'paper')
    """
    check_count("n_samples", n_samples)
    plan = BatchPlan.make(model, n_samples, seed, batch_size, devices)
    parts = []
    with progress_bar("sampling", n_samples, shown=progress) as advance:
        for _, part in plan.run(range(plan.count)):
            parts.append(part)
            advance(len(part["A"]))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in ARRAYS}
    ensemble = Ensemble(**arrays, settings=plan.settings())
    if ensemble.unplaced == n_samples:
        raise nothing_placed(model)
    return ensemble


def check_seed(seed: int) -> None:
    """Raise `InputError` for a seed that would give the samples of another seed."""
    if not 0 <= seed <= MOST_SEED:
        raise InputError("seed", given=seed, expected=f"a whole number from 0 to {MOST_SEED}")


class NothingPlacedError(InputError):
    """No sample of a model could be placed."""


def nothing_placed(model: AbstractModel) -> NothingPlacedError:
    """The error for a model if none of its samples could be placed."""
    hint = "Pack less densely: lower {volume_fraction} or {ligand_mean}"
    return NothingPlacedError(
        f"no sample of {type(model).__name__} could be placed",
        hint=hint if isinstance(model, NanocrystalPacking) else "Check how the model draws samples",
    )


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """How samples are divided into batches, and each batch over devices.

    Batch b holds the samples from b · size to (b + 1) · size − 1; the last batch holds the rest.
    A batch is computed in steps, of `lanes` samples on each device.
    """

    model: AbstractModel
    n_samples: int
    seed: int
    size: int
    lanes: int
    devices: tuple[Any, ...]

    @staticmethod
    def make(
        model: AbstractModel,
        n_samples: int,
        seed: int,
        batch_size: int | None,
        devices: Sequence[Any] | None,
    ) -> "BatchPlan":
        """A plan; None stands for as many samples as fit in memory, and for all devices.

        Raises:
            InputError: If the batch size is below 1, or if the seed is out of its range.
        """
        check_seed(seed)
        devices = tuple(jax.local_devices() if devices is None else devices)
        lanes = lanes_on(model, devices[0])
        size = lanes * len(devices) if batch_size is None else batch_size
        check_count("batch_size", size)
        return BatchPlan(model, n_samples, seed, size, lanes, devices)

    @property
    def count(self) -> int:
        """Number of batches."""
        return -(-self.n_samples // self.size)

    def samples(self, batch: int) -> range:
        """The samples of a batch."""
        return range(batch * self.size, min((batch + 1) * self.size, self.n_samples))

    def settings(self) -> dict[str, Any]:
        """Everything that the numbers depend on, with the versions of the programs."""
        return {
            "diffdip": __version__,
            "jax": jax.__version__,
            "platform": self.devices[0].platform,
            "loops": form(self.devices[0].platform),
            "dtype": str(jax.tree.leaves(eqx.filter(self.model, eqx.is_inexact_array))[0].dtype),
            "model": describe(self.model),
            "seed": self.seed,
            "n_samples": self.n_samples,
        }

    def run(self, batches: Sequence[int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Compute batches one after the other: the number of each, and its arrays by name."""
        mesh = Mesh(np.array(self.devices), ("samples",))
        key = jax.random.key(self.seed)
        mesh_points = mesh_for(self.model, key)
        for batch in batches:
            samples = np.array(self.samples(batch), np.uint32)
            step = self.lanes * len(self.devices)
            parts = []
            for start in range(0, len(samples), step):
                chunk = samples[start : start + step]
                padded = np.pad(chunk, (0, step - len(chunk)), mode="edge")
                parts.append(jax.device_get(_run(self.model, key, padded, mesh, mesh_points)))
            whole = jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
            fields = vars(whole.summary) | {"starts": whole.starts}
            yield batch, {name: fields[name][: len(samples)] for name in ARRAYS}


@eqx.filter_jit
def _run(
    model: AbstractModel,
    key: jax.Array,
    samples: Any,
    mesh: Mesh,
    mesh_points: tuple[int, int, int] | None,
) -> Sampled:
    arrays, static = eqx.partition(model, eqx.is_array)

    def share(arrays: Any, key: jax.Array, samples: jax.Array) -> Sampled:
        own = eqx.combine(arrays, static)

        def one(sample: jax.Array) -> Sampled:
            draw = own.draw(jax.random.fold_in(key, sample))
            summary = draw.system.summary(mesh=mesh_points)
            # a sample that could not be placed has no magnetization either
            summary = jax.tree.map(
                lambda x: (
                    jnp.where(draw.complete, x, jnp.nan)
                    if jnp.issubdtype(x.dtype, jnp.floating)
                    else x
                ),
                summary,
            )
            return Sampled(summary, draw.starts)

        return jax.vmap(one)(samples)

    spread = PartitionSpec("samples")
    return jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(), spread),
        out_specs=spread,
        check_vma=False,
    )(arrays, key, samples)


def mesh_for(model: AbstractModel, key: jax.Array) -> tuple[int, int, int] | None:
    """The mesh for pair sums of many dipoles: that of the first sample. None for fewer dipoles.

    Compiled programs have fixed shapes. Any mesh gives correct sums, so the other samples need not
    have the size of the first; but flat and long samples are slow on a mesh for a compact one.
    """
    if sites_of_model(model) < MANY:
        return None
    system = eqx.filter_jit(model.sample)(jax.random.fold_in(key, 0))
    return shape_for(system.positions, system.mask, TOLERANCE)


def describe(model: Any) -> dict[str, Any]:
    """A model's class and parameters as plain data, for result files.

    >>> from diffdip import UniformCylinder
    >>> describe(UniformCylinder(n=20, density=2.0))["density"]
    2.0
    """
    plain: dict[str, Any] = {"type": type(model).__name__}
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if isinstance(value, eqx.Module):
            value = describe(value)
        elif isinstance(value, jax.Array | np.ndarray):
            value = plain_numbers(value)
        elif not isinstance(value, int | float | str | None):
            value = str(value)
        plain[field.name] = value
    return plain


def lane_groups(
    model: AbstractModel, n_samples: int, compute: Callable[[jax.Array], Any]
) -> Iterator[tuple[int, Any]]:
    """Compute something for samples 0 … n − 1, in groups that one device computes at once.

    All groups have the same size, so that `compute` is compiled once. It gets the numbers of the
    samples. Yields the number of the first sample of a group, and the results as numpy arrays
    without the superfluous samples of the last group.
    """
    lanes = lanes_on(model)
    for start in range(0, n_samples, lanes):
        index = jnp.arange(start, start + lanes, dtype=jnp.uint32)
        found = jax.device_get(compute(index))
        count = min(lanes, n_samples - start)
        yield start, jax.tree.map(lambda array, count=count: array[:count], found)


def lanes_on(model: AbstractModel, device: Any = None) -> int:
    """How many samples a device computes at once, a power of two; the first device by default."""
    device = jax.local_devices()[0] if device is None else device
    sites = sites_of_model(model)
    budget = LANE_BYTES
    if device.platform != "cpu":
        budget = int(ACCELERATOR_SHARE * (device.memory_stats() or {}).get("bytes_limit", 2**33))
    return min(MOST_LANES, 2 ** max(0, (budget // (SITE_BYTES * sites)).bit_length() - 1))


def sites_of_model(model: AbstractModel) -> int:
    """Places for dipoles in a sample of a model."""
    leaves, structure = jax.tree.flatten(jax.tree.map(_shape, model))
    return _sites(structure, tuple(leaves))


def _shape(leaf: Any) -> Any:
    is_array = isinstance(leaf, jax.Array | np.ndarray)
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if is_array else leaf


@lru_cache(maxsize=64)
def _sites(structure: Any, leaves: tuple[Any, ...]) -> int:
    """Places for dipoles in a sample of a model with such arrays.

    Cached, because tracing the model takes 0.2 s.
    """
    model = jax.tree.unflatten(structure, leaves)
    return eqx.filter_eval_shape(model.sample, jax.random.key(0)).positions.shape[0]
