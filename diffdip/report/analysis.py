"""From the spectra of a rotation to A, B and C in one call, and what was assumed on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..fitting.fit_result import FitResult
from ..fitting.series_fit import fit_series
from ..fitting.spectra_fit import SpectraFit, fit_spectra
from ..foundation.convention import as_convention
from ..foundation.flags import Flag
from ..io.results import fit_document, residual_warnings
from ..resonance.fields import larmor_field
from ..spectra.definitions import DEFINITIONS
from ..spectra.lines import LineError
from ..spectra.positions import LinePositions, line_positions
from .choices import Choices


if TYPE_CHECKING:
    import xarray as xr


TOO_LARGE = 2.0
"""Residuals so many times as large as the noise explains are not of the noise."""

APART = 4.0
"""Results of two ways that are so many standard errors apart are pointed out."""

ALIKE_IN_G = 0.01
"""Relative difference of g below which it may be that of the sample, and A its disguise."""


@dataclass(frozen=True)
class Analysis:
    """Spectra, the line positions in them, and the fit of A, B, C to these.

    `document` is the fit as `diffdip.io.fit_document` gives it, in mT, degrees and GHz;
    `warnings` are those of all steps. `choices` are those that were used. `by_definition` has the
    fit to positions by each definition, the chosen one first, or in words why there is none;
    `direct` is the fit to all samples, if it was asked for.
    """

    spectra: "xr.Dataset"
    positions: LinePositions
    fit: FitResult
    document: dict[str, Any]
    warnings: tuple[Flag, ...]
    choices: Choices
    by_definition: Mapping[str, FitResult | str]
    direct: SpectraFit | None = None

    @property
    def name(self) -> str:
        """What the sample is called."""
        return str(self.document["sample"])

    @property
    def doubts(self) -> list[Flag]:
        """All doubts: the flags of the fit, and the warnings of all steps."""
        return [*self.fit.flags, *self.warnings]

    @property
    def instrument(self) -> dict[str, str]:
        """What all files say of the measurement, by name."""
        prefix = "instrument_"
        found = self.spectra.attrs.items()
        return {k.removeprefix(prefix): str(v) for k, v in found if k.startswith(prefix)}


def analyze(spectra: "xr.Dataset", choices: Choices | None = None) -> Analysis:
    """Find a line in each spectrum of a dataset from `read_spectra`, and fit A, B, C to them.

    The numbers are those of `line_positions` and `fit_series`, with the frequency of each angle,
    and where `choices.direct` names a shape, of `fit_spectra` as well, which fits the phase and
    takes the samples as they are, whatever the choices say of phase and smoothing.

    Raises `LineError` where there is no line, `ValueError` for angles without frequency, fewer than
    three, or all the same.

    >>> import xarray as xr
    >>> angle, field = np.arange(0.0, 180.0, 30.0), np.linspace(330.0, 346.0, 161)
    >>> x = field - (338 + np.cos(2 * np.radians(angle)))[:, None]
    >>> spectra = xr.Dataset(
    ...     {"signal": (("angle", "field"), -x * np.exp(-(x**2)))},
    ...     coords={"angle": angle, "field": field, "frequency": ("angle", np.full(6, 9.45))},
    ... )
    >>> found = analyze(spectra)
    >>> round(1e3 * found.fit.values["B"], 2)
    -1.33
    """
    choices = choices or Choices()
    angle = np.asarray(spectra["angle"].values, float)
    if not (np.abs(np.sin(np.radians(angle - angle[0]))) > 1e-6).any():
        raise ValueError(f"all angles are {angle[0]:g}°, modulo 180°; expected a rotation")
    timed = with_frequency(spectra, choices.frequency_GHz)
    positions = _positions(timed, choices)
    result, factor = _fitted(positions, choices)
    by_definition, apart = _by_definition(timed, choices, result)
    direct, against = _direct(timed, choices, positions, result)
    attributes = spectra.attrs
    warnings = (
        *_notes(spectra, choices),
        *positions.warnings,
        *_limits(result, positions, factor),
        *apart,
        *residual_warnings(result),
        *against,
    )
    name = str(attributes.get("title") or "sample")
    source = str(attributes.get("source", ""))
    document = fit_document(result, name, source, warnings)
    return Analysis(spectra, positions, result, document, warnings, choices, by_definition, direct)


def _positions(spectra: "xr.Dataset", choices: Choices) -> LinePositions:
    return line_positions(
        spectra,
        choices.definition,
        line="strongest" if choices.strongest else None,
        near=choices.near_mT,
        baseline=choices.baseline,
        phase_deg=choices.phase_deg,
        smoothing=choices.smoothing,
    )


def _direct(
    spectra: "xr.Dataset", choices: Choices, positions: LinePositions, chosen: FitResult
) -> tuple[SpectraFit | None, list[Flag]]:
    """The fit of all spectra, if there is to be one, and what is doubtful about it."""
    if choices.direct is None:
        return None, []
    try:
        found = fit_spectra(
            spectra,
            positions,
            shape=choices.direct,
            baseline=choices.baseline,
            g=choices.g,
            convention=choices.convention,
        )
    except LineError as error:
        raise LineError(f"direct = {choices.direct}: {error}") from None
    told = [Flag(flag.code, f"All spectra at once: {flag}") for flag in found.flags]
    distance, name = max((_apart(name, chosen, found), name) for name in chosen.names)
    if distance > APART:
        message = (
            f"{name} is {1e3 * chosen.values[name]:.4g} mT from positions but "
            f"{1e3 * found.values[name]:.4g} mT from all spectra at once: they differ by "
            f"{distance:.0f} standard errors."
        )
        told.append(Flag("direct-fit-differs", message))
    return found, told


def _by_definition(
    spectra: "xr.Dataset", choices: Choices, chosen: FitResult
) -> tuple[dict[str, FitResult | str], list[Flag]]:
    """The fit by each definition or why there is none, and a flag where they differ."""
    found: dict[str, FitResult | str] = {choices.definition: chosen}
    apart: list[tuple[float, str, str, float]] = []
    for definition in DEFINITIONS:
        if definition == choices.definition:
            continue
        other = replace(choices, definition=definition)
        try:
            positions = _positions(spectra, other)
            result, _ = _fitted(positions, other)
        except ValueError as error:
            found[definition] = str(error)
            continue
        found[definition] = result
        if not positions.warnings:
            apart += [
                (_apart(name, chosen, result), name, definition, result.values[name])
                for name in chosen.names
            ]
    distance, name, definition, value = max(apart, default=(0.0, "", "", 0.0))
    if distance <= APART:
        return found, []
    message = (
        f"{name} depends on the definition of a position: {1e3 * chosen.values[name]:.4g} mT with "
        f"{choices.definition}, {1e3 * value:.4g} mT with {definition}, a difference of "
        f"{distance:.0f} standard errors."
    )
    return found, [Flag("definitions-differ", message)]


def _apart(name: str, one: FitResult, other: FitResult | SpectraFit) -> float:
    """Distance of two results in units of its error, as if they were independent: 0 if unknown."""
    error = np.hypot(one.standard_errors[name], other.standard_errors[name])
    return float(abs(one.values[name] - other.values[name]) / error) if error > 0 else 0.0


def _fitted(positions: LinePositions, choices: Choices) -> tuple[FitResult, float]:
    """The fit, and by how much the errors from the noise had to be multiplied: 1 where they hold.

    Other errors than noise, of the model and of the field's scale, are in the residuals alone.
    """

    def fit(errors: np.ndarray | None) -> FitResult:
        return fit_series(
            positions.angle,
            positions.field,
            errors,
            frequency=positions.frequency,
            g=choices.g,
            convention=choices.convention,
        )

    result = fit(positions.errors)
    if positions.errors is None or (result.reduced_chi2 or 0.0) < TOO_LARGE**2:
        return result, 1.0
    factor = float(np.sqrt(result.reduced_chi2 or 1.0))
    return fit(factor * positions.errors), factor


def _limits(result: FitResult, positions: LinePositions, factor: float) -> list[Flag]:
    """Flags where the errors of A, B, C are too small, or were multiplied."""
    flags: list[Flag] = []
    if factor > 1:
        message = (
            f"The residuals are {factor:.3g} times larger than the noise. All errors were "
            "multiplied by this factor. Likely causes: the model, or the field calibration."
        )
        flags.append(Flag("scaled-errors", message))
    g, larmor = result.values["g"], larmor_of(positions, result.values["g"])
    A = result.values["A"]
    other = g * larmor / (larmor + as_convention(result.convention).sign * 0.75 * A)
    if abs(other / g - 1) < ALIKE_IN_G:
        message = (
            f"A and g cannot be separated in one plane: A = {1e3 * A:.3g} mT at g = {g:.6g} fits "
            f"exactly as well as A = 0 at g = {other:.6g}."
        )
        flags.append(Flag("g-or-A", message))
    return flags


def larmor_of(positions: LinePositions, g: float) -> float:
    """Hres without anisotropy (tesla) at the mean frequency of the positions."""
    with jax.enable_x64(True):
        return float(larmor_field(np.mean(positions.frequency), g))


def with_frequency(spectra: "xr.Dataset", frequency_ghz: float | None) -> "xr.Dataset":
    """Spectra with this frequency where the files state none. Raises `LineError` without one."""
    stated = np.asarray(spectra["frequency"].values, float)
    lacking = np.isnan(stated)
    if not lacking.any():
        return spectra
    if frequency_ghz is None:
        angles = spectra["angle"].values[lacking]
        raise LineError(
            f"the files state no frequency at {_listed(angles)}: give it with frequency_GHz"
        )
    filled = np.where(lacking, frequency_ghz, stated)
    return spectra.assign_coords(frequency=("angle", filled, spectra["frequency"].attrs))


def _notes(spectra: "xr.Dataset", choices: Choices) -> list[Flag]:
    """Flags for what was left out, or read differently from what the files state."""
    attributes = spectra.attrs
    skipped = str(attributes.get("skipped", "")).splitlines()
    notes = [Flag("file-skipped", f"Left out: {line}.") for line in skipped]
    if "angles" in attributes:
        notes.append(Flag("angle-read-as-negative", f"Angles: {attributes['angles']}."))
    stated = ~np.isnan(np.asarray(spectra["frequency"].values, float))
    if choices.frequency_GHz is not None and stated.any():
        where = "all angles" if stated.all() else _listed(spectra["angle"].values[stated])
        message = (
            f"The frequency {choices.frequency_GHz:g} GHz is not used at {where}: the files state "
            "their own."
        )
        notes.append(Flag("setting-unused", message))
    return notes


def _listed(angles: Sequence[float] | np.ndarray) -> str:
    first = ", ".join(f"{angle:g}°" for angle in angles[:5])
    return first + (f" and {len(angles) - 5} more" if len(angles) > 5 else "")
