"""Where the fit of all spectra starts: the fit of the positions, their widths and the phase."""

import numpy as np

from ..spectra.line_shapes import columns
from ..spectra.lines import LineError, polynomials
from ..spectra.positions import LinePositions
from .series_fit import fit_series
from .spectra_model import NAMES, PHASE, ShapeSettings, Sweeps, harmonics


START_FRACTION = 0.5
"""Lorentzian part of a pseudo-Voigt line."""


def start_of(settings: ShapeSettings, sweeps: Sweeps, positions: LinePositions) -> np.ndarray:
    """The start in the order of `NAMES`.

    Raises:
        LineError: If the model of the positions has no resonance at most angles.
    """
    fitted = fit_series(
        positions.angle,
        positions.field,
        frequency=positions.frequency,
        g=float(sweeps.g),
        convention=settings.convention,
    )
    resonant = int(np.isfinite(fitted.residuals).sum())
    if resonant < 0.5 * len(fitted.residuals):
        raise LineError(
            "positions",
            expected=f"a model with a resonance at most angles, and there is one at {resonant} of "
            f"{len(fitted.residuals)}",
            hint="Check that the positions belong to one line",
        )
    width = np.linalg.lstsq(harmonics(positions.angle), np.log(positions.width))[0]
    turn = _phase(settings, sweeps, positions)
    fraction = [START_FRACTION] if settings.fraction is None else []
    return np.array([*(fitted.values[name] for name in NAMES[:PHASE]), turn, *width, *fraction])


def _phase(settings: ShapeSettings, sweeps: Sweeps, positions: LinePositions) -> float:
    """The phase of all spectra together (radians), from both parts of the shape."""
    fraction = START_FRACTION if settings.fraction is None else settings.fraction
    factors = []
    for i, used in enumerate(np.asarray(sweeps.weight) > 0):
        field, signal = np.asarray(sweeps.field)[i, used], np.asarray(sweeps.signal)[i, used]
        line = columns(field, positions.field[i], positions.width[i], fraction, None)
        matrix = np.concatenate([line, polynomials(field, settings.baseline)], axis=1)
        factors.append(np.linalg.lstsq(matrix, signal)[0][:2] @ np.array([1, 1j]))
    both = np.array(factors)
    # squares, because an amplitude of either sign has the same phase
    turn = np.angle(np.sum(both**2)) / 2
    signs = np.sum(np.real(both * np.exp(-1j * turn)))
    return turn if signs >= 0 else turn - np.copysign(np.pi, turn)
