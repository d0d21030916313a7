"""Fits as files: a JSON document of what was found, tables of points and of the fitted curve."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..fitting.outliers import residual_warnings as residual_warnings
from ..fitting.parameter_table import column_name, parameter_kind
from ..foundation.flags import Flag
from .writing import csv_bytes, json_bytes, made_by, plain


if TYPE_CHECKING:
    from ..fitting.fit_result import FitResult
    from ..fitting.series import Series
    from ..fitting.spectra_fit import SpectraFit

CURVE_STEP_DEG = 0.5


def fit_document(
    result: "FitResult",
    sample: str,
    source: str = "",
    warnings: Sequence[Flag] = (),
    comments: Sequence[str] = (),
) -> dict[str, Any]:
    """A fit as a dictionary for JSON, in mT, degrees and GHz.

    Args:
        result: The fit.
        sample: The name of the sample.
        source: The file or folder of the data.
        warnings: Doubts about the data or the fit beyond `result.flags`.
        comments: What the input says about itself.

    Returns:
        Values, standard errors and intervals of all parameters, with the unit in each name.
        `covariance` and `correlation` follow `order`, in the units of the names there. NaN and
        infinity are None. The key `comments` exists only if there are any.
    """
    factors = [parameter_kind(name).factor for name in result.names]
    parameters = {}
    for name in sorted(result.values, key=lambda name: parameter_kind(name).nuisance):
        factor = parameter_kind(name).factor
        entry: dict[str, Any] = {
            "value": factor * result.values[name],
            "free": name in result.names,
        }
        if entry["free"]:
            entry["standard_error"] = factor * result.standard_errors[name]
            for level, bounds in result.intervals.get(name, {}).items():
                entry[f"interval_{level}"] = [factor * bound for bound in bounds]
        parameters[column_name(name)] = entry
    frequency = np.concatenate([_frequencies(series) for series in result.series]) / 1e9
    return plain(
        {
            "sample": sample,
            "input": source,
            **({"comments": list(comments)} if comments else {}),
            "plane": [_plane(series.plane) for series in result.series],
            "frequency_GHz": {
                "mean": frequency.mean(),
                "min": frequency.min(),
                "max": frequency.max(),
            },
            "convention": result.convention,
            "loss": result.loss,
            "parameters": parameters,
            "order": [column_name(name) for name in result.names],
            "covariance": np.outer(factors, factors) * result.covariance,
            "correlation": result.correlation,
            "n_points": result.n_points,
            "dof": result.dof,
            "chi2": result.chi2,
            "reduced_chi2": result.reduced_chi2,
            "rms_mT": 1e3 * result.rms,
            "converged": bool(result.converged),
            "flags": [flag.document() for flag in result.flags],
            "warnings": [flag.document() for flag in warnings],
        }
    )


def fit_files(
    fits: Sequence[tuple["FitResult", dict[str, Any]]], settings: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The files of fits: `fit.json`, `points.csv` and `curve.csv`.

    `curve.csv` holds the model at the mean frequency of each series, over at least half a turn.

    Args:
        fits: Each fit with its document from `fit_document`.
        settings: The options of the fits; they go into `fit.json` unchanged.

    Returns:
        Contents by file name.
    """
    points, curves = [], []
    for result, document in fits:
        start = 0
        for index, series in enumerate(result.series):
            stop = start + len(series.angle)
            name = document["sample"] if len(result.series) == 1 else series.name or str(index + 1)
            frequency = _frequencies(series)
            sigma = np.full(len(series.angle), np.nan) if series.sigma is None else series.sigma
            columns = (
                np.degrees(series.angle),
                1e3 * np.asarray(series.field),
                1e3 * result.predicted[start:stop],
                1e3 * result.residuals[start:stop],
                1e3 * np.broadcast_to(sigma, len(series.angle)),
                frequency / 1e9,
            )
            points += [[name, *row] for row in zip(*columns, strict=True)]
            grid = curve_grid(series.angle)
            field = 1e3 * result.curve(np.radians(grid), index)
            mean = frequency.mean() / 1e9
            curves += [[name, *row, mean] for row in zip(grid, field, strict=True)]
            start = stop
    documents = {**made_by(settings), "fits": [document for _, document in fits]}
    return {
        "fit.json": json_bytes(documents),
        "points.csv": csv_bytes(
            "sample angle_deg field_mT predicted_mT residual_mT sigma_mT frequency_GHz", points
        ),
        "curve.csv": csv_bytes("sample angle_deg field_mT frequency_GHz", curves),
    }


def spectra_fit_document(result: "SpectraFit") -> dict[str, Any]:
    """A fit of all spectra as a dictionary for JSON, in mT and degrees, as in `fit_document`."""
    factors = [parameter_kind(name).factor for name in result.names]
    parameters = {
        column_name(name): {
            "value": factor * result.values[name],
            "free": True,
            "standard_error": factor * result.standard_errors[name],
        }
        for name, factor in zip(result.names, factors, strict=True)
    }
    return plain(
        {
            "shape": result.shape,
            "baseline": result.baseline,
            "convention": result.convention,
            "parameters": parameters,
            "order": list(parameters),
            "covariance": np.outer(factors, factors) * result.covariance,
            "width_mT": {"min": 1e3 * result.width.min(), "max": 1e3 * result.width.max()},
            "converged": result.converged,
            "flags": [flag.document() for flag in result.flags],
        }
    )


def spectra_fit_table(result: "SpectraFit") -> bytes:
    """A table of a fit of all spectra: field, width, height, residuals and noise of each angle.

    The height is that of the absorption, in the unit of the signal times mT.
    """
    rows = zip(
        np.degrees(result.angle),
        1e3 * result.field,
        1e3 * result.width,
        1e3 * result.amplitude,
        result.rms,
        result.noise,
        strict=True,
    )
    return csv_bytes("angle_deg field_mT width_mT amplitude rms noise", list(rows))


def curve_grid(angle: np.ndarray) -> np.ndarray:
    """Angles in degrees, 0.5° apart, at which the curve of data at `angle` (radians) is drawn.

    They cover 0 to 180° and every further quarter turn that the data reach.
    """
    degrees = np.degrees(angle)
    # data up to 0.9° beyond a quarter turn (an inexact goniometer) do not add another one
    low = min(0.0, math.floor(degrees.min() / 90 + 0.01) * 90.0)
    high = max(180.0, math.ceil(degrees.max() / 90 - 0.01) * 90.0)
    return np.linspace(low, high, round((high - low) / CURVE_STEP_DEG) + 1)


def _frequencies(series: "Series") -> np.ndarray:
    """One frequency (Hz) for each angle."""
    return np.broadcast_to(np.asarray(series.frequency, float), np.shape(series.angle))


def _plane(plane: Any) -> Any:
    """The name of a plane, or its two axes as an array."""
    return plane if isinstance(plane, str) else np.asarray(plane)
