"""Results as files: strict JSON for what was found, CSV for data and curves.

Everything is built in memory first; `write_files` then puts it into place so that a failure
leaves no file half-written. Tables have one header row with units, one row a value, an
empty cell where there is none, and a `sample` column where several samples share them.
"""

import csv
import io
import json
import math
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..foundation.flags import Flag


if TYPE_CHECKING:
    from ..fitting.fit_result import FitResult
    from ..fitting.spectra_fit import SpectraFit
    from ..resonance.branches import Branches

OUTLIER = 5.0
"""Residuals beyond this many robust standard deviations are pointed out."""

CURVE_STEP_DEG = 0.5

BLOCK = 512
"""Curves are evaluated in blocks of this length: one shape, compiled once for all of them."""


class OutputError(OSError):
    """Results that cannot be written. The message is one line and names the path."""


def as_shown(name: str) -> tuple[str, float]:
    """Name with unit and factor from SI of a parameter; those of a model of one's own stay.

    >>> as_shown("A")
    ('A_mT', 1000.0)
    """
    if name in ("A", "B", "C", "Cxz", "Cyz"):
        return f"{name}_mT", 1e3
    if name.startswith(("offset", "phase")):
        return f"{name}_deg", 180 / math.pi
    return name, 1.0


def spectra_fit_document(result: "SpectraFit") -> dict[str, Any]:
    """A fit of all spectra as a JSON-ready dictionary, in mT and degrees, as `fit_document`."""
    factors = [as_shown(name)[1] for name in result.names]
    parameters = {
        as_shown(name)[0]: {
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
    """A row for each angle of a fit of all spectra: field, width, height, residuals and noise.

    The height is that of the absorption, signal times mT.
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


def fit_document(
    result: "FitResult",
    sample: str,
    source: str = "",
    warnings: Sequence[Flag] = (),
    comments: Sequence[str] = (),
) -> dict[str, Any]:
    """A fit as a JSON-ready dictionary, in mT, degrees and GHz; NaN and infinity become None.

    `comments` are what the input says of itself, and are there only if there are any.

    Covariance and correlation follow `order`, in the units of the names there.
    """
    factors = [as_shown(name)[1] for name in result.names]
    parameters = {}
    for name in sorted(result.values, key=lambda n: n == "g" or n.startswith("offset")):
        value = result.values[name]
        shown, factor = as_shown(name)
        entry: dict[str, Any] = {"value": factor * value, "free": name in result.names}
        if entry["free"]:
            entry["standard_error"] = factor * result.standard_errors[name]
            for level, bounds in result.intervals.get(name, {}).items():
                entry[f"interval_{level}"] = [factor * bound for bound in bounds]
        parameters[shown] = entry
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
            "order": [as_shown(name)[0] for name in result.names],
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
    """`fit.json`, `points.csv` and `curve.csv` of fits with their documents, as bytes by name.

    `settings` are the options the fits were made with; they go into `fit.json` as they are.
    The curve is the model at the series' mean frequency, over at least half a turn.
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
            field = 1e3 * model_fields(result, np.radians(grid), index)
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


def curve_files(
    angle: np.ndarray, branches: "Branches", plane: str, settings: Mapping[str, Any]
) -> dict[str, bytes]:
    """`curve.csv` with every branch of each angle (radians), and `curve.json` with how it was made.

    One row for each resonance, highest field first: `lag_deg` is α_H − α_M in the plane of
    rotation, `elevation_deg` how far M leaves that plane, `stable` and `measured` are 1 or 0.
    An angle without resonance has a row with an empty field.
    """
    lag, elevation = magnetization_angles(angle, np.asarray(branches.direction), plane)
    field, stable = np.asarray(branches.field), np.asarray(branches.stable)
    rows: list[list[Any]] = []
    for i, alpha in enumerate(np.degrees(angle)):
        measured = int(np.argmax(stable[i])) if stable[i].any() else -1
        slots = np.flatnonzero(np.isfinite(field[i]))
        rows += [
            [
                alpha,
                1e3 * field[i, slot],
                np.degrees(lag[i, slot]),
                np.degrees(elevation[i, slot]),
                int(stable[i, slot]),
                int(slot == measured),
            ]
            for slot in slots
        ] or [[alpha, np.nan, np.nan, np.nan, 0, 0]]
    header = "angle_deg field_mT lag_deg elevation_deg stable measured"
    return {"curve.csv": csv_bytes(header, rows), "curve.json": json_bytes(made_by(settings))}


def magnetization_angles(
    angle: np.ndarray, direction: np.ndarray, plane: str
) -> tuple[np.ndarray, np.ndarray]:
    """Lag α_H − α_M within the plane (±π) and elevation of M out of it, in radians.

    `angle` (n,) of the field, `direction` (n, slots, 3) unit vectors of M, `plane` by name.
    """
    axes = {"xy": (0, 1, 2), "xz": (0, 2, 1), "yz": (1, 2, 0)}[plane]
    first, second, normal = (direction[..., axis] for axis in axes)
    lag = angle[:, None] - np.arctan2(second, first)
    return (lag + np.pi) % (2 * np.pi) - np.pi, np.arcsin(np.clip(normal, -1, 1))


def model_fields(result: "FitResult", angle: np.ndarray, series: int = 0) -> np.ndarray:
    """`result.curve` in tesla at angles (n,) in radians, in blocks of one length."""
    padded = np.pad(np.asarray(angle, float), (0, -len(angle) % BLOCK), mode="edge")
    blocks = [result.curve(block, series=series) for block in padded.reshape(-1, BLOCK)]
    return np.concatenate(blocks)[: len(angle)]


def curve_grid(angle: np.ndarray) -> np.ndarray:
    """Angles in degrees, 0.5° apart, over 0 to 180° and the quarter turns that data (rad) reach."""
    degrees = np.degrees(angle)
    low = min(0.0, math.floor(degrees.min() / 90 + 0.01) * 90.0)
    high = max(180.0, math.ceil(degrees.max() / 90 - 0.01) * 90.0)
    return np.linspace(low, high, round((high - low) / CURVE_STEP_DEG) + 1)


def residual_warnings(result: "FitResult") -> list[Flag]:
    """Flags of outliers: residuals beyond 5 robust standard deviations (1.4826 · MAD).

    With errors the residuals are taken in units of theirs. At least 6 residuals are needed.
    """
    residuals = np.asarray(result.residuals)
    sigmas = [np.nan if s.sigma is None else s.sigma for s in result.series]
    angles = np.concatenate([np.asarray(s.angle) for s in result.series])
    sizes = [len(s.angle) for s in result.series]
    sigma = np.concatenate([np.broadcast_to(s, n) for s, n in zip(sigmas, sizes, strict=True)])
    weighted = np.where(np.isfinite(sigma), residuals / sigma, residuals)
    known = np.isfinite(weighted)
    if known.sum() < 6:
        return []
    centre = np.median(weighted[known])
    scale = 1.4826 * np.median(np.abs(weighted[known] - centre))
    if scale == 0:
        return []
    score = np.where(known, np.abs(weighted - centre) / scale, 0)
    return [
        Flag(
            "outlier",
            f"The point at {np.degrees(angles[i]):.4g}° is an outlier: "
            f"{1e3 * residuals[i]:+.3g} mT from the fit, {score[i]:.0f} robust standard "
            "deviations.",
        )
        for i in np.flatnonzero(score > OUTLIER)
    ]


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write all files into `folder` (made if need be), replacing those of the same names.

    Each is written beside its place first and moved there when all are complete, so that
    a failure leaves what was there before. Raises `OutputError`.
    """
    folder = Path(folder)
    made = [parent for parent in (folder, *folder.parents) if not _exists(parent)]
    parts: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            target = folder / name
            if target.is_dir():
                raise IsADirectoryError(None, "is a folder where a file should go", str(target))
            part = folder / f".{name}.{uuid.uuid4().hex}.part"
            parts.append((part, target))
            part.write_bytes(data)
        for part, target in parts:
            os.replace(part, target)
    except (OSError, ValueError) as error:
        for part, _ in parts:
            part.unlink(missing_ok=True)
        for parent in made:
            _remove_empty(parent)
        where = getattr(error, "filename", None) or folder
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{where}: cannot be written: {reason}") from error
    return [target for _, target in parts]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return True  # not ours to remove


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except (OSError, ValueError):
        return


def made_by(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """The version and the settings, with which every document begins."""
    from ..foundation.version import __version__

    return {"diffdip": __version__, "settings": plain(dict(settings or {}))}


def _frequencies(series: Any) -> np.ndarray:
    return np.broadcast_to(np.asarray(series.frequency, float), np.shape(series.angle))


def _plane(plane: Any) -> Any:
    return plane if isinstance(plane, str) else np.asarray(plane)


def plain(value: Any) -> Any:
    """The value in the types of JSON, with None for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def json_bytes(document: Any) -> bytes:
    """Strict JSON of plain data and numpy numbers; NaN and infinity become null.

    >>> json_bytes({"n": np.int64(2), "found": [math.nan]}).split()
    [b'{', b'"n":', b'2,', b'"found":', b'[', b'null', b']', b'}']
    """
    text = json.dumps(plain(document), indent=2, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode(errors="replace")


def csv_bytes(header: str, rows: Sequence[Sequence[Any]]) -> bytes:
    """A table of these columns; numbers to ten digits, cells of NaN and infinity stay empty.

    >>> csv_bytes("angle_deg field_mT", [[0.0, 337.5], [90.0, math.nan]])
    b'angle_deg,field_mT\\n0,337.5\\n90,\\n'
    """
    return rows_bytes([header.split(), *rows])


def rows_bytes(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows of text and numbers, as `csv_bytes` writes them."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return stream.getvalue().encode(errors="replace")


def _cell(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return f"{value:.10g}" if math.isfinite(value) else ""
    return value
