"""All files of an analysis: a report to read, tables, figures, and what repeats them."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..io.results import (
    curve_grid,
    fit_document,
    fit_files,
    json_bytes,
    made_by,
    magnetization_angles,
    rows_bytes,
    spectra_fit_document,
    spectra_fit_table,
)
from ..io.series_tables import positions_table
from ..resonance.branches import Branches
from .analysis import larmor_of
from .choices import choices_toml
from .figures import figure_bytes, figure_curve, figure_fit
from .report_page import report_page
from .spectra_figures import figure_correlation, figure_map, figure_spectra


if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..fitting.fit_result import FitResult
    from .analysis import Analysis

LIBRARIES = ("jax", "equinox", "optimistix", "numpy", "scipy", "xarray", "matplotlib")


@dataclass(frozen=True)
class Report:
    """What is told of an analysis: `pictures` are PNG by name, `files` by file name."""

    document: dict[str, Any]
    pictures: dict[str, bytes]
    files: dict[str, bytes]


def analysis_files(analysis: "Analysis") -> dict[str, bytes]:
    """Everything that `diffdip analyze` writes, by file name.

    `report.html`, `analysis.json`, `positions.csv` (for `diffdip fit`), `points.csv`, `curve.csv`,
    `origin.csv`, figures as PDF, `config.toml`; of a fit of all spectra `direct.csv`. The same
    bytes for the same spectra and choices.
    """
    return make_report(analysis).files


def make_report(analysis: "Analysis") -> Report:
    """The files of `analysis_files`, and what `report.html` is made of."""
    branches = _branches(analysis)
    lag = largest_lag(analysis, branches)
    figures = analysis_figures(analysis, branches)
    pictures = {name: figure_bytes(figure, "png") for name, figure in figures.items()}
    tables = fit_files([(analysis.fit, analysis.document)])
    document = analysis_document(analysis, lag)
    files = {
        "report.html": report_page(analysis, pictures, document),
        "analysis.json": json_bytes(document),
        "positions.csv": positions_table(analysis.positions),
        "points.csv": tables["points.csv"],
        "curve.csv": tables["curve.csv"],
        "origin.csv": origin_table(analysis),
        "config.toml": choices_toml(analysis.choices),
        **({} if analysis.direct is None else {"direct.csv": spectra_fit_table(analysis.direct)}),
        **{f"{name}.pdf": figure_bytes(figure, "pdf") for name, figure in figures.items()},
    }
    return Report(document, pictures, files)


def analysis_document(analysis: "Analysis", lag_deg: float) -> dict[str, Any]:
    """What was found and how, for JSON, in mT, degrees and GHz; `lag_deg` as `largest_lag` says."""
    positions = analysis.positions
    return {
        **made_by(analysis.choices.given()),
        "versions": versions(),
        "instrument": analysis.instrument,
        "positions": {**positions.settings, "count": len(positions.angle)},
        "fit": analysis.document,
        "by_definition": {
            definition: definition_document(found)
            for definition, found in analysis.by_definition.items()
        },
        "direct": None if analysis.direct is None else spectra_fit_document(analysis.direct),
        "largest_lag_deg": lag_deg,
    }


def definition_document(found: "FitResult | str") -> dict[str, Any]:
    """A, B, C by one definition of a position with their errors (mT), or why there are none."""
    if isinstance(found, str):
        return {"refused": found}
    document = fit_document(found, "")
    told = {name: entry for name, entry in document["parameters"].items() if entry["free"]}
    return {"parameters": told, "rms_mT": document["rms_mT"]}


def analysis_figures(analysis: "Analysis", branches: Branches) -> dict[str, "Figure"]:
    """Figures by name; `branches` are the resonances of the fitted model at the angles drawn."""
    larmor = larmor_of(analysis.positions, analysis.fit.values["g"])
    angle = np.radians(curve_grid(analysis.positions.angle))
    spectra, positions, direct = analysis.spectra, analysis.positions, analysis.direct
    of_direct = {} if direct is None else {"direct": figure_spectra(spectra, positions, direct)}
    return {
        **of_direct,
        "spectra": figure_spectra(spectra, positions),
        "map": figure_map(spectra, positions),
        "fit": figure_fit(analysis.fit),
        "correlation": figure_correlation(analysis.fit),
        "branches": figure_curve(angle, branches, larmor=larmor),
    }


def largest_lag(analysis: "Analysis", branches: Branches) -> float:
    """The largest angle (degrees) between M and the field on the measured branch, NaN without."""
    angle = np.radians(curve_grid(analysis.positions.angle))
    with jax.enable_x64(True):
        direction = np.asarray(branches.measured()[1])
    lag, _ = magnetization_angles(angle, direction[:, None], "xy")
    known = np.abs(np.degrees(lag[np.isfinite(lag)]))
    return float(known.max()) if known.size else np.nan


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that make the numbers and pictures."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def origin_table(analysis: "Analysis") -> bytes:
    """Points and curve side by side, under rows of long names, units and comments (for Origin).

    Cells below the shorter columns are empty.
    """
    positions, fit = analysis.positions, analysis.fit
    definition, model = analysis.choices.definition, f"{analysis.choices.convention} convention"
    grid = curve_grid(positions.angle)
    curve = fit.curve(np.radians(grid))
    columns = [
        ("Angle", "deg", "of the field", np.degrees(positions.angle)),
        ("Resonance field", "mT", definition, 1e3 * positions.field),
        ("Standard error", "mT", "from the noise", 1e3 * positions.sigma),
        ("Line width", "mT", positions.settings["width"], 1e3 * positions.width),
        ("Frequency", "GHz", "", positions.frequency / 1e9),
        ("Fit", "mT", "at the frequency of each angle", 1e3 * fit.predicted),
        ("Residual", "mT", "measured - fit", 1e3 * fit.residuals),
        ("Curve angle", "deg", "", grid),
        ("Curve", "mT", f"fit at the mean frequency, {model}", 1e3 * curve),
    ]
    heads = [[column[i] for column in columns] for i in range(3)]
    length = max(len(values) for *_, values in columns)
    body = np.full((length, len(columns)), np.nan)
    for i, (*_, values) in enumerate(columns):
        body[: len(values), i] = values
    return rows_bytes([*heads, *body.tolist()])


def _branches(analysis: "Analysis") -> Branches:
    return analysis.fit.branches(np.radians(curve_grid(analysis.positions.angle)))
