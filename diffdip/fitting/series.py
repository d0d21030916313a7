"""Measured series of resonances, and several of them as one least-squares problem."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..foundation.accepted_values import ACCEPTED, look_like_degrees
from ..foundation.arrays import Numbers
from ..foundation.errors import InputError
from ..foundation.units import larmor_value
from ..resonance.planes import Plane, check_plane
from .least_squares_problem import Data, Design


MOST_POINTS = 20_000
"""Points of a series. More would need gigabytes of memory, and are no resonance fields by angle."""

PAD = 8
"""Series are padded to a multiple of this length, so that fewer lengths are compiled."""

MEASURED = ("field", "frequency")

AS_FIELD: Final = larmor_value(1.0, 2.0)
"""Tesla per Hz: measured frequencies are compared as fields, those of g = 2 without anisotropy."""


@dataclass(frozen=True)
class Series:
    """Measured points of one sample: a field rotated in a plane, or along given directions.

    Usually a frequency is set and the resonance field is measured. With `measured="frequency"` the
    field is set and the resonance frequency is measured.

    Args:
        angle: Angles of the applied field in radians, shape (n,). None where `direction` is given.
        field: Resonance fields in tesla, shape (n,), or the set fields. Measured values that are
            NaN are left out.
        sigma: Standard errors of what was measured, in tesla or Hz, one number or shape (n,). None
            (default): equal and unknown.
        frequency: In Hz, one number or shape (n,).
        plane: Rotation plane as for `resonance_field`. Default: "xy".
        name: Name of the series, for tables and messages. Default: empty.
        direction: Directions of the applied field, shape (n, 3), of any length. Default: from
            `angle` and `plane`.
        measured: "field" (default) or "frequency".

    Raises:
        InputError: For shapes that do not fit together, no points or more than `MOST_POINTS`, an
            angle or a direction that is not finite, a frequency or sigma that is not positive, or
            an unknown plane.

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
    direction: np.ndarray | None
    measured: str

    def __init__(
        self,
        angle: Numbers | None,
        field: Numbers,
        sigma: Numbers | None = None,
        *,
        frequency: Numbers,
        plane: Plane = "xy",
        name: str = "",
        direction: Numbers | None = None,
        measured: str = "field",
    ):
        if measured not in MEASURED:
            raise InputError("measured", given=measured, expected=" or ".join(MEASURED))
        by_field = measured == "field"
        points = measured_values(measured, field if by_field else frequency)
        if points.ndim != 1:
            raise InputError(measured, given=points.shape, expected="shape (n,)")
        if not len(points):
            raise InputError("points", given=0, expected="one or more in a series")
        if len(points) > MOST_POINTS:
            raise InputError(
                f"{len(points)} points in one series",
                expected=f"at most {MOST_POINTS}",
                hint="Average neighbouring points",
            )
        check_plane(plane)
        other, given = ("frequency", frequency) if by_field else ("field", field)
        held = positive(other, given, points, measured)
        errors = None if sigma is None else positive("sigma", sigma, points, measured)
        angles, vectors = _where(angle, direction, measured, len(points))
        values = {
            "angle": angles,
            "field": points.copy() if by_field else held,
            "sigma": errors,
            "frequency": held if by_field else points.copy(),
            "plane": plane,
            "name": name,
            "direction": vectors,
            "measured": measured,
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        """The number of points."""
        return len(self.field)

    @property
    def observed(self) -> np.ndarray:
        """What was measured in tesla; frequencies as the fields of g = 2 without anisotropy."""
        return self.field if self.measured == "field" else AS_FIELD * self.frequency

    @property
    def observed_sigma(self) -> np.ndarray | None:
        """The standard errors of `observed` in tesla."""
        if self.sigma is None or self.measured == "field":
            return self.sigma
        return AS_FIELD * self.sigma

    def amount(self, tesla: float, form: str = ".3g") -> str:
        """A residual of `observed` in mT, or in MHz where frequencies were measured."""
        if self.measured == "field":
            return f"{1e3 * tesla:{form}} mT"
        return f"{tesla / AS_FIELD / 1e6:{form}} MHz"

    @property
    def abscissa(self) -> np.ndarray:
        """What orders the points: the angle, the set quantity, or the row."""
        if self.is_rotation:
            return self.angle
        if self.along_one_direction:
            return self.frequency if self.measured == "field" else self.field
        return np.arange(len(self), dtype=float)

    @property
    def is_rotation(self) -> bool:
        """Whether a field is rotated in a plane, so that the angle orders the points."""
        return self.direction is None and not self.along_one_direction

    @property
    def along_one_direction(self) -> bool:
        """Whether the field has one direction, up to its sign, so that only frequencies differ."""
        if self.direction is not None:
            return bool(np.all(np.abs(self.direction @ self.direction[0]) > 1 - 1e-9))
        return bool(np.all(np.abs(np.sin(self.angle - self.angle[0])) < 1e-6))


def as_numbers(what: str, value: Numbers) -> np.ndarray:
    """The argument named `what` as a float64 array. Raises `InputError`."""
    if np.ma.is_masked(value):
        raise InputError(
            what,
            given=value,
            expected="numbers without a mask",
            hint=f"Replace masked values by NaN: {what}.filled(numpy.nan)",
        )
    try:
        numbers = np.asarray(value)
        if np.iscomplexobj(numbers):
            raise TypeError
        return numbers.astype(float)
    except (TypeError, ValueError):
        raise InputError(what, given=value, expected="numbers") from None


def measured_values(what: str, value: Numbers) -> np.ndarray:
    """Measured fields or frequencies as an array; NaN is left out, all else must be acceptable."""
    numbers = as_numbers(what, value)
    _check("frequency" if what == "frequency" else "field", what, numbers[~np.isnan(numbers)])
    return numbers


def positive(what: str, value: Numbers, points: np.ndarray, of: str = "field") -> np.ndarray:
    """The argument named `what`, broadcast to the shape of `points`.

    It must be acceptable where the measured value (the argument named `of`) is finite.

    Raises:
        InputError: For another shape, or for values that are not positive or out of all range.
    """
    given = as_numbers(what, value)
    try:
        full = np.broadcast_to(given, points.shape).copy()
    except ValueError:
        raise InputError(
            what, given=given.shape, expected=f"one number or shape {points.shape}, that of {of}"
        ) from None
    in_hertz = what == "sigma" and of == "frequency"
    # errors of frequencies are compared as fields
    values = AS_FIELD * full if in_hertz else full
    _check(what, what, values[np.isfinite(points)], full[np.isfinite(points)])
    return full


def _check(quantity: str, what: str, values: np.ndarray, given: np.ndarray | None = None) -> None:
    """Raises `InputError` unless all values are acceptable for a quantity."""
    accepted = ACCEPTED[quantity]
    wrong = ~accepted.holds(values)
    if np.any(wrong):
        shown = values if given is None else given
        unit = {"field": "tesla", "frequency": "Hz", "angle": "radians"}.get(quantity)
        hint = f"Give {{{what}}} in {unit}" if unit else ""
        raise InputError(what, given=float(shown[wrong][0]), expected=accepted.expected, hint=hint)


def _where(
    angle: Numbers | None, direction: Numbers | None, measured: str, count: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Angles and no directions, or zeros and unit vectors."""
    if (angle is None) == (direction is None):
        raise InputError("angle", given=angle, expected="angles, or {direction} instead of them")
    what, value, row = ("angle", angle, ()) if direction is None else ("direction", direction, (3,))
    numbers = as_numbers(what, value if value is not None else np.nan)
    if numbers.shape != (count, *row):
        raise InputError(
            what,
            given=numbers.shape,
            expected=f"shape {(count, *row)}" + ("" if row else f", that of {measured}"),
            hint=f"Give one {what} for each {measured}",
        )
    finite = np.isfinite(numbers) if not row else np.isfinite(numbers).all(axis=1)
    if row:
        finite &= np.any(numbers != 0, axis=1)
    if not finite.all():
        wrong = numbers[~finite][0]
        raise InputError(
            what,
            given=wrong.tolist() if row else float(wrong),
            expected="a vector other than 0" if row else "a finite angle in radians",
            hint=f"Set {{{measured}}} to NaN to leave out a point",
        )
    if not row:
        _check("angle", "angle", numbers)
        if look_like_degrees(numbers):
            raise InputError(
                "angle",
                given=float(np.max(numbers)),
                expected="angles in radians; these look like degrees",
                hint="Convert them by numpy.radians",
            )
        return numbers.copy(), None
    return np.zeros(count), numbers / np.linalg.norm(numbers, axis=1, keepdims=True)


def check_series(series: Sequence[Series]) -> None:
    """Raises `InputError` for no series at all."""
    if not len(series):
        raise InputError("series", given=[], expected="one series or more")


def stack_series(series: Sequence[Series]) -> tuple[Design, Data, bool]:
    """All series as one data set, padded with points of no weight, and whether σ is known."""
    check_series(series)
    known = [s.sigma is not None for s in series]
    if any(known) and not all(known):
        raise InputError("sigma", expected="standard errors for all series or for none")
    where, frequency, field, observed, sigmas = [], [], [], [], []
    for s in series:
        pad = (0, _padding(s))
        if s.direction is None:
            where.append(np.pad(s.angle, pad))
        else:
            where.append(np.pad(s.direction, (pad, (0, 0)), mode="edge"))
        frequency.append(np.pad(s.frequency, pad, mode="edge"))
        field.append(np.pad(s.field, pad, mode="edge"))
        observed.append(np.pad(s.observed, pad, constant_values=np.nan))
        if s.observed_sigma is not None:
            sigmas.append(np.pad(s.observed_sigma, pad, mode="edge"))
    sigma = np.concatenate(sigmas)[None] if sigmas else None
    data = Data.of(np.concatenate(observed)[None], sigma)
    set_field = any(s.measured == "frequency" for s in series)
    design = Design(
        tuple(where),
        common_frequency(np.concatenate(frequency)),
        np.concatenate(field) if set_field else None,
    )
    return design, data, all(known)


def without_padding(values: np.ndarray, series: Sequence[Series]) -> np.ndarray:
    """The values at measured points, from those at all points of `stack_series`."""
    parts, start = [], 0
    for s in series:
        parts.append(values[start : start + len(s)])
        start += len(s) + _padding(s)
    return np.concatenate(parts)


def point_errors(series: Sequence[Series]) -> np.ndarray:
    """σ of every point in tesla, NaN where it is unknown."""
    return np.concatenate(
        [np.full(len(s), np.nan) if s.sigma is None else s.observed_sigma for s in series]
    )


def common_frequency(frequency: np.ndarray) -> np.ndarray:
    """The frequency as one number where it is the same for all points: that saves work."""
    return np.asarray(frequency[0]) if np.ptp(frequency) == 0 else frequency


def _padding(series: Series) -> int:
    return -len(series) % PAD
