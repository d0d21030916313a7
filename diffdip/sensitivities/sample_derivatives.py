"""Samples of a model with their answers to its parameters: what statistics and inference need."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from ..ensembles.models import AbstractModel, AbstractUniform, NanocrystalPacking
from ..ensembles.simulation import (
    NothingPlacedError,
    check_seed,
    lane_groups,
    nothing_placed,
    simulate,
)
from .observables import AbstractObservable, Response, observe
from .parameter_variation import vary, with_number


DERIVATIVE, DIFFERENCES, SIMILARITY = "derivative", "differences", "similarity"
"""How a number was found: see `sensitivity`."""

FLIPPED: Final = ("moment", "kappa", "extra_below", "bond_length", "extra_spacing")
LENGTHS: Final = (
    "diameter",
    "ligand_mean",
    "ligand_sd",
    "extra_below",
    "bond_length",
    "extra_spacing",
)

SMALLER_STEPS: Final = {"volume_fraction": 0.5}
"""Shares of the step of a difference: 10 % more in the same volume take three times as long."""

LENGTHS_TOGETHER: Final = "all lengths"
"""Name of the slope under a scaling of all lengths."""


FEWEST_SAMPLES: Final = 20
"""Fewer samples are refused: the errors come from groups of them."""


def check_drawing(n_samples: int, seed: int) -> None:
    """Raise `ValueError` for too few samples to tell an error, and for a seed out of range."""
    if n_samples < FEWEST_SAMPLES:
        raise ValueError(f"{n_samples} samples: expected {FEWEST_SAMPLES} or more")
    check_seed(seed)


def parameters_of(model: AbstractModel) -> list[str]:
    """Names of a model's continuous parameters."""
    names = []
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if eqx.is_inexact_array(value) and value.ndim == 0:
            names.append(field.name)
    return names


def methods_of(model: AbstractModel, names: Sequence[str], method: str = "auto") -> dict[str, str]:
    """How the derivative by each parameter is found; see `sensitivity`.

    Raises `ValueError` for what the model has no number of, and for numbers that are 0.
    """
    if method not in ("auto", DIFFERENCES):
        raise ValueError(f"unknown method {method!r}: expected auto or {DIFFERENCES}")
    known, methods = parameters_of(model), {}
    for name in names:
        # bounds of the search for places are no parameters
        integer = isinstance(getattr(model, name, None), int) and not name.startswith("max_")
        if name not in known and not integer:
            raise ValueError(
                f"{type(model).__name__} has no number {name!r}: it has {', '.join(known)}"
            )
        if not integer and float(getattr(model, name)) == 0:
            raise ValueError(f"{name} is 0: no logarithmic derivative there")
        derived = isinstance(model, AbstractUniform) or (
            isinstance(model, NanocrystalPacking) and name in FLIPPED
        )
        methods[name] = DERIVATIVE if derived and not integer and method == "auto" else DIFFERENCES
    if isinstance(model, NanocrystalPacking) and method == "auto" and set(LENGTHS) <= set(names):
        methods["diameter"] = SIMILARITY
    return methods


class Runs(NamedTuple):
    """Models that differ from one in several parameters, to difference what they give.

    `signs` (run, parameter): up, down, or left alone, by `steps` (parameter) in the logarithm.
    """

    models: list[AbstractModel]
    signs: np.ndarray
    steps: np.ndarray

    @staticmethod
    def of(model: AbstractModel, names: Sequence[str], step: float, shared: bool = True) -> "Runs":
        """All parameters change in each run, or one at a time."""
        signs = _factorial(len(names)) if shared else np.kron(np.eye(len(names)), [[1], [-1]])
        steps = np.array([step * SMALLER_STEPS.get(name, 1) for name in names])
        models = []
        for run in signs * steps:
            changed = model
            for name, change in zip(names, run, strict=True):
                value = getattr(model, name) * float(np.exp(change))
                changed = with_number(changed, name, value)
            models.append(changed)
        return Runs(models, signs, steps)

    def effect(self, values: Any, column: int) -> Any:
        """Derivative of the values of all runs by the logarithm of a parameter."""
        signs = self.signs[:, column]
        return signs @ np.asarray(values) / np.sum(np.abs(signs)) / self.steps[column]


def _factorial(parameters: int) -> np.ndarray:
    """Signs (run, parameter): every parameter up in half of the runs, none along with another."""
    if parameters == 0:
        return np.zeros((0, 0))
    runs = 2 ** int(np.ceil(np.log2(parameters + 1)))
    return scipy.linalg.hadamard(runs)[:, 1 : parameters + 1].astype(float)


