"""Angles without a unit: whether they look like radians, or only count."""

import numpy as np

from .column_meanings import TableError


LEAST_SPAN = 0.2
"""Angles that span less are of a goniometer that stands still. A quarter turn is 0.25 in turns."""

MOST_COUNTED = 30
"""Numbers from 0 in steps of 1 are angles if there are more."""


def check_degrees(subject: str, degrees: np.ndarray) -> None:
    """Raise `TableError` for angles that have no unit and look like radians.

    They do if three or more span 0.2 or more, lie within a full turn in radians, and are no
    quarters of a degree.

    >>> check_degrees("column 'phi'", np.array([0, 10.0, 20.0]))
    >>> check_degrees("column 'phi'", np.array([0, 0.785, 1.571]))
    Traceback (most recent call last):
    diffdip.io.column_meanings.TableError: column 'phi' has no unit, and its values from 0 to 1.571\
 look like radians or turns: expected degrees, or a name with the unit. Name it angle_rad or\
 angle_deg
    """
    quarters = 4 * degrees
    if (
        len(degrees) >= 3
        and np.ptp(degrees) >= LEAST_SPAN
        and np.abs(degrees).max() <= 2 * np.pi + 0.01
        and (np.abs(quarters - np.round(quarters)) > 0.1).any()
    ):
        low, high = degrees.min(), degrees.max()
        raise TableError(
            f"{subject} has no unit, and its values from {low:g} to {high:g} look like "
            "radians or turns",
            expected="degrees, or a name with the unit",
            hint="Name it angle_rad or angle_deg",
        )


def check_no_count(subject: str, degrees: np.ndarray) -> None:
    """Raise `TableError` for angles without a unit that count 1, 2, 3 … or 0, 1, 2 …

    >>> check_no_count("the row of angles", np.array([0, 10.0, 20.0]))
    >>> check_no_count("the row of angles", np.array([1, 2.0, 3.0]))
    Traceback (most recent call last):
    diffdip.io.column_meanings.TableError: the row of angles has no unit and counts from 1 to 3:\
 expected degrees. Write the unit if these are degrees
    """
    values = np.unique(degrees)
    counts = len(values) >= 3 and np.array_equal(values, values[0] + np.arange(len(values)))
    if counts and (values[0] == 1 or (values[0] == 0 and len(values) < MOST_COUNTED)):
        raise TableError(
            f"{subject} has no unit and counts from {values[0]:g} to {values[-1]:g}",
            expected="degrees",
            hint="Write the unit if these are degrees",
        )
