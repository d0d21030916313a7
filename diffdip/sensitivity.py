"""How a distribution of anisotropies answers to the crystals that make it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from .crystals import AbstractModel, AbstractUniform, NanocrystalPacking
from .ensemble import describe, lanes_on, simulate
from .observable import AbstractObservable, AbstractStatistic, Response, observe
from .progress import progress_bar
from .variation import vary


DERIVATIVE, DIFFERENCES, SIMILARITY = "derivative", "differences", "similarity"
"""How a number was found: see `sensitivity`."""

GROUPS: Final = 20
"""Groups of samples left out in turn for the standard errors."""

FLIPPED: Final = ("moment", "kappa", "extra_below", "bond_length", "extra_spacing")
LENGTHS: Final = (
    "diameter",
    "ligand_mean",
    "ligand_sd",
    "extra_below",
    "bond_length",
    "extra_spacing",
)

LENGTHS_TOGETHER: Final = "all lengths"
"""Name of the slope under a scaling of all lengths."""


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """How one statistic answers to one parameter.

    `derivative` is dT/dθ in the units of both, with its standard error; `logarithmic` is
    d ln T/d ln θ: by how many per cent T grows for one per cent more of θ. `method` says how it
    was found.
    """

    statistic: str
    value: float
    value_error: float
    parameter: str
    at: float
    derivative: float
    error: float
    logarithmic: float
    logarithmic_error: float
    method: str


@dataclasses.dataclass(frozen=True)
class SensitivityTable:
    """Result of `sensitivity`: a row for each statistic and parameter, and how they were made."""

    rows: tuple[Sensitivity, ...]
    settings: Mapping[str, Any]

    def __iter__(self) -> Iterator[Sensitivity]:
        return iter(self.rows)

    def row(self, statistic: str, parameter: str) -> Sensitivity:
        """The row of a statistic's label and a parameter."""
        for row in self.rows:
            if (row.statistic, row.parameter) == (statistic, parameter):
                return row
        raise KeyError((statistic, parameter))


