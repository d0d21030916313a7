"""Fits as files: a JSON document of what was found, tables of points and of the fitted curve."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..fitting.outliers import residual_warnings as residual_warnings
from ..fitting.parameter_table import column_name, parameter_kind
from ..foundation.directions import polar_angles
from ..foundation.flags import Flag
from ..foundation.units import larmor_value
from .model_files import Tie
from .writing import csv_bytes, json_bytes, made_by, plain


if TYPE_CHECKING:
    from ..fitting.fit_result import FitResult
    from ..fitting.spectra_fit import SpectraFit

CURVE_STEP_DEG = 0.5

CURVE_POINTS = 513


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
        Values, standard errors and intervals of all parameters, with the unit in each name, and the
        bounds and starts that were given. One that is not `free` has `tied` if it follows others.
        `covariance` and `correlation` follow `order`, in the units of the names there.
        `correlated_noise` has the note on it, None where there is nothing to tell, and is None
        where the residuals do not tell. NaN and infinity are None. The key `comments` exists only
        if there are any, `rms_MHz` only if frequencies were measured; `rms_mT` is None if no field
        was.
    """
    factors = [result.kind(name).factor for name in result.names]
    columns = {name: column_name(name, result.kind(name)) for name in result.values}
    parameters = {}
    for name in sorted(result.values, key=lambda name: result.kind(name).nuisance):
        factor = result.kind(name).factor
        entry: dict[str, Any] = {
            "value": factor * result.values[name],
            "free": name in result.names,
        }
        if entry["free"]:
            entry["standard_error"] = factor * result.standard_errors[name]
            for level, bounds in result.intervals.get(name, {}).items():
                entry[f"interval_{level}"] = [factor * bound for bound in bounds]
        entry |= _rule(result, name)
        parameters[columns[name]] = entry
    frequency = np.concatenate([series.frequency for series in result.series]) / 1e9
    swept = any(series.measured == "frequency" for series in result.series)
    return plain(
        {
            "sample": sample,
            "input": source,
            **({"comments": list(comments)} if comments else {}),
            "plane": [
                _plane(series.plane) if series.direction is None else None
                for series in result.series
            ],
            "frequency_GHz": {
                "mean": np.nanmean(frequency),
                "min": np.nanmin(frequency),
                "max": np.nanmax(frequency),
            },
            "convention": result.convention,
            "loss": result.loss,
            "parameters": parameters,
            "order": [columns[name] for name in result.names],
            "covariance": np.outer(factors, factors) * result.covariance,
            "correlation": result.correlation,
            "n_points": result.n_points,
            "dof": result.dof,
            "chi2": result.chi2,
            "reduced_chi2": result.reduced_chi2,
            "error_factor": result.error_factor,
            "correlated_noise": _correlated_noise(result, columns),
            "rms_mT": 1e3 * result.rms_of("field"),
            **({"rms_MHz": result.rms_of("frequency") / 1e6} if swept else {}),
            "converged": bool(result.converged),
            "flags": [flag.document() for flag in result.flags],
            "warnings": [flag.document() for flag in warnings],
        }
    )


def _correlated_noise(result: "FitResult", columns: Mapping[str, str]) -> dict[str, Any] | None:
    """What is not excluded, and the note on it; see `CorrelatedNoise`."""
    noise = result.correlated_noise
    if noise is None:
        return None
    return {
        "correlation": noise.correlation,
        "error_factors": {columns[name]: factor for name, factor in noise.factors.items()},
        "note": noise.note or None,
    }


def _rule(result: "FitResult", name: str) -> dict[str, Any]:
    """The bounds and the start that were given for a parameter, or what it is tied to."""
    if result.problem is None:
        return {}
    settings, factor = result.problem.parameters, result.kind(name).factor
    if name in settings.free:
        index = settings.free.index(name)
        given = {"lower": settings.lower, "upper": settings.upper, "start": settings.starts}
        numbers = {key: factor * float(values[index]) for key, values in given.items()}
        return {key: number for key, number in numbers.items() if math.isfinite(number)}
    tie = dict(settings.tied).get(name)
    if tie is None:
        return {}
    if not isinstance(tie, Tie):
        return {"tied": "by a function"}
    other = result.kind(tie.of).factor
    times, plus = tie.times * factor / other, factor * tie.plus
    return {"tied": {"of": column_name(tie.of), "times": times, "plus": plus}}


