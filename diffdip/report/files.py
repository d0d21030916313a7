"""All files of an analysis: the report, tables, figures, and the choices that repeat it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.fit_results import curve_grid, fit_files, spectra_fit_table
from ..io.series_tables import positions_table
from ..io.writing import json_bytes, rows_bytes
from ..resonance.branches import Branches
from .analysis import Analysis, larmor_of
from .choices import choices_toml
from .documents import analysis_document, largest_lag
from .figures.curves import figure_curve
from .figures.fits import figure_correlation, figure_fit
from .figures.spectra import figure_map, figure_spectra
from .figures.style import figure_bytes
from .page import report_page


if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Report:
    """A finished report.

    Args:
        document: The content of `analysis.json`.
        pictures: PNG by name.
        files: Contents by file name.
    """

    document: dict[str, Any]
    pictures: dict[str, bytes]
    files: dict[str, bytes]


def analysis_files(analysis: Analysis) -> dict[str, bytes]:
    """Everything that `diffdip analyze` writes, by file name.

    These are `report.html`, `analysis.json`, `positions.csv` (for `diffdip fit`), `points.csv`,
    `curve.csv`, `origin.csv`, `config.toml` and the figures as PDF; with a fit of all spectra also
    `direct.csv`. The same spectra and choices give the same bytes.
    """
    return make_report(analysis).files


def make_report(analysis: Analysis) -> Report:
    """The files of `analysis_files`, with the document and the pictures of `report.html`."""
    # the resonances of the fitted model at the angles that are drawn
    branches = analysis.fit.branches(np.radians(curve_grid(analysis.positions.angle)))
    document = analysis_document(analysis, largest_lag(analysis, branches))
    figures = analysis_figures(analysis, branches)
    pictures = {name: figure_bytes(figure, "png") for name, figure in figures.items()}
    tables = fit_files([(analysis.fit, document["fit"])])
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


def analysis_figures(analysis: Analysis, branches: Branches) -> dict[str, "Figure"]:
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


def origin_table(analysis: Analysis) -> bytes:
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