def sensitivity(
    model: AbstractModel,
    statistics: AbstractStatistic | Sequence[AbstractStatistic],
    parameters: Sequence[str] | None = None,
    n_samples: int = 2000,
    seed: int = 0,
    *,
    method: str = "auto",
    step: float = 0.1,
    progress: bool = True,
) -> SensitivityTable:
    """Derivatives of statistics of A, B, C or Hres by the parameters of a model.

    `parameters` are names of the model's numbers, by default all continuous ones. Each is found by
    one of these ways (`method="differences"` takes the second for all):

    - *derivative*: unbiased up to the width of small windows, from the samples themselves (see
      `diffdip.variation`): everything of uniform models; of a `NanocrystalPacking` the moment, κ,
      the threshold for extra dipoles, bond length and spacing.
    - *differences*: central, in ln θ, by ± `step`, with common random numbers. Several parameters
      share four or eight runs, in which each is up in one half and down in the other (a fractional
      factorial design, free of bias up to products of two other parameters). For what moves the
      acceptance of whole crystals: thicknesses, volume fraction; by ±1 for integers.
    - *similarity*: scaling all lengths by λ scales A, B, C by λ⁻³, so that the derivative by the
      diameter follows from those by all the other lengths, when all of them are asked for.

    Standard errors are those of a jackknife over 20 groups of samples, through all steps.
    Parameters that are 0 have no logarithm and cannot be differenced.

    Raises `ValueError` for unknown parameters or methods, and for parameters that are 0.

    >>> from diffdip import Magnitude, Quantile, UniformCylinder
    >>> model = UniformCylinder(n=20, density=2.0)
    >>> table = sensitivity(model, Quantile(Magnitude("B")), ["density"], n_samples=100)
    >>> print(f"{table.rows[0].logarithmic:.3f}")  # A, B, C are proportional to the density
    1.000
    """
    statistics = [statistics] if isinstance(statistics, AbstractStatistic) else list(statistics)
    known = _parameters(model)
    names = list(known if parameters is None else parameters)
    methods = _methods(model, names, method)
    logs = [name for name in names if methods[name] != DERIVATIVE]
    for name in names:
        if not isinstance(getattr(model, name), int) and float(getattr(model, name)) == 0:
            raise ValueError(f"{name} is 0: no logarithmic derivative there")

    continuous = [
        n for n in logs if methods[n] == DIFFERENCES and not isinstance(getattr(model, n), int)
    ]
    integers = [n for n in logs if isinstance(getattr(model, n), int)]
    design = _design(len(continuous), method == "auto")
    runs: list[AbstractModel] = []
    for signs in design:
        run = model
        for name, sign in zip(continuous, signs, strict=True):
            run = _scaled(run, name, float(np.exp(step * sign)))
        runs.append(run)
    for name in integers:
        for change in (1, -1):
            runs.append(dataclasses.replace(model, **{name: getattr(model, name) + change}))

    observables = list(dict.fromkeys(s.observable for s in statistics))
    inside = [n for n in names if methods[n] == DERIVATIVE]
    total = n_samples * (len(runs) + 1)
    with progress_bar("sensitivity", total) as advance:
        tick = advance if progress else lambda steps=1: None
        base = _Samples.draw(model, observables, inside, n_samples, seed, tick)
        different = [_observed(run, observables, n_samples, seed, tick) for run in runs]

    def estimate(kept: np.ndarray) -> np.ndarray:
        """For each statistic: its value, and dT/d ln θ (dT/dθ of integers) of each parameter."""
        rows = []
        for statistic in statistics:
            which = observables.index(statistic.observable)
            found = {}
            for name in inside:
                response = base.response(which, name, kept)
                found[name] = float(getattr(model, name)) * statistic.slope(response)
            values = [statistic.value(_kept(x[which], kept)) for x in different]
            effects = values[: len(design)]
            for column, name in enumerate(continuous):
                found[name] = float(np.mean(design[:, column] * effects)) / step
            for i, name in enumerate(integers):
                up, down = values[len(design) + 2 * i : len(design) + 2 * i + 2]
                found[name] = (up - down) / 2
            for name in names:
                if methods[name] == SIMILARITY:
                    whole = statistic.slope(base.response(which, LENGTHS_TOGETHER, kept))
                    found[name] = whole - sum(found[other] for other in LENGTHS if other in found)
            value = statistic.value(base.response(which, LENGTHS_TOGETHER, kept).x)
            rows.append([value, *(found[name] for name in names)])
        table = np.array(rows)
        return np.stack([table, table / table[:, :1]])

    (whole, relative), (error, relative_error) = _jackknife(estimate, n_samples)
    rows = []
    for s, statistic in enumerate(statistics):
        for p, name in enumerate(names, 1):
            at = getattr(model, name)
            # the effect of ±1 on an integer, of a relative change on others
            unit, factor = (1, at) if isinstance(at, int) else (float(at), 1)
            rows.append(
                Sensitivity(
                    statistic=statistic.label,
                    value=whole[s, 0],
                    value_error=error[s, 0],
                    parameter=name,
                    at=float(at),
                    derivative=whole[s, p] / unit,
                    error=error[s, p] / unit,
                    logarithmic=relative[s, p] * factor,
                    logarithmic_error=relative_error[s, p] * factor,
                    method=methods[name],
                )
            )
    settings = {
        "model": describe(model),
        "n_samples": n_samples,
        "seed": seed,
        "step": step,
    }
    return SensitivityTable(tuple(rows), settings)


def _parameters(model: AbstractModel) -> list[str]:
    """Names of a model's continuous parameters."""
    names = []
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if eqx.is_inexact_array(value) and value.ndim == 0:
            names.append(field.name)
    return names