def fit_files(
    fits: Sequence[tuple["FitResult", dict[str, Any]]], settings: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The files of fits: `fit.json`, `points.csv` and `curve.csv`.

    `curve.csv` holds the model at the mean frequency of each series, over at least half a turn; for
    a series in one direction over the frequencies, or over the set fields. Series along several
    directions have no curve.

    Args:
        fits: Each fit with its document from `fit_document`.
        settings: The options of the fits; they go into `fit.json` unchanged.

    Returns:
        Contents by file name.
    """
    points, curves = [], []
    series_of = [
        (result, document, index)
        for result, document in fits
        for index in range(len(result.series))
    ]
    directions = any(result.series[i].direction is not None for result, _, i in series_of)
    swept = any(result.series[i].measured == "frequency" for result, _, i in series_of)
    for result, document, index in series_of:
        series = result.series[index]
        name = document["sample"] if len(result.series) == 1 else series.name or str(index + 1)
        points += [[name, *row] for row in _points(result, index, directions, swept)]
        curves += [[name, *row] for row in _curve(result, index)]
    header = "sample angle_deg field_mT predicted_mT residual_mT sigma_mT frequency_GHz"
    header += " theta_deg phi_deg" if directions else ""
    header += " measured predicted_GHz residual_GHz sigma_GHz" if swept else ""
    return {
        "fit.json": json_bytes(fits_document([document for _, document in fits], settings)),
        "points.csv": csv_bytes(header, points),
        "curve.csv": csv_bytes("sample angle_deg field_mT frequency_GHz", curves),
    }


def fits_document(
    documents: Sequence[Mapping[str, Any]], settings: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The content of `fit.json`, from the documents of `fit_document`."""
    return {**made_by(settings), "fits": list(documents)}


def _points(
    result: "FitResult", index: int, directions: bool, swept: bool
) -> list[tuple[float | str, ...]]:
    """Rows of `points.csv` for one series; cells without a meaning are NaN."""
    series = result.series[index]
    start = sum(len(one) for one in result.series[:index])
    rows = slice(start, start + len(series))
    unknown = np.full(len(series), np.nan)
    sigma = unknown if series.sigma is None else series.sigma
    found = result.predicted[rows], result.residuals[rows]
    by_frequency = series.measured == "frequency"
    in_field = [unknown] * 3 if by_frequency else [1e3 * x for x in (*found, sigma)]
    angle = np.degrees(series.angle) if series.direction is None else unknown
    columns: list[Any] = [angle, 1e3 * series.field, *in_field, series.frequency / 1e9]
    if directions:
        polar = [unknown, unknown]
        if series.direction is not None:
            polar = list(np.degrees(polar_angles(series.direction)))
        columns += polar
    if swept:
        hertz = [x / larmor_value(1.0, 2.0) for x in found]
        columns.append([series.measured] * len(series))
        columns += [x / 1e9 for x in (*hertz, sigma)] if by_frequency else [unknown] * 3
    return list(zip(*columns, strict=True))


def _curve(result: "FitResult", index: int) -> list[tuple[float, ...]]:
    """Rows of `curve.csv` for one series; none along directions."""
    series = result.series[index]
    if series.direction is not None:
        return []
    frequency = np.nanmean(series.frequency)
    if not series.is_rotation:
        field, hertz = kittel_curve(result, index)
        angle = np.full(len(field), np.degrees(series.angle[0]))
        return list(zip(angle, 1e3 * field, hertz / 1e9, strict=True))
    grid = curve_grid(series.angle)
    angle = np.radians(grid)
    if series.measured == "frequency":
        field = float(np.mean(series.field))
        hertz = result.frequencies(angle, field, index)
        return [(a, 1e3 * field, nu / 1e9) for a, nu in zip(grid, hertz, strict=True)]
    field = 1e3 * result.curve(angle, index)
    return [(a, h, frequency / 1e9) for a, h in zip(grid, field, strict=True)]


def kittel_curve(result: "FitResult", index: int) -> tuple[np.ndarray, np.ndarray]:
    """Fields (tesla) and frequencies (Hz) of the model along the one direction of a series."""
    series = result.series[index]
    if series.measured == "frequency":
        field = np.linspace(0.0, 1.05 * float(np.max(series.field)), CURVE_POINTS)[1:]
        return field, result.frequencies(series.angle[0], field, index)
    hertz = np.linspace(0.0, 1.05 * float(np.max(series.frequency)), CURVE_POINTS)[1:]
    return result.curve(series.angle[0], index, hertz), hertz


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


def _plane(plane: Any) -> Any:
    """The name of a plane, or its two axes as an array."""
    return plane if isinstance(plane, str) else np.asarray(plane)
