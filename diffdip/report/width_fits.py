"""Fits of the line widths of tables, after those of the positions: documents, files, figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..fitting.fit_result import FitResult
from ..fitting.parameter_table import parameter_kind
from ..fitting.width_fit import PARTS, SPREAD, WidthFit, fit_widths_of
from ..foundation.errors import InputError
from ..io.samples import Sample
from ..io.writing import plain


KINDS: Final = {
    "fwhm": ("fwhm", None),
    "pp-lorentzian": ("peak-to-peak", "lorentzian"),
    "pp-gaussian": ("peak-to-peak", "gaussian"),
}
"""Kinds of widths: what the name of a column must not contradict, and the shape of the line."""

UNITS: Final = {"damping": ("", 1.0), "inhomogeneous": ("mT", 1e3), "mosaic": ("deg", 180 / np.pi)}
"""Unit of a part in files and tables, and its factor."""


@dataclass(frozen=True)
class WidthSettings:
    """How line widths are fitted.

    Args:
        kind: A name of `KINDS`: which width the tables have.
        parts: Names among "damping", "inhomogeneous" and "mosaic", and of parameters, whose spread
            is fitted. Empty (default): damping and inhomogeneous, if they can be separated.
    """

    kind: str
    parts: tuple[str, ...] = ()

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError("width", given=self.kind, expected=" or ".join(KINDS))


def fit_table_widths(
    result: FitResult, samples: Sequence[Sample], plane: str, settings: WidthSettings
) -> WidthFit:
    """The fit of the widths in the tables of one sample. Raises `InputError`."""
    expected, shape = KINDS[settings.kind]
    widths, errors = [], []
    for sample in samples:
        order, unknown = sample.order(plane), np.full(len(sample.field), np.nan)
        if sample.width_kind not in (None, expected):
            raise InputError(
                f"{sample.source}: widths",
                given=sample.width_kind,
                expected=f"the kind of {{width}}, {settings.kind}",
                hint="Rename the column or change {width}",
            )
        widths.append((unknown if sample.width is None else sample.width)[order])
        errors.append((unknown if sample.width_sigma is None else sample.width_sigma)[order])
    width, sigma = np.concatenate(widths), np.concatenate(errors)
    if np.all(np.isnan(width)):
        raise InputError(
            "no column of line widths",
            expected="widths with their unit",
            hint="Add a column such as fwhm_mT, or leave out {width}",
        )
    # a point without a width counts for nothing, whatever its error
    has_error = np.isfinite(sigma[np.isfinite(width)])
    known = bool(has_error.all())
    if has_error.any() and not known:
        raise InputError(
            f"{int((~has_error).sum())} of {len(has_error)} widths",
            expected="a standard error for all widths or for none",
            hint="Fill in the column of errors, or delete it",
        )
    parts = [name for name in settings.parts if name in PARTS]
    return fit_widths_of(
        result,
        width,
        np.where(np.isfinite(sigma), sigma, 1.0) if known else None,
        parts=parts if settings.parts else None,
        spread=[name for name in settings.parts if name not in PARTS],
        peak_to_peak=shape,
    )


def part_name(name: str) -> str:
    """A part with its unit, for columns of files.

    >>> part_name("damping"), part_name("mosaic"), part_name("spread_Meff")
    ('damping', 'mosaic_deg', 'spread_Meff_mT')
    """
    unit, _ = _unit(name)
    return f"{name}_{unit}" if unit else name


def _unit(name: str) -> tuple[str, float]:
    kind = parameter_kind(name.removeprefix(SPREAD))
    return (kind.unit, kind.factor) if name.startswith(SPREAD) else UNITS[name]


def width_document(found: WidthFit) -> dict[str, Any]:
    """A fit of widths for JSON, in mT and degrees; all widths are FWHM."""
    parts = {}
    for name in found.names:
        factor = _unit(name)[1]
        parts[part_name(name)] = {
            "value": factor * found.values[name],
            "free": True,
            "standard_error": factor * found.standard_errors[name],
        }
    return plain(
        {
            "width": "full width at half maximum",
            "parts": parts,
            "addition": found.addition,
            "n_points": int(np.sum(np.isfinite(found.residuals))),
            "dof": found.dof,
            "chi2": found.chi2,
            "reduced_chi2": found.reduced_chi2,
            "rms_mT": 1e3 * found.rms,
            "flags": [flag.document() for flag in found.flags],
        }
    )


def width_rows(result: FitResult, found: WidthFit, name: str) -> list[tuple[Any, ...]]:
    """Rows of `widths.csv`: series, angle, frequency, FWHM, model and residual."""
    rows, start = [], 0
    measured = found.predicted + found.residuals
    for index, series in enumerate(result.series):
        own = slice(start, start := start + len(series))
        label = name if len(result.series) == 1 else series.name or str(index + 1)
        angle = np.full(len(series), np.nan)
        if series.direction is None:
            angle = np.degrees(series.angle)
        columns = (
            angle,
            series.frequency / 1e9,
            *(1e3 * x[own] for x in (measured, found.predicted, found.residuals)),
        )
        rows += [(label, *row) for row in zip(*columns, strict=True)]
    return rows


WIDTH_COLUMNS: Final = "sample angle_deg frequency_GHz fwhm_mT predicted_mT residual_mT"