def _methods(model: AbstractModel, names: Sequence[str], method: str) -> dict[str, str]:
    if method not in ("auto", DIFFERENCES):
        raise ValueError(f"unknown method {method!r}: expected auto or {DIFFERENCES}")
    known, methods = _parameters(model), {}
    for name in names:
        integer = isinstance(getattr(model, name, None), int)
        if name not in known and not integer:
            raise ValueError(
                f"{type(model).__name__} has no number {name!r}: it has {', '.join(known)}"
            )
        derived = isinstance(model, AbstractUniform) or (
            isinstance(model, NanocrystalPacking) and name in FLIPPED
        )
        methods[name] = DERIVATIVE if derived and not integer and method == "auto" else DIFFERENCES
    if isinstance(model, NanocrystalPacking) and method == "auto" and set(LENGTHS) <= set(names):
        methods["diameter"] = SIMILARITY
    return methods


def _design(parameters: int, shared: bool) -> np.ndarray:
    """Signs (run, parameter): each run of the model has every parameter up or down."""
    if parameters == 0:
        return np.zeros((0, 0))
    if not shared:
        return np.kron(np.eye(parameters), np.array([[1], [-1]]))
    runs = 2 ** int(np.ceil(np.log2(parameters + 1)))
    return scipy.linalg.hadamard(runs)[:, 1 : parameters + 1].astype(float)


def _scaled(model: AbstractModel, name: str, factor: float) -> AbstractModel:
    return eqx.tree_at(lambda m: getattr(m, name), model, getattr(model, name) * factor)


def _kept(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Of the samples kept, those that could be placed."""
    x = x[kept]
    return x[~np.isnan(x)]


def _jackknife(
    estimate: Callable[[np.ndarray], np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """An estimate from all samples, and its standard error by leaving out groups of them."""
    groups = min(GROUPS, count)
    group = np.arange(count) % groups
    parts = np.array([estimate(group != g) for g in range(groups)])
    spread = (groups - 1) * np.mean((parts - np.mean(parts, axis=0)) ** 2, axis=0)
    return estimate(np.ones(count, bool)), np.sqrt(spread)


def _observed(
    model: AbstractModel,
    observables: Sequence[AbstractObservable],
    n_samples: int,
    seed: int,
    tick: Callable[[int], None],
) -> list[np.ndarray]:
    ensemble = simulate(model, n_samples, seed, progress=False)
    fields = np.stack([ensemble.A, ensemble.B, ensemble.C], axis=-1)
    tick(n_samples)
    return [_observe(observable, fields, model) for observable in observables]


def _observe(observable: AbstractObservable, fields: Any, model: AbstractModel) -> np.ndarray:
    return np.asarray(_observe_jit(observable, jnp.asarray(fields), model.convention), float)


_observe_jit = eqx.filter_jit(observe)


@dataclasses.dataclass(frozen=True)
class _Samples:
    """Samples of observables with their slopes and flips, those at rate zero left out.

    `x` and `slopes` by parameter hold an array for each observable;
    `flips` for each kind of them the sample, the observables after it, and the rates.
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
        tick: Callable[[int], None],
    ) -> "_Samples":
        lanes = lanes_on(model)
        key = jax.random.key(seed)
        parts = []
        for start in range(0, n_samples, lanes):
            index = np.arange(start, start + lanes, dtype=np.uint32)
            part = jax.device_get(
                _vary(model, tuple(observables), key, jnp.asarray(index), tuple(parameters))
            )
            count = min(lanes, n_samples - start)
            parts.append(_sparse(jax.tree.map(lambda a, count=count: a[:count], part), start))
            tick(count)
        x = [np.concatenate(a) for a in zip(*(p.x for p in parts), strict=True)]
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
        return _Samples(x, slopes, flips)

    def response(self, which: int, name: str, kept: np.ndarray) -> Response:
        """How an observable answers to a parameter, among the samples kept."""
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


def _sparse(part: Any, start: int) -> _Samples:
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
    return _Samples(double(x), {n: double(s) for n, s in slopes.items()}, kinds)
