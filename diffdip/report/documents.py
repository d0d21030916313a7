"""An analysis as documents for JSON, in mT, degrees and GHz."""

import platform
from importlib.metadata import version
from typing import Any

import numpy as np

from ..fitting.fit_result import FitResult
from ..foundation.errors import InputError
from ..io.fit_results import curve_grid, fit_document, spectra_fit_document
from ..io.writing import made_by
from ..resonance.branches import Branches
from ..resonance.planes import magnetization_angles
from .analysis import Analysis


LIBRARIES = ("jax", "equinox", "numpy", "scipy", "xarray", "matplotlib")
"""Libraries whose versions the numbers and pictures depend on."""

REPORT_NAMES = {"strongest": "strongest = true", "near": "near_mT", "frequency": "frequency_GHz"}
"""What a report calls arguments that have other names as choices; config.toml has these too."""


def report_name(argument: str) -> str:
    """The name of an argument in a report, for `InputError.worded`."""
    return REPORT_NAMES.get(argument, argument)


def fit_document_of(analysis: Analysis) -> dict[str, Any]:
    """The fit of an analysis as `fit_document` gives it, with the warnings of all steps."""
    return fit_document(analysis.fit, analysis.name, analysis.source, analysis.warnings)


def analysis_document(analysis: Analysis, lag_deg: float) -> dict[str, Any]:
    """Everything that was found, and how; `lag_deg` comes from `largest_lag`."""
    positions = analysis.positions
    return {
        **made_by(analysis.choices.given()),
        "versions": versions(),
        "instrument": analysis.instrument,
        "positions": {**positions.settings, "count": len(positions.angle)},
        "fit": fit_document_of(analysis),
        "by_definition": {
            definition: definition_document(found)
            for definition, found in analysis.by_definition.items()
        },
        "direct": None if analysis.direct is None else spectra_fit_document(analysis.direct),
        "largest_lag_deg": lag_deg,
    }


def definition_document(found: FitResult | InputError) -> dict[str, Any]:
    """A, B and C by one definition of a position with errors (mT), or why the fit was refused."""
    if isinstance(found, InputError):
        return {"refused": found.worded(report_name)}
    document = fit_document(found, "")
    free = {name: entry for name, entry in document["parameters"].items() if entry["free"]}
    return {"parameters": free, "rms_mT": document["rms_mT"]}


def largest_lag(analysis: Analysis, branches: Branches) -> float:
    """The largest angle (degrees) between M and the field on the measured branch.

    NaN if there is no resonance at any angle.
    """
    angle = np.radians(curve_grid(analysis.positions.angle))
    direction = np.asarray(branches.measured()[1])
    lag, _ = magnetization_angles(angle, direction[:, None], "xy")
    known = np.abs(np.degrees(lag[np.isfinite(lag)]))
    return float(known.max()) if known.size else np.nan


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that make the numbers and pictures."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
