"""How a distribution of anisotropies answers to the crystals that make it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..ensembles.models import AbstractModel
from ..ensembles.simulation import describe
from ..foundation.progress import progress_bar
from .observables import AbstractStatistic
from .sample_derivatives import (
    DERIVATIVE,
    DIFFERENCES,
    LENGTHS,
    LENGTHS_TOGETHER,
    SIMILARITY,
    Runs,
    Samples,
    check_drawing,
    methods_of,
    observed,
    parameters_of,
)


GROUPS: Final = 20
"""Groups of samples left out in turn for the standard errors."""


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
      `parameter_variation`): everything of uniform models; of a `NanocrystalPacking` the moment, κ,
      the threshold for extra dipoles, bond length and spacing.
    - *differences*: central, in ln θ, by ± `step` (the volume fraction by half of it, as dense
      packings take long), with common random numbers. For what moves the acceptance of whole
      crystals: thicknesses, volume fraction; by ±1 for integers. Several parameters share four or
      eight runs, in which each is up in one half and down in the other (a fractional factorial
      design, free of bias up to products of two other parameters); with `method="differences"` each
      has two of its own.
    - *similarity*: scaling all lengths by λ scales A, B, C by λ⁻³, so that the derivative by the
      diameter follows from those by all the other lengths, when all of them are asked for.

    Standard errors are those of a jackknife over 20 groups of samples, through all steps.
    Parameters that are 0 have no logarithm and cannot be differenced.

    Raises `ValueError` for unknown parameters or methods, for parameters that are 0, fewer than 20
    samples, and a step that is not above 0.

    >>> from diffdip import Magnitude, Quantile, UniformCylinder
    >>> model = UniformCylinder(n=20, density=2.0)
    >>> table = sensitivity(model, Quantile(Magnitude("B")), ["density"], n_samples=100)
    >>> print(f"{table.rows[0].logarithmic:.3f}")  # A, B, C are proportional to the density
    1.000
    """
    check_drawing(n_samples, seed)
    if not step > 0:
        raise ValueError(f"step {step}: expected a number above 0")
    statistics = [statistics] if isinstance(statistics, AbstractStatistic) else list(statistics)
    if not statistics:
        raise ValueError("no statistics: expected one or more")
    names = parameters_of(model) if parameters is None else list(parameters)
    methods = methods_of(model, names, method)
    integers = [name for name in names if isinstance(getattr(model, name), int)]
    continuous = [n for n in names if methods[n] == DIFFERENCES and n not in integers]
    runs = Runs.of(model, continuous, step, shared=method == "auto")
    neighbours = [
        dataclasses.replace(model, **{name: getattr(model, name) + change})
        for name in integers
        for change in (1, -1)
    ]
    models = [*runs.models, *neighbours]
    observables = list(dict.fromkeys(s.observable for s in statistics))
    inside = [n for n in names if methods[n] == DERIVATIVE]
    total = n_samples * (len(models) + 1)
    with progress_bar("sensitivity", total, shown=progress) as advance:
        base = Samples.draw(model, observables, inside, n_samples, seed, advance)
        different = [observed(run, observables, n_samples, seed, advance) for run in models]

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
            for column, name in enumerate(continuous):
                found[name] = runs.effect(values[: len(runs.models)], column)
            for i, name in enumerate(integers):
                up, down = values[len(runs.models) + 2 * i :][:2]
                found[name] = (up - down) / 2
            for name in names:
                if methods[name] == SIMILARITY:
                    whole = statistic.slope(base.response(which, LENGTHS_TOGETHER, kept))
                    found[name] = whole - sum(found[other] for other in LENGTHS if other in found)
            value = statistic.value(_kept(base.x[which], kept))
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


def _kept(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Of the samples kept, those that could be placed."""
    x = x[kept]
    return x[~np.isnan(x)]


def _jackknife(
    estimate: Callable[[np.ndarray], np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """An estimate from all samples, and its standard error by leaving out groups of them."""
    group = np.arange(count) % GROUPS
    parts = np.array([estimate(group != g) for g in range(GROUPS)])
    spread = (GROUPS - 1) * np.mean((parts - np.mean(parts, axis=0)) ** 2, axis=0)
    return estimate(np.ones(count, bool)), np.sqrt(spread)
