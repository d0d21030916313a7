"""Samples of a model with their derivatives, and which derivatives a model has."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..ensembles.model_parameters import PACKING
from ..ensembles.models import AbstractModel, AbstractUniform
from ..ensembles.nanocrystal_packing import NanocrystalPacking
from ..ensembles.simulation import check_seed, lane_groups, nothing_placed
from ..foundation.errors import InputError, check_count
from .observables import AbstractObservable, Response, observe
from .parameter_variation import DERIVABLE, vary


DERIVATIVE, DIFFERENCES, SIMILARITY = "derivative", "differences", "similarity"
"""How a derivative is found: see `sensitivity`."""

LENGTHS: Final = tuple(name for name, parameter in PACKING.items() if parameter.unit == "nm")
"""All lengths of a `NanocrystalPacking`."""

LENGTHS_TOGETHER: Final = "all lengths"
"""Name of the slope for a scaling of all lengths."""

FEWEST_SAMPLES: Final = 20
"""The smallest number of samples: errors are estimated from groups of them."""


def check_drawing(n_samples: int, seed: int) -> None:
    """Raise `InputError` for too few samples, and for a seed out of range."""
    check_count("n_samples", n_samples, FEWEST_SAMPLES)
    check_seed(seed)


def parameters_of(model: AbstractModel) -> tuple[list[str], list[str]]:
    """Names of a model's continuous parameters: those with a logarithm, and those that are 0."""
    names, zero = [], []
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if eqx.is_inexact_array(value) and value.ndim == 0:
            (zero if float(value) == 0 else names).append(field.name)
    return names, zero


def methods_of(model: AbstractModel, names: Sequence[str], method: str = "auto") -> dict[str, str]:
    """How the derivative with respect to each parameter is found; see `sensitivity`.

    `InputError` for an unknown method, for names of other parameters, and for parameters that are
    0.
    """
    if method not in ("auto", DIFFERENCES):
        raise InputError("method", given=method, expected=f"'auto' or '{DIFFERENCES}'")
    usable, zero = parameters_of(model)
    known, methods = [*usable, *zero], {}
    for name in names:
        # the numbers of trials (`max_...`) are not parameters of the distribution
        integer = isinstance(getattr(model, name, None), int) and not name.startswith("max_")
        if name not in known and not integer:
            expected = f"a parameter of {type(model).__name__}: {', '.join(known)}"
            raise InputError("parameters", given=name, expected=expected)
        if name in zero:
            raise InputError(
                "parameters",
                given=name,
                expected="a parameter other than 0, because 0 has no logarithm",
            )
        derived = isinstance(model, AbstractUniform) or (
            isinstance(model, NanocrystalPacking) and name in DERIVABLE
        )
        methods[name] = DERIVATIVE if derived and not integer and method == "auto" else DIFFERENCES
    # a length of 0 stays 0 when all lengths are multiplied
    lengths = set(LENGTHS) - set(zero)
    if isinstance(model, NanocrystalPacking) and method == "auto" and lengths <= set(names):
        methods["diameter"] = SIMILARITY
    return methods


class FlippedSamples(NamedTuple):
    """All flips of one kind; see `parameter_variation`.

    `owner` is the number of the sample of each flip, `after` holds the values of each observable
    after it, and `rates` its rate for each parameter.
    """

    owner: np.ndarray
    after: list[np.ndarray]
    rates: dict[str, np.ndarray]

    @staticmethod
    def together(parts: Sequence["FlippedSamples"]) -> "FlippedSamples":
        """The flips of several groups of samples."""
        return FlippedSamples(
            np.concatenate([part.owner for part in parts]),
            [np.concatenate(a) for a in zip(*(part.after for part in parts), strict=True)],
            {n: np.concatenate([part.rates[n] for part in parts]) for n in parts[0].rates},
        )


@dataclasses.dataclass(frozen=True)
class Samples:
    """Samples of observables, with their slopes and flips.

    `x` holds an array for each observable, and `slopes` such a list for each parameter. Flips at
    rate zero are left out.
    """

    x: list[np.ndarray]
    slopes: dict[str, list[np.ndarray]]
    flips: list[FlippedSamples]

    @staticmethod
    def draw(
        model: AbstractModel,
        observables: Sequence[AbstractObservable],
        parameters: Sequence[str],
        n_samples: int,
        seed: int,
        tick: Callable[[int], None] = lambda steps: None,
    ) -> "Samples":
        """The samples of `simulate`. `NothingPlacedError` if none could be placed."""
        key, parts = jax.random.key(seed), []
        compute = lambda index: _vary(model, tuple(observables), key, index, tuple(parameters))
        for start, part in lane_groups(model, n_samples, compute):
            parts.append(_sparse(part, start))
            tick(len(parts[-1].x[0]))
        x = [np.concatenate(a) for a in zip(*(p.x for p in parts), strict=True)]
        if np.all(np.isnan(x[0])):
            raise nothing_placed(model)
        slopes = {
            name: [np.concatenate(a) for a in zip(*(p.slopes[name] for p in parts), strict=True)]
            for name in parts[0].slopes
        }
        kinds = zip(*(p.flips for p in parts), strict=True)
        return Samples(x, slopes, [FlippedSamples.together(kind) for kind in kinds])

    def response(self, which: int, name: str, kept: np.ndarray) -> Response:
        """How an observable changes with a parameter, in the samples `kept` that were placed."""
        x = self.x[which]
        good = kept & ~np.isnan(x)
        slope = self.slopes[name][which] if name in self.slopes else np.zeros_like(x)
        before, after, rates = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
        for flips in self.flips:
            if name in flips.rates:
                use = good[flips.owner]
                before.append(x[flips.owner[use]])
                after.append(flips.after[which][use])
                rates.append(flips.rates[name][use])
        return Response(
            x[good], slope[good], *(np.concatenate(part) for part in (before, after, rates))
        )


class _FlippedPlaces(NamedTuple):
    """The places of one kind of flip in each sample: observables after it, and its rates."""

    after: list[Any]
    rates: dict[str, Any]


class _Varied(NamedTuple):
    """Observables of a group of samples, their slopes by parameter, and all places of flips."""

    x: list[Any]
    slopes: dict[str, list[Any]]
    flips: list[_FlippedPlaces]


@eqx.filter_jit
def _vary(
    model: AbstractModel,
    observables: tuple[AbstractObservable, ...],
    key: Any,
    samples: Any,
    parameters: tuple[str, ...],
) -> _Varied:
    """Observables, slopes and flips of a group of samples."""

    def one(sample: Any) -> _Varied:
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
        after = lambda fields: [observe(o, fields, model.convention) for o in observables]
        flips = [_FlippedPlaces(after(kind.fields), kind.rates) for kind in change.flips]
        return _Varied(x, moved, flips)

    return jax.vmap(one)(samples)


def _sparse(part: _Varied, start: int) -> Samples:
    """A group of samples without flips at rate zero; its first sample has the number `start`."""
    double = lambda arrays: [np.asarray(a, float) for a in arrays]
    flips = []
    for kind in part.flips:
        used = np.zeros(kind.after[0].shape, bool)
        for rate in kind.rates.values():
            used |= rate != 0
        flips.append(
            FlippedSamples(
                np.nonzero(used)[0] + start,
                [a[used].astype(float) for a in kind.after],
                {n: r[used].astype(float) for n, r in kind.rates.items()},
            )
        )
    return Samples(double(part.x), {n: double(s) for n, s in part.slopes.items()}, flips)
