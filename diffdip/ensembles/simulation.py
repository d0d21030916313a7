"""Thousands of samples of a model: batched to memory, sharded over devices, one key a sample."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from ..dipoles.dipole_system import DipoleSummary
from ..foundation.errors import InputError
from ..foundation.progress import progress_bar
from .models import AbstractModel


LANE_BYTES, SITE_BYTES = 64 * 2**20, 400
"""Memory for the samples computed at once on a CPU, and what a site of one needs, about."""

MOST_LANES = 512
"""The most samples at once on one device."""

ACCELERATOR_SHARE = 0.1
"""Share of an accelerator's memory for the samples computed at once."""


class Sampled(eqx.Module):
    """What is kept of each sample; arrays have a leading axis of samples.

    `starts` counts the attempts to place it; where they all failed `complete` is False and
    every number NaN.
    """

    summary: DipoleSummary
    starts: Any
    complete: Any


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Samples of a model and how they were made.

    `D` (n, 3, 3), `A`, `B`, `C` (n,) in tesla, `M` in A/m, `n_dipoles`, `closest` (nm) of each
    sample; `starts` the attempts to place it. Samples that could not be placed are NaN and counted
    by `unplaced`.
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
        """The convention that A, B, C are in."""
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
    """Draw samples 0 … n − 1 of a model and compute D, A, B, C of each.

    Sample i has the key `fold_in(key(seed), i)`, so that it is the same, bit for bit on the same
    kind of device, in every batch and on any number of devices. `batch_size` samples are
    computed at a time (by default as many as fit in memory; smaller batches cost as much each),
    shared among `devices` (by default all of this process). A progress bar appears on a terminal.

    A sample that could not be placed is NaN throughout; see `Ensemble.unplaced`. Raises
    `ValueError` for no samples, and where none could be placed.

    >>> from diffdip import UniformCylinder
    >>> ensemble = simulate(UniformCylinder(n=20, density=2.0), 5, seed=1)
    >>> ensemble.B.shape, ensemble.convention
    ((5,), 'paper')
    """
    if n_samples < 1:
        raise ValueError(f"{n_samples} samples: expected 1 or more")
    plan = BatchPlan.make(model, n_samples, seed, batch_size, devices)
    parts = []
    with progress_bar("sampling", n_samples, shown=progress) as advance:
        for _, part in plan.run(range(plan.count)):
            parts.append(part)
            advance(len(part["A"]))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in ARRAYS}
    ensemble = Ensemble(**arrays, settings=plan.settings())
    if ensemble.unplaced == n_samples:
        raise NothingPlacedError(nothing_placed(model))
    return ensemble