def observed(
    model: AbstractModel,
    observables: Sequence[AbstractObservable],
    n_samples: int,
    seed: int,
    tick: Callable[[int], None] = lambda steps: None,
) -> list[np.ndarray]:
    """Each observable of the samples that `simulate` draws; NaN where one could not be placed.

    Raises `NothingPlacedError` where none could.
    """
    ensemble = simulate(model, n_samples, seed, progress=False)
    fields = np.stack([ensemble.A, ensemble.B, ensemble.C], axis=-1)
    tick(n_samples)
    return [_observe(observable, fields, model) for observable in observables]


def _observe(observable: AbstractObservable, fields: Any, model: AbstractModel) -> np.ndarray:
    return np.asarray(_observe_jit(observable, jnp.asarray(fields), model.convention), float)


_observe_jit = eqx.filter_jit(observe)


@dataclasses.dataclass(frozen=True)
class Samples:
    """Samples of observables with their slopes and flips, those at rate zero left out.

    `x` holds an array for each observable, `slopes` such a list by parameter; `flips` has for
    each kind of them the number of the sample, the observables after it, and the rates.
    """

    x: list[np.ndarray]
    slopes: dict[str, list[np.ndarray]]
    flips: list[tuple[np.ndarray, list[np.ndarray], dict[str, np.ndarray]]]

    @staticmethod
    def draw(
        model: AbstractModel,
        observables: Sequence[AbstractObservable],
        parameters: Sequence[str],
        n_samples: int,
        seed: int,
        tick: Callable[[int], None] = lambda steps: None,
    ) -> "Samples":
        """Those of the samples of `simulate`. Raises `NothingPlacedError` where none is placed."""
        key, parts = jax.random.key(seed), []
        compute = lambda index: _vary(model, tuple(observables), key, index, tuple(parameters))
        for start, part in lane_groups(model, n_samples, compute):
            parts.append(_sparse(part, start))
            tick(len(parts[-1].x[0]))
        x = [np.concatenate(a) for a in zip(*(p.x for p in parts), strict=True)]
        if np.all(np.isnan(x[0])):
            raise NothingPlacedError(nothing_placed(model))
        slopes = {
            name: [np.concatenate(a) for a in zip(*(p.slopes[name] for p in parts), strict=True)]
            for name in parts[0].slopes
        }
        flips = []
        for kind in zip(*(p.flips for p in parts), strict=True):
            owner = np.concatenate([one[0] for one in kind])
            after = [np.concatenate(a) for a in zip(*(one[1] for one in kind), strict=True)]
            rates = {n: np.concatenate([one[2][n] for one in kind]) for n in kind[0][2]}
            flips.append((owner, after, rates))
        return Samples(x, slopes, flips)

    def response(self, which: int, name: str, kept: np.ndarray) -> Response:
        """How an observable answers to a parameter, among the samples `kept` that were placed."""
        x = self.x[which]
        good = kept & ~np.isnan(x)
        slope = self.slopes[name][which] if name in self.slopes else np.zeros_like(x)
        before, after, rates = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
        for owner, observed, by_name in self.flips:
            if name in by_name:
                use = good[owner]
                before.append(x[owner[use]])
                after.append(observed[which][use])
                rates.append(by_name[name][use])
        return Response(
            x[good], slope[good], *(np.concatenate(part) for part in (before, after, rates))
        )


@eqx.filter_jit
def _vary(
    model: AbstractModel,
    observables: tuple[AbstractObservable, ...],
    key: Any,
    samples: Any,
    parameters: tuple[str, ...],
) -> Any:
    """Observables, slopes and flips of a batch of samples."""

    def one(sample: Any) -> Any:
        change = vary(model, jax.random.fold_in(key, sample), parameters)
        fields = jnp.where(change.complete, change.fields, jnp.nan)
        slopes = dict(change.slopes)
        if isinstance(model, NanocrystalPacking):
            slopes[LENGTHS_TOGETHER] = -3 * fields
        x, moved = [], {name: [] for name in slopes}
        for observable in observables:
            function = lambda f, observable=observable: observable(f, model.convention)
            value, push = jax.linearize(function, fields)
            x.append(value)
            for name, slope in slopes.items():
                moved[name].append(push(slope))
        flips = [
            ([observe(o, kind.fields, model.convention) for o in observables], kind.rates)
            for kind in change.flips
        ]
        return x, moved, flips

    return jax.vmap(one)(samples)


def _sparse(part: Any, start: int) -> Samples:
    """A group of samples, the first of which has the number `start`, without flips at rate zero."""
    x, slopes, flips = part
    double = lambda arrays: [np.asarray(a, float) for a in arrays]
    kinds = []
    for after, rates in flips:
        used = np.zeros(after[0].shape, bool)
        for rate in rates.values():
            used |= rate != 0
        owner = np.nonzero(used)[0] + start
        kinds.append(
            (
                owner,
                [a[used].astype(float) for a in after],
                {n: r[used].astype(float) for n, r in rates.items()},
            )
        )
    return Samples(double(x), {n: double(s) for n, s in slopes.items()}, kinds)
