"""The result of an inference: errors, intervals, and flags on what the samples determine."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..ensembles.models import AbstractModel
from ..foundation.flags import Flag
from .smoothed_shares import ModelShares


FARTHEST: Final = 5.0
"""Greatest distance of the search from its start, in ln θ: a factor of 150."""

BOOTSTRAPS: Final = 400
"""How many times the measured pairs are resampled."""

ALIKE: Final = 0.9
"""Correlation of two parameters above which each can compensate for the other."""

TRUSTED: Final = 0.1
"""Error of ln θ up to which first order holds even for such parameters."""

KNOWN: Final = 1.0
"""Error of ln θ above which a parameter is not identifiable: a factor of e."""

NO_EXPLANATION: Final = 0.01
"""p value below which the model does not explain the samples."""


@dataclasses.dataclass(frozen=True)
class Inferred:
    """One inferred parameter.

    Args:
        name: Its name in the model.
        value: The best value, in the unit of the model.
        log_error: Standard error of its logarithm.
        interval_68: Interval of 68 % confidence, from resampling; (0, inf) if not identifiable.
        interval_95: Interval of 95 % confidence.
        identifiable: False if the value means nothing. Either its error is above a factor of e, or
            another parameter nearly compensates for it (correlation above 0.9) and one of the two
            errors is above 10 %. To first order the error is too small then.
    """

    name: str
    value: float
    log_error: float
    interval_68: tuple[float, float]
    interval_95: tuple[float, float]
    identifiable: bool


@dataclasses.dataclass(frozen=True)
class Inference:
    """Result of `infer`.

    Args:
        parameters: The inferred parameters, in the order of the argument.
        covariance: Covariance of their logarithms: the inverse of the sum of `information` and of a
            weak prior, in which each logarithm has the standard deviation 5.
        information: Fisher information of the measured samples on the logarithms. An eigenvector
            with an eigenvalue below 1 is a combination that is not known to a factor of e.
        chi2: The minimum, scaled so that it follows a χ² law if the model is true.
        dof: Degrees of freedom of this law. Not a whole number, because the compared shares
            overlap.
        p_value: Probability of a larger minimum if the model is true. A small one means that no
            values of the parameters explain the samples.
        model: The model with the best values.
        notes: Doubts about the result.
        settings: How the result was made.
    """

    parameters: tuple[Inferred, ...]
    covariance: np.ndarray
    information: np.ndarray
    chi2: float
    dof: float
    p_value: float
    model: AbstractModel
    notes: tuple[Flag, ...]
    settings: Mapping[str, Any]


def judged(
    model: AbstractModel,
    names: Sequence[str],
    found: ModelShares,
    target: np.ndarray,
    moved: np.ndarray,
    drawn: int,
    settings: Mapping[str, Any],
) -> Inference:
    """The result of a search that ended at `model`.

    `found` are the shares of the model, `target` the steps of the measured samples; the search
    moved by `moved` in ln θ, with `drawn` samples of the model.
    """
    from scipy.stats import chi2

    count, theta = len(target), np.log([float(getattr(model, name)) for name in names])
    mean = np.mean(target, axis=0)
    information = found.information / (1 / count + 1 / drawn)
    value, vector = np.linalg.eigh(information)
    weak = value < 1 / KNOWN**2
    # a combination without information lies somewhere within the range of the search
    covariance = vector @ np.diag(1 / (np.maximum(value, 0) + FARTHEST**-2)) @ vector.T
    errors = np.sqrt(np.diag(covariance))
    alike = np.triu(np.abs(covariance / np.outer(errors, errors)) > ALIKE, 1)
    rough = np.maximum.outer(errors, errors) > TRUSTED
    known = (errors < KNOWN) & ~np.any((alike | alike.T) & rough, axis=1)

    rng = np.random.default_rng(settings["seed"])
    inverse = vector[:, ~weak] @ np.diag(1 / value[~weak]) @ vector[:, ~weak].T
    inverse = inverse / (1 / count + 1 / drawn)
    resampled = rng.integers(0, count, (BOOTSTRAPS, count))
    shift = np.mean(target[resampled], axis=1) - mean
    noise = rng.multivariate_normal(np.zeros(len(theta)), inverse / drawn, BOOTSTRAPS)
    spread = theta + shift @ (inverse @ found.slope.T @ found.weight).T + noise
    interval = lambda share: np.exp(np.quantile(spread, [(1 - share) / 2, (1 + share) / 2], axis=0))
    inner, outer = interval(0.6827), interval(0.9545)
    rows = tuple(
        Inferred(
            name=name,
            value=float(np.exp(theta[i])),
            log_error=float(errors[i]),
            interval_68=_interval(inner[:, i], known=bool(known[i])),
            interval_95=_interval(outer[:, i], known=bool(known[i])),
            identifiable=bool(known[i]),
        )
        for i, name in enumerate(names)
    )
    scale, dof = _law_of_minimum(found, vector[:, ~weak])
    residual = found.mean - mean
    least = float(residual @ found.weight @ residual) / (1 / count + 1 / found.count) / scale
    p_value = float(chi2.sf(least, dof))
    notes = _notes(rows, vector[:, weak], alike, p_value, moved)
    return Inference(rows, covariance, information, least, dof, p_value, model, notes, settings)


def _law_of_minimum(found: ModelShares, fitted: np.ndarray) -> tuple[float, float]:
    """Scale and degrees of freedom of the χ² law with the mean and the variance of the minimum.

    `fitted` (p, k) are the combinations of ln θ that were fitted. The minimum is Σ µ z² over
    normal z, where µ are the eigenvalues of the covariance that the fit leaves.
    """
    value, vector = np.linalg.eigh(found.weight)
    root = vector * np.sqrt(value) @ vector.T
    taken, _ = np.linalg.qr(root @ found.slope @ fitted)
    kept = np.eye(len(root)) - taken @ taken.T
    share = np.linalg.eigvalsh(kept @ root @ found.covariance @ root @ kept)
    total, squares = np.sum(share), np.sum(share**2)
    return float(squares / total), float(total**2 / squares)


def _interval(ends: np.ndarray, *, known: bool) -> tuple[float, float]:
    """Both ends, or those of an open interval."""
    return (float(ends[0]), float(ends[1])) if known else (0.0, np.inf)


def _notes(
    rows: Sequence[Inferred],
    weak: np.ndarray,
    alike: np.ndarray,
    p_value: float,
    moved: np.ndarray,
) -> tuple[Flag, ...]:
    """The doubts about a result; `moved` is how far the search went in ln θ."""
    notes: list[Flag] = []
    for row in rows:
        if not row.identifiable:
            message = f"{row.name} cannot be determined from these samples."
            notes.append(Flag("undetermined", message))
    for direction in weak.T:
        parts = [
            f"{row.name}^{power:.2g}"
            for row, power in zip(rows, direction, strict=True)
            if abs(power) > 0.1
        ]
        if len(parts) > 1:
            message = f"The samples do not determine the product {' · '.join(parts)}."
            notes.append(Flag("degenerate", message))
    for i, j in zip(*np.nonzero(alike), strict=True):
        message = (
            f"{rows[i].name} and {rows[j].name} nearly compensate each other. Fix one of them to "
            "determine the other."
        )
        notes.append(Flag("degenerate", message))
    if p_value < NO_EXPLANATION:
        message = f"No values of these parameters explain the samples (p = {p_value:.1g})."
        notes.append(Flag("explains-nothing", message))
    if np.any(np.abs(moved) >= FARTHEST):
        message = (
            "The search ended more than a factor of 150 from its start. Do not use the result: "
            "start closer, or fix a parameter."
        )
        notes.append(Flag("not-converged", message))
    return tuple(notes)
