"""From the spectra of a rotation to A, B and C in one call, with all doubts on the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..fitting.fit_result import FitResult
from ..fitting.g_or_a import g_or_a
from ..fitting.outliers import residual_warnings
from ..fitting.series_fit import fit_series
from ..fitting.spectra_fit import SpectraFit, fit_spectra
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..foundation.progress import progress_bar
from ..foundation.units import larmor_value
from ..spectra.definitions import DEFINITIONS
from ..spectra.lines import LineError
from ..spectra.positions import LinePositions, positions_by_definition
from .choices import Choices


if TYPE_CHECKING:
    import xarray as xr


APART = 4.0
"""Two results that differ by more than this many standard errors get a flag."""


@dataclass(frozen=True)
class Analysis:
    """Spectra of a rotation, the line positions in them, and the fit of A, B, C to these.

    Args:
        name: Name of the sample.
        source: The file or folder of the spectra.
        spectra: The dataset from `read_spectra`.
        positions: One line of each spectrum, by the chosen definition of a position.
        fit: The fit of A, B and C to the positions.
        warnings: The doubts of all steps beyond `fit.flags`.
        choices: How the spectra were analysed.
        by_definition: The fit by each definition of a position, the chosen one first, or the error
            that ended it.
        direct: The fit of all spectra at once, if `choices.direct` is given.
    """

    name: str
    source: str
    spectra: "xr.Dataset"
    positions: LinePositions
    fit: FitResult
    warnings: tuple[Flag, ...]
    choices: Choices
    by_definition: Mapping[str, FitResult | InputError]
    direct: SpectraFit | None = None

    @property
    def doubts(self) -> tuple[Flag, ...]:
        """All doubts: the flags of the fit and the warnings of all steps."""
        return (*self.fit.flags, *self.warnings)

    @property
    def instrument(self) -> dict[str, str]:
        """Settings of the measurement that are the same in all files, by name."""
        prefix = "instrument_"
        found = self.spectra.attrs.items()
        return {k.removeprefix(prefix): str(v) for k, v in found if k.startswith(prefix)}


def analyze(
    spectra: "xr.Dataset", choices: Choices | None = None, *, progress: bool = True
) -> Analysis:
    """Find a line in each spectrum of a dataset, and fit A, B and C to the positions.

    The numbers are those of `line_positions` and `fit_series`, with the frequency of each angle. If
    `choices.direct` names a line shape, `fit_spectra` fits all spectra at once as well; that fit
    ignores the phase and the smoothing of the choices.

    Args:
        spectra: A dataset from `read_spectra`: signal by angle (degrees) and field (mT), with the
            frequency (GHz) of each angle.
        choices: How to analyse them; all defaults by default.
        progress: Whether to show a progress bar on a terminal.

    Returns:
        Positions, fits and doubts.

    Raises:
        LineError: For a spectrum without the selected line.
        InputError: For an angle without frequency, fewer than three angles, or angles that are all
            the same.

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
    _check_rotation(np.asarray(spectra["angle"].values, float))
    timed = with_frequency(spectra, choices.frequency_GHz)
    with progress_bar("analyzing", len(timed["angle"]), shown=progress) as advance:
        found = _positions(timed, choices, advance)
        positions = found.pop(choices.definition)
        if isinstance(positions, LineError):
            raise positions
        result = _fitted(positions, choices)
        by_definition, apart = _by_definition(found, choices, result)
    direct, against = _direct(timed, choices, positions, result)
    return Analysis(
        name=str(spectra.attrs.get("title") or "sample"),
        source=str(spectra.attrs.get("source", "")),
        spectra=spectra,
        positions=positions,
        fit=result,
        warnings=(
            *_notes(spectra, choices),
            *positions.warnings,
            *g_or_a(result),
            *apart,
            *residual_warnings(result),
            *against,
        ),
        choices=choices,
        by_definition=by_definition,
        direct=direct,
    )


def _check_rotation(angle: np.ndarray) -> None:
    """Refuse spectra that all have one direction of the field."""
    if np.isnan(angle).all():
        raise InputError(
            "one spectrum without an angle",
            expected="spectra of a rotation, at three angles or more",
            hint="For its line position alone use diffdip positions",
        )
    # the resonance field is the same for opposite directions
    if not (np.abs(np.sin(np.radians(angle - angle[0]))) > 1e-6).any():
        raise InputError(
            f"all angles are {angle[0]:g}° (modulo 180°)",
            expected="spectra of a rotation, at three angles or more",
        )


def _positions(
    spectra: "xr.Dataset", choices: Choices, advance: Callable[[], None]
) -> dict[str, LinePositions | LineError]:
    """The positions by every definition, the chosen one first."""
    others = [name for name in DEFINITIONS if name != choices.definition]
    return positions_by_definition(
        spectra,
        [choices.definition, *others],
        line="strongest" if choices.strongest else None,
        near=choices.near_mT,
        baseline=choices.baseline,
        phase_deg=choices.phase_deg,
        smoothing=choices.smoothing,
        advance=advance,
    )


