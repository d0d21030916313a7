"""The table of sensitivities: derivatives of statistics with respect to parameters of a model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from ..ensembles.models import AbstractModel
from ..ensembles.simulation import describe
from ..foundation.errors import InputError
from ..foundation.progress import progress_bar
from .observables import AbstractObservable, AbstractStatistic
from .parameter_differences import Runs, observed
from .sample_derivatives import (
    DERIVATIVE,
    DIFFERENCES,
    LENGTHS,
    LENGTHS_TOGETHER,
    SIMILARITY,
    Samples,
    check_drawing,
    methods_of,
    parameters_of,
)


GROUPS: Final = 20
"""Groups of samples that are left out in turn for the standard errors."""


@dataclass(frozen=True)
class Sensitivity:
    """Derivative of one statistic T with respect to one parameter θ.

    Args:
        statistic: Label of the statistic.
        value: T, in tesla or as a share.
        value_error: Standard error of T.
        parameter: Name of the parameter.
        at: θ, in the unit of the model.
        derivative: dT/dθ in the units of both.
        error: Standard error of the derivative.
        logarithmic: d ln T/d ln θ: the change of T in per cent for a change of θ by one per cent.
        logarithmic_error: Standard error of this.
        method: How the derivative was found; see `sensitivity`.
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


@dataclass(frozen=True)
class SensitivityTable:
    """Result of `sensitivity`; iterating gives the rows.

    Args:
        rows: A row for each statistic and parameter.
        settings: How the table was made.
    """

    rows: tuple[Sensitivity, ...]
    settings: Mapping[str, Any]

    def __iter__(self) -> Iterator[Sensitivity]:
        return iter(self.rows)

    def row(self, statistic: str, parameter: str) -> Sensitivity:
        """Find one row.

        Args:
            statistic: Label of the statistic.
            parameter: Name of the parameter.

        Returns:
            The row.

        Raises:
            InputError: If there is no such row.
        """
        for row in self.rows:
            if (row.statistic, row.parameter) == (statistic, parameter):
                return row
        known = dict.fromkeys((row.statistic, row.parameter) for row in self.rows)
        raise InputError(
            "statistic, parameter", given=(statistic, parameter), expected=f"one of {[*known]}"
        )


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
    """Derivatives of statistics of A, B, C or Hres with respect to the parameters of a model.

    Each derivative is found in one of three ways:

    - *derivative*: from the samples themselves (see `diffdip.sensitivities.parameter_variation`),
      without bias except for the width of small windows. For all continuous parameters of uniform
      models. For the moment, κ, the threshold for extra dipoles, the bond length and the spacing of
      a `NanocrystalPacking`.
    - *differences*: central, in ln θ, by ± `step`, with common random numbers. For parameters that
      decide which crystals are accepted: ligand thicknesses, volume fraction. (The step of the
      volume fraction is half as large, because dense packings take long.) Whole numbers change by
      ±1. Several parameters share four or eight runs: each is larger in one half of them and
      smaller in the other. This fractional factorial design has no bias up to products of two other
      parameters.
    - *similarity*: when all lengths are multiplied by λ, A, B, C are multiplied by λ⁻³. So the
      derivative with respect to the diameter follows from those of all other lengths, if all of
      them that are not 0 are in the table.

    Standard errors come from a jackknife over 20 groups of samples.

    Args:
        model: The arrangement of dipoles.
        statistics: One statistic or several.
        parameters: Names of the model's parameters, by default all continuous ones that are not 0
            (`extra_spacing=0`, the default of a packing, has no logarithm).
        n_samples: Number of samples in each run (2000 by default, 20 or more).
        seed: Seed of the random numbers.
        method: `"auto"`, or `"differences"` to find all derivatives by differences, each with two
            runs of its own.
        step: Step of the differences in ln θ (0.1 by default).
        progress: Whether to show a progress bar on a terminal.

    Returns:
        A row for each statistic and parameter.

    Raises:
        InputError: If a parameter or the method is unknown, if a named parameter is 0 (it has no
            logarithm), if there are fewer than 20 samples or no statistics, or if `step` is not
            above 0.
        NothingPlacedError: If no sample of the model could be placed.

    >>> from diffdip import Magnitude, Quantile, UniformCylinder
    >>> model = UniformCylinder(n=20, density=2.0)
    >>> table = sensitivity(model, Quantile(Magnitude("B")), ["density"], n_samples=100)
    >>> print(f"{table.rows[0].logarithmic:.3f}")  # A, B, C are proportional to the density
    1.000
    """
    check_drawing(n_samples, seed)
    if not step > 0:
        raise InputError("step", given=step, expected="a number above 0")
    statistics = [statistics] if isinstance(statistics, AbstractStatistic) else list(statistics)
    if not statistics:
        raise InputError("statistics", given=statistics, expected="one statistic or more")
    names = parameters_of(model)[0] if parameters is None else list(parameters)
    changes = _Changes.of(model, names, method, step)
    observables = list(dict.fromkeys(s.observable for s in statistics))
    total = n_samples * (len(changes.models) + 1)
    with progress_bar("sensitivity", total, shown=progress) as advance:
        base = Samples.draw(model, observables, changes.inside, n_samples, seed, advance)
        others = [observed(run, observables, n_samples, seed, advance) for run in changes.models]
    drawn = _Drawn(model, statistics, observables, changes, base, others)
    (whole, relative), (error, relative_error) = _jackknife(drawn.estimate, n_samples)
    rows = []
    for s, statistic in enumerate(statistics):
        for p, name in enumerate(names, 1):
            at = getattr(model, name)
            # the estimate is for a change by ±1 of a whole number, for a relative one of others
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
                    method=changes.methods[name],
                )
            )
    settings = {
        "model": describe(model),
        "n_samples": n_samples,
        "seed": seed,
        "step": step,
    }
    return SensitivityTable(tuple(rows), settings)


