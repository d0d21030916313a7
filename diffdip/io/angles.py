"""Angles as goniometers and people write them: in names of files, and just below 360°."""

import re

import numpy as np


_NUMBER = r"(?P<angle>(?:(?<![^\W_])[-−+])?\d+(?:[.,]\d+)?)"
_IN_NAME = (
    re.compile(_NUMBER + r"[ _]?(?:°|º|degrees?|deg|dg|grad)(?![^\W\d_])", re.IGNORECASE),
    re.compile(r"(?:angle|alpha|phi|theta|gon|rot)[ _=]*" + _NUMBER, re.IGNORECASE),
    re.compile(r"\A" + _NUMBER + r"\Z"),
)


def angle_in_name(stem: str) -> float | None:
    """The angle in degrees in the name of a file (without its ending), or None.

    It is a number before `deg`, `dg` or `°`, a number after `angle`, `alpha`, `phi`, `theta`, `gon`
    or `rot`, or the whole name.

    >>> [angle_in_name(name) for name in ("film_10deg", "angle_-7.5", "045", "film_2")]
    [10.0, -7.5, 45.0, None]
    """
    for pattern in _IN_NAME:
        if match := pattern.search(stem[:255]):
            return float(match["angle"].replace(",", ".").replace("−", "-"))
    return None


def near_full_turn(degrees: np.ndarray) -> np.ndarray:
    """Which angles are just below 360° in a sweep over half a turn.

    Such an angle means a small negative one.

    >>> near_full_turn(np.array([359.99, 45.0, 90.0]))
    array([ True, False, False])
    """
    high = degrees > 350
    rest = degrees[~high]
    if not rest.size or rest.max() > 185:
        return np.zeros_like(high)
    return high