def _direct(
    spectra: "xr.Dataset", choices: Choices, positions: LinePositions, chosen: FitResult
) -> tuple[SpectraFit | None, list[Flag]]:
    """The fit of all spectra if `choices.direct` is given, and the doubts about it."""
    if choices.direct is None:
        return None, []
    try:
        found = fit_spectra(
            spectra,
            positions,
            shape=choices.direct,
            baseline=positions.settings["baseline"],
            g=choices.g,
            convention=choices.convention,
        )
    except InputError as error:
        raise error.at("all spectra at once") from None
    flags = [Flag(flag.code, f"All spectra at once: {flag}") for flag in found.flags]
    distance, name = max((_apart(name, chosen, found), name) for name in chosen.names)
    if distance > APART:
        message = (
            f"{name} is {1e3 * chosen.values[name]:.4g} mT from the positions but "
            f"{1e3 * found.values[name]:.4g} mT from all spectra at once: they differ by "
            f"{distance:.0f} standard errors."
        )
        flags.append(Flag("direct-fit-differs", message))
    return found, flags


def _by_definition(
    others: Mapping[str, LinePositions | LineError], choices: Choices, chosen: FitResult
) -> tuple[dict[str, FitResult | InputError], list[Flag]]:
    """The fit by each definition or the error that prevents it, and a flag if they differ."""
    found: dict[str, FitResult | InputError] = {choices.definition: chosen}
    apart: list[tuple[float, str, str, float]] = []
    for definition, positions in others.items():
        if isinstance(positions, LineError):
            found[definition] = positions
            continue
        try:
            result = _fitted(positions, choices)
        except InputError as error:
            found[definition] = error
            continue
        found[definition] = result
        if not positions.warnings:  # positions with warnings do not count against the chosen ones
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
    """How many standard errors two results differ by, taken as independent; 0 if unknown."""
    error = np.hypot(one.standard_errors[name], other.standard_errors[name])
    return float(abs(one.values[name] - other.values[name]) / error) if error > 0 else 0.0


def _fitted(positions: LinePositions, choices: Choices) -> FitResult:
    """The fit. Only its residuals show errors other than noise, of the model for example."""
    return fit_series(
        positions.angle,
        positions.field,
        positions.errors,
        frequency=positions.frequency,
        g=choices.g,
        convention=choices.convention,
    )


def larmor_of(positions: LinePositions, g: float) -> float:
    """The field w0 without anisotropy (tesla) at the mean frequency of the positions."""
    return larmor_value(float(np.mean(positions.frequency)), g)


def with_frequency(
    spectra: "xr.Dataset", frequency_ghz: float | None, *, needed: bool = True
) -> "xr.Dataset":
    """The spectra, with this frequency (GHz) at the angles whose files state none.

    Raises `LineError` for an angle without any frequency, if it is needed.
    """
    stated = np.asarray(spectra["frequency"].values, float)
    lacking = np.isnan(stated)
    if not lacking.any() or (frequency_ghz is None and not needed):
        return spectra
    if frequency_ghz is None:
        raise LineError(
            "frequency_GHz",
            expected="the microwave frequency, which the files do not state at "
            + _listed(spectra["angle"].values[lacking]),
        )
    filled = np.where(lacking, frequency_ghz, stated)
    return spectra.assign_coords(frequency=("angle", filled, spectra["frequency"].attrs))


def _notes(spectra: "xr.Dataset", choices: Choices) -> list[Flag]:
    """Flags for files that were left out, and for settings that differ from the files."""
    attributes = spectra.attrs
    skipped = str(attributes.get("skipped", "")).splitlines()
    notes = [Flag("file-skipped", f"Left out: {line}.") for line in skipped]
    notes += [
        Flag("reading-note", f"{line}.") for line in str(attributes.get("notes", "")).splitlines()
    ]
    if "angles" in attributes:
        notes.append(Flag("angle-read-as-negative", f"Angles: {attributes['angles']}."))
    stated = ~np.isnan(np.asarray(spectra["frequency"].values, float))
    if choices.frequency_GHz is not None and stated.any():
        where = "all angles" if stated.all() else _listed(spectra["angle"].values[stated])
        message = (
            f"The frequency {choices.frequency_GHz:g} GHz is not used at {where}: the files state "
            "their own frequencies."
        )
        notes.append(Flag("setting-unused", message))
    return notes


def _listed(angles: Sequence[float] | np.ndarray) -> str:
    """The first five angles, and how many more there are."""
    first = ", ".join(f"{angle:g}°" for angle in angles[:5])
    return first + (f" and {len(angles) - 5} more" if len(angles) > 5 else "")