def check_seed(seed: int) -> None:
    """Raise `ValueError` for a seed that would repeat another."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed {seed}: expected 0 to {2**32 - 1}")


class NothingPlacedError(InputError):
    """No sample of a model could be placed."""


def nothing_placed(model: AbstractModel) -> str:
    """What to say where no sample of a model could be placed."""
    return f"no sample of {type(model).__name__} could be placed: is it packed too densely?"


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """How samples are divided into batches, and batches over devices.

    Batch b holds samples b · size … (b + 1) · size − 1, the last one fewer.
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
        """The plan with what is left open filled in.

        Raises `ValueError` for a batch of none, and for seeds that would repeat others.
        """
        check_seed(seed)
        devices = tuple(jax.local_devices() if devices is None else devices)
        lanes = lanes_on(model, devices[0])
        size = lanes * len(devices) if batch_size is None else batch_size
        if size < 1:
            raise ValueError(f"batches of {size} samples: expected 1 or more")
        return BatchPlan(model, n_samples, seed, size, lanes, devices)

    @property
    def count(self) -> int:
        """Number of batches."""
        return -(-self.n_samples // self.size)

    def samples(self, batch: int) -> range:
        """The samples of a batch."""
        return range(batch * self.size, min((batch + 1) * self.size, self.n_samples))

    def settings(self) -> dict[str, Any]:
        """Everything that the numbers depend on, and the versions that made them."""
        from ..foundation.version import __version__

        return {
            "diffdip": __version__,
            "jax": jax.__version__,
            "platform": self.devices[0].platform,
            "dtype": str(jax.tree.leaves(eqx.filter(self.model, eqx.is_inexact_array))[0].dtype),
            "model": describe(self.model),
            "seed": self.seed,
            "n_samples": self.n_samples,
        }

    def run(self, batches: Sequence[int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Compute batches one after the other: (batch, arrays by name of `ARRAYS`)."""
        mesh = Mesh(np.array(self.devices), ("samples",))
        key = jax.random.key(self.seed)
        for batch in batches:
            samples = np.array(self.samples(batch), np.uint32)
            step = self.lanes * len(self.devices)
            parts = []
            for start in range(0, len(samples), step):
                chunk = samples[start : start + step]
                padded = np.pad(chunk, (0, step - len(chunk)), mode="edge")
                parts.append(jax.device_get(_run(self.model, key, padded, mesh)))
            whole = jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
            fields = vars(whole.summary) | {"starts": whole.starts}
            yield batch, {name: fields[name][: len(samples)] for name in ARRAYS}


@eqx.filter_jit
def _run(model: AbstractModel, key: jax.Array, samples: Any, mesh: Mesh) -> Sampled:
    arrays, static = eqx.partition(model, eqx.is_array)

    def share(arrays: Any, key: jax.Array, samples: jax.Array) -> Sampled:
        own = eqx.combine(arrays, static)

        def one(sample: jax.Array) -> Sampled:
            draw = own.draw(jax.random.fold_in(key, sample))
            summary = draw.system.summary()
            # a sample that could not be placed has no magnetization either
            summary = jax.tree.map(
                lambda x: (
                    jnp.where(draw.complete, x, jnp.nan)
                    if jnp.issubdtype(x.dtype, jnp.floating)
                    else x
                ),
                summary,
            )
            return Sampled(summary, draw.starts, draw.complete)

        return jax.vmap(one)(samples)

    spread = PartitionSpec("samples")
    return jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(), spread),
        out_specs=spread,
        check_vma=False,
    )(arrays, key, samples)


def describe(model: Any) -> dict[str, Any]:
    """A model's class and parameters as plain data, containers included.

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
            # the shortest decimals that round to a float32, 1.73 for one
            array = np.asarray(value)
            value = np.array([float(str(v)) for v in array.ravel()]).reshape(array.shape).tolist()
        elif not isinstance(value, int | float | str | None):
            value = str(value)
        plain[field.name] = value
    return plain


def lane_groups(
    model: AbstractModel, n_samples: int, compute: Callable[[jax.Array], Any]
) -> Iterator[tuple[int, Any]]:
    """What `compute` makes of the samples 0 … n − 1, as many at a time as one device takes.

    It is given always as many numbers of samples, so that it is compiled once. Yields the number of
    the first of a group, and the results as numpy arrays, cut to the samples asked for.
    """
    lanes = lanes_on(model)
    for start in range(0, n_samples, lanes):
        index = jnp.arange(start, start + lanes, dtype=jnp.uint32)
        found = jax.device_get(compute(index))
        count = min(lanes, n_samples - start)
        yield start, jax.tree.map(lambda array, count=count: array[:count], found)


def lanes_on(model: AbstractModel, device: Any = None) -> int:
    """How many samples a device (by default the first) computes at once: a power of two."""
    device = jax.local_devices()[0] if device is None else device
    leaves, structure = jax.tree.flatten(jax.tree.map(_shape, model))
    sites = _sites(structure, tuple(leaves))
    budget = LANE_BYTES
    if device.platform != "cpu":
        budget = int(ACCELERATOR_SHARE * (device.memory_stats() or {}).get("bytes_limit", 2**33))
    return min(MOST_LANES, 2 ** max(0, (budget // (SITE_BYTES * sites)).bit_length() - 1))


def _shape(leaf: Any) -> Any:
    is_array = isinstance(leaf, jax.Array | np.ndarray)
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if is_array else leaf


@lru_cache(maxsize=64)
def _sites(structure: Any, leaves: tuple[Any, ...]) -> int:
    """Places for dipoles in a sample of a model with such arrays: tracing it takes 0.2 s."""
    model = jax.tree.unflatten(structure, leaves)
    return eqx.filter_eval_shape(model.sample, jax.random.key(0)).positions.shape[0]