class _Changes(NamedTuple):
    """How the derivative with respect to each of `names` is found, and the changed models.

    `inside` names parameters with derivatives from the samples, `continuous` and `whole` those
    with differences. `neighbours` are two models for each whole number: one more, one less.
    """

    names: Sequence[str]
    methods: dict[str, str]
    inside: list[str]
    continuous: list[str]
    whole: list[str]
    runs: Runs
    neighbours: list[AbstractModel]

    @staticmethod
    def of(model: AbstractModel, names: Sequence[str], method: str, step: float) -> "_Changes":
        methods = methods_of(model, names, method)
        whole = [name for name in names if isinstance(getattr(model, name), int)]
        continuous = [n for n in names if methods[n] == DIFFERENCES and n not in whole]
        neighbours = [
            replace(model, **{name: getattr(model, name) + change})
            for name in whole
            for change in (1, -1)
        ]
        inside = [n for n in names if methods[n] == DERIVATIVE]
        runs = Runs.of(model, continuous, step, shared=method == "auto")
        return _Changes(names, methods, inside, continuous, whole, runs, neighbours)

    @property
    def models(self) -> list[AbstractModel]:
        """All changed models: those of the runs, then the neighbours."""
        return [*self.runs.models, *self.neighbours]


class _Drawn(NamedTuple):
    """The samples of the model and of the changed models, from which derivatives are estimated."""

    model: AbstractModel
    statistics: Sequence[AbstractStatistic]
    observables: list[AbstractObservable]
    changes: _Changes
    base: Samples
    others: list[list[np.ndarray]]

    def estimate(self, kept: np.ndarray) -> np.ndarray:
        """A row for each statistic: T, and dT/d ln θ (dT/dθ of whole numbers) of each parameter.

        From the samples `kept`. Two such tables: absolute, and divided by T.
        """
        table = np.array([self._row(statistic, kept) for statistic in self.statistics])
        return np.stack([table, table / table[:, :1]])

    def _row(self, statistic: AbstractStatistic, kept: np.ndarray) -> list[float]:
        which = self.observables.index(statistic.observable)
        changes, found = self.changes, {}
        for name in changes.inside:
            response = self.base.response(which, name, kept)
            found[name] = float(getattr(self.model, name)) * statistic.slope(response)
        values = [statistic.value(_kept(x[which], kept)) for x in self.others]
        runs = len(changes.runs.models)
        for column, name in enumerate(changes.continuous):
            found[name] = changes.runs.effect(values[:runs], column)
        for i, name in enumerate(changes.whole):
            up, down = values[runs + 2 * i :][:2]
            found[name] = (up - down) / 2
        for name, method in changes.methods.items():
            if method == SIMILARITY:
                together = statistic.slope(self.base.response(which, LENGTHS_TOGETHER, kept))
                found[name] = together - sum(found[other] for other in LENGTHS if other in found)
        value = statistic.value(_kept(self.base.x[which], kept))
        return [value, *(found[name] for name in changes.names)]


def _kept(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The kept samples that could be placed."""
    x = x[kept]
    return x[~np.isnan(x)]


def _jackknife(
    estimate: Callable[[np.ndarray], np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """An estimate from all samples, and its standard error from leaving out groups of them."""
    group = np.arange(count) % GROUPS
    parts = np.array([estimate(group != g) for g in range(GROUPS)])
    spread = (GROUPS - 1) * np.mean((parts - np.mean(parts, axis=0)) ** 2, axis=0)
    return estimate(np.ones(count, bool)), np.sqrt(spread)
