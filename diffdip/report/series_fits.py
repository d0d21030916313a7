"""The workflow from tables of resonances to fits: settings, results, documents, files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..fitting.anisotropy_models import InPlaneModel, Model
from ..fitting.fit_result import FitResult
from ..fitting.g_or_a import g_or_a
from ..fitting.parameters import Free, Parameter
from ..fitting.series import Series
from ..fitting.series_fit import fit_joint
from ..fitting.suggestion import Suggestion, suggest_terms
from ..fitting.term_models import TermsModel
from ..fitting.width_fit import WidthFit
from ..foundation.errors import InputError
from ..io.fit_results import fit_document, fit_files, residual_warnings
from ..io.series_tables import Sample
from ..io.writing import csv_bytes
from .figures.fits import figure_fit
from .figures.style import figure_bytes
from .figures.widths import figure_widths
from .width_fits import (
    WIDTH_COLUMNS,
    WidthSettings,
    fit_table_widths,
    width_document,
    width_rows,
)


@dataclass(frozen=True)
class FitSettings:
    """What is fitted to each sample.

    Args:
        model: The model. Default: A, B and C in the paper's convention.
        parameters: Parameters of the model that are not free (SI units). Default: none.
        g: The g-factor, a parameter. Default: fixed at 2.
        offset: The angle offset, a parameter. Default: fixed at 0.
        plane: The plane of rotation. Default: "xy".
        loss: "linear" (default) or "soft_l1".
        widths: How line widths are fitted afterwards. Default: not at all.
    """

    model: Model = field(default_factory=InPlaneModel)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    g: Parameter = 2.0
    offset: Parameter = 0.0
    plane: str = "xy"
    loss: str = "linear"
    widths: WidthSettings | None = None

    def document(self) -> dict[str, Any]:
        """The settings for the files of results."""
        found: dict[str, Any] = {
            "loss": self.loss,
            "convention": str(getattr(self.model, "convention", "none")),
            "plane": self.plane,
        }
        if self.widths is not None:
            found["width"] = self.widths.kind
        if isinstance(self.model, TermsModel):
            normal, along = self.model.crystal
            found["terms"] = list(self.model.terms)
            found["crystal"] = {"normal": normal, "along": along}
            if self.model.axes:
                found["axis"] = {term: list(axis) for term, axis in self.model.axes}
        return found


@dataclass(frozen=True)
class SampleFit:
    """The fit of one sample, or of several tables of one sample together.

    Args:
        label: Its name in tables and figures.
        result: The fit.
        document: The fit for JSON, in mT, degrees and GHz.
        widths: The fit of the line widths, if it was asked for.
    """

    label: str
    result: FitResult
    document: dict[str, Any]
    widths: WidthFit | None = None

    def figures(self, stem: str, kinds: Sequence[str]) -> dict[str, bytes]:
        """A figure of each series by file name."""
        contents = {}
        count = len(self.result.series)
        for index in range(count):
            figures = {"": figure_fit(self.result, index, title=self.label)}
            if self.widths is not None and self.result.series[index].measured == "field":
                figures["_widths"] = figure_widths(self.result, self.widths, index, self.label)
            name = stem if count == 1 else f"{stem}_series_{index + 1}"
            for part, figure in figures.items():
                contents |= {f"{name}{part}.{kind}": figure_bytes(figure, kind) for kind in kinds}
        return contents


def fit_sample(samples: Sequence[Sample], label: str, settings: FitSettings) -> SampleFit:
    """Fit one sample, whose points may stand in several tables.

    Raises:
        InputError: For a sample that cannot be fitted; `where` names the tables.
    """
    series = _series(samples, settings.plane)
    try:
        _check_offset(series, settings)
        result = fit_joint(
            series,
            g=settings.g,
            offset=settings.offset,
            parameters=settings.parameters,
            model=settings.model,
            loss=settings.loss,
        )
    except InputError as error:
        raise _in_sample(error, samples) from None
    notes = dict.fromkeys(flag for sample in samples for flag in sample.warnings)
    warnings = [flag for flag in notes if flag not in result.flags]
    warnings += [*residual_warnings(result), *g_or_a(result)]
    source = ", ".join(dict.fromkeys(str(sample.source) for sample in samples))
    comments = [comment for sample in samples for comment in sample.comments]
    document = fit_document(result, label, source, warnings, comments)
    widths = None
    if settings.widths is not None:
        try:
            widths = fit_table_widths(result, samples, settings.plane, settings.widths)
        except InputError as error:
            raise _in_sample(error, samples) from None
        document["line_widths"] = width_document(widths)
    return SampleFit(label, result, document, widths)


def fits_as_files(
    fits: Sequence[SampleFit],
    settings: Mapping[str, Any],
    stems: Sequence[str],
    kinds: Sequence[str],
    advance: Callable[[], object],
) -> dict[str, bytes]:
    """The files of all fits with their figures, by name."""
    contents = fit_files([(fit.result, fit.document) for fit in fits], settings)
    rows = [
        row
        for fit in fits
        if fit.widths is not None
        for row in width_rows(fit.result, fit.widths, fit.label)
    ]
    if rows:
        contents["widths.csv"] = csv_bytes(WIDTH_COLUMNS, rows)
    for fit, stem in zip(fits, stems, strict=True):
        contents |= fit.figures(stem, kinds)
        advance()
    return contents


def suggest_for(samples: Sequence[Sample], settings: FitSettings) -> list[Suggestion]:
    """Terms for one sample; see `suggest_terms`."""
    if not isinstance(settings.g, float | int):
        raise InputError("g", given="free", expected="a number for suggestions")
    try:
        return suggest_terms(_series(samples, settings.plane), g=settings.g)
    except InputError as error:
        raise _in_sample(error, samples) from None


def _check_offset(series: Sequence[Series], settings: FitSettings) -> None:
    """Raises `InputError` for a free offset that free angles of the model, or nothing, can undo."""
    model = settings.model
    in_plane = all(
        one.direction is None and isinstance(one.plane, str) and one.plane == "xy" for one in series
    )
    if not (isinstance(settings.offset, Free) and in_plane and isinstance(model, TermsModel)):
        return
    free = {n for n in model.names if isinstance(settings.parameters.get(n, Free()), Free)}
    if model.turns_with(free):
        angles = [n for n in model.names if n in free and (n.startswith("phi") or n == "C")]
        raise InputError(
            "offset",
            given="free",
            expected="a fixed offset, because a turn of the sample and "
            + (" and ".join(angles) if angles else "nothing in these terms")
            + " are the same in the xy-plane",
            hint=f"Fix the offset, or {angles[0]} in a file, --model"
            if angles
            else "Fix the offset",
        )


def _series(samples: Sequence[Sample], plane: str) -> list[Series]:
    """The series of all tables, named by their tables where there are several."""
    if len(samples) == 1:
        return list(samples[0].series(plane))
    names = table_names(samples)
    return [s for sample, n in zip(samples, names, strict=True) for s in sample.series(plane, n)]


def table_names(samples: Sequence[Sample]) -> list[str]:
    """A name for each sample: that of its file, with folder and sample if several share it."""
    for name_of in (
        lambda sample: sample.source.stem,
        lambda sample: str(sample.source),
        lambda sample: f"{sample.source}: {sample.name}",
    ):
        names = [name_of(sample) for sample in samples]
        if len(set(names)) == len(names):
            break
    return names


def _in_sample(error: InputError, samples: Sequence[Sample]) -> InputError:
    """The error with the sample and the tables it belongs to."""
    sources = ", ".join(dict.fromkeys(str(sample.source) for sample in samples))
    return error.at(f"sample {samples[0].name!r}").at(sources)
