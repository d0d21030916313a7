"""Measured series Hres(angle), and several of them as one least-squares problem."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..foundation.arrays import Numbers
from ..foundation.errors import InputError
from ..resonance.planes import Plane, check_plane
from .least_squares_problem import Data, Design


MOST_POINTS = 20_000
"""Points of a series. More would need gigabytes of memory, and are no resonance fields by angle."""

PAD = 8
"""Series are padded to a multiple of this length, so that fewer lengths are compiled."""


@dataclass(frozen=True)
class Series:
    """One measured series: resonance fields of one sample rotated in one plane.

    Args:
        angle: Angles of the applied field in radians, shape (n,).
        field: Resonance fields in tesla, shape (n,). Points that are NaN are left out.
        sigma: Standard errors of `field` in tesla, one number or shape (n,). None (default):
            equal and unknown.
        frequency: In Hz, one number or shape (n,).
        plane: Rotation plane as for `resonance_field`. Default: "xy".
        name: Name of the series, for tables and messages. Default: empty.

    Raises:
        InputError: For shapes that do not fit together, more than `MOST_POINTS` points, an angle
            that is not finite, a frequency or sigma that is not positive, or an unknown plane.

    >>> series = Series([0.0, 1.0], [0.30, 0.35], frequency=9.45e9)
    >>> series.frequency.tolist(), series.plane
    ([9450000000.0, 9450000000.0], 'xy')
    """

    angle: np.ndarray
    field: np.ndarray
    sigma: np.ndarray | None
    frequency: np.ndarray
    plane: Plane
    name: str

    def __init__(
        self,
        angle: Numbers,
        field: Numbers,
        sigma: Numbers | None = None,
        *,
        frequency: Numbers,
        plane: Plane = "xy",
        name: str = "",
    ):
        angles, fields = as_numbers("angle", angle), as_numbers("field", field)
        if fields.ndim != 1:
            raise InputError("field", given=fields.shape, expected="shape (n,)")
        if angles.shape != fields.shape:
            raise InputError(
                "angle",
                given=angles.shape,
                expected=f"shape {fields.shape}, that of field",
                hint="Give one angle for each field",
            )
        if len(fields) > MOST_POINTS:
            raise InputError(
                f"{len(fields)} points in one series",
                expected=f"at most {MOST_POINTS}",
                hint="Average neighbouring points",
            )
        if not np.all(np.isfinite(angles)):
            raise InputError(
                "angle",
                given=float(angles[~np.isfinite(angles)][0]),
                expected="a finite angle in radians",
                hint="Set {field} to NaN to leave out a point",
            )
        check_plane(plane)
        object.__setattr__(self, "angle", angles.copy())
        object.__setattr__(self, "field", fields.copy())
        errors = None if sigma is None else positive("sigma", sigma, fields)
        object.__setattr__(self, "sigma", errors)
        object.__setattr__(self, "frequency", positive("frequency", frequency, fields))
        object.__setattr__(self, "plane", plane)
        object.__setattr__(self, "name", name)


def as_numbers(what: str, value: Numbers) -> np.ndarray:
    """The argument named `what` as a float64 array. Raises `InputError`."""
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        raise InputError(what, given=value, expected="numbers") from None


def positive(what: str, value: Numbers, field: np.ndarray) -> np.ndarray:
    """The argument named `what`, broadcast to the shape of `field`.

    It must be positive where `field` is finite.

    Raises:
        InputError: For another shape, or for values that are not positive.
    """
    given = as_numbers(what, value)
    try:
        full = np.broadcast_to(given, field.shape).copy()
    except ValueError:
        raise InputError(
            what, given=given.shape, expected=f"one number or shape {field.shape}, that of field"
        ) from None
    wrong = ~(full > 0) & np.isfinite(field)
    if np.any(wrong):
        raise InputError(what, given=float(full[wrong][0]), expected="a number above 0")
    return full


def stack_series(series: Sequence[Series]) -> tuple[Design, Data, bool]:
    """All series as one data set, padded with points of no weight, and whether σ is known."""
    known = [s.sigma is not None for s in series]
    if any(known) and not all(known):
        raise InputError("sigma", expected="standard errors for all series or for none")
    angle, frequency, fields, sigmas = [], [], [], []
    for s in series:
        pad = (0, _padding(s))
        angle.append(np.pad(s.angle, pad))
        frequency.append(np.pad(s.frequency, pad, mode="edge"))
        fields.append(np.pad(s.field, pad, constant_values=np.nan))
        if s.sigma is not None:
            sigmas.append(np.pad(s.sigma, pad, mode="edge"))
    sigma = np.concatenate(sigmas)[None] if sigmas else None
    data = Data.of(np.concatenate(fields)[None], sigma)
    return Design(tuple(angle), common_frequency(np.concatenate(frequency))), data, all(known)


def without_padding(values: np.ndarray, series: Sequence[Series]) -> np.ndarray:
    """The values at measured points, from those at all points of `stack_series`."""
    parts, start = [], 0
    for s in series:
        parts.append(values[start : start + len(s.field)])
        start += len(s.field) + _padding(s)
    return np.concatenate(parts)


def common_frequency(frequency: np.ndarray) -> np.ndarray:
    """The frequency as one number where it is the same for all points: that saves work."""
    return np.asarray(frequency[0]) if np.ptp(frequency) == 0 else frequency


def _padding(series: Series) -> int:
    return -len(series.field) % PAD
